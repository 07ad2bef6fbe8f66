//! The search box: what a user types, to a query. Nothing that a user types is an error.
//!
//! ```text
//! blue wing              any of the words; the more, and the rarer, the better
//! "thin wing"            the words side by side;  "thin wing"~2  at most two places apart
//! +blue -red             must have, must not have;  also  blue AND thin,  blue OR red,  NOT red
//! (blue OR red) AND wing groups
//! wing*                  words that begin so
//! wing~  wing~1          words that differ in a few letters (by their length), in one
//! wing^2                 counts twice
//! title:wing  title:"thin wing"  title:(thin wing)        in one field
//! year:2001  year:>=2000  year:[2000 TO 2010]  year:{2000 TO *]  title:*      values, ranges, having the field
//! *                      every document
//! ```
//! `AND` binds closer than what stands side by side, and a backslash takes the next character literally. Whatever does not fit
//! (an open quote or parenthesis, an operator without operand, a field that the index lacks, as in `http://x` or `note: this`)
//! is taken as words. Read next: `parser` (text to parts), `convert` (parts to a query or back to plain text).

mod convert;
mod parser;

use std::borrow::Cow;

use super::query::{BoostedField, MatchQuery, Query};
use crate::index::lexical::FieldTable;

/// How a query's text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuerySyntax {
    /// As typed into a search box: the operators above mean something.
    #[default]
    SearchBox,
    /// As words alone, whatever signs stand between them: the queries of a judged collection, which nobody wrote for a search box.
    Plain,
}

impl QuerySyntax {
    /// The query that `text` means; words without a field look in `defaults`.
    pub(crate) fn query(self, text: &str, fields: &FieldTable, defaults: &[BoostedField]) -> Query {
        match self {
            Self::SearchBox => parse_in(text, fields, defaults),
            Self::Plain if text.trim().is_empty() => Query::MatchNone,
            Self::Plain => Query::Match(MatchQuery { text: text.to_string(), ..MatchQuery::default() }),
        }
    }

    /// The words of `text` for a model to read.
    pub(crate) fn words(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::SearchBox => Cow::Owned(plain_text(text)),
            Self::Plain => Cow::Borrowed(text),
        }
    }
}

/// The query that a user means by `text`; words without a field look in the index's default fields.
///
/// A text of words alone is one [`Query::Match`] of the whole text. An empty text matches nothing. Never fails; the query
/// runs without error on an index that has `fields`.
pub fn parse(text: &str, fields: &FieldTable) -> Query {
    let defaults: Vec<BoostedField> =
        fields.defaults().into_iter().map(|(field, boost)| BoostedField { field, boost }).collect();
    parse_in(text, fields, &defaults)
}

/// As [`parse`], where the beginnings of words (`wing*`), which cannot leave their fields open, look in `defaults`.
pub fn parse_in(text: &str, fields: &FieldTable, defaults: &[BoostedField]) -> Query {
    let parsed = parser::parse(text, &parser::Fields::Table(fields));
    convert::to_query(parsed, fields, defaults)
}

/// The words of `text` for a model to read: without operators, ranges and what is excluded. A text of words alone stays as
/// it is.
pub fn plain_text(text: &str) -> String {
    convert::to_text(&parser::parse(text, &parser::Fields::Unknown))
}

#[cfg(test)]
mod tests;
