//! Tests notices in the console. Open notices come first, in the reader's language. Each notice has a button for what
//! to do.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, Shown, key};
use crate::support::messages::report;
use crate::support::{Database, TestApp};
use store::notices::{self, Notice, Severity};

both!(
    every_notice_has_words_in_both_languages,
    a_notice_is_done_with_a_comment_and_once,
    a_dead_message_is_resent_from_its_notice,
    a_p1_is_taken_from_its_notice,
    each_notice_leads_to_what_it_asks_for,
    a_viewer_does_nothing_and_sees_no_number,
);

const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn raised(app: &TestApp, code: &'static str, subject: &str) -> Uuid {
    let (now, id) = (app.app.clock.now(), app.app.clock.new_id());
    let (_, book) = app.admin(Method::GET, "/admin/v1/notices?limit=1", None).await;
    assert!(book["items"].is_array(), "{book}");
    let found = app.app.current.find("default").await.unwrap();
    let notice = Notice {
        rulebook_id: found.unwrap().0,
        code,
        severity: Severity::Urgent,
        subject: subject.to_owned(),
        text: format!("English text of {code} <b>. Call 514-555-0212."),
        what_to_do: "English advice.".to_owned(),
    };
    let tx = store::begin(&app.app.db).await.unwrap();
    notices::raise(&tx, notice, now, id).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Every notice code that Ringbook raises, with an example subject.
const CODES: [(&str, &str); 27] = [
    ("sms_refused", "contact on_call"),
    ("sms_given_up", "contact on_call"),
    ("sms_unknown", "contact on_call"),
    ("sms_undelivered", "contact on_call"),
    ("sms_suppressed", "contact on_call"),
    ("contact_opted_out", "contact on_call"),
    ("sms_provider_down", "twilio"),
    ("sms_credentials_refused", "twilio"),
    ("sms_account_capped", "twilio"),
    ("sms_account_incomplete", "twilio"),
    ("sms_no_account", "twilio"),
    ("sms_cap_near", "daily_sms_cap"),
    ("sms_cap_reached", "daily_sms_cap"),
    ("p1_not_taken", "call call-1"),
    ("p1_contested", "call call-1"),
    ("change_set_waits", "change set 018f0000-0000-7000-8000-000000000000"),
    (
        "scheduled_publish_refused",
        "change set 018f0000-0000-7000-8000-000000000000",
    ),
    ("script_quarantined", "script spring_promotion"),
    ("script_failed", "script spring_promotion"),
    ("message_set_aside", "messages of type end-of-call-report"),
    ("spool_in_use", "spool"),
    ("spool_refused", "spool"),
    ("spool_message_set_aside", "spool entry 1"),
    ("vapi_unreachable", "vapi"),
    ("vapi_key_refused", "vapi"),
    ("late_call", "late calls of priority P2"),
    ("restored", "database"),
];

async fn every_notice_has_words_in_both_languages(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    for (code, subject) in CODES {
        raised(&app, code, subject).await;
    }
    raised(&app, "of_tomorrow", "something new").await;
    for language in ["en", "fr"] {
        let mut browser = Browser::with(&app, ADMIN_KEY).await;
        browser.language = language;
        let page = browser.page("/console/notices").await;
        // A notice with an unknown code has its English text as its title.
        assert_eq!(page.text.matches("<h2><span lang=\"en\">").count(), 1, "{}", page.text);
        assert_eq!(page.text.matches("<article").count(), CODES.len() + 1);
        page.has(&[
            "<h2><span lang=\"en\">English text of of_tomorrow &lt;b&gt;",
            "class=\"count\">20+",
        ]);
        assert!(!page.text.contains("<b>"));
    }
    app.stop().await;
}

async fn post(browser: &Browser<'_>, page: &Shown, part: &str, more: &[(&str, &str)]) -> Shown {
    let place = page.text.find(part).unwrap_or_else(|| panic!("{part}: {}", page.text));
    let (_, rest) = page.text[..place].rsplit_once("action=\"").unwrap();
    let action = rest.split('"').next().unwrap();
    let form = [&[("csrf", page.csrf())], more].concat();
    browser.post(action, &form).await
}

async fn a_notice_is_done_with_a_comment_and_once(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    browser.page("/console/notices").await.has(&["There is nothing to do."]);
    let id = raised(&app, "vapi_unreachable", "vapi").await;
    let page = browser.page("/console/notices").await;
    page.has(&["Vapi does not answer", "class=\"count\">1<", "/console/setup"]);
    let path = format!("/console/notices/{id}/resolve");
    let done = browser
        .post(&path, &[("csrf", page.csrf()), ("comment", "Called them <i>")])
        .await;
    assert_eq!(
        done.header("location"),
        "/console/notices?done=resolved",
        "{}",
        done.text
    );
    let after = browser.page(done.header("location")).await;
    after.has(&[
        "The notice is done.",
        "Done recently",
        "Called them &lt;i&gt;",
        "There is nothing to do.",
    ]);
    assert!(!after.text.contains("class=\"count\""));
    let twice = browser.post(&path, &[("csrf", page.csrf())]).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let long = "x".repeat(1_001);
    let other = raised(&app, "vapi_unreachable", "vapi").await;
    for (path, comment, status) in [
        (format!("/console/notices/{other}/resolve"), long.as_str(), 400),
        (format!("/console/notices/{other}/resolve"), "\0", 400),
        ("/console/notices/unknown/resolve".to_owned(), "", 400),
        (format!("/console/notices/{}/resolve", Uuid::nil()), "", 404),
        (format!("/console/notices/{other}/resend"), "", 404),
        (format!("/console/notices/{other}/release"), "", 404),
    ] {
        let shown = browser
            .post(&path, &[("csrf", page.csrf()), ("comment", comment)])
            .await;
        assert!(
            shown.status.as_u16() == status
                || (status == 404 && shown.status.is_client_error())
                || shown.status.is_redirection(),
            "{path}: {}",
            shown.status
        );
    }
    app.stop().await;
}

async fn a_dead_message_is_resent_from_its_notice(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", FLOOD)).await;
    app.sql("UPDATE sms_messages SET state = 'dead', error = 'too old'")
        .await;
    let (_, sms) = app.admin(Method::GET, "/admin/v1/sms-messages", None).await;
    let message = &sms["items"][0];
    let contact = message["contact"].as_str().unwrap();
    raised(&app, "sms_given_up", &format!("contact {contact}")).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/notices").await;
    page.has(&["Mario B\u{e9}langer", ">Resend</button>", "tel:+"]);
    let id = message["id"].as_str().unwrap();
    let sent = post(&browser, &page, ">Resend</button>", &[("message", id)]).await;
    assert_eq!(sent.header("location"), "/console/notices?done=resent", "{}", sent.text);
    let (_, after) = app
        .admin(Method::GET, &format!("/admin/v1/sms-messages/{id}"), None)
        .await;
    assert_ne!(after["message"]["state"], "dead");
    browser.page(sent.header("location")).await.has(&["queued again"]);
    app.stop().await;
}

async fn a_p1_is_taken_from_its_notice(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", FLOOD)).await;
    raised(&app, "p1_not_taken", "call call-1").await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/notices").await;
    page.has(&["Nobody has taken a P1", "/console/calls/call-1", "tel:+14385550177"]);
    let taken = post(&browser, &page, ">I take it</button>", &[("next", "/console/notices")]).await;
    assert_eq!(taken.header("location"), "/console/notices", "{}", taken.text);
    let (_, leads) = app
        .admin(Method::GET, "/admin/v1/rulebooks/default/leads?acknowledged=true", None)
        .await;
    assert_eq!(leads["items"].as_array().unwrap().len(), 1);
    app.stop().await;
}

async fn each_notice_leads_to_what_it_asks_for(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    for (code, subject) in CODES {
        raised(&app, code, subject).await;
    }
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/notices").await;
    page.has(&[
        "/console/change-sets/018f0000-0000-7000-8000-000000000000",
        "Let the script run again",
        "Process the messages again",
        "/console/leads?priority=P2",
        "/console/messages?state=dead&amp;days=today",
    ]);
    let replayed = post(
        &browser,
        &page,
        "Process the messages again",
        &[("type", "end-of-call-report")],
    )
    .await;
    assert_eq!(
        replayed.header("location"),
        "/console/notices?done=replayed&count=0",
        "{}",
        replayed.text
    );
    // The script is no longer quarantined, so its notice is resolved.
    let released = post(
        &browser,
        &page,
        "Let the script run again",
        &[("script", "spring_promotion")],
    )
    .await;
    assert_eq!(
        released.header("location"),
        "/console/notices?done=released",
        "{}",
        released.text
    );
    let after = browser.page("/console/notices").await;
    assert!(!after.text.contains("Let the script run again") && !after.text.contains("Process the messages again"));
    app.stop().await;
}

async fn a_viewer_does_nothing_and_sees_no_number(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", FLOOD)).await;
    for (code, subject) in CODES {
        raised(&app, code, subject).await;
    }
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    let page = viewer.page("/console/notices").await;
    for number in ["555-0212", "4385550177", "5145550101", "tel:"] {
        assert!(!page.text.contains(number), "{number}: {}", page.text);
    }
    for action in ["/resolve\"", "/resend\"", "/take\"", "/release\"", "/replay\""] {
        assert!(!page.text.contains(action), "{action}");
    }
    let id = raised(&app, "restored", "database").await;
    for action in ["resolve", "resend", "release", "replay"] {
        let form = [
            ("csrf", page.csrf()),
            ("message", "018f0000-0000-7000-8000-000000000000"),
            ("script", "x"),
        ];
        let refused = viewer.post(&format!("/console/notices/{id}/{action}"), &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}: {}", refused.text);
    }
    app.stop().await;
}
