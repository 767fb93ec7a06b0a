//! Lists the days of a calendar: holidays and opening hours.

use chrono::{Datelike as _, Days, NaiveDate};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::rule_rows::missing;
use super::state::{AdminState, RulebookInPath};
use rules::calendar::{Calendar, Day};
use rules::rows::Resource;
use web::problem::Problem;

/// Maximum number of days per request.
const MOST_DAYS: i64 = 400;
/// The default number of days.
const USUAL_DAYS: u64 = 30;

pub struct CalendarDaysApi(pub AdminState);

/// A day of a calendar.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CalendarDay {
    /// The date in the rulebook's time zone.
    date: NaiveDate,
    /// `monday` to `sunday`.
    weekday: String,
    /// The opening hours that begin on this day, in local time; empty means closed. `22:00-06:00` ends on the next day.
    open: Vec<String>,
    /// Whether the day belongs to the weekend.
    weekend: bool,
    /// The holiday's name, if the day is a holiday.
    holiday: Option<String>,
    /// The special day's name, if the day is a special day with its own hours.
    special: Option<String>,
    /// Minutes by which the clock changes on this day; positive is forward. Absent without a change.
    clock_change_minutes: Option<i32>,
}

/// Some days of a calendar.
#[derive(Debug, Object)]
pub struct CalendarDays {
    /// The revision of the calendar.
    revision: i64,
    /// The rulebook's time zone.
    time_zone: String,
    /// The days, ascending.
    days: Vec<CalendarDay>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/calendars")]
impl CalendarDaysApi {
    /// List the days of a calendar
    ///
    /// Lists the holidays and the opening hours, day by day.
    #[oai(path = "/:code/days", method = "get")]
    async fn get_calendar_days(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The calendar's code.
        code: Path<String>,
        /// The first day (`2026-12-01`); by default today in the rulebook's time zone.
        from: Query<Option<String>>,
        /// The last day, at most 400 days later; by default 30 days later.
        until: Query<Option<String>>,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
    ) -> Result<ReadResponse<CalendarDays>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let rulebook = self.0.at(&loaded, revision.0).await?;
        let stored = rulebook.rows().calendars.get(&code.0);
        let stored = stored.ok_or_else(|| missing(Resource::Calendars, &code.0))?;
        let zone = rulebook.time_zone();
        let from = match &from.0 {
            Some(text) => day("from", text)?,
            None => self.0.clock.now().with_timezone(&zone).date_naive(),
        };
        let until = match &until.0 {
            Some(text) => day("until", text)?,
            // The API does not support years with five digits.
            None => from
                .checked_add_days(Days::new(USUAL_DAYS))
                .filter(|day| day.year() <= 9999)
                .unwrap_or(from),
        };
        if !(0..MOST_DAYS).contains(&(until - from).num_days()) {
            let detail = format!("`until` must be 0 to {} days after `from`.", MOST_DAYS - 1);
            return Err(Problem::fault("until", "invalid_value", detail).into());
        }
        // A stored calendar was compiled when it was published, so it has no errors.
        let calendar = Calendar::new(&stored.row, &mut Vec::new());
        let days = calendar.days(from, until, zone).into_iter().map(CalendarDay::from);
        Ok(ReadResponse::new(CalendarDays {
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

pub(super) fn day(name: &str, text: &str) -> Result<NaiveDate, Problem> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let read = read.filter(|_| text.len() == 10 && text.starts_with(|c: char| c.is_ascii_digit()));
    read.ok_or_else(|| Problem::invalid_parameter(name, format!("`{name}` must be a date, such as `2026-12-24`.")))
}
