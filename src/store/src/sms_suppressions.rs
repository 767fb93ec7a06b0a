//! Suppressions: numbers to which a rulebook sends no SMS messages.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{Condition, DatabaseTransaction};

use super::sql::insert_once;

/// A row of `sms_suppressions`.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_suppressions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    #[sea_orm(column_type = "Text")]
    pub source: String,
    pub since: DateTimeUtc,
    pub lifted_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub lifted_by: Option<String>,
}

impl std::fmt::Debug for Model {
    /// Never shows the phone number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Source: the recipient replied with a stop word.
pub const REPLY: &str = "reply";
/// Source: the provider reported that the recipient opted out.
pub const PROVIDER: &str = "provider";

/// Whether a number is suppressed now.
pub async fn is_current(tx: &DatabaseTransaction, rulebook_id: Uuid, number: &str) -> Result<bool, DbErr> {
    Ok(!among(tx, &[(rulebook_id, number.to_owned())]).await?.is_empty())
}

/// Suppresses a number, unless it is suppressed already. Returns whether the suppression is new.
pub async fn add(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    number: &str,
    source: &str,
    now: DateTimeUtc,
    id: Uuid,
) -> Result<bool, DbErr> {
    let row: ActiveModel = Model {
        rulebook_id,
        id,
        number: number.to_owned(),
        source: source.to_owned(),
        since: now,
        lifted_at: None,
        lifted_by: None,
    }
    .into();
    let once = OnConflict::columns([Column::Number, Column::RulebookId])
        .target_and_where(Expr::col(Column::LiftedAt).is_null())
        .to_owned();
    insert_once(tx, row, once).await
}

/// Lifts the suppression of a number. Returns whether the number was suppressed.
pub async fn lift_number(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    number: &str,
    by: &str,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    lift(tx, Column::Number.eq(number), rulebook_id, by, now).await
}

/// Lifts the suppression with this id. Returns whether a current suppression has this id.
pub async fn lift_id(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    by: &str,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    lift(tx, Column::Id.eq(id), rulebook_id, by, now).await
}

async fn lift(
    tx: &DatabaseTransaction,
    which: Expr,
    rulebook_id: Uuid,
    by: &str,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::LiftedAt, Expr::value(now))
        .col_expr(Column::LiftedBy, Expr::value(by))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(which)
        .filter(Column::LiftedAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Returns which of these recipients are suppressed. A recipient is a rulebook and a phone number.
pub async fn among<C: ConnectionTrait>(
    db: &C,
    recipients: &[(Uuid, String)],
) -> Result<HashSet<(Uuid, String)>, DbErr> {
    if recipients.is_empty() {
        return Ok(HashSet::new());
    }
    let each = recipients.iter().map(|(rulebook_id, number)| {
        Condition::all()
            .add(Column::RulebookId.eq(*rulebook_id))
            .add(Column::Number.eq(number))
    });
    let rows = Entity::find()
        .filter(each.fold(Condition::any(), Condition::add))
        .filter(Column::LiftedAt.is_null())
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.rulebook_id, row.number)).collect())
}
