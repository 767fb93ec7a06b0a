//! Quiet hours: finds the instant at which a delayed message is sent.

use chrono::{DateTime, Days, NaiveDateTime, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

use super::calendar::minutes;
use super::compile::Rulebook;
use super::derive;

/// Maximum time that a clock change skips, plus an hour of margin. A country that moves across the date line skips a
/// whole day.
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

impl Rulebook {
    /// Returns the end of the quiet hours that contain an instant; `None` outside quiet hours.
    #[must_use]
    pub fn quiet_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let settings = self.settings();
        let from = minutes(settings.quiet_from.as_deref()?)?;
        let until = minutes(settings.quiet_until.as_deref()?)?;
        let local = derive::local(at, self.zone);
        let now = local.hour() * 60 + local.minute();
        let (today, tomorrow) = if from < until {
            ((from..until).contains(&now), false)
        } else {
            (now < until, now >= from)
        };
        let date = match (today, tomorrow) {
            (true, _) => local.date(),
            (_, true) => local.date().checked_add_days(Days::new(1))?,
            _ => return None,
        };
        let end = date.and_hms_opt(0, 0, 0)? + TimeDelta::minutes(i64::from(until));
        Some(instant(self.zone, end, at))
    }

    /// The date of an instant in the rulebook's time zone, for example `2026-11-24`.
    #[must_use]
    pub fn day(&self, at: DateTime<Utc>) -> String {
        derive::local(at, self.zone).date().to_string()
    }
}

/// Returns the first instant after `now` at which the local time is `local`. If a clock change skips `local`, returns
/// the first instant after the gap.
fn instant(zone: Tz, local: NaiveDateTime, now: DateTime<Utc>) -> DateTime<Utc> {
    for minute in 0..LONGEST_GAP_MINUTES {
        let shown = zone.from_local_datetime(&(local + TimeDelta::minutes(minute)));
        let both = [shown.earliest(), shown.latest()];
        let after = both
            .into_iter()
            .flatten()
            .map(|at| at.with_timezone(&Utc))
            .find(|at| *at > now);
        if let Some(at) = after {
            return at;
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{compile, sample};

    fn until(from: &str, end: &str, at: &str) -> Option<String> {
        let mut rows = sample::rows();
        let settings = rows.settings.get_mut("settings").unwrap();
        let settings = &mut Arc::make_mut(settings).row;
        (settings.quiet_from, settings.quiet_until) = (Some(from.to_owned()), Some(end.to_owned()));
        let book = compile(1, &rows, None).unwrap();
        book.quiet_until(at.parse().unwrap()).map(|at| at.to_rfc3339())
    }

    #[test]
    fn the_night_ends_in_the_morning_by_the_clock_on_the_wall() {
        let night = |at| until("21:00", "07:00", at);
        // Montréal in winter is five hours behind UTC.
        assert_eq!(night("2026-11-25T01:59:59Z"), None);
        assert_eq!(
            night("2026-11-25T02:00:00Z").as_deref(),
            Some("2026-11-25T12:00:00+00:00")
        );
        assert_eq!(
            night("2026-11-25T11:59:59Z").as_deref(),
            Some("2026-11-25T12:00:00+00:00")
        );
        assert_eq!(night("2026-11-25T12:00:00Z"), None);
        // The first quiet hours are at noon, within one day; the second quiet hours end at midnight.
        assert_eq!(
            until("12:00", "13:00", "2026-11-25T17:30:00Z").as_deref(),
            Some("2026-11-25T18:00:00+00:00")
        );
        assert_eq!(
            until("22:00", "24:00", "2026-11-25T04:00:00Z").as_deref(),
            Some("2026-11-25T05:00:00+00:00")
        );
    }

    #[test]
    fn nights_in_which_the_clock_changes() {
        let night = |at| until("21:00", "07:00", at);
        // The clock goes forward on 8 March 2026, so 07:00 local time is an hour earlier in UTC. The clock goes back on
        // 1 November.
        assert_eq!(
            night("2026-03-08T03:00:00Z").as_deref(),
            Some("2026-03-08T11:00:00+00:00")
        );
        assert_eq!(
            night("2026-11-01T02:00:00Z").as_deref(),
            Some("2026-11-01T12:00:00+00:00")
        );
        // If a clock change skips the end of the quiet hours, they end after the gap. If a clock change repeats the
        // end, the next occurrence counts.
        assert_eq!(
            until("21:00", "02:30", "2026-03-08T06:59:00Z").as_deref(),
            Some("2026-03-08T07:00:00+00:00")
        );
        assert_eq!(
            until("21:00", "01:30", "2026-11-01T05:10:00Z").as_deref(),
            Some("2026-11-01T05:30:00+00:00")
        );
        assert_eq!(
            until("21:00", "01:30", "2026-11-01T06:10:00Z").as_deref(),
            Some("2026-11-01T06:30:00+00:00")
        );
    }
}
