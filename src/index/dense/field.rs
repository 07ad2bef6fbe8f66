//! One field's vectors in one segment: mapped sections, exact keys and coarse bounds.

use tantivy::DocId;

use super::bytes::{Numbers, as_bytes};
use super::distance::{Kernels, kernels, prefetch};
use super::format::{Container, FieldEntry};
use super::params::{Element, Similarity, VectorFieldParams};
use super::quantize::PreparedQuery;
use crate::document::PassageSpan;
use crate::error::Result;

/// The stored form of a missing span.
pub(crate) const NO_SPAN: [u32; 3] = [u32::MAX; 3];

/// A field's vectors in a segment. A vector is named by its **ordinal**: its place in the segment, in the order of documents.
#[derive(Debug)]
pub(crate) struct FieldVectors {
    pub(crate) name: String,
    pub(crate) params: VectorFieldParams,
    docs: Numbers<u32>,
    spans: Option<Numbers<u32>>,
    fine: Fine,
    codes: Option<Numbers<i8>>,
    scales: Option<Numbers<f32>>,
    errors: Option<Numbers<f32>>,
    norms: Numbers<f32>,
}

/// The finest copy, which scores are computed from.
#[derive(Debug)]
enum Fine {
    F32(Numbers<f32>),
    F16(Numbers<u16>),
    /// Codes, to be multiplied by the field's scales.
    Int8(Numbers<i8>),
}

/// Int8 codes of all vectors, with what their bounds need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coarse<'a> {
    /// Rows of `dims`.
    pub(crate) codes: &'a [i8],
    pub(crate) scales: &'a [f32],
    /// `None` when the codes are the finest copy: no error.
    pub(crate) errors: Option<&'a [f32]>,
    pub(crate) norms: &'a [f32],
    pub(crate) dims: usize,
}

/// A row of the finest copy, as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
    Int8 { codes: &'a [i8], scale: f32 },
}

impl FieldVectors {
    /// Maps a field's sections and checks what a search indexes with.
    pub(crate) fn open(container: &Container, entry: FieldEntry, max_doc: u32) -> Result<Self> {
        entry.params.validate().map_err(|_| container.corrupt("has parameters out of range"))?;
        let rows = entry.num_vectors as usize;
        let dims = entry.params.dims;
        let numbers = rows.checked_mul(dims).ok_or_else(|| container.corrupt("has too many vectors"))?;
        let docs: Numbers<u32> = container.numbers(entry.docs, rows)?;
        if !docs.as_slice().is_sorted() || docs.as_slice().last().is_some_and(|&doc| doc >= max_doc) {
            return Err(container.corrupt("has document numbers out of order or range"));
        }
        let fine = match entry.params.element {
            Element::F32 => Fine::F32(container.numbers(entry.vectors, numbers)?),
            Element::F16 => Fine::F16(container.numbers(entry.vectors, numbers)?),
            Element::Int8 => Fine::Int8(container.numbers(entry.vectors, numbers)?),
        };
        let floats = |section| -> Result<Option<Numbers<f32>>> {
            Option::map(section, |section| container.numbers(section, rows)).transpose()
        };
        let field = Self {
            spans: entry.spans.map(|section| container.numbers(section, rows * 3)).transpose()?,
            codes: entry.codes.map(|section| container.numbers(section, numbers)).transpose()?,
            scales: floats(entry.scales)?,
            errors: floats(entry.errors)?,
            norms: container.numbers(entry.norms, rows)?,
            name: entry.name,
            params: entry.params,
            docs,
            fine,
        };
        let needs_scales = field.codes.is_some() || field.params.element == Element::Int8;
        if field.codes.is_some() != field.params.has_codes()
            || field.scales.is_some() != needs_scales
            || field.errors.is_some() != field.codes.is_some()
        {
            return Err(container.corrupt("lacks a section that its parameters promise"));
        }
        Ok(field)
    }

    /// How many vectors there are, those of deleted documents included.
    pub(crate) fn len(&self) -> usize {
        self.docs.as_slice().len()
    }

    /// The document of every vector, ascending.
    #[inline]
    pub(crate) fn docs(&self) -> &[u32] {
        self.docs.as_slice()
    }

    /// The ordinals of a document's vectors.
    pub(crate) fn ordinals(&self, doc: DocId) -> std::ops::Range<usize> {
        let docs = self.docs();
        docs.partition_point(|&other| other < doc)..docs.partition_point(|&other| other <= doc)
    }

    /// The passage of a vector.
    pub(crate) fn span(&self, ordinal: usize) -> Option<PassageSpan> {
        let span = *self.spans.as_ref()?.as_slice().as_chunks::<3>().0.get(ordinal)?;
        let [value_idx, start, end] = span;
        (span != NO_SPAN).then_some(PassageSpan { value_idx, start, end })
    }

    /// A vector as stored.
    #[inline]
    pub(crate) fn row(&self, ordinal: usize) -> Row<'_> {
        let dims = self.params.dims;
        let range = ordinal * dims..(ordinal + 1) * dims;
        match &self.fine {
            Fine::F32(numbers) => Row::F32(&numbers.as_slice()[range]),
            Fine::F16(numbers) => Row::F16(&numbers.as_slice()[range]),
            Fine::Int8(numbers) => {
                let scale = self.scales.as_ref().map_or(0.0, |scales| scales.as_slice()[ordinal]);
                Row::Int8 { codes: &numbers.as_slice()[range], scale }
            }
        }
    }

    /// Asks for a row of the finest copy, which [`FieldVectors::key`] will soon read.
    #[inline]
    pub(crate) fn prefetch(&self, ordinal: usize) {
        match self.row(ordinal) {
            Row::F32(row) => prefetch(as_bytes(row)),
            Row::F16(row) => prefetch(as_bytes(row)),
            Row::Int8 { codes, .. } => prefetch(as_bytes(codes)),
        }
    }

    /// The stored codes of a vector with scale and error norm, when there is a coarse copy.
    pub(crate) fn code_row(&self, ordinal: usize) -> Option<(&[i8], f32, f32)> {
        let dims = self.params.dims;
        let codes = self.codes.as_ref()?.as_slice().get(ordinal * dims..(ordinal + 1) * dims)?;
        Some((codes, *self.scales.as_ref()?.as_slice().get(ordinal)?, *self.errors.as_ref()?.as_slice().get(ordinal)?))
    }

    /// The vector as numbers, normalised when the similarity is cosine.
    pub(crate) fn decode(&self, ordinal: usize, into: &mut Vec<f32>) {
        into.clear();
        match self.row(ordinal) {
            Row::F32(row) => into.extend_from_slice(row),
            Row::F16(row) => into.extend(row.iter().map(|&bits| half::f16::from_bits(bits).to_f32())),
            Row::Int8 { codes, scale } => into.extend(codes.iter().map(|&code| scale * f32::from(code))),
        }
    }

    /// Lengths of the vectors as stored, rounded up.
    pub(crate) fn norms(&self) -> &[f32] {
        self.norms.as_slice()
    }

    /// The coarse form to scan, when there is one.
    pub(crate) fn coarse(&self) -> Option<Coarse<'_>> {
        let scales = self.scales.as_ref()?.as_slice();
        let codes = match (&self.codes, &self.fine) {
            (Some(codes), _) | (None, Fine::Int8(codes)) => codes.as_slice(),
            (None, Fine::F32(_) | Fine::F16(_)) => return None,
        };
        let errors = self.errors.as_ref().map(Numbers::as_slice);
        Some(Coarse { codes, scales, errors, norms: self.norms(), dims: self.params.dims })
    }

    /// The key that ranks, from the finest copy: a dot product, or minus the squared distance. Larger is closer.
    #[inline]
    pub(crate) fn key(&self, query: &PreparedQuery, ordinal: usize) -> f32 {
        row_key(kernels(), self.params.similarity, &query.values, self.row(ordinal))
    }
}

/// See [`FieldVectors::key`].
#[inline]
pub(crate) fn row_key(kernels: &Kernels, similarity: Similarity, query: &[f32], row: Row<'_>) -> f32 {
    match (similarity, row) {
        (Similarity::L2Norm, Row::F32(row)) => -(kernels.l2_f32)(query, row),
        (Similarity::L2Norm, Row::F16(row)) => -(kernels.l2_f16)(query, row),
        (Similarity::L2Norm, Row::Int8 { codes, scale }) => -(kernels.l2_f32_i8)(query, codes, scale),
        (Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct, row) => match row {
            Row::F32(row) => (kernels.dot_f32)(query, row),
            Row::F16(row) => (kernels.dot_f16)(query, row),
            Row::Int8 { codes, scale } => scale * (kernels.dot_f32_i8)(query, codes),
        },
    }
}
