//! Defines the request and response types of change sets. Viewers see masked phone numbers.

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Object};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::parse_edits::NewChange;
use crate::auth::Caller;
use crate::masking;
use crate::responses::Json;
use authoring::change_set::{Edit, ExpectedVersion};
use revisions::publish::change_sets::{StoredChange, StoredChangeSet};
use revisions::publish::refusal::{Clash, Version};
use store::change_sets;

/// A change set to open.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewChangeSet {
    /// A description, which becomes the revision's comment.
    #[serde(default)]
    #[oai(default, validator(max_length = 500))]
    pub(super) comment: String,
    /// The first changes; more can be added.
    #[serde(default)]
    #[oai(default)]
    pub(super) changes: Vec<NewChange>,
}

/// How a change set is published.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The comment of the revision; by default the change set's own comment.
    #[oai(validator(max_length = 500))]
    pub(super) comment: Option<String>,
    /// An instant, such as `2026-05-01T08:00:00-04:00`, or a time in the rulebook's time zone, `2026-05-01T08:00`.
    /// Default: now.
    pub(super) at: Option<String>,
}

/// The response after a change set was opened.
#[derive(ApiResponse)]
pub enum OpenChangeSetResponse {
    /// The open change set; it changes nothing until it is published.
    #[oai(status = 201)]
    Created(Json<ChangeSetState>, #[oai(header = "ETag")] String),
}

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
    /// Rises with every change. Send this version with a change.
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
    /// Why the change set was rejected or its scheduled publish failed: `code`, `detail`, and `conflicts`, `faults` or
    /// `cases`.
    refusal: Option<Value>,
    /// The changes, in order; absent in lists.
    changes: Option<Vec<Change>>,
    /// Rows that others changed after the set did; the set cannot publish these rows. Absent in lists.
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
    /// The base version: the version of the row that the change was made against; absent for a new row.
    version: Option<i64>,
    /// Who added the change.
    author: String,
    created_at: DateTime<Utc>,
}

/// A row that others changed after the change set did.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Conflict {
    /// The kind of row.
    pub(super) resource: String,
    /// The code.
    pub(super) code: String,
    /// The base version of the row; absent for a new row.
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

impl ChangeSetState {
    /// Returns the view for lists, which omits changes and conflicts.
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

    /// Returns the complete view, which includes changes and conflicts.
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

/// Converts conflicts to response values, masked as needed for this API caller.
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
