//! What the admin API works with, and how a rulebook in a path is opened.

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

use super::at_once::AtOnce;
use super::auth::Caller;
use super::last_use::LastUse;
use super::setup_checks::SetupChecks;
use super::watched::Watched;
use base::clock::Clock;
use base::keys::SecretKey;
use jobs::history::queue::Backtests;
use revisions::current::{Current, LoadError, Loaded, Standing};
use revisions::publish::Publisher;
use rules::decision::Decision;
use rules::facts::Extracted;
use rules::fair_pool::Busy;
use rules::rows::{Contact, RowSet};
use rules::{Rulebook, sample};
use store::audit_log::AuditKey;
use store::replica::Replica;
use store::rulebooks;
use store::webhook_events;
use web::guesses::Guesses;
use web::problem::database::is_transient;
use web::problem::{Code, Problem};

/// Reads the facts of a whole Vapi message, exactly as the webhook does, and the instant it is about; none when it is no
/// message. Handed in, because `admin` and `webhook` do not know each other.
pub type ReadMessage = Arc<dyn Fn(&Rulebook, &Value) -> Option<(Extracted, Option<DateTime<Utc>>)> + Send + Sync>;

/// Reads a rulebook's webhook settings strictly and gives them back with each default spelt out, or tells every fault.
pub type ReadAuth = Arc<dyn Fn(Value) -> Result<Value, Problem> + Send + Sync>;

/// Takes a stored message in again and says in a word what became of it: `recorded`, `duplicate`, `amendment`,
/// `unreadable`, `poisoned`, `erased` or `archived`.
pub type TakeAgain =
    Arc<dyn Fn(String, webhook_events::Model) -> BoxFuture<'static, Result<&'static str, Problem>> + Send + Sync>;

/// The text of an SMS message to a contact about a decision, exactly as it would be sent; none where there is no such template.
pub type WordSms = Arc<dyn Fn(&Rulebook, &str, &Contact, &Decision, &Extracted) -> Option<String> + Send + Sync>;

/// What only the webhook knows.
#[derive(Clone)]
pub struct FromWebhook {
    /// How a message's facts are read.
    pub read_message: ReadMessage,
    /// How webhook settings are read.
    pub read_auth: ReadAuth,
    /// How a stored message is taken in again.
    pub take_again: TakeAgain,
    /// How an SMS message is worded.
    pub word_sms: WordSms,
}

/// Everything the operations need; cloning is cheap.
#[derive(Clone)]
pub struct AdminState {
    /// Where writes go.
    pub db: DatabaseConnection,
    /// Where what is committed is read.
    pub primary: DatabaseConnection,
    /// Where lists are read instead, while it can be used.
    pub replica: Replica,
    /// Publishes changes of rules.
    pub publisher: Arc<Publisher>,
    /// Finds compiled rulebooks.
    pub current: Arc<Current>,
    /// The time and new ids.
    pub clock: Clock,
    /// The rows of the sample business, with which a new rulebook may begin.
    pub sample: Arc<RowSet>,
    /// The key that seals secrets.
    pub key: SecretKey,
    /// The key of the audit chain.
    pub audit: AuditKey,
    /// What only the webhook knows.
    pub from_webhook: FromWebhook,
    /// Checks the set-up.
    pub setup: SetupChecks,
    /// Runs backtests.
    pub backtests: Backtests,
    /// Who sent wrong keys.
    pub guesses: Arc<Guesses>,
    pub(super) at_once: AtOnce,
    pub(super) last_use: LastUse,
    /// The streams of events that are open, by key.
    pub(super) streams: AtOnce,
    pub(super) watched: Watched,
}

impl AdminState {
    /// Puts the parts together: `db` for writes, `primary` for reads, and `replica` for lists where there is one.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "the parts, each named once")]
    pub fn new(
        db: DatabaseConnection,
        primary: DatabaseConnection,
        replica: Replica,
        publisher: Arc<Publisher>,
        current: Arc<Current>,
        clock: Clock,
        key: SecretKey,
        from_webhook: FromWebhook,
        setup: SetupChecks,
        backtests: Backtests,
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
            guesses: Arc::new(guesses),
            at_once: AtOnce::default(),
            last_use: LastUse::default(),
            streams: AtOnce::default(),
            watched: Watched::default(),
        }
    }

    /// Where what was just written is already seen: not a replica. SQLite's readers see every commit, and its one
    /// writer is better left alone.
    #[must_use]
    pub fn latest(&self) -> &DatabaseConnection {
        match self.db.get_database_backend() {
            DbBackend::Sqlite => &self.primary,
            _ => &self.db,
        }
    }

    /// Where lists are read.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        self.replica.usable().unwrap_or(&self.primary)
    }

    /// A rulebook as it is in the primary.
    ///
    /// # Errors
    /// 404 when it is gone.
    pub async fn rulebook_row(&self, rulebook_id: Uuid) -> Result<rulebooks::Model, Problem> {
        let found = rulebooks::Entity::find_by_id(rulebook_id).one(self.latest()).await?;
        found.ok_or_else(|| Problem::not_found("such rulebook"))
    }

    /// The rows of a revision.
    ///
    /// # Errors
    /// 404 when there is none, 5xx when the database fails.
    pub async fn rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<RowSet>, Problem> {
        self.current
            .rows(rulebook_id, revision)
            .await
            .map_err(|error| match error {
                LoadError::Unknown(number) => Problem::not_found(format!("revision {number}")),
                error => unloadable(error),
            })
    }

    /// The rows of a rulebook at its head, whether they compile or not, as far as the caller may see it.
    ///
    /// # Errors
    /// 404 when there is none for this caller, 5xx when the database fails.
    pub async fn standing(&self, caller: &Caller, code: &str) -> Result<Standing, Problem> {
        let found = self.current.standing(code).await.map_err(unloadable)?;
        found
            .filter(|standing| caller.sees(standing.rulebook_id))
            .ok_or_else(|| no_rulebook(code))
    }

    /// The id of a rulebook, as far as the caller may see it.
    ///
    /// # Errors
    /// 404 when there is none for this caller, 5xx when the database fails.
    pub async fn find(&self, caller: &Caller, code: &str) -> Result<Uuid, Problem> {
        let found = self.current.find(code).await?;
        found
            .map(|(id, _)| id)
            .filter(|id| caller.sees(*id))
            .ok_or_else(|| no_rulebook(code))
    }

    /// A revision of a rulebook that was opened; without a number its head.
    ///
    /// # Errors
    /// 404 when there is no such revision, 5xx when the database fails.
    pub async fn at(&self, loaded: &Loaded, revision: Option<i64>) -> Result<Arc<Rulebook>, Problem> {
        let Some(number) = revision else {
            return Ok(Arc::clone(&loaded.rulebook));
        };
        let found = self.current.at_for_people(loaded.rulebook_id, number).await;
        found.map_err(|error| match error {
            LoadError::Unknown(number) => Problem::not_found(format!("revision {number}")),
            error => unloadable(error),
        })
    }

    /// Does work about a rulebook that takes its time, which a handler's thread has not; it ends when the client goes.
    ///
    /// # Errors
    /// 429 when too much of the rulebook waits already, 503 when the threads are busy.
    pub async fn study<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.current.pools().study(rulebook_id, work).await.map_err(busy)
    }

    /// The head of a rulebook, as far as the caller may see it: another's is not there.
    ///
    /// # Errors
    /// 404 when there is none for this caller, 5xx when the database fails.
    pub async fn open(&self, caller: &Caller, code: &str) -> Result<Loaded, Problem> {
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

/// Work that the threads for it cannot do now: 429 where the rulebook itself has too much of it, else 503.
#[must_use]
pub fn busy(busy: Busy) -> Problem {
    match busy {
        Busy::Queue(_) => {
            let detail = "Too much work for this rulebook waits already (compiling, checking, trying, comparing): send \
                          fewer such requests at once, and this one again.";
            Problem::new(Code::RateLimited, detail).with_retry_after(1)
        }
        Busy::Threads(_) => Problem::unavailable(&busy, 1),
    }
}

/// A rulebook that cannot be loaded is ours to mend, unless only the database is away or the machine has too much to do.
#[must_use]
pub fn unloadable(error: LoadError) -> Problem {
    match error {
        LoadError::Busy(error) => busy(error),
        LoadError::Database(error) if is_transient(&error) => Problem::unavailable(&*error, 5),
        error => Problem::internal(&error),
    }
}

/// A name from a request, short enough to be repeated in an error.
#[must_use]
pub fn shortened(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The code of a rulebook, from the path; the resources' common prefix names it `:rulebook`.
pub struct InRulebook(pub String);

impl<'a> ApiExtractor<'a> for InRulebook {
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
        // Where it ends the path, poem-openapi names it by its number.
        let named = request
            .raw_path_param("rulebook")
            .or_else(|| request.raw_path_param("param0"));
        Ok(Self(named.unwrap_or_default().to_owned()))
    }
}
