//! Patterns over terms: prefixes, wildcards and Lucene's regular expressions, run over Tantivy's term dictionary.
//!
//! In: a pattern as data. Out: a [`Matcher`], which walks the dictionary byte by byte. Expressions are taken apart by Brzozowski's
//! derivatives, which know complement and intersection as well as union; states are made when a term first needs them, and their
//! number is limited, so that no pattern can take the machine down. Read next: [`expression`] (derivatives), [`regexp`] (syntax).

pub(super) mod expression;
pub(super) mod regexp;

use std::cell::{Cell, RefCell};

use tantivy_fst::Automaton;

use self::expression::{Arena, NodeId};
use crate::error::{Error, Result};
use crate::index::TimeLimit;
use crate::retrieve::query::{PatternQuery, RegexpQuery};

/// The most states of an expression where a query does not say.
const MAX_STATES: usize = 10_000;

/// A pattern before it is run. Cheap to clone for each segment.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    arena: Arena,
    start: NodeId,
    /// Every match begins so.
    pub(super) prefix: String,
}

impl Pattern {
    /// Terms that begin with a text.
    ///
    /// # Errors
    /// `InvalidInput` when it is too long.
    pub(super) fn prefix(query: &PatternQuery, key: Option<&str>) -> Result<Self> {
        check_length(&query.field, &query.text)?;
        let mut arena = Arena::new(MAX_STATES);
        let rest = arena.any_text();
        let mut start = rest;
        for character in query.text.chars().rev() {
            let one = arena.character(character, query.case_insensitive);
            start = arena.concat(one, start);
        }
        let prefix = if query.case_insensitive { String::new() } else { query.text.clone() };
        Ok(Self { arena, start, prefix }.behind(key))
    }

    /// `*` any letters, `?` one, `\` before either takes it literally.
    ///
    /// # Errors
    /// `InvalidInput` when it is too long.
    pub(super) fn wildcard(query: &PatternQuery, key: Option<&str>) -> Result<Self> {
        check_length(&query.field, &query.text)?;
        let mut arena = Arena::new(MAX_STATES);
        let (mut parts, mut prefix, mut is_fixed) = (Vec::new(), String::new(), !query.case_insensitive);
        let mut characters = query.text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' | '?' => {
                    is_fixed = false;
                    parts.push(if character == '*' { arena.any_text() } else { arena.any_character() });
                    continue;
                }
                '\\' => characters.next().unwrap_or('\\'),
                other => other,
            };
            if is_fixed {
                prefix.push(literal);
            }
            parts.push(arena.character(literal, query.case_insensitive));
        }
        let mut start = arena.empty_text();
        for part in parts.into_iter().rev() {
            start = arena.concat(part, start);
        }
        Ok(Self { arena, start, prefix }.behind(key))
    }

    /// A regular expression in Lucene's syntax.
    ///
    /// # Errors
    /// `InvalidInput` saying what was expected where, or when it is too long.
    pub(super) fn regexp(query: &RegexpQuery, key: Option<&str>) -> Result<Self> {
        check_length(&query.field, &query.text)?;
        let mut arena = Arena::new(query.max_states.unwrap_or(MAX_STATES));
        let start = regexp::parse(&query.text, query.flags, query.case_insensitive, &mut arena)
            .map_err(|problem| Error::invalid_input(problem).in_field(query.field.clone()))?;
        Ok(Self { arena, start, prefix: String::new() }.behind(key))
    }

    /// The pattern of terms that have a key before them.
    fn behind(mut self, key: Option<&str>) -> Self {
        let Some(key) = key else { return self };
        for character in key.chars().rev() {
            let one = self.arena.character(character, false);
            self.start = self.arena.concat(one, self.start);
        }
        self.prefix = format!("{key}{}", self.prefix);
        self
    }

    pub(super) fn matcher(&self) -> Matcher {
        Matcher { arena: RefCell::new(self.arena.clone()), start: self.start }
    }
}

/// Whether a regular expression can be read; the error says what was expected where.
///
/// # Errors
/// The fault, in Lucene's words.
pub(crate) fn check_regexp(query: &RegexpQuery) -> std::result::Result<(), String> {
    let mut arena = Arena::new(query.max_states.unwrap_or(MAX_STATES));
    regexp::parse(&query.text, query.flags, query.case_insensitive, &mut arena).map(drop)
}

/// Longer patterns are refused: an optional character may be a level of the stack.
const MAX_LENGTH: usize = 4_000;

fn check_length(field: &str, pattern: &str) -> Result<()> {
    if pattern.len() > MAX_LENGTH {
        return Err(Error::invalid_input(format!(
            "the pattern has {} bytes, more than the {MAX_LENGTH} that are allowed; shorten it",
            pattern.len()
        ))
        .in_field(field));
    }
    Ok(())
}

/// Runs a [`Pattern`] over the bytes of terms.
#[derive(Debug)]
pub(super) struct Matcher {
    arena: RefCell<Arena>,
    start: NodeId,
}

/// Between two bytes: what is left of the expression, and the bytes of a character that is not whole yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    node: NodeId,
    partial: u32,
    missing: u8,
}

impl Matcher {
    /// Whether the pattern needed more states than it may have; its matches are then not all there.
    pub(super) fn is_exhausted(&self) -> bool {
        self.arena.borrow().is_exhausted()
    }

    /// Whether a whole text matches.
    #[cfg(test)]
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut state = self.start();
        for byte in text.bytes() {
            state = self.accept(&state, byte);
        }
        self.is_match(&state)
    }

    fn dead() -> State {
        State { node: NodeId::NEVER, partial: 0, missing: 0 }
    }
}

impl Automaton for &Matcher {
    type State = State;

    fn start(&self) -> State {
        State { node: self.start, partial: 0, missing: 0 }
    }

    fn is_match(&self, state: &State) -> bool {
        state.missing == 0 && self.arena.borrow().is_nullable(state.node)
    }

    fn can_match(&self, state: &State) -> bool {
        state.node != NodeId::NEVER
    }

    fn accept(&self, state: &State, byte: u8) -> State {
        let byte_value = u32::from(byte);
        let (partial, missing) = match (state.missing, byte) {
            (0, 0x00..=0x7f) => (byte_value, 0),
            (0, 0xc0..=0xdf) => (byte_value & 0x1f, 1),
            (0, 0xe0..=0xef) => (byte_value & 0x0f, 2),
            (0, 0xf0..=0xf7) => (byte_value & 0x07, 3),
            (missing, 0x80..=0xbf) if missing > 0 => ((state.partial << 6) | (byte_value & 0x3f), missing - 1),
            _ => return Matcher::dead(),
        };
        if missing > 0 {
            return State { node: state.node, partial, missing };
        }
        State { node: self.arena.borrow_mut().derivative(state.node, partial), partial: 0, missing: 0 }
    }
}

/// Steps of an automaton between two looks at the clock.
const STEPS_A_LOOK: u32 = 512;

/// An automaton whose walk over a dictionary ends when the time is up. A walk that finds nothing gives no other chance to stop it.
pub(super) struct Watched<'a, A> {
    inner: A,
    time_limit: &'a TimeLimit,
    num_steps: Cell<u32>,
}

impl<'a, A> Watched<'a, A> {
    pub(super) fn new(inner: A, time_limit: &'a TimeLimit) -> Self {
        Self { inner, time_limit, num_steps: Cell::new(0) }
    }

    fn is_up(&self) -> bool {
        let steps = self.num_steps.get();
        self.num_steps.set(steps.wrapping_add(1));
        self.time_limit.was_noticed() || (steps.is_multiple_of(STEPS_A_LOOK) && self.time_limit.is_up())
    }
}

impl<A: Automaton> Automaton for Watched<'_, A> {
    type State = A::State;

    fn start(&self) -> A::State {
        self.inner.start()
    }

    fn is_match(&self, state: &A::State) -> bool {
        self.inner.is_match(state)
    }

    fn can_match(&self, state: &A::State) -> bool {
        self.inner.can_match(state) && !self.is_up()
    }

    fn accept(&self, state: &A::State, byte: u8) -> A::State {
        self.inner.accept(state, byte)
    }
}

impl Matcher {
    /// As [`Automaton::start`].
    #[cfg(test)]
    fn start(&self) -> State {
        Automaton::start(&self)
    }

    #[cfg(test)]
    fn is_match(&self, state: &State) -> bool {
        Automaton::is_match(&self, state)
    }

    #[cfg(test)]
    fn accept(&self, state: &State, byte: u8) -> State {
        Automaton::accept(&self, state, byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, case_insensitive: bool) -> PatternQuery {
        PatternQuery { text: text.into(), case_insensitive, ..PatternQuery::default() }
    }

    #[test]
    fn wildcards_and_prefixes() {
        for (wildcard, case_insensitive, text, expected) in [
            ("ki*y", false, "kimchy", true),
            ("ki*y", false, "kiy", true),
            ("ki*y", false, "kimchyx", false),
            ("k?y", false, "kéy", true),
            ("k?y", false, "ky", false),
            (r"a\*b", false, "a*b", true),
            (r"a\*b", false, "axb", false),
            ("STRASSE*", true, "strasse 5", true),
            ("É*", true, "élan", true),
            ("*", false, "", true),
            ("", false, "", true),
            ("", false, "a", false),
        ] {
            let found = Pattern::wildcard(&pattern(wildcard, case_insensitive), None).unwrap().matcher().matches(text);
            assert_eq!(found, expected, "{wildcard} {text}");
        }
        assert!(Pattern::prefix(&pattern("Ab", true), None).unwrap().matcher().matches("aBc"));
        assert!(!Pattern::prefix(&pattern("Ab", false), None).unwrap().matcher().matches("aBc"));
        assert_eq!(Pattern::wildcard(&pattern("abc*d?", false), None).unwrap().prefix, "abc");
        assert!(Pattern::wildcard(&pattern("a*", false), Some("key\0")).unwrap().matcher().matches("key\0ab"));
    }
}
