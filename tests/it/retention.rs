//! Tests retention and erasure. Old data is purged, and a caller's data is erased on request. Decisions and the audit
//! log stay complete.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::erasure::EraseError;
use reqwest::{Method, StatusCode};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use store::erasure_jobs;
use store::leases::Lease;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    both,
    erase::{conversation, found},
    support::{
        Database, TestApp,
        messages::{message, report, status},
        tables::having,
    },
};

both!(
    transcripts_bodies_and_events_go_at_their_age_and_decisions_stay,
    bodies_without_effect_go_after_a_month_unless_somebody_says_otherwise,
    a_call_that_goes_on_keeps_its_transcript,
    a_stale_purger_takes_nothing_and_a_killed_one_is_continued,
    retention_has_a_version_is_audited_and_refuses_nonsense,
    a_caller_is_erased_by_number,
    an_interrupted_erasure_is_continued_by_one_task,
    a_call_is_erased_by_its_id_before_anything_is_known_of_it,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const SAID: &str = "Mon sous-sol est inondé. Rappelez Zenobie Quatremains au 4385550177.";

fn start() -> DateTime<Utc> {
    "2026-11-24T15:02:00Z".parse().unwrap()
}

async fn keep(server: &TestApp, days: &Value) -> Value {
    let path = format!("{BOOK}/retention");
    let (status, answer) = server.admin(Method::PUT, &path, Some(days)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

async fn lease(server: &TestApp) -> Lease {
    let held = server
        .app
        .leases
        .try_hold("purge", TimeDelta::minutes(1))
        .await
        .unwrap();
    held.unwrap().lease().clone()
}

async fn purge(server: &TestApp) -> u64 {
    server.app.clock.step(TimeDelta::minutes(2));
    let lease = lease(server).await;
    server.app.purge.run(&lease, &CancellationToken::new()).await.unwrap()
}

async fn audit_is_whole(server: &TestApp) {
    let (status, verdict) = server
        .admin(Method::GET, "/admin/v1/audit-log/verification", None)
        .await;
    assert_eq!(
        (status, &verdict["intact"]),
        (StatusCode::OK, &json!(true)),
        "{verdict}"
    );
}

async fn transcripts_bodies_and_events_go_at_their_age_and_decisions_stay(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for number in 0..3 {
        for message in conversation(&format!("call-{number}")) {
            server.take(&message).await;
        }
        // There is one call per day.
        server.app.clock.step(TimeDelta::days(1));
    }
    let everything = server
        .counts(["webhook_events", "decisions", "leads", "tool_calls"])
        .await;
    assert_eq!(purge(&server).await, 0, "data was purged although no retention was set");
    keep(
        &server,
        &json!({"transcripts_days": 10, "bodies_days": 5, "version": 0}),
    )
    .await;
    assert_eq!(purge(&server).await, 0, "data was purged although none is old enough");
    // Now the bodies of the first call are old enough, and they are deleted.
    server.app.clock.step(TimeDelta::days(3) - TimeDelta::hours(12));
    assert!(purge(&server).await > 0);
    let with_body = async |call: &str| {
        let events = having(&server.rows("webhook_events").await, "call_id", call);
        events.iter().filter(|event| !event["body"].is_null()).count()
    };
    assert_eq!(with_body("call-0").await, 0);
    assert!(with_body("call-1").await > 0);
    assert_eq!(purge(&server).await, 0, "once");
    let turns = async |call: &str| having(&server.rows("call_transcripts").await, "call_id", call).len();
    assert!(turns("call-0").await > 0);
    server.app.clock.step(TimeDelta::days(5));
    assert!(purge(&server).await > 0);
    assert_eq!(turns("call-0").await, 0);
    assert!(turns("call-1").await > 0);
    let calls = server.rows("calls").await;
    let of = |call: &str| having(&calls, "id", call)[0].clone();
    assert!(of("call-0")["summary"].is_null() && !of("call-1")["summary"].is_null());
    // Decisions stay. A replay reports that the facts were erased. It does not report a different decision.
    assert_eq!(
        server
            .counts(["webhook_events", "decisions", "leads", "tool_calls"])
            .await,
        everything
    );
    let replay = async |call: &str| {
        let decisions = having(&server.rows("decisions").await, "call_id", call);
        let report = &having(&decisions, "purpose", "report")[0];
        let id: String = report["id"].as_str().unwrap().to_owned();
        let path = format!("{BOOK}/decisions/{}/replay", Uuid::parse_str(&id).unwrap());
        server.admin(Method::POST, &path, None).await
    };
    let (status, answer) = replay("call-0").await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("erased"), "{answer}");
    let (status, answer) = replay("call-1").await;
    assert_eq!((status, &answer["same"]), (StatusCode::OK, &json!(true)), "{answer}");
    // Events without an effect are deleted too. Events with an effect stay, so that a repeated message is still a
    // duplicate.
    keep(
        &server,
        &json!({"transcripts_days": 10, "bodies_days": 5, "events_days": 12, "version": 1}),
    )
    .await;
    server.app.clock.step(TimeDelta::days(30));
    purge(&server).await;
    let events = server.rows("webhook_events").await;
    assert!(events.len() < everything[0] && events.len() >= 6, "{}", events.len());
    assert!(
        events
            .iter()
            .all(|event| event["body"].is_null() && event["answer"] == json!({}))
    );
    assert_eq!(
        server.counts(["decisions", "leads", "tool_calls"]).await,
        everything[1..]
    );
    server.take(&report("call-0", SAID)).await;
    assert_eq!(server.counts(["decisions", "leads"]).await, everything[1..3]);
    audit_is_whole(&server).await;
    server.stop().await;
}

async fn bodies_without_effect_go_after_a_month_unless_somebody_says_otherwise(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for message in conversation("call-1") {
        server.take(&message).await;
    }
    let bodies = async || {
        let events = server.rows("webhook_events t ORDER BY type").await;
        let kept = events.iter().filter(|event| !event["body"].is_null());
        kept.map(|event| event["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = bodies().await;
    assert!(all.contains(&"speech-update".to_owned()) && all.contains(&"conversation-update".to_owned()));
    server.app.clock.step(TimeDelta::days(29));
    assert_eq!(purge(&server).await, 0);
    keep(&server, &json!({"interim_bodies_days": 40, "version": 0})).await;
    server.app.clock.step(TimeDelta::days(2));
    assert_eq!((purge(&server).await, bodies().await), (0, all.clone()));
    // If the request omits `interim_bodies_days`, the value is 30 again.
    let kept = keep(&server, &json!({"version": 1})).await;
    assert_eq!(kept["interim_bodies_days"], 30);
    assert_eq!(purge(&server).await, 2);
    let others: Vec<_> = all
        .into_iter()
        .filter(|name| !["speech-update", "conversation-update"].contains(&&**name))
        .collect();
    assert_eq!(bodies().await, others);
    // The default also applies to a rulebook without stored retention settings.
    server.sql("DELETE FROM retentions").await;
    server
        .take(&message("speech-update", "call-2", 0, &json!({"status": "started"})))
        .await;
    server.app.clock.step(TimeDelta::days(31));
    assert_eq!((purge(&server).await, bodies().await), (1, others));
    server.stop().await;
}

async fn a_call_that_goes_on_keeps_its_transcript(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    keep(&server, &json!({"transcripts_days": 2, "version": 0})).await;
    // The first message of the call comes long before the call takes place.
    server.take(&status("call-1", "scheduled", 0)).await;
    server.app.clock.step(TimeDelta::days(3));
    server.take(&report("call-1", SAID)).await;
    purge(&server).await;
    assert!(!server.rows("call_transcripts").await.is_empty());
    server.app.clock.step(TimeDelta::days(2));
    purge(&server).await;
    assert_eq!(server.rows("call_transcripts").await, Vec::<Value>::new());
    server.stop().await;
}

async fn a_stale_purger_takes_nothing_and_a_killed_one_is_continued(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for number in 0..5 {
        server.take(&report(&format!("call-{number}"), SAID)).await;
    }
    keep(&server, &json!({"bodies_days": 1, "version": 0})).await;
    server.app.clock.step(TimeDelta::days(2));
    let slow = lease(&server).await;
    server.app.clock.step(TimeDelta::minutes(2));
    let quick = lease(&server).await;
    let stop = CancellationToken::new();
    let refused = server.app.purge.run(&slow, &stop).await.unwrap_err();
    assert!(refused.to_string().contains("taken over"));
    let bodies = async || {
        let events = server.rows("webhook_events").await;
        events.iter().filter(|event| !event["body"].is_null()).count()
    };
    assert_eq!(bodies().await, 5);
    // A purge that was stopped starts nothing new.
    stop.cancel();
    assert_eq!(server.app.purge.run(&quick, &stop).await.unwrap(), 0);
    assert_eq!(
        server.app.purge.run(&quick, &CancellationToken::new()).await.unwrap(),
        5
    );
    assert_eq!(bodies().await, 0);
    let (_, metrics) = server.get("/metrics").await;
    assert!(
        metrics
            .as_str()
            .unwrap()
            .contains("ringbook_purged_rows_total{what=\"bodies\"}")
    );
    server.stop().await;
}

async fn retention_has_a_version_is_audited_and_refuses_nonsense(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let path = format!("{BOOK}/retention");
    let (status, answer) = server.admin(Method::GET, &path, None).await;
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({"interim_bodies_days": 30, "version": 0}))
    );
    let kept = keep(&server, &json!({"bodies_days": 30, "version": 0})).await;
    assert_eq!(
        kept,
        json!({"bodies_days": 30, "interim_bodies_days": 30, "version": 1})
    );
    for (body, status, code) in [
        (
            json!({"bodies_days": 30}),
            StatusCode::PRECONDITION_REQUIRED,
            "version_required",
        ),
        (
            json!({"bodies_days": 30, "version": 0}),
            StatusCode::PRECONDITION_FAILED,
            "stale_version",
        ),
        (
            json!({"bodies_days": 0, "version": 1}),
            StatusCode::BAD_REQUEST,
            "invalid_body",
        ),
        (
            json!({"transcripts_days": -1, "version": 1}),
            StatusCode::BAD_REQUEST,
            "invalid_body",
        ),
        (
            json!({"events_days": 36_501, "version": 1}),
            StatusCode::BAD_REQUEST,
            "invalid_body",
        ),
        (
            json!({"body_days": 1, "version": 1}),
            StatusCode::BAD_REQUEST,
            "invalid_body",
        ),
    ] {
        let (found, answer) = server.admin(Method::PUT, &path, Some(&body)).await;
        assert_eq!(
            (found, answer["code"].as_str()),
            (status, Some(code)),
            "{body}: {answer}"
        );
    }
    // The purge has just run and holds its lease for an hour. A new retention setting makes the purge due again.
    let held = server.app.leases.try_hold("purge", TimeDelta::hours(1)).await.unwrap();
    assert!(
        held.is_some()
            && server
                .app
                .leases
                .try_hold("purge", TimeDelta::hours(1))
                .await
                .unwrap()
                .is_none()
    );
    keep(&server, &json!({"bodies_days": 31, "version": 1})).await;
    let again = server.app.leases.try_hold("purge", TimeDelta::hours(1)).await.unwrap();
    assert!(again.is_some_and(|again| again.fence() == held.unwrap().fence() + 1));
    let log = having(&server.rows("audit_log t ORDER BY seq").await, "resource", "retention");
    assert_eq!(log.len(), 2);
    assert_eq!(log[0]["after"]["bodies_days"], 30);
    server.stop().await;
}

async fn a_caller_is_erased_by_number(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for call in ["call-1", "call-2"] {
        for message in conversation(call) {
            server.take(&message).await;
        }
    }
    let mut other = report("other", "Bonjour.");
    other["message"]["customer"] = json!({"number": "+15145550123", "name": "Autre Personne"});
    other["message"]["analysis"]["structuredData"] =
        json!({"customerName": "Autre Personne", "customerPhone": "514 555-0123"});
    other["message"]["analysis"]["summary"] = json!("Autre Personne appelle.");
    server.take(&other).await;
    // Two messages do not belong to a known call. One of them is unreadable.
    let mut loose = message("chat.created", "nowhere", 0, &json!({"chat": {"said": SAID}}));
    loose["message"].as_object_mut().unwrap().remove("call");
    server.take(&loose).await;
    server
        .take(&message(
            "speech-update",
            "unknown",
            0,
            &json!({"artifact": {"transcript": SAID}}),
        ))
        .await;
    let broken = format!("{{\"message\": \"{SAID}\"}}");
    let secret = crate::support::app::VAPI_SECRET;
    assert_eq!(
        server
            .post_signed_to("/webhooks/vapi", secret, broken.as_bytes())
            .await
            .0,
        StatusCode::OK
    );
    assert!(!found(&server).await.is_empty());
    let path = format!("{BOOK}/erasures");
    let erase = async |number: &str| {
        let (status, answer) = server
            .admin(Method::POST, &path, Some(&json!({"customer_number": number})))
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        (answer["calls"].as_u64().unwrap(), answer["messages"].as_u64().unwrap())
    };
    assert_eq!(erase("+15145559999").await, (0, 0));
    assert_eq!(erase("+1 (438) 555-0177").await, (2, 3));
    assert_eq!(found(&server).await, Vec::<String>::new());
    assert_eq!(erase("+14385550177").await, (0, 0));
    // The data of the other caller is unchanged.
    let calls = server.rows("calls").await;
    assert_eq!(having(&calls, "id", "other")[0]["customer_name"], "Autre Personne");
    // The audit log shows that somebody was erased, but not who.
    let log = having(&server.rows("audit_log t ORDER BY seq").await, "action", "erase");
    assert_eq!((log.len(), &log[1]["after"]), (3, &json!({"by": "customer_number"})));
    let (_, listed) = server.admin(Method::GET, &format!("{path}?sort=id"), None).await;
    assert_eq!(listed["items"][1]["id"], log[1]["code"]);
    assert_eq!(
        (&listed["items"][1]["state"], &listed["items"][1]["calls"]),
        (&json!("done"), &json!(2))
    );
    assert!(!format!("{log:?}").contains("5550177"));
    audit_is_whole(&server).await;
    // Late messages about an erased call are not stored.
    server.take(&report("call-1", SAID)).await;
    assert_eq!(found(&server).await, Vec::<String>::new());
    server.stop().await;
}

/// The instance stops after it accepted an erasure. Another instance continues the erasure. If the first instance was
/// only paused, it erases nothing after it resumes.
async fn an_interrupted_erasure_is_continued_by_one_task(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for call in ["call-1", "call-2"] {
        for message in conversation(call) {
            server.take(&message).await;
        }
    }
    let path = format!("{BOOK}/erasures");
    let nobody = json!({"customer_number": "+15145559999"});
    let (_, accepted) = server.admin(Method::POST, &path, Some(&nobody)).await;
    server
        .sql("UPDATE erasures SET digits = '4385550177', finished_at = NULL")
        .await;
    let one = format!("{path}/{}", accepted["id"].as_str().unwrap());
    let state = async || {
        let (status, answer) = server.admin(Method::GET, &one, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(!answer.to_string().contains("5550177"), "{answer}");
        (answer["state"].clone(), answer["calls"].clone())
    };
    assert_eq!(state().await, (json!("running"), json!(0)));
    let (erasures, stop) = (&server.app.erasures, CancellationToken::new());
    let paused = erasure_jobs::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    // The instance that accepted the erasure may still be running it.
    erasures.resume(&stop).await.unwrap();
    assert_eq!(state().await, (json!("running"), json!(0)));
    server.app.clock.step(TimeDelta::minutes(2));
    erasures.resume(&stop).await.unwrap();
    assert_eq!(state().await, (json!("done"), json!(2)));
    assert_eq!(found(&server).await, Vec::<String>::new());
    assert!(matches!(erasures.run(&paused).await, Err(EraseError::TakenOver)));
    assert_eq!(state().await, (json!("done"), json!(2)));
    let row = server.only_row("erasures").await;
    assert!(row["digits"].is_null() && row["call_id"].is_null(), "{row}");
    let (status, _) = server
        .admin(Method::GET, &format!("{path}/{}", Uuid::nil()), None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.stop().await;
}

async fn a_call_is_erased_by_its_id_before_anything_is_known_of_it(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let path = format!("{BOOK}/erasures");
    let (status, answer) = server
        .admin(Method::POST, &path, Some(&json!({"call_id": "call-1"})))
        .await;
    assert_eq!((status, &answer["calls"]), (StatusCode::OK, &json!(1)), "{answer}");
    for message in conversation("call-1") {
        server.take(&message).await;
    }
    assert_eq!(found(&server).await, Vec::<String>::new());
    for body in [
        json!({}),
        json!({"call_id": "a", "customer_number": "+15145550100"}),
        json!({"call_id": ""}),
        json!({"call_id": "a\u{0}"}),
        json!({"customer_number": "911"}),
        json!({"customer_number": "nobody"}),
        json!({"number": "+15145550100"}),
    ] {
        let (status, answer) = server.admin(Method::POST, &path, Some(&body)).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_body")),
            "{body}"
        );
    }
    let missing = "/admin/v1/rulebooks/third/erasures";
    let (status, _) = server
        .admin(Method::POST, missing, Some(&json!({"call_id": "a"})))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.stop().await;
}
