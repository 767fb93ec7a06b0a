//! The audit log: who changed what, when, from what to what.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::across::{RULEBOOK, rulebooks};
use super::answer::{Found, Page};
use super::auth::{Key, Viewer};
use super::fails::{Fails, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::masking;
use super::state::AdminState;
use crate::store::{audit_log, page};

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-at", "at"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "resource",
            kind: Kind::Text,
            doc: "What kind of thing was changed, as `services`.",
        },
        Filter {
            name: "code",
            kind: Kind::Text,
            doc: "Which one.",
        },
        Filter {
            name: "action",
            kind: Kind::Text,
            doc: "What was done, as `update`.",
        },
        Filter {
            name: "actor",
            kind: Kind::Text,
            doc: "The name of the key that did it.",
        },
        Filter {
            name: "since",
            kind: Kind::Time,
            doc: "At this instant or later.",
        },
        Filter {
            name: "until",
            kind: Kind::Time,
            doc: "Before this instant.",
        },
    ],
};

/// The operation.
pub struct AuditLogApi(pub AdminState);

/// A change somebody made.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct AuditEntry {
    /// Its id.
    id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// Who: the name of the key, or of the command.
    actor: String,
    /// With which key.
    actor_key_id: Option<Uuid>,
    /// From which address.
    address: Option<String>,
    /// In which request.
    request_id: Option<String>,
    /// The rulebook's code.
    rulebook: Option<String>,
    /// What was done.
    action: String,
    /// To what kind of thing.
    resource: String,
    /// To which one.
    code: String,
    /// The revision that came of it.
    revision: Option<i64>,
    /// What it was; numbers are masked for viewers.
    before: Option<Value>,
    /// What it became; numbers are masked for viewers.
    after: Option<Value>,
}

#[OpenApi(prefix_path = "/admin/v1/audit-log")]
impl AuditLogApi {
    /// List the audit log
    #[oai(path = "/", method = "get")]
    async fn list_audit_log(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<Found<Page<AuditEntry>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = audit_log::Entity::find().filter(seen.filter(audit_log::Column::RulebookId));
        for (name, column) in [
            ("resource", audit_log::Column::Resource),
            ("code", audit_log::Column::Code),
            ("action", audit_log::Column::Action),
            ("actor", audit_log::Column::Actor),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(audit_log::Column::At.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(audit_log::Column::At.lt(until));
        }
        let (by, id) = (audit_log::Column::At, audit_log::Column::Id);
        let sorting = page::Sorting {
            by,
            id,
            descending: listing.descending,
        };
        let after = match (listing.after_time()?, listing.after_id()) {
            (Some((at, _)), Ok(Some(id))) => Some((at.into(), id.into())),
            (_, Err(problem)) => return Err(problem.into()),
            _ => None,
        };
        let rows = page::rows(&self.0.read, select, sorting, after, listing.limit).await?;
        let view = |row: audit_log::Model| AuditEntry {
            id: row.id,
            at: row.at,
            actor: row.actor,
            actor_key_id: row.actor_key_id,
            address: row.address,
            request_id: row.request_id,
            rulebook: row.rulebook_id.map(|id| seen.code(id)),
            action: row.action,
            resource: row.resource,
            code: row.code,
            revision: row.revision,
            before: row.before.map(|value| masking::json(&key, value)),
            after: row.after.map(|value| masking::json(&key, value)),
        };
        Ok(Found::new(listing.page(
            rows,
            |row| (row.at.to_rfc3339().into(), row.id.to_string()),
            view,
        )))
    }
}
