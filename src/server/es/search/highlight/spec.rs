//! `highlight` as it was asked for.

use serde_json::{Map, Value};

use crate::server::es::error::{EsError, EsResult};
use crate::server::es::search::json;

/// Fields and how they are highlighted.
#[derive(Debug, Clone)]
pub(in super::super) struct HighlightSpec {
    /// In the order of the request.
    pub(super) fields: Vec<(String, Options)>,
    /// What holds for every field that does not say otherwise.
    pub(super) defaults: Options,
}

/// What one field, or all, say; `None` leaves it open.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    kind: Option<Kind>,
    fragment_size: Option<usize>,
    number_of_fragments: Option<usize>,
    pre_tags: Option<Vec<String>>,
    post_tags: Option<Vec<String>>,
    order_by_score: Option<bool>,
    no_match_size: Option<usize>,
    require_field_match: Option<bool>,
    pub(super) highlight_query: Option<Value>,
    boundary: Option<Boundary>,
    simple_fragmenter: Option<bool>,
    pub(super) max_analyzed_offset: Option<AnalyzedOffset>,
    escapes_html: Option<bool>,
    pub(super) matched_fields: Vec<String>,
}

/// How much of a long text is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnalyzedOffset {
    /// -1: as much as the index's setting allows.
    OfIndex,
    /// So many characters.
    Chars(usize),
}

/// Which highlighter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Passages between the bounds of sentences or words.
    Unified,
    /// Fragments of a size, word by word.
    Plain,
    /// The passages of a semantic field that are close in meaning.
    Semantic,
}

/// Where the passages of the unified highlighter may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// At sentences, or inside of long ones at words.
    Sentence,
    /// At words.
    Word,
}

/// What holds for one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Style {
    pub(super) kind: Kind,
    /// In characters; 0 has no bound.
    pub(super) fragment_size: usize,
    /// 0 highlights whole values.
    pub(super) number_of_fragments: usize,
    pub(super) pre_tag: String,
    pub(super) post_tag: String,
    pub(super) order_by_score: bool,
    pub(super) no_match_size: usize,
    pub(super) require_field_match: bool,
    pub(super) boundary: Boundary,
    /// The plain highlighter cuts through phrases.
    pub(super) simple_fragmenter: bool,
    pub(super) escapes_html: bool,
}

impl HighlightSpec {
    /// # Errors
    /// `x_content_parse_exception` for what highlighting does not have, `illegal_argument_exception` for values that are none.
    pub(in super::super) fn parse(value: &Value) -> EsResult<Self> {
        let mut spec = Self { fields: Vec::new(), defaults: Options::default() };
        for (name, value) in json::object("highlight", value)? {
            match name.as_str() {
                "fields" => match value {
                    Value::Array(parts) => {
                        for part in parts {
                            spec.read_fields(json::object("highlight", part)?)?;
                        }
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                        spec.read_fields(json::object("highlight", value)?)?;
                    }
                },
                "encoder" => {
                    spec.defaults.escapes_html = Some(match json::text("highlight", name, value)?.as_str() {
                        "html" => true,
                        "default" => false,
                        other => return Err(EsError::illegal_argument(format!("Unknown encoder [{other}]"))),
                    });
                }
                "tags_schema" => spec.defaults.tags_schema(&json::text("highlight", name, value)?)?,
                _ => spec.defaults.member("highlight", name, value)?,
            }
        }
        Ok(spec)
    }

    fn read_fields(&mut self, fields: &Map<String, Value>) -> EsResult<()> {
        for (field, options) in fields {
            let mut read = Options::default();
            for (name, value) in json::object("highlight_field", options)? {
                match name.as_str() {
                    "matched_fields" => read.matched_fields = json::texts("highlight_field", name, value)?,
                    _ => read.member("highlight_field", name, value)?,
                }
            }
            self.fields.push((field.clone(), read));
        }
        Ok(())
    }
}

/// What only Lucene's highlighter over term vectors does: other fragments than those of the highlighters here.
fn fast_vector_highlighter(name: &str, value: impl std::fmt::Display) -> EsError {
    EsError::unsupported(format!("[{name}] [{value}] of highlight belongs to the fast vector highlighter (fvh), which"))
}

impl Options {
    fn member(&mut self, part: &str, name: &str, value: &Value) -> EsResult<()> {
        match name {
            "type" => {
                self.kind = Some(match json::text(part, name, value)?.as_str() {
                    "unified" => Kind::Unified,
                    "plain" | "highlighter" => Kind::Plain,
                    "semantic" => Kind::Semantic,
                    "fvh" | "fast-vector-highlighter" => return Err(fast_vector_highlighter("type", "fvh")),
                    other => {
                        return Err(EsError::illegal_argument(format!(
                            "unknown highlighter type [{other}] for the field"
                        )));
                    }
                });
            }
            "fragment_size" => self.fragment_size = Some(json::size(part, name, value)?),
            "number_of_fragments" => self.number_of_fragments = Some(json::size(part, name, value)?),
            "pre_tags" => self.pre_tags = Some(json::texts(part, name, value)?),
            "post_tags" => self.post_tags = Some(json::texts(part, name, value)?),
            "order" => {
                self.order_by_score = Some(match json::text(part, name, value)?.to_ascii_lowercase().as_str() {
                    "score" => true,
                    "none" => false,
                    other => {
                        return Err(EsError::illegal_argument(format!("No enum constant for the order [{other}]")));
                    }
                });
            }
            "no_match_size" => self.no_match_size = Some(json::size(part, name, value)?),
            "require_field_match" => self.require_field_match = Some(json::boolean(part, name, value)?),
            "highlight_query" => self.highlight_query = Some(value.clone()),
            "boundary_scanner" => {
                self.boundary = Some(match json::text(part, name, value)?.to_ascii_lowercase().as_str() {
                    "sentence" => Boundary::Sentence,
                    "word" => Boundary::Word,
                    "chars" => return Err(fast_vector_highlighter(name, "chars")),
                    other => {
                        return Err(EsError::illegal_argument(format!(
                            "No enum constant for the boundary scanner [{other}]"
                        )));
                    }
                });
            }
            "fragmenter" => {
                self.simple_fragmenter = Some(match json::text(part, name, value)?.as_str() {
                    "simple" => true,
                    "span" => false,
                    other => {
                        return Err(EsError::illegal_argument(format!(
                            "unknown fragmenter option [{other}] for the field"
                        )));
                    }
                });
            }
            "max_analyzed_offset" => {
                let offset = json::integer(part, name, value)?;
                if offset == 0 || offset < -1 {
                    return Err(EsError::illegal_argument("[max_analyzed_offset] must be a positive integer, or -1"));
                }
                self.max_analyzed_offset =
                    Some(usize::try_from(offset).map_or(AnalyzedOffset::OfIndex, AnalyzedOffset::Chars));
            }
            // Bounds are those of the root locale, which are English's too.
            "boundary_scanner_locale" => {
                let locale = json::text(part, name, value)?;
                let language = locale.split(['-', '_']).next().unwrap_or_default();
                if !matches!(language, "" | "en" | "und" | "root") {
                    return Err(EsError::unsupported(format!("[boundary_scanner_locale] [{locale}] of highlight")));
                }
            }
            "boundary_chars" | "boundary_max_scan" | "phrase_limit" | "fragment_offset" => {
                return Err(fast_vector_highlighter(name, value));
            }
            "force_source" => drop(json::boolean(part, name, value)?),
            "options" if value.as_object().is_some_and(Map::is_empty) => {}
            _ => return Err(json::unknown_field(part, name)),
        }
        Ok(())
    }

    fn tags_schema(&mut self, schema: &str) -> EsResult<()> {
        match schema {
            "styled" => {
                self.pre_tags = Some(vec!["<em class=\"hlt1\">".to_string()]);
                self.post_tags = Some(vec!["</em>".to_string()]);
            }
            "default" => {
                self.pre_tags = Some(vec!["<em>".to_string()]);
                self.post_tags = Some(vec!["</em>".to_string()]);
            }
            other => return Err(EsError::illegal_argument(format!("Unknown tag schema [{other}]"))),
        }
        Ok(())
    }

    /// These options over those of all fields.
    ///
    /// * `kind`: where neither says which highlighter.
    pub(super) fn over(&self, defaults: &Options, kind: Kind) -> EsResult<Style> {
        let tags = |own: &Option<Vec<String>>, common: &Option<Vec<String>>| {
            own.as_ref().or(common.as_ref()).map(|tags| tags.first().cloned().unwrap_or_default())
        };
        let pre_tag = tags(&self.pre_tags, &defaults.pre_tags);
        let post_tag = tags(&self.post_tags, &defaults.post_tags);
        if pre_tag.is_some() && post_tag.is_none() {
            return Err(EsError::illegal_argument("pre_tags are set but post_tags are not set"));
        }
        Ok(Style {
            kind: self.kind.or(defaults.kind).unwrap_or(kind),
            fragment_size: self.fragment_size.or(defaults.fragment_size).unwrap_or(100),
            number_of_fragments: self.number_of_fragments.or(defaults.number_of_fragments).unwrap_or(5),
            pre_tag: pre_tag.unwrap_or_else(|| "<em>".to_string()),
            post_tag: post_tag.unwrap_or_else(|| "</em>".to_string()),
            order_by_score: self.order_by_score.or(defaults.order_by_score).unwrap_or(false),
            no_match_size: self.no_match_size.or(defaults.no_match_size).unwrap_or(0),
            require_field_match: self.require_field_match.or(defaults.require_field_match).unwrap_or(true),
            boundary: self.boundary.or(defaults.boundary).unwrap_or(Boundary::Sentence),
            simple_fragmenter: self.simple_fragmenter.or(defaults.simple_fragmenter).unwrap_or(false),
            escapes_html: defaults.escapes_html.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_says_otherwise_than_all() {
        let spec = HighlightSpec::parse(&json!({
            "pre_tags": ["<b>"], "post_tags": ["</b>"], "fragment_size": 50, "encoder": "html",
            "fields": [{"title": {"number_of_fragments": 0, "fragment_size": 20}}, {"body*": {}}],
        }))
        .unwrap();
        let styles: Vec<Style> =
            spec.fields.iter().map(|(_, own)| own.over(&spec.defaults, Kind::Unified).unwrap()).collect();
        assert_eq!(
            (styles[0].fragment_size, styles[0].number_of_fragments, styles[0].pre_tag.as_str()),
            (20, 0, "<b>")
        );
        assert_eq!((styles[1].fragment_size, styles[1].number_of_fragments, styles[1].escapes_html), (50, 5, true));
    }

    #[test]
    fn what_highlighting_lacks_is_refused_by_name() {
        for (body, what) in [
            (json!({"colour": 1}), "[highlight] unknown field [colour]"),
            (json!({"fields": {"a": {"colour": 1}}}), "[highlight_field] unknown field [colour]"),
            (json!({"fields": {"a": {"type": "colour"}}}), "unknown highlighter type [colour]"),
            (json!({"tags_schema": "mine"}), "Unknown tag schema [mine]"),
            (json!({"encoder": "xml"}), "Unknown encoder [xml]"),
            (json!({"fields": {"a": {"max_analyzed_offset": 0}}}), "max_analyzed_offset"),
        ] {
            let error = HighlightSpec::parse(&body).unwrap_err();
            assert!(error.reason.contains(what), "{body}: {error}");
        }
    }
}
