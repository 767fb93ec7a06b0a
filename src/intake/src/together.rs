//! One transaction with several messages: all of them or none.

use std::sync::{Arc, Mutex};

use super::attempt::{Attempt, Given};
use super::decided::{self, Ahead};
use super::message::{Intake, Message, Outcome, Taken, TransactError};
use super::step::{Step, is_erased};
use super::transact::{done, in_place};
use rules::compile::Rulebook;
use store::fault_points::{self, Defect};
use store::message_head::{self, Head};

/// A message with what recording it needs.
#[derive(Clone)]
pub(super) struct Item {
    pub intake: Intake,
    pub message: Arc<Message>,
    pub attempt: Arc<Attempt>,
}

/// What becomes of a message of a transaction that committed.
pub(super) enum Fate {
    Recorded(Outcome),
    /// It may not be recorded as it was verified.
    Refused(TransactError),
    /// It needs more than this transaction does: it goes alone.
    Alone,
}

/// Why nothing was recorded.
pub(super) enum Broken {
    /// The message at this place cannot be recorded; the others can.
    By(usize, TransactError),
    /// Something that is no message's own fault.
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

/// Records messages of different calls, which come in the order of their calls.
///
/// # Errors
/// [`Broken`]: then nothing is recorded.
pub(super) async fn together(items: &[Item]) -> Result<Vec<Fate>, Broken> {
    let Some(first) = items.first() else {
        return Ok(Vec::new());
    };
    fault_points::reach(fault_points::Step::MessageLetIn).map_err(all)?;
    let tx = store::begin(&first.intake.db).await.map_err(all)?;
    let mut fates: Vec<Fate> = items.iter().map(|_| Fate::Alone).collect();
    let mut ready = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match item.prepare(&tx, place).await {
            Ok(Some(one)) => ready.push(one),
            Ok(None) => {}
            Err(TransactError::AccessChanged) => set(&mut fates, place, Fate::Refused(TransactError::AccessChanged)),
            Err(error) => return Err(by(place, error)),
        }
    }
    let steps: Vec<(usize, Step<'_>)> = ready.iter().map(|one| (one.place, one.step())).collect();
    let mut outcomes = Vec::with_capacity(steps.len());
    let lost = fault_points::planted(Defect::BatchLosesOne) && steps.len() > 1;
    for (index, (place, step)) in steps.iter().enumerate() {
        let (taken, answer, _) = if lost && index == 0 {
            (Taken::Recorded, step.found.answer(&step.message.event), false)
        } else {
            step.run(&tx).await.map_err(|error| by(*place, error))?
        };
        fault_points::reach(fault_points::Step::BatchMessageWritten).map_err(all)?;
        outcomes.push(Outcome {
            answer,
            taken,
            revision: step.head.revision,
        });
    }
    let mut texted = Vec::with_capacity(steps.len());
    for (place, step) in &steps {
        texted.push(step.text_now(&tx).await.map_err(|error| by(*place, error.into()))?);
    }
    fault_points::reach(fault_points::Step::BatchBeforeCommit).map_err(all)?;
    for (one, outcome) in ready.iter().zip(&outcomes) {
        let given = Given {
            revision: one.head.revision,
            answer: outcome.answer.clone(),
            found: Arc::clone(&one.found),
        };
        if !one.item.attempt.commits(given) {
            // It was answered otherwise meanwhile, and waits in the spool to be recorded.
            return Err(Broken::By(one.place, TransactError::TooSlow));
        }
    }
    tx.commit().await.map_err(all)?;
    fault_points::reach(fault_points::Step::BatchAfterCommit).map_err(all)?;
    for (((place, step), outcome), texted) in steps.into_iter().zip(outcomes).zip(texted) {
        done(step, texted);
        set(&mut fates, place, Fate::Recorded(outcome));
    }
    Ok(fates)
}

fn set(fates: &mut [Fate], place: usize, fate: Fate) {
    if let Some(one) = fates.get_mut(place) {
        *one = fate;
    }
}

fn all(error: impl Into<TransactError>) -> Broken {
    Broken::All(error.into())
}

/// A database that is away or busy is nobody's fault.
fn by(place: usize, error: TransactError) -> Broken {
    match error {
        TransactError::CallErased => Broken::By(place, error),
        error if error.passes() => Broken::All(error),
        error => Broken::By(place, error),
    }
}

impl Item {
    /// Reads what the message begins from and decides about it; `None` when it must go alone: the head is not the revision
    /// that was last seen, the caller was erased, or a script failed.
    async fn prepare(&self, tx: &store::Transaction, place: usize) -> Result<Option<Ready<'_>>, TransactError> {
        let (message, rulebook_id) = (&self.message, self.message.access.rulebook_id);
        let head = message_head::read(tx, rulebook_id, message.event.call_id()).await?;
        if head.auth_version != message.access.auth_version {
            return Err(TransactError::AccessChanged);
        }
        let seen = self.intake.current.last_seen(rulebook_id);
        let Some(rulebook) = seen.filter(|seen| seen.revision() == head.revision && !is_erased(&head)) else {
            return Ok(None);
        };
        let found = match self.attempt.ahead() {
            Some(ahead) if ahead.revision == head.revision => ahead,
            None if !decided::runs_scripts(&rulebook, message) => {
                let worked_out = in_place(&self.intake, message, &rulebook).work_out();
                self.attempt.worked_out(worked_out)
            }
            Some(_) | None => return Ok(None),
        };
        Ok((!found.found.has_failed_scripts()).then_some(Ready {
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
