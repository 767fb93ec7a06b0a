//! The state of the admin API, and access to the rulebook in a path.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use sea_orm::{DatabaseConnection, DbBackend, EntityTrait as _};
use serde_json::Value;
use uuid::Uuid;

use super::auth::Caller;
use super::concurrency_limit::ConcurrencyLimit;
use super::last_use::LastUse;
use super::setup_checks::SetupChecks;
use super::watched_rulebooks::WatchedRulebooks;
use base::clock::Clock;
use base::keys::SecretKey;
use jobs::Erasures;
use jobs::history::queue::Backtests;
use revisions::cache::{HeadRows, LoadError, LoadedRulebook, RulebookCache};
use revisions::publish::Publisher;
use rules::decision::Decision;
use rules::facts::ExtractedFacts;
use rules::fair_pool::Busy;
use rules::rows::{Contact, RowSet};
use rules::{Rulebook, sample};
use store::audit_log::AuditKey;
use store::replica::Replica;
use store::rulebooks;
use store::webhook_events;
use web::failed_guesses::Guesses;
use web::problem::database::is_transient;
use web::problem::{Code, Problem};

/// Reads the facts and the instant of a whole Vapi message, exactly as the webhook does. Returns `None` if the value is
/// not a message. The function is passed in, because `admin` must not depend on the crate `intake`.
pub type ReadMessage = Arc<dyn Fn(&Rulebook, &Value) -> Option<(ExtractedFacts, Option<DateTime<Utc>>)> + Send + Sync>;

/// Validates a rulebook's webhook settings strictly. Returns the settings with all defaults filled in, or every error.
pub type ReadAuth = Arc<dyn Fn(Value) -> Result<Value, Problem> + Send + Sync>;

/// Replays a stored message and returns its new state: `recorded`, `duplicate`, `amendment`, `unreadable`, `poisoned`,
/// `erased` or `archived`.
pub type ReplayMessage =
    Arc<dyn Fn(String, webhook_events::Model) -> BoxFuture<'static, Result<&'static str, Problem>> + Send + Sync>;

/// Writes the text of an SMS message to a contact about a decision, exactly as it would be sent. Returns `None` if the
/// template does not exist.
pub type WriteSmsBody =
    Arc<dyn Fn(&Rulebook, &str, &Contact, &Decision, &ExtractedFacts) -> Option<String> + Send + Sync>;

/// Functions of the crate `intake`, which implements the webhook.
#[derive(Clone)]
pub struct FromWebhook {
    /// Reads the facts of a message.
    pub read_message: ReadMessage,
    /// Validates webhook settings.
    pub read_auth: ReadAuth,
    /// Replays a stored message.
    pub replay_message: ReplayMessage,
    /// Writes the text of an SMS message.
    pub word_sms: WriteSmsBody,
}

/// The shared state of all operations; cloning is cheap.
#[derive(Clone)]
pub struct AdminState {
    /// The connections for writes.
    pub db: DatabaseConnection,
    /// The connections for reads from the primary.
    pub primary: DatabaseConnection,
    /// The replica, from which lists are read while it is usable.
    pub replica: Replica,
    /// Publishes changes of rules.
    pub publisher: Arc<Publisher>,
    /// The compiled rulebooks.
    pub current: Arc<RulebookCache>,
    /// The source of time and new ids.
    pub clock: Clock,
    /// The rows of the sample business, with which a new rulebook may begin.
    pub sample: Arc<RowSet>,
    /// The key that encrypts secrets.
    pub key: SecretKey,
    /// The key of the audit chain.
    pub audit: AuditKey,
    /// Functions of the crate `intake`, which implements the webhook.
    pub from_webhook: FromWebhook,
    /// Checks the set-up.
    pub setup: SetupChecks,
    /// Runs backtests.
    pub backtests: Backtests,
    /// Erases callers.
    pub erasures: Erasures,
    /// Counts wrong API keys by IP address and by key prefix.
    pub guesses: Arc<Guesses>,
    pub(super) at_once: ConcurrencyLimit,
    pub(super) last_use: LastUse,
    /// The open event streams, by key.
    pub(super) streams: ConcurrencyLimit,
    pub(super) watched: WatchedRulebooks,
}

impl AdminState {
    /// Builds the state from `db` for writes, `primary` for reads, and `replica` for lists, if there is one.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "the parts, each named once")]
    pub fn new(
        db: DatabaseConnection,
        primary: DatabaseConnection,
        replica: Replica,
        publisher: Arc<Publisher>,
        current: Arc<RulebookCache>,
        clock: Clock,
        key: SecretKey,
        from_webhook: FromWebhook,
        setup: SetupChecks,
        backtests: Backtests,
        erasures: Erasures,
        guesses: Guesses,
    ) -> Self {
        Self {
            db,
            primary,
            replica,
            publisher,
            current,
            clock,
            sample: Arc::new(sample::rows()),
            audit: AuditKey::new(&key.of_audit_chain()),
            key,
            from_webhook,
            setup,
            backtests,
            erasures,
            guesses: Arc::new(guesses),
            at_once: ConcurrencyLimit::default(),
            last_use: LastUse::default(),
            streams: ConcurrencyLimit::default(),
            watched: WatchedRulebooks::default(),
        }
    }

    /// Returns connections to the primary, because the replica may lack the newest commit. On SQLite, returns the read
    /// connections: every commit is visible there, and the single writer stays free.
    #[must_use]
    pub fn latest(&self) -> &DatabaseConnection {
        match self.db.get_database_backend() {
            DbBackend::Sqlite => &self.primary,
            _ => &self.db,
        }
    }

    /// Returns connections for lists: to the replica if it is usable, else to the primary.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        self.replica.usable().unwrap_or(&self.primary)
    }

    /// Reads a rulebook from the primary.
    ///
    /// # Errors
    /// 404 if the rulebook no longer exists.
    pub async fn rulebook_row(&self, rulebook_id: Uuid) -> Result<rulebooks::Model, Problem> {
        let found = rulebooks::Entity::find_by_id(rulebook_id).one(self.latest()).await?;
        found.ok_or_else(|| Problem::not_found("such rulebook"))
    }

    /// Returns the rows of a revision.
    ///
    /// # Errors
    /// 404 if the revision does not exist, 5xx if the database fails.
    pub async fn rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<RowSet>, Problem> {
        self.current
            .rows(rulebook_id, revision)
            .await
            .map_err(|error| match error {
                LoadError::Unknown(number) => Problem::not_found(format!("revision {number}")),
                error => unloadable(error),
            })
    }

    /// Returns the rows at the head of a rulebook that the API caller may see, even if the rows do not compile.
    ///
    /// # Errors
    /// 404 if the rulebook does not exist for this API caller, 5xx if the database fails.
    pub async fn head_rows(&self, caller: &Caller, code: &str) -> Result<HeadRows, Problem> {
        let found = self.current.head_rows(code).await.map_err(unloadable)?;
        found
            .filter(|head_rows| caller.sees(head_rows.rulebook_id))
            .ok_or_else(|| no_rulebook(code))
    }

    /// Returns the id of a rulebook that the API caller may see.
    ///
    /// # Errors
    /// 404 if the rulebook does not exist for this API caller, 5xx if the database fails.
    pub async fn find(&self, caller: &Caller, code: &str) -> Result<Uuid, Problem> {
        let found = self.current.find(code).await?;
        found
            .map(|(id, _)| id)
            .filter(|id| caller.sees(*id))
            .ok_or_else(|| no_rulebook(code))
    }

    /// Returns a revision of a loaded rulebook, or the head if `revision` is `None`.
    ///
    /// # Errors
    /// 404 if there is no such revision, 5xx if the database fails.
    pub async fn at(&self, loaded: &LoadedRulebook, revision: Option<i64>) -> Result<Arc<Rulebook>, Problem> {
        let Some(number) = revision else {
            return Ok(Arc::clone(&loaded.rulebook));
        };
        let found = self.current.at_for_people(loaded.rulebook_id, number).await;
        found.map_err(|error| match error {
            LoadError::Unknown(number) => Problem::not_found(format!("revision {number}")),
            error => unloadable(error),
        })
    }

    /// Runs slow work for a rulebook on separate threads, so that it does not block the threads of the handlers. The
    /// work ends if the client disconnects.
    ///
    /// # Errors
    /// 429 if too much work of this rulebook is queued, 503 if the threads are busy.
    pub async fn study<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.current.pools().study(rulebook_id, work).await.map_err(busy)
    }

    /// Returns the compiled head of a rulebook that the API caller may see. Any other rulebook is reported as missing.
    ///
    /// # Errors
    /// 404 if the rulebook does not exist for this API caller, 5xx if the database fails.
    pub async fn open(&self, caller: &Caller, code: &str) -> Result<LoadedRulebook, Problem> {
        self.current
            .head(code)
            .await
            .map_err(unloadable)?
            .filter(|loaded| caller.sees(loaded.rulebook_id))
            .ok_or_else(|| no_rulebook(code))
    }
}

fn no_rulebook(code: &str) -> Problem {
    Problem::not_found(format!("rulebook `{}`", shortened(code)))
}

/// Returns the problem for work that the threads cannot accept now: 429 if the rulebook itself has too much queued,
/// else 503.
#[must_use]
pub fn busy(busy: Busy) -> Problem {
    match busy {
        Busy::Queue(_) => {
            let detail = "Too much work of this rulebook is queued (compiling, checking, trying, comparing): send fewer \
                          such requests concurrently, then retry this request.";
            Problem::new(Code::RateLimited, detail).with_retry_after(1)
        }
        Busy::Threads(_) => Problem::unavailable(&busy, 1),
    }
}

/// Returns the problem for a rulebook that cannot be loaded. Too much work gives the problem of [`busy`], an
/// unavailable database 503, and any other cause 500.
#[must_use]
pub fn unloadable(error: LoadError) -> Problem {
    match error {
        LoadError::Busy(error) => busy(error),
        LoadError::Database(error) if is_transient(&error) => Problem::unavailable(&*error, 5),
        error => Problem::internal(&error),
    }
}

/// Shortens a name from a request, so that an error can repeat it.
#[must_use]
pub fn shortened(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The code of a rulebook from the path. The paths of resources name this parameter `:rulebook`.
pub struct RulebookInPath(pub String);

impl<'a> ApiExtractor<'a> for RulebookInPath {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(String::schema_ref().merge(MetaSchema {
            example: Some("default".into()),
            ..MetaSchema::ANY
        }))
    }

    fn param_raw_type(&self) -> Option<&String> {
        Some(&self.0)
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        // If the code is the last segment of the path, poem-openapi names the parameter by its number.
        let named = request
            .raw_path_param("rulebook")
            .or_else(|| request.raw_path_param("param0"));
        Ok(Self(named.unwrap_or_default().to_owned()))
    }
}
