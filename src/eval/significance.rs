//! Whether a difference is more than chance: paired tests, effect size, bootstrap intervals, Holm's correction.

use super::comparison::Difference;

/// Seeds every shuffle of this folder, so that the same data give the same figures.
pub const SEED: u64 = 20_250;

/// Compares two systems query by query; `before` and `after` have one value a query, in the same order. The Holm fields hold
/// the uncorrected values until [`correct`] is called over all differences of one measure.
pub fn difference(before: &[f64], after: &[f64]) -> Difference {
    let _ = (before, after);
    unimplemented!("helper data")
}

/// Corrects the p values of several comparisons on one measure by Holm's method, in place.
pub fn correct(differences: &mut [&mut Difference]) {
    let _ = differences;
    unimplemented!("helper data")
}

/// 95 percent bootstrap confidence interval of the mean of `values` (percentile method, [`SEED`]).
pub fn bootstrap_interval(values: &[f64]) -> [f64; 2] {
    let _ = values;
    unimplemented!("helper data")
}

/// The share of bootstrap samples of the queries in which the mean of `differences` is above 0; ties count half.
pub fn probability_of_gain(differences: &[f64]) -> f64 {
    let _ = differences;
    unimplemented!("helper data")
}
