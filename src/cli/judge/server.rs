//! The page's server: loopback only, a few routes, JSON.
//!
//! | route | answer |
//! |---|---|
//! | `GET /`, `/page.css`, `/page.js` | the page; it holds no data |
//! | `GET /api/state` | grades, progress, and the first pair that is not judged |
//! | `GET /api/pair/N` | pair N, counted from 0 |
//! | `POST /api/judgment` `{"pair": N, "grade": G}` | progress, and the next pair that is not judged |
//! | `POST /api/undo` | progress, and the pair that was taken back |
//!
//! *Who may ask.* Anyone on this machine can reach a loopback port, and so can any web page in its browser. So `/api` wants
//! the session's random token in a header, which no other page knows or could send without asking first; the token travels in the
//! URL's fragment, which browsers send to nobody. The `Host` must be a loopback name, so that a foreign name which is
//! made to resolve to this machine gets nothing.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::view::{DocumentView, view};
use crate::error::{Error, ErrorKind};
use crate::eval::judge::{Progress, Session};
use crate::retrieve::Searcher;

/// The header that carries the token.
const TOKEN: &str = "x-bifocal-token";

/// What the page may do: its own style, its own script, its own API. An icon inside the page keeps browsers from asking for one.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What an answer under way may take after Ctrl-C; browsers keep connections open on which they never ask anything.
const GRACE: Duration = Duration::from_secs(1);

struct App {
    searcher: Searcher,
    session: Mutex<Session>,
    grades: Vec<String>,
    next_steps: Vec<String>,
    token: String,
}

/// Serves until Ctrl-C or termination; prints where. Returns how far the session is then.
pub(super) fn serve(
    port: u16,
    searcher: Searcher,
    session: Session,
    grades: Vec<String>,
    next_steps: Vec<String>,
) -> anyhow::Result<Progress> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let highest = grades.len() - 1;
    let app = Arc::new(App { searcher, session: Mutex::new(session), grades, next_steps, token: random_token() });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
            let text = format!("cannot listen on port {port} of this machine ({error}); give another --port, or 0");
            Error::new(ErrorKind::Io, text).with_source(error)
        })?;
        // Listens before the address is printed: who reads it may stop us at once.
        let stopped = stopped()?;
        let mut out = std::io::stdout();
        writeln!(out, "open http://{}/#{}", listener.local_addr()?, app.token)?;
        writeln!(
            out,
            "keys 0 to {highest} grade, u undoes, ? shows all keys; Ctrl-C ends, and the same command goes on"
        )?;
        let (told, was_told) = tokio::sync::oneshot::channel();
        let stopping = async move {
            stopped.await;
            let _ = told.send(());
        };
        let serving = axum::serve(listener, router(app.clone())).with_graceful_shutdown(stopping);
        let grace = async {
            let _ = was_told.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = serving.into_future() => ended?,
            () = grace => {}
        }
        anyhow::Ok(())
    })?;
    let progress = app.session().progress();
    Ok(progress)
}

impl App {
    /// A request that panicked leaves the session as it was on disk, so the lock is still good.
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when the user stops the program; listens from now on.
#[cfg(unix)]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when the user stops the program.
#[cfg(not(unix))]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// 128 bits from the seed that the operating system gives to hash maps.
fn random_token() -> String {
    let keys = RandomState::new();
    format!("{:016x}{:016x}", keys.hash_one("bifocal"), keys.hash_one("judge"))
}

fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/state", get(state))
        .route("/pair/{pair}", get(pair))
        .route("/judgment", post(judgment))
        .route("/undo", post(undo))
        .fallback(async || failure(StatusCode::NOT_FOUND, "there is no such route"))
        .layer(middleware::from_fn_with_state(app.clone(), only_with_token));
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("page.html"))))
        .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("page.css"))))
        .route("/page.js", get(async || file("text/javascript; charset=utf-8", include_str!("page.js"))))
        .nest("/api", api)
        .with_state(app)
        .layer(middleware::from_fn(only_loopback))
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, content_type)], content).into_response()
}

/// Refuses other host names, and says what browsers must not do with the answers.
async fn only_loopback(request: Request, next: Next) -> Response {
    let mut response = match is_loopback(request.headers()) {
        true => next.run(request).await,
        false => failure(StatusCode::FORBIDDEN, "this page is for this machine only; open it by the printed address"),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the `Host` is a name of this machine; the port may be another where it is forwarded.
fn is_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) | None => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

async fn only_with_token(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(TOKEN).map(HeaderValue::as_bytes).unwrap_or_default();
    // Hashes are compared in constant time.
    if blake3::hash(given) != blake3::hash(app.token.as_bytes()) {
        return failure(
            StatusCode::UNAUTHORIZED,
            "this address is of an earlier session; open the one that `bifocal judge` printed last",
        );
    }
    next.run(request).await
}

fn failure(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidPlan | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::Busy => StatusCode::CONFLICT,
            ErrorKind::Model
            | ErrorKind::ModelMismatch
            | ErrorKind::Corrupt
            | ErrorKind::Io
            | ErrorKind::Interrupted
            | ErrorKind::Internal => {
                tracing::error!(error = %self.0, "cannot answer");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        failure(status, &self.0.to_string())
    }
}

type Answer = Result<Json<Value>, Failure>;

/// Reading documents and syncing files block, so they run beside the threads that answer.
async fn blocking(app: Arc<App>, work: impl FnOnce(&App) -> crate::Result<Value> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(answer) => Ok(Json(answer?)),
        Err(error) => Err(Error::internal("a request failed").with_source(error).into()),
    }
}

async fn state(State(app): State<Arc<App>>) -> Answer {
    blocking(app, |app| {
        let mut session = app.session();
        session.reads(Instant::now());
        let mut answer = answer(app, &session, session.first_open())?;
        answer["grades"] = json!(app.grades);
        Ok(answer)
    })
    .await
}

async fn pair(State(app): State<Arc<App>>, pair: Result<Path<usize>, PathRejection>) -> Answer {
    let Path(pair) =
        pair.map_err(|error| Error::invalid_input(format!("is no number of a pair: {}", error.body_text())))?;
    blocking(app, move |app| {
        let session = app.session();
        if pair >= session.pairs().len() {
            let last = session.pairs().len() - 1;
            return Err(Error::not_found(format!("there is no pair {pair}; pairs are 0 to {last}")));
        }
        answer(app, &session, Some(pair))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Judgment {
    pair: usize,
    grade: i32,
}

async fn judgment(State(app): State<Arc<App>>, judgment: Result<Json<Judgment>, JsonRejection>) -> Answer {
    let Json(judgment) = judgment.map_err(|error| Error::invalid_input(error.body_text()))?;
    blocking(app, move |app| {
        let mut session = app.session();
        session.judge(judgment.pair, judgment.grade, Instant::now())?;
        answer(app, &session, session.next_open(judgment.pair))
    })
    .await
}

async fn undo(State(app): State<Arc<App>>) -> Answer {
    blocking(app, |app| {
        let mut session = app.session();
        let Some(pair) = session.undo()? else {
            let text = "nothing to undo in this session; go back to a pair with the arrow keys and grade it anew";
            return Err(Error::conflict(text));
        };
        answer(app, &session, Some(pair))
    })
    .await
}

/// A pair as the page shows it. Nothing here may tell who found the document.
#[derive(Debug, Serialize)]
struct PairView {
    pair: usize,
    grade: Option<i32>,
    query: QueryView,
    document: DocumentView,
    /// The next pair that is not judged, after this one.
    next_open: Option<usize>,
    /// The next pair that is not judged of another query.
    next_query: Option<usize>,
}

#[derive(Debug, Serialize)]
struct QueryView {
    id: String,
    text: String,
    narrative: String,
    /// From 1.
    number: usize,
    pairs: Vec<PairOfQuery>,
}

#[derive(Debug, Serialize)]
struct PairOfQuery {
    pair: usize,
    grade: Option<i32>,
}

fn answer(app: &App, session: &Session, pair: Option<usize>) -> crate::Result<Value> {
    let progress = session.progress();
    let seconds = |time: Duration| time.as_secs_f64();
    let pair = pair.map(|pair| pair_view(app, session, pair)).transpose()?;
    // They name the plans, so they wait until nothing is left to judge.
    let is_done = progress.num_judged == progress.num_pairs;
    let next_steps: &[String] = if is_done { &app.next_steps } else { &[] };
    Ok(json!({
        "progress": {
            "judged": progress.num_judged,
            "pairs": progress.num_pairs,
            "queries_done": progress.num_topics_done,
            "queries": progress.num_topics,
            "pairs_per_minute": progress.per_pair.map(|time| 60.0 / seconds(time).max(0.001)),
            "seconds_left": progress.time_left().map(seconds),
        },
        "pair": pair,
        "next_steps": next_steps,
    }))
}

fn pair_view(app: &App, session: &Session, pair_idx: usize) -> crate::Result<PairView> {
    let missing = || Error::internal(format!("there is no pair {pair_idx}"));
    let pair = session.pairs().get(pair_idx).ok_or_else(missing)?;
    let topic = session.topics().get(pair.topic_idx).ok_or_else(missing)?;
    let pairs = session.pairs_of(pair.topic_idx).iter();
    Ok(PairView {
        pair: pair_idx,
        grade: session.grade(pair_idx),
        query: QueryView {
            id: topic.id.clone(),
            text: topic.text.clone(),
            narrative: topic.narrative.clone(),
            number: pair.topic_idx + 1,
            pairs: pairs.map(|&pair| PairOfQuery { pair, grade: session.grade(pair) }).collect(),
        },
        document: view(&app.searcher, &topic.text, &pair.document)?,
        next_open: session.next_open(pair_idx),
        next_query: session.next_topic(pair_idx),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        let check = |host: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, HeaderValue::from_str(host).unwrap());
            }
            is_loopback(&headers)
        };
        for host in ["127.0.0.1:8417", "localhost", "LOCALHOST:9", "[::1]:80", "[::1]"] {
            assert!(check(Some(host)), "{host}");
        }
        for host in
            ["evil.example:8417", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "", "localhost:x"]
        {
            assert!(!check(Some(host)), "{host}");
        }
        assert!(!check(None));
    }

    #[test]
    fn tokens_differ() {
        let (one, two) = (random_token(), random_token());
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
    }
}
