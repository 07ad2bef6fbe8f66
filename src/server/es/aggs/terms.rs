//! `terms`, `rare_terms`, `multi_terms`, `significant_terms`.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::{self, QueryContext};
use super::body::{Body, Place, refuse, text};
use super::source::{Formatted, source};
use crate::aggregate::AggregationKind;
use crate::aggregate::request::{
    BucketOrder, Heuristic, IncludeExclude, MultiTerms, OrderBy, Path, RareTerms, SignificantTerms, Terms, ValuePattern,
};

/// So many buckets an index returns by default, to be right about the first `size`.
fn suggested_shard_size(size: usize) -> usize {
    size.saturating_add(size / 2).saturating_add(10)
}

/// Reads `terms`.
pub(super) fn terms(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let source = source(body, Formatted::Yes)?;
    body.take("execution_hint");
    body.take("collect_mode");
    let order = order(body, vec![by(OrderBy::Count, true)])?;
    let sizes = Sizes::read(body, 10, &order)?;
    let values = include_exclude(body)?;
    Ok(AggregationKind::Terms(Terms {
        source,
        size: sizes.size,
        shard_size: sizes.shard_size,
        min_doc_count: body.count("min_doc_count")?.unwrap_or(1),
        shard_min_doc_count: body.count("shard_min_doc_count")?.unwrap_or(0),
        order,
        values,
        show_error: body.flag("show_term_doc_count_error")?.unwrap_or(false),
    }))
}

struct Sizes {
    size: usize,
    shard_size: usize,
}

impl Sizes {
    fn read(body: &mut Body<'_>, default: usize, order: &[BucketOrder]) -> EsResult<Self> {
        let size = body.size("size", 1)?.unwrap_or(default);
        let is_by_key = order.first().is_some_and(|criterion| criterion.by == OrderBy::Key);
        let suggested = if is_by_key { size } else { suggested_shard_size(size) };
        // Elasticsearch takes -1 for the default.
        let given = body.integer("shard_size")?.filter(|shard_size| *shard_size != -1);
        let shard_size = match given {
            None => suggested,
            Some(given) if given > 0 => usize::try_from(given).unwrap_or(usize::MAX),
            Some(given) => {
                return Err(EsError::illegal_argument(format!(
                    "[shardSize] must be greater than 0. Found [{given}] in [{}]",
                    body.place().name
                )));
            }
        };
        Ok(Self { size, shard_size: shard_size.max(size) })
    }
}

/// Reads `rare_terms`.
pub(super) fn rare_terms(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let source = source(body, Formatted::Yes)?;
    let max_doc_count = body.count("max_doc_count")?.unwrap_or(1);
    if !(1..=100).contains(&max_doc_count) {
        return Err(EsError::illegal_argument(format!(
            "[max_doc_count] must be in (0,100]. Found [{max_doc_count}] in [{}]",
            body.place().name
        )));
    }
    body.take("precision");
    Ok(AggregationKind::RareTerms(RareTerms { source, max_doc_count, values: include_exclude(body)? }))
}

/// Reads `multi_terms`.
pub(super) fn multi_terms(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let Some(Value::Array(parts)) = body.take("terms") else {
        return Err(EsError::illegal_argument(format!(
            "The [terms] parameter in the aggregation [{}] must be present and have at least 2 fields or scripts.",
            place.name
        )));
    };
    if parts.len() < 2 {
        return Err(EsError::illegal_argument(format!(
            "The [terms] parameter in the aggregation [{}] must be present and have at least 2 fields or scripts.",
            place.name
        )));
    }
    let mut sources = Vec::new();
    for part in parts {
        let mut inner = Body::inner(place, "terms", part)?;
        sources.push(source(&mut inner, Formatted::Yes)?);
        inner.end()?;
    }
    body.take("collect_mode");
    let order = order(body, vec![by(OrderBy::Count, true)])?;
    let sizes = Sizes::read(body, 10, &order)?;
    Ok(AggregationKind::MultiTerms(MultiTerms {
        sources,
        size: sizes.size,
        shard_size: sizes.shard_size,
        min_doc_count: body.count("min_doc_count")?.unwrap_or(1),
        shard_min_doc_count: body.count("shard_min_doc_count")?.unwrap_or(0),
        order,
        show_error: body.flag("show_term_doc_count_error")?.unwrap_or(false),
    }))
}

/// Reads `significant_terms`.
pub(super) fn significant_terms(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let source = source(body, Formatted::Yes)?;
    body.take("execution_hint");
    let sizes = Sizes::read(body, 10, &[])?;
    let background = match body.take("background_filter") {
        Some(query) => Some(Box::new(query_dsl::parse(query, context)?)),
        None => None,
    };
    let mut heuristic = Heuristic::Jlh;
    for name in ["jlh", "chi_square", "gnd", "mutual_information", "percentage"] {
        let Some(value) = body.take(name) else { continue };
        let mut inner = Body::inner(place, name, value)?;
        let include_negatives = match name {
            "chi_square" | "mutual_information" => inner.flag("include_negatives")?.unwrap_or(false),
            _ => false,
        };
        let background_is_superset = match name {
            "chi_square" | "mutual_information" | "gnd" => inner.flag("background_is_superset")?.unwrap_or(true),
            _ => true,
        };
        inner.end()?;
        heuristic = match name {
            "chi_square" => Heuristic::ChiSquare { include_negatives, background_is_superset },
            "mutual_information" => Heuristic::MutualInformation { include_negatives, background_is_superset },
            "gnd" => Heuristic::Gnd { background_is_superset },
            "percentage" => Heuristic::Percentage,
            _ => Heuristic::Jlh,
        };
    }
    for name in ["script_heuristic", "p_value"] {
        body.refuse_unsupported(name)?;
    }
    Ok(AggregationKind::SignificantTerms(SignificantTerms {
        source,
        size: sizes.size,
        shard_size: sizes.shard_size,
        min_doc_count: body.count("min_doc_count")?.unwrap_or(3),
        shard_min_doc_count: body.count("shard_min_doc_count")?.unwrap_or(0),
        heuristic,
        background,
        values: include_exclude(body)?,
    }))
}

fn by(by: OrderBy, descending: bool) -> BucketOrder {
    BucketOrder { by, descending }
}

/// Reads `order`: `{"_count": "desc"}`, or several of these.
pub(super) fn order(body: &mut Body<'_>, default: Vec<BucketOrder>) -> EsResult<Vec<BucketOrder>> {
    let place = body.place();
    match body.take("order") {
        None => Ok(default),
        Some(Value::Array(criteria)) => criteria.iter().map(|criterion| one_order(place, criterion)).collect(),
        Some(criterion) => Ok(vec![one_order(place, criterion)?]),
    }
}

fn one_order(place: Place<'_>, value: &Value) -> EsResult<BucketOrder> {
    let Value::Object(members) = value else {
        return Err(EsError::parsing("Order must be specified as an object or an array of objects"));
    };
    let mut members = members.iter();
    let (Some((key, direction)), None) = (members.next(), members.next()) else {
        return Err(EsError::parsing(format!(
            "Must specify at least one field for [order], and one field an object, in [{}]",
            place.name
        )));
    };
    let descending = match text(place, "order", direction)?.to_ascii_lowercase().as_str() {
        "asc" => false,
        "desc" => true,
        other => {
            return Err(EsError::parsing(format!("Unknown order direction [{other}]")));
        }
    };
    Ok(by(
        match key.as_str() {
            "_count" => OrderBy::Count,
            "_key" | "_term" | "_time" => OrderBy::Key,
            path => OrderBy::Path(Path::parse(path)),
        },
        descending,
    ))
}

/// Reads `include` and `exclude`: a regular expression, values, or a partition.
fn include_exclude(body: &mut Body<'_>) -> EsResult<IncludeExclude> {
    let place = body.place();
    let mut values = IncludeExclude::default();
    match body.take("include") {
        Some(value @ Value::Object(_)) => {
            let mut inner = Body::inner(place, "include", value)?;
            let (part, of) = (inner.integer("partition")?, inner.integer("num_partitions")?);
            inner.end()?;
            let partition =
                part.and_then(|part| u32::try_from(part).ok()).zip(of.and_then(|of| u32::try_from(of).ok()));
            values.partition = partition.filter(|(part, of)| part < of);
            if values.partition.is_none() {
                return Err(EsError::parsing(
                    "Missing [partition] or [num_partitions] parameter for partition-based include, or one that is out of range",
                ));
            }
        }
        Some(value) => values.include = Some(pattern(place, "include", value)?),
        None => {}
    }
    if let Some(value) = body.take("exclude") {
        if values.partition.is_some() {
            return Err(EsError::illegal_argument("Cannot specify any excludes when using a partition-based include"));
        }
        values.exclude = Some(pattern(place, "exclude", value)?);
    }
    Ok(values)
}

fn pattern(place: Place<'_>, key: &str, value: &Value) -> EsResult<ValuePattern> {
    match value {
        Value::String(pattern) => {
            let regex = lucene_regex(pattern)
                .map_err(|reason| refuse(place, format!("[{}] failed to parse field [{key}]: {reason}", place.kind)))?;
            Ok(ValuePattern::Regex(regex))
        }
        Value::Array(listed) => {
            let values = listed.iter().map(|value| text(place, key, value)).collect::<EsResult<_>>()?;
            Ok(ValuePattern::Values(values))
        }
        other => Ok(ValuePattern::Values(vec![text(place, key, other)?])),
    }
}

/// A regular expression of Lucene's language that matches a value as a whole.
fn lucene_regex(pattern: &str) -> Result<regex::Regex, String> {
    let mut translated = String::from("(?s)^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                let Some(next) = chars.next() else { return Err("the pattern ends with a backslash".to_string()) };
                if next.is_ascii_alphanumeric() && "dDsSwW".contains(next) {
                    translated.extend(['\\', next]);
                } else {
                    translated.push_str(&regex::escape(&next.to_string()));
                }
            }
            '[' if !in_class => {
                in_class = true;
                translated.push('[');
            }
            ']' => {
                in_class = false;
                translated.push(']');
            }
            _ if in_class => {
                if matches!(char, '[' | '&' | '~') {
                    translated.push('\\');
                }
                translated.push(char);
            }
            '^' | '$' => translated.extend(['\\', char]),
            '@' => translated.push_str(".*"),
            '"' => {
                let quoted: String = chars.by_ref().take_while(|char| *char != '"').collect();
                translated.push_str(&regex::escape(&quoted));
            }
            '~' | '&' | '<' | '#' => {
                return Err(format!("the operator [{char}] of regular expressions is not supported by Bifocal"));
            }
            other => translated.push(other),
        }
    }
    translated.push_str(")$");
    regex::RegexBuilder::new(&translated).size_limit(1 << 20).build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::lucene_regex;

    #[test]
    fn patterns_match_whole_values() {
        for (pattern, value, matches) in [
            ("wat.*", "water", true),
            ("wat", "water", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("[a-c]x?", "bx", true),
            ("1^2", "1^2", true),
            (r"a\.b", "a.b", true),
            (r"a\.b", "axb", false),
            ("\"a.b\"", "a.b", true),
        ] {
            assert_eq!(lucene_regex(pattern).unwrap().is_match(value), matches, "{pattern} {value}");
        }
        assert!(lucene_regex("~a").is_err());
        assert!(lucene_regex("(").is_err());
    }
}
