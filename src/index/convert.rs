//! A document to what the index keeps of it: typed values, terms, and the texts to embed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tantivy::TantivyDocument;
use tantivy::indexer::UserOperation;
use tantivy::schema::OwnedValue;

use super::document_tree::Draft;
use super::fields::{IndexField, IndexFields};
use super::values::{self, Fault};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::schema;
use crate::schema::flatten::{FieldKind, FlattenedField};

/// A document that is ready but for its semantic vectors and what the shard gives it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: DocumentId,
    /// The document at the root.
    pub(crate) document: TantivyDocument,
    /// Its nested documents; they stand right before it in the segment, in this order.
    pub(crate) children: Vec<TantivyDocument>,
    /// Of the source; equal hashes mean an unchanged document.
    pub(crate) hash: u64,
    /// The source as it was given; the stored one may lack parts of it.
    pub(crate) source_text: String,
    /// One a semantic field that the document has text for.
    pub(crate) semantic: Vec<SemanticInput>,
    /// The document has a field that the mapping lacks and should get; see [`crate::schema::dynamic`].
    pub(crate) needs_mapping: bool,
}

impl Prepared {
    /// Gives the document the number of this change and its version; once.
    pub(crate) fn set_version(&mut self, fields: &IndexFields, seq_no: u64, version: u64) {
        self.document.add_u64(fields.seq_no, seq_no);
        self.document.add_u64(fields.version, version);
    }

    /// Gives the document the routing that it was written with; once.
    pub(crate) fn set_routing(&mut self, fields: &IndexFields, routing: &str) {
        self.document.add_text(fields.routing, routing);
    }

    /// What Tantivy's writer has to do, in order and as one batch (`IndexWriter::run`): delete what has this id, add the nested
    /// documents, add the root.
    ///
    /// * `replaces`: whether there may be a document of this id.
    pub(crate) fn operations(self, fields: &IndexFields, replaces: bool) -> Vec<UserOperation> {
        let mut operations = if replaces { fields.deletions(&self.id) } else { Vec::new() };
        operations.extend(self.children.into_iter().map(UserOperation::Add));
        operations.push(UserOperation::Add(self.document));
        operations
    }
}

/// What a semantic field embeds of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SemanticInput {
    /// The field's place in [`IndexFields::mapped`].
    pub(crate) field_idx: usize,
    /// What is cut into passages; [`PassageSpan::value_idx`](crate::PassageSpan) counts these.
    pub(crate) texts: Vec<String>,
    /// What stands before each passage when it is embedded; may be empty.
    pub(crate) context: String,
}

/// Prepares a document.
///
/// # Errors
/// `InvalidInput` naming the field whose value does not fit its type.
pub(crate) fn prepare(fields: &IndexFields, id: DocumentId, source: &Map<String, Value>) -> Result<Prepared> {
    if id.as_str().is_empty() || id.as_str().len() > DocumentId::MAX_BYTES {
        return Err(Error::invalid_input(format!("an `_id` must have 1 to {} bytes", DocumentId::MAX_BYTES)));
    }
    let source_text =
        serde_json::to_string(source).map_err(|error| Error::internal("cannot write a source").with_source(error))?;
    let hash = content_hash(&source_text);
    let walked = fields.tree.walk(&fields.mapped, source)?;
    let max_nested = fields.max_nested_objects;
    if walked.drafts.len().saturating_sub(1) > max_nested {
        let reason = format!(
            "The number of nested documents has exceeded the allowed limit of [{max_nested}]. This limit can be set by changing the \
             [index.mapping.nested_objects.limit] index level setting."
        );
        return Err(Error::invalid_input(reason.clone()).as_exception("document_parsing_exception", reason));
    }
    let mut semantic = Vec::new();
    for field_idx in &fields.semantic {
        if let Some(field) = fields.mapped.get(*field_idx) {
            semantic.extend(semantic_input(*field_idx, field, source)?);
        }
    }
    let mut documents = Vec::with_capacity(walked.drafts.len());
    let mut ignored: Vec<&str> = Vec::new();
    for draft in &walked.drafts {
        let filling = Filling { fields, id: &id, source, names: Vec::new(), ignored: Vec::new() };
        let (document, left_out) = filling.fill(draft)?;
        ignored.extend(left_out);
        documents.push(document);
    }
    let Some(mut document) = documents.pop() else { return Err(Error::internal("a document without a root")) };
    document.add_text(fields.id, id.as_str());
    document.add_u64(fields.hash, hash);
    for input in &semantic {
        if let Some(field) = fields.mapped.get(input.field_idx) {
            document.add_text(fields.field_names, &field.definition.path);
        }
    }
    ignored.sort_unstable();
    ignored.dedup();
    for path in ignored {
        document.add_text(fields.ignored, path);
    }
    match fields.kept_source(source)? {
        Some(kept) => document.add_text(fields.source, kept),
        None => document.add_text(fields.source, &source_text),
    }
    Ok(Prepared { id, document, children: documents, hash, source_text, semantic, needs_mapping: walked.needs_mapping })
}

/// One Tantivy document in the making.
struct Filling<'a> {
    fields: &'a IndexFields,
    id: &'a DocumentId,
    source: &'a Map<String, Value>,
    /// Fields that are found by their names only.
    names: Vec<&'a str>,
    /// Fields whose values were left out.
    ignored: Vec<&'a str>,
}

impl<'a> Filling<'a> {
    /// The document, and the fields of which values were left out.
    fn fill(mut self, draft: &Draft<'a>) -> Result<(TantivyDocument, Vec<&'a str>)> {
        let mut document = TantivyDocument::new();
        if let Some(path) = draft.scope.checked_sub(1).and_then(|place| self.fields.tree.nested_paths().get(place)) {
            document.add_text(self.fields.nested_path, path);
            document.add_text(self.fields.root_id, self.id.as_str());
        } else {
            for field in self.fields.constants.iter().filter_map(|idx| self.fields.mapped.get(*idx)) {
                if let (Some(place), FieldKind::Keyword { constant: Some(Some(constant)), .. }) =
                    (field.field, &field.definition.kind)
                {
                    document.add_text(place, constant);
                }
            }
        }
        for values in draft.values.chunk_by(|left, right| left.0 == right.0) {
            let Some((field_idx, _)) = values.first() else { continue };
            let Some(field) = self.fields.mapped.get(*field_idx) else { continue };
            self.add(&mut document, field, values)?;
        }
        for name in &self.names {
            document.add_text(self.fields.field_names, name);
        }
        Ok((document, self.ignored))
    }

    fn add(
        &mut self,
        document: &mut TantivyDocument,
        mapped: &'a IndexField,
        values: &[(usize, &'a Value)],
    ) -> Result<()> {
        let Some(field) = mapped.field else { return Ok(()) };
        let definition = mapped.definition.as_ref();
        let before = document.len();
        match &definition.kind {
            FieldKind::Text(text) => {
                let mut texts = Vec::with_capacity(values.len());
                for (_, value) in values {
                    texts.push(self.check(mapped, value, values::text(value))?);
                }
                if let Some(analyzer) = &mapped.analyzer {
                    document.add_text(field, analyzer.encode_values_with_gap(&texts, text.position_increment_gap));
                }
            }
            FieldKind::Keyword { constant: Some(constant), .. } => {
                for (_, value) in values {
                    let text = self.check(mapped, value, values::text(value))?;
                    if constant.as_ref().is_some_and(|constant| *constant != text) {
                        return Err(self.not_constant(definition, constant.as_deref().unwrap_or_default(), &text));
                    }
                }
            }
            FieldKind::Keyword { ignore_above, .. } => {
                for (_, value) in values {
                    let text = self.check(mapped, value, values::text(value))?;
                    if ignore_above.is_some_and(|most| text.chars().count() > most) {
                        self.ignored.push(&definition.path);
                        continue;
                    }
                    match &mapped.normalizer {
                        Some(normalizer) => {
                            for term in normalizer.terms(&text) {
                                document.add_text(field, term);
                            }
                        }
                        None => {
                            self.check_length(definition, &text)?;
                            document.add_text(field, text);
                        }
                    }
                }
            }
            FieldKind::Integer { min, max, options } => {
                for (_, value) in values {
                    let number = values::integer(value, *options, *min, *max);
                    if let Some(number) = self.lenient(mapped, value, options.ignore_malformed, number)? {
                        document.add_i64(field, number);
                    }
                }
            }
            FieldKind::Unsigned(options) => {
                for (_, value) in values {
                    let number = values::unsigned(value, *options);
                    if let Some(number) = self.lenient(mapped, value, options.ignore_malformed, number)? {
                        document.add_u64(field, number);
                    }
                }
            }
            FieldKind::Float { precision, options, .. } => {
                for (_, value) in values {
                    let number = values::float(value, *options).and_then(|number| {
                        number.map(|number| values::rounded(number, *precision, definition.type_name)).transpose()
                    });
                    if let Some(number) = self.lenient(mapped, value, options.ignore_malformed, number)? {
                        document.add_f64(field, number);
                    }
                }
            }
            FieldKind::Boolean { ignore_malformed, .. } => {
                for (_, value) in values {
                    let flag = values::boolean(value).map(Some);
                    if let Some(flag) = self.lenient(mapped, value, *ignore_malformed, flag)? {
                        document.add_bool(field, flag);
                    }
                }
            }
            FieldKind::Date { formats, options } => {
                for (_, value) in values {
                    let millis = values::date(value, formats).map(Some);
                    if let Some(millis) = self.lenient(mapped, value, options.ignore_malformed, millis)? {
                        document.add_i64(field, millis);
                    }
                }
            }
            FieldKind::Ip(options) => {
                for (_, value) in values {
                    let address = values::ip(value).map(Some);
                    if let Some(address) = self.lenient(mapped, value, options.ignore_malformed, address)? {
                        document.add_ip_addr(field, address);
                    }
                }
            }
            FieldKind::Flattened(flattened) => {
                for (_, value) in values {
                    self.flatten(document, mapped, flattened, value)?;
                }
            }
            FieldKind::RankFeature { positive_score_impact } => {
                if let [_, (_, second), ..] = values {
                    let reason = "[rank_feature] fields do not support indexing multiple values for the same field";
                    return Err(self.refuse(definition, second, reason));
                }
                for (_, value) in values {
                    let number = values::rank_feature(value, *positive_score_impact);
                    document.add_f64(field, self.check(mapped, value, number)?);
                }
            }
            FieldKind::RankFeatures { positive_score_impact } => {
                for (_, value) in values {
                    let Some(features) = value.as_object() else {
                        let reason = format!(
                            "[rank_features] fields must be json objects, expected a START_OBJECT but got: {value}"
                        );
                        return Err(self.refuse(definition, value, &reason));
                    };
                    let mut numbers = BTreeMap::new();
                    for (name, value) in features {
                        let number = values::rank_feature(value, *positive_score_impact);
                        numbers.insert(name.clone(), OwnedValue::F64(self.check(mapped, value, number)?));
                    }
                    document.add_object(field, numbers);
                }
            }
            FieldKind::TokenCount { counts_holes, options, .. } => {
                for (_, value) in values {
                    let text = self.check(mapped, value, values::text(value))?;
                    let Some(analyzer) = &mapped.analyzer else { continue };
                    let mut num_tokens = 0;
                    let num_positions = analyzer.for_each_token(&text, |_, _, _, _| num_tokens += 1);
                    let _ = options;
                    document.add_i64(field, if *counts_holes { i64::from(num_positions) } else { num_tokens });
                }
            }
            FieldKind::DenseVector(vector) => {
                let values: Vec<&Value> = values.iter().map(|(_, value)| *value).collect();
                if let (Some(params), Some(first)) = (&mapped.vector, values.first()) {
                    let vectors = self.check(mapped, first, values::dense_vectors(vector, params.dims, &values))?;
                    if let Some(vectors) = vectors {
                        document.add_custom(field, &vectors.encode(params)?);
                    }
                }
            }
            FieldKind::SemanticText(_) | FieldKind::Binary => {}
        }
        if mapped.exists_by_name && document.len() > before {
            self.names.push(&definition.path);
        }
        Ok(())
    }

    fn flatten(
        &mut self,
        document: &mut TantivyDocument,
        mapped: &'a IndexField,
        flattened: &FlattenedField,
        value: &'a Value,
    ) -> Result<()> {
        let (Some(field), Some(keyed)) = (mapped.field, mapped.keyed) else { return Ok(()) };
        let definition = mapped.definition.as_ref();
        if !value.is_object() {
            let reason = format!("Failed to parse object: expecting token of type [START_OBJECT] but found [{value}]");
            return Err(self.refuse(definition, value, &reason));
        }
        let mut leaves = Vec::new();
        if !leaves_of(value, "", 0, flattened.depth_limit, &mut leaves) {
            let reason = format!(
                "The provided [flattened] field [{}] exceeds the maximum depth limit of [{}].",
                definition.path, flattened.depth_limit
            );
            return Err(self.refuse(definition, value, &reason));
        }
        for (key, leaf) in leaves {
            let text = match (leaf.is_null(), &definition.null_value) {
                (false, _) => values::text(leaf),
                (true, Some(null_value)) => values::text(null_value),
                (true, None) => continue,
            };
            let text = self.check(mapped, leaf, text)?;
            if flattened.ignore_above.is_some_and(|most| text.chars().count() > most) {
                self.ignored.push(&definition.path);
                continue;
            }
            if key.contains(FlattenedField::SEPARATOR) {
                let reason = format!(
                    "Do not include the null byte (\\u0000) in keys, as it is reserved for internal use: key [{key}]"
                );
                return Err(self.refuse(definition, leaf, &reason));
            }
            self.check_length(definition, &text)?;
            document.add_text(keyed, format!("{key}{}{text}", FlattenedField::SEPARATOR));
            document.add_text(field, text);
        }
        Ok(())
    }

    fn check<T>(&self, mapped: &IndexField, value: &Value, read: Result<T, Fault>) -> Result<T> {
        let definition = &mapped.definition;
        read.map_err(|fault| {
            fault.into_error(&definition.path, definition.type_name, self.id.as_str(), self.source, value)
        })
    }

    /// As [`Filling::check`], but leaves a malformed value out where the field says so.
    fn lenient<T>(
        &mut self,
        mapped: &'a IndexField,
        value: &Value,
        ignore_malformed: bool,
        read: Result<Option<T>, Fault>,
    ) -> Result<Option<T>> {
        if ignore_malformed && read.is_err() {
            self.ignored.push(&mapped.definition.path);
            return Ok(None);
        }
        self.check(mapped, value, read)
    }

    fn refuse(&self, definition: &schema::Field, value: &Value, reason: &str) -> Error {
        let reason = format!("{}{reason}", Fault::place(self.source, value));
        Error::invalid_input(reason.clone())
            .as_exception("document_parsing_exception", reason)
            .in_field(definition.path.clone())
    }

    fn not_constant(&self, definition: &schema::Field, constant: &str, text: &str) -> Error {
        let cause = format!(
            "[constant_keyword] field [{}] only accepts values that are equal to the value defined in the mappings \
             [{constant}], but got [{text}]",
            definition.path
        );
        let reason = format!(
            "failed to parse field [{}] of type [constant_keyword] in document with id '{}'. Preview of field's value: '{text}'",
            definition.path, self.id
        );
        Error::invalid_input(cause.clone())
            .as_exception("illegal_argument_exception", cause)
            .wrapped_in_exception("document_parsing_exception", reason)
            .in_field(definition.path.clone())
    }

    fn check_length(&self, definition: &schema::Field, term: &str) -> Result<()> {
        if term.len() <= values::MAX_TERM_BYTES {
            return Ok(());
        }
        let reason = format!(
            "Document contains at least one immense term in field=\"{}\" (whose UTF8 encoding is longer than the max length \
             {}), all of which were skipped. Please correct the analyzer to not produce such terms.",
            definition.path,
            values::MAX_TERM_BYTES
        );
        let error = Error::invalid_input(format!("has a value of {} bytes; set `ignore_above`", term.len()));
        Err(error.as_exception("illegal_argument_exception", reason).in_field(definition.path.clone()))
    }
}

/// The leaves of an object with their dotted keys; false where it is deeper than the limit.
fn leaves_of<'a>(value: &'a Value, key: &str, depth: usize, limit: usize, out: &mut Vec<(String, &'a Value)>) -> bool {
    match value {
        Value::Object(map) => {
            depth < limit
                && map.iter().all(|(name, value)| {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    leaves_of(value, &key, depth + 1, limit, out)
                })
        }
        Value::Array(values) => values.iter().all(|value| leaves_of(value, key, depth, limit, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push((key.to_string(), value));
            true
        }
    }
}

/// The first eight bytes of the BLAKE3 hash of a source as it is stored.
pub(crate) fn content_hash(source: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(source.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// What a semantic field embeds of a source; `None` without any text.
///
/// The texts are those of the field and of the fields that are copied into it. Where these are blank, the context (a title)
/// is the text.
///
/// # Errors
/// `InvalidInput` when a value is an object.
pub(crate) fn semantic_input(
    field_idx: usize,
    field: &IndexField,
    source: &Map<String, Value>,
) -> Result<Option<SemanticInput>> {
    let FieldKind::SemanticText(semantic) = &field.definition.kind else { return Ok(None) };
    let texts = texts_of(&field.definition.sources, source)?;
    let contexts = texts_of(&semantic.context, source)?;
    let context = contexts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    Ok(if texts.iter().any(|text| !text.trim().is_empty()) {
        Some(SemanticInput { field_idx, texts, context })
    } else if context.is_empty() {
        None
    } else {
        Some(SemanticInput { field_idx, texts: vec![context], context: String::new() })
    })
}

fn texts_of(paths: &[String], source: &Map<String, Value>) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in paths {
        for value in values_at(source, path) {
            texts.extend(text_of(value).map_err(|error| error.in_field(path.clone()))?);
        }
    }
    Ok(texts)
}

/// The values at a dotted path, arrays taken apart. A key with dots (`{"a.b": 1}`) is the same as nested objects.
pub(crate) fn values_at<'a>(source: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    let mut found = values_and_nulls_at(source, path);
    found.retain(|value| !value.is_null());
    found
}

/// As [`values_at`], with the nulls that stand in place of values.
pub(crate) fn values_and_nulls_at<'a>(source: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    collect(source, path, &mut |value| flatten_arrays(value, &mut found));
    found
}

fn collect<'a>(source: &'a Map<String, Value>, path: &str, visit: &mut impl FnMut(&'a Value)) {
    if let Some(value) = source.get(path) {
        visit(value);
    }
    for (at, _) in path.match_indices('.') {
        let (first, rest) = (&path[..at], &path[at + 1..]);
        match source.get(first) {
            Some(Value::Object(inner)) => collect(inner, rest, visit),
            Some(Value::Array(values)) => {
                for inner in values.iter().filter_map(Value::as_object) {
                    collect(inner, rest, visit);
                }
            }
            _ => {}
        }
    }
}

fn flatten_arrays<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten_arrays(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => found.push(value),
    }
}

fn text_of(value: &Value) -> Result<Option<String>> {
    match value {
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Null => Ok(None),
        Value::Object(_) | Value::Array(_) => Err(Error::invalid_input("is an object, expected text")),
    }
}

#[cfg(test)]
mod tests;
