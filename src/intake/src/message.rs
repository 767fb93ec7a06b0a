//! A message to record, the services that recording needs, and the result.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::auth::access::Access;
use super::parse::event::{Event, Payload};
use super::rule_usage::RuleHits;
use super::sms_age::Origin;
use base::clock::Clock;
use revisions::cache::{LoadError, RulebookCache};
use sms::Outbox;
use store::{compressed_body, restore_guard};
use web::problem::database::is_transient;

/// The services that recording a message needs.
#[derive(Clone)]
pub struct Intake {
    /// The primary database.
    pub db: DatabaseConnection,
    /// Compiled rulebooks.
    pub current: RulebookCache,
    /// The queue of SMS messages.
    pub outbox: Outbox,
    pub clock: Clock,
    /// Counts how often decisions use each row of a rulebook.
    pub hits: RuleHits,
}

/// A message to record.
pub struct Message {
    /// The webhook settings under which the message was verified.
    pub access: Arc<Access>,
    /// The parsed message.
    pub event: Event,
    /// The body as received.
    pub body: Bytes,
    /// The body as stored.
    pub stored_body: StoredBody,
    /// The id from the configured header or, without this header, the hash of the body. An unchanged repeat has the
    /// same key.
    pub delivery_key: String,
    /// When the message was received.
    pub received_at: DateTime<Utc>,
    pub origin: Origin,
    /// The dead-lettered event that the message replaces.
    pub replaces: Option<Uuid>,
}

/// A body in its stored form. The body is compressed once, preferably before a transaction begins.
#[derive(Debug, Default)]
pub struct StoredBody(OnceLock<Vec<u8>>);

impl Message {
    pub(super) fn stored_body(&self) -> &[u8] {
        self.stored_body.0.get_or_init(|| compressed_body::pack(&self.body))
    }

    /// Whether the message is too old for SMS messages. The age of a report built from Vapi's list counts from the end
    /// of its call. The age of every other message counts from its first arrival.
    pub(super) async fn is_late(&self, tx: &DatabaseTransaction, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let ended = match &self.event.payload {
            Payload::Report(report) if self.origin == Origin::Reconciled => report.ended_at.or(self.event.at),
            _ => None,
        };
        if self.origin == Origin::Live {
            return Ok(false);
        }
        let restored = restore_guard::last(tx).await?;
        Ok(self.origin.is_late(ended.unwrap_or(self.received_at), restored, now))
    }
}

/// The result of recording a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageOutcome {
    pub answer: Value,
    /// How the message was recorded.
    pub disposition: Disposition,
    /// The revision that decided about the message.
    pub revision: i64,
}

/// How a message was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    Recorded,
    /// A repeat with the same body.
    Duplicate,
    /// A repeat with another body.
    Amendment,
    /// Stored in the spool, because the database is unavailable or too slow.
    Spooled,
    /// Answered but not recorded: the database and the spool both failed.
    Unrecorded,
    /// Dead-lettered after repeated failures; the raw body is stored.
    Poisoned,
}

impl Disposition {
    /// The name in logs and metrics.
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

/// Why a message was not recorded. After every error other than [`Self::TooSlow`], no part of the message is stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The webhook settings or secrets changed after the verification: verify again.
    #[error("the webhook settings changed")]
    AccessChanged,
    /// The caller was erased during the transaction: record the message again, without the caller's data.
    #[error("the caller was erased meanwhile")]
    CallErased,
    /// The rulebook's head cannot be loaded.
    #[error(transparent)]
    Rulebook(#[from] LoadError),
    /// The database refused the message or failed.
    #[error("the database did not store the message")]
    Database(#[from] DbErr),
    /// The database took longer than a message may wait. The transaction may still commit.
    #[error("the database took too long")]
    TooSlow,
    /// The task that recorded the message ended early.
    #[error("the task that recorded the message ended early: {0}")]
    Stopped(String),
}

impl IngestError {
    /// Whether a later attempt may succeed without any repair.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::AccessChanged | Self::CallErased | Self::TooSlow | Self::Rulebook(LoadError::Busy(_)) => true,
            Self::Rulebook(LoadError::Database(error)) => is_transient(error),
            Self::Database(error) => is_transient(error),
            Self::Rulebook(_) | Self::Stopped(_) => false,
        }
    }
}
