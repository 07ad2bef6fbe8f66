//! Training queries to a setting, shrunk towards the plan as it was.
//!
//! The lexical share comes first. Its utility is smoothed along the share, as neighbours say almost the same (by a local
//! parabola, which has no bias towards the ends, where the legs stand alone). The best share of each bootstrap sample of the
//! training queries gives a best share and its variance `v`. A normal prior around the plan's own share (deviation
//! [`PRIOR_DEVIATION`], from the best shares of ten collections) then makes the posterior mean: the way to the best share is
//! gone by the part `prior^2 / (prior^2 + v)`. Few queries, or a flat utility, give a large `v` and move little; many queries
//! give all of it. Last, it is shortened where not nearly all samples gain by it ([`SURE`]).
//!
//! Every further axis must pay for itself: it is changed only where the gain of its best value is significant (one-sided
//! t-test at 5 percent, Bonferroni-corrected over the values tried).
//!
//! Source: Efron and Morris, JASA 70(350), 1975 (shrinkage); Breiman, Machine Learning 24(2), 1996 (averages over bootstrap
//! samples).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::power::mean_and_deviation;
use super::space::{Axis, Setting, Space};
use super::values::Values;
use crate::error::Result;

/// How far best lexical shares lie from the default one: over ten collections they ran from .1 to .7, .4 the best single one.
/// Spread evenly that is a deviation of .17; in trials with 50 queries (as [`SURE`]'s) .15 gained most of .15 to .3, and lost
/// least.
const PRIOR_DEVIATION: f64 = 0.15;
/// The Gaussian kernel's deviation of the local parabola through the utilities. With 50 random queries of four collections,
/// .3 lost least and gained most of .1 to .3; parabolas that are drawn through less of the curve follow the noise.
const KERNEL_DEVIATION: f64 = 0.3;
/// Bootstrap samples of the training queries.
const NUM_SAMPLES: usize = 400;
/// A share that is nearer than this to the plan's own is no change: less than the shares that are tried lie apart.
const SMALLEST_MOVE: f64 = 0.05;
/// Where this part of the bootstrap samples gains by the posterior mean, it is trusted in full; where half of them do, not at
/// all; between the two by so much. On nine pairs of a collection and a bi-encoder, 40 draws of 50 queries each, a limit
/// under which nothing moved lost more where the share had to change.
const SURE: f64 = 0.9;
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

/// Values of the training queries, without re-ranking where the axis is about what comes before it: so the cross-encoder
/// reads only what the chosen fusion returns.
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
    let smoother = smoother(&shares);
    let best: Vec<f64> = samples.iter().map(|sample| best_share(&shares, &smoother, &gains, sample)).collect();
    let (mean, deviation) = mean_and_deviation(&best);
    let prior = PRIOR_DEVIATION * PRIOR_DEVIATION;
    let by_variance = prior / (prior + deviation * deviation);
    let moved = |trust: f64| {
        let share = own_share + trust * (mean - own_share);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let percent = (100.0 * share).round().clamp(0.0, 100.0) as usize;
        ((share - own_share).abs() >= SMALLEST_MOVE).then(|| choice.setting.with_share(percent))
    };
    let mut gain = vec![0.0; training.len()];
    if let Some(setting) = moved(by_variance) {
        gain = differences(&before, &on(values, space, Axis::Share, &setting, training)?);
    }
    let probability = probability_of_gain(&gain, &samples);
    let trust = by_variance * ((probability - 0.5) / (SURE - 0.5)).clamp(0.0, 1.0);
    let setting = moved(trust);
    let (fitted_gain, standard_error) = mean_and_error(&gain);
    let changed = setting.is_some();
    let found =
        format!("best {mean:.2} ± {deviation:.2} over bootstrap samples, of which {:.0} % gain", 100.0 * probability);
    let why = if changed {
        format!("{found}: {:.0} % of the way gone", 100.0 * trust)
    } else {
        format!("{found}: too near the plan's own {own_share:.2}, or too uncertain, to move")
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
    if let Some(setting) = setting {
        choice.setting = setting;
    }
    Ok(())
}

/// The share with the highest smoothed gain in a sample; the middle one of several.
fn best_share(shares: &[f64], smoother: &[Vec<f64>], gains: &[Vec<f64>], sample: &[usize]) -> f64 {
    let sums: Vec<f64> = gains.iter().map(|gains| sample.iter().map(|&query| gains[query]).sum::<f64>()).collect();
    let smoothed: Vec<f64> =
        smoother.iter().map(|row| row.iter().zip(&sums).map(|(weight, sum)| weight * sum).sum::<f64>()).collect();
    let highest = smoothed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_best = |value: f64| value >= highest - 1e-9;
    let best: Vec<f64> =
        shares.iter().zip(&smoothed).filter(|(_, value)| is_best(**value)).map(|(share, _)| *share).collect();
    best.iter().sum::<f64>() / best.len().max(1) as f64
}

/// What each utility adds to each smoothed one: the values at `shares` of the parabolas that fit best around them, by least
/// squares with Gaussian weights. It leaves parabolas as they are.
///
/// Source: Fan and Gijbels, Local Polynomial Modelling and Its Applications, 1996, section 3.1.
fn smoother(shares: &[f64]) -> Vec<Vec<f64>> {
    let row = |centre: &f64| {
        let offsets = shares.iter().map(|share| share - centre);
        let kernel: Vec<(f64, f64)> =
            offsets.map(|offset| (offset, (-(offset / KERNEL_DEVIATION).powi(2) / 2.0).exp())).collect();
        let moment = |power: i32| kernel.iter().map(|(offset, weight)| weight * offset.powi(power)).sum::<f64>();
        let [m0, m1, m2, m3, m4] = [0, 1, 2, 3, 4].map(moment);
        // The first row of the normal equations' inverse, by cofactors.
        let cofactors = [m2 * m4 - m3 * m3, m2 * m3 - m1 * m4, m1 * m3 - m2 * m2];
        let determinant = m0 * cofactors[0] + m1 * cofactors[1] + m2 * cofactors[2];
        let value = |(offset, weight): &(f64, f64)| {
            weight * (cofactors[0] + cofactors[1] * offset + cofactors[2] * offset * offset) / determinant
        };
        kernel.iter().map(value).collect()
    };
    shares.iter().map(row).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_leaves_parabolas_and_their_best_share() {
        let shares: Vec<f64> = (0..=20).map(|step| f64::from(step) / 20.0).collect();
        let smoother = smoother(&shares);
        for best in [0.0, 0.1, 0.4, 0.95] {
            let parabola: Vec<f64> = shares.iter().map(|share| 0.3 - (share - best).powi(2)).collect();
            for (row, value) in smoother.iter().zip(&parabola) {
                let smoothed: f64 = row.iter().zip(&parabola).map(|(weight, value)| weight * value).sum();
                assert!((smoothed - value).abs() < 1e-9, "{smoothed} {value}");
            }
            let gains: Vec<Vec<f64>> = parabola.iter().map(|&value| vec![value, value]).collect();
            assert!((best_share(&shares, &smoother, &gains, &[0, 1, 1]) - best).abs() < 1e-9);
        }
    }

    #[test]
    fn more_values_that_are_tried_must_gain_more() {
        // Student's t with 49 degrees of freedom: 1.677 at .95, 2.312 at .9875 (scipy.stats.t.ppf).
        assert!((critical(50, 1) - 1.6766).abs() < 1e-3, "{}", critical(50, 1));
        assert!((critical(50, 4) - 2.3124).abs() < 1e-3, "{}", critical(50, 4));
    }
}
