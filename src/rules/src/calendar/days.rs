//! The calendar's data for each day of a span, so that people can check their rules.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Calendar, DAYS, number};

/// The data of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The date in the rulebook's time zone.
    pub date: NaiveDate,
    /// `monday` to `sunday`.
    pub weekday: &'static str,
    /// The opening hours that begin on this day; empty if closed.
    pub open: Vec<String>,
    /// Whether the day belongs to the weekend.
    pub weekend: bool,
    /// The name of the holiday, if the day is a holiday.
    pub holiday: Option<String>,
    /// The name of the special day, if the day is a special day.
    pub special: Option<String>,
    /// Minutes by which the clock changes on this day; positive means forward. `None` if the clock does not change.
    pub clock_change: Option<i32>,
}

impl Calendar {
    /// Returns the data of each day from `from` to `until`, including both days.
    #[must_use]
    pub fn days(&self, from: NaiveDate, until: NaiveDate, zone: Tz) -> Vec<Day> {
        let days = from.iter_days().take_while(|day| *day <= until);
        days.map(|date| Day {
            date,
            weekday: DAYS[number(date.weekday())],
            open: self.hours_text(date),
            weekend: self.weekend(date),
            holiday: self.holiday(date).map(ToOwned::to_owned),
            special: self.special(date).map(ToOwned::to_owned),
            clock_change: clock_change(date, zone),
        })
        .collect()
    }
}

/// The instant at which a day begins in a time zone.
#[must_use]
pub fn begin_of(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    begins(date.and_time(NaiveTime::MIN), zone)
}

fn clock_change(date: NaiveDate, zone: Tz) -> Option<i32> {
    let offset = |date: NaiveDate| {
        let midnight = date.and_time(NaiveTime::MIN);
        let at = begins(midnight, zone)?;
        Some(at.with_timezone(&zone).offset().fix().local_minus_utc())
    };
    let change = (offset(date.succ_opt()?)? - offset(date)?) / 60;
    (change != 0).then_some(change)
}

/// The first instant at which local time is `local`. If a clock change skips `local`, returns the first instant after
/// the gap.
fn begins(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
        // A clock change skips some hours, or a whole day at the date line.
        LocalResult::None => (1..=48).find_map(|step| {
            let later = local.checked_add_signed(chrono::TimeDelta::minutes(30 * step))?;
            zone.from_local_datetime(&later).earliest().map(|at| at.to_utc())
        }),
    }
}
