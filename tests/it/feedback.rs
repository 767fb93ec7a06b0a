//! Tests feedback about wrong decisions: who may give it, how it is resolved, and its erasure with the caller's data.
//! Also tests the page of the call in the console.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, key};
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    feedback_is_checked_listed_and_dismissed,
    a_case_of_feedback_waits_for_the_rule_that_mends_it,
    a_case_that_the_rules_meet_already_is_published_at_once,
    a_case_beside_rules_that_do_not_work_is_refused,
    feedback_goes_with_the_caller,
    the_call_page_takes_feedback_and_keeps_what_was_typed,
    an_editor_makes_a_case_in_the_console,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const SAID: &str = "Mon chauffe-eau coule sur le plancher. Rappelez Zenobie au 438-555-0177.";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

async fn with_call(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", SAID)).await;
    app
}

async fn post(app: &TestApp, path: &str, body: Value) -> (StatusCode, Value) {
    app.admin(Method::POST, &format!("{BOOK}{path}"), Some(&body)).await
}

async fn get(app: &TestApp, path: &str) -> Value {
    let (status, answer) = app.admin(Method::GET, &format!("{BOOK}{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn noted(app: &TestApp, body: Value) -> String {
    let (status, answer) = post(app, "/calls/call-1/feedback", body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn feedback_is_checked_listed_and_dismissed(database: Database) {
    let app = with_call(database).await;
    for (body, status, pointer) in [
        (json!({}), 422, ""),
        (json!({"comment": "  "}), 422, ""),
        (json!({"service": "nothing_we_do"}), 422, "/service"),
        (json!({"priority": "P5"}), 400, "/priority"),
        (json!({"total": "402.413"}), 400, "/total"),
        (json!({"total": "-1"}), 400, "/total"),
        (json!({"comment": "x".repeat(1_001)}), 400, "/comment"),
        (json!({"comment": "a\0b"}), 400, "/comment"),
        (json!({"colour": "red"}), 400, "/colour"),
    ] {
        let (got, problem) = post(&app, "/calls/call-1/feedback", body.clone()).await;
        assert_eq!(got.as_u16(), status, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let (status, _) = post(&app, "/calls/unknown/feedback", json!({"priority": "P1"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(app.counts(["decision_feedback"]).await, [0]);

    let comment = "The caller said 514-555-0199 and that it leaks.";
    let first = noted(
        &app,
        json!({"service": "sump", "priority": "P1", "total": "402.41", "comment": comment}),
    )
    .await;
    let second = noted(&app, json!({"priority": "P2"})).await;
    let all = get(&app, "/feedback").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let row = &all["items"][1];
    assert_eq!(
        (
            &row["id"],
            &row["total"],
            &row["priority"],
            &row["service"],
            &row["comment"]
        ),
        (
            &json!(first),
            &json!("402.41"),
            &json!("P1"),
            &json!("sump"),
            &json!(comment)
        )
    );
    assert!(row["resolution"].is_null() && row["decision_id"].is_string());
    // Reads the list in two pages.
    let page = get(&app, "/feedback?limit=1").await;
    assert_eq!(page["items"][0]["id"], json!(second));
    let next = format!("/feedback?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(get(&app, &next).await["items"][0]["id"], json!(first));
    assert_eq!(get(&app, "/feedback?call_id=other").await["items"], json!([]));

    // A viewer reads feedback without phone numbers, and cannot write any.
    let (viewer, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let (_, seen) = app
        .admin_with(&viewer, Method::GET, &format!("{BOOK}/feedback"), None)
        .await;
    assert!(
        !seen.to_string().contains("0199") || seen.to_string().contains("***0199"),
        "{seen}"
    );
    assert!(!seen.to_string().contains("555-0199"), "{seen}");
    let (dispatcher, _) = key(&app, json!({"name": "Julie", "role": "dispatcher"})).await;
    let dismiss = format!("{BOOK}/feedback/{first}/dismiss");
    let why = json!({"comment": "It was right."});
    let (status, _) = app.admin_with(&dispatcher, Method::POST, &dismiss, Some(&why)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, row) = app.admin(Method::POST, &dismiss, Some(&why)).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    assert_eq!(
        (&row["resolution"]["kind"], &row["resolution"]["comment"]),
        (&json!("dismissed"), &json!("It was right."))
    );
    for path in [dismiss.clone(), format!("{BOOK}/feedback/{first}/case")] {
        let body = if path.ends_with("case") {
            json!({"code": "late"})
        } else {
            json!({})
        };
        let (status, problem) = app.admin(Method::POST, &path, Some(&body)).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    }
    assert_eq!(
        get(&app, "/feedback?resolved=true").await["items"][0]["id"],
        json!(first)
    );
    assert_eq!(
        get(&app, "/feedback?resolved=false").await["items"][0]["id"],
        json!(second)
    );
    // The audit log contains the corrected values, but no text that a person wrote.
    let log = app.rows("audit_log t ORDER BY seq").await;
    let log = format!("{log:?}");
    assert!(
        log.contains("402.41") && !log.contains("555-0199") && !log.contains("It was right"),
        "{log}"
    );
    // The number of feedback entries is limited.
    for _ in 1..20 {
        noted(&app, json!({"priority": "P3"})).await;
    }
    let (status, problem) = post(&app, "/calls/call-1/feedback", json!({"priority": "P3"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    app.stop().await;
}

async fn a_case_of_feedback_waits_for_the_rule_that_mends_it(database: Database) {
    let app = with_call(database).await;
    let id = noted(&app, json!({"service": "sump"})).await;
    let case = format!("/feedback/{id}/case");
    for (body, status) in [
        (json!({"code": "NO CODE"}), 400),
        (json!({}), 400),
        (
            json!({"code": "x", "change_set": uuid::Uuid::nil(), "change_set_version": 1}),
            404,
        ),
    ] {
        let (got, problem) = post(&app, &case, body.clone()).await;
        assert_eq!(got.as_u16(), status, "{body}: {problem}");
    }
    let (status, row) = post(&app, &case, json!({"code": "water_heater"})).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    let set = row["resolution"]["change_set_id"].as_str().unwrap().to_owned();
    assert_eq!(row["resolution"]["case_code"], "water_heater");
    // The case is not published yet. It contains the words that matter, but no phone number.
    assert_eq!(
        app.admin(Method::GET, &format!("{BOOK}/cases/water_heater"), None)
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    let waiting = get(&app, &format!("/cases/water_heater?change_set={set}")).await;
    let said = waiting["said"].as_str().unwrap();
    assert!(
        said.contains("chauffe-eau coule") && !said.contains("555-0177"),
        "{waiting}"
    );
    assert_eq!(waiting["expect"]["/service"], "sump");
    assert!(waiting["expect"]["/price/from"].is_null(), "{waiting}");
    // The case can be published only together with the rule that corrects the decision.
    let publish = async || {
        let stands = get(&app, &format!("/change-sets/{set}")).await;
        let path = format!("/change-sets/{set}/publish?version={}", stands["version"]);
        post(&app, &path, json!({})).await
    };
    let (status, problem) = publish().await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(problem["cases"].to_string().contains("water_heater"), "{problem}");
    let service = get(&app, "/services/sump").await;
    let mut keywords = service["keywords"].as_array().unwrap().clone();
    keywords.push(json!("chauffe-eau"));
    let stands = get(&app, &format!("/change-sets/{set}")).await;
    let change = json!({"resource": "services", "code": "sump", "method": "patch", "version": service["version"],
        "body": {"keywords": keywords}});
    let path = format!("/change-sets/{set}/changes?version={}", stands["version"]);
    let (status, answer) = post(&app, &path, change).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (status, answer) = publish().await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(get(&app, "/cases/water_heater").await["expect"]["/service"], "sump");
    app.stop().await;
}

async fn a_case_that_the_rules_meet_already_is_published_at_once(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", "Mon sous-sol est inondé, des racines dans le drain."))
        .await;
    // The feedback asks for the priority that the rules already give.
    let id = noted(&app, json!({"priority": "P1"})).await;
    let (status, row) = post(&app, &format!("/feedback/{id}/case"), json!({"code": "flooded"})).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    assert!(row["resolution"]["change_set_id"].is_null(), "{row}");
    let case = get(&app, "/cases/flooded").await;
    assert_eq!(case["expect"]["/priority"], "P1");
    assert!(!case.to_string().contains("Zenobie"), "{case}");
    // The case is not added to a change set if the request has a missing or stale version of the change set.
    let id = noted(&app, json!({"priority": "P4"})).await;
    let (_, set) = post(&app, "/change-sets", json!({"comment": "calmer"})).await;
    let at = |version: Value| json!({"code": "calm", "change_set": set["id"], "change_set_version": version});
    for (version, wanted) in [(Value::Null, 428), (json!(99), 412)] {
        let (status, problem) = post(&app, &format!("/feedback/{id}/case"), at(version)).await;
        assert_eq!(status.as_u16(), wanted, "{problem}");
    }
    let (status, row) = post(&app, &format!("/feedback/{id}/case"), at(set["version"].clone())).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    assert_eq!(row["resolution"]["change_set_id"], set["id"]);
    app.stop().await;
}

async fn a_case_beside_rules_that_do_not_work_is_refused(database: Database) {
    let app = with_call(database).await;
    let id = noted(&app, json!({"priority": "P2"})).await;
    let contact = get(&app, "/contacts/on_call").await;
    let change = json!({"resource": "contacts", "code": "on_call", "method": "delete", "version": contact["version"]});
    let (status, set) = post(&app, "/change-sets", json!({"changes": [change]})).await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let body = json!({"code": "of_feedback", "change_set": set["id"], "change_set_version": set["version"]});
    let (status, refused) = post(&app, &format!("/feedback/{id}/case"), body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    assert!(get(&app, "/feedback?resolved=false").await["items"][0]["id"] == json!(id));
    app.stop().await;
}

async fn feedback_goes_with_the_caller(database: Database) {
    let app = with_call(database).await;
    app.take(&report("call-2", SAID)).await;
    let comment = json!({"comment": "Zenobie Quatremains was furious"});
    noted(&app, comment.clone()).await;
    let (status, _) = post(&app, "/calls/call-2/feedback", comment.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, erased) = post(&app, "/erasures", json!({"call_id": "call-1"})).await;
    assert_eq!(status, StatusCode::OK, "{erased}");
    let left = app.rows("decision_feedback").await;
    assert_eq!((left.len(), &left[0]["call_id"]), (1, &json!("call-2")));
    // Feedback about an erased caller is rejected.
    let (status, problem) = post(&app, "/calls/call-1/feedback", comment).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    // Retention deletes the caller's words and the feedback about the call.
    let (status, _) = app
        .admin(
            Method::PUT,
            &format!("{BOOK}/retention"),
            Some(&json!({"transcripts_days": 2, "version": 0})),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    app.app.clock.step(TimeDelta::days(3));
    let held = app.app.leases.try_hold("purge", TimeDelta::minutes(1)).await.unwrap();
    let lease = held.unwrap().lease().clone();
    assert!(app.app.purge.run(&lease, &CancellationToken::new()).await.unwrap() > 0);
    assert_eq!(app.counts(["decision_feedback", "call_transcripts"]).await, [0, 0]);
    app.stop().await;
}

async fn the_call_page_takes_feedback_and_keeps_what_was_typed(database: Database) {
    let app = with_call(database).await;
    let (text, _) = key(&app, json!({"name": "Julie", "role": "dispatcher"})).await;
    let mut julie = Browser::with(&app, &text).await;
    let page = julie.page("/console/calls/call-1").await;
    page.has(&["Was the decision right?", "This decision was wrong", "name=\"total\""]);
    assert!(
        !page.text.contains("Make this a case"),
        "a dispatcher must not see a button that needs the role editor"
    );
    let csrf = page.csrf().to_owned();
    let send = async |julie: &Browser<'_>, form: &[(&str, &str)]| {
        let form = [&[("csrf", csrf.as_str())], form].concat();
        julie.post("/console/calls/call-1/feedback", &form).await
    };
    let wrong = send(&julie, &[("total", "cheap"), ("comment", "<b>It leaks</b>")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    wrong.has(&[
        "Write an amount, for example 402.41.",
        "value=\"cheap\"",
        "&lt;b&gt;It leaks",
        "aria-invalid=\"true\"",
        "<details class=\"card wrong\" open",
    ]);
    send(&julie, &[]).await.has(&["Say at least one thing"]);
    send(&julie, &[("service", "gone")])
        .await
        .has(&["This service no longer exists"]);
    julie.language = "fr-CA";
    let wrong = send(&julie, &[("total", "beaucoup")]).await;
    wrong.has(&["Écrivez un montant, par exemple 402,41."]);
    let done = send(
        &julie,
        &[("priority", "P1"), ("total", "1 402,41 $"), ("comment", "Ça coule")],
    )
    .await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/console/calls/call-1?done=noted#feedback")
    );
    let page = julie.page("/console/calls/call-1?done=noted").await;
    page.has(&[
        "Merci.",
        "Elle aurait dû être",
        "1\u{a0}402,41\u{a0}$",
        "Ça coule",
        "Julie",
    ]);
    // A viewer sees the feedback but no form.
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    let page = viewer.page("/console/calls/call-1").await;
    page.has(&["The decision should have been", "Ça coule"]);
    assert!(
        !page.text.contains("/feedback\"") && !page.text.contains("/case\""),
        "{}",
        page.text
    );
    let refused = viewer
        .post(
            "/console/calls/call-1/feedback",
            &[("csrf", &viewer.csrf().await), ("priority", "P1")],
        )
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    app.stop().await;
}

async fn an_editor_makes_a_case_in_the_console(database: Database) {
    let app = with_call(database).await;
    let id = noted(&app, json!({"service": "sump", "comment": "It was the sump."})).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/calls/call-1").await;
    let address = format!("/console/calls/call-1/feedback/{id}/case");
    page.has(&[
        &address,
        "Make this a case",
        "The decision was right: keep this call as a case",
    ]);
    let page = browser.page(&address).await;
    page.has(&[
        "It was the sump.",
        "chauffe-eau coule",
        "A new one, if the rules decide otherwise",
    ]);
    assert!(!page.text.contains("555-0177"), "{}", page.text);
    let csrf = page.csrf().to_owned();
    let (_, set) = post(&app, "/change-sets", json!({"comment": "Water heaters"})).await;
    let seen = format!("{} 99", set["id"].as_str().unwrap());
    let form = [
        ("csrf", csrf.as_str()),
        ("code", "heater"),
        ("said", "le chauffe-eau coule"),
        ("set", seen.as_str()),
    ];
    let stale = browser.post(&address, &form).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    stale.has(&[
        "The change set was changed meanwhile",
        "value=\"heater\"",
        "le chauffe-eau coule",
        "Water heaters",
    ]);
    let form = [
        ("csrf", csrf.as_str()),
        ("code", "heater"),
        ("said", "le chauffe-eau coule"),
        ("set", ""),
    ];
    let done = browser.post(&address, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    browser.page(done.header("location")).await.has(&[
        "This feedback became the case heater.",
        "The case waits in a change set for the rule that corrects the decision.",
        "If it waits in a change set, add to that change set the rule",
    ]);
    let feedback = get(&app, "/feedback").await;
    let set = feedback["items"][0]["resolution"]["change_set_id"].as_str().unwrap();
    let case = get(&app, &format!("/cases/heater?change_set={set}")).await;
    assert_eq!(case["said"], "le chauffe-eau coule");
    // The second attempt is rejected.
    let again = browser.post(&address, &form).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.has(&["resolved already"]);
    // A right decision becomes a case, and feedback about a wrong one is dismissed.
    let kept = browser
        .post("/console/calls/call-1/case", &[("csrf", &csrf), ("code", "as_it_was")])
        .await;
    assert_eq!(
        kept.header("location"),
        "/console/calls/call-1?done=kept#feedback",
        "{}",
        kept.text
    );
    let twice = browser
        .post("/console/calls/call-1/case", &[("csrf", &csrf), ("code", "as_it_was")])
        .await;
    assert_eq!(twice.status, StatusCode::PRECONDITION_FAILED);
    let id = noted(&app, json!({"priority": "P1"})).await;
    let dismiss = format!("/console/calls/call-1/feedback/{id}/dismiss");
    let done = browser
        .post(&dismiss, &[("csrf", &csrf), ("comment", "not urgent")])
        .await;
    browser
        .page(done.header("location"))
        .await
        .has(&["Dismissed.", "says that the decision was right", "not urgent"]);
    let unknown = browser.get("/console/calls/call-1/feedback/x/case").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    app.stop().await;
}
