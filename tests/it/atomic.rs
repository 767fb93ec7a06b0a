//! A message is ingested completely or not at all. The test makes each SQL statement that a message causes fail in
//! turn. A message that would fail again is dead-lettered. If the dead letter cannot be written either, the response
//! makes Vapi send the message again.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{heard, report, report_of, status, tool_calls},
        requests::read,
        tables::OF_A_MESSAGE,
    },
};

both!(
    whatever_statement_fails_nothing_of_the_message_remains,
    an_unreadable_message_that_cannot_be_kept_is_asked_for_again,
);

const FLOOD: &str = "Mon sous-sol est inondé.";

/// A message, the messages before it, and the SQL statements that the message causes.
struct Path {
    name: &'static str,
    before: fn(&str) -> Vec<Value>,
    message: fn(&str) -> Value,
    statements: &'static [(&'static str, &'static str)],
}

const TOOLS: Path = Path {
    name: "tools",
    before: |_| Vec::new(),
    message: |call| {
        let about = json!({"serviceType": "racines", "problemDescription": FLOOD, "wantedSlot": "demain"});
        let tools = ["calculateQuote", "bookAppointment", "sendSMSAlert"];
        let tools: Vec<_> = tools.iter().map(|name| (*name, *name, about.clone())).collect();
        tool_calls(call, 10_000, &tools)
    },
    statements: &[
        ("webhook_events", "INSERT"),
        ("calls", "INSERT"),
        ("calls", "UPDATE"),
        ("tool_calls", "INSERT"),
        ("decisions", "INSERT"),
        ("leads", "INSERT"),
        ("sms_messages", "INSERT"),
        ("escalations", "INSERT"),
    ],
};

const PATHS: [Path; 6] = [
    Path {
        name: "report",
        before: |call| vec![heard(call, "user", "Allo", 2_000)],
        message: |call| report(call, FLOOD),
        statements: &[
            ("webhook_events", "INSERT"),
            ("calls", "INSERT"),
            ("calls", "UPDATE"),
            ("call_transcripts", "DELETE"),
            ("call_transcripts", "INSERT"),
            ("decisions", "INSERT"),
            ("leads", "INSERT"),
            ("sms_messages", "INSERT"),
            ("escalations", "INSERT"),
        ],
    },
    Path {
        name: "amendment",
        before: |call| vec![report(call, FLOOD)],
        message: |call| {
            // The second report has fewer turns than the first, so some turns are overwritten and some deleted.
            let mut later = report_of(call, &json!([{"role": "user", "message": "Non, juste un évier lent."}]));
            later["message"]["timestamp"] = json!(later["message"]["timestamp"].as_i64().unwrap() + 1);
            later
        },
        statements: &[
            ("webhook_events", "INSERT"),
            ("calls", "INSERT"),
            ("calls", "UPDATE"),
            ("call_transcripts", "DELETE"),
            ("call_transcripts", "INSERT"),
            ("decisions", "INSERT"),
            ("leads", "INSERT"),
            ("leads", "UPDATE"),
        ],
    },
    Path {
        name: "amendment from before",
        before: |call| vec![report(call, FLOOD)],
        message: |call| {
            let mut earlier = report(call, "Non, juste un évier lent.");
            earlier["message"]["timestamp"] = json!(1_000_000_000_000_i64);
            earlier
        },
        statements: &[
            ("webhook_events", "INSERT"),
            ("calls", "INSERT"),
            ("calls", "UPDATE"),
            ("decisions", "INSERT"),
            ("leads", "INSERT"),
            ("leads", "UPDATE"),
        ],
    },
    TOOLS,
    Path {
        name: "transcript",
        before: |call| vec![status(call, "ringing", 0)],
        message: |call| heard(call, "user", "Allo", 2_000),
        statements: &[
            ("webhook_events", "INSERT"),
            ("calls", "INSERT"),
            ("calls", "UPDATE"),
            ("call_transcripts", "INSERT"),
        ],
    },
    Path {
        name: "deletion",
        before: |call| vec![(TOOLS.message)(call), report(call, FLOOD)],
        message: |call| crate::support::messages::message("call.deleted", call, 90_000, &json!({})),
        statements: &[
            ("webhook_events", "INSERT"),
            ("webhook_events", "UPDATE"),
            ("calls", "INSERT"),
            ("calls", "UPDATE"),
            ("call_transcripts", "DELETE"),
            ("decisions", "UPDATE"),
            ("tool_calls", "UPDATE"),
            ("leads", "UPDATE"),
            ("sms_messages", "UPDATE"),
            ("escalations", "UPDATE"),
        ],
    },
];

/// Makes every `operation` on `table` fail until [`repair`] is called.
async fn sabotage(server: &TestApp, database: Database, table: &str, operation: &str) {
    let sql = match database {
        Database::Sqlite => format!(
            "CREATE TRIGGER broken BEFORE {operation} ON {table} BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        ),
        Database::Postgres => format!(
            "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN RAISE EXCEPTION 'broken on purpose'; END $$; \
             CREATE TRIGGER broken BEFORE {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()"
        ),
    };
    server.sql(&sql).await;
}

async fn repair(server: &TestApp, database: Database, table: &str) {
    server
        .sql(&match database {
            Database::Sqlite => "DROP TRIGGER broken".to_owned(),
            Database::Postgres => format!("DROP TRIGGER broken ON {table}"),
        })
        .await;
}

/// Removes the dead-lettered event. Returns the remaining rows, and whether there was a dead-lettered event.
fn but_for_the_poisoned(mut all: Vec<(&'static str, Vec<Value>)>) -> (Vec<(&'static str, Vec<Value>)>, bool) {
    let mut any = false;
    for (_, rows) in &mut all {
        rows.retain(|row| {
            any |= row["state"] == "poisoned";
            row["state"] != "poisoned"
        });
    }
    (all, any)
}

/// Posts a message. Returns true for a 503 with `Retry-After`, and for a 200 that says that the message was not
/// recorded.
async fn refused(server: &TestApp, body: &[u8]) -> bool {
    let answer = server.send_signed("/webhooks/vapi", VAPI_SECRET, body).await;
    if answer.status() == StatusCode::OK {
        // A tool call gets a 200 even if its message is not recorded, because a caller waits for the response.
        return answer
            .headers()
            .get("x-ringbook-degraded")
            .is_some_and(|how| how == "unrecorded");
    }
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let wait: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    let (status, problem) = read(answer).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert_eq!(
        (&problem["code"], &problem["retryable"]),
        (&json!("unavailable"), &json!(true))
    );
    assert!(
        !problem.to_string().contains("broken"),
        "the response shows the database's error: {problem}"
    );
    true
}

async fn whatever_statement_fails_nothing_of_the_message_remains(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_SPOOL_SIZE_MB", "0")
        .start()
        .await;
    for path in &PATHS {
        let mut ran = BTreeSet::new();
        for table in OF_A_MESSAGE {
            for operation in ["INSERT", "UPDATE", "DELETE"] {
                // A message deletes only rows of `call_transcripts`, and it raises no notice.
                if table == "notices" || (operation == "DELETE" && table != "call_transcripts") {
                    continue;
                }
                let call = format!("{}-{table}-{operation}", path.name);
                for message in (path.before)(&call) {
                    assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
                }
                let message = serde_json::to_vec(&(path.message)(&call)).unwrap();
                let before = server.everything_of(&call).await;
                sabotage(&server, database, table, operation).await;
                let refused_it = refused(&server, &message).await;
                let (rest, kept_raw) = but_for_the_poisoned(server.everything_of(&call).await);
                assert!(!(refused_it && kept_raw), "{} {table} {operation}", path.name);
                if refused_it || kept_raw {
                    ran.insert((table, operation));
                    assert_eq!(rest, before, "{} {table} {operation}", path.name);
                    let inbox = (table, operation) == ("webhook_events", "INSERT");
                    assert_eq!(refused_it, inbox, "{} {table} {operation}", path.name);
                }
                repair(&server, database, table).await;
                assert!(!refused(&server, &message).await, "{} {table} {operation}", path.name);
                let (rest, _) = but_for_the_poisoned(server.everything_of(&call).await);
                assert_ne!(rest, before);
            }
        }
        // To change a turn of the transcript, Ringbook updates the row on PostgreSQL. On SQLite, it deletes the row and
        // inserts it again.
        ran.remove(&("call_transcripts", "UPDATE"));
        // Without this check, a message that writes nothing would pass.
        let all: BTreeSet<_> = path.statements.iter().copied().collect();
        assert_eq!(ran, all, "{}", path.name);
    }
    server.stop().await;
}

async fn an_unreadable_message_that_cannot_be_kept_is_asked_for_again(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_SPOOL_SIZE_MB", "0")
        .start()
        .await;
    sabotage(&server, database, "webhook_events", "INSERT").await;
    assert!(refused(&server, b"{\"message\":").await);
    assert_eq!(server.counts(["webhook_events"]).await, [0]);
    repair(&server, database, "webhook_events").await;
    assert!(!refused(&server, b"{\"message\":").await);
    assert_eq!(server.only_row("webhook_events").await["state"], "unreadable");
    server.stop().await;
}
