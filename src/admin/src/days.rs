//! Days of a time zone as instants.

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The beginning of a day. If daylight saving starts at midnight, the day begins an hour later.
#[must_use]
pub fn start_of(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let hours = (0..4).filter_map(|hour| date.and_hms_opt(hour, 0, 0));
    let mut starts = hours.filter_map(|local| zone.from_local_datetime(&local).earliest());
    starts.next().map(|at| at.with_timezone(&Utc))
}
