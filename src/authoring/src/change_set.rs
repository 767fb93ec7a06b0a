//! Applies edits that are not published yet to the current rows. Unchanged rows are shared, not copied.
//!
//! An edit names its base version: the version of the row that the edit was made against. All edits of one row in one
//! change set have the same base version: the version of the published row. If the published row now has another
//! version, all edits of this row are omitted and reported as a [`Conflict`]. Edits of other rows still apply.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use rules::fault::Fault;
use rules::rows::{Resource, Row, RowSet, StoredRow, with_row};

/// One edit of a row, as the database stores it until it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Creates or replaces the row.
    Put {
        /// The resource of the row.
        resource: Resource,
        /// The code of the row.
        code: String,
        /// The whole row.
        row: Value,
        /// The version that the editor expects.
        expected: ExpectedVersion,
    },
    /// Changes some fields of the row: a merge patch (RFC 7396).
    Patch {
        /// The resource of the row.
        resource: Resource,
        /// The code of the row.
        code: String,
        /// The fields to change; null removes a field.
        patch: Value,
        /// The version that the editor expects.
        expected: ExpectedVersion,
    },
    /// Deletes the row.
    Delete {
        /// The resource of the row.
        resource: Resource,
        /// The code of the row.
        code: String,
        /// The version that the editor expects.
        expected: ExpectedVersion,
    },
}

impl Edit {
    /// The resource of the row.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        let (Self::Put { resource, .. } | Self::Patch { resource, .. } | Self::Delete { resource, .. }) = self;
        *resource
    }

    /// The code of the row.
    #[must_use]
    pub fn code(&self) -> &str {
        let (Self::Put { code, .. } | Self::Patch { code, .. } | Self::Delete { code, .. }) = self;
        code
    }

    /// The version that the editor expects.
    #[must_use]
    pub const fn expected(&self) -> ExpectedVersion {
        let (Self::Put { expected, .. } | Self::Patch { expected, .. } | Self::Delete { expected, .. }) = self;
        *expected
    }

    /// Whether the edit is about this row.
    #[must_use]
    pub fn is_of(&self, resource: Resource, code: &str) -> bool {
        self.resource() == resource && self.code() == code
    }
}

/// The version of the row that the author of an edit expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedVersion {
    /// The row does not exist.
    Absent,
    /// The row has this version.
    Version(i64),
    /// The row may have any version or be absent. Imports use this value.
    Any,
}

/// Edits that are not published yet, and the reason for them.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// The edits, in order.
    pub edits: Vec<Edit>,
    /// The reason, shown in the change history.
    pub comment: String,
}

impl ChangeSet {
    /// A change set with one edit.
    #[must_use]
    pub fn of(edit: Edit, comment: String) -> Self {
        Self {
            edits: vec![edit],
            comment,
        }
    }
}

/// A row whose edits are based on another version than the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The resource of the row.
    pub resource: Resource,
    /// The code of the row.
    pub code: String,
    /// The version that the edit expects.
    pub expected: ExpectedVersion,
    /// The current version; `None` if the row does not exist.
    pub current: Option<i64>,
}

/// The result of applying edits.
#[derive(Debug, Clone, Default)]
pub struct AppliedEdits {
    /// The rows with all applied edits.
    pub rows: RowSet,
    /// The rows whose edits conflict; these edits are omitted.
    pub conflicts: Vec<Conflict>,
    /// The errors of edits whose result is not a valid row; these edits are omitted.
    pub malformed: Vec<Fault>,
}

/// Applies the edits. Rows without edits are shared, not copied.
#[must_use]
pub fn applied(base: &RowSet, revision: i64, edits: &[Edit]) -> AppliedEdits {
    let mut bench = Bench::new(base, revision);
    for edit in edits {
        bench.push(edit);
    }
    bench.out
}

/// Applies edits one after the other to the current rows.
#[derive(Debug)]
pub struct Bench<'a> {
    base: &'a RowSet,
    revision: i64,
    out: AppliedEdits,
}

impl<'a> Bench<'a> {
    /// Starts from the current rows. Each edited row gets `revision` as its version.
    #[must_use]
    pub fn new(base: &'a RowSet, revision: i64) -> Self {
        let out = AppliedEdits {
            rows: base.clone(),
            ..AppliedEdits::default()
        };
        Self { base, revision, out }
    }

    /// The result of the edits so far.
    #[must_use]
    pub const fn out(&self) -> &AppliedEdits {
        &self.out
    }

    /// Applies one more edit. If the edit expects the current version, an earlier conflict of its row is cleared.
    pub fn push(&mut self, edit: &Edit) {
        with_row!(edit.resource(), R => self.push_one::<R>(edit));
    }

    fn push_one<R: Row>(&mut self, edit: &Edit) {
        let (code, expected) = (edit.code(), edit.expected());
        let stands = R::table(self.base).get(code);
        let current = stands.map(|stored| stored.version);
        let fits = match expected {
            ExpectedVersion::Any => true,
            ExpectedVersion::Absent => current.is_none(),
            ExpectedVersion::Version(version) => current == Some(version),
        };
        let is_of_row = |conflict: &Conflict| conflict.resource == R::RESOURCE && conflict.code == code;
        if fits {
            self.out.conflicts.retain(|conflict| !is_of_row(conflict));
        }
        let there = R::table(&self.out.rows).get(code);
        let needs_a_row = !matches!(edit, Edit::Put { .. });
        if !fits || (needs_a_row && there.is_none()) {
            match stands {
                Some(stored) => R::table_mut(&mut self.out.rows).insert(code.to_owned(), Arc::clone(stored)),
                None => R::table_mut(&mut self.out.rows).remove(code),
            };
            if !self.out.conflicts.iter().any(is_of_row) {
                self.out.conflicts.push(Conflict {
                    resource: R::RESOURCE,
                    code: code.to_owned(),
                    expected,
                    current,
                });
            }
            return;
        }
        let row = match edit {
            Edit::Put { row, .. } => row.clone(),
            Edit::Patch { patch, .. } => {
                // A row is an object of strings, numbers and lists, which always converts to JSON.
                let row = there.and_then(|stored| serde_json::to_value(&stored.row).ok());
                let mut row = row.unwrap_or_default();
                json_patch::merge(&mut row, patch);
                row
            }
            Edit::Delete { .. } => {
                R::table_mut(&mut self.out.rows).remove(code);
                return;
            }
        };
        match serde_json::from_value::<R>(row) {
            Ok(row) if row.code() == code => {
                let kept = stands.filter(|stored| stored.row == row).cloned();
                let version = self.revision;
                let row = kept.unwrap_or_else(|| Arc::new(StoredRow { version, row }));
                R::table_mut(&mut self.out.rows).insert(code.to_owned(), row);
            }
            Ok(_) => {
                let text = "the `code` in the row differs from the code under which the row is written".to_owned();
                self.out.malformed.push(malformed_row(R::RESOURCE, code, "code", text));
            }
            Err(error) => {
                let text = error.to_string();
                self.out.malformed.push(malformed_row(R::RESOURCE, code, "", text));
            }
        }
    }
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

/// Returns the wanted rows. A wanted row that equals the current row keeps the current row's version.
pub fn rolled_back(now: &RowSet, wanted: &RowSet, revision: i64) -> RowSet {
    let mut next = RowSet::default();
    for &resource in Resource::ALL {
        with_row!(resource, R => {
            for (code, stored) in R::table(wanted) {
                let kept = R::table(now).get(code).filter(|standing| standing.row == stored.row).cloned();
                let row = kept.unwrap_or_else(|| Arc::new(StoredRow { version: revision, row: stored.row.clone() }));
                R::table_mut(&mut next).insert(code.clone(), row);
            }
        });
    }
    next
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TAX: Resource = Resource::Taxes;

    fn tax(rate: &str) -> Value {
        json!({"code": "eco", "names": {}, "rank": 1, "rate": rate})
    }

    fn base() -> RowSet {
        let mut rows = RowSet::default();
        let row = serde_json::from_value(tax("1")).unwrap();
        rows.taxes.insert("eco".into(), Arc::new(StoredRow { version: 3, row }));
        rows
    }

    fn put(row: Value, expected: ExpectedVersion) -> Edit {
        let code = row["code"].as_str().unwrap().to_owned();
        Edit::Put {
            resource: TAX,
            code,
            row,
            expected,
        }
    }

    fn patch(patch: Value, expected: ExpectedVersion) -> Edit {
        Edit::Patch {
            resource: TAX,
            code: "eco".into(),
            patch,
            expected,
        }
    }

    fn delete(expected: ExpectedVersion) -> Edit {
        Edit::Delete {
            resource: TAX,
            code: "eco".into(),
            expected,
        }
    }

    fn rate(applied: &AppliedEdits) -> Option<(String, i64)> {
        let stored = applied.rows.taxes.get("eco")?;
        Some((stored.row.rate.to_string(), stored.version))
    }

    #[test]
    fn edits_of_one_row_follow_each_other_on_one_ground() {
        let ground = ExpectedVersion::Version(3);
        let edits = [
            put(tax("2"), ground),
            patch(json!({"rate": "4", "rank": 7}), ground),
            patch(json!({"rank": 8}), ground),
        ];
        let out = applied(&base(), 9, &edits);
        assert_eq!(rate(&out), Some(("4".into(), 9)));
        assert_eq!(out.rows.taxes["eco"].row.rank, 8);
        // The row is deleted and created again. The new row finally equals the current row, so the new row gets the
        // current row's version.
        let edits = [delete(ground), put(tax("2"), ground), put(tax("1"), ground)];
        let out = applied(&base(), 9, &edits);
        assert_eq!(rate(&out), Some(("1".into(), 3)));
        assert!(out.conflicts.is_empty() && out.malformed.is_empty());
    }

    #[test]
    fn all_edits_of_a_row_whose_ground_moved_are_left_out_and_others_stand() {
        let mut other = tax("5");
        other["code"] = json!("other");
        let old = ExpectedVersion::Version(2);
        let edits = [put(tax("2"), old), put(other, ExpectedVersion::Absent), delete(old)];
        let out = applied(&base(), 9, &edits);
        assert_eq!(rate(&out), Some(("1".into(), 3)));
        assert_eq!(out.rows.taxes["other"].version, 9);
        let conflict = Conflict {
            resource: TAX,
            code: "eco".into(),
            expected: old,
            current: Some(3),
        };
        assert_eq!(out.conflicts, [conflict]);
        for edit in [
            put(tax("2"), ExpectedVersion::Absent),
            put(tax("2"), old),
            delete(ExpectedVersion::Absent),
        ] {
            assert_eq!(applied(&base(), 9, &[edit]).conflicts[0].current, Some(3));
        }
        for edit in [
            delete(ExpectedVersion::Any),
            patch(json!({}), ExpectedVersion::Any),
            delete(old),
        ] {
            assert_eq!(applied(&RowSet::default(), 9, &[edit]).conflicts[0].current, None);
        }
    }

    #[test]
    fn what_makes_no_row_is_told_and_left_out() {
        let ground = ExpectedVersion::Version(3);
        let out = applied(&base(), 9, &[patch(json!({"rate": null}), ground)]);
        assert_eq!(rate(&out), Some(("1".into(), 3)));
        assert!(out.malformed[0].text.contains("rate"), "{}", out.malformed[0].text);
        let out = applied(&base(), 9, &[patch(json!({"code": "x"}), ground)]);
        assert_eq!(out.malformed[0].column, "code");
    }

    #[test]
    fn an_edit_is_kept_as_json_and_read_again() {
        for edit in [
            put(tax("2"), ExpectedVersion::Absent),
            patch(json!({"rank": null}), ExpectedVersion::Version(7)),
            delete(ExpectedVersion::Any),
        ] {
            let kept = serde_json::to_value(&edit).unwrap();
            assert_eq!(kept["resource"], "taxes");
            assert_eq!(serde_json::from_value::<Edit>(kept).unwrap(), edit);
        }
        let unknown = json!({"method": "delete", "resource": "prices", "code": "a", "expected": "any"});
        let error = serde_json::from_value::<Edit>(unknown).unwrap_err().to_string();
        assert!(error.contains("prices") && error.contains("services"), "{error}");
    }
}
