//! Dot products and squared distances, in the widest vector instructions the running machine has.
//!
//! The instruction set is found once, at first use ([`kernels`]). Integer results are the same on every machine; float results
//! differ in their last bits with the order of summation, never within one machine. This folder is the only place of SIMD.
//! On AArch64 the portable kernels are used: they are written in lanes, which the compiler turns into NEON, the baseline there.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::sync::OnceLock;

/// One instruction set's functions. Slices of a pair have equal lengths; a longer one is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernels {
    /// The instruction set's name, for reports.
    pub(crate) name: &'static str,
    /// Sum of a_i * b_i.
    pub(crate) dot_f32: fn(&[f32], &[f32]) -> f32,
    /// Sum of (a_i - b_i)^2.
    pub(crate) l2_f32: fn(&[f32], &[f32]) -> f32,
    /// Sum of a_i * b_i, the second as bits of 16-bit floats.
    pub(crate) dot_f16: fn(&[f32], &[u16]) -> f32,
    /// Sum of (a_i - b_i)^2, the second as bits of 16-bit floats.
    pub(crate) l2_f16: fn(&[f32], &[u16]) -> f32,
    /// Sum of a_i * b_i.
    pub(crate) dot_f32_i8: fn(&[f32], &[i8]) -> f32,
    /// Sum of (a_i - scale * b_i)^2.
    pub(crate) l2_f32_i8: fn(&[f32], &[i8], f32) -> f32,
    /// Sum of a_i * b_i; at most 2^17 numbers, so that nothing overflows.
    pub(crate) dot_i8: fn(&[i8], &[i8]) -> i32,
    /// For every row of the second (rows of the first's length) the sum of a_i * b_i. The caller sees to it that
    /// max|a_i| * 128 * len fits in an i32. There are at least as many rows as outputs.
    pub(crate) dot_rows_i16_i8: fn(&[i16], &[i8], &mut [i32]),
}

/// The kernels of this machine.
#[inline]
pub(crate) fn kernels() -> &'static Kernels {
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    KERNELS.get_or_init(best)
}

/// Asks for bytes that will be read soon, so that the wait for them overlaps other work. Changes nothing else.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        // SAFETY: a prefetch reads nothing that the program could see, and the address lies in a live slice.
        #[expect(unsafe_code, reason = "an instruction without a safe form")]
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// The name of the instruction set in use: `avx512-vnni`, `avx2` or `portable`.
pub fn simd_level() -> &'static str {
    kernels().name
}

#[cfg(target_arch = "x86_64")]
fn best() -> Kernels {
    avx512::kernels().or_else(avx2::kernels).unwrap_or(scalar::KERNELS)
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Kernels {
    scalar::KERNELS
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn available() -> Vec<Kernels> {
        let mut all = vec![scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        all.extend([avx2::kernels(), avx512::kernels()].into_iter().flatten());
        all
    }

    fn close(got: f32, want: f64, size: f64) {
        assert!((f64::from(got) - want).abs() <= 1e-5 * size + 1e-6, "{got} instead of {want}");
    }

    proptest! {
        #[test]
        fn every_instruction_set_computes_the_same(len in 0usize..200, seed in any::<u64>()) {
            let mut state = seed | 1;
            let mut next = || { state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (state >> 33) as i32 };
            let a: Vec<f32> = (0..len).map(|_| (next() % 2000) as f32 / 500.0).collect();
            let b: Vec<f32> = (0..len).map(|_| (next() % 2000) as f32 / 500.0).collect();
            let half_bits: Vec<u16> = b.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
            let halves: Vec<f32> = half_bits.iter().map(|&x| half::f16::from_bits(x).to_f32()).collect();
            let i: Vec<i8> = (0..len).map(|_| next() as i8).collect();
            let j: Vec<i8> = (0..len).map(|_| next() as i8).collect();
            let wide: Vec<i16> = (0..len).map(|_| next() as i16).collect();
            let rows: Vec<i8> = (0..len * 7).map(|_| next() as i8).collect();

            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            let l2 = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>();
            let floats: Vec<f32> = i.iter().map(|&x| f32::from(x)).collect();
            let scaled: Vec<f32> = floats.iter().map(|&x| x * 0.25).collect();
            let size = 16.0 * len as f64;
            for kernels in available() {
                close((kernels.dot_f32)(&a, &b), dot(&a, &b), size);
                close((kernels.l2_f32)(&a, &b), l2(&a, &b), 4.0 * size);
                close((kernels.dot_f16)(&a, &half_bits), dot(&a, &halves), size);
                close((kernels.l2_f16)(&a, &half_bits), l2(&a, &halves), 4.0 * size);
                close((kernels.dot_f32_i8)(&a, &i), dot(&a, &floats), 128.0 * size);
                close((kernels.l2_f32_i8)(&a, &i, 0.25), l2(&a, &scaled), 100.0 * size);
                let exact: i32 = i.iter().zip(&j).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
                prop_assert_eq!((kernels.dot_i8)(&i, &j), exact, "{}", kernels.name);
                let mut got = vec![0i32; 7];
                (kernels.dot_rows_i16_i8)(&wide, &rows, &mut got);
                let want: Vec<i32> = (0..7)
                    .map(|row| wide.iter().zip(&rows[row * len..]).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum())
                    .collect();
                prop_assert_eq!(got, want, "{}", kernels.name);
            }
        }
    }

    #[test]
    fn extreme_integers_do_not_overflow() {
        for kernels in available() {
            assert_eq!((kernels.dot_i8)(&[-128; 4096], &[-128; 4096]), 128 * 128 * 4096, "{}", kernels.name);
            let mut out = [0; 5];
            (kernels.dot_rows_i16_i8)(&[-4095; 4096], &[-128; 4096 * 5], &mut out);
            assert_eq!(out, [4095 * 128 * 4096; 5], "{}", kernels.name);
            let mut out = [0; 3];
            (kernels.dot_rows_i16_i8)(&[i16::MIN; 384], &[-128; 384 * 3], &mut out);
            assert_eq!(out, [32768 * 128 * 384; 3], "{}", kernels.name);
        }
    }
}
