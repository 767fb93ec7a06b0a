//! Tests the HTTP behavior of the admin API: ETags, media types, methods, other origins and headers.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY, client::Request, messages::report};

both!(
    what_a_client_has_already_is_not_sent_again,
    a_tag_changes_with_whatever_the_answer_depends_on,
    what_a_client_does_not_take_is_refused_before_anything_is_done,
    every_address_says_which_methods_it_takes,
    a_page_of_a_listed_origin_may_call_and_no_other,
    every_answer_carries_the_headers_that_keep_a_browser_safe,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const CAMERA: &str = "/admin/v1/rulebooks/default/services/camera_inspection";

struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    /// The body's length in bytes.
    length: usize,
    text: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn problem(&self) -> (StatusCode, String) {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        (self.status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}

async fn ask(app: &TestApp, method: Method, path: &str, with: impl Fn(Request) -> Request) -> Seen {
    let request = app.client.request(method, app.url(path)).bearer_auth(ADMIN_KEY);
    let response = with(request).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    Seen {
        status,
        headers,
        length: body.len(),
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

async fn at_rest(database: Database) -> TestApp {
    TestApp::at_rest(database, "2026-11-24T15:02:00Z".parse().unwrap()).await
}

async fn what_a_client_has_already_is_not_sent_again(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", "Des racines dans le drain.")).await;
    app.admin(
        Method::POST,
        &format!("{BOOK}/change-sets"),
        Some(&json!({"comment": "x", "changes": []})),
    )
    .await;
    let more = [
        "/openapi.json",
        "/docs",
        "/docs/scripting",
        "/problems",
        "/problems/stale_version",
    ];
    let mut paths: Vec<String> = more.iter().map(ToString::to_string).collect();
    let lists = [
        "services",
        "calls",
        "decisions",
        "leads",
        "revisions",
        "change-sets",
        "services.csv",
        "revisions/head/export",
        "",
    ];
    paths.extend(
        lists
            .iter()
            .map(|list| format!("{BOOK}/{list}").trim_end_matches('/').to_owned()),
    );
    paths.extend([
        CAMERA.to_owned(),
        "/admin/v1/notices".to_owned(),
        "/admin/v1/audit-log".to_owned(),
    ]);
    for path in &paths {
        let first = ask(&app, Method::GET, path, |request| request).await;
        assert_eq!(first.status, StatusCode::OK, "{path}: {}", first.text);
        let tag = first.header("etag").to_owned();
        assert!(
            tag.starts_with('"') && tag.ends_with('"') && tag.len() > 4,
            "{path}: {tag}"
        );
        let keep = first.header("cache-control");
        let private = path.starts_with("/admin");
        assert_eq!(keep, if private { "private, no-cache" } else { "no-cache" }, "{path}");
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}, \"a,b\""),
            "*".to_owned(),
        ] {
            let again = ask(&app, Method::GET, path, |request| {
                request.header("if-none-match", &known)
            })
            .await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path} with {known}");
            assert!(
                again.text.is_empty() && again.header("content-type").is_empty(),
                "{path}"
            );
            assert_eq!(
                (again.header("etag"), again.header("cache-control")),
                (&*tag, keep),
                "{path}"
            );
            assert!(!again.header("x-request-id").is_empty());
            // A browser shows its cached page with the headers of the 304, so the 304 must contain the page's content
            // policy.
            let own = ["content-length", "content-type", "x-request-id", "date"];
            for (name, value) in first.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
                assert!(
                    again.headers.get_all(name).iter().any(|known| known == value),
                    "{path}: {name}"
                );
            }
        }
        for other in ["\"other\"", &tag.replace('"', ""), "W/\"\""] {
            let again = ask(&app, Method::GET, path, |request| {
                request.header("if-none-match", other)
            })
            .await;
            assert_eq!(
                (again.status, again.text == first.text),
                (StatusCode::OK, true),
                "{path} with {other}"
            );
        }
        // The response to a HEAD has the headers of the response to a GET, but no body.
        let head = ask(&app, Method::HEAD, path, |request| request).await;
        assert_eq!(
            (head.status, head.header("etag"), head.text.as_str()),
            (StatusCode::OK, &*tag, ""),
            "{path}"
        );
        assert_eq!(head.header("content-length"), first.length.to_string(), "{path}");
    }
    let keys = ask(&app, Method::GET, "/admin/v1/api-keys", |request| request).await;
    assert_eq!(keys.header("cache-control"), "no-store");
    let made = json!({"name": "a", "role": "viewer"});
    let made = ask(&app, Method::POST, "/admin/v1/api-keys", |request| request.json(&made)).await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (StatusCode::CREATED, "no-store")
    );
    app.stop().await;
}

async fn a_tag_changes_with_whatever_the_answer_depends_on(database: Database) {
    let app = at_rest(database).await;
    let tag = async |path: String| {
        ask(&app, Method::GET, &path, |request| request)
            .await
            .header("etag")
            .to_owned()
    };
    let row = tag(CAMERA.to_owned()).await;
    assert!(row.starts_with("\"1."), "{row}");
    // The rulebook's settings and their version did not change, but the head revision in the response did.
    let before = tag(BOOK.to_owned()).await;
    let change = json!({"price_to": "400.00"});
    let changed = ask(&app, Method::PATCH, CAMERA, |request| {
        request.header("if-match", &row).json(&change)
    })
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_ne!(tag(BOOK.to_owned()).await, before);
    // The response to a write has the same ETag as the next read.
    assert_eq!(changed.header("etag"), tag(CAMERA.to_owned()).await);
    let stale = ask(&app, Method::PATCH, CAMERA, |request| {
        request.header("if-match", &row).json(&change)
    })
    .await;
    assert_eq!(
        stale.problem(),
        (StatusCode::PRECONDITION_FAILED, "stale_version".to_owned())
    );
    // A change set changes the row that is read with it, but not the row's version. So the ETag must change too.
    let set = json!({"comment": "x", "changes": []});
    let (_, set) = app
        .admin(Method::POST, &format!("{BOOK}/change-sets"), Some(&set))
        .await;
    let seen = format!("{CAMERA}?change_set={}", set["id"].as_str().unwrap());
    let before = tag(seen.clone()).await;
    let change = json!({"resource": "services", "code": "camera_inspection", "method": "patch", "version": 2,
        "body": {"price_to": "420.00"}});
    let add = format!("{BOOK}/change-sets/{}/changes?version=1", set["id"].as_str().unwrap());
    let (status, added) = app.admin(Method::POST, &add, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{added}");
    assert_ne!(tag(seen).await, before);
    app.stop().await;
}

async fn what_a_client_does_not_take_is_refused_before_anything_is_done(database: Database) {
    let app = at_rest(database).await;
    let accepting = |accept: &'static str| move |request: Request| request.header("accept", accept);
    for good in [
        "*/*",
        "application/*",
        "application/json",
        "text/html, application/json;q=0.1",
        "application/json; charset=utf-8",
    ] {
        let seen = ask(&app, Method::GET, CAMERA, accepting(good)).await;
        assert_eq!(
            (seen.status, seen.header("content-type")),
            (StatusCode::OK, "application/json"),
            "{good}"
        );
    }
    for bad in [
        "text/html",
        "application/xml",
        "*/*;q=0",
        "application/json;q=0, text/csv",
    ] {
        let seen = ask(&app, Method::GET, CAMERA, accepting(bad)).await;
        assert_eq!(
            seen.problem(),
            (StatusCode::NOT_ACCEPTABLE, "not_acceptable".to_owned()),
            "{bad}"
        );
        assert!(seen.text.contains("`application/json`"), "{}", seen.text);
    }
    let sheet = format!("{BOOK}/services.csv");
    assert_eq!(
        ask(&app, Method::GET, &sheet, accepting("text/csv")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        ask(&app, Method::GET, &sheet, accepting("application/json"))
            .await
            .status,
        StatusCode::NOT_ACCEPTABLE
    );
    let diff = format!("{BOOK}/revisions/1/diff");
    for (accept, kind) in [
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json;q=0.4, text/*;q=0.5", "text/plain; charset=utf-8"),
        ("*/*", "application/json"),
    ] {
        let seen = ask(&app, Method::GET, &diff, accepting(accept)).await;
        assert_eq!(
            (seen.status, seen.header("content-type")),
            (StatusCode::OK, kind),
            "{accept}"
        );
    }
    let rulebook = json!({"code": "never", "rows": "empty"});
    let seen = ask(&app, Method::POST, "/admin/v1/rulebooks", |request| {
        request.header("accept", "text/csv").json(&rulebook)
    });
    assert_eq!(seen.await.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(app.counts(["rulebooks"]).await, [1]);

    for (method, path, header, kinds) in [
        (Method::POST, "/admin/v1/rulebooks", "accept-post", "application/json"),
        (Method::PUT, CAMERA, "accept", "application/json"),
        (Method::PATCH, CAMERA, "accept-patch", "application/merge-patch+json"),
        (Method::POST, &sheet, "accept-post", "text/csv; charset=utf-8"),
    ] {
        let seen = ask(&app, method, path, |request| {
            request.header("content-type", "text/yaml").body("a: 1")
        })
        .await;
        assert_eq!(
            seen.problem(),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type".to_owned()),
            "{path}"
        );
        assert_eq!(seen.header(header), kinds, "{path}");
    }
    app.stop().await;
}

async fn every_address_says_which_methods_it_takes(database: Database) {
    let app = at_rest(database).await;
    let (_, document) = app.get("/openapi.json").await;
    let mut addresses = vec![
        ("/".to_owned(), vec!["GET"]),
        ("/openapi.json".to_owned(), vec!["GET"]),
        ("/docs".to_owned(), vec!["GET"]),
        ("/docs/scripting".to_owned(), vec!["GET"]),
        ("/problems".to_owned(), vec!["GET"]),
        ("/problems/not_found".to_owned(), vec!["GET"]),
        ("/health/live".to_owned(), vec!["GET"]),
        ("/health/ready".to_owned(), vec!["GET"]),
        ("/metrics".to_owned(), vec!["GET"]),
        ("/webhooks/vapi".to_owned(), vec!["POST"]),
        ("/webhooks/vapi/default".to_owned(), vec!["POST"]),
        ("/webhooks/twilio/inbound".to_owned(), vec!["POST"]),
    ];
    addresses.extend(console::addresses().map(|(address, methods)| {
        let address = address
            .split('/')
            .map(|part| if part.starts_with(':') { "x" } else { part });
        (address.collect::<Vec<_>>().join("/"), methods.split(", ").collect())
    }));
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut path = path.clone();
        while let (Some(from), Some(until)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=until, "x");
        }
        let methods = item.as_object().unwrap().keys().map(String::as_str);
        addresses.push((path, methods.filter(|key| *key != "parameters").collect()));
    }
    for (path, takes) in addresses {
        let mut allowed: Vec<String> = takes.iter().map(|method| method.to_uppercase()).collect();
        if allowed.contains(&"GET".to_owned()) {
            allowed.push("HEAD".to_owned());
        }
        allowed.push("OPTIONS".to_owned());
        allowed.sort();
        let allow = allowed.join(", ");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if allowed.iter().any(|own| own == method) {
                continue;
            }
            let seen = ask(&app, method.parse().unwrap(), &path, |request| request).await;
            assert_eq!(
                (seen.status, seen.header("allow")),
                (StatusCode::METHOD_NOT_ALLOWED, &*allow),
                "{method} {path}"
            );
            if method != "HEAD" {
                assert_eq!(seen.problem().1, "method_not_allowed", "{method} {path}");
            }
        }
        let options = ask(&app, Method::OPTIONS, &path, |request| request).await;
        assert_eq!(
            (options.status, options.header("allow")),
            (StatusCode::NO_CONTENT, &*allow),
            "{path}"
        );
        assert!(options.text.is_empty() && options.header("content-type").is_empty());
    }
    let nowhere = ask(&app, Method::OPTIONS, "/nowhere", |request| request).await;
    assert_eq!(nowhere.problem(), (StatusCode::NOT_FOUND, "not_found".to_owned()));
    app.stop().await;
}

async fn a_page_of_a_listed_origin_may_call_and_no_other(database: Database) {
    let app = TestApp::builder(database)
        .set("RINGBOOK_CORS_ORIGINS", "https://office.example,https://other.example")
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let office = "https://office.example";
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let preflight = ask(&app, Method::OPTIONS, CAMERA, |request| {
            request
                .header("origin", office)
                .header("access-control-request-method", method)
                .header(
                    "access-control-request-headers",
                    "authorization, if-match, if-none-match, content-type, idempotency-key",
                )
        })
        .await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
        assert_eq!(preflight.header("access-control-allow-origin"), office);
        let methods: Vec<_> = preflight.header("access-control-allow-methods").split(", ").collect();
        assert!(methods.contains(&method), "{methods:?}");
        for header in [
            "authorization",
            "if-match",
            "if-none-match",
            "content-type",
            "idempotency-key",
            "x-request-id",
        ] {
            assert!(
                preflight.header("access-control-allow-headers").contains(header),
                "{header}"
            );
        }
        assert!(preflight.header("vary").contains("origin"));
        assert!(preflight.header("access-control-allow-credentials").is_empty());
    }
    // A page of another origin may read these headers, also in an error response. A 405 still lists the allowed
    // methods.
    for (method, path, status) in [
        (Method::GET, CAMERA, StatusCode::OK),
        (Method::GET, "/admin/v1/rulebooks/nowhere", StatusCode::NOT_FOUND),
        (Method::DELETE, BOOK, StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/problems/not_found", StatusCode::OK),
        (Method::GET, "/openapi.json", StatusCode::OK),
    ] {
        let seen = ask(&app, method, path, |request| request.header("origin", office)).await;
        assert_eq!(
            (seen.status, seen.header("access-control-allow-origin")),
            (status, office),
            "{path}"
        );
        for header in [
            "etag",
            "location",
            "retry-after",
            "x-request-id",
            "idempotent-replayed",
            "x-ringbook-dry-run",
            "allow",
        ] {
            assert!(
                seen.header("access-control-expose-headers").contains(header),
                "{header}"
            );
        }
        assert_eq!(
            seen.header("allow").is_empty(),
            status != StatusCode::METHOD_NOT_ALLOWED
        );
    }
    for (origin, path) in [
        ("https://evil.example", CAMERA),
        ("null", CAMERA),
        ("https://office.example.evil.example", CAMERA),
        (office, "/webhooks/vapi"),
        (office, "/metrics"),
    ] {
        for method in [Method::OPTIONS, Method::GET] {
            let seen = ask(&app, method, path, |request| {
                request
                    .header("origin", origin)
                    .header("access-control-request-method", "GET")
            })
            .await;
            assert!(seen.header("access-control-allow-origin").is_empty(), "{origin} {path}");
        }
    }
    app.stop().await;
}

async fn every_answer_carries_the_headers_that_keep_a_browser_safe(database: Database) {
    let app = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_PUBLIC_URL", "https://rules.example")
        .start()
        .await;
    for (method, path) in [
        (Method::GET, CAMERA),
        (Method::GET, "/nowhere"),
        (Method::POST, CAMERA),
        (Method::OPTIONS, CAMERA),
        (Method::POST, "/webhooks/vapi"),
        (Method::GET, "/health/live"),
        (Method::GET, "/docs"),
        (Method::GET, "/docs/scripting"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/problems"),
    ] {
        let seen = ask(&app, method, path, |request| request).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(seen.header(name), value, "{path}: {name}");
        }
        let policy = seen.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src"));
        assert_eq!(scripts.is_some(), path == "/docs", "{path}: {policy}");
        assert!(!scripts.unwrap_or_default().contains("unsafe"), "{path}: {policy}");
        assert!(seen.header("server").is_empty() && seen.header("x-powered-by").is_empty());
    }
    app.stop().await;
    let app = at_rest(database).await;
    let plain = ask(&app, Method::GET, CAMERA, |request| request).await;
    assert!(plain.header("strict-transport-security").is_empty());
    app.stop().await;
}
