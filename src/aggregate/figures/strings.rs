//! Lengths and entropy of texts.

use std::collections::BTreeMap;

/// Lengths and letters of texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StringStats {
    /// How many texts.
    pub count: u64,
    /// Their letters in sum.
    pub total_length: u64,
    /// The shortest's letters.
    pub min_length: u64,
    /// The longest's letters.
    pub max_length: u64,
    /// How often each letter is there.
    pub letters: BTreeMap<char, u64>,
}

impl StringStats {
    /// Takes in a text.
    pub fn add(&mut self, text: &str) {
        let mut length = 0;
        for letter in text.chars() {
            length += 1;
            *self.letters.entry(letter).or_default() += 1;
        }
        self.min_length = if self.count == 0 { length } else { self.min_length.min(length) };
        self.max_length = self.max_length.max(length);
        self.total_length += length;
        self.count += 1;
    }

    /// Takes in another's texts.
    pub fn merge(&mut self, other: &StringStats) {
        if other.count == 0 {
            return;
        }
        self.min_length = if self.count == 0 { other.min_length } else { self.min_length.min(other.min_length) };
        self.max_length = self.max_length.max(other.max_length);
        self.count += other.count;
        self.total_length += other.total_length;
        for (letter, count) in &other.letters {
            *self.letters.entry(*letter).or_default() += count;
        }
    }

    /// The part that each letter has of all, the most frequent first.
    pub fn distribution(&self) -> Vec<(char, f64)> {
        let mut counts: Vec<(char, u64)> = self.letters.iter().map(|(letter, count)| (*letter, *count)).collect();
        counts.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
        counts.into_iter().map(|(letter, count)| (letter, count as f64 / self.total_length as f64)).collect()
    }

    /// Shannon's entropy of the letters, in bits.
    pub fn entropy(&self) -> f64 {
        let parts = self.distribution();
        let sum: f64 = parts.iter().map(|(_, part)| part * part.log2()).sum();
        if sum == 0.0 { 0.0 } else { -sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_entropy() {
        let mut stats = StringStats::default();
        ["ab", "aabb"].iter().for_each(|text| stats.add(text));
        assert_eq!((stats.count, stats.min_length, stats.max_length, stats.total_length), (2, 2, 4, 6));
        assert_eq!(stats.entropy(), 1.0);
        let mut merged = StringStats::default();
        merged.merge(&stats);
        assert_eq!(merged, stats);
    }
}
