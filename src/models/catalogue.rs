//! Models by name: what the engine knows without having them.
//!
//! Two sources. `catalogue.json` beside this file is ours: facts from the models' public cards (prefixes, pooling, dimensions,
//! longest input, licence, repository). What `fastembed` lists beyond it is taken from that crate when the program runs, so
//! that its catalogue stays its own.

use std::sync::OnceLock;

use fastembed::{TextEmbedding, TextRerank};
use serde::{Deserialize, Serialize};

use super::Pooling;
use super::describe::{ModelDescription, ModelKind, ONNX_PATHS, Similarity};
use crate::error::{Error, Result};

/// A model that can be asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// Its name.
    pub name: String,
    /// Other names it is known by, other repositories of the same model among them.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Bi-encoder or cross-encoder.
    pub kind: ModelKind,
    /// Where it lies on the Hugging Face hub: `owner/name`.
    pub repository: String,
    /// Paths of the ONNX file in the repository, tried in turn.
    #[serde(default = "default_onnx_paths")]
    pub onnx: Vec<String>,
    /// Numbers a vector; 0 for a cross-encoder.
    #[serde(default)]
    pub dims: usize,
    /// How token vectors become one.
    #[serde(default = "no_pooling")]
    pub pooling: Pooling,
    /// How vectors are compared.
    #[serde(default)]
    pub similarity: Similarity,
    /// Put before a query.
    #[serde(default)]
    pub query_prefix: String,
    /// Put before a passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// Longest input in tokens.
    pub max_tokens: usize,
    /// SPDX identifier; empty when only the repository says it.
    pub licence: String,
}

fn default_onnx_paths() -> Vec<String> {
    ONNX_PATHS.map(str::to_string).to_vec()
}

fn no_pooling() -> Pooling {
    Pooling::None
}

impl CatalogueEntry {
    /// The entry as the description of a folder whose ONNX file is `onnx`.
    pub(super) fn describe(&self, onnx: String) -> ModelDescription {
        ModelDescription {
            name: self.name.clone(),
            kind: self.kind,
            onnx,
            dims: self.dims,
            pooling: self.pooling,
            similarity: self.similarity,
            query_prefix: self.query_prefix.clone(),
            passage_prefix: self.passage_prefix.clone(),
            max_tokens: self.max_tokens,
            rows_interact: false,
            hidden: None,
            num_heads: None,
            licence: self.licence.clone(),
            source: format!("https://huggingface.co/{}", self.repository),
            blake3: Default::default(),
        }
    }

    fn answers_to(&self, name: &str) -> bool {
        let names = [&self.name, &self.repository].into_iter().chain(&self.aliases);
        names.into_iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Every known model: ours first, then what `fastembed` adds, each by name.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when the embedded table is malformed, which a test rules out.
pub fn catalogue() -> Result<&'static [CatalogueEntry]> {
    static CATALOGUE: OnceLock<Result<Vec<CatalogueEntry>, String>> = OnceLock::new();
    CATALOGUE
        .get_or_init(|| {
            let mut entries: Vec<CatalogueEntry> =
                serde_json::from_str(include_str!("catalogue.json")).map_err(|error| error.to_string())?;
            for added in of_fastembed() {
                if !entries.iter().any(|entry| entry.answers_to(&added.repository) || entry.answers_to(&added.name)) {
                    entries.push(added);
                }
            }
            Ok(entries)
        })
        .as_deref()
        .map_err(|error| Error::internal(format!("the catalogue of models is malformed: {error}")))
}

/// The model of this name, alias or repository; capital letters do not matter.
///
/// # Errors
/// As [`catalogue`].
pub(super) fn find(name: &str) -> Result<Option<&'static CatalogueEntry>> {
    Ok(catalogue()?.iter().find(|entry| entry.answers_to(name)))
}

/// What `fastembed` lists and can be run as it is: one ONNX file and pooling by the first token or the mean.
fn of_fastembed() -> Vec<CatalogueEntry> {
    let bi_encoders = TextEmbedding::list_supported_models().into_iter().filter_map(|info| {
        let pooling = match TextEmbedding::get_default_pooling_method(&info.model)? {
            fastembed::Pooling::Cls => Pooling::Cls,
            fastembed::Pooling::Mean => Pooling::Mean,
        };
        // An output of its own name is pooled inside the model; that model's card is needed, not a guess.
        if info.output_key.is_some() {
            return None;
        }
        let entry = entry_of(ModelKind::BiEncoder, &info.model_code, &info.model_file);
        Some(CatalogueEntry { dims: info.dim, pooling, ..entry })
    });
    let cross_encoders = TextRerank::list_supported_models()
        .into_iter()
        .map(|info| entry_of(ModelKind::CrossEncoder, &info.model_code, &info.model_file));
    bi_encoders.chain(cross_encoders).collect()
}

fn entry_of(kind: ModelKind, repository: &str, onnx: &str) -> CatalogueEntry {
    CatalogueEntry {
        name: repository.rsplit('/').next().unwrap_or(repository).to_string(),
        aliases: Vec::new(),
        kind,
        repository: repository.to_string(),
        onnx: vec![onnx.to_string()],
        dims: 0,
        pooling: Pooling::None,
        similarity: Similarity::Cosine,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        // fastembed's own default.
        max_tokens: 512,
        licence: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_means_one_model() {
        let mut names = HashSet::new();
        for entry in catalogue().unwrap() {
            for name in [&entry.name].into_iter().chain(&entry.aliases) {
                assert!(names.insert(name.to_lowercase()), "{name} twice");
            }
            assert_eq!(entry.dims > 0, entry.kind == ModelKind::BiEncoder, "{}", entry.name);
            assert!(entry.max_tokens >= 128 && entry.repository.split('/').count() == 2, "{}", entry.name);
        }
    }

    #[test]
    fn ours_agrees_with_fastembed() {
        let mut compared = 0;
        for theirs in of_fastembed() {
            let Some(ours) = find(&theirs.repository).unwrap().filter(|ours| ours.kind == theirs.kind) else {
                continue;
            };
            assert_eq!((ours.dims, ours.pooling), (theirs.dims, theirs.pooling), "{}", theirs.repository);
            compared += 1;
        }
        assert!(compared >= 20, "{compared}");
    }

    #[test]
    fn the_families_of_the_issue_are_there() {
        let names = [
            "msmarco-distilbert-base-tas-b",
            "cross-encoder/ms-marco-MiniLM-L6-v2",
            "all-minilm-l6-v2",
            "BAAI/bge-base-en-v1.5",
            "e5-small-v2",
            "gte-small",
            "snowflake-arctic-embed-m",
            "jina-embeddings-v2-base-en",
            "mxbai-rerank-base-v1",
            "bge-small-zh-v1.5",
        ];
        for name in names {
            assert!(find(name).unwrap().is_some(), "{name}");
        }
        assert_eq!(find("e5-small-v2").unwrap().unwrap().query_prefix, "query: ");
    }
}
