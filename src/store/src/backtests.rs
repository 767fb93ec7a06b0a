//! Stores the request, the progress and the result of each backtest. The row of a finished backtest never changes.

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

pub const QUEUED: &str = "queued";
pub const RUNNING: &str = "running";
pub const DONE: &str = "done";
pub const FAILED: &str = "failed";
pub const CANCELLED: &str = "cancelled";
/// State of a backtest whose instance stopped.
pub const INTERRUPTED: &str = "interrupted";

const UNFINISHED: [&str; 2] = [QUEUED, RUNNING];
/// Maximum number of backtests stored per rulebook.
const MAX_STORED: u64 = 200;

/// Inserts a backtest, and deletes the oldest finished backtests above the limit.
///
/// # Errors
/// When the database fails.
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
        .offset(MAX_STORED)
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

/// Stores the progress of an unfinished backtest. Returns false if the backtest is finished.
///
/// # Errors
/// When the database fails.
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

pub async fn find<C: ConnectionTrait>(db: &C, (rulebook_id, id): (Uuid, Uuid)) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id)).one(db).await
}

/// Marks backtests without progress since `silent_since` as interrupted, because their instance stopped.
///
/// # Errors
/// When the database fails.
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

/// Number of queued or running backtests of a rulebook.
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
