//! Recall against depth, precision against recall, quality against latency.

use super::super::comparison::{Comparison, CurvePoint, PlanResult};
use super::super::wording::{about, cut, label, mean, value};
use super::escape::escape;
use super::measures::{cell, header, plan_cell, table};
use super::plot::{Axis, Chart, Line, legend, marker, series};

fn lines(comparison: &Comparison, of: fn(&PlanResult) -> &Vec<CurvePoint>) -> Vec<Line> {
    let plans = comparison.plans.iter().enumerate().filter(|(_, plan)| !of(plan).is_empty());
    plans
        .map(|(idx, plan)| Line {
            idx,
            name: plan.name.clone(),
            points: of(plan).iter().map(|point| (point.x, point.y)).collect(),
            ..Line::default()
        })
        .collect()
}

/// Recall against depth and precision against recall, side by side.
pub(super) fn recall_and_precision(comparison: &Comparison) -> String {
    let recall = lines(comparison, |plan| &plan.recall_at);
    let precision = lines(comparison, |plan| &plan.precision_at_recall);
    if recall.is_empty() && precision.is_empty() {
        return String::new();
    }
    let drawn: Vec<usize> = recall.iter().chain(&precision).map(|line| line.idx).collect();
    let names = comparison.plans.iter().enumerate().filter(|(idx, _)| drawn.contains(idx));
    let mut html = format!("{}<div class=\"pair\">", legend(names.map(|(idx, plan)| (idx, plan.name.as_str()))));
    let share = Axis::linear(0.0, 1.0, 5.0);
    let figure =
        |caption: &str, chart: &Chart| format!("<figure><figcaption>{caption}</figcaption>{}</figure>\n", chart.svg());
    if !recall.is_empty() {
        let depths =
            || recall.iter().flat_map(|line| line.points.iter().map(|(depth, _)| *depth)).filter(|depth| *depth > 0.0);
        let (low, high) = (depths().fold(f64::INFINITY, f64::min), depths().fold(1.0, f64::max));
        let chart = Chart {
            title: format!("Recall at depths {low} to {high}, a line a plan"),
            x_label: "depth (log scale)".to_string(),
            y_label: "recall".to_string(),
            x: Axis::log(low.clamp(1.0, 1e9), high.clamp(2.0, 1e9)),
            y: share.clone(),
            lines: recall,
            over: String::new(),
        };
        html += &figure("Recall against depth", &chart);
    }
    if !precision.is_empty() {
        let chart = Chart {
            title: "Interpolated precision at recall 0 to 1, a line a plan".to_string(),
            x_label: "recall".to_string(),
            y_label: "interpolated precision".to_string(),
            x: share.clone(),
            y: share,
            lines: precision,
            over: String::new(),
        };
        html += &figure("Precision against recall", &chart);
    }
    html + "</div>\n"
}

/// A plan with its place in the plot of quality against latency.
struct Timed<'a> {
    idx: usize,
    plan: &'a PlanResult,
    p50: f64,
    quality: f64,
}

/// Quality against latency with the front of plans that no other beats in both.
pub(super) fn latency(comparison: &Comparison) -> String {
    let mut plans: Vec<Timed<'_>> =
        comparison.plans.iter().enumerate().filter_map(|(idx, plan)| timed(comparison, idx, plan)).collect();
    if plans.len() < 2 {
        return String::new();
    }
    plans.sort_by(|a, b| a.p50.total_cmp(&b.p50).then(b.quality.total_cmp(&a.quality)));
    let mut front: Vec<&Timed<'_>> = Vec::new();
    for plan in &plans {
        if front.last().is_none_or(|last| plan.quality > last.quality) {
            front.push(plan);
        }
    }
    let low = plans.first().map_or(1.0, |plan| plan.p50);
    let high = plans.last().map_or(1.0, |plan| plan.p50);
    let is_wide = high / low > 5.0;
    let measure = label(&comparison.primary);
    let (worst, best) = plans.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(worst, best), plan| {
        let [low, high] = plan.plan.intervals.get(&comparison.primary).copied().unwrap_or([plan.quality; 2]);
        (worst.min(plan.quality).min(low), best.max(plan.quality).max(high))
    });
    let mut chart = Chart {
        title: format!("{measure} against median latency of {} plans", plans.len()),
        x_label: format!("median milliseconds a query{}", if is_wide { " (log scale)" } else { "" }),
        y_label: measure,
        x: if is_wide { Axis::log(low / 1.6, high * 1.6) } else { Axis::linear(0.0, high * 1.08, 5.0) },
        y: Axis::linear(worst.max(0.0), best, 5.0),
        ..Chart::default()
    };
    chart.over = front_line(&chart, &front) + &marks(comparison, &chart, &plans, &front);
    let rows: String = front
        .iter()
        .map(|plan| {
            let numbers = [value(plan.quality), about(plan.p50)].map(|text| cell(&text)).concat();
            format!("<tr>{}{numbers}</tr>", plan_cell(plan.idx, plan.plan))
        })
        .collect();
    let cells = ["On the front".to_string(), escape(&chart.y_label), "p50 ms".to_string()];
    format!(
        "<div class=\"pair\"><figure><figcaption>Upper left is better; whiskers are 95 % confidence intervals</figcaption>{}</figure>\n\
         <div class=\"beside\">{}<p class=\"note\">The Pareto front: no other plan is both faster and better than these. Plans off it are \
         drawn hollow.</p></div></div>\n",
        chart.svg(),
        table("Plans on the Pareto front", &header(&cells), &rows)
    )
}

fn timed<'a>(comparison: &Comparison, idx: usize, plan: &'a PlanResult) -> Option<Timed<'a>> {
    let p50 = plan.latency_ms?.p50;
    let quality = mean(plan, &comparison.primary);
    (p50.is_finite() && p50 > 0.0 && quality.is_finite()).then_some(Timed { idx, plan, p50, quality })
}

fn front_line(chart: &Chart, front: &[&Timed<'_>]) -> String {
    let mut points = String::new();
    let mut height = None;
    for (x, y) in front.iter().filter_map(|plan| chart.place((plan.p50, plan.quality))) {
        if let Some(height) = height {
            points += &format!("{x:.1},{height:.1} ");
        }
        points += &format!("{x:.1},{y:.1} ");
        height = Some(y);
    }
    if let Some(height) = height {
        points += &format!("{:.1},{height:.1}", Chart::ENDS.1);
    }
    format!("<polyline class=\"front\" points=\"{}\"/>", points.trim_end())
}

fn marks(comparison: &Comparison, chart: &Chart, plans: &[Timed<'_>], front: &[&Timed<'_>]) -> String {
    let mut svg = String::new();
    let mut labels: Vec<(f64, f64, &Timed<'_>)> = Vec::new();
    for plan in plans {
        let Some((x, y)) = chart.place((plan.p50, plan.quality)) else { continue };
        let hollow = if front.iter().any(|other| other.idx == plan.idx) { "" } else { " hollow" };
        svg += &format!("<g class=\"{}{hollow}\">", series(plan.idx));
        if let Some([low, high]) = plan.plan.intervals.get(&comparison.primary) {
            let ends = (chart.place((plan.p50, low.max(chart.y.low))), chart.place((plan.p50, *high)));
            if let (Some((_, low)), Some((_, high))) = ends {
                svg +=
                    &format!("<line class=\"whisker\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\"/>");
            }
        }
        let title = format!("{}: {}, {} ms", plan.plan.name, value(plan.quality), about(plan.p50));
        svg += &marker(plan.idx, x, y, 5.5, &title);
        svg += "</g>";
        labels.push((x, y, plan));
    }
    svg + &names(labels)
}

/// The plans' names beside their marks, moved apart where they would overlap.
fn names(mut labels: Vec<(f64, f64, &Timed<'_>)>) -> String {
    const LINE: f64 = 15.0;
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let marks: Vec<(f64, f64)> = labels.iter().map(|(x, y, _)| (*x, *y)).collect();
    let middle = f64::midpoint(Chart::ENDS.0, Chart::ENDS.1);
    let mut svg = String::new();
    for is_left in [true, false] {
        let mut free = f64::NEG_INFINITY;
        for (x, y, plan) in labels.iter().filter(|(x, _, _)| (*x > middle) == is_left) {
            let height = y.max(free);
            free = height + LINE;
            // Beyond the marks that a name would cover.
            let in_way = marks
                .iter()
                .filter(|(other, at)| (at - height).abs() < LINE && (other - x).abs() < 30.0)
                .map(|(other, _)| *other);
            let (edge, dx, anchor) = if is_left {
                (in_way.fold(*x, f64::min), -11.0, "end")
            } else {
                (in_way.fold(*x, f64::max), 11.0, "start")
            };
            if height > y + 2.0 || (edge - x).abs() > 2.0 {
                let (near, far) = (x + dx * 0.5, edge + dx * 0.9);
                svg += &format!(
                    "<line class=\"leader\" x1=\"{near:.1}\" y1=\"{y:.1}\" x2=\"{far:.1}\" y2=\"{height:.1}\"/>"
                );
            }
            svg += &format!(
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                edge + dx,
                height + 4.0,
                escape(&cut(&plan.plan.name, 24))
            );
        }
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn the_front_is_the_plans_that_none_beats_in_both() {
        let comparison = sample::comparison(225);
        let text = latency(&comparison);
        let front = text.split("On the front").nth(1).unwrap();
        assert!(front.contains(">lexical<") && front.contains(">hybrid-rerank<"), "{front}");
        assert!(!front.contains(">hybrid rrf.k=10<"), "{front}");
        assert_eq!(text.matches("class=\"name\"").count(), 6);
    }

    #[test]
    fn runs_from_files_have_no_latency_to_draw() {
        let mut comparison = sample::comparison(20);
        for plan in &mut comparison.plans {
            plan.latency_ms = None;
        }
        assert_eq!(latency(&comparison), "");
    }
}
