//! `_reindex`: documents of some indices written to another.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Map, Value};

use super::read::{ByQuery, Conflicts, check_batch, max_docs};
use super::work::{self, Outcome};
use crate::server::es::documents::{SourceFilter, check_pipeline, invalid};
use crate::server::es::search::body::parse_slice;
use crate::server::es::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;
use crate::store::shard::{WriteAction, WriteCondition, WriteOp};

/// A request, read.
#[derive(Debug, Clone)]
struct Reindex {
    request: ByQuery,
    /// Names and wildcards, between commas.
    from: String,
    filter: SourceFilter,
    to: String,
    is_create: bool,
    versions: Versions,
    routing: Routing,
    require_alias: bool,
}

/// Which version a copy gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// The next of what it replaces.
    Internal,
    /// That of the original, if it is greater than that of what it replaces.
    External,
    /// That of the original, if it is at least that of what it replaces.
    ExternalOrEqual,
}

/// Which routing a copy gets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Routing {
    Keep,
    Discard,
    Set(String),
}

pub(super) async fn reindex(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    let request = ByQuery::common(&params)?;
    let require_alias = params.bool_or("require_alias", false)?;
    params.accept(&["timeout"]);
    params.finish()?;
    let mut read = Reindex {
        request,
        from: String::new(),
        filter: SourceFilter::default(),
        to: String::new(),
        is_create: false,
        versions: Versions::Internal,
        routing: Routing::Keep,
        require_alias,
    };
    read.read(body.required_object()?)?;
    let worker = app.clone();
    app.write(move || run(&worker, &read)).await
}

impl Reindex {
    fn read(&mut self, body: Map<String, Value>) -> EsResult<()> {
        for (name, value) in body {
            match (name.as_str(), value) {
                ("source", Value::Object(source)) => self.read_source(source)?,
                ("dest", Value::Object(dest)) => self.read_dest(dest)?,
                ("conflicts", value) => self.request.conflicts = Conflicts::read(value.as_str().unwrap_or_default())?,
                ("max_docs" | "size", value) => self.request.set_max_docs(max_docs(&value)?)?,
                ("script", _) => return Err(EsError::unsupported("[script] of a reindex")),
                (other, _) => return Err(EsError::parsing(format!("[reindex] unknown field [{other}]"))),
            }
        }
        if self.from.is_empty() {
            return Err(invalid("use _all if you really want to copy from all existing indexes"));
        }
        if self.to.is_empty() {
            return Err(invalid("index is missing"));
        }
        if self.is_create && self.versions != Versions::Internal {
            return Err(invalid("create operations only support internal versioning. use index instead"));
        }
        Ok(())
    }

    fn read_source(&mut self, source: Map<String, Value>) -> EsResult<()> {
        for (name, value) in source {
            match (name.as_str(), value) {
                ("index", Value::String(index)) => self.from = index,
                ("index", Value::Array(indices)) => {
                    let names: Vec<&str> = indices.iter().filter_map(Value::as_str).collect();
                    self.from = names.join(",");
                }
                ("query", query) => self.request.query = Some(query),
                ("_source", value) => {
                    self.filter = SourceFilter::from_value(&value)?;
                    if !self.filter.is_wanted {
                        return Err(EsError::illegal_argument("[_source] of a reindex can not be disabled"));
                    }
                }
                ("size", value) => {
                    let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
                    self.request.batch = check_batch(size)?;
                }
                ("slice", value) => self.request.slice = Some(parse_slice(&value)?),
                ("remote", _) => return Err(EsError::unsupported("[remote] of a reindex")),
                (other, _) => return Err(EsError::unsupported(format!("[source.{other}] of a reindex"))),
            }
        }
        Ok(())
    }

    fn read_dest(&mut self, dest: Map<String, Value>) -> EsResult<()> {
        for (name, value) in dest {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "index" => self.to = text.to_string(),
                "op_type" => match text {
                    "create" => self.is_create = true,
                    "index" => {}
                    other => {
                        let text = format!("opType must be 'create' or 'index', found: [{other}]");
                        return Err(EsError::illegal_argument(text));
                    }
                },
                "version_type" => match text {
                    "internal" => self.versions = Versions::Internal,
                    "external" | "external_gt" => self.versions = Versions::External,
                    "external_gte" => self.versions = Versions::ExternalOrEqual,
                    other => return Err(EsError::illegal_argument(format!("No version type match [{other}]"))),
                },
                "routing" => {
                    self.routing = match text {
                        "keep" => Routing::Keep,
                        "discard" => Routing::Discard,
                        other => match other.strip_prefix('=') {
                            Some(routing) => Routing::Set(routing.to_string()),
                            None => return Err(invalid(&format!("Unsupported routing value [{other}]"))),
                        },
                    };
                }
                "pipeline" => check_pipeline(Some(text))?,
                other => return Err(EsError::parsing(format!("[dest] unknown field [{other}]"))),
            }
        }
        Ok(())
    }

    fn condition(&self, version: u64) -> WriteCondition {
        match self.versions {
            Versions::Internal => WriteCondition::None,
            Versions::External => WriteCondition::ExternalVersion(version),
            Versions::ExternalOrEqual => WriteCondition::ExternalVersionOrEqual(version),
        }
    }
}

fn run(app: &AppState, read: &Reindex) -> EsResult<EsResponse> {
    let mut outcome = Outcome::default();
    let options = IndicesOptions { allow_no_indices: false, is_about_documents: true, ..IndicesOptions::default() };
    let sources = app.catalog.resolve(&read.from, options)?;
    // The source is looked at first: a target that is made must not be found by the source's wildcard.
    let existing = app.catalog.write_target_existing(&read.to).ok();
    if let Some(same) = existing.filter(|to| sources.iter().any(|from| from.index.uuid() == to.index.uuid())) {
        return Err(invalid(&format!("reindex cannot write into an index its reading from [{}]", same.index.name())));
    }
    let target = app.catalog.write_target(&read.to, read.require_alias)?.index;
    let shard = target.shard_to_write()?;
    let mut left = read.request.max_docs.unwrap_or(u64::MAX);
    for source in &sources {
        let found = work::find(app, source, &read.request.query, read.request.slice)?;
        outcome.total += found.len().min(left);
        let mut documents = found.iter();
        while left > 0 && !outcome.is_stopped() {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(read.request.batch);
            let batch: Vec<_> = documents.by_ref().take(size).collect::<crate::Result<_>>()?;
            if batch.is_empty() {
                break;
            }
            left -= batch.len() as u64;
            outcome.batches += 1;
            let mut ids = Vec::with_capacity(batch.len());
            let mut ops = Vec::with_capacity(batch.len());
            for document in batch {
                let copy = read.filter.apply(&document.source()?);
                let routing = match &read.routing {
                    Routing::Keep => document.routing.clone(),
                    Routing::Discard => None,
                    Routing::Set(routing) => Some(routing.clone()),
                };
                let action = if read.is_create { WriteAction::Create(copy) } else { WriteAction::Index(copy) };
                let condition = read.condition(document.version);
                ids.push(document.id.clone());
                ops.push(WriteOp { id: Some(document.id.clone()), action, routing, condition });
            }
            for (id, done) in ids.iter().zip(shard.write(ops)) {
                outcome.count(&target, id, done, read.request.conflicts);
            }
        }
    }
    if read.request.refresh {
        shard.refresh()?;
    }
    Ok(outcome.answer(&["updated", "created", "deleted"]))
}
