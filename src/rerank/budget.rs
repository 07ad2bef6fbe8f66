//! How many pairs to read before looking at the clock again.
//!
//! Without a budget everything is read at once, which lets the model sort by length and fill its batches. With one, a few
//! pairs are read first; from then on as many as should fit into half of the time left, at the pace seen so far, so that
//! slices are large while there is time and small towards its end. A pair that would not fit any more is not begun.

use std::time::Duration;

/// Pairs that are read before the pace is known, and however small the budget is.
pub const FIRST_SLICE: usize = 4;

/// A time budget at work.
pub(super) struct Budget<'a> {
    limit: Option<Duration>,
    elapsed: &'a dyn Fn() -> Duration,
    begun: Duration,
    num_read: usize,
    reading: Duration,
    first: bool,
}

impl<'a> Budget<'a> {
    /// `elapsed` gives the time since re-ranking began.
    pub(super) fn new(limit: Option<Duration>, elapsed: &'a dyn Fn() -> Duration) -> Self {
        Self { limit, elapsed, begun: Duration::ZERO, num_read: 0, reading: Duration::ZERO, first: true }
    }

    /// The pairs to read next, at least 1; `None` when there is no time for more.
    pub(super) fn next_slice(&mut self) -> Option<usize> {
        let Some(limit) = self.limit else { return Some(usize::MAX) };
        self.begun = (self.elapsed)();
        if std::mem::take(&mut self.first) {
            return Some(FIRST_SLICE);
        }
        let left = limit.checked_sub(self.begun).filter(|left| !left.is_zero())?;
        if self.num_read == 0 {
            return Some(FIRST_SLICE);
        }
        let pair_secs = self.reading.as_secs_f64() / self.num_read as f64;
        if pair_secs > left.as_secs_f64() {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float's cast saturates, and it is positive"
        )]
        let fits = (left.as_secs_f64() / 2.0 / pair_secs) as usize;
        Some(fits.max(1))
    }

    /// Tells that the slice took place and had so many pairs.
    pub(super) fn spent(&mut self, num_pairs: usize) {
        if self.limit.is_some() {
            self.num_read += num_pairs;
            self.reading += (self.elapsed)().saturating_sub(self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn without_a_limit_everything_is_read_at_once() {
        let mut budget = Budget::new(None, &|| Duration::from_secs(3600));
        assert_eq!(budget.next_slice(), Some(usize::MAX));
    }

    #[test]
    fn slices_follow_the_pace_and_end_before_the_limit() {
        let clock = Cell::new(Duration::ZERO);
        let now = || clock.get();
        let mut budget = Budget::new(Some(Duration::from_millis(100)), &now);
        let mut slices = Vec::new();
        while let Some(slice) = budget.next_slice() {
            slices.push(slice);
            clock.set(clock.get() + Duration::from_millis(2) * u32::try_from(slice).unwrap());
            budget.spent(slice);
        }
        assert_eq!(slices[..3], [4, 23, 11]);
        assert!(clock.get() <= Duration::from_millis(100), "{:?}", clock.get());
        assert!(slices.iter().sum::<usize>() >= 49, "{slices:?}");
    }

    #[test]
    fn the_first_slice_is_read_whatever_the_limit() {
        let mut budget = Budget::new(Some(Duration::from_nanos(1)), &|| Duration::from_millis(5));
        assert_eq!(budget.next_slice(), Some(FIRST_SLICE));
        budget.spent(FIRST_SLICE);
        assert_eq!(budget.next_slice(), None);
    }
}
