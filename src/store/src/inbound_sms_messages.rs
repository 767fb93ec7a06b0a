//! Inbound SMS replies, each stored once.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::sql::insert_once;

/// A row of `inbound_sms_messages`.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_sms_messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub provider_id: String,
    #[sea_orm(column_type = "Text")]
    pub from_number: String,
    #[sea_orm(column_type = "Text")]
    pub to_number: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    #[sea_orm(column_type = "Text")]
    pub meaning: Option<String>,
    pub received_at: DateTimeUtc,
}

impl std::fmt::Debug for Model {
    /// Shows neither phone numbers nor message text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a reply. Returns false if the reply was stored before.
pub async fn keep(tx: &DatabaseTransaction, row: Model) -> Result<bool, DbErr> {
    let row: ActiveModel = row.into();
    insert_once(tx, row, OnConflict::columns([Column::RulebookId, Column::ProviderId])).await
}
