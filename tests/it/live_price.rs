//! Prices change while messages arrive: decisions after the response to an edit use the new price.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    both,
    support::{Database, TestApp, messages::report},
};

both!(no_decision_after_an_edits_answer_uses_the_old_price);

const SERVICE: &str = "/admin/v1/rulebooks/default/services/root_removal";
/// Number of senders. Each sender sends a message every 100 ms, so all senders together send a hundred messages per
/// second.
const SENDERS: usize = 10;
/// Minimum number of messages per sender. After the last edit, each sender sends one more message.
const EACH: usize = 80;
const PAUSE: Duration = Duration::from_millis(100);
const EDITS: i64 = 5;

/// A confirmed edit: its time, revision and price.
struct Edited {
    at: DateTime<Utc>,
    revision: i64,
    price: i64,
}

async fn no_decision_after_an_edits_answer_uses_the_old_price(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let is_edited = AtomicBool::new(false);
    let senders = futures_util::future::join_all((0..SENDERS).map(|sender| send(&server, sender, &is_edited)));
    let editor = async {
        let edits = edit(&server).await;
        is_edited.store(true, Ordering::Release);
        edits
    };
    let (sent, edits) = tokio::join!(senders, editor);
    let prices: BTreeMap<i64, i64> = edits.iter().map(|edit| (edit.revision, edit.price)).collect();
    let mut seen = BTreeMap::<i64, usize>::new();
    let decisions = server.rows("decisions").await;
    assert_eq!(decisions.len(), sent.iter().sum::<usize>());
    for decision in decisions {
        let received: DateTime<Utc> = decision["created_at"]
            .as_str()
            .unwrap()
            .replace(' ', "T")
            .parse()
            .unwrap();
        let revision = decision["revision"].as_i64().unwrap();
        for edit in edits.iter().filter(|edit| edit.at <= received) {
            assert!(
                revision >= edit.revision,
                "a decision of {received} used revision {revision}, although revision {} was confirmed at {}",
                edit.revision,
                edit.at
            );
        }
        // The price is that of the named revision, so no decision mixes two revisions.
        assert_eq!(decision["price_from"], prices[&revision], "{decision}");
        assert_eq!(decision["result"]["revision"], revision);
        *seen.entry(revision).or_default() += 1;
    }
    assert!(
        seen.len() >= 3,
        "messages must come before, between and after the edits: {seen:?}"
    );
    server.stop().await;
}

/// Sends messages until all edits are done. Returns the number of messages.
async fn send(server: &TestApp, sender: usize, is_edited: &AtomicBool) -> usize {
    let mut pace = tokio::time::interval(PAUSE);
    let mut number = 0;
    loop {
        pace.tick().await;
        let is_last = number + 1 >= EACH && is_edited.load(Ordering::Acquire);
        let message = report(&format!("call-{sender}-{number}"), "J'ai des racines dans le drain.");
        let (status, answer) = server.post_signed(&message).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        number += 1;
        if is_last {
            return number;
        }
    }
}

async fn edit(server: &TestApp) -> Vec<Edited> {
    let head = async || {
        let (status, list) = server.admin(Method::GET, "/admin/v1/rulebooks/default", None).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        list["revision"].as_i64().unwrap_or_else(|| panic!("{list}"))
    };
    let mut edits = vec![Edited {
        at: DateTime::UNIX_EPOCH,
        revision: head().await,
        price: 45_000,
    }];
    for number in 1..=EDITS {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (_, mut row) = server.admin(Method::GET, SERVICE, None).await;
        row["price_from"] = json!(format!("{}.00", 450 + number));
        let (status, answer) = server.admin(Method::PUT, SERVICE, Some(&row)).await;
        // The time is taken after the response was read. So no message that arrives later may use an older revision.
        let at = server.app.clock.now();
        assert_eq!(status, StatusCode::OK, "{answer}");
        edits.push(Edited {
            at,
            revision: head().await,
            price: 45_000 + number * 100,
        });
    }
    edits
}
