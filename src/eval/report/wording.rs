//! How numbers and names are written.

use std::collections::BTreeMap;

use super::comparison::{Comparison, Difference, PlanResult};
use crate::eval::measures::Measure;

/// Both tests must stay below this after Holm's correction for a difference to be called significant.
pub(super) const SIGNIFICANT: f64 = 0.05;

/// What stands where there is no number.
pub(super) const NOTHING: &str = "-";

/// A measure's name for people, `nDCG@10` for `ndcg_cut_10`; names that are no measure's stay as they are.
pub(super) fn label(measure: &str) -> String {
    measure.parse::<Measure>().map_or_else(|_| measure.to_string(), |measure| measure.label())
}

/// `0.4123`.
pub(super) fn value(number: f64) -> String {
    if number.is_finite() { format!("{number:.4}") } else { NOTHING.to_string() }
}

/// `+0.0123`.
pub(super) fn signed(number: f64) -> String {
    // A difference that rounds to nothing has no sign.
    let text = format!("{number:+.4}");
    match text.as_str() {
        _ if !number.is_finite() => NOTHING.to_string(),
        "-0.0000" | "+0.0000" => "0.0000".to_string(),
        _ => text,
    }
}

/// `+0.0123 to +0.0456`.
pub(super) fn interval([low, high]: [f64; 2]) -> String {
    format!("{} to {}", signed(low), signed(high))
}

/// `0.0123`, or `<0.0001`.
pub(super) fn probability(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_string() } else { value(p) }
}

/// `42 %`; `>99 %` and `<1 %` where rounding would claim certainty.
pub(super) fn percent(share: f64) -> String {
    let rounded = (share * 100.0).round();
    if !share.is_finite() {
        NOTHING.to_string()
    } else if rounded >= 100.0 && share < 1.0 {
        ">99 %".to_string()
    } else if rounded <= 0.0 && share > 0.0 {
        "<1 %".to_string()
    } else {
        format!("{rounded:.0} %")
    }
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits or so: `0.93`, `12.4`, `163`, `3,120`; for milliseconds and queries a second.
pub(super) fn about(number: f64) -> String {
    if !number.is_finite() {
        return NOTHING.to_string();
    }
    match number.abs() {
        size if size < 9.95 => format!("{number:.2}"),
        size if size < 99.5 => format!("{number:.1}"),
        _ => {
            let rounded = format!("{number:.0}");
            rounded.parse().map_or(rounded, count)
        }
    }
}

/// `5.8 MB`.
pub(super) fn bytes(num_bytes: u64) -> String {
    let mut size = num_bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if size < 999.5 {
            return if unit == "bytes" { format!("{size:.0} {unit}") } else { format!("{size:.1} {unit}") };
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// `1 query`, `2 queries`.
pub(super) fn queries(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "query" } else { "queries" })
}

/// Cut to so many characters; line breaks and other control characters become spaces.
pub(super) fn cut(text: &str, num_chars: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= num_chars {
        return text.chars().map(clean).collect();
    }
    let kept: String = text.chars().take(num_chars.saturating_sub(1)).map(clean).collect();
    format!("{}…", kept.trim_end())
}

/// Whether both tests call the difference significant.
pub(super) fn is_significant(difference: &Difference) -> bool {
    difference.p_t_test_holm < SIGNIFICANT && difference.p_randomisation_holm < SIGNIFICANT
}

/// The mean of a measure, NaN where the plan has none.
pub(super) fn mean(plan: &PlanResult, measure: &str) -> f64 {
    plan.metrics.get(measure).copied().unwrap_or(f64::NAN)
}

/// Whether a plan's mean, as printed, is the best of at least two different ones.
pub(super) fn is_best(comparison: &Comparison, plan: &PlanResult, measure: &str) -> bool {
    let printed: Vec<String> = comparison.plans.iter().map(|plan| value(mean(plan, measure))).collect();
    let own = value(mean(plan, measure));
    let best = printed.iter().filter(|text| *text != NOTHING).max();
    best == Some(&own) && printed.iter().any(|text| *text != own)
}

/// Slices of one kind: the parts with their number of queries, and a row of means a plan.
#[derive(Debug, Default)]
pub(super) struct SliceTable<'a> {
    pub(super) by: &'a str,
    pub(super) parts: Vec<(&'a str, u32)>,
    /// One a plan, one value a part.
    pub(super) means: Vec<Vec<f64>>,
}

/// The slices by what they are made by, parts in the plans' order.
pub(super) fn slice_tables(comparison: &Comparison) -> Vec<SliceTable<'_>> {
    let mut tables: Vec<SliceTable<'_>> = Vec::new();
    for slice in comparison.plans.iter().flat_map(|plan| &plan.slices) {
        if !tables.iter().any(|table| table.by == slice.by) {
            tables.push(SliceTable { by: &slice.by, ..SliceTable::default() });
        }
        let Some(table) = tables.iter_mut().find(|table| table.by == slice.by) else { continue };
        if !table.parts.iter().any(|(part, _)| *part == slice.part) {
            table.parts.push((&slice.part, slice.num_queries));
        }
    }
    for table in &mut tables {
        for plan in &comparison.plans {
            let own: BTreeMap<&str, f64> = plan
                .slices
                .iter()
                .filter(|slice| slice.by == table.by)
                .map(|slice| (slice.part.as_str(), slice.mean))
                .collect();
            table.means.push(table.parts.iter().map(|(part, _)| own.get(part).copied().unwrap_or(f64::NAN)).collect());
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_reading() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123), "123");
        assert_eq!([0.934, 12.44, 163.2, 3120.4].map(about), ["0.93", "12.4", "163", "3,120"]);
        assert_eq!(signed(-0.000_01), "0.0000");
        assert_eq!(signed(0.0123), "+0.0123");
        assert_eq!([value(f64::NAN), about(f64::INFINITY), percent(f64::NAN)], [NOTHING, NOTHING, NOTHING]);
        assert_eq!(probability(0.000_01), "<0.0001");
        assert_eq!([0.999, 1.0, 0.0, 0.001, 0.424].map(percent), [">99 %", "100 %", "0 %", "<1 %", "42 %"]);
        assert_eq!(bytes(5_812_736), "5.8 MB");
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(cut("a\nbcd", 3), "a…");
        assert_eq!(cut("größe", 5), "größe");
    }
}
