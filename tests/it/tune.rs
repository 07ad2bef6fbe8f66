//! `bifocal tune` end to end: the plan that is written works wherever a plan is named; errors come before the work.

use serde_json::Value;

use crate::util::{Outcome, Workplace, fixture, tiny};

/// The first documents and queries of Cranfield, with a lexical and a tiny dense view in `a.idx`.
fn place(num_documents: usize) -> Workplace {
    let place = Workplace::new();
    let lines = |name: &str, count: usize| -> String {
        let text = fs_err::read_to_string(fixture(&format!("cranfield/{name}"))).unwrap();
        text.lines().take(count).map(|line| format!("{line}\n")).collect()
    };
    place.write("small/corpus.jsonl", lines("corpus.jsonl", num_documents));
    place.write("small/queries.jsonl", lines("queries.jsonl", 60));
    place.write("small/qrels/test.tsv", fs_err::read_to_string(fixture("cranfield/qrels/test.tsv")).unwrap());
    place.run(&["index", "a.idx", "small", "--model", &tiny("bi-encoder")]).succeeds();
    place
}

fn tune(place: &Workplace, args: &[&str]) -> Outcome {
    place.run(&[&["tune", "small", "--index", "a.idx", "--models-dir", &fixture("models")], args].concat())
}

fn read(place: &Workplace, name: &str) -> Value {
    serde_json::from_str(&fs_err::read_to_string(place.path(name)).unwrap()).unwrap()
}

#[test]
fn the_plan_that_is_written_works_wherever_a_plan_is_named() {
    let place = place(600);
    // The tiny bi-encoder knows nothing: the lexical leg must come out on top.
    let outcome = tune(&place, &["--out", "plan.json", "--json", "report.json"]).succeeds();
    assert!(outcome.stdout.contains("wrote plan.json"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("lexical alone") && outcome.stdout.contains("dense alone"), "{}", outcome.stdout);
    let (plan, report) = (read(&place, "plan.json"), read(&place, "report.json"));
    assert_eq!(report["plan"], plan);
    assert_eq!(plan["name"], "hybrid-tuned");
    let weight = plan["legs"][0]["lexical"]["weight"].as_f64().unwrap();
    assert!(weight > 0.5, "{weight}");
    let rows = report["held_out"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tuned", "hybrid", "lexical alone", "dense alone"]);
    assert!(rows[1]["tuned_above"]["interval"][0].as_f64().unwrap() > 0.0, "{}", rows[1]);
    assert_eq!(report["folds"].as_array().unwrap().len(), 5);
    assert!(report["verdict"].as_str().unwrap().starts_with("weight 0.4 -> 0."), "{}", report["verdict"]);

    let hits = place.run(&["search", "a.idx", "lift of a wing", "--plan", "plan.json", "--json"]).json();
    assert_eq!(hits["plan"], "hybrid-tuned");
    assert!(!hits["hits"].as_array().unwrap().is_empty());
    let run = place.run(&["run", "a.idx", "--queries", "small/queries.jsonl", "--plan", "plan.json"]).succeeds();
    assert!(run.stdout.contains("hybrid-tuned"));
    let compared =
        place.run(&["eval", "small", "--index", "a.idx", "--plans", "hybrid,plan.json", "--json", "-"]).json();
    let of = |idx: usize| compared["plans"][idx]["metrics"]["ndcg@10"].as_f64().unwrap();
    assert!(of(1) > of(0), "{} {}", of(1), of(0));
    // The evaluator's figure of the plan as it was is the tuner's.
    assert!((of(0) - rows[1]["mean"].as_f64().unwrap()).abs() < 1e-9);

    // The same seed, the same plan, as YAML too.
    tune(&place, &["--out", "plan.yaml"]).succeeds();
    let shown = place.run(&["search", "a.idx", "lift of a wing", "--plan", "plan.yaml", "--json"]).json();
    assert_eq!(shown["hits"], hits["hits"]);
}

#[test]
fn a_lexical_plan_is_tuned_without_vectors() {
    let place = place(200);
    let report = tune(&place, &["--plan", "lexical", "--queries-limit", "30", "--folds", "3", "--json", "-"]).json();
    assert_eq!((report["num_queries"].as_u64(), report["num_folds"].as_u64()), (Some(30), Some(3)));
    let axes: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["axis"].as_str().unwrap()).collect();
    assert_eq!(axes, ["k1", "b", "depth"]);
    assert_eq!(report["power"]["num_queries"], 30);
    assert!(report["power"]["detectable"].as_f64().unwrap() > 0.0, "{}", report["power"]);
}

#[test]
fn a_re_ranker_that_does_not_pay_is_left_out_or_kept_but_always_weighed() {
    let place = place(200);
    place.write(
        "reranked.json",
        r#"{"legs": [{"lexical": {}}, {"dense": {}}], "rerank": {"model": "tiny-cross-encoder", "rerank_depth": 5, "weight": 1.0}}"#,
    );
    let args =
        ["--plan", "reranked.json", "--queries-limit", "20", "--folds", "2", "--out", "plan.json", "--json", "-"];
    let report = tune(&place, &args).json();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["axis"], "rerank.weight", "{steps:?}");
    let args = ["search", "a.idx", "wing", "--plan", "plan.json", "--json", "--models-dir", &fixture("models")];
    assert!(!place.run(&args).json()["hits"].as_array().unwrap().is_empty());
}

#[test]
fn trials_compare_the_tuned_plan_with_the_plan_and_both_legs() {
    let place = place(200);
    let outcome = tune(&place, &["--simulate", "20x3", "--json", "trials.json"]).succeeds();
    assert!(outcome.stdout.contains("tuned against"), "{}", outcome.stdout);
    let trials = read(&place, "trials.json");
    let against = trials["against"].as_array().unwrap();
    assert_eq!(against.len(), 3);
    for row in against {
        let of = |key: &str| row[key].as_f64().unwrap();
        assert!(of("worst") <= of("gain") && of("gain") <= of("best"), "{row}");
        assert!((trials["tuned"].as_f64().unwrap() - of("mean") - of("gain")).abs() < 1e-9, "{row}");
    }
    tune(&place, &["--simulate", "500x3"]).fails(3, &["leave none to report on"]);
}

#[test]
fn what_cannot_be_done_is_said_before_the_work() {
    let place = place(200);
    place.write("there.json", "{}");
    tune(&place, &["--out", "there.json"]).fails(6, &["there.json", "--force"]);
    assert_eq!(fs_err::read_to_string(place.path("there.json")).unwrap(), "{}");
    tune(&place, &["--out", "nowhere/plan.json"]).fails(5, &["nowhere/plan.json", "no such folder"]);
    tune(&place, &["--queries-limit", "7"]).fails(3, &["small", "7 judged queries", "at least 10", "bifocal judge"]);
    tune(&place, &["--folds", "1"]).fails(3, &["--folds"]);
    tune(&place, &["--metric", "ndcg@10,map"]).fails(3, &["several measures"]);
    tune(&place, &["--plan", "hybird"]).fails(5, &["hybird"]);
    tune(&place, &["--simulate", "many"]).fails(2, &["50x20"]);
    let forced = tune(&place, &["--out", "there.json", "--force", "--plan", "lexical", "--folds", "2"]).succeeds();
    assert!(forced.stdout.contains("wrote there.json"));
    assert!(read(&place, "there.json")["legs"].is_array());
}
