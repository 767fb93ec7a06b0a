//! The SMS outbox sends queued SMS messages through Twilio. It sends each message only once if that can be ensured. The
//! outbox drops no message silently: a notice reports each message that was not sent.
//!
//! An SMS message passes through these modules. [`enqueue`] inserts the message in the transaction that requests it.
//! `claim` leases due messages and commits the state `sending` before any request. Rulebooks take turns
//! ([`fair_slots`]). [`twilio`] posts each message outside any transaction. [`classify`] maps the response to an
//! outcome, with the table in [`error_codes`]. `retry` computes the next state and the time of a retry
//! ([`retry_policy`]). `record_result` writes the state, the attempt and the notice, if the worker still holds the
//! fencing token. `reconcile_send` searches Twilio's list for a message with an ambiguous outcome. [`breaker`] stops an
//! account while the provider is down or refuses its credentials. [`worker`] runs these steps in a loop.
//! [`record_callback`] records Twilio's status callbacks, [`status`] applies them, and [`inbound`] records replies.
//! [`operator`] sends urgent notices to the operator of the server.
//!
//! If nobody acknowledges a P1, [`escalate`] notifies the next contact, then all contacts. [`acknowledge`] applies a
//! contact's [`reply`]. [`daily_cap`] limits the SMS messages of a rulebook.

pub mod accounts;
pub mod acknowledge;
pub mod breaker;
pub mod callbacks;
mod claim;
pub mod classify;
pub mod daily_cap;
pub mod enqueue;
pub mod error_codes;
pub mod escalate;
pub mod fair_slots;
pub mod inbound;
pub mod notice;
pub mod operator;
mod reconcile_send;
pub mod record_callback;
mod record_result;
pub mod reply;
mod retry;
pub mod retry_policy;
pub mod status;
#[cfg(test)]
mod tests;
pub mod twilio;
pub mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DbErr};

pub use accounts::{Accounts, RulebookAccounts, Sender, TwilioAccount};
pub use enqueue::{EnqueueResult, NewSms, as_sent, enqueue, enqueue_each, reference_of};
pub use escalate::Escalator;
pub use reply::inviting;
pub use worker::Outbox;

use base::clock::Clock;
use base::poll::WorkError;
use store::fault_points::or_shorter;

/// Errors of the outbox. An SMS message that cannot be sent is an outcome and not an error.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database failed.
    #[error("the outbox could not use the database")]
    Database(#[from] DbErr),
    /// A database operation did not end in time.
    #[error("the outbox got no result from the database in time")]
    Unfinished(#[from] WorkError),
    /// The HTTP client could not be created.
    #[error("the HTTP client for Twilio could not be created")]
    Client(#[source] reqwest::Error),
    /// A rulebook's account could not be read.
    #[error("the Twilio account of a rulebook could not be read: {0}")]
    Account(String),
    /// A rulebook lacks some of its account's secrets.
    #[error("the Twilio account of a rulebook is incomplete: it has no {0}")]
    Incomplete(String),
}

/// The settings of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Twilio's base URL, without a trailing slash.
    pub twilio_base_url: String,
    /// The public base URL of this server, without a trailing slash. Without this URL there are no status callbacks.
    pub public_url: Option<String>,
    /// Limits of concurrent sends.
    pub concurrency: fair_slots::SendLimits,
    /// Maximum time that the worker sleeps.
    pub poll: std::time::Duration,
    /// Timeout of a whole request to Twilio.
    pub request_timeout: std::time::Duration,
    /// The duration of a lease. A lease is much longer than a request may take.
    pub lease: chrono::TimeDelta,
    /// The retry policy.
    pub retry_policy: retry_policy::RetryPolicy,
    /// The policy by which the circuit breaker stops an account.
    pub breaker: breaker::BreakerPolicy,
    /// The recipient of urgent notices.
    pub operator: Option<operator::Operator>,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            twilio_base_url: "https://api.twilio.com".to_owned(),
            public_url: None,
            concurrency: fair_slots::SendLimits {
                total: 128,
                account: 12,
                rulebook: 8,
            },
            poll: std::time::Duration::from_secs(1),
            request_timeout: std::time::Duration::from_secs(15),
            lease: or_shorter(chrono::TimeDelta::seconds(60)),
            retry_policy: retry_policy::RetryPolicy::default(),
            breaker: breaker::BreakerPolicy::default(),
            operator: None,
        }
    }
}

/// The state that every step of the outbox needs.
struct OutboxState {
    db: DatabaseConnection,
    clock: Clock,
    accounts: Accounts,
    client: twilio::TwilioClient,
    settings: OutboxSettings,
    breakers: Mutex<std::collections::HashMap<TwilioAccount, breaker::Breaker>>,
    turns: fair_slots::FairSlots,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// For each rulebook, the last logged reason why its SMS messages wait. Only a change of the reason is logged.
    waiting: Mutex<std::collections::HashMap<uuid::Uuid, String>>,
}

impl OutboxState {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Calls `with` with the breaker of an account. New credentials count as a new account with a closed breaker.
    fn breaker<T>(&self, account: &TwilioAccount, with: impl FnOnce(&mut breaker::Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        with(breakers.entry(account.clone()).or_default())
    }
}
