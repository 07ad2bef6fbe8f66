//! A running `bifocal serve`, and JSON over HTTP to any engine.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::util::Workplace;

/// Starting takes well under a second; a machine that compiles beside it is slower.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer: the status, and the body as JSON where it is JSON (a string otherwise, null where it is empty).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Value,
}

/// Speaks to one engine.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) url: String,
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .allow_non_standard_methods(true)
            .build()
            .new_agent();
        Self { url: url.into(), agent }
    }

    /// Sends a request; `path` starts with a slash and is sent as it stands. Headers are (name, value).
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body).unwrap())?,
            None => self.agent.run(request.body(()).unwrap())?,
        };
        let bytes = answer.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A request with a JSON body, or none.
    #[track_caller]
    pub(crate) fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        self.send(method, path, headers, body.as_deref().map(str::as_bytes))
    }

    /// A request with newline-delimited JSON.
    #[track_caller]
    pub(crate) fn ndjson(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("content-type", "application/x-ndjson")], Some(body.as_bytes()))
    }
}

/// `bifocal serve` on a free port, with a data folder of its own. It dies with this value.
pub(crate) struct ServerProcess {
    process: Child,
    pub(crate) client: Client,
    place: Workplace,
}

impl std::fmt::Debug for ServerProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerProcess").field("url", &self.client.url).finish_non_exhaustive()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ServerProcess {
    pub(crate) fn start() -> Self {
        Self::start_with(&[], |_| {})
    }

    /// Starts it with more arguments, after a change to its command (environment).
    pub(crate) fn start_with(args: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let place = Workplace::new();
        let port = free_port();
        let log = fs_err::File::create(place.path("log")).unwrap();
        let mut command = place.std_command(env!("CARGO_BIN_EXE_bifocal"));
        command.args(["serve", "data", "--port", &port.to_string()]).args(args);
        // The models that come with the repository; nothing is fetched.
        command.env("BIFOCAL_MODELS", concat!(env!("CARGO_MANIFEST_DIR"), "/models"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap().into_file()).stderr(log.into_file());
        change(&mut command);
        let process = command.spawn().unwrap();
        let client = Client::new(format!("http://127.0.0.1:{port}"));
        let mut server = Self { process, client, place };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < START_TIMEOUT, "the server did not start: {}", server.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    /// A path in the folder where the server runs (`data` is its data).
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path(name)
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
