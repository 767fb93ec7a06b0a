//! Adding and retiring a webhook secret while the server runs, and the keys that a first start creates.

use std::{path::Path, time::Duration};

use base::{clock::Clock, keys::SecretKey};
use reqwest::StatusCode;
use ringbook::app::{App, AppError};
use ringbook::first_start::BootstrapError;
use ringbook::settings::{Flags, Settings};
use sea_orm::EntityTrait as _;
use serde_json::json;
use store::{api_keys, begin, rulebooks, secrets};
use uuid::Uuid;

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        database::TestDatabase,
        messages::{report, status},
    },
};

both!(
    a_new_secret_is_accepted_although_nobody_uses_the_old_one_and_a_retired_one_is_not,
    what_cannot_be_read_is_kept_although_the_secrets_changed_meanwhile,
    schemes_that_are_narrowed_count_at_once,
    instances_that_start_together_on_an_empty_database_show_one_key_and_one_secret,
    a_start_with_another_secret_key_says_so,
    a_changed_admin_key_replaces_the_one_before_it,
);

async fn rulebook(server: &TestApp) -> rulebooks::Model {
    rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap()
}

async fn posted(server: &TestApp, secret: &str, call: &str) -> StatusCode {
    let body = serde_json::to_vec(&report(call, "Bonjour")).unwrap();
    server.post_signed_to("/webhooks/vapi", secret, &body).await.0
}

/// Adds a webhook secret as another instance would.
async fn add(server: &TestApp, text: &str) -> Uuid {
    let (rulebook_id, id) = (rulebook(server).await.id, server.app.clock.new_id());
    let key = SecretKey::new(&[1; 32]);
    let tx = begin(&server.app.db).await.unwrap();
    let secret = secrets::Model {
        rulebook_id,
        id,
        purpose: secrets::WEBHOOK.to_owned(),
        sealed: key.seal(rulebook_id, id, text.as_bytes()).unwrap(),
        created_at: server.app.clock.now(),
        retired_at: None,
    };
    secrets::add(&tx, secret).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn what_cannot_be_read_is_kept_although_the_secrets_changed_meanwhile(database: Database) {
    let server = TestApp::start(database).await;
    assert_eq!(posted(&server, VAPI_SECRET, "call-1").await, StatusCode::OK);
    add(&server, "the-new-secret-of-24-or-more").await;
    let (status, answer) = server.post_signed_to("/webhooks/vapi", VAPI_SECRET, b"{").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    server.stop().await;
}

async fn a_new_secret_is_accepted_although_nobody_uses_the_old_one_and_a_retired_one_is_not(database: Database) {
    let server = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    assert_eq!(posted(&server, VAPI_SECRET, "call-1").await, StatusCode::OK);
    let id = add(&server, "the-new-secret-of-24-or-more").await;
    let accepted = async {
        while posted(&server, "the-new-secret-of-24-or-more", "call-2").await != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), accepted).await.unwrap();
    let (rulebook_id, now) = (rulebook(&server).await.id, server.app.clock.now());
    let tx = begin(&server.app.db).await.unwrap();
    assert!(secrets::retire(&tx, rulebook_id, id, now).await.unwrap());
    assert!(!secrets::retire(&tx, rulebook_id, id, now).await.unwrap());
    tx.commit().await.unwrap();
    // Every instance rejects the retired secret from the next message on.
    assert_eq!(
        posted(&server, "the-new-secret-of-24-or-more", "call-3").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(posted(&server, VAPI_SECRET, "call-4").await, StatusCode::OK);
    assert_eq!(server.rows("calls").await.len(), 3);
    server.stop().await;
}

async fn schemes_that_are_narrowed_count_at_once(database: Database) {
    let server = TestApp::start(database).await;
    let message = status("call-1", "in-progress", 0);
    assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
    let known = rulebook(&server).await;
    let bearer_only = json!({"schemes": [{"type": "bearer"}], "replay_window_s": 300});
    let tx = begin(&server.app.db).await.unwrap();
    assert!(
        !rulebooks::set_webhook_auth(&tx, known.id, known.auth_version + 1, bearer_only.clone())
            .await
            .unwrap()
    );
    assert!(
        rulebooks::set_webhook_auth(&tx, known.id, known.auth_version, bearer_only)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert_eq!(server.post_signed(&message).await.0, StatusCode::UNAUTHORIZED);
    let bearer = server
        .client
        .post(server.url("/webhooks/vapi"))
        .bearer_auth(VAPI_SECRET)
        .json(&message);
    assert_eq!(bearer.send().await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

fn settings(database: &TestDatabase, secret_key: &str) -> Settings {
    let given = [
        ("DATABASE_URL", database.url.as_str()),
        ("RINGBOOK_SECRET_KEY", secret_key),
    ];
    let lookup = |name: &str| {
        given
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Settings::load_from(&Flags::default(), lookup, Path::new("no such file")).unwrap()
}

async fn close(app: App) {
    app.db.close().await.unwrap();
    app.read.close().await.unwrap();
}

async fn instances_that_start_together_on_an_empty_database_show_one_key_and_one_secret(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let start = || App::start(settings(&database, &"07".repeat(32)), Clock::system());
    let (one, two, three) = tokio::join!(start(), start(), start());
    let apps = [one.unwrap(), two.unwrap(), three.unwrap()];
    let shown = |what: fn(&App) -> bool| apps.iter().filter(|app| what(app)).count();
    assert_eq!(shown(|app| app.new_secrets.admin_key.is_some()), 1);
    assert_eq!(shown(|app| app.new_secrets.vapi_secret.is_some()), 1);
    assert_eq!(secrets::Entity::find().all(&apps[0].db).await.unwrap().len(), 1);
    for app in apps {
        close(app).await;
    }
    database.remove().await;
}

async fn a_start_with_another_secret_key_says_so(kind: Database) {
    let database = TestDatabase::create(kind).await;
    close(
        App::start(settings(&database, &"07".repeat(32)), Clock::system())
            .await
            .unwrap(),
    )
    .await;
    let refused = App::start(settings(&database, &"08".repeat(32)), Clock::system())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(refused, AppError::Bootstrap(BootstrapError::Key(_))),
        "{refused}"
    );
    assert!(refused.to_string().contains("RINGBOOK_SECRET_KEY"), "{refused}");
    database.remove().await;
}

async fn a_changed_admin_key_replaces_the_one_before_it(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let (old, new) = ("the-old-admin-key-1", "the-new-admin-key-2");
    // The third start has the old setting again, like an instance that was not updated.
    for admin_key in [old, new, old] {
        let given = [
            ("DATABASE_URL", database.url.as_str()),
            ("RINGBOOK_SECRET_KEY", &"07".repeat(32)),
            ("RINGBOOK_ADMIN_KEY", admin_key),
        ];
        let lookup = |name: &str| {
            let found = given.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let settings = Settings::load_from(&Flags::default(), lookup, Path::new("no such file")).unwrap();
        close(App::start(settings, Clock::system()).await.unwrap()).await;
    }
    let app = App::start(settings(&database, &"07".repeat(32)), Clock::system())
        .await
        .unwrap();
    let keys = api_keys::Entity::find().all(&app.db).await.unwrap();
    let active: Vec<_> = keys.iter().filter(|key| key.revoked_at.is_none()).collect();
    assert_eq!((keys.len(), active.len()), (2, 1));
    assert_eq!(active[0].hash, admin::api_key_format::hash(new));
    close(app).await;
    database.remove().await;
}
