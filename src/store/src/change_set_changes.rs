//! The edits of a change set, in the order in which they were added.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, DatabaseTransaction, IntoActiveModel as _, QueryOrder};

/// A row of `change_set_changes`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change_set_changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub change_set_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub edit: Json,
    pub bytes: i64,
    #[sea_orm(column_type = "Text")]
    pub author: String,
    pub author_key_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Rows per statement. The number is fixed, because a statement with another number of rows would have to be prepared
/// separately.
const CHUNK: usize = 50;

/// The edits of a change set, in order.
pub async fn of(db: &DatabaseConnection, rulebook_id: Uuid, id: Uuid) -> Result<Vec<Model>, DbErr> {
    held(rulebook_id, id).all(db).await
}

/// Does the same as [`of`] in a transaction, which must have locked the change set.
pub async fn of_held(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<Vec<Model>, DbErr> {
    held(rulebook_id, id).all(tx).await
}

fn held(rulebook_id: Uuid, id: Uuid) -> Select<Entity> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::ChangeSetId.eq(id))
        .order_by_asc(Column::Number)
}

pub async fn add(tx: &DatabaseTransaction, changes: Vec<Model>) -> Result<(), DbErr> {
    let mut changes = changes.into_iter().map(|change| change.into_active_model().reset_all());
    loop {
        let chunk: Vec<ActiveModel> = changes.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        Entity::insert_many(chunk).exec_without_returning(tx).await?;
    }
}

pub async fn remove(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid, number: i64) -> Result<(), DbErr> {
    Entity::delete_by_id((rulebook_id, id, number)).exec(tx).await?;
    Ok(())
}
