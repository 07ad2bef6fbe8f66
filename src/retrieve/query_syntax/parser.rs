//! Text to the parts of a query. Every text has a reading; the last resort is words.

use crate::index::lexical::{FieldKind, FieldTable};
use crate::retrieve::lexical::fits;

/// A part of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Words, looked for in the default fields or in one.
    Words { field: Option<String>, text: String },
    /// Words side by side.
    Phrase { field: Option<String>, text: String, slop: u32 },
    /// Words that begin so.
    Prefix { field: Option<String>, text: String },
    /// Words that differ by so many letters; `None` by their length.
    Fuzzy { field: Option<String>, text: String, edits: Option<u8> },
    /// Values between bounds, each with whether it belongs; `None` is open.
    Range { field: String, lower: Option<(String, bool)>, upper: Option<(String, bool)> },
    /// Documents that have the field.
    Exists { field: String },
    /// Every document.
    Everything,
    /// Parts combined.
    Group(Group),
    /// Another part, counting more or less.
    Boosted(Box<Part>, f32),
}

/// Parts that must, may and must not match.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Group {
    pub(super) must: Vec<Part>,
    pub(super) should: Vec<Part>,
    pub(super) must_not: Vec<Part>,
}

/// How names before a colon are known to be fields.
pub(super) enum Fields<'a> {
    /// By an index.
    Table(&'a FieldTable),
    /// Not at all: a name counts as a field only where what follows cannot be a word.
    Unknown,
}

/// Deeper parentheses are words: each level is a level of the query.
const MAX_NESTING: usize = 10;

/// Reads a whole text.
pub(super) fn parse(text: &str, fields: &Fields<'_>) -> Part {
    if matches!(text.trim(), "*" | "*:*") {
        return Part::Everything;
    }
    let structure = Structure::of(text);
    let mut parser = Parser { text, structure, fields, at: 0, end: text.len(), field: None, had_operator: false };
    let part = parser.sequence();
    if !parser.had_operator && matches!(part, Part::Words { field: None, .. }) {
        // Analyzers see words as they were typed.
        return Part::Words { field: None, text: text.to_string() };
    }
    part
}

/// Which quotes and parentheses belong together.
struct Structure {
    /// (opening, closing) by place, ascending.
    quotes: Vec<(usize, usize)>,
    parentheses: Vec<(usize, usize)>,
}

impl Structure {
    fn of(text: &str) -> Self {
        let mut quotes = Vec::new();
        let mut parentheses = Vec::new();
        let (mut open_quote, mut open_parentheses) = (None, Vec::new());
        let mut is_escaped = false;
        for (at, character) in text.char_indices() {
            if is_escaped {
                is_escaped = false;
                continue;
            }
            match (character, open_quote) {
                ('\\', _) => is_escaped = true,
                ('"', None) => open_quote = Some(at),
                ('"', Some(open)) => {
                    quotes.push((open, at));
                    open_quote = None;
                }
                _ => {}
            }
        }
        let is_quoted = |at: usize| quotes.iter().any(|&(open, close)| open < at && at < close);
        let mut before = None;
        for (at, character) in text.char_indices() {
            match character {
                _ if before == Some('\\') || is_quoted(at) => {}
                '(' => open_parentheses.push(at),
                ')' => {
                    if let Some(open) = open_parentheses.pop()
                        && open_parentheses.len() < MAX_NESTING
                    {
                        parentheses.push((open, at));
                    }
                }
                _ => {}
            }
            before = Some(character);
        }
        parentheses.sort_unstable();
        Self { quotes, parentheses }
    }

    fn closing_quote(&self, at: usize) -> Option<usize> {
        find(&self.quotes, at)
    }

    fn closing_parenthesis(&self, at: usize) -> Option<usize> {
        find(&self.parentheses, at)
    }

    fn is_structural(&self, at: usize) -> bool {
        let opens = self.closing_quote(at).is_some() || self.closing_parenthesis(at).is_some();
        opens || self.parentheses.iter().any(|&(_, close)| close == at)
    }
}

fn find(pairs: &[(usize, usize)], opening: usize) -> Option<usize> {
    let found = pairs.binary_search_by_key(&opening, |&(open, _)| open).ok()?;
    pairs.get(found).map(|&(_, close)| close)
}

struct Parser<'a> {
    text: &'a str,
    structure: Structure,
    fields: &'a Fields<'a>,
    at: usize,
    end: usize,
    /// Of the group that is being read.
    field: Option<String>,
    had_operator: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurrence {
    Must,
    Should,
    MustNot,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..self.end).unwrap_or("")
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Parts side by side, up to the end of the group.
    fn sequence(&mut self) -> Part {
        let mut group = Group::default();
        while let Some((occurrence, part)) = self.conjunction() {
            match occurrence {
                Occurrence::Must => group.must.push(part),
                Occurrence::Should => push_merging(&mut group.should, part),
                Occurrence::MustNot => group.must_not.push(part),
            }
            if self.keyword("OR") {
                self.had_operator = true;
            }
        }
        match (group.must.len(), group.should.len(), group.must_not.len()) {
            (0, 0, 0) => Part::Words { field: self.field.clone(), text: String::new() },
            (0, 1, 0) => group.should.remove(0),
            _ => Part::Group(group),
        }
    }

    /// One part, or several with `AND` between them.
    fn conjunction(&mut self) -> Option<(Occurrence, Part)> {
        let first = self.clause()?;
        if !self.keyword("AND") {
            return Some(first);
        }
        self.had_operator = true;
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some((occurrence, part)) = next {
            match occurrence {
                Occurrence::MustNot => group.must_not.push(part),
                Occurrence::Must | Occurrence::Should => group.must.push(part),
            }
            next =
                if group.must.len() + group.must_not.len() == 1 || self.keyword("AND") { self.clause() } else { None };
        }
        Some(match (group.must.len(), group.must_not.len()) {
            (1, 0) => (Occurrence::Should, group.must.remove(0)),
            _ => (Occurrence::Should, Part::Group(group)),
        })
    }

    /// One part with its sign.
    fn clause(&mut self) -> Option<(Occurrence, Part)> {
        self.skip_spaces();
        let start = self.at;
        let sign = match self.rest().as_bytes().first() {
            Some(b'+') => Occurrence::Must,
            Some(b'-') => Occurrence::MustNot,
            _ => Occurrence::Should,
        };
        if sign != Occurrence::Should {
            self.at += 1;
            if self.rest().starts_with(|c: char| c.is_alphanumeric() || c == '"' || c == '(')
                && let Some(part) = self.part()
            {
                self.had_operator = true;
                return Some((sign, part));
            }
            self.at = start;
        } else if self.keyword("NOT") {
            if let Some(part) = self.part() {
                self.had_operator = true;
                return Some((Occurrence::MustNot, part));
            }
            self.at = start;
        }
        Some((Occurrence::Should, self.part()?))
    }

    /// Consumes an operator word that stands alone and has something after it.
    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_spaces();
        let Some(after) = self.rest().strip_prefix(keyword) else { return false };
        let follows = after.trim_start();
        let is_alone = after.starts_with(|c: char| c.is_whitespace() || c == '(' || c == '"');
        // At the end of a group it is a word.
        let has_operand = !follows.is_empty() && !["AND", "OR"].contains(&follows.trim_end());
        if is_alone && has_operand {
            self.at += keyword.len();
        }
        is_alone && has_operand
    }

    /// A group, a phrase or a word; `None` at the end.
    fn part(&mut self) -> Option<Part> {
        self.skip_spaces();
        if self.at >= self.end {
            return None;
        }
        let field = self.field.clone();
        if let Some(close) = self.structure.closing_parenthesis(self.at) {
            return Some(self.group(close, field));
        }
        if let Some(close) = self.structure.closing_quote(self.at) {
            return Some(self.phrase(close, field));
        }
        if let Some(part) = self.field_part() {
            self.had_operator = true;
            return Some(part);
        }
        let word = self.take_word();
        Some(self.word(&word, field))
    }

    fn group(&mut self, close: usize, field: Option<String>) -> Part {
        let outer = (self.end, std::mem::replace(&mut self.field, field));
        self.at += 1;
        self.end = close;
        let part = self.sequence();
        (self.end, self.field) = outer;
        self.at = close + 1;
        self.with_boost(part)
    }

    fn phrase(&mut self, close: usize, field: Option<String>) -> Part {
        let text = unescaped(&self.text[self.at + 1..close]);
        self.at = close + 1;
        self.had_operator = true;
        let mut slop = 0;
        if let Some(after) = self.rest().strip_prefix('~') {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            slop = after[..digits].parse().unwrap_or(0);
            self.at += 1 + digits;
        }
        self.with_boost(Part::Phrase { field, text, slop })
    }

    /// `^2` after a group or phrase.
    fn with_boost(&mut self, part: Part) -> Part {
        let Some(after) = self.rest().strip_prefix('^') else { return part };
        let len = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let Some(boost) = boost(&after[..len]) else { return part };
        self.at += 1 + len;
        self.had_operator = true;
        Part::Boosted(Box::new(part), boost)
    }

    /// The characters up to a space or a quote or parenthesis that has its other half; at least one.
    fn take_word(&mut self) -> String {
        let start = self.at;
        let mut is_escaped = false;
        let len = self
            .rest()
            .char_indices()
            .find(|&(offset, character)| {
                let ends = !is_escaped
                    && offset > 0
                    && (character.is_whitespace() || self.structure.is_structural(start + offset));
                is_escaped = character == '\\' && !is_escaped;
                ends
            })
            .map_or(self.rest().len(), |(offset, _)| offset);
        self.at += len;
        self.text[start..start + len].to_string()
    }

    /// A word with its suffixes.
    fn word(&mut self, word: &str, field: Option<String>) -> Part {
        let (base, own_boost) = match word.rsplit_once('^') {
            Some((base, factor)) if !base.is_empty() && !base.ends_with('\\') => match boost(factor) {
                Some(factor) => (base, Some(factor)),
                None => (word, None),
            },
            _ => (word, None),
        };
        let part = self.suffixed(base, field);
        match own_boost {
            Some(factor) => {
                self.had_operator = true;
                Part::Boosted(Box::new(part), factor)
            }
            None => part,
        }
    }

    fn suffixed(&mut self, word: &str, field: Option<String>) -> Part {
        let begins_word = |text: &str| text.ends_with(char::is_alphanumeric) && !text.contains('*');
        if let Some(text) = word.strip_suffix('*').filter(|text| begins_word(text)) {
            self.had_operator = true;
            return Part::Prefix { field, text: unescaped(text) };
        }
        if let Some((text, edits)) = word.rsplit_once('~')
            && begins_word(text)
            && edits.chars().all(|c| c.is_ascii_digit() || c == '.')
        {
            self.had_operator = true;
            return Part::Fuzzy { field, text: unescaped(text), edits: edits.parse().ok() };
        }
        if word.contains('\\') {
            self.had_operator = true;
        }
        Part::Words { field, text: unescaped(word) }
    }

    /// `field:` and what belongs to it; `None` when there is no such field or nothing that fits it.
    fn field_part(&mut self) -> Option<Part> {
        let start = self.at;
        let rest = self.rest();
        let (name, after) = rest.split_once(':')?;
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@'));
        if !is_name || after.starts_with("//") {
            return None;
        }
        let name = name.to_string();
        self.at += name.len() + 1;
        let part = if self.knows(&name) { self.value_of(name) } else { None };
        if part.is_none() {
            self.at = start;
        }
        part
    }

    /// Whether a name is a field, and what follows it can be its value.
    fn knows(&self, name: &str) -> bool {
        match self.fields {
            Fields::Table(table) => table.get(name).is_some_and(|field| field.indexed || field.fast),
            Fields::Unknown => {
                let follows = self.rest();
                follows.starts_with(['[', '{', '<', '>'])
                    || follows.starts_with('*')
                    || self.structure.is_structural(self.at)
            }
        }
    }

    fn value_of(&mut self, field: String) -> Option<Part> {
        if let Some(close) = self.structure.closing_parenthesis(self.at) {
            return Some(self.group(close, Some(field)));
        }
        if let Some(close) = self.structure.closing_quote(self.at) {
            if !self.is_words(&field) && !self.fits(&field, &self.text[self.at + 1..close]) {
                return None;
            }
            return Some(self.phrase(close, Some(field)));
        }
        let rest = self.rest();
        if rest.starts_with(['[', '{']) {
            return self.bracketed_range(field);
        }
        if rest.is_empty() || rest.starts_with(char::is_whitespace) {
            return None;
        }
        let word = self.take_word();
        if word == "*" {
            return Some(Part::Exists { field });
        }
        if word.starts_with(['<', '>']) {
            return self.compared(field, &word);
        }
        if self.is_words(&field) {
            return Some(self.word(&word, Some(field)));
        }
        let value = unescaped(&word);
        self.fits(&field, &value).then_some(Part::Words { field: Some(field), text: value })
    }

    /// `>=2000` and the like.
    fn compared(&self, field: String, word: &str) -> Option<Part> {
        let operator_len = if word[1..].starts_with('=') { 2 } else { 1 };
        let (operator, value) = word.split_at(operator_len);
        let value = value.trim_matches('"').to_string();
        if value.is_empty() || !self.fits(&field, &value) {
            return None;
        }
        let bound = Some((value, operator_len == 2));
        Some(if operator.starts_with('>') {
            Part::Range { field, lower: bound, upper: None }
        } else {
            Part::Range { field, lower: None, upper: bound }
        })
    }

    /// `[2000 TO 2010]`; braces leave out the bound itself, and `*` leaves it open.
    fn bracketed_range(&mut self, field: String) -> Option<Part> {
        let rest = self.rest();
        let close = rest.find([']', '}'])?;
        let (opening, closing) = (rest.starts_with('['), rest[close..].starts_with(']'));
        let (lower, upper) = rest.get(1..close)?.split_once(" TO ")?;
        let bound = |text: &str, belongs: bool| match text.trim().trim_matches('"') {
            "*" => Some(None),
            value => self.fits(&field, value).then(|| Some((value.to_string(), belongs))),
        };
        let part = Part::Range { lower: bound(lower, opening)?, upper: bound(upper, closing)?, field };
        self.at += close + 1;
        Some(part)
    }

    fn is_words(&self, field: &str) -> bool {
        match self.fields {
            Fields::Table(table) => table.get(field).is_some_and(|field| {
                field.indexed && matches!(field.kind, FieldKind::Text { .. } | FieldKind::Keyword)
            }),
            Fields::Unknown => true,
        }
    }

    fn fits(&self, field: &str, value: &str) -> bool {
        match self.fields {
            Fields::Table(table) => !value.is_empty() && table.get(field).is_some_and(|field| fits(field, value)),
            Fields::Unknown => !value.is_empty(),
        }
    }
}

/// Appends a part; words join the words before them.
fn push_merging(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (Some(Part::Words { field: before_field, text: before }), Part::Words { field, text })
            if *before_field == field =>
        {
            if !before.is_empty() && !text.is_empty() {
                before.push(' ');
            }
            before.push_str(&text);
        }
        (_, part) => parts.push(part),
    }
}

fn boost(text: &str) -> Option<f32> {
    let is_number =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|factor: &f32| is_number && factor.is_finite())
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    plain
}
