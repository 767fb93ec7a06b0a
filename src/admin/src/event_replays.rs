//! Replays stored messages, one or several.
//!
//! A replay runs the same transaction with the same keys as a new message, so an effect never happens twice. The
//! function that replays a message is in the crate `intake`; the program passes it to the admin API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder as _, QuerySelect as _};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::audited_write;
use super::auth::{Admin, Caller, Key};
use super::body::Body;
use super::errors::{Fails, NamesRulebook, NoExtraErrors};
use super::responses::ReadResponse;
use super::scope::{Rulebooks, rulebooks};
use super::state::{AdminState, shortened};
use super::webhook_events::STATES;
use store::dry_run;
use store::webhook_events;
use web::problem::{FieldFault, Problem};

/// The default number of messages per request.
const USUAL_REPLAYS: u64 = 50;
/// Maximum number of messages per request.
const MOST_REPLAYS: u64 = 200;

pub struct EventReplaysApi(pub AdminState);

/// The result of replaying a message.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ReplayedEvent {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// `recorded`: the message has its effect now. `duplicate`: it had its effect before; nothing was done.
    /// `amendment`: it amends the recorded event. `unreadable` or `poisoned`: it still cannot be processed. `erased`:
    /// its body no longer exists. `archived`: the rulebook accepts no messages.
    became: String,
}

/// Which messages to replay. An omitted field does not restrict the selection.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayFilter {
    /// Only events of this rulebook.
    rulebook: Option<String>,
    /// Only events in this state: `recorded`, `amendment`, `unreadable` or `poisoned`.
    state: Option<String>,
    /// Only events of this type, such as `end-of-call-report`; unreadable events have the type `unreadable`.
    r#type: Option<String>,
    /// Only events received at this instant or later.
    since: Option<DateTime<Utc>>,
    /// Only events received before this instant.
    until: Option<DateTime<Utc>>,
    /// Only events after this event: send the `next` of the previous response.
    after: Option<Uuid>,
    /// The maximum number of messages; by default 50. The oldest come first.
    #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
    limit: Option<u64>,
}

/// The results of replaying messages.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ReplayResults {
    /// One result per message, the oldest message first.
    items: Vec<ReplayedEvent>,
    /// Present if there are more messages: send it as `after` in the next request.
    next: Option<Uuid>,
}

#[OpenApi(prefix_path = "/admin/v1/webhook-events")]
impl EventReplaysApi {
    /// Replay a stored message
    ///
    /// Processes the message again under the same key. Replays are idempotent: an effect that happened does not happen
    /// again. A dead-lettered message that can be processed now gets its effect. If the message was received more than
    /// half an hour ago, it notifies nobody.
    #[oai(path = "/:id/replay", method = "post")]
    async fn replay_webhook_event(
        &self,
        key: Key<Admin>,
        /// The event's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<ReplayedEvent>, Fails<NoExtraErrors>> {
        let seen = rulebooks(&self.0, &key, None).await?;
        let found = webhook_events::Entity::find()
            .filter(webhook_events::Column::Id.eq(id.0))
            .filter(seen.filter(webhook_events::Column::RulebookId))
            .one(self.0.latest())
            .await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("webhook event `{}`", id.0)))?;
        let (rulebook_id, code) = (Some(row.rulebook_id), id.0.to_string());
        let mut replayed = self.replayed(&key, rulebook_id, &code, vec![row], &seen).await?;
        let replayed = replayed.pop();
        Ok(ReadResponse::new(replayed.ok_or_else(|| {
            Problem::not_found(format!("webhook event `{}`", id.0))
        })?))
    }

    /// Replay several stored messages
    ///
    /// Replays each message like `replay_webhook_event`, the oldest first. If a message still cannot be processed, the
    /// others are replayed all the same.
    #[oai(path = "/replay", method = "post")]
    async fn replay_webhook_events(
        &self,
        key: Key<Admin>,
        body: Body<ReplayFilter>,
    ) -> Result<ReadResponse<ReplayResults>, Fails<NamesRulebook>> {
        let set = body.0;
        let seen = rulebooks(&self.0, &key, None).await?;
        let limit = checked(&set)?;
        let mut select = webhook_events::Entity::find().filter(seen.filter(webhook_events::Column::RulebookId));
        let mut rulebook_id = key.rulebook_id;
        if let Some(code) = &set.rulebook {
            let id = seen.id(code);
            let id = id.ok_or_else(|| Problem::not_found(format!("rulebook `{}`", shortened(code))))?;
            select = select.filter(webhook_events::Column::RulebookId.eq(id));
            rulebook_id = Some(id);
        }
        for (column, wanted) in [
            (webhook_events::Column::State, &set.state),
            (webhook_events::Column::Kind, &set.r#type),
        ] {
            if let Some(wanted) = wanted {
                select = select.filter(column.eq(wanted.as_str()));
            }
        }
        if let Some(since) = set.since {
            select = select.filter(webhook_events::Column::ReceivedAt.gte(since));
        }
        if let Some(until) = set.until {
            select = select.filter(webhook_events::Column::ReceivedAt.lt(until));
        }
        if let Some(after) = set.after {
            select = select.filter(webhook_events::Column::Id.gt(after));
        }
        let select = select.order_by_asc(webhook_events::Column::Id).limit(limit + 1);
        let mut rows = select.all(self.0.latest()).await?;
        let more = u64::try_from(rows.len()).is_ok_and(|found| found > limit);
        if more {
            rows.pop();
        }
        let next = rows.last().map(|row| row.id).filter(|_| more);
        let items = self.replayed(&key, rulebook_id, "set", rows, &seen).await?;
        Ok(ReadResponse::new(ReplayResults { items, next }))
    }
}
impl EventReplaysApi {
    /// Replays messages in order, in a task that a disconnecting client cannot interrupt, and writes the audit entry.
    async fn replayed(
        &self,
        caller: &Caller,
        rulebook_id: Option<Uuid>,
        code: &str,
        rows: Vec<webhook_events::Model>,
        seen: &Rulebooks,
    ) -> Result<Vec<ReplayedEvent>, Problem> {
        let rows: Vec<_> = rows.into_iter().map(|row| (seen.code(row.rulebook_id), row)).collect();
        let mut entry = audited_write::entry(
            &self.0,
            caller,
            rulebook_id,
            ("replay", "webhook-events", code),
            None,
            None,
        );
        let state = self.0.clone();
        let task = dry_run::spawn(async move {
            let mut replayed = Vec::with_capacity(rows.len());
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            let mut failed = None;
            for (rulebook, row) in rows {
                let id = row.id;
                match (state.from_webhook.replay_message)(rulebook.clone(), row).await {
                    Ok(became) => {
                        *counts.entry(became).or_default() += 1;
                        let became = became.to_owned();
                        replayed.push(ReplayedEvent { id, rulebook, became });
                    }
                    // The database is unavailable, so the other messages would fail too.
                    Err(problem) => {
                        failed = Some(problem);
                        break;
                    }
                }
            }
            if !counts.is_empty() {
                entry.after = Some(json!(counts));
                audited_write::write(&state, entry, |_| Box::pin(async { Ok(true) })).await?;
            }
            failed.map_or(Ok(replayed), Err)
        });
        task.await.map_err(|error| Problem::internal(&error))?
    }
}

/// Validates the request, and returns the maximum number of messages to replay.
fn checked(set: &ReplayFilter) -> Result<u64, Problem> {
    let mut faults = Vec::new();
    if set.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        let known = STATES.join("`, `");
        faults.push(FieldFault::new(
            "/state",
            "invalid_value",
            format!("`state` must be one of `{known}`."),
        ));
    }
    let limit = set.limit.unwrap_or(USUAL_REPLAYS);
    if !(1..=MOST_REPLAYS).contains(&limit) {
        let detail = format!("`limit` must be from 1 to {MOST_REPLAYS}.");
        faults.push(FieldFault::new("/limit", "invalid_value", detail));
    }
    if set.r#type.as_deref().is_some_and(|kind| kind.contains('\0')) {
        faults.push(FieldFault::new(
            "/type",
            "invalid_value",
            "`type` must not contain a NUL.",
        ));
    }
    if !faults.is_empty() {
        return Err(Problem::unprocessable(faults));
    }
    Ok(limit)
}
