//! The queries: the largest wins and losses as text, and the data that `assets/report.js` draws the scatter and the table from.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::comparison::{ChangedQuery, Comparison, MovedDocument};
use super::super::parts::wins_and_losses;
use super::super::wording::{cut, label, signed};
use super::escape::{escape, json_in_script, minus};
use super::plot::swatch;

const NUM_CHANGED: usize = 5;
/// Documents that moved, of each query and plan, in the page.
const NUM_MOVED: usize = 10;
const TITLE_CHARS: usize = 110;
const QUERY_CHARS: usize = 600;

/// Where the script puts the scatter and the table of queries.
pub(super) fn queries(comparison: &Comparison) -> String {
    if comparison.queries.is_empty() || comparison.plans.iter().all(|plan| plan.per_query.is_empty()) {
        return String::new();
    }
    let plan_options = |selected: usize| -> String {
        let option = |(idx, plan): (usize, &super::super::comparison::PlanResult)| {
            let selected = if idx == selected { " selected" } else { "" };
            format!("<option value=\"{idx}\"{selected}>{}</option>", escape(&cut(&plan.name, 60)))
        };
        comparison.plans.iter().enumerate().map(option).collect()
    };
    let measure_option = |(idx, measure): (usize, &String)| {
        let selected = if *measure == comparison.primary { " selected" } else { "" };
        format!("<option value=\"{idx}\"{selected}>{}</option>", escape(&label(measure)))
    };
    let measures: String = comparison.measures.iter().enumerate().map(measure_option).collect();
    format!(
        "<noscript><p class=\"note\">The scatter and the table of all queries need JavaScript; the largest wins and losses are below.</p></noscript>\n\
         <div class=\"needs-script\">\n\
         <p class=\"controls\"><label>Plan <select id=\"plan-y\">{}</select></label> <label>against <select id=\"plan-x\">{}</select></label> \
         <label>in <select id=\"measure\">{measures}</select></label></p>\n\
         <div class=\"explorer\"><figure><figcaption id=\"scatter-caption\"></figcaption><div id=\"scatter\"></div></figure>\
         <div id=\"detail\" class=\"detail\" aria-live=\"polite\" tabindex=\"-1\"><p class=\"quiet\">Choose a point to read its query: click it, or \
         reach the plot with Tab and move with the arrow keys.</p></div></div>\n\
         <div class=\"controls filters\"><label>Find <input id=\"find\" type=\"search\" placeholder=\"words or id\"></label> \
         <label>Show <select id=\"show\"><option value=\"all\">all queries</option><option value=\"wins\">wins</option>\
         <option value=\"losses\">losses</option><option value=\"ties\">ties</option><option value=\"failures\">all plans at 0</option></select></label> \
         <span id=\"num-shown\" role=\"status\"></span></div>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Queries\"><table id=\"query-table\"></table></div>\n\
         <p class=\"controls\"><button type=\"button\" id=\"more\">Show all</button></p>\n</div>\n",
        plan_options(comparison.plans.len().saturating_sub(1)),
        plan_options(0)
    )
}

/// Each plan's largest wins and losses, with the documents that moved.
pub(super) fn changes(comparison: &Comparison) -> String {
    let mut html = String::new();
    for (idx, plan) in comparison.plans.iter().enumerate() {
        let (wins, losses) = wins_and_losses(plan, NUM_CHANGED);
        if wins.is_empty() && losses.is_empty() {
            continue;
        }
        let list = |title: &str, changed: &[&ChangedQuery]| {
            let items: String = changed.iter().map(|changed| item(comparison, changed)).collect();
            if items.is_empty() {
                String::new()
            } else {
                format!("<div><h4>{title}</h4><ul class=\"changes\">{items}</ul></div>")
            }
        };
        html += &format!(
            "<details><summary>{}<b class=\"plan\">{}</b></summary><div class=\"pair\">{}{}</div></details>\n",
            swatch(idx),
            escape(&plan.name),
            list("Wins", &wins),
            list("Losses", &losses)
        );
    }
    if let Some(first) = comparison.plans.first().filter(|_| !html.is_empty()) {
        html = format!(
            "<p>In {}, against <b class=\"plan\">{}</b>, with the documents that moved.</p>\n{html}",
            escape(&label(&comparison.primary)),
            escape(&first.name)
        );
    }
    html
}

fn item(comparison: &Comparison, changed: &ChangedQuery) -> String {
    let Some(query) = comparison.queries.get(changed.query) else { return String::new() };
    let class = if changed.difference > 0.0 { "up" } else { "down" };
    let moved: String = changed.moved.iter().take(NUM_CHANGED).map(moved_item).collect();
    let moved = if moved.is_empty() { moved } else { format!("<ul class=\"moved\">{moved}</ul>") };
    format!(
        "<li><p><b class=\"{class}\">{}</b> <small>{}</small> <span dir=\"auto\">{}</span></p>{moved}</li>",
        minus(&signed(changed.difference)),
        escape(&cut(&query.id, 40)),
        escape(&cut(&query.text, QUERY_CHARS))
    )
}

fn moved_item(moved: &MovedDocument) -> String {
    let rank = |rank: Option<u32>| rank.map_or_else(|| "–".to_string(), |rank| rank.to_string());
    let (class, grade) = match moved.grade {
        None => ("unjudged", "?".to_string()),
        Some(grade) if grade > 0 => ("relevant", grade.to_string()),
        Some(grade) => ("irrelevant", minus(&grade.to_string())),
    };
    let text = if moved.title.is_empty() { &moved.id } else { &moved.title };
    format!(
        "<li><span class=\"ranks\">{} → {}</span> <span class=\"grade {class}\" title=\"grade\">{grade}</span> <span dir=\"auto\">{}</span></li>",
        rank(moved.rank_before),
        rank(moved.rank_after),
        escape(&cut(text, TITLE_CHARS))
    )
}

/// The data of the script, as JSON that can stand in a script element. Lists instead of objects, and each title once, keep it small:
/// `queries` is (id, text, relevant, words, overlap), `values` is by plan, measure and query, `moved` is by plan and query a list of
/// (place in `documents`, grade, rank before, rank after), `documents` is (id, title).
pub(super) fn data(comparison: &Comparison) -> String {
    let round = |number: f64| if number.is_finite() { json!((number * 1e4).round() / 1e4) } else { Value::Null };
    let queries: Vec<Value> = comparison
        .queries
        .iter()
        .map(|query| {
            let overlap = query.lexical_overlap.map_or(Value::Null, |share| round((share * 100.0).round() / 100.0));
            json!([query.id, cut(&query.text, QUERY_CHARS), query.num_relevant, query.num_words, overlap])
        })
        .collect();
    let values: Vec<Vec<Vec<Value>>> = comparison
        .plans
        .iter()
        .map(|plan| {
            let of =
                |measure| plan.per_query.get(measure).map(|values| values.iter().map(|value| round(*value)).collect());
            comparison.measures.iter().map(|measure| of(measure).unwrap_or_default()).collect()
        })
        .collect();
    let mut documents: Vec<Value> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut moved: Vec<Value> = Vec::new();
    for plan in &comparison.plans {
        let mut by_query = Map::new();
        for changed in plan.changed.iter().filter(|changed| !changed.moved.is_empty()) {
            let mut rows = Vec::new();
            for document in changed.moved.iter().take(NUM_MOVED) {
                let place = *places.entry(&document.id).or_insert_with(|| {
                    documents.push(json!([document.id, cut(&document.title, TITLE_CHARS)]));
                    documents.len() - 1
                });
                rows.push(json!([place, document.grade, document.rank_before, document.rank_after]));
            }
            by_query.insert(changed.query.to_string(), rows.into());
        }
        moved.push(by_query.into());
    }
    json_in_script(&json!({
        "measures": comparison.measures.iter().map(|measure| label(measure)).collect::<Vec<_>>(),
        "plans": comparison.plans.iter().map(|plan| &plan.name).collect::<Vec<_>>(),
        "queries": queries,
        "values": values,
        "documents": documents,
        "moved": moved,
    }))
}
