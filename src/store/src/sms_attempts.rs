//! Attempts to send an SMS message.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{DatabaseTransaction, PaginatorTrait, QueryOrder, QuerySelect, Value as Bind};

use crate::insertion::insert_rows;

/// A row of `sms_attempts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sms_message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub started_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub outcome: Option<String>,
    pub http_status: Option<i64>,
    pub error_code: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub detail: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The result of an attempt to send.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// One of the values that the table's CHECK allows.
    pub outcome: &'static str,
    /// The HTTP status, if there was a response.
    pub http_status: Option<i64>,
    /// Twilio's error code, if there was one.
    pub error_code: Option<i64>,
    /// What happened, without any text from the provider.
    pub detail: &'static str,
    pub at: DateTimeUtc,
}

/// Records the start of attempt `number`.
pub async fn start(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
    number: i64,
    at: DateTimeUtc,
) -> Result<(), DbErr> {
    let row = Model {
        rulebook_id,
        sms_message_id,
        number,
        started_at: at,
        finished_at: None,
        outcome: None,
        http_status: None,
        error_code: None,
        detail: None,
    };
    let row: ActiveModel = row.into();
    Entity::insert(row.reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

/// Records several attempts with the same result, which all began and ended at the same time. `attempts` contains the
/// rulebook, the message and the number of each attempt.
pub async fn record_each(
    tx: &DatabaseTransaction,
    attempts: impl Iterator<Item = (Uuid, Uuid, i64)>,
    how: Finish,
) -> Result<(), DbErr> {
    const INSERT: &str = "INSERT INTO sms_attempts (rulebook_id, sms_message_id, number, started_at, finished_at, outcome, \
        http_status, error_code, detail)";
    let row = |(rulebook_id, sms_message_id, number): (Uuid, Uuid, i64)| -> [Bind; 9] {
        [
            rulebook_id.into(),
            sms_message_id.into(),
            number.into(),
            how.at.into(),
            how.at.into(),
            how.outcome.into(),
            how.http_status.into(),
            how.error_code.into(),
            how.detail.into(),
        ]
    };
    insert_rows(tx, INSERT, attempts.map(row).collect(), "").await?;
    Ok(())
}

/// Records the result of attempt `number`, once.
pub async fn finish(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
    number: i64,
    how: Finish,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::FinishedAt, Expr::value(how.at))
        .col_expr(Column::Outcome, Expr::value(how.outcome))
        .col_expr(Column::HttpStatus, Expr::value(how.http_status))
        .col_expr(Column::ErrorCode, Expr::value(how.error_code))
        .col_expr(Column::Detail, Expr::value(how.detail))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .filter(Column::Number.eq(number))
        .filter(Column::FinishedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// All attempts of a message, oldest first.
pub async fn of_message<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .order_by_asc(Column::Number)
        .all(db)
        .await
}

/// Counts the attempts, after attempt number `after`, that may have sent the message. These are attempts that the
/// provider accepted, whose outcome is unknown, or that have not finished.
pub async fn count_sends<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
    after: i64,
) -> Result<u64, DbErr> {
    let perhaps = Column::Outcome
        .is_in(["ambiguous", "accepted"])
        .or(Column::Outcome.is_null());
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .filter(Column::Number.gt(after))
        .filter(perhaps)
        .count(db)
        .await
}

/// Counts the attempts, after attempt number `after`, that never reached the provider. An attempt does not count if the
/// provider responded.
pub async fn count_unsent<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
    after: i64,
) -> Result<i64, DbErr> {
    let unsent = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .filter(Column::Number.gt(after))
        .filter(Column::Outcome.eq("retry"))
        .filter(Column::HttpStatus.is_null())
        .count(db)
        .await?;
    Ok(i64::try_from(unsent).unwrap_or(i64::MAX))
}

/// Whether the outcome of a message's last attempt is unknown.
pub async fn ended_unclear<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, sms_message_id: Uuid) -> Result<bool, DbErr> {
    let last = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .order_by_desc(Column::Number)
        .limit(1)
        .one(db)
        .await?;
    Ok(last.is_some_and(|last| last.outcome.as_deref().is_none_or(|outcome| outcome == "ambiguous")))
}
