//! The mapping's fields as Tantivy's, and what queries need to know of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use tantivy::Term;
use tantivy::indexer::UserOperation;
use tantivy::schema::{
    CustomOptions, Field, FieldEntry, FieldType, IndexRecordOption, IpAddrOptions, JsonObjectOptions, NumericOptions,
    Schema, TextFieldIndexing, TextOptions,
};

use super::columns::{HASH_FIELD, ID_FIELD};
use super::dense::{Element, IndexKind, Similarity, VECTOR_FIELD_TYPE, VectorFieldParams};
use super::document_tree::DocumentTree;
use super::lexical::encoded_tokens::{ENCODED_TOKENS_TOKENIZER, WITHOUT_NORMS_TOKENIZER};
use super::lexical::fields::{EngineFields, FieldExtra};
use super::lexical::{self, Analyzer, Analyzers, Bm25Params, FieldTable, LexicalField};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::models::ModelFingerprint;
use crate::schema::flatten::{self, FieldKind, FlattenedField, NumberField, TextShape, VectorField};
use crate::schema::mapping::{
    ElementType, IndexOptions, SourceMapping, VectorIndexKind, VectorIndexOptions, VectorSimilarity,
};
use crate::schema::{self, IndexDefinition, source_filter};

/// The stored field that holds a document as its user gave it.
pub(crate) const SOURCE_FIELD: &str = "_source";

/// The column (u64) of the sequence number of a document's last change.
pub(crate) const SEQ_NO_FIELD: &str = "_seq_no";
/// The column (u64) of a document's version.
pub(crate) const VERSION_FIELD: &str = "_version";
/// The routing that a document was written with.
pub(crate) const ROUTING_FIELD: &str = "_routing";
/// The fields of a document whose malformed or too long values were left out.
pub(crate) const IGNORED_FIELD: &str = "_ignored";
/// The path of a nested document; documents at the root have none.
pub(crate) const NESTED_PATH_FIELD: &str = "_nested_path";
/// The id of the document at the root, on nested documents.
pub(crate) const ROOT_ID_FIELD: &str = "_root_id";
/// The names of those fields of a document that have neither lengths nor a column.
pub(crate) const FIELD_NAMES_FIELD: &str = "_field_names";

/// The fields of an index: the engine's own, and those of the mapping.
#[derive(Debug, Clone)]
pub(crate) struct IndexFields {
    pub(crate) id: Field,
    pub(crate) hash: Field,
    pub(crate) source: Field,
    pub(crate) seq_no: Field,
    pub(crate) version: Field,
    pub(crate) routing: Field,
    pub(crate) ignored: Field,
    pub(crate) nested_path: Field,
    pub(crate) root_id: Field,
    pub(crate) field_names: Field,
    /// In the order of the mapping.
    pub(crate) mapped: Vec<IndexField>,
    /// How a document is walked.
    pub(crate) tree: DocumentTree,
    /// The places of the semantic fields.
    pub(crate) semantic: Vec<usize>,
    /// The places of the fields that have one value for all documents.
    pub(crate) constants: Vec<usize>,
    /// Those of the settings, and the built-in ones.
    pub(crate) analyzers: Analyzers,
    /// How many nested objects a document may have (`index.mapping.nested_objects.limit`).
    pub(crate) max_nested_objects: usize,
    /// `_source.includes` and `_source.excludes`.
    source_filter: Option<SourceMapping>,
    by_path: FxHashMap<String, usize>,
    objects: Vec<String>,
}

/// A field of the mapping.
#[derive(Debug, Clone)]
pub(crate) struct IndexField {
    pub(crate) definition: Arc<schema::Field>,
    /// Its place in Tantivy's schema; `None` when it is neither searched nor sorted by.
    pub(crate) field: Option<Field>,
    /// The place of a flattened field's keys and values.
    pub(crate) keyed: Option<Field>,
    /// The analyzer of a text field's documents, or of what counts tokens.
    pub(crate) analyzer: Option<Analyzer>,
    /// What makes one term of a keyword's value.
    pub(crate) normalizer: Option<Analyzer>,
    /// The parameters of a vector field.
    pub(crate) vector: Option<VectorFieldParams>,
    /// Documents that have it are told by `_field_names`: it has neither lengths nor a column.
    pub(crate) exists_by_name: bool,
}

/// The entries that Tantivy's schema needs for `definition`, the engine's own first.
pub(crate) fn entries(
    definition: &IndexDefinition,
    models: &BTreeMap<String, ModelFingerprint>,
) -> Result<Vec<FieldEntry>> {
    let number = || NumericOptions::default().set_fast();
    let mut entries = vec![
        FieldEntry::new_text(ID_FIELD.to_string(), untokenised(true, false)),
        FieldEntry::new_u64(HASH_FIELD.to_string(), NumericOptions::default()),
        FieldEntry::new_text(SOURCE_FIELD.to_string(), TextOptions::default().set_stored()),
        FieldEntry::new_u64(SEQ_NO_FIELD.to_string(), number()),
        FieldEntry::new_u64(VERSION_FIELD.to_string(), number()),
        FieldEntry::new_text(ROUTING_FIELD.to_string(), untokenised(true, true)),
        FieldEntry::new_text(IGNORED_FIELD.to_string(), untokenised(true, true)),
        FieldEntry::new_text(NESTED_PATH_FIELD.to_string(), untokenised(true, true)),
        FieldEntry::new_text(ROOT_ID_FIELD.to_string(), untokenised(true, false)),
        FieldEntry::new_text(FIELD_NAMES_FIELD.to_string(), untokenised(true, false)),
    ];
    for field in definition.fields()? {
        entries.extend(field_entries(&field, models)?);
    }
    Ok(entries)
}

/// The entries of one field; the first is that of its values.
fn field_entries(field: &schema::Field, models: &BTreeMap<String, ModelFingerprint>) -> Result<Vec<FieldEntry>> {
    let name = field.path.clone();
    Ok(match &field.kind {
        FieldKind::Text(text) if text.indexed => {
            let tokenizer = if text.norms { ENCODED_TOKENS_TOKENIZER } else { WITHOUT_NORMS_TOKENIZER };
            let record = match text.index_options {
                IndexOptions::Docs => IndexRecordOption::Basic,
                IndexOptions::Freqs => IndexRecordOption::WithFreqs,
                IndexOptions::Positions | IndexOptions::Offsets => IndexRecordOption::WithFreqsAndPositions,
            };
            let indexing =
                TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record).set_fieldnorms(false);
            vec![FieldEntry::new_text(name, TextOptions::default().set_indexing_options(indexing))]
        }
        FieldKind::Text(_) | FieldKind::Binary => Vec::new(),
        FieldKind::Keyword { indexed, fast, .. } => {
            let is_kept = *indexed || *fast;
            is_kept.then(|| FieldEntry::new_text(name, untokenised(*indexed, *fast))).into_iter().collect()
        }
        FieldKind::Flattened(flattened) if flattened.indexed || flattened.fast => {
            let options = untokenised(flattened.indexed, flattened.fast);
            let keyed = FlattenedField::keyed_field(&name);
            vec![
                FieldEntry::new_text(FlattenedField::values_field(&name), options.clone()),
                FieldEntry::new_text(keyed, options),
            ]
        }
        FieldKind::Flattened(_) => Vec::new(),
        FieldKind::Integer { options, .. }
        | FieldKind::Date { options, .. }
        | FieldKind::TokenCount { options, .. } => {
            numeric(*options).map(|options| FieldEntry::new_i64(name, options)).into_iter().collect()
        }
        FieldKind::Unsigned(options) => {
            numeric(*options).map(|options| FieldEntry::new_u64(name, options)).into_iter().collect()
        }
        FieldKind::Float { options, .. } => {
            numeric(*options).map(|options| FieldEntry::new_f64(name, options)).into_iter().collect()
        }
        FieldKind::Boolean { indexed, fast, ignore_malformed } => {
            let options =
                NumberField { indexed: *indexed, fast: *fast, coerce: true, ignore_malformed: *ignore_malformed };
            numeric(options).map(|options| FieldEntry::new_bool(name, options)).into_iter().collect()
        }
        FieldKind::Ip(options) if options.indexed || options.fast => {
            let ip = IpAddrOptions::default();
            let ip = if options.indexed { ip.set_indexed() } else { ip };
            vec![FieldEntry::new_ip_addr(name, if options.fast { ip.set_fast() } else { ip })]
        }
        FieldKind::Ip(_) => Vec::new(),
        FieldKind::RankFeature { .. } => vec![FieldEntry::new_f64(name, NumericOptions::default().set_fast())],
        FieldKind::RankFeatures { .. } => {
            vec![FieldEntry::new_json(name, JsonObjectOptions::default().set_fast("raw").set_expand_dots_enabled())]
        }
        FieldKind::DenseVector(VectorField { dims: None, .. }) => Vec::new(),
        FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => {
            let params = vector_params(field, models)?;
            let params = serde_json::to_value(&params)
                .map_err(|error| Error::internal("cannot write a vector field's parameters").with_source(error))?;
            vec![FieldEntry::new(name, FieldType::Custom(CustomOptions::new(VECTOR_FIELD_TYPE, params)))]
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
        dims: Some(model.dims),
        indexed: true,
        similarity: if model.normalized { VectorSimilarity::Cosine } else { VectorSimilarity::MaxInnerProduct },
        element: semantic.element,
        index: semantic.index,
    }))
}

fn vector_field_params(vector: &VectorField) -> VectorFieldParams {
    let VectorIndexOptions { kind, m, ef_construction, .. } = vector.index;
    let graph = IndexKind::Hnsw {
        m: m.unwrap_or(VectorIndexOptions::DEFAULT_M),
        ef_construction: ef_construction.unwrap_or(100),
    };
    VectorFieldParams {
        dims: vector.dims.unwrap_or_default(),
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
        let flattened = definition.flattened()?;
        let analyzers = Analyzers::new(&definition.settings.index)?;
        let mut mapped = Vec::new();
        for field in flattened.fields {
            let mut places = field_entries(&field, models)?.into_iter().map(|entry| find(entry.name()));
            let place = places.next().transpose()?;
            let keyed = places.next().transpose()?;
            #[expect(clippy::wildcard_enum_match_arm, reason = "no other kind is analysed")]
            let (analyzer, normalizer) = match &field.kind {
                FieldKind::Text(text) => (Some(text_analyzer(&analyzers, &text.analyzer, text.shape)?), None),
                FieldKind::TokenCount { analyzer, .. } => {
                    (Some(text_analyzer(&analyzers, analyzer, TextShape::Words)?), None)
                }
                FieldKind::Keyword { normalizer: Some(name), .. } => (None, Some(analyzers.normalizer(name)?)),
                _ => (None, None),
            };
            mapped.push(IndexField {
                field: place,
                keyed,
                analyzer,
                normalizer,
                vector: if place.is_some() && field.is_vector() { Some(vector_params(&field, models)?) } else { None },
                exists_by_name: place.is_some() && exists_by_name(&field.kind),
                definition: Arc::new(field),
            });
        }
        let mut by_path: FxHashMap<String, usize> = FxHashMap::default();
        for (idx, field) in mapped.iter().enumerate() {
            by_path.insert(field.definition.path.clone(), idx);
        }
        for alias in &flattened.aliases {
            if let Some(idx) = by_path.get(&alias.target).copied() {
                by_path.insert(alias.path.clone(), idx);
            }
        }
        let tree = DocumentTree::new(definition, &mapped, &flattened.nested, &flattened.aliases);
        Ok(Self {
            analyzers,
            id: find(ID_FIELD)?,
            hash: find(HASH_FIELD)?,
            source: find(SOURCE_FIELD)?,
            seq_no: find(SEQ_NO_FIELD)?,
            version: find(VERSION_FIELD)?,
            routing: find(ROUTING_FIELD)?,
            ignored: find(IGNORED_FIELD)?,
            nested_path: find(NESTED_PATH_FIELD)?,
            root_id: find(ROOT_ID_FIELD)?,
            field_names: find(FIELD_NAMES_FIELD)?,
            semantic: places_of(&mapped, |kind| matches!(kind, FieldKind::SemanticText(_))),
            constants: places_of(&mapped, |kind| matches!(kind, FieldKind::Keyword { constant: Some(_), .. })),
            max_nested_objects: definition.settings.max_nested_objects(),
            source_filter: definition.mappings.source.clone(),
            mapped,
            tree,
            by_path,
            objects: flattened.objects,
        })
    }

    /// The mapping's field of this path, or the one that an alias of this path stands for.
    pub(crate) fn get(&self, path: &str) -> Option<&IndexField> {
        self.mapped.get(*self.by_path.get(path)?)
    }

    /// What deletes a document: its root, and its nested documents.
    pub(crate) fn deletions(&self, id: &DocumentId) -> Vec<UserOperation> {
        let mut operations = vec![UserOperation::Delete(Term::from_field_text(self.id, id.as_str()))];
        if !self.tree.nested_paths().is_empty() {
            operations.push(UserOperation::Delete(Term::from_field_text(self.root_id, id.as_str())));
        }
        operations
    }

    /// A source as it is stored, where `_source.includes` and `_source.excludes` leave something out; else `None`.
    pub(crate) fn kept_source(&self, source: &Map<String, Value>) -> Result<Option<String>> {
        let Some(filter) = &self.source_filter else { return Ok(None) };
        let kept = source_filter::filter(source, &filter.includes, &filter.excludes);
        let text = serde_json::to_string(&kept);
        text.map(Some).map_err(|error| Error::internal("cannot write a source").with_source(error))
    }

    /// As [`IndexFields::kept_source`], not written.
    pub(crate) fn keep(&self, source: Map<String, Value>) -> Map<String, Value> {
        match &self.source_filter {
            Some(filter) => source_filter::filter(&source, &filter.includes, &filter.excludes),
            None => source,
        }
    }

    /// The table that the lexical leg searches by.
    pub(crate) fn table(&self, definition: &IndexDefinition) -> Result<FieldTable> {
        let mut table = FieldTable::new(Some(self.id));
        for (path, idx) in &self.by_path {
            let Some(mapped) = self.mapped.get(*idx) else { continue };
            for (name, field) in lexical_fields(&self.analyzers, path, mapped)? {
                table.insert(name, field);
            }
        }
        for (name, field) in [(ROUTING_FIELD, self.routing), (IGNORED_FIELD, self.ignored)] {
            table.insert(name, LexicalField::new(field, lexical::FieldKind::Keyword, true, true));
        }
        table.set_analyzers(self.analyzers.clone());
        table.set_engine(EngineFields { field_names: Some(self.field_names), nested_path: Some(self.nested_path) });
        table.set_objects(self.objects.clone(), self.tree.nested_paths().to_vec());
        table.set_defaults(default_fields(definition, &table)?);
        Ok(table)
    }
}

fn places_of(mapped: &[IndexField], wanted: impl Fn(&FieldKind) -> bool) -> Vec<usize> {
    let is_wanted = |(_, field): &(usize, &IndexField)| wanted(&field.definition.kind);
    mapped.iter().enumerate().filter(is_wanted).map(|(idx, _)| idx).collect()
}

/// Whether documents that have a field of this kind are told by `_field_names`.
fn exists_by_name(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Text(_) | FieldKind::Binary | FieldKind::RankFeature { .. } => false,
        FieldKind::Keyword { indexed, .. } => !indexed,
        FieldKind::Flattened(flattened) => !flattened.indexed,
        FieldKind::Integer { options, .. }
        | FieldKind::Unsigned(options)
        | FieldKind::Float { options, .. }
        | FieldKind::Date { options, .. }
        | FieldKind::Ip(options)
        | FieldKind::TokenCount { options, .. } => !options.fast,
        FieldKind::Boolean { fast, .. } => !fast,
        FieldKind::RankFeatures { .. } | FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => true,
    }
}

/// A field of the mapping as queries see it, under its name or an alias's.
fn lexical_fields(analyzers: &Analyzers, path: &str, mapped: &IndexField) -> Result<Vec<(String, LexicalField)>> {
    let Some(field) = mapped.field else { return Ok(Vec::new()) };
    let mut extra = FieldExtra { mapping: Some(mapped.definition.clone()), ..FieldExtra::default() };
    let (kind, indexed, fast) = match &mapped.definition.kind {
        FieldKind::Text(text) => {
            if text.search_quote_analyzer != text.search_analyzer {
                extra.search_quote_analyzer = Some(text_analyzer(analyzers, &text.search_quote_analyzer, text.shape)?);
            }
            (text_kind(analyzers, text, mapped)?, text.indexed, false)
        }
        FieldKind::Keyword { indexed, fast, .. } => {
            extra.normalizer.clone_from(&mapped.normalizer);
            (lexical::FieldKind::Keyword, *indexed, *fast)
        }
        FieldKind::Flattened(flattened) => {
            let kind = lexical::FieldKind::Keyword;
            let mut fields = Vec::new();
            if let Some(keyed) = mapped.keyed {
                let (kind, extra) = (kind.clone(), extra.clone());
                let field =
                    LexicalField { field: keyed, kind, indexed: flattened.indexed, fast: flattened.fast, extra };
                fields.push((FlattenedField::keyed_field(path), field));
            }
            let values = LexicalField { field, kind, indexed: flattened.indexed, fast: flattened.fast, extra };
            fields.push((path.to_string(), values));
            return Ok(fields);
        }
        FieldKind::Integer { options, .. } | FieldKind::TokenCount { options, .. } => {
            (lexical::FieldKind::Long, options.indexed, options.fast)
        }
        FieldKind::Unsigned(options) => (lexical::FieldKind::UnsignedLong, options.indexed, options.fast),
        FieldKind::Float { options, .. } => (lexical::FieldKind::Double, options.indexed, options.fast),
        FieldKind::Boolean { indexed, fast, .. } => (lexical::FieldKind::Bool, *indexed, *fast),
        FieldKind::Date { options, .. } => (lexical::FieldKind::Date, options.indexed, options.fast),
        FieldKind::Ip(options) => (lexical::FieldKind::Ip, options.indexed, options.fast),
        FieldKind::RankFeature { .. } => (lexical::FieldKind::RankFeature, false, true),
        // Its columns are those of its names; which documents have any is told by `_field_names`.
        FieldKind::RankFeatures { .. } => (lexical::FieldKind::RankFeature, false, false),
        FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => (lexical::FieldKind::Vector, false, false),
        FieldKind::Binary => return Ok(Vec::new()),
    };
    Ok(vec![(path.to_string(), LexicalField { field, kind, indexed, fast, extra })])
}

/// An analyzer of the index by its name, as a field's shape wants it.
pub(crate) fn text_analyzer(analyzers: &Analyzers, name: &str, shape: TextShape) -> Result<Analyzer> {
    let analyzer = analyzers.get(name)?;
    Ok(match shape {
        TextShape::Words => analyzer,
        TextShape::Shingles(size) => analyzer.with_shingles(size),
        TextShape::ShinglePrefixes(size) => analyzer.with_shingle_prefixes(size),
    })
}

fn text_kind(analyzers: &Analyzers, text: &flatten::TextField, mapped: &IndexField) -> Result<lexical::FieldKind> {
    // A query's last word is a prefix already; only documents are cut into prefixes.
    let search_shape = match text.shape {
        TextShape::ShinglePrefixes(size) | TextShape::Shingles(size) => TextShape::Shingles(size),
        TextShape::Words => TextShape::Words,
    };
    Ok(lexical::FieldKind::Text {
        analyzer: match &mapped.analyzer {
            Some(analyzer) => analyzer.clone(),
            None => text_analyzer(analyzers, &text.analyzer, text.shape)?,
        },
        search_analyzer: text_analyzer(analyzers, &text.search_analyzer, search_shape)?,
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
