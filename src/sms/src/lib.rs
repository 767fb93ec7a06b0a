//! Promises are kept: texts that a transaction queued go to Twilio, each once if it can be known, and a person hears of
//! those that did not go.
//!
//! A text's way: [`enqueue`] puts it into the caller's transaction · `claim` takes what is due and commits `sending`
//! before anything leaves the machine, each rulebook in its turn ([`turns`]) · [`twilio`] posts it outside any transaction · [`classify`] says, with the table
//! in [`codes`], what the answer means · `transition` says what the text becomes and when it is tried again
//! ([`backoff`]) · `settle` writes that, with the attempt and the notice, if the worker still holds the fencing number ·
//! `look` searches Twilio's list for a text whose fate is unknown. [`breaker`] stops an account whose provider is down
//! or refuses it. [`worker`] turns the wheel. What comes from outside: [`callback`] takes what Twilio says of a text by
//! itself, [`status`] says what that makes of the text, [`inbound`] takes what people answer. [`operator`] has urgent
//! notices texted to who runs the server.
//!
//! Somebody answers: [`escalate`] hands a P1 that nobody took to the next contact, then to all, and [`acknowledge`] reads
//! what a contact answers ([`reply`]). [`daily_cap`] keeps a rulebook from texting without end.

pub mod accounts;
pub mod acknowledge;
pub mod backoff;
pub mod breaker;
pub mod callback;
pub mod callbacks;
mod claim;
pub mod classify;
pub mod codes;
pub mod daily_cap;
pub mod enqueue;
pub mod escalate;
pub mod inbound;
mod look;
pub mod notice;
pub mod operator;
pub mod reply;
mod settle;
pub mod status;
#[cfg(test)]
mod tests;
mod transition;
pub mod turns;
pub mod twilio;
pub mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DbErr};

pub use accounts::{Accounts, Owned, Sender, TwilioAccount};
pub use enqueue::{Enqueued, NewSms, as_sent, enqueue, enqueue_each, reference_of};
pub use escalate::Escalator;
pub use reply::inviting;
pub use worker::Outbox;

use base::clock::Clock;
use base::looks::Unfinished;
use store::fault_points::or_shorter;

/// What can go wrong here. A text that cannot be sent is no error: it is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database did not do what was asked.
    #[error("the outbox could not use the database")]
    Database(#[from] DbErr),
    /// What it did has no end.
    #[error("the outbox waits for the database")]
    Unfinished(#[from] Unfinished),
    /// The HTTP client could not be made.
    #[error("the HTTP client for Twilio could not be made")]
    Client(#[source] reqwest::Error),
    /// A rulebook's account could not be read.
    #[error("the Twilio account of a rulebook could not be read: {0}")]
    Account(String),
    /// A rulebook has some of its account's secrets, and not all.
    #[error("the Twilio account of a rulebook is incomplete: it has no {0}")]
    Incomplete(String),
}

/// How the outbox works.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Where Twilio is, without a slash at the end.
    pub twilio_base_url: String,
    /// Where Twilio reaches us, without a slash at the end; without it there are no status callbacks.
    pub public_url: Option<String>,
    /// How many texts are on their way at once, of all rulebooks, of an account and of a rulebook.
    pub concurrency: turns::Limits,
    /// How long the worker sleeps at most.
    pub poll: std::time::Duration,
    /// How long a request to Twilio may take as a whole.
    pub request_timeout: std::time::Duration,
    /// How long a worker holds what it claimed; much longer than a request may take.
    pub lease: chrono::TimeDelta,
    /// How patiently a text is tried.
    pub patience: backoff::Patience,
    /// When an account is stopped.
    pub breaker: breaker::BreakerPolicy,
    /// Who is texted about urgent notices.
    pub operator: Option<operator::Operator>,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            twilio_base_url: "https://api.twilio.com".to_owned(),
            public_url: None,
            concurrency: turns::Limits {
                total: 128,
                account: 12,
                rulebook: 8,
            },
            poll: std::time::Duration::from_secs(1),
            request_timeout: std::time::Duration::from_secs(15),
            lease: or_shorter(chrono::TimeDelta::seconds(60)),
            patience: backoff::Patience::default(),
            breaker: breaker::BreakerPolicy::default(),
            operator: None,
        }
    }
}

/// What every step of the outbox needs.
struct Shared {
    db: DatabaseConnection,
    clock: Clock,
    accounts: Accounts,
    client: twilio::TwilioClient,
    settings: OutboxSettings,
    breakers: Mutex<std::collections::HashMap<TwilioAccount, breaker::Breaker>>,
    turns: turns::Turns,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Why a rulebook's texts wait, as it was logged last: it is logged again only when it changes.
    waiting: Mutex<std::collections::HashMap<uuid::Uuid, String>>,
}

impl Shared {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Does something with an account's breaker. New credentials are a new account, and begin with a closed one.
    fn breaker<T>(&self, account: &TwilioAccount, with: impl FnOnce(&mut breaker::Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        with(breakers.entry(account.clone()).or_default())
    }
}
