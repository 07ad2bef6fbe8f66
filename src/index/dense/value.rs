//! The value of a vector field in a document: one or several vectors, with the passages they stand for.
//!
//! Layout of the bytes (little-endian): version `u8` = 1, flags `u8` (bit 0: spans follow), `u16` = 0, number of vectors `u32`,
//! dimensions `u32`, then the spans (three `u32` each: value, start, end), then the numbers as `f32`, one vector after another.
#![deny(clippy::indexing_slicing)]

use super::params::{Element, Similarity, VectorFieldParams};
use crate::document::PassageSpan;
use crate::error::{Error, Result};

const VERSION: u8 = 1;
const HAS_SPANS: u8 = 1;
const HEADER_BYTES: usize = 12;
/// Squared lengths stay below this, so that no dot product and no squared distance of two vectors overflows.
const MAX_SQUARED_NORM: f64 = f32::MAX as f64 / 8.0;
/// How far the squared length of a `dot_product` vector may be from 1, as in Elasticsearch.
const UNIT_TOLERANCE: f64 = 1e-4;

/// The vectors of one document and field.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorValue {
    /// Shape `[n, dims]`, row-major, as the user or the model gave them (not normalised).
    pub vectors: Vec<f32>,
    /// Numbers a vector.
    pub dims: usize,
    /// The passage each vector stands for, one a vector; `None` when the vectors were given without text.
    pub spans: Option<Vec<PassageSpan>>,
}

impl VectorValue {
    /// A single vector without a passage.
    pub fn single(vector: Vec<f32>) -> Self {
        Self { dims: vector.len(), vectors: vector, spans: None }
    }

    /// How many vectors there are.
    pub fn num_vectors(&self) -> usize {
        self.vectors.len().checked_div(self.dims).unwrap_or(0)
    }

    /// Checks the vectors against the field and encodes them for `TantivyDocument::add_custom`.
    ///
    /// # Errors
    /// `InvalidInput` for: no vector, several where the field holds one, another number of dimensions, NaN or infinity, a
    /// length that overflows, a zero vector with `cosine`, a length other than 1 with `dot_product`, or a number of
    /// spans that differs from the number of vectors.
    pub fn encode(&self, params: &VectorFieldParams) -> Result<Vec<u8>> {
        self.check(params)?;
        let spans = self.spans.as_deref().unwrap_or(&[]);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + spans.len() * 12 + self.vectors.len() * 4);
        bytes.extend([VERSION, if self.spans.is_some() { HAS_SPANS } else { 0 }, 0, 0]);
        bytes.extend(to_u32(self.num_vectors())?.to_le_bytes());
        bytes.extend(to_u32(self.dims)?.to_le_bytes());
        for span in spans {
            for part in [span.value_idx, span.start, span.end] {
                bytes.extend(part.to_le_bytes());
            }
        }
        for number in &self.vectors {
            bytes.extend(number.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Reads what [`VectorValue::encode`] wrote.
    ///
    /// # Errors
    /// `InvalidInput` when the bytes are not a vector value.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::try_decode(bytes).ok_or_else(|| Error::invalid_input("the bytes given are not an encoded vector value"))
    }

    fn try_decode(bytes: &[u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [version, flags, 0, 0, n0, n1, n2, n3, d0, d1, d2, d3] = *header else { return None };
        if version != VERSION || flags & !HAS_SPANS != 0 {
            return None;
        }
        let num_vectors = u32::from_le_bytes([n0, n1, n2, n3]) as usize;
        let dims = u32::from_le_bytes([d0, d1, d2, d3]) as usize;
        let spans = if flags & HAS_SPANS != 0 {
            let (spans, after) = rest.split_at_checked(num_vectors.checked_mul(12)?)?;
            rest = after;
            let (words, _) = spans.as_chunks::<4>();
            let (triples, _) = words.as_chunks::<3>();
            let read = |triple: &[[u8; 4]; 3]| {
                let [value_idx, start, end] = triple.map(u32::from_le_bytes);
                PassageSpan { value_idx, start, end }
            };
            Some(triples.iter().map(read).collect())
        } else {
            None
        };
        if num_vectors.checked_mul(dims)?.checked_mul(4)? != rest.len() {
            return None;
        }
        let (words, _) = rest.as_chunks::<4>();
        Some(Self { vectors: words.iter().map(|word| f32::from_le_bytes(*word)).collect(), dims, spans })
    }

    /// See [`VectorValue::encode`].
    pub(crate) fn check(&self, params: &VectorFieldParams) -> Result<()> {
        if self.dims != params.dims {
            let (got, want) = (self.dims, params.dims);
            return Err(Error::invalid_input(format!(
                "the vector has {got} dimensions, the field is mapped with {want}"
            )));
        }
        if self.vectors.is_empty() || !self.vectors.len().is_multiple_of(self.dims) {
            let (numbers, dims) = (self.vectors.len(), self.dims);
            return Err(Error::invalid_input(format!("{numbers} numbers are not one or more vectors of {dims}")));
        }
        let num_vectors = self.num_vectors();
        if num_vectors > 1 && !params.multi {
            return Err(Error::invalid_input(format!("{num_vectors} vectors given, the field holds one a document")));
        }
        if let Some(spans) = &self.spans
            && spans.len() != num_vectors
        {
            return Err(Error::invalid_input(format!("{num_vectors} vectors came with {} passages", spans.len())));
        }
        self.vectors
            .chunks_exact(self.dims)
            .try_for_each(|vector| check_vector(vector, params.similarity, params.element))
    }
}

/// Checks a single vector, of a document or of a query.
pub(crate) fn check_vector(vector: &[f32], similarity: Similarity, element: Element) -> Result<()> {
    if let Some(place) = vector.iter().position(|number| !number.is_finite()) {
        return Err(Error::invalid_input(format!("number {} of the vector is NaN or infinite", place + 1)));
    }
    let squared: f64 = vector.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
    if squared > MAX_SQUARED_NORM {
        return Err(Error::invalid_input("the vector is too long: its squared length overflows a 32-bit float"));
    }
    match similarity {
        Similarity::Cosine if squared == 0.0 => {
            return Err(Error::invalid_input(
                "the cosine similarity does not support vectors with zero magnitude; leave the field out, or map it l2_norm",
            ));
        }
        Similarity::DotProduct if (squared - 1.0).abs() > UNIT_TOLERANCE => {
            return Err(Error::invalid_input(format!(
                "the dot_product similarity needs unit-length vectors, this one has length {:.4}; normalise it, or map the \
                 field cosine or max_inner_product",
                squared.sqrt()
            )));
        }
        Similarity::Cosine | Similarity::DotProduct | Similarity::L2Norm | Similarity::MaxInnerProduct => {}
    }
    let largest_f16 = f32::from(half::f16::MAX);
    if element == Element::F16
        && similarity != Similarity::Cosine
        && vector.iter().any(|number| number.abs() > largest_f16)
    {
        return Err(Error::invalid_input(
            "a number of the vector is too large for 16-bit floats; map the field with f32",
        ));
    }
    Ok(())
}

/// Scales a vector to length 1; zero vectors stay as they are.
pub(crate) fn normalize(vector: &mut [f32]) {
    let squared: f64 = vector.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
    if squared > 0.0 {
        let scale = squared.sqrt().recip();
        for number in vector {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is wanted")]
            let scaled = (f64::from(*number) * scale) as f32;
            *number = scaled;
        }
    }
}

fn to_u32(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::invalid_input("a document cannot have more than 4 billion vectors"))
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may panic, their numbers are small"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    proptest! {
        #[test]
        fn encoding_is_reversible(dims in 1usize..5, num in 1usize..4, with_spans: bool, seed in prop::collection::vec(-3.0f32..3.0, 20)) {
            let vectors = seed[..dims * num].iter().map(|x| x + 10.0).collect();
            let spans = with_spans.then(|| (0..num as u32).map(|i| PassageSpan { value_idx: i, start: 3, end: 9 }).collect());
            let value = VectorValue { vectors, dims, spans };
            let params = VectorFieldParams { multi: true, ..VectorFieldParams::new(dims) };
            prop_assert_eq!(VectorValue::decode(&value.encode(&params).unwrap()).unwrap(), value);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = VectorValue::decode(&bytes);
            let mut headed = vec![1u8, bytes.len() as u8 & 1, 0, 0];
            headed.extend(bytes);
            let _ = VectorValue::decode(&headed);
        }
    }

    #[test]
    fn bad_vectors_are_refused() {
        let refuse = |vector: Vec<f32>, similarity| {
            let params = VectorFieldParams { similarity, ..VectorFieldParams::new(2) };
            let error = VectorValue::single(vector).encode(&params).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            error.to_string()
        };
        assert!(refuse(vec![1.0], Similarity::Cosine).contains("1 dimensions"));
        assert!(refuse(vec![f32::NAN, 1.0], Similarity::Cosine).contains("NaN"));
        assert!(refuse(vec![1.0, f32::INFINITY], Similarity::L2Norm).contains("number 2"));
        assert!(refuse(vec![0.0, 0.0], Similarity::Cosine).contains("zero magnitude"));
        assert!(refuse(vec![1.0, 1.0], Similarity::DotProduct).contains("unit-length"));
        assert!(refuse(vec![1e30, 0.0], Similarity::MaxInnerProduct).contains("too long"));
        let two = VectorValue { vectors: vec![1.0; 4], dims: 2, spans: None };
        assert!(two.encode(&VectorFieldParams::new(2)).unwrap_err().to_string().contains("holds one"));
    }
}
