//! From what a request names to indices: lists, wildcards, exclusions, aliases.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::aliases::matches;
use super::{Catalog, CatalogError, CatalogResult, IndexHandle, Indices, names};
use crate::schema::IndexDefinition;

/// How names and wildcards are taken (`ignore_unavailable`, `allow_no_indices`, `expand_wildcards`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndicesOptions {
    /// A concrete name that does not exist is passed over.
    pub ignore_unavailable: bool,
    /// Wildcards that find nothing are no error.
    pub allow_no_indices: bool,
    /// Wildcards find open indices.
    pub expand_open: bool,
    /// Wildcards find closed indices.
    pub expand_closed: bool,
    /// A closed index counts as one that is not there for `ignore_unavailable`: the request is about documents.
    pub is_about_documents: bool,
    /// Wildcards find hidden indices and aliases.
    pub expand_hidden: bool,
    /// Wildcards find aliases; else a name that is an alias is an error too.
    pub allow_aliases: bool,
}

impl Default for IndicesOptions {
    /// What most requests do.
    fn default() -> Self {
        Self {
            ignore_unavailable: false,
            allow_no_indices: true,
            expand_open: true,
            expand_closed: false,
            is_about_documents: false,
            expand_hidden: false,
            allow_aliases: true,
        }
    }
}

impl IndicesOptions {
    /// Wildcards find closed and hidden indices, too.
    pub fn everything() -> Self {
        Self { expand_closed: true, expand_hidden: true, ..Self::default() }
    }

    /// Whether an index counts as one that is not there.
    fn passes_over(self, index: &IndexHandle) -> bool {
        index.is_closed() && self.is_about_documents && self.ignore_unavailable
    }
}

/// An index that a request names.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The index.
    pub index: Arc<IndexHandle>,
    /// The filters of the aliases that lead to it, of which a document must match one; `None` where it is named without a filter too.
    pub filters: Option<Vec<Value>>,
}

/// Where a write goes.
#[derive(Debug, Clone)]
pub struct WriteTarget {
    /// The index.
    pub index: Arc<IndexHandle>,
    /// Whether the write made it.
    pub was_created: bool,
}

impl Catalog {
    /// The indices that an expression names, by name: `a,b`, `logs-*`, `-logs-old`, `_all`, aliases; empty is `_all`.
    ///
    /// An exclusion takes away from what the wildcards before it found.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] for a name that does not exist or, where it is forbidden, a wildcard that finds nothing;
    /// [`CatalogError::InvalidName`] for a name that cannot be one (`_x`); [`CatalogError::Invalid`] for date math and other clusters.
    pub fn resolve(&self, expression: &str, options: IndicesOptions) -> CatalogResult<Vec<Resolved>> {
        let indices = self.indices();
        let mut found = Found::default();
        let is_all = |part: &str| part.is_empty() || part == "_all" || part == "*";
        if is_all(expression) {
            found.add_matching(&indices, "*", options);
            return found.finish(expression, options);
        }
        let mut seen_wildcard = false;
        for part in expression.split(',').map(str::trim) {
            match part.strip_prefix('-').filter(|_| seen_wildcard) {
                Some(excluded) => found.remove(&indices, excluded),
                None if part.contains('*') || part == "_all" => {
                    seen_wildcard = true;
                    let pattern = if part == "_all" { "*" } else { part };
                    let before = found.indices.len();
                    found.add_matching(&indices, pattern, options);
                    if !options.allow_no_indices && found.indices.len() == before {
                        return Err(CatalogError::NotFound(part.to_string()));
                    }
                }
                None => found.add_named(&indices, part, options)?,
            }
        }
        found.finish(expression, options)
    }

    /// Where a write to `name` goes: an index, or the write index of an alias; made when missing, where that is allowed.
    ///
    /// * `require_alias`: `name` must be an alias.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is none and none may be made; [`CatalogError::Invalid`] for an alias without a write index;
    /// as [`Catalog::create`].
    pub fn write_target(&self, name: &str, require_alias: bool) -> CatalogResult<WriteTarget> {
        let indices = self.indices();
        if let Some(index) = indices.get(name)
            && !require_alias
        {
            return Ok(WriteTarget { index: index.clone(), was_created: false });
        }
        if let Some(index) = write_index(&indices, name)? {
            return Ok(WriteTarget { index, was_created: false });
        }
        if require_alias {
            return Err(CatalogError::NotAnAlias(name.to_string()));
        }
        check_plain(name)?;
        names::check_index(name)?;
        if !self.may_auto_create(name) {
            return Err(CatalogError::NotFound(name.to_string()));
        }
        let index = self.get_or_create(name, &IndexDefinition::default())?;
        Ok(WriteTarget { index, was_created: true })
    }

    /// As [`Catalog::write_target`], but never makes an index: where a deletion goes.
    ///
    /// # Errors
    /// As [`Catalog::write_target`].
    pub fn write_target_existing(&self, name: &str) -> CatalogResult<WriteTarget> {
        let indices = self.indices();
        if let Some(index) = indices.get(name) {
            return Ok(WriteTarget { index: index.clone(), was_created: false });
        }
        match write_index(&indices, name)? {
            Some(index) => Ok(WriteTarget { index, was_created: false }),
            None => {
                check_plain(name)?;
                Err(CatalogError::NotFound(name.to_string()))
            }
        }
    }

    /// The one index behind a name, for requests about one document: an index, or an alias of one.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is none; [`CatalogError::Invalid`] for an alias of several.
    pub fn one(&self, name: &str) -> CatalogResult<Arc<IndexHandle>> {
        let indices = self.indices();
        if let Some(index) = indices.get(name) {
            return Ok(index.clone());
        }
        let mut behind = indices.values().filter(|handle| handle.aliases().contains_key(name));
        match (behind.next(), behind.next()) {
            (Some(index), None) => Ok(index.clone()),
            (Some(_), Some(_)) => {
                let all: Vec<&str> = indices
                    .values()
                    .filter(|handle| handle.aliases().contains_key(name))
                    .map(|handle| handle.name())
                    .collect();
                Err(CatalogError::Invalid(format!(
                    "alias [{name}] has more than one index associated with it [{}], can't execute a single index op",
                    all.join(", ")
                )))
            }
            (None, _) => {
                check_plain(name)?;
                Err(CatalogError::NotFound(name.to_string()))
            }
        }
    }

    /// `action.auto_create_index`: `true`, `false`, or patterns with `+` and `-` of which the first that fits decides.
    fn may_auto_create(&self, name: &str) -> bool {
        let setting = match self.cluster_settings().get("action.auto_create_index") {
            Some(Value::String(setting)) => setting.clone(),
            Some(Value::Bool(allowed)) => return *allowed,
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => return true,
        };
        match setting.as_str() {
            "true" | "" => return true,
            "false" => return false,
            _ => {}
        }
        let fits = setting.split(',').map(str::trim).find_map(|pattern| {
            let (allowed, pattern) = match pattern.strip_prefix('-') {
                Some(pattern) => (false, pattern),
                None => (true, pattern.strip_prefix('+').unwrap_or(pattern)),
            };
            matches(pattern, name).then_some(allowed)
        });
        fits.unwrap_or(false)
    }
}

/// Refuses what only larger installations have.
fn check_plain(name: &str) -> CatalogResult<()> {
    if name.starts_with('<') && name.ends_with('>') {
        return Err(CatalogError::Invalid(format!("date math in the index name [{name}] is not supported by Bifocal")));
    }
    if name.contains(':') {
        return Err(CatalogError::Invalid(format!(
            "cross-cluster calls are not supported by Bifocal but the name [{name}] asks for one"
        )));
    }
    Ok(())
}

fn write_index(indices: &Indices, alias: &str) -> CatalogResult<Option<Arc<IndexHandle>>> {
    let behind: Vec<(&Arc<IndexHandle>, Option<bool>)> = indices
        .values()
        .filter_map(|handle| handle.aliases().get(alias).map(|value| (handle, value.is_write_index)))
        .collect();
    if behind.is_empty() {
        return Ok(None);
    }
    let chosen = behind.iter().find(|(_, is_write_index)| *is_write_index == Some(true));
    match (chosen, behind.as_slice()) {
        (Some((index, _)), _) => Ok(Some((*index).clone())),
        (None, [(index, None)]) => Ok(Some((*index).clone())),
        (None, _) => Err(CatalogError::Invalid(format!(
            "no write index is defined for alias [{alias}]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index"
        ))),
    }
}

/// What an expression has named so far.
#[derive(Debug, Default)]
struct Found {
    indices: BTreeMap<String, Resolved>,
}

impl Found {
    fn add(&mut self, index: &Arc<IndexHandle>, filter: Option<&Value>) {
        let entry = self.indices.entry(index.name().to_string());
        let resolved = entry.or_insert_with(|| Resolved { index: index.clone(), filters: Some(Vec::new()) });
        match (filter, &mut resolved.filters) {
            (Some(filter), Some(filters)) => {
                if !filters.contains(filter) {
                    filters.push(filter.clone());
                }
            }
            (None, filters) => *filters = None,
            (Some(_), None) => {}
        }
    }

    fn add_matching(&mut self, indices: &Indices, pattern: &str, options: IndicesOptions) {
        // A pattern that begins with a dot finds hidden indices whose names do.
        let dotted = pattern.starts_with('.');
        let has_state =
            |index: &IndexHandle| if index.is_closed() { options.expand_closed } else { options.expand_open };
        for index in indices.values().filter(|index| has_state(index) && !options.passes_over(index)) {
            let is_shown = options.expand_hidden || !index.is_hidden() || (dotted && index.name().starts_with('.'));
            if matches(pattern, index.name()) && is_shown {
                self.add(index, None);
            }
            if pattern == "*" || !options.allow_aliases {
                continue;
            }
            for (name, alias) in index.aliases() {
                let is_shown =
                    options.expand_hidden || alias.is_hidden != Some(true) || (dotted && name.starts_with('.'));
                if matches(pattern, name) && is_shown {
                    self.add(index, alias.filter.as_ref());
                }
            }
        }
    }

    fn add_named(&mut self, indices: &Indices, name: &str, options: IndicesOptions) -> CatalogResult<()> {
        if let Some(index) = indices.get(name) {
            if !options.passes_over(index) {
                self.add(index, None);
            }
            return Ok(());
        }
        let mut any = false;
        for index in indices.values() {
            if let Some(alias) = index.aliases().get(name) {
                any = true;
                if options.allow_aliases && !options.passes_over(index) {
                    self.add(index, alias.filter.as_ref());
                }
            }
        }
        if any && !options.allow_aliases {
            if options.ignore_unavailable {
                return Ok(());
            }
            let text = format!(
                "The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
            );
            return Err(CatalogError::Invalid(text));
        }
        check_plain(name)?;
        if !any && name.starts_with('_') {
            let why = "must not start with '_'.".to_string();
            return Err(CatalogError::InvalidName { name: name.to_string(), why });
        }
        if any || options.ignore_unavailable { Ok(()) } else { Err(CatalogError::NotFound(name.to_string())) }
    }

    fn remove(&mut self, indices: &Indices, excluded: &str) {
        self.indices.retain(|name, _| {
            let by_alias =
                indices.get(name).is_some_and(|index| index.aliases().keys().any(|alias| matches(excluded, alias)));
            !matches(excluded, name) && !by_alias
        });
    }

    fn finish(self, expression: &str, options: IndicesOptions) -> CatalogResult<Vec<Resolved>> {
        if self.indices.is_empty() && !options.allow_no_indices {
            let name = if expression.is_empty() { "_all" } else { expression };
            return Err(CatalogError::NotFound(name.to_string()));
        }
        Ok(self.indices.into_values().collect())
    }
}
