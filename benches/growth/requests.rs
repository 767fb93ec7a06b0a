//! Sends the measured requests, and prints the table of their response times.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use base::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Options;
use super::client::Client;
use super::server::Server;

const BOOK: &str = "/admin/v1/rulebooks/default";
/// Requests deep in a list ask for this page number. Each page has the default number of rows.
const DEEP: usize = 500;
/// The first requests are not measured. PostgreSQL plans a prepared statement for its values five times, and only then
/// may use a generic plan.
const WARM_UP: usize = 6;
/// Maximum time for measuring one request: a slow request is repeated less often.
const MAX_MEASURING_TIME: Duration = Duration::from_secs(4);
const LIMIT_MS: f64 = 100.0;
const LIMIT_OF_A_YEAR_MS: f64 = 300.0;

/// Lists with their filters. The placeholders `@call`, `@name` and `@number` become values from the database, `@old` an
/// instant ten months ago, `@new` yesterday. Most columns also have a filter that matches no row, such as `nothing` or
/// `zzyzx`.
const LISTS: &[(&str, &str, &[&str])] = &[
    (
        "calls",
        "/admin/v1/rulebooks/default/calls",
        &[
            "sort=first_seen_at",
            "status=ended",
            "status=in-progress",
            "status=nothing",
            "service=camera_inspection",
            "service=nothing",
            "language=fr",
            "language=nothing",
            "simulated=true",
            "simulated=false",
            "customer_number=@number",
            "customer_number=%2B19995550100",
            "customer_name=@name",
            "customer_name=zzyzx",
            "address=montreal",
            "address=zzyzx",
            "words=inondation",
            "words=zzyzx",
            "analysis=%7B%22successEvaluation%22%3A%22true%22%7D",
            "analysis=%7B%22successEvaluation%22%3A%22nothing%22%7D",
            "since=@new",
            "until=@old",
            "since=@old&until=@old",
        ],
    ),
    (
        "leads",
        "/admin/v1/rulebooks/default/leads",
        &[
            "sort=id",
            "call_id=@call",
            "priority=P1",
            "priority=P3",
            "service=camera_inspection",
            "service=nothing",
            "area=nothing",
            "late=true",
            "capped=true",
            "acknowledged=true",
            "acknowledged=false",
            "simulated=true",
            "customer_number=@number",
            "customer_number=%2B19995550100",
            "customer_name=@name",
            "customer_name=zzyzx",
            "address=montreal",
            "address=zzyzx",
            "words=inondation",
            "words=zzyzx",
            "since=@new",
            "until=@old",
        ],
    ),
    (
        "decisions",
        "/admin/v1/rulebooks/default/decisions",
        &[
            "sort=id",
            "call_id=@call",
            "priority=P1",
            "priority=P3",
            "service=camera_inspection",
            "service=nothing",
            "purpose=report",
            "purpose=nothing",
            "revision=1",
            "revision=999",
            "degraded=true",
        ],
    ),
    (
        "webhook-events",
        "/admin/v1/webhook-events",
        &[
            "sort=id",
            "rulebook=west",
            "type=end-of-call-report",
            "type=nothing",
            "rulebook=west&type=nothing",
            "call_id=@call",
            "state=poisoned",
            "state=amendment",
            "origin=reconciled",
            "since=@new",
            "until=@old",
        ],
    ),
    (
        "sms-messages",
        "/admin/v1/sms-messages",
        &[
            "sort=id",
            "rulebook=west",
            "call_id=@call",
            "call_id=nothing",
            "state=dead",
            "state=queued",
            "contact=nothing",
            "priority=P1",
            "priority=P4",
            "error_code=30003",
            "simulated=true",
            "since=@new",
            "until=@old",
        ],
    ),
    (
        "notices",
        "/admin/v1/notices",
        &[
            "rulebook=west",
            "code=nothing",
            "severity=urgent",
            "resolved=false",
            "resolved=true",
        ],
    ),
    (
        "inbound-sms-messages",
        "/admin/v1/inbound-sms-messages",
        &["rulebook=west"],
    ),
];

struct Case {
    name: String,
    method: &'static str,
    path: String,
    body: Option<Value>,
    limit_ms: f64,
}

/// Values from one database for the placeholders in [`LISTS`].
struct Known {
    call: String,
    name: String,
    number: String,
}

/// Measures all requests on both servers in turns, and prints the table.
pub async fn measure(options: &Options, empty: &Server, full: &Server) -> Result<()> {
    let mut sides = [
        Client::connect(empty.address).await?,
        Client::connect(full.address).await?,
    ];
    let now = Clock::system().now();
    let mut cases: [Vec<Case>; 2] = [Vec::new(), Vec::new()];
    for (client, cases) in sides.iter_mut().zip(&mut cases) {
        *cases = collect(client, now, options.only.as_deref()).await?;
    }
    let [small, large] = cases;
    println!("| request | empty, ms | full, ms | ratio |\n|---|---|---|---|");
    let mut slow = Vec::new();
    for (small, large) in small.into_iter().zip(large) {
        let mut took: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        let began = Instant::now();
        for round in 0..WARM_UP + usize::from(options.rounds) {
            for ((client, case), took) in sides.iter_mut().zip([&small, &large]).zip(&mut took) {
                took.push(once(client, case).await?);
            }
            if round > 0 && began.elapsed() > MAX_MEASURING_TIME {
                break;
            }
        }
        let [before, after] = took.map(|took| {
            median(
                took.get(WARM_UP..)
                    .filter(|took| !took.is_empty())
                    .unwrap_or(&took[1..]),
            )
        });
        let mark = if after > large.limit_ms { " **slow**" } else { "" };
        println!(
            "| {} | {before:.1} | {after:.1}{mark} | {:.2} |",
            large.name,
            after / before
        );
        if after > large.limit_ms {
            slow.push(large.name);
        }
    }
    ensure!(!options.strict || slow.is_empty(), "too slow: {}", slow.join(", "));
    Ok(())
}

/// Sends a request and returns its duration in milliseconds, even if the response is 503. Cancels a backtest that the
/// request started.
async fn once(client: &mut Client, case: &Case) -> Result<f64> {
    let response = client.send(case.method, &case.path, case.body.as_ref()).await?;
    ensure!(
        matches!(response.status, 200..=204 | 503),
        "{}: {} {}",
        case.name,
        response.status,
        response.json()
    );
    if case.path.ends_with("/backtests") && response.status == 202 {
        let job = format!("{}/{}", case.path, response.json()["id"].as_str().unwrap_or_default());
        client.expect("DELETE", &job, None, 200).await?;
    }
    Ok(response.took.as_secs_f64() * 1000.0)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Builds all requests. The filters use values from the database of the client's server.
async fn collect(client: &mut Client, now: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut known = None;
    for (list, path, filters) in LISTS {
        for sort in [
            "",
            filters
                .first()
                .filter(|filter| filter.starts_with("sort="))
                .unwrap_or(&""),
        ] {
            if sort.is_empty()
                && !cases.is_empty()
                && cases.last().is_some_and(|case: &Case| case.name.starts_with(list))
            {
                continue;
            }
            let (deep, first) = deep(client, path, sort).await?;
            if known.is_none() {
                known = Some(Known {
                    call: text(&first["id"]),
                    name: text(&first["customer_name"]).replace(' ', "%20"),
                    number: text(&first["customer_number"]).replace('+', "%2B"),
                });
            }
            let title = if sort.is_empty() {
                (*list).to_owned()
            } else {
                format!("{list}?{sort}")
            };
            cases.push(get(title.clone(), format!("{path}?{sort}")));
            cases.push(get(format!("{title}, page {DEEP}"), deep));
            if sort.is_empty() && first["id"].is_string() && !["notices", "inbound-sms-messages"].contains(list) {
                cases.push(get(format!("{list}/ID"), format!("{path}/{}", text(&first["id"]))));
            }
        }
        let Some(known) = &known else { continue };
        for filter in filters.iter().filter(|filter| !filter.starts_with("sort=")) {
            let values = [
                ("@call", known.call.clone()),
                ("@name", known.name.clone()),
                ("@number", known.number.clone()),
                ("@old", instant(now - TimeDelta::days(300))),
                ("@new", instant(now - TimeDelta::days(1))),
            ];
            let query = values
                .iter()
                .fold((*filter).to_owned(), |query, (name, value)| query.replace(name, value));
            cases.push(get(
                format!("{list}?{}", filter.replace("%2B", "+")),
                format!("{path}?{query}"),
            ));
        }
    }
    for (name, days) in [("a day", 1), ("a month", 30), ("a year", 365)] {
        let since = instant(now - TimeDelta::days(days));
        for (of, rulebook) in [("", ""), (" of a rulebook", "&rulebook=default")] {
            let mut case = get(
                format!("stats of {name}{of}"),
                format!("/admin/v1/stats?since={since}{rulebook}"),
            );
            if days == 365 {
                case.limit_ms = LIMIT_OF_A_YEAR_MS;
            }
            cases.push(case);
        }
    }
    let month = (now - TimeDelta::days(31)).format("%Y-%m");
    let day = (now - TimeDelta::days(2)).format("%Y-%m-%d");
    cases.push(get("statement of a day".to_owned(), format!("{BOOK}/statements/{day}")));
    cases.push(get(
        "statement of a month".to_owned(),
        format!("/admin/v1/rulebooks/west/statements/{month}"),
    ));
    for path in [
        "lint",
        "rule-hits",
        "unmatched-calls",
        "unmatched-calls?said=true",
        "unmatched-calls?days=365",
    ] {
        cases.push(get(path.to_owned(), format!("{BOOK}/{path}")));
    }
    cases.push(post(
        "phrase-matches",
        json!({"phrases": ["inondation", "camera"], "language": "fr"}),
    ));
    cases.push(post("backtests", json!({"revision": 1, "days": 365})));
    cases.retain(|case| only.is_none_or(|only| case.name.contains(only)));
    Ok(cases)
}

fn get(name: String, path: String) -> Case {
    Case {
        name,
        method: "GET",
        path,
        body: None,
        limit_ms: LIMIT_MS,
    }
}

fn post(name: &str, body: Value) -> Case {
    Case {
        name: format!("{name} (start)"),
        method: "POST",
        path: format!("{BOOK}/{name}"),
        body: Some(body),
        limit_ms: LIMIT_MS,
    }
}

/// Returns the path of page [`DEEP`] and a row of that page. If the list has fewer pages, returns the last page.
async fn deep(client: &mut Client, path: &str, sort: &str) -> Result<(String, Value)> {
    let mut page = format!("{path}?{sort}");
    let mut row = Value::Null;
    for _ in 0..DEEP {
        let response = client.expect("GET", &page, None, 200).await?;
        row = response["items"][0].clone();
        let Some(next) = response["next_cursor"].as_str() else {
            break;
        };
        page = format!("{path}?{sort}&cursor={next}");
    }
    Ok((page, row))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
