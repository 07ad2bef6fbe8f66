//! The comparison as one HTML file that needs no network: tables and plots drawn here, the queries explored by a small script.
//!
//! Everything but "query by query" is there without JavaScript. The page forbids itself every request (Content-Security-Policy); its
//! own style and script carry a nonce made from the content, which no text within can know beforehand. Style attributes are forbidden
//! with it, so plots use SVG's own attributes and classes.

mod curves;
mod escape;
mod facts;
mod measures;
mod plot;
mod queries;
mod worth;

use self::escape::{escape, sentence};
use super::comparison::Comparison;
use super::verdict::verdict;
use super::wording::{count, label, queries as num_queries};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// A part of the page: its short name stands in the contents.
struct Section {
    id: &'static str,
    short: &'static str,
    title: &'static str,
    /// HTML; empty where there is nothing to show.
    content: String,
}

/// One self-contained HTML file: measures with confidence intervals, significance, recall against depth, precision against recall,
/// queries one by one, complementarity, worth of re-ranking, slices, quality against latency, the plans, the data. It refers to nothing
/// on the network. All texts of the comparison are escaped.
pub fn html(comparison: &Comparison) -> String {
    let sections = [
        Section { id: "measures", short: "Measures", title: "Measures", content: measures::measures(comparison) },
        Section {
            id: "significance",
            short: "Significance",
            title: "Significance",
            content: measures::significance(comparison),
        },
        Section {
            id: "latency",
            short: "Latency",
            title: "Quality against latency",
            content: curves::latency(comparison),
        },
        Section {
            id: "recall",
            short: "Recall",
            title: "Recall and precision",
            content: curves::recall_and_precision(comparison),
        },
        Section { id: "queries", short: "Queries", title: "Query by query", content: queries::queries(comparison) },
        Section {
            id: "changes",
            short: "Wins and losses",
            title: "Largest wins and losses",
            content: queries::changes(comparison),
        },
        Section {
            id: "complementarity",
            short: "Legs",
            title: "What the legs find",
            content: worth::complementarity(comparison),
        },
        Section {
            id: "reranking",
            short: "Re-ranking",
            title: "Is re-ranking worth it?",
            content: worth::reranking(comparison),
        },
        Section {
            id: "dense-recall",
            short: "Dense index",
            title: "Recall of the dense index",
            content: worth::dense_recall(comparison),
        },
        Section { id: "slices", short: "Kinds", title: "Kinds of queries", content: measures::slices(comparison) },
        Section { id: "plans", short: "Plans", title: "Plans", content: facts::plans(comparison) },
        Section { id: "data", short: "Data", title: "Data", content: facts::data(comparison) },
    ];
    let shown = || sections.iter().filter(|section| !section.content.is_empty());
    let links: String =
        shown().map(|section| format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.short)).collect();
    let body: String = shown()
        .map(|section| {
            let Section { id, title, content, .. } = section;
            format!("<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>\n{content}</section>\n")
        })
        .collect();
    let header = header(comparison);
    let data = queries::data(comparison);
    let nonce = blake3::hash(format!("{header}{body}{data}").as_bytes()).to_hex();
    let title = escape(&comparison.dataset);
    let version = escape(&comparison.version);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'nonce-{nonce}'; \
         script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}: plans compared</title>\n<style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n\
         {header}<nav aria-label=\"Contents\"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n\
         <footer>Written by Bifocal {version}. This file holds everything it shows and asks nothing of the network.</footer>\n\
         <script type=\"application/json\" id=\"comparison\">{data}</script>\n\
         <script nonce=\"{nonce}\">\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn header(comparison: &Comparison) -> String {
    let mut facts = vec![num_queries(comparison.queries.len() as u64)];
    facts.extend(comparison.statistics.num_documents.map(|number| format!("{} documents", count(number))));
    let num_plans = comparison.plans.len();
    facts.push(format!("{num_plans} {}", if num_plans == 1 { "plan" } else { "plans" }));
    if !comparison.primary.is_empty() {
        facts.push(format!("first measure {}", escape(&label(&comparison.primary))));
    }
    let mut html = format!(
        "<header>\n<p class=\"eyebrow\">Retrieval evaluation</p>\n<h1 dir=\"auto\">{}</h1>\n<p class=\"facts\">{}</p>\n",
        escape(&comparison.dataset),
        facts.join("<span aria-hidden=\"true\"> · </span>")
    );
    let verdict = verdict(comparison);
    if !verdict.is_empty() {
        html += &format!("<p class=\"verdict\">{}</p>\n", sentence(&verdict));
    }
    if !comparison.warnings.is_empty() {
        let items: String = comparison.warnings.iter().map(|warning| format!("<li>{}</li>", escape(warning))).collect();
        html += &format!("<div class=\"callout warn\" role=\"note\"><strong>Warnings</strong><ul>{items}</ul></div>\n");
    }
    if !comparison.conditions.is_empty() {
        let items: String =
            comparison.conditions.iter().map(|condition| format!("<li>{}</li>", escape(condition))).collect();
        html += &format!("<ul class=\"conditions\" aria-label=\"Conditions\">{items}</ul>\n");
    }
    if !comparison.command.is_empty() {
        html += &format!("<p class=\"command\"><code>{}</code></p>\n", escape(&comparison.command));
    }
    html += "</header>\n";
    html
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_recall_of_the_dense_index_is_in_every_report() {
        use crate::eval::dense_recall::{DenseRecall, DenseSetting};
        let row = |setting, recall, note: &str| DenseRecall {
            setting,
            num_candidates: None,
            k: 10,
            num_queries: 60,
            recall,
            queries_per_second: 1234.0,
            vectors_compared: 5678.0,
            segments_walked: 1.0,
            segments_scanned: 0.0,
            note: note.to_string(),
        };
        let mut comparison = sample::comparison(60);
        let title = "Recall of the dense index";
        assert!(!html(&comparison).contains(title));
        let walk = row(DenseSetting::Walk, 0.9876, "no <graph> here");
        comparison.dense_recall = vec![row(DenseSetting::Exact, 1.0, ""), walk];
        let (page, table, markdown) =
            (html(&comparison), crate::eval::report::table(&comparison), crate::eval::report::markdown(&comparison));
        assert!(page.contains("No &lt;graph&gt; here.") && !page.contains("<graph>"));
        for text in [page, table, markdown] {
            assert!(text.contains(title) && text.contains("graphs only") && text.contains("0.9876"), "{text}");
        }
    }

    #[test]
    fn the_page_is_small_and_refers_to_nothing() {
        let text = html(&sample::comparison(300));
        assert!(text.len() < 600_000, "{} bytes", text.len());
        for forbidden in ["http://", "https://", "src=", "@import", "url(", " style=", "<link"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let text = html(&sample::hostile(40));
        assert_eq!(text.matches("<script").count(), 2);
        assert_eq!(text.matches("</script").count(), 2);
        assert!(!text.contains("<img") && !text.contains("<!-- "));
        let data = text.split("id=\"comparison\">").nth(1).unwrap().split("</script>").next().unwrap();
        let parsed: serde_json::Value = serde_json::from_str(data).unwrap();
        assert!(parsed["queries"][0][1].as_str().unwrap().starts_with("</script><script>"));
    }

    #[test]
    fn every_tag_is_closed_and_ids_are_unique() {
        for comparison in [sample::comparison(40), sample::hostile(40), Comparison::default()] {
            let text = html(&comparison);
            let body = text.split("<body>").nth(1).unwrap().split("<script").next().unwrap();
            let mut open: Vec<&str> = Vec::new();
            for tag in body.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
                let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
                if tag.starts_with('/') {
                    assert_eq!(open.pop(), Some(name), "{tag}");
                } else if !tag.ends_with('/') && !["br", "input"].contains(&name) {
                    open.push(name);
                }
            }
            assert!(open.is_empty(), "{open:?}");
            let mut ids: Vec<&str> = body.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            let num_ids = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), num_ids);
        }
    }

    #[test]
    fn numbers_that_are_none_are_drawn_nowhere() {
        let mut comparison = sample::comparison(30);
        for plan in &mut comparison.plans {
            plan.per_query.get_mut("ndcg@10").unwrap()[3] = f64::NAN;
            plan.metrics.insert("map".into(), f64::NAN);
            plan.recall_at[2].y = f64::NAN;
        }
        comparison.plans[1].latency_ms = None;
        comparison.plans[2].latency_ms = Some(super::super::comparison::Latency { p50: 0.0, p95: 0.0 });
        comparison.plans[3].intervals.clear();
        let text = html(&comparison);
        let drawn = text.split("<script").next().unwrap();
        assert!(!drawn.contains("NaN") && !drawn.contains("\"inf"));
    }
}
