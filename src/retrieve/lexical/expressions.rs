//! Evaluates [`Expression`]s on the documents of a segment.

use std::collections::BTreeMap;

use tantivy::{DocAddress, DocId, SegmentReader};

use super::LexicalSearcher;
use super::numbers::{NumberField, Numbers};
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::index::dense::Similarity;
use crate::retrieve::query::script::{BinaryOperator, Expression, MathFunction, Script, VectorFunction, VectorMeasure};

/// An expression with the fields that it reads.
#[derive(Debug)]
pub(super) struct ExpressionFields {
    pub(super) expression: Expression,
    numbers: Vec<NumberField>,
    index: Option<Snapshot>,
    segment_ords: Vec<(tantivy::index::SegmentId, u32)>,
}

/// An expression in one segment.
pub(super) struct Evaluator {
    expression: Expression,
    numbers: BTreeMap<String, Numbers>,
    index: Option<Snapshot>,
    segment_ord: u32,
}

impl LexicalSearcher {
    /// Finds the fields of an expression.
    pub(super) fn expression_fields(&self, script: &Script) -> Result<ExpressionFields> {
        let mut fields = ExpressionFields {
            expression: script.expression.clone(),
            numbers: Vec::new(),
            index: self.index().cloned(),
            segment_ords: self.segment_ords(),
        };
        let mut names = Vec::new();
        collect(&script.expression, &mut names);
        for name in names {
            fields.numbers.push(self.number_field(name)?);
        }
        if needs_vectors(&script.expression) && fields.index.is_none() {
            return Err(Error::unsupported("vector functions need an index with vectors"));
        }
        Ok(fields)
    }
}

fn collect<'e>(expression: &'e Expression, names: &mut Vec<&'e str>) {
    if let Expression::Value(name) | Expression::Count(name) = expression {
        names.push(name);
    }
    expression.parts().into_iter().for_each(|part| collect(part, names));
}

fn needs_vectors(expression: &Expression) -> bool {
    matches!(expression, Expression::Vector(_)) || expression.parts().into_iter().any(needs_vectors)
}

impl ExpressionFields {
    pub(super) fn open(&self, reader: &SegmentReader) -> tantivy::Result<Evaluator> {
        let open = |field: &NumberField| Ok((field.name.clone(), field.open(reader)?));
        let segment = self.segment_ords.iter().find(|(id, _)| *id == reader.segment_id());
        Ok(Evaluator {
            expression: self.expression.clone(),
            numbers: self.numbers.iter().map(open).collect::<tantivy::Result<_>>()?,
            index: self.index.clone(),
            segment_ord: segment.map_or(0, |&(_, segment_ord)| segment_ord),
        })
    }
}

impl Evaluator {
    /// The expression's value; a fault is a message.
    pub(super) fn value(&self, doc: DocId, score: f32) -> Result<f64, String> {
        self.of(&self.expression, doc, score)
    }

    fn of(&self, expression: &Expression, doc: DocId, score: f32) -> Result<f64, String> {
        let truth = |holds: bool| f64::from(u8::from(holds));
        let value = |part: &Expression| self.of(part, doc, score);
        Ok(match expression {
            Expression::Number(number) => *number,
            Expression::Score => f64::from(score),
            Expression::Value(field) => self.numbers.get(field).and_then(|numbers| numbers.first(doc)).ok_or_else(|| {
                format!(
                    "A document doesn't have a value for a field [{field}]! Use doc[<field>].size()==0 to check if a document is missing a field!"
                )
            })?,
            Expression::Count(field) => {
                let mut values = Vec::new();
                if let Some(numbers) = self.numbers.get(field) {
                    numbers.read(doc, &mut values);
                }
                values.len() as f64
            }
            Expression::Vector(function) => self.vector(function, doc)?,
            Expression::Negate(inner) => -value(inner)?,
            Expression::Not(inner) => truth(value(inner)? == 0.0),
            Expression::Binary(BinaryOperator::And, left, right) => truth(value(left)? != 0.0 && value(right)? != 0.0),
            Expression::Binary(BinaryOperator::Or, left, right) => truth(value(left)? != 0.0 || value(right)? != 0.0),
            Expression::Binary(operator, left, right) => {
                let (left, right) = (value(left)?, value(right)?);
                match operator {
                    BinaryOperator::Add => left + right,
                    BinaryOperator::Subtract => left - right,
                    BinaryOperator::Multiply => left * right,
                    BinaryOperator::Divide => left / right,
                    BinaryOperator::DivideWhole if right == 0.0 => return Err("/ by zero".to_string()),
                    BinaryOperator::DivideWhole => (left / right).trunc(),
                    BinaryOperator::Remainder => left % right,
                    BinaryOperator::Less => truth(left < right),
                    BinaryOperator::LessOrEqual => truth(left <= right),
                    BinaryOperator::Greater => truth(left > right),
                    BinaryOperator::GreaterOrEqual => truth(left >= right),
                    BinaryOperator::Equal => truth(left == right),
                    BinaryOperator::NotEqual => truth(left != right),
                    BinaryOperator::And => truth(left != 0.0 && right != 0.0),
                    BinaryOperator::Or => truth(left != 0.0 || right != 0.0),
                }
            }
            Expression::Choice(condition, yes, no) => {
                if value(condition)? != 0.0 {
                    value(yes)?
                } else {
                    value(no)?
                }
            }
            Expression::Call(function, arguments) => {
                let arguments = arguments.iter().map(value).collect::<Result<Vec<_>, _>>()?;
                call(*function, &arguments)
            }
        })
    }

    fn vector(&self, function: &VectorFunction, doc: DocId) -> Result<f64, String> {
        let own = self.own_vector(function, doc)?;
        if function.measure == VectorMeasure::Count {
            return Ok(f64::from(u8::from(own.is_some())));
        }
        let Some(own) = own else {
            return Err(format!(
                "A document doesn't have a value for a vector field! (doc [{doc}], field [{}])",
                function.field
            ));
        };
        if own.len() != function.vector.len() && function.measure != VectorMeasure::Magnitude {
            return Err(format!(
                "The query vector has a different number of dimensions [{}] than the document vectors [{}].",
                function.vector.len(),
                own.len()
            ));
        }
        let pairs = || own.iter().zip(&function.vector).map(|(own, query)| (f64::from(*own), f64::from(*query)));
        let dot = || pairs().map(|(own, query)| own * query).sum::<f64>();
        Ok(match function.measure {
            VectorMeasure::DotProduct => dot(),
            VectorMeasure::CosineSimilarity => {
                let own_length = pairs().map(|(own, _)| own * own).sum::<f64>().sqrt();
                let query_length = pairs().map(|(_, query)| query * query).sum::<f64>().sqrt();
                dot() / (own_length * query_length)
            }
            VectorMeasure::Magnitude => own.iter().map(|own| f64::from(*own).powi(2)).sum::<f64>().sqrt(),
            VectorMeasure::Count => 1.0,
            VectorMeasure::L1Norm => pairs().map(|(own, query)| (own - query).abs()).sum(),
            VectorMeasure::L2Norm => pairs().map(|(own, query)| (own - query).powi(2)).sum::<f64>().sqrt(),
        })
    }
}

impl Evaluator {
    /// The document's vector as its user gave it; a field of cosines keeps only directions, so that the others' lengths are read from
    /// the source.
    fn own_vector(&self, function: &VectorFunction, doc: DocId) -> Result<Option<Vec<f32>>, String> {
        let Some(index) = &self.index else { return Ok(None) };
        let address = DocAddress::new(self.segment_ord, doc);
        let field = index.fields().iter().find(|field| field.definition.path == function.field);
        let Some(params) = field.and_then(|field| field.vector.as_ref()) else {
            return Err(format!("No field found for [{}] in mapping", function.field));
        };
        let needs_no_length = matches!(function.measure, VectorMeasure::CosineSimilarity | VectorMeasure::Count);
        if params.similarity != Similarity::Cosine || needs_no_length {
            return Ok(index.dense().vectors(&function.field, address).into_iter().next().map(|(vector, _)| vector));
        }
        let source = index.source(address).map_err(|error| error.to_string())?;
        let numbers: Vec<f32> = index.own_numbers(&function.field, &source);
        Ok(Some(numbers).filter(|numbers| !numbers.is_empty()))
    }
}

/// How much a value counts that lies off the origin: `decay` at the distance `scale` beyond `offset`.
fn decay(function: MathFunction, arguments: &[f64]) -> f64 {
    let &[origin, scale, offset, decay, value] = arguments else { return f64::NAN };
    let distance = ((value - origin).abs() - offset).max(0.0);
    if function == MathFunction::DecayExp {
        return (decay.ln() / scale * distance).exp();
    }
    if function == MathFunction::DecayGauss {
        return (decay.ln() * (distance / scale).powi(2)).exp();
    }
    let reach = scale / (1.0 - decay);
    ((reach - distance) / reach).max(0.0)
}

fn call(function: MathFunction, arguments: &[f64]) -> f64 {
    let at = |idx: usize| arguments.get(idx).copied().unwrap_or(f64::NAN);
    let first = at(0);
    match function {
        MathFunction::Abs => first.abs(),
        MathFunction::Ceil => first.ceil(),
        MathFunction::Cos => first.cos(),
        MathFunction::Exp => first.exp(),
        MathFunction::Floor => first.floor(),
        MathFunction::Log => first.ln(),
        MathFunction::Log10 => first.log10(),
        MathFunction::Max => first.max(at(1)),
        MathFunction::Min => first.min(at(1)),
        MathFunction::Pow => first.powf(at(1)),
        MathFunction::Round => (first + 0.5).floor(),
        MathFunction::Sin => first.sin(),
        MathFunction::Sqrt => first.sqrt(),
        MathFunction::Tanh => first.tanh(),
        MathFunction::DecayLinear | MathFunction::DecayExp | MathFunction::DecayGauss => decay(function, arguments),
        MathFunction::Saturation => first / (at(1) + first),
        MathFunction::Sigmoid => {
            let raised = first.powf(at(2));
            raised / (at(1).powf(at(2)) + raised)
        }
    }
}
