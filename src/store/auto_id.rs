//! Ids for documents that come without one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::document::DocumentId;

/// URL-safe, in the order of their bytes.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// A new id of 20 URL-safe characters. Ids of one process are in the order of their making.
///
/// 56 bits are the time in microseconds, 64 are the process's own.
pub(super) fn next() -> DocumentId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    static PROCESS: OnceLock<u64> = OnceLock::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    let now = u64::try_from(now).unwrap_or(0);
    let mut micros = now;
    let _ = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        micros = now.max(last + 1);
        Some(micros)
    });
    let process = *PROCESS.get_or_init(|| fastrand::u64(..));
    let number = (u128::from(micros) << 64) | u128::from(process);
    let mut id = String::with_capacity(20);
    for place in (0..20).rev() {
        let six = ((number >> (place * 6)) & 63) as usize;
        id.push(char::from(*ALPHABET.get(six).unwrap_or(&b'-')));
    }
    id.into()
}

/// A random id of an index or a folder: 22 URL-safe characters.
pub(super) fn uuid() -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    (0..22).map(|_| char::from(*LETTERS.get(fastrand::usize(..LETTERS.len())).unwrap_or(&b'0'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_in_order_and_url_safe() {
        let made: Vec<Vec<DocumentId>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..5000).map(|_| next()).collect())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for ids in &made {
            assert!(ids.is_sorted());
            assert!(ids.iter().all(|id| id.as_str().len() == 20 && !id.as_str().starts_with('-')));
        }
        let all: std::collections::BTreeSet<_> = made.iter().flatten().collect();
        assert_eq!(all.len(), 20_000);
        assert!(all.iter().all(|id| id.as_str().bytes().all(|byte| ALPHABET.contains(&byte))));
        assert_eq!(uuid().len(), 22);
    }
}
