//! What every collector of one index may look at.

use std::sync::Arc;

use tantivy::{BitSet, DocId, SegmentReader};

use crate::error::Result;
use crate::index::doc_values::{DocValues, ValueField};
use crate::retrieve::Searcher;

/// One index that is aggregated over.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The snapshot.
    pub searcher: &'a Searcher,
    /// The concrete name of the index: the value of `_index`.
    pub index: &'a str,
    /// The number by which the caller knows the index; handed back with hits.
    pub index_ord: usize,
}

/// Whose documents an aggregation sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Scope {
    /// The path of the nested objects; `None` for the documents themselves.
    pub(super) path: Option<String>,
}

impl Context<'_> {
    pub(super) fn segment_readers(&self) -> &[SegmentReader] {
        self.searcher.searcher().segment_readers()
    }

    /// The documents or the nested objects of a scope, a set for each segment, without deleted ones.
    pub(super) fn members(&self, scope: &Scope) -> Result<Vec<Arc<BitSet>>> {
        let paths = match &scope.path {
            Some(path) => ValueField::resolve(self.searcher, "_nested_path", self.index)?.map(|field| (field, path)),
            None => None,
        };
        let mut sets = Vec::new();
        for (segment_ord, reader) in (0_u32..).zip(self.segment_readers()) {
            let set = match &paths {
                Some((field, path)) => nested_objects(reader, &field.open(self.searcher, segment_ord)?, path)?,
                None => roots(reader, self.searcher.roots(segment_ord)),
            };
            sets.push(Arc::new(set));
        }
        Ok(sets)
    }
}

fn roots(reader: &SegmentReader, roots: Option<&BitSet>) -> BitSet {
    let mut set = BitSet::with_max_value(reader.max_doc());
    for doc in reader.doc_ids_alive().filter(|doc| roots.is_none_or(|roots| roots.contains(*doc))) {
        set.insert(doc);
    }
    set
}

fn nested_objects(reader: &SegmentReader, paths: &DocValues, path: &str) -> Result<BitSet> {
    let mut set = BitSet::with_max_value(reader.max_doc());
    let DocValues::Keyword(keywords) = paths else { return Ok(set) };
    let Ok(wanted) = keywords.lookup(path)? else { return Ok(set) };
    for doc in reader.doc_ids_alive() {
        keywords.for_each_ord(doc, |ord| {
            if ord == wanted {
                set.insert(doc);
            }
        });
    }
    Ok(set)
}

/// The documents of a set, ascending.
pub(super) fn for_each_doc(set: &BitSet, mut visit: impl FnMut(DocId)) {
    let num_words = set.max_value().div_ceil(64);
    for word in 0..num_words {
        let mut bits = set.tinyset(word);
        while let Some(bit) = bits.pop_lowest() {
            visit(word * 64 + bit);
        }
    }
}

/// Whether a set holds a document; documents beyond its end it does not hold.
pub(super) fn holds(set: &BitSet, doc: DocId) -> bool {
    doc < set.max_value() && set.contains(doc)
}
