//! Which rulebooks an account at Twilio belongs to, in memory: whoever sends us texts without a signature must not make us read
//! and open the secrets of all rulebooks for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::outbox::{Outbox, OutboxError, TwilioAccount};

/// How old it may be.
const MAX_AGE: Duration = Duration::from_secs(2);
/// A text that would be refused waits for a directory that was read after it came; strangers make us read one so often.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(100);

/// A rulebook and its account.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its code.
    pub code: String,
    /// Its account.
    pub account: TwilioAccount,
}

/// The rulebooks by the sid of their account, as they were at one time.
#[derive(Debug)]
pub struct Owners {
    by_sid: HashMap<String, Vec<Owner>>,
    read_at: Instant,
}

impl Owners {
    /// The rulebooks of an account, the oldest first.
    #[must_use]
    pub fn of(&self, sid: &str) -> &[Owner] {
        self.by_sid.get(sid).map_or(&[], Vec::as_slice)
    }
}

/// The newest that was read; whoever reads the next one holds it.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<Mutex<Option<Arc<Owners>>>>);

impl Directory {
    /// The rulebooks as they were a moment ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent(&self, outbox: &Outbox) -> Result<Arc<Owners>, OutboxError> {
        let mut newest = self.0.lock().await;
        match newest.as_ref().filter(|owners| owners.read_at.elapsed() < MAX_AGE) {
            Some(owners) => Ok(Arc::clone(owners)),
            None => Self::read(&mut newest, outbox).await,
        }
    }

    /// The rulebooks as they are after this was called.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newer(&self, outbox: &Outbox) -> Result<Arc<Owners>, OutboxError> {
        let asked = Instant::now();
        let mut newest = self.0.lock().await;
        if let Some(owners) = newest.as_ref() {
            if owners.read_at >= asked {
                return Ok(Arc::clone(owners));
            }
            tokio::time::sleep(MIN_RELOAD_INTERVAL.saturating_sub(owners.read_at.elapsed())).await;
        }
        Self::read(&mut newest, outbox).await
    }

    async fn read(newest: &mut Option<Arc<Owners>>, outbox: &Outbox) -> Result<Arc<Owners>, OutboxError> {
        let read_at = Instant::now();
        let rulebooks = outbox.rulebooks().await?;
        let mut accounts: HashMap<Uuid, TwilioAccount> = outbox.accounts().all(&rulebooks).await?.into_iter().collect();
        let mut by_sid: HashMap<String, Vec<Owner>> = HashMap::new();
        for (rulebook_id, code) in rulebooks {
            if let Some(account) = accounts.remove(&rulebook_id) {
                let owner = Owner {
                    rulebook_id,
                    code,
                    account,
                };
                by_sid.entry(owner.account.sid.clone()).or_default().push(owner);
            }
        }
        let owners = Arc::new(Owners { by_sid, read_at });
        *newest = Some(Arc::clone(&owners));
        Ok(owners)
    }
}
