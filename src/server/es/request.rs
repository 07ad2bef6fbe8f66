//! A request's parameters and body, as handlers take them.
//!
//! `Params` is strict as Elasticsearch is: a handler reads what it knows and calls [`Params::finish`], which refuses whatever was
//! not read. `Body` comes whole, decompressed and within the limits; its JSON errors name line and column.

use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Uri;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use super::error::{EsError, EsResult};
use crate::ingest::Strict;
use crate::server::front::InFlight;
use crate::server::state::AppState;

/// What every API takes; the answer's printing reads them.
const COMMON: [&str; 7] = ["pretty", "human", "error_trace", "filter_path", "format", "source", "source_content_type"];

/// The query string's parameters. Reading one marks it as known.
#[derive(Debug, Default)]
pub struct Params {
    path: String,
    entries: Vec<Entry>,
    asked: Mutex<Vec<&'static str>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    value: String,
    is_read: AtomicBool,
}

impl Params {
    /// The parameters of a query string (`a=1&b`); `path` is for messages.
    pub fn parse(path: &str, query: &str) -> Self {
        let entries = query_pairs(query)
            .map(|(name, value)| {
                let is_read = AtomicBool::new(COMMON.contains(&name.as_str()));
                Entry { name, value, is_read }
            })
            .collect();
        Self { path: path.to_string(), entries, asked: Mutex::default() }
    }

    /// The request's path, as it was sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A parameter as it stands, decoded; the last one wins.
    pub fn str(&self, name: &'static str) -> Option<&str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        let mut found = None;
        for entry in self.entries.iter().filter(|entry| entry.name == name) {
            entry.is_read.store(true, Ordering::Relaxed);
            found = Some(entry.value.as_str());
        }
        found
    }

    /// `true`, `false`, or nothing at all, which is true.
    ///
    /// # Errors
    /// `illegal_argument_exception` for another value.
    pub fn bool(&self, name: &'static str) -> EsResult<Option<bool>> {
        match self.str(name) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(EsError::illegal_argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// As [`Params::bool`], with a default.
    ///
    /// # Errors
    /// As [`Params::bool`].
    pub fn bool_or(&self, name: &'static str, default: bool) -> EsResult<bool> {
        Ok(self.bool(name)?.unwrap_or(default))
    }

    /// A number of any type.
    ///
    /// # Errors
    /// `illegal_argument_exception` for what is none.
    pub fn number<T: FromStr>(&self, name: &'static str) -> EsResult<Option<T>> {
        let Some(text) = self.str(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| {
            let kind = if std::any::type_name::<T>().starts_with('f') { "float" } else { "int" };
            EsError::illegal_argument(format!("Failed to parse {kind} parameter [{name}] with value [{text}]"))
        })
    }

    /// A time with its unit (`30s`, `1m`, `500ms`); `-1` is none at all.
    ///
    /// # Errors
    /// `illegal_argument_exception` for what is none.
    pub fn duration(&self, name: &'static str) -> EsResult<Option<Duration>> {
        match self.str(name) {
            None | Some("-1") => Ok(None),
            Some(text) => parse_duration(text, name).map(Some),
        }
    }

    /// Words between commas; `None` where the parameter is absent.
    pub fn list(&self, name: &'static str) -> Option<Vec<String>> {
        let words = self.str(name)?.split(',').map(str::trim).filter(|word| !word.is_empty());
        Some(words.map(str::to_string).collect())
    }

    /// One of the given words.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming them.
    pub fn one_of<'a>(&'a self, name: &'static str, allowed: &[&str]) -> EsResult<Option<&'a str>> {
        match self.str(name) {
            Some(word) if !allowed.contains(&word) => Err(EsError::illegal_argument(format!(
                "unknown value [{word}] of the parameter [{name}]; allowed are [{}]",
                allowed.join(", ")
            ))),
            word => Ok(word),
        }
    }

    /// Accepts parameters that mean nothing on one node with one shard (`preference`, `master_timeout`, `wait_for_active_shards`).
    pub fn accept(&self, names: &[&'static str]) {
        for name in names {
            self.str(name);
        }
    }

    /// Call it after every parameter was read.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming those that nothing read.
    pub fn finish(&self) -> EsResult<()> {
        let unread = self.entries.iter().filter(|entry| !entry.is_read.load(Ordering::Relaxed));
        let mut names: Vec<&str> = unread.map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let listed: Vec<String> = names
            .iter()
            .map(|name| match closest(name, &asked) {
                Some(known) => format!("[{name}] -> did you mean [{known}]?"),
                None => format!("[{name}]"),
            })
            .collect();
        let word = if names.len() == 1 { "parameter" } else { "parameters" };
        let text = format!("request [{}] contains unrecognized {word}: {}", self.path, listed.join(", "));
        Err(EsError::illegal_argument(text))
    }
}

impl FromRequestParts<Arc<AppState>> for Params {
    type Rejection = EsError;

    fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> impl Future<Output = EsResult<Self>> {
        std::future::ready(Ok(Self::parse(parts.uri.path(), parts.uri.query().unwrap_or_default())))
    }
}

/// The known name that was probably meant.
pub(in crate::server) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let max = (name.chars().count() / 3).clamp(1, 3);
    let near = known.iter().map(|candidate| (edit_distance(name, candidate), *candidate));
    near.filter(|(distance, _)| *distance <= max).min().map(|(_, candidate)| candidate)
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            before = replaced.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A time with its unit as Elasticsearch writes it.
///
/// # Errors
/// `illegal_argument_exception` naming `setting`.
pub fn parse_duration(text: &str, setting: &str) -> EsResult<Duration> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let failed = || {
        EsError::illegal_argument(format!(
            "failed to parse setting [{setting}] with value [{text}] as a time value: unit is missing or unrecognized"
        ))
    };
    let nanos: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "nanos" => 1.0,
        "micros" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        "d" => 86_400e9,
        _ => return Err(failed()),
    };
    let number: f64 = number.parse().map_err(|_| failed())?;
    Duration::try_from_secs_f64(number * nanos / 1e9).map_err(|_| failed())
}

/// Names and values of a query string, decoded; a name without `=` has an empty value.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}

fn percent_decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_string();
    }
    let hex = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, hex(bytes.get(at)), hex(bytes.get(at + 1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A request's body: whole, decompressed, within the limits. Where it is empty, the parameter `source` stands for it.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Bytes,
    is_yaml: bool,
    /// The bytes are counted as held until the body is dropped.
    _held: Option<InFlight>,
}

impl Body {
    /// A body from bytes.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    /// Whether nothing (or only white space) was sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// The bytes; cheap to clone.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON value; `None` where nothing was sent.
    ///
    /// # Errors
    /// `x_content_parse_exception` with line and column.
    pub fn json(&self) -> EsResult<Option<Value>> {
        if self.is_empty() {
            return Ok(None);
        }
        if self.is_yaml {
            let text = std::str::from_utf8(&self.bytes).map_err(|error| malformed(1, 1, &error))?;
            return serde_norway::from_str(text).map(Some).map_err(|error| {
                let place = error.location();
                malformed(place.as_ref().map_or(1, |at| at.line()), place.as_ref().map_or(1, |at| at.column()), &error)
            });
        }
        parse_json(&self.bytes).map(Some)
    }

    /// The JSON object; `None` where nothing was sent.
    ///
    /// # Errors
    /// As [`Body::json`], and for another value than an object.
    pub fn object(&self) -> EsResult<Option<Map<String, Value>>> {
        match self.json()? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(malformed(1, 1, &"expected an object, which starts with {")),
        }
    }

    /// For requests that clients send with a body in which nothing is known.
    ///
    /// # Errors
    /// As [`Body::object`]; `illegal_argument_exception` naming the first member.
    pub fn refuse_members(&self) -> EsResult<()> {
        match self.object()?.unwrap_or_default().keys().next() {
            Some(name) => Err(EsError::unsupported(format!("[{name}] in the body of this request"))),
            None => Ok(()),
        }
    }

    /// The JSON object, which must be there.
    ///
    /// # Errors
    /// As [`Body::object`]; `parse_exception` where nothing was sent.
    pub fn required_object(&self) -> EsResult<Map<String, Value>> {
        self.object()?.ok_or_else(|| EsError::new(400, "parse_exception", "request body is required"))
    }
}

/// Reads JSON strictly: no key twice, nothing behind it.
///
/// # Errors
/// `x_content_parse_exception` with line and column.
pub fn parse_json(bytes: &[u8]) -> EsResult<Value> {
    match serde_json::from_slice(bytes) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(malformed(error.line(), error.column(), &error)),
    }
}

fn malformed(line: usize, column: usize, error: &dyn std::fmt::Display) -> EsError {
    let said = error.to_string();
    let reason = said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said);
    EsError::new(400, "x_content_parse_exception", format!("[{line}:{column}] {reason}"))
        .with("line", line.into())
        .with("col", column.into())
}

impl FromRequest<Arc<AppState>> for Body {
    type Rejection = EsError;

    async fn from_request(request: Request, app: &Arc<AppState>) -> EsResult<Self> {
        let (parts, mut body) = request.into_parts();
        let limit = app.limits.max_body_bytes;
        // What is far too large is refused unread.
        if body.size_hint().lower() > (limit as u64).saturating_mul(2) {
            return Err(too_large(limit));
        }
        let mut held = InFlight::new(app);
        let mut gathered = BytesMut::new();
        let mut first = None;
        loop {
            let frame = tokio::time::timeout(app.limits.body_timeout, body.frame()).await;
            let Ok(frame) = frame else {
                let text = "the client sent nothing for too long in the middle of the body";
                return Err(EsError::new(408, "request_timeout_exception", text));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| {
                EsError::new(400, "illegal_argument_exception", format!("the body could not be read: {error}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let so_far = gathered.len() + first.as_ref().map_or(0, Bytes::len);
            if so_far + data.len() > limit {
                return Err(too_large(limit));
            }
            held.add(data.len())?;
            // Most bodies are one frame, which is taken as it is.
            match first.take() {
                None if gathered.is_empty() => first = Some(data),
                None => gathered.extend_from_slice(&data),
                Some(before) => {
                    gathered.extend_from_slice(&before);
                    gathered.extend_from_slice(&data);
                }
            }
        }
        let mut bytes = first.unwrap_or_else(|| gathered.freeze());
        match parts.headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None | Some(b"identity") => {}
            Some(b"gzip" | b"x-gzip") => {
                bytes = app.manage(move || gunzip(&bytes, limit)).await?;
                held.add(bytes.len())?;
            }
            Some(other) => {
                let text = format!("Content-Encoding [{}] is not supported", String::from_utf8_lossy(other));
                return Err(EsError::new(415, "illegal_argument_exception", text));
            }
        }
        let mut is_yaml = parts.headers.get(CONTENT_TYPE).is_some_and(|value| is_yaml(value.as_bytes()));
        if bytes.is_empty() {
            is_yaml = false;
            if let Some(source) = source_parameter(&parts.uri)? {
                bytes = source;
            }
        }
        Ok(Self { bytes, is_yaml, _held: Some(held) })
    }
}

fn is_yaml(content_type: &[u8]) -> bool {
    content_type.starts_with(b"application/yaml") || content_type.starts_with(b"application/vnd.elasticsearch+yaml")
}

fn source_parameter(uri: &Uri) -> EsResult<Option<Bytes>> {
    let mut source = None;
    let mut kind = None;
    for (name, value) in query_pairs(uri.query().unwrap_or_default()) {
        match name.as_str() {
            "source" => source = Some(value),
            "source_content_type" => kind = Some(value),
            _ => {}
        }
    }
    let Some(source) = source else { return Ok(None) };
    match kind.as_deref() {
        Some(kind) if kind.contains("json") => Ok(Some(source.into())),
        Some(kind) => Err(EsError::illegal_argument(format!("Unknown value for source_content_type [{kind}]"))),
        None => {
            Err(EsError::new(400, "illegal_state_exception", "source and source_content_type parameters are required"))
        }
    }
}

fn too_large(limit: usize) -> EsError {
    EsError::new(413, "content_too_long_exception", format!("the body is larger than the limit of {limit} bytes"))
}

fn gunzip(bytes: &[u8], limit: usize) -> EsResult<Bytes> {
    use std::io::Read;
    let mut unpacked = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(bytes);
    reader.take(limit as u64 + 1).read_to_end(&mut unpacked).map_err(|error| {
        EsError::new(400, "illegal_argument_exception", format!("the body is not valid gzip: {error}"))
    })?;
    if unpacked.len() > limit {
        return Err(too_large(limit));
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse("/x", query)
    }

    #[test]
    fn what_nothing_read_is_refused_by_name() {
        let read = params("size=3&pretty&q=a%20b+c");
        assert_eq!(read.number::<usize>("size"), Ok(Some(3)));
        assert_eq!(read.str("q"), Some("a b c"));
        assert_eq!(read.finish(), Ok(()));
        let typo = params("siz=3&zebra=1");
        assert_eq!(typo.number::<usize>("size"), Ok(None));
        assert_eq!(
            typo.finish().unwrap_err().reason,
            "request [/x] contains unrecognized parameters: [siz] -> did you mean [size]?, [zebra]"
        );
    }

    #[test]
    fn values_are_typed() {
        let read = params("a&b=false&c=yes&n=x&d=1.5s&e=10&l=a,,b&m=-1");
        assert_eq!(read.bool("a"), Ok(Some(true)));
        assert_eq!(read.bool_or("b", true), Ok(false));
        assert_eq!(read.bool_or("absent", true), Ok(true));
        assert!(read.bool("c").unwrap_err().reason.contains("[yes]"));
        assert!(read.number::<usize>("n").unwrap_err().reason.contains("int parameter [n]"));
        assert_eq!(read.duration("d"), Ok(Some(Duration::from_millis(1_500))));
        assert_eq!(read.duration("m"), Ok(None));
        assert!(read.duration("e").is_err());
        assert_eq!(read.list("l"), Some(vec!["a".to_string(), "b".to_string()]));
        assert!(read.one_of("l", &["x", "y"]).unwrap_err().reason.contains("x, y"));
    }

    #[test]
    fn broken_json_names_line_and_column() {
        for (text, reason) in [
            ("{\"a\": 1,\n \"b\": }", "[2:7] expected value"),
            ("{\"a\": 1, \"a\": 2}", "[1:12] duplicate key \"a\""),
            ("{} x", "[1:4] trailing characters"),
            ("{", "[1:1] EOF while parsing an object"),
        ] {
            let error = Body::from_bytes(text).json().unwrap_err();
            assert_eq!((error.kind.as_str(), error.reason.as_str()), ("x_content_parse_exception", reason), "{text}");
        }
        assert_eq!(Body::from_bytes(" \n").json(), Ok(None));
        assert!(Body::from_bytes("[]").object().is_err());
        assert!(Body::default().required_object().is_err());
        let deep = "[".repeat(100_000);
        assert!(Body::from_bytes(deep).json().unwrap_err().reason.contains("recursion limit"));
    }

    #[test]
    fn a_bomb_of_zeros_is_stopped_at_the_limit() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(gunzip(&packed, 1 << 20).unwrap().len(), 1 << 20);
        assert_eq!(gunzip(&packed, 1 << 10).unwrap_err().status, 413);
        assert_eq!(gunzip(b"plain", 100).unwrap_err().status, 400);
    }

    proptest::proptest! {
        #[test]
        fn decoding_never_panics(text in ".*") {
            let _ = percent_decode(&text);
            let _ = parse_duration(&text, "x");
            let _: Vec<_> = query_pairs(&text).collect();
        }
    }
}
