//! `bifocal eval`: judged queries and plans in, one comparison out.
//!
//! Read on in the order of the flow: [`collection`] (what is judged), [`rows`] (what is compared), [`systems`] (running it, with
//! [`engines`], [`plans`] and [`other_systems`]), [`output`] (table and files).

mod collection;
mod engines;
mod other_systems;
mod output;
mod plans;
mod rows;
mod systems;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use self::collection::Collection;
use super::cached_index::IndexSource;
use super::interrupt;
use crate::eval::compare::{CompareInput, compare};
use crate::eval::measures::Measure;
use crate::eval::scoring::{Average, ScoringOptions};
use crate::models::Models;

/// Compares plans, and other systems' runs, on a judged collection
///
/// The collection is a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv. Its corpus is indexed once and the
/// index kept in the cache folder, or --index names one. The figures are trec_eval's, over the judged queries that have a
/// relevant document; the first plan is the one that the others are compared with. Without a collection, --qrels and --run score
/// runs alone.
///
/// Where a plan does not say how many candidates its cross-encoder reads, it reads 50, as for a page of hits.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal eval fixtures/cranfield --plans lexical,dense,hybrid --html report.html\n  bifocal eval fixtures/cranfield --plans hybrid --sweep rrf.k=10,60,100 --sweep weight=0:1:0.1\n  bifocal eval fixtures/cranfield --index cranfield.idx --plans hybrid,other.run --json -\n  bifocal eval --qrels qrels.txt --run a.run --run b.run --metrics ndcg@10,map"
)]
pub(super) struct EvalArgs {
    /// The collection's folder; absent where runs alone are scored
    dataset: Option<PathBuf>,
    #[command(flatten)]
    source: IndexSource,
    /// What is compared, with commas: plans (names, files, JSON), swept plans (`hybrid[rrf.k=10,60]`), TREC runs (files that end
    /// in .run, .trec or .txt), other engines (`http://host:9200/index`, or a query template's file). When absent:
    /// lexical,dense,hybrid,hybrid-rerank
    #[arg(long, value_name = "LIST")]
    plans: Option<String>,
    /// Adds a row for each value: `[PLAN:]KEY=VALUES`, VALUES a list (`10,60,100`) or a range (`0:1:0.1`); keys joined with `&` are
    /// multiplied. Keys: rrf.k, weight (the lexical legs' share), depth, k1, b, normalizer, rerank.depth, rerank.weight,
    /// rerank.model, model
    #[arg(long, value_name = "SWEEP")]
    sweep: Vec<String>,
    /// Measures, with commas, as trec_eval or ir_measures name them; the first is the one that differences are in
    #[arg(long, value_name = "LIST", default_value = "ndcg@10,recall@100,map,mrr@10")]
    metrics: String,
    /// Candidates of each leg
    #[arg(long)]
    depth: Option<usize>,
    /// Which judgments: NAME is the file qrels/NAME.tsv of the collection; or a file (BEIR, TREC or JSONL)
    #[arg(long, value_name = "NAME|FILE", default_value = "test")]
    qrels: String,
    /// A TREC run of any system; repeatable
    #[arg(long, value_name = "FILE")]
    run: Vec<PathBuf>,
    /// Queries in place of the collection's: JSON lines, `id<TAB>text` lines or TREC topics
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Which parts of TREC topics are the query, with commas: title, desc, narr
    #[arg(long, value_name = "PARTS", default_value = "title")]
    topic_fields: String,
    /// Only the documents of this TREC run are candidates of its queries: re-ranks another system's hits
    #[arg(long, value_name = "RUN")]
    candidates: Option<PathBuf>,
    /// What means are over: all judged queries (a query without hits counts 0, as trec_eval -c), or those that a run has
    #[arg(long, value_enum, default_value_t = AverageArg::Judged)]
    average: AverageArg,
    /// Removes a query's own document (same id) from rankings and judgments, as ArguAna needs
    #[arg(long)]
    remove_own: bool,
    /// Lets cross-encoders read 200 candidates of each query, to show what re-ranking brings at each depth; takes its time
    #[arg(long)]
    rerank_study: bool,
    /// Measures the approximate dense search against the exact one
    #[arg(long)]
    dense_recall: bool,
    /// Writes everything as JSON to this file, `-` for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the report as Markdown, `-` for standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes each row's run into this folder, in TREC format
    #[arg(long, value_name = "FOLDER")]
    runs_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AverageArg {
    /// All judged queries
    Judged,
    /// The queries that the run has
    Retrieved,
}

impl EvalArgs {
    fn options(&self) -> ScoringOptions {
        let average = match self.average {
            AverageArg::Judged => Average::Judged,
            AverageArg::Retrieved => Average::Retrieved,
        };
        ScoringOptions { average, remove_own: self.remove_own }
    }
}

pub(super) fn run(args: &EvalArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    interrupt::install();
    output::check_places(args)?;
    let measures = Measure::parse_list(&args.metrics)?;
    let collection = Collection::open(args)?;
    let rows = rows::parse(args, collection.folder.is_some())?;
    let ran = systems::run(args, models, &collection, &measures, rows)?;
    if let Some(folder) = &args.runs_dir {
        output::write_runs(folder, &ran.systems)?;
    }
    let mut warnings = collection.warnings;
    warnings.extend(ran.warnings);
    let mut comparison = compare(CompareInput {
        dataset: collection.name,
        command: output::command(),
        queries: collection.queries,
        qrels: Some(&collection.qrels),
        measures,
        options: args.options(),
        statistics: collection.statistics,
        warnings,
        index: ran.index,
        systems: ran.systems,
        legs: ran.legs,
        readings: ran.readings,
        titles: collection.titles,
        lexical_overlap: collection.lexical_overlap,
    });
    comparison.conditions.extend(ran.conditions);
    comparison.dense_recall = ran.dense_recall;
    output::write(args, &comparison)
}
