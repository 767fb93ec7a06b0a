//! Pages stay consistent while rows are added and deleted: every row that exists throughout is listed once, in order.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, messages::report};

both!(
    pages_of_rows_stay_whole_while_rows_come_and_go,
    pages_of_what_is_stored_stay_whole_while_more_is_stored,
    a_cursor_belongs_to_its_list_sort_and_filters,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

async fn page(app: &TestApp, path: &str, cursor: Option<&str>) -> (Vec<Value>, Option<String>) {
    let sign = if path.contains('?') { '&' } else { '?' };
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let (status, page) = app
        .admin(Method::GET, &format!("{path}{sign}limit=3{cursor}"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{path}: {page}");
    let items = page["items"].as_array().unwrap().clone();
    assert!(items.len() <= 3);
    (items, page["next_cursor"].as_str().map(ToOwned::to_owned))
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap().to_owned()
}

/// Pseudorandom numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

async fn put_area(app: &TestApp, code: &str, rank: u64) {
    let row = json!({"code": code, "names": {"fr": code}, "rank": rank, "cities": [format!("Ville {code}")], "postal_prefixes": []});
    let (status, answer) = app
        .admin(Method::PUT, &format!("{BOOK}/areas/{code}"), Some(&row))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

async fn delete_area(app: &TestApp, code: &str) {
    let at = format!("{BOOK}/areas/{code}");
    let (_, row) = app.admin(Method::GET, &at, None).await;
    let (status, answer) = app
        .admin(Method::DELETE, &format!("{at}?version={}", row["version"]), None)
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
}

async fn pages_of_rows_stay_whole_while_rows_come_and_go(database: Database) {
    let app = TestApp::at_rest(database, "2026-05-04T12:00:00Z".parse().unwrap()).await;
    let mut dice = Dice(7);
    for number in 0..12 {
        put_area(&app, &format!("stays_{number:02}"), dice.throw(5)).await;
    }
    let mut passing: Vec<String> = Vec::new();
    let mut made = 0;
    for sort in ["code", "-code", "rank", "-rank"] {
        let path = format!("{BOOK}/areas?sort={sort}");
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (items, next) = page(&app, &path, cursor.as_deref()).await;
            seen.extend(items);
            let Some(next) = next else { break };
            cursor = Some(next);
            // Adds rows before, between and after the stable rows. The row of the cursor may be deleted, too.
            for _ in 0..2 {
                made += 1;
                let code = format!(
                    "{}_{made:03}",
                    ["a", "stays_05x", "z"][usize::try_from(dice.throw(3)).unwrap()]
                );
                put_area(&app, &code, dice.throw(5)).await;
                passing.push(code);
            }
            let last = text(seen.last().unwrap(), "code");
            let at = passing.iter().position(|code| *code == last);
            let at = at.unwrap_or_else(|| usize::try_from(dice.throw(passing.len() as u64)).unwrap());
            delete_area(&app, &passing.remove(at)).await;
        }
        let codes: Vec<_> = seen.iter().map(|row| text(row, "code")).collect();
        let distinct: BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len(), "{sort}: {codes:?}");
        let stayed = codes
            .iter()
            .filter(|code| code.starts_with("stays_") && code.len() == 8)
            .count();
        assert_eq!(stayed, 12, "{sort}: {codes:?}");
        let mut order: Vec<_> = seen
            .iter()
            .map(|row| {
                (
                    if sort.ends_with("rank") {
                        row["rank"].as_i64().unwrap()
                    } else {
                        0
                    },
                    text(row, "code"),
                )
            })
            .collect();
        if sort.starts_with('-') {
            order.reverse();
        }
        assert!(order.is_sorted(), "{sort}: {order:?}");
    }
    app.stop().await;
}

async fn pages_of_what_is_stored_stay_whole_while_more_is_stored(database: Database) {
    let app = TestApp::at_rest(database, "2026-11-24T15:02:00Z".parse().unwrap()).await;
    let mut calls = 0;
    let mut next_call = async || {
        calls += 1;
        app.app
            .clock
            .step(chrono::TimeDelta::milliseconds(i64::from(calls % 3)));
        app.take(&report(&format!("call-{calls:03}"), "Des racines dans le drain."))
            .await;
    };
    for _ in 0..10 {
        next_call().await;
    }
    for list in ["calls", "leads", "decisions"] {
        let (_, all) = app.admin(Method::GET, &format!("{BOOK}/{list}?limit=200"), None).await;
        let named = if list == "leads" { "call_id" } else { "id" };
        let member = |row: &Value| text(row, named);
        let all: Vec<_> = all["items"].as_array().unwrap().iter().map(member).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (items, next) = page(&app, &format!("{BOOK}/{list}"), cursor.as_deref()).await;
            seen.extend(items.iter().map(member));
            let Some(next) = next else { break };
            cursor = Some(next);
            next_call().await;
            if list == "calls" && seen.len() == 6 {
                // The call of the cursor is erased. The row still exists, without the caller's words.
                let last = json!({"call_id": seen.last()});
                app.admin(Method::POST, &format!("{BOOK}/erasures"), Some(&last)).await;
            }
        }
        // The list is sorted newest first, so rows that arrived meanwhile come before the rows that were already read.
        assert_eq!(seen, all, "{list}");
    }
    app.stop().await;
}

async fn a_cursor_belongs_to_its_list_sort_and_filters(database: Database) {
    let app = TestApp::at_rest(database, "2026-05-04T12:00:00Z".parse().unwrap()).await;
    let (_, cursor) = page(&app, &format!("{BOOK}/services?offer=offered"), None).await;
    let cursor = cursor.unwrap();
    let (_, of_areas) = page(&app, &format!("{BOOK}/services"), None).await;
    let of_services = of_areas.unwrap();
    for path in [
        format!("{BOOK}/services?limit=3&cursor={cursor}"),
        format!("{BOOK}/services?limit=3&offer=refused&cursor={cursor}"),
        format!("{BOOK}/services?limit=3&offer=offered&sort=-code&cursor={cursor}"),
        format!("{BOOK}/adjustments?limit=3&cursor={of_services}"),
        format!("{BOOK}/revisions?limit=3&cursor={of_services}"),
        format!("{BOOK}/services?limit=3&cursor="),
        format!("{BOOK}/services?limit=3&cursor=%00"),
    ] {
        let (status, problem) = app.admin(Method::GET, &path, None).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (
                if path.ends_with('=') || path.ends_with("%00") {
                    StatusCode::BAD_REQUEST
                } else {
                    StatusCode::UNPROCESSABLE_ENTITY
                },
                &json!("cursor")
            ),
            "{path}: {problem}"
        );
    }
    let goes_on = format!("{BOOK}/services?limit=2&offer=offered&cursor={cursor}");
    assert_eq!(app.admin(Method::GET, &goes_on, None).await.0, StatusCode::OK);
    let (_, problem) = app
        .admin(Method::GET, &format!("{BOOK}/services?ofer=offered"), None)
        .await;
    assert!(
        problem["detail"].as_str().unwrap().contains("did you mean `offer`?"),
        "{problem}"
    );
    app.stop().await;
}
