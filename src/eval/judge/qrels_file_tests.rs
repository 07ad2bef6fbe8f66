use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("a.qrels");
    (folder, path)
}

fn opened(path: &Path) -> QrelsFile {
    let (file, repairs) = QrelsFile::open(path).unwrap();
    assert!(repairs.is_empty(), "{repairs:?}");
    file
}

fn text(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn new_judgments_are_appended_and_changed_ones_replaced_in_place() {
    let (_folder, path) = place();
    let mut file = opened(&path);
    assert!(!path.exists(), "a session without judgments leaves no file");
    file.set("q1", "d1", Some(2)).unwrap();
    assert_eq!(text(&path), "q1 0 d1 2\n");
    file.set("q1", "d2", Some(0)).unwrap();
    assert_eq!(text(&path), "q1 0 d1 2\nq1 0 d2 0\n");
    file.set("q1", "d1", Some(1)).unwrap();
    assert_eq!(text(&path), "q1 0 d1 1\nq1 0 d2 0\n");
    file.set("q1", "d1", None).unwrap();
    assert_eq!(text(&path), "q1 0 d2 0\n");
    file.set("q1", "d2", None).unwrap();
    assert_eq!(text(&path), "");
    file.set("q1", "d3", Some(3)).unwrap();
    drop(file);
    assert_eq!(opened(&path).grade("q1", "d3"), Some(3));
    assert!(!beside(&path, ".new").exists());
}

#[test]
fn judgments_of_others_stay_byte_for_byte_until_something_changes() {
    let (_folder, path) = place();
    let before = "\u{feff}other\tQ0\td9\t-1\r\n\nq1 0 d1 1\n";
    fs_err::write(&path, before).unwrap();
    let mut file = opened(&path);
    assert_eq!((file.grade("other", "d9"), file.num_judgments()), (Some(-1), 2));
    assert_eq!(text(&path), before);
    file.set("q1", "d2", Some(2)).unwrap();
    assert_eq!(text(&path), format!("{before}q1 0 d2 2\n"));
    file.set("q1", "d1", Some(0)).unwrap();
    assert_eq!(text(&path), "other Q0 d9 -1\nq1 0 d1 0\nq1 0 d2 2\n", "the second column is kept");
}

#[test]
fn the_last_of_several_lines_counts_and_the_file_is_compacted() {
    let (_folder, path) = place();
    fs_err::write(&path, "q1 0 d1 1\nq2 0 d1 0\nq1 0 d1 3\n").unwrap();
    let (file, repairs) = QrelsFile::open(&path).unwrap();
    assert_eq!(file.grade("q1", "d1"), Some(3));
    assert!(repairs[0].contains("a.qrels:3") && repairs[0].contains("again"), "{repairs:?}");
    assert_eq!(text(&path), "q1 0 d1 3\nq2 0 d1 0\n");
}

#[test]
fn a_line_that_a_crash_cut_off_is_removed_and_said() {
    for cut in ["q1", "q1 0", "q1 0 d", "q1 0 d2 ", "q1 0 d2 -"] {
        let (_folder, path) = place();
        fs_err::write(&path, format!("q1 0 d1 2\n{cut}")).unwrap();
        let (mut file, repairs) = QrelsFile::open(&path).unwrap();
        assert!(repairs[0].contains("a.qrels:2") && repairs[0].contains("cut off"), "{repairs:?}");
        assert_eq!(text(&path), "q1 0 d1 2\n");
        file.set("q1", "d2", Some(1)).unwrap();
        assert_eq!(text(&path), "q1 0 d1 2\nq1 0 d2 1\n");
    }
}

#[test]
fn a_whole_last_line_without_its_end_is_kept_and_completed() {
    let (_folder, path) = place();
    fs_err::write(&path, "q1 0 d1 2\nq1 0 d2 1").unwrap();
    let (mut file, repairs) = QrelsFile::open(&path).unwrap();
    assert_eq!((file.grade("q1", "d2"), repairs.len()), (Some(1), 1));
    file.set("q1", "d3", Some(0)).unwrap();
    assert_eq!(text(&path), "q1 0 d1 2\nq1 0 d2 1\nq1 0 d3 0\n");
}

#[test]
fn what_is_no_qrels_file_is_refused_with_its_line_and_not_touched() {
    let cases: [(&[u8], u64, &str); 6] = [
        (b"q1 0 d1 2\nq1 d2 1\nq1 0 d3 0\n", 2, "3 columns"),
        (b"q1 0 d1 2\nq1 0 d2 relevant\n", 2, "\"relevant\""),
        (b"query-id\tcorpus-id\tscore\nq1\td1\t1\n", 1, "3 columns"),
        (b"q1 0 d1 2\nq1 0 d\xff 1\n", 2, "UTF-8"),
        (b"dear diary", 1, "2 columns"),
        (b"q1 0 d1 2 extra\nq1 0 d", 1, "5 columns"),
    ];
    for (bytes, line, said) in cases {
        let (_folder, path) = place();
        fs_err::write(&path, bytes).unwrap();
        let error = QrelsFile::open(&path).unwrap_err();
        assert_eq!((error.kind(), error.location().line), (ErrorKind::InvalidInput, Some(line)), "{error}");
        assert!(error.to_string().contains(said) && error.to_string().contains("a.qrels:"), "{error}");
        assert_eq!(fs_err::read(&path).unwrap(), bytes);
    }
}

#[test]
fn one_session_a_file() {
    let (_folder, path) = place();
    let file = opened(&path);
    assert_eq!(QrelsFile::open(&path).unwrap_err().kind(), ErrorKind::Busy);
    drop(file);
    opened(&path);
}

#[test]
fn what_another_program_wrote_is_not_overwritten() {
    let (_folder, path) = place();
    let mut file = opened(&path);
    file.set("q1", "d1", Some(2)).unwrap();
    fs_err::write(&path, "q1 0 d1 2\nq9 0 d9 1\n").unwrap();
    for (document, grade) in [("d2", Some(1)), ("d1", Some(0)), ("d1", None)] {
        let error = file.set("q1", document, grade).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(file.grade("q1", "d1"), Some(2));
    assert_eq!(file.grade("q1", "d2"), None);
    assert_eq!(text(&path), "q1 0 d1 2\nq9 0 d9 1\n");
    drop(file);
    assert_eq!(opened(&path).grade("q9", "d9"), Some(1));
}

#[test]
fn ids_that_qrels_cannot_hold_and_folders_that_are_missing() {
    let (_folder, path) = place();
    let mut file = opened(&path);
    for (query, document) in [("", "d"), ("q 1", "d"), ("q", "d\u{a0}1"), ("q", "d\n")] {
        assert_eq!(file.set(query, document, Some(1)).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(!path.exists());
    let missing = path.with_file_name("missing").join("a.qrels");
    assert_eq!(QrelsFile::open(missing).unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    fs_err::write(&path, "q1 0 d1 2\n").unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.qrels");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    opened(&link).set("q1", "d1", Some(1)).unwrap();
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(text(&path), "q1 0 d1 1\n");
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[q0-9 \t\r\n\u{a0}é-]{0,60}") {
        let _ = parse(&text);
    }

    /// Any sequence of judgments, changes, withdrawals and restarts leaves what a map would hold, one valid line a pair.
    #[test]
    fn the_file_always_holds_what_was_judged_last(steps in prop::collection::vec((0..3_u8, 0..4_u8, -1..4_i32, 0..8_u8), 0..40)) {
        let (_folder, path) = place();
        let mut file = opened(&path);
        let mut expected = BTreeMap::new();
        for (query, document, grade, what) in steps {
            let (query, document) = (format!("q{query}"), format!("d{document}"));
            let grade = (what != 0).then_some(grade);
            file.set(&query, &document, grade).unwrap();
            match grade {
                Some(grade) => drop(expected.insert((query, document), grade)),
                None => drop(expected.remove(&(query, document))),
            }
            if what == 1 {
                drop(file);
                file = opened(&path);
            }
            let on_disk = fs_err::read_to_string(&path).unwrap_or_default();
            let parsed = parse(&on_disk).unwrap();
            prop_assert!(parsed.repairs.is_empty());
            let found: BTreeMap<_, _> = parsed.judgments.into_iter().map(|(pair, judgment)| (pair, judgment.grade)).collect();
            prop_assert_eq!(&found, &expected);
        }
    }

    /// Wherever a crash cuts the file, it opens, and only the line that was cut is lost.
    #[test]
    fn any_cut_loses_one_line_at_most(num_lines in 2..6_usize, back in 1..8_usize) {
        let (_folder, path) = place();
        let whole: String = (0..num_lines).map(|number| format!("q1 0 d{number} 2\n")).collect();
        fs_err::write(&path, &whole[..whole.len() - back]).unwrap();
        let (file, repairs) = QrelsFile::open(&path).unwrap();
        prop_assert_eq!(repairs.len(), 1);
        prop_assert!(file.num_judgments() >= num_lines - 1);
        for number in 0..num_lines - 1 {
            prop_assert_eq!(file.grade("q1", &format!("d{number}")), Some(2));
        }
        prop_assert!(text(&path).ends_with('\n'));
    }
}
