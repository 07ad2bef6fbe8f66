//! What is judged: a collection's folder, or judgments alone.

use std::path::{Path, PathBuf};

use super::EvalArgs;
use crate::error::Error;
use crate::eval::comparison::Statistics;
use crate::eval::dataset::{Dataset, Judgments, read_qrels, read_queries};

/// Queries and their judgments.
pub(super) struct Collection {
    /// The folder's name, or that of the judgments' file.
    pub(super) name: String,
    /// The folder, where there is one.
    pub(super) folder: Option<PathBuf>,
    /// (id, text) of the queries to score; texts are empty where only judgments are known.
    pub(super) queries: Vec<(String, String)>,
    pub(super) qrels: Judgments,
    pub(super) statistics: Statistics,
    /// What looks wrong with the data.
    pub(super) warnings: Vec<String>,
}

impl Collection {
    pub(super) fn open(args: &EvalArgs) -> anyhow::Result<Self> {
        let mut collection = match &args.dataset {
            Some(folder) => Self::of_folder(folder, args)?,
            None => Self::of_judgments(args)?,
        };
        if let Some(file) = &args.queries {
            collection.queries = read_queries(file)?;
            let qrels = &collection.qrels;
            collection.queries.retain(|(id, _)| has_relevant(qrels, id));
        }
        if collection.queries.is_empty() {
            let place =
                args.queries.as_ref().or(args.dataset.as_ref()).map_or(Path::new(&args.qrels), PathBuf::as_path);
            return Err(Error::invalid_input("has no judged query with a relevant document").in_file(place).into());
        }
        Ok(collection)
    }

    fn of_folder(folder: &Path, args: &EvalArgs) -> anyhow::Result<Self> {
        let dataset = Dataset::open(folder, &args.qrels)?;
        let Dataset { name, folder, queries, qrels } = dataset;
        Ok(Self { name, folder: Some(folder), queries, qrels, statistics: Statistics::default(), warnings: Vec::new() })
    }

    fn of_judgments(args: &EvalArgs) -> anyhow::Result<Self> {
        let file = Path::new(&args.qrels);
        if !file.is_file() {
            let text = format!(
                "there is nothing to score: name a collection's folder, or judgments with --qrels FILE ({:?} is no file) and runs with --run",
                args.qrels
            );
            return Err(Error::not_found(text).into());
        }
        let qrels = read_qrels(file)?;
        let mut ids: Vec<String> = qrels.keys().cloned().collect();
        // Numbers by value, as people number their queries.
        ids.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
        let name = file.file_name().map_or_else(|| args.qrels.clone(), |name| name.to_string_lossy().into_owned());
        let queries = ids.into_iter().map(|id| (id, String::new())).collect();
        let statistics = Statistics::default();
        Ok(Self { name, folder: None, queries, qrels, statistics, warnings: Vec::new() })
    }
}

fn number(id: &str) -> (bool, u64) {
    id.parse().map_or((true, 0), |number| (false, number))
}

fn has_relevant(qrels: &Judgments, id: &str) -> bool {
    qrels.get(id).is_some_and(|judged| judged.values().any(|&grade| grade > 0))
}
