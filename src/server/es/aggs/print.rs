//! Results in Elasticsearch's shapes.
//!
//! The request and its results are walked side by side. Read next: `buckets`, `figures`.

mod buckets;
mod figures;

use serde_json::{Map, Value, json};

use super::super::error::EsResult;
use super::PrintOptions;
use super::format::{Format, number};
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Hit, Hits, PipelineNumber, Values};
use crate::aggregate::request::{HitOrder, PipelineKind, SiblingFigure, TopHits, ValueSource};
use crate::aggregate::{Aggregation, AggregationKind, Outcome};
use crate::index::doc_values::ValueKind;

/// Prints a hit of `top_hits` but for its sort values, which are added to what it gives: `_index`, `_id`, `_score`, `_source` and what
/// else [`TopHits::fetch`] asks for.
pub type HitPrinter<'a> = dyn FnMut(&Hit, &TopHits) -> EsResult<Map<String, Value>> + 'a;

pub(super) struct Printer<'p, 'h> {
    pub(super) options: PrintOptions,
    pub(super) hits: &'p mut HitPrinter<'h>,
}

impl Printer<'_, '_> {
    /// The results of aggregations, by name.
    pub(super) fn print_all(&mut self, aggs: &[Aggregation], outcomes: &[Outcome]) -> EsResult<Map<String, Value>> {
        let mut printed = Map::new();
        for (agg, outcome) in aggs.iter().zip(outcomes) {
            if let Some(value) = self.print_one(agg, outcome)? {
                let name = if self.options.typed_keys {
                    format!("{}#{}", typed_key(&agg.kind, outcome), agg.name)
                } else {
                    agg.name.clone()
                };
                printed.insert(name, Value::Object(value));
            }
        }
        Ok(printed)
    }

    fn print_one(&mut self, agg: &Aggregation, outcome: &Outcome) -> EsResult<Option<Map<String, Value>>> {
        let mut object = Map::new();
        if let Some(meta) = &agg.meta {
            object.insert("meta".to_string(), Value::Object(meta.clone()));
        }
        match outcome {
            Outcome::Nothing => return Ok(None),
            Outcome::Single(bucket) => {
                object.insert("doc_count".to_string(), json!(bucket.doc_count));
                object.extend(self.print_all(&agg.aggs, &bucket.aggs)?);
            }
            Outcome::Buckets(buckets) => self.buckets(agg, buckets, &mut object)?,
            Outcome::Metric(metric) => figures::metric(&agg.kind, metric, &mut object)?,
            Outcome::Hits(hits) => match &agg.kind {
                AggregationKind::TopHits(request) => self.top_hits(request, hits, &mut object)?,
                AggregationKind::TopMetrics(request) => top_metrics(&request.fields, hits, &mut object)?,
                _ => {}
            },
            Outcome::Number(value) => pipeline_number(&agg.kind, value.as_ref(), &mut object)?,
        }
        Ok(Some(object))
    }

    fn top_hits(&mut self, request: &TopHits, found: &Hits, object: &mut Map<String, Value>) -> EsResult<()> {
        let mut hits = Vec::with_capacity(found.hits.len());
        for hit in &found.hits {
            let mut printed = (self.hits)(hit, request)?;
            if !request.order.is_empty() {
                let sort = hit.sort.iter().enumerate().map(|(place, key)| {
                    let values = found.values.get(place).and_then(Option::as_ref);
                    request.order.get(place).map_or(Value::Null, |order| sort_value(key.as_ref(), order, values))
                });
                let sort: Vec<Value> = sort.collect();
                printed.insert("sort".to_string(), Value::Array(sort));
            }
            hits.push(Value::Object(printed));
        }
        let total = if self.options.total_hits_as_int {
            json!(found.total)
        } else {
            json!({"value": found.total, "relation": "eq"})
        };
        object.insert("hits".to_string(), json!({"total": total, "max_score": found.max_score, "hits": hits}));
        Ok(())
    }
}

/// The value by which a hit was ordered; a number that is missing is printed as the one that stands at its end.
fn sort_value(key: Option<&Key>, order: &HitOrder, values: Option<&Values>) -> Value {
    if let Some(key) = key {
        return Format::Raw.key(key).0;
    }
    let is_greatest = order.missing_first == order.descending;
    match values.map(|values| values.kind) {
        Some(ValueKind::Long | ValueKind::Date | ValueKind::Boolean) => {
            json!(if is_greatest { i64::MAX } else { i64::MIN })
        }
        Some(ValueKind::UnsignedLong) => json!(if is_greatest { u64::MAX } else { 0 }),
        Some(ValueKind::Double) => number(if is_greatest { f64::INFINITY } else { f64::NEG_INFINITY }),
        Some(ValueKind::Keyword | ValueKind::Ip | ValueKind::Id | ValueKind::IndexName) | None => Value::Null,
    }
}

fn top_metrics(fields: &[String], found: &Hits, object: &mut Map<String, Value>) -> EsResult<()> {
    let value_of = |key: &Option<Key>, place: usize| -> EsResult<Value> {
        let Some(key) = key else { return Ok(Value::Null) };
        let values = found.values.get(place).and_then(Option::as_ref);
        let format = Format::of(None, None, values)?;
        // Dates are printed as texts, booleans as they are.
        Ok(match values.map(|values| values.kind) {
            Some(ValueKind::Date) => json!(format.key_text(key)),
            Some(ValueKind::Boolean) => json!(*key != Key::Long(0)),
            _ => Format::Raw.key(key).0,
        })
    };
    let mut top = Vec::with_capacity(found.hits.len());
    for hit in &found.hits {
        let sort: Vec<Value> =
            hit.sort.iter().enumerate().map(|(place, key)| value_of(key, place)).collect::<EsResult<_>>()?;
        let mut metrics = Map::new();
        for (at, (field, key)) in fields.iter().zip(&hit.metrics).enumerate() {
            metrics.insert(field.clone(), value_of(key, hit.sort.len() + at)?);
        }
        top.push(json!({"sort": sort, "metrics": metrics}));
    }
    object.insert("top".to_string(), Value::Array(top));
    Ok(())
}

fn pipeline_number(
    kind: &AggregationKind,
    value: Option<&PipelineNumber>,
    object: &mut Map<String, Value>,
) -> EsResult<()> {
    let AggregationKind::Pipeline(pipeline) = kind else { return Ok(()) };
    let format = Format::of(pipeline.format.as_deref(), None, None)?;
    let put = |object: &mut Map<String, Value>, name: &str, value: f64| {
        object.insert(name.to_string(), number(value));
        if let Some(text) = format.beside(value) {
            object.insert(format!("{name}_as_string"), json!(text));
        }
    };
    match value {
        None => {
            object.insert("value".to_string(), Value::Null);
            if matches!(pipeline.kind, PipelineKind::Siblings { figure: SiblingFigure::Max | SiblingFigure::Min, .. }) {
                object.insert("keys".to_string(), json!([]));
            }
        }
        Some(PipelineNumber::Plain(value)) => put(object, "value", *value),
        Some(PipelineNumber::Derivative { value, normalized }) => {
            // Where one of its numbers is none, so is the difference.
            let mut put_or_null = |name: &str, number: f64| match number.is_finite() {
                true => put(object, name, number),
                false => drop(object.insert(name.to_string(), Value::Null)),
            };
            put_or_null("value", *value);
            if let Some(normalized) = normalized {
                put_or_null("normalized_value", *normalized);
            }
        }
        Some(PipelineNumber::Extreme { value, keys, values }) => {
            put(object, "value", *value);
            let key_format = Format::of(None, None, values.as_ref())?;
            let texts: Vec<String> = keys.iter().map(|key| key_format.key_text(key)).collect();
            object.insert("keys".to_string(), json!(texts));
        }
        Some(PipelineNumber::Percentiles(percentiles)) => {
            let keyed = !matches!(
                &pipeline.kind,
                PipelineKind::Siblings { figure: SiblingFigure::Percentiles { keyed: false, .. }, .. }
            );
            figures::percentiles(percentiles, keyed, &format, object);
        }
    }
    Ok(())
}

/// Elasticsearch's name of a type.
pub(super) fn type_name(kind: &AggregationKind) -> &'static str {
    match kind {
        AggregationKind::Terms(_) => "terms",
        AggregationKind::RareTerms(_) => "rare_terms",
        AggregationKind::MultiTerms(_) => "multi_terms",
        AggregationKind::SignificantTerms(_) => "significant_terms",
        AggregationKind::Histogram(_) => "histogram",
        AggregationKind::DateHistogram(_) => "date_histogram",
        AggregationKind::Range(range) if range.dates => "date_range",
        AggregationKind::Range(_) => "range",
        AggregationKind::IpRange(_) => "ip_range",
        AggregationKind::Filter(_) => "filter",
        AggregationKind::Filters(_) => "filters",
        AggregationKind::AdjacencyMatrix(_) => "adjacency_matrix",
        AggregationKind::Missing(_) => "missing",
        AggregationKind::Global => "global",
        AggregationKind::Nested { .. } => "nested",
        AggregationKind::ReverseNested { .. } => "reverse_nested",
        AggregationKind::Sampler { .. } => "sampler",
        AggregationKind::Composite(_) => "composite",
        AggregationKind::TopHits(_) => "top_hits",
        AggregationKind::TopMetrics(_) => "top_metrics",
        AggregationKind::Avg(_) => "avg",
        AggregationKind::Sum(_) => "sum",
        AggregationKind::Min(_) => "min",
        AggregationKind::Max(_) => "max",
        AggregationKind::Stats(_) => "stats",
        AggregationKind::ExtendedStats { .. } => "extended_stats",
        AggregationKind::ValueCount(_) => "value_count",
        AggregationKind::Cardinality { .. } => "cardinality",
        AggregationKind::Percentiles { .. } => "percentiles",
        AggregationKind::PercentileRanks { .. } => "percentile_ranks",
        AggregationKind::MedianAbsoluteDeviation { .. } => "median_absolute_deviation",
        AggregationKind::Boxplot { .. } => "boxplot",
        AggregationKind::WeightedAvg { .. } => "weighted_avg",
        AggregationKind::StringStats { .. } => "string_stats",
        AggregationKind::Pipeline(pipeline) => match &pipeline.kind {
            PipelineKind::Siblings { figure, .. } => match figure {
                SiblingFigure::Avg => "avg_bucket",
                SiblingFigure::Max => "max_bucket",
                SiblingFigure::Min => "min_bucket",
                SiblingFigure::Sum => "sum_bucket",
                SiblingFigure::Stats => "stats_bucket",
                SiblingFigure::ExtendedStats(_) => "extended_stats_bucket",
                SiblingFigure::Percentiles { .. } => "percentiles_bucket",
            },
            PipelineKind::Derivative { .. } => "derivative",
            PipelineKind::CumulativeSum { .. } => "cumulative_sum",
            PipelineKind::BucketSort { .. } => "bucket_sort",
        },
    }
}

/// The type that stands before a name where `typed_keys` asks for it.
fn typed_key(kind: &AggregationKind, outcome: &Outcome) -> &'static str {
    let by_values = |names: [&'static str; 4]| {
        let [text, long, unsigned, double] = names;
        let Outcome::Buckets(buckets) = outcome else { return text };
        // A field that no index has counts as text.
        match buckets.values.first().and_then(Option::as_ref).map(|values| values.kind) {
            None | Some(ValueKind::Keyword | ValueKind::Ip | ValueKind::Id | ValueKind::IndexName) => text,
            Some(ValueKind::Long | ValueKind::Boolean | ValueKind::Date) => long,
            Some(ValueKind::UnsignedLong) => unsigned,
            Some(ValueKind::Double) => double,
        }
    };
    match kind {
        AggregationKind::Terms(_) => by_values(["sterms", "lterms", "ulterms", "dterms"]),
        AggregationKind::RareTerms(_) => by_values(["srareterms", "lrareterms", "lrareterms", "lrareterms"]),
        AggregationKind::SignificantTerms(_) => by_values(["sigsterms", "siglterms", "siglterms", "siglterms"]),
        AggregationKind::Percentiles { .. } => "tdigest_percentiles",
        AggregationKind::PercentileRanks { .. } => "tdigest_percentile_ranks",
        AggregationKind::Pipeline(pipeline) => match &pipeline.kind {
            PipelineKind::Siblings { figure: SiblingFigure::Avg | SiblingFigure::Sum, .. }
            | PipelineKind::CumulativeSum { .. } => "simple_value",
            PipelineKind::Siblings { figure: SiblingFigure::Max | SiblingFigure::Min, .. } => "bucket_metric_value",
            PipelineKind::Siblings { .. } | PipelineKind::Derivative { .. } | PipelineKind::BucketSort { .. } => {
                type_name(kind)
            }
        },
        _ => type_name(kind),
    }
}

/// The format of a source's values.
fn format_of(source: &ValueSource, values: Option<&Values>) -> EsResult<Format> {
    Format::of(source.format.as_deref(), source.time_zone.as_deref(), values)
}
