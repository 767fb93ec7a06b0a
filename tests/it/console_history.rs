//! Tests the console's history pages: the time line, the comparison of revisions, a rollback during a concurrent
//! change, and the audit log.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, key};
use crate::support::{Database, TestApp};

both!(
    the_time_line_says_who_changed_what_and_when,
    any_two_revisions_are_compared,
    a_roll_back_replaces_only_the_head_that_was_seen,
    the_audit_log_is_filtered_and_checked,
    a_viewer_reads_the_history_and_cannot_roll_back,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn patch(app: &TestApp, path: &str, mut change: serde_json::Value, comment: &str) {
    let at = format!("{BOOK}/{path}");
    let (_, row) = app.admin(Method::GET, &at, None).await;
    change["version"] = row["version"].clone();
    app.app.clock.step(TimeDelta::minutes(10));
    let (status, answer) = app
        .admin(Method::PATCH, &format!("{at}?comment={comment}"), Some(&change))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Starts a server with three revisions: the sample, a higher price of a service, and a renamed contact.
async fn three(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, noon()).await;
    patch(
        &app,
        "services/camera_inspection",
        json!({"price_to": "420.00"}),
        "Dearer",
    )
    .await;
    patch(
        &app,
        "contacts/on_call",
        json!({"name": "Mario (514) 555-0203"}),
        "By-514-555-0201",
    )
    .await;
    app
}

async fn the_time_line_says_who_changed_what_and_when(database: Database) {
    let app = three(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/history").await;
    page.has(&[
        "Revision 3",
        "in force",
        "<q>Dearer</q>",
        "One service: Camera inspection",
        "One contact: Mario (514) 555-0203",
        "/console/history?to=2",
        "/console/history?from=1&amp;to=head",
        "12:20",
    ]);
    assert!(
        page.text.find("Revision 3") < page.text.find("Revision 2"),
        "the newest revision must come first"
    );
    let mut french = Browser::with(&app, ADMIN_KEY).await;
    french.language = "fr";
    french
        .page("/console/history")
        .await
        .has(&["Un service", "en vigueur", "Comparer"]);
    app.stop().await;
}

async fn any_two_revisions_are_compared(database: Database) {
    let app = three(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let both = browser.page("/console/history?from=1&to=3").await;
    both.has(&[
        "Revision 1 → 3",
        "price to",
        "350.00",
        "420.00",
        "camera_inspection",
        "on_call",
        "Go back to revision 1",
    ]);
    let back = browser.page("/console/history?from=3&to=1").await;
    back.has(&["Revision 3 → 1", "Compare 3 with the revision in force"]);
    let own = browser.page("/console/history?to=2").await;
    own.has(&["Revision 1 → 2", "420.00"]);
    assert!(!own.text.contains("Go back to") && !own.text.contains("555-0203"));
    let first = browser.page("/console/history?to=1").await;
    first.has(&["Revision 1", "new"]);
    browser
        .page("/console/history?from=3&to=3")
        .await
        .has(&["Nothing is different."]);
    for wrong in [
        "from=4&to=1",
        "to=x",
        "from=%00&to=1",
        "from=..%2F..&to=1",
        "to=0",
        "cursor=x",
    ] {
        let shown = browser.get(&format!("/console/history?{wrong}")).await;
        assert!(shown.status.is_client_error(), "{wrong}: {}", shown.status);
        shown.has(&["Back to the board"]);
    }
    app.stop().await;
}

async fn a_roll_back_replaces_only_the_head_that_was_seen(database: Database) {
    let app = three(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let seen = browser.page("/console/history?from=1&to=head").await;
    seen.has(&["name=\"version\" value=\"3\""]);
    patch(
        &app,
        "services/camera_inspection",
        json!({"price_to": "430.00"}),
        "Faster",
    )
    .await;
    let form = |version: &'static str| [("version", version), ("comment", "Too dear <b>")];
    let path = "/console/history/1/roll-back";
    let stale = browser
        .post(path, &[&[("csrf", seen.csrf())], &form("3")[..]].concat())
        .await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.text);
    stale.has(&[
        "Somebody published meanwhile",
        "<q>Faster</q>",
        "value=\"Too dear &lt;b&gt;\"",
        "name=\"version\" value=\"4\"",
        "430.00",
    ]);
    let done = browser
        .post(path, &[&[("csrf", stale.csrf())], &form("4")[..]].concat())
        .await;
    assert_eq!(done.header("location"), "/console/history?done=5", "{}", done.text);
    browser
        .page(done.header("location"))
        .await
        .has(&["revision 5 is live now", "back to 1", "Too dear &lt;b&gt;"]);
    let (_, row) = app
        .admin(Method::GET, &format!("{BOOK}/services/camera_inspection"), None)
        .await;
    assert_eq!(row["price_to"], "350.00");
    for (path, version, status) in [
        ("/console/history/9/roll-back", "5", 404),
        ("/console/history/x/roll-back", "5", 400),
        (path, "", 428),
        (path, "x", 400),
    ] {
        let shown = browser
            .post(
                path,
                &[("csrf", done_csrf(&browser).await.as_str()), ("version", version)],
            )
            .await;
        assert_eq!(shown.status.as_u16(), status, "{path} {version}: {}", shown.text);
    }
    app.stop().await;
}

async fn done_csrf(browser: &Browser<'_>) -> String {
    browser.csrf().await
}

async fn the_audit_log_is_filtered_and_checked(database: Database) {
    let app = three(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let log = browser.page("/console/history/audit?resource=services").await;
    log.has(&[
        "camera_inspection",
        "changed",
        "350.00",
        "420.00",
        "/console/history?to=2",
    ]);
    assert!(!log.text.contains("<code>on_call</code>"), "{}", log.text);
    for (filter, is_there) in [
        ("code=on_call", true),
        ("code=on_call&day=2026-11-24", true),
        ("code=on_call&day=2026-11-23", false),
        ("actor=nobody", false),
        ("code=on_call&days=today", true),
        ("code=on_call&days=week", true),
    ] {
        let shown = browser.page(&format!("/console/history/audit?{filter}")).await;
        assert_eq!(shown.text.contains("<code>on_call</code>"), is_there, "{filter}");
    }
    let checked = browser.page("/console/history/audit?check=yes").await;
    checked.has(&["Nobody has altered the log", "End of the chain"]);
    // Alter an entry as an attacker would, who first removes the triggers that protect the log.
    app.sql(match database {
        Database::Sqlite => "DROP TRIGGER audit_log_no_update",
        Database::Postgres => "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    })
    .await;
    app.sql("UPDATE audit_log SET actor = 'nobody' WHERE seq = 2").await;
    let broken = browser.page("/console/history/audit?check=yes").await;
    broken.has(&["Somebody has altered the log"]);
    let (text, _) = key(&app, json!({"name": "Editor", "role": "editor"})).await;
    let editor = Browser::with(&app, &text).await;
    let shown = editor.page("/console/history/audit?check=yes").await;
    assert!(
        !shown.text.contains("has altered the log"),
        "only the roles admin and owner may check the log"
    );
    for wrong in ["day=x", "cursor=x", "days=soon", "actor=%00"] {
        let shown = browser.get(&format!("/console/history/audit?{wrong}")).await;
        assert!(shown.status.is_client_error(), "{wrong}: {}", shown.status);
    }
    app.stop().await;
}

async fn a_viewer_reads_the_history_and_cannot_roll_back(database: Database) {
    let app = three(database).await;
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    for path in [
        "history",
        "history?from=1&to=head",
        "history?to=3",
        "history/audit",
        "history/audit?code=on_call",
    ] {
        let shown = viewer.page(&format!("/console/{path}")).await;
        for number in ["555-0203", "555-0201", "5145550101"] {
            assert!(!shown.text.contains(number), "{path} shows {number}");
        }
        assert!(!shown.text.contains("roll-back"), "{path}");
    }
    let csrf = viewer.csrf().await;
    let refused = viewer
        .post("/console/history/1/roll-back", &[("csrf", &csrf), ("version", "3")])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    app.stop().await;
}
