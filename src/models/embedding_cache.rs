//! Vectors by content, so that indexing an almost unchanged corpus embeds only what changed.
//!
//! One SQLite file, `CACHE/embeddings.sqlite`, shared by every index and process (write-ahead log, so a killed process loses
//! at most its last write). Key: BLAKE3 of what identifies the model's passage vectors and of the text. Value: the vector as
//! little-endian f32. The cache only saves time: whatever fails in it is logged and the text is embedded.
//!
//! # Stability
//! `user_version` 1. A file of another version, or a damaged one, is renamed aside and a new one begun.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::{Embeddings, ModelFingerprint};

/// The cache's file in the cache folder.
pub const CACHE_FILE: &str = "embeddings.sqlite";

/// Largest size by default; beyond it the vectors written first go.
pub(super) const DEFAULT_MAX_BYTES: u64 = 4 << 30;

const FORMAT_VERSION: i64 = 1;

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(20);

type Key = [u8; 32];

/// Vectors by content, on disk.
#[derive(Debug)]
pub struct EmbeddingCache {
    file: PathBuf,
    max_bytes: u64,
    /// `None` once the cache has failed in a way that will not pass.
    connection: Mutex<Option<Connection>>,
}

impl EmbeddingCache {
    /// Opens the cache in `folder`, which is made when missing. Never fails: a cache that cannot be used stays empty.
    pub fn open(folder: &Path, max_bytes: u64) -> Self {
        let file = folder.join(CACHE_FILE);
        let made = fs_err::create_dir_all(folder).inspect_err(|error| warn(&file, &error));
        let connection = made.ok().and_then(|()| connect_or_begin_anew(&file));
        Self { file, max_bytes, connection: Mutex::new(connection) }
    }

    /// The passage vectors of `texts` by the model of `fingerprint`, in their order, `None` where they are not known.
    pub fn get(&self, fingerprint: &ModelFingerprint, texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        let keys = keys(fingerprint, texts);
        let dims = fingerprint.dims;
        self.guarded(|connection| {
            let transaction = connection.transaction()?;
            let mut select = transaction.prepare_cached("SELECT vector FROM embedding WHERE key = ?1")?;
            keys.iter()
                .map(|key| {
                    let bytes: Option<Vec<u8>> = select.query_row([key.as_slice()], |row| row.get(0)).optional()?;
                    Ok(bytes.and_then(|bytes| from_bytes(&bytes, dims)))
                })
                .collect()
        })
        .unwrap_or_else(|| vec![None; keys.len()])
    }

    /// Remembers the passage vectors of `texts`, row `i` that of `texts[i]`, then drops the oldest if the file has grown beyond
    /// its bound.
    pub fn put(&self, fingerprint: &ModelFingerprint, texts: &[&str], embeddings: &Embeddings) {
        let keys = keys(fingerprint, texts);
        let vectors = keys.iter().zip(embeddings.rows());
        let max_bytes = self.max_bytes;
        self.guarded(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut insert =
                    transaction.prepare_cached("INSERT OR IGNORE INTO embedding (key, vector) VALUES (?1, ?2)")?;
                for (key, vector) in vectors {
                    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                    insert.execute((key.as_slice(), bytes))?;
                }
            }
            if used_bytes(&transaction)? > max_bytes {
                transaction.execute(
                    "DELETE FROM embedding WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 4 FROM embedding)",
                    [],
                )?;
            }
            transaction.commit()
        });
    }

    /// Does `work`, or says why not. A damaged file is put aside and a new one begun.
    fn guarded<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match work(connection.as_mut()?) {
            Ok(done) => Some(done),
            Err(error) if is_damage(&error) => {
                *connection = None;
                put_aside(&self.file, &error);
                *connection = connect(&self.file).inspect_err(|error| warn(&self.file, error)).ok();
                None
            }
            Err(error) => {
                warn(&self.file, &error);
                None
            }
        }
    }
}

fn connect_or_begin_anew(file: &Path) -> Option<Connection> {
    match connect(file) {
        Ok(connection) => Some(connection),
        Err(error) if is_damage(&error) => {
            put_aside(file, &error);
            connect(file).inspect_err(|error| warn(file, error)).ok()
        }
        Err(error) => {
            warn(file, &error);
            None
        }
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A power failure may lose the last writes, never the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS embedding (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)")?;
        transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
    } else if version != FORMAT_VERSION {
        let damage = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(rusqlite::Error::SqliteFailure(
            damage,
            Some(format!("its format is {version}, expected {FORMAT_VERSION}")),
        ));
    }
    transaction.commit()?;
    Ok(connection)
}

fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(u64::try_from(pages * pragma("page_size")?).unwrap_or(0))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(error.sqlite_error_code(), Some(Code::NotADatabase | Code::DatabaseCorrupt))
}

/// Renames a damaged cache, so that it can be looked at, and its log with it.
fn put_aside(file: &Path, error: &rusqlite::Error) {
    let aside = |ending: &str| {
        let mut path = file.as_os_str().to_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    let damaged = aside(".damaged");
    tracing::warn!(file = %file.display(), renamed = %damaged.display(), %error, "the embedding cache is damaged; a new one is begun");
    for (from, to) in
        [(file.to_path_buf(), damaged), (aside("-wal"), aside("-wal.damaged")), (aside("-shm"), aside("-shm.damaged"))]
    {
        if from.exists()
            && let Err(error) = fs_err::rename(&from, &to)
        {
            warn(&from, &error);
        }
    }
}

fn warn(file: &Path, error: &dyn std::fmt::Display) {
    tracing::warn!(file = %file.display(), %error, "the embedding cache cannot be used; texts are embedded anew");
}

fn from_bytes(bytes: &[u8], dims: usize) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    (rest.is_empty() && numbers.len() == dims)
        .then(|| numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

/// A key a text: what identifies a passage vector of a model, its name and its treatment of queries aside, and the text.
fn keys(fingerprint: &ModelFingerprint, texts: &[&str]) -> Vec<Key> {
    let ModelFingerprint { name: _, hash, dims, pooling, query_prefix: _, passage_prefix, normalized, max_tokens } =
        fingerprint;
    let facts = format!("{hash}\0{dims}\0{pooling:?}\0{normalized}\0{max_tokens}\0{passage_prefix}");
    let model = blake3::derive_key("bifocal 2026 model of an embedding", facts.as_bytes());
    texts.iter().map(|text| *blake3::keyed_hash(&model, text.as_bytes()).as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Pooling;

    fn model(hash: &str) -> ModelFingerprint {
        ModelFingerprint {
            name: "any".into(),
            hash: hash.into(),
            dims: 2,
            pooling: Pooling::Mean,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            normalized: true,
            max_tokens: 9,
        }
    }

    fn open(folder: &Path) -> EmbeddingCache {
        EmbeddingCache::open(folder, DEFAULT_MAX_BYTES)
    }

    fn vector(text: &str) -> Vec<f32> {
        vec![text.len() as f32, text.bytes().map(f32::from).sum()]
    }

    fn put(cache: &EmbeddingCache, texts: &[&str]) {
        let values = texts.iter().flat_map(|text| vector(text)).collect();
        cache.put(&model("a"), texts, &Embeddings { dims: 2, values, num_tokens: 0, num_truncated: 0 });
    }

    /// How many of the texts are known; those must have the right vectors.
    fn num_known(cache: &EmbeddingCache, texts: &[&str]) -> usize {
        let found = cache.get(&model("a"), texts);
        assert_eq!(found.len(), texts.len());
        found
            .iter()
            .zip(texts)
            .filter(|(found, text)| found.as_ref().is_some_and(|found| *found == vector(text)))
            .count()
    }

    fn numbered(prefix: usize, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{prefix} {number}")).collect()
    }

    fn as_strs(texts: &[String]) -> Vec<&str> {
        texts.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_was_put_is_found_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        put(&open(folder.path()), &["one", "", "three"]);
        let again = open(folder.path());
        assert_eq!(again.get(&model("a"), &["three", "four", ""]), [Some(vector("three")), None, Some(vector(""))]);
        assert!(again.get(&model("a"), &[]).is_empty());
    }

    #[test]
    fn another_model_or_prefix_has_its_own_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        put(&cache, &["one"]);
        assert_eq!(cache.get(&model("b"), &["one"]), [None]);
        assert_eq!(cache.get(&ModelFingerprint { passage_prefix: "p".into(), ..model("a") }, &["one"]), [None]);
        let renamed = ModelFingerprint { name: "other".into(), query_prefix: "q".into(), ..model("a") };
        assert_eq!(cache.get(&renamed, &["one"]), [Some(vector("one"))]);
    }

    #[test]
    fn a_damaged_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let garbage = "this is no database, and long enough to be read as one".repeat(40);
        fs_err::write(folder.path().join(CACHE_FILE), garbage).unwrap();
        let cache = open(folder.path());
        put(&cache, &["one"]);
        assert_eq!(num_known(&cache, &["one"]), 1, "the new file works");
        assert!(folder.path().join(format!("{CACHE_FILE}.damaged")).exists());
    }

    #[test]
    fn damage_inside_costs_only_time() {
        let folder = tempfile::tempdir().unwrap();
        let texts = numbered(0, 3000);
        let texts = as_strs(&texts);
        put(&open(folder.path()), &texts);
        let file = folder.path().join(CACHE_FILE);
        let mut bytes = fs_err::read(&file).unwrap();
        bytes.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5a);
        fs_err::write(&file, bytes).unwrap();
        let cache = open(folder.path());
        num_known(&cache, &texts);
        put(&cache, &texts);
        put(&cache, &texts);
        assert_eq!(num_known(&cache, &texts), texts.len());
    }

    #[test]
    fn four_writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let cache = open(folder.path());
                scope.spawn(move || numbered(writer, 50).iter().for_each(|text| put(&cache, &[text])));
            }
        });
        let cache = open(folder.path());
        for writer in 0..4 {
            assert_eq!(num_known(&cache, &as_strs(&numbered(writer, 50))), 50);
        }
    }

    #[test]
    fn a_process_that_ends_without_closing_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        put(&cache, &["one"]);
        std::mem::forget(cache);
        assert_eq!(num_known(&open(folder.path()), &["one"]), 1);
    }

    #[test]
    fn beyond_its_bound_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let cache = EmbeddingCache::open(folder.path(), 200 << 10);
        for round in 0..20 {
            put(&cache, &as_strs(&numbered(round, 400)));
        }
        assert_eq!((num_known(&cache, &["19 399"]), num_known(&cache, &["0 0"])), (1, 0));
        let used = used_bytes(cache.connection.lock().unwrap().as_ref().unwrap()).unwrap();
        assert!(used < 300 << 10, "{used}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_means_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("file"), "").unwrap();
        let cache = open(&folder.path().join("file").join("inner"));
        put(&cache, &["one"]);
        assert_eq!(num_known(&cache, &["one"]), 0);
    }
}
