//! Until when a search may go on: what long loops look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Until when a search may go on; the default is as long as it takes.
///
/// Whoever loops over much asks [`TimeLimit::is_up`] now and then (some 30 nanoseconds a time), and stops with what it has. Clones
/// belong to one search: what one of them noticed, all of them know.
#[derive(Debug, Clone, Default)]
pub struct TimeLimit(Option<Arc<Limit>>);

#[derive(Debug)]
struct Limit {
    deadline: Instant,
    was_noticed: AtomicBool,
}

impl TimeLimit {
    /// Until this moment; `None` has no limit.
    pub fn until(deadline: Option<Instant>) -> Self {
        Self(deadline.map(|deadline| Arc::new(Limit { deadline, was_noticed: AtomicBool::new(false) })))
    }

    /// Whether there is a limit at all.
    pub fn applies(&self) -> bool {
        self.0.is_some()
    }

    /// The moment.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|limit| limit.deadline)
    }

    /// Whether the time is up. Who hears so leaves its work undone.
    pub fn is_up(&self) -> bool {
        let Some(limit) = &self.0 else { return false };
        if limit.was_noticed.load(Ordering::Relaxed) {
            return true;
        }
        let is_up = Instant::now() >= limit.deadline;
        if is_up {
            limit.was_noticed.store(true, Ordering::Relaxed);
        }
        is_up
    }

    /// Whether anyone was told that the time is up, so that something was left undone.
    pub fn was_noticed(&self) -> bool {
        self.0.as_ref().is_some_and(|limit| limit.was_noticed.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_one_notices_all_know() {
        let none = TimeLimit::default();
        assert!(!none.applies() && !none.is_up() && !none.was_noticed());
        let later = TimeLimit::until(Some(Instant::now() + Duration::from_secs(600)));
        assert!(later.applies() && !later.is_up() && !later.was_noticed());
        let past = TimeLimit::until(Some(Instant::now()));
        let clone = past.clone();
        assert!(!past.was_noticed());
        assert!(clone.is_up() && past.was_noticed());
    }
}
