//! The description of a REST API: which path and method a name with arguments takes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

/// One of the paths of an API: `/{index}/_doc/{id}`.
#[derive(Debug, Clone)]
struct ApiPath {
    template: String,
    methods: Vec<String>,
}

/// Every API by its name (`indices.create`).
#[derive(Debug)]
pub(super) struct Apis(BTreeMap<String, Vec<ApiPath>>);

/// A request as it is sent.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<String>,
    pub(super) media_type: &'static str,
}

/// The parts of a template: `index` and `id` of `/{index}/_doc/{id}`.
fn parts(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~,*:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

/// A value of the query string or of a path: lists with commas.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

impl Apis {
    /// Reads one file that holds every API, or a folder with a file for each.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut apis = BTreeMap::new();
        let files = if path.is_dir() {
            let mut files: Vec<_> = fs_err::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files
        } else {
            vec![path.to_path_buf()]
        };
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
            let read: Value = serde_json::from_str(&fs_err::read_to_string(file).unwrap())
                .map_err(|error| format!("{}: {error}", file.display()))?;
            for (name, api) in read.as_object().into_iter().flatten() {
                let strings =
                    |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().map(text).collect() };
                let paths = api["url"]["paths"].as_array().into_iter().flatten();
                let paths: Vec<ApiPath> = paths
                    .map(|path| ApiPath { template: text(&path["path"]), methods: strings(&path["methods"]) })
                    .collect();
                // `_common.json` has parameters and no path.
                if !paths.is_empty() {
                    apis.insert(name.clone(), paths);
                }
            }
        }
        Ok(Self(apis))
    }

    /// The request of an API with these arguments. `raw` takes `method`, `path`, `body`.
    ///
    /// # Errors
    /// A sentence where the API is unknown, or an argument that its paths need is missing (`catch: param`).
    pub(super) fn request(&self, name: &str, arguments: &Map<String, Value>) -> Result<Request, String> {
        let mut arguments = arguments.clone();
        arguments.shift_remove("ignore");
        let body = arguments.shift_remove("body");
        let (path, methods) = if name == "raw" {
            let path = arguments.shift_remove("path").unwrap_or_default();
            (text(&path), vec![text(&arguments.shift_remove("method").unwrap_or_default())])
        } else {
            let paths = self.0.get(name).ok_or_else(|| format!("the API [{name}] is not described"))?;
            let is_given = |part: &&str| arguments.get(*part).is_some_and(|value| !text(value).is_empty());
            let fits = paths.iter().filter(|path| parts(&path.template).iter().all(&is_given));
            let best = fits.max_by_key(|path| parts(&path.template).len());
            let best = best.ok_or_else(|| format!("[{name}] lacks an argument of its path"))?;
            let mut path = best.template.clone();
            for part in parts(&best.template) {
                let value = arguments.shift_remove(part).unwrap_or_default();
                path = path.replace(&format!("{{{part}}}"), &encode(&text(&value)));
            }
            (path, best.methods.clone())
        };
        let with_body = ["POST", "PUT"].iter().find(|method| methods.iter().any(|known| known == *method));
        let first = methods.first().cloned().unwrap_or_default();
        let method =
            if body.is_some() && first == "GET" { with_body.map_or(first, ToString::to_string) } else { first };
        let query: Vec<String> =
            arguments.iter().map(|(key, value)| format!("{}={}", encode(key), encode(&text(value)))).collect();
        let separator = if query.is_empty() { "" } else { "?" };
        let is_lines = name.ends_with("bulk") || name.starts_with("msearch");
        let body = body.map(|body| match body {
            Value::String(text) if is_lines && !text.ends_with('\n') => text + "\n",
            Value::String(text) => text,
            Value::Array(lines) if is_lines => lines
                .iter()
                .map(|line| match line {
                    Value::String(text) => format!("{}\n", text.trim_end()),
                    other => format!("{other}\n"),
                })
                .collect(),
            other => other.to_string(),
        });
        let media_type = if is_lines { "application/x-ndjson" } else { "application/json" };
        Ok(Request { method, path: format!("{path}{separator}{}", query.join("&")), body, media_type })
    }
}

#[test]
fn the_longest_path_that_has_its_arguments() {
    use serde_json::json;
    let apis = Apis::read(Path::new(&crate::util::fixture("es/yaml/api.json"))).unwrap();
    let request = |name: &str, arguments: Value| {
        apis.request(name, arguments.as_object().unwrap()).map(|request| format!("{} {}", request.method, request.path))
    };
    assert_eq!(request("index", json!({"index": "a b", "id": "x/y", "body": {}})).unwrap(), "PUT /a%20b/_doc/x%2Fy");
    assert_eq!(
        request("index", json!({"index": "a", "body": {}, "refresh": true})).unwrap(),
        "POST /a/_doc?refresh=true"
    );
    assert_eq!(request("search", json!({"index": ["a", "b"], "body": {}})).unwrap(), "POST /a,b/_search");
    assert_eq!(request("search", json!({})).unwrap(), "GET /_search");
    assert!(request("get", json!({"index": "a"})).unwrap_err().contains("lacks"));
    assert!(request("nonsense", json!({})).is_err());
}
