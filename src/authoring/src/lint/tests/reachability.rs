//! Tests of rules and adjustments that never apply, because another row comes first or no call fulfills the condition.

use serde_json::{Value, json};

use super::{edit, found, now, put, rule};
use crate::lint::{Severity, introduced, lint};
use rules::rows::Adjustment;
use rules::{compile, sample};

/// Replaces the sample's priority rules by these rules, in this order, and returns the findings.
fn in_rules(rules: &[(&str, &str)]) -> Vec<String> {
    found(|rows| {
        rows.priority_rules.clear();
        for (place, (code, condition)) in (1i64..).zip(rules) {
            let priority = ["P1", "P2", "P3", "P4"][usize::try_from(place).unwrap() % 4];
            rule(rows, code, place, priority, condition);
        }
    })
}

#[test]
fn a_rule_that_never_comes_first_is_found() {
    let unreachable: &[(&[(&str, &str)], &str)] = &[
        (&[("all", ""), ("late", "evening")], "late condition unreachable (all)"),
        (
            &[("a", "evening"), ("b", "evening && weekend")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening || weekend"), ("b", "weekend")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "service in [\"pool\", \"sump\"]"), ("b", "service == \"pool\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "price_to >= 1000"), ("b", "price_to > 1000")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "price_to > 0"), ("b", "price_to == 5")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "says(\"flood*\")"), ("b", "says(\"flooding\")")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "says(\"slab\")"), ("b", "says(\"under the slab\")")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening"), ("b", "!evening"), ("c", "urgency == \"urgent\"")],
            "c condition unreachable (a, b)",
        ),
        (
            &[
                ("a", "hour < 8"),
                ("b", "hour >= 8 && hour < 17"),
                ("c", "hour > 16"),
                ("d", "weekend"),
            ],
            "d condition unreachable (a, b, c)",
        ),
        (
            &[("a", "offer == \"refused\""), ("b", "service == \"pool\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "weekend"), ("b", "weekday == \"sunday\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening && weekend"), ("b", "weekend && evening")],
            "b condition same_condition (a)",
        ),
        (
            &[
                ("a", "service in [\"pool\", \"sump\"]"),
                ("b", "service == \"sump\" || service == \"pool\""),
            ],
            "b condition same_condition (a)",
        ),
    ];
    for (rules, expected) in unreachable {
        assert_eq!(in_rules(rules), [format!("priority-rules/{expected}")], "{rules:?}");
    }
}

#[test]
fn a_rule_that_may_come_first_is_not_found() {
    let fine: &[&[(&str, &str)]] = &[
        &[("a", "evening && weekend"), ("b", "evening")],
        &[("a", "evening"), ("b", "weekend")],
        // If the fact is missing, both conditions are false.
        &[("a", "price_to >= 1000"), ("b", "price_to < 1000"), ("c", "")],
        &[
            ("a", "urgency == \"urgent\""),
            ("b", "urgency != \"urgent\""),
            ("c", ""),
        ],
        &[("a", "price_to > 1000"), ("b", "price_to >= 1000")],
        &[("a", "says(\"flooding\")"), ("b", "says(\"flood*\")")],
        &[("a", "says(\"flood\")"), ("b", "says(\"flood*\")")],
        &[("a", "says(\"floods\")"), ("b", "says(\"flood\")")],
        &[
            ("a", "price_to > metres"),
            ("b", "metres < price_to && evening"),
            ("c", "evening"),
        ],
        &[("a", "caller == \"1\""), ("b", "caller != \"1\""), ("c", "evening")],
    ];
    for (place, rules) in fine.iter().enumerate() {
        let only = in_rules(rules);
        if place == 8 {
            assert_eq!(only, ["priority-rules/b condition unreachable (a)"]);
        } else {
            assert_eq!(only, Vec::<String>::new(), "{rules:?}");
        }
    }
}

#[test]
fn the_same_rule_twice_is_a_warning_and_another_result_an_error() {
    let mut rows = sample::rows();
    rule(&mut rows, "first", 1, "P1", "urgency == \"urgent\"");
    rule(&mut rows, "second", 2, "P1", "\"urgent\" == urgency");
    rule(&mut rows, "third", 3, "P2", "urgency in [\"urgent\"]");
    let book = compile(1, &rows, None).unwrap();
    let found = lint(&book, now());
    let told: Vec<_> = found.iter().map(|f| (f.code.as_str(), f.problem, f.severity)).collect();
    assert_eq!(
        told,
        [
            ("second", "duplicate", Severity::Warning),
            ("third", "same_condition", Severity::Error)
        ]
    );
    assert_eq!(
        found[1].to_string(),
        "error: priority-rules/third condition: it never applies: `first` comes first and has the same condition, but another result"
    );
    assert_eq!(introduced(&found, found.clone()), []);
    assert_eq!(introduced(&found[..1], found.clone()), found[1..]);
}

#[test]
fn a_rule_before_all_others_for_a_day_is_no_error() {
    let mut rows = sample::rows();
    rule(&mut rows, "storm", 1, "P1", "");
    rule(&mut rows, "in_turn", 900, "P4", "true");
    let found = lint(&compile(1, &rows, None).unwrap(), now());
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(
        found.iter().all(|found| found.severity == Severity::Warning),
        "{found:#?}"
    );
}

#[test]
fn a_condition_that_can_never_hold_is_found() {
    for condition in [
        "false",
        "urgency == \"urgent\" && urgency == \"soon\"",
        "price_to > 10 && price_to < 5",
        "price_to > 5 && price_to < 5",
        "hour > 8 && hour < 9",
        "hour == 24",
        "evening && !evening",
        "service == \"pool\" && offer == \"offered\"",
        "weekend && weekday == \"monday\"",
        "open && after_hours",
        "!open && !after_hours",
        "price_to < price_to",
        "price_to < price_from && price_from < price_to",
        "says(\"flooding\") && !says(\"flood*\")",
        "urgency != \"urgent\" && urgency !in [\"soon\", \"flexible\", \"emergency\"]",
        "(evening || weekend) && !evening && !weekend",
        "metres >= 1 && !(metres > 0)",
    ] {
        let found = found(|rows| rule(rows, "odd", 1, "P1", condition));
        assert_eq!(found, ["priority-rules/odd condition never_true"], "{condition}");
    }
    let found = found(|rows| {
        edit::<rules::rows::Settings>(rows, "settings", |row| {
            row.as_object_mut().unwrap().remove("calendar");
        });
    });
    assert_eq!(
        found,
        [
            "calendars/main  unused",
            "adjustments/evening condition never_true (settings)",
            "adjustments/urgent_off_hours condition never_true (settings)",
        ]
    );
}

#[test]
fn adjustments_that_never_apply_are_found() {
    let add = |fields: Value| {
        found(|rows| {
            let mut row = json!({
                "code": "odd", "names": {"fr": "odd", "en": "odd"}, "rank": 35, "kind": "add", "amount": "5.00",
            });
            row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            put::<Adjustment>(rows, row);
        })
    };
    let none: [&str; 0] = [];
    assert_eq!(
        add(json!({"valid_until": "2026-11-24T15:00:00Z"})),
        ["adjustments/odd valid_until expired"]
    );
    assert_eq!(add(json!({"valid_until": "2026-11-24T15:00:01Z"})), none);
    assert_eq!(
        add(json!({"services": ["pool", "sump"]})),
        ["adjustments/odd services never_applies (pool, sump)"]
    );
    assert_eq!(add(json!({"services": ["pool", "pipe_lining"]})), none);
    assert_eq!(
        add(json!({"condition": "offer == \"refused\""})),
        ["adjustments/odd condition never_applies"]
    );
    assert_eq!(
        add(json!({"services": ["pipe_lining"], "condition": "service == \"french_drain\""})),
        ["adjustments/odd condition never_true"]
    );
    assert_eq!(
        add(json!({"stacking_group": "hours", "condition": "evening && weekend"})),
        ["adjustments/odd stacking_group unreachable (evening)"]
    );
    assert_eq!(add(json!({"stacking_group": "alone"})), none);
}
