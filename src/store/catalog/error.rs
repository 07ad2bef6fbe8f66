//! Why a catalog refuses; Elasticsearch has an error type for each.

use crate::error::Error;
use crate::store::blocks::Block;

/// The result of asking a catalog.
pub type CatalogResult<T> = std::result::Result<T, CatalogError>;

/// Why a catalog refuses. The texts are Elasticsearch's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// There is no index (or alias, or data stream) of this name.
    #[error("no such index [{0}]")]
    NotFound(String),
    /// The request wants an alias, and this is none.
    #[error("no such index [{0}] and [require_alias] request flag is [true] and [{0}] is not an alias")]
    NotAnAlias(String),
    /// There are no aliases of these names.
    #[error("aliases [{}] missing", .0.join(","))]
    AliasNotFound(Vec<String>),
    /// There is an index of this name already.
    #[error("index [{index}/{uuid}] already exists")]
    Exists {
        /// Its name.
        index: String,
        /// Its id.
        uuid: String,
    },
    /// No index may have this name.
    #[error("Invalid index name [{name}], {why}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// No alias may have this name.
    #[error("Invalid alias name [{name}]: {why}")]
    InvalidAlias {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// What was asked contradicts itself or the catalog: an alias without a write index, several write indices.
    #[error("{0}")]
    Invalid(String),
    /// The index is closed: it takes no reads and no writes until it is opened.
    #[error("closed")]
    Closed {
        /// Its name.
        index: String,
        /// Its id.
        uuid: String,
    },
    /// Settings of the index (`index.blocks.*`) forbid it.
    #[error("index [{index}] blocked by: {}", .blocks.iter().map(|block| block.told()).collect::<String>())]
    Blocked {
        /// Its name.
        index: String,
        /// Its id.
        uuid: String,
        /// Those that forbid it.
        blocks: Vec<Block>,
    },
    /// The index exists and could not be opened.
    #[error("index [{index}] is not available: {why}")]
    Unavailable {
        /// Its name.
        index: String,
        /// Why.
        why: String,
    },
    /// A definition that cannot be had, a disk that refuses.
    #[error(transparent)]
    Other(#[from] Error),
}
