//! Runs and times plans; gathers what their legs and cross-encoders found on the way.

use super::super::{interrupt, progress};
use super::EvalArgs;
use super::engines::Engine;
use super::rows::PlanRow;
use super::systems::Ran;
use crate::error::Result;
use crate::eval::compare::{Reading, System};
use crate::eval::dense_recall::{DenseRecall, dense_recall};
use crate::eval::latency::{Sample, Timing, measure};
use crate::eval::measures::Measure;
use crate::eval::retrieval::Collector;
use crate::eval::run::{Rankings, ScoredDocument};
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

/// Documents of which approximate search should find as many as exact search.
const RECALL_DEPTHS: [usize; 2] = [10, 100];

/// Breadths of graph walks that are measured.
const RECALL_BREADTHS: [usize; 3] = [100, 200, 400];

/// What all rows have in common.
pub(super) struct Work<'a> {
    pub(super) args: &'a EvalArgs,
    pub(super) models: &'a Models,
    pub(super) queries: &'a [(String, String)],
    pub(super) among: Option<&'a batch::Candidates>,
    /// Documents of a run.
    pub(super) size: usize,
    /// Whether there are several legs, to be compared with each other.
    pub(super) compares_legs: bool,
}

/// How many documents of each query the measures look at.
pub(super) fn run_depth(measures: &[Measure], remove_own: bool) -> usize {
    let deepest = measures.iter().filter_map(Measure::cutoff).max().unwrap_or(0).max(RUN_DEPTH);
    (deepest + usize::from(remove_own)).min(MAX_DEPTH)
}

/// Runs and times a plan; its system goes to the others, and what its legs and its cross-encoder found beside them.
pub(super) fn run_plan(
    work: &Work<'_>,
    engine: &Engine,
    collector: &mut Collector<'_>,
    row: &PlanRow,
    ran: &mut Ran,
) -> Result<Timing> {
    let plan = resolve(work, &engine.searcher, &row.plan)?;
    // First, so that the plan itself finds its legs retrieved deep enough.
    if work.compares_legs && !row.is_swept {
        add_legs(collector, &plan, work.queries, &mut ran.legs)?;
    }
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
pub(super) fn latency_condition(timed: &[(&PlanRow, Timing)]) -> Option<String> {
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
    let cores = match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => "1 core".to_string(),
        cores => format!("{cores} cores"),
    };
    Some(format!(
        "latency: one query at a time, embedding included, nothing remembered, {cores}; queries timed: {}; queries a second: all \
         cores busy",
        queries.join(", ")
    ))
}

/// Approximate dense search against exact search, over every field that embeds queries.
pub(super) fn dense_recall_of(
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
