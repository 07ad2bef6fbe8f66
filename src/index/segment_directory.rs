//! Tantivy's memory-mapped directory, made safe against files that were cut short.
//!
//! Tantivy ends every segment file with a footer and panics (a subtraction below zero) on a file of 4 to 7 bytes, which cannot hold
//! the footer's last two numbers. Such a file is refused here, as Tantivy itself refuses the other short ones.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::error::{Error, Result};

/// The footer's length and magic number, which every segment file ends with.
const MIN_FILE_BYTES: usize = 8;

/// The folder of an index's segments. All but the opening of short files is [`MmapDirectory`]'s.
#[derive(Debug, Clone)]
pub(crate) struct SegmentDirectory(MmapDirectory);

impl SegmentDirectory {
    /// Opens the folder `segments`, which must exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when it does not, or is no folder.
    pub(crate) fn open(segments: &Path) -> Result<Self> {
        let directory = MmapDirectory::open(segments).map_err(tantivy::TantivyError::from).map_err(Error::from)?;
        Ok(Self(directory))
    }
}

impl Directory for SegmentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.0.get_file_handle(path)?;
        if file.len() < MIN_FILE_BYTES {
            let text = format!("the file has {} bytes, too few for its footer", file.len());
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
            return Err(OpenReadError::wrap_io_error(error, path.to_path_buf()));
        }
        Ok(file)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.0.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.0.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.0.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.0.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.0.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.0.watch(watch_callback)
    }
}
