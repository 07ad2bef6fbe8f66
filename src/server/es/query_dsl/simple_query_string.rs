//! `simple_query_string`: a syntax that never fails.
//!
//! `+` and, `|` or, `-` not, `"..."` phrase, `*` beginning, `( )`, `~N` fuzziness or slop. What cannot be read is left out.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-simple-query-string-query.html>; the tree is built as the
//! documentation of Lucene's `SimpleQueryParser` says.

#![warn(clippy::indexing_slicing)]

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::kind_of;
use super::multi_match::{Fields, MultiMatchType, best_of, boosted};
use super::object::{self, Common};
use super::text::{self, TextOptions};
use crate::retrieve::query::{BoolQuery, Fuzziness, FuzzyQuery, Operator, PatternQuery, Query};

const QUERY: &str = "simple_query_string";
/// Deeper parentheses are read as if they were not there.
const MAX_DEPTH: usize = 20;

/// Which operators a text may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flags(u32);

impl Flags {
    const AND: u32 = 1;
    const NOT: u32 = 1 << 1;
    const OR: u32 = 1 << 2;
    const PREFIX: u32 = 1 << 3;
    const PHRASE: u32 = 1 << 4;
    const PRECEDENCE: u32 = 1 << 5;
    const ESCAPE: u32 = 1 << 6;
    const WHITESPACE: u32 = 1 << 7;
    const FUZZY: u32 = 1 << 8;
    const SLOP: u32 = 1 << 9;

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    fn read(value: &Value) -> EsResult<Self> {
        if let Value::Number(_) = value {
            let bits = object::integer(QUERY, "flags", value)?;
            return Ok(Self(if bits < 0 { u32::MAX } else { bits.cast_unsigned() }));
        }
        let text = object::text(QUERY, "flags", value)?;
        let mut flags = 0;
        for name in text.split('|').map(str::trim).filter(|name| !name.is_empty()) {
            flags |= match name.to_ascii_uppercase().as_str() {
                "ALL" => u32::MAX,
                "NONE" => 0,
                "AND" => Self::AND,
                "NOT" => Self::NOT,
                "OR" => Self::OR,
                "PREFIX" => Self::PREFIX,
                "PHRASE" => Self::PHRASE,
                "PRECEDENCE" => Self::PRECEDENCE,
                "ESCAPE" => Self::ESCAPE,
                "WHITESPACE" => Self::WHITESPACE,
                "FUZZY" => Self::FUZZY,
                "NEAR" | "SLOP" => Self::SLOP,
                other => {
                    return Err(EsError::illegal_argument(format!("Unknown simple_query_string flag [{other}]")));
                }
            };
        }
        Ok(Self(flags))
    }
}

/// `simple_query_string`.
pub(super) fn simple_query_string(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut text_given, mut fields, mut common) = (None, Vec::new(), Common::default());
    let (mut options, mut flags, mut lenient) = (TextOptions::new(QUERY), Flags(u32::MAX), None);
    let (mut minimum, mut quote_field_suffix) = (None, None);
    for (key, value) in object::members(QUERY, body)? {
        match key.as_str() {
            "query" => text_given = Some(object::text(QUERY, key, value)?),
            "fields" => fields = object::texts(QUERY, key, value)?,
            "default_operator" => options.operator = text::operator(QUERY, value)?,
            "flags" => flags = Flags::read(value)?,
            "lenient" => lenient = Some(object::truth(QUERY, key, value)?),
            "minimum_should_match" => minimum = Some(object::text(QUERY, key, value)?),
            "quote_field_suffix" => quote_field_suffix = Some(object::text(QUERY, key, value)?),
            "analyze_wildcard" => {
                object::truth(QUERY, key, value)?;
            }
            "fuzzy_prefix_length" => options.prefix_length = object::count(QUERY, key, value)?,
            "fuzzy_max_expansions" => options.max_expansions = object::count(QUERY, key, value)?.max(1),
            "analyzer" | "fuzzy_transpositions" | "auto_generate_synonyms_phrase_query" => {
                options.take(key, value)?;
            }
            _ if common.take(QUERY, key, value)? => {}
            _ => return Err(EsError::parsing(format!("[{QUERY}] unsupported field [{key}]"))),
        }
    }
    let text_given = text_given.ok_or_else(|| EsError::parsing(format!("[{QUERY}] query text missing")))?;
    let (fields, is_everything) = if fields.is_empty() {
        context.default_fields(QUERY)?
    } else {
        (context.boosted_fields(QUERY, &fields)?, fields.iter().any(|field| field == "*"))
    };
    options.lenient = lenient.unwrap_or(is_everything);
    if text_given.trim().is_empty() {
        return Ok(common.around(Query::MatchNone));
    }
    if text_given.trim() == "*" {
        return Ok(common.around(Query::MatchAll));
    }
    let characters: Vec<char> = text_given.chars().collect();
    let mut parser = Parser {
        characters: &characters,
        flags,
        meaning: Meaning {
            context,
            fields: &fields,
            options: &options,
            quote_field_suffix: quote_field_suffix.as_deref(),
        },
    };
    let query = parser.parse(0, characters.len(), 0)?.unwrap_or(Query::MatchNone);
    Ok(common.around(text::with_minimum(query, minimum.as_deref())?))
}

struct Meaning<'a> {
    context: &'a QueryContext<'a>,
    fields: &'a Fields,
    options: &'a TextOptions,
    quote_field_suffix: Option<&'a str>,
}

impl Meaning<'_> {
    fn words(&self, text: &str) -> EsResult<Option<Query>> {
        self.lookup(self.fields, text, MultiMatchType::MostFields, self.options)
    }

    fn phrase(&self, text: &str, slop: u32) -> EsResult<Option<Query>> {
        let options = TextOptions { slop, ..self.options.clone() };
        let quoted = |(name, boost): (&String, &f32)| {
            let other = self.quote_field_suffix.map(|suffix| format!("{name}{suffix}"));
            let other = other.filter(|other| self.context.find(other).is_some());
            (other.unwrap_or_else(|| name.clone()), *boost)
        };
        let fields: Fields = self.fields.iter().map(quoted).collect();
        self.lookup(&fields, text, MultiMatchType::Phrase, &options)
    }

    fn lookup(
        &self,
        fields: &Fields,
        text: &str,
        kind: MultiMatchType,
        options: &TextOptions,
    ) -> EsResult<Option<Query>> {
        let query = match self.context.multi_match(fields, &Value::from(text), kind, None, options) {
            Ok(query) => query,
            Err(_) if self.options.lenient => return Ok(None),
            Err(error) => return Err(error),
        };
        if query == Query::MatchNone && self.is_without_words(fields, text)? { Ok(None) } else { Ok(Some(query)) }
    }

    fn is_without_words(&self, fields: &Fields, text: &str) -> EsResult<bool> {
        let mut has_fields = false;
        for name in fields.keys() {
            let Some(field) = self.context.find(name) else { continue };
            has_fields = true;
            if !kind_of(&field).has_terms() || !self.context.tokens(self.options, &field, false, text)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(has_fields)
    }

    fn in_each(&self, make: impl Fn(&str, String) -> Query, text: &str) -> EsResult<Option<Query>> {
        let mut queries = Vec::new();
        for (name, &boost) in self.fields {
            let Some(field) = self.context.find(name) else { continue };
            if kind_of(&field).has_terms() {
                let part = match &self.options.analyzer {
                    Some(analyzer) => self.context.analyzer(QUERY, analyzer)?.normalize(text),
                    None => self.context.normalized_part(&field, text),
                };
                queries.push(boosted(make(name, part), boost));
            } else if !self.options.lenient {
                return Err(self.context.cannot_create(
                    "illegal_argument_exception",
                    format!(
                        "Can only use prefix queries on keyword, text and wildcard fields - not on [{name}] which is of type [{}]",
                        super::field::type_of(&field)
                    ),
                ));
            }
        }
        Ok(Some(best_of(queries, 1.0)))
    }

    fn prefix(&self, text: &str) -> EsResult<Option<Query>> {
        self.in_each(|name, part| Query::Prefix(PatternQuery::new(name, part)), text)
    }

    fn fuzzy(&self, text: &str, edits: u8) -> EsResult<Option<Query>> {
        let make = |name: &str, part: String| {
            Query::Fuzzy(FuzzyQuery {
                prefix_length: self.options.prefix_length,
                max_expansions: self.options.max_expansions,
                transpositions: self.options.fuzzy_transpositions,
                ..FuzzyQuery::new(name, part, Fuzziness::Edits(edits))
            })
        };
        self.in_each(make, text)
    }
}

struct Parser<'a> {
    characters: &'a [char],
    flags: Flags,
    meaning: Meaning<'a>,
}

/// The tree so far, and what was said of the next part.
#[derive(Default)]
struct Tree {
    top: Option<Query>,
    current: Option<Operator>,
    previous: Option<Operator>,
    num_nots: usize,
}

impl Parser<'_> {
    fn at(&self, at: usize) -> Option<char> {
        self.characters.get(at).copied()
    }

    /// Whether an operator that is allowed stands here.
    fn is(&self, at: usize, sign: char, flag: u32) -> bool {
        self.flags.has(flag) && self.at(at) == Some(sign)
    }

    fn is_space(&self, at: usize) -> bool {
        self.flags.has(Flags::WHITESPACE) && self.at(at).is_some_and(|next| matches!(next, ' ' | '\t' | '\n' | '\r'))
    }

    fn is_escape(&self, at: usize) -> bool {
        self.is(at, '\\', Flags::ESCAPE)
    }

    fn parse(&mut self, start: usize, end: usize, depth: usize) -> EsResult<Option<Query>> {
        let (mut at, mut tree) = (start, Tree::default());
        while at < end {
            if self.is(at, '(', Flags::PRECEDENCE) {
                at = self.group(at, end, depth, &mut tree)?;
            } else if self.is(at, ')', Flags::PRECEDENCE) {
                at += 1;
            } else if self.is(at, '"', Flags::PHRASE) {
                at = self.phrase(at, end, &mut tree)?;
            } else if self.is(at, '+', Flags::AND) {
                if tree.current.is_none() && tree.top.is_some() {
                    tree.current = Some(Operator::And);
                }
                at += 1;
            } else if self.is(at, '|', Flags::OR) {
                if tree.current.is_none() && tree.top.is_some() {
                    tree.current = Some(Operator::Or);
                }
                at += 1;
            } else if self.is(at, '-', Flags::NOT) {
                tree.num_nots += 1;
                at += 1;
                continue;
            } else if self.is_space(at) {
                at += 1;
            } else {
                at = self.token(at, end, &mut tree)?;
            }
            tree.num_nots = 0;
        }
        Ok(tree.top)
    }

    fn group(&mut self, start: usize, end: usize, depth: usize, tree: &mut Tree) -> EsResult<usize> {
        let (mut at, mut open) = (start + 1, 1);
        while at < end {
            if self.is_escape(at) {
                at += 2;
                continue;
            }
            open += usize::from(self.is(at, '(', Flags::PRECEDENCE));
            if self.is(at, ')', Flags::PRECEDENCE) {
                open -= 1;
                if open == 0 {
                    break;
                }
            }
            at += 1;
        }
        if at >= end || depth >= MAX_DEPTH {
            // Without its end, the parenthesis is not there.
            return Ok(start + 1);
        }
        if at == start + 1 {
            tree.current = None;
            return Ok(at + 1);
        }
        let inner = self.parse(start + 1, at, depth + 1)?;
        self.add(tree, inner);
        Ok(at + 1)
    }

    fn phrase(&mut self, start: usize, end: usize, tree: &mut Tree) -> EsResult<usize> {
        let (mut at, mut text) = (start + 1, String::new());
        while at < end && !self.is(at, '"', Flags::PHRASE) {
            if self.is_escape(at) && at + 1 < end {
                at += 1;
            }
            text.extend(self.at(at));
            at += 1;
        }
        if at >= end {
            return Ok(start + 1);
        }
        at += 1;
        if text.is_empty() {
            tree.current = None;
            return Ok(at);
        }
        let mut slop = 0;
        if self.is(at, '~', Flags::SLOP)
            && let Some((number, after)) = self.number(at + 1, end)
        {
            slop = number;
            at = after;
        }
        let query = self.meaning.phrase(&text, slop)?;
        self.add(tree, query);
        Ok(at)
    }

    /// A number that ends the token.
    fn number(&self, start: usize, end: usize) -> Option<(u32, usize)> {
        let mut at = start;
        while at < end && self.at(at).is_some_and(|next| next.is_ascii_digit()) {
            at += 1;
        }
        if at < end && !self.ends_token(at) {
            return None;
        }
        let text: String = self.characters.get(start..at)?.iter().collect();
        if text.is_empty() {
            return Some((u32::MAX, at));
        }
        text.parse().ok().map(|number| (number, at))
    }

    fn ends_token(&self, at: usize) -> bool {
        self.is(at, '"', Flags::PHRASE)
            || self.is(at, '|', Flags::OR)
            || self.is(at, '+', Flags::AND)
            || self.is(at, '(', Flags::PRECEDENCE)
            || self.is(at, ')', Flags::PRECEDENCE)
            || self.is_space(at)
    }

    fn token(&mut self, start: usize, end: usize, tree: &mut Tree) -> EsResult<usize> {
        let (mut at, mut text, mut is_prefix, mut edits) = (start, String::new(), false, None);
        while at < end {
            if self.is_escape(at) && at + 1 < end {
                is_prefix = false;
                text.extend(self.at(at + 1));
                at += 2;
                continue;
            }
            if self.ends_token(at) {
                break;
            }
            if !text.is_empty()
                && self.is(at, '~', Flags::FUZZY)
                && let Some((number, after)) = self.number(at + 1, end)
            {
                edits = Some(u8::try_from(number.min(2)).unwrap_or(2));
                at = after;
                break;
            }
            is_prefix = !text.is_empty() && self.is(at, '*', Flags::PREFIX);
            text.extend(self.at(at));
            at += 1;
        }
        if text.is_empty() {
            return Ok(at.max(start + 1));
        }
        let query = match edits {
            Some(0) | None if is_prefix => self.meaning.prefix(text.strip_suffix('*').unwrap_or(&text))?,
            Some(0) | None => self.meaning.words(&text)?,
            Some(edits) => self.meaning.fuzzy(&text, edits)?,
        };
        self.add(tree, query);
        Ok(at)
    }

    /// Joins a part to the tree; a change of the operator starts a new top.
    fn add(&self, tree: &mut Tree, branch: Option<Query>) {
        if let Some(mut branch) = branch {
            if tree.num_nots % 2 == 1 {
                branch = Query::Bool(BoolQuery {
                    must_not: vec![branch],
                    should: vec![Query::MatchAll],
                    ..BoolQuery::default()
                });
            }
            tree.top = Some(match tree.top.take() {
                None => branch,
                Some(top) => {
                    let operator = tree.current.unwrap_or(self.meaning.options.operator);
                    let mut parts = match (tree.previous == Some(operator), top) {
                        (true, Query::Bool(parts)) => parts,
                        (_, top) => {
                            let mut parts = BoolQuery::default();
                            push(&mut parts, operator, top);
                            parts
                        }
                    };
                    push(&mut parts, operator, branch);
                    tree.previous = Some(operator);
                    Query::Bool(parts)
                }
            });
        }
        tree.current = None;
    }
}

fn push(parts: &mut BoolQuery, operator: Operator, query: Query) {
    match operator {
        Operator::And => parts.must.push(query),
        Operator::Or => parts.should.push(query),
    }
}
