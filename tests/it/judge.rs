//! `bifocal judge` as a process: its API, its file after kill -9, and its page in a browser.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::browser::Page;
use super::util::{Outcome, Workplace};

const QUERIES: &str = "{\"_id\": \"q1\", \"text\": \"lift of a wing\"}\n{\"_id\": \"q2\", \"text\": \"hot oven\"}\n";

/// Everything in the books' index is judged for two queries.
const ARGS: [&str; 10] = [
    "judge",
    "a.idx",
    "--queries",
    "queries.jsonl",
    "--qrels",
    "a.qrels",
    "--plans",
    "lexical,dense,hybrid",
    "--depth",
    "3",
];

fn books() -> Workplace {
    let place = Workplace::with_books();
    place.write("queries.jsonl", QUERIES);
    place
}

/// A running `bifocal judge`; it is killed when this is dropped.
struct Judge {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// What was printed until the address.
    printed: String,
    url: String,
    address: String,
    token: String,
}

impl Judge {
    fn start(place: &Workplace, args: &[&str]) -> Self {
        let mut command = place.std_command(env!("CARGO_BIN_EXE_bifocal"));
        let mut process = command.args(args).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut printed = String::new();
        let url = loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended before it said where: {printed}");
            printed.push_str(&line);
            if let Some(url) = line.trim_end().strip_prefix("open ") {
                break url.to_string();
            }
        };
        let (address, token) = url.strip_prefix("http://").unwrap().split_once("/#").unwrap();
        let (address, token) = (address.to_string(), token.to_string());
        Self { process, stdout, printed, url, address, token }
    }

    /// The status, the head in lower case and the body that a request with these headers gets; an error where the process dies
    /// before it has answered.
    fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, head.to_ascii_lowercase(), body.to_string()))
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        self.try_request(method, path, headers, body).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.try_ask(method, path, body).unwrap()
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let mut headers = vec![("Host", self.address.as_str()), ("X-Bifocal-Token", self.token.as_str())];
        if !body.is_null() {
            headers.push(("Content-Type", "application/json"));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, _, answer) = self.try_request(method, path, &headers, &body)?;
        Ok((status, serde_json::from_str(&answer)?))
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    #[track_caller]
    fn grade(&self, pair: u64, grade: i32) -> Value {
        let (status, answer) = self.ask("POST", "/api/judgment", &json!({"pair": pair, "grade": grade}));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// (query, document) of every pair, in order.
    fn pairs(&self) -> Vec<(String, String)> {
        let num_pairs = self.get("/api/state")["progress"]["pairs"].as_u64().unwrap();
        let pair = |pair: u64| {
            let answer = self.get(&format!("/api/pair/{pair}"));
            let text = |value: &Value| value.as_str().unwrap().to_string();
            (text(&answer["pair"]["query"]["id"]), text(&answer["pair"]["document"]["id"]))
        };
        (0..num_pairs).map(pair).collect()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ctrl-C: the exit code, and all that was printed.
    fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut printed = self.printed.clone();
        self.stdout.read_to_string(&mut printed).unwrap();
        (self.process.wait().unwrap().code(), printed)
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The qrels on disk; every line is whole, and no pair is there twice.
fn qrels(place: &Workplace) -> BTreeMap<(String, String), i32> {
    let text = fs_err::read_to_string(place.path("a.qrels")).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let mut judged = BTreeMap::new();
    for line in text.lines() {
        let [query, "0", document, grade] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let before = judged.insert((query.to_string(), document.to_string()), grade.parse().unwrap());
        assert_eq!(before, None, "{line:?} is there twice");
    }
    judged
}

#[test]
fn judgments_survive_kill_9_and_the_next_session_goes_on() {
    let place = books();
    place.write("a.qrels", "other 0 d9 1\n");
    let mut expected = BTreeMap::from([(("other".to_string(), "d9".to_string()), 1)]);
    let judge = Judge::start(&place, &ARGS);
    assert!(judge.printed.contains("0 of 6 pairs judged, 0 of 2 queries complete"), "{}", judge.printed);
    let pairs = judge.pairs();
    let state = judge.get("/api/state");
    assert_eq!(state["pair"]["pair"], 0);
    assert_eq!(state["grades"], json!(["not relevant", "related", "relevant", "perfect"]));
    assert_eq!((&state["progress"]["pairs"], &state["progress"]["queries"]), (&json!(6), &json!(2)));
    assert_eq!(pairs.iter().collect::<BTreeSet<_>>().len(), 6);
    assert!(pairs[..3].iter().all(|(query, _)| query == "q1"), "{pairs:?}");

    let answer = judge.grade(0, 3);
    assert_eq!((&answer["progress"]["judged"], &answer["pair"]["pair"]), (&json!(1), &json!(1)));
    judge.grade(1, 0);
    judge.grade(4, 2);
    judge.grade(1, 1);
    expected.insert(pairs[0].clone(), 3);
    expected.insert(pairs[1].clone(), 1);
    expected.insert(pairs[4].clone(), 2);
    assert_eq!(qrels(&place), expected);
    judge.kill();
    assert_eq!(qrels(&place), expected);

    let judge = Judge::start(&place, &ARGS);
    assert!(judge.printed.contains("3 of 6 pairs judged"), "{}", judge.printed);
    assert_eq!(judge.pairs(), pairs, "the order is the same again");
    let state = judge.get("/api/state");
    assert_eq!((&state["pair"]["pair"], &state["progress"]["judged"]), (&json!(2), &json!(3)));
    assert_eq!(judge.get("/api/pair/1")["pair"]["grade"], 1);
    // Undo takes back what this session did, and nothing before.
    judge.grade(2, 2);
    judge.grade(0, 0);
    let undone = judge.ask("POST", "/api/undo", &json!({}));
    assert_eq!((undone.0, &undone.1["pair"]["pair"], &undone.1["pair"]["grade"]), (200, &json!(0), &json!(3)));
    let undone = judge.ask("POST", "/api/undo", &json!({}));
    assert_eq!((undone.0, &undone.1["pair"]["pair"], &undone.1["pair"]["grade"]), (200, &json!(2), &Value::Null));
    let (status, answer) = judge.ask("POST", "/api/undo", &json!({}));
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("nothing to undo"), "{answer}");
    assert_eq!(qrels(&place), expected);

    let mut last = Value::Null;
    for pair in [2, 3, 5] {
        last = judge.grade(pair, 0);
        expected.insert(pairs[pair as usize].clone(), 0);
    }
    assert_eq!((&last["pair"], &last["progress"]["queries_done"]), (&Value::Null, &json!(2)));
    assert!(last["next_steps"][0].as_str().unwrap().contains("bifocal eval --qrels a.qrels"), "{last}");
    // A browser's open connection does not keep it.
    let _idle = TcpStream::connect(&judge.address).unwrap();
    let (code, printed) = judge.interrupt();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("6 of 6 pairs judged, 2 of 2 queries complete; they are in a.qrels"), "{printed}");
    assert!(printed.contains("bifocal eval --qrels a.qrels --queries queries.jsonl --index a.idx"), "{printed}");
    assert!(printed.contains("bifocal tune"), "{printed}");
    assert_eq!(qrels(&place), expected);
}

#[test]
fn killed_while_judging_it_keeps_all_that_was_confirmed() {
    let place = books();
    let mut confirmed: BTreeMap<(String, String), i32> = BTreeMap::new();
    for round in 0..4_i32 {
        let judge = Judge::start(&place, &ARGS);
        let pairs = judge.pairs();
        let (sender, answers) = std::sync::mpsc::channel();
        let under_way = std::thread::scope(|scope| {
            let (judge, pairs) = (&judge, &pairs);
            scope.spawn(move || {
                for step in 0.. {
                    let pair = step % pairs.len();
                    let grade = (step as i32 / pairs.len() as i32 + round) % 4;
                    sender.send((pair, grade, false)).unwrap();
                    let Ok((status, _)) =
                        judge.try_ask("POST", "/api/judgment", &json!({"pair": pair, "grade": grade}))
                    else {
                        return;
                    };
                    assert_eq!(status, 200);
                    sender.send((pair, grade, true)).unwrap();
                }
            });
            let mut last = None;
            let mut num_confirmed = 0;
            for (pair, grade, is_confirmed) in answers {
                last = Some((pairs[pair].clone(), grade));
                if is_confirmed {
                    confirmed.insert(pairs[pair].clone(), grade);
                    num_confirmed += 1;
                    if num_confirmed == 5 + round {
                        let pid = judge.process.id().to_string();
                        assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
                    }
                }
            }
            last
        });
        judge.kill();
        // What was under way may have reached the disk or not; everything else is exactly as confirmed.
        let on_disk = qrels(&place);
        let (pair, grade) = under_way.unwrap();
        let mut with_last = confirmed.clone();
        with_last.insert(pair, grade);
        assert!(on_disk == confirmed || on_disk == with_last, "{on_disk:?} is neither {confirmed:?} nor {with_last:?}");
        confirmed = on_disk;
    }
    assert_eq!(confirmed.len(), 6);
}

#[test]
fn the_pool_has_every_plan_s_best_and_hides_who_found_them() {
    let place = books();
    let start = |plans: &str, depth: &str| {
        Judge::start(
            &place,
            &["judge", "a.idx", "--queries", "queries.jsonl", "--qrels", "b.qrels", "--plans", plans, "--depth", depth],
        )
    };
    let judge = start("lexical,dense", "1");
    let pool: BTreeSet<(String, String)> = judge.pairs().into_iter().collect();
    let mut expected = BTreeSet::new();
    for plan in ["lexical", "dense"] {
        for (query, text) in [("q1", "lift of a wing"), ("q2", "hot oven")] {
            expected.insert((query.to_string(), place.search("a.idx", text, plan)[0].clone()));
        }
    }
    assert_eq!(pool, expected);
    drop(judge);

    let judge = start("dense,lexical,hybrid", "3");
    let pairs = judge.pairs();
    let shown = format!("{}{}{}", judge.get("/api/state"), judge.get("/api/pair/1"), judge.grade(0, 1));
    for secret in ["lexical", "dense", "hybrid", "score", "rank", "leg"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    drop(judge);
    // Which plan found a document, and where it stood, does not show in the order.
    assert_eq!(start("dense", "3").pairs(), pairs);
}

#[test]
fn what_is_shown_is_the_document_with_the_query_s_words_marked() {
    let place = books();
    let judge = Judge::start(&place, &ARGS);
    let at = judge.pairs().iter().position(|(query, document)| query == "q1" && document == "1").unwrap();
    let pair = judge.get(&format!("/api/pair/{at}"))["pair"].clone();
    assert_eq!(pair["query"]["text"], "lift of a wing");
    assert_eq!(pair["query"]["pairs"].as_array().unwrap().len(), 3);
    assert_eq!(pair["document"]["title"], json!(["A ", "wing", " in a slipstream"]));
    let runs: Vec<String> = serde_json::from_value(pair["document"]["parts"][0]["runs"].clone()).unwrap();
    assert_eq!(runs.concat(), "The lift of a wing in the slipstream of a propeller was measured in a tunnel.");
    assert_eq!((runs[1].as_str(), runs[3].as_str()), ("lift", "wing"));
    assert_eq!(pair["document"]["facts"], json!([["year", "1958"]]));
}

#[test]
fn runs_of_other_systems_join_the_pool_and_pairs_may_come_in_turn() {
    let place = books();
    place.write(
        "other.run",
        "q1 Q0 3 1 2.5 other\nq1 Q0 nowhere 2 2.0 other\nq2 Q0 2 1 1.0 other\nq9 Q0 1 1 1.0 other\n",
    );
    let args = ["judge", "a.idx", "--queries", "queries.jsonl", "--qrels", "a.qrels", "--plans", "lexical"];
    let more = ["--run", "other.run", "--depth", "2", "--order", "interleaved", "--grades", "no,yes"];
    let judge = Judge::start(&place, &[&args[..], &more[..]].concat());
    let pairs = judge.pairs();
    let queries: Vec<&str> = pairs.iter().map(|(query, _)| query.as_str()).collect();
    assert_eq!(queries[..4], ["q1", "q2", "q1", "q2"]);
    for pair in [("q1", "1"), ("q1", "3"), ("q2", "3"), ("q2", "2")] {
        assert!(pairs.contains(&(pair.0.to_string(), pair.1.to_string())), "{pair:?} is not in {pairs:?}");
    }
    assert!(pairs.iter().all(|(_, document)| document != "nowhere"));
    assert_eq!(judge.get("/api/state")["grades"], json!(["no", "yes"]));
    let (status, answer) = judge.ask("POST", "/api/judgment", &json!({"pair": 0, "grade": 2}));
    assert_eq!(status, 400, "{answer}");
    drop(judge);
}

#[test]
fn only_who_has_the_token_and_comes_from_this_machine_is_answered() {
    let place = books();
    let judge = Judge::start(&place, &ARGS);
    let (host, token) = (("Host", judge.address.as_str()), ("X-Bifocal-Token", judge.token.as_str()));
    let json_type = ("Content-Type", "application/json");
    let body = json!({"pair": 0, "grade": 1}).to_string();
    let status = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let sent = if method == "POST" { body.as_str() } else { "" };
        judge.request(method, path, headers, sent).0
    };
    for path in ["/api/state", "/api/pair/0", "/api/nothing"] {
        assert_eq!(status("GET", path, &[host]), 401, "{path}");
        assert_eq!(status("GET", path, &[host, ("X-Bifocal-Token", "guess")]), 401, "{path}");
        assert_eq!(status("GET", path, &[("Host", "evil.example"), token]), 403, "{path}");
    }
    for path in ["/api/judgment", "/api/undo"] {
        assert_eq!(status("POST", path, &[host, json_type]), 401);
        assert_eq!(status("POST", path, &[("Host", "evil.example:80"), token, json_type]), 403);
    }
    // A form of another site cannot send JSON.
    assert_eq!(status("POST", "/api/judgment", &[host, token, ("Content-Type", "text/plain")]), 400);
    assert!(qrels(&place).is_empty());
    assert_eq!(status("POST", "/api/judgment", &[("Host", "localhost:9999"), token, json_type]), 200);
    assert_eq!(qrels(&place).len(), 1);

    let (page, head, text) = judge.request("GET", "/", &[host], "");
    assert_eq!(page, 200);
    assert!(head.contains("content-security-policy: default-src 'none'") && head.contains("no-store"), "{head}");
    assert!(!text.contains(&judge.token) && !text.contains("slipstream"));
    assert!(!text.contains("https://"), "the page asks the network for nothing");
    assert_eq!(status("GET", "/", &[("Host", "evil.example")]), 403);
}

#[test]
fn wrong_requests_are_answered_with_what_is_wrong() {
    let place = books();
    let judge = Judge::start(&place, &ARGS);
    let cases = [
        ("GET", "/api/pair/6", Value::Null, 404, "pairs are 0 to 5"),
        ("GET", "/api/pair/x", Value::Null, 400, "number"),
        ("GET", "/api/nothing", Value::Null, 404, "no such route"),
        ("POST", "/api/judgment", json!({"pair": 6, "grade": 1}), 404, "pairs are 0 to 5"),
        ("POST", "/api/judgment", json!({"pair": 0, "grade": 4}), 400, "grades are 0 to 3"),
        ("POST", "/api/judgment", json!({"pair": 0, "grade": -1}), 400, "grades are 0 to 3"),
        ("POST", "/api/judgment", json!({"pair": 0}), 400, "grade"),
        ("POST", "/api/judgment", json!({"pair": 0, "grade": 1, "note": "x"}), 400, "note"),
    ];
    for (method, path, body, status, said) in cases {
        let (found, answer) = judge.ask(method, path, &body);
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(said), "{said:?} is not in {answer}");
    }
    assert!(qrels(&place).is_empty());
    // Another program's change is not overwritten.
    judge.grade(0, 1);
    place.write("a.qrels", "q9 0 d9 1\n");
    let (status, answer) = judge.ask("POST", "/api/judgment", &json!({"pair": 1, "grade": 1}));
    assert_eq!(status, 409, "{answer}");
    assert_eq!(qrels(&place).len(), 1);
}

#[test]
fn wrong_arguments_and_files_are_refused_before_anything_is_served() {
    let place = books();
    let run = |args: &[&str]| Outcome::of(place.command().args(ARGS).args(args));
    place.write("a.qrels", "q1 0 1 2\nq1 1\n");
    run(&[]).fails(3, &["a.qrels:2", "2 columns", "left as it is"]);
    assert_eq!(fs_err::read_to_string(place.path("a.qrels")).unwrap(), "q1 0 1 2\nq1 1\n");

    // A line that a crash cut off is no reason to stop.
    place.write("a.qrels", "q1 0 1 2\nq1 0 2");
    let judge = Judge::start(&place, &ARGS);
    assert!(judge.printed.contains("1 of 6 pairs judged"), "{}", judge.printed);
    run(&[]).fails(11, &["another `bifocal judge` writes to this file"]);
    let port = judge.address.rsplit_once(':').unwrap().1;
    let args = ["judge", "a.idx", "--queries", "queries.jsonl", "--qrels", "b.qrels", "--port", port];
    place.run(&args).fails(12, &["cannot listen on port", "give another --port"]);
    drop(judge);
    assert_eq!(qrels(&place).len(), 1);

    run(&["--depth", "0"]).fails(2, &["--depth"]);
    run(&["--grades", "17"]).fails(2, &["1 to 9"]);
    place.write("queries.jsonl", "{\"_id\": \"q 1\", \"text\": \"wing\"}\n");
    run(&[]).fails(3, &["\"q 1\"", "white space"]);
    place.write("queries.jsonl", "{\"_id\": \"q1\"\n");
    run(&[]).fails(3, &["queries.jsonl:1"]);
    fs_err::remove_file(place.path("queries.jsonl")).unwrap();
    run(&[]).fails(5, &["queries.jsonl"]);
}

/// Presses a key and waits until the page says how many pairs are judged.
fn press(page: &mut Page, key: &str, progress: &str) {
    page.press(key);
    page.wait_until(&format!("document.querySelector('#progress').textContent.startsWith({})", json!(progress)));
}

#[test]
fn a_person_judges_with_the_keyboard_in_a_browser() {
    let place = books();
    let judge = Judge::start(&place, &ARGS);
    let pairs = judge.pairs();
    let graded = |pair: usize, grade: i32| (pairs[pair].clone(), grade);
    let mut page = Page::new();
    page.open(&judge.url);
    let is_shown = |page: &mut Page, pair: usize| {
        let id = json!(format!("id {}", pairs[pair].1));
        let query = if pairs[pair].0 == "q1" { "lift of a wing" } else { "hot oven" };
        page.wait_until(&format!(
            "document.querySelector('#document-id').textContent === {id} && document.querySelector('#query').textContent === {}",
            json!(query)
        ));
    };
    is_shown(&mut page, 0);
    assert!(page.text("#progress").starts_with("0 of 6 judged"));
    assert_eq!(page.text("#grades button:nth-child(3)"), "2Relevant");
    let at = pairs.iter().position(|(query, document)| query == "q1" && document == "1").unwrap();
    page.click(&format!("#pairs li:nth-child({}) button", at + 1));
    is_shown(&mut page, at);
    let words = "[...document.querySelectorAll('#texts mark')].map(mark => mark.textContent).join()";
    assert_eq!(page.eval(words), "lift,wing");
    page.click("#pairs li:first-child button");
    is_shown(&mut page, 0);

    press(&mut page, "2", "1 of 6");
    assert!(page.text("#said").contains("Graded 2, relevant"), "{}", page.text("#said"));
    is_shown(&mut page, 1);
    press(&mut page, "0", "2 of 6");
    assert_eq!(qrels(&place), BTreeMap::from([graded(0, 2), graded(1, 0)]));
    press(&mut page, "u", "1 of 6");
    is_shown(&mut page, 1);
    assert_eq!(qrels(&place), BTreeMap::from([graded(0, 2)]));
    // Back to the first, whose grade is changed; its old grade is shown as pressed.
    page.press("ArrowLeft");
    is_shown(&mut page, 0);
    assert_eq!(page.text("[aria-pressed=true]"), "2Relevant");
    page.press("3");
    is_shown(&mut page, 1);
    assert_eq!(qrels(&place), BTreeMap::from([graded(0, 3)]));
    page.press("s");
    is_shown(&mut page, 2);
    page.press("n");
    is_shown(&mut page, 3);
    assert!(page.text("#place").starts_with("Query 2 of 2"));
    page.press("k");
    is_shown(&mut page, 2);
    page.press("j");
    is_shown(&mut page, 3);

    // Help opens and closes by key, and grades nothing meanwhile.
    page.press("?");
    page.wait_until("document.querySelector('#help').open");
    page.press("1");
    page.press("Escape");
    page.wait_until("!document.querySelector('#help').open");
    assert_eq!(qrels(&place).len(), 1);

    // After a reload, and in a new session after kill -9, it goes on at the first pair without a grade.
    page.open("about:blank");
    page.open(&judge.url);
    is_shown(&mut page, 1);
    let old = judge.url.clone();
    judge.kill();
    page.press("1");
    page.wait_until("document.querySelector('#trouble').textContent.includes('Start the same command again')");
    assert_eq!(qrels(&place), BTreeMap::from([graded(0, 3)]));
    let (errors, is_gone) = (page.errors(), |error: &String| error.contains("ERR_CONNECTION_REFUSED"));
    assert!(errors.iter().all(is_gone), "{errors:?}");

    let judge = Judge::start(&place, &ARGS);
    let mut page = Page::new();
    page.open(&judge.url);
    is_shown(&mut page, 1);
    // Fingers instead of keys.
    for (pair, grade) in [(1, 1), (2, 0), (3, 2), (4, 3), (5, 0)] {
        is_shown(&mut page, pair);
        page.click(&format!("#grades button:nth-child({})", grade + 1));
    }
    page.wait_until("!document.querySelector('#done').hidden");
    assert!(page.text("#next-steps").contains("bifocal eval --qrels a.qrels"));
    let expected = [graded(0, 3), graded(1, 1), graded(2, 0), graded(3, 2), graded(4, 3), graded(5, 0)];
    assert_eq!(qrels(&place), BTreeMap::from(expected));
    press(&mut page, "u", "5 of 6");
    is_shown(&mut page, 5);

    let errors = page.errors();
    assert!(errors.is_empty(), "{errors:?}");
    let own = format!("http://{}/", judge.address);
    let strangers: Vec<String> =
        page.requests().into_iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:")).collect();
    assert_eq!(strangers, Vec::<String>::new());

    // The address of an earlier session says what to do.
    let stale = format!("http://{}/#{}", judge.address, old.split('#').nth(1).unwrap());
    let mut page = Page::new();
    page.open(&stale);
    page.wait_until("document.querySelector('#trouble').textContent.includes('earlier session')");
}

#[test]
fn the_page_fits_a_phone_in_light_and_dark() {
    let place = books();
    let long = format!(
        "{{\"_id\": \"q1\", \"text\": \"wing {}\", \"narrative\": \"x\"}}\n",
        "slipstream ".repeat(30) + &"unbreakable".repeat(12)
    );
    place.write("queries.jsonl", long);
    let judge = Judge::start(&place, &ARGS);
    let mut page = Page::new();
    for (width, height) in [(1280, 800), (360, 640), (320, 480)] {
        page.set_viewport(width, height);
        for scheme in ["light", "dark"] {
            page.set_media("screen", scheme);
            page.open("about:blank");
            page.open(&judge.url);
            page.wait_until("!document.querySelector('#document').hidden");
            assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), true, "{width} {scheme}");
            // Every button is inside of the window and large enough for a finger.
            let grades = page.eval(
                "[...document.querySelectorAll('#grades button, #moves button')].filter(button => button.offsetParent) \
                 .every(button => { const box = button.getBoundingClientRect(); \
                 return box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight && box.height >= 32; })",
            );
            assert_eq!(grades, true, "{width} {scheme}");
            page.picture(&format!("judge-{width}-{scheme}"));
        }
    }
    let errors = page.errors();
    assert!(errors.is_empty(), "{errors:?}");
}
