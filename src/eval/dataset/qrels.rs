//! Judgments: BEIR's tables, TREC's qrels, JSON lines.

use std::path::Path;

use serde_json::{Map, Value};

use super::Judgments;
use crate::error::{Error, Result};
use crate::eval::lines::Lines;

/// What the query, the document and the grade are called in JSON lines.
const QUERY_KEYS: [&str; 5] = ["query_id", "query-id", "qid", "query", "topic"];
const DOCUMENT_KEYS: [&str; 8] = ["doc_id", "corpus-id", "corpus_id", "document", "docid", "docno", "doc", "_id"];
const GRADE_KEYS: [&str; 6] = ["relevance", "score", "grade", "rel", "label", "relevance_label"];

/// Judgments of a BEIR file (`query-id<TAB>corpus-id<TAB>score`, with or without a header), a TREC one (`query 0 document grade`), or
/// JSON lines (`{"query_id": .., "doc_id": .., "relevance": ..}`; also `query-id`, `qid`; `corpus-id`, `document`, `docid`; `score`,
/// `grade`). gzip and zstd are undone. A judgment that stands there twice counts once.
///
/// # Errors
/// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line, a grade that is no whole number, or
/// a document that has two grades for one query; `InvalidInput` for a file without judgments.
pub fn read_qrels(file: &Path) -> Result<Judgments> {
    let mut qrels = Judgments::new();
    let mut lines = Lines::open(file)?;
    while let Some((line_number, line)) = lines.next_line()? {
        let at = |message: String| Error::invalid_input(message).at_line(line_number).in_file(file);
        if line.trim().is_empty() || (line_number == 1 && is_header(line)) {
            continue;
        }
        let is_json = line.trim_start().starts_with('{');
        let (query, document, grade) = if is_json { from_json(line) } else { from_columns(line) }.map_err(at)?;
        let judged = qrels.entry(query).or_default();
        if let Some(&before) = judged.get(&document)
            && before != grade
        {
            return Err(at(format!("grades document {document:?} {grade}, an earlier line {before}; keep one")));
        }
        judged.insert(document, grade);
    }
    if qrels.is_empty() {
        return Err(Error::invalid_input("has no judgments").in_file(file));
    }
    Ok(qrels)
}

fn is_header(line: &str) -> bool {
    let last = line.split_whitespace().next_back().unwrap_or_default().to_ascii_lowercase();
    GRADE_KEYS.contains(&last.as_str()) && line.split_whitespace().count() >= 3
}

fn from_columns(line: &str) -> Result<(String, String, i32), String> {
    // Ids may hold blanks where tabs part the columns.
    let by_tabs: Vec<&str> = line.split('\t').map(str::trim).collect();
    let columns = if matches!(by_tabs.len(), 3 | 4) { by_tabs } else { line.split_whitespace().collect() };
    match columns.as_slice() {
        [query, document, text] | [query, _, document, text] => {
            if query.is_empty() || document.is_empty() {
                return Err("has an empty id".to_string());
            }
            let grade = text.parse().map_err(|_| no_grade(&format!("{text:?}")))?;
            Ok(((*query).to_string(), (*document).to_string(), grade))
        }
        columns => {
            Err(format!("has {} columns, expected `query document grade` or `query 0 document grade`", columns.len()))
        }
    }
}

fn no_grade(text: &str) -> String {
    format!("has the grade {text}, expected a whole number such as 0, 1 or 2")
}

fn from_json(line: &str) -> Result<(String, String, i32), String> {
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("is no JSON object ({error})"))?;
    let get = |keys: &[&str]| -> Result<&Value, String> {
        let value = keys.iter().find_map(|&key| object.get(key));
        value.ok_or_else(|| {
            format!("lacks {}; expected {{\"query_id\": .., \"doc_id\": .., \"relevance\": ..}}", keys.join(" or "))
        })
    };
    let id = |keys: &[&str]| match get(keys)? {
        Value::String(id) if !id.is_empty() => Ok(id.clone()),
        Value::Number(id) => Ok(id.to_string()),
        other @ (Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("has the id {other}, expected text"))
        }
    };
    let grade = get(&GRADE_KEYS)?;
    let whole = grade.as_i64().or_else(|| grade.as_str()?.parse().ok()).and_then(|grade| i32::try_from(grade).ok());
    Ok((id(&QUERY_KEYS)?, id(&DOCUMENT_KEYS)?, whole.ok_or_else(|| no_grade(&grade.to_string()))?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Judgments> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read_qrels(file.path())
    }

    #[test]
    fn every_form_of_qrels_is_read_alike() {
        let forms = [
            "query-id\tcorpus-id\tscore\nq1\td1\t2\n",
            "q1\td1\t2\r\n\n",
            "\u{feff}q1 0 d1 2\n",
            "q1\t0\td1\t2",
            "{\"query_id\": \"q1\", \"doc_id\": \"d1\", \"relevance\": 2}\n",
            "{\"query-id\": \"q1\", \"corpus-id\": \"d1\", \"score\": \"2\"}\n",
            "{\"qid\": \"q1\", \"document\": \"d1\", \"grade\": 2, \"by\": \"me\"}\n{\"qid\": \"q1\", \"document\": \"d1\", \"grade\": 2}",
        ];
        for form in forms {
            let qrels = read(form).unwrap();
            assert_eq!(qrels.len(), 1, "{form}");
            assert_eq!(qrels["q1"]["d1"], 2, "{form}");
        }
        assert_eq!(read("what is this\tdoc 1\t-1\n").unwrap()["what is this"]["doc 1"], -1);
    }

    #[test]
    fn malformed_lines_are_named() {
        let cases = [
            ("q1 0 d1 2\nq1 d2\n", 2, "2 columns"),
            ("q1 0 d1 1\nq2 0 d1 0.5\n", 2, "\"0.5\""),
            ("q1 0 d1 high\n", 1, "whole number"),
            ("q1\t\t1\n", 1, "empty id"),
            ("q1 0 d1 1\nq1 0 d1 2\n", 2, "an earlier line 1"),
            ("q1 0 d1 1\nquery-id\tcorpus-id\tscore\n", 2, "\"score\""),
            ("{\"query_id\": \"q1\", \"doc_id\": \"d1\"}\n", 1, "lacks relevance"),
            ("{\"query_id\": \"q1\", \"doc_id\": \"d1\", \"relevance\": 1.5}\n", 1, "1.5"),
            ("{\"query_id\": [], \"doc_id\": \"d1\", \"relevance\": 1}\n", 1, "expected text"),
            ("{\"query_id\": \n", 1, "no JSON object"),
        ];
        for (text, line, reason) in cases {
            let error = read(text).unwrap_err();
            assert_eq!(error.location().line, Some(line), "{text}");
            assert!(error.location().file.is_some());
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(read("\n").unwrap_err().to_string().contains("no judgments"));
    }

    proptest! {
        #[test]
        fn printed_qrels_read_as_themselves(
            rows in proptest::collection::btree_map(("[!-z]{1,5}", "[!-z]{1,5}"), -2..4_i32, 1..30)
        ) {
            let text: String = rows.iter().map(|((query, document), grade)| format!("{query} 0 {document} {grade}\n")).collect();
            prop_assume!(!text.starts_with('{'));
            let mut expected = Judgments::new();
            for ((query, document), grade) in rows {
                prop_assume!(!query.starts_with('{'));
                expected.entry(query).or_default().insert(document, grade);
            }
            prop_assert_eq!(read(&text).unwrap(), expected);
        }
    }
}
