//! Sessions of the console. The table contains only the hash of each session's token.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Condition;
use sea_orm::{ConnectionTrait, DatabaseTransaction, IntoActiveModel, QueryOrder, Set};

/// A row of `console_sessions`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "console_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub token_hash: Vec<u8>,
    /// The API key whose permissions the session has.
    pub key_id: Uuid,
    /// `en` or `fr`. `None` means the language of the browser.
    #[sea_orm(column_type = "Text", nullable)]
    pub language: Option<String>,
    pub created_at: DateTimeUtc,
    pub last_used_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The session with this token hash.
pub async fn by_hash<C: ConnectionTrait>(db: &C, hash: &[u8]) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::TokenHash.eq(hash.to_vec())).one(db).await
}

/// The session with this id.
pub async fn by_id<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Number of sessions of a key.
pub async fn count_of_key<C: ConnectionTrait>(db: &C, key_id: Uuid) -> Result<u64, DbErr> {
    Entity::find().filter(Column::KeyId.eq(key_id)).count(db).await
}

/// Ends the least recently used session of a key.
pub async fn end_oldest_of_key(tx: &DatabaseTransaction, key_id: Uuid) -> Result<(), DbErr> {
    let oldest = Entity::find()
        .filter(Column::KeyId.eq(key_id))
        .order_by_asc(Column::LastUsedAt)
        .one(tx)
        .await?;
    match oldest {
        Some(session) => end(tx, session.id).await,
        None => Ok(()),
    }
}

pub async fn insert(tx: &DatabaseTransaction, session: Model) -> Result<(), DbErr> {
    Entity::insert(session.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Records when a session was last used.
pub async fn touch(tx: &DatabaseTransaction, id: Uuid, at: DateTime<Utc>) -> Result<(), DbErr> {
    let change = ActiveModel {
        last_used_at: Set(at),
        ..Default::default()
    };
    update(tx, id, change).await
}

/// Stores the language that the user chose.
pub async fn choose_language(tx: &DatabaseTransaction, id: Uuid, language: &str) -> Result<(), DbErr> {
    let change = ActiveModel {
        language: Set(Some(language.to_owned())),
        ..Default::default()
    };
    update(tx, id, change).await
}

async fn update(tx: &DatabaseTransaction, id: Uuid, change: ActiveModel) -> Result<(), DbErr> {
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends a session.
pub async fn end(tx: &DatabaseTransaction, id: Uuid) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// Deletes sessions that expired by `now` or were not used since `idle_since`. Returns how many sessions were deleted.
pub async fn forget(tx: &DatabaseTransaction, now: DateTime<Utc>, idle_since: DateTime<Utc>) -> Result<u64, DbErr> {
    let over = Condition::any()
        .add(Column::ExpiresAt.lte(now))
        .add(Column::LastUsedAt.lte(idle_since));
    let done = Entity::delete_many().filter(over).exec(tx).await?;
    Ok(done.rows_affected)
}
