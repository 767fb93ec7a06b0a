//! Checks of shift overrides: both contacts exist and differ, and the end is after the beginning.

use chrono::TimeDelta;

use super::check::Check;
use super::rows::ShiftOverride;
use super::wall_clock;

/// Maximum duration of an override, in days.
const MAX_DAYS: i64 = 366;
/// Maximum length of a comment, in characters.
const MAX_COMMENT: usize = 500;

impl<'a> Check<'a> {
    pub(super) fn shift_override(&mut self, row: &'a ShiftOverride) {
        self.exists(row, "contact", &row.contact, &self.rows.contacts);
        if let Some(code) = &row.instead_of {
            self.exists(row, "instead_of", code, &self.rows.contacts);
            if *code == row.contact {
                self.add(row, "instead_of", "same_contact", "a contact cannot replace itself");
            }
        }
        let mut time = |column: &str, text: &str| {
            let read = wall_clock::parse(text).filter(|_| text.len() == "2026-12-24T17:00".len());
            if read.is_none() {
                let text = "expected a local date and time, such as \"2026-12-24T17:00\"";
                self.add(row, column, "bad_time", text);
            }
            read
        };
        let span = time("from", &row.from).zip(time("until", &row.until));
        if let Some((from, until)) = span {
            if until <= from {
                self.add(row, "until", "empty_span", "it must end after it begins");
            } else if until - from > TimeDelta::days(MAX_DAYS) {
                let text = format!("it lasts at most {MAX_DAYS} days: change the contact's schedule instead");
                self.add(row, "until", "too_long", text);
            }
        }
        if row
            .comment
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_COMMENT)
        {
            let text = format!("a comment has at most {MAX_COMMENT} characters");
            self.add(row, "comment", "out_of_range", text);
        }
    }
}
