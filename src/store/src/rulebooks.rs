//! Rulebooks, each with its code, head revision, webhook authentication, SMS delivery and profile.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, ExprTrait as _, Func, LockType};
use sea_orm::{DatabaseBackend, DatabaseTransaction, QueryOrder as _, QuerySelect as _, SqlErr};

/// Code of the rulebook that accepts the messages to `/webhooks/vapi`.
pub const DEFAULT: &str = "default";

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
    /// The display name.
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    /// The code before the last renaming. Messages to this code are still accepted.
    #[sea_orm(column_type = "Text", nullable)]
    pub former_code: Option<String>,
    /// When the rulebook was archived. An archived rulebook accepts no messages.
    pub archived_at: Option<DateTimeUtc>,
    pub profile_version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// SMS messages are sent through Twilio. If the rulebook has no Twilio account, they wait.
pub const TWILIO: &str = "twilio";
/// SMS messages are recorded and never sent, with or without an account.
pub const SIMULATED: &str = "simulated";
/// SMS messages are simulated until the rulebook has an account. Then the value changes to [`TWILIO`] permanently. The
/// first start of the program sets this value if no account is configured.
pub const UNTIL_ACCOUNT: &str = "simulated_until_account";

/// Records that a rulebook has a Twilio account, so that its SMS messages are sent from now on. Returns whether SMS
/// messages were simulated until now.
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

/// Changes how SMS messages are delivered, if the setting is still at `version`. Returns whether the setting was
/// changed.
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

/// Whether a rulebook simulates SMS messages. The transaction that records a simulated message calls this function to
/// read the setting again.
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

/// Whether a rulebook other than `own` has or had this code. Case is ignored, because people would confuse codes that
/// differ only in case.
pub async fn is_taken(db: &impl ConnectionTrait, code: &str, own: Option<Uuid>) -> Result<bool, DbErr> {
    let same = |column: Column| Expr::expr(Func::lower(Expr::col(column))).eq(code.to_ascii_lowercase());
    let mut query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Condition::any().add(same(Column::Code)).add(same(Column::FormerCode)));
    if let Some(own) = own {
        query = query.filter(Column::Id.ne(own));
    }
    let found: Option<Uuid> = query.into_tuple().one(db).await?;
    Ok(found.is_some())
}

/// Finds the rulebook that accepts messages to this code. The code may be the current or the former code of the
/// rulebook. An archived rulebook accepts no messages.
pub async fn that_takes(db: &impl ConnectionTrait, code: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(
            Condition::any()
                .add(Column::Code.eq(code))
                .add(Column::FormerCode.eq(code)),
        )
        .filter(Column::ArchivedAt.is_null())
        .one(db)
        .await
}

/// The code, name, former code and archive time of a rulebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub code: String,
    pub name: Option<String>,
    pub former_code: Option<String>,
    pub archived_at: Option<DateTimeUtc>,
}

/// The result of [`set_profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileUpdate {
    Done,
    /// The profile no longer has the expected version.
    Stale,
    /// Another rulebook has or had the code.
    Taken,
}

/// Replaces a rulebook's profile, if the profile is still at `version`. Every instance then reloads its cached webhook
/// settings. So every instance refuses the next message to an archived rulebook or to a code that no rulebook has any
/// more.
pub async fn set_profile(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    version: i64,
    profile: &Profile,
) -> Result<ProfileUpdate, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ProfileVersion, Expr::value(version + 1))
        .col_expr(Column::AuthVersion, Expr::col(Column::AuthVersion).add(1))
        .col_expr(Column::Name, Expr::value(profile.name.clone()))
        .col_expr(Column::FormerCode, Expr::value(profile.former_code.clone()))
        .col_expr(Column::ArchivedAt, Expr::value(profile.archived_at))
        .filter(Column::Id.eq(rulebook_id))
        .filter(Column::ProfileVersion.eq(version))
        .exec(tx)
        .await?;
    if done.rows_affected == 0 {
        return Ok(ProfileUpdate::Stale);
    }
    if is_taken(tx, &profile.code, Some(rulebook_id)).await? {
        return Ok(ProfileUpdate::Taken);
    }
    let named = Entity::update_many()
        .col_expr(Column::Code, Expr::value(profile.code.clone()))
        .filter(Column::Id.eq(rulebook_id))
        .exec(tx)
        .await;
    match named.map_err(|error| (error.sql_err(), error)) {
        Ok(_) => Ok(ProfileUpdate::Done),
        // Another transaction created a rulebook with this code at the same time.
        Err((Some(SqlErr::UniqueConstraintViolation(_)), _)) => Ok(ProfileUpdate::Taken),
        Err((_, error)) => Err(error),
    }
}

/// The id and code of every rulebook, oldest first.
pub async fn all_codes(db: &impl ConnectionTrait) -> Result<Vec<(Uuid, String)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::Code])
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// The number of the head revision. `None` if there is no such rulebook.
///
/// # Errors
/// If the database fails.
pub async fn head(db: &impl ConnectionTrait, rulebook_id: Uuid) -> Result<Option<i64>, DbErr> {
    Entity::find_by_id(rulebook_id)
        .select_only()
        .column(Column::HeadRevision)
        .into_tuple::<i64>()
        .one(db)
        .await
}

/// Reads the head, and locks it until the transaction ends. PostgreSQL uses a row lock, and SQLite needs no lock
/// because it has only one writer. The lock is FOR NO KEY UPDATE. Every message has a key share lock on this row
/// through its foreign keys, and FOR UPDATE would wait for all messages.
pub async fn locked_head(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<Option<i64>, DbErr> {
    let mut query = Entity::find_by_id(rulebook_id)
        .select_only()
        .column(Column::HeadRevision);
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        query = query.lock(LockType::NoKeyUpdate);
    }
    query.into_tuple::<i64>().one(tx).await
}

/// Increments the version of the webhook's settings and secrets, so that every instance reloads them before it accepts
/// another message.
pub async fn auth_changed(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::AuthVersion, Expr::col(Column::AuthVersion).add(1))
        .filter(Column::Id.eq(rulebook_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Replaces the webhook's settings, a serialized `WebhookAuth`, if they are still at `version`. Returns whether the
/// settings were replaced.
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
