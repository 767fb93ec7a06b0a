//! Tests how well the sample rulebook recognizes what callers say. One half of the labelled calls is for tests. The
//! results for this half must satisfy the budgets. Further tests send single calls over HTTP, for each method of
//! recognition.

use std::path::Path;

use ringbook::labelled::{self, table};
use rules::{compile, files};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Each entry has a measure, its bound, and whether the bound is a minimum. docs/hearing-results.md has the table of
/// results.
const BUDGETS: &[(&str, f64, bool)] = &[
    ("P1 recall", 0.92, true),
    ("false P1", 0.10, false),
    ("P2 found", 0.85, true),
    ("P2 false", 0.05, false),
    ("service", 0.94, true),
    ("area", 0.95, true),
    ("price", 0.93, true),
];

/// Like [`BUDGETS`], but each entry applies only to some kinds of calls.
const OF_KINDS: &[(&[&str], &str, f64, bool)] = &[
    (
        &[
            "plain_emergency",
            "plain_routine",
            "denied",
            "asked_no",
            "asked_yes",
            "other_words",
            "safety",
        ],
        "P1 recall",
        0.97,
        true,
    ),
    (
        &[
            "plain_emergency",
            "plain_routine",
            "denied",
            "asked_no",
            "asked_yes",
            "past",
        ],
        "false P1",
        0.03,
        false,
    ),
];

#[test]
fn the_sample_hears_the_test_half_within_its_budgets() {
    let rows = files::read_folder(&folder("rules")).unwrap();
    let book = compile(1, &rows, None).unwrap();
    let text = std::fs::read_to_string(folder("tests/data/calls/test.jsonl")).unwrap();
    let calls = labelled::parse(&text).unwrap();
    let judged = labelled::measure(&book, &calls).unwrap();
    let mut missed: Vec<String> = BUDGETS
        .iter()
        .filter_map(|(name, bound, is_least)| exceeded(&table::of(&judged, |_| true), name, *bound, *is_least))
        .collect();
    missed.extend(OF_KINDS.iter().filter_map(|(kinds, name, bound, is_least)| {
        let of_kinds = table::of(&judged, |judged| kinds.contains(&judged.call.kind.as_str()));
        Some(format!("{kinds:?}: {}", exceeded(&of_kinds, name, *bound, *is_least)?))
    }));
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Returns an error message if a measure exceeds its budget.
fn exceeded(measured: &table::Measures, name: &str, bound: f64, is_least: bool) -> Option<String> {
    let (_, share) = measured.shares().into_iter().find(|(known, _)| *known == name).unwrap();
    let rate = share.rate().unwrap();
    let holds = if is_least { rate >= bound } else { rate <= bound };
    (!holds).then(|| format!("{name} is {rate:.3}, the budget is {bound}: {}", share.wrong.join(", ")))
}
