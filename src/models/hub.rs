//! The Hugging Face hub: its cache on this machine, and downloads into it.
//!
//! `HF_HOME`, `HF_ENDPOINT` and a token (`HF_TOKEN`, or what `huggingface-cli login` left) are respected. The first request is
//! bounded in time; a hub that cannot be reached fails quickly.

#[cfg(feature = "hub")]
pub(super) use with_hub::{download, find_cached};
#[cfg(not(feature = "hub"))]
pub(super) use without_hub::{download, find_cached};

#[cfg(feature = "hub")]
mod with_hub {
    use std::path::{Path, PathBuf};
    use std::sync::mpsc;
    use std::time::Duration;

    use hf_hub::Cache;
    use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};

    use crate::error::{Error, Result};
    use crate::models::catalogue::CatalogueEntry;
    use crate::models::describe::{ModelDescription, ONNX_PATHS, TOKENIZER_FILE};
    use crate::models::locate::{LocatedModel, Place};

    /// How long the hub may take to say what a repository holds.
    const FIRST_ANSWER: Duration = Duration::from_secs(10);

    /// What a description is made of; a repository need not have all.
    const CONFIGURATION: [&str; 6] = [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
    ];

    /// The model in Hugging Face's cache, if its files are there.
    pub(in crate::models) fn find_cached(
        repository: &str,
        entry: Option<&CatalogueEntry>,
    ) -> Result<Option<LocatedModel>> {
        let cached = Cache::from_env().model(repository.to_string());
        let onnx = onnx_paths(entry).into_iter().find_map(|path| cached.get(&path).map(|_| path));
        match (cached.get(TOKENIZER_FILE), onnx) {
            (Some(tokenizer), Some(onnx)) => located(repository, entry, &tokenizer, onnx).map(Some),
            _ => Ok(None),
        }
    }

    /// Downloads the model's files into Hugging Face's cache, with a progress bar on a terminal.
    pub(in crate::models) fn download(repository: &str, entry: Option<&CatalogueEntry>) -> Result<LocatedModel> {
        let mut builder = ApiBuilder::from_env();
        if let Ok(token) = std::env::var("HF_TOKEN") {
            builder = builder.with_token(Some(token));
        }
        let api = builder.build().map_err(|error| Error::model(format!("cannot ask it: {error}")))?;
        let repo = api.model(repository.to_string());
        let files = files_of(&api, repository)?;
        let has = |name: &str| files.iter().any(|file| file == name);
        let onnx = onnx_paths(entry).into_iter().find(|path| has(path)).ok_or_else(|| {
            Error::model(format!("the repository {repository} has no ONNX file among {}", onnx_paths(entry).join(", ")))
        })?;
        if !has(TOKENIZER_FILE) {
            return Err(Error::model(format!("the repository {repository} has no {TOKENIZER_FILE}")));
        }
        let external = [format!("{onnx}_data"), format!("{onnx}.data")];
        let wanted = CONFIGURATION.into_iter().chain(external.iter().map(String::as_str)).filter(|name| has(name));
        for name in wanted.chain([onnx.as_str()]) {
            fetch(&repo, name)?;
        }
        let tokenizer = fetch(&repo, TOKENIZER_FILE)?;
        located(repository, entry, &tokenizer, onnx.clone())
    }

    fn fetch(repo: &ApiRepo, name: &str) -> Result<PathBuf> {
        repo.get(name).map_err(|error| Error::model(format!("downloading {name} failed: {error}")).with_source(error))
    }

    /// The repository's files, asked on a thread of its own: the client knows no time limit.
    fn files_of(api: &Api, repository: &str) -> Result<Vec<String>> {
        let (sender, receiver) = mpsc::channel();
        let repo = api.model(repository.to_string());
        let url = repo.url("");
        std::thread::spawn(move || {
            // Nobody listens any more when the time is over.
            drop(sender.send(repo.info()));
        });
        match receiver.recv_timeout(FIRST_ANSWER) {
            Ok(Ok(info)) => Ok(info.siblings.into_iter().map(|file| file.rfilename).collect()),
            Ok(Err(error)) => Err(Error::model(format!("asking {url} failed: {error}")).with_source(error)),
            Err(_) => Err(Error::model(format!("{url} did not answer within {} s", FIRST_ANSWER.as_secs()))),
        }
    }

    fn located(
        repository: &str,
        entry: Option<&CatalogueEntry>,
        tokenizer: &Path,
        onnx: String,
    ) -> Result<LocatedModel> {
        let folder = tokenizer.parent().unwrap_or(Path::new("")).to_path_buf();
        let description = match entry {
            Some(entry) => entry.describe(onnx),
            None => ModelDescription {
                source: format!("https://huggingface.co/{repository}"),
                name: repository.to_string(),
                ..ModelDescription::of_folder(&folder)?
            },
        };
        let name = entry.map_or(repository, |entry| &entry.name).to_string();
        Ok(LocatedModel { name, folder, place: Place::Cache, description })
    }

    fn onnx_paths(entry: Option<&CatalogueEntry>) -> Vec<String> {
        entry.map_or_else(|| ONNX_PATHS.map(str::to_string).to_vec(), |entry| entry.onnx.clone())
    }
}

#[cfg(not(feature = "hub"))]
mod without_hub {
    use crate::error::{Error, Result};
    use crate::models::catalogue::CatalogueEntry;
    use crate::models::locate::LocatedModel;

    /// Nothing: this build does not know Hugging Face's cache.
    pub(in crate::models) fn find_cached(_: &str, _: Option<&CatalogueEntry>) -> Result<Option<LocatedModel>> {
        Ok(None)
    }

    /// Fails: this build has no hub.
    pub(in crate::models) fn download(_: &str, _: Option<&CatalogueEntry>) -> Result<LocatedModel> {
        Err(Error::model("this program was built without the feature \"hub\""))
    }
}
