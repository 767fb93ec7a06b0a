//! Tests sign-in, sessions and protection against forged forms (CSRF) in the console. A page shows no more than the
//! API, and a caller's words never become HTML.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::SET_COOKIE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::browser::{Browser, Shown, key, pages};
use crate::support::messages::{report, report_of};
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    a_key_opens_a_session_and_a_wrong_one_does_not,
    wrong_keys_are_slowed_and_the_right_one_is_not,
    a_session_ends_unused_old_revoked_and_by_hand,
    the_cookie_is_for_the_console_alone,
    a_form_counts_with_the_token_of_its_session_only,
    every_page_is_there_in_both_languages,
    a_viewer_reads_and_finds_no_number,
    a_key_of_one_rulebook_sees_nothing_of_another,
    what_a_caller_says_is_never_html,
    the_board_shows_who_waits_and_who_took_it,
    the_call_page_explains_the_decision,
    lists_are_searched_and_paged,
    a_dead_message_is_resent,
    bad_input_is_told_and_never_a_fault_of_the_server,
    nobody_outside_can_claim_to_have_signed_in,
    every_answer_has_the_strict_policy,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn at_rest(database: Database) -> TestApp {
    TestApp::at_rest(database, noon()).await
}

async fn lead_id(app: &TestApp, call: &str) -> String {
    let (_, list) = app
        .admin(Method::GET, &format!("{BOOK}/leads?call_id={call}"), None)
        .await;
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn a_key_opens_a_session_and_a_wrong_one_does_not(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::new(&app);
    let sent_away = browser.get("/console/leads?days=today").await;
    assert_eq!(sent_away.status, StatusCode::SEE_OTHER);
    assert_eq!(
        sent_away.header("location"),
        "/console/login?next=%2Fconsole%2Fleads%3Fdays%3Dtoday"
    );
    browser.page(sent_away.header("location")).await.has(&[
        "<html lang=\"en-CA\">",
        "name=\"next\" value=\"/console/leads?days=today\"",
        "type=\"password\"",
    ]);
    for wrong in [
        "",
        "nonsense",
        "wrong-key-0123456789",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let shown = browser.sign_in(wrong).await;
        assert_eq!(shown.status, StatusCode::UNAUTHORIZED, "{wrong:?}");
        shown.has(&["This key is not valid", "aria-invalid=\"true\""]);
        assert!(browser.cookie.is_empty() && !shown.text.contains("wrong-key"));
    }
    assert_eq!(app.counts(["console_sessions"]).await, [0]);
    let into = browser
        .post(
            "/console/login",
            &[("key", ADMIN_KEY), ("next", "/console/leads?days=today")],
        )
        .await;
    assert_eq!(into.header("location"), "/console/leads?days=today");
    let elsewhere = browser
        .post(
            "/console/login",
            &[("key", ADMIN_KEY), ("next", "//evil.example/console")],
        )
        .await;
    assert_eq!(elsewhere.header("location"), "/console");
    assert_eq!(browser.sign_in(ADMIN_KEY).await.status, StatusCode::SEE_OTHER);
    browser.page("/console").await.has(&["Nobody waits for a call back."]);
    let back = browser.get("/console/login").await;
    assert_eq!(
        (back.status, back.header("location")),
        (StatusCode::SEE_OTHER, "/console")
    );
    // The database contains neither the session token nor the key.
    let stored = format!("{:?}", app.rows("console_sessions").await);
    let (_, token) = browser.cookie.split_once('=').unwrap();
    assert!(token.len() == 64 && !stored.contains(token), "{stored}");
    app.stop().await;
}

async fn wrong_keys_are_slowed_and_the_right_one_is_not(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::new(&app);
    let mut statuses = Vec::new();
    for number in 0..25 {
        let wrong = format!("rb_{number:012x}_{number:064x}");
        statuses.push(browser.sign_in(&wrong).await.status);
    }
    let (refused, slowed) = statuses.split_at(20);
    assert!(
        refused.iter().all(|status| *status == StatusCode::UNAUTHORIZED),
        "{statuses:?}"
    );
    assert!(
        slowed.iter().all(|status| *status == StatusCode::TOO_MANY_REQUESTS),
        "{statuses:?}"
    );
    let limited = browser.sign_in("nonsense").await;
    assert_eq!(limited.header("retry-after"), "7");
    limited.has(&["Too many wrong keys"]);
    // The API and the console share one count of wrong keys.
    let (status, _) = app
        .admin_with("nonsense", Method::GET, "/admin/v1/api-keys", None)
        .await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(browser.sign_in(ADMIN_KEY).await.status, StatusCode::SEE_OTHER);
    app.stop().await;
}

async fn a_session_ends_unused_old_revoked_and_by_hand(database: Database) {
    let app = at_rest(database).await;
    let ended = async |browser: &Browser<'_>| {
        let shown = browser.get("/console").await;
        let is_out = shown.status == StatusCode::SEE_OTHER && shown.header("location").starts_with("/console/login");
        assert!(is_out || shown.status == StatusCode::OK, "{}", shown.status);
        assert_eq!(
            is_out,
            shown.header("set-cookie").contains("Max-Age=0"),
            "the cookie must be deleted if and only if the session has ended"
        );
        is_out
    };
    let hours = |hours| app.app.clock.step(TimeDelta::hours(hours));

    let unused = Browser::with(&app, ADMIN_KEY).await;
    hours(11);
    assert!(!ended(&unused).await);
    hours(11);
    assert!(
        !ended(&unused).await,
        "the session ended although it was used meanwhile"
    );
    hours(12);
    assert!(ended(&unused).await);
    assert_eq!(app.counts(["console_sessions"]).await, [0]);

    let busy = Browser::with(&app, ADMIN_KEY).await;
    for _ in 0..15 {
        hours(11);
        assert!(!ended(&busy).await);
    }
    hours(3);
    assert!(ended(&busy).await, "seven days");

    let (text, id) = key(&app, json!({"name": "Julie", "role": "editor"})).await;
    let revoked = Browser::with(&app, &text).await;
    let csrf = revoked.csrf().await;
    let (status, _) = app
        .admin(Method::DELETE, &format!("/admin/v1/api-keys/{id}"), None)
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let posted = revoked
        .post("/console/language", &[("csrf", &csrf), ("language", "fr")])
        .await;
    assert_eq!(posted.header("location"), "/console/login");
    assert!(ended(&revoked).await);

    let expires_at = app.app.clock.now() + TimeDelta::hours(1);
    let (text, _) = key(
        &app,
        json!({"name": "Temp", "role": "viewer", "expires_at": expires_at}),
    )
    .await;
    let expiring = Browser::with(&app, &text).await;
    assert!(!ended(&expiring).await);
    hours(1);
    assert!(ended(&expiring).await);

    let by_hand = Browser::with(&app, ADMIN_KEY).await;
    let csrf = by_hand.csrf().await;
    let out = by_hand.post("/console/logout", &[("csrf", &csrf)]).await;
    assert_eq!(
        (out.status, out.header("location")),
        (StatusCode::SEE_OTHER, "/console/login")
    );
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert!(ended(&by_hand).await, "the old cookie still works after signing out");
    // A script that requests a part of a page gets 401 instead of a redirect.
    assert_eq!(by_hand.get("/console?part=main").await.status, StatusCode::UNAUTHORIZED);
    app.stop().await;
}

async fn the_cookie_is_for_the_console_alone(database: Database) {
    for (public_url, is_secure) in [("https://rules.example", true), ("http://rules.example", false)] {
        let app = TestApp::builder(database)
            .set("RINGBOOK_WORKERS", "none")
            .set("RINGBOOK_PUBLIC_URL", public_url)
            .start()
            .await;
        let mut browser = Browser::new(&app);
        let cookie = browser.sign_in(ADMIN_KEY).await.header("set-cookie").to_owned();
        for part in [
            "; Path=/console;",
            "; HttpOnly",
            "; SameSite=Strict",
            "; Max-Age=604800",
        ] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        // The admin API does not accept the cookie.
        let api = browser.get("/admin/v1/rulebooks").await;
        assert_eq!(api.status, StatusCode::UNAUTHORIZED);
        // If a request has two session cookies, the server ignores both.
        let own = browser.cookie.clone();
        browser.cookie = format!("{own}; {own}");
        assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER);
        app.stop().await;
    }
}

async fn a_form_counts_with_the_token_of_its_session_only(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    let take = format!("/console/leads/{}/take", lead_id(&app, "call-1").await);
    let (one, other) = (
        Browser::with(&app, ADMIN_KEY).await,
        Browser::with(&app, ADMIN_KEY).await,
    );
    let (own, foreign) = (one.csrf().await, other.csrf().await);
    assert_ne!(own, foreign);
    let wrong = own.replace(['0', '1'], "2");
    for path in [
        take.as_str(),
        "/console/language",
        "/console/logout",
        "/console/messages/x/resend",
    ] {
        for form in [
            vec![],
            vec![("csrf", "")],
            vec![("csrf", foreign.as_str())],
            vec![("csrf", wrong.as_str())],
        ] {
            let shown = one.post(path, &form).await;
            assert_eq!(shown.status, StatusCode::FORBIDDEN, "{path} {form:?}");
            shown.has(&["This form is out of date", "reload it"]);
        }
    }
    let (_, lead) = app
        .admin(Method::GET, &format!("{BOOK}/leads?acknowledged=true"), None)
        .await;
    assert_eq!(lead["items"], json!([]));
    let taken = one
        .post(&take, &[("csrf", &own), ("next", "/console?rulebook=default")])
        .await;
    assert_eq!(
        (taken.status, taken.header("location")),
        (StatusCode::SEE_OTHER, "/console?rulebook=default"),
        "{}",
        taken.text
    );
    // A browser reports which site a form comes from. A form of another site cannot sign anybody in.
    let request = one.client.post(app.url("/console/login")).form(&[("key", ADMIN_KEY)]);
    let response = request.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.headers().get(SET_COOKIE).is_none());
    app.stop().await;
}

async fn every_page_is_there_in_both_languages(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let (_, sms) = app.admin(Method::GET, "/admin/v1/sms-messages", None).await;
    let message = format!("/messages/{}", sms["items"][0]["id"].as_str().unwrap());
    let (call, message) = ("/calls/call-1".to_owned(), message);
    let some = [
        String::new(),
        "/leads".to_owned(),
        "/calls".to_owned(),
        "/prices".to_owned(),
        call,
        message,
    ];
    let english = ["Board", "Leads", "Calls", "Prices", "What was said", "Attempts"];
    let french = ["Tableau", "Demandes", "Appels", "Prix", "Ce qui a été dit", "Essais"];
    for (accept, tag, names) in [("en", "en-CA", english), ("fr-CA,en;q=0.5", "fr-CA", french)] {
        browser.language = accept;
        for (path, name) in some.iter().zip(names) {
            browser.page(&format!("/console{path}")).await.has(&[name]);
        }
        for path in pages().iter().chain(&some) {
            let shown = browser.page(&format!("/console{path}")).await;
            shown.has(&["<h1", "<title>", &format!("<html lang=\"{tag}\">")]);
            assert!(shown.text.len() < 60_000, "{path}: {}", shown.text.len());
        }
        let login = Browser {
            language: accept,
            ..Browser::new(&app)
        };
        login
            .page("/console/login")
            .await
            .has(&[&format!("<html lang=\"{tag}\">")]);
    }
    // The person's choice takes precedence over the browser's language.
    let csrf = browser.csrf().await;
    let chosen = browser
        .post(
            "/console/language",
            &[("csrf", &csrf), ("language", "en"), ("next", "/console/prices")],
        )
        .await;
    assert_eq!(chosen.header("location"), "/console/prices");
    browser
        .page("/console/prices")
        .await
        .has(&["<html lang=\"en-CA\">", "Base price", "$350"]);
    let unknown = browser
        .post("/console/language", &[("csrf", &csrf), ("language", "xx")])
        .await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    app.stop().await;
}

async fn a_viewer_reads_and_finds_no_number(database: Database) {
    let app = at_rest(database).await;
    for (path, change) in [
        ("contacts/on_call", json!({"name": "Mario (514) 555-0203"})),
        (
            "services/camera_inspection",
            json!({"names": {"en": "Camera 514.555.0205"}}),
        ),
    ] {
        let at = format!("{BOOK}/{path}");
        let (_, row) = app.admin(Method::GET, &at, None).await;
        let mut change = change;
        change["version"] = row["version"].clone();
        let (status, answer) = app.admin(Method::PATCH, &at, Some(&change)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    app.take(&report("call-1", &format!("{FLOOD} Rappelez au 514-555-0207.")))
        .await;
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let (viewer, admin) = (Browser::with(&app, &text).await, Browser::with(&app, ADMIN_KEY).await);
    let mut seen = String::new();
    for path in pages().into_iter().chain(["/calls/call-1".to_owned()]) {
        let path = format!("/console{path}");
        seen.push_str(&admin.page(&path).await.text);
        let shown = viewer.page(&path).await;
        for number in ["4385550177", "555-0203", "555.0205", "555-0207", "5145550101"] {
            assert!(!shown.text.contains(number), "{path} shows {number}: {}", shown.text);
        }
        assert!(
            !shown.text.contains("/take\""),
            "{path}: a viewer can acknowledge a lead"
        );
    }
    for number in ["tel:+14385550177", "555-0203", "555.0205", "555-0207"] {
        assert!(seen.contains(number), "an admin does not see {number}");
    }
    viewer.page("/console").await.has(&["+1438***0177", "P1"]);
    let csrf = viewer.csrf().await;
    let take = format!("/console/leads/{}/take", lead_id(&app, "call-1").await);
    let refused = viewer.post(&take, &[("csrf", &csrf)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.has(&["Your key may not do this", "needs a key with the role `dispatcher`"]);
    app.stop().await;
}

async fn a_key_of_one_rulebook_sees_nothing_of_another(database: Database) {
    let app = at_rest(database).await;
    let new = json!({"code": "north", "name": "North <Shore>", "copy_of": "default"});
    let (status, made) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    app.take(&report("call-1", FLOOD)).await;
    let lead = lead_id(&app, "call-1").await;
    let (_, sms) = app.admin(Method::GET, "/admin/v1/sms-messages", None).await;
    let message = sms["items"][0]["id"].as_str().unwrap();
    let (text, _) = key(&app, json!({"name": "North", "role": "admin", "rulebook": "north"})).await;
    let north = Browser::with(&app, &text).await;
    for page in pages() {
        let shown = north.page(&format!("/console{page}")).await;
        assert!(
            !shown.text.contains("Zenobie") && !shown.text.contains("default"),
            "{}",
            shown.text
        );
        let other = north.get(&format!("/console{page}?rulebook=default")).await;
        assert_eq!(other.status, StatusCode::NOT_FOUND, "{page}");
        other.has(&["This page does not exist"]);
    }
    for path in [
        "/console/calls/call-1".to_owned(),
        "/console/calls/call-1?rulebook=default".to_owned(),
        format!("/console/messages/{message}"),
        "/console/leads.csv?rulebook=default".to_owned(),
    ] {
        assert_eq!(north.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let csrf = north.csrf().await;
    for path in [
        format!("/console/leads/{lead}/take"),
        format!("/console/leads/{lead}/take?rulebook=default"),
        format!("/console/messages/{message}/resend"),
    ] {
        let shown = north.post(&path, &[("csrf", &csrf)]).await;
        assert_eq!(shown.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A person who sees both businesses chooses one, and the console remembers the choice.
    let both = Browser::with(&app, ADMIN_KEY).await;
    both.page("/console")
        .await
        .has(&["<option value=\"north\">North &lt;Shore&gt;</option>", "Zenobie"]);
    let chosen = both.page("/console?rulebook=north").await;
    chosen.has(&["href=\"/console/leads?rulebook=north\"", "Nobody waits"]);
    app.stop().await;
}

async fn what_a_caller_says_is_never_html(database: Database) {
    let app = at_rest(database).await;
    let script = "<script>alert(1)</script>";
    let turns = json!([
        {"role": "bot", "message": script, "secondsFromStart": 1.0},
        {"role": "user", "message": format!("{script} \"' {FLOOD}"), "secondsFromStart": 2.0},
    ]);
    let mut message = report_of("call-<b>\"'&1", &turns);
    message["message"]["customer"]["name"] = json!("<script>alert(2)</script>");
    message["message"]["analysis"]["summary"] = json!("<img src=x onerror=alert(3)>");
    message["message"]["analysis"]["structuredData"]["customerName"] = json!("<script>alert(2)</script>");
    message["message"]["analysis"]["structuredData"]["address"] = json!("\"><svg onload=alert(4)>");
    app.take(&message).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let call = "/console/calls/call-%3Cb%3E%22%27%261";
    let mut all = String::new();
    for path in [
        "/console",
        "/console/leads",
        "/console/calls",
        "/console/messages",
        call,
    ] {
        let shown = browser.page(path).await;
        for bad in ["<script>alert", "<img src=x", "<svg onload", "<b>\"'", "\"><svg"] {
            assert!(!shown.text.contains(bad), "{path} has {bad}: {}", shown.text);
        }
        all.push_str(&shown.text);
    }
    for good in [
        "&lt;script&gt;alert(1)",
        "&lt;script&gt;alert(2)",
        "&lt;img src=x",
        "&lt;svg onload",
    ] {
        assert!(all.contains(good), "{good} must be shown as text");
    }
    assert!(all.contains(call), "the link to the call is missing");
    for path in [
        "/console/leads?q=%22%3E%3Cscript%3Ealert(5)",
        "/console?rulebook=%3Cscript%3Ealert(5)",
    ] {
        let shown = browser.get(path).await;
        assert!(!shown.text.contains("<script>alert"), "{path}: {}", shown.text);
    }
    app.stop().await;
}

async fn the_board_shows_who_waits_and_who_took_it(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", "J'ai des racines dans le drain.")).await;
    app.app.clock.step(TimeDelta::minutes(10));
    app.take(&report("call-2", FLOOD)).await;
    app.app.clock.step(TimeDelta::minutes(4));
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let board = browser.page("/console").await;
    board.has(&[
        "data-urgent=\"1\"",
        "One P1 that nobody has taken",
        "One more open lead",
        "4\u{a0}min",
        "The first contacts were notified",
        "I take it",
        "http-equiv=\"refresh\"",
    ]);
    let order = ["call-2", "call-1"].map(|call| board.text.find(&format!("/console/calls/{call}")).unwrap());
    assert!(order[0] < order[1], "the P1 must come first");
    // The script requests the main part of the page. The response contains the part only if it changed.
    let part = browser.page("/console?part=main").await;
    assert!(part.text.starts_with("<h1") && !part.text.contains("<html"));
    let again = async || {
        let request = browser
            .client
            .get(app.url("/console?part=main"))
            .header("cookie", &browser.cookie);
        let request = request.header("accept-language", browser.language);
        request
            .header("if-none-match", part.header("etag"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);
    let take = format!("/console/leads/{}/take", lead_id(&app, "call-2").await);
    let form = [
        ("csrf", board.csrf()),
        ("contact", "second"),
        ("comment", "On my <way>"),
    ];
    assert_eq!(browser.post(&take, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(again().await, StatusCode::OK);
    let (_, contact) = app.admin(Method::GET, &format!("{BOOK}/contacts/second"), None).await;
    let by = format!("Taken by {}", contact["name"].as_str().unwrap());
    browser
        .page("/console")
        .await
        .has(&["data-urgent=\"0\"", &by, "On my &lt;way&gt;"]);
    let late = browser.post(&take, &[("csrf", board.csrf())]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    late.has(&["Somebody was faster", "`second` has already acknowledged this lead"]);
    // The audit log contains this acknowledgement like any other change.
    let (_, audit) = app.admin(Method::GET, "/admin/v1/audit-log?limit=5", None).await;
    assert!(audit.to_string().contains("acknowledge"), "{audit}");
    app.stop().await;
}

async fn the_call_page_explains_the_decision(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let call = browser.page("/console/calls/call-1").await;
    let (_, decisions) = app
        .admin(Method::GET, &format!("{BOOK}/decisions?call_id=call-1"), None)
        .await;
    let price = &decisions["items"][0]["decision"]["price"];
    assert!(price["taxes"].as_array().unwrap().len() == 2, "{price}");
    let amount = |value: &Value| value.as_str().unwrap().trim_end_matches(".00").to_owned();
    call.has(&[
        "<mark class=\"counts\"",
        "flood: counts",
        "Before tax",
        &format!("${}", amount(&price["from"])),
        &format!("${}", amount(&price["taxes"][0]["from"])),
        "GST",
        "Decided by revision 1 of the rules.",
        "rules took no part",
        "Mario B\u{e9}langer",
        "10:00\u{a0}a.m.",
    ]);
    let mut french = Browser::with(&app, ADMIN_KEY).await;
    french.language = "fr";
    french
        .page("/console/calls/call-1")
        .await
        .has(&["10\u{a0}h\u{a0}00", "Avant taxes", "\u{a0}$", "TPS"]);
    app.stop().await;
}

async fn lists_are_searched_and_paged(database: Database) {
    let app = at_rest(database).await;
    for number in 0..32 {
        let mut message = report(&format!("call-{number}"), FLOOD);
        let name = if number == 7 {
            "Éloïse Tremblay"
        } else {
            "Zenobie Quatremains"
        };
        message["message"]["analysis"]["structuredData"]["customerName"] = json!(name);
        message["message"]["customer"]["number"] = json!(format!("+1514555{:04}", 1000 + number));
        message["message"]["analysis"]["structuredData"]["customerPhone"] =
            message["message"]["customer"]["number"].clone();
        app.take(&message).await;
        app.app.clock.step(TimeDelta::seconds(1));
    }
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let rows = |shown: &Shown| shown.text.matches("class=\"row\"").count();
    for list in ["leads", "calls"] {
        let first = browser.page(&format!("/console/{list}")).await;
        assert_eq!(rows(&first), 30);
        let (_, rest) = first.text.split_once("rel=\"next\" href=\"").unwrap();
        let older = rest.split('"').next().unwrap().replace("&amp;", "&");
        let second = browser.page(&older).await;
        assert_eq!(rows(&second), 2);
        second.has(&["Newest"]);
        for (search, count) in [
            ("q=eloise", usize::from(list == "leads")),
            ("q=514-555-1007", 1),
            ("q=hibou&in=address", 30),
            ("q=nobody", 0),
            ("days=today", 30),
            ("days=week", 30),
            ("days=yesterday", 0),
            ("day=2026-11-24", 30),
            ("day=2026-11-25", 0),
        ] {
            let shown = browser.page(&format!("/console/{list}?{search}")).await;
            assert_eq!(rows(&shown), count, "{list}?{search}");
        }
    }
    assert_eq!(rows(&browser.page("/console/leads?priority=P4").await), 0);
    let sheet = browser.page("/console/leads.csv?q=eloise").await;
    assert!(sheet.header("content-type").starts_with("text/csv"));
    assert!(sheet.header("content-disposition").contains("attachment"));
    assert!(
        sheet.text.contains("Éloïse Tremblay") && !sheet.text.contains("Zenobie"),
        "{}",
        sheet.text
    );
    app.stop().await;
}

async fn a_dead_message_is_resent(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    app.sql("UPDATE sms_messages SET state = 'dead', error = 'too old'")
        .await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let list = browser.page("/console/messages?state=dead").await;
    list.has(&["not sent", "too old"]);
    let id = app.only_row("sms_messages").await["id"].as_str().unwrap().to_owned();
    let id = uuid::Uuid::parse_str(&id).unwrap();
    let page = browser.page(&format!("/console/messages/{id}")).await;
    page.has(&["Resend", "Nothing was sent yet."]);
    let path = format!("/console/messages/{id}/resend");
    let sent = browser.post(&path, &[("csrf", page.csrf())]).await;
    assert_eq!(
        sent.header("location"),
        format!("/console/messages/{id}"),
        "{}",
        sent.text
    );
    assert_ne!(app.only_row("sms_messages").await["state"], json!("dead"));
    let twice = browser.post(&path, &[("csrf", page.csrf())]).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text);
    app.stop().await;
}

async fn bad_input_is_told_and_never_a_fault_of_the_server(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let long = "x".repeat(5_000);
    let mut otherwise = Vec::new();
    for (path, status) in [
        ("/console/calls/unknown", 404),
        ("/console/calls/%00", 404),
        ("/console/calls/..%2F..%2Fapi-keys", 404),
        ("/console/messages/unknown", 400),
        ("/console/messages/00000000-0000-0000-0000-000000000000", 404),
        ("/console?rulebook=unknown", 404),
        ("/console?rulebook=%00", 404),
        ("/console/unknown", 404),
        ("/console/leads?cursor=nonsense", 422),
        ("/console/leads?day=yesterweek", 400),
        ("/console/leads?priority=P9", 400),
        ("/console/leads?q=%00", 400),
        ("/console/messages?state=gone", 400),
        ("/console/leads?days=%F0%9F%98%80", 400),
    ] {
        let shown = browser.get(path).await;
        if shown.status.as_u16() != status {
            otherwise.push((path, shown.status.as_u16()));
        }
        shown.has(&["<h1>", "Back to the board"]);
        assert_eq!(shown.header("content-type"), "text/html; charset=utf-8");
    }
    assert_eq!(otherwise, []);
    // An invalid URL is rejected before it reaches a page.
    assert_eq!(
        browser.get("/console/calls/%FF%FE").await.status,
        StatusCode::BAD_REQUEST
    );
    let shown = browser.get(&format!("/console/leads?q={long}")).await;
    assert!(!shown.status.is_server_error(), "{}", shown.status);
    let csrf = browser.csrf().await;
    for (path, form) in [
        ("/console/leads/unknown/take", vec![("contact", "second")]),
        ("/console/leads/00000000-0000-0000-0000-000000000000/take", vec![]),
        ("/console/messages/unknown/resend", vec![("force", "yes")]),
    ] {
        let form = [form, vec![("csrf", csrf.as_str())]].concat();
        let shown = browser.post(path, &form).await;
        assert!(
            matches!(shown.status.as_u16(), 400 | 404),
            "{path}: {} {}",
            shown.status,
            shown.text
        );
        shown.has(&["<h1>", "Back to the board"]);
    }
    let take = format!("/console/leads/{}/take", lead_id(&app, "call-1").await);
    for (form, status) in [
        (vec![("contact", "nobody")], 422),
        (vec![("comment", long.as_str())], 400),
        (vec![("comment", "\0")], 400),
    ] {
        let form = [form, vec![("csrf", csrf.as_str())]].concat();
        let shown = browser.post(&take, &form).await;
        assert_eq!(shown.status.as_u16(), status, "{}", shown.text);
    }
    let huge = "x".repeat(70_000);
    let shown = browser.post(&take, &[("csrf", &csrf), ("comment", &huge)]).await;
    assert_eq!(shown.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = browser
        .client
        .post(app.url(&take))
        .header("cookie", &browser.cookie)
        .json(&json!({"csrf": csrf}));
    assert_eq!(json.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        browser.post("/console/calls", &[]).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    app.stop().await;
}

async fn nobody_outside_can_claim_to_have_signed_in(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let (_, keys) = app.admin(Method::GET, "/admin/v1/api-keys", None).await;
    let id = keys["items"][0]["id"].as_str().unwrap();
    for name in [
        "signed-in",
        "signedin",
        "x-signed-in",
        "x-key-id",
        "authorization",
        "cookie",
    ] {
        let request = browser.client.get(app.url("/admin/v1/rulebooks")).header(name, id);
        let response = request.header("cookie", &browser.cookie).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    app.stop().await;
}

async fn every_answer_has_the_strict_policy(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", FLOOD)).await;
    let signed_in = Browser::with(&app, ADMIN_KEY).await;
    let stranger = Browser::new(&app);
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (browser, path) in [
        (&stranger, "/console/login"),
        (&signed_in, "/console"),
        (&signed_in, "/console/leads"),
        (&signed_in, "/console/calls/call-1"),
        (&signed_in, "/console/calls/unknown"),
        (&signed_in, "/console/prices"),
    ] {
        let shown = browser.get(path).await;
        assert_eq!(shown.header("content-security-policy"), policy, "{path}");
        assert_eq!(shown.header("cache-control"), "no-store", "{path}");
        assert_eq!(shown.header("x-content-type-options"), "nosniff", "{path}");
        for inline in [" style=\"", " onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!shown.text.contains(inline), "{path} has {inline}");
        }
    }
    for (path, kind) in [
        ("/console/console.css", "text/css; charset=utf-8"),
        ("/console/console.js", "text/javascript; charset=utf-8"),
        ("/console/icon.svg", "image/svg+xml"),
    ] {
        let shown = stranger.page(path).await;
        assert_eq!(shown.header("content-type"), kind);
        let request = stranger
            .client
            .get(app.url(path))
            .header("if-none-match", shown.header("etag"));
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::NOT_MODIFIED,
            "{path}"
        );
    }
    app.stop().await;
}
