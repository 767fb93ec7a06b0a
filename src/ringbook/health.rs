//! Liveness and readiness of this instance, and its metrics. A check without a result after one second counts as
//! failed. A check never writes to the database, and logs only a changed result. The text of a failed check is for the
//! operator and contains no data.

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

/// Timeout of a check.
const WORK_TIMEOUT: Duration = Duration::from_secs(1);

type CheckResult = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;
type Check = Arc<dyn Fn() -> CheckResult + Send + Sync>;

/// Returns whether the server can answer messages without the database, and describes the spool.
type Fallback = Arc<dyn Fn() -> (bool, Option<String>) + Send + Sync>;

/// Why a check failed.
struct Fault {
    /// The message in the response.
    told: String,
    /// The message in the log.
    cause: String,
}

impl Fault {
    /// Builds the failure of a database check. The log shows the cause, and the response contains a fixed text.
    fn of_database(cause: &DbErr) -> Self {
        Self {
            told: "the database does not respond; see the log".to_owned(),
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

/// The readiness checks, by name.
#[derive(Clone, Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
    /// If one of these checks fails, messages are lost even with a spool.
    vital: Vec<&'static str>,
    /// If one of these checks fails, the failure is reported, and the server stays ready.
    lesser: Vec<&'static str>,
    fallback: Option<Fallback>,
    /// The last logged error of each failing check, so that frequent requests do not fill the log.
    logged: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Checks {
    /// Adds a check. The error of the check is a sentence for people.
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

    /// Adds a check. If the check fails, the server is not ready, because messages would be accepted and lost.
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

    /// Adds a check. If the check fails, the server is degraded and stays ready, because it has a fallback.
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

    fn with_check(mut self, name: &'static str, check: impl Fn() -> CheckResult + Send + Sync + 'static) -> Self {
        self.checks.push((name, Arc::new(check)));
        self
    }

    /// Adds the fallback for an unavailable database. While the fallback works, the server is ready for traffic.
    #[must_use]
    pub fn with_fallback(mut self, fallback: impl Fn() -> (bool, Option<String>) + Send + Sync + 'static) -> Self {
        self.fallback = Some(Arc::new(fallback));
        self
    }

    /// Creates the check that every instance needs: the database responds and accepts writes.
    #[must_use]
    pub fn of_database(write: &DatabaseConnection, read: &DatabaseConnection) -> Self {
        // On SQLite the single writer may be busy with a message for a moment, so the check uses a read connection.
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
                    Ok(false) => Err("the database accepts no writes: it is a standby, or read-only"
                        .to_owned()
                        .into()),
                    Err(error) => Err(Fault::of_database(&error)),
                }
            })
        })
    }

    /// Adds the check that the schema matches this program.
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

    /// Runs all checks concurrently.
    pub async fn run(&self) -> Report {
        let checks = self.checks.iter().map(|(name, check)| async move {
            let outcome = tokio::time::timeout(WORK_TIMEOUT, check()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("no result within a second".to_owned().into()));
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
        if let Some(fallback) = &self.fallback {
            let (can, detail) = fallback();
            // A server that is not ready gets no messages, so all messages are lost. A server that can answer and spool
            // loses no message, so it is only degraded.
            let lost = checks.iter().any(|check| !check.ok && self.vital.contains(&check.name));
            if !lost && ((well && detail.is_some()) || (!well && can)) {
                status = "degraded";
            }
            checks.push(CheckReport {
                name: "spool",
                // A check that degrades the server must not be reported as ok.
                ok: detail.is_none(),
                detail,
            });
        }
        Report { status, checks }
    }

    /// Logs if a check begins to fail, fails for another reason or succeeds again.
    fn log(&self, name: &'static str, fault: Option<&Fault>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = fault else {
            if logged.remove(name).is_some() {
                tracing::info!(check = name, "the readiness check `{name}` succeeds again");
            }
            return;
        };
        let cause = scrub(&fault.cause);
        // Digits are ignored: a longer duration is not another reason.
        let reason: String = cause.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        if logged.get(name) != Some(&reason) {
            tracing::warn!(check = name, cause, "the readiness check `{name}` fails");
            logged.insert(name, reason);
        }
    }
}

/// Whether the database responds and accepts writes. Nothing is written.
async fn is_writable(db: &DatabaseConnection) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        db.execute_unprepared("SELECT 1").await?;
        return Ok(true);
    }
    let asked = Statement::from_string(DbBackend::Postgres, "SHOW transaction_read_only");
    let row = db.query_one_raw(asked).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get_by_index::<String>(0)? == "off"))
}

/// The results of the checks.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ready`, `degraded` (messages are accepted but wait in the spool, or the replica is unavailable) or `not ready`.
    pub status: &'static str,
    /// The result of each check.
    pub checks: Vec<CheckReport>,
}

impl Report {
    /// Whether the server accepts traffic.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status != "not ready"
    }
}

/// The result of one check.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    /// Whether the check succeeded.
    pub ok: bool,
    /// The message of a failed check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The pools whose sizes `/metrics` shows.
#[derive(Clone)]
pub struct Pools {
    /// The current pool for messages.
    pub messages: Arc<dyn Fn() -> DatabaseConnection + Send + Sync>,
    /// The pool for edits and workers; on SQLite also for messages.
    pub write: DatabaseConnection,
    pub read: DatabaseConnection,
}

/// The routes below `/health`.
pub fn routes(checks: Checks) -> impl Endpoint<Output = Response> {
    Route::new()
        .at("/live", get(live))
        .at("/ready", get(ready))
        .data(CachedReport::new(checks))
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

/// Caches the results for one second. So the checks query the database at most once a second, even if there are many
/// requests.
#[derive(Clone)]
struct CachedReport {
    checks: Checks,
    last: Arc<tokio::sync::Mutex<Option<TimedReport>>>,
}

/// The time when the checks began, and their report.
type TimedReport = (Instant, Arc<Report>);

impl CachedReport {
    fn new(checks: Checks) -> Self {
        Self {
            checks,
            last: Arc::default(),
        }
    }

    async fn report(&self) -> Arc<Report> {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < WORK_TIMEOUT
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
async fn ready(Data(recent): Data<&CachedReport>) -> Response {
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
        let recent = CachedReport::new(checks);
        join_all((0..100).map(|_| recent.report())).await;
        assert_eq!(runs.load(std::sync::atomic::Ordering::Relaxed), 1);
        tokio::time::sleep(WORK_TIMEOUT).await;
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
                .with("outbox", || async { Err("an SMS message has been due for 700 s") })
                .with_fallback(move || (can, None))
        };
        assert_eq!(failing(true).run().await.status, "degraded");
        assert_eq!(failing(false).run().await.status, "not ready");
    }

    #[tokio::test]
    async fn what_loses_messages_is_not_ready_whatever_can_be_spooled() {
        let report = Checks::default()
            .with_vital("database_file", || async { Err("the file was moved away") })
            .with_fallback(|| (true, None))
            .run()
            .await;
        assert_eq!(report.status, "not ready");
    }

    #[tokio::test]
    async fn a_lesser_check_that_fails_makes_the_server_degraded_and_not_unready() {
        let checks = Checks::default().with_lesser("replica", || async { Err("it does not answer") });
        let report = checks.clone().run().await;
        assert!((report.status, report.checks[0].ok) == ("degraded", false) && report.is_ready());
        let lost = checks.with("outbox", || async { Err("an SMS message has been due for 700 s") });
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
