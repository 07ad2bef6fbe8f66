//! Which format an input has: as named, or told by its first bytes and its extension.

use std::fmt;
use std::str::FromStr;

use super::bulk;
use crate::error::{Error, Result};

/// The layout of an input. Compression (gzip, zstd) is not part of it: it is told by the first bytes in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Told from the input, in this order:
    ///
    /// 1. A folder with `corpus.jsonl` (or `.gz`, `.zst`) is BEIR's.
    /// 2. `.tsv` and `.tab` are TSV, `.csv` is CSV.
    /// 3. What begins with `[` is a JSON array, except in a `.jsonl` or `.ndjson` file, whose lines must be objects.
    /// 4. What begins with `{`: if the first line is an action line, `_bulk`; if the first line goes on in the next, and the file is no
    ///    `.jsonl` or `.ndjson`, JSON laid out over lines; else JSONL.
    /// 5. A `.jsonl` or `.ndjson` file is JSONL whatever it begins with, so that its bad lines are named.
    /// 6. A first line with a tab is a TSV's header, one with a comma, semicolon or bar a CSV's.
    ///
    /// Anything else is refused: name the format.
    #[default]
    Auto,
    /// A JSON object a line.
    Jsonl,
    /// Elasticsearch's `_bulk`: action lines and source lines.
    Bulk,
    /// A BEIR corpus: JSONL whose lines must have `_id`.
    Beir,
    /// An array of objects, one object, or several after each other.
    Json,
    /// A header line and rows, separated by a comma, semicolon, bar or tab, whichever the header has most of.
    Csv,
    /// A header line and rows, separated by tabs; quotes mean nothing.
    Tsv,
}

impl Format {
    /// Every format, with the name it has on the command line.
    pub const ALL: [(&'static str, Format); 7] = [
        ("auto", Format::Auto),
        ("jsonl", Format::Jsonl),
        ("bulk", Format::Bulk),
        ("beir", Format::Beir),
        ("json", Format::Json),
        ("csv", Format::Csv),
        ("tsv", Format::Tsv),
    ];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, format)| format == self).map_or("auto", |(name, _)| name);
        f.pad(name)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(known, _)| *known).collect();
            Error::invalid_input(format!("unknown format {name:?}; the formats are {}", names.join(", ")))
        })
    }
}

/// How an input is cut into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Lines,
    Bulk,
    Values,
    Rows { delimiter: u8 },
}

/// The layout of an input that begins with `head` (all of it if `is_whole`) and has `extension`.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if `format` is [`Format::Auto`] and nothing tells it.
pub(super) fn layout(format: Format, head: &[u8], is_whole: bool, extension: Option<&str>) -> Result<Layout> {
    let first_line = first_line(head);
    match format {
        Format::Jsonl | Format::Beir => Ok(Layout::Lines),
        Format::Bulk => Ok(Layout::Bulk),
        Format::Json => Ok(Layout::Values),
        Format::Csv => Ok(Layout::Rows { delimiter: delimiter(first_line).unwrap_or(b',') }),
        Format::Tsv => Ok(Layout::Rows { delimiter: b'\t' }),
        Format::Auto => guess(head, first_line, is_whole, extension),
    }
}

fn guess(head: &[u8], first_line: &[u8], is_whole: bool, extension: Option<&str>) -> Result<Layout> {
    let is_line_based = matches!(extension, Some("jsonl" | "ndjson"));
    match (extension, first_line.first()) {
        (Some("tsv" | "tab"), _) => Ok(Layout::Rows { delimiter: b'\t' }),
        (Some("csv"), _) => Ok(Layout::Rows { delimiter: delimiter(first_line).unwrap_or(b',') }),
        (_, None) => Ok(Layout::Lines),
        (_, Some(b'[')) if !is_line_based => Ok(Layout::Values),
        (_, Some(b'{')) if bulk::is_action_line(first_line) => Ok(Layout::Bulk),
        (_, Some(b'{')) if !is_line_based && goes_on(head, first_line, is_whole) => Ok(Layout::Values),
        (_, Some(b'{')) => Ok(Layout::Lines),
        _ if is_line_based => Ok(Layout::Lines),
        (Some("json"), _) => Ok(Layout::Values),
        _ => match delimiter(first_line) {
            Some(delimiter) => Ok(Layout::Rows { delimiter }),
            None => Err(Error::unsupported(
                "the format cannot be told from the content or the name; name it (--format jsonl, bulk, json, csv or tsv)",
            )),
        },
    }
}

/// The first line that is not blank, without white space around it.
fn first_line(head: &[u8]) -> &[u8] {
    let start = head.trim_ascii_start();
    start.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end()
}

/// Whether a JSON value that begins in `first_line` ends in a later one. A line that was torn in the middle of a string does not:
/// strings cannot go on in the next line.
fn goes_on(head: &[u8], first_line: &[u8], is_whole: bool) -> bool {
    let is_last_line = !head.trim_ascii_start().contains(&b'\n');
    if is_last_line && !is_whole {
        // A line longer than all we look at: nobody lays a value out like that.
        return false;
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(first_line) {
        Ok(_) => false,
        Err(error) => error.is_eof() && !error.to_string().starts_with("EOF while parsing a string"),
    }
}

/// The separator that stands most often in the header line, outside of quotes; the earlier of this list on a tie.
fn delimiter(header: &[u8]) -> Option<u8> {
    let mut counts = [(b'\t', 0), (b',', 0), (b';', 0), (b'|', 0)];
    let mut in_quotes = false;
    for &byte in header {
        in_quotes ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(byte == *separator && !in_quotes);
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().filter(|&most| most > 0)?;
    counts.iter().find(|(_, count)| *count == most).map(|(separator, _)| *separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (name, format) in Format::ALL {
            assert_eq!(format.to_string(), name);
            assert_eq!(name.parse::<Format>().unwrap(), format);
        }
        assert!("xml".parse::<Format>().unwrap_err().to_string().contains("jsonl"));
    }

    #[test]
    fn the_layout_is_told_by_content_then_by_name() {
        let rows = |delimiter| Ok(Layout::Rows { delimiter });
        for (head, extension, expected) in [
            ("{\"a\": 1}\n{\"a\": 2}\n", None, Ok(Layout::Lines)),
            ("{\"a\": 1}", Some("json"), Ok(Layout::Lines)),
            ("{\"index\": {\"_id\": 1}}\n{}\n", Some("jsonl"), Ok(Layout::Bulk)),
            ("{\"index\": {\"weight\": 1}}\n{}\n", None, Ok(Layout::Lines)),
            ("\n\n [\n{}]", None, Ok(Layout::Values)),
            ("[1]\n", Some("jsonl"), Ok(Layout::Lines)),
            ("{\n  \"a\": 1\n}\n", Some("json"), Ok(Layout::Values)),
            ("{\n  \"a\": 1\n}\n", None, Ok(Layout::Values)),
            ("{\"a\": \"torn\n{\"a\": 2}\n", None, Ok(Layout::Lines)),
            ("{\"a\": [1,\n{\"a\": 2}\n", Some("ndjson"), Ok(Layout::Lines)),
            ("oops\n{\"a\": 2}\n", Some("jsonl"), Ok(Layout::Lines)),
            ("id,title\n1,a\n", None, rows(b',')),
            ("id;\"a,b,c\";x\n", Some("csv"), rows(b';')),
            ("id\ttitle, or name\n", None, rows(b'\t')),
            ("id\n1\n", Some("csv"), rows(b',')),
            ("id\n1\n", Some("tsv"), rows(b'\t')),
            ("", None, Ok(Layout::Lines)),
            ("plain words\n", None, Err(())),
        ] {
            assert_eq!(guess_of(head, extension), expected, "{head:?} {extension:?}");
        }
    }

    fn guess_of(head: &str, extension: Option<&str>) -> Result<Layout, ()> {
        layout(Format::Auto, head.as_bytes(), true, extension).map_err(|_| ())
    }
}
