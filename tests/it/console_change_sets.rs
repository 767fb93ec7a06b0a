//! Tests the console's pages of change sets: descriptions of changes, checks, the backtest chart, buttons and guard
//! rails. Also tests conflicts with other people's changes.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::browser::{Browser, Shown, key};
use crate::support::forms::Form;
use crate::support::messages::report;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    a_change_set_is_read_in_words_and_published,
    past_calls_are_a_picture_and_a_table,
    beyond_the_guard_rails_a_second_person_decides,
    a_publish_is_scheduled_and_cancelled,
    what_others_changed_meanwhile_is_shown_and_chosen,
    what_cannot_be_published_is_explained,
    a_stale_page_does_nothing,
    the_list_is_filtered_by_state,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

async fn at_rest(database: Database) -> TestApp {
    TestApp::at_rest(database, "2026-11-24T17:00:00Z".parse().unwrap()).await
}

async fn row(app: &TestApp, path: &str) -> Value {
    let (status, row) = app.admin(Method::GET, &format!("{BOOK}/{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    row
}

/// Opens a change set with these patches. Each patch has a resource, a code and fields.
async fn open(app: &TestApp, key: &str, changes: &[(&str, &str, Value)]) -> String {
    let mut edits = Vec::new();
    for (resource, code, body) in changes {
        let version = row(app, &format!("{resource}/{code}")).await["version"].clone();
        edits.push(json!({"resource": resource, "code": code, "method": "patch", "body": body, "version": version}));
    }
    let body = json!({"comment": "Winter <prices>", "changes": edits});
    let path = format!("{BOOK}/change-sets");
    let (status, set) = app.admin_with(key, Method::POST, &path, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    set["id"].as_str().unwrap().to_owned()
}

/// Builds a change of the price of camera inspections.
fn camera(price: &str) -> (&'static str, &'static str, Value) {
    (
        "services",
        "camera_inspection",
        json!({"price_from": price, "price_to": price}),
    )
}

async fn press(browser: &Browser<'_>, id: &str, verb: &str) -> Shown {
    let shown = browser.page(&format!("/console/change-sets/{id}")).await;
    let mark = format!("value=\"{verb}\"");
    let form = Form::of(&shown, &mark).with("do", verb);
    // A browser would also send the selected number of days.
    let form = if verb == "test" { form.with("days", "30") } else { form };
    form.send(browser).await
}

/// Presses a button and expects success.
async fn done(browser: &Browser<'_>, id: &str, verb: &str) -> Shown {
    let pressed = press(browser, id, verb).await;
    assert_eq!(pressed.status, StatusCode::SEE_OTHER, "{verb}: {}", pressed.text);
    assert_eq!(pressed.header("location"), format!("/console/change-sets/{id}"));
    browser.page(&format!("/console/change-sets/{id}")).await
}

async fn a_change_set_is_read_in_words_and_published(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let names = json!({"names": {"en": "Roots <b>"}, "price_to": "800.00"});
    let changes = [
        camera("380.00"),
        ("services", "root_removal", names),
        ("adjustments", "complex", json!({"rate": "1.35"})),
        ("taxes", "tvq", json!({"rate": "10"})),
        ("contacts", "second", json!({"name": "Luc"})),
    ];
    let id = open(&app, ADMIN_KEY, &changes).await;
    let path = format!("/console/change-sets/{id}");
    let shown = browser.page(&path).await;
    shown.has(&[
        "<h1>Winter &lt;prices&gt;</h1>",
        "<del>$350</del>",
        "<ins>$380</ins>",
        "(+8.6%)",
        "<dt>Price</dt>",
        "<dt>Highest price</dt>",
        "<ins>Roots &lt;b&gt;</ins>",
        "<ins>1.35</ins>",
        "<ins>10%</ins>",
        "People and calendars",
        "<ins>Luc</ins>",
        "The rules fit together.",
        "The change set stays within the guard rails",
        "Publish now",
    ]);
    browser.language = "fr";
    browser.page(&path).await.has(&[
        "<del>350\u{a0}$</del>",
        "(+8,6\u{a0}%)",
        "Publier maintenant",
        "Personnes et calendriers",
    ]);
    browser.language = "en";
    // One change is removed from the change set, and the others stay.
    let contact = Form::of(&shown, "contacts/second")
        .with("do", "remove")
        .send(&browser)
        .await;
    assert_eq!(contact.status, StatusCode::SEE_OTHER, "{}", contact.text);
    assert!(!browser.page(&path).await.text.contains("Luc"));
    let published = done(&browser, &id, "publish").await;
    published.has(&["Published as revision 2", "<del>$350</del>"]);
    assert!(!published.text.contains("value=\"publish\""));
    assert_eq!(row(&app, "services/camera_inspection").await["price_from"], "380.00");
    // No further action is possible.
    let late = [("csrf", &*browser.csrf().await), ("version", "1"), ("do", "discard")];
    let late = browser.post(&path, &late).await;
    assert!(
        matches!(late.status, StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT),
        "{}",
        late.status
    );
    late.has(&["role=\"alert\"", "Published as revision 2"]);
    for (path, status) in [
        ("/console/change-sets/nonsense", 400),
        ("/console/change-sets/00000000-0000-0000-0000-000000000000", 404),
        ("/console/prices?change_set=00000000-0000-0000-0000-000000000000", 404),
        ("/console/change-sets?state=gone", 200),
    ] {
        assert_eq!(browser.get(path).await.status.as_u16(), status, "{path}");
    }
    app.stop().await;
}

async fn past_calls_are_a_picture_and_a_table(database: Database) {
    let app = at_rest(database).await;
    for number in 0..6 {
        let said = if number < 4 {
            "Je veux une inspection par caméra."
        } else {
            "J'ai des racines dans le drain."
        };
        app.take(&report(&format!("call-{number}"), said)).await;
    }
    // A backtest covers only calls before its start.
    app.app.clock.step(TimeDelta::minutes(5));
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let id = open(&app, ADMIN_KEY, &[camera("390.00")]).await;
    browser
        .page(&format!("/console/change-sets/{id}"))
        .await
        .has(&["before you publish it", "Test on past calls"]);
    let started = done(&browser, &id, "test").await;
    assert!(
        started.text.contains("data-running") || started.text.contains("<figure"),
        "{}",
        started.text
    );
    let part = format!("/console/change-sets/{id}?part=backtest");
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let mut shown = browser.page(&part).await;
    for _ in 0..400 {
        if !shown.text.contains("data-running") {
            break;
        }
        looks.tick().await;
        shown = browser.page(&part).await;
    }
    assert!(
        !shown.text.contains("<html"),
        "the response is a whole page, not a part"
    );
    shown.has(&[
        "6 calls",
        "<figure class=\"picture\"",
        "href=\"/console/calls/call-0\"",
        "Camera inspection: $350 → $390",
        "4 become dearer, 0 become cheaper, and 2 stay the same",
        "<polygon class=\"dearer\"",
        "<circle class=\"same\"",
        "4 · +$160",
        "+$160",
        "Calls that change most",
    ]);
    assert_eq!(
        shown.text.matches("<polygon class=\"dearer\"").count(),
        4 + 1,
        "the chart must have the marks and the legend"
    );
    browser.language = "fr";
    browser
        .page(&part)
        .await
        .has(&["4 deviennent plus chers", "350\u{a0}$ → 390\u{a0}$"]);
    // A viewer can read the change set but cannot start any action.
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    let seen = viewer.page(&format!("/console/change-sets/{id}")).await;
    seen.has(&["<figure class=\"picture\""]);
    for verb in ["test", "publish", "discard", "remove", "approve"] {
        assert!(!seen.text.contains(&format!("value=\"{verb}\"")), "{verb}");
    }
    let csrf = viewer.csrf().await;
    for verb in ["test", "publish", "discard", "approve"] {
        let sent = [("csrf", csrf.as_str()), ("version", "1"), ("days", "30"), ("do", verb)];
        let refused = viewer.post(&format!("/console/change-sets/{id}"), &sent).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{verb}");
        refused.has(&["Your key may not do this"]);
    }
    app.stop().await;
}

async fn beyond_the_guard_rails_a_second_person_decides(database: Database) {
    let app = at_rest(database).await;
    let rails = json!({"largest_change_percent": "10"});
    let (status, answer) = app
        .admin(Method::PUT, &format!("{BOOK}/guard-rails"), Some(&rails))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (editor, _) = key(&app, json!({"name": "Julie", "role": "editor"})).await;
    let (owner, _) = key(&app, json!({"name": "Mario", "role": "owner"})).await;
    let (julie, mario) = (Browser::with(&app, &editor).await, Browser::with(&app, &owner).await);
    let id = open(&app, &editor, &[camera("450.00")]).await;
    let path = format!("/console/change-sets/{id}");
    julie.page(&path).await.has(&[
        "The change set goes beyond the guard rails",
        "This change is larger than a single publish may make.",
        "$350 → $450",
        "Ask for approval",
    ]);
    assert_eq!(
        row(&app, "services/camera_inspection").await["price_from"],
        "350.00",
        "opening the page published the change"
    );
    let waits = done(&julie, &id, "publish").await;
    waits.has(&["a second person must approve it", "waits for approval"]);
    assert!(
        !waits.text.contains("value=\"approve\""),
        "an editor must not see the button to approve"
    );
    // The change set is rejected with a reason, submitted again, and approved.
    let form = Form::of(&mario.page(&path).await, "value=\"reject\"")
        .with("reason", "Too <dear>")
        .with("do", "reject");
    assert_eq!(form.send(&mario).await.status, StatusCode::SEE_OTHER);
    julie.page(&path).await.has(&[
        "This change set was not published.",
        "Too &lt;dear&gt;",
        "Ask for approval",
    ]);
    done(&julie, &id, "publish").await;
    done(&mario, &id, "approve")
        .await
        .has(&["Published as revision 2", "approved by Mario"]);
    // Nobody can approve their own change.
    let own = open(&app, ADMIN_KEY, &[camera("600.00")]).await;
    let admin = Browser::with(&app, ADMIN_KEY).await;
    let waits = done(&admin, &own, "publish").await;
    waits.has(&["Nobody approves their own change"]);
    let (_, set) = app.admin(Method::GET, &format!("{BOOK}/change-sets/{own}"), None).await;
    let (csrf, version) = (admin.csrf().await, set["version"].to_string());
    let sent = [("csrf", csrf.as_str()), ("version", &version), ("do", "approve")];
    let refused = admin.post(&format!("/console/change-sets/{own}"), &sent).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.has(&["Nobody approves their own change"]);
    app.stop().await;
}

async fn a_publish_is_scheduled_and_cancelled(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let id = open(&app, ADMIN_KEY, &[camera("360.00")]).await;
    let path = format!("/console/change-sets/{id}");
    let form = async || Form::of(&browser.page(&path).await, "value=\"schedule\"").with("do", "schedule");
    for wrong in ["2026-11-24T11:00", "nonsense", ""] {
        let shown = form().await.with("at", wrong).send(&browser).await;
        assert!(matches!(shown.status.as_u16(), 400 | 422), "{wrong}: {}", shown.status);
        shown.has(&["id=\"about-at\"", &format!("value=\"{wrong}\"")]);
    }
    let sent = form().await.with("at", "2026-12-01T08:00").send(&browser).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    browser.page(&path).await.has(&[
        "This change set will be published:",
        "Tue, Dec\u{a0}1, 8:00\u{a0}a.m.",
        "scheduled",
    ]);
    done(&browser, &id, "unschedule")
        .await
        .has(&["Publish now", "America/Toronto"]);
    done(&browser, &id, "discard")
        .await
        .has(&["This change set was discarded"]);
    app.stop().await;
}

async fn what_others_changed_meanwhile_is_shown_and_chosen(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let change = async |price: &str| {
        let version = row(&app, "services/camera_inspection").await["version"].clone();
        let body = json!({"price_from": price, "price_to": price, "version": version});
        let path = format!("{BOOK}/services/camera_inspection");
        let (status, answer) = app.admin(Method::PATCH, &path, Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    };
    let id = open(
        &app,
        ADMIN_KEY,
        &[
            camera("380.00"),
            ("adjustments", "south_shore", json!({"amount": "120.00"})),
        ],
    )
    .await;
    change("360.00").await;
    let path = format!("/console/change-sets/{id}");
    let shown = browser.page(&path).await;
    shown.has(&[
        "Somebody changed a row of this change set meanwhile",
        "<td>$350</td>",
        "<td>$360</td>",
        "<td>$380</td>",
    ]);
    let refused = press(&browser, &id, "publish").await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{}", refused.text);
    refused.has(&["Keep theirs", "Keep mine"]);
    let mine = done(&browser, &id, "mine").await;
    assert!(
        !mine.text.contains("meanwhile") && mine.text.contains("<del>$360</del>"),
        "{}",
        mine.text
    );
    change("365.00").await;
    let theirs = done(&browser, &id, "theirs").await;
    assert!(
        !theirs.text.contains("meanwhile") && !theirs.text.contains("$380"),
        "{}",
        theirs.text
    );
    theirs.has(&["<ins>$120</ins>"]);
    done(&browser, &id, "publish").await.has(&["Published as revision 4"]);
    assert_eq!(row(&app, "services/camera_inspection").await["price_from"], "365.00");
    app.stop().await;
}

async fn what_cannot_be_published_is_explained(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let faulty = (
        "services",
        "camera_inspection",
        json!({"price_from": "500.00", "price_to": "400.00"}),
    );
    let offered = json!({"offer": "offered", "price_from": "400.00", "price_to": "400.00"});
    let case = ("services", "septic_tank", offered);
    for (change, parts) in [(faulty, ["Error:", "price"]), (case, ["fails:", "got"])] {
        let id = open(&app, ADMIN_KEY, &[change]).await;
        browser.page(&format!("/console/change-sets/{id}")).await.has(&parts);
        let refused = press(&browser, &id, "publish").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        refused.has(&["The change set cannot be published like this"]);
        refused.has(&parts);
    }
    app.stop().await;
}

async fn a_stale_page_does_nothing(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let id = open(&app, ADMIN_KEY, &[camera("360.00")]).await;
    let path = format!("/console/change-sets/{id}");
    let seen = Form::of(&browser.page(&path).await, "value=\"publish\"").with("do", "publish");
    // A change is added in another browser window.
    let version = row(&app, "adjustments/south_shore").await["version"].clone();
    let change = json!({"resource": "adjustments", "code": "south_shore", "method": "patch", "body": {"amount": "120.00"}, "version": version});
    let add = format!("{BOOK}/change-sets/{id}/changes?version={}", seen.value("version"));
    let (status, answer) = app.admin(Method::POST, &add, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let refused = seen.send(&browser).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    refused.has(&["The change set changed since you read it", "<ins>$120</ins>"]);
    let again = Form::of(&refused, "value=\"publish\"")
        .with("do", "publish")
        .send(&browser)
        .await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
    app.stop().await;
}

async fn the_list_is_filtered_by_state(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    browser
        .page("/console/change-sets")
        .await
        .has(&["There is no change set here."]);
    let first = open(&app, ADMIN_KEY, &[camera("360.00")]).await;
    let second = open(&app, ADMIN_KEY, &[camera("370.00")]).await;
    done(&browser, &second, "discard").await;
    let all = browser.page("/console/change-sets").await;
    all.has(&[&first, &second, "one change"]);
    let open = browser.page("/console/change-sets?state=open").await;
    assert!(open.text.contains(&first) && !open.text.contains(&second));
    app.stop().await;
}
