//! Looks up the Twilio accounts of rulebooks. The lookup distinguishes a rulebook without an account from an account
//! that cannot be read now.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

use super::OutboxError;

/// The sender that the recipient sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// A phone number of the account.
    From(String),
    /// The SID of a messaging service.
    MessagingService(String),
}

/// A Twilio account and its sender.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TwilioAccount {
    pub sid: String,
    /// The auth token.
    pub token: String,
    pub sender: Sender,
}

impl fmt::Debug for TwilioAccount {
    /// Prints no fields, because the token is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioAccount").finish_non_exhaustive()
    }
}

/// Rulebooks with their accounts.
pub type RulebookAccounts = Vec<(Uuid, TwilioAccount)>;

type All = Pin<Box<dyn Future<Output = Result<RulebookAccounts, OutboxError>> + Send>>;
type AccountLookup = Pin<Box<dyn Future<Output = Result<Option<TwilioAccount>, OutboxError>> + Send>>;

/// Looks up a rulebook's account. Cloning is cheap.
#[derive(Clone)]
pub struct Accounts {
    look_up: Arc<dyn Fn(Uuid) -> AccountLookup + Send + Sync>,
    all: Option<Arc<dyn Fn() -> All + Send + Sync>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Creates the lookup. `look_up` returns the account of a rulebook. After an error, the SMS messages of the
    /// rulebook stay queued. After `Ok(None)`, the messages also stay queued, or they are simulated if the rulebook
    /// simulates until it has an account.
    pub fn new<F, Fut>(look_up: F) -> Self
    where
        F: Fn(Uuid) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<TwilioAccount>, OutboxError>> + Send + 'static,
    {
        Self {
            look_up: Arc::new(move |rulebook_id| Box::pin(look_up(rulebook_id))),
            all: None,
        }
    }

    /// Adds a function that looks up the accounts of all rulebooks in one call. The function must omit accounts that
    /// cannot be read.
    #[must_use]
    pub fn with_all<F, Fut>(self, all: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<RulebookAccounts, OutboxError>> + Send + 'static,
    {
        Self {
            all: Some(Arc::new(move || Box::pin(all()))),
            ..self
        }
    }

    /// Returns the accounts of these rulebooks. The result omits rulebooks without an account, and rulebooks whose
    /// account cannot be read.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn all(&self, rulebooks: &[(Uuid, String)]) -> Result<RulebookAccounts, OutboxError> {
        if let Some(all) = &self.all {
            return all().await;
        }
        let mut owned = RulebookAccounts::new();
        for (id, code) in rulebooks {
            match self.of(*id).await {
                Ok(account) => owned.extend(account.map(|account| (*id, account))),
                Err(error @ (OutboxError::Account(_) | OutboxError::Incomplete(_))) => {
                    tracing::error!(rulebook = code, %error, "the account of rulebook {code} cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(owned)
    }

    /// Fixed accounts.
    #[must_use]
    pub fn fixed(accounts: HashMap<Uuid, TwilioAccount>) -> Self {
        let accounts = Arc::new(accounts);
        Self::new(move |rulebook_id| {
            let found = accounts.get(&rulebook_id).cloned();
            async move { Ok(found) }
        })
    }

    /// No accounts.
    #[must_use]
    pub fn none() -> Self {
        Self::fixed(HashMap::new())
    }

    /// The account of a rulebook.
    pub async fn of(&self, rulebook_id: Uuid) -> Result<Option<TwilioAccount>, OutboxError> {
        (self.look_up)(rulebook_id).await
    }
}
