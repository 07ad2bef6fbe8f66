//! Where downloaded models, the runtime's library and cached embeddings lie.

use std::path::PathBuf;

/// Names the cache folder; before `XDG_CACHE_HOME/bifocal` and `~/.cache/bifocal`.
pub const CACHE_ENV: &str = "BIFOCAL_CACHE";

/// `$BIFOCAL_CACHE`, else `$XDG_CACHE_HOME/bifocal`, else `~/.cache/bifocal`; `None` where none of them is set.
pub fn default_cache_dir() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path(CACHE_ENV)
        .or_else(|| path("XDG_CACHE_HOME").map(|folder| folder.join("bifocal")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache").join("bifocal")))
}
