//! `bifocal compact`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use crate::index::Index;
use crate::models::Models;

/// Merges all segments into one: drops deleted documents, builds the graphs of large vector fields
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal compact books.idx")]
pub(super) struct CompactArgs {
    /// The index's folder
    index: PathBuf,
}

pub(super) fn run(args: &CompactArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let index = Index::open(&args.index, models.clone())?;
    let before = index.snapshot()?.stats()?;
    let started = Instant::now();
    let mut writer = index.writer()?;
    writer.compact()?;
    writer.finish()?;
    let after = index.snapshot()?.stats()?;
    eprintln!(
        "{} segments and {:.1} MB became {} and {:.1} MB in {:.1} s",
        before.segments,
        before.bytes as f64 / 1e6,
        after.segments,
        after.bytes as f64 / 1e6,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
