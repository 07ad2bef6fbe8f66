//! `query_string`: Lucene's query syntax.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-query-string-query.html>. Read next: `syntax`, which reads the text;
//! this file says what each of its parts means in the fields.

mod syntax;

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{DateReading, Kind, kind_of};
use super::multi_match::{Fields, MultiMatchType, best_of, boosted};
use super::object::{self, Common};
use super::range::Bounds;
use super::term_level::{check_regexp_length, normalized_wildcard};
use super::text::{self, TextOptions};
use crate::retrieve::query::{Fuzziness, FuzzyQuery, PatternQuery, Query, RegexpQuery, Rewrite};

const QUERY: &str = "query_string";

/// What a `query_string` says beside its text.
#[derive(Debug)]
pub(super) struct Settings {
    /// The fields of parts that name none.
    fields: Fields,
    /// Those are all fields, so that `*` is everything.
    is_everything: bool,
    kind: MultiMatchType,
    tie_breaker: Option<f32>,
    options: TextOptions,
    fuzziness: Fuzziness,
    phrase_slop: u32,
    analyze_wildcard: bool,
    allow_leading_wildcard: bool,
    quote_analyzer: Option<String>,
    quote_field_suffix: Option<String>,
    rewrite: Rewrite,
    time_zone: Option<String>,
}

/// `query_string`.
pub(super) fn query_string(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut text_given, mut common) = (None, Common::default());
    let (mut fields, mut default_field, mut lenient) = (Vec::new(), None, None);
    let mut settings = Settings {
        fields: Fields::new(),
        is_everything: false,
        kind: MultiMatchType::BestFields,
        tie_breaker: None,
        options: TextOptions::new(QUERY),
        fuzziness: Fuzziness::Auto,
        phrase_slop: 0,
        analyze_wildcard: false,
        allow_leading_wildcard: true,
        quote_analyzer: None,
        quote_field_suffix: None,
        rewrite: Rewrite::Usual,
        time_zone: None,
    };
    for (key, value) in object::members(QUERY, body)? {
        let truth = || object::truth(QUERY, key, value);
        match key.as_str() {
            "query" => text_given = Some(object::text(QUERY, key, value)?),
            "fields" => fields = object::texts(QUERY, key, value)?,
            "default_field" => default_field = Some(object::text(QUERY, key, value)?),
            "default_operator" => settings.options.operator = text::operator(QUERY, value)?,
            "type" => settings.kind = MultiMatchType::read(&object::text(QUERY, key, value)?)?,
            "tie_breaker" => settings.tie_breaker = Some(object::float(QUERY, key, value)?),
            "fuzziness" => settings.fuzziness = text::fuzziness(value)?,
            "fuzzy_prefix_length" => settings.options.prefix_length = object::count(QUERY, key, value)?,
            "fuzzy_max_expansions" => settings.options.max_expansions = object::count(QUERY, key, value)?.max(1),
            "phrase_slop" => {
                settings.phrase_slop = u32::try_from(object::count(QUERY, key, value)?).unwrap_or(u32::MAX)
            }
            "analyze_wildcard" => settings.analyze_wildcard = truth()?,
            "allow_leading_wildcard" => settings.allow_leading_wildcard = truth()?,
            "quote_analyzer" => settings.quote_analyzer = Some(object::text(QUERY, key, value)?),
            "quote_field_suffix" => settings.quote_field_suffix = Some(object::text(QUERY, key, value)?),
            "rewrite" => settings.rewrite = text::rewrite(QUERY, value)?,
            "time_zone" => settings.time_zone = Some(object::text(QUERY, key, value)?),
            "lenient" => lenient = Some(truth()?),
            "escape" if truth()? => return Err(object::unsupported(QUERY, "escape: true")),
            "max_determinized_states" => {
                object::count(QUERY, key, value)?;
            }
            "escape" | "enable_position_increments" => {
                truth()?;
            }
            "minimum_should_match"
            | "analyzer"
            | "fuzzy_rewrite"
            | "fuzzy_transpositions"
            | "auto_generate_synonyms_phrase_query" => {
                settings.options.take(key, value)?;
            }
            _ if common.take(QUERY, key, value)? => {}
            _ => return Err(EsError::parsing(format!("[query_string] query does not support [{key}]"))),
        }
    }
    let text_given = text_given.ok_or_else(|| EsError::parsing("[query_string] must be provided with a [query]"))?;
    (settings.fields, settings.is_everything) = match (fields.is_empty(), default_field) {
        (false, _) => (context.boosted_fields(QUERY, &fields)?, fields.iter().any(|field| field == "*")),
        (true, Some(field)) => (context.boosted_fields(QUERY, std::slice::from_ref(&field))?, field == "*"),
        (true, None) => context.default_fields(QUERY)?,
    };
    let of_index = || context.definition.settings.other("query_string.lenient") == Some("true");
    settings.options.lenient = lenient.unwrap_or_else(|| settings.is_everything || of_index());
    settings.options.slop = settings.phrase_slop;
    if text_given.trim().is_empty() {
        return Ok(common.around(Query::MatchNone));
    }
    let failed = |reason: String| {
        context.shard_error(format!("Failed to parse query [{text_given}]")).caused_by(EsError::new(
            400,
            "parse_exception",
            format!("Cannot parse '{text_given}': {reason}"),
        ))
    };
    let minimum = settings.options.minimum_should_match.take();
    let query = match syntax::parse(&text_given, settings.options.operator, &Meaning { context, settings: &settings }) {
        Ok(query) => query.unwrap_or(Query::MatchNone),
        Err(syntax::Fault::Syntax(reason)) => return Err(failed(reason)),
        Err(syntax::Fault::Query(error)) => return Err(error),
    };
    Ok(common.around(with_minimum(query, minimum.as_deref())?))
}

/// `minimum_should_match` of the whole, under boosts too.
#[expect(clippy::wildcard_enum_match_arm, reason = "any other query is no boost")]
fn with_minimum(query: Query, minimum: Option<&str>) -> EsResult<Query> {
    match query {
        Query::Boost(mut boost) => {
            boost.query = Box::new(with_minimum(*boost.query, minimum)?);
            Ok(Query::Boost(boost))
        }
        other => text::with_minimum(other, minimum),
    }
}

/// What the parts of a text mean. `field` is `None` for the fields of the query.
struct Meaning<'a> {
    context: &'a QueryContext<'a>,
    settings: &'a Settings,
}

impl Meaning<'_> {
    /// The fields of a part, each with its boost.
    fn fields(&self, field: Option<&str>, quoted: bool) -> EsResult<Fields> {
        let found = match field {
            Some(field) => self.context.boosted_fields(QUERY, &[field.replace('^', "")])?,
            None => self.settings.fields.clone(),
        };
        let Some(suffix) = self.settings.quote_field_suffix.as_deref().filter(|_| quoted) else { return Ok(found) };
        let quoted = |(name, boost): (String, f32)| {
            let other = format!("{name}{suffix}");
            (if self.context.find(&other).is_some() { other } else { name }, boost)
        };
        Ok(found.into_iter().map(quoted).collect())
    }

    /// The best of a query in each field; a field where it cannot be made is left out where leniency is asked for.
    fn in_each(&self, field: Option<&str>, make: impl Fn(&str) -> EsResult<Query>) -> EsResult<Option<Query>> {
        let mut queries = Vec::new();
        for (name, boost) in self.fields(field, false)? {
            match make(&name) {
                Ok(Query::MatchNone) => {}
                Ok(query) => queries.push(boosted(query, boost)),
                Err(_) if self.settings.options.lenient => {}
                Err(error) => return Err(error),
            }
        }
        let tie_breaker = self.settings.tie_breaker.unwrap_or_else(|| self.settings.kind.tie_breaker());
        Ok(Some(best_of(queries, tie_breaker)))
    }

    fn words_of(
        &self,
        kind: MultiMatchType,
        field: Option<&str>,
        text: &str,
        options: &TextOptions,
    ) -> EsResult<Option<Query>> {
        let quoted = kind == MultiMatchType::Phrase;
        let fields = self.fields(field, quoted)?;
        let (semantic, others): (Fields, Fields) =
            fields.into_iter().partition(|(name, _)| self.context.is_semantic(name));
        let value = Value::from(text);
        let mut query = self.context.multi_match(&others, &value, kind, self.settings.tie_breaker, options)?;
        if field.is_some() && !semantic.is_empty() {
            query = self.context.multi_match(&semantic, &value, MultiMatchType::BestFields, None, options)?;
        }
        // Words that an analyzer drops leave no clause at all.
        let is_dropped = query == Query::MatchNone && self.is_without_words(&others, text, options, quoted)?;
        Ok((!is_dropped).then_some(query))
    }

    fn is_without_words(&self, fields: &Fields, text: &str, options: &TextOptions, quoted: bool) -> EsResult<bool> {
        let mut has_fields = false;
        for name in fields.keys() {
            let Some(field) = self.context.find(name) else { continue };
            has_fields = true;
            if !kind_of(&field).has_terms() || !self.context.tokens(options, &field, quoted, text)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(has_fields)
    }

    /// A part of a term in the form that the field's terms have.
    fn normalized(&self, name: &str, text: &str) -> EsResult<Option<String>> {
        let Some(field) = self.context.find(name) else { return Ok(None) };
        match kind_of(&field) {
            Kind::Text | Kind::Keyword => Ok(Some(match &self.settings.options.analyzer {
                Some(analyzer) => self.context.analyzer(QUERY, analyzer)?.normalize(text),
                None => self.context.normalized_part(&field, text),
            })),
            Kind::Whole | Kind::Fraction | Kind::Truth | Kind::Date | Kind::Ip | Kind::Feature | Kind::Vector => {
                Err(self.context.cannot_create(
                    "illegal_argument_exception",
                    format!(
                        "Can only use prefix queries on keyword, text and wildcard fields - not on [{name}] which is of type [{}]",
                        super::field::type_of(&field)
                    ),
                ))
            }
        }
    }
}

impl syntax::Parts for Meaning<'_> {
    fn words(&self, field: Option<&str>, text: &str) -> EsResult<Option<Query>> {
        self.words_of(self.settings.kind, field, text, &self.settings.options)
    }

    fn phrase(&self, field: Option<&str>, text: &str, slop: Option<u32>) -> EsResult<Option<Query>> {
        let mut options = self.settings.options.clone();
        options.slop = slop.unwrap_or(self.settings.phrase_slop);
        if self.settings.quote_analyzer.is_some() {
            options.analyzer.clone_from(&self.settings.quote_analyzer);
        }
        self.words_of(MultiMatchType::Phrase, field, text, &options)
    }

    fn prefix(&self, field: Option<&str>, text: &str) -> EsResult<Option<Query>> {
        self.in_each(field, |name| {
            let Some(part) = self.normalized(name, text)? else { return Ok(Query::MatchNone) };
            Ok(Query::Prefix(PatternQuery { rewrite: self.settings.rewrite, ..PatternQuery::new(name, part) }))
        })
    }

    fn wildcard(&self, field: Option<&str>, pattern: &str) -> EsResult<Option<Query>> {
        if pattern == "*" {
            return Ok(Some(match field {
                None if self.settings.is_everything => Query::MatchAll,
                None => {
                    let exist = self.settings.fields.keys().map(|name| self.context.exists(name));
                    text::any_of(exist.filter(|query| *query != Query::MatchNone).collect())
                }
                Some("*") => Query::MatchAll,
                Some(field) => self.context.exists(field),
            }));
        }
        if !self.settings.allow_leading_wildcard && pattern.starts_with(['*', '?']) {
            return Err(self.context.shard_error(format!("Failed to parse query [{pattern}]")).caused_by(
                EsError::new(
                    400,
                    "parse_exception",
                    format!("Cannot parse '{pattern}': '*' or '?' not allowed as first character in WildcardQuery"),
                ),
            ));
        }
        self.in_each(field, |name| {
            if self.normalized(name, "")?.is_none() {
                return Ok(Query::MatchNone);
            }
            let normalize = |part: &str| self.normalized(name, part).ok().flatten().unwrap_or_else(|| part.to_string());
            let pattern = normalized_wildcard(pattern, normalize);
            Ok(Query::Wildcard(PatternQuery { rewrite: self.settings.rewrite, ..PatternQuery::new(name, pattern) }))
        })
    }

    fn regexp(&self, field: Option<&str>, pattern: &str) -> EsResult<Option<Query>> {
        check_regexp_length(pattern, self.context)?;
        self.in_each(field, |name| {
            if self.normalized(name, "")?.is_none() {
                return Ok(Query::MatchNone);
            }
            let query = RegexpQuery {
                field: name.to_string(),
                text: pattern.to_string(),
                rewrite: self.settings.rewrite,
                ..RegexpQuery::default()
            };
            self.context.check_regexp(&query)?;
            Ok(Query::Regexp(query))
        })
    }

    fn fuzzy(&self, field: Option<&str>, text: &str, edits: Option<f32>) -> EsResult<Option<Query>> {
        let fuzziness = match edits {
            None => self.settings.fuzziness,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=2")]
            Some(edits) if edits >= 1.0 => Fuzziness::Edits(edits.clamp(0.0, 2.0) as u8),
            // Lucene's old similarities below 1.
            Some(similarity) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=2")]
                let edits = ((1.0 - similarity) * text.chars().count() as f32).clamp(0.0, 2.0) as u8;
                Fuzziness::Edits(edits)
            }
        };
        let options = &self.settings.options;
        self.in_each(field, |name| {
            let Some(term) = self.normalized(name, text)? else { return Ok(Query::MatchNone) };
            Ok(Query::Fuzzy(FuzzyQuery {
                prefix_length: options.prefix_length,
                max_expansions: options.max_expansions,
                transpositions: options.fuzzy_transpositions,
                rewrite: options.fuzzy_rewrite,
                ..FuzzyQuery::new(name, term, fuzziness)
            }))
        })
    }

    fn range(&self, field: Option<&str>, range: &syntax::Range) -> EsResult<Option<Query>> {
        let value =
            |bound: &Option<(String, bool)>| bound.as_ref().map(|(text, inside)| (Value::from(text.as_str()), *inside));
        let (lower, upper) = (value(&range.lower), value(&range.upper));
        self.in_each(field, |name| {
            let Some(found) = self.context.find(name) else { return Ok(Query::MatchNone) };
            let is_date = kind_of(&found) == Kind::Date;
            let reading = DateReading { format: None, time_zone: self.settings.time_zone.clone().filter(|_| is_date) };
            let bounds = Bounds {
                lower: lower.as_ref().map(|(value, inside)| (value, *inside)),
                upper: upper.as_ref().map(|(value, inside)| (value, *inside)),
            };
            self.context.range(name, bounds, &reading)
        })
    }

    fn exists(&self, field: &str) -> Query {
        self.context.exists(field)
    }
}
