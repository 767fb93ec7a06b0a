//! Tests every kind of lint finding: lints the sample rulebook after the smallest change that causes the finding. Also
//! compares the search for a call with exhaustive trials. This file has the functions that all these tests use.

mod exhaustive_trials;
mod introduced_errors;
mod many_rows;
mod on_call_gaps;
mod reachability;
mod unused_rows_and_words;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::lint;
use rules::rows::{PriorityRule, Row, RowSet, StoredRow};
use rules::{compile, sample};

fn now() -> DateTime<Utc> {
    "2026-11-24T15:00:00Z".parse().unwrap()
}

fn put<R: Row>(rows: &mut RowSet, row: Value) {
    let row: R = serde_json::from_value(row).unwrap();
    let stored = StoredRow { version: 1, row };
    R::table_mut(rows).insert(stored.row.code().to_owned(), Arc::new(stored));
}

fn edit<R: Row>(rows: &mut RowSet, code: &str, change: impl Fn(&mut Value)) {
    let mut row = serde_json::to_value(&R::table(rows)[code].row).unwrap();
    change(&mut row);
    put::<R>(rows, row);
}

fn rule(rows: &mut RowSet, code: &str, rank: i64, priority: &str, condition: &str) {
    put::<PriorityRule>(
        rows,
        json!({
            "code": code, "names": {"fr": code, "en": code}, "rank": rank, "condition": condition,
            "priority": priority, "sla_seconds": 60,
        }),
    );
}

/// Returns the findings about rows, each as `resource/code column problem`.
fn findings(rows: &RowSet) -> Vec<String> {
    let book = compile(1, rows, None).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let found = lint(&book, now());
    found
        .iter()
        .map(|f| {
            let related: Vec<&str> = f.related.iter().map(|(_, code)| code.as_str()).collect();
            let row = format!("{}/{} {} {}", f.resource.path(), f.code, f.column, f.problem);
            if related.is_empty() {
                row
            } else {
                format!("{row} ({})", related.join(", "))
            }
        })
        .collect()
}

/// Returns the findings about the sample rulebook after a change.
fn found(change: impl Fn(&mut RowSet)) -> Vec<String> {
    let mut rows = sample::rows();
    change(&mut rows);
    findings(&rows)
}

#[test]
fn the_sample_has_no_findings() {
    assert_eq!(findings(&sample::rows()), Vec::<String>::new());
}
