//! Growing the schema of an index that holds documents.
//!
//! Tantivy fixes a schema at an index's creation; an Elasticsearch mapping grows. Segments do not carry the schema, they
//! number fields by their place in it, and a segment without a field's postings or columns reads as one whose documents lack
//! it. So fields may be added at the schema's end, in `meta.json`, while no writer is alive. Text fields must be without
//! Tantivy's field norms, which its merger would miss in older segments (see [`super::columns`] for ours).

use std::collections::HashSet;
use std::path::Path;

use tantivy::Index;
use tantivy::directory::{Directory, DirectoryLock, INDEX_WRITER_LOCK};
use tantivy::schema::{FieldEntry, FieldType, Schema};

use crate::error::{Error, Result};

/// Appends fields to the schema of `index`; a field of vectors that is there already gets the parameters given, with which segments are
/// written from then on. An empty list changes nothing.
///
/// Takes the writer's lock meanwhile. `index` itself keeps its old schema: open it anew, and register plugins and tokenizers
/// again. Atomic: after a crash the index has either schema.
///
/// # Errors
/// [`ErrorKind::Busy`](crate::ErrorKind::Busy) when a writer is alive; [`ErrorKind::Conflict`](crate::ErrorKind::Conflict)
/// when a field of that name exists; [`ErrorKind::Internal`](crate::ErrorKind::Internal) for a text field with field norms;
/// [`ErrorKind::Io`](crate::ErrorKind::Io) when the disk refuses.
pub fn extend_schema(index: &Index, additional: Vec<FieldEntry>) -> Result<()> {
    if additional.is_empty() {
        return Ok(());
    }
    let _lock = lock_writer(index)?;
    extend_locked(index, additional)
}

/// Keeps writers away until it is dropped.
///
/// # Errors
/// [`ErrorKind::Busy`](crate::ErrorKind::Busy) when one is alive.
pub(crate) fn lock_writer(index: &Index) -> Result<DirectoryLock> {
    let lock = index.directory().acquire_lock(&INDEX_WRITER_LOCK);
    lock.map_err(|source| Error::from(tantivy::TantivyError::LockFailure(source, None)))
}

/// As [`extend_schema`], for a caller that holds the writer's lock.
pub(crate) fn extend_locked(index: &Index, additional: Vec<FieldEntry>) -> Result<()> {
    if additional.is_empty() {
        return Ok(());
    }
    let mut metas = index.load_metas()?;
    metas.schema = extended(&metas.schema, additional)?;
    let unreadable = |source| Error::internal("cannot write the index's metadata").with_source(source);
    let mut json = serde_json::to_vec_pretty(&metas).map_err(unreadable)?;
    json.push(b'\n');
    index.directory().sync_directory()?;
    index.directory().atomic_write(Path::new("meta.json"), &json)?;
    Ok(())
}

fn extended(schema: &Schema, additional: Vec<FieldEntry>) -> Result<Schema> {
    let mut builder = Schema::builder();
    let mut names = HashSet::new();
    let (replaced, additional): (Vec<FieldEntry>, Vec<FieldEntry>) =
        additional.into_iter().partition(|entry| is_custom(entry) && schema.get_field(entry.name()).is_ok());
    for (_, entry) in schema.fields() {
        names.insert(entry.name().to_string());
        let replacement = replaced.iter().find(|new| new.name() == entry.name());
        match replacement {
            Some(_) if !is_custom(entry) => return Err(Error::conflict("exists already").in_field(entry.name())),
            Some(new) => builder.add_field(new.clone()),
            None => builder.add_field(entry.clone()),
        };
    }
    for entry in additional {
        if !names.insert(entry.name().to_string()) {
            return Err(Error::conflict("exists already").in_field(entry.name()));
        }
        if matches!(entry.field_type(), FieldType::Str(_)) && entry.has_fieldnorms() {
            return Err(Error::internal("a text field must be without Tantivy's field norms").in_field(entry.name()));
        }
        builder.add_field(entry);
    }
    Ok(builder.build())
}

/// Whether a field holds vectors: each segment keeps its own parameters beside them.
fn is_custom(entry: &FieldEntry) -> bool {
    matches!(entry.field_type(), FieldType::Custom(_))
}

#[cfg(test)]
mod tests;
