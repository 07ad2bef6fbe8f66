use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.qrels");
    (folder, path)
}

fn topic(id: &str) -> Topic {
    Topic { id: id.to_string(), text: format!("the text of {id}"), narrative: String::new() }
}

/// Two queries with three and two documents.
fn session(path: &Path, order: Order) -> Session {
    let pools = vec![vec!["a".into(), "b".into(), "c".into()], vec!["b".into(), "d".into()]];
    let (file, _) = QrelsFile::open(path).unwrap();
    Session::new(vec![topic("q1"), topic("q2")], pools, order, 4, file).unwrap()
}

fn judge(session: &mut Session, pair_idx: usize, grade: i32) {
    session.judge(pair_idx, grade, Instant::now()).unwrap();
}

fn text(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn pairs_come_query_by_query_or_in_turn() {
    let pairs = |order| {
        let (_folder, path) = place();
        let session = session(&path, order);
        let names = session.pairs().iter().map(|pair| format!("{}{}", pair.topic_idx + 1, pair.document));
        (names.collect::<Vec<_>>().join(" "), session.pairs_of(1).to_vec())
    };
    assert_eq!(pairs(Order::ByQuery), ("1a 1b 1c 2b 2d".to_string(), vec![3, 4]));
    assert_eq!(pairs(Order::Interleaved), ("1a 2b 1b 2d 1c".to_string(), vec![1, 3]));
}

#[test]
fn a_session_goes_on_where_an_earlier_one_stopped() {
    let (_folder, path) = place();
    fs_err::write(&path, "other 0 z 1\nq1 0 b 3\n").unwrap();
    let mut first = session(&path, Order::ByQuery);
    assert_eq!((first.first_open(), first.grade(1), first.progress().num_judged), (Some(0), Some(3), 1));
    judge(&mut first, 0, 2);
    assert_eq!(first.next_open(0), Some(2));
    drop(first);
    let mut second = session(&path, Order::ByQuery);
    assert_eq!(second.first_open(), Some(2));
    assert_eq!(second.undo().unwrap(), None, "another session's judgments are changed, not undone");
    judge(&mut second, 2, 0);
    judge(&mut second, 4, 0);
    assert_eq!((second.next_open(4), second.next_topic(4), second.next_topic(0)), (Some(3), None, Some(3)));
    judge(&mut second, 3, 1);
    assert_eq!((second.first_open(), second.next_open(3), second.next_topic(0)), (None, None, None));
    let progress = second.progress();
    assert_eq!((progress.num_judged, progress.num_pairs), (5, 5));
    assert_eq!((progress.num_topics_done, progress.num_topics), (2, 2));
    assert_eq!(text(&path), "other 0 z 1\nq1 0 b 3\nq1 0 a 2\nq1 0 c 0\nq2 0 d 0\nq2 0 b 1\n");
}

#[test]
fn undo_takes_back_one_judgment_after_the_other() {
    let (_folder, path) = place();
    let mut session = session(&path, Order::ByQuery);
    judge(&mut session, 0, 2);
    judge(&mut session, 1, 1);
    judge(&mut session, 0, 3);
    judge(&mut session, 0, 3);
    assert_eq!(text(&path), "q1 0 a 3\nq1 0 b 1\n");
    assert_eq!((session.undo().unwrap(), session.grade(0)), (Some(0), Some(2)));
    assert_eq!((session.undo().unwrap(), session.grade(1)), (Some(1), None));
    assert_eq!(text(&path), "q1 0 a 2\n");
    assert_eq!((session.undo().unwrap(), session.grade(0)), (Some(0), None));
    assert_eq!((session.undo().unwrap(), text(&path)), (None, String::new()));
}

#[test]
fn pairs_and_grades_that_there_are_not() {
    let (_folder, path) = place();
    let mut session = session(&path, Order::ByQuery);
    for grade in [-1, 4, i32::MAX] {
        let error = session.judge(0, grade, Instant::now()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("0 to 3"), "{error}");
    }
    assert_eq!(session.judge(5, 1, Instant::now()).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((session.grade(5), session.next_topic(usize::MAX)), (None, None));
    assert!(!path.exists());
    assert_eq!(session.undo().unwrap(), None);
}

#[test]
fn what_cannot_be_judged_is_refused_at_once() {
    let cases = [
        (vec![topic("q 1")], vec![vec!["a".into()]], "white space"),
        (vec![topic("q1"), topic("q1")], vec![vec!["a".into()], vec![]], "twice"),
        (vec![topic("q1")], vec![vec!["a b".into()]], "white space"),
        (vec![topic("q1")], vec![vec![]], "nothing to judge"),
    ];
    for (topics, pools, said) in cases {
        let (_folder, path) = place();
        let (file, _) = QrelsFile::open(&path).unwrap();
        let error = Session::new(topics, pools, Order::ByQuery, 4, file).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn the_time_left_is_that_of_the_open_pairs() {
    let (_folder, path) = place();
    let mut session = session(&path, Order::ByQuery);
    let start = Instant::now();
    session.reads(start);
    assert_eq!(session.progress().time_left(), None);
    for (pair_idx, seconds) in [(0, 6), (1, 12), (2, 18)] {
        session.judge(pair_idx, 1, start + Duration::from_secs(seconds)).unwrap();
    }
    assert_eq!(session.progress().time_left(), Some(Duration::from_secs(12)));
}

proptest! {
    /// Judging, undoing and starting again in any order: the grades are those of a plain list, and what is next is never judged.
    #[test]
    fn a_session_is_a_list_with_undo(steps in prop::collection::vec((0..5_usize, 0..4_i32, 0..6_u8), 0..60), order: bool) {
        let (_folder, path) = place();
        let order = if order { Order::ByQuery } else { Order::Interleaved };
        let mut session = session(&path, order);
        let mut grades = [None; 5];
        let mut history = Vec::new();
        for (pair_idx, grade, what) in steps {
            match what {
                0 => {
                    drop(session);
                    session = self::session(&path, order);
                    history.clear();
                }
                1 => {
                    let undone = history.pop();
                    if let Some((pair_idx, before)) = undone {
                        grades[pair_idx] = before;
                    }
                    prop_assert_eq!(session.undo().unwrap(), undone.map(|(pair_idx, _)| pair_idx));
                }
                _ => {
                    judge(&mut session, pair_idx, grade);
                    if grades[pair_idx] != Some(grade) {
                        history.push((pair_idx, grades[pair_idx]));
                        grades[pair_idx] = Some(grade);
                    }
                }
            }
            for (pair_idx, grade) in grades.iter().enumerate() {
                prop_assert_eq!(session.grade(pair_idx), *grade);
                for next in [session.next_open(pair_idx), session.next_topic(pair_idx), session.first_open()].into_iter().flatten() {
                    prop_assert_eq!(grades[next], None);
                }
            }
            let num_judged = grades.iter().flatten().count();
            prop_assert_eq!(session.progress().num_judged, num_judged);
            prop_assert_eq!(session.first_open().is_none(), num_judged == 5);
        }
    }
}
