//! The composition root: what exists in a running server, and which address leads where.
//!
//! In: the settings and a clock. Out: an [`App`] with its pools open and its schema current, whose [`routes`] are the
//! whole map of addresses on one page, served by [`App::serve`] until it is told to stop.

mod checks;
mod routes;
mod without_database;
mod workers;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use sea_orm::{DatabaseConnection, DbErr};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::checks::{database_file_check, outbox_check, refuge_report, rulebook_check, with_replica_check};
pub use self::routes::{Pages, routes};
use self::without_database::{MakeReady, Reached, open_spool};
use self::workers::start_workers;
use crate::{
    accounts::{accounts, vapi_keys},
    bootstrap::{self, BootstrapError},
    first_start::NewSecrets,
    health::Checks,
    settings::{Place, Settings},
};
use base::{
    clock::Clock,
    keys::{KeyError, SecretKey},
    telemetry::{self, metrics},
};
use intake::{
    access::{Accesses, DEFAULT_RULEBOOK},
    degraded::Refuge,
    facts,
    feed::Feed,
    hits::RuleHits,
    last_good::LastGood,
    message::Intake,
    reconcile::Reconciler,
    secret::Secret,
    share::Sharing,
    spool::drain::Drain,
    take_in::TakeIn,
    vapi::{VapiClient, VapiError},
};
use jobs::{Leases, Purge, Scheduler, history::queue::Backtests};
use revisions::{
    current::{Current, LoadError, Loaded},
    publish::Publisher,
};
use rules::facts::Extracted;
use sms::{Escalator, Outbox, OutboxError, OutboxSettings, operator::Operator};
use store::{
    audit_log::AuditKey,
    connect::{self, ConnectError},
    migrate::{self, MigrateError},
    replica::Replica,
    server::PoolPlan,
};
use web::{
    RateLimiter,
    bodies::Bodies,
    connections::{Connections, Limits},
    descriptors,
    rate_limit::Allowance,
    server,
};

/// How long requests and tasks may take to end once the server is told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(5);
/// How long the worker's sends may take to end: longer than a request to Twilio may, so that none is left of which nobody
/// knows whether it was sent.
const LAST_SENDS: Duration = Duration::from_secs(20);

/// How long the server waits before its first connection until the default rulebook is compiled and has decided once.
const WARM_UP: Duration = Duration::from_secs(2);

/// How many connections an address has that only has pages for operators.
const PAGES_CONNECTIONS: usize = 64;

/// The server cannot start or run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database cannot be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The key that seals secrets cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What a first start makes could not be made.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The database does not do what a start needs: look where the outbox is, begin the audit chain.
    #[error("the database cannot be made ready")]
    Database(#[from] DbErr),
    /// The outbox cannot work.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A command was given a database that no server has prepared.
    #[error("no server was ever started on this database (DATABASE_URL): run `ringbook` first")]
    NeverStarted,
    /// Vapi cannot be asked.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address} (RINGBOOK_LISTEN)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server broke.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

/// What a running server shares. Cloning is cheap.
#[derive(Clone)]
pub struct App {
    /// How it was set up.
    pub settings: Arc<Settings>,
    /// The time, and new ids.
    pub clock: Clock,
    /// For messages and edits, inside transactions from [`store::begin`].
    pub db: DatabaseConnection,
    /// For the reads of the admin API: maybe a replica.
    pub read: DatabaseConnection,
    /// The same replica, while it can be used.
    pub replica: Replica,
    /// For all else that only reads: messages and texts must not hang on a replica.
    pub primary: DatabaseConnection,
    /// How the pools were opened.
    pub connections: PoolPlan,
    /// Compiled rulebooks.
    pub current: Current,
    /// Makes revisions.
    pub publisher: Publisher,
    /// Texts on their way.
    pub outbox: Outbox,
    /// Hands on what nobody takes.
    pub escalator: Escalator,
    /// Publishes what was scheduled.
    pub scheduler: Scheduler,
    /// Of all instances, one does a piece of background work.
    pub leases: Leases,
    /// Takes out what need not be kept any longer.
    pub purge: Purge,
    /// Takes in messages that nobody posts.
    pub feed: Feed,
    /// Asks Vapi for calls of which no report came.
    pub reconciler: Arc<Reconciler>,
    /// Who may speak for which rulebook.
    pub accesses: Accesses,
    /// Takes messages in, with the database or without.
    pub take_in: Arc<TakeIn>,
    /// How often each row of a rulebook takes part in a decision.
    pub hits: RuleHits,
    /// Runs backtests.
    pub backtests: Backtests,
    /// Seals stored secrets.
    pub key: SecretKey,
    /// Secrets that this start made, to be shown this once.
    pub new_secrets: Arc<NewSecrets>,
    /// What one address may send.
    pub limiter: Arc<RateLimiter>,
    /// The memory for bodies.
    pub bodies: Arc<Bodies>,
    /// What must hold before traffic is welcome.
    pub checks: Checks,
    /// Every task that must end before the process does: spawn with `app.tasks.spawn`.
    pub tasks: TaskTracker,
    /// Cancelled when the server is told to stop; workers watch it.
    pub stop: CancellationToken,
}

impl App {
    /// Opens the database, brings its schema up to date and builds what is shared.
    ///
    /// # Errors
    /// When the database cannot be opened or belongs to a newer program.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, AppError> {
        install_tls_provider();
        metrics::install();
        let reached = Reached::by(migrate::up(&settings.database).await)?;
        let key = bootstrap::secret_key(&settings)?;
        let spool = open_spool(&settings, &key).await;
        let connections = reached.connect(&settings).await?;
        let (read, primary) = (connections.for_people(), connections.read.clone());
        let db = connections.write.clone();
        let checks = Checks::of_database(&db, &primary).with_migrations(&primary);
        let limiter = RateLimiter::new(settings.rate_limit_enabled, Allowance::default());
        let current = Current::new(connections.replica.clone(), primary.clone());
        let audit = AuditKey::new(&key.of_audit_chain());
        let publisher = Publisher::new(db.clone(), current.clone(), clock.clone(), audit.clone());
        let accesses = Accesses::new(db.clone(), key.clone(), webhook_secret(&settings));
        let last_good = LastGood::new(current.clone(), accesses.clone(), spool.clone());
        let settings = Arc::new(settings);
        let ready = MakeReady {
            settings: Arc::clone(&settings),
            db: db.clone(),
            publisher: publisher.clone(),
            key: key.clone(),
            clock: clock.clone(),
            audit,
        };
        let (lane, new_secrets) = ready.lane(reached, &connections, &last_good).await?;
        let accounts = accounts(&settings, primary.clone(), key.clone());
        let outbox = Outbox::new(db.clone(), clock.clone(), accounts, outbox_settings(&settings))?;
        let escalator = Escalator::new(db.clone(), current.clone(), clock.clone(), outbox.clone());
        let checks = checks
            .with("rulebook", rulebook_check(&current))
            .with_vital("database_file", database_file_check(&settings))
            .with("outbox", outbox_check(&primary, &clock))
            .with_refuge(refuge_report(&spool, &last_good, &clock));
        let checks = with_replica_check(checks, &connections.replica);
        let scheduler = Scheduler::new(db.clone(), publisher.clone(), clock.clone());
        let leases = Leases::new(db.clone(), clock.clone());
        let hits = RuleHits::default();
        let feed = Feed {
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
        let take_in = TakeIn {
            drain: Drain::new(spool.clone(), intake.clone(), lane.clone(), tasks.clone()),
            refuge: Refuge { spool, last_good },
            intake,
            lane,
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
            take_in: Arc::new(take_in),
            backtests,
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

    /// The same for a command, which must find what a first start has made: it would make keys that nobody gets to see.
    ///
    /// # Errors
    /// As [`App::start`], and when the database was never started on.
    pub async fn over_what_is(settings: Settings, clock: Clock) -> Result<Self, AppError> {
        migrate::up(&settings.database).await?;
        let db = connect::open(&settings.database, None).await?;
        let started = bootstrap::is_started(&settings, &db.read).await;
        for pool in [db.write, db.read] {
            pool.close().await?;
        }
        if started? {
            Self::start(settings, clock).await
        } else {
            Err(AppError::NeverStarted)
        }
    }

    /// Closes what a command has opened.
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

    /// Takes the address from the settings.
    ///
    /// # Errors
    /// When it is taken or not ours.
    pub async fn listen(&self) -> Result<TcpListener, AppError> {
        listen(self.settings.listen).await
    }

    /// Where pages are served that are not at the usual address.
    fn addresses_of_pages(&self) -> BTreeSet<SocketAddr> {
        let places = [self.settings.docs, self.settings.metrics].into_iter();
        let addresses = places.filter_map(|place| match place {
            Place::At(address) => Some(address),
            _ => None,
        });
        addresses.collect()
    }

    /// As many connections as are set, and no more than the limit of open files leaves beside everything else.
    fn connection_limits(&self) -> Limits {
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
        Limits::of_total(wanted.min(room))
    }

    /// Compiles the default rulebook and decides once, so that the first message does not wait for it. Takes two seconds at
    /// most.
    pub async fn warm_up(&self) {
        let decided = async {
            let head = self.current.head(DEFAULT_RULEBOOK).await?;
            let Some(Loaded { rulebook_id, rulebook }) = head else {
                return Ok(());
            };
            self.current.saw(rulebook_id, &rulebook).await;
            let now = self.clock.now();
            let decide = move || drop(rulebook.decide(&Extracted::default(), now));
            self.current.pools().run_scripts(rulebook_id, decide).await?;
            Ok::<_, LoadError>(())
        };
        match tokio::time::timeout(WARM_UP, decided).await {
            Ok(Ok(())) => {}
            // What is wrong shows in the readiness, and in the first message's decision.
            Ok(Err(error)) => tracing::debug!(%error, "the default rulebook is not ready before the first message"),
            Err(_) => tracing::debug!("the default rulebook takes long to be ready"),
        }
    }

    /// Serves until `stop` resolves, then lets requests and tasks end and closes the database.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let proxies = &self.settings.trusted_proxies;
        let closing = CancellationToken::new();
        let _close = closing.clone().drop_guard();
        for address in self.addresses_of_pages() {
            let pages = routes(&self, Pages::at(&self.settings, address));
            let (listener, closing) = (listen(address).await?, closing.clone());
            // Places of their own, which strangers elsewhere cannot take.
            let connections = Connections::new(Limits::of_total(PAGES_CONNECTIONS), proxies.clone());
            let served = server::serve(listener, pages, connections, closing.cancelled_owned(), LAST_ORDERS);
            self.tasks.spawn(async move {
                if let Err(error) = served.await {
                    tracing::error!(%error, %address, "the pages at this address are no longer served");
                }
            });
        }
        start_workers(&self);
        let connections = Connections::new(self.connection_limits(), proxies.clone());
        let everything = routes(&self, Pages::public(&self.settings));
        let outcome = server::serve(listener, everything, connections, stop, LAST_ORDERS).await;
        closing.cancel();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_SENDS, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                "stopping while some work has not ended; it is taken up again"
            );
        }
        // When the last message has been taken in.
        let counted = self.hits.flush(&self.db, self.clock.now());
        if !matches!(tokio::time::timeout(LAST_ORDERS, counted).await, Ok(Ok(()))) {
            tracing::warn!("the last rule hits could not be written");
        }
        self.take_in.refuge.spool.close().await;
        for db in [self.take_in.lane.db(), self.db, self.read] {
            // A connection that hangs is not waited for.
            match tokio::time::timeout(LAST_ORDERS, db.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a database pool did not close"),
                Err(_) => tracing::warn!("a database pool did not close in time"),
            }
        }
        outcome.map_err(AppError::Serve)
    }
}

/// Takes an address.
///
/// # Errors
/// When it is taken or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Listen { address, source })
}

/// `RINGBOOK_VAPI_SECRET`, which the default rulebook accepts beside the stored ones.
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

/// One TLS provider for the whole process; a second call changes nothing.
fn install_tls_provider() {
    // An error means that it is installed already, as in tests that start several servers.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
