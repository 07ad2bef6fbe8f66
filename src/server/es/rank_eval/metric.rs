//! The metrics of `_rank_eval`, as Elasticsearch computes them.

use serde_json::{Map, Value, json};

use crate::server::es::error::{EsError, EsResult};

/// A metric with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Metric {
    kind: Kind,
    /// How many hits are judged.
    pub(crate) k: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Precision { threshold: i64, ignore_unlabeled: bool },
    Recall { threshold: i64 },
    MeanReciprocalRank { threshold: i64 },
    Dcg { normalize: bool, unknown: Option<i64> },
    ExpectedReciprocalRank { maximum: i64, unknown: Option<i64> },
}

/// What a metric says of one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The score.
    pub(crate) score: f64,
    /// `metric_details`.
    pub(crate) details: Value,
}

impl Metric {
    /// Reads `metric`.
    ///
    /// # Errors
    /// `parsing_exception` for what is no metric, `illegal_argument_exception` for a parameter out of range.
    pub(crate) fn parse(value: Option<&Value>) -> EsResult<Self> {
        let known = "precision, recall, mean_reciprocal_rank, dcg, expected_reciprocal_rank";
        let Some((name, body)) = value.and_then(Value::as_object).and_then(|metric| metric.iter().next()) else {
            return Err(EsError::parsing(format!("[rank_eval] requires [metric], one of {known}")));
        };
        let empty = Map::new();
        let body = body.as_object().unwrap_or(&empty);
        let whole = |key: &str| match body.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| EsError::parsing(format!("[{name}] [{key}] must be a whole number"))),
        };
        let flag = |key: &str| body.get(key).and_then(Value::as_bool).unwrap_or(false);
        let threshold = whole("relevant_rating_threshold")?.unwrap_or(1);
        let unknown = whole("unknown_doc_rating")?;
        let (kind, allowed): (Kind, &[&str]) = match name.as_str() {
            "precision" => (
                Kind::Precision { threshold, ignore_unlabeled: flag("ignore_unlabeled") },
                &["k", "relevant_rating_threshold", "ignore_unlabeled"],
            ),
            "recall" => (Kind::Recall { threshold }, &["k", "relevant_rating_threshold"]),
            "mean_reciprocal_rank" => (Kind::MeanReciprocalRank { threshold }, &["k", "relevant_rating_threshold"]),
            "dcg" => (Kind::Dcg { normalize: flag("normalize"), unknown }, &["k", "normalize", "unknown_doc_rating"]),
            "expected_reciprocal_rank" => {
                let maximum = whole("maximum_relevance")?
                    .ok_or_else(|| EsError::parsing("[expected_reciprocal_rank] requires [maximum_relevance]"))?;
                let kind = Kind::ExpectedReciprocalRank { maximum, unknown };
                (kind, &["k", "maximum_relevance", "unknown_doc_rating"])
            }
            other => return Err(EsError::parsing(format!("unknown metric [{other}], there are {known}"))),
        };
        if let Some(key) = body.keys().find(|key| !allowed.contains(&key.as_str())) {
            return Err(EsError::parsing(format!("[{name}] unknown field [{key}]")));
        }
        let k = usize::try_from(whole("k")?.unwrap_or(10)).ok().filter(|k| (1..=10_000).contains(k));
        let k = k.ok_or_else(|| EsError::illegal_argument(format!("[{name}] [k] must lie in 1..=10000")))?;
        Ok(Self { kind, k })
    }

    /// Scores one request.
    ///
    /// * `hits`: the rating of each hit, in order; `None` where it has none.
    /// * `ratings`: every rating of the request.
    pub(crate) fn score(&self, hits: &[Option<i64>], ratings: &[i64]) -> Outcome {
        let unrated = hits.iter().filter(|rating| rating.is_none()).count();
        match self.kind {
            Kind::Precision { threshold, ignore_unlabeled } => {
                let relevant = hits.iter().flatten().filter(|rating| **rating >= threshold).count();
                let retrieved = if ignore_unlabeled { hits.len() - unrated } else { hits.len() };
                let details = json!({"precision": {"relevant_docs_retrieved": relevant, "docs_retrieved": retrieved}});
                Outcome { score: ratio(relevant, retrieved), details }
            }
            Kind::Recall { threshold } => {
                let retrieved = hits.iter().flatten().filter(|rating| **rating >= threshold).count();
                let relevant = ratings.iter().filter(|rating| **rating >= threshold).count();
                let details = json!({"recall": {"relevant_docs_retrieved": retrieved, "relevant_docs": relevant}});
                Outcome { score: ratio(retrieved, relevant), details }
            }
            Kind::MeanReciprocalRank { threshold } => {
                let first = (1_i32..).zip(hits).find(|(_, rating)| rating.is_some_and(|rating| rating >= threshold));
                let rank = first.map(|(rank, _)| rank);
                let score = rank.map_or(0.0, |rank| 1.0 / f64::from(rank));
                Outcome { score, details: json!({"mean_reciprocal_rank": {"first_relevant": rank.unwrap_or(-1)}}) }
            }
            Kind::Dcg { normalize, unknown } => {
                let gained: Vec<i64> = hits.iter().map(|rating| rating.or(unknown).unwrap_or(0)).collect();
                let dcg = discounted_gain(&gained);
                if !normalize {
                    return Outcome { score: dcg, details: json!({"dcg": {"dcg": dcg, "unrated_docs": unrated}}) };
                }
                let mut ideal = ratings.to_vec();
                ideal.sort_unstable_by(|a, b| b.cmp(a));
                ideal.truncate(hits.len());
                let ideal = discounted_gain(&ideal);
                let score = if ideal > 0.0 { dcg / ideal } else { 0.0 };
                let details =
                    json!({"dcg": {"dcg": dcg, "ideal_dcg": ideal, "normalized_dcg": score, "unrated_docs": unrated}});
                Outcome { score, details }
            }
            Kind::ExpectedReciprocalRank { maximum, unknown } => {
                let (mut score, mut going_on) = (0.0, 1.0);
                for (rank, rating) in (1_u32..).zip(hits) {
                    let Some(rating) = rating.or(unknown) else { continue };
                    let stops = gain(rating) / exp2(maximum);
                    score += stops * going_on / f64::from(rank);
                    going_on *= 1.0 - stops;
                }
                Outcome { score, details: json!({"expected_reciprocal_rank": {"unrated_docs": unrated}}) }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of hits are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The sum of `(2^rating - 1) / log2(rank + 1)`. Source: Burges et al., ICML 2005.
fn discounted_gain(ratings: &[i64]) -> f64 {
    (1_u32..).zip(ratings).map(|(rank, rating)| gain(*rating) / f64::from(rank + 1).log2()).sum()
}

fn gain(rating: i64) -> f64 {
    exp2(rating) - 1.0
}

fn exp2(power: i64) -> f64 {
    f64::from(i32::try_from(power.clamp(-1000, 1000)).unwrap_or(0)).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(metric: Value, hits: &[Option<i64>], ratings: &[i64]) -> f64 {
        Metric::parse(Some(&metric)).unwrap().score(hits, ratings).score
    }

    #[test]
    fn metrics_are_elasticsearchs() {
        let hits = [Some(0), Some(3), None, Some(1)];
        let ratings = [0, 3, 1, 2];
        assert_eq!(score(json!({"precision": {"k": 4}}), &hits, &ratings), 0.5);
        assert_eq!(score(json!({"precision": {"ignore_unlabeled": true}}), &hits, &ratings), 2.0 / 3.0);
        assert_eq!(score(json!({"recall": {}}), &hits, &ratings), 2.0 / 3.0);
        assert_eq!(score(json!({"mean_reciprocal_rank": {}}), &hits, &ratings), 0.5);
        let dcg = 7.0 / 3_f64.log2() + 1.0 / 5_f64.log2();
        assert!((score(json!({"dcg": {}}), &hits, &ratings) - dcg).abs() < 1e-12);
        let ideal = 7.0 + 3.0 / 3_f64.log2() + 1.0 / 2.0;
        assert!((score(json!({"dcg": {"normalize": true}}), &hits, &ratings) - dcg / ideal).abs() < 1e-12);
        let expected = 7.0 / 8.0 / 2.0 + (1.0 - 7.0 / 8.0) * (1.0 / 8.0) / 4.0;
        let err = json!({"expected_reciprocal_rank": {"maximum_relevance": 3}});
        assert!((score(err, &hits, &ratings) - expected).abs() < 1e-12);
        assert_eq!(score(json!({"mean_reciprocal_rank": {}}), &[], &ratings), 0.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (metric, what) in [
            (json!({"precison": {}}), "unknown metric [precison]"),
            (json!({"dcg": {"colour": 1}}), "unknown field [colour]"),
            (json!({"dcg": {"k": 0}}), "[k]"),
            (json!({"expected_reciprocal_rank": {}}), "[maximum_relevance]"),
        ] {
            assert!(Metric::parse(Some(&metric)).unwrap_err().reason.contains(what), "{metric}");
        }
    }
}
