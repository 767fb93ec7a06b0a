//! Backtests: what was asked, how far it is, what was found. In: rows and instants. Out: rows, and whether a write took
//! place: a backtest that has ended is never written again.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel as _, QueryOrder as _, QuerySelect as _, Set};

/// A row of `backtests`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "backtests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub base_revision: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub wanted: Json,
    pub percent: i64,
    pub looked_at: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub result: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub author: String,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Waiting for its turn.
pub const QUEUED: &str = "queued";
/// Under way.
pub const RUNNING: &str = "running";
/// Everything was looked at.
pub const DONE: &str = "done";
/// It could not go on.
pub const FAILED: &str = "failed";
/// Somebody stopped it.
pub const CANCELLED: &str = "cancelled";
/// Its instance stopped.
pub const INTERRUPTED: &str = "interrupted";

const UNFINISHED: [&str; 2] = [QUEUED, RUNNING];
/// How many backtests of a rulebook are kept.
const KEPT: u64 = 200;

/// Writes a new one; the oldest of many are forgotten.
///
/// # Errors
/// When the database does not take it.
pub async fn insert(tx: &DatabaseTransaction, row: Model) -> Result<(), DbErr> {
    let rulebook_id = row.rulebook_id;
    Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    let newest_gone = Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .select_only()
        .column(Column::Id)
        .order_by_desc(Column::Id)
        .offset(KEPT)
        .limit(1)
        .into_tuple::<Uuid>()
        .one(tx)
        .await?;
    if let Some(newest_gone) = newest_gone {
        Entity::delete_many()
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::State.is_not_in(UNFINISHED))
            .filter(Column::Id.lte(newest_gone))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Writes how far one is, unless it has ended. Out: whether it was still going on.
///
/// # Errors
/// When the database does not take it.
pub async fn update(
    tx: &DatabaseTransaction,
    (rulebook_id, id): (Uuid, Uuid),
    change: ActiveModel,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .set(change)
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::Id.eq(id))
        .filter(Column::State.is_in(UNFINISHED))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// One.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(db: &C, (rulebook_id, id): (Uuid, Uuid)) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id)).one(db).await
}

/// Says of those that nobody has written to since `silent_since` that their instance stopped.
///
/// # Errors
/// When the database does not take it.
pub async fn interrupt(
    tx: &DatabaseTransaction,
    silent_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let change = ActiveModel {
        state: Set(INTERRUPTED.to_owned()),
        finished_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(change)
        .filter(Column::State.is_in(UNFINISHED))
        .filter(Column::UpdatedAt.lte(silent_since))
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// How many of a rulebook's wait or run.
///
/// # Errors
/// When the database fails.
pub async fn unfinished<C: ConnectionTrait>(db: &C, rulebook_id: Uuid) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::State.is_in(UNFINISHED))
        .count(db)
        .await
}
