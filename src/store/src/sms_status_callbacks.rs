//! Status callbacks of the provider, each stored once.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DatabaseTransaction, QueryOrder};

use super::sql::insert_once;

/// A row of `sms_status_callbacks`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_status_callbacks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sms_message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub provider_id: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub status: String,
    pub error_code: Option<i64>,
    pub received_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a status once.
pub async fn keep(tx: &DatabaseTransaction, row: Model) -> Result<(), DbErr> {
    let row: ActiveModel = row.into();
    insert_once(
        tx,
        row,
        OnConflict::columns([
            Column::RulebookId,
            Column::SmsMessageId,
            Column::ProviderId,
            Column::Status,
        ]),
    )
    .await?;
    Ok(())
}

/// All statuses of a message, oldest first.
pub async fn of_message<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    sms_message_id: Uuid,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::SmsMessageId.eq(sms_message_id))
        .order_by_asc(Column::ReceivedAt)
        .all(db)
        .await
}
