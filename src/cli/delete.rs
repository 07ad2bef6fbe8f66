//! `bifocal delete`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::error::{Error, Location};
use crate::index::Index;
use crate::ingest::{Action, Operation};
use crate::models::Models;
use crate::retrieve::{Searcher, query_syntax};

/// Deletes documents, by id or by query
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal delete books.idx 184 29\n  bifocal delete books.idx --query 'year:<1950'")]
pub(super) struct DeleteArgs {
    /// The index's folder
    index: PathBuf,
    /// The documents' `_id`s; those that do not exist are counted, and are no error
    #[arg(required_unless_present = "query")]
    ids: Vec<String>,
    /// Deletes every document that matches, in the search box's syntax
    #[arg(long, conflicts_with = "ids")]
    query: Option<String>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DeleteArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let index = Index::open(&args.index, models.clone())?;
    let mut writer = index.writer()?;
    let ids = match &args.query {
        Some(text) if text.trim().is_empty() => {
            return Err(Error::invalid_input("--query is empty; name what to delete").into());
        }
        Some(text) => {
            let searcher = Searcher::open(&index)?;
            let query = query_syntax::parse(text, searcher.lexical().fields());
            searcher.lexical().matching_ids(&query)?
        }
        None => args.ids.iter().map(|id| id.as_str().into()).collect(),
    };
    let asked = ids.len() as u64;
    let delete = |id| Operation { action: Action::Delete(id), location: Location::default() };
    let applied = writer.apply(ids.into_iter().map(delete).collect())?;
    writer.commit()?;
    writer.finish()?;
    if args.json {
        say!("{}", json!({"deleted": applied.num_deleted, "not_found": asked - applied.num_deleted}));
    } else {
        eprintln!("deleted {} of {asked} documents", applied.num_deleted);
    }
    Ok(())
}
