//! The query string's parameters of writes, and what follows a write: a refresh.

use std::sync::Arc;

use crate::document::DocumentId;
use crate::server::es::{EsError, EsResult, Params};
use crate::store::Shard;
use crate::store::shard::WriteCondition;

/// Parameters that mean nothing where every write goes to the one shard there is.
const WITHOUT_EFFECT: [&str; 3] = ["timeout", "wait_for_active_shards", "preference"];

/// What is asked of a write beside the document.
#[derive(Debug, Clone)]
pub(in crate::server::es) struct WriteParams {
    pub(in crate::server::es) refresh: Refresh,
    pub(in crate::server::es) routing: Option<String>,
    pub(in crate::server::es) condition: WriteCondition,
    pub(in crate::server::es) is_create: bool,
    pub(in crate::server::es) require_alias: bool,
    has_op_type: bool,
}

impl WriteParams {
    /// Reads them.
    ///
    /// * `op_types`: what `op_type` may be; where it may be nothing the parameter is none.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a value that cannot be, `action_request_validation_exception` for a contradiction.
    pub(in crate::server::es) fn read(params: &Params, op_types: &[&str]) -> EsResult<Self> {
        params.accept(&WITHOUT_EFFECT);
        check_pipeline(params.str("pipeline"))?;
        params.accept(&["include_source_on_error"]);
        let op_type = if op_types.is_empty() { None } else { params.one_of("op_type", op_types)? };
        let version = VersionParams {
            version: params.number("version")?,
            version_type: params.str("version_type"),
            if_seq_no: params.number("if_seq_no")?,
            if_primary_term: params.number("if_primary_term")?,
        };
        let is_create = op_type == Some("create");
        Ok(Self {
            refresh: Refresh::read(params)?,
            routing: params.str("routing").map(str::to_string),
            condition: version.condition(is_create)?,
            is_create,
            require_alias: params.bool_or("require_alias", false)?,
            has_op_type: op_type.is_some(),
        })
    }

    /// The document must not exist.
    ///
    /// # Errors
    /// `action_request_validation_exception` where a condition contradicts that.
    pub(super) fn set_create(&mut self) -> EsResult<()> {
        self.is_create = true;
        check_create(self.condition)
    }

    /// The document gets a new id; it is made, unless the request says otherwise.
    ///
    /// # Errors
    /// `action_request_validation_exception` for a condition on a document that cannot be.
    pub(super) fn check_new_id(&mut self) -> EsResult<()> {
        match self.condition {
            WriteCondition::None => {
                self.is_create |= !self.has_op_type;
                Ok(())
            }
            WriteCondition::SeqNo { .. } => Err(invalid("an id must be provided if version type or value are set")),
            WriteCondition::ExternalVersion(_) | WriteCondition::ExternalVersionOrEqual(_) => {
                Err(invalid("an id must be provided if version type or value are set"))
            }
        }
    }
}

/// The parameters that a condition is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server::es) struct VersionParams<'a> {
    pub(in crate::server::es) version: Option<i64>,
    pub(in crate::server::es) version_type: Option<&'a str>,
    pub(in crate::server::es) if_seq_no: Option<i64>,
    pub(in crate::server::es) if_primary_term: Option<i64>,
}

impl VersionParams<'_> {
    /// The condition.
    ///
    /// # Errors
    /// `illegal_argument_exception` and `action_request_validation_exception`, in Elasticsearch's words.
    pub(in crate::server::es) fn condition(self, is_create: bool) -> EsResult<WriteCondition> {
        let condition = match (self.if_seq_no, self.if_primary_term) {
            (None, None) => self.by_version()?,
            (Some(seq_no), term) => {
                if self.version.is_some() || self.version_type.is_some_and(|kind| kind != "internal") {
                    return Err(invalid("compare and write operations can not use versioning"));
                }
                let seq_no = u64::try_from(seq_no).map_err(|_| {
                    EsError::illegal_argument(format!("sequence numbers must be non negative. got [{seq_no}]."))
                })?;
                match term.map(u64::try_from) {
                    Some(Ok(primary_term)) if primary_term > 0 => WriteCondition::SeqNo { seq_no, primary_term },
                    Some(Err(_)) => {
                        let term = term.unwrap_or_default();
                        return Err(EsError::illegal_argument(format!(
                            "primary term must be non negative. got [{term}]"
                        )));
                    }
                    Some(Ok(_)) | None => return Err(invalid("ifSeqNo is set, but primary term is [0]")),
                }
            }
            (None, Some(term)) => {
                return Err(invalid(&format!("ifSeqNo is unassigned, but primary term is [{term}]")));
            }
        };
        if is_create {
            check_create(condition)?;
        }
        Ok(condition)
    }

    fn by_version(self) -> EsResult<WriteCondition> {
        let version = |kind: &str| match self.version {
            None => Err(invalid(&format!("illegal version value [-3] for version type [{kind}]"))),
            Some(version) => u64::try_from(version)
                .map_err(|_| invalid(&format!("illegal version value [{version}] for version type [{kind}]"))),
        };
        match self.version_type {
            None | Some("internal") => match self.version {
                None => Ok(WriteCondition::None),
                Some(_) => Err(invalid(
                    "internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead",
                )),
            },
            Some("external" | "external_gt") => Ok(WriteCondition::ExternalVersion(version("EXTERNAL")?)),
            Some("external_gte") => Ok(WriteCondition::ExternalVersionOrEqual(version("EXTERNAL_GTE")?)),
            Some(other) => Err(EsError::illegal_argument(format!("No version type match [{other}]"))),
        }
    }
}

fn check_create(condition: WriteCondition) -> EsResult<()> {
    match condition {
        WriteCondition::None => Ok(()),
        WriteCondition::SeqNo { .. } => {
            Err(invalid("create operations do not support compare and set. use index instead"))
        }
        WriteCondition::ExternalVersion(_) | WriteCondition::ExternalVersionOrEqual(_) => {
            Err(invalid("create operations only support internal versioning. use index instead"))
        }
    }
}

/// `action_request_validation_exception` with one fault.
pub(in crate::server::es) fn invalid(fault: &str) -> EsError {
    EsError::new(400, "action_request_validation_exception", format!("Validation Failed: 1: {fault};"))
}

/// Ingest pipelines: there are none.
///
/// # Errors
/// As Elasticsearch answers where the pipeline does not exist.
pub(in crate::server::es) fn check_pipeline(pipeline: Option<&str>) -> EsResult<()> {
    match pipeline {
        None | Some("_none" | "") => Ok(()),
        Some(pipeline) => Err(EsError::illegal_argument(format!(
            "pipeline with id [{pipeline}] does not exist; ingest pipelines are not supported by Bifocal"
        ))),
    }
}

/// Whether an id may be one.
///
/// # Errors
/// `action_request_validation_exception` for one that is too long, `illegal_argument_exception` for an empty one.
pub(in crate::server::es) fn check_id(id: &str) -> EsResult<()> {
    if id.is_empty() {
        return Err(EsError::illegal_argument("if _id is specified it must not be empty"));
    }
    if id.len() > DocumentId::MAX_BYTES {
        return Err(invalid(&format!(
            "id [{id}] is too long, must be no longer than {} bytes but was: {}",
            DocumentId::MAX_BYTES,
            id.len()
        )));
    }
    Ok(())
}

/// What follows a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::server::es) enum Refresh {
    /// Nothing.
    #[default]
    None,
    /// A refresh.
    Now,
    /// The answer waits for the next refresh.
    Wait,
}

impl Refresh {
    /// Reads the parameter `refresh`.
    ///
    /// # Errors
    /// `illegal_argument_exception` for another value.
    pub(in crate::server::es) fn read(params: &Params) -> EsResult<Self> {
        match params.str("refresh") {
            None | Some("false") => Ok(Refresh::None),
            Some("" | "true") => Ok(Refresh::Now),
            Some("wait_for") => Ok(Refresh::Wait),
            Some(other) => Err(EsError::illegal_argument(format!("Unknown value for refresh: [{other}]."))),
        }
    }
}

/// A refresh that an answer waits for.
#[derive(Debug)]
#[must_use = "the answer must wait for it"]
pub(in crate::server::es) struct Refreshing(Vec<tokio::sync::oneshot::Receiver<bool>>);

impl Refreshing {
    /// Nothing to wait for.
    pub(in crate::server::es) fn none() -> Self {
        Self(Vec::new())
    }

    /// Does, or begins, what a write asks for. It may block: call it where the write was done.
    ///
    /// * `seq_no`: of the last write; `None` where nothing was written.
    ///
    /// # Errors
    /// What the refresh says.
    pub(in crate::server::es) fn begin(shard: &Arc<Shard>, refresh: Refresh, seq_no: Option<u64>) -> EsResult<Self> {
        let mut all = Self::none();
        all.add(shard, refresh, seq_no)?;
        Ok(all)
    }

    /// As [`Refreshing::begin`], for one more shard.
    ///
    /// # Errors
    /// What the refresh says.
    pub(in crate::server::es) fn add(
        &mut self,
        shard: &Arc<Shard>,
        refresh: Refresh,
        seq_no: Option<u64>,
    ) -> EsResult<()> {
        match (refresh, seq_no) {
            (Refresh::None, _) | (Refresh::Wait, None) => {}
            (Refresh::Now, _) => shard.refresh()?,
            (Refresh::Wait, Some(seq_no)) => {
                let (done, is_done) = tokio::sync::oneshot::channel();
                shard.when_visible(seq_no, move |visible| {
                    let _ = done.send(visible);
                });
                self.0.push(is_done);
            }
        }
        Ok(())
    }

    /// Waits until what was written is visible, or the index is gone.
    pub(in crate::server::es) async fn finish(self) {
        for waiting in self.0 {
            let _ = waiting.await;
        }
    }
}
