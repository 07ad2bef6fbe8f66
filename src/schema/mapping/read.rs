//! A mapping as a user wrote it, checked field by field.

use serde_json::{Map, Value};

use super::types::AliasMapping;
use super::{
    Dynamic, DynamicTemplate, ElementType, FieldMapping, Mappings, NestedMapping, ObjectMapping, Properties,
    RoutingMapping, SourceMapping, VectorIndexKind, VectorIndexOptions,
};
use crate::error::{Error, Result};
use crate::schema::date::DateFormats;

/// Elasticsearch's name of errors in a mapping.
const EXCEPTION: &str = "mapper_parsing_exception";
/// The deepest object (`index.mapping.depth.limit`).
const MAX_DEPTH: usize = 20;

/// Names that a document's own field cannot have: Elasticsearch's and the engine's.
pub(crate) const RESERVED_NAMES: &[&str] = &[
    "_id",
    "_index",
    "_source",
    "_routing",
    "_ignored",
    "_ignored_source",
    "_seq_no",
    "_primary_term",
    "_version",
    "_nested_path",
    "_field_names",
    "_doc_count",
    "_tier",
    "_type",
    "_root_id",
    "_hash",
];

/// Types of Elasticsearch that this engine does not have.
const UNSUPPORTED_TYPES: &[&str] = &[
    "aggregate_metric_double",
    "completion",
    "counted_keyword",
    "date_nanos",
    "date_range",
    "double_range",
    "float_range",
    "geo_point",
    "geo_shape",
    "histogram",
    "integer_range",
    "ip_range",
    "join",
    "long_range",
    "match_only_text",
    "murmur3",
    "passthrough",
    "percolator",
    "point",
    "rank_vectors",
    "shape",
    "sparse_vector",
    "version",
];

/// Parameters whose value is true or false, also in quotes.
const FLAGS: &[&str] = &[
    "index",
    "doc_values",
    "norms",
    "store",
    "coerce",
    "ignore_malformed",
    "split_queries_on_whitespace",
    "eager_global_ordinals",
    "fielddata",
    "index_phrases",
    "enable_position_increments",
    "positive_score_impact",
    "include_in_parent",
    "include_in_root",
];
/// Parameters whose value is a number, also in quotes.
const NUMBERS: &[&str] =
    &["ignore_above", "position_increment_gap", "dims", "depth_limit", "max_shingle_size", "scaling_factor"];

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
                "dynamic" => mappings.dynamic = Some(dynamic(value)?),
                "properties" => mappings.properties = properties("", value, 1)?,
                "_meta" => mappings.meta = Some(value.clone()),
                "_source" => mappings.source = source(value)?,
                "_routing" => mappings.routing = routing(value)?,
                "date_detection" => mappings.date_detection = Some(flag(key, value)?),
                "numeric_detection" => mappings.numeric_detection = Some(flag(key, value)?),
                "dynamic_date_formats" => mappings.dynamic_date_formats = Some(date_formats(value)?),
                "dynamic_templates" => mappings.dynamic_templates = DynamicTemplate::list_from_value(value)?,
                "subobjects" if value == &Value::Bool(true) => {}
                "_size" | "_field_names" | "_data_stream_timestamp" | "_ignored" | "runtime" | "subobjects" => {
                    return Err(Error::unsupported(format!("{key:?} of `mappings` is not supported")));
                }
                other => {
                    let reason =
                        format!("Root mapping definition has unsupported parameters:  [{other} : {}]", plain(value));
                    let error = Error::unsupported(format!(
                        "unknown part {other:?} of `mappings`; `properties`, `dynamic` and `_meta` are the most used"
                    ));
                    return Err(error.as_exception(EXCEPTION, reason));
                }
            }
        }
        Ok(mappings)
    }
}

fn source(value: &Value) -> Result<Option<SourceMapping>> {
    let malformed = || Error::invalid_input("`_source` must be an object");
    let mut source = SourceMapping::default();
    for (key, value) in value.as_object().ok_or_else(malformed)? {
        let patterns = || {
            let list: Vec<String> = match value {
                Value::String(one) => vec![one.clone()],
                Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_string).collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                    return Err(Error::invalid_input(format!("`_source.{key}` must be a list of fields")));
                }
            };
            Ok(list)
        };
        match key.as_str() {
            "enabled" if flag("enabled", value)? => {}
            "mode" if value == "stored" => {}
            "includes" => source.includes = patterns()?,
            "excludes" => source.excludes = patterns()?,
            "enabled" | "mode" => {
                return Err(Error::unsupported(format!(
                    "`_source.{key}: {value}` is not supported: documents are kept"
                )));
            }
            other => {
                let reason = format!("unknown parameter [{other}] on metadata field [_source]");
                return Err(Error::unsupported(reason.clone()).as_exception(EXCEPTION, reason));
            }
        }
    }
    Ok((source != SourceMapping::default()).then_some(source))
}

fn routing(value: &Value) -> Result<Option<RoutingMapping>> {
    let malformed = || Error::invalid_input("`_routing` must be an object with `required`");
    let mut routing = RoutingMapping::default();
    for (key, value) in value.as_object().ok_or_else(malformed)? {
        match key.as_str() {
            "required" => routing.required = flag(key, value)?,
            other => {
                let reason = format!("unknown parameter [{other}] on metadata field [_routing]");
                return Err(Error::unsupported(reason.clone()).as_exception(EXCEPTION, reason));
            }
        }
    }
    Ok(routing.required.then_some(routing))
}

fn date_formats(value: &Value) -> Result<Vec<String>> {
    let formats: Vec<String> = match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_string).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(Error::invalid_input("`dynamic_date_formats` must be a list of formats"));
        }
    };
    for format in formats.iter().filter(|format| *format != "none") {
        if format.contains("epoch_millis") || format.contains("epoch_second") {
            let text = format!("Epoch [{format}] is not supported as dynamic date format");
            return Err(Error::invalid_input(text.clone()).as_exception("mapper_parsing_exception", text));
        }
        DateFormats::read(format)?;
    }
    Ok(formats)
}

fn flag(name: &str, value: &Value) -> Result<bool> {
    as_flag(value).ok_or_else(|| {
        let text = format!("Failed to parse value [{}] as only [true] or [false] are allowed.", plain(value));
        Error::invalid_input(format!("`{name}` must be true or false, got {value}"))
            .as_exception("illegal_argument_exception", text)
    })
}

fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn dynamic(value: &Value) -> Result<Dynamic> {
    match plain(value).as_str() {
        "true" => Ok(Dynamic::True),
        "false" => Ok(Dynamic::False),
        "strict" => Ok(Dynamic::Strict),
        other => Err(Error::unsupported(format!("`dynamic` is {other:?}; true, false and strict are supported"))),
    }
}

pub(super) fn properties(prefix: &str, value: &Value, depth: usize) -> Result<Properties> {
    let map = value.as_object().ok_or_else(|| {
        let error = Error::invalid_input("`properties` must be an object of fields");
        if prefix.is_empty() { error } else { error.in_field(prefix) }
    })?;
    let mut properties = Properties::default();
    for (name, body) in map {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if depth > MAX_DEPTH {
            let reason = format!("Limit of mapping depth [{MAX_DEPTH}] has been exceeded due to object field [{path}]");
            let error = Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason);
            return Err(error.in_field(path));
        }
        let is_reserved = prefix.is_empty() && RESERVED_NAMES.contains(&name.as_str());
        if is_reserved || name.split('.').any(|part| part.trim().is_empty()) {
            let reason = if is_reserved {
                format!("Field [{name}] is defined more than once")
            } else {
                "field name cannot be an empty string".to_string()
            };
            let error = Error::invalid_input("a field's name must not be empty nor one of the engine's own");
            return Err(error.as_exception(EXCEPTION, reason).in_field(path));
        }
        let mapping = field_at(&path, body, depth)?;
        place(&mut properties, name, mapping).map_err(|error| error.in_field(path))?;
    }
    Ok(properties)
}

/// Puts a field in its place: a name with dots is a path of objects.
fn place(properties: &mut Properties, name: &str, mapping: FieldMapping) -> Result<()> {
    let Some((first, rest)) = name.split_once('.') else {
        match (properties.get_mut(name), mapping) {
            (Some(FieldMapping::Object(there)), FieldMapping::Object(more)) => {
                there.dynamic = more.dynamic.or(there.dynamic);
                there.enabled = more.enabled.or(there.enabled);
                for (inner, mapping) in &more.properties {
                    place(&mut there.properties, inner, mapping.clone())?;
                }
            }
            (Some(_), _) => return Err(Error::invalid_input("is defined twice")),
            (None, mapping) => {
                properties.insert(name.to_string(), mapping);
            }
        }
        return Ok(());
    };
    let object = properties.entry(first.to_string()).or_insert_with(|| FieldMapping::Object(ObjectMapping::default()));
    let Some(inner) = object.properties_mut() else { return Err(Error::invalid_input("is defined twice")) };
    place(inner, rest, mapping)?;
    Ok(())
}

/// Reads one field's mapping; `path` is its dotted name.
pub(crate) fn field(path: &str, body: &Value) -> Result<FieldMapping> {
    field_at(path, body, 1 + path.matches('.').count())
}

fn field_at(path: &str, body: &Value, depth: usize) -> Result<FieldMapping> {
    let Some(map) = body.as_object() else {
        let reason = format!("Expected map for property [fields] on field [{path}] but got a class java.lang.String");
        return Err(Error::invalid_input("must be an object").as_exception(EXCEPTION, reason).in_field(path));
    };
    let kind = match map.get("type") {
        Some(kind) => kind.as_str().ok_or_else(|| Error::invalid_input("`type` must be text").in_field(path))?,
        None if map.is_empty() || map.keys().all(|key| OBJECT_PARAMETERS.contains(&key.as_str())) => "object",
        None => {
            let reason = format!("No type specified for field [{path}]");
            return Err(Error::invalid_input("has no `type`").as_exception(EXCEPTION, reason).in_field(path));
        }
    };
    match kind {
        "object" => return object(path, map, depth).map(FieldMapping::Object),
        "nested" => return nested(path, map, depth),
        "alias" => return alias(path, map),
        _ => {}
    }
    let mut map = map.clone();
    map.insert("type".into(), Value::from(kind));
    let fields = map.remove("fields");
    lenient_values(kind, &mut map);
    let mut mapping: FieldMapping = serde_json::from_value(Value::Object(map.clone()))
        .map_err(|error| refuse(path, kind, &map, &error).in_field(path))?;
    if let Some(fields) = fields.filter(|fields| !fields.is_null()) {
        let multi_fields = multi_fields(path, &fields, depth)?;
        match mapping.multi_fields_mut() {
            Some(place) => *place = multi_fields,
            None => {
                let reason = format!("unknown parameter [fields] on mapper [{}] of type [{kind}]", last(path));
                let error = Error::unsupported(format!("multi-fields of a {kind} are not supported"));
                return Err(error.as_exception(EXCEPTION, reason).in_field(path));
            }
        }
    }
    check(path, &mapping).map_err(|error| error.in_field(path))?;
    Ok(mapping)
}

const OBJECT_PARAMETERS: &[&str] = &["properties", "dynamic", "enabled", "subobjects"];

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn multi_fields(path: &str, value: &Value, depth: usize) -> Result<Properties> {
    let fields = properties(path, value, depth)?;
    for (name, mapping) in &fields {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other types can be multi-fields")]
        let reason = match mapping {
            FieldMapping::Object(_)
            | FieldMapping::Nested(_)
            | FieldMapping::Alias(_)
            | FieldMapping::SemanticText(_)
            | FieldMapping::DenseVector(_)
            | FieldMapping::Flattened(_) => {
                Some(format!("Type [{}] cannot be used in multi field", mapping.type_name()))
            }
            _ if mapping.common().is_some_and(|common| !common.copy_to().is_empty()) => Some(
                "copy_to in multi fields is not allowed. Found the copy_to in field which is within a multi field."
                    .to_string(),
            ),
            _ => None,
        };
        if let Some(reason) = reason {
            let error = Error::unsupported(format!("a multi-field cannot be this: {reason}"));
            return Err(error.as_exception(EXCEPTION, reason).in_field(format!("{path}.{name}")));
        }
    }
    Ok(fields)
}

/// Brings values into the form that serde takes, and drops parameters that say what is the case anyway.
fn lenient_values(kind: &str, map: &mut Map<String, Value>) {
    for name in FLAGS {
        if let Some(value) = map.get_mut(*name)
            && let Some(flag) = as_flag(value)
        {
            *value = Value::Bool(flag);
        }
    }
    for name in NUMBERS {
        if let Some(Value::String(text)) = map.get(*name)
            && let Ok(number) = text.parse::<serde_json::Number>()
        {
            map.insert((*name).to_string(), Value::Number(number));
        }
    }
    if map.get("boost").and_then(Value::as_f64) == Some(1.0) {
        map.remove("boost");
    }
    if matches!(kind, "text" | "search_as_you_type") && map.get("doc_values") == Some(&Value::Bool(false)) {
        map.remove("doc_values");
    }
    if kind == "alias" || map.get("null_value").is_some_and(Value::is_null) {
        map.remove("null_value");
    }
}

fn alias(path: &str, map: &Map<String, Value>) -> Result<FieldMapping> {
    match (map.get("path"), map.len()) {
        (Some(Value::String(target)), 2) => Ok(FieldMapping::Alias(AliasMapping { path: target.clone() })),
        (None, _) => {
            let reason = format!("The [path] property must be specified for field [{}].", last(path));
            Err(Error::invalid_input("an alias needs `path`").as_exception(EXCEPTION, reason).in_field(path))
        }
        _ => Err(Error::unsupported("an alias has `path` and nothing else").in_field(path)),
    }
}

fn object(path: &str, map: &Map<String, Value>, depth: usize) -> Result<ObjectMapping> {
    let mut object = ObjectMapping::default();
    for (key, value) in map {
        match key.as_str() {
            "type" => {}
            "properties" => object.properties = properties(path, value, depth + 1)?,
            "dynamic" => object.dynamic = Some(dynamic(value).map_err(|error| error.in_field(path))?),
            "enabled" => object.enabled = Some(flag(key, value).map_err(|error| error.in_field(path))?),
            "subobjects" if value == &Value::Bool(true) => {}
            other => return Err(unknown_parameter(path, "object", other)),
        }
    }
    Ok(object)
}

fn nested(path: &str, map: &Map<String, Value>, depth: usize) -> Result<FieldMapping> {
    let mut nested = NestedMapping::default();
    for (key, value) in map {
        let flag = || flag(key, value).map_err(|error| error.in_field(path));
        match key.as_str() {
            "type" => {}
            "properties" => nested.properties = properties(path, value, depth + 1)?,
            "dynamic" => nested.dynamic = Some(dynamic(value).map_err(|error| error.in_field(path))?),
            "include_in_parent" => nested.include_in_parent = Some(flag()?),
            "include_in_root" => nested.include_in_root = Some(flag()?),
            other => return Err(unknown_parameter(path, "nested", other)),
        }
    }
    Ok(FieldMapping::Nested(nested))
}

fn unknown_parameter(path: &str, kind: &str, parameter: &str) -> Error {
    let reason = format!("unknown parameter [{parameter}] on mapper [{}] of type [{kind}]", last(path));
    Error::unsupported(format!("unknown parameter {parameter:?} of type {kind:?}"))
        .as_exception(EXCEPTION, reason)
        .in_field(path)
}

/// Why serde did not take a mapping.
fn refuse(path: &str, kind: &str, map: &Map<String, Value>, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if UNSUPPORTED_TYPES.contains(&kind) {
        let text = format!("type {kind:?} is not supported; see schema/index.json for those that are");
        let reason = format!("type [{kind}] of field [{path}] is not supported by Bifocal");
        return Error::unsupported(text).as_exception(EXCEPTION, reason);
    }
    if text.starts_with("unknown variant") && text.contains(&format!("`{kind}`")) {
        let text = format!("type {kind:?} is not supported; see schema/index.json for those that are");
        let reason = format!("No handler for type [{kind}] declared on field [{}]", last(path));
        return Error::unsupported(text).as_exception(EXCEPTION, reason);
    }
    if text.starts_with("unknown field") {
        let parameter = text.split('`').nth(1).unwrap_or_default().to_string();
        let reason = format!("unknown parameter [{parameter}] on mapper [{}] of type [{kind}]", last(path));
        return Error::unsupported(format!("{text} (parameter of type {kind:?})")).as_exception(EXCEPTION, reason);
    }
    if let Some(kind) = map.get("index_options").and_then(|options| options.get("type")).and_then(Value::as_str)
        && text.contains(&format!("`{kind}`"))
    {
        let known = ["bbq_flat", "bbq_hnsw", "bbq_disk", "int4_flat", "int4_hnsw"].contains(&kind);
        let reason = if known {
            format!(
                "vector index type [{kind}] of field [{path}] is not supported by Bifocal; use int8_hnsw or int8_flat"
            )
        } else {
            format!("Unknown vector index options type [{kind}] for field [{}]", last(path))
        };
        return Error::unsupported(format!("{text} (type {kind:?})")).as_exception(EXCEPTION, reason);
    }
    if kind == "dense_vector" && text.contains("unknown variant `bit`") {
        let reason = format!("element_type [bit] of field [{path}] is not supported by Bifocal");
        return Error::unsupported(format!("{text} (type {kind:?})")).as_exception(EXCEPTION, reason);
    }
    let reason = format!("Failed to parse mapping of field [{path}] of type [{kind}]: {text}");
    Error::invalid_input(format!("{text} (type {kind:?})")).as_exception(EXCEPTION, reason)
}

fn check(path: &str, mapping: &FieldMapping) -> Result<()> {
    let wrong = |text: String| Err(Error::invalid_input(text.clone()).as_exception(EXCEPTION, text));
    match mapping {
        FieldMapping::Text(text) if text.fielddata == Some(true) => Err(Error::unsupported(
            "`fielddata: true` of a text field is not supported; sort and aggregate by a keyword sub-field",
        )),
        FieldMapping::SearchAsYouType(text) if text.max_shingle_size.is_some_and(|size| !(2..=4).contains(&size)) => {
            wrong(format!(
                "[max_shingle_size] must be at least [2] and at most [4], got [{}]",
                text.max_shingle_size.unwrap_or_default()
            ))
        }
        FieldMapping::ScaledFloat(scaled) if scaled.scaling_factor == 0.0 => {
            wrong(format!("Field [{}] misses required parameter [scaling_factor] (`scaling_factor` > 0)", last(path)))
        }
        FieldMapping::ScaledFloat(scaled) if !(scaled.scaling_factor > 0.0 && scaled.scaling_factor.is_finite()) => {
            wrong(format!("[scaling_factor] must be a positive number, got [{}]", scaled.scaling_factor))
        }
        FieldMapping::Date(date) => {
            if let Some(locale) = &date.locale
                && !(locale.eq_ignore_ascii_case("root") || locale.to_ascii_lowercase().starts_with("en"))
            {
                return Err(Error::unsupported(format!(
                    "`locale` {locale:?} of a date is not supported; month and day names are English"
                )));
            }
            date.format.as_deref().map_or(Ok(()), |format| {
                DateFormats::read(format).map(|_| ()).map_err(|error| {
                    let reason = format!("Error parsing [format] on field [{}]: {}", last(path), error.message());
                    error.wrapped_in_exception(EXCEPTION, reason)
                })
            })
        }
        FieldMapping::TokenCount(count) if count.analyzer.is_none() => {
            wrong(format!("Analyzer must be set for field [{}] but wasn't.", last(path)))
        }
        FieldMapping::Binary(binary) if binary.doc_values == Some(true) => {
            Err(Error::unsupported("`doc_values: true` of a binary field is not supported"))
        }
        FieldMapping::DenseVector(vector) => {
            if let Some(dims) = vector.dims
                && !(1..=4096).contains(&dims)
            {
                return Err(Error::invalid_input(format!("`dims` must lie in 1..=4096, got {dims}")).as_exception(
                    EXCEPTION,
                    format!("The number of dimensions should be in the range [1, 4096] but was [{dims}]"),
                ));
            }
            if vector.index == Some(false) && (vector.similarity.is_some() || vector.index_options.is_some()) {
                let parameter = if vector.similarity.is_some() { "similarity" } else { "index_options" };
                return wrong(format!(
                    "Field [{parameter}] can only be specified for a field of type [dense_vector] when it is indexed"
                ));
            }
            let int8 = |options: &VectorIndexOptions| {
                matches!(options.kind, VectorIndexKind::Int8Flat | VectorIndexKind::Int8Hnsw)
            };
            if vector.element_type == ElementType::Byte && vector.index_options.as_ref().is_some_and(int8) {
                let kind = if vector.index_options.is_some_and(|options| options.kind == VectorIndexKind::Int8Flat) {
                    "int8_flat"
                } else {
                    "int8_hnsw"
                };
                return wrong(format!("[element_type] cannot be [byte] when using index type [{kind}]"));
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
        FieldMapping::Text(_)
        | FieldMapping::Keyword(_)
        | FieldMapping::ConstantKeyword(_)
        | FieldMapping::Wildcard(_)
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
        | FieldMapping::Ip(_)
        | FieldMapping::Object(_)
        | FieldMapping::Nested(_)
        | FieldMapping::Flattened(_)
        | FieldMapping::SearchAsYouType(_)
        | FieldMapping::RankFeature(_)
        | FieldMapping::RankFeatures(_)
        | FieldMapping::TokenCount(_)
        | FieldMapping::Binary(_)
        | FieldMapping::Alias(_) => Ok(()),
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
