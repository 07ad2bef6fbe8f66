//! What a query may need to know to be understood on one index.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::document::DocumentId;
use crate::index::lexical::FieldTable;
use crate::schema::{IndexDefinition, Settings};
use crate::server::es::error::{EsError, EsResult};

/// How large a query may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// The most leaves (`indices.query.bool.max_clause_count`).
    pub max_clause_count: usize,
    /// The most queries inside one another (`indices.query.bool.max_nested_depth`).
    pub max_nested_depth: usize,
    /// The most values of a `terms` query (`index.max_terms_count`).
    pub max_terms_count: usize,
    /// The most characters of a regular expression (`index.max_regex_length`).
    pub max_regex_length: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { max_clause_count: 4096, max_nested_depth: 30, max_terms_count: 65_536, max_regex_length: 1000 }
    }
}

impl QueryLimits {
    /// The limits of one index, whose settings may change some.
    #[must_use]
    pub fn of_index(self, settings: &Settings) -> Self {
        let of = |name, limit| settings.other(name).and_then(|text| text.parse().ok()).unwrap_or(limit);
        Self {
            max_terms_count: of("max_terms_count", self.max_terms_count),
            max_regex_length: of("max_regex_length", self.max_regex_length),
            ..self
        }
    }
}

/// Looks up the source of a document by index and id.
pub type SourceOf<'a> = &'a dyn Fn(&str, &DocumentId) -> EsResult<Option<Map<String, Value>>>;

/// What a query may need to know to be understood on one index. Made for one request.
pub struct QueryContext<'a> {
    /// The index's concrete name.
    pub index: &'a str,
    /// The fields that queries may name.
    pub fields: &'a FieldTable,
    /// The mapping.
    pub definition: &'a IndexDefinition,
    /// `now` of date math, in milliseconds since 1970.
    pub now_millis: i64,
    /// Looks up a document's source (index, id), for `terms` lookups and `more_like_this`.
    pub get: SourceOf<'a>,
    /// The hits that the request asks for: what a `knn` query without `k` finds.
    pub size: usize,
    /// How large a query may be.
    pub limits: QueryLimits,
    /// The nested object whose documents the query is about, while one is read.
    nested_path: Cell<Option<String>>,
    depth: Cell<usize>,
}

impl std::fmt::Debug for QueryContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryContext").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<'a> QueryContext<'a> {
    /// A request for ten hits with the usual limits.
    pub fn new(
        index: &'a str,
        fields: &'a FieldTable,
        definition: &'a IndexDefinition,
        now_millis: i64,
        get: SourceOf<'a>,
    ) -> Self {
        Self {
            index,
            fields,
            definition,
            now_millis,
            get,
            size: 10,
            limits: QueryLimits::default(),
            nested_path: Cell::new(None),
            depth: Cell::new(0),
        }
    }

    /// Goes one level deeper until the answer is dropped.
    pub(super) fn enter(&self) -> EsResult<Level<'_>> {
        let depth = self.depth.get() + 1;
        if depth > self.limits.max_nested_depth {
            return Err(EsError::illegal_argument(format!(
                "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth] ({})",
                self.limits.max_nested_depth
            )));
        }
        self.depth.set(depth);
        Ok(Level { depth: &self.depth })
    }

    /// The nested object whose documents the query that is being read is about.
    pub(super) fn nested_path(&self) -> Option<String> {
        let path = self.nested_path.take();
        self.nested_path.set(path.clone());
        path
    }

    /// Reads `work` about the documents of a nested object.
    pub(super) fn inside<T>(&self, path: &str, work: impl FnOnce() -> T) -> T {
        let around = self.nested_path.replace(Some(path.to_string()));
        let done = work();
        self.nested_path.set(around);
        done
    }

    /// A query that does not fit this index.
    pub(super) fn shard_error(&self, reason: impl Into<String>) -> EsError {
        EsError::new(400, "query_shard_exception", reason).with("index", Value::from(self.index))
    }
}

/// A level of queries inside one another.
#[derive(Debug)]
pub(super) struct Level<'c> {
    depth: &'c Cell<usize>,
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}
