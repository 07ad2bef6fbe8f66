//! `pattern_capture`: what the groups of patterns hold, at the place of the token.

use super::super::java_regex::Pattern;
use super::super::stream::{Stream, StreamToken};

/// Groups in the order in which they begin; the term itself first, or in place of no group at all.
pub(super) fn capture(stream: &mut Stream, patterns: &[Pattern], keep_original: bool) {
    let mut out = Vec::with_capacity(stream.tokens.len());
    for token in stream.tokens.drain(..) {
        let groups = groups_of(&token.term, patterns, keep_original);
        if keep_original || groups.is_empty() {
            out.push(token.clone());
        }
        let first_is_original = keep_original;
        for (at, (start, end)) in groups.into_iter().enumerate() {
            let increment = if at == 0 && !first_is_original { token.increment } else { 0 };
            let term = token.term.get(start..end).unwrap_or_default().to_string();
            out.push(StreamToken { term, increment, ..token.clone() });
        }
    }
    stream.tokens = out;
}

/// Merges the patterns' groups by where they begin; within a pattern they come match by match, group by group.
fn groups_of(term: &str, patterns: &[Pattern], keep_original: bool) -> Vec<(usize, usize)> {
    let mut queues: Vec<std::collections::VecDeque<(usize, usize)>> = patterns
        .iter()
        .map(|pattern| {
            pattern
                .captures_iter(term)
                .flat_map(|groups| groups.parts().map(|group| (group.start, group.end)).collect::<Vec<_>>())
                .filter(|&(start, end)| start < end && !(keep_original && start == 0 && end == term.len()))
                .collect()
        })
        .collect();
    let mut merged = Vec::new();
    loop {
        let next = queues.iter().enumerate().filter_map(|(at, queue)| Some((queue.front()?.0, at))).min();
        let Some(group) = next.and_then(|(_, at)| queues.get_mut(at)).and_then(std::collections::VecDeque::pop_front)
        else {
            return merged;
        };
        merged.push(group);
    }
}
