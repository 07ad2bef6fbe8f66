//! Java's regular expressions to those of the `regex` crate, or of `fancy-regex` where they look around, refer back, or must not
//! backtrack into a part; what neither has is refused by name.
//!
//! Differences that are carried over: `\d`, `\w`, `\s` and POSIX classes mean ASCII; a dot also stops at the other line
//! ends. Refused: `\G`, `\X` and blocks (`\p{InGreek}`), for which there are no tables. `$` means the very end, where Java also
//! allows a line end after it; without regard to case compares all of Unicode, not only ASCII.
//!
//! A pattern of the `regex` crate takes time in proportion to the text. One that backtracks gives up after [`MAX_STEPS`] on one match
//! and finds no more in that text, with a warning in the log.

use std::ops::Range;

use crate::error::{Error, Result};

/// Steps of backtracking that one match may take; some tens of milliseconds.
const MAX_STEPS: usize = 1_000_000;

/// Bytes that a compiled pattern may take.
const MAX_BYTES: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Engine);

#[derive(Debug, Clone)]
enum Engine {
    Linear(regex::Regex),
    Backtracking(fancy_regex::Regex),
}

/// What a match and its groups cover, in bytes of the text; the whole match first.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups(Vec<Option<Range<usize>>>);

impl Groups {
    /// Group `group`, where it took part; 0 is the whole match.
    pub(super) fn get(&self, group: usize) -> Option<Range<usize>> {
        self.0.get(group).cloned().flatten()
    }

    /// The groups that took part, without the whole match.
    pub(super) fn parts(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.0.iter().skip(1).flatten().cloned()
    }
}

impl Pattern {
    /// The first match.
    pub(super) fn find(&self, text: &str) -> Option<Range<usize>> {
        self.find_iter(text).next()
    }

    /// The matches, one after the other.
    pub(super) fn find_iter<'a>(&'a self, text: &'a str) -> Box<dyn Iterator<Item = Range<usize>> + 'a> {
        match &self.0 {
            Engine::Linear(regex) => Box::new(regex.find_iter(text).map(|found| found.range())),
            Engine::Backtracking(regex) => {
                Box::new(until_too_long(regex, regex.find_iter(text)).map(|found| found.range()))
            }
        }
    }

    /// The matches with their groups, one after the other.
    pub(super) fn captures_iter<'a>(&'a self, text: &'a str) -> Box<dyn Iterator<Item = Groups> + 'a> {
        match &self.0 {
            Engine::Linear(regex) => Box::new(
                regex
                    .captures_iter(text)
                    .map(|groups| Groups(groups.iter().map(|group| group.map(|group| group.range())).collect())),
            ),
            Engine::Backtracking(regex) => Box::new(until_too_long(regex, regex.captures_iter(text)).map(|groups| {
                Groups((0..groups.len()).map(|group| groups.get(group).map(|group| group.range())).collect())
            })),
        }
    }

    /// Groups of the pattern, the whole match among them.
    pub(super) fn num_groups(&self) -> usize {
        match &self.0 {
            Engine::Linear(regex) => regex.captures_len(),
            Engine::Backtracking(regex) => regex.captures_len(),
        }
    }

    /// The place of a named group.
    fn group_named(&self, name: &str) -> Option<usize> {
        match &self.0 {
            Engine::Linear(regex) => regex.capture_names().position(|known| known == Some(name)),
            Engine::Backtracking(regex) => regex.capture_names().position(|known| known == Some(name)),
        }
    }
}

/// The matches until one fails, which it does by taking too many steps.
fn until_too_long<T>(
    regex: &fancy_regex::Regex,
    matches: impl Iterator<Item = std::result::Result<T, fancy_regex::Error>>,
) -> impl Iterator<Item = T> {
    matches.map_while(|found| match found {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!(pattern = regex.as_str(), %error, "a regular expression gave up on a text");
            None
        }
    })
}

/// Compiles a pattern with the flags of Elasticsearch's `flags` parameter (`CASE_INSENSITIVE|COMMENTS`).
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) naming what the crate cannot do,
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern or an unknown flag.
pub(super) fn compile(pattern: &str, flags: &str) -> Result<Pattern> {
    let (mut insensitive, mut multi_line, mut dot_all, mut comments, mut literal) = (false, false, false, false, false);
    for flag in flags.split('|').map(str::trim).filter(|flag| !flag.is_empty()) {
        match flag {
            "CASE_INSENSITIVE" => insensitive = true,
            "MULTILINE" => multi_line = true,
            "DOTALL" => dot_all = true,
            "COMMENTS" => comments = true,
            "LITERAL" => literal = true,
            "UNICODE_CASE" => {}
            "CANON_EQ" | "UNIX_LINES" | "UNICODE_CHAR_CLASS" | "UNICODE_CHARACTER_CLASS" => {
                return Err(Error::unsupported(format!("the regular expression flag [{flag}] is not supported")));
            }
            _ => return Err(Error::invalid_input(format!("Unknown regex flag [{flag}]"))),
        }
    }
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::invalid_input(format!("the regular expression [{pattern}] cannot be used")).with_source(error)
    };
    let translate = |backtracks| {
        let chars = pattern.chars().collect();
        Translator { chars, at: 0, out: String::new(), pattern, dot_all, num_groups: 0, backtracks }.translate()
    };
    let (translated, needs_backtracking) = if literal { (regex::escape(pattern), false) } else { translate(false)? };
    if needs_backtracking {
        return fancy_regex::RegexBuilder::new(&translate(true)?.0)
            .case_insensitive(insensitive)
            .multi_line(multi_line)
            .dot_matches_new_line(dot_all)
            .ignore_whitespace(comments)
            .delegate_size_limit(MAX_BYTES)
            .backtrack_limit(MAX_STEPS)
            .build()
            .map(|regex| Pattern(Engine::Backtracking(regex)))
            .map_err(|error| unusable(error.into()));
    }
    regex::RegexBuilder::new(&translated)
        .case_insensitive(insensitive)
        .multi_line(multi_line)
        .dot_matches_new_line(dot_all)
        .ignore_whitespace(comments)
        .size_limit(MAX_BYTES)
        .build()
        .map(|regex| Pattern(Engine::Linear(regex)))
        .map_err(|error| unusable(error.into()))
}

/// `\b` of ASCII words, in look-arounds: the engine that backtracks knows only Unicode's.
const WORD_BOUNDARY: &str = "(?:(?<=[a-zA-Z0-9_])(?![a-zA-Z0-9_])|(?<![a-zA-Z0-9_])(?=[a-zA-Z0-9_]))";

struct Translator<'a> {
    chars: Vec<char>,
    at: usize,
    out: String,
    pattern: &'a str,
    dot_all: bool,
    /// Capturing groups that were opened so far.
    num_groups: usize,
    /// Whether what is written is for the engine that backtracks; becomes true where only that one can do it.
    backtracks: bool,
}

impl Translator<'_> {
    /// The pattern, and whether it needs backtracking.
    fn translate(mut self) -> Result<(String, bool)> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '.' if !self.dot_all => self.out.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
                '(' => self.group()?,
                '*' | '+' | '?' | '}' => {
                    self.out.push(c);
                    if let Some(kind @ ('+' | '?')) = self.peek() {
                        self.at += 1;
                        self.out.push(kind);
                        self.backtracks |= kind == '+';
                    }
                }
                _ => self.out.push(c),
            }
        }
        Ok((self.out, self.backtracks))
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied();
        self.at += 1;
        c
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(idx, c)| self.chars.get(self.at + idx) == Some(&c))
    }

    fn refuse(&self, what: &str) -> Error {
        Error::unsupported(format!("{what} in the regular expression [{}] is not supported", self.pattern))
    }

    fn malformed(&self, why: &str) -> Error {
        Error::invalid_input(format!("{why} near index {}: {}", self.at.saturating_sub(1), self.pattern))
    }

    fn group(&mut self) -> Result<()> {
        for opening in ["?=", "?!", "?<=", "?<!", "?>"] {
            if self.starts_with(opening) {
                self.backtracks = true;
                self.at += opening.len();
                self.out.push('(');
                self.out.push_str(opening);
                return Ok(());
            }
        }
        self.num_groups += usize::from(!self.starts_with("?") || self.starts_with("?<"));
        self.out.push('(');
        if self.starts_with("?") && !self.starts_with("?<") {
            while let Some(c) = self.next() {
                match c {
                    's' => {
                        self.dot_all = true;
                        self.out.push(c);
                    }
                    // Unicode case is what the crate does in any case.
                    'u' => {}
                    'd' | 'U' => return Err(self.refuse("an inline flag of d or U")),
                    _ => self.out.push(c),
                }
                if c == ')' || c == ':' {
                    break;
                }
            }
            // A group of flags that became empty is an error to the crate.
            if self.out.ends_with("(?)") {
                self.out.truncate(self.out.len() - 3);
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<()> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        if self.peek() == Some(']') {
            self.at += 1;
            self.out.push_str(r"\]");
        }
        loop {
            let Some(c) = self.next() else { return Err(self.malformed("Unclosed character class")) };
            match c {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' => self.class()?,
                '\\' => self.escape(true)?,
                '&' if self.peek() == Some('&') => {
                    self.at += 1;
                    self.out.push_str("&&");
                }
                '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '-' if self.peek() == Some('-') => self.out.push_str(r"\-"),
                _ => self.out.push(c),
            }
        }
    }

    fn escape(&mut self, in_class: bool) -> Result<()> {
        let Some(c) = self.next() else { return Err(self.malformed("Unexpected internal error")) };
        match c {
            'd' => self.set(in_class, "0-9", false),
            'D' => self.set(in_class, "0-9", true),
            'w' => self.set(in_class, "a-zA-Z0-9_", false),
            'W' => self.set(in_class, "a-zA-Z0-9_", true),
            's' => self.set(in_class, r"\t\n\x0B\f\r\x20", false),
            'S' => self.set(in_class, r"\t\n\x0B\f\r\x20", true),
            'h' => self.set(in_class, r"\x20\t\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}", false),
            'H' => self.set(in_class, r"\x20\t\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}", true),
            'v' => self.set(in_class, r"\n\x0B\f\r\x{85}\x{2028}\x{2029}", false),
            'V' => self.set(in_class, r"\n\x0B\f\r\x{85}\x{2028}\x{2029}", true),
            'R' if !in_class => self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
            'b' if !in_class && self.backtracks => self.out.push_str(WORD_BOUNDARY),
            'b' if !in_class => self.out.push_str(r"(?-u:\b)"),
            'B' if !in_class => self.out.push_str(r"\B"),
            'A' | 'z' if !in_class => {
                self.out.push('\\');
                self.out.push(c);
            }
            'Z' if !in_class => self.out.push_str(r"\z"),
            'p' | 'P' => self.property(c == 'P')?,
            'Q' => {
                let rest: String = self.chars.get(self.at..).unwrap_or_default().iter().collect();
                let quoted = rest.split("\\E").next().unwrap_or_default();
                self.out.push_str(&regex::escape(quoted));
                self.at += quoted.chars().count() + 2;
            }
            'u' => self.code_point(4)?,
            'x' if self.peek() == Some('{') => {
                let rest: String = self.chars.get(self.at + 1..).unwrap_or_default().iter().collect();
                let digits = rest.split('}').next().unwrap_or_default().to_string();
                self.at += digits.chars().count() + 2;
                self.push_code(u32::from_str_radix(&digits, 16).ok())?;
            }
            'x' => self.code_point(2)?,
            '0' => {
                let mut digits = String::new();
                while digits.len() < 3
                    && let Some(digit @ '0'..='7') = self.peek()
                {
                    digits.push(digit);
                    self.at += 1;
                }
                self.push_code(u32::from_str_radix(&digits, 8).ok())?;
            }
            'e' => self.out.push_str(r"\x1B"),
            'a' | 'f' | 'n' | 'r' | 't' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'c' => {
                let control = self.next().map(|c| u32::from(c) ^ 0x40);
                self.push_code(control)?;
            }
            '1'..='9' if !in_class => self.back_reference(c),
            'k' if !in_class => {
                self.backtracks = true;
                self.out.push_str(r"\k");
            }
            '1'..='9' => return Err(self.malformed("Illegal/unsupported escape sequence")),
            'G' | 'X' | 'N' => return Err(self.refuse(&format!("\\{c}"))),
            _ if c.is_ascii_alphabetic() => return Err(self.malformed("Illegal/unsupported escape sequence")),
            _ => self.out.push_str(&regex::escape(&c.to_string()).replace(' ', r"\x20")),
        }
        // A quoted `-`, `&` or `~` must stay quoted inside a class.
        if in_class && matches!(c, '-' | '&' | '~' | '^' | '[' | ']') && !self.out.ends_with(&format!("\\{c}")) {
            self.out.pop();
            self.out.push('\\');
            self.out.push(c);
        }
        Ok(())
    }

    /// The first digit is a group's number; further ones belong to it where there are so many groups.
    fn back_reference(&mut self, first: char) {
        let mut group = first.to_digit(10).unwrap_or_default() as usize;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let longer = group * 10 + digit as usize;
            if longer > self.num_groups {
                break;
            }
            group = longer;
            self.at += 1;
        }
        self.backtracks = true;
        self.out.push_str(&format!(r"(?:\{group})"));
    }

    fn set(&mut self, _in_class: bool, members: &str, negated: bool) {
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(members);
        self.out.push(']');
    }

    fn code_point(&mut self, digits: usize) -> Result<()> {
        let mut code = self.hex(digits)?;
        // A pair of surrogates is one character.
        if (0xd800..0xdc00).contains(&code) && self.starts_with("\\u") {
            self.at += 2;
            let low = self.hex(digits)?;
            code = 0x10000 + ((code - 0xd800) << 10) + low.wrapping_sub(0xdc00) % 0x400;
        }
        self.push_code(Some(code))
    }

    fn hex(&mut self, digits: usize) -> Result<u32> {
        let text: String = self.chars.get(self.at..self.at + digits).unwrap_or_default().iter().collect();
        self.at += digits;
        u32::from_str_radix(&text, 16).map_err(|_| self.malformed("Illegal hexadecimal escape sequence"))
    }

    fn push_code(&mut self, code: Option<u32>) -> Result<()> {
        let Some(c) = code.and_then(char::from_u32) else { return Err(self.malformed("Illegal escape sequence")) };
        self.out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        Ok(())
    }

    fn property(&mut self, negated: bool) -> Result<()> {
        let name: String = if self.peek() == Some('{') {
            let rest: String = self.chars.get(self.at + 1..).unwrap_or_default().iter().collect();
            let name = rest.split('}').next().unwrap_or_default().to_string();
            self.at += name.chars().count() + 2;
            name
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        let members = match name.as_str() {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7f",
            "Alpha" => "a-zA-Z",
            "Digit" => "0-9",
            "Alnum" => "a-zA-Z0-9",
            "Punct" => r"!-/:-@\[-`{-~",
            "Graph" => "!-~",
            "Print" => r"\x20-~",
            "Blank" => r"\x20\t",
            "Cntrl" => r"\x00-\x1f\x7f",
            "XDigit" => "0-9a-fA-F",
            "Space" => r"\t\n\x0B\f\r\x20",
            "javaLowerCase" | "IsLowercase" => r"\p{Lowercase}",
            "javaUpperCase" | "IsUppercase" => r"\p{Uppercase}",
            "IsAlphabetic" => r"\p{Alphabetic}",
            "javaLetter" => r"\p{L}",
            "javaDigit" | "IsDigit" => r"\p{Nd}",
            "javaLetterOrDigit" => r"\p{L}\p{Nd}",
            "IsPunctuation" => r"\p{P}",
            "IsWhite_Space" => r"\p{White_Space}",
            "IsIdeographic" => r"\p{Ideographic}",
            "javaWhitespace" => {
                r"\x1c-\x1f\t\n\x0B\f\r\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}"
            }
            other => {
                if other.starts_with("In")
                    || other.starts_with("block=")
                    || other.starts_with("blk=")
                    || other.starts_with("java")
                {
                    return Err(self.refuse(&format!("\\p{{{other}}}")));
                }
                let plain = other.strip_prefix("Is").unwrap_or(other);
                self.out.push_str(if negated { r"\P{" } else { r"\p{" });
                self.out.push_str(plain);
                self.out.push('}');
                return Ok(());
            }
        };
        self.set(false, members, negated);
        Ok(())
    }
}

/// A replacement in Java's syntax: `$1`, `${name}`, and a backslash before what stands for itself.
#[derive(Debug, Clone)]
pub(super) struct Replacement(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Group(usize),
}

impl Replacement {
    /// Reads `text` for `pattern`.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a group that the pattern lacks, or a `$` or backslash at the end.
    pub(super) fn new(text: &str, pattern: &Pattern) -> Result<Self> {
        let chars: Vec<char> = text.chars().collect();
        let bad = |why: &str| Error::invalid_input(format!("{why} in the replacement [{text}]"));
        let (mut parts, mut literal, mut at) = (Vec::new(), String::new(), 0);
        while let Some(&c) = chars.get(at) {
            at += 1;
            match c {
                '\\' => {
                    literal.push(*chars.get(at).ok_or_else(|| bad("character to be escaped is missing"))?);
                    at += 1;
                }
                '$' => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    if chars.get(at) == Some(&'{') {
                        let name: String = chars.iter().skip(at + 1).take_while(|&&c| c != '}').collect();
                        let group = pattern.group_named(&name);
                        let group = group.ok_or_else(|| bad(&format!("No group with name {{{name}}}")))?;
                        at += name.chars().count() + 2;
                        parts.push(Part::Group(group));
                        continue;
                    }
                    let digit = |at: usize| chars.get(at).and_then(|c| c.to_digit(10)).map(|digit| digit as usize);
                    let mut group = digit(at).ok_or_else(|| bad("Illegal group reference"))?;
                    if group >= pattern.num_groups() {
                        return Err(bad(&format!("No group {group}")));
                    }
                    at += 1;
                    while let Some(longer) =
                        digit(at).map(|digit| group * 10 + digit).filter(|&longer| longer < pattern.num_groups())
                    {
                        group = longer;
                        at += 1;
                    }
                    parts.push(Part::Group(group));
                }
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// Appends what replaces a match in `text`.
    pub(super) fn append(&self, text: &str, groups: &Groups, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Literal(literal) => out.push_str(literal),
                Part::Group(group) => out.push_str(groups.get(*group).and_then(|found| text.get(found)).unwrap_or("")),
            }
        }
    }

    /// `text` with the first match or all of them replaced; `None` when there is none.
    pub(super) fn replace(&self, pattern: &Pattern, text: &str, all: bool) -> Option<String> {
        let mut out = String::new();
        let mut last = 0;
        let mut any = false;
        for groups in pattern.captures_iter(text).take(if all { usize::MAX } else { 1 }) {
            let Some(found) = groups.get(0) else { continue };
            out.push_str(&text[last..found.start]);
            self.append(text, &groups, &mut out);
            last = found.end;
            any = true;
        }
        any.then(|| {
            out.push_str(&text[last..]);
            out
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_java_means() {
        for (pattern, flags, text, found) in [
            (r"\d+", "", "a٣12", Some("12")),
            (r"\w+", "", "éab", Some("ab")),
            (r"[\W&&[^ ]]+", "", "a -é b", Some("-é")),
            (r"\p{Punct}", "", "a–!", Some("!")),
            (r"\p{L}+", "", "1éa", Some("éa")),
            (r"\p{IsGreek}+", "", "abγδ", Some("γδ")),
            (r"a.c", "", "a\rc", None),
            (r"a.c", "DOTALL", "a\rc", Some("a\rc")),
            (r"(?i)AB", "", "xab", Some("ab")),
            ("ab", "CASE_INSENSITIVE", "AB", Some("AB")),
            (r"\Qa.b\E+", "", "a.bbb", Some("a.bbb")),
            (r"\u00e9", "", "é", Some("é")),
            (r"[a\-z]+", "", "-z", Some("-z")),
            (r"\bfoo\b", "", "éfoo", Some("foo")),
            ("(?<n>a)b", "", "ab", Some("ab")),
            (r"\d(?=b)", "", "1a2b", Some("2")),
            (r"(?<!b)\w(?!c)", "", "bcbd", Some("b")),
            (r"(?<=\p{Lower})\p{Upper}", "", "HTtP", Some("P")),
            (r"(?<=[\p{L}&&[^\p{Lu}]])\w", "", "AbC", Some("C")),
            (r"(a|b)\1", "", "abba", Some("bb")),
            (r"(a)\10", "", "aa0", Some("aa0")),
            (r"(?<n>a)\k<n>", "", "baa", Some("aa")),
            ("a++b", "", "aab", Some("aab")),
            ("a++a", "", "aaa", None),
            ("(?>a|ab)c", "", "abc", None),
            (r"(?=f)\bfoo\b", "", "éfoo", Some("foo")),
            (r"(?=.)x.y", "", "x\ry", None),
        ] {
            let regex = compile(pattern, flags).unwrap();
            assert_eq!(regex.find(text).map(|found| &text[found]), found, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_cannot_agree_is_refused_by_name() {
        for (pattern, what) in [
            (r"\Ga", "\\G"),
            (r"(a)\2", "cannot be used"),
            (r"\p{InGreek}", "InGreek"),
            ("(x", "(x"),
            ("[x", "Unclosed"),
        ] {
            let error = compile(pattern, "").unwrap_err().to_string();
            assert!(error.contains(what), "{pattern}: {error}");
        }
    }

    #[test]
    fn a_pattern_that_backtracks_without_end_gives_up() {
        assert!(compile(r"(\w+)+(?!x)\1b", "").unwrap().find(&"a".repeat(5000)).is_none());
    }

    #[test]
    fn replacements_name_groups() {
        let regex = compile("(a)(?<second>b)?", "").unwrap();
        for (text, expected) in [("$2$1", "ba-ac"), ("${second}", "b-c"), (r"\$1", "$1-$1c"), ("$11", "a1-a1c")] {
            assert_eq!(Replacement::new(text, &regex).unwrap().replace(&regex, "ab-ac", true).unwrap(), expected);
        }
        for bad in ["$9", "$", "\\", "${third}"] {
            assert!(Replacement::new(bad, &regex).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pattern in "[\\\\\\[\\](){}?*+.a-dpuxQE0-9^&~$<=!-]{0,12}", text in "[a-d0-9é]{0,8}") {
            if let Ok(regex) = compile(&pattern, "") {
                regex.find(&text);
                let _ = Replacement::new(&pattern, &regex);
            }
        }
    }
}
