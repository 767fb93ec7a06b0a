//! The audit chain while the server runs: it begins with the first start, and its head is told to the log, so that a tail
//! which was cut off together with its head is still found: `ringbook audit verify --head SEQ:MAC`.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use crate::store::audit_log::AuditKey;
use crate::store::audit_verify::NotedHead;
use crate::store::{self, audit_head, audit_log};

/// How often the head is told.
pub const EVERY: Duration = Duration::from_hours(1);

/// Begins the chain where nothing was written yet. Entries without a head are not taken in: it is told that they are broken.
///
/// # Errors
/// When the database does not take it.
pub async fn begin(db: &DatabaseConnection, key: &AuditKey) -> Result<(), DbErr> {
    if let Some(head) = audit_head::read(db).await? {
        if !head.fits(key) {
            tracing::error!(
                "the head of the audit chain does not fit: it was altered, or RINGBOOK_SECRET_KEY is another than before; run \
                 `ringbook audit verify`"
            );
        }
        return Ok(());
    }
    let tx = store::begin(db).await?;
    let begun = audit_log::begin_chain(&tx, key).await?;
    tx.commit().await?;
    if begun {
        tracing::info!("the audit chain begins");
    }
    Ok(())
}

/// Tells the head to the log now and at the end. Every hour between, one of all instances does.
pub async fn tell_at_both_ends(db: DatabaseConnection, key: AuditKey, stop: CancellationToken) {
    tell(&db, &key).await;
    stop.cancelled().await;
    tell(&db, &key).await;
}

/// Tells the head to the log.
pub async fn tell(db: &DatabaseConnection, key: &AuditKey) {
    match audit_head::read(db).await {
        Ok(Some(head)) if head.fits(key) => {
            let noted = NotedHead {
                seq: head.seq,
                mac: head.mac,
            };
            tracing::info!(seq = noted.seq, head = %noted, "the audit log ends at entry {}", noted.seq);
        }
        Ok(_) => tracing::error!("the head of the audit chain is missing or was altered: run `ringbook audit verify`"),
        Err(error) => tracing::warn!(%error, "the head of the audit chain cannot be read"),
    }
}
