//! Caches the webhook settings and active secrets of each rulebook, so that a message needs no query for them.
//!
//! The transaction of a message compares the cached `auth_version` with the version in the database, and requests a
//! reload if the two versions differ. So every instance refuses a retired secret from the next message on. A refused
//! message requests a reload too, so Ringbook accepts the first message that uses a new secret. A message to an unknown
//! rulebook name also requests a reload. So neither the response nor its duration reveals which names exist.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::scheme::WebhookAuth;
use super::secret::Secret;
use base::cache::Cache;
use base::keys::{KeyError, SecretKey};
use base::telemetry::sampling::Sampler;
use rules::check::is_rulebook_code;
use store::{rulebooks, secrets};

pub use store::rulebooks::DEFAULT as DEFAULT_RULEBOOK;

/// The id of the secret from the environment variable `RINGBOOK_VAPI_SECRET`.
pub const SET_SECRET: &str = "RINGBOOK_VAPI_SECRET";

/// Minimum time between two database reads of a rulebook's settings. This limits the reads that unauthenticated senders
/// can cause. A message that fails verification waits for a read that began after the message arrived, so Ringbook
/// never refuses a new secret.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(25);
/// Maximum number of rulebook names in each cache.
const MAX_RULEBOOKS: u64 = 10_000;
/// Maximum number of accepted secrets of a rulebook. If there are more, only the newest secrets are accepted. The API
/// stores no more than this number, but an older database may contain more secrets.
const MAX_SECRETS: usize = 5;

/// Limits the warnings about secrets that are too short: one log line in ten minutes.
static SHORT_SECRETS: Sampler = Sampler::new(1, 600);

/// The webhook settings and secrets of a rulebook.
#[derive(Debug)]
pub struct Access {
    /// The rulebook's current or former code, as in the URL of the message.
    pub code: String,
    pub rulebook_id: Uuid,
    /// Rises with each change of these settings.
    pub auth_version: i64,
    /// The accepted schemes and the replay window.
    pub auth: WebhookAuth,
    /// The secrets that are accepted.
    pub secrets: Vec<Secret>,
    /// When these settings were read from the database.
    pub read_at: Instant,
}

impl Access {
    /// Placeholder for a name without a rulebook. Messages to that name are verified like messages to the default
    /// rulebook, but never accepted. Only a sender with the default rulebook's secret learns that the name is wrong.
    fn of_nobody(code: &str, default: Option<&Self>) -> Self {
        let unusable = || vec![Secret::new("nobody", [0; 32])];
        Self {
            code: code.to_owned(),
            rulebook_id: Uuid::nil(),
            auth_version: i64::MIN,
            auth: default.map(|default| default.auth.clone()).unwrap_or_default(),
            secrets: default.map_or_else(unusable, |default| default.secrets.clone()),
            read_at: Instant::now(),
        }
    }

    /// Whether no rulebook has this name.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.rulebook_id.is_nil()
    }

    /// Settings for a message from the spool. Ringbook verified the message when it arrived.
    #[must_use]
    pub fn of_the_spool(code: String, rulebook_id: Uuid) -> Self {
        Self {
            code,
            rulebook_id,
            auth_version: 0,
            auth: WebhookAuth::default(),
            secrets: Vec::new(),
            read_at: Instant::now(),
        }
    }
}

/// Why the webhook settings of a rulebook are not available.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database query failed.
    #[error("the webhook settings could not be read")]
    Database(#[from] DbErr),
    /// This message waited for a database read that another message had started, and that read failed.
    #[error("the webhook settings could not be read a moment ago")]
    Unanswered,
    /// The stored settings cannot be parsed.
    #[error("the stored webhook settings of the rulebook cannot be parsed")]
    Settings(#[from] serde_json::Error),
    /// A secret cannot be decrypted.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Caches the webhook settings of the rulebooks for which a message arrived. Clones share the cache.
#[derive(Clone)]
pub struct Accesses {
    db: DatabaseConnection,
    key: SecretKey,
    /// `RINGBOOK_VAPI_SECRET`, which the default rulebook accepts in addition to the stored secrets.
    default_secret: Option<Arc<Secret>>,
    known: Cache<Access>,
    /// Names without a rulebook, usually made up by unauthenticated clients.
    unknown: Cache<Access>,
    /// One lock for each rulebook, held during a read of its settings. The lock contains the time at which the last
    /// failed read began.
    asking: Cache<Mutex<Option<Instant>>>,
}

impl Accesses {
    /// Reads from the primary database: a replica could still return a retired secret.
    #[must_use]
    pub fn new(db: DatabaseConnection, key: SecretKey, default_secret: Option<Secret>) -> Self {
        Self {
            db,
            key,
            default_secret: default_secret.map(Arc::new),
            known: Cache::of_entries(MAX_RULEBOOKS),
            unknown: Cache::of_entries(MAX_RULEBOOKS),
            asking: Cache::of_entries(MAX_RULEBOOKS),
        }
    }

    /// The cached settings of a rulebook, or the cached [`Access::of_nobody`] if no rulebook has this name.
    pub async fn in_memory(&self, code: &str) -> Option<Arc<Access>> {
        match self.known.get(code).await {
            Some(access) => Some(access),
            None => self.unknown.get(code).await,
        }
    }

    /// The settings of a rulebook, read from the database, or [`Access::of_nobody`] if no rulebook has this name.
    pub async fn reload_or_nobody(&self, code: &str) -> Result<Arc<Access>, AccessError> {
        match self.reload(code).await? {
            Some(found) => Ok(found),
            None => self.nobodys(code).await,
        }
    }

    async fn nobodys(&self, code: &str) -> Result<Arc<Access>, AccessError> {
        let default = match self.known.get(DEFAULT_RULEBOOK).await {
            Some(default) => Some(default),
            None => self.read(DEFAULT_RULEBOOK).await?,
        };
        let nobody = Arc::new(Access::of_nobody(code, default.as_deref()));
        // Invalid names are not cached.
        if is_rulebook_code(code) {
            self.unknown.insert(code, Arc::clone(&nobody)).await;
        }
        Ok(nobody)
    }

    /// Returns the settings of a rulebook, from the cache if they are cached. Returns `None` if no rulebook has this
    /// code.
    pub async fn get(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        match self.known.get(code).await {
            Some(access) => Ok(Some(access)),
            None => self.reload(code).await,
        }
    }

    /// Returns newer settings than `known`, or `None` if the settings did not change. `known` are the settings under
    /// which a message was refused. At most one read runs at a time for each rulebook, and each refused message waits
    /// for a read that began after the message arrived.
    pub async fn newer(&self, known: &Access) -> Result<Option<Arc<Access>>, AccessError> {
        let came = Instant::now();
        let is_other = |found: &Arc<Access>| found.auth_version != known.auth_version;
        let asking = self.asking.get_or_default(&known.code).await;
        let mut unanswered = asking.lock().await;
        if unanswered.is_some_and(|began| began >= came) {
            return Err(AccessError::Unanswered);
        }
        let newest = match self.known.get(&known.code).await {
            Some(found) => Some(found),
            None => self.unknown.get(&known.code).await,
        };
        if let Some(found) = newest {
            if found.read_at >= came {
                return Ok(Some(found).filter(is_other));
            }
            tokio::time::sleep(MIN_RELOAD_INTERVAL.saturating_sub(found.read_at.elapsed())).await;
        }
        *unanswered = Some(Instant::now());
        let found = self.reload(&known.code).await?;
        *unanswered = None;
        if found.is_none() {
            self.nobodys(&known.code).await?;
        }
        Ok(found.filter(is_other))
    }

    /// Reads the current settings of a rulebook from the database and caches them.
    pub async fn reload(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        let access = self.read(code).await?;
        match &access {
            Some(access) => {
                self.known.insert(code, Arc::clone(access)).await;
                self.unknown.remove(code).await;
            }
            None => self.forget(code).await,
        }
        Ok(access)
    }

    /// Drops a rulebook from the cache, because it is archived or has a new code.
    pub async fn forget(&self, code: &str) {
        self.known.remove(code).await;
    }

    /// Adds the secret from the environment to the stored secrets of the default rulebook.
    #[must_use]
    pub fn with_set(&self, code: &str, mut stored: Vec<Secret>) -> Vec<Secret> {
        stored.retain(|secret| secret.id() != SET_SECRET);
        if code == DEFAULT_RULEBOOK
            && let Some(secret) = &self.default_secret
        {
            stored.push(Secret::clone(secret));
        }
        stored
    }

    /// Reads the current settings of a rulebook without caching them.
    pub async fn read(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        // No rulebook has an invalid name, and PostgreSQL rejects a string with a NUL.
        if !is_rulebook_code(code) {
            return Ok(None);
        }
        let read_at = Instant::now();
        let Some(found) = rulebooks::that_takes(&self.db, code).await? else {
            // Run the same query for an unknown name. Otherwise the duration would reveal that the name is unknown.
            secrets::active(&self.db, Uuid::nil(), &[secrets::WEBHOOK]).await?;
            return Ok(None);
        };
        let mut known = Vec::new();
        let active = secrets::active(&self.db, found.id, &[secrets::WEBHOOK]).await?;
        let too_many = active.len().saturating_sub(MAX_SECRETS);
        if too_many > 0 {
            tracing::warn!(
                rulebook = code,
                too_many,
                "only the newest five webhook secrets are accepted: retire the others"
            );
        }
        for row in active.into_iter().skip(too_many) {
            let opened = self.key.open(found.id, row.id, &row.sealed)?;
            if opened.len() < secrets::WEBHOOK_LENGTH && SHORT_SECRETS.admit().is_some() {
                tracing::warn!(rulebook = code, secret = %row.id, "a webhook secret is short enough to be guessed: create a secret of at \
                    least {} characters, give it to Vapi and retire this secret", secrets::WEBHOOK_LENGTH);
            }
            known.push(Secret::new(row.id.to_string(), opened));
        }
        let access = Access {
            code: code.to_owned(),
            rulebook_id: found.id,
            auth_version: found.auth_version,
            auth: serde_json::from_value(found.webhook_auth)?,
            secrets: self.with_set(code, known),
            read_at,
        };
        Ok(Some(Arc::new(access)))
    }
}
