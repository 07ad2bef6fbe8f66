//! Tests of re-ranking with a cross-encoder that reads its scores from the passages.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::document::PassageSpan;
use crate::models::{ModelFingerprint, Pooling, Tokenize};

/// A passage is `logit` or `logit tokens-cut-off`; reading a pair takes `pair_ms` on its own clock.
#[derive(Debug)]
struct Reader {
    fingerprint: ModelFingerprint,
    pair_ms: u64,
    clock_ms: AtomicU64,
}

impl Reader {
    fn new(pair_ms: u64) -> Self {
        let fingerprint = ModelFingerprint {
            normalized: true,
            name: "reader".into(),
            hash: "00".into(),
            dims: 0,
            pooling: Pooling::None,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: 512,
        };
        Self { fingerprint, pair_ms, clock_ms: AtomicU64::new(0) }
    }
}

impl Tokenize for Reader {
    fn token_offsets(&self, text: &str) -> Result<Vec<std::ops::Range<usize>>> {
        Ok((0..text.len()).map(|start| start..start + 1).collect())
    }
}

impl CrossEncoder for Reader {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn tokenizer(&self) -> &dyn Tokenize {
        self
    }

    fn score(&self, _query: &str, passages: &[&str]) -> Result<Vec<PairScore>> {
        self.clock_ms.fetch_add(self.pair_ms * passages.len() as u64, Ordering::Relaxed);
        let score = |text: &&str| {
            let mut words = text.split(' ');
            let logit: f32 = words.next().unwrap_or_default().parse().map_err(|_| Error::model("cannot read"))?;
            let num_truncated_tokens = words.next().map_or(0, |word| word.parse().unwrap());
            Ok(PairScore { logit, relevance: 1.0 / (1.0 + (-logit).exp()), num_tokens: 10, num_truncated_tokens })
        };
        passages.iter().map(score).collect()
    }
}

fn fused(scores: &[f64]) -> Vec<FusedCandidate> {
    let candidate = |(idx, score): (usize, &f64)| FusedCandidate {
        id: format!("d{idx:03}").into(),
        locator: None,
        passage: None,
        score: *score,
        parts: Vec::new(),
    };
    scores.iter().enumerate().map(candidate).collect()
}

fn params() -> ResolvedRerank {
    ResolvedRerank {
        model: "reader".into(),
        rerank_depth: 50,
        budget: None,
        weight: None,
        passages: 2,
        min_score: None,
    }
}

/// Passages of candidate `d003` are `texts[3]`, divided by `|`.
fn texts_of(texts: &[&str]) -> impl Fn(&FusedCandidate) -> Result<Vec<PassageText>> {
    let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
    move |candidate| {
        let idx: usize = candidate.id.as_str()[1..].parse().unwrap();
        let passage = |(value_idx, text): (usize, &str)| PassageText {
            passage: Some(PassageMatch {
                span: PassageSpan { value_idx: u32::try_from(value_idx).unwrap(), start: 0, end: 1 },
            }),
            text: text.to_string(),
        };
        Ok(texts[idx].split('|').filter(|text| !text.is_empty()).enumerate().map(passage).collect())
    }
}

fn run(model: &Reader, scores: &[f64], texts: &[&str], params: &ResolvedRerank) -> Reranked {
    let elapsed = || Duration::from_millis(model.clock_ms.load(Ordering::Relaxed));
    let outcome = rerank_by_clock(model, "q", fused(scores), params, texts_of(texts), &elapsed).unwrap();
    assert!(outcome.candidates.windows(2).all(|pair| pair[0].score >= pair[1].score), "scores fall");
    outcome
}

fn ids(outcome: &Reranked) -> String {
    outcome.candidates.iter().map(|candidate| candidate.fused.id.as_str().trim_start_matches("d00")).collect()
}

#[test]
fn the_cross_encoder_alone_orders_by_its_best_passage() {
    let outcome = run(&Reader::new(0), &[3.0, 2.0, 1.0], &["-1 7|0.5", "2", "-3|1|9"], &params());
    assert_eq!(ids(&outcome), "120");
    assert_eq!((outcome.num_read, outcome.num_passages, outcome.num_tokens), (3, 5, 50));
    let first = outcome.candidates[0].rerank.unwrap();
    assert_eq!((first.rank_before, first.rank_after, first.logit), (2, 1, 2.0));
    assert_eq!(outcome.candidates[0].score, 1.0 / (1.0 + (-2.0f64).exp()));
    let last = outcome.candidates[2].rerank.unwrap();
    assert_eq!((last.rank_before, last.rank_after, last.num_tokens, last.num_truncated_tokens), (1, 3, 20, 7));
    assert_eq!(last.passage.unwrap().span.value_idx, 1);
    // Only two passages of the last were read: its third, 9, would have won.
    assert_eq!(outcome.candidates[1].rerank.unwrap().logit, 1.0);
}

#[test]
fn with_a_weight_standardised_scores_are_added() {
    let outcome =
        run(&Reader::new(0), &[4.0, 2.0, 0.0], &["0", "3", "6"], &ResolvedRerank { weight: Some(0.5), ..params() });
    let fused = 2.0 / (8.0f64 / 3.0).sqrt();
    let logit = 3.0 / 6.0f64.sqrt();
    let scores: Vec<f64> = outcome.candidates.iter().map(|candidate| candidate.score).collect();
    assert_eq!(ids(&outcome), "012");
    assert_eq!(scores, [fused + 0.5 * -logit, 0.0 + 0.5 * 0.0, -fused + 0.5 * logit]);
    let outcome =
        run(&Reader::new(0), &[4.0, 2.0, 0.0], &["0", "3", "6"], &ResolvedRerank { weight: Some(2.0), ..params() });
    assert_eq!(ids(&outcome), "210");
}

#[test]
fn candidates_beyond_the_depth_stay_below_in_their_order() {
    let outcome = run(
        &Reader::new(0),
        &[30.0, 20.0, 10.0, 9.0, 9.0],
        &["-5", "-4", "", "", ""],
        &ResolvedRerank { rerank_depth: 2, ..params() },
    );
    assert_eq!(ids(&outcome), "10234");
    assert_eq!((outcome.num_asked, outcome.num_read), (2, 2));
    assert!(outcome.candidates[2].rerank.is_none());
    assert!(outcome.candidates[1].score - outcome.candidates[2].score >= 0.000_9);
    let distance = outcome.candidates[2].score - outcome.candidates[3].score;
    assert!((distance - 1.0).abs() < 1e-9, "fused distances are kept: {distance}");
    assert_eq!(outcome.candidates[4].fused.score, 9.0);
}

#[test]
fn a_candidate_without_text_is_not_read() {
    let outcome = run(&Reader::new(0), &[3.0, 2.0, 1.0], &["", "-9", "1"], &params());
    assert_eq!(ids(&outcome), "210");
    assert_eq!((outcome.num_asked, outcome.num_read), (3, 2));
    let outcome = run(&Reader::new(0), &[3.0, 2.0], &["", ""], &params());
    assert_eq!((ids(&outcome), outcome.candidates[0].score), ("01".to_string(), 3.0));
}

#[test]
fn a_budget_reads_the_best_first_and_says_that_it_ended() {
    let scores: Vec<f64> = (0..9).map(|idx| 9.0 - f64::from(idx)).collect();
    let texts = ["0", "1", "2", "3", "4", "5", "6", "7", "8"];
    let budget = |ms| ResolvedRerank { budget: Some(Duration::from_millis(ms)), ..params() };
    let outcome = run(&Reader::new(10), &scores, &texts, &budget(55));
    assert!(outcome.budget_exhausted);
    assert_eq!((outcome.num_asked, outcome.num_read), (9, 5));
    assert_eq!(ids(&outcome), "432105678");
    let outcome = run(&Reader::new(10), &scores, &texts, &budget(1));
    assert_eq!((outcome.num_read, ids(&outcome).as_str()), (budget::FIRST_SLICE, "321045678"));
    let outcome = run(&Reader::new(10), &scores, &texts, &budget(1000));
    assert_eq!((outcome.budget_exhausted, ids(&outcome).as_str()), (false, "876543210"));
}

#[test]
fn low_relevance_is_cut_and_so_is_unknown_relevance() {
    let params = ResolvedRerank { min_score: Some(0.5), rerank_depth: 3, ..params() };
    let outcome = run(&Reader::new(0), &[4.0, 3.0, 2.0, 1.0], &["-0.1", "0", "3", "9"], &params);
    assert_eq!((ids(&outcome).as_str(), outcome.num_cut), ("21", 2));
    assert_eq!(outcome.candidates[1].rerank.unwrap().rank_after, 2);
}

#[test]
fn a_failing_model_leaves_the_order_and_cuts_nothing() {
    let cut = ResolvedRerank { min_score: Some(0.9), budget: Some(Duration::from_secs(9)), ..params() };
    for bad in ["x", "NaN"] {
        let outcome = run(&Reader::new(0), &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0], &["0", "1", "2", "3", "4", bad], &cut);
        assert_eq!(ids(&outcome), "012345");
        assert!(outcome.failure.is_some() && outcome.num_cut == 0 && outcome.num_read == 0);
        assert!(
            outcome
                .candidates
                .iter()
                .all(|candidate| candidate.score == candidate.fused.score && candidate.rerank.is_none())
        );
    }
}

#[test]
fn texts_that_cannot_be_fetched_are_an_error() {
    let fetch = |_: &FusedCandidate| Err(Error::corrupt("the segment is damaged"));
    let error = rerank(&Reader::new(0), "q", fused(&[1.0]), &params(), fetch).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
}

#[test]
fn nothing_to_re_rank_is_fine() {
    let outcome = run(&Reader::new(0), &[], &[], &params());
    assert!(outcome.candidates.is_empty() && !outcome.budget_exhausted && outcome.failure.is_none());
}

#[test]
fn very_sure_answers_are_told_apart_by_their_logits() {
    let outcome = run(&Reader::new(0), &[3.0, 2.0, 1.0], &["60", "80", "inf"], &params());
    assert_eq!(ids(&outcome), "210");
    assert!(outcome.candidates.iter().all(|candidate| candidate.score == 1.0));
}

proptest! {
    #[test]
    fn read_candidates_stand_above_and_the_rest_keep_their_order(
        logits in prop::collection::vec(prop::option::weighted(0.8, -8i32..8), 0..25),
        depth in 1usize..30,
        budget_ms in prop::option::of(1u64..200),
        weight in prop::option::of(0.1f64..3.0),
    ) {
        let texts: Vec<String> = logits.iter().map(|logit| logit.map_or(String::new(), |logit| logit.to_string())).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scores: Vec<f64> = (0..logits.len()).map(|idx| 2.0 - 0.25 * idx as f64).collect();
        let budget = budget_ms.map(Duration::from_millis);
        let params = ResolvedRerank { rerank_depth: depth, budget, weight, ..params() };
        let outcome = run(&Reader::new(7), &scores, &texts, &params);
        prop_assert_eq!(outcome.candidates.len(), scores.len());
        let num_read = outcome.candidates.iter().take_while(|candidate| candidate.rerank.is_some()).count();
        prop_assert_eq!(num_read, outcome.num_read);
        let rest = &outcome.candidates[num_read..];
        prop_assert!(rest.iter().all(|candidate| candidate.rerank.is_none()));
        prop_assert!(rest.windows(2).all(|pair| pair[0].fused.id < pair[1].fused.id));
        prop_assert!(outcome.budget_exhausted || num_read == logits.iter().take(depth).flatten().count());
    }
}
