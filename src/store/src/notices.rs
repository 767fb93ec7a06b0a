//! Notices for problems that need a person's attention. A notice is raised when a problem begins, counted when the
//! problem happens again, and resolved when the problem ends.
//!
//! A notice must not contain a phone number or the text of a message.

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
    /// Who resolved the notice. `None` if the notice is open, or was resolved because its cause ended.
    #[sea_orm(column_type = "Text")]
    pub resolved_by: Option<String>,
    /// Comment of the person who resolved the notice.
    #[sea_orm(column_type = "Text")]
    pub comment: Option<String>,
    /// When the notice was sent to the operator's phone.
    pub told_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A contact replied STOP.
pub const OPTED_OUT: &str = "contact_opted_out";
/// Codes of notices about dead SMS messages to a contact. Such a notice is resolved when the contact has no dead
/// message left.
pub const GIVEN_UP: [&str; 5] = [
    "sms_refused",
    "sms_given_up",
    "sms_unknown",
    "sms_undelivered",
    "sms_suppressed",
];

/// Subject of notices about a contact.
#[must_use]
pub fn of_contact(code: &str) -> String {
    format!("contact {code}")
}

/// How soon a person should act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Info,
    /// A person should act today.
    Warning,
    /// A person should act now.
    Urgent,
}

impl Severity {
    /// The word that the table contains for this severity.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Notice {
    pub rulebook_id: Uuid,
    /// The type of the notice.
    pub code: &'static str,
    pub severity: Severity,
    /// What the problem is about. Notices with the same code and subject are stored as one notice with a count.
    pub subject: String,
    /// What happened.
    pub text: String,
    /// What a person can do.
    pub what_to_do: String,
}

/// Raises a notice with this id. If a notice with the same rulebook, code and subject is open, that notice is updated
/// instead, and its count is incremented.
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

/// The text of the open notice with this rulebook, code and subject.
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

/// Resolves the open notice with this rulebook, code and subject. Returns whether a notice was resolved.
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

/// Resolves a notice on behalf of a person, and stores the person's comment. Returns false if the notice was resolved
/// before.
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

/// Selects notices that are never sent to the operator's phone. They belong to the rulebook whose Twilio account sends
/// to the operator, and have this subject or one of these codes.
#[derive(Debug)]
pub struct SilentNotices<'a> {
    pub rulebook_id: Uuid,
    pub subject: String,
    pub codes: &'a [&'a str],
}

impl SilentNotices<'_> {
    /// Condition for open urgent notices that still have to be sent to the operator.
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

/// Rulebooks with notices that still have to be sent to the operator.
pub async fn untold_rulebooks<C: ConnectionTrait>(db: &C, unsaid: &SilentNotices<'_>) -> Result<Vec<Uuid>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RulebookId)
        .distinct()
        .filter(unsaid.notices())
        .into_tuple()
        .all(db)
        .await
}

/// The oldest notice of a rulebook that still has to be sent to the operator.
pub async fn untold<C: ConnectionTrait>(
    db: &C,
    unsaid: &SilentNotices<'_>,
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

/// Returns, for each rulebook, the number of notices that were sent to the operator since `since`.
pub async fn sent_since<C: ConnectionTrait>(db: &C, since: DateTimeUtc) -> Result<HashMap<Uuid, u64>, DbErr> {
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

/// Marks a notice as sent to the operator. Returns false if the notice was sent before or is resolved.
pub async fn mark_sent(tx: &DatabaseTransaction, row: &Model, now: DateTimeUtc) -> Result<bool, DbErr> {
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
