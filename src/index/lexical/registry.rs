//! The analyzers of an index: those that its settings define, and the built-in ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::analyzers::{Analyzer, Chain, POSITION_INCREMENT_GAP, Step};
use super::char_filters::CharFilter;
use super::definitions::filters::Surroundings;
use super::definitions::{self, Params, tokenizers};
use super::filters::Filter;
use super::tokenizers::Tokenizer;
use crate::error::{Error, Result};
use crate::schema::analysis::Component;
use crate::schema::settings::IndexSettings;

/// Analyzers and normalizers by name. Cheap to clone, `Send + Sync`.
#[derive(Debug, Clone, Default)]
pub struct Analyzers(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    analyzers: BTreeMap<String, Analyzer>,
    normalizers: BTreeMap<String, Analyzer>,
    settings: IndexSettings,
}

/// A part that `_analyze` names, or defines where it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// By name: the index's own, or a built-in one.
    Named(String),
    /// With its type and parameters.
    Inline(Component),
}

impl Part {
    /// Reads `"lowercase"` or `{"type": "stop", ..}`.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when it is neither.
    pub fn from_value(value: &Value) -> Result<Self> {
        match value {
            Value::String(name) => Ok(Part::Named(name.clone())),
            Value::Object(_) => Ok(Part::Inline(Component::from_value(value)?)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Err(Error::invalid_input(format!("expected the name of a filter or an object, got {value}")))
            }
        }
    }
}

impl Analyzers {
    /// Builds all that `settings.analysis` defines, so that what is wrong is found when an index is made.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a type or parameter that this engine lacks,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for one that nobody has or that makes no sense; both by name.
    pub fn new(settings: &IndexSettings) -> Result<Self> {
        let builder = Builder { settings };
        let analysis = &settings.analysis;
        let mut registry = Registry { settings: settings.clone(), ..Registry::default() };
        // Each part by itself, as an analyzer may use none of them.
        for name in analysis.char_filter.keys() {
            builder.char_filter(&Part::Named(name.clone()), &format!("char_filter [{name}]"))?;
        }
        for name in analysis.tokenizer.keys() {
            builder.tokenizer(&Part::Named(name.clone()), &format!("tokenizer [{name}]"))?;
        }
        for (name, component) in &analysis.filter {
            // What a filter of synonyms says can be read only where it stands in an analyzer.
            if !matches!(component.kind(), Some("synonym" | "synonym_graph" | "multiplexer")) {
                builder.filter(&Part::Named(name.clone()), &empty_chain(), &format!("filter [{name}]"), 0)?;
            }
        }
        for (name, component) in &analysis.normalizer {
            registry.normalizers.insert(name.clone(), builder.normalizer(name, component)?);
        }
        for (name, component) in &analysis.analyzer {
            registry.analyzers.insert(name.clone(), builder.analyzer(name, component)?);
        }
        Ok(Self(Arc::new(registry)))
    }

    /// The analyzer of this name: the index's own, or a built-in one.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when there is none, `Unsupported` for one of Elasticsearch's that this
    /// engine lacks.
    pub fn get(&self, name: &str) -> Result<Analyzer> {
        if let Some(analyzer) = self.0.analyzers.get(name) {
            return Ok(analyzer.clone());
        }
        if crate::schema::ANALYZERS.contains(&name) {
            return Analyzer::named(name);
        }
        if matches!(name, "default" | "default_search") {
            return Ok(self.default_analyzer());
        }
        if definitions::is_known_elsewhere(name) {
            return Err(Error::unsupported(format!("analyzer [{name}] is not supported")));
        }
        Err(Error::invalid_input(format!("analyzer [{name}] has not been configured in mappings")))
    }

    /// Whether the settings define an analyzer of this name.
    pub fn defines(&self, name: &str) -> bool {
        self.0.analyzers.contains_key(name)
    }

    /// The analyzer of text fields that name none: the settings' `default`, else `standard`.
    pub fn default_analyzer(&self) -> Analyzer {
        self.0.analyzers.get("default").cloned().unwrap_or_else(standard)
    }

    /// The analyzer of queries on fields that name no analyzer at all: `default_search`, else [`Analyzers::default_analyzer`].
    pub fn default_search_analyzer(&self) -> Analyzer {
        self.0.analyzers.get("default_search").cloned().unwrap_or_else(|| self.default_analyzer())
    }

    /// The normalizer of this name; `lowercase` is built in. Use [`Analyzer::normalize_value`] with it.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when there is none.
    pub fn normalizer(&self, name: &str) -> Result<Analyzer> {
        if let Some(normalizer) = self.0.normalizers.get(name) {
            return Ok(normalizer.clone());
        }
        if name == "lowercase" {
            return Ok(Analyzer::new(name, Chain::words(Tokenizer::Keyword, vec![Filter::Lowercase])));
        }
        Err(Error::invalid_input(format!("normalizer [{name}] not found")))
    }

    /// An analyzer put together from parts, for `_analyze`. Without a tokenizer the whole text is one token.
    ///
    /// # Errors
    /// As [`Analyzers::new`].
    pub fn assemble(&self, char_filters: &[Part], tokenizer: Option<&Part>, filters: &[Part]) -> Result<Analyzer> {
        let builder = Builder { settings: &self.0.settings };
        let missing = |kind: &str, part: &Part| match part {
            Part::Named(name) => format!("failed to find global {kind} under [{name}]"),
            Part::Inline(component) => match component.kind() {
                Some(kind_name) => format!("failed to find global {kind} under [{kind_name}]"),
                None => format!("Missing [type] setting for anonymous {kind}: {}", serde_json::json!(component)),
            },
        };
        let mut chain = empty_chain();
        chain.custom = true;
        for part in char_filters {
            let filter =
                builder.char_filter(part, "").map_err(|error| named_error(error, || missing("char_filter", part)))?;
            chain.char_filters.push(filter);
        }
        if let Some(part) = tokenizer {
            let (name, (tokenizer, filter)) =
                builder.tokenizer(part, "").map_err(|error| named_error(error, || missing("tokenizer", part)))?;
            (chain.tokenizer_name, chain.tokenizer) = (name, tokenizer);
            chain.filters.extend(filter.map(|filter| (String::new(), vec![Step::Word(filter)])));
        }
        for part in filters {
            let filter =
                builder.filter(part, &chain, "", 0).map_err(|error| named_error(error, || missing("filter", part)))?;
            chain.filters.push(filter);
        }
        Ok(Analyzer::new("_custom_", chain))
    }

    /// How many tokens `_analyze` may return.
    pub fn max_token_count(&self) -> usize {
        self.0.settings.analyze.as_ref().and_then(|analyze| analyze.max_token_count).unwrap_or(10_000) as usize
    }
}

fn standard() -> Analyzer {
    Analyzer::new("standard", Chain::words(Tokenizer::STANDARD, vec![Filter::Lowercase]))
}

fn empty_chain() -> Chain {
    Chain {
        tokenizer_name: "keyword".to_string(),
        char_filters: Vec::new(),
        tokenizer: Tokenizer::Keyword,
        filters: Vec::new(),
        custom: true,
        position_increment_gap: POSITION_INCREMENT_GAP,
    }
}

/// The text of an error about a part that nobody knows; other errors stay.
fn named_error(error: Error, text: impl FnOnce() -> String) -> Error {
    if error.message().is_empty() { Error::new(error.kind(), text()) } else { error }
}

/// A part that was not found: the caller knows what it is called. One that Elasticsearch has is refused by its name.
fn not_found(context: &str, name: &str) -> Error {
    if definitions::is_known_elsewhere(name) {
        return Error::unsupported(format!("[{name}] is not supported"));
    }
    Error::invalid_input(context.to_string())
}

struct Builder<'a> {
    settings: &'a IndexSettings,
}

impl Builder<'_> {
    fn analyzer(&self, name: &str, component: &Component) -> Result<Analyzer> {
        let params = Params::new("analyzer", name, component)?;
        let kind = match params.kind {
            "" if params.has("tokenizer") => "custom",
            "" => {
                return Err(Error::invalid_input(format!(
                    "analyzer [{name}] must specify either an analyzer type, or a tokenizer"
                )));
            }
            kind => kind,
        };
        if kind != "custom" {
            return Ok(Analyzer::new(name, definitions::analyzers::build(&params)?));
        }
        let Some(tokenizer) = params.text("tokenizer")? else {
            return Err(Error::invalid_input(format!("analyzer [{name}] must be configured with a tokenizer")));
        };
        let what =
            |kind: &str, part: &str| format!("Custom Analyzer [{name}] failed to find {kind} under name [{part}]");
        let mut chain = empty_chain();
        let gap = params.number("position_increment_gap", POSITION_INCREMENT_GAP)?;
        chain.position_increment_gap = gap;
        for filter in params.list("char_filter")?.unwrap_or_default() {
            chain.char_filters.push(self.char_filter(&Part::Named(filter.clone()), &what("char_filter", &filter))?);
        }
        let (tokenizer_name, (cutter, filter)) =
            self.tokenizer(&Part::Named(tokenizer.clone()), &what("tokenizer", &tokenizer))?;
        (chain.tokenizer_name, chain.tokenizer) = (tokenizer_name, cutter);
        chain.filters.extend(filter.map(|filter| (String::new(), vec![Step::Word(filter)])));
        for filter in params.list("filter")?.unwrap_or_default() {
            let built = self.filter(&Part::Named(filter.clone()), &chain, &what("filter", &filter), 0)?;
            chain.filters.push(built);
        }
        params.finish()?;
        Ok(Analyzer::new(name, chain))
    }

    fn normalizer(&self, name: &str, component: &Component) -> Result<Analyzer> {
        let params = Params::new("normalizer", name, component)?;
        match params.kind {
            "" | "custom" => {}
            "lowercase" => {
                params.finish()?;
                return Ok(Analyzer::new(name, Chain::words(Tokenizer::Keyword, vec![Filter::Lowercase])));
            }
            _ => return Err(params.unknown_type()),
        }
        if params.has("tokenizer") {
            return Err(Error::invalid_input(format!("Custom normalizer [{name}] cannot configure a tokenizer")));
        }
        let what =
            |kind: &str, part: &str| format!("Custom normalizer [{name}] failed to find {kind} under name [{part}]");
        let may_not = |kind: &str, part: &str| {
            Error::invalid_input(format!("Custom normalizer [{name}] may not use {kind} [{part}]"))
        };
        let mut chain = empty_chain();
        for filter in params.list("char_filter")?.unwrap_or_default() {
            let built = self.char_filter(&Part::Named(filter.clone()), &what("char_filter", &filter))?;
            if !built.1.is_normalizing() {
                return Err(may_not("char filter", &filter));
            }
            chain.char_filters.push(built);
        }
        for filter in params.list("filter")?.unwrap_or_default() {
            let built = self.filter(&Part::Named(filter.clone()), &chain, &what("filter", &filter), 0)?;
            if !built.1.iter().all(|step| matches!(step, Step::Word(filter) if filter.is_normalizing())) {
                return Err(may_not("filter", &filter));
            }
            chain.filters.push(built);
        }
        params.finish()?;
        Ok(Analyzer::new(name, chain))
    }

    fn char_filter(&self, part: &Part, context: &str) -> Result<(String, CharFilter)> {
        let (name, component) = match part {
            Part::Inline(component) => ("__anonymous__".to_string() + component.kind().unwrap_or(""), component),
            Part::Named(name) => match self.settings.analysis.char_filter.get(name) {
                Some(component) => (name.clone(), component),
                None => {
                    let filter = definitions::char_filters::named(name).ok_or_else(|| not_found(context, name))?;
                    return Ok((name.clone(), filter));
                }
            },
        };
        let params = self.typed("char_filter", &name, component, context)?;
        Ok((name.clone(), definitions::char_filters::build(&params)?))
    }

    fn tokenizer(&self, part: &Part, context: &str) -> Result<(String, tokenizers::Parts)> {
        let (name, component) = match part {
            Part::Inline(component) => ("__anonymous__".to_string() + component.kind().unwrap_or(""), component),
            Part::Named(name) => match self.settings.analysis.tokenizer.get(name) {
                Some(component) => (name.clone(), component),
                None => {
                    let tokenizer = tokenizers::named(name).ok_or_else(|| not_found(context, name))?;
                    return Ok((name.clone(), tokenizer));
                }
            },
        };
        let params = self.typed("tokenizer", &name, component, context)?;
        Ok((name.clone(), tokenizers::build(&params, self.settings)?))
    }

    /// `depth` counts filters inside filters.
    fn filter(&self, part: &Part, before: &Chain, context: &str, depth: usize) -> Result<(String, Vec<Step>)> {
        let (name, component) = match part {
            Part::Inline(component) => ("__anonymous__".to_string() + component.kind().unwrap_or(""), component),
            Part::Named(name) => match self.settings.analysis.filter.get(name) {
                Some(component) => (name.clone(), component),
                None => {
                    let steps = definitions::filters::named(name).ok_or_else(|| not_found(context, name))?;
                    return Ok((name.clone(), steps));
                }
            },
        };
        if depth > 4 {
            return Err(Error::invalid_input(format!("filter [{name}] holds itself")));
        }
        let params = self.typed("filter", &name, component, context)?;
        let find = |inner: &str, before: &Chain| -> Result<Vec<Step>> {
            let context = format!("Multiplexing filter [{name}] refers to undefined tokenfilter [{inner}]");
            Ok(self.filter(&Part::Named(inner.to_string()), before, &context, depth + 1)?.1)
        };
        let around = Surroundings { settings: self.settings, before, find: &find };
        Ok((name.clone(), definitions::filters::build(&params, &around)?))
    }

    fn typed<'a>(
        &self,
        group: &'static str,
        name: &'a str,
        component: &'a Component,
        context: &str,
    ) -> Result<Params<'a>> {
        let params = Params::new(group, name, component)?;
        if !params.kind.is_empty() {
            return Ok(params);
        }
        if context.is_empty() {
            return Err(not_found(context, ""));
        }
        Err(Error::invalid_input(format!("{group} [{name}] must specify either an analyzer type, or a tokenizer")))
    }
}
