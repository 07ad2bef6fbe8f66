//! Whether re-ranking pays: quality, gains and losses, and time against the number of candidates that are read.
//!
//! Nothing is read anew: a cross-encoder's logits of the first candidates say what reading fewer of them would have given. Scores are
//! made as [`rerank`](crate::rerank) makes them and sorted as trec_eval sorts, so that the figures are those of a plan with that depth.

use super::Reading;
use super::curves::depths_up_to;
use super::judged::{Judged, ROUNDING, count_u32, mean};
use crate::eval::comparison::{RerankingDepth, RerankingWorth};
use crate::eval::measures::Measure;
use crate::eval::run::{Rankings, ScoredDocument};
use crate::eval::significance::{bootstrap_interval, probability_of_gain};
use crate::rerank::combine::{below, final_scores};

/// Candidates read; the reading's own depth is added where it is none of these.
const DEPTHS: [usize; 7] = [10, 20, 30, 50, 100, 150, 200];

/// Quality at one depth, query by query.
#[derive(Debug)]
struct AtDepth {
    depth: usize,
    /// Of the queries that count.
    values: Vec<f64>,
    mean: f64,
    /// Of the difference to no re-ranking.
    interval: [f64; 2],
}

/// Measures every depth up to that of the reading, and says what to do.
pub(super) fn worth(judged: &Judged<'_>, reading: &Reading, primary: &Measure) -> RerankingWorth {
    let deepest = reading.by_query.values().map(|(fused, logits)| logits.len().min(fused.len())).max().unwrap_or(0);
    let depths: Vec<usize> = std::iter::once(0).chain(depths_up_to(&DEPTHS, deepest)).collect();
    let at_depths = at_depths(judged, reading, primary, &depths);
    let by_depth = at_depths.iter().map(|at| row(judged, reading, &at_depths, at)).collect();
    let (recommendation, confidence) = recommend(&at_depths, &reading.added_ms, &primary.label());
    RerankingWorth { plan: reading.plan.clone(), model: reading.model.clone(), by_depth, recommendation, confidence }
}

fn at_depths(judged: &Judged<'_>, reading: &Reading, primary: &Measure, depths: &[usize]) -> Vec<AtDepth> {
    let mut at_depths: Vec<AtDepth> = Vec::with_capacity(depths.len());
    for &depth in depths {
        let mut values = judged.values(&reranked(reading, depth), primary);
        values.retain(|value| !value.is_nan());
        let differences: Vec<f64> =
            at_depths.first().map_or_else(Vec::new, |without: &AtDepth| differences(&without.values, &values));
        let interval = bootstrap_interval(&differences);
        at_depths.push(AtDepth { depth, mean: mean(values.iter().copied()), values, interval });
    }
    at_depths
}

/// Each query's ranking after the first `depth` candidates were read.
fn reranked(reading: &Reading, depth: usize) -> Rankings {
    let rerank = |(query, (fused, logits)): (&String, &(Vec<ScoredDocument>, Vec<f32>))| {
        (query.clone(), rerank_query(fused, logits, depth, reading.weight))
    };
    reading.by_query.iter().map(rerank).collect()
}

fn rerank_query(fused: &[ScoredDocument], logits: &[f32], depth: usize, weight: Option<f64>) -> Vec<ScoredDocument> {
    let (read, rest) = fused.split_at(depth.min(logits.len()).min(fused.len()));
    if read.is_empty() {
        return fused.to_vec();
    }
    let fused_scores: Vec<f64> = read.iter().map(|hit| hit.score).collect();
    let scores = final_scores(&fused_scores, &logits[..read.len()], weight);
    let floor = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let best_of_rest = rest.first().map_or(0.0, |hit| hit.score);
    let unread = rest.iter().map(|hit| (hit, below(floor, best_of_rest, hit.score)));
    let scored = read.iter().zip(scores).chain(unread);
    scored.map(|(hit, score)| ScoredDocument { id: hit.id.clone(), score }).collect()
}

fn row(judged: &Judged<'_>, reading: &Reading, all: &[AtDepth], at: &AtDepth) -> RerankingDepth {
    let differences = all.first().map_or_else(Vec::new, |without| differences(&without.values, &at.values));
    let share = |of: fn(f64) -> bool| {
        let count = differences.iter().filter(|&&difference| of(difference)).count();
        if differences.is_empty() { 0.0 } else { count as f64 / differences.len() as f64 }
    };
    RerankingDepth {
        depth: count_u32(at.depth),
        candidate_recall: candidate_recall(judged, reading, at.depth),
        mean: at.mean,
        interval: at.interval,
        gain: share(|difference| difference > ROUNDING),
        lose: share(|difference| difference < -ROUNDING),
        stay: share(|difference| difference.abs() <= ROUNDING),
        added_ms_p50: added_ms(&reading.added_ms, at.depth),
    }
}

/// Mean recall of the first candidates, in the order in which they are read.
fn candidate_recall(judged: &Judged<'_>, reading: &Reading, depth: usize) -> f64 {
    mean(judged.queries.iter().filter_map(|query| {
        let candidates = reading.by_query.get(query.id).map_or(&[][..], |(fused, _)| fused);
        if candidates.is_empty() && !judged.counts_without_hits() {
            return None;
        }
        let is_found = |hit: &&ScoredDocument| query.may_count(&hit.id) && query.is_relevant(&hit.id);
        Some(query.recall(candidates.iter().take(depth).filter(is_found).count()))
    }))
}

/// Milliseconds that reading so many candidates adds: straight lines between the depths that were timed, and from the origin.
fn added_ms(timed: &[(u32, f64)], depth: usize) -> f64 {
    let depth = depth as f64;
    let (mut before, mut slope) = ((0.0, 0.0), 0.0);
    for &(timed_depth, ms) in timed {
        let after = (f64::from(timed_depth), ms);
        if after.0 > before.0 {
            slope = (after.1 - before.1) / (after.0 - before.0);
            if depth <= after.0 {
                break;
            }
            before = after;
        }
    }
    before.1 + slope * (depth - before.0)
}

fn differences(before: &[f64], after: &[f64]) -> Vec<f64> {
    before.iter().zip(after).map(|(before, after)| after - before).collect()
}

/// What to do, and how probable it is that re-ranking is better than not.
fn recommend(at_depths: &[AtDepth], timed: &[(u32, f64)], measure: &str) -> (String, f64) {
    let Some((without, read)) = at_depths.split_first() else { return (String::new(), 0.5) };
    let Some(best) = read.iter().reduce(|best, at| if at.mean > best.mean + ROUNDING { at } else { best }) else {
        return ("Nothing was read, so nothing can be said of re-ranking.".to_string(), 0.5);
    };
    let gains = |at: &AtDepth| differences(&without.values, &at.values);
    let count = without.values.len();
    if read.iter().all(|at| gains(at).iter().all(|gain| gain.abs() <= ROUNDING)) {
        return (format!("Re-ranking changes nothing here: {measure} is the same at every depth."), 0.5);
    }
    let [low, high] = best.interval;
    let cost = |at: &AtDepth| match added_ms(timed, at.depth) {
        ms if timed.is_empty() || ms <= 0.0 => String::new(),
        ms if ms < 10.0 => format!(" and adds {ms:.1} ms to a query (median)"),
        ms => format!(" and adds {ms:.0} ms to a query (median)"),
    };
    let queries = if count == 1 { "1 query".to_string() } else { format!("{count} queries") };
    let confidence = |at: &AtDepth| probability_of_gain(&gains(at));
    let depth = best.depth;
    let gain = best.mean - without.mean;
    if low > 0.0 {
        let advised = read.iter().find(|at| at.interval[0] > 0.0 && is_within_noise(at, best)).unwrap_or(best);
        return (advice(without, advised, best, measure, &queries, &cost(advised)), confidence(advised));
    }
    let text = if high < 0.0 {
        format!(
            "Re-ranking does harm here: even at its best depth, {depth}, {measure} falls from {:.3} to {:.3}, by {:.3} (95% \
             interval {:.3} to {:.3}, {queries}). Leave it out.",
            without.mean, best.mean, -gain, -high, -low
        )
    } else {
        format!(
            "Whether re-ranking pays cannot be told with {queries}: at its best depth, {depth}, {measure} goes from {:.3} to \
             {:.3}, by {gain:+.3} (95% interval {low:+.3} to {high:+.3}){}. Leave it out until more judged queries tell.",
            without.mean,
            best.mean,
            if cost(best).is_empty() { String::new() } else { format!(",{}", cost(best)) }
        )
    };
    (text, confidence(best))
}

/// Whether the best depth's lead over this one may be chance.
fn is_within_noise(at: &AtDepth, best: &AtDepth) -> bool {
    at.depth == best.depth || bootstrap_interval(&differences(&at.values, &best.values))[0] <= 0.0
}

fn advice(without: &AtDepth, at: &AtDepth, best: &AtDepth, measure: &str, queries: &str, cost: &str) -> String {
    let [low, high] = at.interval;
    let deeper = if at.depth < best.depth {
        format!(" The best depth, {}, is better by {:.3}, which may be chance.", best.depth, best.mean - at.mean)
    } else {
        String::new()
    };
    format!(
        "Re-ranking pays here: reading {} candidates raises {measure} from {:.3} to {:.3}, by {:.3} (95% interval {low:.3} to \
         {high:.3}, {queries}){cost}.{deeper}",
        at.depth,
        without.mean,
        at.mean,
        at.mean - without.mean
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::tests::{hits, qrels};
    use super::*;
    use crate::eval::dataset::Judgments;
    use crate::eval::scoring::ScoringOptions;

    fn ids(ranking: &[ScoredDocument]) -> Vec<&str> {
        let mut sorted: Vec<&ScoredDocument> = ranking.iter().collect();
        sorted.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.id.cmp(&a.id)));
        sorted.into_iter().map(|hit| hit.id.as_str()).collect()
    }

    #[test]
    fn what_was_read_stands_first_and_the_rest_stays() {
        let fused = hits(&[("a", 4.0), ("b", 3.0), ("c", 2.0), ("d", 1.0)]);
        let logits = [-2.0, 1.0, 3.0];
        assert_eq!(ids(&rerank_query(&fused, &logits, 0, None)), ["a", "b", "c", "d"]);
        assert_eq!(ids(&rerank_query(&fused, &logits, 2, None)), ["b", "a", "c", "d"]);
        assert_eq!(ids(&rerank_query(&fused, &logits, 10, None)), ["c", "b", "a", "d"]);
        // A small weight leaves the fused order.
        assert_eq!(ids(&rerank_query(&fused, &logits, 10, Some(0.1))), ["a", "b", "c", "d"]);
    }

    #[test]
    fn milliseconds_lie_on_lines_between_the_depths_timed() {
        let timed = [(10, 20.0), (50, 60.0)];
        assert_eq!([0, 5, 10, 30, 50, 100].map(|depth| added_ms(&timed, depth)), [0.0, 10.0, 20.0, 40.0, 60.0, 110.0]);
        assert_eq!(added_ms(&[], 10), 0.0);
    }

    /// `good` queries in which reading 10 candidates lifts the relevant one from rank 2, `bad` ones in which it sinks from rank 1,
    /// and `same` ones. The eleventh and later candidates do not matter.
    fn reading(good: usize, bad: usize, same: usize) -> (Judgments, Reading) {
        let mut judgments = Judgments::new();
        let mut reading = Reading { plan: "p".into(), model: "m".into(), ..Reading::default() };
        for idx in 0..good + bad + same {
            let relevant = if idx < good { "d1" } else { "d0" };
            judgments.insert(idx.to_string(), HashMap::from([(relevant.to_string(), 1)]));
            let fused =
                (0..20u32).map(|idx| ScoredDocument { id: format!("d{idx}").into(), score: -f64::from(idx) }).collect();
            let mut logits: Vec<f32> = (0..20u8).map(|idx| -f32::from(idx)).collect();
            if idx < good + bad {
                logits.swap(0, 1);
            }
            reading.by_query.insert(idx.to_string(), (fused, logits));
        }
        reading.added_ms = vec![(10, 25.0), (20, 50.0)];
        (judgments, reading)
    }

    fn worth_of(good: usize, bad: usize, same: usize) -> RerankingWorth {
        let (judgments, reading) = reading(good, bad, same);
        let ids: Vec<String> = (0..good + bad + same).map(|idx| idx.to_string()).collect();
        let judged = Judged::new(ids.iter().map(String::as_str), &judgments, ScoringOptions::default());
        worth(&judged, &reading, &"mrr".parse().unwrap())
    }

    #[test]
    fn a_clear_gain_is_advised_at_the_smallest_depth() {
        let worth = worth_of(30, 2, 8);
        let depths: Vec<u32> = worth.by_depth.iter().map(|row| row.depth).collect();
        assert_eq!(depths, [0, 10, 20]);
        let [without, at_10, at_20] = [0, 1, 2].map(|idx| &worth.by_depth[idx]);
        assert_eq!((without.mean, without.candidate_recall, without.stay), ((30.0 * 0.5 + 10.0) / 40.0, 0.0, 1.0));
        assert_eq!((at_10.mean, at_10.candidate_recall), ((30.0 + 2.0 * 0.5 + 8.0) / 40.0, 1.0));
        assert_eq!((at_10.gain, at_10.lose, at_10.stay), (30.0 / 40.0, 2.0 / 40.0, 8.0 / 40.0));
        assert_eq!((at_10.added_ms_p50, at_20.added_ms_p50), (25.0, 50.0));
        assert!(at_10.interval[0] > 0.0 && at_10.interval[1] < 0.5);
        let text = &worth.recommendation;
        assert!(text.starts_with("Re-ranking pays here: reading 10 candidates raises "), "{text}");
        assert!(text.contains("from 0.625 to 0.975, by 0.350") && text.contains("40 queries"), "{text}");
        assert!(text.contains("adds 25 ms"), "{text}");
        assert!(worth.confidence > 0.99);
    }

    #[test]
    fn noise_harm_and_nothing_are_told_apart() {
        let unclear = worth_of(4, 3, 10);
        assert!(unclear.recommendation.contains("cannot be told with 17 queries"), "{}", unclear.recommendation);
        assert!((0.3..0.95).contains(&unclear.confidence));
        let harm = worth_of(2, 30, 8);
        assert!(harm.recommendation.starts_with("Re-ranking does harm here"), "{}", harm.recommendation);
        assert!(harm.confidence < 0.01);
        let nothing = worth_of(0, 0, 9);
        assert!(nothing.recommendation.contains("changes nothing"), "{}", nothing.recommendation);
        let unread = worth_of(0, 0, 0);
        assert_eq!(unread.by_depth.len(), 1);
        assert!(unread.recommendation.starts_with("Nothing was read"));
    }

    #[test]
    fn a_deeper_reading_must_be_better_than_chance() {
        let at = |depth, values: Vec<f64>| {
            let interval = bootstrap_interval(&values);
            AtDepth { depth, mean: mean(values.iter().copied()), values, interval }
        };
        let without = at(0, vec![0.0; 60]);
        let good: Vec<f64> = (0..60u8).map(|idx| 0.2 + f64::from(idx % 3) / 10.0).collect();
        // One query of sixty is better at 50: chance. At 100 all are.
        let by_chance: Vec<f64> =
            (0..60u8).zip(&good).map(|(idx, value)| value + f64::from(u8::from(idx == 7))).collect();
        let (text, _) = recommend(&[without, at(20, good.clone()), at(50, by_chance)], &[], "nDCG@10");
        assert!(text.contains("reading 20 candidates") && text.contains("The best depth, 50"), "{text}");
        assert!(!text.contains("ms"), "{text}");
        let all: Vec<f64> = good.iter().map(|value| value + 0.1).collect();
        let (text, _) = recommend(&[at(0, vec![0.0; 60]), at(20, good), at(100, all)], &[], "nDCG@10");
        assert!(text.contains("reading 100 candidates") && !text.contains("chance"), "{text}");
    }

    proptest! {
        #[test]
        fn depth_0_is_the_fused_ranking_and_shares_add_up(
            scores in prop::collection::vec(prop::collection::vec((0u8..8, -3i8..3), 0..30), 1..12),
            relevant in prop::collection::vec(0usize..30, 12),
            weight in prop::option::of(0.0f64..2.0),
        ) {
            let mut reading = Reading { weight, ..Reading::default() };
            let mut judgments = Judgments::new();
            let mut fused_run = Rankings::new();
            for (query, (scored, relevant)) in scores.iter().zip(relevant).enumerate() {
                let mut fused: Vec<ScoredDocument> = (0..).zip(scored)
                    .map(|(idx, (score, _)): (u32, _)| ScoredDocument { id: format!("d{idx}").into(), score: f64::from(*score) })
                    .collect();
                fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
                judgments.insert(query.to_string(), HashMap::from([(format!("d{relevant}"), 1)]));
                fused_run.insert(query.to_string(), fused.clone());
                let logits = scored.iter().map(|(_, logit)| f32::from(*logit)).collect();
                reading.by_query.insert(query.to_string(), (fused, logits));
            }
            let ids: Vec<String> = (0..scores.len()).map(|query| query.to_string()).collect();
            let judged = Judged::new(ids.iter().map(String::as_str), &judgments, ScoringOptions::default());
            let primary: Measure = "map".parse().unwrap();
            let worth = worth(&judged, &reading, &primary);
            let fused_mean = mean(judged.values(&fused_run, &primary));
            prop_assert!((worth.by_depth[0].mean - fused_mean).abs() < 1e-12);
            for row in &worth.by_depth {
                prop_assert!((row.gain + row.lose + row.stay - 1.0).abs() < 1e-12);
                prop_assert!(row.interval[0] <= row.interval[1]);
            }
            prop_assert!(worth.by_depth.windows(2).all(|pair| pair[0].candidate_recall <= pair[1].candidate_recall));
            prop_assert!((0.0..=1.0).contains(&worth.confidence));
        }
    }

    #[test]
    fn queries_without_a_reading_count_0_or_not_at_all() {
        let (mut judgments, reading) = reading(1, 0, 0);
        judgments.extend(qrels(&[("missing", &[("d0", 1)])]));
        let primary: Measure = "mrr".parse().unwrap();
        let mean_with = |options| {
            let judged = Judged::new(["0", "missing"].into_iter(), &judgments, options);
            worth(&judged, &reading, &primary).by_depth.iter().map(|row| row.mean).collect::<Vec<_>>()
        };
        assert_eq!(mean_with(ScoringOptions::default()), [0.25, 0.5, 0.5]);
        let average = crate::eval::scoring::Average::Retrieved;
        assert_eq!(mean_with(ScoringOptions { average, ..ScoringOptions::default() }), [0.5, 1.0, 1.0]);
    }
}
