//! Pieces made into passages: the cuts that cost least, found by dynamic programming from the end of the text.
//!
//! A passage of `n` own tokens costs `1/2 + (1 - n / max_tokens)^2`, so that passages are few and even; what stands at its beginning adds to that
//! ([`start_cost`]), and so does every heading within it, since a heading wants to begin a passage.

use std::ops::Range;

use super::ChunkOptions;
use super::units::{Boundary, Unit};

/// What a passage costs for being one.
const PASSAGE_COST: f64 = 0.5;
/// What a heading costs that is not at the beginning of its passage.
const HEADING_INSIDE_COST: f64 = 0.5;
/// What a cut between a heading and what it stands over costs.
const TORN_HEADING_COST: f64 = 2.0;

/// What it costs to begin a passage here.
fn start_cost(boundary: Boundary) -> f64 {
    match boundary {
        Boundary::Heading => 0.0,
        Boundary::Paragraph => 0.1,
        Boundary::Sentence => 0.25,
        Boundary::Word => 0.6,
        Boundary::Inside => 1.5,
    }
}

/// The passages of a text, as byte ranges.
pub(super) fn passages(units: &[Unit], options: &ChunkOptions) -> Vec<Range<usize>> {
    let ends = cheapest_ends(units, options);
    let mut ranges = Vec::new();
    let (mut start, mut previous_start) = (0, 0);
    while start < units.len() {
        let end = ends[start];
        let num_own: usize = units[start..end].iter().map(|unit| unit.num_tokens).sum();
        let (mut overlap, mut num_overlap) = overlap_before(units, start, options);
        // Its own pieces go before repeated ones, and a passage never reaches the one before the last.
        while overlap < start && (num_own + num_overlap > options.max_tokens || overlap <= previous_start) {
            num_overlap -= units[overlap].num_tokens;
            overlap += 1;
        }
        ranges.push(units[overlap].range.start..units[end - 1].range.end);
        previous_start = start;
        start = end;
    }
    ranges
}

/// For each piece, where the passage that begins with it ends (the piece after its last) if the rest is cut as well as possible.
fn cheapest_ends(units: &[Unit], options: &ChunkOptions) -> Vec<usize> {
    let mut costs = vec![0.0f64; units.len() + 1];
    let mut ends = vec![0usize; units.len()];
    for start in (0..units.len()).rev() {
        let (_, num_overlap) = overlap_before(units, start, options);
        let torn = start > 0 && units[start - 1].boundary == Boundary::Heading;
        let mut cost = PASSAGE_COST + start_cost(units[start].boundary) + if torn { TORN_HEADING_COST } else { 0.0 };
        let mut num_tokens = 0;
        let mut best = (f64::INFINITY, start + 1);
        for end in start + 1..=units.len() {
            let last = &units[end - 1];
            num_tokens += last.num_tokens;
            // One piece always fits, if need be without an overlap.
            if end > start + 1 && num_tokens + num_overlap > options.max_tokens {
                break;
            }
            let opens_section = last.boundary == Boundary::Heading && end > start + 1;
            if opens_section && units[end - 2].boundary != Boundary::Heading {
                cost += HEADING_INSIDE_COST;
            }
            let missing = 1.0 - num_tokens.min(options.max_tokens) as f64 / options.max_tokens as f64;
            let total = cost + missing * missing + costs[end];
            // At equal cost the longer passage: fewer come after it.
            if total <= best.0 {
                best = (total, end);
            }
        }
        (costs[start], ends[start]) = best;
    }
    ends
}

/// The first of the pieces that a passage from `start` on repeats, and their tokens: whole sentences, within the limits, none across a heading.
fn overlap_before(units: &[Unit], start: usize, options: &ChunkOptions) -> (usize, usize) {
    let (mut first, mut num_tokens) = (start, 0);
    if start == 0 || units[start].boundary == Boundary::Heading {
        return (first, num_tokens);
    }
    while first > 0 && start - first < options.overlap_sentences {
        let before = &units[first - 1];
        if before.boundary == Boundary::Heading || num_tokens + before.num_tokens > options.overlap_tokens {
            break;
        }
        first -= 1;
        num_tokens += before.num_tokens;
    }
    (first, num_tokens)
}
