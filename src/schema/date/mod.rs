//! Dates: read and printed in Elasticsearch's formats, and date math.
//!
//! In: texts and a `format` (`yyyy-MM-dd||epoch_millis`). Out: milliseconds since 1970-01-01T00:00:00Z, and texts again.
//! [`DateFormats`] is a compiled `format`; [`math`] reads `now-1d/d` and `2024-01-01||+1M`; [`zone`] reads time zones. Without a zone
//! in the text or the request, a date is in UTC. Read next: [`builtin`] (the names), [`pattern`] (Java's letters), [`civil`].

mod builtin;
mod civil;
mod iso;
pub mod math;
mod pattern;

use std::fmt;
use std::sync::{Arc, LazyLock};

pub use jiff::tz::TimeZone;

use self::civil::Moment;
pub use self::iso::parse_iso;
pub use self::math::DateMath;
use self::pattern::Pattern;
use crate::error::{Error, Result};

/// Elasticsearch's `format` of a date field that names none.
pub const DEFAULT_FORMAT: &str = "strict_date_optional_time||epoch_millis";

static DEFAULT: LazyLock<DateFormats> = LazyLock::new(|| {
    DateFormats(Arc::new(Formats {
        written: DEFAULT_FORMAT.to_string(),
        formats: vec![Format::OptionalTime { is_strict: true }, Format::EpochMillis],
    }))
});

/// A compiled `format`: several formats in order of trial. Cheap to clone.
#[derive(Clone)]
pub struct DateFormats(Arc<Formats>);

struct Formats {
    written: String,
    formats: Vec<Format>,
}

enum Format {
    /// ISO 8601: a date that may end after any part, with an optional time and offset.
    OptionalTime {
        /// Every number has all its digits.
        is_strict: bool,
    },
    EpochMillis,
    EpochSecond,
    Pattern(Pattern),
}

/// What parts of a date that a text leaves out become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Their least: the beginning of the day.
    #[default]
    Least,
    /// The greatest of the time (23:59:59.999); month and day are 1 in either case, as in Elasticsearch.
    Greatest,
}

impl Default for DateFormats {
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl PartialEq for DateFormats {
    fn eq(&self, other: &Self) -> bool {
        self.0.written == other.0.written
    }
}

impl Eq for DateFormats {}

impl fmt::Debug for DateFormats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DateFormats").field(&self.0.written).finish()
    }
}

impl fmt::Display for DateFormats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.written)
    }
}

impl DateFormats {
    /// Reads a `format`: names and Java patterns, separated by `||`.
    ///
    /// # Errors
    /// `InvalidInput` naming the part that is none.
    pub fn read(format: &str) -> Result<Self> {
        if format == DEFAULT_FORMAT {
            return Ok(Self::default());
        }
        let parts = format.split("||");
        let formats = parts.map(|part| Format::read(part.trim())).collect::<Result<Vec<_>>>()?;
        Ok(Self(Arc::new(Formats { written: format.to_string(), formats })))
    }

    /// The `format` as it was written.
    pub fn as_str(&self) -> &str {
        &self.0.written
    }

    /// Whether numbers are read as milliseconds or seconds since 1970.
    pub fn reads_epochs(&self) -> bool {
        self.0.formats.iter().any(|format| matches!(format, Format::EpochMillis | Format::EpochSecond))
    }

    /// Milliseconds since 1970 of a text in one of the formats; `None` when it is in none.
    ///
    /// * `zone`: of a text that names none; UTC when absent.
    pub fn parse(&self, text: &str, zone: Option<&TimeZone>, missing: Missing) -> Option<i64> {
        self.0.formats.iter().find_map(|format| format.parse(text, zone, missing))
    }

    /// Milliseconds since 1970, as [`DateFormats::parse`].
    ///
    /// # Errors
    /// `InvalidInput` in Elasticsearch's words.
    pub fn parse_or_refuse(&self, text: &str, zone: Option<&TimeZone>, missing: Missing) -> Result<i64> {
        self.parse(text, zone, missing).ok_or_else(|| self.refuse(text))
    }

    fn refuse(&self, text: &str) -> Error {
        let shown: String = text.chars().take(60).collect();
        let reason = format!("failed to parse date field [{shown}] with format [{}]", self.0.written);
        Error::invalid_input(reason.clone()).as_exception("parse_exception", reason)
    }

    /// Prints an instant in the first format.
    ///
    /// * `zone`: where; UTC when absent. Milliseconds since 1970 stay what they are.
    pub fn format(&self, millis: i64, zone: Option<&TimeZone>) -> String {
        match self.0.formats.first() {
            None | Some(Format::OptionalTime { .. }) => builtin::print_iso(&Moment::at(millis, zone)),
            Some(Format::EpochMillis) => millis.to_string(),
            Some(Format::EpochSecond) => epoch_second(millis),
            Some(Format::Pattern(pattern)) => pattern.print(&Moment::at(millis, zone)),
        }
    }
}

fn epoch_second(millis: i64) -> String {
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    if rest == 0 { seconds.to_string() } else { format!("{}.{:03}", millis / 1000, (millis % 1000).abs()) }
}

impl Format {
    fn read(part: &str) -> Result<Self> {
        Ok(match part {
            "strict_date_optional_time" | "strict_date_optional_time_nanos" | "strictDateOptionalTime" | "iso8601" => {
                Format::OptionalTime { is_strict: true }
            }
            "date_optional_time" | "dateOptionalTime" => Format::OptionalTime { is_strict: false },
            "epoch_millis" => Format::EpochMillis,
            "epoch_second" => Format::EpochSecond,
            "" => {
                let reason = "No date pattern provided";
                return Err(Error::invalid_input(reason).as_exception("illegal_argument_exception", reason));
            }
            name => Format::Pattern(match builtin::pattern(name) {
                Some(pattern) => pattern,
                None => Pattern::java(name).map_err(|why| {
                    let reason = format!("Invalid format: [{name}]: {why}");
                    Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason)
                })?,
            }),
        })
    }

    fn parse(&self, text: &str, zone: Option<&TimeZone>, missing: Missing) -> Option<i64> {
        match self {
            Format::OptionalTime { is_strict } => iso::parse(text, *is_strict, zone, missing),
            Format::EpochMillis => epoch(text, 1),
            Format::EpochSecond => epoch(text, 1000),
            Format::Pattern(pattern) => pattern.parse(text)?.to_millis(zone, missing),
        }
    }
}

/// A number of units of so many milliseconds, with an optional fraction.
fn epoch(text: &str, unit_millis: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole.strip_prefix('-').unwrap_or(whole)) || !is_number(fraction) {
        return None;
    }
    let millis = whole.parse::<i64>().ok()?.checked_mul(unit_millis)?;
    if unit_millis == 1 || fraction.bytes().all(|digit| digit == b'0') {
        return Some(millis);
    }
    let part: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    millis.checked_add(if whole.starts_with('-') { -part } else { part })
}

/// A time zone: an offset (`+01:00`, `-0530`, `+1`, `Z`) or a name (`Europe/Paris`, `UTC`).
///
/// # Errors
/// `InvalidInput` in Elasticsearch's words.
pub fn zone(text: &str) -> Result<TimeZone> {
    let offset = iso::offset(text).and_then(|seconds| jiff::tz::Offset::from_seconds(seconds).ok());
    if let Some(offset) = offset {
        return Ok(TimeZone::fixed(offset));
    }
    match text {
        "UTC" | "GMT" | "UT" => return Ok(TimeZone::UTC),
        _ => {}
    }
    if let Some(rest) = ["UTC", "GMT", "UT"].iter().find_map(|prefix| text.strip_prefix(prefix)) {
        return zone(rest);
    }
    TimeZone::get(text).map_err(|source| {
        let reason = format!("Unknown time-zone ID: {text}");
        Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason).with_source(source)
    })
}

#[cfg(test)]
mod tests;
