//! What the legs find together and alone, and whether re-ranking pays.

use super::super::comparison::{Comparison, Complementarity, RerankingDepth, RerankingWorth};
use super::super::parts::{self, by_legs};
use super::super::wording::{about, count, interval, label, percent, value};
use super::escape::{escape, minus};
use super::measures::{cell, header, table};
use super::plot::{Axis, Chart, Line, stacked};

/// Approximate search against exact search, a row a setting.
pub(super) fn dense_recall(comparison: &Comparison) -> String {
    let Some(part) = parts::dense_recall(comparison) else { return String::new() };
    let row =
        |cells: &Vec<String>| {
            let cells = cells.iter().enumerate();
            let cells = cells.map(|(idx, text)| {
                if idx == 0 { format!("<th scope=\"row\">{}</th>", escape(text)) } else { cell(&escape(text)) }
            });
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
    let names: Vec<String> = part.grid.header.iter().map(|name| capitalised(&escape(name))).collect();
    let rows: String = part.grid.rows.iter().map(row).collect();
    let notes: String = part
        .before
        .iter()
        .chain(&part.after)
        .map(|note| format!("<p class=\"note\">{}.</p>\n", capitalised(&escape(note))))
        .collect();
    format!("{}{notes}", table("Recall of the dense index", &header(&names), &rows))
}

/// Relevant documents by who finds them, a bar a depth, for each pair of legs.
pub(super) fn complementarity(comparison: &Comparison) -> String {
    by_legs(comparison).iter().map(|rows| pair(comparison, rows)).collect()
}

fn pair(comparison: &Comparison, rows: &[&Complementarity]) -> String {
    let [first, second] = rows.first().map(|row| row.legs.clone()).unwrap_or_default();
    let (first, second) = (escape(&first), escape(&second));
    let key = |class: &str, name: &str| {
        format!(
            "<li><svg class=\"swatch\" viewBox=\"0 0 14 14\" aria-hidden=\"true\"><rect class=\"{class}\" x=\"1\" y=\"1\" width=\"12\" height=\"12\"/></svg>{name}</li>"
        )
    };
    let keys = key("first", &format!("only {first}"))
        + &key("both", "both")
        + &key("second", &format!("only {second}"))
        + &key("neither", "neither");
    let drawn: String = rows.iter().map(|row| drawn_row(row)).collect();
    let numbers: String = rows.iter().map(|row| number_row(row)).collect();
    let best = format!("Best {}", escape(&label(&comparison.primary)));
    let only = [
        "Depth".to_string(),
        format!("Only {first}"),
        format!("Only {second}"),
        "Both".to_string(),
        "Neither".to_string(),
    ];
    let cells = [only.as_slice(), &["Recall".to_string(), best.clone(), "Shared".to_string()]].concat();
    format!(
        "<figure><figcaption>Relevant documents among the candidates of <b class=\"plan\">{first}</b> and <b class=\"plan\">{second}</b>, by \
         depth</figcaption><ul class=\"legend\">{keys}</ul>\
         <div class=\"scroll\"><table class=\"bars\"><thead><tr>{}</tr></thead><tbody>{drawn}</tbody></table></div></figure>\n\
         <details><summary>As numbers</summary>{}</details>\n\
         <p class=\"note\">{best}: the mean that a perfect fusion or re-ranker would reach on these candidates. Shared: candidates that both \
         legs return, of all they return.</p>\n",
        header(&["Depth".to_string(), String::new(), "Recall".to_string(), best.clone()]),
        table("Relevant documents by who finds them", &header(&cells), &numbers)
    )
}

fn drawn_row(row: &Complementarity) -> String {
    let all = row.only_first + row.only_second + row.both + row.neither;
    let part = |number: u64, class, name: String| {
        let share = number as f64 / (all.max(1)) as f64;
        (number as f64, class, format!("{name}: {} ({})", count(number), percent(share)))
    };
    let parts = [
        part(row.only_first, "first", format!("only {}", row.legs[0])),
        part(row.both, "both", "both".to_string()),
        part(row.only_second, "second", format!("only {}", row.legs[1])),
        part(row.neither, "neither", "neither".to_string()),
    ];
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"wide\">{}</td><td>{}</td><td><b>{}</b></td></tr>",
        count(row.depth.into()),
        stacked(&parts),
        value(row.recall),
        value(row.best_possible)
    )
}

fn number_row(row: &Complementarity) -> String {
    let numbers = [row.only_first, row.only_second, row.both, row.neither].map(count);
    let shares = [value(row.recall), value(row.best_possible), percent(row.overlap)];
    format!(
        "<tr><th scope=\"row\">{}</th>{}</tr>",
        count(row.depth.into()),
        numbers.iter().chain(&shares).map(|text| cell(text)).collect::<String>()
    )
}

/// Quality and time against re-ranking depth, with what to do, for each plan that re-ranks.
pub(super) fn reranking(comparison: &Comparison) -> String {
    comparison.reranking.iter().map(|worth| one(comparison, worth)).collect()
}

fn one(comparison: &Comparison, worth: &RerankingWorth) -> String {
    let idx = comparison.plans.iter().position(|plan| plan.name == worth.plan).unwrap_or(1);
    let mut html =
        format!("<h3><b class=\"plan\">{}</b> <small>{}</small></h3>\n", escape(&worth.plan), escape(&worth.model));
    let sure =
        format!("Probability that re-ranking is better than not: <b>{}</b>.", escape(&percent(worth.confidence)));
    let advice = if worth.recommendation.is_empty() {
        String::new()
    } else {
        format!("<strong>{}</strong> ", escape(&capitalised(&worth.recommendation)))
    };
    html += &format!("<div class=\"callout\"><p>{advice}</p><p>{sure}</p></div>\n");
    if worth.by_depth.is_empty() {
        return html;
    }
    html += &format!("<div class=\"pair\">{}{}</div>\n", quality(comparison, worth, idx), time(worth, idx));
    let measure = escape(&label(&comparison.primary));
    let rows: String = worth.by_depth.iter().map(row).collect();
    let cells =
        ["Depth", &measure, "95 % interval of the gain", "Gain / stay / lose", "", "Recall of candidates", "Added ms"];
    html + &table("Quality and time by re-ranking depth", &header(&cells.map(str::to_string)), &rows)
        + "<p class=\"note\">The band is the 95 % interval of the gain, the dotted line is no re-ranking. Gain, stay, lose: shares of the queries that are better, equal or worse than without re-ranking. Recall of \
           candidates: the most that re-ranking could deliver.</p>\n"
}

fn row(row: &RerankingDepth) -> String {
    if row.depth == 0 {
        return format!(
            "<tr><th scope=\"row\">none</th>{}<td></td><td></td><td class=\"mid\"></td><td></td><td></td></tr>",
            cell(&value(row.mean))
        );
    }
    let shares = [("gain", row.gain, "gain"), ("stay", row.stay, "neither"), ("lose", row.lose, "lose")];
    let parts = shares.map(|(name, share, class)| (share, class, format!("{name} {}", percent(share))));
    format!(
        "<tr><th scope=\"row\">{}</th><td><b>{}</b></td><td class=\"quiet\">{}</td><td>{} / {} / {}</td><td class=\"mid\">{}</td>{}{}</tr>",
        row.depth,
        value(row.mean),
        minus(&interval(row.interval)),
        escape(&percent(row.gain)),
        escape(&percent(row.stay)),
        escape(&percent(row.lose)),
        stacked(&parts),
        cell(&value(row.candidate_recall)),
        cell(&about(row.added_ms_p50))
    )
}

fn depths(worth: &RerankingWorth) -> Axis {
    let deepest = worth.by_depth.iter().map(|row| f64::from(row.depth)).fold(1.0, f64::max);
    Axis::linear(0.0, deepest, 5.0)
}

fn quality(comparison: &Comparison, worth: &RerankingWorth, idx: usize) -> String {
    let points = |of: fn(&RerankingDepth, f64) -> f64, base: f64| -> Vec<(f64, f64)> {
        worth.by_depth.iter().map(|row| (f64::from(row.depth), of(row, base))).collect()
    };
    let base = worth.by_depth.iter().find(|row| row.depth == 0).map_or(f64::NAN, |row| row.mean);
    let (low, high) =
        (points(|row, base| base + row.interval[0], base), points(|row, base| base + row.interval[1], base));
    let means = points(|row, _| row.mean, base);
    let all = || means.iter().chain(&low).chain(&high).map(|(_, y)| *y).filter(|y| y.is_finite());
    let (bottom, top) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if !bottom.is_finite() {
        return String::new();
    }
    let measure = label(&comparison.primary);
    let mut chart = Chart {
        title: format!("{measure} against re-ranking depth"),
        x_label: "candidates re-ranked".to_string(),
        y_label: measure.clone(),
        x: depths(worth),
        y: Axis::linear(bottom, top, 5.0),
        lines: vec![Line { idx, name: measure.clone(), points: means, class: "" }],
        over: String::new(),
    };
    let ring = low.iter().chain(high.iter().rev()).filter_map(|point| chart.place(*point));
    let ring: Vec<String> = ring.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    chart.over = format!("<polygon class=\"band {}\" points=\"{}\"/>", super::plot::series(idx), ring.join(" "));
    if let Some((x, y)) = chart.place((chart.x.low, base)) {
        chart.over +=
            &format!("<line class=\"base\" x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", Chart::ENDS.1);
    }
    format!("<figure><figcaption>{} against depth</figcaption>{}</figure>", escape(&measure), chart.svg())
}

fn time(worth: &RerankingWorth, idx: usize) -> String {
    let points: Vec<(f64, f64)> = worth.by_depth.iter().map(|row| (f64::from(row.depth), row.added_ms_p50)).collect();
    let slowest = points.iter().map(|(_, ms)| *ms).filter(|ms| ms.is_finite()).fold(0.0, f64::max);
    if slowest <= 0.0 {
        return String::new();
    }
    let chart = Chart {
        title: "Added milliseconds against re-ranking depth".to_string(),
        x_label: "candidates re-ranked".to_string(),
        y_label: "added ms, median".to_string(),
        x: depths(worth),
        y: Axis::linear(0.0, slowest, 5.0),
        lines: vec![Line { idx, name: "added milliseconds".to_string(), points, class: "" }],
        over: String::new(),
    };
    format!("<figure><figcaption>Time that re-ranking adds to a query</figcaption>{}</figure>", chart.svg())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
