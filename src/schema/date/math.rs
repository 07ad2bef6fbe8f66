//! Date math: `now-1d/d`, `2024-01-01||+1M/d`.

use super::civil::{DAY_MILLIS, Moment, days_from_civil, local_to_utc, month_length};
use super::{DateFormats, Missing, TimeZone};
use crate::error::{Error, Result};

/// What date math is read by.
#[derive(Debug, Clone)]
pub struct DateMath<'a> {
    /// The formats of what stands before `||`, and of dates without math.
    pub formats: &'a DateFormats,
    /// `now`, in milliseconds since 1970.
    pub now_millis: i64,
    /// Where days begin, and of dates that name no zone; UTC when absent. `now` is the same everywhere.
    pub zone: Option<&'a TimeZone>,
}

impl DateMath<'_> {
    /// The instant of an expression, in milliseconds since 1970.
    ///
    /// * `round`: [`Missing::Greatest`] for `gt` and `lte`: rounding goes to the last millisecond of the unit, and a time that is left
    ///   out is 23:59:59.999.
    ///
    /// # Errors
    /// `InvalidInput` in Elasticsearch's words.
    pub fn parse(&self, text: &str, round: Missing) -> Result<i64> {
        if let Some(math) = text.strip_prefix("now") {
            return self.apply(self.now_millis, math, round);
        }
        match text.split_once("||") {
            None => self.formats.parse_or_refuse(text, self.zone, round),
            Some((date, math)) => {
                // Only rounding itself rounds up once there is math.
                let start = self.formats.parse_or_refuse(date, self.zone, Missing::Least)?;
                self.apply(start, math, round)
            }
        }
    }

    fn apply(&self, start: i64, math: &str, round: Missing) -> Result<i64> {
        let mut at = start;
        let mut chars = math.chars().peekable();
        while let Some(operator) = chars.next() {
            let is_rounding = operator == '/';
            let sign = match operator {
                '+' | '/' => 1,
                '-' => -1,
                _ => return Err(refuse(format!("operator not supported for date math [{math}]"))),
            };
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let Some(unit) = chars.next() else {
                return Err(refuse(format!("truncated date math [{math}]")));
            };
            let count: i64 = if digits.is_empty() { Ok(1) } else { digits.parse() }
                .map_err(|_| refuse(format!("number too large in date math [{math}]")))?;
            if is_rounding && count != 1 {
                return Err(refuse(format!("rounding `/` can only be used on single unit types [{math}]")));
            }
            let unit = Unit::from_char(unit)
                .ok_or_else(|| refuse(format!("unit [{unit}] not supported for date math [{math}]")))?;
            let moved = if is_rounding { self.round(at, unit, round) } else { self.add(at, unit, sign * count) };
            at = moved.ok_or_else(|| refuse(format!("date math [{math}] leads out of the range of dates")))?;
        }
        Ok(at)
    }

    /// Adds so many units; days and longer ones are those of the calendar.
    fn add(&self, at: i64, unit: Unit, count: i64) -> Option<i64> {
        let moment = Moment::at(at, self.zone);
        let time = at.checked_add(i64::from(moment.offset_seconds) * 1000)?.rem_euclid(DAY_MILLIS);
        let days = match unit {
            Unit::Hour => return at.checked_add(count.checked_mul(3_600_000)?),
            Unit::Minute => return at.checked_add(count.checked_mul(60_000)?),
            Unit::Second => return at.checked_add(count.checked_mul(1000)?),
            Unit::Day => moment.days.checked_add(count)?,
            Unit::Week => moment.days.checked_add(count.checked_mul(7)?)?,
            Unit::Month => plus_months(&moment, count)?,
            Unit::Year => plus_months(&moment, count.checked_mul(12)?)?,
        };
        self.to_instant(days, time)
    }

    fn round(&self, at: i64, unit: Unit, round: Missing) -> Option<i64> {
        let start = self.floor(at, unit)?;
        match round {
            Missing::Least => Some(start),
            Missing::Greatest => self.add(start, unit, 1)?.checked_sub(1),
        }
    }

    fn floor(&self, at: i64, unit: Unit) -> Option<i64> {
        let moment = Moment::at(at, self.zone);
        let within = |unit_millis: i64| {
            let local = at.checked_add(i64::from(moment.offset_seconds) * 1000)?;
            at.checked_sub(local.rem_euclid(unit_millis))
        };
        let days = match unit {
            Unit::Hour => return within(3_600_000),
            Unit::Minute => return within(60_000),
            Unit::Second => return within(1000),
            Unit::Day => moment.days,
            Unit::Week => moment.days - (moment.day_of_week() - 1),
            Unit::Month => days_from_civil(moment.year, moment.month, 1)?,
            Unit::Year => days_from_civil(moment.year, 1, 1)?,
        };
        self.to_instant(days, 0)
    }

    fn to_instant(&self, days: i64, time: i64) -> Option<i64> {
        let local = days.checked_mul(DAY_MILLIS)?.checked_add(time)?;
        match self.zone {
            None => Some(local),
            Some(zone) => local_to_utc(local, zone),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn from_char(unit: char) -> Option<Self> {
        Some(match unit {
            'y' => Unit::Year,
            'M' => Unit::Month,
            'w' => Unit::Week,
            'd' => Unit::Day,
            'h' | 'H' => Unit::Hour,
            'm' => Unit::Minute,
            's' => Unit::Second,
            _ => return None,
        })
    }
}

/// The day of the month stays, or becomes the month's last.
fn plus_months(moment: &Moment, count: i64) -> Option<i64> {
    let months = moment.year.checked_mul(12)?.checked_add(moment.month - 1)?.checked_add(count)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    days_from_civil(year, month, moment.day.min(month_length(year, month)))
}

fn refuse(reason: String) -> Error {
    Error::invalid_input(reason.clone()).as_exception("parse_exception", reason)
}
