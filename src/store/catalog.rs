//! The indices of a folder, by name and alias.

/// The indices of a data folder. `Send + Sync`.
#[derive(Debug, Default)]
pub struct Catalog {}
