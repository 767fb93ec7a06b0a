//! Tests `ringbook doctor`. It reports a good set-up as good, and reports each problem with what to do. The checks
//! change nothing.

use std::{path::Path, process::Command};

use base::{clock::Clock, secret::Secret};
use chrono::TimeDelta;
use intake::parse::facts::read_message;
use reqwest::{Method, StatusCode};
use ringbook::{
    doctor::{self, Finding, Level, assistant::RecommendedAssistant},
    labelled,
    settings::{Settings, TwilioAccount, TwilioFrom},
};
use rules::{compile, facts::Fact, sample};
use serde_json::{Value, json};

use crate::{
    both,
    support::{Answer, Database, StandIn, TestApp, Vapi, messages::report, vapi::VAPI_KEY, vapi::ended_call},
};

both!(
    a_good_set_up_has_nothing_wrong,
    a_running_server_is_asked_what_it_says_of_itself,
    what_is_wrong_is_found_and_says_what_to_do,
    the_commands_work_on_a_database_that_was_started_on,
);

const SID: &str = "AC00000000000000000000000000000001";

/// Builds the settings of a running server, as in production.
fn settings(server: &TestApp, vapi: &Vapi, twilio: &StandIn) -> Settings {
    let mut settings = Settings::clone(&server.app.settings);
    settings.public_url = Some(server.url(""));
    settings.vapi_base_url = vapi.url();
    settings.vapi_api_key = Some(Secret::new(VAPI_KEY.to_owned()));
    settings.twilio_base_url = twilio.url();
    settings.twilio = Some(TwilioAccount {
        account_sid: SID.to_owned(),
        auth_token: Secret::new("a-token-of-twilio".to_owned()),
        from: TwilioFrom::Number("+15145550100".to_owned()),
    });
    settings
}

fn assistant(url: &str, plan: &Value) -> Value {
    json!({
        "id": "assistant-1", "name": "Paul", "server": {"url": url, "backoffPlan": plan},
        "artifactPlan": {"structuredOutputIds": ["output-1"]},
    })
}

fn of<'a>(found: &'a [Finding], check: &str, level: Level) -> Vec<&'a Finding> {
    let those = found.iter().filter(|one| one.check == check && one.level == level);
    those.collect()
}

/// Returns whether a finding is about the PostgreSQL server of the tests, which trades safety for speed.
fn is_of_the_test_server(text: &str) -> bool {
    [
        "`fsync` is off",
        "`full_page_writes` is off",
        "`synchronous_commit` is off",
    ]
    .iter()
    .any(|known| text.starts_with(known))
}

async fn a_good_set_up_has_nothing_wrong(database: Database) {
    let server = TestApp::start(database).await;
    let (vapi, url) = (Vapi::start().await, server.url("/webhooks/vapi"));
    vapi.answers(
        "/assistant",
        json!([assistant(&url, &doctor::vapi::best_server(&url)["backoffPlan"])]),
    );
    vapi.answers("/phone-number", json!([]));
    let number = json!({"incoming_phone_numbers": [{"capabilities": {"sms": true}, "sms_url": server.url("/webhooks/twilio/inbound")}]});
    let twilio = StandIn::start(vec![
        Answer::json(200, &json!({"status": "active"})),
        Answer::json(200, &number),
    ])
    .await;
    let found = doctor::examine(&settings(&server, &vapi, &twilio), None, &Clock::system())
        .await
        .findings;
    let wrong: Vec<_> = found.iter().filter(|one| one.level == Level::Wrong).collect();
    assert!(wrong.iter().all(|one| is_of_the_test_server(&one.text)), "{wrong:#?}");
    let checks = [
        "secret key",
        "database",
        "migrations",
        "rulebook",
        "webhook secret",
        "public URL",
        "vapi",
        "twilio",
        "clock",
    ];
    for check in checks {
        assert!(!of(&found, check, Level::Ok).is_empty(), "{check}: {found:#?}");
    }
    // The only remaining finding is that the stand-ins have no certificate.
    assert!(
        of(&found, "vapi", Level::Warning).is_empty() && of(&found, "twilio", Level::Warning).is_empty(),
        "{found:#?}"
    );
    let said = format!("{found:?}");
    for secret in ["a-token-of-twilio", VAPI_KEY, "test-vapi-secret-0123456789"] {
        assert!(!said.contains(secret), "{said}");
    }
    server.stop().await;
}

async fn a_running_server_is_asked_what_it_says_of_itself(database: Database) {
    let server = TestApp::start(database).await;
    let (vapi, twilio) = (Vapi::start().await, StandIn::start(vec![]).await);
    let settings = settings(&server, &vapi, &twilio);
    let url = server.url("");
    let found = doctor::examine(&settings, Some(url.trim_end_matches('/')), &Clock::system())
        .await
        .findings;
    let said = &of(&found, "server", Level::Ok)[0].text;
    assert!(
        said.contains("is ready") && said.contains("checks succeed"),
        "{found:#?}"
    );
    // Nothing listens on port 9.
    let found = doctor::examine(&settings, Some("http://127.0.0.1:9"), &Clock::system())
        .await
        .findings;
    assert_eq!(of(&found, "server", Level::Wrong).len(), 1, "{found:#?}");
    let stranger = StandIn::start(vec![Answer::json(200, &json!({"status": "UP"}))]).await;
    let found = doctor::examine(&settings, Some(&stranger.url()), &Clock::system())
        .await
        .findings;
    assert!(
        of(&found, "server", Level::Wrong)[0].text.contains("not like Ringbook"),
        "{found:#?}"
    );
    server.stop().await;
}

async fn what_is_wrong_is_found_and_says_what_to_do(database: Database) {
    let server = TestApp::start(database).await;
    let (vapi, url) = (Vapi::start().await, server.url("/webhooks/vapi"));
    let mut forgetful = assistant(&url, &Value::Null);
    forgetful["serverMessages"] = json!(["status-update"]);
    forgetful["artifactPlan"] = Value::Null;
    vapi.answers("/assistant", json!([forgetful]));
    vapi.answers("/phone-number", json!([]));
    let book = json!({"code": "second", "rows": "sample"});
    let (status, _) = server.admin(Method::POST, "/admin/v1/rulebooks", Some(&book)).await;
    assert_eq!(status, StatusCode::CREATED);
    let refused = StandIn::start(vec![Answer::json(401, &json!({"code": 20003}))]).await;
    let mut settings = settings(&server, &vapi, &refused);
    let wrong = async |settings: &Settings, clock: &Clock, check: &str, needle: &str| {
        let found = doctor::examine(settings, None, clock).await.findings;
        let those = found.iter().filter(|one| one.check == check && one.level != Level::Ok);
        let hit = those.filter(|one| one.text.contains(needle)).collect::<Vec<_>>();
        assert!(!hit.is_empty(), "{check}, {needle}: {found:#?}");
        assert!(hit.iter().all(|one| one.what_to_do.is_some()), "{hit:#?}");
    };
    let clock = Clock::system();
    wrong(&settings, &clock, "vapi", "has no backoffPlan").await;
    wrong(&settings, &clock, "vapi", "does not send `end-of-call-report`").await;
    wrong(&settings, &clock, "vapi", "fills in no structured output").await;
    wrong(&settings, &clock, "twilio", "refuses the account").await;
    wrong(&settings, &clock, "webhook secret", "`second` has none").await;
    wrong(&settings, &clock, "twilio", "`second` has no account").await;
    wrong(&settings, &clock, "public URL", "is not https").await;
    wrong(
        &settings,
        &Clock::fixed(clock.now() - TimeDelta::minutes(5)),
        "clock",
        "differ by",
    )
    .await;
    settings.public_url = Some(vapi.url());
    wrong(&settings, &clock, "public URL", "not like Ringbook").await;
    wrong(&settings, &clock, "vapi", "no assistant and no phone number").await;
    settings.vapi_api_key = Some(Secret::new("another-key".to_owned()));
    wrong(&settings, &clock, "vapi", "refuses the key").await;
    settings.vapi_api_key = None;
    wrong(&settings, &clock, "vapi", "no rulebook has a Vapi key").await;
    settings.public_url = None;
    wrong(&settings, &clock, "public URL", "is not set").await;
    server
        .sql("UPDATE scripts SET source = 'not a script ((' WHERE 1 = 1")
        .await;
    server.sql("UPDATE services SET names = '{}'").await;
    wrong(&settings, &clock, "rulebook", "`default` does not compile").await;
    server
        .sql("DELETE FROM seaql_migrations WHERE version = 'm11_operation'")
        .await;
    wrong(&settings, &clock, "migrations", "1 are missing").await;
    server
        .sql("INSERT INTO seaql_migrations VALUES ('m0001_begin', 0)")
        .await;
    wrong(&settings, &clock, "migrations", "before the first release").await;
    server.stop().await;
}

/// Runs the program in its own folder, with these settings.
fn run(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringbook"))
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn looking_at_an_empty_folder_makes_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (well, out, _) = run(folder.path(), &["doctor"], &[]);
    assert!(
        well && out.contains("does not exist yet") && out.contains("\"backoffPlan\""),
        "{out}"
    );
    let (well, _, error) = run(folder.path(), &["doctor"], &[("RINGBOOK_WORKERS", "outbox,purgee")]);
    assert!(
        !well && error.contains("outbox, scheduler, escalation, reconciler, purge"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let (well, _, error) = run(folder.path(), &["reconcile"], &[("VAPI_API_KEY", VAPI_KEY)]);
    assert!(!well && error.contains("there is no Ringbook database"), "{error}");
}

async fn the_commands_work_on_a_database_that_was_started_on(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let vapi = Vapi::start().await;
    assert_eq!(server.post_signed(&report("known", "Bonjour.")).await.0, StatusCode::OK);
    let now = Clock::system().now();
    for number in 0..3 {
        vapi.knows(ended_call(
            &format!("lost-{number}"),
            "Bonjour.",
            now - TimeDelta::minutes(5 + number),
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let (url, base) = (server.database_url().to_owned(), vapi.url());
    let command = async |arguments: &'static [&'static str], key: &'static str| {
        let (folder, url, base) = (folder.path().to_owned(), url.clone(), base.clone());
        let ran = move || {
            let env = [
                ("DATABASE_URL", url.as_str()),
                (
                    "RINGBOOK_SECRET_KEY",
                    "0101010101010101010101010101010101010101010101010101010101010101",
                ),
                ("RINGBOOK_ADMIN_KEY", "test-admin-key-0123456789"),
                ("RINGBOOK_VAPI_SECRET", "test-vapi-secret-0123456789"),
                ("VAPI_BASE_URL", base.as_str()),
                ("VAPI_API_KEY", key),
            ];
            run(&folder, arguments, &env)
        };
        tokio::task::spawn_blocking(ran).await.unwrap()
    };
    let (well, out, error) = command(&["reconcile", "--since", "2h", "--dry-run", "--quiet"], VAPI_KEY).await;
    assert!(well && out.contains("3 without a report"), "{out}{error}");
    let (well, out, error) = command(&["reconcile", "--since", "2h", "--quiet"], VAPI_KEY).await;
    assert!(well && out.contains("3 recorded"), "{out}{error}");
    let (well, out, error) = command(&["reconcile", "--since", "2h", "--json", "--quiet"], VAPI_KEY).await;
    assert!(well, "{error}");
    let tallies: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&tallies[0]["known"], &tallies[0]["became"]),
        (&json!(3), &json!({})),
        "{out}"
    );
    let (well, out, error) = command(&["reconcile", "--quiet"], "another-key-0123").await;
    assert!(
        !well && out.contains("refuses the key") && error.contains("could not all be listed"),
        "{out}{error}"
    );
    assert_eq!(server.counts(["calls", "decisions"]).await, [4, 4]);
    vapi.answers("/assistant", json!([]));
    vapi.answers("/phone-number", json!([]));
    let (well, out, error) = command(&["doctor", "--json"], VAPI_KEY).await;
    let told: Value = serde_json::from_str(&out).unwrap();
    assert!(
        told["vapi_assistants"][0]["structured_output"]["schema"].is_object(),
        "{out}"
    );
    let findings = told["findings"].as_array().unwrap();
    let mut wrong = findings.iter().filter(|one| one["level"] == "wrong").peekable();
    assert_eq!(well, wrong.peek().is_none(), "{out}{error}");
    assert!(
        wrong.all(|one| is_of_the_test_server(one["text"].as_str().unwrap())),
        "{out}{error}"
    );
    server.stop().await;
}

/// If an assistant fills in the recommended structured output, Ringbook reads every value as intended.
#[test]
fn the_recommended_structured_output_is_read() {
    let rows = sample::rows();
    let book = compile(1, &rows, None).unwrap();
    let recommended = RecommendedAssistant::from_rows("default", &rows);
    let output = &recommended.structured_output;
    let properties = output["schema"]["properties"].as_object().unwrap();
    let read = |field: &str, value: &Value| {
        let call = json!({
            "id": "call", "kind": "plain", "lang": "en", "turns": [["caller", "Hello."]],
            "outputs": {output["name"].as_str().unwrap(): {field: value}}, "expect": {"p1": false},
        });
        let calls = labelled::parse(&call.to_string()).unwrap();
        let (extracted, _) = read_message(&book, &calls[0].message()).unwrap();
        extracted.facts
    };
    // These facts come from a call in which the model filled in nothing.
    let without = read("nothing", &Value::Null);
    let mut unread = Vec::new();
    for (field, schema) in properties {
        let is_read = match (schema["enum"].as_array(), schema["type"].as_str().unwrap()) {
            (Some(values), _) => values.iter().all(|value| {
                let wanted = Fact::Text(value.as_str().unwrap().to_owned());
                read(field, value).values().any(|fact| *fact == wanted)
            }),
            (None, "number") => read(field, &json!(12)) != without,
            (None, _) => [
                "Brossard",
                "+15145550142",
                "J4W 1A1",
                "x@example.com",
                "2026-12-24T17:00",
            ]
            .iter()
            .any(|text| read(field, &json!(text)) != without),
        };
        if !is_read {
            unread.push(field);
        }
    }
    assert!(unread.is_empty(), "{unread:?} of {output:#}");
    let services = properties["serviceType"]["enum"].as_array().unwrap();
    assert_eq!(services.len(), rows.services.len());
    assert!(recommended.text().contains("Lines for the prompt"));
}
