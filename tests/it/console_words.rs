//! The console's "Words" page over HTTP: calls that matched nothing are grouped by common words. A phrase is tried on
//! past calls and becomes a rule. If two people edit concurrently, the second person sees the first person's change.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::browser::{Browser, Shown, key};
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    calls_that_matched_nothing_are_grouped,
    phrases_are_tried_on_past_calls,
    concepts_are_counted,
    a_phrase_becomes_a_keyword_a_phrase_or_a_concept,
    a_phrase_goes_into_a_change_set,
    what_is_wrong_is_told_and_who_was_slower_sees_what_changed,
    a_viewer_reads_words_without_numbers,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

fn noon() -> DateTime<Utc> {
    "2026-11-24T17:00:00Z".parse().unwrap()
}

/// Starts a server and records calls about a water heater, which match no service, and one call about roots.
async fn with_calls(database: Database) -> TestApp {
    let app = TestApp::at_rest(database, noon()).await;
    for (call, said) in [
        ("call-1", "Bonjour, mon chauffe-eau coule depuis hier."),
        ("call-2", "Le chauffe-eau coule! Rappelez au 514-555-0199."),
        ("call-3", "Allô, mon chauffe-eau coule, <b>vite</b>."),
        ("call-4", "Bonjour, pouvez-vous me rappeler?"),
        ("call-5", "J'ai des racines dans le drain."),
        ("call-6", "Il n'y a pas de chauffe-eau qui coule, j'ai une piscine."),
    ] {
        app.take(&report(call, said)).await;
    }
    // A call counts as past only if its decision is older than the current instant.
    app.app.clock.step(TimeDelta::seconds(1));
    app
}

async fn get(app: &TestApp, path: &str) -> Value {
    let (status, answer) = app.admin(Method::GET, &format!("{BOOK}{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn add(browser: &Browser<'_>, form: &[(&str, &str)]) -> Shown {
    let page = browser.page("/console/words/add").await;
    let (_, seen) = page.text.split_once("name=\"seen\" value=\"").unwrap();
    let seen = seen.split('"').next().unwrap();
    let form = [&[("csrf", page.csrf()), ("seen", seen), ("do", "save")], form].concat();
    browser.post("/console/words/add", &form).await
}

async fn calls_that_matched_nothing_are_grouped(database: Database) {
    let app = with_calls(database).await;
    let plain = get(&app, "/unmatched-calls").await;
    assert!(
        plain["groups"].is_null() && plain["calls"][0]["said"].is_null(),
        "{plain}"
    );
    let told = get(&app, "/unmatched-calls?said=true").await;
    assert_eq!(
        told["groups"],
        json!([{"phrase": "chauffe-eau coule", "call_ids": ["call-3", "call-2", "call-1"]}]),
        "{told}"
    );
    assert_eq!(told["calls"].as_array().unwrap().len(), 4);
    assert_eq!(told["calls"][0]["said"], "Bonjour, pouvez-vous me rappeler?");
    let browser = Browser::with(&app, ADMIN_KEY).await;
    browser.page("/console/words").await.has(&[
        "chauffe-eau coule",
        "3 calls",
        "href=\"/console/calls/call-1\"",
        "/console/words/add?phrase=chauffe-eau+coule&amp;language=fr",
        "Bonjour, pouvez-vous me rappeler?",
        "Allô, mon chauffe-eau coule, &lt;b&gt;vite&lt;/b&gt;.",
    ]);
    // The words of an erased caller are not shown.
    let (status, _) = app
        .admin(
            Method::POST,
            &format!("{BOOK}/erasures"),
            Some(&json!({"call_id": "call-4"})),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let page = browser.page("/console/words").await;
    assert!(!page.text.contains("pouvez-vous"), "{}", page.text);
    page.has(&["(The caller said nothing.)"]);
    app.stop().await;
}

async fn phrases_are_tried_on_past_calls(database: Database) {
    let app = with_calls(database).await;
    let path = format!("{BOOK}/phrase-matches");
    let ask = async |body: Value| app.admin(Method::POST, &path, Some(&body)).await;
    let (status, found) = ask(json!({"phrases": ["chauffe-eau .. coule", "piscine", "rien"], "language": "fr"})).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["looked_at"], 6);
    let numbers: Vec<(i64, i64)> = found["phrases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["calls"].as_i64().unwrap(), one["counting"].as_i64().unwrap()))
        .collect();
    assert_eq!(numbers, [(4, 3), (1, 1), (0, 0)], "{found}");
    let pool = &found["phrases"][1]["examples"][0];
    assert_eq!(
        (&pool["call_id"], &pool["service"], &pool["counts"]),
        (&json!("call-6"), &json!("pool"), &json!(true))
    );
    for (body, status, pointer) in [
        (json!({"phrases": []}), 400, "/phrases"),
        (json!({"phrases": [""]}), 400, "/phrases/0"),
        (json!({"phrases": ["good", "..."]}), 422, "/phrases/1"),
        (json!({"phrases": ["x"], "language": "French"}), 400, "/language"),
        (json!({"phrases": ["x"], "days": 0}), 400, "/days"),
    ] {
        let (got, problem) = ask(body.clone()).await;
        assert_eq!(got.as_u16(), status, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    // A viewer sees no phone number, and the page omits the words of an erased caller.
    let (viewer, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let body = json!({"phrases": ["rappelez"]});
    let (_, seen) = app.admin_with(&viewer, Method::POST, &path, Some(&body)).await;
    assert!(
        seen["phrases"][0]["calls"] == 1 && !seen.to_string().contains("555-0199"),
        "{seen}"
    );
    let (status, _) = app
        .admin(
            Method::POST,
            &format!("{BOOK}/erasures"),
            Some(&json!({"call_id": "call-2"})),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ask(body).await.1["phrases"][0]["calls"], 0);
    app.stop().await;
}

async fn concepts_are_counted(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    app.take(&report("call-1", "Mon sous-sol est inondé.")).await;
    app.take(&report("call-2", "Il n'y a pas d'inondation, des racines."))
        .await;
    app.app.hits.flush(&app.app.db, app.app.clock.now()).await.unwrap();
    app.app.clock.step(TimeDelta::seconds(1));
    let hits = get(&app, "/rule-hits?resource=concepts&limit=200").await;
    let flood = hits["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|hit| hit["code"] == "flood")
        .unwrap();
    assert_eq!((&flood["hits"], &flood["unused"]), (&json!(1), &json!(false)), "{hits}");
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/words").await;
    page.has(&[
        "href=\"/console/words/concepts/flood\"",
        "Counted in 30 days",
        "phrases:",
    ]);
    let page = browser.page("/console/words/concepts/flood").await;
    page.has(&[
        "<h1>flood</h1>",
        "Calls where it counts",
        "inond",
        "Counted in the newest 2 calls",
    ]);
    let missing = browser.get("/console/words/concepts/nothing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    app.stop().await;
}

async fn a_phrase_becomes_a_keyword_a_phrase_or_a_concept(database: Database) {
    let app = with_calls(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    // The page first shows a preview on past calls.
    let page = browser
        .page("/console/words/add?phrase=chauffe-eau+coule&language=fr")
        .await;
    page.has(&[
        "value=\"chauffe-eau coule\"",
        "3 of the newest 6 calls contain the phrase",
        "<mark class=\"counts\">chauffe-eau coule</mark>",
        "&lt;b&gt;vite",
        "No service found",
    ]);
    let form = [
        ("phrase", "chauffe-eau"),
        ("language", "fr"),
        ("target", "service:sump"),
    ];
    let done = add(&browser, &form).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/console/words?done=live"),
        "{}",
        done.text
    );
    let keywords = get(&app, "/services/sump").await["keywords"].clone();
    assert_eq!(keywords.as_array().unwrap().last().unwrap(), "chauffe-eau");
    browser
        .page("/console/words?done=live")
        .await
        .has(&["The next call uses it."]);
    app.take(&report("call-7", "Mon chauffe-eau coule.")).await;
    assert_eq!(
        get(&app, "/decisions?call_id=call-7").await["items"][0]["service"],
        "sump"
    );
    // This form adds a phrase to an existing concept.
    let form = [
        ("phrase", "ça monte vite"),
        ("language", "fr"),
        ("target", "concept:flood"),
    ];
    let done = add(&browser, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let concept = get(&app, "/concepts/flood").await;
    assert!(concept["phrases"]["fr"].to_string().contains("ça monte vite"));
    assert!(
        concept["phrases"]["en"].as_array().unwrap().len() > 3,
        "the other phrases were removed"
    );
    // This form creates a concept and adds it to the keywords of a service, in one change.
    browser.language = "fr-CA";
    let form = [
        ("phrase", "réservoir d'eau chaude"),
        ("language", "fr"),
        ("target", "new"),
        ("name", "Eau chaude"),
        ("service", "sump"),
    ];
    let done = add(&browser, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(
        get(&app, "/concepts/eau_chaude").await["phrases"],
        json!({"fr": ["réservoir d'eau chaude"]})
    );
    app.take(&report("call-8", "Le réservoir d'eau chaude est vide.")).await;
    assert_eq!(
        get(&app, "/decisions?call_id=call-8").await["items"][0]["service"],
        "sump"
    );
    browser
        .page("/console/words/concepts/eau_chaude")
        .await
        .has(&["Utilisé par", "Puisard"]);
    // No change set is left open.
    assert_eq!(get(&app, "/change-sets?state=open").await["items"], json!([]));
    app.stop().await;
}

async fn a_phrase_goes_into_a_change_set(database: Database) {
    let app = with_calls(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let form = [
        ("phrase", "chauffe-eau"),
        ("language", "fr"),
        ("target", "service:sump"),
        ("set", "new"),
    ];
    let done = add(&browser, &form).await;
    assert_eq!(done.header("location"), "/console/words?done=set", "{}", done.text);
    assert!(!get(&app, "/services/sump").await.to_string().contains("chauffe-eau"));
    let set = get(&app, "/change-sets?state=open").await["items"][0].clone();
    assert_eq!(set["comment"], "Phrase: chauffe-eau");
    // The second phrase is added to the same change set. The first phrase remains.
    let value = format!("{} {}", set["id"].as_str().unwrap(), set["version"]);
    let form = [
        ("phrase", "water heater"),
        ("language", "en"),
        ("target", "service:sump"),
        ("set", value.as_str()),
    ];
    let done = add(&browser, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let row = get(
        &app,
        &format!("/services/sump?change_set={}", set["id"].as_str().unwrap()),
    )
    .await;
    let keywords = row["keywords"].to_string();
    assert!(
        keywords.contains("chauffe-eau") && keywords.contains("water heater"),
        "{keywords}"
    );
    // This form has the old version of the change set, as if somebody had added to it meanwhile.
    let form = [
        ("phrase", "hot tank"),
        ("language", "en"),
        ("target", "concept:flood"),
        ("set", value.as_str()),
    ];
    let stale = add(&browser, &form).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    stale.has(&["Somebody changed", "value=\"hot tank\"", "Save again"]);
    app.stop().await;
}

async fn what_is_wrong_is_told_and_who_was_slower_sees_what_changed(database: Database) {
    let app = with_calls(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let fr = ("language", "fr");
    for (form, status, text) in [
        (
            vec![fr, ("target", "service:sump")],
            422,
            "Write the words to listen for.",
        ),
        (vec![fr, ("phrase", "x y")], 422, "Choose what the phrase means."),
        (
            vec![fr, ("phrase", "x y"), ("target", "service:gone")],
            422,
            "Your choice was removed meanwhile.",
        ),
        (
            vec![("phrase", "x y"), ("target", "concept:flood")],
            422,
            "Choose a language.",
        ),
        (
            vec![fr, ("phrase", "x y"), ("target", "new")],
            422,
            "Write a name with letters",
        ),
        (
            vec![fr, ("phrase", "x y"), ("target", "new"), ("name", "Flood")],
            422,
            "There is a concept of this name",
        ),
        (
            vec![fr, ("phrase", "puisard*"), ("target", "service:sump")],
            422,
            "This phrase is there already.",
        ),
        (
            vec![fr, ("phrase", "..."), ("target", "concept:flood")],
            422,
            "id=\"fault-bad\"",
        ),
        (vec![fr, ("phrase", "<b>"), ("target", "nonsense")], 422, "&lt;b&gt;"),
    ] {
        let shown = add(&browser, &form).await;
        assert_eq!(shown.status.as_u16(), status, "{form:?}: {}", shown.text);
        shown.has(&[text]);
    }
    // The form was opened before somebody else changed the row.
    let page = browser.page("/console/words/add").await;
    let (_, seen) = page.text.split_once("name=\"seen\" value=\"").unwrap();
    let seen = seen.split('"').next().unwrap();
    let service = get(&app, "/services/sump").await;
    let mut keywords: Vec<Value> = service["keywords"].as_array().unwrap().clone();
    let gone = keywords.pop().unwrap();
    keywords.push(json!("bassin"));
    let change = json!({"keywords": keywords, "version": service["version"]});
    let (status, answer) = app
        .admin(Method::PATCH, &format!("{BOOK}/services/sump"), Some(&change))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let csrf = page.csrf();
    let form = [
        ("csrf", csrf),
        ("seen", seen),
        fr,
        ("phrase", "chauffe-eau"),
        ("target", "service:sump"),
        ("do", "save"),
    ];
    let shown = browser.post("/console/words/add", &form).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_FAILED, "{}", shown.text);
    shown.has(&[
        "Somebody changed the same row",
        "New in the row: bassin",
        "No longer in the row:",
        "value=\"chauffe-eau\"",
    ]);
    assert!(shown.text.contains(gone.as_str().unwrap()) || gone.as_str().unwrap().contains('&'));
    // After the person has seen the other change, the phrase is added to the current row.
    let (_, seen) = shown.text.split_once("name=\"seen\" value=\"").unwrap();
    let form = [
        ("csrf", csrf),
        ("seen", seen.split('"').next().unwrap()),
        fr,
        ("phrase", "chauffe-eau"),
        ("target", "service:sump"),
    ];
    let done = browser.post("/console/words/add", &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let now = get(&app, "/services/sump").await["keywords"].to_string();
    assert!(now.contains("bassin") && now.contains("chauffe-eau"), "{now}");
    // A rule that breaks a case is rejected with the reason, and the form keeps all input.
    let case = json!({"code": "slow_is_calm", "at": "2026-11-24T15:00:00Z", "said": "Le drain est lent.", "facts": {},
        "expect": {"/priority": "P4"}});
    let (status, answer) = app
        .admin(Method::PUT, &format!("{BOOK}/cases/slow_is_calm"), Some(&case))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let form = [fr, ("phrase", "drain est lent"), ("target", "concept:flood")];
    let shown = add(&browser, &form).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", shown.text);
    shown.has(&["This was not saved:", "slow_is_calm", "value=\"drain est lent\""]);
    app.stop().await;
}

async fn a_viewer_reads_words_without_numbers(database: Database) {
    let app = with_calls(database).await;
    let service = get(&app, "/services/sump").await;
    let mut keywords = service["keywords"].as_array().unwrap().clone();
    keywords.push(json!("puisard 514-555-0205"));
    let change = json!({"keywords": keywords, "version": service["version"]});
    let (status, answer) = app
        .admin(Method::PATCH, &format!("{BOOK}/services/sump"), Some(&change))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let concept = get(&app, "/concepts/flood").await;
    let mut phrases = concept["phrases"]["fr"].as_array().unwrap().clone();
    phrases.insert(0, json!("appelez 514 555 0206"));
    let change = json!({"phrases": {"fr": phrases}, "version": concept["version"]});
    let (status, answer) = app
        .admin(Method::PATCH, &format!("{BOOK}/concepts/flood"), Some(&change))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (text, _) = key(&app, json!({"name": "Reader", "role": "viewer"})).await;
    let viewer = Browser::with(&app, &text).await;
    for path in ["/console/words", "/console/words/concepts/flood"] {
        let page = viewer.page(path).await;
        for number in ["555-0199", "555-0205", "555 0206"] {
            assert!(!page.text.contains(number), "{path} {number}: {}", page.text);
        }
        assert!(!page.text.contains("/words/add"), "{path}: {}", page.text);
    }
    let page = viewer.page("/console/words/add?phrase=rappelez&language=fr").await;
    page.has(&[
        "This needs a key with the role editor.",
        "2 of the newest 6 calls contain the phrase",
    ]);
    assert!(
        !page.text.contains("555-0199") && !page.text.contains("name=\"target\""),
        "{}",
        page.text
    );
    let csrf = viewer.csrf().await;
    let form = [
        ("csrf", csrf.as_str()),
        ("phrase", "x y"),
        ("language", "fr"),
        ("target", "service:sump"),
    ];
    let refused = viewer.post("/console/words/add", &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.has(&["Your key may not do this"]);
    app.stop().await;
}
