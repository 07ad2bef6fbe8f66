//! What can be done with the fields of a mapping: the data of `_field_caps`.

use std::collections::BTreeMap;

use super::IndexDefinition;
use super::flatten::{Field, FieldKind};
use crate::error::Result;

/// What can be done with one field of one index.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldCaps {
    /// Its dotted path.
    pub path: String,
    /// Elasticsearch's family of its type (`keyword` for `constant_keyword` and `wildcard`).
    pub kind: &'static str,
    /// Queries can look into it.
    pub searchable: bool,
    /// It can be sorted and aggregated by.
    pub aggregatable: bool,
    /// It is one of the engine's own (`_id`).
    pub metadata_field: bool,
    /// Notes of the user's.
    pub meta: Option<BTreeMap<String, String>>,
    /// It is the multi-field of another.
    pub is_multi_field: bool,
    /// The innermost `nested` object that it lies in.
    pub nested: Option<String>,
}

/// The engine's own fields: name, type, searchable, aggregatable.
const METADATA: &[(&str, &str, bool, bool)] = &[
    ("_doc_count", "integer", false, false),
    ("_field_names", "_field_names", true, false),
    ("_id", "_id", true, false),
    ("_ignored", "_ignored", true, true),
    ("_index", "_index", true, true),
    ("_nested_path", "_nested_path", true, false),
    ("_routing", "_routing", true, false),
    ("_seq_no", "_seq_no", true, true),
    ("_source", "_source", false, false),
    ("_tier", "keyword", true, true),
    ("_version", "_version", false, true),
];

impl IndexDefinition {
    /// What can be done with each field, by path; aliases and objects too.
    ///
    /// # Errors
    /// As [`IndexDefinition::fields`].
    pub fn field_caps(&self) -> Result<Vec<FieldCaps>> {
        let flattened = self.flattened()?;
        let mut caps: BTreeMap<String, FieldCaps> = BTreeMap::new();
        for (path, kind, searchable, aggregatable) in METADATA {
            caps.insert(
                (*path).to_string(),
                FieldCaps {
                    path: (*path).to_string(),
                    kind,
                    searchable: *searchable,
                    aggregatable: *aggregatable,
                    metadata_field: true,
                    meta: None,
                    is_multi_field: false,
                    nested: None,
                },
            );
        }
        for field in &flattened.fields {
            caps.insert(field.path.clone(), of(field, &field.path));
        }
        for alias in &flattened.aliases {
            if let Some(target) = flattened.fields.iter().find(|field| field.path == alias.target) {
                caps.insert(alias.path.clone(), of(target, &alias.path));
            }
        }
        for path in &flattened.objects {
            let is_nested = flattened.nested.contains(path);
            caps.insert(
                path.clone(),
                FieldCaps {
                    path: path.clone(),
                    kind: if is_nested { "nested" } else { "object" },
                    searchable: false,
                    aggregatable: false,
                    metadata_field: false,
                    meta: None,
                    is_multi_field: false,
                    nested: None,
                },
            );
        }
        Ok(caps.into_values().collect())
    }
}

fn of(field: &Field, path: &str) -> FieldCaps {
    let (searchable, aggregatable) = match &field.kind {
        FieldKind::Text(text) => (text.indexed, false),
        FieldKind::Keyword { indexed, fast, .. } | FieldKind::Boolean { indexed, fast, .. } => (*indexed, *fast),
        FieldKind::Flattened(flattened) => (flattened.indexed, flattened.fast),
        // A number without an index is found by its column.
        FieldKind::Integer { options, .. }
        | FieldKind::Unsigned(options)
        | FieldKind::Float { options, .. }
        | FieldKind::Date { options, .. }
        | FieldKind::TokenCount { options, .. }
        | FieldKind::Ip(options) => (options.indexed || options.fast, options.fast),
        FieldKind::RankFeature { .. } | FieldKind::RankFeatures { .. } => (true, false),
        FieldKind::DenseVector(vector) => (vector.indexed, false),
        FieldKind::SemanticText(_) => (true, false),
        FieldKind::Binary => (false, false),
    };
    FieldCaps {
        path: path.to_string(),
        kind: match field.type_name {
            "constant_keyword" | "wildcard" => "keyword",
            "semantic_text" => "text",
            "token_count" => "integer",
            other => other,
        },
        searchable,
        aggregatable,
        metadata_field: false,
        meta: field.meta.clone(),
        is_multi_field: field.parent.is_some(),
        nested: field.nested.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_tells_what_it_can() {
        let body = r#"{"mappings":{"properties":{"t":{"type":"text","fields":{"k":{"type":"keyword","index":false}}},
            "n":{"type":"nested","properties":{"d":{"type":"date","meta":{"unit":"day"}}}},"a":{"type":"alias","path":"t"},
            "v":{"type":"dense_vector","dims":2,"index":false}}}}"#;
        let caps = IndexDefinition::parse(body).unwrap().field_caps().unwrap();
        let of = |path: &str| {
            let found = caps.iter().find(|caps| caps.path == path).unwrap();
            (found.kind, found.searchable, found.aggregatable)
        };
        assert_eq!(of("t"), ("text", true, false));
        assert_eq!(of("t.k"), ("keyword", false, true));
        assert_eq!(of("n"), ("nested", false, false));
        assert_eq!(of("n.d"), ("date", true, true));
        assert_eq!(of("a"), ("text", true, false));
        assert_eq!(of("v"), ("dense_vector", false, false));
        assert_eq!(of("_id"), ("_id", true, false));
        let date = caps.iter().find(|caps| caps.path == "n.d").unwrap();
        assert_eq!(date.nested.as_deref(), Some("n"));
        assert!(date.meta.is_some());
    }
}
