//! Tests that lint checks ten thousand rows in a short time.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{now, put, rule};
use crate::lint::lint;
use rules::rows::{Adjustment, RowSet, Service};
use rules::{compile, sample};

/// Returns services, an adjustment for each service, and as many rules as `rules` says. No index helps with the price
/// ranges in the rules.
fn many(rules: i64) -> RowSet {
    let mut rows = sample::rows();
    rows.priority_rules.clear();
    for number in 0..3000 {
        let code = format!("service_{number}");
        put::<Service>(
            &mut rows,
            json!({"code": code, "names": {"fr": code, "en": code}, "keywords": [format!("word{number}")], "rank": 100 + number,
                "offer": "offered", "price_from": "10.00", "price_to": "20.00"}),
        );
        put::<Adjustment>(
            &mut rows,
            json!({"code": format!("add_{number}"), "names": {"fr": "x", "en": "x"}, "rank": number, "kind": "add", "amount": "1.00",
                "condition": format!("service == \"{code}\" && (evening || weekend)")}),
        );
    }
    for number in 0..rules {
        let priority = ["P1", "P2"][usize::try_from(number).unwrap() % 2];
        let condition = match number % 2 {
            0 => format!("price_to > {} && price_to < {}", 100 * number, 100 * number + 50),
            _ => format!("service == \"service_{}\" && !evening", number % 3000),
        };
        rule(&mut rows, &format!("rule_{number}"), 100 + number, priority, &condition);
    }
    rows
}

#[test]
fn ten_thousand_rows_are_looked_through_in_time() {
    let book = compile(1, &many(4000), None).unwrap();
    let started = Instant::now();
    let found = lint(&book, now());
    let took = started.elapsed();
    println!("lint of {} rows: {took:?}, {} findings", book.row_count(), found.len());
    // Every second rule from rule 3000 on repeats the condition of an earlier rule.
    assert_eq!(
        found
            .iter()
            .filter(|found| found.problem == "same_condition" || found.problem == "duplicate")
            .count(),
        500
    );
    // The limit is for an unoptimized build on a busy machine. An optimized build needs a fraction of a second.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
