//! Portable kernels: plain loops over sixteen independent lanes, which a compiler can turn into any machine's vectors.

use super::Kernels;

const LANES: usize = 16;

pub(super) const KERNELS: Kernels = Kernels {
    name: "portable",
    dot_f32: |a, b| sum(a, b, |x, y| x * y),
    l2_f32: |a, b| sum(a, b, |x, y| (x - y) * (x - y)),
    dot_f16: |a, b| sum(a, b, |x, y| x * widen(y)),
    l2_f16: |a, b| sum(a, b, |x, y| (x - widen(y)) * (x - widen(y))),
    dot_f32_i8: |a, b| sum(a, b, |x, y| x * f32::from(y)),
    l2_f32_i8: |a, b, scale| sum(a, b, |x, y| (x - scale * f32::from(y)) * (x - scale * f32::from(y))),
    dot_i8: |a, b| a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum(),
    dot_rows_i16_i8: dot_rows,
};

fn widen(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

#[inline(always)]
fn sum<T: Copy>(a: &[f32], b: &[T], term: impl Fn(f32, T) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a_block, b_block) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += term(a_block[lane], b_block[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| term(x, y)).sum();
    lanes.iter().sum::<f32>() + rest
}

fn dot_rows(a: &[i16], rows: &[i8], out: &mut [i32]) {
    for (row, out) in out.iter_mut().enumerate() {
        let row = &rows[row * a.len()..][..a.len()];
        *out = a.iter().zip(row).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    }
}
