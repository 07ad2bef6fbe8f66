//! The mapping's fields as Tantivy's, and what queries need to know of them.

use std::collections::BTreeMap;

use tantivy::schema::{
    CustomOptions, Field, FieldEntry, FieldType, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing,
    TextOptions,
};

use super::columns::{HASH_FIELD, ID_FIELD};
use super::dense::{Element, IndexKind, Similarity, VECTOR_FIELD_TYPE, VectorFieldParams};
use super::lexical::encoded_tokens::ENCODED_TOKENS_TOKENIZER;
use super::lexical::{self, Analyzer, Bm25Params, FieldTable, LexicalField};
use crate::error::{Error, Result};
use crate::models::ModelFingerprint;
use crate::schema::flatten::{self, FieldKind, NumberField, VectorField};
use crate::schema::mapping::{ElementType, VectorIndexKind, VectorIndexOptions, VectorSimilarity};
use crate::schema::{self, IndexDefinition};

/// The stored field that holds a document as its user gave it.
pub(crate) const SOURCE_FIELD: &str = "_source";

/// The fields of an index: the engine's own, and those of the mapping.
#[derive(Debug, Clone)]
pub(crate) struct IndexFields {
    pub(crate) id: Field,
    pub(crate) hash: Field,
    pub(crate) source: Field,
    /// In the order of the mapping.
    pub(crate) mapped: Vec<IndexField>,
}

/// A field of the mapping.
#[derive(Debug, Clone)]
pub(crate) struct IndexField {
    pub(crate) definition: schema::Field,
    /// Its place in Tantivy's schema; `None` when it is neither searched nor sorted by.
    pub(crate) field: Option<Field>,
    /// The analyzer of a text field's documents.
    pub(crate) analyzer: Option<Analyzer>,
    /// The parameters of a vector field.
    pub(crate) vector: Option<VectorFieldParams>,
}

/// The entries that Tantivy's schema needs for `definition`, the engine's own first.
pub(crate) fn entries(
    definition: &IndexDefinition,
    models: &BTreeMap<String, ModelFingerprint>,
) -> Result<Vec<FieldEntry>> {
    let mut entries = vec![
        FieldEntry::new_text(ID_FIELD.to_string(), untokenised(true, false)),
        FieldEntry::new_u64(HASH_FIELD.to_string(), NumericOptions::default()),
        FieldEntry::new_text(SOURCE_FIELD.to_string(), TextOptions::default().set_stored()),
    ];
    for field in definition.fields()? {
        entries.extend(entry(&field, models)?);
    }
    Ok(entries)
}

fn entry(field: &schema::Field, models: &BTreeMap<String, ModelFingerprint>) -> Result<Option<FieldEntry>> {
    let name = field.path.clone();
    Ok(match &field.kind {
        FieldKind::Text(text) if text.indexed => {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(ENCODED_TOKENS_TOKENIZER)
                .set_index_option(IndexRecordOption::WithFreqsAndPositions)
                .set_fieldnorms(false);
            Some(FieldEntry::new_text(name, TextOptions::default().set_indexing_options(indexing)))
        }
        FieldKind::Text(_) => None,
        FieldKind::Keyword { indexed, fast, .. } => {
            (*indexed || *fast).then(|| FieldEntry::new_text(name, untokenised(*indexed, *fast)))
        }
        FieldKind::Integer { options, .. } | FieldKind::Date { options, .. } => {
            numeric(*options).map(|options| FieldEntry::new_i64(name, options))
        }
        FieldKind::Unsigned(options) => numeric(*options).map(|options| FieldEntry::new_u64(name, options)),
        FieldKind::Float { options, .. } => numeric(*options).map(|options| FieldEntry::new_f64(name, options)),
        FieldKind::Boolean { indexed, fast } => {
            let options = NumberField { indexed: *indexed, fast: *fast, coerce: true, ignore_malformed: false };
            numeric(options).map(|options| FieldEntry::new_bool(name, options))
        }
        FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => {
            let params = vector_params(field, models)?;
            let params = serde_json::to_value(&params)
                .map_err(|error| Error::internal("cannot write a vector field's parameters").with_source(error))?;
            Some(FieldEntry::new(name, FieldType::Custom(CustomOptions::new(VECTOR_FIELD_TYPE, params))))
        }
    })
}

fn untokenised(indexed: bool, fast: bool) -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let options = TextOptions::default();
    let options = if indexed { options.set_indexing_options(indexing) } else { options };
    if fast { options.set_fast("raw") } else { options }
}

fn numeric(number: NumberField) -> Option<NumericOptions> {
    let options = NumericOptions::default();
    let options = if number.indexed { options.set_indexed() } else { options };
    let options = if number.fast { options.set_fast() } else { options };
    (number.indexed || number.fast).then_some(options)
}

fn vector_params(field: &schema::Field, models: &BTreeMap<String, ModelFingerprint>) -> Result<VectorFieldParams> {
    if let FieldKind::DenseVector(vector) = &field.kind {
        return Ok(vector_field_params(vector));
    }
    let FieldKind::SemanticText(semantic) = &field.kind else {
        return Err(Error::internal("has no vectors").in_field(field.path.clone()));
    };
    let Some(model) = models.get(&field.path) else {
        return Err(Error::internal("has no model in the manifest").in_field(field.path.clone()));
    };
    Ok(vector_field_params(&VectorField {
        dims: model.dims,
        similarity: if model.normalized { VectorSimilarity::Cosine } else { VectorSimilarity::MaxInnerProduct },
        element: semantic.element,
        index: semantic.index,
    }))
}

fn vector_field_params(vector: &VectorField) -> VectorFieldParams {
    let VectorIndexOptions { kind, m, ef_construction } = vector.index;
    let graph = IndexKind::Hnsw { m: m.unwrap_or(16), ef_construction: ef_construction.unwrap_or(100) };
    VectorFieldParams {
        dims: vector.dims,
        similarity: match vector.similarity {
            VectorSimilarity::Cosine => Similarity::Cosine,
            VectorSimilarity::DotProduct => Similarity::DotProduct,
            VectorSimilarity::L2Norm => Similarity::L2Norm,
            VectorSimilarity::MaxInnerProduct => Similarity::MaxInnerProduct,
        },
        element: match vector.element {
            ElementType::Float => Element::F32,
            ElementType::HalfFloat => Element::F16,
            ElementType::Byte => Element::Int8,
        },
        quantized: matches!(kind, VectorIndexKind::Int8Hnsw | VectorIndexKind::Int8Flat),
        index: match kind {
            VectorIndexKind::Hnsw | VectorIndexKind::Int8Hnsw => graph,
            VectorIndexKind::Flat | VectorIndexKind::Int8Flat => IndexKind::Flat,
        },
        multi: true,
    }
}

impl IndexFields {
    /// Finds the mapping's fields in Tantivy's schema.
    ///
    /// # Errors
    /// `Corrupt` when the schema lacks one.
    pub(crate) fn new(
        definition: &IndexDefinition,
        models: &BTreeMap<String, ModelFingerprint>,
        schema: &Schema,
    ) -> Result<Self> {
        let find = |name: &str| {
            schema.get_field(name).map_err(|_| {
                Error::corrupt("is in the manifest and not in the segments' schema; restore the index from a copy")
                    .in_field(name)
            })
        };
        let mut mapped = Vec::new();
        for field in definition.fields()? {
            let in_schema = entry(&field, models)?.is_some();
            mapped.push(IndexField {
                field: if in_schema { Some(find(&field.path)?) } else { None },
                analyzer: if let FieldKind::Text(text) = &field.kind {
                    Some(Analyzer::named(&text.analyzer)?)
                } else {
                    None
                },
                vector: if field.is_vector() { Some(vector_params(&field, models)?) } else { None },
                definition: field,
            });
        }
        Ok(Self { id: find(ID_FIELD)?, hash: find(HASH_FIELD)?, source: find(SOURCE_FIELD)?, mapped })
    }

    /// The mapping's field of this path.
    pub(crate) fn get(&self, path: &str) -> Option<&IndexField> {
        self.mapped.iter().find(|field| field.definition.path == path)
    }

    /// The table that the lexical leg searches by.
    pub(crate) fn table(&self, definition: &IndexDefinition) -> Result<FieldTable> {
        let mut table = FieldTable::new(Some(self.id));
        for mapped in &self.mapped {
            let Some(field) = mapped.field else { continue };
            let (kind, indexed, fast) = match &mapped.definition.kind {
                FieldKind::Text(text) => (text_kind(text)?, text.indexed, false),
                FieldKind::Keyword { indexed, fast, .. } => (lexical::FieldKind::Keyword, *indexed, *fast),
                FieldKind::Integer { options, .. } => (lexical::FieldKind::Long, options.indexed, options.fast),
                FieldKind::Unsigned(options) => (lexical::FieldKind::UnsignedLong, options.indexed, options.fast),
                FieldKind::Float { options, .. } => (lexical::FieldKind::Double, options.indexed, options.fast),
                FieldKind::Boolean { indexed, fast } => (lexical::FieldKind::Bool, *indexed, *fast),
                FieldKind::Date { options, .. } => (lexical::FieldKind::Date, options.indexed, options.fast),
                FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => continue,
            };
            table.insert(mapped.definition.path.clone(), LexicalField { field, kind, indexed, fast });
        }
        table.set_defaults(default_fields(definition, &table)?);
        Ok(table)
    }
}

fn text_kind(text: &flatten::TextField) -> Result<lexical::FieldKind> {
    Ok(lexical::FieldKind::Text {
        analyzer: Analyzer::named(&text.analyzer)?,
        search_analyzer: Analyzer::named(&text.search_analyzer)?,
        bm25: Bm25Params::new(text.k1, text.b)?,
    })
}

/// `index.query.default_field`, parsed: a path with an optional `^boost`.
fn default_fields(definition: &IndexDefinition, table: &FieldTable) -> Result<Vec<(String, f32)>> {
    let mut defaults = Vec::new();
    for written in &definition.settings.index.query.default_field {
        if written == "*" {
            continue;
        }
        let (path, boost) = match written.split_once('^') {
            Some((path, boost)) => (path, boost.parse().ok().filter(|boost: &f32| *boost > 0.0 && boost.is_finite())),
            None => (written.as_str(), Some(1.0)),
        };
        let Some(boost) = boost else {
            return Err(Error::invalid_input(format!("default_field {written:?} has a boost that is no number > 0")));
        };
        if table.get(path).is_none() {
            return Err(Error::invalid_input(format!(
                "default_field names {path:?}, which is no searchable field of the mapping"
            )));
        }
        defaults.push((path.to_string(), boost));
    }
    Ok(defaults)
}
