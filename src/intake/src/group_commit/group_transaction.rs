//! Records several messages in one transaction: either all messages or none.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::statements;
use super::statements::WrittenMessage;
use crate::commit_race::{CommitRace, RecordedResponse};
use crate::evaluate::Precomputed;
use crate::message::{Disposition, IngestError, Intake, Message, MessageOutcome};
use crate::message_write::{MessageWrite, done, is_erased};
use rules::compile::Rulebook;
use store::fault_points;
use store::message_head::{self, Head};

/// A message, and the services that recording the message needs.
#[derive(Clone)]
pub(crate) struct GroupMessage {
    pub intake: Intake,
    pub message: Arc<Message>,
    pub race: Arc<CommitRace>,
}

/// The result for a message of a committed transaction.
pub(crate) enum GroupOutcome {
    Recorded(MessageOutcome),
    /// The message cannot be recorded with the settings under which it was verified.
    Refused(IngestError),
    /// The message needs its own transaction.
    Alone,
}

/// How the messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Writes all messages with the same statements.
    AllAtOnce,
    /// Writes one message after another, to find the message that cannot be recorded.
    OneByOne,
}

/// Why nothing was recorded.
pub(crate) enum GroupError {
    /// Only the message at this index cannot be recorded.
    By(usize, IngestError),
    /// One of the messages cannot be recorded, but it is unknown which message.
    BySome(IngestError),
    /// The cause is not a single message.
    All(IngestError),
}

/// A message that is ready to be written.
struct Ready<'a> {
    place: usize,
    item: &'a GroupMessage,
    head: Head,
    rulebook: Arc<Rulebook>,
    decisions: Arc<Precomputed>,
}

/// Records messages of different calls. The messages must be sorted by rulebook and call.
///
/// # Errors
/// If no message was recorded. [`GroupError`] contains the reason.
pub(crate) async fn record_group(items: &[GroupMessage], writes: Writes) -> Result<Vec<GroupOutcome>, GroupError> {
    let Some(first) = items.first() else {
        return Ok(Vec::new());
    };
    fault_points::reach(fault_points::Step::MessageLetIn).map_err(all)?;
    let tx = store::begin(&first.intake.db).await.map_err(all)?;
    let mut outcomes_of_all: Vec<GroupOutcome> = items.iter().map(|_| GroupOutcome::Alone).collect();
    let ready = prepare(&tx, items, &mut outcomes_of_all).await?;
    let steps: Vec<MessageWrite<'_>> = ready.iter().map(Ready::step).collect();
    let mut written: Vec<Option<WrittenMessage<'_>>> = Vec::with_capacity(steps.len());
    if writes == Writes::AllAtOnce {
        for steps in steps.chunk_by(of_one_rulebook) {
            written.append(&mut statements::write(&tx, steps).await.map_err(by_some)?);
        }
    } else {
        written.resize_with(steps.len(), || None);
    }
    let mut outcomes = Vec::with_capacity(steps.len());
    for ((one, step), written) in ready.iter().zip(&steps).zip(&written) {
        let (disposition, answer) = match written {
            Some(written) => (Disposition::Recorded, written.answer.clone()),
            None => {
                let (disposition, answer, _) = step.run(&tx).await.map_err(|error| by(one.place, error))?;
                (disposition, answer)
            }
        };
        fault_points::reach(fault_points::Step::BatchMessageWritten).map_err(all)?;
        outcomes.push(MessageOutcome {
            answer,
            disposition,
            revision: step.head.revision,
        });
    }
    // Queue the SMS messages rulebook by rulebook. This locks the row with the daily count of each rulebook, and all
    // transactions must lock these rows in the same order.
    let mut has_sms = Vec::with_capacity(steps.len());
    let (mut written, mut places) = (written.into_iter(), ready.iter().map(|one| one.place));
    for steps in steps.chunk_by(of_one_rulebook) {
        let batch = written.by_ref().take(steps.len()).collect();
        let mut queued = statements::queue_sms(&tx, batch).await.map_err(by_some)?;
        for ((step, place), queued) in steps.iter().zip(places.by_ref()).zip(&mut queued) {
            *queued |= step.text_now(&tx).await.map_err(|error| by(place, error.into()))?;
        }
        has_sms.append(&mut queued);
    }
    fault_points::reach(fault_points::Step::BatchBeforeCommit).map_err(all)?;
    for (one, outcome) in ready.iter().zip(&outcomes) {
        let recorded_response = RecordedResponse {
            revision: one.head.revision,
            answer: outcome.answer.clone(),
            decisions: Arc::clone(&one.decisions),
        };
        if !one.item.race.commits(recorded_response) {
            // The fallback has already answered the message, and the drain of the spool records the message later.
            return Err(GroupError::By(one.place, IngestError::TooSlow));
        }
    }
    tx.commit().await.map_err(all)?;
    fault_points::reach(fault_points::Step::BatchAfterCommit).map_err(all)?;
    for (((one, step), outcome), has_sms) in ready.iter().zip(steps).zip(outcomes).zip(has_sms) {
        done(step, has_sms);
        set(&mut outcomes_of_all, one.place, GroupOutcome::Recorded(outcome));
    }
    Ok(outcomes_of_all)
}

/// Reads the heads of all messages and returns the messages that can be recorded in this transaction.
async fn prepare<'a>(
    tx: &store::Transaction,
    items: &'a [GroupMessage],
    outcomes_of_all: &mut [GroupOutcome],
) -> Result<Vec<Ready<'a>>, GroupError> {
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
                Err(error) => set(outcomes_of_all, place, GroupOutcome::Refused(error)),
            }
        }
        begin += group.len();
    }
    Ok(ready)
}

fn of_one_rulebook(one: &MessageWrite<'_>, other: &MessageWrite<'_>) -> bool {
    one.message.access.rulebook_id == other.message.access.rulebook_id
}

fn set(outcomes_of_all: &mut [GroupOutcome], place: usize, outcome: GroupOutcome) {
    if let Some(one) = outcomes_of_all.get_mut(place) {
        *one = outcome;
    }
}

fn all(error: impl Into<IngestError>) -> GroupError {
    GroupError::All(error.into())
}

/// Converts the error of one message. If the database is unavailable or busy, the message is not the cause.
fn by(place: usize, error: IngestError) -> GroupError {
    match error {
        IngestError::CallErased => GroupError::By(place, error),
        error if error.passes() => GroupError::All(error),
        error => GroupError::By(place, error),
    }
}

/// The error of a statement that writes all messages.
fn by_some(error: IngestError) -> GroupError {
    match by(0, error) {
        GroupError::By(_, error) | GroupError::BySome(error) => GroupError::BySome(error),
        GroupError::All(error) => GroupError::All(error),
    }
}

impl GroupMessage {
    fn rulebook_id(&self) -> Uuid {
        self.message.access.rulebook_id
    }

    /// Returns the message with its head and its decision. Returns `None` if the message needs its own transaction:
    /// there is no decision by the head revision, the caller was erased, or a script failed.
    fn ready(&self, place: usize, head: Head) -> Result<Option<Ready<'_>>, IngestError> {
        let message = &self.message;
        if head.auth_version != message.access.auth_version {
            return Err(IngestError::AccessChanged);
        }
        let seen = self.intake.current.last_seen(self.rulebook_id());
        let Some(rulebook) = seen.filter(|seen| seen.revision() == head.revision && !is_erased(&head)) else {
            return Ok(None);
        };
        let precomputed = self
            .race
            .precomputed()
            .filter(|precomputed| precomputed.revision == head.revision);
        Ok(precomputed
            .filter(|precomputed| !precomputed.decisions.has_failed_scripts())
            .map(|decisions| Ready {
                place,
                item: self,
                head,
                rulebook,
                decisions,
            }))
    }
}

impl Ready<'_> {
    fn step(&self) -> MessageWrite<'_> {
        MessageWrite {
            intake: &self.item.intake,
            message: &self.item.message,
            rulebook: &self.rulebook,
            head: &self.head,
            decisions: &self.decisions.decisions,
            recorded_response: None,
            late: false,
            event_id: self.item.intake.clock.new_id(),
            quarantined: Mutex::default(),
            rule_usage: Mutex::default(),
            deferred_sms: Some(Mutex::default()),
        }
    }
}
