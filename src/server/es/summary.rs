//! What is told of an index in tables, statistics and figures.

use std::sync::Arc;

use super::EsResult;
use crate::index::SegmentFigures;
use crate::server::state::AppState;
use crate::store::blocks::Blocks;
use crate::store::catalog::IndexHandle;
use crate::store::shard::ShardStats;

/// What is told of an index.
#[derive(Debug, Clone)]
pub(super) struct IndexSummary {
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) created_millis: u64,
    /// A closed index tells nothing of its documents.
    pub(super) is_closed: bool,
    pub(super) blocks: Blocks,
    /// What its shard tells; `None` where it could not be opened. Nested objects count as documents, as in Elasticsearch.
    pub(super) stats: Option<ShardStats>,
    /// Documents that searches see; nested objects do not count.
    pub(super) num_roots: u64,
    /// Those that searches see.
    pub(super) segments: Vec<SegmentFigures>,
}

impl IndexSummary {
    /// Gathers it; looks at the sizes of files.
    pub(super) fn of(index: &IndexHandle) -> EsResult<Self> {
        let (stats, num_roots, segments) = match index.shard() {
            Ok(shard) => {
                let searcher = shard.searcher();
                (Some(shard.stats()?), searcher.num_documents(), searcher.segments())
            }
            Err(_) => (None, 0, Vec::new()),
        };
        let (name, uuid) = (index.name().to_string(), index.uuid().to_string());
        let (created_millis, is_closed, blocks) = (index.created_millis(), index.is_closed(), index.blocks());
        Ok(Self { name, uuid, created_millis, is_closed, blocks, stats, num_roots, segments })
    }

    /// An index whose shard could not be opened is red, the others are green: they have every copy that they shall have.
    pub(super) fn health(&self) -> &'static str {
        if self.stats.is_some() || self.is_closed { "green" } else { "red" }
    }

    /// `open` or `close`.
    pub(super) fn state(&self) -> &'static str {
        if self.is_closed { "close" } else { "open" }
    }
}

/// The summaries of every index, hidden ones too, by name.
pub(super) fn summaries(app: &AppState) -> EsResult<Vec<IndexSummary>> {
    let indices = app.catalog.indices();
    indices.values().map(|index: &Arc<IndexHandle>| IndexSummary::of(index)).collect()
}

/// The worst health; green where there is none.
pub(super) fn health_of(indices: &[IndexSummary]) -> &'static str {
    if indices.iter().all(|index| index.health() == "green") { "green" } else { "red" }
}

/// The sums over indices.
pub(super) fn totals(indices: &[IndexSummary]) -> ShardStats {
    let mut sum = ShardStats::default();
    for stats in indices.iter().filter_map(|index| index.stats) {
        sum.documents += stats.documents;
        sum.deleted_documents += stats.deleted_documents;
        sum.segments += stats.segments;
        sum.store_bytes += stats.store_bytes;
        sum.translog_operations += stats.translog_operations;
        sum.translog_bytes += stats.translog_bytes;
        sum.uncommitted_operations += stats.uncommitted_operations;
    }
    sum
}
