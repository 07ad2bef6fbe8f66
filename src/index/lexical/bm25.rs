//! BM25 in Elasticsearch's numbers: Lucene's `BM25Similarity` times (k1 + 1), in Lucene's single precision.
//!
//! ```text
//! score = weight - weight / (1 + freq * norm_inverse)             = weight * freq / (freq + k1 * (1 - b + b * dl / avgdl))
//! weight = boost * (k1 + 1) * idf,   idf = ln(1 + (N - n + 0.5) / (n + 0.5))
//! norm_inverse = 1 / (k1 * (1 - b + b * dl / avgdl)),   avgdl = sum_total_term_freq / N
//! ```
//! N counts the documents that have the field and n those that have the term, deleted ones included until a merge drops
//! them; dl is the length as its byte decodes. A field without norms has dl = 1.
//!
//! Source: Lucene 9 `org.apache.lucene.search.similarities.BM25Similarity`, and Elasticsearch's `LegacyBM25Similarity`.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;

use crate::error::{Error, Result};
use crate::index::columns::ColumnsReader;

/// BM25's two parameters.
///
/// # Stability
/// Stored with an index's mapping (`settings.index.similarity`).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bm25Params {
    /// How soon more of the same term stops to count; finite, at least 0.
    pub k1: f32,
    /// How much a document's length counts; 0 to 1.
    pub b: f32,
}

impl Default for Bm25Params {
    fn default() -> Self {
        Self { k1: 1.2, b: 0.75 }
    }
}

impl Bm25Params {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when `k1` is negative or not finite, or `b` not in 0..=1.
    pub fn new(k1: f32, b: f32) -> Result<Self> {
        if !(k1.is_finite() && k1 >= 0.0) {
            return Err(Error::invalid_input(format!("bm25 k1 is {k1}, expected a finite number of at least 0")));
        }
        if !(0.0..=1.0).contains(&b) {
            return Err(Error::invalid_input(format!("bm25 b is {b}, expected a number from 0 to 1")));
        }
        Ok(Self { k1, b })
    }
}

/// The inverse of BM25's norm for each of the 256 coded lengths.
pub type NormInverses = Arc<[f32; 256]>;

/// The coded length of a document in a field without norms.
pub const LENGTH_WITHOUT_NORMS: u8 = 1;

/// A field's figures over all segments of a snapshot.
#[derive(Debug, Clone)]
pub struct FieldStatistics {
    /// N: documents with at least one token of the field.
    pub doc_count: u64,
    /// All tokens of the field.
    pub sum_total_term_freq: u64,
    /// The parameters behind the norms.
    pub params: Bm25Params,
    /// By coded length.
    pub norm_inverses: NormInverses,
}

impl FieldStatistics {
    /// Sums a field's figures over segments and prepares its norms.
    pub fn gather<'a>(columns: impl IntoIterator<Item = &'a ColumnsReader>, field: Field, params: Bm25Params) -> Self {
        let lengths = columns.into_iter().filter_map(|columns| columns.lengths(field));
        let (doc_count, sum_total_term_freq) = lengths
            .fold((0, 0), |(docs, tokens), lengths| (docs + lengths.doc_count, tokens + lengths.sum_total_term_freq));
        Self::new(doc_count, sum_total_term_freq, params)
    }

    /// From given figures.
    pub fn new(doc_count: u64, sum_total_term_freq: u64, params: Bm25Params) -> Self {
        let average = average_length(doc_count, sum_total_term_freq);
        let inverse = |byte: u8| {
            let length = FieldNormReader::id_to_fieldnorm(byte) as f32;
            1.0 / (params.k1 * ((1.0 - params.b) + params.b * length / average))
        };
        let norm_inverses = Arc::new(std::array::from_fn(|byte| inverse(byte.to_le_bytes()[0])));
        Self { doc_count, sum_total_term_freq, params, norm_inverses }
    }

    /// avgdl; 1 for a field without documents.
    pub fn average_length(&self) -> f32 {
        average_length(self.doc_count, self.sum_total_term_freq)
    }

    /// A term's idf, given the number of documents that have it.
    pub fn idf(&self, doc_freq: u64) -> f32 {
        idf(doc_freq, self.doc_count)
    }

    /// The weight of a term or phrase with this idf.
    pub fn weight(&self, boost: f32, idf: f32) -> f32 {
        boost * (1.0 + self.params.k1) * idf
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as in Lucene, the quotient is rounded to single precision")]
fn average_length(doc_count: u64, sum_total_term_freq: u64) -> f32 {
    if doc_count == 0 || sum_total_term_freq == 0 {
        return 1.0;
    }
    (sum_total_term_freq as f64 / doc_count as f64) as f32
}

/// `ln(1 + (N - n + 0.5) / (n + 0.5))`; above 0.
#[expect(clippy::cast_possible_truncation, reason = "as in Lucene, computed in double and rounded to single precision")]
pub fn idf(doc_freq: u64, doc_count: u64) -> f32 {
    let (n, total) = (doc_freq as f64, doc_count.max(doc_freq) as f64);
    (1.0 + (total - n + 0.5) / (n + 0.5)).ln() as f32
}

/// The score of one term or phrase in one document.
///
/// * `norm_inverse`: from [`FieldStatistics::norm_inverses`] by the document's coded length.
/// * `freq`: above 0; fractional for a sloppy phrase.
///
/// Lies above 0 and at most at `weight`, and grows with `freq` and `norm_inverse`.
#[inline]
pub fn score(weight: f32, norm_inverse: f32, freq: f32) -> f32 {
    weight - weight / (1.0 + freq * norm_inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_lucenes_formula_times_k1_plus_1() {
        // 3 documents have the field, with 3 + 5 + 4 tokens; the term is in 2 of them; in this one twice, of 5 tokens.
        let statistics = FieldStatistics::new(3, 12, Bm25Params::default());
        let weight = statistics.weight(1.0, statistics.idf(2));
        let score = score(weight, statistics.norm_inverses[5], 2.0);
        let expected = 2.2 * (1.0_f64 + 1.5 / 2.5).ln() * 2.0 / (2.0 + 1.2 * (0.25 + 0.75 * 5.0 / 4.0));
        assert!((f64::from(score) - expected).abs() < 1e-6, "{score} {expected}");
    }

    #[test]
    fn a_single_valued_keyword_scores_its_idf() {
        let statistics = FieldStatistics::new(10, 10, Bm25Params::default());
        let weight = statistics.weight(1.0, statistics.idf(3));
        let found = score(weight, statistics.norm_inverses[usize::from(LENGTH_WITHOUT_NORMS)], 1.0);
        assert!((found - statistics.idf(3)).abs() < 1e-6);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert!(Bm25Params::new(-0.1, 0.5).is_err() && Bm25Params::new(f32::NAN, 0.5).is_err());
        assert!(Bm25Params::new(0.9, 1.1).is_err() && Bm25Params::new(0.9, 0.4).is_ok());
    }
}
