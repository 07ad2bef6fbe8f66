//! What a request may ask for, in one place.

use std::time::Duration;

/// The limits of a server. The defaults are Elasticsearch's where it has the same limit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one body, after decompression; more is refused with status 413 (`http.max_content_length`).
    pub max_body_bytes: usize,
    /// Bytes of all bodies that are held at once; more is refused with status 429 (`circuit_breaking_exception`).
    pub max_in_flight_bytes: usize,
    /// Bytes of a request's path and parameters (`http.max_initial_line_length`, but larger).
    pub max_uri_bytes: usize,
    /// Bytes of a request's headers (`http.max_header_size`).
    pub max_header_bytes: usize,
    /// How long a client may take to send a request's headers, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long a client may send nothing in the middle of a body, or take nothing of an answer.
    pub body_timeout: Duration,
    /// Levels of a query inside queries (`indices.query.bool.max_nested_depth`).
    pub max_query_depth: usize,
    /// Clauses of a request's queries, terms that a pattern expands to included (`indices.query.bool.max_clause_count`).
    pub max_clause_count: usize,
    /// Terms of one `terms` query (`index.max_terms_count`).
    pub max_terms_count: usize,
    /// `from` + `size` (`index.max_result_window`).
    pub max_result_window: usize,
    /// Buckets of one answer (`search.max_buckets`).
    pub max_buckets: usize,
    /// Searches that run at once.
    pub max_concurrent_searches: usize,
    /// Searches that may wait for one of those to end; more are refused with status 429.
    pub max_queued_searches: usize,
    /// How long a search may take when it does not say; `None` has no limit (`search.default_search_timeout`).
    pub default_search_timeout: Option<Duration>,
    /// Open scrolls and points in time together (`search.max_open_scroll_context`).
    pub max_open_contexts: usize,
    /// The longest life of a scroll or point in time between two requests (`search.max_keep_alive`).
    pub max_keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self {
            max_body_bytes: 100 << 20,
            max_in_flight_bytes: 400 << 20,
            max_uri_bytes: 16 << 10,
            max_header_bytes: 64 << 10,
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            max_query_depth: 30,
            max_clause_count: 16_384,
            max_terms_count: 65_536,
            max_result_window: 10_000,
            max_buckets: 65_536,
            // Elasticsearch's size of its search threads.
            max_concurrent_searches: cores * 3 / 2 + 1,
            max_queued_searches: 1_000,
            default_search_timeout: None,
            max_open_contexts: 500,
            max_keep_alive: Duration::from_secs(24 * 60 * 60),
        }
    }
}
