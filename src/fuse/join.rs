//! The outer join of the legs' candidates on the document, which every fusion begins with.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use super::{FusedCandidate, LegPart, LegRun};
use crate::document::DocumentId;
use crate::retrieve::{Candidate, DocLocator};

/// Joins the runs and sums what `contribution` gives for each candidate, then sorts.
///
/// * `missing`: one part a leg, which a document gets from a leg that did not return it.
/// * `part(leg_idx, rank, score)`: the part of a leg's candidate; `rank` from 1.
pub(super) fn join(
    runs: &[LegRun<'_>],
    missing: &[LegPart],
    part: impl Fn(usize, u32, f32) -> LegPart,
) -> Vec<FusedCandidate> {
    let has_locators = runs.iter().flat_map(|run| run.candidates).all(|candidate| candidate.locator.is_some());
    let mut fused = if has_locators {
        // PERF: places are two small integers of our own making and need no hash that withstands an attacker, as ids do.
        let slots: HashMap<Option<DocLocator>, usize, BuildHasherDefault<PlaceHasher>> = HashMap::default();
        fill(runs, missing, part, slots, |candidate| candidate.locator)
    } else {
        let slots: HashMap<&DocumentId, usize> = HashMap::new();
        fill(runs, missing, part, slots, |candidate| &candidate.id)
    };
    for candidate in &mut fused {
        candidate.score = sum(&candidate.parts);
    }
    fused.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    fused
}

fn fill<'a, K: Eq + std::hash::Hash, S: BuildHasher>(
    runs: &[LegRun<'a>],
    missing: &[LegPart],
    part: impl Fn(usize, u32, f32) -> LegPart,
    mut slots: HashMap<K, usize, S>,
    key: impl Fn(&'a Candidate) -> K,
) -> Vec<FusedCandidate> {
    let num_candidates = runs.iter().map(|run| run.candidates.len()).sum();
    slots.reserve(num_candidates);
    let mut fused: Vec<FusedCandidate> = Vec::with_capacity(num_candidates);
    for (leg_idx, run) in runs.iter().enumerate() {
        for (rank, candidate) in (1u32..).zip(run.candidates) {
            let slot = *slots.entry(key(candidate)).or_insert_with(|| {
                fused.push(FusedCandidate {
                    id: candidate.id.clone(),
                    locator: candidate.locator,
                    passage: None,
                    score: 0.0,
                    parts: missing.to_vec(),
                });
                fused.len() - 1
            });
            let target = &mut fused[slot];
            if target.parts[leg_idx].rank.is_some() {
                continue;
            }
            let new = part(leg_idx, rank, candidate.score);
            if candidate.passage.is_some() && explains_more(&new, candidate, target, runs) {
                target.passage = candidate.passage;
            }
            target.locator = target.locator.or(candidate.locator);
            target.parts[leg_idx] = new;
        }
    }
    fused
}

/// Whether `new` contributes more than every part of `target` whose leg knew a passage; equal ones go by the passage's place,
/// so that the order of the legs does not matter.
fn explains_more(new: &LegPart, candidate: &Candidate, target: &FusedCandidate, runs: &[LegRun<'_>]) -> bool {
    let Some(known) = &target.passage else { return true };
    let earlier = target.parts.iter().zip(runs).filter_map(|(part, run)| {
        let source = &run.candidates[part.rank? as usize - 1];
        source.passage.is_some().then_some(part.contribution)
    });
    let most = earlier.fold(f64::NEG_INFINITY, f64::max);
    let place =
        |passage: &crate::retrieve::PassageMatch| (passage.span.value_idx, passage.span.start, passage.span.end);
    match new.contribution.total_cmp(&most) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => candidate.passage.as_ref().is_some_and(|passage| place(passage) < place(known)),
    }
}

/// The sum of the contributions, in an order that does not depend on the order of the legs.
fn sum(parts: &[LegPart]) -> f64 {
    match parts {
        [] => 0.0,
        [one] => one.contribution,
        [one, two] => one.contribution + two.contribution,
        many => {
            let mut contributions: Vec<f64> = many.iter().map(|part| part.contribution).collect();
            contributions.sort_unstable_by(f64::total_cmp);
            contributions.iter().sum()
        }
    }
}

/// Fibonacci hashing of a place in the index: segment and document, two integers that nobody outside can choose.
#[derive(Default)]
struct PlaceHasher(u64);

/// 2^64 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming, volume 3, section 6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl PlaceHasher {
    fn mix(&mut self, number: u64) {
        let product = u128::from(self.0.rotate_left(32) ^ number) * u128::from(GOLDEN);
        #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are folded into one")]
        let folded = (product ^ (product >> 64)) as u64;
        self.0 = folded;
    }
}

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.mix(u64::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_isize(&mut self, number: isize) {
        // The discriminant of the option around a place.
        self.mix(number.unsigned_abs() as u64);
    }
}
