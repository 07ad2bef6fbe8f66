//! What a vector field is: its dimensions, its similarity, how its vectors are stored and found.
//!
//! The parameters lie as JSON in the Tantivy schema (the custom field's `params`) and, per segment, in the directory of the
//! `vec` file, so that a segment stays readable when a later mapping chooses another storage.

use serde::{Deserialize, Serialize};
use tantivy::schema::{Field, FieldType, Schema, SchemaBuilder};

use crate::error::{Error, Result};

/// The type name of Tantivy custom fields that hold vectors.
pub const VECTOR_FIELD_TYPE: &str = "bifocal_vector";

/// The most dimensions a vector may have, as in Elasticsearch 8.11 and later.
pub const MAX_DIMS: usize = 4096;

/// The parameters of one vector field.
///
/// # Stability
/// Stored as JSON in the index's schema and in every segment's `vec` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFieldParams {
    /// Numbers a vector, 1 to [`MAX_DIMS`].
    pub dims: usize,
    /// What closeness means.
    #[serde(default)]
    pub similarity: Similarity,
    /// How the vectors are stored; also what scores are computed from.
    #[serde(default)]
    pub element: Element,
    /// Keep an int8 copy beside f32 or f16 vectors: scans read a quarter (half) of the memory, and scores still come from
    /// the finer copy, so that the result is the same. No effect with [`Element::Int8`], which is scanned as it is.
    #[serde(default = "yes")]
    pub quantized: bool,
    /// Whether segments that are large enough get a graph.
    #[serde(default)]
    pub index: IndexKind,
    /// A document may hold several vectors (passages); its score is that of its best.
    #[serde(default)]
    pub multi: bool,
}

fn yes() -> bool {
    true
}

/// What closeness of two vectors means. Larger similarity is closer, also for `l2_norm`, whose similarity is minus the distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The cosine of the angle; vectors are normalised when written, zero vectors are refused.
    #[default]
    Cosine,
    /// The dot product of vectors that must have unit length.
    DotProduct,
    /// Euclidean distance.
    L2Norm,
    /// The dot product of vectors of any length.
    MaxInnerProduct,
}

/// The type that a vector's numbers are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// 32-bit floats: 4 bytes a dimension.
    #[default]
    F32,
    /// 16-bit floats: 2 bytes a dimension, relative error at most 2^-11.
    F16,
    /// 8-bit integers times one scale a vector: 1 byte a dimension. Whole numbers of 8 bits are kept as they are (of cosine: their
    /// directions); others with an error of at most max|x| / 254 a dimension.
    Int8,
}

/// How the vectors of a segment are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// Always exact: every vector is looked at.
    #[default]
    Flat,
    /// A graph for segments of at least [`HNSW_MIN_VECTORS`](super::HNSW_MIN_VECTORS) vectors; smaller ones are scanned.
    Hnsw {
        /// Links a node on the upper levels, twice as many on the lowest; 2 to 128, 16 is usual.
        m: usize,
        /// Candidates weighed when a node is linked; 10 to 2000, 100 is usual.
        ef_construction: usize,
    },
}

impl IndexKind {
    /// Elasticsearch's default graph: `m` 16, `ef_construction` 100.
    pub const HNSW_DEFAULT: IndexKind = IndexKind::Hnsw { m: 16, ef_construction: 100 };
}

impl VectorFieldParams {
    /// Cosine, f32 with an int8 copy, one vector a document, no graph.
    pub fn new(dims: usize) -> Self {
        Self {
            dims,
            similarity: Similarity::default(),
            element: Element::default(),
            quantized: true,
            index: IndexKind::default(),
            multi: false,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// `InvalidInput` when `dims`, `m` or `ef_construction` is out of range.
    pub fn validate(&self) -> Result<()> {
        if self.dims == 0 || self.dims > MAX_DIMS {
            return Err(Error::invalid_input(format!("dims is {}, expected 1 to {MAX_DIMS}", self.dims)));
        }
        if let IndexKind::Hnsw { m, ef_construction } = self.index {
            if !(2..=128).contains(&m) {
                return Err(Error::invalid_input(format!("m is {m}, expected 2 to 128")));
            }
            if !(10..=2000).contains(&ef_construction) {
                return Err(Error::invalid_input(format!("ef_construction is {ef_construction}, expected 10 to 2000")));
            }
        }
        Ok(())
    }

    /// Adds a vector field with these parameters to a Tantivy schema.
    ///
    /// # Errors
    /// As [`VectorFieldParams::validate`].
    pub fn add_to(&self, schema: &mut SchemaBuilder, name: &str) -> Result<Field> {
        self.validate().map_err(|error| error.in_field(name))?;
        let params = serde_json::to_value(self)
            .map_err(|source| Error::internal("vector field parameters as JSON").with_source(source))?;
        Ok(schema.add_custom_field(name, VECTOR_FIELD_TYPE, params))
    }

    /// The vector fields of a schema, in its order.
    ///
    /// # Errors
    /// `Corrupt` when a vector field's parameters cannot be read.
    pub fn fields_of(schema: &Schema) -> Result<Vec<(Field, String, VectorFieldParams)>> {
        let mut fields = Vec::new();
        for (field, entry) in schema.fields() {
            let FieldType::Custom(options) = entry.field_type() else { continue };
            if options.type_name() != VECTOR_FIELD_TYPE {
                continue;
            }
            let params: VectorFieldParams = serde_json::from_value(options.params().clone()).map_err(|source| {
                Error::corrupt("the parameters of a vector field in the schema are damaged; index again")
                    .in_field(entry.name())
                    .with_source(source)
            })?;
            params.validate().map_err(|error| Error::corrupt(error.message()).in_field(entry.name()))?;
            fields.push((field, entry.name().to_string(), params));
        }
        Ok(fields)
    }

    /// Whether a coarse int8 form of the vectors is stored beside a finer one.
    pub(crate) fn has_codes(&self) -> bool {
        self.quantized && self.element != Element::Int8
    }
}

impl Similarity {
    /// Turns the key that ranks inside this module (a dot product, or minus the squared distance) into the similarity:
    /// cosine in [-1, 1], a dot product, or minus the Euclidean distance.
    pub(crate) fn of_key(self, key: f32) -> f32 {
        match self {
            Similarity::Cosine => key.clamp(-1.0, 1.0),
            Similarity::DotProduct | Similarity::MaxInnerProduct => key,
            Similarity::L2Norm => -(-key).max(0.0).sqrt(),
        }
    }

    /// The least key whose similarity is at least `similarity`, up to rounding: for skipping, not for deciding.
    pub(crate) fn to_key(self, similarity: f32) -> f32 {
        match self {
            Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => similarity,
            Similarity::L2Norm => -(similarity * similarity),
        }
    }

    /// Elasticsearch's `_score` of a similarity: always positive, larger is closer.
    ///
    /// `cosine` and `dot_product`: (1 + s) / 2. `l2_norm`: 1 / (1 + s^2), where s is minus the distance.
    /// `max_inner_product`: 1 / (1 - s) below zero, s + 1 from there on.
    ///
    /// Source: <https://www.elastic.co/guide/en/elasticsearch/reference/8.17/dense-vector.html#dense-vector-similarity>
    pub fn score(self, similarity: f32) -> f32 {
        match self {
            Similarity::Cosine | Similarity::DotProduct => ((1.0 + similarity) / 2.0).max(0.0),
            Similarity::L2Norm => 1.0 / (1.0 + similarity * similarity),
            Similarity::MaxInnerProduct if similarity < 0.0 => 1.0 / (1.0 - similarity),
            Similarity::MaxInnerProduct => similarity + 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_elasticsearchs() {
        assert_eq!(Similarity::Cosine.score(0.5), 0.75);
        assert_eq!(Similarity::DotProduct.score(-1.0), 0.0);
        assert_eq!(Similarity::L2Norm.score(-2.0), 0.2);
        assert_eq!(Similarity::MaxInnerProduct.score(-3.0), 0.25);
        assert_eq!(Similarity::MaxInnerProduct.score(3.0), 4.0);
    }

    #[test]
    fn parameters_survive_the_schema_and_defaults_are_filled() {
        let params = VectorFieldParams { index: IndexKind::HNSW_DEFAULT, multi: true, ..VectorFieldParams::new(3) };
        let mut schema = Schema::builder();
        params.add_to(&mut schema, "v").unwrap();
        let schema = schema.build();
        assert_eq!(VectorFieldParams::fields_of(&schema).unwrap()[0].2, params);
        let least: VectorFieldParams = serde_json::from_str(r#"{"dims": 3}"#).unwrap();
        assert_eq!(least, VectorFieldParams::new(3));
    }

    #[test]
    fn ranges_are_checked() {
        assert!(VectorFieldParams::new(0).validate().is_err());
        assert!(VectorFieldParams::new(4097).validate().is_err());
        let index = IndexKind::Hnsw { m: 1, ef_construction: 100 };
        assert!(VectorFieldParams { index, ..VectorFieldParams::new(3) }.validate().is_err());
    }
}
