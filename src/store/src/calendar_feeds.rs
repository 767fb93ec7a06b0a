//! Feeds from which calendar programs read the shifts of a rulebook. The table contains only the hash of each feed's
//! token.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, IntoActiveModel, Set};

use super::rulebooks;

/// Maximum number of active feeds of a rulebook.
pub const MAX_ACTIVE: u64 = 50;

/// A row of `calendar_feeds`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar_feeds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub rulebook_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The contact whose shifts the feed shows. `None` means all contacts.
    #[sea_orm(column_type = "Text", nullable)]
    pub contact: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub prefix: String,
    pub hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub revoked_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the active feeds whose token has this prefix. Several feeds match only if the prefixes of their tokens
/// collide.
///
/// # Errors
/// When the database fails.
pub async fn by_prefix<C: ConnectionTrait>(db: &C, prefix: &str) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Prefix.eq(prefix))
        .filter(Column::RevokedAt.is_null())
        .all(db)
        .await
}

/// Finds an active feed of a rulebook by its id.
///
/// # Errors
/// When the database fails.
pub async fn active<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id)
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::RevokedAt.is_null())
        .one(db)
        .await
}

/// Whether the rulebook may have another feed. Locks the head of the rulebook, so that concurrent inserts cannot exceed
/// the limit.
///
/// # Errors
/// When the database fails.
pub async fn has_room(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<bool, DbErr> {
    rulebooks::locked_head(tx, rulebook_id).await?;
    let active = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::RevokedAt.is_null())
        .count(tx)
        .await?;
    Ok(active < MAX_ACTIVE)
}

pub async fn insert(tx: &DatabaseTransaction, feed: Model) -> Result<(), DbErr> {
    Entity::insert(feed.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Revokes a feed. Returns false if the feed was revoked before.
///
/// # Errors
/// When the database fails.
pub async fn revoke(tx: &DatabaseTransaction, id: Uuid, at: DateTime<Utc>) -> Result<bool, DbErr> {
    let change = ActiveModel {
        revoked_at: Set(Some(at)),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}
