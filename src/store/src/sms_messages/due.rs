//! Finds and locks the messages that a worker must process: due messages, messages whose worker died, and messages that
//! are too old to send.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{Condition, DatabaseTransaction, QueryOrder, QuerySelect, Statement};

use super::{AMBIGUOUS, Column, Entity, Model, QUEUED, SENDING, UNSETTLED};
use crate::notices;

/// A rulebook with due messages.
#[derive(Debug)]
pub struct DueRulebook {
    /// The id of the rulebook.
    pub id: Uuid,
    /// The code of the rulebook, for logs and notices.
    pub code: String,
    /// How its SMS messages are delivered: see [`crate::rulebooks`].
    pub sms_delivery: String,
    /// Priority of the most urgent due message.
    pub priority: String,
    /// When the oldest due message became due.
    pub oldest: DateTimeUtc,
}

/// Returns the rulebooks with messages that are due to be sent, or due to be looked up at the provider.
pub async fn due_rulebooks<C: ConnectionTrait>(db: &C, now: DateTimeUtc) -> Result<Vec<DueRulebook>, DbErr> {
    const SQL: &str = "SELECT r.id, r.code, r.sms_delivery, MIN(s.priority) AS priority, \
        MIN(s.next_attempt_at) AS oldest FROM sms_messages s \
        JOIN rulebooks r ON r.id = s.rulebook_id \
        WHERE s.state IN ('queued', 'sending', 'ambiguous') AND s.state <> 'sending' AND s.next_attempt_at <= $1 \
        GROUP BY r.id, r.code, r.sms_delivery";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), SQL, [now.into()]);
    let rows = db.query_all_raw(statement).await?;
    let read = |row: &QueryResult| {
        Ok(DueRulebook {
            id: row.try_get("", "id")?,
            code: row.try_get("", "code")?,
            sms_delivery: row.try_get("", "sms_delivery")?,
            priority: row.try_get("", "priority")?,
            oldest: row.try_get("", "oldest")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Returns the due time of the oldest message that is overdue without a known reason. Rulebooks with an open notice
/// that has one of `codes` are skipped. Such a notice reports that a worker runs, and why the worker does not send.
pub async fn oldest_neglected<C: ConnectionTrait>(
    db: &C,
    now: DateTimeUtc,
    codes: &[&str],
) -> Result<Option<DateTimeUtc>, DbErr> {
    let held_back = Query::select()
        .column(notices::Column::RulebookId)
        .from(notices::Entity)
        .and_where(notices::Column::ResolvedAt.is_null())
        .and_where(notices::Column::Code.is_in(codes.iter().copied()))
        .to_owned();
    Entity::find()
        .select_only()
        .column(Column::NextAttemptAt)
        .filter(Expr::cust(UNSETTLED))
        .filter(Column::NextAttemptAt.lte(now))
        .filter(Column::RulebookId.not_in_subquery(held_back))
        .order_by_asc(Column::NextAttemptAt)
        .limit(1)
        .into_tuple()
        .one(db)
        .await
}

fn is_due(now: DateTimeUtc) -> Condition {
    Condition::all()
        .add(Expr::cust(UNSETTLED))
        .add(Column::State.ne(SENDING))
        .add(Column::NextAttemptAt.lte(now))
}

/// Locks up to `limit` due messages of a rulebook, most urgent first, and skips messages that another worker has
/// locked. The function locks messages of only one rulebook, because a distributed database cannot lock rows of several
/// rulebooks at the same time.
pub async fn lock_due(
    tx: &DatabaseTransaction,
    now: DateTimeUtc,
    rulebook_id: Uuid,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(is_due(now))
        .order_by_asc(Column::Priority)
        .order_by_asc(Column::NextAttemptAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx)
        .await
}

/// Returns the condition for messages whose worker let the lease expire.
fn is_lapsed(now: DateTimeUtc) -> Condition {
    Condition::all()
        .add(Expr::cust(UNSETTLED))
        .add(Column::State.eq(SENDING))
        .add(Column::LeaseUntil.lte(now))
}

/// Returns the condition for messages that are too old to send. A queued message is too old if its age counts from
/// `made_before` or earlier (see [`Model::since`]). An ambiguous message is too old if its lookup has been due since
/// `made_before` or earlier. A lookup is overdue for so long if the Twilio account was removed or suspended.
fn is_stale(made_before: DateTimeUtc) -> Condition {
    let queued = Condition::all()
        .add(Column::State.eq(QUEUED))
        .add(Expr::cust("COALESCE(resent_at, held_until, created_at)").lte(made_before));
    let unknown = Condition::all()
        .add(Column::State.eq(AMBIGUOUS))
        .add(Column::NextAttemptAt.lte(made_before));
    Condition::all()
        .add(Expr::cust(UNSETTLED))
        .add(Condition::any().add(queued).add(unknown))
}

/// Locks a rulebook's messages whose worker let the lease expire.
pub async fn lock_lapsed(
    tx: &DatabaseTransaction,
    now: DateTimeUtc,
    rulebook_id: Uuid,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    lock_some(tx, rulebook_id, is_lapsed(now), limit).await
}

/// Locks a rulebook's messages that are too old to send. A queued message is too old if its age counts from
/// `made_before` or earlier. An ambiguous message is too old if it was due at `made_before` or earlier.
pub async fn lock_stale(
    tx: &DatabaseTransaction,
    made_before: DateTimeUtc,
    rulebook_id: Uuid,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    lock_some(tx, rulebook_id, is_stale(made_before), limit).await
}

async fn lock_some(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    which: Condition,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(which)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx)
        .await
}

/// Returns the rulebooks for which [`lock_lapsed`] or [`lock_stale`] would find messages. The query runs outside a
/// transaction, so that an idle worker never takes SQLite's write lock.
pub async fn overdue_rulebooks<C: ConnectionTrait>(
    db: &C,
    now: DateTimeUtc,
    made_before: DateTimeUtc,
) -> Result<Vec<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .distinct()
        .filter(Condition::any().add(is_lapsed(now)).add(is_stale(made_before)))
        .into_tuple()
        .all(db)
        .await
}

/// Returns two due times: of the oldest message that is due at `now`, and of the next message that becomes due after
/// `now`.
pub async fn due_times<C: ConnectionTrait>(
    db: &C,
    now: DateTimeUtc,
) -> Result<(Option<DateTimeUtc>, Option<DateTimeUtc>), DbErr> {
    let first = |when| {
        Entity::find()
            .select_only()
            .column(Column::NextAttemptAt)
            .filter(Expr::cust(UNSETTLED))
            .filter(when)
            .order_by_asc(Column::NextAttemptAt)
            .limit(1)
            .into_tuple::<DateTimeUtc>()
    };
    let oldest = first(Column::NextAttemptAt.lte(now)).one(db).await?;
    let next = first(Column::NextAttemptAt.gt(now)).one(db).await?;
    Ok((oldest, next))
}
