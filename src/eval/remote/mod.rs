//! Another engine beside ours: a live Elasticsearch or OpenSearch index as a row of a comparison.
//!
//! In: the index's URL, or a file that says more ([`RemoteEngine::parse`]), and queries. Out: a [`Run`] and what each query took.
//! Invariant: what the engine leaves out (a shard that failed, a search that ran out of time) is an error and never a shorter
//! run, and credentials are printed nowhere. Read next: [`endpoint`] (the URL), [`definition`] (the file), [`template`] (the
//! search body), [`answer`] (hits or the engine's own words).

mod answer;
mod definition;
mod endpoint;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ureq::Agent;

use self::endpoint::Endpoint;
use self::template::Template;
use super::run::{Rankings, Run, ScoredDocument};
use crate::error::{Error, ErrorKind, Result};

pub use self::endpoint::without_credentials;

/// An index of a running Elasticsearch or OpenSearch, and how it is asked.
pub struct RemoteEngine {
    name: String,
    endpoint: Endpoint,
    template: Template,
    /// Authorization among them.
    headers: Vec<(String, String)>,
    id_field: Option<String>,
    timeout: Duration,
    agent: Agent,
    /// Whether it was asked before.
    is_connected: AtomicBool,
}

/// Time for an answer where a file says nothing else: far more than a search takes, far less than a user waits for a hanging one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for a connection: an address that does not answer is found out before the timeout of a search.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read: 10,000 hits (Elasticsearch's own limit) with long ids take a tenth.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

impl RemoteEngine {
    /// Finds an engine by what a user types where a plan may stand; `None` when the text names no engine.
    ///
    /// * `http://[user:password@]host:port/index`, or `https`: asked with a `multi_match` over the fields that the index searches by
    ///   default (`index.query.default_field`; all text fields if it says nothing), which works on any mapping. What stands
    ///   after `?` goes to the search as it is (`?search_pipeline=hybrid`). The name is `host:port/index`.
    /// * A JSON or YAML file with a `url` (and anything of `name`, `template`, `headers`, `api_key`, `user`, `password`, `id_field`,
    ///   `ca_file`, `verify_certificate`, `timeout_s`); `docs/engines/README.md` describes it. `template` is the body of the search: in its texts
    ///   `{{query}}` becomes the query and `{{size}}` the depth. The name is the file's, unless it says one.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidInput` for a URL without an index, and for a file (named, with the field) that has a `url` and a part that cannot be
    /// used.
    pub fn parse(text: &str) -> Option<Result<Self>> {
        if endpoint::is_url(text) {
            return Some(Self::at_url(text));
        }
        let path = Path::new(text);
        let is_file = path.extension().is_some_and(|extension| ["json", "yaml", "yml"].iter().any(|e| extension == *e));
        if !is_file {
            return None;
        }
        definition::read(path).map(|engine| engine.map_err(|error| error.in_file(path)))
    }

    fn at_url(text: &str) -> Result<Self> {
        let endpoint = Endpoint::parse(text)?;
        let agent = agent(&endpoint, DEFAULT_TIMEOUT, None);
        Ok(Self {
            name: endpoint.label.clone(),
            headers: endpoint.authorization().into_iter().collect(),
            endpoint,
            template: Template::default(),
            id_field: None,
            timeout: DEFAULT_TIMEOUT,
            agent,
            is_connected: AtomicBool::new(false),
        })
    }

    /// The row's name: `host:port/index`, or what the file says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the engine is asked, without credentials: for reports.
    pub fn description(&self) -> serde_json::Value {
        serde_json::json!({"url": self.endpoint.shown, "template": self.template.body()})
    }

    /// Asks the engine for `depth` documents of each query (id, text), one query at a time.
    ///
    /// Returns the run and, in the order of the queries, the milliseconds from sending a query to the last byte of its answer. The
    /// very first query is sent once before that, so that no figure holds the making of the connection. Scores are the engine's; where it
    /// returns none, or does not sort by them, they are counted from the end of the list, so that they keep its order. A document
    /// that comes twice keeps its best place. `progress` is called with the number of queries done.
    ///
    /// # Errors
    /// `Io` when the engine cannot be reached or fails, `NotFound` when it has no such index, `Busy` when it refuses for load,
    /// `InvalidPlan` when it refuses the search, each with the engine's reason; `InvalidInput` when the answer is no search
    /// response or only a part of one.
    pub fn run(
        &self,
        queries: &[(String, String)],
        depth: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Run, Vec<f64>)> {
        let mut rankings = Rankings::with_capacity(queries.len());
        let mut latencies_ms = Vec::with_capacity(queries.len());
        for (num_done, (id, text)) in (1..).zip(queries) {
            let in_query = |error: Error| {
                let message = format!("query {id}: {}", error.message());
                Error::new(error.kind(), message).with_source(error)
            };
            if !self.is_connected.swap(true, Ordering::Relaxed) {
                self.ask(text, depth).map_err(in_query)?;
            }
            let (ranking, latency_ms) = self.ask(text, depth).map_err(in_query)?;
            rankings.insert(id.clone(), ranking);
            latencies_ms.push(latency_ms);
            progress(num_done);
        }
        Ok((Run { name: self.name.clone(), rankings }, latencies_ms))
    }

    /// The documents of one query, best first, and the milliseconds that they took.
    fn ask(&self, query: &str, depth: usize) -> Result<(Vec<ScoredDocument>, f64)> {
        let body = self.template.fill(query, depth, self.id_field.as_deref()).to_string();
        let started = Instant::now();
        let mut request = self.agent.post(&self.endpoint.search_url).header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(&body).map_err(|error| self.unreachable(error))?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let answer = answer.map_err(|error| self.unreachable(error))?;
        let latency_ms = started.elapsed().as_secs_f64() * 1e3;
        let ranking = answer::read(status, &answer, self.id_field.as_deref(), depth).map_err(|error| {
            let message = format!("{} {}", self.endpoint.shown, error.message());
            Error::new(error.kind(), message).with_source(error)
        })?;
        Ok((ranking, latency_ms))
    }

    /// No answer came: where it was expected, why, and what to look at.
    fn unreachable(&self, error: ureq::Error) -> Error {
        let shown = &self.endpoint.shown;
        #[expect(clippy::wildcard_enum_match_arm, reason = "ureq's errors grow; most speak for themselves")]
        let message = match &error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                format!(
                    "{shown} cannot be reached within {} s; check host and port",
                    CONNECT_TIMEOUT.min(self.timeout).as_secs_f64()
                )
            }
            ureq::Error::Timeout(_) => format!(
                "{shown} did not answer within {} s; `timeout_s` in an engine's file allows more",
                self.timeout.as_secs_f64()
            ),
            ureq::Error::HostNotFound => format!("{shown} cannot be reached: there is no such host"),
            ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!("{shown} cannot be reached: nothing listens there; start the engine, or check host and port")
            }
            ureq::Error::BodyExceedsLimit(_) => {
                format!("{shown} answered with more than {MAX_ANSWER_BYTES} bytes; leave `_source` out of the template")
            }
            _ if self.endpoint.is_tls => format!(
                "{shown} cannot be reached: {error}; if it signs its own certificate, name that in an engine's file as `ca_file`"
            ),
            _ => format!("{shown} cannot be reached: {error}; check host and port, and whether it wants https"),
        };
        Error::new(ErrorKind::Io, message).with_source(error)
    }
}

/// Without the headers and with the URL as it is shown: they may hold credentials.
impl fmt::Debug for RemoteEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEngine")
            .field("name", &self.name)
            .field("url", &self.endpoint.shown)
            .field("template", self.template.body())
            .finish_non_exhaustive()
    }
}

/// Statuses are read from the answer, which has the engine's reason; a redirection is not followed, for it loses the body. Answers
/// are not compressed: a client beside the engine would not ask for that either.
fn agent(endpoint: &Endpoint, timeout: Duration, tls: Option<ureq::tls::TlsConfig>) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept_encoding(ureq::config::AutoHeaderValue::None)
        .user_agent(concat!("bifocal/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
        .timeout_global(Some(timeout));
    if endpoint.is_loopback {
        config = config.proxy(None);
    }
    if let Some(tls) = tls {
        config = config.tls_config(tls);
    }
    config.build().into()
}
