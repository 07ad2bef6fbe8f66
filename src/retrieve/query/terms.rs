//! Queries of terms that have been analysed already: what a text becomes in one field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BoostedField, Fuzziness};

/// [`Query::Synonym`](super::Query::Synonym): any of these terms, scored as one term.
///
/// The frequency in a document is the sum of the terms' frequencies, each times its boost; the idf is that of the most frequent
/// term (Lucene's `SynonymQuery`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynonymQuery {
    /// A text or keyword field's name.
    pub field: String,
    /// The terms.
    pub terms: Vec<WeightedTerm>,
}

/// A term and how much it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedTerm {
    /// As it is indexed.
    pub term: String,
    /// Multiplies its frequency; above 0, at most 1.
    #[serde(default = "super::one")]
    pub boost: f32,
}

/// [`Query::TermPhrase`](super::Query::TermPhrase): terms at given distances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TermPhraseQuery {
    /// A text field's name.
    pub field: String,
    /// The places of the phrase, in order.
    pub places: Vec<PhrasePlace>,
    /// By how many positions terms may be out of place, in sum.
    #[serde(default)]
    pub slop: u32,
    /// The terms of the last place are beginnings of terms; at most so many terms become of them.
    #[serde(default)]
    pub max_expansions: Option<usize>,
    /// Other sequences that count as occurrences of the same phrase (synonyms of several words).
    #[serde(default)]
    pub alternatives: Vec<Vec<PhrasePlace>>,
}

/// A place of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhrasePlace {
    /// Any of these terms may stand here.
    pub terms: Vec<String>,
    /// Where it is; only the distances between places count.
    pub position: u32,
}

/// [`Query::CombinedTerm`](super::Query::CombinedTerm): a term, or synonyms, in several fields as if their texts were one (Lucene's
/// `CombinedFieldQuery`).
///
/// Frequencies and lengths are summed over the fields, each times its boost; the document frequency is the greatest of the
/// fields'. BM25's parameters are the first field's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CombinedTermQuery {
    /// Text fields; boosts of at least 1.
    pub fields: Vec<BoostedField>,
    /// The term and its synonyms, as they are indexed.
    pub terms: Vec<String>,
}

/// [`Query::Blended`](super::Query::Blended): terms of several fields, each scored with a document frequency that the fields share
/// (Elasticsearch's `cross_fields`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlendedQuery {
    /// The terms.
    pub terms: Vec<BlendedTerm>,
    /// The score is the best term's, plus this part of the others'.
    pub tie_breaker: f32,
}

/// A term of a [`BlendedQuery`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlendedTerm {
    /// The field's name.
    pub field: String,
    /// As it is indexed.
    pub term: String,
    /// Multiplies its score.
    #[serde(default = "super::one")]
    pub boost: f32,
}

/// How the terms that a pattern or a fuzzy term stands for are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rewrite {
    /// Patterns as [`Rewrite::ConstantScore`], fuzzy terms as [`Rewrite::TopTermsBlended`] with their `max_expansions`.
    #[default]
    Usual,
    /// Every document scores 1.
    ConstantScore,
    /// Every term by its own BM25.
    Scoring,
    /// So many terms, each by its own BM25.
    TopTerms(usize),
    /// So many terms, each with the score of its boost.
    TopTermsBoost(usize),
    /// So many terms, each as if as frequent as the most frequent of them.
    TopTermsBlended(usize),
}

/// [`Query::Prefix`](super::Query::Prefix) and [`Query::Wildcard`](super::Query::Wildcard): terms of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternQuery {
    /// A text or keyword field's name.
    pub field: String,
    /// The pattern; not analysed.
    pub text: String,
    /// Letters match in either case.
    #[serde(default)]
    pub case_insensitive: bool,
    /// How the terms are scored.
    #[serde(default)]
    pub rewrite: Rewrite,
}

impl PatternQuery {
    /// A pattern as it stands, scored 1.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into(), ..Self::default() }
    }
}

/// [`Query::Regexp`](super::Query::Regexp): terms that a regular expression in Lucene's syntax matches as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegexpQuery {
    /// A text or keyword field's name.
    pub field: String,
    /// The expression.
    pub text: String,
    /// Which operators it may use beside the standard ones.
    #[serde(default)]
    pub flags: RegexpFlags,
    /// Letters match in either case.
    #[serde(default)]
    pub case_insensitive: bool,
    /// How the terms are scored.
    #[serde(default)]
    pub rewrite: Rewrite,
    /// The most states that the expression may need; `None` for 10,000.
    #[serde(default)]
    pub max_states: Option<usize>,
}

/// Optional operators of Lucene's regular expressions. All by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "five switches that are independent in Lucene")]
pub struct RegexpFlags {
    /// `~`: everything but what follows.
    pub complement: bool,
    /// `<1-10>`: numbers of a range.
    pub interval: bool,
    /// `&`: what both sides match.
    pub intersection: bool,
    /// `@`: any text.
    pub any_string: bool,
    /// `#`: nothing at all.
    pub empty: bool,
}

impl Default for RegexpFlags {
    fn default() -> Self {
        Self { complement: true, interval: true, intersection: true, any_string: true, empty: true }
    }
}

impl RegexpFlags {
    /// None of the optional operators.
    pub const NONE: Self =
        Self { complement: false, interval: false, intersection: false, any_string: false, empty: false };
}

/// [`Query::Fuzzy`](super::Query::Fuzzy): the terms nearest to `term`, each scored by BM25 as if as frequent as the most frequent of
/// them, times `1 - edits / length of the shorter word`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzyQuery {
    /// The field's name.
    pub field: String,
    /// The term; not analysed.
    pub term: String,
    /// How far others may differ.
    #[serde(default = "auto")]
    pub fuzziness: Fuzziness,
    /// So many first letters must agree.
    #[serde(default)]
    pub prefix_length: usize,
    /// Whether two letters exchanged count as one edit.
    #[serde(default = "yes")]
    pub transpositions: bool,
    /// The most terms that it becomes.
    #[serde(default = "max_expansions")]
    pub max_expansions: usize,
    /// How the terms are scored.
    #[serde(default)]
    pub rewrite: Rewrite,
}

impl FuzzyQuery {
    /// The 50 terms nearest to `term`.
    pub fn new(field: impl Into<String>, term: impl Into<String>, fuzziness: Fuzziness) -> Self {
        Self {
            field: field.into(),
            term: term.into(),
            fuzziness,
            prefix_length: 0,
            transpositions: true,
            max_expansions: max_expansions(),
            rewrite: Rewrite::Usual,
        }
    }
}

fn auto() -> Fuzziness {
    Fuzziness::Auto
}

fn yes() -> bool {
    true
}

fn max_expansions() -> usize {
    50
}

/// [`Query::MoreLikeThis`](super::Query::MoreLikeThis): the terms that set some texts apart, chosen by tf-idf and looked up with `should`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoreLikeThisQuery {
    /// Where the terms of `like_texts` are looked up: each in the field that has it most often.
    pub fields: Vec<String>,
    /// Texts that are liked; the analyzer is the first field's.
    #[serde(default)]
    pub like_texts: Vec<String>,
    /// Texts of documents that are liked; their terms are looked up in their own field.
    #[serde(default)]
    pub like_fields: Vec<FieldTexts>,
    /// Texts whose terms are not used.
    #[serde(default)]
    pub unlike: Vec<FieldTexts>,
    /// How the terms are chosen.
    pub selection: TermSelection,
    /// How many terms a document needs, as written (`30%`).
    pub minimum_should_match: String,
    /// Gives terms boosts by their tf-idf, times this.
    #[serde(default)]
    pub boost_terms: Option<f32>,
    /// Makes terms of the texts in place of each field's own analyzer.
    #[serde(default)]
    pub analyzer: Option<String>,
}

/// Which terms of a text set it apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TermSelection {
    /// The most terms of a field.
    pub max_query_terms: usize,
    /// Terms that the texts have less often are left out.
    pub min_term_freq: u64,
    /// Terms of fewer documents are left out.
    pub min_doc_freq: u64,
    /// Terms of more documents are left out.
    pub max_doc_freq: u64,
    /// Shorter terms are left out; 0 for none.
    pub min_word_length: usize,
    /// Longer terms are left out; 0 for none.
    pub max_word_length: usize,
    /// These terms are left out.
    pub stop_words: Vec<String>,
}

impl Default for TermSelection {
    fn default() -> Self {
        Self {
            max_query_terms: 25,
            min_term_freq: 2,
            min_doc_freq: 5,
            max_doc_freq: u64::MAX,
            min_word_length: 0,
            max_word_length: 0,
            stop_words: Vec::new(),
        }
    }
}

/// Texts of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldTexts {
    /// The field's name.
    pub field: String,
    /// Its texts.
    pub texts: Vec<String>,
}
