//! Publishes scheduled change sets when they are due, or refuses them.
//!
//! The scheduler polls the database, because any instance may have scheduled a change set. Change sets that became due
//! while no instance was running are published at the next start. If two instances try the same change set, the
//! transaction that moves the head lets only one succeed.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use base::clock::Clock;
use base::poll;
use base::telemetry::{chain, scrub};
use revisions::publish::schedule::Due;
use revisions::publish::{PublishError, Publisher};
use store::change_sets;

/// Maximum poll interval. The interval is short, because another instance may schedule a change set, and somebody may
/// change the clock.
const POLL: Duration = Duration::from_secs(1);
/// Minimum poll interval. Without a minimum, change sets that are always due soon would occupy the processor.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Maximum number of change sets per poll.
const MAX_PER_POLL: u64 = 20;

/// Publishes due change sets. Cloning is cheap.
#[derive(Clone)]
pub struct Scheduler {
    db: DatabaseConnection,
    publisher: Publisher,
    clock: Clock,
}

impl Scheduler {
    /// `db` must be the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, publisher: Publisher, clock: Clock) -> Self {
        Self { db, publisher, clock }
    }

    /// Publishes due change sets until `stop` is cancelled. Run this function in its own task, and end it only through
    /// the token.
    pub async fn run(&self, stop: CancellationToken) {
        poll::run("scheduler", POLL, &stop, self, async |this| this.poll_due().await).await;
    }

    /// Publishes change sets that are due by the clock. Returns the number of change sets that were published, were
    /// refused, or wait for an approval.
    ///
    /// # Errors
    /// When the list of due change sets cannot be read.
    pub async fn publish_due(&self) -> Result<usize, DbErr> {
        let mut done = 0;
        for set in change_sets::due(&self.db, self.clock.now(), MAX_PER_POLL).await? {
            let id = set.id;
            match self.publisher.publish_due(&set).await {
                Ok(Due::Published(revision)) => {
                    tracing::info!(
                        change_set = %id,
                        revision,
                        "change set {id} was due and is published as revision {revision}"
                    );
                    done += 1;
                }
                Ok(Due::Refused) => {
                    tracing::warn!(change_set = %id, "change set {id} was due and was refused: its `refusal` says why");
                    done += 1;
                }
                Ok(Due::Waits) => {
                    tracing::warn!(
                        change_set = %id,
                        "change set {id} was due and waits for a second person's approval"
                    );
                    done += 1;
                }
                Ok(Due::Gone) => {}
                Err(error) => log(id, &error),
            }
        }
        Ok(done)
    }

    /// Publishes the due change sets. Returns how long to sleep.
    async fn poll_due(&self) -> Result<Duration, DbErr> {
        self.publish_due().await?;
        let next = change_sets::next_due(&self.db).await?;
        let pause = next.and_then(|at| (at - self.clock.now()).to_std().ok());
        // If due work failed, retry it after a whole poll interval.
        let due_already = next.is_some() && pause.is_none();
        Ok(if due_already { POLL } else { pause.unwrap_or(POLL) }.clamp(MIN_POLL_INTERVAL, POLL))
    }
}

fn log(id: uuid::Uuid, error: &PublishError) {
    let cause = scrub(&chain(error));
    tracing::error!(change_set = %id, cause, "change set {id} is due and could not be published; it is retried");
}
