//! The scheduler. In: the time, and a token that says stop. Out: change sets whose time has come are published or refused.
//!
//! It asks the database, which alone knows what is due: what fell due while no instance ran is done at the next start.
//! Two instances may try the same one; the transaction that moves the head lets one of them.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use base::clock::Clock;
use base::looks;
use base::telemetry::{chain, scrub};
use revisions::publish::schedule::Due;
use revisions::publish::{PublishError, Publisher};
use store::change_sets;

/// The longest time between two looks: another instance may have scheduled something, and clocks are set.
const POLL: Duration = Duration::from_secs(1);
/// The shortest, so that something that is always due soon does not keep the processor busy.
const SHORTEST: Duration = Duration::from_millis(10);
/// How many are taken at a time.
const MOST: u64 = 20;

/// Publishes what is due. Cloning is cheap.
#[derive(Clone)]
pub struct Scheduler {
    db: DatabaseConnection,
    publisher: Publisher,
    clock: Clock,
}

impl Scheduler {
    /// Over the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, publisher: Publisher, clock: Clock) -> Self {
        Self { db, publisher, clock }
    }

    /// Publishes what is due until it is told to stop. To be run in a task of its own and ended through the token only.
    pub async fn run(&self, stop: CancellationToken) {
        looks::run("scheduler", POLL, &stop, self, async |this| this.look().await).await;
    }

    /// Publishes what is due by the clock. Out: how many change sets became revisions or were refused here.
    ///
    /// # Errors
    /// When the database cannot be asked what is due.
    pub async fn publish_due(&self) -> Result<usize, DbErr> {
        let mut done = 0;
        for set in change_sets::due(&self.db, self.clock.now(), MOST).await? {
            let id = set.id;
            match self.publisher.publish_due(&set).await {
                Ok(Due::Published(revision)) => {
                    tracing::info!(change_set = %id, revision, "change set {id} was due and is revision {revision}");
                    done += 1;
                }
                Ok(Due::Refused) => {
                    tracing::warn!(change_set = %id, "change set {id} was due and could not be published");
                    done += 1;
                }
                Ok(Due::Waits) => {
                    tracing::warn!(change_set = %id, "change set {id} was due and waits for a second person");
                    done += 1;
                }
                Ok(Due::Gone) => {}
                Err(error) => log(id, &error),
            }
        }
        Ok(done)
    }

    /// Does what is due. Out: how long to sleep.
    async fn look(&self) -> Result<Duration, DbErr> {
        self.publish_due().await?;
        let next = change_sets::next_due(&self.db).await?;
        let pause = next.and_then(|at| (at - self.clock.now()).to_std().ok());
        // What is due and could not be done is tried again after a whole poll.
        let due_already = next.is_some() && pause.is_none();
        Ok(if due_already { POLL } else { pause.unwrap_or(POLL) }.clamp(SHORTEST, POLL))
    }
}

fn log(id: uuid::Uuid, error: &PublishError) {
    let cause = scrub(&chain(error));
    tracing::error!(change_set = %id, cause, "change set {id} is due and is tried again");
}
