//! `mappings`: the fields, one serde struct a type, with Elasticsearch's parameter names.
//!
//! [`read`] checks what a user wrote; [`types`] and [`vectors`] hold the parameters; [`templates`] the dynamic templates. What
//! serde writes is what Elasticsearch prints: defaults left out, fields by name.

pub mod merge;
mod print;
mod read;
pub mod templates;
pub mod types;
pub mod vectors;

use std::ops::{Deref, DerefMut};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::templates::DynamicTemplate;
pub(crate) use self::types::CommonParameters;
pub use self::types::{
    AliasMapping, BinaryMapping, BooleanMapping, ConstantKeywordMapping, DateMapping, FlattenedMapping, IndexOptions,
    IndexPrefixes, IpMapping, KeywordMapping, NestedMapping, NumberMapping, ObjectMapping, RankFeatureMapping,
    ScaledFloatMapping, SearchAsYouTypeMapping, TermVector, TextMapping, TokenCountMapping,
};
pub use self::vectors::{
    DenseVectorMapping, ElementType, SemanticTextMapping, VectorIndexKind, VectorIndexOptions, VectorSimilarity,
};
use super::settings::one_or_many;
use crate::error::Result;

pub(crate) use self::read::{RESERVED_NAMES, field as read_field};

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
#[serde(deny_unknown_fields, default)]
pub struct Mappings {
    /// What happens to a field that the mapping lacks; `true` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
    /// Notes of the user's; kept, without effect.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
    /// Whether a write must bring a routing.
    #[serde(rename = "_routing", skip_serializing_if = "Option::is_none")]
    pub routing: Option<RoutingMapping>,
    /// What of a document is kept.
    #[serde(rename = "_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceMapping>,
    /// Whether texts that look like dates get a date field; true when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_detection: Option<bool>,
    /// What looks like a date; `strict_date_optional_time` and `yyyy/MM/dd` with an optional time when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_date_formats: Option<Vec<String>>,
    /// Whether texts that are numbers get a number field; false when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numeric_detection: Option<bool>,
    /// The mappings of fields that are added, by name and type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dynamic_templates: Vec<DynamicTemplate>,
    /// The fields.
    pub properties: Properties,
}

/// `_routing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingMapping {
    /// A write without a routing is refused.
    pub required: bool,
}

/// `_source`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceMapping {
    /// Only these fields are kept; patterns with `*`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub includes: Vec<String>,
    /// These fields are not kept; patterns with `*`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub excludes: Vec<String>,
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

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FieldMapping {
    /// Analysed text.
    Text(TextMapping),
    /// A value searched as a whole.
    Keyword(KeywordMapping),
    /// One value for all documents.
    ConstantKeyword(ConstantKeywordMapping),
    /// A value searched as a whole and by patterns; a `keyword` by another name.
    Wildcard(KeywordMapping),
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
    /// 32-bit floating-point number.
    Float(NumberMapping),
    /// 16-bit floating-point number.
    HalfFloat(NumberMapping),
    /// Floating-point number rounded to multiples of `1 / scaling_factor`.
    ScaledFloat(ScaledFloatMapping),
    /// `true` or `false`.
    Boolean(BooleanMapping),
    /// An instant, in milliseconds.
    Date(DateMapping),
    /// An address.
    Ip(IpMapping),
    /// Fields inside a field.
    Object(ObjectMapping),
    /// Objects that are searched each by itself.
    Nested(NestedMapping),
    /// An object as one field of keywords.
    Flattened(FlattenedMapping),
    /// Text that is found while it is being typed.
    SearchAsYouType(SearchAsYouTypeMapping),
    /// A number that raises scores.
    RankFeature(RankFeatureMapping),
    /// Numbers by name that raise scores.
    RankFeatures(RankFeatureMapping),
    /// How many tokens a text has.
    TokenCount(TokenCountMapping),
    /// Bytes in `_source`.
    Binary(BinaryMapping),
    /// Another name of a field.
    Alias(AliasMapping),
    /// Vectors that the user computes.
    DenseVector(DenseVectorMapping),
    /// Text that the engine cuts into passages and embeds.
    SemanticText(SemanticTextMapping),
}

impl FieldMapping {
    /// Elasticsearch's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            FieldMapping::Text(_) => "text",
            FieldMapping::Keyword(_) => "keyword",
            FieldMapping::ConstantKeyword(_) => "constant_keyword",
            FieldMapping::Wildcard(_) => "wildcard",
            FieldMapping::Long(_) => "long",
            FieldMapping::Integer(_) => "integer",
            FieldMapping::Short(_) => "short",
            FieldMapping::Byte(_) => "byte",
            FieldMapping::UnsignedLong(_) => "unsigned_long",
            FieldMapping::Double(_) => "double",
            FieldMapping::Float(_) => "float",
            FieldMapping::HalfFloat(_) => "half_float",
            FieldMapping::ScaledFloat(_) => "scaled_float",
            FieldMapping::Boolean(_) => "boolean",
            FieldMapping::Date(_) => "date",
            FieldMapping::Ip(_) => "ip",
            FieldMapping::Object(_) => "object",
            FieldMapping::Nested(_) => "nested",
            FieldMapping::Flattened(_) => "flattened",
            FieldMapping::SearchAsYouType(_) => "search_as_you_type",
            FieldMapping::RankFeature(_) => "rank_feature",
            FieldMapping::RankFeatures(_) => "rank_features",
            FieldMapping::TokenCount(_) => "token_count",
            FieldMapping::Binary(_) => "binary",
            FieldMapping::Alias(_) => "alias",
            FieldMapping::DenseVector(_) => "dense_vector",
            FieldMapping::SemanticText(_) => "semantic_text",
        }
    }

    /// The parameters that every field type has; `None` of objects, aliases and vectors.
    pub(crate) fn common(&self) -> Option<&dyn CommonParameters> {
        Some(match self {
            FieldMapping::Text(mapping) => mapping,
            FieldMapping::Keyword(mapping) | FieldMapping::Wildcard(mapping) => mapping,
            FieldMapping::ConstantKeyword(mapping) => mapping,
            FieldMapping::Long(mapping)
            | FieldMapping::Integer(mapping)
            | FieldMapping::Short(mapping)
            | FieldMapping::Byte(mapping)
            | FieldMapping::UnsignedLong(mapping)
            | FieldMapping::Double(mapping)
            | FieldMapping::Float(mapping)
            | FieldMapping::HalfFloat(mapping) => mapping,
            FieldMapping::ScaledFloat(mapping) => mapping,
            FieldMapping::Boolean(mapping) => mapping,
            FieldMapping::Date(mapping) => mapping,
            FieldMapping::Ip(mapping) => mapping,
            FieldMapping::Flattened(mapping) => mapping,
            FieldMapping::SearchAsYouType(mapping) => mapping,
            FieldMapping::RankFeature(mapping) | FieldMapping::RankFeatures(mapping) => mapping,
            FieldMapping::TokenCount(mapping) => mapping,
            FieldMapping::Binary(mapping) => mapping,
            FieldMapping::Object(_)
            | FieldMapping::Nested(_)
            | FieldMapping::Alias(_)
            | FieldMapping::DenseVector(_)
            | FieldMapping::SemanticText(_) => return None,
        })
    }

    /// The multi-fields, to be changed; `None` where there can be none.
    pub(crate) fn multi_fields_mut(&mut self) -> Option<&mut Properties> {
        Some(match self {
            FieldMapping::Text(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Keyword(mapping) | FieldMapping::Wildcard(mapping) => mapping.multi_fields_mut(),
            FieldMapping::ConstantKeyword(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Long(mapping)
            | FieldMapping::Integer(mapping)
            | FieldMapping::Short(mapping)
            | FieldMapping::Byte(mapping)
            | FieldMapping::UnsignedLong(mapping)
            | FieldMapping::Double(mapping)
            | FieldMapping::Float(mapping)
            | FieldMapping::HalfFloat(mapping) => mapping.multi_fields_mut(),
            FieldMapping::ScaledFloat(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Boolean(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Date(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Ip(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Flattened(mapping) => mapping.multi_fields_mut(),
            FieldMapping::SearchAsYouType(mapping) => mapping.multi_fields_mut(),
            FieldMapping::RankFeature(mapping) | FieldMapping::RankFeatures(mapping) => mapping.multi_fields_mut(),
            FieldMapping::TokenCount(mapping) => mapping.multi_fields_mut(),
            FieldMapping::Binary(mapping) => mapping.multi_fields_mut(),
            FieldMapping::SemanticText(mapping) => &mut mapping.fields,
            FieldMapping::Object(_)
            | FieldMapping::Nested(_)
            | FieldMapping::Alias(_)
            | FieldMapping::DenseVector(_) => return None,
        })
    }

    /// The fields inside an object or nested field.
    pub fn properties(&self) -> Option<&Properties> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other type has fields inside")]
        match self {
            FieldMapping::Object(object) => Some(&object.properties),
            FieldMapping::Nested(nested) => Some(&nested.properties),
            _ => None,
        }
    }

    /// The fields inside an object or nested field, to be changed.
    pub fn properties_mut(&mut self) -> Option<&mut Properties> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other type has fields inside")]
        match self {
            FieldMapping::Object(object) => Some(&mut object.properties),
            FieldMapping::Nested(nested) => Some(&mut nested.properties),
            _ => None,
        }
    }

    /// What an object or nested field says of unknown fields.
    pub fn dynamic(&self) -> Option<Dynamic> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other type has fields inside")]
        match self {
            FieldMapping::Object(object) => object.dynamic,
            FieldMapping::Nested(nested) => nested.dynamic,
            _ => None,
        }
    }
}

impl Mappings {
    /// What happens to a field that the mapping lacks, at the top.
    pub fn dynamic_rule(&self) -> Dynamic {
        self.dynamic.unwrap_or_default()
    }

    /// The fields, to be changed.
    pub fn properties_mut(&mut self) -> &mut Properties {
        &mut self.properties
    }
}

#[cfg(test)]
mod tests;
