//! Token vectors to one vector, and vectors to length 1.

use super::Pooling;

/// Pools `[tokens, dims]` (row-major) of one text into `pooled`, which has `dims` numbers. `num_tokens` of them are the text, the
/// rest padding on the right.
pub(super) fn pool(pooling: Pooling, hidden: &[f32], num_tokens: usize, pooled: &mut [f32]) {
    match pooling {
        Pooling::Cls | Pooling::None => {
            pooled.iter_mut().zip(hidden).for_each(|(to, from)| *to = *from);
        }
        Pooling::Mean => {
            pooled.fill(0.0);
            for token in hidden.chunks_exact(pooled.len().max(1)).take(num_tokens) {
                pooled.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / num_tokens.max(1) as f32;
            pooled.iter_mut().for_each(|value| *value *= share);
        }
    }
}

/// Scales to length 1; a zero vector stays zero.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = shorten(f64::from(*value) / length));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32; the value lies in -1..=1")]
fn shorten(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_leaves_padding_out_and_cls_takes_the_first() {
        let hidden = [1.0, 2.0, 3.0, 4.0, 99.0, 99.0];
        let mut pooled = [0.0; 2];
        pool(Pooling::Mean, &hidden, 2, &mut pooled);
        assert_eq!(pooled, [2.0, 3.0]);
        pool(Pooling::Cls, &hidden, 2, &mut pooled);
        assert_eq!(pooled, [1.0, 2.0]);
    }

    #[test]
    fn zero_stays_zero_and_others_get_length_one() {
        let mut vector = [0.0; 3];
        normalise(&mut vector);
        assert_eq!(vector, [0.0; 3]);
        let mut vector = [3.0, 0.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.0, 0.8]);
    }
}
