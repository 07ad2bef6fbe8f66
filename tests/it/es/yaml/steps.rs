//! The steps of one test: what is sent, what is kept, what is asserted.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use super::api::Apis;
use crate::es::server::{Answer, Client};

/// A test under way: the last answer, and the values it set.
pub(super) struct Run<'a> {
    client: &'a Client,
    apis: &'a Apis,
    stash: BTreeMap<String, Value>,
    answer: Option<Answer>,
}

type Checked = Result<(), String>;

impl<'a> Run<'a> {
    pub(super) fn new(client: &'a Client, apis: &'a Apis) -> Self {
        Self { client, apis, stash: BTreeMap::new(), answer: None }
    }

    pub(super) fn steps(&mut self, steps: &[Value]) -> Checked {
        for step in steps {
            self.step(step).map_err(|error| format!("{error}\n  step {}", short(step)))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Value) -> Checked {
        let (kind, content) = step.as_object().and_then(|step| step.iter().next()).ok_or("a step without a name")?;
        match kind.as_str() {
            "skip" | "requires" => Ok(()),
            "do" => self.send(content),
            "set" => {
                for (path, name) in content.as_object().ok_or("`set` takes an object")? {
                    let value = self.look_up(path)?.ok_or_else(|| format!("nothing at [{path}]"))?;
                    self.stash.insert(name.as_str().unwrap_or_default().to_string(), value);
                }
                Ok(())
            }
            "is_true" => self.is_true(content, true),
            "is_false" => self.is_true(content, false),
            "exists" | "not_exists" => {
                let path = content.as_str().unwrap_or_default();
                let found = self.look_up(path)?;
                let wanted = kind == "exists";
                if found.is_some() == wanted {
                    Ok(())
                } else {
                    Err(format!("[{path}] is {}", short(&found.unwrap_or_default())))
                }
            }
            "match" | "length" | "gt" | "gte" | "lt" | "lte" | "contains" | "close_to" => {
                for (path, expected) in content.as_object().ok_or_else(|| format!("`{kind}` takes an object"))? {
                    let expected = self.replaced(expected);
                    let found = self.look_up(path)?;
                    compare(kind, found.as_ref(), &expected).map_err(|error| {
                        format!("{kind} [{path}]: {error}, found {}", short(&found.unwrap_or_default()))
                    })?;
                }
                Ok(())
            }
            other => Err(format!("this runner does not know the step [{other}]")),
        }
    }

    /// Values as they are after `$name` and `${name}` became what was set.
    fn replaced(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                if let Some(value) =
                    text.strip_prefix('$').and_then(|name| self.stash.get(name.trim_matches(['{', '}'])))
                {
                    return value.clone();
                }
                let mut text = text.clone();
                for (name, value) in &self.stash {
                    let plain = value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
                    text = text.replace(&format!("${{{name}}}"), &plain);
                }
                Value::String(text)
            }
            Value::Array(values) => Value::Array(values.iter().map(|value| self.replaced(value)).collect()),
            Value::Object(map) => {
                let key = |key: &String| match self.replaced(&Value::String(key.clone())) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Value::Object(map.iter().map(|(name, value)| (key(name), self.replaced(value))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn send(&mut self, content: &Value) -> Checked {
        let content = content.as_object().ok_or("`do` takes an object")?;
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut call = None;
        for (key, value) in content {
            match key.as_str() {
                "catch"
                | "warnings"
                | "warnings_regex"
                | "allowed_warnings"
                | "allowed_warnings_regex"
                | "node_selector" => {}
                "headers" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        let value = self.replaced(value);
                        headers.push((
                            name.to_lowercase(),
                            value.as_str().map_or_else(|| value.to_string(), ToString::to_string),
                        ));
                    }
                }
                _ => call = Some((key, value)),
            }
        }
        let (name, arguments) = call.ok_or("`do` names no API")?;
        let arguments = self.replaced(arguments);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let catch = content.get("catch").and_then(Value::as_str);
        let request = match (self.apis.request(name, &arguments), catch) {
            (Err(_), Some("param")) => return Ok(()),
            (Err(error), _) => return Err(error),
            (Ok(request), _) => request,
        };
        if request.body.is_some() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_string(), request.media_type.to_string()));
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = request.body.as_deref().map(str::as_bytes);
        let mut answer = self
            .client
            .try_send(&request.method, &request.path, &headers, body)
            .map_err(|error| format!("{} {}: {error}", request.method, request.path))?;
        let status = answer.status;
        let ignored = arguments.get("ignore").is_some_and(|ignore| contains_status(ignore, status));
        if request.method == "HEAD" {
            answer.body = Value::Bool(status < 400);
        }
        let what = format!("{} {} was answered {status}: {}", request.method, request.path, short(&answer.body));
        let is_missing_head = request.method == "HEAD" && status == 404;
        let result = match catch {
            None if status < 400 || ignored || is_missing_head => check_warnings(content, &answer),
            None => Err(what),
            Some(catch) => caught(catch, &answer).map_err(|error| format!("{error}; {what}")),
        };
        self.answer = Some(answer);
        result
    }

    /// What a path names in the last answer: `hits.hits.0._id`; `$body` and the empty path are all of it.
    fn look_up(&self, path: &str) -> Result<Option<Value>, String> {
        let body = &self.answer.as_ref().ok_or("nothing was sent yet")?.body;
        let mut here = body.clone();
        let path = path.trim();
        if path.is_empty() || path == "$body" {
            return Ok(Some(here));
        }
        for part in split_path(path) {
            if part == "$body" {
                continue;
            }
            let part = match self.replaced(&Value::String(part)) {
                Value::String(part) => part,
                other => other.to_string(),
            };
            let next = match &here {
                Value::Object(map) if part == "_arbitrary_key_" => map.keys().next().map(|key| json!(key)),
                Value::Object(map) => map.get(&part).cloned(),
                Value::Array(values) => part.parse::<usize>().ok().and_then(|i| values.get(i).cloned()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            };
            match next {
                Some(value) => here = value,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    fn is_true(&self, path: &Value, wanted: bool) -> Checked {
        let path = path.as_str().unwrap_or_default();
        let found = self.look_up(path)?;
        let is_true = match &found {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty() && text != "false" && text != "0",
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Bool(true) | Value::Array(_) | Value::Object(_)) => true,
        };
        if is_true == wanted { Ok(()) } else { Err(format!("[{path}] is {}", short(&found.unwrap_or_default()))) }
    }
}

/// Parts between dots; `\.` is a dot of a name.
fn split_path(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => parts.last_mut().unwrap().extend(characters.next()),
            '.' => parts.push(String::new()),
            other => parts.last_mut().unwrap().push(other),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn contains_status(ignore: &Value, status: u16) -> bool {
    match ignore {
        Value::Array(values) => values.iter().any(|value| contains_status(value, status)),
        Value::Number(number) => number.as_u64() == Some(u64::from(status)),
        Value::String(text) => text.split(',').any(|text| text.trim() == status.to_string()),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}

/// Whether white space in a pattern is for the eye only, as in `match`, or stands for itself, as in `catch`.
#[derive(Clone, Copy, PartialEq)]
enum Space {
    ForTheEye,
    Itself,
}

/// `/../` as a regular expression.
fn regex(text: &str, space: Space) -> Option<Result<Regex, String>> {
    let text = text.trim();
    let pattern = text.strip_prefix('/')?.strip_suffix('/')?;
    let built = RegexBuilder::new(pattern).ignore_whitespace(space == Space::ForTheEye).multi_line(true).build();
    Some(built.map_err(|error| format!("{pattern}: {error}")))
}

fn caught(catch: &str, answer: &Answer) -> Checked {
    let status = answer.status;
    if let Some(regex) = regex(catch, Space::Itself) {
        let text = answer.body.as_str().map_or_else(|| answer.body.to_string(), ToString::to_string);
        // Quotes are escaped inside of JSON and are not in the pattern.
        let is_match = status >= 400 && {
            let regex = regex?;
            regex.is_match(&text) || regex.is_match(&text.replace("\\\"", "\""))
        };
        return if is_match { Ok(()) } else { Err(format!("expected an error like {catch}")) };
    }
    let is_right = match catch {
        "bad_request" => status == 400,
        "unauthorized" => status == 401,
        "forbidden" => status == 403,
        "missing" => status == 404,
        "request_timeout" => status == 408,
        "conflict" => status == 409,
        "gone" => status == 410,
        "unavailable" => status == 503,
        "request" => status >= 400,
        "param" => status == 400,
        other => return Err(format!("this runner does not know `catch: {other}`")),
    };
    if is_right { Ok(()) } else { Err(format!("expected {catch}")) }
}

/// The warnings that `do` asks for, in the headers of the answer.
fn check_warnings(content: &Map<String, Value>, answer: &Answer) -> Checked {
    let found: Vec<String> = answer
        .headers
        .get_all("warning")
        .iter()
        .filter_map(|value| value.to_str().ok().map(ToString::to_string))
        .collect();
    for wanted in content.get("warnings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !found.iter().any(|warning| warning.contains(wanted)) {
            return Err(format!("expected the warning [{wanted}], found {found:?}"));
        }
    }
    Ok(())
}

/// Equal, where 1 and 1.0 are; an expected text `/../` is a regular expression.
fn equal(expected: &Value, found: &Value) -> Result<bool, String> {
    Ok(match (expected, found) {
        (Value::String(text), found) if regex(text, Space::ForTheEye).is_some() => {
            let regex = regex(text, Space::ForTheEye).transpose()?;
            let found = found.as_str().map_or_else(|| found.to_string(), ToString::to_string);
            regex.is_some_and(|regex| regex.is_match(&found))
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .map(|(a, b)| equal(a, b))
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .all(|same| same)
        }
        (Value::Object(a), Value::Object(b)) => {
            let mut all = a.len() == b.len();
            for (key, value) in a {
                all &= match b.get(key) {
                    Some(other) => equal(value, other)?,
                    None => false,
                };
            }
            all
        }
        (expected, found) => expected == found,
    })
}

fn compare(kind: &str, found: Option<&Value>, expected: &Value) -> Checked {
    // Suites write `match: {a: null}` for what is absent, too.
    let null = Value::Null;
    let found = found.unwrap_or(&null);
    let order = |is_right: fn(f64, f64) -> bool| match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) if is_right(found, expected) => Ok(()),
        _ => Err(format!("compared with {}", short(expected))),
    };
    match kind {
        "match" => {
            if equal(expected, found)? {
                Ok(())
            } else {
                Err(format!("expected {}", short(expected)))
            }
        }
        "length" => {
            let length = match found {
                Value::Array(values) => values.len(),
                Value::Object(map) => map.len(),
                Value::String(text) => text.chars().count(),
                Value::Null | Value::Bool(_) | Value::Number(_) => return Err("no length".to_string()),
            };
            let wanted = expected.as_u64().or_else(|| expected.as_str()?.parse().ok());
            if wanted == Some(length as u64) { Ok(()) } else { Err(format!("expected {expected}, is {length}")) }
        }
        "gt" => order(|found, expected| found > expected),
        "gte" => order(|found, expected| found >= expected),
        "lt" => order(|found, expected| found < expected),
        "lte" => order(|found, expected| found <= expected),
        "contains" => {
            let is_in = match (found, expected) {
                (Value::Array(values), expected) => values
                    .iter()
                    .map(|value| has(value, expected))
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .any(|is_in| is_in),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                (found @ Value::Object(_), expected) => has(found, expected)?,
                _ => false,
            };
            if is_in { Ok(()) } else { Err(format!("expected it to contain {}", short(expected))) }
        }
        "close_to" => {
            let (value, error) = (expected["value"].as_f64(), expected["error"].as_f64());
            match (found.as_f64(), value, error) {
                (Some(found), Some(value), Some(error)) if (found - value).abs() <= error => Ok(()),
                _ => Err(format!("expected near {}", short(expected))),
            }
        }
        other => Err(format!("unknown comparison {other}")),
    }
}

/// Whether an element is the expected one; an object may have more keys.
fn has(element: &Value, expected: &Value) -> Result<bool, String> {
    if let (Value::Object(element), Value::Object(expected)) = (element, expected) {
        for (key, value) in expected {
            match element.get(key) {
                Some(other) if equal(value, other)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    equal(expected, element)
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 400 { text } else { text.chars().take(397).collect::<String>() + "..." }
}

#[test]
fn comparisons_of_suites() {
    let ok = |kind: &str, found: Value, expected: Value| compare(kind, Some(&found), &expected).is_ok();
    assert!(ok("match", json!(1), json!(1.0)) && ok("match", json!({"a": [1]}), json!({"a": [1]})));
    assert!(!ok("match", json!({"a": 1, "b": 2}), json!({"a": 1})) && compare("match", None, &Value::Null).is_ok());
    assert!(ok("match", json!("abc 12"), json!("/ ^ abc \\s \\d+ $ /")) && !ok("match", json!("x"), json!("/y/")));
    assert!(
        ok("length", json!([1, 2]), json!(2))
            && ok("length", json!("äb"), json!(2))
            && !ok("length", json!(3), json!(1))
    );
    assert!(ok("gt", json!(2), json!(1)) && !ok("lt", json!(2), json!(1)) && ok("gte", json!(1), json!(1)));
    assert!(ok("contains", json!([{"a": 1, "b": 2}]), json!({"a": 1})) && ok("contains", json!("abc"), json!("b")));
    assert!(ok("close_to", json!(1.05), json!({"value": 1, "error": 0.1})));
    assert_eq!(split_path(r"a.b\.c.0"), ["a", "b.c", "0"]);
}
