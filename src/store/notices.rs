//! What a person should know: raised once while it is open, counted when it happens again, resolved when it is over.
//!
//! In: what happened and what to do, in words that hold no phone number and no text of a message. Out: rows.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{Condition, DatabaseTransaction, QueryOrder, QuerySelect};

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
    /// Who ended it; nobody when the fact was over by itself.
    #[sea_orm(column_type = "Text")]
    pub resolved_by: Option<String>,
    /// What they wrote.
    #[sea_orm(column_type = "Text")]
    pub comment: Option<String>,
    /// When the operator was texted about it.
    pub told_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A contact does not want texts any more.
pub const OPTED_OUT: &str = "contact_opted_out";
/// What is said of a contact's texts that were given up: over when the last of them was sent again.
pub const GIVEN_UP: [&str; 5] = [
    "sms_refused",
    "sms_given_up",
    "sms_unknown",
    "sms_undelivered",
    "sms_suppressed",
];

/// What a notice about a contact is about.
#[must_use]
pub fn of_contact(code: &str) -> String {
    format!("contact {code}")
}

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
        resolved_by: None,
        comment: None,
        told_at: None,
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

/// What the open notice for a rulebook, code and subject says; none where none is open.
pub async fn said<C: ConnectionTrait>(
    db: &C,
    rulebook_id: Uuid,
    code: &str,
    subject: &str,
) -> Result<Option<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Text)
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Code.eq(code))
        .filter(Column::Subject.eq(subject))
        .filter(Column::ResolvedAt.is_null())
        .into_tuple()
        .one(db)
        .await
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

/// Ends a notice for a person, who may have written a comment. False when it is over already.
pub async fn resolve_id(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    by: &str,
    comment: Option<&str>,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ResolvedAt, Expr::value(now))
        .col_expr(Column::ResolvedBy, Expr::value(by))
        .col_expr(Column::Comment, Expr::value(comment.map(ToOwned::to_owned)))
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Id.eq(id))
        .filter(Column::ResolvedAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// How many notices of each severity are open.
pub async fn count_open<C: ConnectionTrait>(db: &C) -> Result<[(&'static str, u64); 3], DbErr> {
    let counted: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::Severity)
        .column_as(Column::Id.count(), "open")
        .filter(Column::ResolvedAt.is_null())
        .group_by(Column::Severity)
        .into_tuple()
        .all(db)
        .await?;
    let of = |severity: Severity| {
        let found = counted.iter().find(|(word, _)| word == severity.word());
        let count = found.map_or(0, |(_, count)| *count);
        (severity.word(), u64::try_from(count).unwrap_or_default())
    };
    Ok([Severity::Info, Severity::Warning, Severity::Urgent].map(of))
}

/// What the operator is not texted about, of one rulebook: its account sends those texts.
#[derive(Debug)]
pub struct Unsaid<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// A subject.
    pub subject: String,
    /// Kinds of notices.
    pub codes: &'a [&'a str],
}

impl Unsaid<'_> {
    /// The open urgent notices about which the operator was not texted.
    fn notices(&self) -> Condition {
        let said = Condition::any().add(Column::RulebookId.ne(self.rulebook_id)).add(
            Column::Subject
                .ne(self.subject.as_str())
                .and(Column::Code.is_not_in(self.codes.iter().copied())),
        );
        Condition::all()
            .add(Column::ResolvedAt.is_null())
            .add(Column::ToldAt.is_null())
            .add(Column::Severity.eq(Severity::Urgent.word()))
            .add(said)
    }
}

/// The rulebooks with open urgent notices about which the operator was not texted.
pub async fn untold_rulebooks<C: ConnectionTrait>(db: &C, unsaid: &Unsaid<'_>) -> Result<Vec<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .distinct()
        .filter(unsaid.notices())
        .into_tuple()
        .all(db)
        .await
}

/// The oldest of them about a rulebook.
pub async fn untold<C: ConnectionTrait>(
    db: &C,
    unsaid: &Unsaid<'_>,
    rulebook_id: Uuid,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(unsaid.notices())
        .order_by_asc(Column::Id)
        .limit(1)
        .one(db)
        .await
}

/// How many notices of each rulebook the operator was texted about since an instant.
pub async fn told_since<C: ConnectionTrait>(db: &C, since: DateTimeUtc) -> Result<HashMap<Uuid, u64>, DbErr> {
    let counted: Vec<(Uuid, i64)> = Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .column_as(Column::Id.count(), "told")
        .filter(Column::ToldAt.gt(since))
        .group_by(Column::RulebookId)
        .into_tuple()
        .all(db)
        .await?;
    let count = |(rulebook_id, told): (Uuid, i64)| (rulebook_id, u64::try_from(told).unwrap_or_default());
    Ok(counted.into_iter().map(count).collect())
}

/// Notes that the operator is told of a notice. False when that was done, or it is over.
pub async fn tell_once(tx: &DatabaseTransaction, row: &Model, now: DateTimeUtc) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::ToldAt, Expr::value(now))
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Id.eq(row.id))
        .filter(Column::ResolvedAt.is_null())
        .filter(Column::ToldAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}
