//! The lexical leg: runs a query tree over one searcher snapshot.
//!
//! In: a [`Query`] and, for both legs alike, a filter evaluated once a segment. Out: the best documents with Elasticsearch's
//! scores. A query of plain words goes to [`top_k`](crate::index::lexical::top_k()); everything else becomes a tree of Tantivy
//! queries whose leaves score by our BM25. Read next: [`union`] and `compile`.

mod automaton;
mod blocks;
mod compile;
mod expand;
pub mod explain;
mod expressions;
mod features;
mod functions;
pub mod highlight;
mod multi_term;
mod nested;
mod numbers;
mod phrase;
mod prepared;
mod rescoring;
mod similar;
mod sloppy;
mod synonyms;
mod term;
mod union;
mod values;
mod vectors;
mod words;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tantivy::columnar::ColumnIndex;
use tantivy::index::{InvertedIndexReader, SegmentId};
use tantivy::query::{EmptyQuery, EnableScoring};
use tantivy::schema::Field;
use tantivy::{BitSet, COLLECT_BLOCK_BUFFER_LEN, DocAddress, DocId, Searcher, SegmentReader, TERMINATED, Term};

pub(crate) use self::automaton::check_regexp;
pub(crate) use self::functions::{field_value, mix};
pub use self::prepared::{Prepared, Scoring};
pub(super) use self::values::fits;
pub use self::vectors::{EmbeddedTexts, TextToEmbed};

use self::compile::Compiler;
use self::rescoring::Faults;
use super::query::{BoolQuery, Query};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::index::TimeLimit;
use crate::index::columns::ColumnsReader;
use crate::index::lexical::bm25::{self, FieldStatistics};
use crate::index::lexical::collector::Collector;
use crate::index::lexical::top_k::ScoredDoc;
use crate::index::lexical::{Bm25Params, FieldTable, LexicalField};

/// Blocks of documents between two looks at the clock.
const BLOCKS_A_LOOK: usize = 64;

/// The lexical view of one searcher snapshot: columns and statistics are opened once, and every query sees the same documents.
/// `Send + Sync`; cheap to clone.
#[derive(Debug, Clone)]
pub struct LexicalSearcher {
    snapshot: Arc<Snapshot>,
    time_limit: TimeLimit,
    /// Vectors of texts that this search looks for.
    embedded: Option<Arc<EmbeddedTexts>>,
}

#[derive(Clone)]
struct Snapshot {
    searcher: Searcher,
    fields: Arc<FieldTable>,
    segments: Vec<SegmentView>,
    columns: SharedColumns,
    statistics: BTreeMap<Field, FieldStatistics>,
    /// The vectors and sources of the same documents; `None` for a lexical view alone.
    index: Option<crate::index::Snapshot>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("segments", &self.segments.len()).finish_non_exhaustive()
    }
}

/// The columns by segment, for scorers, which know only their segment.
type SharedColumns = Arc<HashMap<SegmentId, Arc<ColumnsReader>>>;

#[derive(Clone)]
struct SegmentView {
    columns: Arc<ColumnsReader>,
    /// Of the text and keyword fields that the segment has.
    inverted: HashMap<Field, Arc<InvertedIndexReader>>,
}

impl LexicalSearcher {
    /// Opens the view of a snapshot. Do this once a snapshot, not once a query.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when a segment's file is damaged.
    pub fn open(searcher: Searcher, fields: Arc<FieldTable>) -> Result<Self> {
        let term_fields: Vec<&LexicalField> =
            fields.iter().map(|(_, field)| field).filter(|field| field.has_terms() && field.indexed).collect();
        let mut segments = Vec::new();
        for reader in searcher.segment_readers() {
            let columns = Arc::new(ColumnsReader::open(reader)?);
            let mut inverted = HashMap::new();
            for field in &term_fields {
                if columns.lengths(field.field).is_some_and(|lengths| lengths.doc_count > 0) {
                    inverted.insert(field.field, reader.inverted_index(field.field)?);
                }
            }
            segments.push(SegmentView { columns, inverted });
        }
        let columns = || segments.iter().map(|segment| segment.columns.as_ref());
        let statistics = term_fields
            .iter()
            .map(|field| (field.field, FieldStatistics::gather(columns(), field.field, field.bm25())))
            .collect();
        let by_id = searcher.segment_readers().iter().zip(&segments);
        let columns = Arc::new(by_id.map(|(reader, view)| (reader.segment_id(), view.columns.clone())).collect());
        let snapshot = Snapshot { searcher, fields, segments, columns, statistics, index: None };
        Ok(Self { snapshot: Arc::new(snapshot), time_limit: TimeLimit::default(), embedded: None })
    }

    /// The same view with the vectors and sources of its documents, for queries that need them.
    #[must_use]
    pub fn with_index(self, index: crate::index::Snapshot) -> Self {
        let snapshot = Snapshot { index: Some(index), ..self.snapshot.as_ref().clone() };
        Self { snapshot: Arc::new(snapshot), ..self }
    }

    /// The same view for one search, which ends when the time is up: queries then find what was seen until then, and
    /// [`TimeLimit::was_noticed`] says that something was left out.
    #[must_use]
    pub fn with_time_limit(&self, time_limit: TimeLimit) -> Self {
        Self { time_limit, ..self.clone() }
    }

    /// The same view for one search whose texts were embedded before.
    #[must_use]
    pub fn with_embedded(&self, texts: Arc<EmbeddedTexts>) -> Self {
        Self { embedded: Some(texts), ..self.clone() }
    }

    /// Until when this view may be searched.
    pub fn time_limit(&self) -> &TimeLimit {
        &self.time_limit
    }

    fn index(&self) -> Option<&crate::index::Snapshot> {
        self.snapshot.index.as_ref()
    }

    /// The snapshot that is searched.
    pub fn searcher(&self) -> &Searcher {
        &self.snapshot.searcher
    }

    /// The fields that queries may name.
    pub fn fields(&self) -> &FieldTable {
        &self.snapshot.fields
    }

    /// The columns of a segment, by its number in the snapshot.
    pub fn columns(&self, segment_ord: u32) -> Option<&ColumnsReader> {
        self.snapshot.segments.get(segment_ord as usize).map(|segment| segment.columns.as_ref())
    }

    /// The user's id of a document.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when the column of ids is damaged.
    pub fn id(&self, address: DocAddress) -> Result<&str> {
        self.columns(address.segment_ord)
            .ok_or_else(|| Error::internal("a document of another snapshot"))?
            .id(address.doc_id)
    }

    /// The best `depth` documents.
    ///
    /// * `filter`: a set for each segment, in the snapshot's order, as [`LexicalSearcher::filter`] gives; `None` lets all pass.
    ///
    /// Ordered by score descending, then by address. Deleted documents are never found. Hits are not counted.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a field that the index lacks;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a value that does not fit its field, a pattern that
    /// cannot be read, or a boost out of range; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for an unknown analyzer.
    pub fn top(&self, query: &Query, depth: usize, filter: Option<&[BitSet]>) -> Result<Vec<ScoredDoc>> {
        if let Some(top) = self.top_of_words(query, depth, filter)? {
            return Ok(top);
        }
        let prepared = self.prepare(query, Scoring::Enabled)?;
        let mut collector = Collector::new(depth);
        for (segment_ord, reader) in (0_u32..).zip(self.searcher().segment_readers()) {
            let passes = self.accepts(segment_ord, reader, filter);
            prepared.for_each(reader, &mut |doc, score| {
                if passes(doc) {
                    collector.offer(f64::from(score), DocAddress::new(segment_ord, doc));
                }
            })?;
        }
        Ok(collector.into_sorted())
    }

    /// As [`LexicalSearcher::top`], for a query of plain words, filtered or not, whose hits are found without reading all that match;
    /// `None` for any other query.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn top_of_words(
        &self,
        query: &Query,
        depth: usize,
        filter: Option<&[BitSet]>,
    ) -> Result<Option<Vec<ScoredDoc>>> {
        let (mut words, mut filters) = (Cow::Borrowed(query), Vec::new());
        let plan = loop {
            if let Some(plan) = self.plan_union(&words)? {
                break plan;
            }
            let Some((inner, own_filter)) = union::without_filters(&words) else { return Ok(None) };
            filters.push(own_filter);
            words = Cow::Owned(inner);
        };
        if filters.is_empty() {
            return self.top_of_union(&plan, depth, filter).map(Some);
        }
        let mut sets = self.filter(&Query::Bool(BoolQuery { filter: filters, ..BoolQuery::default() }))?;
        for (set, other) in sets.iter_mut().zip(filter.into_iter().flatten()) {
            set.intersect_update(&other.into());
        }
        self.top_of_union(&plan, depth, Some(&sets)).map(Some)
    }

    /// As [`LexicalSearcher::prepare`].
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn weight(&self, query: &Query, needs_scores: bool) -> Result<Prepared> {
        self.prepare(query, if needs_scores { Scoring::Enabled } else { Scoring::Disabled })
    }

    /// The documents that match, a set for each segment in the snapshot's order, without deleted ones. For either leg.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn filter(&self, query: &Query) -> Result<Vec<BitSet>> {
        let mut sets = self.filter_with_nested(query)?;
        for (segment_ord, found) in (0_u32..).zip(&mut sets) {
            if let Some(roots) = self.roots(segment_ord) {
                found.intersect_update(&roots.into());
            }
        }
        Ok(sets)
    }

    /// As [`LexicalSearcher::filter`], with the nested objects that match by themselves.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn filter_with_nested(&self, query: &Query) -> Result<Vec<BitSet>> {
        let prepared = self.prepare(query, Scoring::Disabled)?;
        let segments = self.searcher().segment_readers().iter();
        segments
            .map(|reader| {
                let mut found = BitSet::with_max_value(reader.max_doc());
                let mut insert = |docs: &[DocId]| {
                    for &doc in docs {
                        if !reader.is_deleted(doc) {
                            found.insert(doc);
                        }
                    }
                };
                if self.time_limit.applies() {
                    self.for_each_doc_in_time(&prepared, reader, &mut insert)?;
                } else {
                    prepared.for_each_doc(reader, &mut insert)?;
                }
                Ok(found)
            })
            .collect()
    }

    /// As [`Prepared::for_each_doc`], until the time is up.
    fn for_each_doc_in_time(
        &self,
        prepared: &Prepared,
        reader: &SegmentReader,
        callback: &mut dyn FnMut(&[DocId]),
    ) -> Result<()> {
        let mut scorer = prepared.scorer(reader)?;
        let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
        let mut blocks = 0_usize;
        loop {
            let filled = scorer.fill_buffer(&mut buffer);
            callback(buffer.get(..filled).unwrap_or_default());
            blocks += 1;
            if filled < buffer.len() || (blocks.is_multiple_of(BLOCKS_A_LOOK) && self.time_limit.is_up()) {
                return prepared.check();
            }
        }
    }

    /// The number of documents that match; reads every posting.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn count(&self, query: &Query) -> Result<u64> {
        Ok(self.filter(query)?.iter().map(|found| found.len() as u64).sum())
    }

    /// The score of one document; `None` when it does not match.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn score(&self, query: &Query, address: DocAddress) -> Result<Option<f32>> {
        let reader = self.segment_reader(address)?;
        let prepared = self.prepare(query, Scoring::Enabled)?;
        let mut scorer = prepared.scorer(reader)?;
        let found = if scorer.doc() < address.doc_id { scorer.seek(address.doc_id) } else { scorer.doc() };
        let score = (found == address.doc_id && found != TERMINATED).then(|| scorer.score());
        prepared.check()?;
        Ok(score)
    }

    /// The ids of the documents that match, in the order of the segments.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn matching_ids(&self, query: &Query) -> Result<Vec<DocumentId>> {
        let mut ids = Vec::new();
        for (segment_ord, found) in (0_u32..).zip(self.filter(query)?) {
            let max_doc = self.searcher().segment_reader(segment_ord).max_doc();
            for doc_id in (0..max_doc).filter(|&doc_id| found.contains(doc_id)) {
                ids.push(self.id(DocAddress::new(segment_ord, doc_id))?.into());
            }
        }
        Ok(ids)
    }

    /// The same snapshot scored with other parameters of BM25, field by field.
    ///
    /// # Errors
    /// What `change` fails with.
    pub fn with_bm25(&self, change: impl Fn(Bm25Params) -> Result<Bm25Params>) -> Result<Self> {
        let changed = |(field, own): (&Field, &FieldStatistics)| {
            let params = change(own.params)?;
            Ok((*field, FieldStatistics::new(own.doc_count, own.sum_total_term_freq, params)))
        };
        let statistics = self.snapshot.statistics.iter().map(changed).collect::<Result<_>>()?;
        let snapshot = Snapshot { statistics, ..self.snapshot.as_ref().clone() };
        Ok(Self { snapshot: Arc::new(snapshot), ..self.clone() })
    }

    /// Gets a query ready to run, segment by segment.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn prepare(&self, query: &Query, scoring: Scoring) -> Result<Prepared> {
        let faults = Faults::default();
        let compiler = Compiler::new(self, faults.clone());
        let mut compiled = compiler.compile(query, 1.0)?;
        if compiler.has_expanded.get() && self.time_limit.was_noticed() {
            // With a part of its terms it would be another query (under `must_not`, one that finds more).
            compiled = Box::new(EmptyQuery);
        }
        let enabled = match scoring {
            Scoring::Enabled => EnableScoring::enabled_from_searcher(self.searcher()),
            Scoring::Disabled => EnableScoring::disabled_from_searcher(self.searcher()),
        };
        Ok(Prepared::new(compiled.weight(enabled)?, faults))
    }

    fn segment_reader(&self, address: DocAddress) -> Result<&SegmentReader> {
        let reader = self.searcher().segment_readers().get(address.segment_ord as usize);
        reader.ok_or_else(|| Error::internal("a document of another snapshot"))
    }

    /// The field of this name.
    fn field(&self, name: &str) -> Result<Cow<'_, LexicalField>> {
        self.snapshot.fields.find(name).ok_or_else(|| {
            let known: Vec<&str> = self.snapshot.fields.iter().map(|(name, _)| name).collect();
            Error::not_found(format!("is not a searchable field of this index (known: {})", known.join(", ")))
                .in_field(name)
        })
    }

    fn statistics(&self, field: Field) -> Result<&FieldStatistics> {
        self.snapshot.statistics.get(&field).ok_or_else(|| {
            Error::invalid_input("is not indexed; set \"index\": true in the mapping to search it")
                .in_field(self.searcher().schema().get_field_name(field))
        })
    }

    /// In how many documents a term is, deleted ones included.
    fn doc_freq(&self, term: &Term) -> Result<u64> {
        let mut doc_freq = 0;
        for segment in &self.snapshot.segments {
            if let Some(inverted) = segment.inverted.get(&term.field()) {
                doc_freq += u64::from(inverted.doc_freq(term)?);
            }
        }
        Ok(doc_freq)
    }

    /// The documents of a segment that are no nested objects; `None` where all are none.
    pub fn roots(&self, segment_ord: u32) -> Option<&BitSet> {
        self.index().and_then(|index| index.roots(segment_ord))
    }

    fn segment_ords(&self) -> Vec<(SegmentId, u32)> {
        self.searcher().segment_readers().iter().map(SegmentReader::segment_id).zip(0..).collect()
    }

    /// The number in the snapshot of each segment's first document.
    fn doc_bases(&self) -> Vec<(SegmentId, u32)> {
        let mut next = 0_u32;
        let readers = self.searcher().segment_readers().iter();
        let base = |reader: &SegmentReader| {
            let base = next;
            next += reader.max_doc();
            (reader.segment_id(), base)
        };
        readers.map(base).collect()
    }

    /// The BM25 of `true` or `false`, which Elasticsearch keeps as terms without norms: a term that is in every other document says
    /// little.
    fn truth_score(&self, name: &str, field: &LexicalField, term: &Term) -> Result<f32> {
        let (mut doc_freq, mut num_terms, mut doc_count) = (0_u64, 0_u64, 0_u64);
        let column = self.column_name(name, field);
        for reader in self.searcher().segment_readers() {
            let inverted = reader.inverted_index(field.field)?;
            doc_freq += u64::from(inverted.doc_freq(term)?);
            let both = [false, true].map(|truth| inverted.doc_freq(&Term::from_field_bool(field.field, truth)));
            let [no, yes] = both;
            let own_terms = u64::from(no?) + u64::from(yes?);
            num_terms += own_terms;
            doc_count += match reader.fast_fields().column_opt::<bool>(&column)? {
                Some(values) => match &values.index {
                    ColumnIndex::Empty { .. } => 0,
                    ColumnIndex::Full => u64::from(reader.max_doc()),
                    ColumnIndex::Optional(present) => u64::from(present.num_non_nulls()),
                    ColumnIndex::Multivalued(_) => {
                        (0..reader.max_doc()).filter(|&doc| values.first(doc).is_some()).count() as u64
                    }
                },
                None => own_terms,
            };
        }
        let statistics = FieldStatistics::new(doc_count, num_terms, field.bm25());
        let norm_inverse = statistics.norm_inverses[usize::from(bm25::LENGTH_WITHOUT_NORMS)];
        Ok(bm25::score(statistics.weight(1.0, statistics.idf(doc_freq)), norm_inverse, 1.0))
    }

    /// Whether a document of a segment is a whole document, and neither deleted nor filtered out.
    pub(crate) fn accepts<'a>(
        &'a self,
        segment_ord: u32,
        reader: &'a SegmentReader,
        filter: Option<&'a [BitSet]>,
    ) -> Box<dyn Fn(DocId) -> bool + 'a> {
        let passes = self.passes(segment_ord, reader, filter);
        match self.roots(segment_ord) {
            None => passes,
            Some(roots) => Box::new(move |doc| roots.contains(doc) && passes(doc)),
        }
    }

    fn passes<'a>(
        &self,
        segment_ord: u32,
        reader: &'a SegmentReader,
        filter: Option<&'a [BitSet]>,
    ) -> Box<dyn Fn(DocId) -> bool + 'a> {
        let passing = filter.map(|filter| filter.get(segment_ord as usize));
        match (passing, reader.alive_bitset()) {
            (None, None) => Box::new(|_| true),
            (None, Some(alive)) => Box::new(|doc| alive.is_alive(doc)),
            (Some(None), _) => Box::new(|_| false),
            (Some(Some(passing)), None) => Box::new(|doc| doc < passing.max_value() && passing.contains(doc)),
            (Some(Some(passing)), Some(alive)) => {
                Box::new(|doc| doc < passing.max_value() && passing.contains(doc) && alive.is_alive(doc))
            }
        }
    }
}

#[cfg(test)]
mod tests;
