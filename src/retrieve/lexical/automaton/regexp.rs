//! Lucene's syntax of regular expressions.
//!
//! An expression matches a term as a whole. `. ? + * | {n,m} [..] (..) "..." \` always count; `~ & # @ <n-m>` with their flags;
//! `\d \D \s \S \w \W` are classes. There are no anchors and no groups that capture.
//!
//! Source: the grammar in the documentation of Lucene 9's `org.apache.lucene.util.automaton.RegExp`.

#![warn(clippy::indexing_slicing)]

use super::expression::{Arena, NodeId};
use crate::retrieve::query::RegexpFlags;

/// Deeper parentheses are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 200;
/// The most characters and repetitions that `{n,m}` may ask for.
const MAX_REPEAT: u32 = 10_000;

/// Reads an expression into `arena`. The error says what was expected at which character.
pub(in crate::retrieve::lexical) fn parse(
    text: &str,
    flags: RegexpFlags,
    either_case: bool,
    arena: &mut Arena,
) -> Result<NodeId, String> {
    if text.is_empty() {
        return Ok(arena.empty_text());
    }
    let characters: Vec<char> = text.chars().collect();
    let mut parser = Parser { characters: &characters, at: 0, flags, either_case, arena, depth: 0 };
    let node = parser.union()?;
    if parser.at < characters.len() {
        return Err(format!("end-of-string expected at position {}", parser.at));
    }
    if parser.arena.is_exhausted() {
        return Err(too_complex());
    }
    Ok(node)
}

/// What is said of an expression with too many states.
pub(in crate::retrieve::lexical) fn too_complex() -> String {
    "the regular expression is too complex; simplify it".to_string()
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
    flags: RegexpFlags,
    either_case: bool,
    arena: &'a mut Arena,
    depth: usize,
}

type Parsed = Result<NodeId, String>;

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<char, String> {
        let character = self.peek().ok_or_else(|| "unexpected end-of-string".to_string())?;
        self.at += 1;
        Ok(character)
    }

    fn union(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the regular expression is nested too deeply; flatten it".to_string());
        }
        let mut parts = vec![self.intersection()?];
        while self.take('|') {
            parts.push(self.intersection()?);
        }
        self.depth -= 1;
        Ok(self.arena.union(parts))
    }

    fn intersection(&mut self) -> Parsed {
        let mut parts = vec![self.concatenation()?];
        while self.flags.intersection && self.take('&') {
            parts.push(self.concatenation()?);
        }
        Ok(self.arena.intersection(parts))
    }

    fn concatenation(&mut self) -> Parsed {
        let mut parts = vec![self.repetition()?];
        while let Some(next) = self.peek() {
            if next == ')' || next == '|' || (next == '&' && self.flags.intersection) {
                break;
            }
            parts.push(self.repetition()?);
        }
        let mut whole = self.arena.empty_text();
        for part in parts.into_iter().rev() {
            whole = self.arena.concat(part, whole);
        }
        Ok(whole)
    }

    fn repetition(&mut self) -> Parsed {
        let mut node = self.complement()?;
        loop {
            node = match self.peek() {
                Some('?') => self.repeated(node, 0, Some(1)),
                Some('*') => self.repeated(node, 0, None),
                Some('+') => self.repeated(node, 1, None),
                Some('{') => {
                    self.at += 1;
                    let min = self.integer()?;
                    let max = if self.take(',') {
                        if self.peek().is_some_and(|next| next.is_ascii_digit()) { Some(self.integer()?) } else { None }
                    } else {
                        Some(min)
                    };
                    if !self.take('}') {
                        return Err(format!("expected '}}' at position {}", self.at));
                    }
                    if max.is_some_and(|max| max < min) {
                        return Err(format!("invalid repetition range(out of order): {min}..{}", max.unwrap_or(0)));
                    }
                    self.arena.repeat(node, min, max)
                }
                _ => return Ok(node),
            };
        }
    }

    fn repeated(&mut self, node: NodeId, min: u32, max: Option<u32>) -> NodeId {
        self.at += 1;
        self.arena.repeat(node, min, max)
    }

    fn integer(&mut self) -> Result<u32, String> {
        let start = self.at;
        let mut number: u32 = 0;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        if self.at == start {
            return Err(format!("integer expected at position {start}"));
        }
        if number > MAX_REPEAT {
            return Err(format!("a repetition of {number} is more than {MAX_REPEAT} at position {start}"));
        }
        Ok(number)
    }

    fn complement(&mut self) -> Parsed {
        let start = self.at;
        while self.flags.complement && self.peek() == Some('~') {
            self.at += 1;
        }
        let mut node = self.class()?;
        let num_complements = self.characters.get(start..).map_or(0, |rest| {
            if self.flags.complement { rest.iter().take_while(|&&character| character == '~').count() } else { 0 }
        });
        if num_complements % 2 == 1 {
            node = self.arena.complement(node);
        }
        Ok(node)
    }

    fn class(&mut self) -> Parsed {
        if !self.take('[') {
            return self.simple();
        }
        let is_negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            self.class_item(&mut ranges)?;
            match self.peek() {
                Some(']') => break,
                Some(_) => {}
                None => return Err(format!("expected ']' at position {}", self.at)),
            }
        }
        self.at += 1;
        Ok(if is_negated { self.arena.other_characters(ranges) } else { self.arena.characters(ranges) })
    }

    fn class_item(&mut self, ranges: &mut Vec<(u32, u32)>) -> Result<(), String> {
        if self.peek() == Some('\\')
            && let Some(class) = self.characters.get(self.at + 1).copied().and_then(named_class)
        {
            self.at += 2;
            ranges.extend(class);
            return Ok(());
        }
        let first = self.literal()?;
        let last = if self.peek() == Some('-') && self.characters.get(self.at + 1) != Some(&']') {
            self.at += 1;
            self.literal()?
        } else {
            first
        };
        if first > last {
            return Err(format!("invalid range: from ({}) cannot be > to ({})", u32::from(first), u32::from(last)));
        }
        ranges.push((u32::from(first), u32::from(last)));
        if self.either_case && first == last && first.is_ascii_alphabetic() {
            let other =
                if first.is_ascii_lowercase() { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() };
            ranges.push((u32::from(other), u32::from(other)));
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<char, String> {
        self.take('\\');
        self.next()
    }

    fn simple(&mut self) -> Parsed {
        if self.take('.') {
            return Ok(self.arena.any_character());
        }
        if self.flags.empty && self.take('#') {
            return Ok(NodeId::NEVER);
        }
        if self.flags.any_string && self.take('@') {
            return Ok(self.arena.any_text());
        }
        if self.take('"') {
            let start = self.at;
            while self.peek().is_some_and(|next| next != '"') {
                self.at += 1;
            }
            let text: Vec<char> = self.characters.get(start..self.at).unwrap_or_default().to_vec();
            if !self.take('"') {
                return Err(format!("expected '\"' at position {}", self.at));
            }
            let mut node = self.arena.empty_text();
            for character in text.into_iter().rev() {
                let one = self.character(character);
                node = self.arena.concat(one, node);
            }
            return Ok(node);
        }
        if self.take('(') {
            if self.take(')') {
                return Ok(self.arena.empty_text());
            }
            let node = self.union()?;
            if !self.take(')') {
                return Err(format!("expected ')' at position {}", self.at));
            }
            return Ok(node);
        }
        if self.flags.interval && self.take('<') {
            return self.interval();
        }
        if self.peek() == Some('\\')
            && let Some(class) = self.characters.get(self.at + 1).copied().and_then(named_class)
        {
            self.at += 2;
            return Ok(self.arena.characters(class));
        }
        let character = self.literal()?;
        Ok(self.character(character))
    }

    fn character(&mut self, character: char) -> NodeId {
        let either_case = self.either_case && character.is_ascii_alphabetic();
        self.arena.character(character, either_case)
    }

    fn interval(&mut self) -> Parsed {
        let start = self.at;
        while self.peek().is_some_and(|next| next != '>') {
            self.at += 1;
        }
        let text: String = self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        if !self.take('>') {
            return Err(format!("expected '>' at position {}", self.at));
        }
        let Some((low, high)) = text.split_once('-') else {
            return Err(format!("interval syntax error at position {}", self.at - 1));
        };
        let bounds = low.parse::<u64>().ok().zip(high.parse::<u64>().ok());
        let Some((min, max)) = bounds else {
            return Err(format!("interval syntax error at position {}", self.at - 1));
        };
        let num_digits = if low.len() == high.len() { u32::try_from(low.len()).unwrap_or(0) } else { 0 };
        Ok(self.arena.number(min.min(max), min.max(max), num_digits))
    }
}

/// `\d` and its like.
fn named_class(letter: char) -> Option<Vec<(u32, u32)>> {
    let range = |first: char, last: char| (u32::from(first), u32::from(last));
    let digits = vec![range('0', '9')];
    let spaces = vec![range('\t', '\n'), range('\r', '\r'), range(' ', ' ')];
    let words = vec![range('0', '9'), range('A', 'Z'), range('_', '_'), range('a', 'z')];
    let others = |inside: Vec<(u32, u32)>| {
        let (mut outside, mut next) = (Vec::new(), 0);
        for (first, last) in inside {
            if first > next {
                outside.push((next, first - 1));
            }
            next = last + 1;
        }
        outside.push((next, u32::from(char::MAX)));
        outside
    };
    Some(match letter {
        'd' => digits,
        'D' => others(digits),
        's' => spaces,
        'S' => others(spaces),
        'w' => words,
        'W' => others(words),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Pattern;
    use super::*;
    use crate::retrieve::query::RegexpQuery;

    fn query(text: &str) -> RegexpQuery {
        RegexpQuery { text: text.into(), ..RegexpQuery::default() }
    }

    #[test]
    fn expressions_match_as_in_lucene() {
        for (expression, yes, no) in [
            ("ab.", vec!["abc", "abé"], vec!["ab", "abcd"]),
            ("ab{3}", vec!["abbb"], vec!["abb", "ababab"]),
            ("ab{2,4}", vec!["abb", "abbbb"], vec!["ab", "abbbbb"]),
            ("(ab){2,}", vec!["abab", "ababab"], vec!["ab"]),
            ("abc|xyz", vec!["abc", "xyz"], vec!["abcxyz"]),
            ("[abc]?", vec!["", "a"], vec!["d"]),
            ("[^abc]", vec!["d", "é"], vec!["a", ""]),
            ("[a-c-]+", vec!["a-c"], vec!["d"]),
            (r"[\]\\]", vec!["]", "\\"], vec!["x"]),
            ("a~bc", vec!["adc", "aec", "ac", "axxc"], vec!["abc"]),
            ("~(ab)", vec!["", "a", "abc"], vec!["ab"]),
            ("foo<1-100>", vec!["foo1", "foo99", "foo007"], vec!["foo0", "foo101", "foo"]),
            ("<01-10>", vec!["01", "10", "07"], vec!["7", "11", "007"]),
            ("aaa.+&.+bbb", vec!["aaabbb", "aaaxbbb"], vec!["aaa", "bbb"]),
            ("@&~(foo.+)", vec!["foo", "bar"], vec!["foobar"]),
            ("\"a.b\"", vec!["a.b"], vec!["axb"]),
            (r"a\.b", vec!["a.b"], vec!["axb"]),
            (r"\d+\s\w", vec!["12 x"], vec!["ab x"]),
            ("()", vec![""], vec!["a"]),
            ("#|a", vec!["a"], vec![""]),
            ("(a*)*b", vec!["b", "aab"], vec!["a"]),
        ] {
            let matcher = Pattern::regexp(&query(expression), None).unwrap();
            for text in yes {
                assert!(matcher.matcher().matches(text), "{expression} {text}");
            }
            for text in no {
                assert!(!matcher.matcher().matches(text), "{expression} {text}");
            }
        }
    }

    #[test]
    fn flags_switch_operators_off() {
        let none = RegexpQuery { flags: RegexpFlags::NONE, ..query("a&b~#@<1-2>") };
        assert!(Pattern::regexp(&none, None).unwrap().matcher().matches("a&b~#@<1-2>"));
        let either = RegexpQuery { case_insensitive: true, ..query("aB[cD]") };
        assert!(Pattern::regexp(&either, None).unwrap().matcher().matches("AbC"));
    }

    #[test]
    fn faults_say_where() {
        for (expression, problem) in [
            ("(ab", "expected ')' at position 3"),
            ("ab)", "end-of-string expected at position 2"),
            ("[ab", "expected ']' at position 3"),
            ("a{x}", "integer expected at position 2"),
            ("a{3,1}", "out of order"),
            ("\"ab", "expected '\"'"),
            ("a|", "unexpected end-of-string"),
            ("[z-a]", "invalid range"),
            ("<a-b>", "interval syntax error"),
        ] {
            let error = Pattern::regexp(&query(expression), None).unwrap_err().to_string();
            assert!(error.contains(problem), "{expression}: {error}");
        }
    }

    #[test]
    fn catastrophic_expressions_end() {
        for expression in ["(a|aa)+$", "(x+x+)+y", "((a{1,99}){1,99}){1,99}", ".*a.{12}&.*b.{13}", "~(~(~(.*a.{14})))"]
        {
            let matcher = Pattern::regexp(&query(expression), None).unwrap().matcher();
            let started = std::time::Instant::now();
            for seed in 0..200_usize {
                let text: String =
                    (0..60).map(|at| if (seed * 31 + at * at * 7) % 3 == 0 { 'a' } else { 'b' }).collect();
                matcher.matches(&text);
                matcher.matches(&"x".repeat(seed));
            }
            assert!(started.elapsed().as_secs() < 20, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-c.*+?|&~#@<>0-9{},()\\[\\]^\\-\"\\\\]{0,24}", term in "[a-c]{0,8}") {
            if let Ok(pattern) = Pattern::regexp(&query(&text), None) {
                pattern.matcher().matches(&term);
            }
        }

        #[test]
        fn agrees_with_the_regex_crate(text in "[a-c]{1,2}(\\(?[a-c.]{1,3}(\\*|\\+|\\?|\\{1,2\\})?){0,4}", term in "[a-c]{0,8}") {
            if let (Ok(pattern), Ok(other)) = (Pattern::regexp(&query(&text), None), regex::Regex::new(&format!("^(?:{text})$"))) {
                prop_assert_eq!(pattern.matcher().matches(&term), other.is_match(&term), "{} {}", text, term);
            }
        }
    }
}
