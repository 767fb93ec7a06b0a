//! Quotas: limits on what one rulebook may store, so that no tenant fills the shared database.
//!
//! A check runs inside the writing transaction, before the write, and counts the rows that this transaction sees. For
//! an exact limit, lock the head of the rulebook first. Otherwise each concurrent writer can exceed the limit by one.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;

use super::sql::statement;
use super::{api_keys, rulebooks};

/// Maximum number of rulebooks.
pub const MAX_RULEBOOKS: u64 = 1_000;
/// Maximum number of change sets of a rulebook that are neither published nor discarded.
pub const MAX_OPEN_CHANGE_SETS: i64 = 200;
/// Maximum total size of a rulebook's change sets, in bytes of JSON. The total includes change sets that are open or
/// were opened within a day.
pub const MAX_CHANGE_SET_BYTES: i64 = 128 * 1024 * 1024;
/// Maximum number of revisions of a rulebook within a day.
pub const MAX_REVISIONS: i64 = 10_000;
/// Number of additional revisions for rollbacks, which must stay possible when the quota is reached.
pub const EXTRA_ROLL_BACKS: i64 = 1_000;
/// Maximum number of bytes that a rulebook's revisions may change within a day. The size of each changed row counts as
/// JSON, before and after the change.
pub const MAX_REVISION_BYTES: i64 = 256 * 1024 * 1024;
/// Maximum number of API keys that are neither revoked nor expired. The limit applies to the keys of one rulebook, and
/// separately to the keys that are valid for every rulebook.
pub const MAX_API_KEYS: u64 = 200;

/// Which quota was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Quota {
    /// [`MAX_RULEBOOKS`] is reached.
    #[error("there are {MAX_RULEBOOKS} rulebooks, and there can be no more: use one of them for another business")]
    Rulebooks,
    /// [`MAX_OPEN_CHANGE_SETS`] is reached.
    #[error(
        "the rulebook has {MAX_OPEN_CHANGE_SETS} change sets that are neither published nor discarded, and can have no more: \
         publish or discard some"
    )]
    OpenChangeSets,
    /// [`MAX_CHANGE_SET_BYTES`] is reached.
    #[error(
        "the change sets of the rulebook that are open or were opened within 24 hours may have {MAX_CHANGE_SET_BYTES} bytes \
         together: publish or discard some, or wait for a day"
    )]
    ChangeSetBytes,
    /// [`MAX_REVISIONS`] is reached.
    #[error(
        "the rulebook had {MAX_REVISIONS} revisions within 24 hours, and can have no more: collect changes in a change set, and \
         publish them together"
    )]
    Revisions,
    /// [`MAX_REVISION_BYTES`] is reached.
    #[error(
        "the revisions of a rulebook may change {MAX_REVISION_BYTES} bytes of rows within 24 hours: publish only the rows that \
         changed, or wait for a day"
    )]
    RevisionBytes,
    /// [`MAX_API_KEYS`] is reached for the keys of one rulebook.
    #[error(
        "the rulebook has {MAX_API_KEYS} API keys that are neither revoked nor expired, and can have no more: revoke those that \
         nobody uses (`last_used_at` says which)"
    )]
    ApiKeys,
    /// [`MAX_API_KEYS`] is reached for the keys that are valid for every rulebook.
    #[error(
        "there are {MAX_API_KEYS} API keys for all rulebooks that are neither revoked nor expired, and there can be no more: \
         revoke those that nobody uses (`last_used_at` says which)"
    )]
    GlobalApiKeys,
}

/// The quota that one more rulebook would exceed.
pub async fn rulebook(tx: &DatabaseTransaction) -> Result<Option<Quota>, DbErr> {
    let count = rulebooks::Entity::find().count(tx).await?;
    Ok((count >= MAX_RULEBOOKS).then_some(Quota::Rulebooks))
}

/// The quota that a rulebook would exceed if it got `sets` more change sets, with `bytes` more bytes in total.
pub async fn change_sets(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    (sets, bytes): (i64, i64),
    now: DateTime<Utc>,
) -> Result<Option<Quota>, DbErr> {
    const SQL: &str = "SELECT COALESCE(SUM(CASE WHEN state IN ('published', 'discarded') THEN 0 ELSE 1 END), 0) AS open_sets, \
                       CAST(COALESCE(SUM(bytes), 0) AS bigint) AS bytes FROM change_sets WHERE rulebook_id = $1 \
                       AND (state NOT IN ('published', 'discarded') OR created_at > $2)";
    let day_ago = now - TimeDelta::days(1);
    let Some(row) = tx
        .query_one_raw(statement(tx, SQL, [rulebook_id.into(), day_ago.into()]))
        .await?
    else {
        return Ok(None);
    };
    let (open, stored): (i64, i64) = (row.try_get("", "open_sets")?, row.try_get("", "bytes")?);
    Ok(if open + sets > MAX_OPEN_CHANGE_SETS {
        Some(Quota::OpenChangeSets)
    } else if stored + bytes > MAX_CHANGE_SET_BYTES {
        Some(Quota::ChangeSetBytes)
    } else {
        None
    })
}

/// The quota that a rulebook would exceed if the next revision after `head` changes `bytes` bytes. `tx` must have
/// locked the head.
pub async fn revision(
    tx: &DatabaseTransaction,
    (rulebook_id, head): (Uuid, i64),
    bytes: i64,
    is_roll_back: bool,
    now: DateTime<Utc>,
) -> Result<Option<Quota>, DbErr> {
    const SQL: &str = "SELECT COUNT(*) AS revisions, CAST(COALESCE(SUM(bytes), 0) AS bigint) AS bytes FROM revisions \
                       WHERE rulebook_id = $1 AND number > $2 AND created_at > $3";
    let extra = if is_roll_back { EXTRA_ROLL_BACKS } else { 0 };
    let most = MAX_REVISIONS + extra;
    let (oldest, day_ago) = (head - most, now - TimeDelta::days(1));
    let Some(row) = tx
        .query_one_raw(statement(tx, SQL, [rulebook_id.into(), oldest.into(), day_ago.into()]))
        .await?
    else {
        return Ok(None);
    };
    let (count, changed): (i64, i64) = (row.try_get("", "revisions")?, row.try_get("", "bytes")?);
    Ok(if count >= most {
        Some(Quota::Revisions)
    } else if !is_roll_back && changed + bytes > MAX_REVISION_BYTES {
        Some(Quota::RevisionBytes)
    } else {
        None
    })
}

/// The quota that one more API key would exceed. `rulebook_id` is `None` for a key that is valid for every rulebook.
pub async fn api_key(
    tx: &DatabaseTransaction,
    rulebook_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Quota>, DbErr> {
    use api_keys::Column;
    let lasting = Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now));
    let keys = api_keys::Entity::find()
        .filter(Column::RevokedAt.is_null())
        .filter(lasting);
    let (keys, quota) = match rulebook_id {
        Some(id) => (keys.filter(Column::RulebookId.eq(id)), Quota::ApiKeys),
        None => (keys.filter(Column::RulebookId.is_null()), Quota::GlobalApiKeys),
    };
    Ok((keys.count(tx).await? >= MAX_API_KEYS).then_some(quota))
}
