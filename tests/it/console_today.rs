//! The console's day page: figures, open leads and notices, calls and leads in order of time, and the search.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::json;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, key};
use crate::support::messages::{report, status};
use crate::support::{Database, TestApp};

both!(
    a_day_has_its_figures_and_its_calls_in_order,
    a_caller_of_yesterday_is_found_by_name_number_and_words,
    a_viewer_sees_the_day_without_numbers,
);

const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn two_days(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, noon()).await;
    let mut first = report("call-1", FLOOD);
    first["message"]["analysis"]["structuredData"]["customerName"] = json!("Éloïse Tremblay");
    app.take(&first).await;
    app.app.clock.step(TimeDelta::hours(20));
    app.take(&report("call-2", "Je voudrais une inspection par caméra."))
        .await;
    app.app.clock.step(TimeDelta::minutes(5));
    app.take(&status("call-3", "in-progress", 100_000)).await;
    app
}

async fn a_day_has_its_figures_and_its_calls_in_order(database: Database) {
    let app = two_days(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let today = browser.page("/console/today").await;
    today.has(&[
        "Wednesday, November\u{a0}25, 2026",
        "href=\"/console/today?day=2026-11-24\"",
        "One lead is still open",
        "in progress",
        "name=\"next\" value=\"/console/today\"",
        "aria-current=\"page\"",
    ]);
    let place = |part: &str| {
        today
            .text
            .rfind(part)
            .unwrap_or_else(|| panic!("{part}: {}", today.text))
    };
    assert!(
        place("/console/calls/call-3") < place("/console/calls/call-2"),
        "the newest call must come first"
    );
    assert!(!today.text.contains("/console/calls/call-1"));
    let yesterday = browser.page("/console/today?day=2026-11-24").await;
    yesterday.has(&[
        "Tuesday, November\u{a0}24, 2026",
        "/console/calls/call-1",
        "P1</span> 1",
        "Day after",
        "Answered late",
        "/console/leads?day=2026-11-24&amp;priority=P1",
        "/console/statements?month=2026-11",
    ]);
    browser
        .page("/console/today?day=yesterday")
        .await
        .has(&["Tuesday, November\u{a0}24, 2026", "/console/calls/call-1"]);
    // After a person takes a lead, the browser returns to the page of the day.
    let (_, rest) = yesterday.text.split_once("action=\"/console/leads/").unwrap();
    let take = format!("/console/leads/{}", rest.split('"').next().unwrap());
    let taken = browser
        .post(
            &take,
            &[("csrf", yesterday.csrf()), ("next", "/console/today?day=2026-11-24")],
        )
        .await;
    assert_eq!(
        taken.header("location"),
        "/console/today?day=2026-11-24",
        "{}",
        taken.text
    );
    let after = browser.page("/console/today?day=2026-11-24").await;
    after.has(&["Taken by"]);
    assert!(!after.text.contains("still open"), "{}", after.text);
    browser
        .page("/console/today?day=2026-11-20")
        .await
        .has(&["Nobody called on this day."]);
    browser.page("/console/today?day=2027-01-01").await;
    for wrong in ["day=tomorrow", "day=2026-02-30", "day=%00", "q=%00"] {
        let shown = browser.get(&format!("/console/today?{wrong}")).await;
        assert_eq!(shown.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    browser.page("/console/today?page=99999999999999999999").await;
    let mut french = Browser::with(&app, ADMIN_KEY).await;
    french.language = "fr";
    french.page("/console/today").await.has(&[
        "Mercredi 25\u{a0}novembre 2026",
        "Hier",
        "Une demande est encore ouverte",
    ]);
    app.stop().await;
}

async fn a_caller_of_yesterday_is_found_by_name_number_and_words(database: Database) {
    let app = two_days(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    for (search, count) in [
        ("q=eloise", 1),
        ("q=438-555-0177", 1),
        ("q=hibou&in=address", 1),
        ("q=racines&in=words", 1),
        ("q=racines", 0),
        ("q=nobody", 0),
    ] {
        let shown = browser.page(&format!("/console/today?day=2026-11-24&{search}")).await;
        assert_eq!(
            shown.text.matches("class=\"clock\"").count(),
            count,
            "{search}: {}",
            shown.text
        );
    }
    let shown = browser.page("/console/today?day=2026-11-24&q=racines").await;
    shown.has(&[
        "Search in: What was said",
        "/console/today?q=racines&amp;in=words&amp;day=2026-11-24",
        "Search all days",
    ]);
    let leads = browser.page("/console/leads?q=racines&in=words").await;
    assert_eq!(leads.text.matches("class=\"row\"").count(), 1, "{}", leads.text);
    browser
        .page("/console/leads?q=racines")
        .await
        .has(&["No lead matches", "Search in: What was said"]);
    app.stop().await;
}

async fn a_viewer_sees_the_day_without_numbers(database: Database) {
    let app = two_days(database).await;
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    let day = viewer.page("/console/today?day=2026-11-24").await;
    day.has(&["+1438***0177", "still open"]);
    assert!(
        !day.text.contains("4385550177") && !day.text.contains("/take\""),
        "{}",
        day.text
    );
    assert!(
        !day.text.contains("value=\"words\""),
        "a viewer may not search what was said, which may contain phone numbers"
    );
    assert_eq!(
        viewer.get("/console/today?q=racines&in=words").await.status,
        StatusCode::FORBIDDEN
    );
    app.stop().await;
}
