//! Splits the shifts from the API into pieces by day. A cell of the calendar shows the pieces of one day, and a swap
//! exchanges pieces.
//!
//! A shift of less than 24 hours is one piece, on the day on which it begins, even if it continues after midnight. A
//! longer shift has one piece per day.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::dates::{next_day, wall};
use crate::leads::text;

/// A part of a shift, or of hours in which nobody is on shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftPart {
    /// The contact's code; `None` if nobody is on shift.
    pub contact: Option<String>,
    pub from: NaiveDateTime,
    pub until: NaiveDateTime,
    pub source: String,
}

impl ShiftPart {
    /// The day of the calendar that shows the part.
    pub fn day(&self) -> NaiveDate {
        self.from.date()
    }

    /// Whether the part covers its whole day.
    pub fn is_whole_day(&self) -> bool {
        super::dates::is_midnight(self.from) && self.until == next_day(self.day()).and_time(chrono::NaiveTime::MIN)
    }

    /// The beginning of the part, in the format of forms.
    pub fn begin(&self) -> String {
        wall(self.from)
    }
}

/// The pieces of a response, in the order of the response. The pieces of all shifts come before the pieces of all gaps.
pub fn pieces(roster: &Value, zone: Tz) -> Vec<ShiftPart> {
    let of = |name: &str| roster[name].as_array().into_iter().flatten();
    let all = of("shifts").chain(of("gaps")).filter_map(|one| {
        let at = |name: &str| {
            let instant: DateTime<Utc> = text(one, name)?.parse().ok()?;
            Some(instant.with_timezone(&zone).naive_local())
        };
        Some(ShiftPart {
            contact: text(one, "contact").map(ToOwned::to_owned),
            from: at("starts_at")?,
            until: at("ends_at")?,
            source: text(one, "source").unwrap_or_default().to_owned(),
        })
    });
    all.flat_map(split).collect()
}

fn split(whole: ShiftPart) -> Vec<ShiftPart> {
    if whole.until - whole.from < TimeDelta::days(1) {
        return vec![whole];
    }
    let mut pieces = Vec::new();
    let mut from = whole.from;
    while from < whole.until {
        let midnight = next_day(from.date()).and_time(chrono::NaiveTime::MIN);
        let until = midnight.min(whole.until);
        pieces.push(ShiftPart {
            from,
            until,
            ..whole.clone()
        });
        if until <= from {
            break;
        }
        from = until;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_night_is_one_piece_and_a_week_a_piece_for_each_day() {
        let shift = |contact: &str, from: &str, until: &str| json!({"contact": contact, "starts_at": from, "ends_at": until, "source": "x"});
        let roster = json!({
            "shifts": [
                shift("owl", "2026-12-24T22:00:00Z", "2026-12-25T13:00:00Z"),
                shift("mario", "2026-12-24T13:00:00Z", "2026-12-26T13:00:00Z"),
            ],
            "gaps": [{"starts_at": "2026-12-26T13:00:00Z", "ends_at": "2026-12-26T14:00:00Z"}],
        });
        let shown: Vec<_> = pieces(&roster, Tz::America__Toronto)
            .iter()
            .map(|piece| {
                format!(
                    "{:?} {} {} {}",
                    piece.contact,
                    piece.begin(),
                    wall(piece.until),
                    piece.is_whole_day()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Some(\"owl\") 2026-12-24T17:00 2026-12-25T08:00 false",
                "Some(\"mario\") 2026-12-24T08:00 2026-12-25T00:00 false",
                "Some(\"mario\") 2026-12-25T00:00 2026-12-26T00:00 true",
                "Some(\"mario\") 2026-12-26T00:00 2026-12-26T08:00 false",
                "None 2026-12-26T08:00 2026-12-26T09:00 false",
            ]
        );
    }
}
