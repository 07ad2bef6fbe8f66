//! `mappings`: the fields, one serde struct a type, with Elasticsearch's parameter names.

use std::ops::{Deref, DerefMut};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::settings::one_or_many;
use crate::error::{Error, Result};

/// Fields by name, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties(IndexMap<String, FieldMapping>);

impl Deref for Properties {
    type Target = IndexMap<String, FieldMapping>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Properties {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = (&'a String, &'a FieldMapping);
    type IntoIter = indexmap::map::Iter<'a, String, FieldMapping>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<(String, FieldMapping)> for Properties {
    fn from_iter<T: IntoIterator<Item = (String, FieldMapping)>>(fields: T) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Serialize for Properties {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let field = |(name, value)| serde_json::from_value(value).map(|field| (name, field));
        fields.into_iter().map(field).collect::<Result<_, _>>().map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Properties {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Properties".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, FieldMapping>::json_schema(generator)
    }
}

/// The mapping of an index.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mappings {
    /// What happens to a field that the mapping lacks.
    #[serde(default, skip_serializing_if = "Dynamic::is_default")]
    pub dynamic: Dynamic,
    /// The fields.
    #[serde(default)]
    pub properties: Properties,
    /// Notes of the user's; kept, without effect.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// What happens to a field that the mapping lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dynamic {
    /// It is added with a type taken from its value.
    #[default]
    True,
    /// It stays in `_source` and is not searchable.
    False,
    /// The document is refused.
    Strict,
}

impl Dynamic {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FieldMapping {
    /// Analysed text.
    Text(TextMapping),
    /// A value searched as a whole.
    Keyword(KeywordMapping),
    /// Whole number, -2^63..2^63-1.
    Long(NumberMapping),
    /// Whole number, -2^31..2^31-1.
    Integer(NumberMapping),
    /// Whole number, -32768..32767.
    Short(NumberMapping),
    /// Whole number, -128..127.
    Byte(NumberMapping),
    /// Whole number, 0..2^64-1.
    UnsignedLong(NumberMapping),
    /// 64-bit floating-point number.
    Double(NumberMapping),
    /// 32-bit floating-point number; stored as 64-bit.
    Float(NumberMapping),
    /// 16-bit floating-point number; stored as 64-bit.
    HalfFloat(NumberMapping),
    /// Floating-point number rounded to multiples of `1 / scaling_factor`.
    ScaledFloat(ScaledFloatMapping),
    /// `true` or `false`.
    Boolean(BooleanMapping),
    /// An instant, in milliseconds.
    Date(DateMapping),
    /// Fields inside a field.
    Object(ObjectMapping),
    /// Vectors that the user computes.
    DenseVector(DenseVectorMapping),
    /// Text that the engine cuts into passages and embeds.
    SemanticText(SemanticTextMapping),
}

/// `text`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextMapping {
    /// The analyzer of documents; `standard` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analyzer: Option<String>,
    /// The analyzer of queries; the one of documents when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_analyzer: Option<String>,
    /// Names a similarity of the settings (`k1`, `b`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<String>,
    /// Whether the field is searchable.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// The same value under other types or analyzers.
    #[serde(skip_serializing_if = "no_fields")]
    pub fields: Properties,
    /// Fields that get this field's values as well.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub copy_to: Vec<String>,
    /// Positions between two values of an array; 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_increment_gap: Option<u32>,
}

/// `keyword`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeywordMapping {
    /// Values with more characters are not indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_above: Option<u32>,
    /// Whether the field is searchable.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// Whether the field has a column, for ranges and sorting.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub doc_values: Option<bool>,
    /// The same value under other types or analyzers.
    #[serde(skip_serializing_if = "no_fields")]
    pub fields: Properties,
    /// Fields that get this field's values as well.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub copy_to: Vec<String>,
}

/// The whole and floating-point numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NumberMapping {
    /// Whether the field is searchable.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// Whether the field has a column, for ranges and sorting.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub doc_values: Option<bool>,
    /// Whether `"5"` and, for whole numbers, `5.7` are taken as 5; true when absent.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub coerce: Option<bool>,
    /// Whether a malformed value is left out instead of refusing the document.
    #[serde(skip_serializing_if = "is_none_or_false")]
    pub ignore_malformed: Option<bool>,
    /// The same value under other types.
    #[serde(skip_serializing_if = "no_fields")]
    pub fields: Properties,
}

/// `scaled_float`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaledFloatMapping {
    /// Values are rounded to multiples of `1 / scaling_factor`; > 0.
    pub scaling_factor: f64,
    /// Whether the field is searchable.
    #[serde(default, skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// Whether the field has a column, for ranges and sorting.
    #[serde(default, skip_serializing_if = "is_none_or_true")]
    pub doc_values: Option<bool>,
    /// Whether `"5"` is taken as 5; true when absent.
    #[serde(default, skip_serializing_if = "is_none_or_true")]
    pub coerce: Option<bool>,
    /// Whether a malformed value is left out instead of refusing the document.
    #[serde(default, skip_serializing_if = "is_none_or_false")]
    pub ignore_malformed: Option<bool>,
}

/// `boolean`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BooleanMapping {
    /// Whether the field is searchable.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// Whether the field has a column, for ranges and sorting.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub doc_values: Option<bool>,
}

/// `date`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DateMapping {
    /// Formats in order of trial, separated by `||`: `strict_date_optional_time`, `date_optional_time`, `epoch_millis`,
    /// `epoch_second`; `strict_date_optional_time||epoch_millis` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether the field is searchable.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
    /// Whether the field has a column, for ranges and sorting.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub doc_values: Option<bool>,
    /// Whether a malformed value is left out instead of refusing the document.
    #[serde(skip_serializing_if = "is_none_or_false")]
    pub ignore_malformed: Option<bool>,
}

/// `object`: its fields are indexed under dotted paths (`author.name`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectMapping {
    /// The fields.
    pub properties: Properties,
    /// What happens to a field that the mapping lacks; the outer level's rule when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
    /// `false` keeps the object in `_source` only.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub enabled: Option<bool>,
}

/// `dense_vector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseVectorMapping {
    /// Numbers a vector, 1..=4096.
    pub dims: usize,
    /// How near two vectors are; `cosine` when absent.
    pub similarity: VectorSimilarity,
    /// `float` (32 bits), `half_float` (16 bits; Bifocal's addition) or `byte`.
    pub element_type: ElementType,
    /// How the vectors are searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_options: Option<VectorIndexOptions>,
    /// Must be true: a vector that is not searchable stays in `_source` with `"dynamic": false`.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub index: Option<bool>,
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
    /// How the vectors are searched.
    #[serde(skip_serializing_if = "Option::is_none")]
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
}

fn no_fields(properties: &Properties) -> bool {
    properties.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_none_or_true(value: &Option<bool>) -> bool {
    value.unwrap_or(true)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_none_or_false(value: &Option<bool>) -> bool {
    !value.unwrap_or(false)
}

impl Mappings {
    /// Reads `mappings`.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) naming an unknown type or parameter,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a wrong value; both name the field by its path.
    pub fn from_value(value: &Value) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| Error::invalid_input("`mappings` must be an object"))?;
        let mut mappings = Self::default();
        for (key, value) in map {
            match key.as_str() {
                "dynamic" => mappings.dynamic = dynamic(value)?,
                "properties" => mappings.properties = properties("", value)?,
                "_meta" => mappings.meta = Some(value.clone()),
                "_source" if value.get("enabled").is_none_or(|enabled| enabled == &Value::Bool(true)) => {}
                other => {
                    return Err(Error::unsupported(format!(
                        "unknown part {other:?} of `mappings`; `properties`, `dynamic` and `_meta` are supported"
                    )));
                }
            }
        }
        Ok(mappings)
    }
}

fn dynamic(value: &Value) -> Result<Dynamic> {
    match value.as_str().map_or_else(|| value.to_string(), str::to_string).as_str() {
        "true" => Ok(Dynamic::True),
        "false" => Ok(Dynamic::False),
        "strict" => Ok(Dynamic::Strict),
        other => Err(Error::unsupported(format!("`dynamic` is {other:?}; true, false and strict are supported"))),
    }
}

fn properties(prefix: &str, value: &Value) -> Result<Properties> {
    let map = value.as_object().ok_or_else(|| Error::invalid_input("`properties` must be an object of fields"))?;
    let mut properties = Properties::default();
    for (name, body) in map {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if name.is_empty() || name.starts_with('_') {
            let error = Error::invalid_input("a field's name must not be empty nor begin with `_`");
            return Err(error.in_field(path));
        }
        properties.insert(name.clone(), field(&path, body)?);
    }
    Ok(properties)
}

fn field(path: &str, body: &Value) -> Result<FieldMapping> {
    let map = body.as_object().ok_or_else(|| Error::invalid_input("must be an object").in_field(path))?;
    let kind = match map.get("type") {
        Some(kind) => kind.as_str().ok_or_else(|| Error::invalid_input("`type` must be text").in_field(path))?,
        None if map.contains_key("properties") || map.is_empty() => "object",
        None => return Err(Error::invalid_input("has no `type`").in_field(path)),
    };
    if kind == "object" {
        return object(path, map);
    }
    let mut map = map.clone();
    map.insert("type".into(), Value::from(kind));
    let fields = map.remove("fields");
    for name in ["boost", "doc_values", "eager_global_ordinals", "store", "norms"] {
        if map.get(name).is_some_and(|value| harmless(kind, name, value)) {
            map.remove(name);
        }
    }
    let mut mapping: FieldMapping =
        serde_json::from_value(Value::Object(map)).map_err(|error| refuse(kind, &error).in_field(path))?;
    if let Some(fields) = fields {
        let multi_fields = properties(path, &fields)?;
        match &mut mapping {
            FieldMapping::Text(text) => text.fields = multi_fields,
            FieldMapping::Keyword(keyword) => keyword.fields = multi_fields,
            FieldMapping::Long(number)
            | FieldMapping::Integer(number)
            | FieldMapping::Short(number)
            | FieldMapping::Byte(number)
            | FieldMapping::UnsignedLong(number)
            | FieldMapping::Double(number)
            | FieldMapping::Float(number)
            | FieldMapping::HalfFloat(number) => number.fields = multi_fields,
            FieldMapping::ScaledFloat(_)
            | FieldMapping::Boolean(_)
            | FieldMapping::Date(_)
            | FieldMapping::Object(_)
            | FieldMapping::DenseVector(_)
            | FieldMapping::SemanticText(_) => {
                return Err(Error::unsupported(format!("multi-fields of a {kind} are not supported")).in_field(path));
            }
        }
    }
    check(&mapping).map_err(|error| error.in_field(path))?;
    Ok(mapping)
}

/// Parameters that say what is the case anyway.
fn harmless(kind: &str, name: &str, value: &Value) -> bool {
    match (kind, name) {
        (_, "boost") => value.as_f64() == Some(1.0),
        ("text", "norms" | "doc_values") => value == &Value::Bool(name == "norms"),
        ("keyword", "norms") | (_, "store") => value == &Value::Bool(false),
        (_, "eager_global_ordinals") => value.is_boolean(),
        _ => false,
    }
}

fn object(path: &str, map: &Map<String, Value>) -> Result<FieldMapping> {
    let mut object = ObjectMapping::default();
    for (key, value) in map {
        match key.as_str() {
            "type" => {}
            "properties" => object.properties = properties(path, value)?,
            "dynamic" => object.dynamic = Some(dynamic(value).map_err(|error| error.in_field(path))?),
            "enabled" => {
                object.enabled = Some(
                    value
                        .as_bool()
                        .ok_or_else(|| Error::invalid_input("`enabled` must be true or false").in_field(path))?,
                );
            }
            other => {
                return Err(Error::unsupported(format!("unknown parameter {other:?} of an object")).in_field(path));
            }
        }
    }
    Ok(FieldMapping::Object(object))
}

fn refuse(kind: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if text.starts_with("unknown variant") && text.contains(&format!("`{kind}`")) {
        Error::unsupported(format!("type {kind:?} is not supported; see schema/index.json for those that are"))
    } else if text.starts_with("unknown field") {
        Error::unsupported(format!("{text} (parameter of type {kind:?})"))
    } else {
        Error::invalid_input(format!("{text} (type {kind:?})"))
    }
}

fn check(mapping: &FieldMapping) -> Result<()> {
    match mapping {
        FieldMapping::Text(text) => {
            for name in [&text.analyzer, &text.search_analyzer].into_iter().flatten() {
                super::known_analyzer(name)?;
            }
            Ok(())
        }
        FieldMapping::ScaledFloat(scaled) if !(scaled.scaling_factor > 0.0 && scaled.scaling_factor.is_finite()) => {
            Err(Error::invalid_input(format!("`scaling_factor` must be > 0, got {}", scaled.scaling_factor)))
        }
        FieldMapping::DenseVector(vector) => {
            if !(1..=4096).contains(&vector.dims) {
                return Err(Error::invalid_input(format!("`dims` must lie in 1..=4096, got {}", vector.dims)));
            }
            if vector.index == Some(false) {
                return Err(Error::unsupported(
                    "`index: false` of a dense_vector is not supported; leave the field out",
                ));
            }
            check_index_options(vector.index_options.as_ref())
        }
        FieldMapping::SemanticText(semantic) => {
            if semantic.element_type == Some(ElementType::Byte) {
                return Err(Error::unsupported(
                    "`element_type: byte` of a semantic_text is not supported; use float or half_float",
                ));
            }
            check_index_options(semantic.index_options.as_ref())
        }
        FieldMapping::Keyword(_)
        | FieldMapping::Long(_)
        | FieldMapping::Integer(_)
        | FieldMapping::Short(_)
        | FieldMapping::Byte(_)
        | FieldMapping::UnsignedLong(_)
        | FieldMapping::Double(_)
        | FieldMapping::Float(_)
        | FieldMapping::HalfFloat(_)
        | FieldMapping::ScaledFloat(_)
        | FieldMapping::Boolean(_)
        | FieldMapping::Date(_)
        | FieldMapping::Object(_) => Ok(()),
    }
}

fn check_index_options(options: Option<&VectorIndexOptions>) -> Result<()> {
    let Some(options) = options else { return Ok(()) };
    if options.m.is_some_and(|m| !(2..=512).contains(&m)) {
        return Err(Error::invalid_input("`m` must lie in 2..=512"));
    }
    if options.ef_construction.is_some_and(|ef| !(1..=3200).contains(&ef)) {
        return Err(Error::invalid_input("`ef_construction` must lie in 1..=3200"));
    }
    Ok(())
}
