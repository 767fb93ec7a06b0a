//! Tests of rules that notify nobody, and of times at which no contact is on call.

use serde_json::{Value, json};

use super::{edit, findings, found, now};
use crate::lint::lint;
use rules::rows::{Contact, RowSet};
use rules::{compile, sample};

#[test]
fn a_rule_that_tells_nobody_is_found() {
    let found = found(|rows| edit::<Contact>(rows, "on_call", |row| row["on_call"] = json!(false)));
    assert_eq!(
        found,
        [
            "priority-rules/carbon_monoxide notify tells_nobody",
            "priority-rules/collapse notify tells_nobody",
            "priority-rules/electricity notify tells_nobody",
            "priority-rules/emergency notify tells_nobody",
            "priority-rules/fumes notify tells_nobody",
            "priority-rules/gas notify tells_nobody",
            "priority-rules/municipal notify tells_nobody",
            "priority-rules/reported_emergency notify tells_nobody",
        ]
    );
}

/// Returns the sample rulebook with these schedules for two contacts, and with a weekly rotation that began on a
/// Monday.
fn planned(first: &Value, second: &Value) -> RowSet {
    let mut rows = sample::rows();
    edit::<rules::rows::Settings>(&mut rows, "settings", |row| {
        row["rotation_from"] = json!("2026-11-23T08:00");
    });
    for (code, plan) in [("on_call", first), ("second", second)] {
        edit::<Contact>(&mut rows, code, |row| {
            row["on_call"] = json!(true);
            for (name, value) in plan.as_object().unwrap() {
                row[name] = value.clone();
            }
        });
    }
    rows
}

#[test]
fn an_hour_in_which_nobody_is_on_call_is_named() {
    let rows = planned(
        &json!({"on_call_calendar": "main"}),
        &json!({"on_call_calendar": "main"}),
    );
    let book = compile(1, &rows, None).unwrap();
    let found = lint(&book, now());
    assert_eq!(findings(&rows), ["settings/settings  nobody_on_call"]);
    // The time is Tuesday, ten in the morning, in Montréal.
    assert!(
        found[0]
            .text
            .contains("from Tuesday 2026-11-24 17:00 until Wednesday 2026-11-25 08:00"),
        "{}",
        found[0].text
    );
    assert!(found[0].text.contains("123 hours"), "{}", found[0].text);
    let rows = planned(&json!({"on_call_calendar": "main"}), &json!({}));
    assert_eq!(findings(&rows), Vec::<String>::new());
}

#[test]
fn a_week_of_the_rotation_that_is_nobodys_is_named() {
    let turn = |week: i64, of: i64| json!({"rotation_week": week, "rotation_of": of});
    assert_eq!(findings(&planned(&turn(1, 2), &turn(2, 2))), Vec::<String>::new());
    assert_eq!(
        findings(&planned(&turn(1, 3), &turn(2, 3))),
        ["settings/settings rotation_from rotation_gap"]
    );
    // In every second week of the rotation, no contact is on call.
    assert_eq!(
        findings(&planned(&turn(1, 2), &turn(1, 2))),
        [
            "settings/settings  nobody_on_call",
            "settings/settings rotation_from rotation_gap"
        ]
    );
}
