//! Watches rulebooks for changes. One task per rulebook polls the database while there is at least one watcher.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use store::change_marks;
use store::change_marks::DayMarks;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Maximum delay between a change and its event, if the database responds immediately.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// The watched rulebooks. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct WatchedRulebooks(Arc<Mutex<HashMap<Uuid, watch::Sender<Option<DayMarks>>>>>);

impl WatchedRulebooks {
    /// Subscribes to the change marks of a rulebook. The received value is `None` until the first poll.
    pub fn marks(
        &self,
        db: &DatabaseConnection,
        stopping: &CancellationToken,
        rulebook_id: Uuid,
    ) -> watch::Receiver<Option<DayMarks>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(marks) = all.get(&rulebook_id) {
            return marks.subscribe();
        }
        let (marks, receiver) = watch::channel(None);
        all.insert(rulebook_id, marks.clone());
        let polling = poll(self.clone(), db.clone(), rulebook_id, marks);
        let stopping = stopping.clone();
        tokio::spawn(async move { stopping.run_until_cancelled(polling).await });
        receiver
    }

    /// Removes a rulebook if nobody watches it. Returns whether it was removed.
    fn forget(&self, rulebook_id: Uuid) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = all.get(&rulebook_id).is_none_or(|marks| marks.receiver_count() == 0);
        if is_idle {
            all.remove(&rulebook_id);
        }
        is_idle
    }
}

async fn poll(
    watched: WatchedRulebooks,
    db: DatabaseConnection,
    rulebook_id: Uuid,
    marks: watch::Sender<Option<DayMarks>>,
) {
    while marks.receiver_count() > 0 || !watched.forget(rulebook_id) {
        // While the database does not respond, clients get no event. They see the outage when they reload their pages.
        if let Ok(now) = change_marks::of(&db, rulebook_id).await {
            marks.send_if_modified(|before| {
                let differs = before.as_ref() != Some(&now);
                *before = Some(now);
                differs
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
