//! Whether tuning keeps its promise on a collection: a few random queries to tune on, all others to report on, again and
//! again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::choose::choose;
use super::folds::{all_but, shuffled};
use super::power::mean_and_deviation;
use super::space::Setting;
use super::values::{Scorer, Values, legs_alone};
use super::{LEAST_QUERIES, mean_of};
use crate::error::{Error, Result};
use crate::eval::comparison::Difference;
use crate::eval::significance::difference;

/// How often, and on how many queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trials {
    /// Queries to tune on.
    pub num_training: usize,
    /// Random draws of them.
    pub num_seeds: u64,
}

impl std::str::FromStr for Trials {
    type Err = Error;

    /// `50x20`: fifty queries, twenty draws.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (training, seeds) = text.split_once('x')?;
            Some(Self { num_training: training.trim().parse().ok()?, num_seeds: seeds.trim().parse().ok()? })
        };
        parse().filter(|trials| trials.num_training >= LEAST_QUERIES && (1..=10_000).contains(&trials.num_seeds)).ok_or_else(|| {
            Error::invalid_input(format!(
                "{text:?} is no number of trials; expected QUERIESxDRAWS with at least {LEAST_QUERIES} queries, such as 50x20"
            ))
        })
    }
}

/// What came of the trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// The collection's name.
    pub dataset: String,
    /// The measure that was tuned on.
    pub measure: String,
    /// The plan that was tuned.
    pub plan: String,
    /// Queries to tune on, and those left to report on.
    pub num_training: usize,
    /// See `num_training`.
    pub num_reported: usize,
    /// The tuned plan's mean over trials, on queries that it was not tuned on.
    pub tuned: f64,
    /// What it is compared with: the plan as it was, and each leg alone.
    pub against: Vec<Against>,
    /// What was chosen, and how often; the most frequent first.
    pub choices: Vec<(String, usize)>,
}

/// The tuned plan against another, on the reported queries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The other plan.
    pub name: String,
    /// Its mean over trials.
    pub mean: f64,
    /// Mean over trials of the tuned plan's gain.
    pub gain: f64,
    /// The standard error of `gain` over trials: what the luck of the draw makes of it, on these queries.
    pub error_over_trials: f64,
    /// The smallest gain of a trial.
    pub worst: f64,
    /// The largest gain of a trial.
    pub best: f64,
    /// Trials in which the tuned plan was worse.
    pub num_losses: usize,
    /// Over queries, each with its mean gain over the trials that reported it: interval and tests of the mean gain, for these
    /// trials' choices. A loss is beyond chance only where it is so over trials and over queries.
    pub over_queries: Difference,
}

/// Tunes on random queries and reports on the others, `trials.num_seeds` times.
///
/// # Errors
/// `InvalidInput` where the collection has not more queries than are tuned on; what searching fails with.
pub fn simulate(
    scorer: &mut Scorer<'_>,
    dataset: &str,
    num_queries: usize,
    trials: Trials,
    seed: u64,
) -> Result<Simulation> {
    if num_queries <= trials.num_training {
        return Err(Error::invalid_input(format!(
            "{num_queries} judged queries leave none to report on when {} are tuned on",
            trials.num_training
        )));
    }
    let plan = scorer.plan();
    let resolved = scorer.resolve_as_written(plan)?;
    let space = scorer.space()?;
    let mut others = vec![(resolved.name.clone(), scorer.values(&Setting::default())?.to_vec())];
    for (name, plan) in legs_alone(plan, &resolved) {
        others.push((name, scorer.of_plan(&plan)?));
    }
    let mut tuned_means = Vec::new();
    let mut other_means = vec![Vec::new(); others.len()];
    let mut sums = vec![(0.0, 0.0); num_queries];
    let mut choices: BTreeMap<String, usize> = BTreeMap::new();
    for draw in 0..trials.num_seeds {
        let seed = seed.wrapping_add(draw);
        let training: Vec<usize> = shuffled(num_queries, seed).into_iter().take(trials.num_training).collect();
        let reported = all_but(num_queries, &training);
        let choice = choose(scorer, &space, &training, seed)?;
        let values = scorer.values(&choice.setting)?;
        *choices.entry(choice.setting.to_string()).or_default() += 1;
        tuned_means.push(mean_of(&values, &reported));
        for (means, (_, other)) in other_means.iter_mut().zip(&others) {
            means.push(mean_of(other, &reported));
        }
        for &query in &reported {
            if let (Some(sum), Some(value)) = (sums.get_mut(query), values.get(query)) {
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
        }
    }
    // A query that every draw tuned on is reported by none.
    let tuned_by_query: Vec<f64> =
        sums.iter().map(|(sum, count)| if *count > 0.0 { sum / count } else { f64::NAN }).collect();
    let against = others
        .iter()
        .zip(&other_means)
        .map(|((name, other), means)| against(name, other, means, &tuned_means, &tuned_by_query))
        .collect();
    let mut choices: Vec<(String, usize)> = choices.into_iter().collect();
    choices.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(Simulation {
        dataset: dataset.to_string(),
        measure: scorer.measure().name().to_string(),
        plan: resolved.name.clone(),
        num_training: trials.num_training,
        num_reported: num_queries - trials.num_training,
        tuned: mean(&tuned_means),
        against,
        choices,
    })
}

fn against(name: &str, other: &[f64], means: &[f64], tuned: &[f64], tuned_by_query: &[f64]) -> Against {
    let gains: Vec<f64> = tuned.iter().zip(means).map(|(tuned, other)| tuned - other).collect();
    Against {
        name: name.to_string(),
        mean: mean(means),
        gain: mean(&gains),
        error_over_trials: mean_and_deviation(&gains).1 / (gains.len().max(1) as f64).sqrt(),
        worst: gains.iter().copied().fold(f64::INFINITY, f64::min),
        best: gains.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        num_losses: gains.iter().filter(|gain| **gain < -1e-9).count(),
        over_queries: difference(other, tuned_by_query),
    }
}

fn mean(values: &[f64]) -> f64 {
    mean_and_deviation(values).0
}
