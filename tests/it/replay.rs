//! Replays and explains stored decisions over HTTP, and stores them as cases.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::ADMIN_KEY,
        messages::{PERSONAL, report, tool_calls},
        tables::having,
    },
};

both!(
    decisions_over_many_revisions_come_out_the_same_again,
    a_decision_that_was_tampered_with_shows_where,
    an_erased_caller_leaves_nothing_to_decide_about,
    a_decision_explains_every_row,
    a_call_becomes_a_case_that_holds_what_was_decided,
    a_failing_case_shows_expected_and_got_and_the_trace,
);

const RULEBOOK: &str = "/admin/v1/rulebooks/default";
/// Number of revisions, each with decisions; `scripts/verify/decided_again.sh` replays more decisions.
const REVISIONS: i64 = 50;
const EACH: usize = 4;

const SAID: [&str; 4] = [
    "J'ai des racines dans le drain.",
    "Hello, there is a flood, my drain is clogged!",
    "Je veux un drain français, 12 mètres.",
    "Avez-vous un camion vacuum?",
];

fn call(id: &str, said: &str) -> Value {
    let mut message = report(id, said);
    let found = &mut message["message"]["analysis"]["structuredData"];
    found["postalCode"] = json!("J4K 2M6");
    found["metres"] = json!("12.5");
    found["promotion"] = json!("spring");
    message
}

async fn post(server: &TestApp, message: &Value) {
    let (status, answer) = server.post_signed(message).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Patches a row of the head with its current version.
async fn change(server: &TestApp, path: &str, patch: &Value) {
    let path = format!("{RULEBOOK}/{path}");
    let (_, row) = server.admin(Method::GET, &path, None).await;
    let mut patch = patch.clone();
    patch["version"] = row["version"].clone();
    let (status, answer) = server.admin(Method::PATCH, &path, Some(&patch)).await;
    assert_eq!(status, StatusCode::OK, "{path} {patch}: {answer}");
}

async fn put(server: &TestApp, path: &str, row: &Value) {
    let (status, answer) = server
        .admin(Method::PUT, &format!("{RULEBOOK}/{path}"), Some(row))
        .await;
    assert!(status.is_success(), "{path} {row}: {answer}");
}

/// Publishes the next revision: another price, condition or script.
async fn next_revision(server: &TestApp, number: i64) {
    match number % 4 {
        0 => {
            let price =
                json!({"price_from": format!("{}.00", 400 + number), "price_to": format!("{}.50", 700 + number)});
            change(server, "services/root_removal", &price).await;
        }
        1 => {
            let condition = json!({"condition": format!("area == \"south_shore\" && !says(\"nobody {number}\")")});
            change(server, "adjustments/south_shore", &condition).await;
        }
        2 => {
            let source = format!(
                "if fact(\"promotion\") == \"spring\" {{ quote.percent(-{}, \"spring\"); quote.floor(350, \"least\"); }}",
                1 + number % 20
            );
            change(server, "scripts/spring_promotion", &json!({"source": source})).await;
        }
        _ => {
            // This script fails only for some callers, so that some decisions are degraded.
            let source =
                format!("if quote.to > 5000 {{ throw \"too dear {number}\" }} quote.add({number}, \"travel\");");
            let path = "scripts/travel";
            let (status, row) = server.admin(Method::GET, &format!("{RULEBOOK}/{path}"), None).await;
            if status == StatusCode::OK {
                change(server, path, &json!({"source": source})).await;
            } else {
                assert_eq!(status, StatusCode::NOT_FOUND, "{row}");
                let row = json!({"hook": "price", "rank": 20, "source": source});
                put(server, path, &row).await;
            }
        }
    }
}

async fn decisions_over_many_revisions_come_out_the_same_again(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    for revision in 1..=REVISIONS {
        if revision > 1 {
            next_revision(&server, revision).await;
        }
        for (number, said) in SAID.iter().enumerate().take(EACH) {
            post(&server, &call(&format!("call-{revision}-{number}"), said)).await;
        }
    }
    let asked = json!({"serviceType": "root_removal", "postalCode": "J4K 2M6"});
    post(&server, &tool_calls("asked", 1_000, &[("t1", "calculateQuote", asked)])).await;
    let mut decisions = Vec::new();
    let mut path = format!("{RULEBOOK}/decisions?limit=200");
    loop {
        let (status, page) = server.admin(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        decisions.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{RULEBOOK}/decisions?limit=200&cursor={cursor}");
    }
    assert_eq!(decisions.len(), usize::try_from(REVISIONS).unwrap() * EACH + 1);
    let revisions: std::collections::BTreeSet<i64> = decisions
        .iter()
        .map(|decision| decision["revision"].as_i64().unwrap())
        .collect();
    assert_eq!(revisions.len(), usize::try_from(REVISIONS).unwrap());
    let degraded = decisions.iter().filter(|decision| decision["degraded"] == true).count();
    assert!(degraded > 0 && degraded < decisions.len() / 2, "{degraded} degraded");
    for decision in &decisions {
        let path = format!("{RULEBOOK}/decisions/{}/replay", decision["id"].as_str().unwrap());
        let (status, replay) = server.admin(Method::POST, &path, None).await;
        assert_eq!(
            (status, &replay["same"]),
            (StatusCode::OK, &json!(true)),
            "{decision:#} {replay:#}"
        );
    }
    server.stop().await;
}

async fn a_decision_that_was_tampered_with_shows_where(database: Database) {
    let server = TestApp::start(database).await;
    post(&server, &call("one", SAID[0])).await;
    let stored = server.only_row("decisions").await;
    let text = serde_json::to_string(&stored["result"])
        .unwrap()
        .replace("South", "North");
    let altered = text
        .replace("\"priority\":\"P4\"", "\"priority\":\"P2\"")
        .replace('\'', "''");
    assert_ne!(text, altered);
    server.sql(&format!("UPDATE decisions SET result = '{altered}'")).await;
    let (_, list) = server.admin(Method::GET, &format!("{RULEBOOK}/decisions"), None).await;
    let path = format!(
        "{RULEBOOK}/decisions/{}/replay",
        list["items"][0]["id"].as_str().unwrap()
    );
    let (status, replay) = server.admin(Method::POST, &path, None).await;
    assert_eq!((status, &replay["same"]), (StatusCode::OK, &json!(false)), "{replay}");
    let places = json!([{"place": "/priority", "stored": "P2", "now": "P4"}]);
    assert_eq!(replay["differences"], places, "{replay}");
    server.stop().await;
}

async fn an_erased_caller_leaves_nothing_to_decide_about(database: Database) {
    let server = TestApp::start(database).await;
    post(&server, &call("gone", SAID[0])).await;
    post(
        &server,
        &json!({"message": {"type": "call.deleted", "call": {"id": "gone"}}}),
    )
    .await;
    let (_, list) = server.admin(Method::GET, &format!("{RULEBOOK}/decisions"), None).await;
    let path = format!("{RULEBOOK}/decisions/{}", list["items"][0]["id"].as_str().unwrap());
    let (status, problem) = server.admin(Method::POST, &format!("{path}/replay"), None).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("conflict")),
        "{problem}"
    );
    let (status, _) = server.admin(Method::GET, &format!("{path}?explain=true"), None).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let case = json!({"code": "gone"});
    let (status, _) = server
        .admin(Method::POST, &format!("{RULEBOOK}/calls/gone/case"), Some(&case))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    server.stop().await;
}

async fn a_decision_explains_every_row(database: Database) {
    let server = TestApp::start(database).await;
    post(&server, &call("one", SAID[0])).await;
    let (_, list) = server.admin(Method::GET, &format!("{RULEBOOK}/decisions"), None).await;
    let path = format!("{RULEBOOK}/decisions/{}", list["items"][0]["id"].as_str().unwrap());
    let (_, plain) = server.admin(Method::GET, &path, None).await;
    assert!(plain["explanation"].is_null(), "{plain}");
    let explained = format!("{path}?explain=true");
    let (status, decision) = server.admin(Method::GET, &explained, None).await;
    assert_eq!(status, StatusCode::OK, "{decision}");
    let why = &decision["explanation"];
    assert_eq!(why["say"], decision["decision"]["say"]);
    assert_eq!(
        (&why["language"], &why["revision"], &why["head"]),
        (&json!("fr"), &json!(1), &json!(1))
    );
    assert!(why["changed_since"].is_null(), "{why}");
    let step = |list: &Value, resource: &str, code: &str| {
        let found = list.as_array().unwrap().iter();
        let found = found
            .clone()
            .find(|step| step["resource"] == resource && step["code"] == code);
        found
            .cloned()
            .unwrap_or_else(|| panic!("{resource}/{code} in {list:#}"))
    };
    let south = step(&why["took_part"], "adjustments", "south_shore");
    assert_eq!(
        (&south["money"]["from_before"], &south["money"]["from_after"]),
        (&json!("450"), &json!("550"))
    );
    for (resource, code, did) in [
        (
            "adjustments",
            "complex",
            "complexity == \"complex\" fails: complexity is missing",
        ),
        ("services", "septic_tank", "not named, and none of its words heard"),
        ("areas", "laval", "neither the postal code nor the city lies in it"),
        (
            "priority-rules",
            "municipal",
            "none of 2 alternatives holds; the first: sounds_municipal >= 60 fails: sounds_municipal is missing",
        ),
    ] {
        assert_eq!(step(&why["left_out"], resource, code)["did"], did);
    }
    // Every row of these kinds is in the trace, or the explanation says why it is not.
    for resource in ["services", "areas", "adjustments", "priority-rules"] {
        let (_, rows) = server
            .admin(Method::GET, &format!("{RULEBOOK}/{resource}?limit=200"), None)
            .await;
        for row in rows["items"].as_array().unwrap() {
            let is = |step: &&Value| step["resource"] == resource && step["code"] == row["code"];
            let (took, left) = (
                why["took_part"].as_array().unwrap(),
                why["left_out"].as_array().unwrap(),
            );
            assert_ne!(
                took.iter().any(|step| is(&step)),
                left.iter().any(|step| is(&step)),
                "{resource} {row}"
            );
        }
    }
    // After a change of the rules, the explanation still uses the decision's own revision and links to the difference.
    change(&server, "adjustments/south_shore", &json!({"amount": "120.00"})).await;
    let (_, decision) = server.admin(Method::GET, &explained, None).await;
    let why = &decision["explanation"];
    assert_eq!((&why["revision"], &why["head"]), (&json!(1), &json!(2)));
    assert_eq!(why["changed_since"], format!("{RULEBOOK}/revisions/1/diff?to=head"));
    assert_eq!(step(&why["took_part"], "adjustments", "south_shore"), south);
    let question = json!({"facts": {"postal_code": "J4K 2M6"}, "said": SAID[0]});
    let path = format!("{RULEBOOK}/evaluate");
    let (status, answer) = server
        .admin(Method::POST, &format!("{path}?explain=true"), Some(&question))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    step(&answer["explanation"]["left_out"], "adjustments", "complex");
    assert!(server.admin(Method::POST, &path, Some(&question)).await.1["explanation"].is_null());
    server.stop().await;
}

async fn a_call_becomes_a_case_that_holds_what_was_decided(database: Database) {
    let server = TestApp::start(database).await;
    let said = "Ici Zenobie Quatremains, 77 rue du Hibou.\nJ'ai des racines et c'est inondé, appelez le 4385550177.";
    post(&server, &call("one", said)).await;
    let path = format!("{RULEBOOK}/calls/one/case");
    let wanted = json!({"code": "flooded_roots", "comment": "it went well"});
    let (status, case) = server.admin(Method::POST, &path, Some(&wanted)).await;
    assert_eq!(status, StatusCode::CREATED, "{case}");
    assert_eq!(
        (&case["code"], &case["comment"], &case["version"]),
        (&wanted["code"], &wanted["comment"], &json!(2))
    );
    assert_eq!(case["at"], "2026-11-24T15:00:00Z");
    let expected = &case["expect"];
    assert_eq!(
        (&expected["/service"], &expected["/priority"]),
        (&json!("root_removal"), &json!("P1")),
        "{case}"
    );
    assert_eq!(
        (&expected["/price/from"], &expected["/area"]),
        (&json!("523.00"), &json!("south_shore")),
        "{case}"
    );
    // Neither the case nor its audit entry contains data of the caller.
    let mut places = vec![case.clone()];
    for table in ["cases", "audit_log"] {
        let written = having(&server.rows(table).await, "code", "flooded_roots");
        assert_eq!(written.len(), 1, "{table}");
        places.extend(written);
    }
    for place in places {
        for personal in PERSONAL.iter().chain(&["2M6"]) {
            assert!(!place.to_string().contains(personal), "{personal} in {place}");
        }
    }
    // The new case works like any other: a change that breaks it is rejected.
    let again = server.admin(Method::POST, &path, Some(&wanted)).await;
    assert_eq!(
        (again.0, &again.1["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
        "{}",
        again.1
    );
    let patch = json!({"amount": "120.00", "version": 1});
    let south = format!("{RULEBOOK}/adjustments/south_shore");
    let (status, problem) = server.admin(Method::PATCH, &south, Some(&patch)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(
        problem["errors"][0]["pointer"], "cases/flooded_roots/expect/~1price~1from",
        "{problem}"
    );

    // If the head decides differently, the client can request a case with the head's decision.
    let code = format!("{RULEBOOK}/cases/flooded_roots?version=2");
    let request = server
        .client
        .delete(server.url(&code))
        .bearer_auth(ADMIN_KEY)
        .header("if-match", "\"2\"");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(
        server.admin(Method::PATCH, &south, Some(&patch)).await.0,
        StatusCode::OK
    );
    let (status, problem) = server.admin(Method::POST, &path, Some(&wanted)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let wanted = json!({"code": "flooded_roots", "expect": "head"});
    let (status, case) = server.admin(Method::POST, &path, Some(&wanted)).await;
    assert_eq!(
        (status, &case["expect"]["/price/from"]),
        (StatusCode::CREATED, &json!("542.00")),
        "{case}"
    );
    // The case can be added to a change set like any other change.
    let sets = format!("{RULEBOOK}/change-sets");
    let (_, set) = server
        .admin(Method::POST, &sets, Some(&json!({"comment": "cases"})))
        .await;
    let kept = |version: Value| json!({"code": "in_a_set", "expect": "head", "change_set": set["id"], "change_set_version": version});
    let (status, case) = server
        .admin(Method::POST, &path, Some(&kept(set["version"].clone())))
        .await;
    assert_eq!((status, &case["version"]), (StatusCode::CREATED, &json!(0)), "{case}");
    let one = format!("{RULEBOOK}/cases/in_a_set");
    assert_eq!(server.admin(Method::GET, &one, None).await.0, StatusCode::NOT_FOUND);
    let would_be = format!("{one}?change_set={}", set["id"].as_str().unwrap());
    assert_eq!(
        server.admin(Method::GET, &would_be, None).await.1["expect"],
        case["expect"]
    );
    for (version, status) in [
        (json!(null), StatusCode::PRECONDITION_REQUIRED),
        (set["version"].clone(), StatusCode::PRECONDITION_FAILED),
    ] {
        let (answered, problem) = server.admin(Method::POST, &path, Some(&kept(version))).await;
        assert_eq!(answered, status, "{problem}");
    }
    for (path, body, status) in [
        ("calls/nobody/case", json!({"code": "x"}), StatusCode::NOT_FOUND),
        ("calls/one/case", json!({}), StatusCode::BAD_REQUEST),
        ("calls/one/case", json!({"code": "NOT A CODE"}), StatusCode::BAD_REQUEST),
        (
            "calls/one/case",
            json!({"code": "x", "expect": "nothing"}),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let (answered, problem) = server
            .admin(Method::POST, &format!("{RULEBOOK}/{path}"), Some(&body))
            .await;
        assert_eq!(answered, status, "{path} {body}: {problem}");
    }
    server.stop().await;
}

async fn a_failing_case_shows_expected_and_got_and_the_trace(database: Database) {
    let server = TestApp::start(database).await;
    let case = json!({
        "at": "2026-11-24T15:00:00Z", "said": SAID[0], "facts": {"postal_code": "J4K"},
        "expect": {"/price/from": "450.00"},
    });
    let path = format!("{RULEBOOK}/cases/cheap");
    let (status, problem) = server.admin(Method::PUT, &path, Some(&case)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(
        problem["errors"][0]["pointer"], "cases/cheap/expect/~1price~1from",
        "{problem}"
    );
    let case = &problem["cases"][0];
    assert_eq!(
        (&case["code"], &case["passed"]),
        (&json!("cheap"), &json!(false)),
        "{problem}"
    );
    let mismatch = json!([{"place": "/price/from", "expected": "450.00", "got": "550.00"}]);
    assert_eq!(case["mismatches"], mismatch);
    let trace = case["decision"]["trace"].as_array().unwrap();
    let south = trace
        .iter()
        .find(|step| step["resource"] == "adjustments" && step["code"] == "south_shore");
    assert_eq!(south.unwrap()["money"]["from_after"], "550", "{trace:?}");
    server.stop().await;
}
