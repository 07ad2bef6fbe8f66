//! libFuzzer's bytes to `Library::query_string`.
#![allow(dead_code, reason = "each target uses a part of the entries")]
#![no_main]

#[path = "../entries.rs"]
mod entries;

use std::sync::LazyLock;

static LIBRARY: LazyLock<entries::Library> = LazyLock::new(entries::Library::new);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| LIBRARY.query_string(bytes));
