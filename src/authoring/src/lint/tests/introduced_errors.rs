//! Tests that a change introduces exactly the errors that did not exist before.

use serde_json::{Value, json};

use super::{edit, put, rule};
use crate::lint::brought_in;
use rules::rows::{Adjustment, RowSet, Service};
use rules::{compile, sample};

/// Returns the errors that a change to the rows introduces, each as `code problem`.
fn brought(before: &RowSet, change: impl Fn(&mut RowSet)) -> Vec<String> {
    let mut after = before.clone();
    change(&mut after);
    let (before, after) = (compile(1, before, None).unwrap(), compile(2, &after, None).unwrap());
    let brought = brought_in(Some(&before), &after);
    brought
        .iter()
        .map(|found| format!("{} {}", found.code, found.problem))
        .collect()
}

#[test]
fn a_change_is_answerable_for_the_errors_it_brings_in_and_no_others() {
    let odd = |rows: &mut RowSet| rule(rows, "odd", 1, "P1", "urgency == \"urgent\" && urgency == \"soon\"");
    let pool = |rows: &mut RowSet| {
        put::<Adjustment>(
            rows,
            json!({"code": "pool", "names": {"fr": "x", "en": "x"}, "rank": 1, "kind": "add", "amount": "1.00",
                "condition": "service == \"pool\" && offer == \"refused\""}),
        );
    };
    let sample = sample::rows();
    assert_eq!(brought(&sample, odd), ["odd never_true"]);
    assert_eq!(brought_in(None, &compile(1, &sample, None).unwrap()), []);
    let mut wrong = sample.clone();
    odd(&mut wrong);
    let none: [&str; 0] = [];
    // If a change edits a price, adds a rule or adds a service, existing errors are not reported again.
    assert_eq!(
        brought(&wrong, |rows| edit::<Service>(
            rows,
            "under_slab",
            |row| row["price_to"] = json!("9000.00")
        )),
        none
    );
    assert_eq!(
        brought(&wrong, |rows| rule(rows, "other", 2, "P1", "weekend && evening")),
        none
    );
    let roof = |rows: &mut RowSet| {
        put::<Service>(
            rows,
            json!({"code": "roof", "names": {"fr": "Toit", "en": "Roof"}, "keywords": [], "rank": 99,
            "offer": "refused", "reason": {"fr": "Non.", "en": "No."}}),
        );
    };
    assert_eq!(brought(&wrong, roof), none);
    assert_eq!(brought(&wrong, |rows| rule(rows, "odd", 5, "P2", "false")), none);
    // An error that a change causes in another row belongs to that change.
    let mut with_pool = sample;
    pool(&mut with_pool);
    let offered = |row: &mut Value| {
        for (name, value) in [
            ("offer", json!("offered")),
            ("price_from", json!("1.00")),
            ("price_to", json!("2.00")),
        ] {
            row[name] = value;
        }
    };
    assert_eq!(
        brought(&with_pool, |rows| edit::<Service>(rows, "pool", offered)),
        ["pool never_true"]
    );
}
