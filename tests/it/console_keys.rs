//! Tests the console's page of keys and sessions, and the sign-in link of the first start.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::both;
use crate::support::browser::{Browser, key};
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    a_key_is_made_shown_once_and_revoked,
    a_session_is_listed_and_ended_by_somebody_else,
    an_owner_reads_the_keys_and_changes_none,
    a_key_has_fifty_sessions_at_most,
    a_link_opens_the_console_once_and_within_a_day,
);

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn a_key_is_made_shown_once_and_revoked(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let csrf = browser.csrf().await;
    let nameless = browser
        .post(
            "/console/keys",
            &[
                ("csrf", &csrf),
                ("name", "  "),
                ("role", "dispatcher"),
                ("owner", "Léa <b>"),
            ],
        )
        .await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    nameless.has(&[
        "aria-invalid=\"true\"",
        "Enter 1 to 100 characters.",
        "value=\"Léa &lt;b&gt;\"",
        "<option value=\"dispatcher\" selected",
    ]);
    let made = browser
        .post(
            "/console/keys",
            &[("csrf", &csrf), ("name", "Front desk"), ("role", "dispatcher")],
        )
        .await;
    assert_eq!(made.status, StatusCode::OK);
    let (_, rest) = made.text.split_once("<code id=\"made\">").expect("the key");
    let text = rest.split('<').next().unwrap().to_owned();
    let dispatcher = Browser::with(&app, &text).await;
    let page = browser.page("/console/keys").await;
    page.has(&["Front desk", "this session", "this key"]);
    assert!(!page.text.contains(&text), "shown once");
    dispatcher
        .page("/console/keys")
        .await
        .has(&["Only an administrator or an owner"]);

    let (_, list) = app.admin(Method::GET, "/admin/v1/api-keys?role=dispatcher", None).await;
    let id = list["items"][0]["id"].as_str().unwrap();
    let path = format!("/console/keys/{id}/revoke");
    let refused = dispatcher
        .post(&path, &[("csrf", &dispatcher_csrf(&dispatcher).await)])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let revoked = browser.post(&path, &[("csrf", &csrf)]).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    assert_eq!(
        dispatcher.get("/console").await.status,
        StatusCode::SEE_OTHER,
        "the session still works although its key was revoked"
    );
    app.stop().await;
}

async fn dispatcher_csrf(browser: &Browser<'_>) -> String {
    browser.page("/console/keys").await.csrf().to_owned()
}

async fn a_session_is_listed_and_ended_by_somebody_else(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let (text, _) = key(&app, json!({"name": "Tablet", "role": "dispatcher"})).await;
    let tablet = Browser::with(&app, &text).await;
    let admin = Browser::with(&app, ADMIN_KEY).await;
    let (_, list) = app.admin(Method::GET, "/admin/v1/console-sessions", None).await;
    let sessions = list["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{list}");
    let of_tablet = sessions.iter().find(|session| session["name"] == "Tablet").unwrap();
    assert_eq!(of_tablet["role"], "dispatcher");
    let path = format!("/console/keys/sessions/{}/end", of_tablet["id"].as_str().unwrap());
    let ended = admin.post(&path, &[("csrf", &admin.csrf().await)]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert_eq!(tablet.get("/console").await.status, StatusCode::SEE_OTHER);
    admin.page("/console").await;
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=console-sessions", None)
        .await;
    assert_eq!(log["items"][0]["action"], "end", "{log}");
    app.stop().await;
}

async fn an_owner_reads_the_keys_and_changes_none(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let (text, _) = key(&app, json!({"name": "Owner", "role": "owner"})).await;
    let owner = Browser::with(&app, &text).await;
    let page = owner.page("/console/keys").await;
    page.has(&["Owner", "Who is signed in"]);
    assert!(
        !page.text.contains("/revoke\"") && !page.text.contains("Make a key"),
        "{}",
        page.text
    );
    let csrf = page.csrf().to_owned();
    let refused = owner
        .post("/console/keys", &[("csrf", &csrf), ("name", "x"), ("role", "admin")])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    app.stop().await;
}

async fn a_key_has_fifty_sessions_at_most(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let (text, _) = key(&app, json!({"name": "Busy", "role": "viewer"})).await;
    let first = Browser::with(&app, &text).await;
    for _ in 0..50 {
        app.app.clock.step(TimeDelta::seconds(1));
        Browser::with(&app, &text).await;
    }
    assert_eq!(
        first.get("/console").await.status,
        StatusCode::SEE_OTHER,
        "the oldest session has not ended"
    );
    let (_, list) = app
        .admin(Method::GET, "/admin/v1/console-sessions?limit=100", None)
        .await;
    assert_eq!(list["items"].as_array().unwrap().len(), 50);
    app.stop().await;
}

async fn a_link_opens_the_console_once_and_within_a_day(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let (_, id) = key(&app, json!({"name": "First", "role": "admin"})).await;
    let link = async || {
        let tx = store::begin(&app.app.db).await.unwrap();
        let token = console::new_link(&tx, id.parse().unwrap(), app.app.clock.now()).await;
        tx.commit().await.unwrap();
        token.unwrap()
    };
    let browser = Browser::new(&app);
    let token = link().await;
    // Opening the sign-in page through the link does not use up the link.
    for _ in 0..2 {
        browser
            .page(&format!("/console/login?link={token}"))
            .await
            .has(&["Open the console", &token]);
    }
    let form = [("link", token.as_str())];
    let (one, other) = tokio::join!(
        browser.post("/console/login", &form),
        browser.post("/console/login", &form)
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        [303, 401],
        "exactly one of two concurrent sign-ins must succeed"
    );
    let late = link().await;
    app.app.clock.step(TimeDelta::hours(24));
    let refused = browser.post("/console/login", &[("link", &late)]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    refused.has(&["used already, or it is too old"]);
    app.stop().await;
}
