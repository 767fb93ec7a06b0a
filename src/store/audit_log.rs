//! Who changed what, when, from what to what.

use sea_orm::entity::prelude::*;

/// A row of `audit_log`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    pub actor_key_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub request_id: Option<String>,
    pub rulebook_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub action: String,
    #[sea_orm(column_type = "Text")]
    pub resource: String,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    pub revision: Option<i64>,
    #[sea_orm(column_type = "JsonBinary")]
    pub before: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub after: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is written of one change.
#[derive(Debug, Clone)]
pub struct Entry {
    /// A new, time-ordered id.
    pub id: Uuid,
    /// When.
    pub at: chrono::DateTime<chrono::Utc>,
    /// Who, by name.
    pub actor: String,
    /// With which key.
    pub actor_key_id: Option<Uuid>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// In which rulebook; none for what belongs to no rulebook.
    pub rulebook_id: Option<Uuid>,
    /// What was done, as `create`.
    pub action: &'static str,
    /// To what kind of thing, as `api-keys`.
    pub resource: &'static str,
    /// To which one.
    pub code: String,
    /// The revision that came of it.
    pub revision: Option<i64>,
    /// What it was.
    pub before: Option<Json>,
    /// What it became.
    pub after: Option<Json>,
}

/// Writes an entry.
///
/// # Errors
/// When the database fails.
pub async fn append(tx: &sea_orm::DatabaseTransaction, entry: Entry) -> Result<(), DbErr> {
    use sea_orm::Set;
    let row = ActiveModel {
        id: Set(entry.id),
        at: Set(entry.at),
        actor: Set(entry.actor),
        actor_key_id: Set(entry.actor_key_id),
        address: Set(entry.address),
        request_id: Set(entry.request_id),
        rulebook_id: Set(entry.rulebook_id),
        action: Set(entry.action.to_owned()),
        resource: Set(entry.resource.to_owned()),
        code: Set(entry.code),
        revision: Set(entry.revision),
        before: Set(entry.before),
        after: Set(entry.after),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
