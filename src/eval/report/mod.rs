//! A comparison as text: a table for the terminal, Markdown, one self-contained HTML file.
//!
//! In: a [`Comparison`](comparison::Comparison). Out: text; nothing is read and nothing printed. What a comparison lacks is left
//! out. Table and Markdown write the same [`parts`]; HTML has its own, since it also draws. Invariant: names, queries and titles are
//! other people's text, and cannot leave their place in any of the three.

mod html;
mod markdown;
mod parts;
#[cfg(test)]
#[expect(
    clippy::field_reassign_with_default,
    reason = "the values are non-exhaustive for the tests that use it by path"
)]
mod sample;
mod table;
mod verdict;
mod wording;

pub use html::html;
pub use markdown::markdown;
pub use table::table;

use super::comparison;
