//! What every request passes before its handler, and every answer after it: id, limits, users, media types, printing, figures, log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::auth::{Access, Identity};
use super::es::error::{EsError, EsResult};
use super::es::media;
use super::es::render::Rendering;
use super::es::response::{Content, EsResponse};
use super::es::routes;
use super::request_id;
use super::state::AppState;
use super::threads::{is_panic, panicked};
use super::unread::Unread;

/// The header by which a caller names a request; it comes back and stands in the log.
const OPAQUE_ID: &str = "x-opaque-id";

/// Bytes of bodies that are held; given back when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    held: Arc<AtomicUsize>,
    own: usize,
    limit: usize,
}

impl InFlight {
    pub(crate) fn new(app: &AppState) -> Self {
        Self { held: app.in_flight_bytes.clone(), own: 0, limit: app.limits.max_in_flight_bytes }
    }

    /// Counts more bytes.
    ///
    /// # Errors
    /// `circuit_breaking_exception` where all bodies together would be more than the limit.
    pub(crate) fn add(&mut self, bytes: usize) -> EsResult<()> {
        self.own += bytes;
        let would_be = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if would_be <= self.limit {
            return Ok(());
        }
        let limit = self.limit;
        Err(EsError::new(
            429,
            "circuit_breaking_exception",
            format!("[in_flight_requests] Data too large, data for [<http_request>] would be [{would_be}b], which is larger than the limit of [{limit}b]"),
        )
        .with("bytes_wanted", would_be.into())
        .with("bytes_limit", limit.into())
        .with("durability", "TRANSIENT".into()))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.held.fetch_sub(self.own, Ordering::Relaxed);
    }
}

/// The route that a request took, for the figures.
#[derive(Debug, Clone)]
struct Route(MatchedPath);

/// Around the whole router: from the request as it came to the answer as it goes.
pub(super) async fn front(State(app): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id::next();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let opaque_id = request.headers().get(OPAQUE_ID).cloned();
    let _counted = app.metrics.begin();
    let (request, unread) = Unread::of(request);
    let (rendering, answer) = match prepare(&app, request) {
        Ok((request, rendering)) => {
            let answer = request_id::scope(id.clone(), AssertUnwindSafe(handle(&app, request, next)).catch_unwind());
            let panicked = |_| request_id::on_thread(Some(id.clone()), panicked).into_response();
            let answer = answer.await.unwrap_or_else(panicked);
            (rendering, answer)
        }
        Err(refusal) => (Rendering::default(), refusal.into_response()),
    };
    let route = answer.extensions().get::<Route>().map(|Route(path)| path.as_str().to_string());
    let answer = in_elasticsearchs_words(answer, &method, &uri);
    let answer = hide_faults(answer, &id);
    let mut answer = rendering.render(answer, method == Method::HEAD);
    if app.options.product_header {
        answer.headers_mut().insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
    }
    if let Some(opaque_id) = &opaque_id {
        answer.headers_mut().insert(OPAQUE_ID, opaque_id.clone());
    }
    let limits = &app.limits;
    if let Some(unread) = unread
        && !unread.read(answer.status(), limits.max_body_bytes, limits.body_timeout).await
    {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let took = started.elapsed();
    let status = answer.status().as_u16();
    app.metrics.end(route.as_deref().unwrap_or("unknown"), &method, status, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let opaque_id = opaque_id.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    if app.options.slow_log.is_some_and(|least| took >= least) {
        tracing::warn!(request_id = %id, %method, %uri, status, took_ms, opaque_id, "slow request");
    } else {
        tracing::debug!(request_id = %id, %method, %uri, status, took_ms, opaque_id, "request");
    }
    answer
}

/// What can be said of a request before its handler is known.
fn prepare(app: &AppState, mut request: Request) -> Result<(Request, Rendering), Box<EsResponse>> {
    let uri = request.uri();
    let uri_bytes = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if uri_bytes > app.limits.max_uri_bytes {
        let text = format!("An HTTP line is larger than {} bytes.", app.limits.max_uri_bytes);
        return Err(Box::new(EsResponse::error(EsError::new(400, "too_long_http_line_exception", text))));
    }
    let wanted = media::wanted(request.headers())?;
    let rendering = Rendering::read(uri.query().unwrap_or_default(), request.headers(), wanted)
        .map_err(|error| Box::new(EsResponse::error(error)))?;
    if has_body(request.headers()) {
        media::check_content_type(request.headers())?;
    }
    if let Some(uri) = without_trailing_slash(uri) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(rendering.clone());
    Ok((request, rendering))
}

async fn handle(app: &Arc<AppState>, mut request: Request, next: Next) -> Response {
    if !app.security.is_on() && is_foreign_page(request.headers()) {
        let text = "requests of web pages of other hosts are refused while there is no authentication";
        return EsError::new(403, "security_exception", text).into_response();
    }
    match app.security.identify(request.headers(), app).await {
        Ok(identity) => request.extensions_mut().insert(identity),
        Err(error) => {
            let mut response = error.into_response();
            for scheme in ["Basic realm=\"security\", charset=\"UTF-8\"", "ApiKey"] {
                response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
            return response;
        }
    };
    next.run(request).await
}

/// Inside the router, where the route is known: may this user do this?
pub(super) async fn authorize(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let identity = request.extensions().get::<Identity>().cloned();
    let method = request.method().clone();
    let access = path.as_ref().map_or(Access::Admin, |path| routes::access(path.as_str(), &method));
    let mut response = match identity {
        Some(identity) => match identity.check(access, &method, request.uri().path()) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        },
        None => EsError::new(500, "exception", "a request without an identity").into_response(),
    };
    if let Some(path) = path {
        response.extensions_mut().insert(Route(path));
    }
    response
}

/// A chunked body without a type may well be empty, as clients send it that never know a length.
fn has_body(headers: &HeaderMap) -> bool {
    let has_length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    has_length || headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_TYPE)
}

fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || path == "/" {
        return None;
    }
    let path = if trimmed.is_empty() { "/" } else { trimmed };
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

/// A browser's request on behalf of a page that was not loaded from this machine. Anyone on this machine may ask a server without
/// users, but no page on the web may (a foreign name can be made to resolve to this machine, too).
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let is_page = headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN);
    let is_local = |authority: &str| {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        host.eq_ignore_ascii_case("localhost") || matches!(host, "127.0.0.1" | "[::1]")
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let origin_is_local =
        origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, authority)| is_local(authority)));
    is_page && !(is_local(host) && origin_is_local)
}

/// What the router says without words, in Elasticsearch's.
fn in_elasticsearchs_words(mut response: Response, method: &Method, uri: &Uri) -> Response {
    if response.extensions().get::<Content>().is_some() {
        return response;
    }
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            let allow = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            let methods: Vec<&str> = allow.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
            let allow = methods.join(",");
            if method == Method::OPTIONS {
                return EsResponse::empty(200).header("allow", &allow).into_response();
            }
            let text = format!(
                "Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{}]",
                methods.join(", ")
            );
            EsResponse::plain_error(405, text).header("allow", &allow).into_response()
        }
        StatusCode::NOT_FOUND => {
            let text = format!("no handler found for uri [{uri}] and method [{method}]");
            EsResponse::no_handler(text).into_response()
        }
        status if status.is_client_error() => {
            // An extractor of the router's refused (a path that is not UTF-8).
            let error = EsError::illegal_argument(format!("the request [{method} {uri}] cannot be read"));
            response = EsResponse::error(error).into_response();
            *response.status_mut() = status;
            response
        }
        _ => response,
    }
}

/// Internal errors are logged once, with the id that the client is told instead of their text.
fn hide_faults(mut response: Response, id: &str) -> Response {
    if let Some(Content::Error(error)) = response.extensions_mut().get_mut::<Content>()
        && error.status == 500
        && error.kind == "exception"
        && !is_panic(error)
    {
        tracing::error!(request_id = %id, error = %error.reason, "internal error");
        *error = request_id::on_thread(Some(id.to_string()), panicked);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::models::{ModelOptions, Models};
    use crate::server::ServerOptions;

    async fn panics() -> EsResult<EsResponse> {
        std::panic::resume_unwind(Box::new("secret"))
    }

    async fn fails() -> EsResult<EsResponse> {
        Err(EsError::new(500, "exception", "/secret/path is damaged"))
    }

    #[test]
    fn faults_are_answered_with_an_id_and_without_their_text() {
        let folder = tempfile::tempdir().unwrap();
        let models = Arc::new(Models::new(ModelOptions::default()));
        let state = AppState::open(folder.path(), models, ServerOptions::default()).unwrap();
        let routes = Router::new().route("/panics", get(panics)).route("/fails", get(fails));
        let service = routes.layer(axum::middleware::from_fn_with_state(state, front));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for path in ["/panics", "/fails"] {
            let request = Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();
            let answer = runtime.block_on(service.clone().oneshot(request)).unwrap();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = runtime.block_on(axum::body::to_bytes(answer.into_body(), 10_000)).unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains("request id [") && !body.contains("secret"), "{path}: {body}");
        }
    }

    #[test]
    fn trailing_slashes_go() {
        for (uri, expected) in [
            ("/", None),
            ("/a", None),
            ("/a/", Some("/a")),
            ("/a//?x=/", Some("/a?x=/")),
            ("//", Some("/")),
            ("/a%2F/", Some("/a%2F")),
        ] {
            let trimmed = without_trailing_slash(&uri.parse().unwrap()).map(|uri| uri.to_string());
            assert_eq!(trimmed.as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn pages_of_other_hosts_are_foreign() {
        for (host, origin, fetch_site, is_foreign) in [
            ("127.0.0.1:9200", None, None, false),
            ("search.example:9200", None, None, false),
            ("localhost:9200", Some("http://localhost:5000"), Some("same-site"), false),
            ("localhost:9200", Some("https://evil.example"), None, true),
            ("evil.example:9200", None, Some("same-origin"), true),
            ("127.0.0.1:9200", Some("null"), None, true),
            ("[::1]:9200", Some("http://[::1]:9200"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = fetch_site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(is_foreign_page(&headers), is_foreign, "{host} {origin:?}");
        }
    }
}
