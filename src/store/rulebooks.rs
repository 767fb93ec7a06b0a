//! One business: its code, its head revision and how its webhooks are verified.

use sea_orm::entity::prelude::*;

/// A row of `rulebooks`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rulebooks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    pub head_revision: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub webhook_auth: Json,
    pub auth_version: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
