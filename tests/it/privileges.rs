//! Calls each operation of the OpenAPI document with each kind of key, and compares the responses with
//! `tests/data/privileges.txt`.
//!
//! The file has one line per operation, which declares the role that the operation needs. An operation without a line
//! fails the test, and so does a line without an operation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

const DECLARED: &str = include_str!("../data/privileges.txt");
/// The roles in ascending order, except `owner`, which is outside of this order.
const ROLES: [&str; 6] = ["viewer", "dispatcher", "editor", "publisher", "admin", "owner"];
const NO_SUCH_ID: &str = "01900000-0000-7000-8000-000000000000";

both!(every_operation_asks_for_the_key_that_is_declared);

/// An operation of the OpenAPI document, ready to be called.
struct Operation {
    id: String,
    method: Method,
    path: String,
    body: Option<(String, String)>,
    of_a_rulebook: bool,
    role: String,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: filled(path, operation),
                body: body(operation),
                of_a_rulebook: path.contains("{rulebook}"),
                role: operation["x-required-role"].as_str().unwrap().to_owned(),
            });
        }
    }
    found
}

/// Returns the path with an existing rulebook and unknown other parameters, so that an authorized call changes nothing.
fn filled(path: &str, operation: &Value) -> String {
    let mut path = path.replace("{rulebook}", "default");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
        let schema = &parameter["schema"];
        let value = match (schema["format"].as_str(), schema["type"].as_str()) {
            (Some("uuid"), _) => NO_SUCH_ID,
            (_, Some("integer")) => "999999",
            _ => "no_such_thing",
        };
        path = path.replace(&name, value);
    }
    assert!(!path.contains('{'), "{path}");
    path
}

/// Returns the OpenAPI document's own example of the body, with its content type.
fn body(operation: &Value) -> Option<(String, String)> {
    let content = operation["requestBody"]["content"].as_object()?;
    let (kind, media) = content.iter().next()?;
    let example = &media["example"];
    let text = example.as_str().map_or_else(|| example.to_string(), ToOwned::to_owned);
    Some((kind.clone(), text))
}

async fn asked(app: &TestApp, operation: &Operation, key: Option<&str>) -> StatusCode {
    let mut request = app.client.request(operation.method.clone(), app.url(&operation.path));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if let Some((kind, body)) = &operation.body {
        request = request.header("content-type", kind).body(body.clone());
    }
    let response = request.send().await.unwrap();
    response.status()
}

async fn key(app: &TestApp, role: &str, more: Value) -> (String, String) {
    let mut body = json!({"name": role, "role": role});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |place: &str| made.pointer(place).unwrap().as_str().unwrap().to_owned();
    (text("/key"), text("/api_key/id"))
}

async fn every_operation_asks_for_the_key_that_is_declared(database: Database) {
    let start = "2026-05-04T12:00:00Z".parse().unwrap();
    let app = TestApp::builder(database)
        .at(start)
        .set("RATE_LIMIT_ENABLED", "false")
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let other = json!({"code": "other", "rows": "sample"});
    let (status, made) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&other)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (expired, _) = key(&app, "admin", json!({"expires_at": "2026-05-04T13:00:00Z"})).await;
    let (revoked, id) = key(&app, "admin", json!({})).await;
    let gone = format!("/admin/v1/api-keys/{id}");
    assert_eq!(app.admin(Method::DELETE, &gone, None).await.0, StatusCode::NO_CONTENT);
    let mut roles = Vec::new();
    let mut elsewhere = Vec::new();
    for role in ROLES {
        roles.push(key(&app, role, json!({})).await.0);
        elsewhere.push(key(&app, role, json!({"rulebook": "other"})).await.0);
    }
    app.app.clock.step(chrono::TimeDelta::hours(2));

    let operations = operations(admin::document());
    let mut declared: BTreeMap<&str, &str> = DECLARED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let mut wrong = String::new();
    let mut cells = 0;
    for operation in &operations {
        let Some(least) = declared.remove(operation.id.as_str()) else {
            writeln!(wrong, "{} {}: no line", operation.id, operation.role).unwrap();
            continue;
        };
        if operation.role != least {
            writeln!(
                wrong,
                "{}: privileges.txt says {least}, the OpenAPI document says {}",
                operation.id, operation.role
            )
            .unwrap();
        }
        let mut holds = |who: String, status: StatusCode, expected: bool| {
            cells += 1;
            if !expected {
                writeln!(wrong, "{}: the response to a key {who} is {status}", operation.id).unwrap();
            }
        };
        for (who, key) in [
            ("that is missing", None),
            ("that is malformed", Some("nonsense")),
            ("that nobody made", Some("rb_0123456789ab_00")),
            ("that expired", Some(expired.as_str())),
            ("that was revoked", Some(revoked.as_str())),
        ] {
            let status = asked(&app, operation, key).await;
            holds(who.to_owned(), status, status == StatusCode::UNAUTHORIZED);
        }
        let needed = ROLES.iter().position(|role| *role == least).unwrap();
        for (rank, role) in ROLES.iter().enumerate() {
            let may = if *role == "owner" {
                operation.method == Method::GET || ["viewer", "publisher"].contains(&least)
            } else {
                rank >= needed
            };
            let status = asked(&app, operation, Some(&elsewhere[rank])).await;
            let expected = if !may {
                status == StatusCode::FORBIDDEN
            } else if operation.of_a_rulebook {
                status == StatusCode::NOT_FOUND
            } else {
                status != StatusCode::UNAUTHORIZED && !status.is_server_error()
            };
            holds(format!("of role {role} for another rulebook"), status, expected);
            let status = asked(&app, operation, Some(&roles[rank])).await;
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let expected = if may { !refused } else { status == StatusCode::FORBIDDEN };
            holds(format!("of role {role}"), status, expected && !status.is_server_error());
        }
    }
    for (id, role) in declared {
        writeln!(wrong, "{id} {role}: no such operation").unwrap();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!(cells, operations.len() * (5 + 2 * ROLES.len()));
    app.stop().await;
}
