//! The entries of the fuzz targets (`fuzz/`) with their seeds, as they are and changed at random places.

#[path = "../../../fuzz/entries.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use it as a library")]
mod entries;

use std::sync::LazyLock;

use proptest::prelude::*;

static LIBRARY: LazyLock<entries::Library> = LazyLock::new(entries::Library::new);

/// Pieces that seeds are cut up with: syntax, edges of numbers, letters of several bytes.
const PIECES: [&str; 26] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\\",
    "(",
    ")",
    "*",
    "?",
    "~",
    "^",
    "/",
    "-",
    "+",
    "null",
    "1e999",
    "-9223372036854775808",
    "\u{e9}",
    "\u{1f600}",
    "title",
    "true",
    "18446744073709551616",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs_err::read(path).unwrap()).collect()
}

/// A seed after some changes: a piece put in, bytes taken out, a part repeated, the end cut off.
fn changed(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..PIECES.len(), 0..4_u8, 0..12_usize);
    (prop::sample::select(seeds(target)), prop::collection::vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (place, piece, kind, length) in changes {
            let at = place.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            match kind {
                0 => drop(bytes.splice(at..at, PIECES[piece].bytes())),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let part = bytes[at..end].repeat(3);
                    drop(bytes.splice(at..at, part));
                }
                _ => drop(bytes.splice(at..end, PIECES[piece].bytes())),
            }
        }
        bytes
    })
}

#[test]
fn seeds_pass() {
    let run = |target: &str, entry: &dyn Fn(&[u8])| seeds(target).iter().for_each(|seed| entry(seed));
    // Seeds must get past the parser, or changes of them try little.
    let ran = seeds("query_dsl").iter().filter(|seed| LIBRARY.query_dsl(seed)).count();
    assert!(ran >= 55, "{ran} of {} seeds are queries that run", seeds("query_dsl").len());
    run("query_string", &|bytes| LIBRARY.query_string(bytes));
    run("search_box", &|bytes| LIBRARY.search_box(bytes));
    run("bulk", &entries::bulk);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_queries_are_refused_or_run(bytes in changed("query_dsl")) {
        LIBRARY.query_dsl(&bytes);
    }

    #[test]
    fn changed_query_strings_are_refused_or_run(bytes in changed("query_string")) {
        LIBRARY.query_string(&bytes);
    }

    #[test]
    fn changed_search_boxes_always_run(bytes in changed("search_box")) {
        LIBRARY.search_box(&bytes);
    }

    #[test]
    fn changed_bulk_bodies_read_the_same_in_pieces(bytes in changed("bulk")) {
        entries::bulk(&bytes);
    }
}
