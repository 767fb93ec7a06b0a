//! Tests four races: an edit against messages in flight, two bodies of one report, a report against a booking, and a
//! message against the erasure of its caller.

use std::time::Duration;

use authoring::change_set::{ChangeSet, Edit, ExpectedVersion};
use base::clock::Clock;
use reqwest::{Method, StatusCode};
use revisions::publish::Author;
use rules::rows::Resource;
use sea_orm::{ConnectionTrait as _, EntityTrait as _, Statement};
use serde_json::{Value, json};
use store::calls::{self, CallTouch};
use store::leads::{self, LeadPart};
use store::{begin, erasures, rulebooks};
use uuid::Uuid;

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{heard, message, report},
        postgres_is_tested,
    },
};

both!(ten_bodies_of_one_report_at_once_are_one_call_with_its_turns_once);

const FLOOD: &str = "Mon sous-sol est inondé, le drain est bouché.";

async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

async fn default_rulebook(server: &TestApp) -> Uuid {
    rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap().id
}

/// Waits until a session waits for a lock in the server's database.
async fn somebody_waits(server: &TestApp) {
    let sql = "SELECT count(*) AS waiting FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let statement = Statement::from_string(server.app.read.get_database_backend(), sql);
        let row = server.app.read.query_one_raw(statement).await.unwrap().unwrap();
        if row.try_get::<i64>("", "waiting").unwrap() > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_does_not_wait_for_messages_in_flight() {
    if !postgres_is_tested() {
        return;
    }
    let server = quiet(Database::Postgres).await;
    // Because of foreign keys, every message holds this lock on its rulebook until it commits.
    let in_flight = begin(&server.app.db).await.unwrap();
    in_flight
        .execute_unprepared("SELECT 1 FROM rulebooks FOR KEY SHARE")
        .await
        .unwrap();
    let edit = Edit::Delete {
        resource: Resource::FactMappings,
        code: "customer_email".to_owned(),
        expected: ExpectedVersion::Any,
    };
    let change = ChangeSet {
        edits: vec![edit],
        comment: String::new(),
    };
    let publisher = &server.app.publisher;
    let published = publisher
        .publish(default_rulebook(&server).await, change, Author::default())
        .await
        .unwrap();
    assert_eq!(published.unwrap().revision, 2);
    in_flight.rollback().await.unwrap();
    server.stop().await;
}

async fn ten_bodies_of_one_report_at_once_are_one_call_with_its_turns_once(database: Database) {
    let server = quiet(database).await;
    for round in 0..3 {
        let call = format!("call-{round}");
        let bodies: Vec<Value> = (0..10)
            .map(|delivery| {
                let mut body = report(&call, FLOOD);
                body["message"]["artifact"]["logUrl"] = json!(format!("https://example.com/{delivery}"));
                body
            })
            .collect();
        let answers = futures_util::future::join_all(bodies.iter().map(|body| server.post_signed(body))).await;
        for (status, answer) in answers {
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
    }
    assert_eq!(
        server.counts(["calls", "leads", "decisions", "call_transcripts"]).await,
        [3, 3, 3, 9]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_waits_for_its_call_without_holding_the_lead() {
    if !postgres_is_tested() {
        return;
    }
    let server = quiet(Database::Postgres).await;
    let (rulebook_id, clock) = (default_rulebook(&server).await, &server.app.clock);
    // Another transaction contains a booking in the same call. The report does not see the booking yet.
    let booking = begin(&server.app.db).await.unwrap();
    let call = CallTouch {
        id: "call-1",
        ..CallTouch::default()
    };
    assert!(calls::touch(&booking, rulebook_id, &call, clock.now()).await.unwrap());
    let message = report("call-1", FLOOD);
    let sent = server.post_signed(&message);
    let booked = async {
        somebody_waits(&server).await;
        let (id, lead) = (clock.new_id(), LeadPart::default());
        let lead = leads::upsert(&booking, rulebook_id, id, "call-1", &lead, clock.now());
        // The timeout is shorter than PostgreSQL's `deadlock_timeout` of one second.
        tokio::time::timeout(Duration::from_millis(500), lead)
            .await
            .expect("the report has locked the lead")
            .unwrap();
        booking.commit().await.unwrap();
    };
    let ((status, answer), ()) = tokio::join!(sent, booked);
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(server.counts(["calls", "leads", "decisions"]).await, [1, 1, 1]);
    server.stop().await;
}

/// Sends `message` during the erasure of its caller. The erasure commits first.
async fn sent_during_the_erasure(server: &TestApp, message: &Value) {
    let erasure = begin(&server.app.db).await.unwrap();
    let now = Clock::system().now();
    erasures::erase_call(&erasure, default_rulebook(server).await, "call-1", now)
        .await
        .unwrap();
    let sent = server.post_signed(message);
    let commit = async {
        somebody_waits(server).await;
        erasure.commit().await.unwrap();
    };
    let ((status, answer), ()) = tokio::join!(sent, commit);
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_meets_the_erasure_of_its_caller_leaves_nothing_of_them() {
    if !postgres_is_tested() {
        return;
    }
    let tools =
        json!({"toolCallList": [{"id": "t1", "name": "bookAppointment", "arguments": {"customer_name": "Zenobie"}}]});
    for message in [
        report("call-1", FLOOD),
        message("tool-calls", "call-1", 3_000, &tools),
        heard("call-1", "user", FLOOD, 2_000),
    ] {
        let server = quiet(Database::Postgres).await;
        sent_during_the_erasure(&server, &message).await;
        let events = server.rows("webhook_events").await;
        assert!(
            events.iter().all(|event| event["body"].is_null()),
            "{}",
            message["message"]["type"]
        );
        let left = server
            .counts(["leads", "call_transcripts", "decisions", "tool_calls", "sms_messages"])
            .await;
        assert_eq!(left, [0; 5], "{}", message["message"]["type"]);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_takes_what_came_in_at_the_same_time_with_it() {
    if !postgres_is_tested() {
        return;
    }
    let server = quiet(Database::Postgres).await;
    let before = server.app.clock.now();
    assert_eq!(server.post_signed(&report("call-1", FLOOD)).await.0, StatusCode::OK);
    // The erasure was received before the report, but its instance had to wait for the lock.
    let erasure = begin(&server.app.db).await.unwrap();
    erasures::erase_call(&erasure, default_rulebook(&server).await, "call-1", before)
        .await
        .unwrap();
    erasure.commit().await.unwrap();
    let events = server.rows("webhook_events").await;
    assert!(events.iter().all(|event| event["body"].is_null()));
    let decision = server.only_row("decisions").await;
    assert!(!decision["extracted"].to_string().contains("inond"), "{decision}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_takes_long_continues_after_its_response() {
    if !postgres_is_tested() {
        return;
    }
    let server = quiet(Database::Postgres).await;
    assert_eq!(server.post_signed(&report("call-1", FLOOD)).await.0, StatusCode::OK);
    let in_flight = begin(&server.app.db).await.unwrap();
    let lock = "SELECT id FROM calls WHERE id = 'call-1' FOR UPDATE";
    in_flight.execute_unprepared(lock).await.unwrap();
    let path = "/admin/v1/rulebooks/default/erasures";
    let (status, accepted) = server
        .admin(Method::POST, path, Some(&json!({"call_id": "call-1"})))
        .await;
    assert_eq!(
        (status, &accepted["state"]),
        (StatusCode::ACCEPTED, &json!("running")),
        "{accepted}"
    );
    in_flight.rollback().await.unwrap();
    let one = format!("{path}/{}", accepted["id"].as_str().unwrap());
    while server.admin(Method::GET, &one, None).await.1["state"] != "done" {
        tokio::task::yield_now().await;
    }
    let decision = server.only_row("decisions").await;
    assert!(!decision["extracted"].to_string().contains("inond"), "{decision}");
    server.stop().await;
}
