//! `top_hits` and `top_metrics`.

use serde_json::{Map, Value};

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::QueryContext;
use super::super::search::MAX_INNER_RESULT_WINDOW;
use super::body::{Body, Place, refuse, text};
use super::source::term_value;
use crate::aggregate::AggregationKind;
use crate::aggregate::request::{HitOrder, HitOrderBy, OrderMode, TopHits, TopMetrics};

/// What is fetched of a hit, which whoever prints hits reads.
const FETCH: [&str; 10] = [
    "_source",
    "docvalue_fields",
    "explain",
    "fields",
    "highlight",
    "script_fields",
    "seq_no_primary_term",
    "stored_fields",
    "track_scores",
    "version",
];

/// Reads `top_hits`.
pub(super) fn top_hits(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let from = body.size("from", 0)?.unwrap_or(0);
    let size = body.size("size", 0)?.unwrap_or(3);
    let most = context.definition.settings.other("max_inner_result_window").and_then(|text| text.parse().ok());
    let most = most.unwrap_or(MAX_INNER_RESULT_WINDOW);
    if from.saturating_add(size) > most {
        return Err(EsError::illegal_argument(format!(
            "Top hits result window is too large, the top hits aggregator [{}]'s from + size must be less than or equal to: [{most}] but \
             was [{}]. This limit can be set by changing the [index.max_inner_result_window] index level setting.",
            place.name,
            from.saturating_add(size)
        )));
    }
    let order = sort(place, body.take("sort"))?;
    let mut fetch = Map::new();
    for key in FETCH {
        if let Some(value) = body.take(key) {
            fetch.insert(key.to_string(), value.clone());
        }
    }
    Ok(AggregationKind::TopHits(TopHits { from, size, order, fetch: Value::Object(fetch) }))
}

/// Reads `top_metrics`.
pub(super) fn top_metrics(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let size = body.size("size", 1)?.unwrap_or(1);
    if size > 10 {
        return Err(EsError::illegal_argument(format!(
            "[top_metrics.size] must not be more than [10] but was [{size}]. This limit can be set by changing the \
             [index.top_metrics_max_size] index level setting."
        )));
    }
    let mut orders = sort(place, body.take("sort"))?.into_iter();
    let (Some(order), None) = (orders.next(), orders.next()) else {
        return Err(EsError::illegal_argument("[top_metrics] only supports sorting on one field"));
    };
    let metric = |value: &Value| -> EsResult<String> {
        let mut inner = Body::inner(place, "metrics", value)?;
        let field = inner.text("field")?;
        inner.end()?;
        field.ok_or_else(|| refuse(place, "Required [field] of [metrics]".to_string()))
    };
    let fields = match body.take("metrics") {
        Some(Value::Array(listed)) => listed.iter().map(metric).collect::<EsResult<Vec<_>>>()?,
        Some(value) => vec![metric(value)?],
        None => return Err(EsError::illegal_argument("Required [metrics]")),
    };
    Ok(AggregationKind::TopMetrics(TopMetrics { fields, order, size }))
}

/// Reads `sort`: a name, an object, or several of these.
fn sort(place: Place<'_>, value: Option<&Value>) -> EsResult<Vec<HitOrder>> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(criteria)) => {
            let mut orders = Vec::new();
            for criterion in criteria {
                orders.extend(criterion_of(place, criterion)?);
            }
            Ok(orders)
        }
        Some(criterion) => criterion_of(place, criterion),
    }
}

fn criterion_of(place: Place<'_>, value: &Value) -> EsResult<Vec<HitOrder>> {
    match value {
        Value::String(field) => Ok(vec![new_order(field, field == "_score")]),
        Value::Object(members) => members.iter().map(|(field, options)| order_of(place, field, options)).collect(),
        other => Err(refuse(place, format!("[sort] doesn't support values of type: {}", super::body::token(other)))),
    }
}

fn new_order(field: &str, descending: bool) -> HitOrder {
    let by = match field {
        "_score" => HitOrderBy::Score,
        "_doc" => HitOrderBy::Place,
        field => HitOrderBy::Field(field.to_string()),
    };
    let mode = if descending { OrderMode::Max } else { OrderMode::Min };
    HitOrder { by, descending, missing_first: false, missing: None, mode }
}

fn direction(place: Place<'_>, written: &str) -> EsResult<bool> {
    match written.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(EsError::illegal_argument(format!(
            "No enum constant for the sort order [{written}] in [{}]",
            place.name
        ))),
    }
}

fn order_of(place: Place<'_>, field: &str, options: &Value) -> EsResult<HitOrder> {
    if field == "_script" || field == "_geo_distance" {
        return Err(EsError::unsupported(format!("sorting by [{field}] in the aggregation [{}]", place.name)));
    }
    if let Value::String(written) = options {
        return Ok(new_order(field, direction(place, written)?));
    }
    let mut body = Body::inner(place, "sort", options)?;
    let descending = match body.text("order")? {
        Some(written) => direction(place, &written)?,
        None => field == "_score",
    };
    let mut order = new_order(field, descending);
    match body.text("mode")?.as_deref() {
        None => {}
        Some("min") => order.mode = OrderMode::Min,
        Some("max") => order.mode = OrderMode::Max,
        Some("sum") => order.mode = OrderMode::Sum,
        Some("avg") => order.mode = OrderMode::Avg,
        Some("median") => order.mode = OrderMode::Median,
        Some(other) => return Err(EsError::illegal_argument(format!("Unknown SortMode [{other}]"))),
    }
    match body.take("missing") {
        None => {}
        Some(value) => match text(place, "missing", value)?.as_str() {
            "_last" => {}
            "_first" => order.missing_first = true,
            _ => order.missing = Some(term_value(place, "missing", value)?),
        },
    }
    body.take("unmapped_type");
    body.take("numeric_type");
    body.take("format");
    body.refuse_unsupported("nested")?;
    body.end()?;
    Ok(order)
}
