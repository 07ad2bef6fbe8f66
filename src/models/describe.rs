//! What is known about a model: read from `bifocal.json`, or from the files that Hugging Face repositories carry.
//!
//! `bifocal.json` beside the ONNX file wins, since it says everything. Else `modules.json`, `1_Pooling/config.json`,
//! `sentence_bert_config.json`, `config_sentence_transformers.json`, `tokenizer_config.json` and `config.json` are put together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Pooling;
use super::batching::MemoryModel;
use crate::error::{Error, ErrorKind, Result};

/// The file that describes a model folder.
pub const DESCRIPTION_FILE: &str = "bifocal.json";

/// The file that every model folder needs beside its ONNX file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Where repositories keep the ONNX file, best first.
pub(super) const ONNX_PATHS: [&str; 4] =
    ["onnx/model.onnx", "model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx"];

/// Which question a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// One text to one vector.
    BiEncoder,
    /// A query and a passage to one score.
    CrossEncoder,
}

/// How vectors of a bi-encoder are meant to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Similarity {
    /// By angle; vectors are brought to length 1.
    #[default]
    Cosine,
    /// By inner product; lengths matter and are kept.
    Dot,
}

/// What is known about a model.
///
/// # Stability
/// The shape of `bifocal.json` in a model folder; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Its short name.
    pub name: String,
    /// Bi-encoder or cross-encoder.
    pub kind: ModelKind,
    /// The ONNX file, relative to the folder.
    #[serde(default = "default_onnx")]
    pub onnx: String,
    /// Numbers a vector; 0 for a cross-encoder.
    #[serde(default)]
    pub dims: usize,
    /// How token vectors become one.
    #[serde(default = "default_pooling")]
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
    /// Longest input in tokens, special tokens included.
    pub max_tokens: usize,
    /// True when the texts of one run change each other's result, as dynamic quantisation of activations makes them. Such a
    /// model runs one text at a time, so that a text's vector is always the same.
    #[serde(default)]
    pub rows_interact: bool,
    /// Numbers a token inside the model, for the memory of a run; guessed when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Attention heads, for the memory of a run; guessed when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_heads: Option<usize>,
    /// SPDX identifier of the licence; empty when unknown.
    #[serde(default)]
    pub licence: String,
    /// Where it comes from.
    #[serde(default)]
    pub source: String,
    /// BLAKE3 of its files in hexadecimal, checked when it is loaded; empty means unchecked.
    #[serde(default)]
    pub blake3: std::collections::BTreeMap<String, String>,
}

fn default_onnx() -> String {
    "model.onnx".to_string()
}

fn default_pooling() -> Pooling {
    Pooling::None
}

impl ModelDescription {
    /// Reads the description of a model folder.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] when the folder lacks a file that a model needs, or describes what this engine cannot run; the text
    /// names the folder and the file.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        if !folder.join(TOKENIZER_FILE).is_file() {
            let text = format!("the model folder has no {TOKENIZER_FILE}; copy that file of the model into it");
            return Err(Error::model(text).in_file(folder));
        }
        let description = match read_json(folder, DESCRIPTION_FILE)? {
            Some(value) => serde_json::from_value(value).map_err(|error| {
                Error::model(format!("{error}; see models/README.md")).in_file(folder.join(DESCRIPTION_FILE))
            })?,
            None => of_repository(folder)?,
        };
        if !folder.join(&description.onnx).is_file() {
            let text = format!("the model folder has no {}; copy the model's ONNX file into it", description.onnx);
            return Err(Error::model(text).in_file(folder));
        }
        if description.max_tokens == 0 || (description.kind == ModelKind::BiEncoder && description.dims == 0) {
            return Err(Error::model("max_tokens and dims must be positive").in_file(folder.join(DESCRIPTION_FILE)));
        }
        Ok(description)
    }

    /// What a run needs.
    pub(super) fn memory(&self) -> MemoryModel {
        let hidden = self.hidden.unwrap_or(if self.dims == 0 { 768 } else { self.dims });
        MemoryModel::of_transformer(hidden, self.num_heads.unwrap_or(hidden.div_ceil(32).max(12)))
    }
}

/// Bytes of an ONNX file with its external data.
pub(super) fn weight_bytes(onnx: &Path) -> u64 {
    let bytes = |path: &Path| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
    bytes(onnx) + external_data(onnx).iter().map(|path| bytes(path)).sum::<u64>()
}

/// `model.onnx_data`, `model.onnx.data`: where weights beyond 2 GB are kept.
pub(super) fn external_data(onnx: &Path) -> Vec<PathBuf> {
    let name = |ending: &str| {
        let mut path = onnx.as_os_str().to_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    [name("_data"), name(".data")].into_iter().filter(|path| path.is_file()).collect()
}

/// The file as JSON; `None` when there is none.
fn read_json(folder: &Path, file: &str) -> Result<Option<Value>> {
    let path = folder.join(file);
    match fs_err::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::model(format!("is no JSON: {error}")).in_file(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Puts a description together from a Hugging Face repository's files.
fn of_repository(folder: &Path) -> Result<ModelDescription> {
    let read = |file: &str| Ok::<Value, Error>(read_json(folder, file)?.unwrap_or(Value::Null));
    let config = read("config.json")?;
    let pooling_config = read("1_Pooling/config.json")?;
    let sentence = read("config_sentence_transformers.json")?;
    let kind = kind_of(&config);
    let hidden = number(&config, &["hidden_size", "dim", "d_model", "n_embd"]);
    let pooling = match kind {
        ModelKind::CrossEncoder => Pooling::None,
        ModelKind::BiEncoder => pooling_of(&pooling_config).map_err(|error| error.in_file(folder))?,
    };
    refuse_unknown_modules(&read("modules.json")?).map_err(|error| error.in_file(folder))?;
    let dims = match kind {
        ModelKind::CrossEncoder => 0,
        ModelKind::BiEncoder => number(&pooling_config, &["word_embedding_dimension", "embedding_dimension"])
            .or(hidden)
            .ok_or_else(|| incomplete(folder, "the number of dimensions"))?,
    };
    let prompt = |names: &[&str]| {
        let prompts = &sentence["prompts"];
        names.iter().find_map(|name| prompts[name].as_str()).unwrap_or_default().to_string()
    };
    Ok(ModelDescription {
        name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        kind,
        onnx: find_onnx(folder)?,
        dims,
        pooling,
        similarity: match sentence["similarity_fn_name"].as_str() {
            Some("dot" | "dot_score") => Similarity::Dot,
            _ => Similarity::Cosine,
        },
        query_prefix: prompt(&["query", "s2p_query", "retrieval.query"]),
        passage_prefix: prompt(&["passage", "document", "corpus", "retrieval.passage"]),
        max_tokens: longest_input(&config, &read("sentence_bert_config.json")?, &read("tokenizer_config.json")?)
            .ok_or_else(|| incomplete(folder, "the longest input"))?,
        rows_interact: false,
        hidden,
        num_heads: number(&config, &["num_attention_heads", "n_heads", "n_head"]),
        licence: String::new(),
        source: folder.display().to_string(),
        blake3: Default::default(),
    })
}

fn incomplete(folder: &Path, what: &str) -> Error {
    let text = format!(
        "its config.json does not say {what}; copy the model's configuration files, or write a {DESCRIPTION_FILE}"
    );
    Error::model(text).in_file(folder)
}

fn kind_of(config: &Value) -> ModelKind {
    let architectures = config["architectures"].as_array().into_iter().flatten();
    let classifies = architectures.filter_map(Value::as_str).any(|name| name.ends_with("ForSequenceClassification"));
    if classifies { ModelKind::CrossEncoder } else { ModelKind::BiEncoder }
}

fn pooling_of(config: &Value) -> Result<Pooling> {
    let is_set = |key: &str| config[key].as_bool() == Some(true);
    let mode = config["pooling_mode"].as_str();
    if is_set("pooling_mode_cls_token") || mode == Some("cls") {
        Ok(Pooling::Cls)
    } else if is_set("pooling_mode_mean_tokens") || mode == Some("mean") || config.is_null() {
        Ok(Pooling::Mean)
    } else {
        let text = "pools its tokens neither by the first token nor by their mean, which is all that is supported";
        Err(Error::new(ErrorKind::Unsupported, text))
    }
}

/// A repository may put a linear layer behind the pooling that its ONNX file lacks.
fn refuse_unknown_modules(modules: &Value) -> Result<()> {
    let types = modules.as_array().into_iter().flatten().filter_map(|module| module["type"].as_str());
    let known = ["Transformer", "Pooling", "Normalize"];
    for name in types.filter_map(|path| path.rsplit('.').next()) {
        if !known.contains(&name) {
            let text = format!("its modules.json has a {name} module; only {} are supported", known.join(", "));
            return Err(Error::unsupported(text));
        }
    }
    Ok(())
}

fn longest_input(config: &Value, sentence: &Value, tokenizer: &Value) -> Option<usize> {
    // RoBERTa counts positions from 2.
    let from_two = config["model_type"].as_str().is_some_and(|name| name.contains("roberta") || name == "mpnet");
    let positions = number(config, &["max_position_embeddings", "n_positions"])
        .map(|positions| if from_two { positions.saturating_sub(2) } else { positions });
    // Tokenizers without a limit say 10^30.
    let limit = number(tokenizer, &["model_max_length"]).filter(|&limit| limit < 1_000_000);
    number(sentence, &["max_seq_length"]).or_else(|| [limit, positions].into_iter().flatten().min())
}

fn number(value: &Value, keys: &[&str]) -> Option<usize> {
    keys.iter().find_map(|key| value[key].as_u64()).and_then(|number| usize::try_from(number).ok())
}

fn find_onnx(folder: &Path) -> Result<String> {
    if let Some(path) = ONNX_PATHS.iter().find(|path| folder.join(path).is_file()) {
        return Ok((*path).to_string());
    }
    let mut found = Vec::new();
    for inner in ["", "onnx"] {
        let Ok(entries) = fs_err::read_dir(folder.join(inner)) else { continue };
        for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            if name.ends_with(".onnx") {
                found.push(if inner.is_empty() { name } else { format!("{inner}/{name}") });
            }
        }
    }
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::model(
            "the model folder has no ONNX file (*.onnx); export the model, or copy its ONNX file here",
        )
        .in_file(folder)),
        several => {
            let text = format!(
                "the model folder has several ONNX files ({}); name one of them model.onnx",
                several.join(", ")
            );
            Err(Error::model(text).in_file(folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::test_models::fixture;

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        folder
    }

    #[test]
    fn a_repository_is_described_by_its_own_files() {
        let e5 = folder(&[
            ("tokenizer.json", "{}"),
            ("onnx/model.onnx", ""),
            (
                "config.json",
                r#"{"architectures": ["BertModel"], "hidden_size": 384, "num_attention_heads": 12, "max_position_embeddings": 512}"#,
            ),
            (
                "1_Pooling/config.json",
                r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#,
            ),
            ("sentence_bert_config.json", r#"{"max_seq_length": 256, "do_lower_case": false}"#),
            (
                "config_sentence_transformers.json",
                r#"{"prompts": {"query": "query: ", "passage": "passage: "}, "similarity_fn_name": "dot"}"#,
            ),
            (
                "modules.json",
                r#"[{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]"#,
            ),
        ]);
        let described = ModelDescription::of_folder(e5.path()).unwrap();
        assert_eq!((described.dims, described.max_tokens, described.pooling), (384, 256, Pooling::Mean));
        assert_eq!((described.query_prefix.as_str(), described.passage_prefix.as_str()), ("query: ", "passage: "));
        assert_eq!((described.similarity, described.onnx.as_str()), (Similarity::Dot, "onnx/model.onnx"));
    }

    #[test]
    fn a_classifier_is_a_cross_encoder_and_roberta_counts_from_two() {
        let reranker = folder(&[
            ("tokenizer.json", "{}"),
            ("model_int8.onnx", ""),
            (
                "config.json",
                r#"{"architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta", "hidden_size": 768, "max_position_embeddings": 514}"#,
            ),
            ("tokenizer_config.json", r#"{"model_max_length": 1e30}"#),
        ]);
        let described = ModelDescription::of_folder(reranker.path()).unwrap();
        assert_eq!((described.kind, described.max_tokens), (ModelKind::CrossEncoder, 512));
        assert_eq!(described.onnx, "model_int8.onnx");
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            let folder = folder(files);
            let text = ModelDescription::of_folder(folder.path()).unwrap_err().to_string();
            assert!(text.contains(&folder.path().display().to_string()), "{text}");
            assert!(expected.iter().all(|part| text.contains(part)), "{text}");
        };
        check(&[("model.onnx", "")], &["no tokenizer.json"]);
        check(
            &[("tokenizer.json", "{}"), ("config.json", r#"{"hidden_size": 8, "max_position_embeddings": 9}"#)],
            &["no ONNX file"],
        );
        check(&[("tokenizer.json", "{}"), ("model.onnx", "")], &["number of dimensions", DESCRIPTION_FILE]);
        let base = ("config.json", r#"{"hidden_size": 8, "max_position_embeddings": 9}"#);
        check(&[("tokenizer.json", "{}"), base, ("a.onnx", ""), ("onnx/b.onnx", "")], &["a.onnx, onnx/b.onnx"]);
        check(
            &[("tokenizer.json", "{}"), ("model.onnx", ""), base, ("modules.json", r#"[{"type": "x.Dense"}]"#)],
            &["Dense"],
        );
        check(
            &[("tokenizer.json", "{}"), ("model.onnx", ""), ("bifocal.json", r#"{"nmae": "x"}"#)],
            &["bifocal.json", "nmae"],
        );
    }

    #[test]
    fn bifocal_json_wins_and_round_trips() {
        let described = ModelDescription::of_folder(&fixture("tiny-bi-encoder")).unwrap();
        assert_eq!((described.dims, described.max_tokens), (32, 128));
        let json = serde_json::to_string(&described).unwrap();
        assert_eq!(serde_json::from_str::<ModelDescription>(&json).unwrap(), described);
    }
}
