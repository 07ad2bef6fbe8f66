//! An engine's file: where it is, how it is asked, how it knows us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::endpoint::{Endpoint, basic_authorization};
use super::template::Template;
use super::{DEFAULT_TIMEOUT, RemoteEngine, agent};
use crate::error::{Error, Result};

/// The file. In `url`, `headers`, `api_key`, `user` and `password`, `${NAME}` is the environment's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EngineFile {
    url: String,
    name: Option<String>,
    template: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    api_key: Option<String>,
    user: Option<String>,
    password: Option<String>,
    id_field: Option<String>,
    /// In PEM; relative to the file.
    ca_file: Option<PathBuf>,
    verify_certificate: Option<bool>,
    timeout_s: Option<f64>,
}

/// Reads an engine's file; `None` when there is none, or it has no `url`: it is a plan's then, and whoever reads plans says what is
/// wrong with it.
pub(super) fn read(path: &Path) -> Option<Result<RemoteEngine>> {
    let text = fs_err::read_to_string(path).ok()?;
    let value: Value = serde_json::from_str(&text).ok().or_else(|| serde_norway::from_str(&text).ok())?;
    value.get("url")?.as_str()?;
    let stem = path.file_stem().map_or("engine".into(), |stem| stem.to_string_lossy());
    let folder = path.parent().unwrap_or(Path::new(""));
    let environment = |name: &str| std::env::var(name).ok();
    Some(engine(value, &stem, folder, &environment))
}

fn engine(
    value: Value,
    stem: &str,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<RemoteEngine> {
    let file: EngineFile =
        serde_json::from_value(value).map_err(|error| Error::invalid_input(error.to_string()).with_source(error))?;
    let expand = |field: &str, text: &str| expanded(text, environment).map_err(|error| error.in_field(field));
    let endpoint = Endpoint::parse(&expand("url", &file.url)?).map_err(|error| error.in_field("url"))?;

    let mut headers = Vec::new();
    for (name, value) in &file.headers {
        headers.push((name.clone(), expand("headers", value)?));
    }
    let expand_all = |field: &str, text: &Option<String>| text.as_deref().map(|text| expand(field, text)).transpose();
    let api_key =
        expand_all("api_key", &file.api_key)?.map(|key| ("authorization".to_string(), format!("ApiKey {key}")));
    let user = expand_all("user", &file.user)?;
    let password = expand_all("password", &file.password)?.unwrap_or_default();
    let user = user.map(|user| basic_authorization(&user, &password));
    headers.extend(api_key.or(user).or_else(|| endpoint.authorization()));
    check_headers(&headers)?;

    let timeout = match file.timeout_s {
        None => DEFAULT_TIMEOUT,
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| Error::invalid_input("must be a number of seconds above 0").in_field("timeout_s"))?,
    };
    let template = match file.template {
        None => Template::default(),
        Some(body) => Template::new(body).map_err(|error| error.in_field("template"))?,
    };
    let tls = tls(&file.ca_file, file.verify_certificate, folder)?;
    let agent = agent(&endpoint, timeout, tls);
    let name = file.name.unwrap_or_else(|| stem.to_string());
    let is_connected = AtomicBool::new(false);
    Ok(RemoteEngine { name, endpoint, template, headers, id_field: file.id_field, timeout, agent, is_connected })
}

/// A header that cannot be sent is named before anything is, and without its value.
fn check_headers(headers: &[(String, String)]) -> Result<()> {
    use ureq::http::{HeaderName, HeaderValue};
    for (name, value) in headers {
        if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
            return Err(Error::invalid_input(format!(
                "the header {name:?} cannot be sent; it has a character (such as a line break) that headers must not have"
            )));
        }
    }
    Ok(())
}

fn tls(ca_file: &Option<PathBuf>, verify: Option<bool>, folder: &Path) -> Result<Option<TlsConfig>> {
    if verify == Some(false) {
        return Ok(Some(TlsConfig::builder().disable_verification(true).build()));
    }
    let Some(ca_file) = ca_file else { return Ok(None) };
    let bad = |why: String| Error::invalid_input(why).in_field("ca_file");
    let path = folder.join(ca_file);
    let pem = fs_err::read(&path).map_err(|error| Error::from(error).in_field("ca_file"))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|error| bad(format!("{} is no PEM file ({error})", path.display())))?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(bad(format!("{} has no certificate in PEM", path.display())));
    }
    Ok(Some(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build()))
}

/// A text with `${NAME}` as the environment has it.
fn expanded(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return Err(Error::invalid_input("has `${` without `}`"));
        };
        result.push_str(&environment(name).ok_or_else(|| {
            Error::invalid_input(format!("names the environment variable {name}, which is not set; set it"))
        })?);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: Value) -> Result<RemoteEngine> {
        let environment = |name: &str| (name == "KEY").then(|| "k3y".to_string());
        engine(value, "mine", Path::new("."), &environment)
    }

    #[test]
    fn a_file_says_where_and_how() {
        let engine =
            parse(json!({"url": "https://h:9200/i", "headers": {"x-team": "search ${KEY}"}, "api_key": "${KEY}",
            "template": {"query": {"match": {"text": "{{query}}"}}}, "id_field": "doc", "timeout_s": 2.5}))
            .unwrap();
        assert_eq!((engine.name(), engine.endpoint.shown.as_str()), ("mine", "https://h:9200/i"));
        let expected = [("x-team", "search k3y"), ("authorization", "ApiKey k3y")];
        assert_eq!(engine.headers, expected.map(|(name, value)| (name.to_string(), value.to_string())));
        assert_eq!((engine.id_field.as_deref(), engine.timeout.as_secs_f64()), (Some("doc"), 2.5));
        assert!(!format!("{engine:?} {}", engine.description()).contains("k3y"));

        let engine =
            parse(json!({"url": "http://h/i", "user": "elastic", "password": "p@ss:w", "name": "now"})).unwrap();
        assert_eq!(engine.name(), "now");
        assert_eq!(engine.headers[0].1, "Basic ZWxhc3RpYzpwQHNzOnc=");
    }

    #[test]
    fn a_part_that_cannot_be_used_is_named() {
        let check = |value: Value, field: Option<&str>, word: &str| {
            let error = parse(value).unwrap_err();
            assert_eq!(error.location().field.as_deref(), field, "{error}");
            assert!(error.to_string().contains(word) && !error.to_string().contains("k3y"), "{error}");
        };
        let url = "http://h/i";
        check(json!({"url": "http://h:1"}), Some("url"), "without an index");
        check(json!({"url": "h:1/i"}), Some("url"), "host");
        check(json!({"url": url, "tempalte": {}}), None, "tempalte");
        check(json!({"url": url, "template": {"query": {"match_all": {}}}}), Some("template"), "{{query}}");
        check(json!({"url": url, "timeout_s": 0}), Some("timeout_s"), "above 0");
        check(json!({"url": url, "timeout_s": -1}), Some("timeout_s"), "above 0");
        check(json!({"url": url, "api_key": "${NONE}"}), Some("api_key"), "NONE");
        check(json!({"url": url, "api_key": "${KEY"}), Some("api_key"), "without `}`");
        check(json!({"url": url, "api_key": "${KEY}\n"}), None, "\"authorization\" cannot be sent");
        check(json!({"url": url, "headers": {"a b": "x"}}), None, "\"a b\"");
        check(json!({"url": url, "ca_file": "nowhere.pem"}), Some("ca_file"), "nowhere.pem");
        check(json!({"url": url, "ca_file": "Cargo.toml"}), Some("ca_file"), "no certificate");
    }
}
