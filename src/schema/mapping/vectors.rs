//! `dense_vector` and `semantic_text`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Properties;
use crate::schema::settings::one_or_many;

/// `dense_vector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseVectorMapping {
    /// Numbers a vector, 1..=4096; taken from the first document when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dims: Option<usize>,
    /// `float` (32 bits), `half_float` (16 bits; Bifocal's addition) or `byte`.
    #[serde(skip_serializing_if = "ElementType::is_default")]
    pub element_type: ElementType,
    /// Whether a `knn` search may use it; true when absent. A script reads it in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<bool>,
    /// How near two vectors are; `cosine` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<VectorSimilarity>,
    /// How the vectors are searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_options: Option<VectorIndexOptions>,
    /// Notes of the user's; kept, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<BTreeMap<String, String>>,
}

/// `similarity` of vectors. Scores are Elasticsearch's: `(1 + cos) / 2`, `(1 + dot) / 2`, `1 / (1 + distance^2)`, and for the
/// maximum inner product `x + 1` from 0 on, `1 / (1 - x)` below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorSimilarity {
    /// Cosine of the angle.
    #[default]
    Cosine,
    /// Dot product of vectors of length 1.
    DotProduct,
    /// Euclidean distance.
    L2Norm,
    /// Dot product of vectors of any length.
    MaxInnerProduct,
}

/// `element_type` of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElementType {
    /// 32-bit floating point.
    #[default]
    Float,
    /// 16-bit floating point; Bifocal's addition.
    HalfFloat,
    /// 8-bit whole numbers, -128..127.
    Byte,
}

impl ElementType {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::Float
    }
}

/// `index_options` of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VectorIndexOptions {
    /// The kind of index.
    #[serde(rename = "type")]
    pub kind: VectorIndexKind,
    /// Neighbours a node of the HNSW graph, 2..=512; 16 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m: Option<usize>,
    /// Candidates that are tried when a node is added, 1..=3200; 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<usize>,
    /// Accepted, without effect: the codes keep their error, so that nothing has to be cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_interval: Option<f32>,
}

impl VectorIndexOptions {
    /// `m` when absent.
    pub const DEFAULT_M: usize = 16;
}

/// `index_options.type` of vectors. In each kind, small segments are scanned exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorIndexKind {
    /// HNSW over full vectors.
    Hnsw,
    /// HNSW over 8-bit copies, re-scored from the full vectors.
    #[default]
    Int8Hnsw,
    /// Every vector is compared.
    Flat,
    /// Every 8-bit copy is compared; what can be among the best is re-scored, so that the answer is exact.
    Int8Flat,
}

/// `semantic_text`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SemanticTextMapping {
    /// The bi-encoder: a name of `bifocal models list`, a folder, or a repository of the hub; the default model when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_id: Option<String>,
    /// How texts become passages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunking_settings: Option<crate::schema::ChunkingSettings>,
    /// How the vectors are searched: `{"dense_vector": {"type": ..}}`, or what stands inside alone.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_semantic_index",
        deserialize_with = "read_semantic_index"
    )]
    #[schemars(with = "Option<SemanticIndexOptions>")]
    pub index_options: Option<VectorIndexOptions>,
    /// How the vectors are kept: `float` or `half_float` (Bifocal's addition).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element_type: Option<ElementType>,
    /// Fields whose texts are embedded as if this field had them, in this order (Bifocal's addition; the reverse of `copy_to`).
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub copy_from: Vec<String>,
    /// Fields whose text (a title) is put before each passage when it is embedded (Bifocal's addition).
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub context_from: Vec<String>,
    /// Notes of the user's; kept, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<BTreeMap<String, String>>,
    /// The same texts under other types.
    #[serde(skip_serializing_if = "no_fields")]
    pub fields: Properties,
}

fn no_fields(properties: &Properties) -> bool {
    properties.is_empty()
}

/// The two forms of a semantic field's `index_options`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON schema is wanted")]
enum SemanticIndexOptions {
    /// Elasticsearch's.
    OfVectors {
        /// As those of `dense_vector`.
        dense_vector: VectorIndexOptions,
    },
    /// Those of `dense_vector` themselves.
    Plain(VectorIndexOptions),
}

fn read_semantic_index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VectorIndexOptions>, D::Error> {
    let Some(mut written) = Option::<serde_json::Value>::deserialize(deserializer)? else { return Ok(None) };
    let inner = written.as_object_mut().filter(|members| members.len() == 1).and_then(|one| one.remove("dense_vector"));
    serde_json::from_value(inner.unwrap_or(written)).map(Some).map_err(serde::de::Error::custom)
}

#[expect(clippy::ref_option, reason = "serde's serialize_with passes a reference")]
fn write_semantic_index<S: Serializer>(options: &Option<VectorIndexOptions>, serializer: S) -> Result<S::Ok, S::Error> {
    BTreeMap::from([("dense_vector", options)]).serialize(serializer)
}
