//! Leaves that score by a value: `rank_feature` and `distance_feature`.
//!
//! Source: Lucene's `FeatureField` and `LongDistanceFeatureQuery`, as their documentation describes them.

use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::LexicalSearcher;
use super::numbers::{NumberField, Numbers};
use super::term::explain_by_scorer;
use crate::error::Result;
use crate::retrieve::query::{DistanceFeatureQuery, RankFeatureQuery, RankFunction};

/// Documents that have a value, scored by it.
#[derive(Debug, Clone)]
pub(super) struct FeatureLeaf {
    pub(super) field: NumberField,
    pub(super) function: FeatureFunction,
    pub(super) weight: f32,
}

/// What is made of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum FeatureFunction {
    Saturation {
        pivot: f32,
    },
    Log {
        scaling_factor: f32,
    },
    Sigmoid {
        pivot: f32,
        exponent: f32,
    },
    Linear,
    /// In milliseconds.
    Distance {
        origin: i64,
        pivot: i64,
    },
}

/// A feature's value as Lucene keeps it: nine bits of the mantissa, in the frequency of a term.
fn frequency(value: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
    let value = value as f32;
    value.to_bits() >> 15
}

fn decoded(frequency: u32) -> f32 {
    f32::from_bits(frequency << 15)
}

impl FeatureFunction {
    /// The score of a document's values; at least one.
    #[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
    pub(super) fn score(self, weight: f32, values: &[f64]) -> f32 {
        let value = values.first().copied().unwrap_or(0.0);
        let feature = decoded(frequency(value));
        match self {
            FeatureFunction::Saturation { pivot } => weight * (1.0 - pivot / (feature + pivot)),
            FeatureFunction::Log { scaling_factor } => {
                (f64::from(weight) * f64::from(scaling_factor + feature).ln()) as f32
            }
            FeatureFunction::Sigmoid { pivot, exponent } => {
                let raised_pivot = f64::from(pivot).powf(f64::from(exponent));
                let raised = f64::from(feature).powf(f64::from(exponent));
                (f64::from(weight) * (1.0 - raised_pivot / (raised + raised_pivot))) as f32
            }
            FeatureFunction::Linear => weight * feature,
            FeatureFunction::Distance { origin, pivot } => {
                let distances = values.iter().map(|value| (value - origin as f64).abs());
                let distance = distances.fold(f64::INFINITY, f64::min);
                (f64::from(weight) * (pivot as f64 / (pivot as f64 + distance))) as f32
            }
        }
    }
}

impl LexicalSearcher {
    /// A rank feature, ready to run.
    pub(super) fn feature_leaf(&self, query: &RankFeatureQuery, weight: f32) -> Result<FeatureLeaf> {
        let field = self.number_field(&query.field)?;
        let function = match query.function {
            RankFunction::Saturation { pivot } => {
                let pivot = match pivot {
                    Some(pivot) => pivot,
                    None => self.mean_feature(&field)?,
                };
                FeatureFunction::Saturation { pivot }
            }
            RankFunction::Log { scaling_factor } => FeatureFunction::Log { scaling_factor },
            RankFunction::Sigmoid { pivot, exponent } => FeatureFunction::Sigmoid { pivot, exponent },
            RankFunction::Linear => FeatureFunction::Linear,
        };
        Ok(FeatureLeaf { field, function, weight })
    }

    /// A distance from a date, ready to run.
    pub(super) fn distance_leaf(&self, query: &DistanceFeatureQuery, weight: f32) -> Result<FeatureLeaf> {
        let field = self.number_field(&query.field)?;
        let function = FeatureFunction::Distance { origin: query.origin, pivot: query.pivot };
        Ok(FeatureLeaf { field, function, weight })
    }

    /// The mean of the coded values over all documents, decoded: about their geometric mean. 1 where there are none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as in Lucene, cut off to a whole number"
    )]
    fn mean_feature(&self, field: &NumberField) -> Result<f32> {
        let (mut sum, mut count, mut values) = (0_u64, 0_u64, Vec::new());
        for reader in self.searcher().segment_readers() {
            let numbers = field.open(reader)?;
            for doc in 0..reader.max_doc() {
                numbers.read(doc, &mut values);
                if let Some(&value) = values.first() {
                    sum += u64::from(frequency(value));
                    count += 1;
                }
            }
        }
        Ok(if count == 0 { 1.0 } else { decoded((sum as f64 / count as f64) as f32 as u32) })
    }
}

impl Query for FeatureLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for FeatureLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut scorer = FeatureScorer {
            numbers: self.field.open(reader)?,
            function: self.function,
            weight: self.weight * boost,
            max_doc: reader.max_doc(),
            doc: 0,
            values: Vec::new(),
        };
        scorer.find(0);
        Ok(Box::new(scorer))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

struct FeatureScorer {
    numbers: Numbers,
    function: FeatureFunction,
    weight: f32,
    max_doc: DocId,
    doc: DocId,
    values: Vec<f64>,
}

impl FeatureScorer {
    fn find(&mut self, from: DocId) -> DocId {
        self.doc = TERMINATED;
        for doc in from..self.max_doc {
            self.numbers.read(doc, &mut self.values);
            if !self.values.is_empty() {
                self.doc = doc;
                break;
            }
        }
        self.doc
    }
}

impl DocSet for FeatureScorer {
    fn advance(&mut self) -> DocId {
        if self.doc >= TERMINATED { TERMINATED } else { self.find(self.doc + 1) }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target { self.doc } else { self.find(target) }
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.max_doc
    }
}

impl Scorer for FeatureScorer {
    fn score(&mut self) -> Score {
        self.function.score(self.weight, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_as_lucene_rounds_them_and_scored() {
        assert_eq!(decoded(frequency(10.0)), 10.0);
        assert_eq!(decoded(frequency(1000.7)), 1000.0);
        let score = |function: FeatureFunction, value| function.score(2.0, &[value]);
        assert_eq!(score(FeatureFunction::Saturation { pivot: 10.0 }, 10.0), 1.0);
        assert!((score(FeatureFunction::Log { scaling_factor: 4.0 }, 10.0) - 2.0 * 14.0_f32.ln()).abs() < 1e-6);
        let sigmoid = FeatureFunction::Sigmoid { pivot: 7.0, exponent: 0.6 };
        let expected = 2.0 * 10.0_f64.powf(0.6) / (10.0_f64.powf(0.6) + 7.0_f64.powf(0.6));
        assert!((f64::from(score(sigmoid, 10.0)) - expected).abs() < 1e-6);
        assert_eq!(score(FeatureFunction::Linear, 10.0), 20.0);
        let distance = FeatureFunction::Distance { origin: 1000, pivot: 100 };
        assert_eq!(distance.score(2.0, &[900.0, 5000.0]), 1.0);
    }
}
