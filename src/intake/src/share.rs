//! Several messages in one transaction. A commit costs a database more than what a message writes, so messages that come
//! while another transaction is under way share the next one. A message that comes alone goes alone.
//!
//! Only messages share whose response no caller waits for. Either all messages of a transaction are recorded or none, and
//! each is answered after the commit. If one of them cannot be recorded, the others share a new transaction without it, and
//! [`set_aside`] tries it alone.
//!
//! Messages of one call wait in the same [`Line`]; a transaction holds at most one of a call, in the order of the calls, and
//! writes last what many calls share (texts and their daily count). So no two transactions wait for each other's rows.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use super::attempt::Attempt;
use super::event::Payload;
use super::message::{Intake, Message, Outcome, TransactError};
use super::set_aside;
use super::together::{Broken, Fate, Item, Writes, together};
use super::transact;
use base::telemetry::{self, metrics};
use store::{Database, trial};

/// The most transactions with several messages that run at once on PostgreSQL. Fewer on a machine with few processors: the
/// more messages share one, the less each costs.
const MOST_LINES: usize = 4;
/// The same on SQLite, which has one writer.
const LINES_ON_SQLITE: usize = 1;
/// The most messages of a transaction.
const MOST: usize = 32;
/// Larger bodies go alone: what they take must not delay others.
const LARGEST_BODY: usize = 256 * 1024;
/// How often a transaction is begun again without a message that cannot be recorded, before all go alone.
const MOST_LEFT_OUT: usize = 3;

/// The lines in which messages wait for a transaction. Cloning shares them.
#[derive(Clone)]
pub struct Sharing {
    lines: Arc<[Mutex<Line>]>,
    shared: Arc<AtomicU64>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Line {
    /// A transaction of this line is under way.
    busy: bool,
    waiting: VecDeque<Waiting>,
}

/// A message that waits; `None` tells its task to go alone.
struct Waiting {
    item: Item,
    answer: oneshot::Sender<Option<Result<Outcome, TransactError>>>,
}

/// What two messages of one transaction must not have in common: the rulebook and the call, or else the event.
type Key = (Uuid, String);

impl Sharing {
    /// Lines for a database; `tasks` holds the transactions, to be waited for at the end.
    #[must_use]
    pub fn new(database: &Database, tasks: TaskTracker) -> Self {
        let count = match database {
            Database::Sqlite(_) => LINES_ON_SQLITE,
            Database::Postgres(_) => (processors() / 2).clamp(1, MOST_LINES),
        };
        Self {
            lines: (0..count).map(|_| Mutex::default()).collect(),
            shared: Arc::default(),
            tasks,
        }
    }

    /// How many messages were recorded in a transaction with others.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }

    /// Records a message and says what to answer, alone or with others.
    ///
    /// # Errors
    /// As of a transaction of its own.
    pub(super) async fn attempt(
        &self,
        intake: Intake,
        message: &Arc<Message>,
        attempt: &Arc<Attempt>,
    ) -> Result<Outcome, TransactError> {
        if !may_share(message) {
            return set_aside::attempt(&intake, message, attempt).await;
        }
        let place = self.place(&key(message));
        let item = Item {
            intake,
            message: Arc::clone(message),
            attempt: Arc::clone(attempt),
        };
        // Neither a slow script nor the work of deciding holds up the line.
        transact::work_out_now(&item.intake, message, attempt).await;
        message.stored_body();
        match self.enter(place, &item) {
            Entered::First(turn) => {
                let outcome = set_aside::attempt(&item.intake, message, attempt).await;
                drop(turn);
                outcome
            }
            Entered::Waits(answered) => match answered.await {
                Ok(Some(outcome)) => outcome,
                Ok(None) | Err(_) => set_aside::attempt(&item.intake, message, attempt).await,
            },
        }
    }

    fn enter(&self, place: usize, item: &Item) -> Entered {
        let mut line = self.line(place);
        if !line.busy {
            line.busy = true;
            return Entered::First(Turn {
                sharing: self.clone(),
                place,
            });
        }
        let (answer, answered) = oneshot::channel();
        line.waiting.push_back(Waiting {
            item: item.clone(),
            answer,
        });
        Entered::Waits(answered)
    }

    fn place(&self, key: &Key) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = u64::try_from(self.lines.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % count).unwrap_or_default()
    }

    fn line(&self, place: usize) -> MutexGuard<'_, Line> {
        // `place` is a remainder of the number of lines.
        #[expect(clippy::indexing_slicing, reason = "see above")]
        self.lines[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

enum Entered {
    /// The line was idle.
    First(Turn),
    Waits(oneshot::Receiver<Option<Result<Outcome, TransactError>>>),
}

/// A transaction of a line. When it ends, however it ends, those who came meanwhile have the next one.
struct Turn {
    sharing: Sharing,
    place: usize,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut line = self.sharing.line(self.place);
            let next = line.take();
            line.busy = !next.is_empty();
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
                let shared = record(next).await;
                metrics::messages_shared(shared);
                turn.sharing.shared.fetch_add(shared, Ordering::Relaxed);
                drop(turn);
            }
            .in_current_span(),
        );
    }
}

impl Line {
    /// Those who share the next transaction, in the order of their calls.
    fn take(&mut self) -> Vec<Waiting> {
        let mut keys = HashSet::new();
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        for waiting in self.waiting.drain(..) {
            let key = key(&waiting.item.message);
            if taken.len() < MOST && keys.insert(key.clone()) {
                taken.push((key, waiting));
            } else {
                left.push_back(waiting);
            }
        }
        self.waiting = left;
        taken.sort_by(|one, other| one.0.cmp(&other.0));
        taken.into_iter().map(|(_, waiting)| waiting).collect()
    }
}

/// Records those who share a transaction, and answers each; how many shared one.
async fn record(mut waiting: Vec<Waiting>) -> u64 {
    let (mut writes, mut left_out) = (Writes::AllAtOnce, 0);
    while left_out <= MOST_LEFT_OUT {
        // Whoever gave up was answered from the spool; one of them would undo the transaction of all.
        let (late, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.item.attempt.is_given_up());
        waiting = rest;
        for one in late {
            let _ = one.answer.send(Some(Err(TransactError::TooSlow)));
        }
        if waiting.len() < 2 {
            break;
        }
        let items: Vec<Item> = waiting.iter().map(|one| one.item.clone()).collect();
        // A panic ends this task and nothing else: then each goes alone.
        let ended = tokio::spawn(async move { together(&items, writes).await }.in_current_span()).await;
        match ended {
            Ok(Ok(fates)) => {
                let mut shared = 0;
                for (one, fate) in waiting.into_iter().zip(fates) {
                    let reply = match fate {
                        Fate::Recorded(outcome) => {
                            shared += 1;
                            Some(Ok(outcome))
                        }
                        Fate::Refused(error) => Some(Err(error)),
                        Fate::Alone => None,
                    };
                    // Whoever gave up does not listen.
                    let _ = one.answer.send(reply);
                }
                return shared;
            }
            Ok(Err(Broken::BySome(error))) => {
                telemetry::log_cause("messages_one_by_one", &error);
                writes = Writes::OneByOne;
            }
            Ok(Err(Broken::By(place, error))) => {
                telemetry::log_cause("message_left_out", &error);
                let _ = waiting.remove(place).answer.send(None);
                (writes, left_out) = (Writes::AllAtOnce, left_out + 1);
            }
            Ok(Err(Broken::All(error))) => {
                telemetry::log_cause("messages_not_shared", &error);
                break;
            }
            Err(_) => break,
        }
    }
    for one in waiting {
        let _ = one.answer.send(None);
    }
    0
}

/// Whether a message may wait for others: nobody on the telephone waits for it, and it writes a few rows of one call.
fn may_share(message: &Message) -> bool {
    let nobody_waits = matches!(
        message.event.payload,
        Payload::Report(_) | Payload::StatusUpdate { .. } | Payload::Transcript { .. } | Payload::Other
    );
    nobody_waits
        && message.body.len() <= LARGEST_BODY
        && message.stands_for.is_none()
        && message.origin == super::late::Origin::Live
        && !trial::is_on()
}

fn key(message: &Message) -> Key {
    let event = &message.event;
    let call = event.call_id().map_or_else(|| event.event_key(), ToOwned::to_owned);
    (message.access.rulebook_id, call)
}
