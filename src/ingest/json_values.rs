//! JSON that is not a record a line: an array of objects, one object, or several after each other, however they are laid out.
//!
//! Only the places where elements begin and end are found here, in one pass and without holding more than an element; what an
//! element says is parsed later. So a bad element costs only itself, as long as its brackets close.

use std::io::BufRead;

use super::lines::{cannot_read, too_long};
use super::source::{Compression, Source};
use super::{Fault, Record, RecordReader};
use crate::error::Error;

/// The top-level objects of a file, or the elements of its top-level array.
pub(super) struct JsonValues {
    reader: Box<dyn BufRead + Send>,
    compression: Compression,
    max_bytes: usize,
    /// The line of the next byte, from 1.
    line: u64,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first byte.
    Start,
    /// Between top-level objects.
    TopLevel,
    /// After `[`: an element or `]`.
    FirstElement,
    /// After an element: `,` or `]`.
    AfterElement,
    /// After `,`: an element.
    NextElement,
    /// After `]`: nothing but white space.
    AfterArray,
    End,
}

/// An element that was read; `bytes` is empty when it was too long to keep.
struct Element {
    line: u64,
    num_bytes: u64,
    bytes: Vec<u8>,
}

impl JsonValues {
    pub(super) fn new(source: Source, max_bytes: usize) -> Self {
        let Source { reader, compression, .. } = source;
        Self { reader, compression, max_bytes, line: 1, place: Place::Start }
    }

    /// The next byte that is no white space, left in the reader.
    fn peek_filled(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Input(cannot_read(error, self.compression, self.line - 1))),
            };
            if buffer.is_empty() {
                return Ok(None);
            }
            let num_blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let found = buffer.get(num_blank).copied();
            self.line += buffer.iter().take(num_blank).filter(|&&byte| byte == b'\n').count() as u64;
            self.reader.consume(num_blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Reads a value to its end. The reader stands on its first byte.
    fn read_element(&mut self) -> Result<Element, Fault> {
        let mut element = Element { line: self.line, num_bytes: 0, bytes: Vec::new() };
        let mut scan = Scan::default();
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Input(cannot_read(error, self.compression, self.line - 1))),
            };
            if buffer.is_empty() {
                // A bare number at the end of the file has no other end.
                if scan.depth == 0 && !scan.in_string {
                    return Ok(element);
                }
                let message = "the file ends inside this record: it is truncated, or a bracket or quote is not closed";
                return Err(Fault::Input(Error::invalid_input(message).at_line(element.line)));
            }
            let end = scan.find_end(buffer);
            let num_bytes = end.unwrap_or(buffer.len());
            let part = buffer.get(..num_bytes).unwrap_or(buffer);
            self.line += part.iter().filter(|&&byte| byte == b'\n').count() as u64;
            element.num_bytes += num_bytes as u64;
            if element.num_bytes <= self.max_bytes as u64 {
                element.bytes.extend_from_slice(part);
            } else {
                element.bytes = Vec::new();
            }
            self.reader.consume(num_bytes);
            if end.is_some() {
                return Ok(element);
            }
        }
    }

    fn consume_one(&mut self, next: Place) {
        self.reader.consume(1);
        self.place = next;
    }

    fn step(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            let byte = self.peek_filled()?;
            match (self.place, byte) {
                (Place::Start | Place::TopLevel | Place::AfterArray | Place::End, None) => return Ok(None),
                (Place::FirstElement | Place::AfterElement | Place::NextElement, None) => {
                    return Err(self.broken("the file ends before the array's closing \"]\": it is truncated"));
                }
                (Place::Start, Some(b'[')) => self.consume_one(Place::FirstElement),
                (Place::Start | Place::TopLevel, Some(b'{')) => return self.element(Place::TopLevel),
                (Place::Start | Place::TopLevel, Some(_)) => {
                    return Err(self.broken("expected a JSON object or an array of them"));
                }
                (Place::FirstElement | Place::AfterElement, Some(b']')) => self.consume_one(Place::AfterArray),
                (Place::AfterElement, Some(b',')) => self.consume_one(Place::NextElement),
                (Place::AfterElement, Some(_)) => return Err(self.broken("expected \",\" or \"]\" after an element")),
                (Place::NextElement, Some(b']')) => {
                    return Err(self.broken("expected an element after \",\", found \"]\""));
                }
                (Place::FirstElement | Place::NextElement, Some(b',' | b'}')) => {
                    return Err(self.broken("expected an element"));
                }
                (Place::FirstElement | Place::NextElement, Some(_)) => return self.element(Place::AfterElement),
                (Place::AfterArray | Place::End, Some(_)) => {
                    return Err(self.broken("something follows the array's closing \"]\""));
                }
            }
        }
    }

    fn element(&mut self, next: Place) -> Result<Option<Record>, Fault> {
        let element = self.read_element()?;
        self.place = next;
        if element.num_bytes > self.max_bytes as u64 {
            return Err(Fault::Record(too_long(element.num_bytes, self.max_bytes).at_line(element.line)));
        }
        Ok(Some(Record::Object { line: element.line, bytes: element.bytes }))
    }

    fn broken(&self, what: &str) -> Fault {
        let message = format!("{what}; the rest of the file cannot be read");
        Fault::Input(Error::invalid_input(message).at_line(self.line))
    }
}

impl RecordReader for JsonValues {
    fn next_record(&mut self) -> Option<Result<Record, Fault>> {
        if self.place == Place::End {
            return None;
        }
        let step = self.step();
        if !matches!(step, Ok(Some(_)) | Err(Fault::Record(_))) {
            self.place = Place::End;
        }
        step.transpose()
    }
}

/// Where in a value the scan is.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Scan {
    /// Goes on through `buffer`; returns how many bytes of it belong to the value, if it ends here.
    fn find_end(&mut self, buffer: &[u8]) -> Option<usize> {
        for (idx, &byte) in buffer.iter().enumerate() {
            if self.in_string {
                match byte {
                    // JSON has no line ends in strings: a quote is missing, and only this element is lost.
                    b'\n' => self.in_string = false,
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(idx + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => (self.in_string, self.is_escaped) = (true, false),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return Some(idx),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(idx + 1);
                    }
                }
                b',' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => return Some(idx),
                _ => {}
            }
        }
        None
    }
}
