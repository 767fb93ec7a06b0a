//! Secrets of a rulebook, sealed.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{DatabaseTransaction, QueryOrder as _};

use super::rulebooks;
use crate::settings::WEBHOOK_SECRET_LENGTH;

/// The purpose of secrets under which messages are signed.
pub const WEBHOOK: &str = "webhook";
/// The least number of characters of one.
pub const WEBHOOK_LENGTH: usize = WEBHOOK_SECRET_LENGTH;

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

/// The secrets of one purpose that are not retired, oldest first.
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

/// Adds a secret, sealed for its rulebook and id.
pub async fn add(tx: &DatabaseTransaction, secret: Model) -> Result<(), DbErr> {
    let (rulebook_id, purpose) = (secret.rulebook_id, secret.purpose.clone());
    let row: ActiveModel = secret.into();
    Entity::insert(row.reset_all()).exec_without_returning(tx).await?;
    if purpose == WEBHOOK {
        rulebooks::auth_changed(tx, rulebook_id).await?;
    }
    Ok(())
}

/// Retires a secret; false when the rulebook has none of this id that is active.
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
