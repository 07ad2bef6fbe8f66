//! The indexes that plans run on: one a bi-encoder.

use std::sync::Arc;

use super::super::cached_index::{self, OpenIndex, Wanted};
use super::super::interrupt;
use super::EvalArgs;
use super::collection::Collection;
use super::rows::Row;
use super::systems::{Ran, is_of_the_plan, leave_out};
use crate::error::{Error, Result};
use crate::eval::comparison::IndexFacts;
use crate::models::Models;
use crate::plan::{Leg, Plan};
use crate::retrieve::Searcher;

/// An index with its snapshot.
pub(super) struct Engine {
    /// The bi-encoder that a sweep asked for.
    pub(super) model: Option<String>,
    pub(super) open: OpenIndex,
    pub(super) searcher: Searcher,
}

/// One index a bi-encoder that the rows ask for; the rows of one that cannot be had are left out.
pub(super) fn open_engines(
    args: &EvalArgs,
    models: &Arc<Models>,
    collection: &Collection,
    rows: &[Row],
    ran: &mut Ran,
) -> anyhow::Result<Vec<Engine>> {
    let mut engines: Vec<Engine> = Vec::new();
    let plans = || rows.iter().filter_map(|row| if let Row::Plan(row) = row { Some(row.as_ref()) } else { None });
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
        if let (Some(model), true) = (model, args.source.index.is_some() || args.source.mapping.is_some()) {
            let text = format!(
                "the bi-encoder {model} needs an index of its own; leave --index and --mapping out to sweep `model`"
            );
            return Err(Error::invalid_input(text).into());
        }
        let opened = match (&args.source.index, &collection.folder) {
            (Some(index), _) => cached_index::open(index, models).map_err(anyhow::Error::from),
            (None, Some(folder)) => {
                let wanted = Wanted {
                    name: &collection.name,
                    folder,
                    mapping: args.source.mapping.as_deref(),
                    model: model.or(args.source.model.as_deref()),
                    lexical_only: lexical_only && model.is_none() && args.source.model.is_none(),
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

pub(super) fn facts(engine: &Engine, engines: &[Engine]) -> Result<IndexFacts> {
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
