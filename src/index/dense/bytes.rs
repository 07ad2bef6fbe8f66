//! Bytes of a mapped file seen as numbers, with alignment and length checked once.
//!
//! The files are little-endian, as are all machines this is built for; on another the build fails.

use std::fmt;
use std::marker::PhantomData;

use tantivy::directory::OwnedBytes;

#[cfg(target_endian = "big")]
compile_error!("segment files are mapped as little-endian numbers");

/// Sections of a file start at multiples of this many bytes: a cache line, and enough for every vector instruction.
pub(crate) const ALIGNMENT: usize = 64;

/// Types whose every bit pattern is a value, without padding.
///
/// # Safety
/// Implement it for plain numbers only.
#[expect(unsafe_code, reason = "the promise that casts below rely on")]
pub(crate) unsafe trait Number: Copy + Send + Sync + 'static {}
macro_rules! numbers {
    ($($type:ty),*) => {$(
        // SAFETY: a primitive number: no padding, every bit pattern is a value.
        #[expect(unsafe_code, reason = "a primitive number")]
        unsafe impl Number for $type {}
    )*};
}
numbers!(i8, u16, u32, f32);

/// The bytes of numbers, in memory order (little-endian).
pub(crate) fn as_bytes<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: a Number has no padding, so all its bytes are initialised; u8 has alignment 1; the length is in bytes; the
    // lifetime is that of the borrow.
    #[expect(unsafe_code, reason = "numbers to bytes without a copy")]
    unsafe {
        std::slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), size_of_val(numbers))
    }
}

/// A section of a mapped file as numbers.
pub(crate) struct Numbers<T> {
    /// Invariant: aligned for `T`, and its length is a multiple of `T`'s size.
    bytes: OwnedBytes,
    numbers: PhantomData<T>,
}

impl<T: Number> Numbers<T> {
    /// `None` when the bytes are not aligned for `T` or do not hold exactly `len` of them.
    pub(crate) fn new(bytes: OwnedBytes, len: usize) -> Option<Self> {
        let fits = len.checked_mul(size_of::<T>()) == Some(bytes.len());
        (fits && bytes.as_slice().as_ptr().cast::<T>().is_aligned()).then_some(Self { bytes, numbers: PhantomData })
    }

    /// The numbers.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        let bytes = self.bytes.as_slice();
        // SAFETY: the constructor checked alignment and length; OwnedBytes' memory neither moves nor is freed while `self`
        // lives; every bit pattern is a Number.
        #[expect(unsafe_code, reason = "mapped bytes to numbers without a copy")]
        unsafe {
            std::slice::from_raw_parts(bytes.as_ptr().cast::<T>(), bytes.len() / size_of::<T>())
        }
    }
}

impl<T> fmt::Debug for Numbers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Numbers({} bytes)", self.bytes.len())
    }
}

/// The same bytes at an aligned address: as they are when they lie well (a mapped file does), else copied once.
pub(crate) fn aligned(bytes: OwnedBytes) -> OwnedBytes {
    if bytes.as_slice().as_ptr().addr().is_multiple_of(ALIGNMENT) {
        return bytes;
    }
    let len = bytes.len();
    let mut copy = vec![0u8; len + ALIGNMENT];
    let start = copy.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    copy[start..start + len].copy_from_slice(&bytes);
    OwnedBytes::new(copy).slice(start..start + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misaligned_bytes_are_copied_and_lengths_checked() {
        let numbers: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let mut padded = vec![0u8; 3];
        padded.extend_from_slice(as_bytes(&numbers));
        let bytes = aligned(OwnedBytes::new(padded).slice(3..35));
        assert_eq!(Numbers::<f32>::new(bytes.clone(), 8).unwrap().as_slice(), numbers);
        assert!(Numbers::<f32>::new(bytes.clone(), 7).is_none());
        assert!(Numbers::<f32>::new(bytes.slice(1..5), 1).is_none());
        assert!(Numbers::<f32>::new(bytes, usize::MAX / 2).is_none());
    }
}
