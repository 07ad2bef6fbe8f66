//! The field types, one struct each, with Elasticsearch's parameter names.
//!
//! What is written back is what Elasticsearch prints: a parameter that has its default is left out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dynamic, Properties};
use crate::schema::settings::one_or_many;

/// Parameters that every field type has.
pub(crate) trait CommonParameters {
    /// The same value under other types or analyzers.
    fn multi_fields(&self) -> &Properties;
    /// The same, to be changed.
    fn multi_fields_mut(&mut self) -> &mut Properties;
    /// Fields that get this field's values as well.
    fn copy_to(&self) -> &[String];
    /// Notes of the user's.
    fn meta(&self) -> Option<&BTreeMap<String, String>>;
}

macro_rules! field_type {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$attr])* pub $field: $kind,)*
            /// Accepted: every value can be had from `_source`.
            #[serde(skip_serializing_if = "is_none_or_false")]
            pub store: Option<bool>,
            /// Notes of the user's; kept, without effect.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub meta: Option<BTreeMap<String, String>>,
            /// The same value under other types or analyzers.
            #[serde(skip_serializing_if = "no_fields")]
            pub fields: Properties,
            /// Fields that get this field's values as well.
            #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
            pub copy_to: Vec<String>,
        }

        impl CommonParameters for $name {
            fn multi_fields(&self) -> &Properties {
                &self.fields
            }

            fn multi_fields_mut(&mut self) -> &mut Properties {
                &mut self.fields
            }

            fn copy_to(&self) -> &[String] {
                &self.copy_to
            }

            fn meta(&self) -> Option<&BTreeMap<String, String>> {
                self.meta.as_ref()
            }
        }
    };
}

field_type! {
    /// `text`.
    TextMapping {
        /// The analyzer of documents; the index's default when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        analyzer: Option<String>,
        /// The analyzer of queries; the one of documents when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        search_analyzer: Option<String>,
        /// The analyzer of phrases; the one of queries when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        search_quote_analyzer: Option<String>,
        /// Names a similarity of the settings (`k1`, `b`).
        #[serde(skip_serializing_if = "Option::is_none")]
        similarity: Option<String>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the length of the field counts in its score; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        norms: Option<bool>,
        /// What is kept of terms: `docs`, `freqs`, `positions` (when absent) or `offsets`.
        #[serde(skip_serializing_if = "Option::is_none")]
        index_options: Option<IndexOptions>,
        /// Accepted, without effect: texts are analysed again for highlights.
        #[serde(skip_serializing_if = "is_none_or_no")]
        term_vector: Option<TermVector>,
        /// Positions between two values of an array; 100 when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        position_increment_gap: Option<u32>,
        /// Must be false: sort and aggregate by a `keyword` field.
        #[serde(skip_serializing_if = "is_none_or_false")]
        fielddata: Option<bool>,
        /// Accepted, without effect.
        #[serde(skip_serializing_if = "is_none_or_false")]
        eager_global_ordinals: Option<bool>,
        /// Accepted, without effect: prefixes are looked up in the term dictionary.
        #[serde(skip_serializing_if = "Option::is_none")]
        index_prefixes: Option<IndexPrefixes>,
        /// Accepted, without effect: phrases are found by positions.
        #[serde(skip_serializing_if = "is_none_or_false")]
        index_phrases: Option<bool>,
    }
}

field_type! {
    /// `keyword`, and `wildcard`.
    KeywordMapping {
        /// Values with more characters are not indexed.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_above: Option<u32>,
        /// Makes one term of each value, and of what is looked up.
        #[serde(skip_serializing_if = "Option::is_none")]
        normalizer: Option<String>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
        /// Whether a full-text query looks up each word by itself.
        #[serde(skip_serializing_if = "is_none_or_false")]
        split_queries_on_whitespace: Option<bool>,
        /// Names a similarity of the settings (`k1`, `b`).
        #[serde(skip_serializing_if = "Option::is_none")]
        similarity: Option<String>,
        /// Whether the number of values counts in the score; false when absent.
        #[serde(skip_serializing_if = "is_none_or_false")]
        norms: Option<bool>,
        /// What is kept of terms: `docs` (when absent) or `freqs`.
        #[serde(skip_serializing_if = "Option::is_none")]
        index_options: Option<IndexOptions>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Accepted, without effect.
        #[serde(skip_serializing_if = "is_none_or_false")]
        eager_global_ordinals: Option<bool>,
    }
}

field_type! {
    /// `constant_keyword`: one value for all documents.
    ConstantKeywordMapping {
        /// The value; taken from the first document that has one when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    }
}

field_type! {
    /// The whole and floating-point numbers.
    NumberMapping {
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Whether `"5"` and, for whole numbers, `5.7` are taken as 5; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        coerce: Option<bool>,
        /// Whether a malformed value is left out instead of refusing the document.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_malformed: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `scaled_float`.
    ScaledFloatMapping {
        /// Values are rounded to multiples of `1 / scaling_factor`; > 0.
        scaling_factor: f64,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Whether `"5"` is taken as 5; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        coerce: Option<bool>,
        /// Whether a malformed value is left out instead of refusing the document.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_malformed: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `boolean`.
    BooleanMapping {
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Whether a malformed value is left out instead of refusing the document.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_malformed: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `date`.
    DateMapping {
        /// Formats in order of trial, separated by `||`: Elasticsearch's names and Java's patterns;
        /// `strict_date_optional_time||epoch_millis` when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<String>,
        /// The language of month and day names: `ROOT` or an English one.
        #[serde(skip_serializing_if = "Option::is_none")]
        locale: Option<String>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Whether a malformed value is left out instead of refusing the document.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_malformed: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `ip`: an address of either version.
    IpMapping {
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column, for ranges and sorting.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Whether a malformed value is left out instead of refusing the document.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_malformed: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `flattened`: a whole object as one field of keywords.
    FlattenedMapping {
        /// The deepest level that is taken; 20 when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        depth_limit: Option<u32>,
        /// Values with more characters are not indexed.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignore_above: Option<u32>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
        /// Names a similarity of the settings.
        #[serde(skip_serializing_if = "Option::is_none")]
        similarity: Option<String>,
        /// What is kept of terms: `docs` (when absent) or `freqs`.
        #[serde(skip_serializing_if = "Option::is_none")]
        index_options: Option<IndexOptions>,
        /// Whether a full-text query looks up each word by itself.
        #[serde(skip_serializing_if = "is_none_or_false")]
        split_queries_on_whitespace: Option<bool>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Accepted, without effect.
        #[serde(skip_serializing_if = "is_none_or_false")]
        eager_global_ordinals: Option<bool>,
    }
}

field_type! {
    /// `search_as_you_type`: a text, with sub-fields `_2gram`, `_3gram`.. of neighbouring words and `_index_prefix` of their beginnings.
    SearchAsYouTypeMapping {
        /// The longest run of words that has a sub-field, 2..=4; 3 when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_shingle_size: Option<u32>,
        /// The analyzer of documents; the index's default when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        analyzer: Option<String>,
        /// The analyzer of queries; the one of documents when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        search_analyzer: Option<String>,
        /// The analyzer of phrases; the one of queries when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        search_quote_analyzer: Option<String>,
        /// Names a similarity of the settings.
        #[serde(skip_serializing_if = "Option::is_none")]
        similarity: Option<String>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the length of the field counts in its score; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        norms: Option<bool>,
        /// What is kept of terms.
        #[serde(skip_serializing_if = "Option::is_none")]
        index_options: Option<IndexOptions>,
        /// Accepted, without effect.
        #[serde(skip_serializing_if = "is_none_or_no")]
        term_vector: Option<TermVector>,
    }
}

field_type! {
    /// `rank_feature` and `rank_features`: numbers that raise scores.
    RankFeatureMapping {
        /// Whether a greater number is better; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        positive_score_impact: Option<bool>,
        /// Stands for an explicit null (`rank_feature` only).
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `token_count`: how many tokens a text has.
    TokenCountMapping {
        /// What makes tokens of the text.
        #[serde(skip_serializing_if = "Option::is_none")]
        analyzer: Option<String>,
        /// Whether the holes of dropped words count; true when absent.
        #[serde(skip_serializing_if = "is_none_or_true")]
        enable_position_increments: Option<bool>,
        /// Whether the field is searchable.
        #[serde(skip_serializing_if = "is_none_or_true")]
        index: Option<bool>,
        /// Whether the field has a column.
        #[serde(skip_serializing_if = "is_none_or_true")]
        doc_values: Option<bool>,
        /// Stands for an explicit null.
        #[serde(skip_serializing_if = "Option::is_none")]
        null_value: Option<Value>,
    }
}

field_type! {
    /// `binary`: base64 text in `_source`, not searchable.
    BinaryMapping {
        /// Must be false.
        #[serde(skip_serializing_if = "is_none_or_false")]
        doc_values: Option<bool>,
    }
}

/// `alias`: another name of a field.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasMapping {
    /// The field's path.
    pub path: String,
}

/// `object`: its fields are indexed under dotted paths (`author.name`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectMapping {
    /// What happens to a field that the mapping lacks; the outer level's rule when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
    /// `false` keeps the object in `_source` only.
    #[serde(skip_serializing_if = "is_none_or_true")]
    pub enabled: Option<bool>,
    /// The fields.
    #[serde(skip_serializing_if = "no_fields")]
    pub properties: Properties,
}

/// `nested`: each object is searched by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NestedMapping {
    /// What happens to a field that the mapping lacks; the outer level's rule when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
    /// Whether the enclosing document has the fields too.
    #[serde(skip_serializing_if = "is_none_or_false")]
    pub include_in_parent: Option<bool>,
    /// Whether the document at the root has the fields too.
    #[serde(skip_serializing_if = "is_none_or_false")]
    pub include_in_root: Option<bool>,
    /// The fields.
    #[serde(skip_serializing_if = "no_fields")]
    pub properties: Properties,
}

/// `index_options` of texts and keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexOptions {
    /// Which documents have a term.
    Docs,
    /// And how often.
    Freqs,
    /// And where.
    #[default]
    Positions,
    /// And at which characters.
    Offsets,
}

/// `term_vector` of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TermVector {
    /// None.
    #[default]
    No,
    /// Terms.
    Yes,
    /// Terms and positions.
    WithPositions,
    /// Terms and characters.
    WithOffsets,
    /// Terms, positions and characters.
    WithPositionsOffsets,
    /// Terms, positions and payloads.
    WithPositionsPayloads,
    /// Everything.
    WithPositionsOffsetsPayloads,
}

/// `index_prefixes` of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IndexPrefixes {
    /// The shortest prefix; 2 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_chars: Option<u32>,
    /// The longest prefix; 5 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u32>,
}

fn no_fields(properties: &Properties) -> bool {
    properties.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
pub(super) fn is_none_or_true(value: &Option<bool>) -> bool {
    value.unwrap_or(true)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
pub(super) fn is_none_or_false(value: &Option<bool>) -> bool {
    !value.unwrap_or(false)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_none_or_no(value: &Option<TermVector>) -> bool {
    matches!(value, None | Some(TermVector::No))
}
