//! Hits for people: a list, or plans side by side.

use std::io::IsTerminal;
use std::ops::Range;

use serde_json::Value;

use crate::respond::highlight::{best_fragment, mark};
use crate::respond::{HighlightStyle, Hit, SearchResponse};
use crate::retrieve::Searcher;
use crate::retrieve::lexical::highlight::highlight_ranges;
use crate::retrieve::query_syntax;

/// Prints one plan's hits, with the passage or text that matched.
pub(super) fn print_hits(searcher: &Searcher, query: &str, response: &SearchResponse) {
    let is_terminal = std::io::stdout().is_terminal();
    let style = if is_terminal { HighlightStyle::ANSI } else { HighlightStyle::PLAIN };
    for (rank, hit) in (1..).zip(&response.hits) {
        say!("{rank:>3}. {}  ({})", clean(&title(hit)), clean(hit.id.as_str()));
        if let Some(text) = snippet(searcher, query, hit, &style) {
            say!("     {text}");
        }
        say!("     {}", provenance(hit));
    }
    if response.hits.is_empty() {
        say!("no hits");
    }
    for warning in &response.warnings {
        eprintln!("warning: {}", warning.message);
    }
    let stages: Vec<String> =
        response.cost.stages.iter().map(|stage| format!("{} {:.2}", stage.name, stage.took_ms)).collect();
    say!("{:.1} ms ({} ms)", response.took_ms, stages.join(", "));
}

/// Prints the hits of several plans under each other, a line a rank.
pub(super) fn print_side_by_side(responses: &[SearchResponse]) {
    const WIDTH: usize = 34;
    let row = |cells: Vec<String>| {
        let padded: Vec<String> = cells
            .into_iter()
            .map(|cell| {
                let shown: String = cell.chars().take(WIDTH).collect();
                format!("{shown:<WIDTH$}")
            })
            .collect();
        say!("{}", padded.join("  ").trim_end());
    };
    row(responses.iter().map(|response| format!("{} ({:.1} ms)", response.plan, response.took_ms)).collect());
    row(responses.iter().map(|_| "-".repeat(WIDTH)).collect());
    let most = responses.iter().map(|response| response.hits.len()).max().unwrap_or(0);
    for idx in 0..most {
        row(responses
            .iter()
            .map(|response| match response.hits.get(idx) {
                Some(hit) => format!("{:.3} {} {}", hit.score, clean(hit.id.as_str()), clean(&title(hit))),
                None => String::new(),
            })
            .collect());
    }
    for warning in responses.iter().flat_map(|response| &response.warnings) {
        eprintln!("warning: {}", warning.message);
    }
}

/// A title field, else the beginning of the first text.
fn title(hit: &Hit) -> String {
    let Some(source) = &hit.source else { return hit.id.to_string() };
    let named = ["title", "name", "heading", "question"].iter().find_map(|name| source.get(*name)?.as_str());
    let text = named.filter(|text| !text.trim().is_empty()).or_else(|| source.values().find_map(Value::as_str));
    text.unwrap_or_default().chars().take(100).collect()
}

/// The fragment of the matched passage, else of the longest text, with the query's words marked.
fn snippet(searcher: &Searcher, query: &str, hit: &Hit, style: &HighlightStyle<'_>) -> Option<String> {
    let passage = hit.provenance.passage.as_ref().and_then(|passage| passage.text.clone());
    let longest = || {
        let texts = hit.source.as_ref()?.values().filter_map(Value::as_str);
        texts.max_by_key(|text| text.len()).map(str::to_string)
    };
    let text = passage.or_else(longest)?;
    let parsed = query_syntax::parse(query, searcher.lexical().fields());
    let matches: Vec<Range<usize>> = match searcher.highlighted_fields().next() {
        Some((field, analyzer)) => highlight_ranges(&parsed, field, analyzer, &text),
        None => Vec::new(),
    };
    let fragment = best_fragment(&text, &matches, style.fragment_bytes);
    Some(mark(&text, &fragment.range, &matches, style))
}

fn provenance(hit: &Hit) -> String {
    let mut parts: Vec<String> = hit
        .provenance
        .legs
        .iter()
        .map(|leg| match (leg.rank, leg.score) {
            (Some(rank), Some(score)) => format!("{} #{rank} {score:.3}", leg.leg),
            _ => format!("{} -", leg.leg),
        })
        .collect();
    parts.push(format!("score {:.3}", hit.score));
    if let Some(rerank) = &hit.provenance.rerank {
        parts.push(format!("relevance {:.3} (was #{})", rerank.relevance, rerank.rank_before));
    }
    parts.join(" · ")
}

/// Text that does not steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
