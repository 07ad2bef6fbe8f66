//! The thread that refreshes, syncs and flushes by the clock. It starts with the first write and sleeps while there is nothing to do.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::settings::Durability;
use super::{Inner, State};
use crate::error::{Error, Result};

/// Without a write for this long, the shard is flushed.
const IDLE: Duration = Duration::from_secs(60);
/// Without a write for this long, Tantivy's threads are ended; the merges that the last commit began are long over.
const REST: Duration = Duration::from_secs(600);
/// How often it is looked whether merges have ended, while there may be any.
const SETTLE: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };
/// After a failure, the next attempt comes so much later.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Background {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes the thread.
#[derive(Debug, Default)]
pub(super) struct Wake {
    asked: Mutex<Asked>,
    bell: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    look: bool,
    refresh: bool,
    stop: bool,
}

impl Wake {
    /// Has the thread look what there is to do.
    pub(super) fn ring(&self) {
        self.asked().look = true;
        self.bell.notify_all();
    }

    /// Asks for a refresh at once.
    pub(super) fn ask_refresh(&self) {
        self.asked().refresh = true;
        self.bell.notify_all();
    }

    fn stop(&self) {
        self.asked().stop = true;
        self.bell.notify_all();
    }

    fn wait(&self, until: Option<Instant>) -> Asked {
        let mut asked = self.asked();
        loop {
            if asked.look || asked.refresh || asked.stop {
                let now = *asked;
                asked.look = false;
                asked.refresh = false;
                return now;
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return *asked,
                Some(rest) => {
                    asked = self.bell.wait_timeout(asked, rest).unwrap_or_else(PoisonError::into_inner).0;
                }
                None => asked = self.bell.wait(asked).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, thread: Mutex::default() }
    }

    /// Starts the thread unless it runs or was stopped.
    pub(super) fn start(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() || self.inner.wake.asked().stop {
            return;
        }
        let inner = self.inner.clone();
        match std::thread::Builder::new().name("bifocal-refresh".to_string()).spawn(move || run(&inner)) {
            Ok(started) => *thread = Some(started),
            Err(error) => tracing::error!(%error, "no thread can be started; what is written stays invisible"),
        }
    }

    /// Ends the thread, after what it does now.
    pub(super) fn stop(&self) {
        self.inner.wake.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// When what is due.
#[derive(Debug, Default)]
struct Due {
    refresh: Option<Instant>,
    sync: Option<Instant>,
    flush: Option<Instant>,
    settle: Option<Instant>,
    rest: Option<Instant>,
}

impl Due {
    fn next(&self) -> Option<Instant> {
        [self.refresh, self.sync, self.flush, self.settle, self.rest].into_iter().flatten().min()
    }
}

fn run(inner: &Inner) {
    let mut last_sync = Instant::now();
    let mut last_settled = Instant::now();
    let mut not_before = Instant::now();
    loop {
        let due = due(inner, last_sync, last_settled, not_before);
        let asked = inner.wake.wait(due.next());
        if asked.stop {
            return;
        }
        let now = Instant::now();
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        let mut failed = false;
        let mut attempt = |what: &str, work: &dyn Fn() -> Result<()>| {
            // A panic must not end the thread: nothing would be refreshed, synced or flushed any more.
            let done = std::panic::catch_unwind(AssertUnwindSafe(work));
            if let Err(error) = done.unwrap_or_else(|_| Err(Error::internal("it panicked"))) {
                tracing::error!(%error, folder = %inner.folder.display(), "{what} failed");
                failed = true;
            }
        };
        if is_due(due.sync) {
            attempt("sync", &|| inner.translog.sync(inner.translog.position()));
            last_sync = Instant::now();
        }
        if is_due(due.refresh) || asked.refresh {
            attempt("refresh", &|| inner.refresh());
        }
        if is_due(due.flush) {
            attempt("flush", &|| inner.flush());
        }
        if is_due(due.settle) {
            attempt("taking in merged segments", &|| inner.settle());
            last_settled = Instant::now();
        }
        if is_due(due.rest) {
            attempt("ending the writer", &|| inner.rest());
        }
        if failed {
            not_before = Instant::now() + RETRY;
        }
    }
}

fn due(inner: &Inner, last_sync: Instant, last_settled: Instant, not_before: Instant) -> Due {
    let settings = **inner.settings.load();
    let translog = inner.translog.stats();
    let has_feed = inner.feed_slot().has_feed();
    let state: MutexGuard<'_, State> = inner.state();
    let mut due = Due::default();
    if let (Some(since), Some(interval)) = (state.pending_since, settings.refresh_interval) {
        due.refresh = Some((since + interval).max(not_before));
    }
    // Merges run in a writer alone; where a refresh is due, it sees what they made.
    if has_feed && due.refresh.is_none() {
        due.settle = Some((last_settled + SETTLE).max(not_before));
    }
    let is_unflushed = state.last_seq_no != state.flushed;
    if settings.durability == Durability::Async && inner.translog.has_unsynced() {
        due.sync = Some((last_sync + settings.sync_interval).max(not_before));
    }
    if is_unflushed {
        let is_large = translog.bytes > settings.flush_threshold;
        due.flush = Some(if is_large { not_before } else { (state.last_write + IDLE).max(not_before) });
    } else if has_feed {
        due.rest = Some((state.last_write + REST).max(not_before));
    }
    due
}
