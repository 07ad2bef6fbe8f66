//! A folder for a test, and the `bifocal` command run in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

/// A new folder in which `bifocal` runs, with a cache of its own and no network.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

/// `bifocal serve` as a process of its own, on a free port; killed when dropped.
pub(crate) struct ServerProcess {
    place: Workplace,
    args: Vec<String>,
    child: Child,
    url: String,
    log: Option<std::thread::JoinHandle<String>>,
}

impl ServerProcess {
    /// Serves the new folder `data`, and waits for the line that says where.
    pub(crate) fn start() -> Self {
        Self::start_with(Workplace::new(), &[])
    }

    /// Serves `data` in this workplace, with more arguments.
    pub(crate) fn start_with(place: Workplace, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let (child, url, log) = spawn(&place, &args);
        Self { place, args, child, url, log: Some(log) }
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder of indices.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.path("data")
    }

    pub(crate) fn place(&self) -> &Workplace {
        &self.place
    }

    /// A request with a JSON body, or none for `Value::Null`; the answer's status and JSON (null where it has none).
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send_text(method, path, "application/json", &text)
    }

    /// As [`ServerProcess::send`], with any text as the body (`_bulk`).
    pub(crate) fn send_text(&self, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let (status, text) = request(&format!("{}{path}", self.url), method, content_type, body);
        let json =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        (status, json)
    }

    /// As [`ServerProcess::send`]; the answer must be a success.
    #[track_caller]
    pub(crate) fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; waits for the end. Returns the exit code and what stood on standard error.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.log.take().unwrap().join().unwrap())
    }

    /// Starts again on the same folder, after [`ServerProcess::kill`] or [`ServerProcess::terminate`]; the port is another.
    pub(crate) fn restart(&mut self) {
        let (child, url, log) = spawn(&self.place, &self.args);
        (self.child, self.url, self.log) = (child, url, Some(log));
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(place: &Workplace, args: &[String]) -> (Child, String, std::thread::JoinHandle<String>) {
    let mut command = place.std_command(env!("CARGO_BIN_EXE_bifocal"));
    command.args(["serve", "data", "--port", "0"]).args(args);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
        text
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Some(url) = line.split(' ').find(|word| word.starts_with("http")) else {
        panic!("the server did not start: {line:?} {}", log.join().unwrap());
    };
    (child, url.trim().to_string(), log)
}

/// One request on a connection of its own; the answer's status and body. Statuses are no errors.
pub(crate) fn request(url: &str, method: &str, content_type: &str, body: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if !body.is_empty() {
        request = request.header("content-type", content_type);
    }
    let mut answer = agent.run(request.body(body.to_string()).unwrap()).unwrap();
    (answer.status().as_u16(), answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap())
}

/// What a run of `bifocal` gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with the index `a.idx` of [`BOOKS`], embedded by the tiny model.
    pub(crate) fn with_books() -> Self {
        let place = Self::new();
        place.write("books.jsonl", BOOKS);
        place.run(&["index", "a.idx", "books.jsonl", "--model", &tiny("bi-encoder")]).succeeds();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and its parent folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    /// `bifocal` in this folder, to be given arguments.
    pub(crate) fn command(&self) -> Command {
        Command::from_std(self.std_command(env!("CARGO_BIN_EXE_bifocal")))
    }

    /// A program in this folder, with the surroundings that tests have.
    pub(crate) fn std_command(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command.current_dir(self.folder.path());
        for name in ["BIFOCAL_MODELS", "BIFOCAL_LOG", "BIFOCAL_THREADS", "BIFOCAL_INFERENCE_MEMORY"] {
            command.env_remove(name);
        }
        command.env("BIFOCAL_CACHE", self.path("cache")).env("BIFOCAL_OFFLINE", "true");
        command.env("HF_HOME", self.path("hub"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.command().args(args))
    }

    pub(crate) fn run_with_stdin(&self, args: &[&str], stdin: impl Into<Vec<u8>>) -> Outcome {
        Outcome::of(self.command().args(args).write_stdin(stdin.into()))
    }

    /// The ids that a search finds, best first.
    pub(crate) fn search(&self, index: &str, query: &str, plan: &str) -> Vec<String> {
        ids(&self.run(&["search", index, query, "--plan", plan, "--size", "100", "--json"]).json())
    }

    pub(crate) fn num_documents(&self, index: &str) -> u64 {
        self.run(&["stats", index, "--json"]).json()["documents"].as_u64().unwrap()
    }

    /// The index `a.idx` holds [`BOOKS`], and both legs answer.
    pub(crate) fn books_answer(&self) {
        assert_eq!(self.num_documents("a.idx"), 3);
        assert_eq!(self.search("a.idx", "slipstream", "lexical"), ["1"]);
        assert_eq!(self.search("a.idx", "slipstream", "dense").len(), 3);
    }
}

impl Outcome {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Ended with this exit code, and said all of these on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.says(said)
    }

    #[track_caller]
    pub(crate) fn says(self, said: &[&str]) -> Self {
        for text in said {
            assert!(self.stderr.contains(text), "{text:?} is not in {}", self.stderr);
        }
        self
    }

    /// The one JSON value on standard output.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let outcome = self.succeeds();
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
    }
}

/// The ids of a response's hits.
pub(crate) fn ids(response: &Value) -> Vec<String> {
    let hits = response["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_string()).collect()
}

/// The folder of a tiny model: `bi-encoder` or `cross-encoder`.
pub(crate) fn tiny(kind: &str) -> String {
    fixture(&format!("models/tiny-{kind}"))
}

pub(crate) fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

/// Three documents.
pub(crate) const BOOKS: &str = r#"{"_id": "1", "title": "A wing in a slipstream", "text": "The lift of a wing in the slipstream of a propeller was measured in a tunnel.", "year": 1958}
{"_id": "2", "title": "Heat transfer", "text": "Heat flows through the boundary layer of a blunt body at high speed.", "year": 1962}
{"_id": "3", "title": "Bread", "text": "Flour, water, salt and time make bread; a hot oven makes its crust.", "year": 2001}
"#;
