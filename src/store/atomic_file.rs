//! Small files that are replaced as a whole.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file as a whole, durably: a crash leaves the old or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let written = (|| {
        let mut file = fs_err::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs_err::rename(&temporary, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs_err::File::open(folder)?.sync_all()
    })();
    written.map_err(|error: std::io::Error| {
        let _ = fs_err::remove_file(&temporary);
        Error::from(error)
    })
}
