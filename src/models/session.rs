//! Loaded ONNX models, a few copies of each, lent to one thread at a time.
//!
//! `ort` lets only one thread at a time run a session (`run(&mut self)`), so a model keeps a pool:
//!
//! * one **wide** session whose operators use every core: least latency for one text;
//! * up to as many **narrow** sessions as there are cores, one thread each, made when first wanted: most texts a second, since
//!   the cores never wait for each other between operators. All-MiniLM-L6-v2, 128 passages of about 230 tokens, two Zen 3 cores:
//!   37 to 39 passages a second with two narrow sessions, 36 with the wide one; bge-small-en-v1.5 20 against 16. One query of
//!   12 tokens: 1.9 ms (4.5 ms) wide, 2.7 ms (6.7 ms) narrow.
//!
//! The pool's lock is held to take a session and to give it back, never while it runs. Copies have their own weights, so there
//! are only as many as fit into half of the memory that inference may use.
//!
//! ONNX Runtime's arena is off: it would keep the largest batch's memory for ever, and costs 1 percent of the time to go without.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::runtime;
use crate::error::{Error, Result};

/// Which kind of session a caller is better off with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Every core on one run.
    Wide,
    /// One core; others run beside it.
    Narrow,
}

/// The sessions of one model.
pub(super) struct SessionPool {
    onnx: PathBuf,
    threads: usize,
    max_narrow: usize,
    idle: Mutex<Idle>,
    given_back: Condvar,
}

#[derive(Default)]
struct Idle {
    wide: Option<Session>,
    narrow: Vec<Session>,
    /// Narrow sessions that exist or are being made, idle or lent.
    num_narrow: usize,
}

impl std::fmt::Debug for SessionPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPool")
            .field("onnx", &self.onnx)
            .field("threads", &self.threads)
            .field("max_narrow", &self.max_narrow)
            .finish_non_exhaustive()
    }
}

impl SessionPool {
    /// Loads the wide session of the model at `onnx`.
    ///
    /// * `threads`: cores to use, at least 1.
    /// * `memory_bytes`: what inference may use; copies of the weights take at most half of it.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when ONNX Runtime is missing or refuses the file.
    pub(super) fn open(onnx: &Path, threads: usize, memory_bytes: u64) -> Result<Self> {
        let threads = threads.max(1);
        let weights = super::describe::weight_bytes(onnx).max(1);
        let copies = usize::try_from(memory_bytes / 2 / weights).unwrap_or(usize::MAX);
        let max_narrow = if threads == 1 { 0 } else { copies.min(threads) };
        let wide = load(onnx, threads)?;
        let idle = Mutex::new(Idle { wide: Some(wide), ..Idle::default() });
        Ok(Self { onnx: onnx.to_path_buf(), threads, max_narrow, idle, given_back: Condvar::new() })
    }

    /// How many runs can go on side by side.
    pub(super) fn num_parallel(&self) -> usize {
        self.max_narrow.max(1)
    }

    /// Names of the inputs and outputs, in the model's order.
    pub(super) fn names(&self) -> Result<(Vec<String>, Vec<String>)> {
        self.run(Want::Wide, |session| {
            let names =
                |outlets: &[ort::value::Outlet]| outlets.iter().map(|outlet| outlet.name().to_string()).collect();
            Ok((names(session.inputs()), names(session.outputs())))
        })
    }

    /// Lends a session to `work`; waits while all are lent.
    ///
    /// # Errors
    /// What `work` or the loading of a further session fails with.
    pub(super) fn run<T>(&self, want: Want, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let mut lease = self.lend(want)?;
        match lease.session.as_mut() {
            Some((_, session)) => work(session),
            None => Err(Error::internal("a lent session is gone")),
        }
    }

    fn lend(&self, want: Want) -> Result<Lease<'_>> {
        let mut idle = self.lock();
        loop {
            if (want == Want::Wide || self.max_narrow == 0)
                && let Some(session) = idle.wide.take()
            {
                return Ok(Lease { pool: self, session: Some((Want::Wide, session)) });
            }
            if let Some(session) = idle.narrow.pop() {
                return Ok(Lease { pool: self, session: Some((Want::Narrow, session)) });
            }
            if idle.num_narrow < self.max_narrow {
                idle.num_narrow += 1;
                drop(idle);
                return self.add_narrow();
            }
            idle = self.given_back.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add_narrow(&self) -> Result<Lease<'_>> {
        match load(&self.onnx, 1) {
            Ok(session) => Ok(Lease { pool: self, session: Some((Want::Narrow, session)) }),
            Err(error) => {
                self.lock().num_narrow -= 1;
                self.given_back.notify_all();
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session on loan; goes back when dropped, also when the borrower panics.
struct Lease<'pool> {
    pool: &'pool SessionPool,
    session: Option<(Want, Session)>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.lock();
        match self.session.take() {
            Some((Want::Wide, session)) => idle.wide = Some(session),
            Some((Want::Narrow, session)) => idle.narrow.push(session),
            None => {}
        }
        drop(idle);
        // All, since a waiter may want the other kind.
        self.pool.given_back.notify_all();
    }
}

fn load(onnx: &Path, threads: usize) -> Result<Session> {
    let environment = runtime::environment()?;
    let started = std::time::Instant::now();
    let failed = |reason: String| Error::model(format!("cannot be loaded: {reason}")).in_file(onnx);
    let builder = SessionBuilder::new(&environment).map_err(|error| failed(error.to_string()))?;
    let session = options(builder, threads)
        .and_then(|mut builder| builder.commit_from_file(onnx).map_err(|error| error.to_string()))
        .map_err(failed)?;
    tracing::debug!(model = %onnx.display(), threads, took_ms = started.elapsed().as_millis(), "loaded session");
    Ok(session)
}

fn options(builder: SessionBuilder, threads: usize) -> Result<SessionBuilder, String> {
    fn text(error: ort::Error<SessionBuilder>) -> String {
        error.to_string()
    }
    // No arena: see the module.
    let providers = [ep::CPU::default().with_arena_allocator(false).build()];
    let builder = builder.with_intra_threads(threads).map_err(text)?;
    let builder = builder.with_inter_threads(1).map_err(text)?;
    let builder = builder.with_optimization_level(GraphOptimizationLevel::All).map_err(text)?;
    // Memory patterns are kept per input shape, and ours are as many as there are lengths.
    let builder = builder.with_memory_pattern(false).map_err(text)?;
    let builder = builder.with_execution_providers(providers).map_err(text)?;
    // Threads spin between the operators of a run, where waking them would cost more, but not after it.
    let builder = builder.with_config_entry("session.force_spinning_stop", "1").map_err(text)?;
    builder.with_log_level(LogLevel::Error).map_err(text)
}
