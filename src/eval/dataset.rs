//! A judged collection: queries, judgments and, in BEIR's layout, a corpus (`corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`; each
//! may be compressed by gzip or zstd).
//!
//! [`queries`](read_queries) and [`qrels`](read_qrels) read the formats there are; [`Dataset::scan`] looks through the corpus once for
//! numbers, for what is wrong, and for what reports say of documents.

mod qrels;
mod queries;
mod scan;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub use qrels::read_qrels;
pub use queries::{TopicField, read_queries, read_queries_with};
pub use scan::{CorpusFacts, check_run, statistics};

/// Judgments: query id to document id to grade.
pub type Judgments = HashMap<String, HashMap<String, i32>>;

/// A judged collection.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder's name, or that of the file of judgments.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// (id, text), in the file's order, of the queries with at least one relevant document.
    pub queries: Vec<(String, String)>,
    /// The judgments.
    pub qrels: Judgments,
    /// The file of the judgments.
    pub qrels_file: PathBuf,
    /// All queries of the file.
    all_queries: Vec<(String, String)>,
}

/// Endings of compressed files.
const COMPRESSED: [&str; 4] = ["", ".gz", ".zst", ".zstd"];

impl Dataset {
    /// Reads queries and judgments of a BEIR folder: `qrels/{qrels}.tsv` (or `.txt`, `.qrels`, `.jsonl`, or the whole name of a file).
    /// Where that is missing and there is only one file in `qrels`, it is taken; see [`Dataset::qrels_file`]. The corpus stays
    /// where it is ([`Dataset::folder`]).
    ///
    /// # Errors
    /// `NotFound` naming the missing file and those there are; `InvalidInput` with file and line for a malformed one.
    pub fn open(folder: impl AsRef<Path>, qrels: &str) -> Result<Self> {
        let folder = folder.as_ref();
        if !folder.is_dir() {
            let message = "is no folder; expected one with corpus.jsonl, queries.jsonl and qrels/test.tsv";
            return Err(Error::not_found(message).in_file(folder));
        }
        let queries = find(folder, &["queries", "topics"], &["jsonl", "tsv", "txt", "xml"]).ok_or_else(|| {
            Error::not_found("is missing; expected lines of {\"_id\": .., \"text\": ..}")
                .in_file(folder.join("queries.jsonl"))
        })?;
        let qrels = find_qrels(folder, qrels)?;
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let mut dataset = Self::from_files(&queries, &[TopicField::Title], &qrels)?;
        dataset.name = name.unwrap_or_else(|| "dataset".to_string());
        dataset.folder = folder.to_path_buf();
        Ok(dataset)
    }

    /// Reads queries and judgments from files of their own: TREC topics and qrels, for example. The folder is that of the
    /// judgments, and need not hold a corpus.
    ///
    /// # Errors
    /// As [`Dataset::open`], and `InvalidInput` where no query is judged.
    pub fn from_files(queries: &Path, fields: &[TopicField], qrels: &Path) -> Result<Self> {
        let judgments = read_qrels(qrels)?;
        let all_queries = read_queries_with(queries, fields)?;
        if !all_queries.iter().any(|(id, _)| judgments.contains_key(id)) {
            let of = |id: Option<&String>| id.map_or_else(|| "none".to_string(), |id| format!("{id:?}"));
            let message = format!(
                "judges none of the queries of {}: it has the query id {}, that file {}; check that both use the same ids",
                queries.display(),
                of(judgments.keys().min()),
                of(all_queries.first().map(|(id, _)| id)),
            );
            return Err(Error::invalid_input(message).in_file(qrels));
        }
        let mut queries = all_queries.clone();
        queries.retain(|(id, _)| judgments.get(id).is_some_and(|judged| judged.values().any(|&grade| grade > 0)));
        let stem = qrels.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name: stem.unwrap_or_else(|| "dataset".to_string()),
            folder: qrels.parent().map(Path::to_path_buf).unwrap_or_default(),
            queries,
            qrels: judgments,
            qrels_file: qrels.to_path_buf(),
            all_queries,
        })
    }

    /// The corpus, where the folder has one.
    pub fn corpus_file(&self) -> Option<PathBuf> {
        find(&self.folder, &["corpus"], &["jsonl"])
    }
}

/// The first file `{stem}.{ending}`, perhaps compressed, that a folder has.
fn find(folder: &Path, stems: &[&str], endings: &[&str]) -> Option<PathBuf> {
    let names = stems.iter().flat_map(|stem| endings.iter().map(move |ending| format!("{stem}.{ending}")));
    let mut files = names.flat_map(|name| COMPRESSED.iter().map(move |end| folder.join(format!("{name}{end}"))));
    files.find(|file| file.is_file())
}

const QRELS_ENDINGS: [&str; 4] = ["tsv", "txt", "qrels", "jsonl"];

fn find_qrels(folder: &Path, name: &str) -> Result<PathBuf> {
    let qrels_folder = folder.join("qrels");
    let whole = qrels_folder.join(name);
    if whole.is_file() {
        return Ok(whole);
    }
    if let Some(file) =
        find(&qrels_folder, &[name], &QRELS_ENDINGS).or_else(|| find(folder, &["qrels"], &QRELS_ENDINGS))
    {
        return Ok(file);
    }
    let expected = qrels_folder.join(format!("{name}.tsv"));
    let mut files = Vec::new();
    if qrels_folder.is_dir() {
        for entry in fs_err::read_dir(&qrels_folder)? {
            let path = entry?.path();
            let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_file() && !file_name.starts_with('.') {
                files.push((file_name, path));
            }
        }
    }
    files.sort();
    if let [(_, only)] = files.as_slice() {
        return Ok(only.clone());
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let there_are = match names.as_slice() {
        [] => "the folder has no judgments".to_string(),
        names => format!("name one of those there are: {}", names.join(", ")),
    };
    Err(Error::not_found(format!("is missing; {there_are}")).in_file(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        folder
    }

    const QUERIES: (&str, &str) =
        ("queries.jsonl", "{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": \"2\", \"text\": \"b\"}\n");

    #[test]
    fn the_named_qrels_or_else_the_only_ones_are_taken() {
        let qrels = "query-id\tcorpus-id\tscore\n1\td\t1\n2\td\t0\n";
        let one = folder(&[QUERIES, ("qrels/dev.tsv", qrels)]);
        let dataset = Dataset::open(one.path(), "test").unwrap();
        assert!(dataset.qrels_file.ends_with("qrels/dev.tsv"));
        assert_eq!(dataset.queries, [("1".to_string(), "a".to_string())]);
        let two = folder(&[QUERIES, ("qrels/dev.tsv", qrels), ("qrels/train.tsv", qrels)]);
        let error = Dataset::open(two.path(), "test").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::NotFound);
        assert!(error.to_string().contains("dev.tsv, train.tsv"), "{error}");
        assert!(Dataset::open(two.path(), "train").unwrap().qrels_file.ends_with("train.tsv"));
        assert!(Dataset::open(two.path(), "dev.tsv").is_ok());
    }

    #[test]
    fn compressed_files_are_found_and_missing_ones_named() {
        let plain = folder(&[QUERIES]);
        let error = Dataset::open(plain.path(), "test").unwrap_err();
        assert!(error.to_string().contains("no judgments"), "{error}");
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let packed = folder(&[("qrels/readme", "")]);
        fs_err::write(packed.path().join("queries.jsonl.gz"), gzip(QUERIES.1)).unwrap();
        fs_err::write(packed.path().join("qrels/test.tsv.gz"), gzip("2\td\t3\n")).unwrap();
        let dataset = Dataset::open(packed.path(), "test").unwrap();
        assert_eq!(dataset.queries.len(), 1);
        assert_eq!(dataset.qrels["2"]["d"], 3);
        let missing = Dataset::open(folder(&[("a", "")]).path(), "test").unwrap_err();
        assert!(missing.to_string().contains("queries.jsonl"), "{missing}");
    }

    #[test]
    fn judgments_of_other_queries_are_refused() {
        let other = folder(&[QUERIES, ("qrels/test.tsv", "q1\td\t1\n")]);
        let error = Dataset::open(other.path(), "test").unwrap_err();
        assert!(error.to_string().contains("\"q1\"") && error.to_string().contains("\"1\""), "{error}");
    }
}
