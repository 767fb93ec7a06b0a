//! Counts the faults of scripts across instances, and lists quarantined scripts. A fault is a run that fails because of
//! the script.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{DatabaseBackend, DatabaseTransaction, QueryOrder as _, QuerySelect as _};

/// A row of `script_quarantines`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "script_quarantines")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub code: String,
    pub version: i64,
    pub faults: i64,
    /// Number of runs since the first fault, as far as instances have reported them.
    pub runs: i64,
    pub first_fault_at: DateTimeUtc,
    pub last_fault_at: DateTimeUtc,
    pub since: Option<DateTimeUtc>,
    pub until: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The limits beyond which a script is quarantined, and the duration of the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// Minimum number of faults that starts a quarantine.
    pub faults: i64,
    /// Minimum fault rate: one fault in this many runs.
    pub one_in: i64,
    /// The time after the first fault within which all these faults must occur.
    pub within: chrono::TimeDelta,
    /// The duration of a quarantine.
    pub for_: chrono::TimeDelta,
}

/// Counts a fault of this version of a script. Also adds `runs` runs, which include the failed run and earlier runs
/// that were not reported yet. Returns the row if this fault starts a quarantine.
pub async fn fault(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    (code, version): (&str, i64),
    runs: i64,
    now: DateTimeUtc,
    limits: QuarantineLimits,
) -> Result<Option<Model>, DbErr> {
    let fresh = Model {
        rulebook_id,
        code: code.to_owned(),
        version,
        faults: 0,
        runs: 0,
        first_fault_at: now,
        last_fault_at: now,
        since: None,
        until: None,
    };
    let row: ActiveModel = fresh.clone().into();
    let known = OnConflict::columns([Column::RulebookId, Column::Code])
        .do_nothing()
        .to_owned();
    Entity::insert(row.reset_all())
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    // Lock the row, so that concurrent failures are counted one after another.
    let mut find = Entity::find_by_id((rulebook_id, code.to_owned()));
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        find = find.lock(LockType::NoKeyUpdate);
    }
    let mut row = find.one(tx).await?.unwrap_or_else(|| fresh.clone());
    if version < row.version {
        // An older version of the script failed, which says nothing about the current version.
        return Ok(None);
    }
    let is_over = row.until.is_some_and(|until| until <= now);
    let too_old = row.until.is_none() && now - row.first_fault_at > limits.within;
    if version > row.version || is_over || too_old {
        row = fresh;
    }
    row.faults += 1;
    row.runs = row.runs.saturating_add(runs).max(row.faults);
    row.last_fault_at = row.last_fault_at.max(now);
    let often = row.faults >= limits.faults && row.faults.saturating_mul(limits.one_in) >= row.runs;
    let enters = row.until.is_none() && often;
    if enters {
        (row.since, row.until) = (Some(now), Some(now + limits.for_));
    }
    let changed: ActiveModel = row.clone().into();
    Entity::update(changed.reset_all()).exec(tx).await?;
    Ok(enters.then_some(row))
}

/// Adds `runs` to the count of a script, if the script has faults and is not quarantined.
pub async fn ran(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    (code, version): (&str, i64),
    runs: i64,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(
            Column::Runs,
            sea_orm::sea_query::ExprTrait::add(Expr::col(Column::Runs), runs),
        )
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Code.eq(code))
        .filter(Column::Version.eq(version))
        .filter(Column::Until.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Returns every script with faults. They include scripts whose quarantine has expired but was not ended yet.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().all(db).await
}

/// A rulebook's scripts that are in quarantine at `now`, ordered by code.
pub async fn of_rulebook(db: &impl ConnectionTrait, rulebook_id: Uuid, now: DateTimeUtc) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Until.gt(now))
        .order_by_asc(Column::Code)
        .all(db)
        .await
}

/// Ends a quarantine, and deletes the counted faults of the script. Returns false if the script was not quarantined.
pub async fn release(tx: &DatabaseTransaction, rulebook_id: Uuid, code: &str) -> Result<bool, DbErr> {
    let done = Entity::delete_many()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Code.eq(code))
        .filter(Column::Until.is_not_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Ends an expired quarantine. Returns false if another instance ended the quarantine, or if a new quarantine has
/// started.
pub async fn end(tx: &DatabaseTransaction, row: &Model) -> Result<bool, DbErr> {
    let done = Entity::delete_many()
        .filter(Column::RulebookId.eq(row.rulebook_id))
        .filter(Column::Code.eq(&row.code))
        .filter(Column::Until.eq(row.until))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}
