//! A bi-encoder on ONNX Runtime.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::describe::TOKENIZER_FILE;
use super::inference::{Inference, Output};
use super::locate::LocatedModel;
use super::pooling::{normalise, pool};
use super::session::SessionPool;
use super::tokenizer::{Encoded, ModelTokenizer};
use super::{BiEncoder, Embeddings, ModelFingerprint, Pooling, Tokenize};
use crate::error::{Error, Result};

/// Outputs that hold a vector per token, and outputs that hold one per text.
const TOKEN_OUTPUTS: [&str; 3] = ["last_hidden_state", "token_embeddings", "first_hidden_state"];
const TEXT_OUTPUTS: [&str; 3] = ["sentence_embedding", "dense_vecs", "pooler_output"];

/// A bi-encoder whose ONNX file is loaded.
#[derive(Debug)]
pub struct OnnxBiEncoder {
    fingerprint: ModelFingerprint,
    tokenizer: ModelTokenizer,
    inference: Inference,
}

impl OnnxBiEncoder {
    /// Loads the model: checks its hashes, reads its tokenizer, opens its first session.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when it cannot be loaded, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt)
    /// when a file is not the described one.
    pub(super) fn open(model: &LocatedModel, threads: usize, memory_bytes: u64) -> Result<Self> {
        let fingerprint = model.fingerprint()?;
        let tokenizer = ModelTokenizer::open(&model.folder.join(TOKENIZER_FILE), model.description.max_tokens)?;
        let sessions = SessionPool::open(&model.onnx(), threads, memory_bytes)?;
        let wanted: &[&str] = if fingerprint.pooling == Pooling::None { &TEXT_OUTPUTS } else { &TOKEN_OUTPUTS };
        let inference = Inference::open(sessions, &model.description, memory_bytes, tokenizer.pad_id(), wanted)?;
        Ok(Self { fingerprint, tokenizer, inference })
    }

    fn embed(&self, prefix: &str, texts: &[&str]) -> Result<Embeddings> {
        let encode = |text: &&str| {
            if prefix.is_empty() {
                self.tokenizer.encode(text)
            } else {
                self.tokenizer.encode(&format!("{prefix}{text}"))
            }
        };
        // One text is not worth waking other threads for.
        let encoded: Vec<Encoded> = if texts.len() < 2 {
            texts.iter().map(encode).collect::<Result<_>>()?
        } else {
            texts.par_iter().map(encode).collect::<Result<_>>()?
        };
        let dims = self.fingerprint.dims;
        let values = Mutex::new(vec![0.0; encoded.len() * dims]);
        self.inference.run_all(&encoded, |batch, output| {
            let rows = batch.rows.iter().enumerate().map(|(position, &row)| {
                let num_tokens = encoded.get(row).map_or(0, |text| text.ids.len());
                self.vector(&output, position, num_tokens).map(|vector| (row, vector))
            });
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
            for (row, vector) in rows {
                if let Some(place) = values.get_mut(row * dims..(row + 1) * dims) {
                    place.copy_from_slice(&vector);
                }
            }
            Ok(())
        })?;
        Ok(Embeddings {
            dims,
            values: values.into_inner().unwrap_or_else(PoisonError::into_inner),
            num_tokens: encoded.iter().map(|text| text.ids.len() as u64).sum(),
            num_truncated: encoded.iter().filter(|text| text.num_truncated > 0).count() as u64,
        })
    }

    /// The vector of the batch's text at `position`: from `[rows, tokens, dims]`, or from `[rows, dims]` without pooling.
    fn vector(&self, output: &Output<'_>, position: usize, num_tokens: usize) -> Result<Vec<f32>> {
        let dims = self.fingerprint.dims;
        let size = |index: usize| output.shape.get(index).and_then(|&size| usize::try_from(size).ok()).unwrap_or(0);
        let tokens = match (self.fingerprint.pooling, output.shape.len()) {
            (Pooling::None, 2) => 1,
            (Pooling::Cls | Pooling::Mean, 3) => size(1),
            _ => return Err(self.wrong_shape(output)),
        };
        let row = tokens * dims;
        let hidden = output.values.get(position * row..(position + 1) * row);
        let Some(hidden) = hidden.filter(|_| size(output.shape.len() - 1) == dims) else {
            return Err(self.wrong_shape(output));
        };
        let mut vector = vec![0.0; dims];
        pool(self.fingerprint.pooling, hidden, num_tokens, &mut vector);
        if self.fingerprint.normalized {
            normalise(&mut vector);
        }
        if vector.iter().any(|value| !value.is_finite()) {
            return Err(Error::model(format!(
                "model {:?} gave a vector with a number that is not finite",
                self.fingerprint.name
            )));
        }
        Ok(vector)
    }

    fn wrong_shape(&self, output: &Output<'_>) -> Error {
        let ModelFingerprint { name, dims, pooling, .. } = &self.fingerprint;
        let text = format!(
            "model {name:?} gave a tensor of shape {:?}, expected {dims} dimensions with pooling {pooling:?}",
            output.shape
        );
        Error::model(format!("{text}; correct its description"))
    }
}

impl BiEncoder for OnnxBiEncoder {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn tokenizer(&self) -> &dyn Tokenize {
        &self.tokenizer
    }

    fn embed_queries(&self, queries: &[&str]) -> Result<Embeddings> {
        self.embed(&self.fingerprint.query_prefix, queries)
    }

    fn embed_passages(&self, passages: &[&str]) -> Result<Embeddings> {
        self.embed(&self.fingerprint.passage_prefix, passages)
    }
}

/// Opens the bi-encoder in `folder`, with no catalogue, no cache and no hub.
///
/// # Errors
/// As [`Models::bi_encoder`](super::Models::bi_encoder).
pub fn open_bi_encoder(folder: &Path, threads: usize, memory_bytes: u64) -> Result<OnnxBiEncoder> {
    OnnxBiEncoder::open(&LocatedModel::of_folder(folder)?, threads, memory_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::test_models::{cosine, fixture, reference, reference_texts, shipped};

    const MEMORY: u64 = 256 << 20;

    fn check_against_fp32(name: &str) {
        let encoder = open_bi_encoder(&shipped(name), 2, MEMORY).unwrap();
        let texts = reference_texts();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = encoder.embed_passages(&texts).unwrap();
        let reference = reference(name);
        let cosines: Vec<f64> = together.rows().zip(&reference).map(|(ours, fp32)| cosine(ours, fp32)).collect();
        assert_eq!(cosines.len(), texts.len());
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        let smallest = cosines.iter().copied().fold(1.0, f64::min);
        assert!(mean >= 0.99 && smallest >= 0.96, "mean {mean:.4}, smallest {smallest:.4}");
        assert!(together.rows().all(|row| (cosine(row, row) - 1.0).abs() < 1e-5));
        assert!(together.num_truncated >= 2, "the long texts are cut");
        // Texts run alone, so company changes nothing, and neither does the number of threads beyond rounding.
        for (row, text) in together.rows().zip(&texts).step_by(5) {
            let alone = encoder.embed_passages(&[text]).unwrap();
            assert!(cosine(row, &alone.values) > 0.9999, "{text:.40}: {}", cosine(row, &alone.values));
        }
    }

    #[test]
    fn bge_small_is_close_to_fp32_and_a_batch_equals_single_calls() {
        check_against_fp32("bge-small-en-v1.5");
    }

    #[test]
    fn minilm_is_close_to_fp32_and_a_batch_equals_single_calls() {
        check_against_fp32("all-MiniLM-L6-v2");
    }

    #[test]
    fn a_padded_batch_of_a_plain_model_equals_single_calls() {
        let encoder = open_bi_encoder(&fixture("tiny-bi-encoder"), 2, MEMORY).unwrap();
        let texts: Vec<String> = (0..70).map(|count| "the river city war north ".repeat(count % 9)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = encoder.embed_passages(&texts).unwrap();
        for (row, text) in together.rows().zip(&texts) {
            assert!(cosine(row, &encoder.embed_passages(&[text]).unwrap().values) > 0.99999);
        }
    }

    #[test]
    fn no_texts_give_no_rows() {
        let encoder = open_bi_encoder(&fixture("tiny-bi-encoder"), 1, MEMORY).unwrap();
        assert_eq!(encoder.embed_queries(&[]).unwrap(), Embeddings { dims: 32, ..Embeddings::default() });
    }

    #[test]
    fn prefixes_are_added_to_what_they_belong_to() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["model.onnx", "tokenizer.json"] {
            fs_err::copy(fixture("tiny-bi-encoder").join(file), folder.path().join(file)).unwrap();
        }
        let description = r#"{"name": "p", "kind": "bi-encoder", "dims": 32, "pooling": "mean", "query_prefix": "war ", "passage_prefix": "city ", "max_tokens": 64}"#;
        fs_err::write(folder.path().join("bifocal.json"), description).unwrap();
        let prefixed = open_bi_encoder(folder.path(), 1, MEMORY).unwrap();
        let plain = open_bi_encoder(&fixture("tiny-bi-encoder"), 1, MEMORY).unwrap();
        let expected = plain.embed_passages(&["war river", "city river"]).unwrap();
        assert_eq!(prefixed.embed_queries(&["river"]).unwrap().values, expected.values[..32]);
        assert_eq!(prefixed.embed_passages(&["river"]).unwrap().values, expected.values[32..]);
    }

    #[test]
    fn wrong_dimensions_in_a_description_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["model.onnx", "tokenizer.json"] {
            fs_err::copy(fixture("tiny-bi-encoder").join(file), folder.path().join(file)).unwrap();
        }
        fs_err::write(
            folder.path().join("bifocal.json"),
            r#"{"name": "p", "kind": "bi-encoder", "dims": 31, "pooling": "mean", "max_tokens": 64}"#,
        )
        .unwrap();
        let encoder = open_bi_encoder(folder.path(), 1, MEMORY).unwrap();
        let text = encoder.embed_queries(&["river"]).unwrap_err().to_string();
        assert!(text.contains("expected 31 dimensions"), "{text}");
    }

    #[test]
    fn ten_megabytes_of_text_stay_within_bounds() {
        let encoder = open_bi_encoder(&shipped("all-MiniLM-L6-v2"), 2, 64 << 20).unwrap();
        let long = "the index keeps both views in one segment. ".repeat(10 * 1024 * 1024 / 43);
        let texts = [long.as_str(); 4];
        encoder.embed_passages(&["warm up", "both sessions"]).unwrap();
        let before = resident_bytes();
        let embedded = encoder.embed_passages(&texts).unwrap();
        assert_eq!((embedded.num_tokens, embedded.num_truncated), (4 * 256, 4));
        if let (Some(before), Some(after)) = (before, resident_bytes()) {
            assert!(after.saturating_sub(before) < 200 << 20, "{before} to {after}");
        }
    }

    fn resident_bytes() -> Option<u64> {
        let status = fs_err::read_to_string("/proc/self/statm").ok()?;
        Some(status.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
    }

    #[test]
    fn many_threads_share_one_model() {
        let encoder = open_bi_encoder(&fixture("tiny-bi-encoder"), 2, MEMORY).unwrap();
        let expected = encoder.embed_queries(&["the river"]).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(encoder.embed_queries(&["the river"]).unwrap(), expected);
                    }
                });
            }
        });
    }
}
