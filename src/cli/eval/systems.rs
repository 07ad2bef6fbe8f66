//! Runs the rows: plans over kept indexes, each leg and pair once, and other systems.

use std::sync::Arc;

use super::super::interrupt;
use super::EvalArgs;
use super::collection::Collection;
use super::engines::{facts, open_engines};
use super::other_systems::{ask, read_run};
use super::plans::{Work, dense_recall_of, latency_condition, run_depth, run_plan};
use super::rows::Row;
use crate::error::{Error, ErrorKind};
use crate::eval::compare::{Reading, System};
use crate::eval::comparison::IndexFacts;
use crate::eval::dense_recall::DenseRecall;
use crate::eval::measures::Measure;
use crate::eval::retrieval::Collector;
use crate::eval::run::{Rankings, Run};
use crate::models::Models;

/// What came of the rows.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) systems: Vec<System>,
    pub(super) legs: Vec<(String, Rankings)>,
    pub(super) readings: Vec<Reading>,
    pub(super) index: Option<IndexFacts>,
    pub(super) dense_recall: Vec<DenseRecall>,
    /// How it was measured.
    pub(super) conditions: Vec<String>,
    /// What was left out.
    pub(super) warnings: Vec<String>,
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
    let among = args.candidates.as_deref().map(Run::read).transpose()?.map(Run::documents);
    let size = run_depth(measures, args.remove_own);
    let num_legs = rows.iter().map(|row| if let Row::Plan(row) = row { row.plan.legs.len() } else { 0 }).sum::<usize>();
    let compares_legs = num_legs > 1;
    let work = Work { args, models, queries: &collection.queries, among: among.as_ref(), size, compares_legs };
    let mut collectors: Vec<Collector<'_>> = engines
        .iter()
        .map(|engine| {
            let collector = Collector::new(&engine.searcher, models, &collection.queries);
            collector.among(among.as_ref()).checking(interrupt::check)
        })
        .collect();
    let mut timed = Vec::new();
    for row in &rows {
        interrupt::check()?;
        match row {
            Row::Run(file) => ran.systems.push(read_run(file, collection, &rows, &ran.systems)?),
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
                    Ok(timing) => timed.push((row.as_ref(), timing)),
                    Err(error) if is_of_the_plan(&error) => leave_out(&mut ran, row.name(), &error),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    if ran.systems.is_empty() {
        let first = ran.warnings.first().map(|warning| format!(": {warning}")).unwrap_or_default();
        return Err(Error::invalid_plan(format!("none of the plans can run{first}")).into());
    }
    ran.conditions.extend(latency_condition(&timed));
    if args.dense_recall {
        for (engine, collector) in engines.iter().zip(&mut collectors) {
            ran.dense_recall.extend(dense_recall_of(engine, collector, &mut ran.warnings)?);
        }
    }
    Ok(ran)
}

/// A plan that cannot run here is no reason to leave the others out.
pub(super) fn is_of_the_plan(error: &Error) -> bool {
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

pub(super) fn leave_out(ran: &mut Ran, name: &str, error: &Error) {
    eprintln!("plan {name} cannot run: {error}");
    ran.warnings.push(format!("plan {name} is left out, it cannot run: {error}"));
}
