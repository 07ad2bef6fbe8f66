//! The named formats of Elasticsearch.

use super::civil::Moment;
use super::pattern::{Pattern, print_iso_offset, print_year};

/// Name, what is read, what is printed. Each has a `strict_` sister that takes every digit, but for the `basic_` ones.
const NAMED: &[(&str, &str, &str)] = &[
    ("basic_date", "yyyyMMdd", "yyyyMMdd"),
    ("basic_date_time", "yyyyMMdd'T'HHmmss[.SSS]XX", "yyyyMMdd'T'HHmmss.SSSXX"),
    ("basic_date_time_no_millis", "yyyyMMdd'T'HHmmssXX", "yyyyMMdd'T'HHmmssXX"),
    ("basic_ordinal_date", "yyyyDDD", "yyyyDDD"),
    ("basic_ordinal_date_time", "yyyyDDD'T'HHmmss[.SSS]XX", "yyyyDDD'T'HHmmss.SSSXX"),
    ("basic_ordinal_date_time_no_millis", "yyyyDDD'T'HHmmssXX", "yyyyDDD'T'HHmmssXX"),
    ("basic_time", "HHmmss[.SSS]XX", "HHmmss.SSSXX"),
    ("basic_time_no_millis", "HHmmssXX", "HHmmssXX"),
    ("basic_t_time", "'T'HHmmss[.SSS]XX", "'T'HHmmss.SSSXX"),
    ("basic_t_time_no_millis", "'T'HHmmssXX", "'T'HHmmssXX"),
    ("basic_week_date", "YYYY'W'wwe", "YYYY'W'wwe"),
    ("basic_week_date_time", "YYYY'W'wwe'T'HHmmss[.SSS]XX", "YYYY'W'wwe'T'HHmmss.SSSXX"),
    ("basic_week_date_time_no_millis", "YYYY'W'wwe'T'HHmmssXX", "YYYY'W'wwe'T'HHmmssXX"),
    ("date", "yyyy-MM-dd", "yyyy-MM-dd"),
    ("date_hour", "yyyy-MM-dd'T'HH", "yyyy-MM-dd'T'HH"),
    ("date_hour_minute", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm"),
    ("date_hour_minute_second", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss"),
    ("date_hour_minute_second_fraction", "yyyy-MM-dd'T'HH:mm:ss.SSS", "yyyy-MM-dd'T'HH:mm:ss.SSS"),
    ("date_hour_minute_second_millis", "yyyy-MM-dd'T'HH:mm:ss.SSS", "yyyy-MM-dd'T'HH:mm:ss.SSS"),
    ("date_time", "yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
    ("date_time_no_millis", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ssXXX"),
    ("hour", "HH", "HH"),
    ("hour_minute", "HH:mm", "HH:mm"),
    ("hour_minute_second", "HH:mm:ss", "HH:mm:ss"),
    ("hour_minute_second_fraction", "HH:mm:ss.SSS", "HH:mm:ss.SSS"),
    ("hour_minute_second_millis", "HH:mm:ss.SSS", "HH:mm:ss.SSS"),
    ("ordinal_date", "yyyy-DDD", "yyyy-DDD"),
    ("ordinal_date_time", "yyyy-DDD'T'HH:mm:ss[.SSS]XXX", "yyyy-DDD'T'HH:mm:ss.SSSXXX"),
    ("ordinal_date_time_no_millis", "yyyy-DDD'T'HH:mm:ssXXX", "yyyy-DDD'T'HH:mm:ssXXX"),
    ("time", "HH:mm:ss[.SSS]XXX", "HH:mm:ss.SSSXXX"),
    ("time_no_millis", "HH:mm:ssXXX", "HH:mm:ssXXX"),
    ("t_time", "'T'HH:mm:ss[.SSS]XXX", "'T'HH:mm:ss.SSSXXX"),
    ("t_time_no_millis", "'T'HH:mm:ssXXX", "'T'HH:mm:ssXXX"),
    ("week_date", "YYYY-'W'ww-e", "YYYY-'W'ww-e"),
    ("week_date_time", "YYYY-'W'ww-e'T'HH:mm:ss[.SSS]XXX", "YYYY-'W'ww-e'T'HH:mm:ss.SSSXXX"),
    ("week_date_time_no_millis", "YYYY-'W'ww-e'T'HH:mm:ssXXX", "YYYY-'W'ww-e'T'HH:mm:ssXXX"),
    ("weekyear", "YYYY", "YYYY"),
    ("week_year", "YYYY", "YYYY"),
    ("weekyear_week", "YYYY-'W'ww", "YYYY-'W'ww"),
    ("weekyear_week_day", "YYYY-'W'ww-e", "YYYY-'W'ww-e"),
    ("year", "yyyy", "yyyy"),
    ("year_month", "yyyy-MM", "yyyy-MM"),
    ("year_month_day", "yyyy-MM-dd", "yyyy-MM-dd"),
];

/// The pattern of a named format; `None` when there is none of this name.
pub(super) fn pattern(name: &str) -> Option<Pattern> {
    let bare = name.strip_prefix("strict_");
    let (_, read, printed) = NAMED.iter().find(|(known, _, _)| *known == bare.unwrap_or(name))?;
    // Runs of digits can only be told apart by their lengths.
    let is_strict = bare.is_some() || name.starts_with("basic_");
    Pattern::built_in(read, printed, is_strict)
}

/// All names, without the `strict_` ones.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _, _)| *name)
}

/// `strict_date_optional_time`: `2024-05-01T10:00:00.000Z`.
pub(super) fn print_iso(moment: &Moment) -> String {
    let mut out = String::with_capacity(24);
    print_year(moment.year, 4, &mut out);
    out.push_str(&format!(
        "-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.millis
    ));
    print_iso_offset(moment.offset_seconds, &mut out);
    out
}
