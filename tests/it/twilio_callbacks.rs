//! Tests Twilio's callbacks over HTTP: statuses and replies, with and without a valid signature. Also tests what people
//! can do after a callback, for example send a message again.

use std::collections::BTreeSet;

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::{
    both,
    support::{Answer, Database, StandIn, TestApp, messages::report, tables::having},
};

both!(
    the_words_that_end_and_begin_texts,
    a_status_steps_a_text_forward_and_a_forged_one_changes_nothing,
    malformed_and_unknown_callbacks_are_refused_and_change_nothing,
    a_stop_suppresses_the_number_and_an_admin_lifts_it,
    a_stop_of_a_contact_is_urgent_and_passes_their_call_on,
    a_text_to_another_rulebooks_number_is_that_rulebooks,
    a_text_waits_for_a_secret_that_is_missing,
    a_dead_letter_is_sent_again_once,
    dead_letters_are_sent_again_by_filter,
    a_notice_is_read_and_resolved_with_a_comment,
);

pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "a-token-of-twilio";
const PUBLIC: &str = "https://ringbook.example.invalid";
/// The sample's on-call contact.
const ON_CALL: &str = "+15145550101";

/// Starts a server that sends only when the test asks for it, with a stand-in for Twilio.
pub async fn start(database: Database, answers: Vec<Answer>) -> (TestApp, StandIn) {
    let twilio = StandIn::start(answers).await;
    let server = TestApp::builder(database)
        .at("2026-11-24T12:00:00Z".parse().unwrap())
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_PUBLIC_URL", PUBLIC)
        .set("TWILIO_ACCOUNT_SID", ACCOUNT)
        .set("TWILIO_AUTH_TOKEN", TOKEN)
        .set("TWILIO_FROM", "+15145550100")
        .set("TWILIO_BASE_URL", twilio.url())
        .start()
        .await;
    (server, twilio)
}

pub fn taken(sid: &str) -> Answer {
    Answer::json(201, &json!({"sid": sid, "status": "queued"}))
}

fn refused(code: i64) -> Answer {
    Answer::json(400, &json!({"code": code, "message": "no", "status": 400}))
}

/// Signs a form. The test implements the signature again from Twilio's documentation, to reveal mistakes in the
/// server's implementation.
fn sign(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let sorted: BTreeSet<(&str, &str)> = fields.iter().copied().collect();
    let text = sorted
        .into_iter()
        .fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub async fn post(server: &TestApp, path: &str, token: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
    let signature = sign(token, &format!("{PUBLIC}{path}"), fields);
    let request = server.client.post(server.url(path)).form(fields);
    let answer = request.header("X-Twilio-Signature", signature).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Sends a report that notifies the on-call contact. Returns the SMS message's id.
async fn alert(server: &TestApp, call: &str) -> String {
    let known = ids(server).await;
    let message = report(call, "Mon sous-sol est inondé, des racines.");
    assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
    let new = ids(server).await.into_iter().find(|id| !known.contains(id));
    new.expect("a text")
}

async fn ids(server: &TestApp) -> Vec<String> {
    let (_, list) = server.admin(Method::GET, "/admin/v1/sms-messages", None).await;
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn text(server: &TestApp, id: &str) -> Value {
    let path = format!("/admin/v1/sms-messages/{id}");
    let (status, found) = server.admin(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    found
}

async fn send(server: &TestApp) {
    server.app.outbox.drain_once().await.unwrap();
}

async fn key(server: &TestApp, role: &str) -> String {
    let wanted = json!({"name": role, "role": role});
    let (status, made) = server.admin(Method::POST, "/admin/v1/api-keys", Some(&wanted)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

async fn notices(server: &TestApp, filter: &str) -> Vec<Value> {
    let (_, list) = server
        .admin(Method::GET, &format!("/admin/v1/notices?{filter}"), None)
        .await;
    list["items"].as_array().unwrap().clone()
}

async fn a_status_steps_a_text_forward_and_a_forged_one_changes_nothing(database: Database) {
    let (server, twilio) = start(database, vec![taken("SM1")]).await;
    let id = alert(&server, "call-1").await;
    send(&server).await;
    let path = format!("/webhooks/twilio/status/{id}");
    let posted = reqwest::Url::parse(&format!("http://x/?{}", twilio.seen()[0].body)).unwrap();
    let callback = posted
        .query_pairs()
        .find(|(name, _)| name == "StatusCallback")
        .unwrap()
        .1;
    assert_eq!(callback, format!("{PUBLIC}{path}"));
    let delivered = [("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("To", ON_CALL)];

    for token in ["another-token-of-twilio", ""] {
        let signature = if token.is_empty() {
            String::new()
        } else {
            sign(token, &format!("{PUBLIC}{path}"), &delivered)
        };
        let request = server.client.post(server.url(&path)).form(&delivered);
        let answer = request.header("X-Twilio-Signature", signature).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "signature_invalid", "{problem}");
    }
    assert_eq!(
        server
            .client
            .post(server.url(&path))
            .form(&delivered)
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    // The signature is for the URL of another message.
    let other = sign(TOKEN, &format!("{PUBLIC}/webhooks/twilio/status/other"), &delivered);
    let request = server.client.post(server.url(&path)).form(&delivered);
    assert_eq!(
        request
            .header("X-Twilio-Signature", other)
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(text(&server, &id).await["message"]["state"], "accepted");
    assert_eq!(server.counts(["sms_status_callbacks"]).await, [0]);

    assert_eq!(post(&server, &path, TOKEN, &delivered).await.0, StatusCode::NO_CONTENT);
    let found = text(&server, &id).await;
    assert_eq!(found["message"]["state"], "delivered", "{found}");
    // Twilio may write the URL with its port.
    let sent = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    let with_port = sign(TOKEN, &format!("{PUBLIC}:443{path}"), &sent);
    let request = server.client.post(server.url(&path)).form(&sent);
    assert_eq!(
        request
            .header("X-Twilio-Signature", with_port)
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let found = text(&server, &id).await;
    assert_eq!(
        found["message"]["provider_status"], "delivered",
        "the status went backwards: {found}"
    );
    let words: Vec<_> = found["callbacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["status"].clone())
        .collect();
    assert_eq!(words.len(), 2, "{found}");
    server.stop().await;
}

async fn malformed_and_unknown_callbacks_are_refused_and_change_nothing(database: Database) {
    let (server, _twilio) = start(database, vec![taken("SM1")]).await;
    let id = alert(&server, "call-1").await;
    send(&server).await;
    let before = server.rows("sms_messages").await;
    let path = format!("/webhooks/twilio/status/{id}");
    for body in ["", "MessageSid=%zz", "MessageSid=%FF", "{\"MessageSid\":\"SM 1\"}"] {
        let answer = server.client.post(server.url(&path)).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let wrong: [&[(&str, &str)]; 6] = [
        &[("MessageSid", "SM1")],
        &[("MessageStatus", "sent")],
        &[("MessageSid", "SM1\u{0}"), ("MessageStatus", "sent")],
        &[("MessageSid", "SM1"), ("MessageStatus", "Sent it")],
        &[("MessageSid", "SM1"), ("MessageStatus", "sent"), ("ErrorCode", "many")],
        &[("MessageSid", ""), ("MessageStatus", "sent")],
    ];
    for fields in wrong {
        let (status, problem) = post(&server, &path, TOKEN, fields).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{fields:?}: {problem}");
        assert!(problem.contains("\"bad_request\""), "{problem}");
    }
    let sent = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    for unknown in [server.app.clock.new_id().to_string(), "no-id".to_owned()] {
        let path = format!("/webhooks/twilio/status/{unknown}");
        assert_eq!(post(&server, &path, TOKEN, &sent).await.0, StatusCode::NOT_FOUND);
    }
    let inbound = [
        ("MessageSid", "SM9"),
        ("AccountSid", ACCOUNT),
        ("From", ON_CALL),
        ("To", "+15145550100"),
        ("Body", "1"),
    ];
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound/nobody", TOKEN, &inbound)
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound/default", "wrong-token", &inbound)
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound", "wrong-token", &inbound)
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound", TOKEN, &inbound[..3]).await.0,
        StatusCode::BAD_REQUEST
    );
    // The signature does not show where a field ends. A request with the same characters, split differently, is
    // rejected.
    let inbound = "/webhooks/twilio/inbound";
    let common = [("AccountSid", ACCOUNT), ("To", "+15145550100")];
    let form = |own: &[(&'static str, &'static str)]| [&common[..], own].concat();
    let signed = form(&[
        ("MessageSid", "SM9"),
        ("Body", "STOPFrom+15140001111"),
        ("From", ON_CALL),
        ("NumMedia", "0"),
    ]);
    let signature = sign(TOKEN, &format!("{PUBLIC}{inbound}"), &signed);
    let cut = [
        form(&[
            ("MessageSid", "SM9"),
            ("Body", "STOP"),
            ("From", "+15140001111"),
            ("From", ON_CALL),
            ("NumMedia", "0"),
        ]),
        form(&[
            ("MessageSid", "SM9NumMedia0"),
            ("Body", "STOPFrom+15140001111"),
            ("From", ON_CALL),
        ]),
    ];
    for fields in cut {
        assert_eq!(sign(TOKEN, &format!("{PUBLIC}{inbound}"), &fields), signature);
        let (status, problem) = post(&server, inbound, TOKEN, &fields).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{fields:?}: {problem}");
    }
    let twice = server.client.post(server.url(inbound)).form(&signed);
    let twice = twice.header("X-Twilio-Signature", signature.as_str());
    let answer = twice.header("X-Twilio-Signature", "AAAA").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let large = "A".repeat(300 * 1024);
    let large = [("MessageSid", "SM9"), ("Body", large.as_str())];
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound", TOKEN, &large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(server.rows("sms_messages").await, before);
    assert_eq!(
        server
            .counts(["sms_status_callbacks", "inbound_sms_messages", "sms_suppressions"])
            .await,
        [0; 3]
    );
    server.stop().await;
}

async fn a_stop_suppresses_the_number_and_an_admin_lifts_it(database: Database) {
    let (server, twilio) = start(database, vec![taken("SM1"), taken("SM2")]).await;
    alert(&server, "call-1").await;
    send(&server).await;
    let stop = [
        ("MessageSid", "SM8"),
        ("AccountSid", ACCOUNT),
        ("From", ON_CALL),
        ("To", "+15145550100"),
        ("Body", " Arrêt "),
    ];
    let (status, answer) = post(&server, "/webhooks/twilio/inbound", TOKEN, &stop).await;
    assert_eq!(
        (status, answer.ends_with("<Response/>")),
        (StatusCode::OK, true),
        "{answer}"
    );
    assert_eq!(
        post(&server, "/webhooks/twilio/inbound", TOKEN, &stop).await.0,
        StatusCode::OK
    );
    assert_eq!(
        server.counts(["inbound_sms_messages", "sms_suppressions"]).await,
        [1, 1]
    );
    let opted_out = notices(&server, "code=contact_opted_out&resolved=false").await;
    assert_eq!(
        (opted_out.len(), &opted_out[0]["severity"]),
        (1, &json!("urgent")),
        "{opted_out:?}"
    );

    let second = alert(&server, "call-2").await;
    send(&server).await;
    let found = text(&server, &second).await;
    assert_eq!(
        (&found["message"]["state"], twilio.seen().len()),
        (&json!("dead"), 1),
        "{found}"
    );
    assert!(found["message"]["error"].as_str().unwrap().contains("STOP"), "{found}");
    let again = format!("/admin/v1/sms-messages/{second}/resend");
    assert_eq!(server.admin(Method::POST, &again, None).await.0, StatusCode::CONFLICT);

    let (viewer, editor) = (key(&server, "viewer").await, key(&server, "editor").await);
    let (_, list) = server
        .admin_with(&viewer, Method::GET, "/admin/v1/sms-suppressions?lifted=false", None)
        .await;
    assert_eq!(list["items"][0]["number"], "+1514***0101", "{list}");
    let inbound = "/admin/v1/inbound-sms-messages";
    assert_eq!(
        server.admin_with(&viewer, Method::GET, inbound, None).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, texts) = server.admin_with(&editor, Method::GET, inbound, None).await;
    assert_eq!(
        (&texts["items"][0]["body"], &texts["items"][0]["meaning"]),
        (&json!(" Arrêt "), &json!("stop")),
        "{texts}"
    );
    let lift = format!(
        "/admin/v1/sms-suppressions/{}",
        list["items"][0]["id"].as_str().unwrap()
    );
    assert_eq!(
        server.admin_with(&editor, Method::DELETE, &lift, None).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        server.admin(Method::DELETE, &lift, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(server.admin(Method::DELETE, &lift, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        notices(&server, "code=contact_opted_out&resolved=false").await,
        Vec::<Value>::new()
    );
    assert_eq!(server.admin(Method::POST, &again, None).await.0, StatusCode::OK);
    send(&server).await;
    assert_eq!(text(&server, &second).await["message"]["state"], "accepted");
    assert_eq!(
        notices(&server, "resolved=false").await,
        Vec::<Value>::new(),
        "the notice is still open although the message was sent"
    );
    server.stop().await;
}

async fn a_text_waits_for_a_secret_that_is_missing(database: Database) {
    let twilio = StandIn::start(vec![taken("SM1")]).await;
    let server = TestApp::builder(database)
        .at("2026-11-24T12:00:00Z".parse().unwrap())
        .set("RINGBOOK_WORKERS", "none")
        .set("TWILIO_BASE_URL", twilio.url())
        .start()
        .await;
    let store = async |purpose: &str, value: &str| {
        let secret = json!({"purpose": purpose, "value": value});
        let path = "/admin/v1/rulebooks/default/secrets";
        let (status, made) = server.admin(Method::POST, path, Some(&secret)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
    };
    store("twilio_account_sid", ACCOUNT).await;
    store("twilio_from", "+15145550100").await;
    alert(&server, "call-1").await;
    for _ in 0..2 {
        server.app.outbox.drain_once().await.unwrap();
    }
    assert_eq!(server.only_row("sms_messages").await["state"], "queued");
    let notice = server.only_row("notices").await;
    assert_eq!(
        (&notice["code"], &notice["severity"], &notice["count"]),
        (&json!("sms_account_incomplete"), &json!("urgent"), &json!(1))
    );
    assert!(
        notice["text"].as_str().unwrap().contains("`twilio_auth_token`"),
        "{notice}"
    );
    store("twilio_auth_token", TOKEN).await;
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(server.only_row("sms_messages").await["state"], "accepted");
    assert!(server.only_row("notices").await["resolved_at"].is_string());
    server.stop().await;
}

/// A sender's number can be forged. So a contact's STOP is reported as urgent, and the contact's emergency goes to the
/// next contact.
async fn a_stop_of_a_contact_is_urgent_and_passes_their_call_on(database: Database) {
    let (server, _twilio) = start(database, vec![taken("SM1"), taken("SM2")]).await;
    alert(&server, "call-1").await;
    send(&server).await;
    let due = |rows: Vec<Value>| rows[0]["next_at"].clone();
    let before = due(server.rows("escalations").await);
    for (sid, from, urgent) in [("SM8", ON_CALL, 1), ("SM9", "+15145550102", 2)] {
        let stop = [
            ("MessageSid", sid),
            ("AccountSid", ACCOUNT),
            ("From", from),
            ("To", "+15145550100"),
            ("Body", "STOP"),
        ];
        assert_eq!(
            post(&server, "/webhooks/twilio/inbound", TOKEN, &stop).await.0,
            StatusCode::OK
        );
        // A STOP of a contact who never got a message raises the same notice.
        let told = notices(&server, "code=contact_opted_out&severity=urgent&resolved=false").await;
        assert_eq!(told.len(), urgent, "{told:?}");
        assert!(told[0]["what_to_do"].as_str().unwrap().contains("forged"), "{told:?}");
    }
    let after = due(server.rows("escalations").await);
    assert_ne!(
        before, after,
        "the escalation must not wait for a contact who gets no SMS messages"
    );
    server.stop().await;
}

async fn the_words_that_end_and_begin_texts(database: Database) {
    let (server, _twilio) = start(database, vec![taken("SM1")]).await;
    let caller = "+15145550111";
    let write = async |number: usize, body: &str| {
        let sid = format!("SM7{number}");
        let fields = [
            ("MessageSid", sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", caller),
            ("To", "+15145550100"),
            ("Body", body),
        ];
        let (status, _) = post(&server, "/webhooks/twilio/inbound", TOKEN, &fields).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let rows = server.rows("sms_suppressions").await;
        rows.iter()
            .any(|row| row["number"] == caller && row["lifted_at"].is_null())
    };
    let stops = ["REVOKE", "OPTOUT", "opt out", "STOP ALL", "ARRÊTER", "arre\u{302}ter"];
    for (number, stop) in stops.into_iter().enumerate() {
        let start = ["YES", "START", "oui"][number % 3];
        assert!(write(number * 3, stop).await, "{stop}");
        assert!(
            write(number * 3 + 1, "Stop it please").await,
            "{stop} must still be in effect"
        );
        assert!(!write(number * 3 + 2, start).await, "{start}");
    }
    server.stop().await;
}

async fn a_text_to_another_rulebooks_number_is_that_rulebooks(database: Database) {
    let (server, _twilio) = start(database, vec![taken("SM1")]).await;
    let second = json!({"code": "second", "rows": "sample"});
    assert_eq!(
        server.admin(Method::POST, "/admin/v1/rulebooks", Some(&second)).await.0,
        StatusCode::CREATED
    );
    for (purpose, value) in [
        ("twilio_account_sid", "AC00000000000000000000000000000002"),
        ("twilio_auth_token", "token-of-the-second"),
        ("twilio_from", "+15145550200"),
    ] {
        let secret = json!({"purpose": purpose, "value": value});
        let made = server
            .admin(Method::POST, "/admin/v1/rulebooks/second/secrets", Some(&secret))
            .await;
        assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
    }
    let to_second = |sid| {
        [
            ("MessageSid", sid),
            ("AccountSid", "AC00000000000000000000000000000002"),
            ("From", ON_CALL),
            ("To", "+15145550200"),
            ("Body", "1"),
        ]
    };
    let (any, own) = ("/webhooks/twilio/inbound", "/webhooks/twilio/inbound/second");
    assert_eq!(
        post(&server, any, "token-of-the-second", &to_second("SM1")).await.0,
        StatusCode::OK
    );
    assert_eq!(
        post(&server, own, "token-of-the-second", &to_second("SM2")).await.0,
        StatusCode::OK
    );
    // The token of one rulebook does not authenticate requests about another rulebook's messages.
    assert_eq!(
        post(&server, any, TOKEN, &to_second("SM3")).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post(&server, own, TOKEN, &to_second("SM3")).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, list) = server
        .admin(Method::GET, "/admin/v1/inbound-sms-messages?rulebook=second", None)
        .await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!(server.counts(["inbound_sms_messages"]).await, [2]);
    server.stop().await;
}

async fn a_dead_letter_is_sent_again_once(database: Database) {
    let (server, twilio) = start(database, vec![refused(21211), taken("SM1")]).await;
    let id = alert(&server, "call-1").await;
    let path = format!("/admin/v1/sms-messages/{id}/resend");
    assert_eq!(
        server.admin(Method::POST, &path, None).await.0,
        StatusCode::CONFLICT,
        "still queued"
    );
    send(&server).await;
    let (_, dead) = server
        .admin(Method::GET, "/admin/v1/sms-messages?state=dead&error_code=21211", None)
        .await;
    assert_eq!(
        dead["items"][0]["error"], "the number is not a valid phone number",
        "{dead}"
    );
    assert_eq!(dead["items"][0]["billed_as"]["encoding"], "gsm7", "{dead}");
    let viewer = key(&server, "viewer").await;
    assert_eq!(
        server.admin_with(&viewer, Method::POST, &path, None).await.0,
        StatusCode::FORBIDDEN
    );
    let editor = key(&server, "editor").await;
    for again in [false, true] {
        let request = server
            .client
            .post(server.url(&path))
            .bearer_auth(&editor)
            .header("Idempotency-Key", "once");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers().contains_key("idempotent-replayed"), again);
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["state"], "queued", "{answer}");
    }
    send(&server).await;
    let found = text(&server, &id).await;
    assert_eq!(
        (&found["message"]["state"], &found["message"]["attempts"]),
        (&json!("accepted"), &json!(2)),
        "{found}"
    );
    assert_eq!(twilio.seen().len(), 2);
    assert_eq!(notices(&server, "resolved=false").await, Vec::<Value>::new());
    assert_eq!(
        server.admin(Method::POST, &path, None).await.0,
        StatusCode::CONFLICT,
        "a message that Twilio has accepted was resent"
    );
    let entries = server.rows("audit_log t ORDER BY seq").await;
    let told = having(&entries, "action", "resend");
    assert_eq!((told.len(), &told[0]["code"]), (1, &json!(id)), "{told:?}");
    let nobody = format!("/admin/v1/sms-messages/{}/resend", server.app.clock.new_id());
    assert_eq!(server.admin(Method::POST, &nobody, None).await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}

async fn dead_letters_are_sent_again_by_filter(database: Database) {
    // Of five messages, three are rejected for one reason, one has an unknown outcome, and one is rejected for another
    // reason.
    let unclear = Answer::json(500, &json!({"code": 20500}));
    let answers = vec![
        refused(21211),
        refused(21211),
        refused(21211),
        unclear,
        refused(21614),
        taken("SM1"),
    ];
    let (server, _twilio) = start(database, answers).await;
    let mut all = Vec::new();
    for call in 0..5 {
        all.push(alert(&server, &format!("call-{call}")).await);
        send(&server).await;
    }
    let unclear = &all[3];
    let path = format!("/admin/v1/sms-messages/{unclear}/resend");
    let (status, problem) = server.admin(Method::POST, &path, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("`force`"), "{problem}");
    // Somebody set this message to dead by hand, but it may have been sent.
    server
        .sql("UPDATE sms_messages SET state = 'dead' WHERE state = 'ambiguous'")
        .await;
    let bulk = "/admin/v1/sms-messages/resend";
    for (wanted, pointer) in [
        (json!({"rulebook": "default", "limit": 0}), "/limit"),
        (json!({"limit": 3}), "/rulebook"),
    ] {
        let (status, problem) = server.admin(Method::POST, bulk, Some(&wanted)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!(pointer)),
            "{problem}"
        );
    }
    let nobody = json!({"rulebook": "nobody"});
    assert_eq!(
        server.admin(Method::POST, bulk, Some(&nobody)).await.0,
        StatusCode::NOT_FOUND
    );
    let two = json!({"rulebook": "default", "error_code": 21211, "limit": 2});
    let (status, done) = server.admin(Method::POST, bulk, Some(&two)).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!(
        (&done["count"], &done["resent"]),
        (&json!(2), &json!(all[..2])),
        "{done}"
    );
    assert_eq!(done["next_after"], json!(all[1]), "{done}");
    let rest = json!({"rulebook": "default"});
    let (_, done) = server.admin(Method::POST, bulk, Some(&rest)).await;
    assert_eq!(done["resent"], json!([all[2], all[4]]), "{done}");
    assert_eq!(done["not_resent"][0]["id"], json!(unclear), "{done}");
    assert_eq!(done["not_resent"][0]["reason"], "may_have_been_sent", "{done}");
    let (status, done) = server.admin(Method::POST, &format!("{path}?force=true"), None).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    send(&server).await;
    let (_, left) = server
        .admin(Method::GET, "/admin/v1/sms-messages?state=accepted", None)
        .await;
    assert_eq!(left["items"].as_array().unwrap().len(), 5, "{left}");
    assert_eq!(
        having(&server.rows("audit_log t ORDER BY seq").await, "action", "resend").len(),
        5
    );
    server.stop().await;
}

async fn a_notice_is_read_and_resolved_with_a_comment(database: Database) {
    let (server, _twilio) = start(database, vec![refused(21211)]).await;
    alert(&server, "call-1").await;
    send(&server).await;
    let open = notices(
        &server,
        "resolved=false&severity=urgent&code=sms_refused&rulebook=default",
    )
    .await;
    assert_eq!(open.len(), 1);
    let path = format!("/admin/v1/notices/{}", open[0]["id"].as_str().unwrap());
    let (status, one) = server.admin(Method::GET, &path, None).await;
    assert_eq!((status, &one), (StatusCode::OK, &open[0]));
    let comment = json!({"comment": "Zenobie called them at 4385550177."});
    let viewer = key(&server, "viewer").await;
    let resolve = format!("{path}/resolve");
    assert_eq!(
        server
            .admin_with(&viewer, Method::POST, &resolve, Some(&comment))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let long = json!({"comment": "a".repeat(1_001)});
    assert_eq!(
        server.admin(Method::POST, &resolve, Some(&long)).await.0,
        StatusCode::BAD_REQUEST
    );
    let (status, one) = server.admin(Method::POST, &resolve, Some(&comment)).await;
    assert_eq!(
        (status, &one["comment"]),
        (StatusCode::OK, &comment["comment"]),
        "{one}"
    );
    assert!(
        one["resolved_by"].is_string() && one["resolved_at"].is_string(),
        "{one}"
    );
    assert_eq!(
        server.admin(Method::POST, &resolve, Some(&comment)).await.0,
        StatusCode::CONFLICT
    );
    let (_, seen) = server.admin_with(&viewer, Method::GET, &path, None).await;
    assert!(!seen.to_string().contains("4385550177"), "{seen}");
    let told = having(&server.rows("audit_log t ORDER BY seq").await, "action", "resolve");
    assert_eq!(told.len(), 1);
    assert!(!told[0].to_string().contains("Zenobie"), "{told:?}");
    let nobody = format!("/admin/v1/notices/{}", server.app.clock.new_id());
    assert_eq!(server.admin(Method::GET, &nobody, None).await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}
