//! `flatten_graph`: a graph of tokens made fit for an index, which knows positions and no position lengths.
//!
//! Every node gets the length of the longest way to it; words of side ways then lie on each other. As in Lucene, a hole counts
//! one however wide it was, and offsets are cut to those of the places that a token lies between.

use std::collections::BTreeMap;

use super::super::stream::Stream;

/// Where a place of the flat stream lies in the text.
#[derive(Default)]
struct Place {
    /// The latest beginning of the tokens that leave it.
    start: Option<u32>,
    /// The earliest end of the tokens that reach it.
    end: Option<u32>,
}

pub(super) fn flatten(stream: &mut Stream) {
    let mut longest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut nodes = Vec::with_capacity(stream.tokens.len());
    let mut node = 0_u64;
    for token in &stream.tokens {
        node += u64::from(token.increment);
        // A node that no token leads to lies behind a hole.
        let before = longest.range(..=node).next_back().map(|(&node, &place)| (node, place));
        let here = match before {
            Some((known, place)) if known == node => place,
            Some((_, place)) => place + 1,
            None => node.min(2),
        };
        longest.insert(node, here);
        let to = node + u64::from(token.position_length.max(1));
        let there = longest.entry(to).or_insert(0);
        *there = (*there).max(here + 1);
        nodes.push((node, to));
    }
    let place_of = |node: u64| longest.get(&node).copied().unwrap_or(node);
    let mut places: BTreeMap<u64, Place> = BTreeMap::new();
    for (token, &(from, to)) in stream.tokens.iter().zip(&nodes) {
        let start = &mut places.entry(place_of(from)).or_default().start;
        *start = Some(start.map_or(token.start, |start| start.max(token.start)));
        let end = &mut places.entry(place_of(to)).or_default().end;
        *end = Some(end.map_or(token.end, |end| end.min(token.end)));
    }
    let mut tokens: Vec<_> = std::mem::take(&mut stream.tokens).into_iter().zip(nodes).collect();
    tokens.sort_by_key(|(_, (from, _))| place_of(*from));
    let (mut last_place, mut last_start) = (0, 0);
    for (mut token, (from, to)) in tokens {
        let (here, there) = (place_of(from), place_of(to));
        token.increment = u32::try_from(here.saturating_sub(last_place)).unwrap_or(u32::MAX);
        token.position_length = u32::try_from(there.saturating_sub(here)).unwrap_or(1).max(1);
        token.start = places.get(&here).and_then(|place| place.start).unwrap_or(token.start).max(last_start);
        token.end = places.get(&there).and_then(|place| place.end).unwrap_or(token.end).max(token.start);
        (last_place, last_start) = (here, token.start);
        stream.tokens.push(token);
    }
}
