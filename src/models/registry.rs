//! The front door: names to running models, each loaded once and shared.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use serde::Serialize;

use super::bi_encoder::OnnxBiEncoder;
use super::cache_dir::default_cache_dir;
use super::catalogue::{self, CatalogueEntry};
use super::check::{CheckReport, Loaded, check_bi_encoder, check_cross_encoder};
use super::cross_encoder::OnnxCrossEncoder;
use super::describe::{ModelDescription, ModelKind};
use super::embedding_cache::{DEFAULT_MAX_BYTES, EmbeddingCache};
use super::locate::{LocatedModel, Meaning, Place, Places};
use super::{BiEncoder, CrossEncoder};
use crate::error::{Error, Result};

/// The bi-encoder that is used when none is named.
pub const DEFAULT_BI_ENCODER: &str = "bge-small-en-v1.5";

/// Memory that inference may use when nothing else is said.
pub const DEFAULT_INFERENCE_MEMORY_BYTES: usize = 512 << 20;

/// How [`Models`] finds and runs models.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// A folder of model folders, looked at first.
    pub models_dir: Option<PathBuf>,
    /// Where cached embeddings and models lie; `None` means neither is used.
    pub cache_dir: Option<PathBuf>,
    /// Never ask the Hugging Face hub.
    pub offline: bool,
    /// Cores to use; every one when `None`.
    pub threads: Option<usize>,
    /// What inference may use, in bytes: activations of all runs at once, and copies of weights beyond the first. A single text
    /// that needs more is run nevertheless.
    pub inference_memory_bytes: usize,
}

impl Default for ModelOptions {
    /// The user's cache folder, the hub unless `HF_HUB_OFFLINE` is set, every core, 512 MB.
    fn default() -> Self {
        Self {
            models_dir: None,
            cache_dir: default_cache_dir(),
            offline: std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
            threads: None,
            inference_memory_bytes: DEFAULT_INFERENCE_MEMORY_BYTES,
        }
    }
}

/// A model as `bifocal models list` and `show` print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// What is known about it.
    #[serde(flatten)]
    pub description: ModelDescription,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// Where its files are.
    pub place: Place,
    /// Its folder, when it is on this machine.
    pub folder: Option<PathBuf>,
}

/// A place that is locked while one model is loaded into it, and no other waits.
type Slot<T> = Arc<Mutex<Option<Arc<T>>>>;

/// Models by name, loaded when first asked for and shared from then on. Cheap to share between threads.
#[derive(Debug)]
pub struct Models {
    options: ModelOptions,
    places: Places,
    cache: Option<EmbeddingCache>,
    default_cross_encoder: OnceLock<Option<String>>,
    bi_encoders: Mutex<HashMap<String, Slot<OnnxBiEncoder>>>,
    cross_encoders: Mutex<HashMap<String, Slot<OnnxCrossEncoder>>>,
    aliases: RwLock<HashMap<String, String>>,
}

impl Default for Models {
    fn default() -> Self {
        Self::new(ModelOptions::default())
    }
}

impl Models {
    /// Loads nothing yet.
    pub fn new(options: ModelOptions) -> Self {
        let places = Places {
            models_dir: options.models_dir.clone(),
            cache_dir: options.cache_dir.clone(),
            offline: options.offline,
        };
        let cache = options.cache_dir.as_ref().map(|folder| EmbeddingCache::open(folder, DEFAULT_MAX_BYTES));
        Self {
            options,
            places,
            cache,
            default_cross_encoder: OnceLock::new(),
            bi_encoders: Mutex::default(),
            cross_encoders: Mutex::default(),
            aliases: RwLock::default(),
        }
    }

    /// The options it was made with.
    pub fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// The cache of passage vectors; `None` when there is no cache folder.
    pub fn embedding_cache(&self) -> Option<&EmbeddingCache> {
        self.cache.as_ref()
    }

    /// Gives a model one more name, for as long as this value lives. A name that is an alias already gets another model.
    pub fn add_alias(&self, alias: &str, model: &str) {
        self.aliases.write().unwrap_or_else(PoisonError::into_inner).insert(alias.to_string(), model.to_string());
    }

    fn meaning(&self, name: &str) -> Result<Meaning> {
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        Meaning::of(aliases.get(name).map_or(name, String::as_str))
    }

    /// How many models are in memory; one that is being loaded is not yet.
    pub fn num_loaded(&self) -> usize {
        loaded(&self.bi_encoders) + loaded(&self.cross_encoders)
    }

    /// The bi-encoder of this name, folder or repository. It does not use [`Models::embedding_cache`] by itself.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for an unknown name, [`ErrorKind::Model`](crate::ErrorKind::Model) when
    /// it cannot be had or loaded, or is a cross-encoder, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when a file is damaged.
    pub fn bi_encoder(&self, name: &str) -> Result<Arc<dyn BiEncoder>> {
        let meaning = self.meaning(name)?;
        let encoder = shared(&self.bi_encoders, meaning.canonical(), || {
            let located = self.located(&meaning, ModelKind::BiEncoder)?;
            OnnxBiEncoder::open(&located, self.threads(), self.memory_bytes())
        })?;
        Ok(encoder)
    }

    /// The cross-encoder of this name, folder or repository.
    ///
    /// # Errors
    /// As [`Models::bi_encoder`].
    pub fn cross_encoder(&self, name: &str) -> Result<Arc<dyn CrossEncoder>> {
        let meaning = self.meaning(name)?;
        let encoder = shared(&self.cross_encoders, meaning.canonical(), || {
            let located = self.located(&meaning, ModelKind::CrossEncoder)?;
            OnnxCrossEncoder::open(&located, self.threads(), self.memory_bytes())
        })?;
        Ok(encoder)
    }

    /// An error where using a model would download it first: for those who may ask for a model, but not bring one here.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model), saying how the model can be brought; else as [`Models::bi_encoder`].
    pub fn check_is_here(&self, name: &str) -> Result<()> {
        let meaning = self.meaning(name)?;
        let could_be_had = matches!(meaning, Meaning::Known(_) | Meaning::Repository(_));
        if !could_be_had || self.is_loaded(&meaning.canonical()) || self.places.find_local(&meaning)?.is_some() {
            return Ok(());
        }
        Err(Error::model(format!(
            "the model {name:?} is not on this machine, and a search downloads none; `bifocal models pull {name}` brings it, and so does \
             `PUT /_inference/NAME` with it as `model_id`"
        )))
    }

    fn is_loaded(&self, key: &str) -> bool {
        is_filled(&self.bi_encoders, key) || is_filled(&self.cross_encoders, key)
    }

    /// Every model that is known or on this machine: those on this machine first, then by name.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when the catalogue is malformed.
    pub fn list(&self) -> Result<Vec<ModelInfo>> {
        let mut models: Vec<ModelInfo> = self.places.local_models().into_iter().map(info_of_located).collect();
        for entry in catalogue::catalogue()? {
            if models.iter().any(|model| model.description.name == entry.name) {
                continue;
            }
            let cached = super::hub::find_cached(&entry.repository, Some(entry)).ok().flatten();
            models.push(cached.map_or_else(|| info_of_entry(entry), info_of_located));
        }
        models.sort_by_cached_key(|model| (model.place == Place::Hub, model.description.name.to_lowercase()));
        Ok(models)
    }

    /// What is known about one model; nothing is downloaded.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when nothing is known about it,
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when its folder is incomplete.
    pub fn show(&self, name: &str) -> Result<ModelInfo> {
        let meaning = Meaning::of(name)?;
        if let Some(located) = self.places.find_local(&meaning)? {
            return Ok(info_of_located(located));
        }
        match meaning {
            Meaning::Known(entry) => Ok(info_of_entry(entry)),
            Meaning::Repository(repository) => {
                let how = format!("`bifocal models pull {repository}` downloads it");
                Err(Error::not_found(format!(
                    "nothing is known about {repository} before it is on this machine; {how}"
                )))
            }
            Meaning::Folder(_) | Meaning::Name(_) => self.places.locate(&meaning).map(info_of_located),
        }
    }

    /// Brings a model's files to this machine, unless they are there.
    ///
    /// # Errors
    /// As [`Models::bi_encoder`].
    pub fn pull(&self, name: &str) -> Result<ModelInfo> {
        self.places.locate(&Meaning::of(name)?).map(info_of_located)
    }

    /// Loads a model anew, runs a few texts and says what is wrong, and how fast it is.
    ///
    /// # Errors
    /// As [`Models::bi_encoder`]: a model that cannot be loaded or run at all.
    pub fn check(&self, name: &str) -> Result<CheckReport> {
        let located = self.places.locate(&Meaning::of(name)?)?;
        let started = Instant::now();
        let (threads, memory) = (self.threads(), self.memory_bytes());
        match located.description.kind {
            ModelKind::BiEncoder => {
                let encoder = OnnxBiEncoder::open(&located, threads, memory)?;
                check_bi_encoder(&encoder, Loaded { place: located.place, load: started.elapsed() })
            }
            ModelKind::CrossEncoder => {
                let encoder = OnnxCrossEncoder::open(&located, threads, memory)?;
                check_cross_encoder(&encoder, Loaded { place: located.place, load: started.elapsed() })
            }
        }
    }

    /// The cross-encoder that is used when none is named: the first by name of those that come with the program, else of
    /// those in the cache; `None` when there is none. Looked up once.
    pub fn default_cross_encoder(&self) -> Option<String> {
        let find = || {
            let mut found: Vec<LocatedModel> = self.places.local_models();
            found.retain(|model| model.description.kind == ModelKind::CrossEncoder);
            found.sort_by_key(|model| model.place != Place::Shipped);
            found.into_iter().next().map(|model| model.name)
        };
        self.default_cross_encoder.get_or_init(find).clone()
    }

    fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.options.threads.unwrap_or_else(all).max(1)
    }

    fn memory_bytes(&self) -> u64 {
        self.options.inference_memory_bytes as u64
    }

    fn located(&self, meaning: &Meaning, wanted: ModelKind) -> Result<LocatedModel> {
        let wrong_kind = |name: &str, kind: ModelKind| {
            let (is, not) = match kind {
                ModelKind::BiEncoder => ("a bi-encoder, which embeds texts", "a cross-encoder, which re-ranks"),
                ModelKind::CrossEncoder => ("a cross-encoder, which re-ranks", "a bi-encoder, which embeds texts"),
            };
            Error::model(format!("model {name:?} is {is}; name {not}"))
        };
        if let Meaning::Known(entry) = meaning
            && entry.kind != wanted
        {
            return Err(wrong_kind(&entry.name, entry.kind));
        }
        let located = self.places.locate(meaning)?;
        if located.description.kind != wanted {
            return Err(wrong_kind(&located.name, located.description.kind));
        }
        Ok(located)
    }
}

/// The value of `key`, made by `load` when it is asked for first. Only those who want the same value wait for it.
fn shared<T>(slots: &Mutex<HashMap<String, Slot<T>>>, key: String, load: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
    let slot = slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = slot.as_ref() {
        return Ok(loaded.clone());
    }
    let loaded = Arc::new(load()?);
    *slot = Some(loaded.clone());
    Ok(loaded)
}

/// How many are loaded; one whose slot is held is being loaded, and is not yet.
fn loaded<T>(slots: &Mutex<HashMap<String, Slot<T>>>) -> usize {
    let slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    slots.values().filter(|slot| slot.try_lock().is_ok_and(|slot| slot.is_some())).count()
}

fn is_filled<T>(slots: &Mutex<HashMap<String, Slot<T>>>, key: &str) -> bool {
    let slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    slots.get(key).is_some_and(|slot| slot.try_lock().is_ok_and(|slot| slot.is_some()))
}

fn info_of_located(model: LocatedModel) -> ModelInfo {
    let aliases = catalogue::find(&model.name).ok().flatten().map(|entry| entry.aliases.clone()).unwrap_or_default();
    ModelInfo { description: model.description, aliases, place: model.place, folder: Some(model.folder) }
}

fn info_of_entry(entry: &CatalogueEntry) -> ModelInfo {
    let onnx = entry.onnx.first().cloned().unwrap_or_default();
    ModelInfo { description: entry.describe(onnx), aliases: entry.aliases.clone(), place: Place::Hub, folder: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::models::test_models::fixture;

    fn models(cache: Option<PathBuf>) -> Models {
        Models::new(ModelOptions {
            models_dir: Some(fixture("")),
            cache_dir: cache,
            offline: true,
            threads: Some(2),
            inference_memory_bytes: 64 << 20,
        })
    }

    #[test]
    fn a_model_is_loaded_once_whatever_it_is_called() {
        let models = models(None);
        let first = models.bi_encoder("minilm").unwrap();
        let second = models.bi_encoder("sentence-transformers/all-MiniLM-L6-v2").unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.fingerprint().name, "all-MiniLM-L6-v2");
    }

    #[test]
    fn a_folder_and_its_name_have_one_fingerprint_but_for_the_name() {
        let models = models(None);
        let by_name = models.bi_encoder("tiny-bi-encoder").unwrap();
        let by_path = models.bi_encoder(fixture("tiny-bi-encoder").to_str().unwrap()).unwrap();
        assert!(by_name.fingerprint().same_vectors(by_path.fingerprint()));
        assert!(by_path.fingerprint().name.ends_with("tiny-bi-encoder"));
    }

    #[test]
    fn the_default_cross_encoder_is_the_shipped_one() {
        assert_eq!(models(None).default_cross_encoder().as_deref(), Some("bifocal-reranker-small"));
    }

    #[test]
    fn no_cache_folder_means_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        assert!(models(None).embedding_cache().is_none());
        assert!(models(Some(folder.path().into())).embedding_cache().is_some());
    }

    #[test]
    fn the_wrong_kind_is_named() {
        let models = models(None);
        for text in [
            models.cross_encoder("all-MiniLM-L6-v2").unwrap_err().to_string(),
            models.cross_encoder("tiny-bi-encoder").unwrap_err().to_string(),
        ] {
            assert!(text.contains("is a bi-encoder"), "{text}");
        }
        assert!(models.bi_encoder("tiny-cross-encoder").unwrap_err().to_string().contains("is a cross-encoder"));
        assert_eq!(models.bi_encoder("no-such-thing").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn list_and_show_say_where_models_are() {
        let models = models(None);
        let list = models.list().unwrap();
        let place = |name: &str| list.iter().find(|model| model.description.name == name).map(|model| model.place);
        assert_eq!(place("bge-small-en-v1.5"), Some(Place::Shipped));
        assert_eq!(place("e5-large-v2"), Some(Place::Hub));
        assert_eq!(models.show("minilm").unwrap().description.max_tokens, 256);
        assert_eq!(models.show("cross-encoder/ms-marco-MiniLM-L-6-v2").unwrap().place, Place::Hub);
        assert_eq!(models.show("owner/unknown").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(models.pull("tiny-bi-encoder").unwrap().place, Place::Shipped);
    }

    #[test]
    fn a_search_asks_for_what_is_here() {
        let models = models(None);
        for name in
            ["minilm", "tiny-bi-encoder", "bifocal-reranker-small", fixture("tiny-cross-encoder").to_str().unwrap()]
        {
            models.check_is_here(name).unwrap();
        }
        models.add_alias("mine", "e5-large-v2");
        for name in ["e5-large-v2", "someone/some-model", "mine"] {
            let error = models.check_is_here(name).unwrap_err();
            assert!(error.kind() == ErrorKind::Model && error.to_string().contains("bifocal models pull"), "{error}");
        }
        // What is no model at all is for loading to say.
        models.check_is_here("no-such-thing").unwrap();
    }

    #[test]
    fn both_kinds_are_checked() {
        let models = models(None);
        for name in ["tiny-bi-encoder", "tiny-cross-encoder", "all-MiniLM-L6-v2"] {
            let report = models.check(name).unwrap();
            assert_eq!(report.problems, Vec::<String>::new(), "{name}");
            assert!(report.passages_per_s > 0.0 && report.query_ms > 0.0);
        }
    }

    #[test]
    fn the_default_is_on_this_machine() {
        assert_eq!(models(None).show(DEFAULT_BI_ENCODER).unwrap().place, Place::Shipped);
    }
}
