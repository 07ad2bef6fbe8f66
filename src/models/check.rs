//! Does a model work here, and how fast: `bifocal models check`.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::describe::ModelKind;
use super::locate::Place;
use super::{BiEncoder, CrossEncoder, ModelFingerprint};
use crate::error::Result;

/// How fast a bi-encoder embeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EmbeddingSpeed {
    /// Texts embedded.
    pub num_passages: usize,
    /// Tokens read, special tokens included.
    pub num_tokens: u64,
    /// Wall time in seconds, tokenisation included.
    pub took_s: f64,
    /// Texts a second.
    pub passages_per_s: f64,
    /// Tokens a second.
    pub tokens_per_s: f64,
}

/// Embeds `passages` once and says how long it took. A few are embedded before, so that loading is not measured.
///
/// # Errors
/// What embedding fails with.
pub fn bench_passages(encoder: &dyn BiEncoder, passages: &[&str]) -> Result<EmbeddingSpeed> {
    encoder.embed_passages(passages.get(..passages.len().min(8)).unwrap_or_default())?;
    let started = Instant::now();
    let embedded = encoder.embed_passages(passages)?;
    let took_s = started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    Ok(EmbeddingSpeed {
        num_passages: passages.len(),
        num_tokens: embedded.num_tokens,
        took_s,
        passages_per_s: passages.len() as f64 / took_s,
        tokens_per_s: embedded.num_tokens as f64 / took_s,
    })
}

/// What a check of a model found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// What the model is.
    pub fingerprint: ModelFingerprint,
    /// Bi-encoder or cross-encoder.
    pub kind: ModelKind,
    /// Where its files are.
    pub place: Place,
    /// Time to load it, hashing included, in milliseconds.
    pub load_ms: f64,
    /// Median time of a short query, or of one pair, in milliseconds.
    pub query_ms: f64,
    /// Passages of about forty words embedded, or pairs scored, a second.
    pub passages_per_s: f64,
    /// What is wrong; empty when all is well.
    pub problems: Vec<String>,
}

const QUERY: &str = "how does the heart pump blood";
const RELEVANT: &str = "The heart pumps blood through the body: its right side sends it to the lungs, its left side to every other organ. \
                        Valves between the chambers keep it from flowing back, and a few cells set the rhythm.";
const OTHER: &str = "The treaty was signed after five years of talks in two towns at once. It ended a long war, confirmed the \
                     independence of a republic, and left princes free to make alliances of their own.";

/// What a check knows before it runs the model.
pub(super) struct Loaded {
    pub(super) place: Place,
    pub(super) load: Duration,
}

/// Embeds a few texts: dimensions, lengths, that company changes nothing, that the relevant passage is closer.
pub(super) fn check_bi_encoder(encoder: &dyn BiEncoder, loaded: Loaded) -> Result<CheckReport> {
    let fingerprint = encoder.fingerprint().clone();
    let mut problems = Vec::new();
    let query = encoder.embed_queries(&[QUERY])?;
    let passages = encoder.embed_passages(&[RELEVANT, OTHER])?;
    let alone = encoder.embed_passages(&[OTHER])?;
    let rows: Vec<&[f32]> = passages.rows().collect();
    if let (&[relevant, other], Some(query)) = (rows.as_slice(), query.rows().next()) {
        if fingerprint.normalized && rows.iter().any(|row| (dot(row, row) - 1.0).abs() > 1e-3) {
            problems.push("vectors are not of length 1".to_string());
        }
        if dot(query, relevant) <= dot(query, other) {
            problems.push("a passage that answers a query is no closer to it than one that does not".to_string());
        }
        let agreement = dot(other, &alone.values) / (dot(other, other) * dot(&alone.values, &alone.values)).sqrt();
        if agreement < 0.999 {
            problems.push(format!("a text alone and in company gives different vectors (cosine {agreement:.4}); set rows_interact in its description"));
        }
    } else {
        problems.push(format!("two texts gave {} vectors", rows.len()));
    }
    let speed = bench_passages(encoder, &[RELEVANT; 32])?;
    let query_ms = median_ms(|| encoder.embed_queries(&[QUERY]).map(drop))?;
    Ok(CheckReport {
        fingerprint,
        kind: ModelKind::BiEncoder,
        place: loaded.place,
        load_ms: millis(loaded.load),
        query_ms,
        passages_per_s: speed.passages_per_s,
        problems,
    })
}

/// Scores a few pairs: that the relevant passage scores higher, that company changes nothing.
pub(super) fn check_cross_encoder(encoder: &dyn CrossEncoder, loaded: Loaded) -> Result<CheckReport> {
    let mut problems = Vec::new();
    let scores = encoder.score(QUERY, &[RELEVANT, OTHER])?;
    let alone = encoder.score(QUERY, &[OTHER])?;
    match (scores.as_slice(), alone.as_slice()) {
        ([relevant, other], [alone]) => {
            if relevant.logit <= other.logit {
                problems.push("a passage that answers a query scores no higher than one that does not".to_string());
            }
            if (other.relevance - alone.relevance).abs() > 0.01 {
                problems.push(
                    "a pair alone and in company gives different scores; set rows_interact in its description"
                        .to_string(),
                );
            }
        }
        _ => problems.push(format!("two passages gave {} scores", scores.len())),
    }
    let started = Instant::now();
    encoder.score(QUERY, &[RELEVANT; 32])?;
    let passages_per_s = 32.0 / started.elapsed().as_secs_f64();
    let query_ms = median_ms(|| encoder.score(QUERY, &[RELEVANT]).map(drop))?;
    let fingerprint = encoder.fingerprint().clone();
    Ok(CheckReport {
        fingerprint,
        kind: ModelKind::CrossEncoder,
        place: loaded.place,
        load_ms: millis(loaded.load),
        query_ms,
        passages_per_s,
        problems,
    })
}

fn median_ms(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..15 {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().map_or(0.0, millis))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
