//! The inbox: every authentic message as it came, its keys and what was answered.

use sea_orm::entity::prelude::*;

/// A row of `webhook_events`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub business_key: String,
    #[sea_orm(column_type = "Text")]
    pub delivery_key: String,
    #[sea_orm(column_type = "Text", column_name = "type")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub message_at: Option<DateTimeUtc>,
    pub received_at: DateTimeUtc,
    pub body: Option<Vec<u8>>,
    pub body_hash: Vec<u8>,
    #[sea_orm(column_type = "JsonBinary")]
    pub answer: Json,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub amends: Option<Uuid>,
    /// When it came out of the spool, where it waited for the database.
    pub drained_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
