//! The guard rails of rulebooks.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _};

use super::sql::write_over;
use rules::guard_rails::GuardRails;
use rules::money::Money;

/// A row of `guard_rails`. A rulebook without a row has no limits.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "guard_rails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    pub lowest_price: Option<i64>,
    pub highest_price: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub largest_change_percent: Option<String>,
    pub version: i64,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    #[must_use]
    pub fn of(rulebook_id: Uuid, guards: &GuardRails, version: i64, updated_at: DateTimeUtc) -> Self {
        Self {
            rulebook_id,
            lowest_price: guards.lowest_price.map(Money::minor),
            highest_price: guards.highest_price.map(Money::minor),
            largest_change_percent: guards.largest_change_percent.map(|rate| rate.to_string()),
            version,
            updated_at,
        }
    }

    pub fn guards(&self) -> Result<GuardRails, DbErr> {
        let percent = self.largest_change_percent.as_deref().map(str::parse).transpose();
        Ok(GuardRails {
            lowest_price: self.lowest_price.map(Money::from_minor),
            highest_price: self.highest_price.map(Money::from_minor),
            largest_change_percent: percent
                .map_err(|_| DbErr::Type("guard_rails.largest_change_percent".to_owned()))?,
        })
    }
}

pub async fn read<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(rulebook_id).one(db).await
}

pub async fn guards<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<GuardRails, DbErr> {
    let row = read(db, rulebook_id).await?;
    row.map_or_else(|| Ok(GuardRails::default()), |row| row.guards())
}

/// Writes the limits if the stored version is `row.version - 1`. Returns whether the limits were written.
pub async fn write(tx: &DatabaseTransaction, row: Model) -> Result<bool, DbErr> {
    let (id, before) = (row.rulebook_id, row.version - 1);
    let row = row.into_active_model();
    write_over(tx, row, (Column::RulebookId, id), (Column::Version, before)).await
}
