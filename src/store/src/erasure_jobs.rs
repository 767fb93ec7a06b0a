//! Erasures of callers as jobs: whom to erase, the progress and the end. The row names the caller only until the
//! erasure is done.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{DatabaseTransaction, IntoActiveModel as _};

/// A row of `erasures`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The digits that identify the caller's number (`erasures::significant_digits`), if the number was given.
    #[sea_orm(column_type = "Text")]
    pub digits: Option<String>,
    /// The call to erase, if the call was given.
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    /// How many calls were erased so far.
    pub calls: i64,
    /// How many messages without a call, and SMS replies, were erased so far.
    pub messages: i64,
    /// The name of the key that requested the erasure.
    #[sea_orm(column_type = "Text")]
    pub author: String,
    /// The task that erases.
    pub runner: Uuid,
    pub created_at: DateTimeUtc,
    /// The time of the last progress.
    pub updated_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Inserts an erasure.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &DatabaseTransaction, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Finds an erasure by its rulebook and id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl ConnectionTrait, key: (Uuid, Uuid)) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(key).one(db).await
}

/// The unfinished erasures without progress since `silent_since`: their instance has stopped.
///
/// # Errors
/// When the database fails.
pub async fn silent(db: &impl ConnectionTrait, silent_since: DateTime<Utc>) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::FinishedAt.is_null())
        .filter(Column::UpdatedAt.lte(silent_since))
        .all(db)
        .await
}

/// Makes `runner` the task that erases, unless the erasure has made progress since it was read, or is done. Returns
/// whether it did.
///
/// # Errors
/// When the database fails.
pub async fn take_over(tx: &DatabaseTransaction, job: &Model, runner: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Runner, Expr::value(runner))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(of_runner(job))
        .filter(Column::UpdatedAt.eq(job.updated_at))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Adds erased calls and messages to the progress. Returns false if another task has taken over the erasure: then the
/// transaction must be rolled back.
///
/// # Errors
/// When the database fails.
pub async fn progress(
    tx: &DatabaseTransaction,
    job: &Model,
    (calls, messages): (i64, i64),
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Calls, Expr::col(Column::Calls).add(calls))
        .col_expr(Column::Messages, Expr::col(Column::Messages).add(messages))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(of_runner(job))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Ends an erasure, and deletes whom it erased from its row. Returns false if another task has taken over the erasure.
///
/// # Errors
/// When the database fails.
pub async fn finish(tx: &DatabaseTransaction, job: &Model, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let nobody = || Expr::value(None::<String>);
    let done = Entity::update_many()
        .col_expr(Column::Digits, nobody())
        .col_expr(Column::CallId, nobody())
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(of_runner(job))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// The row of an unfinished erasure, if its task still runs it.
fn of_runner(job: &Model) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::RulebookId.eq(job.rulebook_id))
        .add(Column::Id.eq(job.id))
        .add(Column::Runner.eq(job.runner))
        .add(Column::FinishedAt.is_null())
}
