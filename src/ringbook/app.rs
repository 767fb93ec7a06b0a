//! The composition root: builds an [`App`] from the settings. The app has open pools and a migrated schema. [`routes`]
//! lists all URLs, and [`App::serve`] serves them until the server is stopped.

mod checks;
mod routes;
mod without_database;
mod workers;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::checks::{database_file_check, fallback_report, outbox_check, rulebook_check, with_replica_check};
pub use self::routes::{Pages, routes};
use self::without_database::{DatabaseAtStart, MakeReady, open_spool};
use self::workers::start_workers;
use crate::accounts::{accounts, vapi_keys};
use crate::first_start;
use crate::first_start::BootstrapError;
use crate::health::Checks;
use crate::settings::{PageAddress, Settings};
use crate::start_messages::NewSecrets;
use base::{
    clock::Clock,
    keys::{KeyError, SecretKey},
    telemetry::{self, metrics},
};
use intake::auth::access::{Accesses, DEFAULT_RULEBOOK};
use intake::auth::secret::Secret;
use intake::group_commit::Sharing;
use intake::message::Intake;
use intake::offline::fallback::Fallback;
use intake::offline::snapshot::Snapshots;
use intake::offline::spool::drain::Drain;
use intake::parse::facts;
use intake::reconcile::Reconciler;
use intake::record::Recorder;
use intake::reinject::Reinjector;
use intake::rule_usage::RuleHits;
use intake::vapi::{VapiClient, VapiError};
use jobs::{Erasures, Leases, Purge, Scheduler, history::queue::Backtests};
use revisions::cache::{LoadError, LoadedRulebook, RulebookCache};
use revisions::publish::Publisher;
use rules::facts::ExtractedFacts;
use sms::{Escalator, Outbox, OutboxError, OutboxSettings, operator::Operator};
use store::audit_log::AuditKey;
use store::connect::{self, ConnectError};
use store::migrate::{self, MigrateError};
use store::postgres_limits::PoolPlan;
use store::replica::Replica;
use web::body_memory::Bodies;
use web::connections::{ConnectionLimits, Connections};
use web::rate_limit::Allowance;
use web::{RateLimiter, descriptors, server};

/// How long requests and tasks may take to end at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sends may take to end at shutdown. A request to Twilio has a shorter timeout, so a shutdown never
/// interrupts a send. The outcome of an interrupted send would be unknown.
const SEND_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum time for compiling the default rulebook and making one decision, before the server serves the first
/// connection.
const WARM_UP: Duration = Duration::from_secs(2);

/// Maximum number of connections of an address that serves only pages for operators.
const PAGES_CONNECTIONS: usize = 64;

/// The server cannot start or run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database cannot be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema cannot be migrated.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The key that encrypts secrets cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The first start failed.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The database cannot be prepared: the check for a restored backup failed, or the audit chain could not be
    /// started.
    #[error("the database cannot be prepared")]
    Database(#[from] DbErr),
    /// The outbox cannot be created.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A command needs a database that a server has prepared.
    #[error("no server was ever started on this database (DATABASE_URL): run `ringbook` first")]
    NeverStarted,
    /// The Vapi client cannot be created.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {address} (RINGBOOK_LISTEN)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The server failed.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

/// The shared state of a running server. Cloning is cheap.
#[derive(Clone)]
pub struct App {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Provides the current time and new ids.
    pub clock: Clock,
    /// The pool that writes messages and edits, in transactions from [`store::begin`].
    pub db: DatabaseConnection,
    /// The pool for reads of the admin API. Its connections may lead to a replica.
    pub read: DatabaseConnection,
    /// The replica and its state, if there is a replica.
    pub replica: Replica,
    /// The pool for all other reads. Its connections always lead to the primary. Vapi messages and SMS messages must
    /// not depend on a replica.
    pub primary: DatabaseConnection,
    /// The sizes of the pools.
    pub connections: PoolPlan,
    /// Compiled rulebooks.
    pub current: RulebookCache,
    /// Publishes revisions.
    pub publisher: Publisher,
    /// The outbox of SMS messages.
    pub outbox: Outbox,
    /// Escalates P1 calls that nobody acknowledges.
    pub escalator: Escalator,
    /// Publishes scheduled change sets.
    pub scheduler: Scheduler,
    /// Grants leases, so that only one instance runs each background job.
    pub leases: Leases,
    /// Deletes expired data.
    pub purge: Purge,
    /// Ingests messages that Vapi did not post: stored messages, and reports that were fetched from Vapi.
    pub feed: Reinjector,
    /// Fetches from Vapi the reports that never arrived.
    pub reconciler: Arc<Reconciler>,
    /// The webhook settings of the rulebooks.
    pub accesses: Accesses,
    /// Records messages, with or without the database.
    pub recorder: Arc<Recorder>,
    /// Counts how often each row takes part in a decision.
    pub hits: RuleHits,
    /// Runs backtests.
    pub backtests: Backtests,
    /// Erases callers.
    pub erasures: Erasures,
    /// Encrypts stored secrets.
    pub key: SecretKey,
    /// Secrets created by this start, which are shown once.
    pub new_secrets: Arc<NewSecrets>,
    /// The rate limits for each client address.
    pub limiter: Arc<RateLimiter>,
    /// The memory limit for request bodies.
    pub bodies: Arc<Bodies>,
    /// The readiness checks.
    pub checks: Checks,
    /// Tasks that must end before the process ends. `app.tasks.spawn` starts such a task.
    pub tasks: TaskTracker,
    /// The shutdown cancels this token, and the workers then stop.
    pub stop: CancellationToken,
}

impl App {
    /// Opens the database, migrates its schema and builds the shared state.
    ///
    /// # Errors
    /// If the database cannot be opened, or a newer program has migrated it.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, AppError> {
        install_tls_provider();
        metrics::install();
        let reached = DatabaseAtStart::by(migrate::up(&settings.database).await)?;
        let key = first_start::secret_key(&settings)?;
        let spool = open_spool(&settings, &key).await;
        let connections = reached.connect(&settings).await?;
        let (read, primary) = (connections.for_people(), connections.read.clone());
        let db = connections.write.clone();
        let checks = Checks::of_database(&db, &primary).with_migrations(&primary);
        let limiter = RateLimiter::new(settings.rate_limit_enabled, Allowance::default());
        let current = RulebookCache::new(connections.replica.clone(), primary.clone());
        let audit = AuditKey::new(&key.of_audit_chain());
        let publisher = Publisher::new(db.clone(), current.clone(), clock.clone(), audit.clone());
        let accesses = Accesses::new(db.clone(), key.clone(), webhook_secret(&settings));
        let snapshots = Snapshots::new(current.clone(), accesses.clone(), spool.clone());
        let settings = Arc::new(settings);
        let ready = MakeReady {
            settings: Arc::clone(&settings),
            db: db.clone(),
            publisher: publisher.clone(),
            key: key.clone(),
            clock: clock.clone(),
            audit: audit.clone(),
        };
        let (gate, new_secrets) = ready.gate(reached, &connections, &snapshots).await?;
        let accounts = accounts(&settings, primary.clone(), key.clone());
        let outbox = Outbox::new(db.clone(), clock.clone(), accounts, outbox_settings(&settings))?;
        let escalator = Escalator::new(db.clone(), current.clone(), clock.clone(), outbox.clone());
        let checks = checks
            .with("rulebook", rulebook_check(&current))
            .with_vital("database_file", database_file_check(&settings))
            .with("outbox", outbox_check(&primary, &clock))
            .with_fallback(fallback_report(&spool, &snapshots, &clock));
        let checks = with_replica_check(checks, &connections.replica);
        let scheduler = Scheduler::new(db.clone(), publisher.clone(), clock.clone());
        let leases = Leases::new(db.clone(), clock.clone());
        let hits = RuleHits::default();
        let feed = Reinjector {
            accesses: accesses.clone(),
            intake: Intake {
                db: db.clone(),
                current: current.clone(),
                outbox: outbox.clone(),
                clock: clock.clone(),
                hits: hits.clone(),
            },
        };
        let vapi = VapiClient::new(&settings.vapi_base_url)?;
        let reconciler = Reconciler::new(feed.clone(), vapi, vapi_keys(&settings, primary.clone(), key.clone()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let backtests = Backtests::new(
            db.clone(),
            read.clone(),
            clock.clone(),
            Arc::new(facts::read_body),
            tasks.clone(),
            stop.clone(),
        );
        let intake = feed.intake.clone();
        let recorder = Recorder {
            drain: Drain::new(spool.clone(), intake.clone(), gate.clone(), tasks.clone()),
            fallback: Fallback { spool, snapshots },
            intake,
            gate,
            sharing: Sharing::new(&settings.database, tasks.clone()),
            tasks: tasks.clone(),
        };
        Ok(Self {
            connections: connections.plan,
            scheduler,
            escalator,
            leases,
            purge: Purge::new(db.clone(), clock.clone()),
            feed,
            reconciler: Arc::new(reconciler),
            current,
            publisher,
            outbox,
            accesses,
            hits,
            recorder: Arc::new(recorder),
            backtests,
            erasures: Erasures::new(db.clone(), primary.clone(), clock.clone(), audit),
            key,
            new_secrets: Arc::new(new_secrets),
            settings,
            clock,
            db,
            read,
            replica: connections.replica,
            primary,
            limiter: Arc::new(limiter),
            bodies: Arc::default(),
            checks,
            tasks,
            stop,
        })
    }

    /// Starts an app for a command, like [`App::start`] for a server. A server must have completed a first start
    /// before. Otherwise the command would create keys that nobody sees.
    ///
    /// # Errors
    /// The errors of [`App::start`], and [`AppError::NeverStarted`] if no server was ever started on the database.
    pub async fn start_existing(settings: Settings, clock: Clock) -> Result<Self, AppError> {
        migrate::up(&settings.database).await?;
        let db = connect::open(&settings.database, None).await?;
        let started = first_start::is_started(&settings, &db.read).await;
        for pool in [db.write, db.read] {
            pool.close().await?;
        }
        if started? {
            Self::start(settings, clock).await
        } else {
            Err(AppError::NeverStarted)
        }
    }

    /// Writes the last rule hits and closes the pools, at the end of a command.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        if let Err(error) = self.hits.flush(&self.db, self.clock.now()).await {
            let cause = telemetry::chain(&error);
            tracing::warn!(cause, "the last rule hits could not be written");
        }
        for db in [self.db, self.read] {
            if let Err(error) = db.close().await {
                tracing::warn!(%error, "a database pool did not close");
            }
        }
    }

    /// Listens on the address in the settings.
    ///
    /// # Errors
    /// If the address is in use, or does not belong to this machine.
    pub async fn listen(&self) -> Result<TcpListener, AppError> {
        listen(self.settings.listen).await
    }

    /// Returns the separate addresses of the documentation and the metrics, if the settings contain such addresses.
    fn addresses_of_pages(&self) -> BTreeSet<SocketAddr> {
        let places = [self.settings.docs, self.settings.metrics].into_iter();
        let addresses = places.filter_map(|place| match place {
            PageAddress::At(address) => Some(address),
            _ => None,
        });
        addresses.collect()
    }

    /// Returns the connection limits from the settings, reduced if the process may not open enough files.
    fn connection_limits(&self) -> ConnectionLimits {
        let limit = descriptors::raise_limit();
        let room = descriptors::room_for_clients(limit, self.settings.database_connections);
        let wanted = self.settings.max_connections;
        if room < wanted {
            tracing::warn!(
                limit,
                room,
                "the limit of open files leaves room for fewer connections than RINGBOOK_MAX_CONNECTIONS"
            );
        }
        ConnectionLimits::of_total(wanted.min(room))
    }

    /// Compiles the default rulebook and makes one decision, so that the first message does not wait for the
    /// compilation. This takes at most two seconds.
    pub async fn warm_up(&self) {
        let decided = async {
            let head = self.current.head(DEFAULT_RULEBOOK).await?;
            let Some(LoadedRulebook { rulebook_id, rulebook }) = head else {
                return Ok(());
            };
            self.current.set_head(rulebook_id, &rulebook).await;
            let now = self.clock.now();
            let decide = move || drop(rulebook.decide(&ExtractedFacts::default(), now));
            self.current.pools().run_scripts(rulebook_id, decide).await?;
            Ok::<_, LoadError>(())
        };
        match tokio::time::timeout(WARM_UP, decided).await {
            Ok(Ok(())) => {}
            // The readiness check and the first message will report the error.
            Ok(Err(error)) => tracing::debug!(%error, "the default rulebook is not ready before the first message"),
            Err(_) => tracing::debug!("the default rulebook is not ready yet"),
        }
    }

    /// Starts a task that a shutdown waits for.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // All tasks have one type, because the compiler builds tokio's task code once for each type.
        let work: BoxFuture<'static, ()> = Box::pin(work);
        self.tasks.spawn(work);
    }

    /// Serves until `stop` resolves. Then the server waits for requests and tasks to end, and closes
    /// the database.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let proxies = &self.settings.trusted_proxies;
        let closing = CancellationToken::new();
        let _close = closing.clone().drop_guard();
        for address in self.addresses_of_pages() {
            let pages = routes(&self, Pages::at(&self.settings, address));
            let (listener, closing) = (listen(address).await?, closing.clone());
            // These addresses have a separate limit, so clients of the main address cannot use up their connections.
            let connections = Connections::new(ConnectionLimits::of_total(PAGES_CONNECTIONS), proxies.clone());
            let served = server::serve(
                listener,
                pages,
                connections,
                closing.cancelled_owned(),
                SHUTDOWN_TIMEOUT,
            );
            self.spawn(async move {
                if let Err(error) = served.await {
                    tracing::error!(%error, %address, "the pages at this address are no longer served");
                }
            });
        }
        start_workers(&self);
        let connections = Connections::new(self.connection_limits(), proxies.clone());
        let everything = routes(&self, Pages::public(&self.settings));
        let outcome = server::serve(listener, everything, connections, stop, SHUTDOWN_TIMEOUT).await;
        closing.cancel();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(SEND_SHUTDOWN_TIMEOUT, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                tasks = self.tasks.len(),
                "stopping before all work has ended; the work continues after the next start"
            );
        }
        // All messages are recorded now, so this call writes the rule hits of all messages.
        let counted = self.hits.flush(&self.db, self.clock.now());
        if !matches!(tokio::time::timeout(SHUTDOWN_TIMEOUT, counted).await, Ok(Ok(()))) {
            tracing::warn!("the last rule hits could not be written");
        }
        self.recorder.fallback.spool.close().await;
        for db in [self.recorder.gate.db(), self.db, self.read] {
            // Do not wait for a connection that hangs.
            match tokio::time::timeout(SHUTDOWN_TIMEOUT, db.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a database pool did not close"),
                Err(_) => tracing::warn!("a database pool did not close in time"),
            }
        }
        outcome.map_err(AppError::Serve)
    }
}

/// Listens on an address.
///
/// # Errors
/// If the address is in use, or does not belong to this machine.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Listen { address, source })
}

/// Returns `RINGBOOK_VAPI_SECRET`. The default rulebook accepts this secret in addition to its stored secrets.
fn webhook_secret(settings: &Settings) -> Option<Secret> {
    let secret = settings.vapi_secret.as_ref();
    secret.map(|secret| Secret::new("RINGBOOK_VAPI_SECRET", secret.expose().as_bytes()))
}

fn outbox_settings(settings: &Settings) -> OutboxSettings {
    OutboxSettings {
        twilio_base_url: settings.twilio_base_url.clone(),
        public_url: settings.public_url.clone(),
        operator: settings.operator_number.clone().map(|number| Operator {
            rulebook: DEFAULT_RULEBOOK,
            number,
        }),
        ..OutboxSettings::default()
    }
}

/// Installs the TLS provider of the process; a second call has no effect.
fn install_tls_provider() {
    // This fails if a provider is already installed, for example in tests that start several servers.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
