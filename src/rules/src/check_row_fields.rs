//! Checks templates, tools, cases, rules, contacts and areas; [`check`](super::check) checks the other rows.

use std::collections::BTreeMap;

use super::calendar::minutes;
use super::check::{Check, is_pointer};
use super::compile::SETTINGS;
use super::extract;
use super::fault::Fault;
use super::on_call;
use super::rows::{AssistantAnswer, Case, Contact, Hook, Resource, Row, Settings, Template, Tool, ToolKind};
use super::vocabulary::GIVEN;
use super::wall_clock;

/// The placeholders that a template may contain.
pub const PLACEHOLDERS: &[&str] = &[
    "priority", "service", "area", "price", "currency", "customer", "phone", "ref", "reply", "problem", "address",
    "city", "sla", "slot",
];

impl<'a> Check<'a> {
    pub(super) fn template(&mut self, row: &'a Template) {
        self.labels(row, "texts", &row.texts, true);
        for (language, text) in &row.texts {
            let column = format!("texts/{language}");
            for part in text.split('{').skip(1) {
                match part.split_once('}') {
                    Some((name, _)) if PLACEHOLDERS.contains(&name) => {}
                    Some((name, _)) => {
                        let hint = self.hint(name, PLACEHOLDERS.iter().copied());
                        self.add(
                            row,
                            &column,
                            "unknown_placeholder",
                            format!("there is no {{{name}}}{hint}"),
                        );
                    }
                    None => self.add(row, &column, "bad_placeholder", "a brace is opened but not closed"),
                }
            }
            if text.trim().is_empty() || text.chars().count() > 1000 {
                self.add(row, &column, "out_of_range", "a message has 1 to 1000 characters");
            }
        }
    }

    pub(super) fn tool(&mut self, row: &'a Tool) {
        match (row.runs, &row.script) {
            (ToolKind::Script, None) => self.add(row, "script", "missing", "this tool needs the code of a script"),
            (ToolKind::Script, Some(code)) => {
                self.exists(row, "script", code, &self.rows.scripts);
                if self
                    .rows
                    .scripts
                    .get(code)
                    .is_some_and(|script| script.row.hook != Hook::Tool)
                {
                    self.add(
                        row,
                        "script",
                        "not_for_its_kind",
                        format!("the script `{code}` is not for tools"),
                    );
                }
            }
            (_, Some(_)) => self.add(row, "script", "not_for_its_kind", "only a script tool has a script"),
            (_, None) => {}
        }
        match (row.runs, &row.template) {
            (ToolKind::SmsAlert, None) => self.add(row, "template", "missing", "an alert needs the code of a template"),
            (ToolKind::SmsAlert, Some(code)) => self.exists(row, "template", code, &self.rows.templates),
            (_, Some(_)) => self.add(row, "template", "not_for_its_kind", "only an alert has a template"),
            (_, None) => {}
        }
    }

    pub(super) fn case(&mut self, row: &'a Case) {
        let named = extract::Mappings::new(self.rows).named(&row.facts, GIVEN, String::new());
        for (name, text) in named.err().unwrap_or_default() {
            self.add(row, &format!("facts/{name}"), "bad_fact", text);
        }
        if row.expect.is_empty() {
            self.add(row, "expect", "missing", "a case needs an expectation");
        }
        for pointer in row.expect.keys().filter(|pointer| !is_pointer(pointer)) {
            self.add(
                row,
                "expect",
                "bad_pointer",
                format!("\"{pointer}\" is not a JSON pointer: expected \"/price/from\""),
            );
        }
    }

    pub(super) fn rules(&mut self) {
        let rows = self.rows;
        for row in rows.priority_rules.values().map(|stored| &stored.row) {
            self.labels(row, "names", &row.names, true);
            self.seconds(row, "sla_seconds", row.sla_seconds);
            self.wait(row, "cool_down_s", row.cool_down_s);
            self.wait(row, "escalate_after_s", row.escalate_after_s);
            for code in &row.notify {
                self.exists(row, "notify", code, &rows.contacts);
            }
            if let Some(code) = &row.template {
                self.exists(row, "template", code, &rows.templates);
            }
        }
        for row in rows.assistant_rules.values().map(|stored| &stored.row) {
            self.labels(row, "message", &row.message, row.answer == AssistantAnswer::Refuse);
            match (row.answer, &row.assistant_id, &row.contact) {
                (AssistantAnswer::Assistant, None, _) => {
                    self.add(row, "assistant_id", "missing", "expected the id of a saved assistant");
                }
                (AssistantAnswer::Transfer, _, None) => {
                    self.add(row, "contact", "missing", "a transfer needs the code of a contact");
                }
                (_, _, Some(code)) => self.exists(row, "contact", code, &rows.contacts),
                _ => {}
            }
        }
        for row in rows.taxes.values().map(|stored| &stored.row) {
            self.labels(row, "names", &row.names, true);
            let rate = row.rate.decimal();
            if rate.is_sign_negative() || rate > rust_decimal::Decimal::ONE_HUNDRED {
                self.add(row, "rate", "out_of_range", "expected a percentage from 0 to 100");
            }
        }
    }

    /// Checks the settings for quiet hours, the daily cap, the start of the rotation and escalation.
    pub(super) fn texting(&mut self, row: &'a Settings) {
        if row
            .rotation_from
            .as_deref()
            .is_some_and(|text| wall_clock::parse(text).is_none())
        {
            let text = "expected a local date and time, such as \"2026-11-23T08:00\"";
            self.add(row, "rotation_from", "bad_time", text);
        }
        let quiet = [("quiet_from", &row.quiet_from), ("quiet_until", &row.quiet_until)];
        for (column, text) in quiet {
            if text.as_deref().is_some_and(|text| minutes(text).is_none()) {
                self.add(row, column, "bad_hours", "expected a time of day, such as \"21:00\"");
            }
        }
        match (&row.quiet_from, &row.quiet_until) {
            (Some(_), None) => self.add(
                row,
                "quiet_until",
                "missing",
                "quiet hours need an end, such as \"07:00\"",
            ),
            (None, Some(_)) => self.add(
                row,
                "quiet_from",
                "missing",
                "quiet hours need a beginning, such as \"21:00\"",
            ),
            (Some(from), Some(until)) if minutes(from) == minutes(until) && minutes(from).is_some() => {
                self.add(
                    row,
                    "quiet_until",
                    "out_of_range",
                    "the quiet hours end when they begin",
                );
            }
            _ => {}
        }
        if row.daily_sms_cap.is_some_and(|cap| !(1..=1_000_000).contains(&cap)) {
            self.add(
                row,
                "daily_sms_cap",
                "out_of_range",
                "expected a number from 1 to 1,000,000",
            );
        }
        self.wait(row, "escalate_after_s", row.escalate_after_s);
    }

    fn wait<R: Row>(&mut self, row: &R, column: &str, seconds: Option<i64>) {
        if seconds.is_some_and(|seconds| !(0..=604_800).contains(&seconds)) {
            self.add(row, column, "out_of_range", "expected seconds from 0 to a week");
        }
    }

    /// Checks the on-call schedule of a contact.
    fn plan(&mut self, row: &'a Contact) {
        if let Some(code) = &row.on_call_calendar {
            self.exists(row, "on_call_calendar", code, &self.rows.calendars);
        }
        let needs_begin = row.rotation_week.is_some() && row.rotation_of.is_some();
        match (row.rotation_week, row.rotation_of) {
            (Some(_), None) => self.add(row, "rotation_of", "missing", "the number of weeks is missing"),
            (None, Some(_)) => self.add(
                row,
                "rotation_week",
                "missing",
                "the contact's week of the rotation is missing",
            ),
            (Some(week), Some(of)) if !(1..=on_call::LONGEST_ROTATION).contains(&of) || !(1..=of).contains(&week) => {
                let text = "expected a week from 1 to rotation_of, which is at most 52";
                self.add(row, "rotation_week", "out_of_range", text);
            }
            _ => {}
        }
        let begin = self
            .rows
            .settings
            .get(SETTINGS)
            .and_then(|settings| settings.row.rotation_from.as_ref());
        if needs_begin && begin.is_none() {
            let text = "the settings must define when week 1 began: rotation_from = \"2026-11-23T08:00\"";
            self.add(row, "rotation_week", "missing", text);
        }
    }

    pub(super) fn people_and_places(&mut self) {
        let rows = self.rows;
        if !rows.settings.contains_key(SETTINGS) {
            self.faults.push(Fault {
                resource: Resource::Settings,
                code: SETTINGS.to_owned(),
                column: String::new(),
                line: None,
                position: None,
                problem: "missing",
                text: "a rulebook needs its settings".to_owned(),
            });
        }
        for row in rows.contacts.values().map(|stored| &stored.row) {
            if !is_phone(&row.phone) {
                self.add(
                    row,
                    "phone",
                    "bad_phone",
                    "expected an E.164 number, such as +15145550100",
                );
            }
            let language = BTreeMap::from([(row.language.clone(), String::new())]);
            self.labels(row, "language", &language, false);
            self.plan(row);
        }
        for row in rows.areas.values().map(|stored| &stored.row) {
            self.labels(row, "names", &row.names, true);
            let sound =
                |prefix: &String| (1..=16).contains(&prefix.len()) && prefix.chars().all(|c| c.is_ascii_alphanumeric());
            if !row.postal_prefixes.iter().all(sound) {
                self.add(
                    row,
                    "postal_prefixes",
                    "bad_prefix",
                    "expected letters and digits only, such as J4",
                );
            }
        }
    }
}

/// Whether a number consists of `+`, a digit from 1 to 9, and 7 to 14 more digits.
fn is_phone(phone: &str) -> bool {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit())
}
