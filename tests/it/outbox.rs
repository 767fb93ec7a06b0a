//! Follows a report through the whole server to its SMS message, with a stand-in for Twilio.

use std::time::{Duration, Instant};

use base64::Engine as _;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    both,
    support::{Answer, Database, StandIn, TestApp, app::Builder, messages::report, tables::having},
};

both!(
    an_emergency_is_texted_to_who_is_on_call,
    two_refusals_for_now_and_then_a_yes_are_three_attempts_and_one_text,
    a_number_that_cannot_be_texted_is_a_dead_letter_and_a_notice,
    a_text_sent_again_goes_to_the_contacts_present_number,
    without_an_account_texts_are_simulated,
    an_instance_without_the_account_leaves_texts_to_those_that_have_it,
    an_account_that_is_missing_or_half_entered_is_a_notice_and_not_unreadiness,
    a_provider_that_says_nothing_keeps_no_message_waiting,
    a_repeat_and_an_amendment_text_nobody_again,
    a_send_on_its_way_when_the_server_stops_is_settled,
);

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "a-token-of-twilio";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_532_470, 0).unwrap()
}

fn with_twilio(database: Database, address: &str) -> Builder {
    TestApp::builder(database)
        .at(start())
        .set("TWILIO_ACCOUNT_SID", ACCOUNT)
        .set("TWILIO_AUTH_TOKEN", TOKEN)
        .set("TWILIO_FROM", "+15145550100")
        .set("TWILIO_BASE_URL", address)
}

fn taken() -> Answer {
    Answer::json(201, &json!({"sid": "SM1", "status": "queued"}))
}

fn refused(status: u16, code: i64) -> Answer {
    Answer::json(status, &json!({"code": code, "message": "no", "status": status}))
}

async fn flood(server: &TestApp, call: &str) {
    let message = report(call, "Mon sous-sol est inondé, des racines.");
    assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
}

/// Returns the only SMS message after it reached a final state. Advances the clock while the message waits for a retry.
async fn settled(server: &TestApp) -> Value {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let text = server.only_row("sms_messages").await;
        if !["queued", "sending"].contains(&text["state"].as_str().unwrap()) {
            return text;
        }
        assert!(
            Instant::now() < deadline,
            "timed out while waiting for a final state: {text}"
        );
        if text["state"] == "queued" && text["attempts"] != 0 {
            server.app.clock.step(TimeDelta::seconds(5));
            server.app.outbox.wake();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the outcomes of all attempts, in order.
async fn attempts(server: &TestApp) -> Vec<(i64, String, Option<i64>)> {
    let mut rows = server.rows("sms_attempts").await;
    rows.sort_by_key(|row| row["number"].as_i64());
    rows.iter()
        .map(|row| {
            let outcome = row["outcome"].as_str().unwrap_or("none").to_owned();
            (row["number"].as_i64().unwrap(), outcome, row["http_status"].as_i64())
        })
        .collect()
}

fn attempt(number: i64, outcome: &str, status: i64) -> (i64, String, Option<i64>) {
    (number, outcome.to_owned(), Some(status))
}

async fn an_emergency_is_texted_to_who_is_on_call(database: Database) {
    let twilio = StandIn::start(vec![taken()]).await;
    let server = with_twilio(database, &twilio.url()).start().await;
    flood(&server, "call-1").await;
    let text = settled(&server).await;
    assert_eq!(
        (&text["state"], &text["provider_id"]),
        (&json!("accepted"), &json!("SM1"))
    );
    let seen = twilio.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.clone()),
        ("POST", format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"))
    );
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    assert_eq!(seen[0].authorization, Some(format!("Basic {basic}")));
    let url = reqwest::Url::parse(&format!("http://form/?{}", seen[0].body)).unwrap();
    let field = |name: &str| {
        url.query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(field("To").as_deref(), Some("+15145550101"));
    assert_eq!(field("From").as_deref(), Some("+15145550100"));
    let body = field("Body").unwrap();
    for part in [
        "P1",
        "Alésage de racines",
        "Montréal",
        "450.00-750.00",
        "Zenobie Quatremains",
        "+14385550177",
        "Réf ",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(body.contains(text["reference"].as_str().unwrap()), "{body}");
    assert_eq!(attempts(&server).await, [attempt(1, "accepted", 201)]);
    server.stop().await;
}

async fn two_refusals_for_now_and_then_a_yes_are_three_attempts_and_one_text(database: Database) {
    let twilio = StandIn::start(vec![
        refused(429, 20_429).with_header("retry-after", "1"),
        refused(429, 20_429),
        taken(),
    ])
    .await;
    let server = with_twilio(database, &twilio.url()).start().await;
    flood(&server, "call-1").await;
    let text = settled(&server).await;
    assert_eq!((&text["state"], &text["attempts"]), (&json!("accepted"), &json!(3)));
    assert_eq!(
        attempts(&server).await,
        [
            attempt(1, "retry", 429),
            attempt(2, "retry", 429),
            attempt(3, "accepted", 201)
        ]
    );
    let seen = twilio.seen();
    assert_eq!(seen.len(), 3);
    assert!(
        seen.iter()
            .all(|request| request.body == seen[0].body || request.body.contains("ValidityPeriod"))
    );
    server.stop().await;
}

async fn a_number_that_cannot_be_texted_is_a_dead_letter_and_a_notice(database: Database) {
    let twilio = StandIn::start(vec![refused(400, 21_211)]).await;
    let server = with_twilio(database, &twilio.url()).start().await;
    flood(&server, "call-1").await;
    let text = settled(&server).await;
    assert_eq!(
        (&text["state"], &text["error_code"], &text["attempts"]),
        (&json!("dead"), &json!(21_211), &json!(1))
    );
    assert_eq!(attempts(&server).await, [attempt(1, "permanent", 400)]);
    let notice = server.only_row("notices").await;
    assert_eq!((&notice["count"], &notice["resolved_at"]), (&json!(1), &Value::Null));
    assert!(notice["what_to_do"].as_str().unwrap().len() > 10, "{notice}");
    assert!(
        !notice.to_string().contains("4385550177"),
        "the notice contains the caller's number: {notice}"
    );
    // The admin can read the notice.
    let (status, list) = server.admin(reqwest::Method::GET, "/admin/v1/notices", None).await;
    assert_eq!(
        (status, list["items"].as_array().map(Vec::len)),
        (StatusCode::OK, Some(1)),
        "{list}"
    );
    let (status, list) = server
        .admin(reqwest::Method::GET, "/admin/v1/sms-messages?state=dead", None)
        .await;
    assert_eq!(
        (status, list["items"].as_array().map(Vec::len)),
        (StatusCode::OK, Some(1)),
        "{list}"
    );
    // A dead letter is not retried, however much time passes.
    server.app.clock.step(TimeDelta::hours(1));
    assert_eq!(server.app.outbox.drain_once().await.unwrap(), 0);
    assert_eq!(twilio.seen().len(), 1);
    server.stop().await;
}

async fn a_text_sent_again_goes_to_the_contacts_present_number(database: Database) {
    let twilio = StandIn::start(vec![
        refused(400, 21_211),
        taken(),
        refused(429, 20_429),
        Answer::json(201, &json!({"sid": "SM2", "status": "queued"})),
    ])
    .await;
    let server = with_twilio(database, &twilio.url())
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let to = |request: usize| {
        let body = twilio.seen()[request].body.clone();
        let field = body.split('&').find_map(|field| field.strip_prefix("To="));
        field.unwrap().replace("%2B", "+")
    };
    flood(&server, "call-1").await;
    server.app.outbox.drain_once().await.unwrap();
    crate::escalation::patch(&server, "/contacts/on_call", &json!({"phone": "+15145550188"})).await;
    let id = server.only_row("sms_messages").await["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/sms-messages/{id}/resend");
    let (status, again) = server.admin(reqwest::Method::POST, &path, None).await;
    assert_eq!(
        (status, &again["to_number"]),
        (StatusCode::OK, &json!("+15145550188")),
        "{again}"
    );
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!((to(0), to(1)), ("+15145550101".to_owned(), "+15145550188".to_owned()));
    // A message that waits for a retry also goes to the contact's new number.
    flood(&server, "call-2").await;
    server.app.outbox.drain_once().await.unwrap();
    crate::escalation::patch(&server, "/contacts/on_call", &json!({"phone": "+15145550199"})).await;
    server.app.clock.step(TimeDelta::minutes(1));
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!((to(2), to(3)), ("+15145550188".to_owned(), "+15145550199".to_owned()));
    server.stop().await;
}

async fn without_an_account_texts_are_simulated(database: Database) {
    let server = TestApp::start(database).await;
    flood(&server, "call-1").await;
    let text = settled(&server).await;
    assert_eq!(text["state"], "simulated");
    assert!(text["body"].as_str().unwrap().contains("P1"), "{text}");
    server.stop().await;
}

async fn an_instance_without_the_account_leaves_texts_to_those_that_have_it(database: Database) {
    let twilio = StandIn::start((0..20).map(|_| taken()).collect()).await;
    // The first instance has no account, so SMS messages are simulated. An instance that starts with an account ends
    // the simulation, even if it sends no messages itself.
    let first = TestApp::builder(database)
        .at(start())
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let mut env: Vec<(String, String)> = [
        ("RINGBOOK_WORKERS", "none".to_owned()),
        ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("TWILIO_FROM", "+15145550100".to_owned()),
        ("TWILIO_BASE_URL", twilio.url()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let with = first.another_with(env.clone()).await;
    env.truncate(1);
    let without = first.another_with(env).await;
    for server in [&first, &without] {
        for number in 0..10 {
            flood(server, &format!("call-{}-{number}", server.address.port())).await;
        }
        server.app.outbox.drain_once().await.unwrap();
    }
    let texts = first.rows("sms_messages").await;
    assert_eq!((texts.len(), having(&texts, "state", "queued").len()), (20, 20));
    with.app.outbox.drain_once().await.unwrap();
    let texts = first.rows("sms_messages").await;
    assert_eq!(having(&texts, "state", "accepted").len(), 20, "{texts:?}");
    for server in [with, without, first] {
        server.stop().await;
    }
}

async fn an_account_that_is_missing_or_half_entered_is_a_notice_and_not_unreadiness(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let post = async |path: &str, body: Value| {
        let (status, answer) = server.admin(reqwest::Method::POST, path, Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    };
    post("/admin/v1/rulebooks", json!({"code": "second", "rows": "sample"})).await;
    let secrets = "/admin/v1/rulebooks/second/secrets";
    let secret = "a-webhook-secret-of-the-second";
    post(secrets, json!({"purpose": "webhook", "value": secret})).await;
    let message = report("call-2", "Mon sous-sol est inondé, des racines.");
    let body = serde_json::to_vec(&message).unwrap();
    let answer = server.send_signed("/webhooks/vapi/second", secret, &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let codes = async || {
        let notices = server.rows("notices").await;
        let open = notices.into_iter().filter(|notice| notice["resolved_at"].is_null());
        let told = open.map(|notice| (notice["code"].clone(), notice["severity"].clone()));
        told.collect::<Vec<_>>()
    };
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(codes().await, [(json!("sms_no_account"), json!("urgent"))]);
    assert_eq!(server.only_row("sms_messages").await["state"], "queued");
    post(secrets, json!({"purpose": "twilio_account_sid", "value": ACCOUNT})).await;
    server.app.clock.step(TimeDelta::minutes(11));
    server.app.outbox.drain_once().await.unwrap();
    assert!(
        codes()
            .await
            .contains(&(json!("sms_account_incomplete"), json!("urgent")))
    );
    let (status, health) = server.get("/health/ready").await;
    assert_eq!(
        (status, &health["status"]),
        (StatusCode::OK, &json!("ready")),
        "{health}"
    );
    // The default rulebook's SMS message is still queued, although a worker could process it immediately. So no worker
    // runs, and the server is no longer ready.
    flood(&server, "call-3").await;
    server.app.clock.step(TimeDelta::minutes(11));
    // The checks run once per second, by the machine's own clock.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (_, health) = server.get("/health/ready").await;
    assert_ne!(health["status"], "ready", "{health}");
    // An owner who wants no SMS messages sets the delivery of the rulebook to `simulated`.
    let path = "/admin/v1/rulebooks/second/sms-delivery";
    let (_, read) = server.admin(reqwest::Method::GET, path, None).await;
    assert_eq!(read, json!({"delivery": "twilio", "version": 1}));
    let body = json!({"delivery": "simulated", "version": 1});
    let (status, answer) = server.admin(reqwest::Method::PUT, path, Some(&body)).await;
    assert_eq!((status, &answer["version"]), (StatusCode::OK, &json!(2)), "{answer}");
    server.app.outbox.drain_once().await.unwrap();
    let texts = server.rows("sms_messages").await;
    assert_eq!(having(&texts, "state", "simulated").len(), 2);
    assert_eq!(codes().await, []);
    server.stop().await;
}

async fn a_provider_that_says_nothing_keeps_no_message_waiting(database: Database) {
    // This stand-in for Twilio accepts connections and never responds.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let server = with_twilio(database, &address).start().await;
    let began = Instant::now();
    for number in 0..20 {
        flood(&server, &format!("call-{number}")).await;
    }
    // The request to the provider alone may take fifteen seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let texts = server.rows("sms_messages").await;
    assert_eq!(texts.len(), 20);
    assert_eq!(
        having(&texts, "state", "queued").len() + having(&texts, "state", "sending").len(),
        20
    );
    drop(silent);
    server.stop().await;
}

async fn a_repeat_and_an_amendment_text_nobody_again(database: Database) {
    let twilio = StandIn::start(vec![taken()]).await;
    let server = with_twilio(database, &twilio.url()).start().await;
    for _ in 0..3 {
        flood(&server, "call-1").await;
    }
    let mut amended = report("call-1", "C'est inondé, une urgence!");
    amended["message"]["timestamp"] = json!(1_900_000_000_000_i64);
    assert_eq!(server.post_signed(&amended).await.0, StatusCode::OK);
    settled(&server).await;
    assert_eq!(server.app.outbox.drain_once().await.unwrap(), 0);
    assert_eq!(twilio.seen().len(), 1);
    assert_eq!(server.counts(["sms_messages", "sms_attempts"]).await, [1, 1]);
    server.stop().await;
}

async fn a_send_on_its_way_when_the_server_stops_is_settled(database: Database) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let twilio = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", twilio.local_addr().unwrap());
    let server = with_twilio(database, &address).start().await;
    flood(&server, "call-1").await;
    let (mut stream, _) = twilio.accept().await.unwrap();
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    assert_eq!(server.only_row("sms_messages").await["state"], "sending");
    let stopping = server.app.stop.clone();
    let restarted = tokio::spawn(server.restart());
    stopping.cancelled().await;
    // Twilio responds only now, during the shutdown.
    let body = r#"{"sid":"SM1","status":"queued"}"#;
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    let server = restarted.await.unwrap();
    let text = server.only_row("sms_messages").await;
    assert_eq!(
        (&text["state"], &text["provider_id"]),
        (&json!("accepted"), &json!("SM1")),
        "{text}"
    );
    server.stop().await;
}
