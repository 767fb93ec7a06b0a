//! Rulebooks: code, head revision, and how webhooks are verified.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, Func, LockType};
use sea_orm::{DatabaseBackend, DatabaseTransaction, QueryOrder as _, QuerySelect as _};

/// A row of `rulebooks`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rulebooks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    pub head_revision: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub webhook_auth: Json,
    pub auth_version: i64,
    pub created_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub sms_delivery: String,
    pub sms_delivery_version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// SMS messages go to Twilio; without an account they wait.
pub const TWILIO: &str = "twilio";
/// SMS messages are recorded and never sent, with or without an account.
pub const SIMULATED: &str = "simulated";
/// Simulated until an account is known, which changes it to [`TWILIO`] permanently: the state after a first start
/// without an account.
pub const UNTIL_ACCOUNT: &str = "simulated_until_account";

/// Notes that a rulebook has an account: from now on its SMS messages are sent. Returns whether that ended a
/// simulation.
pub async fn account_known(db: &impl ConnectionTrait, rulebook_id: Uuid) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::SmsDelivery, Expr::value(TWILIO))
        .col_expr(Column::SmsDeliveryVersion, Expr::col(Column::SmsDeliveryVersion).add(1))
        .filter(Column::Id.eq(rulebook_id))
        .filter(Column::SmsDelivery.eq(UNTIL_ACCOUNT))
        .exec(db)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Replaces where SMS messages go, if it is still at `version`. Returns whether it was.
pub async fn set_sms_delivery(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    version: i64,
    delivery: &str,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::SmsDelivery, Expr::value(delivery))
        .col_expr(Column::SmsDeliveryVersion, Expr::value(version + 1))
        .filter(Column::Id.eq(rulebook_id))
        .filter(Column::SmsDeliveryVersion.eq(version))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Whether a rulebook simulates, read again inside the transaction that records a simulated message.
pub async fn still_simulates(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<bool, DbErr> {
    let found: Option<String> = Entity::find_by_id(rulebook_id)
        .select_only()
        .column(Column::SmsDelivery)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(found.is_some_and(|delivery| delivery != TWILIO))
}

pub async fn id_of(db: &impl ConnectionTrait, code: &str) -> Result<Option<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Code.eq(code))
        .into_tuple()
        .one(db)
        .await
}

/// Whether a rulebook has this code, ignoring case: people would confuse the two.
pub async fn is_taken(db: &impl ConnectionTrait, code: &str) -> Result<bool, DbErr> {
    let same = Expr::expr(Func::lower(Expr::col(Column::Code))).eq(code.to_ascii_lowercase());
    let found: Option<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(same)
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// The id and code of every rulebook, the oldest first.
pub async fn all_codes(db: &impl ConnectionTrait) -> Result<Vec<(Uuid, String)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::Code])
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// Locks and reads the head until the transaction ends: by a row lock on PostgreSQL; SQLite has one writer anyway. NO
/// KEY UPDATE, because every message holds a key share of this row through its foreign keys: FOR UPDATE would wait
/// for all of them.
pub async fn locked_head(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<Option<i64>, DbErr> {
    let mut query = Entity::find_by_id(rulebook_id)
        .select_only()
        .column(Column::HeadRevision);
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    query.into_tuple::<i64>().one(tx).await
}

/// Increments the version of the webhook's settings and secrets, so that every instance verifies again.
pub async fn auth_changed(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::AuthVersion, Expr::col(Column::AuthVersion).add(1))
        .filter(Column::Id.eq(rulebook_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Replaces the webhook's settings, a serialized `WebhookAuth`, if they are still at `version`. Returns whether they
/// were.
pub async fn set_webhook_auth(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    version: i64,
    auth: Json,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::WebhookAuth, Expr::value(auth))
        .col_expr(Column::AuthVersion, Expr::value(version + 1))
        .filter(Column::Id.eq(rulebook_id))
        .filter(Column::AuthVersion.eq(version))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}
