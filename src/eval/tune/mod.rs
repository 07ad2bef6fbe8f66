//! A plan's numbers found on judged queries, by cross-validation, shrunk towards the plan as it was.
//!
//! In: a plan, an index and judged queries. Out: a [`Tuned`] plan with its *held-out* score: in each fold the whole choice is
//! made anew on the other folds' queries, and scored on the fold's own. Invariant: a choice never looks at a query that it is
//! scored on.
//!
//! Read next: [`space`] (what is tried), [`choose`](mod@choose) (how it is chosen, and why so carefully), [`folds`],
//! [`power`] (whether there are enough queries), [`simulate`] (whether the method keeps its promise on a collection),
//! [`report`] (in words).

pub mod choose;
pub mod folds;
pub mod power;
pub mod report;
pub mod simulate;
pub mod space;
pub mod values;

#[cfg(test)]
mod tests;

use serde::Serialize;

use self::choose::{Choice, Step, choose};
use self::power::Power;
use self::space::{Axis, Setting, Space};
use self::values::{Scorer, Values, legs_alone};
use super::comparison::Difference;
use super::significance::{bootstrap_interval, difference};
use crate::error::{Error, Result};
use crate::plan::Plan;

/// Judged queries below which nothing is tuned.
pub const LEAST_QUERIES: usize = 10;

/// Candidates of each leg that tuning looks at: legs are retrieved this deep from the start.
pub fn deepest() -> usize {
    space::DEPTHS.into_iter().max().unwrap_or(0)
}

/// What came of tuning.
///
/// # Stability
/// Serialised as JSON by `bifocal tune --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuned {
    /// The collection's name.
    pub dataset: String,
    /// The version of Bifocal that made this.
    pub version: String,
    /// The measure that was tuned on.
    pub measure: String,
    /// Queries that were tuned on.
    pub num_queries: usize,
    /// The number of folds, and what seeds them and the bootstrap samples.
    pub num_folds: usize,
    /// See `num_folds`.
    pub seed: u64,
    /// The plan, chosen on all queries; the plan as it was where nothing is changed.
    pub plan: Plan,
    /// What differs from the plan as it was; empty where nothing does.
    pub changes: Vec<Change>,
    /// What came of each axis on all queries, in the order in which they were tuned.
    pub steps: Vec<Step>,
    /// The tuned plan, the plan as it was, and each leg alone, on held-out queries.
    pub held_out: Vec<HeldOut>,
    /// The choice of each fold: how stable it is.
    pub folds: Vec<Fold>,
    /// What so many queries can tell, from the differences between `power_between`.
    pub power: Power,
    /// The two plans that `power` is about.
    pub power_between: [String; 2],
    /// What to be careful about.
    pub warnings: Vec<String>,
    /// The outcome in a sentence.
    pub verdict: String,
}

/// A number of the plan that tuning changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// In the terms of `bifocal eval --sweep`: `weight`, `rrf.k`, `k1`, ..
    pub key: String,
    /// As the plan had it; `default` where it said nothing.
    pub from: String,
    /// As it is now.
    pub to: String,
}

/// A plan on queries that were not used to choose it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// `tuned`, the plan's name, or the leg's.
    pub name: String,
    /// The mean.
    pub mean: f64,
    /// Its 95 percent bootstrap confidence interval.
    pub interval: [f64; 2],
    /// How far the tuned plan is above this one, query by query; absent for the tuned plan itself. Corrected for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned_above: Option<Difference>,
}

/// One fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fold {
    /// Queries that the choice was made on.
    pub num_training: usize,
    /// Queries that it was scored on.
    pub num_held_out: usize,
    /// The choice in words: `weight=0.22`, or `no change`.
    pub choice: String,
    /// The mean of the held-out queries as chosen.
    pub tuned: f64,
    /// The same of the plan as it was.
    pub default: f64,
}

/// How to tune.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TuneOptions {
    /// At least 2; never more than there are queries.
    pub num_folds: usize,
    /// Seeds folds and bootstrap samples.
    pub seed: u64,
}

/// Tunes the scorer's plan on its queries.
///
/// # Errors
/// `InvalidInput` with fewer than [`LEAST_QUERIES`] queries or 2 folds, or where the plan has nothing to tune; what searching
/// fails with.
pub fn tune(scorer: &mut Scorer<'_>, dataset: &str, num_queries: usize, options: TuneOptions) -> Result<Tuned> {
    check(num_queries, options.num_folds)?;
    let plan = scorer.plan();
    let resolved = scorer.resolve_as_written(plan)?;
    let space = scorer.space()?;
    if space.is_empty() {
        return Err(Error::invalid_input("the plan has nothing to tune; it needs legs"));
    }
    let legs: Vec<(String, Vec<f64>)> = legs_alone(plan, &resolved)
        .into_iter()
        .map(|(name, plan)| Ok((name, scorer.of_plan(&plan)?)))
        .collect::<Result<_>>()?;
    let name = resolved.name.clone();
    let validated = cross_validate(scorer, &space, num_queries, options)?;
    let all: Vec<usize> = (0..num_queries).collect();
    let Choice { setting, steps } = choose(scorer, &space, &all, options.seed)?;
    let default = scorer.values(&Setting::default())?;
    let (power, power_between) = if validated.tuned == *default {
        power_of_alternative(scorer, &space, &name)?
    } else {
        (power::power(&differences(&default, &validated.tuned)), ["tuned".to_string(), name.clone()])
    };
    let held_out = held_out(&name, &validated.tuned, &default, &legs);
    let mut tuned = Tuned {
        dataset: dataset.to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        measure: scorer.measure().name().to_string(),
        num_queries,
        num_folds: validated.folds.len(),
        seed: options.seed,
        plan: tuned_plan(plan, &name, &setting)?,
        changes: changes(&space, &setting),
        steps,
        held_out,
        folds: validated.folds,
        power,
        power_between,
        warnings: Vec::new(),
        verdict: String::new(),
    };
    tuned.warnings = report::warnings(&tuned);
    tuned.verdict = report::verdict(&tuned);
    Ok(tuned)
}

fn check(num_queries: usize, num_folds: usize) -> Result<()> {
    if num_queries < LEAST_QUERIES {
        return Err(Error::invalid_input(format!(
            "{num_queries} judged queries with a relevant document are too few to tune on: it takes at least {LEAST_QUERIES}, better 50; \
             `bifocal judge` makes more"
        )));
    }
    if num_folds < 2 {
        return Err(Error::invalid_input(
            "one fold leaves no query out to score the choice on; expected --folds of 2 or more",
        ));
    }
    Ok(())
}

/// The held-out values of the choices.
struct Validated {
    /// One a query.
    tuned: Vec<f64>,
    folds: Vec<Fold>,
}

/// Makes the choice anew for each fold, on the queries of the others.
fn cross_validate(
    values: &mut dyn Values,
    space: &Space,
    num_queries: usize,
    options: TuneOptions,
) -> Result<Validated> {
    let default = values.values(&Setting::default())?;
    let mut validated = Validated { tuned: vec![0.0; num_queries], folds: Vec::new() };
    for held_out in folds::folds(num_queries, options.num_folds, options.seed) {
        let training = folds::all_but(num_queries, &held_out);
        let Choice { setting, .. } = choose(values, space, &training, options.seed)?;
        let found = values.values(&setting)?;
        for &query in &held_out {
            if let (Some(place), Some(value)) = (validated.tuned.get_mut(query), found.get(query)) {
                *place = *value;
            }
        }
        validated.folds.push(Fold {
            num_training: training.len(),
            num_held_out: held_out.len(),
            choice: setting.to_string(),
            tuned: mean_of(&found, &held_out),
            default: mean_of(&default, &held_out),
        });
    }
    Ok(validated)
}

fn held_out(name: &str, tuned: &[f64], default: &[f64], legs: &[(String, Vec<f64>)]) -> Vec<HeldOut> {
    let others = std::iter::once((name, default)).chain(legs.iter().map(|(name, leg)| (name.as_str(), leg.as_slice())));
    let row = |name: &str, values: &[f64], tuned_above: Option<Difference>| HeldOut {
        name: name.to_string(),
        mean: power::mean_and_deviation(values).0,
        interval: bootstrap_interval(values),
        tuned_above,
    };
    let mut rows = vec![row("tuned", tuned, None)];
    rows.extend(others.map(|(name, values)| row(name, values, Some(difference(values, tuned)))));
    rows
}

/// Where every fold kept the plan: what the queries tell of the best setting that is clearly another.
fn power_of_alternative(values: &mut dyn Values, space: &Space, name: &str) -> Result<(Power, [String; 2])> {
    let none = Setting::default();
    let default = values.values(&none)?;
    let mut best: Option<(f64, Setting, Vec<f64>)> = None;
    for setting in space.clearly_other() {
        let gains = differences(&default, &values.values(&setting)?);
        let mean = power::mean_and_deviation(&gains).0;
        if best.as_ref().is_none_or(|(most, ..)| mean > *most) {
            best = Some((mean, setting, gains));
        }
    }
    let (setting, gains) = best.map_or((none, Vec::new()), |(_, setting, gains)| (setting, gains));
    Ok((power::power(&gains), [format!("{name} {setting}"), name.to_string()]))
}

/// The plan with the setting, and a name that says so.
fn tuned_plan(plan: &Plan, name: &str, setting: &Setting) -> Result<Plan> {
    let mut tuned = setting.apply(plan)?;
    tuned.name =
        Some(if setting.is_default() || name.ends_with("-tuned") { name.into() } else { format!("{name}-tuned") });
    Ok(tuned)
}

fn changes(space: &Space, setting: &Setting) -> Vec<Change> {
    let change = |(axis, (key, to)): (Axis, (String, String))| Change { from: space.own(axis), key, to };
    setting.axes().zip(setting.changes()).map(change).collect()
}

fn differences(before: &[f64], after: &[f64]) -> Vec<f64> {
    before.iter().zip(after).map(|(before, after)| after - before).collect()
}

fn mean_of(values: &[f64], queries: &[usize]) -> f64 {
    let sum: f64 = queries.iter().filter_map(|&query| values.get(query)).sum();
    sum / queries.len().max(1) as f64
}
