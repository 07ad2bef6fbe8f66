//! Vectors by content, so that indexing an almost unchanged corpus embeds only what changed.
//!
//! One SQLite file, `CACHE/embeddings.sqlite`, shared by every index and process (write-ahead log, so a killed process loses
//! at most its last write). Key: BLAKE3 of what identifies the model's passage vectors and of the text. Value: the vector as
//! little-endian f32. The cache only saves time: whatever fails in it is logged and the text is embedded.
//!
//! # Stability
//! `user_version` 1. A file of another version, or a damaged one, is renamed aside and a new one begun.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::describe::Similarity;
use super::{BiEncoder, Embeddings, ModelFingerprint, Tokenize};
use crate::error::Result;

/// The cache's file in the cache folder.
pub const CACHE_FILE: &str = "embeddings.sqlite";

/// Largest size by default; beyond it the vectors written first go.
pub(super) const DEFAULT_MAX_BYTES: u64 = 4 << 30;

const FORMAT_VERSION: i64 = 1;

/// Texts embedded between two writes: what an interruption can lose.
const TEXTS_A_WRITE: usize = 512;

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
    num_hits: AtomicU64,
    num_misses: AtomicU64,
}

/// How often the cache helped since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct CacheStats {
    /// Texts whose vector was there.
    pub num_hits: u64,
    /// Texts that were embedded.
    pub num_misses: u64,
}

impl EmbeddingCache {
    /// Opens the cache in `folder`, which is made when missing. Never fails: a cache that cannot be used stays empty.
    pub fn open(folder: &Path, max_bytes: u64) -> Self {
        let file = folder.join(CACHE_FILE);
        let made = fs_err::create_dir_all(folder).inspect_err(|error| warn(&file, &error));
        let connection = made.ok().and_then(|()| connect_or_begin_anew(&file));
        Self {
            file,
            max_bytes,
            connection: Mutex::new(connection),
            num_hits: AtomicU64::new(0),
            num_misses: AtomicU64::new(0),
        }
    }

    /// How often it helped.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            num_hits: self.num_hits.load(Ordering::Relaxed),
            num_misses: self.num_misses.load(Ordering::Relaxed),
        }
    }

    /// The vectors of these keys, where they are known and have `dims` numbers.
    fn get(&self, keys: &[Key], dims: usize) -> Vec<Option<Vec<f32>>> {
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

    /// Adds vectors, then drops the oldest if the file has grown beyond its bound.
    fn put<'a>(&self, vectors: impl Iterator<Item = (&'a Key, &'a [f32])>) {
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

/// What identifies a passage vector of a model, its name aside.
fn model_key(fingerprint: &ModelFingerprint) -> Key {
    let ModelFingerprint { name: _, hash, dims, pooling, query_prefix: _, passage_prefix, max_tokens } = fingerprint;
    let facts = format!("{hash}\0{dims}\0{pooling:?}\0{max_tokens}\0{passage_prefix}");
    blake3::derive_key("bifocal 2026 model of an embedding", facts.as_bytes())
}

/// A bi-encoder that looks passages up before it embeds them. Queries are embedded always.
#[derive(Debug)]
pub struct CachedBiEncoder {
    inner: Arc<dyn BiEncoder>,
    cache: Arc<EmbeddingCache>,
    model_key: Key,
}

impl CachedBiEncoder {
    /// `inner` with `cache` before it.
    pub fn new(inner: Arc<dyn BiEncoder>, cache: Arc<EmbeddingCache>) -> Self {
        let model_key = model_key(inner.fingerprint());
        Self { inner, cache, model_key }
    }
}

impl BiEncoder for CachedBiEncoder {
    fn fingerprint(&self) -> &ModelFingerprint {
        self.inner.fingerprint()
    }

    fn tokenizer(&self) -> &dyn Tokenize {
        self.inner.tokenizer()
    }

    fn embed_queries(&self, queries: &[&str]) -> Result<Embeddings> {
        self.inner.embed_queries(queries)
    }

    /// As the inner model does; `num_tokens` and `num_truncated` count what was embedded now. A text that occurs twice is
    /// embedded once.
    fn embed_passages(&self, passages: &[&str]) -> Result<Embeddings> {
        let dims = self.fingerprint().dims;
        let keys: Vec<Key> =
            passages.iter().map(|text| *blake3::keyed_hash(&self.model_key, text.as_bytes()).as_bytes()).collect();
        let mut known: HashMap<Key, Vec<f32>> = HashMap::with_capacity(keys.len());
        for (key, vector) in keys.iter().zip(self.cache.get(&keys, dims)) {
            known.extend(vector.map(|vector| (*key, vector)));
        }
        let mut missing: Vec<(Key, &str)> = Vec::new();
        let mut listed = std::collections::HashSet::new();
        for (key, text) in keys.iter().zip(passages) {
            if !known.contains_key(key) && listed.insert(*key) {
                missing.push((*key, text));
            }
        }
        let num_missing = missing.len() as u64;
        self.cache.num_misses.fetch_add(num_missing, Ordering::Relaxed);
        self.cache.num_hits.fetch_add(passages.len() as u64 - num_missing, Ordering::Relaxed);

        let mut embedded = Embeddings { dims, ..Embeddings::default() };
        for part in missing.chunks(TEXTS_A_WRITE) {
            let texts: Vec<&str> = part.iter().map(|(_, text)| *text).collect();
            let new = self.inner.embed_passages(&texts)?;
            self.cache.put(part.iter().map(|(key, _)| key).zip(new.rows()));
            known.extend(part.iter().map(|(key, _)| *key).zip(new.rows().map(<[f32]>::to_vec)));
            embedded.num_tokens += new.num_tokens;
            embedded.num_truncated += new.num_truncated;
        }
        embedded.values = keys.iter().filter_map(|key| known.get(key)).flatten().copied().collect();
        Ok(embedded)
    }

    fn similarity(&self) -> Similarity {
        self.inner.similarity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Pooling;

    /// Embeds a text as its length and its first byte, and counts what it was asked.
    #[derive(Debug)]
    struct Counting {
        fingerprint: ModelFingerprint,
        num_embedded: AtomicU64,
    }

    impl Counting {
        fn new(hash: &str) -> Arc<Self> {
            let fingerprint = ModelFingerprint {
                name: "counting".into(),
                hash: hash.into(),
                dims: 2,
                pooling: Pooling::None,
                query_prefix: String::new(),
                passage_prefix: String::new(),
                max_tokens: 9,
            };
            Arc::new(Self { fingerprint, num_embedded: AtomicU64::new(0) })
        }

        fn take_count(&self) -> u64 {
            self.num_embedded.swap(0, Ordering::Relaxed)
        }
    }

    impl Tokenize for Counting {
        fn token_offsets(&self, _: &str) -> Result<Vec<std::ops::Range<usize>>> {
            Ok(Vec::new())
        }
    }

    impl BiEncoder for Counting {
        fn fingerprint(&self) -> &ModelFingerprint {
            &self.fingerprint
        }

        fn tokenizer(&self) -> &dyn Tokenize {
            self
        }

        fn embed_queries(&self, queries: &[&str]) -> Result<Embeddings> {
            self.embed_passages(queries)
        }

        fn embed_passages(&self, passages: &[&str]) -> Result<Embeddings> {
            self.num_embedded.fetch_add(passages.len() as u64, Ordering::Relaxed);
            let values = passages
                .iter()
                .flat_map(|text| [text.len() as f32, f32::from(*text.as_bytes().first().unwrap_or(&0))])
                .collect();
            Ok(Embeddings { dims: 2, values, num_tokens: passages.len() as u64, num_truncated: 0 })
        }
    }

    fn cached(folder: &Path, model: &Arc<Counting>) -> CachedBiEncoder {
        CachedBiEncoder::new(model.clone(), Arc::new(EmbeddingCache::open(folder, DEFAULT_MAX_BYTES)))
    }

    #[test]
    fn the_second_time_nothing_is_embedded() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        let texts = ["one", "three", "one", "", "two"];
        let first = cached(folder.path(), &model).embed_passages(&texts).unwrap();
        assert_eq!(model.take_count(), 4, "a repeated text is embedded once");
        let again = cached(folder.path(), &model);
        let second = again.embed_passages(&texts).unwrap();
        assert_eq!((model.take_count(), &second.values), (0, &first.values));
        assert_eq!(again.cache.stats(), CacheStats { num_hits: 5, num_misses: 0 });
        again.embed_passages(&["one", "four", "two"]).unwrap();
        assert_eq!(model.take_count(), 1);
    }

    #[test]
    fn another_model_has_its_own_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (Counting::new("a"), Counting::new("b"));
        cached(folder.path(), &a).embed_passages(&["one"]).unwrap();
        cached(folder.path(), &b).embed_passages(&["one"]).unwrap();
        assert_eq!((a.take_count(), b.take_count()), (1, 1));
    }

    #[test]
    fn a_damaged_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        fs_err::write(
            folder.path().join(CACHE_FILE),
            "this is no database, and long enough to be read as one".repeat(40),
        )
        .unwrap();
        let encoder = cached(folder.path(), &model);
        encoder.embed_passages(&["one"]).unwrap();
        encoder.embed_passages(&["one"]).unwrap();
        assert_eq!(model.take_count(), 1, "the new file works");
        assert!(folder.path().join(format!("{CACHE_FILE}.damaged")).exists());
    }

    #[test]
    fn damage_while_running_costs_only_time() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        let texts: Vec<String> = (0..3000).map(|number| format!("text {number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = cached(folder.path(), &model).embed_passages(&texts).unwrap();
        let file = folder.path().join(CACHE_FILE);
        let mut bytes = fs_err::read(&file).unwrap();
        bytes.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5a);
        fs_err::write(&file, bytes).unwrap();
        let again = cached(folder.path(), &model);
        assert_eq!(again.embed_passages(&texts).unwrap().values, expected.values);
        assert_eq!(again.embed_passages(&texts).unwrap().values, expected.values);
    }

    #[test]
    fn two_writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        std::thread::scope(|scope| {
            for start in 0..4 {
                let encoder = cached(folder.path(), &model);
                scope.spawn(move || {
                    for number in 0..50 {
                        encoder.embed_passages(&[format!("{start} {number}").as_str()]).unwrap();
                    }
                });
            }
        });
        assert_eq!(model.take_count(), 200);
        let texts: Vec<String> =
            (0..4).flat_map(|start| (0..50).map(move |number| format!("{start} {number}"))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        cached(folder.path(), &model).embed_passages(&texts).unwrap();
        assert_eq!(model.take_count(), 0);
    }

    #[test]
    fn a_process_that_ends_without_closing_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        let encoder = cached(folder.path(), &model);
        encoder.embed_passages(&["one"]).unwrap();
        std::mem::forget(encoder);
        cached(folder.path(), &model).embed_passages(&["one"]).unwrap();
        assert_eq!(model.take_count(), 1);
    }

    #[test]
    fn beyond_its_bound_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let model = Counting::new("a");
        let cache = Arc::new(EmbeddingCache::open(folder.path(), 200 << 10));
        let encoder = CachedBiEncoder::new(model.clone(), cache.clone());
        for round in 0..20 {
            let texts: Vec<String> = (0..400).map(|number| format!("{round} {number}")).collect();
            encoder.embed_passages(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        }
        model.take_count();
        encoder.embed_passages(&["19 399"]).unwrap();
        assert_eq!(model.take_count(), 0, "the newest is there");
        encoder.embed_passages(&["0 0"]).unwrap();
        assert_eq!(model.take_count(), 1, "the oldest is not");
        let used = used_bytes(cache.connection.lock().unwrap().as_ref().unwrap()).unwrap();
        assert!(used < 300 << 10, "{used}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_means_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs_err::write(&blocked, "").unwrap();
        let model = Counting::new("a");
        let encoder = cached(&blocked.join("inner"), &model);
        encoder.embed_passages(&["one"]).unwrap();
        encoder.embed_passages(&["one"]).unwrap();
        assert_eq!(model.take_count(), 2);
    }
}
