//! Runs the rows: plans over kept indexes, each leg and pair once, and other systems' runs from their files.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::super::cached_index::{self, OpenIndex, Wanted};
use super::super::{interrupt, progress};
use super::EvalArgs;
use super::collection::Collection;
use super::rows::{PlanRow, Row};
use crate::DocumentId;
use crate::error::{Error, ErrorKind, Result};
use crate::eval::compare::{Reading, System};
use crate::eval::comparison::IndexFacts;
use crate::eval::dense_recall::{DenseRecall, dense_recall};
use crate::eval::latency::{Sample, Timing, measure, summary};
use crate::eval::measures::Measure;
use crate::eval::remote::RemoteEngine;
use crate::eval::retrieval::Collector;
use crate::eval::run::{Rankings, Run, ScoredDocument, sort_as_trec_eval};
use crate::eval::texts;
use crate::fuse::FusedCandidate;
use crate::models::Models;
use crate::plan::resolve::{DEFAULT_DEPTH, DEFAULT_RERANK_DEPTH, MAX_DEPTH};
use crate::plan::{Leg, Plan, ResolvedLeg, ResolvedPlan};
use crate::retrieve::{Candidate, Searcher};
use crate::search::batch;

/// Documents of a run, unless a measure looks deeper.
const RUN_DEPTH: usize = 100;
/// How deep legs are compared with each other.
const LEG_DEPTH: usize = 1000;
/// How many candidates a study of re-ranking reads.
const STUDY_DEPTH: usize = 200;
/// Best documents of each run whose titles are told.
const TITLED_HITS: usize = 10;

/// Queries that another engine is asked before looking whether the user wants to stop.
const REMOTE_BATCH: usize = 64;
/// Documents of which approximate search should find as many as exact search.
const RECALL_DEPTHS: [usize; 2] = [10, 100];
/// Breadths of graph walks that are measured.
const RECALL_BREADTHS: [usize; 3] = [100, 200, 400];

/// What came of the rows.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) systems: Vec<System>,
    pub(super) legs: Vec<(String, Rankings)>,
    pub(super) readings: Vec<Reading>,
    pub(super) titles: HashMap<String, String>,
    pub(super) lexical_overlap: HashMap<String, f64>,
    pub(super) index: Option<IndexFacts>,
    pub(super) dense_recall: Vec<DenseRecall>,
    /// How it was measured.
    pub(super) conditions: Vec<String>,
    /// What was left out.
    pub(super) warnings: Vec<String>,
}

/// An index with its snapshot.
struct Engine {
    /// The bi-encoder that a sweep asked for.
    model: Option<String>,
    open: OpenIndex,
    searcher: Searcher,
}

/// What all rows have in common.
struct Work<'a> {
    args: &'a EvalArgs,
    models: &'a Models,
    queries: &'a [(String, String)],
    among: Option<&'a batch::Run>,
    /// Documents of a run.
    size: usize,
}

/// Runs every row that can run.
pub(super) fn run(
    args: &EvalArgs,
    models: &Arc<Models>,
    collection: &Collection,
    measures: &[Measure],
    rows: Vec<Row>,
) -> anyhow::Result<Ran> {
    let mut ran = Ran::default();
    let engines = open_engines(args, models, collection, &rows, &mut ran)?;
    ran.index = engines.first().map(|engine| facts(engine, &engines)).transpose()?;
    let among = args.candidates.as_deref().map(candidates).transpose()?;
    let size = run_depth(measures, args.remove_own);
    let work = Work { args, models, queries: &collection.queries, among: among.as_ref(), size };
    let num_legs = rows.iter().map(|row| if let Row::Plan(row) = row { row.plan.legs.len() } else { 0 }).sum::<usize>();
    let least = if num_legs > 1 { LEG_DEPTH } else { 0 };
    let mut collectors: Vec<Collector<'_>> = engines
        .iter()
        .map(|engine| {
            let collector = Collector::new(&engine.searcher, models, &collection.queries);
            collector.among(among.as_ref()).at_least(least).checking(interrupt::check)
        })
        .collect();
    let mut timed = Vec::new();
    for row in &rows {
        interrupt::check()?;
        match row {
            Row::Run(file) => {
                let run = read_run(file, collection, engines.first().map(|engine| &engine.searcher), &ran.systems)?;
                ran.systems.push(System { run, ..System::default() });
            }
            Row::Engine(remote) => match ask(&work, remote) {
                Ok(system) => ran.systems.push(system),
                Err(error) if error.kind() != ErrorKind::Interrupted => leave_out(&mut ran, remote.name(), &error),
                Err(error) => return Err(error.into()),
            },
            Row::Plan(row) => {
                let place = engines.iter().position(|engine| engine.model == row.model);
                let Some((engine, collector)) =
                    place.and_then(|place| Some((engines.get(place)?, collectors.get_mut(place)?)))
                else {
                    continue;
                };
                match run_plan(&work, engine, collector, row, &mut ran) {
                    Ok(timing) => timed.push((row, timing)),
                    Err(error) if is_of_the_plan(&error) => leave_out(&mut ran, row.name(), &error),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    if ran.systems.is_empty() {
        return Err(Error::invalid_plan("none of the plans can run").into());
    }
    ran.conditions.extend(latency_condition(&timed));
    if args.dense_recall {
        for (engine, collector) in engines.iter().zip(&mut collectors) {
            ran.dense_recall.extend(dense_recall_of(engine, collector, &mut ran.warnings)?);
        }
    }
    if let Some(engine) = engines.first() {
        ran.titles = texts::titles(&engine.searcher, &titled(collection, &ran.systems))?;
        ran.lexical_overlap = texts::lexical_overlap(&engine.searcher, &collection.queries, &collection.qrels)?;
    }
    Ok(ran)
}

/// A plan that cannot run here is no reason to leave the others out.
fn is_of_the_plan(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidPlan
            | ErrorKind::InvalidInput
            | ErrorKind::NotFound
            | ErrorKind::Model
            | ErrorKind::ModelMismatch
            | ErrorKind::Unsupported
    )
}

fn leave_out(ran: &mut Ran, name: &str, error: &Error) {
    eprintln!("plan {name} cannot run: {error}");
    ran.warnings.push(format!("plan {name} is left out, it cannot run: {error}"));
}

/// One index a bi-encoder that the rows ask for; the rows of one that cannot be had are left out.
fn open_engines(
    args: &EvalArgs,
    models: &Arc<Models>,
    collection: &Collection,
    rows: &[Row],
    ran: &mut Ran,
) -> anyhow::Result<Vec<Engine>> {
    let mut engines: Vec<Engine> = Vec::new();
    let plans = || rows.iter().filter_map(|row| if let Row::Plan(row) = row { Some(row) } else { None });
    let mut asked: Vec<Option<&str>> = Vec::new();
    for row in plans() {
        if !asked.contains(&row.model.as_deref()) {
            asked.push(row.model.as_deref());
        }
    }
    // The plain index first: it is the one that the comparison tells of.
    asked.sort_by_key(Option::is_some);
    let lexical_only = plans().all(|row| is_lexical(&row.plan));
    for model in asked {
        interrupt::check()?;
        if let (Some(model), true) = (model, args.index.is_some() || args.mapping.is_some()) {
            let text = format!(
                "the bi-encoder {model} needs an index of its own; leave --index and --mapping out to sweep `model`"
            );
            return Err(Error::invalid_input(text).into());
        }
        let opened = match (&args.index, &collection.folder) {
            (Some(index), _) => cached_index::open(index, models).map_err(anyhow::Error::from),
            (None, Some(folder)) => {
                let wanted = Wanted {
                    name: &collection.name,
                    folder,
                    mapping: args.mapping.as_deref(),
                    model: model.or(args.model.as_deref()),
                    lexical_only: lexical_only && model.is_none() && args.model.is_none(),
                };
                cached_index::open_or_build(&wanted, models)
            }
            (None, None) => Err(Error::invalid_input("there is nothing to search").into()),
        };
        match (opened, model) {
            (Ok(open), _) => {
                let searcher = Searcher::open(&open.index)?;
                engines.push(Engine { model: model.map(str::to_string), open, searcher });
            }
            (Err(error), Some(model)) => {
                let Some(cause) = error.downcast_ref::<Error>().filter(|error| is_of_the_plan(error)) else {
                    return Err(error);
                };
                for row in plans().filter(|row| row.model.as_deref() == Some(model)) {
                    leave_out(ran, row.name(), cause);
                }
            }
            (Err(error), None) => return Err(error),
        }
    }
    Ok(engines)
}

/// Whether a plan needs no vectors.
fn is_lexical(plan: &Plan) -> bool {
    plan.rerank.is_none() && plan.legs.iter().all(|leg| matches!(leg, Leg::Lexical(_)))
}

fn facts(engine: &Engine, engines: &[Engine]) -> Result<IndexFacts> {
    let stats = engine.searcher.stats()?;
    let mut models: Vec<String> = Vec::new();
    for model in engines.iter().flat_map(|engine| engine.open.index.model_fingerprints().into_values()) {
        if !models.contains(&model.name) {
            models.push(model.name);
        }
    }
    Ok(IndexFacts {
        folder: engine.open.index.folder().display().to_string(),
        num_documents: stats.documents,
        num_bytes: stats.bytes,
        models,
        build_seconds: engine.open.build_seconds,
    })
}

/// How many documents of each query the measures look at.
fn run_depth(measures: &[Measure], remove_own: bool) -> usize {
    let cutoff = |measure: &Measure| {
        let name = measure.name();
        let digits = name.len() - name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        let (head, cutoff) = name.split_at(name.len() - digits);
        if head.ends_with(['@', '_']) { cutoff.parse().unwrap_or(0) } else { 0 }
    };
    let deepest = measures.iter().map(cutoff).max().unwrap_or(0).max(RUN_DEPTH);
    (deepest + usize::from(remove_own)).min(MAX_DEPTH)
}

fn candidates(file: &Path) -> Result<batch::Run> {
    let run = Run::read(file)?;
    let ids = |ranking: Vec<ScoredDocument>| ranking.into_iter().map(|document| document.id).collect();
    Ok(run.rankings.into_iter().map(|(query, ranking)| (query, ids(ranking))).collect())
}

/// The plan as it is evaluated: as many hits as measures look at, and as many candidates read as for a page of hits.
fn resolve(work: &Work<'_>, searcher: &Searcher, plan: &Plan) -> Result<ResolvedPlan> {
    let mut plan = plan.clone();
    let depth = |leg: &Leg| {
        let depth = match leg {
            Leg::Lexical(leg) => leg.depth,
            Leg::Dense(leg) => leg.depth,
        };
        depth.unwrap_or(work.size.max(DEFAULT_DEPTH))
    };
    let deepest = plan.legs.iter().map(depth).max().unwrap_or(work.size);
    let num_candidates: usize = plan.legs.iter().map(depth).sum();
    (plan.size, plan.offset) = (Some(work.size.min(deepest)), None);
    if let Some(rerank) = &mut plan.rerank {
        rerank.rerank_depth.get_or_insert(DEFAULT_RERANK_DEPTH.min(num_candidates.max(1)));
    }
    plan.resolve(&searcher.plan_context(work.models.default_cross_encoder()))
}

/// Runs and times a plan; its system goes to the others, and what its legs and its cross-encoder found beside them.
fn run_plan(
    work: &Work<'_>,
    engine: &Engine,
    collector: &mut Collector<'_>,
    row: &PlanRow,
    ran: &mut Ran,
) -> Result<Timing> {
    let plan = resolve(work, &engine.searcher, &row.plan)?;
    let mut warnings = Vec::new();
    let mut reading = None;
    if let Some(rerank) = &plan.rerank {
        if rerank.budget.is_some() {
            warnings.push(format!("{}: the time budget of its re-ranking does not count in its run", plan.name));
        }
        let is_study = work.args.rerank_study && !row.is_swept;
        let depth = if is_study { rerank.rerank_depth.max(STUDY_DEPTH) } else { rerank.rerank_depth };
        let fused = collector.fused(&plan)?;
        let logits = read(work, collector, &plan, &fused, depth)?;
        reading = (!row.is_swept).then(|| reading_of(work, &plan, fused, logits));
    }
    let run = collector.run(&plan)?;
    let sample = if row.is_swept { Sample::small() } else { Sample::of(&plan) };
    let timing = time(work, engine, &plan, sample)?;
    if !row.is_swept {
        add_legs(collector, &plan, work.queries, &mut ran.legs)?;
    }
    if let Some(mut reading) = reading {
        let depth = reading.by_query.values().map(|(_, logits)| logits.len()).max().unwrap_or(0);
        let ms = timing.ms_per_candidate.map(|ms| ms * depth as f64);
        reading.added_ms = ms.map(|ms| (u32::try_from(depth).unwrap_or(u32::MAX), ms)).into_iter().collect();
        ran.readings.push(reading);
    }
    ran.systems.push(System {
        run,
        latency: Some(timing.latency),
        queries_per_second: Some(timing.queries_per_second),
        plan: serde_json::to_value(&plan).ok(),
        warnings,
    });
    Ok(timing)
}

/// Another engine's run and latency.
fn ask(work: &Work<'_>, remote: &RemoteEngine) -> Result<System> {
    if work.queries.iter().all(|(_, text)| text.is_empty()) {
        return Err(Error::invalid_input("the queries have no texts; name a collection's folder, or --queries FILE"));
    }
    let bar = progress::bar(work.queries.len() as u64, "queries");
    bar.set_message(remote.name().to_string());
    let mut run = Run { name: remote.name().to_string(), ..Run::default() };
    let mut times = Vec::with_capacity(work.queries.len());
    for (first, queries) in (0..).step_by(REMOTE_BATCH).zip(work.queries.chunks(REMOTE_BATCH)) {
        interrupt::check()?;
        let (found, took) = remote.run(queries, work.size, &mut |done| bar.set_position(first + done as u64))?;
        run.rankings.extend(found.rankings.into_iter().filter(|(_, ranking)| !ranking.is_empty()));
        times.extend(took);
    }
    bar.finish_and_clear();
    Ok(System { run, latency: Some(summary(&mut times)), plan: Some(remote.description()), ..System::default() })
}

/// Approximate dense search against exact search, over every field that embeds queries.
fn dense_recall_of(
    engine: &Engine,
    collector: &mut Collector<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<DenseRecall>> {
    let context = engine.searcher.plan_context(None);
    let mut rows = Vec::new();
    for field in context.dense_fields.iter().filter(|field| field.embeds_queries) {
        let vectors = collector.query_vectors(&field.name)?;
        for k in RECALL_DEPTHS {
            rows.extend(dense_recall(&engine.searcher, &field.name, &vectors, k, &RECALL_BREADTHS)?);
        }
    }
    if rows.is_empty() {
        warnings.push("--dense-recall has nothing to measure: the index has no semantic field".to_string());
    }
    Ok(rows)
}

fn read(
    work: &Work<'_>,
    collector: &mut Collector<'_>,
    plan: &ResolvedPlan,
    fused: &[Vec<FusedCandidate>],
    depth: usize,
) -> Result<Vec<Vec<f32>>> {
    let bar = progress::bar(work.queries.len() as u64, "queries");
    bar.set_message(format!("{}: reading", plan.name));
    let logits = collector.logits(plan, fused, depth, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    logits
}

fn reading_of(work: &Work<'_>, plan: &ResolvedPlan, fused: Vec<Vec<FusedCandidate>>, logits: Vec<Vec<f32>>) -> Reading {
    let scored = |candidate: FusedCandidate| ScoredDocument { id: candidate.id, score: candidate.score };
    let by_query = work
        .queries
        .iter()
        .zip(fused.into_iter().zip(logits))
        .map(|((id, _), (fused, logits))| (id.clone(), (fused.into_iter().map(scored).collect(), logits)))
        .collect();
    let rerank = plan.rerank.as_ref();
    Reading {
        plan: plan.name.clone(),
        model: rerank.map(|rerank| rerank.model.clone()).unwrap_or_default(),
        weight: rerank.and_then(|rerank| rerank.weight),
        by_query,
        added_ms: Vec::new(),
    }
}

fn time(work: &Work<'_>, engine: &Engine, plan: &ResolvedPlan, sample: Sample) -> Result<Timing> {
    let bar = progress::bar(0, "queries");
    bar.set_message(format!("{}: timing", plan.name));
    let timing = measure(&engine.searcher, work.models, work.queries, work.among, plan, sample, interrupt::check);
    bar.finish_and_clear();
    timing
}

/// Adds the legs that no earlier plan had, as deep as legs are compared.
fn add_legs(
    collector: &mut Collector<'_>,
    plan: &ResolvedPlan,
    queries: &[(String, String)],
    legs: &mut Vec<(String, Rankings)>,
) -> Result<()> {
    for leg in &plan.legs {
        let candidates = collector.leg(leg, plan.filter.as_deref(), leg.depth.max(LEG_DEPTH))?;
        let scored =
            |candidate: &Candidate| ScoredDocument { id: candidate.id.clone(), score: f64::from(candidate.score) };
        let rankings: Rankings = queries
            .iter()
            .zip(candidates.iter())
            .map(|((id, _), list)| (id.clone(), list.iter().map(scored).collect()))
            .collect();
        if legs.iter().any(|(_, known)| *known == rankings) {
            continue;
        }
        let name = name_of_leg(leg, plan, legs);
        legs.push((name, rankings));
    }
    Ok(())
}

fn name_of_leg(leg: &ResolvedLeg, plan: &ResolvedPlan, legs: &[(String, Rankings)]) -> String {
    let is_taken = |name: &str| legs.iter().any(|(known, _)| known == name);
    if is_taken(&leg.name) { format!("{}.{}", plan.name, leg.name) } else { leg.name.clone() }
}

/// How the latencies were measured, in words.
fn latency_condition(timed: &[(&PlanRow, Timing)]) -> Option<String> {
    if timed.is_empty() {
        return None;
    }
    let samples: Vec<String> = timed
        .iter()
        .filter(|(row, _)| !row.is_swept)
        .map(|(row, timing)| format!("{} {}", row.name(), timing.num_queries))
        .collect();
    let swept = timed.iter().filter(|(row, _)| row.is_swept).map(|(_, timing)| timing.num_queries).max();
    let swept = swept.map(|most| format!("each row of a sweep at most {most}"));
    let queries: Vec<String> = samples.into_iter().chain(swept).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(format!(
        "latency: one query at a time, embedding included, nothing remembered, {cores} cores; queries timed: {}; queries a second: \
         all cores busy",
        queries.join(", ")
    ))
}

/// Reads another system's run and sees to it that its ids are the collection's.
fn read_run(file: &Path, collection: &Collection, searcher: Option<&Searcher>, systems: &[System]) -> Result<Run> {
    let mut run = Run::read(file)?;
    check_ids(&run, collection, searcher).map_err(|message| Error::invalid_input(message).at_line(1).in_file(file))?;
    let is_taken = |name: &str| systems.iter().any(|system| system.run.name == name);
    if is_taken(&run.name) {
        let stem = file.file_stem().map_or_else(|| run.name.clone(), |stem| stem.to_string_lossy().into_owned());
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        run.name = std::iter::once(stem.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(stem);
    }
    Ok(run)
}

/// A run of which not one query is judged, or not one document is known, belongs to another collection.
fn check_ids(run: &Run, collection: &Collection, searcher: Option<&Searcher>) -> Result<(), String> {
    let Some(first) = run.rankings.keys().min() else { return Err("is empty; it has no documents".to_string()) };
    if !run.rankings.keys().any(|query| collection.qrels.contains_key(query)) {
        let judged = collection.qrels.keys().min().map_or("", String::as_str);
        return Err(format!(
            "none of its queries is judged: it has {first:?} and others, the judgments have {judged:?} and others; are these \
             the judgments of this run?"
        ));
    }
    let is_known = |id: &DocumentId| {
        collection.qrels.values().any(|judged| judged.contains_key(id.as_str()))
            || searcher.is_some_and(|searcher| searcher.get(id).is_ok_and(|source| source.is_some()))
    };
    if !run.rankings.values().flatten().any(|document| is_known(&document.id)) {
        let document = run.rankings.values().flatten().map(|document| &document.id).min();
        let document = document.map_or("", DocumentId::as_str);
        let judged = collection.qrels.values().flat_map(HashMap::keys).min().map_or("", String::as_str);
        return Err(format!(
            "none of its documents is judged or in the index: it has {document:?} and others, the judgments have {judged:?} and \
             others; do both name documents alike?"
        ));
    }
    Ok(())
}

/// The documents whose titles a comparison may tell: the relevant ones and the best of each run.
fn titled(collection: &Collection, systems: &[System]) -> HashSet<DocumentId> {
    let mut ids = HashSet::new();
    for (query, _) in &collection.queries {
        let judged = collection.qrels.get(query).into_iter().flatten();
        ids.extend(judged.filter(|(_, grade)| **grade > 0).map(|(id, _)| DocumentId::from(id.as_str())));
        for system in systems {
            let mut ranking = system.run.rankings.get(query).cloned().unwrap_or_default();
            sort_as_trec_eval(&mut ranking);
            ids.extend(ranking.into_iter().take(TITLED_HITS).map(|document| document.id));
        }
    }
    ids
}
