//! Concurrent messages share a transaction, and the stored data is the same as with separate transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    agency, both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{heard, report, status},
    },
};

both!(
    messages_that_share_a_transaction_leave_what_they_would_leave_alone,
    one_that_cannot_be_recorded_takes_no_other_with_it,
    messages_of_two_rulebooks_share_a_transaction,
);

const FLOOD: &str = "Mon sous-sol est inondé, des racines.";
const CAMERA: &str = "Je voudrais une inspection par caméra.";

/// Fields that differ from run to run: ids in texts, durations, and the progress of the outbox worker.
const DIFFERS: [&str; 14] = [
    "reference",
    "degraded",
    "body",
    "told",
    "result",
    "duration_us",
    "origin",
    "state",
    "attempts",
    "error",
    "fence",
    "lease_until",
    "provider_status",
    "error_code",
];

/// Builds reports of many calls, some with earlier messages.
fn messages() -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..24 {
        let call = format!("call-{number:02}");
        if number % 4 == 0 {
            all.push(status(&call, "in-progress", 1_000));
            all.push(heard(&call, "user", "Bonjour", 2_000));
        }
        all.push(report(&call, if number % 3 == 0 { FLOOD } else { CAMERA }));
    }
    all
}

/// Sends messages concurrently while the database accepts no writes for a moment. So the messages wait together and can
/// share a transaction. Returns the responses.
async fn send_together(server: &TestApp, database: Database, messages: &[Value]) -> Vec<(StatusCode, Value)> {
    let sent = messages.iter().map(|message| server.post_signed(message));
    all_together(server, database, sent).await
}

async fn all_together(
    server: &TestApp,
    database: Database,
    sent: impl Iterator<Item = impl Future<Output = (StatusCode, Value)>>,
) -> Vec<(StatusCode, Value)> {
    let held = store::begin(&server.app.db).await.unwrap();
    if database == Database::Postgres {
        use sea_orm::ConnectionTrait as _;
        held.execute_unprepared("LOCK TABLE webhook_events IN EXCLUSIVE MODE")
            .await
            .unwrap();
    }
    let sent = join_all(sent);
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(sent, release);
    answers
}

/// Returns the stored data of a call, without the fields in [`DIFFERS`].
async fn left(server: &TestApp, call: &str) -> Vec<(&'static str, Vec<Value>)> {
    let mut all = server.everything_of(call).await;
    for (_, rows) in &mut all {
        for row in rows.iter_mut() {
            let members = row.as_object_mut().unwrap();
            members.retain(|name, _| {
                let is_key = name == "call_id" || !name.ends_with("_id") && name != "id";
                is_key && !name.ends_with("_at") && !DIFFERS.contains(&name.as_str())
            });
        }
        rows.sort_by_key(ToString::to_string);
    }
    all
}

async fn messages_that_share_a_transaction_leave_what_they_would_leave_alone(database: Database) {
    let (one_by_one, together) = (TestApp::start(database).await, TestApp::start(database).await);
    let messages = messages();
    for message in &messages {
        assert_eq!(one_by_one.post_signed(message).await.0, StatusCode::OK);
    }
    assert_eq!(one_by_one.app.recorder.sharing.shared(), 0);
    // The first message loads the rulebook into memory, which messages need to share a transaction.
    assert_eq!(together.post_signed(&messages[0]).await.0, StatusCode::OK);
    for (status, answer) in send_together(&together, database, &messages).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let shared = together.app.recorder.sharing.shared();
    assert!(shared > 10, "{shared} of {} shared a transaction", messages.len());
    for number in 0..24 {
        let call = format!("call-{number:02}");
        for (one, other) in left(&together, &call).await.iter().zip(&left(&one_by_one, &call).await) {
            assert_eq!(one, other, "{call}");
        }
    }
    // Duplicates change nothing.
    let before = together
        .counts(["webhook_events", "decisions", "sms_messages", "leads"])
        .await;
    for (status, answer) in send_together(&together, database, &messages).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let after = together
        .counts(["webhook_events", "decisions", "sms_messages", "leads"])
        .await;
    assert_eq!(after, before);
    assert!(together.app.recorder.sharing.shared() > shared + 10);
    one_by_one.stop().await;
    together.stop().await;
}

async fn one_that_cannot_be_recorded_takes_no_other_with_it(database: Database) {
    let server = TestApp::start(database).await;
    crate::replay_events::poison(&server, database).await;
    assert_eq!(server.post_signed(&report("first", CAMERA)).await.0, StatusCode::OK);
    let mut messages: Vec<Value> = (0..16)
        .map(|number| report(&format!("call-{number:02}"), FLOOD))
        .collect();
    messages.insert(5, report("poison-1", FLOOD));
    messages.insert(11, report("poison-2", FLOOD));
    for (status, answer) in send_together(&server, database, &messages).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert!(server.app.recorder.sharing.shared() > 5);
    let (_, leads) = server
        .admin(Method::GET, "/admin/v1/rulebooks/default/leads?limit=100", None)
        .await;
    assert_eq!(leads["items"].as_array().unwrap().len(), 17, "{leads}");
    let events = server.rows("webhook_events").await;
    let in_state = |state: &str| events.iter().filter(|event| event["state"] == json!(state)).count();
    assert_eq!((in_state("recorded"), in_state("poisoned"), events.len()), (17, 2, 19));
    server.stop().await;
}

async fn messages_of_two_rulebooks_share_a_transaction(database: Database) {
    let server = agency::with_north(database).await;
    let post = async |code: &str, call: &str| {
        let body = serde_json::to_vec(&report(call, FLOOD)).unwrap();
        let (path, north) = (format!("/webhooks/vapi/{code}"), code == "north");
        let secret = if north { agency::SECRET } else { VAPI_SECRET };
        server.post_signed_to(&path, secret, &body).await
    };
    // Messages can share a transaction only after their rulebook has been loaded into memory.
    for code in ["default", "north"] {
        assert_eq!(post(code, "first").await.0, StatusCode::OK);
    }
    let calls: Vec<String> = (0..12).map(|number| format!("call-{number:02}")).collect();
    let sent = calls
        .iter()
        .flat_map(|call| [post("default", call), post("north", call)]);
    for (status, answer) in all_together(&server, database, sent).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert!(server.app.recorder.sharing.shared() > 10);
    for table in ["leads", "decisions", "sms_messages", "escalations"] {
        let mut counts = BTreeMap::<String, usize>::new();
        for row in server.rows(table).await {
            *counts.entry(row["rulebook_id"].to_string()).or_default() += 1;
        }
        let counts: Vec<usize> = counts.into_values().collect();
        // Both rulebooks have the same rules and the same 13 calls. So each table has the same number of rows for both
        // rulebooks, and this number is a multiple of 13.
        assert!(
            matches!(counts[..], [one, other] if one == other && one % 13 == 0 && one > 0),
            "{table}: {counts:?}"
        );
    }
    server.stop().await;
}
