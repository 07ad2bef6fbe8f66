//! Headings, paragraphs, list items and code: what the lines of a text make of it.
//!
//! Markdown by its simple rules (ATX and setext headings, fenced code, list items, table rows), MediaWiki's `== heading ==`, and plain text: a
//! short line between blank ones that does not end like a sentence is a heading if a real paragraph follows. Nothing is ever left
//! out: what is not understood is a paragraph.

use std::ops::Range;

/// A stretch of lines that belong together, blank lines left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) range: Range<usize>,
    pub(super) kind: BlockKind,
    /// Whether a blank line or a heading stands before it.
    pub(super) is_apart: bool,
    num_lines: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Heading,
    /// Sentences; line ends are spaces.
    Prose,
    /// Lines: code, rows of a table.
    Verbatim,
}

/// Longer lines are no headings.
const MAX_HEADING_BYTES: usize = 100;
const MAX_HEADING_WORDS: usize = 12;

/// The blocks of `text`, in order.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        blocks.read_line(line.trim(), line, range);
    }
    let mut blocks = blocks.done;
    find_plain_headings(text, &mut blocks);
    blocks
}

#[derive(Debug, Default)]
struct Blocks {
    done: Vec<Block>,
    /// The mark that closes the code that is open.
    fence: Option<Fence>,
    /// Whether the last block may grow.
    is_open: bool,
    is_apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fence {
    mark: char,
    len: usize,
}

impl Blocks {
    fn read_line(&mut self, content: &str, line: &str, range: Range<usize>) {
        if let Some(open) = self.fence {
            self.grow(BlockKind::Verbatim, range);
            if closes(content, open) {
                self.fence = None;
                self.is_open = false;
            }
            return;
        }
        if content.is_empty() {
            self.is_open = false;
            self.is_apart = true;
            return;
        }
        if let Some(fence) = fence(content) {
            self.fence = Some(fence);
            self.begin(BlockKind::Verbatim, range);
        } else if is_marked_heading(content) {
            self.is_apart = true;
            self.begin(BlockKind::Heading, range);
            self.is_open = false;
            self.is_apart = true;
        } else if self.is_underline(content) {
            self.underline(range);
        } else if content.starts_with('|') {
            match self.done.last() {
                Some(last) if self.is_open && last.kind == BlockKind::Verbatim => self.grow(BlockKind::Verbatim, range),
                _ => self.begin(BlockKind::Verbatim, range),
            }
        } else if is_list_item(content) || self.follows_verbatim() {
            self.begin(BlockKind::Prose, range);
        } else if !self.is_open && line.starts_with([' ', '\t']) && is_indented_code(line) {
            self.begin(BlockKind::Verbatim, range);
        } else {
            self.grow(BlockKind::Prose, range);
        }
    }

    fn begin(&mut self, kind: BlockKind, range: Range<usize>) {
        let is_apart = self.is_apart || self.done.is_empty();
        self.done.push(Block { range, kind, is_apart, num_lines: 1 });
        self.is_open = true;
        self.is_apart = false;
    }

    fn grow(&mut self, kind: BlockKind, range: Range<usize>) {
        match self.done.last_mut() {
            Some(last) if self.is_open => {
                last.range.end = range.end;
                last.num_lines += 1;
            }
            _ => self.begin(kind, range),
        }
    }

    fn follows_verbatim(&self) -> bool {
        self.is_open && self.done.last().is_some_and(|last| last.kind == BlockKind::Verbatim)
    }

    /// A line of `=` or `-` under one short line makes a heading of it.
    fn is_underline(&self, content: &str) -> bool {
        let is_rule = content.len() >= 3 && (content.bytes().all(|b| b == b'=') || content.bytes().all(|b| b == b'-'));
        let can_be_title = |last: &Block| {
            last.kind == BlockKind::Prose && last.num_lines == 1 && last.range.len() <= MAX_HEADING_BYTES
        };
        is_rule && self.is_open && self.done.last().is_some_and(can_be_title)
    }

    fn underline(&mut self, range: Range<usize>) {
        if let Some(last) = self.done.last_mut() {
            last.range.end = range.end;
            last.kind = BlockKind::Heading;
            last.is_apart = true;
        }
        self.is_open = false;
        self.is_apart = true;
    }
}

fn fence(content: &str) -> Option<Fence> {
    let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let len = content.chars().take_while(|&c| c == mark).count();
    // A line such as ```code``` opens nothing.
    (len >= 3 && !content[len..].contains('`')).then_some(Fence { mark, len })
}

fn closes(content: &str, open: Fence) -> bool {
    content.len() >= open.len && content.chars().all(|c| c == open.mark)
}

/// `# Title` and `== Title ==`.
fn is_marked_heading(content: &str) -> bool {
    let level = content.bytes().take_while(|&byte| byte == b'#').count();
    if (1..=6).contains(&level) {
        let rest = &content[level..];
        return rest.starts_with([' ', '\t']) && !rest.trim().is_empty();
    }
    let level = content.bytes().take_while(|&byte| byte == b'=').count();
    (2..=6).contains(&level) && content.len() > 2 * level && content.ends_with(&content[..level])
}

fn is_list_item(content: &str) -> bool {
    if let Some(rest) = content.strip_prefix(['-', '*', '+', '•']) {
        return rest.starts_with([' ', '\t']);
    }
    let num_digits = content.bytes().take_while(u8::is_ascii_digit).count();
    (1..=3).contains(&num_digits)
        && content[num_digits..].strip_prefix(['.', ')']).is_some_and(|rest| rest.starts_with(' '))
}

/// Four columns of indentation, and the look of code: prose may be indented too.
fn is_indented_code(line: &str) -> bool {
    (line.starts_with('\t') || line.starts_with("    ")) && line.contains(['{', '}', ';', '=', '(', '<', '$'])
}

/// Makes headings of the short paragraphs that stand over longer ones.
fn find_plain_headings(text: &str, blocks: &mut [Block]) {
    let looks: Vec<bool> = blocks.iter().map(|block| looks_like_heading(text, block)).collect();
    for idx in 0..blocks.len().saturating_sub(1) {
        let next = &blocks[idx + 1];
        if looks[idx] && !looks[idx + 1] && next.is_apart && next.kind != BlockKind::Heading {
            blocks[idx].kind = BlockKind::Heading;
        }
    }
}

fn looks_like_heading(text: &str, block: &Block) -> bool {
    let content = text[block.range.clone()].trim();
    block.kind == BlockKind::Prose
        && block.is_apart
        && block.num_lines == 1
        && content.len() <= MAX_HEADING_BYTES
        && !is_list_item_without_number(content)
        && !content.ends_with(['.', '!', '?', ';', ':', ',', '"', '\u{201d}', '。', '！', '？'])
        && content.chars().next().is_some_and(|c| !c.is_lowercase())
        && content.chars().any(char::is_alphabetic)
        && content.split_whitespace().count() <= MAX_HEADING_WORDS
}

/// `1. Introduction` may be a heading, `- milk` is none.
fn is_list_item_without_number(content: &str) -> bool {
    is_list_item(content) && !content.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(BlockKind, String)> {
        blocks(text).into_iter().map(|block| (block.kind, text[block.range].trim_end().to_string())).collect()
    }

    fn owned(expected: &[(BlockKind, &str)]) -> Vec<(BlockKind, String)> {
        expected.iter().map(|(kind, text)| (*kind, (*text).to_string())).collect()
    }

    #[test]
    fn markdown_is_understood() {
        use BlockKind::{Heading, Prose, Verbatim};
        let text = "# Wings\nTwo lines\nof prose.\n\nSetext\n------\n- one\n- two\n  goes on\n\n```sh\n# no heading\n\nls\n```\nAfter.\n\
                    | a | b |\n|---|---|\n== Wiki ==\n#hashtag\n";
        assert_eq!(
            kinds(text),
            owned(&[
                (Heading, "# Wings"),
                (Prose, "Two lines\nof prose."),
                (Heading, "Setext\n------"),
                (Prose, "- one"),
                (Prose, "- two\n  goes on"),
                (Verbatim, "```sh\n# no heading\n\nls\n```"),
                (Prose, "After."),
                (Verbatim, "| a | b |\n|---|---|"),
                (Heading, "== Wiki =="),
                (Prose, "#hashtag"),
            ])
        );
    }

    #[test]
    fn plain_headings_stand_alone_over_a_paragraph() {
        use BlockKind::{Heading, Prose};
        let text = "1.2 Methods\n\nWe measured lift.\n\nResults\n\nDiscussion\n\nthe end of it.\n\nA closing line";
        assert_eq!(
            kinds(text),
            owned(&[
                (Heading, "1.2 Methods"),
                (Prose, "We measured lift."),
                (Prose, "Results"),
                (Heading, "Discussion"),
                (Prose, "the end of it."),
                (Prose, "A closing line"),
            ])
        );
    }
}
