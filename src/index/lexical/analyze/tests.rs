//! Analyzers against what a real OpenSearch answered (`fixtures/opensearch/analyze.json`, by `analyze.py` beside it).

use serde_json::{Value, json};

use super::*;
use crate::index::lexical::{Analyzers, Part};
use crate::schema::Settings;

fn recorded() -> Value {
    serde_json::from_str(include_str!("../../../../fixtures/opensearch/analyze.json")).unwrap()
}

fn parts(request: &Value, key: &str) -> Vec<Part> {
    request[key].as_array().into_iter().flatten().map(|part| Part::from_value(part).unwrap()).collect()
}

fn analyzer_of(analyzers: &Analyzers, request: &Value) -> Result<Analyzer> {
    if let Some(name) = request["analyzer"].as_str() {
        return analyzers.get(name);
    }
    let tokenizer = request.get("tokenizer").map(|part| Part::from_value(part).unwrap());
    analyzers.assemble(&parts(request, "char_filter"), tokenizer.as_ref(), &parts(request, "filter"))
}

fn printed(tokens: &[AnalyzedToken]) -> Value {
    let print = |token: &AnalyzedToken| {
        let mut fields = vec![
            json!(token.token),
            json!(token.start_offset),
            json!(token.end_offset),
            json!(token.kind),
            json!(token.position),
        ];
        if token.position_length > 1 {
            fields.push(json!(token.position_length));
        }
        Value::Array(fields)
    };
    tokens.iter().map(print).collect()
}

#[test]
fn analyzers_answer_as_opensearch() {
    let recorded = recorded();
    let settings = Settings::from_value(&recorded["settings"]).unwrap();
    let analyzers = Analyzers::new(&settings.index).unwrap();
    let limits = Limits { position_gap: 0, max_tokens: 10_000 };
    let cases = recorded["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let tokens = match analyzer_of(&analyzers, &case["request"]) {
            Ok(analyzer) => printed(&analyze(&analyzer, &[text], limits).unwrap()),
            Err(error) => json!(error.to_string()),
        };
        if tokens != case["tokens"] {
            wrong.push(format!("{}\n  of {text:?}\n  ours   {tokens}\n  theirs {}", case["request"], case["tokens"]));
        }
    }
    assert!(cases.len() > 900);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
