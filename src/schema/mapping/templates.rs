//! `dynamic_templates`: the mappings of fields that documents add.

use std::borrow::Cow;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A template: which new fields it is for, and their mapping. Written as `{"name": {"match": .., "mapping": ..}}`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct DynamicTemplate {
    /// Its name.
    pub name: String,
    /// Its conditions and the mapping, as they were written.
    pub body: Map<String, Value>,
}

impl Serialize for DynamicTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.name, &self.body)])
    }
}

impl<'de> Deserialize<'de> for DynamicTemplate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        match map.into_iter().next() {
            Some((name, Value::Object(body))) => Ok(Self { name, body }),
            _ => Err(serde::de::Error::custom("a dynamic template is an object with one name")),
        }
    }
}

/// The types that JSON values have for `match_mapping_type`.
const MAPPING_TYPES: &[&str] = &["*", "boolean", "date", "double", "long", "object", "string", "binary"];

impl DynamicTemplate {
    /// Reads `dynamic_templates`.
    ///
    /// # Errors
    /// `InvalidInput` naming the template and what is wrong with it.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>> {
        let malformed = || {
            let text = "Dynamic template syntax error. An array of named objects is expected.";
            Error::invalid_input(text).as_exception("mapper_parsing_exception", text)
        };
        let mut templates = Vec::new();
        for named in value.as_array().ok_or_else(malformed)? {
            let map = named.as_object().filter(|map| map.len() == 1).ok_or_else(malformed)?;
            for (name, body) in map {
                let body = body.as_object().ok_or_else(malformed)?;
                let template = Self { name: name.clone(), body: body.clone() };
                template.check()?;
                templates.push(template);
            }
        }
        Ok(templates)
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: String| {
            let error = Error::invalid_input(format!("dynamic template {:?}: {reason}", self.name));
            Err(error.as_exception("mapper_parsing_exception", reason))
        };
        for (key, value) in &self.body {
            match key.as_str() {
                "match" | "unmatch" | "path_match" | "path_unmatch" => {
                    let is_regex = self.body.get("match_pattern").and_then(Value::as_str) == Some("regex");
                    if is_regex {
                        for pattern in texts(value) {
                            if let Err(error) = Regex::new(&format!("^(?:{pattern})$")) {
                                return refuse(format!(
                                    "Pattern [{pattern}] of type [regex] is invalid. Cannot create dynamic template \
                                     [{}]. ({error})",
                                    self.name
                                ));
                            }
                        }
                    }
                }
                "match_mapping_type" | "unmatch_mapping_type" => {
                    if let Some(unknown) = texts(value).into_iter().find(|kind| !MAPPING_TYPES.contains(kind)) {
                        return refuse(format!(
                            "No field type matched on [{unknown}], possible values are [object, string, long, double, \
                             boolean, date, binary]"
                        ));
                    }
                }
                "match_pattern" if matches!(value.as_str(), Some("simple" | "regex")) => {}
                "match_pattern" => {
                    return refuse(format!("No matching pattern matched on [{}]", value.as_str().unwrap_or_default()));
                }
                "mapping" if value.is_object() => {}
                "mapping" => return refuse("`mapping` must be an object".to_string()),
                "runtime" => {
                    let error = Error::unsupported(format!(
                        "`runtime` of dynamic template {:?} is not supported; use `mapping`",
                        self.name
                    ));
                    return Err(error);
                }
                other => return refuse(format!("Illegal dynamic template parameter: [{other}]")),
            }
        }
        if !self.body.contains_key("mapping") {
            return refuse(format!("template [{}] must have either mapping or runtime set", self.name));
        }
        Ok(())
    }

    /// Whether it is for a new field.
    ///
    /// * `path`: dotted; `name`: its last part.
    /// * `kind`: `string`, `long`, `double`, `boolean`, `date` or `object`.
    pub fn matches(&self, path: &str, name: &str, kind: &str) -> bool {
        let is_regex = self.body.get("match_pattern").and_then(Value::as_str) == Some("regex");
        let list = |key: &str| self.body.get(key).map(texts).unwrap_or_default();
        let any = |patterns: &[&str], text: &str| patterns.iter().any(|pattern| fits(pattern, text, is_regex));
        let (matching, unmatching) = (list("match"), list("unmatch"));
        let (path_matching, path_unmatching) = (list("path_match"), list("path_unmatch"));
        let (kinds, not_kinds) = (list("match_mapping_type"), list("unmatch_mapping_type"));
        let is_kind = |kinds: &[&str]| kinds.iter().any(|wanted| *wanted == "*" || *wanted == kind);
        (matching.is_empty() || any(&matching, name))
            && !any(&unmatching, name)
            && (path_matching.is_empty() || any(&path_matching, path))
            && !any(&path_unmatching, path)
            && (kinds.is_empty() || is_kind(&kinds))
            && !is_kind(&not_kinds)
            // Without a condition on the type, objects are not meant unless a path says so.
            && !(kind == "object" && kinds.is_empty() && matching.is_empty() && path_matching.is_empty())
    }

    /// The mapping of a new field, `{name}` and `{dynamic_type}` replaced.
    ///
    /// * `dynamic_type`: the type that the field would get otherwise.
    pub fn mapping_for(&self, name: &str, dynamic_type: &str) -> Value {
        let mapping = self.body.get("mapping").cloned().unwrap_or_default();
        let mut mapping = substitute(&mapping, name, dynamic_type);
        if let Value::Object(map) = &mut mapping
            && !map.contains_key("type")
        {
            map.insert("type".to_string(), Value::from(dynamic_type));
        }
        mapping
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

fn fits(pattern: &str, text: &str, is_regex: bool) -> bool {
    if is_regex {
        return Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text));
    }
    simple_match(pattern, text)
}

/// Whether `text` fits a pattern in which `*` stands for any letters.
pub fn simple_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn substitute(value: &Value, name: &str, dynamic_type: &str) -> Value {
    let text = |text: &str| -> String {
        let with_name: Cow<'_, str> = text.replace("{name}", name).into();
        with_name.replace("{dynamic_type}", dynamic_type).replace("{dynamicType}", dynamic_type)
    };
    match value {
        Value::String(found) => Value::from(text(found)),
        Value::Array(values) => values.iter().map(|value| substitute(value, name, dynamic_type)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (text(key), substitute(value, name, dynamic_type))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stars_stand_for_any_letters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b", "abc", false),
            ("abc", "abc", true),
            ("abc", "ab", false),
            ("a*a", "a", false),
            ("long_*", "long_num", true),
        ] {
            assert_eq!(simple_match(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_template_is_chosen_by_name_path_and_type() {
        let check = |body: Value, path: &str, kind: &str, expected: bool| {
            let list = json!([{"t": body}]);
            let templates = DynamicTemplate::list_from_value(&list).unwrap();
            let name = path.rsplit('.').next().unwrap();
            assert_eq!(templates[0].matches(path, name, kind), expected, "{list} {path} {kind}");
        };
        let m = json!({"type": "keyword"});
        check(json!({"match_mapping_type": "string", "mapping": m}), "a", "string", true);
        check(json!({"match_mapping_type": "string", "mapping": m}), "a", "long", false);
        check(json!({"match_mapping_type": ["long", "double"], "mapping": m}), "a", "double", true);
        check(json!({"match_mapping_type": "*", "mapping": m}), "a", "object", true);
        check(json!({"match": "long_*", "unmatch": "*_text", "mapping": m}), "long_num", "string", true);
        check(json!({"match": "long_*", "unmatch": "*_text", "mapping": m}), "long_text", "string", false);
        check(json!({"match": "^profit_\\d+$", "match_pattern": "regex", "mapping": m}), "profit_12", "long", true);
        check(json!({"match": "^profit_\\d+$", "match_pattern": "regex", "mapping": m}), "profit_x", "long", false);
        check(json!({"path_match": "name.*", "path_unmatch": "*.middle", "mapping": m}), "name.first", "string", true);
        check(
            json!({"path_match": "name.*", "path_unmatch": "*.middle", "mapping": m}),
            "name.middle",
            "string",
            false,
        );
    }

    #[test]
    fn names_and_types_are_put_into_the_mapping() {
        let list = json!([{"t": {"match": "*", "mapping": {"type": "{dynamic_type}", "analyzer": "{name}"}}}]);
        let templates = DynamicTemplate::list_from_value(&list).unwrap();
        assert_eq!(templates[0].mapping_for("english", "text"), json!({"type": "text", "analyzer": "english"}));
        assert_eq!(serde_json::to_value(&templates).unwrap(), list);
        assert!(DynamicTemplate::list_from_value(&json!([{"t": {"mach": "x", "mapping": {}}}])).is_err());
        assert!(DynamicTemplate::list_from_value(&json!([{"t": {"match": "x"}}])).is_err());
        assert!(DynamicTemplate::list_from_value(&json!({"t": {}})).is_err());
    }
}
