//! Fields to numbers and to keys, a block of documents at a time.
//!
//! A [`NumberReader`] gives numbers, for figures and intervals. A [`KeyReader`] gives each value a whole number that stands for
//! it, so that counting needs no texts: keywords their ordinal over all segments, others their own bits. Both put the `missing`
//! value where a document has none.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tantivy::DocId;

use super::context::Context;
use super::key::{Key, double_of, sortable};
use super::outcome::Values;
use super::request::{ValueSource, ValueType};
use crate::error::{Error, Result};
use crate::index::doc_values::block::{ConversionBuffers, IpBlock};
use crate::index::doc_values::{DocValues, GlobalOrdinals, ValueBlock, ValueField, ValueKind};
use crate::retrieve::query::TermValue;
use crate::schema::date::{DateFormats, Missing};

/// A field as one index has it.
pub(super) struct Resolved {
    /// `None` where the index lacks the field.
    pub(super) field: Option<ValueField>,
    /// What the values are, by the mapping or else by the request.
    pub(super) kind: Option<ValueKind>,
    /// The columns, in the order of the segments; empty where the index lacks the field.
    pub(super) segments: Vec<DocValues>,
}

/// Finds a field and opens its columns.
///
/// # Errors
/// `InvalidInput` for a field without values by document.
pub(super) fn resolve(context: &Context<'_>, source: &ValueSource) -> Result<Resolved> {
    let Some(field) = ValueField::resolve(context.searcher, &source.field, context.index)? else {
        let kind = source.value_type.map(|kind| match kind {
            ValueType::Text => ValueKind::Keyword,
            ValueType::Long => ValueKind::Long,
            ValueType::Double => ValueKind::Double,
            ValueType::Date => ValueKind::Date,
            ValueType::Ip => ValueKind::Ip,
            ValueType::Boolean => ValueKind::Boolean,
        });
        return Ok(Resolved { field: None, kind, segments: Vec::new() });
    };
    if field.kind == ValueKind::Id {
        return Err(Error::invalid_input(
            "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: \
             indices.id_field_data.enabled",
        ));
    }
    let segments = field.open_all(context.searcher)?;
    Ok(Resolved { kind: Some(field.kind), field: Some(field), segments })
}

impl Resolved {
    /// The error of an aggregation that cannot use the values.
    pub(super) fn misfit(&self, field: &str, aggregation: &str) -> Error {
        misfit(field, self.field.as_ref().map_or("unknown", |field| field.type_name), aggregation)
    }

    /// How results say what the values are.
    pub(super) fn values(&self) -> Option<Values> {
        self.kind.map(|kind| Values {
            kind,
            type_name: self.field.as_ref().map_or("unknown", |field| field.type_name),
            date_formats: self.field.as_ref().and_then(|field| field.date_formats.clone()),
        })
    }
}

/// Reads numbers.
pub(super) struct NumberReader {
    segments: Vec<DocValues>,
    current: DocValues,
    missing: Option<f64>,
    block: ValueBlock<f64>,
    merged: ValueBlock<f64>,
    buffers: ConversionBuffers,
}

impl NumberReader {
    /// * `aggregation`: the type of the aggregation, for the error.
    ///
    /// # Errors
    /// `InvalidInput` where the values are no numbers.
    pub(super) fn new(
        context: &Context<'_>,
        source: &ValueSource,
        aggregation: &str,
    ) -> Result<(Self, Option<Values>)> {
        let resolved = resolve(context, source)?;
        if resolved.kind.is_some_and(|kind| !kind.is_numeric()) {
            return Err(resolved.misfit(&source.field, aggregation));
        }
        let missing = match &source.missing {
            Some(value) => {
                let formats = resolved.field.as_ref().and_then(|field| field.date_formats.as_ref());
                Some(number_of(value, resolved.kind, formats, &source.field)?)
            }
            None => None,
        };
        let values = resolved.values();
        Ok((Self::over(resolved.segments, missing), values))
    }

    fn over(segments: Vec<DocValues>, missing: Option<f64>) -> Self {
        Self {
            segments,
            current: DocValues::Missing,
            missing,
            block: ValueBlock::default(),
            merged: ValueBlock::default(),
            buffers: ConversionBuffers::default(),
        }
    }

    /// Turns to a segment.
    pub(super) fn start_segment(&mut self, segment_ord: usize) {
        self.current = self.segments.get(segment_ord).cloned().unwrap_or(DocValues::Missing);
    }

    /// The numbers of some documents.
    pub(super) fn read(&mut self, docs: &[DocId]) -> &ValueBlock<f64> {
        self.block.read_numbers(&self.current, docs, &mut self.buffers);
        match self.missing {
            None => &self.block,
            Some(missing) => {
                put_missing(&self.block, docs.len(), missing, &mut self.merged);
                &self.merged
            }
        }
    }

    /// The least and the greatest value of all segments, deleted documents included; `None` without values.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let mut range: Option<(f64, f64)> = self.missing.map(|missing| (missing, missing));
        for values in &self.segments {
            let found = match values {
                DocValues::Long(column) if column.values.num_vals() > 0 => {
                    Some((column.min_value() as f64, column.max_value() as f64))
                }
                DocValues::Unsigned(column) if column.values.num_vals() > 0 => {
                    Some((column.min_value() as f64, column.max_value() as f64))
                }
                DocValues::Double(column) if column.values.num_vals() > 0 => {
                    Some((column.min_value(), column.max_value()))
                }
                DocValues::Boolean(column) if column.values.num_vals() > 0 => Some((0.0, 1.0)),
                DocValues::Missing
                | DocValues::Long(_)
                | DocValues::Unsigned(_)
                | DocValues::Double(_)
                | DocValues::Boolean(_)
                | DocValues::Ip(_)
                | DocValues::Keyword(_)
                | DocValues::Id(_)
                | DocValues::Constant(_) => None,
            };
            if let Some((min, max)) = found {
                range = Some(range.map_or((min, max), |(least, most)| (least.min(min), most.max(max))));
            }
        }
        range
    }
}

/// Copies a block and puts `missing` where a document has no value.
fn put_missing<T: Copy>(block: &ValueBlock<T>, num_docs: usize, missing: T, merged: &mut ValueBlock<T>) {
    merged.positions.clear();
    merged.values.clear();
    let mut next = 0;
    for position in 0..u32::try_from(num_docs).unwrap_or(u32::MAX) {
        let start = next;
        while let (Some(&at), Some(&value)) = (block.positions.get(next), block.values.get(next)) {
            if at != position {
                break;
            }
            merged.positions.push(position);
            merged.values.push(value);
            next += 1;
        }
        if next == start {
            merged.positions.push(position);
            merged.values.push(missing);
        }
    }
}

/// What the numbers of a [`KeyReader`] stand for.
enum Keys {
    /// Terms, by their number over all segments; a missing text that is no term comes after them.
    Ordinals { ordinals: Arc<GlobalOrdinals>, missing: Option<(i64, String)> },
    /// Themselves.
    Longs,
    /// An unsigned number as a signed one of the same order.
    Unsigned,
    /// A sortable form of a floating-point number.
    Doubles,
    /// Addresses, in the order in which they were met.
    Addresses { known: FxHashMap<u128, i64>, list: Vec<u128> },
    /// One text.
    Constant(String),
}

/// Reads values as numbers that stand for them.
pub(super) struct KeyReader {
    segments: Vec<DocValues>,
    current: DocValues,
    segment_ord: usize,
    keys: Keys,
    missing: Option<i64>,
    block: ValueBlock<i64>,
    merged: ValueBlock<i64>,
    ords: ValueBlock<u64>,
    numbers: ValueBlock<f64>,
    ips: IpBlock,
    buffers: ConversionBuffers,
}

impl KeyReader {
    /// # Errors
    /// `InvalidInput` for a field without values by document, or a `missing` that does not fit it.
    pub(super) fn new(context: &Context<'_>, source: &ValueSource) -> Result<(Self, Option<Values>)> {
        let mut resolved = resolve(context, source)?;
        if resolved.kind.is_none() {
            // What the values would be is only known by the value that is put for them.
            resolved.kind = source.missing.as_ref().map(|missing| match missing {
                TermValue::Bool(_) => ValueKind::Boolean,
                TermValue::Integer(_) => ValueKind::Long,
                TermValue::Unsigned(_) => ValueKind::UnsignedLong,
                TermValue::Float(_) => ValueKind::Double,
                TermValue::Text(_) => ValueKind::Keyword,
            });
        }
        let values = resolved.values();
        let number = |kind| match &source.missing {
            Some(value) => {
                let formats = resolved.field.as_ref().and_then(|field| field.date_formats.as_ref());
                number_of(value, Some(kind), formats, &source.field).map(Some)
            }
            None => Ok(None),
        };
        let mut missing = None;
        let keys = match resolved.kind {
            None => Keys::Longs,
            Some(kind @ (ValueKind::Long | ValueKind::Boolean | ValueKind::Date)) => {
                #[expect(clippy::cast_possible_truncation, reason = "whole numbers, saturating")]
                let whole = number(kind)?.map(|number| number as i64);
                missing = whole;
                Keys::Longs
            }
            Some(ValueKind::UnsignedLong) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating")]
                let whole = number(ValueKind::UnsignedLong)?.map(|number| ordered(number as u64));
                missing = whole;
                Keys::Unsigned
            }
            Some(ValueKind::Double) => {
                missing = number(ValueKind::Double)?.map(sortable);
                Keys::Doubles
            }
            Some(ValueKind::Ip) => {
                let mut known = FxHashMap::default();
                let mut list = Vec::new();
                if let Some(value) = &source.missing {
                    let text = text_of(value);
                    let bits = address_of(&text)?;
                    known.insert(bits, 0);
                    list.push(bits);
                    missing = Some(0);
                }
                Keys::Addresses { known, list }
            }
            Some(ValueKind::Keyword | ValueKind::Id) => {
                let ordinals = match &resolved.field {
                    Some(field) => context.searcher.ordinals(field, &resolved.segments)?,
                    None => Arc::new(GlobalOrdinals::new(&[])?),
                };
                let mut own_missing = None;
                if let Some(value) = &source.missing {
                    let text = text_of(value);
                    let (ord, is_new) = find_term(&ordinals, &resolved.segments, &text)?;
                    missing = Some(ord);
                    own_missing = is_new.then_some((ord, text));
                }
                Keys::Ordinals { ordinals, missing: own_missing }
            }
            Some(ValueKind::IndexName) => Keys::Constant(context.index.to_string()),
        };
        let reader = Self {
            segments: resolved.segments,
            current: DocValues::Missing,
            segment_ord: 0,
            keys,
            missing,
            block: ValueBlock::default(),
            merged: ValueBlock::default(),
            ords: ValueBlock::default(),
            numbers: ValueBlock::default(),
            ips: IpBlock::default(),
            buffers: ConversionBuffers::default(),
        };
        Ok((reader, values))
    }

    /// Turns to a segment.
    pub(super) fn start_segment(&mut self, segment_ord: usize) {
        self.segment_ord = segment_ord;
        self.current = self.segments.get(segment_ord).cloned().unwrap_or(DocValues::Missing);
    }

    /// The numbers of some documents' values, each once a document.
    pub(super) fn read(&mut self, docs: &[DocId]) -> &ValueBlock<i64> {
        match &mut self.keys {
            Keys::Ordinals { ordinals, .. } => {
                self.block.positions.clear();
                self.block.values.clear();
                if let DocValues::Keyword(keywords) = &self.current {
                    self.ords.read_ords(keywords, docs);
                    std::mem::swap(&mut self.block.positions, &mut self.ords.positions);
                    match ordinals.of_segment(self.segment_ord) {
                        Some(map) => {
                            let global = |ord: u64| {
                                usize::try_from(ord).ok().and_then(|ord| map.get(ord)).map_or(0, |ord| i64::from(*ord))
                            };
                            self.block.values.extend(self.ords.values.iter().map(|&ord| global(ord)));
                        }
                        None => self.block.values.extend(self.ords.values.iter().map(|ord| ord.cast_signed())),
                    }
                }
            }
            Keys::Longs => {
                self.block.read_longs(&self.current, docs, &mut self.buffers);
                drop_repeated(&mut self.block);
            }
            Keys::Unsigned => {
                self.ords.read_unsigned(&self.current, docs);
                take(&mut self.block, &mut self.ords, ordered);
                drop_repeated(&mut self.block);
            }
            Keys::Doubles => {
                self.numbers.read_numbers(&self.current, docs, &mut self.buffers);
                take(&mut self.block, &mut self.numbers, sortable);
                drop_repeated(&mut self.block);
            }
            Keys::Addresses { known, list } => {
                self.ips.read(&self.current, docs);
                self.block.positions.clear();
                self.block.values.clear();
                for (&position, &address) in self.ips.positions.iter().zip(&self.ips.values) {
                    self.block.positions.push(position);
                    self.block.values.push(number_of_address(known, list, address));
                }
            }
            Keys::Constant(_) => {
                self.block.positions.clear();
                self.block.values.clear();
                self.block.positions.extend(0..u32::try_from(docs.len()).unwrap_or(u32::MAX));
                self.block.values.resize(docs.len(), 0);
            }
        }
        match self.missing {
            None => &self.block,
            Some(missing) => {
                put_missing(&self.block, docs.len(), missing, &mut self.merged);
                &self.merged
            }
        }
    }

    /// The smallest number above all that [`KeyReader::read`] gives, where that is small and known beforehand: the width of a
    /// table in place of a hash map.
    pub(super) fn width(&self) -> Option<usize> {
        match &self.keys {
            Keys::Ordinals { ordinals, missing } => {
                Some(ordinals.num_terms() as usize + usize::from(missing.is_some()))
            }
            Keys::Constant(_) => Some(1),
            Keys::Longs | Keys::Unsigned | Keys::Doubles | Keys::Addresses { .. } => None,
        }
    }

    /// The keys that numbers stand for.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary is damaged.
    pub(super) fn keys(&self, numbers: &[i64]) -> Result<Vec<Key>> {
        Ok(match &self.keys {
            Keys::Longs => numbers.iter().map(|&number| Key::Long(number)).collect(),
            Keys::Unsigned => numbers.iter().map(|&number| Key::Unsigned(unordered(number))).collect(),
            Keys::Doubles => numbers.iter().map(|&number| Key::Double(double_of(number))).collect(),
            Keys::Addresses { list, .. } => {
                let address = |number: i64| usize::try_from(number).ok().and_then(|at| list.get(at)).copied();
                numbers.iter().map(|&number| Key::Ip(address(number).unwrap_or_default())).collect()
            }
            Keys::Constant(text) => numbers.iter().map(|_| Key::Text(text.clone())).collect(),
            Keys::Ordinals { ordinals, missing } => {
                // The dictionary is read in its order.
                let mut order: Vec<usize> = (0..numbers.len()).collect();
                order.sort_by_key(|&at| numbers.get(at).copied());
                let sorted: Vec<u32> = order
                    .iter()
                    .map(|&at| numbers.get(at).and_then(|&number| u32::try_from(number).ok()).unwrap_or(u32::MAX))
                    .collect();
                let within = sorted.partition_point(|&ord| ord < ordinals.num_terms());
                let mut terms = ordinals.terms(&self.segments, sorted.get(..within).unwrap_or_default())?;
                terms.resize(sorted.len(), missing.as_ref().map(|(_, text)| text.clone()).unwrap_or_default());
                let mut keys = vec![Key::Place(0); numbers.len()];
                for (at, term) in order.into_iter().zip(terms) {
                    if let Some(key) = keys.get_mut(at) {
                        *key = Key::Text(term);
                    }
                }
                keys
            }
        })
    }

    /// The least and the greatest whole number of all segments, deleted documents included; `None` without values.
    pub(super) fn range(&self) -> Option<(i64, i64)> {
        let mut range: Option<(i64, i64)> = self.missing.map(|missing| (missing, missing));
        for values in &self.segments {
            if let DocValues::Long(column) = values
                && column.values.num_vals() > 0
            {
                let (min, max) = (column.min_value(), column.max_value());
                range = Some(range.map_or((min, max), |(least, most)| (least.min(min), most.max(max))));
            }
        }
        range
    }

    /// Every number of the index, whatever the documents that are looked at; for buckets without documents.
    pub(super) fn all(&self) -> Vec<i64> {
        if let Keys::Ordinals { ordinals, missing } = &self.keys {
            let num_terms = i64::from(ordinals.num_terms());
            let other = missing.as_ref().map(|(number, _)| *number).filter(|number| *number >= num_terms);
            return (0..num_terms).chain(other).collect();
        }
        let mut all: Vec<i64> = self.missing.into_iter().collect();
        for values in &self.segments {
            match values {
                DocValues::Long(column) => {
                    all.extend((0..column.values.num_vals()).map(|row| column.values.get_val(row)));
                }
                DocValues::Boolean(column) => {
                    all.extend((0..column.values.num_vals()).map(|row| i64::from(column.values.get_val(row))));
                }
                DocValues::Unsigned(column) => {
                    all.extend((0..column.values.num_vals()).map(|row| ordered(column.values.get_val(row))));
                }
                DocValues::Double(column) => {
                    all.extend((0..column.values.num_vals()).map(|row| sortable(column.values.get_val(row))));
                }
                DocValues::Missing
                | DocValues::Ip(_)
                | DocValues::Keyword(_)
                | DocValues::Id(_)
                | DocValues::Constant(_) => {}
            }
            all.sort_unstable();
            all.dedup();
        }
        all
    }

    /// The number that stands for a numeric value.
    ///
    /// # Errors
    /// `InvalidInput` where it is no value of the type.
    pub(super) fn number_of(&mut self, value: &TermValue, kind: ValueKind) -> Result<i64> {
        if let (Keys::Addresses { known, list }, TermValue::Text(text)) = (&mut self.keys, value) {
            return Ok(number_of_address(known, list, address_of(text)?));
        }
        if let (ValueKind::Long | ValueKind::Date, TermValue::Text(text)) = (kind, value)
            && let Ok(whole) = text.parse()
        {
            return Ok(whole);
        }
        let number = number_of(value, Some(kind), None, "")?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating")]
        Ok(match kind {
            ValueKind::Double => sortable(number),
            ValueKind::UnsignedLong => ordered(number as u64),
            ValueKind::Long
            | ValueKind::Boolean
            | ValueKind::Date
            | ValueKind::Ip
            | ValueKind::Keyword
            | ValueKind::Id
            | ValueKind::IndexName => number as i64,
        })
    }

    /// The order of the values that two numbers stand for.
    pub(super) fn compare(&self, left: i64, right: i64) -> std::cmp::Ordering {
        match &self.keys {
            Keys::Addresses { list, .. } => {
                let address = |number: i64| usize::try_from(number).ok().and_then(|at| list.get(at));
                address(left).cmp(&address(right))
            }
            Keys::Ordinals { .. } | Keys::Longs | Keys::Unsigned | Keys::Doubles | Keys::Constant(_) => {
                left.cmp(&right)
            }
        }
    }

    /// Whether numbers stand in the order of the values; not so for addresses, and a missing text that is no term.
    pub(super) fn is_ordered(&self) -> bool {
        match &self.keys {
            Keys::Ordinals { missing, .. } => missing.is_none(),
            Keys::Longs | Keys::Unsigned | Keys::Doubles | Keys::Constant(_) => true,
            Keys::Addresses { .. } => false,
        }
    }

    /// Whether a keyword's ordinals are read.
    pub(super) fn is_text(&self) -> bool {
        match &self.keys {
            Keys::Ordinals { .. } | Keys::Constant(_) => true,
            Keys::Longs | Keys::Unsigned | Keys::Doubles | Keys::Addresses { .. } => false,
        }
    }
}

/// The number of an address, which is given one where it has none.
fn number_of_address(known: &mut FxHashMap<u128, i64>, list: &mut Vec<u128>, address: u128) -> i64 {
    let next = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let number = *known.entry(address).or_insert(next);
    if number == next {
        list.push(address);
    }
    number
}

/// An address as a number of 128 bits, IPv4 ones mapped into IPv6.
///
/// # Errors
/// `InvalidInput` where it is none.
pub fn address_of(text: &str) -> Result<u128> {
    match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => Ok(address.to_ipv6_mapped().to_bits()),
        Ok(std::net::IpAddr::V6(address)) => Ok(address.to_bits()),
        Err(_) => Err(Error::invalid_input(format!("'{text}' is not an IP string literal."))),
    }
}

/// An unsigned number as a signed one of the same order; [`unordered`] takes it back.
fn ordered(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

fn unordered(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// The number of a text over all segments, or the one after all terms where it is none; and whether it is none.
fn find_term(ordinals: &GlobalOrdinals, segments: &[DocValues], text: &str) -> Result<(i64, bool)> {
    for (segment_ord, values) in segments.iter().enumerate() {
        if let DocValues::Keyword(keywords) = values
            && let Ok(own) = keywords.lookup(text)?
        {
            let global = match ordinals.of_segment(segment_ord) {
                Some(map) => usize::try_from(own).ok().and_then(|own| map.get(own)).map(|ord| i64::from(*ord)),
                None => i64::try_from(own).ok(),
            };
            if let Some(global) = global {
                return Ok((global, false));
            }
        }
    }
    Ok((i64::from(ordinals.num_terms()), true))
}

fn take<S: Copy, T>(block: &mut ValueBlock<T>, from: &mut ValueBlock<S>, to: impl Fn(S) -> T) {
    std::mem::swap(&mut block.positions, &mut from.positions);
    block.values.clear();
    block.values.extend(from.values.iter().map(|&value| to(value)));
}

/// Leaves one of equal values of one document; they stand beside each other.
fn drop_repeated(block: &mut ValueBlock<i64>) {
    let repeats = |pair: (&[u32], &[i64])| pair.0.first() == pair.0.last() && pair.1.first() == pair.1.last();
    if !block.positions.windows(2).zip(block.values.windows(2)).any(repeats) {
        return;
    }
    let mut pairs: Vec<(u32, i64)> = block.iter().collect();
    pairs.dedup();
    block.positions.clear();
    block.values.clear();
    for (position, value) in pairs {
        block.positions.push(position);
        block.values.push(value);
    }
}

/// A value as a text.
pub(super) fn text_of(value: &TermValue) -> String {
    match value {
        TermValue::Text(text) => text.clone(),
        TermValue::Bool(value) => value.to_string(),
        TermValue::Integer(value) => value.to_string(),
        TermValue::Unsigned(value) => value.to_string(),
        TermValue::Float(value) => value.to_string(),
    }
}

/// A value as a number of a field's type.
///
/// # Errors
/// `InvalidInput` where it is none.
pub(super) fn number_of(
    value: &TermValue,
    kind: Option<ValueKind>,
    formats: Option<&DateFormats>,
    field: &str,
) -> Result<f64> {
    let number = match value {
        TermValue::Bool(value) => Some(f64::from(u8::from(*value))),
        TermValue::Integer(value) => Some(*value as f64),
        TermValue::Unsigned(value) => Some(*value as f64),
        TermValue::Float(value) => Some(*value),
        TermValue::Text(text) => match (kind, text.as_str()) {
            (Some(ValueKind::Boolean), "true") => Some(1.0),
            (Some(ValueKind::Boolean), "false" | "") => Some(0.0),
            (Some(ValueKind::Date), _) => {
                formats.cloned().unwrap_or_default().parse(text, None, Missing::Least).map(|millis| millis as f64)
            }
            _ => None,
        }
        .or_else(|| text.trim().parse().ok()),
    };
    number.filter(|number| !number.is_nan()).ok_or_else(|| {
        Error::invalid_input(format!("[missing] is [{}], which is no value of the field", text_of(value)))
            .in_field(field)
    })
}

/// Elasticsearch's words for a field whose values an aggregation cannot use.
pub(super) fn misfit(field: &str, type_name: &str, aggregation: &str) -> Error {
    let reason = format!("Field [{field}] of type [{type_name}] is not supported for aggregation [{aggregation}]");
    Error::invalid_input(reason)
}
