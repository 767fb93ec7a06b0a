//! Encrypted secrets of rulebooks.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{DatabaseTransaction, QueryOrder as _};

use super::rulebooks;

/// Whether a string is a Twilio account SID. The SID becomes part of a URL, so only letters and digits are allowed.
#[must_use]
pub fn is_account_sid(text: &str) -> bool {
    is_sid(text, "AC")
}

/// Whether a string is the SID of a Twilio messaging service.
#[must_use]
pub fn is_messaging_service_sid(text: &str) -> bool {
    is_sid(text, "MG")
}

fn is_sid(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    (1..=62).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The purpose of webhook secrets.
pub const WEBHOOK: &str = "webhook";
/// Minimum length of a webhook secret in characters. Somebody could guess a short secret, and then send messages to the
/// rulebook.
pub const WEBHOOK_LENGTH: usize = 24;

/// A row of `secrets`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub purpose: String,
    pub sealed: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub retired_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Active secrets for these purposes, oldest first.
pub async fn active(db: &impl ConnectionTrait, rulebook_id: Uuid, purposes: &[&str]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Purpose.is_in(purposes.iter().copied()))
        .filter(Column::RetiredAt.is_null())
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Active secrets for these purposes, of all rulebooks.
pub async fn active_everywhere(db: &impl ConnectionTrait, purposes: &[&str]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Purpose.is_in(purposes.iter().copied()))
        .filter(Column::RetiredAt.is_null())
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Maximum number of active secrets per purpose. This limit leaves enough room to rotate a secret step by step.
pub const MAX_ACTIVE: u64 = 5;

/// Whether another secret of a purpose may be added. Locks the rulebook, so that the result is valid until the
/// transaction ends.
pub async fn has_room(tx: &DatabaseTransaction, rulebook_id: Uuid, purpose: &str) -> Result<bool, DbErr> {
    rulebooks::locked_head(tx, rulebook_id).await?;
    let active = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::RetiredAt.is_null())
        .count(tx)
        .await?;
    Ok(active < MAX_ACTIVE)
}

/// Inserts a secret, which must be encrypted for its rulebook and id.
pub async fn add(tx: &DatabaseTransaction, secret: Model) -> Result<(), DbErr> {
    let (rulebook_id, purpose) = (secret.rulebook_id, secret.purpose.clone());
    let row: ActiveModel = secret.into();
    Entity::insert(row.reset_all()).exec_without_returning(tx).await?;
    if purpose == WEBHOOK {
        rulebooks::auth_changed(tx, rulebook_id).await?;
    }
    Ok(())
}

/// Retires a secret. Returns false if the rulebook has no active secret with this id.
pub async fn retire(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid, now: DateTimeUtc) -> Result<bool, DbErr> {
    let retired = Entity::update_many()
        .col_expr(Column::RetiredAt, Expr::value(now))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Id.eq(id))
        .filter(Column::RetiredAt.is_null())
        .exec(tx)
        .await?;
    if retired.rows_affected == 1 {
        rulebooks::auth_changed(tx, rulebook_id).await?;
    }
    Ok(retired.rows_affected == 1)
}
