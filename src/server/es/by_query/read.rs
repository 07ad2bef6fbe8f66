//! What a request by query says.

use serde_json::{Map, Value, json};

use crate::retrieve::collect::Slice;
use crate::server::es::documents::invalid;
use crate::server::es::search::body::parse_slice;
use crate::server::es::targets::read_options;
use crate::server::es::{Body, EsError, EsResult, Params};
use crate::store::catalog::IndicesOptions;

/// Documents that are written at once, where the request does not say.
const BATCH: usize = 1000;
/// The most that a request may ask for at once (`index.max_result_window`).
const MAX_BATCH: usize = 10_000;

/// A request, read.
#[derive(Debug, Clone)]
pub(super) struct ByQuery {
    /// As the body has it; `None` is everything.
    pub(super) query: Option<Value>,
    pub(super) conflicts: Conflicts,
    pub(super) max_docs: Option<u64>,
    pub(super) batch: usize,
    pub(super) refresh: bool,
    pub(super) slice: Option<Slice>,
    pub(super) options: IndicesOptions,
}

/// What a conflict does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Conflicts {
    /// It ends the request.
    #[default]
    Abort,
    /// It is counted.
    Proceed,
}

impl Conflicts {
    pub(super) fn read(text: &str) -> EsResult<Self> {
        match text {
            "abort" => Ok(Conflicts::Abort),
            "proceed" => Ok(Conflicts::Proceed),
            other => {
                let text = format!("conflicts may only be \"proceed\" or \"abort\" but was [{other}]");
                Err(EsError::illegal_argument(text))
            }
        }
    }
}

impl ByQuery {
    /// Reads parameters and body.
    ///
    /// # Errors
    /// `illegal_argument_exception` and `parsing_exception` naming what is wrong or not supported.
    pub(super) fn read(params: &Params, body: &Body) -> EsResult<Self> {
        let mut read = Self::common(params)?;
        read.options = read_options(params, read.options)?;
        params.accept(&[
            "routing",
            "preference",
            "search_type",
            "search_timeout",
            "stats",
            "request_cache",
            "version",
            "timeout",
            "terminate_after",
            "allow_partial_search_results",
        ]);
        if let Some(batch) = params.number("scroll_size")? {
            read.batch = check_batch(batch)?;
        }
        if let Some(conflicts) = params.str("conflicts") {
            read.conflicts = Conflicts::read(conflicts)?;
        }
        let query_string = query_string(params)?;
        for unsupported in ["sort", "from", "_source", "_source_includes", "_source_excludes"] {
            if params.str(unsupported).is_some() {
                return Err(EsError::unsupported(format!("[{unsupported}] of a request by query")));
            }
        }
        params.finish()?;
        for (name, value) in body.object()?.unwrap_or_default() {
            match name.as_str() {
                "query" => read.query = Some(value),
                "conflicts" => read.conflicts = Conflicts::read(value.as_str().unwrap_or_default())?,
                "max_docs" => read.set_max_docs(max_docs(&value)?)?,
                "slice" => read.slice = Some(parse_slice(&value)?),
                "script" => return Err(EsError::unsupported("[script] of a request by query")),
                other => return Err(EsError::parsing(format!("unknown key [{other}] of a request by query"))),
            }
        }
        if query_string.is_some() {
            read.query = query_string;
        }
        Ok(read)
    }

    /// The parameters that `_reindex` shares.
    pub(super) fn common(params: &Params) -> EsResult<Self> {
        if !params.bool_or("wait_for_completion", true)? {
            return Err(EsError::unsupported("[wait_for_completion=false]: there are no tasks;"));
        }
        params.accept(&["scroll", "wait_for_active_shards"]);
        let slices = slices(params.str("slices"))?;
        match params.str("requests_per_second").map(str::parse::<f64>) {
            None | Some(Ok(-1.0)) => {}
            Some(Ok(rate)) if rate > 0.0 => return Err(EsError::unsupported("[requests_per_second]")),
            Some(_) => {
                return Err(EsError::illegal_argument(
                    "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.",
                ));
            }
        }
        let max_docs = match params.number::<i64>("max_docs")? {
            None => None,
            Some(number) => Some(max_docs(&json!(number))?),
        };
        if max_docs.is_some_and(|most| most < slices) {
            return Err(invalid("[max_docs] should be >= [slices]"));
        }
        Ok(Self {
            query: None,
            conflicts: Conflicts::default(),
            max_docs,
            batch: BATCH,
            refresh: params.bool_or("refresh", false)?,
            slice: None,
            options: IndicesOptions { is_about_documents: true, ..IndicesOptions::default() },
        })
    }

    /// The path and the body may both say it, and the same.
    pub(super) fn set_max_docs(&mut self, number: u64) -> EsResult<()> {
        match self.max_docs {
            Some(known) if known != number => Err(EsError::illegal_argument(format!(
                "[max_docs] set to two different values [{known}] and [{number}]"
            ))),
            Some(_) | None => {
                self.max_docs = Some(number);
                Ok(())
            }
        }
    }

    /// A deletion must say what it deletes.
    ///
    /// # Errors
    /// `action_request_validation_exception` where it does not.
    pub(super) fn require_query(&self) -> EsResult<()> {
        if self.query.is_some() { Ok(()) } else { Err(invalid("query is missing")) }
    }
}

/// One machine works in one go: the number is only checked.
fn slices(text: Option<&str>) -> EsResult<u64> {
    match text {
        None | Some("auto") => Ok(1),
        Some(text) => text
            .parse()
            .ok()
            .filter(|slices| *slices > 0)
            .ok_or_else(|| EsError::illegal_argument("[slices] must be a positive integer or the string \"auto\"")),
    }
}

/// `q` with what goes with it.
fn query_string(params: &Params) -> EsResult<Option<Value>> {
    let Some(text) = params.str("q") else {
        params.accept(&["df", "analyzer", "default_operator", "lenient", "analyze_wildcard"]);
        return Ok(None);
    };
    let mut query = Map::from_iter([("query".to_string(), json!(text))]);
    for (name, key) in [("df", "default_field"), ("analyzer", "analyzer"), ("default_operator", "default_operator")] {
        if let Some(value) = params.str(name) {
            query.insert(key.to_string(), json!(value));
        }
    }
    for name in ["lenient", "analyze_wildcard"] {
        if let Some(value) = params.bool(name)? {
            query.insert(name.to_string(), json!(value));
        }
    }
    Ok(Some(json!({"query_string": query})))
}

pub(super) fn max_docs(value: &Value) -> EsResult<u64> {
    let number = value.as_i64().unwrap_or(0);
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ if number == -1 => Ok(u64::MAX),
        Err(_) => Err(EsError::illegal_argument(format!("[max_docs] parameter cannot be negative, found [{number}]"))),
        _ => Err(EsError::illegal_argument(format!("[max_docs] parameter should be greater than 0, got [{value}]"))),
    }
}

pub(super) fn check_batch(batch: usize) -> EsResult<usize> {
    if (1..=MAX_BATCH).contains(&batch) {
        return Ok(batch);
    }
    Err(EsError::illegal_argument(format!("a batch must have 1 to {MAX_BATCH} documents, got [{batch}]")))
}
