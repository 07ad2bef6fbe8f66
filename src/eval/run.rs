//! A run: what a plan, or any other system, returned for each query.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use super::lines::Lines;
use crate::document::DocumentId;
use crate::error::{Error, Result};

/// A retrieved document.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// Its score, larger is better; finite.
    pub score: f64,
}

/// The documents of each query, by the query's id. Their order does not matter to measures, which sort as trec_eval does.
pub type Rankings = HashMap<String, Vec<ScoredDocument>>;

/// A named run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The tag: the plan's name, or what the file says.
    pub name: String,
    /// The documents of each query.
    pub rankings: Rankings,
}

impl Run {
    /// Reads a TREC run (`query Q0 document rank score tag`, gzip and zstd undone); the rank column is ignored. The name is the
    /// first line's tag, or the file's name where there is no line.
    ///
    /// # Errors
    /// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line, a score that is no finite
    /// number, or a document that a query has twice.
    pub fn read(file: &Path) -> Result<Self> {
        let mut lines = Lines::open(file)?;
        let mut name: Option<String> = None;
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut read: Vec<OneQuery> = Vec::new();
        // Lines of a query stand together in most files.
        let mut last = 0;
        while let Some((line_number, line)) = lines.next_line()? {
            let at = |message: String| Error::invalid_input(message).at_line(line_number).in_file(file);
            let Some(row) = Row::parse(line).map_err(at)? else { continue };
            if read.get(last).is_none_or(|one| one.query != row.query) {
                last = *places.entry(row.query.to_string()).or_insert(read.len());
                if last == read.len() {
                    read.push(OneQuery { query: row.query.to_string(), ..OneQuery::default() });
                }
            }
            let Some(one) = read.get_mut(last) else { continue };
            let id = DocumentId::from(row.document);
            if !one.seen.insert(id.clone()) {
                let message = format!("document {:?} occurs twice for query {:?}; keep one", row.document, row.query);
                return Err(at(message));
            }
            one.ranking.push(ScoredDocument { id, score: row.score });
            name.get_or_insert_with(|| row.tag.to_string());
        }
        let stem = || file.file_stem().map_or_else(|| "run".to_string(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            name: name.unwrap_or_else(stem),
            rankings: read.into_iter().map(|one| (one.query, one.ranking)).collect(),
        })
    }

    /// Writes it as a TREC run: queries by ascending id (numbers by value), documents as [`sort_as_trec_eval`] sorts them, ranks
    /// from 1, scores with all their digits, the name as the tag (blanks become `_`, as the tag is one column). A query without
    /// documents leaves no line.
    ///
    /// # Errors
    /// `InvalidInput` for an id that is empty or has a blank, which the format cannot hold, and for a score that is no finite
    /// number; else what `out` fails with.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let tag: String = self.name.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }).collect();
        let tag = if tag.is_empty() { "bifocal" } else { &tag };
        let mut queries: Vec<&String> = self.rankings.keys().collect();
        queries.sort_unstable_by(|a, b| by_number(a).cmp(&by_number(b)).then_with(|| a.cmp(b)));
        for query in queries {
            let mut ranking = self.rankings.get(query).cloned().unwrap_or_default();
            sort_as_trec_eval(&mut ranking);
            for (rank, document) in (1..).zip(&ranking) {
                for id in [query.as_str(), document.id.as_str()] {
                    if id.is_empty() || id.contains(char::is_whitespace) {
                        let message = format!("id {id:?} is empty or has a blank, which a TREC run cannot hold");
                        return Err(Error::invalid_input(message));
                    }
                }
                if !document.score.is_finite() {
                    let message =
                        format!("query {query:?}: document {:?} has the score {}", document.id, document.score);
                    return Err(Error::invalid_input(message));
                }
                writeln!(out, "{query} Q0 {} {rank} {:?} {tag}", document.id, document.score)?;
            }
        }
        Ok(())
    }

    /// The documents alone, for searches among them.
    pub fn documents(self) -> HashMap<String, Vec<DocumentId>> {
        let ids = |ranking: Vec<ScoredDocument>| ranking.into_iter().map(|document| document.id).collect();
        self.rankings.into_iter().map(|(query, ranking)| (query, ids(ranking))).collect()
    }
}

/// The lines of one query, as far as they are read.
#[derive(Default)]
struct OneQuery {
    query: String,
    ranking: Vec<ScoredDocument>,
    seen: HashSet<DocumentId>,
}

/// Numbers before words, and by value.
fn by_number(id: &str) -> (bool, u64) {
    id.parse().map_or((true, 0), |number| (false, number))
}

/// One line of a run.
struct Row<'a> {
    query: &'a str,
    document: &'a str,
    score: f64,
    tag: &'a str,
}

impl<'a> Row<'a> {
    /// `None` for a blank line; what is wrong with any other.
    fn parse(line: &'a str) -> Result<Option<Self>, String> {
        let mut columns = line.split_whitespace();
        let row: [Option<&str>; 6] = std::array::from_fn(|_| columns.next());
        match (row, columns.next()) {
            ([None, ..], _) => Ok(None),
            ([Some(query), Some(_), Some(document), Some(_), Some(score), Some(tag)], None) => {
                let score = match score.parse::<f64>() {
                    Ok(score) if score.is_finite() => score,
                    Ok(_) => return Err(format!("has the score {score}, expected a finite number")),
                    Err(_) => return Err(format!("has the score {score:?}, expected a number")),
                };
                Ok(Some(Self { query, document, score, tag }))
            }
            _ => {
                let num_columns = line.split_whitespace().count();
                Err(format!("has {num_columns} columns, expected 6: `query Q0 document rank score tag`"))
            }
        }
    }
}

/// trec_eval's order: score descending, then document id descending. Scores are compared in single precision, as trec_eval 9 and
/// pytrec_eval keep them: two that differ by less are a tie.
pub(super) fn trec_eval_order(a: &ScoredDocument, b: &ScoredDocument) -> Ordering {
    #[expect(clippy::cast_possible_truncation, reason = "trec_eval keeps scores as float, and ties depend on it")]
    let (left, right) = (a.score as f32, b.score as f32);
    right.partial_cmp(&left).unwrap_or(Ordering::Equal).then_with(|| b.id.cmp(&a.id))
}

/// Sorts as trec_eval does: score descending (in single precision, as trec_eval keeps it), then document id descending.
pub fn sort_as_trec_eval(ranking: &mut [ScoredDocument]) {
    ranking.sort_unstable_by(trec_eval_order);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Run> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        Run::read(file.path())
    }

    fn document(id: &str, score: f64) -> ScoredDocument {
        ScoredDocument { id: id.into(), score }
    }

    #[test]
    fn a_run_is_read_and_its_ranks_are_ignored() {
        let run = read("1 Q0 d1 7 2.5 mine\n\n2\tQ0\td9\t1\t-1e-3\tmine\n1 Q0 d2 1 3 mine\n").unwrap();
        assert_eq!(run.name, "mine");
        assert_eq!(run.rankings["1"], [document("d1", 2.5), document("d2", 3.0)]);
        assert_eq!(run.rankings["2"], [document("d9", -0.001)]);
    }

    #[test]
    fn malformed_lines_are_named() {
        let cases = [
            ("1 Q0 d1 1 2.5 tag\n1 d2\n", 2, "2 columns"),
            ("1 Q0 d1 1 2.5\n", 1, "5 columns"),
            ("1 Q0 d1 1 2.5 my tag\n", 1, "7 columns"),
            ("1 Q0 d1 1 NaN tag\n", 1, "finite"),
            ("1 Q0 d1 1 2 tag\n1 Q0 d2 2 -inf tag\n", 2, "finite"),
            ("1 Q0 d1 1 high tag\n", 1, "\"high\""),
            ("1 Q0 d1 1 2 tag\n2 Q0 d1 1 2 tag\n\n1 Q0 d1 2 1 tag\n", 4, "twice"),
        ];
        for (text, line, reason) in cases {
            let error = read(text).unwrap_err();
            assert_eq!(error.location().line, Some(line), "{text}");
            assert!(error.location().file.is_some());
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn compressed_and_broken_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.run.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"1 Q0 d1 1 2.5 zipped\n").unwrap();
        let bytes = encoder.finish().unwrap();
        fs_err::write(&path, &bytes).unwrap();
        assert_eq!(Run::read(&path).unwrap().name, "zipped");
        fs_err::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        let error = Run::read(&path).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput, "{error}");
        assert!(error.location().file.is_some());
        fs_err::write(&path, b"1 Q0 d1 1 2.5 tag\n1 Q0 d\xff 2 1.5 tag\n").unwrap();
        let error = Run::read(&path).unwrap_err();
        assert_eq!(error.location().line, Some(2), "{error}");
        let missing = Run::read(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), crate::ErrorKind::NotFound);
    }

    #[test]
    fn what_the_format_cannot_hold_is_not_written() {
        let run = |id: &str, score| Run {
            name: "hybrid rrf.k=10".to_string(),
            rankings: HashMap::from([("1".to_string(), vec![document(id, score)])]),
        };
        let mut out = Vec::new();
        run("d1", 1.0).write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "1 Q0 d1 1 1.0 hybrid_rrf.k=10\n");
        assert!(run("d 1", 1.0).write(&mut Vec::new()).is_err());
        assert!(run("d1", f64::NAN).write(&mut Vec::new()).is_err());
    }

    #[test]
    fn ties_are_those_of_single_precision() {
        let mut ranking =
            vec![document("a", 1.000_000_01), document("b", 1.0), document("c", 2.0), document("d", -0.0)];
        ranking.push(document("e", 0.0));
        sort_as_trec_eval(&mut ranking);
        let ids: Vec<&str> = ranking.iter().map(|document| document.id.as_str()).collect();
        assert_eq!(ids, ["c", "b", "a", "e", "d"]);
    }

    fn runs() -> impl Strategy<Value = Run> {
        let score =
            prop_oneof![any::<f64>().prop_filter("finite", |score| score.is_finite()), (-3..3).prop_map(f64::from)];
        let ranking = proptest::collection::btree_map("[!-~é]{1,6}", score, 1..12);
        let rankings = proptest::collection::hash_map("[!-~]{1,4}", ranking, 1..5);
        ("[!-~]{1,8}", rankings).prop_map(|(name, rankings)| {
            let documents = |ranking: std::collections::BTreeMap<String, f64>| {
                let mut ranking: Vec<_> = ranking.iter().map(|(id, &score)| document(id, score)).collect();
                sort_as_trec_eval(&mut ranking);
                ranking
            };
            Run { name, rankings: rankings.into_iter().map(|(query, ranking)| (query, documents(ranking))).collect() }
        })
    }

    proptest! {
        #[test]
        fn a_printed_run_reads_as_itself(run in runs()) {
            let mut out = Vec::new();
            run.write(&mut out).unwrap();
            prop_assert_eq!(read(&String::from_utf8(out).unwrap()).unwrap(), run);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "([a-z0-9. ]{0,9}[ \t\n]){0,20}") {
            if let Ok(run) = read(&text) {
                prop_assert!(run.rankings.values().flatten().all(|document| document.score.is_finite()));
            }
        }
    }
}
