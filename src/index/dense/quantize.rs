//! Int8 copies of vectors and the bounds that make scanning them lossless.
//!
//! A vector x is stored as codes c and a scale s, so that x = s * c + r with |r| = e, the stored error norm. A query q is
//! rounded to 16-bit levels d with a step t: q = t * d + p. Then, by Cauchy and Schwarz,
//! |q·x - s * t * (d·c)| <= |p| * |s * c| + |q| * e <= |p| * (|x| + e) + |q| * e.
//! A float's rounding in either sum is covered by a slack of 2 * (dims + 8) units in the last place of |q| * (|x| + e).
#![expect(clippy::cast_possible_truncation, reason = "rounding to narrower numbers is this file's work")]

/// The result of quantising a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantized {
    /// s above: max|x| / 127; 0 for a zero vector.
    pub(crate) scale: f32,
    /// e above, rounded up.
    pub(crate) error_norm: f32,
}

/// Writes the codes of `vector` into `codes`, of the same length.
pub(crate) fn quantize(vector: &[f32], codes: &mut Vec<i8>) -> Quantized {
    codes.clear();
    let largest = vector.iter().fold(0.0f32, |largest, number| largest.max(number.abs()));
    let scale = largest / 127.0;
    if scale == 0.0 || !scale.is_normal() {
        codes.resize(vector.len(), 0);
        return Quantized { scale: 0.0, error_norm: norm_up(vector) };
    }
    codes.extend(vector.iter().map(|number| (number / scale).round().clamp(-127.0, 127.0) as i8));
    let squared: f64 = vector
        .iter()
        .zip(codes.iter())
        .map(|(&number, &code)| (f64::from(number) - f64::from(scale) * f64::from(code)).powi(2))
        .sum();
    Quantized { scale, error_norm: up(squared.sqrt()) }
}

/// The Euclidean length, rounded up.
pub(crate) fn norm_up(vector: &[f32]) -> f32 {
    up(vector.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt())
}

fn up(number: f64) -> f32 {
    if number == 0.0 { 0.0 } else { ((number * (1.0 + 1e-9)) as f32).next_up() }
}

/// A query with what a scan needs of it.
#[derive(Debug, Clone)]
pub(crate) struct PreparedQuery {
    /// The query's numbers, normalised for cosine.
    pub(crate) values: Vec<f32>,
    /// d above.
    pub(crate) levels: Vec<i16>,
    /// t above.
    pub(crate) step: f32,
    /// |q|, rounded up.
    pub(crate) norm: f32,
    /// |p| above, rounded up.
    residual_norm: f32,
    /// The slack for rounding, relative.
    slack: f32,
}

impl PreparedQuery {
    pub(crate) fn new(values: Vec<f32>) -> Self {
        let dims = values.len().max(1);
        // The sum of products of levels and codes must fit in an i32.
        let most = (i32::MAX as usize / (128 * dims)).min(32767) as f32;
        let largest = values.iter().fold(0.0f32, |largest, number| largest.max(number.abs()));
        let mut step = largest / most;
        if !step.is_normal() {
            step = 0.0;
        }
        let level = |number: &f32| if step == 0.0 { 0 } else { (number / step).round().clamp(-most, most) as i16 };
        let levels: Vec<i16> = values.iter().map(level).collect();
        let squared: f64 = values
            .iter()
            .zip(&levels)
            .map(|(&number, &level)| (f64::from(number) - f64::from(step) * f64::from(level)).powi(2))
            .sum();
        let (norm, residual_norm) = (norm_up(&values), up(squared.sqrt()));
        let slack = 2.0 * (dims as f32 + 8.0) * f32::EPSILON;
        Self { values, levels, step, norm, residual_norm, slack }
    }

    /// The most by which the integer estimate of q·x can be off the float result, for a vector of norm `norm` and error
    /// norm `error_norm`.
    #[inline]
    pub(crate) fn dot_error(&self, norm: f32, error_norm: f32) -> f32 {
        let length = norm + error_norm;
        // A tenth of a percent covers the rounding of this sum itself.
        ((self.residual_norm + self.slack * self.norm) * length + self.norm * error_norm) * 1.001
    }

    /// The most by which the integer estimate of |q - x|^2 can be off the float result.
    #[inline]
    pub(crate) fn l2_error(&self, norm: f32, error_norm: f32) -> f32 {
        let reach = self.norm + norm;
        2.0 * self.dot_error(norm, error_norm) + self.slack * reach * reach
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::dense::distance::kernels;

    proptest! {
        #[test]
        fn the_bound_holds(dims in 1usize..80, size in 1e-3f32..1e3, seed in prop::collection::vec(-1.0f32..1.0, 160)) {
            let query = PreparedQuery::new(seed[..dims].to_vec());
            let vector: Vec<f32> = seed[80..80 + dims].iter().map(|x| x * size).collect();
            let mut codes = Vec::new();
            let quantized = quantize(&vector, &mut codes);
            let mut dot = [0];
            (kernels().dot_rows_i16_i8)(&query.levels, &codes, &mut dot);
            let estimate = dot[0] as f32 * (query.step * quantized.scale);
            let norm = norm_up(&vector);
            let exact = (kernels().dot_f32)(&query.values, &vector);
            prop_assert!((exact - estimate).abs() <= query.dot_error(norm, quantized.error_norm));
            let squared = (kernels().l2_f32)(&query.values, &vector);
            let estimate = query.norm * query.norm - 2.0 * estimate + norm * norm;
            prop_assert!((squared - estimate).abs() <= query.l2_error(norm, quantized.error_norm));
        }
    }

    #[test]
    fn zero_and_tiny_vectors_are_kept_in_bounds() {
        let mut codes = Vec::new();
        let zero = quantize(&[0.0; 5], &mut codes);
        assert_eq!((zero, codes.as_slice()), (Quantized { scale: 0.0, error_norm: 0.0 }, [0i8; 5].as_slice()));
        let tiny = quantize(&[1e-44; 5], &mut codes);
        assert!(tiny.scale == 0.0 && tiny.error_norm > 0.0);
        assert_eq!(PreparedQuery::new(vec![0.0; 3]).levels, [0; 3]);
    }
}
