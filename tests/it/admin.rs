//! The admin API over HTTP: rows, versions, roles, lists.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

const SERVICES: &str = "/admin/v1/rulebooks/default/services";
const CAMERA: &str = "/admin/v1/rulebooks/default/services/camera_inspection";

both!(
    a_price_is_read_changed_and_put_back,
    a_row_is_made_patched_and_deleted,
    a_write_without_or_with_an_old_version_is_refused,
    bad_input_is_told_with_its_place,
    roles_and_rulebooks_bound_what_a_key_may_do,
    an_expired_or_revoked_key_opens_nothing,
    pages_stay_in_place_while_rows_come,
    calls_are_found_by_what_their_analysis_contains,
    every_list_and_example_of_the_document_works,
    a_roll_back_brings_an_old_price_back,
    evaluate_decides_and_stores_nothing,
);

/// Creates a key through the API.
async fn new_key(app: &TestApp, body: Value) -> (String, Value) {
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    (made["key"].as_str().unwrap().to_owned(), made["api_key"].clone())
}

/// A case that expects a price blocks a change of that price until the case is deleted.
async fn a_red_case_refuses_a_change(database: Database) {
    let app = TestApp::start(database).await;
    let case = "/admin/v1/rulebooks/default/cases/camera_fr";
    let (_, mut pinned) = app.admin(Method::GET, case, None).await;
    pinned["expect"]["/price/to"] = json!("350.00");
    let (status, pinned) = app.admin(Method::PUT, case, Some(&pinned)).await;
    assert_eq!(status, StatusCode::OK, "{pinned}");
    let (_, mut row) = app.admin(Method::GET, CAMERA, None).await;
    row["price_to"] = json!("400.00");
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&row)).await;
    assert_eq!(
        (status, &problem["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("case_failed")),
        "{problem}"
    );
    let path = format!("{case}?version={}", pinned["version"]);
    assert_eq!(app.admin(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.admin(Method::PUT, CAMERA, Some(&row)).await.0, StatusCode::OK);
}

both!(a_red_case_refuses_a_change);

async fn a_price_is_read_changed_and_put_back(database: Database) {
    let app = TestApp::start(database).await;
    let (status, mut row) = app.admin(Method::GET, CAMERA, None).await;
    assert_eq!((status, &row["price_from"]), (StatusCode::OK, &json!("350.00")));
    row["price_to"] = json!("400.00");
    let (status, put) = app.admin(Method::PUT, CAMERA, Some(&row)).await;
    assert_eq!((status, &put["price_to"]), (StatusCode::OK, &json!("400.00")), "{put}");
    assert!(put["version"].as_i64() > row["version"].as_i64());
    assert_eq!(app.admin(Method::GET, CAMERA, None).await.1, put);
    let (_, log) = app
        .admin(
            Method::GET,
            "/admin/v1/audit-log?resource=services&code=camera_inspection&limit=1",
            None,
        )
        .await;
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["before"]["price_to"], &entry["after"]["price_to"]),
        (&json!("350.00"), &json!("400.00")),
        "{log}"
    );
    assert!(entry["request_id"].is_string() && entry["address"] == "127.0.0.1");
    app.stop().await;
}

async fn a_row_is_made_patched_and_deleted(database: Database) {
    let app = TestApp::start(database).await;
    let path = "/admin/v1/rulebooks/default/taxes/eco";
    let row = json!({"names": {"en": "Eco fee"}, "rank": 9, "rate": "1.5"});
    let (status, made) = app.admin(Method::PUT, path, Some(&row)).await;
    assert!(
        matches!(status, StatusCode::CREATED | StatusCode::UNPROCESSABLE_ENTITY),
        "{made}"
    );
    // Use a contact, because a new tax would change totals that the sample's cases check.
    let path = "/admin/v1/rulebooks/default/contacts/reception";
    let row = json!({"name": "Office", "phone": "+15145550150", "language": "fr", "rank": 50, "on_call": false});
    let (status, made) = app.admin(Method::PUT, path, Some(&row)).await;
    assert_eq!(
        (status, &made["code"]),
        (StatusCode::CREATED, &json!("reception")),
        "{made}"
    );
    let patch = json!({"rank": 51, "version": made["version"]});
    let (status, patched) = app.admin(Method::PATCH, path, Some(&patch)).await;
    assert_eq!(
        (status, &patched["rank"], &patched["name"]),
        (StatusCode::OK, &json!(51), &json!("Office"))
    );
    let version = patched["version"].to_string();
    let request = app
        .client
        .delete(app.url(path))
        .bearer_auth(crate::support::app::ADMIN_KEY);
    let response = request
        .header("if-match", format!("\"{version}\""))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.admin(Method::GET, path, None).await.0, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn a_write_without_or_with_an_old_version_is_refused(database: Database) {
    let app = TestApp::start(database).await;
    let (_, row) = app.admin(Method::GET, CAMERA, None).await;
    let mut changed = row.clone();
    changed["rank"] = json!(77);
    let mut bare = changed.clone();
    bare.as_object_mut().unwrap().remove("version");
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&bare)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_REQUIRED, &json!("version_required"))
    );
    assert_eq!(
        app.admin(Method::DELETE, CAMERA, None).await.0,
        StatusCode::PRECONDITION_REQUIRED
    );
    assert_eq!(app.admin(Method::PUT, CAMERA, Some(&changed)).await.0, StatusCode::OK);
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&changed)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
        "{problem}"
    );
    app.stop().await;
}

async fn bad_input_is_told_with_its_place(database: Database) {
    let app = TestApp::start(database).await;
    // The server decodes a path only once. So `%25b` becomes `%b`, which is part of an unknown code and is not decoded
    // again.
    let path = "/admin/v1/rulebooks/a%25b/webhook-auth";
    assert_eq!(app.admin(Method::GET, path, None).await.0, StatusCode::NOT_FOUND);
    let (_, row) = app.admin(Method::GET, CAMERA, None).await;
    let revision = app.admin(Method::GET, "/admin/v1/rulebooks/default", None).await.1["revision"].clone();
    let mut unknown = row.clone();
    unknown["prize"] = json!(1);
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&unknown)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/prize")),
        "{problem}"
    );
    let mut float = row.clone();
    float["price_from"] = json!(350.555);
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&float)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/price_from"))
    );
    let condition = json!({
        "names": {"en": "Far away"}, "rank": 1, "kind": "add", "amount": "10.00", "condition": "aera == \"south_shore\"",
    });
    let path = "/admin/v1/rulebooks/default/adjustments/far";
    let (status, problem) = app.admin(Method::PUT, path, Some(&condition)).await;
    let error = &problem["errors"][0];
    assert_eq!(
        (status, &error["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/condition")),
        "{problem}"
    );
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("line 1, column 1: ") && detail.contains("aera") && detail.contains("area"),
        "{detail}"
    );
    for body in ["", "{", "[]", "null", "\"x\"", "{\"rank\": 1e999}"] {
        let request = app
            .client
            .put(app.url(path))
            .bearer_auth(crate::support::app::ADMIN_KEY);
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    let request = app
        .client
        .put(app.url(path))
        .bearer_auth(crate::support::app::ADMIN_KEY)
        .body("{}");
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let now = app.admin(Method::GET, "/admin/v1/rulebooks/default", None).await.1["revision"].clone();
    assert_eq!(now, revision, "a rejected write created a revision");
    app.stop().await;
}

async fn roles_and_rulebooks_bound_what_a_key_may_do(database: Database) {
    let app = TestApp::start(database).await;
    let second = json!({"code": "second", "rows": "sample"});
    assert_eq!(
        app.admin(Method::POST, "/admin/v1/rulebooks", Some(&second)).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        app.admin(Method::POST, "/admin/v1/rulebooks", Some(&second)).await.0,
        StatusCode::CONFLICT
    );
    let (viewer, _) = new_key(&app, json!({"name": "v", "role": "viewer"})).await;
    let (editor, _) = new_key(&app, json!({"name": "e", "role": "editor", "rulebook": "second"})).await;
    let (_, row) = app.admin(Method::GET, CAMERA, None).await;
    assert_eq!(
        app.admin_with(&viewer, Method::GET, CAMERA, None).await.0,
        StatusCode::OK
    );
    let (status, problem) = app.admin_with(&viewer, Method::PUT, CAMERA, Some(&row)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    assert!(problem["detail"].as_str().unwrap().contains("`editor`"), "{problem}");
    assert_eq!(
        app.admin_with(&editor, Method::GET, "/admin/v1/api-keys", None).await.0,
        StatusCode::FORBIDDEN
    );
    // A rulebook that the key may not see gets the same response as an unknown rulebook.
    assert_eq!(
        app.admin_with(&editor, Method::GET, SERVICES, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        app.admin_with(&editor, Method::PUT, CAMERA, Some(&row)).await.0,
        StatusCode::NOT_FOUND
    );
    let own = "/admin/v1/rulebooks/second/services";
    assert_eq!(app.admin_with(&editor, Method::GET, own, None).await.0, StatusCode::OK);
    let (_, seen) = app.admin_with(&editor, Method::GET, "/admin/v1/rulebooks", None).await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    let (_, log) = app
        .admin_with(&editor, Method::GET, "/admin/v1/audit-log?limit=200", None)
        .await;
    assert!(
        log["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["rulebook"] == "second")
    );
    app.stop().await;
}

async fn an_expired_or_revoked_key_opens_nothing(database: Database) {
    let start = "2026-05-04T12:00:00Z".parse().unwrap();
    let app = TestApp::builder(database).at(start).start().await;
    let (expiring, _) = new_key(
        &app,
        json!({"name": "short", "role": "viewer", "expires_at": "2026-05-04T13:00:00Z"}),
    )
    .await;
    let (revoked, key) = new_key(&app, json!({"name": "gone", "role": "viewer"})).await;
    for key in [&expiring, &revoked] {
        assert_eq!(app.admin_with(key, Method::GET, SERVICES, None).await.0, StatusCode::OK);
    }
    let path = format!("/admin/v1/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(app.admin(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    app.app.clock.step(chrono::TimeDelta::hours(1));
    for key in [expiring.as_str(), &revoked, "rb_0123456789ab_00", "nonsense", ""] {
        let response = app.client.get(app.url(SERVICES)).bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{key}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    assert_eq!(app.get(SERVICES).await.0, StatusCode::UNAUTHORIZED);
    // A request with two keys is rejected, because a proxy in front of the server may have checked only one of them.
    let (good, _) = new_key(&app, json!({"name": "good", "role": "viewer"})).await;
    for second in ["", "Bearer wrong", "Basic YTpi"] {
        let request = app.client.get(app.url(SERVICES)).bearer_auth(&good);
        let response = request.header("authorization", second).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{second}");
    }
    let (_, keys) = app.admin(Method::GET, "/admin/v1/api-keys", None).await;
    assert!(!keys.to_string().contains(&expiring), "a key was shown a second time");
    // The last valid key cannot be revoked.
    let items = keys["items"].as_array().unwrap();
    let own = items.iter().find(|key| key["name"] == "RINGBOOK_ADMIN_KEY").unwrap();
    let path = format!("/admin/v1/api-keys/{}", own["id"].as_str().unwrap());
    assert_eq!(app.admin(Method::DELETE, &path, None).await.0, StatusCode::CONFLICT);
    assert_eq!(app.admin(Method::GET, SERVICES, None).await.0, StatusCode::OK);
    app.stop().await;
}

async fn pages_stay_in_place_while_rows_come(database: Database) {
    let app = TestApp::start(database).await;
    let (_, all) = app.admin(Method::GET, SERVICES, None).await;
    let all: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["code"].clone())
        .collect();
    assert!(all.len() > 4);
    let (mut seen, mut path) = (Vec::new(), format!("{SERVICES}?limit=2"));
    loop {
        let (status, page) = app.admin(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|row| row["code"].clone()));
        if seen.len() == 2 {
            // The new row sorts before the rows that were read already, so it must not shift the next page.
            let new = json!({"names": {"en": "First"}, "keywords": [], "rank": 900, "offer": "refused",
                "reason": {"en": "No.", "fr": "Non."}});
            let (status, made) = app.admin(Method::PUT, &format!("{SERVICES}/aaa"), Some(&new)).await;
            assert_eq!(status, StatusCode::CREATED, "{made}");
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{SERVICES}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, all);
    for (query, refused) in [
        ("limit=0", StatusCode::BAD_REQUEST),
        ("limit=201", StatusCode::BAD_REQUEST),
        ("sort=price_from", StatusCode::BAD_REQUEST),
        ("colour=red", StatusCode::BAD_REQUEST),
        ("cursor=x", StatusCode::UNPROCESSABLE_ENTITY),
        ("offer=maybe", StatusCode::BAD_REQUEST),
    ] {
        let (status, problem) = app.admin(Method::GET, &format!("{SERVICES}?{query}"), None).await;
        assert_eq!(status, refused, "{query}");
        assert_eq!(problem["errors"][0]["pointer"], query.split('=').next().unwrap());
    }
    let (_, refused) = app
        .admin(Method::GET, &format!("{SERVICES}?offer=refused&sort=-rank"), None)
        .await;
    let refused = refused["items"].as_array().unwrap();
    assert!(refused.len() > 1 && refused.iter().all(|row| row["offer"] == "refused"));
    app.stop().await;
}

async fn calls_are_found_by_what_their_analysis_contains(database: Database) {
    use sea_orm::{ActiveModelTrait, EntityTrait, Set};
    use store::{calls, rulebooks};

    let app = TestApp::start(database).await;
    let rulebook = rulebooks::Entity::find().one(&app.app.read).await.unwrap().unwrap();
    let analyses = [
        json!({"successEvaluation": "true", "structuredData": {"service": "camera", "rooms": 2, "tags": ["a", "b"]}}),
        json!({"successEvaluation": "false", "structuredData": {"service": "camera", "urgent": true, "note": null}}),
        json!({"structuredData": {"list": [{"x": 1, "y": "two"}, {"x": 2}]}}),
    ];
    for (n, analysis) in analysis_rows(&analyses) {
        let at = app.app.clock.now() + chrono::TimeDelta::seconds(n);
        calls::ActiveModel {
            rulebook_id: Set(rulebook.id),
            id: Set(format!("call-{n}")),
            status: Set("ended".to_owned()),
            status_rank: Set(9),
            customer_number: Set(Some("+15145550123".to_owned())),
            analysis: Set(Some(analysis)),
            first_seen_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        }
        .insert(&app.app.db)
        .await
        .unwrap();
    }
    let path = "/admin/v1/rulebooks/default/calls";
    for (pattern, expected) in [
        (json!({}), vec!["call-2", "call-1", "call-0"]),
        (json!({"successEvaluation": "true"}), vec!["call-0"]),
        (
            json!({"structuredData": {"service": "camera"}}),
            vec!["call-1", "call-0"],
        ),
        (json!({"structuredData": {"rooms": 2}}), vec!["call-0"]),
        (json!({"structuredData": {"rooms": "2"}}), vec![]),
        (json!({"structuredData": {"tags": ["b"]}}), vec!["call-0"]),
        (
            json!({"structuredData": {"urgent": true, "note": null}}),
            vec!["call-1"],
        ),
        (json!({"structuredData": {"list": [{"y": "two"}]}}), vec!["call-2"]),
        (json!({"structuredData": {"list": [{"x": 2, "y": "two"}]}}), vec![]),
        (json!({"it's \"odd\"; --": {}}), vec![]),
    ] {
        let text = pattern.to_string();
        let escaped = text
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        let (status, page) = app
            .admin(Method::GET, &format!("{path}?analysis={escaped}"), None)
            .await;
        assert_eq!(status, StatusCode::OK, "{pattern}: {page}");
        let ids: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{pattern}");
    }
    let (_, page) = app.admin(Method::GET, &format!("{path}?limit=1"), None).await;
    let next = format!("{path}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.admin(Method::GET, &next, None).await.1["items"][0]["id"], "call-1");
    let (viewer, _) = new_key(&app, json!({"name": "v", "role": "viewer"})).await;
    let (_, masked) = app
        .admin_with(&viewer, Method::GET, &format!("{path}/call-0"), None)
        .await;
    assert_eq!(masked["call"]["customer_number"], "+1514***0123", "{masked}");
    app.stop().await;
}

fn analysis_rows(analyses: &[Value]) -> impl Iterator<Item = (i64, Value)> + '_ {
    (0..).zip(analyses.iter().cloned())
}

async fn every_list_and_example_of_the_document_works(database: Database) {
    let app = TestApp::start(database).await;
    let (status, served) = app.get("/openapi.json").await;
    assert_eq!((status, &served["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    let document = admin::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled_in = |method: &str| {
            let mut here = path.replace("{rulebook}", "default");
            let parameters = item[method]["parameters"].as_array().into_iter().flatten();
            let code = parameters
                .into_iter()
                .find(|one| one["name"] == "code" && one["in"] == "path");
            if let Some(code) = code {
                here = here.replace("{code}", code["example"].as_str().expect("an example"));
            }
            here
        };
        let here = filled_in("get");
        if item["get"]["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == "sort"))
        {
            let (status, page) = app.admin(Method::GET, &here, None).await;
            assert_eq!(status, StatusCode::OK, "{path}: {page}");
            assert!(page["items"].is_array());
        }
        if !path.ends_with("{code}") {
            continue;
        }
        // If the sample has no such row, the example of the OpenAPI document creates it.
        if app.admin(Method::GET, &here, None).await.0 == StatusCode::NOT_FOUND {
            let content = &item["put"]["requestBody"]["content"]["application/json"];
            let (status, answer) = app.admin(Method::PUT, &here, Some(&content["example"])).await;
            assert_eq!(status, StatusCode::CREATED, "PUT {here}: {answer}");
            continue;
        }
        for method in [Method::PUT, Method::PATCH] {
            let name = method.as_str().to_lowercase();
            let (operation, here) = (&item[name.as_str()], filled_in(&name));
            let is_new = app.admin(Method::GET, &here, None).await.0 == StatusCode::NOT_FOUND;
            let media = operation["requestBody"]["content"]
                .as_object()
                .unwrap()
                .values()
                .next()
                .unwrap();
            let (status, answer) = app.admin(method.clone(), &here, Some(&media["example"])).await;
            let wanted = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            assert_eq!(status, wanted, "{method} {here}: {answer}");
        }
        let (_, mut answer) = app.admin(Method::GET, &here, None).await;
        if let Some(weights) = answer.get_mut("weights").and_then(Value::as_array_mut) {
            // The OpenAPI document shows only the first weights.
            weights.truncate(5);
        }
        assert_eq!(
            answer, item["get"]["responses"]["200"]["content"]["application/json"]["example"],
            "{here}"
        );
    }
    let (status, stats) = app.admin(Method::GET, "/admin/v1/stats?rulebook=default", None).await;
    assert_eq!((status, &stats["calls"]), (StatusCode::OK, &json!(0)), "{stats}");
    app.stop().await;
}

async fn a_roll_back_brings_an_old_price_back(database: Database) {
    let app = TestApp::start(database).await;
    let (_, before) = app.admin(Method::GET, "/admin/v1/rulebooks/default", None).await;
    let (_, row) = app.admin(Method::GET, CAMERA, None).await;
    let patch = json!({"price_to": "390.00", "version": row["version"]});
    assert_eq!(app.admin(Method::PATCH, CAMERA, Some(&patch)).await.0, StatusCode::OK);
    let path = "/admin/v1/rulebooks/default/revisions";
    let to = &before["revision"];
    let (status, done) = app
        .admin(
            Method::POST,
            &format!("{path}/{to}/roll-back?version=2&comment=oops"),
            None,
        )
        .await;
    assert_eq!((status, &done["equals"]), (StatusCode::OK, to), "{done}");
    let (_, now) = app.admin(Method::GET, CAMERA, None).await;
    assert_eq!(now["price_to"], row["price_to"]);
    let (_, revisions) = app.admin(Method::GET, path, None).await;
    let kinds: Vec<_> = revisions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["roll_back", "publish"]);
    assert_eq!(revisions["items"][0]["comment"], "oops");
    let nowhere = format!("{path}/999/roll-back?version=3");
    assert_eq!(app.admin(Method::POST, &nowhere, None).await.0, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn evaluate_decides_and_stores_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let path = "/admin/v1/rulebooks/default/evaluate";
    let (_, document) = app.get("/openapi.json").await;
    let example = &document["components"]["schemas"]["EvaluateRequest"]["examples"][0];
    let (status, answer) = app.admin(Method::POST, path, Some(example)).await;
    assert_eq!((status, &answer["revision"]), (StatusCode::OK, &json!(1)), "{answer}");
    assert!(answer["decision"]["trace"].is_array() && answer["decision"]["priority"].is_string());
    let report: Value = serde_json::from_str(include_str!("../data/vapi/end-of-call-report.json")).unwrap();
    let (status, answer) = app.admin(Method::POST, path, Some(&json!({"message": report}))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, stored) = app
        .admin(Method::GET, "/admin/v1/rulebooks/default/decisions", None)
        .await;
    assert_eq!(stored["items"], json!([]));
    for (bad, expected) in [
        (json!({}), 400),
        (json!({"facts": {}, "message": {}}), 400),
        (json!({"message": 3}), 400),
        (json!({"message": {}}), 400),
        (json!({"facts": {"nofact": 1}}), 422),
    ] {
        let (status, problem) = app.admin(Method::POST, path, Some(&bad)).await;
        assert_eq!(status, expected, "{bad}: {problem}");
        assert!(problem["errors"][0]["pointer"].is_string());
    }
    assert_eq!(
        app.admin(Method::POST, &format!("{path}?revision=99"), Some(example))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    app.stop().await;
}

/// `ringbook openapi > openapi/ringbook.json` updates the committed document.
#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let committed = include_str!("../../openapi/ringbook.json");
    assert!(
        committed == admin::document_text(),
        "openapi/ringbook.json differs from the code: write it again with `cargo run -- openapi > openapi/ringbook.json`"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_its_statuses() {
    let document = admin::document();
    let mut names = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(
                name != "unnamed" && names.insert(name.to_owned()),
                "{method} {path}: {name}"
            );
            assert!(
                operation["summary"].as_str().is_some_and(|summary| summary.len() > 5),
                "{method} {path}"
            );
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            for parameter in path.split('/').filter(|part| part.starts_with('{')) {
                let known = operation["parameters"].as_array().unwrap().iter();
                assert!(
                    known
                        .into_iter()
                        .any(|one| format!("{{{}}}", one["name"].as_str().unwrap()) == parameter),
                    "{path}"
                );
            }
        }
    }
    assert!(names.len() > 80, "{}", names.len());
}
