//! Records one entry of the spool: a message with the response that Vapi got, if there is one, or an unreadable body.

use std::sync::{Arc, Mutex};

use super::Entry;
use crate::auth::access::Access;
use crate::commit_race::{CommitRace, RecordedResponse};
use crate::dead_letter::unparsed;
use crate::message::{Disposition, IngestError, Intake, Message, StoredBody};
use crate::message_write::{MessageWrite, done};
use crate::parse::decode;
use crate::record::transaction;
use crate::sms_age::Origin;
use store::message_head;

/// Records one entry with the response that Vapi got.
pub(super) async fn record(intake: &Intake, entry: Entry) -> Result<(), IngestError> {
    let about = entry.about;
    let access = Arc::new(Access::of_the_spool(about.code, entry.rulebook_id));
    let Ok(event) = decode::decode(&entry.body) else {
        return unparsed::keep(intake.clone(), access, entry.body, about.received_at, Origin::Drained).await;
    };
    let mut message = Arc::new(Message {
        access,
        event,
        body: entry.body,
        stored_body: StoredBody::default(),
        delivery_key: about.delivery_key,
        received_at: about.received_at,
        origin: Origin::Drained,
        replaces: None,
    });
    for _ in 0..3 {
        let done = match &about.recorded_response {
            Some(recorded_response) => as_answered(intake, &message, recorded_response).await.map(drop),
            None => transaction(intake, &message, &CommitRace::default()).await.map(drop),
        };
        match done {
            Err(IngestError::CallErased) => {}
            // The message was verified when it arrived: use the current settings.
            Err(IngestError::AccessChanged) => {
                let tx = store::begin(&intake.db).await?;
                let head = message_head::read(&tx, entry.rulebook_id, None).await?;
                tx.rollback().await?;
                let Some(known) = Arc::into_inner(message) else { break };
                let access = Access {
                    auth_version: head.auth_version,
                    ..Access::of_the_spool(known.access.code.clone(), entry.rulebook_id)
                };
                message = Arc::new(Message {
                    access: Arc::new(access),
                    ..known
                });
            }
            other => return other,
        }
    }
    Err(IngestError::CallErased)
}

/// Records a message with the fallback's decision and response, without a new decision. Has no second effect if the
/// message is already recorded.
async fn as_answered(
    intake: &Intake,
    message: &Arc<Message>,
    recorded_response: &RecordedResponse,
) -> Result<Disposition, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    message.stored_body();
    let tx = store::begin(&intake.db).await?;
    let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
    // Revision 0 means that no rulebook was known. Vapi got a response without a decision.
    let revision = if recorded_response.revision == 0 {
        head.revision
    } else {
        recorded_response.revision
    };
    let rulebook = intake.current.at(rulebook_id, revision).await?;
    let step = MessageWrite {
        intake,
        message,
        rulebook: &rulebook,
        head: &head,
        decisions: &recorded_response.decisions.decisions,
        recorded_response: Some(recorded_response),
        late: message.is_late(&tx, intake.clock.now()).await?,
        event_id: intake.clock.new_id(),
        quarantined: Mutex::default(),
        rule_usage: Mutex::default(),
        deferred_sms: None,
    };
    let (disposition, _, has_sms) = step.run(&tx).await?;
    tx.commit().await?;
    done(step, has_sms);
    Ok(disposition)
}
