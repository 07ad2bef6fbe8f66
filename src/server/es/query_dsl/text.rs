//! A text in a field to a query of terms, as Lucene's `QueryBuilder` makes it: words of one place become synonyms, several places a
//! combination or a phrase.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{Kind, has_positions, kind_of, splits_on_whitespace, type_of};
use super::object;
use super::term_level::prefixes_of;
use crate::index::lexical::{Analyzer, FieldKind, GraphStep, LexicalField, Token, TokenGraph};
use crate::retrieve::query::{
    BoolQuery, FieldValue, Fuzziness, FuzzyQuery, MinimumShouldMatch, Operator, PatternQuery, PhrasePlace, Query,
    Rewrite, SynonymQuery, TermPhraseQuery, TermValue, WeightedTerm,
};
use crate::schema::flatten::{self, TextField, TextShape};

/// What a text that an analyzer leaves nothing of matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ZeroTerms {
    /// Nothing.
    #[default]
    None,
    /// Everything.
    All,
}

/// How terms may differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fuzzy {
    pub(super) fuzziness: Fuzziness,
    pub(super) prefix_length: usize,
    pub(super) max_expansions: usize,
    pub(super) transpositions: bool,
    pub(super) rewrite: Rewrite,
}

/// How a text is matched; shared by `match` and its relatives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextOptions {
    /// Whose parameters these are, for errors.
    pub(super) query: &'static str,
    pub(super) operator: Operator,
    pub(super) minimum_should_match: Option<String>,
    pub(super) fuzziness: Option<Fuzziness>,
    pub(super) prefix_length: usize,
    pub(super) max_expansions: usize,
    pub(super) fuzzy_transpositions: bool,
    pub(super) fuzzy_rewrite: Rewrite,
    pub(super) lenient: bool,
    pub(super) zero_terms: ZeroTerms,
    pub(super) analyzer: Option<String>,
    pub(super) auto_generate_synonyms_phrase_query: bool,
    pub(super) slop: u32,
}

impl TextOptions {
    pub(super) fn new(query: &'static str) -> Self {
        Self {
            query,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzziness: None,
            prefix_length: 0,
            max_expansions: 50,
            fuzzy_transpositions: true,
            fuzzy_rewrite: Rewrite::Usual,
            lenient: false,
            zero_terms: ZeroTerms::None,
            analyzer: None,
            auto_generate_synonyms_phrase_query: true,
            slop: 0,
        }
    }

    /// Takes a parameter that is one of these; false when it is another.
    pub(super) fn take(&mut self, key: &str, value: &Value) -> EsResult<bool> {
        let query = self.query;
        match key {
            "operator" => self.operator = operator(query, value)?,
            "minimum_should_match" => self.minimum_should_match = Some(object::text(query, key, value)?),
            "fuzziness" => self.fuzziness = Some(fuzziness(value)?),
            "prefix_length" => self.prefix_length = object::count(query, key, value)?,
            "max_expansions" => {
                self.max_expansions = object::count(query, key, value)?;
                if self.max_expansions == 0 {
                    return Err(EsError::illegal_argument(format!("[{query}] requires maxExpansions to be positive.")));
                }
            }
            "fuzzy_transpositions" => self.fuzzy_transpositions = object::truth(query, key, value)?,
            "fuzzy_rewrite" => self.fuzzy_rewrite = rewrite(query, value)?,
            "lenient" => self.lenient = object::truth(query, key, value)?,
            "zero_terms_query" => self.zero_terms = zero_terms(query, value)?,
            "analyzer" => self.analyzer = Some(object::text(query, key, value)?),
            "auto_generate_synonyms_phrase_query" => {
                self.auto_generate_synonyms_phrase_query = object::truth(query, key, value)?;
            }
            "slop" => {
                self.slop = u32::try_from(object::integer(query, key, value)?)
                    .map_err(|_| EsError::illegal_argument("No negative slop allowed."))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn fuzzy(&self) -> Option<Fuzzy> {
        Some(Fuzzy {
            fuzziness: self.fuzziness?,
            prefix_length: self.prefix_length,
            max_expansions: self.max_expansions,
            transpositions: self.fuzzy_transpositions,
            rewrite: self.fuzzy_rewrite,
        })
    }

    pub(super) fn of_nothing(&self) -> Query {
        match self.zero_terms {
            ZeroTerms::None => Query::MatchNone,
            ZeroTerms::All => Query::MatchAll,
        }
    }
}

/// `and` or `or`.
pub(super) fn operator(query: &str, value: &Value) -> EsResult<Operator> {
    let text = object::text(query, "operator", value)?;
    match text.to_ascii_lowercase().as_str() {
        "or" => Ok(Operator::Or),
        "and" => Ok(Operator::And),
        _ => Err(EsError::illegal_argument(format!(
            "No enum constant org.elasticsearch.index.query.Operator.{}",
            text.to_uppercase()
        ))),
    }
}

fn zero_terms(query: &str, value: &Value) -> EsResult<ZeroTerms> {
    match object::text(query, "zero_terms_query", value)?.to_ascii_lowercase().as_str() {
        "none" => Ok(ZeroTerms::None),
        "all" => Ok(ZeroTerms::All),
        other => Err(EsError::parsing(format!("Unsupported zero_terms_query value [{other}]"))),
    }
}

/// `AUTO`, `AUTO:3,6`, or a number of edits.
pub(super) fn fuzziness(value: &Value) -> EsResult<Fuzziness> {
    let text = object::text("fuzziness", "fuzziness", value)?;
    let refuse = || EsError::illegal_argument(format!("failed to parse fuzziness [{text}]"));
    let upper = text.trim().to_ascii_uppercase();
    if upper == "AUTO" {
        return Ok(Fuzziness::Auto);
    }
    if let Some(bounds) = upper.strip_prefix("AUTO:") {
        let (low, high) = bounds
            .split_once(',')
            .ok_or_else(|| EsError::parsing(format!("failed to find low and high distance values in [{text}]")))?;
        let (low, high) = low.trim().parse().ok().zip(high.trim().parse().ok()).ok_or_else(refuse)?;
        if low > high {
            return Err(EsError::parsing(format!("fuzziness low and high values are out of order in [{text}]")));
        }
        return Ok(Fuzziness::AutoBetween { low, high });
    }
    let edits: f64 = upper.parse().map_err(|_| refuse())?;
    match edits {
        0.0 => Ok(Fuzziness::Edits(0)),
        1.0 => Ok(Fuzziness::Edits(1)),
        2.0 => Ok(Fuzziness::Edits(2)),
        _ => Err(EsError::illegal_argument(format!("Valid edit distances are [0, 1, 2] but was [{text}]"))),
    }
}

/// `rewrite` and `fuzzy_rewrite`.
pub(super) fn rewrite(query: &str, value: &Value) -> EsResult<Rewrite> {
    let text = object::text(query, "rewrite", value)?;
    let top = |prefix: &str| text.strip_prefix(prefix).and_then(|number| number.parse().ok());
    Ok(match text.as_str() {
        "constant_score" | "constant_score_boolean" | "constant_score_blended" => Rewrite::ConstantScore,
        "scoring_boolean" => Rewrite::Scoring,
        _ => {
            let found = (top("top_terms_blended_freqs_").map(Rewrite::TopTermsBlended))
                .or_else(|| top("top_terms_boost_").map(Rewrite::TopTermsBoost))
                .or_else(|| top("top_terms_").map(Rewrite::TopTerms));
            found.ok_or_else(|| EsError::illegal_argument(format!("Failed to parse rewrite_method [{text}]")))?
        }
    })
}

/// `minimum_should_match` of a combination's `should`; nothing else has one.
pub(super) fn with_minimum(query: Query, minimum: Option<&str>) -> EsResult<Query> {
    match (query, minimum) {
        (Query::Bool(mut combination), Some(minimum)) => {
            combination.minimum_should_match = minimum_count(minimum, combination.should.len())?;
            Ok(Query::Bool(combination))
        }
        (query, _) => Ok(query),
    }
}

/// How many of so many clauses are needed; `None` where the text asks for none.
pub(super) fn minimum_count(minimum: &str, num_clauses: usize) -> EsResult<Option<MinimumShouldMatch>> {
    let count = MinimumShouldMatch::number(minimum, num_clauses)
        .ok_or_else(|| EsError::new(400, "number_format_exception", format!("For input string: \"{minimum}\"")))?;
    Ok((count > 0).then_some(MinimumShouldMatch::Count(count)))
}

/// Any of several queries.
pub(super) fn any_of(mut queries: Vec<Query>) -> Query {
    match queries.len() {
        0 => Query::MatchNone,
        1 => queries.remove(0),
        _ => Query::Bool(BoolQuery { should: queries, ..BoolQuery::default() }),
    }
}

/// Places of a text, each with the terms that stand there.
pub(super) type Places = Vec<(u32, Vec<String>)>;

/// Groups tokens by their places.
pub(super) fn places(tokens: &[Token]) -> Places {
    let mut places: Places = Vec::new();
    for token in tokens {
        match places.last_mut() {
            Some((position, terms)) if *position == token.position => {
                if !terms.contains(&token.term) {
                    terms.push(token.term.clone());
                }
            }
            _ => places.push((token.position, vec![token.term.clone()])),
        }
    }
    places
}

/// A term, or the synonyms of one place.
pub(super) fn term_or_synonyms(field: &str, terms: &[String], fuzzy: Option<&Fuzzy>) -> Query {
    let single = |term: &String| match fuzzy {
        None => Query::Term(FieldValue { field: field.to_string(), value: TermValue::Text(term.clone()) }),
        Some(fuzzy) => Query::Fuzzy(FuzzyQuery {
            field: field.to_string(),
            term: term.clone(),
            fuzziness: fuzzy.fuzziness,
            prefix_length: fuzzy.prefix_length,
            transpositions: fuzzy.transpositions,
            max_expansions: fuzzy.max_expansions,
            rewrite: fuzzy.rewrite,
        }),
    };
    match (terms, fuzzy) {
        ([only], _) => single(only),
        (several, Some(_)) => any_of(several.iter().map(single).collect()),
        (several, None) => Query::Synonym(SynonymQuery {
            field: field.to_string(),
            terms: several.iter().map(|term| WeightedTerm { term: term.clone(), boost: 1.0 }).collect(),
        }),
    }
}

/// The words of several places by an operator; one place alone is no combination.
pub(super) fn combination(mut clauses: Vec<Query>, operator: Operator) -> Query {
    match (clauses.len(), operator) {
        (0, _) => Query::MatchNone,
        (1, _) => clauses.remove(0),
        (_, Operator::Or) => Query::Bool(BoolQuery { should: clauses, ..BoolQuery::default() }),
        (_, Operator::And) => Query::Bool(BoolQuery { must: clauses, ..BoolQuery::default() }),
    }
}

/// A phrase of several places; of one place, its terms.
pub(super) fn phrase(field: &str, places: &Places, slop: u32) -> Query {
    match places.as_slice() {
        [] => Query::MatchNone,
        [(_, terms)] => term_or_synonyms(field, terms, None),
        _ => Query::TermPhrase(TermPhraseQuery {
            field: field.to_string(),
            places: phrase_places(places),
            slop,
            max_expansions: None,
            alternatives: Vec::new(),
        }),
    }
}

fn phrase_places(places: &Places) -> Vec<PhrasePlace> {
    places.iter().map(|(position, terms)| PhrasePlace { terms: terms.clone(), position: *position }).collect()
}

/// How the words of a text are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By the operator.
    Words,
    /// In their order.
    Phrase,
    /// In their order, the last one a beginning.
    PhrasePrefix,
    /// By the operator, the last one a beginning.
    BoolPrefix,
}

impl Form {
    /// For a phrase, to how many words its last place grows.
    fn of_phrase(self, options: &TextOptions) -> Option<Option<usize>> {
        match self {
            Form::Phrase => Some(None),
            Form::PhrasePrefix => Some(Some(options.max_expansions)),
            Form::Words | Form::BoolPrefix => None,
        }
    }
}

impl QueryContext<'_> {
    /// The tokens of a text as a query in a field makes them; `quoted` for a phrase.
    pub(super) fn tokens(
        &self,
        options: &TextOptions,
        field: &LexicalField,
        quoted: bool,
        text: &str,
    ) -> EsResult<Vec<Token>> {
        let quote_analyzer = field.extra.search_quote_analyzer.as_ref().filter(|_| quoted);
        Ok(match (&options.analyzer, quote_analyzer, &field.kind) {
            (Some(name), _, _) => self.analyzer(options.query, name)?.tokens(text),
            (None, Some(analyzer), _) => analyzer.tokens(text),
            (None, None, FieldKind::Text { search_analyzer, .. }) => search_analyzer.tokens(text),
            (None, None, _) if splits_on_whitespace(field) => {
                let mut tokens = Analyzer::named("whitespace")?.tokens(text);
                tokens.iter_mut().for_each(|token| token.term = self.normalized(field, &token.term));
                tokens
            }
            (None, None, _) => Analyzer::named("keyword")?.tokens(&self.normalized(field, text)),
        })
    }

    /// What a text with tokens of several positions becomes; `None` where there are none.
    fn graph_query(&self, name: &str, tokens: &[Token], form: Form, options: &TextOptions) -> EsResult<Option<Query>> {
        let graph = TokenGraph::new(tokens.to_vec());
        if !graph.is_graph() {
            return Ok(None);
        }
        let too_many =
            || EsError::illegal_argument(format!("the text in [{name}] has too many synonyms of several words"));
        let path_of = |tokens: &[Token]| places(tokens);
        if let Some(max_expansions) = form.of_phrase(options) {
            let mut paths = graph.paths().ok_or_else(too_many)?.into_iter().map(|path| path_of(&path));
            let Some(first) = paths.next() else { return Ok(None) };
            if options.slop > 0 {
                let way = |path| in_order(name, &path, options.slop, max_expansions);
                return Ok(Some(any_of(std::iter::once(first).chain(paths).map(way).collect())));
            }
            return Ok(Some(Query::TermPhrase(TermPhraseQuery {
                field: name.to_string(),
                places: phrase_places(&first),
                slop: 0,
                max_expansions,
                alternatives: paths.map(|path| phrase_places(&path)).collect(),
            })));
        }
        let fuzzy = options.fuzzy();
        let steps = graph.steps().ok_or_else(too_many)?;
        let num_steps = steps.len();
        let mut clauses = Vec::with_capacity(num_steps);
        for (idx, step) in steps.into_iter().enumerate() {
            let is_prefix = form == Form::BoolPrefix && idx + 1 == num_steps;
            clauses.push(match step {
                GraphStep::Terms(tokens) => {
                    let mut terms: Vec<String> = Vec::new();
                    for token in tokens.into_iter().filter(|token| !token.term.is_empty()) {
                        if !terms.contains(&token.term) {
                            terms.push(token.term);
                        }
                    }
                    match terms.as_slice() {
                        [prefix] if is_prefix => Query::Prefix(PatternQuery::new(name, prefix)),
                        terms => term_or_synonyms(name, terms, fuzzy.as_ref()),
                    }
                }
                GraphStep::Paths(paths) => {
                    let way = |path: Vec<Token>| {
                        let places = path_of(&path);
                        if options.auto_generate_synonyms_phrase_query {
                            return in_order(name, &places, 0, is_prefix.then_some(options.max_expansions));
                        }
                        let terms = places.iter().map(|(_, terms)| term_or_synonyms(name, terms, None));
                        combination(terms.collect(), Operator::And)
                    };
                    any_of(paths.into_iter().map(way).collect())
                }
            });
        }
        Ok(Some(combination(clauses, options.operator)))
    }

    /// A text in one field. An unmapped field matches nothing.
    pub(super) fn text_query(&self, name: &str, value: &Value, form: Form, options: &TextOptions) -> EsResult<Query> {
        let text = object::text(options.query, "query", value)?;
        let Some(field) = self.find(name) else { return Ok(Query::MatchNone) };
        if !kind_of(&field).has_terms() {
            return self.value_query(name, &field, value, form, options);
        }
        if kind_of(&field) == Kind::Keyword && form == Form::PhrasePrefix {
            let reason = format!(
                "Can only use phrase prefix queries on text fields - not on [{name}] which is of type [keyword]"
            );
            return if options.lenient {
                Ok(Query::MatchNone)
            } else {
                Err(self.cannot_create("illegal_argument_exception", reason))
            };
        }
        let is_phrase = matches!(form, Form::Phrase | Form::PhrasePrefix);
        if is_phrase && !has_positions(&field) {
            let reason = format!("field:[{name}] was indexed without position data; cannot run PhraseQuery");
            return if options.lenient {
                Ok(Query::MatchNone)
            } else {
                Err(self.cannot_create("illegal_state_exception", reason))
            };
        }
        let tokens = self.tokens(options, &field, is_phrase, &text)?;
        if let Some(max_expansions) = form.of_phrase(options)
            && let Some(query) = self.phrase_of_shingles(name, &field, &tokens, options.slop, max_expansions)
        {
            return Ok(query);
        }
        if let Some(query) = self.graph_query(name, &tokens, form, options)? {
            return match form {
                Form::Words | Form::BoolPrefix => with_minimum(query, options.minimum_should_match.as_deref()),
                Form::Phrase | Form::PhrasePrefix => Ok(query),
            };
        }
        let places = places(&tokens);
        if places.is_empty() {
            return Ok(options.of_nothing());
        }
        Ok(match form {
            Form::Phrase => phrase(name, &places, options.slop),
            Form::PhrasePrefix => in_order(name, &places, options.slop, Some(options.max_expansions)),
            Form::Words => {
                let fuzzy = options.fuzzy();
                let clause = |(_, terms): &(u32, Vec<String>)| term_or_synonyms(name, terms, fuzzy.as_ref());
                let query = combination(places.iter().map(clause).collect(), options.operator);
                with_minimum(query, options.minimum_should_match.as_deref())?
            }
            Form::BoolPrefix => {
                // What stands behind the last word ends it.
                let is_open = tokens.last().is_some_and(|token| token.end >= text.len());
                let query = combination(bool_prefix(name, &places, is_open, options), options.operator);
                with_minimum(query, options.minimum_should_match.as_deref())?
            }
        })
    }

    /// An exact phrase in a `search_as_you_type` field, asked of its fields of neighbouring words, as Elasticsearch does; `None` for
    /// other fields, and for phrases that are asked of the words themselves.
    fn phrase_of_shingles(
        &self,
        name: &str,
        field: &LexicalField,
        tokens: &[Token],
        slop: u32,
        max_expansions: Option<usize>,
    ) -> Option<Query> {
        let is_contiguous = tokens.windows(2).all(|pair| match pair {
            [left, right] => right.position == left.position + 1,
            _ => true,
        });
        if slop > 0 || !is_contiguous || tokens.iter().any(|token| token.position_length > 1) {
            return None;
        }
        let (asked, terms): (String, Vec<String>) = if is_of_shingles(name, field) {
            max_expansions?;
            (name.to_string(), tokens.iter().map(|token| token.term.clone()).collect())
        } else if type_of(field) == "search_as_you_type" && tokens.len() > 1 {
            let shingles = |size: &usize| format!("{name}._{size}gram");
            let size = (2..=tokens.len()).take_while(|size| self.find(&shingles(size)).is_some()).last()?;
            let words: Vec<&str> = tokens.iter().map(|token| token.term.as_str()).collect();
            (shingles(&size), words.windows(size).map(|words| words.join(" ")).collect())
        } else {
            return None;
        };
        if let (Some(_), [only]) = (max_expansions, terms.as_slice())
            && let Some(prefixes) = prefixes_of(&asked, only, self)
        {
            return Some(Query::Term(FieldValue { field: prefixes, value: TermValue::Text(only.clone()) }));
        }
        let places: Places = (0..).zip(terms).map(|(position, term)| (position, vec![term])).collect();
        Some(in_order(&asked, &places, 0, max_expansions))
    }

    /// A text in a field of numbers, dates or truths: looked up as a value.
    fn value_query(
        &self,
        name: &str,
        field: &LexicalField,
        value: &Value,
        form: Form,
        options: &TextOptions,
    ) -> EsResult<Query> {
        let kind = type_of(field);
        let refused = match form {
            Form::Words | Form::Phrase if kind_of(field) == Kind::Vector => {
                Some(format!("Field [{name}] of type [{kind}] does not support match queries"))
            }
            Form::Words if options.fuzziness.is_some() => Some(format!(
                "Can only use fuzzy queries on keyword and text fields - not on [{name}] which is of type [{kind}]"
            )),
            Form::PhrasePrefix => Some(format!(
                "Can only use phrase prefix queries on text fields - not on [{name}] which is of type [{kind}]"
            )),
            Form::BoolPrefix => Some(format!(
                "Can only use prefix queries on keyword, text and wildcard fields - not on [{name}] which is of type [{kind}]"
            )),
            Form::Words | Form::Phrase => None,
        };
        let query = match refused {
            Some(reason) => Err(self.cannot_create("illegal_argument_exception", reason)),
            None => self.term(name, value),
        };
        match query {
            Err(_) if options.lenient => Ok(Query::MatchNone),
            other => other,
        }
    }
}

/// Whether a field holds runs of neighbouring words of a `search_as_you_type` field.
fn is_of_shingles(name: &str, field: &LexicalField) -> bool {
    let shape = field.extra.mapping.as_deref().map(|mapping| &mapping.kind);
    let has_shingles = matches!(shape, Some(flatten::FieldKind::Text(TextField { shape: TextShape::Shingles(_), .. })));
    has_shingles && name.ends_with("gram")
}

/// A phrase; where `max_expansions` is given, one whose last place is the beginning of that many words at most.
fn in_order(name: &str, places: &Places, slop: u32, max_expansions: Option<usize>) -> Query {
    if max_expansions.is_none() {
        return phrase(name, places, slop);
    }
    Query::TermPhrase(TermPhraseQuery {
        field: name.to_string(),
        places: phrase_places(places),
        slop,
        max_expansions,
        alternatives: Vec::new(),
    })
}

/// Every place as words, a single word at the last as the beginning of words where it `is_open`.
pub(super) fn bool_prefix(name: &str, places: &Places, is_open: bool, options: &TextOptions) -> Vec<Query> {
    let fuzzy = options.fuzzy();
    let clause = |(idx, (_, terms)): (usize, &(u32, Vec<String>))| match terms.as_slice() {
        [prefix] if is_open && idx + 1 == places.len() => Query::Prefix(PatternQuery::new(name, prefix)),
        terms => term_or_synonyms(name, terms, fuzzy.as_ref()),
    };
    places.iter().enumerate().map(clause).collect()
}
