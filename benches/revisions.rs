//! Measures how long HTTP requests to read, compare, list and publish take for a rulebook with many rows and revisions.
//! For each request it prints the time of the first response and the best time of the next three.
//!
//! `REVISIONS_DATABASE_URL` is the URL of an empty database (default: a new SQLite file).
//! `REVISIONS_SIZE=10000,10000,1` sets the number of rows, of revisions and of changes per revision.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot begin should stop and say why"
)]

use std::time::Instant;

use base::clock::Clock;
use chrono::TimeDelta;
use reqwest::{Client, Method};
use ringbook::app::App;
use ringbook::settings::{Flags, Settings};
use rules::rows::Resource;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, EntityTrait};
use serde_json::{Value, json};
use store::rule_rows::{self, RowChange};
use store::{revisions, rulebooks};
use tokio::sync::oneshot;

const KEY: &str = "bench-admin-key-0123456789";

fn service(number: usize, cents: usize) -> Value {
    json!({
        "code": format!("service_{number}"), "names": {"en": format!("Service {number}")},
        "keywords": [format!("word{number}")], "rank": 1000 + number, "offer": "offered", "lead_working_days": false,
        "price_from": format!("{}.{:02}", 100 + cents / 100, cents % 100), "price_to": "99999.00",
    })
}

fn change(before: Option<Value>, after: Value) -> RowChange {
    RowChange {
        resource: Resource::Services,
        code: after["code"].as_str().unwrap_or_default().to_owned(),
        before,
        after: Some(after),
    }
}

/// Writes a history: revision 2 creates the rows, and each later revision changes the prices of a few rows.
async fn fill(app: &App, rows: usize, revisions: usize, changes: usize) {
    let head = rulebooks::Entity::find().one(&app.read).await.expect("a rulebook");
    let head = head.expect("the first start makes a rulebook");
    let mut prices = vec![0; rows];
    let mut next = 0;
    let numbers: Vec<usize> = (2..=revisions).collect();
    for some in numbers.chunks(100) {
        let tx = store::begin(&app.db).await.expect("a transaction");
        for &number in some {
            let made: Vec<RowChange> = if number == 2 {
                (0..rows).map(|row| change(None, service(row, 0))).collect()
            } else {
                (0..changes)
                    .map(|_| {
                        next = (next + 1) % rows;
                        let before = service(next, prices[next]);
                        prices[next] += 1;
                        change(Some(before), service(next, prices[next]))
                    })
                    .collect()
            };
            let number = i64::try_from(number).expect("a number");
            // One revision a minute, because a rulebook may have only 10,000 revisions within 24 hours.
            let age = TimeDelta::minutes(i64::try_from(revisions).expect("a number") - number + 1);
            let revision = revisions::ActiveModel {
                rulebook_id: Set(head.id),
                number: Set(number),
                kind: Set("publish".to_owned()),
                equals: Set(None),
                author: Set("bench".to_owned()),
                comment: Set(String::new()),
                created_at: Set(app.clock.now() - age),
                bytes: Set(rule_rows::bytes(&made)),
            };
            revisions::Entity::insert(revision)
                .exec_without_returning(&*tx)
                .await
                .expect("a revision");
            rule_rows::write(&tx, head.id, number, &made).await.expect("its rows");
        }
        tx.commit().await.expect("committed");
    }
    let moved = rulebooks::ActiveModel {
        id: Set(head.id),
        head_revision: Set(i64::try_from(revisions).expect("a number")),
        ..Default::default()
    };
    moved.update(&app.db).await.expect("the head moved");
}

/// Sends a request four times. Prints the time of the first response and the best time of the next three.
async fn ask(client: &Client, what: &str, method: Method, url: impl Fn(usize) -> String, body: Option<Value>) -> Value {
    let mut times = Vec::new();
    let mut last = Value::Null;
    for round in 0..4 {
        let request = client.request(method.clone(), url(round)).bearer_auth(KEY);
        let request = match &body {
            Some(body) => {
                let mut body = body.clone();
                if !last.is_null() {
                    body["version"] = last["version"].clone();
                    body["price_to"] = json!(format!("9{round}000.00"));
                }
                request.json(&body)
            }
            None => request,
        };
        let began = Instant::now();
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        assert!(status.is_success(), "{what}: {status} {text}");
        last = serde_json::from_str(&text).unwrap_or_default();
    }
    let best = times.iter().skip(1).fold(f64::INFINITY, |best, time| best.min(*time));
    println!("{what:<48} first {:>9.1} ms   again {best:>9.1} ms", times[0]);
    last
}

#[tokio::main]
async fn main() {
    let folder = std::env::temp_dir().join(format!("ringbook-revisions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let database = std::env::var("REVISIONS_DATABASE_URL")
        .unwrap_or_else(|_| format!("sqlite://{}/ringbook.db", folder.display()));
    let size = std::env::var("REVISIONS_SIZE").unwrap_or_else(|_| "10000,10000,1".to_owned());
    let size: Vec<usize> = size
        .split(',')
        .map(|part| part.parse().expect("three numbers"))
        .collect();
    let [rows, count, changes] = size.try_into().expect("rows, revisions, changes in each");
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some(database.clone()),
        "RINGBOOK_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "RINGBOOK_ADMIN_KEY" => Some(KEY.to_owned()),
        "RINGBOOK_VAPI_SECRET" => Some("bench-secret-0123456789ab".to_owned()),
        "RINGBOOK_SECRET_KEY" => Some("01".repeat(32)),
        "RATE_LIMIT_ENABLED" => Some("false".to_owned()),
        _ => None,
    };
    let settings = Settings::load_from(&Flags::default(), lookup, std::path::Path::new("no such file"));
    let app = App::start(settings.expect("settings"), Clock::system())
        .await
        .expect("a server");
    let began = Instant::now();
    fill(&app, rows, count, changes).await;
    println!(
        "{rows} rows, {count} revisions of {changes} changes: written in {:.1} s",
        began.elapsed().as_secs_f64()
    );

    let listener = app.listen().await.expect("a port");
    let here = format!(
        "http://{}/admin/v1/rulebooks/default",
        listener.local_addr().expect("an address")
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(app.clone().serve(listener, async move {
        let _ = stopped.await;
    }));
    let client = Client::new();
    let get = async |what: &str, path: &dyn Fn(usize) -> String| {
        ask(
            &client,
            what,
            Method::GET,
            |round| format!("{here}/{}", path(round)),
            None,
        )
        .await
    };
    get("read one row of the head (compiles it first)", &|_| {
        "services/service_1".to_owned()
    })
    .await;
    get("read one row of an old revision", &|round| {
        format!("services/service_1?revision={}", count / 2 + round)
    })
    .await;
    get("list a page of an old revision", &|_| {
        format!("services?revision={}&limit=50", count / 2)
    })
    .await;
    get("list the first page of revisions", &|_| "revisions?limit=50".to_owned()).await;
    get("list the revisions of an author without revisions", &|_| {
        "revisions?author=nobody".to_owned()
    })
    .await;
    get("the diff of one revision", &|round| {
        format!("revisions/{}/diff", count / 3 + round)
    })
    .await;
    get("the diff between two distant revisions", &|round| {
        format!("revisions/{}/diff?to={}", 2 + round, count - 1)
    })
    .await;
    get("export the head", &|_| "revisions/head/export".to_owned()).await;
    get("the head's services as a spreadsheet", &|_| "services.csv".to_owned()).await;
    let row = get("read the row to change", &|_| "services/service_2".to_owned()).await;
    let url = format!("{here}/services/service_2");
    ask(
        &client,
        "publish one price",
        Method::PATCH,
        |_| url.clone(),
        Some(json!({
            "price_to": "98000.00", "version": row["version"]
        })),
    )
    .await;
    drop(stop);
    served.await.expect("it ends").expect("in peace");
    let _ = std::fs::remove_dir_all(&folder);
}
