//! A database with few connections, a connection pooler in front of it, and a primary that accepts no writes for a
//! moment.

use std::time::{Duration, Instant};

use base::clock::Clock;
use reqwest::StatusCode;
use ringbook::{
    app::AppError,
    settings::{Flags, Settings},
};
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::Value;
use store::{begin, connect, migrate};

use crate::support::{
    Database, TestApp,
    database::TestDatabase,
    messages::{report, status},
    pooler::Pooler,
    postgres_is_tested,
    tables::rows,
};

const FLOOD: &str = "Mon sous-sol est inondé.";
/// With these settings, PgBouncer ignores Ringbook's startup parameters instead of rejecting them.
const IGNORES_ALL: &str = "pool_mode = session\nignore_startup_parameters = extra_float_digits,options";

/// Connects to the database directly: not through the pooler, and without Ringbook's limits.
async fn past(database: &TestDatabase) -> DatabaseConnection {
    let mut options = ConnectOptions::new(database.url.clone());
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

async fn one(db: &impl sea_orm::ConnectionTrait, sql: &str) -> String {
    let asked = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(asked)
        .await
        .unwrap()
        .unwrap()
        .try_get_by_index(0)
        .unwrap()
}

async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out while waiting until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Starts a server that connects through `url`, without background work.
async fn server_at(database: TestDatabase, url: String) -> Box<TestApp> {
    let env = vec![
        ("DATABASE_URL".to_owned(), url),
        ("RATE_LIMIT_ENABLED".to_owned(), "false".to_owned()),
        ("RINGBOOK_WORKERS".to_owned(), "none".to_owned()),
    ];
    Box::new(TestApp::start_on(database, Clock::system(), env).await)
}

/// Locks the events table while messages arrive, and checks that all of them are recorded without a restart once the
/// lock is released.
async fn a_locked_table_is_survived(server: &TestApp, db: &DatabaseConnection) {
    assert_eq!(
        server.post_signed(&status("before", "ringing", 0)).await.0,
        StatusCode::OK
    );
    // The server loads the snapshot of the rules every two seconds.
    let refuge = &server.app.recorder.fallback;
    eventually("the rules are known", Duration::from_secs(20), async || {
        refuge.snapshots.of("default").is_some()
    })
    .await;
    let lock = begin(db).await.unwrap();
    lock.execute_unprepared("LOCK TABLE webhook_events IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let messages: Vec<Value> = (0..40).map(|number| report(&format!("call-{number}"), FLOOD)).collect();
    let sent = messages.iter().map(async |message| {
        let (status, answer) = server.post_signed(message).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    });
    futures_util::future::join_all(sent).await;
    assert!(
        refuge.spool.state().waiting > 0,
        "no message went to the spool during the lock"
    );
    lock.rollback().await.unwrap();
    eventually("the spool is empty", Duration::from_secs(30), async || {
        refuge.spool.state().waiting == 0
    })
    .await;
    let answer = server.post_signed(&status("after", "ringing", 0)).await;
    assert_eq!(answer.0, StatusCode::OK);
    assert_eq!(rows(db, "webhook_events").await.len(), messages.len() + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_comes_back_where_the_role_may_have_ten_connections() {
    if !postgres_is_tested() {
        return;
    }
    let (database, as_owner) = TestDatabase::with_few_connections(10).await;
    let db = past(&database).await;
    let server = server_at(database, as_owner).await;
    // All pools together stay within the limit, and leave some connections for commands.
    assert_eq!(server.app.connections.sizes.total(), 8);
    a_locked_table_is_survived(&server, &db).await;
    db.close().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_comes_back_where_others_take_the_connections() {
    if !postgres_is_tested() {
        return;
    }
    let (database, as_owner) = TestDatabase::with_few_connections(12).await;
    let db = past(&database).await;
    let mut options = ConnectOptions::new(as_owner.clone());
    options.max_connections(6).min_connections(6).sqlx_logging(false);
    let server = server_at(database, as_owner).await;
    // Other programs connect after startup, so fewer connections are left than the pools would open.
    let others = sea_orm::Database::connect(options).await.unwrap();
    a_locked_table_is_survived(&server, &db).await;
    others.close().await.unwrap();
    db.close().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_behind_a_pooler_as_it_comes_and_behind_one_that_ignores_what_it_is_told() {
    if !postgres_is_tested() {
        return;
    }
    for lines in [
        "pool_mode = session\ndefault_pool_size = 10",
        &format!("{IGNORES_ALL}\ndefault_pool_size = 12"),
    ] {
        let database = TestDatabase::create(Database::Postgres).await;
        let db = past(&database).await;
        let Some(pooler) = Pooler::start(&database.url, lines) else {
            return;
        };
        let url = pooler.in_url(&database.url);
        let server = server_at(database, url.clone()).await;
        assert!(
            server.app.connections.sizes.total() <= 10,
            "{:?}",
            server.app.connections
        );
        // The timeouts apply only within transactions.
        let tx = begin(&server.app.db).await.unwrap();
        assert_eq!(one(&*tx, "SHOW statement_timeout").await, "5s");
        assert_eq!(one(&*tx, "SHOW lock_timeout").await, "2s");
        tx.rollback().await.unwrap();
        let tx = begin(&server.app.recorder.gate.db()).await.unwrap();
        assert_eq!(one(&*tx, "SHOW statement_timeout").await, "1800ms");
        assert_eq!(one(&*tx, "SHOW enable_seqscan").await, "off");
        tx.rollback().await.unwrap();
        a_locked_table_is_survived(&server, &db).await;
        // The migration leaves no lock behind: a second check of the schema gets the lock immediately.
        let through = store::Database::parse(&url).unwrap();
        tokio::time::timeout(Duration::from_secs(20), migrate::up(&through))
            .await
            .expect("the migration left a lock behind")
            .unwrap();
        db.close().await.unwrap();
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_loses_prepared_statements_is_refused_with_a_sentence() {
    if !postgres_is_tested() {
        return;
    }
    let database = TestDatabase::create(Database::Postgres).await;
    let Some(pooler) = Pooler::start(&database.url, "pool_mode = transaction\ndefault_pool_size = 10") else {
        return;
    };
    let url = pooler.in_url(&database.url);
    let through = store::Database::parse(&url).unwrap();
    match connect::open(&through, None).await {
        // PgBouncer 1.21 or newer supports prepared statements in this mode.
        Ok(pools) => assert!(pools.plan.sizes.total() <= 10),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains("prepared statements") && text.contains("pool_mode"),
                "{text}"
            );
            let lookup = |name: &str| (name == "DATABASE_URL").then(|| url.clone());
            let settings =
                Settings::load_from(&Flags::default(), lookup, std::path::Path::new("no such file")).unwrap();
            let started = Box::pin(ringbook::app::App::start(settings, Clock::system())).await;
            assert!(
                matches!(started, Err(AppError::Migrate(_))),
                "the server started although the pooler loses prepared statements"
            );
        }
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_takes_no_writes_for_a_moment_takes_no_instance_out() {
    if !postgres_is_tested() {
        return;
    }
    let database = TestDatabase::create(Database::Postgres).await;
    let (db, url) = (past(&database).await, database.url.clone());
    let name = url.rsplit('/').next().unwrap().to_owned();
    let server = server_at(database, url).await;
    let (_, health) = server.get("/health/ready").await;
    assert_eq!(health["status"], "ready", "{health}");
    let refuge = &server.app.recorder.fallback;
    eventually("the rules are known", Duration::from_secs(20), async || {
        refuge.snapshots.of("default").is_some()
    })
    .await;
    let end_connections = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'ringbook'"
    );
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .await
        .unwrap();
    db.execute_unprepared(&end_connections).await.unwrap();
    for number in 0..10 {
        let (status, health) = server.get("/health/ready").await;
        assert_eq!(status, StatusCode::OK, "{health}");
        let (status, _) = server.post_signed(&report(&format!("call-{number}"), FLOOD)).await;
        assert_eq!(status, StatusCode::OK);
    }
    eventually("it is degraded", Duration::from_secs(10), async || {
        server.get("/health/ready").await.1["status"] == "degraded"
    })
    .await;
    assert!(refuge.spool.state().waiting > 0);
    db.execute_unprepared(&format!("ALTER DATABASE {name} RESET default_transaction_read_only"))
        .await
        .unwrap();
    // The open connections stay read-only. The pool must detect this and open new connections.
    eventually("all is recorded", Duration::from_secs(30), async || {
        rows(&db, "webhook_events").await.len() == 10
    })
    .await;
    eventually("it is ready", Duration::from_secs(30), async || {
        server.get("/health/ready").await.1["status"] == "ready"
    })
    .await;
    db.close().await.unwrap();
    server.stop().await;
}

#[test]
fn an_address_that_would_be_misunderstood_is_refused_with_a_sentence() {
    for (url, says) in [
        ("postgres://r@one,two/r", "several hosts"),
        ("postgres://r@one:5432,two:5432/r", "several hosts"),
        ("postgres:///r?host=one,two", "several hosts"),
        ("postgres:///r?host=one%2Ctwo", "several hosts"),
        (
            "postgres://r@one/r?target_session_attrs=read-write",
            "target_session_attrs",
        ),
        (
            "postgres://r@one/r?statement-cache-capacity=0",
            "statement-cache-capacity",
        ),
        (
            "postgres://r@one/r?statement-cache-capacity=249",
            "statement-cache-capacity",
        ),
        ("postgres://r@one/r?connect_timeout=3", "connect_timeout"),
    ] {
        let lookup = |name: &str| (name == "DATABASE_URL").then(|| url.to_owned());
        let refused = Settings::load_from(&Flags::default(), lookup, std::path::Path::new("no such file"));
        let text = refused.expect_err(url).to_string();
        assert!(text.contains("DATABASE_URL") && text.contains(says), "{url}: {text}");
    }
    for url in [
        "postgres://r:p,w@one/r",
        "postgres://r@one/r?sslmode=require&application_name=x",
        "postgres://r@one/r?options=-csearch_path%3Dx",
    ] {
        let lookup = |name: &str| (name == "DATABASE_URL").then(|| url.to_owned());
        Settings::load_from(&Flags::default(), lookup, std::path::Path::new("no such file")).expect(url);
    }
}
