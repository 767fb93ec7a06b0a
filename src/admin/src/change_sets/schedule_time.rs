//! Parses the time of a scheduled publish in the rulebook's time zone.

use chrono::{DateTime, LocalResult, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use base::clock::to_micros;
use revisions::cache::HeadRows;
use web::problem::Problem;

/// Maximum time between now and a scheduled publish.
const FARTHEST: TimeDelta = TimeDelta::days(5 * 366);

/// The accepted formats of a local time.
const LOCAL: [&str; 4] = [
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
];

/// Parses the instant of the publish; `None` means now.
///
/// # Errors
/// 422 if `at` is not a time, has passed or is more than five years ahead. 422 also if the rulebook's time zone has no
/// such local time, or has it twice.
pub fn read(at: Option<&str>, head_rows: &HeadRows, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = at else { return Ok(None) };
    let settings = head_rows.rows().settings.values().next();
    let zone = settings.and_then(|stored| stored.row.time_zone.parse().ok());
    let at = instant(text.trim(), zone.unwrap_or(Tz::UTC)).map_err(wrong)?;
    if at <= now {
        return Err(wrong("`at` has passed; omit it to publish now.".to_owned()));
    }
    if at - now > FARTHEST {
        return Err(wrong("`at` is more than five years ahead.".to_owned()));
    }
    Ok(Some(to_micros(at)))
}

fn wrong(detail: String) -> Problem {
    Problem::fault("/at", "invalid_value", detail)
}

fn instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let local = LOCAL
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .ok_or_else(|| {
            format!(
                "`at` must be an instant, such as `2026-05-01T08:00:00-04:00`, or a time in {zone}, such as `2026-05-01T08:00`."
            )
        })?;
    let said = |at: DateTime<Tz>| at.to_rfc3339_opts(SecondsFormat::Secs, false);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => Ok(at.to_utc()),
        LocalResult::Ambiguous(first, second) => Err(format!(
            "This time comes twice in {zone}, when the clocks go back: write `{}` or `{}`.",
            said(first),
            said(second)
        )),
        LocalResult::None => Err(format!("There is no such time in {zone}: the clocks go forward then.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        instant(text, Tz::America__Toronto).map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    #[test]
    fn an_instant_is_taken_as_it_is_and_a_local_time_in_the_rulebooks_zone() {
        assert_eq!(at("2026-05-01T08:00:00-04:00").unwrap(), "2026-05-01T12:00:00Z");
        assert_eq!(at("2026-05-01T08:00:00Z").unwrap(), "2026-05-01T08:00:00Z");
        assert_eq!(at("2026-05-01T08:00").unwrap(), "2026-05-01T12:00:00Z");
        assert_eq!(at("2026-12-01 08:00:30").unwrap(), "2026-12-01T13:00:30Z");
    }

    #[test]
    fn a_time_that_does_not_exist_or_exists_twice_is_told() {
        assert!(at("2026-03-08T02:30").unwrap_err().contains("no such time"));
        let twice = at("2026-11-01T01:30").unwrap_err();
        assert!(
            twice.contains("2026-11-01T01:30:00-04:00") && twice.contains("2026-11-01T01:30:00-05:00"),
            "{twice}"
        );
        for nonsense in ["", "tomorrow", "2026-13-01T08:00", "2026-05-01", "08:00"] {
            assert!(at(nonsense).unwrap_err().contains("America/Toronto"), "{nonsense}");
        }
    }
}
