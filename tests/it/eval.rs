//! `bifocal eval` end to end: plans, sweeps, other systems' runs, the kept index, files and errors.

use serde_json::Value;

use crate::util::{Workplace, fixture, tiny};

/// Twelve documents, six judged queries and one that nobody judged.
fn collection() -> Workplace {
    let place = Workplace::new();
    let documents = [
        (
            "1",
            "A wing in a slipstream",
            "The lift of a wing in the slipstream of a propeller was measured in a tunnel.",
        ),
        ("2", "Heat transfer", "Heat flows through the boundary layer of a blunt body at high speed."),
        ("3", "Bread", "Flour, water, salt and time make bread; a hot oven makes its crust."),
        ("4", "The capital of France", "The capital of France is a city on a river."),
        ("5", "A war in the north", "The war in the north began at the river and ended in the city."),
        ("6", "Flutter of wings", "Flutter is an unstable motion of a wing in the flow of air."),
        ("7", "Ovens", "An oven for bread keeps its heat in stone."),
        ("8", "The boundary layer", "The boundary layer of a wing is thin and slow."),
        ("9", "Rivers", "A river flows from the north to the south of the city."),
        ("10", "Propellers", "A propeller is a wing that turns; its slipstream is a flow of air."),
        ("11", "Salt", "Salt is won from water."),
        ("12", "Cities", "The city of the north is the capital."),
    ];
    let line = |(id, title, text): &(&str, &str, &str)| {
        format!("{}\n", serde_json::json!({"_id": id, "title": title, "text": text}))
    };
    place.write("small/corpus.jsonl", documents.iter().map(line).collect::<String>());
    let queries = [
        ("q1", "lift of a wing"),
        ("q2", "heat of an oven"),
        ("q3", "capital city"),
        ("q4", "war at the river"),
        ("q5", "slipstream of a propeller"),
        ("q6", "salt and water"),
        ("q7", "nobody judged this"),
    ];
    let line = |(id, text): &(&str, &str)| format!("{}\n", serde_json::json!({"_id": id, "text": text}));
    place.write("small/queries.jsonl", queries.iter().map(line).collect::<String>());
    place.write("small/qrels/test.tsv", QRELS);
    place
}

const QRELS: &str = "query-id\tcorpus-id\tscore
q1\t1\t2\nq1\t6\t1\nq1\t3\t0\nq2\t7\t2\nq2\t2\t1\nq3\t4\t1\nq3\t12\t2\nq4\t5\t2\nq4\t9\t1\nq5\t10\t2\nq5\t1\t1\nq6\t11\t1\nq6\t3\t1\n";

/// With the tiny models, the cross-encoder among them.
fn eval(place: &Workplace, args: &[&str]) -> crate::util::Outcome {
    let models = fixture("models");
    let with_model: &[&str] = if args.contains(&"--index") || args.contains(&"--qrels") {
        &["--models-dir", &models]
    } else {
        &["--models-dir", &models, "--model", "tiny-bi-encoder"]
    };
    place.run(&[&["eval"], args, with_model].concat())
}

fn names(comparison: &Value) -> Vec<&str> {
    comparison["plans"].as_array().unwrap().iter().map(|plan| plan["name"].as_str().unwrap()).collect()
}

fn check_schema(comparison: &Value) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/comparison.json");
    let schema: Value = serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap();
    if let Err(error) = jsonschema::validate(&schema, comparison) {
        panic!("{error} at {}", error.instance_path());
    }
}

fn metrics(plan: &Value) -> Vec<(String, f64)> {
    let metrics = plan["metrics"].as_object().unwrap();
    metrics.iter().map(|(name, value)| (name.clone(), value.as_f64().unwrap())).collect()
}

#[test]
fn four_plans_are_compared_and_the_index_is_kept() {
    let place = collection();
    let files = ["--html", "report.html", "--markdown", "report.md", "--runs-dir", "runs"];
    let first = eval(&place, &[&["small", "--json", "first.json"], &files[..]].concat()).succeeds();
    first.says(&["index: ", "/eval/small-", "(built in"]);
    let read = |name: &str| fs_err::read_to_string(place.path(name)).unwrap();
    let comparison: Value = serde_json::from_str(&read("first.json")).unwrap();
    check_schema(&comparison);
    assert_eq!(comparison["dataset"], "small");
    assert_eq!(names(&comparison), ["lexical", "dense", "hybrid", "hybrid-rerank"]);
    for plan in comparison["plans"].as_array().unwrap() {
        let found = metrics(plan);
        assert_eq!(found.len(), 4);
        for name in ["ndcg@10", "recall@100", "map", "mrr@10"] {
            assert!(found.iter().any(|(found, value)| found == name && (0.0..=1.0).contains(value)), "{name}: {plan}");
        }
        assert!(plan["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
        assert!(plan["latency_ms"]["p95"].as_f64().unwrap() >= plan["latency_ms"]["p50"].as_f64().unwrap());
        assert!(plan["queries_per_second"].as_f64().unwrap() > 0.0);
    }
    // BM25 finds every query's words here.
    assert!(comparison["plans"][0]["metrics"]["mrr@10"].as_f64().unwrap() > 0.9);
    assert_eq!(comparison["queries"].as_array().unwrap().len(), 6);
    assert_eq!(comparison["statistics"]["num_documents"], 12);
    assert_eq!(comparison["index"]["num_documents"], 12);
    assert!(comparison["complementarity"].as_array().unwrap().iter().any(|row| row["both"].as_u64().unwrap() > 0));
    assert_eq!(comparison["reranking"][0]["plan"], "hybrid-rerank");
    assert!(comparison["reranking"][0]["by_depth"].as_array().unwrap().len() > 1);
    let conditions = comparison["conditions"].to_string();
    assert!(conditions.contains("one query at a time") && conditions.contains("hybrid-rerank 6"), "{conditions}");
    assert!(read("report.html").contains("<html") && read("report.html").contains("hybrid-rerank"));
    assert!(read("report.md").contains("hybrid-rerank"));

    let second = eval(&place, &["small", "--json", "-"]);
    let index = comparison["index"]["folder"].as_str().unwrap();
    assert!(second.stderr.contains(&format!("index: {index} (cached)")), "{}", second.stderr);
    let second = second.json();
    for (first, second) in comparison["plans"].as_array().unwrap().iter().zip(second["plans"].as_array().unwrap()) {
        assert_eq!(metrics(first), metrics(second));
        assert_eq!(first["per_query"], second["per_query"]);
    }

    // The runs that were written, and one that `bifocal run` writes, score as their plans do.
    let queries = "small/queries.jsonl";
    let printed =
        place.run(&["run", index, "--queries", queries, "--plan", "hybrid", "--models-dir", &fixture("models")]);
    place.write("own.run", printed.succeeds().stdout);
    let runs = [
        "--run",
        "runs/lexical.run",
        "--run",
        "runs/hybrid-rerank.run",
        "--run",
        "runs/hybrid.run",
        "--run",
        "own.run",
    ];
    let alone = eval(&place, &[&["--qrels", "small/qrels/test.tsv", "--json", "-"], &runs[..]].concat()).json();
    check_schema(&alone);
    assert_eq!(names(&alone), ["lexical", "hybrid-rerank", "hybrid", "own"]);
    for (run, plan) in [(0, 0), (1, 3), (2, 2), (3, 2)] {
        for ((_, run), (name, plan)) in metrics(&alone["plans"][run]).iter().zip(metrics(&comparison["plans"][plan])) {
            assert!((run - plan).abs() < 1e-9, "{name}: {run} and {plan}");
        }
    }
    assert!(alone.get("index").is_none() && alone["plans"][0].get("latency_ms").is_none());
}

#[test]
fn another_corpus_or_model_is_another_index_and_a_failed_build_leaves_nothing() {
    let place = collection();
    let folder = |args: &[&str]| {
        eval(&place, &[&["small", "--plans", "dense", "--json", "-"], args].concat()).json()["index"]["folder"].clone()
    };
    let first = folder(&[]);
    assert_eq!(first, folder(&[]));
    let kept = || fs_err::read_dir(place.path("cache/eval")).unwrap().count();
    assert_eq!(kept(), 1);
    let corpus = fs_err::read_to_string(place.path("small/corpus.jsonl")).unwrap();
    place.write(
        "small/corpus.jsonl",
        format!("{corpus}{{\"_id\": \"13\", \"text\": \"more\"}}\n{{\"_id\": \"14\", \"text\"\n"),
    );
    eval(&place, &["small", "--plans", "dense"]).fails(3, &["corpus.jsonl:14"]);
    assert_eq!(kept(), 1, "nothing is left of an index that could not be built");
    place.write("small/corpus.jsonl", format!("{corpus}{{\"_id\": \"13\", \"text\": \"more\"}}\n"));
    assert_ne!(first, folder(&[]));
    place.write("mapping.yaml", "mappings: {properties: {title: {type: text}, text: {type: text, analyzer: english}}}");
    let mapped = place.run(&["eval", "small", "--plans", "lexical", "--mapping", "mapping.yaml", "--json", "-"]).json();
    assert_eq!(mapped["index"]["num_documents"], 13);
    assert_eq!(kept(), 3);
    // Without the cache the index is not kept.
    let temporary = place.run(&["eval", "small", "--plans", "lexical", "--no-cache", "--json", "-"]).json();
    assert!(!place.path(temporary["index"]["folder"].as_str().unwrap()).exists());
    assert_eq!(kept(), 3);
}

#[test]
fn an_existing_index_is_used_and_plans_that_cannot_run_are_named() {
    let place = collection();
    place.run(&["index", "a.idx", "small", "--lexical-only"]).succeeds();
    let outcome = eval(&place, &["small", "--index", "a.idx", "--json", "-"]);
    assert!(outcome.stderr.contains("plan dense cannot run: "), "{}", outcome.stderr);
    let comparison = outcome.json();
    assert_eq!(names(&comparison), ["lexical"]);
    assert_eq!(comparison["index"]["folder"], "a.idx");
    assert!(comparison["warnings"].to_string().contains("plan hybrid is left out"));
    assert!(!place.path("cache/eval").exists());
    eval(&place, &["small", "--index", "a.idx", "--plans", "dense"])
        .fails(4, &["none of the plans can run", "vectors"]);
    let both = ["eval", "small", "--index", "a.idx", "--model", "tiny-bi-encoder"];
    place.run(&both).fails(2, &["--model"]);
    eval(&place, &["small", "--index", "b.idx"]).fails(5, &["b.idx"]);
}

#[test]
fn sweeps_add_a_row_for_each_value() {
    let place = collection();
    place.run(&["index", "a.idx", "small", "--model", &tiny("bi-encoder")]).succeeds();
    let plans = "lexical,hybrid[rrf.k=10,60&depth=3,8],hybrid,hybrid-rerank";
    let sweeps =
        ["--sweep", "hybrid:weight=0:1:0.5", "--sweep", "rerank.weight=none,2", "--sweep", "lexical:k1=0.5,0.9"];
    let args = [&["small", "--index", "a.idx", "--plans", plans, "--json", "-"], &sweeps[..]].concat();
    let comparison = eval(&place, &args).json();
    assert_eq!(
        names(&comparison),
        [
            "lexical",
            "lexical;k1=0.5",
            "lexical;k1=0.9",
            "hybrid;rrf.k=10;depth=3",
            "hybrid;rrf.k=10;depth=8",
            "hybrid;rrf.k=60;depth=3",
            "hybrid;rrf.k=60;depth=8",
            "hybrid",
            "hybrid;weight=0",
            "hybrid;weight=0.5",
            "hybrid;weight=1",
            "hybrid-rerank",
            "hybrid-rerank;rerank.weight=none",
            "hybrid-rerank;rerank.weight=2",
        ]
    );
    let plan = |name: &str| {
        let plans = comparison["plans"].as_array().unwrap();
        plans.iter().find(|plan| plan["name"] == name).unwrap().clone()
    };
    assert_eq!(plan("hybrid;rrf.k=10;depth=3")["plan"]["legs"][1]["depth"], 3);
    assert_eq!(plan("hybrid;rrf.k=10;depth=3")["plan"]["fusion"]["rrf"]["rank_constant"], 10);
    assert_eq!(plan("hybrid;weight=0.5")["plan"]["legs"][0]["weight"], 0.5);
    assert_eq!(plan("hybrid-rerank;rerank.weight=2")["plan"]["rerank"]["weight"], 2.0);
    assert_eq!(plan("hybrid-rerank")["plan"]["rerank"]["rerank_depth"], 50);
    // Only plans that were asked for by name are studied.
    assert_eq!(comparison["reranking"].as_array().unwrap().len(), 1);

    let fails = |args: &[&str], code: i32, said: &[&str]| {
        eval(&place, &[&["small", "--index", "a.idx"], args].concat()).fails(code, said);
    };
    fails(&["--sweep", "rrf.q=1"], 3, &["\"rrf.q\"", "rrf.k, weight, depth"]);
    fails(&["--plans", "lexical", "--sweep", "rrf.k=1"], 3, &["fits none of the plans"]);
    fails(&["--plans", "lexical[weight=1]"], 3, &["does not have"]);
    fails(&["--plans", "hybrid,hybrid"], 3, &["two rows are called \"hybrid\""]);
    fails(&["--plans", "dense[model=other]"], 3, &["index of its own"]);
    fails(&["--metrics", "ndgc@10"], 3, &["ndgc@10"]);
    fails(&["--plans", "hybird"], 5, &["hybird", "lexical, dense"]);
    fails(&["--json", "no/such/folder.json"], 5, &["no/such/folder.json"]);
}

#[test]
fn a_model_may_be_swept_and_one_that_is_not_there_is_named() {
    let place = collection();
    let plans = format!("dense,dense[model={},no-such-model]", tiny("bi-encoder"));
    let outcome = eval(&place, &["small", "--plans", &plans, "--json", "-"]);
    assert!(outcome.stderr.contains("plan dense;model=no-such-model cannot run"), "{}", outcome.stderr);
    let comparison = outcome.json();
    assert_eq!(names(&comparison), ["dense", "dense;model=tiny-bi-encoder"]);
    assert_eq!(metrics(&comparison["plans"][0]), metrics(&comparison["plans"][1]));
}

#[test]
fn runs_alone_are_scored() {
    let place = collection();
    place.write("qrels.txt", "1 0 a 1\n1 0 b 0\n2 0 a 2\n2 0 c 1\n10 0 d 1\n");
    place.write("good.run", "1 Q0 a 1 3 good\n1 Q0 b 2 2 good\n2 Q0 c 1 9 good\n2 Q0 x 2 8.5 good\n");
    place.write("same_name.run", "1 Q0 b 1 3 good\n1 Q0 a 2 2 good\n2 Q0 a 1 9 good\n10 Q0 d 1 1 good\n");
    let measures = "ndcg@10,map,mrr,recall@100,bpref,rprec,p@10";
    let args =
        ["--qrels", "qrels.txt", "--run", "good.run", "--run", "same_name.run", "--metrics", measures, "--json", "-"];
    let comparison = eval(&place, &args).json();
    check_schema(&comparison);
    assert_eq!(comparison["dataset"], "qrels.txt");
    assert_eq!(names(&comparison), ["good", "same_name"]);
    let value = |plan: usize, name: &str| comparison["plans"][plan]["metrics"][name].as_f64().unwrap();
    assert!((value(0, "map") - (1.0 + 0.5 + 0.0) / 3.0).abs() < 1e-12);
    assert!((value(1, "mrr") - (0.5 + 1.0 + 1.0) / 3.0).abs() < 1e-12);
    assert!((value(0, "p@10") - (0.1 + 0.1) / 3.0).abs() < 1e-12);
    let ids: Vec<&str> = comparison["queries"].as_array().unwrap().iter().map(|q| q["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "10"]);
    // Averages over the queries that a run has.
    let retrieved = eval(&place, &[&args[..], &["--average", "retrieved"]].concat()).json();
    assert!((retrieved["plans"][0]["metrics"]["map"].as_f64().unwrap() - 0.75).abs() < 1e-12);
    // The table is for people.
    let table = eval(&place, &["--qrels", "qrels.txt", "--run", "good.run"]).succeeds().stdout;
    assert!(table.contains("good") && table.contains("nDCG@10"), "{table}");
}

#[test]
fn bad_runs_and_judgments_are_named_with_their_line() {
    let place = collection();
    place.write("qrels.txt", "1 0 a 1\n2 0 b 1\n");
    place.write("good.run", "1 Q0 a 1 3 good\n");
    let cases = [
        ("short.run", "1 Q0 a 1 3 x\n1 Q0 b 2\n", "short.run:2"),
        ("nan.run", "1 Q0 a 1 NaN x\n", "nan.run:1"),
        ("word.run", "1 Q0 a 1 3 x\n\n1 Q0 b 2 high x\n", "word.run:3"),
        ("twice.run", "1 Q0 a 1 3 x\n2 Q0 a 1 3 x\n1 Q0 a 2 2 x\n", "twice.run:3"),
        ("other.run", "q1 Q0 a 1 3 x\n", "other.run:1"),
        ("empty.run", "", "empty.run"),
    ];
    for (name, text, said) in cases {
        place.write(name, text);
        eval(&place, &["--qrels", "qrels.txt", "--run", "good.run", "--run", name]).fails(3, &[said]);
    }
    eval(&place, &["--qrels", "qrels.txt", "--run", "none.run"]).fails(5, &["none.run"]);
    for (name, text, said) in
        [("short.txt", "1 0 a 1\n2 b\n", "short.txt:2"), ("word.txt", "1 0 a high\n", "word.txt:1")]
    {
        place.write(name, text);
        eval(&place, &["--qrels", name, "--run", "good.run"]).fails(3, &[said]);
    }
    // Documents of another collection are no error, as a system may find nothing, but are told.
    place.write("foreign.run", "1 Q0 z 1 3 foreign\n");
    let comparison = eval(&place, &["--qrels", "qrels.txt", "--run", "foreign.run", "--json", "-"]).json();
    assert!(
        comparison["plans"][0]["metrics"]["map"] == 0.0 && comparison["warnings"].to_string().contains("\\\"z\\\"")
    );
    eval(&place, &[]).fails(5, &["--qrels FILE"]);
    eval(&place, &["--qrels", "qrels.txt"]).fails(3, &["--run"]);
    eval(&place, &["--qrels", "qrels.txt", "--plans", "lexical"]).fails(3, &["nothing to search"]);
    eval(&place, &["--qrels", "qrels.txt", "--plans", "http://127.0.0.1:1/x"]).fails(4, &["no texts"]);
}

#[test]
fn other_systems_stand_beside_plans() {
    let place = collection();
    place.run(&["index", "a.idx", "small", "--lexical-only"]).succeeds();
    place.write("other.trec", "q1 Q0 6 1 3 other\nq1 Q0 1 2 2 other\nq3 Q0 12 1 1 other\n");
    let plans = "other.trec,lexical,http://127.0.0.1:1/small";
    let outcome = eval(&place, &["small", "--index", "a.idx", "--plans", plans, "--json", "-"]);
    assert!(outcome.stderr.contains("plan 127.0.0.1:1/small cannot run"), "{}", outcome.stderr);
    let comparison = outcome.json();
    check_schema(&comparison);
    assert_eq!(names(&comparison), ["other", "lexical"]);
    let against = &comparison["plans"][1]["against_first"]["ndcg@10"];
    let counted = ["wins", "ties", "losses"].map(|count| against[count].as_u64().unwrap());
    assert_eq!(counted.iter().sum::<u64>(), 6);
    assert!(comparison["plans"][1]["changed"].to_string().contains("A wing in a slipstream"));

    // A run that is called as a plan is.
    place.write("theirs.run", "q1 Q0 6 1 3 lexical\n");
    let comparison =
        eval(&place, &["small", "--index", "a.idx", "--plans", "theirs.run,lexical", "--json", "-"]).json();
    assert_eq!(names(&comparison), ["theirs", "lexical"]);

    // Among the other system's hits, and other judgments and queries.
    let among = ["small", "--index", "a.idx", "--plans", "lexical", "--candidates", "other.trec", "--json", "-"];
    let comparison = eval(&place, &among).json();
    assert_eq!(comparison["plans"][0]["metrics"]["recall@100"].as_f64().unwrap(), (1.0 + 0.5) / 6.0);
    place.write("some.tsv", "q3\tcapital\nq5\tpropeller\n");
    place.write("few.txt", "q3 0 4 1\nq5 0 10 1\nq6 0 11 1\n");
    let args = [
        "small",
        "--index",
        "a.idx",
        "--plans",
        "lexical",
        "--queries",
        "some.tsv",
        "--qrels",
        "few.txt",
        "--json",
        "-",
    ];
    assert_eq!(eval(&place, &args).json()["queries"].as_array().unwrap().len(), 2);
}

#[test]
fn cranfield_is_evaluated_from_nothing() {
    let place = Workplace::new();
    let args = ["eval", &fixture("cranfield"), "--plans", "lexical", "--metrics", "ndcg@10,recall@1000", "--json", "-"];
    let comparison = place.run(&args).json();
    let plan = &comparison["plans"][0];
    assert!((0.3..0.6).contains(&plan["metrics"]["ndcg@10"].as_f64().unwrap()), "{}", plan["metrics"]);
    assert!(
        plan["metrics"]["recall@1000"].as_f64().unwrap() > 0.9,
        "a deep measure makes a deep run: {}",
        plan["metrics"]
    );
    assert_eq!(plan["plan"]["size"], 1000);
}
