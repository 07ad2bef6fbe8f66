//! What all requests share.

use std::sync::Arc;

use crate::models::Models;
use crate::store::Catalog;

/// What all requests share; behind an `Arc`.
#[derive(Debug)]
pub struct AppState {
    /// The indices.
    pub catalog: Catalog,
    /// Bi-encoders and cross-encoders; loaded at the first use.
    pub models: Arc<Models>,
}
