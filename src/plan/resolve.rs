//! A plan and what an index has become a [`ResolvedPlan`]: every default filled, every contradiction rejected.
//!
//! Errors name the place in the plan as its user wrote it: `legs[1].dense.depth`.

use std::time::Duration;

use super::types::{DenseLeg, Fusion, Leg, LexicalLeg, Normalizer, Operator, Plan, Rerank, Rrf, RrfDialect};
use crate::error::{Error, Result};

/// The most candidates of a leg, and the most hits to look at (`size + offset`): Elasticsearch's `max_result_window`.
pub const MAX_DEPTH: usize = 10_000;
/// Candidates of a leg when a plan says nothing.
pub const DEFAULT_DEPTH: usize = 100;
/// Hits when a plan says nothing, as in Elasticsearch.
pub const DEFAULT_SIZE: usize = 10;
/// Candidates that a cross-encoder reads when a plan says nothing.
pub const DEFAULT_RERANK_DEPTH: usize = 50;
/// The lexical legs' share in a weighted sum: over ten collections the best single one for z-scores.
pub const DEFAULT_LEXICAL_WEIGHT: f64 = 0.4;
/// The dense legs' share in a weighted sum.
pub const DEFAULT_DENSE_WEIGHT: f64 = 0.6;
/// The most passages of a document that a cross-encoder reads.
pub const MAX_RERANK_PASSAGES: usize = 100;

/// What an index and an installation have, as far as a plan can ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PlanContext {
    /// The fields that the lexical leg can search, multi-fields (`title.english`) included.
    pub lexical_fields: Vec<String>,
    /// Those it searches when a plan names none; a subset of `lexical_fields`.
    pub default_lexical_fields: Vec<String>,
    /// The fields with vectors.
    pub dense_fields: Vec<DenseField>,
    /// The one that is searched when a plan names none; `None` lets the only one serve.
    pub default_dense_field: Option<String>,
    /// The cross-encoder that serves when a plan names none.
    pub default_cross_encoder: Option<String>,
}

/// A field with vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseField {
    /// Its path in the document.
    pub name: String,
    /// Whether the engine can embed a query for it; otherwise the caller must bring the query's vector.
    pub embeds_queries: bool,
}

/// A plan without gaps: what the stages of a search read. Comparable, so that two ways of saying the same are the same.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedPlan {
    /// What the plan is called in answers.
    pub name: String,
    /// The legs, in the plan's order; empty only where the caller brings the candidates.
    pub legs: Vec<ResolvedLeg>,
    /// `None` with fewer than two legs where none is asked for: scores are then the leg's own.
    pub fusion: Option<ResolvedFusion>,
    /// `None` for no re-ranking.
    pub rerank: Option<ResolvedRerank>,
    /// In the search box's syntax.
    pub filter: Option<String>,
    /// Hits to return.
    pub size: usize,
    /// Best hits to leave out first; `size + offset <= MAX_DEPTH`.
    pub offset: usize,
    /// Hits below are cut; finite.
    pub min_score: Option<f64>,
}

/// A leg without gaps.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedLeg {
    /// Unlike any other leg's.
    pub name: String,
    /// Candidates to return, `1..=MAX_DEPTH`.
    pub depth: usize,
    /// Finite and at least 0; one leg's at least is above 0.
    pub weight: f64,
    /// What the leg does.
    #[serde(flatten)]
    pub kind: ResolvedLegKind,
}

/// What a leg does.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResolvedLegKind {
    /// BM25.
    Lexical(ResolvedLexical),
    /// Nearest vectors.
    Dense(ResolvedDense),
}

/// A lexical leg without gaps.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedLexical {
    /// The fields, each of which the index has; never empty.
    pub fields: Vec<FieldBoost>,
    /// `None`: the field's own.
    pub k1: Option<f32>,
    /// `None`: the field's own.
    pub b: Option<f32>,
    /// How words are joined.
    pub operator: Operator,
}

/// A field and the factor of its scores.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct FieldBoost {
    /// The field's path.
    pub field: String,
    /// Above 0.
    pub boost: f32,
}

/// A dense leg without gaps.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedDense {
    /// The field, which the index has.
    pub field: String,
    /// `depth..=MAX_DEPTH`.
    pub num_candidates: usize,
    /// Whether every vector is compared.
    pub exact: bool,
}

/// A fusion without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResolvedFusion {
    /// Reciprocal rank fusion.
    Rrf(ResolvedRrf),
    /// The weighted sum of normalised scores.
    WeightedSum {
        /// How scores are put on one scale.
        normalizer: Normalizer,
    },
}

/// Reciprocal rank fusion without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedRrf {
    /// Whose formula.
    pub dialect: RrfDialect,
    /// At least 1.
    pub rank_constant: u32,
    /// Candidates of each leg that count, and candidates that come back; `None` for all.
    pub rank_window_size: Option<usize>,
}

/// Re-ranking without gaps.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ResolvedRerank {
    /// The cross-encoder's name.
    pub model: String,
    /// Candidates to read, `1..=MAX_DEPTH`.
    pub rerank_depth: usize,
    /// Time to read them.
    pub budget: Option<Duration>,
    /// `None`: the cross-encoder alone decides; else finite and above 0.
    pub weight: Option<f64>,
    /// Passages a document, `1..=MAX_RERANK_PASSAGES`.
    pub passages: usize,
    /// Relevance below which a document is cut, in 0..=1.
    pub min_score: Option<f64>,
}

impl Plan {
    /// Fills every default from `context` and rejects every contradiction.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan), located at the part of the plan (`legs[1].dense.depth`):
    /// a number out of its range, weights that are negative or all 0, more hits than any leg returns, no leg and nothing to
    /// re-rank, a field or a model that is not there, two legs of one name, more to re-rank than the legs return.
    pub fn resolve(&self, context: &PlanContext) -> Result<ResolvedPlan> {
        let (size, offset) = (self.size.unwrap_or(DEFAULT_SIZE), self.offset.unwrap_or(0));
        let window = check_window(size, offset)?;
        if self.legs.is_empty() && self.rerank.is_none() {
            return Err(at("legs", "is empty; add a leg (lexical or dense), or `rerank` for candidates of your own"));
        }
        if self.legs.is_empty() && self.fusion.is_some() {
            return Err(at("fusion", "has no legs to fuse; add `legs` or leave it out"));
        }
        let fusion = resolve_fusion(self.fusion.as_ref(), self.legs.len(), window)?;
        let legs = resolve_legs(&self.legs, fusion, window, context)?;
        let rerank = self.rerank.as_ref().map(|rerank| resolve_rerank(rerank, &legs, window, context)).transpose()?;
        if self.min_score.is_some_and(|score| !score.is_finite()) {
            return Err(at("min_score", "is not a finite number"));
        }
        if self.filter.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
            return Err(at("filter", "is empty; leave it out to search every document"));
        }
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.contains(char::is_whitespace)) {
            return Err(at("name", "is empty or has a space; it becomes a column of TREC runs"));
        }
        let name = self.name.clone().unwrap_or_else(|| "plan".to_string());
        let (filter, min_score) = (self.filter.clone(), self.min_score);
        Ok(ResolvedPlan { name, legs, fusion, rerank, filter, size, offset, min_score })
    }
}

impl ResolvedPlan {
    /// Best candidates that hits are taken from.
    pub fn window(&self) -> usize {
        self.size + self.offset
    }
}

fn at(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::invalid_plan(message).in_field(field)
}

fn check_window(size: usize, offset: usize) -> Result<usize> {
    let window = size.saturating_add(offset);
    if window > MAX_DEPTH {
        let field = if size > MAX_DEPTH { "size" } else { "offset" };
        return Err(at(field, format!("size + offset is {window}, more than {MAX_DEPTH}; ask for fewer hits at once")));
    }
    Ok(window)
}

fn resolve_fusion(fusion: Option<&Fusion>, num_legs: usize, window: usize) -> Result<Option<ResolvedFusion>> {
    Ok(match fusion {
        None if num_legs < 2 => None,
        None => Some(ResolvedFusion::WeightedSum { normalizer: Normalizer::default() }),
        Some(Fusion::WeightedSum(sum)) => {
            Some(ResolvedFusion::WeightedSum { normalizer: sum.normalizer.unwrap_or_default() })
        }
        Some(Fusion::Rrf(rrf)) => Some(ResolvedFusion::Rrf(resolve_rrf(rrf, window)?)),
    })
}

fn resolve_rrf(rrf: &Rrf, window: usize) -> Result<ResolvedRrf> {
    let dialect = rrf.dialect.unwrap_or_default();
    let default_constant = match dialect {
        RrfDialect::Standard | RrfDialect::ZeroBased | RrfDialect::Elasticsearch => 60,
        RrfDialect::Qdrant => 2,
    };
    let rank_constant = rrf.rank_constant.unwrap_or(default_constant);
    if !(1..=1_000_000).contains(&rank_constant) {
        return Err(at("fusion.rrf.rank_constant", format!("is {rank_constant}, expected 1 to 1000000")));
    }
    let default_window = (dialect == RrfDialect::Elasticsearch).then_some(window.max(1));
    if let Some(size) = rrf.rank_window_size {
        in_range("fusion.rrf.rank_window_size", size, 1, MAX_DEPTH)?;
        if size < window {
            let message =
                format!("is {size}, less than size + offset, which is {window}; raise it or ask for fewer hits");
            return Err(at("fusion.rrf.rank_window_size", message));
        }
    }
    Ok(ResolvedRrf { dialect, rank_constant, rank_window_size: rrf.rank_window_size.or(default_window) })
}

fn resolve_legs(
    legs: &[Leg],
    fusion: Option<ResolvedFusion>,
    window: usize,
    context: &PlanContext,
) -> Result<Vec<ResolvedLeg>> {
    let mut resolved: Vec<ResolvedLeg> = Vec::with_capacity(legs.len());
    for (idx, leg) in legs.iter().enumerate() {
        let common = Common::of(leg);
        let path = format!("legs[{idx}].{}", common.kind);
        let depth = common.depth.unwrap_or(window.max(DEFAULT_DEPTH));
        in_range(format!("{path}.depth"), depth, 1, MAX_DEPTH)?;
        let weight = common.weight.unwrap_or_else(|| default_weight(leg, legs, fusion));
        if !weight.is_finite() || weight < 0.0 {
            return Err(at(format!("{path}.weight"), format!("is {weight}, expected a number of at least 0")));
        }
        let kind = match leg {
            Leg::Lexical(leg) => ResolvedLegKind::Lexical(resolve_lexical(leg, &path, context)?),
            Leg::Dense(leg) => ResolvedLegKind::Dense(resolve_dense(leg, &path, depth, context)?),
        };
        let name = leg_name(&common, legs, &resolved).map_err(|message| at(format!("{path}.name"), message))?;
        resolved.push(ResolvedLeg { name, depth, weight, kind });
    }
    if !resolved.is_empty() && resolved.iter().all(|leg| leg.weight == 0.0) {
        return Err(at("legs", "all have the weight 0; give one a weight above 0"));
    }
    let deepest = resolved.iter().map(|leg| leg.depth).max();
    if let Some(deepest) = deepest.filter(|&deepest| deepest < window) {
        let message = format!(
            "asks for hits up to {window} with the offset, but no leg returns more than {deepest}; raise a leg's depth"
        );
        return Err(at("size", message));
    }
    Ok(resolved)
}

/// What every kind of leg has.
struct Common<'a> {
    kind: &'static str,
    name: Option<&'a str>,
    depth: Option<usize>,
    weight: Option<f64>,
}

impl<'a> Common<'a> {
    fn of(leg: &'a Leg) -> Self {
        match leg {
            Leg::Lexical(LexicalLeg { name, depth, weight, .. }) => {
                Self { kind: "lexical", name: name.as_deref(), depth: *depth, weight: *weight }
            }
            Leg::Dense(DenseLeg { name, depth, weight, .. }) => {
                Self { kind: "dense", name: name.as_deref(), depth: *depth, weight: *weight }
            }
        }
    }
}

/// Legs of one kind share their kind's weight where kinds meet in a weighted sum; everything else is 1 each.
fn default_weight(leg: &Leg, legs: &[Leg], fusion: Option<ResolvedFusion>) -> f64 {
    let num_lexical = legs.iter().filter(|leg| matches!(leg, Leg::Lexical(_))).count();
    let num_dense = legs.len() - num_lexical;
    let kinds_meet = num_lexical > 0 && num_dense > 0;
    match (fusion, leg) {
        (Some(ResolvedFusion::WeightedSum { .. }), Leg::Lexical(_)) if kinds_meet => {
            DEFAULT_LEXICAL_WEIGHT / num_lexical as f64
        }
        (Some(ResolvedFusion::WeightedSum { .. }), Leg::Dense(_)) if kinds_meet => {
            DEFAULT_DENSE_WEIGHT / num_dense as f64
        }
        _ => 1.0,
    }
}

/// The leg's own name, or its kind with a number that no other leg has.
fn leg_name(common: &Common<'_>, legs: &[Leg], before: &[ResolvedLeg]) -> Result<String, String> {
    if let Some(name) = common.name {
        return match before.iter().any(|leg| leg.name == name) {
            true => Err(format!("is {name:?}, as an earlier leg's; give each leg its own name")),
            false if name.is_empty() => Err("is empty; leave it out or give a name".to_string()),
            false => Ok(name.to_string()),
        };
    }
    let taken = |name: &str| {
        before.iter().any(|leg| leg.name == name) || legs.iter().any(|leg| Common::of(leg).name == Some(name))
    };
    let numbered = (2usize..).map(|number| format!("{}-{number}", common.kind));
    let mut names = std::iter::once(common.kind.to_string()).chain(numbered);
    Ok(names.find(|name| !taken(name)).unwrap_or_default())
}

fn resolve_lexical(leg: &LexicalLeg, path: &str, context: &PlanContext) -> Result<ResolvedLexical> {
    if context.lexical_fields.is_empty() {
        return Err(at(path, "needs a text field and the index has none; leave the leg out or map a text field"));
    }
    let fields = match &leg.fields {
        Some(patterns) => resolve_fields(patterns, path, context)?,
        None => {
            let names = match context.default_lexical_fields.as_slice() {
                [] => &context.lexical_fields,
                _ => &context.default_lexical_fields,
            };
            names.iter().map(|field| FieldBoost { field: field.clone(), boost: 1.0 }).collect()
        }
    };
    if let Some(k1) = leg.k1.filter(|k1| !k1.is_finite() || *k1 < 0.0) {
        return Err(at(format!("{path}.k1"), format!("is {k1}, expected a number of at least 0")));
    }
    if let Some(b) = leg.b.filter(|b| !(0.0..=1.0).contains(b)) {
        return Err(at(format!("{path}.b"), format!("is {b}, expected 0 to 1")));
    }
    Ok(ResolvedLexical { fields, k1: leg.k1, b: leg.b, operator: leg.operator.unwrap_or_default() })
}

/// `title^2` and `body*` against the fields there are; a field named twice keeps its first boost.
fn resolve_fields(patterns: &[String], path: &str, context: &PlanContext) -> Result<Vec<FieldBoost>> {
    let mut fields: Vec<FieldBoost> = Vec::new();
    for (idx, written) in patterns.iter().enumerate() {
        let place = || format!("{path}.fields[{idx}]");
        let (pattern, boost) = written.split_once('^').unwrap_or((written, "1"));
        let boost: f32 = boost
            .parse()
            .ok()
            .filter(|boost: &f32| boost.is_finite() && *boost > 0.0)
            .ok_or_else(|| at(place(), format!("is {written:?}; what follows ^ is a boost, a number above 0")))?;
        let known = fields.len();
        let fitting = context.lexical_fields.iter().filter(|field| fits(pattern, field));
        let mut num_fitting = 0;
        for field in fitting {
            num_fitting += 1;
            if !fields[..known].iter().any(|earlier| earlier.field == *field) {
                fields.push(FieldBoost { field: field.clone(), boost });
            }
        }
        if num_fitting == 0 {
            let names = context.lexical_fields.join(", ");
            return Err(at(place(), format!("is {pattern:?}, which the index cannot search as text; it has {names}")));
        }
    }
    match fields.is_empty() {
        true => Err(at(format!("{path}.fields"), "is empty; name a field or leave it out")),
        false => Ok(fields),
    }
}

/// Whether `name` is `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    true
}

fn resolve_dense(leg: &DenseLeg, path: &str, depth: usize, context: &PlanContext) -> Result<ResolvedDense> {
    let names = || context.dense_fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    let field = match (&leg.field, &context.default_dense_field, context.dense_fields.as_slice()) {
        (_, _, []) => {
            let message =
                "needs vectors and the index has none; leave the leg out, or map a semantic_text or dense_vector field";
            return Err(at(path, message));
        }
        (Some(name), _, fields) if fields.iter().any(|field| field.name == *name) => name.clone(),
        (Some(name), ..) => {
            return Err(at(
                format!("{path}.field"),
                format!("is {name:?}, which has no vectors; those have: {}", names()),
            ));
        }
        (None, Some(name), _) => name.clone(),
        (None, None, [only]) => only.name.clone(),
        (None, None, _) => {
            return Err(at(format!("{path}.field"), format!("is needed: several fields have vectors ({})", names())));
        }
    };
    let num_candidates = match leg.num_candidates {
        Some(number) => {
            in_range(format!("{path}.num_candidates"), number, 1, MAX_DEPTH)?;
            if number < depth {
                let message = format!("is {number}, less than the leg's depth, {depth}; raise it or lower the depth");
                return Err(at(format!("{path}.num_candidates"), message));
            }
            number
        }
        None => (depth + depth / 2).clamp(DEFAULT_DEPTH, MAX_DEPTH),
    };
    Ok(ResolvedDense { field, num_candidates, exact: leg.exact })
}

fn resolve_rerank(
    rerank: &Rerank,
    legs: &[ResolvedLeg],
    window: usize,
    context: &PlanContext,
) -> Result<ResolvedRerank> {
    let model = rerank.model.clone().or_else(|| context.default_cross_encoder.clone()).ok_or_else(|| {
        at("rerank.model", "is needed: no cross-encoder is installed; name one, or leave `rerank` out")
    })?;
    let num_candidates = match legs {
        [] => MAX_DEPTH,
        legs => legs.iter().map(|leg| leg.depth).sum(),
    };
    let rerank_depth = match rerank.rerank_depth {
        Some(depth) => {
            in_range("rerank.rerank_depth", depth, 1, MAX_DEPTH)?;
            if depth > num_candidates {
                let message =
                    format!("is {depth}, but the legs return {num_candidates} candidates at most; raise a leg's depth");
                return Err(at("rerank.rerank_depth", message));
            }
            depth
        }
        None if legs.is_empty() => MAX_DEPTH,
        None => DEFAULT_RERANK_DEPTH.max(window).min(num_candidates),
    };
    if rerank.budget_ms == Some(0) {
        return Err(at("rerank.budget_ms", "is 0; give at least 1, or leave it out for no limit"));
    }
    if let Some(weight) = rerank.weight.filter(|weight| !weight.is_finite() || *weight <= 0.0) {
        let message = format!("is {weight}, expected a number above 0, or null for the cross-encoder alone");
        return Err(at("rerank.weight", message));
    }
    let passages = rerank.passages.unwrap_or(1);
    in_range("rerank.passages", passages, 1, MAX_RERANK_PASSAGES)?;
    if let Some(score) = rerank.min_score.filter(|score| !(0.0..=1.0).contains(score)) {
        return Err(at("rerank.min_score", format!("is {score}, expected a relevance of 0 to 1")));
    }
    let budget = rerank.budget_ms.map(Duration::from_millis);
    Ok(ResolvedRerank { model, rerank_depth, budget, weight: rerank.weight, passages, min_score: rerank.min_score })
}

fn in_range(field: impl Into<String>, number: usize, least: usize, most: usize) -> Result<()> {
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(at(field, format!("is {number}, expected {least} to {most}"))),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
