//! What a call leaves for a person to do.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;

/// A row of `leads`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: String,
    #[sea_orm(column_type = "Text")]
    pub customer_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_email: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub city: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub postal_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub problem: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub area: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub currency: Option<String>,
    pub price_from: Option<i64>,
    pub price_to: Option<i64>,
    pub quote_revision: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub priority: Option<String>,
    pub sla_seconds: Option<i64>,
    pub due_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub wanted_slot: Option<String>,
    pub decision_id: Option<Uuid>,
    pub quote_decision_id: Option<Uuid>,
    pub late: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub erased_at: Option<DateTimeUtc>,
    pub capped: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The lead of a call.
pub async fn of_call<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, call_id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .one(db)
        .await
}

/// Marks a call's lead: the daily cap kept a text about it from going.
pub async fn mark_capped(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: &str) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Capped, Expr::value(true))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .exec(tx)
        .await?;
    Ok(())
}
