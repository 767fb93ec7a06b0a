//! Opens, changes, reads, publishes and discards change sets over HTTP. Also tests conflicts with other people's
//! changes.

use reqwest::{Method, StatusCode};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY, requests::read};

pub const BOOK: &str = "/admin/v1/rulebooks/default";
pub const SETS: &str = "/admin/v1/rulebooks/default/change-sets";
pub const SHORE: &str = "/admin/v1/rulebooks/default/adjustments/south_shore";
const CAMERA: &str = "/admin/v1/rulebooks/default/services/camera_inspection";

both!(
    a_change_set_is_opened_looked_at_and_published,
    two_change_sets_on_one_row_show_both_versions_to_the_second,
    edits_of_other_rows_do_not_stand_in_the_way,
    a_row_is_made_changed_and_deleted_within_a_change_set,
    every_step_needs_the_version_that_was_read,
    what_is_wrong_is_told_with_its_place_and_changes_nothing,
    a_red_case_refuses_with_the_trace,
    what_others_use_cannot_be_deleted_and_they_are_named,
    published_and_discarded_change_sets_take_no_more_steps,
    every_step_leaves_an_audit_entry,
    rows_that_do_not_compile_can_be_read_and_mended,
);

/// Builds a change of the South Shore's surcharge.
pub fn raise(amount: &str, version: &Value) -> Value {
    json!({"resource": "adjustments", "code": "south_shore", "method": "patch", "body": {"amount": amount}, "version": version})
}

pub async fn opened(app: &TestApp, comment: &str, changes: &[Value]) -> Value {
    let body = json!({"comment": comment, "changes": changes});
    let (status, set) = app.admin(Method::POST, SETS, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    set
}

/// Builds the URL of an action on a change set. The URL contains the version that was read.
pub fn step(set: &Value, step: &str) -> String {
    let (id, version) = (set["id"].as_str().unwrap(), &set["version"]);
    format!("{SETS}/{id}{step}?version={version}")
}

pub async fn publish(app: &TestApp, set: &Value) -> (StatusCode, Value) {
    app.admin(Method::POST, &step(set, "/publish"), Some(&json!({}))).await
}

pub async fn got(app: &TestApp, path: &str) -> Value {
    let (status, found) = app.admin(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {found}");
    found
}

async fn set_of(app: &TestApp, set: &Value) -> Value {
    got(app, &format!("{SETS}/{}", set["id"].as_str().unwrap())).await
}

async fn a_change_set_is_opened_looked_at_and_published(database: Database) {
    let app = TestApp::start(database).await;
    let set = opened(&app, "South Shore to 120", &[raise("120.00", &json!(1))]).await;
    assert_eq!(
        (&set["state"], &set["changes_count"], &set["base_revision"]),
        (&json!("open"), &json!(1), &json!(1))
    );
    assert_eq!(set["changes"][0]["method"], "patch");
    assert_eq!(set["changes"][0]["version"], 1);
    // Read the row and the price, both with and without the change set.
    let id = set["id"].as_str().unwrap();
    let would_be = got(&app, &format!("{SHORE}?change_set={id}")).await;
    assert_eq!(
        (&would_be["amount"], &would_be["version"]),
        (&json!("120.00"), &json!(1))
    );
    let list = got(&app, &format!("{BOOK}/adjustments?change_set={id}&kind=add&limit=200")).await;
    let row = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["code"] == "south_shore");
    assert_eq!(row.unwrap()["amount"], "120.00");
    assert_eq!(got(&app, SHORE).await["amount"], "100.00");
    let question = json!({"facts": {"city": "Longueuil"}, "said": "J'ai des racines dans le drain.", "at": "2026-11-24T15:00:00Z"});
    let price = async |query: &str| {
        let (status, answer) = app
            .admin(Method::POST, &format!("{BOOK}/evaluate{query}"), Some(&question))
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        (answer["revision"].clone(), answer["decision"]["price"]["from"].clone())
    };
    assert_eq!(price("").await, (json!(1), json!("550.00")));
    assert_eq!(price(&format!("?change_set={id}")).await, (json!(2), json!("570.00")));
    // Add another change of the same row. It is based on the row as the change set shows it.
    let more = json!({"resource": "adjustments", "code": "south_shore", "method": "patch", "body": {"rank": 11}, "version": 1});
    let (status, set) = app.admin(Method::POST, &step(&set, "/changes"), Some(&more)).await;
    assert_eq!(
        (status, &set["version"], &set["changes_count"]),
        (StatusCode::OK, &json!(2), &json!(2)),
        "{set}"
    );
    let diff = got(&app, &format!("{SETS}/{id}/diff")).await;
    assert_eq!(diff["rows"].as_array().unwrap().len(), 1, "{diff}");
    assert_eq!(
        diff["rows"][0]["changes"],
        json!([
            {"column": "rank", "before": 10, "after": 11},
            {"column": "amount", "before": "100.00", "after": "120.00"},
        ]),
        "{diff}"
    );
    let text = got(&app, &format!("{SETS}/{id}/diff?format=text")).await;
    let text = text.as_str().unwrap();
    assert!(
        text.starts_with("changed adjustments/south_shore\n") && text.contains("120.00"),
        "{text}"
    );
    let (status, check) = app.admin(Method::POST, &format!("{SETS}/{id}/check"), None).await;
    assert_eq!(
        (status, &check["publishable"], &check["faults"]),
        (StatusCode::OK, &json!(true), &json!([])),
        "{check}"
    );
    assert!(check["cases_run"].as_i64().unwrap() > 5);
    // The change of the rank is removed, and the change set is published.
    let (status, set) = app.admin(Method::DELETE, &step(&set, "/changes/2"), None).await;
    assert_eq!((status, &set["changes_count"]), (StatusCode::OK, &json!(1)), "{set}");
    let (status, published) = publish(&app, &set).await;
    assert_eq!(
        (status, &published["state"], &published["revision"]),
        (StatusCode::OK, &json!("published"), &json!(2)),
        "{published}"
    );
    let row = got(&app, SHORE).await;
    assert_eq!(
        (&row["amount"], &row["rank"], &row["version"]),
        (&json!("120.00"), &json!(10), &json!(2))
    );
    assert_eq!(price("").await, (json!(2), json!("570.00")));
    let revisions = got(&app, &format!("{BOOK}/revisions")).await;
    assert_eq!(revisions["items"][0]["comment"], "South Shore to 120");
    let diff = got(&app, &format!("{SETS}/{id}/diff")).await;
    assert_eq!(diff["rows"][0]["changes"][0]["after"], "120.00");
    // The list shows the change set without its changes.
    let list = got(&app, &format!("{SETS}?state=published")).await;
    assert_eq!(
        (&list["items"][0]["id"], &list["items"][0]["changes"]),
        (&set["id"], &Value::Null)
    );
    assert_eq!(got(&app, &format!("{SETS}?state=open")).await["items"], json!([]));
    app.stop().await;
}

async fn two_change_sets_on_one_row_show_both_versions_to_the_second(database: Database) {
    let app = TestApp::start(database).await;
    let first = opened(&app, "to 120", &[raise("120.00", &json!(1))]).await;
    let second = opened(&app, "to 130", &[raise("130.00", &json!(1))]).await;
    assert_eq!(publish(&app, &first).await.0, StatusCode::OK);
    let (status, problem) = publish(&app, &second).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
        "{problem}"
    );
    let conflict = &problem["conflicts"][0];
    assert_eq!(
        (&conflict["resource"], &conflict["code"]),
        (&json!("adjustments"), &json!("south_shore"))
    );
    let versions = |conflict: &Value| {
        let shown = |which: &str| {
            (
                conflict[which]["version"].clone(),
                conflict[which]["row"]["amount"].clone(),
            )
        };
        [shown("made_against"), shown("stands")]
    };
    let both = [(json!(1), json!("100.00")), (json!(2), json!("120.00"))];
    assert_eq!(versions(conflict), both, "{problem}");
    // The change set reports the conflict too. Its diff omits the conflicting change, and its check fails.
    let second = set_of(&app, &second).await;
    assert_eq!(
        (&second["state"], versions(&second["conflicts"][0])),
        (&json!("open"), both)
    );
    let id = second["id"].as_str().unwrap();
    let diff = got(&app, &format!("{SETS}/{id}/diff")).await;
    assert_eq!(
        (&diff["rows"], diff["conflicts"].as_array().unwrap().len()),
        (&json!([]), 1)
    );
    let (_, check) = app.admin(Method::POST, &format!("{SETS}/{id}/check"), None).await;
    assert_eq!(check["publishable"], false);
    let (status, _) = app
        .admin(
            Method::POST,
            &format!("{BOOK}/evaluate?change_set={id}"),
            Some(&json!({"facts": {}})),
        )
        .await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    // A change based on the current row replaces the old one.
    let row = got(&app, &format!("{SHORE}?change_set={id}")).await;
    assert_eq!((&row["amount"], &row["version"]), (&json!("120.00"), &json!(2)));
    let (status, second) = app
        .admin(
            Method::POST,
            &step(&second, "/changes"),
            Some(&raise("130.00", &row["version"])),
        )
        .await;
    assert_eq!(
        (status, &second["changes_count"], &second["conflicts"]),
        (StatusCode::OK, &json!(1), &json!([])),
        "{second}"
    );
    let (status, published) = publish(&app, &second).await;
    assert_eq!(
        (status, &published["revision"]),
        (StatusCode::OK, &json!(3)),
        "{published}"
    );
    assert_eq!(got(&app, SHORE).await["amount"], "130.00");
    // The same conflicts arise if somebody else created or deleted the row.
    let tax = json!({"names": {"en": "None"}, "rank": 90, "rate": "0"});
    let new = json!({"resource": "taxes", "code": "none", "method": "put", "body": tax});
    let path = format!("{BOOK}/taxes/none");
    let making = opened(&app, "", &[new]).await;
    let (status, made) = app.admin(Method::PUT, &path, Some(&tax)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (status, problem) = publish(&app, &making).await;
    assert_eq!(
        (status, &problem["conflicts"][0]["made_against"]),
        (StatusCode::PRECONDITION_FAILED, &Value::Null)
    );
    assert_eq!(problem["conflicts"][0]["stands"]["version"], made["version"]);
    let change = json!({"resource": "taxes", "code": "none", "method": "patch", "body": {"rank": 91}, "version": made["version"]});
    let changing = opened(&app, "", &[change]).await;
    let (status, _) = app
        .admin(Method::DELETE, &format!("{path}?version={}", made["version"]), None)
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = publish(&app, &changing).await;
    assert_eq!(
        (status, &problem["conflicts"][0]["stands"]),
        (StatusCode::PRECONDITION_FAILED, &Value::Null)
    );
    assert_eq!(problem["conflicts"][0]["made_against"]["row"]["rank"], 90, "{problem}");
    app.stop().await;
}

async fn edits_of_other_rows_do_not_stand_in_the_way(database: Database) {
    let app = TestApp::start(database).await;
    let set = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let (status, _) = app
        .admin(Method::PATCH, CAMERA, Some(&json!({"rank": 77, "version": 1})))
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, published) = publish(&app, &set).await;
    assert_eq!(
        (status, &published["revision"]),
        (StatusCode::OK, &json!(3)),
        "{published}"
    );
    assert_eq!(got(&app, CAMERA).await["rank"], 77);
    assert_eq!(got(&app, SHORE).await["amount"], "120.00");
    app.stop().await;
}

async fn a_row_is_made_changed_and_deleted_within_a_change_set(database: Database) {
    let app = TestApp::start(database).await;
    let change = |method: &str, body: &Value, version: &Value| json!({"resource": "taxes", "code": "none", "method": method, "body": body, "version": version});
    let row = json!({"names": {"en": "None"}, "rank": 90, "rate": "0"});
    let set = opened(
        &app,
        "",
        &[
            change("put", &row, &Value::Null),
            change("patch", &json!({"rank": 91}), &json!(0)),
        ],
    )
    .await;
    let path = format!("{BOOK}/taxes/none?change_set={}", set["id"].as_str().unwrap());
    let read = got(&app, &path).await;
    assert_eq!((&read["rank"], &read["version"]), (&json!(91), &json!(0)));
    // The client sends the row back as it was read, with its version.
    let mut whole = read.clone();
    whole["rank"] = json!(92);
    let (status, set) = app
        .admin(
            Method::POST,
            &step(&set, "/changes"),
            Some(&change("put", &whole, &Value::Null)),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{set}");
    assert_eq!(got(&app, &path).await["rank"], 92);
    let (status, set) = app
        .admin(
            Method::POST,
            &step(&set, "/changes"),
            Some(&change("delete", &Value::Null, &json!(0))),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{set}");
    assert_eq!(app.admin(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    // The change set changes nothing any more, so it cannot be published.
    let (status, problem) = publish(&app, &set).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("conflict")),
        "{problem}"
    );
    let (status, set) = app.admin(Method::DELETE, &step(&set, "/changes/4"), None).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    assert_eq!(publish(&app, &set).await.0, StatusCode::OK);
    assert_eq!(got(&app, &format!("{BOOK}/taxes/none")).await["rank"], 92);
    app.stop().await;
}

async fn every_step_needs_the_version_that_was_read(database: Database) {
    let app = TestApp::start(database).await;
    let set = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let id = set["id"].as_str().unwrap();
    let steps = [
        (Method::POST, "/changes", Some(raise("130.00", &json!(1)))),
        (Method::DELETE, "/changes/1", None),
        (Method::POST, "/publish", Some(json!({}))),
        (Method::POST, "/discard", None),
    ];
    for (method, step, body) in &steps {
        let path = format!("{SETS}/{id}{step}");
        let (status, problem) = app.admin(method.clone(), &path, body.as_ref()).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::PRECONDITION_REQUIRED, &json!("version_required")),
            "{step}"
        );
        let (status, _) = app
            .admin(method.clone(), &format!("{path}?version=9"), body.as_ref())
            .await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{step}");
    }
    // The version may also be sent in the `If-Match` header. The ETag of the response contains the new version.
    let request = app
        .client
        .post(app.url(&format!("{SETS}/{id}/changes")))
        .bearer_auth(ADMIN_KEY);
    let request = request.header("if-match", "\"1\"").json(&raise("130.00", &json!(1)));
    let response = request.send().await.unwrap();
    assert!(response.headers()["etag"].to_str().unwrap().starts_with("\"2."));
    let (status, set) = read(response).await;
    assert_eq!((status, &set["version"]), (StatusCode::OK, &json!(2)));
    // A change must have the version of its row.
    for (version, expected) in [(Value::Null, 428), (json!(7), 412)] {
        let (status, problem) = app
            .admin(Method::POST, &step(&set, "/changes"), Some(&raise("140.00", &version)))
            .await;
        assert_eq!(status.as_u16(), expected, "{problem}");
    }
    // If two clients concurrently add changes to the same version of a change set, one of them must read the change set
    // again.
    let path = step(&set, "/changes");
    let (one, two) = (raise("150.00", &json!(1)), raise("160.00", &json!(1)));
    let answers = tokio::join!(
        app.admin(Method::POST, &path, Some(&one)),
        app.admin(Method::POST, &path, Some(&two))
    );
    let mut statuses = [answers.0.0.as_u16(), answers.1.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    app.stop().await;
}

async fn what_is_wrong_is_told_with_its_place_and_changes_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let good = raise("120.00", &json!(1));
    let with = |field: &str, value: Value| {
        let mut change = good.clone();
        change[field] = value;
        change
    };
    let wrong = [
        (with("resource", json!("prices")), 400, "/changes/1/resource"),
        (with("method", json!("post")), 400, "/changes/1/method"),
        (with("body", json!({"amout": "1"})), 400, "/changes/1/body/amout"),
        (with("body", json!({"amount": 1.555})), 400, "/changes/1/body/amount"),
        (with("body", json!({"amount": true})), 400, "/changes/1/body/amount"),
        (with("body", json!({"code": "x"})), 422, "/changes/1/body/code"),
        (with("body", json!("x")), 400, "/changes/1/body"),
        (with("body", Value::Null), 400, "/changes/1/body"),
        (
            with("body", json!({"condition": "a\u{0}b"})),
            400,
            "/changes/1/body/condition",
        ),
        (
            with("body", json!({"amount": "1", "version": 2})),
            422,
            "/changes/1/version",
        ),
        (with("colour", json!("red")), 400, "/changes/1/colour"),
        (
            json!({"resource": "taxes", "code": "no/slash", "method": "put", "body": {"names": {}, "rank": 1, "rate": "1"}}),
            400,
            "/changes/1/code",
        ),
        (with("code", json!("nowhere")), 404, ""),
        (with("version", json!(3)), 412, ""),
    ];
    for (change, status, pointer) in wrong {
        let body = json!({"changes": [good, change]});
        let (got, problem) = app.admin(Method::POST, SETS, Some(&body)).await;
        assert_eq!(got.as_u16(), status, "{change}: {problem}");
        if !pointer.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{change}: {problem}");
        }
    }
    assert_eq!(got(&app, SETS).await["items"], json!([]));
    let long = "x".repeat(501);
    let (status, problem) = app.admin(Method::POST, SETS, Some(&json!({"comment": long}))).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/comment"))
    );
    // The check and the publish report errors in rules, with the row and the column.
    let set = opened(
        &app,
        "",
        &[with("body", json!({"condition": "arae == \"south_shore\""}))],
    )
    .await;
    let id = set["id"].as_str().unwrap();
    let (_, check) = app.admin(Method::POST, &format!("{SETS}/{id}/check"), None).await;
    assert_eq!(
        check["faults"][0]["pointer"], "adjustments/south_shore/condition",
        "{check}"
    );
    let (status, problem) = publish(&app, &set).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault"))
    );
    assert_eq!(problem["errors"], check["faults"]);
    assert!(
        problem["errors"][0]["detail"].as_str().unwrap().contains("area"),
        "{problem}"
    );
    assert_eq!(got(&app, BOOK).await["revision"], 1);
    // No change set has one of these ids.
    for id in ["00000000-0000-0000-0000-000000000000", "x"] {
        let (status, _) = app.admin(Method::GET, &format!("{SETS}/{id}"), None).await;
        assert!(status.is_client_error(), "{id}");
        let (status, _) = app.admin(Method::GET, &format!("{SHORE}?change_set={id}"), None).await;
        assert!(status.is_client_error(), "{id}");
    }
    app.stop().await;
}

async fn a_red_case_refuses_with_the_trace(database: Database) {
    let app = TestApp::start(database).await;
    let (_, mut pinned) = app.admin(Method::GET, &format!("{BOOK}/cases/camera_fr"), None).await;
    pinned["expect"]["/price/to"] = json!("350.00");
    let pin = json!({"resource": "cases", "code": "camera_fr", "method": "put", "body": pinned});
    let price = json!({"resource": "services", "code": "camera_inspection", "method": "patch", "body": {"price_to": "400.00"}, "version": 1});
    let set = opened(&app, "", &[pin, price]).await;
    let id = set["id"].as_str().unwrap();
    let (_, check) = app.admin(Method::POST, &format!("{SETS}/{id}/check"), None).await;
    assert_eq!((&check["publishable"], &check["faults"]), (&json!(false), &json!([])));
    let (status, problem) = publish(&app, &set).await;
    assert_eq!(
        (status, &problem["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("case_failed")),
        "{problem}"
    );
    for case in [&check["cases_failed"][0], &problem["cases"][0]] {
        assert_eq!(case["code"], "camera_fr");
        let mismatch = &case["mismatches"][0];
        assert_eq!(
            (&mismatch["place"], &mismatch["expected"], &mismatch["got"]),
            (&json!("/price/to"), &json!("350.00"), &json!("400.00"))
        );
        assert!(
            case["decision"]["trace"]
                .as_array()
                .is_some_and(|trace| !trace.is_empty()),
            "{case}"
        );
    }
    // A write without a change set that breaks a case is reported in the same way.
    let pin = json!({"expect": {"/price/to": "350.00"}, "version": 1});
    let (status, _) = app
        .admin(Method::PATCH, &format!("{BOOK}/cases/camera_fr"), Some(&pin))
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, problem) = app
        .admin(
            Method::PATCH,
            CAMERA,
            Some(&json!({"price_to": "400.00", "version": 1})),
        )
        .await;
    assert_eq!(
        (status, &problem["cases"][0]["mismatches"][0]["got"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("400.00"))
    );
    app.stop().await;
}

async fn what_others_use_cannot_be_deleted_and_they_are_named(database: Database) {
    let app = TestApp::start(database).await;
    let users = got(&app, &format!("{BOOK}/services?notify=second")).await;
    let users = users["items"].as_array().unwrap();
    assert!(!users.is_empty());
    let path = format!("{BOOK}/contacts/second?version=1");
    let (status, problem) = app.admin(Method::DELETE, &path, None).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault")),
        "{problem}"
    );
    let named = |problem: &Value, place: &str| {
        let errors = problem["errors"].as_array().unwrap();
        errors
            .iter()
            .any(|error| error["pointer"].as_str().unwrap().starts_with(place))
    };
    for user in users {
        let place = format!("services/{}/notify", user["code"].as_str().unwrap());
        assert!(named(&problem, &place), "{place}: {problem}");
    }
    let area = json!({"resource": "areas", "code": "south_shore", "method": "delete", "version": 1});
    let (_, problem) = publish(&app, &opened(&app, "", &[area]).await).await;
    assert!(named(&problem, "adjustments/south_shore/condition"), "{problem}");
    assert_eq!(got(&app, BOOK).await["revision"], 1);
    app.stop().await;
}

async fn published_and_discarded_change_sets_take_no_more_steps(database: Database) {
    let app = TestApp::start(database).await;
    let published = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    assert_eq!(publish(&app, &published).await.0, StatusCode::OK);
    let discarded = opened(&app, "", &[raise("130.00", &json!(2))]).await;
    let (status, answer) = app.admin(Method::POST, &step(&discarded, "/discard"), None).await;
    assert_eq!((status, &answer["state"]), (StatusCode::OK, &json!("discarded")));
    for set in [&published, &discarded] {
        let set = set_of(&app, set).await;
        for (method, path, body) in [
            (Method::POST, "/changes", Some(raise("140.00", &json!(2)))),
            (Method::DELETE, "/changes/1", None),
            (Method::POST, "/publish", Some(json!({}))),
            (Method::DELETE, "/schedule", None),
            (Method::POST, "/discard", None),
            (Method::POST, "/check", None),
        ] {
            let (status, problem) = app.admin(method, &step(&set, path), body.as_ref()).await;
            assert_eq!(
                (status, &problem["code"]),
                (StatusCode::CONFLICT, &json!("conflict")),
                "{path}: {problem}"
            );
        }
        let (status, _) = app
            .admin(
                Method::GET,
                &format!("{SHORE}?change_set={}", set["id"].as_str().unwrap()),
                None,
            )
            .await;
        assert_eq!(status, StatusCode::CONFLICT);
    }
    assert_eq!(got(&app, SHORE).await["amount"], "120.00");
    let empty = opened(&app, "", &[]).await;
    assert_eq!(publish(&app, &empty).await.0, StatusCode::CONFLICT);
    // An editor of another rulebook cannot see the change sets, and a viewer cannot change them.
    let key = json!({"name": "v", "role": "viewer"});
    let (_, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&key)).await;
    let viewer = made["key"].as_str().unwrap();
    assert_eq!(app.admin_with(viewer, Method::GET, SETS, None).await.0, StatusCode::OK);
    let (status, _) = app
        .admin_with(viewer, Method::POST, &step(&empty, "/discard"), None)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = app
        .admin(Method::POST, "/admin/v1/rulebooks", Some(&json!({"code": "second"})))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let other = step(&empty, "").replace("default", "second");
    assert_eq!(app.admin(Method::GET, &other, None).await.0, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn every_step_leaves_an_audit_entry(database: Database) {
    let app = TestApp::start(database).await;
    let set = opened(&app, "raise", &[raise("120.00", &json!(1))]).await;
    let (_, set) = app
        .admin(Method::POST, &step(&set, "/changes"), Some(&raise("125.00", &json!(1))))
        .await;
    let (_, set) = app.admin(Method::DELETE, &step(&set, "/changes/1"), None).await;
    assert_eq!(publish(&app, &set).await.0, StatusCode::OK);
    let (status, _) = app
        .admin(Method::POST, &format!("{BOOK}/revisions/1/roll-back?version=2"), None)
        .await;
    assert_eq!(status, StatusCode::OK);
    let other = opened(&app, "", &[]).await;
    assert_eq!(
        app.admin(Method::POST, &step(&other, "/discard"), None).await.0,
        StatusCode::OK
    );
    let (status, _) = app
        .admin(Method::POST, "/admin/v1/rulebooks", Some(&json!({"code": "second"})))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let actions = async |query: &str| {
        let log = got(&app, &format!("/admin/v1/audit-log?sort=at&limit=200&{query}")).await;
        let of = |entry: &Value| entry["action"].as_str().unwrap().to_owned();
        log["items"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let id = set["id"].as_str().unwrap();
    assert_eq!(
        actions(&format!("resource=change-sets&code={id}")).await,
        ["create", "add_change", "remove_change", "publish"]
    );
    let id = other["id"].as_str().unwrap();
    assert_eq!(
        actions(&format!("resource=change-sets&code={id}")).await,
        ["create", "discard"]
    );
    assert_eq!(
        actions("rulebook=default&resource=revisions").await,
        ["import", "publish", "roll_back"]
    );
    assert_eq!(actions("resource=rulebooks&code=second").await, ["create"]);
    assert_eq!(
        actions("resource=adjustments&code=south_shore&rulebook=default").await,
        ["create", "update", "update"]
    );
    app.stop().await;
}

async fn rows_that_do_not_compile_can_be_read_and_mended(database: Database) {
    let app = TestApp::start(database).await;
    // The test changes the table directly, so that the rows do not compile. An older program might have written such a
    // row.
    let broken = "UPDATE price_adjustments SET condition = 'no_such_fact > 1' WHERE code = 'south_shore'";
    app.app.db.execute_unprepared(broken).await.unwrap();
    let app = app.restart().await;
    let row = got(&app, SHORE).await;
    assert_eq!(row["condition"], "no_such_fact > 1");
    assert_eq!(got(&app, BOOK).await["revision"], 1);
    assert!(
        got(&app, &format!("{BOOK}/adjustments")).await["items"]
            .as_array()
            .unwrap()
            .len()
            > 3
    );
    got(&app, &format!("{BOOK}/revisions")).await;
    got(&app, &format!("{BOOK}/leads")).await;
    // A write that does not repair the rows is rejected with the error of the broken row.
    let (status, problem) = app
        .admin(Method::PATCH, CAMERA, Some(&json!({"rank": 77, "version": 1})))
        .await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!("adjustments/south_shore/condition")
        ),
        "{problem}"
    );
    let mend = json!({"resource": "adjustments", "code": "south_shore", "method": "patch",
        "body": {"condition": "area == \"south_shore\""}, "version": 1});
    let set = opened(&app, "mended", &[mend]).await;
    let (status, check) = app
        .admin(
            Method::POST,
            &format!("{SETS}/{}/check", set["id"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(
        (status, &check["publishable"]),
        (StatusCode::OK, &json!(true)),
        "{check}"
    );
    assert_eq!(publish(&app, &set).await.0, StatusCode::OK);
    let question = json!({"facts": {}, "said": "racines"});
    assert_eq!(
        app.admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&question))
            .await
            .0,
        StatusCode::OK
    );
    // A rollback to a revision that does not compile is rejected.
    let (status, problem) = app
        .admin(Method::POST, &format!("{BOOK}/revisions/1/roll-back?version=2"), None)
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault")),
        "{problem}"
    );
    // A rollback from a revision that does not compile to a revision that compiles is accepted.
    let rise = json!({"rank": 12, "version": 2});
    assert_eq!(app.admin(Method::PATCH, SHORE, Some(&rise)).await.0, StatusCode::OK);
    let broken =
        "UPDATE price_adjustments SET condition = 'no_such_fact > 1' WHERE code = 'south_shore' AND since_revision = 3";
    app.app.db.execute_unprepared(broken).await.unwrap();
    let app = app.restart().await;
    let (status, _) = app
        .admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&question))
        .await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let (status, done) = app
        .admin(Method::POST, &format!("{BOOK}/revisions/2/roll-back?version=3"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!(
        app.admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&question))
            .await
            .0,
        StatusCode::OK
    );
    app.stop().await;
}
