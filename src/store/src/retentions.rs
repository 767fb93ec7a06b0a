//! How long a rulebook's data is kept, and how far it has been purged.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _, QueryOrder as _};

use super::sql::write_over;

/// A row of `retentions`; a rulebook without one keeps everything.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "retentions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    pub transcripts_days: Option<i64>,
    pub bodies_days: Option<i64>,
    pub events_days: Option<i64>,
    pub version: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub async fn read<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(rulebook_id).one(db).await
}

pub async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::RulebookId).all(db).await
}

/// Writes a row if the stored version is the expected one. Returns whether it was.
pub async fn write(tx: &DatabaseTransaction, row: Model) -> Result<bool, DbErr> {
    let (id, before) = (row.rulebook_id, row.version - 1);
    let row = row.into_active_model();
    write_over(tx, row, (Column::RulebookId, id), (Column::Version, before)).await
}
