//! Texts to people: the outbox.

use sea_orm::entity::prelude::*;

/// A row of `sms_messages`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub dedupe_key: String,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub decision_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub contact: String,
    #[sea_orm(column_type = "Text")]
    pub template: String,
    #[sea_orm(column_type = "Text")]
    pub priority: String,
    #[sea_orm(column_type = "Text")]
    pub to_number: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    #[sea_orm(column_type = "Text")]
    pub reference: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub attempts: i64,
    pub next_attempt_at: DateTimeUtc,
    pub lease_until: Option<DateTimeUtc>,
    pub fence: i64,
    #[sea_orm(column_type = "Text")]
    pub provider_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub provider_status: Option<String>,
    pub error_code: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
