//! Who may speak for a rulebook. In: the rulebook's code. Out: its webhook settings and active secrets.
//!
//! Kept in memory, so that a message pays no query for it; the transaction compares `auth_version` with the database and
//! asks for a fresh copy when it rose, so that a retired secret is refused by the very next message everywhere. A message
//! that is refused asks too, so that a new secret is accepted although nobody uses the old one any more. A name that no rulebook
//! has goes the same way, so that neither the answer nor its time tells a stranger which names there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::scheme::WebhookAuth;
use super::secret::Secret;
use base::keys::{KeyError, SecretKey};
use base::telemetry::sampled::Sampler;
use rules::check::is_rulebook_code;
use store::{rulebooks, secrets};

pub use store::rulebooks::DEFAULT as DEFAULT_RULEBOOK;

/// The id of the secret that the settings bring.
pub const SET_SECRET: &str = "RINGBOOK_VAPI_SECRET";

/// Strangers make us ask the database whether the settings of a rulebook changed once in this time. A message that would be
/// refused waits for an answer to a question that was asked after it came: a new secret is never refused.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(25);
/// Of more secrets only the newest let a message in. The API stores no more; an older database may have them.
const MAX_SECRETS: usize = 5;

/// Log lines about secrets that were stored before short ones were refused: one in ten minutes.
static SHORT_SECRETS: Sampler = Sampler::new(1, 600);

/// What verification needs to know of a rulebook.
#[derive(Debug)]
pub struct Access {
    /// Its code, or the one that it had before, as the message's address names it.
    pub code: String,
    /// Its id.
    pub rulebook_id: Uuid,
    /// The version of what follows.
    pub auth_version: i64,
    /// Which schemes are accepted.
    pub auth: WebhookAuth,
    /// The secrets that are accepted.
    pub secrets: Vec<Secret>,
    /// When it was read.
    pub read_at: Instant,
}

impl Access {
    /// Of a name that no rulebook has. Its messages are verified like all others, as those of the default rulebook, and none is
    /// let in: whoever has that secret is told that the name is wrong, and nobody else.
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

    /// Of a message that was let in when it came, and comes out of the spool.
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

/// Why a rulebook's webhook settings cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database did not answer.
    #[error("the webhook settings could not be read")]
    Database(#[from] DbErr),
    /// The database did not answer a question that was asked for another message meanwhile.
    #[error("the webhook settings could not be read a moment ago")]
    Unanswered,
    /// The settings in the database are none.
    #[error("the webhook settings of the rulebook are not understood")]
    Settings(#[from] serde_json::Error),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The webhook settings of every rulebook asked for.
#[derive(Clone)]
pub struct Accesses {
    db: DatabaseConnection,
    key: SecretKey,
    /// `RINGBOOK_VAPI_SECRET`, which the default rulebook accepts beside the stored ones.
    default_secret: Option<Arc<Secret>>,
    known: Cache<String, Arc<Access>>,
    /// Names that no rulebook has, as strangers make them up.
    unknown: Cache<String, Arc<Access>>,
    /// Of each rulebook: held by whoever asks, with when the last question began that was not answered.
    asking: Cache<String, Arc<Mutex<Option<Instant>>>>,
}

impl Accesses {
    /// Over the primary database: a replica could still show a secret that was retired.
    #[must_use]
    pub fn new(db: DatabaseConnection, key: SecretKey, default_secret: Option<Secret>) -> Self {
        Self {
            db,
            key,
            default_secret: default_secret.map(Arc::new),
            known: Cache::new(10_000),
            unknown: Cache::new(10_000),
            asking: Cache::new(10_000),
        }
    }

    /// The settings of a rulebook as they stand in memory, or [`Access::of_nobody`] where none has this name.
    pub async fn in_memory(&self, code: &str) -> Option<Arc<Access>> {
        match self.known.get(code).await {
            Some(access) => Some(access),
            None => self.unknown.get(code).await,
        }
    }

    /// The settings of a rulebook as they stand in the database, or [`Access::of_nobody`] where none has this name.
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
        // What can be no name is not worth remembering.
        if is_rulebook_code(code) {
            self.unknown.insert(code.to_owned(), Arc::clone(&nobody)).await;
        }
        Ok(nobody)
    }

    /// The settings of a rulebook, from memory when they are there; `None` when there is no such rulebook.
    pub async fn get(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        match self.known.get(code).await {
            Some(access) => Ok(Some(access)),
            None => self.reload(code).await,
        }
    }

    /// The settings that replace those under which a message was refused; `None` when they are the same. However many messages
    /// are refused, one question is asked at a time, and each of them waits for one that began after it came.
    pub async fn newer(&self, known: &Access) -> Result<Option<Arc<Access>>, AccessError> {
        let came = Instant::now();
        let is_other = |found: &Arc<Access>| found.auth_version != known.auth_version;
        let asking = self.asking.get_with(known.code.clone(), async { Arc::default() }).await;
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

    /// The settings of a rulebook as they stand now, which are used from here on.
    pub async fn reload(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        let access = self.read(code).await?;
        match &access {
            Some(access) => {
                self.known.insert(code.to_owned(), Arc::clone(access)).await;
                self.unknown.invalidate(code).await;
            }
            None => self.forget(code).await,
        }
        Ok(access)
    }

    /// Forgets what is known of a rulebook that takes no messages any more, or has another code.
    pub async fn forget(&self, code: &str) {
        self.known.invalidate(code).await;
    }

    /// What stands in the database, with the secret that the settings of this process bring.
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

    /// The settings of a rulebook as they stand now, only looked at.
    pub async fn read(&self, code: &str) -> Result<Option<Arc<Access>>, AccessError> {
        // What can name no rulebook need not be asked for, and PostgreSQL refuses a question with a NUL in it.
        if !is_rulebook_code(code) {
            return Ok(None);
        }
        let read_at = Instant::now();
        let Some(found) = rulebooks::that_takes(&self.db, code).await? else {
            // A name that is nobody's costs as much as one that is somebody's, or the time would tell them apart.
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
                tracing::warn!(rulebook = code, secret = %row.id, "a webhook secret is short enough to be guessed: store one of {} \
                    characters or more, give it to Vapi and retire this one", secrets::WEBHOOK_LENGTH);
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
