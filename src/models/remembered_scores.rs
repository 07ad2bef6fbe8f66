//! Pair scores by content: an evaluation reads the same pairs under many plans, with each bi-encoder, and again tomorrow.

use super::cross_encoder::sigmoid;
use super::{CrossEncoder, EmbeddingCache, Embeddings, ModelFingerprint, PairScore, Tokenize};
use crate::error::{Error, Result};

/// Numbers a pair: logit, tokens, truncated tokens.
const NUMBERS: usize = 3;

/// A cross-encoder that looks into the cache of embeddings first, and leaves its scores there.
#[derive(Debug)]
pub(crate) struct RememberedScores<'a> {
    model: &'a dyn CrossEncoder,
    cache: &'a EmbeddingCache,
    /// The model's, made different from that of any vector.
    key: ModelFingerprint,
}

impl<'a> RememberedScores<'a> {
    pub(crate) fn new(model: &'a dyn CrossEncoder, cache: &'a EmbeddingCache) -> Self {
        let key = ModelFingerprint {
            dims: NUMBERS,
            passage_prefix: "a pair of query and passage".to_string(),
            ..model.fingerprint().clone()
        };
        Self { model, cache, key }
    }
}

impl CrossEncoder for RememberedScores<'_> {
    fn fingerprint(&self) -> &ModelFingerprint {
        self.model.fingerprint()
    }

    fn tokenizer(&self) -> &dyn Tokenize {
        self.model.tokenizer()
    }

    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<PairScore>> {
        // The length first, so that no two pairs make one text.
        let pairs: Vec<String> = passages.iter().map(|passage| format!("{} {query}{passage}", query.len())).collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let known = self.cache.get(&self.key, &pairs);
        let (new_pairs, new_passages): (Vec<&str>, Vec<&str>) = known
            .iter()
            .zip(pairs.iter().zip(passages))
            .filter(|(known, _)| known.is_none())
            .map(|(_, (&pair, &passage))| (pair, passage))
            .unzip();
        let found = if new_passages.is_empty() { Vec::new() } else { self.model.score(query, &new_passages)? };
        if !found.is_empty() {
            let values = found.iter().flat_map(to_numbers).collect();
            self.cache.put(&self.key, &new_pairs, &Embeddings { dims: NUMBERS, values, ..Embeddings::default() });
        }
        let mut found = found.into_iter();
        known
            .into_iter()
            .map(|known| known.as_deref().and_then(from_numbers).or_else(|| found.next()))
            .map(|score| {
                score.ok_or_else(|| Error::model("the cross-encoder gave fewer scores than there are passages"))
            })
            .collect()
    }
}

fn to_numbers(score: &PairScore) -> [f32; NUMBERS] {
    [score.logit, score.num_tokens as f32, score.num_truncated_tokens as f32]
}

#[expect(clippy::cast_possible_truncation, reason = "they were written from whole numbers")]
fn from_numbers(numbers: &[f32]) -> Option<PairScore> {
    let &[logit, num_tokens, num_truncated] = numbers else { return None };
    let (num_tokens, num_truncated_tokens) = (num_tokens as u32, num_truncated as u32);
    Some(PairScore { logit, relevance: sigmoid(logit), num_tokens, num_truncated_tokens })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::models::open_cross_encoder;
    use crate::models::test_models::fixture;

    #[derive(Debug)]
    struct Counting<T>(T, AtomicUsize);

    impl<T: CrossEncoder> CrossEncoder for Counting<T> {
        fn fingerprint(&self) -> &ModelFingerprint {
            self.0.fingerprint()
        }

        fn tokenizer(&self) -> &dyn Tokenize {
            self.0.tokenizer()
        }

        fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<PairScore>> {
            self.1.fetch_add(passages.len(), Ordering::Relaxed);
            self.0.score(query, passages)
        }
    }

    #[test]
    fn a_pair_is_read_once_and_scores_are_those_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let model = open_cross_encoder(&fixture("tiny-cross-encoder"), 1, 64 << 20).unwrap();
        let passages = ["the war", "the capital of france", "the river"];
        let expected = model.score("capital of france", &passages).unwrap();
        let model = Counting(model, AtomicUsize::new(0));
        let cache = EmbeddingCache::open(folder.path(), 1 << 20);
        let remembered = RememberedScores::new(&model, &cache);
        assert_eq!(remembered.score("capital of france", &passages[1..2]).unwrap(), expected[1..2]);
        assert_eq!(remembered.score("capital of france", &passages).unwrap(), expected);
        assert_eq!(remembered.score("capital of france", &passages).unwrap(), expected);
        assert_eq!(model.1.load(Ordering::Relaxed), 3);
        // Another query with the same characters in all is another pair.
        remembered.score("capital of franc", &["ethe war"]).unwrap();
        assert_eq!(model.1.load(Ordering::Relaxed), 4);
    }
}
