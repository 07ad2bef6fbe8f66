//! Aggregations in Elasticsearch's JSON: read into the engine's, and printed in Elasticsearch's shapes.
//!
//! In: the body of `aggs`. Out: the body of `aggregations`. [`Aggregations::parse`] reads it for one index, [`Aggregations::collect`]
//! computes it over some of that index's documents, [`Aggregations::finish`] merges the results of all indices and prints them. What is
//! not supported is refused by name. Read next: `body` (how members are read), one file a family, and [`print`].
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of aggregations and of JSON values are many, and most steps concern a few of them"
)]

mod body;
mod composite;
mod filters;
pub mod format;
mod histogram;
mod hits;
mod metrics;
mod names;
mod pipeline;
pub mod print;
mod ranges;
mod source;
mod terms;

use serde_json::{Map, Value};

use self::body::{Body, Place};
use self::print::{HitPrinter, Printer};
use super::error::{EsError, EsResult};
use super::query_dsl::QueryContext;
use crate::aggregate::merge::AggregateError;
use crate::aggregate::order::{check_path, is_metric};
use crate::aggregate::request::{BucketOrder, OrderBy};
use crate::aggregate::{Aggregation, AggregationKind, Context, DocSets, MAX_BUCKETS, Outcome, collect, finish, merge};

/// Deeper trees are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 30;

/// The aggregations of a request as one index understands them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Aggregations {
    aggs: Vec<Aggregation>,
}

/// The results of one index.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial(Vec<Outcome>);

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// Names say the type too: `sterms#tags`.
    pub typed_keys: bool,
    /// The total of hits is a number and no object.
    pub total_hits_as_int: bool,
}

impl Aggregations {
    /// Reads the body of `aggs` (or `aggregations`) for one index.
    ///
    /// # Errors
    /// `parsing_exception` naming the aggregation for what is none; `illegal_argument_exception` and others as Elasticsearch has them.
    pub fn parse(body: &Value, context: &QueryContext<'_>) -> EsResult<Self> {
        let aggs = parse_all(body, context, 0)?;
        for agg in &aggs {
            check(agg, None, &aggs)?;
        }
        Ok(Self { aggs })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.aggs.is_empty()
    }

    /// Whether [`DocSets::scores`] are looked at.
    pub fn needs_scores(&self) -> bool {
        self.aggs.iter().any(Aggregation::needs_scores)
    }

    /// The engine's aggregations.
    pub fn aggs(&self) -> &[Aggregation] {
        &self.aggs
    }

    /// Computes them over some documents of the index that they were read for.
    ///
    /// # Errors
    /// As [`collect()`].
    pub fn collect(&self, context: &Context<'_>, sets: DocSets<'_>) -> EsResult<Partial> {
        Ok(Partial(collect(context, &self.aggs, sets)?))
    }

    /// Merges the results of all indices and prints them, as the value of `aggregations`.
    ///
    /// * `partials`: one an index, of the same body.
    /// * `hits`: prints a hit of `top_hits`.
    ///
    /// # Errors
    /// `too_many_buckets_exception`, and what `hits` fails with.
    pub fn finish(
        &self,
        partials: Vec<Partial>,
        options: PrintOptions,
        hits: &mut HitPrinter<'_>,
    ) -> EsResult<Map<String, Value>> {
        let partials = partials.into_iter().map(|Partial(outcomes)| outcomes).collect();
        let merged = merge(&self.aggs, partials).map_err(from_aggregate)?;
        let finished = finish(&self.aggs, merged, MAX_BUCKETS).map_err(from_aggregate)?;
        Printer { options, hits }.print_all(&self.aggs, &finished)
    }
}

fn from_aggregate(error: AggregateError) -> EsError {
    let reason = error.to_string();
    match error {
        AggregateError::TooManyBuckets { most } => {
            EsError::new(400, "too_many_buckets_exception", reason).with("max_buckets", most.into())
        }
        AggregateError::TypesDiffer { .. } => EsError::new(400, "aggregation_execution_exception", reason),
        AggregateError::Other(error) => error.into(),
    }
}

fn parse_all(body: &Value, context: &QueryContext<'_>, depth: usize) -> EsResult<Vec<Aggregation>> {
    if depth > MAX_DEPTH {
        return Err(EsError::illegal_argument(format!("aggregations are nested more than {MAX_DEPTH} levels deep")));
    }
    let Value::Object(members) = body else {
        let found = body::token(body);
        return Err(EsError::parsing(format!("Expected [START_OBJECT] under [aggs], but got a [{found}]")));
    };
    members.iter().map(|(name, definition)| parse_one(name, definition, context, depth)).collect()
}

fn parse_one(name: &str, definition: &Value, context: &QueryContext<'_>, depth: usize) -> EsResult<Aggregation> {
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(EsError::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )));
    }
    let Value::Object(members) = definition else {
        return Err(EsError::parsing(format!(
            "Aggregation definition for [{name} starts with a [{}], expected a [START_OBJECT].",
            body::token(definition)
        )));
    };
    let mut found: Option<(&str, &Value)> = None;
    let mut subs = None;
    let mut meta = None;
    for (key, value) in members {
        match (key.as_str(), value) {
            ("meta", Value::Object(members)) => meta = Some(members.clone()),
            ("aggs" | "aggregations", Value::Object(_)) => {
                if subs.replace(value).is_some() {
                    return Err(EsError::parsing(format!("Found two sub aggregation definitions under [{name}]")));
                }
            }
            (kind, Value::Object(_)) => {
                if let Some((other, _)) = found.replace((kind, value)) {
                    return Err(EsError::parsing(format!(
                        "Found two aggregation type definitions in [{name}]: [{other}] and [{kind}]"
                    )));
                }
            }
            (kind, other) => {
                return Err(EsError::parsing(format!(
                    "Expected [START_OBJECT] under [{kind}], but got a [{}] in [{name}]",
                    body::token(other)
                )));
            }
        }
    }
    let Some((kind, value)) = found else {
        return Err(EsError::parsing(format!("Missing definition for aggregation [{name}]")));
    };
    let aggs = match subs {
        Some(subs) => parse_all(subs, context, depth + 1)?,
        None => Vec::new(),
    };
    let kind_name = kind;
    let mut body = Body::new(Place { kind, name }, value);
    let kind = parse_kind(&mut body, context)?;
    body.end()?;
    if !aggs.is_empty() && (is_metric(&kind) || matches!(kind, AggregationKind::Pipeline(_))) {
        return Err(EsError::new(
            400,
            "aggregation_initialization_exception",
            format!("Aggregator [{name}] of type [{kind_name}] cannot accept sub-aggregations"),
        ));
    }
    Ok(Aggregation { name: name.to_string(), kind, aggs, meta })
}

fn parse_kind(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    match body.place().kind {
        "terms" => terms::terms(body),
        "rare_terms" => terms::rare_terms(body),
        "multi_terms" => terms::multi_terms(body),
        "significant_terms" => terms::significant_terms(body, context),
        "histogram" => histogram::histogram(body),
        "date_histogram" => histogram::date_histogram(body, context),
        "range" => ranges::range(body, context),
        "date_range" => ranges::date_range(body, context),
        "ip_range" => ranges::ip_range(body),
        "filter" => filters::filter(body, context),
        "filters" => filters::filters(body, context),
        "adjacency_matrix" => filters::adjacency_matrix(body, context),
        "missing" => filters::missing(body),
        "global" => Ok(AggregationKind::Global),
        "sampler" => filters::sampler(body),
        "nested" => filters::nested(body, context),
        "reverse_nested" => filters::reverse_nested(body, context),
        "composite" => composite::composite(body, context),
        "top_hits" => hits::top_hits(body, context),
        "top_metrics" => hits::top_metrics(body),
        "avg"
        | "sum"
        | "min"
        | "max"
        | "stats"
        | "extended_stats"
        | "value_count"
        | "cardinality"
        | "percentiles"
        | "percentile_ranks"
        | "median_absolute_deviation"
        | "boxplot"
        | "weighted_avg"
        | "string_stats" => metrics::metric(body),
        "avg_bucket"
        | "sum_bucket"
        | "min_bucket"
        | "max_bucket"
        | "stats_bucket"
        | "extended_stats_bucket"
        | "percentiles_bucket"
        | "derivative"
        | "cumulative_sum"
        | "bucket_sort" => pipeline::pipeline(body),
        other => Err(names::unknown(other, body.place().name)),
    }
}

/// What is only wrong at its place in the tree: orders by results that are not there, and misplaced aggregations.
fn check(agg: &Aggregation, parent: Option<&Aggregation>, siblings: &[Aggregation]) -> EsResult<()> {
    let order: &[BucketOrder] = match &agg.kind {
        AggregationKind::Terms(terms) => &terms.order,
        AggregationKind::MultiTerms(terms) => &terms.order,
        AggregationKind::Histogram(histogram) => &histogram.order,
        AggregationKind::DateHistogram(histogram) => &histogram.order,
        _ => &[],
    };
    for criterion in order {
        if let OrderBy::Path(path) = &criterion.by {
            check_path(&agg.aggs, path)
                .map_err(|reason| EsError::new(400, "aggregation_execution_exception", reason))?;
        }
    }
    match (&agg.kind, parent) {
        (AggregationKind::Global, Some(_)) => {
            return Err(EsError::new(
                400,
                "aggregation_execution_exception",
                format!(
                    "Aggregator [{}] of type [global] can only be defined as a top level aggregation, and not as a sub-aggregation",
                    agg.name
                ),
            ));
        }
        (AggregationKind::Composite(_), Some(parent))
            if !matches!(
                parent.kind,
                AggregationKind::Nested { .. } | AggregationKind::Filter(_) | AggregationKind::ReverseNested { .. }
            ) =>
        {
            return Err(EsError::illegal_argument(format!(
                "[composite] aggregation cannot be used with a parentAggregation of type: [{}]",
                print::type_name(&parent.kind)
            )));
        }
        _ => {}
    }
    pipeline::check(agg, parent, siblings)?;
    agg.aggs.iter().try_for_each(|sub| check(sub, Some(agg), &agg.aggs))
}

#[cfg(test)]
mod tests;
