//! `bifocal eval`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::progress;
use super::search::PlanArgs;
use crate::error::Error;
use crate::eval::dataset::read_run;
use crate::eval::{Dataset, Figures, evaluate, mean};
use crate::index::Index;
use crate::models::Models;
use crate::plan::{Plan, ResolvedPlan};
use crate::retrieve::Searcher;
use crate::search::batch::{Run, embed_queries};
use crate::search::{Fetch, SearchRequest, search_resolved};

/// Scores plans on a judged collection: nDCG@10, recall, average precision, latency
///
/// The collection is a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv. The figures are trec_eval's, over all
/// judged queries with a relevant document. The latency is one query at a time, embedding included.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal index cranfield.idx fixtures/cranfield\n  bifocal eval fixtures/cranfield --index cranfield.idx --plans lexical,dense,hybrid"
)]
pub(super) struct EvalArgs {
    /// The collection's folder
    dataset: PathBuf,
    /// An index of its corpus (`bifocal index INDEX DATASET`)
    #[arg(long)]
    index: PathBuf,
    /// Plans: names or files, with commas
    #[arg(long, default_value = "lexical,dense,hybrid,hybrid-rerank")]
    plans: String,
    /// Candidates of each leg
    #[arg(long)]
    depth: Option<usize>,
    /// Only the documents of this TREC run are candidates of its queries: re-ranks another system's hits
    #[arg(long, value_name = "RUN")]
    candidates: Option<PathBuf>,
    /// Which judgments: NAME is the file qrels/NAME.tsv
    #[arg(long, value_name = "NAME", default_value = "test")]
    qrels: String,
    /// Writes the figures as JSON to this file, `-` for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

struct Row {
    plan: String,
    figures: Figures,
    p50_ms: f64,
    p95_ms: f64,
}

pub(super) fn run(args: &EvalArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let dataset = Dataset::open(&args.dataset, &args.qrels)?;
    if dataset.queries.is_empty() {
        return Err(Error::invalid_input("has no judged query with a relevant document").in_file(&args.dataset).into());
    }
    let searcher = Searcher::open(&Index::open(&args.index, models.clone())?)?;
    let plans = PlanArgs { plan: Some(args.plans.clone()), depth: args.depth, filter: None }.plans(&searcher)?;
    let candidates = args.candidates.as_deref().map(read_run).transpose()?;
    let mut rows = Vec::with_capacity(plans.len());
    for plan in &plans {
        match resolve(plan, &searcher, models) {
            Ok(resolved) => rows.push(score_plan(&searcher, models, &dataset, candidates.as_ref(), &resolved)?),
            Err(error) => eprintln!("plan {} cannot run: {error}", plan.name.as_deref().unwrap_or("plan")),
        }
    }
    if rows.is_empty() {
        return Err(Error::invalid_plan("none of the plans can run").into());
    }
    if let Some(file) = &args.json {
        write_json(file, &dataset, &rows)?;
    }
    if args.json.as_deref() != Some(std::path::Path::new("-")) {
        print(&dataset, &rows);
    }
    Ok(())
}

fn resolve(plan: &Plan, searcher: &Searcher, models: &Models) -> crate::Result<ResolvedPlan> {
    let mut plan = plan.clone();
    plan.size = Some(100);
    plan.resolve(&searcher.plan_context(models.default_cross_encoder()))
}

fn score_plan(
    searcher: &Searcher,
    models: &Models,
    dataset: &Dataset,
    candidates: Option<&Run>,
    plan: &ResolvedPlan,
) -> anyhow::Result<Row> {
    let bar = progress::bar(dataset.queries.len() as u64, "queries");
    bar.set_message(plan.name.clone());
    // Embedded one by one below, as a user's queries are; this loads the model before the clock runs.
    let _: BTreeMap<String, Vec<Vec<f32>>> =
        embed_queries(searcher, dataset.queries.get(..1).unwrap_or_default(), plan)?;
    let mut figures = Vec::with_capacity(dataset.queries.len());
    let mut times = Vec::with_capacity(dataset.queries.len());
    for (id, text) in &dataset.queries {
        let among = candidates.map(|run| run.get(id).cloned().unwrap_or_default());
        let request = SearchRequest { text: text.clone(), among, fetch: Fetch::Ids, ..SearchRequest::default() };
        let started = Instant::now();
        let response = search_resolved(searcher, models, &request, plan)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        let run: Vec<(String, f64)> = response.hits.iter().map(|hit| (hit.id.to_string(), hit.score)).collect();
        let none = std::collections::HashMap::new();
        figures.push(evaluate(&run, dataset.qrels.get(id).unwrap_or(&none)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get((times.len() - 1) * percent / 100).copied().unwrap_or(0.0);
    Ok(Row { plan: plan.name.clone(), figures: mean(&figures), p50_ms: at(50), p95_ms: at(95) })
}

fn print(dataset: &Dataset, rows: &[Row]) {
    println!("{}, {} judged queries", dataset.name, dataset.queries.len());
    println!(
        "{:<20} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "plan", "nDCG@10", "R@100", "AP", "RR@10", "p50 ms", "p95 ms"
    );
    for row in rows {
        let Figures { ndcg_10, recall_100, average_precision, reciprocal_rank_10 } = row.figures;
        println!(
            "{:<20} {ndcg_10:>8.4} {recall_100:>8.4} {average_precision:>8.4} {reciprocal_rank_10:>8.4} {:>9.2} {:>9.2}",
            row.plan, row.p50_ms, row.p95_ms
        );
    }
}

fn write_json(file: &std::path::Path, dataset: &Dataset, rows: &[Row]) -> anyhow::Result<()> {
    let plans: Vec<_> = rows
        .iter()
        .map(|row| json!({"name": row.plan, "metrics": row.figures, "latency_ms": {"p50": row.p50_ms, "p95": row.p95_ms}}))
        .collect();
    let text = format!("{}\n", serde_json::to_string_pretty(&json!({"dataset": dataset.name, "plans": plans}))?);
    if file == std::path::Path::new("-") {
        print!("{text}");
    } else {
        fs_err::write(file, text)?;
    }
    Ok(())
}
