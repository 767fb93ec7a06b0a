//! The console's "Try" page over HTTP: a conversation or a message is evaluated with the head, a revision or a change
//! set. Errors are shown beside their fields, and nothing is stored.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, key};
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    an_evaluation_says_which_sms_messages_would_be_sent,
    a_conversation_is_tried_and_nothing_is_stored,
    a_message_is_tried,
    revisions_and_change_sets_are_tried,
    what_is_wrong_stands_beside_its_field,
    a_viewer_tries_and_finds_no_number,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const FLOOD: &str = "Agent: Is it flooding?\nCaller: My basement is flooding, roots in the drain. <b>Hurry</b>";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn try_out(browser: &Browser<'_>, form: &[(&str, &str)]) -> crate::support::browser::Shown {
    let csrf = browser.csrf().await;
    let form = [&[("csrf", csrf.as_str())], form].concat();
    browser.post("/console/try", &form).await
}

async fn patch(app: &TestApp, path: &str, change: Value) -> Value {
    let at = if path.is_empty() {
        BOOK.to_owned()
    } else {
        format!("{BOOK}/{path}")
    };
    let (_, row) = app.admin(Method::GET, &at, None).await;
    let mut change = change;
    change["version"] = row["version"].clone();
    let (status, answer) = app.admin(Method::PATCH, &at, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

async fn an_evaluation_says_which_sms_messages_would_be_sent(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let ask = async |body: Value| {
        let (status, answer) = app.admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    };
    let message = report("call-1", "Mon sous-sol est inondé, des racines dans le drain.");
    let urgent = ask(json!({"message": message})).await;
    let messages = urgent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{urgent}");
    let said = messages[0]["body"].as_str().unwrap();
    assert!(said.contains("P1") && said.contains("RB-7K2M4Q"), "{said}");
    assert_eq!(messages[0]["characters"], json!(said.chars().count()));
    // The shown message equals the message in the outbox, except for the reference.
    app.take(&message).await;
    let sent = app.only_row("sms_messages").await;
    let reference = sent["reference"].as_str().unwrap();
    assert_eq!(said.replace("RB-7K2M4Q", reference), sent["body"]);
    assert_eq!(messages[0]["contact"], sent["contact"]);
    // At night, a message that is not urgent is held until the morning.
    patch(&app, "", json!({"quiet_from": "21:00", "quiet_until": "07:00"})).await;
    let at_night = json!({"said": "J'ai des racines, c'est une urgence.", "facts": {}, "at": "2026-11-25T03:00:00Z"});
    let told = ask(at_night).await;
    for message in told["messages"].as_array().unwrap() {
        let waits = message["held_until"].is_string();
        assert_eq!(
            waits,
            told["decision"]["priority"] == "P3" || told["decision"]["priority"] == "P4",
            "{told}"
        );
    }
    assert_eq!(ask(json!({"facts": {}})).await["messages"], json!([]));
    app.stop().await;
}

async fn a_conversation_is_tried_and_nothing_is_stored(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    browser
        .page("/console/try")
        .await
        .has(&["For example", "My basement is flooding, there is water everywhere."]);
    let shown = try_out(&browser, &[("said", FLOOD)]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    shown.has(&[
        "What would be decided",
        ">P1<",
        "<mark class=\"counts\"",
        "Is it flooding?",
        "&lt;b&gt;Hurry",
        "class=\"bubble\"",
        "RB-7K2M4Q",
        "characters",
        "<table class=\"receipt\"",
        "Link to this try",
        "rules took part",
        "rules took no part",
    ]);
    assert!(
        shown.text.contains("Caller: My basement"),
        "the form must keep the input"
    );
    // The link repeats the same try.
    let (_, rest) = shown.text.split_once("<a href=\"/console/try?said=").unwrap();
    let link = format!(
        "/console/try?said={}",
        rest.split('"').next().unwrap().replace("&amp;", "&")
    );
    browser
        .page(&link)
        .await
        .has(&[">P1<", "class=\"bubble\"", "Caller: My basement"]);
    // A denied phrase does not count, and the page says why.
    let denied = try_out(&browser, &[("said", "There is no flooding.")]).await;
    denied.has(&["<mark class=\"off\"", "denied by"]);
    assert!(!denied.text.contains(">P1<"), "{}", denied.text);
    // A very long input does not fit into a link.
    let long = try_out(&browser, &[("said", &"I have roots in my drain. ".repeat(100))]).await;
    long.has(&["This try is too long for a link."]);
    browser.language = "fr-CA";
    let shown = try_out(&browser, &[("said", "Mon sous-sol est inondé")]).await;
    shown.has(&["Ce qui serait décidé", "Textos", "caractères"]);
    assert_eq!(app.counts(["decisions", "calls", "sms_messages"]).await, [0, 0, 0]);
    app.stop().await;
}

async fn a_message_is_tried(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let message = report("call-1", "Mon sous-sol est inondé, des racines dans le drain.");
    for text in [message.to_string(), format!("{:#}", message["message"])] {
        let shown = try_out(&browser, &[("said", &text)]).await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
        shown.has(&[">P1<", "sous-sol est inondé", "Root removal", "77 rue du Hibou"]);
    }
    // The form accepts a whole report: the size limit of other forms does not apply.
    let mut large = message.clone();
    large["message"]["artifact"]["log"] = json!("x".repeat(200_000));
    let shown = try_out(&browser, &[("said", &large.to_string())]).await;
    assert_eq!(shown.status, StatusCode::OK);
    let other = browser
        .post("/console/calls/x/feedback", &[("comment", &"x".repeat(70_000))])
        .await;
    assert_eq!(other.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(app.counts(["decisions", "calls", "sms_messages"]).await, [0, 0, 0]);
    app.stop().await;
}

async fn revisions_and_change_sets_are_tried(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let said = "I need a camera inspection of my drain please";
    let facts = [("said", said), ("postal_code", "H2Z 9Q7")];
    try_out(&browser, &facts).await.has(&["$350"]);
    let (_, service) = app
        .admin(Method::GET, &format!("{BOOK}/services/camera_inspection"), None)
        .await;
    let change = json!({"resource": "services", "code": "camera_inspection", "method": "patch", "version": service["version"],
        "body": {"price_from": "410.00", "price_to": "410.00"}});
    let body = json!({"comment": "Dearer cameras", "changes": [change]});
    let (status, set) = app
        .admin(Method::POST, &format!("{BOOK}/change-sets"), Some(&body))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let id = set["id"].as_str().unwrap();
    let shown = try_out(&browser, &[&facts[..], &[("set", id)]].concat()).await;
    shown.has(&["$410", "Dearer cameras", "selected"]);
    let publish = format!("{BOOK}/change-sets/{id}/publish?version={}", set["version"]);
    let (status, done) = app.admin(Method::POST, &publish, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    try_out(&browser, &facts).await.has(&["$410"]);
    let shown = try_out(&browser, &[&facts[..], &[("revision", "1")]].concat()).await;
    shown.has(&["$350", "Decided by revision 1", "value=\"1\""]);
    // The change set has been discarded, so it cannot be tried any more.
    let over = try_out(&browser, &[&facts[..], &[("set", id)]].concat()).await;
    assert_eq!(over.status, StatusCode::CONFLICT);
    over.has(&["id=\"fault-set\"", said]);
    app.stop().await;
}

async fn what_is_wrong_stands_beside_its_field(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    for (form, status, fault, text) in [
        (
            vec![("said", " ")],
            422,
            "fault-said",
            "Write what is said, or paste a message.",
        ),
        (
            vec![("said", "{\"message\": ")],
            422,
            "fault-said",
            "cannot be read at line 1",
        ),
        (
            vec![("said", "{\"message\": {}}")],
            400,
            "fault-said",
            "is not a Vapi message",
        ),
        (vec![("said", "{\"a\": 1}")], 400, "fault-said", "is not a Vapi message"),
        (
            vec![("said", "x"), ("at", "2026-13-01T10:00")],
            422,
            "fault-at",
            "This time does not exist.",
        ),
        // The clocks go forward, so 02:30 does not exist on this day.
        (
            vec![("said", "x"), ("at", "2026-03-08T02:30")],
            422,
            "fault-at",
            "This time does not exist.",
        ),
        (
            vec![("said", "x"), ("revision", "one")],
            422,
            "fault-revision",
            "Write the number of a revision",
        ),
        (
            vec![("said", "x"), ("revision", "99")],
            404,
            "fault-revision",
            "There is no such revision.",
        ),
        (
            vec![("said", "x"), ("revision", "1"), ("set", "a")],
            422,
            "fault-revision",
            "either a change set or an older revision",
        ),
        (
            vec![("said", "x"), ("set", "nonsense")],
            400,
            "fault-set",
            "no longer open",
        ),
        (
            vec![("said", "x"), ("set", "01900000-0000-7000-8000-000000000000")],
            404,
            "fault-set",
            "no longer open",
        ),
        (vec![("said", "a\0b")], 400, "fault-said", "NUL"),
    ] {
        let shown = try_out(&browser, &form).await;
        assert_eq!(shown.status.as_u16(), status, "{form:?}: {}", shown.text);
        shown.has(&[&format!("id=\"{fault}\""), text, "aria-invalid=\"true\""]);
    }
    // A mistyped number in the URL gives the same error.
    let shown = browser.get("/console/try?said=x&revision=99").await;
    assert_eq!(shown.status, StatusCode::NOT_FOUND);
    shown.has(&["There is no such revision."]);
    app.stop().await;
}

async fn a_viewer_tries_and_finds_no_number(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    patch(&app, "contacts/on_call", json!({"name": "Mario (514) 555-0203"})).await;
    patch(
        &app,
        "templates/alert",
        json!({"texts": {"en": "{priority} {phone} call 514.555.0204"}}),
    )
    .await;
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let (viewer, admin) = (Browser::with(&app, &text).await, Browser::with(&app, ADMIN_KEY).await);
    let message = report("call-1", "Mon sous-sol est inondé. Rappelez au 514-555-0207.").to_string();
    // The form shows the person's own input again. The result contains no phone number.
    let seen = try_out(&viewer, &[("said", &message)]).await;
    let (_, result) = seen.text.split_once("id=\"result\"").unwrap();
    for number in ["4385550177", "555-0203", "555.0204", "555-0207"] {
        assert!(!result.contains(number), "{number}: {result}");
    }
    let seen = try_out(&admin, &[("said", &message)]).await;
    seen.has(&["555-0203", "555-0207"]);
    app.stop().await;
}
