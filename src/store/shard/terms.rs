//! `state.json`: the primary terms of a shard's history.
//!
//! Sequence numbers that a crash took back are given again to other writes. What tells them apart is the primary term: each start after a
//! process that did not close the shard begins one, at the number with which it goes on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::atomic_file;

const FILE: &str = "state.json";
/// The newest format that this version reads and the one that it writes.
const FORMAT: u32 = 1;

/// # Stability
/// Format 1. A newer format is refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    format: u32,
    /// Whether the last process closed the shard.
    closed: bool,
    /// (term, its first sequence number), both growing; never empty.
    terms: Vec<(u64, u64)>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { format: FORMAT, closed: true, terms: vec![(1, 0)] }
    }
}

impl Terms {
    /// Reads the file in `folder`; a shard without one is new.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        let bytes = match fs_err::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let damaged = |error: serde_json::Error| {
            Error::corrupt(format!("is damaged ({error}); restore the index from a copy"))
                .in_file(&file)
                .with_source(error)
        };
        let terms: Self = serde_json::from_slice(&bytes).map_err(damaged)?;
        if terms.format > FORMAT {
            let text = format!("has format {}, this version reads up to {FORMAT}; use a newer Bifocal", terms.format);
            return Err(Error::unsupported(text).in_file(&file));
        }
        Ok(terms)
    }

    /// Goes on at `next_seq_no`: in the same term after a process that closed the shard, else in a new one.
    pub(super) fn resumed(mut self, next_seq_no: u64) -> Self {
        if !self.closed {
            let last = self.terms.last().map_or(0, |(term, _)| *term);
            self.terms.retain(|(_, first)| *first < next_seq_no);
            self.terms.push((last + 1, next_seq_no));
        }
        self
    }

    /// The term now.
    pub(super) fn current(&self) -> u64 {
        self.terms.last().map_or(1, |(term, _)| *term)
    }

    /// The term of a sequence number.
    pub(super) fn of(&self, seq_no: u64) -> u64 {
        self.terms.iter().rev().find(|(_, first)| *first <= seq_no).map_or(1, |(term, _)| *term)
    }

    /// Writes the file durably, in place of an older one.
    pub(super) fn write(&mut self, folder: &Path, closed: bool) -> Result<()> {
        self.closed = closed;
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::internal("cannot write a shard's state").with_source(error))?;
        atomic_file::write(&folder.join(FILE), &json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_begins_a_term_and_a_close_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut terms = Terms::read(folder.path()).unwrap().resumed(0);
        terms.write(folder.path(), false).unwrap();
        let mut terms = Terms::read(folder.path()).unwrap().resumed(10);
        assert_eq!((terms.current(), terms.of(9), terms.of(10)), (2, 1, 2));
        terms.write(folder.path(), true).unwrap();
        let mut terms = Terms::read(folder.path()).unwrap().resumed(20);
        assert_eq!((terms.current(), terms.of(15)), (2, 2));
        terms.write(folder.path(), false).unwrap();
        // Numbers from 5 on were lost; they belong to the new term.
        let terms = Terms::read(folder.path()).unwrap().resumed(5);
        assert_eq!((terms.current(), terms.of(4), terms.of(5), terms.of(12)), (3, 1, 3, 3));
    }
}
