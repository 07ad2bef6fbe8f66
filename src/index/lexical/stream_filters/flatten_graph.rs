//! `flatten_graph`: a graph of tokens made fit for an index, which knows positions and no position lengths.
//!
//! Every node gets the length of the longest way to it; words of side ways then lie on each other.

use std::collections::BTreeMap;

use super::super::stream::Stream;

pub(super) fn flatten(stream: &mut Stream) {
    let mut longest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut places = Vec::with_capacity(stream.tokens.len());
    let mut node = 0_u64;
    for token in &stream.tokens {
        let before = node;
        node += u64::from(token.increment);
        // A hole, or a node that no token leads to, is as far behind the one before as it was.
        if !longest.contains_key(&node) {
            let known = longest.range(..=before.max(1)).next_back().map_or((1, 1), |(&node, &place)| (node, place));
            let here = if longest.is_empty() { node } else { known.1 + node.saturating_sub(known.0) };
            longest.insert(node, here);
        }
        let to = node + u64::from(token.position_length.max(1));
        let here = longest.get(&node).copied().unwrap_or(node);
        let there = longest.entry(to).or_insert(0);
        *there = (*there).max(here + 1);
        places.push((node, to));
    }
    let place_of = |node: u64| longest.get(&node).copied().unwrap_or(node);
    let mut tokens: Vec<_> = std::mem::take(&mut stream.tokens).into_iter().zip(places).collect();
    tokens.sort_by_key(|(_, (from, _))| place_of(*from));
    let mut last = 0;
    for (mut token, (from, to)) in tokens {
        let here = place_of(from);
        token.increment = u32::try_from(here.saturating_sub(last)).unwrap_or(u32::MAX);
        token.position_length = u32::try_from(place_of(to).saturating_sub(here)).unwrap_or(1).max(1);
        last = here;
        stream.tokens.push(token);
    }
}
