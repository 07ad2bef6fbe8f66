//! The rules of `synonym` and `synonym_graph`, in Solr's or WordNet's form, as a table of what follows what.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::analyzers::Analyzer;
use crate::error::{Error, Result};

/// Rules by their first word.
#[derive(Debug, Default)]
pub(in super::super) struct SynonymMap {
    rules: FxHashMap<Box<str>, Vec<Rule>>,
}

/// What a sequence of words becomes.
#[derive(Debug)]
pub(super) struct Rule {
    /// The words after the first.
    rest: Vec<Box<str>>,
    /// Each a sequence of words.
    pub(super) outputs: Vec<Arc<[Box<str>]>>,
    /// Whether the words themselves stay.
    pub(super) keep_original: bool,
}

impl Rule {
    /// How many words it takes.
    pub(super) fn len(&self) -> usize {
        self.rest.len() + 1
    }
}

impl SynonymMap {
    /// The longest rule that the words from `at` on begin with.
    pub(super) fn longest_match<'a>(&self, at: usize, word: impl Fn(usize) -> Option<&'a str>) -> Option<&Rule> {
        let rules = self.rules.get(word(at)?)?;
        // Sorted by length, the longest first.
        rules
            .iter()
            .find(|rule| rule.rest.iter().enumerate().all(|(idx, expected)| word(at + 1 + idx) == Some(expected)))
    }

    fn add(&mut self, input: &[Box<str>], output: &Arc<[Box<str>]>, keep_original: bool) {
        let Some((first, rest)) = input.split_first() else { return };
        let rules = self.rules.entry(first.clone()).or_default();
        let rule = match rules.iter_mut().position(|rule| *rule.rest == *rest) {
            Some(known) => rules.get_mut(known),
            None => {
                rules.push(Rule { rest: rest.to_vec(), outputs: Vec::new(), keep_original: false });
                rules.last_mut()
            }
        };
        if let Some(rule) = rule {
            rule.keep_original |= keep_original;
            if !rule.outputs.contains(output) {
                rule.outputs.push(Arc::clone(output));
            }
        }
    }

    fn finish(mut self) -> Self {
        self.rules.values_mut().for_each(|rules| rules.sort_by_key(|rule| std::cmp::Reverse(rule.rest.len())));
        self
    }
}

/// How rules are read.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Reading {
    /// Whether words of one line stand for each other, or all become the first.
    pub(in super::super) expand: bool,
    /// Whether rules that cannot be used are left out.
    pub(in super::super) lenient: bool,
    pub(in super::super) wordnet: bool,
}

/// Builds the table from `lines`; words are analysed by what stands before the filter.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) naming the rule, unless `lenient`.
pub(in super::super) fn build(lines: &[String], reading: Reading, analyzer: &Analyzer) -> Result<SynonymMap> {
    let mut map = SynonymMap::default();
    if reading.wordnet {
        wordnet(&mut map, lines, reading, analyzer)?;
    } else {
        for (number, line) in lines.iter().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match solr_rule(&mut map, line, reading, analyzer) {
                Err(error) if !reading.lenient => {
                    return Err(Error::invalid_input(format!("Invalid synonym rule at line {}: {error}", number + 1)));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(map.finish())
}

fn solr_rule(map: &mut SynonymMap, line: &str, reading: Reading, analyzer: &Analyzer) -> Result<()> {
    let sides = split(line, "=>");
    // A lenient reader drops single words that cannot be analysed, not the whole rule.
    let words = |side: &str| -> Result<Vec<Arc<[Box<str>]>>> {
        let mut words = Vec::new();
        for word in split(side, ",") {
            match analyze(unescape(&word).trim(), analyzer) {
                Ok(terms) => words.push(terms),
                Err(_) if reading.lenient => {}
                Err(error) => return Err(error),
            }
        }
        Ok(words)
    };
    match sides.as_slice() {
        [inputs, outputs] => {
            let (inputs, outputs) = (words(inputs)?, words(outputs)?);
            for input in &inputs {
                outputs.iter().for_each(|output| map.add(input, output, false));
            }
        }
        [all] => add_equal(map, &words(all)?, reading.expand),
        _ => return Err(Error::invalid_input("more than one explicit mapping specified on the same line")),
    }
    Ok(())
}

fn add_equal(map: &mut SynonymMap, words: &[Arc<[Box<str>]>], expand: bool) {
    if expand {
        for (i, input) in words.iter().enumerate() {
            for (j, output) in words.iter().enumerate() {
                if i != j {
                    map.add(input, output, true);
                }
            }
        }
    } else if let Some(first) = words.first() {
        words.iter().for_each(|input| map.add(input, first, false));
    }
}

/// `s(100000001,1,'abstain',v,1,0).`: words with one number stand for each other.
fn wordnet(map: &mut SynonymMap, lines: &[String], reading: Reading, analyzer: &Analyzer) -> Result<()> {
    let mut set: Vec<Arc<[Box<str>]>> = Vec::new();
    let mut last_id: Option<&str> = None;
    for (number, line) in lines.iter().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let id = line.strip_prefix("s(").and_then(|rest| rest.split(',').next());
        let word = line.find('\'').zip(line.rfind('\'')).and_then(|(start, end)| line.get(start + 1..end));
        let (Some(id), Some(word)) = (id, word) else {
            if reading.lenient {
                continue;
            }
            return Err(Error::invalid_input(format!("Invalid synonym rule at line {}: {line}", number + 1)));
        };
        if last_id.is_some_and(|last| last != id) {
            add_set(map, &mut set, reading.expand);
        }
        last_id = Some(id);
        match analyze(&word.replace("''", "'"), analyzer) {
            Ok(terms) => set.push(terms),
            Err(_) if reading.lenient => {}
            Err(error) => {
                return Err(Error::invalid_input(format!("Invalid synonym rule at line {}: {error}", number + 1)));
            }
        }
    }
    add_set(map, &mut set, reading.expand);
    Ok(())
}

fn add_set(map: &mut SynonymMap, set: &mut Vec<Arc<[Box<str>]>>, expand: bool) {
    if set.len() > 1 {
        add_equal(map, set, expand);
    }
    set.clear();
}

fn analyze(text: &str, analyzer: &Analyzer) -> Result<Arc<[Box<str>]>> {
    let tokens = analyzer.stream_tokens(text);
    let mut terms: Vec<Box<str>> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.term.is_empty() {
            return Err(Error::invalid_input(format!("term: {text} analyzed to a zero-length token")));
        }
        if token.increment != 1 {
            return Err(Error::invalid_input(format!(
                "term: {text} analyzed to a token ({}) with position increment != 1 (got: {})",
                token.term, token.increment
            )));
        }
        terms.push(token.term.into());
    }
    if terms.is_empty() {
        return Err(Error::invalid_input(format!("term: {text} was completely eliminated by analyzer")));
    }
    Ok(terms.into())
}

/// Cuts at `separator` where no backslash stands before it; empty pieces go.
fn split(line: &str, separator: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(separator) {
            if pieces.last().is_some_and(|piece| !piece.is_empty()) {
                pieces.push(String::new());
            }
            rest = after;
            continue;
        }
        let mut taken = c.len_utf8();
        if c == '\\' {
            taken += rest.chars().nth(1).map_or(0, char::len_utf8);
        }
        let (piece, after) = rest.split_at(taken);
        if let Some(last) = pieces.last_mut() {
            last.push_str(piece);
        }
        rest = after;
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_separators_that_are_not_escaped() {
        assert_eq!(split("a\\,b, c", ","), ["a\\,b", " c"]);
        assert_eq!(split("a => b", "=>"), ["a ", " b"]);
        assert_eq!(split("a\\=>b", "=>"), ["a\\=>b"]);
        assert_eq!(unescape("a\\,b\\\\"), "a,b\\");
    }
}
