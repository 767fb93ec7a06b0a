//! Tests the statements of a month and of a day in the business's time zone, and the search for a caller's words. Also
//! tests the overview of the health of all businesses.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, key};
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    a_month_is_counted_by_its_days_in_the_time_zone_of_the_business,
    a_period_that_is_none_is_refused,
    the_console_shows_a_year_a_month_and_its_spreadsheet,
    what_was_said_is_found_within_a_month,
    businesses_show_how_they_are_doing,
    a_month_of_too_many_calls_is_read_by_its_days,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn statement(app: &TestApp, period: &str) -> Value {
    let (status, found) = app
        .admin(Method::GET, &format!("{BOOK}/statements/{period}"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{found}");
    found
}

async fn a_month_of_too_many_calls_is_read_by_its_days(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T17:00:00Z")).await;
    app.sql(
        "INSERT INTO calls (rulebook_id, id, status, status_rank, first_seen_at, updated_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n <= 20000) \
         SELECT r.id, 'many-' || n, 'ended', 9, '2026-11-20T12:00:00+00:00', '2026-11-20T12:00:00+00:00' \
         FROM rulebooks r CROSS JOIN numbers WHERE r.code = 'default'",
    )
    .await;
    let month = format!("{BOOK}/statements/2026-11");
    let (status, refused) = app.admin(Method::GET, &month, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert_eq!(statement(&app, "2026-11-19").await["total"]["calls"], 0);
    app.stop().await;
}

/// Starts a server and records three calls and a simulated call. Two calls are on the last evening of October in
/// Montréal. In UTC, the second of these calls is already in November. The third call is on the first morning of
/// November.
async fn calls_around_a_month(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, at("2026-11-01T03:30:00Z")).await;
    app.take(&report("call-1", FLOOD)).await;
    app.take(&report("call-2", "Je voudrais une inspection par caméra."))
        .await;
    app.app.clock.step(TimeDelta::hours(12));
    app.take(&report("call-3", FLOOD)).await;
    app.take(&report("simulated-1", FLOOD)).await;
    app
}

async fn a_month_is_counted_by_its_days_in_the_time_zone_of_the_business(database: Database) {
    let app = calls_around_a_month(database).await;
    app.sql("UPDATE sms_messages SET state = 'delivered', provider_id = 'SM1' WHERE call_id = 'call-3'")
        .await;
    let november = statement(&app, "2026-11").await;
    assert_eq!(november["time_zone"], "America/Toronto");
    assert_eq!(november["since"], "2026-11-01T04:00:00+00:00");
    assert_eq!(november["until"], "2026-12-01T05:00:00+00:00");
    let days = november["days"].as_array().unwrap();
    assert_eq!(days.len(), 1, "only days that have begun may be listed: {november}");
    let total = &november["total"];
    assert_eq!((&total["calls"], &total["leads"]), (&json!(1), &json!(1)), "{november}");
    assert_eq!(
        (&total["seconds"], &total["cost_micros"]),
        (&json!(65), &json!(334_800))
    );
    assert_eq!(total["leads_by_priority"], json!({"P1": 1, "P2": 0, "P3": 0, "P4": 0}));
    assert_eq!(total["sms_by_state"]["delivered"], total["sms_messages"]);
    assert!(total["segments"].as_u64() >= total["sms_messages"].as_u64(), "{total}");
    let (_, lead) = app
        .admin(Method::GET, &format!("{BOOK}/leads?call_id=call-3"), None)
        .await;
    assert_eq!(total["quoted_from"], lead["items"][0]["price_from"], "{lead}");
    assert_eq!((&total["quoted_leads"], &total["currency"]), (&json!(1), &json!("CAD")));
    assert_eq!((&total["answered_late"], &total["not_taken"]), (&json!(0), &json!(1)));

    let october = statement(&app, "2026-10").await;
    assert_eq!(october["days"].as_array().unwrap().len(), 31);
    assert_eq!(october["total"]["calls"], 2, "{}", october["total"]);
    assert_eq!(
        october["total"]["segments"], 0,
        "Twilio accepted no message, so no segment may be counted"
    );
    let last = statement(&app, "2026-10-31").await;
    assert_eq!(last["days"][0]["date"], "2026-10-31");
    assert_eq!(last["total"]["calls"], 2);
    assert_eq!(statement(&app, "2026-12").await["days"], json!([]));

    let (_, with) = app
        .admin(Method::GET, &format!("{BOOK}/statements/2026-11?simulated=true"), None)
        .await;
    assert_eq!(with["total"]["calls"], 2, "{with}");

    let (reader, _) = key(&app, json!({"name": "reader", "role": "viewer"})).await;
    let request = app.client.get(app.url(&format!("{BOOK}/statements/2026-11")));
    let sheet = request
        .bearer_auth(&reader)
        .header("accept", "text/csv")
        .send()
        .await
        .unwrap();
    assert_eq!(sheet.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        sheet.headers()["content-disposition"],
        "attachment; filename=\"default-2026-11.csv\""
    );
    let text = sheet.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
    let lines: Vec<std::collections::HashMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["date"], "2026-11-01");
    assert_eq!(
        (lines[0]["calls"].as_str(), lines[0]["leads_by_priority.P1"].as_str()),
        ("1", "1")
    );

    // Nobody acknowledges the P1 in time.
    app.app.clock.step(TimeDelta::days(40));
    assert_eq!(statement(&app, "2026-11-01").await["total"]["answered_late"], 1);
    app.stop().await;
}

async fn a_period_that_is_none_is_refused(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T17:00:00Z")).await;
    for period in ["2026", "2026-13", "2026-02-30", "today", "2026-11-1", "-026-11"] {
        let (status, problem) = app
            .admin(Method::GET, &format!("{BOOK}/statements/{period}"), None)
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{period}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "period", "{problem}");
    }
    let (status, _) = app
        .admin(Method::GET, "/admin/v1/rulebooks/unknown/statements/2026-11", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn the_console_shows_a_year_a_month_and_its_spreadsheet(database: Database) {
    let app = calls_around_a_month(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let year = browser.page("/console/statements").await;
    year.has(&[
        "Statements 2026",
        "November 2026",
        "October 2026",
        "/console/statements?month=2026-10",
    ]);
    assert!(
        !year.text.contains("December 2026"),
        "a month that has not begun is listed"
    );
    let month = browser.page("/console/statements?month=2026-10").await;
    month.has(&[
        "October 2026",
        "/console/today?day=2026-10-31",
        "Total",
        "US",
        "November 2026",
    ]);
    assert!(
        month.text.matches("/console/today?day=").count() == 31,
        "{}",
        month.text
    );
    let sheet = browser.page("/console/statements.csv?month=2026-10").await;
    assert!(sheet.text.contains("2026-10-31,2,"), "{}", sheet.text);
    for wrong in ["month=2026-13", "month=x", "year=1", "year=9999"] {
        let shown = browser.get(&format!("/console/statements?{wrong}")).await;
        assert_eq!(shown.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    app.stop().await;
}

async fn what_was_said_is_found_within_a_month(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-01T15:00:00Z")).await;
    app.take(&report("call-1", FLOOD)).await;
    app.app.clock.step(TimeDelta::days(20));
    app.take(&report("call-2", "Je voudrais une inspection par caméra."))
        .await;
    let found = async |list: &str, query: &str| {
        let (status, page) = app.admin(Method::GET, &format!("{BOOK}/{list}?{query}"), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["items"].as_array().unwrap().len()
    };
    for list in ["calls", "leads"] {
        assert_eq!(
            found(list, "words=INONDE").await,
            1,
            "{list}: the search must ignore case and accents"
        );
        assert_eq!(found(list, "words=camera&since=today").await, 1, "{list}");
        assert_eq!(found(list, "words=100%25").await, 0, "{list}");
        // The assistant's instructions are not part of the conversation.
        assert_eq!(found(list, "words=receptionist").await, 0, "{list}");
    }
    assert_eq!(found("calls", "words=trouvaille").await, 2, "the summary");
    app.app.clock.step(TimeDelta::days(20));
    assert_eq!(
        found("calls", "words=inond").await,
        0,
        "the search found a call that is more than 31 days old"
    );
    assert_eq!(found("calls", "words=inond&since=2026-11-01&until=2026-11-30").await, 1);
    for (wrong, expected) in [
        ("words=ab", StatusCode::BAD_REQUEST),
        ("words=%20%20a%20", StatusCode::BAD_REQUEST),
        ("words=%20%20%20", StatusCode::BAD_REQUEST),
        ("words=inond&since=2026-10-01", StatusCode::UNPROCESSABLE_ENTITY),
        (
            "words=inond&since=2026-10-01&until=2026-11-30",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        for list in ["calls", "leads"] {
            let (status, problem) = app.admin(Method::GET, &format!("{BOOK}/{list}?{wrong}"), None).await;
            assert_eq!(status, expected, "{list}?{wrong}: {problem}");
        }
    }
    // A search in conversations would let a viewer guess a phone number digit by digit.
    let (reader, _) = key(&app, json!({"name": "reader", "role": "viewer"})).await;
    let (status, _) = app
        .admin_with(&reader, Method::GET, &format!("{BOOK}/calls?words=inond"), None)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    app.stop().await;
}

async fn businesses_show_how_they_are_doing(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T17:00:00Z")).await;
    let new = json!({"code": "north", "copy_of": "default"});
    let (status, made) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    app.take(&report("call-1", FLOOD)).await;
    app.take(&report("simulated-1", FLOOD)).await;
    app.sql("UPDATE sms_messages SET state = 'dead', error = 'too old'")
        .await;
    let (_, health) = app.admin(Method::GET, "/admin/v1/rulebook-health", None).await;
    let items = health["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{health}");
    let of = |code: &str| items.iter().find(|item| item["rulebook"] == code).unwrap();
    assert_eq!(of("default")["open_p1"], 1, "{health}");
    assert!(of("default")["sms_not_sent"].as_u64().unwrap() >= 1, "{health}");
    assert_eq!(of("default")["last_call_at"], "2026-11-24T17:00:00+00:00");
    assert_eq!(
        (&of("north")["open_p1"], &of("north")["last_call_at"]),
        (&json!(0), &Value::Null)
    );
    let (north, _) = key(&app, json!({"name": "North", "role": "viewer", "rulebook": "north"})).await;
    let (_, own) = app
        .admin_with(&north, Method::GET, "/admin/v1/rulebook-health", None)
        .await;
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    app.stop().await;
}
