//! Whether this instance is alive, and whether it should get traffic.
//!
//! In: `GET /health/live`, `/health/ready`, `/metrics`. Out: 200 or 503 with each check by name, and Prometheus' text.
//! A check answers within a second or counts as failed. What it says is for the operator and holds no data.

use std::{fmt::Display, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use poem::{
    Endpoint, EndpointExt as _, IntoResponse as _, Response, Route, get, handler,
    http::StatusCode,
    web::{Data, Json},
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde::Serialize;

use crate::{
    store::migrate,
    telemetry::{self, metrics},
};

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);

type Outcome = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Check = Arc<dyn Fn() -> Outcome + Send + Sync>;

/// Whether messages can be answered without the database, and what there is to say of the spool.
type Refuge = Arc<dyn Fn() -> (bool, Option<String>) + Send + Sync>;

/// What must hold before traffic is welcome, each with its name.
#[derive(Clone, Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
    refuge: Option<Refuge>,
}

impl Checks {
    /// The same with a check: it says in a sentence what is wrong.
    #[must_use]
    pub fn with<F, R, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check = move || -> Outcome {
            let outcome = check();
            Box::pin(async move { outcome.await.map_err(|wrong| wrong.to_string()) })
        };
        self.checks.push((name, Arc::new(check)));
        self
    }

    /// The same with what answers messages without the database: while it can, traffic is welcome all the same.
    #[must_use]
    pub fn with_refuge(mut self, refuge: impl Fn() -> (bool, Option<String>) + Send + Sync + 'static) -> Self {
        self.refuge = Some(Arc::new(refuge));
        self
    }

    /// The checks that every instance has: its database answers, and has the schema of this program.
    #[must_use]
    pub fn of_database(write: &DatabaseConnection, read: &DatabaseConnection) -> Self {
        let (write, read) = (write.clone(), read.clone());
        let database = move || {
            // On SQLite the one writer may be busy with a message for a moment: the readers know as much.
            let db = if write.get_database_backend() == sea_orm::DbBackend::Sqlite {
                read.clone()
            } else {
                write.clone()
            };
            async move {
                db.execute_unprepared("SELECT 1")
                    .await
                    .map(drop)
                    .map_err(|error| hidden("database", &error))
            }
        };
        Self::default().with("database", database)
    }

    /// The same with a check that the schema is this program's.
    #[must_use]
    pub fn with_migrations(self, db: &DatabaseConnection) -> Self {
        let db = db.clone();
        self.with("migrations", move || {
            let db = db.clone();
            async move {
                match migrate::missing(&db).await {
                    Ok(0) => Ok(()),
                    Ok(count) => Err(format!("{count} migrations are missing; run `ringbook migrate up`")),
                    Err(error) => Err(hidden("migrations", &error)),
                }
            }
        })
    }

    /// Runs all of them at once.
    pub async fn run(&self) -> Report {
        let checks = self.checks.iter().map(|(name, check)| async move {
            let outcome = tokio::time::timeout(PATIENCE, check()).await;
            let wrong = outcome
                .unwrap_or_else(|_| Err("no answer within a second".to_owned()))
                .err();
            CheckReport {
                name,
                ok: wrong.is_none(),
                detail: wrong,
            }
        });
        let mut checks = join_all(checks).await;
        let well = checks.iter().all(|check| check.ok);
        let away = checks.iter().any(|check| check.name == "database" && !check.ok);
        let mut status = if well { "ready" } else { "not ready" };
        if let Some(refuge) = &self.refuge {
            let (can, detail) = refuge();
            // A server that nobody asks any more loses every message; this one loses none.
            if (well && detail.is_some()) || (away && can) {
                status = "degraded";
            }
            checks.push(CheckReport {
                name: "spool",
                ok: true,
                detail,
            });
        }
        Report { status, checks }
    }
}

/// The cause goes to the log, a fixed text to whoever asks.
fn hidden(check: &'static str, cause: &dyn std::error::Error) -> String {
    telemetry::log_cause(check, cause);
    "the database does not answer; the log says why".to_owned()
}

/// What the checks found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ready`, `degraded` (messages are taken in, but wait in the spool) or `not ready`.
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
        .data(checks)
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

#[handler]
async fn ready(Data(checks): Data<&Checks>) -> Response {
    let report = checks.run().await;
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Json(report).with_status(status).into_response()
}

#[handler]
fn render_metrics(Data(pools): Data<&Pools>) -> Response {
    let messages = (pools.messages)();
    for (name, db) in [("messages", &messages), ("write", &pools.write), ("read", &pools.read)] {
        let (open, idle) = if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
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
    async fn with_every_check_well_it_is_ready() {
        let report = Checks::default()
            .with("well", || async { Ok::<(), String>(()) })
            .run()
            .await;
        assert!(report.is_ready() && report.status == "ready");
    }
}
