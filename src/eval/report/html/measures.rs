//! Means with their confidence intervals, differences to the first plan, and means by kinds of queries.

use super::super::comparison::{Comparison, PlanResult};
use super::super::wording::{
    SliceTable, about, interval, is_best, is_significant, label, mean, probability, signed, slice_tables, value,
};
use super::escape::{escape, minus};
use super::plot::{Axis, bar, dots, forest, legend, swatch};

/// The header cell of a row: the plan's mark and name.
pub(super) fn plan_cell(idx: usize, plan: &PlanResult) -> String {
    format!("<th scope=\"row\" class=\"plan\">{}<span>{}</span></th>", swatch(idx), escape(&plan.name))
}

/// A number's cell.
pub(super) fn cell(text: &str) -> String {
    format!("<td>{}</td>", minus(text))
}

/// A table in a box that scrolls by itself, and by the keyboard.
pub(super) fn table(caption: &str, header: &str, rows: &str) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption class=\"sr\">{caption}</caption>\
         <thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

/// Header cells; what a cell says is HTML.
pub(super) fn header(cells: &[String]) -> String {
    cells.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect()
}

/// A choice between the panels of a section, which are all shown without JavaScript and in print.
fn choice(comparison: &Comparison, section: &str, name: &str) -> String {
    if comparison.measures.len() < 2 {
        return String::new();
    }
    let option = |(idx, measure): (usize, &String)| {
        let selected = if *measure == comparison.primary { " selected" } else { "" };
        format!("<option value=\"{idx}\"{selected}>{}</option>", escape(&label(measure)))
    };
    let options: String = comparison.measures.iter().enumerate().map(option).collect();
    format!("<p class=\"controls\"><label>{name} <select data-panels=\"{section}\">{options}</select></label></p>\n")
}

/// The table of means, and bars with intervals for each measure.
pub(super) fn measures(comparison: &Comparison) -> String {
    if comparison.plans.is_empty() || comparison.measures.is_empty() {
        return String::new();
    }
    let with_latency = comparison.plans.iter().any(|plan| plan.latency_ms.is_some());
    let with_throughput = comparison.plans.iter().any(|plan| plan.queries_per_second.is_some());
    let mut cells = vec!["Plan".to_string()];
    cells.extend(comparison.measures.iter().map(|measure| escape(&label(measure))));
    if with_latency {
        cells.extend(["p50 ms".to_string(), "p95 ms".to_string()]);
    }
    if with_throughput {
        cells.push("Queries/s".to_string());
    }
    let mut rows = String::new();
    for (idx, plan) in comparison.plans.iter().enumerate() {
        rows += &format!("<tr>{}", plan_cell(idx, plan));
        rows.extend(comparison.measures.iter().map(|measure| mean_cell(comparison, plan, measure)));
        let number = |number: Option<f64>| cell(&number.map_or_else(|| "-".to_string(), about));
        if with_latency {
            rows += &number(plan.latency_ms.map(|latency| latency.p50));
            rows += &number(plan.latency_ms.map(|latency| latency.p95));
        }
        if with_throughput {
            rows += &number(plan.queries_per_second);
        }
        rows += "</tr>\n";
    }
    let mut html = table("Means of each plan", &header(&cells), &rows);
    if let Some(first) = comparison.plans.first().filter(|_| comparison.plans.len() > 1) {
        html += &format!(
            "<p class=\"note\"><b class=\"best\">Bold</b>: best of its column. ▲ ▼: significantly above or below <b class=\"plan\">{}</b> \
             (p &lt; .05 in the paired t-test and in the randomisation test, both Holm-corrected).</p>\n",
            escape(&first.name)
        );
    }
    html += &choice(comparison, "bars", "Bars show");
    for (idx, measure) in comparison.measures.iter().enumerate() {
        html += &bars(comparison, idx, measure);
    }
    html
}

fn mean_cell(comparison: &Comparison, plan: &PlanResult, measure: &str) -> String {
    let class = if is_best(comparison, plan, measure) { " class=\"best\"" } else { "" };
    let mark = match plan.against_first.get(measure) {
        Some(difference) if is_significant(difference) && difference.mean > 0.0 => {
            "<span class=\"up\" title=\"significantly better\">▲</span>"
        }
        Some(difference) if is_significant(difference) => "<span class=\"down\" title=\"significantly worse\">▼</span>",
        Some(_) | None => "",
    };
    format!("<td{class}>{mark}{}</td>", minus(&value(mean(plan, measure))))
}

fn bars(comparison: &Comparison, measure_idx: usize, measure: &str) -> String {
    let ends = comparison.plans.iter().flat_map(|plan| {
        let high = plan.intervals.get(measure).map_or(f64::NAN, |[_, high]| *high);
        [mean(plan, measure), high]
    });
    let max = ends.filter(|end| end.is_finite()).fold(0.0, f64::max) * 1.02;
    let mut rows = String::new();
    for (idx, plan) in comparison.plans.iter().enumerate() {
        let ends = plan.intervals.get(measure).copied();
        let between = ends.map(|[low, high]| format!("{} to {}", value(low), value(high))).unwrap_or_default();
        rows += &format!(
            "<tr>{}<td class=\"wide\">{}</td><td><b>{}</b></td><td class=\"quiet\">{}</td></tr>\n",
            plan_cell(idx, plan),
            bar(idx, mean(plan, measure), ends, max),
            minus(&value(mean(plan, measure))),
            between
        );
    }
    format!(
        "<figure data-panel=\"bars\" data-idx=\"{measure_idx}\"><figcaption>{} with 95 % bootstrap confidence intervals, from 0</figcaption>\
         <div class=\"scroll\"><table class=\"bars\"><caption class=\"sr\">{0}</caption><tbody>{rows}</tbody></table></div></figure>\n",
        escape(&label(measure))
    )
}

/// Differences to the first plan with what the tests say, for each measure.
pub(super) fn significance(comparison: &Comparison) -> String {
    let Some(first) = comparison.plans.first() else { return String::new() };
    let panels: String =
        comparison.measures.iter().enumerate().map(|(idx, measure)| differences(comparison, idx, measure)).collect();
    if panels.is_empty() {
        return String::new();
    }
    format!(
        "<p>Each plan against <b class=\"plan\">{}</b>, query by query.</p>\n{}{panels}<p class=\"note\">Two-sided p values of the paired \
         t-test and the paired randomisation test, corrected by Holm over the plans of one measure; uncorrected in grey. d: Cohen's d of the \
         paired differences (mean over standard deviation): 0.2 is small, 0.5 medium, 0.8 large. Only differences to the first plan are \
         tested.</p>\n",
        escape(&first.name),
        choice(comparison, "differences", "Measure")
    )
}

fn differences(comparison: &Comparison, measure_idx: usize, measure: &str) -> String {
    let plans = || {
        comparison
            .plans
            .iter()
            .enumerate()
            .filter_map(|(idx, plan)| Some((idx, plan, plan.against_first.get(measure)?)))
    };
    let sizes = plans().flat_map(|(_, _, difference)| {
        [difference.interval[0].abs(), difference.interval[1].abs(), difference.mean.abs()]
    });
    let bound = sizes.filter(|size| size.is_finite()).fold(0.0, f64::max) * 1.05;
    let mut rows = String::new();
    for (idx, plan, difference) in plans() {
        let p = |corrected: f64, raw: f64| {
            let class = if corrected < super::super::wording::SIGNIFICANT { "yes" } else { "no" };
            format!(
                "<td><span class=\"{class}\">{}</span> <small>{}</small></td>",
                escape(&probability(corrected)),
                escape(&probability(raw))
            )
        };
        rows += &format!(
            "<tr>{}<td class=\"wide\">{}</td><td><b>{}</b></td><td class=\"quiet\">{}</td>{}{}<td>{}</td><td>{} / {} / {}</td></tr>\n",
            plan_cell(idx, plan),
            forest(idx, difference.mean, difference.interval, bound),
            minus(&signed(difference.mean)),
            minus(&interval(difference.interval)),
            p(difference.p_t_test_holm, difference.p_t_test),
            p(difference.p_randomisation_holm, difference.p_randomisation),
            minus(&format!("{:+.2}", difference.effect_size)),
            difference.wins,
            difference.ties,
            difference.losses
        );
    }
    if rows.is_empty() {
        return String::new();
    }
    let cells = [
        "Plan",
        "<span class=\"sr\">Difference drawn</span>",
        "Change",
        "95 % interval",
        "p t-test",
        "p random.",
        "d",
        "Wins / ties / losses",
    ];
    let caption = format!("{}: differences to the first plan", escape(&label(measure)));
    format!(
        "<figure data-panel=\"differences\" data-idx=\"{measure_idx}\"><figcaption>{}</figcaption>{}</figure>\n",
        escape(&label(measure)),
        table(&caption, &header(&cells.map(str::to_string)), &rows)
    )
}

/// Means by the length of queries and by lexical overlap.
pub(super) fn slices(comparison: &Comparison) -> String {
    let tables = slice_tables(comparison);
    if tables.is_empty() {
        return String::new();
    }
    let measure = escape(&label(&comparison.primary));
    let names = comparison.plans.iter().enumerate().map(|(idx, plan)| (idx, plan.name.as_str()));
    let all = || tables.iter().flat_map(|table| table.means.iter().flatten().copied()).filter(|mean| mean.is_finite());
    let scale = Axis::linear(all().fold(1.0, f64::min), all().fold(0.0, f64::max).max(0.01), 4.0);
    let mut html = format!(
        "<p>Means of {measure} over parts of the queries, drawn from {} to {}.</p>\n{}<div class=\"pair\">",
        Axis::tick(scale.low),
        Axis::tick(scale.high),
        legend(names)
    );
    for table in &tables {
        let rows: String = (0..table.parts.len()).map(|part| slice_row(comparison, table, part, &scale)).collect();
        html += &format!(
            "<figure><figcaption>By {}</figcaption><div class=\"scroll\"><table class=\"bars\"><caption class=\"sr\">By {0}</caption>\
             <tbody>{rows}</tbody></table></div></figure>\n",
            escape(table.by)
        );
    }
    html += "</div>\n";
    let mut cells = vec!["Plan".to_string()];
    for table in &tables {
        cells.extend(
            table
                .parts
                .iter()
                .map(|(part, num)| format!("{} {} <small>n={num}</small>", escape(table.by), escape(part))),
        );
    }
    let mut rows = String::new();
    for (idx, plan) in comparison.plans.iter().enumerate() {
        let means = tables.iter().filter_map(|table| table.means.get(idx)).flatten();
        rows += &format!(
            "<tr>{}{}</tr>\n",
            plan_cell(idx, plan),
            means.map(|mean| cell(&value(*mean))).collect::<String>()
        );
    }
    html + "<details><summary>As numbers</summary>"
        + &table("Means over parts of the queries", &header(&cells), &rows)
        + "</details>\n"
}

fn slice_row(comparison: &Comparison, table: &SliceTable<'_>, part_idx: usize, scale: &Axis) -> String {
    let Some((part, num_queries)) = table.parts.get(part_idx) else { return String::new() };
    let of = |(idx, (means, plan)): (usize, (&Vec<f64>, &PlanResult))| {
        let mean = means.get(part_idx).copied().unwrap_or(f64::NAN);
        (idx, mean, format!("{} {}", plan.name, value(mean)))
    };
    let means: Vec<(usize, f64, String)> = table.means.iter().zip(&comparison.plans).enumerate().map(of).collect();
    format!(
        "<tr><th scope=\"row\">{} <small>n={num_queries}</small></th><td class=\"wide\">{}</td></tr>",
        escape(part),
        dots(&means, scale)
    )
}
