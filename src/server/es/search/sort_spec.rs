//! `sort` and `search_after`: read, found in one index, and printed.

use serde_json::Value;

use super::json;
use super::target::Target;
use super::values;
use crate::index::doc_values::{ValueField, ValueKind};
use crate::retrieve::collect::{Direction, FieldSort, Missing, Mode, NestedSort, SortBy, SortKey, SortKind, SortValue};
use crate::server::es::error::{EsError, EsResult};

/// One key as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SortSpec {
    pub(super) field: String,
    descending: Option<bool>,
    missing: Option<Value>,
    mode: Option<Mode>,
    unmapped_type: Option<String>,
    numeric_type: Option<SortKind>,
    format: Option<String>,
    nested: Option<NestedSpec>,
}

#[derive(Debug, Clone, PartialEq)]
struct NestedSpec {
    path: String,
    filter: Option<Value>,
}

/// An order in one index.
#[derive(Debug, Clone)]
pub(super) struct ResolvedSort {
    pub(super) keys: Vec<SortKey>,
    /// How values are printed and read, key by key.
    pub(super) formats: Vec<ValueFormat>,
}

/// How a key's values are printed and read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueFormat {
    /// `None` for `_score`, `_doc`, and fields that are not mapped.
    kind: Option<ValueKind>,
    /// The field, for its own format.
    field: String,
    format: Option<String>,
}

impl SortSpec {
    /// The key of a name alone.
    fn named(field: &str) -> Self {
        Self {
            field: field.to_string(),
            descending: None,
            missing: None,
            mode: None,
            unmapped_type: None,
            numeric_type: None,
            format: None,
            nested: None,
        }
    }

    /// `_shard_doc`, which sets any two documents apart.
    pub(super) fn shard_doc() -> Self {
        Self::named("_shard_doc")
    }

    /// `_score`, the best first.
    pub(super) fn score() -> Self {
        Self::named("_score")
    }

    pub(super) fn is_descending(&self) -> bool {
        self.descending.unwrap_or(self.field == "_score")
    }

    /// The order that a search has anyway.
    pub(super) fn is_score_descending(&self) -> bool {
        self.field == "_score" && self.is_descending()
    }

    /// Reads `sort`: a name, an object, or several.
    ///
    /// # Errors
    /// `parsing_exception` and `illegal_argument_exception`, as Elasticsearch; sorts by scripts and distances are refused.
    pub(super) fn parse_all(value: &Value) -> EsResult<Vec<Self>> {
        let mut specs = Vec::new();
        match value {
            Value::Array(values) => values.iter().try_for_each(|value| Self::parse_one(value, &mut specs))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Self::parse_one(value, &mut specs)?;
            }
        }
        Ok(specs)
    }

    fn parse_one(value: &Value, specs: &mut Vec<Self>) -> EsResult<()> {
        match value {
            Value::String(name) => specs.push(Self::named(name)),
            Value::Object(keys) => {
                for (name, options) in keys {
                    specs.push(Self::parse_key(name, options)?);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err(EsError::illegal_argument(
                    "malformed sort format, within the sort array, an object, or an actual string are allowed",
                ));
            }
        }
        Ok(())
    }

    fn parse_key(name: &str, options: &Value) -> EsResult<Self> {
        if matches!(name, "_script" | "_geo_distance" | "_geoDistance") {
            return Err(EsError::unsupported(format!("sort by [{name}]")));
        }
        let mut spec = Self::named(name);
        let options = match options {
            Value::String(order) => {
                spec.descending = Some(parse_order(order)?);
                return Ok(spec);
            }
            Value::Object(options) => options,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err(EsError::parsing(format!(
                    "malformed sort of [{name}]: expected an order or an object, found [{}]",
                    json::token_name(options)
                )));
            }
        };
        for (option, value) in options {
            match option.as_str() {
                "order" => spec.descending = Some(parse_order(&json::text("field_sort", option, value)?)?),
                _ if name == "_score" => {
                    return Err(EsError::new(
                        400,
                        "x_content_parse_exception",
                        format!("[_score] unknown field [{option}]"),
                    ));
                }
                "missing" => spec.missing = Some(value.clone()),
                "mode" => spec.mode = Some(parse_mode(&json::text("field_sort", option, value)?)?),
                "unmapped_type" => spec.unmapped_type = Some(json::text("field_sort", option, value)?),
                "numeric_type" => {
                    spec.numeric_type = Some(parse_numeric_type(&json::text("field_sort", option, value)?)?)
                }
                "format" => spec.format = Some(json::text("field_sort", option, value)?),
                "nested" => spec.nested = Some(NestedSpec::parse(value)?),
                "nested_path" | "nested_filter" => {
                    return Err(EsError::illegal_argument(format!(
                        "[{option}] has been removed in favour of the [nested] parameter"
                    )));
                }
                // Kept by old clients; a field that is not mapped says `unmapped_type` today.
                "ignore_unmapped" => return Err(EsError::unsupported("[ignore_unmapped] of a sort")),
                _ => return Err(json::unknown_field("field_sort", option)),
            }
        }
        Ok(spec)
    }

    /// Reads the parameter `sort`: `field,field:desc`.
    pub(super) fn parse_param(text: &str) -> EsResult<Vec<Self>> {
        let one = |part: &str| {
            let Some((name, order)) = part.rsplit_once(':') else { return Ok(Self::named(part)) };
            let mut spec = Self::named(name);
            spec.descending = Some(parse_order(order)?);
            Ok(spec)
        };
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
    }

    fn resolve(&self, target: &Target) -> EsResult<(SortKey, ValueFormat)> {
        let direction = if self.is_descending() { Direction::Descending } else { Direction::Ascending };
        let plain =
            |by| (SortKey { by, direction }, ValueFormat { kind: None, field: self.field.clone(), format: None });
        match self.field.as_str() {
            "_score" => return Ok(plain(SortBy::Score)),
            "_doc" => return Ok(plain(SortBy::Doc)),
            "_shard_doc" => return Ok(plain(SortBy::ShardDoc)),
            "_id" => {
                return Err(EsError::illegal_argument(
                    "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled",
                ));
            }
            _ => {}
        }
        let found = ValueField::resolve(&target.searcher, &self.field, &target.index)?;
        let kind = match (&found, &self.unmapped_type) {
            (Some(field), _) => field.kind,
            (None, Some(unmapped)) => unmapped_kind(unmapped)?,
            (None, None) => {
                return Err(target.shard_error(format!("No mapping found for [{}] in order to sort on", self.field)));
            }
        };
        let sort_kind = match self.numeric_type {
            Some(numeric) if kind.is_numeric() => numeric,
            Some(_) => {
                return Err(EsError::illegal_argument(format!(
                    "[numeric_type] option cannot be set on a non-numeric field, got {}",
                    values::type_name(kind)
                )));
            }
            None => SortKind::from(kind),
        };
        let is_text = matches!(sort_kind, SortKind::Text | SortKind::Ip);
        if is_text && matches!(self.mode, Some(Mode::Sum | Mode::Avg | Mode::Median)) {
            return Err(EsError::illegal_argument("we only support AVG, MEDIAN and SUM on number based fields"));
        }
        let format = ValueFormat { kind: Some(kind), field: self.field.clone(), format: self.format.clone() };
        let missing = match &self.missing {
            None => Missing::Last,
            Some(Value::String(text)) if text == "_last" => Missing::Last,
            Some(Value::String(text)) if text == "_first" => Missing::First,
            Some(value) => Missing::Value(format.read(value, target)?),
        };
        let nested = self.nested.as_ref().map(|nested| nested.resolve(target)).transpose()?;
        let field = FieldSort { field: found, kind: sort_kind, missing, mode: self.mode, nested };
        Ok((SortKey { by: SortBy::Field(Box::new(field)), direction }, format))
    }
}

impl NestedSpec {
    fn parse(value: &Value) -> EsResult<Self> {
        let (mut path, mut filter, mut inner) = (None, None, None);
        for (name, value) in json::object("nested_sort", value)? {
            match name.as_str() {
                "path" => path = Some(json::text("nested_sort", name, value)?),
                "filter" => filter = Some(value.clone()),
                "nested" => inner = Some(Self::parse(value)?),
                "max_children" => return Err(EsError::unsupported("[max_children] of a nested sort")),
                _ => return Err(json::unknown_field("nested_sort", name)),
            }
        }
        let path = path.ok_or_else(|| EsError::illegal_argument("Required [path] of a nested sort"))?;
        match inner {
            Some(_) if filter.is_some() => Err(EsError::unsupported("a [filter] above another [nested] of a sort")),
            Some(inner) => Ok(inner),
            None => Ok(Self { path, filter }),
        }
    }

    fn resolve(&self, target: &Target) -> EsResult<NestedSort> {
        let filter = self.filter.as_ref().map(|filter| target.parse_nested_query(filter, &self.path)).transpose()?;
        Ok(NestedSort { path: self.path.clone(), filter })
    }
}

/// Finds an order in one index. By score alone, the best first, is no order at all.
///
/// # Errors
/// `query_shard_exception` for a field that is not mapped; those of fields that cannot be ordered by.
pub(super) fn resolve(specs: &[SortSpec], target: &Target) -> EsResult<ResolvedSort> {
    if let [only] = specs
        && only.is_score_descending()
    {
        return Ok(ResolvedSort { keys: Vec::new(), formats: Vec::new() });
    }
    let (keys, formats) =
        specs.iter().map(|spec| spec.resolve(target)).collect::<EsResult<Vec<_>>>()?.into_iter().unzip();
    Ok(ResolvedSort { keys, formats })
}

impl ResolvedSort {
    /// Reads `search_after`.
    ///
    /// # Errors
    /// `illegal_argument_exception` where the number or a type of values differs.
    pub(super) fn read_after(&self, after: &[Value], target: &Target) -> EsResult<Vec<SortValue>> {
        let expected = self.keys.len().max(1);
        if after.len() != expected {
            return Err(EsError::illegal_argument(format!(
                "search_after has {} value(s) but sort has {expected}.",
                after.len()
            )));
        }
        if self.keys.is_empty() {
            return after.iter().map(|value| read_number("_score", value)).collect();
        }
        let read = |(key, (format, value)): (&SortKey, (&ValueFormat, &Value))| match &key.by {
            SortBy::Score | SortBy::Doc | SortBy::ShardDoc => read_number(&format.field, value),
            SortBy::Field(_) => format.read(value, target),
        };
        self.keys.iter().zip(self.formats.iter().zip(after)).map(read).collect()
    }

    /// The values of a hit, printed.
    pub(super) fn print(&self, hit: &[SortValue], target: &Target) -> Vec<Value> {
        let print = |(format, (key, value)): (&ValueFormat, (&SortKey, &SortValue))| match (&key.by, value) {
            #[expect(clippy::cast_possible_truncation, reason = "a score has single precision")]
            (SortBy::Score, SortValue::Float(score)) => json::score(*score as f32),
            (SortBy::Score | SortBy::Doc | SortBy::ShardDoc | SortBy::Field(_), value) => format.print(value, target),
        };
        self.formats.iter().zip(self.keys.iter().zip(hit)).map(print).collect()
    }
}

impl ValueFormat {
    fn read(&self, value: &Value, target: &Target) -> EsResult<SortValue> {
        let Some(kind) = self.kind else { return read_number(&self.field, value) };
        values::read(kind, &self.field, self.format.as_deref(), value, target)
    }

    fn print(&self, value: &SortValue, target: &Target) -> Value {
        match (value, self.kind) {
            (SortValue::Int(millis), Some(ValueKind::Date)) if self.format.is_some() => {
                // What stands for a missing value is no date.
                if *millis == i64::MAX || *millis == i64::MIN {
                    return Value::from(*millis);
                }
                values::print_date(*millis, &self.field, self.format.as_deref(), target)
            }
            _ => values::print_sort_value(value),
        }
    }
}

fn read_number(field: &str, value: &Value) -> EsResult<SortValue> {
    let found = match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Some(SortValue::Int(number)),
            (None, number) => number.map(SortValue::Float),
        },
        Value::String(text) => text.parse().map(SortValue::Int).or_else(|_| text.parse().map(SortValue::Float)).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    found.ok_or_else(|| EsError::illegal_argument(format!("Failed to parse search_after value for field [{field}].")))
}

fn parse_order(text: &str) -> EsResult<bool> {
    match text.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(EsError::illegal_argument(format!("Unknown SortOrder [{text}]"))),
    }
}

fn parse_mode(text: &str) -> EsResult<Mode> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "min" => Mode::Min,
        "max" => Mode::Max,
        "sum" => Mode::Sum,
        "avg" => Mode::Avg,
        "median" => Mode::Median,
        _ => return Err(EsError::illegal_argument(format!("Unknown SortMode [{text}]"))),
    })
}

fn parse_numeric_type(text: &str) -> EsResult<SortKind> {
    Ok(match text {
        "long" | "date" => SortKind::Long,
        "double" => SortKind::Double,
        "date_nanos" => return Err(EsError::unsupported("[numeric_type] date_nanos of a sort")),
        _ => {
            return Err(EsError::illegal_argument(format!(
                "invalid value for [numeric_type], must be [long, double, date, date_nanos], got {text}"
            )));
        }
    })
}

fn unmapped_kind(name: &str) -> EsResult<ValueKind> {
    Ok(match name {
        "long" | "integer" | "short" | "byte" => ValueKind::Long,
        "unsigned_long" => ValueKind::UnsignedLong,
        "double" | "float" | "half_float" | "scaled_float" => ValueKind::Double,
        "date" => ValueKind::Date,
        "boolean" => ValueKind::Boolean,
        "ip" => ValueKind::Ip,
        "keyword" => ValueKind::Keyword,
        _ => return Err(EsError::illegal_argument(format!("No mapper found for type [{name}]"))),
    })
}

/// The keys of a search in which any two documents differ, so that a later request can go on after any of them.
pub(super) fn with_tiebreaker(specs: &[SortSpec]) -> Vec<SortSpec> {
    let mut specs = specs.to_vec();
    if specs.is_empty() {
        specs.push(SortSpec::score());
    }
    if !specs.iter().any(|spec| spec.field == "_shard_doc") {
        specs.push(SortSpec::shard_doc());
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_forms_of_a_sort_are_read() {
        let cases = [
            (json!("a"), "a asc"),
            (json!("_score"), "_score desc"),
            (json!(["a", {"b": "desc"}]), "a asc, b desc"),
            (json!({"a": {"order": "DESC", "missing": "_first"}, "b": "asc"}), "a desc, b asc"),
            (json!([{"_score": {"order": "asc"}}, "_doc"]), "_score asc, _doc asc"),
        ];
        for (sort, expected) in cases {
            let specs = SortSpec::parse_all(&sort).unwrap();
            let order =
                |spec: &SortSpec| format!("{} {}", spec.field, if spec.is_descending() { "desc" } else { "asc" });
            assert_eq!(specs.iter().map(order).collect::<Vec<_>>().join(", "), expected, "{sort}");
        }
        let specs = SortSpec::parse_param("a, b:desc,_score").unwrap();
        assert_eq!(specs.iter().map(SortSpec::is_descending).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn what_is_no_sort_is_refused_by_name() {
        for (sort, what) in [
            (json!(3), "malformed sort"),
            (json!({"a": {"colour": 1}}), "[field_sort] unknown field [colour]"),
            (json!({"a": "up"}), "Unknown SortOrder [up]"),
            (json!({"a": {"mode": "best"}}), "Unknown SortMode [best]"),
            (json!({"_script": {}}), "sort by [_script]"),
            (json!({"a": {"nested": {"path": "a", "max_children": 2}}}), "max_children"),
            (json!({"_score": {"missing": 1}}), "[_score] unknown field [missing]"),
        ] {
            let error = SortSpec::parse_all(&sort).unwrap_err();
            assert!(error.reason.contains(what), "{sort}: {error}");
        }
    }

    #[test]
    fn a_tiebreaker_comes_last_and_once() {
        let fields = |specs: Vec<SortSpec>| specs.iter().map(|spec| spec.field.clone()).collect::<Vec<_>>();
        assert_eq!(fields(with_tiebreaker(&[])), ["_score", "_shard_doc"]);
        let specs = SortSpec::parse_all(&json!(["a", "_shard_doc"])).unwrap();
        assert_eq!(fields(with_tiebreaker(&specs)), ["a", "_shard_doc"]);
    }
}
