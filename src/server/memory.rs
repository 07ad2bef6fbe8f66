//! Memory that is free in the process, given back to the system.
//!
//! The C library keeps what was freed in heaps of its threads: after a flood of large `_bulk` requests hundreds of megabytes that nobody
//! uses. So a server that has become quiet asks it to let go.

/// Has the C library give its free memory back, where it can. Takes some milliseconds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library")]
pub(super) fn give_back() {
    // SAFETY: it takes no pointer, touches only what is free, and may be called by any thread at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Other allocators give back by themselves, or cannot be asked.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}
