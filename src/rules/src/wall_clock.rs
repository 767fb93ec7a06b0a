//! Local times without a time zone.

use chrono::NaiveDateTime;

/// Parses a local time such as `2026-11-23T08:00`.
#[must_use]
pub fn parse(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()
}
