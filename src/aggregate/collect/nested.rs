//! From documents to their nested objects, and back.
//!
//! Nested objects stand right before the document, or the outer object, that they belong to.

use std::sync::Arc;

use tantivy::{BitSet, DocId};

use super::{Block, Collector, Segment, Subs, of_owner, singles};
use crate::aggregate::context::{Context, Scope, holds};
use crate::aggregate::outcome::Outcome;
use crate::error::Result;

/// `nested`: the objects at a path.
pub(super) struct NestedCollector {
    parents: Vec<Arc<BitSet>>,
    children: Vec<Arc<BitSet>>,
    current: Option<(Arc<BitSet>, Arc<BitSet>)>,
    counts: Vec<u64>,
    subs: Subs,
}

impl NestedCollector {
    pub(super) fn new(context: &Context<'_>, outer: &Scope, inner: &Scope, subs: Subs) -> Result<Self> {
        let (parents, children) = (context.members(outer)?, context.members(inner)?);
        Ok(Self { parents, children, current: None, counts: Vec::new(), subs })
    }
}

impl Collector for NestedCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.current = self.parents.get(segment.ord).cloned().zip(self.children.get(segment.ord).cloned());
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let Some((parents, children)) = &self.current else { return Ok(()) };
        for (doc, owner) in block.pairs() {
            let mut first = doc;
            while first > 0 && !holds(parents, first - 1) {
                first -= 1;
            }
            let mut count = 0;
            for child in (first..doc).filter(|&child| holds(children, child)) {
                count += 1;
                self.subs.push(child, owner);
            }
            if count > 0
                && let Some(counted) = of_owner(&mut self.counts, owner, || 0)
            {
                *counted += count;
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        singles(&self.counts, owners, &mut self.subs)
    }
}

/// `reverse_nested`: the documents, or the outer objects, of nested objects.
pub(super) struct ReverseNestedCollector {
    parents: Vec<Arc<BitSet>>,
    current: Option<Arc<BitSet>>,
    /// By owner: the parent that was counted last.
    last: Vec<Option<DocId>>,
    counts: Vec<u64>,
    subs: Subs,
}

impl ReverseNestedCollector {
    pub(super) fn new(context: &Context<'_>, outer: &Scope, subs: Subs) -> Result<Self> {
        let parents = context.members(outer)?;
        Ok(Self { parents, current: None, last: Vec::new(), counts: Vec::new(), subs })
    }
}

impl Collector for ReverseNestedCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.current = self.parents.get(segment.ord).cloned();
        self.last.fill(None);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let Some(parents) = &self.current else { return Ok(()) };
        for (child, owner) in block.pairs() {
            let Some(parent) = (child..parents.max_value()).find(|&doc| parents.contains(doc)) else { continue };
            let Some(last) = of_owner(&mut self.last, owner, || None) else { continue };
            if last.replace(parent) == Some(parent) {
                continue;
            }
            if let Some(count) = of_owner(&mut self.counts, owner, || 0) {
                *count += 1;
            }
            self.subs.push(parent, owner);
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        singles(&self.counts, owners, &mut self.subs)
    }
}
