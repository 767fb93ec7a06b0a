//! Calls, as far as messages have told of them.

use sea_orm::entity::prelude::*;

/// A row of `calls`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub status_rank: i64,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub duration_ms: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub ended_reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub summary: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub recording_url: Option<String>,
    pub cost_micros: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub customer_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub phone_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub assistant_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub city: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub postal_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub language: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub analysis: Option<Json>,
    pub report_at: Option<DateTimeUtc>,
    pub report_hash: Option<Vec<u8>>,
    pub quote_decision_id: Option<Uuid>,
    pub first_seen_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub erased_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
