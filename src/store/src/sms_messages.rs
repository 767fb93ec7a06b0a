//! The outbox: SMS messages to people.
//!
//! The worker changes a row only through [`save`], which checks the worker's fencing token and never changes a row in
//! a final state. Other writers first lock the row ([`locked`]) and then write it with [`record`].
//!
//! `due` finds and locks the messages that a worker must process. `lookup` finds messages about a call, to a contact or
//! with a reference. `resend` queues a message again on a person's request.

mod due;
mod lookup;
mod resend;

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{Condition, DatabaseTransaction, QuerySelect, UpdateMany};

pub use self::due::{
    DueRulebook, due_rulebooks, due_times, lock_due, lock_lapsed, lock_stale, oldest_neglected, overdue_rulebooks,
};
pub use self::lookup::{
    any_alive, call_of_reference, count_dead, newest_to, notified_by_rule, reference_to, rulebook_of, with_reference,
};
pub use self::resend::{Dead, Not, locked_dead, send_again};
use super::insertion::{insert_each, portion};

/// A row of `sms_messages`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub dedupe_key: String,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub decision_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub contact: String,
    #[sea_orm(column_type = "Text")]
    pub template: String,
    #[sea_orm(column_type = "Text")]
    pub priority: String,
    #[sea_orm(column_type = "Text")]
    pub to_number: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    #[sea_orm(column_type = "Text")]
    pub reference: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub attempts: i64,
    pub next_attempt_at: DateTimeUtc,
    pub lease_until: Option<DateTimeUtc>,
    pub fence: i64,
    #[sea_orm(column_type = "Text")]
    pub provider_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub provider_status: Option<String>,
    pub error_code: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// Number of attempts before the last manual resend.
    pub series_from: i64,
    /// When somebody last resent the message.
    pub resent_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub rule: Option<String>,
    pub held_until: Option<DateTimeUtc>,
}

impl Model {
    /// Returns the time from which the age of the message counts. This is the time of the last resend, else the end of
    /// the quiet hours, else the time of the creation.
    #[must_use]
    pub fn since(&self) -> DateTimeUtc {
        self.resent_at.or(self.held_until).unwrap_or(self.created_at)
    }

    /// Returns the number of attempts since the last manual resend.
    #[must_use]
    pub fn tries(&self) -> i64 {
        self.attempts - self.series_from
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// State: the message waits to be sent.
pub const QUEUED: &str = "queued";
/// State: a worker is sending the message. An expired lease means that the worker died.
pub const SENDING: &str = "sending";
/// State: the provider accepted the message.
pub const ACCEPTED: &str = "accepted";
/// State: the message was delivered.
pub const DELIVERED: &str = "delivered";
/// State: the message may have been sent. The worker first looks the message up at the provider.
pub const AMBIGUOUS: &str = "ambiguous";
/// State: Ringbook no longer tries to send the message, and a person decides what to do.
pub const DEAD: &str = "dead";
/// State: the message was only recorded, because its rulebook simulates SMS messages or its call is simulated.
pub const SIMULATED: &str = "simulated";

/// SQL condition for the states that the worker still processes. The states are literals, because the planner would not
/// use the index `sms_messages_due` with bound parameters.
const UNSETTLED: &str = "state IN ('queued', 'sending', 'ambiguous')";

/// Inserts each message, unless a message with the same dedupe key exists. Returns the ids of the inserted messages.
pub async fn insert_each_once(tx: &DatabaseTransaction, rows: Vec<Model>) -> Result<HashSet<Uuid>, DbErr> {
    let rows = rows.into_iter().map(ActiveModel::from);
    let like = [Column::RulebookId, Column::DedupeKey];
    insert_each(tx, rows.collect(), like, Column::Id).await
}

/// Promotes a less urgent message with the same dedupe key. The promoted message gets the content and the priority of
/// `urgent`, and is queued without delay. Only a message that quiet hours delay is promoted. If `urgent` is a P1, a
/// dead message with the reason `withheld` is promoted too. Returns whether a message was promoted.
pub async fn promote_queued(tx: &DatabaseTransaction, urgent: &Model, withheld: &str) -> Result<bool, DbErr> {
    let waits = Condition::all()
        .add(Column::State.eq(QUEUED))
        .add(Column::HeldUntil.is_not_null());
    let was_withheld = Condition::all()
        .add(Column::State.eq(DEAD))
        .add(Column::Error.eq(withheld));
    let mut either = Condition::any().add(waits);
    if urgent.priority == "P1" {
        either = either.add(was_withheld);
    }
    let done = Entity::update_many()
        .col_expr(Column::Priority, Expr::value(urgent.priority.as_str()))
        .col_expr(Column::DecisionId, Expr::value(urgent.decision_id))
        .col_expr(Column::Rule, Expr::value(urgent.rule.clone()))
        .col_expr(Column::ToNumber, Expr::value(urgent.to_number.as_str()))
        .col_expr(Column::Body, Expr::value(urgent.body.as_str()))
        .col_expr(Column::Reference, Expr::value(urgent.reference.as_str()))
        .col_expr(Column::State, Expr::value(QUEUED))
        .col_expr(Column::Error, Expr::value(None::<String>))
        .col_expr(Column::HeldUntil, Expr::value(None::<DateTimeUtc>))
        .col_expr(Column::NextAttemptAt, Expr::value(urgent.next_attempt_at))
        .col_expr(Column::CreatedAt, Expr::value(urgent.created_at))
        .col_expr(Column::UpdatedAt, Expr::value(urgent.updated_at))
        .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
        .filter(Column::RulebookId.eq(urgent.rulebook_id))
        .filter(Column::DedupeKey.eq(urgent.dedupe_key.as_str()))
        .filter(Column::Priority.gt(urgent.priority.as_str()))
        .filter(either)
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Marks messages as dead, with the reason. The same transaction must have queued the messages.
pub async fn withhold(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    mut ids: &[Uuid],
    reason: &str,
) -> Result<(), DbErr> {
    while let Some((some, rest)) = portion(ids.len()).and_then(|count| ids.split_at_checked(count)) {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(DEAD))
            .col_expr(Column::Error, Expr::value(reason))
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::Id.is_in(some.iter().copied()))
            .filter(Column::State.eq(QUEUED))
            .exec(tx)
            .await?;
        ids = rest;
    }
    Ok(())
}

/// Writes the fields that the worker may change, if the row still has the writer's fencing token and is not in a final
/// state. Returns whether the row was written. A writer with a stale token changes nothing.
pub async fn save(tx: &DatabaseTransaction, held_fence: i64, row: &Model) -> Result<bool, DbErr> {
    let held = Condition::all()
        .add(Column::Fence.eq(held_fence))
        .add(Expr::cust(UNSETTLED));
    let written = update(row).filter(held).exec(tx).await?;
    Ok(written.rows_affected > 0)
}

/// Records that messages of one rulebook were simulated, and counts an attempt for each message. `tx` must have
/// locked the messages.
pub async fn simulate_each(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    rows: &[Model],
    why: &str,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    let mut ids = rows.iter().map(|row| row.id);
    while let Some(count) = portion(ids.len()) {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(SIMULATED))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
            .col_expr(Column::LeaseUntil, Expr::value(None::<DateTimeUtc>))
            .col_expr(Column::ErrorCode, Expr::value(None::<i64>))
            .col_expr(Column::Error, Expr::value(why))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::Id.is_in(ids.by_ref().take(count)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Writes a row in any state. The transaction must have locked the row.
pub async fn record(tx: &DatabaseTransaction, row: &Model) -> Result<(), DbErr> {
    update(row).exec(tx).await?;
    Ok(())
}

fn update(row: &Model) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(row.state.clone()))
        .col_expr(Column::ToNumber, Expr::value(row.to_number.clone()))
        .col_expr(Column::Attempts, Expr::value(row.attempts))
        .col_expr(Column::NextAttemptAt, Expr::value(row.next_attempt_at))
        .col_expr(Column::LeaseUntil, Expr::value(row.lease_until))
        .col_expr(Column::Fence, Expr::value(row.fence))
        .col_expr(Column::ProviderId, Expr::value(row.provider_id.clone()))
        .col_expr(Column::ProviderStatus, Expr::value(row.provider_status.clone()))
        .col_expr(Column::ErrorCode, Expr::value(row.error_code))
        .col_expr(Column::Error, Expr::value(row.error.clone()))
        .col_expr(Column::UpdatedAt, Expr::value(row.updated_at))
        .col_expr(Column::SeriesFrom, Expr::value(row.series_from))
        .col_expr(Column::ResentAt, Expr::value(row.resent_at))
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Id.eq(row.id))
}

/// Returns a message, locked until the transaction ends.
pub async fn locked(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id))
        .lock(LockType::Update)
        .one(tx)
        .await
}
