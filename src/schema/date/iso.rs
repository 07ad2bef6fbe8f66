//! `strict_date_optional_time` and `date_optional_time`, without allocation: most dates of most indices.

use jiff::tz::TimeZone;

use super::Missing;
use super::civil::Parts;

/// Milliseconds since 1970-01-01T00:00:00Z of an ISO 8601 date with or without a time (`2024-05`, `2024-05-01`,
/// `2024-05-01T10:00`, `2024-05-01T10:00:00.123+02:00`); without an offset the time is UTC. `None` when it is none.
pub fn parse_iso(text: &str) -> Option<i64> {
    parse(text.trim(), true, None, Missing::Least)
}

pub(super) fn parse(text: &str, is_strict: bool, zone: Option<&TimeZone>, missing: Missing) -> Option<i64> {
    let mut rest = Cursor { bytes: text.as_bytes() };
    let mut parts = Parts { year: Some(year(&mut rest, is_strict)?), ..Parts::default() };
    let two = |rest: &mut Cursor<'_>| rest.number(if is_strict { 2 } else { 1 }, 2);
    if rest.take(b'-') {
        parts.month = Some(two(&mut rest)?);
        if rest.take(b'-') {
            parts.day = Some(two(&mut rest)?);
        }
    }
    if rest.take(b'T') && rest.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        parts.hour = Some(two(&mut rest)?);
        if rest.take(b':') {
            parts.minute = Some(two(&mut rest)?);
            if rest.take(b':') {
                parts.second = Some(two(&mut rest)?);
                if rest.take(b'.') || rest.take(b',') {
                    parts.nanos = Some(rest.fraction()?);
                }
            }
        }
    }
    if !rest.bytes.is_empty() {
        let name = std::str::from_utf8(rest.bytes).ok()?;
        match offset(name) {
            Some(seconds) => parts.offset_seconds = Some(seconds),
            None => parts.zone = Some(region(name)?),
        }
    }
    parts.to_millis(zone, missing)
}

fn year(rest: &mut Cursor<'_>, is_strict: bool) -> Option<i64> {
    match rest.peek() {
        Some(sign @ (b'-' | b'+')) => {
            rest.take(sign);
            let year = rest.number(4, 9)?;
            Some(if sign == b'-' { -year } else { year })
        }
        _ if is_strict => rest.number(4, 4),
        _ => rest.number(1, 9),
    }
}

fn region(name: &str) -> Option<TimeZone> {
    // Java also takes the zone in brackets; the names of zones hold letters.
    if !name.starts_with(|char: char| char.is_ascii_uppercase()) {
        return None;
    }
    super::zone(name).ok()
}

/// The seconds of an offset: `Z`, `+01`, `+0100`, `+01:00`, `+01:00:30`, `+1`.
pub(super) fn offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let mut rest = Cursor { bytes: digits.as_bytes() };
    let hours = rest.number(1, 2)?;
    let mut parts = [0, 0];
    for part in &mut parts {
        if rest.bytes.is_empty() {
            break;
        }
        rest.take(b':');
        *part = rest.number(2, 2)?;
    }
    let [minutes, seconds] = parts;
    if !rest.bytes.is_empty() || hours > 18 || minutes > 59 || seconds > 59 {
        return None;
    }
    i32::try_from(sign * (hours * 3600 + minutes * 60 + seconds)).ok()
}

/// What is left of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(super) fn take(&mut self, wanted: u8) -> bool {
        match self.bytes.split_first() {
            Some((first, rest)) if *first == wanted => {
                self.bytes = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn num_digits(&self) -> usize {
        self.bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// A number of `least..=most` digits, at most 18.
    pub(super) fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let len = self.num_digits().min(most).min(18);
        if len < least {
            return None;
        }
        let (digits, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// 1 to 9 digits after a point, as billionths.
    pub(super) fn fraction(&mut self) -> Option<i64> {
        let len = self.num_digits();
        if len > 9 {
            return None;
        }
        let number = self.number(1, 9)?;
        Some(number * 10_i64.pow(u32::try_from(9 - len).ok()?))
    }
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
            ("1970-01-01T02:00:00+0200", Some(0)),
            ("1970-01-01T02+02", Some(0)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("1970-01-01T00:00:00,999999Z", Some(999)),
            ("1970-01-01T", Some(0)),
            ("1970-01-01T01:00:00Europe/Paris", Some(0)),
            ("2024-02", Some(1_706_745_600_000)),
            ("2024-02-29", Some(1_709_164_800_000)),
            ("1971", Some(31_536_000_000)),
            ("1970-13-01", None),
            ("1970-02-30", None),
            ("1970-1-1", None),
            ("1970-01-01T24:00", None),
            ("1970-01-01 00:00", None),
            ("19700", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_iso(text), millis, "{text}");
        }
    }
}
