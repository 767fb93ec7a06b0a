//! Feedback from people about wrong decisions. Feedback belongs to its call: erasing or purging the content of a call
//! also deletes the feedback.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _};

use super::sql::statement;

/// A row of `decision_feedback`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decision_feedback")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: String,
    pub decision_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub priority: Option<String>,
    /// The total price, with taxes and in minor units, that the decision should have had.
    pub total: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub comment: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub author: String,
    pub created_at: DateTimeUtc,
    pub resolved_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub resolved_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub resolution: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub resolution_comment: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub case_code: Option<String>,
    pub change_set_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Resolution: the feedback became a case.
pub const CASE: &str = "case";
/// Resolution: somebody reviewed the feedback, and the decision was right.
pub const DISMISSED: &str = "dismissed";

/// Stores new feedback, unless the caller was erased. Returns whether the feedback was stored.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &DatabaseTransaction, row: Model) -> Result<bool, DbErr> {
    // Locks the row of the call. An erasure locks the same row, so feedback and erasure see each other's writes.
    const LOCKED: &str =
        "UPDATE calls SET updated_at = updated_at WHERE rulebook_id = $1 AND id = $2 AND erased_at IS NULL";
    let values = [row.rulebook_id.into(), row.call_id.as_str().into()];
    let locked = tx.execute_raw(statement(tx, LOCKED, values)).await?;
    if locked.rows_affected() == 0 {
        return Ok(false);
    }
    Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(true)
}

/// Number of open feedback entries about a call.
///
/// # Errors
/// When the database fails.
pub async fn count_open(db: &impl ConnectionTrait, rulebook_id: Uuid, call_id: &str) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .filter(Column::ResolvedAt.is_null())
        .count(db)
        .await
}

/// Stores the resolution that `resolved` contains. Returns whether the feedback was still open.
///
/// # Errors
/// When the database fails.
pub async fn resolve(tx: &DatabaseTransaction, resolved: &Model) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ResolvedAt, Expr::value(resolved.resolved_at))
        .col_expr(Column::ResolvedBy, Expr::value(resolved.resolved_by.clone()))
        .col_expr(Column::Resolution, Expr::value(resolved.resolution.clone()))
        .col_expr(
            Column::ResolutionComment,
            Expr::value(resolved.resolution_comment.clone()),
        )
        .col_expr(Column::CaseCode, Expr::value(resolved.case_code.clone()))
        .col_expr(Column::ChangeSetId, Expr::value(resolved.change_set_id))
        .filter(Column::RulebookId.eq(resolved.rulebook_id))
        .filter(Column::Id.eq(resolved.id))
        .filter(Column::ResolvedAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}
