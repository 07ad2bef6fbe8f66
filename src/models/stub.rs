//! stub
use super::*;
use std::sync::Arc;
/// x
pub const DEFAULT_BI_ENCODER: &str = "bge-small-en-v1.5";
/// x
#[derive(Debug)]
pub struct Models;
/// x
#[derive(Debug)]
pub struct EmbeddingCache;
impl Models {
    /// x
    /// # Errors
    /// x
    pub fn bi_encoder(&self, _: &str) -> Result<Arc<dyn BiEncoder>> {
        Err(crate::Error::model("x"))
    }
    /// x
    pub fn embedding_cache(&self) -> Option<&EmbeddingCache> {
        None
    }
}
impl EmbeddingCache {
    /// x
    pub fn get(&self, _: &ModelFingerprint, texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        vec![None; texts.len()]
    }
    /// x
    pub fn put(&self, _: &ModelFingerprint, _: &[&str], _: &Embeddings) {}
}
