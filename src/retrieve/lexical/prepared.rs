//! A query ready to run, for whoever collects its documents.

use tantivy::query::{Scorer, Weight};
use tantivy::{DocId, SegmentReader};

use super::rescoring::Faults;
use crate::error::Result;

/// Whether scores are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoring {
    /// Every document comes with its score.
    Enabled,
    /// Only the documents count.
    Disabled,
}

/// A query ready to run on the segments of its snapshot. Finds deleted documents and nested objects too: who collects leaves them out
/// (`LexicalSearcher::accepts`).
pub struct Prepared {
    weight: Box<dyn Weight>,
    faults: Faults,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl std::ops::Deref for Prepared {
    type Target = dyn Weight;

    fn deref(&self) -> &dyn Weight {
        self.weight.as_ref()
    }
}

impl AsRef<dyn Weight> for Prepared {
    fn as_ref(&self) -> &(dyn Weight + 'static) {
        self.weight.as_ref()
    }
}

impl Prepared {
    pub(super) fn new(weight: Box<dyn Weight>, faults: Faults) -> Self {
        Self { weight, faults }
    }

    /// Calls `callback` for every matching document of a segment, ascending, with its score.
    ///
    /// # Errors
    /// `InvalidInput` when a function or script could not score a document; `Io` or `Corrupt` from the segment.
    pub(crate) fn for_each(&self, reader: &SegmentReader, callback: &mut dyn FnMut(DocId, f32)) -> Result<()> {
        self.weight.for_each(reader, callback)?;
        self.check()
    }

    /// Calls `callback` for every matching document of a segment, in ascending groups.
    ///
    /// # Errors
    /// As [`Prepared::for_each`].
    pub(crate) fn for_each_doc(&self, reader: &SegmentReader, callback: &mut dyn FnMut(&[DocId])) -> Result<()> {
        self.weight.for_each_no_score(reader, callback)?;
        self.check()
    }

    /// A cursor over the matching documents of a segment, for collectors that stop early. Call [`Prepared::check`] after it.
    ///
    /// # Errors
    /// `Io` or `Corrupt` from the segment.
    pub(crate) fn scorer(&self, reader: &SegmentReader) -> Result<Box<dyn Scorer>> {
        Ok(self.weight.scorer(reader, 1.0)?)
    }

    /// Fails with what a scorer could not say.
    ///
    /// # Errors
    /// `InvalidInput` when a function or script could not score a document.
    pub(crate) fn check(&self) -> Result<()> {
        self.faults.check()
    }
}
