//! The fused score and the cross-encoder's to one final score.
//!
//! * The cross-encoder alone: the final score is the relevance, `1 / (1 + exp(-logit))`.
//! * With a weight `w`: `standardised fused score + w * standardised logit`, where standardised means
//!   `(x - mean) / deviation` over the candidates that were read, and 0 where all are equal. A cross-encoder that is worse
//!   than the legs alone still improves them with a small weight.
//! * Candidates that were not read stand below, at the distances of their fused scores, so that final scores fall all the
//!   way (tools that sort a run by score, as trec_eval does, then see the order meant). Their scores may be negative.

use super::RerankedCandidate;

/// How far below the last candidate that was read the first one that was not stands: enough to survive six printed
/// digits after the point and an `f32`.
const GAP: f64 = 1e-3;

/// Sets the final score of every candidate from its fused score and its logit, as the module says; all have been read.
pub(super) fn set_final_scores(read: &mut [RerankedCandidate], weight: Option<f64>) {
    let fused: Vec<f64> = read.iter().map(|candidate| candidate.fused.score).collect();
    let logits: Vec<f32> = read.iter().map(|candidate| candidate.rerank.map_or(0.0, |part| part.logit)).collect();
    for (candidate, score) in read.iter_mut().zip(final_scores(&fused, &logits, weight)) {
        candidate.score = score;
    }
}

/// The final scores of candidates that were read, from their fused scores and logits (one each, in one order), as the module says.
pub fn final_scores(fused: &[f64], logits: &[f32], weight: Option<f64>) -> Vec<f64> {
    let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(finite(logit))).collect();
    let Some(weight) = weight else { return logits.into_iter().map(sigmoid).collect() };
    let sum = |(fused, logit): (f64, f64)| fused + weight * logit;
    standardise(fused).into_iter().zip(standardise(&logits)).map(sum).collect()
}

/// Shifts the scores of candidates that were not read, best first, to below `floor`.
pub(super) fn put_below(unread: &mut [RerankedCandidate], floor: f64) {
    let Some(best) = unread.first().map(|candidate| candidate.fused.score) else { return };
    for candidate in unread {
        candidate.score = below(floor, best, candidate.fused.score);
    }
}

/// The final score of a candidate that was not read.
///
/// * `floor`: the lowest final score of those that were; `best`: the best fused score of those that were not.
pub fn below(floor: f64, best: f64, fused: f64) -> f64 {
    floor - GAP - (best - fused)
}

/// `(x - mean) / deviation` with the population's deviation; 0 where all are equal.
fn standardise(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt();
    let all_equal = values.windows(2).all(|pair| pair[0] == pair[1]);
    values.iter().map(|value| if all_equal || deviation == 0.0 { 0.0 } else { (value - mean) / deviation }).collect()
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn finite(logit: f32) -> f32 {
    logit.clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardised_values_have_mean_0_and_deviation_1() {
        let deviation = (8.0f64 / 3.0).sqrt();
        assert_eq!(standardise(&[4.0, 2.0, 0.0]), [2.0 / deviation, 0.0, -2.0 / deviation]);
        assert_eq!(standardise(&[0.1, 0.1, 0.1]), [0.0; 3]);
        assert_eq!(standardise(&[5.0]), [0.0]);
        assert!(standardise(&[]).is_empty());
    }

    #[test]
    fn the_sigmoid_stays_in_its_range() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(f64::from(f32::MAX)), 1.0);
        assert_eq!(sigmoid(f64::from(f32::MIN)), 0.0);
    }
}
