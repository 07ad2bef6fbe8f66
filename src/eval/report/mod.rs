//! A comparison as text: table, Markdown, one self-contained HTML file, JSON.

use super::comparison::Comparison;

/// The table for the terminal, with what goes with it (conditions, warnings, significance, recommendation).
pub fn table(comparison: &Comparison) -> String {
    let _ = comparison;
    unimplemented!("helper report")
}

/// Markdown.
pub fn markdown(comparison: &Comparison) -> String {
    let _ = comparison;
    unimplemented!("helper report")
}

/// One HTML file without any reference to the network.
pub fn html(comparison: &Comparison) -> String {
    let _ = comparison;
    unimplemented!("helper report")
}
