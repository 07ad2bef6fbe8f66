//! libFuzzer's bytes to `bulk`.
#![allow(dead_code, reason = "each target uses a part of the entries")]
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::bulk(bytes));
