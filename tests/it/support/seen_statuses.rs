//! Records the observed statuses of each operation, for the check in `tests/released/statuses.rs`.
//!
//! RINGBOOK_SEEN_STATUSES names the file. Each line of the file has an operation and a status.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex};

static SEEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Records a status of an operation.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
pub fn note(operation: &str, status: &str) {
    let Some(file) = std::env::var_os("RINGBOOK_SEEN_STATUSES") else {
        return;
    };
    let line = format!("{operation} {status}");
    let mut seen = SEEN.lock().unwrap();
    if seen.insert(line.clone()) {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}
