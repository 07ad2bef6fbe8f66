//! Kernels for AVX-512 with VNNI (Intel since Ice Lake, AMD since Zen 4): the integer sums; the rest is AVX2's.
#![expect(unsafe_code, reason = "loads of vector registers from slices")]

use std::arch::x86_64::*;

use super::{Kernels, avx2};

/// The kernels, when this machine has the instructions.
pub(super) fn kernels() -> Option<Kernels> {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    // SAFETY (of the calls below): the table is handed out only after the features were found here.
    let base = avx2::kernels().filter(|_| wide)?;
    Some(Kernels {
        name: "avx512-vnni",
        dot_f32: |a, b| {
            // SAFETY: see above.
            unsafe { dot_f32(a, b) }
        },
        dot_i8: |a, b| {
            // SAFETY: see above.
            unsafe { dot_i8(a, b) }
        },
        dot_rows_i16_i8: |a, rows, out| {
            // SAFETY: see above.
            unsafe { dot_rows_i16_i8(a, rows, out) }
        },
        ..base
    })
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load_i8_as_i16(block: &[i8; 32]) -> __m512i {
    // SAFETY: the array is 32 bytes; the load needs no alignment.
    _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(block.as_ptr().cast()) })
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load_i16(block: &[i16; 32]) -> __m512i {
    // SAFETY: the array is 64 bytes; the load needs no alignment.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load_f32(block: &[f32; 16]) -> __m512 {
    // SAFETY: the array is sixteen floats; the load needs no alignment.
    unsafe { _mm512_loadu_ps(block.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [_mm512_setzero_ps(); 4];
    let (a_fours, a_single) = a_blocks.as_chunks::<4>();
    let (b_fours, b_single) = b_blocks.as_chunks::<4>();
    for (a_four, b_four) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] = _mm512_fmadd_ps(load_f32(&a_four[lane]), load_f32(&b_four[lane]), sums[lane]);
        }
    }
    for (a_block, b_block) in a_single.iter().zip(b_single) {
        sums[0] = _mm512_fmadd_ps(load_f32(a_block), load_f32(b_block), sums[0]);
    }
    let [s0, s1, s2, s3] = sums;
    let total = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
    total + a_rest.iter().zip(b_rest).map(|(&x, &y)| x * y).sum::<f32>()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let (b_blocks, b_rest) = b.as_chunks::<32>();
    let mut sums = [_mm512_setzero_si512(); 2];
    for (place, (a_block, b_block)) in a_blocks.iter().zip(b_blocks).enumerate() {
        sums[place % 2] = _mm512_dpwssd_epi32(sums[place % 2], load_i8_as_i16(a_block), load_i8_as_i16(b_block));
    }
    let rest: i32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) + rest
}

/// Four rows at a time share each load of the query.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn dot_rows_i16_i8(a: &[i16], rows: &[i8], out: &mut [i32]) {
    let dims = a.len();
    if dims == 0 {
        out.fill(0);
        return;
    }
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let whole = dims - a_rest.len();
    let mut outs = out.chunks_exact_mut(4);
    let mut fours = rows.chunks_exact(dims * 4);
    for (out, four) in outs.by_ref().zip(fours.by_ref()) {
        let (r0, r1, r2, r3) = (&four[..dims], &four[dims..2 * dims], &four[2 * dims..3 * dims], &four[3 * dims..]);
        let blocks = r0.as_chunks::<32>().0.iter().zip(r1.as_chunks::<32>().0);
        let blocks = blocks.zip(r2.as_chunks::<32>().0.iter().zip(r3.as_chunks::<32>().0));
        let mut sums = [_mm512_setzero_si512(); 4];
        for (a_block, ((b0, b1), (b2, b3))) in a_blocks.iter().zip(blocks) {
            let query = load_i16(a_block);
            sums[0] = _mm512_dpwssd_epi32(sums[0], query, load_i8_as_i16(b0));
            sums[1] = _mm512_dpwssd_epi32(sums[1], query, load_i8_as_i16(b1));
            sums[2] = _mm512_dpwssd_epi32(sums[2], query, load_i8_as_i16(b2));
            sums[3] = _mm512_dpwssd_epi32(sums[3], query, load_i8_as_i16(b3));
        }
        for ((out, sum), row) in out.iter_mut().zip(sums).zip([r0, r1, r2, r3]) {
            *out = _mm512_reduce_add_epi32(sum) + rest_of_row(a_rest, &row[whole..]);
        }
    }
    for (out, row) in outs.into_remainder().iter_mut().zip(fours.remainder().chunks_exact(dims)) {
        let mut sum = _mm512_setzero_si512();
        for (a_block, block) in a_blocks.iter().zip(row.as_chunks::<32>().0) {
            sum = _mm512_dpwssd_epi32(sum, load_i16(a_block), load_i8_as_i16(block));
        }
        *out = _mm512_reduce_add_epi32(sum) + rest_of_row(a_rest, &row[whole..]);
    }
}

fn rest_of_row(a: &[i16], row: &[i8]) -> i32 {
    a.iter().zip(row).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}
