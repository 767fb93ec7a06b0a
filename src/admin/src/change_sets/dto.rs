//! The response types of change sets. Phone numbers are masked for viewers.

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Object, ResponseContent};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::Caller;
use crate::export::Text;
use crate::lint::LintFinding;
use crate::masking;
use crate::responses::Json;
use crate::row_faults::{EditedRow, as_json, field_fault};
use authoring::change_set::{Edit, ExpectedVersion};
use authoring::diff::{self, RowDiff};
use authoring::lint::{Finding, Severity};
use revisions::publish::change_sets::{StoredChange, StoredChangeSet};
use revisions::publish::refusal::{Clash, Version};
use rules::Fault;
use rules::cases::CaseResult;
use store::change_sets;
use web::problem::FieldFault;

/// A change set.
#[derive(Debug, Object)]
#[oai(rename = "ChangeSet", skip_serializing_if_is_none)]
pub struct ChangeSetState {
    id: Uuid,
    /// `open`, `scheduled`, `waiting` (for a second person), `published`, `refused` or `discarded`.
    state: String,
    /// The description.
    comment: String,
    /// Who opened the change set.
    author: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// The version rises with every change. Send it with a change.
    version: i64,
    /// The head revision when the change set was opened.
    base_revision: i64,
    /// How many changes the change set has.
    changes_count: i64,
    /// When the change set will be published, or should have been published.
    publish_at: Option<DateTime<Utc>>,
    /// Who scheduled the publish.
    publish_by: Option<String>,
    /// The published revision.
    revision: Option<i64>,
    /// Where the change set exceeds the guard rails.
    breaches: Option<Vec<GuardRailBreach>>,
    /// Who approved the change set.
    approved_by: Option<String>,
    /// Why the change set was rejected, or why its scheduled publish failed: `code`, `detail`, and `conflicts`,
    /// `faults` or `cases`.
    refusal: Option<Value>,
    /// The changes, in order; absent in lists.
    changes: Option<Vec<Change>>,
    /// Rows that others changed meanwhile; the changes to these rows cannot be published. Absent in lists.
    conflicts: Option<Vec<Conflict>>,
}

/// A change beyond a guard rail.
#[derive(Debug, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct GuardRailBreach {
    /// The kind of row.
    resource: String,
    /// The code.
    code: String,
    /// The column.
    column: String,
    /// The current value; absent for a new row.
    before: Option<String>,
    /// The new value; absent for a deleted row.
    after: Option<String>,
    /// `lowest_price`, `highest_price` or `largest_change_percent`.
    limit: String,
    /// An explanation, as a sentence.
    text: String,
}

/// A change in a change set.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Change {
    /// The change's number within the change set.
    number: i64,
    /// The kind of row.
    resource: String,
    /// The code.
    code: String,
    /// `put`, `patch` or `delete`.
    method: String,
    /// The row, or the fields to change.
    body: Option<Value>,
    /// The base version, which is the version of the row that the change was made against; absent for a new row.
    version: Option<i64>,
    /// Who added the change.
    author: String,
    created_at: DateTime<Utc>,
}

/// A row that others changed after the change set's changes were made.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Conflict {
    /// The kind of row.
    resource: String,
    /// The code.
    code: String,
    /// The row that the changes were made against; absent for a new row.
    made_against: Option<RowVersion>,
    /// The current row; absent if it was deleted.
    stands: Option<RowVersion>,
}

/// A version of a row.
#[derive(Debug, Object)]
pub struct RowVersion {
    /// The revision that wrote this version.
    version: i64,
    /// The row.
    row: Value,
}

/// The differences that a change set makes.
#[derive(Debug, Object)]
pub struct ChangeSetDiff {
    /// The revision that the change set is compared with.
    pub base_revision: i64,
    /// Every changed row, in the order in which a decision uses the resources, then by code.
    pub rows: Vec<RowDiff>,
    /// Rows that others changed meanwhile. The comparison omits the change set's changes to these rows.
    pub conflicts: Vec<Conflict>,
}

/// A difference in the requested format.
#[derive(ResponseContent)]
pub enum SetDiff {
    /// JSON, for programs.
    Json(Json<ChangeSetDiff>),
    /// Text, for people.
    Text(Text),
}

/// A difference.
#[derive(ApiResponse)]
pub enum ChangeSetDiffResponse {
    /// The differences.
    #[oai(status = 200)]
    Found(SetDiff),
}

/// Whether a change set could be published now.
#[derive(Debug, Object)]
pub struct Check {
    /// The head revision at the time of the check.
    base_revision: i64,
    /// Whether the change set can be published.
    publishable: bool,
    /// How many rows the change set changes.
    changed_rows: usize,
    /// Rows that others changed meanwhile.
    conflicts: Vec<Conflict>,
    /// Compile errors, each with row and column.
    faults: Vec<FieldFault>,
    /// The number of cases that were run; 0 if the rulebook does not compile.
    cases_run: usize,
    /// Failed cases: `mismatches` with `expected` and `got`, and the `decision` with its trace.
    cases_failed: Vec<Value>,
    /// New lint findings; an error among them prevents a publish.
    findings: Vec<LintFinding>,
}

impl ChangeSetState {
    /// The view for lists, without changes and conflicts.
    #[must_use]
    pub fn of(caller: &Caller, set: change_sets::Model) -> Self {
        Self {
            id: set.id,
            state: set.state,
            comment: set.comment,
            author: set.author,
            created_at: set.created_at,
            updated_at: set.updated_at,
            version: set.version,
            base_revision: set.base_revision,
            changes_count: set.changes,
            publish_at: set.publish_at,
            publish_by: set
                .publisher
                .and_then(|author| author["name"].as_str().map(ToOwned::to_owned)),
            revision: set.revision,
            breaches: set.breaches.and_then(|breaches| serde_json::from_value(breaches).ok()),
            approved_by: set
                .approved_by
                .and_then(|author| author["name"].as_str().map(ToOwned::to_owned)),
            refusal: set.refusal.map(|refusal| masking::json(caller, refusal)),
            changes: None,
            conflicts: None,
        }
    }

    /// The complete view, with changes and conflicts.
    #[must_use]
    pub fn whole(caller: &Caller, stored: StoredChangeSet, conflicts: Vec<Conflict>) -> Self {
        let changes = stored.changes.into_iter();
        Self {
            changes: Some(changes.map(|change| shown(caller, change)).collect()),
            conflicts: Some(conflicts),
            ..Self::of(caller, stored.set)
        }
    }
}

fn shown(caller: &Caller, change: StoredChange) -> Change {
    let version = match change.edit.expected() {
        ExpectedVersion::Version(version) => Some(version),
        ExpectedVersion::Absent | ExpectedVersion::Any => None,
    };
    let resource = change.edit.resource().path().to_owned();
    let (code, method, body) = match change.edit {
        Edit::Put { code, row, .. } => (code, "put", Some(row)),
        Edit::Patch { code, patch, .. } => (code, "patch", Some(patch)),
        Edit::Delete { code, .. } => (code, "delete", None),
    };
    Change {
        number: change.number,
        resource,
        code,
        method: method.to_owned(),
        body: body.map(|body| masking::json(caller, body)),
        version,
        author: change.author,
        created_at: change.created_at,
    }
}

/// Converts conflicts, with values masked as needed for this caller.
#[must_use]
pub fn clashes_of(caller: &Caller, clashes: Vec<Clash>) -> Vec<Conflict> {
    let version = |version: Version| RowVersion {
        version: version.version,
        row: masking::json(caller, version.row.unwrap_or_default()),
    };
    let shown = |clash: Clash| Conflict {
        resource: clash.resource.path().to_owned(),
        code: clash.code,
        made_against: clash.made_against.map(version),
        stands: clash.stands.map(version),
    };
    clashes.into_iter().map(shown).collect()
}

impl ChangeSetDiff {
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = diff::text(&self.rows);
        for Conflict { resource, code, .. } in &self.conflicts {
            text.push_str(&format!("\nconflict {resource}/{code}: others changed it since\n"));
        }
        text
    }
}

impl Check {
    #[must_use]
    pub fn of(
        caller: &Caller,
        base_revision: i64,
        changed_rows: usize,
        conflicts: Vec<Conflict>,
        faults: &[Fault],
        cases_run: usize,
        failed: &[CaseResult],
    ) -> Self {
        let cases = as_json(failed).into_iter();
        Self {
            base_revision,
            publishable: conflicts.is_empty() && faults.is_empty() && failed.is_empty() && changed_rows > 0,
            changed_rows,
            conflicts,
            faults: faults
                .iter()
                .map(|fault| field_fault(fault, &EditedRow::default()))
                .collect(),
            cases_run,
            cases_failed: cases.map(|case| masking::json(caller, case)).collect(),
            findings: Vec::new(),
        }
    }

    /// Adds the lint findings.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.publishable &= !findings.iter().any(|found| found.severity == Severity::Error);
        self.findings = findings.into_iter().map(LintFinding::from).collect();
        self
    }
}
