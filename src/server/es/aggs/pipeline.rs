//! What is computed from other aggregations' results.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::body::{Body, Place, refuse, text};
use super::histogram::duration;
use crate::aggregate::pipeline::paths;
use crate::aggregate::request::{BucketOrder, GapPolicy, OrderBy, Path, Pipeline, PipelineKind, SiblingFigure};
use crate::aggregate::rounding::CalendarUnit;
use crate::aggregate::{Aggregation, AggregationKind};

/// Reads a pipeline.
pub(super) fn pipeline(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let format = body.text("format")?;
    let gaps = match body.text("gap_policy")?.as_deref() {
        None | Some("skip") => GapPolicy::Skip,
        Some("insert_zeros") => GapPolicy::InsertZeros,
        Some("keep_values") => GapPolicy::KeepValues,
        Some(other) => {
            return Err(EsError::illegal_argument(format!(
                "Invalid gap policy: [{other}], accepted values: [insert_zeros, skip, keep_values]"
            )));
        }
    };
    let kind = match place.kind {
        "bucket_sort" => bucket_sort(body, gaps)?,
        "derivative" => PipelineKind::Derivative { path: path(body)?, gaps, unit_millis: unit(body)? },
        "cumulative_sum" => PipelineKind::CumulativeSum { path: path(body)? },
        sibling => PipelineKind::Siblings {
            figure: match sibling {
                "avg_bucket" => SiblingFigure::Avg,
                "sum_bucket" => SiblingFigure::Sum,
                "min_bucket" => SiblingFigure::Min,
                "max_bucket" => SiblingFigure::Max,
                "extended_stats_bucket" => SiblingFigure::ExtendedStats(body.number("sigma")?.unwrap_or(2.0)),
                "percentiles_bucket" => {
                    let percents = match body.take("percents") {
                        Some(Value::Array(listed)) => listed
                            .iter()
                            .map(|value| super::body::number(place, "percents", value))
                            .collect::<EsResult<_>>()?,
                        _ => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
                    };
                    SiblingFigure::Percentiles { percents, keyed: body.flag("keyed")?.unwrap_or(true) }
                }
                _ => SiblingFigure::Stats,
            },
            path: path(body)?,
            gaps,
        },
    };
    Ok(AggregationKind::Pipeline(Pipeline { kind, format }))
}

fn path(body: &mut Body<'_>) -> EsResult<Path> {
    let place = body.place();
    let written = match body.take("buckets_path") {
        Some(Value::Array(listed)) => match listed.as_slice() {
            [only] => text(place, "buckets_path", only)?,
            _ => return Err(one_path(place)),
        },
        Some(value @ Value::String(_)) => text(place, "buckets_path", value)?,
        Some(_) => return Err(one_path(place)),
        None => {
            return Err(EsError::parsing(format!(
                "Missing required field [buckets_path] for {} aggregation [{}]",
                place.kind, place.name
            )));
        }
    };
    Ok(Path::parse(&written))
}

fn one_path(place: Place<'_>) -> EsError {
    refuse(place, format!("[buckets_path] must contain a single entry for aggregation [{}]", place.name))
}

/// The length that a derivative is also given for.
fn unit(body: &mut Body<'_>) -> EsResult<Option<i64>> {
    let Some(written) = body.text("unit")? else { return Ok(None) };
    const DAY: i64 = 86_400_000;
    let calendar = CalendarUnit::parse(&written).map(|unit| match unit {
        CalendarUnit::Second => 1_000,
        CalendarUnit::Minute => 60_000,
        CalendarUnit::Hour => 3_600_000,
        CalendarUnit::Day => DAY,
        CalendarUnit::Week => 7 * DAY,
        CalendarUnit::Month => 30 * DAY,
        CalendarUnit::Quarter => 90 * DAY,
        CalendarUnit::Year => 365 * DAY,
    });
    match calendar.or_else(|| duration(&written)) {
        Some(millis) => Ok(Some(millis)),
        None => Err(EsError::illegal_argument(format!("failed to parse the unit [{written}] as a time value"))),
    }
}

fn bucket_sort(body: &mut Body<'_>, gaps: GapPolicy) -> EsResult<PipelineKind> {
    let place = body.place();
    let from = body.size("from", 0)?.unwrap_or(0);
    let size = body.size("size", 1)?;
    let criteria: Vec<&Value> = match body.take("sort") {
        None => Vec::new(),
        Some(Value::Array(listed)) => listed.iter().collect(),
        Some(value) => vec![value],
    };
    let mut order = Vec::new();
    for criterion in criteria {
        match criterion {
            Value::String(path) => order.push(by(path, path == "_score")),
            Value::Object(members) => {
                for (path, options) in members {
                    let direction = match options {
                        Value::Object(options) => match options.get("order") {
                            Some(direction) => text(place, "order", direction)?,
                            None => "asc".to_string(),
                        },
                        direction => text(place, "sort", direction)?,
                    };
                    order.push(by(path, direction.eq_ignore_ascii_case("desc")));
                }
            }
            other => {
                return Err(refuse(
                    place,
                    format!("[sort] doesn't support values of type: {}", super::body::token(other)),
                ));
            }
        }
    }
    Ok(PipelineKind::BucketSort { order, from, size, gaps })
}

fn by(path: &str, descending: bool) -> BucketOrder {
    let by = match path {
        "_count" => OrderBy::Count,
        "_key" => OrderBy::Key,
        path => OrderBy::Path(Path::parse(path)),
    };
    BucketOrder { by, descending }
}

/// Refuses a path that leads to no aggregation.
///
/// * `siblings`: the aggregations beside the pipeline.
fn check_paths(agg: &Aggregation, is_sibling: bool, siblings: &[Aggregation]) -> EsResult<()> {
    for path in paths(agg) {
        let mut aggs = siblings;
        for (depth, name) in path.names.iter().enumerate() {
            if name.starts_with('_') {
                break;
            }
            match aggs.iter().find(|agg| agg.name == *name) {
                Some(found) => aggs = &found.aggs,
                None if !is_sibling => return Err(invalid(&format!("No aggregation found for path [{path}]"))),
                // The first is looked for with the results.
                None if depth == 0 => break,
                None => return Err(invalid(&format!("No aggregation [{name}] found for path [{path}]"))),
            }
        }
    }
    Ok(())
}

fn invalid(reason: &str) -> EsError {
    EsError::new(400, "action_request_validation_exception", format!("Validation Failed: 1: {reason};"))
}

/// Refuses a pipeline that stands where it cannot be computed, or looks at what is not there.
///
/// * `siblings`: the aggregations beside it.
pub(super) fn check(agg: &Aggregation, parent: Option<&Aggregation>, siblings: &[Aggregation]) -> EsResult<()> {
    let AggregationKind::Pipeline(pipeline) = &agg.kind else { return Ok(()) };
    let needs_order = match &pipeline.kind {
        PipelineKind::Siblings { .. } => return check_paths(agg, true, siblings),
        PipelineKind::BucketSort { .. } => false,
        PipelineKind::Derivative { .. } | PipelineKind::CumulativeSum { .. } => true,
    };
    let refuse = |reason: String| Err(invalid(&reason));
    let type_name = super::print::type_name(&agg.kind);
    if let PipelineKind::BucketSort { order, from: 0, size: None, .. } = &pipeline.kind
        && order.is_empty()
    {
        return refuse(format!(
            "[{}] is configured to perform nothing. Please set either of [sort, size, from] to use bucket_sort",
            agg.name
        ));
    }
    match parent.map(|parent| &parent.kind) {
        None if needs_order => refuse(format!(
            "{type_name} aggregation [{}] must have a histogram, date_histogram or auto_date_histogram as parent but doesn't have a parent",
            agg.name
        )),
        None => {
            refuse(format!("{type_name} aggregation [{}] must be declared inside of another aggregation", agg.name))
        }
        Some(AggregationKind::Histogram(histogram)) if needs_order && histogram.min_doc_count != 0 => {
            refuse(format!("parent histogram of {type_name} aggregation [{}] must have min_doc_count of 0", agg.name))
        }
        Some(AggregationKind::DateHistogram(histogram)) if needs_order && histogram.min_doc_count != 0 => {
            refuse(format!("parent histogram of {type_name} aggregation [{}] must have min_doc_count of 0", agg.name))
        }
        Some(AggregationKind::Histogram(_) | AggregationKind::DateHistogram(_)) => check_paths(agg, false, siblings),
        Some(_) if needs_order => refuse(format!(
            "{type_name} aggregation [{}] must have a histogram, date_histogram or auto_date_histogram as parent",
            agg.name
        )),
        Some(_) => check_paths(agg, false, siblings),
    }
}
