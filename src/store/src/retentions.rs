//! How long the data of each rulebook is kept.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _, QueryOrder as _, QuerySelect as _};

use super::rulebooks;
use super::sql::write_over;

/// Default number of days for the raw bodies of messages without effect.
pub const DEFAULT_INTERIM_BODIES_DAYS: i64 = 30;

/// A row of `retentions`. A rulebook without a row keeps everything except raw bodies of messages without effect.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "retentions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    pub transcripts_days: Option<i64>,
    pub bodies_days: Option<i64>,
    pub events_days: Option<i64>,
    pub interim_bodies_days: i64,
    pub version: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The retention of a rulebook without a row.
    #[must_use]
    pub const fn unset(rulebook_id: Uuid, updated_at: DateTimeUtc) -> Self {
        Self {
            rulebook_id,
            transcripts_days: None,
            bodies_days: None,
            events_days: None,
            interim_bodies_days: DEFAULT_INTERIM_BODIES_DAYS,
            version: 0,
            updated_at,
        }
    }
}

pub async fn read<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(rulebook_id).one(db).await
}

/// The retention of every rulebook.
///
/// # Errors
/// When the database fails.
pub async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find().all(db).await?;
    let mut known: HashMap<Uuid, Model> = rows.into_iter().map(|row| (row.rulebook_id, row)).collect();
    let rulebooks: Vec<(Uuid, DateTimeUtc)> = rulebooks::Entity::find()
        .select_only()
        .columns([rulebooks::Column::Id, rulebooks::Column::CreatedAt])
        .order_by_asc(rulebooks::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    let of = |(id, created_at)| known.remove(&id).unwrap_or_else(|| Model::unset(id, created_at));
    Ok(rulebooks.into_iter().map(of).collect())
}

/// Writes a row if the stored version is `row.version - 1`. Returns whether the row was written.
pub async fn write(tx: &DatabaseTransaction, row: Model) -> Result<bool, DbErr> {
    let (id, before) = (row.rulebook_id, row.version - 1);
    let row = row.into_active_model();
    write_over(tx, row, (Column::RulebookId, id), (Column::Version, before)).await
}
