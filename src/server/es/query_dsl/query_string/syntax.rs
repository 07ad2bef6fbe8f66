//! Reads Lucene's query syntax: `title:(quick OR brown) +fox -"old dog"~2 date:[2012 TO 2013} name:/joh?n/ wor*d^2 roam~1`.
//!
//! `AND`, `OR` and `NOT` do not nest as in logic: as in Lucene, each says something about the clauses beside it. Words that stand side by
//! side without operators are one text for the analyzers.
//!
//! Source: the documentation of Lucene's `org.apache.lucene.queryparser.classic`.

#![warn(clippy::indexing_slicing)]

use crate::retrieve::query::{BoolQuery, Operator, Query};
use crate::server::es::error::{EsError, EsResult};

/// Deeper parentheses are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 30;

/// What is wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// With the text.
    Syntax(String),
    /// With what a part means in the index.
    Query(EsError),
}

impl From<EsError> for Fault {
    fn from(error: EsError) -> Self {
        Fault::Query(error)
    }
}

/// A range; each bound with whether it is inside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Range {
    pub(super) lower: Option<(String, bool)>,
    pub(super) upper: Option<(String, bool)>,
}

/// What the parts of a text mean. `field` is `None` for the fields of the query; an answer of `None` leaves no clause.
pub(super) trait Parts {
    /// Words that an analyzer takes apart.
    fn words(&self, field: Option<&str>, text: &str) -> EsResult<Option<Query>>;
    /// A text in quotes; without a slop of its own, the query's.
    fn phrase(&self, field: Option<&str>, text: &str, slop: Option<u32>) -> EsResult<Option<Query>>;
    /// The beginning of a term.
    fn prefix(&self, field: Option<&str>, text: &str) -> EsResult<Option<Query>>;
    /// A pattern with `*` and `?`, still with its `\`.
    fn wildcard(&self, field: Option<&str>, pattern: &str) -> EsResult<Option<Query>>;
    /// A regular expression.
    fn regexp(&self, field: Option<&str>, pattern: &str) -> EsResult<Option<Query>>;
    /// Terms near one; without a number, as near as the query says.
    fn fuzzy(&self, field: Option<&str>, text: &str, edits: Option<f32>) -> EsResult<Option<Query>>;
    /// Values between bounds.
    fn range(&self, field: Option<&str>, range: &Range) -> EsResult<Option<Query>>;
    /// Documents that have a field.
    fn exists(&self, field: &str) -> Query;
}

/// Reads a text; `None` where nothing is left of it.
///
/// # Errors
/// What was met where something else was expected, or what `parts` fails with.
pub(super) fn parse(text: &str, operator: Operator, parts: &dyn Parts) -> Result<Option<Query>, Fault> {
    let characters: Vec<char> = text.chars().collect();
    let mut parser = Parser { characters: &characters, at: 0, operator, parts, depth: 0 };
    let query = parser.clauses(None)?;
    match parser.peek() {
        None => Ok(query),
        Some(_) => Err(parser.unexpected()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conjunction {
    None,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occur {
    Must,
    Should,
    MustNot,
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
    operator: Operator,
    parts: &'a dyn Parts,
    depth: usize,
}

/// A term as it was written.
#[derive(Debug)]
struct Written {
    /// With its `\`.
    raw: Vec<char>,
    has_star: bool,
    has_question: bool,
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

fn begins_term(character: char) -> bool {
    !is_space(character) && !"+-!():^[]\"{}~*?\\/".contains(character)
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> Fault {
        Fault::Syntax(match self.peek() {
            Some(character) => format!("Encountered \"{character}\" at line 1, column {}.", self.at),
            None => format!("Encountered \"<EOF>\" at line 1, column {}.", self.at),
        })
    }

    /// A word operator that stands alone (`AND`).
    fn keyword(&mut self, word: &str) -> bool {
        let length = word.chars().count();
        let is_word = word.chars().zip(0..).all(|(wanted, ahead)| self.peek_at(ahead) == Some(wanted));
        let ends = self.peek_at(length).is_none_or(|next| !begins_term(next) && !"+-\\".contains(next));
        if is_word && ends {
            self.at += length;
        }
        is_word && ends
    }

    fn conjunction(&mut self) -> Conjunction {
        self.skip_spaces();
        if self.keyword("AND") || self.pair('&') {
            Conjunction::And
        } else if self.keyword("OR") || self.pair('|') {
            Conjunction::Or
        } else {
            Conjunction::None
        }
    }

    fn pair(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign) && self.peek_at(1) == Some(sign);
        self.at += if found { 2 } else { 0 };
        found
    }

    /// `+`, `-`, `!` or `NOT` before a clause.
    fn modifier(&mut self) -> Option<Occur> {
        self.skip_spaces();
        let is_bare = |next: Option<char>| next.is_none_or(is_space);
        match self.peek() {
            Some('+') if !is_bare(self.peek_at(1)) => {
                self.at += 1;
                Some(Occur::Must)
            }
            Some('-' | '!') if !is_bare(self.peek_at(1)) => {
                self.at += 1;
                Some(Occur::MustNot)
            }
            _ if self.keyword("NOT") => Some(Occur::MustNot),
            _ => None,
        }
    }

    /// Clauses up to `)` or the end.
    fn clauses(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::Syntax(format!("the text is nested more than {MAX_DEPTH} levels deep")));
        }
        let mut clauses: Vec<(Occur, Query)> = Vec::new();
        let (mut is_first, mut only_one) = (true, None);
        loop {
            self.skip_spaces();
            if self.peek().is_none_or(|next| next == ')') {
                break;
            }
            let conjunction = if is_first { Conjunction::None } else { self.conjunction() };
            let modifier = self.modifier();
            self.skip_spaces();
            if modifier.is_none()
                && conjunction == Conjunction::None
                && let Some(text) = self.several_words()
            {
                self.add_words(&mut clauses, field, &text)?;
                only_one = None;
            } else {
                let query = self.clause(field)?;
                only_one = if is_first && modifier.is_none() { query.clone() } else { None };
                self.add(&mut clauses, conjunction, modifier, query);
            }
            is_first = false;
        }
        if is_first && self.depth > 1 {
            return Err(self.unexpected());
        }
        self.depth -= 1;
        if clauses.len() == 1 && only_one.is_some() {
            return Ok(only_one);
        }
        Ok(combined(clauses))
    }

    /// Lucene's rule of what a conjunction says of the clauses beside it.
    fn add(
        &self,
        clauses: &mut Vec<(Occur, Query)>,
        conjunction: Conjunction,
        modifier: Option<Occur>,
        query: Option<Query>,
    ) {
        if let Some((occur, _)) = clauses.last_mut()
            && *occur != Occur::MustNot
        {
            match (conjunction, self.operator) {
                (Conjunction::And, _) => *occur = Occur::Must,
                (Conjunction::Or, Operator::And) => *occur = Occur::Should,
                (Conjunction::Or, Operator::Or) | (Conjunction::None, _) => {}
            }
        }
        let Some(query) = query else { return };
        let occur = match (modifier, self.operator, conjunction) {
            (Some(Occur::MustNot), _, _) => Occur::MustNot,
            (Some(Occur::Must), Operator::Or, _) | (_, Operator::Or, Conjunction::And) => Occur::Must,
            (_, Operator::And, Conjunction::None | Conjunction::And) => Occur::Must,
            (_, Operator::And, Conjunction::Or) | (_, Operator::Or, _) => Occur::Should,
        };
        clauses.push((occur, query));
    }

    /// Words that stand side by side, each a clause of its own.
    #[expect(clippy::wildcard_enum_match_arm, reason = "any other query is one clause")]
    fn add_words(&self, clauses: &mut Vec<(Occur, Query)>, field: Option<&str>, text: &str) -> Result<(), Fault> {
        let Some(query) = self.parts.words(field, text)? else { return Ok(()) };
        let occur = if self.operator == Operator::And { Occur::Must } else { Occur::Should };
        match query {
            Query::Bool(parts)
                if parts.must_not.is_empty() && parts.filter.is_empty() && parts.minimum_should_match.is_none() =>
            {
                clauses.extend(parts.must.into_iter().map(|query| (Occur::Must, query)));
                clauses.extend(parts.should.into_iter().map(|query| (Occur::Should, query)));
            }
            query => clauses.push((occur, query)),
        }
        Ok(())
    }

    /// At least two plain words that stand side by side without anything between or behind them.
    fn several_words(&mut self) -> Option<String> {
        let start = self.at;
        let (mut words, mut end) = (Vec::new(), self.at);
        loop {
            self.skip_spaces();
            let before = self.at;
            let is_operator = ["AND", "OR", "NOT"].iter().any(|word| self.keyword(word));
            self.at = before;
            if is_operator || self.pair('&') || self.pair('|') {
                self.at = before;
                break;
            }
            let Some(written) = self.written() else { break };
            let is_plain = !written.has_star && !written.has_question;
            if !is_plain || self.peek().is_some_and(|next| matches!(next, ':' | '^' | '~' | '*' | '?')) {
                break;
            }
            words.push(unescaped(&written.raw));
            end = self.at;
        }
        if words.len() < 2 {
            self.at = start;
            return None;
        }
        self.at = end;
        Some(words.join(" "))
    }

    /// A term with its escapes; `None` where none begins.
    fn written(&mut self) -> Option<Written> {
        let mut written = Written { raw: Vec::new(), has_star: false, has_question: false };
        while let Some(character) = self.peek() {
            match character {
                '\\' => {
                    let Some(next) = self.peek_at(1) else { break };
                    written.raw.extend(['\\', next]);
                    self.at += 2;
                    continue;
                }
                '*' => written.has_star = true,
                '?' => written.has_question = true,
                '-' | '+' if !written.raw.is_empty() => {}
                other if begins_term(other) => {}
                _ => break,
            }
            written.raw.push(character);
            self.at += 1;
        }
        (!written.raw.is_empty()).then_some(written)
    }

    /// A field's name before `:`.
    fn field_name(&mut self) -> Option<String> {
        let start = self.at;
        if self.peek() == Some('*') && self.peek_at(1) == Some(':') {
            self.at += 2;
            return Some("*".to_string());
        }
        let written = self.written();
        if let Some(written) = written
            && self.take(':')
        {
            // A `*` in a name is a pattern, escaped (`book.\*`) or not.
            return Some(unescaped(&written.raw));
        }
        self.at = start;
        None
    }

    fn clause(&mut self, around: Option<&str>) -> Result<Option<Query>, Fault> {
        let own = self.field_name();
        let field = own.as_deref().or(around);
        self.skip_spaces();
        let query = match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.clauses(field)?;
                if !self.take(')') {
                    return Err(self.unexpected());
                }
                inner
            }
            Some('"') => self.phrase(field)?,
            Some('[' | '{') => self.range(field)?,
            Some('/') => self.regexp(field)?,
            Some('>' | '<') if own.is_some() => self.comparison(field)?,
            Some(sign @ ('+' | '-' | '!')) if self.peek_at(1).is_none_or(is_space) => {
                self.at += 1;
                self.parts.words(field, &sign.to_string())?
            }
            _ => self.term(field)?,
        };
        let boost = self.boost()?;
        Ok(query.map(|query| match boost {
            Some(boost) if boost != 1.0 => query.boosted(boost),
            _ => query,
        }))
    }

    fn term(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        let Some(written) = self.written() else { return Err(self.unexpected()) };
        if field == Some("_exists_") {
            return Ok(Some(self.parts.exists(&unescaped(&written.raw))));
        }
        // A boost may stand before or behind the `~`.
        let start = self.at;
        if self.peek() == Some('^') {
            self.boost()?;
            if self.peek() != Some('~') {
                self.at = start;
            }
        }
        if self.take('~') {
            let edits = self.number()?;
            return Ok(self.parts.fuzzy(field, &unescaped(&written.raw), edits)?);
        }
        let raw: String = written.raw.iter().collect();
        if written.has_question || written.has_star {
            let body = raw.strip_suffix('*').filter(|body| !ends_in_escape(body));
            if let Some(body) = body
                && !written.has_question
                && !body.is_empty()
                && !has_star(body)
            {
                return Ok(self.parts.prefix(field, &unescaped(&body.chars().collect::<Vec<_>>()))?);
            }
            return Ok(self.parts.wildcard(field, &raw)?);
        }
        Ok(self.parts.words(field, &unescaped(&written.raw))?)
    }

    fn phrase(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        let text = self.quoted()?;
        let slop = if self.take('~') { self.number()? } else { None };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let slop = slop.map(|slop| slop.clamp(0.0, 1e9) as u32);
        if field == Some("_exists_") {
            return Ok(Some(self.parts.exists(&text)));
        }
        Ok(self.parts.phrase(field, &text, slop)?)
    }

    /// A text in quotes, without them and without escapes.
    fn quoted(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut raw = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.unexpected()),
                Some('"') => break,
                Some('\\') => {
                    raw.push('\\');
                    self.at += 1;
                    raw.extend(self.peek());
                }
                Some(other) => raw.push(other),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(unescaped(&raw))
    }

    fn regexp(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        self.at += 1;
        let mut pattern = String::new();
        loop {
            match self.peek() {
                None => return Err(self.unexpected()),
                Some('/') => break,
                Some('\\') if self.peek_at(1) == Some('/') => {
                    pattern.push('/');
                    self.at += 1;
                }
                Some('\\') => {
                    pattern.push('\\');
                    self.at += 1;
                    pattern.extend(self.peek());
                }
                Some(other) => pattern.push(other),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(self.parts.regexp(field, &pattern)?)
    }

    /// `[a TO b}`.
    fn range(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        let lower_inside = self.peek() == Some('[');
        self.at += 1;
        let lower = self.bound()?;
        self.skip_spaces();
        let has_to = self.keyword("TO");
        if !has_to {
            return Err(self.unexpected());
        }
        let upper = self.bound()?;
        self.skip_spaces();
        let upper_inside = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let range =
            Range { lower: lower.map(|lower| (lower, lower_inside)), upper: upper.map(|upper| (upper, upper_inside)) };
        Ok(self.parts.range(field, &range)?)
    }

    /// A bound of a range; `None` for `*`.
    fn bound(&mut self) -> Result<Option<String>, Fault> {
        self.skip_spaces();
        if self.peek() == Some('"') {
            return Ok(Some(self.quoted()?));
        }
        let mut raw = Vec::new();
        while let Some(character) = self.peek().filter(|&next| !is_space(next) && next != ']' && next != '}') {
            if character == '\\' {
                raw.push('\\');
                self.at += 1;
                raw.extend(self.peek());
            } else {
                raw.push(character);
            }
            self.at += 1;
        }
        match raw.as_slice() {
            [] => Err(self.unexpected()),
            ['*'] => Ok(None),
            raw => Ok(Some(unescaped(raw))),
        }
    }

    /// `>=10`.
    fn comparison(&mut self, field: Option<&str>) -> Result<Option<Query>, Fault> {
        let is_lower = self.peek() == Some('>');
        self.at += 1;
        let inside = self.take('=');
        let value = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            let is_negative = self.take('-');
            let written = self.written().ok_or_else(|| self.unexpected())?;
            format!("{}{}", if is_negative { "-" } else { "" }, unescaped(&written.raw))
        };
        let bound = Some((value, inside));
        let range = if is_lower { Range { lower: bound, upper: None } } else { Range { lower: None, upper: bound } };
        Ok(self.parts.range(field, &range)?)
    }

    fn boost(&mut self) -> Result<Option<f32>, Fault> {
        if !self.take('^') {
            return Ok(None);
        }
        match self.number()? {
            Some(boost) if boost.is_finite() => Ok(Some(boost)),
            _ => Err(self.unexpected()),
        }
    }

    /// A number, if one comes next.
    fn number(&mut self) -> Result<Option<f32>, Fault> {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit() || next == '.') {
            self.at += 1;
        }
        let text: String = self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Fault::Syntax(format!("'{text}' is no number at column {start}"))),
        }
    }
}

/// A text without the `\` before characters; `\u0041` is a code point.
fn unescaped(raw: &[char]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.iter().copied();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('u') => {
                let rest: String = characters.clone().take(4).collect();
                let code = u32::from_str_radix(&rest, 16).ok().filter(|_| rest.chars().count() == 4);
                match code.and_then(char::from_u32) {
                    Some(decoded) => {
                        text.push(decoded);
                        characters.by_ref().take(4).for_each(drop);
                    }
                    None => text.push('u'),
                }
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

fn ends_in_escape(text: &str) -> bool {
    text.chars().rev().take_while(|&character| character == '\\').count() % 2 == 1
}

/// Whether there is a `*` that is not escaped.
fn has_star(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' => return true,
            _ => {}
        }
    }
    false
}

fn combined(clauses: Vec<(Occur, Query)>) -> Option<Query> {
    if clauses.is_empty() {
        return None;
    }
    let mut parts = BoolQuery::default();
    for (occur, query) in clauses {
        match occur {
            Occur::Must => parts.must.push(query),
            Occur::Should => parts.should.push(query),
            Occur::MustNot => parts.must_not.push(query),
        }
    }
    Some(Query::Bool(parts))
}
