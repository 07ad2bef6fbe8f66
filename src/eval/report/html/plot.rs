//! Plots as SVG: bars and dots whose widths are percentages (they stretch without stretching text), and line charts.
//!
//! Colours, dashes and text sizes are classes of `assets/report.css`: `s0` to `s7` are a series' colour, `d1` and up its dashes, so
//! that series differ in print and to the colour-blind too.

use super::escape::escape;

const NUM_COLOURS: usize = 8;

/// The classes of series `idx`.
pub(super) fn series(idx: usize) -> String {
    format!("s{} d{}", idx % NUM_COLOURS, (idx / 4) % 4)
}

/// The mark of a series in legends and tables.
pub(super) fn swatch(idx: usize) -> String {
    format!(
        "<svg class=\"swatch {}\" viewBox=\"0 0 14 14\" aria-hidden=\"true\" focusable=\"false\">{}</svg>",
        series(idx),
        marker(idx, 7.0, 7.0, 5.0, "")
    )
}

/// Circle, square, diamond or triangle at a place, by the series.
pub(super) fn marker(idx: usize, x: f64, y: f64, r: f64, title: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
    let points = match idx % 4 {
        0 => return format!("<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\">{title}</circle>"),
        1 => [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)].as_slice(),
        2 => [(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)].as_slice(),
        _ => [(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)].as_slice(),
    };
    let points: Vec<String> = points.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx * r, y + dy * r)).collect();
    format!("<polygon class=\"mark\" points=\"{}\">{title}</polygon>", points.join(" "))
}

/// A legend of plans, by their names.
pub(super) fn legend<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> String {
    let items: String = names
        .map(|(idx, name)| {
            format!(
                "<li><svg class=\"key {}\" viewBox=\"0 0 30 14\" aria-hidden=\"true\"><line class=\"line\" x1=\"1\" y1=\"7\" x2=\"29\" \
                 y2=\"7\"/>{}</svg> {}</li>",
                series(idx),
                marker(idx, 15.0, 7.0, 4.0, ""),
                escape(name)
            )
        })
        .collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

fn at(share: f64) -> String {
    format!("{:.2}%", (share * 100.0).clamp(0.0, 100.0))
}

/// A bar from 0 to `value` with the whisker of its interval; `max` is the right end.
pub(super) fn bar(idx: usize, value: f64, interval: Option<[f64; 2]>, max: f64) -> String {
    let mut svg = format!("<svg class=\"strip {}\" aria-hidden=\"true\">", series(idx));
    if value.is_finite() && max > 0.0 {
        svg += &format!("<rect class=\"bar\" y=\"20%\" height=\"60%\" width=\"{}\"/>", at(value / max));
        if let Some([low, high]) = interval.filter(|ends| ends.iter().all(|end| end.is_finite())) {
            svg += &whisker(low / max, high / max);
        }
    }
    svg + "</svg>"
}

fn whisker(low: f64, high: f64) -> String {
    let (low, high) = (at(low), at(high));
    format!(
        "<line class=\"whisker\" x1=\"{low}\" x2=\"{high}\" y1=\"50%\" y2=\"50%\"/>\
         <line class=\"whisker\" x1=\"{low}\" x2=\"{low}\" y1=\"32%\" y2=\"68%\"/>\
         <line class=\"whisker\" x1=\"{high}\" x2=\"{high}\" y1=\"32%\" y2=\"68%\"/>"
    )
}

/// A difference with its interval beside a line at 0; `bound` is the largest size on either side.
pub(super) fn forest(idx: usize, mean: f64, interval: [f64; 2], bound: f64) -> String {
    let place = |number: f64| 0.5 + number / (bound * 2.0);
    let mut svg = format!(
        "<svg class=\"strip forest {}\" aria-hidden=\"true\"><line class=\"zero\" x1=\"50%\" x2=\"50%\" y1=\"0\" y2=\"100%\"/>",
        series(idx)
    );
    let [low, high] = interval;
    if bound > 0.0 && [mean, low, high].iter().all(|number| number.is_finite()) {
        svg += &whisker(place(low), place(high));
        svg += &format!("<circle class=\"mark\" cx=\"{}\" cy=\"50%\" r=\"4.5\"/>", at(place(mean)));
    }
    svg + "</svg>"
}

/// Parts of a whole, each with its class and what it is.
pub(super) fn stacked(parts: &[(f64, &str, String)]) -> String {
    let whole: f64 = parts.iter().map(|(part, _, _)| part).sum();
    let mut svg = "<svg class=\"strip stacked\" aria-hidden=\"true\">".to_string();
    let mut from = 0.0;
    for (part, class, title) in parts.iter().filter(|(part, _, _)| *part > 0.0 && whole > 0.0) {
        svg += &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"15%\" width=\"{}\" height=\"70%\"><title>{}</title></rect>",
            at(from / whole),
            at(part / whole),
            escape(title)
        );
        from += part;
    }
    svg + "</svg>"
}

/// Dots of several series on one line, on a scale.
pub(super) fn dots(values: &[(usize, f64, String)], scale: &Axis) -> String {
    let mut svg = "<svg class=\"strip dots\" aria-hidden=\"true\"><line class=\"zero\" x1=\"0\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/>".to_string();
    for (idx, value, title) in values.iter().filter(|(_, value, _)| scale.holds(*value)) {
        let x = at(0.01 + 0.98 * scale.share(*value));
        // Nested, since only an `svg` takes a percentage and a marker's shape needs a place.
        svg += &format!(
            "<svg class=\"{}\" x=\"{x}\" y=\"50%\" overflow=\"visible\">{}</svg>",
            series(*idx),
            marker(*idx, 0.0, 0.0, 5.0, title)
        );
    }
    svg + "</svg>"
}

/// A line of a [`Chart`].
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) idx: usize,
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// More classes: `faint`, `marked`.
    pub(super) class: &'static str,
}

/// A chart with two axes.
#[derive(Debug, Default)]
pub(super) struct Chart {
    /// What it shows, for those who do not see it.
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// SVG that is drawn last, from the axes' scales.
    pub(super) over: String,
}

/// A scale and its ticks.
#[derive(Debug, Clone, Default)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) is_log: bool,
    pub(super) ticks: Vec<f64>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

impl Axis {
    /// Round steps from below `low` to above `high`.
    pub(super) fn linear(low: f64, high: f64, num_steps: f64) -> Self {
        let span = (high - low).max(1e-9);
        let rough = span / num_steps;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * magnitude).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(span);
        let (low, high) = ((low / step + 1e-6).floor() * step, (high / step - 1e-6).ceil() * step);
        let mut ticks = vec![low];
        while let Some(last) = ticks.last().filter(|last| **last < high - step / 2.0 && ticks.len() < 30) {
            ticks.push(last + step);
        }
        Self { low, high, is_log: false, ticks }
    }

    /// Powers of ten, with 2 and 5 between them where there are few.
    pub(super) fn log(low: f64, high: f64) -> Self {
        let high = high.max(low * 1.01);
        let decades = (high / low).log10();
        let factors: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        let mut magnitude = 10_f64.powf(low.log10().floor());
        while magnitude <= high && ticks.len() < 30 {
            ticks.extend(
                factors
                    .iter()
                    .map(|factor| factor * magnitude)
                    .filter(|tick| (low * 0.999..=high * 1.001).contains(tick)),
            );
            magnitude *= 10.0;
        }
        Self { low, high, is_log: true, ticks }
    }

    fn share(&self, number: f64) -> f64 {
        if self.is_log {
            (number / self.low).ln() / (self.high / self.low).ln()
        } else {
            (number - self.low) / (self.high - self.low)
        }
    }

    fn holds(&self, number: f64) -> bool {
        number.is_finite() && self.share(number).is_finite() && (-0.001..=1.001).contains(&self.share(number))
    }

    /// A tick's text.
    pub(super) fn tick(number: f64) -> String {
        let text = format!("{number:.4}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.parse::<u64>().map_or_else(|_| super::escape::minus(text), super::super::wording::count)
    }
}

impl Chart {
    /// Where a point lies in the drawing; `None` outside of the axes.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        (self.x.holds(x) && self.y.holds(y)).then(|| {
            (
                LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM),
            )
        })
    }

    /// The left and right end of what is drawn in.
    pub(super) const ENDS: (f64, f64) = (LEFT, WIDTH - RIGHT);

    /// The chart as SVG.
    pub(super) fn svg(&self) -> String {
        let title = escape(&self.title);
        let mut svg =
            format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
        let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &self.y.ticks {
            let Some((_, y)) = self.place((self.x.low, *tick)) else { continue };
            svg += &format!(
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 7.0,
                y + 4.0,
                Axis::tick(*tick)
            );
        }
        for tick in &self.x.ticks {
            let Some((x, _)) = self.place((*tick, self.y.low)) else { continue };
            svg += &format!(
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 4.0,
                bottom + 18.0,
                Axis::tick(*tick)
            );
        }
        svg += &format!(
            "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"label\" transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(left, right),
            HEIGHT - 6.0,
            escape(&self.x_label),
            f64::midpoint(TOP, bottom),
            escape(&self.y_label)
        );
        svg.extend(self.lines.iter().map(|line| self.line(line)));
        svg + &self.over + "</svg>"
    }

    fn line(&self, line: &Line) -> String {
        let places: Vec<(f64, f64)> = line.points.iter().filter_map(|point| self.place(*point)).collect();
        let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let mut svg = format!(
            "<g class=\"{} {}\"><title>{}</title><polyline class=\"line\" points=\"{}\"/>",
            series(line.idx),
            line.class,
            escape(&line.name),
            points.join(" ")
        );
        // Many points would hide the line; some tell the series apart.
        let every = (places.len() / 8).max(1);
        svg.extend(places.iter().step_by(every).map(|(x, y)| marker(line.idx, *x, *y, 3.6, "")));
        svg + "</g>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ticks() {
        let rounded = |axis: Axis| axis.ticks.iter().map(|tick| Axis::tick(*tick)).collect::<Vec<_>>();
        assert_eq!(rounded(Axis::linear(0.0, 1.0, 5.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(rounded(Axis::linear(0.391, 0.452, 4.0)), ["0.38", "0.4", "0.42", "0.44", "0.46"]);
        assert_eq!(rounded(Axis::log(1.0, 1000.0)), ["1", "10", "100", "1,000"]);
        assert_eq!(rounded(Axis::log(0.9, 22.0)), ["1", "2", "5", "10", "20"]);
        assert!(!Axis::linear(0.5, 0.5, 4.0).ticks.is_empty());
    }

    #[test]
    fn points_outside_and_numbers_that_are_none_have_no_place() {
        let chart = Chart { x: Axis::log(1.0, 100.0), y: Axis::linear(0.0, 1.0, 5.0), ..Chart::default() };
        assert_eq!(chart.place((1.0, 0.0)), Some((LEFT, HEIGHT - BOTTOM)));
        assert_eq!(chart.place((10.0, 1.0)), Some((f64::midpoint(LEFT, WIDTH - RIGHT), TOP)));
        for outside in [(0.0, 0.5), (200.0, 0.5), (10.0, f64::NAN), (10.0, 1.2)] {
            assert_eq!(chart.place(outside), None, "{outside:?}");
        }
    }
}
