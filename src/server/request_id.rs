//! The id that a request's log lines and its internal errors carry.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static OF_TASK: String;
}

thread_local! {
    static OF_THREAD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A new id: 8 hexadecimal digits of this process, and a number.
pub fn next() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id())) & 0xffff_ffff;
    format!("{process:08x}-{:x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Runs a request's future under its id.
pub async fn scope<F: Future>(id: String, future: F) -> F::Output {
    OF_TASK.scope(id, future).await
}

/// The id of the request that this task or thread works for.
pub fn current() -> Option<String> {
    OF_TASK.try_with(Clone::clone).ok().or_else(|| OF_THREAD.with(|id| id.borrow().clone()))
}

/// Runs a request's work on this thread under its id.
pub fn on_thread<T>(id: Option<String>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OF_THREAD.with(|id| id.replace(self.0.take()));
        }
    }
    let _restore = Restore(OF_THREAD.with(|current| current.replace(id)));
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_forgets_the_id_after_the_work() {
        assert_eq!(on_thread(Some("a".to_string()), current), Some("a".to_string()));
        assert_eq!(current(), None);
        assert_ne!(next(), next());
    }
}
