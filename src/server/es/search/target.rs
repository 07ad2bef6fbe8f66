//! One index of a search: its snapshot, its name, and what queries need to be understood there.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::document::DocumentId;
use crate::index::TimeLimit;
use crate::index::fields::IndexField;
use crate::retrieve::Searcher;
use crate::retrieve::query::Query;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::query_dsl::{self, QueryContext, QueryLimits};
use crate::store::shard::Counters;

/// One index of a search.
#[derive(Clone)]
pub(super) struct Target {
    /// The concrete name.
    pub(super) index: String,
    pub(super) uuid: String,
    /// Where searches of the index are counted.
    pub(super) counters: Arc<Counters>,
    /// The documents that the search sees.
    pub(super) searcher: Arc<Searcher>,
    /// The filters of the aliases by which the index was named; any of them.
    pub(super) filters: Vec<Value>,
    /// The aliases by which it was named.
    pub(super) aliases: Vec<String>,
    /// Its number in the search.
    pub(super) shard: u32,
    /// `now`, the same for a whole search.
    pub(super) now_millis: i64,
    /// The hits that the search asks for.
    pub(super) size: usize,
    pub(super) surroundings: Arc<Surroundings>,
}

/// What a search knows of the server around it.
pub(super) struct Surroundings {
    /// How large a query may be.
    pub(super) limits: QueryLimits,
    /// The node's name.
    pub(super) node: String,
    /// Looks up a document's source (index, id).
    pub(super) get: GetSource,
}

/// Looks up a document's source (index, id).
pub(super) type GetSource = Box<dyn Fn(&str, &DocumentId) -> EsResult<Option<Map<String, Value>>> + Send + Sync>;

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("index", &self.index).field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads a query for this index.
    ///
    /// # Errors
    /// Those of [`query_dsl::parse`].
    pub(super) fn parse_query(&self, query: &Value) -> EsResult<Query> {
        self.with_context(|context| query_dsl::parse(query, context))
    }

    /// The same index for one search, which ends when the time is up. Never keep it for a later one.
    pub(super) fn limited(&self, limit: &TimeLimit) -> Self {
        if !limit.applies() {
            return self.clone();
        }
        Self { searcher: Arc::new(self.searcher.with_time_limit(limit.clone())), ..self.clone() }
    }

    /// Calls `work` with what queries need to know of this index.
    pub(super) fn with_context<T>(&self, work: impl FnOnce(&QueryContext<'_>) -> EsResult<T>) -> EsResult<T> {
        let get = &self.surroundings.get;
        let fields = self.searcher.table();
        let mut context = QueryContext::new(&self.index, fields, self.searcher.definition(), self.now_millis, get);
        context.size = self.size;
        context.limits = self.surroundings.limits.of_index(&self.searcher.definition().settings);
        work(&context)
    }

    /// Reads a query whose fields are those of nested objects.
    pub(super) fn parse_nested_query(&self, query: &Value, path: &str) -> EsResult<Query> {
        let wrapped = self.parse_query(&json!({"nested": {"path": path, "query": query}}))?;
        Ok(if let Query::Nested(nested) = wrapped { *nested.query } else { wrapped })
    }

    /// The query with the filters of the aliases. Vector queries in it look for the nearest among what these let through.
    pub(super) fn filtered(&self, mut query: Query) -> EsResult<Query> {
        let Some(filter) = self.alias_filter()? else { return Ok(query) };
        push_into_knn(&mut query, &filter);
        Ok(query.filtered(vec![filter]))
    }

    /// Puts the filters of the aliases into the vector queries of a tree.
    pub(super) fn prefilter(&self, query: &mut Query) -> EsResult<()> {
        if let Some(filter) = self.alias_filter()? {
            push_into_knn(query, &filter);
        }
        Ok(())
    }

    /// What any of the aliases lets through; `None` where everything passes.
    fn alias_filter(&self) -> EsResult<Option<Query>> {
        let mut filters = self.filters.iter().map(|filter| self.parse_query(filter)).collect::<EsResult<Vec<_>>>()?;
        Ok(match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(Query::Bool(crate::retrieve::query::BoolQuery { should: filters, ..Default::default() })),
        })
    }

    /// Whether a pattern of `indices_boost` names this index.
    pub(super) fn is_named(&self, pattern: &str) -> bool {
        crate::schema::source_filter::Pattern::new(pattern).matches(&self.index)
            || self.aliases.iter().any(|alias| alias == pattern)
    }

    /// The mapping's field of this path.
    pub(super) fn field(&self, path: &str) -> Option<&IndexField> {
        self.searcher.field(path)
    }

    /// A limit that the index's settings may change.
    pub(super) fn limit(&self, setting: &str, default: usize) -> usize {
        self.searcher.definition().settings.other(setting).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// `query_shard_exception`: a search that cannot be done on this index.
    pub(super) fn shard_error(&self, reason: impl Into<String>) -> EsError {
        EsError::new(400, "query_shard_exception", reason)
            .with("index_uuid", json!(self.uuid))
            .with("index", json!(self.index))
    }
}

fn push_into_knn(query: &mut Query, filter: &Query) {
    if let Query::Knn(knn) = query {
        if !knn.filter.contains(filter) {
            knn.filter.push(filter.clone());
        }
        return;
    }
    query.children_mut().into_iter().for_each(|child| push_into_knn(child, filter));
}
