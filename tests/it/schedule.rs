//! A scheduled publish happens once and on time, or at the next start if the server was down. If somebody else changes
//! the same row before the scheduled time, the publish is rejected with a notice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::change_sets::{BOOK, SETS, SHORE, got, opened, publish, raise, step};
use crate::support::{Database, TestApp};

both!(
    a_scheduled_publish_happens_at_its_time_and_not_before,
    what_fell_due_while_the_server_was_down_takes_effect_at_start_once,
    of_three_instances_one_publishes_what_is_due,
    a_scheduled_publish_whose_ground_moved_is_refused_and_noticed,
    a_schedule_is_cancelled_and_a_scheduled_change_set_is_left_alone,
    the_time_is_read_in_the_rulebooks_zone,
);

/// Returns 14:00 in Montréal, which is the time zone of the sample business.
fn start() -> DateTime<Utc> {
    "2026-05-04T18:00:00Z".parse().unwrap()
}

async fn scheduled(app: &TestApp, set: &Value, at: &str) -> Value {
    let body = json!({"at": at, "comment": "at its time"});
    let (status, set) = app.admin(Method::POST, &step(set, "/publish"), Some(&body)).await;
    assert_eq!((status, &set["state"]), (StatusCode::OK, &json!("scheduled")), "{set}");
    set
}

async fn state_of(app: &TestApp, set: &Value) -> Value {
    got(app, &format!("{SETS}/{}", set["id"].as_str().unwrap())).await
}

/// Waits until the state of the change set is no longer `scheduled`.
async fn settled(app: &TestApp, set: &Value) -> Value {
    let moved = async {
        loop {
            let set = state_of(app, set).await;
            if set["state"] != "scheduled" {
                return set;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let moved = tokio::time::timeout(Duration::from_secs(30), moved).await;
    moved.unwrap_or_else(|_| panic!("timed out while waiting until the change set is published: {set}"))
}

async fn a_scheduled_publish_happens_at_its_time_and_not_before(database: Database) {
    let app = TestApp::at_rest(database, start()).await;
    let set = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let set = scheduled(&app, &set, "2026-05-04T19:00:00Z").await;
    assert_eq!(
        (&set["publish_at"], &set["publish_by"]),
        (&json!("2026-05-04T19:00:00+00:00"), &json!("RINGBOOK_ADMIN_KEY")),
        "{set}"
    );
    app.app.clock.step(TimeDelta::minutes(59));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    assert_eq!(got(&app, SHORE).await["amount"], "100.00");
    app.app.clock.step(TimeDelta::minutes(1));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 1);
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    assert_eq!(got(&app, SHORE).await["amount"], "120.00");
    let set = state_of(&app, &set).await;
    assert_eq!((&set["state"], &set["revision"]), (&json!("published"), &json!(2)));
    let revisions = got(&app, &format!("{BOOK}/revisions")).await;
    let newest = &revisions["items"][0];
    assert_eq!(
        (&newest["comment"], &newest["author"]),
        (&json!("at its time"), &set["publish_by"])
    );
    let log = got(
        &app,
        &format!(
            "/admin/v1/audit-log?sort=at&resource=change-sets&code={}",
            set["id"].as_str().unwrap()
        ),
    )
    .await;
    let actions: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["create", "schedule", "publish"]);
    app.stop().await;
}

async fn what_fell_due_while_the_server_was_down_takes_effect_at_start_once(database: Database) {
    let app = TestApp::builder(database).at(start()).start().await;
    let first = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let first = scheduled(&app, &first, "2026-05-04T19:00:00Z").await;
    let rank = json!({"resource": "services", "code": "camera_inspection", "method": "patch", "body": {"rank": 77}, "version": 1});
    let second = opened(&app, "", &[rank]).await;
    let second = scheduled(&app, &second, "2026-05-04T18:30:00Z").await;
    let app = app.restart_after(|clock| clock.step(TimeDelta::hours(5))).await;
    // The change sets are published in the order of their times.
    assert_eq!(settled(&app, &second).await["revision"], 2);
    assert_eq!(settled(&app, &first).await["revision"], 3);
    assert_eq!(got(&app, SHORE).await["amount"], "120.00");
    let app = app.restart_after(|clock| clock.step(TimeDelta::hours(5))).await;
    app.app.scheduler.publish_due().await.unwrap();
    assert_eq!(got(&app, BOOK).await["revision"], 3);
    app.stop().await;
}

async fn of_three_instances_one_publishes_what_is_due(database: Database) {
    let app = TestApp::at_rest(database, start()).await;
    let others = [app.another().await, app.another().await];
    for round in 1..=5_i64 {
        let amount = format!("{}.00", 120 + round);
        let set = opened(&app, "", &[raise(&amount, &json!(round))]).await;
        let at = app.app.clock.now() + TimeDelta::minutes(1);
        let set = scheduled(&app, &set, &at.to_rfc3339()).await;
        app.app.clock.step(TimeDelta::minutes(1));
        let (one, two, three) = tokio::join!(
            app.app.scheduler.publish_due(),
            others[0].app.scheduler.publish_due(),
            others[1].app.scheduler.publish_due()
        );
        assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 1);
        let set = state_of(&app, &set).await;
        assert_eq!(
            (&set["state"], &set["revision"]),
            (&json!("published"), &json!(round + 1)),
            "{set}"
        );
    }
    assert_eq!(got(&app, "/admin/v1/notices").await["items"], json!([]));
    for other in others {
        other.stop().await;
    }
    app.stop().await;
}

async fn a_scheduled_publish_whose_ground_moved_is_refused_and_noticed(database: Database) {
    let app = TestApp::at_rest(database, start()).await;
    let moved = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let moved = scheduled(&app, &moved, "2026-05-04T19:00:00Z").await;
    // Before the scheduled time, a new case expects the old price, and a new row refers to the row that the change set
    // deletes.
    let price = json!({"resource": "services", "code": "camera_inspection", "method": "patch", "body": {"price_to": "400.00"}, "version": 1});
    let red = opened(&app, "", &[price]).await;
    let red = scheduled(&app, &red, "2026-05-04T19:00:00Z").await;
    let (status, _) = app
        .admin(Method::PATCH, SHORE, Some(&json!({"amount": "110.00", "version": 1})))
        .await;
    assert_eq!(status, StatusCode::OK);
    let case = format!("{BOOK}/cases/camera_fr");
    let pin = json!({"expect": {"/price/to": "350.00"}, "version": 1});
    assert_eq!(app.admin(Method::PATCH, &case, Some(&pin)).await.0, StatusCode::OK);
    app.app.clock.step(TimeDelta::hours(1));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 2);
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    assert_eq!(got(&app, BOOK).await["revision"], 3);
    let moved = state_of(&app, &moved).await;
    assert_eq!(
        (&moved["state"], &moved["refusal"]["code"]),
        (&json!("refused"), &json!("conflicts")),
        "{moved}"
    );
    let conflict = &moved["refusal"]["conflicts"][0];
    assert_eq!(
        (
            &conflict["made_against"]["row"]["amount"],
            &conflict["stands"]["row"]["amount"]
        ),
        (&json!("100.00"), &json!("110.00"))
    );
    let red = state_of(&app, &red).await;
    assert_eq!(
        (&red["state"], &red["refusal"]["code"]),
        (&json!("refused"), &json!("cases_failed")),
        "{red}"
    );
    assert!(red["refusal"]["cases"][0]["decision"]["trace"].is_array());
    let open_notices = async || {
        let notices = got(&app, "/admin/v1/notices?rulebook=default&limit=200").await;
        let open = notices["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|notice| notice["resolved_at"].is_null());
        open.filter(|notice| notice["code"] == "scheduled_publish_refused")
            .cloned()
            .collect::<Vec<_>>()
    };
    let notices = open_notices().await;
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(
        notices
            .iter()
            .any(|notice| notice["subject"] == format!("change set {}", moved["id"].as_str().unwrap()))
    );
    // A new change based on the current row opens the change set again and resolves its notice. Discarding the other
    // change set resolves the other notice.
    let (status, again) = app
        .admin(
            Method::POST,
            &step(&moved, "/changes"),
            Some(&raise("120.00", &json!(2))),
        )
        .await;
    assert_eq!(
        (status, &again["state"], &again["refusal"]),
        (StatusCode::OK, &json!("open"), &Value::Null),
        "{again}"
    );
    assert_eq!(open_notices().await.len(), 1);
    assert_eq!(publish(&app, &again).await.0, StatusCode::OK);
    assert_eq!(
        app.admin(Method::POST, &step(&red, "/discard"), None).await.0,
        StatusCode::OK
    );
    assert_eq!(open_notices().await.len(), 0);
    app.stop().await;
}

async fn a_schedule_is_cancelled_and_a_scheduled_change_set_is_left_alone(database: Database) {
    let app = TestApp::at_rest(database, start()).await;
    let set = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    let set = scheduled(&app, &set, "2026-05-04T19:00:00Z").await;
    for (method, path, body) in [
        (Method::POST, "/changes", Some(raise("140.00", &json!(1)))),
        (Method::DELETE, "/changes/1", None),
        (Method::POST, "/publish", Some(json!({}))),
    ] {
        let (status, problem) = app.admin(method, &step(&set, path), body.as_ref()).await;
        assert_eq!(status, StatusCode::CONFLICT, "{path}: {problem}");
    }
    let (status, set) = app.admin(Method::DELETE, &step(&set, "/schedule"), None).await;
    assert_eq!(
        (status, &set["state"], &set["publish_at"]),
        (StatusCode::OK, &json!("open"), &Value::Null),
        "{set}"
    );
    app.app.clock.step(TimeDelta::hours(2));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    let set = scheduled(&app, &set, "2026-05-04T21:00:00Z").await;
    assert_eq!(
        app.admin(Method::POST, &step(&set, "/discard"), None).await.0,
        StatusCode::OK
    );
    app.app.clock.step(TimeDelta::hours(2));
    assert_eq!(app.app.scheduler.publish_due().await.unwrap(), 0);
    assert_eq!(got(&app, BOOK).await["revision"], 1);
    app.stop().await;
}

async fn the_time_is_read_in_the_rulebooks_zone(database: Database) {
    let app = TestApp::at_rest(database, start()).await;
    let set = opened(&app, "", &[raise("120.00", &json!(1))]).await;
    for (wrong, expected) in [
        ("2026-05-04T17:59:59Z", 422),
        ("2026-05-04T13:59", 422),
        ("tomorrow", 400),
        ("2027-03-14T02:30", 422),
        ("2026-11-01T01:30", 422),
        ("9999-01-01T00:00", 422),
    ] {
        let (status, problem) = app
            .admin(Method::POST, &step(&set, "/publish"), Some(&json!({"at": wrong})))
            .await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["pointer"]),
            (expected, &json!("/at")),
            "{wrong}: {problem}"
        );
    }
    let set = scheduled(&app, &set, "2026-05-04T15:30").await;
    assert_eq!(set["publish_at"], "2026-05-04T19:30:00+00:00");
    // A change set that could not be published now cannot be scheduled.
    let bad = json!({"resource": "adjustments", "code": "south_shore", "method": "patch", "body": {"condition": "x"}, "version": 1});
    let set = opened(&app, "", &[bad]).await;
    let (status, problem) = app
        .admin(
            Method::POST,
            &step(&set, "/publish"),
            Some(&json!({"at": "2026-05-05T08:00"})),
        )
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    app.stop().await;
}
