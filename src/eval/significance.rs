//! Whether a difference is more than chance: paired tests, effect size, bootstrap intervals, Holm's correction.
//!
//! Everything is seeded: the same values give the same figures on every machine.

use std::sync::Arc;
use std::sync::Mutex;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::comparison::Difference;

/// Seeds every shuffle of this folder, so that the same data give the same figures.
pub const SEED: u64 = 20_250;

/// Random assignments of the randomisation test; with few enough differing queries all assignments are looked at instead.
pub const NUM_PERMUTATIONS: u32 = 10_000;

/// Samples of a bootstrap.
pub const NUM_SAMPLES: usize = 2_000;

/// Below this a difference is rounding.
const TIE: f64 = 1e-9;

/// Compares two systems query by query; `before` and `after` have one value a query, in the same order. The Holm fields hold
/// the uncorrected values until [`correct`] is called over all differences of one measure. Pairs with a NaN are left out. Without
/// a pair, and where nothing differs, both p values are 1 and everything else is 0.
pub fn difference(before: &[f64], after: &[f64]) -> Difference {
    let pairs = before.iter().zip(after).filter(|(before, after)| !before.is_nan() && !after.is_nan());
    let differences: Vec<f64> = pairs.map(|(before, after)| after - before).collect();
    let p_t_test = t_test(&differences);
    let p_randomisation = randomisation_test(&differences);
    let mut found = Difference {
        mean: mean(&differences),
        interval: bootstrap_interval(&differences),
        p_t_test,
        p_randomisation,
        p_t_test_holm: p_t_test,
        p_randomisation_holm: p_randomisation,
        effect_size: effect_size(&differences),
        ..Difference::default()
    };
    for difference in differences {
        if difference > TIE {
            found.wins += 1;
        } else if difference < -TIE {
            found.losses += 1;
        } else {
            found.ties += 1;
        }
    }
    found
}

/// Corrects the p values of several comparisons on one measure by Holm's method, in place.
///
/// Source: Holm, Scandinavian Journal of Statistics 6(2), 1979: the i-th smallest of m values is multiplied by m - i + 1, made
/// at least as large as the one before, and at most 1.
pub fn correct(differences: &mut [&mut Difference]) {
    let t_test = holm(&differences.iter().map(|difference| difference.p_t_test).collect::<Vec<_>>());
    let randomisation = holm(&differences.iter().map(|difference| difference.p_randomisation).collect::<Vec<_>>());
    for ((difference, t_test), randomisation) in differences.iter_mut().zip(t_test).zip(randomisation) {
        difference.p_t_test_holm = t_test;
        difference.p_randomisation_holm = randomisation;
    }
}

fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut smallest = 0.0_f64;
    for (done, &idx) in order.iter().enumerate() {
        smallest = smallest.max(number(p_values.len() - done) * p_values[idx]).min(1.0);
        corrected[idx] = smallest;
    }
    corrected
}

/// 95 percent bootstrap confidence interval of the mean of `values` (percentile method, [`NUM_SAMPLES`] samples, [`SEED`]). NaN is
/// left out; without values it is [0, 0].
///
/// Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
pub fn bootstrap_interval(values: &[f64]) -> [f64; 2] {
    let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let (Some(&first), Some(rest)) = (values.first(), values.get(1..)) else { return [0.0, 0.0] };
    if rest.iter().all(|&value| value == first) {
        return [first, first];
    }
    let mut means = bootstrap_means(&values);
    means.sort_unstable_by(f64::total_cmp);
    [quantile(&means, 0.025), quantile(&means, 0.975)]
}

/// The share of bootstrap samples of the queries in which the mean of `differences` is above 0; ties count half. 0.5 without
/// differences.
pub fn probability_of_gain(differences: &[f64]) -> f64 {
    let differences: Vec<f64> = differences.iter().copied().filter(|value| !value.is_nan()).collect();
    if differences.is_empty() {
        return 0.5;
    }
    let credit = |&mean: &f64| {
        if mean > TIE {
            1.0
        } else if mean < -TIE {
            0.0
        } else {
            0.5
        }
    };
    let means = bootstrap_means(&differences);
    means.iter().map(credit).sum::<f64>() / number(means.len())
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / number(values.len()) }
}

/// With n - 1 in the denominator; 0 for fewer than two values.
fn standard_deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / number(values.len() - 1)).sqrt()
}

/// Cohen's d of paired differences: their mean over their standard deviation; 0 where they do not vary.
fn effect_size(differences: &[f64]) -> f64 {
    let deviation = standard_deviation(differences);
    if deviation > TIE { mean(differences) / deviation } else { 0.0 }
}

/// The two-sided p value of Student's paired t-test; 1 for fewer than two queries.
///
/// Source: Student, Biometrika 6(1), 1908; for retrieval: Smucker, Allan, Carterette, CIKM 2007.
fn t_test(differences: &[f64]) -> f64 {
    let mean = mean(differences);
    if differences.len() < 2 || mean.abs() <= f64::MIN_POSITIVE {
        return 1.0;
    }
    let error = standard_deviation(differences) / number(differences.len()).sqrt();
    if error <= 0.0 {
        return 0.0;
    }
    let Ok(distribution) = StudentsT::new(0.0, 1.0, number(differences.len() - 1)) else { return 1.0 };
    (2.0 * distribution.sf((mean / error).abs())).min(1.0)
}

/// Differences summed at a time: 2^8 sums are made once, and one random byte picks a sum.
const BLOCK: usize = 8;

/// The two-sided p value of the paired randomisation test (Fisher's): how often the mean is at least as far from 0 when each
/// query's difference has a random sign. With at most 13 differing queries all signs are tried and the value is exact. Else
/// [`NUM_PERMUTATIONS`] are drawn, and the observed signs count as one more, so that the value is never 0.
///
/// Source: Smucker, Allan, Carterette, CIKM 2007; Phipson and Smyth, SAGMB 9(1), 2010 for the one more.
fn randomisation_test(differences: &[f64]) -> f64 {
    let differing: Vec<f64> = differences.iter().copied().filter(|difference| difference.abs() > TIE).collect();
    if differing.is_empty() {
        return 1.0;
    }
    let total: f64 = differing.iter().sum();
    // Sums in another order differ in their last bits; those that equal the observed one must count.
    let bound = total.abs() - 1e-10 * differing.iter().map(|difference| difference.abs()).sum::<f64>();
    let blocks: Vec<Vec<f64>> = differing.chunks(BLOCK).map(signed_sums).collect();
    let num_all = 1_u32.checked_shl(u32::try_from(differing.len()).unwrap_or(u32::MAX)).unwrap_or(u32::MAX);
    if num_all <= NUM_PERMUTATIONS {
        let extreme = (0..num_all).filter(|signs| sum_of_signs(&blocks, &signs.to_le_bytes()).abs() >= bound).count();
        return number(extreme) / f64::from(num_all);
    }
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut signs = vec![0_u8; blocks.len()];
    let mut extreme = 0;
    for _ in 0..NUM_PERMUTATIONS {
        random.fill(&mut signs);
        extreme += usize::from(sum_of_signs(&blocks, &signs).abs() >= bound);
    }
    (number(extreme) + 1.0) / (f64::from(NUM_PERMUTATIONS) + 1.0)
}

/// The sum of up to eight numbers under every choice of signs; bit i of the place says whether number i is negated. The table has
/// 256 entries for fewer numbers too, so that any byte is a place.
fn signed_sums(numbers: &[f64]) -> Vec<f64> {
    let signed = |signs: usize| {
        let terms = numbers.iter().enumerate().map(|(bit, &value)| if signs >> bit & 1 == 1 { -value } else { value });
        terms.sum()
    };
    (0..1 << BLOCK).map(signed).collect()
}

fn sum_of_signs(blocks: &[Vec<f64>], signs: &[u8]) -> f64 {
    blocks
        .iter()
        .zip(signs)
        .fold(0.0, |sum, (block, &signs)| sum + block.get(usize::from(signs)).copied().unwrap_or(0.0))
}

/// The means of [`NUM_SAMPLES`] samples with replacement. Sample i takes the same places for every list of the same length, so
/// that plans are compared on the same samples.
fn bootstrap_means(values: &[f64]) -> Vec<f64> {
    let mean_of = |sum: f64| sum / number(values.len());
    if values.len() > MOST_KEPT {
        let mut draw = Draw::new(values.len());
        let mut sum = || (0..values.len()).fold(0.0, |sum, _| sum + values[draw.next_place() as usize]);
        return (0..NUM_SAMPLES).map(|_| mean_of(sum())).collect();
    }
    let places = bootstrap_places(values.len());
    let sum = |sample: &[u32]| sample.iter().fold(0.0, |sum, &place| sum + values[place as usize]);
    places.chunks_exact(values.len()).map(|sample| mean_of(sum(sample))).collect()
}

/// Random places of a list.
struct Draw {
    random: fastrand::Rng,
    below: u32,
}

impl Draw {
    fn new(len: usize) -> Self {
        Self { random: fastrand::Rng::with_seed(SEED), below: u32::try_from(len).unwrap_or(u32::MAX) }
    }

    fn next_place(&mut self) -> u32 {
        self.random.u32(0..self.below)
    }
}

/// Places are kept for lists no longer than this: 80 MB.
const MOST_KEPT: usize = 10_000;

/// The places of the last length asked for: comparisons ask for the same length again and again.
static PLACES: Mutex<Option<(usize, Arc<Vec<u32>>)>> = Mutex::new(None);

fn bootstrap_places(len: usize) -> Arc<Vec<u32>> {
    let mut kept = PLACES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((kept_len, places)) = kept.as_ref()
        && *kept_len == len
    {
        return Arc::clone(places);
    }
    let mut draw = Draw::new(len);
    let places: Arc<Vec<u32>> = Arc::new((0..NUM_SAMPLES * len).map(|_| draw.next_place()).collect());
    *kept = Some((len, Arc::clone(&places)));
    places
}

/// Linear between the two nearest of sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * number(sorted.len().saturating_sub(1));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the list")]
    let below = position.floor() as usize;
    let (Some(&low), high) = (sorted.get(below), sorted.get(below + 1)) else { return 0.0 };
    low + (high.copied().unwrap_or(low) - low) * (position - position.floor())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made values of two systems over `len` queries; the second is better by about `gain`.
    fn systems(len: usize, gain: f64) -> (Vec<f64>, Vec<f64>) {
        let mut random = fastrand::Rng::with_seed(7);
        (0..len).map(|_| (random.f64(), random.f64() + gain)).unzip()
    }

    #[test]
    fn the_t_test_is_scipys() {
        // scipy.stats.ttest_rel([.1, .4, .35, .8, .2, .6], [.2, .5, .30, .95, .4, .55]), scipy 1.17.1
        let before = [0.1, 0.4, 0.35, 0.8, 0.2, 0.6];
        let after = [0.2, 0.5, 0.30, 0.95, 0.4, 0.55];
        let found = difference(&before, &after);
        assert!((found.p_t_test - 0.1366175361733582).abs() < 1e-9, "{}", found.p_t_test);
        assert!((found.mean - 0.075).abs() < 1e-12);
        assert_eq!((found.wins, found.ties, found.losses), (4, 0, 2));
        // Of the 64 ways to choose signs, 12 are at least as extreme; counted with itertools.product.
        assert!((found.p_randomisation - 0.1875).abs() < 1e-12, "{}", found.p_randomisation);
        assert!((found.effect_size - 0.7233642332556184).abs() < 1e-9, "{}", found.effect_size);
    }

    #[test]
    fn drawn_signs_come_near_the_t_test() {
        let (before, after) = systems(200, 0.08);
        let found = difference(&before, &after);
        assert!(found.p_t_test > 0.001 && found.p_t_test < 0.2, "an interesting case: {}", found.p_t_test);
        assert!((found.p_t_test - found.p_randomisation).abs() < 0.02, "{found:?}");
        assert!(found.interval[0] < found.mean && found.mean < found.interval[1]);
        // The percentile interval is near the normal one.
        let differences: Vec<f64> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
        let half = 1.96 * standard_deviation(&differences) / number(200).sqrt();
        assert!((found.interval[1] - found.interval[0] - 2.0 * half).abs() < 0.15 * half, "{found:?} {half}");
        assert!(probability_of_gain(&differences) > 0.9);
    }

    #[test]
    fn a_thousand_queries_can_be_told_apart_and_the_value_is_never_zero() {
        let (before, after) = systems(1000, 0.3);
        let found = difference(&before, &after);
        assert_eq!(found.p_randomisation, 1.0 / 10_001.0);
        assert!(found.p_t_test < 1e-6 && found.p_t_test > 0.0);
    }

    #[test]
    fn nothing_one_and_the_same_are_no_evidence() {
        for (before, after) in [(vec![], vec![]), (vec![0.3; 5], vec![0.3; 5]), (vec![f64::NAN], vec![0.5])] {
            let found = difference(&before, &after);
            assert_eq!((found.p_t_test, found.p_randomisation), (1.0, 1.0));
            assert_eq!((found.mean, found.interval, found.effect_size), (0.0, [0.0, 0.0], 0.0));
        }
        let one = difference(&[0.25], &[0.75]);
        assert_eq!((one.p_t_test, one.p_randomisation, one.interval, one.wins), (1.0, 1.0, [0.5, 0.5], 1));
        assert_eq!(bootstrap_interval(&[]), [0.0, 0.0]);
        assert_eq!(probability_of_gain(&[]), 0.5);
        assert_eq!(probability_of_gain(&[0.0, 0.0]), 0.5);
        assert_eq!(probability_of_gain(&[0.1, 0.2]), 1.0);
    }

    #[test]
    fn holm_multiplies_steps_down_and_stays_in_order() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        let mut first = Difference { p_t_test: 0.02, p_randomisation: 0.5, ..Difference::default() };
        let mut second = Difference { p_t_test: 0.04, p_randomisation: 0.01, ..Difference::default() };
        correct(&mut [&mut first, &mut second]);
        assert_eq!((first.p_t_test_holm, second.p_t_test_holm), (0.04, 0.04));
        assert_eq!((first.p_randomisation_holm, second.p_randomisation_holm), (0.5, 0.02));
    }

    proptest! {
        #[test]
        fn swapping_the_systems_mirrors_everything(values in proptest::collection::vec((0..5_u8, 0..5_u8), 0..40)) {
            let (before, after): (Vec<f64>, Vec<f64>) =
                values.iter().map(|&(before, after)| (f64::from(before) / 4.0, f64::from(after) / 4.0)).unzip();
            let there = difference(&before, &after);
            let back = difference(&after, &before);
            prop_assert!((there.mean + back.mean).abs() < 1e-12);
            prop_assert!((there.p_t_test - back.p_t_test).abs() < 1e-9);
            prop_assert!((there.p_randomisation - back.p_randomisation).abs() < 0.02);
            prop_assert_eq!((there.wins, there.losses), (back.losses, back.wins));
            prop_assert!((0.0..=1.0).contains(&there.p_t_test) && (0.0..=1.0).contains(&there.p_randomisation));
            prop_assert!(there.interval[0] <= there.interval[1]);
        }
    }
}
