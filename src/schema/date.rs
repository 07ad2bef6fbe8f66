//! Dates as Elasticsearch's `strict_date_optional_time` reads them: ISO 8601 to milliseconds since 1970.

use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// Milliseconds since 1970-01-01T00:00:00Z of an ISO 8601 date with or without a time (`2024-05`, `2024-05-01`,
/// `2024-05-01T10:00`, `2024-05-01T10:00:00.123+02:00`); without an offset the time is UTC. `None` when it is none.
pub fn parse_iso(text: &str) -> Option<i64> {
    let text = text.trim();
    let moment = if text.contains('T') {
        OffsetDateTime::parse(text, &Iso8601::PARSING)
            .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::PARSING).map(PrimitiveDateTime::assume_utc))
            .ok()?
    } else {
        let full = match text.len() {
            4 => format!("{text}-01-01"),
            7 => format!("{text}-01"),
            _ => text.to_string(),
        };
        Date::parse(&full, &Iso8601::PARSING).ok()?.midnight().assume_utc()
    };
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::parse_iso;

    #[test]
    fn the_forms_of_a_date_are_read() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("1970-01-01T00:00:00.250", Some(250)),
            ("1970-01-01T02:00:00+02:00", Some(0)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2024-02", Some(1_706_745_600_000)),
            ("1971", Some(31_536_000_000)),
            ("1970-13-01", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_iso(text), millis, "{text}");
        }
    }
}
