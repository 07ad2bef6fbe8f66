//! Kernels for AVX2 with FMA and F16C: every x86-64 machine since about 2015.
#![expect(unsafe_code, reason = "loads of vector registers from slices")]

use std::arch::x86_64::*;

use super::Kernels;

/// The kernels, when this machine has the instructions.
pub(super) fn kernels() -> Option<Kernels> {
    (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c"))
        .then_some(KERNELS)
}

macro_rules! detected {
    ($function:ident($($argument:ident),*)) => {
        |$($argument),*| {
            // SAFETY: `kernels()` hands out this table only after finding AVX2, FMA and F16C.
            unsafe { $function($($argument),*) }
        }
    };
}

const KERNELS: Kernels = Kernels {
    name: "avx2",
    dot_f32: detected!(dot_f32(a, b)),
    l2_f32: detected!(l2_f32(a, b)),
    dot_f16: detected!(dot_f16(a, b)),
    l2_f16: detected!(l2_f16(a, b)),
    dot_f32_i8: detected!(dot_f32_i8(a, b)),
    l2_f32_i8: detected!(l2_f32_i8(a, b, scale)),
    dot_i8: detected!(dot_i8(a, b)),
    dot_rows_i16_i8: detected!(dot_rows_i16_i8(a, rows, out)),
};

#[target_feature(enable = "avx2,fma,f16c")]
fn load_f32(block: &[f32; 8]) -> __m256 {
    // SAFETY: the array is eight floats; the load needs no alignment.
    unsafe { _mm256_loadu_ps(block.as_ptr()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn load_f16(block: &[u16; 8]) -> __m256 {
    // SAFETY: the array is 16 bytes; the load needs no alignment.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(block.as_ptr().cast()) })
}

#[target_feature(enable = "avx2,fma,f16c")]
fn load_i8_as_f32(block: &[i8; 8]) -> __m256 {
    // SAFETY: the array is 8 bytes, which is what this load reads.
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(block.as_ptr().cast()) }))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn load_i8_as_i16(block: &[i8; 16]) -> __m256i {
    // SAFETY: the array is 16 bytes; the load needs no alignment.
    _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(block.as_ptr().cast()) })
}

#[target_feature(enable = "avx2,fma,f16c")]
fn load_i16(block: &[i16; 16]) -> __m256i {
    // SAFETY: the array is 32 bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn add_up(lanes: __m256) -> f32 {
    let half = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps::<1>(quarter, quarter)))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn add_up_i32(lanes: __m256i) -> i32 {
    let half = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
    _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<1>(quarter)))
}

/// Sums terms over blocks of 8 in four registers, the rest one by one.
macro_rules! float_sum {
    ($a:ident, $b:ident, $load:ident, |$x:ident, $y:ident, $sum:ident| $step:expr, |$p:ident, $q:ident| $term:expr) => {{
        let (a_blocks, a_rest) = $a.as_chunks::<8>();
        let (b_blocks, b_rest) = $b.as_chunks::<8>();
        let mut sums = [_mm256_setzero_ps(); 4];
        let (a_fours, a_single) = a_blocks.as_chunks::<4>();
        let (b_fours, b_single) = b_blocks.as_chunks::<4>();
        for (a_four, b_four) in a_fours.iter().zip(b_fours) {
            for lane in 0..4 {
                let ($x, $y, $sum) = (load_f32(&a_four[lane]), $load(&b_four[lane]), sums[lane]);
                sums[lane] = $step;
            }
        }
        for (a_block, b_block) in a_single.iter().zip(b_single) {
            let ($x, $y, $sum) = (load_f32(a_block), $load(b_block), sums[0]);
            sums[0] = $step;
        }
        let [s0, s1, s2, s3] = sums;
        let mut total = add_up(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
        for (&$p, &$q) in a_rest.iter().zip(b_rest) {
            total += $term;
        }
        total
    }};
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    float_sum!(a, b, load_f32, |x, y, sum| _mm256_fmadd_ps(x, y, sum), |p, q| p * q)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn l2_f32(a: &[f32], b: &[f32]) -> f32 {
    float_sum!(a, b, load_f32, |x, y, sum| squared_difference(x, y, sum), |p, q| (p - q) * (p - q))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dot_f16(a: &[f32], b: &[u16]) -> f32 {
    float_sum!(a, b, load_f16, |x, y, sum| _mm256_fmadd_ps(x, y, sum), |p, q| p * widen(q))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn l2_f16(a: &[f32], b: &[u16]) -> f32 {
    float_sum!(a, b, load_f16, |x, y, sum| squared_difference(x, y, sum), |p, q| (p - widen(q)) * (p - widen(q)))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dot_f32_i8(a: &[f32], b: &[i8]) -> f32 {
    float_sum!(a, b, load_i8_as_f32, |x, y, sum| _mm256_fmadd_ps(x, y, sum), |p, q| p * f32::from(q))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn l2_f32_i8(a: &[f32], b: &[i8], scale: f32) -> f32 {
    let scales = _mm256_set1_ps(scale);
    float_sum!(a, b, load_i8_as_f32, |x, y, sum| squared_difference(x, _mm256_mul_ps(y, scales), sum), |p, q| (p
        - scale * f32::from(q))
        * (p - scale * f32::from(q)))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn squared_difference(x: __m256, y: __m256, sum: __m256) -> __m256 {
    let difference = _mm256_sub_ps(x, y);
    _mm256_fmadd_ps(difference, difference, sum)
}

fn widen(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [_mm256_setzero_si256(); 2];
    for (place, (a_block, b_block)) in a_blocks.iter().zip(b_blocks).enumerate() {
        let products = _mm256_madd_epi16(load_i8_as_i16(a_block), load_i8_as_i16(b_block));
        sums[place % 2] = _mm256_add_epi32(sums[place % 2], products);
    }
    let rest: i32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    add_up_i32(_mm256_add_epi32(sums[0], sums[1])) + rest
}

/// Four rows at a time share each load of the query.
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_rows_i16_i8(a: &[i16], rows: &[i8], out: &mut [i32]) {
    let dims = a.len();
    if dims == 0 {
        out.fill(0);
        return;
    }
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let whole = dims - a_rest.len();
    let mut outs = out.chunks_exact_mut(4);
    let mut fours = rows.chunks_exact(dims * 4);
    for (out, four) in outs.by_ref().zip(fours.by_ref()) {
        let (r0, r1, r2, r3) = (&four[..dims], &four[dims..2 * dims], &four[2 * dims..3 * dims], &four[3 * dims..]);
        let blocks = r0.as_chunks::<16>().0.iter().zip(r1.as_chunks::<16>().0);
        let blocks = blocks.zip(r2.as_chunks::<16>().0.iter().zip(r3.as_chunks::<16>().0));
        let mut sums = [_mm256_setzero_si256(); 4];
        for (a_block, ((b0, b1), (b2, b3))) in a_blocks.iter().zip(blocks) {
            let query = load_i16(a_block);
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(query, load_i8_as_i16(b0)));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(query, load_i8_as_i16(b1)));
            sums[2] = _mm256_add_epi32(sums[2], _mm256_madd_epi16(query, load_i8_as_i16(b2)));
            sums[3] = _mm256_add_epi32(sums[3], _mm256_madd_epi16(query, load_i8_as_i16(b3)));
        }
        for ((out, sum), row) in out.iter_mut().zip(sums).zip([r0, r1, r2, r3]) {
            *out = add_up_i32(sum) + rest_of_row(a_rest, &row[whole..]);
        }
    }
    for (out, row) in outs.into_remainder().iter_mut().zip(fours.remainder().chunks_exact(dims)) {
        let mut sum = _mm256_setzero_si256();
        for (a_block, block) in a_blocks.iter().zip(row.as_chunks::<16>().0) {
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load_i16(a_block), load_i8_as_i16(block)));
        }
        *out = add_up_i32(sum) + rest_of_row(a_rest, &row[whole..]);
    }
}

fn rest_of_row(a: &[i16], row: &[i8]) -> i32 {
    a.iter().zip(row).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}
