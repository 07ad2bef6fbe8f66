//! The query tree: the one language that the search box, the command line and Elasticsearch's query DSL compile to.
//!
//! Plain data. What it means is written at each part; [`super::lexical`] runs it. Scores are Elasticsearch's.

mod scores;
pub mod script;
mod terms;
mod vectors;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::scores::*;
pub use self::terms::*;
pub use self::vectors::*;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// Every document, with score 1.
    MatchAll,
    /// No document.
    MatchNone,
    /// The words of a text.
    Match(MatchQuery),
    /// The words of a text, one after another.
    Phrase(PhraseQuery),
    /// Documents with exactly this term or value; text and keyword by BM25, others with score 1.
    Term(FieldValue),
    /// Documents with any of these terms or values, with score 1.
    Terms(FieldValues),
    /// Documents with any of several terms, scored as one.
    Synonym(SynonymQuery),
    /// Terms at given distances.
    TermPhrase(TermPhraseQuery),
    /// A term in several fields as if they were one.
    CombinedTerm(CombinedTermQuery),
    /// Terms of several fields with one document frequency.
    Blended(BlendedQuery),
    /// The terms that set some texts apart.
    MoreLikeThis(MoreLikeThisQuery),
    /// Documents with a term that begins so, with score 1. The text is not analysed.
    Prefix(PatternQuery),
    /// Documents with a term that differs in a few letters.
    Fuzzy(FuzzyQuery),
    /// Documents with a term of this pattern (`*` any letters, `?` one, `\` before either), with score 1.
    Wildcard(PatternQuery),
    /// Documents with a term that this regular expression matches as a whole, with score 1.
    Regexp(RegexpQuery),
    /// Documents with a value between bounds, with score 1.
    Range(RangeQuery),
    /// Documents that have the field, with score 1.
    Exists(FieldName),
    /// Documents with these ids, with score 1.
    Ids(IdsQuery),
    /// A combination: the sum of the scores of what matches.
    Bool(BoolQuery),
    /// The best score of several queries, and a part of the others'.
    DisMax(DisMaxQuery),
    /// What another query matches, with score 1.
    ConstantScore(Box<Query>),
    /// Another query's score times a factor.
    Boost(BoostQuery),
    /// What one query finds, marked down where another matches too.
    Boosting(BoostingQuery),
    /// Another query's scores, none above a limit.
    Capped(CappedQuery),
    /// Another query's documents, their scores combined with functions.
    FunctionScore(FunctionScoreQuery),
    /// Another query's documents, scored by an expression.
    ScriptScore(ScriptScoreQuery),
    /// Documents scored by the value of a field.
    RankFeature(RankFeatureQuery),
    /// Documents scored by their distance from a date.
    DistanceFeature(DistanceFeatureQuery),
    /// Documents of which a nested object matches.
    Nested(NestedQuery),
    /// The documents whose vectors are closest.
    Knn(KnnQuery),
    /// Another query under a name, by which the response says that it matched.
    Named(NamedQuery),
    /// Documents of one snapshot, found before.
    #[serde(skip)]
    Docs(ScoredDocs),
}

/// [`Query::Named`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedQuery {
    /// The name.
    pub name: String,
    /// What it names.
    pub query: Box<Query>,
}

/// [`Query::Match`]: finds documents with the words that an analyzer makes of `text`.
///
/// Over several fields a document's score is the sum over fields; a word counts as found when any field has it, so that
/// `and` asks for each word in some field. A text without words (only stop words) matches nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchQuery {
    /// Where to look; empty means the index's default fields. Fields of numbers, dates and booleans are looked up by value.
    #[serde(default)]
    pub fields: Vec<BoostedField>,
    /// The words.
    pub text: String,
    /// Whether one word is enough.
    #[serde(default)]
    pub operator: Operator,
    /// How many words are needed, where `operator` is `or`.
    #[serde(default)]
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Also finds words that differ in a few letters.
    #[serde(default)]
    pub fuzziness: Option<Fuzziness>,
    /// Makes words of the text in place of each field's own search analyzer.
    #[serde(default)]
    pub analyzer: Option<String>,
}

/// A field and how much it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoostedField {
    /// The field's name.
    pub field: String,
    /// Multiplies its scores; finite, at least 0.
    #[serde(default = "one")]
    pub boost: f32,
}

fn one() -> f32 {
    1.0
}

/// Whether one word is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Any word.
    #[default]
    Or,
    /// Every word.
    And,
}

/// How many of several clauses are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinimumShouldMatch {
    /// So many; if negative, all but so many.
    Count(i32),
    /// This part of them in percent, rounded down; if negative, all but this part.
    Percent(i32),
}

impl MinimumShouldMatch {
    /// The number that a text of Elasticsearch's asks for of `num_clauses`: `2`, `-1`, `75%`, `-25%`, `3<90%`, or several of the last
    /// kind (`2<-25% 9<-3`). May be more than `num_clauses`. `None` when it cannot be read.
    pub fn number(text: &str, num_clauses: usize) -> Option<i32> {
        let total = i64::try_from(num_clauses).ok()?;
        let text = text.trim();
        let number = if text.contains('<') {
            let tight: String = text.split('<').map(str::trim).collect::<Vec<_>>().join("<");
            let mut number = total;
            for part in tight.split_whitespace() {
                let (bound, rest) = part.split_once('<')?;
                if total <= bound.parse::<i64>().ok()? {
                    break;
                }
                number = i64::from(Self::number(rest, num_clauses)?);
            }
            number
        } else if let Some(percent) = text.strip_suffix('%') {
            let percent: i32 = percent.trim().parse().ok()?;
            #[expect(clippy::cast_possible_truncation, reason = "as in Elasticsearch, cut off in single precision")]
            let part = ((total as f32 * percent as f32) * (1.0 / 100.0)) as i64;
            if part < 0 || percent < 0 { total + part } else { part }
        } else {
            let count: i64 = i64::from(text.parse::<i32>().ok()?);
            if count < 0 { total + count } else { count }
        };
        i32::try_from(number.max(0)).ok()
    }

    /// The number for `num_clauses` clauses, between 0 and their number, or one more where so many cannot match.
    pub fn resolve(self, num_clauses: usize) -> usize {
        let total = i64::try_from(num_clauses).unwrap_or(i64::MAX);
        let wanted = match self {
            MinimumShouldMatch::Count(count) if count < 0 => total.saturating_add(i64::from(count)),
            MinimumShouldMatch::Count(count) => i64::from(count),
            MinimumShouldMatch::Percent(percent) => {
                let part = total.saturating_mul(i64::from(percent.unsigned_abs())) / 100;
                if percent < 0 { total - part } else { part }
            }
        };
        usize::try_from(wanted.clamp(0, total.saturating_add(1))).unwrap_or(0)
    }
}

/// How far a word may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fuzziness {
    /// No edits for words of 1 or 2 letters, 1 up to 5 letters, 2 for longer ones.
    Auto,
    /// So many edits: 0, 1 or 2.
    Edits(u8),
    /// No edits for words of fewer than `low` letters, 1 for fewer than `high`, 2 for longer ones.
    AutoBetween {
        /// Letters from which on one edit is allowed.
        low: usize,
        /// Letters from which on two edits are allowed.
        high: usize,
    },
}

impl Fuzziness {
    /// The edits allowed for this term; at most 2.
    pub fn edits(self, term: &str) -> u8 {
        match self {
            Fuzziness::Edits(edits) => edits.min(2),
            Fuzziness::Auto => Fuzziness::AutoBetween { low: 3, high: 6 }.edits(term),
            Fuzziness::AutoBetween { low, high } => {
                let length = term.chars().count();
                u8::from(length >= low) + u8::from(length >= low.max(high))
            }
        }
    }
}

/// [`Query::Phrase`]: the words of `text` in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhraseQuery {
    /// Where to look; over several fields the best one's score counts. Empty means the index's default fields.
    #[serde(default)]
    pub fields: Vec<BoostedField>,
    /// The words.
    pub text: String,
    /// By how many positions words may be out of place, in sum.
    #[serde(default)]
    pub slop: u32,
    /// Whether the last word may be the beginning of one.
    #[serde(default)]
    pub prefix: bool,
    /// Makes words of the text in place of each field's own search analyzer.
    #[serde(default)]
    pub analyzer: Option<String>,
}

/// A value to look up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TermValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; for a date, milliseconds since 1970.
    Integer(i64),
    /// A whole number beyond `i64`.
    Unsigned(u64),
    /// A number.
    Float(f64),
    /// A term; for a number, date or boolean, its text.
    Text(String),
}

impl From<&str> for TermValue {
    fn from(text: &str) -> Self {
        TermValue::Text(text.to_string())
    }
}

/// A field and one value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldValue {
    /// The field's name.
    pub field: String,
    /// The value; not analysed.
    pub value: TermValue,
}

/// A field and several values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldValues {
    /// The field's name.
    pub field: String,
    /// The values; not analysed.
    pub values: Vec<TermValue>,
}

/// A field alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldName {
    /// The field's name.
    pub field: String,
}

/// [`Query::Ids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdsQuery {
    /// The ids.
    pub values: Vec<String>,
}

/// [`Query::Range`]: values between bounds; a bound that is left out is open. At most one of `gt` and `gte`, and of `lt` and
/// `lte`, counts: the inclusive one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeQuery {
    /// The field's name.
    pub field: String,
    /// Above this.
    #[serde(default)]
    pub gt: Option<TermValue>,
    /// This or above.
    #[serde(default)]
    pub gte: Option<TermValue>,
    /// Below this.
    #[serde(default)]
    pub lt: Option<TermValue>,
    /// This or below.
    #[serde(default)]
    pub lte: Option<TermValue>,
}

/// [`Query::Bool`]. The score is the sum over `must` and the matching `should`; 0 where there is neither.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoolQuery {
    /// All must match.
    #[serde(default)]
    pub must: Vec<Query>,
    /// Some may match; at least one must where `must` and `filter` are empty.
    #[serde(default)]
    pub should: Vec<Query>,
    /// None may match.
    #[serde(default)]
    pub must_not: Vec<Query>,
    /// All must match, without a score.
    #[serde(default)]
    pub filter: Vec<Query>,
    /// How many of `should` must match.
    #[serde(default)]
    pub minimum_should_match: Option<MinimumShouldMatch>,
}

impl BoolQuery {
    /// How many of `should` must match.
    pub fn num_required_should(&self) -> usize {
        match self.minimum_should_match {
            Some(minimum) => minimum.resolve(self.should.len()),
            None => usize::from(!self.should.is_empty() && self.must.is_empty() && self.filter.is_empty()),
        }
    }
}

/// [`Query::DisMax`]: the best score plus `tie_breaker` times the sum of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisMaxQuery {
    /// The queries.
    pub queries: Vec<Query>,
    /// 0 to 1.
    #[serde(default)]
    pub tie_breaker: f32,
}

/// [`Query::Boost`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoostQuery {
    /// Whose score is multiplied.
    pub query: Box<Query>,
    /// Finite, at least 0.
    pub boost: f32,
}

impl Query {
    /// The words of `text` in the default fields, any of them: what a plain search box asks for.
    pub fn words(text: impl Into<String>) -> Self {
        Query::Match(MatchQuery { text: text.into(), ..MatchQuery::default() })
    }

    /// The words of `text` in one field.
    pub fn words_in(field: impl Into<String>, text: impl Into<String>) -> Self {
        let fields = vec![BoostedField { field: field.into(), boost: 1.0 }];
        Query::Match(MatchQuery { fields, text: text.into(), ..MatchQuery::default() })
    }

    /// A value of a field.
    pub fn term(field: impl Into<String>, value: impl Into<TermValue>) -> Self {
        Query::Term(FieldValue { field: field.into(), value: value.into() })
    }

    /// The queries that this one is made of; none for a leaf.
    pub fn children(&self) -> Vec<&Query> {
        match self {
            Query::Bool(query) => {
                query.must.iter().chain(&query.should).chain(&query.must_not).chain(&query.filter).collect()
            }
            Query::DisMax(query) => query.queries.iter().collect(),
            Query::ConstantScore(query) => vec![query],
            Query::Boost(query) => vec![&query.query],
            Query::Boosting(query) => vec![&query.positive, &query.negative],
            Query::Capped(query) => vec![&query.query],
            Query::FunctionScore(query) => {
                let filters = query.functions.iter().filter_map(|clause| clause.filter.as_ref());
                std::iter::once(query.query.as_ref()).chain(filters).collect()
            }
            Query::ScriptScore(query) => vec![&query.query],
            Query::Nested(query) => vec![&query.query],
            Query::Knn(query) => query.filter.iter().collect(),
            Query::Named(query) => vec![&query.query],
            Query::MatchAll
            | Query::MatchNone
            | Query::Match(_)
            | Query::Phrase(_)
            | Query::Term(_)
            | Query::Terms(_)
            | Query::Synonym(_)
            | Query::TermPhrase(_)
            | Query::CombinedTerm(_)
            | Query::Blended(_)
            | Query::MoreLikeThis(_)
            | Query::Prefix(_)
            | Query::Fuzzy(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::RankFeature(_)
            | Query::DistanceFeature(_)
            | Query::Docs(_) => Vec::new(),
        }
    }

    /// As [`Query::children`], to change them.
    pub fn children_mut(&mut self) -> Vec<&mut Query> {
        match self {
            Query::Bool(query) => {
                let BoolQuery { must, should, must_not, filter, .. } = query;
                must.iter_mut().chain(should).chain(must_not).chain(filter).collect()
            }
            Query::DisMax(query) => query.queries.iter_mut().collect(),
            Query::ConstantScore(query) => vec![query],
            Query::Boost(query) => vec![&mut query.query],
            Query::Boosting(query) => vec![&mut query.positive, &mut query.negative],
            Query::Capped(query) => vec![&mut query.query],
            Query::FunctionScore(query) => {
                let filters = query.functions.iter_mut().filter_map(|clause| clause.filter.as_mut());
                std::iter::once(query.query.as_mut()).chain(filters).collect()
            }
            Query::ScriptScore(query) => vec![&mut query.query],
            Query::Nested(query) => vec![&mut query.query],
            Query::Knn(query) => query.filter.iter_mut().collect(),
            Query::Named(query) => vec![&mut query.query],
            Query::MatchAll
            | Query::MatchNone
            | Query::Match(_)
            | Query::Phrase(_)
            | Query::Term(_)
            | Query::Terms(_)
            | Query::Synonym(_)
            | Query::TermPhrase(_)
            | Query::CombinedTerm(_)
            | Query::Blended(_)
            | Query::MoreLikeThis(_)
            | Query::Prefix(_)
            | Query::Fuzzy(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::RankFeature(_)
            | Query::DistanceFeature(_)
            | Query::Docs(_) => Vec::new(),
        }
    }

    /// The named queries of the tree, this one included, in its order.
    pub fn named(&self) -> Vec<&NamedQuery> {
        let mut found = Vec::new();
        if let Query::Named(named) = self {
            found.push(named);
        }
        for child in self.children() {
            found.extend(child.named());
        }
        found
    }

    /// Calls `change` on every vector query of the tree.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn for_each_knn<E>(
        &mut self,
        change: &mut impl FnMut(&mut KnnQuery) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        if let Query::Knn(knn) = self {
            change(knn)?;
        }
        self.children_mut().into_iter().try_for_each(|child| child.for_each_knn(change))
    }

    /// This query under a name.
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Query::Named(NamedQuery { name: name.into(), query: Box::new(self) })
    }

    /// This query times `boost`.
    #[must_use]
    pub fn boosted(self, boost: f32) -> Self {
        Query::Boost(BoostQuery { query: Box::new(self), boost })
    }

    /// All of these, without scores, besides this query.
    #[must_use]
    pub fn filtered(self, filter: Vec<Query>) -> Self {
        if filter.is_empty() {
            return self;
        }
        Query::Bool(BoolQuery { must: vec![self], filter, ..BoolQuery::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_data() {
        let json = r#"{"bool":{"must":[{"match":{"fields":[{"field":"title","boost":2.0}],"text":"blue fox"}}],
            "filter":[{"range":{"field":"year","gte":2000}},{"term":{"field":"tag","value":"a"}}]}}"#;
        let query: Query = serde_json::from_str(json).unwrap();
        let again: Query = serde_json::from_value(serde_json::to_value(&query).unwrap()).unwrap();
        assert_eq!(query, again);
        assert!(serde_json::from_str::<Query>(r#"{"match":{"text":"x","colour":"red"}}"#).is_err());
    }

    #[test]
    fn texts_of_minimum_should_match() {
        for (text, clauses, expected) in [
            ("2", 3, Some(2)),
            ("5", 3, Some(5)),
            ("-1", 3, Some(2)),
            ("-5", 3, Some(0)),
            ("75%", 4, Some(3)),
            ("75%", 5, Some(3)),
            ("-25%", 4, Some(3)),
            ("-25%", 5, Some(4)),
            ("30%", 3, Some(0)),
            ("3<90%", 3, Some(3)),
            ("3<90%", 4, Some(3)),
            ("2<-25% 9<-3", 2, Some(2)),
            ("2<-25% 9<-3", 8, Some(6)),
            ("2 < -25% 9<-3", 10, Some(7)),
            ("many", 2, None),
            ("<", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(MinimumShouldMatch::number(text, clauses), expected, "{text} of {clauses}");
        }
    }

    #[test]
    fn minimum_should_match_counts_as_elasticsearch() {
        use MinimumShouldMatch::{Count, Percent};
        for (minimum, clauses, expected) in [
            (Count(2), 3, 2),
            (Count(5), 3, 4),
            (Count(-1), 3, 2),
            (Count(-5), 3, 0),
            (Percent(75), 4, 3),
            (Percent(75), 5, 3),
            (Percent(-25), 4, 3),
            (Percent(-25), 5, 4),
            (Percent(100), 3, 3),
        ] {
            assert_eq!(minimum.resolve(clauses), expected, "{minimum:?} of {clauses}");
        }
    }
}
