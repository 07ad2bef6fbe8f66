//! `function_score` and `script_score`: scores made of functions of a document.
//!
//! Source: the formulas in Elasticsearch's documentation of both queries; sums in double precision, as there.

use std::sync::Arc;

use tantivy::query::Scorer;
use tantivy::{DocId, Score, SegmentReader};

use super::SharedColumns;
use super::expressions::{Evaluator, ExpressionFields};
use super::numbers::{NumberField, Numbers};
use super::rescoring::{Faults, MappedScorer, Rescore, has_doc};
use crate::index::columns::ColumnsReader;
use crate::retrieve::query::{BoostMode, Decay, DecayShape, Modifier, MultiValueMode, ScoreMode};

/// A `function_score` query, ready to run.
#[derive(Debug)]
pub(super) struct FunctionScore {
    pub(super) functions: Vec<Function>,
    pub(super) score_mode: ScoreMode,
    pub(super) boost_mode: BoostMode,
    pub(super) max_boost: f64,
    pub(super) min_score: Option<f32>,
    pub(super) faults: Faults,
}

/// One function of it.
#[derive(Debug)]
pub(super) struct Function {
    /// Its filter, among the other queries of the frame.
    pub(super) filter: Option<usize>,
    pub(super) weight: Option<f32>,
    pub(super) kind: FunctionKind,
}

/// What a function computes.
#[derive(Debug, Clone)]
pub(super) enum FunctionKind {
    One,
    FieldValue { field: NumberField, factor: f64, modifier: Modifier, missing: Option<f64> },
    Decay { field: NumberField, decay: Decay },
    Random { source: RandomSource, salted_seed: i32 },
    Script(Arc<ExpressionFields>),
}

/// A function in one segment.
pub(super) enum OpenFunction {
    One,
    FieldValue { numbers: Numbers, name: String, factor: f64, modifier: Modifier, missing: Option<f64> },
    Decay { numbers: Numbers, decay: Decay, scale: f64 },
    Random { source: OpenRandomSource, salted_seed: i32 },
    Script(Evaluator),
}

/// What a random number is made of, beside the seed.
#[derive(Debug, Clone)]
pub(super) enum RandomSource {
    /// The document's number in the snapshot.
    Place(Arc<Vec<(tantivy::index::SegmentId, u32)>>),
    /// A value of the document.
    Number(NumberField),
    /// The document's id.
    Id(SharedColumns),
}

/// [`RandomSource`] in one segment.
pub(super) enum OpenRandomSource {
    Place(u32),
    Number(Numbers),
    Id(Option<Arc<ColumnsReader>>),
}

impl RandomSource {
    fn open(&self, reader: &SegmentReader) -> tantivy::Result<OpenRandomSource> {
        let segment = reader.segment_id();
        Ok(match self {
            RandomSource::Place(doc_bases) => {
                let base = doc_bases.iter().find(|(id, _)| *id == segment);
                OpenRandomSource::Place(base.map_or(0, |&(_, base)| base))
            }
            RandomSource::Number(field) => OpenRandomSource::Number(field.open(reader)?),
            RandomSource::Id(columns) => OpenRandomSource::Id(columns.get(&segment).cloned()),
        })
    }
}

impl FunctionKind {
    pub(super) fn open(&self, reader: &SegmentReader) -> tantivy::Result<OpenFunction> {
        Ok(match self {
            FunctionKind::One => OpenFunction::One,
            FunctionKind::FieldValue { field, factor, modifier, missing } => OpenFunction::FieldValue {
                numbers: field.open(reader)?,
                name: field.name.clone(),
                factor: *factor,
                modifier: *modifier,
                missing: *missing,
            },
            FunctionKind::Decay { field, decay } => OpenFunction::Decay {
                numbers: field.open(reader)?,
                decay: decay.clone(),
                scale: processed_scale(decay),
            },
            FunctionKind::Random { source, salted_seed } => {
                OpenFunction::Random { source: source.open(reader)?, salted_seed: *salted_seed }
            }
            FunctionKind::Script(fields) => OpenFunction::Script(fields.open(reader)?),
        })
    }
}

impl OpenFunction {
    /// The function's value; a fault is a message.
    pub(super) fn value(&mut self, doc: DocId, score: f32) -> Result<f64, String> {
        match self {
            OpenFunction::One => Ok(1.0),
            OpenFunction::FieldValue { numbers, name, factor, modifier, missing } => {
                let value =
                    numbers.first(doc).or(*missing).ok_or_else(|| format!("Missing value for field [{name}]"))?;
                field_value(value, *factor, *modifier)
            }
            OpenFunction::Decay { numbers, decay, scale } => {
                let mut values = Vec::new();
                numbers.read(doc, &mut values);
                Ok(evaluated(decay.shape, *scale, distance(decay, &values)))
            }
            OpenFunction::Random { source, salted_seed } => {
                let hashed =
                    |text: Option<String>| text.map_or(*salted_seed, |text| murmur3(text.as_bytes(), *salted_seed));
                let hash = match source {
                    OpenRandomSource::Place(doc_base) => mix(doc_base.wrapping_add(doc).cast_signed() ^ *salted_seed),
                    OpenRandomSource::Number(numbers) => hashed(numbers.first_text(doc)),
                    OpenRandomSource::Id(columns) => {
                        hashed(columns.as_ref().and_then(|columns| columns.id(doc).ok()).map(str::to_string))
                    }
                };
                Ok(f64::from((hash & 0x00ff_ffff) as f32 / (1 << 24) as f32))
            }
            OpenFunction::Script(evaluator) => evaluator.value(doc, score),
        }
    }
}

/// `modifier(factor * value)`.
pub(crate) fn field_value(value: f64, factor: f64, modifier: Modifier) -> Result<f64, String> {
    let product = value * factor;
    let (result, name) = match modifier {
        Modifier::None => (product, "none"),
        Modifier::Log => (product.log10(), "log"),
        Modifier::Log1p => ((product + 1.0).log10(), "log1p"),
        Modifier::Log2p => ((product + 2.0).log10(), "log2p"),
        Modifier::Ln => (product.ln(), "ln"),
        Modifier::Ln1p => (product.ln_1p(), "ln1p"),
        Modifier::Ln2p => ((product + 1.0).ln_1p(), "ln2p"),
        Modifier::Square => (product * product, "square"),
        Modifier::Sqrt => (product.sqrt(), "sqrt"),
        Modifier::Reciprocal => (1.0 / product, "reciprocal"),
    };
    if !result.is_finite() {
        return Err(format!("Result of field modification [{name}({product})] must be a number"));
    }
    if result < 0.0 {
        return Err(format!(
            "field value function must not produce negative scores, but got: [{result}] for field value: [{value}]"
        ));
    }
    Ok(result)
}

/// The scale in the form that the curve is computed with.
pub(super) fn processed_scale(decay: &Decay) -> f64 {
    match decay.shape {
        DecayShape::Gauss => 0.5 * decay.scale.powi(2) / decay.decay.ln(),
        DecayShape::Exp => decay.decay.ln() / decay.scale,
        DecayShape::Linear => decay.scale / (1.0 - decay.decay),
    }
}

/// The height of the curve at a distance.
pub(super) fn evaluated(shape: DecayShape, scale: f64, distance: f64) -> f64 {
    match shape {
        DecayShape::Gauss => (0.5 * distance.powi(2) / scale).exp(),
        DecayShape::Exp => (scale * distance).exp(),
        DecayShape::Linear => ((scale - distance) / scale).max(0.0),
    }
}

/// How far beyond the offset the values are; 0 where there are none.
pub(super) fn distance(decay: &Decay, values: &[f64]) -> f64 {
    let distances = values.iter().map(|value| ((value - decay.origin).abs() - decay.offset).max(0.0));
    let count = values.len();
    if count == 0 {
        return 0.0;
    }
    match decay.multi_value_mode {
        MultiValueMode::Min => distances.fold(f64::INFINITY, f64::min),
        MultiValueMode::Max => distances.fold(0.0, f64::max),
        MultiValueMode::Sum => distances.sum(),
        MultiValueMode::Avg => distances.sum::<f64>() / count as f64,
    }
}

/// The values of several functions as one.
///
/// * `applied`: value and weight of the functions that apply to the document, in their order.
pub(super) fn combined(mode: ScoreMode, applied: &[(f64, f64)]) -> f64 {
    let values = || applied.iter().map(|(value, _)| *value);
    if applied.is_empty() {
        return 1.0;
    }
    match mode {
        ScoreMode::First => values().next().unwrap_or(1.0),
        ScoreMode::Max => values().fold(f64::NEG_INFINITY, f64::max),
        ScoreMode::Min => values().fold(f64::INFINITY, f64::min),
        ScoreMode::Multiply => values().product(),
        ScoreMode::Sum | ScoreMode::Avg => {
            let weights: f64 = applied.iter().map(|(_, weight)| *weight).sum();
            let sum: f64 = values().sum();
            match mode {
                _ if weights == 0.0 => 1.0,
                ScoreMode::Avg => sum / weights,
                ScoreMode::Sum | ScoreMode::First | ScoreMode::Max | ScoreMode::Min | ScoreMode::Multiply => sum,
            }
        }
    }
}

/// The functions' value and the query's score as one.
#[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
pub(super) fn boosted(mode: BoostMode, score: f32, function: f64, max_boost: f64) -> f32 {
    let (score, function) = (f64::from(score), function.min(max_boost));
    (match mode {
        BoostMode::Multiply => score * function,
        BoostMode::Replace => function,
        BoostMode::Sum => score + function,
        BoostMode::Avg => f64::midpoint(score, function),
        BoostMode::Max => score.max(function),
        BoostMode::Min => score.min(function),
    }) as f32
}

impl Rescore for FunctionScore {
    fn filters(&self) -> bool {
        self.min_score.is_some()
    }

    fn boosts_inner(&self) -> bool {
        true
    }

    fn scorer(
        &self,
        reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        others: Vec<Box<dyn Scorer>>,
        _boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let open = |function: &Function| Ok((function.filter, function.weight, function.kind.open(reader)?));
        let mut functions = self.functions.iter().map(open).collect::<tantivy::Result<Vec<_>>>()?;
        let (score_mode, boost_mode, max_boost) = (self.score_mode, self.boost_mode, self.max_boost);
        let (faults, mut others) = (self.faults.clone(), others);
        let mut applied = Vec::with_capacity(functions.len());
        Ok(Box::new(MappedScorer::new(inner, self.min_score, move |doc, score| {
            applied.clear();
            for (filter, weight, function) in &mut functions {
                let other = filter.and_then(|at| others.get_mut(at));
                if other.is_some_and(|other| !has_doc(other.as_mut(), doc)) {
                    continue;
                }
                let value = function.value(doc, score).unwrap_or_else(|problem| {
                    faults.report(|| problem);
                    0.0
                });
                let weight = f64::from(weight.unwrap_or(1.0));
                applied.push((value * weight, weight));
                if score_mode == ScoreMode::First {
                    break;
                }
            }
            let found = boosted(boost_mode, score, combined(score_mode, &applied), max_boost);
            if found < 0.0 || found.is_nan() {
                faults.report(|| format!("function score query returned an invalid score: {found} for doc: {doc}"));
                return 0.0;
            }
            found
        })))
    }
}

/// A `script_score` query, ready to run.
#[derive(Debug)]
pub(super) struct ScriptScore {
    pub(super) script: Arc<ExpressionFields>,
    pub(super) min_score: Option<f32>,
    pub(super) boost: f32,
    pub(super) faults: Faults,
}

impl Rescore for ScriptScore {
    fn filters(&self) -> bool {
        self.min_score.is_some()
    }

    fn scorer(
        &self,
        reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        _others: Vec<Box<dyn Scorer>>,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let evaluator = self.script.open(reader)?;
        let (faults, boost) = (self.faults.clone(), boost * self.boost);
        Ok(Box::new(MappedScorer::new(inner, self.min_score, move |doc, score| {
            let value = evaluator.value(doc, score).unwrap_or_else(|problem| {
                faults.report_script(problem);
                0.0
            });
            #[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
            let found = value as f32;
            if found < 0.0 || found.is_nan() {
                faults.report(|| {
                    format!(
                        "script_score script returned an invalid score [{found}] for doc [{doc}]. Must be a non-negative score!"
                    )
                });
                return 0.0;
            }
            found * boost
        })))
    }
}

/// The finaliser of MurmurHash3 over 32 bits.
pub(crate) fn mix(value: i32) -> i32 {
    let mut hash = value.cast_unsigned();
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)).cast_signed()
}

/// MurmurHash3, x86, 32 bits.
fn murmur3(bytes: &[u8], seed: i32) -> i32 {
    let (c1, c2) = (0xcc9e_2d51_u32, 0x1b87_3593_u32);
    let mut hash = seed.cast_unsigned();
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let word = chunk.iter().rev().fold(0_u32, |word, &byte| (word << 8) | u32::from(byte));
        hash ^= word.wrapping_mul(c1).rotate_left(15).wrapping_mul(c2);
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let rest = chunks.remainder().iter().rev().fold(0_u32, |word, &byte| (word << 8) | u32::from(byte));
    if !chunks.remainder().is_empty() {
        hash ^= rest.wrapping_mul(c1).rotate_left(15).wrapping_mul(c2);
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    mix(hash.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_those_of_the_documentation() {
        let decay = |shape| Decay {
            field: "price".into(),
            shape,
            origin: 0.0,
            scale: 20.0,
            offset: 0.0,
            decay: 0.5,
            multi_value_mode: MultiValueMode::Min,
        };
        let at = |shape, value: f64| {
            let decay = decay(shape);
            evaluated(shape, processed_scale(&decay), distance(&decay, &[value]))
        };
        for shape in [DecayShape::Gauss, DecayShape::Exp, DecayShape::Linear] {
            assert_eq!(at(shape, 0.0), 1.0);
            assert!((at(shape, 20.0) - 0.5).abs() < 1e-12, "{shape:?}");
        }
        assert_eq!(at(DecayShape::Linear, 100.0), 0.0);
        assert!((at(DecayShape::Gauss, 40.0) - 0.0625).abs() < 1e-12);
        assert!((at(DecayShape::Exp, 40.0) - 0.25).abs() < 1e-12);
        let offset = Decay { offset: 5.0, ..decay(DecayShape::Linear) };
        assert_eq!(distance(&offset, &[3.0]), 0.0);
        assert_eq!(distance(&offset, &[9.0, 30.0]), 4.0);
        assert_eq!(distance(&offset, &[]), 0.0);
    }

    #[test]
    fn values_are_modified() {
        for (modifier, value, expected) in [
            (Modifier::None, 3.0, 3.6),
            (Modifier::Log1p, 3.0, 4.6_f64.log10()),
            (Modifier::Log2p, 3.0, 5.6_f64.log10()),
            (Modifier::Ln1p, 3.0, 4.6_f64.ln()),
            (Modifier::Ln2p, 3.0, 5.6_f64.ln()),
            (Modifier::Square, 3.0, 3.6 * 3.6),
            (Modifier::Sqrt, 3.0, 3.6_f64.sqrt()),
            (Modifier::Reciprocal, 3.0, 1.0 / 3.6),
        ] {
            assert!((field_value(value, 1.2, modifier).unwrap() - expected).abs() < 1e-12, "{modifier:?}");
        }
        assert!(field_value(0.0, 1.0, Modifier::Log).unwrap_err().contains("must be a number"));
        assert!(field_value(0.5, 1.0, Modifier::Ln).unwrap_err().contains("negative"));
    }

    #[test]
    fn modes_combine() {
        let applied = [(2.0, 1.0), (6.0, 3.0)];
        for (mode, expected) in [
            (ScoreMode::Multiply, 12.0),
            (ScoreMode::Sum, 8.0),
            (ScoreMode::Avg, 2.0),
            (ScoreMode::First, 2.0),
            (ScoreMode::Max, 6.0),
            (ScoreMode::Min, 2.0),
        ] {
            assert_eq!(combined(mode, &applied), expected, "{mode:?}");
            assert_eq!(combined(mode, &[]), 1.0, "{mode:?}");
        }
        for (mode, expected) in [
            (BoostMode::Multiply, 8.0),
            (BoostMode::Replace, 4.0),
            (BoostMode::Sum, 6.0),
            (BoostMode::Avg, 3.0),
            (BoostMode::Max, 4.0),
            (BoostMode::Min, 2.0),
        ] {
            assert_eq!(boosted(mode, 2.0, 9.0, 4.0), expected, "{mode:?}");
        }
    }

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(murmur3(b"", 0), 0);
        assert_eq!(murmur3(b"abc", 0), 0xb3dd_93fa_u32.cast_signed());
        assert_eq!(murmur3(b"hello, world", 0), 0x149b_bb7f);
        assert_eq!(mix(0), 0);
    }
}
