//! Figures over values: what a metric keeps while it reads, merges over indices, and gives at the end.

pub mod digest;
pub mod distinct;
pub mod stats;
pub mod strings;

pub use digest::Digest;
pub use distinct::Distinct;
pub use stats::{CompensatedSum, Stats};
pub use strings::StringStats;

/// What a metric has read.
#[derive(Debug, Clone, PartialEq)]
pub enum Figures {
    /// Count, sum, extremes and squares: for `avg`, `sum`, `min`, `max`, `stats`, `extended_stats`.
    Stats(Stats),
    /// A number of values.
    Count(u64),
    /// Different values.
    Distinct(Distinct),
    /// A distribution: for `percentiles` and what else is made of ranks.
    Digest(Digest),
    /// A mean of values that count unequally.
    Weighted {
        /// The sum of values times weights.
        sum: CompensatedSum,
        /// The sum of weights.
        weights: CompensatedSum,
    },
    /// Texts.
    Strings(StringStats),
}

impl Figures {
    /// Takes in what another index's metric has read; both must be of the same aggregation.
    pub fn merge(&mut self, other: &Figures) {
        match (self, other) {
            (Figures::Stats(own), Figures::Stats(other)) => own.merge(other),
            (Figures::Count(own), Figures::Count(other)) => *own += other,
            (Figures::Distinct(own), Figures::Distinct(other)) => own.merge(other),
            (Figures::Digest(own), Figures::Digest(other)) => own.merge(other),
            (Figures::Weighted { sum, weights }, Figures::Weighted { sum: other_sum, weights: other_weights }) => {
                sum.add(other_sum.value());
                weights.add(other_weights.value());
            }
            (Figures::Strings(own), Figures::Strings(other)) => own.merge(other),
            (
                Figures::Stats(_)
                | Figures::Count(_)
                | Figures::Distinct(_)
                | Figures::Digest(_)
                | Figures::Weighted { .. }
                | Figures::Strings(_),
                _,
            ) => {}
        }
    }
}
