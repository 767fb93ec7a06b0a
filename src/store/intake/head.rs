//! What a message begins from: the head revision and what is known of its call.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::statement;

/// What the transaction begins from: the head, and what is known of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The revision that decides.
    pub revision: i64,
    /// The version of the webhook's settings and secrets.
    pub auth_version: i64,
    /// The call, if it is known.
    pub call: Option<KnownCall>,
}

/// What is known of a call before this message.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCall {
    /// Whether its report has been recorded.
    pub reported: bool,
    /// Whether the caller's data was erased.
    pub erased: bool,
    /// The last quote spoken in it.
    pub quote: Option<PinnedQuote>,
}

/// The last quote spoken in a call.
#[derive(Debug, Clone, PartialEq)]
pub struct PinnedQuote {
    /// The decision that made it.
    pub decision_id: Uuid,
    /// The revision that decided.
    pub revision: i64,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
}

/// Reads the head and what is known of the call, and holds the call's row until the transaction ends: what one message
/// adds and what a deletion takes away must not pass each other unseen.
///
/// # Errors
/// When the database does not answer, or the rulebook is gone.
pub async fn head(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    let found = read_head(tx, rulebook_id, call_id).await?;
    let quote = found.call.as_ref().and_then(|call| call.quote.as_ref());
    if quote.is_some_and(|quote| quote.revision == 0) {
        // The row was waited for and names a quote that was not there when the question was asked: now it is.
        return read_head(tx, rulebook_id, call_id).await;
    }
    Ok(found)
}

async fn read_head(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    const SQLITE: &str = "SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at, \
        c.quote_decision_id, q.revision AS quote_revision, q.price_from, q.price_to \
        FROM rulebooks r \
        LEFT JOIN calls c ON c.rulebook_id = r.id AND c.id = $2 \
        LEFT JOIN decisions q ON q.rulebook_id = r.id AND q.id = c.quote_decision_id \
        WHERE r.id = $1";
    // A lock waits for whoever holds the row and then reads it as it has become. SQLite has one writer at a time.
    const POSTGRES: &str = "WITH c AS (SELECT id, report_at, erased_at, quote_decision_id FROM calls \
        WHERE rulebook_id = $1 AND id = $2 FOR NO KEY UPDATE) \
        SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at, \
        c.quote_decision_id, q.revision AS quote_revision, q.price_from, q.price_to \
        FROM rulebooks r LEFT JOIN c ON true \
        LEFT JOIN decisions q ON q.rulebook_id = r.id AND q.id = c.quote_decision_id \
        WHERE r.id = $1";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let row = tx
        .query_one_raw(statement(
            tx,
            sql,
            [rulebook_id.into(), call_id.map(ToOwned::to_owned).into()],
        ))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the rulebook".to_owned()))?;
    let call = match row.try_get::<Option<String>>("", "call_id")? {
        None => None,
        Some(_) => {
            let quote = match row.try_get::<Option<Uuid>>("", "quote_decision_id")? {
                None => None,
                Some(decision_id) => Some(PinnedQuote {
                    decision_id,
                    revision: row.try_get::<Option<i64>>("", "quote_revision")?.unwrap_or_default(),
                    price_from: row.try_get("", "price_from")?,
                    price_to: row.try_get("", "price_to")?,
                }),
            };
            Some(KnownCall {
                reported: row.try_get::<Option<DateTime<Utc>>>("", "report_at")?.is_some(),
                erased: row.try_get::<Option<DateTime<Utc>>>("", "erased_at")?.is_some(),
                quote,
            })
        }
    };
    Ok(Head {
        revision: row.try_get("", "head_revision")?,
        auth_version: row.try_get("", "auth_version")?,
        call,
    })
}
