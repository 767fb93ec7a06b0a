//! Records several messages in one transaction, because a commit costs a database more than the writes of a message.
//! Messages that arrive during a transaction share the next transaction. A message that arrives alone has its own
//! transaction.
//!
//! A message shares a transaction only if no caller waits for its response. Either all messages of a transaction are
//! recorded or none. Each message is answered after the commit. If a message cannot be recorded, the other messages
//! share a new transaction, and [`record_alone`](super::record::record_alone) tries the failed message separately.
//!
//! Messages of one call wait in the same [`CommitQueue`]. A transaction contains at most one message of each call,
//! sorted by rulebook and call. The transaction writes rows that many calls share (SMS messages and their daily count)
//! last. So transactions do not deadlock.

mod group_transaction;
mod statements;

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use self::group_transaction::{GroupError, GroupMessage, GroupOutcome, Writes, record_group};
use super::commit_race::CommitRace;
use super::evaluate;
use super::message::{IngestError, Intake, Message, MessageOutcome};
use super::parse::event::Payload;
use base::telemetry::{self, metrics};
use store::Database;
use store::dry_run;

/// Maximum number of shared transactions at the same time on PostgreSQL. A machine with few processors uses fewer
/// transactions, because a message costs less in a larger transaction.
const MAX_QUEUES: usize = 4;
/// Maximum number of shared transactions at the same time on SQLite, which has one writer.
const QUEUES_ON_SQLITE: usize = 1;
/// Maximum number of messages in a transaction.
const MAX_MESSAGES: usize = 32;
/// Maximum size of a body in a shared transaction, in bytes. A message with a larger body has its own transaction, so
/// that the large body does not delay other messages.
const MAX_SHARED_BODY: usize = 256 * 1024;
/// Maximum number of retries of a transaction. Each retry leaves out a message that cannot be recorded. After the last
/// retry, each message has its own transaction.
const MAX_RETRIES: usize = 3;

/// The queues in which messages wait for a transaction. Clones share the queues.
#[derive(Clone)]
pub struct Sharing {
    queues: Arc<[Mutex<CommitQueue>]>,
    shared: Arc<AtomicU64>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct CommitQueue {
    /// Whether a transaction of this queue is running.
    busy: bool,
    waiting: VecDeque<QueuedMessage>,
}

/// A waiting message. If `answer` gets `None`, the message needs its own transaction.
struct QueuedMessage {
    item: GroupMessage,
    answer: oneshot::Sender<Option<Result<MessageOutcome, IngestError>>>,
}

impl QueuedMessage {
    /// Sends the reply to the message's task. Drops the message first, because the task needs the only reference if it
    /// tries again with other webhook settings.
    fn reply(self, reply: Option<Result<MessageOutcome, IngestError>>) {
        let Self { item, answer } = self;
        drop(item);
        // A waiter that timed out does not receive the reply.
        let _ = answer.send(reply);
    }
}

/// Two messages with the same key cannot share a transaction. The key contains the rulebook, and the call or, for a
/// message without a call, the event.
type Key = (Uuid, String);

impl Sharing {
    /// Creates the queues for a database. `tasks` tracks the transactions, so that a shutdown waits for them.
    #[must_use]
    pub fn new(database: &Database, tasks: TaskTracker) -> Self {
        let count = match database {
            Database::Sqlite(_) => QUEUES_ON_SQLITE,
            Database::Postgres(_) => (processors() / 2).clamp(1, MAX_QUEUES),
        };
        Self {
            queues: (0..count).map(|_| Mutex::default()).collect(),
            shared: Arc::default(),
            tasks,
        }
    }

    /// Number of messages recorded in shared transactions.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }

    /// Waits until a message is recorded in a shared transaction, or until it must be recorded alone.
    pub(super) async fn turn(&self, intake: &Intake, message: &Arc<Message>, race: &Arc<CommitRace>) -> Turn {
        if !may_share(message) {
            return Turn::Alone(None);
        }
        // Decide before the message enters the queue, so that slow scripts and decisions do not delay the queue.
        evaluate::precompute_now(intake, message, race).await;
        message.stored_body();
        let item = GroupMessage {
            intake: intake.clone(),
            message: Arc::clone(message),
            race: Arc::clone(race),
        };
        match self.enter(self.place(&key(message)), item) {
            QueuePlace::First(turn) => Turn::Alone(Some(turn)),
            QueuePlace::Waits(answered) => match answered.await {
                Ok(Some(outcome)) => Turn::Shared(outcome),
                Ok(None) | Err(_) => Turn::Alone(None),
            },
        }
    }

    fn enter(&self, place: usize, item: GroupMessage) -> QueuePlace {
        let mut queue = self.queue(place);
        if !queue.busy {
            queue.busy = true;
            return QueuePlace::First(CommitTurn {
                sharing: self.clone(),
                place,
            });
        }
        let (answer, answered) = oneshot::channel();
        queue.waiting.push_back(QueuedMessage { item, answer });
        QueuePlace::Waits(answered)
    }

    fn place(&self, key: &Key) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = u64::try_from(self.queues.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % count).unwrap_or_default()
    }

    fn queue(&self, place: usize) -> MutexGuard<'_, CommitQueue> {
        // `place` is less than the number of queues.
        #[expect(clippy::indexing_slicing, reason = "see above")]
        self.queues[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How a message is recorded.
pub(super) enum Turn {
    /// The message was in a shared transaction. The errors are the same as in a separate transaction.
    Shared(Result<MessageOutcome, IngestError>),
    /// The message needs its own transaction. The caller must keep the turn until that transaction has ended.
    Alone(Option<CommitTurn>),
}

enum QueuePlace {
    /// The queue was idle.
    First(CommitTurn),
    Waits(oneshot::Receiver<Option<Result<MessageOutcome, IngestError>>>),
}

/// The right to run a transaction of a queue. When the turn is dropped, the waiting messages get the next transaction.
pub(super) struct CommitTurn {
    sharing: Sharing,
    place: usize,
}

impl Drop for CommitTurn {
    fn drop(&mut self) {
        let next = {
            let mut queue = self.sharing.queue(self.place);
            let next = queue.take();
            queue.busy = !next.is_empty();
            next
        };
        if next.is_empty() {
            return;
        }
        let turn = Self {
            sharing: self.sharing.clone(),
            place: self.place,
        };
        self.sharing.tasks.spawn(
            async move {
                let shared = record_waiting(next).await;
                metrics::messages_shared(shared);
                turn.sharing.shared.fetch_add(shared, Ordering::Relaxed);
                drop(turn);
            }
            .in_current_span(),
        );
    }
}

impl CommitQueue {
    /// Removes and returns the messages of the next transaction, sorted by rulebook and call.
    fn take(&mut self) -> Vec<QueuedMessage> {
        let mut keys = HashSet::new();
        let (mut next, mut left) = (Vec::new(), VecDeque::new());
        for waiting in self.waiting.drain(..) {
            let key = key(&waiting.item.message);
            if next.len() < MAX_MESSAGES && keys.insert(key.clone()) {
                next.push((key, waiting));
            } else {
                left.push_back(waiting);
            }
        }
        self.waiting = left;
        next.sort_by(|one, other| one.0.cmp(&other.0));
        next.into_iter().map(|(_, waiting)| waiting).collect()
    }
}

/// Records messages in one transaction and answers each message. Returns how many messages shared the transaction.
async fn record_waiting(mut waiting: Vec<QueuedMessage>) -> u64 {
    let (mut writes, mut left_out) = (Writes::AllAtOnce, 0);
    while left_out <= MAX_RETRIES {
        // A message whose waiter timed out has a response from the fallback. Exclude the message, because it would roll
        // back the whole transaction.
        let (late, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.item.race.is_given_up());
        waiting = rest;
        for one in late {
            one.reply(Some(Err(IngestError::TooSlow)));
        }
        if waiting.len() < 2 {
            break;
        }
        let items: Vec<GroupMessage> = waiting.iter().map(|one| one.item.clone()).collect();
        // A panic ends only the spawned task. After a panic, each message is recorded in its own transaction.
        let ended = tokio::spawn(async move { record_group(&items, writes).await }.in_current_span()).await;
        match ended {
            Ok(Ok(outcomes_of_all)) => {
                let mut shared = 0;
                for (one, outcome) in waiting.into_iter().zip(outcomes_of_all) {
                    let reply = match outcome {
                        GroupOutcome::Recorded(outcome) => {
                            shared += 1;
                            Some(Ok(outcome))
                        }
                        GroupOutcome::Refused(error) => Some(Err(error)),
                        GroupOutcome::Alone => None,
                    };
                    one.reply(reply);
                }
                return shared;
            }
            Ok(Err(GroupError::BySome(error))) => {
                telemetry::log_cause("messages_one_by_one", &error);
                writes = Writes::OneByOne;
            }
            Ok(Err(GroupError::By(place, error))) => {
                telemetry::log_cause("message_left_out", &error);
                waiting.remove(place).reply(None);
                (writes, left_out) = (Writes::AllAtOnce, left_out + 1);
            }
            Ok(Err(GroupError::All(error))) => {
                telemetry::log_cause("messages_not_shared", &error);
                break;
            }
            Err(_) => break,
        }
    }
    for one in waiting {
        one.reply(None);
    }
    0
}

/// Whether a message may wait for other messages: no caller waits for its response, and the message writes only a few
/// rows of one call.
fn may_share(message: &Message) -> bool {
    let nobody_waits = matches!(
        message.event.payload,
        Payload::Report(_) | Payload::StatusUpdate { .. } | Payload::Transcript { .. } | Payload::Other
    );
    nobody_waits
        && message.body.len() <= MAX_SHARED_BODY
        && message.replaces.is_none()
        && message.origin == super::sms_age::Origin::Live
        && !dry_run::is_on()
}

fn key(message: &Message) -> Key {
    let event = &message.event;
    let call = event.call_id().map_or_else(|| event.event_key(), ToOwned::to_owned);
    (message.access.rulebook_id, call)
}
