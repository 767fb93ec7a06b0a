//! Jobs that erase callers. A row contains the caller to erase, the progress and the time of the end. The row names the
//! caller only until the erasure is done.

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
    /// The number of messages without a call that were erased so far, plus the number of erased SMS replies.
    pub messages: i64,
    /// The name of the key that requested the erasure.
    #[sea_orm(column_type = "Text")]
    pub author: String,
    /// The id of the task that runs the erasure.
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

/// Returns the unfinished erasures that made no progress since `silent_since`. The instances that ran these erasures
/// have stopped.
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

/// Makes `runner` the task that runs the erasure. Does nothing if the erasure is done, or has made progress since `job`
/// was read. Returns whether `runner` has taken over.
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

/// Adds erased calls and messages to the progress. Returns false if another task has taken over the erasure. The
/// transaction must then be rolled back.
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

/// Marks an erasure as done, and deletes the caller's digits and call id from its row. Returns false if another task
/// has taken over the erasure.
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

/// Builds a condition that selects the row of `job`, if the erasure is unfinished and the same task still runs it.
fn of_runner(job: &Model) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::RulebookId.eq(job.rulebook_id))
        .add(Column::Id.eq(job.id))
        .add(Column::Runner.eq(job.runner))
        .add(Column::FinishedAt.is_null())
}
