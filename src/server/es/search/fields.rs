//! `fields` and `docvalue_fields`: values of a hit beside its source.

use serde_json::{Map, Value};

use super::json;
use super::target::Target;
use super::values;
use crate::index::convert::{values_and_nulls_at, values_at};
use crate::index::doc_values::{ValueField, ValueKind};
use crate::index::fields::IndexField;
use crate::retrieve::DocLocator;
use crate::schema::date::Missing;
use crate::schema::flatten::{FieldKind, FloatPrecision};
use crate::schema::source_filter::Pattern;
use crate::server::es::error::{EsError, EsResult};

/// A field, or a pattern of fields, and how its values are printed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldSpec {
    pub(super) field: String,
    pub(super) format: Option<String>,
}

impl FieldSpec {
    /// Reads a list of names and of `{"field": .., "format": ..}`.
    ///
    /// # Errors
    /// `parsing_exception` for anything else.
    pub(super) fn parse_all(part: &str, value: &Value) -> EsResult<Vec<Self>> {
        let specs = value.as_array().map(Vec::as_slice).unwrap_or_default();
        specs.iter().map(|spec| Self::parse(part, spec)).collect()
    }

    fn parse(part: &str, value: &Value) -> EsResult<Self> {
        if let Value::String(field) = value {
            return Ok(Self { field: field.clone(), format: None });
        }
        let (mut field, mut format) = (None, None);
        for (name, value) in json::object(part, value)? {
            match name.as_str() {
                "field" => field = Some(json::text(part, name, value)?),
                "format" if value.is_null() => {}
                "format" => {
                    format = Some(json::text(part, name, value)?).filter(|format| format != "use_field_mapping")
                }
                "include_unmapped" => {
                    if json::boolean(part, name, value)? {
                        return Err(EsError::unsupported(format!("[include_unmapped] of [{part}]")));
                    }
                }
                _ => return Err(json::unknown_field("fields", name)),
            }
        }
        let field = field.ok_or_else(|| EsError::new(400, "x_content_parse_exception", "Required [field]"))?;
        Ok(Self { field, format })
    }

    /// Reads a comma-separated parameter.
    pub(super) fn from_names(names: Vec<String>) -> Vec<Self> {
        names.into_iter().map(|field| Self { field, format: None }).collect()
    }
}

/// The values that `fields` asks for, from the source by the mapping.
///
/// Fields of nested objects stand together, object by object. Values that do not fit their field are left out.
///
/// # Errors
/// `illegal_argument_exception` for a format that is none, or of a field that has none.
pub(super) fn from_source(
    specs: &[FieldSpec],
    target: &Target,
    source: &Map<String, Value>,
) -> EsResult<Map<String, Value>> {
    let mut found = Map::new();
    let chosen = choose(specs, target)?;
    collect_level(&chosen, None, target, source, &mut found)?;
    Ok(found)
}

/// The fields that some patterns name, each with its format; a later pattern wins.
fn choose<'t>(specs: &[FieldSpec], target: &'t Target) -> EsResult<Vec<(&'t IndexField, Option<String>)>> {
    let mut chosen: Vec<(&IndexField, Option<String>)> = Vec::new();
    for spec in specs {
        let pattern = Pattern::new(&spec.field);
        let is_pattern = spec.field.contains('*');
        for field in target.searcher.fields() {
            let path = field.definition.path.as_str();
            let inside =
                !is_pattern && path.strip_prefix(spec.field.as_str()).is_some_and(|rest| rest.starts_with('.'));
            let is_nested_below = inside && field.definition.nested.as_deref() == Some(spec.field.as_str());
            if !(pattern.matches(path) || is_nested_below) {
                continue;
            }
            if spec.format.is_some() && !is_pattern && !matches!(field.definition.kind, FieldKind::Date { .. }) {
                return Err(EsError::illegal_argument(format!(
                    "Field [{path}] of type [{}] doesn't support formats.",
                    field.definition.type_name
                )));
            }
            let format = spec.format.clone().filter(|_| matches!(field.definition.kind, FieldKind::Date { .. }));
            if let Some(format) = &format {
                values::date_formats(path, Some(format), target)?;
            }
            match chosen.iter_mut().find(|(known, _)| known.definition.path == path) {
                Some(known) => known.1 = format,
                None => chosen.push((field, format)),
            }
        }
    }
    Ok(chosen)
}

/// The values of the fields that lie in `level` (a nested path, or the document), and the objects of nested fields inside of it.
fn collect_level(
    chosen: &[(&IndexField, Option<String>)],
    level: Option<&str>,
    target: &Target,
    object: &Map<String, Value>,
    found: &mut Map<String, Value>,
) -> EsResult<()> {
    let relative = |path: &str| match level {
        Some(level) => path.strip_prefix(level).and_then(|rest| rest.strip_prefix('.')).map(str::to_string),
        None => Some(path.to_string()),
    };
    for (field, format) in chosen.iter().filter(|(field, _)| field.definition.nested.as_deref() == level) {
        let mut printed = Vec::new();
        for path in field.definition.sources.iter().filter_map(|path| relative(path)) {
            for value in values_and_nulls_at(object, &path) {
                let value = if value.is_null() { field.definition.null_value.as_ref() } else { Some(value) };
                printed.extend(value.and_then(|value| print_source_value(field, format.as_deref(), value, target)));
            }
        }
        if !printed.is_empty()
            && let Some(name) = relative(&field.definition.path)
        {
            found.insert(name, Value::Array(printed));
        }
    }
    let is_inside = |nested: &str| match level {
        None => true,
        Some(level) => nested.strip_prefix(level).is_some_and(|rest| rest.starts_with('.')),
    };
    let mut inner: Vec<&str> = chosen.iter().filter_map(|(field, _)| field.definition.nested.as_deref()).collect();
    inner.retain(|nested| Some(*nested) != level && is_inside(nested));
    inner.sort_unstable();
    inner.dedup();
    let mut outermost: Vec<&str> = Vec::new();
    for nested in inner {
        let is_covered =
            outermost.iter().any(|outer| nested.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.')));
        if !is_covered {
            outermost.push(nested);
        }
    }
    for nested in outermost {
        let Some(path) = relative(nested) else { continue };
        let mut objects = Vec::new();
        for child in values_at(object, &path).into_iter().filter_map(Value::as_object) {
            let mut of_child = Map::new();
            collect_level(chosen, Some(nested), target, child, &mut of_child)?;
            if !of_child.is_empty() {
                objects.push(Value::Object(of_child));
            }
        }
        if !objects.is_empty() {
            found.insert(path, Value::Array(objects));
        }
    }
    Ok(())
}

/// A value of the source as its field prints it; `None` for what the field does not take.
fn print_source_value(field: &IndexField, format: Option<&str>, value: &Value, target: &Target) -> Option<Value> {
    let path = field.definition.path.as_str();
    match &field.definition.kind {
        FieldKind::Date { .. } => {
            let formats = values::date_formats(path, None, target).ok()?;
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            };
            let millis = formats.parse(&text, None, Missing::Least)?;
            Some(values::print_date(millis, path, format, target))
        }
        FieldKind::Keyword { ignore_above, .. } => {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            let fits = ignore_above.is_none_or(|most| text.chars().count() <= most);
            fits.then(|| Value::String(super::normalize(target, path, &text)))
        }
        #[expect(clippy::cast_possible_truncation, reason = "as Elasticsearch's coercion, a fraction is cut")]
        FieldKind::Integer { .. } => match value {
            Value::Number(number) if number.is_i64() => Some(value.clone()),
            Value::Number(number) => number.as_f64().map(|number| Value::from(number as i64)),
            Value::String(text) => {
                let number = text.trim().parse::<f64>().ok()?;
                Some(text.trim().parse::<i64>().map_or_else(|_| Value::from(number as i64), Value::from))
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        },
        FieldKind::Unsigned(_) => match value {
            Value::Number(_) => Some(value.clone()),
            Value::String(text) => text.trim().parse::<u64>().ok().map(Value::from),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        },
        FieldKind::Float { .. } | FieldKind::RankFeature { .. } => {
            let number = match value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            number.map(|number| values::print_float(kept_number(&field.definition.kind, number)))
        }
        FieldKind::Boolean { .. } => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) if text == "true" => Some(Value::Bool(true)),
            Value::String(text) if text == "false" || text.is_empty() => Some(Value::Bool(false)),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        },
        FieldKind::Ip(_) => value.as_str().and_then(values::parse_ip).map(values::print_ip).map(Value::String),
        FieldKind::Text(_) | FieldKind::SemanticText(_) => match value {
            Value::String(_) => Some(value.clone()),
            Value::Number(number) => Some(Value::String(number.to_string())),
            Value::Bool(flag) => Some(Value::String(flag.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        },
        // Numbers of words come from their column ([`counted_columns`]).
        FieldKind::TokenCount { .. } => None,
        FieldKind::Flattened(_) | FieldKind::RankFeatures { .. } | FieldKind::Binary | FieldKind::DenseVector(_) => {
            Some(value.clone())
        }
    }
}

/// The number that a field keeps: a multiple, where it is scaled.
fn kept_number(kind: &FieldKind, number: f64) -> f64 {
    if let FieldKind::Float { precision: precision @ FloatPrecision::Scaled(_), .. } = kind {
        return precision.round(number);
    }
    number
}

/// The fields of `docvalue_fields`, found in one index.
pub(super) fn resolve_columns(specs: &[FieldSpec], target: &Target) -> EsResult<Vec<(ValueField, Option<String>)>> {
    let (mut found, mut num_mapped) = (Vec::new(), 0);
    for spec in specs {
        let names: Vec<String> = if spec.field.contains('*') {
            let pattern = Pattern::new(&spec.field);
            let fields = target.searcher.fields().iter().map(|field| field.definition.path.clone());
            fields.filter(|path| pattern.matches(path)).collect()
        } else {
            vec![spec.field.clone()]
        };
        let is_pattern = spec.field.contains('*');
        num_mapped += names.iter().filter(|name| target.field(name).is_some()).count();
        check_number(num_mapped, target)?;
        for name in names {
            let field = match ValueField::resolve(&target.searcher, &name, &target.index) {
                Ok(Some(field)) => field,
                Ok(None) => continue,
                // A pattern names what has values; a name must have them.
                Err(_) if is_pattern => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(format) = &spec.format {
                match field.kind {
                    ValueKind::Date => drop(values::date_formats(&name, Some(format), target)?),
                    ValueKind::Long | ValueKind::UnsignedLong | ValueKind::Double => {}
                    ValueKind::Boolean | ValueKind::Ip | ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName => {
                        return Err(EsError::illegal_argument(format!(
                            "Field [{name}] of type [{}] does not support custom formats",
                            values::type_name(field.kind)
                        )));
                    }
                }
            }
            found.push((field, spec.format.clone()));
        }
    }
    Ok(found)
}

/// The columns of the fields that `fields` names and whose values are not those of the source: numbers of words.
///
/// # Errors
/// As [`resolve_columns`].
pub(super) fn counted_columns(specs: &[FieldSpec], target: &Target) -> EsResult<Vec<(ValueField, Option<String>)>> {
    let mut found = Vec::new();
    for (field, _) in choose(specs, target)? {
        if !matches!(field.definition.kind, FieldKind::TokenCount { .. }) || field.definition.nested.is_some() {
            continue;
        }
        // Without a column there are no values, as in Elasticsearch.
        if let Ok(Some(column)) = ValueField::resolve(&target.searcher, &field.definition.path, &target.index) {
            found.push((column, None));
        }
    }
    Ok(found)
}

fn check_number(num_fields: usize, target: &Target) -> EsResult<()> {
    let most = target.limit("max_docvalue_fields_search", 100);
    if num_fields <= most {
        return Ok(());
    }
    Err(EsError::illegal_argument(format!(
        "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{most}] but was [{num_fields}]. This limit can be set by changing the [index.max_docvalue_fields_search] index level setting."
    )))
}

/// The values of one document in the columns that `docvalue_fields` named.
///
/// # Errors
/// `exception` when a column is damaged.
pub(super) fn from_columns(
    columns: &[(ValueField, Option<String>)],
    target: &Target,
    locator: DocLocator,
    root: DocLocator,
    found: &mut Map<String, Value>,
) -> EsResult<()> {
    for (field, format) in columns {
        let mut printed = Vec::new();
        // A nested object has the numbers of the document that it is of.
        let of = if matches!(field.name.as_str(), "_seq_no" | "_version") { root } else { locator };
        for value in target.searcher.values_of(field, of)? {
            printed.push(values::print_doc_value(&value, field.kind, &field.name, format.as_deref(), target));
        }
        if !printed.is_empty() {
            found.insert(field.name.clone(), Value::Array(printed));
        }
    }
    Ok(())
}
