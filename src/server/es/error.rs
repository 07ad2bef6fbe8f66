//! Elasticsearch's errors: `{"error": {"root_cause": [..], "type": .., "reason": ..}, "status": ..}`.

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Exception};
use crate::store::blocks::Block;
use crate::store::catalog::CatalogError;

/// An error as Elasticsearch says it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct EsError {
    /// The HTTP status.
    pub status: u16,
    /// Elasticsearch's name of the error (`parsing_exception`).
    pub kind: String,
    /// What was wrong, where, and what to do.
    pub reason: String,
    /// More members beside `type` and `reason` (`index`, `line`, `col`, `resource.id`).
    pub metadata: Box<Map<String, Value>>,
    /// What lies behind it.
    pub cause: Option<Box<EsError>>,
}

/// The result of a handler.
pub type EsResult<T> = std::result::Result<T, EsError>;

impl EsError {
    /// An error of any type.
    pub fn new(status: u16, kind: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { status, kind: kind.into(), reason: reason.into(), metadata: Box::default(), cause: None }
    }

    /// A body that is no query, aggregation or request.
    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    /// A value out of range, an unknown parameter.
    pub fn illegal_argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// A part of Elasticsearch that this engine does not have; `what` names it.
    pub fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::illegal_argument(format!("{what} is not supported by Bifocal"))
    }

    /// No index of this name.
    pub fn index_not_found(index: &str) -> Self {
        Self::new(404, "index_not_found_exception", format!("no such index [{index}]"))
            .with("resource.type", json!("index_or_alias"))
            .with("resource.id", json!(index))
            .with("index_uuid", json!("_na_"))
            .with("index", json!(index))
    }

    /// Adds a member beside `type` and `reason`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.metadata.insert(name.to_string(), value);
        self
    }

    /// Puts what lies behind it.
    #[must_use]
    pub fn caused_by(mut self, cause: EsError) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// The inner object, `{"type": .., "reason": .., ..}`: also an item's `error` in `_bulk`.
    pub fn to_object(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".to_string(), json!(self.kind));
        object.insert("reason".to_string(), json!(self.reason));
        object.extend((*self.metadata).clone());
        if let Some(cause) = &self.cause {
            object.insert("caused_by".to_string(), cause.to_object());
        }
        Value::Object(object)
    }

    /// The whole body.
    pub fn to_body(&self) -> Value {
        let mut error = Map::new();
        let mut root = self;
        let is_wrapped = |error: &EsError, cause: &EsError| {
            error.kind == "search_phase_execution_exception"
                || (error.kind == "mapper_parsing_exception" && cause.kind == error.kind)
        };
        while let Some(cause) = root.cause.as_deref().filter(|cause| is_wrapped(root, cause)) {
            root = cause;
        }
        let mut root = root.to_object();
        if let Some(root) = root.as_object_mut() {
            root.remove("caused_by");
        }
        error.insert("root_cause".to_string(), json!([root]));
        if let Value::Object(own) = self.to_object() {
            error.extend(own);
        }
        json!({"error": error, "status": self.status})
    }
}

impl From<CatalogError> for EsError {
    fn from(error: CatalogError) -> Self {
        let reason = error.to_string();
        match error {
            CatalogError::NotFound(index) => Self::index_not_found(&index),
            CatalogError::NotAnAlias(index) => Self { reason, ..Self::index_not_found(&index) },
            CatalogError::AliasNotFound(aliases) => Self::new(404, "aliases_not_found_exception", reason)
                .with("resource.type", json!("aliases"))
                .with("resource.id", json!(aliases.join(","))),
            CatalogError::Exists { index, uuid } => Self::new(400, "resource_already_exists_exception", reason)
                .with("index_uuid", json!(uuid))
                .with("index", json!(index)),
            CatalogError::InvalidName { name, .. } => Self::new(400, "invalid_index_name_exception", reason)
                .with("index_uuid", json!("_na_"))
                .with("index", json!(name)),
            CatalogError::InvalidAlias { .. } => Self::new(400, "invalid_alias_name_exception", reason),
            CatalogError::Invalid(_) => Self::illegal_argument(reason),
            CatalogError::Closed { index, uuid } => Self::new(400, "index_closed_exception", reason)
                .with("index_uuid", json!(uuid))
                .with("index", json!(index)),
            CatalogError::Blocked { index, uuid, blocks } => {
                let status = if blocks.contains(&Block::ReadOnlyAllowDelete) { 429 } else { 403 };
                Self::new(status, "cluster_block_exception", reason)
                    .with("index_uuid", json!(uuid))
                    .with("index", json!(index))
            }
            CatalogError::Unavailable { index, .. } => {
                Self::new(503, "no_shard_available_action_exception", reason).with("index", json!(index))
            }
            CatalogError::Other(error) => error.into(),
        }
    }
}

impl From<Error> for EsError {
    fn from(error: Error) -> Self {
        let (status, kind) = match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidPlan | ErrorKind::Unsupported | ErrorKind::ModelMismatch => {
                (400, "illegal_argument_exception")
            }
            ErrorKind::NotFound => (404, "resource_not_found_exception"),
            ErrorKind::Conflict => (400, "illegal_argument_exception"),
            ErrorKind::Busy => (429, "es_rejected_execution_exception"),
            // The client is told which model and why; the texts of the others are for the log (`server::front`).
            ErrorKind::Model => (500, "inference_exception"),
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Interrupted | ErrorKind::Internal => (500, "exception"),
        };
        match error.exception() {
            Some(exception) => Self::from_exception(status, exception),
            None => Self::new(status, kind, error.to_string()),
        }
    }
}

impl EsError {
    fn from_exception(status: u16, exception: &Exception) -> Self {
        let error = Self::new(status, exception.kind, exception.reason.clone());
        match &exception.caused_by {
            Some(cause) => error.caused_by(Self::from_exception(status, cause)),
            None => error,
        }
    }
}
