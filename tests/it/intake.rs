//! Tests which messages the server accepts: their signatures, URLs, sizes and rates.

use reqwest::{StatusCode, header::HeaderValue};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{report, sample_bytes, sample_names},
        requests::{read, sign},
        tables::having,
    },
};

both!(
    every_sample_is_taken_in_under_each_good_scheme_and_refused_under_each_bad_one,
    a_signature_within_the_replay_window_is_good_and_outside_is_not,
    an_unknown_rulebook_or_method_drops_no_call_in_silence,
    a_body_over_the_limit_is_refused_declared_or_chunked,
    a_compressed_body_is_verified_as_it_came,
    failed_signatures_run_dry_soon_and_the_wait_is_said,
);

type Headers = Vec<(&'static str, HeaderValue)>;

fn text(value: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(value.as_ref()).unwrap()
}

fn hmac(key: &str, timestamp: i64, body: &[u8]) -> Headers {
    let timestamp = timestamp.to_string();
    vec![
        ("x-signature", text(sign(key, &timestamp, body))),
        ("x-timestamp", text(timestamp)),
    ]
}

/// Computes the HMAC-SHA256 of the body alone.
fn over_body(key: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn good(now_s: i64, body: &[u8]) -> Vec<(&'static str, Headers)> {
    vec![
        ("seconds", hmac(VAPI_SECRET, now_s, body)),
        ("milliseconds", hmac(VAPI_SECRET, now_s * 1000 + 7, body)),
        ("bearer", vec![("authorization", text(format!("Bearer {VAPI_SECRET}")))]),
        ("secret", vec![("x-vapi-secret", text(VAPI_SECRET))]),
        (
            "vapi signature",
            vec![("x-vapi-signature", text(over_body(VAPI_SECRET, body)))],
        ),
        (
            "prefixed vapi signature",
            vec![(
                "x-vapi-signature",
                text(format!("sha256={}", over_body(VAPI_SECRET, body))),
            )],
        ),
    ]
}

fn bad(now_s: i64, body: &[u8]) -> Vec<(&'static str, Headers)> {
    let signed = hmac(VAPI_SECRET, now_s, body);
    let (signature, timestamp) = (signed[0].1.clone(), signed[1].1.clone());
    let not_ascii = HeaderValue::from_bytes(b"\xe9\xff").unwrap();
    let truncated = &signature.to_str().unwrap()[..62];
    let over_body = |key| over_body(key, body);
    vec![
        ("nothing", vec![]),
        ("wrong key", hmac("another secret", now_s, body)),
        ("stale", hmac(VAPI_SECRET, now_s - 301, body)),
        ("stale milliseconds", hmac(VAPI_SECRET, (now_s - 301) * 1000, body)),
        ("future", hmac(VAPI_SECRET, now_s + 320, body)),
        ("changed body", hmac(VAPI_SECRET, now_s, &[body, b" "].concat())),
        ("no timestamp", vec![("x-signature", signature.clone())]),
        ("no signature", vec![("x-timestamp", timestamp.clone())]),
        (
            "another time",
            vec![
                ("x-signature", signature.clone()),
                ("x-timestamp", text((now_s - 1).to_string())),
            ],
        ),
        (
            "truncated",
            vec![("x-signature", text(truncated)), ("x-timestamp", timestamp.clone())],
        ),
        (
            "empty signature",
            vec![("x-signature", text("")), ("x-timestamp", timestamp.clone())],
        ),
        (
            "signature twice",
            vec![
                ("x-signature", signature.clone()),
                ("x-signature", signature.clone()),
                ("x-timestamp", timestamp.clone()),
            ],
        ),
        (
            "signature not ASCII",
            vec![("x-signature", not_ascii.clone()), ("x-timestamp", timestamp)],
        ),
        (
            "timestamp not ASCII",
            vec![("x-signature", signature), ("x-timestamp", not_ascii.clone())],
        ),
        ("wrong bearer", vec![("authorization", text("Bearer another"))]),
        ("empty bearer", vec![("authorization", text("Bearer "))]),
        ("bearer without its word", vec![("authorization", text(VAPI_SECRET))]),
        ("bearer not ASCII", vec![("authorization", not_ascii.clone())]),
        (
            "truncated bearer",
            vec![("authorization", text(format!("Bearer {}", &VAPI_SECRET[1..])))],
        ),
        ("wrong secret", vec![("x-vapi-secret", text("another"))]),
        ("empty secret", vec![("x-vapi-secret", text(""))]),
        ("secret not ASCII", vec![("x-vapi-secret", not_ascii.clone())]),
        (
            "wrong vapi signature",
            vec![("x-vapi-signature", text(over_body("another")))],
        ),
        (
            "truncated vapi signature",
            vec![("x-vapi-signature", text(&over_body(VAPI_SECRET)[..62]))],
        ),
        ("vapi signature not ASCII", vec![("x-vapi-signature", not_ascii)]),
    ]
}

async fn post(server: &TestApp, headers: &Headers, body: Vec<u8>) -> reqwest::Response {
    let mut request = server.client.post(server.url("/webhooks/vapi")).body(body);
    for (name, value) in headers {
        request = request.header(*name, value.clone());
    }
    request.send().await.unwrap()
}

async fn every_sample_is_taken_in_under_each_good_scheme_and_refused_under_each_bad_one(database: Database) {
    let server = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    let mut said_to_strangers = None;
    for name in sample_names() {
        let body = sample_bytes(&name);
        for (why, headers) in bad(server.app.clock.now().timestamp(), &body) {
            let answer = post(&server, &headers, body.clone()).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name}, {why}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let (_, mut problem) = read(answer).await;
            assert!(problem.as_object_mut().unwrap().remove("request_id").is_some());
            // Whatever is wrong, an unauthenticated client always gets the same response.
            assert_eq!(said_to_strangers.get_or_insert(problem.clone()), &problem, "{why}");
        }
    }
    assert_eq!(server.rows("webhook_events").await, Vec::<Value>::new());
    let schema = sample_bytes("vapi-server-message-response.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    for name in sample_names() {
        let body = sample_bytes(&name);
        let mut first = None;
        for (scheme, headers) in good(server.app.clock.now().timestamp(), &body) {
            let (status, answer) = read(post(&server, &headers, body.clone()).await).await;
            // If this message got a 200, Vapi would play the body.
            let expected = if name.contains("voice-request") {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            assert_eq!(status, expected, "{name}, {scheme}: {answer}");
            let whole = json!({"messageResponse": answer});
            assert!(schema.is_valid(&whole) || answer == json!({}), "{name}: {answer}");
            assert_eq!(first.get_or_insert(answer.clone()), &answer, "{name}, {scheme}");
        }
    }
    let events = server.rows("webhook_events").await;
    assert_eq!(events.len(), 29);
    assert_eq!(having(&events, "state", "recorded").len(), 29);
    server.stop().await;
}

async fn a_signature_within_the_replay_window_is_good_and_outside_is_not(database: Database) {
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let server = TestApp::builder(database).at(now).start().await;
    let body = serde_json::to_vec(&report("c", "Bonjour")).unwrap();
    let now = now.timestamp();
    for (at, expected) in [
        (now - 301, 401),
        (now + 301, 401),
        (now - 300, 200),
        (now + 300, 200),
        ((now - 300) * 1000 - 1, 401),
        ((now + 300) * 1000 + 1, 401),
        ((now - 300) * 1000, 200),
        ((now + 300) * 1000, 200),
    ] {
        let answer = post(&server, &hmac(VAPI_SECRET, at, &body), body.clone()).await;
        assert_eq!(answer.status().as_u16(), expected, "{}", at - now);
    }
    server.stop().await;
}

async fn an_unknown_rulebook_or_method_drops_no_call_in_silence(database: Database) {
    let server = TestApp::start(database).await;
    let body = serde_json::to_vec(&report("c", "Bonjour")).unwrap();
    for (path, expected) in [
        ("/webhooks/vapi/nobody", 404),
        ("/webhooks/vapi/default%00", 404),
        ("/webhooks/vapi/default'--", 404),
        ("/webhooks/vapi/", 200),
        ("/webhooks/vapi/default/", 200),
        ("/webhooks/vapi/default/more", 404),
        ("/webhooks/vapi/default", 200),
    ] {
        let (status, answer) = server.post_signed_to(path, VAPI_SECRET, &body).await;
        assert_eq!(status.as_u16(), expected, "{path}: {answer}");
        if expected == 404 {
            assert_eq!(answer["code"], "not_found", "{path}");
        }
        // A client without the secret does not learn which rulebooks exist.
        if expected == 200 || path.ends_with("nobody") {
            let (status, answer) = server.post_signed_to(path, "a-secret-of-somebody-else", &body).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {answer}");
        }
    }
    let (status, problem) = server.get("/webhooks/vapi").await;
    assert_eq!((status.as_u16(), &problem["status"]), (405, &json!(405)));
    server.stop().await;
}

async fn a_body_over_the_limit_is_refused_declared_or_chunked(database: Database) {
    const LIMIT: usize = 5 * 1024 * 1024;
    let server = TestApp::start(database).await;
    let mut message = report("large", "Bonjour");
    message["message"]["padding"] = json!("x".repeat(LIMIT - message.to_string().len() - 13));
    let mut body = message.to_string().into_bytes();
    assert_eq!(body.len(), LIMIT);
    let (status, answer) = server.post_signed_to("/webhooks/vapi", VAPI_SECRET, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    body.push(b' ');
    // The declared length is too large: the server rejects the request before it reads a byte of the body.
    let head =
        |rest: &str| format!("POST /webhooks/vapi HTTP/1.1\r\nhost: ringbook\r\nconnection: close\r\n{rest}\r\n");
    let declared = head(&format!("content-length: {}\r\n", body.len()));
    assert_problem(&exchange(&server, declared.as_bytes(), b"").await, 413);
    let mut chunks = Vec::new();
    for chunk in body.chunks(64 * 1024) {
        chunks.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunks.extend(chunk);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    // The signature may be valid, so the server reads the body up to the limit.
    let (signature, now) = ("0".repeat(64), server.app.clock.now().timestamp());
    let signed = format!("transfer-encoding: chunked\r\nx-signature: {signature}\r\nx-timestamp: {now}\r\n");
    assert_problem(&exchange(&server, head(&signed).as_bytes(), &chunks).await, 413);
    // Without a signature, the server rejects the request before it reads the body.
    let unsigned = head("transfer-encoding: chunked\r\n");
    assert_problem(&exchange(&server, unsigned.as_bytes(), b"").await, 401);
    assert_eq!(server.counts(["webhook_events"]).await, [1]);
    server.stop().await;
}

/// Sends raw bytes and reads the response, which may come before everything was sent.
async fn exchange(server: &TestApp, head: &[u8], body: &[u8]) -> String {
    let (mut from, mut to) = TcpStream::connect(server.address).await.unwrap().into_split();
    let (head, body) = (head.to_vec(), body.to_vec());
    let sent = tokio::spawn(async move {
        // The server may have stopped reading, so an error is ignored.
        let _ = to.write_all(&head).await;
        let _ = to.write_all(&body).await;
        to
    });
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer).await {
            Ok(read) if read > 0 => answer.extend(&buffer[..read]),
            _ => break,
        }
    }
    sent.abort();
    String::from_utf8(answer).unwrap()
}

fn assert_problem(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("application/problem+json"), "{head}");
    assert!(body.contains(&format!("\"status\":{status}")), "{body}");
}

async fn a_compressed_body_is_verified_as_it_came(database: Database) {
    const PLAIN: &[u8] = br#"{"message":{"type":"hang"}}"#;
    let packed =
        hex::decode("1f8b0800000000000003ab56ca4d2d2e4e4c4f55b2aa562aa92c00d24a198979e94ab5b500d2cc5a3f1b000000")
            .unwrap();
    let server = TestApp::start(database).await;
    let now = server.app.clock.now().timestamp();
    for (signed, expected) in [(PLAIN, 401), (packed.as_slice(), 200)] {
        let mut headers = hmac(VAPI_SECRET, now, signed);
        headers.push(("content-encoding", text("gzip")));
        let answer = post(&server, &headers, packed.clone()).await;
        assert_eq!(answer.status().as_u16(), expected);
    }
    // Ringbook does not decompress the body. It stores the body as received, so that a person can inspect it.
    let event = server.only_row("webhook_events").await;
    assert_eq!(event["state"], "unreadable");
    assert_eq!(event["body"], hex::encode(packed));
    server.stop().await;
}

async fn failed_signatures_run_dry_soon_and_the_wait_is_said(database: Database) {
    let server = TestApp::start(database).await;
    let body = serde_json::to_vec(&report("c", "Bonjour")).unwrap();
    let now = server.app.clock.now().timestamp();
    let (good, wrong) = (hmac(VAPI_SECRET, now, &body), hmac("another", now, &body));
    for _ in 0..50 {
        assert_eq!(post(&server, &good, body.clone()).await.status(), StatusCode::OK);
    }
    let mut refused = 0;
    let limited = loop {
        let answer = post(&server, &wrong, body.clone()).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        refused += 1;
        assert!(
            refused < 200,
            "more failures were answered 401 than the limit of 20 at once and ten per second"
        );
    };
    assert!(refused >= 15, "{refused}");
    assert_eq!(limited.headers()["content-type"], "application/problem+json");
    let wait: u64 = limited.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    // A valid message does not wait for the invalid messages.
    assert_eq!(post(&server, &good, body.clone()).await.status(), StatusCode::OK);
    // After the time in `Retry-After`, an invalid message gets 401 again.
    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    assert_eq!(
        post(&server, &wrong, body.clone()).await.status(),
        StatusCode::UNAUTHORIZED
    );
    server.stop().await;
}
