//! A message to record, what recording it needs, and what becomes of it.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::access::Access;
use super::event::{Event, Payload};
use super::hits::RuleHits;
use super::late::Origin;
use base::clock::Clock;
use revisions::current::{Current, LoadError};
use sms::Outbox;
use store::{packed, restored};
use web::problem::database::is_transient;

/// What every message needs.
#[derive(Clone)]
pub struct Intake {
    /// The primary database.
    pub db: DatabaseConnection,
    /// Compiled rulebooks.
    pub current: Current,
    /// Where texts wait.
    pub outbox: Outbox,
    /// The time.
    pub clock: Clock,
    /// How often each row takes part.
    pub hits: RuleHits,
}

/// A message to record.
pub struct Message {
    /// Who may have sent it.
    pub access: Arc<Access>,
    /// What it says.
    pub event: Event,
    /// As it came.
    pub body: Bytes,
    /// As it is stored.
    pub stored_body: StoredBody,
    /// What finds a plain repeat: the configured message id, else the hash of the body.
    pub delivery_key: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How it came.
    pub origin: Origin,
    /// The event that was set aside and whose place it takes.
    pub stands_for: Option<Uuid>,
}

/// A body as it is stored; compressed once, at best before a transaction begins.
#[derive(Debug, Default)]
pub struct StoredBody(OnceLock<Vec<u8>>);

impl Message {
    /// The body as it is stored.
    pub(super) fn stored_body(&self) -> &[u8] {
        self.stored_body.0.get_or_init(|| packed::pack(&self.body))
    }

    /// Whether it comes too late to text anyone. A report that was made of Vapi's list is as old as the end of its call,
    /// any other message as the moment when it first came.
    pub(super) async fn is_late(&self, tx: &DatabaseTransaction, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let ended = match &self.event.payload {
            Payload::Report(report) if self.origin == Origin::Reconciled => report.ended_at.or(self.event.at),
            _ => None,
        };
        if self.origin == Origin::Live {
            return Ok(false);
        }
        let restored = restored::last(tx).await?;
        Ok(self.origin.is_late(ended.unwrap_or(self.received_at), restored, now))
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What Vapi is told.
    pub answer: Value,
    /// How it was taken.
    pub taken: Taken,
    /// The revision that decided.
    pub revision: i64,
}

/// How a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// For the first time.
    Recorded,
    /// The same thing again.
    Duplicate,
    /// The same thing with another body.
    Amendment,
    /// Kept in the spool, because the database is away or too slow.
    Spooled,
    /// Answered, but not recorded: neither the database nor the spool took it.
    Unrecorded,
    /// It failed again and again, and is kept raw.
    Poisoned,
}

impl Taken {
    /// For logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Amendment => "amendment",
            Self::Spooled => "spooled",
            Self::Unrecorded => "unrecorded",
            Self::Poisoned => "poisoned",
        }
    }
}

/// Why a message was not taken in; nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// The webhook's settings or secrets changed since the message was verified: verify again.
    #[error("the webhook settings changed")]
    AccessChanged,
    /// The caller was erased while the message was on its way: take it in anew, without them.
    #[error("the caller was erased meanwhile")]
    CallErased,
    /// The rulebook's head cannot be loaded.
    #[error(transparent)]
    Rulebook(#[from] LoadError),
    /// The database did not take it.
    #[error("the database did not take the message")]
    Database(#[from] DbErr),
    /// The database took longer than a message may wait; the work may still complete.
    #[error("the database took too long")]
    TooSlow,
    /// The task that did the work ended before it was done.
    #[error("the work was stopped: {0}")]
    Stopped(String),
}

impl TransactError {
    /// Whether the same message may be taken in later without anyone mending anything.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::AccessChanged | Self::CallErased | Self::TooSlow | Self::Rulebook(LoadError::Busy(_)) => true,
            Self::Rulebook(LoadError::Database(error)) => is_transient(error),
            Self::Database(error) => is_transient(error),
            Self::Rulebook(_) | Self::Stopped(_) => false,
        }
    }
}
