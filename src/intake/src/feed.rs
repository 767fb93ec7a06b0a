//! Messages that nobody posts: stored ones taken in again, and reports made of Vapi's list of calls. In: a body. Out: what
//! became of it, on the same way and under the same keys as if Vapi had posted it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::access::{AccessError, Accesses};
use super::decode;
use super::late::Origin;
use super::message::{Intake, Message, StoredBody, Taken, TransactError};
use super::set_aside;
use super::unreadable;
use store::{trial, webhook_events};

/// How often the secrets or the caller's data may change under a message before it is given up for now.
const MOST_TRIES: u32 = 3;

/// Takes in what nobody posts. Cloning is cheap.
#[derive(Clone)]
pub struct Feed {
    /// The rulebooks.
    pub accesses: Accesses,
    /// The message path.
    pub intake: Intake,
}

/// A message to take in.
#[derive(Clone, Debug)]
pub struct Fed {
    /// The rulebook's code.
    pub rulebook: String,
    /// The message as Vapi wrote it, or would have.
    pub body: Bytes,
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// How it comes now.
    pub origin: Origin,
    /// The event that was set aside and whose place it takes.
    pub stands_for: Option<Uuid>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// What it would have been had it been posted.
    Taken(Taken),
    /// It cannot be read, and is kept raw.
    Unreadable,
}

impl Became {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken(taken) => taken.as_str(),
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a message could not be taken in now; it may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// There is no such rulebook, or it is archived.
    #[error("there is no such rulebook, or it is archived")]
    NoRulebook,
    /// Its settings cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The message path refused it.
    #[error(transparent)]
    Transact(#[from] TransactError),
}

impl Feed {
    /// Takes a message in. Runs in a task of its own, so that nobody going away can cut it in two.
    pub async fn take(&self, fed: Fed) -> Result<Became, FeedError> {
        let feed = self.clone();
        let task = trial::spawn(async move { feed.taken(fed).await });
        task.await.map_err(|ended| TransactError::Stopped(ended.to_string()))?
    }

    /// Takes a stored event in again. Out: the word for what became of it.
    pub async fn again(&self, rulebook: String, mut event: webhook_events::Model) -> Result<&'static str, FeedError> {
        let Some(body) = event.raw_body().map_err(TransactError::from)? else {
            return Ok("erased");
        };
        let set_aside = matches!(event.state.as_str(), "unreadable" | "poisoned");
        let fed = Fed {
            rulebook,
            body: Bytes::from(body),
            received_at: event.received_at,
            origin: Origin::Replayed,
            stands_for: set_aside.then_some(event.id),
        };
        match self.take(fed).await {
            Ok(became) => Ok(became.word()),
            Err(FeedError::NoRulebook) => Ok("archived"),
            Err(error) => Err(error),
        }
    }

    async fn taken(&self, fed: Fed) -> Result<Became, FeedError> {
        let access = self.accesses.get(&fed.rulebook).await?;
        let mut access = access.ok_or(FeedError::NoRulebook)?;
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
                        stands_for: fed.stands_for,
                    };
                    match set_aside::transact(&self.intake, &Arc::new(message)).await {
                        Ok(outcome) => return Ok(Became::Taken(outcome.taken)),
                        Err(error) => error,
                    }
                }
                // It is kept already.
                Err(_) if fed.stands_for.is_some() => return Ok(Became::Unreadable),
                Err(_) => {
                    let (intake, body) = (self.intake.clone(), fed.body.clone());
                    match unreadable::keep(intake, Arc::clone(&access), body, fed.received_at, fed.origin).await {
                        Ok(()) => return Ok(Became::Unreadable),
                        Err(error) => error,
                    }
                }
            };
            match failed {
                TransactError::AccessChanged => {
                    let reloaded = self.accesses.reload(&fed.rulebook).await?;
                    access = reloaded.ok_or(FeedError::NoRulebook)?;
                }
                TransactError::CallErased => {}
                error => return Err(error.into()),
            }
        }
        Err(TransactError::AccessChanged.into())
    }
}
