//! The plans as they ran, and the data.

use super::super::comparison::Comparison;
use super::super::wording::{about, bytes, count};
use super::escape::escape;
use super::plot::swatch;

/// Every plan as JSON.
pub(super) fn plans(comparison: &Comparison) -> String {
    let item = |(idx, json): (usize, &serde_json::Value)| {
        let name = comparison.plans.get(idx).map(|plan| escape(&plan.name)).unwrap_or_default();
        let text = serde_json::to_string_pretty(json).unwrap_or_default();
        format!(
            "<details><summary>{}<b class=\"plan\">{name}</b></summary><pre tabindex=\"0\"><code>{}</code></pre></details>\n",
            swatch(idx),
            escape(&text)
        )
    };
    let with_json = comparison.plans.iter().enumerate().filter_map(|(idx, plan)| Some((idx, plan.plan.as_ref()?)));
    with_json.map(item).collect()
}

/// Numbers of documents, queries and judgments, and the index.
pub(super) fn data(comparison: &Comparison) -> String {
    let statistics = &comparison.statistics;
    let mut facts: Vec<(&str, String)> = Vec::new();
    facts.extend(statistics.num_documents.map(|number| ("Documents", count(number))));
    facts.extend(statistics.words_per_document.map(|words| ("Words a document", format!("{words:.1}"))));
    if statistics.num_queries > 0 {
        facts.extend([
            ("Queries", count(statistics.num_queries)),
            ("Judged", count(statistics.num_judged_queries)),
            ("With a relevant document", count(statistics.num_queries_with_relevant)),
            ("Words a query", format!("{:.1}", statistics.words_per_query)),
            ("Judgments", count(statistics.num_judgments)),
            ("Relevant documents a query", format!("{:.1}", statistics.relevant_per_query)),
        ]);
    }
    if !statistics.grades.is_empty() {
        let grades: Vec<String> =
            statistics.grades.iter().map(|(grade, number)| format!("{grade}: {}", count(*number))).collect();
        facts.push(("Judgments by grade", grades.join(", ")));
    }
    if let Some(index) = &comparison.index {
        facts.extend([
            ("Index", index.folder.clone()),
            ("Indexed documents", count(index.num_documents)),
            ("Size on disk", bytes(index.num_bytes)),
        ]);
        if !index.models.is_empty() {
            facts.push(("Bi-encoders", index.models.join(", ")));
        }
        facts.extend(index.build_seconds.map(|seconds| ("Built in", format!("{} s", about(seconds)))));
    }
    if facts.is_empty() {
        return String::new();
    }
    let items: String =
        facts.iter().map(|(name, fact)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(fact))).collect();
    format!("<dl>{items}</dl>\n")
}
