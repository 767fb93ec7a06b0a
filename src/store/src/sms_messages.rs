//! The outbox: SMS messages to people.
//!
//! The worker changes a row only through [`save`], which checks the worker's fencing token and never changes a row in
//! a final state. Other writers first lock the row ([`locked`]) and then write it with [`record`].

mod resend;

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{Condition, DatabaseTransaction, PaginatorTrait, QueryOrder, QuerySelect, Statement, UpdateMany};

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
    /// The time from which the age of the message counts. It is the last resend, else the end of the quiet hours, else
    /// the creation.
    #[must_use]
    pub fn since(&self) -> DateTimeUtc {
        self.resent_at.or(self.held_until).unwrap_or(self.created_at)
    }

    /// Number of attempts since the last manual resend.
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
/// State: the message was given up, and a person decides what to do.
pub const DEAD: &str = "dead";
/// State: the message was only recorded, because its rulebook simulates SMS messages or its call is simulated.
pub const SIMULATED: &str = "simulated";

/// Condition for the states that the worker still processes. The states are literals, because the planner would not use
/// the index `sms_messages_due` with bound parameters.
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

/// A rulebook with due messages.
#[derive(Debug)]
pub struct DueRulebook {
    /// The id of the rulebook.
    pub id: Uuid,
    /// The code of the rulebook, for logs and notices.
    pub code: String,
    /// How its SMS messages are delivered: see [`super::rulebooks`].
    pub sms_delivery: String,
    /// Priority of the most urgent due message.
    pub priority: String,
    /// When the oldest of the due messages was due.
    pub oldest: DateTimeUtc,
}

/// Rulebooks with messages that are due to be sent, or due to be looked up at the provider.
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

/// The due time of the oldest message that is overdue without a known reason. Rulebooks with an open notice of one of
/// `codes` are skipped. Such a notice reports that a worker runs, and why the worker does not send.
pub async fn oldest_neglected<C: ConnectionTrait>(
    db: &C,
    now: DateTimeUtc,
    codes: &[&str],
) -> Result<Option<DateTimeUtc>, DbErr> {
    use super::notices;
    let held_back = sea_orm::sea_query::Query::select()
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

/// Condition for messages whose worker let the lease expire.
fn is_lapsed(now: DateTimeUtc) -> Condition {
    Condition::all()
        .add(Expr::cust(UNSETTLED))
        .add(Column::State.eq(SENDING))
        .add(Column::LeaseUntil.lte(now))
}

/// Condition for messages that are too old to send. A queued message is too old if its age counts from `made_before` or
/// earlier (see [`Model::since`]). An ambiguous message is too old if its lookup has been due since `made_before` or
/// earlier. This happens if the Twilio account was removed or suspended.
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

/// Locks messages of a rulebook whose worker let the lease expire.
pub async fn lock_lapsed(
    tx: &DatabaseTransaction,
    now: DateTimeUtc,
    rulebook_id: Uuid,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    lock_some(tx, rulebook_id, is_lapsed(now), limit).await
}

/// Locks messages of a rulebook that are too old to send. A queued message is too old if its age counts from
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

/// Rulebooks for which [`lock_lapsed`] or [`lock_stale`] would find messages. The query runs outside a transaction, so
/// that an idle worker never takes SQLite's write lock.
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

/// Contacts to whom a rule has sent an SMS message about the same call since `since`. If the caller is known, messages
/// about other calls of this caller count too. Dead messages and messages about simulated calls do not count.
pub async fn notified_by_rule(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    rule: &str,
    since: DateTimeUtc,
    call_id: Option<&str>,
    caller: Option<&str>,
) -> Result<Vec<String>, DbErr> {
    const SQL: &str = "SELECT DISTINCT s.contact FROM sms_messages s \
        LEFT JOIN calls c ON c.rulebook_id = s.rulebook_id AND c.id = s.call_id \
        WHERE s.rulebook_id = $1 AND s.rule = $2 AND s.created_at > $3 AND s.state <> 'dead' \
        AND (s.call_id IS NULL OR s.call_id NOT LIKE 'simulated-%') \
        AND (s.call_id = $4 OR c.customer_number = $5)";
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned).into();
    let values = [
        rulebook_id.into(),
        rule.into(),
        since.into(),
        owned(call_id),
        owned(caller),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), SQL, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "contact")).collect()
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

/// The newest message with this reference, among the messages that were created since `since`.
pub async fn with_reference(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reference: &str,
    since: DateTimeUtc,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CreatedAt.gte(since))
        .filter(Column::Reference.eq(reference))
        .order_by_desc(Column::CreatedAt)
        .one(tx)
        .await
}

/// The reference of the newest message to a contact about a call.
pub async fn reference_to(
    tx: &DatabaseTransaction,
    (rulebook_id, call_id): (Uuid, &str),
    contact: &str,
) -> Result<Option<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Reference)
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::Contact.eq(contact))
        .order_by_desc(Column::Id)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await
}

/// The call that the newest message with a reference is about.
pub async fn call_of_reference<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    reference: &str,
) -> Result<Option<String>, DbErr> {
    let found = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Reference.eq(reference))
        .order_by_desc(Column::CreatedAt)
        .limit(1)
        .one(db)
        .await?;
    Ok(found.and_then(|row| row.call_id))
}

/// Two due times: of the oldest message that is due at `now`, and of the next message that becomes due after `now`.
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

/// Writes a row that this transaction has locked, in any state.
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

/// The rulebook of a message.
pub async fn rulebook_of<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .filter(Column::Id.eq(id))
        .into_tuple()
        .one(db)
        .await
}

/// A message, locked until the transaction ends.
pub async fn locked(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id))
        .lock(LockType::Update)
        .one(tx)
        .await
}

/// Number of dead messages to a contact.
pub async fn count_dead<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, contact: &str) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Contact.eq(contact))
        .filter(Column::State.eq(DEAD))
        .count(db)
        .await
}

/// Whether a P1 message to one of these contacts about the call was accepted or may still arrive.
pub async fn any_alive<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    call_id: &str,
    contacts: &[String],
) -> Result<bool, DbErr> {
    let alive = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::Priority.eq("P1"))
        .filter(Column::Contact.is_in(contacts.iter().map(String::as_str)))
        .filter(Column::State.ne(DEAD))
        .count(db)
        .await?;
    Ok(alive > 0)
}

/// The newest message to a number. This message shows which contact has the number.
pub async fn newest_to<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, number: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::ToNumber.eq(number))
        .order_by_desc(Column::Id)
        .limit(1)
        .one(db)
        .await
}
