//! One transaction with several messages: all are recorded or none.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::attempt::{Attempt, Given};
use super::batch::{self, Written};
use super::decided::Ahead;
use super::message::{Intake, Message, Outcome, Taken, TransactError};
use super::step::{Step, is_erased};
use super::transact::done;
use rules::compile::Rulebook;
use store::fault_points;
use store::message_head::{self, Head};

/// A message with the services to record it.
#[derive(Clone)]
pub(super) struct Item {
    pub intake: Intake,
    pub message: Arc<Message>,
    pub attempt: Arc<Attempt>,
}

/// The result for a message of a committed transaction.
pub(super) enum Fate {
    Recorded(Outcome),
    /// It cannot be recorded with the settings under which it was verified.
    Refused(TransactError),
    /// It needs its own transaction.
    Alone,
}

/// How the messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// With one statement per table for all of them.
    AllAtOnce,
    /// One message after another, which shows which one cannot be recorded.
    OneByOne,
}

/// Why nothing was recorded.
pub(super) enum Broken {
    /// The message at this index cannot be recorded; the others can.
    By(usize, TransactError),
    /// One of them cannot be recorded, and it is unknown which one.
    BySome(TransactError),
    /// A reason that is not specific to a message.
    All(TransactError),
}

/// A message that is ready to be written.
struct Ready<'a> {
    place: usize,
    item: &'a Item,
    head: Head,
    rulebook: Arc<Rulebook>,
    found: Arc<Ahead>,
}

/// Records messages of different calls. The messages must be in the order of their calls.
///
/// # Errors
/// [`Broken`]: nothing was recorded.
pub(super) async fn together(items: &[Item], writes: Writes) -> Result<Vec<Fate>, Broken> {
    let Some(first) = items.first() else {
        return Ok(Vec::new());
    };
    fault_points::reach(fault_points::Step::MessageLetIn).map_err(all)?;
    let tx = store::begin(&first.intake.db).await.map_err(all)?;
    let mut fates: Vec<Fate> = items.iter().map(|_| Fate::Alone).collect();
    let ready = prepare(&tx, items, &mut fates).await?;
    let steps: Vec<Step<'_>> = ready.iter().map(Ready::step).collect();
    let mut written: Vec<Option<Written<'_>>> = Vec::with_capacity(steps.len());
    if writes == Writes::AllAtOnce {
        for steps in steps.chunk_by(of_one_rulebook) {
            written.append(&mut batch::write(&tx, steps).await.map_err(by_some)?);
        }
    } else {
        written.resize_with(steps.len(), || None);
    }
    let mut outcomes = Vec::with_capacity(steps.len());
    for ((one, step), written) in ready.iter().zip(&steps).zip(&written) {
        let (taken, answer) = match written {
            Some(written) => (Taken::Recorded, written.answer.clone()),
            None => {
                let (taken, answer, _) = step.run(&tx).await.map_err(|error| by(one.place, error))?;
                (taken, answer)
            }
        };
        fault_points::reach(fault_points::Step::BatchMessageWritten).map_err(all)?;
        outcomes.push(Outcome {
            answer,
            taken,
            revision: step.head.revision,
        });
    }
    // Rulebook by rulebook: the daily count of SMS messages is a locked row, and all transactions lock these in one order.
    let mut texted = Vec::with_capacity(steps.len());
    let (mut written, mut places) = (written.into_iter(), ready.iter().map(|one| one.place));
    for steps in steps.chunk_by(of_one_rulebook) {
        let batch = written.by_ref().take(steps.len()).collect();
        let mut queued = batch::queue_sms(&tx, batch).await.map_err(by_some)?;
        for ((step, place), queued) in steps.iter().zip(places.by_ref()).zip(&mut queued) {
            *queued |= step.text_now(&tx).await.map_err(|error| by(place, error.into()))?;
        }
        texted.append(&mut queued);
    }
    fault_points::reach(fault_points::Step::BatchBeforeCommit).map_err(all)?;
    for (one, outcome) in ready.iter().zip(&outcomes) {
        let given = Given {
            revision: one.head.revision,
            answer: outcome.answer.clone(),
            found: Arc::clone(&one.found),
        };
        if !one.item.attempt.commits(given) {
            // The fallback answered it meanwhile, and the spool records it later.
            return Err(Broken::By(one.place, TransactError::TooSlow));
        }
    }
    tx.commit().await.map_err(all)?;
    fault_points::reach(fault_points::Step::BatchAfterCommit).map_err(all)?;
    for (((one, step), outcome), texted) in ready.iter().zip(steps).zip(outcomes).zip(texted) {
        done(step, texted);
        set(&mut fates, one.place, Fate::Recorded(outcome));
    }
    Ok(fates)
}

/// Reads the heads of all messages and returns the messages that can be recorded here.
async fn prepare<'a>(tx: &store::Transaction, items: &'a [Item], fates: &mut [Fate]) -> Result<Vec<Ready<'a>>, Broken> {
    let mut ready = Vec::with_capacity(items.len());
    let mut begin = 0;
    for group in items.chunk_by(|one, other| one.rulebook_id() == other.rulebook_id()) {
        let calls: Vec<&str> = group.iter().filter_map(|item| item.message.event.call_id()).collect();
        let heads = match group.first() {
            Some(item) => message_head::read_each(tx, item.rulebook_id(), &calls)
                .await
                .map_err(all)?,
            None => continue,
        };
        for (place, item) in (begin..).zip(group) {
            match item.ready(place, heads.of(item.message.event.call_id())) {
                Ok(Some(one)) => ready.push(one),
                Ok(None) => {}
                Err(error) => set(fates, place, Fate::Refused(error)),
            }
        }
        begin += group.len();
    }
    Ok(ready)
}

fn of_one_rulebook(one: &Step<'_>, other: &Step<'_>) -> bool {
    one.message.access.rulebook_id == other.message.access.rulebook_id
}

fn set(fates: &mut [Fate], place: usize, fate: Fate) {
    if let Some(one) = fates.get_mut(place) {
        *one = fate;
    }
}

fn all(error: impl Into<TransactError>) -> Broken {
    Broken::All(error.into())
}

/// The error of one message. If the database is away or busy, it is not specific to that message.
fn by(place: usize, error: TransactError) -> Broken {
    match error {
        TransactError::CallErased => Broken::By(place, error),
        error if error.passes() => Broken::All(error),
        error => Broken::By(place, error),
    }
}

/// The error of a statement for all messages.
fn by_some(error: TransactError) -> Broken {
    match by(0, error) {
        Broken::By(_, error) | Broken::BySome(error) => Broken::BySome(error),
        Broken::All(error) => Broken::All(error),
    }
}

impl Item {
    fn rulebook_id(&self) -> Uuid {
        self.message.access.rulebook_id
    }

    /// The message with its head and its decision. `None` if it needs its own transaction: another revision decided, the caller
    /// was erased, or a script failed.
    fn ready(&self, place: usize, head: Head) -> Result<Option<Ready<'_>>, TransactError> {
        let message = &self.message;
        if head.auth_version != message.access.auth_version {
            return Err(TransactError::AccessChanged);
        }
        let seen = self.intake.current.last_seen(self.rulebook_id());
        let Some(rulebook) = seen.filter(|seen| seen.revision() == head.revision && !is_erased(&head)) else {
            return Ok(None);
        };
        let ahead = self.attempt.ahead().filter(|ahead| ahead.revision == head.revision);
        Ok(ahead
            .filter(|ahead| !ahead.found.has_failed_scripts())
            .map(|found| Ready {
                place,
                item: self,
                head,
                rulebook,
                found,
            }))
    }
}

impl Ready<'_> {
    fn step(&self) -> Step<'_> {
        Step {
            intake: &self.item.intake,
            message: &self.item.message,
            rulebook: &self.rulebook,
            head: &self.head,
            found: &self.found.found,
            given: None,
            late: false,
            event_id: self.item.intake.clock.new_id(),
            quarantined: Mutex::default(),
            took: Mutex::default(),
            texts: Some(Mutex::default()),
        }
    }
}
