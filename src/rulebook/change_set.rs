//! Edits not yet published. In: the rows as they stand. Out: the rows as they shall be, sharing what the edits leave
//! alone, or which edit is stale.

use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::publish::PublishError;
use super::rows::{Resource, Row, RowSet, Stored, with_row};

/// One edit of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// The row as it shall be.
    Put {
        /// The kind of row.
        resource: Resource,
        /// Its code.
        code: String,
        /// The whole row.
        row: Value,
        /// What the writer believes to be there.
        expected: Expected,
    },
    /// The row shall be gone.
    Delete {
        /// The kind of row.
        resource: Resource,
        /// Its code.
        code: String,
        /// What the writer believes to be there.
        expected: Expected,
    },
}

/// What the writer of an edit believes to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// The row of this version.
    Version(i64),
    /// Whatever there is: an import.
    Any,
}

/// Edits not yet published, and why they are made.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// The edits, in order.
    pub edits: Vec<Edit>,
    /// For those who read the history.
    pub comment: String,
}

/// The rows after the edits; rows that the edits leave alone are shared, not copied.
pub(super) fn apply(rows: &RowSet, revision: i64, edits: &[Edit]) -> Result<RowSet, PublishError> {
    let mut next = rows.clone();
    let mut malformed = Vec::new();
    for edit in edits {
        match edit {
            Edit::Put {
                resource,
                code,
                row,
                expected,
            } => {
                with_row!(*resource, R => put::<R>(&mut next, revision, code, row, *expected, &mut malformed)?);
            }
            Edit::Delete {
                resource,
                code,
                expected,
            } => {
                with_row!(*resource, R => delete::<R>(&mut next, code, *expected)?);
            }
        }
    }
    if malformed.is_empty() {
        Ok(next)
    } else {
        Err(PublishError::Faults(malformed))
    }
}

fn expect<R: Row>(rows: &RowSet, code: &str, expected: Expected) -> Result<(), PublishError> {
    let resource = R::RESOURCE;
    let code = code.to_owned();
    let current = R::table(rows).get(&code).map(|stored| stored.version);
    match (expected, current) {
        (Expected::Any, _) | (Expected::Absent, None) => Ok(()),
        (Expected::Absent, Some(version)) => Err(PublishError::Exists {
            resource,
            code,
            version,
        }),
        (Expected::Version(version), Some(current)) if version == current => Ok(()),
        (Expected::Version(_), current) => Err(PublishError::Stale {
            resource,
            code,
            current,
        }),
    }
}

fn put<R: Row>(
    rows: &mut RowSet,
    revision: i64,
    code: &str,
    row: &Value,
    expected: Expected,
    malformed: &mut Vec<Fault>,
) -> Result<(), PublishError> {
    expect::<R>(rows, code, expected)?;
    match serde_json::from_value::<R>(row.clone()) {
        Ok(row) if row.code() == code => {
            let same = R::table(rows).get(code).is_some_and(|stored| stored.row == row);
            if !same {
                R::table_mut(rows).insert(code.to_owned(), Arc::new(Stored { version: revision, row }));
            }
        }
        Ok(_) => {
            let text = "the code in the row is not the one it is written under".to_owned();
            malformed.push(malformed_row(R::RESOURCE, code, "code", text));
        }
        Err(error) => malformed.push(malformed_row(R::RESOURCE, code, "", error.to_string())),
    }
    Ok(())
}

fn malformed_row(resource: Resource, code: &str, column: &str, text: String) -> Fault {
    let (code, column) = (code.to_owned(), column.to_owned());
    Fault {
        resource,
        code,
        column,
        line: None,
        position: None,
        problem: "malformed",
        text,
    }
}

fn delete<R: Row>(rows: &mut RowSet, code: &str, expected: Expected) -> Result<(), PublishError> {
    expect::<R>(rows, code, expected)?;
    match R::table_mut(rows).remove(code) {
        Some(_) => Ok(()),
        None => Err(PublishError::Missing {
            resource: R::RESOURCE,
            code: code.to_owned(),
        }),
    }
}

/// The wanted rows, keeping the version of those that stand already as wanted.
pub(super) fn brought_back(now: &RowSet, wanted: &RowSet, revision: i64) -> RowSet {
    let mut next = RowSet::default();
    for &resource in Resource::ALL {
        with_row!(resource, R => {
            for (code, stored) in R::table(wanted) {
                let kept = R::table(now).get(code).filter(|standing| standing.row == stored.row).cloned();
                let row = kept.unwrap_or_else(|| Arc::new(Stored { version: revision, row: stored.row.clone() }));
                R::table_mut(&mut next).insert(code.clone(), row);
            }
        });
    }
    next
}
