//! `_analyze`: the tokens of a text by an analyzer, a field, or parts that the request names.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::index::lexical::analyze::{AnalyzedToken, Explanation, Limits, analyze, explain};
use crate::index::lexical::{Analyzer, Analyzers, Part};
use crate::schema::flatten::{FieldKind, TextShape};
use crate::schema::{IndexDefinition, Settings};
use crate::server::state::AppState;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/_analyze", get(answer).post(answer)).route("/{index}/_analyze", get(answer).post(answer))
}

/// Positions between two texts where the request names the parts of an analyzer.
const CUSTOM_GAP: u32 = 100;

/// What a request asks for.
#[derive(Debug, Default)]
struct Wanted {
    texts: Vec<String>,
    analyzer: Option<String>,
    field: Option<String>,
    normalizer: Option<String>,
    tokenizer: Option<Part>,
    filters: Vec<Part>,
    char_filters: Vec<Part>,
    explain: bool,
    attributes: Vec<String>,
}

async fn answer(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let index = params.str("index").map(str::to_string).or(target.map(|Path(index)| index));
    params.finish()?;
    let body = body.required_object()?;
    app.clone()
        .search(move || {
            let wanted = Wanted::read(body)?;
            let definition = match &index {
                Some(index) => Some(app.catalog.one(index)?.shard()?.definition()),
                None => None,
            };
            wanted.answer(definition.as_ref()).map(EsResponse::json)
        })
        .await
}

impl Wanted {
    fn read(body: Map<String, Value>) -> EsResult<Self> {
        let mut wanted = Self::default();
        for (name, value) in body {
            let wrong = || {
                let text =
                    format!("Unknown parameter [{name}] in request body or parameter is of the wrong type[{value}]");
                EsError::illegal_argument(text)
            };
            let text = |value: &Value| value.as_str().map(str::to_string).ok_or_else(wrong);
            let texts = |value: &Value| match value.as_array() {
                Some(values) => values.iter().map(text).collect::<EsResult<Vec<String>>>(),
                None => Ok(vec![text(value)?]),
            };
            let parts = |value: &Value| match value.as_array() {
                Some(values) => {
                    values.iter().map(|value| Ok(Part::from_value(value)?)).collect::<EsResult<Vec<Part>>>()
                }
                None => Ok(vec![Part::from_value(value)?]),
            };
            match name.as_str() {
                "text" => wanted.texts = texts(&value)?,
                "analyzer" => wanted.analyzer = Some(text(&value)?),
                "field" => wanted.field = Some(text(&value)?),
                "normalizer" => wanted.normalizer = Some(text(&value)?),
                "tokenizer" => wanted.tokenizer = Some(Part::from_value(&value)?),
                "filter" => wanted.filters = parts(&value)?,
                "char_filter" => wanted.char_filters = parts(&value)?,
                "explain" => wanted.explain = value.as_bool().ok_or_else(wrong)?,
                "attributes" => wanted.attributes = texts(&value)?,
                _ => return Err(wrong()),
            }
        }
        if wanted.texts.is_empty() {
            return Err(invalid("text is missing"));
        }
        Ok(wanted)
    }

    fn answer(&self, definition: Option<&IndexDefinition>) -> EsResult<Value> {
        let settings = definition.map_or_else(Settings::default, |definition| definition.settings.clone());
        let analyzers = Analyzers::new(&settings.index)?;
        let (analyzer, position_gap) = self.analyzer(definition, &analyzers)?;
        let limits = Limits { position_gap, max_tokens: analyzers.max_token_count() };
        if !self.explain {
            let tokens = analyze(&analyzer, &self.texts, limits)?;
            return Ok(json!({"tokens": tokens.iter().map(|token| self.print(token)).collect::<Vec<_>>()}));
        }
        let tokens = |tokens: &[AnalyzedToken]| tokens.iter().map(|token| self.print(token)).collect::<Vec<Value>>();
        let named = |name: &str, found: &[AnalyzedToken]| json!({"name": name, "tokens": tokens(found)});
        let detail = match explain(&analyzer, &self.texts, limits)? {
            Explanation::BuiltIn { name, tokens } => {
                json!({"custom_analyzer": false, "analyzer": named(&name, &tokens)})
            }
            Explanation::Custom { char_filters, tokenizer: (name, found), filters } => {
                let mut detail = Map::new();
                detail.insert("custom_analyzer".to_string(), json!(true));
                let told = char_filters.iter().map(|(name, texts)| json!({"name": name, "filtered_text": texts}));
                detail.insert("charfilters".to_string(), told.collect());
                detail.insert("tokenizer".to_string(), named(&name, &found));
                let told = filters.iter().map(|(name, tokens)| named(name, tokens));
                detail.insert("tokenfilters".to_string(), told.collect());
                Value::Object(detail)
            }
        };
        Ok(json!({"detail": detail}))
    }

    /// The analyzer that is asked for, and the positions between two texts.
    fn analyzer(&self, definition: Option<&IndexDefinition>, analyzers: &Analyzers) -> EsResult<(Analyzer, u32)> {
        let has_parts = !self.filters.is_empty() || !self.char_filters.is_empty();
        if let Some(name) = &self.normalizer {
            if self.tokenizer.is_some() || self.analyzer.is_some() {
                return Err(invalid("tokenizer/analyze should be null if normalizer is specified"));
            }
            if definition.is_none() {
                return Err(invalid("index is required if normalizer is specified"));
            }
            if has_parts {
                return Err(invalid("cannot define extra components on a named normalizer"));
            }
            let missing = |_| EsError::illegal_argument(format!("failed to find normalizer under [{name}]"));
            return Ok((analyzers.normalizer(name).map_err(missing)?, 0));
        }
        if let Some(name) = &self.analyzer {
            if self.tokenizer.is_some() || has_parts {
                return Err(invalid("cannot define extra components on a named analyzer"));
            }
            let global = if definition.is_some() { "" } else { "global " };
            let found = analyzers.get(name).map_err(|error| {
                // Elasticsearch has one of this name.
                if error.kind() == crate::ErrorKind::Unsupported {
                    return error.into();
                }
                EsError::illegal_argument(format!("failed to find {global}analyzer [{name}]"))
            })?;
            // A built-in analyzer puts nothing between texts unless a field does.
            let gap = if analyzers.defines(name) { found.position_increment_gap() } else { 0 };
            return Ok((found, gap));
        }
        if self.tokenizer.is_some() || has_parts {
            // Filters alone make a normalizer, which takes the text as one token.
            let made = analyzers.assemble(&self.char_filters, self.tokenizer.as_ref(), &self.filters)?;
            // Where every step is shown, Elasticsearch puts nothing between.
            return Ok((made, if self.explain { 0 } else { CUSTOM_GAP }));
        }
        let Some(path) = &self.field else {
            let gap = if definition.is_some() { analyzers.default_analyzer().position_increment_gap() } else { 0 };
            return Ok((analyzers.default_analyzer(), gap));
        };
        let Some(definition) = definition else {
            return Err(EsError::illegal_argument("analysis based on a specific field requires an index"));
        };
        let field = definition.fields()?.into_iter().find(|field| field.path == *path);
        match field.map(|field| field.kind) {
            Some(FieldKind::Text(text)) => {
                let analyzer = analyzers.get(&text.analyzer)?;
                let shaped = match text.shape {
                    TextShape::Words => analyzer,
                    TextShape::Shingles(size) => analyzer.with_shingles(size),
                    TextShape::ShinglePrefixes(size) => analyzer.with_shingle_prefixes(size),
                };
                Ok((shaped, text.position_increment_gap))
            }
            Some(FieldKind::Keyword { normalizer: Some(name), .. }) => Ok((analyzers.normalizer(&name)?, 0)),
            Some(FieldKind::Keyword { .. }) => Ok((analyzers.get("keyword")?, 0)),
            // A field that is not there yet would become a text.
            None => Ok(with_own_gap(analyzers.default_analyzer())),
            Some(_) => Err(EsError::illegal_argument(format!(
                "Can't process field [{path}], Analysis requests are only supported on tokenized fields"
            ))),
        }
    }

    fn print(&self, token: &AnalyzedToken) -> Value {
        let mut printed = Map::new();
        printed.insert("token".to_string(), json!(token.token));
        printed.insert("start_offset".to_string(), json!(token.start_offset));
        printed.insert("end_offset".to_string(), json!(token.end_offset));
        printed.insert("type".to_string(), json!(token.kind));
        printed.insert("position".to_string(), json!(token.position));
        if token.position_length > 1 {
            printed.insert("positionLength".to_string(), json!(token.position_length));
        }
        if self.explain {
            // All that Lucene's attributes say; its names of them count, too (`org.apache...KeywordAttribute#keyword`).
            let wants = |name: &str| {
                self.attributes.is_empty() || self.attributes.iter().any(|one| one.rsplit('#').next() == Some(name))
            };
            if wants("bytes") {
                let bytes: Vec<String> = token.token.bytes().map(|byte| format!("{byte:x}")).collect();
                printed.insert("bytes".to_string(), json!(format!("[{}]", bytes.join(" "))));
            }
            if let Some(keyword) = token.keyword.filter(|_| wants("keyword")) {
                printed.insert("keyword".to_string(), json!(keyword));
            }
            printed.remove("positionLength");
            if wants("positionLength") {
                printed.insert("positionLength".to_string(), json!(token.position_length));
            }
            if wants("termFrequency") {
                printed.insert("termFrequency".to_string(), json!(1));
            }
        }
        Value::Object(printed)
    }
}

/// A request that contradicts itself.
fn invalid(why: &str) -> EsError {
    EsError::new(400, "action_request_validation_exception", format!("Validation Failed: 1: {why};"))
}

/// With the positions that the analyzer puts between two texts.
fn with_own_gap(analyzer: Analyzer) -> (Analyzer, u32) {
    let gap = analyzer.position_increment_gap();
    (analyzer, gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: Value) -> EsResult<Value> {
        Wanted::read(body.as_object().unwrap().clone())?.answer(None)
    }

    #[test]
    fn texts_are_analysed_or_refused() {
        let tokens = answer(json!({"text": ["Two Words", "more"]})).unwrap();
        assert_eq!(
            tokens["tokens"][1],
            json!({"token": "words", "start_offset": 4, "end_offset": 9, "type": "<ALPHANUM>", "position": 1})
        );
        assert_eq!(
            tokens["tokens"][2],
            json!({"token": "more", "start_offset": 10, "end_offset": 14, "type": "<ALPHANUM>", "position": 2})
        );
        let parts = json!({"text": "A b", "tokenizer": "whitespace", "filter": ["lowercase", {"type": "stop", "stopwords": ["a"]}]});
        assert_eq!(
            answer(parts).unwrap()["tokens"],
            json!([{"token": "b", "start_offset": 2, "end_offset": 3, "type": "word", "position": 1}])
        );
        for (body, said) in [
            (json!({"analyzer": "standard"}), "text is missing"),
            (json!({"text": "x", "analyzer": "nobody"}), "failed to find global analyzer [nobody]"),
            (json!({"text": "x", "analyzer": "standard", "filter": ["lowercase"]}), "extra components"),
            (json!({"text": "x", "field": "a"}), "requires an index"),
            (json!({"text": "x", "colour": 1}), "Unknown parameter [colour]"),
            (json!({"text": 7}), "Unknown parameter [text]"),
        ] {
            let error = answer(body).unwrap_err();
            assert!(error.reason.contains(said), "{error}");
        }
    }

    #[test]
    fn explain_shows_every_step() {
        let body = json!({"tokenizer": "standard", "char_filter": ["html_strip"], "filter": ["lowercase", {"type": "stop", "stopwords": ["a"]}],
            "text": ["<b>A B", "c"], "explain": true, "attributes": ["bytes"]});
        let token = |token: &str, start: u32, position: u32, bytes: &str| json!({"token": token, "start_offset": start, "end_offset": start + 1, "type": "<ALPHANUM>", "position": position, "bytes": bytes});
        // As a real OpenSearch answers.
        assert_eq!(
            answer(body).unwrap()["detail"],
            json!({"custom_analyzer": true,
                "charfilters": [{"name": "html_strip", "filtered_text": ["A B", "c"]}],
                "tokenizer": {"name": "standard", "tokens": [token("A", 3, 0, "[41]"), token("B", 5, 1, "[42]"), token("c", 7, 2, "[63]")]},
                "tokenfilters": [
                    {"name": "lowercase", "tokens": [token("a", 3, 0, "[61]"), token("b", 5, 1, "[62]"), token("c", 7, 2, "[63]")]},
                    {"name": "__anonymous__stop", "tokens": [token("b", 5, 1, "[62]"), token("c", 7, 2, "[63]")]}]})
        );
        let body = json!({"analyzer": "english", "text": "A Bs", "explain": true});
        assert_eq!(
            answer(body).unwrap()["detail"],
            json!({"custom_analyzer": false, "analyzer": {"name": "english", "tokens": [
                {"token": "bs", "start_offset": 2, "end_offset": 4, "type": "<ALPHANUM>", "position": 1, "bytes": "[62 73]",
                    "keyword": false, "positionLength": 1, "termFrequency": 1}]}})
        );
    }

    #[test]
    fn an_index_has_analyzers_and_fields_of_its_own() {
        let definition = IndexDefinition::from_value(&json!({
            "settings": {"analysis": {
                "analyzer": {"mine": {"tokenizer": "standard", "filter": ["lowercase"], "position_increment_gap": 7}},
                "normalizer": {"flat": {"filter": ["lowercase", "asciifolding"]}}}},
            "mappings": {"properties": {
                "t": {"type": "text", "analyzer": "mine"}, "k": {"type": "keyword", "normalizer": "flat"}, "n": {"type": "integer"}}}}))
        .unwrap();
        let ask = |body: Value| -> EsResult<Value> {
            Wanted::read(body.as_object().unwrap().clone())?.answer(Some(&definition))
        };
        let places = |body: Value| -> Vec<(String, u64)> {
            let answer = ask(body).unwrap();
            let tokens = answer["tokens"].as_array().unwrap();
            tokens
                .iter()
                .map(|token| (token["token"].as_str().unwrap().to_string(), token["position"].as_u64().unwrap()))
                .collect()
        };
        let place = |token: &str, position| (token.to_string(), position);
        assert_eq!(
            places(json!({"analyzer": "mine", "text": ["A b", "c"]})),
            [place("a", 0), place("b", 1), place("c", 9)]
        );
        assert_eq!(
            places(json!({"field": "t", "text": ["A b", "c"]})),
            [place("a", 0), place("b", 1), place("c", 102)]
        );
        assert_eq!(places(json!({"field": "k", "text": "\u{c9} b"})), [place("e b", 0)]);
        assert_eq!(places(json!({"normalizer": "flat", "text": ["\u{c9} b", "C"]})), [place("e b", 0), place("c", 1)]);
        assert_eq!(places(json!({"field": "absent", "text": "12 A"})), [place("12", 0), place("a", 1)]);
        for (body, said) in [
            (json!({"field": "n", "text": "1"}), "only supported on tokenized fields"),
            (json!({"analyzer": "nobody", "text": "1"}), "failed to find analyzer [nobody]"),
            (json!({"normalizer": "nobody", "text": "1"}), "failed to find normalizer under [nobody]"),
            (json!({"normalizer": "flat", "analyzer": "mine", "text": "1"}), "tokenizer/analyze should be null"),
        ] {
            let error = ask(body).unwrap_err();
            assert!(error.reason.contains(said), "{error}");
        }
    }
}
