//! kill -9 at any moment: the last commit stays, and the next run completes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::util::{Workplace, tiny};

const NUM_DOCUMENTS: u64 = 2500;

fn corpus(word: &str) -> String {
    let mut lines = String::new();
    for id in 0..NUM_DOCUMENTS {
        writeln!(lines, r#"{{"_id": "{id}", "text": "{word} number{id} lies in the stream beside the wing"}}"#)
            .unwrap();
    }
    lines
}

fn num_files(folder: &Path) -> usize {
    fs_err::read_dir(folder).map_or(0, Iterator::count)
}

/// Starts `bifocal index` and kills it as soon as `is_time` says so, or lets it end.
fn index_and_kill(place: &Workplace, args: &[&str], is_time: impl Fn() -> bool) {
    let mut command = place.std_command(env!("CARGO_BIN_EXE_bifocal"));
    let mut child = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !is_time() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(60), "the run does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Either there is no index, or it opens and both legs see the same documents.
fn is_whole_or_absent(place: &Workplace) {
    let stats = place.run(&["stats", "a.idx", "--json"]);
    if stats.code == Some(5) {
        assert!(!place.path("a.idx").exists(), "{stats:?}");
        return;
    }
    let documents = stats.json()["documents"].as_u64().unwrap();
    let hits = place.search("a.idx", "stream", "lexical").len() as u64;
    assert_eq!(hits, documents.min(100));
    assert_eq!(place.search("a.idx", "stream", "dense").len() as u64, documents.min(100));
}

#[test]
fn a_killed_first_run_leaves_a_whole_index_or_none_and_the_next_run_completes() {
    let place = Workplace::new();
    place.write("corpus.jsonl", corpus("early"));
    let model = tiny("bi-encoder");
    let args = ["index", "a.idx", "corpus.jsonl", "--model", &model, "--json"];
    let segments = place.path("a.idx/segments");
    let passed = |millis| {
        let started = Instant::now();
        move || started.elapsed() > Duration::from_millis(millis)
    };
    index_and_kill(&place, &args, passed(20));
    is_whole_or_absent(&place);
    index_and_kill(&place, &args, || segments.exists());
    is_whole_or_absent(&place);
    for at_least in [3, 8] {
        index_and_kill(&place, &args, || num_files(&segments) >= at_least);
        is_whole_or_absent(&place);
    }
    let report = place.run(&args).json();
    assert_eq!(report["documents"], NUM_DOCUMENTS);
    is_whole_or_absent(&place);
    assert_eq!(place.search("a.idx", "number1234", "lexical"), ["1234"]);
}

#[test]
fn a_killed_replacement_leaves_the_last_commit() {
    let place = Workplace::new();
    place.write("early.jsonl", corpus("early"));
    place.write("late.jsonl", corpus("late"));
    place.run(&["index", "a.idx", "early.jsonl", "--model", &tiny("bi-encoder")]).succeeds();
    let args = ["index", "a.idx", "late.jsonl", "--json"];
    let segments = place.path("a.idx/segments");
    let before = num_files(&segments);
    for more in [1, 4] {
        index_and_kill(&place, &args, || num_files(&segments) >= before + more);
        assert_eq!(place.num_documents("a.idx"), NUM_DOCUMENTS);
        is_whole_or_absent(&place);
        let (early, late) = (place.search("a.idx", "early", "lexical"), place.search("a.idx", "late", "lexical"));
        assert_eq!((early.len(), late.len()).max((late.len(), early.len())), (100, 0), "half of a commit is seen");
    }
    let report = place.run(&args).json();
    assert_eq!(report["documents"], NUM_DOCUMENTS);
    assert_eq!(place.search("a.idx", "early", "lexical").len(), 0);
    assert_eq!(place.search("a.idx", "late", "lexical").len(), 100);
}
