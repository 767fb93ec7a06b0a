//! What a person should know: raised once while it is open, counted when it happens again, resolved when it is over.
//!
//! In: what happened and what to do, in words that hold no phone number and no text of a message. Out: rows.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};

/// A row of `notices`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub severity: String,
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    #[sea_orm(column_type = "Text")]
    pub text: String,
    #[sea_orm(column_type = "Text")]
    pub what_to_do: String,
    pub count: i64,
    pub first_at: DateTimeUtc,
    pub last_at: DateTimeUtc,
    pub resolved_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How soon a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Urgent,
}

impl Severity {
    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }
}

/// Something a person should know.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Whose business it is.
    pub rulebook_id: Uuid,
    /// What kind of thing it is.
    pub code: &'static str,
    /// How soon to look.
    pub severity: Severity,
    /// What it is about, so that the same fact is told once and counted.
    pub subject: String,
    /// What happened.
    pub text: String,
    /// What a person can do.
    pub what_to_do: String,
}

/// Raises a notice under `id`; one that is open for the same rulebook, code and subject is counted up and retold instead.
pub async fn raise(tx: &DatabaseTransaction, notice: Notice, now: DateTimeUtc, id: Uuid) -> Result<(), DbErr> {
    let row = Model {
        rulebook_id: notice.rulebook_id,
        id,
        code: notice.code.to_owned(),
        severity: notice.severity.word().to_owned(),
        subject: notice.subject,
        text: notice.text,
        what_to_do: notice.what_to_do,
        count: 1,
        first_at: now,
        last_at: now,
        resolved_at: None,
    };
    let row: ActiveModel = row.into();
    let again = OnConflict::columns([Column::RulebookId, Column::Code, Column::Subject])
        .target_and_where(Expr::col(Column::ResolvedAt).is_null())
        .update_columns([Column::Severity, Column::Text, Column::WhatToDo, Column::LastAt])
        .value(Column::Count, Expr::col((Entity, Column::Count)).add(1))
        .to_owned();
    Entity::insert(row.reset_all())
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Resolves the open notice for a rulebook, code and subject. Out: whether there was one.
pub async fn resolve(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    code: &str,
    subject: &str,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ResolvedAt, Expr::value(now))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Code.eq(code))
        .filter(Column::Subject.eq(subject))
        .filter(Column::ResolvedAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}
