//! Keys of the admin API. Only their hashes are stored.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, IntoActiveModel, Set};

/// A row of `api_keys`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub prefix: String,
    pub hash: Vec<u8>,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    pub rulebook_id: Option<Uuid>,
    /// The person who uses the key. If a key has no owner, its name counts as the owner.
    #[sea_orm(column_type = "Text", nullable)]
    pub owner: Option<String>,
    /// The key that created this key. `None` if no other key created this key, or if the key is older than this column.
    pub made_by: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Maximum number of keys that [`makers`] returns.
const MAX_MAKERS: usize = 100;

impl Model {
    #[must_use]
    pub fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(&self.name)
    }

    /// Whether this key and `other` belong to the same person.
    #[must_use]
    pub fn has_owner_of(&self, other: &Self) -> bool {
        self.owner().trim().to_lowercase() == other.owner().trim().to_lowercase()
    }

    /// Whether the key is valid at `now`.
    #[must_use]
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// Returns the keys with this prefix. Several keys match only if their prefixes collide.
///
/// # Errors
/// When the database fails.
pub async fn by_prefix<C: ConnectionTrait>(db: &C, prefix: &str) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Prefix.eq(prefix)).all(db).await
}

pub async fn by_id<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Returns the chain of keys that led to this key, from its direct creator to the first key.
///
/// # Errors
/// When the database fails.
pub async fn makers<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Uuid>, DbErr> {
    let mut makers = Vec::new();
    let mut next = by_id(db, id).await?.and_then(|key| key.made_by);
    while let Some(maker) = next.filter(|maker| makers.len() < MAX_MAKERS && !makers.contains(maker)) {
        makers.push(maker);
        next = by_id(db, maker).await?.and_then(|key| key.made_by);
    }
    Ok(makers)
}

pub async fn any<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    Ok(Entity::find().one(db).await?.is_some())
}

pub async fn insert(tx: &DatabaseTransaction, key: Model) -> Result<(), DbErr> {
    Entity::insert(key.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Revokes a key. Returns false if the key does not exist or was revoked before.
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

/// Revokes all keys with this name, except the key with this hash.
///
/// # Errors
/// When the database fails.
pub async fn revoke_others(tx: &DatabaseTransaction, name: &str, hash: &[u8], at: DateTime<Utc>) -> Result<(), DbErr> {
    let change = ActiveModel {
        revoked_at: Set(Some(at)),
        ..Default::default()
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Name.eq(name))
        .filter(Column::Hash.ne(hash.to_vec()))
        .filter(Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Records when a key was last used.
///
/// # Errors
/// When the database fails.
pub async fn touch(tx: &DatabaseTransaction, id: Uuid, at: DateTime<Utc>) -> Result<(), DbErr> {
    let change = ActiveModel {
        last_used_at: Set(Some(at)),
        ..Default::default()
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}
