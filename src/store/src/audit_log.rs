//! The audit log: who changed what and when, with the values before and after. The log is append-only, and each entry
//! is chained to the previous entry.
//!
//! The log never contains what callers said. If a row may contain such words, the entry contains only a digest of the
//! row.

use std::cmp::max;

use chrono::{DurationRound as _, TimeDelta};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{DatabaseBackend, DatabaseTransaction, IntoActiveModel as _, QuerySelect as _};
use serde_json::json;

pub use super::audit_chain::AuditKey;
use super::audit_chain::{Columns, GENESIS, Head, digest};
use super::audit_head;

/// A row of `audit_log`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub seq: i64,
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
    /// The program always writes the MAC. `None` means that somebody removed the MAC.
    pub mac: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An entry to append. Its number and its MAC are computed when the entry is written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    pub id: Uuid,
    pub at: DateTimeUtc,
    /// The name of the key or of the command.
    pub actor: String,
    pub actor_key_id: Option<Uuid>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub rulebook_id: Option<Uuid>,
    pub action: String,
    pub resource: String,
    pub code: String,
    /// The revision that the change created.
    pub revision: Option<i64>,
    pub before: Option<Json>,
    pub after: Option<Json>,
}

/// Resources whose rows may contain what a caller said. The log contains only a digest of these rows, so that erasing a
/// caller never breaks the chain.
const DIGESTED: [&str; 1] = ["cases"];
/// Entries per statement. The number is fixed, because a statement with another number of entries would have to be
/// prepared separately.
const CHUNK: usize = 50;

/// Appends one entry. The rules of [`append_all`] also apply to this function.
pub async fn append(tx: &DatabaseTransaction, key: &AuditKey, entry: NewEntry) -> Result<(), DbErr> {
    append_all(tx, key, vec![entry]).await
}

/// Appends entries in order. Call this function as the last step of a transaction, because it locks the head until the
/// transaction ends. If the transaction then waited for another lock, it would block all other writers.
pub async fn append_all(tx: &DatabaseTransaction, key: &AuditKey, entries: Vec<NewEntry>) -> Result<(), DbErr> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut head = hold_head(tx, key).await?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let row = chained(key, &mut head, entry.into())?;
        rows.push(row);
    }
    for chunk in rows.chunks(CHUNK) {
        let chunk = chunk.iter().map(|row| row.clone().into_active_model().reset_all());
        Entity::insert_many(chunk).exec_without_returning(tx).await?;
    }
    move_head(tx, key, head).await
}

/// Starts the chain on an empty log. If there are entries but no head, somebody removed the head. The existing entries
/// are then never signed, because an attacker with access to the database may have altered them. Instead the new head
/// records that the chain is broken, and writes continue. Returns whether a chain was started.
pub async fn begin_chain(tx: &DatabaseTransaction, key: &AuditKey) -> Result<bool, DbErr> {
    let empty = Head {
        seq: 0,
        mac: GENESIS.to_vec(),
        broken_since: None,
    };
    let first = audit_head::Model::sealed(key, empty.clone());
    let once = OnConflict::column(audit_head::Column::One).do_nothing().to_owned();
    let inserted = audit_head::Entity::insert(first.into_active_model().reset_all())
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    if Entity::find().one(tx).await?.is_none() {
        return Ok(true);
    }
    let broken = unfit(tx, empty).await?;
    move_head(tx, key, broken).await?;
    Ok(false)
}

/// Reads the head, and locks it until the transaction ends. PostgreSQL uses a row lock. SQLite needs no lock, because
/// it has only one writer.
async fn hold_head(tx: &DatabaseTransaction, key: &AuditKey) -> Result<Head, DbErr> {
    let mut query = audit_head::Entity::find_by_id(1);
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        query = query.lock(LockType::Update);
    }
    let found = match query.clone().one(tx).await? {
        Some(found) => found,
        None => {
            // If the log already contains entries, `begin_chain` records that the head was removed.
            begin_chain(tx, key).await?;
            let found = query.one(tx).await?;
            found.ok_or_else(|| DbErr::RecordNotFound("the head of the audit chain".to_owned()))?
        }
    };
    // Read the number of the last entry in a separate statement. This statement sees the commits that happened while
    // the transaction waited for the lock.
    let last = last_seq(tx).await?;
    if found.fits(key) && last == found.seq {
        return Ok(found.head());
    }
    unfit(tx, found.head()).await
}

/// Handles a head whose MAC does not verify or that does not match the entries. The function reports the damage and
/// lets writes continue. The head stays marked as broken, so that the next entry does not hide the damage.
async fn unfit(tx: &DatabaseTransaction, head: Head) -> Result<Head, DbErr> {
    let next = max(last_seq(tx).await?, head.seq).saturating_add(1);
    tracing::error!(
        seq = next,
        "the head of the audit chain does not match its entries, or RINGBOOK_SECRET_KEY has changed: run \
         `ringbook audit verify`"
    );
    Ok(Head {
        seq: next - 1,
        mac: head.mac,
        broken_since: Some(head.broken_since.map_or(next, |since| since.min(next))),
    })
}

async fn last_seq(tx: &DatabaseTransaction) -> Result<i64, DbErr> {
    let last = Entity::find().select_only().column_as(Column::Seq.max(), "last");
    Ok(last.into_tuple::<Option<i64>>().one(tx).await?.flatten().unwrap_or(0))
}

async fn move_head(tx: &DatabaseTransaction, key: &AuditKey, head: Head) -> Result<(), DbErr> {
    let row = audit_head::Model::sealed(key, head);
    audit_head::Entity::update(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Builds the row of the next entry in the chain, and advances the head.
fn chained(key: &AuditKey, head: &mut Head, mut row: Model) -> Result<Model, DbErr> {
    row.seq = head.seq + 1;
    let mac = key.of_entry(&head.mac, &columns(&row));
    let mac = mac.ok_or_else(|| DbErr::Type("an audit entry contains invalid JSON".to_owned()))?;
    (head.seq, head.mac) = (row.seq, mac.to_vec());
    row.mac = Some(mac.to_vec());
    Ok(row)
}

fn columns(row: &Model) -> Columns {
    Columns {
        seq: row.seq,
        id: row.id,
        at: row.at,
        actor: row.actor.clone(),
        actor_key_id: row.actor_key_id,
        address: row.address.clone(),
        request_id: row.request_id.clone(),
        rulebook_id: row.rulebook_id,
        action: row.action.clone(),
        resource: row.resource.clone(),
        code: row.code.clone(),
        revision: row.revision,
        before: row.before.as_ref().map(ToString::to_string),
        after: row.after.as_ref().map(ToString::to_string),
    }
}

impl From<NewEntry> for Model {
    fn from(entry: NewEntry) -> Self {
        let hidden = DIGESTED.contains(&entry.resource.as_str());
        let kept = |value: Option<Json>| match value {
            None | Some(Json::Null) => None,
            Some(value) if hidden => Some(json!({"sha256": digest(&value.to_string())})),
            Some(value) => Some(value),
        };
        Self {
            id: entry.id,
            seq: 0,
            // Both databases store times with a precision of microseconds.
            at: entry.at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(entry.at),
            actor: entry.actor,
            actor_key_id: entry.actor_key_id,
            address: entry.address,
            request_id: entry.request_id,
            rulebook_id: entry.rulebook_id,
            action: entry.action,
            resource: entry.resource,
            code: entry.code,
            revision: entry.revision,
            before: kept(entry.before),
            after: kept(entry.after),
            mac: None,
        }
    }
}
