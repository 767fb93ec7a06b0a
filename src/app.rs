//! The composition root: what exists in a running server, and which address leads where.
//!
//! In: the settings and a clock. Out: an [`App`] with its pools open and its schema current, whose [`routes`] are the
//! whole map of addresses on one page, served by [`App::serve`] until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Response, Route, Server, listener::TcpAcceptor, post};
use sea_orm::{DatabaseConnection, DbErr};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accounts::{accounts, vapi_keys},
    admin::{self, AdminState, FromWebhook, TakeAgain},
    audit,
    bootstrap::{self, BootstrapError},
    callbacks::{
        Callbacks,
        inbound::{receive_inbound, receive_inbound_for},
        status::receive_status,
    },
    clock::Clock,
    edge::{self, AllowedMethods, RateLimiter, cors::Cors, rate_limit::Allowance},
    first_start::NewSecrets,
    health::{self, Checks, Pools},
    history::jobs::Backtests,
    jobs::{Leases, Purge, Scheduler, periodic, purge},
    keys::{KeyError, SecretKey},
    outbox::{Escalator, Outbox, OutboxError, OutboxSettings, operator::Operator},
    problem::{FieldFault, Problem},
    rulebook::{current::Current, publish::Publisher, quarantine},
    settings::{Settings, Worker},
    store::{
        audit_log::AuditKey,
        connect::{self, ConnectError, Connections},
        migrate::{self, MigrateError},
        notices, restored, sms_messages,
    },
    telemetry::{self, metrics},
    vapi::{VapiClient, VapiError},
    webhook::{
        access::{Accesses, DEFAULT_RULEBOOK},
        auth_settings,
        degraded::Refuge,
        facts,
        feed::Feed,
        hits::RuleHits,
        lane::{Lane, Prepare},
        last_good::LastGood,
        receive::{Webhook, receive_default, receive_for},
        reconcile::{Ask, Reconciler},
        scheme::WebhookAuth,
        secret::Secret,
        spool::{Spool, drain::Drain},
        take_in::TakeIn,
        transact::Intake,
    },
};

/// How long requests and tasks may take to end once the server is told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(5);
/// How long the worker's sends may take to end: longer than a request to Twilio may, so that none is left of which nobody
/// knows whether it was sent.
const LAST_SENDS: Duration = Duration::from_secs(20);
/// How long a connection may say nothing: one that only holds its place is closed.
const IDLE: Duration = Duration::from_secs(75);
/// A text that is due for longer than this is a sign that nobody sends.
const OUTBOX_TOO_OLD: TimeDelta = TimeDelta::minutes(10);
/// When to try again, for a stored message that could not be taken in.
const RETRY_AFTER_S: u32 = 2;
/// How often the small chores are done.
const CHORES: Duration = Duration::from_secs(5);

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
    /// For messages and edits, inside transactions from [`crate::store::begin`].
    pub db: DatabaseConnection,
    /// For what only reads.
    pub read: DatabaseConnection,
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
    /// What one address may send to the webhooks.
    pub limiter: Arc<RateLimiter>,
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
        let (db, read) = (connections.write, connections.read);
        let checks = Checks::of_database(&db, &read).with_migrations(&read);
        let limiter = RateLimiter::new(settings.rate_limit_enabled, Allowance::default());
        let current = Current::new(read.clone(), db.clone());
        let audit = AuditKey::new(&key.of_audit_chain());
        let publisher = Publisher::new(db.clone(), current.clone(), clock.clone(), audit.clone());
        let accesses = Accesses::new(db.clone(), key.clone(), webhook_secret(&settings));
        let last_good = LastGood::new(current.clone(), accesses.clone(), spool.clone());
        let settings = Arc::new(settings);
        let mut new_secrets = NewSecrets::default();
        let lane = match reached {
            Reached::Yes => {
                restored::look_at_start(&db, clock.now(), || clock.new_id()).await?;
                audit::begin(&db, &audit).await?;
                new_secrets = bootstrap::first_start(&settings, &db, &publisher, &key, &clock).await?;
                Lane::new(settings.database.clone(), connections.messages)
            }
            Reached::No(error) => {
                // Only where messages can be answered without it.
                if !last_good.load().await.is_ok_and(|known| known > 0) {
                    return Err(error.into());
                }
                telemetry::log_cause("start_without_database", &error);
                tracing::error!("starting without the database: messages are answered from what is beside the spool");
                let prepare = prepare(&settings, &db, &publisher, &key, &clock, audit);
                Lane::away(settings.database.clone(), connections.messages, prepare)
            }
        };
        let accounts = accounts(&settings, read.clone(), key.clone());
        let outbox = Outbox::new(db.clone(), clock.clone(), accounts, outbox_settings(&settings))?;
        let escalator = Escalator::new(db.clone(), current.clone(), clock.clone(), outbox.clone());
        let checks = checks
            .with("rulebook", rulebook_check(&current))
            .with("outbox", outbox_check(&read, &clock))
            .with_refuge(refuge_report(&spool, &last_good, &clock));
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
        let reconciler = Reconciler::new(feed.clone(), vapi, vapi_keys(&settings, read.clone(), key.clone()));
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
            tasks: tasks.clone(),
        };
        Ok(Self {
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
            limiter: Arc::new(limiter),
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
            tracing::warn!(%error, "the last rule hits could not be written");
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

    /// Serves until `stop` resolves, then lets requests and tasks end and closes the database.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let acceptor = TcpAcceptor::from_tokio(listener).map_err(AppError::Serve)?;
        start_workers(&self);
        let server = Server::new_with_acceptor(acceptor).idle_timeout(IDLE);
        let outcome = server
            .run_with_graceful_shutdown(routes(&self), stop, Some(LAST_ORDERS))
            .await;
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

/// Whether the database was there at the start.
enum Reached {
    Yes,
    No(MigrateError),
}

impl Reached {
    /// By whether its schema could be brought up to date; an error when that is none that passes by itself.
    fn by(migrated: Result<Vec<String>, MigrateError>) -> Result<Self, MigrateError> {
        match migrated {
            Ok(_) => Ok(Self::Yes),
            Err(error @ (MigrateError::Connect(ConnectError::Open { .. }) | MigrateError::Database(_))) => {
                Ok(Self::No(error))
            }
            Err(error) => Err(error),
        }
    }

    async fn connect(&self, settings: &Settings) -> Result<Connections, ConnectError> {
        let replica = settings.read_database.as_ref();
        match self {
            Self::Yes => connect::open(&settings.database, replica).await,
            Self::No(_) => connect::open_later(&settings.database, replica).await,
        }
    }
}

/// What the start leaves to be done when the database comes back.
fn prepare(
    settings: &Arc<Settings>,
    db: &DatabaseConnection,
    publisher: &Publisher,
    key: &SecretKey,
    clock: &Clock,
    audit: AuditKey,
) -> Prepare {
    let shared = (
        Arc::clone(settings),
        db.clone(),
        publisher.clone(),
        key.clone(),
        clock.clone(),
        audit,
    );
    Arc::new(move || {
        let (settings, db, publisher, key, clock, audit) = shared.clone();
        Box::pin(async move {
            let work = async {
                migrate::up(&settings.database).await?;
                restored::look_at_start(&db, clock.now(), || clock.new_id()).await?;
                audit::begin(&db, &audit).await?;
                bootstrap::first_start(&settings, &db, &publisher, &key, &clock).await?;
                Ok::<_, AppError>(())
            };
            work.await.map_err(|error| {
                telemetry::log_cause("start_without_database", &error);
                error.to_string()
            })
        })
    })
}

fn spool_bytes(settings: &Settings) -> u64 {
    u64::from(settings.spool_size_mb) << 20
}

/// The spool, or none where it is switched off or cannot be had: the server is of use without it too.
async fn open_spool(settings: &Settings, key: &SecretKey) -> Spool {
    if settings.spool_size_mb == 0 {
        return Spool::off();
    }
    match Spool::open(&settings.spool_folder(), spool_bytes(settings), key.of_spool()).await {
        Ok(spool) => spool,
        Err(error) => {
            telemetry::log_cause("spool", &error);
            tracing::error!("there is no spool: while the database is away, messages are refused");
            Spool::off()
        }
    }
}

/// Whether messages can be answered and kept without the database, and what waits.
fn refuge_report(spool: &Spool, last_good: &LastGood, clock: &Clock) -> impl Fn() -> (bool, Option<String>) + use<> {
    let (spool, last_good, clock) = (spool.clone(), last_good.clone(), clock.clone());
    move || {
        let state = spool.state();
        let can = spool.has_room() && last_good.of(DEFAULT_RULEBOOK).is_some();
        let oldest = state.oldest.map_or(0, |at| (clock.now() - at).num_seconds());
        let mut text = Vec::new();
        if state.waiting > 0 {
            text.push(format!("{} messages wait, the oldest for {oldest} s", state.waiting));
        }
        if state.aside > 0 {
            text.push(format!("{} messages are set aside", state.aside));
        }
        if !spool.has_room() {
            text.push("there is no spool, or no room in it".to_owned());
        }
        (can, (!text.is_empty()).then(|| text.join("; ")))
    }
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

/// That the default rulebook's head can decide.
fn rulebook_check(current: &Current) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let current = current.clone();
    move || {
        let current = current.clone();
        Box::pin(async move {
            let head = current
                .head(DEFAULT_RULEBOOK)
                .await
                .map_err(|error| error.to_string())?;
            head.map(drop).ok_or_else(|| "there is no default rulebook".to_owned())
        })
    }
}

/// That no text has waited too long.
fn outbox_check(
    read: &DatabaseConnection,
    clock: &Clock,
) -> impl Fn() -> BoxFuture<'static, Result<(), String>> + use<> {
    let (read, clock) = (read.clone(), clock.clone());
    move || {
        let (read, clock) = (read.clone(), clock.clone());
        Box::pin(async move {
            let now = clock.now();
            let due = sms_messages::due_times(&read, now).await;
            let (oldest, _) = due.map_err(|_| "the outbox cannot be read".to_owned())?;
            match oldest.map(|due| now - due) {
                Some(age) if age > OUTBOX_TOO_OLD => Err(format!(
                    "a text has been due for {} s: is a worker running, is Twilio up?",
                    age.num_seconds()
                )),
                _ => Ok(()),
            }
        })
    }
}

/// Every address, on one page.
pub fn routes(app: &App) -> impl Endpoint<Output = Response> + use<> {
    if !app.settings.web {
        return around(app, Route::new(), AllowedMethods::default());
    }
    let webhook = Webhook {
        accesses: app.accesses.clone(),
        take_in: app.take_in.clone(),
        limiter: app.limiter.clone(),
        public_url: app.settings.public_url.clone(),
    };
    let callbacks = Callbacks {
        outbox: app.outbox.clone(),
        limiter: app.limiter.clone(),
        public_url: app.settings.public_url.clone(),
        default_rulebook: DEFAULT_RULEBOOK,
        tasks: app.tasks.clone(),
    };
    let state = AdminState::new(
        app.db.clone(),
        app.read.clone(),
        Arc::new(app.publisher.clone()),
        Arc::new(app.current.clone()),
        app.clock.clone(),
        app.key.clone(),
        FromWebhook {
            read_message: Arc::new(facts::read_message),
            read_auth: Arc::new(read_auth),
            take_again: take_again(&app.feed),
        },
        app.backtests.clone(),
    );
    let routes = Route::new()
        .at("/webhooks/vapi", post(receive_default).data(webhook.clone()))
        .at("/webhooks/vapi/:rulebook", post(receive_for).data(webhook))
        .at(
            "/webhooks/twilio/status/:id",
            post(receive_status).data(callbacks.clone()),
        )
        .at(
            "/webhooks/twilio/inbound",
            post(receive_inbound).data(callbacks.clone()),
        )
        .at(
            "/webhooks/twilio/inbound/:rulebook",
            post(receive_inbound_for).data(callbacks),
        )
        .nest(
            "/",
            admin::service(state)
                .into_endpoint()
                .with(Cors::new(&app.settings.cors_origins)),
        );
    let allowed = AllowedMethods::default()
        .with("/webhooks/vapi", "POST")
        .with("/webhooks/vapi/:rulebook", "POST")
        .with("/webhooks/twilio/status/:id", "POST")
        .with("/webhooks/twilio/inbound", "POST")
        .with("/webhooks/twilio/inbound/:rulebook", "POST")
        .with_document("", &admin::document());
    around(app, routes, allowed)
}

/// What every process answers, also one that does background work alone; and what stands around every route.
fn around(app: &App, routes: Route, allowed: AllowedMethods) -> impl Endpoint<Output = Response> + use<> {
    let lane = app.take_in.lane.clone();
    let pools = Pools {
        messages: Arc::new(move || lane.db()),
        write: app.db.clone(),
        read: app.read.clone(),
    };
    let routes = routes
        .nest("/health", health::routes(app.checks.clone()))
        .at("/metrics", health::metrics_route(pools))
        .map_to_response();
    let allowed = allowed
        .with("/health/live", "GET, HEAD")
        .with("/health/ready", "GET, HEAD")
        .with("/metrics", "GET, HEAD");
    edge::around(routes, app.clock.clone(), app.settings.trusted_proxies.clone(), allowed)
}

/// How the admin API takes a stored message in again.
fn take_again(feed: &Feed) -> TakeAgain {
    let feed = feed.clone();
    Arc::new(move |rulebook, event| {
        let feed = feed.clone();
        Box::pin(async move {
            let taken = feed.again(rulebook, event).await;
            taken.map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))
        })
    })
}

/// A rulebook's webhook settings as the webhook takes them, each default spelt out.
fn read_auth(settings: Value) -> Result<Value, Problem> {
    let auth: WebhookAuth = admin::body::read(settings)?;
    let faults = auth_settings::faults(&auth);
    if !faults.is_empty() {
        let faults = faults.into_iter();
        let faults = faults.map(|(pointer, text)| FieldFault::new(pointer, "invalid_value", text));
        return Err(Problem::invalid_body(faults.collect()));
    }
    serde_json::to_value(auth).map_err(|error| Problem::internal(&error))
}

/// Background work, each in a task that ends when the server stops.
fn start_workers(app: &App) {
    let (lane, stop) = (app.take_in.lane.clone(), app.stop.clone());
    app.tasks.spawn(async move { lane.watch(stop).await });
    let (take_in, read, stop) = (app.take_in.clone(), app.read.clone(), app.stop.clone());
    app.tasks
        .spawn(async move { take_in.refuge.last_good.watch(read, take_in.lane.clone(), stop).await });
    let (drain, key, stop) = (app.take_in.drain.clone(), app.key.of_spool(), app.stop.clone());
    let (folder, most) = (app.settings.spool_folder(), spool_bytes(&app.settings));
    app.tasks.spawn(async move { drain.run(folder, most, key, stop).await });
    if app.settings.workers.contains(&Worker::Outbox) {
        let (outbox, stop) = (app.outbox.clone(), app.stop.clone());
        app.tasks.spawn(async move { outbox.run(stop).await });
    }
    if app.settings.workers.contains(&Worker::Escalation) {
        let (escalator, stop) = (app.escalator.clone(), app.stop.clone());
        app.tasks.spawn(async move { escalator.run(stop).await });
    }
    app.tasks.spawn(watch_quarantines(app.clone()));
    let key = AuditKey::new(&app.key.of_audit_chain());
    app.tasks
        .spawn(audit::tell_at_both_ends(app.db.clone(), key.clone(), app.stop.clone()));
    let db = app.db.clone();
    spawn_periodic(app, "audit_head", audit::EVERY, move |_| {
        let (db, key) = (db.clone(), key.clone());
        async move {
            audit::tell(&db, &key).await;
            Ok(())
        }
    });
    if app.settings.workers.contains(&Worker::Scheduler) {
        let (scheduler, stop) = (app.scheduler.clone(), app.stop.clone());
        app.tasks.spawn(async move { scheduler.run(stop).await });
    }
    let (db, clock) = (app.db.clone(), app.clock.clone());
    spawn_periodic(app, "idempotency_keys", admin::idempotency::TIDIED, move |_| {
        let (db, clock) = (db.clone(), clock.clone());
        async move { Ok(admin::idempotency::tidy(&db, &clock).await?) }
    });
    if app.settings.workers.contains(&Worker::Reconciler) {
        let reconciler = app.reconciler.clone();
        spawn_periodic(app, "reconciler", app.settings.reconcile_every, move |turn| {
            let reconciler = reconciler.clone();
            async move {
                let asked = reconciler
                    .run(&Ask::default(), Some(&turn.lease), &turn.stop, |_| {})
                    .await;
                asked.map(drop).map_err(Into::into)
            }
        });
    }
    let (hits, db, clock, stop) = (app.hits.clone(), app.db.clone(), app.clock.clone(), app.stop.clone());
    app.tasks.spawn(async move { hits.run(db, clock, stop).await });
    if app.settings.workers.contains(&Worker::Purge) {
        let purge = app.purge.clone();
        spawn_periodic(app, "purge", purge::EVERY, move |turn| {
            let purge = purge.clone();
            async move { purge.run(&turn.lease, &turn.stop).await.map(drop).map_err(Into::into) }
        });
    }
    let backtests = app.backtests.clone();
    app.tasks.spawn(async move {
        if let Err(error) = backtests.mend().await {
            tracing::warn!(%error, "backtests that an earlier run left behind are still shown as running");
        }
    });
    let (stop, limiter, read) = (app.stop.clone(), app.limiter.clone(), app.read.clone());
    app.tasks.spawn(async move {
        let mut chores = tokio::time::interval(CHORES);
        while stop.run_until_cancelled(chores.tick()).await.is_some() {
            limiter.tidy();
            metrics::upkeep();
            match notices::count_open(&read).await {
                Ok(counts) => counts
                    .into_iter()
                    .for_each(|(severity, open)| metrics::notices_open(severity, open)),
                Err(error) => tracing::debug!(%error, "the open notices cannot be counted"),
            }
        }
    });
}

/// Work that one of all instances does every so often.
fn spawn_periodic<W, F>(app: &App, name: &'static str, every: Duration, work: W)
where
    W: Fn(periodic::Turn) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), periodic::Failed>> + Send + 'static,
{
    let (leases, stop) = (app.leases.clone(), app.stop.clone());
    app.tasks.spawn(periodic::run(leases, name, every, stop, work));
}

/// Learns which scripts other instances sent into quarantine, and ends what is over.
async fn watch_quarantines(app: App) {
    let mut looks = tokio::time::interval(quarantine::EVERY);
    while app.stop.run_until_cancelled(looks.tick()).await.is_some() {
        let quarantines = app.current.quarantines();
        if let Err(error) = quarantines.look(&app.db, &app.read, &app.clock).await {
            tracing::warn!(%error, "the scripts in quarantine could not be read; they are read again soon");
        }
    }
}

/// One TLS provider for the whole process; a second call changes nothing.
fn install_tls_provider() {
    // An error means that it is installed already, as in tests that start several servers.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
