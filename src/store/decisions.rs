//! Every decision with what it was made from.

use sea_orm::entity::prelude::*;

/// A row of `decisions`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decisions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub event_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub purpose: String,
    pub revision: i64,
    pub decided_for: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub extracted: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub result: Json,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub priority: String,
    pub price_from: Option<i64>,
    pub price_to: Option<i64>,
    pub degraded: bool,
    pub duration_us: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
