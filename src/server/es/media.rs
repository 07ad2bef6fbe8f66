//! Media types: which the server reads, which it answers with.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};

use super::error::EsError;
use super::response::EsResponse;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
    /// A table, where there is one (`_cat`).
    Text,
}

/// What a client asked to be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// JSON unless asked otherwise.
    pub(crate) format: Format,
    /// The answer's type was asked for by name (`application/json`), not left open (`*/*`).
    pub(crate) is_explicit: bool,
    /// The version of `application/vnd.elasticsearch+json;compatible-with=8`, which the answer repeats.
    pub(crate) compatible_with: Option<u8>,
}

/// The majors whose clients are answered.
const VERSIONS: [u8; 3] = [7, 8, 9];

/// What is known of one media type.
enum Known {
    Type { name: KnownType, compatible_with: Option<u8> },
    BadVersion,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KnownType {
    Json,
    Ndjson,
    Yaml,
    Text,
    Any,
}

fn read(media_type: &str) -> Known {
    let mut parts = media_type.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut version = None;
    for parameter in parts {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        if key.trim().eq_ignore_ascii_case("compatible-with") {
            match value.trim().trim_matches('"').parse::<u8>() {
                Ok(major) if VERSIONS.contains(&major) => version = Some(major),
                _ => return Known::BadVersion,
            }
        }
    }
    let (name, is_versioned) = match name.as_str() {
        "application/json" => (KnownType::Json, false),
        "application/x-ndjson" | "application/ndjson" => (KnownType::Ndjson, false),
        "application/yaml" => (KnownType::Yaml, false),
        "text/plain" => (KnownType::Text, false),
        "*/*" | "application/*" | "text/*" | "text/html" => (KnownType::Any, false),
        "application/vnd.elasticsearch+json" => (KnownType::Json, true),
        "application/vnd.elasticsearch+x-ndjson" => (KnownType::Ndjson, true),
        "application/vnd.elasticsearch+yaml" => (KnownType::Yaml, true),
        "text/vnd.elasticsearch+plain" => (KnownType::Text, true),
        _ => return Known::Unknown,
    };
    Known::Type { name, compatible_with: version.filter(|_| is_versioned) }
}

/// What the headers `Accept` and (for its version) `Content-Type` ask for.
///
/// # Errors
/// 406 for types that are not known, 400 for a version that is not.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Wanted, Box<EsResponse>> {
    let Some(accept) = headers.get(ACCEPT) else { return Ok(Wanted::default()) };
    let accept = accept.to_str().map_err(|_| unsupported("Accept", "?"))?;
    for media_type in accept.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        match read(media_type) {
            Known::Type { name, compatible_with } => {
                let format = match name {
                    KnownType::Json | KnownType::Ndjson | KnownType::Any => Format::Json,
                    KnownType::Yaml => Format::Yaml,
                    KnownType::Text => Format::Text,
                };
                return Ok(Wanted { format, is_explicit: name != KnownType::Any, compatible_with });
            }
            Known::BadVersion => return Err(bad_version("Accept", media_type)),
            Known::Unknown => {}
        }
    }
    if accept.trim().is_empty() || accept.contains("*/*") {
        return Ok(Wanted::default());
    }
    Err(unsupported("Accept", accept))
}

/// Checks that the body's type is one that is read.
///
/// # Errors
/// 406 for another type, as Elasticsearch answers; 400 for a version that is not known.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Box<EsResponse>> {
    let value = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    match value.map(|value| (value, read(value))) {
        Some((_, Known::Type { name: KnownType::Json | KnownType::Ndjson | KnownType::Yaml, .. })) => Ok(()),
        Some((value, Known::BadVersion)) => Err(bad_version("Content-Type", value)),
        Some((value, Known::Unknown | Known::Type { name: KnownType::Text | KnownType::Any, .. })) => {
            Err(unsupported("Content-Type", value))
        }
        None => Err(Box::new(EsResponse::plain_error(406, "Content-Type header is missing"))),
    }
}

fn unsupported(header: &str, value: &str) -> Box<EsResponse> {
    Box::new(EsResponse::plain_error(406, format!("{header} header [{value}] is not supported")))
}

fn bad_version(header: &str, value: &str) -> Box<EsResponse> {
    let cause = EsError::new(
        400,
        "status_exception",
        format!("[{value}] asks for a version that is not answered; answered are those compatible with 7, 8 and 9"),
    );
    let text = format!("Invalid media-type value on headers [{header}]");
    Box::new(EsResponse::error(EsError::new(400, "media_type_header_exception", text).caused_by(cause)))
}

impl Wanted {
    /// The answer's `Content-Type`.
    pub(crate) fn content_type(self, format: Format) -> String {
        match (format, self.compatible_with) {
            (Format::Json, None) => "application/json".to_string(),
            (Format::Json, Some(version)) => format!("application/vnd.elasticsearch+json;compatible-with={version}"),
            (Format::Yaml, None) => "application/yaml".to_string(),
            (Format::Yaml, Some(version)) => format!("application/vnd.elasticsearch+yaml;compatible-with={version}"),
            (Format::Text, _) => "text/plain; charset=UTF-8".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn what_is_accepted_is_echoed() {
        for (accept, format, content_type) in [
            ("application/json", Format::Json, "application/json"),
            ("*/*", Format::Json, "application/json"),
            (
                "application/vnd.elasticsearch+json; compatible-with=9",
                Format::Json,
                "application/vnd.elasticsearch+json;compatible-with=9",
            ),
            (
                "application/vnd.elasticsearch+json;compatible-with=7",
                Format::Json,
                "application/vnd.elasticsearch+json;compatible-with=7",
            ),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Json, "application/json"),
            ("application/yaml", Format::Yaml, "application/yaml"),
            ("text/plain,application/json", Format::Text, "text/plain; charset=UTF-8"),
        ] {
            let wanted = wanted(&of(ACCEPT, accept)).unwrap();
            assert_eq!(
                (wanted.format, wanted.content_type(wanted.format).as_str()),
                (format, content_type),
                "{accept}"
            );
        }
        assert!(wanted(&of(ACCEPT, "image/png")).is_err());
        assert!(wanted(&of(ACCEPT, "application/vnd.elasticsearch+json;compatible-with=6")).is_err());
    }

    #[test]
    fn bodies_are_json() {
        for (value, is_read) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/x-ndjson", true),
            ("application/vnd.elasticsearch+x-ndjson; compatible-with=8", true),
            ("application/vnd.elasticsearch+json; compatible-with=10", false),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("application/cbor", false),
        ] {
            assert_eq!(check_content_type(&of(CONTENT_TYPE, value)).is_ok(), is_read, "{value}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }
}
