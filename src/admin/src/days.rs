//! Converts days of a time zone to instants.

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Returns the instant at which a day begins. If daylight saving starts at midnight, the day begins an hour later.
#[must_use]
pub fn start_of(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let hours = (0..4).filter_map(|hour| date.and_hms_opt(hour, 0, 0));
    let mut starts = hours.filter_map(|local| zone.from_local_datetime(&local).earliest());
    starts.next().map(|at| at.with_timezone(&Utc))
}
