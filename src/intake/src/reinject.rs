//! Reinjects messages that Vapi did not post: stored messages, and reports built from Vapi's list of calls. These
//! messages are recorded in the same way and under the same keys as posted messages.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::auth::access::{AccessError, Accesses};
use super::dead_letter::unparsed;
use super::message::{Disposition, IngestError, Intake, Message, StoredBody};
use super::parse::decode;
use super::record::record_alone;
use super::sms_age::Origin;
use store::dry_run;
use store::webhook_events;

/// How often a message is tried if the secrets change or the caller is erased during a try.
const MOST_TRIES: u32 = 3;

/// Reinjects messages that Vapi did not post. Cloning is cheap.
#[derive(Clone)]
pub struct Reinjector {
    /// The webhook settings of the rulebooks.
    pub accesses: Accesses,
    /// The services that recording a message needs.
    pub intake: Intake,
}

/// A message to reinject.
#[derive(Clone, Debug)]
pub struct ReinjectedMessage {
    /// The rulebook's code.
    pub rulebook: String,
    /// The message that Vapi wrote, or that Vapi would have written.
    pub body: Bytes,
    /// When the message was first received.
    pub received_at: DateTime<Utc>,
    /// The origin of this attempt (reconciled or replayed), not of the first delivery.
    pub origin: Origin,
    /// The dead-lettered event that the message replaces.
    pub replaces: Option<Uuid>,
}

/// The result for a reinjected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReinjectResult {
    /// The same result as for a posted message.
    Taken(Disposition),
    /// The message cannot be read; the raw body is stored.
    Unreadable,
}

impl ReinjectResult {
    /// The name of the result.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken(disposition) => disposition.as_str(),
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a message could not be recorded now. A later attempt may succeed.
#[derive(Debug, thiserror::Error)]
pub enum ReinjectError {
    /// There is no such rulebook, or it is archived.
    #[error("there is no such rulebook, or it is archived")]
    NoRulebook,
    /// The rulebook's settings cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The message was not recorded.
    #[error(transparent)]
    Transact(#[from] IngestError),
}

impl Reinjector {
    /// Records a message in a separate task, so that dropping the returned future does not interrupt the work.
    pub async fn take(&self, fed: ReinjectedMessage) -> Result<ReinjectResult, ReinjectError> {
        let feed = self.clone();
        let task = dry_run::spawn(async move { feed.try_reinject(fed).await });
        task.await.map_err(|ended| IngestError::Stopped(ended.to_string()))?
    }

    /// Reinjects a stored event. Returns the name of the result.
    pub async fn again(
        &self,
        rulebook: String,
        mut event: webhook_events::Model,
    ) -> Result<&'static str, ReinjectError> {
        let Some(body) = event.raw_body().map_err(IngestError::from)? else {
            return Ok("erased");
        };
        let set_aside = matches!(event.state.as_str(), "unreadable" | "poisoned");
        let fed = ReinjectedMessage {
            rulebook,
            body: Bytes::from(body),
            received_at: event.received_at,
            origin: Origin::Replayed,
            replaces: set_aside.then_some(event.id),
        };
        match self.take(fed).await {
            Ok(became) => Ok(became.word()),
            Err(ReinjectError::NoRulebook) => Ok("archived"),
            Err(error) => Err(error),
        }
    }

    async fn try_reinject(&self, fed: ReinjectedMessage) -> Result<ReinjectResult, ReinjectError> {
        let access = self.accesses.get(&fed.rulebook).await?;
        let mut access = access.ok_or(ReinjectError::NoRulebook)?;
        for _ in 0..MOST_TRIES {
            let failed = match decode::decode(&fed.body) {
                Ok(event) => {
                    let message = Message {
                        access: Arc::clone(&access),
                        delivery_key: hex::encode(event.body_hash),
                        event,
                        body: fed.body.clone(),
                        stored_body: StoredBody::default(),
                        received_at: fed.received_at,
                        origin: fed.origin,
                        replaces: fed.replaces,
                    };
                    match record_alone(&self.intake, &Arc::new(message), &Arc::default()).await {
                        Ok(outcome) => return Ok(ReinjectResult::Taken(outcome.disposition)),
                        Err(error) => error,
                    }
                }
                // The dead-lettered event already contains the body.
                Err(_) if fed.replaces.is_some() => return Ok(ReinjectResult::Unreadable),
                Err(_) => {
                    let (intake, body) = (self.intake.clone(), fed.body.clone());
                    match unparsed::keep(intake, Arc::clone(&access), body, fed.received_at, fed.origin).await {
                        Ok(()) => return Ok(ReinjectResult::Unreadable),
                        Err(error) => error,
                    }
                }
            };
            match failed {
                IngestError::AccessChanged => {
                    let reloaded = self.accesses.reload(&fed.rulebook).await?;
                    access = reloaded.ok_or(ReinjectError::NoRulebook)?;
                }
                IngestError::CallErased => {}
                error => return Err(error.into()),
            }
        }
        Err(IngestError::AccessChanged.into())
    }
}
