//! A judged collection in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::document::DocumentId;
use crate::error::{Error, Result};

/// Judgments: query id to document id to grade.
pub type Judgments = HashMap<String, HashMap<String, i32>>;

/// A judged collection.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// (id, text), in the file's order, of the queries with at least one relevant document.
    pub queries: Vec<(String, String)>,
    /// The judgments.
    pub qrels: Judgments,
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id", alias = "id", alias = "query_id")]
    id: serde_json::Value,
    #[serde(alias = "query")]
    text: String,
}

impl Dataset {
    /// Reads queries and judgments (`qrels/{qrels}.tsv`); the corpus stays where it is ([`Dataset::folder`]).
    ///
    /// # Errors
    /// `NotFound` naming the missing file; `InvalidInput` with file and line for a malformed one.
    pub fn open(folder: impl AsRef<Path>, qrels: &str) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let qrels = read_qrels(&folder.join("qrels").join(format!("{qrels}.tsv")))?;
        let mut queries = read_queries(&folder.join("queries.jsonl"))?;
        queries.retain(|(id, _)| qrels.get(id).is_some_and(|judged| judged.values().any(|&grade| grade > 0)));
        Ok(Self { name: name.unwrap_or_else(|| "dataset".to_string()), folder, queries, qrels })
    }
}

/// Queries of a JSONL file (`{"_id": .., "text": ..}`) or of a file with `id<TAB>text` lines: (id, text) in its order.
///
/// # Errors
/// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line or an id that occurs twice.
pub fn read_queries(file: &Path) -> Result<Vec<(String, String)>> {
    let mut queries: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (line_number, line) in lines(file)? {
        let line = line?;
        let at = |text: String| Error::invalid_input(text).at_line(line_number).in_file(file);
        let (id, text) = if line.trim_start().starts_with('{') {
            let query: QueryLine = serde_json::from_str(&line)
                .map_err(|error| at(format!("is no query ({error}); expected {{\"_id\": .., \"text\": ..}}")))?;
            let id = query.id.as_str().map_or_else(|| query.id.to_string(), str::to_string);
            (id, query.text)
        } else if line.trim().is_empty() {
            continue;
        } else {
            let (id, text) =
                line.split_once('\t').ok_or_else(|| at("is neither JSON nor `id<TAB>text`".to_string()))?;
            (id.to_string(), text.to_string())
        };
        if !seen.insert(id.clone()) {
            return Err(at(format!("query {id:?} occurs twice")));
        }
        queries.push((id, text));
    }
    Ok(queries)
}

/// Judgments of a BEIR file (`query-id<TAB>corpus-id<TAB>score`, with or without the header) or a TREC one (`query 0 document grade`).
///
/// # Errors
/// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line.
pub fn read_qrels(file: &Path) -> Result<Judgments> {
    let mut qrels = Judgments::new();
    for (line_number, line) in lines(file)? {
        let line = line?;
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (query, document, grade) = match columns.as_slice() {
            [] => continue,
            ["query-id", "corpus-id", "score"] if line_number == 1 => continue,
            [query, document, grade] | [query, _, document, grade] => (*query, *document, *grade),
            _ => {
                let text = format!(
                    "has {} columns, expected `query document grade` or `query 0 document grade`",
                    columns.len()
                );
                return Err(Error::invalid_input(text).at_line(line_number).in_file(file));
            }
        };
        let grade: i32 = grade.parse().map_err(|_| {
            Error::invalid_input(format!("has the grade {grade:?}, expected a whole number"))
                .at_line(line_number)
                .in_file(file)
        })?;
        qrels.entry(query.to_string()).or_default().insert(document.to_string(), grade);
    }
    Ok(qrels)
}

/// A TREC run (`query Q0 document rank score tag`): the documents of each query, in the file's order.
///
/// # Errors
/// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line.
pub fn read_run(file: &Path) -> Result<HashMap<String, Vec<DocumentId>>> {
    let mut run: HashMap<String, Vec<DocumentId>> = HashMap::new();
    for (line_number, line) in lines(file)? {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [query, _, document, _rank, _score, _tag] => {
                run.entry((*query).to_string()).or_default().push(DocumentId::from((*document).to_string()));
            }
            columns => {
                let text = format!("has {} columns, expected `query Q0 document rank score tag`", columns.len());
                return Err(Error::invalid_input(text).at_line(line_number).in_file(file));
            }
        }
    }
    Ok(run)
}

fn lines(file: &Path) -> Result<impl Iterator<Item = (u64, Result<String>)>> {
    let reader = BufReader::new(fs_err::File::open(file)?);
    let file = file.to_path_buf();
    Ok((1..).zip(reader.lines()).map(move |(line_number, line)| {
        let line = line.map_err(|error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                return Error::invalid_input("is not UTF-8").at_line(line_number).in_file(&file);
            }
            Error::from(error)
        });
        (line_number, line)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn both_forms_of_qrels_are_read() {
        let beir = read_qrels(file("query-id\tcorpus-id\tscore\nq1\td1\t2\n").path()).unwrap();
        let trec = read_qrels(file("q1 0 d1 2\n").path()).unwrap();
        assert_eq!(beir, trec);
        assert_eq!(beir["q1"]["d1"], 2);
    }

    #[test]
    fn malformed_lines_are_named() {
        let error = read_qrels(file("q1 0 d1 2\nq1 d2\n").path()).unwrap_err();
        assert_eq!(error.location().line, Some(2));
        let error = read_queries(file("{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": 1}\n").path()).unwrap_err();
        assert_eq!(error.location().line, Some(2));
        assert!(read_queries(file("1\ta\n1\tb\n").path()).unwrap_err().to_string().contains("twice"));
        let error = read_run(file("1 Q0 d1 1 2.5 tag\n1 d2\n").path()).unwrap_err();
        assert_eq!(error.location().line, Some(2));
    }
}
