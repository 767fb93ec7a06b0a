//! Calendar feeds over HTTP: an editor creates a feed, and anyone with its URL reads it. A revoked feed returns 404. No
//! feed contains a phone number.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::shift_overrides::two_alternate;
use crate::support::browser::key;
use crate::support::{Database, TestApp};

both!(
    a_calendar_program_reads_the_shifts_without_a_key,
    a_feed_of_one_person_shows_that_person,
    a_revoked_feed_and_a_wrong_address_show_nothing,
    who_may_not_change_rules_makes_no_feed,
    a_rulebook_has_so_many_feeds_and_no_more,
);

const FEEDS: &str = "/admin/v1/rulebooks/default/calendar-feeds";

async fn with_shifts(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, "2026-11-24T15:00:00Z".parse().unwrap()).await;
    two_alternate(&app).await;
    app
}

/// Creates a feed. Returns its URL and id.
async fn made(app: &TestApp, body: Value) -> (String, String) {
    let (status, made) = app.admin(Method::POST, FEEDS, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["address"]), text(&made["feed"]["id"]))
}

/// Reads a feed as a calendar program does, without a key or a cookie.
async fn read(app: &TestApp, address: &str, tag: Option<&str>) -> (StatusCode, String, reqwest::header::HeaderMap) {
    let mut request = app.client.get(app.url(address));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, response.text().await.unwrap(), headers)
}

async fn a_calendar_program_reads_the_shifts_without_a_key(database: Database) {
    let app = with_shifts(database).await;
    let (_, contact) = app
        .admin(Method::GET, "/admin/v1/rulebooks/default/contacts/second", None)
        .await;
    let change = json!({"name": "Sarah, call 514 555-0102", "version": contact["version"]});
    app.admin(
        Method::PATCH,
        "/admin/v1/rulebooks/default/contacts/second",
        Some(&change),
    )
    .await;
    let (address, _) = made(&app, json!({"name": "Everybody"})).await;
    assert!(
        address.starts_with("/calendar/")
            && address.split_once('.').is_some_and(|(_, ending)| ending == "ics")
            && address.len() == 90,
        "{address}"
    );
    let (status, text, headers) = read(&app, &address, None).await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/calendar; charset=utf-8")
    );
    assert!(
        text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.ends_with("END:VCALENDAR\r\n"),
        "{text}"
    );
    assert!(text.contains("SUMMARY:Mario Bélanger\r\n"), "{text}");
    // The current shift began before today: on Monday, 23 November, at 08:00 in Montréal.
    assert!(
        text.contains("DTSTART:20261123T130000Z\r\nDTEND:20261130T130000Z\r\n"),
        "{text}"
    );
    // The feed covers 60 days. These days are part of nine weekly shifts.
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 9, "{text}");
    assert!(
        !text.contains("5145550") && !text.contains("555-0102") && text.contains("SUMMARY:Sarah"),
        "{text}"
    );
    let tag = headers["etag"].to_str().unwrap();
    let (status, text, _) = read(&app, &address, Some(tag)).await;
    assert_eq!((status, text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    app.app.clock.step(chrono::TimeDelta::hours(3));
    assert_eq!(read(&app, &address, Some(tag)).await.0, StatusCode::NOT_MODIFIED);
    let row =
        json!({"contact": "second", "instead_of": "on_call", "from": "2026-11-25T00:00", "until": "2026-11-26T00:00"});
    app.admin(Method::PUT, "/admin/v1/rulebooks/default/shift-overrides/a", Some(&row))
        .await;
    let (status, text, _) = read(&app, &address, Some(tag)).await;
    assert_eq!(
        (status, text.matches("BEGIN:VEVENT").count()),
        (StatusCode::OK, 11),
        "{text}"
    );
    // Neither the URL nor its secret is stored or listed.
    let secret = address.trim_start_matches("/calendar/").trim_end_matches(".ics");
    let (_, list) = app.admin(Method::GET, FEEDS, None).await;
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=calendar-feeds", None)
        .await;
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
    let stored = format!("{list} {log} {:?}", app.rows("calendar_feeds").await);
    assert!(!stored.contains(secret) && !stored.contains(&secret[12..]), "{stored}");
    app.stop().await;
}

async fn a_feed_of_one_person_shows_that_person(database: Database) {
    let app = with_shifts(database).await;
    let (address, _) = made(&app, json!({"name": "Mario's phone", "contact": "on_call"})).await;
    let (_, text, _) = read(&app, &address, None).await;
    assert!(text.contains("SUMMARY:Mario") && !text.contains("Sarah"), "{text}");
    assert!(text.contains("X-WR-CALNAME:Mario's phone\r\n"), "{text}");
    for (body, status, place) in [
        (json!({"name": "x", "contact": "nobody"}), 422, "/contact"),
        (json!({"name": " "}), 400, "/name"),
        (json!({}), 400, "/name"),
    ] {
        let (told, problem) = app.admin(Method::POST, FEEDS, Some(&body)).await;
        assert_eq!(
            (told.as_u16(), &problem["errors"][0]["pointer"]),
            (status, &json!(place)),
            "{problem}"
        );
    }
    app.stop().await;
}

async fn a_revoked_feed_and_a_wrong_address_show_nothing(database: Database) {
    let app = with_shifts(database).await;
    let (address, id) = made(&app, json!({"name": "a"})).await;
    let (other, _) = made(&app, json!({"name": "b"})).await;
    let gone = format!("{FEEDS}/{id}");
    assert_eq!(app.admin(Method::DELETE, &gone, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.admin(Method::DELETE, &gone, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(read(&app, &address, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(read(&app, &other, None).await.0, StatusCode::OK);
    let (_, list) = app.admin(Method::GET, &format!("{FEEDS}?revoked=false"), None).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let allowed = app.client.request(Method::POST, app.url(&other)).send().await.unwrap();
    assert_eq!(allowed.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(allowed.headers()["allow"], "GET, HEAD, OPTIONS");
    // Wrong URLs are rate limited like wrong keys, but the right URL still works.
    let mut statuses = Vec::new();
    for number in 0..25 {
        let wrong = format!("/calendar/{number:012x}{}.ics", "0".repeat(64));
        statuses.push(read(&app, &wrong, None).await.0);
    }
    assert_eq!(statuses[0], StatusCode::NOT_FOUND);
    assert_eq!(statuses[24], StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(read(&app, &other, None).await.0, StatusCode::OK);
    for address in [
        "/calendar/x",
        "/calendar/.ics",
        "/calendar/%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9.ics",
    ] {
        assert_eq!(
            read(&app, address, None).await.0,
            StatusCode::TOO_MANY_REQUESTS,
            "{address}"
        );
    }
    // The feed of an archived business is not found.
    let second = json!({"code": "second", "rows": "sample"});
    let (status, told) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&second)).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    let feeds = "/admin/v1/rulebooks/second/calendar-feeds";
    let (_, of_second) = app.admin(Method::POST, feeds, Some(&json!({"name": "c"}))).await;
    let address = of_second["address"].as_str().unwrap();
    assert_eq!(read(&app, address, None).await.0, StatusCode::OK);
    let profile = "/admin/v1/rulebooks/second/profile";
    let (_, known) = app.admin(Method::GET, profile, None).await;
    let archive = json!({"code": "second", "archived": true, "version": known["version"]});
    let (status, told) = app.admin(Method::PUT, profile, Some(&archive)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(read(&app, address, None).await.0, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn a_rulebook_has_so_many_feeds_and_no_more(database: Database) {
    let app = with_shifts(database).await;
    for _ in 0..store::calendar_feeds::MAX_ACTIVE {
        made(&app, json!({"name": "one of many"})).await;
    }
    let (status, refused) = app
        .admin(Method::POST, FEEDS, Some(&json!({"name": "one too many"})))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    app.stop().await;
}

async fn who_may_not_change_rules_makes_no_feed(database: Database) {
    let app = with_shifts(database).await;
    for (role, status) in [("viewer", 403), ("dispatcher", 403), ("owner", 403), ("editor", 201)] {
        let (key, _) = key(&app, json!({"name": role, "role": role})).await;
        let (told, problem) = app
            .admin_with(&key, Method::POST, FEEDS, Some(&json!({"name": "x"})))
            .await;
        assert_eq!(told.as_u16(), status, "{role}: {problem}");
        assert_eq!(app.admin_with(&key, Method::GET, FEEDS, None).await.0, StatusCode::OK);
    }
    app.stop().await;
}
