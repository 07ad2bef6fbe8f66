//! How a lexical score is made, as a tree in Lucene's words.

use std::fmt::Write as _;

use serde::Serialize;
use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Term};

use super::LexicalSearcher;
use super::words::WordTerm;
use crate::error::Result;
use crate::index::lexical::LexicalField;
use crate::index::lexical::bm25::{self, LENGTH_WITHOUT_NORMS};
use crate::retrieve::query::{
    BoolQuery, BoostMode, DecayShape, FunctionClause, FunctionScoreQuery, Modifier, Query, RangeQuery, ScoreFunction,
    ScoreMode,
};

/// A value and the values it is made of, in Elasticsearch's shape.
///
/// # Stability
/// Printed by `bifocal explain --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The value.
    pub value: f64,
    /// What it is.
    pub description: String,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Explanation>,
}

impl Explanation {
    fn leaf(value: impl Into<f64>, description: impl Into<String>) -> Self {
        Self { value: value.into(), description: description.into(), details: Vec::new() }
    }

    fn of(value: impl Into<f64>, description: impl Into<String>, details: Vec<Explanation>) -> Self {
        Self { value: value.into(), description: description.into(), details }
    }
}

impl LexicalSearcher {
    /// How a query scores one document, part by part down to each word's BM25. `None` when it does not match.
    ///
    /// # Errors
    /// As [`LexicalSearcher::top`].
    pub fn explain(&self, query: &Query, address: DocAddress) -> Result<Option<Explanation>> {
        self.explain_part(query, 1.0, address)
    }

    /// * `boost`: the product of the boosts around the part.
    fn explain_part(&self, query: &Query, boost: f32, address: DocAddress) -> Result<Option<Explanation>> {
        let Some(score) = self.score(&query.clone().boosted(boost), address)? else { return Ok(None) };
        let part = |query: &Query| self.explain_part(query, boost, address);
        Ok(Some(match query {
            Query::Match(query) if query.fuzziness.is_none() => {
                let mut details = Vec::new();
                for word in self.words(query)?.words.iter().flatten() {
                    details.extend(self.explain_word(word, boost, address)?);
                }
                sum_of(score, details)
            }
            Query::Term(term) => {
                let field = &*self.field(&term.field)?;
                let text = super::values::plain(&term.value);
                let found = if field.has_terms() && field.indexed {
                    let wanted = super::values::term(&term.field, field, &term.value)?;
                    self.explain_term(&term.field, field, &wanted, &text, boost, address)?
                } else {
                    None
                };
                found.unwrap_or_else(|| constant(query, score, boost))
            }
            Query::Bool(parts) => self.explain_bool(parts, score, boost, address)?,
            Query::DisMax(parts) => {
                let mut details = Vec::new();
                for query in &parts.queries {
                    details.extend(part(query)?);
                }
                let description = match parts.tie_breaker {
                    0.0 => "max of:".to_string(),
                    tie_breaker => format!("max plus {tie_breaker} times others of:"),
                };
                Explanation::of(score, description, details)
            }
            Query::Boost(inner) => match self.explain_part(&inner.query, boost * inner.boost, address)? {
                Some(explanation) => explanation,
                None => Explanation::leaf(score, format!("boost {}", inner.boost)),
            },
            Query::Named(inner) => match part(&inner.query)? {
                Some(explanation) => explanation,
                None => Explanation::leaf(score, text_of(query)),
            },
            Query::Boosting(parts) => {
                let mut details: Vec<Explanation> = part(&parts.positive)?.into_iter().collect();
                if self.score(&parts.negative, address)?.is_some() {
                    details.push(Explanation::leaf(
                        parts.negative_boost,
                        format!("{} matches, negative boost", text_of(&parts.negative)),
                    ));
                }
                Explanation::of(score, "product of:", details)
            }
            Query::FunctionScore(parts) => self.explain_functions(parts, score, boost, address)?,
            Query::ScriptScore(parts) => {
                let inner = self.explain_part(&parts.query, 1.0, address)?;
                let details =
                    inner.map(|inner| Explanation::of(inner.value, "_score: ", vec![inner])).into_iter().collect();
                Explanation::of(
                    score,
                    format!("script score function, computed with script:\"{}\"", parts.script.source),
                    details,
                )
            }
            Query::Nested(parts) => Explanation::leaf(
                score,
                format!("Score based on child docs of [{}], score mode {:?}", parts.path, parts.score_mode),
            ),
            Query::Knn(knn) => Explanation::leaf(score, format!("within top {} docs of [{}]", knn.k, knn.field)),
            Query::Docs(_) => Explanation::leaf(score, "within top docs"),
            Query::Phrase(_) | Query::TermPhrase(_) => self.explain_pseudo_term(query, score, address),
            Query::Synonym(_) | Query::CombinedTerm(_) => self.explain_pseudo_term(query, score, address),
            Query::MoreLikeThis(similar) => match part(&self.similar(similar)?)? {
                Some(explanation) => explanation,
                None => Explanation::leaf(score, text_of(query)),
            },
            Query::Match(_) | Query::Fuzzy(_) | Query::Blended(_) => {
                Explanation::leaf(score, format!("sum of the terms of {}", text_of(query)))
            }
            Query::RankFeature(feature) => {
                Explanation::leaf(score, format!("{:?} function on the {} field", feature.function, feature.field))
            }
            Query::DistanceFeature(feature) => Explanation::leaf(
                score,
                format!(
                    "Distance score, computed as weight * pivotDistance / (pivotDistance + abs(value - origin)) on the {} field",
                    feature.field
                ),
            ),
            Query::Capped(inner) => match part(&inner.query)? {
                Some(explanation) if explanation.value > f64::from(inner.max_score) => {
                    Explanation::of(score, format!("Capped score of {}", explanation.value), vec![explanation])
                }
                Some(explanation) => explanation,
                None => Explanation::leaf(score, text_of(query)),
            },
            Query::MatchAll
            | Query::MatchNone
            | Query::Terms(_)
            | Query::Prefix(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::ConstantScore(_) => constant(query, score, boost),
        }))
    }

    fn explain_bool(&self, parts: &BoolQuery, score: f32, boost: f32, address: DocAddress) -> Result<Explanation> {
        let mut details = Vec::new();
        for query in parts.must.iter().chain(&parts.should) {
            details.extend(self.explain_part(query, boost, address)?);
        }
        for query in &parts.filter {
            if let Some(inner) = self.explain_part(query, 1.0, address)? {
                let clause = Explanation::leaf(0.0, "# clause");
                details.push(Explanation::of(0.0, "match on required clause, product of:", vec![clause, inner]));
            }
        }
        if details.is_empty() {
            return Ok(Explanation::leaf(score, "*:*"));
        }
        Ok(sum_of(score, details))
    }

    fn explain_functions(
        &self,
        parts: &FunctionScoreQuery,
        score: f32,
        boost: f32,
        address: DocAddress,
    ) -> Result<Explanation> {
        let inner = self.explain_part(&parts.query, boost, address)?;
        #[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
        let inner_score = inner.as_ref().map_or(0.0, |inner| inner.value as f32);
        let reader = self.segment_reader(address)?;
        let compiler = super::Compiler::new(self, super::Faults::default());
        let (mut applied, mut details) = (Vec::new(), Vec::new());
        for clause in &parts.functions {
            let filter = clause.filter.as_ref().unwrap_or(&Query::MatchAll);
            if self.score(filter, address)?.is_none() {
                continue;
            }
            let mut function = compiler.function(clause.function.as_ref())?.open(reader)?;
            let value = function.value(address.doc_id, inner_score).unwrap_or(0.0);
            let weight = f64::from(clause.weight.unwrap_or(1.0));
            applied.push((value * weight, weight));
            let own = explain_function(clause, value, weight);
            let matched = Explanation::leaf(1.0, format!("match filter: {}", text_of(filter)));
            details.push(match clause.filter {
                None => own,
                Some(_) => Explanation::of(value * weight, "function score, product of:", vec![matched, own]),
            });
        }
        let factor = super::functions::combined(parts.score_mode, &applied);
        let combined = match details.len() {
            0 => Explanation::leaf(1.0, "No function matched"),
            1 if parts.score_mode == ScoreMode::Multiply => details.remove(0),
            _ => {
                let mode = format!("{:?}", parts.score_mode).to_lowercase();
                Explanation::of(factor, format!("function score, score mode [{mode}]"), details)
            }
        };
        let max_boost = parts.max_boost.map_or(f64::from(f32::MAX), f64::from);
        let capped =
            Explanation::of(factor.min(max_boost), "min of:", vec![combined, Explanation::leaf(max_boost, "maxBoost")]);
        let mode = if parts.boost_mode == BoostMode::Multiply {
            "function score, product of:".to_string()
        } else {
            format!("function score, boost mode [{:?}] of:", parts.boost_mode).to_lowercase()
        };
        Ok(Explanation::of(score, mode, inner.into_iter().chain([capped]).collect()))
    }

    /// A phrase or synonyms, whose frequency counts as a term's.
    fn explain_pseudo_term(&self, query: &Query, score: f32, address: DocAddress) -> Explanation {
        Explanation::leaf(
            score,
            format!("weight({} in {}) [PerFieldSimilarity], scored as one term", text_of(query), address.doc_id),
        )
    }

    fn explain_word(&self, word: &WordTerm<'_>, outer_boost: f32, address: DocAddress) -> Result<Option<Explanation>> {
        if !word.field.has_terms() {
            return Ok(None);
        }
        self.explain_term(&word.name, &word.field, &word.term, &word.text, outer_boost * word.boost, address)
    }

    fn explain_term(
        &self,
        name: &str,
        field: &LexicalField,
        term: &Term,
        text: &str,
        boost: f32,
        address: DocAddress,
    ) -> Result<Option<Explanation>> {
        let reader = self.segment_reader(address)?;
        let inverted = reader.inverted_index(field.field)?;
        let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::WithFreqs)? else {
            return Ok(None);
        };
        if postings.doc() > address.doc_id
            || (postings.doc() < address.doc_id && postings.seek(address.doc_id) != address.doc_id)
        {
            return Ok(None);
        }
        let freq = if field.has_frequencies() { postings.term_freq() } else { 1 };
        let statistics = self.statistics(field.field)?;
        let doc_freq = self.doc_freq(term)?;
        let idf = statistics.idf(doc_freq);
        let lengths = self.columns(address.segment_ord).and_then(|columns| columns.lengths(field.field));
        let coded = lengths
            .filter(|_| field.has_norms())
            .and_then(|lengths| lengths.bytes.get(address.doc_id as usize).copied());
        let length_byte = coded.unwrap_or(LENGTH_WITHOUT_NORMS);
        let norm_inverse = statistics.norm_inverses[usize::from(length_byte)];
        let value = bm25::score(statistics.weight(boost, idf), norm_inverse, freq as f32);
        let tf = bm25::score(1.0, norm_inverse, freq as f32);
        let params = statistics.params;
        let length = tantivy::fieldnorm::FieldNormReader::id_to_fieldnorm(length_byte);
        let idf = Explanation::of(
            idf,
            "idf, computed as log(1 + (N - n + 0.5) / (n + 0.5)) from:",
            vec![
                Explanation::leaf(doc_freq as f64, "n, number of documents containing term"),
                Explanation::leaf(statistics.doc_count as f64, "N, total number of documents with field"),
            ],
        );
        let tf = Explanation::of(
            tf,
            "tf, computed as freq / (freq + k1 * (1 - b + b * dl / avgdl)) from:",
            vec![
                Explanation::leaf(freq, "freq, occurrences of term within document"),
                Explanation::leaf(params.k1, "k1, term saturation parameter"),
                Explanation::leaf(params.b, "b, length normalization parameter"),
                Explanation::leaf(
                    length,
                    if length_byte < 40 { "dl, length of field" } else { "dl, length of field (approximate)" },
                ),
                Explanation::leaf(statistics.average_length(), "avgdl, average length of field"),
            ],
        );
        let boost = Explanation::leaf(boost * (params.k1 + 1.0), "boost");
        let score = Explanation::of(
            value,
            format!("score(freq={freq}.0), computed as boost * idf * tf from:"),
            vec![boost, idf, tf],
        );
        Ok(Some(Explanation::of(
            value,
            format!("weight({name}:{text} in {}) [PerFieldSimilarity], result of:", address.doc_id),
            vec![score],
        )))
    }
}

/// A sum; of one part, the part itself.
fn sum_of(score: f32, mut details: Vec<Explanation>) -> Explanation {
    let same = |part: &Explanation| (part.value - f64::from(score)).abs() <= 1e-6 * part.value.abs();
    match details.as_slice() {
        [part] if same(part) => details.remove(0),
        _ => Explanation::of(score, "sum of:", details),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other query is printed as it is")]
fn constant(query: &Query, score: f32, boost: f32) -> Explanation {
    let text = match query {
        Query::ConstantScore(inner) => format!("ConstantScore({})", text_of(inner)),
        Query::MatchAll => "*:*".to_string(),
        other => text_of(other),
    };
    if boost == 1.0 { Explanation::leaf(score, text) } else { Explanation::leaf(score, format!("{text}^{boost}")) }
}

fn explain_function(clause: &FunctionClause, value: f64, weight: f64) -> Explanation {
    let description = match &clause.function {
        None => return Explanation::leaf(weight, "weight"),
        Some(ScoreFunction::FieldValueFactor(own)) => {
            let missing = own.missing.map(|missing| format!("?:{missing}")).unwrap_or_default();
            let modifier = if own.modifier == Modifier::None {
                "none".to_string()
            } else {
                format!("{:?}", own.modifier).to_lowercase()
            };
            format!("field value function: {modifier}(doc['{}'].value{missing} * factor={:?})", own.field, own.factor)
        }
        Some(ScoreFunction::Decay(decay)) => {
            let shape = match decay.shape {
                DecayShape::Gauss => "gauss",
                DecayShape::Exp => "exp",
                DecayShape::Linear => "linear",
            };
            format!(
                "Function for field {}: {shape} decay with origin {}, scale {}, offset {}, decay {}",
                decay.field, decay.origin, decay.scale, decay.offset, decay.decay
            )
        }
        Some(ScoreFunction::Random(random)) => format!(
            "random score function (seed: {}, field: {})",
            random.salted_seed,
            random.field.as_deref().unwrap_or("null")
        ),
        Some(ScoreFunction::Script(script)) => {
            format!("script score function, computed with script:\"{}\"", script.source)
        }
    };
    let own = Explanation::leaf(value, description);
    match clause.weight {
        None => own,
        Some(_) => Explanation::of(value * weight, "product of:", vec![own, Explanation::leaf(weight, "weight")]),
    }
}

/// A query in about the words of Lucene's `toString`.
pub(crate) fn text_of(query: &Query) -> String {
    let all = |queries: &[Query], sign: &str| {
        queries.iter().map(|query| format!("{sign}{}", text_of(query))).collect::<Vec<_>>()
    };
    let words = |terms: &[String]| terms.join(" ");
    match query {
        Query::MatchAll => "*:*".to_string(),
        Query::MatchNone => "MatchNoDocsQuery(\"\")".to_string(),
        Query::Match(query) => {
            let fields: Vec<_> = query.fields.iter().map(|field| field.field.as_str()).collect();
            format!("{}:({})", fields.join(","), query.text)
        }
        Query::Phrase(query) => {
            let fields: Vec<_> = query.fields.iter().map(|field| field.field.as_str()).collect();
            format!("{}:\"{}\"", fields.join(","), query.text)
        }
        Query::Term(term) => format!("{}:{}", term.field, super::values::plain(&term.value)),
        Query::Terms(terms) => {
            let values: Vec<_> = terms.values.iter().map(super::values::plain).collect();
            format!("{}:({})", terms.field, words(&values))
        }
        Query::Synonym(synonyms) => {
            let terms: Vec<_> = synonyms.terms.iter().map(|term| format!("{}:{}", synonyms.field, term.term)).collect();
            format!("Synonym({})", words(&terms))
        }
        Query::TermPhrase(phrase) => {
            let places: Vec<String> = phrase
                .places
                .iter()
                .map(|place| match place.terms.as_slice() {
                    [only] => only.clone(),
                    terms => format!("({})", words(terms)),
                })
                .collect();
            let star = if phrase.max_expansions.is_some() { "*" } else { "" };
            let slop = if phrase.slop == 0 { String::new() } else { format!("~{}", phrase.slop) };
            format!("{}:\"{}{star}\"{slop}", phrase.field, words(&places))
        }
        Query::CombinedTerm(combined) => {
            let fields: Vec<_> =
                combined.fields.iter().map(|field| format!("{}^{}", field.field, field.boost)).collect();
            format!("CombinedFieldQuery(({})({}))", words(&fields), combined.terms.join(","))
        }
        Query::Blended(blended) => {
            let terms: Vec<_> = blended.terms.iter().map(|term| format!("{}:{}", term.field, term.term)).collect();
            format!("blended(terms:[{}])", terms.join(", "))
        }
        Query::MoreLikeThis(similar) => format!("like:{}", similar.like_texts.join(" ")),
        Query::Prefix(prefix) => format!("{}:{}*", prefix.field, prefix.text),
        Query::Fuzzy(fuzzy) => format!("{}:{}~{}", fuzzy.field, fuzzy.term, fuzzy.fuzziness.edits(&fuzzy.term)),
        Query::Wildcard(wildcard) => format!("{}:{}", wildcard.field, wildcard.text),
        Query::Regexp(regexp) => format!("{}:/{}/", regexp.field, regexp.text),
        Query::Range(range) => range_text(range),
        Query::Exists(name) => format!("FieldExistsQuery [field={}]", name.field),
        Query::Ids(ids) => format!("_id:({})", words(&ids.values)),
        Query::Bool(query) => {
            let mut parts = all(&query.must, "+");
            parts.extend(all(&query.filter, "#"));
            parts.extend(all(&query.should, ""));
            parts.extend(all(&query.must_not, "-"));
            let mut text = parts.join(" ");
            if query.minimum_should_match.is_some() {
                let _ = write!(text, "~{}", query.num_required_should());
            }
            format!("({text})")
        }
        Query::DisMax(query) => {
            let parts = all(&query.queries, "");
            let tie = if query.tie_breaker == 0.0 { String::new() } else { format!("~{}", query.tie_breaker) };
            format!("({}){tie}", parts.join(" | "))
        }
        Query::ConstantScore(inner) => format!("ConstantScore({})", text_of(inner)),
        Query::Boost(query) => format!("({})^{:?}", text_of(&query.query), query.boost),
        Query::Boosting(query) => format!(
            "FunctionScoreQuery({}, scored by boost(queryboost({})^{}))",
            text_of(&query.positive),
            text_of(&query.negative),
            query.negative_boost
        ),
        Query::Capped(query) => format!("Capped({})", text_of(&query.query)),
        Query::FunctionScore(query) => {
            format!("function score ({}, functions: [{}])", text_of(&query.query), query.functions.len())
        }
        Query::ScriptScore(query) => format!("script_score ({})", text_of(&query.query)),
        Query::RankFeature(feature) => format!("FeatureQuery(field={})", feature.field),
        Query::DistanceFeature(feature) => format!("LongDistanceFeatureQuery(field={})", feature.field),
        Query::Nested(nested) => format!("ToParentBlockJoinQuery ({})", text_of(&nested.query)),
        Query::Knn(knn) => format!("KnnFloatVectorQuery:{}[{}]", knn.field, knn.k),
        Query::Named(named) => text_of(&named.query),
        Query::Docs(docs) => format!("DocAndScoreQuery[{}]", docs.docs.len()),
    }
}

fn range_text(range: &RangeQuery) -> String {
    let (open, lower) = match (&range.gt, &range.gte) {
        (Some(value), _) => ('{', super::values::plain(value)),
        (None, Some(value)) => ('[', super::values::plain(value)),
        (None, None) => ('[', "*".to_string()),
    };
    let (upper, close) = match (&range.lt, &range.lte) {
        (Some(value), _) => (super::values::plain(value), '}'),
        (None, Some(value)) => (super::values::plain(value), ']'),
        (None, None) => ("*".to_string(), ']'),
    };
    format!("{}:{open}{lower} TO {upper}{close}", range.field)
}
