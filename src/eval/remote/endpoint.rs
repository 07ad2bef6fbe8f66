//! The URL of an index: what is asked, what is shown, and the credentials apart from both.

use ureq::http::Uri;

use crate::error::{Error, Result};

/// Where an index is.
#[derive(Clone)]
pub(super) struct Endpoint {
    /// As it may be printed: `http://host:port/index`.
    pub(super) shown: String,
    /// Where searches go, without credentials: `http://host:port/index/_search?..`.
    pub(super) search_url: String,
    /// `host:port/index`.
    pub(super) label: String,
    /// Whether it is `https`.
    pub(super) is_tls: bool,
    /// Whether it is this machine, which no proxy leads to.
    pub(super) is_loopback: bool,
    /// User and password.
    credentials: Option<(String, String)>,
}

/// Whether a text starts as a URL does.
pub(super) fn is_url(text: &str) -> bool {
    scheme_len(text).is_some()
}

fn scheme_len(text: &str) -> Option<usize> {
    let starts = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["http://", "https://"].iter().find(|scheme| starts(scheme)).map(|scheme| scheme.len())
}

/// A text, such as a command line, in which every URL has lost its user and password: for whatever is printed or kept.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let is_http = |at: usize| lower[..at].ends_with("http") || lower[..at].ends_with("https");
    let hosts = lower.match_indices("://").map(|(at, _)| at).filter(|at| is_http(*at)).map(|at| at + "://".len());
    let hosts: Vec<usize> = hosts.collect();
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for (idx, &start) in hosts.iter().enumerate() {
        shown.push_str(&text[from..start]);
        // Up to the next word or the next URL: a password may hold anything else, commas and slashes too.
        let url = &text[start..hosts.get(idx + 1).copied().unwrap_or(text.len())];
        let url = url.split([' ', '\t', '\n', '"', '\'']).next().unwrap_or(url);
        from = start + url.rfind('@').map_or(0, |at| at + 1);
    }
    shown.push_str(&text[from..]);
    shown
}

impl Endpoint {
    /// Takes a URL apart. Errors do not repeat it: it may hold a password in an unexpected place.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let malformed = |why: &str| {
            Error::invalid_input(format!(
                "the URL of an engine {why}; expected http://[user:password@]host:port/index, with special characters in user and \
                 password in percent notation"
            ))
        };
        let uri: Uri = text.trim().parse().map_err(|error| malformed(&format!("is malformed ({error})")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(malformed("lacks its host"));
        };
        let (userinfo, host_and_port) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority.as_str()),
        };
        let has_port = host_and_port.len() > authority.host().len();
        if has_port && uri.port_u16().is_none() || uri.path().contains('@') {
            return Err(malformed("is malformed (its password or port holds a special character)"));
        }
        let path = uri.path().trim_matches('/');
        let path = path.strip_suffix("/_search").unwrap_or(path);
        if path.is_empty() || path == "_search" {
            return Err(Error::invalid_input(format!(
                "{scheme}://{host_and_port} names an engine without an index; add it: {scheme}://{host_and_port}/INDEX"
            )));
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let credentials = userinfo.map(|userinfo| {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            (percent_decoded(user), percent_decoded(password))
        });
        let host = authority.host().trim_matches(['[', ']']);
        let address: Option<std::net::IpAddr> = host.parse().ok();
        Ok(Self {
            shown: format!("{scheme}://{host_and_port}/{path}"),
            search_url: format!("{scheme}://{host_and_port}/{path}/_search{query}"),
            label: format!("{host_and_port}/{path}"),
            is_tls: scheme.eq_ignore_ascii_case("https"),
            is_loopback: host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback()),
            credentials,
        })
    }

    /// The header that the URL's user and password make.
    pub(super) fn authorization(&self) -> Option<(String, String)> {
        self.credentials.as_ref().map(|(user, password)| basic_authorization(user, password))
    }
}

/// The header of a user and a password.
pub(super) fn basic_authorization(user: &str, password: &str) -> (String, String) {
    ("authorization".to_string(), format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

/// A text with `%41` as `A`; what is no such notation stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%').then(|| after.get(..2)).flatten();
        let decoded = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_is_taken_apart() {
        let check = |text: &str, search_url: &str, label: &str| {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.search_url.as_str(), endpoint.label.as_str()), (search_url, label), "{text}");
        };
        check("http://localhost:9200/books", "http://localhost:9200/books/_search", "localhost:9200/books");
        check("http://localhost:9200/books/_search", "http://localhost:9200/books/_search", "localhost:9200/books");
        check("https://es.example/search/books/", "https://es.example/search/books/_search", "es.example/search/books");
        check("http://[::1]:9200/b?search_pipeline=x", "http://[::1]:9200/b/_search?search_pipeline=x", "[::1]:9200/b");
        let endpoint = Endpoint::parse("https://elastic:p%40ss%3Aw@h:9200/i").unwrap();
        assert_eq!(endpoint.shown, "https://h:9200/i");
        let (_, value) = endpoint.authorization().unwrap();
        assert_eq!(value, "Basic ZWxhc3RpYzpwQHNzOnc=", "elastic:p@ss:w");
        let is_loopback = |text: &str| Endpoint::parse(text).unwrap().is_loopback;
        assert!(is_loopback("http://127.0.0.1:1/i") && is_loopback("http://[::1]/i") && !is_loopback("http://es/i"));
    }

    #[test]
    fn a_url_without_an_index_is_refused_and_no_error_holds_the_password() {
        let check = |text: &str, word: &str| {
            let error = Endpoint::parse(text).err().unwrap().to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{error}");
        };
        check("http://u:secret@localhost:9200", "/INDEX");
        check("http://u:secret@localhost:9200/_search", "/INDEX");
        check("http://u:secret/x@localhost:9200/i", "malformed");
        check("http://u:12/secret@localhost:9200/i", "malformed");
        check("http://u:secret", "malformed");
        check("http://u:sec ret@localhost/i", "malformed");
        check("http://", "");
    }

    #[test]
    fn what_is_shown_has_no_credentials() {
        let check = |text: &str, shown: &str| assert_eq!(without_credentials(text), shown);
        check("eval d --plans lexical,http://u:p@h:1/i --json -", "eval d --plans lexical,http://h:1/i --json -");
        check("http://u:p/@,x@h/i,https://v:q@k/j,dense", "http://h/i,https://k/j,dense");
        check("\"http://u:p@h/i\" me@example.org", "\"http://h/i\" me@example.org");
        check("https://h/i a://", "https://h/i a://");
    }

    proptest! {
        #[test]
        fn no_password_is_shown(user in "[a-z]{1,8}", password in "[A-Z0-9!,:/.%@-]{5,20}", host in "[a-z]{1,9}") {
            let text = format!("eval --plans dense,http://{user}:{password}@{host}:9200/index,hybrid");
            prop_assert_eq!(without_credentials(&text), format!("eval --plans dense,http://{host}:9200/index,hybrid"));
        }

        #[test]
        fn base64_is_decoded_by_another(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = base64(&bytes);
            prop_assert_eq!(text.len() % 4, 0);
            let mut decoded = Vec::new();
            for quad in text.as_bytes().chunks(4) {
                let value = |byte: u8| match byte {
                    b'A'..=b'Z' => byte - b'A',
                    b'a'..=b'z' => byte - b'a' + 26,
                    b'0'..=b'9' => byte - b'0' + 52,
                    b'+' => 62,
                    b'/' => 63,
                    _ => 0,
                };
                let bits = quad.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(value(*byte)));
                let padding = quad.iter().filter(|byte| **byte == b'=').count();
                decoded.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
            }
            prop_assert_eq!(decoded, bytes);
        }

        #[test]
        fn what_is_percent_encoded_comes_back(text in "\\PC{0,20}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(percent_decoded(&encoded), text.clone());
            percent_decoded(&text);
        }
    }
}
