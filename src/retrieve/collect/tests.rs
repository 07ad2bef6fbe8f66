use std::sync::Arc;

use super::*;
use crate::index::Index;
use crate::index::doc_values::ValueField;
use crate::models::{ModelOptions, Models};
use crate::retrieve::Searcher;
use crate::retrieve::query::{RangeQuery, TermValue};
use crate::schema::IndexDefinition;

/// Documents in several segments: a text, a number that some lack, tags.
fn searcher() -> (tempfile::TempDir, Searcher) {
    let folder = tempfile::tempdir().unwrap();
    let definition = IndexDefinition::parse(
        r#"{"mappings": {"properties": {"text": {"type": "text"}, "n": {"type": "long"}, "x": {"type": "double"}, "tag": {"type": "keyword"}}}}"#,
    )
    .unwrap();
    let models = Arc::new(Models::new(ModelOptions::default()));
    let index = Index::create(folder.path().join("i"), &definition, models).unwrap();
    let mut writer = index.writer().unwrap();
    for (nth, line) in [
        r#"{"_id": "0", "text": "wing", "n": 5, "x": 1.5, "tag": "b"}"#,
        r#"{"_id": "1", "text": "wing wing", "n": 3, "tag": ["c", "a"]}"#,
        r#"{"_id": "2", "text": "slipstream", "x": -2, "tag": "d"}"#,
        r#"{"_id": "3", "text": "a wing in a slipstream", "n": [1, 9], "x": 0.25}"#,
        r#"{"_id": "4", "text": "wing", "n": 5, "tag": "a"}"#,
    ]
    .iter()
    .enumerate()
    {
        writer.add(line).unwrap();
        if nth % 2 == 1 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    drop(writer);
    let searcher = Searcher::open(&index).unwrap();
    (folder, searcher)
}

fn key(searcher: &Searcher, field: &str, descending: bool) -> SortKey {
    let direction = if descending { Direction::Descending } else { Direction::Ascending };
    let by = match field {
        "_score" => SortBy::Score,
        "_doc" => SortBy::Doc,
        field => {
            let found = ValueField::resolve(searcher, field, "i").unwrap().unwrap();
            let kind = SortKind::from(found.kind);
            SortBy::Field(Box::new(FieldSort {
                field: Some(found),
                kind,
                missing: Missing::Last,
                mode: None,
                nested: None,
            }))
        }
    };
    SortKey { by, direction }
}

fn ids(searcher: &Searcher, collected: &Collected) -> String {
    collected.hits.iter().map(|hit| searcher.id_of(hit.locator).unwrap()).collect::<Vec<_>>().join("")
}

/// `3 1 04 2` with each group of equals in the order of the index.
fn in_order(searcher: &Searcher, groups: &str) -> String {
    let all = collect(searcher, &CollectRequest::top(&Query::MatchAll, 9)).unwrap();
    let places = ids(searcher, &all);
    let in_place = |group: &str| {
        let mut group: Vec<char> = group.chars().collect();
        group.sort_by_key(|id| places.find(*id));
        group.into_iter().collect::<String>()
    };
    groups.split(' ').map(in_place).collect()
}

#[test]
fn hits_come_in_the_order_asked_for() {
    let (_folder, searcher) = searcher();
    let sorted = |keys: &[SortKey], depth| {
        let request = CollectRequest { sort: keys, ..CollectRequest::top(&Query::MatchAll, depth) };
        ids(&searcher, &collect(&searcher, &request).unwrap())
    };
    let key = |field, descending| key(&searcher, field, descending);
    let field = |missing: Missing, mode| {
        let mut key = key("n", false);
        if let SortBy::Field(field) = &mut key.by {
            field.missing = missing;
            field.mode = Some(mode);
        }
        key
    };
    for (keys, groups) in [
        (vec![key("n", false)], "3 1 04 2"),
        (vec![key("n", true)], "3 04 1 2"),
        (vec![key("x", false)], "2 3 0 14"),
        (vec![key("tag", false)], "14 0 2 3"),
        (vec![key("tag", true)], "2 1 0 4 3"),
        (vec![key("n", true), key("tag", false)], "3 4 0 1 2"),
        (vec![field(Missing::First, Mode::Max)], "2 1 04 3"),
        (vec![field(Missing::Value(SortValue::Int(4)), Mode::Sum)], "1 2 04 3"),
    ] {
        let expected = in_order(&searcher, groups);
        assert_eq!(sorted(&keys, 10), expected, "{keys:?}");
        assert_eq!(sorted(&keys, 2), expected[..2], "{keys:?}");
    }
    let backwards: String = in_order(&searcher, "01234").chars().rev().collect();
    assert_eq!(sorted(&[key("_doc", true)], 10), backwards);
}

#[test]
fn any_page_goes_on_where_the_last_one_ended() {
    let (_folder, searcher) = searcher();
    let words = Query::words("wing slipstream");
    for keys in [
        vec![key(&searcher, "n", true), key(&searcher, "_doc", false)],
        vec![key(&searcher, "tag", false), key(&searcher, "_doc", true)],
        vec![key(&searcher, "_score", true), key(&searcher, "_doc", false)],
        vec![key(&searcher, "_doc", false)],
    ] {
        let all = collect(&searcher, &CollectRequest { sort: &keys, ..CollectRequest::top(&words, 10) }).unwrap();
        assert_eq!(all.hits.len(), 5);
        let mut paged = Vec::new();
        loop {
            let after = paged.last().map(|hit: &CollectedHit| hit.sort.clone());
            let request = CollectRequest { sort: &keys, after: after.as_deref(), ..CollectRequest::top(&words, 2) };
            let page = collect(&searcher, &request).unwrap().hits;
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all.hits, "{keys:?}");
    }
}

#[test]
fn plain_words_and_every_other_way_agree() {
    let (_folder, searcher) = searcher();
    let words = Query::words("wing slipstream");
    let fast = collect(&searcher, &CollectRequest { track_total: TrackTotal::Exact, ..CollectRequest::top(&words, 3) })
        .unwrap();
    let slow = CollectRequest { track_total: TrackTotal::Exact, keep_matching: true, ..CollectRequest::top(&words, 3) };
    let slow = collect(&searcher, &slow).unwrap();
    assert_eq!((&fast.hits, fast.total, fast.max_score), (&slow.hits, slow.total, slow.max_score));
    assert_eq!(fast.total, Total { value: 5, at_least: false });
    assert_eq!(slow.matching.unwrap().iter().map(tantivy::BitSet::len).sum::<usize>(), 5);
    let tagged = Query::term("tag", "a");
    let filtered = CollectRequest {
        post_filter: Some(&tagged),
        track_total: TrackTotal::UpTo(1),
        ..CollectRequest::top(&words, 9)
    };
    let filtered = collect(&searcher, &filtered).unwrap();
    assert_eq!(
        (ids(&searcher, &filtered), filtered.total),
        (ids(&searcher, &filtered), Total { value: 1, at_least: true })
    );
}

#[test]
fn totals_limits_and_early_ends() {
    let (_folder, searcher) = searcher();
    let all = Query::MatchAll;
    let run = |change: &dyn Fn(&mut CollectRequest<'_>)| {
        let mut request = CollectRequest::top(&all, 2);
        request.track_total = TrackTotal::Exact;
        change(&mut request);
        collect(&searcher, &request).unwrap()
    };
    assert_eq!(run(&|_| {}).total, Total { value: 5, at_least: false });
    assert_eq!(run(&|request| request.depth = 0).total.value, 5);
    assert_eq!(run(&|request| request.track_total = TrackTotal::UpTo(3)).total, Total { value: 3, at_least: true });
    let early = run(&|request| request.terminate_after = Some(1));
    assert!(early.terminated_early && early.total.value == 1 && early.hits.len() == 1);
    assert_eq!(run(&|request| request.min_score = Some(1.5)).total.value, 0);
    let halves: Vec<u64> =
        (0..2).map(|id| run(&|request| request.slice = Some(Slice { id, max: 2 })).total.value).collect();
    assert_eq!(halves.iter().sum::<u64>(), 5);
    assert!(halves.iter().all(|half| *half > 0));
    let range =
        Query::Range(RangeQuery { field: "n".into(), gte: Some(TermValue::Integer(4)), ..RangeQuery::default() });
    let first = collect(&searcher, &CollectRequest::top(&range, 2)).unwrap();
    assert_eq!((ids(&searcher, &first), first.max_score), (in_order(&searcher, "034")[..2].to_string(), Some(1.0)));
}

#[test]
fn one_hit_a_group() {
    let (_folder, searcher) = searcher();
    let SortBy::Field(field) = key(&searcher, "n", false).by else { panic!() };
    let words = Query::words("wing slipstream");
    let request =
        CollectRequest { collapse: Some(&field), track_total: TrackTotal::Exact, ..CollectRequest::top(&words, 9) };
    let collected = collect(&searcher, &request).unwrap();
    let groups: Vec<SortValue> = collected.hits.iter().filter_map(|hit| hit.group.clone()).collect();
    assert_eq!((groups.len(), collected.total.value), (4, 5));
    let keys = [key(&searcher, "tag", true)];
    let request = CollectRequest { collapse: Some(&field), sort: &keys, ..CollectRequest::top(&Query::MatchAll, 9) };
    let found = ids(&searcher, &collect(&searcher, &request).unwrap());
    assert_eq!(found, "2103");
}

#[test]
fn scores_of_single_documents() {
    let (_folder, searcher) = searcher();
    let words = Query::words("wing");
    let hits = collect(&searcher, &CollectRequest::top(&words, 9)).unwrap().hits;
    let all = collect(&searcher, &CollectRequest::top(&Query::MatchAll, 9)).unwrap().hits;
    let locators: Vec<_> = all.iter().map(|hit| hit.locator).collect();
    let scores = score_documents(&searcher, &words, &locators).unwrap();
    for (locator, score) in locators.iter().zip(scores) {
        let expected = hits.iter().find(|hit| hit.locator == *locator).and_then(|hit| hit.score);
        assert_eq!(score, expected);
    }
}
