//! The values of many documents at once.
//!
//! Reading a column value by value costs a virtual call each; a block reads them in one. Documents without a value leave no
//! entry, those with several leave several; each entry says which document of the block it belongs to.

use std::fmt::Debug;
use std::net::Ipv6Addr;

use tantivy::DocId;
use tantivy::columnar::{Column, ColumnIndex};

use super::{DocValues, KeywordValues};

/// Values of a block of documents; kept and filled again for the next block.
#[derive(Debug, Clone, Default)]
pub struct ValueBlock<T> {
    /// Which document of the block each value belongs to: its place there, ascending.
    pub positions: Vec<u32>,
    /// The values; those of one document ascending.
    pub values: Vec<T>,
    rows: Vec<u32>,
}

impl<T> ValueBlock<T>
where
    T: PartialOrd + Copy + Default + Debug + Send + Sync + 'static,
{
    /// Takes all values out.
    pub fn clear(&mut self) {
        self.positions.clear();
        self.values.clear();
        self.rows.clear();
    }

    /// The values with the places of their documents.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        self.positions.iter().copied().zip(self.values.iter().copied())
    }

    /// Reads the values of `docs`, which may hold a document several times.
    fn read(&mut self, column: &Column<T>, docs: &[DocId]) {
        self.clear();
        let positions = 0..u32::try_from(docs.len()).unwrap_or(u32::MAX);
        let mut several = false;
        match &column.index {
            ColumnIndex::Empty { .. } => return,
            ColumnIndex::Full => {
                self.positions.extend(positions);
                self.rows.extend_from_slice(docs);
            }
            index @ (ColumnIndex::Optional(_) | ColumnIndex::Multivalued(_)) => {
                for (position, &doc) in positions.zip(docs) {
                    let rows = index.value_row_ids(doc);
                    several |= rows.len() > 1;
                    for row in rows {
                        self.positions.push(position);
                        self.rows.push(row);
                    }
                }
            }
        }
        self.values.resize(self.rows.len(), T::default());
        column.values.get_vals(&self.rows, &mut self.values);
        if several {
            self.sort_each();
        }
    }

    /// Sorts the values of each document.
    fn sort_each(&mut self) {
        let mut start = 0;
        for run in self.positions.chunk_by(|left, right| left == right) {
            let end = start + run.len();
            if run.len() > 1
                && let Some(values) = self.values.get_mut(start..end)
            {
                values.sort_unstable_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
            }
            start = end;
        }
    }

    /// Leaves out what `keep` refuses, and of equal values of one document all but one.
    fn retain_once(&mut self, keep: impl Fn(T) -> Option<T>) {
        let mut kept = 0;
        for at in 0..self.values.len() {
            let (Some(&position), Some(&value)) = (self.positions.get(at), self.values.get(at)) else { break };
            let Some(value) = keep(value) else { continue };
            let is_repeated = kept > 0
                && self.positions.get(kept - 1) == Some(&position)
                && self.values.get(kept - 1).is_some_and(|last| *last == value);
            if is_repeated {
                continue;
            }
            if let (Some(to_position), Some(to_value)) = (self.positions.get_mut(kept), self.values.get_mut(kept)) {
                *to_position = position;
                *to_value = value;
                kept += 1;
            }
        }
        self.positions.truncate(kept);
        self.values.truncate(kept);
    }
}

impl ValueBlock<u64> {
    /// Reads the ordinals of `docs`, each once a document.
    pub fn read_ords(&mut self, keywords: &KeywordValues, docs: &[DocId]) {
        self.read(keywords.column(), docs);
        let range = keywords.range();
        if keywords.prefix_bytes() > 0 || self.positions.len() > docs.len() || self.repeats() {
            self.retain_once(|ord| range.contains(&ord).then(|| ord - range.start));
        }
    }

    fn repeats(&self) -> bool {
        self.positions.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// Reads the whole numbers of a `u64` column.
    pub fn read_unsigned(&mut self, values: &DocValues, docs: &[DocId]) {
        match values {
            DocValues::Unsigned(column) => self.read(column, docs),
            DocValues::Missing
            | DocValues::Long(_)
            | DocValues::Double(_)
            | DocValues::Boolean(_)
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => self.clear(),
        }
    }
}

/// Buffers of the types that a column may have before it is converted.
#[derive(Debug, Clone, Default)]
pub struct ConversionBuffers {
    longs: ValueBlock<i64>,
    unsigned: ValueBlock<u64>,
    booleans: ValueBlock<bool>,
}

impl ValueBlock<f64> {
    /// Reads numbers of any type as `f64`; texts and addresses leave no entry.
    pub fn read_numbers(&mut self, values: &DocValues, docs: &[DocId], buffers: &mut ConversionBuffers) {
        match values {
            DocValues::Double(column) => self.read(column, docs),
            DocValues::Long(column) => {
                buffers.longs.read(column, docs);
                self.convert(&mut buffers.longs, |value| value as f64);
            }
            DocValues::Unsigned(column) => {
                buffers.unsigned.read(column, docs);
                self.convert(&mut buffers.unsigned, |value| value as f64);
            }
            DocValues::Boolean(column) => {
                buffers.booleans.read(column, docs);
                self.convert(&mut buffers.booleans, |value| f64::from(u8::from(value)));
            }
            DocValues::Missing
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => self.clear(),
        }
    }
}

impl ValueBlock<i64> {
    /// Reads whole numbers, dates and booleans; others leave no entry.
    pub fn read_longs(&mut self, values: &DocValues, docs: &[DocId], buffers: &mut ConversionBuffers) {
        match values {
            DocValues::Long(column) => self.read(column, docs),
            DocValues::Boolean(column) => {
                buffers.booleans.read(column, docs);
                self.convert(&mut buffers.booleans, i64::from);
            }
            DocValues::Missing
            | DocValues::Unsigned(_)
            | DocValues::Double(_)
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => self.clear(),
        }
    }
}

impl<T> ValueBlock<T> {
    fn convert<S: Copy>(&mut self, from: &mut ValueBlock<S>, to: impl Fn(S) -> T) {
        std::mem::swap(&mut self.positions, &mut from.positions);
        self.values.clear();
        self.values.extend(from.values.iter().map(|&value| to(value)));
    }
}

/// The addresses of a block of documents.
#[derive(Debug, Clone, Default)]
pub struct IpBlock {
    /// Which document of the block each address belongs to.
    pub positions: Vec<u32>,
    /// The addresses as numbers; those of one document ascending, without repetition.
    pub values: Vec<u128>,
}

impl IpBlock {
    /// Reads the addresses of `docs`; columns of other types leave no entry.
    pub fn read(&mut self, values: &DocValues, docs: &[DocId]) {
        self.positions.clear();
        self.values.clear();
        let DocValues::Ip(column) = values else { return };
        let mut of_doc: Vec<u128> = Vec::new();
        for (position, &doc) in (0_u32..).zip(docs) {
            of_doc.clear();
            of_doc.extend(column.values_for_doc(doc).map(Ipv6Addr::to_bits));
            of_doc.sort_unstable();
            of_doc.dedup();
            for &address in &of_doc {
                self.positions.push(position);
                self.values.push(address);
            }
        }
    }
    /// Puts an address where a document has none.
    pub fn put_missing(&mut self, num_docs: usize, missing: u128) {
        let known: Vec<(u32, u128)> = self.positions.drain(..).zip(self.values.drain(..)).collect();
        let mut known = known.into_iter().peekable();
        for position in 0..u32::try_from(num_docs).unwrap_or(u32::MAX) {
            let mut found = false;
            while let Some((at, value)) = known.next_if(|(at, _)| *at == position) {
                found = true;
                self.positions.push(at);
                self.values.push(value);
            }
            if !found {
                self.positions.push(position);
                self.values.push(missing);
            }
        }
    }
}
