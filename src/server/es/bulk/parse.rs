//! The lines of a `_bulk` body: an action, and for most actions a source after it.
//!
//! In: bytes, in pieces of any size. Out: [`BulkOp`]s. Sources stay bytes here: a malformed source is a fault of its item, a malformed
//! action line one of the whole request. Errors are Elasticsearch's.
#![warn(clippy::indexing_slicing)]

use serde_json::{Map, Value};

use crate::server::es::documents::{self, SourceFilter, VersionParams};
use crate::server::es::{EsError, EsResult};
use crate::store::shard::WriteCondition;

/// What the request says for all of its items.
#[derive(Debug, Clone, Default)]
pub struct BulkDefaults {
    /// The index of items that name none.
    pub index: Option<String>,
    /// The routing of items that have none.
    pub routing: Option<String>,
    /// Whether targets must be aliases.
    pub require_alias: bool,
    /// What of the new source an update answers.
    pub(in crate::server::es) source: Option<SourceFilter>,
}

/// What an item does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkKind {
    /// Adds or replaces.
    Index,
    /// Adds.
    Create,
    /// Changes a part.
    Update,
    /// Removes.
    Delete,
}

impl BulkKind {
    /// As the action line and the answer name it.
    pub fn name(self) -> &'static str {
        match self {
            BulkKind::Index => "index",
            BulkKind::Create => "create",
            BulkKind::Update => "update",
            BulkKind::Delete => "delete",
        }
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOp {
    /// What it does.
    pub kind: BulkKind,
    /// The index or alias.
    pub index: String,
    /// The document; `None` for a new one.
    pub id: Option<String>,
    /// Its routing.
    pub routing: Option<String>,
    /// What must hold.
    pub condition: WriteCondition,
    /// Whether the target must be an alias.
    pub require_alias: bool,
    /// How often an update begins again.
    pub retry_on_conflict: u32,
    /// The source, as it was sent; empty for a deletion.
    pub source: Vec<u8>,
    /// What of the new source an update answers.
    pub(in crate::server::es) returned: Option<SourceFilter>,
}

/// Reads the lines of a body as it arrives.
#[derive(Debug)]
pub struct BulkParser {
    defaults: BulkDefaults,
    /// What came after the last line's end.
    rest: Vec<u8>,
    /// The number of the line that comes next, from 1.
    line: u64,
    /// An action whose source comes next.
    pending: Option<BulkOp>,
    ops: Vec<BulkOp>,
    num_bytes: usize,
    any: bool,
    any_bytes: bool,
    /// Only looks whether the lines can be read, and keeps none.
    only_checks: bool,
}

impl BulkParser {
    /// A parser at the beginning of a body.
    pub fn new(defaults: BulkDefaults) -> Self {
        Self {
            defaults,
            rest: Vec::new(),
            line: 1,
            pending: None,
            ops: Vec::new(),
            num_bytes: 0,
            any: false,
            any_bytes: false,
            only_checks: false,
        }
    }

    /// One that only says whether a body can be read: it gives no items.
    pub fn checking(defaults: BulkDefaults) -> Self {
        Self { only_checks: true, ..Self::new(defaults) }
    }

    /// Reads the lines that end in `bytes`.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the line, `x_content_parse_exception` for an action line that is no JSON,
    /// `action_request_validation_exception` for an item without what it needs.
    pub fn push(&mut self, bytes: &[u8]) -> EsResult<()> {
        self.any_bytes |= !bytes.is_empty();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
        }
        self.rest.extend_from_slice(rest);
        Ok(())
    }

    /// The body is at its end.
    ///
    /// # Errors
    /// `illegal_argument_exception` when the last line does not end, `action_request_validation_exception` when an action lacks its
    /// source or there was no action at all.
    pub fn finish(&mut self) -> EsResult<()> {
        if !self.any_bytes {
            return Err(EsError::new(400, "parse_exception", "request body is required"));
        }
        if !self.rest.is_empty() {
            return Err(EsError::illegal_argument("The bulk request must be terminated by a newline [\\n]"));
        }
        if let Some(op) = &self.pending {
            let text =
                format!("the action [{}] on line [{}] has no source", op.kind.name(), self.line.saturating_sub(1));
            return Err(documents::invalid(&text));
        }
        if !self.any {
            return Err(documents::invalid("no requests added"));
        }
        Ok(())
    }

    /// The items that are whole.
    pub fn take(&mut self) -> Vec<BulkOp> {
        self.num_bytes = 0;
        std::mem::take(&mut self.ops)
    }

    /// The size of the sources of the items that are whole.
    pub fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    /// The size of the line that has not ended.
    pub fn num_rest_bytes(&self) -> usize {
        self.rest.len()
    }

    fn line(&mut self, line: &[u8]) -> EsResult<()> {
        let number = self.line;
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(mut op) = self.pending.take() {
            if self.only_checks {
                return Ok(());
            }
            self.num_bytes += line.len();
            op.source = line.to_vec();
            self.ops.push(op);
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let op = self.action(line, number)?;
        self.any = true;
        if op.kind == BulkKind::Delete {
            if !self.only_checks {
                self.num_bytes += 64;
                self.ops.push(op);
            }
        } else {
            self.pending = Some(op);
        }
        Ok(())
    }

    fn action(&self, line: &[u8], number: u64) -> EsResult<BulkOp> {
        let malformed = |expected: &str, found: &str| {
            let text = format!("Malformed action/metadata line [{number}], expected {expected} but found [{found}]");
            EsError::illegal_argument(text)
        };
        let value = super::super::request::parse_json(line)?;
        let Value::Object(action) = value else { return Err(malformed("START_OBJECT", token(&value))) };
        let mut parts = action.into_iter();
        let Some((name, meta)) = parts.next() else { return Err(malformed("FIELD_NAME", "END_OBJECT")) };
        if parts.next().is_some() {
            return Err(malformed("END_OBJECT", "FIELD_NAME"));
        }
        let kind = match name.as_str() {
            "index" => BulkKind::Index,
            "create" => BulkKind::Create,
            "update" => BulkKind::Update,
            "delete" => BulkKind::Delete,
            other => {
                let text = format!(
                    "Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] but found [{other}]"
                );
                return Err(EsError::illegal_argument(text));
            }
        };
        let Value::Object(meta) = meta else { return Err(malformed("START_OBJECT", token(&meta))) };
        self.item(kind, meta, number)
    }

    fn item(&self, mut kind: BulkKind, meta: Map<String, Value>, number: u64) -> EsResult<BulkOp> {
        let mut index = self.defaults.index.clone();
        let mut id = None;
        let mut routing = self.defaults.routing.clone();
        let mut require_alias = self.defaults.require_alias;
        let mut retry_on_conflict = 0;
        let mut returned = self.defaults.source.clone();
        let mut version_type = None;
        let mut version = VersionParams::default();
        for (name, value) in meta {
            let whole = || {
                whole_number(&value).ok_or_else(|| {
                    EsError::illegal_argument(format!(
                        "Malformed action/metadata line [{number}], expected a whole number for field [{name}] but found [{value}]"
                    ))
                })
            };
            match (name.as_str(), &value) {
                ("_source", value) => {
                    returned = Some(SourceFilter::from_value(value)?).filter(|filter| filter.is_wanted)
                }
                (_, Value::Object(_) | Value::Array(_)) if name != "dynamic_templates" => {
                    return Err(EsError::illegal_argument(format!(
                        "Malformed action/metadata line [{number}], expected a simple value for field [{name}] but found [{}]",
                        token(&value)
                    )));
                }
                ("_index", value) => index = text(value),
                ("_id", value) => id = text(value),
                ("routing" | "_routing", value) => routing = text(value),
                ("require_alias", value) => require_alias = value.as_bool() == Some(true) || value == "true",
                ("op_type", value) => match (kind, value.as_str()) {
                    (BulkKind::Index | BulkKind::Create, Some("create")) => kind = BulkKind::Create,
                    (BulkKind::Index, Some("index")) => {}
                    _ => {
                        return Err(EsError::illegal_argument(format!(
                            "opType must be 'create' or 'index', found: [{value}]"
                        )));
                    }
                },
                ("version" | "_version", _) => version.version = Some(whole()?),
                ("version_type" | "_version_type", value) => version_type = text(value),
                ("if_seq_no", _) => version.if_seq_no = Some(whole()?),
                ("if_primary_term", _) => version.if_primary_term = Some(whole()?),
                ("retry_on_conflict" | "_retry_on_conflict", _) => {
                    retry_on_conflict = u32::try_from(whole()?).map_err(|_| {
                        EsError::illegal_argument(format!("retry_on_conflict must be >= 0, found [{value}]"))
                    })?;
                }
                ("pipeline", value) => documents::check_pipeline(value.as_str())?,
                ("dynamic_templates", Value::Object(templates)) if templates.is_empty() => {}
                ("require_data_stream", Value::Bool(false)) => {}
                ("dynamic_templates" | "require_data_stream", _) => {
                    return Err(EsError::unsupported(format!("[{name}] of a bulk item")));
                }
                (other, _) => {
                    let text = format!("Action/metadata line [{number}] contains an unknown parameter [{other}]");
                    return Err(EsError::illegal_argument(text));
                }
            }
        }
        version.version_type = version_type.as_deref();
        let condition = version.condition(kind == BulkKind::Create)?;
        let Some(index) = index.filter(|index| !index.is_empty()) else {
            return Err(documents::invalid("index is missing"));
        };
        match (&id, kind) {
            // For a new document that is a fault of the item, as in Elasticsearch.
            (Some(id), BulkKind::Index | BulkKind::Create) if id.is_empty() => {}
            (Some(id), _) if !id.is_empty() => documents::check_id(id)?,
            (_, BulkKind::Update | BulkKind::Delete) => return Err(documents::invalid("id is missing")),
            (None, _) if condition != WriteCondition::None => {
                return Err(documents::invalid("an id must be provided if version type or value are set"));
            }
            (_, BulkKind::Index | BulkKind::Create) => {}
        }
        let is_external =
            matches!(condition, WriteCondition::ExternalVersion(_) | WriteCondition::ExternalVersionOrEqual(_));
        if kind == BulkKind::Update && is_external {
            return Err(documents::invalid("version type [EXTERNAL] is not supported by the update API"));
        }
        if kind == BulkKind::Update && retry_on_conflict > 0 && condition != WriteCondition::None {
            return Err(documents::invalid("compare and write operations can not be retried"));
        }
        Ok(BulkOp {
            kind,
            index,
            id,
            routing,
            condition,
            require_alias,
            retry_on_conflict,
            source: Vec::new(),
            returned,
        })
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.as_i64(),
    }
}

/// A value as Elasticsearch's parser calls it.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}
