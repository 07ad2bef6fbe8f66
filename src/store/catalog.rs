//! The indices of a folder, by name and alias.
//!
//! In: names, wildcards and aliases as users write them. Out: the [`Shard`]s behind them. `catalog.json` holds the names; an index lies in
//! `indices/UUID`, so that deleting and making anew under the same name never meet. Invariant: `catalog.json` is replaced as a whole and
//! durably before a change is answered; an index exists exactly if it is named there. A crash leaves folders that nothing names at most.
//!
//! Readers take the list of indices as it stands without a lock; changes come one at a time. Read next: [`names`] (which names are
//! allowed), [`resolve`] (from an expression to indices), [`aliases`].

pub mod aliases;
pub mod error;
mod file;
pub mod names;
pub mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rayon::prelude::*;
use serde_json::{Map, Value};

pub use self::aliases::{Alias, AliasAction};
pub use self::error::{CatalogError, CatalogResult};
pub use self::resolve::{IndicesOptions, Resolved, WriteTarget};

use self::file::{CatalogFile, IndexRecord};
use super::Shard;
use super::auto_id;
use super::blocks::{Access, Block, Blocks};
use crate::error::{Error, ErrorKind, Result};
use crate::index::Index;
use crate::models::Models;
use crate::schema::IndexDefinition;

const FILE: &str = "catalog.json";
const LOCK: &str = "node.lock";
const INDICES: &str = "indices";
/// What a folder's name ends with once its index is deleted.
const DELETED: &str = ".deleted";

/// The indices of a data folder. `Send + Sync`.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    models: Arc<Models>,
    indices: ArcSwap<Indices>,
    /// Held by whoever changes the list.
    changing: Mutex<CatalogFile>,
    cluster_uuid: String,
    /// Keeps other processes away while the catalog is open.
    _lock: fs_err::File,
}

/// The indices by name, at one moment.
pub type Indices = BTreeMap<String, Arc<IndexHandle>>;

/// One index of a catalog, as it stands.
#[derive(Debug)]
pub struct IndexHandle {
    name: String,
    uuid: String,
    created_millis: u64,
    aliases: BTreeMap<String, Alias>,
    is_closed: bool,
    shard: std::result::Result<Arc<Shard>, Arc<Error>>,
}

impl IndexHandle {
    /// Its concrete name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, which no other index ever had.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// When it was made, in milliseconds since 1970.
    pub fn created_millis(&self) -> u64 {
        self.created_millis
    }

    /// Its aliases.
    pub fn aliases(&self) -> &BTreeMap<String, Alias> {
        &self.aliases
    }

    /// Whether wildcards pass it by unless hidden ones are asked for.
    pub fn is_hidden(&self) -> bool {
        let Ok(shard) = &self.shard else { return false };
        let settings = serde_json::to_value(shard.settings()).unwrap_or_default();
        match settings.pointer("/index/hidden") {
            Some(Value::Bool(hidden)) => *hidden,
            Some(Value::String(hidden)) => hidden == "true",
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
        }
    }

    /// Whether it is closed: its documents are kept, and neither read nor written.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Its shard, for its documents.
    ///
    /// # Errors
    /// [`CatalogError::Closed`]; [`CatalogError::Unavailable`] when it could not be opened.
    pub fn shard(&self) -> CatalogResult<Arc<Shard>> {
        if self.is_closed {
            return Err(CatalogError::Closed { index: self.name.clone(), uuid: self.uuid.clone() });
        }
        self.shard_of_any_state()
    }

    /// As [`IndexHandle::shard`], to read documents.
    ///
    /// # Errors
    /// As [`IndexHandle::shard`]; [`CatalogError::Blocked`].
    pub fn shard_to_read(&self) -> CatalogResult<Arc<Shard>> {
        self.check_blocks(Access::Read)?;
        self.shard()
    }

    /// As [`IndexHandle::shard`], to write documents.
    ///
    /// # Errors
    /// As [`IndexHandle::shard_to_read`].
    pub fn shard_to_write(&self) -> CatalogResult<Arc<Shard>> {
        self.check_blocks(Access::Write)?;
        self.shard()
    }

    /// Its shard, for its settings and its mapping, which a closed index has too.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`] when it could not be opened.
    pub fn shard_of_any_state(&self) -> CatalogResult<Arc<Shard>> {
        match &self.shard {
            Ok(shard) => Ok(shard.clone()),
            Err(error) => Err(CatalogError::Unavailable { index: self.name.clone(), why: error.to_string() }),
        }
    }

    /// The blocks of the index; none where it could not be opened.
    pub fn blocks(&self) -> Blocks {
        self.shard.as_ref().map_or_else(|_| Blocks::default(), |shard| shard.store_settings().blocks)
    }

    /// Whether its blocks let an access pass.
    ///
    /// # Errors
    /// [`CatalogError::Blocked`] naming those that do not.
    pub fn check_blocks(&self, access: Access) -> CatalogResult<()> {
        let stopping: Vec<Block> = self.blocks().iter().filter(|block| block.stops(access)).collect();
        if stopping.is_empty() {
            return Ok(());
        }
        Err(CatalogError::Blocked { index: self.name.clone(), uuid: self.uuid.clone(), blocks: stopping })
    }

    fn record(&self) -> IndexRecord {
        IndexRecord {
            name: self.name.clone(),
            uuid: self.uuid.clone(),
            created_millis: self.created_millis,
            aliases: self.aliases.clone(),
            is_closed: self.is_closed,
        }
    }

    fn with_aliases(&self, aliases: BTreeMap<String, Alias>) -> Self {
        let record = IndexRecord { aliases, ..self.record() };
        record.handle(self.shard.clone())
    }

    fn with_state(&self, is_closed: bool) -> Self {
        let record = IndexRecord { is_closed, ..self.record() };
        record.handle(self.shard.clone())
    }
}

impl Catalog {
    /// Opens the data folder, which is made when missing, and every index in it, on all cores. An index that cannot be opened is
    /// logged and answers with its error; the others work.
    ///
    /// # Errors
    /// `Busy` when another process has the folder open, `Corrupt` when the list of indices is damaged, `Unsupported` for a newer
    /// format, `Io`.
    pub fn open(folder: impl AsRef<Path>, models: Arc<Models>) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        fs_err::create_dir_all(folder.join(INDICES))?;
        let lock = lock(&folder)?;
        let path = folder.join(FILE);
        let file = match CatalogFile::read(&path)? {
            Some(file) => file,
            None => {
                let file = CatalogFile::new(auto_id::uuid());
                file.write(&path)?;
                file
            }
        };
        remove_leftovers(&folder.join(INDICES), &file);
        let indices: Indices = file
            .indices
            .par_iter()
            .map(|record| {
                let opened = Shard::open(&folder.join(INDICES).join(&record.uuid), models.clone());
                if let Err(error) = &opened {
                    tracing::error!(index = record.name, %error, "an index cannot be opened");
                }
                (record.name.clone(), Arc::new(record.handle(opened.map(Arc::new).map_err(Arc::new))))
            })
            .collect();
        let cluster_uuid = file.cluster_uuid.clone();
        let indices = ArcSwap::from_pointee(indices);
        Ok(Self { folder, models, indices, changing: Mutex::new(file), cluster_uuid, _lock: lock })
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A random name of this data folder, made with it.
    pub fn cluster_uuid(&self) -> &str {
        &self.cluster_uuid
    }

    /// Every index as it stands, by name.
    pub fn indices(&self) -> Arc<Indices> {
        self.indices.load_full()
    }

    /// An index by its concrete name.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is none.
    pub fn get(&self, name: &str) -> CatalogResult<Arc<IndexHandle>> {
        self.indices.load().get(name).cloned().ok_or_else(|| CatalogError::NotFound(name.to_string()))
    }

    /// Makes an index. Durable when it returns.
    ///
    /// # Errors
    /// [`CatalogError::InvalidName`], [`CatalogError::Exists`]; [`CatalogError::Other`] for a definition that cannot be had, and when
    /// the disk refuses.
    pub fn create(
        &self,
        name: &str,
        definition: &IndexDefinition,
        aliases: BTreeMap<String, Alias>,
    ) -> CatalogResult<Arc<IndexHandle>> {
        names::check_index(name)?;
        check_is_new(&self.indices(), name)?;
        // Other changes of the list do not wait for a model.
        Index::load_models(definition, &self.models)?;
        let mut changing = self.changing();
        let now = self.indices();
        check_is_new(&now, name)?;
        let uuid = auto_id::uuid();
        let folder = self.folder.join(INDICES).join(&uuid);
        let created_millis = now_millis();
        let made = (|| {
            let record = IndexRecord { name: name.to_string(), uuid, created_millis, aliases, is_closed: false };
            let mut next: Indices = (*now).clone();
            // Checked before anything is made: the name of an alias may be wrong or taken.
            let placeholder = record.handle(Err(Arc::new(Error::internal("the index is being made"))));
            next.insert(name.to_string(), Arc::new(placeholder));
            aliases::check_all(&next)?;
            let shard = Shard::create(&folder, definition, self.models.clone())?;
            sync_folder(&self.folder.join(INDICES))?;
            let handle = Arc::new(record.handle(Ok(Arc::new(shard))));
            next.insert(name.to_string(), handle.clone());
            self.replace(&mut changing, next)?;
            Ok(handle)
        })();
        if made.is_err() {
            let _ = fs_err::remove_dir_all(&folder);
        }
        made
    }

    /// The index of this name, made when there is none.
    ///
    /// # Errors
    /// As [`Catalog::create`], but for `Exists`.
    pub fn get_or_create(&self, name: &str, definition: &IndexDefinition) -> CatalogResult<Arc<IndexHandle>> {
        if let Ok(found) = self.get(name) {
            return Ok(found);
        }
        match self.create(name, definition, BTreeMap::new()) {
            Err(CatalogError::Exists { .. }) => self.get(name),
            other => other,
        }
    }

    /// Deletes indices by their concrete names: all or none. Their files go when the last request that uses them ends.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] naming the first that does not exist.
    pub fn delete(&self, names: &[String]) -> CatalogResult<()> {
        let mut changing = self.changing();
        let mut next: Indices = (*self.indices()).clone();
        let mut gone = Vec::new();
        for name in names {
            gone.push(next.remove(name).ok_or_else(|| CatalogError::NotFound(name.clone()))?);
        }
        self.replace(&mut changing, next)?;
        drop(changing);
        for handle in gone {
            if let Ok(shard) = &handle.shard {
                shard.abandon();
            }
            self.remove_folder(&handle.uuid);
        }
        Ok(())
    }

    /// Closes indices by their concrete names, or opens them: all or none. What was written before is durable and in segments. Returns
    /// those that had the other state.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] naming the first that does not exist; [`CatalogError::Other`] when the disk refuses.
    pub fn set_closed(&self, names: &[String], is_closed: bool) -> CatalogResult<Vec<String>> {
        let mut changing = self.changing();
        let mut next: Indices = (*self.indices()).clone();
        let mut changed = Vec::new();
        for name in names {
            let handle = next.get_mut(name).ok_or_else(|| CatalogError::NotFound(name.clone()))?;
            if handle.is_closed == is_closed {
                continue;
            }
            if let (true, Ok(shard)) = (is_closed, &handle.shard) {
                shard.flush()?;
            }
            *handle = Arc::new(handle.with_state(is_closed));
            changed.push(name.clone());
        }
        self.replace(&mut changing, next)?;
        Ok(changed)
    }

    /// Adds and removes aliases: all or none.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] for an index, [`CatalogError::AliasNotFound`] for an alias that must exist, and
    /// [`CatalogError::InvalidAlias`] for a name that is not allowed, or taken by an index, or a second write index.
    pub fn update_aliases(&self, actions: &[AliasAction]) -> CatalogResult<()> {
        let mut changing = self.changing();
        let now = self.indices();
        let next = aliases::applied(&now, actions)?;
        let removed: Vec<Arc<IndexHandle>> =
            now.iter().filter(|(name, _)| !next.contains_key(*name)).map(|(_, handle)| handle.clone()).collect();
        self.replace(&mut changing, next)?;
        drop(changing);
        for handle in removed {
            if let Ok(shard) = &handle.shard {
                shard.abandon();
            }
            self.remove_folder(&handle.uuid);
        }
        Ok(())
    }

    /// The settings of the cluster that were kept (`persistent`), with dotted names.
    pub fn cluster_settings(&self) -> Map<String, Value> {
        self.changing().settings.clone()
    }

    /// Changes the settings of the cluster; a null takes one back. Durable when it returns.
    ///
    /// # Errors
    /// [`CatalogError::Other`] when the disk refuses.
    pub fn put_cluster_settings(&self, changes: &Map<String, Value>) -> CatalogResult<()> {
        let mut changing = self.changing();
        let before = changing.settings.clone();
        for (name, value) in changes {
            if value.is_null() {
                changing.settings.shift_remove(name);
            } else {
                changing.settings.insert(name.clone(), value.clone());
            }
        }
        if let Err(error) = changing.write(&self.folder.join(FILE)) {
            changing.settings = before;
            return Err(error.into());
        }
        Ok(())
    }

    /// Closes every index: no more writes, everything in segments. The next opening is quicker for it.
    ///
    /// # Errors
    /// The first failure; the other indices are closed all the same, and nothing is lost.
    pub fn close(&self) -> Result<()> {
        let indices = self.indices();
        let closed: Vec<Result<()>> = indices
            .values()
            .filter_map(|handle| handle.shard.as_ref().ok())
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|shard| shard.close())
            .collect();
        closed.into_iter().collect()
    }

    /// Writes the new list, then shows it.
    fn replace(&self, changing: &mut CatalogFile, next: Indices) -> CatalogResult<()> {
        let file = CatalogFile { indices: next.values().map(|handle| handle.record()).collect(), ..changing.clone() };
        file.write(&self.folder.join(FILE))?;
        *changing = file;
        self.indices.store(Arc::new(next));
        Ok(())
    }

    /// Removes an index's folder. What is left after a crash is removed when the catalog is opened.
    fn remove_folder(&self, uuid: &str) {
        let folder = self.folder.join(INDICES).join(uuid);
        let doomed = self.folder.join(INDICES).join(format!("{uuid}{DELETED}"));
        // Under its new name on disk before the first file goes: what a loss of power leaves is then known to be deleted.
        let removed = fs_err::rename(&folder, &doomed)
            .and_then(|()| fs_err::File::open(self.folder.join(INDICES))?.sync_all())
            .and_then(|()| fs_err::remove_dir_all(&doomed));
        if let Err(error) = removed {
            tracing::warn!(%error, "the folder of a deleted index stays until the next start");
        }
    }

    fn changing(&self) -> MutexGuard<'_, CatalogFile> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_is_new(indices: &Indices, name: &str) -> CatalogResult<()> {
    if let Some(found) = indices.get(name) {
        return Err(CatalogError::Exists { index: name.to_string(), uuid: found.uuid.clone() });
    }
    if indices.values().any(|handle| handle.aliases.contains_key(name)) {
        return Err(CatalogError::InvalidName { name: name.to_string(), why: "already exists as alias".to_string() });
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<fs_err::File> {
    let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let text = format!(
                "another process has the data folder {} open; stop it, or choose another folder",
                folder.display()
            );
            Err(Error::new(ErrorKind::Busy, text))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Removes what a crash left of deleted and half-made indices. A folder that might be an index is never removed.
fn remove_leftovers(indices: &Path, file: &CatalogFile) {
    let Ok(entries) = fs_err::read_dir(indices) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if file.indices.iter().any(|record| record.uuid == name) {
            continue;
        }
        // An index is complete once its manifest is there.
        let is_half_made = path.is_dir() && !path.join("index").join("bifocal.json").exists();
        if name.ends_with(DELETED) || is_half_made {
            if let Err(error) = fs_err::remove_dir_all(&path) {
                tracing::warn!(%error, "what a deleted index left cannot be removed");
            }
        } else {
            tracing::warn!(folder = %path.display(), "a folder of an index that the catalog does not name; move it away if nobody misses it");
        }
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    Ok(fs_err::File::open(folder)?.sync_all()?)
}

fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    u64::try_from(now).unwrap_or(u64::MAX)
}
