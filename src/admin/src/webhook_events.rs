//! Serves webhook events: every authentic message with its keys, its response and its raw body.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec, is_value};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::scope::{RULEBOOK, Rulebooks, rulebooks};
use super::state::AdminState;
use store::webhook_events;
use web::problem::Problem;

/// The states of a message.
pub const STATES: [&str; 4] = ["recorded", "amendment", "unreadable", "poisoned"];
const ORIGINS: [&str; 4] = ["live", "drained", "reconciled", "replayed"];

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "type",
            kind: FilterType::Text,
            doc: "The type, such as `end-of-call-report`.",
        },
        Filter {
            name: "call_id",
            kind: FilterType::Text,
            doc: "The call's id.",
        },
        Filter {
            name: "state",
            kind: FilterType::Choice(&STATES),
            doc: "The state: `unreadable` and `poisoned` are dead letters, stored raw and without effect.",
        },
        Filter {
            name: "origin",
            kind: FilterType::Choice(&ORIGINS),
            doc: "The source: `reconciled` events come from Vapi's list of calls, because no report arrived.",
        },
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "Events received at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Events received before this instant.",
        },
    ],
};

/// The operations on webhook events.
pub struct WebhookEventsApi(pub AdminState);

/// A received message; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookEvent {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// The message's type.
    r#type: String,
    /// The call that the message is about.
    call_id: Option<String>,
    /// The key by which duplicates are detected.
    business_key: String,
    /// When Vapi created the message.
    message_at: Option<DateTime<Utc>>,
    /// When the message arrived.
    received_at: DateTime<Utc>,
    /// The state.
    state: String,
    /// The event that this event amends.
    amends: Option<Uuid>,
    /// The event's source: `live`, `drained` from the spool, `reconciled` with Vapi's list, or `replayed`.
    origin: String,
    /// Why the event was dead-lettered.
    set_aside: Option<String>,
    /// The response to the message.
    answer: Value,
}

/// A message with its body.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct WebhookEventDetail {
    /// The event.
    event: WebhookEvent,
    /// The body as JSON; absent if it was erased or is not JSON. Numbers are masked for viewers.
    body: Option<Value>,
}

#[OpenApi(prefix_path = "/admin/v1/webhook-events")]
impl WebhookEventsApi {
    /// List the webhook events
    #[oai(path = "/", method = "get")]
    async fn list_webhook_events(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<WebhookEvent>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut select = webhook_events::Entity::find().filter(seen.filter(webhook_events::Column::RulebookId));
        for (name, column) in [
            ("type", webhook_events::Column::Kind),
            ("call_id", webhook_events::Column::CallId),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        for (name, column, usual) in [
            ("state", webhook_events::Column::State, "recorded"),
            ("origin", webhook_events::Column::Origin, "live"),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(is_value(column, usual, text));
            }
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(webhook_events::Column::ReceivedAt.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(webhook_events::Column::ReceivedAt.lt(until));
        }
        let rows = listing
            .rows_by_id(self.0.read(), select, webhook_events::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&key, &seen, row),
        )))
    }

    /// Read a webhook event with its body
    #[oai(path = "/:id", method = "get")]
    async fn get_webhook_event(
        &self,
        key: Key<Viewer>,
        /// The event's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<WebhookEventDetail>, Fails<NoExtraErrors>> {
        let seen = rulebooks(&self.0, &key, None).await?;
        let found = webhook_events::Entity::find()
            .filter(webhook_events::Column::Id.eq(id.0))
            .filter(seen.filter(webhook_events::Column::RulebookId))
            .one(self.0.read())
            .await?;
        let mut row = found.ok_or_else(|| Problem::not_found(format!("webhook event `{}`", id.0)))?;
        let body = row.raw_body()?.and_then(|body| serde_json::from_slice(&body).ok());
        Ok(ReadResponse::new(WebhookEventDetail {
            body: body.map(|body| masking::json(&key, body)),
            event: view(&key, &seen, row),
        }))
    }
}

fn view(caller: &Caller, seen: &Rulebooks, row: webhook_events::Model) -> WebhookEvent {
    WebhookEvent {
        id: row.id,
        rulebook: seen.code(row.rulebook_id),
        r#type: row.kind,
        call_id: row.call_id,
        business_key: row.business_key,
        message_at: row.message_at,
        received_at: row.received_at,
        state: row.state,
        amends: row.amends,
        origin: row.origin,
        set_aside: row.set_aside,
        answer: masking::json(caller, row.answer),
    }
}
