//! Adjustments that never apply again.

use chrono::{DateTime, Utc};

use super::Findings;
use crate::rulebook::compile::Rulebook;

pub(super) fn lint(rulebook: &Rulebook, now: DateTime<Utc>, found: &mut Findings) {
    for row in rulebook.adjustments.rows() {
        if let Some(until) = row.valid_until.filter(|until| *until <= now) {
            let day = until.with_timezone(&rulebook.time_zone()).format("%Y-%m-%d %H:%M");
            let text = format!("it has ended on {day}: delete it, or give it a new end");
            found.warn(row, "valid_until", "expired", text);
        }
    }
}
