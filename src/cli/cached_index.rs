//! The index of a judged collection: the one that was named, or one that is built once and kept in the cache folder.
//!
//! A kept index lies in `CACHE/eval/DATASET-HASH`. The hash is over the corpus, the mapping, the bi-encoder and the program's
//! version: whatever changes makes another index. It is built beside its place and renamed when it is complete, so that a build
//! that was interrupted is never taken for an index.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::index::{self, IndexArgs};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::models::{DEFAULT_BI_ENCODER, Models};

/// Where kept indexes lie in the cache folder.
const FOLDER: &str = "eval";
/// Digits of the hash in a name.
const HASH_DIGITS: usize = 12;
/// A build that was begun so many seconds ago is taken to be dead.
const STALE_SECONDS: u64 = 24 * 3600;

/// Where the index of a collection comes from, as typed.
#[derive(Debug, Args)]
pub(super) struct IndexSource {
    /// An index of its corpus (`bifocal index INDEX DATASET`); built and kept in the cache folder when absent
    #[arg(long)]
    pub(super) index: Option<PathBuf>,
    /// The bi-encoder of the index that is built (see `bifocal models list`)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["index", "mapping"])]
    pub(super) model: Option<String>,
    /// The Elasticsearch index body (`settings`, `mappings`), as JSON or YAML, of the index that is built
    #[arg(long, value_name = "FILE", conflicts_with = "index")]
    pub(super) mapping: Option<PathBuf>,
}

/// What an index is built of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The collection's name.
    pub(super) name: &'a str,
    /// Its folder, with the corpus.
    pub(super) folder: &'a Path,
    /// An Elasticsearch index body; inferred from the documents when absent.
    pub(super) mapping: Option<&'a Path>,
    /// The bi-encoder; the default one when absent.
    pub(super) model: Option<&'a str>,
    /// Whether the semantic view is left out, where no plan needs it.
    pub(super) lexical_only: bool,
}

/// An index that is open.
#[derive(Debug)]
pub(super) struct OpenIndex {
    pub(super) index: Index,
    /// Seconds that building took; `None` where it was there.
    pub(super) build_seconds: Option<f64>,
    /// Holds an index that is not kept.
    _temporary: Option<tempfile::TempDir>,
}

/// Opens an index that the user named.
pub(super) fn open(folder: &Path, models: &Arc<Models>) -> Result<OpenIndex> {
    Ok(OpenIndex { index: Index::open(folder, models.clone())?, build_seconds: None, _temporary: None })
}

/// Opens the kept index, or builds it; says on standard error which it is. Without a cache folder the index is temporary.
pub(super) fn open_or_build(wanted: &Wanted<'_>, models: &Arc<Models>) -> anyhow::Result<OpenIndex> {
    let temporary = match models.options().cache_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(Error::from)?),
    };
    let parent = match (&models.options().cache_dir, &temporary) {
        (Some(cache), _) => cache.join(FOLDER),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => std::env::temp_dir(),
    };
    let name = name_of(wanted, models)?;
    let folder = parent.join(&name);
    if folder.exists() {
        let index = Index::open(&folder, models.clone())?;
        eprintln!("index: {} (cached)", folder.display());
        return Ok(OpenIndex { index, build_seconds: None, _temporary: temporary });
    }
    fs_err::create_dir_all(&parent).map_err(Error::from)?;
    remove_stale(&parent);
    let started = Instant::now();
    let building = Building(parent.join(format!(".{name}.building-{}", std::process::id())));
    let args = IndexArgs::of_folder(&building.0, wanted.folder)
        .with_mapping(wanted.mapping)
        .with_model(wanted.model, wanted.lexical_only);
    drop(index::build(&args, models)?);
    if let Err(error) = fs_err::rename(&building.0, &folder)
        && !folder.exists()
    {
        return Err(Error::from(error).into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let index = Index::open(&folder, models.clone())?;
    eprintln!("index: {} (built in {seconds:.1} s)", folder.display());
    Ok(OpenIndex { index, build_seconds: Some(seconds), _temporary: temporary })
}

/// Removes what is left of a build, whichever way it ends.
struct Building(PathBuf);

impl Drop for Building {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

/// Removes builds of processes that were killed long ago.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs_err::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().ok().and_then(|facts| facts.modified().ok()?.elapsed().ok());
        let is_stale = age.is_some_and(|age| age.as_secs() > STALE_SECONDS);
        if is_stale && entry.file_name().to_string_lossy().contains(".building-") {
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}

fn name_of(wanted: &Wanted<'_>, models: &Models) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    hash_file(&mut hasher, &corpus_of(wanted.folder)?)?;
    match (wanted.mapping, wanted.lexical_only) {
        (Some(mapping), _) => hash_file(&mut hasher, mapping)?,
        (None, true) => {
            hasher.update(b"lexical only");
        }
        (None, false) => {
            let model = models.bi_encoder(wanted.model.unwrap_or(DEFAULT_BI_ENCODER))?;
            hasher.update(serde_json::to_string(model.fingerprint()).unwrap_or_default().as_bytes());
        }
    }
    let hash = hasher.finalize().to_hex();
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let name: String = wanted.name.chars().map(safe).collect();
    Ok(format!("{}-{}", name.trim_start_matches('.'), hash.get(..HASH_DIGITS).unwrap_or(&hash)))
}

fn corpus_of(folder: &Path) -> Result<PathBuf> {
    let names = ["corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "corpus.jsonl.zstd"];
    names.iter().map(|name| folder.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        let text = "has no corpus.jsonl to index; name an index of its documents with --index, or score runs with --qrels and --run";
        Error::not_found(text).in_file(folder)
    })
}

fn hash_file(hasher: &mut blake3::Hasher, path: &Path) -> Result<()> {
    let mut file = fs_err::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
