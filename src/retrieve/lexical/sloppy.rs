//! How often a phrase stands in a document when its words may be out of place: as Lucene's `SloppyPhraseMatcher` counts.
//!
//! Each place of the phrase walks its positions; the one that stands first moves on, and each time that it passes the next one, the
//! tightest window before is an occurrence. Places that share a term (a word that repeats, beginnings that fit another word) never
//! stand on the same word: of two that do, the lesser moves on.

use tantivy::Term;

/// A place of a phrase in one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Positions from the phrase's beginning.
    pub(super) offset: u32,
    /// Positions in the document, minus the offset, ascending.
    pub(super) positions: &'a [i64],
    /// Places of one group share terms.
    pub(super) group: Option<usize>,
}

/// The groups of places that share terms; `None` for a place that shares none.
pub(super) fn groups<'t>(places: impl Iterator<Item = &'t [Term]>) -> Vec<Option<usize>> {
    let places: Vec<&[Term]> = places.collect();
    let mut groups: Vec<Option<usize>> = vec![None; places.len()];
    for (later, terms) in places.iter().enumerate() {
        for (earlier, others) in places.iter().enumerate().take(later) {
            if !terms.iter().any(|term| others.contains(term)) {
                continue;
            }
            let group = groups.get(earlier).copied().flatten().unwrap_or(earlier);
            let merged = groups.get(later).copied().flatten();
            for (place, slot) in groups.iter_mut().enumerate() {
                if place == earlier || place == later || (slot.is_some() && *slot == merged) {
                    *slot = Some(group);
                }
            }
        }
    }
    groups
}

/// The sum of `1 / (1 + d)` over the occurrences that are `d`, at most `slop`, positions out of place.
///
/// * `places`: by ascending offset.
pub(super) fn freq(places: &[Place<'_>], slop: u32) -> f32 {
    let mut walk = Walk { places, at: vec![0; places.len()], end: i64::MIN };
    if places.iter().any(|place| place.positions.is_empty()) || !walk.part() {
        return 0.0;
    }
    walk.end = (0..places.len()).map(|place| walk.position(place)).max().unwrap_or(i64::MIN);
    let mut queue: Vec<usize> = (0..places.len()).collect();
    let mut freq = 0.0;
    let mut count = |length: i64| {
        if length <= i64::from(slop) {
            freq += 1.0 / (1.0 + length as f32);
        }
    };
    let Some((mut first, mut next)) = walk.pop(&mut queue) else { return 0.0 };
    let mut length = walk.end - walk.position(first);
    while walk.advance(first) && walk.part_from(first) {
        let position = walk.position(first);
        if position > next {
            queue.push(first);
            count(length);
            let Some(popped) = walk.pop(&mut queue) else { break };
            (first, next) = popped;
            length = walk.end - walk.position(first);
        } else {
            length = length.min(walk.end - position);
        }
    }
    count(length);
    freq
}

struct Walk<'a> {
    places: &'a [Place<'a>],
    /// Where each place stands among its positions.
    at: Vec<usize>,
    /// The last position on which one stood.
    end: i64,
}

impl Walk<'_> {
    fn place(&self, place: usize) -> (i64, i64, Option<usize>) {
        let position = |found: &Place<'_>| found.positions.get(self.at.get(place).copied()?).copied();
        self.places.get(place).map_or((i64::MAX, 0, None), |found| {
            (position(found).unwrap_or(i64::MAX), i64::from(found.offset), found.group)
        })
    }

    fn position(&self, place: usize) -> i64 {
        self.place(place).0
    }

    /// Takes the place that stands first out of the queue, and tells where the next one stands.
    fn pop(&self, queue: &mut Vec<usize>) -> Option<(usize, i64)> {
        let key = |place: &usize| (self.position(*place), *place);
        let first = queue.iter().copied().min_by_key(key)?;
        queue.retain(|place| *place != first);
        Some((first, queue.iter().map(|place| self.position(*place)).min().unwrap_or(i64::MAX)))
    }

    /// Moves a place on; false at its end.
    fn advance(&mut self, place: usize) -> bool {
        let Some(at) = self.at.get_mut(place) else { return false };
        *at += 1;
        let position = self.position(place);
        if position == i64::MAX {
            return false;
        }
        self.end = self.end.max(position);
        true
    }

    /// Another place of the group that stands on the same word.
    fn collision(&self, place: usize) -> Option<usize> {
        let (position, offset, group) = self.place(place);
        group?;
        (0..self.places.len()).find(|other| {
            let (there, shift, its_group) = self.place(*other);
            *other != place && its_group == group && there + shift == position + offset
        })
    }

    fn lesser(&self, left: usize, right: usize) -> usize {
        let key = |place: usize| (self.position(place), self.place(place).1);
        if key(left) < key(right) { left } else { right }
    }

    /// Moves places off the words that `place` shares with them; false when one comes to its end.
    fn part_from(&mut self, place: usize) -> bool {
        let mut moved = place;
        while let Some(other) = self.collision(moved) {
            moved = self.lesser(moved, other);
            if !self.advance(moved) {
                return false;
            }
        }
        true
    }

    /// Moves all places off shared words; false when one comes to its end.
    fn part(&mut self) -> bool {
        let mut place = 0;
        while place < self.places.len() {
            let mut again = false;
            while let Some(other) = self.collision(place) {
                let lesser = self.lesser(place, other);
                if !self.advance(lesser) {
                    return false;
                }
                // One before it moved: it may stand on another's word now.
                again |= lesser < place;
            }
            place = if again { 0 } else { place + 1 };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use tantivy::schema::Field;

    use super::*;

    fn counted(slop: u32, places: &[(u32, Option<usize>, &[i64])]) -> f32 {
        let shifted: Vec<Vec<i64>> = places
            .iter()
            .map(|(offset, _, at)| at.iter().map(|position| position - i64::from(*offset)).collect())
            .collect();
        let places: Vec<Place<'_>> = places
            .iter()
            .zip(&shifted)
            .map(|((offset, group, _), positions)| Place { offset: *offset, positions, group: *group })
            .collect();
        freq(&places, slop)
    }

    #[test]
    fn words_out_of_place_count_less() {
        // One word between costs 1, the reverse order costs 2.
        assert_eq!(counted(1, &[(0, None, &[3]), (1, None, &[5])]), 0.5);
        assert_eq!(counted(1, &[(0, None, &[4]), (1, None, &[3])]), 0.0);
        assert!((counted(2, &[(0, None, &[4]), (1, None, &[3])]) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(counted(2, &[(0, None, &[3, 20]), (1, None, &[4, 21])]), 2.0);
    }

    #[test]
    fn a_word_stands_for_one_place_only() {
        let shared = Some(0);
        // "run run" in "run", in "run x run" and in "run run run".
        assert_eq!(counted(5, &[(0, shared, &[3]), (1, shared, &[3])]), 0.0);
        assert_eq!(counted(1, &[(0, shared, &[3, 5]), (1, shared, &[3, 5])]), 0.5);
        assert_eq!(counted(0, &[(0, shared, &[3, 4]), (1, shared, &[3, 4])]), 1.0);
        assert_eq!(counted(5, &[(0, None, &[3]), (1, None, &[3])]), 0.5);
    }

    #[test]
    fn groups_join_what_shares_terms() {
        let terms = |texts: &[&str]| -> Vec<Term> {
            texts.iter().map(|text| Term::from_field_text(Field::from_field_id(0), text)).collect()
        };
        let places = [terms(&["a"]), terms(&["b", "c"]), terms(&["d"]), terms(&["a", "c"])];
        assert_eq!(groups(places.iter().map(Vec::as_slice)), [Some(1), Some(1), None, Some(1)]);
        assert_eq!(groups([terms(&["a"]), terms(&["b"])].iter().map(Vec::as_slice)), [None, None]);
    }
}
