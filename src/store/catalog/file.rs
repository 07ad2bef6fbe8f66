//! `catalog.json`: which indices there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Alias, IndexHandle};
use crate::error::{Error, Result};
use crate::store::{Shard, atomic_file};

/// The newest format that this version reads.
const FORMAT: u32 = 2;
/// What is written while no index is closed, for the sake of older versions.
const FORMAT_WITHOUT_CLOSED: u32 = 1;

/// # Stability
/// Format 2 where an index is closed, else format 1. A newer format is refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    pub(super) format: u32,
    pub(super) cluster_uuid: String,
    pub(super) indices: Vec<IndexRecord>,
    /// The cluster's persistent settings, with dotted names.
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexRecord {
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) created_millis: u64,
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, Alias>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_closed: bool,
}

impl CatalogFile {
    pub(super) fn new(cluster_uuid: String) -> Self {
        Self { format: FORMAT_WITHOUT_CLOSED, cluster_uuid, indices: Vec::new(), settings: Map::new() }
    }

    /// Reads the file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |error: serde_json::Error| {
            Error::corrupt(format!("is damaged ({error}); restore it from a copy")).in_file(path).with_source(error)
        };
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > FORMAT {
            let text = format!("has format {format}, this version reads up to {FORMAT}; use a newer Bifocal");
            return Err(Error::unsupported(text).in_file(path));
        }
        let file: Self = serde_json::from_slice(&bytes).map_err(damaged)?;
        // A uuid becomes a folder's name.
        let is_plain = |record: &IndexRecord| record.uuid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(wrong) = file.indices.iter().find(|record| record.uuid.is_empty() || !is_plain(record)) {
            let text = format!("names the folder {:?}, which is none of an index; restore it from a copy", wrong.uuid);
            return Err(Error::corrupt(text).in_file(path));
        }
        Ok(Some(file))
    }

    /// Writes the file durably, in place of the older one.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let has_closed = self.indices.iter().any(|record| record.is_closed);
        let format = if has_closed { FORMAT } else { FORMAT_WITHOUT_CLOSED };
        let mut json = serde_json::to_vec_pretty(&Self { format, ..self.clone() })
            .map_err(|error| Error::internal("cannot write the list of indices").with_source(error))?;
        json.push(b'\n');
        atomic_file::write(path, &json)
    }
}

impl IndexRecord {
    pub(super) fn handle(&self, shard: std::result::Result<Arc<Shard>, Arc<Error>>) -> IndexHandle {
        let Self { name, uuid, created_millis, aliases, is_closed } = self.clone();
        IndexHandle { name, uuid, created_millis, aliases, is_closed, shard }
    }
}
