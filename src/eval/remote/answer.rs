//! What an engine answers: a list of hits, or why there is none.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use crate::document::DocumentId;
use crate::error::{Error, ErrorKind, Result};
use crate::eval::run::ScoredDocument;

/// The parts of a search response that matter here.
#[derive(Deserialize)]
struct Answer {
    hits: Hits,
    #[serde(default)]
    timed_out: bool,
    #[serde(default, rename = "_shards")]
    shards: Shards,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(default, rename = "_id")]
    id: Value,
    /// Null where the search is sorted by something else; a text where it is no number ("NaN").
    #[serde(default, rename = "_score")]
    score: Value,
    #[serde(default, rename = "_source")]
    source: Value,
}

#[derive(Deserialize, Default)]
struct Shards {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

/// How much of an answer that cannot be read is shown.
const SHOWN_CHARS: usize = 160;

/// The documents of an answer, best first, `depth` at most. Errors read on after the engine's URL.
pub(super) fn read(status: u16, body: &[u8], id_field: Option<&str>, depth: usize) -> Result<Vec<ScoredDocument>> {
    if !(200..300).contains(&status) {
        return Err(refused(status, body));
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let message = format!(
            "answered with no search response ({error}): {}; check that the URL is that of an index",
            beginning(body)
        );
        Error::invalid_input(message).with_source(error)
    })?;
    if answer.shards.failed > 0 {
        let reason = answer.shards.failures.first().and_then(|failure| reason(failure.get("reason")?));
        return Err(Error::invalid_input(format!(
            "answered without {} of its {} shards: {}",
            answer.shards.failed,
            answer.shards.total,
            reason.unwrap_or_else(|| "it does not say why".to_string())
        )));
    }
    if answer.timed_out {
        return Err(Error::invalid_input(
            "ran out of its own time and answered with a part of the hits; raise `timeout` in the template",
        ));
    }
    ranking(&answer.hits.hits, id_field, depth)
}

fn ranking(hits: &[Hit], id_field: Option<&str>, depth: usize) -> Result<Vec<ScoredDocument>> {
    let scores: Option<Vec<f64>> = hits.iter().map(|hit| hit.score.as_f64()).collect();
    // A list sorted by something else may still have scores, which then say nothing of its order.
    let scores = scores.filter(|scores| scores.is_sorted_by(|a, b| a >= b));
    let scores = scores.unwrap_or_else(|| (1..=hits.len()).rev().map(|from_end| from_end as f64).collect());
    let mut seen = HashSet::new();
    let mut ranking = Vec::with_capacity(hits.len().min(depth));
    for (rank, (hit, score)) in (1..).zip(hits.iter().zip(scores)) {
        let id = document_id(hit, id_field, rank)?;
        if ranking.len() < depth && seen.insert(id.clone()) {
            ranking.push(ScoredDocument { id: id.into(), score });
        }
    }
    Ok(ranking)
}

fn document_id(hit: &Hit, id_field: Option<&str>, rank: usize) -> Result<String> {
    let (name, value) = match id_field {
        None => ("_id", Some(&hit.id)),
        Some(field) => (field, lookup(&hit.source, field)),
    };
    // A field may hold a list, as all of Elasticsearch's may.
    let value = value.map(|value| value.as_array().filter(|list| list.len() == 1).map_or(value, |list| &list[0]));
    let id = match value {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    let id = id.filter(|id| !id.is_empty() && id.len() <= DocumentId::MAX_BYTES);
    id.ok_or_else(|| Error::invalid_input(format!("answered with a hit (rank {rank}) that has no id in {name:?}")))
}

/// A field by its dotted path, whether the source nests it or writes it out.
fn lookup<'a>(source: &'a Value, path: &str) -> Option<&'a Value> {
    source.get(path).or_else(|| path.split('.').try_fold(source, |value, name| value.get(name)))
}

/// A status other than success: its meaning, the engine's reason, and what to do.
fn refused(status: u16, body: &[u8]) -> Error {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let error = answer.as_ref().and_then(|answer| answer.get("error"));
    let kind_of_error = error.and_then(|error| error.get("type")).and_then(Value::as_str);
    let said = error.and_then(reason).unwrap_or_else(|| beginning(body));
    let (kind, advice) = match status {
        404 if kind_of_error == Some("index_not_found_exception") => (ErrorKind::NotFound, "; check the index's name"),
        404 => (ErrorKind::NotFound, "; check that the URL is http://host:port/index"),
        401 | 403 => (
            ErrorKind::InvalidInput,
            "; give credentials in the URL (http://user:password@host) or in an engine's file (`api_key`)",
        ),
        429 => (ErrorKind::Busy, "; try again when it has less to do"),
        300..400 => (ErrorKind::InvalidInput, "; give the address that it sends to"),
        400..500 => (ErrorKind::InvalidPlan, ""),
        _ => (ErrorKind::Io, ""),
    };
    Error::new(kind, format!("answered {status}: {said}{advice}"))
}

/// An engine's error in words: what failed, and the innermost cause.
fn reason(error: &Value) -> Option<String> {
    if let Some(text) = error.as_str() {
        return Some(text.to_string());
    }
    let text = |value: &Value| value.get("reason").and_then(Value::as_str).map(str::to_string);
    // The root cause: "all shards failed" alone helps nobody.
    let root = error.get("root_cause").and_then(|causes| causes.get(0)).and_then(text);
    let mut cause = error;
    while let Some(deeper) = cause.get("caused_by") {
        cause = deeper;
    }
    let mut said: Vec<String> = Vec::new();
    for part in [root.or_else(|| text(error)), text(cause)].into_iter().flatten() {
        if !said.iter().any(|earlier| earlier.contains(&part)) {
            said.push(part);
        }
    }
    (!said.is_empty()).then(|| said.join(": "))
}

/// The first words of an answer, in one line.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN_CHARS * 4).unwrap_or(body)).into_owned();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = line.chars().take(SHOWN_CHARS).collect();
    match (shown.is_empty(), shown.len() < line.len()) {
        (true, _) => "nothing".to_string(),
        (false, true) => format!("{shown} .."),
        (false, false) => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(hits: Value) -> Vec<u8> {
        json!({"took": 1, "timed_out": false, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits}})
            .to_string()
            .into_bytes()
    }

    fn pairs(hits: Value, id_field: Option<&str>, depth: usize) -> Vec<(String, f64)> {
        let ranking = read(200, &answer(hits), id_field, depth).unwrap();
        ranking.into_iter().map(|document| (document.id.to_string(), document.score)).collect()
    }

    fn owned(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
        expected.iter().map(|(id, score)| (id.to_string(), *score)).collect()
    }

    #[test]
    fn scores_are_the_engines() {
        let hits = json!([{"_id": "b", "_score": 2.5}, {"_id": "a", "_score": 2.5}, {"_id": "c", "_score": 1}]);
        assert_eq!(pairs(hits.clone(), None, 10), owned(&[("b", 2.5), ("a", 2.5), ("c", 1.0)]));
        assert_eq!(pairs(hits, None, 1), owned(&[("b", 2.5)]));
        assert_eq!(pairs(json!([]), None, 10), []);
    }

    #[test]
    fn lists_without_scores_keep_their_order() {
        let expected = owned(&[("b", 2.0), ("a", 1.0)]);
        for scores in [[json!(null), json!(null)], [json!("NaN"), json!(1)], [json!(1), json!(2)]] {
            assert_eq!(
                pairs(json!([{"_id": "b", "_score": scores[0]}, {"_id": "a", "_score": scores[1]}]), None, 9),
                expected
            );
        }
        assert_eq!(pairs(json!([{"_id": "b"}, {"_id": "a"}]), None, 9), expected);
    }

    #[test]
    fn ids_may_be_a_field_and_a_document_keeps_its_best_place() {
        let hits = json!([
            {"_id": "1", "_score": 3, "_source": {"doc": {"id": 7}}},
            {"_id": "2", "_score": 2, "_source": {"doc.id": "8"}},
            {"_id": "3", "_score": 1, "_source": {"doc": {"id": ["7"]}}},
            {"_id": "4", "_score": 0.5, "_source": {"doc": {"id": "9"}}}]);
        assert_eq!(pairs(hits.clone(), Some("doc.id"), 10), owned(&[("7", 3.0), ("8", 2.0), ("9", 0.5)]));
        assert_eq!(pairs(hits, Some("doc.id"), 2), owned(&[("7", 3.0), ("8", 2.0)]));
        let error = read(200, &answer(json!([{"_id": "1", "_score": 3, "_source": {}}])), Some("doc.id"), 10);
        assert!(error.unwrap_err().to_string().contains("(rank 1) that has no id in \"doc.id\""));
    }

    #[test]
    fn a_part_of_an_answer_is_an_error() {
        let check = |body: Value, words: &[&str]| {
            let error = read(200, body.to_string().as_bytes(), None, 10).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(words.iter().all(|word| error.message().contains(word)), "{error}");
        };
        let failures = json!([{"shard": 0, "reason": {"type": "x", "reason": "out of memory"}}]);
        check(
            json!({"_shards": {"total": 5, "failed": 1, "failures": failures}, "hits": {"hits": []}}),
            &["without 1 of its 5 shards: out of memory"],
        );
        check(json!({"timed_out": true, "hits": {"hits": []}}), &["ran out of its own time"]);
        check(json!({"name": "node", "version": {}}), &["no search response", "missing field `hits`", "\"node\""]);
        check(json!([1]), &["no search response"]);
        let error = read(200, b"<html>\n  <b>Welcome</b>", None, 10).unwrap_err().to_string();
        assert!(error.contains("<html> <b>Welcome</b>;"), "{error}");
        assert!(read(200, b"", None, 10).unwrap_err().to_string().contains("nothing"));
        let long = "\u{e9} ".repeat(2000);
        assert!(read(200, long.as_bytes(), None, 10).unwrap_err().to_string().contains(" ..;"));
    }

    #[test]
    fn statuses_have_kinds_and_the_engines_words() {
        let check = |status: u16, body: &str, kind: ErrorKind, words: &[&str]| {
            let error = read(status, body.as_bytes(), None, 10).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(words.iter().all(|word| error.message().contains(word)), "{error}");
        };
        // As OpenSearch 3.5 answered.
        let no_index = r#"{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [nope]"}],
            "type":"index_not_found_exception","reason":"no such index [nope]","index":"nope"},"status":404}"#;
        check(404, no_index, ErrorKind::NotFound, &["answered 404: no such index [nope]; check the index's name"]);
        let too_many = r#"{"error":{"root_cause":[{"reason":"Result window is too large"}],"type":"search_phase_execution_exception",
            "reason":"all shards failed","caused_by":{"reason":"Result window is too large","caused_by":{"reason":"too large"}}},"status":400}"#;
        check(400, too_many, ErrorKind::InvalidPlan, &["answered 400: Result window is too large"]);
        let unknown = r#"{"error":{"root_cause":[{"reason":"unknown query [multi_mtch]"}],"reason":"unknown query [multi_mtch]",
            "caused_by":{"reason":"[1:26] unknown field"}},"status":400}"#;
        check(400, unknown, ErrorKind::InvalidPlan, &["unknown query [multi_mtch]: [1:26] unknown field"]);
        check(401, r#"{"error":"Unauthorized"}"#, ErrorKind::InvalidInput, &["401: Unauthorized", "api_key"]);
        check(403, "Forbidden", ErrorKind::InvalidInput, &["403: Forbidden"]);
        check(429, "{}", ErrorKind::Busy, &["429: {}"]);
        check(301, "", ErrorKind::InvalidInput, &["301: nothing"]);
        check(503, "<html>Unavailable</html>", ErrorKind::Io, &["503: <html>Unavailable</html>"]);
    }
}
