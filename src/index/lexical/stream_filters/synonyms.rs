//! `synonym` and `synonym_graph`: words replaced by others, or others beside them.

use super::super::stream::{Stream, StreamToken, TokenKind, to_u32};
use super::synonym_map::{Rule, SynonymMap};

/// A token on its way out, between two nodes of the graph.
struct Placed {
    token: StreamToken,
    from: u32,
    to: u32,
}

/// Lucene's `SynonymGraphFilter`: every synonym is a way of its own between two nodes. Holes before a matched word are lost.
pub(super) fn graph(stream: &mut Stream, map: &SynonymMap) {
    let tokens = std::mem::take(&mut stream.tokens);
    let mut out = Vec::with_capacity(tokens.len());
    // Node 0 is before the first token; Lucene starts at -1 and 0.
    let (mut last_node, mut next_node) = (0_u32, 1_u32);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let Some(rule) = map.longest_match(at, |idx| tokens.get(idx).map(|token| token.term.as_str())) else {
            last_node = last_node.saturating_add(token.increment);
            next_node = last_node.saturating_add(token.position_length);
            out.push(token.clone());
            at += 1;
            continue;
        };
        let matched = tokens.get(at..at + rule.len()).unwrap_or_default();
        let end_node = place(matched, rule, next_node, |placed| {
            out.push(StreamToken {
                increment: placed.from.saturating_sub(last_node),
                position_length: placed.to.saturating_sub(placed.from),
                ..placed.token
            });
            last_node = placed.from;
        });
        next_node = end_node;
        at += rule.len();
    }
    stream.tokens = out;
}

/// Lays a rule's outputs, and the words where they stay, between `start` and the node that is returned.
fn place(matched: &[StreamToken], rule: &Rule, start: u32, mut visit: impl FnMut(Placed)) -> u32 {
    let (Some(first), Some(last)) = (matched.first(), matched.last()) else { return start };
    let synonym = |term: &str| StreamToken {
        term: term.to_string(),
        start: first.start,
        end: last.end,
        increment: 0,
        position_length: 1,
        kind: TokenKind::Synonym,
        keyword: false,
    };
    // Ways, the words themselves last.
    let mut ways: Vec<Vec<StreamToken>> =
        rule.outputs.iter().map(|words| words.iter().map(|word| synonym(word)).collect()).collect();
    if rule.keep_original {
        ways.push(matched.to_vec());
    }
    let inner_nodes: usize = ways.iter().map(|way| way.len().saturating_sub(1)).sum();
    let end = start + to_u32(inner_nodes) + 1;
    let mut next_inner = start;
    let mut rests = Vec::new();
    for way in ways {
        let inner = to_u32(way.len().saturating_sub(1));
        let mut words = way.into_iter();
        let Some(word) = words.next() else { continue };
        let to = if inner == 0 { end } else { next_inner + 1 };
        visit(Placed { token: word, from: start, to });
        next_inner += inner;
        rests.push((to, words));
    }
    for (mut node, words) in rests {
        let count = words.len();
        for (idx, word) in words.enumerate() {
            let to = if idx + 1 == count { end } else { node + 1 };
            visit(Placed { token: word, from: node, to });
            node += 1;
        }
    }
    end
}

/// Synonyms that wait at a place.
#[derive(Default)]
struct Waiting {
    /// Term, its end where it is not that of the token at the place, and how many positions it spans.
    outputs: Vec<(Box<str>, Option<u32>, u32)>,
}

/// Lucene's `SynonymFilter`: the words of a longer synonym lie on the words that follow, whatever they are.
pub(super) fn flat(stream: &mut Stream, map: &SynonymMap) {
    let tokens = std::mem::take(&mut stream.tokens);
    let mut waiting: Vec<Waiting> = Vec::new();
    waiting.resize_with(tokens.len() + 1, Waiting::default);
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let rule = map.longest_match(at, |idx| tokens.get(idx).map(|token| token.term.as_str()));
        let taken = rule.map_or(1, Rule::len);
        let keep = rule.is_none_or(|rule| rule.keep_original);
        if let Some(rule) = rule {
            let match_end = tokens.get(at + taken - 1).map(|token| token.end);
            for output in &rule.outputs {
                for (idx, word) in output.iter().enumerate() {
                    if waiting.len() <= at + idx {
                        waiting.resize_with(at + idx + 1, Waiting::default);
                    }
                    let single = output.len() == 1;
                    let span = if single && rule.keep_original { to_u32(taken) } else { 1 };
                    if let Some(place) = waiting.get_mut(at + idx) {
                        place.outputs.push((word.clone(), match_end.filter(|_| single), span));
                    }
                }
            }
        }
        for idx in at..at + taken {
            let (Some(token), Some(place)) = (tokens.get(idx), waiting.get_mut(idx)) else { break };
            emit(token, keep, std::mem::take(place), &mut out);
        }
        at += taken;
    }
    if let Some(last) = tokens.last() {
        let beyond = StreamToken { kind: TokenKind::Synonym, increment: 1, ..last.clone() };
        for place in waiting.into_iter().skip(tokens.len()) {
            emit(&beyond, false, place, &mut out);
        }
    }
    stream.tokens = out;
}

fn emit(token: &StreamToken, keep: bool, place: Waiting, out: &mut Vec<StreamToken>) {
    let mut increment = 1;
    if keep {
        out.push(token.clone());
        increment = 0;
    }
    for (term, end, position_length) in place.outputs {
        out.push(StreamToken {
            term: term.into(),
            start: token.start,
            end: end.unwrap_or(token.end),
            increment,
            position_length,
            kind: TokenKind::Synonym,
            keyword: false,
        });
        increment = 0;
    }
}
