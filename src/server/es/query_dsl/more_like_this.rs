//! `more_like_this`.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-mlt-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::kind_of;
use super::object::{self, Common};
use super::term_level::values_at;
use crate::document::DocumentId;
use crate::retrieve::query::{BoolQuery, FieldTexts, IdsQuery, MoreLikeThisQuery, Query, TermSelection};

const QUERY: &str = "more_like_this";

/// A liked or unliked item.
#[derive(Debug)]
enum Item {
    Text(String),
    Document { index: Option<String>, id: Option<String>, doc: Option<Value>, fields: Option<Vec<String>> },
}

/// `more_like_this`.
pub(super) fn more_like_this(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut like, mut unlike, mut fields, mut common) = (Vec::new(), Vec::new(), None, Common::default());
    let (mut selection, mut minimum, mut analyzer) = (TermSelection::default(), "30%".to_string(), None);
    let (mut boost_terms, mut include, mut fail_on_unsupported_field) = (None, false, true);
    let number = |key: &str, value: &Value| object::count(QUERY, key, value);
    for (key, value) in object::members(QUERY, body)? {
        match key.as_str() {
            "fields" => fields = Some(object::texts(QUERY, key, value)?),
            "like" => like = items(key, value)?,
            "unlike" => unlike = items(key, value)?,
            "max_query_terms" => {
                selection.max_query_terms = number(key, value)?;
                if selection.max_query_terms == 0 {
                    return Err(EsError::illegal_argument("requires 'maxQueryTerms' to be greater than 0"));
                }
            }
            "min_term_freq" => selection.min_term_freq = number(key, value)? as u64,
            "min_doc_freq" => selection.min_doc_freq = number(key, value)? as u64,
            "max_doc_freq" => selection.max_doc_freq = number(key, value)? as u64,
            "min_word_length" => selection.min_word_length = number(key, value)?,
            "max_word_length" => selection.max_word_length = number(key, value)?,
            "stop_words" => selection.stop_words = object::texts(QUERY, key, value)?,
            "analyzer" => {
                let name = object::text(QUERY, key, value)?;
                context.analyzer(QUERY, &name)?;
                analyzer = Some(name);
            }
            "minimum_should_match" => minimum = object::text(QUERY, key, value)?,
            "boost_terms" => boost_terms = Some(object::float(QUERY, key, value)?).filter(|boost| *boost > 0.0),
            "include" => include = object::truth(QUERY, key, value)?,
            "fail_on_unsupported_field" => fail_on_unsupported_field = object::truth(QUERY, key, value)?,
            _ if common.take(QUERY, key, value)? => {}
            _ => return Err(object::unknown(QUERY, key)),
        }
    }
    if like.is_empty() {
        return Err(EsError::parsing("more_like_this requires 'like' to be specified"));
    }
    if fields.as_ref().is_some_and(Vec::is_empty) {
        return Err(EsError::illegal_argument("requires 'fields' to be non-empty"));
    }
    let fields = context.liked_fields(fields, fail_on_unsupported_field)?;
    let (mut like_texts, mut like_fields, mut liked_ids) = (Vec::new(), Vec::new(), Vec::new());
    for item in &like {
        match item {
            Item::Text(text) => like_texts.push(text.clone()),
            Item::Document { id, index, .. } => {
                if index.as_deref().is_none_or(|index| index == context.index) {
                    liked_ids.extend(id.clone());
                }
                like_fields.extend(context.texts_of(item, &fields)?);
            }
        }
    }
    let mut unliked = Vec::new();
    for item in &unlike {
        match item {
            Item::Text(text) => {
                unliked
                    .extend(fields.iter().map(|field| FieldTexts { field: field.clone(), texts: vec![text.clone()] }));
            }
            Item::Document { .. } => unliked.extend(context.texts_of(item, &fields)?),
        }
    }
    let similar = Query::MoreLikeThis(MoreLikeThisQuery {
        fields,
        like_texts,
        like_fields,
        unlike: unliked,
        selection,
        minimum_should_match: minimum,
        boost_terms,
        analyzer,
    });
    let query = if include || liked_ids.is_empty() {
        similar
    } else {
        let must_not = vec![Query::Ids(IdsQuery { values: liked_ids })];
        Query::Bool(BoolQuery { should: vec![similar], must_not, ..BoolQuery::default() })
    };
    Ok(common.around(query))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
fn items(key: &str, value: &Value) -> EsResult<Vec<Item>> {
    match value {
        Value::Array(values) => values.iter().map(|value| item(key, value)).collect(),
        other => Ok(vec![item(key, other)?]),
    }
}

fn item(key: &str, value: &Value) -> EsResult<Item> {
    let Value::Object(members) = value else { return Ok(Item::Text(object::text(QUERY, key, value)?)) };
    let (mut index, mut id, mut doc, mut fields) = (None, None, None, None);
    for (key, value) in members {
        match key.as_str() {
            "_index" => index = Some(object::text(QUERY, key, value)?),
            "_id" => id = Some(object::text(QUERY, key, value)?),
            "doc" => doc = Some(value.clone()),
            "fields" => fields = Some(object::texts(QUERY, key, value)?),
            "_routing" | "routing" => drop(object::text(QUERY, key, value)?),
            "per_field_analyzer" | "version" | "version_type" => return Err(object::unsupported(QUERY, key)),
            _ => return Err(EsError::parsing(format!("failed to parse More Like This item. unknown field [{key}]"))),
        }
    }
    if id.is_some() == doc.is_some() {
        return Err(EsError::parsing(
            "failed to parse More Like This item. either [_id] or [doc] can be specified, but not both!",
        ));
    }
    Ok(Item::Document { index, id, doc, fields })
}

impl QueryContext<'_> {
    fn liked_fields(&self, named: Option<Vec<String>>, fail: bool) -> EsResult<Vec<String>> {
        let Some(named) = named else {
            return Ok(self.expand("*", super::field::Kind::has_terms));
        };
        let mut fields = Vec::new();
        for pattern in &named {
            for name in self.expand(pattern, super::field::Kind::has_terms) {
                match self.find(&name).map(|field| kind_of(&field)) {
                    None => {}
                    Some(kind) if kind.has_terms() => fields.push(name),
                    Some(_) if fail => {
                        return Err(self.cannot_create(
                            "illegal_argument_exception",
                            format!("more_like_this only supports text/keyword fields: [{name}]"),
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(fields)
    }

    /// The texts of a liked document in the fields that count.
    fn texts_of(&self, item: &Item, fields: &[String]) -> EsResult<Vec<FieldTexts>> {
        let Item::Document { index, id, doc, fields: own } = item else { return Ok(Vec::new()) };
        let source = match (doc, id) {
            (Some(doc), _) => doc.clone(),
            (None, Some(id)) => {
                let index = index.as_deref().unwrap_or(self.index);
                match (self.get)(index, &DocumentId::from(id.as_str()))? {
                    Some(source) => Value::Object(source),
                    None => return Ok(Vec::new()),
                }
            }
            (None, None) => return Ok(Vec::new()),
        };
        let mut found = Vec::new();
        for field in own.as_deref().unwrap_or(fields) {
            let mut values = Vec::new();
            for path in self.source_paths(field) {
                values.extend(values_at(&source, &path));
            }
            let mut texts = Vec::new();
            values.iter().for_each(|value| collect_texts(value, &mut texts));
            if !texts.is_empty() {
                found.push(FieldTexts { field: field.clone(), texts });
            }
        }
        Ok(found)
    }

    /// The paths in a source that a field's values come from.
    fn source_paths(&self, name: &str) -> Vec<String> {
        let fields = self.definition.fields().unwrap_or_default();
        let found = fields.into_iter().find(|field| field.path == name);
        found.map_or_else(|| vec![name.to_string()], |field| field.sources)
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        other => texts.extend(object::plain(other)),
    }
}
