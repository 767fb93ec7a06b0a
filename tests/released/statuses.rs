//! Checks for each status in the OpenAPI document that at least one test over HTTP got it. The tests over HTTP
//! themselves check that no other status occurs (`tests/it/support/contract.rs`). Both checks use the long form of the
//! document. In the long form, each operation also lists the errors that are under `4XX` and `5XX` in the published
//! document.
//!
//! `scripts/check.sh` runs the tests over HTTP with a file name in RINGBOOK_SEEN_STATUSES. Then it runs this test with
//! the same file name in RINGBOOK_JUDGED_STATUSES. If RINGBOOK_JUDGED_STATUSES is not set, this test checks nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Statuses from code that all operations share (parsing of parameters and bodies, ETags, limits). It is enough if a
/// test got such a status from one operation.
const COMMON: [&str; 8] = ["304", "400", "406", "408", "413", "415", "429", "503"];

/// Prefixes of operations that differ only in the kind of row. It is enough if a test got a status for one kind of row.
const ALIKE: [&str; 7] = ["list_", "get_", "put_", "patch_", "delete_", "export_", "import_"];

/// Statuses that no test can get, and why. An empty operation matches any operation.
const NEVER_SEEN: &[(&str, &str, &str)] = &[(
    "",
    "500",
    "This is a bug in Ringbook: whoever finds a way to cause it fixes it.",
)];

/// Returns the kind of an operation: `put_service` and `put_tax` have the same kind.
fn kind(operation: &str, of_rows: &BTreeSet<String>) -> String {
    let verb = ALIKE.iter().find(|verb| operation.starts_with(**verb));
    match verb.filter(|_| of_rows.contains(operation)) {
        Some(verb) => format!("{verb}ROW"),
        None => operation.to_owned(),
    }
}

/// Returns the operations on rules: operations below a rulebook whose group has a sheet.
fn of_rows(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let sheets = paths.keys().filter_map(|path| path.strip_suffix(".csv"));
    let lists: BTreeSet<&str> = sheets.collect();
    let is_row = |path: &str| {
        let list = path.trim_end_matches("/{code}").trim_end_matches(".csv");
        lists.contains(list)
    };
    let items = paths.iter().filter(|(path, _)| is_row(path));
    items
        .flat_map(|(_, item)| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect()
}

fn unseen(document: &Value, seen: &str) -> Vec<String> {
    let of_rows = of_rows(document);
    let mut by_kind: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut by_any = BTreeSet::new();
    for (operation, status) in seen.lines().filter_map(|line| line.split_once(' ')) {
        by_kind.entry(kind(operation, &of_rows)).or_default().insert(status);
        by_any.insert(status);
    }
    let mut missing = BTreeSet::new();
    let items = document["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        let id = operation["operationId"].as_str().unwrap();
        let kind = kind(id, &of_rows);
        for status in operation["responses"].as_object().unwrap().keys() {
            let is_excepted = NEVER_SEEN
                .iter()
                .any(|(of, which, _)| (of.is_empty() || *of == kind) && which == status);
            let is_seen = if COMMON.contains(&status.as_str()) {
                by_any.contains(status.as_str())
            } else {
                by_kind.get(&kind).is_some_and(|seen| seen.contains(status.as_str()))
            };
            if !is_seen && !is_excepted {
                missing.insert(format!("{kind} {status}"));
            }
        }
    }
    missing.into_iter().collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn each_documented_status_was_seen() {
    let Some(file) = std::env::var_os("RINGBOOK_JUDGED_STATUSES") else {
        return;
    };
    let seen = std::fs::read_to_string(&file);
    let seen = seen.unwrap_or_else(|error| panic!("no test recorded a status in {}: {error}", file.display()));
    let unseen = unseen(admin::document(), &seen);
    let what_to_do = "no test got these statuses: add a test over HTTP, remove them from the OpenAPI document, or say in NEVER_SEEN why no test can";
    assert!(unseen.is_empty(), "{what_to_do}: {unseen:#?}");
}

#[test]
fn a_status_that_nobody_saw_is_told() {
    let document = admin::document();
    let all = unseen(document, "");
    assert!(all.contains(&"evaluate 200".to_owned()) && all.contains(&"put_ROW 412".to_owned()));
    let fewer = unseen(document, "evaluate 200\nput_tax 412\nget_stats 429");
    assert!(!fewer.contains(&"evaluate 200".to_owned()) && !fewer.contains(&"put_ROW 412".to_owned()));
    assert!(
        !fewer.iter().any(|one| one.ends_with(" 429") || one.ends_with(" 500")),
        "{fewer:?}"
    );
}
