//! The rules of `synonym` and `synonym_graph`.

use super::Params;
use crate::error::{Error, Result};
use crate::index::lexical::analyzers::{Analyzer, Chain, Step};
use crate::index::lexical::filters::Filter;
use crate::index::lexical::stream_filters::synonym_map::{self, Reading};
use crate::index::lexical::stream_filters::{StreamFilter, SynonymMap};

/// Reads the rules; their words are analysed by what stands `before` the filter.
pub(super) fn map(params: &Params<'_>, before: &Chain) -> Result<SynonymMap> {
    params.no_file("synonyms_path", "synonyms")?;
    if params.has("synonyms_set") {
        return Err(params.unsupported("synonyms_set; write [synonyms] into the settings"));
    }
    if params.has("tokenizer") || params.has("ignore_case") {
        return Err(params.unsupported("tokenizer and ignore_case; the rules are analysed by what stands before them"));
    }
    // Synonyms that can be changed while an index is open are those of files and sets.
    if params.flag("updateable", false)? {
        return Err(params.unsupported("updateable"));
    }
    let wordnet = match params.text("format")?.as_deref() {
        None | Some("solr") | Some("") => false,
        Some("wordnet") => true,
        Some(other) => return Err(params.invalid(&format!("unknown format [{other}] of synonym [{}]", params.name))),
    };
    let reading = Reading { expand: params.flag("expand", true)?, lenient: params.flag("lenient", false)?, wordnet };
    let Some(lines) = params.lines("synonyms")? else {
        return Err(params.invalid("synonym requires either `synonyms` or `synonyms_path` to be configured"));
    };
    // A text of several lines is read as a file.
    let lines: Vec<String> = lines.iter().flat_map(|line| line.lines()).map(str::to_string).collect();
    let analyzer = analyzer_of_rules(before)?;
    synonym_map::build(&lines, reading, &analyzer)
        .map_err(|error| Error::invalid_input(format!("failed to build synonyms: {error}")).with_source(error))
}

/// The chain before the filter, without what would make several tokens of a rule's word.
fn analyzer_of_rules(before: &Chain) -> Result<Analyzer> {
    let mut chain = before.clone();
    for (name, steps) in &mut chain.filters {
        let mut kept = Vec::with_capacity(steps.len());
        for step in std::mem::take(steps) {
            match step {
                Step::Word(_) => kept.push(step),
                Step::Stream(filter) => match filter {
                    StreamFilter::FoldBeside => kept.push(Step::Word(Filter::AsciiFolding)),
                    StreamFilter::Unique { .. }
                    | StreamFilter::RemoveDuplicates
                    | StreamFilter::Limit(_)
                    | StreamFilter::KeepTypes { .. } => {
                        kept.push(Step::Stream(filter));
                    }
                    StreamFilter::StopButLast(words) => kept.push(Step::Word(Filter::Stop(words))),
                    // Synonyms do not build on synonyms.
                    StreamFilter::Synonyms(_)
                    | StreamFilter::SynonymGraph(_)
                    | StreamFilter::Multiplexer { .. }
                    | StreamFilter::KeywordRepeat => {}
                    StreamFilter::Fingerprint { .. }
                    | StreamFilter::Grams(_)
                    | StreamFilter::Shingles(_)
                    | StreamFilter::FixedShingles { .. }
                    | StreamFilter::CommonGrams(_)
                    | StreamFilter::CjkBigrams(_)
                    | StreamFilter::PatternCapture { .. }
                    | StreamFilter::WordDelimiter(_)
                    | StreamFilter::FlattenGraph => {
                        return Err(Error::invalid_input(format!(
                            "Token filter [{name}] cannot be used to parse synonyms"
                        )));
                    }
                },
            }
        }
        *steps = kept;
    }
    Ok(Analyzer::new("synonyms", chain))
}
