//! How much a value stands out among some documents against a background.
//!
//! Source: "Significant terms" in Elasticsearch's reference, and Manning, Raghavan and Schütze, "Introduction to Information
//! Retrieval", 13.5.1 (mutual information) and 13.5.2 (chi squared); Cilibrasi and Vitanyi 2007 (normalised distance).

use super::request::Heuristic;

/// The score of a value; 0 or less where it does not stand out.
///
/// * `count`, `size`: the documents with the value, and all documents, that are looked at.
/// * `background`, `background_size`: the same of the background.
pub(super) fn score(heuristic: Heuristic, count: u64, size: u64, background: u64, background_size: u64) -> f64 {
    if size == 0 || background_size == 0 || count == 0 {
        return 0.0;
    }
    // A background that lacks the value (another index's may) counts as having it once.
    let background = background.max(1);
    match heuristic {
        Heuristic::Jlh => jlh(count, size, background, background_size),
        Heuristic::Percentage => count as f64 / background as f64,
        Heuristic::ChiSquare { include_negatives, background_is_superset } => {
            let table = Table::new(count, size, background, background_size, background_is_superset);
            if !include_negatives && table.is_rarer() { f64::NEG_INFINITY } else { table.chi_square() }
        }
        Heuristic::MutualInformation { include_negatives, background_is_superset } => {
            let table = Table::new(count, size, background, background_size, background_is_superset);
            if !include_negatives && table.is_rarer() { f64::NEG_INFINITY } else { table.mutual_information() }
        }
        Heuristic::Gnd { background_is_superset } => {
            let table = Table::new(count, size, background, background_size, background_is_superset);
            table.google_normalized_distance()
        }
    }
}

/// The absolute change times the ratio of the parts.
fn jlh(count: u64, size: u64, background: u64, background_size: u64) -> f64 {
    let part = count as f64 / size as f64;
    let background_part = background as f64 / background_size as f64;
    let change = part - background_part;
    if change <= 0.0 { 0.0 } else { change * (part / background_part) }
}

/// Documents by whether they have the value (first index 1) and whether they are looked at (second index 1).
struct Table {
    n11: f64,
    n10: f64,
    n01: f64,
    n00: f64,
}

impl Table {
    fn new(count: u64, size: u64, background: u64, background_size: u64, background_is_superset: bool) -> Self {
        let (count, size) = (count as f64, size as f64);
        let (background, background_size) = (background as f64, background_size as f64);
        if background_is_superset {
            Self {
                n11: count,
                n10: background - count,
                n01: size - count,
                n00: background_size - background - (size - count),
            }
        } else {
            Self { n11: count, n10: background, n01: size - count, n00: background_size - background }
        }
    }

    fn with_value(&self) -> f64 {
        self.n11 + self.n10
    }

    fn without_value(&self) -> f64 {
        self.n01 + self.n00
    }

    fn inside(&self) -> f64 {
        self.n11 + self.n01
    }

    fn outside(&self) -> f64 {
        self.n10 + self.n00
    }

    fn all(&self) -> f64 {
        self.with_value() + self.without_value()
    }

    fn is_rarer(&self) -> bool {
        self.n11 / self.inside() < self.n10 / self.outside()
    }

    fn chi_square(&self) -> f64 {
        let difference = self.n11 * self.n00 - self.n01 * self.n10;
        self.all() * difference * difference
            / (self.inside() * self.with_value() * self.without_value() * self.outside())
    }

    fn mutual_information(&self) -> f64 {
        let all = self.all();
        let part = |joint: f64, left: f64, right: f64| {
            let of = all * joint / (left * right);
            if joint == 0.0 || of <= 0.0 { 0.0 } else { joint / all * of.log2() }
        };
        part(self.n00, self.without_value(), self.outside())
            + part(self.n01, self.without_value(), self.inside())
            + part(self.n10, self.with_value(), self.outside())
            + part(self.n11, self.with_value(), self.inside())
    }

    /// `exp` of minus the distance: 1 where the two always go together.
    fn google_normalized_distance(&self) -> f64 {
        let (with_value, inside, both, all) = (self.with_value(), self.inside(), self.n11, self.all());
        if both == 0.0 {
            return 0.0;
        }
        let distance = (with_value.ln().max(inside.ln()) - both.ln()) / (all.ln() - with_value.ln().min(inside.ln()));
        (-distance).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_formulas() {
        // A value in 8 of 10 documents that are looked at, and in 20 of 100.
        let superset = true;
        let jlh = score(Heuristic::Jlh, 8, 10, 20, 100);
        assert!((jlh - (0.8 - 0.2) * (0.8 / 0.2)).abs() < 1e-12);
        assert_eq!(score(Heuristic::Percentage, 8, 10, 20, 100), 0.4);
        let chi = Heuristic::ChiSquare { include_negatives: false, background_is_superset: superset };
        // n11 = 8, n10 = 12, n01 = 2, n00 = 78.
        let expected = 100.0 * (8.0 * 78.0 - 2.0 * 12.0_f64).powi(2) / (10.0 * 20.0 * 80.0 * 90.0);
        assert!((score(chi, 8, 10, 20, 100) - expected).abs() < 1e-9);
        assert_eq!(score(Heuristic::Jlh, 1, 10, 20, 100), 0.0);
        assert_eq!(score(chi, 0, 10, 20, 100), 0.0);
    }
}
