//! What a searcher knows of the mapping's fields. Filled from the mapping by whoever opens an index.

use std::collections::BTreeMap;

use tantivy::schema::Field;

use super::analyzers::Analyzer;
use super::bm25::Bm25Params;

/// The searchable fields of an index, by the names that users write (dots between levels).
#[derive(Debug, Clone, Default)]
pub struct FieldTable {
    fields: BTreeMap<String, LexicalField>,
    defaults: Vec<(String, f32)>,
    id: Option<Field>,
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
}

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

    /// The field of this name.
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

    /// The field of documents' ids.
    pub fn id(&self) -> Option<Field> {
        self.id
    }
}

impl LexicalField {
    /// The BM25 parameters; a keyword field has the defaults.
    pub fn bm25(&self) -> Bm25Params {
        match &self.kind {
            FieldKind::Text { bm25, .. } => *bm25,
            FieldKind::Keyword
            | FieldKind::Long
            | FieldKind::UnsignedLong
            | FieldKind::Double
            | FieldKind::Bool
            | FieldKind::Date => Bm25Params::default(),
        }
    }

    /// Whether it holds terms that BM25 scores: text or keyword.
    pub fn has_terms(&self) -> bool {
        matches!(self.kind, FieldKind::Text { .. } | FieldKind::Keyword)
    }
}
