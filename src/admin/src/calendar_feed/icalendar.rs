//! Writes shifts as an iCalendar object (RFC 5545). The module uses no library: the output has only a dozen kinds of
//! lines, and the known crates bring their own parser and time types.

use chrono::{DateTime, Utc};

/// Maximum length of a line in bytes; longer lines are folded.
const MAX_LINE: usize = 75;
/// Refresh interval that is suggested to calendar programs.
const REFRESH: &str = "PT1H";

pub(super) struct Event {
    /// The event's id: globally unique, and the same on every read.
    pub uid: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The title that people see.
    pub summary: String,
}

/// Writes a calendar with a name and events. `stamp` is the time at which the events were computed.
pub(super) fn calendar(name: &str, stamp: DateTime<Utc>, events: &[Event]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| fold(&mut text, &format!("{name}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//Ringbook//Shifts//EN");
    line("CALSCALE", "GREGORIAN");
    line("X-WR-CALNAME", &escaped(name));
    line("REFRESH-INTERVAL;VALUE=DURATION", REFRESH);
    line("X-PUBLISHED-TTL", REFRESH);
    for event in events {
        line("BEGIN", "VEVENT");
        line("UID", &escaped(&event.uid));
        line("DTSTAMP", &instant(stamp));
        line("DTSTART", &instant(event.starts_at));
        line("DTEND", &instant(event.ends_at));
        line("SUMMARY", &escaped(&event.summary));
        // The event does not block the time, because a person on shift can still have other appointments.
        line("TRANSP", "TRANSPARENT");
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    text
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Escapes a text value (RFC 5545, section 3.3.11).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '\n' => escaped.push_str("\\n"),
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Appends a line and folds it between characters (RFC 5545, section 3.1).
fn fold(text: &mut String, line: &str) {
    let mut room = MAX_LINE;
    for letter in line.chars() {
        if letter.len_utf8() > room {
            text.push_str("\r\n ");
            // The leading space counts as part of the line.
            room = MAX_LINE - 1;
        }
        room -= letter.len_utf8();
        text.push(letter);
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_texts_are_escaped() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let event = Event {
            uid: "mario".to_owned(),
            starts_at: at("2026-12-24T22:00:00Z"),
            ends_at: at("2026-12-25T13:00:00Z"),
            summary: format!("Bélanger, Mario; \\ {}\n\rEND:VEVENT", "é".repeat(60)),
        };
        let text = calendar("Garde", at("2026-12-24T05:00:00Z"), &[event]);
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= MAX_LINE && !line.contains(['\r', '\n']), "{line}");
        }
        let unfolded = text.replace("\r\n ", "");
        let lines: Vec<&str> = unfolded.split_terminator("\r\n").collect();
        let summary = format!("SUMMARY:Bélanger\\, Mario\\; \\\\ {}\\nEND:VEVENT", "é".repeat(60));
        assert_eq!(lines[12], summary);
        assert_eq!(
            (lines[0], lines[7], lines[8]),
            ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:mario")
        );
        assert_eq!(lines[10..12], ["DTSTART:20261224T220000Z", "DTEND:20261225T130000Z"]);
        assert_eq!(lines[13..], ["TRANSP:TRANSPARENT", "END:VEVENT", "END:VCALENDAR"]);
    }
}
