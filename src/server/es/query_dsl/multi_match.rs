//! `multi_match` and `combined_fields`: a text in several fields.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-multi-match-query.html>

use indexmap::IndexMap;
use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{Kind, kind_of, split_boost, type_of};
use super::full_text::present;
use super::object::{self, Common};
use super::text::{Form, Places, TextOptions, ZeroTerms, any_of, combination, places, with_minimum};
use crate::index::lexical::FieldKind;
use crate::retrieve::query::{BlendedQuery, BlendedTerm, BoostedField, CombinedTermQuery, DisMaxQuery, Query};

/// How the fields of a `multi_match` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum MultiMatchType {
    #[default]
    BestFields,
    MostFields,
    CrossFields,
    Phrase,
    PhrasePrefix,
    BoolPrefix,
}

impl MultiMatchType {
    pub(super) fn read(text: &str) -> EsResult<Self> {
        Ok(match text {
            "best_fields" | "boolean" => Self::BestFields,
            "most_fields" => Self::MostFields,
            "cross_fields" => Self::CrossFields,
            "phrase" => Self::Phrase,
            "phrase_prefix" => Self::PhrasePrefix,
            "bool_prefix" => Self::BoolPrefix,
            _ => {
                return Err(EsError::parsing(format!(
                    "failed to parse [multi_match] query type [{text}]. unknown type."
                )));
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::BestFields => "best_fields",
            Self::MostFields => "most_fields",
            Self::CrossFields => "cross_fields",
            Self::Phrase => "phrase",
            Self::PhrasePrefix => "phrase_prefix",
            Self::BoolPrefix => "bool_prefix",
        }
    }

    pub(super) fn form(self) -> Form {
        match self {
            Self::BestFields | Self::MostFields | Self::CrossFields => Form::Words,
            Self::Phrase => Form::Phrase,
            Self::PhrasePrefix => Form::PhrasePrefix,
            Self::BoolPrefix => Form::BoolPrefix,
        }
    }

    /// How much the fields beside the best one count.
    pub(super) fn tie_breaker(self) -> f32 {
        match self {
            Self::MostFields | Self::BoolPrefix => 1.0,
            Self::BestFields | Self::CrossFields | Self::Phrase | Self::PhrasePrefix => 0.0,
        }
    }
}

/// Fields with their boosts, in their order, each once.
pub(in crate::server::es) type Fields = IndexMap<String, f32>;

/// The fields of a text that looks for words and meanings.
#[derive(Debug, Default)]
pub(in crate::server::es) struct SimplifiedFields {
    /// Those that are searched by words.
    pub(in crate::server::es) words: Fields,
    /// Those that are searched by meaning.
    pub(in crate::server::es) meanings: Fields,
}

/// `multi_match`.
pub(super) fn multi_match(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let query = "multi_match";
    let (mut text, mut fields, mut common) = (None, Vec::new(), Common::default());
    let (mut options, mut kind, mut tie_breaker) = (TextOptions::new(query), MultiMatchType::default(), None);
    let mut lenient = None;
    for (key, value) in object::members(query, body)? {
        match key.as_str() {
            "query" => text = Some(value),
            "fields" => fields = object::texts(query, key, value)?,
            "type" => kind = MultiMatchType::read(&object::text(query, key, value)?)?,
            "tie_breaker" => tie_breaker = Some(object::float(query, key, value)?),
            "lenient" => lenient = Some(object::truth(query, key, value)?),
            _ if common.take(query, key, value)? => {}
            _ if options.take(key, value)? => {}
            _ => return Err(object::unknown(query, key)),
        }
    }
    let text = present(query, text)?;
    if options.fuzziness.is_some()
        && matches!(kind, MultiMatchType::CrossFields | MultiMatchType::Phrase | MultiMatchType::PhrasePrefix)
    {
        return Err(EsError::parsing(format!("Fuzziness not allowed for type [{}]", kind.name())));
    }
    if options.slop != 0 && kind == MultiMatchType::BoolPrefix {
        return Err(EsError::parsing(format!("[slop] not allowed for type [{}]", kind.name())));
    }
    let fields = if fields.is_empty() {
        let (fields, is_everything) = context.default_fields(query)?;
        options.lenient = lenient.unwrap_or(is_everything);
        fields
    } else {
        options.lenient = lenient.unwrap_or_else(|| fields.iter().any(|field| field == "*"));
        context.boosted_fields(query, &fields)?
    };
    Ok(common.around(context.multi_match(&fields, text, kind, tie_breaker, &options)?))
}

impl QueryContext<'_> {
    /// Fields and patterns of fields, with their boosts.
    pub(super) fn boosted_fields(&self, query: &str, written: &[String]) -> EsResult<Fields> {
        let mut fields = Fields::new();
        for written in written {
            let (pattern, boost) = split_boost(query, written)?;
            for name in self.expand(&pattern, Kind::has_values) {
                fields.entry(name).and_modify(|known| *known *= boost).or_insert(boost);
            }
        }
        Ok(fields)
    }

    /// The fields that a text names (or those that the index searches when none is named), by how they are searched.
    pub(in crate::server::es) fn simplified_fields(
        &self,
        query: &str,
        written: &[String],
    ) -> EsResult<SimplifiedFields> {
        let defaults = &self.definition.settings.index.query.default_field;
        let everything = ["*".to_string()];
        let written = match (written.is_empty(), defaults.is_empty()) {
            (false, _) => written,
            (true, false) => defaults.as_slice(),
            (true, true) => &everything,
        };
        let mut fields = SimplifiedFields::default();
        for written in written {
            let (pattern, weight) = split_boost(query, written)?;
            for name in self.expand(&pattern, |kind| kind.has_values() || kind == Kind::Vector) {
                let is_semantic = self.is_semantic(&name);
                if pattern.contains('*')
                    && !is_semantic
                    && self.find(&name).is_some_and(|field| kind_of(&field) == Kind::Vector)
                {
                    continue;
                }
                let of_kind = if is_semantic { &mut fields.meanings } else { &mut fields.words };
                of_kind.entry(name).and_modify(|known| *known *= weight).or_insert(weight);
            }
        }
        Ok(fields)
    }

    /// The fields of a query that names none, and whether they are all there are.
    pub(super) fn default_fields(&self, query: &str) -> EsResult<(Fields, bool)> {
        let written = &self.definition.settings.index.query.default_field;
        if written.is_empty() || written.iter().any(|field| field == "*") {
            return Ok((self.boosted_fields(query, &["*".to_string()])?, true));
        }
        Ok((self.boosted_fields(query, written)?, false))
    }

    /// A text in several fields.
    pub(super) fn multi_match(
        &self,
        fields: &Fields,
        text: &Value,
        kind: MultiMatchType,
        tie_breaker: Option<f32>,
        options: &TextOptions,
    ) -> EsResult<Query> {
        let tie_breaker = tie_breaker.unwrap_or_else(|| kind.tie_breaker());
        if kind == MultiMatchType::CrossFields {
            return self.cross_fields(fields, text, tie_breaker, options);
        }
        let mut queries = Vec::new();
        for (field, &boost) in fields {
            let query = if self.is_semantic(field) {
                super::knn::semantic_in(field, &object::text(options.query, "query", text)?, self)?
            } else {
                self.text_query(field, text, kind.form(), options)?
            };
            if query != Query::MatchNone {
                queries.push(boosted(query, boost));
            }
        }
        Ok(best_of(queries, tie_breaker))
    }

    /// Each word in whichever field has it, as if the fields were one; fields with different analyzers are groups of their own.
    fn cross_fields(&self, fields: &Fields, text: &Value, tie_breaker: f32, options: &TextOptions) -> EsResult<Query> {
        let mut groups: IndexMap<String, Vec<(&String, f32)>> = IndexMap::new();
        let mut queries = Vec::new();
        for (name, &boost) in fields {
            let Some(field) = self.find(name) else { continue };
            let analyzer = match (&options.analyzer, &field.kind) {
                (Some(analyzer), _) => analyzer.clone(),
                (None, FieldKind::Text { search_analyzer, .. }) => search_analyzer.name().to_string(),
                (None, _) => "keyword".to_string(),
            };
            groups.entry(analyzer).or_default().push((name, boost));
        }
        for group in groups.values() {
            let query = match group.as_slice() {
                [(name, boost)] => boosted(self.text_query(name, text, Form::Words, options)?, *boost),
                several => self.blended_group(several, text, tie_breaker, options)?,
            };
            if query != Query::MatchNone {
                queries.push(query);
            }
        }
        Ok(best_of(queries, tie_breaker))
    }

    fn blended_group(
        &self,
        group: &[(&String, f32)],
        text: &Value,
        tie_breaker: f32,
        options: &TextOptions,
    ) -> EsResult<Query> {
        let written = object::text(options.query, "query", text)?;
        let has_terms = |name: &str| self.find(name).is_some_and(|field| kind_of(&field).has_terms());
        let representative = group.iter().find(|(name, _)| has_terms(name)).or_else(|| group.first());
        let Some(field) = representative.and_then(|(name, _)| self.find(name)) else { return Ok(Query::MatchNone) };
        let tokens = self.tokens(options, &field, false, &written)?;
        let places = places(&tokens);
        if places.is_empty() {
            return Ok(options.of_nothing());
        }
        let mut clauses = Vec::with_capacity(places.len());
        for (_, terms) in &places {
            let (mut blended, mut others) = (Vec::new(), Vec::new());
            for term in terms {
                for (name, boost) in group {
                    if has_terms(name) {
                        blended.push(BlendedTerm { field: (*name).clone(), term: term.clone(), boost: *boost });
                        continue;
                    }
                    match self.term(name, &Value::from(term.as_str())) {
                        Ok(Query::MatchNone) => {}
                        Ok(query) => others.push(boosted(query, *boost)),
                        Err(_) if options.lenient => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            if !blended.is_empty() {
                others.push(Query::Blended(BlendedQuery { terms: blended, tie_breaker }));
            }
            clauses.push(best_of(others, 1.0));
        }
        with_minimum(combination(clauses, options.operator), options.minimum_should_match.as_deref())
    }
}

/// A query times a boost.
pub(super) fn boosted(query: Query, boost: f32) -> Query {
    if boost == 1.0 || query == Query::MatchNone { query } else { query.boosted(boost) }
}

/// The best of several queries, and a part of the others.
pub(super) fn best_of(mut queries: Vec<Query>, tie_breaker: f32) -> Query {
    match queries.len() {
        0 | 1 => any_of(std::mem::take(&mut queries)),
        _ => Query::DisMax(DisMaxQuery { queries, tie_breaker }),
    }
}

/// `combined_fields`.
pub(super) fn combined_fields(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let query = "combined_fields";
    let (mut text, mut written, mut common) = (None, None, Common::default());
    let mut options = TextOptions::new(query);
    let known = ["operator", "minimum_should_match", "zero_terms_query", "auto_generate_synonyms_phrase_query"];
    for (key, value) in object::members(query, body)? {
        match key.as_str() {
            "query" => text = Some(value),
            "fields" => written = Some(object::texts(query, key, value)?),
            _ if common.take(query, key, value)? => {}
            _ if known.contains(&key.as_str()) && options.take(key, value)? => {}
            _ => return Err(EsError::parsing(format!("[{query}] unknown field [{key}]"))),
        }
    }
    let text = object::text(query, "query", present(query, text)?)?;
    let fields = match written {
        Some(written) if written.is_empty() => {
            return Err(EsError::illegal_argument(format!("[{query}] field list must be non-empty")));
        }
        Some(written) => context.boosted_fields(query, &written)?,
        None => context.default_fields(query)?.0,
    };
    let (mut combined, mut analyzer): (Vec<BoostedField>, Option<crate::index::lexical::Analyzer>) = (Vec::new(), None);
    for (name, boost) in fields {
        let Some(field) = context.find(&name) else { continue };
        let FieldKind::Text { search_analyzer, .. } = &field.kind else {
            return Err(context.cannot_create(
                "illegal_argument_exception",
                format!("Field [{name}] of type [{}] does not support [{query}] queries", type_of(&field)),
            ));
        };
        if boost < 1.0 {
            return Err(EsError::illegal_argument(format!(
                "[{query}] requires field boosts to be >= 1.0, but got [{boost}] for field [{name}]"
            )));
        }
        if analyzer.get_or_insert_with(|| search_analyzer.clone()) != search_analyzer {
            return Err(context.cannot_create(
                "illegal_argument_exception",
                format!("All fields in [{query}] query must have the same search analyzer"),
            ));
        }
        combined.push(BoostedField { field: name, boost });
    }
    let Some(analyzer) = analyzer else { return Ok(common.around(Query::MatchNone)) };
    let places: Places = places(&analyzer.tokens(&text));
    if places.is_empty() {
        let all = options.zero_terms == ZeroTerms::All;
        return Ok(common.around(if all { Query::MatchAll } else { Query::MatchNone }));
    }
    let clause = |(_, terms): &(u32, Vec<String>)| {
        Query::CombinedTerm(CombinedTermQuery { fields: combined.clone(), terms: terms.clone() })
    };
    let clauses = combination(places.iter().map(clause).collect(), options.operator);
    Ok(common.around(with_minimum(clauses, options.minimum_should_match.as_deref())?))
}
