//! What a searcher knows of the mapping's fields. Filled from the mapping by whoever opens an index.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use tantivy::Term;
use tantivy::schema::Field;

use super::analyzers::Analyzer;
use super::bm25::Bm25Params;
use super::registry::Analyzers;
use crate::schema::date::DateFormats;
use crate::schema::flatten::{self, FlattenedField, FloatPrecision};
use crate::schema::mapping::IndexOptions;

/// The searchable fields of an index, by the names that users write (dots between levels).
#[derive(Debug, Clone, Default)]
pub struct FieldTable {
    fields: BTreeMap<String, LexicalField>,
    defaults: Vec<(String, f32)>,
    id: Option<Field>,
    engine: EngineFields,
    nested: Vec<String>,
    objects: Vec<String>,
    analyzers: Analyzers,
}

/// Tantivy's fields that the engine itself writes; an index that is not of the engine (a test's) has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineFields {
    /// `_field_names`: the names of those fields of a document that have neither lengths nor a column.
    pub field_names: Option<Field>,
    /// `_nested_path`: the path of a nested document; documents at the root have none.
    pub nested_path: Option<Field>,
}

/// One searchable field.
#[derive(Debug, Clone)]
pub struct LexicalField {
    /// Its place in Tantivy's schema.
    pub field: Field,
    /// How its values lie there.
    pub kind: FieldKind,
    /// Whether terms can be looked up.
    pub indexed: bool,
    /// Whether it has a column of values.
    pub fast: bool,
    /// What the mapping says of it.
    pub extra: FieldExtra,
}

/// What else the mapping says of a field; the default for a field without a mapping (a test's).
#[derive(Debug, Clone, Default)]
pub struct FieldExtra {
    /// The field of the mapping; of an alias, the one it stands for.
    pub mapping: Option<Arc<flatten::Field>>,
    /// Makes one term of each value of a keyword field.
    pub normalizer: Option<Analyzer>,
    /// Makes the terms of a phrase; the search analyzer where it is `None`.
    pub search_quote_analyzer: Option<Analyzer>,
    /// Stands before the value in each term (a key inside of a `flattened` field).
    pub key_prefix: Option<Arc<str>>,
}

static DEFAULT_FORMATS: LazyLock<DateFormats> = LazyLock::new(DateFormats::default);

/// How a field's values lie in Tantivy.
#[derive(Debug, Clone)]
pub enum FieldKind {
    /// Encoded tokens (see [`super::encoded_tokens`]) with frequencies and positions, without Tantivy's field norms.
    Text {
        /// What made its terms.
        analyzer: Analyzer,
        /// What makes the terms of a query; the same unless the mapping says otherwise.
        search_analyzer: Analyzer,
        /// How it is scored.
        bm25: Bm25Params,
    },
    /// Untokenised text (tokenizer `raw`, without frequencies), scored as Lucene scores a field without norms.
    Keyword,
    /// `i64`.
    Long,
    /// `u64`.
    UnsignedLong,
    /// `f64`.
    Double,
    /// `bool`.
    Bool,
    /// `i64` milliseconds since 1970-01-01T00:00:00Z.
    Date,
    /// `IpAddr`; IPv4 addresses mapped into IPv6.
    Ip,
    /// A column of `f64` (`rank_feature`); of `rank_features`, one a name under `field.name` (a JSON field).
    RankFeature,
    /// Vectors. Only `exists` asks a field of this kind.
    Vector,
}

impl FieldTable {
    /// An empty table; `id` is the field of documents' ids.
    pub fn new(id: Option<Field>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Adds or replaces a field.
    pub fn insert(&mut self, name: impl Into<String>, field: LexicalField) {
        self.fields.insert(name.into(), field);
    }

    /// Says which fields a query without a field searches, each with its boost.
    pub fn set_defaults(&mut self, defaults: Vec<(String, f32)>) {
        self.defaults = defaults;
    }

    /// The field of this name, an alias's or one inside of a `flattened` field (`labels.priority`) too.
    pub fn find(&self, name: &str) -> Option<Cow<'_, LexicalField>> {
        if let Some(found) = self.fields.get(name) {
            return Some(Cow::Borrowed(found));
        }
        for (at, _) in name.match_indices('.') {
            let (parent, key) = (name.get(..at)?, name.get(at + 1..)?);
            let Some(found) = self.fields.get(parent) else { continue };
            match found.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
                Some(flatten::FieldKind::Flattened(_)) => {
                    let mut keyed = self.fields.get(&FlattenedField::keyed_field(parent))?.clone();
                    keyed.extra.key_prefix = Some(format!("{key}{}", FlattenedField::SEPARATOR).into());
                    return Some(Cow::Owned(keyed));
                }
                Some(flatten::FieldKind::RankFeatures { .. }) => {
                    let mut feature = found.clone();
                    feature.extra.key_prefix = Some(key.into());
                    // Each name has a column of its own.
                    feature.fast = true;
                    return Some(Cow::Owned(feature));
                }
                _ => {}
            }
        }
        None
    }

    /// The field of exactly this name; see [`FieldTable::find`].
    pub fn get(&self, name: &str) -> Option<&LexicalField> {
        self.fields.get(name)
    }

    /// All fields, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &LexicalField)> {
        self.fields.iter().map(|(name, field)| (name.as_str(), field))
    }

    /// The fields of a query without a field, each with its boost: those set, else all text fields with boost 1.
    pub fn defaults(&self) -> Vec<(String, f32)> {
        if !self.defaults.is_empty() {
            return self.defaults.clone();
        }
        let texts = self.iter().filter(|(_, field)| matches!(field.kind, FieldKind::Text { .. }));
        texts.map(|(name, _)| (name.to_string(), 1.0)).collect()
    }

    /// The analyzers that queries may name.
    pub fn analyzers(&self) -> &Analyzers {
        &self.analyzers
    }

    /// Says which analyzers the index has.
    pub fn set_analyzers(&mut self, analyzers: Analyzers) {
        self.analyzers = analyzers;
    }

    /// The field of documents' ids.
    pub fn id(&self) -> Option<Field> {
        self.id
    }

    /// The fields that the engine itself writes.
    pub fn engine(&self) -> EngineFields {
        self.engine
    }

    /// Says which fields the engine itself writes.
    pub fn set_engine(&mut self, engine: EngineFields) {
        self.engine = engine;
    }

    /// The paths of the `nested` objects, outer ones first.
    pub fn nested_paths(&self) -> &[String] {
        &self.nested
    }

    /// Whether there is an object or `nested` object of this path.
    pub fn is_object(&self, path: &str) -> bool {
        self.objects.iter().any(|object| object == path)
    }

    /// Says which objects there are.
    pub fn set_objects(&mut self, objects: Vec<String>, nested: Vec<String>) {
        self.objects = objects;
        self.nested = nested;
    }
}

impl LexicalField {
    /// A field of which the mapping says nothing more.
    pub fn new(field: Field, kind: FieldKind, indexed: bool, fast: bool) -> Self {
        Self { field, kind, indexed, fast, extra: FieldExtra::default() }
    }

    /// The BM25 parameters; the defaults for a field that is not scored.
    pub fn bm25(&self) -> Bm25Params {
        match &self.kind {
            FieldKind::Text { bm25, .. } => *bm25,
            FieldKind::Keyword => {
                let parameters = match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
                    Some(flatten::FieldKind::Keyword { bm25, .. }) => Some(*bm25),
                    Some(flatten::FieldKind::Flattened(flattened)) => Some(flattened.bm25),
                    _ => None,
                };
                parameters.and_then(|(k1, b)| Bm25Params::new(k1, b).ok()).unwrap_or_default()
            }
            FieldKind::Long
            | FieldKind::UnsignedLong
            | FieldKind::Double
            | FieldKind::Bool
            | FieldKind::Date
            | FieldKind::Ip
            | FieldKind::RankFeature
            | FieldKind::Vector => Bm25Params::default(),
        }
    }

    /// Whether it holds terms that BM25 scores: text or keyword.
    pub fn has_terms(&self) -> bool {
        matches!(self.kind, FieldKind::Text { .. } | FieldKind::Keyword)
    }

    /// Whether the lengths of documents count in scores.
    pub fn has_norms(&self) -> bool {
        match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
            Some(flatten::FieldKind::Text(text)) => text.norms,
            _ => true,
        }
    }

    /// Whether a term that occurs more often scores more.
    pub fn has_frequencies(&self) -> bool {
        match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
            Some(flatten::FieldKind::Text(text)) => text.index_options != IndexOptions::Docs,
            _ => !matches!(self.kind, FieldKind::Keyword),
        }
    }

    /// A term of a text or keyword field, after its key where it is inside of a `flattened` field.
    pub fn text_term(&self, text: &str) -> Term {
        match &self.extra.key_prefix {
            Some(prefix) => Term::from_field_text(self.field, &format!("{prefix}{text}")),
            None => Term::from_field_text(self.field, text),
        }
    }

    /// A value of a keyword field as it is indexed.
    pub fn normalized<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.extra.normalizer {
            Some(normalizer) => Cow::Owned(normalizer.terms(text).into_iter().next().unwrap_or_default()),
            None => Cow::Borrowed(text),
        }
    }

    /// Whether its values are dates.
    pub fn is_date(&self) -> bool {
        matches!(self.extra.mapping.as_deref().map(|mapping| &mapping.kind), Some(flatten::FieldKind::Date { .. }))
    }

    /// The formats of a date field.
    pub fn date_formats(&self) -> &DateFormats {
        match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
            Some(flatten::FieldKind::Date { formats, .. }) => formats,
            _ => &DEFAULT_FORMATS,
        }
    }

    /// To what the values of a floating-point field are rounded.
    pub fn precision(&self) -> FloatPrecision {
        match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
            Some(flatten::FieldKind::Float { precision, .. }) => *precision,
            _ => FloatPrecision::Double,
        }
    }

    /// The least and the greatest value of a whole-number field.
    pub fn integer_range(&self) -> (i64, i64) {
        match self.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
            Some(flatten::FieldKind::Integer { min, max, .. }) => (*min, *max),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// The innermost `nested` object whose documents have the field; `None` at the root.
    pub fn nested(&self) -> Option<&str> {
        self.extra.mapping.as_deref().and_then(|mapping| mapping.nested.as_deref())
    }

    /// Whether documents that have the field are found by `_field_names`: it has neither lengths nor a column.
    pub fn exists_by_name(&self) -> bool {
        !(self.fast || (self.has_terms() && self.indexed))
    }
}
