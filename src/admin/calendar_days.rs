//! What a calendar means, day by day.

use chrono::{Datelike as _, Days, NaiveDate};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::answer::Found;
use super::auth::{Key, Viewer};
use super::fails::{Fails, Usual};
use super::rule_rows::missing;
use super::state::{AdminState, InRulebook};
use crate::problem::Problem;
use crate::rulebook::calendar::{Calendar, Day};
use crate::rulebook::rows;

/// The most days that are told at once.
const MOST_DAYS: i64 = 400;
/// Days told when the client does not say until when.
const USUAL_DAYS: u64 = 30;

/// The operation.
pub struct CalendarDaysApi(pub AdminState);

/// A day as the calendar has it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarDay {
    /// The date in the rulebook's time zone.
    date: NaiveDate,
    /// `monday` to `sunday`.
    weekday: String,
    /// The opening hours that begin on it, by the clock on the wall; empty is closed. `22:00-06:00` goes on into the next
    /// day.
    open: Vec<String>,
    /// Whether it is of the weekend.
    weekend: bool,
    /// The holiday's name, on a holiday.
    holiday: Option<String>,
    /// The special day's name, on a day with hours of its own.
    special: Option<String>,
    /// By how many minutes the clock is changed on it, forward or back.
    clock_change_minutes: Option<i32>,
}

/// Some days of a calendar.
#[derive(Debug, Object)]
pub struct CalendarDays {
    /// The revision that the calendar is of.
    revision: i64,
    /// The rulebook's time zone.
    time_zone: String,
    /// The days, ascending.
    days: Vec<CalendarDay>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/calendars")]
impl CalendarDaysApi {
    /// Read what a calendar means day by day
    ///
    /// Which days its rules make holidays, and when it is open on each.
    #[oai(path = "/:code/days", method = "get")]
    async fn get_calendar_days(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The calendar's code.
        code: Path<String>,
        /// The first day, as `2026-12-01`; else today in the rulebook's time zone.
        from: Query<Option<String>>,
        /// The last day, at most 400 days on; else 30 days on.
        until: Query<Option<String>>,
        /// An older revision; without it the head.
        revision: Query<Option<i64>>,
    ) -> Result<Found<CalendarDays>, Fails<Usual>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let rulebook = self.0.at(&loaded, revision.0).await?;
        let stored = rulebook.rows().calendars.get(&code.0);
        let stored = stored.ok_or_else(|| missing::<rows::Calendar>(&code.0))?;
        let zone = rulebook.time_zone();
        let from = match &from.0 {
            Some(text) => day("from", text)?,
            None => self.0.clock.now().with_timezone(&zone).date_naive(),
        };
        let until = match &until.0 {
            Some(text) => day("until", text)?,
            // A year of five digits is no date in the API.
            None => from
                .checked_add_days(Days::new(USUAL_DAYS))
                .filter(|day| day.year() <= 9999)
                .unwrap_or(from),
        };
        if !(0..MOST_DAYS).contains(&(until - from).num_days()) {
            let detail = format!("`until` must be 0 to {} days after `from`.", MOST_DAYS - 1);
            return Err(Problem::fault("until", "invalid_value", detail).into());
        }
        // What is stored has compiled: no fault can come of it.
        let calendar = Calendar::new(&stored.row, &mut Vec::new());
        let days = calendar.days(from, until, zone).into_iter().map(CalendarDay::from);
        Ok(Found::new(CalendarDays {
            revision: rulebook.revision(),
            time_zone: zone.name().to_owned(),
            days: days.collect(),
        }))
    }
}

impl From<Day> for CalendarDay {
    fn from(day: Day) -> Self {
        Self {
            date: day.date,
            weekday: day.weekday.to_owned(),
            open: day.open,
            weekend: day.weekend,
            holiday: day.holiday,
            special: day.special,
            clock_change_minutes: day.clock_change,
        }
    }
}

fn day(name: &str, text: &str) -> Result<NaiveDate, Problem> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let read = read.filter(|_| text.len() == 10 && text.starts_with(|c: char| c.is_ascii_digit()));
    read.ok_or_else(|| Problem::invalid_parameter(name, format!("`{name}` must be a date, as `2026-12-24`.")))
}
