//! Training queries to a setting, shrunk towards the plan as it was.
//!
//! The lexical share comes first. Its utility is smoothed along the share, as neighbours say almost the same. The best share of each
//! bootstrap sample of the training queries gives a best share and its variance `v`. A normal prior around the plan's own share (deviation
//! [`PRIOR_DEVIATION`], from the best shares of ten collections) then makes the posterior mean: the way to the best share is gone by the
//! part `prior^2 / (prior^2 + v)`. Few queries, or a flat utility, give a large `v` and move little; many queries give all of it.
//!
//! Every further axis must pay for itself: it is changed only where the gain of its best value is significant (one-sided t-test at 5
//! percent, Bonferroni-corrected over the values tried).
//!
//! Source: Efron and Morris, JASA 70(350), 1975 (shrinkage); Breiman, Machine Learning 24(2), 1996 (averages over bootstrap samples).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::power::mean_and_deviation;
use super::space::{Axis, Setting, Space};
use super::values::Values;
use crate::error::Result;

/// How far best lexical shares lie from the default one: over ten collections they ran from .1 to .7, .4 the best single one.
const PRIOR_DEVIATION: f64 = 0.2;
/// Utilities are smoothed over the share by a Gaussian kernel of this deviation.
const KERNEL_DEVIATION: f64 = 0.1;
/// Bootstrap samples of the training queries.
const NUM_SAMPLES: usize = 400;
/// A share that is nearer than this to the plan's own is no change: less than the shares that are tried lie apart.
const SMALLEST_MOVE: f64 = 0.05;
/// A share is changed only where this part of the bootstrap samples gains by it.
const LEAST_PROBABILITY: f64 = 0.6;
/// The level at which a further axis must gain.
const LEVEL: f64 = 0.05;

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// The setting.
    pub setting: Setting,
    /// One entry an axis, in the order in which they were tuned.
    pub steps: Vec<Step>,
}

/// What came of one axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// `weight`, `fusion`, `k1`, ..
    pub axis: String,
    /// The best value on the training queries: for the lexical share, the mean over bootstrap samples.
    pub best: String,
    /// Its mean gain on the training queries over the setting before; not an estimate for other queries.
    pub fitted_gain: f64,
    /// Standard error of `fitted_gain`.
    pub standard_error: f64,
    /// The part of the way that was gone, 0 to 1; for other axes than the share it is 0 or 1.
    pub trust: f64,
    /// Whether the plan changes.
    pub changed: bool,
    /// Why, in words.
    pub why: String,
}

/// Chooses a setting on the training queries (places in the values' lists). No other query's value is looked at.
///
/// # Errors
/// What scoring fails with.
pub fn choose(values: &mut dyn Values, space: &Space, training: &[usize], seed: u64) -> Result<Choice> {
    let mut choice = Choice::default();
    if space.share.is_some() {
        choose_share(values, space, training, seed, &mut choice)?;
    }
    for axis in space.axes() {
        choose_value(values, space, axis, training, &mut choice)?;
    }
    Ok(choice)
}

/// Values of the training queries, without re-ranking where the axis is about what comes before it: so the cross-encoder reads
/// only what the chosen fusion returns.
fn on(values: &mut dyn Values, space: &Space, axis: Axis, setting: &Setting, training: &[usize]) -> Result<Vec<f64>> {
    let found = if space.reranks && axis != Axis::RerankWeight {
        values.values(&setting.without_reranking())?
    } else {
        values.values(setting)?
    };
    Ok(training.iter().filter_map(|&query| found.get(query).copied()).collect())
}

fn choose_share(
    values: &mut dyn Values,
    space: &Space,
    training: &[usize],
    seed: u64,
    choice: &mut Choice,
) -> Result<()> {
    let Some(own) = space.share else { return Ok(()) };
    let shares = space.shares();
    let before = on(values, space, Axis::Share, &choice.setting, training)?;
    let mut gains: Vec<Vec<f64>> = Vec::with_capacity(shares.len());
    for &share in &shares {
        // The plan's own share is not rounded.
        let setting = if share == own { choice.setting.clone() } else { choice.setting.with_share(share) };
        gains.push(differences(&before, &on(values, space, Axis::Share, &setting, training)?));
    }
    let shares: Vec<f64> = shares.iter().map(|&percent| percent as f64 / 100.0).collect();
    let own_share = own as f64 / 100.0;
    let samples = bootstrap(training.len(), seed);
    let best: Vec<f64> = samples.iter().map(|sample| best_share(&shares, &gains, sample)).collect();
    let (mean, deviation) = mean_and_deviation(&best);
    let prior = PRIOR_DEVIATION * PRIOR_DEVIATION;
    let trust = prior / (prior + deviation * deviation);
    let posterior = own_share + trust * (mean - own_share);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let percent = (100.0 * posterior).round().clamp(0.0, 100.0) as usize;
    let far = (posterior - own_share).abs() >= SMALLEST_MOVE;
    let setting = choice.setting.with_share(percent);
    let gain = if far {
        differences(&before, &on(values, space, Axis::Share, &setting, training)?)
    } else {
        vec![0.0; training.len()]
    };
    let probability = probability_of_gain(&gain, &samples);
    let (fitted_gain, standard_error) = mean_and_error(&gain);
    let changed = far && probability >= LEAST_PROBABILITY;
    let found = format!("best share {mean:.2} ± {deviation:.2} over bootstrap samples");
    let why = if !far {
        format!("{found}: too near the plan's own {own_share:.2}, or too uncertain, to move")
    } else if !changed {
        format!("{found}, but {:.0} % of the samples gain", 100.0 * probability)
    } else {
        format!("{found}; {:.0} % of the way gone, {:.0} % of the samples gain", 100.0 * trust, 100.0 * probability)
    };
    choice.steps.push(Step {
        axis: Axis::Share.name().to_string(),
        best: format!("{mean:.2}"),
        fitted_gain,
        standard_error,
        trust,
        changed,
        why,
    });
    if changed {
        choice.setting = setting;
    }
    Ok(())
}

/// The share with the highest smoothed gain in a sample; the middle one of several.
fn best_share(shares: &[f64], gains: &[Vec<f64>], sample: &[usize]) -> f64 {
    let means: Vec<f64> = gains.iter().map(|gains| sample.iter().map(|&query| gains[query]).sum::<f64>()).collect();
    let smoothed: Vec<f64> = shares
        .iter()
        .map(|share| {
            let weights = shares.iter().map(|other| (-((share - other) / KERNEL_DEVIATION).powi(2) / 2.0).exp());
            let (sum, total) = weights
                .zip(&means)
                .fold((0.0, 0.0), |(sum, total), (weight, mean)| (sum + weight * mean, total + weight));
            sum / total
        })
        .collect();
    let highest = smoothed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let best: Vec<f64> =
        shares.iter().zip(&smoothed).filter(|(_, value)| **value >= highest - 1e-12).map(|(share, _)| *share).collect();
    best.iter().sum::<f64>() / best.len().max(1) as f64
}

fn choose_value(
    values: &mut dyn Values,
    space: &Space,
    axis: Axis,
    training: &[usize],
    choice: &mut Choice,
) -> Result<()> {
    let settings = space.along(axis, &choice.setting);
    let before = on(values, space, axis, &choice.setting, training)?;
    let mut best: Option<(Setting, f64, f64)> = None;
    for setting in &settings {
        let gain = differences(&before, &on(values, space, axis, setting, training)?);
        let (mean, error) = mean_and_error(&gain);
        if best.as_ref().is_none_or(|(_, most, _)| mean > *most) {
            best = Some((setting.clone(), mean, error));
        }
    }
    let Some((setting, gain, error)) = best else { return Ok(()) };
    let threshold = critical(training.len(), settings.len()) * error;
    let changed = gain > 1e-9 && gain > threshold;
    let value = setting.value(axis);
    let why = if changed {
        format!("{value} gains {gain:+.4} on the queries tuned on, more than the {threshold:.4} that chance may bring")
    } else if gain > 0.0 {
        format!("{value} gains {gain:+.4} on the queries tuned on, which may be chance (up to {threshold:.4})")
    } else {
        "no value gains".to_string()
    };
    choice.steps.push(Step {
        axis: axis.name().to_string(),
        best: value,
        fitted_gain: gain,
        standard_error: error,
        trust: if changed { 1.0 } else { 0.0 },
        changed,
        why,
    });
    if changed {
        choice.setting = setting;
    }
    Ok(())
}

/// How many standard errors the best of `num_tried` values must gain.
fn critical(num_queries: usize, num_tried: usize) -> f64 {
    let freedom = num_queries.saturating_sub(1).max(1) as f64;
    let level = LEVEL / num_tried.max(1) as f64;
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |distribution| distribution.inverse_cdf(1.0 - level))
}

fn differences(before: &[f64], after: &[f64]) -> Vec<f64> {
    before.iter().zip(after).map(|(before, after)| after - before).collect()
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let (mean, deviation) = mean_and_deviation(values);
    (mean, deviation / (values.len().max(1) as f64).sqrt())
}

/// Samples with replacement of the places of a list.
fn bootstrap(len: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..NUM_SAMPLES).map(|_| (0..len).map(|_| random.usize(0..len)).collect()).collect()
}

/// The share of samples whose mean is above 0; ties count half.
fn probability_of_gain(gains: &[f64], samples: &[Vec<usize>]) -> f64 {
    let credit = |sample: &Vec<usize>| {
        let sum: f64 = sample.iter().map(|&query| gains[query]).sum();
        if sum > 1e-9 {
            1.0
        } else if sum < -1e-9 {
            0.0
        } else {
            0.5
        }
    };
    samples.iter().map(credit).sum::<f64>() / samples.len().max(1) as f64
}
