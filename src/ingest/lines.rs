//! Lines in bounded memory, and what to say when reading fails.

use std::io::{self, BufRead, Read};

use super::Fault;
use super::source::{Compression, Source};
use crate::error::{Error, ErrorKind};

/// A line of an input, with its end (`\n` or `\r\n`), which both JSON and CSV take for white space.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

impl Line {
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

/// The lines of a source.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    compression: Compression,
    max_bytes: usize,
    number: u64,
    is_over: bool,
}

impl Lines {
    pub(super) fn new(source: Source, max_bytes: usize) -> Self {
        Self { reader: source.reader, compression: source.compression, max_bytes, number: 0, is_over: false }
    }

    /// The next line. One that is too long is a bad record, and only counted.
    pub(super) fn next_line(&mut self) -> Option<Result<Line, Fault>> {
        if self.is_over {
            return None;
        }
        let mut bytes = Vec::new();
        // Two more than allowed: the line's end does not count.
        let limit = self.max_bytes.saturating_add(2) as u64;
        if let Err(error) = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            return Some(Err(self.failed(error)));
        }
        if bytes.is_empty() {
            self.is_over = true;
            return None;
        }
        self.number += 1;
        if bytes.trim_ascii_end().len() <= self.max_bytes && (bytes.ends_with(b"\n") || (bytes.len() as u64) < limit) {
            return Some(Ok(Line { number: self.number, bytes }));
        }
        let num_read = bytes.len() as u64;
        drop(bytes);
        match self.skip_line() {
            Ok(num_skipped) => {
                Some(Err(Fault::Record(too_long(num_read + num_skipped, self.max_bytes).at_line(self.number))))
            }
            Err(error) => Some(Err(self.failed(error))),
        }
    }

    /// The next line that is not blank.
    pub(super) fn next_filled(&mut self) -> Option<Result<Line, Fault>> {
        loop {
            match self.next_line()? {
                Ok(line) if line.is_blank() => {}
                other => return Some(other),
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<u64> {
        let mut num_bytes = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let num_consumed = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(num_consumed);
            num_bytes += num_consumed as u64;
            if end.is_some() || num_consumed == 0 {
                return Ok(num_bytes);
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> Fault {
        self.is_over = true;
        Fault::Input(cannot_read(error, self.compression, self.number))
    }
}

/// A record above the limit.
pub(super) fn too_long(num_bytes: u64, max_bytes: usize) -> Error {
    Error::invalid_input(format!(
        "a record of {num_bytes} bytes is longer than the limit of {max_bytes}; split it, or raise the limit (--max-record-bytes)"
    ))
}

/// What to tell when `error` stopped reading after `line` good lines. A partly read line is not counted: its end is missing.
pub(super) fn cannot_read(error: io::Error, compression: Compression, line: u64) -> Error {
    let (kind, message) = match (compression, error.kind()) {
        (Compression::Gzip | Compression::Zstd, io::ErrorKind::UnexpectedEof) => (
            ErrorKind::InvalidInput,
            format!(
                "the {} is truncated: all that follows line {line} is missing; get the whole file and try again",
                compression.name()
            ),
        ),
        (
            Compression::Gzip | Compression::Zstd,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other,
        ) => (
            ErrorKind::InvalidInput,
            format!(
                "the {} is damaged: what follows line {line} cannot be read ({error}); get the file again",
                compression.name()
            ),
        ),
        _ => (ErrorKind::Io, format!("cannot be read any further ({error}); {line} lines were read")),
    };
    let error = Error::new(kind, message).with_source(error);
    if line > 0 { error.at_line(line) } else { error }
}
