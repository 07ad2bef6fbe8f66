//! The body of a search, with places for the query and the depth.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// A search body in which `{{query}}` and `{{size}}` stand for what differs.
#[derive(Debug, Clone)]
pub(super) struct Template {
    body: Map<String, Value>,
    shown: Value,
}

/// The fields that the index searches by default, or all that hold text: right for any mapping, and plain words whatever the
/// query's punctuation. `lenient` lets fields of numbers and dates be passed over.
impl Default for Template {
    fn default() -> Self {
        let match_query = json!({"query": "{{query}}", "type": "best_fields", "lenient": true});
        let body = Map::from_iter([("query".to_string(), json!({ "multi_match": match_query }))]);
        Self { shown: Value::Object(body.clone()), body }
    }
}

impl Template {
    /// Takes a body as a user wrote it.
    ///
    /// # Errors
    /// `InvalidInput` when it is no object, or has no place for the query.
    pub(super) fn new(body: Value) -> Result<Self> {
        let Value::Object(body) = body else {
            return Err(Error::invalid_input(
                "must be the body of a search, such as {\"query\": {\"match\": {\"text\": \"{{query}}\"}}}",
            ));
        };
        if !body.values().any(|value| mentions(value, Placeholder::Query)) {
            return Err(Error::invalid_input(
                "has no \"{{query}}\", so that every query would be the same; put it where the query's text belongs",
            ));
        }
        Ok(Self { shown: Value::Object(body.clone()), body })
    }

    /// As it was written.
    pub(super) fn body(&self) -> &Value {
        &self.shown
    }

    /// The body for one query. `size` and `_source` (nothing but `id_field`) are added unless the template has them.
    pub(super) fn fill(&self, query: &str, size: usize, id_field: Option<&str>) -> Value {
        let filled = self.body.iter().map(|(key, value)| (key.clone(), filled(value, query, size)));
        let mut body: Map<String, Value> = filled.collect();
        body.entry("size").or_insert_with(|| size.into());
        body.entry("_source").or_insert_with(|| id_field.map_or(Value::Bool(false), |field| json!([field])));
        Value::Object(body)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Query,
    Size,
}

/// The first placeholder of a text: what is before it, it, what is after it.
fn next_placeholder(text: &str) -> Option<(&str, Placeholder, &str)> {
    let mut from = 0;
    while let Some(open) = text.get(from..)?.find("{{").map(|found| from + found) {
        let inside = &text[open + 2..];
        let name_and_rest = inside.split_once("}}").map(|(name, rest)| (name.trim(), rest));
        match name_and_rest {
            Some(("query", rest)) => return Some((&text[..open], Placeholder::Query, rest)),
            Some(("size", rest)) => return Some((&text[..open], Placeholder::Size, rest)),
            Some(_) | None => from = open + 1,
        }
    }
    None
}

fn mentions(value: &Value, wanted: Placeholder) -> bool {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some((_, placeholder, after)) = next_placeholder(rest) {
                if placeholder == wanted {
                    return true;
                }
                rest = after;
            }
            false
        }
        Value::Array(values) => values.iter().any(|value| mentions(value, wanted)),
        Value::Object(map) => map.values().any(|value| mentions(value, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Replaces inside of texts, which are quoted anew when the body is written: a query's quotes and braces stay its own.
fn filled(value: &Value, query: &str, size: usize) -> Value {
    match value {
        Value::String(text) => filled_text(text, query, size),
        Value::Array(values) => values.iter().map(|value| filled(value, query, size)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), filled(value, query, size))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text that is nothing but `{{size}}` becomes a number.
fn filled_text(text: &str, query: &str, size: usize) -> Value {
    if let Some(("", Placeholder::Size, "")) = next_placeholder(text) {
        return size.into();
    }
    let mut result = String::with_capacity(text.len() + query.len());
    let mut rest = text;
    while let Some((before, placeholder, after)) = next_placeholder(rest) {
        result.push_str(before);
        match placeholder {
            Placeholder::Query => result.push_str(query),
            Placeholder::Size => result.push_str(&size.to_string()),
        }
        rest = after;
    }
    result.push_str(rest);
    Value::String(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(template: Value, query: &str) -> Value {
        Template::new(template).unwrap().fill(query, 7, None)
    }

    #[test]
    fn the_query_is_put_in_as_it_is() {
        let template = json!({"query": {"bool": {"should": [
            {"match": {"title": "{{query}}"}}, {"match_phrase": {"text": {"query": "{{ query }}", "slop": 2}}}]}}});
        let query = "say \"hi\" {{size}} \\ {{query}}\n";
        let expected = json!({"query": {"bool": {"should": [
            {"match": {"title": query}}, {"match_phrase": {"text": {"query": query, "slop": 2}}}]}}, "size": 7, "_source": false});
        assert_eq!(fill(template, query), expected);
    }

    #[test]
    fn the_depth_is_a_number_where_it_stands_alone() {
        let template =
            json!({"knn": {"k": "{{size}}", "t": "{{query}} at {{size}}, {{other}}"}, "size": 3, "_source": ["a"]});
        let expected = json!({"knn": {"k": 7, "t": "wing at 7, {{other}}"}, "size": 3, "_source": ["a"]});
        assert_eq!(fill(template, "wing"), expected);
        assert_eq!(fill(json!({"x": "{{query}}", "size": "{{size}}"}), "a")["size"], 7);
        assert_eq!(Template::default().fill("a", 5, Some("doc.id"))["_source"], json!(["doc.id"]));
    }

    #[test]
    fn a_template_without_a_place_for_the_query_is_refused() {
        let check = |template: Value, word: &str| {
            let error = Template::new(template).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        check(json!({"query": {"match_all": {}}}), "{{query}}");
        check(json!({"query": "{query} {{qurey}} {{size}} {{query"}), "{{query}}");
        check(json!({"{{query}}": 1}), "{{query}}");
        check(json!("{{query}}"), "body of a search");
        assert!(Template::new(json!({"query": "{{size}}{{x}}{{{query}}"})).is_ok());
    }

    proptest! {
        #[test]
        fn any_query_arrives_unchanged(query in "\\PC{0,30}|[{}a-z \"\\\\]{0,30}") {
            let body = fill(json!({"query": {"match": {"text": "{{query}}"}}}), &query).to_string();
            let read: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(read["query"]["match"]["text"].as_str(), Some(query.as_str()));
        }

        #[test]
        fn what_is_around_the_query_stays(before in "[{}a-z ]{0,12}", after in "[{}a-z ]{0,12}") {
            let text = format!("{before}|{{{{query}}}}|{after}");
            prop_assume!(!before.contains("{{") && !after.contains("{{"));
            let body = fill(json!({ "x": text }), "Q");
            prop_assert_eq!(body["x"].as_str().unwrap(), format!("{before}|Q|{after}"));
        }
    }
}
