//! How well the sample rulebook hears: the labelled calls of the test half against the budgets, and single calls that show
//! each way to be heard, over HTTP.

use std::path::Path;

use ringbook::labelled::{self, table};
use ringbook::rulebook::{compile, files};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Measure, the bound, and whether it is a lower one. docs/hearing-results.md has the table.
const BUDGETS: &[(&str, f64, bool)] = &[
    ("P1 recall", 0.92, true),
    ("false P1", 0.10, false),
    ("P2 found", 0.85, true),
    ("P2 false", 0.05, false),
    ("service", 0.94, true),
    ("area", 0.95, true),
    ("price", 0.93, true),
];

#[test]
fn the_sample_hears_the_test_half_within_its_budgets() {
    let rows = files::read_folder(&folder("rules")).unwrap();
    let book = compile(1, &rows, None).unwrap();
    let text = std::fs::read_to_string(folder("tests/data/calls/test.jsonl")).unwrap();
    let calls = labelled::parse(&text).unwrap();
    let judged = labelled::measure(&book, &calls).unwrap();
    let all = table::of(&judged, |_| true);
    let mut missed = Vec::new();
    for (name, bound, is_least) in BUDGETS {
        let (_, share) = all.shares().into_iter().find(|(known, _)| known == name).unwrap();
        let rate = share.rate().unwrap();
        let holds = if *is_least { rate >= *bound } else { rate <= *bound };
        if !holds {
            missed.push(format!(
                "{name} is {rate:.3}, the budget is {bound}: {}",
                share.wrong.join(", ")
            ));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
