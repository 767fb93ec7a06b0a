//! Notices: what a person should know, and what to do about it.

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
use crate::store::notices;

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "code",
            kind: Kind::Text,
            doc: "Those of one kind.",
        },
        Filter {
            name: "severity",
            kind: Kind::Choice(&["info", "warning", "urgent"]),
            doc: "How bad it is.",
        },
        Filter {
            name: "resolved",
            kind: Kind::Boolean,
            doc: "Whether it is over.",
        },
    ],
};

/// The operation.
pub struct NoticesApi(pub AdminState);

/// Something a person should know; ids rise with time.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Notice {
    /// Its id.
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// What kind of notice it is.
    code: String,
    /// `info`, `warning` or `urgent`.
    severity: String,
    /// What it is about.
    subject: String,
    /// What happened.
    text: String,
    /// What to do about it.
    what_to_do: String,
    /// How often it happened.
    count: i64,
    /// When it happened first.
    first_at: DateTime<Utc>,
    /// When it happened last.
    last_at: DateTime<Utc>,
    /// When it was over.
    resolved_at: Option<DateTime<Utc>>,
}

#[OpenApi(prefix_path = "/admin/v1/notices")]
impl NoticesApi {
    /// List the notices
    #[oai(path = "/", method = "get")]
    async fn list_notices(&self, key: Key<Viewer>, query: ListQuery) -> Result<Found<Page<Notice>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = notices::Entity::find().filter(seen.filter(notices::Column::RulebookId));
        for (name, column) in [("code", notices::Column::Code), ("severity", notices::Column::Severity)] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        match listing.boolean("resolved") {
            Some(true) => select = select.filter(notices::Column::ResolvedAt.is_not_null()),
            Some(false) => select = select.filter(notices::Column::ResolvedAt.is_null()),
            None => {}
        }
        let rows = listing.rows_by_id(&self.0.read, select, notices::Column::Id).await?;
        let view = |row: notices::Model| Notice {
            id: row.id,
            rulebook: seen.code(row.rulebook_id),
            code: row.code,
            severity: row.severity,
            subject: masking::text(&key, Some(row.subject)).unwrap_or_default(),
            text: masking::text(&key, Some(row.text)).unwrap_or_default(),
            what_to_do: row.what_to_do,
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            resolved_at: row.resolved_at,
        };
        Ok(Found::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            view,
        )))
    }
}
