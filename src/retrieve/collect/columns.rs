//! The values of a field in one segment as numbers whose order is that of the values.

use std::net::Ipv6Addr;

use tantivy::DocId;

use super::sort::{Mode, SortKind, SortValue};
use crate::error::Result;
use crate::index::doc_values::DocValues;

/// A value as a number. Wide enough for an IPv6 address.
pub(super) type Code = u128;

/// Whole numbers in their order.
pub(super) fn encode_i64(value: i64) -> Code {
    Code::from(value.cast_unsigned() ^ (1 << 63))
}

pub(super) fn decode_i64(code: Code) -> i64 {
    (low(code) ^ (1 << 63)).cast_signed()
}

/// Numbers in the order of [`f64::total_cmp`].
pub(super) fn encode_f64(value: f64) -> Code {
    let bits = value.to_bits();
    Code::from(if bits >> 63 == 1 { !bits } else { bits | (1 << 63) })
}

pub(super) fn decode_f64(code: Code) -> f64 {
    let bits = low(code);
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

#[expect(clippy::cast_possible_truncation, reason = "codes of numbers have 64 bits")]
fn low(code: Code) -> u64 {
    code as u64
}

/// Terms by their number in the segment; between two of them is room for one that the segment lacks.
fn encode_ordinal(ordinal: u64) -> Code {
    Code::from(ordinal) * 2 + 2
}

/// Adds the codes of a document's values, ascending.
pub(super) fn push_codes(values: &DocValues, doc: DocId, kind: SortKind, codes: &mut Vec<Code>) {
    match (values, kind) {
        (DocValues::Keyword(keywords), _) => keywords.for_each_ord(doc, |ordinal| codes.push(encode_ordinal(ordinal))),
        (DocValues::Ip(column), _) => {
            codes.extend(column.values_for_doc(doc).map(u128::from));
            codes.sort_unstable();
        }
        (DocValues::Unsigned(column), SortKind::Unsigned) => codes.extend(column.values_for_doc(doc).map(Code::from)),
        (DocValues::Long(_) | DocValues::Boolean(_), SortKind::Long) => {
            values.for_each_i64(doc, |value| codes.push(encode_i64(value)));
        }
        // The same field in two indices may be of two types.
        (_, SortKind::Long) => values.for_each_f64(doc, |value| codes.push(number(SortKind::Long, value))),
        (_, SortKind::Unsigned) => values.for_each_f64(doc, |value| codes.push(number(SortKind::Unsigned, value))),
        (_, SortKind::Double) => values.for_each_f64(doc, |value| codes.push(encode_f64(value))),
        (DocValues::Id(_) | DocValues::Constant(_), SortKind::Text) => codes.push(encode_ordinal(0)),
        (_, SortKind::Text | SortKind::Ip) => {}
    }
}

/// The code of a value; of a term that the segment lacks, the room between its neighbours. `None` for no value.
pub(super) fn code_of(values: &DocValues, kind: SortKind, value: &SortValue) -> Result<Option<Code>> {
    Ok(match (kind, value) {
        (_, SortValue::Null) => None,
        (SortKind::Text, SortValue::Text(text)) => Some(match values {
            DocValues::Keyword(keywords) => match keywords.lookup(text)? {
                Ok(ordinal) => encode_ordinal(ordinal),
                Err(next) => encode_ordinal(next) - 1,
            },
            DocValues::Constant(constant) => match text.as_str().cmp(constant) {
                std::cmp::Ordering::Less => encode_ordinal(0) - 1,
                std::cmp::Ordering::Equal => encode_ordinal(0),
                std::cmp::Ordering::Greater => encode_ordinal(0) + 1,
            },
            DocValues::Missing
            | DocValues::Long(_)
            | DocValues::Unsigned(_)
            | DocValues::Double(_)
            | DocValues::Boolean(_)
            | DocValues::Ip(_)
            | DocValues::Id(_) => 1,
        }),
        (SortKind::Ip, SortValue::Ip(address)) => Some(u128::from(*address)),
        (SortKind::Long, SortValue::Int(value)) => Some(encode_i64(*value)),
        (SortKind::Unsigned, SortValue::Unsigned(value)) => Some(Code::from(*value)),
        (SortKind::Unsigned, SortValue::Int(value)) => Some(Code::from(u64::try_from(*value).unwrap_or(0))),
        (SortKind::Long, SortValue::Unsigned(value)) => Some(encode_i64(i64::try_from(*value).unwrap_or(i64::MAX))),
        (SortKind::Long | SortKind::Unsigned | SortKind::Double, value) => {
            value.as_f64().map(|value| number(kind, value))
        }
        (SortKind::Text | SortKind::Ip, _) => None,
    })
}

/// The value of a code that [`push_codes`] or [`combine`] gave.
pub(super) fn value_of(values: &DocValues, kind: SortKind, code: Code) -> Result<SortValue> {
    Ok(match kind {
        SortKind::Long => SortValue::Int(decode_i64(code)),
        SortKind::Unsigned => SortValue::Unsigned(low(code)),
        SortKind::Double => SortValue::Float(decode_f64(code)),
        SortKind::Ip => SortValue::Ip(Ipv6Addr::from(code)),
        SortKind::Text => match values {
            DocValues::Keyword(keywords) => {
                let mut text = String::new();
                let known = keywords.term(low(code.saturating_sub(2) / 2), &mut text)?;
                if known { SortValue::Text(text) } else { SortValue::Null }
            }
            DocValues::Constant(text) => SortValue::Text(text.to_string()),
            DocValues::Missing
            | DocValues::Long(_)
            | DocValues::Unsigned(_)
            | DocValues::Double(_)
            | DocValues::Boolean(_)
            | DocValues::Ip(_)
            | DocValues::Id(_) => SortValue::Null,
        },
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction in an order of whole numbers is cut, and saturates")]
#[expect(clippy::cast_sign_loss, reason = "as above")]
fn number(kind: SortKind, value: f64) -> Code {
    match kind {
        SortKind::Unsigned => Code::from(value as u64),
        SortKind::Double => encode_f64(value),
        SortKind::Long | SortKind::Text | SortKind::Ip => encode_i64(value as i64),
    }
}

/// One code out of several, which ascend; `None` of none.
///
/// Whole numbers are summed with saturation, their means and middles rounded half up, as in Elasticsearch.
pub(super) fn combine(codes: &mut [Code], kind: SortKind, mode: Mode) -> Option<Code> {
    let first = *codes.first()?;
    if codes.len() == 1 {
        return Some(first);
    }
    match mode {
        Mode::Min => codes.iter().copied().min(),
        Mode::Max => codes.iter().copied().max(),
        Mode::Sum => Some(fold(codes, kind, false)),
        Mode::Avg => Some(fold(codes, kind, true)),
        Mode::Median => {
            codes.sort_unstable();
            let middle = codes.len() / 2;
            if codes.len() % 2 == 1 {
                codes.get(middle).copied()
            } else {
                codes.get(middle - 1..=middle).map(|pair| fold(pair, kind, true))
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the type before, and saturates")]
#[expect(clippy::cast_sign_loss, reason = "a mean of numbers from 0")]
fn fold(codes: &[Code], kind: SortKind, mean: bool) -> Code {
    let count = codes.len().max(1) as f64;
    match kind {
        SortKind::Double => {
            let sum: f64 = codes.iter().map(|&code| decode_f64(code)).sum();
            encode_f64(if mean { sum / count } else { sum })
        }
        SortKind::Unsigned => {
            let sum: u128 = codes.iter().sum();
            let result = if mean { (sum as f64 / count).round() as u128 } else { sum };
            Code::from(u64::try_from(result).unwrap_or(u64::MAX))
        }
        SortKind::Long | SortKind::Text | SortKind::Ip => {
            let sum: i128 = codes.iter().map(|&code| i128::from(decode_i64(code))).sum();
            let result = if mean { (sum as f64 / count + 0.5).floor() as i128 } else { sum };
            encode_i64(i64::try_from(result.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn codes_keep_the_order_and_come_back(a: i64, b: i64, x: f64, y: f64) {
            proptest::prop_assert_eq!(encode_i64(a).cmp(&encode_i64(b)), a.cmp(&b));
            proptest::prop_assert_eq!(decode_i64(encode_i64(a)), a);
            proptest::prop_assert_eq!(encode_f64(x).cmp(&encode_f64(y)), x.total_cmp(&y));
            proptest::prop_assert_eq!(decode_f64(encode_f64(x)).to_bits(), x.to_bits());
        }
    }

    #[test]
    fn several_values_become_one() {
        let longs = |values: &[i64], mode| {
            let mut codes: Vec<Code> = values.iter().map(|&value| encode_i64(value)).collect();
            combine(&mut codes, SortKind::Long, mode).map(decode_i64)
        };
        let cases = [
            (Mode::Min, &[3, -1, 2][..], Some(-1)),
            (Mode::Max, &[3, -1, 2], Some(3)),
            (Mode::Sum, &[3, -1, 2], Some(4)),
            (Mode::Avg, &[3, 2], Some(3)),
            (Mode::Avg, &[-3, -2], Some(-2)),
            (Mode::Median, &[9, 1, 2], Some(2)),
            (Mode::Median, &[9, 1, 2, 4], Some(3)),
            (Mode::Sum, &[], None),
        ];
        for (mode, values, expected) in cases {
            assert_eq!(longs(values, mode), expected, "{mode:?} of {values:?}");
        }
    }
}
