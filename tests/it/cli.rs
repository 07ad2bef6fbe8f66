//! Every subcommand, every format, as text and as JSON.

use std::io::Write as _;

use serde_json::{Value, json};

use super::util::{BOOKS, Workplace, fixture, ids, tiny};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn bulk() -> String {
    let lines = BOOKS.lines().map(|line| {
        let mut source: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        let id = source.shift_remove("_id").unwrap();
        format!("{}\n{}\n", json!({"index": {"_id": id}}), Value::Object(source))
    });
    lines.collect()
}

#[test]
fn every_format_gives_the_same_index() {
    let array = format!("[{}]", BOOKS.trim().replace('\n', ",\n"));
    let csv = "_id,title,text,year\n1,A wing in a slipstream,\"Lift in a slipstream, measured\",1958\n2,Heat transfer,Heat flows,1962\n3,Bread,Flour and water,2001\n";
    let files: [(&str, &str, Vec<u8>); 8] = [
        ("a.jsonl", "a.jsonl", BOOKS.into()),
        ("a.ndjson", "a.ndjson", bulk().into()),
        ("a.json", "a.json", array.into()),
        ("a.csv", "a.csv", csv.into()),
        (
            "a.tsv",
            "a.tsv",
            csv.replace("\"Lift in a slipstream, measured\"", "Lift in a slipstream").replace(',', "\t").into(),
        ),
        ("a.jsonl.gz", "a.jsonl.gz", gzip(BOOKS)),
        ("a.jsonl.zst", "a.jsonl.zst", zstd::encode_all(BOOKS.as_bytes(), 1).unwrap()),
        ("beir", "beir/corpus.jsonl", BOOKS.into()),
    ];
    for (input, file, content) in files {
        let place = Workplace::new();
        place.write(file, content);
        let report = place.run(&["index", "a.idx", input, "--lexical-only", "--json"]).json();
        assert_eq!((&report["indexed"], &report["documents"]), (&json!(3), &json!(3)), "{input}");
        assert_eq!(place.search("a.idx", "slipstream", "lexical"), ["1"], "{input}");
        assert_eq!(place.search("a.idx", "year:>=1960", "lexical").len(), 2, "{input}");
    }
    for input in [BOOKS.as_bytes().to_vec(), gzip(BOOKS), bulk().into_bytes()] {
        let place = Workplace::new();
        let report = place.run_with_stdin(&["index", "a.idx", "-", "--lexical-only", "--json"], input).json();
        assert_eq!(report["documents"], 3);
    }
}

#[test]
fn a_search_prints_one_object() {
    let place = Workplace::with_books();
    let response =
        place.run(&["search", "a.idx", "wing slipstream", "--plan", "hybrid", "--size", "2", "--json"]).json();
    assert!(response["took_ms"].is_f64());
    assert_eq!(response["plan"], "hybrid");
    let hits = response["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 2);
    let best = &hits[0];
    assert_eq!(best["_id"], "1");
    assert!(best["_score"].is_f64());
    let source: Value = serde_json::from_str(BOOKS.lines().next().unwrap()).unwrap();
    assert_eq!(best["_source"]["text"], source["text"]);
    assert!(best["_source"].get("_id").is_none());
    // Provenance: what each leg knew, and that it adds up.
    let legs = best["provenance"]["legs"].as_array().unwrap();
    assert_eq!(legs.iter().map(|leg| leg["leg"].as_str().unwrap()).collect::<Vec<_>>(), ["lexical", "dense"]);
    let sum: f64 = legs.iter().map(|leg| leg["contribution"].as_f64().unwrap()).sum();
    assert!((sum - best["provenance"]["fused"]["score"].as_f64().unwrap()).abs() < 1e-9, "{best}");
    assert_eq!(legs[0]["rank"], 1);
    let passage = &best["provenance"]["passage"];
    assert!(source["text"].as_str().unwrap().contains(passage["text"].as_str().unwrap()), "{passage}");
    assert_eq!(best["provenance"]["rerank"], Value::Null);
    let stages: Vec<&str> =
        response["cost"]["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert!(stages.contains(&"fuse") && stages.contains(&"retrieve.lexical"), "{stages:?}");
}

#[test]
fn sizes_offsets_filters_and_odd_queries() {
    let place = Workplace::with_books();
    let search = |args: &[&str]| ids(&place.run(&[&["search", "a.idx"], args, &["--json"]].concat()).json());
    let all = search(&["wing heat bread", "--plan", "hybrid"]);
    assert_eq!(all.len(), 3);
    assert_eq!(search(&["wing heat bread", "--plan", "hybrid", "-n", "1", "--offset", "1"]), all[1..2]);
    assert_eq!(search(&["wing heat bread", "--plan", "dense", "--filter", "year:<1960"]), ["1"]);
    assert_eq!(search(&["wing heat bread", "-n", "0"]).len(), 0);
    for query in ["", "   ", "\"", "title:", "AND OR NOT (", "year:[1 TO", "((((", "\u{1}\u{1F600}", "*"] {
        for plan in ["lexical", "dense", "hybrid"] {
            search(&[query, "--plan", plan]);
        }
    }
}

#[test]
fn people_get_a_list_and_plans_side_by_side() {
    let place = Workplace::with_books();
    let one = place.run(&["search", "a.idx", "slipstream"]).succeeds();
    assert!(one.stdout.contains("A wing in a slipstream") && one.stdout.contains("lexical #1"), "{one:?}");
    let several = place.run(&["search", "a.idx", "slipstream", "--plan", "lexical,dense,hybrid"]).succeeds();
    assert!(["lexical (", "dense (", "hybrid ("].iter().all(|plan| several.stdout.contains(plan)), "{several:?}");
}

#[test]
fn a_run_has_six_columns() {
    let place = Workplace::with_books();
    place.write(
        "queries.jsonl",
        "{\"_id\": \"q1\", \"text\": \"lift of a wing\"}\n{\"_id\": \"q2\", \"text\": \"oven\"}\n",
    );
    place.write("queries.tsv", "q1\tlift of a wing\nq2\toven\n");
    let run = |file: &str| {
        place.run(&["run", "a.idx", "--queries", file, "--plan", "hybrid", "--depth", "2"]).succeeds().stdout
    };
    let printed = run("queries.jsonl");
    assert_eq!(printed, run("queries.tsv"));
    let rows: Vec<Vec<&str>> = printed.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(rows.len(), 4);
    for (row, (query, rank)) in rows.iter().zip([("q1", "1"), ("q1", "2"), ("q2", "1"), ("q2", "2")]) {
        let [found_query, q0, _, found_rank, score, tag] = row[..] else { panic!("{row:?}") };
        assert_eq!((found_query, q0, found_rank, tag), (query, "Q0", rank, "hybrid"));
        assert!(score.parse::<f64>().is_ok(), "{row:?}");
    }
    assert_eq!((rows[0][2], rows[2][2]), ("1", "3"));
    // The same as one search after the other.
    assert_eq!(place.search("a.idx", "oven", "hybrid")[..2], [rows[2][2], rows[3][2]]);
}

/// A judged query is words, whatever signs its author put between them.
#[test]
fn queries_of_a_file_have_no_operators() {
    let place = Workplace::with_books();
    place.write("words.tsv", "q1\tlift of a wing slipstream\nq2\toven title year 1950\nq3\t   \n");
    place.write("signs.tsv", "q1\t+lift of \"a (wing -slipstream\nq2\toven* title:year [1950]\nq3\t   \n");
    for plan in ["lexical", "hybrid"] {
        let run = |file: &str| place.run(&["run", "a.idx", "--queries", file, "--plan", plan]).succeeds().stdout;
        let (words, signs) = (run("words.tsv"), run("signs.tsv"));
        assert!(words.contains("q1 Q0 1 1 "), "{words}");
        assert!(!words.contains("q3"), "a blank query finds nothing: {words}");
        if plan == "lexical" {
            assert_eq!(words, signs);
        }
    }
    // In the search box the same text excludes the document.
    assert!(!place.search("a.idx", "lift -slipstream", "lexical").contains(&"1".to_string()));
}

#[test]
fn stats_count_what_is_there() {
    let place = Workplace::with_books();
    let stats = place.run(&["stats", "a.idx", "--json"]).json();
    assert_eq!((&stats["documents"], &stats["segments"]), (&json!(3), &json!(1)));
    assert!(stats["passages"].as_u64().unwrap() >= 3);
    let dead = fs_err::read_dir(place.path("a.idx/segments"))
        .unwrap()
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "vec"));
    assert_eq!(dead.count(), 1, "merged segments are gone");
    assert!(stats["bytes"].as_u64().unwrap() > 1000);
    let text = place.run(&["stats", "a.idx"]).succeeds().stdout;
    assert!(text.contains("documents  3") && text.contains("tiny-bi-encoder"), "{text}");
}

#[test]
fn documents_are_got_replaced_and_deleted() {
    let place = Workplace::with_books();
    let got = place.run(&["get", "a.idx", "2"]).json();
    assert_eq!((&got["_id"], &got["_source"]["title"]), (&json!("2"), &json!("Heat transfer")));
    place.run(&["get", "a.idx", "2", "77"]).fails(5, &["77"]);

    place.write("new.jsonl", r#"{"_id": "2", "title": "Cold transfer", "text": "Ice melts slowly."}"#);
    let report = place.run(&["index", "a.idx", "new.jsonl", "--json"]).json();
    assert_eq!((&report["indexed"], &report["documents"]), (&json!(1), &json!(3)));
    assert_eq!(place.search("a.idx", "ice", "lexical"), ["2"]);
    assert_eq!(place.search("a.idx", "heat", "lexical").len(), 0);
    assert_eq!(place.search("a.idx", "ice", "dense").len(), 3);

    let deleted = place.run(&["delete", "a.idx", "2", "77", "--json"]).json();
    assert_eq!(deleted, json!({"deleted": 1, "not_found": 1}));
    assert_eq!(place.search("a.idx", "ice", "lexical").len(), 0);
    assert_eq!(place.search("a.idx", "ice", "dense").len(), 2);
    place.run(&["get", "a.idx", "2"]).fails(5, &["2"]);
    let deleted = place.run(&["delete", "a.idx", "--query", "year:<1960", "--json"]).json();
    assert_eq!(deleted["deleted"], 1);
    assert_eq!(place.search("a.idx", "ice", "dense"), ["3"]);

    place.run(&["compact", "a.idx"]).succeeds();
    let stats = place.run(&["stats", "a.idx", "--json"]).json();
    assert_eq!(
        [&stats["documents"], &stats["deleted_documents"], &stats["segments"]],
        [&json!(1), &json!(0), &json!(1)]
    );
    assert_eq!(place.search("a.idx", "bread", "hybrid"), ["3"]);
}

#[test]
fn bulk_actions_do_what_elasticsearch_does() {
    let place = Workplace::with_books();
    place.write(
        "a.ndjson",
        concat!(
            "{\"create\": {\"_id\": \"4\"}}\n{\"title\": \"Four\", \"text\": \"a fourth text\"}\n",
            "{\"delete\": {\"_id\": \"3\"}}\n",
            "{\"update\": {\"_id\": \"1\"}}\n{\"doc\": {\"title\": \"A propeller\"}}\n",
            "{\"update\": {\"_id\": \"5\"}}\n{\"doc\": {\"title\": \"Five\"}, \"doc_as_upsert\": true}\n",
            "{\"index\": {\"_id\": \"2\"}}\n{\"title\": \"Two\"}\n",
        ),
    );
    let report = place.run(&["index", "a.idx", "a.ndjson", "--json"]).json();
    assert_eq!([&report["indexed"], &report["deleted"], &report["documents"]], [&json!(4), &json!(1), &json!(4)]);
    let source = |id: &str| place.run(&["get", "a.idx", id]).json()["_source"].clone();
    assert_eq!(source("1")["title"], "A propeller");
    assert_eq!(source("1")["year"], 1958);
    assert_eq!(source("2"), json!({"title": "Two"}));
    assert_eq!(source("5"), json!({"title": "Five"}));
    place.run(&["get", "a.idx", "3"]).fails(5, &["3"]);
    // What cannot be done is named.
    place.write("b.ndjson", "{\"create\": {\"_id\": \"4\"}}\n{\"title\": \"Again\"}\n{\"update\": {\"_id\": \"99\"}}\n{\"doc\": {\"title\": \"x\"}}\n");
    let outcome = place.run(&["index", "a.idx", "b.ndjson", "--on-error", "skip", "--json"]);
    assert_eq!(outcome.says(&["b.ndjson:2", "exists", "b.ndjson:4", "does not exist"]).json()["skipped"], 2);
    place.run(&["index", "a.idx", "b.ndjson"]).fails(6, &["b.ndjson:2"]);
    assert_eq!(source("4")["title"], "Four");
}

#[test]
fn indexing_again_embeds_nothing() {
    let place = Workplace::with_books();
    let again = |args: &[&str]| place.run(&[&["index"], args, &["books.jsonl", "--json"]].concat()).json();
    let same = again(&["a.idx"]);
    assert_eq!([&same["indexed"], &same["unchanged"], &same["embedded"]], [&json!(0), &json!(3), &json!(0)]);
    // A new index of the same texts takes its vectors from the cache.
    let model = tiny("bi-encoder");
    let fresh = again(&["b.idx", "--model", &model]);
    assert_eq!([&fresh["indexed"], &fresh["embedded"]], [&json!(3), &json!(0)]);
    let rewritten = again(&["a.idx", "--rewrite"]);
    assert_eq!(
        [&rewritten["indexed"], &rewritten["embedded"], &rewritten["documents"]],
        [&json!(3), &json!(0), &json!(3)]
    );
    let uncached = again(&["c.idx", "--model", &model, "--no-cache"]);
    assert!(uncached["embedded"].as_u64().unwrap() >= 3);
    for plan in ["lexical", "dense", "hybrid"] {
        assert_eq!(place.search("c.idx", "wing", plan), place.search("b.idx", "wing", plan));
    }
}

#[test]
fn a_mapping_is_json_or_yaml() {
    let place = Workplace::new();
    place.write("books.jsonl", BOOKS);
    let model = tiny("bi-encoder");
    let body = json!({"mappings": {"dynamic": false, "properties": {
        "title": {"type": "text", "analyzer": "english", "fields": {"raw": {"type": "keyword"}}},
        "text": {"type": "text"},
        "meaning": {"type": "semantic_text", "inference_id": model, "copy_from": "text", "context_from": "title"}}}});
    place.write("mapping.json", body.to_string());
    place.write(
        "mapping.yaml",
        format!(
            "mappings:\n  dynamic: false\n  properties:\n    title: {{type: text, analyzer: english, fields: {{raw: {{type: keyword}}}}}}\n    \
             text: {{type: text}}\n    meaning:\n      type: semantic_text\n      inference_id: {model}\n      copy_from: text\n      context_from: title\n"
        ),
    );
    for file in ["mapping.json", "mapping.yaml"] {
        let index = format!("{file}.idx");
        place.run(&["index", &index, "books.jsonl", "--mapping", file]).succeeds();
        assert_eq!(place.search(&index, "title:wings", "lexical"), ["1"], "stemmed");
        assert_eq!(place.search(&index, "title.raw:\"Heat transfer\"", "lexical"), ["2"]);
        assert_eq!(place.search(&index, "oven", "hybrid").len(), 3);
    }
    let definition = |index: &str| place.run(&["stats", index, "--json"]).json()["definition"].clone();
    assert_eq!(definition("mapping.json.idx"), definition("mapping.yaml.idx"));
}

#[test]
fn an_array_of_paragraphs_gives_a_passage_each() {
    let place = Workplace::new();
    place.write(
        "wiki.jsonl",
        "{\"id\": \"7\", \"title\": \"Ted Cassidy\", \"paragraphs\": [\"Ted Cassidy was an American actor.\", \"He was best known for his roles as Lurch and Thing.\"]}\n\
         {\"id\": \"8\", \"title\": \"Bread\", \"paragraphs\": [\"Bread is a food.\", \"It is baked from dough.\", \"Dough is flour and water.\"]}\n",
    );
    let report = place.run(&["index", "a.idx", "wiki.jsonl", "--model", &tiny("bi-encoder"), "--json"]).json();
    assert_eq!(report["documents"], 2);
    assert!(report["passages"].as_u64().unwrap() >= 5, "{report}");
    let response = place.run(&["search", "a.idx", "dough", "--plan", "hybrid", "--json"]).json();
    assert_eq!(response["hits"][0]["_id"], "8");
    let hits = response["hits"].as_array().unwrap();
    for hit in hits {
        let passage = &hit["provenance"]["passage"];
        let idx = passage["value_idx"].as_u64().unwrap() as usize;
        let (start, end) = (passage["start"].as_u64().unwrap() as usize, passage["end"].as_u64().unwrap() as usize);
        let mut texts = vec![hit["_source"]["title"].as_str().unwrap()];
        texts.extend(hit["_source"]["paragraphs"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()));
        let shown = passage["text"].as_str().unwrap();
        assert!(texts.iter().any(|text| text.get(start..end) == Some(shown)), "{idx} {passage}");
    }
}

#[test]
fn a_plan_file_re_ranks() {
    let place = Workplace::with_books();
    place.write(
        "plan.yaml",
        format!(
            "legs: [{{lexical: {{}}}}, {{dense: {{}}}}]\nfusion: {{rrf: {{}}}}\nrerank: {{model: {}, rerank_depth: 2}}\n",
            tiny("cross-encoder")
        ),
    );
    let response = place.run(&["search", "a.idx", "lift of a wing", "--plan", "plan.yaml", "--json"]).json();
    assert_eq!(response["plan"], "plan");
    assert_eq!(response["warnings"], json!([]));
    let hits = response["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 3);
    for (rank, hit) in (1..).zip(&hits[..2]) {
        let rerank = &hit["provenance"]["rerank"];
        assert_eq!(rerank["rank_after"], rank);
        assert!((0.0..=1.0).contains(&rerank["relevance"].as_f64().unwrap()), "{rerank}");
        assert!(rerank["tokens"].as_u64().unwrap() > 0);
    }
    assert_eq!(hits[2]["provenance"]["rerank"], Value::Null, "only two were read");
    let scores: Vec<f64> = hits.iter().map(|hit| hit["_score"].as_f64().unwrap()).collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
}

#[test]
fn the_shipped_cross_encoder_re_ranks_without_set_up_and_says_when_nothing_answers() {
    let place = Workplace::with_books();
    let query = "what makes the crust of a loaf";
    let response = place.run(&["search", "a.idx", query, "--plan", "hybrid-rerank", "--json"]).json();
    assert_eq!(response["warnings"], json!([]));
    assert_eq!(ids(&response)[0], "3");
    let relevance = |idx: usize| response["hits"][idx]["provenance"]["rerank"]["relevance"].as_f64().unwrap();
    assert!(relevance(0) > 0.5 && relevance(1) < 0.1 && relevance(2) < 0.1, "{response}");

    let sure = r#"{"legs": [{"lexical": {}}, {"dense": {}}], "rerank": {"min_score": 0.5}}"#;
    assert_eq!(place.search("a.idx", query, sure), ["3"]);
    assert!(place.search("a.idx", "who won the football match on sunday", sure).is_empty());
}

#[test]
fn explain_says_why() {
    let place = Workplace::with_books();
    let explain =
        |id: &str| place.run(&["explain", "a.idx", "slipstream", id, "--plan", "hybrid", "-n", "1", "--json"]);
    let found = explain("1").json();
    assert_eq!((&found["_id"], &found["plan"]), (&json!("1"), &json!("hybrid")));
    assert_eq!(found["legs"][0]["rank"], 1);
    let missed = explain("3").json();
    assert_eq!(missed["legs"][0]["score"], Value::Null);
    assert!(missed["legs"][1]["score"].is_number());
    explain("99").fails(5, &["99"]);
    let text = place.run(&["explain", "a.idx", "slipstream", "3", "--plan", "lexical"]).succeeds().stdout;
    assert!(text.contains("lexical: does not match"), "{text}");
}

#[test]
fn grep_finds_passages_in_files() {
    let place = Workplace::new();
    place.write(
        "notes.md",
        "# Wings\n\nThe lift of a wing in a slipstream.\n\n# Bread\n\nFlour and water in an oven.\n",
    );
    for kind in ["cross-encoder", "bi-encoder"] {
        let args = ["grep", "flour and water", "notes.md", "-n", "5", "--model", &tiny(kind)];
        let outcome = place.run(&[&args[..], &["--json"]].concat()).succeeds();
        let passages: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!passages.is_empty(), "{kind}");
        let scores: Vec<f64> = passages.iter().map(|passage| passage["score"].as_f64().unwrap()).collect();
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{kind} {scores:?}");
        for passage in &passages {
            assert_eq!(passage["file"], "notes.md");
            assert!(passage["first_line"].as_u64() <= passage["last_line"].as_u64());
        }
        assert!(place.run(&args).succeeds().stdout.contains("notes.md:"));
    }
    place.run(&["grep", "x", "none.md", "--model", &tiny("bi-encoder")]).fails(5, &["none.md"]);
}

#[test]
fn models_are_listed_shown_and_checked() {
    let place = Workplace::new();
    let known = place.run(&["models", "list", "--json"]).json();
    let names: Vec<&str> = known.as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    for name in ["bge-small-en-v1.5", "all-MiniLM-L6-v2"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(place.run(&["models", "list"]).succeeds().stdout.contains("bge-small-en-v1.5"));
    let shown = place.run(&["models", "show", &tiny("bi-encoder"), "--json"]).json();
    assert_eq!((&shown["dims"], &shown["place"]), (&json!(32), &json!("folder")));
    place.run(&["models", "show", "no-such-model"]).fails(5, &["no-such-model"]);
    place.run(&["models", "check", &tiny("cross-encoder")]).succeeds();
    // Offline: the error names the ways that work without the hub.
    place.run(&["models", "pull", "intfloat/e5-small-v2"]).fails(8, &["e5-small-v2", "offline"]);
}

#[test]
fn completions_and_help_are_printed() {
    let place = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).succeeds().stdout.contains("bifocal"), "{shell}");
    }
    assert!(place.run(&["search", "--help"]).succeeds().stdout.contains("Example:"));
    place.run(&["serach"]).fails(2, &["serach"]);
}

#[test]
fn another_systems_run_is_re_ranked() {
    let place = Workplace::with_books();
    place.write("queries.tsv", "q1\tlift of a wing\nq2\toven\nq3\theat\n");
    place.write("other.run", "q1 Q0 3 1 9.5 other\nq1 Q0 1 2 9.1 other\nq1 Q0 77 3 9 other\nq2 Q0 2 1 3 other\n");
    let args = ["run", "a.idx", "--queries", "queries.tsv", "--candidates", "other.run", "--plan"];
    let ids = |plan: &str| {
        let printed = place.run(&[&args[..], &[plan]].concat()).succeeds().stdout;
        printed.lines().map(|line| line.split(' ').step_by(2).take(2).collect::<Vec<_>>().join(":")).collect::<Vec<_>>()
    };
    assert_eq!(ids("dense"), ["q1:1", "q1:3", "q2:2"]);
    // The lexical leg finds only what has the words.
    assert_eq!(ids("lexical"), ["q1:1"]);
    place.write("torn.run", "q1 Q0 3 1\n");
    place
        .run(&["run", "a.idx", "--queries", "queries.tsv", "--candidates", "torn.run"])
        .fails(3, &["torn.run:1", "4 columns"]);
}

#[test]
fn a_collection_is_evaluated() {
    let place = Workplace::new();
    let cranfield = fixture("cranfield");
    place.run(&["index", "a.idx", &cranfield, "--lexical-only"]).succeeds();
    let figures = place.run(&["eval", &cranfield, "--index", "a.idx", "--plans", "lexical", "--json", "-"]).json();
    let plan = &figures["plans"][0];
    assert_eq!(plan["name"], "lexical");
    assert!(
        plan["metrics"].as_object().unwrap().values().all(|value| (0.2..=1.0).contains(&value.as_f64().unwrap())),
        "{plan}"
    );
}

/// `bifocal search ... | head`, and a disk that is full behind `>`.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_has_seen_enough_is_no_fault_and_a_full_disk_is_said() {
    let place = Workplace::with_books();
    for args in [&["search", "a.idx", "wing", "--plan", "lexical"][..], &["stats", "a.idx"], &["models", "list"]] {
        let mut child = place
            .std_command(env!("CARGO_BIN_EXE_bifocal"))
            .args(args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""), "{args:?}");
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended =
            place.std_command(env!("CARGO_BIN_EXE_bifocal")).args(args).stdout(full.into_parts().0).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(12), "{args:?}: {said}");
        assert!(said.contains("standard output: No space left"), "{said}");
    }
}
