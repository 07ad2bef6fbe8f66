//! A cross-encoder on ONNX Runtime: query and passage together, one logit.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::batching::Batch;
use super::describe::TOKENIZER_FILE;
use super::inference::{Inference, Output};
use super::locate::LocatedModel;
use super::session::SessionPool;
use super::tokenizer::{Encoded, ModelTokenizer};
use super::{CrossEncoder, ModelFingerprint, PairScore, Tokenize};
use crate::error::{Error, Result};

/// A cross-encoder whose ONNX file is loaded.
#[derive(Debug)]
pub struct OnnxCrossEncoder {
    fingerprint: ModelFingerprint,
    tokenizer: ModelTokenizer,
    inference: Inference,
}

impl OnnxCrossEncoder {
    /// Loads the model: checks its hashes, reads its tokenizer, opens its first session.
    ///
    /// # Errors
    /// As [`OnnxBiEncoder::open`](super::OnnxBiEncoder).
    pub(super) fn open(model: &LocatedModel, threads: usize, memory_bytes: u64) -> Result<Self> {
        let fingerprint = model.fingerprint()?;
        let tokenizer = ModelTokenizer::open(&model.folder.join(TOKENIZER_FILE), model.description.max_tokens)?;
        let sessions = SessionPool::open(&model.onnx(), threads, memory_bytes)?;
        let inference = Inference::open(sessions, &model.description, memory_bytes, tokenizer.pad_id(), &["logits"])?;
        Ok(Self { fingerprint, tokenizer, inference })
    }

    fn wrong_shape(&self, shape: &[i64]) -> Error {
        let text =
            format!("model {:?} gave a tensor of shape {shape:?}, expected one logit a pair", self.fingerprint.name);
        Error::unsupported(format!("{text}; models with several classes cannot re-rank"))
    }

    /// The logits of a run: `[rows]` or `[rows, 1]`.
    fn logits<'run>(&self, batch: &Batch, output: &Output<'run>) -> Result<&'run [f32]> {
        let one_a_row = matches!(output.shape, [_] | [_, 1]);
        if !one_a_row || output.values.len() != batch.rows.len() {
            return Err(self.wrong_shape(output.shape));
        }
        if output.values.iter().any(|logit| logit.is_nan()) {
            return Err(Error::model(format!("model {:?} gave a score that is not a number", self.fingerprint.name)));
        }
        Ok(output.values)
    }
}

impl CrossEncoder for OnnxCrossEncoder {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn tokenizer(&self) -> &dyn Tokenize {
        &self.tokenizer
    }

    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<PairScore>> {
        let query = self.tokenizer.encode_query(query)?;
        let encoded: Vec<Encoded> =
            passages.par_iter().map(|passage| self.tokenizer.encode_pair(&query, passage)).collect::<Result<_>>()?;
        let logits = Mutex::new(vec![0.0; encoded.len()]);
        self.inference.run_all(&encoded, |batch, output| {
            let found = self.logits(batch, &output)?;
            let mut logits = logits.lock().unwrap_or_else(PoisonError::into_inner);
            for (&row, &logit) in batch.rows.iter().zip(found) {
                if let Some(place) = logits.get_mut(row) {
                    *place = logit;
                }
            }
            Ok(())
        })?;
        let logits = logits.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(logits.into_iter().zip(&encoded).map(|(logit, pair)| pair_score(logit, pair)).collect())
    }
}

fn pair_score(logit: f32, pair: &Encoded) -> PairScore {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    PairScore {
        logit,
        relevance: sigmoid(logit),
        num_tokens: count(pair.ids.len()),
        num_truncated_tokens: count(pair.num_truncated),
    }
}

/// `1 / (1 + exp(-logit))`.
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Opens the cross-encoder in `folder`, with no catalogue and no hub.
///
/// # Errors
/// As [`Models::cross_encoder`](super::Models::cross_encoder).
pub fn open_cross_encoder(folder: &Path, threads: usize, memory_bytes: u64) -> Result<OnnxCrossEncoder> {
    OnnxCrossEncoder::open(&LocatedModel::of_folder(folder)?, threads, memory_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::test_models::fixture;

    fn tiny() -> OnnxCrossEncoder {
        open_cross_encoder(&fixture("tiny-cross-encoder"), 2, 64 << 20).unwrap()
    }

    #[test]
    fn more_of_the_query_in_the_passage_is_more_relevant() {
        let scores =
            tiny().score("capital of france", &["the war", "the capital", "the capital city of france"]).unwrap();
        assert!(scores[0].logit < scores[1].logit && scores[1].logit < scores[2].logit, "{scores:?}");
        assert!((scores[2].logit - 4.0).abs() < 1e-4 && (scores[0].logit + 4.0).abs() < 1e-4, "{scores:?}");
        assert!((scores[2].relevance - 0.982_013_8).abs() < 1e-5);
        assert!(scores.iter().all(|score| score.num_truncated_tokens == 0));
    }

    #[test]
    fn answers_are_in_the_order_of_the_passages_and_a_batch_equals_single_calls() {
        let model = tiny();
        let passages: Vec<String> =
            (0..60).map(|count| format!("{} river", "war north city ".repeat(count * 7 % 13))).collect();
        let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
        let together = model.score("the city of the river", &passages).unwrap();
        for (score, passage) in together.iter().zip(&passages) {
            assert_eq!(*score, model.score("the city of the river", &[passage]).unwrap()[0]);
        }
    }

    #[test]
    fn truncated_tokens_are_counted_and_memory_is_bounded() {
        let model = open_cross_encoder(&fixture("tiny-cross-encoder"), 2, 1 << 20).unwrap();
        let long = "war ".repeat(1_000_000);
        let scores = model.score("the river", &["war", &long, "river"]).unwrap();
        // [CLS] the river [SEP] 123 words [SEP]
        assert_eq!((scores[1].num_tokens, scores[1].num_truncated_tokens), (128, 1_000_000 - 123));
        assert_eq!(scores[0].num_truncated_tokens, 0);
        assert!(scores[2].logit > scores[1].logit);
    }

    #[test]
    fn empty_input_gives_no_scores() {
        assert!(tiny().score("x", &[]).unwrap().is_empty());
        assert_eq!(tiny().score("", &[""]).unwrap().len(), 1);
    }

    #[test]
    fn a_bi_encoder_is_no_cross_encoder() {
        let text = open_cross_encoder(&fixture("tiny-bi-encoder"), 1, 1 << 20)
            .unwrap()
            .score("a", &["b"])
            .unwrap_err()
            .to_string();
        assert!(text.contains("one logit a pair"), "{text}");
    }
}
