//! Versions of scripts. This module only reads the table. [`super::rule_rows`] writes the table.

use sea_orm::entity::prelude::*;

/// A row of `scripts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "scripts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub code: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub since_revision: i64,
    pub until_revision: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub hook: String,
    pub rank: i64,
    #[sea_orm(column_type = "Text")]
    pub source: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
