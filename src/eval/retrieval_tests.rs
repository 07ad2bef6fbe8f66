//! A collector's runs are those of the searches, whatever was asked of it before.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::index::Index;
use crate::models::ModelOptions;
use crate::models::test_models::fixture;
use crate::plan::Plan;
use crate::schema::IndexDefinition;
use crate::search::search_resolved;

struct Place {
    searcher: Searcher,
    models: Arc<Models>,
    queries: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

fn lines(name: &str, count: usize) -> Vec<serde_json::Value> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cranfield").join(name);
    let text = fs_err::read_to_string(file).unwrap();
    text.lines().take(count).map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Place {
    /// 150 documents and 12 queries of Cranfield, and one query without words.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = Arc::new(Models::new(ModelOptions {
            models_dir: Some(fixture("")),
            cache_dir: Some(folder.path().join("cache")),
            offline: true,
            threads: Some(2),
            inference_memory_bytes: 64 << 20,
        }));
        let definition = IndexDefinition::parse(
            r#"{"mappings": {"properties": {"title": {"type": "text"}, "text": {"type": "text"},
                "meaning": {"type": "semantic_text", "inference_id": "tiny-bi-encoder", "copy_from": "text", "context_from": "title"}}}}"#,
        );
        let index = Index::create(folder.path().join("a.idx"), &definition.unwrap(), models.clone()).unwrap();
        let mut writer = index.writer().unwrap();
        for document in lines("corpus.jsonl", 150) {
            let document =
                serde_json::json!({"_id": document["_id"], "title": document["title"], "text": document["text"]});
            writer.add(&document.to_string()).unwrap();
        }
        // A document that no cross-encoder can read, and that a filter finds.
        writer.add(r#"{"_id": "nothing", "title": ""}"#).unwrap();
        writer.commit().unwrap();
        drop(writer);
        let text = |query: &serde_json::Value, key: &str| query[key].as_str().unwrap().to_string();
        let mut queries: Vec<(String, String)> =
            lines("queries.jsonl", 12).iter().map(|query| (text(query, "_id"), text(query, "text"))).collect();
        queries.push(("blank".into(), "  ".into()));
        Self { searcher: Searcher::open(&index).unwrap(), models, queries, _folder: folder }
    }

    fn plan(&self, text: &str) -> ResolvedPlan {
        let mut plan = Plan::parse(text).unwrap();
        plan.size = plan.size.or(Some(30));
        plan.resolve(&self.searcher.plan_context(Some("tiny-cross-encoder".into()))).unwrap()
    }

    fn searched(&self, plan: &ResolvedPlan, among: Option<&batch::Candidates>) -> Rankings {
        let hits = |(id, text): &(String, String)| {
            let among = among.map(|run| run.get(id).cloned().unwrap_or_default());
            let request = SearchRequest {
                text: text.clone(),
                syntax: QuerySyntax::Plain,
                among,
                fetch: Fetch::Ids,
                ..SearchRequest::default()
            };
            let response = search_resolved(&self.searcher, &self.models, &request, plan).unwrap();
            assert!(response.warnings.is_empty(), "{:?}", response.warnings);
            let hits = response.hits.into_iter().map(|hit| ScoredDocument { id: hit.id, score: hit.score });
            (id.clone(), hits.collect::<Vec<_>>())
        };
        self.queries.iter().map(hits).filter(|(_, hits)| !hits.is_empty()).collect()
    }
}

const PLANS: [&str; 14] = [
    "lexical",
    "dense",
    "hybrid",
    "hybrid-rerank",
    r#"{"legs": [{"lexical": {}}, {"dense": {}}], "fusion": {"rrf": {"rank_constant": 10}}}"#,
    r#"{"legs": [{"lexical": {"depth": 40}}, {"dense": {"depth": 60}}], "fusion": {"rrf": {"dialect": "elasticsearch"}}}"#,
    r#"{"legs": [{"lexical": {"k1": 0.4, "b": 0.2, "weight": 0.9}}, {"dense": {"weight": 0.1}}]}"#,
    r#"{"legs": [{"lexical": {"depth": 200}}, {"dense": {"exact": true, "depth": 200}}], "size": 150}"#,
    r#"{"legs": [{"lexical": {"fields": ["title"], "operator": "and"}}], "offset": 2, "min_score": 2.0}"#,
    r#"{"legs": [{"dense": {"depth": 35}}], "filter": "title:flow"}"#,
    r#"{"legs": [{"lexical": {}}, {"dense": {}}], "rerank": {"rerank_depth": 7}}"#,
    r#"{"legs": [{"lexical": {}}, {"dense": {}}], "rerank": {"passages": 3, "weight": 2.0}, "filter": "title:(flow OR heat)"}"#,
    r#"{"legs": [{"lexical": {}}], "rerank": {"min_score": 0.3, "rerank_depth": 20}, "min_score": 0.4}"#,
    r#"{"legs": [{"dense": {}}, {"lexical": {}}], "rerank": {"rerank_depth": 120, "weight": 0.5}, "size": 100}"#,
];

/// Runs are equal; where a cross-encoder read, up to the rounding of a batch that was cut otherwise.
#[track_caller]
fn assert_same(run: &Rankings, searched: &Rankings, plan: &ResolvedPlan, what: &str) {
    if plan.rerank.is_none() {
        assert_eq!(run, searched, "{what}");
        return;
    }
    let mut queries: [Vec<&String>; 2] = [run.keys().collect(), searched.keys().collect()];
    queries.iter_mut().for_each(|ids| ids.sort());
    assert_eq!(queries[0], queries[1], "{what}");
    for (query, found) in run {
        let expected = &searched[query];
        assert_eq!(found.len(), expected.len(), "{what}, query {query}");
        let scores: HashMap<&crate::DocumentId, f64> = expected.iter().map(|hit| (&hit.id, hit.score)).collect();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found.score - expected.score).abs() < 1e-4, "{what}, query {query}: {found:?}, not {expected:?}");
            let own = scores.get(&found.id).copied().unwrap_or(expected.score);
            assert!((found.score - own).abs() < 1e-4, "{what}, query {query}: {found:?} has {own}");
        }
    }
}

#[test]
fn a_run_is_what_the_searches_return_in_whatever_order_plans_come() {
    let place = Place::new();
    for (backwards, least) in [(false, 0), (true, 0), (false, 1000)] {
        let mut collector = Collector::new(&place.searcher, &place.models, &place.queries).at_least(least);
        let mut plans = PLANS.to_vec();
        if backwards {
            plans.reverse();
        }
        for text in plans {
            let plan = place.plan(text);
            let run = collector.run(&plan).unwrap();
            assert_eq!(run.name, plan.name);
            let what = format!("{text}, backwards: {backwards}, at least {least}");
            assert_same(&run.rankings, &place.searched(&plan, None), &plan, &what);
        }
    }
}

#[test]
fn only_the_documents_of_another_run_are_candidates() {
    let place = Place::new();
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.into()).collect::<Vec<crate::DocumentId>>();
    let among: batch::Candidates = HashMap::from([
        (place.queries[0].0.clone(), ids(&["12", "51", "no such document"])),
        (place.queries[1].0.clone(), ids(&["1", "2", "3", "nothing"])),
    ]);
    let mut collector = Collector::new(&place.searcher, &place.models, &place.queries).among(Some(&among));
    for text in ["lexical", "dense", "hybrid-rerank"] {
        let plan = place.plan(text);
        let run = collector.run(&plan).unwrap();
        assert_same(&run.rankings, &place.searched(&plan, Some(&among)), &plan, text);
        assert!(run.rankings.values().all(|hits| hits.len() <= 3));
    }
}

#[test]
fn a_leg_is_cut_to_the_depth_asked_for_and_retrieved_once() {
    let place = Place::new();
    let plan = place.plan("hybrid");
    let mut collector = Collector::new(&place.searcher, &place.models, &place.queries);
    for leg in &plan.legs {
        let deep = collector.leg(leg, None, 90).unwrap();
        let cut = collector.leg(leg, None, 5).unwrap();
        for (deep, cut) in deep.iter().zip(cut.iter()) {
            assert_eq!(deep.get(..5.min(deep.len())).unwrap(), cut);
        }
        assert!(Arc::ptr_eq(&deep, &collector.leg(leg, None, 90).unwrap()));
        // What has no more is not asked again.
        let all = collector.leg(leg, None, 500).unwrap();
        assert!(Arc::ptr_eq(&all, &collector.leg(leg, None, 5000).unwrap()));
    }
    assert_eq!(collector.legs.len(), 2);
}

#[test]
fn logits_have_no_gaps_and_pairs_are_read_once() {
    let place = Place::new();
    let plan = place.plan(r#"{"legs": [{"dense": {}}, {"lexical": {}}], "rerank": {"rerank_depth": 5}}"#);
    let mut collector = Collector::new(&place.searcher, &place.models, &place.queries);
    let fused = collector.fused(&plan).unwrap();
    let mut done = Vec::new();
    let logits = collector.logits(&plan, &fused, 20, &mut |queries| done.push(queries)).unwrap();
    assert_eq!(done, (1..=place.queries.len()).collect::<Vec<_>>());
    for (logits, fused) in logits.iter().zip(&fused) {
        assert_eq!(logits.len(), fused.len().min(20));
        assert!(logits.iter().all(|logit| logit.is_finite()));
    }
    let fewer = collector.logits(&plan, &fused, 5, &mut |_| ()).unwrap();
    for (fewer, logits) in fewer.iter().zip(&logits) {
        assert_eq!(fewer[..], logits[..fewer.len()]);
    }
    let without = place.plan("hybrid");
    let error = collector.logits(&without, &fused, 5, &mut |_| ()).unwrap_err();
    assert_eq!(error.location().field.as_deref(), Some("rerank"));
}

#[test]
fn the_work_stops_when_it_is_asked_to() {
    let place = Place::new();
    let stop = || Err(crate::Error::new(crate::ErrorKind::Interrupted, "stop"));
    let mut collector = Collector::new(&place.searcher, &place.models, &place.queries).checking(stop);
    let error = collector.run(&place.plan("lexical")).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Interrupted);
}
