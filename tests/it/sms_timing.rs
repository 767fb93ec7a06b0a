//! Tests when SMS messages are sent: quiet hours, a rule's cool-down, the daily cap, and the on-call rotation.

use base::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    both,
    escalation::{drop_cases, lead, patch, put, texted},
    spool::server_of,
    support::{
        Database, StandIn, TestApp,
        app::VAPI_SECRET,
        database::TestDatabase,
        messages::report,
        postgres_is_tested,
        proxy::{Fault, Proxy},
        tables::{having, rows},
    },
    twilio_callbacks,
};

both!(
    quiet_hours_hold_what_can_wait_until_the_morning,
    the_daily_cap_is_told_before_it_bites_and_never_holds_a_p1,
    the_cap_is_exact_under_many_at_once,
    a_rule_that_cools_down_is_silent_about_the_same_caller_only,
    who_is_on_call_is_texted,
);

/// Returns 24 November, 22:30 in Montréal.
fn evening() -> DateTime<Utc> {
    "2026-11-25T03:30:00Z".parse().unwrap()
}

async fn at_rest(database: Database, at: DateTime<Utc>) -> TestApp {
    let server = TestApp::at_rest(database, at).await;
    drop_cases(&server, |case| case["code"] == "upper_price_3000").await;
    patch(&server, "/priority-rules/large_job", &json!({"template": "alert"})).await;
    server
}

const LARGE_JOB: &str = "Je voudrais un drain français.";
const MUNICIPAL: &str = "Ici la ville de Longueuil.";
const FLOOD: &str = "C'est inondé.";

/// Builds the report of a call from this phone number.
fn from(number: &str, call: &str, said: &str) -> Value {
    let mut message = report(call, said);
    message["message"]["customer"]["number"] = json!(number);
    message
}

async fn quiet_hours_hold_what_can_wait_until_the_morning(database: Database) {
    let server = at_rest(database, evening()).await;
    patch(&server, "", &json!({"quiet_from": "21:00", "quiet_until": "07:00"})).await;
    for (call, said) in [("p1", FLOOD), ("p2", MUNICIPAL), ("p3", LARGE_JOB)] {
        server.take(&report(call, said)).await;
    }
    server.app.outbox.drain_once().await.unwrap();
    let states = async || {
        let mut texts = server.rows("sms_messages").await;
        texts.sort_by_key(|text| text["priority"].to_string());
        texts
            .iter()
            .map(|text| text["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["simulated", "simulated", "queued"]);
    let held = having(&server.rows("sms_messages").await, "call_id", "p3")[0].clone();
    let instant = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let morning: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
    assert_eq!(
        (instant(&held["held_until"]), instant(&held["next_attempt_at"])),
        (morning, morning)
    );
    let path = "/admin/v1/sms-messages?priority=P3";
    let (_, list) = server.admin(reqwest::Method::GET, path, None).await;
    assert_eq!(instant(&list["items"][0]["held_until"]), morning, "{list}");
    // The message waits for eight and a half hours. Most messages expire earlier, but a held message does not.
    server.app.clock.set(morning - TimeDelta::seconds(1));
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(states().await, ["simulated", "simulated", "queued"]);
    server.app.clock.step(TimeDelta::seconds(1));
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(states().await, ["simulated", "simulated", "simulated"]);
    // During the day, messages do not wait.
    server.take(&report("by-day", LARGE_JOB)).await;
    let by_day = having(&server.rows("sms_messages").await, "call_id", "by-day")[0].clone();
    assert_eq!(by_day["held_until"], Value::Null);
    server.stop().await;
}

async fn the_daily_cap_is_told_before_it_bites_and_never_holds_a_p1(database: Database) {
    let server = at_rest(database, evening()).await;
    patch(&server, "", &json!({"daily_sms_cap": 5})).await;
    let codes = async || {
        let notices = server.rows("notices").await;
        let open = notices.iter().filter(|notice| notice["resolved_at"].is_null());
        let mut codes: Vec<_> = open.map(|notice| notice["code"].as_str().unwrap().to_owned()).collect();
        codes.sort();
        codes
    };
    for number in 0..3 {
        server.take(&report(&format!("a-{number}"), MUNICIPAL)).await;
    }
    // A duplicate causes no SMS message.
    server.take(&report("a-2", MUNICIPAL)).await;
    assert_eq!(codes().await, Vec::<String>::new());
    server.take(&report("a-3", MUNICIPAL)).await;
    assert_eq!(codes().await, ["sms_cap_near"]);
    server.take(&report("a-4", MUNICIPAL)).await;
    assert_eq!(codes().await, ["sms_cap_near"]);
    server.take(&report("b-1", MUNICIPAL)).await;
    server.take(&report("b-2", FLOOD)).await;
    assert_eq!(codes().await, ["sms_cap_near", "sms_cap_reached"]);
    let texts = server.rows("sms_messages").await;
    assert_eq!(having(&texts, "state", "queued").len(), 6);
    let capped = having(&texts, "state", "dead");
    assert_eq!(capped.len(), 1);
    assert_eq!(
        (&capped[0]["call_id"], &capped[0]["error"]),
        (&json!("b-1"), &json!("the daily cap of SMS messages is reached"))
    );
    assert_eq!(lead(&server, "b-1").await["capped"], json!(true));
    assert_eq!(lead(&server, "b-2").await["capped"], json!(false));
    let path = format!("{}/leads?capped=true", crate::escalation::BOOK);
    let (_, list) = server.admin(reqwest::Method::GET, &path, None).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    // The next day, in Montréal's time zone, the count starts again.
    server.app.clock.step(TimeDelta::minutes(89));
    server.take(&report("c-1", MUNICIPAL)).await;
    assert_eq!(having(&server.rows("sms_messages").await, "state", "dead").len(), 2);
    server.app.clock.step(TimeDelta::minutes(1));
    server.take(&report("c-2", MUNICIPAL)).await;
    assert_eq!(having(&server.rows("sms_messages").await, "state", "dead").len(), 2);
    assert_eq!(codes().await, Vec::<String>::new());
    server.stop().await;
}

async fn the_cap_is_exact_under_many_at_once(database: Database) {
    let server = at_rest(database, evening()).await;
    patch(&server, "", &json!({"daily_sms_cap": 10})).await;
    let messages: Vec<Value> = (0..24)
        .map(|number| report(&format!("call-{number}"), MUNICIPAL))
        .collect();
    futures_util::future::join_all(messages.iter().map(|message| server.take(message))).await;
    let texts = server.rows("sms_messages").await;
    assert_eq!(
        (
            having(&texts, "state", "queued").len(),
            having(&texts, "state", "dead").len()
        ),
        (10, 14)
    );
    server.stop().await;
}

async fn a_rule_that_cools_down_is_silent_about_the_same_caller_only(database: Database) {
    let server = at_rest(database, evening()).await;
    for rule in ["municipal", "emergency"] {
        patch(
            &server,
            &format!("/priority-rules/{rule}"),
            &json!({"cool_down_s": 600}),
        )
        .await;
    }
    let count = async || server.counts(["sms_messages"]).await[0];
    server.take(&from("+14385550177", "a", MUNICIPAL)).await;
    server.take(&from("+14385550177", "b", MUNICIPAL)).await;
    assert_eq!(count().await, 1);
    server.take(&from("+14385550178", "c", MUNICIPAL)).await;
    assert_eq!(count().await, 2);
    // The cool-down of a rule does not stop messages of another rule about the same caller. A rule for P1 sends a
    // message for each call of the caller.
    server.take(&from("+14385550177", "d", FLOOD)).await;
    server.take(&from("+14385550177", "e", FLOOD)).await;
    assert_eq!(count().await, 4);
    server.app.clock.step(TimeDelta::seconds(600));
    server.take(&from("+14385550177", "f", MUNICIPAL)).await;
    assert_eq!(count().await, 5);
    server.stop().await;
}

async fn who_is_on_call_is_texted(database: Database) {
    let server = at_rest(database, evening()).await;
    patch(&server, "", &json!({"rotation_from": "2026-11-23T08:00"})).await;
    let second = json!({"on_call": true, "rotation_week": 1, "rotation_of": 2});
    patch(&server, "/contacts/second", &second).await;
    let (_, cases) = server
        .admin(reqwest::Method::GET, "/admin/v1/rulebooks/default/lint", None)
        .await;
    assert!(cases["items"].is_array() || cases["findings"].is_array(), "{cases}");
    let amina = json!({"name": "Amina", "phone": "+15145550103", "language": "en", "rank": 30, "on_call": true,
        "rotation_week": 2, "rotation_of": 2});
    put(&server, "/contacts/amina", &amina).await;
    server.take(&report("this-week", FLOOD)).await;
    // A contact without a schedule is always on call.
    assert_eq!(texted(&server).await, ["on_call", "second"]);
    server.stop().await;
}

/// Only PostgreSQL has replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lags_or_is_lost_holds_up_neither_messages_nor_texts() {
    if !postgres_is_tested() {
        return;
    }
    let database = TestDatabase::create(Database::Postgres).await;
    // The replica never receives any data.
    let replica = TestDatabase::create(Database::Postgres).await;
    let proxy = Proxy::start(server_of(&replica.url)).await;
    let twilio = StandIn::start(["SM1", "SM2"].map(twilio_callbacks::taken).into()).await;
    let env = [
        ("DATABASE_READ_URL", proxy.in_url(&replica.url)),
        ("RINGBOOK_WORKERS", "none".to_owned()),
        ("TWILIO_ACCOUNT_SID", twilio_callbacks::ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", twilio_callbacks::TOKEN.to_owned()),
        ("TWILIO_FROM", "+15145550100".to_owned()),
        ("TWILIO_BASE_URL", twilio.url()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).into();
    let first = TestApp::start_on(database, Clock::system(), env).await;
    // The second instance has no rules in memory yet.
    let server = first.another().await;
    for (call, fault) in [("lags", Fault::None), ("lost", Fault::Refuse)] {
        proxy.set(fault).await;
        proxy.reset_all();
        let body = serde_json::to_vec(&report(call, FLOOD)).unwrap();
        let answer = server.send_signed("/webhooks/vapi", VAPI_SECRET, &body).await;
        assert!(answer.status().is_success(), "{call}");
        assert!(!answer.headers().contains_key("x-ringbook-degraded"), "{call}");
        server.app.outbox.drain_once().await.unwrap();
        let texts = rows(&server.app.primary, "sms_messages").await;
        let text = &having(&texts, "call_id", call)[0];
        assert_eq!(text["state"], "accepted", "{call}");
    }
    let (status, health) = server.get("/health/ready").await;
    assert!(status.is_success(), "{health}");
    server.stop().await;
    first.stop().await;
    replica.remove().await;
}
