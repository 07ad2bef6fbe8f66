//! Calendar arithmetic: parts of a date to milliseconds and back.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::Missing;

pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// The parts of a date that a text names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) day_of_year: Option<i64>,
    pub(super) week_year: Option<i64>,
    pub(super) week: Option<i64>,
    /// Monday is 1.
    pub(super) day_of_week: Option<i64>,
    pub(super) hour: Option<i64>,
    /// 0 or 1, and the hour is of 12.
    pub(super) half_day: Option<i64>,
    pub(super) minute: Option<i64>,
    pub(super) second: Option<i64>,
    pub(super) nanos: Option<i64>,
    pub(super) offset_seconds: Option<i32>,
    pub(super) zone: Option<TimeZone>,
}

impl Parts {
    /// Milliseconds since 1970; `None` when a part is out of range.
    pub(super) fn to_millis(&self, zone: Option<&TimeZone>, missing: Missing) -> Option<i64> {
        let days = self.days()?;
        let (least_hour, least_minute, least_nanos) = match missing {
            Missing::Least => (0, 0, 0),
            Missing::Greatest => (23, 59, 999_999_999),
        };
        let hour = match (self.hour, self.half_day) {
            (Some(hour), Some(half)) => hour % 12 + 12 * half,
            (Some(hour), None) => hour,
            (None, _) => least_hour,
        };
        let minute = self.minute.unwrap_or(least_minute);
        let second = self.second.unwrap_or(least_minute);
        let nanos = self.nanos.unwrap_or(least_nanos);
        let in_range = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
        if !in_range {
            return None;
        }
        let local = days
            .checked_mul(DAY_MILLIS)?
            .checked_add(((hour * 60 + minute) * 60 + second) * 1000 + nanos / 1_000_000)?;
        match (self.offset_seconds, self.zone.as_ref().or(zone)) {
            (Some(offset), _) => local.checked_sub(i64::from(offset) * 1000),
            (None, None) => Some(local),
            (None, Some(zone)) => local_to_utc(local, zone),
        }
    }

    fn days(&self) -> Option<i64> {
        if self.week_year.is_some() || self.week.is_some() {
            let year = self.week_year.or(self.year).unwrap_or(1970);
            return week_days(year, self.week.unwrap_or(1), self.day_of_week.unwrap_or(1));
        }
        let year = self.year.unwrap_or(1970);
        if let Some(day) = self.day_of_year {
            let length = if is_leap(year) { 366 } else { 365 };
            return (1..=length).contains(&day).then(|| days_from_civil(year, 1, 1).map(|first| first + day - 1))?;
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        ((1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day))
            .then(|| days_from_civil(year, month, day))?
    }
}

/// A date and time in a place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) millis: i64,
    pub(super) offset_seconds: i32,
    pub(super) days: i64,
    pub(super) zone_name: Option<String>,
}

impl Moment {
    pub(super) fn at(millis: i64, zone: Option<&TimeZone>) -> Self {
        let offset_seconds = zone.map_or(0, |zone| offset_at(millis, zone));
        let local = millis.saturating_add(i64::from(offset_seconds) * 1000);
        let (days, rest) = (local.div_euclid(DAY_MILLIS), local.rem_euclid(DAY_MILLIS));
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            millis: rest % 1000,
            offset_seconds,
            days,
            zone_name: zone.and_then(TimeZone::iana_name).map(str::to_string),
        }
    }

    pub(super) fn day_of_year(&self) -> i64 {
        self.days - days_from_civil(self.year, 1, 1).unwrap_or(self.days) + 1
    }

    /// Monday is 1.
    pub(super) fn day_of_week(&self) -> i64 {
        (self.days + 3).rem_euclid(7) + 1
    }

    /// ISO 8601's year and week.
    pub(super) fn week(&self) -> (i64, i64) {
        let thursday = self.days - (self.day_of_week() - 4);
        let (year, _, _) = civil_from_days(thursday);
        let first = days_from_civil(year, 1, 1).unwrap_or(thursday);
        (year, (thursday - first) / 7 + 1)
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; `None` beyond some 290 million years.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if year.abs() > 292_000_000 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The reverse of [`days_from_civil`]: (year, month, day).
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn week_days(year: i64, week: i64, day_of_week: i64) -> Option<i64> {
    if !(1..=53).contains(&week) || !(1..=7).contains(&day_of_week) {
        return None;
    }
    // The week with 4 January is the first.
    let fourth = days_from_civil(year, 1, 4)?;
    let monday = fourth - (fourth + 3).rem_euclid(7);
    Some(monday + (week - 1) * 7 + day_of_week - 1)
}

/// The offset of a zone at an instant, in seconds.
pub(super) fn offset_at(millis: i64, zone: &TimeZone) -> i32 {
    let Ok(instant) = Timestamp::from_millisecond(millis) else {
        return zone.to_fixed_offset().map_or(0, jiff::tz::Offset::seconds);
    };
    zone.to_offset(instant).seconds()
}

/// The instant of a local time, in milliseconds; in a gap the time after it, in a fold the earlier.
pub(super) fn local_to_utc(local_millis: i64, zone: &TimeZone) -> Option<i64> {
    if let Ok(offset) = zone.to_fixed_offset() {
        return local_millis.checked_sub(i64::from(offset.seconds()) * 1000);
    }
    let (days, rest) = (local_millis.div_euclid(DAY_MILLIS), local_millis.rem_euclid(DAY_MILLIS));
    let (year, month, day) = civil_from_days(days);
    let date = civil::date(
        i16::try_from(year).ok().filter(|year| (-9998..=9998).contains(year))?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    );
    let time = civil::time(
        i8::try_from(rest / 3_600_000).ok()?,
        i8::try_from(rest / 60_000 % 60).ok()?,
        i8::try_from(rest / 1000 % 60).ok()?,
        i32::try_from(rest % 1000 * 1_000_000).ok()?,
    );
    let instant = zone.to_timestamp(date.to_datetime(time)).ok()?;
    Some(instant.as_millisecond())
}
