//! Guard rails are limits that only an administrator sets. A change that exceeds them waits for a second person's
//! approval.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use revisions::publish::{Author, PublishError};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use store::rulebooks;

use crate::both;
use crate::change_sets::{BOOK, SETS, SHORE, got, opened, raise, step};
use crate::support::{Database, TestApp, app::ADMIN_KEY, requests::read};

const RAILS: &str = "/admin/v1/rulebooks/default/guard-rails";

both!(
    an_admin_sets_limits_with_the_version_that_was_read,
    limits_that_cannot_hold_are_refused,
    a_plain_write_beyond_a_limit_waits_and_somebody_else_approves_it,
    nobody_who_had_a_hand_in_a_change_set_approves_it,
    what_waits_is_rejected_changed_and_published_within_the_limits,
    what_is_approved_is_what_was_read,
    a_scheduled_publish_beyond_a_limit_waits_first_and_is_published_at_its_time,
    limits_set_after_the_schedule_hold_it_when_it_is_due,
    an_administrators_roll_back_is_never_held,
    an_import_beyond_a_limit_waits,
    what_no_number_tells_is_judged_by_calls,
    nobody_approves_their_own_change_with_a_second_key,
);

async fn new_key(app: &TestApp, name: &str, role: &str) -> String {
    let body = json!({"name": name, "role": role});
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

/// Creates a key and clears its creator, because a person cannot approve their own change with a key that they created.
async fn independent_key(app: &TestApp, name: &str) -> String {
    let key = new_key(app, name, "publisher").await;
    app.sql(&format!("UPDATE api_keys SET made_by = NULL WHERE name = '{name}'"))
        .await;
    key
}

async fn an_admin_sets_limits_with_the_version_that_was_read(kind: Database) {
    let app = TestApp::start(kind).await;
    let (status, none) = app.admin(Method::GET, RAILS, None).await;
    assert_eq!((status, &none), (StatusCode::OK, &json!({"version": 0})));
    let rails = json!({"lowest_price": "50.00", "largest_change_percent": "12.5", "version": 0});
    let publisher = new_key(&app, "p", "publisher").await;
    let (status, _) = app.admin_with(&publisher, Method::PUT, RAILS, Some(&rails)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, set) = app.admin(Method::PUT, RAILS, Some(&rails)).await;
    assert_eq!(
        (status, &set["version"], &set["lowest_price"]),
        (StatusCode::OK, &json!(1), &json!("50.00")),
        "{set}"
    );
    assert_eq!(app.admin_with(&publisher, Method::GET, RAILS, None).await.1, set);
    for (body, expected) in [
        (json!({"version": 0}), StatusCode::PRECONDITION_FAILED),
        (json!({}), StatusCode::PRECONDITION_REQUIRED),
        (json!({"version": 1, "highest_price": "900.00"}), StatusCode::OK),
        (json!({"version": 1}), StatusCode::PRECONDITION_FAILED),
    ] {
        let (status, answer) = app.admin(Method::PUT, RAILS, Some(&body)).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=guard-rails&sort=at", None)
        .await;
    let told: Vec<(Value, Value)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["before"]["lowest_price"].clone(),
                entry["after"]["lowest_price"].clone(),
            )
        })
        .collect();
    assert_eq!(told, [(Value::Null, json!("50.00")), (json!("50.00"), Value::Null)]);
    app.stop().await;
}

async fn limits_that_cannot_hold_are_refused(kind: Database) {
    let app = TestApp::start(kind).await;
    for (body, expected, pointer) in [
        (
            json!({"lowest_price": "10.00", "highest_price": "9.99"}),
            422,
            "/lowest_price",
        ),
        (json!({"lowest_price": "-1.00"}), 400, "/lowest_price"),
        (json!({"largest_change_percent": "-1"}), 400, "/largest_change_percent"),
        (json!({"largest_change_percent": "ten"}), 400, "/largest_change_percent"),
        (json!({"highest": "10.00"}), 400, "/highest"),
    ] {
        let (status, problem) = app.admin(Method::PUT, RAILS, Some(&body)).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["pointer"]),
            (expected, &json!(pointer)),
            "{problem}"
        );
    }
    assert_eq!(app.admin(Method::GET, RAILS, None).await.1, json!({"version": 0}));
    app.stop().await;
}

/// Sets a guard rail: no price may change by more than a tenth per publish.
async fn narrow(app: &TestApp) {
    let rails = json!({"largest_change_percent": "10", "version": got(app, RAILS).await["version"]});
    assert_eq!(app.admin(Method::PUT, RAILS, Some(&rails)).await.0, StatusCode::OK);
}

async fn asked(app: &TestApp, key: &str, set: &Value, what: &str) -> (StatusCode, Value) {
    let body = (what == "/publish").then(|| json!({}));
    app.admin_with(key, Method::POST, &step(set, what), body.as_ref()).await
}

async fn amount(app: &TestApp) -> Value {
    got(app, SHORE).await["amount"].clone()
}

/// Counts the open notices about waiting change sets.
async fn notices(app: &TestApp) -> usize {
    let open = app.rows("notices").await;
    let waits = open.iter().filter(|row| row["code"] == "change_set_waits");
    waits.filter(|row| row["resolved_at"].is_null()).count()
}

async fn actions(app: &TestApp, set: &Value) -> Vec<(String, String)> {
    let id = set["id"].as_str().unwrap();
    let log = got(
        app,
        &format!("/admin/v1/audit-log?sort=at&resource=change-sets&code={id}"),
    )
    .await;
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let entries = log["items"].as_array().unwrap().iter();
    entries
        .map(|entry| (text(entry, "actor"), text(entry, "action")))
        .collect()
}

async fn a_plain_write_beyond_a_limit_waits_and_somebody_else_approves_it(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let (editor, other) = (
        new_key(&app, "ann", "publisher").await,
        new_key(&app, "ben", "publisher").await,
    );
    let mut row = got(&app, SHORE).await;
    row["amount"] = json!("110.00");
    let (status, row) = app.admin_with(&editor, Method::PUT, SHORE, Some(&row)).await;
    assert_eq!(
        status,
        StatusCode::OK,
        "a change of a tenth is within the limit, but waits: {row}"
    );

    let request = app.client.patch(app.url(SHORE)).bearer_auth(&editor);
    let patch = json!({"amount": "150.00", "version": row["version"]});
    let response = request.json(&patch).send().await.unwrap();
    let headers = response.headers().clone();
    let (status, set) = read(response).await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    let version = format!("\"{}.", set["version"]);
    assert!(headers["etag"].to_str().unwrap().starts_with(&version));
    let address = headers["location"].to_str().unwrap();
    assert_eq!(address, format!("{SETS}/{}", set["id"].as_str().unwrap()));
    assert_eq!(got(&app, address).await, set);
    let breach = &set["breaches"][0];
    assert_eq!(
        (&breach["code"], &breach["column"], &breach["limit"]),
        (
            &json!("south_shore"),
            &json!("amount"),
            &json!("largest_change_percent")
        )
    );
    assert_eq!(
        (&breach["before"], &breach["after"]),
        (&json!("110.00"), &json!("150.00"))
    );
    assert_eq!((amount(&app).await, notices(&app).await), (json!("110.00"), 1));
    let noticed = app.rows("notices").await[0]["text"].as_str().unwrap().to_owned();
    assert!(noticed.contains("ann") && noticed.contains("36.4 %"), "{noticed}");

    let (status, problem) = asked(&app, &editor, &set, "/approve").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(problem["detail"].as_str().unwrap().contains("own change"), "{problem}");
    let mere_editor = new_key(&app, "eve", "editor").await;
    assert_eq!(
        asked(&app, &mere_editor, &set, "/approve").await.0,
        StatusCode::FORBIDDEN
    );
    let unread = format!("{address}/approve");
    assert_eq!(
        app.admin_with(&other, Method::POST, &unread, None).await.0,
        StatusCode::PRECONDITION_REQUIRED
    );
    let (status, set) = asked(&app, &other, &set, "/approve").await;
    assert_eq!(
        (status, &set["state"], &set["approved_by"]),
        (StatusCode::OK, &json!("published"), &json!("ben"))
    );
    assert_eq!((amount(&app).await, notices(&app).await), (json!("150.00"), 0));
    let newest = &got(&app, &format!("{BOOK}/revisions")).await["items"][0];
    assert_eq!(
        (&newest["number"], &newest["author"]),
        (&set["revision"], &json!("ann"))
    );
    let told = actions(&app, &set).await;
    assert_eq!(told, [("ann".into(), "wait".into()), ("ben".into(), "approve".into())]);
    assert_eq!(asked(&app, &other, &set, "/approve").await.0, StatusCode::CONFLICT);

    // Deleting a row also deletes its price.
    let version = got(&app, SHORE).await["version"].clone();
    let (status, set) = app
        .admin_with(&editor, Method::DELETE, &format!("{SHORE}?version={version}"), None)
        .await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    app.stop().await;
}

async fn nobody_who_had_a_hand_in_a_change_set_approves_it(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let mut keys = Vec::new();
    for name in ["ann", "ben", "cid"] {
        keys.push(new_key(&app, name, "admin").await);
    }
    let body = json!({"comment": "", "changes": []});
    let (_, set) = app.admin_with(&keys[0], Method::POST, SETS, Some(&body)).await;
    let add = raise("200.00", &json!(1));
    let (status, set) = app
        .admin_with(&keys[1], Method::POST, &step(&set, "/changes"), Some(&add))
        .await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let (status, set) = asked(&app, &keys[2], &set, "/publish").await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    for own in &keys[..2] {
        assert_eq!(asked(&app, own, &set, "/approve").await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(amount(&app).await, "100.00");
    // A change set that waits for approval cannot be changed.
    assert_eq!(
        app.admin_with(&keys[1], Method::POST, &step(&set, "/changes"), Some(&add))
            .await
            .0,
        StatusCode::CONFLICT
    );
    assert_eq!(asked(&app, &keys[0], &set, "/publish").await.0, StatusCode::CONFLICT);
    assert_eq!(asked(&app, &keys[2], &set, "/approve").await.0, StatusCode::OK);
    assert_eq!(amount(&app).await, "200.00");
    app.stop().await;
}

async fn what_waits_is_rejected_changed_and_published_within_the_limits(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let set = opened(&app, "more", &[raise("200.00", &json!(1))]).await;
    let (_, set) = asked(&app, ADMIN_KEY, &set, "/publish").await;
    let other = independent_key(&app, "ben").await;
    let reject = format!("{}&comment=too%20much", step(&set, "/reject"));
    let (status, set) = app.admin_with(&other, Method::POST, &reject, None).await;
    assert_eq!((status, &set["state"]), (StatusCode::OK, &json!("refused")), "{set}");
    assert!(
        set["refusal"]["detail"]
            .as_str()
            .unwrap()
            .contains("ben rejected it: too much"),
        "{set}"
    );
    assert_eq!((amount(&app).await, notices(&app).await), (json!("100.00"), 0));
    let less = raise("105.00", &json!(1));
    let (_, set) = app.admin(Method::POST, &step(&set, "/changes"), Some(&less)).await;
    assert_eq!((&set["state"], &set["breaches"]), (&json!("open"), &Value::Null));
    let (status, set) = asked(&app, ADMIN_KEY, &set, "/publish").await;
    assert_eq!((status, &set["state"]), (StatusCode::OK, &json!("published")), "{set}");
    assert_eq!(amount(&app).await, "105.00");
    app.stop().await;
}

async fn what_is_approved_is_what_was_read(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let other = independent_key(&app, "ben").await;
    let set = opened(&app, "", &[raise("200.00", &json!(1))]).await;
    let before = set.clone();
    let (_, set) = asked(&app, ADMIN_KEY, &set, "/publish").await;
    assert_eq!(
        asked(&app, &other, &before, "/approve").await.0,
        StatusCode::PRECONDITION_FAILED
    );
    // The head changes. The approver has not read the revision that would be published, so the approval is rejected.
    let patch = json!({"amount": "101.00", "version": 1});
    assert_eq!(app.admin(Method::PATCH, SHORE, Some(&patch)).await.0, StatusCode::OK);
    let (status, problem) = asked(&app, &other, &set, "/approve").await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{problem}");
    assert_eq!(problem["conflicts"][0]["code"], "south_shore");
    assert_eq!(amount(&app).await, "101.00");
    assert_eq!(
        got(&app, &format!("{SETS}/{}", set["id"].as_str().unwrap())).await["state"],
        "waiting"
    );
    app.stop().await;
}

async fn at_rest(kind: Database) -> TestApp {
    TestApp::at_rest(kind, "2026-05-04T18:00:00Z".parse().unwrap()).await
}

async fn scheduled(app: &TestApp, set: &Value) -> (StatusCode, Value) {
    let body = json!({"at": "2026-05-04T19:00:00Z"});
    app.admin(Method::POST, &step(set, "/publish"), Some(&body)).await
}

async fn a_scheduled_publish_beyond_a_limit_waits_first_and_is_published_at_its_time(kind: Database) {
    let app = at_rest(kind).await;
    narrow(&app).await;
    let other = independent_key(&app, "ben").await;
    let set = opened(&app, "", &[raise("200.00", &json!(1))]).await;
    let (status, set) = scheduled(&app, &set).await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    let (status, set) = asked(&app, &other, &set, "/approve").await;
    assert_eq!(
        (status, &set["state"], &set["approved_by"]),
        (StatusCode::OK, &json!("scheduled"), &json!("ben"))
    );
    assert_eq!((amount(&app).await, notices(&app).await), (json!("100.00"), 0));
    app.app.clock.step(TimeDelta::hours(1));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 1);
    assert_eq!(amount(&app).await, "200.00");
    app.stop().await;
}

async fn limits_set_after_the_schedule_hold_it_when_it_is_due(kind: Database) {
    let app = at_rest(kind).await;
    let set = opened(&app, "", &[raise("200.00", &json!(1))]).await;
    let (status, set) = scheduled(&app, &set).await;
    assert_eq!((status, &set["state"]), (StatusCode::OK, &json!("scheduled")), "{set}");
    narrow(&app).await;
    app.app.clock.step(TimeDelta::hours(1));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 1);
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    let set = got(&app, &format!("{SETS}/{}", set["id"].as_str().unwrap())).await;
    assert_eq!(
        (&set["state"], amount(&app).await, notices(&app).await),
        (&json!("waiting"), json!("100.00"), 1)
    );
    let other = independent_key(&app, "ben").await;
    let (status, set) = asked(&app, &other, &set, "/approve").await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::OK, &json!("published")),
        "the time has passed, but the change set is not published: {set}"
    );
    app.stop().await;
}

async fn an_administrators_roll_back_is_never_held(kind: Database) {
    let app = TestApp::start(kind).await;
    let patch = json!({"amount": "300.00", "version": 1});
    assert_eq!(app.admin(Method::PATCH, SHORE, Some(&patch)).await.0, StatusCode::OK);
    narrow(&app).await;
    let back = format!("{BOOK}/revisions/1/roll-back?version=2");
    let editor = new_key(&app, "eve", "editor").await;
    let ask = async || {
        let request = app.client.post(app.url(&back)).bearer_auth(&editor);
        let response = request.header("idempotency-key", "back").send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap())
    };
    let (status, set) = ask().await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    assert_eq!(
        ask().await,
        (StatusCode::ACCEPTED, set),
        "the repeated request must return the same waiting change set"
    );
    assert_eq!(app.counts(["change_sets"]).await, [1]);
    assert_eq!(amount(&app).await, "300.00");
    let (status, done) = app.admin(Method::POST, &back, None).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!(amount(&app).await, "100.00");
    app.stop().await;
}

async fn an_import_beyond_a_limit_waits(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let rulebook = rulebooks::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    let mut rows = app.app.current.at(rulebook.id, 1).await.unwrap().rows().clone();
    let shore = std::sync::Arc::make_mut(rows.adjustments.get_mut("south_shore").unwrap());
    shore.row.amount = Some("250.00".parse().unwrap());
    let author = Author {
        name: "ringbook rules import".to_owned(),
        ..Author::default()
    };
    let error = app
        .app
        .publisher
        .import(rulebook.id, rows, "from files", &author)
        .await
        .unwrap_err();
    assert!(matches!(error, PublishError::Waits(_)), "{error}");
    let list = got(&app, &format!("{SETS}?state=waiting")).await;
    let set = &list["items"][0];
    assert_eq!(
        (&set["changes_count"], &set["comment"], amount(&app).await),
        (&json!(1), &json!("from files"), json!("100.00"))
    );
    assert_eq!(asked(&app, ADMIN_KEY, set, "/approve").await.0, StatusCode::OK);
    assert_eq!(amount(&app).await, "250.00");

    // A PUT of a whole row and the import of a sheet wait for approval too.
    let ann = new_key(&app, "ann", "publisher").await;
    let mut row = got(&app, SHORE).await;
    row["amount"] = json!("400.00");
    let (status, set) = app.admin_with(&ann, Method::PUT, SHORE, Some(&row)).await;
    assert_eq!(
        (status, &set["state"]),
        (StatusCode::ACCEPTED, &json!("waiting")),
        "{set}"
    );
    let sheet = format!("code,amount,version\nsouth_shore,400.00,{}", row["version"]);
    let path = "/admin/v1/rulebooks/default/adjustments.csv";
    let request = app.client.post(app.url(path)).bearer_auth(&ann);
    let request = request.header("content-type", "text/csv").body(sheet);
    let (status, set) = read(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{set}");
    assert_eq!(amount(&app).await, "250.00");
    app.stop().await;
}

/// Scripts, conditions, ranks and stacking groups have no number to compare. Guard rails judge them by their effect on
/// cases, on stored calls and on combinations of the facts that they use.
async fn what_no_number_tells_is_judged_by_calls(kind: Database) {
    let app = at_rest(kind).await;
    let ann = new_key(&app, "ann", "editor").await;
    let row = |rank: i64, amount: &str, group: Option<&str>| {
        json!({"names": {"fr": "x", "en": "x"}, "rank": rank, "kind": "add", "amount": amount, "stacking_group": group,
            "condition": "promotion == \"p1\""})
    };
    for (code, row) in [
        ("first", row(70, "60.00", Some("g"))),
        ("second", row(80, "200.00", Some("g"))),
    ] {
        let path = format!("{BOOK}/adjustments/{code}");
        assert_eq!(app.admin(Method::PUT, &path, Some(&row)).await.0, StatusCode::CREATED);
    }
    let script = got(&app, &format!("{BOOK}/scripts/spring_promotion")).await;
    let source = script["source"].as_str().unwrap().to_owned();
    let rails = json!({"lowest_price": "50.00", "largest_change_percent": "10", "version": 0});
    assert_eq!(app.admin(Method::PUT, RAILS, Some(&rails)).await.0, StatusCode::OK);

    let cheap = |condition: &str| format!("{source}\nif {condition} {{ quote.set(1.00, \"x\"); }}");
    let held = [
        (
            "scripts/spring_promotion",
            json!({"source": cheap("fact(\"promotion\") == \"vip\"")}),
            "source",
        ),
        (
            "scripts/spring_promotion",
            json!({"source": cheap("fact(\"promotion\") == \"a\" && fact(\"city\") == \"b\"")}),
            "source",
        ),
        (
            "scripts/spring_promotion",
            json!({"source": cheap("says(\"sesame*\")")}),
            "source",
        ),
        (
            "scripts/spring_promotion",
            json!({"source": cheap("fact(\"hour\") == 3")}),
            "source",
        ),
        (
            "scripts/spring_promotion",
            json!({"source": cheap("fact(\"metres\") != () && fact(\"metres\") > 77")}),
            "source",
        ),
        (
            "adjustments/south_shore",
            json!({"condition": "area == \"south_shore\" || promotion == \"p2\""}),
            "condition",
        ),
        ("adjustments/second", json!({"rank": 65}), "rank"),
        ("adjustments/second", json!({"stacking_group": null}), "stacking_group"),
    ];
    for (path, change, column) in held {
        let path = format!("{BOOK}/{path}");
        let mut change = change;
        change["version"] = got(&app, &path).await["version"].clone();
        let (status, set) = app.admin_with(&ann, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(
            (status, &set["state"]),
            (StatusCode::ACCEPTED, &json!("waiting")),
            "{change}: {set}"
        );
        let breach = &set["breaches"][0];
        assert_eq!(
            (&breach["column"], path.ends_with(breach["code"].as_str().unwrap())),
            (&json!(column), true),
            "{set}"
        );
        assert!(breach["text"].as_str().unwrap().contains("price"), "{set}");
    }
    // Changes that alter prices by less than the limit are live immediately.
    let harmless = [
        (
            "scripts/spring_promotion",
            json!({"source": format!("// Nothing else.\n{source}")}),
        ),
        (
            "scripts/spring_promotion",
            json!({"source": format!("{source}\nif fact(\"promotion\") == \"p3\" {{ quote.add(5, \"x\"); }}")}),
        ),
        ("adjustments/south_shore", json!({"rank": 11})),
    ];
    for (path, change) in harmless {
        let path = format!("{BOOK}/{path}");
        let mut change = change;
        change["version"] = got(&app, &path).await["version"].clone();
        let (status, row) = app.admin_with(&ann, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(status, StatusCode::OK, "{change}: {row}");
    }
    app.stop().await;
}

async fn nobody_approves_their_own_change_with_a_second_key(kind: Database) {
    let app = TestApp::start(kind).await;
    narrow(&app).await;
    let made = |key: String, body: Value| {
        let app = &app;
        async move {
            let (status, made) = app
                .admin_with(&key, Method::POST, "/admin/v1/api-keys", Some(&body))
                .await;
            assert_eq!(status, StatusCode::CREATED, "{made}");
            (made["key"].as_str().unwrap().to_owned(), made["api_key"].clone())
        }
    };
    let admin = ADMIN_KEY.to_owned();
    // The author of a change cannot approve it with a key that they created. It does not matter whether they created
    // the key directly or through another key, and what name the key has.
    let (direct, shown) = made(
        admin.clone(),
        json!({"name": "p", "role": "publisher", "owner": "Somebody"}),
    )
    .await;
    let (deputy, _) = made(admin.clone(), json!({"name": "d", "role": "admin", "owner": "Deputy"})).await;
    let (indirect, _) = made(
        deputy.clone(),
        json!({"name": "q", "role": "publisher", "owner": "Else"}),
    )
    .await;
    assert_eq!(shown["owner"], "Somebody");
    assert!(shown["made_by"].is_string(), "{shown}");
    let set = opened(&app, "", &[raise("200.00", &json!(1))]).await;
    let (status, set) = asked(&app, ADMIN_KEY, &set, "/publish").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{set}");
    for key in [ADMIN_KEY, &direct, &deputy, &indirect] {
        let (status, problem) = asked(&app, key, &set, "/approve").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    }
    // Two keys with the same owner count as one person. A key of another owner may approve the changes.
    let (ann, _) = made(
        admin.clone(),
        json!({"name": "ann-laptop", "role": "editor", "owner": "Ann"}),
    )
    .await;
    let (phone, _) = made(
        admin.clone(),
        json!({"name": "ann-phone", "role": "publisher", "owner": " ann "}),
    )
    .await;
    let (ben, _) = made(admin, json!({"name": "ben", "role": "publisher"})).await;
    let patch = json!({"amount": "150.00", "version": got(&app, SHORE).await["version"]});
    let (status, set) = app.admin_with(&ann, Method::PATCH, SHORE, Some(&patch)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{set}");
    assert_eq!(asked(&app, &phone, &set, "/approve").await.0, StatusCode::FORBIDDEN);
    assert_eq!(asked(&app, &ben, &set, "/approve").await.0, StatusCode::OK);
    let log = got(&app, "/admin/v1/audit-log?resource=api-keys&action=create&sort=at").await;
    let entry = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["after"]["name"] == "q")
        .unwrap();
    assert_eq!(
        (&entry["after"]["owner"], &entry["after"]["maker"]),
        (&json!("Else"), &json!("d"))
    );
    assert_eq!(entry["actor"], "d");
    app.stop().await;
}
