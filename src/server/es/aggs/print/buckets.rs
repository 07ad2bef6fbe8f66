//! Buckets in Elasticsearch's shapes.

use serde_json::{Map, Value, json};

use super::super::super::error::EsResult;
use super::super::format::{Format, address_text, number};
use super::{Printer, format_of};
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Bucket, Buckets, Values};
use crate::aggregate::request::{Composite, CompositeKeys, Filters, IpRange, MultiTerms, Range, ValueSource};
use crate::aggregate::{Aggregation, AggregationKind};

type Object = Map<String, Value>;

impl Printer<'_, '_> {
    pub(super) fn buckets(&mut self, agg: &Aggregation, found: &Buckets, object: &mut Object) -> EsResult<()> {
        match &agg.kind {
            AggregationKind::Terms(terms) => self.terms(agg, &terms.source, terms.show_error, found, object),
            AggregationKind::RareTerms(rare) => {
                let format = format_of(&rare.source, first_values(found))?;
                let buckets = self.listed(agg, found, |bucket, printed| {
                    put_key(&format, bucket, printed);
                    printed.insert("doc_count".to_string(), json!(bucket.doc_count));
                })?;
                object.insert("buckets".to_string(), buckets);
                Ok(())
            }
            AggregationKind::MultiTerms(terms) => self.multi_terms(agg, terms, found, object),
            AggregationKind::SignificantTerms(terms) => self.significant(agg, &terms.source, found, object),
            AggregationKind::Histogram(histogram) => {
                self.intervals(agg, &histogram.source, histogram.keyed, found, object)
            }
            AggregationKind::DateHistogram(histogram) => {
                self.intervals(agg, &histogram.source, histogram.keyed, found, object)
            }
            AggregationKind::Range(range) => self.range(agg, range, found, object),
            AggregationKind::IpRange(range) => self.ip_range(agg, range, found, object),
            AggregationKind::Filters(filters) => self.filters(agg, filters, found, object),
            AggregationKind::AdjacencyMatrix(_) => {
                let buckets = self.listed(agg, found, |bucket, printed| {
                    put_key(&Format::Raw, bucket, printed);
                    printed.insert("doc_count".to_string(), json!(bucket.doc_count));
                })?;
                object.insert("buckets".to_string(), buckets);
                Ok(())
            }
            AggregationKind::Composite(composite) => self.composite(agg, composite, found, object),
            _ => Ok(()),
        }
    }

    /// Buckets one after another; `head` prints what stands before the sub-aggregations.
    fn listed(&mut self, agg: &Aggregation, found: &Buckets, head: impl Fn(&Bucket, &mut Object)) -> EsResult<Value> {
        let mut listed = Vec::with_capacity(found.buckets.len());
        for bucket in &found.buckets {
            let mut printed = Map::new();
            head(bucket, &mut printed);
            printed.extend(self.print_all(&agg.aggs, &bucket.aggs)?);
            listed.push(Value::Object(printed));
        }
        Ok(Value::Array(listed))
    }

    fn terms(
        &mut self,
        agg: &Aggregation,
        source: &ValueSource,
        show_error: bool,
        found: &Buckets,
        object: &mut Object,
    ) -> EsResult<()> {
        let format = format_of(source, first_values(found))?;
        object.insert("doc_count_error_upper_bound".to_string(), json!(found.error));
        object.insert("sum_other_doc_count".to_string(), json!(found.other_doc_count));
        let buckets = self.listed(agg, found, |bucket, printed| {
            put_key(&format, bucket, printed);
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
            if show_error {
                printed.insert("doc_count_error_upper_bound".to_string(), json!(bucket.error));
            }
        })?;
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn multi_terms(
        &mut self,
        agg: &Aggregation,
        request: &MultiTerms,
        found: &Buckets,
        object: &mut Object,
    ) -> EsResult<()> {
        let formats = formats(request.sources.iter(), &found.values)?;
        object.insert("doc_count_error_upper_bound".to_string(), json!(found.error));
        object.insert("sum_other_doc_count".to_string(), json!(found.other_doc_count));
        let buckets = self.listed(agg, found, |bucket, printed| {
            let Some(Key::Tuple(parts)) = &bucket.key else { return };
            let mut values = Vec::with_capacity(parts.len());
            let mut texts = Vec::with_capacity(parts.len());
            for (part, format) in parts.iter().zip(&formats) {
                let Some(part) = part else { continue };
                let (value, text) = format.key(part);
                texts.push(format.key_text(part));
                values.push(match (format, text) {
                    (Format::Boolean, _) => json!(*part != Key::Long(0)),
                    (_, Some(text)) => json!(text),
                    (_, None) => value,
                });
            }
            printed.insert("key".to_string(), Value::Array(values));
            printed.insert("key_as_string".to_string(), json!(texts.join("|")));
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
            if request.show_error {
                printed.insert("doc_count_error_upper_bound".to_string(), json!(bucket.error));
            }
        })?;
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn significant(
        &mut self,
        agg: &Aggregation,
        source: &ValueSource,
        found: &Buckets,
        object: &mut Object,
    ) -> EsResult<()> {
        let format = format_of(source, first_values(found))?;
        object.insert("doc_count".to_string(), json!(found.foreground));
        object.insert("bg_count".to_string(), json!(found.background));
        let buckets = self.listed(agg, found, |bucket, printed| {
            put_key(&format, bucket, printed);
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
            printed.insert("score".to_string(), number(bucket.score));
            printed.insert("bg_count".to_string(), json!(bucket.background));
        })?;
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn intervals(
        &mut self,
        agg: &Aggregation,
        source: &ValueSource,
        keyed: bool,
        found: &Buckets,
        object: &mut Object,
    ) -> EsResult<()> {
        let mut values = first_values(found).cloned();
        if values.is_none() && matches!(agg.kind, AggregationKind::DateHistogram(_)) {
            values =
                Some(Values { kind: crate::index::doc_values::ValueKind::Date, type_name: "date", date_formats: None });
        }
        let format = format_of(source, values.as_ref())?;
        let head = |bucket: &Bucket, printed: &mut Object| {
            // The text comes before the key here.
            if let Some(key) = &bucket.key {
                let (value, text) = format.key(key);
                if let Some(text) = text {
                    printed.insert("key_as_string".to_string(), json!(text));
                }
                printed.insert("key".to_string(), value);
            }
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
        };
        let listed = self.listed(agg, found, head)?;
        let name = |bucket: &Bucket| bucket.key.as_ref().map(|key| format.key_text(key)).unwrap_or_default();
        let buckets = if keyed { by_name(found.buckets.iter().map(name), listed) } else { listed };
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn range(&mut self, agg: &Aggregation, request: &Range, found: &Buckets, object: &mut Object) -> EsResult<()> {
        let mut values = first_values(found).cloned();
        if values.is_none() && request.dates {
            values =
                Some(Values { kind: crate::index::doc_values::ValueKind::Date, type_name: "date", date_formats: None });
        }
        let format = format_of(&request.source, values.as_ref())?;
        let range_of = |bucket: &Bucket| match bucket.key {
            Some(Key::Place(place)) => request.ranges.get(place),
            _ => None,
        };
        let name = |bucket: &Bucket| {
            let Some(range) = range_of(bucket) else { return String::new() };
            let bound = |bound: Option<f64>| bound.map_or_else(|| "*".to_string(), |bound| format.text(bound));
            range.key.clone().unwrap_or_else(|| format!("{}-{}", bound(range.from), bound(range.to)))
        };
        let listed = self.listed(agg, found, |bucket, printed| {
            let Some(range) = range_of(bucket) else { return };
            if !request.keyed {
                printed.insert("key".to_string(), json!(name(bucket)));
            }
            for (end, bound) in [("from", range.from), ("to", range.to)] {
                let Some(bound) = bound else { continue };
                printed.insert(end.to_string(), number(bound));
                if let Some(text) = format.beside(bound) {
                    printed.insert(format!("{end}_as_string"), json!(text));
                }
            }
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
        })?;
        let buckets = if request.keyed { by_name(found.buckets.iter().map(name), listed) } else { listed };
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn ip_range(&mut self, agg: &Aggregation, request: &IpRange, found: &Buckets, object: &mut Object) -> EsResult<()> {
        let range_of = |bucket: &Bucket| match bucket.key {
            Some(Key::Place(place)) => request.ranges.get(place),
            _ => None,
        };
        let name = |bucket: &Bucket| {
            let Some(range) = range_of(bucket) else { return String::new() };
            let bound = |bound: Option<u128>| bound.map_or_else(|| "*".to_string(), address_text);
            range.key.clone().unwrap_or_else(|| format!("{}-{}", bound(range.from), bound(range.to)))
        };
        let listed = self.listed(agg, found, |bucket, printed| {
            let Some(range) = range_of(bucket) else { return };
            if !request.keyed {
                printed.insert("key".to_string(), json!(name(bucket)));
            }
            for (end, bound) in [("from", range.from), ("to", range.to)] {
                if let Some(bound) = bound {
                    printed.insert(end.to_string(), json!(address_text(bound)));
                }
            }
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
        })?;
        let buckets = if request.keyed { by_name(found.buckets.iter().map(name), listed) } else { listed };
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn filters(&mut self, agg: &Aggregation, request: &Filters, found: &Buckets, object: &mut Object) -> EsResult<()> {
        let name = |bucket: &Bucket| match bucket.key {
            Some(Key::Place(place)) => match request.filters.get(place) {
                Some((name, _)) => name.clone(),
                None => request.other.clone(),
            },
            _ => None,
        };
        let is_named = request.filters.iter().any(|(name, _)| name.is_some());
        let listed = self.listed(agg, found, |bucket, printed| {
            if is_named
                && !request.keyed
                && let Some(name) = name(bucket)
            {
                printed.insert("key".to_string(), json!(name));
            }
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
        })?;
        let names = found.buckets.iter().map(|bucket| name(bucket).unwrap_or_default());
        let buckets = if request.keyed { by_name(names, listed) } else { listed };
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }

    fn composite(
        &mut self,
        agg: &Aggregation,
        request: &Composite,
        found: &Buckets,
        object: &mut Object,
    ) -> EsResult<()> {
        let formats = formats(request.sources.iter().map(|part| &part.source), &found.values)?;
        let key_of = |key: &Key| {
            let mut members = Map::new();
            let Key::Tuple(parts) = key else { return members };
            for ((part, source), format) in parts.iter().zip(&request.sources).zip(&formats) {
                let value = match part {
                    None => Value::Null,
                    Some(part) => {
                        let (value, text) = format.key(part);
                        // Dates are numbers unless a format is asked for; booleans are themselves.
                        match (format, &source.keys) {
                            (Format::Boolean, CompositeKeys::Terms) => json!(*part != Key::Long(0)),
                            _ if source.source.format.is_some() => text.map_or(value, |text| json!(text)),
                            _ => value,
                        }
                    }
                };
                members.insert(source.name.clone(), value);
            }
            members
        };
        if let Some(after) = &found.after {
            object.insert("after_key".to_string(), Value::Object(key_of(after)));
        }
        let buckets = self.listed(agg, found, |bucket, printed| {
            if let Some(key) = &bucket.key {
                printed.insert("key".to_string(), Value::Object(key_of(key)));
            }
            printed.insert("doc_count".to_string(), json!(bucket.doc_count));
        })?;
        object.insert("buckets".to_string(), buckets);
        Ok(())
    }
}

fn first_values(found: &Buckets) -> Option<&Values> {
    found.values.first().and_then(Option::as_ref)
}

fn formats<'s>(sources: impl Iterator<Item = &'s ValueSource>, values: &[Option<Values>]) -> EsResult<Vec<Format>> {
    sources.enumerate().map(|(part, source)| format_of(source, values.get(part).and_then(Option::as_ref))).collect()
}

fn put_key(format: &Format, bucket: &Bucket, printed: &mut Object) {
    let Some(key) = &bucket.key else { return };
    let (value, text) = format.key(key);
    printed.insert("key".to_string(), value);
    if let Some(text) = text {
        printed.insert("key_as_string".to_string(), json!(text));
    }
}

fn by_name(names: impl Iterator<Item = String>, listed: Value) -> Value {
    let Value::Array(listed) = listed else { return listed };
    Value::Object(names.zip(listed).collect())
}
