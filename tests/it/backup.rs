//! Tests `ringbook backup` and `ringbook restore`. A backup that was made under load is restored completely. No data is
//! lost, and no SMS message is sent again, even if a person restores the backup by hand.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use reqwest::StatusCode;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::json;

use crate::{
    both,
    support::{
        Answer, Database, StandIn, TestApp,
        app::ADMIN_KEY,
        database::TestDatabase,
        messages::report,
        program::{Program, free_address},
        tables::{having, rows},
    },
};

both!(
    a_copy_comes_back_whole_and_texts_nobody_again,
    nothing_is_overwritten_and_what_was_there_is_kept,
    what_is_no_backup_is_refused_and_changes_nothing,
    a_running_server_shows_how_old_the_last_backup_is,
);

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// Runs the program on a database, without the server's other settings.
fn ringbook(url: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringbook"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", path())
        .env("DATABASE_URL", url)
        .env("RINGBOOK_SECRET_KEY", KEY)
        .current_dir(folder)
        .stdin(Stdio::null());
    command.output().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "PostgreSQL's programs are found through PATH")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn back_up(url: &str, folder: &Path, to: &str) -> PathBuf {
    let made = ringbook(url, folder, &["backup", "--quiet", "--to", to]);
    assert!(made.status.success(), "{}", text(&made));
    folder.join(to)
}

async fn look(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

/// Creates an empty database.
async fn empty(kind: Database) -> TestDatabase {
    let database = TestDatabase::create(kind).await;
    if kind == Database::Postgres {
        let db = look(&database.url).await;
        db.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .await
            .unwrap();
        db.close().await.unwrap();
    }
    database
}

/// Starts a server whose SMS messages are never accepted, because the stand-in for Twilio never responds.
async fn with_waiting_texts(kind: Database) -> (TestApp, tokio::net::TcpListener) {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = TestApp::builder(kind)
        .set("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001")
        .set("TWILIO_AUTH_TOKEN", "a-token-of-twilio")
        .set("TWILIO_FROM", "+15145550100")
        .set("TWILIO_BASE_URL", format!("http://{}", silent.local_addr().unwrap()))
        .start()
        .await;
    for number in 0..12 {
        flood(&server, &format!("call-{number}")).await;
    }
    (server, silent)
}

async fn flood(server: &TestApp, call: &str) {
    let message = report(call, "Mon sous-sol est inondé.");
    assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
}

/// Starts a server on a restored database, with a stand-in for Twilio that accepts messages.
async fn on(database: TestDatabase, twilio: &StandIn) -> TestApp {
    let env = [
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
        ("TWILIO_AUTH_TOKEN", "a-token-of-twilio"),
        ("TWILIO_FROM", "+15145550100"),
    ];
    let mut env: Vec<(String, String)> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    env.push(("TWILIO_BASE_URL".to_owned(), twilio.url()));
    TestApp::start_on(database, base::clock::Clock::system(), env).await
}

/// Checks that the server sends only SMS messages that were created after the restore.
async fn texts_only_what_is_new(server: TestApp, twilio: &StandIn) {
    flood(&server, "call-after").await;
    let seen = twilio.wait_for(1).await;
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(
        twilio.seen().len(),
        1,
        "an SMS message from before the restore was sent: {seen:?}"
    );
    let texts = server.rows("sms_messages").await;
    let dead = having(&texts, "state", "dead");
    assert_eq!(dead.len(), 12, "{texts:#?}");
    assert!(
        dead.iter()
            .all(|text| text["error"].as_str().unwrap().contains("restored"))
    );
    let notice = having(&server.rows("notices").await, "code", "restored");
    assert_eq!((notice.len(), &notice[0]["severity"]), (1, &json!("urgent")));
    assert!(
        notice[0]["text"].as_str().unwrap().contains("12 SMS messages"),
        "{notice:?}"
    );
    server.stop().await;
}

async fn a_copy_comes_back_whole_and_texts_nobody_again(kind: Database) {
    let folder = tempfile::tempdir().unwrap();
    let (server, silent) = with_waiting_texts(kind).await;
    // The backup is made while messages come in.
    let url = server.database_url().to_owned();
    let place = folder.path().to_owned();
    let (made, ()) = tokio::join!(
        tokio::task::spawn_blocking(move || back_up(&url, &place, "copy.db")),
        async {
            for number in 0..20 {
                let message = report(&format!("call-meanwhile-{number}"), "Je voudrais une inspection.");
                assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
            }
        }
    );
    let copy = made.unwrap();
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "the folder must contain only the backup file");
    // The backup does not affect the SMS messages of the running server: none of them became a dead letter.
    assert!(having(&server.rows("sms_messages").await, "state", "dead").is_empty());

    let target = empty(kind).await;
    let back = ringbook(&target.url, folder.path(), &["restore", "--quiet", "copy.db"]);
    assert!(
        back.status.success() && text(&back).contains("12 SMS messages"),
        "{}",
        text(&back)
    );
    for arguments in [&["audit", "verify", "--quiet"][..], &["replay", "--quiet"]] {
        let proof = ringbook(&target.url, folder.path(), arguments);
        assert!(proof.status.success(), "{}", text(&proof));
    }
    let db = look(&target.url).await;
    let [events, decisions] = [rows(&db, "webhook_events").await, rows(&db, "decisions").await];
    if kind == Database::Postgres {
        assert!(
            has_statistics(&db, "decisions").await,
            "the restore did not create the statistics, which a dump does not contain"
        );
    }
    db.close().await.unwrap();
    assert!(events.len() >= 12 && events.len() == decisions.len());
    let twilio = StandIn::start(vec![Answer::json(201, &json!({"sid": "SM1", "status": "queued"}))]).await;
    Box::pin(texts_only_what_is_new(on(target, &twilio).await, &twilio)).await;

    // A restore by hand, without `ringbook restore`, has the same result.
    let target = empty(kind).await;
    by_hand(&copy, &target.url);
    let twilio = StandIn::start(vec![Answer::json(201, &json!({"sid": "SM1", "status": "queued"}))]).await;
    Box::pin(texts_only_what_is_new(on(target, &twilio).await, &twilio)).await;
    drop(silent);
    server.stop().await;
}

/// Returns whether PostgreSQL has column statistics of a table. The row count proves nothing, because creating an index
/// also updates the row count.
async fn has_statistics(db: &DatabaseConnection, table: &str) -> bool {
    let sql = format!("SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'public' AND tablename = '{table}'");
    let statement = Statement::from_string(DatabaseBackend::Postgres, sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Restores by hand, as somebody would who does not know `ringbook restore`.
fn by_hand(copy: &Path, url: &str) {
    match url.strip_prefix("sqlite://") {
        Some(file) => drop(std::fs::copy(copy, file).unwrap()),
        None => {
            let program = ringbook::backup::programs::find("pg_restore", &path()).unwrap();
            let output = Command::new(program)
                .args(["--no-owner", "--schema=public", "--dbname", url])
                .arg(copy)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    }
}

async fn nothing_is_overwritten_and_what_was_there_is_kept(kind: Database) {
    let folder = tempfile::tempdir().unwrap();
    let server = TestApp::start(kind).await;
    flood(&server, "call-old").await;
    let url = server.database_url().to_owned();
    back_up(&url, folder.path(), "copy.db");
    let again = ringbook(&url, folder.path(), &["backup", "--quiet", "--to", "copy.db"]);
    assert!(
        !again.status.success() && text(&again).contains("exists already"),
        "{}",
        text(&again)
    );
    flood(&server, "call-new").await;
    // A restore is rejected while a server uses the database, even with `--force`.
    for arguments in [
        &["restore", "--quiet", "copy.db"][..],
        &["restore", "--quiet", "--force", "copy.db"],
    ] {
        let refused = ringbook(&url, folder.path(), arguments);
        assert!(!refused.status.success(), "{}", text(&refused));
    }
    assert_eq!(server.rows("calls").await.len(), 2);
    let database = server.leave().await;
    let refused = ringbook(&url, folder.path(), &["restore", "--quiet", "copy.db"]);
    assert!(
        !refused.status.success() && text(&refused).contains("not empty"),
        "{}",
        text(&refused)
    );
    let forced = ringbook(&url, folder.path(), &["restore", "--quiet", "--force", "copy.db"]);
    assert!(forced.status.success(), "{}", text(&forced));
    let said = text(&forced);
    let kept = said
        .lines()
        .find_map(|line| line.strip_prefix("The previous content is kept as "))
        .unwrap();
    let kept = kept.trim_end_matches('.');
    let db = look(&url).await;
    assert_eq!(rows(&db, "calls").await.len(), 1);
    let before = match kind {
        Database::Sqlite => {
            let old = look(&format!("sqlite://{kept}")).await;
            let calls = rows(&old, "calls").await.len();
            old.close().await.unwrap();
            calls
        }
        Database::Postgres => {
            let schema = kept.split(' ').nth(1).unwrap();
            rows(&db, &format!("{schema}.calls")).await.len()
        }
    };
    db.close().await.unwrap();
    assert_eq!(before, 2, "{said}");
    let server = TestApp::start_on(database, base::clock::Clock::system(), Vec::new()).await;
    flood(&server, "call-after").await;
    server.stop().await;
}

async fn what_is_no_backup_is_refused_and_changes_nothing(kind: Database) {
    let folder = tempfile::tempdir().unwrap();
    let server = TestApp::start(kind).await;
    flood(&server, "call-1").await;
    let url = server.database_url().to_owned();
    let copy = back_up(&url, folder.path(), "copy.db");
    let database = server.leave().await;
    let bytes = std::fs::read(&copy).unwrap();
    // None of these files is a backup of this database: half a backup, a text file, a backup of the other database
    // system, and a missing file.
    std::fs::write(folder.path().join("half"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder.path().join("text"), "A list of prices").unwrap();
    let other = match kind {
        Database::Sqlite => b"PGDMP and what follows".to_vec(),
        Database::Postgres => b"SQLite format 3\0 and what follows".to_vec(),
    };
    std::fs::write(folder.path().join("other"), other).unwrap();
    for file in ["half", "text", "other", "nothing"] {
        let refused = ringbook(&url, folder.path(), &["restore", "--quiet", "--force", file]);
        assert!(!refused.status.success(), "{file}: {}", text(&refused));
        assert!(!text(&refused).contains(ADMIN_KEY));
    }
    let server = TestApp::start_on(database, base::clock::Clock::system(), Vec::new()).await;
    assert_eq!(server.rows("calls").await.len(), 1);
    server.stop().await;
}

/// The secret key is backed up only on request. A restore writes the key only if no key exists yet.
#[test]
fn the_key_is_in_a_file_of_its_own_or_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/ringbook.db", home.path().display());
    let run = |folder: &Path, url: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringbook"));
        let output = command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", url)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    std::fs::write(home.path().join("ringbook.key"), KEY).unwrap();
    run(folder.path(), &url, &["migrate", "up"]);
    let said = run(folder.path(), &url, &["backup", "--to", "without.db"]);
    assert!(
        said.contains("is not in the backup") && !folder.path().join("without.db.key").exists(),
        "{said}"
    );
    let said = run(folder.path(), &url, &["backup", "--to", "with.db", "--with-key"]);
    let key = folder.path().join("with.db.key");
    assert!(said.contains("with.db.key"), "{said}");
    assert_eq!(std::fs::read_to_string(&key).unwrap().trim(), KEY);
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let new_home = tempfile::tempdir().unwrap();
    let new_url = format!("sqlite://{}/ringbook.db", new_home.path().display());
    run(folder.path(), &new_url, &["restore", "with.db"]);
    assert_eq!(
        std::fs::read_to_string(new_home.path().join("ringbook.key"))
            .unwrap()
            .trim(),
        KEY
    );
}

async fn a_running_server_shows_how_old_the_last_backup_is(kind: Database) {
    let folder = tempfile::tempdir().unwrap();
    // `/metrics` describes one process, so this test runs its own server.
    let database = TestDatabase::create(kind).await;
    let address = free_address();
    let mut program = Program::start(&database.url, address, folder.path(), &[]);
    let age = async || {
        let answer = reqwest::get(format!("http://{address}/metrics")).await.ok()?;
        let text = answer.text().await.unwrap();
        let name = "ringbook_last_success_age_seconds{job=\"backup\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|age| age.replace("+Inf", "inf").parse::<f64>().unwrap())
    };
    let until = async |fits: fn(f64) -> bool| {
        for _ in 0..200 {
            if age().await.is_some_and(fits) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the age of the last backup is {:?}", age().await);
    };
    until(f64::is_infinite).await;
    // A failed backup does not count.
    let failed = ringbook(
        &database.url,
        folder.path(),
        &["backup", "--quiet", "--to", "no/such/folder/copy.db"],
    );
    assert!(!failed.status.success());
    back_up(&database.url, folder.path(), "copy.db");
    until(|age| age < 60.0).await;
    program.kill();
    database.remove().await;
}
