//! Elasticsearch's `_bulk` NDJSON: an action line, and for all but `delete` a source line after it.
//!
//! <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>. `_index`, `_type`, `routing` and
//! `retry_on_conflict` are accepted and mean nothing here; parameters that would change what happens (`pipeline`, `version`,
//! `if_seq_no`, scripts...) are refused by name.
//!
//! A broken file is read as well as it can be: an `index` action followed by another action line has lost its source line
//! (Elasticsearch would index the second action as a document), and the source line of a bad action is passed over with it.

use serde_json::{Map, Value};

use super::lines::{Line, Lines};
use super::strict_json::kind_of;
use super::{Action, Fault, PartialDocument, Record, RecordReader, Upsert, object, strict_json};
use crate::document::{Document, DocumentId};
use crate::error::{Error, Result};

/// A parsed action line.
pub(super) struct ActionLine {
    line: u64,
    kind: ActionKind,
    id: Option<DocumentId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ActionKind {
    Index,
    Create,
    Update,
    Delete,
}

impl ActionKind {
    const ALL: [(&'static str, ActionKind); 4] = [
        ("index", ActionKind::Index),
        ("create", ActionKind::Create),
        ("update", ActionKind::Update),
        ("delete", ActionKind::Delete),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

const IGNORED_PARAMETERS: [&str; 4] = ["_index", "_type", "routing", "retry_on_conflict"];
const REFUSED_PARAMETERS: [&str; 10] = [
    "pipeline",
    "version",
    "version_type",
    "if_seq_no",
    "if_primary_term",
    "require_alias",
    "require_data_stream",
    "dynamic_templates",
    "op_type",
    "_source",
];

/// Pairs action lines with their source lines.
pub(super) struct Bulk {
    lines: Lines,
    /// A line that was looked at and belongs to the next record.
    ahead: Option<Result<Line, Fault>>,
}

impl Bulk {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, ahead: None }
    }

    fn source_for(&mut self, action: &ActionLine) -> Result<Line, Fault> {
        let missing = |reason: &str| {
            let message =
                format!("the action has no source line after it{reason}; each index, create and update needs one");
            Fault::Record(Error::invalid_input(message).at_line(action.line))
        };
        match self.lines.next_line() {
            None => Err(missing(": the file ends")),
            Some(Err(fault)) => Err(fault),
            Some(Ok(line)) if line.is_blank() => Err(missing(": the next line is blank")),
            Some(Ok(line)) if is_action_line(&line.bytes) => {
                self.ahead = Some(Ok(line));
                Err(missing(": the next line is another action"))
            }
            Some(Ok(line)) => Ok(line),
        }
    }

    /// Passes over the source line of a bad action, so that one mistake is one error.
    fn skip_source(&mut self) {
        match self.lines.next_line() {
            Some(Ok(line)) if !line.is_blank() && !is_action_line(&line.bytes) => {}
            other => self.ahead = other,
        }
    }
}

impl RecordReader for Bulk {
    fn next_record(&mut self) -> Option<Result<Record, Fault>> {
        let line = match self.ahead.take() {
            Some(Ok(line)) if line.is_blank() => self.lines.next_filled()?,
            Some(ahead) => ahead,
            None => self.lines.next_filled()?,
        };
        let line = match line {
            Ok(line) => line,
            Err(fault) => return Some(Err(fault)),
        };
        let action = match parse_action(&line) {
            Ok(action) => action,
            Err((error, follows)) => {
                if follows == Follows::Source {
                    self.skip_source();
                }
                return Some(Err(Fault::Record(error.at_line(line.number))));
            }
        };
        if action.kind == ActionKind::Delete {
            return Some(Ok(Record::Bulk { action, source: None }));
        }
        Some(self.source_for(&action).map(|source| Record::Bulk { action, source: Some(source) }))
    }
}

/// What probably comes after a bad action line.
#[derive(Debug, PartialEq, Eq)]
enum Follows {
    Source,
    Action,
}

fn parse_action(line: &Line) -> Result<ActionLine, (Error, Follows)> {
    let object = strict_json::object(line.number, &line.bytes).map_err(|error| (error, Follows::Source))?;
    let mut entries = object.into_iter();
    let (name, parameters) = match (entries.next(), entries.len()) {
        (Some((name, Value::Object(parameters))), 0) => (name, parameters),
        (first, _) => {
            let keys: Vec<String> = first.into_iter().chain(entries).map(|(key, _)| key).take(5).collect();
            let found = if keys.is_empty() { "an empty object".into() } else { format!("keys {}", keys.join(", ")) };
            let message = format!(r#"expected an action line such as {{"index": {{"_id": "1"}}}}, found {found}"#);
            return Err((Error::invalid_input(message), Follows::Action));
        }
    };
    let kind = ActionKind::named(&name).ok_or_else(|| {
        let message = format!("unknown action {name:?}; the actions are index, create, update and delete");
        (Error::invalid_input(message), Follows::Source)
    })?;
    let id = id_parameter(kind, &parameters).map_err(|error| (error, Follows::Source))?;
    Ok(ActionLine { line: line.number, kind, id })
}

fn id_parameter(kind: ActionKind, parameters: &Map<String, Value>) -> Result<Option<DocumentId>> {
    let mut id = None;
    for (name, value) in parameters {
        match (name.as_str(), value) {
            ("_id", Value::Null) => {}
            ("_id", value) => id = Some(object::id_from(value).map_err(|error| error.in_field("_id"))?),
            (name, _) if IGNORED_PARAMETERS.contains(&name) => {}
            (name, _) if REFUSED_PARAMETERS.contains(&name) => {
                return Err(Error::unsupported(format!(
                    "the parameter {name:?} of an action is not supported; leave it out"
                )));
            }
            (name, _) => return Err(Error::invalid_input(format!("the action has an unknown parameter {name:?}"))),
        }
    }
    match (kind, &id) {
        (ActionKind::Update | ActionKind::Delete, None) => {
            Err(Error::invalid_input("update and delete need an \"_id\" in the action line"))
        }
        _ => Ok(id),
    }
}

/// Whether a line can only be an action: one key that names one, over parameters that actions have.
pub(super) fn is_action_line(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let Some(key) = start.strip_prefix(b"{").map(<[u8]>::trim_ascii_start).and_then(|rest| rest.strip_prefix(b"\""))
    else {
        return false;
    };
    // Most lines are sources: look closely at none of them.
    if !ActionKind::ALL.iter().any(|(name, _)| key.strip_prefix(name.as_bytes()).is_some_and(|r| r.starts_with(b"\"")))
    {
        return false;
    }
    let Ok(object) = strict_json::object(1, bytes) else { return false };
    let is_parameter = |name: &String| {
        name == "_id" || IGNORED_PARAMETERS.contains(&name.as_str()) || REFUSED_PARAMETERS.contains(&name.as_str())
    };
    object.len() == 1
        && object.values().all(|value| value.as_object().is_some_and(|parameters| parameters.keys().all(is_parameter)))
}

/// The operation of an action and its source line.
pub(super) fn parse(action: ActionLine, source: Option<Line>) -> Result<(Action, u64)> {
    let ActionLine { line, kind, id } = action;
    let source = match source {
        Some(source) => Some((strict_json::object(source.number, &source.bytes)?, source.number)),
        None => None,
    };
    match (kind, source, id) {
        (ActionKind::Index, Some((source, line)), id) => Ok((Action::Index(whole_document(id, source, line)?), line)),
        (ActionKind::Create, Some((source, line)), id) => Ok((Action::Create(whole_document(id, source, line)?), line)),
        (ActionKind::Update, Some((body, line)), Some(id)) => {
            let update = partial_document(id, body).map_err(|error| error.at_line(line))?;
            Ok((Action::Update(update), line))
        }
        (ActionKind::Delete, None, Some(id)) => Ok((Action::Delete(id), line)),
        (kind, ..) => Err(Error::internal(format!("a {kind:?} action was paired wrongly")).at_line(line)),
    }
}

fn whole_document(id: Option<DocumentId>, source: Map<String, Value>, line: u64) -> Result<Document> {
    if source.contains_key("_id") {
        let message = "is a metadata field and cannot stand in the document; put it in the action line";
        return Err(Error::invalid_input(message).in_field("_id").at_line(line));
    }
    Ok(Document { id, source })
}

fn partial_document(id: DocumentId, body: Map<String, Value>) -> Result<PartialDocument> {
    let (mut fields, mut upsert, mut doc_as_upsert) = (None, None, false);
    for (name, value) in body {
        match (name.as_str(), value) {
            ("doc", Value::Object(object)) => fields = Some(object),
            ("upsert", Value::Object(object)) => upsert = Some(object),
            ("doc_as_upsert", Value::Bool(flag)) => doc_as_upsert = flag,
            // Whether an update that changes nothing is counted as one: no difference to the index.
            ("detect_noop", Value::Bool(_)) => {}
            ("doc" | "upsert", other) => {
                return Err(Error::invalid_input(format!("is {}, expected an object", kind_of(&other))).in_field(name));
            }
            ("doc_as_upsert" | "detect_noop", other) => {
                return Err(Error::invalid_input(format!("is {}, expected a boolean", kind_of(&other))).in_field(name));
            }
            ("script" | "scripted_upsert" | "_source" | "lang" | "params", _) => {
                return Err(Error::unsupported(format!("{name:?} in an update is not supported; send \"doc\"")));
            }
            (name, _) => {
                return Err(Error::invalid_input(format!(
                    "unknown key {name:?} in an update; the fields to change stand under \"doc\""
                )));
            }
        }
    }
    let Some(fields) = fields else { return Err(Error::invalid_input("an update needs \"doc\"")) };
    let upsert = match (doc_as_upsert, upsert) {
        (true, _) => Upsert::Fields,
        (false, Some(source)) => Upsert::Source(source),
        (false, None) => Upsert::Missing,
    };
    Ok(PartialDocument { id, fields, upsert })
}
