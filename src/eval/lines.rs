//! Files of lines, with numbers for messages: gzip and zstd undone, UTF-8 checked.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 64 << 10;

/// The lines of a file, one at a time.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    file: PathBuf,
    line_number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens a file; its first bytes tell whether it is compressed.
    ///
    /// # Errors
    /// `NotFound` when it is missing, `Io` when it cannot be read.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, fs_err::File::open(file)?);
        let magic = raw.fill_buf()?;
        let (is_gzip, is_zstd) = (magic.starts_with(b"\x1f\x8b"), magic.starts_with(b"\x28\xb5\x2f\xfd"));
        let reader: Box<dyn BufRead> = if is_gzip {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))
        } else if is_zstd {
            let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            Box::new(raw)
        };
        Ok(Self { reader, file: file.to_path_buf(), line_number: 0, buffer: Vec::new() })
    }

    /// The next line and its number from 1, without the line's end and a byte order mark.
    ///
    /// # Errors
    /// `InvalidInput` with file and line for what is not UTF-8, or compressed data that end early or do not add up.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>> {
        self.buffer.clear();
        self.line_number += 1;
        let num_bytes = self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| self.broken(error))?;
        if num_bytes == 0 {
            return Ok(None);
        }
        let mut line = self.buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.line_number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        match std::str::from_utf8(line) {
            Ok(line) => Ok(Some((self.line_number, line))),
            Err(_) => Err(Error::invalid_input("is not UTF-8").at_line(self.line_number).in_file(&self.file)),
        }
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Lines::next_line`], without a line.
    pub(super) fn into_text(mut self) -> Result<String> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).map_err(|error| self.broken(error))?;
        String::from_utf8(bytes).map_err(|_| Error::invalid_input("is not UTF-8").in_file(&self.file))
    }

    fn broken(&self, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        // What the decoders say of torn and damaged streams.
        if matches!(error.kind(), UnexpectedEof | InvalidInput | InvalidData) {
            return Error::invalid_input("is a compressed file that is damaged or cut off")
                .with_source(error)
                .at_line(self.line_number)
                .in_file(&self.file);
        }
        Error::from(error)
    }
}
