//! How numbers and keys are printed: as they are, as dates, as booleans, or by a pattern such as `#,##0.00`.

use std::net::Ipv6Addr;

use serde_json::{Value, json};

use super::super::error::EsResult;
use crate::aggregate::key::Key;
use crate::aggregate::outcome::Values;
use crate::index::doc_values::ValueKind;
use crate::schema::date::{self, DateFormats, TimeZone};

/// How values are printed as texts.
#[derive(Debug, Clone)]
pub enum Format {
    /// As numbers are in Java.
    Raw,
    /// `true` and `false`.
    Boolean,
    /// Dates, in a time zone.
    Date(DateFormats, Option<TimeZone>),
    /// By a pattern of Java's `DecimalFormat`.
    Decimal(DecimalPattern),
}

impl Format {
    /// The format of a field's values.
    ///
    /// * `format`, `time_zone`: as the request has them.
    /// * `values`: what the values are; `None` where no index has the field.
    ///
    /// # Errors
    /// Where the format cannot be read.
    pub fn of(format: Option<&str>, time_zone: Option<&str>, values: Option<&Values>) -> EsResult<Self> {
        let kind = values.map(|values| values.kind);
        Ok(match (kind, format) {
            (Some(ValueKind::Date), format) => {
                let formats = match format {
                    Some(format) => DateFormats::read(format)?,
                    None => values.and_then(|values| values.date_formats.clone()).unwrap_or_default(),
                };
                Format::Date(formats, time_zone.map(date::zone).transpose()?)
            }
            (Some(ValueKind::Boolean), None) => Format::Boolean,
            (Some(ValueKind::Ip | ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName), _) => Format::Raw,
            (_, Some(pattern)) => Format::Decimal(DecimalPattern::parse(pattern)),
            (_, None) => Format::Raw,
        })
    }

    /// The text of a number.
    pub fn text(&self, number: f64) -> String {
        match self {
            Format::Raw => java_double(number),
            Format::Boolean => if number == 0.0 { "false" } else { "true" }.to_string(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the fraction of a millisecond goes, as in Elasticsearch"
            )]
            Format::Date(formats, zone) => formats.format(number as i64, zone.as_ref()),
            Format::Decimal(pattern) => pattern.print(number),
        }
    }

    /// The text of a number, where it is printed beside it.
    pub fn beside(&self, number: f64) -> Option<String> {
        match self {
            Format::Raw => None,
            Format::Boolean | Format::Date(..) | Format::Decimal(_) => Some(self.text(number)),
        }
    }

    /// A bucket's key, and its text where that is printed beside it.
    pub fn key(&self, key: &Key) -> (Value, Option<String>) {
        match (key, self) {
            (Key::Long(value), Format::Date(formats, zone)) => {
                (json!(value), Some(formats.format(*value, zone.as_ref())))
            }
            (Key::Long(value), Format::Raw) => (json!(value), None),
            (Key::Long(value), Format::Boolean | Format::Decimal(_)) => (json!(value), self.beside(*value as f64)),
            (Key::Unsigned(value), _) => (json!(value), self.beside(*value as f64)),
            (Key::Double(value), _) => (number(*value), self.beside(*value)),
            (Key::Ip(address), _) => (json!(address_text(*address)), None),
            (Key::Text(text), _) => (json!(text), None),
            (Key::Tuple(_) | Key::Place(_), _) => (Value::Null, None),
        }
    }

    /// A bucket's key as a text alone.
    pub fn key_text(&self, key: &Key) -> String {
        match (self.key(key), key) {
            ((_, Some(text)), _) => text,
            ((Value::String(text), None), _) => text,
            ((_, None), Key::Double(value)) => java_double(*value),
            ((value, None), _) => value.to_string(),
        }
    }
}

/// A number as JSON; what is no finite number as its name.
pub fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

/// An address as it is written; IPv4 ones without their mapping.
pub fn address_text(address: u128) -> String {
    let address = Ipv6Addr::from_bits(address);
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |v4| v4.to_string())
}

/// A number as Java prints it: with a digit after the point, and powers of ten from 10^7 and below 10^-3.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_string();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let scientific = format!("{value:e}");
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = if digits.contains('.') { digits.to_string() } else { format!("{digits}.0") };
    format!("{digits}E{power}")
}

/// A pattern of Java's `DecimalFormat`: `0` and `#` for digits, `,` for groups, `%`, and text around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecimalPattern {
    prefix: String,
    suffix: String,
    least_whole: usize,
    least_fraction: usize,
    most_fraction: usize,
    group: Option<usize>,
    percent: bool,
}

impl DecimalPattern {
    /// Reads a pattern; of several, separated by `;`, the first. Whatever is no digit is printed as it stands.
    pub fn parse(pattern: &str) -> Self {
        let pattern = pattern.split(';').next().unwrap_or_default();
        let is_digit = |char: char| matches!(char, '0' | '#' | ',' | '.');
        let start = pattern.find(is_digit).unwrap_or(pattern.len());
        let body_end = pattern.rfind(is_digit).map_or(start, |at| at + 1);
        let body = pattern.get(start..body_end).unwrap_or_default();
        let text = |part: &str| part.replace('\'', "").replace('\u{a4}', "$");
        let prefix = text(pattern.get(..start).unwrap_or_default());
        let suffix = text(pattern.get(body_end..).unwrap_or_default());
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        Self {
            percent: prefix.contains('%') || suffix.contains('%'),
            prefix,
            suffix,
            least_whole: whole.chars().filter(|char| *char == '0').count(),
            least_fraction: fraction.chars().filter(|char| *char == '0').count(),
            most_fraction: fraction.chars().filter(|char| matches!(char, '0' | '#')).count(),
            group: whole.rfind(',').map(|at| whole.len() - at - 1).filter(|size| *size > 0),
        }
    }

    /// The text of a number, rounded half to even.
    pub fn print(&self, value: f64) -> String {
        if !value.is_finite() {
            return if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "\u{221e}"
            } else {
                "-\u{221e}"
            }
            .to_string();
        }
        let value = if self.percent { value * 100.0 } else { value };
        let rounded = round_half_even(value, self.most_fraction);
        let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
        let is_negative = whole.starts_with('-');
        let whole = whole.trim_start_matches('-').trim_start_matches('0');
        let mut fraction = fraction.to_string();
        while fraction.len() > self.least_fraction && fraction.ends_with('0') {
            fraction.pop();
        }
        let mut digits = format!("{whole:0>width$}", width = self.least_whole);
        if digits.is_empty() && fraction.is_empty() {
            digits.push('0');
        }
        if let Some(size) = self.group {
            let mut grouped = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(size) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            digits = grouped;
        }
        let is_zero = whole.is_empty() && fraction.bytes().all(|digit| digit == b'0');
        let sign = if is_negative && !is_zero { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{digits}{point}{fraction}{}", self.prefix, self.suffix)
    }
}

/// A number with so many digits after the point.
fn round_half_even(value: f64, digits: usize) -> String {
    // Rust rounds the exact binary value, ties to even, as Java does.
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_in_java() {
        for (value, text) in [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.234e10, "1.234E10"),
            (0.001, "0.001"),
            (0.000_12, "1.2E-4"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn patterns_are_those_of_decimal_format() {
        for (pattern, value, text) in [
            ("0.00", 1.005, "1.00"),
            ("0.0", 0.25, "0.2"),
            ("0.0", 0.35, "0.3"),
            ("#,##0.##", 1_234_567.891, "1,234,567.89"),
            ("#.#", 2.0, "2"),
            ("#.#", 0.5, ".5"),
            ("000", 7.0, "007"),
            ("$0", 12.0, "$12"),
            ("0%", 0.256, "26%"),
            ("0.0", -0.04, "0.0"),
            ("0.00", -2.5, "-2.50"),
            ("#", 0.0, "0"),
        ] {
            assert_eq!(DecimalPattern::parse(pattern).print(value), text, "{pattern} {value}");
        }
    }
}
