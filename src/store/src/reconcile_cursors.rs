//! Reconciliation cursors: for each rulebook, the time up to which Vapi's list of calls was read.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _};

/// A row of `reconcile_cursors`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconcile_cursors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    pub seen_until: Option<DateTimeUtc>,
    pub failures: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub async fn read<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(rulebook_id).one(db).await
}

/// Inserts or updates the row of a rulebook.
pub async fn save(tx: &DatabaseTransaction, row: Model) -> Result<(), DbErr> {
    let over = OnConflict::column(Column::RulebookId)
        .update_columns([Column::SeenUntil, Column::Failures, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row.into_active_model().reset_all())
        .on_conflict(over)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
