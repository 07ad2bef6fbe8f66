//! Fields as queries see them: what kind they are, which of them a pattern names, and values of them as terms.

use std::borrow::Cow;

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object;
use crate::index::lexical::{FieldKind, LexicalField};
use crate::retrieve::query::{BoolQuery, FieldValue, FieldValues, IdsQuery, Query, RangeQuery, TermValue};
use crate::schema::date::{self, DateFormats, DateMath, Missing};
use crate::schema::flatten::{self, FlattenedField};
use crate::schema::mapping::IndexOptions;

/// How a field's values are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Analysed text.
    Text,
    /// Whole terms.
    Keyword,
    /// Whole numbers, signed or not.
    Whole,
    /// Numbers with a fraction.
    Fraction,
    /// `true` or `false`.
    Truth,
    /// Milliseconds since 1970.
    Date,
    /// Addresses.
    Ip,
    /// A number that only raises scores.
    Feature,
    /// Vectors.
    Vector,
}

impl Kind {
    /// Whether it has terms.
    pub(super) fn has_terms(self) -> bool {
        matches!(self, Kind::Text | Kind::Keyword)
    }

    /// Whether its values are numbers, dates or truths in a column.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Kind::Whole | Kind::Fraction | Kind::Truth | Kind::Date | Kind::Feature)
    }

    /// Whether a value is looked up in it.
    pub(super) fn has_values(self) -> bool {
        !matches!(self, Kind::Feature | Kind::Vector)
    }
}

/// The kind of a field.
pub(super) fn kind_of(field: &LexicalField) -> Kind {
    match field.kind {
        FieldKind::Text { .. } => Kind::Text,
        FieldKind::Keyword => Kind::Keyword,
        FieldKind::Long | FieldKind::UnsignedLong => Kind::Whole,
        FieldKind::Double => Kind::Fraction,
        FieldKind::Bool => Kind::Truth,
        FieldKind::Date => Kind::Date,
        FieldKind::Ip => Kind::Ip,
        FieldKind::RankFeature => Kind::Feature,
        FieldKind::Vector => Kind::Vector,
    }
}

/// Elasticsearch's name of a field's type, for errors.
pub(super) fn type_of(field: &LexicalField) -> &str {
    match field.extra.mapping.as_deref() {
        Some(mapping) => mapping.type_name,
        None => match kind_of(field) {
            Kind::Text => "text",
            Kind::Keyword => "keyword",
            Kind::Whole => "long",
            Kind::Fraction => "double",
            Kind::Truth => "boolean",
            Kind::Date => "date",
            Kind::Ip => "ip",
            Kind::Feature => "rank_feature",
            Kind::Vector => "dense_vector",
        },
    }
}

fn is_constant(field: &LexicalField) -> bool {
    let mapping = field.extra.mapping.as_deref();
    mapping.is_some_and(|mapping| matches!(&mapping.kind, flatten::FieldKind::Keyword { constant: Some(_), .. }))
}

/// Whether phrases can be looked for in a field.
pub(super) fn has_positions(field: &LexicalField) -> bool {
    match field.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
        Some(flatten::FieldKind::Text(text)) => !matches!(text.index_options, IndexOptions::Docs | IndexOptions::Freqs),
        _ => true,
    }
}

/// Whether a text that is looked for in a keyword field is taken apart at its spaces.
pub(super) fn splits_on_whitespace(field: &LexicalField) -> bool {
    let mapping = field.extra.mapping.as_deref();
    mapping.is_some_and(|mapping| {
        matches!(&mapping.kind, flatten::FieldKind::Keyword { split_queries_on_whitespace: true, .. })
    })
}

impl<'a> QueryContext<'a> {
    /// The field of this name; `None` for one that the mapping lacks.
    pub(super) fn find(&self, name: &str) -> Option<Cow<'a, LexicalField>> {
        self.fields.find(name)
    }

    /// The names of the fields that a pattern with `*` names; the pattern itself where it has none.
    pub(super) fn expand(&self, pattern: &str, wanted: impl Fn(Kind) -> bool) -> Vec<String> {
        if !pattern.contains('*') {
            return vec![pattern.to_string()];
        }
        let fields = self.fields.iter().filter(|(name, field)| matches(pattern, name) && wanted(kind_of(field)));
        fields.filter(|(name, _)| !is_keyed(name)).map(|(name, _)| name.to_string()).collect()
    }

    /// Whether a field is a semantic one.
    pub(super) fn is_semantic(&self, name: &str) -> bool {
        let field = self.find(name);
        let mapping = field.as_ref().and_then(|field| field.extra.mapping.as_deref());
        mapping.is_some_and(|mapping| matches!(mapping.kind, flatten::FieldKind::SemanticText(_)))
    }

    /// The analyzer of this name.
    pub(super) fn analyzer(&self, query: &str, name: &str) -> EsResult<crate::index::lexical::Analyzer> {
        self.fields
            .analyzers()
            .get(name)
            .map_err(|_| self.shard_error(format!("[{query}] analyzer [{name}] not found")))
    }

    /// Documents whose field has this value, as `term` looks it up. An unmapped field matches nothing.
    pub(super) fn term(&self, name: &str, value: &Value) -> EsResult<Query> {
        if let Some(query) = self.metadata_term(name, std::slice::from_ref(value)) {
            return Ok(query);
        }
        let Some(field) = self.find(name) else { return Ok(Query::MatchNone) };
        Ok(match self.lookup(name, &field, value)? {
            Lookup::Value(value) => {
                let term = Query::Term(FieldValue { field: name.to_string(), value });
                // The one value of a `constant_keyword` says nothing of a document.
                if is_constant(&field) { Query::ConstantScore(Box::new(term)) } else { term }
            }
            Lookup::Range(from, to) => between(name, TermValue::Integer(from), TermValue::Integer(to)),
            Lookup::Network(from, to) => between(name, TermValue::Text(from), TermValue::Text(to)),
            Lookup::Nothing => Query::MatchNone,
        })
    }

    /// Documents whose field has any of these values, with score 1.
    pub(super) fn terms(&self, name: &str, values: &[Value]) -> EsResult<Query> {
        if let Some(query) = self.metadata_term(name, values) {
            return Ok(query);
        }
        let Some(field) = self.find(name) else { return Ok(Query::MatchNone) };
        let (mut found, mut ranges) = (Vec::new(), Vec::new());
        for value in values {
            match self.lookup(name, &field, value)? {
                Lookup::Value(value) => found.push(value),
                Lookup::Range(from, to) => ranges.push(between(name, TermValue::Integer(from), TermValue::Integer(to))),
                Lookup::Network(from, to) => ranges.push(between(name, TermValue::Text(from), TermValue::Text(to))),
                Lookup::Nothing => {}
            }
        }
        let plain = Query::Terms(FieldValues { field: name.to_string(), values: found });
        Ok(match (ranges.is_empty(), &plain) {
            (true, Query::Terms(terms)) if terms.values.is_empty() => Query::MatchNone,
            (true, _) => plain,
            (false, plain) => {
                if matches!(plain, Query::Terms(terms) if !terms.values.is_empty()) {
                    ranges.push(plain.clone());
                }
                Query::ConstantScore(Box::new(Query::Bool(BoolQuery { should: ranges, ..BoolQuery::default() })))
            }
        })
    }

    /// `_id` and `_index`, which are no fields of the mapping.
    fn metadata_term(&self, name: &str, values: &[Value]) -> Option<Query> {
        let texts = || values.iter().filter_map(object::plain);
        match name {
            "_id" => Some(Query::Ids(IdsQuery { values: texts().collect() })),
            "_index" => {
                let is_here = texts().any(|value| matches(&value, self.index));
                Some(if is_here { Query::MatchAll } else { Query::MatchNone })
            }
            _ => None,
        }
    }

    fn lookup(&self, name: &str, field: &LexicalField, value: &Value) -> EsResult<Lookup> {
        let text = object::plain(value).ok_or_else(|| {
            EsError::illegal_argument(format!(
                "a value of [{name}] is [{}], expected a plain value",
                object::token(value)
            ))
        })?;
        Ok(match kind_of(field) {
            Kind::Text => Lookup::Value(TermValue::Text(text)),
            Kind::Keyword => Lookup::Value(TermValue::Text(self.normalized(field, &text))),
            Kind::Truth => match (value, text.as_str()) {
                (Value::Bool(truth), _) => Lookup::Value(TermValue::Bool(*truth)),
                (_, "true") => Lookup::Value(TermValue::Bool(true)),
                (_, "false" | "") => Lookup::Value(TermValue::Bool(false)),
                _ => {
                    return Err(self.cannot_create(
                        "illegal_argument_exception",
                        format!("Can't parse boolean value [{text}], expected [true] or [false]"),
                    ));
                }
            },
            Kind::Whole => match self.number(&text)? {
                Number::Whole(number) => {
                    let (least, greatest) = field.integer_range();
                    if (least..=greatest).contains(&number) {
                        Lookup::Value(TermValue::Integer(number))
                    } else {
                        Lookup::Nothing
                    }
                }
                Number::Large(number) => Lookup::Value(TermValue::Unsigned(number)),
                Number::Fraction(_) => Lookup::Nothing,
            },
            Kind::Fraction => {
                let number = field.precision().round(self.number(&text)?.as_f64());
                if number.is_finite() { Lookup::Value(TermValue::Float(number)) } else { Lookup::Nothing }
            }
            Kind::Ip => match text.parse::<ipnet::IpNet>() {
                Ok(network) => Lookup::Network(network.network().to_string(), network.broadcast().to_string()),
                Err(_) => Lookup::Value(TermValue::Text(self.address(&text)?)),
            },
            Kind::Feature | Kind::Vector => {
                return Err(self.cannot_create(
                    "illegal_argument_exception",
                    format!("Field [{name}] of type [{}] does not support term queries", type_of(field)),
                ));
            }
            Kind::Date => {
                let from = self.date(field, &text, &DateReading::default(), Rounding::Down)?;
                let to = self.date(field, &text, &DateReading::default(), Rounding::Up)?;
                Lookup::Range(from, to)
            }
        })
    }

    /// A keyword as the field's normalizer makes it.
    pub(super) fn normalized(&self, field: &LexicalField, text: &str) -> String {
        field.normalized(text).into_owned()
    }

    /// An address as it is looked up.
    pub(super) fn address(&self, text: &str) -> EsResult<String> {
        match text.trim().parse::<std::net::IpAddr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => {
                Err(self.cannot_create("illegal_argument_exception", format!("'{text}' is not an IP string literal.")))
            }
        }
    }

    /// A text as a number.
    pub(super) fn number(&self, text: &str) -> EsResult<Number> {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Number::Whole(number));
        }
        if let Ok(number) = text.parse::<u64>() {
            return Ok(Number::Large(number));
        }
        match text.parse::<f64>() {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
            Ok(number) if number.fract() == 0.0 && number.abs() < 9e15 => Ok(Number::Whole(number as i64)),
            Ok(number) if number.is_finite() => Ok(Number::Fraction(number)),
            _ => Err(self.cannot_create("number_format_exception", format!("For input string: \"{text}\""))),
        }
    }

    /// A date of a query in milliseconds.
    pub(super) fn date(
        &self,
        field: &LexicalField,
        text: &str,
        reading: &DateReading,
        rounding: Rounding,
    ) -> EsResult<i64> {
        let own;
        let formats = match &reading.format {
            Some(format) => {
                own = DateFormats::read(format).map_err(|error| self.unreadable(error))?;
                &own
            }
            None => field.date_formats(),
        };
        let zone = reading.time_zone.as_deref().map(date::zone).transpose().map_err(|error| self.unreadable(error))?;
        let math = DateMath { formats, now_millis: self.now_millis, zone: zone.as_ref() };
        let missing = match rounding {
            Rounding::Down => Missing::Least,
            Rounding::Up => Missing::Greatest,
        };
        math.parse(text, missing).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: crate::error::Error) -> EsError {
        let cause = EsError::from(error);
        self.shard_error(format!("failed to create query: {}", cause.reason)).caused_by(cause)
    }

    /// A query that cannot be made for this index, with what lies behind it.
    pub(super) fn cannot_create(&self, kind: &str, reason: impl Into<String>) -> EsError {
        let reason = reason.into();
        self.shard_error(format!("failed to create query: {reason}")).caused_by(EsError::new(400, kind, reason))
    }
}

/// How dates of a query are read, where it says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DateReading {
    pub(super) format: Option<String>,
    pub(super) time_zone: Option<String>,
}

/// What a date that leaves out parts, or is rounded, becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// The first instant.
    Down,
    /// The last millisecond.
    Up,
}

/// A number of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Large(u64),
    Fraction(f64),
}

impl Number {
    /// The number in double precision.
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Large(number) => number as f64,
            Number::Fraction(number) => number,
        }
    }
}

enum Lookup {
    Value(TermValue),
    Range(i64, i64),
    Network(String, String),
    Nothing,
}

fn between(name: &str, from: TermValue, to: TermValue) -> Query {
    Query::Range(RangeQuery { field: name.to_string(), gte: Some(from), lte: Some(to), ..RangeQuery::default() })
}

/// Whether a name is that of the keys and values of a `flattened` field, which users do not see.
pub(super) fn is_keyed(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(parent, _)| name == FlattenedField::keyed_field(parent))
}

/// Whether a name fits a pattern in which `*` stands for any letters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return false };
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
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// A field and its boost as written (`title^2`).
pub(super) fn split_boost(query: &str, written: &str) -> EsResult<(String, f32)> {
    let Some((field, boost)) = written.split_once('^') else { return Ok((written.to_string(), 1.0)) };
    let boost: f32 = boost.parse().map_err(|_| {
        EsError::illegal_argument(format!("[{query}] has a field [{written}] whose boost is no number"))
    })?;
    if !boost.is_finite() || boost < 0.0 {
        return Err(EsError::illegal_argument(format!(
            "negative [boost] are not allowed in [{query}], use a value between 0 and 1 to deboost"
        )));
    }
    Ok((field.to_string(), boost))
}
