//! What was acknowledged and is not yet in a commit of the index: the translog.
//!
//! In: [`Record`]s, appended in the order of their sequence numbers. Out: after a crash, the same records. Invariant: when
//! [`Translog::sync`] has returned for a position, every record before it survives a loss of power. Concurrent callers share one
//! sync of the file (group commit): one of them does it for all that was appended, the others wait.
//!
//! The log is cut into generations, files of their own, so that what a commit holds can be thrown away by file. Read next: the bytes
//! (`record.rs`), how a torn tail is told from damage (`recovery.rs`).

mod checkpoint;
mod record;
mod recovery;

use std::collections::VecDeque;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use record::{Change, Record};

use self::checkpoint::{Checkpoint, Synced};
use self::record::HEADER_LEN;
use crate::error::{Error, ErrorKind, Result};

/// A generation is closed when it is this large, so that reading one back takes bounded memory.
const GENERATION_BYTES: u64 = 64 << 20;

/// The log of one index. `Send + Sync`.
#[derive(Debug)]
pub struct Translog {
    folder: PathBuf,
    log: Mutex<Log>,
    syncing: Mutex<Syncing>,
    synced: Condvar,
    checkpoint: Mutex<Checkpoint>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    generation: u64,
    offset: u64,
    len: u32,
}

impl Place {
    /// Of a record that is not appended yet.
    pub(super) const PENDING: Self = Self { generation: 0, offset: 0, len: 0 };
}

/// How much was appended since the log was opened, over all generations; what [`Translog::sync`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(u64);

/// Figures of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TranslogStats {
    /// Records in its files.
    pub num_records: u64,
    /// The size of its files.
    pub bytes: u64,
}

/// The file of a generation, kept open for realtime reads.
#[derive(Debug)]
struct Generation {
    number: u64,
    path: PathBuf,
    file: fs_err::File,
    /// How much is on disk.
    synced: AtomicU64,
}

#[derive(Debug)]
struct Log {
    current: Arc<Generation>,
    /// Where the next frame goes.
    end: u64,
    position: Position,
    num_records: u64,
    max_seq_no: Option<u64>,
    /// Closed generations, oldest first.
    older: VecDeque<Closed>,
    /// Why nothing can be appended any more.
    broken: Option<String>,
}

#[derive(Debug)]
struct Closed {
    generation: Arc<Generation>,
    bytes: u64,
    num_records: u64,
    max_seq_no: Option<u64>,
}

#[derive(Debug, Default)]
struct Syncing {
    synced: Position,
    is_led: bool,
    broken: Option<String>,
}

impl Translog {
    /// Opens the log in `folder`, which is made when there is none, and hands every record to `replay`, in order. A torn tail is cut and
    /// logged. What is appended goes to a new generation.
    ///
    /// # Errors
    /// `Corrupt`, naming file and offset, when something that was acknowledged is damaged; `Unsupported` for another version's; `Io`;
    /// whatever `replay` says.
    pub fn open(folder: &Path, mut replay: impl FnMut(Record<'static>) -> Result<()>) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        let synced = Checkpoint::read(folder);
        let files = recovery::generations(folder)?;
        if files.last().map_or(0, |(last, _)| *last) < synced.generation {
            let lost = folder.join(recovery::file_name(synced.generation));
            let text = "is missing, and held what was acknowledged; restore the index from a copy";
            return Err(Error::corrupt(text).in_file(lost));
        }
        let mut older = VecDeque::new();
        let num_files = files.len();
        let mut next = synced.generation + 1;
        for (place, (number, path)) in files.into_iter().enumerate() {
            let is_last = place + 1 == num_files;
            let scanned = recovery::scan(&path, number, is_last.then_some(synced), &mut replay)?;
            if scanned.torn > 0 {
                tracing::warn!(file = %path.display(), at = scanned.end, bytes = scanned.torn, "cut the torn end of a translog");
            }
            if scanned.num_records == 0 && is_last {
                // Begun anew under the same number: a second crash leaves a last file that is torn again, never one before the last.
                next = number;
                continue;
            }
            next = next.max(number + 1);
            let file = fs_err::OpenOptions::new().read(true).write(true).open(&path)?;
            if scanned.torn > 0 {
                file.set_len(scanned.end)?;
            }
            if is_last {
                file.sync_all()?;
            }
            let generation = Generation { number, path, file, synced: AtomicU64::new(scanned.end) };
            older.push_back(Closed {
                generation: Arc::new(generation),
                bytes: scanned.end,
                num_records: scanned.num_records,
                max_seq_no: scanned.max_seq_no,
            });
        }
        let current = Arc::new(Generation::create(folder, next)?);
        let log = Log {
            current,
            end: HEADER_LEN as u64,
            position: Position::default(),
            num_records: 0,
            max_seq_no: None,
            older,
            broken: None,
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            log: Mutex::new(log),
            syncing: Mutex::default(),
            synced: Condvar::new(),
            checkpoint: Mutex::new(Checkpoint::open(folder)?),
        })
    }

    /// Appends records; all of them or none. They are safe once [`Translog::sync`] has returned for the position.
    ///
    /// The caller sees to it that sequence numbers only grow.
    ///
    /// # Errors
    /// `Io` when the disk refuses, `InvalidInput` for a record of more than 1 GiB.
    pub fn append(&self, records: &[Record<'_>]) -> Result<(Vec<Place>, Position)> {
        let mut log = self.log();
        if let Some(why) = &log.broken {
            return Err(Error::new(
                ErrorKind::Io,
                format!("the translog takes no more writes: {why}; restart the server"),
            ));
        }
        if log.end >= GENERATION_BYTES {
            self.close_generation(&mut log)?;
        }
        let generation = log.current.clone();
        let synced = generation.synced.load(Ordering::Acquire);
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let offset = log.end + bytes.len() as u64;
            let len = record
                .write(synced, &mut bytes)
                .ok_or_else(|| Error::invalid_input(format!("document {:?} is too large", record.id)))?;
            places.push(Place { generation: generation.number, offset, len });
        }
        if let Err(error) = generation.file.file().write_all_at(&bytes, log.end) {
            // Part of it may be there; the next frame must not come after it.
            if let Err(cut) = generation.file.set_len(log.end) {
                log.broken = Some(cut.to_string());
            }
            return Err(Error::from(error).in_file(&generation.path));
        }
        log.end += bytes.len() as u64;
        log.position.0 += bytes.len() as u64;
        log.num_records += records.len() as u64;
        log.max_seq_no = records.iter().map(|record| record.seq_no).max().max(log.max_seq_no);
        Ok((places, log.position))
    }

    /// The end of what was appended.
    pub fn position(&self) -> Position {
        self.log().position
    }

    /// Waits until everything before `position` is on disk. One of the callers syncs for all.
    ///
    /// # Errors
    /// `Io` when the disk refuses; nobody knows then what is on it, so every later call fails too.
    pub fn sync(&self, position: Position) -> Result<()> {
        let mut syncing = self.syncing();
        loop {
            if syncing.synced >= position {
                return Ok(());
            }
            if let Some(why) = &syncing.broken {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!("the translog cannot be synced: {why}; restart the server"),
                ));
            }
            if !syncing.is_led {
                break;
            }
            syncing = self.synced.wait(syncing).unwrap_or_else(PoisonError::into_inner);
        }
        syncing.is_led = true;
        drop(syncing);
        let (generation, end, reached) = {
            let log = self.log();
            (log.current.clone(), log.end, log.position)
        };
        let done = self.sync_file(&generation, end);
        let mut syncing = self.syncing();
        syncing.is_led = false;
        self.settle(&mut syncing, reached, &done);
        drop(syncing);
        done
    }

    fn settle(&self, syncing: &mut Syncing, reached: Position, done: &Result<()>) {
        match done {
            Ok(()) => syncing.synced = syncing.synced.max(reached),
            Err(error) => {
                syncing.broken.get_or_insert_with(|| error.to_string());
            }
        }
        self.synced.notify_all();
    }

    fn sync_file(&self, generation: &Generation, end: u64) -> Result<()> {
        generation.file.sync_data()?;
        generation.synced.fetch_max(end, Ordering::AcqRel);
        let mut checkpoint = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoint.advance(Synced { generation: generation.number, end })
    }

    /// Begins a new generation, so that [`Translog::trim`] can drop all that came before. Does nothing when the current one is empty.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub fn roll(&self) -> Result<()> {
        let mut log = self.log();
        if log.num_records == 0 { Ok(()) } else { self.close_generation(&mut log) }
    }

    fn close_generation(&self, log: &mut Log) -> Result<()> {
        // A generation is whole on disk before the next exists.
        let done = self.sync_file(&log.current, log.end);
        self.settle(&mut self.syncing(), log.position, &done);
        done?;
        let next = Arc::new(Generation::create(&self.folder, log.current.number + 1)?);
        let closed = Closed {
            generation: std::mem::replace(&mut log.current, next),
            bytes: log.end,
            num_records: std::mem::take(&mut log.num_records),
            max_seq_no: log.max_seq_no.take(),
        };
        log.older.push_back(closed);
        log.end = HEADER_LEN as u64;
        Ok(())
    }

    /// Removes the closed generations of which a durable commit holds every record: those with none above `seq_no`.
    ///
    /// # Errors
    /// `Io` when a file cannot be removed.
    pub fn trim(&self, seq_no: u64) -> Result<()> {
        let mut log = self.log();
        while log.older.front().is_some_and(|oldest| oldest.max_seq_no.is_none_or(|max| max <= seq_no)) {
            if let Some(oldest) = log.older.pop_front() {
                fs_err::remove_file(&oldest.generation.path)?;
            }
        }
        Ok(())
    }

    /// Reads a record; `None` when its generation was trimmed, so that it must be in the index.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged, `Io` when it cannot be read.
    pub fn read(&self, place: Place) -> Result<Option<Record<'static>>> {
        let found = {
            let log = self.log();
            if log.current.number == place.generation {
                Some(log.current.clone())
            } else {
                let closed = log.older.iter().find(|closed| closed.generation.number == place.generation);
                closed.map(|closed| closed.generation.clone())
            }
        };
        let Some(generation) = found else { return Ok(None) };
        let mut bytes = vec![0; place.len as usize];
        generation.file.file().read_exact_at(&mut bytes, place.offset)?;
        match record::read_frame(&bytes) {
            Some(frame) => Ok(Some(frame.record)),
            None => {
                let text = format!("is damaged at byte {}; restore the index from a copy", place.offset);
                Err(Error::corrupt(text).in_file(&generation.path))
            }
        }
    }

    /// Hands every record above `seq_no` to `visit`, in order, up to what was appended when the call began.
    ///
    /// # Errors
    /// As [`Translog::open`].
    pub fn replay_after(
        &self,
        seq_no: Option<u64>,
        mut visit: impl FnMut(Record<'static>) -> Result<()>,
    ) -> Result<()> {
        let (mut files, end) = {
            let log = self.log();
            let files: Vec<_> = log.older.iter().map(|closed| (closed.generation.clone(), closed.bytes)).collect();
            (files, (log.current.clone(), log.end))
        };
        files.push(end);
        for (generation, end) in files {
            let mut bytes = vec![0; usize::try_from(end).unwrap_or(usize::MAX)];
            generation.file.file().read_exact_at(&mut bytes, 0)?;
            let mut at = HEADER_LEN;
            while at < bytes.len() {
                let Some(frame) = bytes.get(at..).and_then(record::read_frame) else {
                    let text = format!("is damaged at byte {at}; restore the index from a copy");
                    return Err(Error::corrupt(text).in_file(&generation.path));
                };
                at += frame.len;
                if seq_no.is_none_or(|seq_no| frame.record.seq_no > seq_no) {
                    visit(frame.record)?;
                }
            }
        }
        Ok(())
    }

    /// Whether something was appended that no sync has covered.
    pub fn has_unsynced(&self) -> bool {
        let position = self.position();
        self.syncing().synced < position
    }

    /// Figures.
    pub fn stats(&self) -> TranslogStats {
        let log = self.log();
        TranslogStats {
            num_records: log.num_records + log.older.iter().map(|closed| closed.num_records).sum::<u64>(),
            bytes: log.end + log.older.iter().map(|closed| closed.bytes).sum::<u64>(),
        }
    }

    /// No code that can panic runs under the locks.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn syncing(&self) -> MutexGuard<'_, Syncing> {
        self.syncing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generation {
    fn create(folder: &Path, number: u64) -> Result<Self> {
        let path = folder.join(recovery::file_name(number));
        let file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.file().write_all_at(&record::header(number), 0)?;
        file.sync_all()?;
        fs_err::File::open(folder)?.sync_all()?;
        Ok(Self { number, path, file, synced: AtomicU64::new(HEADER_LEN as u64) })
    }
}

#[cfg(test)]
mod tests;
