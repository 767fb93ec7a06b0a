//! An optional read replica, which serves only reads by people. Decisions never read from the replica.
//!
//! A replica may become unavailable, and its data lags. People read from the primary while the replica does not
//! respond, and for a while after an edit through this process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use base::telemetry::{chain, metrics, scrub};

/// How long people read from the primary after an edit. A replica rarely lags by more than this time.
const AFTER_AN_EDIT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The replica, if there is one. Cloning is cheap, and clones share the same state.
#[derive(Clone, Debug, Default)]
pub struct Replica(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    db: DatabaseConnection,
    is_away: watch::Sender<bool>,
    /// Whether a request to the replica failed since its last successful health check.
    is_suspect: AtomicBool,
    last_edit: Mutex<Option<Instant>>,
}

impl Replica {
    /// Wraps the pool of the replica. `None` means that there is no replica.
    #[must_use]
    pub fn of(db: Option<DatabaseConnection>) -> Self {
        Self(db.map(|db| {
            Arc::new(Inner {
                db,
                is_away: watch::Sender::new(false),
                is_suspect: AtomicBool::new(false),
                last_edit: Mutex::default(),
            })
        }))
    }

    /// The pool of the replica. `None` while people must read from the primary.
    #[must_use]
    pub fn usable(&self) -> Option<&DatabaseConnection> {
        let inner = self.0.as_deref()?;
        let last_edit = *inner.last_edit.lock().unwrap_or_else(PoisonError::into_inner);
        let is_behind = last_edit.is_some_and(|at| at.elapsed() < AFTER_AN_EDIT);
        let is_lost = *inner.is_away.borrow() || inner.is_suspect.load(Ordering::Relaxed);
        (!is_behind && !is_lost).then_some(&inner.db)
    }

    /// Whether there is a replica.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// Whether there is a replica that does not respond.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| *inner.is_away.borrow())
    }

    /// Reports that a read from the replica failed. People then read from the primary until the next successful health
    /// check of the replica.
    pub fn suspect(&self) {
        if let Some(inner) = &self.0 {
            inner.is_suspect.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until the replica stops responding. Waits forever if there is no replica.
    pub async fn lost(&self) {
        let Some(inner) = &self.0 else {
            return std::future::pending().await;
        };
        let mut away = inner.is_away.subscribe();
        if away.wait_for(|away| *away).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Records that an edit was just made through this process. The author must see the edit, so people read from the
    /// primary for a while.
    pub fn note_edit(&self) {
        if let Some(inner) = &self.0 {
            *inner.last_edit.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Checks the replica every second until `stop` is cancelled.
    pub async fn watch(self, stop: CancellationToken) {
        let Some(inner) = self.0 else { return };
        let mut polls = tokio::time::interval(POLL_INTERVAL);
        while stop.run_until_cancelled(polls.tick()).await.is_some() {
            let asked = tokio::time::timeout(POLL_INTERVAL, inner.db.execute_unprepared("SELECT 1")).await;
            let cause = match asked {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(scrub(&chain(&error))),
                Err(_) => Some("no response within a second".to_owned()),
            };
            let was_away = inner.is_away.send_replace(cause.is_some());
            if cause.is_none() {
                inner.is_suspect.store(false, Ordering::Relaxed);
            }
            metrics::replica_away(cause.is_some());
            match cause {
                Some(cause) if !was_away => {
                    tracing::warn!(
                        cause,
                        "the replica (DATABASE_READ_URL) does not respond; reads go to the primary"
                    );
                }
                None if was_away => tracing::info!("the replica responds again"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_an_edit_and_while_it_is_away_people_read_from_the_primary() {
        let lost = Replica::of(Some(DatabaseConnection::default()));
        assert!(lost.usable().is_some() && Replica::default().usable().is_none());
        let edited = Replica::of(Some(DatabaseConnection::default()));
        edited.note_edit();
        assert!(edited.usable().is_none());
        let stop = CancellationToken::new();
        let watching = tokio::spawn(lost.clone().watch(stop.clone()));
        while lost.usable().is_some() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        watching.await.unwrap();
    }
}
