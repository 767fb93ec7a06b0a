//! What must be edited so that rows become others. In: the rows as they stand and as they shall be. Out: the edits, each
//! made against the version that stands, so that nobody's change in between is lost.

use super::change_set::{Edit, Expected};
use super::rows::{Resource, Row, RowSet, with_row};

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
    let (standing, wanted) = (R::table(before), R::table(after));
    for (code, stored) in wanted {
        let expected = match standing.get(code) {
            Some(standing) if standing.row == stored.row => continue,
            Some(standing) => Expected::Version(standing.version),
            None => Expected::Absent,
        };
        edits.push(Edit::Put {
            resource: R::RESOURCE,
            code: code.clone(),
            // Rows are structs of texts, numbers and lists, which always become JSON.
            row: serde_json::to_value(&stored.row).unwrap_or_default(),
            expected,
        });
    }
    let gone = standing.iter().filter(|(code, _)| !wanted.contains_key(*code));
    edits.extend(gone.map(|(code, stored)| Edit::Delete {
        resource: R::RESOURCE,
        code: code.clone(),
        expected: Expected::Version(stored.version),
    }));
}
