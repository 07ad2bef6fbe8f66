//! Memory that is free in the process, given back to the system.
//!
//! The C library keeps what was freed in heaps of its threads: after a flood of large `_bulk` requests hundreds of megabytes that nobody
//! uses. So a server that has become quiet asks it to let go.

/// Bytes from which on memory is mapped for itself, and bytes that each thread's heap may keep at its end.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 4 << 20;

/// Has the C library keep little that is free. Without this it raises both bounds to tens of megabytes as soon as large bodies come,
/// and the ends of the heaps are what [`give_back`] cannot reach.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library")]
pub(super) fn keep_little() {
    // SAFETY: it takes two numbers, and may be called by any thread at any time.
    let done = unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES) == 1 && libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES) == 1
    };
    if !done {
        tracing::debug!("the C library does not say that it keeps less memory");
    }
}

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

/// Other allocators have bounds of their own.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn keep_little() {}
