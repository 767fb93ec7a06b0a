//! Lists the shifts in a range of days, the hours in which no contact with `on_call` is on shift, holidays, and who is
//! on shift now.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};

use super::auth::{Key, Viewer};
use super::calendar_days::day;
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::state::{AdminState, RulebookInPath};
use rules::Rulebook;
use rules::shifts::{self, OnShift, Shift};
use web::problem::Problem;

/// Maximum number of days per request.
const MAX_DAYS: i64 = 62;
/// The default number of days after the first day.
const USUAL_DAYS: u64 = 30;
/// Maximum number of shifts in a response.
const MAX_SHIFTS: usize = 10_000;
/// How far back shifts are computed to find who is on shift now.
const LOOK_BACK: TimeDelta = TimeDelta::days(8);

pub struct ShiftsApi(pub AdminState);

/// A shift of a contact.
#[derive(Debug, Object)]
#[oai(rename = "Shift", skip_serializing_if_is_none)]
pub struct ShiftView {
    /// The contact's code.
    contact: String,
    /// When the shift begins.
    starts_at: DateTime<Utc>,
    /// When the shift ends.
    ends_at: DateTime<Utc>,
    /// Why the contact is on shift: `always` (on call without a schedule), `calendar`, `rotation` or `override`.
    source: String,
    /// The code of the shift override that puts the contact on shift.
    #[oai(rename = "override")]
    override_code: Option<String>,
}

/// Hours in which no contact with `on_call` is on shift: messages go to all contacts with `on_call`.
#[derive(Debug, Object)]
pub struct ShiftGap {
    /// When the hours begin.
    starts_at: DateTime<Utc>,
    /// When the hours end.
    ends_at: DateTime<Utc>,
}

/// A holiday or a special day of the calendar that the settings name.
#[derive(Debug, Object)]
pub struct ShiftHoliday {
    /// The date in the rulebook's time zone.
    date: NaiveDate,
    /// The name.
    name: String,
    /// The opening hours that begin on this day, in local time; empty means closed.
    open: Vec<String>,
}

/// Somebody who is on shift now.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct OnShiftNow {
    /// The contact's code.
    contact: String,
    /// When the contact goes off shift; absent if that is more than 62 days away.
    ends_at: Option<DateTime<Utc>>,
    /// Why the contact is on shift: `always`, `calendar`, `rotation` or `override`.
    source: String,
    /// The code of the shift override that puts the contact on shift.
    #[oai(rename = "override")]
    override_code: Option<String>,
}

/// The shifts in a range of days.
#[derive(Debug, Object)]
pub struct Shifts {
    /// The revision of these schedules.
    revision: i64,
    /// The rulebook's time zone.
    time_zone: String,
    /// The first day.
    from: NaiveDate,
    /// The last day.
    until: NaiveDate,
    /// Who is on shift now; if nobody, messages go to all contacts with `on_call`.
    on_now: Vec<OnShiftNow>,
    /// The next shifts of other contacts.
    next: Vec<ShiftView>,
    /// The shifts of these days, ordered by start, cut at the first and last midnight.
    shifts: Vec<ShiftView>,
    /// The hours in which no contact with `on_call` is on shift.
    gaps: Vec<ShiftGap>,
    /// The holidays and special days among these days.
    holidays: Vec<ShiftHoliday>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/shifts")]
impl ShiftsApi {
    /// List the shifts of some days
    ///
    /// Shifts follow from the contacts' calendars and rotations and from the shift overrides. A decision uses the same
    /// shifts to choose its recipients. Contacts without `on_call` and without a schedule are omitted.
    #[oai(path = "/", method = "get")]
    async fn get_shifts(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The first day (`2026-12-01`); by default today in the rulebook's time zone.
        from: Query<Option<String>>,
        /// The last day, at most 61 days later; by default 30 days later.
        until: Query<Option<String>>,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
    ) -> Result<ReadResponse<Shifts>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let book = self.0.at(&loaded, revision.0).await?;
        let now = self.0.clock.now();
        let from = match &from.0 {
            Some(text) => day("from", text)?,
            None => now.with_timezone(&book.time_zone()).date_naive(),
        };
        let until = match &until.0 {
            Some(text) => day("until", text)?,
            None => later(from, USUAL_DAYS),
        };
        if !(0..MAX_DAYS).contains(&(until - from).num_days()) {
            let detail = format!("`until` must be 0 to {} days after `from`.", MAX_DAYS - 1);
            return Err(Problem::fault("until", "invalid_value", detail).into());
        }
        let work = move || found(&book, from, until, now);
        let found = self.0.study(loaded.rulebook_id, work).await?;
        if found.shifts.len() > MAX_SHIFTS {
            let detail = format!("These days have more than {MAX_SHIFTS} shifts: ask for fewer days.");
            return Err(Problem::fault("until", "invalid_value", detail).into());
        }
        Ok(ReadResponse::new(found))
    }
}

/// Returns the day that is `days` days later, or `day` itself if the API cannot represent the later day.
fn later(day: NaiveDate, days: u64) -> NaiveDate {
    let later = day.checked_add_days(Days::new(days));
    later.filter(|day| is_writable(*day)).unwrap_or(day)
}

/// Whether the API can represent a day. The API has no dates in years with five digits.
fn is_writable(day: NaiveDate) -> bool {
    day.year() <= 9999
}

fn found(book: &Rulebook, from: NaiveDate, until: NaiveDate, now: DateTime<Utc>) -> Shifts {
    let end = until
        .succ_opt()
        .filter(|day| is_writable(*day))
        .and_then(|day| book.begin_of_day(day));
    let span = book.begin_of_day(from).zip(end);
    let roster = span.map(|(from, until)| book.roster(from, until)).unwrap_or_default();
    let horizon = now + TimeDelta::days(MAX_DAYS);
    let around = book.roster(now - LOOK_BACK, horizon);
    let (on_now, next) = shifts::now_and_next(&around, now);
    let days = book
        .calendar()
        .map(|calendar| calendar.days(from, until, book.time_zone()));
    let holidays = days.into_iter().flatten().filter_map(|day| {
        Some(ShiftHoliday {
            date: day.date,
            // A special day has its own hours, even if it is also a holiday.
            name: day.special.or(day.holiday)?,
            open: day.open,
        })
    });
    Shifts {
        revision: book.revision(),
        time_zone: book.time_zone().name().to_owned(),
        from,
        until,
        on_now: on_now.into_iter().map(|one| is_on(one, horizon)).collect(),
        next: next.into_iter().cloned().map(ShiftView::from).collect(),
        holidays: holidays.collect(),
        shifts: roster.shifts.into_iter().map(ShiftView::from).collect(),
        gaps: roster
            .gaps
            .into_iter()
            .map(|gap| ShiftGap {
                starts_at: gap.starts_at,
                ends_at: gap.ends_at,
            })
            .collect(),
    }
}

fn is_on(one: OnShift<'_>, horizon: DateTime<Utc>) -> OnShiftNow {
    OnShiftNow {
        contact: one.shift.contact.clone(),
        ends_at: Some(one.ends_at).filter(|at| *at < horizon),
        source: one.shift.source.name().to_owned(),
        override_code: one.shift.override_code.clone(),
    }
}

impl From<Shift> for ShiftView {
    fn from(shift: Shift) -> Self {
        Self {
            contact: shift.contact,
            starts_at: shift.starts_at,
            ends_at: shift.ends_at,
            source: shift.source.name().to_owned(),
            override_code: shift.override_code,
        }
    }
}
