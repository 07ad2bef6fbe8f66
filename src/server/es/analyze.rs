//! `_analyze`: the tokens of a text by an analyzer, a field, or parts that the request names.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::index::lexical::analyze::{AnalyzedToken, Explanation, Limits, analyze, explain};
use crate::index::lexical::{Analyzer, Analyzers, Part};
use crate::schema::flatten::FieldKind;
use crate::schema::{IndexDefinition, Settings};
use crate::server::state::AppState;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/_analyze", get(answer).post(answer)).route("/{index}/_analyze", get(answer).post(answer))
}

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
            let texts = |value: &Value| match value {
                Value::Array(values) => values.iter().map(text).collect::<EsResult<Vec<String>>>(),
                one => Ok(vec![text(one)?]),
            };
            let parts = |value: &Value| match value {
                Value::Array(values) => values.iter().map(|value| Ok(Part::from_value(value)?)).collect(),
                _ => Err(wrong()),
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
            let text = "Validation Failed: 1: text is missing;";
            return Err(EsError::new(400, "action_request_validation_exception", text));
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
                if !char_filters.is_empty() {
                    let told = char_filters.iter().map(|(name, texts)| json!({"name": name, "filtered_text": texts}));
                    detail.insert("charfilters".to_string(), told.collect());
                }
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
        if let Some(name) = &self.analyzer {
            if self.tokenizer.is_some() || has_parts || self.normalizer.is_some() {
                return Err(EsError::illegal_argument("cannot define extra components on a named analyzer"));
            }
            let found = analyzers.get(name).map_err(|_| match definition {
                Some(_) => EsError::illegal_argument(format!("analyzer [{name}] has not been configured in mappings")),
                None => EsError::illegal_argument(format!("failed to find global analyzer [{name}]")),
            });
            return Ok(with_own_gap(found?));
        }
        if let Some(name) = &self.normalizer {
            if self.tokenizer.is_some() || has_parts {
                return Err(EsError::illegal_argument("cannot define extra components on a named normalizer"));
            }
            if definition.is_none() {
                return Err(EsError::illegal_argument("analysis based on a normalizer requires an index"));
            }
            let found = analyzers
                .normalizer(name)
                .map_err(|_| EsError::illegal_argument(format!("failed to find normalizer under [{name}]")))?;
            return Ok(with_own_gap(found));
        }
        if self.tokenizer.is_some() || has_parts {
            // Filters alone make a normalizer, which takes the text as one token.
            return Ok(with_own_gap(analyzers.assemble(&self.char_filters, self.tokenizer.as_ref(), &self.filters)?));
        }
        let Some(path) = &self.field else { return Ok(with_own_gap(analyzers.default_analyzer())) };
        let Some(definition) = definition else {
            return Err(EsError::illegal_argument("analysis based on a specific field requires an index"));
        };
        let field = definition.fields()?.into_iter().find(|field| field.path == *path);
        match field.map(|field| field.kind) {
            Some(FieldKind::Text(text)) => Ok((analyzers.get(&text.analyzer)?, text.position_increment_gap)),
            Some(FieldKind::Keyword { normalizer: Some(name), .. }) => Ok(with_own_gap(analyzers.normalizer(&name)?)),
            Some(FieldKind::Keyword { .. }) => Ok(with_own_gap(analyzers.get("keyword")?)),
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
            let wants = |name: &str| self.attributes.is_empty() || self.attributes.iter().any(|one| one == name);
            if let Some(keyword) = token.keyword.filter(|_| wants("keyword")) {
                printed.insert("keyword".to_string(), json!(keyword));
            }
            // What the tests of Elasticsearch's own documentation show beside the keyword.
            if wants("positionLength") {
                printed.insert("positionLength".to_string(), json!(token.position_length));
            }
        }
        Value::Object(printed)
    }
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
        assert_eq!(tokens["tokens"][2]["position"], 102);
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
}
