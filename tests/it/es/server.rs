//! A running `bifocal serve`, and JSON over HTTP to any engine.

use std::time::Duration;

use serde_json::Value;

use crate::util::{ServerProcess, Workplace};

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
        let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = if media_type.starts_with("text/") {
            // `_cat`: a count alone is a text, and so is nothing.
            Value::String(text)
        } else if text.is_empty() {
            Value::Null
        } else if media_type.contains("yaml") {
            serde_norway::from_str(&text).unwrap_or(Value::String(text))
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
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

/// `bifocal serve` on a free port with a data folder of its own, and a client of it. It dies with this value.
pub(crate) struct Served {
    pub(crate) client: Client,
    pub(crate) process: ServerProcess,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more arguments.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let process = ServerProcess::start_with(Workplace::new(), args);
        Self { client: Client::new(process.url()), process }
    }
}
