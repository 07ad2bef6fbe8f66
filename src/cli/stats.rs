//! `bifocal stats`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::index::Index;
use crate::models::Models;

/// Prints what an index holds: documents, passages, segments, bytes, fields, models
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal stats books.idx --json\n  bifocal stats books.idx --verify")]
pub(super) struct StatsArgs {
    /// The index's folder
    index: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// Reads every file and compares its checksum first; fails naming the damaged ones
    #[arg(long)]
    verify: bool,
}

pub(super) fn run(args: &StatsArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    if args.verify {
        Index::verify(&args.index)?;
    }
    let index = Index::open(&args.index, models.clone())?;
    let stats = index.snapshot()?.stats()?;
    let fingerprints = index.model_fingerprints();
    if args.json {
        let mut value = serde_json::to_value(&stats)?;
        if let Some(map) = value.as_object_mut() {
            map.insert("models".into(), json!(fingerprints));
            map.insert("definition".into(), serde_json::to_value(index.definition())?);
        }
        say!("{value}");
        return Ok(());
    }
    say!("documents  {}", stats.documents);
    say!("passages   {}", stats.passages);
    say!("segments   {} ({} deleted documents in them)", stats.segments, stats.deleted_documents);
    say!("size       {:.1} MB", stats.bytes as f64 / 1e6);
    for (field, model) in &fingerprints {
        say!("model      {} ({} dimensions) of field {field}", model.name, model.dims);
    }
    for field in index.definition().fields()? {
        say!("field      {}", field.path);
    }
    Ok(())
}
