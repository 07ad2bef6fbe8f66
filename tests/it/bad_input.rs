//! Broken input, models and files: the exit code, the place that is named, and what is left of the index.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use bifocal::models::{ModelOptions, Models};
use bifocal::{ErrorKind, Index};

use super::util::{Outcome, Workplace, fixture, tiny};

const INVALID_INPUT: i32 = ErrorKind::InvalidInput.exit_code() as i32;
const NOT_FOUND: i32 = ErrorKind::NotFound.exit_code() as i32;
const CONFLICT: i32 = ErrorKind::Conflict.exit_code() as i32;
const UNSUPPORTED: i32 = ErrorKind::Unsupported.exit_code() as i32;
const MODEL: i32 = ErrorKind::Model.exit_code() as i32;
const MODEL_MISMATCH: i32 = ErrorKind::ModelMismatch.exit_code() as i32;
const CORRUPT: i32 = ErrorKind::Corrupt.exit_code() as i32;
const BUSY: i32 = ErrorKind::Busy.exit_code() as i32;
const IO: i32 = ErrorKind::Io.exit_code() as i32;

/// Indexing a broken file fails with the code and the words, changes an existing index in nothing, and makes no new one.
#[track_caller]
fn refused(file: &str, content: &[u8], code: i32, said: &[&str]) {
    let place = Workplace::with_books();
    place.write(file, content);
    place.run(&["index", "a.idx", file]).fails(code, said);
    place.books_answer();
    place.run(&["index", "new.idx", file, "--lexical-only"]).fails(code, said);
    place.run(&["stats", "new.idx"]).fails(NOT_FOUND, &["new.idx"]);
}

#[test]
fn broken_files_are_refused_by_name() {
    let hostile = |name: &str| fs_err::read(fixture(&format!("hostile/{name}"))).unwrap();
    refused("torn.jsonl.gz", &hostile("torn.jsonl.gz"), INVALID_INPUT, &["torn.jsonl.gz"]);
    refused("bad_checksum.jsonl.gz", &hostile("bad_checksum.jsonl.gz"), INVALID_INPUT, &["bad_checksum.jsonl.gz"]);
    refused("bad_utf8.jsonl", &hostile("bad_utf8.jsonl"), INVALID_INPUT, &["bad_utf8.jsonl:2", "UTF-8"]);
    refused("empty.jsonl", b"", INVALID_INPUT, &["empty.jsonl", "no documents"]);
    refused("torn_array.json", &hostile("torn_array.json"), INVALID_INPUT, &["torn_array.json"]);
    refused("open_quote.csv", &hostile("open_quote.csv"), INVALID_INPUT, &["open_quote.csv"]);
    refused("nan.jsonl", br#"{"_id": "9", "year": NaN}"#, INVALID_INPUT, &["nan.jsonl:1"]);
}

#[test]
fn a_missing_file_is_not_found() {
    let place = Workplace::with_books();
    place.run(&["index", "a.idx", "none.jsonl"]).fails(NOT_FOUND, &["none.jsonl"]);
    place.run(&["search", "none.idx", "wing"]).fails(NOT_FOUND, &["none.idx"]);
    place.run(&["search", "a.idx", "wing", "--plan", "hybird"]).fails(NOT_FOUND, &["hybird", "hybrid-rerank"]);
    place.books_answer();
}

#[test]
fn a_line_of_50_megabytes_is_refused_and_not_held() {
    let place = Workplace::with_books();
    let mut file = std::io::BufWriter::new(fs_err::File::create(place.path("long.jsonl")).unwrap());
    file.write_all(b"{\"_id\": \"8\", \"title\": \"Before\"}\n{\"_id\": \"9\", \"text\": \"").unwrap();
    for _ in 0..50 {
        file.write_all(&[b'a'; 1 << 20]).unwrap();
    }
    file.write_all(b"\"}\n{\"_id\": \"10\", \"title\": \"After\"}\n").unwrap();
    drop(file);
    place.run(&["index", "a.idx", "long.jsonl"]).fails(INVALID_INPUT, &["long.jsonl:2"]);
    place.books_answer();
    let report =
        place.run(&["index", "a.idx", "long.jsonl", "--on-error", "skip", "--json"]).says(&["long.jsonl:2"]).json();
    assert_eq!((&report["skipped"], &report["documents"]), (&1.into(), &5.into()));
    assert_eq!(place.search("a.idx", "title:after", "lexical"), ["10"]);
}

#[test]
fn skip_goes_on_and_fail_leaves_the_index_as_it_was() {
    let place = Workplace::with_books();
    place.write("mixed.jsonl", "{\"_id\": \"4\", \"title\": \"Good\"}\n{\"_id\": \"5\", \"year\": \"soon\"}\n{torn\n{\"_id\": \"6\", \"fresh\": \"new field\"}\n");
    let definition = || place.run(&["stats", "a.idx", "--json"]).json()["definition"].clone();
    let before = definition();
    place
        .run(&["index", "a.idx", "mixed.jsonl"])
        .fails(INVALID_INPUT, &["mixed.jsonl:2", "year", "mixed.jsonl:3", "2 bad records"]);
    place.books_answer();
    assert_eq!(definition(), before);
    let outcome = place.run(&["index", "a.idx", "mixed.jsonl", "--on-error", "skip", "--json"]);
    let report = outcome.says(&["mixed.jsonl:2", "year", "mixed.jsonl:3"]).json();
    assert_eq!((&report["indexed"], &report["skipped"], &report["documents"]), (&2.into(), &2.into(), &5.into()));
    assert_eq!(place.search("a.idx", "fresh:field", "lexical"), ["6"]);
}

#[test]
fn a_failed_run_does_not_grow_the_mapping() {
    let place = Workplace::new();
    place.write("mapping.json", r#"{"mappings": {"properties": {"title": {"type": "text"}}}}"#);
    place.write("more.json", r#"{"mappings": {"properties": {"title": {"type": "text"}, "year": {"type": "long"}}}}"#);
    place.write("good.jsonl", r#"{"_id": "1", "title": "wing"}"#);
    place.write("bad.jsonl", r#"{"_id": "2", "title": "wing", "year": "soon"}"#);
    place.run(&["index", "a.idx", "good.jsonl", "--mapping", "mapping.json"]).succeeds();
    let definition = || place.run(&["stats", "a.idx", "--json"]).json()["definition"].clone();
    let before = definition();
    place
        .run(&["index", "a.idx", "bad.jsonl", "--mapping", "more.json"])
        .fails(INVALID_INPUT, &["bad.jsonl:1", "year"]);
    assert_eq!(definition(), before);
    assert_eq!(place.search("a.idx", "wing", "lexical"), ["1"]);
}

#[test]
fn documents_that_do_not_fit_the_mapping_are_named() {
    let place = Workplace::new();
    place.write(
        "mapping.json",
        r#"{"mappings": {"dynamic": "strict", "properties": {"title": {"type": "text"},
            "vector": {"type": "dense_vector", "dims": 4, "similarity": "cosine"}}}}"#,
    );
    place.write("good.jsonl", r#"{"_id": "1", "title": "wing", "vector": [1, 2, 3, 4]}"#);
    place.run(&["index", "a.idx", "good.jsonl", "--mapping", "mapping.json"]).succeeds();
    let cases: [(&str, &[&str]); 6] = [
        (r#"{"title": "x", "colour": "red"}"#, &["colour", "strict"]),
        (r#"{"title": "x", "vector": [1, 2, 3]}"#, &["vector", "3 numbers", "dims"]),
        (r#"{"title": "x", "vector": [0, 0, 0, 0]}"#, &["vector", "zero"]),
        (r#"{"title": "x", "vector": [1, 2, 3, NaN]}"#, &[]),
        (r#"{"title": "x", "vector": [1, 2, 3, 1e300]}"#, &["vector", "infinite"]),
        (r#"{"title": "x", "vector": "1,2,3,4"}"#, &["vector", "array"]),
    ];
    for (document, said) in cases {
        place.write("bad.jsonl", format!("{{\"_id\": \"5\", \"title\": \"good\"}}\n{document}\n"));
        place.run(&["index", "a.idx", "bad.jsonl"]).fails(INVALID_INPUT, &["bad.jsonl:2"]).says(said);
        assert_eq!(place.num_documents("a.idx"), 1, "{document}");
        assert_eq!(place.search("a.idx", "wing", "lexical"), ["1"]);
        let report =
            place.run(&["index", "b.idx", "bad.jsonl", "--mapping", "mapping.json", "--on-error", "skip", "--json"]);
        assert_eq!(report.says(&["bad.jsonl:2"]).json()["documents"], 1, "{document}");
    }
}

#[test]
fn what_a_mapping_may_not_say_is_refused_by_name() {
    let place = Workplace::with_books();
    let refused = |mapping: &str, code, said: &[&str]| {
        place.write("mapping.json", mapping);
        place.run(&["index", "b.idx", "books.jsonl", "--mapping", "mapping.json"]).fails(code, said);
        assert!(!place.path("b.idx").exists());
    };
    refused(
        r#"{"mappings": {"properties": {"where": {"type": "geo_point"}}}}"#,
        UNSUPPORTED,
        &["mapping.json", "where", "geo_point"],
    );
    refused(
        r#"{"mappings": {"properties": {"t": {"type": "text", "analyzer": "klingon"}}}}"#,
        UNSUPPORTED,
        &["klingon"],
    );
    refused(r#"{"mappings": {"properties": {"t": {"type""#, INVALID_INPUT, &["mapping.json"]);
    // A field that exists keeps its type.
    place.write("mapping.json", r#"{"mappings": {"properties": {"title": {"type": "long"}}}}"#);
    place.run(&["index", "a.idx", "books.jsonl", "--mapping", "mapping.json"]).fails(CONFLICT, &["mapping.json"]);
    place.books_answer();
}

#[test]
fn a_model_folder_without_a_tokenizer_is_refused() {
    let place = Workplace::with_books();
    let model = place.path("torn-model");
    fs_err::create_dir_all(&model).unwrap();
    for file in ["bifocal.json", "model.onnx"] {
        fs_err::copy(PathBuf::from(tiny("bi-encoder")).join(file), model.join(file)).unwrap();
    }
    let outcome = place.run(&["index", "b.idx", "books.jsonl", "--model", "./torn-model"]);
    assert!([MODEL, NOT_FOUND].map(Some).contains(&outcome.code), "{outcome:?}");
    outcome.says(&["torn-model", "tokenizer.json"]);
    assert!(!place.path("b.idx").exists());
    place.books_answer();
}

#[test]
fn another_model_than_the_indexs_is_refused() {
    let place = Workplace::new();
    let model = place.path("model");
    fs_err::create_dir_all(&model).unwrap();
    for file in ["bifocal.json", "model.onnx", "tokenizer.json"] {
        fs_err::copy(PathBuf::from(tiny("bi-encoder")).join(file), model.join(file)).unwrap();
    }
    place.write("books.jsonl", super::util::BOOKS);
    place.run(&["index", "a.idx", "books.jsonl", "--model", "./model"]).succeeds();
    place.books_answer();
    // The same files under another name are the same model.
    place.run(&["search", "a.idx", "wing", "--model", &tiny("bi-encoder")]).succeeds();
    // The model of that name is another one now.
    let description = fs_err::read_to_string(model.join("bifocal.json")).unwrap();
    fs_err::write(
        model.join("bifocal.json"),
        description.replace(r#""query_prefix": """#, r#""query_prefix": "query: ""#),
    )
    .unwrap();
    place.run(&["search", "a.idx", "wing", "--model", "./model"]).fails(MODEL_MISMATCH, &["model", "dimensions"]);
    place.run(&["search", "a.idx", "wing", "--plan", "dense"]).fails(MODEL_MISMATCH, &["model"]);
    place.write("more.jsonl", r#"{"_id": "4", "title": "More", "text": "another text about a wing"}"#);
    place.run(&["index", "a.idx", "more.jsonl"]).fails(MODEL_MISMATCH, &["model"]);
    // What needs no model goes on.
    assert_eq!(place.search("a.idx", "slipstream", "lexical"), ["1"]);
    fs_err::write(model.join("bifocal.json"), description).unwrap();
    place.books_answer();
}

#[test]
fn damaged_segment_files_are_named() {
    let place = Workplace::with_books();
    let segments = place.path("a.idx/segments");
    let mut num_tried = 0;
    for entry in fs_err::read_dir(&segments).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !matches!(
            path.extension().and_then(|extension| extension.to_str()),
            Some("vec" | "col" | "store" | "idx" | "term")
        ) {
            continue;
        }
        let whole = fs_err::read(&path).unwrap();
        for length in [5, whole.len() - 1] {
            num_tried += 1;
            fs_err::write(&path, &whole[..length]).unwrap();
            place.run(&["search", "a.idx", "slipstream", "--plan", "hybrid", "--json"]).fails(CORRUPT, &[&name]);
        }
        fs_err::write(&path, &whole).unwrap();
        place.books_answer();
    }
    assert!(num_tried >= 8, "{num_tried}");
    for file in ["bifocal.json", "segments/meta.json"] {
        let path = place.path("a.idx").join(file);
        let whole = fs_err::read(&path).unwrap();
        fs_err::write(&path, &whole[..whole.len() / 2]).unwrap();
        place.run(&["search", "a.idx", "slipstream"]).fails(CORRUPT, &["a.idx"]);
        fs_err::write(&path, &whole).unwrap();
        place.books_answer();
    }
}

#[test]
fn flipped_bytes_are_found_and_never_crash_a_search() {
    let place = Workplace::with_books();
    place.run(&["stats", "a.idx", "--verify"]).succeeds();
    let mut num_tried = 0;
    for entry in fs_err::read_dir(place.path("a.idx/segments")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What Tantivy writes beside the segments has no checksum.
        if name.starts_with('.') || name.ends_with(".json") {
            continue;
        }
        let whole = fs_err::read(&path).unwrap();
        for at in [0, whole.len() / 3, whole.len() / 2] {
            num_tried += 1;
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            fs_err::write(&path, &flipped).unwrap();
            place.run(&["stats", "a.idx", "--verify"]).fails(CORRUPT, &[&name]);
            let search = place.run(&["search", "a.idx", "slipstream", "--plan", "hybrid", "--json"]);
            let code = search.code.unwrap();
            assert!([0, CORRUPT, 1].contains(&code), "{name} at {at}: {search:?}");
            assert_eq!(code == 0, search.stderr.is_empty(), "{name} at {at}: {search:?}");
            assert!(search.stderr.lines().count() <= 1, "{name} at {at}: {search:?}");
        }
        fs_err::write(&path, &whole).unwrap();
        place.books_answer();
    }
    assert!(num_tried >= 15, "{num_tried}");
}

#[test]
fn a_full_disk_leaves_the_last_commit() {
    let place = Workplace::with_books();
    let mut lines = String::new();
    for id in 0..4000 {
        let words: String = (0..12).map(|word| format!("word{} ", id * 31 + word * 7)).collect();
        writeln!(lines, r#"{{"_id": "more-{id}", "title": "number {id}", "text": "{words}"}}"#).unwrap();
    }
    place.write("more.jsonl", lines);
    // No file may grow beyond 100 kB: writing fails as it does on a full disk.
    let full = |args: &[&str]| {
        let mut command = assert_cmd::Command::from_std(place.std_command("sh"));
        command.args(["-c", r#"ulimit -f 200; trap "" XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_bifocal")]);
        Outcome::of(command.args(args))
    };
    full(&["index", "a.idx", "more.jsonl", "--no-cache"]).fails(IO, &["File too large"]);
    place.books_answer();
    full(&["index", "b.idx", "more.jsonl", "--lexical-only"]).fails(IO, &["File too large"]);
    place.run(&["stats", "b.idx"]).fails(NOT_FOUND, &["b.idx"]);
    let report = place.run(&["index", "a.idx", "more.jsonl", "--json"]).json();
    assert_eq!(report["documents"], 4003);
}

#[test]
fn a_second_writer_is_refused() {
    let place = Workplace::with_books();
    let mut options = ModelOptions::default();
    options.cache_dir = None;
    let index = Index::open(place.path("a.idx"), Arc::new(Models::new(options))).unwrap();
    let definition = index.definition();
    let mut writer = index.writer().unwrap();
    place.write("more.jsonl", r#"{"_id": "4", "title": "More", "fresh": "a new field"}"#);
    place.write("plain.jsonl", r#"{"_id": "5", "title": "Plain"}"#);
    for args in [
        &["index", "a.idx", "plain.jsonl"][..],
        &["index", "a.idx", "more.jsonl"],
        &["delete", "a.idx", "1"],
        &["compact", "a.idx"],
    ] {
        place.run(args).fails(BUSY, &["another process is writing"]);
    }
    // Readers are not in the way, and the refused mapping did not come in.
    place.books_answer();
    let reopened = Index::open(place.path("a.idx"), Arc::new(Models::default())).unwrap();
    assert_eq!(reopened.definition(), definition);
    writer.add(r#"{"_id": "6", "title": "Mine"}"#).unwrap();
    writer.commit().unwrap();
    drop(writer);
    place.run(&["index", "a.idx", "more.jsonl"]).succeeds();
    assert_eq!(place.num_documents("a.idx"), 5);
    assert_eq!(place.search("a.idx", "fresh:field", "lexical"), ["4"]);
}
