//! Whole comparisons, and the small collections that the parts' own tests are made of.

use super::*;
use crate::eval::scoring::Average;

pub(super) fn hits(hits: &[(&str, f64)]) -> Vec<ScoredDocument> {
    hits.iter().map(|&(id, score)| ScoredDocument { id: id.into(), score }).collect()
}

pub(super) fn rankings(queries: &[(&str, &[(&str, f64)])]) -> Rankings {
    queries.iter().map(|(query, of_query)| ((*query).to_string(), hits(of_query))).collect()
}

pub(super) fn qrels(queries: &[(&str, &[(&str, i32)])]) -> Judgments {
    let grades = |judged: &[(&str, i32)]| judged.iter().map(|&(id, grade)| (id.to_string(), grade)).collect();
    queries.iter().map(|(query, judged)| ((*query).to_string(), grades(judged))).collect()
}

fn system(name: &str, rankings: Rankings) -> System {
    System { run: Run { name: name.to_string(), rankings }, ..System::default() }
}

fn collection() -> Judgments {
    qrels(&[("1", &[("a", 1), ("b", 2)]), ("2", &[("c", 1)]), ("3", &[("d", 0)]), ("4", &[("e", 1)])])
}

fn lexical() -> Rankings {
    rankings(&[
        ("1", &[("x", 3.0), ("a", 2.0), ("b", 1.0)]),
        ("2", &[("c", 2.0)]),
        ("3", &[("d", 1.0)]),
        ("unjudged", &[("a", 1.0)]),
    ])
}

fn dense() -> Rankings {
    rankings(&[("1", &[("b", 0.9), ("a", 0.8), ("y", 0.1)]), ("2", &[("z", 0.5), ("c", 0.4)]), ("4", &[("e", 0.3)])])
}

fn input(qrels: &Judgments, average: Average) -> CompareInput<'_> {
    let texts = ["wing flutter", "heat transfer in a slab", "drag", "a ?", "nobody judged this"];
    let ids = ["1", "2", "3", "4", "unjudged"];
    CompareInput {
        dataset: "small".to_string(),
        queries: ids.iter().zip(texts).map(|(id, text)| ((*id).to_string(), text.to_string())).collect(),
        qrels: Some(qrels),
        measures: Measure::parse_list("ndcg@10,recall@2,mrr").unwrap(),
        options: ScoringOptions { average, remove_own: false },
        systems: vec![system("lexical", lexical()), system("dense", dense())],
        ..CompareInput::default()
    }
}

/// Every part of a comparison filled, a query that a run lacks included.
pub(crate) fn everything() -> Comparison {
    let qrels = collection();
    let mut input = input(&qrels, Average::Retrieved);
    input.legs = vec![("lexical".to_string(), lexical()), ("dense".to_string(), dense())];
    input.lexical_overlap = [("1", 0.5), ("2", 0.75)].map(|(id, overlap)| (id.to_string(), overlap)).into();
    input.titles = HashMap::from([("b".to_string(), "Flutter of wings".to_string())]);
    input.statistics.grades = [(0, 1), (1, 3), (2, 1)].into();
    input.index = Some(IndexFacts { folder: "small.index".to_string(), ..IndexFacts::default() });
    input.systems[0].latency = Some(Latency { p50: 1.0, p95: 2.0 });
    input.systems[0].queries_per_second = Some(900.0);
    input.systems[1].plan = Some(serde_json::json!({"legs": [{"dense": {}}]}));
    let read = |hits: Vec<ScoredDocument>| (hits.clone(), vec![0.5; hits.len()]);
    input.readings = vec![Reading {
        plan: "dense".to_string(),
        model: "cross-encoder".to_string(),
        by_query: dense().into_iter().map(|(query, hits)| (query, read(hits))).collect(),
        ..Reading::default()
    }];
    compare(input)
}

#[test]
fn a_comparison_of_two_runs_is_written_out() {
    let qrels = collection();
    let comparison = compare(input(&qrels, Average::Judged));
    let ids: Vec<(&str, u32, u32)> =
        comparison.queries.iter().map(|query| (query.id.as_str(), query.num_relevant, query.num_words)).collect();
    assert_eq!(ids, [("1", 2, 2), ("2", 1, 5), ("3", 0, 1), ("4", 1, 1)]);
    assert_eq!(comparison.measures, ["ndcg@10", "recall@2", "mrr"]);
    assert_eq!(comparison.primary, "ndcg@10");
    let [lexical, dense] = comparison.plans.as_slice() else { panic!("two plans") };
    assert_eq!(lexical.per_query["mrr"], [0.5, 1.0, 0.0, 0.0]);
    assert_eq!(lexical.metrics["mrr"], 1.5 / 4.0);
    assert_eq!(dense.per_query["recall@2"], [1.0, 1.0, 0.0, 1.0]);
    assert!(lexical.against_first.is_empty() && lexical.changed.is_empty());
    let recall = &dense.against_first["recall@2"];
    assert_eq!((recall.mean, recall.wins, recall.ties, recall.losses), ((0.5 + 1.0) / 4.0, 2, 2, 0));
    // Query 4 is found by one run alone; 1 gains .38, 2 loses .37, having c at rank 2.
    let changed: Vec<usize> = dense.changed.iter().map(|query| query.query).collect();
    assert_eq!(changed, [3, 0, 1]);
    assert_eq!(dense.changed[0].moved[0].rank_before, None);
    assert_eq!(dense.changed[0].moved[0].rank_after, Some(1));
    assert_eq!(
        dense.recall_at.iter().map(|point| (point.x, point.y)).next(),
        Some((1.0, (0.5 + 0.0 + 0.0 + 1.0) / 4.0))
    );
    assert_eq!(dense.precision_at_recall.len(), 11);
    let sizes: Vec<u32> = dense.slices.iter().map(|slice| slice.num_queries).collect();
    assert_eq!(sizes.iter().sum::<u32>(), 4);
    assert_eq!(
        comparison.conditions[..2],
        [
            "means over 4 judged queries; a query without hits counts 0 (trec_eval -c)",
            "1 query without judgments left out"
        ]
    );
    assert_eq!(
        comparison.warnings,
        ["lexical: no hits for 1 of 4 judged queries", "dense: no hits for 1 of 4 judged queries"]
    );
    assert!(comparison.complementarity.is_empty() && comparison.reranking.is_empty());
}

#[test]
fn queries_that_a_run_lacks_are_left_out_and_that_is_said() {
    let comparison = everything();
    let [lexical, dense] = comparison.plans.as_slice() else { panic!("two plans") };
    assert_eq!(lexical.metrics["mrr"], 1.5 / 3.0);
    assert!(lexical.per_query["mrr"][3].is_nan() && dense.per_query["mrr"][2].is_nan());
    let mrr = &dense.against_first["mrr"];
    assert_eq!((mrr.mean, mrr.wins, mrr.ties, mrr.losses), (0.0, 1, 0, 1));
    assert_eq!(dense.changed.iter().map(|query| query.query).collect::<Vec<_>>(), [0, 1]);
    let conditions = comparison.conditions.join("\n");
    assert!(conditions.contains("4 of 4, but \"lexical\" 3, \"dense\" 3"), "{conditions}");
    assert!(conditions.contains("difference of \"dense\": 2 queries that either run lacks left out"), "{conditions}");
    // Both legs are three deep; the relevant document of query 4 only the second one finds.
    let row = &comparison.complementarity[0];
    assert_eq!((row.depth, row.only_first, row.only_second, row.both, row.neither), (3, 0, 1, 3, 0));
    // All logits are equal: nothing but the order by id is left, as trec_eval sorts it.
    assert_eq!(comparison.reranking[0].by_depth.iter().map(|row| row.depth).collect::<Vec<_>>(), [0, 3]);
}

#[test]
fn json_keeps_what_is_missing_missing() {
    let written = serde_json::to_value(everything()).unwrap();
    assert!(written["plans"][0]["per_query"]["mrr"][3].is_null());
    let read: Comparison = serde_json::from_value(written.clone()).unwrap();
    assert!(read.plans[0].per_query["mrr"][3].is_nan());
    assert_eq!(serde_json::to_value(read).unwrap(), written);
}

#[test]
fn the_same_runs_give_the_same_figures() {
    let json = || serde_json::to_string(&everything()).unwrap();
    assert_eq!(json(), json());
}

#[test]
fn without_judgments_or_measures_nothing_is_made_up() {
    let bare = CompareInput { systems: vec![system("only", lexical())], ..CompareInput::default() };
    let comparison = compare(bare);
    assert_eq!(comparison.plans[0].name, "only");
    assert!(comparison.queries.is_empty() && comparison.plans[0].metrics.is_empty());
    let qrels = collection();
    let no_measures = CompareInput { measures: Vec::new(), ..input(&qrels, Average::Judged) };
    let comparison = compare(no_measures);
    assert!(comparison.plans[1].changed.is_empty());
    assert_eq!(comparison.primary, "");
}

#[test]
fn foreign_query_ids_are_warned_of() {
    let qrels = collection();
    let mut input = input(&qrels, Average::Judged);
    input.systems.push(system("foreign", rankings(&[("q1", &[("a", 1.0)])])));
    input.systems[2].warnings.push("skipped 3 lines".to_string());
    let warnings = compare(input).warnings;
    assert!(warnings.contains(&"foreign: skipped 3 lines".to_string()));
    assert!(warnings.iter().any(|warning| warning.starts_with("foreign: no hits for any")), "{warnings:?}");
}
