//! `html_strip`: markup out, entities to characters.
//!
//! Tags of blocks become a line end, tags inside lines nothing. What looks like a tag and is none stays.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::stream::{Corrections, units};

/// Its parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct HtmlStrip {
    /// Names of tags that stay, in lower case.
    pub(super) escaped_tags: Vec<String>,
}

/// The tags that stand inside a line.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "basefont", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "img", "input",
    "kbd", "label", "q", "s", "samp", "select", "small", "span", "strike", "strong", "sub", "sup", "textarea", "tt",
    "u", "var",
];

static ENTITIES: LazyLock<HashMap<&'static str, char>> = LazyLock::new(|| {
    let lines = include_str!("html_entities.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, code) = line.split_once(' ')?;
            Some((name, char::from_u32(u32::from_str_radix(code, 16).ok()?)?))
        })
        .collect()
});

/// What a piece of markup becomes: how many bytes it takes, and what stands in its place.
enum Piece {
    Nothing(usize),
    LineEnd(usize),
    Character(usize, char),
    /// Raw text between marks: bytes before it, of it, and after it.
    Raw(usize, usize, usize),
}

impl HtmlStrip {
    pub(super) fn apply(&self, text: &str, corrections: &mut Corrections) -> Option<String> {
        if !text.contains(['<', '&']) {
            return None;
        }
        let mut out = Output { text: String::with_capacity(text.len()), len: 0, difference: 0, corrections };
        let mut rest = text;
        while let Some(at) = rest.find(['<', '&']) {
            let (plain, markup) = rest.split_at(at);
            out.copy(plain);
            let piece = if markup.starts_with('&') { entity(markup) } else { self.markup(markup) };
            let taken = match piece {
                Some(Piece::Nothing(len)) => {
                    out.replace(markup.get(..len).unwrap_or_default(), None);
                    len
                }
                Some(Piece::LineEnd(len)) => {
                    out.replace(markup.get(..len).unwrap_or_default(), Some('\n'));
                    len
                }
                Some(Piece::Character(len, c)) => {
                    out.replace(markup.get(..len).unwrap_or_default(), Some(c));
                    len
                }
                Some(Piece::Raw(before, len, after)) => {
                    out.replace(markup.get(..before).unwrap_or_default(), None);
                    out.copy(markup.get(before..before + len).unwrap_or_default());
                    out.replace(markup.get(before + len..before + len + after).unwrap_or_default(), None);
                    before + len + after
                }
                None => {
                    out.copy(markup.get(..1).unwrap_or_default());
                    1
                }
            };
            rest = markup.get(taken..).unwrap_or_default();
        }
        out.copy(rest);
        Some(out.text)
    }

    fn markup(&self, text: &str) -> Option<Piece> {
        let to_the_end_of = |end: &str| text.find(end).map(|at| at + end.len());
        if text.starts_with("<!--") {
            return Some(Piece::Nothing(to_the_end_of("-->").unwrap_or(text.len())));
        }
        if let Some(raw) = text.strip_prefix("<![CDATA[") {
            return Some(match raw.find("]]>") {
                Some(len) => Piece::Raw(9, len, 3),
                None => Piece::Raw(9, raw.len(), 0),
            });
        }
        if text.starts_with("<?") {
            return to_the_end_of("?>").map(Piece::Nothing);
        }
        if text.starts_with("<!") {
            return to_the_end_of(">").map(Piece::Nothing);
        }
        let Tag { name, len, closing } = tag(text)?;
        let name = name.to_lowercase();
        if self.escaped_tags.contains(&name) {
            return Some(Piece::Raw(0, len, 0));
        }
        if !closing && matches!(name.as_str(), "script" | "style") {
            // Without its end the rest of the text belongs to it.
            return Some(match end_of_raw(text.get(len..).unwrap_or_default(), &name) {
                Some(end) => Piece::LineEnd(len + end),
                None => Piece::Nothing(text.len()),
            });
        }
        let inline = INLINE.contains(&name.as_str());
        Some(if inline { Piece::Nothing(len) } else { Piece::LineEnd(len) })
    }
}

/// What is written and how far it lies behind what was read.
struct Output<'a> {
    text: String,
    /// In UTF-16 units.
    len: u32,
    difference: i64,
    corrections: &'a mut Corrections,
}

impl Output<'_> {
    fn copy(&mut self, text: &str) {
        self.text.push_str(text);
        self.len += units(text);
    }

    fn replace(&mut self, taken: &str, by: Option<char>) {
        if taken.is_empty() {
            return;
        }
        let given = by.map_or(0, |c| if c.len_utf16() == 2 { 2 } else { 1 });
        self.text.extend(by);
        self.len += given;
        self.difference += i64::from(units(taken)) - i64::from(given);
        self.corrections.add(self.len, self.difference);
    }
}

struct Tag<'a> {
    name: &'a str,
    len: usize,
    closing: bool,
}

/// The tag that `text` begins with. A name that ends the text is a tag, too.
fn tag(text: &str) -> Option<Tag<'_>> {
    let inner = text.strip_prefix('<')?;
    let trimmed = inner.trim_start();
    let closing = trimmed.starts_with('/');
    let from_name = trimmed.strip_prefix('/').unwrap_or(trimmed).trim_start();
    let name_len = from_name
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')))
        .unwrap_or(from_name.len());
    let (name, mut rest) = from_name.split_at(name_len);
    if !name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':')) {
        return None;
    }
    if rest.is_empty() {
        return Some(Tag { name, len: text.len(), closing });
    }
    if !rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '/' | '>')) {
        return None;
    }
    loop {
        let at = rest.find(['>', '<', '"', '\''])?;
        let after = rest.get(at + 1..)?;
        match rest.as_bytes().get(at)? {
            b'>' => return Some(Tag { name, len: text.len() - after.len(), closing }),
            quote @ (b'"' | b'\'') => {
                let end = after.find(char::from(*quote))?;
                rest = after.get(end + 1..)?;
            }
            _ => return None,
        }
    }
}

/// Where the closing tag of a script or style ends.
fn end_of_raw(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("</") {
        let start = from + at;
        if let Some(found) = text.get(start..).and_then(tag)
            && found.closing
            && found.name.eq_ignore_ascii_case(name)
        {
            return Some(start + found.len);
        }
        from = start + 2;
    }
    None
}

/// The character reference that `text` begins with; it ends with a semicolon, or with the text.
fn entity(text: &str) -> Option<Piece> {
    let inner = text.strip_prefix('&')?;
    let len = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(inner.len());
    let (name, after) = inner.split_at(len);
    if !(after.starts_with(';') || after.is_empty()) {
        return None;
    }
    let total = 1 + len + usize::from(!after.is_empty());
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        // A non-breaking space separates words here.
        None => ENTITIES.get(name).map(|&c| if c == '\u{a0}' { ' ' } else { c })?,
    };
    Some(Piece::Character(total, c))
}
