//! Whose Twilio account a text goes through. In: a rulebook. Out: its account, none, or that this cannot be known now.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

use super::OutboxError;

/// What the recipient sees as the sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// A number of the account's.
    From(String),
    /// A messaging service's sid.
    MessagingService(String),
}

/// A Twilio account and its sender.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TwilioAccount {
    /// The account's sid.
    pub sid: String,
    /// Its auth token.
    pub token: String,
    /// The sender.
    pub sender: Sender,
}

impl fmt::Debug for TwilioAccount {
    /// The token never shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioAccount").finish_non_exhaustive()
    }
}

/// Rulebooks with their accounts.
pub type Owned = Vec<(Uuid, TwilioAccount)>;

type All = Pin<Box<dyn Future<Output = Result<Owned, OutboxError>> + Send>>;
type Found = Pin<Box<dyn Future<Output = Result<Option<TwilioAccount>, OutboxError>> + Send>>;

/// Finds a rulebook's account. Cloning is cheap.
#[derive(Clone)]
pub struct Accounts {
    look_up: Arc<dyn Fn(Uuid) -> Found + Send + Sync>,
    all: Option<Arc<dyn Fn() -> All + Send + Sync>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Accounts that a function finds. An error leaves the texts queued, as does `Ok(None)`, but where the rulebook is
    /// simulated until it has an account.
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

    /// The same, with a way to find the accounts of all rulebooks at once. Those that cannot be read are left out.
    #[must_use]
    pub fn with_all<F, Fut>(self, all: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Owned, OutboxError>> + Send + 'static,
    {
        Self {
            all: Some(Arc::new(move || Box::pin(all()))),
            ..self
        }
    }

    /// The accounts of all these rulebooks that have one which can be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self, rulebooks: &[(Uuid, String)]) -> Result<Owned, OutboxError> {
        if let Some(all) = &self.all {
            return all().await;
        }
        let mut owned = Owned::new();
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

    /// Accounts that never change.
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
