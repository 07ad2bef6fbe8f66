//! `bifocal.json`: what an index is, beside its segments.
//!
//! The manifest is written as a whole to a temporary file, synced and renamed, so that a crash leaves the old or the new one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::models::ModelFingerprint;
use crate::schema::IndexDefinition;

/// The manifest's file name in the folder of an index.
pub(crate) const FILE: &str = "bifocal.json";
/// The folder of Tantivy's segments in the folder of an index.
pub(crate) const SEGMENTS: &str = "segments";
/// The newest format that this version reads and the one that it writes.
const FORMAT: u32 = 1;

/// What an index is.
///
/// # Stability
/// Format 1. A newer format is refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The version of this file and of the segments.
    pub(crate) format: u32,
    /// The version of the program that made the index.
    pub(crate) created_by: String,
    /// The definition, with what dynamic mapping added.
    pub(crate) definition: IndexDefinition,
    /// Which model made the vectors of a semantic field, by the field's path.
    pub(crate) models: BTreeMap<String, ModelFingerprint>,
}

impl Manifest {
    pub(crate) fn new(definition: IndexDefinition, models: BTreeMap<String, ModelFingerprint>) -> Self {
        let created_by = concat!("bifocal ", env!("CARGO_PKG_VERSION")).to_string();
        Self { format: FORMAT, created_by, definition, models }
    }

    /// Reads the manifest of the index in `folder`.
    ///
    /// # Errors
    /// `NotFound` when the folder is no index, `Unsupported` for a newer format, `Corrupt` for a damaged file.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        let bytes = fs_err::read(&file).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let name = folder.display();
                let why = if folder.exists() { "is no Bifocal index" } else { "does not exist" };
                Error::not_found(format!("{name} {why}; make one with `bifocal index {name} INPUT...`"))
            } else {
                Error::from(error)
            }
        })?;
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |error: serde_json::Error| {
            Error::corrupt(format!("is damaged ({error}); restore it from a copy or index again"))
                .in_file(&file)
                .with_source(error)
        };
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > FORMAT {
            let text = format!("has format {format}, this version reads up to {FORMAT}; use a newer Bifocal");
            return Err(Error::unsupported(text).in_file(&file));
        }
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    /// Writes the manifest durably, in place of an older one.
    ///
    /// # Errors
    /// `Io` when the disk refuses; the older one then stays.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::internal("cannot write the manifest").with_source(error))?;
        json.push(b'\n');
        let temporary = folder.join(format!("{FILE}.new"));
        let written = (|| {
            let mut file = fs_err::File::create(&temporary)?;
            file.write_all(&json)?;
            file.sync_all()?;
            fs_err::rename(&temporary, folder.join(FILE))?;
            fs_err::File::open(folder)?.sync_all()
        })();
        written.map_err(|error| {
            let _ = fs_err::remove_file(&temporary);
            Error::new(ErrorKind::Io, format!("cannot write the index's manifest: {error}")).with_source(error)
        })
    }
}
