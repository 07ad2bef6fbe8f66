//! Durable indices: a folder of them, each an [`Index`](crate::Index) behind a translog.
//!
//! In: writes with their conditions. Out: acknowledged sequence numbers and versions, and snapshots to search. Invariant: what was
//! acknowledged survives `kill -9` (and power loss, where the durability is `request`). No HTTP and no Elasticsearch JSON here.
//! Read next: [`shard`] (one index: writes, realtime reads, refresh, flush), [`translog`] (what makes it durable), [`catalog`] (names,
//! aliases, which indices there are).

mod atomic_file;
mod auto_id;
pub mod blocks;
pub mod catalog;
pub mod shard;
pub mod translog;

pub use catalog::Catalog;
pub use shard::Shard;
