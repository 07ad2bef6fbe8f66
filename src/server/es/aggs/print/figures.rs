//! Figures in Elasticsearch's shapes.

use serde_json::{Map, Value, json};

use super::super::super::error::EsResult;
use super::super::format::{Format, java_double, number};
use super::format_of;
use crate::aggregate::AggregationKind;
use crate::aggregate::figures::stats::{Spread, Stats};
use crate::aggregate::figures::{Digest, Figures, StringStats};
use crate::aggregate::outcome::Metric;
use crate::aggregate::request::{PipelineKind, SiblingFigure, ValueSource};

type Object = Map<String, Value>;

/// Prints a metric's figures.
pub(super) fn metric(kind: &AggregationKind, metric: &Metric, object: &mut Object) -> EsResult<()> {
    let format = |source: &ValueSource| format_of(source, metric.values.as_ref());
    match (kind, &metric.figures) {
        (AggregationKind::Avg(source), Figures::Stats(stats)) => value(object, stats.mean(), &format(source)?),
        (AggregationKind::Sum(source), Figures::Stats(stats)) => {
            value(object, Some(stats.sum.value()), &format(source)?);
        }
        (AggregationKind::Min(source), Figures::Stats(stats)) => {
            value(object, Some(stats.min).filter(|_| stats.count > 0), &format(source)?);
        }
        (AggregationKind::Max(source), Figures::Stats(stats)) => {
            value(object, Some(stats.max).filter(|_| stats.count > 0), &format(source)?);
        }
        (AggregationKind::Stats(source), Figures::Stats(figures)) => stats(object, figures, &format(source)?),
        (AggregationKind::ExtendedStats { source, sigma }, Figures::Stats(figures)) => {
            extended_stats(object, figures, *sigma, &format(source)?);
        }
        (AggregationKind::Pipeline(pipeline), Figures::Stats(figures)) => {
            let format = Format::of(pipeline.format.as_deref(), None, None)?;
            match &pipeline.kind {
                PipelineKind::Siblings { figure: SiblingFigure::ExtendedStats(sigma), .. } => {
                    extended_stats(object, figures, *sigma, &format);
                }
                _ => stats(object, figures, &format),
            }
        }
        (_, Figures::Count(count)) => {
            object.insert("value".to_string(), json!(count));
        }
        (_, Figures::Distinct(distinct)) => {
            object.insert("value".to_string(), json!(distinct.count()));
        }
        (kind, Figures::Weighted { sum, weights }) => {
            let source = if let AggregationKind::WeightedAvg { value, .. } = kind { Some(value) } else { None };
            let format = Format::of(source.and_then(|source| source.format.as_deref()), None, metric.values.as_ref())?;
            let mean = (weights.value() != 0.0).then(|| sum.value() / weights.value());
            value(object, mean, &format);
        }
        (AggregationKind::Percentiles { source, percents, keyed, .. }, Figures::Digest(digest)) => {
            let found: Vec<(f64, Option<f64>)> = percents
                .iter()
                .map(|&percent| (percent, Some(digest.quantile(percent / 100.0)).filter(|value| !value.is_nan())))
                .collect();
            percentiles(&found, *keyed, &format(source)?, object);
        }
        (AggregationKind::PercentileRanks { source, values, keyed, .. }, Figures::Digest(digest)) => {
            let found: Vec<(f64, Option<f64>)> = values
                .iter()
                .map(|&value| (value, Some(100.0 * digest.rank(value)).filter(|rank| !rank.is_nan())))
                .collect();
            percentiles(&found, *keyed, &format(source)?, object);
        }
        (AggregationKind::MedianAbsoluteDeviation { source, .. }, Figures::Digest(digest)) => {
            let deviation = Some(digest.median_absolute_deviation()).filter(|deviation| !deviation.is_nan());
            value(object, deviation, &format(source)?);
        }
        (AggregationKind::Boxplot { source, .. }, Figures::Digest(digest)) => boxplot(object, digest, &format(source)?),
        (AggregationKind::StringStats { show_distribution, .. }, Figures::Strings(strings)) => {
            string_stats(object, strings, *show_distribution);
        }
        (_, Figures::Stats(_) | Figures::Digest(_) | Figures::Strings(_)) => {}
    }
    Ok(())
}

fn value(object: &mut Object, value: Option<f64>, format: &Format) {
    object.insert("value".to_string(), value.map_or(Value::Null, number));
    if let Some(text) = value.and_then(|value| format.beside(value)) {
        object.insert("value_as_string".to_string(), json!(text));
    }
}

/// A figure's text, where one is printed beside it; a boolean's is a boolean in several figures at once.
fn text(value: f64, format: &Format) -> Option<Value> {
    match format {
        Format::Boolean => Some(json!(value != 0.0)),
        Format::Raw | Format::Date(..) | Format::Decimal(_) => format.beside(value).map(|text| json!(text)),
    }
}

fn put(object: &mut Object, name: &str, value: f64, format: &Format) {
    object.insert(name.to_string(), number(value));
    if let Some(text) = text(value, format) {
        object.insert(format!("{name}_as_string"), text);
    }
}

fn stats(object: &mut Object, stats: &Stats, format: &Format) {
    object.insert("count".to_string(), json!(stats.count));
    let Some(mean) = stats.mean() else {
        for name in ["min", "max", "avg"] {
            object.insert(name.to_string(), Value::Null);
        }
        object.insert("sum".to_string(), json!(0.0));
        return;
    };
    let figures = [("min", stats.min), ("max", stats.max), ("avg", mean), ("sum", stats.sum.value())];
    for (name, value) in figures {
        object.insert(name.to_string(), number(value));
    }
    for (name, value) in figures {
        if let Some(text) = text(value, format) {
            object.insert(format!("{name}_as_string"), text);
        }
    }
}

const BOUNDS: [(&str, f64, Spread); 6] = [
    ("upper", 1.0, Spread::Population),
    ("lower", -1.0, Spread::Population),
    ("upper_population", 1.0, Spread::Population),
    ("lower_population", -1.0, Spread::Population),
    ("upper_sampling", 1.0, Spread::Sampling),
    ("lower_sampling", -1.0, Spread::Sampling),
];

fn extended_stats(object: &mut Object, figures: &Stats, sigma: f64, format: &Format) {
    stats(object, figures, format);
    let spreads = [
        ("variance", figures.variance(Spread::Population)),
        ("variance_population", figures.variance(Spread::Population)),
        ("variance_sampling", figures.variance(Spread::Sampling)),
        ("std_deviation", figures.deviation(Spread::Population)),
        ("std_deviation_population", figures.deviation(Spread::Population)),
        ("std_deviation_sampling", figures.deviation(Spread::Sampling)),
    ];
    if figures.count == 0 {
        object.insert("sum_of_squares".to_string(), Value::Null);
        for (name, _) in spreads {
            object.insert(name.to_string(), Value::Null);
        }
        let bounds: Object = BOUNDS.iter().map(|(name, ..)| ((*name).to_string(), Value::Null)).collect();
        object.insert("std_deviation_bounds".to_string(), Value::Object(bounds));
        return;
    }
    put(object, "sum_of_squares", figures.sum_of_squares.value(), format);
    for (name, value) in spreads {
        if name.starts_with("variance") {
            put(object, name, value, format);
        } else {
            object.insert(name.to_string(), number(value));
            if let Some(text) = format.beside(value) {
                object.insert(format!("{name}_as_string"), json!(text));
            }
        }
    }
    let mut bounds = Map::new();
    let mut texts = Map::new();
    for (name, sign, spread) in BOUNDS {
        let bound = figures.bound(sign * sigma, spread);
        bounds.insert(name.to_string(), number(bound));
        if let Some(text) = format.beside(bound) {
            texts.insert(name.to_string(), json!(text));
        }
    }
    object.insert("std_deviation_bounds".to_string(), Value::Object(bounds));
    if !texts.is_empty() {
        object.insert("std_deviation_bounds_as_string".to_string(), Value::Object(texts));
    }
}

/// Pairs of a percent (or a bound) and its value.
pub(super) fn percentiles(found: &[(f64, Option<f64>)], keyed: bool, format: &Format, object: &mut Object) {
    let values = if keyed {
        let mut values = Map::new();
        for (key, value) in found {
            let name = java_double(*key);
            values.insert(name.clone(), value.map_or(Value::Null, number));
            if let Some(text) = value.and_then(|value| format.beside(value)) {
                values.insert(format!("{name}_as_string"), json!(text));
            }
        }
        Value::Object(values)
    } else {
        let entry = |(key, value): &(f64, Option<f64>)| {
            let mut entry = Map::new();
            entry.insert("key".to_string(), json!(key));
            entry.insert("value".to_string(), value.map_or(Value::Null, number));
            if let Some(text) = value.and_then(|value| format.beside(value)) {
                entry.insert("value_as_string".to_string(), json!(text));
            }
            Value::Object(entry)
        };
        Value::Array(found.iter().map(entry).collect())
    };
    object.insert("values".to_string(), values);
}

fn boxplot(object: &mut Object, digest: &Digest, format: &Format) {
    let (q1, q2, q3) = (digest.quantile(0.25), digest.quantile(0.5), digest.quantile(0.75));
    let reach = 1.5 * (q3 - q1);
    let figures = [
        ("min", digest.min()),
        ("max", digest.max()),
        ("q1", q1),
        ("q2", q2),
        ("q3", q3),
        ("lower", digest.least_from(q1 - reach)),
        ("upper", digest.greatest_to(q3 + reach)),
    ];
    for (name, value) in figures {
        object.insert(name.to_string(), number(value));
    }
    for (name, value) in figures {
        if let Some(text) = format.beside(value) {
            object.insert(format!("{name}_as_string"), json!(text));
        }
    }
}

fn string_stats(object: &mut Object, strings: &StringStats, show_distribution: bool) {
    object.insert("count".to_string(), json!(strings.count));
    if strings.count == 0 {
        for name in ["min_length", "max_length", "avg_length"] {
            object.insert(name.to_string(), Value::Null);
        }
        object.insert("entropy".to_string(), json!(0.0));
    } else {
        object.insert("min_length".to_string(), json!(strings.min_length));
        object.insert("max_length".to_string(), json!(strings.max_length));
        object.insert("avg_length".to_string(), json!(strings.total_length as f64 / strings.count as f64));
        object.insert("entropy".to_string(), json!(strings.entropy()));
    }
    if show_distribution {
        let parts: Object =
            strings.distribution().into_iter().map(|(letter, part)| (letter.to_string(), json!(part))).collect();
        object.insert("distribution".to_string(), Value::Object(parts));
    }
}
