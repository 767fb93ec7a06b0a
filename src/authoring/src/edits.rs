//! The edits that turn one set of rows into another. Each edit has the current version as its base version, so that no
//! concurrent change is lost.

use super::change_set::{Edit, ExpectedVersion};
use rules::rows::{Resource, Row, RowSet, changed, with_row};

/// The edits from `before` to `after`, in the order of the resources, then by code.
#[must_use]
pub fn between(before: &RowSet, after: &RowSet) -> Vec<Edit> {
    let mut edits = Vec::new();
    for &resource in Resource::ALL {
        with_row!(resource, R => of_one::<R>(before, after, &mut edits));
    }
    edits
}

fn of_one<R: Row>(before: &RowSet, after: &RowSet, edits: &mut Vec<Edit>) {
    for (code, standing, wanted) in changed::<R>(before, after) {
        let (resource, code) = (R::RESOURCE, code.clone());
        let expected = standing.map_or(ExpectedVersion::Absent, |standing| {
            ExpectedVersion::Version(standing.version)
        });
        edits.push(match wanted {
            Some(wanted) => Edit::Put {
                resource,
                code,
                // Rows are structs of strings, numbers and lists, which always convert to JSON.
                row: serde_json::to_value(&wanted.row).unwrap_or_default(),
                expected,
            },
            None => Edit::Delete {
                resource,
                code,
                expected,
            },
        });
    }
}
