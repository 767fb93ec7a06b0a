//! Serves notices: problems that need a person's attention, each with what to do.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Caller, Dispatcher, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, Resolving};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::scope::{RULEBOOK, Rulebooks, rulebooks};
use super::state::AdminState;
use store::notices;
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "code",
            kind: FilterType::Text,
            doc: "Notices of one kind.",
        },
        Filter {
            name: "severity",
            kind: FilterType::Choice(&["info", "warning", "urgent"]),
            doc: "The severity.",
        },
        Filter {
            name: "resolved",
            kind: FilterType::Boolean,
            doc: "Whether the notice is resolved.",
        },
    ],
};

/// The operations on notices.
pub struct NoticesApi(pub AdminState);

/// A notice; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Notice {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// The kind of notice.
    code: String,
    /// `info`, `warning` or `urgent`.
    severity: String,
    /// What the notice is about.
    subject: String,
    /// What happened.
    text: String,
    /// What to do about the problem.
    what_to_do: String,
    /// How often the problem happened.
    count: i64,
    /// When the problem happened first.
    first_at: DateTime<Utc>,
    /// When the problem happened last.
    last_at: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
    /// Who resolved the notice; absent if Ringbook resolved it.
    resolved_by: Option<String>,
    /// The comment.
    comment: Option<String>,
    /// When the operator was notified by SMS.
    told_at: Option<DateTime<Utc>>,
}

/// The resolution of a notice.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ResolveNotice {
    /// What was done about the problem, in at most 1,000 characters.
    #[serde(default)]
    #[oai(validator(max_length = 1000))]
    comment: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1/notices")]
impl NoticesApi {
    /// List the notices
    #[oai(path = "/", method = "get")]
    async fn list_notices(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<Notice>>, Fails<NoExtraErrors>> {
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
        let rows = listing.rows_by_id(self.0.read(), select, notices::Column::Id).await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&key, &seen, row),
        )))
    }

    /// Read a notice
    #[oai(path = "/:id", method = "get")]
    async fn get_notice(
        &self,
        key: Key<Viewer>,
        /// The notice's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Notice>, Fails<NoExtraErrors>> {
        let row = self.find(&key, id.0).await?;
        let seen = rulebooks(&self.0, &key, None).await?;
        Ok(ReadResponse::new(view(&key, &seen, row)))
    }

    /// Resolve a notice
    ///
    /// In `comment`, say what was done about the problem. If the cause of a notice ends, such as an outage of Twilio,
    /// Ringbook resolves the notice. If the cause returns, there is a new notice.
    #[oai(path = "/:id/resolve", method = "post")]
    async fn resolve_notice(
        &self,
        key: Key<Dispatcher>,
        /// The notice's id.
        id: Path<Uuid>,
        body: Body<ResolveNotice>,
    ) -> Result<ReadResponse<Notice>, Fails<Resolving>> {
        let comment = body.0.comment.map(|text| text.trim().to_owned());
        let comment = comment.filter(|text| !text.is_empty());
        let row = self.find(&key, id.0).await?;
        let over = || Problem::new(Code::Conflict, "The notice is resolved already.");
        if row.resolved_at.is_some() {
            return Err(over().into());
        }
        // The audit entry omits the comment. The comment is free text, so it is stored only with the notice, where it
        // can be deleted.
        let told = (Some(json!({"resolved": false})), Some(json!({"resolved": true})));
        let what = ("resolve", "notices", &*row.id.to_string());
        let entry = audited_write::entry(&self.0, &key, Some(row.rulebook_id), what, told.0, told.1);
        let (now, by, one) = (self.0.clock.now(), key.name.clone(), (row.rulebook_id, row.id));
        let resolved = notices::Model {
            resolved_at: Some(now),
            resolved_by: Some(by.clone()),
            comment: comment.clone(),
            ..row
        };
        let resolve = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { notices::resolve_id(tx, one.0, one.1, &by, comment.as_deref(), now).await })
        });
        if !resolve.await? {
            return Err(over().into());
        }
        let seen = rulebooks(&self.0, &key, None).await?;
        Ok(ReadResponse::new(view(&key, &seen, resolved)))
    }
}

impl NoticesApi {
    /// Finds a notice that the API caller may see.
    async fn find(&self, caller: &Caller, id: Uuid) -> Result<notices::Model, Problem> {
        let found = notices::Entity::find()
            .filter(notices::Column::Id.eq(id))
            .one(self.0.latest())
            .await?;
        found
            .filter(|row| caller.sees(row.rulebook_id))
            .ok_or_else(|| Problem::not_found(format!("notice `{id}`")))
    }
}

fn view(caller: &Caller, seen: &Rulebooks, row: notices::Model) -> Notice {
    Notice {
        id: row.id,
        rulebook: seen.code(row.rulebook_id),
        code: row.code,
        severity: row.severity,
        subject: masking::text(caller, Some(row.subject)).unwrap_or_default(),
        text: masking::text(caller, Some(row.text)).unwrap_or_default(),
        what_to_do: row.what_to_do,
        count: row.count,
        first_at: row.first_at,
        last_at: row.last_at,
        resolved_at: row.resolved_at,
        resolved_by: row.resolved_by,
        comment: masking::text(caller, row.comment),
        told_at: row.told_at,
    }
}
