//! `highlight`: what a query found in a hit's fields, marked.
//!
//! [`spec`] is what was asked for; [`wanted`] what the query looks for in a field; [`find`] where that stands in the field's values;
//! [`unified`] and [`plain`] cut and mark; [`semantic`] shows the passages that are close in meaning. Values come from the source and are analysed again.

mod breaks;
mod find;
mod plain;
mod semantic;
mod spec;
mod unified;
mod wanted;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use self::find::Tokens;
use self::semantic::Asked;
use self::spec::{AnalyzedOffset, Kind, Options, Style};
use self::wanted::{Scope, Wanted};
use super::target::Target;
use crate::index::convert::values_at;
use crate::index::fields::IndexField;
use crate::index::lexical::{Analyzer, FieldKind};
use crate::retrieve::DocLocator;
use crate::retrieve::query::Query;
use crate::schema::flatten;
use crate::schema::mapping::IndexOptions;
use crate::schema::source_filter::Pattern;
use crate::server::es::error::{EsError, EsResult};

pub(super) use self::spec::HighlightSpec;

/// The most characters of a field that are analysed (`index.highlight.max_analyzed_offset`).
const MAX_ANALYZED_OFFSET: usize = 1_000_000;

/// Makes one token of a value.
static WHOLE: LazyLock<Option<Analyzer>> = LazyLock::new(|| Analyzer::named("keyword").ok());

/// The highlights of one index's hits.
pub(super) struct Highlighter<'a> {
    target: &'a Target,
    fields: Vec<HighlightedField<'a>>,
}

/// One field that is highlighted.
struct HighlightedField<'a> {
    field: &'a IndexField,
    style: Style,
    max_analyzed_offset: Option<AnalyzedOffset>,
    /// What is looked for with each analyzer: one, or one for each of `matched_fields`.
    wanted: Vec<(Option<Analyzer>, Wanted)>,
    /// What is looked for by its meaning.
    asked: Option<Asked>,
}

impl<'a> Highlighter<'a> {
    /// * `query`: what is highlighted where a field has no query of its own.
    ///
    /// # Errors
    /// Those of the queries; `illegal_argument_exception` for tags without their other half.
    pub(super) fn new(spec: &HighlightSpec, target: &'a Target, query: &Query) -> EsResult<Self> {
        let mut fields: Vec<HighlightedField<'a>> = Vec::new();
        for (pattern, own) in &spec.fields {
            let highlighted = own.highlight_query.as_ref().or(spec.defaults.highlight_query.as_ref());
            let parsed = highlighted.map(|query| target.parse_query(query)).transpose()?;
            let parsed = parsed.map(|query| target.searcher.lexical().resolve(&query)).transpose()?;
            let query = parsed.as_ref().unwrap_or(query);
            let is_pattern = pattern.contains('*');
            let matcher = Pattern::new(pattern);
            for field in target.searcher.fields() {
                let path = field.definition.path.as_str();
                // A pattern means fields of text and keywords.
                let is_text = matches!(
                    field.definition.kind,
                    flatten::FieldKind::Text(_)
                        | flatten::FieldKind::Keyword { .. }
                        | flatten::FieldKind::SemanticText(_)
                );
                if !(path == pattern || is_pattern && is_text && matcher.matches(path)) {
                    continue;
                }
                if fields.iter().any(|known| known.field.definition.path == path) {
                    continue;
                }
                let is_semantic = matches!(field.definition.kind, flatten::FieldKind::SemanticText(_));
                let style = own.over(&spec.defaults, if is_semantic { Kind::Semantic } else { Kind::Unified })?;
                let by_meaning = style.kind == Kind::Semantic;
                if by_meaning && !is_semantic {
                    continue;
                }
                fields.push(HighlightedField {
                    field,
                    asked: by_meaning.then(|| Asked::of(query, path)),
                    max_analyzed_offset: own.max_analyzed_offset.or(spec.defaults.max_analyzed_offset),
                    wanted: if by_meaning { Vec::new() } else { wanted(own, &style, target, field, query) },
                    style,
                });
            }
        }
        Ok(Self { target, fields })
    }

    /// The snippets of one hit: a list a field, for those that have any.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a field that is too long to be analysed.
    pub(super) fn highlights(&self, source: &Map<String, Value>, hit: DocLocator) -> EsResult<Map<String, Value>> {
        let mut found = Map::new();
        for field in &self.fields {
            let snippets = match &field.asked {
                Some(asked) => {
                    let searcher = &self.target.searcher;
                    semantic::passages(searcher, field.field, asked, &field.style, source, hit)?
                }
                None => field.snippets(source, self.target)?,
            };
            if !snippets.is_empty() {
                let snippets = snippets.into_iter().map(Value::String).collect();
                found.insert(field.field.definition.path.clone(), Value::Array(snippets));
            }
        }
        Ok(found)
    }
}

/// What a query looks for in a field, with the analyzers that make its words.
fn wanted(
    own: &Options,
    style: &Style,
    target: &Target,
    field: &IndexField,
    query: &Query,
) -> Vec<(Option<Analyzer>, Wanted)> {
    let table = target.searcher.table();
    let path = &field.definition.path;
    let names: Vec<&String> =
        if own.matched_fields.is_empty() { vec![path] } else { own.matched_fields.iter().collect() };
    let of = |name: &String| {
        let (index, search) = match table.get(name).map(|field| &field.kind) {
            Some(FieldKind::Text { analyzer, search_analyzer, .. }) => {
                (Some(analyzer.clone()), Some(search_analyzer.clone()))
            }
            Some(_) | None => {
                let normalizer = table.get(name).and_then(|field| field.extra.normalizer.clone());
                (normalizer.clone(), normalizer)
            }
        };
        let fields = [name.clone()];
        let scope = Scope { fields: style.require_field_match.then_some(&fields), table, analyzer: search.as_ref() };
        (index, Wanted::of(query, &scope))
    };
    names.into_iter().map(of).collect()
}

impl HighlightedField<'_> {
    fn snippets(&self, source: &Map<String, Value>, target: &Target) -> EsResult<Vec<String>> {
        let values = self.values(source, target);
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let length: usize = values.iter().map(|value| value.len() + 1).sum::<usize>() - 1;
        let most = target.limit("highlight.max_analyzed_offset", MAX_ANALYZED_OFFSET);
        let asked = match self.max_analyzed_offset {
            None => None,
            Some(AnalyzedOffset::OfIndex) => Some(most),
            Some(AnalyzedOffset::Chars(chars)) => Some(chars),
        };
        let needs_analysis = !(self.style.kind == Kind::Unified && self.has_offsets());
        if needs_analysis && length > most && asked.is_none_or(|asked| asked > most) {
            return Err(EsError::illegal_argument(format!(
                "The length [{length}] of field [{}] in index [{}] exceeds the [index.highlight.max_analyzed_offset] limit [{most}]. To avoid this error, set the query parameter [max_analyzed_offset] to a value less than index setting [{most}] and this will tolerate long field values by truncating them.",
                self.field.definition.path, target.index
            )));
        }
        let limit = if needs_analysis { asked.unwrap_or(most) } else { usize::MAX };
        Ok(match self.style.kind {
            Kind::Unified | Kind::Semantic => self.unified(&values, limit),
            Kind::Plain => self.plain(&values, limit),
        })
    }

    /// The index knows the characters of each term, so that Elasticsearch need not analyse the text again.
    fn has_offsets(&self) -> bool {
        matches!(&self.field.definition.kind, flatten::FieldKind::Text(text) if text.index_options == IndexOptions::Offsets)
    }

    fn unified(&self, values: &[Vec<char>], limit: usize) -> Vec<String> {
        let content = values.join(&unified::SEPARATOR);
        let mut found = Vec::new();
        for (analyzer, wanted) in &self.wanted {
            let mut tokens = Tokens::default();
            let mut base = 0;
            for value in values {
                add_tokens(&mut tokens, analyzer.as_ref(), value, base);
                base += value.len() + 1;
            }
            found.extend(tokens.find(wanted));
        }
        found.retain(|found| found.range.start < limit);
        found.sort_by_key(|found| (found.range.start, found.range.end));
        unified::snippets(&content, &found, &self.style).into_iter().map(|snippet| snippet.text).collect()
    }

    fn plain(&self, values: &[Vec<char>], limit: usize) -> Vec<String> {
        let Some((analyzer, wanted)) = self.wanted.first() else { return Vec::new() };
        let mut fragments = Vec::new();
        for value in values {
            let value = value.get(..limit.min(value.len())).unwrap_or_default();
            let mut tokens = Tokens::default();
            add_tokens(&mut tokens, analyzer.as_ref(), value, 0);
            fragments.extend(plain::fragments(value, &tokens, wanted, &self.style));
        }
        if self.style.order_by_score {
            fragments.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        if self.style.number_of_fragments > 0 {
            fragments.truncate(self.style.number_of_fragments);
        }
        if fragments.is_empty() && self.style.no_match_size > 0 {
            let first = values.first().map(Vec::as_slice).unwrap_or_default();
            let mut tokens = Tokens::default();
            add_tokens(&mut tokens, analyzer.as_ref(), first, 0);
            let (size, escapes_html) = (self.style.no_match_size, self.style.escapes_html);
            return plain::beginning(first, &tokens, size, escapes_html).into_iter().collect();
        }
        fragments.into_iter().map(|fragment| fragment.text).collect()
    }

    /// The texts of the field, as characters.
    fn values(&self, source: &Map<String, Value>, _target: &Target) -> Vec<Vec<char>> {
        let definition = &self.field.definition;
        let flatten_kind = &definition.kind;
        let ignore_above =
            if let flatten::FieldKind::Keyword { ignore_above, .. } = flatten_kind { *ignore_above } else { None };
        let mut values = Vec::new();
        for value in definition.sources.iter().flat_map(|path| values_at(source, path)) {
            let text: Vec<char> = match value {
                Value::String(text) => text.chars().collect(),
                Value::Number(number) => number.to_string().chars().collect(),
                Value::Bool(flag) => flag.to_string().chars().collect(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            if ignore_above.is_none_or(|most| text.len() <= most) && !text.is_empty() {
                values.push(text);
            }
        }
        values
    }
}

/// Adds the tokens of a value; without an analyzer, the whole value is one.
fn add_tokens(tokens: &mut Tokens, analyzer: Option<&Analyzer>, value: &[char], base: usize) {
    let text: String = value.iter().collect();
    let found = analyzer.or(WHOLE.as_ref()).map(|analyzer| analyzer.tokens(&text)).unwrap_or_default();
    // Offsets of tokens are bytes; places are characters.
    let mut place_of = vec![0_usize; text.len() + 1];
    let mut at = 0;
    for (nth, (byte, character)) in text.char_indices().enumerate() {
        at = nth + 1;
        for slot in place_of.iter_mut().skip(byte).take(character.len_utf8()) {
            *slot = nth;
        }
    }
    if let Some(last) = place_of.last_mut() {
        *last = at;
    }
    tokens.add(found, 100, |byte| base + place_of.get(byte).copied().unwrap_or(at));
}

/// Writes a character of the text, escaped as Lucene's HTML encoder does where that is asked for.
fn push_character(character: char, escapes_html: bool, shown: &mut String) {
    match character {
        '"' if escapes_html => shown.push_str("&quot;"),
        '&' if escapes_html => shown.push_str("&amp;"),
        '<' if escapes_html => shown.push_str("&lt;"),
        '>' if escapes_html => shown.push_str("&gt;"),
        '\'' if escapes_html => shown.push_str("&#x27;"),
        '/' if escapes_html => shown.push_str("&#x2F;"),
        character => shown.push(character),
    }
}
