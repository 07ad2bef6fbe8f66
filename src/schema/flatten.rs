//! A mapping as the index sees it: one flat list of fields with dotted paths.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::date::DateFormats;
use super::mapping::{
    DenseVectorMapping, Dynamic, ElementType, FieldMapping, FlattenedMapping, IndexOptions, KeywordMapping,
    NestedMapping, NumberMapping, Properties, SearchAsYouTypeMapping, SemanticTextMapping, TextMapping,
    VectorIndexKind, VectorIndexOptions, VectorSimilarity,
};
use super::{ChunkingSettings, IndexDefinition};
use crate::error::{Error, Result};

/// A field of the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The dotted path by which queries name it (`author.name`, `title.raw`).
    pub path: String,
    /// Elasticsearch's name of its type (`long`).
    pub type_name: &'static str,
    /// The paths in `_source` that its values come from: its own (or its parent's, for a multi-field), then those of the
    /// fields that are copied into it.
    pub sources: Vec<String>,
    /// What it is.
    pub kind: FieldKind,
    /// Stands for an explicit null.
    pub null_value: Option<Value>,
    /// The innermost `nested` object that it lies in: its values are in documents of their own.
    pub nested: Option<String>,
    /// The enclosing documents that have its values too: paths of `nested` objects, the empty one for the root.
    pub included_in: Vec<String>,
    /// The field whose multi-field it is.
    pub parent: Option<String>,
    /// Notes of the user's.
    pub meta: Option<BTreeMap<String, String>>,
}

/// Another name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAlias {
    /// The alias's own path.
    pub path: String,
    /// The field's.
    pub target: String,
}

/// What a field is, with all defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Analysed text.
    Text(TextField),
    /// A value searched as a whole (`keyword`, `constant_keyword`, `wildcard`).
    Keyword {
        /// Longer values (in characters) are not indexed.
        ignore_above: Option<usize>,
        /// Searchable.
        indexed: bool,
        /// Has a column.
        fast: bool,
        /// The name of what makes one term of a value; `None` takes it as it is.
        normalizer: Option<String>,
        /// A full-text query looks up each word by itself.
        split_queries_on_whitespace: bool,
        /// BM25's `k1` and `b`.
        bm25: (f32, f32),
        /// The number of values counts in the score.
        norms: bool,
        /// The one value that a `constant_keyword` may have; `Some(None)` until the first document has given one.
        constant: Option<Option<String>>,
    },
    /// A whole number that fits `min..=max`.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// How values are read.
        options: NumberField,
    },
    /// A whole number, 0..2^64-1.
    Unsigned(NumberField),
    /// A floating-point number, kept as 64-bit after rounding to its type.
    Float {
        /// See `scaled_float`.
        scaling_factor: Option<f64>,
        /// To what values are rounded.
        precision: FloatPrecision,
        /// How values are read.
        options: NumberField,
    },
    /// `true` or `false`.
    Boolean {
        /// Searchable.
        indexed: bool,
        /// Has a column.
        fast: bool,
        /// A malformed value is left out.
        ignore_malformed: bool,
    },
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Date {
        /// Formats in order of trial.
        formats: DateFormats,
        /// How values are read.
        options: NumberField,
    },
    /// An address; IPv4 ones mapped into IPv6.
    Ip(NumberField),
    /// An object whose leaves are keywords: their values lie in the field [`FlattenedField::values_field`] names, and with their keys before
    /// them in [`FlattenedField::keyed_field`].
    Flattened(FlattenedField),
    /// A number that raises scores: a column of `f64`, rounded as Lucene codes it (and inverted where a smaller number is better).
    RankFeature {
        /// A greater number is better.
        positive_score_impact: bool,
    },
    /// Numbers by name: a column of `f64` each, under `field.name`.
    RankFeatures {
        /// A greater number is better.
        positive_score_impact: bool,
    },
    /// How many tokens a text has: an `i64`.
    TokenCount {
        /// What makes tokens of the text.
        analyzer: String,
        /// The holes of dropped words count.
        counts_holes: bool,
        /// How values are kept.
        options: NumberField,
    },
    /// Bytes in `_source`, neither searched nor read.
    Binary,
    /// Vectors that the user gives.
    DenseVector(VectorField),
    /// Text that is cut into passages and embedded.
    SemanticText(SemanticField),
}

/// To what a floating-point number is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum FloatPrecision {
    /// 64 bits.
    #[default]
    Double,
    /// 32 bits.
    Single,
    /// 16 bits.
    Half,
    /// Multiples of `1 / factor`.
    Scaled(f64),
}

impl FloatPrecision {
    /// The number as Elasticsearch indexes it; infinite when it is too large.
    pub fn round(self, number: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        match self {
            FloatPrecision::Double => number,
            FloatPrecision::Single => f64::from(number as f32),
            FloatPrecision::Half => f64::from(half::f16::from_f64(number)),
            FloatPrecision::Scaled(factor) => round_half_up(number * factor) / factor,
        }
    }
}

/// Rounds to the nearest whole number, halves upwards, as Java does.
fn round_half_up(number: f64) -> f64 {
    if number.fract() == -0.5 { number.ceil() } else { number.round() }
}

/// A text field.
#[derive(Debug, Clone, PartialEq)]
pub struct TextField {
    /// The analyzer of documents.
    pub analyzer: String,
    /// The analyzer of queries.
    pub search_analyzer: String,
    /// The analyzer of phrases.
    pub search_quote_analyzer: String,
    /// What is made of the analyzer's tokens.
    pub shape: TextShape,
    /// BM25's `k1`.
    pub k1: f32,
    /// BM25's `b`.
    pub b: f32,
    /// Searchable.
    pub indexed: bool,
    /// Its length counts in scores.
    pub norms: bool,
    /// What is known of terms in queries: without positions there are no phrases, without frequencies each term counts once.
    pub index_options: IndexOptions,
    /// Positions between two values.
    pub position_increment_gap: u32,
}

/// What a text field makes of its analyzer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextShape {
    /// Terms as they are.
    #[default]
    Words,
    /// Runs of so many neighbouring words, joined by a space (`_2gram` of `search_as_you_type`).
    Shingles(usize),
    /// The first 1 to 20 letters of runs of so many words, shorter ones at the end (`_index_prefix`).
    ShinglePrefixes(usize),
}

/// A `flattened` field.
#[derive(Debug, Clone, PartialEq)]
pub struct FlattenedField {
    /// The deepest level that is taken.
    pub depth_limit: usize,
    /// Longer values (in characters) are not indexed.
    pub ignore_above: Option<usize>,
    /// Searchable.
    pub indexed: bool,
    /// Has columns.
    pub fast: bool,
    /// BM25's `k1` and `b`.
    pub bm25: (f32, f32),
    /// A full-text query looks up each word by itself.
    pub split_queries_on_whitespace: bool,
}

impl FlattenedField {
    /// What stands between key and value in a term of the keyed field.
    pub const SEPARATOR: char = '\0';

    /// The index's field of the values of `path`.
    pub fn values_field(path: &str) -> String {
        path.to_string()
    }

    /// The index's field of `key`, [`Self::SEPARATOR`], value.
    pub fn keyed_field(path: &str) -> String {
        format!("{path}._keyed")
    }
}

/// How a number is read and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberField {
    /// Searchable.
    pub indexed: bool,
    /// Has a column.
    pub fast: bool,
    /// Numbers in quotes are taken, and whole numbers are cut off from fractions.
    pub coerce: bool,
    /// A malformed value is left out.
    pub ignore_malformed: bool,
}

/// A vector field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorField {
    /// Numbers a vector; `None` until the first document tells.
    pub dims: Option<usize>,
    /// How near two vectors are.
    pub similarity: VectorSimilarity,
    /// How a number is kept.
    pub element: ElementType,
    /// How the vectors are searched.
    pub index: VectorIndexOptions,
    /// A `knn` search may use it.
    pub indexed: bool,
}

/// A semantic field.
#[derive(Debug, Clone, PartialEq)]
pub struct SemanticField {
    /// The bi-encoder's name; `None` for the default model.
    pub inference_id: Option<String>,
    /// How texts become passages.
    pub chunking: Option<ChunkingSettings>,
    /// How a number is kept.
    pub element: ElementType,
    /// How the vectors are searched.
    pub index: VectorIndexOptions,
    /// Paths in `_source` of the texts that are put before each passage.
    pub context: Vec<String>,
}

impl Field {
    /// Whether its values are analysed text.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, FieldKind::Text(_))
    }

    /// Whether it has vectors.
    pub fn is_vector(&self) -> bool {
        matches!(self.kind, FieldKind::DenseVector(_) | FieldKind::SemanticText(_))
    }
}

impl Field {
    /// Whether documents that were written with `old` in place of this field are as this field would have them, as far as the index
    /// keeps them: they may differ in what queries do, in what is refused or left out, and in what the first document completes.
    pub(crate) fn may_replace(&self, old: &Field) -> bool {
        self.nested == old.nested
            && self.included_in == old.included_in
            && self.kind.kept() == old.kind.kept_as(&self.kind)
    }
}

impl FieldKind {
    /// Itself without what may change.
    fn kept(&self) -> FieldKind {
        let mut kept = self.clone();
        match &mut kept {
            FieldKind::Text(text) => {
                text.search_analyzer.clear();
                text.search_quote_analyzer.clear();
                text.norms = true;
                (text.k1, text.b) = (0.0, 0.0);
            }
            FieldKind::Keyword { ignore_above, split_queries_on_whitespace, bm25, .. } => {
                *ignore_above = None;
                *split_queries_on_whitespace = false;
                *bm25 = (0.0, 0.0);
            }
            FieldKind::Integer { options, .. }
            | FieldKind::Unsigned(options)
            | FieldKind::Float { options, .. }
            | FieldKind::Date { options, .. }
            | FieldKind::TokenCount { options, .. }
            | FieldKind::Ip(options) => {
                options.coerce = true;
                options.ignore_malformed = false;
            }
            FieldKind::Boolean { ignore_malformed, .. } => *ignore_malformed = false,
            FieldKind::Flattened(flattened) => {
                flattened.ignore_above = None;
                flattened.depth_limit = 0;
                flattened.split_queries_on_whitespace = false;
                flattened.bm25 = (0.0, 0.0);
            }
            FieldKind::SemanticText(semantic) => {
                semantic.chunking = None;
                semantic.index = VectorIndexOptions::default();
            }
            // Merges write every segment anew, as the mapping says by then.
            FieldKind::DenseVector(vector) => vector.index = VectorIndexOptions::default(),
            FieldKind::RankFeature { .. } | FieldKind::RankFeatures { .. } | FieldKind::Binary => {}
        }
        kept
    }

    /// As [`FieldKind::kept`], completed as `new` is.
    fn kept_as(&self, new: &FieldKind) -> FieldKind {
        let mut kept = self.kept();
        match (&mut kept, new) {
            (FieldKind::DenseVector(old), FieldKind::DenseVector(new)) if old.dims.is_none() => {
                *old = VectorField { index: old.index, ..*new };
            }
            (FieldKind::Keyword { constant: old @ Some(None), .. }, FieldKind::Keyword { constant: new, .. }) => {
                old.clone_from(new);
            }
            _ => {}
        }
        kept
    }
}

/// What a mapping has beside its fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flattened {
    /// The fields, a parent before its multi-fields.
    pub fields: Vec<Field>,
    /// Other names of fields.
    pub aliases: Vec<FieldAlias>,
    /// The paths of the `nested` objects, outer ones first.
    pub nested: Vec<String>,
    /// The paths of the objects, `nested` ones too.
    pub objects: Vec<String>,
}

pub(super) fn flatten(definition: &IndexDefinition) -> Result<Flattened> {
    let mut walk =
        Walk { definition, out: Flattened::default(), copies: Vec::new(), scope: Scope::default(), parent: None };
    walk.properties("", None, &definition.mappings.properties)?;
    let Walk { mut out, copies, .. } = walk;
    for Copy { from, scope, to } in copies {
        let Some(target) = out.fields.iter_mut().find(|field| field.path == to) else {
            let text = format!("`copy_to` names {to:?}, which is no field of the mapping");
            return Err(Error::invalid_input(text).in_field(from));
        };
        // A nested document may copy to those around it, never the other way.
        let reaches = match (&target.nested, &scope) {
            (None, _) => true,
            (Some(inner), Some(outer)) => outer == inner || outer.starts_with(&format!("{inner}.")),
            (Some(_), None) => false,
        };
        if !reaches {
            let null = || "null".to_string();
            let reason = format!(
                "Illegal combination of [copy_to] and [nested] mappings: [copy_to] may only copy data to the current nested \
                 document or any of its parents, however one [copy_to] directive is trying to copy data from nested object \
                 [{}] to [{}]",
                scope.unwrap_or_else(null),
                target.nested.clone().unwrap_or_else(null)
            );
            let error = Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason);
            return Err(error.in_field(from));
        }
        if !target.sources.contains(&from) {
            target.sources.push(from);
        }
    }
    check_paths(&out)?;
    Ok(out)
}

fn check_paths(out: &Flattened) -> Result<()> {
    let mut paths = HashSet::new();
    let fields = out.fields.iter().map(|field| field.path.as_str());
    for path in fields.chain(out.aliases.iter().map(|alias| alias.path.as_str())) {
        if !paths.insert(path) {
            return Err(Error::invalid_input("is defined twice").in_field(path));
        }
    }
    for FieldAlias { path, target } in &out.aliases {
        if !out.fields.iter().any(|field| &field.path == target) {
            let why = if path == target {
                "an alias cannot refer to itself"
            } else if out.aliases.iter().any(|alias| &alias.path == target) {
                "an alias cannot refer to another alias"
            } else {
                "an alias must refer to an existing field in the mappings"
            };
            let reason = format!("Invalid [path] value [{target}] for field alias [{path}]: {why}.");
            let error = Error::invalid_input(reason.clone()).as_exception("mapper_parsing_exception", reason);
            return Err(error.in_field(path.clone()));
        }
    }
    Ok(())
}

struct Copy {
    from: String,
    /// The nested object that `from` lies in.
    scope: Option<String>,
    to: String,
}

/// The nested objects around a place.
#[derive(Debug, Clone, Default)]
struct Scope {
    nested: Option<String>,
    included_in: Vec<String>,
}

struct Walk<'a> {
    definition: &'a IndexDefinition,
    out: Flattened,
    copies: Vec<Copy>,
    scope: Scope,
    parent: Option<String>,
}

impl Walk<'_> {
    /// `source` is the path in `_source` for multi-fields, whose own path names no value there.
    fn properties(&mut self, prefix: &str, source: Option<&str>, properties: &Properties) -> Result<()> {
        for (name, mapping) in properties {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            self.field(&path, source.unwrap_or(&path), mapping).map_err(|error| error.in_field(path.clone()))?;
        }
        Ok(())
    }

    fn nested(&mut self, path: &str, nested: &NestedMapping) -> Result<()> {
        let mut inner = Scope { nested: Some(path.to_string()), included_in: Vec::new() };
        if nested.include_in_parent == Some(true) {
            inner.included_in.push(self.scope.nested.clone().unwrap_or_default());
            // What the enclosing document has, those around it may have too.
            inner.included_in.extend(self.scope.included_in.iter().cloned());
        }
        if nested.include_in_root == Some(true) && !inner.included_in.iter().any(String::is_empty) {
            inner.included_in.push(String::new());
        }
        self.out.nested.push(path.to_string());
        self.out.objects.push(path.to_string());
        let outer = std::mem::replace(&mut self.scope, inner);
        let walked = self.properties(path, None, &nested.properties);
        self.scope = outer;
        walked
    }

    fn field(&mut self, path: &str, source: &str, mapping: &FieldMapping) -> Result<()> {
        let mut null_value = None;
        let mut more = Vec::new();
        // What a field does not say of malformed values, its index does.
        let lenient = self.definition.settings.ignores_malformed();
        let kind = match mapping {
            FieldMapping::Object(object) => {
                if object.enabled != Some(false) {
                    self.out.objects.push(path.to_string());
                    self.properties(path, None, &object.properties)?;
                }
                return Ok(());
            }
            FieldMapping::Nested(nested) => return self.nested(path, nested),
            FieldMapping::Alias(alias) => {
                self.out.aliases.push(FieldAlias { path: path.to_string(), target: alias.path.clone() });
                return Ok(());
            }
            FieldMapping::Text(text) => self.text(text)?,
            FieldMapping::SearchAsYouType(text) => {
                let base = self.search_as_you_type(text)?;
                for size in 2..=text.max_shingle_size.unwrap_or(3) as usize {
                    let shape = TextShape::Shingles(size);
                    more.push((format!("{path}._{size}gram"), TextField { shape, ..base.clone() }));
                }
                let shape = TextShape::ShinglePrefixes(text.max_shingle_size.unwrap_or(3) as usize);
                let prefix = TextField { shape, norms: false, index_options: IndexOptions::Docs, ..base.clone() };
                more.push((format!("{path}._index_prefix"), prefix));
                FieldKind::Text(base)
            }
            FieldMapping::Keyword(keyword) | FieldMapping::Wildcard(keyword) => {
                null_value = keyword.null_value.as_ref();
                self.keyword(path, keyword)?
            }
            FieldMapping::ConstantKeyword(constant) => FieldKind::Keyword {
                ignore_above: None,
                indexed: true,
                fast: true,
                normalizer: None,
                split_queries_on_whitespace: false,
                bm25: (1.2, 0.75),
                norms: false,
                constant: Some(constant.value.clone()),
            },
            FieldMapping::Long(number) => {
                null_value = number.null_value.as_ref();
                integer(number, i64::MIN, i64::MAX, lenient)
            }
            FieldMapping::Integer(number) => {
                null_value = number.null_value.as_ref();
                integer(number, i32::MIN.into(), i32::MAX.into(), lenient)
            }
            FieldMapping::Short(number) => {
                null_value = number.null_value.as_ref();
                integer(number, i16::MIN.into(), i16::MAX.into(), lenient)
            }
            FieldMapping::Byte(number) => {
                null_value = number.null_value.as_ref();
                integer(number, i8::MIN.into(), i8::MAX.into(), lenient)
            }
            FieldMapping::UnsignedLong(number) => {
                null_value = number.null_value.as_ref();
                FieldKind::Unsigned(options(number, lenient))
            }
            FieldMapping::Double(number) => {
                null_value = number.null_value.as_ref();
                float(FloatPrecision::Double, options(number, lenient))
            }
            FieldMapping::Float(number) => {
                null_value = number.null_value.as_ref();
                float(FloatPrecision::Single, options(number, lenient))
            }
            FieldMapping::HalfFloat(number) => {
                null_value = number.null_value.as_ref();
                float(FloatPrecision::Half, options(number, lenient))
            }
            FieldMapping::ScaledFloat(scaled) => {
                null_value = scaled.null_value.as_ref();
                FieldKind::Float {
                    scaling_factor: Some(scaled.scaling_factor),
                    precision: FloatPrecision::Scaled(scaled.scaling_factor),
                    options: NumberField {
                        coerce: scaled.coerce.unwrap_or(true),
                        ..kept(scaled.index, scaled.doc_values, scaled.ignore_malformed.unwrap_or(lenient))
                    },
                }
            }
            FieldMapping::Boolean(boolean) => {
                null_value = boolean.null_value.as_ref();
                let NumberField { indexed, fast, ignore_malformed, .. } =
                    kept(boolean.index, boolean.doc_values, boolean.ignore_malformed.unwrap_or(lenient));
                FieldKind::Boolean { indexed, fast, ignore_malformed }
            }
            FieldMapping::Date(date) => {
                null_value = date.null_value.as_ref();
                FieldKind::Date {
                    formats: match &date.format {
                        Some(format) => DateFormats::read(format)?,
                        None => DateFormats::default(),
                    },
                    options: kept(date.index, date.doc_values, date.ignore_malformed.unwrap_or(lenient)),
                }
            }
            FieldMapping::Ip(ip) => {
                null_value = ip.null_value.as_ref();
                FieldKind::Ip(kept(ip.index, ip.doc_values, ip.ignore_malformed.unwrap_or(lenient)))
            }
            FieldMapping::Flattened(flattened) => {
                null_value = flattened.null_value.as_ref();
                self.flattened(flattened)?
            }
            FieldMapping::RankFeature(feature) => {
                null_value = feature.null_value.as_ref();
                FieldKind::RankFeature { positive_score_impact: feature.positive_score_impact.unwrap_or(true) }
            }
            FieldMapping::RankFeatures(feature) => {
                FieldKind::RankFeatures { positive_score_impact: feature.positive_score_impact.unwrap_or(true) }
            }
            FieldMapping::TokenCount(count) => {
                null_value = count.null_value.as_ref();
                FieldKind::TokenCount {
                    analyzer: self.analyzer(count.analyzer.as_deref())?,
                    counts_holes: count.enable_position_increments.unwrap_or(true),
                    options: kept(count.index, count.doc_values, false),
                }
            }
            FieldMapping::Binary(_) => FieldKind::Binary,
            FieldMapping::DenseVector(vector) => FieldKind::DenseVector(dense_vector(vector)),
            FieldMapping::SemanticText(semantic) => {
                if let Some(nested) = &self.scope.nested {
                    let reason = format!("semantic_text field [{path}] cannot be nested (in [{nested}])");
                    return Err(Error::unsupported(reason.clone()).as_exception("mapper_parsing_exception", reason));
                }
                for from in &semantic.copy_from {
                    self.copies.push(Copy { from: from.clone(), scope: None, to: path.to_string() });
                }
                FieldKind::SemanticText(semantic_text(semantic))
            }
        };
        let common = mapping.common();
        let field = Field {
            path: path.to_string(),
            type_name: mapping.type_name(),
            sources: vec![source.to_string()],
            kind,
            null_value: null_value.cloned(),
            nested: self.scope.nested.clone(),
            included_in: self.scope.included_in.clone(),
            parent: self.parent.clone(),
            meta: common.and_then(|common| common.meta().cloned()),
        };
        let inner = |(inner, text)| Field {
            path: inner,
            kind: FieldKind::Text(text),
            parent: Some(path.to_string()),
            ..field.clone()
        };
        let more: Vec<Field> = more.into_iter().map(inner).collect();
        self.out.fields.push(field);
        self.out.fields.extend(more);
        let copies = common.map(|common| common.copy_to()).unwrap_or_default();
        self.copies.extend(copies.iter().map(|to| Copy {
            from: source.to_string(),
            scope: self.scope.nested.clone(),
            to: to.clone(),
        }));
        let multi_fields = if let FieldMapping::SemanticText(semantic) = mapping {
            Some(&semantic.fields)
        } else {
            common.map(|common| common.multi_fields())
        };
        if let Some(multi_fields) = multi_fields.filter(|fields| !fields.is_empty()) {
            let outer = self.parent.replace(path.to_string());
            let walked = self.properties(path, Some(source), multi_fields);
            self.parent = outer;
            walked?;
        }
        Ok(())
    }

    /// The name of a field's analyzer: its own, else the index's default.
    fn analyzer(&self, name: Option<&str>) -> Result<String> {
        self.definition.analyzer_name(name)
    }

    fn text(&self, text: &TextMapping) -> Result<FieldKind> {
        let similarity = self.definition.settings.similarity(text.similarity.as_deref())?;
        let (analyzer, search_analyzer, search_quote_analyzer) = self.analyzers([
            text.analyzer.as_deref(),
            text.search_analyzer.as_deref(),
            text.search_quote_analyzer.as_deref(),
        ])?;
        Ok(FieldKind::Text(TextField {
            analyzer,
            search_analyzer,
            search_quote_analyzer,
            shape: TextShape::Words,
            k1: similarity.k1,
            b: similarity.b,
            indexed: text.index.unwrap_or(true),
            norms: text.norms.unwrap_or(true),
            index_options: text.index_options.unwrap_or_default(),
            position_increment_gap: text.position_increment_gap.unwrap_or(100),
        }))
    }

    fn search_as_you_type(&self, text: &SearchAsYouTypeMapping) -> Result<TextField> {
        let similarity = self.definition.settings.similarity(text.similarity.as_deref())?;
        let (analyzer, search_analyzer, search_quote_analyzer) = self.analyzers([
            text.analyzer.as_deref(),
            text.search_analyzer.as_deref(),
            text.search_quote_analyzer.as_deref(),
        ])?;
        Ok(TextField {
            analyzer,
            search_analyzer,
            search_quote_analyzer,
            shape: TextShape::Words,
            k1: similarity.k1,
            b: similarity.b,
            indexed: text.index.unwrap_or(true),
            norms: text.norms.unwrap_or(true),
            index_options: text.index_options.unwrap_or_default(),
            position_increment_gap: 100,
        })
    }

    /// The analyzers of documents, queries and phrases, each the one before where none is named.
    fn analyzers(&self, [index, search, quote]: [Option<&str>; 3]) -> Result<(String, String, String)> {
        let analyzer = self.analyzer(index)?;
        let search = match search {
            Some(name) => self.analyzer(Some(name))?,
            None if index.is_none() => self.definition.default_search_analyzer(&analyzer),
            None => analyzer.clone(),
        };
        let quote = match quote {
            Some(name) => self.analyzer(Some(name))?,
            None => search.clone(),
        };
        Ok((analyzer, search, quote))
    }

    fn keyword(&self, path: &str, keyword: &KeywordMapping) -> Result<FieldKind> {
        let similarity = self.definition.settings.similarity(keyword.similarity.as_deref())?;
        if let Some(name) = &keyword.normalizer {
            self.definition.check_normalizer(name, last(path))?;
        }
        Ok(FieldKind::Keyword {
            ignore_above: keyword.ignore_above.map(|above| above as usize),
            indexed: keyword.index.unwrap_or(true),
            fast: keyword.doc_values.unwrap_or(true),
            normalizer: keyword.normalizer.clone(),
            split_queries_on_whitespace: keyword.split_queries_on_whitespace.unwrap_or(false),
            bm25: (similarity.k1, similarity.b),
            norms: keyword.norms.unwrap_or(false),
            constant: None,
        })
    }

    fn flattened(&self, flattened: &FlattenedMapping) -> Result<FieldKind> {
        let similarity = self.definition.settings.similarity(flattened.similarity.as_deref())?;
        Ok(FieldKind::Flattened(FlattenedField {
            depth_limit: flattened.depth_limit.unwrap_or(20) as usize,
            ignore_above: flattened.ignore_above.map(|above| above as usize),
            indexed: flattened.index.unwrap_or(true),
            fast: flattened.doc_values.unwrap_or(true),
            bm25: (similarity.k1, similarity.b),
            split_queries_on_whitespace: flattened.split_queries_on_whitespace.unwrap_or(false),
        }))
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn integer(number: &NumberMapping, min: i64, max: i64, lenient: bool) -> FieldKind {
    FieldKind::Integer { min, max, options: options(number, lenient) }
}

fn float(precision: FloatPrecision, options: NumberField) -> FieldKind {
    FieldKind::Float { scaling_factor: None, precision, options }
}

/// * `lenient`: whether malformed values are left out where the field does not say.
fn options(number: &NumberMapping, lenient: bool) -> NumberField {
    NumberField {
        coerce: number.coerce.unwrap_or(true),
        ..kept(number.index, number.doc_values, number.ignore_malformed.unwrap_or(lenient))
    }
}

fn kept(index: Option<bool>, doc_values: Option<bool>, ignore_malformed: bool) -> NumberField {
    NumberField { indexed: index.unwrap_or(true), fast: doc_values.unwrap_or(true), coerce: true, ignore_malformed }
}

fn dense_vector(vector: &DenseVectorMapping) -> VectorField {
    let indexed = vector.index.unwrap_or(true);
    let default = match indexed {
        false => VectorIndexOptions { kind: VectorIndexKind::Flat, ..VectorIndexOptions::default() },
        true => VectorIndexOptions::default(),
    };
    VectorField {
        dims: vector.dims,
        similarity: vector.similarity.unwrap_or_default(),
        element: vector.element_type,
        index: vector.index_options.unwrap_or(default),
        indexed,
    }
}

fn semantic_text(semantic: &SemanticTextMapping) -> SemanticField {
    SemanticField {
        inference_id: semantic.inference_id.clone(),
        chunking: semantic.chunking_settings.clone(),
        element: semantic.element_type.unwrap_or_default(),
        index: semantic.index_options.unwrap_or_default(),
        context: semantic.context_from.clone(),
    }
}

/// The rule for unknown fields at the place `path` (a dotted path of an object, empty for the top).
pub(crate) fn dynamic_at(definition: &IndexDefinition, path: &str) -> Dynamic {
    let mut rule = definition.mappings.dynamic_rule();
    let mut properties = &definition.mappings.properties;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let Some(mapping) = properties.get(name) else { break };
        let Some(inner) = mapping.properties() else { break };
        if matches!(mapping, FieldMapping::Object(object) if object.enabled == Some(false)) {
            return Dynamic::False;
        }
        rule = mapping.dynamic().unwrap_or(rule);
        properties = inner;
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_multi_fields_and_copies_become_one_list() {
        let definition = IndexDefinition::parse(
            r#"{"mappings":{"properties":{
                "author":{"properties":{"name":{"type":"text","fields":{"raw":{"type":"keyword"}},"copy_to":"all"}}},
                "all":{"type":"text","analyzer":"english"},
                "meaning":{"type":"semantic_text","copy_from":["all_source","author.name"],"context_from":"title"}}}}"#,
        )
        .unwrap();
        let fields = definition.fields().unwrap();
        let found: Vec<_> = fields.iter().map(|field| (field.path.as_str(), field.sources.join(","))).collect();
        assert_eq!(
            found,
            [
                ("author.name", "author.name".to_string()),
                ("author.name.raw", "author.name".to_string()),
                ("all", "all,author.name".to_string()),
                ("meaning", "meaning,all_source,author.name".to_string()),
            ]
        );
    }

    #[test]
    fn the_nearest_object_decides_what_happens_to_unknown_fields() {
        let definition = IndexDefinition::parse(
            r#"{"mappings":{"dynamic":"strict","properties":{"a":{"dynamic":true,"properties":{"b":{"type":"object"}}},"c":{"enabled":false,"type":"object"}}}}"#,
        )
        .unwrap();
        for (path, rule) in [("", Dynamic::Strict), ("a", Dynamic::True), ("a.b", Dynamic::True), ("c", Dynamic::False)]
        {
            assert_eq!(dynamic_at(&definition, path), rule, "{path}");
        }
    }
}
