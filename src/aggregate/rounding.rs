//! Where intervals of time begin: calendar units and fixed lengths, in any time zone.
//!
//! A moment is rounded down to the beginning of its interval in local time. Where clocks are put back, an hour that happens
//! twice makes two buckets; where they are put forward, a day may begin at one o'clock. Everything is milliseconds since 1970.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// Three months.
    Quarter,
    /// A year.
    Year,
}

impl CalendarUnit {
    /// The unit of Elasticsearch's name (`month`, `1M`).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "second" | "1s" => CalendarUnit::Second,
            "minute" | "1m" => CalendarUnit::Minute,
            "hour" | "1h" => CalendarUnit::Hour,
            "day" | "1d" => CalendarUnit::Day,
            "week" | "1w" => CalendarUnit::Week,
            "month" | "1M" => CalendarUnit::Month,
            "quarter" | "1q" => CalendarUnit::Quarter,
            "year" | "1y" => CalendarUnit::Year,
            _ => return None,
        })
    }

    /// Its length, where every one is equally long whatever the calendar.
    fn fixed_length(self) -> Option<i64> {
        match self {
            CalendarUnit::Second => Some(SECOND),
            CalendarUnit::Minute => Some(MINUTE),
            CalendarUnit::Hour => Some(HOUR),
            CalendarUnit::Day
            | CalendarUnit::Week
            | CalendarUnit::Month
            | CalendarUnit::Quarter
            | CalendarUnit::Year => None,
        }
    }
}

/// How long an interval is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// A unit of the calendar; days may have 23 or 25 hours.
    Calendar(CalendarUnit),
    /// So many milliseconds, at least 1.
    Fixed(i64),
}

/// Rounds moments down to the beginning of their intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounding {
    /// How long an interval is.
    pub interval: Interval,
    /// Whose clocks count; `None` for UTC.
    pub zone: Option<TimeZone>,
    /// Intervals begin so much later, in milliseconds.
    pub offset: i64,
}

impl Rounding {
    /// Rounding in UTC without an offset.
    pub fn new(interval: Interval) -> Self {
        Self { interval, zone: None, offset: 0 }
    }

    /// The beginning of the interval that holds `millis`.
    pub fn round(&self, millis: i64) -> i64 {
        self.round_without_offset(millis.saturating_sub(self.offset)).saturating_add(self.offset)
    }

    /// The beginning of the interval after the one that begins at `key`; always greater than `key`.
    pub fn next(&self, key: i64) -> i64 {
        let key = key.saturating_sub(self.offset);
        self.next_without_offset(key).saturating_add(self.offset)
    }

    /// Every beginning from the interval of `first` to that of `last`; `None` where there are more than `most`.
    pub fn beginnings(&self, first: i64, last: i64, most: usize) -> Option<Vec<i64>> {
        let mut beginnings = Vec::new();
        let mut at = self.round(first);
        while at <= last {
            if beginnings.len() >= most {
                return None;
            }
            beginnings.push(at);
            at = self.next(at);
        }
        Some(beginnings)
    }

    fn round_without_offset(&self, millis: i64) -> i64 {
        let zone = self.zone.as_ref();
        match (self.interval, zone) {
            (Interval::Fixed(length), None) => floor(millis, length),
            (Interval::Fixed(length), Some(zone)) => round_fixed(millis, length, zone),
            (Interval::Calendar(unit), zone) => match (unit.fixed_length(), zone) {
                (Some(length), None) => floor(millis, length),
                (Some(length), Some(zone)) => round_clock(millis, length, zone),
                (None, None) => floor_calendar(millis, unit),
                (None, Some(zone)) => {
                    let local = millis.saturating_add(offset_at(zone, millis));
                    first_at(zone, floor_calendar(local, unit))
                }
            },
        }
    }

    fn next_without_offset(&self, key: i64) -> i64 {
        if let Interval::Calendar(unit) = self.interval
            && unit.fixed_length().is_none()
        {
            let local = match &self.zone {
                Some(zone) => key.saturating_add(offset_at(zone, key)),
                None => key,
            };
            let next = next_calendar(floor_calendar(local, unit), unit);
            return match &self.zone {
                Some(zone) => first_at(zone, next),
                None => next,
            };
        }
        let length = match self.interval {
            Interval::Fixed(length) => length,
            Interval::Calendar(unit) => unit.fixed_length().unwrap_or(DAY),
        };
        let mut candidate = key.saturating_add(length);
        if let Some(zone) = &self.zone
            && self.round_without_offset(candidate) <= key
        {
            // The clocks were put back meanwhile: the next interval begins that much later.
            let local = floor(key.saturating_add(offset_at(zone, key)), length).saturating_add(length);
            let rounded = self.round_without_offset(first_at(zone, local));
            if rounded > key {
                return rounded;
            }
        }
        loop {
            let rounded = self.round_without_offset(candidate);
            if rounded > key || candidate == i64::MAX {
                return rounded.max(key.saturating_add(1));
            }
            candidate = candidate.saturating_add(length);
        }
    }
}

fn floor(millis: i64, length: i64) -> i64 {
    let length = length.max(1);
    millis.div_euclid(length).saturating_mul(length)
}

/// How far a zone's clocks are ahead of UTC at a moment, in milliseconds.
pub fn offset_at(zone: &TimeZone, millis: i64) -> i64 {
    Timestamp::from_millisecond(millis).map_or(0, |moment| i64::from(zone.to_offset(moment).seconds()) * SECOND)
}

/// The first moment at which a zone's clocks show a local time, or jump over it.
fn first_at(zone: &TimeZone, local: i64) -> i64 {
    match offsets_of(zone, local) {
        LocalOffsets::One(offset) | LocalOffsets::Gap { before: offset } => local.saturating_sub(offset),
        LocalOffsets::Two { earlier, .. } => local.saturating_sub(earlier),
    }
}

/// The offsets under which a zone's clocks show a local time.
enum LocalOffsets {
    One(i64),
    /// The clocks are put back: the time is shown twice.
    Two {
        earlier: i64,
        later: i64,
    },
    /// The clocks are put forward over it.
    Gap {
        before: i64,
    },
}

fn offsets_of(zone: &TimeZone, local: i64) -> LocalOffsets {
    let millis = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * SECOND;
    let Some(time) = civil_time(local) else { return LocalOffsets::One(0) };
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => LocalOffsets::One(millis(offset)),
        AmbiguousOffset::Gap { before, .. } => LocalOffsets::Gap { before: millis(before) },
        AmbiguousOffset::Fold { before, after } => LocalOffsets::Two { earlier: millis(before), later: millis(after) },
    }
}

/// A local time given as if it were UTC.
fn civil_time(local: i64) -> Option<civil::DateTime> {
    Timestamp::from_millisecond(local).ok().map(|moment| TimeZone::UTC.to_datetime(moment))
}

/// The last moment before which a zone's clocks changed, at or before `millis`.
fn transition_before(zone: &TimeZone, millis: i64) -> Option<i64> {
    let after = Timestamp::from_millisecond(millis.checked_add(1)?).ok()?;
    zone.preceding(after).next().map(|transition| transition.timestamp().as_millisecond())
}

/// Rounds to full seconds, minutes or hours of local time; where the clocks changed since, the change begins a new count.
fn round_clock(millis: i64, length: i64, zone: &TimeZone) -> i64 {
    let mut at = millis;
    loop {
        let local = floor(at.saturating_add(offset_at(zone, at)), length);
        let rounded = match offsets_of(zone, local) {
            LocalOffsets::One(offset) => Some(local - offset).filter(|rounded| *rounded <= at),
            LocalOffsets::Two { earlier, later } => {
                [local - later, local - earlier].into_iter().find(|rounded| *rounded <= at)
            }
            LocalOffsets::Gap { .. } => None,
        };
        match (transition_before(zone, at), rounded) {
            (None, _) => return rounded.unwrap_or_else(|| floor(at, length)),
            (Some(changed), Some(rounded)) if changed <= rounded => return rounded,
            (Some(changed), _) => at = changed.saturating_sub(1),
        }
    }
}

/// Rounds to multiples of a length of local time since 1970.
fn round_fixed(millis: i64, length: i64, zone: &TimeZone) -> i64 {
    let local = floor(millis.saturating_add(offset_at(zone, millis)), length);
    match offsets_of(zone, local) {
        LocalOffsets::One(offset) => (local - offset).min(millis),
        LocalOffsets::Gap { before } => {
            // The beginning was jumped over: the interval begins at the jump.
            transition_before(zone, local - before).unwrap_or(local - before).min(millis)
        }
        LocalOffsets::Two { earlier, later } => {
            if local - later <= millis {
                local - later
            } else {
                local - earlier
            }
        }
    }
}

/// The beginning of a day or a longer unit, in the time that `millis` is given in.
fn floor_calendar(millis: i64, unit: CalendarUnit) -> i64 {
    let days = millis.div_euclid(DAY);
    let begin = match unit {
        CalendarUnit::Second | CalendarUnit::Minute | CalendarUnit::Hour | CalendarUnit::Day => days,
        // 1970-01-01 was a Thursday.
        CalendarUnit::Week => days - (days + 3).rem_euclid(7),
        CalendarUnit::Month => {
            let (year, month) = month_of(days);
            days_before(year, month)
        }
        CalendarUnit::Quarter => {
            let (year, month) = month_of(days);
            days_before(year, (month - 1) / 3 * 3 + 1)
        }
        CalendarUnit::Year => days_before(month_of(days).0, 1),
    };
    begin.saturating_mul(DAY)
}

/// The beginning of the unit after the one that begins at `begin`.
fn next_calendar(begin: i64, unit: CalendarUnit) -> i64 {
    let days = begin.div_euclid(DAY);
    let months_later = |count: i64| {
        let (year, month) = month_of(days);
        let month = month - 1 + count;
        days_before(year + month / 12, month % 12 + 1)
    };
    let next = match unit {
        CalendarUnit::Second | CalendarUnit::Minute | CalendarUnit::Hour | CalendarUnit::Day => days + 1,
        CalendarUnit::Week => days + 7,
        CalendarUnit::Month => months_later(1),
        CalendarUnit::Quarter => months_later(3),
        CalendarUnit::Year => months_later(12),
    };
    next.saturating_mul(DAY)
}

/// The year and the month (1 to 12) of a day, counted from 1970-01-01, in the Gregorian calendar.
fn month_of(days: i64) -> (i64, i64) {
    // Years that begin in March have their leap day at the end; eras of 400 years are equally long.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// The days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn rounding(interval: Interval, zone: &str) -> Rounding {
        Rounding { interval, zone: (zone != "UTC").then(|| TimeZone::get(zone).unwrap()), offset: 0 }
    }

    #[test]
    fn units_begin_where_clocks_say() {
        use CalendarUnit::{Day, Hour, Minute, Month, Quarter, Week, Year};
        let cases = [
            (Month, "UTC", "2024-02-29T23:59:59.999Z", "2024-02-01T00:00:00Z"),
            (Year, "UTC", "1969-12-31T23:59:59Z", "1969-01-01T00:00:00Z"),
            (Quarter, "UTC", "2024-06-30T12:00:00Z", "2024-04-01T00:00:00Z"),
            (Week, "UTC", "2024-05-05T12:00:00Z", "2024-04-29T00:00:00Z"),
            (Day, "Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z"),
            (Day, "Europe/Berlin", "2024-10-27T22:59:00Z", "2024-10-26T22:00:00Z"),
            (Day, "Europe/Berlin", "2024-10-27T23:00:00Z", "2024-10-27T23:00:00Z"),
            // The clocks went from 0 to 1 o'clock: the day began at 1.
            (Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z"),
            // Two o'clock happened twice; each is an hour of its own.
            (Hour, "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T00:00:00Z"),
            (Hour, "Europe/Berlin", "2024-10-27T01:30:00Z", "2024-10-27T01:00:00Z"),
            (Hour, "Asia/Kolkata", "2024-01-01T00:15:00Z", "2023-12-31T23:30:00Z"),
            (Minute, "Europe/Berlin", "2024-10-27T01:30:30Z", "2024-10-27T01:30:00Z"),
        ];
        for (unit, zone, moment, begin) in cases {
            let rounded = rounding(Interval::Calendar(unit), zone).round(at(moment));
            assert_eq!(rounded, at(begin), "{unit:?} of {moment} in {zone}");
        }
    }

    #[test]
    fn an_offset_moves_the_beginning() {
        let mut rounding = rounding(Interval::Calendar(CalendarUnit::Day), "UTC");
        rounding.offset = 6 * HOUR;
        assert_eq!(rounding.round(at("2024-01-02T05:00:00Z")), at("2024-01-01T06:00:00Z"));
        assert_eq!(rounding.next(at("2024-01-01T06:00:00Z")), at("2024-01-02T06:00:00Z"));
    }

    proptest! {
        #[test]
        fn intervals_tile(
            millis in -4_000_000_000_000_i64..4_000_000_000_000,
            which in 0..14_usize,
            zone in 0..5_usize,
        ) {
            use CalendarUnit::{Day, Hour, Minute, Month, Quarter, Second, Week, Year};
            let intervals = [
                Interval::Calendar(Second), Interval::Calendar(Minute), Interval::Calendar(Hour), Interval::Calendar(Day),
                Interval::Calendar(Week), Interval::Calendar(Month), Interval::Calendar(Quarter), Interval::Calendar(Year),
                Interval::Fixed(12 * HOUR), Interval::Fixed(7 * MINUTE), Interval::Fixed(DAY), Interval::Fixed(7 * DAY),
                Interval::Fixed(90 * MINUTE), Interval::Fixed(100 * DAY),
            ];
            let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
            let rounding = rounding(intervals[which], zones[zone]);
            let begin = rounding.round(millis);
            prop_assert!(begin <= millis);
            prop_assert_eq!(rounding.round(begin), begin);
            let next = rounding.next(begin);
            prop_assert!(next > begin);
            prop_assert!(next > millis, "{} .. {} .. {}", begin, next, millis);
            prop_assert_eq!(rounding.round(next), next);
            prop_assert_eq!(rounding.round(next - 1), begin);
        }
    }
}
