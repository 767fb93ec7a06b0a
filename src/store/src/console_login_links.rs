//! One-time login links for the console. The table contains only the hash of each link's token.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel};

/// A row of `console_login_links`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "console_login_links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    /// The API key whose permissions the session gets.
    pub key_id: Uuid,
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds a link.
pub async fn insert(tx: &DatabaseTransaction, link: Model) -> Result<(), DbErr> {
    Entity::insert(link.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Deletes a link and returns the id of its key. `None` if the link does not exist, has expired or was used.
pub async fn redeem(tx: &DatabaseTransaction, hash: &[u8], now: DateTime<Utc>) -> Result<Option<Uuid>, DbErr> {
    let found = Entity::find_by_id(hash.to_vec()).one(tx).await?;
    let Some(link) = found.filter(|link| now < link.expires_at) else {
        return Ok(None);
    };
    // If two requests use the same link at the same time, only one of them deletes the row.
    let deleted = Entity::delete_by_id(hash.to_vec()).exec(tx).await?;
    Ok((deleted.rows_affected == 1).then_some(link.key_id))
}
