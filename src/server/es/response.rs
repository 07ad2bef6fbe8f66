//! An answer before it is bytes: a handler says what, [`render`](super::render) prints it as the request wants it (`pretty`, `filter_path`,
//! YAML, gzip).

use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::error::{EsError, EsResult};

/// What an answer holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A JSON value.
    Json(Value),
    /// JSON that is printed already; parsed again only where the request wants it printed otherwise.
    Printed(Bytes),
    /// Text (`_cat`, `/metrics`), with its media type.
    Text(String, &'static str),
    /// Nothing.
    Empty,
    /// An error.
    Error(EsError),
    /// An error of the HTTP layer, which Elasticsearch says as a plain text: `{"error": "..", "status": ..}`.
    PlainError(String),
}

/// A handler's answer.
#[derive(Debug, Clone)]
pub struct EsResponse {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

impl EsResponse {
    /// 200 with a JSON value.
    pub fn json(value: Value) -> Self {
        Self::of(200, Content::Json(value))
    }

    /// Another status with a JSON value.
    pub fn with_status(status: u16, value: Value) -> Self {
        Self::of(status, Content::Json(value))
    }

    /// 200 with JSON that is printed already: the cheapest way for long answers, made on the thread that did the work.
    pub fn printed(json: impl Into<Bytes>) -> Self {
        Self::of(200, Content::Printed(json.into()))
    }

    /// 200 with a value, printed now.
    ///
    /// # Errors
    /// `exception` where the value has no JSON form.
    pub fn serialize(value: &impl Serialize) -> EsResult<Self> {
        let bytes = serde_json::to_vec(value).map_err(|error| EsError::new(500, "exception", error.to_string()))?;
        Ok(Self::printed(bytes))
    }

    /// 200 with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(200, Content::Text(text.into(), "text/plain; charset=UTF-8"))
    }

    /// 200 with text of another media type.
    pub fn text_of(media_type: &'static str, text: impl Into<String>) -> Self {
        Self::of(200, Content::Text(text.into(), media_type))
    }

    /// A status with nothing.
    pub fn empty(status: u16) -> Self {
        Self::of(status, Content::Empty)
    }

    /// `{"acknowledged": true}`.
    pub fn acknowledged() -> Self {
        Self::json(serde_json::json!({"acknowledged": true}))
    }

    /// An error's answer.
    pub fn error(error: EsError) -> Self {
        Self::of(error.status, Content::Error(error))
    }

    /// An error of the HTTP layer: `{"error": "..", "status": ..}`.
    pub(crate) fn plain_error(status: u16, text: impl Into<String>) -> Self {
        Self::of(status, Content::PlainError(text.into()))
    }

    /// No route: `{"error": ".."}` with status 400.
    pub(crate) fn no_handler(text: String) -> Self {
        Self::with_status(400, serde_json::json!({"error": text}))
    }

    /// Adds a header; a value that no header can have is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// A `Warning` header, as Elasticsearch sends them with deprecations.
    #[must_use]
    pub fn warning(self, text: &str) -> Self {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        self.header("warning", &format!("299 Elasticsearch-8.19.0-bifocal \"{text}\""))
    }

    fn of(status: u16, content: Content) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: HeaderMap::new(), content }
    }
}

impl From<Value> for EsResponse {
    fn from(value: Value) -> Self {
        Self::json(value)
    }
}

impl IntoResponse for EsResponse {
    /// The content travels beside the (empty) body until it is printed.
    fn into_response(self) -> Response {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.extensions_mut().insert(self.content);
        response
    }
}

impl IntoResponse for EsError {
    fn into_response(self) -> Response {
        EsResponse::error(self).into_response()
    }
}
