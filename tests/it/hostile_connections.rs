//! Attacks with connections, request heads, bodies and guessed keys do not affect legitimate clients.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use sea_orm::EntityTrait as _;
use serde_json::json;
use store::{backtests, begin, rulebooks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::both;
use crate::support::{
    Database, TestApp,
    app::ADMIN_KEY,
    messages::{report, status},
    program::free_address,
    seen_statuses,
};

both!(
    half_sent_heads_make_way_for_whole_requests,
    half_sent_bodies_take_bounded_memory_and_make_way_for_good_ones,
    what_the_headers_decide_is_answered_before_the_body,
    a_client_that_goes_on_sending_sees_why_it_was_refused,
    bodies_that_never_come_are_answered_408_and_count_as_failures,
    bad_signatures_cost_good_messages_nothing,
    wrong_secrets_are_answered_ten_times_a_second,
    names_of_rulebooks_cannot_be_listed_without_a_secret,
    only_http_1_with_one_host_is_served,
    connections_have_a_limit_and_end,
    pages_for_operators_are_tagged_and_can_be_moved_or_closed,
    a_stream_ends_when_its_key_is_revoked,
);

/// Sends a valid message, which must get a prompt response during an attack. Returns the duration.
async fn is_served(server: &TestApp, call: &str) -> Duration {
    let began = Instant::now();
    let (status, answer) = server.post_signed(&status(call, "in-progress", 0)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    began.elapsed()
}

/// Sends bytes and keeps the connection open.
async fn send(server: &TestApp, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may already have closed the connection.
    let _ = stream.write_all(bytes).await;
    stream
}

/// Reads until the connection closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        answer.extend(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(server: &TestApp, path: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{more}\r\n",
        server.address
    )
}

/// Builds a request head whose signature can be checked only with the body.
fn undecided(server: &TestApp, length: usize) -> String {
    let (signature, now) = ("0".repeat(64), server.app.clock.now().timestamp());
    let more = format!("content-length: {length}\r\nx-signature: {signature}\r\nx-timestamp: {now}\r\n");
    head(server, "/webhooks/vapi", &more)
}

async fn half_sent_heads_make_way_for_whole_requests(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_MAX_CONNECTIONS", "32")
        .start()
        .await;
    let mut held = Vec::new();
    for number in 0..10 {
        for _ in 0..20 {
            held.push(send(&server, b"POST /webhooks/vapi HTTP/1.1\r\nhost: ringbook\r\nx-half: ").await);
        }
        let took = is_served(&server, &format!("call-{number}")).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
        let health = server.client.get(server.url("/health/live")).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK);
    }
    let mut ended = 0;
    for mut stream in held {
        let read = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 1])).await;
        ended += usize::from(read.is_ok());
    }
    assert!(ended >= 200 - 32, "{ended} of 200 have ended");
    server.stop().await;
}

async fn half_sent_bodies_take_bounded_memory_and_make_way_for_good_ones(database: Database) {
    const LENGTH: usize = 5_000_000;
    let server = TestApp::start(database).await;
    let mut held = Vec::new();
    for _ in 0..24 {
        let mut stream = send(&server, undecided(&server, LENGTH).as_bytes()).await;
        held.push(tokio::spawn(async move {
            let _ = stream.write_all(&vec![b' '; LENGTH - 1]).await;
            rest(stream).await
        }));
    }
    let began = Instant::now();
    let mut most = 0;
    for number in 0.. {
        let took = is_served(&server, &format!("call-{number}")).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        most = most.max(server.app.bodies.used());
        if began.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    assert!((LENGTH..=16 * 1024 * 1024).contains(&most), "{most} bytes");
    // A large body also gets memory while the server holds other bodies.
    let mut large = report("large", "Bonjour");
    large["message"]["padding"] = json!("x".repeat(300_000));
    let (status, answer) = server.post_signed(&large).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    for answer in held {
        let answer = answer.await.unwrap();
        let status = answer.get(..12).unwrap_or_default();
        // The server may reset a connection, and then the client may not see the response.
        assert!(
            ["", "HTTP/1.1 408", "HTTP/1.1 429", "HTTP/1.1 503"].contains(&status),
            "{answer}"
        );
    }
    assert_eq!(server.app.bodies.used(), 0);
    server.stop().await;
}

async fn what_the_headers_decide_is_answered_before_the_body(database: Database) {
    let server = TestApp::start(database).await;
    let now = server.app.clock.now().timestamp();
    let zeros = "0".repeat(64);
    for credentials in [
        String::new(),
        "x-vapi-secret: a wrong secret of somebody\r\n".to_owned(),
        "authorization: Bearer a-wrong-secret-of-somebody\r\n".to_owned(),
        format!("x-signature: {zeros}\r\n"),
        format!("x-signature: {zeros}\r\nx-timestamp: {}\r\n", now - 3_600),
        format!("x-signature: 00\r\nx-timestamp: {now}\r\n"),
        "x-vapi-signature: no hex\r\n".to_owned(),
    ] {
        for path in ["/webhooks/vapi", "/webhooks/vapi/nobody"] {
            let bytes = head(&server, path, &format!("content-length: 4000000\r\n{credentials}"));
            let answer = tokio::time::timeout(Duration::from_secs(2), rest(send(&server, bytes.as_bytes()).await));
            let answer = answer
                .await
                .unwrap_or_else(|_| panic!("the server waits for the body despite {credentials:?}"));
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path}, {credentials:?}: {answer}");
        }
    }
    let bytes = head(&server, "/webhooks/twilio/inbound", "content-length: 200000\r\n");
    let answer = tokio::time::timeout(Duration::from_secs(2), rest(send(&server, bytes.as_bytes()).await));
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 403 "));
    // A message with a secret that was stored a moment ago is not rejected.
    is_served(&server, "call-1").await;
    let value = "a-new-secret-of-24-or-more";
    let secret = json!({"purpose": "webhook", "value": value});
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (status, answer) = server
        .admin(Method::POST, "/admin/v1/rulebooks/default/secrets", Some(&secret))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let message = crate::support::messages::status("call-2", "in-progress", 0);
    let answer = server
        .client
        .post(server.url("/webhooks/vapi"))
        .header("x-vapi-secret", value);
    assert_eq!(answer.json(&message).send().await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

/// If the server left bytes unread, the client's system would discard the response.
async fn a_client_that_goes_on_sending_sees_why_it_was_refused(database: Database) {
    let server = TestApp::start(database).await;
    let path = "/admin/v1/rulebooks/default/change-sets";
    let request = head(&server, path, "content-length: 400000\r\n");
    let mut stream = send(&server, request.as_bytes()).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = stream.write_all(&b" ".repeat(50_000)).await;
    }
    let began = Instant::now();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(4));
    server.stop().await;
}

async fn bodies_that_never_come_are_answered_408_and_count_as_failures(database: Database) {
    let server = TestApp::start(database).await;
    let mut waiting = Vec::new();
    for _ in 0..21 {
        waiting.push(send(&server, format!("{}{{", undecided(&server, 1_000)).as_bytes()).await);
    }
    let twilio = "content-length: 100\r\nx-twilio-signature: AAAA\r\n";
    let admin = format!("content-length: 1000\r\nauthorization: Bearer {ADMIN_KEY}\r\n");
    let twilio = send(&server, head(&server, "/webhooks/twilio/inbound", twilio).as_bytes()).await;
    let admin = send(&server, head(&server, "/admin/v1/rulebooks", &admin).as_bytes()).await;
    let began = Instant::now();
    let mut answers = Vec::new();
    for stream in waiting {
        answers.push(rest(stream).await);
    }
    assert!((9..13).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let timed_out = answers
        .iter()
        .filter(|answer| answer.starts_with("HTTP/1.1 408 "))
        .count();
    assert!(timed_out >= 19, "{answers:?}");
    // Each timeout used one of the 20 permitted wrong signatures, so only a few are permitted now. Valid messages are
    // accepted.
    let mut refused = 0;
    for _ in 0..15 {
        let wrong = server
            .post_signed_to("/webhooks/vapi", "a-secret-of-somebody-else", b"{}")
            .await;
        refused += usize::from(wrong.0 == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 0, "the timed-out bodies did not count as failures");
    is_served(&server, "call-1").await;
    let admin = rest(admin).await;
    assert!(admin.starts_with("HTTP/1.1 408 "), "{admin}");
    assert!(
        admin.contains("application/problem+json") && admin.contains("\"request_timeout\""),
        "{admin}"
    );
    // This request does not use the client that records statuses, so the test records the status.
    seen_statuses::note("create_rulebook", "408");
    let twilio = rest(twilio).await;
    assert!(
        twilio.starts_with("HTTP/1.1 408 ") || twilio.starts_with("HTTP/1.1 429 "),
        "{twilio}"
    );
    server.stop().await;
}

async fn bad_signatures_cost_good_messages_nothing(database: Database) {
    let server = TestApp::start(database).await;
    let mut refused = 0;
    for number in 0..60 {
        for _ in 0..5 {
            let (status, _) = server
                .post_signed_to("/webhooks/vapi", "a-secret-of-somebody-else", b"{}")
                .await;
            refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
        is_served(&server, &format!("call-{number}")).await;
    }
    assert!(refused > 100, "{refused}");
    server.stop().await;
}

async fn wrong_secrets_are_answered_ten_times_a_second(database: Database) {
    let server = TestApp::start(database).await;
    let (began, mut told, mut tries) = (Instant::now(), 0_u32, 0_u32);
    while began.elapsed() < Duration::from_secs(2) {
        let wrong = format!("a-wrong-secret-of-somebody-{tries}");
        let request = server
            .client
            .post(server.url("/webhooks/vapi"))
            .header("x-vapi-secret", wrong);
        let status = request.body("{}").send().await.unwrap().status();
        tries += 1;
        told += u32::from(status == StatusCode::UNAUTHORIZED);
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status),
            "{status}"
        );
    }
    let seconds = u32::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!(
        told >= 20 && told <= 20 + 10 * seconds && told < tries,
        "{told} of {tries} requests were answered 401 in {seconds} s"
    );
    server.stop().await;
}

async fn names_of_rulebooks_cannot_be_listed_without_a_secret(database: Database) {
    let server = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .set("RINGBOOK_PUBLIC_URL", "https://ringbook.example")
        .start()
        .await;
    let new = json!({"code": "somebody", "rows": "sample"});
    let (status, answer) = server.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let strip = |mut problem: serde_json::Value| {
        problem["request_id"] = json!(null);
        problem
    };
    for place in ["/webhooks/vapi", "/webhooks/twilio/inbound"] {
        let mut answers = Vec::new();
        for name in ["default", "somebody", "nobody", "nobody-else", "UPPER", "a%00b"] {
            let path = format!("{place}/{name}");
            for signature in ["x-signature", "x-vapi-secret", "x-twilio-signature", "x-nothing"] {
                let request = server
                    .client
                    .post(server.url(&path))
                    .header(signature, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                let response = request.body("MessageSid=SM1&AccountSid=AC1").send().await.unwrap();
                let headers: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
                let (status, problem) = crate::support::requests::read(response).await;
                answers.push((status, headers, strip(problem)));
            }
        }
        let (first, others) = answers.split_first().unwrap();
        assert!(
            first.0 == StatusCode::UNAUTHORIZED || first.0 == StatusCode::FORBIDDEN,
            "{first:?}"
        );
        for other in others {
            assert_eq!(other, first, "{place}");
        }
    }
    let known = "/webhooks/twilio/status/00000000-0000-7000-8000-000000000000";
    for path in [known, "/webhooks/twilio/status/no-id"] {
        let request = server
            .client
            .post(server.url(path))
            .header("x-twilio-signature", "AAAA");
        let request = request.form(&[("MessageSid", "SM1"), ("MessageStatus", "sent")]);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    // A rulebook that is created after unauthenticated clients requested it works from its first message on.
    let secret = "the-secret-of-nobody-else-24";
    let refused = server.post_signed_to("/webhooks/vapi/nobody-else", secret, b"{}").await;
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
    let new = json!({"code": "nobody-else", "rows": "sample"});
    assert_eq!(
        server.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await.0,
        StatusCode::CREATED
    );
    let stored = json!({"purpose": "webhook", "value": secret});
    let secrets = "/admin/v1/rulebooks/nobody-else/secrets";
    assert_eq!(
        server.admin(Method::POST, secrets, Some(&stored)).await.0,
        StatusCode::CREATED
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let message = serde_json::to_vec(&status_message()).unwrap();
    let (status, answer) = server
        .post_signed_to("/webhooks/vapi/nobody-else", secret, &message)
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    server.stop().await;
}

fn status_message() -> serde_json::Value {
    status("call-1", "in-progress", 0)
}

async fn only_http_1_with_one_host_is_served(database: Database) {
    let server = TestApp::start(database).await;
    for (request, expected) in [
        (
            "GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            "GET /health/live HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            "GET /health/live HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 ",
        ),
        ("GET /health/live HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "),
    ] {
        let answer = rest(send(&server, request.as_bytes()).await).await;
        assert!(answer.starts_with(expected), "{request:?}: {answer}");
        let is_problem = answer.contains("application/problem+json") && answer.contains("`Host`");
        assert_eq!(expected.contains("400"), is_problem, "{answer}");
    }
    // HTTP/2 without TLS is not supported, neither with prior knowledge nor by upgrade.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = tokio::time::timeout(Duration::from_secs(2), rest(send(&server, preface).await)).await;
    assert!(!answer.unwrap().starts_with('\0'), "HTTP/2 is spoken");
    let upgrade = "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
                   http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let mut stream = send(&server, upgrade.as_bytes()).await;
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 ");
    // This request head never ends.
    let mut long = b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-long: ".to_vec();
    long.resize(200_000, b'x');
    let answer = tokio::time::timeout(Duration::from_secs(2), rest(send(&server, &long).await)).await;
    assert!(answer.unwrap().get(..12).is_none_or(|status| status == "HTTP/1.1 431"));
    server.stop().await;
}

async fn connections_have_a_limit_and_end(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_MAX_CONNECTIONS", "16")
        .start()
        .await;
    // New connections replace idle connections, even if all idle connections were used before.
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut stream = send(&server, b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    // The server also closes a connection that sends nothing. At shutdown, the server does not wait for such a
    // connection.
    let silent = send(&server, b"").await;
    let began = Instant::now();
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(15), rest(silent))
            .await
            .unwrap(),
        ""
    );
    assert!((8..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let _held = send(&server, b"GET /health/live HTTP/1.1\r\n").await;
    let stopping = Instant::now();
    server.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(3), "{:?}", stopping.elapsed());
}

async fn pages_for_operators_are_tagged_and_can_be_moved_or_closed(database: Database) {
    let server = TestApp::builder(database).start().await;
    for path in ["/docs", "/docs/scripting", "/openapi.json"] {
        let response = server.client.get(server.url(path)).send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let again = server.client.get(server.url(path)).header("if-none-match", &tag);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        let head = server
            .client
            .request(Method::HEAD, server.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(head.headers()["etag"], tag.as_str(), "{path}");
    }
    server.stop().await;
    let (pages, same) = (free_address(), free_address());
    for (docs, metrics) in [
        ("off", pages.to_string()),
        (same.to_string().as_str(), same.to_string()),
    ] {
        let server = TestApp::builder(database)
            .set("RINGBOOK_DOCS", docs)
            .set("RINGBOOK_METRICS", metrics.as_str())
            .start()
            .await;
        for path in ["/docs", "/docs/scripting", "/openapi.json", "/metrics"] {
            assert_eq!(server.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        let at = |path: &str| format!("http://{metrics}{path}");
        let get = async |path: &str| server.client.get(at(path)).send().await.unwrap().status();
        assert_eq!(get("/metrics").await, StatusCode::OK);
        assert_eq!(get("/health/live").await, StatusCode::OK);
        let shown = if docs == "off" {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        assert_eq!(get("/docs").await, shown);
        assert_eq!(server.get("/health/live").await.0, StatusCode::OK);
        server.stop().await;
    }
}

async fn a_stream_ends_when_its_key_is_revoked(database: Database) {
    let server = TestApp::at_rest(database, "2026-05-04T12:00:00Z".parse().unwrap()).await;
    let new = json!({"name": "reports", "role": "viewer"});
    let (_, made) = server.admin(Method::POST, "/admin/v1/api-keys", Some(&new)).await;
    // The stream follows a running backtest of another instance. The test's clock stands still, so the backtest never
    // looks abandoned.
    let found = rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    let (id, now) = (server.app.clock.new_id(), server.app.clock.now());
    let row = backtests::Model {
        rulebook_id: found.id,
        id,
        state: backtests::RUNNING.to_owned(),
        base_revision: 1,
        wanted: json!({}),
        percent: 0,
        looked_at: 0,
        result: None,
        error: None,
        author: "somebody".to_owned(),
        created_at: now,
        started_at: Some(now),
        finished_at: None,
        updated_at: now,
    };
    let tx = begin(&server.app.db).await.unwrap();
    backtests::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/admin/v1/rulebooks/{}/backtests/{id}/events", found.code);
    let request = server.client.0.get(server.url(&path));
    let mut stream = request.bearer_auth(made["key"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    assert!(stream.chunk().await.unwrap().is_some());
    let idle = tokio::time::timeout(Duration::from_millis(700), stream.chunk()).await;
    assert!(
        idle.is_err(),
        "the stream ended or sent something while nothing was new: {idle:?}"
    );
    let one = format!("/admin/v1/api-keys/{}", made["api_key"]["id"].as_str().unwrap());
    assert_eq!(server.admin(Method::DELETE, &one, None).await.0, StatusCode::NO_CONTENT);
    let end = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await;
    assert!(matches!(end, Ok(Ok(None))), "{end:?}");
    server.stop().await;
}
