//! Paths of the models that tests use, and the reference embeddings of the shipped ones.

use std::path::{Path, PathBuf};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("models").join(name)
}

pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
}

pub(crate) fn reference_texts() -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Item {
        text: String,
        repeat: Option<usize>,
    }
    let items: Vec<Item> = read("texts.json");
    items.into_iter().map(|item| item.text.repeat(item.repeat.unwrap_or(1))).collect()
}

pub(crate) fn reference(model: &str) -> Vec<Vec<f32>> {
    read(&format!("{model}.json"))
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    serde_json::from_slice(&fs_err::read(fixture("reference").join(file)).unwrap()).unwrap()
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
