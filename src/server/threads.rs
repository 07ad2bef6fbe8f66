//! Pools of threads for what blocks: searches, writes, queries' embeddings, re-ranking, management and forced merges each have their own.
//!
//! A slow re-ranking fills the threads of inference and delays no keyword query. A pool has a bound on the threads and one on the
//! work that waits; what comes beyond is refused at once (`es_rejected_execution_exception`, status 429). Threads start when work comes,
//! so an idle server has none. Work whose client has gone is not begun.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::es::error::{EsError, EsResult};
use super::limits::Limits;
use super::request_id;

type Job = Box<dyn FnOnce() + Send>;

/// The pools of a server.
#[derive(Debug)]
pub struct Pools {
    /// Searches and reads.
    pub search: Pool,
    /// Writes; most of them wait for the disk, so there are more threads than cores.
    pub write: Pool,
    /// Embedding what searches look for, before they begin.
    pub embed: Pool,
    /// Re-ranking, and what the inference API asks.
    pub infer: Pool,
    /// Creating indices, mappings, refreshes, statistics.
    pub manage: Pool,
    /// Forced merges, which take long: one at a time, as in Elasticsearch.
    pub merge: Pool,
}

impl Pools {
    /// Pools for these limits and this machine's cores.
    pub fn new(limits: &Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self {
            search: Pool::new("search", limits.max_concurrent_searches, limits.max_queued_searches),
            write: Pool::new("write", (cores * 4).clamp(8, 64), 10_000),
            embed: Pool::new("embed", cores.max(2), limits.max_queued_searches),
            // A model's session uses every core by itself.
            infer: Pool::new("infer", 2, 1_000),
            manage: Pool::new("manage", 4, 1_000),
            merge: Pool::new("force_merge", 1, 100),
        }
    }

    /// The work that was done, all together, and whether none is under way or waits.
    pub(super) fn progress(&self) -> (u64, bool) {
        let stats = self.all().map(Pool::stats);
        let done = stats.iter().map(|stats| stats.completed).sum();
        (done, stats.iter().all(|stats| stats.active == 0 && stats.queued == 0))
    }

    /// Each pool.
    pub fn all(&self) -> [&Pool; 6] {
        [&self.search, &self.write, &self.embed, &self.infer, &self.manage, &self.merge]
    }
}

/// Threads with a queue. Dropping it ends the threads after the work that has begun.
pub struct Pool {
    shared: Arc<Shared>,
}

/// What a pool does and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Threads that exist.
    pub threads: usize,
    /// Threads that there may be.
    pub max_threads: usize,
    /// Threads at work.
    pub active: usize,
    /// The most threads ever at work.
    pub largest: usize,
    /// Work that waits.
    pub queued: usize,
    /// Work that may wait.
    pub max_queued: usize,
    /// Work that was refused.
    pub rejected: u64,
    /// Work that was done.
    pub completed: u64,
}

struct Shared {
    name: &'static str,
    max_threads: usize,
    max_queued: usize,
    queue: Mutex<Queue>,
    work_came: Condvar,
    rejected: AtomicU64,
    completed: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    active: usize,
    largest: usize,
    closed: bool,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("name", &self.shared.name).field("stats", &self.stats()).finish()
    }
}

impl Pool {
    /// A pool of at most `max_threads` threads, at whose door at most `max_queued` pieces of work wait.
    pub fn new(name: &'static str, max_threads: usize, max_queued: usize) -> Self {
        let shared = Shared {
            name,
            max_threads: max_threads.max(1),
            max_queued,
            queue: Mutex::default(),
            work_came: Condvar::new(),
            rejected: AtomicU64::new(0),
            completed: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// `search`, `write` ...
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// What the pool does and did.
    pub fn stats(&self) -> PoolStats {
        let queue = self.shared.queue();
        PoolStats {
            threads: queue.threads,
            max_threads: self.shared.max_threads,
            active: queue.active,
            largest: queue.largest,
            queued: queue.jobs.len(),
            max_queued: self.shared.max_queued,
            rejected: self.shared.rejected.load(Ordering::Relaxed),
            completed: self.shared.completed.load(Ordering::Relaxed),
        }
    }

    /// Runs work on a thread of the pool. If the future is dropped before the work began, it never begins.
    ///
    /// # Errors
    /// What the work returns; 429 when too much waits; 500 when the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let id = request_id::current();
        self.submit(Box::new(move || {
            if answer.is_closed() {
                return;
            }
            let _ = answer.send(guarded(id, work));
        }))?;
        answered.await.unwrap_or_else(|_| Err(closing()))
    }

    /// Runs work on a thread of the pool, and waits for it on this thread: from another pool's work, never from a task.
    ///
    /// # Errors
    /// As [`Pool::run`].
    pub fn run_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let id = request_id::current();
        self.submit(Box::new(move || {
            let _ = answer.send(guarded(id, work));
        }))?;
        answered.recv().unwrap_or_else(|_| Err(closing()))
    }

    /// Refuses new work and forgets what waits; what has begun goes on.
    pub fn close(&self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        // A dropped job closes its channel, which answers its request.
        let forgotten = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(forgotten);
        self.shared.work_came.notify_all();
    }

    fn submit(&self, job: Job) -> EsResult<()> {
        let mut queue = self.shared.queue();
        if queue.closed {
            return Err(closing());
        }
        let may_start = queue.threads < self.shared.max_threads;
        let idle = queue.threads - queue.active;
        if idle <= queue.jobs.len() && may_start {
            let shared = self.shared.clone();
            let name = format!("bifocal-{}-{}", shared.name, queue.threads);
            match std::thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    return Err(EsError::new(
                        503,
                        "es_rejected_execution_exception",
                        format!("no thread can be started: {error}"),
                    ));
                }
                Err(error) => tracing::warn!(%error, pool = self.shared.name, "no thread can be started"),
            }
        }
        let idle = queue.threads - queue.active;
        if queue.jobs.len() >= self.shared.max_queued + idle {
            drop(queue);
            self.shared.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(self.full());
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.work_came.notify_one();
        Ok(())
    }

    fn full(&self) -> EsError {
        let Shared { name, max_threads, max_queued, .. } = &*self.shared;
        EsError::new(
            429,
            "es_rejected_execution_exception",
            format!(
                "rejected execution: the pool [{name}] has {max_threads} threads at work and {max_queued} requests waiting"
            ),
        )
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// No code that can panic runs under the lock.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.queue();
        loop {
            let Some(job) = queue.jobs.pop_front() else {
                if queue.closed {
                    queue.threads -= 1;
                    return;
                }
                queue = self.work_came.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.active += 1;
            queue.largest = queue.largest.max(queue.active);
            drop(queue);
            // The work itself is guarded; this one guards the thread against a panic in a destructor.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(job));
            self.completed.fetch_add(1, Ordering::Relaxed);
            queue = self.queue();
            queue.active -= 1;
        }
    }
}

fn guarded<T>(id: Option<String>, work: impl FnOnce() -> EsResult<T>) -> EsResult<T> {
    request_id::on_thread(id, || std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked())))
}

const FAULT: &str = "a fault of the server; its log says more under the request id";

/// What a client hears of a panic; the hook has logged it under the same id.
pub(super) fn panicked() -> EsError {
    let id = request_id::current().unwrap_or_default();
    EsError::new(500, "exception", format!("{FAULT} [{id}]"))
}

/// Whether this is what a client hears of a panic, which is logged already.
pub(super) fn is_panic(error: &EsError) -> bool {
    error.reason.starts_with(FAULT)
}

fn closing() -> EsError {
    EsError::new(503, "node_closed_exception", "the server is shutting down")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// Work that ends when it is told.
    fn gate() -> (Sender<()>, impl FnOnce() -> EsResult<u32> + Send + 'static, Receiver<()>) {
        let (open, opened) = channel::<()>();
        let (began, has_begun) = channel();
        let work = move || {
            began.send(()).unwrap();
            opened.recv().unwrap();
            Ok(1)
        };
        (open, work, has_begun)
    }

    #[test]
    fn what_is_beyond_the_queue_is_refused() {
        let pool = Pool::new("test", 1, 1);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let pool = Arc::new(pool);
        let (open, work, has_begun) = gate();
        let running = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(work).await }
        });
        has_begun.recv().unwrap();
        let waiting = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(|| Ok(2)).await }
        });
        while pool.stats().queued == 0 {
            std::thread::yield_now();
        }
        let refused = block_on(pool.run(|| Ok(3))).unwrap_err();
        assert_eq!((refused.status, refused.kind.as_str()), (429, "es_rejected_execution_exception"));
        open.send(()).unwrap();
        assert_eq!(runtime.block_on(running).unwrap(), Ok(1));
        assert_eq!(runtime.block_on(waiting).unwrap(), Ok(2));
        assert_eq!(pool.stats().rejected, 1);
    }

    #[test]
    fn a_panic_is_an_answer_and_the_thread_lives_on() {
        let pool = Pool::new("test", 1, 10);
        let error = block_on(request_id::scope(
            "id-7".to_string(),
            pool.run(|| -> EsResult<()> { std::panic::resume_unwind(Box::new("boom")) }),
        ))
        .unwrap_err();
        assert_eq!(error.status, 500);
        assert!(error.reason.contains("[id-7]") && !error.reason.contains("boom"), "{error}");
        assert_eq!(block_on(pool.run(|| Ok(5))), Ok(5));
        assert_eq!(pool.stats().threads, 1);
    }

    #[test]
    fn work_whose_client_has_gone_is_not_begun() {
        let pool = Arc::new(Pool::new("test", 1, 10));
        let (open, work, has_begun) = gate();
        let other = pool.clone();
        let holder = std::thread::spawn(move || other.run_blocking(work));
        has_begun.recv().unwrap();
        let (ran, has_run) = channel();
        block_on(async {
            let gone = pool.run(move || {
                ran.send(()).unwrap();
                Ok(())
            });
            let _ = tokio::time::timeout(std::time::Duration::from_millis(1), gone).await.unwrap_err();
        });
        open.send(()).unwrap();
        assert_eq!(holder.join().unwrap(), Ok(1));
        assert_eq!(pool.run_blocking(|| Ok(2)), Ok(2));
        assert!(has_run.try_recv().is_err());
    }

    #[test]
    fn a_closed_pool_answers_what_waits() {
        let pool = Pool::new("test", 1, 10);
        pool.close();
        assert_eq!(block_on(pool.run(|| Ok(()))).unwrap_err().status, 503);
    }
}
