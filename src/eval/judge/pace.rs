//! How fast judgments are made, for an estimate of the time that is left.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Recent pairs that count.
const RECENT: usize = 40;

/// A longer pause is one from judging, not one of reading.
const BREAK: Duration = Duration::from_secs(180);

/// Below this many pairs there is no estimate.
const AT_LEAST: usize = 3;

/// The time that the last pairs took; breaks are left out.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    last: Option<Instant>,
    recent: VecDeque<Duration>,
}

impl Pace {
    /// Says that the person begins to read a first pair now; later calls change nothing.
    pub fn start(&mut self, now: Instant) {
        self.last.get_or_insert(now);
    }

    /// Counts a judgment.
    pub fn judged(&mut self, now: Instant) {
        let took = self.last.map(|last| now.saturating_duration_since(last));
        self.last = Some(now);
        let Some(took) = took.filter(|took| *took < BREAK) else { return };
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(took);
    }

    /// Mean time of a pair; `None` before three pairs.
    pub fn per_pair(&self) -> Option<Duration> {
        let num_pairs = u32::try_from(self.recent.len()).ok()?;
        (self.recent.len() >= AT_LEAST).then(|| self.recent.iter().sum::<Duration>() / num_pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_recent_pairs_without_breaks() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        pace.start(now);
        let mut judge_after = |pace: &mut Pace, seconds| {
            now += Duration::from_secs(seconds);
            pace.judged(now);
        };
        judge_after(&mut pace, 4);
        judge_after(&mut pace, 8);
        assert_eq!(pace.per_pair(), None);
        judge_after(&mut pace, 3600);
        assert_eq!(pace.per_pair(), None, "a break is no pair");
        judge_after(&mut pace, 6);
        assert_eq!(pace.per_pair(), Some(Duration::from_secs(6)));
        for _ in 0..RECENT {
            judge_after(&mut pace, 2);
        }
        assert_eq!(pace.per_pair(), Some(Duration::from_secs(2)), "only recent pairs count");
    }
}
