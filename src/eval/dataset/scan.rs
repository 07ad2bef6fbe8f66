//! What a collection holds and what looks wrong with it: one pass over the corpus.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dataset, Judgments};
use crate::error::{Error, Result};
use crate::eval::comparison::Statistics;
use crate::eval::lines::Lines;
use crate::eval::run::Run;
use crate::index::lexical::Analyzer;

/// The longest title, in characters.
const TITLE_CHARS: usize = 80;

/// How many ids a warning shows.
const SHOWN: usize = 3;

/// What one pass over a corpus tells.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CorpusFacts {
    /// Numbers of documents, queries and judgments.
    pub statistics: Statistics,
    /// What looks wrong, in sentences; empty for a sound collection.
    pub warnings: Vec<String>,
    /// By query id, for queries with a relevant document in the corpus: the share of the query's words (analysed as English) that
    /// occur in a relevant document, mean over these; 0 to 1.
    pub lexical_overlap: HashMap<String, f64>,
    /// Each document's title or else its first words, 80 characters at most, by id. Costs about 150 bytes a document.
    pub titles: HashMap<String, String>,
}

/// Numbers of judgments and queries (id, text); nothing of documents.
pub fn statistics(qrels: &Judgments, queries: &[(String, String)]) -> Statistics {
    let mut grades = BTreeMap::new();
    for grade in qrels.values().flat_map(HashMap::values) {
        *grades.entry(*grade).or_insert(0) += 1;
    }
    let relevant = qrels.values().map(|judged| judged.values().filter(|&&grade| grade > 0).count() as u64);
    let relevant: Vec<u64> = relevant.filter(|&num| num > 0).collect();
    let words = queries.iter().map(|(_, text)| text.split_whitespace().count() as u64).sum();
    Statistics {
        num_queries: queries.len() as u64,
        num_judged_queries: qrels.values().filter(|judged| !judged.is_empty()).count() as u64,
        num_queries_with_relevant: relevant.len() as u64,
        words_per_query: ratio(words, queries.len() as u64),
        num_judgments: qrels.values().map(|judged| judged.len() as u64).sum(),
        relevant_per_query: ratio(relevant.iter().sum(), relevant.len() as u64),
        grades,
        ..Statistics::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words stay far below 2^53")]
fn ratio(sum: u64, num: u64) -> f64 {
    if num == 0 { 0.0 } else { sum as f64 / num as f64 }
}

/// Whether a run and judgments belong together. Returns warnings: judged queries that the run lacks, queries of the run that
/// nobody judged, a run none of whose documents is judged.
///
/// # Errors
/// `InvalidInput` when none of the run's queries is judged: the ids of one side are written differently.
pub fn check_run(run: &Run, qrels: &Judgments) -> Result<Vec<String>> {
    let name = &run.name;
    if run.rankings.is_empty() {
        return Err(Error::invalid_input(format!("run {name:?} has no line")));
    }
    let unjudged: BTreeSet<&String> = run.rankings.keys().filter(|query| !qrels.contains_key(*query)).collect();
    let first = |id: Option<&str>| id.map_or_else(|| "none".to_string(), |id| format!("{id:?}"));
    if unjudged.len() == run.rankings.len() {
        let message = format!(
            "run {name:?}: none of its {} queries is judged; it has the query id {}, the judgments have {}: check that both use the \
             same ids",
            run.rankings.len(),
            first(unjudged.first().map(|id| id.as_str())),
            first(qrels.keys().min().map(String::as_str)),
        );
        return Err(Error::invalid_input(message));
    }
    let mut warnings = Vec::new();
    let lacking: BTreeSet<&String> = qrels.keys().filter(|query| !run.rankings.contains_key(*query)).collect();
    if !lacking.is_empty() {
        warnings.push(format!(
            "run {name:?} lacks {} of {} judged queries ({})",
            lacking.len(),
            qrels.len(),
            some(&lacking)
        ));
    }
    if !unjudged.is_empty() {
        let (num, ids) = (unjudged.len(), some(&unjudged));
        warnings.push(format!("run {name:?} has {num} queries that nobody judged ({ids}); they are left out"));
    }
    let is_judged = |query: &String, id: &str| qrels.get(query).is_some_and(|judged| judged.contains_key(id));
    let mut documents = run.rankings.iter().flat_map(|(query, ranking)| ranking.iter().map(move |hit| (query, hit)));
    if !documents.any(|(query, hit)| is_judged(query, hit.id.as_str())) {
        let found = run.rankings.values().flatten().map(|hit| hit.id.as_str()).min();
        let judged = qrels.values().flat_map(HashMap::keys).min().map(String::as_str);
        let (found, judged) = (first(found), first(judged));
        warnings.push(format!(
            "run {name:?}: none of its documents is judged for the query that found it; it has the document id {found}, the \
             judgments have {judged}: check that both use the same ids"
        ));
    }
    Ok(warnings)
}

/// The first ids of a set, in its order.
fn some<T: AsRef<str>>(ids: &BTreeSet<T>) -> String {
    let shown: Vec<&str> = ids.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = if ids.len() > SHOWN { ", .." } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[derive(Deserialize)]
struct CorpusLine<'a> {
    #[serde(borrow, rename = "_id", alias = "id", alias = "doc_id", alias = "docid")]
    id: &'a RawValue,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// A document as far as it matters here.
struct Text {
    id: String,
    title: String,
    text: String,
}

impl Text {
    fn parse(line: &str) -> Result<Self, String> {
        if let Ok(CorpusLine { id, title, text }) = serde_json::from_str::<CorpusLine<'_>>(line)
            && (title.is_some() || text.is_some())
        {
            let (title, text) = (title.unwrap_or_default(), text.unwrap_or_default());
            let id: String = serde_json::from_str(id.get()).unwrap_or_else(|_| id.get().to_string());
            return Ok(Self { id, title: title.into_owned(), text: text.into_owned() });
        }
        // Other fields, or a title that is no text: every text there is.
        let document: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).map_err(|error| format!("is no document ({error})"))?;
        let id = ["_id", "id", "doc_id", "docid"].iter().find_map(|&key| document.get(key));
        let id = id.ok_or("has no `_id`")?;
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_string);
        let texts = document.iter().filter(|(key, _)| !key.ends_with("id")).filter_map(|(_, value)| value.as_str());
        Ok(Self { id, title: String::new(), text: texts.collect::<Vec<_>>().join("\n") })
    }

    fn num_words(&self) -> u64 {
        (self.title.split_whitespace().count() + self.text.split_whitespace().count()) as u64
    }

    /// The title, or else the first words.
    fn short(&self) -> String {
        let from = if self.title.trim().is_empty() { &self.text } else { &self.title };
        let mut short = String::new();
        let mut num_chars = 0;
        for word in from.split_whitespace() {
            let more = word.chars().count() + 1;
            if num_chars + more > TITLE_CHARS {
                if short.is_empty() {
                    short.extend(word.chars().take(TITLE_CHARS - 3));
                }
                short.push_str(" ..");
                break;
            }
            if !short.is_empty() {
                short.push(' ');
            }
            short.push_str(word);
            num_chars += more;
        }
        short
    }
}

/// Lexical overlap of queries with their relevant documents, summed up as these come.
struct Overlap<'a> {
    analyzer: Analyzer,
    /// Distinct terms by query.
    terms: HashMap<&'a str, BTreeSet<String>>,
    /// The queries that a document is relevant to.
    relevant_to: HashMap<&'a str, Vec<&'a str>>,
    sums: HashMap<&'a str, (f64, u32)>,
}

impl<'a> Overlap<'a> {
    fn new(dataset: &'a Dataset) -> Result<Self> {
        let analyzer = Analyzer::named("english")?;
        let mut relevant_to: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut terms = HashMap::new();
        for (query, text) in &dataset.queries {
            terms.insert(query.as_str(), analyzer.terms(text).into_iter().collect());
            for (document, _) in dataset.qrels.get(query).into_iter().flatten().filter(|&(_, &grade)| grade > 0) {
                relevant_to.entry(document).or_default().push(query);
            }
        }
        Ok(Self { analyzer, terms, relevant_to, sums: HashMap::new() })
    }

    fn add(&mut self, document: &Text) {
        let Some(queries) = self.relevant_to.get(document.id.as_str()) else { return };
        let mut words: HashSet<String> = self.analyzer.terms(&document.title).into_iter().collect();
        words.extend(self.analyzer.terms(&document.text));
        for query in queries {
            let Some(terms) = self.terms.get(query).filter(|terms| !terms.is_empty()) else { continue };
            let shared = terms.iter().filter(|term| words.contains(*term)).count() as u64;
            let (sum, num) = self.sums.entry(*query).or_default();
            *sum += ratio(shared, terms.len() as u64);
            *num += 1;
        }
    }

    fn means(self) -> HashMap<String, f64> {
        self.sums.into_iter().map(|(query, (sum, num))| (query.to_string(), sum / f64::from(num))).collect()
    }
}

impl Dataset {
    /// Reads the corpus once, and says what the collection holds and what looks wrong with it. Without a corpus, only what
    /// queries and judgments tell.
    ///
    /// # Errors
    /// `InvalidInput` with file and line for a line that is no document, or that has no `_id`.
    pub fn scan(&self) -> Result<CorpusFacts> {
        let mut facts =
            CorpusFacts { statistics: statistics(&self.qrels, &self.all_queries), ..CorpusFacts::default() };
        self.check_queries(&mut facts.warnings);
        if let Some(corpus) = self.corpus_file() {
            self.scan_corpus(&corpus, &mut facts)?;
        }
        Ok(facts)
    }

    fn check_queries(&self, warnings: &mut Vec<String>) {
        let known: HashSet<&str> = self.all_queries.iter().map(|(id, _)| id.as_str()).collect();
        let lacking: BTreeSet<&String> = self.qrels.keys().filter(|id| !known.contains(id.as_str())).collect();
        if !lacking.is_empty() {
            let (num, ids) = (lacking.len(), some(&lacking));
            warnings.push(format!("{num} judged queries are missing from the queries ({ids}); they are left out"));
        }
        let has_relevant = |judged: &HashMap<String, i32>| judged.values().any(|&grade| grade > 0);
        let hopeless = self.qrels.iter().filter(|(_, judged)| !has_relevant(judged)).map(|(id, _)| id);
        let hopeless: BTreeSet<&String> = hopeless.collect();
        if !hopeless.is_empty() {
            let (num, ids) = (hopeless.len(), some(&hopeless));
            warnings.push(format!("{num} judged queries have no relevant document ({ids}); they are left out"));
        }
        let empty = self.all_queries.iter().filter(|(_, text)| text.trim().is_empty()).map(|(id, _)| id);
        let empty: BTreeSet<&String> = empty.collect();
        if !empty.is_empty() {
            warnings.push(format!("{} queries have no text ({})", empty.len(), some(&empty)));
        }
    }

    fn scan_corpus(&self, corpus: &Path, facts: &mut CorpusFacts) -> Result<()> {
        let queries: HashMap<&str, &str> = self.queries.iter().map(|(id, text)| (id.as_str(), text.trim())).collect();
        let mut overlap = Overlap::new(self)?;
        let (mut num_documents, mut num_words, mut num_own) = (0, 0, 0_u64);
        let (mut twice, mut empty) = (BTreeSet::new(), BTreeSet::new());
        let mut lines = Lines::open(corpus)?;
        while let Some((line_number, line)) = lines.next_line()? {
            if line.trim().is_empty() {
                continue;
            }
            let document = Text::parse(line)
                .map_err(|message| Error::invalid_input(message).at_line(line_number).in_file(corpus))?;
            let words = document.num_words();
            num_documents += 1;
            num_words += words;
            overlap.add(&document);
            num_own += u64::from(queries.get(document.id.as_str()).is_some_and(|&text| text == document.text.trim()));
            if words == 0 {
                empty.insert(document.id.clone());
            }
            let title = document.short();
            if facts.titles.contains_key(&document.id) {
                twice.insert(document.id.clone());
            }
            facts.titles.insert(document.id, title);
        }
        facts.lexical_overlap = overlap.means();
        facts.statistics.num_documents = Some(num_documents);
        facts.statistics.words_per_document = Some(ratio(num_words, num_documents));
        let judged: HashSet<&String> = self.qrels.values().flat_map(HashMap::keys).collect();
        let missing: BTreeSet<&&String> = judged.iter().filter(|id| !facts.titles.contains_key(**id)).collect();
        let warnings = &mut facts.warnings;
        if !missing.is_empty() {
            let (num, of, ids) = (missing.len(), judged.len(), some(&missing));
            warnings.push(format!(
                "{num} of {of} judged documents are missing from the corpus ({ids}); no run can find them"
            ));
        }
        if !twice.is_empty() {
            let (num, ids) = (twice.len(), some(&twice));
            warnings.push(format!("{num} ids occur more than once in the corpus ({ids}); the last document counts"));
        }
        if !empty.is_empty() {
            warnings.push(format!("{} documents have no text ({})", empty.len(), some(&empty)));
        }
        if num_own > 0 {
            warnings.push(format!(
                "{num_own} queries are documents of the corpus, with the same id and text; unless a query's own document is \
                 removed from its run, it stands first there"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::TopicField;
    use super::*;
    use crate::eval::run::ScoredDocument;

    fn dataset(corpus: &str, queries: &str, qrels: &str) -> (tempfile::TempDir, Dataset) {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("qrels")).unwrap();
        fs_err::write(folder.path().join("corpus.jsonl"), corpus).unwrap();
        fs_err::write(folder.path().join("queries.jsonl"), queries).unwrap();
        fs_err::write(folder.path().join("qrels/test.tsv"), qrels).unwrap();
        let dataset = Dataset::open(folder.path(), "test").unwrap();
        (folder, dataset)
    }

    #[test]
    fn a_sound_collection_has_numbers_and_no_warning() {
        let corpus = "{\"_id\": \"d1\", \"title\": \"Running dogs\", \"text\": \"They run fast.\"}\n{\"_id\": 2, \"text\": \"cats\"}\n";
        let queries = "{\"_id\": \"1\", \"text\": \"the dog sleeps\"}\n{\"_id\": \"9\", \"text\": \"unjudged\"}\n";
        let (_folder, dataset) = dataset(corpus, queries, "1\td1\t2\n1\t2\t1\n");
        let facts = dataset.scan().unwrap();
        assert!(facts.warnings.is_empty(), "{:?}", facts.warnings);
        let found = &facts.statistics;
        assert_eq!((found.num_documents, found.words_per_document), (Some(2), Some(3.0)));
        assert_eq!((found.num_queries, found.num_judged_queries, found.num_queries_with_relevant), (2, 1, 1));
        assert_eq!((found.words_per_query, found.relevant_per_query, found.num_judgments), (2.0, 2.0, 2));
        assert_eq!(found.grades, BTreeMap::from([(1, 1), (2, 1)]));
        // "the" is a stop word; "dog" is in d1 alone, "sleep" in neither.
        assert_eq!(facts.lexical_overlap, HashMap::from([("1".to_string(), 0.25)]));
        assert_eq!(facts.titles["d1"], "Running dogs");
        assert_eq!(facts.titles["2"], "cats");
    }

    #[test]
    fn what_is_wrong_is_said_with_ids() {
        let corpus = "{\"_id\": \"a\", \"text\": \"same text\"}\n{\"_id\": \"b\", \"title\": \"\", \"text\": \" \"}\n\n{\"_id\": \"b\", \"body\": \"now\"}\n";
        let queries = "a\tsame text\nq\t\n";
        let (_folder, dataset) = dataset(corpus, queries, "a\ta\t1\na\tz\t0\nq\tb\t0\nlost\tb\t1\n");
        let warnings = dataset.scan().unwrap().warnings;
        let expected = [
            "1 judged queries are missing from the queries (lost)",
            "1 judged queries have no relevant document (q)",
            "1 queries have no text (q)",
            "1 of 3 judged documents are missing from the corpus (z)",
            "1 ids occur more than once in the corpus (b)",
            "1 documents have no text (b)",
            "1 queries are documents of the corpus",
        ];
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with(expected), "{warning}");
        }
    }

    #[test]
    fn a_broken_corpus_is_named_by_line_and_none_is_needed() {
        let (folder, dataset) =
            dataset("{\"_id\": \"a\", \"text\": \"x\"}\n{\"text\": \"no id\"}\n", "1\tx\n", "1\ta\t1\n");
        let error = dataset.scan().unwrap_err();
        assert_eq!(error.location().line, Some(2), "{error}");
        let alone = folder.path().join("judged.txt");
        fs_err::write(&alone, "1 0 a 1\n").unwrap();
        fs_err::remove_file(folder.path().join("corpus.jsonl")).unwrap();
        let queries = folder.path().join("queries.jsonl");
        let facts = Dataset::from_files(&queries, &[TopicField::Title], &alone).unwrap().scan().unwrap();
        assert_eq!((facts.statistics.num_documents, facts.statistics.num_judgments), (None, 1));
        assert!(facts.warnings.is_empty());
    }

    #[test]
    fn long_texts_are_shortened_at_a_word() {
        let document = Text { id: String::new(), title: " ".to_string(), text: "word ".repeat(40) };
        let short = document.short();
        assert!(short.ends_with("word ..") && short.chars().count() <= TITLE_CHARS + 3, "{short}");
        let one = Text { id: String::new(), title: "é".repeat(300), text: String::new() };
        assert_eq!(one.short().chars().count(), TITLE_CHARS);
    }

    #[test]
    fn runs_and_judgments_must_share_ids() {
        let run = |queries: &[&str], id: &str| {
            let ranking = vec![ScoredDocument { id: id.into(), score: 1.0 }];
            let rankings = queries.iter().map(|query| ((*query).to_string(), ranking.clone())).collect();
            Run { name: "other".to_string(), rankings }
        };
        let judged = |id: &str| (id.to_string(), HashMap::from([("d1".to_string(), 1)]));
        let qrels = Judgments::from([judged("1"), judged("2")]);
        assert_eq!(check_run(&run(&["1", "2"], "d1"), &qrels).unwrap(), Vec::<String>::new());
        let error = check_run(&run(&["q1"], "d1"), &qrels).unwrap_err().to_string();
        assert!(error.contains("\"q1\"") && error.contains("\"1\""), "{error}");
        let partial = check_run(&run(&["1", "x"], "D1"), &qrels).unwrap();
        assert_eq!(partial.len(), 3, "{partial:?}");
        assert!(partial[0].contains("lacks 1 of 2 judged queries (2)"));
        assert!(partial[1].contains("1 queries that nobody judged (x)"));
        assert!(partial[2].contains("\"D1\""));
        assert!(check_run(&Run::default(), &qrels).is_err());
    }
}
