//! CSV and TSV with a header line: a document a row, every cell a string, empty cells left out.
//!
//! Rows are found here, so that line numbers are exact, a quote left open is noticed and memory stays bounded; cells are split by
//! the `csv` crate. Quotes follow RFC 4180 in CSV. A TSV has none (IANA's `text/tab-separated-values`): a quote is a character like any
//! other, as in the corpora of information retrieval.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::lines::{Line, Lines, too_long};
use super::object::{self, IdRules};
use super::{Action, Fault, Record, RecordReader};
use crate::error::{Error, Result};

/// The rows after the header.
pub(super) struct Csv {
    lines: Lines,
    max_bytes: usize,
    delimiter: u8,
    /// `None` until the first row was read.
    header: Option<Arc<Header>>,
    is_over: bool,
}

/// What is the same for all rows.
pub(super) struct Header {
    names: Vec<String>,
    delimiter: u8,
}

/// A row that was found and not yet split.
pub(super) struct Row {
    header: Arc<Header>,
    line: Line,
}

impl Csv {
    pub(super) fn new(lines: Lines, delimiter: u8, max_bytes: usize) -> Self {
        Self { lines, max_bytes, delimiter, header: None, is_over: false }
    }

    /// The next row: a line, or several where a quoted cell holds line ends. Its number is that of its first line.
    fn next_row(&mut self) -> Option<Result<Line, Fault>> {
        let mut row = match self.lines.next_filled()? {
            Ok(row) => row,
            Err(fault) => return Some(Err(fault)),
        };
        let mut quotes = Quotes::default();
        if self.delimiter == b'\t' || !quotes.are_open_after(&row.bytes, self.delimiter) {
            return Some(Ok(row));
        }
        loop {
            match self.lines.next_line() {
                None => {
                    let message = "a quote that opens in this row is not closed before the end of the file; \
                                   the rows after it cannot be told apart";
                    return Some(Err(Fault::Input(Error::invalid_input(message).at_line(row.number))));
                }
                // Where the row ends is not known then.
                Some(Err(fault)) => return Some(Err(Fault::Input(fault.into()))),
                Some(Ok(line)) => row.bytes.extend_from_slice(&line.bytes),
            }
            // NOTE: only what was added is looked at again; `quotes` remembers the rest.
            let added = row.bytes.len() as u64;
            if added > self.max_bytes as u64 {
                let error = too_long(added, self.max_bytes).at_line(row.number);
                let message = format!("{} (perhaps a quote is left open)", error.message());
                return Some(Err(Fault::Input(Error::invalid_input(message).at_line(row.number))));
            }
            if !quotes.are_open_after(&row.bytes, self.delimiter) {
                return Some(Ok(row));
            }
        }
    }

    fn read_header(&mut self) -> Option<Result<Arc<Header>, Fault>> {
        let line = match self.next_row()? {
            Ok(line) => line,
            // Without a header no row means anything.
            Err(Fault::Record(error) | Fault::Input(error)) => return Some(Err(Fault::Input(error))),
        };
        let names = header_names(&line, self.delimiter).map_err(|error| Fault::Input(error.at_line(line.number)));
        Some(names.map(|names| Arc::new(Header { names, delimiter: self.delimiter })))
    }
}

impl RecordReader for Csv {
    fn next_record(&mut self) -> Option<Result<Record, Fault>> {
        if self.is_over {
            return None;
        }
        let header = match &self.header {
            Some(header) => Arc::clone(header),
            None => match self.read_header()? {
                Ok(header) => Arc::clone(self.header.insert(header)),
                Err(fault) => {
                    self.is_over = true;
                    return Some(Err(fault));
                }
            },
        };
        let row = self.next_row()?;
        self.is_over = matches!(row, Err(Fault::Input(_)));
        Some(row.map(|line| Record::Row(Row { header, line })))
    }
}

/// Follows the quotes of a row through its lines.
#[derive(Debug, Default)]
struct Quotes {
    num_seen: usize,
    is_open: bool,
    /// Inside a cell that does not begin with a quote, where quotes are ordinary.
    is_plain: bool,
}

impl Quotes {
    /// Whether a quoted cell goes on after `row`, of which an earlier call may have seen the beginning.
    fn are_open_after(&mut self, row: &[u8], delimiter: u8) -> bool {
        for &byte in row.iter().skip(self.num_seen) {
            match byte {
                // A doubled quote closes and opens again, which comes to the same.
                b'"' if self.is_open => self.is_open = false,
                _ if self.is_open => {}
                b'"' if !self.is_plain => self.is_open = true,
                _ if byte == delimiter => self.is_plain = false,
                _ => self.is_plain = true,
            }
        }
        self.num_seen = row.len();
        self.is_open
    }
}

/// The cells of a row, as text.
fn cells(line: &Line, delimiter: u8) -> Result<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(delimiter != b'\t')
        .buffer_capacity(line.bytes.len().max(16))
        .from_reader(line.bytes.as_slice());
    let mut record = csv::ByteRecord::new();
    let has_row = reader.read_byte_record(&mut record);
    has_row.map_err(|error| Error::invalid_input(format!("is not valid CSV: {error}")).with_source(error))?;
    let cells = record.iter().map(|cell| String::from_utf8(cell.to_vec())).collect::<Result<Vec<_>, _>>();
    let cells = cells.map_err(|error| {
        Error::invalid_input("is not valid UTF-8; convert the file to UTF-8").with_source(error.utf8_error())
    })?;
    let has_more = reader.read_byte_record(&mut record).unwrap_or(true);
    if has_more {
        return Err(Error::invalid_input("is not valid CSV: a quote or a lone carriage return cuts the row in two"));
    }
    Ok(cells)
}

fn header_names(line: &Line, delimiter: u8) -> Result<Vec<String>> {
    let names: Vec<String> = cells(line, delimiter)?.iter().map(|name| name.trim().to_string()).collect();
    let mut seen = HashSet::new();
    for (idx, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::invalid_input(format!("column {} has no name in the header line", idx + 1)));
        }
        if !seen.insert(name) {
            return Err(Error::invalid_input(format!("the header line names {name:?} twice")));
        }
    }
    Ok(names)
}

impl Row {
    pub(super) fn num_bytes(&self) -> usize {
        self.line.bytes.len()
    }

    pub(super) fn parse(self, ids: &IdRules) -> Result<(Action, u64)> {
        let number = self.line.number;
        self.document(ids).map(|action| (action, number)).map_err(|error| error.at_line(number))
    }

    fn document(self, ids: &IdRules) -> Result<Action> {
        let cells = cells(&self.line, self.header.delimiter)?;
        let names = &self.header.names;
        if cells.len() != names.len() {
            let (num_cells, num_names) = (cells.len(), names.len());
            return Err(Error::invalid_input(format!("has {num_cells} cells, the header line has {num_names}")));
        }
        let filled = names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let object: Map<String, Value> = filled.map(|(name, cell)| (name.clone(), Value::String(cell))).collect();
        Ok(Action::Index(object::document(object, ids)?))
    }
}
