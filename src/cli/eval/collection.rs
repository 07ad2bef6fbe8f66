//! What is judged: a collection's folder, or judgments alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::EvalArgs;
use crate::error::{Error, Result};
use crate::eval::comparison::Statistics;
use crate::eval::dataset::{Dataset, Judgments, TopicField, read_qrels, statistics};

/// Queries and their judgments.
pub(super) struct Collection {
    /// The folder's name, or that of the judgments' file.
    pub(super) name: String,
    /// The folder with the corpus, where there is one.
    pub(super) folder: Option<PathBuf>,
    /// (id, text) of the queries to score; texts are empty where only judgments are known.
    pub(super) queries: Vec<(String, String)>,
    pub(super) qrels: Judgments,
    pub(super) statistics: Statistics,
    /// What looks wrong with the data.
    pub(super) warnings: Vec<String>,
    /// Titles of documents by id.
    pub(super) titles: HashMap<String, String>,
    /// By query id.
    pub(super) lexical_overlap: HashMap<String, f64>,
}

impl Collection {
    pub(super) fn open(args: &EvalArgs) -> Result<Self> {
        let collection = match (&args.dataset, &args.queries) {
            (Some(folder), queries) => Self::of_dataset(dataset(folder, queries.as_deref(), args)?, true)?,
            (None, Some(queries)) => {
                let dataset = Dataset::from_files(queries, &fields(args)?, qrels_file(args)?)?;
                Self::of_dataset(dataset, false)?
            }
            (None, None) => Self::of_judgments(qrels_file(args)?)?,
        };
        if collection.queries.is_empty() {
            let place = args.dataset.as_deref().unwrap_or(Path::new(&args.qrels));
            return Err(Error::invalid_input("has no judged query with a relevant document").in_file(place));
        }
        Ok(collection)
    }

    fn of_dataset(dataset: Dataset, has_folder: bool) -> Result<Self> {
        let facts = dataset.scan()?;
        Ok(Self {
            name: dataset.name,
            folder: has_folder.then_some(dataset.folder),
            queries: dataset.queries,
            qrels: dataset.qrels,
            statistics: facts.statistics,
            warnings: facts.warnings,
            titles: facts.titles,
            lexical_overlap: facts.lexical_overlap,
        })
    }

    /// Every judged query, as trec_eval has it, by ascending id.
    fn of_judgments(file: &Path) -> Result<Self> {
        let qrels = read_qrels(file)?;
        let mut queries: Vec<(String, String)> = qrels.keys().map(|id| (id.clone(), String::new())).collect();
        // Numbers by value, as people number their queries.
        queries.sort_by(|(a, _), (b, _)| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Ok(Self {
            name,
            folder: None,
            statistics: statistics(&qrels, &queries),
            queries,
            qrels,
            warnings: Vec::new(),
            titles: HashMap::new(),
            lexical_overlap: HashMap::new(),
        })
    }
}

/// The folder's queries and judgments, or those named in their place.
fn dataset(folder: &Path, queries: Option<&Path>, args: &EvalArgs) -> Result<Dataset> {
    let named = Path::new(&args.qrels);
    let qrels = if named.is_file() { std::path::absolute(named)?.display().to_string() } else { args.qrels.clone() };
    let dataset = Dataset::open(folder, &qrels)?;
    let Some(queries) = queries else { return Ok(dataset) };
    let mut other = Dataset::from_files(queries, &fields(args)?, &dataset.qrels_file)?;
    (other.name, other.folder) = (dataset.name, dataset.folder);
    Ok(other)
}

fn fields(args: &EvalArgs) -> Result<Vec<TopicField>> {
    args.topic_fields.split(',').map(str::parse).collect()
}

/// The judgments where there is no folder.
fn qrels_file(args: &EvalArgs) -> Result<&Path> {
    let file = Path::new(&args.qrels);
    if file.is_file() {
        return Ok(file);
    }
    let text = format!(
        "there is nothing to score: name a collection's folder, or judgments with --qrels FILE ({:?} is no file) and runs with --run",
        args.qrels
    );
    Err(Error::not_found(text))
}

fn number(id: &str) -> (bool, u64) {
    id.parse().map_or((true, 0), |number| (false, number))
}
