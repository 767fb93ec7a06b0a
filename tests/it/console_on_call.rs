//! Tests the console's page "Who is on": what each role sees, and the forms that replace a contact, swap shifts, name a
//! day and undo a change.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::shift_overrides::two_alternate;
use crate::support::browser::{Browser, key};
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    the_month_shows_who_is_on_gaps_and_holidays,
    somebody_is_replaced_and_it_is_taken_back,
    two_shifts_are_swapped_at_once,
    a_day_becomes_a_holiday_and_an_ordinary_day_again,
    bad_input_stays_in_the_form_and_says_what_is_wrong,
    a_feed_is_made_and_revoked,
    who_may_not_change_rules_sees_no_form,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const PAGE: &str = "/console/on-call";

async fn with_shifts(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, "2026-11-24T17:00:00Z".parse().unwrap()).await;
    two_alternate(&app).await;
    app
}

async fn rows(app: &TestApp, path: &str) -> Vec<Value> {
    let (_, list) = app.admin(Method::GET, &format!("{BOOK}{path}"), None).await;
    list["items"].as_array().unwrap().clone()
}

/// Submits a form of the page "Who is on".
async fn sent(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> crate::support::browser::Shown {
    let csrf = browser.csrf().await;
    let mut form = vec![("csrf", csrf.as_str())];
    form.extend_from_slice(fields);
    browser.post(&format!("{PAGE}{path}"), &form).await
}

async fn the_month_shows_who_is_on_gaps_and_holidays(database: Database) {
    let app = with_shifts(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let shown = browser.page(PAGE).await;
    shown.has(&[
        "Who is on",
        "November 2026",
        "On now",
        "Mario Bélanger",
        "until Mon, Nov\u{a0}30, 8:00\u{a0}a.m.",
        "week 1 of 2",
        "Sarah Cohen",
        "from Mon, Nov\u{a0}30, 8:00\u{a0}a.m.",
        "aria-current=\"date\"",
        "<th scope=\"col\">Sunday</th>",
        "month=2026-10",
        "month=2026-12",
    ]);
    browser.language = "fr-CA";
    browser.page(&format!("{PAGE}?month=2026-12")).await.has(&[
        "Qui est de garde",
        "décembre 2026",
        "Noël",
        "fermé",
        "semaine 1 de 2",
        "jusqu’à 8\u{a0}h",
    ]);
    // After this change Sarah has no shifts, so nobody is on shift in her weeks.
    let (_, row) = app.admin(Method::GET, &format!("{BOOK}/contacts/second"), None).await;
    let change = json!({"on_call": false, "rotation_week": null, "rotation_of": null, "version": row["version"]});
    let (status, told) = app
        .admin(Method::PATCH, &format!("{BOOK}/contacts/second"), Some(&change))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    browser
        .page(&format!("{PAGE}?month=2026-12"))
        .await
        .has(&["class=\"gap\"", "Personne"]);
    for month in ["2026-13", "x", "1999-12", "9999-12", "2026-12-01", "%C3%A9"] {
        browser
            .page(&format!("{PAGE}?month={month}"))
            .await
            .has(&["novembre 2026"]);
    }
    app.stop().await;
}

async fn somebody_is_replaced_and_it_is_taken_back(database: Database) {
    let app = with_shifts(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    // A click on a shift in the calendar fills in the form.
    browser
        .page(&format!("{PAGE}?month=2026-11&who=on_call&at=2026-11-26T00:00"))
        .await
        .has(&[
            "You chose ",
            "value=\"2026-11-26T00:00\"",
            "value=\"2026-11-27T00:00\"",
            "<option value=\"second\" selected>",
        ]);
    let fields = [
        ("contact", "second"),
        ("instead_of", "on_call"),
        ("from", "2026-11-24T12:00"),
        ("until", "2026-11-25T08:00"),
        ("comment", "<b>ill</b>"),
    ];
    let done = sent(&browser, "/replace", &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(done.header("location"), "/console/on-call?month=2026-11&done=replaced");
    // If the form is sent twice, it creates only one override.
    assert_eq!(sent(&browser, "/replace", &fields).await.status, StatusCode::SEE_OTHER);
    let overrides = rows(&app, "/shift-overrides").await;
    assert_eq!(overrides.len(), 1);
    let shown = browser.page(done.header("location")).await;
    shown.has(&[
        "already goes to the right person",
        "instead of Mario Bélanger",
        "&lt;b&gt;ill&lt;/b&gt;",
        "changed",
    ]);
    let (_, told) = app.admin(Method::GET, &format!("{BOOK}/shifts"), None).await;
    assert_eq!(told["on_now"][0]["contact"], "second", "{told}");
    // Somebody else changes the override meanwhile.
    let (code, version) = (
        overrides[0]["code"].as_str().unwrap(),
        overrides[0]["version"].to_string(),
    );
    let path = format!("{BOOK}/shift-overrides/{code}");
    let change = json!({"until": "2026-11-25T09:00", "version": overrides[0]["version"]});
    let (_, changed) = app.admin(Method::PATCH, &path, Some(&change)).await;
    let stale = sent(&browser, "/remove", &[("code", code), ("version", &version)]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    stale.has(&["Somebody changed this override meanwhile", "9\u{a0}a.m."]);
    let version = changed["version"].to_string();
    for _ in 0..2 {
        let gone = sent(&browser, "/remove", &[("code", code), ("version", &version)]).await;
        assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.text);
    }
    assert_eq!(rows(&app, "/shift-overrides").await, Vec::<Value>::new());
    app.stop().await;
}

async fn two_shifts_are_swapped_at_once(database: Database) {
    let app = with_shifts(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let (_, before) = app.admin(Method::GET, BOOK, None).await;
    let fields = [
        ("who", "on_call"),
        ("day", "2026-11-26"),
        ("with", "second"),
        ("with_day", "2026-12-03"),
    ];
    let done = sent(&browser, "/swap", &fields).await;
    assert_eq!(
        done.header("location"),
        "/console/on-call?month=2026-11&done=swapped",
        "{}",
        done.text
    );
    let (_, after) = app.admin(Method::GET, BOOK, None).await;
    assert_eq!(
        after["revision"].as_i64(),
        before["revision"].as_i64().map(|revision| revision + 1)
    );
    let mut spans: Vec<String> = rows(&app, "/shift-overrides")
        .await
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row["contact"], row["instead_of"], row["from"], row["until"]
            )
            .replace('"', "")
        })
        .collect();
    spans.sort();
    assert_eq!(
        spans,
        [
            "on_call second 2026-12-03T00:00 2026-12-04T00:00",
            "second on_call 2026-11-26T00:00 2026-11-27T00:00"
        ]
    );
    // Sarah has no shift on a day in Mario's week.
    let fields = [
        ("who", "on_call"),
        ("day", "2026-11-27"),
        ("with", "second"),
        ("with_day", "2026-11-28"),
    ];
    let refused = sent(&browser, "/swap", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.has(&[
        "Sarah Cohen has no shift that begins on this day.",
        "id=\"swap-with_day-fault\"",
        "value=\"2026-11-28\"",
    ]);
    assert_eq!(rows(&app, "/shift-overrides").await.len(), 2);
    assert_eq!(rows(&app, "/change-sets?state=open").await, Vec::<Value>::new());
    app.stop().await;
}

async fn a_day_becomes_a_holiday_and_an_ordinary_day_again(database: Database) {
    let app = with_shifts(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let calendar = async || app.admin(Method::GET, &format!("{BOOK}/calendars/main"), None).await.1;
    let before = calendar().await;
    browser
        .page(&format!("{PAGE}?month=2026-12&day=2026-12-24"))
        .await
        .has(&["Thursday, December\u{a0}24", "value=\"2026-12-24\""]);
    let closed = [
        ("date", "2026-12-24"),
        ("name", "Christmas Eve"),
        ("was", ""),
        ("was_on", "2026-12-24"),
    ];
    let done = sent(&browser, "/holiday", &closed).await;
    assert_eq!(
        done.header("location"),
        "/console/on-call?month=2026-12&done=holiday",
        "{}",
        done.text
    );
    browser
        .page(done.header("location"))
        .await
        .has(&["The day is in the calendar.", "Christmas Eve", "closed"]);
    let holidays = calendar().await["holidays"].clone();
    assert!(
        holidays
            .as_array()
            .unwrap()
            .contains(&json!({"date": "2026-12-24", "name": "Christmas Eve"})),
        "{holidays}"
    );
    // The form comes from a page that was opened before that change. The response shows the current entry and keeps the
    // input.
    let hours = [
        ("date", "2026-12-24"),
        ("name", "Half a day"),
        ("open_from", "08:00"),
        ("open_until", "12:00"),
    ];
    let mut stale = hours.to_vec();
    stale.extend([("was", ""), ("was_on", "2026-12-24")]);
    let refused = sent(&browser, "/holiday", &stale).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.has(&[
        "Meanwhile somebody named this day “Christmas Eve”",
        "value=\"Half a day\"",
        "name=\"was\" value=\"Christmas Eve\"",
    ]);
    let mut again = hours.to_vec();
    again.extend([("was", "Christmas Eve"), ("was_on", "2026-12-24")]);
    assert_eq!(sent(&browser, "/holiday", &again).await.status, StatusCode::SEE_OTHER);
    let changed = calendar().await;
    assert_eq!(
        changed["special_days"],
        json!([{"on": "2026-12-24", "name": "Half a day", "open": ["08:00-12:00"]}])
    );
    assert_eq!(changed["holidays"], before["holidays"]);
    browser
        .page(&format!("{PAGE}?month=2026-12"))
        .await
        .has(&["Half a day", "08:00-12:00"]);
    let ordinary = [("date", "2026-12-24"), ("was", "Half a day"), ("was_on", "2026-12-24")];
    for _ in 0..2 {
        let done = sent(&browser, "/holiday/remove", &ordinary).await;
        assert_eq!(
            done.header("location"),
            "/console/on-call?month=2026-12&done=no-holiday",
            "{}",
            done.text
        );
    }
    assert_eq!(calendar().await.get("special_days"), before.get("special_days"));
    // A holiday that changes prices beyond the guard rails waits for approval.
    let rails = json!({"largest_change_percent": "1", "version": 0});
    let (status, told) = app
        .admin(Method::PUT, &format!("{BOOK}/guard-rails"), Some(&rails))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let done = sent(&browser, "/holiday", &closed).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    if done.header("location").ends_with("waits") {
        browser
            .page(done.header("location"))
            .await
            .has(&["a second person must approve it"]);
    }
    app.stop().await;
}

async fn bad_input_stays_in_the_form_and_says_what_is_wrong(database: Database) {
    let app = with_shifts(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let replace = |contact: &'static str, instead: &'static str, from: &'static str, until: &'static str| {
        [
            ("contact", contact),
            ("instead_of", instead),
            ("from", from),
            ("until", until),
            ("comment", "kept \"as\" typed"),
        ]
    };
    let (from, until) = ("2026-12-24T17:00", "2026-12-25T08:00");
    for (fields, sentence) in [
        (replace("", "on_call", from, until), "Choose a person."),
        (replace("second", "on_call", "", until), "Enter a day and a time."),
        (replace("second", "on_call", from, "soon"), "Enter a day and a time."),
        (replace("second", "second", from, until), "Choose two different people."),
        (
            replace("second", "on_call", until, from),
            "The end must be after the beginning.",
        ),
        (
            replace("second", "on_call", from, "2028-12-25T08:00"),
            "A replacement may last at most 366 days.",
        ),
        (
            replace("nobody", "on_call", from, until),
            "This person is no longer among the contacts.",
        ),
    ] {
        let refused = sent(&browser, "/replace", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        refused.has(&[
            sentence,
            "value=\"kept &quot;as&quot; typed\"",
            "aria-invalid=\"true\"",
            "<details class=\"card\" open>",
        ]);
    }
    let (mut talkative, comment) = (replace("second", "on_call", from, until), "x".repeat(501));
    talkative[4].1 = &comment;
    let refused = sent(&browser, "/replace", &talkative).await;
    refused.has(&["500 characters"]);
    assert!(
        !refused.text.contains("366 days"),
        "the comment is too long, but the period is not"
    );
    browser.language = "fr-CA";
    sent(&browser, "/replace", &replace("second", "on_call", until, from))
        .await
        .has(&["La fin doit venir après le début."]);
    browser.language = "en-CA";
    for (path, fields, sentence) in [
        (
            "/swap",
            vec![
                ("who", "on_call"),
                ("with", "on_call"),
                ("day", "2026-12-01"),
                ("with_day", "x"),
            ],
            "Choose two different people.",
        ),
        (
            "/swap",
            vec![
                ("who", "nobody"),
                ("with", "second"),
                ("day", "2026-12-01"),
                ("with_day", "2026-12-01"),
            ],
            "nobody has no shift",
        ),
        ("/holiday", vec![("date", "2026-02-30"), ("name", "x")], "Enter a day."),
        ("/holiday", vec![("date", "2026-12-24"), ("name", "")], "Enter a name"),
        (
            "/holiday",
            vec![
                ("date", "2026-12-24"),
                ("name", "x"),
                ("open_from", "12:00"),
                ("open_until", "08:00"),
            ],
            "Enter both times",
        ),
        (
            "/holiday",
            vec![("date", "2026-12-24"), ("name", "x"), ("open_from", "12:00")],
            "Enter both times",
        ),
        ("/holiday/remove", vec![("date", "x")], "Enter a day."),
        ("/feeds", vec![("name", "")], "Enter a name"),
        ("/feeds", vec![("name", "x"), ("contact", "nobody")], "There is no"),
    ] {
        let refused = sent(&browser, path, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {fields:?}");
        refused.has(&[sentence]);
    }
    // An invalid code or version is not a server error.
    for (code, version) in [
        ("x", "1"),
        ("", ""),
        ("../contacts/second", "1"),
        ("x", "\u{1}"),
        ("\0", "99999999999999999999"),
    ] {
        let refused = sent(&browser, "/remove", &[("code", code), ("version", version)]).await;
        assert!(
            !refused.status.is_server_error(),
            "{code:?} {version:?}: {}",
            refused.text
        );
    }
    assert_eq!(rows(&app, "/shift-overrides").await, Vec::<Value>::new());
    assert_eq!(rows(&app, "/contacts").await.len(), 2);
    app.stop().await;
}

async fn a_feed_is_made_and_revoked(database: Database) {
    let app = with_shifts(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let made = sent(
        &browser,
        "/feeds",
        &[("name", "Mario's <phone>"), ("contact", "on_call")],
    )
    .await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    made.has(&["it is shown only once", "Mario's &lt;phone&gt;"]);
    let (_, rest) = made.text.split_once("readonly value=\"").unwrap();
    let address = rest.split('"').next().unwrap();
    assert!(address.starts_with(&app.url("/calendar/")), "{address}");
    let calendar = reqwest::get(address).await.unwrap();
    assert_eq!(calendar.status(), StatusCode::OK);
    assert!(!browser.page(PAGE).await.text.contains("/calendar/"));
    let id = rows(&app, "/calendar-feeds").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        let gone = sent(&browser, &format!("/feeds/{id}/revoke"), &[]).await;
        assert!(gone.header("location").ends_with("done=revoked"), "{}", gone.text);
    }
    assert_eq!(reqwest::get(address).await.unwrap().status(), StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn who_may_not_change_rules_sees_no_form(database: Database) {
    let app = with_shifts(database).await;
    for role in ["viewer", "dispatcher", "owner"] {
        let (key, _) = key(&app, json!({"name": role, "role": role})).await;
        let browser = Browser::with(&app, &key).await;
        let shown = browser.page(&format!("{PAGE}?month=2026-12&day=2026-12-24")).await;
        shown.has(&["Who is on", "Mario Bélanger", "Noël"]);
        for form in [
            "/on-call/replace",
            "/on-call/swap",
            "/on-call/holiday",
            "/on-call/feeds",
            "id=\"change\"",
        ] {
            assert!(!shown.text.contains(form), "{role}: {form}");
        }
        let fields = [
            ("contact", "second"),
            ("instead_of", "on_call"),
            ("from", "2026-12-24T17:00"),
            ("until", "2026-12-25T08:00"),
        ];
        assert_eq!(
            sent(&browser, "/replace", &fields).await.status,
            StatusCode::FORBIDDEN,
            "{role}"
        );
        let day = [("date", "2026-12-24"), ("name", "x"), ("was_on", "2026-12-24")];
        assert_eq!(
            sent(&browser, "/holiday", &day).await.status,
            StatusCode::FORBIDDEN,
            "{role}"
        );
    }
    app.stop().await;
}
