//! `bifocal get`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::document::DocumentId;
use crate::error::Error;
use crate::index::Index;
use crate::models::Models;

/// Prints documents by their ids, one JSON object a line
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal get books.idx 184")]
pub(super) struct GetArgs {
    /// The index's folder
    index: PathBuf,
    /// The documents' `_id`s
    #[arg(required = true)]
    ids: Vec<String>,
}

pub(super) fn run(args: &GetArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let snapshot = Index::open(&args.index, models.clone())?.snapshot()?;
    let mut missing = Vec::new();
    for id in &args.ids {
        match snapshot.get(&DocumentId::from(id.as_str())).with_context(|| format!("document {id:?}"))? {
            Some(source) => say!("{}", json!({"_id": id, "_source": source})),
            None => missing.push(id.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::not_found(format!("no document with the id {}", missing.join(", "))).into())
}
