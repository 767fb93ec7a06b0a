//! Every try to send a text.

use sea_orm::entity::prelude::*;

/// A row of `sms_attempts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sms_message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub started_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub outcome: Option<String>,
    pub http_status: Option<i64>,
    pub error_code: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub detail: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
