//! Tantivy's memory-mapped directory, made safe against files that were cut short.
//!
//! Tantivy ends every segment file with a footer and panics (a subtraction below zero) on a file of 4 to 7 bytes, which cannot hold
//! the footer's last two numbers. Such a file is refused here, as Tantivy itself refuses the other short ones.
//!
//! A folder can also be closed for writing. Dropping Tantivy's writer does not wait for its merges, and the end of one would still put
//! its own schema and list of segments into `meta.json`, over what came after. So whoever changes `meta.json` from outside of a writer
//! first closes the folder that the old writer knew, and opens it anew.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use super::segment_order;
use crate::error::{Error, Result};

/// The footer's length and magic number, which every segment file ends with.
const MIN_FILE_BYTES: usize = 8;

/// The folder of an index's segments. All but the opening of short files is [`MmapDirectory`]'s.
#[derive(Debug, Clone)]
pub(crate) struct SegmentDirectory {
    directory: MmapDirectory,
    /// Whether this folder is closed for writing; shared by its clones.
    closed: Arc<RwLock<bool>>,
}

impl SegmentDirectory {
    /// Opens the folder `segments`, which must exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when it does not, or is no folder.
    pub(crate) fn open(segments: &Path) -> Result<Self> {
        let directory = MmapDirectory::open(segments).map_err(tantivy::TantivyError::from).map_err(Error::from)?;
        Ok(Self { directory, closed: Arc::default() })
    }

    /// Refuses all writing from now on; what is being written atomically has been when this returns.
    pub(crate) fn close_for_writing(&self) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Whether [`SegmentDirectory::close_for_writing`] was called.
    pub(crate) fn is_closed_for_writing(&self) -> bool {
        *self.closed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn while_open<T>(&self, write: impl FnOnce(&MmapDirectory) -> T) -> io::Result<T> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(io::Error::other("the index was opened anew meanwhile"));
        }
        Ok(write(&self.directory))
    }
}

impl Directory for SegmentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.directory.get_file_handle(path)?;
        if file.len() < MIN_FILE_BYTES {
            let text = format!("the file has {} bytes, too few for its footer", file.len());
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
            return Err(OpenReadError::wrap_io_error(error, path.to_path_buf()));
        }
        Ok(file)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let refused = |error| DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_path_buf() };
        self.while_open(|directory| directory.delete(path)).map_err(refused)?
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.directory.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let refused = |error| OpenWriteError::wrap_io_error(error, path.to_path_buf());
        self.while_open(|directory| directory.open_write(path)).map_err(refused)?
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.directory.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.while_open(|directory| {
            if path != Path::new("meta.json") {
                return directory.atomic_write(path, data);
            }
            let ordered = segment_order::in_order(&directory.atomic_read(path).unwrap_or_default(), data);
            directory.atomic_write(path, ordered.as_deref().unwrap_or(data))?;
            // A commit is trusted from here on: the translog drops what it holds, and files that it does not name are removed. Tantivy
            // leaves it to the file system when the new list takes the old one's place on disk.
            directory.sync_directory()
        })?
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.directory.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.directory.watch(watch_callback)
    }
}
