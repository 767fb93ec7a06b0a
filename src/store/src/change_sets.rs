//! Change sets: edits that are not published yet. Published change sets stay in the table, with the number of their
//! revision.
//!
//! A change set is changed only while its row is [`locked`], and every change increments its version. A publish request
//! that names an older version is rejected.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{
    DatabaseBackend, DatabaseConnection, DatabaseTransaction, IntoActiveModel as _, QueryOrder, QuerySelect,
};

use super::sql::without_keys;

/// A row of `change_sets`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change_sets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    #[sea_orm(column_type = "Text")]
    pub comment: String,
    #[sea_orm(column_type = "Text")]
    pub author: String,
    pub author_key_id: Option<Uuid>,
    pub base_revision: i64,
    pub version: i64,
    pub changes: i64,
    pub bytes: i64,
    pub next_number: i64,
    pub publish_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "JsonBinary")]
    pub publisher: Option<Json>,
    pub revision: Option<i64>,
    #[sea_orm(column_type = "JsonBinary")]
    pub refusal: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub breaches: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub approved_by: Option<Json>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Lifecycle state of a change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSetStatus {
    /// Edits can be added.
    Open,
    /// The change set will be published at its scheduled time.
    Scheduled,
    /// The change set will be published when a second person approves it.
    Waiting,
    /// The change set was published as a revision.
    Published,
    /// The scheduled publication failed. The change set can be edited and published like an open change set.
    Refused,
    /// The change set was discarded.
    Discarded,
}

impl ChangeSetStatus {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Scheduled,
        Self::Waiting,
        Self::Published,
        Self::Refused,
        Self::Discarded,
    ];

    /// Returns the word that the table contains for this state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Discarded => "discarded",
        }
    }
}

impl Model {
    /// Whether the change set is in one of these states. A CHECK constraint restricts the column to known states.
    #[must_use]
    pub fn is_in(&self, states: &[ChangeSetStatus]) -> bool {
        states.iter().any(|state| state.word() == self.state)
    }
}

/// Returns up to `most` open change sets of an author.
pub async fn open_of(db: &DatabaseConnection, rulebook_id: Uuid, author: &str, most: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::State.eq(ChangeSetStatus::Open.word()))
        .filter(Column::Author.eq(author))
        .order_by_desc(Column::Id)
        .limit(most)
        .all(db)
        .await
}

/// The change set with this id. `None` if the rulebook has no such change set.
pub async fn find(db: &DatabaseConnection, rulebook_id: Uuid, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((rulebook_id, id)).one(db).await
}

/// Reads a change set, and locks it until the transaction ends.
pub async fn locked(tx: &DatabaseTransaction, rulebook_id: Uuid, id: Uuid) -> Result<Option<Model>, DbErr> {
    let mut query = Entity::find_by_id((rulebook_id, id));
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        query = query.lock(LockType::Update);
    }
    query.one(tx).await
}

/// Inserts a change set.
pub async fn insert(tx: &DatabaseTransaction, set: Model) -> Result<(), DbErr> {
    Entity::insert(set.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Updates a change set that this transaction has locked.
pub async fn save(tx: &DatabaseTransaction, set: Model) -> Result<(), DbErr> {
    let key = (set.rulebook_id, set.id);
    Entity::update_many()
        .set(without_keys(set.into_active_model().reset_all()))
        .filter(Column::RulebookId.eq(key.0))
        .filter(Column::Id.eq(key.1))
        .exec(tx)
        .await?;
    Ok(())
}

/// Returns scheduled change sets that are due, earliest first.
pub async fn due(db: &DatabaseConnection, now: DateTimeUtc, most: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::State.eq(ChangeSetStatus::Scheduled.word()))
        .filter(Column::PublishAt.lte(now))
        .order_by_asc(Column::PublishAt)
        .order_by_asc(Column::Id)
        .limit(most)
        .all(db)
        .await
}

/// Returns when the next scheduled change set is due.
pub async fn next_due(db: &DatabaseConnection) -> Result<Option<DateTimeUtc>, DbErr> {
    let next = Entity::find()
        .select_only()
        .column(Column::PublishAt)
        .filter(Column::State.eq(ChangeSetStatus::Scheduled.word()))
        .order_by_asc(Column::PublishAt)
        .into_tuple::<Option<DateTimeUtc>>()
        .one(db)
        .await?;
    Ok(next.flatten())
}
