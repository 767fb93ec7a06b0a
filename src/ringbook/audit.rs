//! Starts the audit chain and logs its head regularly. With a logged head, `ringbook audit verify --head SEQ:MAC`
//! detects that the audit log was truncated, even if its stored head was changed too.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use store::audit_log::AuditKey;
use store::audit_verify::NotedHead;
use store::{audit_head, audit_log};

/// Interval between two log lines with the head.
pub const HEAD_LOG_INTERVAL: Duration = Duration::from_hours(1);

/// Starts the chain if the log is empty. If there are entries but no head, the new head records that the chain is
/// broken.
///
/// # Errors
/// If the database fails.
pub async fn begin(db: &DatabaseConnection, key: &AuditKey) -> Result<(), DbErr> {
    if let Some(head) = audit_head::read(db).await? {
        if !head.fits(key) {
            tracing::error!(
                "the head of the audit chain does not verify: it was altered, or RINGBOOK_SECRET_KEY has changed; run \
                 `ringbook audit verify`"
            );
        }
        return Ok(());
    }
    let tx = store::begin(db).await?;
    let begun = audit_log::begin_chain(&tx, key).await?;
    tx.commit().await?;
    if begun {
        tracing::info!("the audit chain was started");
    }
    Ok(())
}

/// Logs the head at startup and at shutdown. In between, one of the instances logs the head every hour.
pub async fn log_head_at_start_and_end(db: DatabaseConnection, key: AuditKey, stop: CancellationToken) {
    tell(&db, &key).await;
    stop.cancelled().await;
    tell(&db, &key).await;
}

/// Logs the head.
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
