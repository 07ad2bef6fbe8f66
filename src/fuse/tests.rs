//! Tests of the fusions together: golden sums, and what holds for all of them.

use proptest::prelude::*;

use super::*;
use crate::document::PassageSpan;
use crate::plan::{Normalizer, ResolvedRrf, RrfDialect};

fn candidate(id: &str, score: f32) -> Candidate {
    Candidate { id: id.into(), score, passage: None, locator: None }
}

fn run(scored: &[(&str, f32)]) -> Vec<Candidate> {
    scored.iter().map(|(id, score)| candidate(id, *score)).collect()
}

fn passage(start: u32) -> PassageMatch {
    PassageMatch { span: PassageSpan { value_idx: 0, start, end: start + 10 } }
}

fn rrf_params(dialect: RrfDialect, rank_constant: u32, rank_window_size: Option<usize>) -> ResolvedFusion {
    ResolvedFusion::Rrf(ResolvedRrf { dialect, rank_constant, rank_window_size })
}

/// `(weight, run)` each; gives `(id, score)` in order.
fn check(runs: &[(f64, &[(&str, f32)])], fusion: Option<ResolvedFusion>, expect: &[(&str, f64)]) {
    let lists: Vec<Vec<Candidate>> = runs.iter().map(|(_, scored)| run(scored)).collect();
    let runs: Vec<LegRun<'_>> =
        runs.iter().zip(&lists).map(|((weight, _), candidates)| LegRun { weight: *weight, candidates }).collect();
    let fused = fuse(&runs, fusion.as_ref());
    let found: Vec<(&str, f64)> = fused.iter().map(|candidate| (candidate.id.as_str(), candidate.score)).collect();
    assert_eq!(found, expect, "{fusion:?}");
    for candidate in &fused {
        assert_eq!(candidate.parts.len(), runs.len());
        let sum: f64 = candidate.parts.iter().map(|part| part.contribution).sum();
        assert!((sum - candidate.score).abs() < 1e-12, "contributions add up to the score");
    }
}

const LEXICAL: &[(&str, f32)] = &[("a", 9.0), ("b", 5.0), ("c", 1.0)];
const DENSE: &[(&str, f32)] = &[("b", 0.9), ("d", 0.5)];

#[test]
fn golden_sums_of_reciprocal_ranks() {
    let both = &[(1.0, LEXICAL), (1.0, DENSE)];
    check(
        both,
        Some(rrf_params(RrfDialect::Standard, 60, None)),
        &[("b", 1.0 / 62.0 + 1.0 / 61.0), ("a", 1.0 / 61.0), ("d", 1.0 / 62.0), ("c", 1.0 / 63.0)],
    );
    check(
        both,
        Some(rrf_params(RrfDialect::ZeroBased, 60, None)),
        &[("b", 1.0 / 61.0 + 1.0 / 60.0), ("a", 1.0 / 60.0), ("d", 1.0 / 61.0), ("c", 1.0 / 62.0)],
    );
    check(
        both,
        Some(rrf_params(RrfDialect::Qdrant, 2, None)),
        &[("b", 1.0 / 3.0 + 1.0 / 2.0), ("a", 1.0 / 2.0), ("d", 1.0 / 3.0), ("c", 1.0 / 4.0)],
    );
    check(
        both,
        Some(rrf_params(RrfDialect::Elasticsearch, 60, Some(2))),
        &[("b", 1.0 / 62.0 + 1.0 / 61.0), ("a", 1.0 / 61.0)],
    );
    check(
        &[(0.4, LEXICAL), (0.6, DENSE)],
        Some(rrf_params(RrfDialect::Standard, 60, None)),
        &[("b", 0.4 / 62.0 + 0.6 / 61.0), ("d", 0.6 / 62.0), ("a", 0.4 / 61.0), ("c", 0.4 / 63.0)],
    );
    check(
        &[(3.0, LEXICAL), (0.0, DENSE)],
        Some(rrf_params(RrfDialect::Qdrant, 2, None)),
        &[
            ("a", 1.0 / (2.0 + 1.0 / 3.0 - 1.0)),
            ("b", 1.0 / (2.0 + 2.0 / 3.0 - 1.0)),
            ("c", 1.0 / (2.0 + 3.0 / 3.0 - 1.0)),
            ("d", 0.0),
        ],
    );
}

fn sum_of(normalizer: Normalizer) -> Option<ResolvedFusion> {
    Some(ResolvedFusion::WeightedSum { normalizer })
}

#[test]
fn golden_weighted_sums() {
    // Lexical: mean 5, deviation sqrt(32/3). Dense: mean 0.7, deviation 0.2, so 1 and -1 (to an f32's precision).
    let lexical = 4.0 * (1.0 / (32.0f64 / 3.0).sqrt());
    let (best, worst) = (f64::from(0.9f32), f64::from(0.5f32));
    let mean = (best + worst) / 2.0;
    let deviation = 1.0 / (((best - mean).powi(2) + (worst - mean).powi(2)) / 2.0).sqrt();
    let dense = |score: f64| (score - mean) * deviation;
    let missing = dense(worst).min(-1.0);
    check(
        &[(0.4, LEXICAL), (0.6, DENSE)],
        sum_of(Normalizer::ZScore),
        &[
            ("b", 0.4 * 0.0 + 0.6 * dense(best)),
            ("a", 0.4 * lexical + 0.6 * missing),
            ("c", 0.4 * -lexical + 0.6 * missing),
            ("d", 0.4 * -lexical + 0.6 * dense(worst)),
        ],
    );
    check(
        &[(0.5, LEXICAL), (0.5, DENSE)],
        sum_of(Normalizer::MinMax),
        &[("b", 0.5 * 0.5 + 0.5 * 1.0), ("a", 0.5), ("c", 0.0), ("d", 0.0)],
    );
    check(&[(2.0, LEXICAL)], sum_of(Normalizer::None), &[("a", 18.0), ("b", 10.0), ("c", 2.0)]);
    check(&[(1.0, LEXICAL)], None, &[("a", 9.0), ("b", 5.0), ("c", 1.0)]);
}

#[test]
fn a_single_match_is_lifted_above_what_the_leg_did_not_return() {
    let dense: &[(&str, f32)] = &[("x", 0.52), ("y", 0.50), ("exact", 0.49), ("z", 0.48), ("v", 0.3), ("w", 0.2)];
    for normalizer in Normalizer::ALL {
        let (lexical, dense) = (run(&[("exact", 3.0)]), run(dense));
        let runs = [LegRun { weight: 0.4, candidates: &lexical }, LegRun { weight: 0.6, candidates: &dense }];
        let fused = weighted_sum(&runs, normalizer);
        let first = match normalizer {
            // On the raw scale and on these the lift is there as well; the margin over x differs.
            Normalizer::ZScore
            | Normalizer::MinMax
            | Normalizer::MaxTheoreticalMin
            | Normalizer::DistributionBased
            | Normalizer::L2
            | Normalizer::None => "exact",
        };
        assert_eq!(fused[0].id.as_str(), first, "{normalizer:?}");
    }
}

#[test]
fn nothing_and_one_sided_nothing_are_fine() {
    let lexical = run(LEXICAL);
    for normalizer in Normalizer::ALL {
        assert!(weighted_sum(&[], normalizer).is_empty());
        let runs = [LegRun { weight: 0.4, candidates: &[] }, LegRun { weight: 0.6, candidates: &lexical }];
        let fused = weighted_sum(&runs, normalizer);
        assert_eq!(fused.iter().map(|candidate| candidate.id.as_str()).collect::<String>(), "abc");
        assert_eq!(fused[0].parts[0].rank, None);
    }
}

#[test]
fn parts_say_where_a_score_comes_from() {
    let (lexical, dense) = (run(LEXICAL), run(DENSE));
    let runs = [LegRun { weight: 0.4, candidates: &lexical }, LegRun { weight: 0.6, candidates: &dense }];
    let fused = weighted_sum(&runs, Normalizer::MinMax);
    let b = &fused[0];
    let part = |rank, score, normalized, weight| LegPart {
        rank: Some(rank),
        score: Some(score),
        normalized: Some(normalized),
        weight,
        contribution: weight * normalized,
    };
    assert_eq!(b.parts, [part(2, 5.0, 0.5, 0.4), part(1, 0.9, 1.0, 0.6)]);
    let a = &fused[1];
    assert_eq!(a.parts[1], LegPart { rank: None, score: None, normalized: Some(0.0), weight: 0.6, contribution: 0.0 });
}

#[test]
fn the_passage_is_the_one_of_the_leg_that_contributed_most() {
    let mut first = run(&[("a", 1.0), ("b", 0.5)]);
    let mut second = run(&[("b", 1.0), ("a", 0.5)]);
    first[0].passage = Some(passage(1));
    first[1].passage = Some(passage(2));
    second[0].passage = Some(passage(3));
    second[1].passage = Some(passage(4));
    let third = run(&[("a", 100.0)]);
    let runs = [(1.0, &first), (1.0, &second), (5.0, &third)].map(|(weight, run)| LegRun { weight, candidates: run });
    let fused = weighted_sum(&runs, Normalizer::None);
    assert_eq!(
        fused.iter().map(|candidate| candidate.passage).collect::<Vec<_>>(),
        [Some(passage(1)), Some(passage(3))]
    );
}

#[test]
fn documents_meet_by_place_where_every_leg_knows_it_and_by_id_where_one_does_not() {
    let place = |doc| Some(DocLocator(tantivy::DocAddress::new(0, doc)));
    let mut lexical = run(&[("a", 2.0), ("b", 1.0)]);
    let mut dense = run(&[("b", 2.0), ("c", 1.0)]);
    for (doc, candidate) in lexical.iter_mut().enumerate() {
        candidate.locator = place(u32::try_from(doc).unwrap());
    }
    let fuse = |dense: &[Candidate]| {
        let runs = [&lexical[..], dense].map(|candidates| LegRun { weight: 1.0, candidates });
        weighted_sum(&runs, Normalizer::MinMax)
    };
    let by_id = fuse(&dense);
    assert_eq!(by_id.iter().map(|candidate| candidate.id.as_str()).collect::<String>(), "abc");
    assert_eq!(by_id[1].locator, place(1));
    for (doc, candidate) in dense.iter_mut().enumerate() {
        candidate.locator = place(u32::try_from(doc).unwrap() + 1);
    }
    let by_place = fuse(&dense);
    let scores = |fused: &[FusedCandidate]| fused.iter().map(|candidate| candidate.score).collect::<Vec<_>>();
    assert_eq!(scores(&by_id), scores(&by_place));
}

#[test]
fn a_second_occurrence_in_a_leg_is_ignored() {
    let twice = run(&[("a", 2.0), ("a", 1.0), ("b", 0.5)]);
    let fused = weighted_sum(&[LegRun { weight: 1.0, candidates: &twice }], Normalizer::None);
    assert_eq!(fused.iter().map(|candidate| candidate.score).collect::<Vec<_>>(), [2.0, 0.5]);
}

fn fusions() -> Vec<ResolvedFusion> {
    let dialects = [RrfDialect::Standard, RrfDialect::ZeroBased, RrfDialect::Qdrant];
    Normalizer::ALL
        .into_iter()
        .map(|normalizer| ResolvedFusion::WeightedSum { normalizer })
        .chain(dialects.into_iter().map(|dialect| rrf_params(dialect, 60, None)))
        .collect()
}

/// Runs over a few documents, so that legs overlap and scores tie.
fn legs() -> impl Strategy<Value = Vec<(f64, Vec<Candidate>)>> {
    let score = prop_oneof![Just(0.0f32), Just(1.0), -3.0f32..30.0];
    let one = prop::collection::btree_map(0u32..12, score, 0..10).prop_map(|scored| {
        let mut run: Vec<Candidate> = scored
            .into_iter()
            .map(|(doc, score)| Candidate {
                passage: Some(passage(doc)),
                locator: Some(DocLocator(tantivy::DocAddress::new(doc % 2, doc))),
                ..candidate(&format!("d{doc:02}"), score)
            })
            .collect();
        run.sort_by(|a, b| b.score.total_cmp(&a.score));
        run
    });
    prop::collection::vec((0.0f64..3.0, one), 1..5)
}

fn runs_of(legs: &[(f64, Vec<Candidate>)]) -> Vec<LegRun<'_>> {
    legs.iter().map(|(weight, candidates)| LegRun { weight: *weight, candidates }).collect()
}

proptest! {
    #[test]
    fn the_order_of_the_legs_does_not_matter(legs in legs(), turn in 0usize..4) {
        let mut turned = legs.clone();
        turned.rotate_left(turn % legs.len());
        turned.reverse();
        for fusion in fusions() {
            let fused = fuse(&runs_of(&legs), Some(&fusion));
            let again = fuse(&runs_of(&turned), Some(&fusion));
            let outline = |fused: &[FusedCandidate]| {
                fused.iter().map(|candidate| (candidate.id.clone(), candidate.score, candidate.passage)).collect::<Vec<_>>()
            };
            prop_assert_eq!(outline(&fused), outline(&again));
        }
    }

    #[test]
    fn every_candidate_comes_back_once_in_order(legs in legs()) {
        for fusion in fusions() {
            let fused = fuse(&runs_of(&legs), Some(&fusion));
            let mut ids: Vec<&str> = fused.iter().map(|candidate| candidate.id.as_str()).collect();
            ids.sort_unstable();
            let mut expect: Vec<&str> = legs.iter().flat_map(|(_, run)| run).map(|candidate| candidate.id.as_str()).collect();
            expect.sort_unstable();
            expect.dedup();
            prop_assert_eq!(ids, expect);
            for pair in fused.windows(2) {
                prop_assert!(pair[0].score > pair[1].score || (pair[0].score == pair[1].score && pair[0].id < pair[1].id));
            }
            prop_assert!(fused.iter().all(|candidate| candidate.score.is_finite()));
        }
    }

    #[test]
    fn a_single_leg_keeps_its_order(legs in legs()) {
        let (_, run) = &legs[0];
        let mut expect = run.clone();
        for fusion in fusions() {
            if let ResolvedFusion::WeightedSum { .. } = fusion {
                expect.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
            } else {
                expect.clone_from(run);
            }
            let fused = fuse(&[LegRun { weight: 0.7, candidates: run }], Some(&fusion));
            prop_assert_eq!(
                fused.iter().map(|candidate| candidate.id.as_str()).collect::<Vec<_>>(),
                expect.iter().map(|candidate| candidate.id.as_str()).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_document_that_no_leg_ranks_lower_is_not_below(legs in legs()) {
        for fusion in fusions() {
            let fused = fuse(&runs_of(&legs), Some(&fusion));
            for (place, better) in fused.iter().enumerate() {
                for worse in &fused[place + 1..] {
                    // If `worse` stands above `better` in every leg, with the larger score, it cannot have come out below.
                    let above = |(b, w): (&LegPart, &LegPart)| match (b.score, w.score) {
                        (Some(b), Some(w)) => w > b,
                        (None, Some(_)) => true,
                        (Some(_) | None, None) => false,
                    };
                    let dominated = better.parts.iter().zip(&worse.parts).all(above);
                    prop_assert!(!dominated || better.score == worse.score, "{:?} {:?}", better, worse);
                }
            }
        }
    }
}
