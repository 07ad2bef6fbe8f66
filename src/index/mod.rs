//! Passages and terms to segments: one writer, one searcher snapshot, two views.
//!
//! In: operations on documents ([`Writer`]). Out: a [`Snapshot`], which sees the documents of one commit and nothing else.
//! Invariant: a document's terms, columns and vectors lie in the same Tantivy segment, so that a commit shows all of them or
//! none, and one deletion hides all of them. Only `index` and `retrieve` know Tantivy's document numbers.
//!
//! A folder holds `bifocal.json` ([`manifest`]) and `segments/`. Read next: [`convert`] (a document to values), [`writer`], then
//! the two views, [`lexical`] and [`dense`], and the [`columns`] that both share.

pub mod columns;
pub(crate) mod convert;
pub mod dense;
pub mod doc_values;
mod document_tree;
mod embed;
pub(crate) mod fields;
pub mod lexical;
pub(crate) mod manifest;
pub(crate) mod preparation;
mod roots;
pub mod schema_extension;
mod segment_directory;
mod segment_order;
pub mod snapshot;
pub mod time_limit;
pub(crate) mod values;
pub mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tantivy::ReloadPolicy;
use tantivy::schema::{FieldType, Schema};

pub use snapshot::{IndexStats, SegmentFigures, Snapshot};
pub use time_limit::TimeLimit;
pub use writer::{Applied, Writer};

use self::fields::IndexFields;
use self::lexical::FieldTable;
use self::manifest::{Manifest, SEGMENTS};
use self::segment_directory::SegmentDirectory;
use crate::error::{Error, ErrorKind, Result};
use crate::models::{BiEncoder, DEFAULT_BI_ENCODER, ModelFingerprint, Models};
use crate::schema::flatten::FieldKind;
use crate::schema::{Field, IndexDefinition, Settings};

/// An index in a folder. `Send + Sync`; share it behind an `Arc`.
#[derive(Debug)]
pub struct Index {
    folder: PathBuf,
    models: Arc<Models>,
    opened: Mutex<Arc<Opened>>,
    dense_cache: dense::DenseCache,
    roots_cache: roots::RootsCache,
}

/// An index as its mapping stands; replaced as a whole when the mapping grows.
pub(crate) struct Opened {
    pub(crate) manifest: Manifest,
    pub(crate) fields: IndexFields,
    pub(crate) table: Arc<FieldTable>,
    pub(crate) tantivy: tantivy::Index,
    directory: SegmentDirectory,
    reader: tantivy::IndexReader,
    models: Arc<Models>,
    /// The bi-encoders of the semantic fields, by the field's path; loaded at the first use.
    encoders: BTreeMap<String, OnceLock<Arc<dyn BiEncoder>>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Index {
    /// Makes an index in `folder`, which must not exist or be empty. All or nothing: a crash leaves no half index.
    ///
    /// # Errors
    /// `Conflict` when the folder holds anything; `InvalidInput` and `Unsupported` for a definition that cannot be had;
    /// `NotFound` and `Model` when a semantic field's bi-encoder cannot be loaded; `Io` when the disk refuses.
    pub fn create(folder: impl AsRef<Path>, definition: &IndexDefinition, models: Arc<Models>) -> Result<Self> {
        let folder = folder.as_ref();
        if folder.join(manifest::FILE).exists() {
            return Err(Error::conflict(format!(
                "{} is an index already; open it, or choose another folder",
                folder.display()
            )));
        }
        if folder.exists() && fs_err::read_dir(folder)?.next().is_some() {
            let text = format!("{} holds files that are no index; choose an empty or a new folder", folder.display());
            return Err(Error::conflict(text));
        }
        let fingerprints = resolve_models(&definition.fields()?, &models, &BTreeMap::new())?;
        let entries = fields::entries(definition, &fingerprints)?;
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs_err::create_dir_all(parent)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let building = parent.join(format!(".{name}.new-{}", std::process::id()));
        let built = (|| {
            fs_err::create_dir_all(building.join(SEGMENTS))?;
            let mut schema = Schema::builder();
            for entry in entries {
                schema.add_field(entry);
            }
            let schema = schema.build();
            check_fields(definition, &fingerprints, &schema)?;
            let directory = SegmentDirectory::open(&building.join(SEGMENTS))?;
            tantivy::Index::builder()
                .schema(schema)
                .register_plugin(Arc::new(columns::ColumnsPlugin))
                .register_plugin(Arc::new(dense::VectorPlugin::default()))
                .open_or_create(directory)?;
            Manifest::new(definition.clone(), fingerprints).write(&building)?;
            if folder.exists() {
                fs_err::remove_dir(folder)?;
            }
            fs_err::rename(&building, folder)?;
            fs_err::File::open(parent)?.sync_all()?;
            Ok(())
        })();
        if let Err(error) = built {
            let _ = fs_err::remove_dir_all(&building);
            return Err(error);
        }
        Self::open(folder, models)
    }

    /// Loads the bi-encoders that an index of this definition needs, which may take long: before a lock is taken for its making.
    ///
    /// # Errors
    /// `NotFound` and `Model` naming the field.
    pub(crate) fn load_models(definition: &IndexDefinition, models: &Models) -> Result<()> {
        resolve_models(&definition.fields()?, models, &BTreeMap::new()).map(drop)
    }

    /// Opens the index in `folder`.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Unsupported` for a newer format, `Corrupt` naming the file when one is damaged.
    pub fn open(folder: impl AsRef<Path>, models: Arc<Models>) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        let manifest = Manifest::read(&folder)?;
        let opened = Opened::open(&folder, manifest, &models)?;
        Ok(Self {
            folder,
            models,
            opened: Mutex::new(Arc::new(opened)),
            dense_cache: dense::DenseCache::default(),
            roots_cache: roots::RootsCache::default(),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The definition, with what dynamic mapping added.
    pub fn definition(&self) -> IndexDefinition {
        self.opened().manifest.definition.clone()
    }

    /// Which model made the vectors of each semantic field, by the field's path.
    pub fn model_fingerprints(&self) -> BTreeMap<String, ModelFingerprint> {
        self.opened().manifest.models.clone()
    }

    /// A snapshot of the last commit. Cheap enough for every query, cheaper when it is kept.
    ///
    /// # Errors
    /// `Corrupt` naming the file when a segment is damaged, `Io` when it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::open(self.opened(), &self.dense_cache, &self.roots_cache)
    }

    /// The writer; there is one at a time, over all processes.
    ///
    /// # Errors
    /// `Busy` when another is alive, `Io` when the disk refuses.
    pub fn writer(&self) -> Result<Writer<'_>> {
        Writer::open(self)
    }

    /// What checks documents against a definition that the index may grow to, without writing anything.
    ///
    /// # Errors
    /// As [`Index::extend_definition`], but for `Busy`.
    pub fn checker(&self, definition: &IndexDefinition) -> Result<Checker> {
        let opened = self.opened();
        check_extends(&opened.manifest.definition, definition)?;
        let fingerprints = resolve_models(&definition.fields()?, &self.models, &opened.manifest.models)?;
        let mut schema = Schema::builder();
        for entry in fields::entries(definition, &fingerprints)? {
            schema.add_field(entry);
        }
        Ok(Checker { fields: IndexFields::new(definition, &fingerprints, &schema.build())? })
    }

    /// Puts a definition with more fields in place of the index's. No writer may be alive.
    ///
    /// # Errors
    /// `Conflict` naming a field that exists with another type; `Busy` when a writer is alive.
    pub fn extend_definition(&self, definition: &IndexDefinition) -> Result<()> {
        let opened = self.opened();
        check_extends(&opened.manifest.definition, definition)?;
        let fingerprints = resolve_models(&definition.fields()?, &self.models, &opened.manifest.models)?;
        let mut schema = Schema::builder();
        for entry in fields::entries(definition, &fingerprints)? {
            schema.add_field(entry);
        }
        check_fields(definition, &fingerprints, &schema.build())?;
        let manifest = Manifest { definition: definition.clone(), models: fingerprints, ..opened.manifest.clone() };
        // The lock before the manifest: a writer elsewhere must not find a mapping that its schema lacks, nor readers have to
        // wait for it. The manifest before the schema: should the power fail in between, opening the index extends the schema.
        let (tantivy, _) = open_tantivy(&self.folder)?;
        let lock = schema_extension::lock_writer(&tantivy)?;
        // Merges of the writer that was may still be under way.
        opened.directory.close_for_writing();
        let mut missing = missing_entries(&manifest, &tantivy)?;
        missing.extend(changed_entries(&manifest, &tantivy)?);
        let written = manifest.write(&self.folder).and_then(|()| schema_extension::extend_locked(&tantivy, missing));
        drop(lock);
        let manifest = if written.is_ok() { manifest } else { opened.manifest.clone() };
        self.put_opened(Opened::open(&self.folder, manifest, &self.models)?);
        written
    }

    /// Puts other settings in place of the index's. They are not compared: the caller knows which may change on a live index.
    ///
    /// # Errors
    /// `Io` when the disk refuses; the old ones then stay.
    pub(crate) fn put_settings(&self, settings: Settings) -> Result<()> {
        let mut slot = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut manifest = slot.manifest.clone();
        manifest.definition.settings = settings;
        let opened = slot.with_manifest(manifest)?;
        opened.manifest.write(&self.folder)?;
        *slot = Arc::new(opened);
        Ok(())
    }

    /// Opens the segments anew, so that nothing that an earlier writer left running can write any more. No writer may be alive.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub(crate) fn reopen(&self) -> Result<()> {
        let opened = self.opened();
        opened.directory.close_for_writing();
        self.put_opened(Opened::open(&self.folder, opened.manifest.clone(), &self.models)?);
        Ok(())
    }

    /// Refuses all writing through this index from now on, also by threads that an earlier writer left running.
    pub(crate) fn close_for_writing(&self) {
        self.opened().directory.close_for_writing();
    }

    /// What the last commit was given by [`IndexFeed::commit`](writer::IndexFeed::commit).
    ///
    /// # Errors
    /// `Corrupt` when the list of segments is damaged, `Io` when it cannot be read.
    pub(crate) fn committed_payload(&self) -> Result<Option<String>> {
        Ok(self.opened().tantivy.load_metas()?.payload)
    }

    /// Whether the index has other segments than a snapshot: a commit came since, or a merge ended.
    ///
    /// # Errors
    /// `Corrupt` when the list of segments is damaged, `Io` when it cannot be read.
    pub(crate) fn has_other_segments(&self, snapshot: &tantivy::Searcher) -> Result<bool> {
        let mut listed = self.opened().tantivy.searchable_segment_ids()?;
        let mut known: Vec<_> = snapshot.segment_readers().iter().map(tantivy::SegmentReader::segment_id).collect();
        listed.sort_unstable();
        known.sort_unstable();
        Ok(listed != known)
    }

    fn put_opened(&self, opened: Opened) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
    }

    /// Reads every file of the last commit of the index in `folder` and compares its checksum. Opening an index checks only the
    /// files' structure, as reading all of a large index takes a while.
    ///
    /// # Errors
    /// `Corrupt` naming the damaged files, `NotFound` when there is no index, `Io` when a file cannot be read.
    pub fn verify(folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        Manifest::read(folder)?;
        let mut damaged: Vec<PathBuf> = open_tantivy(folder)?.0.validate_checksum()?.into_iter().collect();
        if damaged.is_empty() {
            return Ok(());
        }
        damaged.sort();
        let segments = folder.join(SEGMENTS);
        let names: Vec<String> = damaged.iter().map(|file| segments.join(file).display().to_string()).collect();
        let text = format!("damaged, their checksums differ: {}", names.join(", "));
        Err(Error::corrupt(format!("{text}; restore the index from a copy or index again")))
    }

    pub(crate) fn opened(&self) -> Arc<Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn models(&self) -> &Arc<Models> {
        &self.models
    }
}

impl Opened {
    fn open(folder: &Path, manifest: Manifest, models: &Arc<Models>) -> Result<Self> {
        let (mut tantivy, mut directory) = open_tantivy(folder)?;
        let missing = missing_entries(&manifest, &tantivy)?;
        if !missing.is_empty() {
            schema_extension::extend_schema(&tantivy, missing)?;
            (tantivy, directory) = open_tantivy(folder)?;
        }
        let fields = IndexFields::new(&manifest.definition, &manifest.models, &tantivy.schema())?;
        let table = Arc::new(fields.table(&manifest.definition)?);
        let reader = tantivy.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let encoders = manifest.models.keys().map(|path| (path.clone(), OnceLock::new())).collect();
        Ok(Self { manifest, fields, table, tantivy, directory, reader, models: models.clone(), encoders })
    }

    /// The same segments under a manifest with other settings.
    fn with_manifest(&self, manifest: Manifest) -> Result<Self> {
        let fields = IndexFields::new(&manifest.definition, &manifest.models, &self.tantivy.schema())?;
        let table = Arc::new(fields.table(&manifest.definition)?);
        Ok(Self {
            fields,
            table,
            manifest,
            tantivy: self.tantivy.clone(),
            directory: self.directory.clone(),
            reader: self.reader.clone(),
            models: self.models.clone(),
            encoders: self.encoders.clone(),
        })
    }

    /// The bi-encoder of a semantic field, as the index records it.
    ///
    /// # Errors
    /// `ModelMismatch` when the model of that name is another one now; as [`Models::bi_encoder`].
    pub(crate) fn encoder(&self, path: &str) -> Result<Arc<dyn BiEncoder>> {
        let (Some(slot), Some(recorded)) = (self.encoders.get(path), self.manifest.models.get(path)) else {
            return Err(Error::not_found("is no semantic field of this index").in_field(path));
        };
        if let Some(encoder) = slot.get() {
            return Ok(encoder.clone());
        }
        let encoder = self.models.bi_encoder(&recorded.name)?;
        check_model(recorded, encoder.fingerprint()).map_err(|error| error.in_field(path))?;
        Ok(slot.get_or_init(|| encoder).clone())
    }
}

/// Checks documents against a definition; made by [`Index::checker`].
#[derive(Debug)]
pub struct Checker {
    fields: IndexFields,
}

impl Checker {
    /// Checks a document's values.
    ///
    /// # Errors
    /// `InvalidInput` naming the field whose value does not fit its type.
    pub fn check(&self, source: &serde_json::Map<String, serde_json::Value>) -> Result<()> {
        convert::prepare(&self.fields, "check".into(), source).map(|_| ())
    }
}

/// Refuses a model other than the one that made an index's vectors.
///
/// # Errors
/// `ModelMismatch` that says what differs.
pub fn check_model(recorded: &ModelFingerprint, found: &ModelFingerprint) -> Result<()> {
    if recorded.same_vectors(found) {
        return Ok(());
    }
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    Err(Error::model_mismatch(format!(
        "the index was made with model {:?} ({}, {} dimensions), this is {:?} ({}, {} dimensions); search with the model of the index, or index again",
        recorded.name,
        short(&recorded.hash),
        recorded.dims,
        found.name,
        short(&found.hash),
        found.dims
    )))
}

/// Refuses what would make a manifest that cannot be opened.
fn check_fields(
    definition: &IndexDefinition,
    models: &BTreeMap<String, ModelFingerprint>,
    schema: &Schema,
) -> Result<()> {
    IndexFields::new(definition, models, schema)?.table(definition).map(|_| ())
}

fn open_tantivy(folder: &Path) -> Result<(tantivy::Index, SegmentDirectory)> {
    let segments = folder.join(SEGMENTS);
    if !segments.join("meta.json").exists() {
        let text = "lacks the folder of its segments; restore it from a copy or index again";
        return Err(Error::corrupt(text).in_file(folder));
    }
    let directory = SegmentDirectory::open(&segments)?;
    let index = tantivy::Index::builder()
        .register_plugin(Arc::new(columns::ColumnsPlugin))
        .register_plugin(Arc::new(dense::VectorPlugin::default()));
    let stored = tantivy::Index::open(directory.clone());
    let schema = match &stored {
        Ok(index) => index.schema(),
        // Opened without its plugins: only the schema is wanted here.
        Err(_) => read_schema(&segments)?,
    };
    let index = index.schema(schema).open_or_create(directory.clone())?;
    lexical::encoded_tokens::register_tokenizer(&index);
    Ok((index, directory))
}

/// The entries of a manifest that the schema lacks.
fn missing_entries(manifest: &Manifest, tantivy: &tantivy::Index) -> Result<Vec<tantivy::schema::FieldEntry>> {
    let schema = tantivy.schema();
    let mut entries = fields::entries(&manifest.definition, &manifest.models)?;
    entries.retain(|entry| schema.get_field(entry.name()).is_err());
    Ok(entries)
}

/// The entries of vectors that the schema has with other parameters. Segments are written with those of the schema, and searched with
/// their own: where the power failed before these were put in place, the next growth of the mapping does it.
fn changed_entries(manifest: &Manifest, tantivy: &tantivy::Index) -> Result<Vec<tantivy::schema::FieldEntry>> {
    let schema = tantivy.schema();
    let mut entries = fields::entries(&manifest.definition, &manifest.models)?;
    entries.retain(|entry| {
        let known = schema.get_field(entry.name()).map(|field| schema.get_field_entry(field));
        matches!(entry.field_type(), FieldType::Custom(_)) && known.is_ok_and(|known| known != entry)
    });
    Ok(entries)
}

/// The schema in `meta.json`.
fn read_schema(segments: &Path) -> Result<Schema> {
    #[derive(serde::Deserialize)]
    struct Meta {
        schema: Schema,
    }
    let file = segments.join("meta.json");
    let bytes = fs_err::read(&file)?;
    let meta: Meta = serde_json::from_slice(&bytes).map_err(|error| {
        let text = format!("is damaged ({error}); restore the index from a copy or index again");
        Error::corrupt(text).in_file(&file).with_source(error)
    })?;
    Ok(meta.schema)
}

/// The fingerprints of the semantic fields' models: those known already, and those of new fields, whose models are loaded.
fn resolve_models(
    fields: &[Field],
    models: &Models,
    known: &BTreeMap<String, ModelFingerprint>,
) -> Result<BTreeMap<String, ModelFingerprint>> {
    let mut fingerprints = BTreeMap::new();
    for field in fields {
        let FieldKind::SemanticText(semantic) = &field.kind else { continue };
        let fingerprint = match known.get(&field.path) {
            Some(fingerprint) => fingerprint.clone(),
            None => {
                let name = semantic.inference_id.as_deref().unwrap_or(DEFAULT_BI_ENCODER);
                let encoder = models.bi_encoder(name).map_err(|error| error.in_field(field.path.clone()))?;
                encoder.fingerprint().clone()
            }
        };
        fingerprints.insert(field.path.clone(), fingerprint);
    }
    Ok(fingerprints)
}

/// A mapping grows: what is there stays as it is.
fn check_extends(old: &IndexDefinition, new: &IndexDefinition) -> Result<()> {
    let new_fields = new.fields()?;
    for field in old.fields()? {
        match new_fields.iter().find(|candidate| candidate.path == field.path) {
            None => {
                return Err(
                    Error::conflict("is missing from the new mapping; a field cannot be removed").in_field(field.path)
                );
            }
            Some(found) if !found.may_replace(&field) => {
                let text =
                    "has another type or other parameters in the new mapping; index into a new folder to change them";
                return Err(Error::new(ErrorKind::Conflict, text).in_field(field.path));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod leftovers_tests;
#[cfg(test)]
mod nested_tests;
