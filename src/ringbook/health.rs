//! Whether this instance is alive, and whether it should get traffic.
//!
//! In: `GET /health/live`, `/health/ready`, `/metrics`. Out: 200 or 503 with each check by name, and Prometheus' text.
//! A check answers within a second or counts as failed. It never writes, and it logs only when its result changes. What it
//! says is for the operator and holds no data.

use std::{
    collections::BTreeMap,
    fmt::Display,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use poem::{
    Endpoint, EndpointExt as _, IntoResponse as _, Response, Route, get, handler,
    http::StatusCode,
    web::{Data, Json},
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};
use serde::Serialize;

use base::telemetry::{self, metrics, scrub};
use store::migrate;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);

type Outcome = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;
type Check = Arc<dyn Fn() -> Outcome + Send + Sync>;

/// Whether messages can be answered without the database, and what there is to say of the spool.
type Refuge = Arc<dyn Fn() -> (bool, Option<String>) + Send + Sync>;

/// Why a check failed.
struct Fault {
    /// For whoever asks.
    told: String,
    /// For the log.
    cause: String,
}

impl Fault {
    /// The cause goes to the log, a fixed text to whoever asks.
    fn of_database(cause: &DbErr) -> Self {
        Self {
            told: "the database does not answer; the log says why".to_owned(),
            cause: telemetry::chain(cause),
        }
    }
}

impl From<String> for Fault {
    fn from(told: String) -> Self {
        Self {
            cause: told.clone(),
            told,
        }
    }
}

/// What must hold before traffic is welcome, each with its name.
#[derive(Clone, Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
    /// Checks of which a failure loses messages, whatever could be spooled.
    vital: Vec<&'static str>,
    /// Checks whose failure is reported, and does not make the server unready.
    lesser: Vec<&'static str>,
    refuge: Option<Refuge>,
    /// What the log said of each check that fails: whoever asks every second must not fill the log.
    logged: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Checks {
    /// The same with a check: it says in a sentence what is wrong.
    #[must_use]
    pub fn with<F, R, E>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.with_check(name, move || {
            let outcome = check();
            Box::pin(async move { outcome.await.map_err(|wrong| wrong.to_string().into()) })
        })
    }

    /// The same with a check without which nothing helps: messages would be taken and lost.
    #[must_use]
    pub fn with_vital<F, R, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.vital.push(name);
        self.with(name, check)
    }

    /// The same with a check whose failure makes the server degraded, never unready: all it does is done another way.
    #[must_use]
    pub fn with_lesser<F, R, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.lesser.push(name);
        self.with(name, check)
    }

    fn with_check(mut self, name: &'static str, check: impl Fn() -> Outcome + Send + Sync + 'static) -> Self {
        self.checks.push((name, Arc::new(check)));
        self
    }

    /// The same with what answers messages without the database: while it can, traffic is welcome all the same.
    #[must_use]
    pub fn with_refuge(mut self, refuge: impl Fn() -> (bool, Option<String>) + Send + Sync + 'static) -> Self {
        self.refuge = Some(Arc::new(refuge));
        self
    }

    /// The checks that every instance has: its database answers and takes writes, and has the schema of this program.
    #[must_use]
    pub fn of_database(write: &DatabaseConnection, read: &DatabaseConnection) -> Self {
        // On SQLite the one writer may be busy with a message for a moment: the readers know as much.
        let db = if write.get_database_backend() == DbBackend::Sqlite {
            read.clone()
        } else {
            write.clone()
        };
        Self::default().with_check("database", move || {
            let db = db.clone();
            Box::pin(async move {
                match is_writable(&db).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err("the database takes no writes: it is a standby, or read-only"
                        .to_owned()
                        .into()),
                    Err(error) => Err(Fault::of_database(&error)),
                }
            })
        })
    }

    /// The same with a check that the schema is this program's.
    #[must_use]
    pub fn with_migrations(self, db: &DatabaseConnection) -> Self {
        let db = db.clone();
        self.with_check("migrations", move || {
            let db = db.clone();
            Box::pin(async move {
                match migrate::missing(&db).await {
                    Ok(0) => Ok(()),
                    Ok(count) => Err(format!("{count} migrations are missing; run `ringbook migrate up`").into()),
                    Err(error) => Err(Fault::of_database(&error)),
                }
            })
        })
    }

    /// Runs all of them at once.
    pub async fn run(&self) -> Report {
        let checks = self.checks.iter().map(|(name, check)| async move {
            let outcome = tokio::time::timeout(PATIENCE, check()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("no answer within a second".to_owned().into()));
            self.log(name, outcome.as_ref().err());
            let wrong = outcome.err();
            CheckReport {
                name,
                ok: wrong.is_none(),
                detail: wrong.map(|wrong| wrong.told),
            }
        });
        let mut checks = join_all(checks).await;
        let all_is_well = checks.iter().all(|check| check.ok);
        let well = checks.iter().all(|check| check.ok || self.lesser.contains(&check.name));
        let mut status = match (well, all_is_well) {
            (true, true) => "ready",
            (true, false) => "degraded",
            (false, _) => "not ready",
        };
        if let Some(refuge) = &self.refuge {
            let (can, detail) = refuge();
            // A server that nobody asks any more loses every message; one that can answer and spool loses none.
            let lost = checks.iter().any(|check| !check.ok && self.vital.contains(&check.name));
            if !lost && ((well && detail.is_some()) || (!well && can)) {
                status = "degraded";
            }
            checks.push(CheckReport {
                name: "spool",
                // What makes the whole `degraded` is no check that says ok.
                ok: detail.is_none(),
                detail,
            });
        }
        Report { status, checks }
    }

    /// Logs that a check began to fail, fails for another reason or holds again.
    fn log(&self, name: &'static str, fault: Option<&Fault>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = fault else {
            if logged.remove(name).is_some() {
                tracing::info!(check = name, "the readiness check `{name}` holds again");
            }
            return;
        };
        let cause = scrub(&fault.cause);
        // How long something takes already is no other reason.
        let reason: String = cause.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        if logged.get(name) != Some(&reason) {
            tracing::warn!(check = name, cause, "the readiness check `{name}` fails");
            logged.insert(name, reason);
        }
    }
}

/// Whether the database answers and takes writes; it is not written to.
async fn is_writable(db: &DatabaseConnection) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        db.execute_unprepared("SELECT 1").await?;
        return Ok(true);
    }
    let asked = Statement::from_string(DbBackend::Postgres, "SHOW transaction_read_only");
    let row = db.query_one_raw(asked).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get_by_index::<String>(0)? == "off"))
}

/// What the checks found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ready`, `degraded` (messages are taken in, but wait in the spool; or the replica is away) or `not ready`.
    pub status: &'static str,
    /// Each check.
    pub checks: Vec<CheckReport>,
}

impl Report {
    /// Whether traffic is welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status != "not ready"
    }
}

/// What one check found.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub name: &'static str,
    /// Whether all is well.
    pub ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The pools whose size `/metrics` shows.
#[derive(Clone)]
pub struct Pools {
    /// For messages: as it is now.
    pub messages: Arc<dyn Fn() -> DatabaseConnection + Send + Sync>,
    /// For edits and workers, on SQLite for messages too.
    pub write: DatabaseConnection,
    /// For reads.
    pub read: DatabaseConnection,
}

/// `/health` below its prefix.
pub fn routes(checks: Checks) -> impl Endpoint<Output = Response> {
    Route::new()
        .at("/live", get(live))
        .at("/ready", get(ready))
        .data(Recent::new(checks))
        .map_to_response()
}

/// `/metrics`.
pub fn metrics_route(pools: Pools) -> impl Endpoint<Output = Response> {
    get(render_metrics).data(pools).map_to_response()
}

#[handler]
fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "live" }))
}

/// What the checks found within the last second: however often strangers ask, the database is asked once a second.
#[derive(Clone)]
struct Recent {
    checks: Checks,
    last: Arc<tokio::sync::Mutex<Option<Dated>>>,
}

/// A report and when it was made.
type Dated = (Instant, Arc<Report>);

impl Recent {
    fn new(checks: Checks) -> Self {
        Self {
            checks,
            last: Arc::default(),
        }
    }

    async fn report(&self) -> Arc<Report> {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < PATIENCE
        {
            return Arc::clone(report);
        }
        let began = Instant::now();
        let report = Arc::new(self.checks.run().await);
        *last = Some((began, Arc::clone(&report)));
        report
    }
}

#[handler]
async fn ready(Data(recent): Data<&Recent>) -> Response {
    let report = recent.report().await;
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Json(&*report).with_status(status).into_response()
}

#[handler]
fn render_metrics(Data(pools): Data<&Pools>) -> Response {
    let messages = (pools.messages)();
    for (name, db) in [("messages", &messages), ("write", &pools.write), ("read", &pools.read)] {
        let (open, idle) = if db.get_database_backend() == DbBackend::Sqlite {
            let pool = db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle())
        } else {
            let pool = db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        };
        metrics::pool(name, open, u32::try_from(idle).unwrap_or(u32::MAX));
    }
    Response::builder()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics::render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_or_hanging_check_is_named() {
        let checks = Checks::default()
            .with("well", || async { Ok::<(), String>(()) })
            .with("broken", || async { Err("the rulebook `default` does not compile") })
            .with("hanging", std::future::pending::<Result<(), String>>);
        let report = checks.run().await;
        assert!(!report.is_ready());
        let wrong: Vec<_> = report
            .checks
            .iter()
            .filter(|check| !check.ok)
            .map(|check| check.name)
            .collect();
        assert_eq!(wrong, ["broken", "hanging"]);
        assert_eq!(
            report.checks[1].detail.as_deref(),
            Some("the rulebook `default` does not compile")
        );
    }

    #[tokio::test]
    async fn however_many_ask_the_checks_run_once_a_second() {
        let runs = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let checks = Checks::default().with("counted", move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async { Ok::<(), String>(()) }
        });
        let recent = Recent::new(checks);
        join_all((0..100).map(|_| recent.report())).await;
        assert_eq!(runs.load(std::sync::atomic::Ordering::Relaxed), 1);
        tokio::time::sleep(PATIENCE).await;
        recent.report().await;
        assert_eq!(runs.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn with_every_check_well_it_is_ready() {
        let report = Checks::default()
            .with("well", || async { Ok::<(), String>(()) })
            .run()
            .await;
        assert!(report.is_ready() && report.status == "ready");
    }

    #[tokio::test]
    async fn what_can_answer_and_spool_is_ready_whatever_fails() {
        let failing = |can| {
            Checks::default()
                .with("outbox", || async { Err("a text has been due for 700 s") })
                .with_refuge(move || (can, None))
        };
        assert_eq!(failing(true).run().await.status, "degraded");
        assert_eq!(failing(false).run().await.status, "not ready");
    }

    #[tokio::test]
    async fn what_loses_messages_is_not_ready_whatever_can_be_spooled() {
        let report = Checks::default()
            .with_vital("database_file", || async { Err("the file was moved away") })
            .with_refuge(|| (true, None))
            .run()
            .await;
        assert_eq!(report.status, "not ready");
    }

    #[tokio::test]
    async fn a_lesser_check_that_fails_makes_the_server_degraded_and_not_unready() {
        let checks = Checks::default().with_lesser("replica", || async { Err("it does not answer") });
        let report = checks.clone().run().await;
        assert!((report.status, report.checks[0].ok) == ("degraded", false) && report.is_ready());
        let lost = checks.with("outbox", || async { Err("a text has been due for 700 s") });
        assert!(!lost.run().await.is_ready());
    }

    #[test]
    fn a_check_is_logged_when_its_result_changes_and_not_because_time_passes() {
        let checks = Checks::default();
        let logged = |checks: &Checks| checks.logged.lock().unwrap().clone();
        checks.log("outbox", Some(&"due for 700 s".to_owned().into()));
        let first = logged(&checks);
        checks.log("outbox", Some(&"due for 701 s".to_owned().into()));
        assert_eq!((first.len(), logged(&checks)), (1, first));
        checks.log("outbox", Some(&"the outbox cannot be read".to_owned().into()));
        assert_eq!(logged(&checks)["outbox"], "the outbox cannot be read");
        checks.log("outbox", None);
        assert!(logged(&checks).is_empty());
    }
}
