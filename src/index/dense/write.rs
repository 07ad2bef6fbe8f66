//! Writing a `vec` file, from new vectors or from those of the segments that are merged.
//!
//! Vectors are streamed row by row, so that a merge holds only a few numbers a vector in memory. Rows whose storage does not
//! change are copied bit by bit; others (the mapping chose another `element` since) are decoded and encoded anew.

use std::io::{self, Write};

use super::bytes::as_bytes;
use super::field::{FieldVectors, NO_SPAN, Row};
use super::format::{ContainerWriter, FieldEntry, Layout, Section, VEC_MAGIC, VecDirectory};
use super::params::{Element, Similarity, VectorFieldParams};
use super::quantize::{norm_up, quantize};
use super::value::normalize;

/// One field's vectors on their way to disk.
#[derive(Debug)]
pub(crate) struct FieldToWrite<'a> {
    pub(crate) name: String,
    pub(crate) params: VectorFieldParams,
    /// The document of each vector, ascending.
    pub(crate) docs: Vec<u32>,
    /// The passage of each vector, or [`NO_SPAN`]; as long as `docs`.
    pub(crate) spans: Vec<[u32; 3]>,
    /// Where the vectors come from, in order; together as many as `docs`.
    pub(crate) parts: Vec<Part<'a>>,
}

/// Vectors of one origin.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    /// New ones, rows of `dims`, normalised for cosine.
    New(&'a [f32]),
    /// Those of a segment with these ordinals.
    Stored { field: &'a FieldVectors, ordinals: Vec<u32> },
}

/// A row on its way.
#[derive(Clone, Copy)]
enum Source<'a> {
    New(&'a [f32]),
    Stored(&'a FieldVectors, usize),
}

/// Writes a whole `vec` file.
pub(crate) fn write_vec_file(out: &mut dyn Write, max_doc: u32, fields: &[FieldToWrite<'_>]) -> io::Result<()> {
    let mut layout = Layout::default();
    let entries = fields.iter().map(|field| place(field, &mut layout)).collect::<io::Result<Vec<_>>>()?;
    let directory = VecDirectory { max_doc, fields: entries };
    let mut writer = ContainerWriter::new(out, VEC_MAGIC, &directory, &layout)?;
    for (field, entry) in fields.iter().zip(&directory.fields) {
        field.write(entry, &mut writer)?;
    }
    writer.finish(&layout)
}

fn place(field: &FieldToWrite<'_>, layout: &mut Layout) -> io::Result<FieldEntry> {
    let rows = field.docs.len();
    let dims = field.params.dims;
    let int8 = field.params.element == Element::Int8;
    let codes = field.params.has_codes();
    let bytes = match field.params.element {
        Element::F32 => 4,
        Element::F16 => 2,
        Element::Int8 => 1,
    };
    Ok(FieldEntry {
        name: field.name.clone(),
        params: field.params.clone(),
        num_vectors: u32::try_from(rows).map_err(|_| io::Error::other("a segment has over 4 billion vectors"))?,
        docs: layout.section(rows, 4),
        spans: field.spans.iter().any(|span| *span != NO_SPAN).then(|| layout.section(rows, 12)),
        vectors: layout.section(rows, dims * bytes),
        codes: codes.then(|| layout.section(rows, dims)),
        scales: (codes || int8).then(|| layout.section(rows, 4)),
        errors: codes.then(|| layout.section(rows, 4)),
        norms: layout.section(rows, 4),
    })
}

/// What is gathered while the rows go by: one number a vector each.
#[derive(Default)]
struct Gathered {
    scales: Vec<f32>,
    errors: Vec<f32>,
    norms: Vec<f32>,
}

impl FieldToWrite<'_> {
    fn write(&self, entry: &FieldEntry, writer: &mut ContainerWriter<'_>) -> io::Result<()> {
        writer.numbers(entry.docs, &self.docs)?;
        if let Some(section) = entry.spans {
            writer.numbers(section, self.spans.as_flattened())?;
        }
        let mut gathered = Gathered::default();
        self.write_vectors(entry.vectors, writer, &mut gathered)?;
        if let Some(section) = entry.codes {
            self.write_codes(section, writer, &mut gathered)?;
        }
        if let Some(section) = entry.scales {
            writer.numbers(section, &gathered.scales)?;
        }
        if let Some(section) = entry.errors {
            writer.numbers(section, &gathered.errors)?;
        }
        writer.numbers(entry.norms, &gathered.norms)
    }

    fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let dims = self.params.dims;
        self.parts.iter().flat_map(move |part| {
            let (new, stored) = match part {
                Part::New(vectors) => (Some(vectors.chunks_exact(dims).map(Source::New)), None),
                Part::Stored { field, ordinals } => {
                    (None, Some(ordinals.iter().map(|&ordinal| Source::Stored(field, ordinal as usize))))
                }
            };
            new.into_iter().flatten().chain(stored.into_iter().flatten())
        })
    }

    fn write_vectors(&self, section: Section, out: &mut ContainerWriter<'_>, to: &mut Gathered) -> io::Result<()> {
        out.start(section)?;
        let (mut codes, mut values) = (Vec::new(), Vec::new());
        for source in self.sources() {
            if let Source::Stored(field, ordinal) = source
                && field.params.element == self.params.element
            {
                match field.row(ordinal) {
                    Row::F32(row) => out.write_all(as_bytes(row))?,
                    Row::F16(row) => out.write_all(as_bytes(row))?,
                    Row::Int8 { codes, scale } => {
                        out.write_all(as_bytes(codes))?;
                        to.scales.push(scale);
                    }
                }
                to.norms.push(field.norms()[ordinal]);
                continue;
            }
            source.decode(&mut values);
            match self.params.element {
                Element::F32 => out.write_all(as_bytes(&values))?,
                Element::F16 => {
                    let halves: Vec<u16> = values.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
                    out.write_all(as_bytes(&halves))?;
                    round_to_f16(&mut values);
                }
                Element::Int8 => {
                    let scale = bytes_of(&mut values, self.params.similarity, &mut codes);
                    out.write_all(as_bytes(&codes))?;
                    to.scales.push(scale);
                    values.clear();
                    values.extend(codes.iter().map(|&code| scale * f32::from(code)));
                }
            }
            to.norms.push(norm_up(&values));
        }
        Ok(())
    }

    fn write_codes(&self, section: Section, out: &mut ContainerWriter<'_>, to: &mut Gathered) -> io::Result<()> {
        out.start(section)?;
        let (mut codes, mut values) = (Vec::new(), Vec::new());
        for source in self.sources() {
            if let Source::Stored(field, ordinal) = source
                && field.params.element == self.params.element
                && let Some((codes, scale, error)) = field.code_row(ordinal)
            {
                out.write_all(as_bytes(codes))?;
                to.scales.push(scale);
                to.errors.push(error);
                continue;
            }
            source.decode(&mut values);
            if self.params.element == Element::F16 {
                round_to_f16(&mut values);
            }
            let quantized = quantize(&values, &mut codes);
            out.write_all(as_bytes(&codes))?;
            to.scales.push(quantized.scale);
            to.errors.push(quantized.error_norm);
        }
        Ok(())
    }
}

/// The codes and the scale of a vector of bytes: its own whole numbers, so that nothing is lost; for cosine the scale makes its length 1.
/// Others, of a field that had another `element` before, are rounded.
#[expect(clippy::cast_possible_truncation, reason = "the numbers are checked to be bytes")]
fn bytes_of(values: &mut [f32], similarity: Similarity, codes: &mut Vec<i8>) -> f32 {
    let is_byte = |number: &f32| number.fract() == 0.0 && (-128.0..=127.0).contains(number);
    if !values.iter().all(is_byte) {
        if similarity == Similarity::Cosine {
            normalize(values);
        }
        return quantize(values, codes).scale;
    }
    codes.clear();
    codes.extend(values.iter().map(|&number| number as i8));
    let squared: f64 = values.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
    if similarity == Similarity::Cosine && squared > 0.0 { squared.sqrt().recip() as f32 } else { 1.0 }
}

impl Source<'_> {
    fn decode(self, into: &mut Vec<f32>) {
        match self {
            Source::New(row) => {
                into.clear();
                into.extend_from_slice(row);
            }
            Source::Stored(field, ordinal) => field.decode(ordinal, into),
        }
    }
}

fn round_to_f16(values: &mut [f32]) {
    for value in values {
        *value = half::f16::from_f32(*value).to_f32();
    }
}
