//! Caches which rulebooks use which Twilio account. Without this cache, each unsigned request could make Ringbook read
//! and decrypt the secrets of all rulebooks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{Outbox, OutboxError, TwilioAccount};

/// The maximum age of the cache.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Minimum interval between two reads of all accounts. A request whose signature matches no cached account waits for a
/// read that starts after its arrival. All waiting requests share this read, so unauthenticated clients cause at most
/// one read per interval.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(100);

/// A rulebook and its account.
#[derive(Debug, Clone)]
pub struct Owner {
    pub rulebook_id: Uuid,
    pub code: String,
    pub account: TwilioAccount,
}

/// The rulebooks from one read, by the SID of their account.
#[derive(Debug)]
pub struct Owners {
    by_sid: HashMap<String, Vec<Owner>>,
    read_at: Instant,
}

impl Owners {
    /// Returns the rulebooks of an account, the oldest first.
    #[must_use]
    pub fn of(&self, sid: &str) -> &[Owner] {
        self.by_sid.get(sid).map_or(&[], Vec::as_slice)
    }
}

/// The latest directory. The mutex stays locked while the next directory is read.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<Mutex<Option<Arc<Owners>>>>);

impl Directory {
    /// Returns the cached directory. If this directory is older than `MAX_AGE`, reads a new directory.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn recent(&self, outbox: &Outbox) -> Result<Arc<Owners>, OutboxError> {
        let mut newest = self.0.lock().await;
        match newest.as_ref().filter(|owners| owners.read_at.elapsed() < MAX_AGE) {
            Some(owners) => Ok(Arc::clone(owners)),
            None => Self::read(&mut newest, outbox).await,
        }
    }

    /// Returns a directory whose read started after this call.
    ///
    /// # Errors
    /// If the database fails.
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
