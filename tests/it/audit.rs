//! The audit log contains every change once, in a chain of entries in order. It contains no words of callers. The
//! verification finds every alteration.

use std::{
    io::Read as _,
    process::{Command, Output, Stdio},
};

use base::clock::Clock;
use reqwest::{Method, StatusCode};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use store::{audit_verify::NotedHead, migrate};

use crate::{
    both,
    support::{Database, TestApp, database::TestDatabase, messages::PERSONAL},
};

const LOG: &str = "/admin/v1/audit-log";
const VERIFICATION: &str = "/admin/v1/audit-log/verification";
const KEYS: &str = "/admin/v1/api-keys";

both!(
    changes_made_at_once_make_one_chain_and_a_change_of_it_is_named,
    the_applications_own_sql_cannot_change_the_log,
    a_cut_tail_is_found_by_a_noted_head,
    a_head_that_does_not_fit_stops_nobody_and_stays_told,
    what_a_caller_said_is_not_in_the_log,
    entries_without_a_chain_are_never_signed,
    an_altered_log_without_macs_and_head_is_never_signed,
    only_an_admin_of_all_rulebooks_verifies,
    the_command_verifies_and_the_server_tells_its_heads,
);

async fn new_key(app: &TestApp, body: Value) -> String {
    let (status, made) = app.admin(Method::POST, KEYS, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

async fn verified(app: &TestApp) -> Value {
    let (status, found) = app.admin(Method::GET, VERIFICATION, None).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    found
}

/// Disables the triggers that protect the log, as an attacker with the database password could.
async fn guards_off(app: &TestApp, kind: Database) {
    match kind {
        Database::Postgres => app.sql("ALTER TABLE audit_log DISABLE TRIGGER USER").await,
        Database::Sqlite => {
            for trigger in ["update", "delete", "replace"] {
                app.sql(&format!("DROP TRIGGER audit_log_no_{trigger}")).await;
            }
        }
    }
}

async fn changes_made_at_once_make_one_chain_and_a_change_of_it_is_named(kind: Database) {
    let app = TestApp::start(kind).await;
    let before = app.rows("audit_log t ORDER BY seq").await.len();
    assert!(before > 10, "the log must have the entries of the first start");
    let keys = (0..24).map(|n| new_key_owned(&app, n));
    futures_util::future::join_all(keys).await;
    let found = verified(&app).await;
    assert_eq!(
        (&found["intact"], &found["entries"]),
        (&json!(true), &json!(before + 24))
    );
    let (_, listed) = app.admin(Method::GET, &format!("{LOG}?limit=30"), None).await;
    let mut numbers: Vec<i64> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 30);

    guards_off(&app, kind).await;
    let seq = before + 3;
    app.sql(&format!(
        "UPDATE audit_log SET actor = 'somebody else' WHERE seq = {seq}"
    ))
    .await;
    let found = verified(&app).await;
    let bad = &found["first_bad"];
    assert_eq!(
        (&found["intact"], &bad["seq"], &bad["problem"]),
        (&json!(false), &json!(seq), &json!("altered"))
    );
    assert!(
        bad["id"].is_string() && bad["text"].as_str().unwrap().contains(&seq.to_string()),
        "{bad}"
    );
    app.stop().await;
}

async fn new_key_owned(app: &TestApp, n: usize) {
    new_key(app, json!({"name": format!("key {n}"), "role": "viewer"})).await;
}

async fn the_applications_own_sql_cannot_change_the_log(kind: Database) {
    let app = TestApp::start(kind).await;
    let before = app.rows("audit_log t ORDER BY seq").await;
    let mut statements = vec![
        "UPDATE audit_log SET actor = 'x'",
        "UPDATE audit_log SET mac = NULL WHERE seq = 1",
        "DELETE FROM audit_log WHERE seq = 1",
        "DELETE FROM audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log WHERE seq = 1 ON CONFLICT (id) DO UPDATE SET actor = 'x'",
    ];
    statements.push(match kind {
        Database::Postgres => "TRUNCATE audit_log",
        Database::Sqlite => "REPLACE INTO audit_log SELECT * FROM audit_log WHERE seq = 1",
    });
    for statement in statements {
        let error = app.app.db.execute_unprepared(statement).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(app.rows("audit_log t ORDER BY seq").await, before);
    assert_eq!(verified(&app).await["intact"], true);
    app.stop().await;
}

async fn a_cut_tail_is_found_by_a_noted_head(kind: Database) {
    let app = TestApp::start(kind).await;
    let old = app.only_row("audit_head").await;
    let cut = verified(&app).await["entries"].as_i64().unwrap();
    new_key(&app, json!({"name": "made by a thief", "role": "admin"})).await;
    let noted = verified(&app).await["head"].as_str().unwrap().to_owned();
    // The attacker restores an older state in which entries and head match each other.
    guards_off(&app, kind).await;
    app.sql(&format!("DELETE FROM audit_log WHERE seq > {cut}")).await;
    let bytes = |column: &str| match kind {
        Database::Postgres => format!("decode('{}', 'hex')", old[column].as_str().unwrap()),
        Database::Sqlite => format!("x'{}'", old[column].as_str().unwrap()),
    };
    app.sql(&format!(
        "UPDATE audit_head SET seq = {cut}, mac = {}, head_mac = {}",
        bytes("mac"),
        bytes("head_mac")
    ))
    .await;
    let found = verified(&app).await;
    assert_eq!(found["intact"], true);
    let still_there = found["head"].as_str().unwrap().to_owned();
    for (head, intact, problem) in [(&still_there, true, Value::Null), (&noted, false, json!("noted_head"))] {
        let (status, found) = app
            .admin(Method::GET, &format!("{VERIFICATION}?head={head}"), None)
            .await;
        assert_eq!((status, &found["intact"]), (StatusCode::OK, &json!(intact)), "{found}");
        assert_eq!(found["first_bad"]["problem"], problem);
    }
    let (status, problem) = app.admin(Method::GET, &format!("{VERIFICATION}?head=7"), None).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("head")),
        "{problem}"
    );
    app.stop().await;
}

async fn a_head_that_does_not_fit_stops_nobody_and_stays_told(kind: Database) {
    let app = TestApp::start(kind).await;
    let last = verified(&app).await["entries"].as_i64().unwrap();
    guards_off(&app, kind).await;
    app.sql(&format!("DELETE FROM audit_log WHERE seq = {last}")).await;
    app.sql(&format!("UPDATE audit_head SET seq = {}", last - 1)).await;
    new_key(&app, json!({"name": "one", "role": "viewer"})).await;
    new_key(&app, json!({"name": "two", "role": "viewer"})).await;
    assert_eq!(
        app.rows("audit_log t ORDER BY seq").await.len(),
        usize::try_from(last).unwrap() + 1
    );
    let found = verified(&app).await;
    assert_eq!(
        (&found["intact"], &found["first_bad"]["seq"]),
        (&json!(false), &json!(last)),
        "{found}"
    );

    app.sql("DELETE FROM audit_head").await;
    let app = app.restart().await;
    new_key(&app, json!({"name": "three", "role": "viewer"})).await;
    assert_eq!(verified(&app).await["intact"], false);
    app.stop().await;
}

async fn what_a_caller_said_is_not_in_the_log(kind: Database) {
    let app = TestApp::start(kind).await;
    let path = "/admin/v1/rulebooks/default/cases/of_a_call";
    let case = json!({"at": "2026-11-24T15:00:00Z", "comment": PERSONAL[0], "said": PERSONAL.join(" "),
        "facts": {"address": PERSONAL[2]}, "expect": {"/priority": "P4"}});
    let (status, row) = app.admin(Method::PUT, path, Some(&case)).await;
    assert_eq!(status, StatusCode::CREATED, "{row}");
    let path = format!("{path}?version={}", row["version"]);
    assert_eq!(app.admin(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    let (_, listed) = app
        .admin(Method::GET, &format!("{LOG}?resource=cases&code=of_a_call"), None)
        .await;
    let entries = listed["items"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(
        entries[0]["before"], entries[1]["after"],
        "the digests of the same row differ"
    );
    assert_eq!(entries[0]["before"]["sha256"].as_str().unwrap().len(), 64);
    let all = json!(app.rows("audit_log t ORDER BY seq").await).to_string();
    assert!(
        PERSONAL.iter().all(|said| !all.contains(said)),
        "the log contains a caller's words"
    );
    assert_eq!(verified(&app).await["intact"], true);
    app.stop().await;
}

/// Checks that the first `unsigned` entries have no MAC and that all later entries have a MAC. The verification must
/// report that the first entry was altered.
async fn only_signed_after(app: &TestApp, unsigned: usize) {
    let mut rows = app.rows("audit_log t ORDER BY seq").await;
    rows.sort_by_key(|row| row["seq"].as_i64());
    let (before, after) = rows.split_at(unsigned);
    assert!(before.iter().all(|row| row["mac"].is_null()), "an entry was signed");
    assert!(
        after.iter().all(|row| row["mac"].is_string()),
        "an entry was not signed"
    );
    let found = verified(app).await;
    let bad = &found["first_bad"];
    assert_eq!(
        (&found["intact"], &bad["seq"], &bad["problem"]),
        (&json!(false), &json!(1), &json!("altered")),
        "{found}"
    );
}

async fn an_altered_log_without_macs_and_head_is_never_signed(kind: Database) {
    let app = TestApp::start(kind).await;
    let before = app.rows("audit_log t ORDER BY seq").await.len();
    guards_off(&app, kind).await;
    app.sql("UPDATE audit_log SET actor = 'somebody else' WHERE seq = 3")
        .await;
    app.sql("UPDATE audit_log SET mac = NULL").await;
    app.sql("DELETE FROM audit_head").await;
    // The log accepts the program's next entry, and only this entry is signed.
    new_key(&app, json!({"name": "one", "role": "viewer"})).await;
    only_signed_after(&app, before).await;
    new_key(&app, json!({"name": "two", "role": "viewer"})).await;
    only_signed_after(&app, before).await;

    // A restart does not sign the old entries either.
    app.sql("DELETE FROM audit_head").await;
    let app = app.restart().await;
    only_signed_after(&app, before).await;
    new_key(&app, json!({"name": "three", "role": "viewer"})).await;
    only_signed_after(&app, before).await;
    let head = app.only_row("audit_head").await;
    assert_eq!(head["broken_since"], before + 3, "{head}");
    app.stop().await;
}

async fn entries_without_a_chain_are_never_signed(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let address = store::Database::parse(&database.url).unwrap();
    migrate::up(&address).await.unwrap();
    let db = store::connect::open(&address, None).await.unwrap().write;
    for n in 0..3 {
        let id = match kind {
            Database::Postgres => format!("'00000000-0000-0000-0000-{:012}'", 999 - n),
            Database::Sqlite => format!("x'{:032}'", 999 - n),
        };
        let sql = format!(
            "INSERT INTO audit_log (id, seq, at, actor, action, resource, code, after) \
             VALUES ({id}, {n} + 1, '2026-01-01 00:00:00.{n:06}+00:00', 'office', 'update', 'services', 'x', '{{\"b\": 1.50, \"a\": {n}}}')"
        );
        db.execute_unprepared(&sql).await.unwrap();
    }
    db.close().await.unwrap();

    let app = TestApp::start_on(database, Clock::system(), Vec::new()).await;
    only_signed_after(&app, 3).await;
    let (_, oldest) = app.admin(Method::GET, &format!("{LOG}?sort=at&limit=2"), None).await;
    assert_eq!(
        (&oldest["items"][0]["seq"], &oldest["items"][0]["after"]["a"]),
        (&json!(1), &json!(0))
    );
    app.stop().await;
}

async fn only_an_admin_of_all_rulebooks_verifies(kind: Database) {
    let app = TestApp::start(kind).await;
    for body in [
        json!({"name": "p", "role": "publisher"}),
        json!({"name": "a", "role": "admin", "rulebook": "default"}),
    ] {
        let key = new_key(&app, body).await;
        let (status, problem) = app.admin_with(&key, Method::GET, VERIFICATION, None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
        assert_eq!(app.admin_with(&key, Method::GET, LOG, None).await.0, StatusCode::OK);
    }
    app.stop().await;
}

fn program(database: &str, secret_key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringbook"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", database)
        .env("RINGBOOK_LISTEN", "127.0.0.1:0")
        .env("RINGBOOK_SECRET_KEY", secret_key.repeat(32))
        .env("LOG_FORMAT", "json")
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    command
}

fn run(database: &str, secret_key: &str, arguments: &[&str]) -> Output {
    program(database, secret_key, arguments).output().unwrap()
}

/// Finds the audit heads in the server's log output.
fn heads(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| line["head"].as_str().map(ToOwned::to_owned))
        .collect()
}

async fn the_command_verifies_and_the_server_tells_its_heads(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let mut server = program(&database.url, "01", &["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The server prints a welcome message as soon as it listens. Then it logs the head of the audit log, and logs the
    // head again at shutdown.
    let mut first = [0; 1];
    server.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let stopped = Command::new("kill")
        .arg("-TERM")
        .arg(server.id().to_string())
        .status()
        .unwrap();
    assert!(stopped.success());
    let output = server.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let heads = heads(&log);
    assert!(output.status.success() && !heads.is_empty(), "{log}");
    let head: NotedHead = heads[heads.len() - 1].parse().unwrap();

    let whole = run(&database.url, "01", &["audit", "verify", "--head", &head.to_string()]);
    let text = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(whole.status.success() && text.contains(&head.to_string()), "{text}");
    let other = NotedHead {
        mac: vec![7; 32],
        ..head
    };
    for (key, arguments, said) in [
        (
            "01",
            vec!["audit", "verify", "--head", &other.to_string()],
            "not in the chain",
        ),
        ("02", vec!["audit", "verify"], "entry 1 "),
        ("01", vec!["audit", "verify", "--head", "nonsense"], "hexadecimal"),
    ] {
        let broken = run(&database.url, key, &arguments);
        let text = String::from_utf8_lossy(&broken.stderr).into_owned();
        assert!(!broken.status.success() && text.contains(said), "{text}");
    }
    database.remove().await;
}
