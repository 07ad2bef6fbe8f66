//! A name to files: a folder, the models that come with the program, the cache, the Hugging Face hub; in this order.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ModelFingerprint;
use super::catalogue::{self, CatalogueEntry};
use super::describe::{DESCRIPTION_FILE, ModelDescription, ModelKind, Similarity, TOKENIZER_FILE, external_data};
use crate::error::{Error, Result};

/// Names a folder of model folders; looked at before those that come with the program.
pub const MODELS_ENV: &str = "BIFOCAL_MODELS";

/// Where a model's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In a folder that was named by its path.
    Folder,
    /// Among the models that come with the program.
    Shipped,
    /// In the cache: Bifocal's `models/`, or Hugging Face's.
    Cache,
    /// On the hub only; must be downloaded first.
    Hub,
}

/// A model whose files are on this machine.
#[derive(Debug, Clone)]
pub(super) struct LocatedModel {
    /// By what it can be asked for again.
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) place: Place,
    pub(super) description: ModelDescription,
}

impl LocatedModel {
    /// The model in `folder`, named by the folder's absolute path.
    pub(super) fn of_folder(folder: &Path) -> Result<Self> {
        let folder = fs_err::canonicalize(folder)?;
        let description = ModelDescription::of_folder(&folder)?;
        Ok(Self { name: folder.display().to_string(), folder, place: Place::Folder, description })
    }

    /// The ONNX file.
    pub(super) fn onnx(&self) -> PathBuf {
        self.folder.join(&self.description.onnx)
    }

    /// Hashes the model's files and compares them with what the description says.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when a file is not the described one.
    pub(super) fn fingerprint(&self) -> Result<ModelFingerprint> {
        let onnx = self.onnx();
        let mut files = vec![onnx.clone(), self.folder.join(TOKENIZER_FILE)];
        files.extend(external_data(&onnx));
        let mut whole = blake3::Hasher::new();
        for file in &files {
            let hash = hash_file(file)?;
            let name = file.strip_prefix(&self.folder).unwrap_or(file).to_string_lossy().replace('\\', "/");
            if let Some(expected) = self.description.blake3.get(&name).filter(|expected| **expected != hash.to_string())
            {
                let text =
                    format!("is damaged or was replaced: its BLAKE3 is {hash}, {DESCRIPTION_FILE} says {expected}");
                return Err(Error::corrupt(format!("{text}; restore the file")).in_file(file));
            }
            whole.update(hash.as_bytes());
        }
        let description = &self.description;
        Ok(ModelFingerprint {
            name: self.name.clone(),
            hash: whole.finalize().to_string(),
            dims: description.dims,
            pooling: description.pooling,
            query_prefix: description.query_prefix.clone(),
            passage_prefix: description.passage_prefix.clone(),
            normalized: description.kind == ModelKind::BiEncoder && description.similarity == Similarity::Cosine,
            max_tokens: description.max_tokens,
        })
    }
}

fn hash_file(file: &Path) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs_err::File::open(file)?)?;
    Ok(hasher.finalize())
}

/// Where models are looked for.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) models_dir: Option<PathBuf>,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) offline: bool,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A model of the catalogue.
    Known(&'static CatalogueEntry),
    /// A hub repository, `owner/name`.
    Repository(String),
    /// Anything else: perhaps a folder among the shipped or cached models.
    Name(String),
}

impl Meaning {
    /// Reads a name as a user writes it.
    pub(super) fn of(name: &str) -> Result<Self> {
        let name = name.trim();
        let path = match name.strip_prefix("~/").zip(std::env::home_dir()) {
            Some((rest, home)) => home.join(rest),
            None => PathBuf::from(name),
        };
        let has_separator = name.contains(['/', '\\']);
        if has_separator && path.is_dir() {
            return Ok(Meaning::Folder(path));
        }
        if let Some(entry) = catalogue::find(name)? {
            return Ok(Meaning::Known(entry));
        }
        let parts: Vec<&str> = name.split('/').collect();
        match parts.as_slice() {
            [owner, repository] if [owner, repository].iter().all(|part| is_repository_part(part)) => {
                Ok(Meaning::Repository(name.to_string()))
            }
            [plain] if is_repository_part(plain) => Ok(Meaning::Name(name.to_string())),
            _ => Err(Error::not_found(format!(
                "there is no model folder {}; give the path of a folder with {TOKENIZER_FILE}",
                path.display()
            ))),
        }
    }

    /// The name it is stored under, and can be asked for again by.
    pub(super) fn canonical(&self) -> String {
        match self {
            Meaning::Folder(path) => fs_err::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string(),
            Meaning::Known(entry) => entry.name.clone(),
            Meaning::Repository(name) | Meaning::Name(name) => name.clone(),
        }
    }
}

fn is_repository_part(part: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
}

impl Places {
    /// The model's files if they are on this machine.
    pub(super) fn find_local(&self, meaning: &Meaning) -> Result<Option<LocatedModel>> {
        let (folder_name, entry) = match meaning {
            Meaning::Folder(path) => return LocatedModel::of_folder(path).map(Some),
            Meaning::Known(entry) => (entry.name.clone(), Some(*entry)),
            Meaning::Repository(name) => (name.replace('/', "--"), None),
            Meaning::Name(name) => (name.clone(), None),
        };
        let roots = self.shipped_roots().into_iter().map(|root| (root, Place::Shipped));
        for (root, place) in roots.chain(self.cache_root().map(|root| (root, Place::Cache))) {
            let folder = root.join(&folder_name);
            if folder.is_dir() {
                let description = describe(&folder, entry)?;
                return Ok(Some(LocatedModel { name: meaning.canonical(), folder, place, description }));
            }
        }
        match (meaning, entry) {
            (Meaning::Repository(repository), _) => super::hub::find_cached(repository, None),
            (_, Some(entry)) => super::hub::find_cached(&entry.repository, Some(entry)),
            (Meaning::Folder(_) | Meaning::Known(_) | Meaning::Name(_), None) => Ok(None),
        }
    }

    /// The model's files, downloaded unless they are here.
    pub(super) fn locate(&self, meaning: &Meaning) -> Result<LocatedModel> {
        if let Some(found) = self.find_local(meaning)? {
            return Ok(found);
        }
        match meaning {
            Meaning::Known(entry) => self.download(&entry.repository, Some(entry)),
            Meaning::Repository(repository) => self.download(repository, None),
            Meaning::Folder(path) => Err(Error::not_found(format!("there is no model folder {}", path.display()))),
            Meaning::Name(name) => Err(unknown(name)),
        }
    }

    fn download(&self, repository: &str, entry: Option<&'static CatalogueEntry>) -> Result<LocatedModel> {
        let fetched = if self.offline {
            Err(Error::model("downloads are switched off (offline)"))
        } else {
            super::hub::download(repository, entry)
        };
        fetched.map_err(|error| {
            let name = entry.map_or(repository, |entry| &entry.name);
            let folder = self.cache_root().map(|root| root.join(name.replace('/', "--")));
            let cache = folder.map_or(String::new(), |folder| format!(" put its files into {};", folder.display()));
            Error::model(format!(
                "model {name:?} is not on this machine and cannot be had from the Hugging Face hub ({}); without the hub: use a \
                 model that comes with the program ({});{cache} or give the path of a folder with {TOKENIZER_FILE}, an ONNX \
                 file and config.json or {DESCRIPTION_FILE}",
                error.message(),
                self.shipped_names().join(", "),
            ))
            .with_source(error)
        })
    }

    /// Folders of models that come with the program, most specific first.
    fn shipped_roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = self.models_dir.iter().cloned().collect();
        roots.extend(std::env::var_os(MODELS_ENV).filter(|value| !value.is_empty()).map(PathBuf::from));
        if let Ok(program) = std::env::current_exe() {
            // `target/release/bifocal` and `target/debug/deps/test` find the repository's own.
            roots.extend(program.ancestors().skip(1).take(4).map(|folder| folder.join("models")));
        }
        roots.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
        roots
    }

    fn cache_root(&self) -> Option<PathBuf> {
        self.cache_dir.as_ref().map(|cache| cache.join("models"))
    }

    /// Every model on this machine that is known by name: those that come with the program, those in the cache and those of
    /// the catalogue in Hugging Face's cache; the first of each name, by name.
    pub(super) fn local_models(&self) -> Vec<LocatedModel> {
        let mut found = std::collections::BTreeMap::new();
        let roots = self.shipped_roots().into_iter().map(|root| (root, Place::Shipped));
        for (root, place) in roots.chain(self.cache_root().map(|root| (root, Place::Cache))) {
            let Ok(entries) = fs_err::read_dir(&root) else { continue };
            for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let Some(name) = folder.file_name().map(|name| name.to_string_lossy().replace("--", "/")) else {
                    continue;
                };
                let entry = catalogue::find(&name).ok().flatten();
                // A folder that is no model (the script's, for one) is none of ours to complain about here.
                if let Ok(description) = describe(&folder, entry) {
                    let name = entry.map_or(name, |entry| entry.name.clone());
                    found.entry(name.clone()).or_insert(LocatedModel { name, folder, place, description });
                }
            }
        }
        for entry in catalogue::catalogue().into_iter().flatten() {
            // A torn download is for the one who asks for that model to hear about.
            if let Ok(Some(model)) = super::hub::find_cached(&entry.repository, Some(entry)) {
                found.entry(entry.name.clone()).or_insert(model);
            }
        }
        found.into_values().collect()
    }

    fn shipped_names(&self) -> Vec<String> {
        self.local_models().into_iter().filter(|model| model.place == Place::Shipped).map(|model| model.name).collect()
    }
}

/// A folder that describes itself; else the catalogue's facts about a model of its name.
fn describe(folder: &Path, entry: Option<&CatalogueEntry>) -> Result<ModelDescription> {
    let onnx = entry.and_then(|entry| {
        entry.onnx.iter().find(|path| folder.join(path).is_file()).map(|path| entry.describe(path.clone()))
    });
    match onnx {
        Some(described) if !folder.join(DESCRIPTION_FILE).is_file() && folder.join(TOKENIZER_FILE).is_file() => {
            Ok(described)
        }
        Some(_) | None => ModelDescription::of_folder(folder),
    }
}

fn unknown(name: &str) -> Error {
    let lower = name.to_lowercase();
    let shares = |known: &str| {
        let known = known.to_lowercase();
        lower.split(['-', '_', '.']).filter(|part| part.len() > 1 && known.contains(*part)).count()
    };
    let mut near: Vec<(usize, &str)> = catalogue::catalogue()
        .into_iter()
        .flatten()
        .map(|entry| (shares(&entry.name), entry.name.as_str()))
        .filter(|(shared, _)| *shared > 0)
        .collect();
    near.sort_by_key(|(shared, name)| (std::cmp::Reverse(*shared), *name));
    let near: Vec<&str> = near.into_iter().take(3).map(|(_, name)| name).collect();
    let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}", near.join(", ")) };
    Error::not_found(format!(
        "there is no model {name:?}{hint}; `bifocal models list` names those that are known, owner/name asks the Hugging Face hub"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::models::test_models::fixture;

    fn places(cache: &Path) -> Places {
        Places { models_dir: Some(fixture("")), cache_dir: Some(cache.to_path_buf()), offline: true }
    }

    fn find(places: &Places, name: &str) -> Option<(String, Place)> {
        places.find_local(&Meaning::of(name).unwrap()).unwrap().map(|model| (model.name, model.place))
    }

    #[test]
    fn shipped_models_answer_to_their_names() {
        let cache = tempfile::tempdir().unwrap();
        let places = places(cache.path());
        assert_eq!(find(&places, "minilm"), Some(("all-MiniLM-L6-v2".to_string(), Place::Shipped)));
        assert_eq!(find(&places, "BAAI/bge-small-en-v1.5"), Some(("bge-small-en-v1.5".to_string(), Place::Shipped)));
        assert_eq!(find(&places, "tiny-cross-encoder"), Some(("tiny-cross-encoder".to_string(), Place::Shipped)));
        let names = places.shipped_names();
        assert!(
            names.iter().any(|name| name == "tiny-bi-encoder") && names.iter().any(|name| name == "all-MiniLM-L6-v2"),
            "{names:?}"
        );
    }

    #[test]
    fn a_folder_in_the_cache_needs_no_description_when_the_catalogue_has_one() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("models").join("e5-small-v2");
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::copy(fixture("tiny-bi-encoder/model.onnx"), folder.join("model.onnx")).unwrap();
        fs_err::copy(fixture("tiny-bi-encoder/tokenizer.json"), folder.join("tokenizer.json")).unwrap();
        let found = places(cache.path()).find_local(&Meaning::of("intfloat/e5-small-v2").unwrap()).unwrap().unwrap();
        assert_eq!((found.place, found.description.query_prefix.as_str()), (Place::Cache, "query: "));
    }

    #[test]
    fn without_the_hub_the_error_names_the_other_ways() {
        let cache = tempfile::tempdir().unwrap();
        for name in ["e5-large-v2", "someone/some-model"] {
            let error = places(cache.path()).locate(&Meaning::of(name).unwrap()).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Model);
            assert!(
                ["all-MiniLM-L6-v2", "models", TOKENIZER_FILE, "offline"].iter().all(|part| text.contains(part)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_near_ones() {
        let cache = tempfile::tempdir().unwrap();
        let error = places(cache.path()).locate(&Meaning::of("bge-smal-en").unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("bge-small-en-v1.5"), "{error}");
        assert_eq!(Meaning::of("../nowhere/at-all").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_changed_file_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["model.onnx", "tokenizer.json", "bifocal.json"] {
            fs_err::copy(fixture("tiny-bi-encoder").join(file), folder.path().join(file)).unwrap();
        }
        let sound = LocatedModel::of_folder(folder.path()).unwrap().fingerprint().unwrap();
        assert_eq!(
            sound.hash,
            LocatedModel::of_folder(&fixture("tiny-bi-encoder")).unwrap().fingerprint().unwrap().hash
        );
        fs_err::write(folder.path().join("model.onnx"), "torn").unwrap();
        let error = LocatedModel::of_folder(folder.path()).unwrap().fingerprint().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("model.onnx"), "{error}");
    }
}
