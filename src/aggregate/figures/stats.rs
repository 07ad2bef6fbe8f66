//! Count, sum, extremes and deviations.

/// A sum whose rounding errors are carried along (Kahan), so that it does not depend much on the order of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CompensatedSum {
    value: f64,
    delta: f64,
}

impl CompensatedSum {
    /// Adds a value. Infinities and NaN are added plainly.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.value += value;
        }
        if self.value.is_finite() {
            let corrected = value + self.delta;
            let updated = self.value + corrected;
            self.delta = corrected - (updated - self.value);
            self.value = updated;
        }
    }

    /// The sum.
    pub fn value(&self) -> f64 {
        self.value
    }
}

/// Count, sum, extremes and squares of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: CompensatedSum,
    /// The sum of their squares.
    pub sum_of_squares: CompensatedSum,
    /// The least; positive infinity without values.
    pub min: f64,
    /// The greatest; negative infinity without values.
    pub max: f64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            count: 0,
            sum: CompensatedSum::default(),
            sum_of_squares: CompensatedSum::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

/// Which spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Of all values there are: divided by their number.
    Population,
    /// Of a sample: divided by one less.
    Sampling,
}

impl Stats {
    /// Takes in a value, squares included.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
        self.sum_of_squares.add(value * value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Takes in what another has read.
    pub fn merge(&mut self, other: &Stats) {
        self.count += other.count;
        self.sum.add(other.sum.value());
        self.sum_of_squares.add(other.sum_of_squares.value());
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The mean; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }

    /// The variance: `(sum of squares - sum * sum / count) / count`, or divided by `count - 1`; NaN where that is 0 / 0, never
    /// below 0.
    pub fn variance(&self, spread: Spread) -> f64 {
        let count = self.count as f64;
        let divisor = match spread {
            Spread::Population => count,
            Spread::Sampling => count - 1.0,
        };
        let sum = self.sum.value();
        let variance = (self.sum_of_squares.value() - (sum * sum) / count) / divisor;
        if variance < 0.0 { 0.0 } else { variance }
    }

    /// The standard deviation.
    pub fn deviation(&self, spread: Spread) -> f64 {
        self.variance(spread).sqrt()
    }

    /// The mean plus so many standard deviations.
    pub fn bound(&self, sigmas: f64, spread: Spread) -> f64 {
        self.mean().unwrap_or(f64::NAN) + self.deviation(spread) * sigmas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_errors_are_carried() {
        let mut sum = CompensatedSum::default();
        for _ in 0..10 {
            sum.add(0.1);
        }
        assert_eq!(sum.value(), 1.0);
        sum.add(f64::INFINITY);
        assert_eq!(sum.value(), f64::INFINITY);
    }

    #[test]
    fn spreads_are_those_of_the_formulas() {
        let mut stats = Stats::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().for_each(|value| stats.add(value));
        assert_eq!(stats.variance(Spread::Population), 4.0);
        assert_eq!(stats.variance(Spread::Sampling), 32.0 / 7.0);
        assert_eq!(stats.bound(2.0, Spread::Population), 9.0);
        let mut one = Stats::default();
        one.add(3.0);
        assert!(one.variance(Spread::Sampling).is_nan());
    }
}
