//! From what a handler said to the bytes that are sent: `pretty`, `filter_path`, YAML, gzip, headers.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Value, json};
use tokio::runtime::RuntimeFlavor;

use super::error::EsError;
use super::filter_path::FilterPath;
use super::media::{Format, Wanted};
use super::request::query_pairs;
use super::response::Content;

/// Shorter answers are sent as they are: packing them costs more than it saves.
const MIN_GZIP_BYTES: usize = 1024;

/// Packing more than this takes milliseconds.
const LONG_BYTES: usize = 256 * 1024;

/// How a request wants its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendering {
    wanted: Wanted,
    format: Option<Format>,
    pretty: bool,
    filter_path: Option<FilterPath>,
    error_trace: bool,
    gzip: bool,
}

impl Rendering {
    /// Reads the parameters that every API takes.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a value that none of them has.
    pub(crate) fn read(query: &str, headers: &HeaderMap, wanted: Wanted) -> Result<Self, EsError> {
        let mut rendering = Self { wanted, ..Self::default() };
        for (name, value) in query_pairs(query) {
            let flag = || match value.as_str() {
                "" | "true" => Ok(true),
                "false" => Ok(false),
                other => Err(EsError::illegal_argument(format!(
                    "Failed to parse value [{other}] as only [true] or [false] are allowed."
                ))),
            };
            match name.as_str() {
                "pretty" => rendering.pretty = flag()?,
                "error_trace" => rendering.error_trace = flag()?,
                "human" => {
                    flag()?;
                }
                "filter_path" => rendering.filter_path = FilterPath::parse(&value),
                "format" => match value.as_str() {
                    "json" => rendering.format = Some(Format::Json),
                    "yaml" => rendering.format = Some(Format::Yaml),
                    "text" | "txt" => rendering.format = Some(Format::Text),
                    other => return Err(EsError::unsupported(format!("the format [{other}]"))),
                },
                _ => {}
            }
        }
        let encodings =
            headers.get_all(axum::http::header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        rendering.gzip = encodings.flat_map(|value| value.split(',')).any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let takes = matches!(parts.next(), Some("gzip" | "x-gzip" | "*"));
            takes && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
        });
        Ok(rendering)
    }

    /// The format that was asked for by name: the parameter before the header.
    pub(crate) fn asked(&self) -> Option<Format> {
        self.format.or(self.wanted.is_explicit.then_some(self.wanted.format))
    }

    /// The answer as it is sent; for a `HEAD` without its body.
    pub(crate) fn render(&self, mut response: Response, is_head: bool) -> Response {
        let content = response.extensions_mut().remove::<Content>();
        let Some(content) = content else { return response };
        let (bytes, content_type) = self.print(content, response.status().as_u16());
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        if let Some(content_type) = content_type.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let bytes = if self.gzip && bytes.len() >= MIN_GZIP_BYTES {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
            match gzip_aside(&bytes) {
                Ok(packed) => {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    packed
                }
                Err(_) => bytes,
            }
        } else {
            bytes
        };
        if is_head {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        } else {
            *response.body_mut() = Body::from(bytes);
        }
        response
    }

    fn print(&self, content: Content, status: u16) -> (Bytes, Option<String>) {
        let value = match content {
            Content::Empty => return (Bytes::new(), None),
            Content::Text(text, media_type) => return (text.into(), Some(media_type.to_string())),
            Content::Printed(bytes) => {
                let as_it_is = !self.pretty && self.filter_path.is_none() && self.json_or_yaml() == Format::Json;
                if as_it_is {
                    return (bytes, Some(self.wanted.content_type(Format::Json)));
                }
                serde_json::from_slice(&bytes).unwrap_or(Value::Null)
            }
            Content::Json(value) => value,
            Content::Error(error) => self.error_body(&error),
            Content::PlainError(text) => json!({"error": text, "status": status}),
        };
        let value = match &self.filter_path {
            Some(filter) => filter.apply(value),
            None => value,
        };
        let format = self.json_or_yaml();
        let printed = match format {
            Format::Yaml => serde_norway::to_string(&value).map(|text| format!("---\n{text}").into_bytes()).ok(),
            Format::Json | Format::Text if self.pretty => pretty(&value),
            Format::Json | Format::Text => serde_json::to_vec(&value).ok(),
        };
        (printed.unwrap_or_default().into(), Some(self.wanted.content_type(format)))
    }

    /// JSON stands for a table that is none.
    fn json_or_yaml(&self) -> Format {
        match self.format.unwrap_or(self.wanted.format) {
            Format::Yaml => Format::Yaml,
            Format::Json | Format::Text => Format::Json,
        }
    }

    fn error_body(&self, error: &EsError) -> Value {
        let mut body = error.to_body();
        if self.error_trace {
            // There is no stack to show; the chain of causes is what this engine knows.
            let mut trace = error.to_string();
            let mut cause = error.cause.as_deref();
            while let Some(inner) = cause {
                trace.push_str(&format!("\ncaused by: {inner}"));
                cause = inner.cause.as_deref();
            }
            if let Some(object) = body.get_mut("error").and_then(Value::as_object_mut) {
                object.insert("stack_trace".to_string(), trace.into());
            }
        }
        body
    }
}

/// Packs; a long answer lets the other tasks of this thread go elsewhere meanwhile.
fn gzip_aside(bytes: &[u8]) -> io::Result<Bytes> {
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) if bytes.len() > LONG_BYTES => tokio::task::block_in_place(|| gzip(bytes)),
        _ => gzip(bytes),
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    // Elasticsearch's level is 3.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::new(3));
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}

/// JSON as Elasticsearch prints it for people: two spaces, ` : ` between name and value, a line end at last.
fn pretty(value: &Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Pretty::default());
    value.serialize(&mut serializer).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

#[derive(Default)]
struct Pretty {
    depth: usize,
    has_value: bool,
}

impl Pretty {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }

    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, open: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(open)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, close: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        match self.has_value {
            true => self.line(writer)?,
            false => writer.write_all(b" ")?,
        }
        writer.write_all(close)
    }

    fn next<W: ?Sized + Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }
}

impl Formatter for Pretty {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_is_elasticsearchs() {
        let value = json!({"a": 1, "b": [], "c": {}, "d": [1, {"e": "x"}]});
        let expected = "{\n  \"a\" : 1,\n  \"b\" : [ ],\n  \"c\" : { },\n  \"d\" : [\n    1,\n    {\n      \"e\" : \"x\"\n    }\n  ]\n}\n";
        assert_eq!(String::from_utf8(pretty(&value).unwrap()).unwrap(), expected);
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, takes) in
            [("gzip, deflate", true), ("gzip;q=0", false), ("br", false), ("identity, gzip;q=0.5", true), ("*", true)]
        {
            let headers =
                HeaderMap::from_iter([(axum::http::header::ACCEPT_ENCODING, HeaderValue::from_str(accepted).unwrap())]);
            assert_eq!(Rendering::read("", &headers, Wanted::default()).unwrap().gzip, takes, "{accepted}");
        }
    }

    #[test]
    fn a_trace_is_shown_when_asked() {
        let error = EsError::parsing("outer").caused_by(EsError::illegal_argument("inner"));
        let rendering = Rendering::read("error_trace", &HeaderMap::new(), Wanted::default()).unwrap();
        let trace = rendering.error_body(&error)["error"]["stack_trace"].as_str().unwrap().to_string();
        assert!(trace.contains("outer") && trace.contains("inner"), "{trace}");
        assert!(Rendering::default().error_body(&error)["error"].get("stack_trace").is_none());
        assert!(Rendering::read("pretty=maybe", &HeaderMap::new(), Wanted::default()).is_err());
        assert!(Rendering::read("format=cbor", &HeaderMap::new(), Wanted::default()).is_err());
    }
}
