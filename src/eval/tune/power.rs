//! Whether there are enough queries to tell two plans apart.

use serde::Serialize;

/// Standard normal quantiles for a two-sided test at 5 percent with a power of 80 percent: 1.960 and .842.
///
/// Source: Sakai, Information Retrieval Journal 19(3), 2016, "Statistical significance, power, and sample sizes"; the t
/// distribution adds little from 20 queries on.
const QUANTILES: f64 = 1.959_964 + 0.841_621;

/// What a number of queries can tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Power {
    /// Queries that were compared.
    pub num_queries: usize,
    /// Standard deviation of the paired differences.
    pub deviation: f64,
    /// The smallest true mean difference that so many queries find (p < .05, two-sided) in four of five trials.
    pub detectable: f64,
    /// Queries that would find a true difference as large as the one seen, in four of five trials; `None` where none was
    /// seen.
    pub queries_needed: Option<u64>,
}

/// From paired differences of two plans. Without at least two queries nothing is detectable, and `detectable` is infinite.
pub fn power(differences: &[f64]) -> Power {
    let num_queries = differences.len();
    let (mean, deviation) = mean_and_deviation(differences);
    let detectable = if num_queries < 2 { f64::INFINITY } else { QUANTILES * deviation / (num_queries as f64).sqrt() };
    let needed = (QUANTILES * deviation / mean).powi(2).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on the line above")]
    let queries_needed = (needed.is_finite() && needed < 1e12).then(|| (needed as u64).max(2));
    Power { num_queries, deviation, detectable, queries_needed }
}

/// The mean, and the standard deviation with n - 1 in the denominator; 0 where there are too few.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_sizes_are_those_of_the_textbook() {
        // A true difference of half a deviation needs 31.4 queries by the normal approximation (Cohen 1988 has 34 with t).
        let differences: Vec<f64> = (0..100).map(|idx| if idx % 2 == 0 { 0.3 } else { -0.1 }).collect();
        let found = power(&differences);
        let (mean, deviation) = mean_and_deviation(&differences);
        assert!((mean - 0.1).abs() < 1e-12 && (deviation - 0.201).abs() < 1e-3, "{deviation}");
        assert_eq!(found.queries_needed, Some(32));
        assert!((found.detectable - 2.801_585 * deviation / 10.0).abs() < 1e-9);
    }

    #[test]
    fn fewer_queries_find_only_larger_differences() {
        let many: Vec<f64> = (0..400).map(|idx| f64::from(idx % 5) / 10.0 - 0.15).collect();
        assert!(power(&many[..40]).detectable > 3.0 * power(&many).detectable);
        assert!(power(&many[..1]).detectable.is_infinite());
        assert_eq!(power(&[]).queries_needed, None);
        assert_eq!(power(&[0.0; 9]).queries_needed, None);
    }
}
