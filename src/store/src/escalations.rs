//! Escalations: contacts are notified of a P1, one step after another, until somebody acknowledges the call.
//!
//! Each call has at most one row. An instance that advances an escalation locks its row. An acknowledgement is written
//! only if nobody has acknowledged the call yet. So only one of two concurrent acknowledgements succeeds. The person
//! whose acknowledgement fails can see who was first.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::insertion::insert_each;
use super::{notices, sms_messages};

/// A row of `escalations`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "escalations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub decision_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub template: Option<String>,
    pub after_s: i64,
    pub step: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub told: Json,
    pub started_at: DateTimeUtc,
    pub next_at: Option<DateTimeUtc>,
    pub acknowledged_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub acknowledged_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub acknowledged_how: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub comment: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Step: the first contacts are notified.
pub const FIRST: i64 = 0;
/// Step: the next contact is notified.
pub const NEXT: i64 = 1;
/// Step: all other contacts are notified.
pub const ALL: i64 = 2;
/// Step: no contact is left to notify. A notice reports this.
pub const NOBODY_LEFT: i64 = 3;

/// Code of the notice that is raised when nobody acknowledged a P1.
pub const NOT_TAKEN: &str = "p1_not_taken";
/// Code of the notice that is raised when somebody objects to an acknowledgement by SMS reply.
pub const CONTESTED: &str = "p1_contested";
/// Value of [`Taker::how`] for an acknowledgement by SMS reply.
pub const BY_REPLY: &str = "reply";

/// The contacts notified at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedStep {
    pub step: i64,
    /// When the contacts were notified.
    pub at: DateTimeUtc,
    /// Codes of the contacts.
    pub contacts: Vec<String>,
}

/// Who acknowledged a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// The code of the contact, or the name of the person, who acknowledged the call.
    pub by: String,
    /// `reply` or `api`.
    pub how: &'static str,
    /// Comment of the person who acknowledged the call.
    pub comment: Option<String>,
}

impl Model {
    /// Creates an escalation that has notified no contact and has no next step.
    #[must_use]
    pub fn untold(rulebook_id: Uuid, id: Uuid, call_id: &str, now: DateTimeUtc) -> Self {
        Self {
            rulebook_id,
            id,
            call_id: Some(call_id.to_owned()),
            decision_id: None,
            template: None,
            after_s: 0,
            step: FIRST,
            told: Json::Array(Vec::new()),
            started_at: now,
            next_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            acknowledged_how: None,
            comment: None,
        }
    }

    /// Returns all steps, each with the contacts that were notified at this step.
    #[must_use]
    pub fn steps(&self) -> Vec<NotifiedStep> {
        serde_json::from_value(self.told.clone()).unwrap_or_default()
    }

    /// Returns the codes of the contacts that were notified at the current step.
    #[must_use]
    pub fn told_now(&self) -> Vec<String> {
        let steps = self.steps().into_iter().filter(|told| told.step == self.step);
        steps.flat_map(|told| told.contacts).collect()
    }

    /// Returns the escalation with `told` added as its current step.
    #[must_use]
    pub fn with_step(mut self, told: NotifiedStep) -> Self {
        self.step = told.step;
        let steps: Vec<NotifiedStep> = self.steps().into_iter().chain([told]).collect();
        self.told = serde_json::to_value(steps).unwrap_or_default();
        self
    }

    /// Subject of notices about this escalation.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.call_id {
            Some(call) => format!("call {call}"),
            None => format!("escalation {}", self.id),
        }
    }
}

/// Starts each escalation whose call has no escalation yet. Returns the ids of the started escalations.
pub async fn start(tx: &DatabaseTransaction, rows: Vec<Model>) -> Result<HashSet<Uuid>, DbErr> {
    let rows = rows.into_iter().map(ActiveModel::from);
    let like = [Column::RulebookId, Column::CallId];
    insert_each(tx, rows.collect(), like, Column::Id).await
}

/// Returns the due escalations, earliest first.
pub async fn due<C: ConnectionTrait>(db: &C, now: DateTimeUtc, limit: u64) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::RulebookId, Column::Id])
        .filter(Column::NextAt.is_not_null())
        .filter(Column::NextAt.lte(now))
        .order_by_asc(Column::NextAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Returns the number of escalations with a next step, and when the earliest next step is due.
pub async fn running<C: ConnectionTrait>(db: &C) -> Result<(u64, Option<DateTimeUtc>), DbErr> {
    let found = Entity::find()
        .select_only()
        .column_as(Expr::cust("count(*)"), "many")
        .column_as(Column::NextAt.min(), "next")
        .filter(Column::NextAt.is_not_null())
        .into_tuple::<(i64, Option<DateTimeUtc>)>()
        .one(db)
        .await?;
    Ok(found.map_or((0, None), |(many, next)| {
        (u64::try_from(many).unwrap_or_default(), next)
    }))
}

/// Locks a due escalation. `None` if the escalation is no longer due, or if another transaction has locked it.
pub async fn lock_due(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    now: DateTimeUtc,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id))
        .filter(Column::NextAt.lte(now))
        .filter(Column::AcknowledgedAt.is_null())
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(tx)
        .await
}

/// Stores the progress of an escalation. `tx` must have locked its row.
pub async fn advance(tx: &DatabaseTransaction, row: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Step, Expr::value(row.step))
        .col_expr(Column::Told, Expr::value(row.told.clone()))
        .col_expr(Column::NextAt, Expr::value(row.next_at))
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Id.eq(row.id))
        .filter(Column::AcknowledgedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes the next step of a call's escalation due now, because a message to `contact` will not arrive. The function
/// does nothing if another message of the current step was accepted or may still arrive. The recipient of that message
/// then has the full time to respond.
pub async fn escalate_now(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    contact: &str,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    // Lock the row. If two transactions give up messages at the same time, the second must see the change of the first.
    let found = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::NextAt.gt(now))
        .lock(LockType::Update)
        .one(tx)
        .await?;
    let Some(row) = found else { return Ok(()) };
    let told = row.told_now();
    if !told.iter().any(|code| code == contact) || sms_messages::any_alive(tx, rulebook_id, call_id, &told).await? {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes the next step due now for every call whose current step notified only this contact. Call this function for a
/// contact who no longer gets SMS messages.
pub async fn skip_contact(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    contact: &str,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    let waiting = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::AcknowledgedAt.is_null())
        .filter(Column::NextAt.gt(now))
        .lock(LockType::Update)
        .all(tx)
        .await?;
    for row in waiting
        .iter()
        .filter(|row| row.told_now().iter().all(|code| code == contact))
    {
        Entity::update_many()
            .col_expr(Column::NextAt, Expr::value(now))
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::Id.eq(row.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Records who acknowledged an escalation, and resolves the notices about it. Changes nothing if somebody has already
/// acknowledged the escalation. Returns whether the acknowledgement was recorded.
pub async fn take(tx: &DatabaseTransaction, row: &Model, taker: &Taker, now: DateTimeUtc) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::AcknowledgedAt, Expr::value(now))
        .col_expr(Column::AcknowledgedBy, Expr::value(taker.by.clone()))
        .col_expr(Column::AcknowledgedHow, Expr::value(taker.how))
        .col_expr(Column::Comment, Expr::value(taker.comment.clone()))
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Id.eq(row.id))
        .filter(Column::AcknowledgedAt.is_null())
        .exec(tx)
        .await?;
    let taken = done.rows_affected > 0;
    if taken {
        for code in [NOT_TAKEN, CONTESTED] {
            notices::resolve(tx, row.rulebook_id, code, &row.subject(), now).await?;
        }
    }
    Ok(taken)
}

/// Reopens an escalation that was acknowledged by SMS reply, and makes its next step due now. Returns false if the
/// escalation was not acknowledged by a reply.
pub async fn reopen(tx: &DatabaseTransaction, row: &Model, now: DateTimeUtc) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .col_expr(Column::AcknowledgedAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::AcknowledgedBy, Expr::value(None::<String>))
        .col_expr(Column::AcknowledgedHow, Expr::value(None::<String>))
        .col_expr(Column::Comment, Expr::value(None::<String>))
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Id.eq(row.id))
        .filter(Column::AcknowledgedHow.eq(BY_REPLY))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Records who acknowledged a call, whether or not the call has an escalation. If the call has no escalation, a row
/// with `id` is inserted. Returns false if somebody has already acknowledged the call.
pub async fn take_call(
    tx: &DatabaseTransaction,
    (rulebook_id, id): (Uuid, Uuid),
    call_id: &str,
    taker: &Taker,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    let row = Model {
        acknowledged_at: Some(now),
        acknowledged_by: Some(taker.by.clone()),
        acknowledged_how: Some(taker.how.to_owned()),
        comment: taker.comment.clone(),
        ..Model::untold(rulebook_id, id, call_id, now)
    };
    if !start(tx, vec![row]).await?.is_empty() {
        return Ok(true);
    }
    match of_call(tx, rulebook_id, call_id).await? {
        Some(row) => take(tx, &row, taker, now).await,
        None => Ok(false),
    }
}

/// The escalation of a call.
pub async fn of_call<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, call_id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .one(db)
        .await
}

/// Escalations of several calls.
pub async fn of_calls<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    mut calls: Vec<&str>,
) -> Result<Vec<Model>, DbErr> {
    let Some(last) = calls.last().copied() else {
        return Ok(Vec::new());
    };
    // Each number of placeholders needs its own prepared statement, so round the number up to a power of two.
    calls.resize(calls.len().next_power_of_two(), last);
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.is_in(calls))
        .all(db)
        .await
}

/// Returns the escalations that nobody has acknowledged, newest first.
pub async fn open(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    since: DateTimeUtc,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::AcknowledgedAt.is_null())
        .filter(Column::StartedAt.gte(since))
        .order_by_desc(Column::StartedAt)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(tx)
        .await
}

/// Returns the escalations that were acknowledged since `since`, latest acknowledgement first.
pub async fn taken(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    since: DateTimeUtc,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::AcknowledgedAt.gte(since))
        .order_by_desc(Column::AcknowledgedAt)
        .limit(limit)
        .all(tx)
        .await
}
