//! Nested objects of a segment, and the documents that they are joined to.

use std::collections::HashMap;

use tantivy::index::SegmentId;
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, Term};

use super::{LexicalSearcher, Scoring};
use crate::error::Result;
use crate::retrieve::query::Query;

impl LexicalSearcher {
    /// The term that the objects of a nested field have; `None` where the index has no nested fields.
    pub(super) fn nested_path_term(&self, path: &str) -> Result<Option<Term>> {
        let field = self.fields().engine().nested_path;
        Ok(field.map(|field| Term::from_field_text(field, path)))
    }

    /// The objects of a nested field that match, a set for each segment; all of them without a filter.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn nested_filter(&self, path: &str, filter: Option<&Query>) -> Result<Vec<BitSet>> {
        let objects = self.parents(Some(path))?;
        let prepared = filter.map(|filter| self.prepare(filter, Scoring::Disabled)).transpose()?;
        let readers = self.searcher().segment_readers().iter();
        readers
            .map(|reader| {
                let all = objects.get(&reader.segment_id()).cloned();
                let all = all.unwrap_or_else(|| BitSet::with_max_value(reader.max_doc()));
                let Some(prepared) = &prepared else { return Ok(all) };
                let mut found = BitSet::with_max_value(reader.max_doc());
                prepared.for_each_doc(reader, &mut |docs| {
                    docs.iter().filter(|&&doc| all.contains(doc)).for_each(|&doc| {
                        found.insert(doc);
                    });
                })?;
                Ok(found)
            })
            .collect()
    }

    /// The documents that objects are joined to: roots, or the objects of a nested field.
    pub(super) fn parents(&self, path: Option<&str>) -> Result<HashMap<SegmentId, BitSet>> {
        let mut parents = HashMap::new();
        for (segment_ord, reader) in (0_u32..).zip(self.searcher().segment_readers()) {
            let found = match path {
                None => {
                    let roots = self.roots(segment_ord).cloned();
                    roots.unwrap_or_else(|| BitSet::with_max_value_and_full(reader.max_doc()))
                }
                Some(path) => {
                    let mut found = BitSet::with_max_value(reader.max_doc());
                    if let Some(term) = self.nested_path_term(path)? {
                        let inverted = reader.inverted_index(term.field())?;
                        if let Some(mut postings) = inverted.read_block_postings(&term, IndexRecordOption::Basic)? {
                            while !postings.docs().is_empty() {
                                postings.docs().iter().for_each(|&doc| {
                                    found.insert(doc);
                                });
                                postings.advance();
                            }
                        }
                    }
                    found
                }
            };
            parents.insert(reader.segment_id(), found);
        }
        Ok(parents)
    }
}
