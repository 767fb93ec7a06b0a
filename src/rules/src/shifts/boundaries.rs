//! Finds the instants at which shifts may change. Calendars open or close, rotations are handed over, overrides begin
//! or end, and clocks change.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::calendar::Calendar;
use crate::derive;
use crate::on_call::Plan;
use crate::shift_overrides::Override;

const WEEK: TimeDelta = TimeDelta::weeks(1);
/// Maximum difference between local time and UTC, and maximum size of a clock change.
const MARGIN: TimeDelta = TimeDelta::days(1);
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Finds the boundaries within a span of time.
pub(super) struct Boundaries {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Tz,
    /// The beginning of the span and each clock change.
    common: Vec<DateTime<Utc>>,
    /// The boundaries of each calendar, by code, because several contacts may share a calendar.
    by_calendar: BTreeMap<String, Arc<Vec<DateTime<Utc>>>>,
}

impl Boundaries {
    pub fn new(from: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Self {
        let mut common = vec![from];
        common.extend(clock_changes(from, until, zone));
        Self {
            from,
            until,
            zone,
            common,
            by_calendar: BTreeMap::new(),
        }
    }

    /// Returns the boundaries of a contact with this schedule and these overrides, ascending, from the beginning of the
    /// span.
    pub fn of(&mut self, plan: Option<&Plan>, overrides: &[&Override]) -> Vec<DateTime<Utc>> {
        let mut all = self.common.clone();
        if let Some((code, calendar)) = plan.and_then(|plan| plan.calendar.as_ref()) {
            all.extend_from_slice(&self.of_calendar(code, calendar));
        }
        if let Some(turn) = plan.and_then(|plan| plan.turn) {
            let (first, last) = (self.local(self.from) - MARGIN, self.local(self.until) + MARGIN);
            let passed = (first - turn.from).num_weeks().saturating_sub(1);
            let handovers = std::iter::successors(turn.from.checked_add_signed(WEEK * weeks(passed)), |at| {
                at.checked_add_signed(WEEK)
            });
            let handovers = handovers.take_while(|at| *at <= last);
            all.extend(handovers.flat_map(|at| self.instants(at)));
        }
        for one in overrides {
            all.extend([one.from, one.until].into_iter().flat_map(|at| self.instants(at)));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn of_calendar(&mut self, code: &str, calendar: &Calendar) -> Arc<Vec<DateTime<Utc>>> {
        if let Some(known) = self.by_calendar.get(code) {
            return Arc::clone(known);
        }
        let (first, last) = (self.local(self.from) - MARGIN, self.local(self.until) + MARGIN);
        let turns = calendar.turns(first.date(), last.date());
        let instants = Arc::new(turns.into_iter().flat_map(|at| self.instants(at)).collect());
        self.by_calendar.insert(code.to_owned(), Arc::clone(&instants));
        instants
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        derive::local(at, self.zone)
    }

    /// The instants within the span at which local time is `local`. There are two if a clock change repeats `local`.
    /// There are none if a clock change skips `local`, because then the clock change itself is the boundary.
    fn instants(&self, local: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let found = match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => [Some(at.to_utc()), None],
            LocalResult::Ambiguous(first, second) => [Some(first.to_utc()), Some(second.to_utc())],
            LocalResult::None => [None, None],
        };
        let (from, until) = (self.from, self.until);
        found.into_iter().flatten().filter(move |at| from < *at && *at < until)
    }
}

/// Converts a number of weeks to an `i32`, which also limits the number. A span that the API allows has far fewer weeks
/// than this limit.
fn weeks(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 8)
}

/// Finds the instants of the clock changes in a time zone.
fn clock_changes(from: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Vec<DateTime<Utc>> {
    let instant = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or(until);
    let offset = |seconds: i64| zone.offset_from_utc_datetime(&instant(seconds).naive_utc()).fix();
    let mut found = Vec::new();
    let (mut at, end) = (from.timestamp(), until.timestamp());
    while at < end {
        let next = (at + DAY_SECONDS).min(end);
        if offset(at) != offset(next) {
            let (mut before, mut after) = (at, next);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if offset(middle) == offset(at) {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            found.push(instant(after));
        }
        at = next;
    }
    found
}
