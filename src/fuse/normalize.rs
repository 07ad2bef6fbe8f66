//! Scores of one leg to a scale on which legs can be summed. The formulas stand at [`Normalizer`]'s variants.

use crate::plan::Normalizer;

/// The scale of one leg: `(score - zero) * factor`, with a factor above 0, so that the leg's order is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LegScale {
    zero: f64,
    factor: f64,
    shift: f64,
    /// What a document gets that the leg did not return; no more than any that it did return.
    pub missing: f64,
}

impl LegScale {
    /// The score on the scale; never NaN.
    pub fn apply(&self, score: f32) -> f64 {
        // The factor comes last: differences of huge scores stay finite, and so does their product with a small factor.
        (finite(score) - self.zero) * self.factor + self.shift
    }
}

/// Finds the scale of one leg from all its scores.
///
/// * `scores`: of every candidate of the leg, in any order, not NaN; infinite ones count as the largest number. May be empty.
///
/// What happens to a leg without candidates, with one, or with equal scores stands at [`Normalizer`]'s variants; none of
/// them divides by zero. O(n).
pub fn normalize(normalizer: Normalizer, scores: impl Iterator<Item = f32> + Clone) -> LegScale {
    let scores = scores.map(finite);
    let (min, max) =
        scores.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), score| (score.min(min), score.max(max)));
    if min > max {
        return empty(normalizer);
    }
    let all_equal = min == max;
    let scale = |zero: f64, factor: f64, shift: f64| LegScale { zero, factor, shift, missing: 0.0 };
    let mut result = match normalizer {
        Normalizer::ZScore if all_equal => scale(min, 1.0, 0.0),
        Normalizer::ZScore => {
            let Moments { mean, squares, count } = moments(scores);
            scale(mean, 1.0 / (squares / count).sqrt(), 0.0)
        }
        Normalizer::MinMax if all_equal => scale(min, 1.0, 1.0),
        Normalizer::MinMax => scale(min, 1.0 / (max - min), 0.0),
        Normalizer::MaxTheoreticalMin => scale(0.0, inverse(max.abs()), 0.0),
        Normalizer::DistributionBased if all_equal => scale(min, 1.0, 0.5),
        Normalizer::DistributionBased => {
            // As the engine this formula is known from: the sample's deviation, which divides by one less than the count.
            let Moments { mean, squares, count } = moments(scores);
            scale(mean, 1.0 / (6.0 * (squares / (count - 1.0)).sqrt()), 0.5)
        }
        Normalizer::L2 => scale(0.0, inverse(scores.map(|score| score * score).sum::<f64>().sqrt()), 0.0),
        Normalizer::None => scale(0.0, 1.0, 0.0),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the minimum came from an f32")]
    let lowest = result.apply(min as f32);
    result.missing = match normalizer {
        Normalizer::ZScore => lowest.min(-1.0),
        Normalizer::MinMax => 0.0,
        Normalizer::MaxTheoreticalMin | Normalizer::DistributionBased | Normalizer::L2 | Normalizer::None => {
            lowest.min(0.0)
        }
    };
    result
}

/// A leg that returned nothing gives every document the same, so that it changes no order: 0.
fn empty(_: Normalizer) -> LegScale {
    LegScale { zero: 0.0, factor: 1.0, shift: 0.0, missing: 0.0 }
}

fn inverse(number: f64) -> f64 {
    if number > 0.0 { 1.0 / number } else { 1.0 }
}

fn finite(score: f32) -> f64 {
    f64::from(score.clamp(f32::MIN, f32::MAX))
}

/// Mean, sum of squared differences from it, and count.
struct Moments {
    mean: f64,
    squares: f64,
    count: f64,
}

fn moments(scores: impl Iterator<Item = f64> + Clone) -> Moments {
    let (sum, count) = scores.clone().fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
    let mean = sum / count;
    let squares = scores.map(|score| (score - mean) * (score - mean)).sum();
    Moments { mean, squares, count }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalized(normalizer: Normalizer, scores: &[f32]) -> (Vec<f64>, f64) {
        let scale = normalize(normalizer, scores.iter().copied());
        (scores.iter().map(|&score| scale.apply(score)).collect(), scale.missing)
    }

    #[test]
    fn golden_numbers() {
        let scores = [4.0, 2.0, 0.0];
        let deviation = (8.0f64 / 3.0).sqrt();
        let (z, missing) = normalized(Normalizer::ZScore, &scores);
        assert_eq!(z, [2.0 * (1.0 / deviation), 0.0, -2.0 * (1.0 / deviation)]);
        assert_eq!(missing, -2.0 * (1.0 / deviation));
        assert_eq!(normalized(Normalizer::MinMax, &scores), (vec![1.0, 0.5, 0.0], 0.0));
        assert_eq!(normalized(Normalizer::MaxTheoreticalMin, &scores), (vec![1.0, 0.5, 0.0], 0.0));
        // The sample's deviation is 2: the scale runs from 2 - 6 to 2 + 6.
        let step = 2.0 * (1.0 / 12.0);
        assert_eq!(normalized(Normalizer::DistributionBased, &scores), (vec![0.5 + step, 0.5, 0.5 - step], 0.0));
        let norm = 1.0 / 20.0f64.sqrt();
        assert_eq!(normalized(Normalizer::L2, &scores), (vec![4.0 * norm, 2.0 * norm, 0.0], 0.0));
        assert_eq!(normalized(Normalizer::None, &scores), (vec![4.0, 2.0, 0.0], 0.0));
    }

    #[test]
    fn one_candidate_or_equal_scores_have_a_defined_place() {
        for scores in [&[3.0][..], &[3.0, 3.0, 3.0], &[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]] {
            let check = |normalizer, expect: f64, expect_missing: f64| {
                let (values, missing) = normalized(normalizer, scores);
                assert!(values.iter().all(|&value| value == expect), "{normalizer:?} {values:?}");
                assert_eq!(missing, expect_missing, "{normalizer:?}");
            };
            check(Normalizer::ZScore, 0.0, -1.0);
            check(Normalizer::MinMax, 1.0, 0.0);
            check(Normalizer::MaxTheoreticalMin, 1.0, 0.0);
            check(Normalizer::DistributionBased, 0.5, 0.0);
            check(Normalizer::None, f64::from(scores[0]), 0.0);
        }
        assert_eq!(normalized(Normalizer::L2, &[3.0, 3.0, 3.0, 3.0]), (vec![0.5; 4], 0.0));
        for normalizer in [Normalizer::MaxTheoreticalMin, Normalizer::L2, Normalizer::None] {
            assert_eq!(normalized(normalizer, &[0.0, 0.0]), (vec![0.0; 2], 0.0));
        }
    }

    #[test]
    fn a_leg_without_candidates_changes_nothing() {
        for normalizer in Normalizer::ALL {
            assert_eq!(normalize(normalizer, std::iter::empty()).missing, 0.0);
        }
    }

    #[test]
    fn negative_scores_keep_their_order_and_stay_above_missing_ones() {
        let scores = [-1.0, -2.0, -3.0];
        assert_eq!(normalized(Normalizer::MaxTheoreticalMin, &scores), (vec![-1.0, -2.0, -3.0], -3.0));
        assert_eq!(normalized(Normalizer::None, &scores).1, -3.0);
    }

    #[test]
    fn infinite_scores_count_as_the_largest_number() {
        for normalizer in Normalizer::ALL {
            let (values, missing) =
                normalized(normalizer, &[f32::INFINITY, f32::MAX, 1.0, f32::MIN, f32::NEG_INFINITY]);
            assert!(values.iter().all(|value| value.is_finite()) && missing.is_finite(), "{normalizer:?} {values:?}");
        }
    }

    fn scores() -> impl Strategy<Value = Vec<f32>> {
        let score = prop_oneof![4 => -50.0f32..50.0, 1 => Just(0.0), 1 => Just(7.5), 1 => prop::num::f32::NORMAL, 1 => 0.0f32..1e-30];
        prop::collection::vec(score, 1..40)
    }

    proptest! {
        #[test]
        fn every_normalizer_keeps_the_order_and_is_never_not_a_number(scores in scores()) {
            for normalizer in Normalizer::ALL {
                let (values, missing) = normalized(normalizer, &scores);
                prop_assert!(missing.is_finite());
                for (a, value_a) in scores.iter().zip(&values) {
                    prop_assert!(value_a.is_finite() && *value_a >= missing, "{:?} {} {}", normalizer, value_a, missing);
                    for (b, value_b) in scores.iter().zip(&values) {
                        prop_assert!(a <= b || value_a >= value_b, "{:?}", normalizer);
                        prop_assert!(a != b || value_a == value_b, "{:?}", normalizer);
                    }
                }
            }
        }

        #[test]
        fn every_normalizer_lands_in_its_range(scores in prop::collection::vec(-50.0f32..50.0, 1..200)) {
            const SLACK: f64 = 1e-9;
            let range = |normalizer| {
                let (values, _) = normalized(normalizer, &scores);
                values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), &value| (value.min(min), value.max(max)))
            };
            let (min, max) = range(Normalizer::MinMax);
            prop_assert!(min >= 0.0 && max <= 1.0 + SLACK);
            let (min, max) = range(Normalizer::L2);
            prop_assert!(min >= -1.0 - SLACK && max <= 1.0 + SLACK);
            prop_assert!(range(Normalizer::MaxTheoreticalMin).1 <= 1.0 + SLACK);
            // No value of a sample of n lies further than (n - 1) / sqrt(n) sample deviations from its mean (Samuelson 1968).
            let bound = (scores.len() as f64 - 1.0) / (scores.len() as f64).sqrt() / 6.0 + SLACK;
            let (min, max) = range(Normalizer::DistributionBased);
            prop_assert!(min >= 0.5 - bound && max <= 0.5 + bound);
            let bound = (scores.len() as f64 - 1.0).sqrt() + SLACK;
            let (min, max) = range(Normalizer::ZScore);
            prop_assert!(min >= -bound && max <= bound);
        }
    }
}
