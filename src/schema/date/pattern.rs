//! Patterns of dates in Java's letters (`yyyy-MM-dd HH:mm:ss`): compiled once, read and printed.

use super::civil::{Moment, Parts};
use super::iso::Cursor;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    items: Vec<Item>,
    /// What is printed, where it differs from what is read.
    printed: Option<Vec<Item>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Literal(String),
    Number(Part, usize, usize),
    /// The last two digits of a year from 2000 on.
    ShortYear(Part),
    /// Digits after a point: at least, at most, and so many printed.
    Fraction(usize, usize, usize),
    /// Names: short or full.
    MonthName(bool),
    DayName(bool),
    HalfDay,
    Era,
    Offset(OffsetForm),
    ZoneName,
    Optional(Vec<Item>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Year,
    WeekYear,
    Month,
    Day,
    DayOfYear,
    Week,
    DayOfWeek,
    Quarter,
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    Minute,
    Second,
    Nanos,
    MilliOfDay,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct OffsetForm {
    /// `Z` for no offset.
    zulu: bool,
    colon: bool,
    /// Only the hours where there are no minutes.
    short: bool,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Pattern {
    /// Compiles a pattern of Java's `DateTimeFormatter`; the error says what is wrong with it.
    pub(super) fn java(pattern: &str) -> Result<Self, String> {
        let mut chars = pattern.chars().peekable();
        let items = compile(&mut chars, 0)?;
        if !items.iter().any(|item| !matches!(item, Item::Literal(_))) {
            return Err("it names no part of a date".to_string());
        }
        Ok(Self { items, printed: None })
    }

    /// As [`Pattern::java`], but numbers may have fewer digits, and what is printed is `printed`.
    pub(super) fn built_in(read: &str, printed: &str, is_strict: bool) -> Option<Self> {
        let mut read = Self::java(read).ok()?;
        loosen(&mut read.items, is_strict);
        Some(Self { items: read.items, printed: Some(Self::java(printed).ok()?.items) })
    }

    pub(super) fn parse(&self, text: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = Cursor { bytes: text.as_bytes() };
        parse_items(&self.items, &mut rest, &mut parts)?;
        rest.bytes.is_empty().then_some(parts)
    }

    pub(super) fn print(&self, moment: &Moment) -> String {
        let mut out = String::with_capacity(32);
        print_items(self.printed.as_ref().unwrap_or(&self.items), moment, &mut out);
        out
    }
}

/// Takes fractions of up to nine digits and, but for the strict formats, numbers of fewer digits.
fn loosen(items: &mut [Item], is_strict: bool) {
    for item in items {
        match item {
            Item::Number(_, least, most) if !is_strict => {
                *least = 1;
                *most = (*most).max(2);
            }
            Item::Fraction(least, most, _) => {
                *least = if is_strict { 3 } else { 1 };
                *most = 9;
            }
            Item::Optional(inner) => loosen(inner, is_strict),
            Item::Number(..)
            | Item::Literal(_)
            | Item::ShortYear(_)
            | Item::MonthName(_)
            | Item::DayName(_)
            | Item::HalfDay
            | Item::Era
            | Item::Offset(_)
            | Item::ZoneName => {}
        }
    }
}

fn compile(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, depth: usize) -> Result<Vec<Item>, String> {
    if depth > 8 {
        return Err("too many nested optional parts".to_string());
    }
    let mut items: Vec<Item> = Vec::new();
    while let Some(char) = chars.next() {
        match char {
            '\'' => push_literal(&mut items, &quoted(chars)?),
            '[' => items.push(Item::Optional(compile(chars, depth + 1)?)),
            ']' if depth > 0 => return Ok(items),
            ']' => return Err("Pattern invalid as it contains ] without previous [".to_string()),
            '{' | '}' | '#' => return Err(format!("Pattern includes reserved character: '{char}'")),
            letter if letter.is_ascii_alphabetic() => {
                let mut count = 1;
                while chars.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                items.push(part(letter, count)?);
            }
            other => push_literal(&mut items, &other.to_string()),
        }
    }
    if depth > 0 {
        // Java closes what is left open.
        return Ok(items);
    }
    Ok(items)
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(before)) => before.push_str(text),
        _ => items.push(Item::Literal(text.to_string())),
    }
}

/// What stands between quotes; two quotes are one.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_string());
    }
    while let Some(char) = chars.next() {
        if char != '\'' {
            text.push(char);
        } else if chars.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            return Ok(text);
        }
    }
    Err("Pattern ends with an incomplete string literal".to_string())
}

fn part(letter: char, count: usize) -> Result<Item, String> {
    let too_many = || Err(format!("Too many pattern letters: {letter}"));
    // One letter takes as many digits as there are; more take exactly so many.
    let number = |part, most: usize| match count {
        1 => Ok(Item::Number(part, 1, most)),
        _ if count <= most => Ok(Item::Number(part, count, count)),
        _ => too_many(),
    };
    match (letter, count) {
        ('y' | 'u', 2) => Ok(Item::ShortYear(Part::Year)),
        ('Y', 2) => Ok(Item::ShortYear(Part::WeekYear)),
        ('y' | 'u', _) => Ok(Item::Number(Part::Year, count, 9)),
        ('Y', _) => Ok(Item::Number(Part::WeekYear, count, 9)),
        ('M' | 'L', 3) => Ok(Item::MonthName(false)),
        ('M' | 'L', 4) => Ok(Item::MonthName(true)),
        ('M' | 'L', _) => number(Part::Month, 2),
        ('d', _) => number(Part::Day, 2),
        ('D', 1..=3) => Ok(Item::Number(Part::DayOfYear, count, 3)),
        ('w', _) => number(Part::Week, 2),
        ('E', 1..=3) | ('e' | 'c', 3) => Ok(Item::DayName(false)),
        ('E' | 'e' | 'c', 4) => Ok(Item::DayName(true)),
        ('e' | 'c', 1 | 2) => Ok(Item::Number(Part::DayOfWeek, count, count)),
        ('Q' | 'q', 1 | 2) => number(Part::Quarter, 2),
        ('H', _) => number(Part::Hour, 2),
        ('k', _) => number(Part::ClockHour, 2),
        ('K', _) => number(Part::HourOfHalf, 2),
        ('h', _) => number(Part::ClockHourOfHalf, 2),
        ('m', _) => number(Part::Minute, 2),
        ('s', _) => number(Part::Second, 2),
        ('S', 1..=9) => Ok(Item::Fraction(count, count, count)),
        ('n', _) => Ok(Item::Number(Part::Nanos, count, 9)),
        ('A', _) => Ok(Item::Number(Part::MilliOfDay, count, 8)),
        ('a', 1) => Ok(Item::HalfDay),
        ('G', _) => Ok(Item::Era),
        ('X', 1) => Ok(Item::Offset(OffsetForm { zulu: true, colon: false, short: true })),
        ('X', 2 | 4) => Ok(Item::Offset(OffsetForm { zulu: true, colon: false, short: false })),
        ('X', 3 | 5) | ('Z', 5) => Ok(Item::Offset(OffsetForm { zulu: true, colon: true, short: false })),
        ('x', 1) => Ok(Item::Offset(OffsetForm { zulu: false, colon: false, short: true })),
        ('x', 2 | 4) | ('Z', 1..=3) => Ok(Item::Offset(OffsetForm { zulu: false, colon: false, short: false })),
        ('x', 3 | 5) => Ok(Item::Offset(OffsetForm { zulu: false, colon: true, short: false })),
        ('z', _) | ('V', 2) => Ok(Item::ZoneName),
        ('D' | 'E' | 'e' | 'c' | 'Q' | 'q' | 'S' | 'a' | 'X' | 'x' | 'Z', _) => too_many(),
        _ => Err(format!("Unknown pattern letter: {letter}")),
    }
}

fn parse_items(items: &[Item], rest: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    for (idx, item) in items.iter().enumerate() {
        match item {
            Item::Literal(text) => rest.bytes = rest.bytes.strip_prefix(text.as_bytes())?,
            Item::Optional(inner) => {
                let (mut inner_rest, mut inner_parts) = (*rest, parts.clone());
                if parse_items(inner, &mut inner_rest, &mut inner_parts).is_some() {
                    (*rest, *parts) = (inner_rest, inner_parts);
                }
            }
            Item::Number(part, least, most) => {
                let reserved = digits_reserved(items.get(idx + 1..).unwrap_or_default());
                let most = if least == most || reserved == 0 {
                    *most
                } else {
                    (*most).min(rest.num_digits().saturating_sub(reserved).max(*least))
                };
                let is_year = matches!(part, Part::Year | Part::WeekYear);
                let negative = is_year && rest.take(b'-');
                let signed = negative || (is_year && *least >= 4 && rest.take(b'+'));
                // Years of more than four digits have a sign.
                let most = if is_year && *least >= 4 && !signed { *least } else { most };
                let number = rest.number(*least, most)?;
                set(*part, if negative { -number } else { number }, parts)?;
            }
            Item::ShortYear(part) => set(*part, 2000 + rest.number(2, 2)?, parts)?,
            Item::Fraction(least, most, _) => {
                let digits = rest.num_digits().min(*most);
                let number = rest.number(*least, *most)?;
                parts.nanos = Some(number * 10_i64.pow(9_u32.saturating_sub(u32::try_from(digits).ok()?)));
            }
            Item::MonthName(full) => parts.month = Some(name(rest, &MONTHS, *full)?),
            Item::DayName(full) => parts.day_of_week = Some(name(rest, &DAYS, *full)?),
            Item::HalfDay => {
                let (half, len) = match rest.bytes.get(..2)? {
                    b"AM" | b"am" => (0, 2),
                    b"PM" | b"pm" => (1, 2),
                    _ => return None,
                };
                rest.bytes = rest.bytes.get(len..)?;
                parts.half_day = Some(half);
            }
            Item::Era => {
                let len = if rest.bytes.starts_with(b"AD") || rest.bytes.starts_with(b"BC") { 2 } else { return None };
                if rest.bytes.starts_with(b"BC") {
                    parts.year = parts.year.map(|year| 1 - year);
                }
                rest.bytes = rest.bytes.get(len..)?;
            }
            Item::Offset(_) => {
                let taken = rest.bytes.iter().take_while(|byte| b"+-:Zz0123456789".contains(byte)).count();
                let (text, after) = rest.bytes.split_at_checked(taken)?;
                parts.offset_seconds = Some(super::iso::offset(std::str::from_utf8(text).ok()?)?);
                rest.bytes = after;
            }
            Item::ZoneName => {
                let is_zone = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/_+-:".contains(byte);
                let (text, after) = rest.bytes.split_at_checked(rest.bytes.iter().take_while(is_zone).count())?;
                parts.zone = Some(super::zone(std::str::from_utf8(text).ok()?).ok()?);
                rest.bytes = after;
            }
        }
    }
    Some(())
}

/// How many digits the numbers that follow at once need.
fn digits_reserved(after: &[Item]) -> usize {
    let mut reserved = 0;
    for item in after {
        match item {
            Item::Number(_, least, most) if least == most => reserved += least,
            Item::Fraction(least, most, _) if least == most => reserved += least,
            Item::Number(..)
            | Item::Fraction(..)
            | Item::Literal(_)
            | Item::ShortYear(_)
            | Item::MonthName(_)
            | Item::DayName(_)
            | Item::HalfDay
            | Item::Era
            | Item::Offset(_)
            | Item::ZoneName
            | Item::Optional(_) => break,
        }
    }
    reserved
}

fn set(part: Part, number: i64, parts: &mut Parts) -> Option<()> {
    match part {
        Part::Year => parts.year = Some(number),
        Part::WeekYear => parts.week_year = Some(number),
        Part::Month => parts.month = Some(number),
        Part::Day => parts.day = Some(number),
        Part::DayOfYear => parts.day_of_year = Some(number),
        Part::Week => parts.week = Some(number),
        Part::DayOfWeek => parts.day_of_week = Some(number),
        Part::Quarter => parts.month = parts.month.or(Some((1..=4).contains(&number).then_some(number * 3 - 2)?)),
        Part::Hour => parts.hour = Some(number),
        Part::ClockHour => parts.hour = Some(if number == 24 { 0 } else { number }),
        Part::HourOfHalf | Part::ClockHourOfHalf => {
            let in_range = if part == Part::HourOfHalf { 0..=11 } else { 1..=12 };
            parts.hour = Some(in_range.contains(&number).then_some(number)?);
            parts.half_day = parts.half_day.or(Some(0));
        }
        Part::Minute => parts.minute = Some(number),
        Part::Second => parts.second = Some(number),
        Part::Nanos => parts.nanos = Some(number),
        Part::MilliOfDay => {
            parts.hour = Some(number / 3_600_000);
            parts.minute = Some(number / 60_000 % 60);
            parts.second = Some(number / 1000 % 60);
            parts.nanos = Some(number % 1000 * 1_000_000);
        }
    }
    Some(())
}

/// The number, from 1, of the name that `rest` begins with.
fn name(rest: &mut Cursor<'_>, names: &[&str], full: bool) -> Option<i64> {
    for (number, name) in (1..).zip(names) {
        let wanted = if full { name } else { name.get(..3)? };
        if rest.bytes.get(..wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted.as_bytes())) {
            rest.bytes = rest.bytes.get(wanted.len()..)?;
            return Some(number);
        }
    }
    None
}

fn print_items(items: &[Item], moment: &Moment, out: &mut String) {
    for item in items {
        match item {
            Item::Literal(text) => out.push_str(text),
            Item::Optional(inner) => print_items(inner, moment, out),
            Item::Number(part, least, most) => {
                let number = get(*part, moment);
                if matches!(part, Part::Year | Part::WeekYear) {
                    print_year(number, *least, out);
                } else {
                    let _ = most;
                    out.push_str(&format!("{number:0width$}", width = least));
                }
            }
            Item::ShortYear(part) => out.push_str(&format!("{:02}", get(*part, moment).rem_euclid(100))),
            Item::Fraction(_, _, printed) => {
                let digits = format!("{:03}000000", moment.millis);
                out.push_str(digits.get(..*printed).unwrap_or(&digits));
            }
            Item::MonthName(full) => print_name(&MONTHS, moment.month, *full, out),
            Item::DayName(full) => print_name(&DAYS, moment.day_of_week(), *full, out),
            Item::HalfDay => out.push_str(if moment.hour < 12 { "AM" } else { "PM" }),
            Item::Era => out.push_str(if moment.year > 0 { "AD" } else { "BC" }),
            Item::Offset(form) => print_offset(moment.offset_seconds, *form, out),
            Item::ZoneName => match &moment.zone_name {
                Some(name) => out.push_str(name),
                None => print_offset(moment.offset_seconds, OffsetForm { zulu: true, colon: true, short: false }, out),
            },
        }
    }
}

fn print_name(names: &[&str], number: i64, full: bool, out: &mut String) {
    let name = usize::try_from(number - 1).ok().and_then(|idx| names.get(idx)).copied().unwrap_or_default();
    out.push_str(if full { name } else { name.get(..3).unwrap_or(name) });
}

/// A year of at least so many digits; from five digits on with a sign, where at least four are asked for.
pub(super) fn print_year(year: i64, least: usize, out: &mut String) {
    let sign = if year < 0 {
        "-"
    } else if least >= 4 && year.unsigned_abs() >= 10_u64.pow(u32::try_from(least).unwrap_or(4).min(18)) {
        "+"
    } else {
        ""
    };
    out.push_str(&format!("{sign}{:0least$}", year.abs()));
}

fn print_offset(seconds: i32, form: OffsetForm, out: &mut String) {
    if seconds == 0 && form.zulu {
        out.push('Z');
        return;
    }
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    out.push(sign);
    out.push_str(&format!("{:02}", minutes / 60));
    if !form.short || minutes % 60 != 0 {
        if form.colon {
            out.push(':');
        }
        out.push_str(&format!("{:02}", minutes % 60));
    }
}

/// `+01:00`, or `Z` for none.
pub(super) fn print_iso_offset(seconds: i32, out: &mut String) {
    print_offset(seconds, OffsetForm { zulu: true, colon: true, short: false }, out);
}

fn get(part: Part, moment: &Moment) -> i64 {
    match part {
        Part::Year => moment.year,
        Part::WeekYear => moment.week().0,
        Part::Month => moment.month,
        Part::Day => moment.day,
        Part::DayOfYear => moment.day_of_year(),
        Part::Week => moment.week().1,
        Part::DayOfWeek => moment.day_of_week(),
        Part::Quarter => (moment.month + 2) / 3,
        Part::Hour => moment.hour,
        Part::ClockHour => (moment.hour + 23) % 24 + 1,
        Part::HourOfHalf => moment.hour % 12,
        Part::ClockHourOfHalf => (moment.hour + 11) % 12 + 1,
        Part::Minute => moment.minute,
        Part::Second => moment.second,
        Part::Nanos => moment.millis * 1_000_000,
        Part::MilliOfDay => ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1000 + moment.millis,
    }
}
