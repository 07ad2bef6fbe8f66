//! A bar with rate and time left, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` of something (`documents`); hidden when standard error is no terminal.
pub(super) fn bar(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = format!("{{msg}} {{bar:30}} {{pos}}/{{len}} {what} ({{per_sec}}, {{eta}} left)");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
