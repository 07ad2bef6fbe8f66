//! `bifocal tune`: judged queries in, a plan out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::cached_index::{self, IndexSource, Wanted};
use super::interrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::eval::dataset::{Dataset, TopicField};
use crate::eval::measures::Measure;
use crate::eval::retrieval::Collector;
use crate::eval::tune::simulate::{Trials, simulate};
use crate::eval::tune::values::Scorer;
use crate::eval::tune::{TuneOptions, deepest, folds, report, tune};
use crate::models::Models;
use crate::plan::{Leg, Plan};
use crate::retrieve::Searcher;

/// Finds a plan's numbers on judged queries, and writes the plan
///
/// Tunes the lexical share of the fusion, the fusion itself (normaliser, or reciprocal rank fusion's k), BM25's k1 and b, the
/// legs' depth and the re-ranker's weight. The score that is reported is of held-out queries: each fold is scored by what was
/// chosen on the others. The plan moves only as far as the data say so; with few queries it stays near what it was. Fifty
/// judged queries are worth it (`bifocal judge` makes them).
///
/// The collection is a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv. Its corpus is indexed once and the
/// index kept in the cache folder, or --index names one.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal tune fixtures/cranfield --out plan.json\n  bifocal tune fixtures/cranfield --index cranfield.idx --plan hybrid-rerank --out plan.yaml --json report.json\n  bifocal tune --queries queries.jsonl --qrels books.qrels --index books.idx --out plan.json\n  bifocal tune fixtures/cranfield --simulate 50x20\n  bifocal eval fixtures/cranfield --plans hybrid,plan.json"
)]
pub(super) struct TuneArgs {
    /// The collection's folder; absent where --queries, --qrels and --index say it all
    #[arg(required_unless_present = "queries")]
    dataset: Option<PathBuf>,
    #[command(flatten)]
    source: IndexSource,
    /// The plan to start from: a name, a file with one (`plan.yaml`, `plans.yaml#mine`), or JSON
    #[arg(long, default_value = "hybrid")]
    plan: String,
    /// Where the plan goes, as YAML where the name ends in .yaml or .yml, else as JSON; nothing is written when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes over the plan's file if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// The measure to tune on, as trec_eval or ir_measures name it
    #[arg(long, value_name = "MEASURE", default_value = "ndcg@10")]
    metric: String,
    /// Parts of the queries; each is scored by what was chosen on the others
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// Seeds folds and bootstrap samples: the same seed gives the same plan
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tunes on so many random queries only (of --seed)
    #[arg(long, value_name = "N")]
    queries_limit: Option<usize>,
    /// Which judgments: NAME is the file qrels/NAME.tsv of the collection; or a file (BEIR, TREC or JSONL)
    #[arg(long, value_name = "NAME|FILE", default_value = "test")]
    qrels: String,
    /// Queries where there is no collection's folder: JSON lines, `id<TAB>text` lines or TREC topics (their titles)
    #[arg(long, value_name = "FILE", conflicts_with = "dataset", requires = "index")]
    queries: Option<PathBuf>,
    /// Shows what tuning is worth here instead: QUERIESxDRAWS tunes on so many random queries and reports on all others,
    /// again and again; writes no plan
    #[arg(long, value_name = "50x20", conflicts_with_all = ["out", "queries_limit"])]
    simulate: Option<Trials>,
    /// Writes everything as JSON to this file, `-` for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &TuneArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    interrupt::install();
    check_places(args)?;
    let measure: Measure = one_measure(&args.metric)?;
    let plan = Plan::parse(&args.plan)?;
    let mut dataset = open_dataset(args)?;
    if let Some(limit) = args.queries_limit {
        let mut kept = folds::shuffled(dataset.queries.len(), args.seed);
        kept.truncate(limit);
        kept.sort_unstable();
        dataset.queries = kept.iter().filter_map(|&idx| dataset.queries.get(idx).cloned()).collect();
    }
    let opened = match &args.source.index {
        Some(index) => cached_index::open(index, models)?,
        None => cached_index::open_or_build(&wanted(args, &dataset, &plan), models)?,
    };
    let searcher = Searcher::open(&opened.index)?;
    let collector = Collector::new(&searcher, models, &dataset.queries).at_least(deepest()).checking(interrupt::check);
    let context = searcher.plan_context(models.default_cross_encoder());
    let ids: Vec<String> = dataset.queries.iter().map(|(id, _)| id.clone()).collect();
    let num_queries = ids.len();
    let mut scorer = Scorer::new(collector, context.clone(), &plan, &dataset.qrels, ids, measure);
    if let Some(trials) = args.simulate {
        let simulation = simulate(&mut scorer, &dataset.name, num_queries, trials, args.seed)?;
        return print(args, &report::simulation_table(&simulation), &simulation);
    }
    let options = TuneOptions { num_folds: args.folds, seed: args.seed };
    let tuned = tune(&mut scorer, &dataset.name, num_queries, options).map_err(|error| {
        if error.kind() == ErrorKind::InvalidInput { error.in_file(&dataset.folder) } else { error }
    })?;
    if let Some(out) = &args.out {
        // What is written must be what was found.
        let text = text_of(&tuned.plan, out)?;
        Plan::from_text(&text, "plan")?.first().map(|plan| plan.resolve(&context)).transpose()?;
        put(out, &text)?;
    }
    print(args, &report::table(&tuned), &tuned)?;
    if let (Some(out), false) = (&args.out, is_stdout_of(args.json.as_deref())) {
        say!("wrote {}: use it with --plan {}", out.display(), out.display());
    }
    Ok(())
}

/// The collection, or queries and judgments of their own.
fn open_dataset(args: &TuneArgs) -> Result<Dataset> {
    let qrels = Path::new(&args.qrels);
    match (&args.dataset, &args.queries) {
        (None, Some(queries)) => {
            if !qrels.is_file() {
                return Err(Error::not_found("is no file; name the judgments of these queries with --qrels FILE")
                    .in_file(qrels));
            }
            Dataset::from_files(queries, &[TopicField::Title], qrels)
        }
        (folder, _) => {
            let folder = folder.as_deref().unwrap_or(Path::new("."));
            let named =
                if qrels.is_file() { std::path::absolute(qrels)?.display().to_string() } else { args.qrels.clone() };
            Dataset::open(folder, &named)
        }
    }
}

fn wanted<'a>(args: &'a TuneArgs, dataset: &'a Dataset, plan: &Plan) -> Wanted<'a> {
    let needs_vectors = plan.rerank.is_some() || plan.legs.iter().any(|leg| matches!(leg, Leg::Dense(_)));
    Wanted {
        name: &dataset.name,
        folder: &dataset.folder,
        mapping: args.source.mapping.as_deref(),
        model: args.source.model.as_deref(),
        lexical_only: !needs_vectors && args.source.model.is_none(),
    }
}

fn one_measure(text: &str) -> Result<Measure> {
    let mut measures = Measure::parse_list(text)?;
    match (measures.pop(), measures.is_empty()) {
        (Some(measure), true) => Ok(measure),
        (Some(_) | None, _) => {
            Err(Error::invalid_input(format!("{text:?} is several measures; tuning has one aim, name one")))
        }
    }
}

/// Refuses places that cannot be written before the long work begins.
fn check_places(args: &TuneArgs) -> Result<()> {
    let files = [args.out.as_deref(), args.json.as_deref().filter(|file| !is_stdout(file))];
    for file in files.into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() || file.is_dir() {
            return Err(Error::not_found("cannot be written: there is no such folder").in_file(file));
        }
    }
    if let Some(out) = args.out.as_deref().filter(|out| out.exists() && !args.force) {
        let text = "is there already; name another file, or write over it with --force";
        return Err(Error::new(ErrorKind::Conflict, text).in_file(out));
    }
    Ok(())
}

fn text_of(plan: &Plan, file: &Path) -> Result<String> {
    let failed = |source| Error::new(ErrorKind::Internal, "the plan cannot be written").with_source(source);
    let json = serde_json::to_string_pretty(plan).map_err(failed)?;
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if !matches!(ending.as_deref(), Some("yaml" | "yml")) {
        return Ok(format!("{json}\n"));
    }
    // By way of JSON: the kinds of legs are keys there, and tags in YAML's own way; and .9 as an f32 stays 0.9.
    let value: serde_json::Value = serde_json::from_str(&json).map_err(failed)?;
    serde_norway::to_string(&value)
        .map_err(|source| Error::new(ErrorKind::Internal, "the plan cannot be written").with_source(source))
}

/// Prints the table, unless standard output is taken, and writes the JSON asked for.
fn print(args: &TuneArgs, table: &str, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let Some(file) = args.json.as_deref() else {
        say_part!("{table}");
        return Ok(());
    };
    let text = format!("{}\n", serde_json::to_string_pretty(value)?);
    if is_stdout(file) {
        say_part!("{text}");
    } else {
        put(file, &text)?;
        say_part!("{table}");
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> Result<()> {
    Ok(fs_err::write(file, text)?)
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

fn is_stdout_of(file: Option<&Path>) -> bool {
    file.is_some_and(is_stdout)
}
