//! Ctrl-C: the first asks the work to stop at the next safe place, the second ends the process at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// Listens for Ctrl-C and termination from now on.
pub(super) fn install() {
    INSTALLED.get_or_init(|| {
        let listen = || {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(ErrorKind::Interrupted.exit_code()));
            }
        };
        if let Err(error) = ctrlc::set_handler(listen) {
            tracing::warn!(%error, "cannot listen for Ctrl-C");
        }
    });
}

/// Fails when the user has asked to stop.
pub(super) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted; what was committed stays, run it again to go on"));
    }
    Ok(())
}
