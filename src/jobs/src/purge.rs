//! Deletes expired data in small batches, each in its own transaction, so that no message waits for the deletion.
//!
//! The progress is stored with each batch, so another instance can continue. A purged decision is marked as erased.
//! The audit log contains nothing about a caller and stays intact.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use base::clock::Clock;
use base::telemetry::metrics;
use store::decisions::pages::least_id;
use store::leases::Lease;
use store::purges::{self, What};
use store::retentions;

/// Interval between runs of the purge.
pub const PURGE_INTERVAL: Duration = Duration::from_hours(1);
/// Number of events per batch.
const BATCH_SIZE: i64 = 200;
/// Pause between two batches, so that other work is not delayed.
const BATCH_PAUSE: Duration = Duration::from_millis(10);
/// Each run starts this long before the time up to which data is already purged, because a message from the spool may
/// have an older id.
const OVERLAP: TimeDelta = TimeDelta::days(1);

/// Deletes expired data. Cloning is cheap.
#[derive(Clone)]
pub struct Purge {
    db: DatabaseConnection,
    clock: Clock,
}

/// An error that ends a purge early. The next run continues.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error("the database failed")]
    Database(#[from] DbErr),
    #[error("another instance has taken over")]
    TakenOver,
}

impl Purge {
    /// `db` must be the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Purges expired data of all rulebooks. Returns how many rows were changed or deleted.
    ///
    /// # Errors
    /// When the database fails, or another instance has taken over.
    pub async fn run(&self, lease: &Lease, stop: &CancellationToken) -> Result<u64, PurgeError> {
        let mut rows = 0;
        for kept in retentions::all(&self.db).await? {
            for what in What::ALL {
                let Some(days) = days(&kept, what).and_then(TimeDelta::try_days) else {
                    continue;
                };
                rows += self
                    .purge(lease, stop, kept.rulebook_id, what, self.clock.now() - days)
                    .await?;
            }
        }
        if rows > 0 {
            tracing::info!(rows, "expired data of {rows} rows was purged");
        }
        Ok(rows)
    }

    async fn purge(
        &self,
        lease: &Lease,
        stop: &CancellationToken,
        rulebook_id: uuid::Uuid,
        what: What,
        cutoff: DateTime<Utc>,
    ) -> Result<u64, PurgeError> {
        let mut purged_to = purges::purged_to(&self.db, rulebook_id, what).await?;
        let mut after = purged_to.map_or_else(uuid::Uuid::nil, |to| least_id(to - OVERLAP));
        let mut rows = 0;
        while !stop.is_cancelled() {
            let piece = purges::next_piece(&self.db, rulebook_id, after, cutoff, BATCH_SIZE).await?;
            let tx = store::begin(&self.db).await?;
            if !lease.stands(&tx).await? {
                return Err(PurgeError::TakenOver);
            }
            let now = self.clock.now();
            let Some(piece) = piece else {
                purges::note(&tx, rulebook_id, what, purged_to, cutoff, 0, now).await?;
                tx.commit().await?;
                break;
            };
            let lost = purges::purge(&tx, piece, what, cutoff).await?;
            let to = purged_to.unwrap_or_default().max(made_at(piece.last)).min(cutoff);
            purges::note(&tx, rulebook_id, what, purged_to, to, lost, now).await?;
            tx.commit().await?;
            purged_to = Some(to);
            metrics::purged(what.word(), lost);
            rows += lost;
            after = piece.last;
            tokio::time::sleep(BATCH_PAUSE).await;
        }
        Ok(rows)
    }
}

/// Returns the number of days after which `what` is purged, or `None` if it is never purged. Purging an event also
/// purges its transcripts and body.
fn days(kept: &retentions::Model, what: What) -> Option<i64> {
    let own = match what {
        What::Transcripts => kept.transcripts_days,
        What::Bodies => kept.bodies_days,
        What::Events => None,
        What::InterimBodies => return Some(kept.interim_bodies_days),
    };
    [own, kept.events_days].into_iter().flatten().min()
}

fn made_at(id: uuid::Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(store::decisions::pages::millis_of(id)).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
