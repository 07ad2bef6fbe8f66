//! Other names of indices, each with a filter and a say in where writes go.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CatalogError, CatalogResult, Indices, names};

/// What an alias says of one index.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// A query that all found through the alias must match; not looked into here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// Kept and returned; one shard needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_routing: Option<String>,
    /// Kept and returned; one shard needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_routing: Option<String>,
    /// Whether writes through the alias go to this index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_write_index: Option<bool>,
    /// Whether wildcards pass it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
}

/// A change of aliases.
#[derive(Debug, Clone, PartialEq)]
pub enum AliasAction {
    /// Adds an alias to an index, or replaces what it says.
    Add {
        /// The index's concrete name.
        index: String,
        /// The alias.
        alias: String,
        /// What it says.
        value: Box<Alias>,
    },
    /// Takes aliases from indices.
    Remove {
        /// The indices' concrete names.
        indices: Vec<String>,
        /// The aliases; `*` stands for any letters.
        aliases: Vec<String>,
        /// Whether none found is an error; `None`: it is.
        must_exist: Option<bool>,
    },
    /// Deletes an index.
    RemoveIndex {
        /// Its concrete name.
        index: String,
    },
}

/// The indices after `actions`.
pub(super) fn applied(indices: &Indices, actions: &[AliasAction]) -> CatalogResult<Indices> {
    let mut next = indices.clone();
    // An alias may take the name of an index that goes by the same request.
    for action in actions {
        if let AliasAction::RemoveIndex { index } = action {
            next.remove(index).ok_or_else(|| CatalogError::NotFound(index.clone()))?;
        }
    }
    for action in actions {
        match action {
            AliasAction::RemoveIndex { .. } => {}
            AliasAction::Add { index, alias, value } => {
                let handle = next.get_mut(index).ok_or_else(|| CatalogError::NotFound(index.clone()))?;
                let mut aliases = handle.aliases().clone();
                aliases.insert(alias.clone(), (**value).clone());
                *handle = Arc::new(handle.with_aliases(aliases));
            }
            AliasAction::Remove { indices, aliases, must_exist } => {
                let mut any = false;
                for index in indices {
                    let handle = next.get_mut(index).ok_or_else(|| CatalogError::NotFound(index.clone()))?;
                    let mut left = handle.aliases().clone();
                    left.retain(|name, _| !aliases.iter().any(|pattern| matches(pattern, name)));
                    any |= left.len() < handle.aliases().len();
                    *handle = Arc::new(handle.with_aliases(left));
                }
                if !any && *must_exist != Some(false) {
                    return Err(CatalogError::AliasNotFound(aliases.clone()));
                }
            }
        }
    }
    check_all(&next)?;
    Ok(next)
}

/// Checks that every alias has a name of its own and at most one write index.
pub(super) fn check_all(indices: &Indices) -> CatalogResult<()> {
    let mut write_indices: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (index, handle) in indices {
        for (name, alias) in handle.aliases() {
            names::check_alias(name)?;
            if indices.contains_key(name) {
                let why = "an index or data stream exists with the same name as the alias".to_string();
                return Err(CatalogError::InvalidAlias { name: name.clone(), why });
            }
            if alias.is_write_index == Some(true) {
                write_indices.entry(name).or_default().push(index);
            }
        }
    }
    match write_indices.into_iter().find(|(_, indices)| indices.len() > 1) {
        Some((alias, indices)) => {
            Err(CatalogError::Invalid(format!("alias [{alias}] has more than one write index [{}]", indices.join(","))))
        }
        None => Ok(()),
    }
}

/// Whether `name` matches a pattern in which `*` stands for any letters. Linear in the product of the lengths at worst.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
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

#[cfg(test)]
mod pattern_tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_letters() {
        let cases = [
            ("books", "books", true),
            ("books", "book", false),
            ("*", "", true),
            ("books-*", "books-1", true),
            ("books-*", "books", false),
            ("*-1", "books-1", true),
            ("b*k*1", "books-1", true),
            ("b*x*1", "books-1", false),
            ("*a*", "a", true),
            ("a*a", "a", false),
            ("**", "x", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
