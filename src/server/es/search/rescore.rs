//! `rescore`: the best hits of an index, scored again by another query.

use std::collections::HashSet;

use serde_json::Value;

use super::json;
use super::target::Target;
use crate::retrieve::DocLocator;
use crate::retrieve::collect::{CollectedHit, score_documents};
use crate::retrieve::query::Query;
use crate::server::es::error::{EsError, EsResult};

/// One rescorer as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RescoreSpec {
    /// So many of the best are scored again.
    pub(super) window_size: usize,
    query: Value,
    query_weight: f32,
    rescore_query_weight: f32,
    mode: RescoreMode,
}

/// A rescorer in one index.
#[derive(Debug, Clone)]
pub(super) struct Rescorer {
    pub(super) window_size: usize,
    pub(super) query: Query,
    query_weight: f32,
    rescore_query_weight: f32,
    mode: RescoreMode,
    /// What lay in the window and was scored again.
    rescored: HashSet<DocLocator>,
}

/// How the two scores become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RescoreMode {
    Total,
    Multiply,
    Avg,
    Max,
    Min,
}

impl RescoreSpec {
    /// Reads one rescorer or several.
    ///
    /// # Errors
    /// `parsing_exception` for what is none; `learning_to_rank` is refused.
    pub(super) fn parse_all(value: &Value) -> EsResult<Vec<Self>> {
        match value {
            Value::Array(values) => values.iter().map(Self::parse).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Ok(vec![Self::parse(value)?])
            }
        }
    }

    fn parse(value: &Value) -> EsResult<Self> {
        let mut spec = None;
        let mut window_size = 10;
        for (name, value) in json::object("rescore", value)? {
            match name.as_str() {
                "window_size" => window_size = json::size("rescore", name, value)?,
                "query" => spec = Some(Self::parse_query(value)?),
                "learning_to_rank" | "script" => return Err(EsError::unsupported(format!("the rescorer [{name}]"))),
                _ => return Err(EsError::parsing(format!("rescore doesn't support rescorer with name [{name}]"))),
            }
        }
        let mut spec: Self = spec.ok_or_else(|| EsError::parsing("missing rescore type"))?;
        spec.window_size = window_size;
        Ok(spec)
    }

    fn parse_query(value: &Value) -> EsResult<Self> {
        let mut query = None;
        let mut spec = Self {
            window_size: 0,
            query: Value::Null,
            query_weight: 1.0,
            rescore_query_weight: 1.0,
            mode: RescoreMode::Total,
        };
        for (name, value) in json::object("query", value)? {
            match name.as_str() {
                "rescore_query" => query = Some(value.clone()),
                "query_weight" => spec.query_weight = json::float("query", name, value)?,
                "rescore_query_weight" => spec.rescore_query_weight = json::float("query", name, value)?,
                "score_mode" => spec.mode = RescoreMode::parse(&json::text("query", name, value)?)?,
                _ => return Err(json::unknown_field("query", name)),
            }
        }
        spec.query = query.ok_or_else(|| EsError::new(400, "x_content_parse_exception", "Required [rescore_query]"))?;
        Ok(spec)
    }

    pub(super) fn resolve(&self, target: &Target) -> EsResult<Rescorer> {
        Ok(Rescorer {
            window_size: self.window_size,
            query: target.parse_query(&self.query)?,
            query_weight: self.query_weight,
            rescore_query_weight: self.rescore_query_weight,
            mode: self.mode,
            rescored: HashSet::new(),
        })
    }
}

impl RescoreMode {
    fn parse(text: &str) -> EsResult<Self> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "total" => Self::Total,
            "multiply" => Self::Multiply,
            "avg" => Self::Avg,
            "max" => Self::Max,
            "min" => Self::Min,
            _ => return Err(EsError::illegal_argument(format!("illegal score_mode [{text}]"))),
        })
    }

    fn combine(self, first: f32, second: f32) -> f32 {
        match self {
            Self::Total => first + second,
            Self::Multiply => first * second,
            Self::Avg => (first + second) / 2.0,
            Self::Max => first.max(second),
            Self::Min => first.min(second),
        }
    }
}

impl Rescorer {
    /// Scores the first `window_size` hits again, weighs the others, and puts all in order.
    ///
    /// A hit that the second query does not match keeps its first score, weighed. Ties go by the place in the index.
    ///
    /// # Errors
    /// Those of the query.
    pub(super) fn rescore(&mut self, target: &Target, hits: &mut [CollectedHit]) -> EsResult<()> {
        let window = self.window_size.min(hits.len());
        let locators: Vec<_> = hits.iter().take(window).map(|hit| hit.locator).collect();
        let scores = score_documents(&target.searcher, &self.query, &locators)?;
        self.rescored.extend(locators);
        let scores = scores.into_iter().map(Some).chain(std::iter::repeat(None));
        for (hit, second) in hits.iter_mut().zip(scores) {
            hit.score = Some(self.combined(hit.score.unwrap_or_default(), second.flatten()));
        }
        let by_score = |a: &CollectedHit, b: &CollectedHit| {
            let (left, right) = (a.score.unwrap_or_default(), b.score.unwrap_or_default());
            right.total_cmp(&left).then(a.locator.cmp(&b.locator))
        };
        hits.sort_by(by_score);
        Ok(())
    }

    /// Whether a hit lay in the window.
    pub(super) fn has_rescored(&self, locator: DocLocator) -> bool {
        self.rescored.contains(&locator)
    }

    /// A document's score and what the second query gives it, as one; `None` where that does not match.
    pub(super) fn combined(&self, first: f32, second: Option<f32>) -> f32 {
        let first = first * self.query_weight;
        second.map_or(first, |second| self.mode.combine(first, second * self.rescore_query_weight))
    }

    /// What the rescorer made of a document's score, for `_explanation`.
    pub(super) fn explain(&self, first: Value, first_score: f32, second: Option<(Value, f32)>) -> (Value, f32) {
        let weighed = first_score * self.query_weight;
        let primary = serde_json::json!({
            "value": json::score(weighed),
            "description": "product of:",
            "details": [first, {"value": json::score(self.query_weight), "description": "primaryWeight", "details": []}],
        });
        let Some((second, second_score)) = second else { return (primary, weighed) };
        let second_weighed = second_score * self.rescore_query_weight;
        let combined = self.mode.combine(weighed, second_weighed);
        let secondary = serde_json::json!({
            "value": json::score(second_weighed),
            "description": "product of:",
            "details": [
                second,
                {"value": json::score(self.rescore_query_weight), "description": "secondaryWeight", "details": []},
            ],
        });
        let description = match self.mode {
            RescoreMode::Total => "sum of:",
            RescoreMode::Multiply => "product of:",
            RescoreMode::Avg => "avg of:",
            RescoreMode::Max => "max of:",
            RescoreMode::Min => "min of:",
        };
        let value = serde_json::json!({
            "value": json::score(combined), "description": description, "details": [primary, secondary],
        });
        (value, combined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rescorers_are_read() {
        let one = json!({"window_size": 50, "query": {"rescore_query": {"match_all": {}}, "query_weight": 0.5, "score_mode": "max"}});
        let specs = RescoreSpec::parse_all(&json!([one.clone(), one])).unwrap();
        assert_eq!(
            (specs.len(), specs[0].window_size, specs[0].query_weight, specs[0].mode),
            (2, 50, 0.5, RescoreMode::Max)
        );
        for (body, what) in [
            (json!({"window_size": 5}), "missing rescore type"),
            (json!({"query": {}}), "Required [rescore_query]"),
            (json!({"query": {"rescore_query": {}, "colour": 1}}), "unknown field [colour]"),
            (json!({"query": {"rescore_query": {}, "score_mode": "best"}}), "illegal score_mode [best]"),
            (json!({"learning_to_rank": {}}), "learning_to_rank"),
        ] {
            let error = RescoreSpec::parse_all(&body).unwrap_err();
            assert!(error.reason.contains(what), "{body}: {error}");
        }
    }
}
