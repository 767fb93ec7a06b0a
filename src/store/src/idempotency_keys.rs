//! Idempotency keys, each with the hash of its request and the encrypted response.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _, Set};

use super::sql::insert_once;

/// A row of `idempotency_keys`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub rulebook_id: Option<Uuid>,
    pub key_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub idempotency_key: String,
    pub request_hash: Vec<u8>,
    pub status: Option<i64>,
    pub answer: Option<Vec<u8>>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Finds the request that an API key sent with an idempotency key after `since`.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    key_id: Uuid,
    idempotency_key: &str,
    since: DateTimeUtc,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::KeyId.eq(key_id))
        .filter(Column::IdempotencyKey.eq(idempotency_key))
        .filter(Column::CreatedAt.gt(since))
        .one(db)
        .await
}

/// Claims an idempotency key before the request has any effect. A key that was claimed at `since` or earlier can be
/// claimed again. Returns whether the claim succeeded. A concurrent claim waits until this transaction ends.
pub async fn take(tx: &DatabaseTransaction, row: Model, since: DateTimeUtc) -> Result<bool, DbErr> {
    Entity::delete_many()
        .filter(Column::KeyId.eq(row.key_id))
        .filter(Column::IdempotencyKey.eq(row.idempotency_key.as_str()))
        .filter(Column::CreatedAt.lte(since))
        .exec(tx)
        .await?;
    insert_once(
        tx,
        row.into_active_model(),
        OnConflict::columns([Column::KeyId, Column::IdempotencyKey]),
    )
    .await
}

/// Stores the response in the transaction that also contains the effect of the request.
pub async fn settle(tx: &DatabaseTransaction, id: Uuid, status: u16, answer: Vec<u8>) -> Result<(), DbErr> {
    let change = ActiveModel {
        status: Set(Some(i64::from(status))),
        answer: Set(Some(answer)),
        ..Default::default()
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Deletes keys created at `until` or earlier. Returns how many keys were deleted.
pub async fn forget(tx: &DatabaseTransaction, until: DateTimeUtc) -> Result<u64, DbErr> {
    let done = Entity::delete_many()
        .filter(Column::CreatedAt.lte(until))
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}
