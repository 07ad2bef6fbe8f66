//! `term`, `terms`, `prefix`, `wildcard`, `regexp`, `fuzzy`: terms that are not analysed.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/term-level-queries.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{Kind, kind_of, type_of};
use super::object::{self, Common};
use super::text;
use crate::document::DocumentId;
use crate::index::lexical::{FieldKind, LexicalField};
use crate::retrieve::query::{
    FieldValue, Fuzziness, FuzzyQuery, PatternQuery, Query, RegexpFlags, RegexpQuery, TermValue,
};
use crate::schema::flatten::{self, TextField, TextShape};

/// `term`.
pub(super) fn term(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (field, value) = object::one_field("term", body)?;
    let (mut common, mut found, mut case_insensitive) = (Common::default(), None, false);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match key.as_str() {
                    "value" | "term" => found = Some(value),
                    "case_insensitive" => case_insensitive = object::truth("term", key, value)?,
                    _ if common.take("term", key, value)? => {}
                    _ => return Err(object::unknown("term", key)),
                }
            }
        }
        Value::Array(_) => return Err(EsError::parsing("[term] query does not support array of values")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found = Some(value),
    }
    let value = match found {
        None | Some(Value::Null) => return Err(EsError::illegal_argument("value cannot be null")),
        Some(Value::Array(_)) => return Err(EsError::parsing("[term] query does not support array of values")),
        Some(value) => value,
    };
    let query = if case_insensitive {
        let text = object::text("term", "value", value)?;
        match context.find(field) {
            None => Query::MatchNone,
            Some(found) if kind_of(&found).has_terms() => Query::Wildcard(PatternQuery {
                text: escaped(&text),
                case_insensitive: true,
                ..PatternQuery::new(field, "")
            }),
            Some(found) => {
                return Err(context.cannot_create(
                    "illegal_argument_exception",
                    format!(
                        "[{field}] field which is of type [{}], does not support case insensitive term queries",
                        type_of(&found)
                    ),
                ));
            }
        }
    } else {
        context.term(field, value)?
    };
    Ok(common.around(query))
}

/// `terms`, with values or a lookup of them.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
pub(super) fn terms(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut common, mut found): (Common, Option<(&str, &Value)>) = (Common::default(), None);
    for (key, value) in object::members("terms", body)? {
        if common.take("terms", key, value)? {
            continue;
        }
        match value {
            Value::Array(_) | Value::Object(_) => {
                if found.is_some() {
                    return Err(EsError::parsing("[terms] query does not support multiple fields"));
                }
                found = Some((key, value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(object::unknown("terms", key));
            }
        }
    }
    let Some((field, value)) = found else {
        return Err(EsError::parsing(
            "[terms] query requires a field name, followed by array of terms or a document lookup specification",
        ));
    };
    let looked_up;
    let values = match value {
        Value::Array(values) => values.as_slice(),
        other => {
            looked_up = lookup(other, context)?;
            looked_up.as_slice()
        }
    };
    if values.len() > context.limits.max_terms_count {
        return Err(EsError::illegal_argument(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{}]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
            values.len(),
            context.limits.max_terms_count
        )));
    }
    if values.iter().any(Value::is_null) {
        return Err(EsError::parsing("No value specified for terms query"));
    }
    let query = if values.is_empty() { Query::MatchNone } else { context.terms(field, values)? };
    Ok(common.around(query))
}

/// The values at a path of another document.
fn lookup(value: &Value, context: &QueryContext<'_>) -> EsResult<Vec<Value>> {
    let (mut index, mut id, mut path) = (None, None, None);
    for (key, value) in object::members("terms", value)? {
        match key.as_str() {
            "index" => index = Some(object::text("terms", key, value)?),
            "id" => id = Some(object::text("terms", key, value)?),
            "path" => path = Some(object::text("terms", key, value)?),
            "routing" => drop(object::text("terms", key, value)?),
            _ => return Err(EsError::parsing(format!("[terms_lookup] unknown field [{key}]"))),
        }
    }
    let missing =
        |what: &str| EsError::parsing(format!("[terms] query lookup element requires specifying the {what}."));
    let index = index.ok_or_else(|| missing("index"))?;
    let id = id.ok_or_else(|| missing("id"))?;
    let path = path.ok_or_else(|| missing("path"))?;
    let Some(source) = (context.get)(&index, &DocumentId::from(id.as_str()))? else { return Ok(Vec::new()) };
    let mut values = Vec::new();
    for value in values_at(&Value::Object(source), &path) {
        flatten(value, &mut values);
    }
    Ok(values)
}

/// The values at a dotted path.
pub(super) fn values_at(value: &Value, path: &str) -> Vec<Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(|value| values_at(value, path)).collect(),
        Value::Object(members) => {
            let mut found: Vec<Value> = members.get(path).cloned().into_iter().collect();
            for (at, _) in path.match_indices('.') {
                let (first, rest) = (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default());
                if let Some(inner) = members.get(first) {
                    found.extend(values_at(inner, rest));
                }
            }
            found
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn flatten(value: Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, found)),
        Value::Null | Value::Object(_) => {}
        plain @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => found.push(plain),
    }
}

/// The value of a pattern's field: a text, or an object with `value` and parameters that `take` knows.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
fn pattern<'v>(
    query: &str,
    body: &'v Value,
    names: &[&str],
    mut take: impl FnMut(&str, &Value) -> EsResult<bool>,
) -> EsResult<(&'v str, String, Common)> {
    let (field, value) = object::one_field(query, body)?;
    let (mut common, mut found) = (Common::default(), None);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if names.contains(&key.as_str()) {
                    found = Some(object::text(query, key, value)?);
                } else if !common.take(query, key, value)? && !take(key, value)? {
                    return Err(object::unknown(query, key));
                }
            }
        }
        other => found = object::plain(other),
    }
    let text = found.ok_or_else(|| EsError::illegal_argument("value cannot be null"))?;
    Ok((field, text, common))
}

impl QueryContext<'_> {
    /// A field that a pattern may be looked for in; `None` for one that the mapping lacks.
    fn pattern_field(&self, what: &str, name: &str) -> EsResult<Option<Kind>> {
        let Some(field) = self.find(name) else { return Ok(None) };
        let kind = kind_of(&field);
        if kind.has_terms() {
            return Ok(Some(kind));
        }
        let fields = if what == "fuzzy" { "keyword and text fields" } else { "keyword, text and wildcard fields" };
        Err(self.cannot_create(
            "illegal_argument_exception",
            format!("Can only use {what} queries on {fields} - not on [{name}] which is of type [{}]", type_of(&field)),
        ))
    }

    /// A part of a term in the case and accents that the field's terms have.
    pub(super) fn normalized_part(&self, field: &LexicalField, text: &str) -> String {
        if let FieldKind::Text { search_analyzer, .. } = &field.kind {
            search_analyzer.normalize(text)
        } else {
            self.normalized(field, text)
        }
    }
}

/// `prefix`.
pub(super) fn prefix(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let mut wanted = PatternQuery::default();
    let (field, text, common) = pattern("prefix", body, &["value"], |key, value| {
        match key {
            "case_insensitive" => wanted.case_insensitive = object::truth("prefix", key, value)?,
            "rewrite" => wanted.rewrite = text::rewrite("prefix", value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if field == "_index" {
        let is_here = context.index.starts_with(&text);
        return Ok(common.around(if is_here { Query::MatchAll } else { Query::MatchNone }));
    }
    let Some(kind) = context.pattern_field("prefix", field)? else { return Ok(common.around(Query::MatchNone)) };
    let text = match (kind, context.find(field)) {
        (Kind::Keyword, Some(found)) => context.normalized(&found, &text),
        _ => text,
    };
    if !wanted.case_insensitive
        && let Some(prefixes) = prefixes_of(field, &text, context)
    {
        let term = Query::Term(FieldValue { field: prefixes, value: TermValue::Text(text) });
        return Ok(common.around(Query::ConstantScore(Box::new(term))));
    }
    Ok(common.around(Query::Prefix(PatternQuery { field: field.to_string(), text, ..wanted })))
}

/// The field that holds the beginnings of a `search_as_you_type` field's words and shingles, where it holds some of this length.
pub(super) fn prefixes_of(field: &str, text: &str, context: &QueryContext<'_>) -> Option<String> {
    const LONGEST: usize = 20;
    let root = match field.rsplit_once("._") {
        Some((root, shingles)) if shingles.ends_with("gram") => root,
        Some(_) | None => field,
    };
    let name = format!("{root}._index_prefix");
    let found = context.find(&name)?;
    let mapping = found.extra.mapping.as_deref()?;
    let holds_prefixes =
        matches!(&mapping.kind, flatten::FieldKind::Text(TextField { shape: TextShape::ShinglePrefixes(_), .. }));
    (holds_prefixes && field != name && (1..=LONGEST).contains(&text.chars().count())).then_some(name)
}

/// `wildcard`.
pub(super) fn wildcard(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let mut wanted = PatternQuery::default();
    let (field, text, common) = pattern("wildcard", body, &["value", "wildcard"], |key, value| {
        match key {
            "case_insensitive" => wanted.case_insensitive = object::truth("wildcard", key, value)?,
            "rewrite" => wanted.rewrite = text::rewrite("wildcard", value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let Some(kind) = context.pattern_field("wildcard", field)? else { return Ok(common.around(Query::MatchNone)) };
    let text = match (kind, context.find(field)) {
        (Kind::Keyword, Some(found)) => normalized_wildcard(&text, |part| context.normalized(&found, part)),
        _ => text,
    };
    Ok(common.around(Query::Wildcard(PatternQuery { field: field.to_string(), text, ..wanted })))
}

/// A wildcard pattern whose plain parts are normalised.
pub(super) fn normalized_wildcard(text: &str, normalize: impl Fn(&str) -> String) -> String {
    let (mut pattern, mut plain) = (String::with_capacity(text.len()), String::new());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' | '\\' => {
                if !plain.is_empty() {
                    pattern.push_str(&normalize(&std::mem::take(&mut plain)));
                }
                pattern.push(character);
                if character == '\\' {
                    pattern.extend(characters.next());
                }
            }
            other => plain.push(other),
        }
    }
    if !plain.is_empty() {
        pattern.push_str(&normalize(&plain));
    }
    pattern
}

/// A text as a wildcard pattern that matches just it.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// `regexp`.
pub(super) fn regexp(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let mut wanted = RegexpQuery::default();
    let (field, text, common) = pattern("regexp", body, &["value"], |key, value| {
        match key {
            "flags" => wanted.flags = flags(&object::text("regexp", key, value)?)?,
            "flags_value" => wanted.flags = flags_value(object::integer("regexp", key, value)?),
            "max_determinized_states" => wanted.max_states = Some(object::count("regexp", key, value)?),
            "case_insensitive" => wanted.case_insensitive = object::truth("regexp", key, value)?,
            "rewrite" => wanted.rewrite = text::rewrite("regexp", value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    check_regexp_length(&text, context)?;
    let Some(_) = context.pattern_field("regexp", field)? else { return Ok(common.around(Query::MatchNone)) };
    let query = RegexpQuery { field: field.to_string(), text, ..wanted };
    context.check_regexp(&query)?;
    Ok(common.around(Query::Regexp(query)))
}

impl QueryContext<'_> {
    /// A regular expression must be one.
    pub(super) fn check_regexp(&self, query: &RegexpQuery) -> EsResult<()> {
        crate::retrieve::lexical::check_regexp(query)
            .map_err(|problem| self.cannot_create("illegal_argument_exception", problem))
    }
}

/// A regular expression may be only so long.
pub(super) fn check_regexp_length(text: &str, context: &QueryContext<'_>) -> EsResult<()> {
    let (length, limit) = (text.chars().count(), context.limits.max_regex_length);
    if length > limit {
        return Err(EsError::illegal_argument(format!(
            "The length of regex [{length}] used in the Regexp Query request has exceeded the allowed maximum of [{limit}]. This maximum can be set by changing the [index.max_regex_length] index level setting."
        )));
    }
    Ok(())
}

fn flags(text: &str) -> EsResult<RegexpFlags> {
    let mut flags = RegexpFlags::NONE;
    for flag in text.split('|').map(str::trim).filter(|flag| !flag.is_empty()) {
        match flag.to_ascii_uppercase().as_str() {
            "ALL" => return Ok(RegexpFlags::default()),
            "NONE" => return Ok(RegexpFlags::NONE),
            "COMPLEMENT" => flags.complement = true,
            "INTERVAL" => flags.interval = true,
            "INTERSECTION" => flags.intersection = true,
            "ANYSTRING" => flags.any_string = true,
            "EMPTY" => flags.empty = true,
            "AUTOMATON" => {}
            other => {
                return Err(EsError::illegal_argument(format!(
                    "No enum constant org.elasticsearch.index.query.RegexpFlag.{other}"
                )));
            }
        }
    }
    Ok(flags)
}

/// Lucene's bits.
fn flags_value(bits: i32) -> RegexpFlags {
    RegexpFlags {
        intersection: bits & 0x01 != 0,
        complement: bits & 0x02 != 0 || bits & 0x1_0000 != 0,
        empty: bits & 0x04 != 0,
        any_string: bits & 0x08 != 0,
        interval: bits & 0x20 != 0,
    }
}

/// `fuzzy`.
pub(super) fn fuzzy(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let mut wanted = FuzzyQuery::new("", "", Fuzziness::Auto);
    let (field, text, common) = pattern("fuzzy", body, &["value", "term"], |key, value| {
        match key {
            "fuzziness" => wanted.fuzziness = text::fuzziness(value)?,
            "prefix_length" => wanted.prefix_length = object::count("fuzzy", key, value)?,
            "max_expansions" => wanted.max_expansions = object::count("fuzzy", key, value)?,
            "transpositions" => wanted.transpositions = object::truth("fuzzy", key, value)?,
            "rewrite" => wanted.rewrite = text::rewrite("fuzzy", value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if wanted.max_expansions == 0 {
        return Err(EsError::illegal_argument("maxExpansions must be positive, not 0"));
    }
    let Some(_) = context.pattern_field("fuzzy", field)? else { return Ok(common.around(Query::MatchNone)) };
    Ok(common.around(Query::Fuzzy(FuzzyQuery { field: field.to_string(), term: text, ..wanted })))
}
