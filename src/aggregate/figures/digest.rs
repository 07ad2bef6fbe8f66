//! A distribution, for percentiles: every value while they are few, a t-digest beyond.
//!
//! Up to 20 times the compression all values are kept, and percentiles are interpolated between neighbours. Beyond, values are
//! merged into centroids that are finer towards both ends (Dunning and Ertl, "Computing extremely accurate quantiles using
//! t-digests", 2019, <https://arxiv.org/abs/1902.04023>; scale function k1), and percentiles between centroids.

/// A distribution of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    compression: f64,
    /// Each a value and how many values it stands for; sorted where `sorted` is true.
    centroids: Vec<Centroid>,
    sorted: bool,
    /// Whether centroids were merged.
    coarse: bool,
    count: f64,
    min: f64,
    max: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Centroid {
    mean: f64,
    weight: f64,
}

impl Digest {
    /// Empty.
    ///
    /// * `compression`: the fineness; 100 by default.
    pub fn new(compression: f64) -> Self {
        Self {
            compression: compression.max(10.0),
            centroids: Vec::new(),
            sorted: true,
            coarse: false,
            count: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// Takes in a value. NaN is left out.
    pub fn add(&mut self, value: f64) {
        self.push(Centroid { mean: value, weight: 1.0 });
    }

    fn push(&mut self, centroid: Centroid) {
        if centroid.mean.is_nan() {
            return;
        }
        self.sorted = self.sorted && self.centroids.last().is_none_or(|last| last.mean <= centroid.mean);
        self.min = self.min.min(centroid.mean);
        self.max = self.max.max(centroid.mean);
        self.count += centroid.weight;
        self.centroids.push(centroid);
        if self.centroids.len() as f64 >= self.compression * 20.0 {
            self.compress();
        }
    }

    /// Takes in another's values.
    pub fn merge(&mut self, other: &Digest) {
        other.centroids.iter().for_each(|centroid| self.push(*centroid));
        // Centroids lie inside of the values that they stand for.
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.coarse |= other.coarse;
    }

    /// The least value that is not below a bound; positive infinity without one.
    pub fn least_from(&self, bound: f64) -> f64 {
        let values = self.centroids.iter().map(|centroid| centroid.mean);
        values.filter(|value| *value >= bound).fold(f64::INFINITY, f64::min)
    }

    /// The greatest value that is not above a bound; negative infinity without one.
    pub fn greatest_to(&self, bound: f64) -> f64 {
        let values = self.centroids.iter().map(|centroid| centroid.mean);
        values.filter(|value| *value <= bound).fold(f64::NEG_INFINITY, f64::max)
    }

    /// How many values.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// The least value; positive infinity without values.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest value; negative infinity without values.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Sorts what was read, so that the figures below are right.
    pub fn settle(&mut self) {
        if !self.sorted {
            self.centroids.sort_by(|left, right| left.mean.total_cmp(&right.mean));
            self.sorted = true;
        }
    }

    fn compress(&mut self) {
        self.settle();
        self.coarse = true;
        // Four times as fine as asked for: some 200 centroids by default.
        let fineness = 4.0 * self.compression / std::f64::consts::TAU;
        let scale = |q: f64| fineness * (2.0 * q - 1.0).clamp(-1.0, 1.0).asin();
        let mut merged: Vec<Centroid> = Vec::new();
        let mut before = 0.0;
        for &centroid in &self.centroids {
            let fits = merged.last().is_some_and(|last| {
                let (start, end) = (before / self.count, (before + last.weight + centroid.weight) / self.count);
                scale(end) - scale(start) <= 1.0
            });
            match merged.last_mut() {
                Some(last) if fits => {
                    last.weight += centroid.weight;
                    last.mean += (centroid.mean - last.mean) * centroid.weight / last.weight;
                }
                last => {
                    before += last.map_or(0.0, |last| last.weight);
                    merged.push(centroid);
                }
            }
        }
        self.centroids = merged;
    }

    /// The value below which a part of all lies; NaN without values. Call [`Digest::settle`] before.
    ///
    /// * `q`: 0 to 1.
    pub fn quantile(&self, q: f64) -> f64 {
        if self.coarse { self.coarse_quantile(q) } else { self.exact_quantile(q) }
    }

    /// Interpolates at `q * (count - 1)`, counted from 0.
    fn exact_quantile(&self, q: f64) -> f64 {
        let Some(last) = self.centroids.len().checked_sub(1) else { return f64::NAN };
        let at = |place: usize| self.centroids.get(place.min(last)).map_or(f64::NAN, |centroid| centroid.mean);
        let place = (q * last as f64).clamp(0.0, last as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the list's places")]
        let low = place.floor() as usize;
        let (low_value, high_value) = (at(low), at(low + 1));
        low_value + (place - low as f64) * (high_value - low_value)
    }

    /// Interpolates between the middles of centroids, and to the extremes at both ends.
    fn coarse_quantile(&self, q: f64) -> f64 {
        let wanted = q.clamp(0.0, 1.0) * self.count;
        let (mut left, mut left_value) = (0.0, self.min);
        let mut before = 0.0;
        for centroid in &self.centroids {
            let middle = before + centroid.weight / 2.0;
            if wanted < middle {
                return interpolate(wanted, (left, left_value), (middle, centroid.mean));
            }
            (left, left_value) = (middle, centroid.mean);
            before += centroid.weight;
        }
        interpolate(wanted, (left, left_value), (self.count, self.max))
    }

    /// The part of all that lies below a value; NaN without values. Call [`Digest::settle`] before.
    pub fn rank(&self, value: f64) -> f64 {
        if self.centroids.is_empty() {
            return f64::NAN;
        }
        if self.coarse { self.coarse_rank(value) } else { self.exact_rank(value) }
    }

    /// Of the values that equal it, half count as below. Between two values it is interpolated.
    fn exact_rank(&self, value: f64) -> f64 {
        let count = self.centroids.len() as f64;
        let at = |place: usize| self.centroids.get(place).map_or(f64::NAN, |centroid| centroid.mean);
        if value < at(0) {
            return 0.0;
        }
        // The first value counts for one half, whether it is below or equal.
        let below = self.centroids.iter().skip(1).take_while(|centroid| centroid.mean < value).count();
        let equal = self.centroids.iter().skip(1 + below).take_while(|centroid| centroid.mean == value).count();
        let next = 1 + below + equal;
        if next >= self.centroids.len() {
            return (count - 0.5 * equal as f64) / count;
        }
        let below = 0.5 + below as f64;
        if equal > 0 {
            return (below + 0.5 * equal as f64) / count;
        }
        let (low, high) = (at(next - 1), at(next));
        (below + (value - low) / (high - low)) / count
    }

    fn coarse_rank(&self, value: f64) -> f64 {
        if value < self.min {
            return 0.0;
        }
        if value >= self.max {
            return 1.0;
        }
        let (mut left, mut left_value) = (0.0, self.min);
        let mut before = 0.0;
        for centroid in &self.centroids {
            let middle = before + centroid.weight / 2.0;
            if value < centroid.mean {
                return interpolate(value, (left_value, left), (centroid.mean, middle)) / self.count;
            }
            (left, left_value) = (middle, centroid.mean);
            before += centroid.weight;
        }
        interpolate(value, (left_value, left), (self.max, self.count)) / self.count
    }

    /// The median of the distances from the median; NaN without values. Call [`Digest::settle`] before.
    pub fn median_absolute_deviation(&self) -> f64 {
        let median = self.quantile(0.5);
        let mut distances = Digest::new(self.compression);
        for centroid in &self.centroids {
            distances.push(Centroid { mean: (centroid.mean - median).abs(), weight: centroid.weight });
        }
        distances.coarse = self.coarse;
        distances.settle();
        distances.quantile(0.5)
    }
}

/// The line through two points, at `x`; the right point's height where they stand above each other.
fn interpolate(x: f64, left: (f64, f64), right: (f64, f64)) -> f64 {
    let width = right.0 - left.0;
    if width > 0.0 { left.1 + (x - left.0) / width * (right.1 - left.1) } else { right.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(values: impl IntoIterator<Item = f64>) -> Digest {
        let mut digest = Digest::new(100.0);
        values.into_iter().for_each(|value| digest.add(value));
        digest.settle();
        digest
    }

    #[test]
    fn few_values_are_interpolated() {
        let digest = digest([4.0, 1.0, 3.0, 2.0]);
        for (q, value) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.99, 3.97), (1.0, 4.0)] {
            assert!((digest.quantile(q) - value).abs() < 1e-12, "{q}");
        }
        for (value, rank) in [(0.5, 0.0), (1.0, 0.125), (2.0, 0.25), (2.5, 0.5), (4.0, 0.875), (5.0, 1.0)] {
            assert_eq!(digest.rank(value), rank, "{value}");
        }
        assert_eq!(digest.median_absolute_deviation(), 1.0);
        assert!(Digest::new(100.0).quantile(0.5).is_nan());
    }

    #[test]
    fn many_values_are_near() {
        let many = digest((0..100_000).map(|value| f64::from(value * 7919 % 100_000)));
        assert!(many.centroids.len() < 2_100);
        for q in [0.001, 0.01, 0.25, 0.5, 0.9, 0.999] {
            assert!((many.quantile(q) / 100_000.0 - q).abs() < 0.005, "{q}: {}", many.quantile(q));
            assert!((many.rank(q * 100_000.0) - q).abs() < 0.005, "{q}");
        }
        let mut halves = digest((0..50_000).map(f64::from));
        halves.merge(&digest((50_000..100_000).map(f64::from)));
        halves.settle();
        assert!((halves.quantile(0.5) - 50_000.0).abs() < 500.0);
    }
}
