//! Sends malformed requests to the admin API. Whatever a parameter, a path or a header contains, the status is below
//! 500. Every error is problem+json and contains the request id.

use std::time::Duration;

use admin::document::document;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    no_parameter_breaks_anything,
    no_path_breaks_anything,
    no_header_breaks_anything,
);

/// Strings that break careless parsers.
const STRANGE: &[&str] = &[
    "",
    " ",
    "'",
    "' OR '1'='1",
    "1; DROP TABLE calls; --",
    "\" OR \"\"=\"",
    "%",
    "_%_",
    "\\",
    "$1",
    "?",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\0",
    "a\0b",
    "\r\nX-Injected: yes",
    "\u{feff}",
    "\u{202e}",
    "\u{fffd}",
    "\u{10ffff}",
    "é\u{301}",
    "null",
    "undefined",
    "NaN",
    "true",
    "-1",
    "0",
    "1e309",
    "0x10",
    "٣",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999999999999999999999",
    "2026-02-30",
    "0000-00-00",
    "+262142-12-31T23:59:59Z",
    "2026-11-27T15:00:60Z",
    "-9999-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}",
    "{}",
    "[]",
    "{\"a\":{\"a\":[1e999]}}",
    "{\"\\u0000\":\"\\ud800\"}",
    "WyItaWQiLHRydWUsbnVsbCwiXHUwMDAwIl0",
    "WyJpZCIsZmFsc2UsbnVsbCwiJyJd",
];

/// Checks that the status is below 500 and that a client error is problem+json with all fields.
fn checked(what: &str, status: StatusCode, media_type: Option<&str>, body: &str) {
    assert!(status.as_u16() < 500, "{what}: {status} {body}");
    if status.is_client_error() {
        assert_eq!(media_type, Some("application/problem+json"), "{what}: {body}");
        let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what}: {error} in {body}"));
        assert_eq!(problem["status"], status.as_u16(), "{what}: {body}");
        for field in ["code", "title", "detail", "request_id"] {
            assert!(problem[field].is_string(), "{what}: no {field} in {body}");
        }
    }
}

async fn ask(app: &TestApp, address: &str, query: &[(&str, &str)]) {
    let mut url = reqwest::Url::parse(&app.url(address)).unwrap();
    url.query_pairs_mut().extend_pairs(query);
    let request = app.client.get(url).bearer_auth(ADMIN_KEY);
    let answer = request.send().await.unwrap();
    let media_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let status = answer.status();
    let body = answer.text().await.unwrap();
    checked(&format!("{address} {query:?}"), status, media_type.as_deref(), &body);
}

async fn no_parameter_breaks_anything(database: Database) {
    let app = TestApp::start(database).await;
    let long = "x".repeat(5_000);
    let strange: Vec<&str> = STRANGE.iter().copied().chain([long.as_str()]).collect();
    let mut tried = std::collections::BTreeSet::new();
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let (Some(operation), false) = (item.get("get"), path.ends_with("/events")) else {
            continue;
        };
        let there = path
            .replace("{rulebook}", "default")
            .replace("{code}", "main")
            .replace("{number}", "1");
        let there = there
            .replace("{id}", "018f0000-0000-7000-8000-000000000000")
            .replace("{call_id}", "call-1");
        let queried = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["in"] == "query");
        // Parameters that all lists share are parsed in one place, so they are tested once.
        let common = ["limit", "cursor", "sort", "revision", "change_set"];
        let is_new = |one: &&Value| !common.contains(&one["name"].as_str().unwrap()) || tried.insert(one.to_string());
        let names: Vec<&str> = queried.filter(is_new).filter_map(|one| one["name"].as_str()).collect();
        for value in &strange {
            for name in &names {
                ask(&app, &there, &[(name, value)]).await;
            }
        }
        ask(
            &app,
            &there,
            &[(strange[tried.len() % strange.len()], "x"), ("limit", "1")],
        )
        .await;
        let all: Vec<(&str, &str)> = names.iter().flat_map(|name| [(*name, "1"), (*name, "2")]).collect();
        ask(&app, &there, &all).await;
    }
    app.stop().await;
}

/// Sends raw bytes. Returns the status, the media type and the body; `None` if the connection was closed without a
/// response.
async fn raw(app: &TestApp, request: &[u8]) -> Option<(StatusCode, Option<String>, String)> {
    let address = app
        .url("")
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may reject the request and close the connection before everything is sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(!head.to_ascii_lowercase().contains("x-injected"), "{head}");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let media_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type")
            .then(|| value.trim().to_owned())
    });
    Some((status, media_type, body.to_owned()))
}

/// Sends raw bytes and checks the response. A 304 and the HTTP library's own responses may have no body. The bodies of
/// all other responses are checked.
async fn sent(app: &TestApp, what: &str, request: &[u8]) {
    if let Some((status, media_type, body)) = raw(app, request).await {
        if body.is_empty() && media_type.is_none() {
            let known = status == StatusCode::NOT_MODIFIED;
            assert!(known || status.is_client_error(), "{what}: {status}");
        } else {
            checked(what, status, media_type.as_deref(), &body);
        }
    }
}

async fn no_path_breaks_anything(database: Database) {
    let app = TestApp::start(database).await;
    let long = "a".repeat(20_000);
    let deep = "/x".repeat(2_000);
    let codes = [
        "%00",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "%",
        "%2",
        "%zz",
        "%2e%2e",
        "..",
        ".",
        "%2f",
        "%5c",
        "\\",
        ";x=1",
        "a%0d%0aX-Injected:%20yes",
        "%25",
        "a+b",
        "'",
        "%27%20OR%201=1",
        "%F4%8F%BF%BF",
        "{code}",
        ":code",
        "*",
        "~",
        "%e2%80%ae",
        &long,
    ];
    for code in codes {
        for path in [
            format!("/admin/v1/rulebooks/{code}"),
            format!("/admin/v1/rulebooks/default/services/{code}"),
            format!("/admin/v1/rulebooks/{code}/services/{code}"),
            format!("/admin/v1/rulebooks/default/calls/{code}"),
            format!("/admin/v1/rulebooks/default/revisions/{code}/diff"),
            format!("/admin/v1/rulebooks/default/decisions/{code}"),
            format!("/admin/v1/{code}"),
            format!("/webhooks/vapi/{code}"),
            format!("/{code}"),
        ] {
            for method in ["GET", "DELETE", "PUT", "POST", "TRACE", "CONNECT", "QUERY"] {
                let what = format!("{method} {}", path.chars().take(80).collect::<String>());
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                sent(&app, &what, request.as_bytes()).await;
            }
        }
    }
    let request = format!("GET {deep} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    sent(&app, "a deep path", request.as_bytes()).await;
    assert_eq!(app.get("/health/ready").await.0, StatusCode::OK);
    app.stop().await;
}

async fn no_header_breaks_anything(database: Database) {
    let app = TestApp::start(database).await;
    let names = [
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-request-id",
        "accept",
        "content-type",
        "authorization",
        "origin",
        "x-forwarded-for",
        "accept-encoding",
        "range",
        "expect",
        "upgrade",
    ];
    let long = vec![b'x'; 8_000];
    let values: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"\xff\xfe",
        b"\x80",
        b"\t",
        b"W/\"\"",
        b"\"-1\"",
        b"\"9223372036854775808\"",
        b"*",
        b"\"1\", \"2\"",
        b"text/html;q=0",
        b"*/*;q=9",
        b"application/json; charset=\"",
        b"Bearer",
        b"Bearer  ",
        b"Basic Og==",
        b"null",
        b"bytes=0-99999999999999999999",
        b"100-continue",
        b"\"' OR 1=1\"",
        &long,
    ];
    let path = "/admin/v1/rulebooks/default/services/camera_inspection";
    for name in names {
        for value in &values {
            for (method, body) in [("GET", ""), ("DELETE", ""), ("PATCH", "{}"), ("PUT", "{")] {
                let what = format!(
                    "{method} with {name}: {}",
                    String::from_utf8_lossy(&value[..value.len().min(40)])
                );
                let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
                if name != "authorization" {
                    request.extend(format!("authorization: Bearer {ADMIN_KEY}\r\n").into_bytes());
                }
                if name != "content-type" {
                    request.extend(b"content-type: application/json\r\n");
                }
                request.extend(format!("{name}: ").into_bytes());
                request.extend_from_slice(value);
                request.extend(format!("\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes());
                sent(&app, &what, &request).await;
            }
        }
    }
    assert_eq!(app.get("/health/ready").await.0, StatusCode::OK);
    app.stop().await;
}
