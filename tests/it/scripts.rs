//! Tests scripts over HTTP: test runs, versions, libraries, and quarantine after repeated failures.

use authoring::change_set::{ChangeSet, Edit, ExpectedVersion};
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use revisions::{publish::Author, quarantine};
use ringbook::app::App;
use rules::{rows::Resource, script::DEADLINE};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use store::rulebooks;

use crate::both;
use crate::support::{
    Database, TestApp, hostile,
    messages::{STARTED_AT, report, tool_calls},
    tables::yes,
};

const SCRIPTS: &str = "/admin/v1/rulebooks/default/scripts";
const QUARANTINES: &str = "/admin/v1/rulebooks/default/script-quarantines";
const CLOGGED: &str = "My drain is clogged, can you unblock it?";

both!(
    a_script_is_tried_and_nothing_is_kept,
    a_wrong_script_is_told_with_its_place,
    versions_of_a_script_are_listed_with_their_source,
    a_library_is_shared_and_cannot_be_deleted_while_it_is_used,
    a_script_that_fails_again_and_again_is_left_out_for_a_while,
    a_script_that_fails_now_and_then_is_not_left_out,
    a_new_version_or_a_release_ends_a_quarantine,
    what_another_instance_sent_into_quarantine_is_left_out_here_too,
    hostile_scripts_lose_no_message,
    the_vocabulary_holds_facts_functions_and_libraries,
    libraries_travel_in_files,
    neighbours_go_on_while_a_hostile_rulebook_is_hammered,
);

async fn put(server: &TestApp, code: &str, hook: &str, source: &str) -> (StatusCode, Value) {
    let path = format!("{SCRIPTS}/{code}");
    let (_, known) = server.admin(Method::GET, &path, None).await;
    let row = json!({"hook": hook, "rank": 900, "source": source, "version": known["version"]});
    server.admin(Method::PUT, &path, Some(&row)).await
}

async fn tried(server: &TestApp, code: &str, test: Value) -> Value {
    let (status, tried) = server
        .admin(Method::POST, &format!("{SCRIPTS}/{code}/test"), Some(&test))
        .await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    tried
}

/// Sends the report of a call. Returns the row of its decision.
async fn reported(server: &TestApp, call: &str) -> Value {
    let (status, _) = server.post_signed(&report(call, CLOGGED)).await;
    assert_eq!(status, StatusCode::OK);
    let decisions = server.rows("decisions").await;
    let own = decisions.into_iter().find(|row| row["call_id"] == call);
    own.expect("a decision")
}

async fn a_script_is_tried_and_nothing_is_kept(database: Database) {
    let server = TestApp::start(database).await;
    let (_, before) = server.admin(Method::GET, "/admin/v1/rulebooks/default", None).await;
    let source = "log(\"from \" + quote.from);\nquote.percent(-10, \"spring\");\nresult.say(\"Cheaper in spring.\");";
    let test = json!({"source": source, "hook": "price", "price": {"from": "100.00", "to": "200.50"}});
    let done = tried(&server, "brand_new", test).await;
    assert_eq!(done["fault"], Value::Null, "{done}");
    assert_eq!(done["price_before"], json!({"from": "100.00", "to": "200.50"}));
    assert_eq!(done["steps"][0]["did"], "spring");
    let cheaper: f64 = done["price_after"]["to"].as_str().unwrap().parse().unwrap();
    assert!((cheaper - 180.45).abs() < 1e-9);
    assert_eq!(
        (&done["log"], &done["said"]),
        (&json!(["from 100.00"]), &json!(["Cheaper in spring."]))
    );
    assert!(done["duration_us"].as_i64().unwrap() > 0);

    // Run the published script with these facts. The price before the script comes from the rows.
    let facts = json!({"facts": {"service_text": "camera inspection"}});
    let done = tried(&server, "spring_promotion", facts).await;
    assert!(
        done["price_before"]["from"].is_string() && done["fault"].is_null(),
        "{done}"
    );

    // A failed script is reported with its position and its log so far. An endless script is stopped.
    let done = tried(&server, "x", json!({"source": "log(1);\n  1 / 0", "hook": "tool"})).await;
    assert_eq!(
        (&done["fault"]["stage"], &done["fault"]["line"], &done["log"]),
        (&json!("run"), &json!(2), &json!(["1"]))
    );
    let done = tried(&server, "x", json!({"source": "loop { }", "hook": "tool"})).await;
    let worked = u128::try_from(done["duration_us"].as_i64().unwrap()).unwrap();
    assert!(worked < 5 * DEADLINE.as_micros(), "{done}");
    assert!(
        done["fault"]["detail"].as_str().unwrap().contains("stopped after"),
        "{done}"
    );

    let (_, after) = server.admin(Method::GET, "/admin/v1/rulebooks/default", None).await;
    assert_eq!(before["revision"], after["revision"]);
    assert!(server.rows("decisions").await.is_empty() && server.rows("script_quarantines").await.is_empty());
    server.stop().await;
}

async fn a_wrong_script_is_told_with_its_place(database: Database) {
    let server = TestApp::start(database).await;
    let wrong = "let x = 1;\nquote.ad(x, \"x\");";
    let fault = &tried(&server, "x", json!({"source": wrong, "hook": "price"})).await["fault"];
    assert_eq!(
        (&fault["stage"], &fault["code"], &fault["line"], &fault["column"]),
        (&json!("compile"), &json!("unknown_function"), &json!(2), &json!(7)),
        "{fault}"
    );
    assert!(fault["detail"].as_str().unwrap().contains("did you mean `add`?"));
    let (status, problem) = put(&server, "wrong", "price", wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["pointer"], "/source");
    assert!(
        problem["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("line 2, column 7"),
        "{problem}"
    );

    for (body, expected, pointer) in [
        (json!({}), 422, "/source"),
        (json!({"source": "1"}), 422, "/hook"),
        (json!({"source": "1", "hook": "library"}), 422, "/hook"),
        (json!({"source": "1", "hook": "tool", "args": [1]}), 400, "/args"),
        (
            json!({"source": "1", "hook": "tool", "facts": {"metrs": 1}}),
            422,
            "/facts/metrs",
        ),
        (
            json!({"source": "1", "hook": "tool", "price": {"from": true, "to": "2"}}),
            400,
            "/price/from",
        ),
        (json!({"sauce": "1"}), 400, "/sauce"),
    ] {
        let (status, problem) = server
            .admin(Method::POST, &format!("{SCRIPTS}/brand_new/test"), Some(&body))
            .await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["pointer"]),
            (expected, &json!(pointer)),
            "{problem}"
        );
    }
    let (status, _) = server
        .admin(Method::POST, &format!("{SCRIPTS}/a%00b/test"), Some(&json!({})))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    server.stop().await;
}

async fn versions_of_a_script_are_listed_with_their_source(database: Database) {
    let server = TestApp::start(database).await;
    for source in ["result.set(1);", "result.set(2);", "result.set(3);"] {
        let (status, answer) = put(&server, "counted", "tool", source).await;
        assert!(status.is_success(), "{answer}");
    }
    let (_, row) = server.admin(Method::GET, &format!("{SCRIPTS}/counted"), None).await;
    let path = format!("{SCRIPTS}/counted?version={}", row["version"]);
    assert_eq!(
        server.admin(Method::DELETE, &path, None).await.0,
        StatusCode::NO_CONTENT
    );

    let path = format!("{SCRIPTS}/counted/versions");
    let (status, page) = server.admin(Method::GET, &format!("{path}?limit=2"), None).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let newest = &page["items"][0];
    assert_eq!(
        (&newest["source"], &newest["author"]),
        (&json!("result.set(3);"), &json!("RINGBOOK_ADMIN_KEY")),
        "{newest}"
    );
    assert!(newest["until"].as_i64() > newest["since"].as_i64() && newest["created_at"].is_string());
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = server
        .admin(Method::GET, &format!("{path}?limit=2&cursor={cursor}"), None)
        .await;
    assert_eq!(rest["items"][0]["source"], "result.set(1);", "{rest}");
    assert_eq!(rest["items"][0]["until"], page["items"][1]["since"]);
    let unknown = format!("{SCRIPTS}/nowhere/versions");
    assert_eq!(server.admin(Method::GET, &unknown, None).await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}

const MONEY: &str = "fn half(x) { x / 2.0 }\nfn fee() { 30 }";

async fn a_library_is_shared_and_cannot_be_deleted_while_it_is_used(database: Database) {
    let server = TestApp::start(database).await;
    assert_eq!(put(&server, "money", "library", MONEY).await.0, StatusCode::CREATED);
    let user = "import \"money\" as m;\nresult.set(m::half(m::fee()));";
    assert_eq!(put(&server, "user", "tool", user).await.0, StatusCode::CREATED);
    let tool = json!({"runs": "script", "script": "user"});
    let (status, answer) = server
        .admin(Method::PUT, "/admin/v1/rulebooks/default/tools/halfFee", Some(&tool))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let asked = |id: &str, call: &str| tool_calls(call, 0, &[(id, "halfFee", json!({}))]);
    let (_, answer) = server.post_signed(&asked("t1", "call-1")).await;
    assert!(answer["results"][0]["result"].to_string().contains("15"), "{answer}");

    // A change of the library changes the scripts that use it, from the next message on.
    assert_eq!(
        put(&server, "money", "library", "fn half(x) { x / 2.0 }\nfn fee() { 50 }")
            .await
            .0,
        StatusCode::OK
    );
    let (_, answer) = server.post_signed(&asked("t2", "call-2")).await;
    assert!(answer["results"][0]["result"].to_string().contains("25"), "{answer}");

    // A library in use cannot be deleted. It also cannot lose functions that other scripts use.
    let (status, problem) = put(&server, "money", "library", "fn half(x) { x / 2.0 }").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["pointer"], "scripts/user/source", "{problem}");
    let (_, row) = server.admin(Method::GET, &format!("{SCRIPTS}/money"), None).await;
    let path = format!("{SCRIPTS}/money?version={}", row["version"]);
    let (status, problem) = server.admin(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("scripts/user") && detail.contains("there is no library `money`"),
        "{problem}"
    );

    let (status, problem) = put(
        &server,
        "money",
        "library",
        "import \"money\" as m;\nfn fee() { m::fee() }\nfn half(x) { x }",
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        problem["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("money -> money"),
        "{problem}"
    );
    server.stop().await;
}

async fn quarantined(server: &TestApp) -> Vec<Value> {
    let (status, list) = server.admin(Method::GET, QUARANTINES, None).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().unwrap().clone()
}

async fn look(app: &App) {
    app.current
        .quarantines()
        .poll(&app.db, &app.read, &app.clock)
        .await
        .unwrap();
}

async fn a_script_that_fails_again_and_again_is_left_out_for_a_while(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .at(STARTED_AT.parse().unwrap())
        .start()
        .await;
    assert_eq!(
        put(&server, "broken", "price", "throw \"boom\";").await.0,
        StatusCode::CREATED
    );
    for call in 0..5 {
        let decision = reported(&server, &format!("call-{call}")).await;
        assert!(yes(&decision["degraded"]));
        let text = decision["result"]["trace"].to_string();
        assert!(
            text.contains("dropped with all it did") && !text.contains("quarantine"),
            "{text}"
        );
    }
    let items = quarantined(&server).await;
    assert_eq!(
        (items.len(), &items[0]["script"], &items[0]["faults"]),
        (1, &json!("broken"), &json!(5))
    );
    // The quarantined script does not run any more, and decisions list it in `dropped_scripts`.
    for call in 5..8 {
        let decision = reported(&server, &format!("call-{call}")).await;
        assert!(yes(&decision["degraded"]));
        assert_eq!(decision["result"]["dropped_scripts"], json!(["broken"]));
        assert!(
            decision["result"]["trace"]
                .to_string()
                .contains("left out: in quarantine")
        );
    }
    let notices = server.rows("notices").await;
    let counts: Vec<_> = notices
        .iter()
        .map(|row| (row["code"].as_str().unwrap(), &row["count"]))
        .collect();
    assert!(
        counts.contains(&("script_failed", &json!(5))) && counts.contains(&("script_quarantined", &json!(1))),
        "{counts:?}"
    );

    // After the quarantine the script runs again, and its notice is resolved.
    server.app.clock.step(quarantine::LIMITS.for_ + TimeDelta::seconds(1));
    assert!(quarantined(&server).await.is_empty());
    let decision = reported(&server, "call-8").await;
    assert!(
        decision["result"]["trace"]
            .to_string()
            .contains("dropped with all it did")
    );
    server.app.clock.step(quarantine::LIMITS.within + TimeDelta::seconds(1));
    look(&server.app).await;
    server.stop().await;
}

async fn a_script_that_fails_now_and_then_is_not_left_out(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let source = "if says(\"boomerang\") { throw \"boom\"; }";
    assert_eq!(put(&server, "picky", "price", source).await.0, StatusCode::CREATED);
    let mut calls = 0;
    let mut call = async |fails: bool| {
        calls += 1;
        let said = if fails {
            "My drain is clogged by a boomerang."
        } else {
            CLOGGED
        };
        let (status, _) = server.post_signed(&report(&format!("call-{calls}"), said)).await;
        assert_eq!(status, StatusCode::OK);
    };
    // The script fails for one call in eleven: more often than five times, but in less than a tenth of its runs.
    for number in 0..66 {
        call(number % 11 == 10).await;
        if number % 20 == 0 {
            // Instances count the script's runs and write the counts to the database at intervals. These runs count
            // too.
            look(&server.app).await;
        }
    }
    assert!(quarantined(&server).await.is_empty());
    let decisions = server.rows("decisions").await;
    assert_eq!(decisions.iter().filter(|row| yes(&row["degraded"])).count(), 6);
    let row = &server.rows("script_quarantines").await[0];
    assert_eq!((&row["faults"], row["until"].is_null()), (&json!(6), true), "{row}");

    // From now on the script fails every time.
    for _ in 0..4 {
        call(true).await;
    }
    let items = quarantined(&server).await;
    assert_eq!((items.len(), &items[0]["script"]), (1, &json!("picky")));
    let (faults, runs) = (items[0]["faults"].as_i64().unwrap(), items[0]["runs"].as_i64().unwrap());
    assert!(faults * 10 >= runs && runs > 20, "{faults} of {runs}");
    server.stop().await;
}

async fn a_new_version_or_a_release_ends_a_quarantine(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    assert_eq!(
        put(&server, "broken", "price", "throw \"boom\";").await.0,
        StatusCode::CREATED
    );
    for call in 0..6 {
        reported(&server, &format!("call-{call}")).await;
    }
    assert_eq!(quarantined(&server).await.len(), 1);
    let path = format!("{QUARANTINES}/broken");
    assert_eq!(
        server.admin(Method::DELETE, &path, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(server.admin(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    let nul = format!("{QUARANTINES}/a%00b");
    assert_eq!(server.admin(Method::DELETE, &nul, None).await.0, StatusCode::NOT_FOUND);
    assert!(quarantined(&server).await.is_empty());
    let decision = reported(&server, "call-6").await;
    assert!(
        decision["result"]["trace"]
            .to_string()
            .contains("dropped with all it did")
    );
    let (_, log) = server
        .admin(Method::GET, "/admin/v1/audit-log?resource=script-quarantines", None)
        .await;
    assert_eq!(
        (&log["items"][0]["action"], &log["items"][0]["code"]),
        (&json!("release"), &json!("broken")),
        "{log}"
    );
    let open = server.rows("notices").await;
    let open: Vec<_> = open.iter().filter(|row| row["code"] == "script_quarantined").collect();
    assert!(open.len() == 1 && open[0]["resolved_at"].is_string(), "{open:?}");

    for call in 7..12 {
        reported(&server, &format!("call-{call}")).await;
    }
    assert_eq!(quarantined(&server).await.len(), 1);
    assert_eq!(
        put(&server, "broken", "price", "quote.add(0, \"fine\");").await.0,
        StatusCode::OK
    );
    assert!(quarantined(&server).await.is_empty());
    let decision = reported(&server, "call-12").await;
    assert!(!yes(&decision["degraded"]), "{decision}");
    server.stop().await;
}

async fn what_another_instance_sent_into_quarantine_is_left_out_here_too(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    assert_eq!(
        put(&server, "broken", "price", "throw \"boom\";").await.0,
        StatusCode::CREATED
    );
    for call in 0..5 {
        reported(&server, &format!("call-{call}")).await;
    }
    // A new instance has seen no script errors. It reads the quarantine and the end of the quarantine from the
    // database.
    let server = server.restart().await;
    look(&server.app).await;
    let decision = reported(&server, "call-5").await;
    assert!(
        decision["result"]["trace"]
            .to_string()
            .contains("left out: in quarantine")
    );
    server.stop().await;
}

async fn hostile_scripts_lose_no_message(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let rulebook = rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    // The test deletes the cases, because they would run every script forty times before each publish.
    let (_, cases) = server
        .admin(Method::GET, "/admin/v1/rulebooks/default/cases?limit=200", None)
        .await;
    let edits = cases["items"].as_array().unwrap().iter().map(|case| Edit::Delete {
        resource: Resource::Cases,
        code: case["code"].as_str().unwrap().to_owned(),
        expected: ExpectedVersion::Any,
    });
    let change = ChangeSet {
        edits: edits.collect(),
        comment: String::new(),
    };
    server
        .app
        .publisher
        .publish(rulebook.id, change, Author::default())
        .await
        .unwrap()
        .unwrap();

    let (mut refused, mut dropped) = (0, 0);
    let sources = hostile::by_hand()
        .into_iter()
        .step_by(3)
        .chain(hostile::made_up(11, 40));
    for (number, source) in sources.enumerate() {
        let (status, answer) = put(&server, "hostile", "price", &source).await;
        match status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
                refused += 1;
                assert!(answer["code"].is_string(), "{answer}");
            }
            status => assert!(status.is_success(), "{number}: {status} {answer} {source:.200}"),
        }
        let decision = reported(&server, &format!("call-{number}")).await;
        assert_eq!(decision["result"]["service"], "drain_unblocking_camera", "{decision}");
        dropped += usize::from(yes(&decision["degraded"]));
    }
    assert!(refused > 10 && dropped > 10, "{refused} refused, {dropped} dropped");
    let events = server.rows("webhook_events").await;
    assert_eq!(events.len(), server.rows("decisions").await.len());
    server.stop().await;
}

async fn the_vocabulary_holds_facts_functions_and_libraries(database: Database) {
    let server = TestApp::start(database).await;
    assert_eq!(put(&server, "money", "library", MONEY).await.0, StatusCode::CREATED);
    let (status, told) = server
        .admin(Method::GET, "/admin/v1/rulebooks/default/vocabulary", None)
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let find = |list: &str, key: &str, name: &str| {
        let found = told[list]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one[key] == name)
            .cloned();
        found.unwrap_or_else(|| panic!("{list} without {name}"))
    };
    let area = find("facts", "name", "area");
    assert!(
        area["origin"] == "derived" && area["values"].as_array().unwrap().len() > 1,
        "{area}"
    );
    assert_eq!(find("facts", "name", "caller")["origin"], "given");
    let mapped = find("facts", "name", "postal_code");
    assert!(
        mapped["origin"] == "mapped" && mapped["about"].as_str().unwrap().contains("postalCode"),
        "{mapped}"
    );
    assert_eq!(
        find("libraries", "code", "money")["functions"],
        json!(["fee()", "half(x)"])
    );
    let add = find("functions", "signature", "quote.add(amount, label)");
    let done = tried(
        &server,
        "x",
        json!({"source": add["example"], "hook": add["hook"], "price": {"from": "1.00", "to": "2.00"}}),
    )
    .await;
    assert_eq!(done["fault"], Value::Null);
    let (status, page) = server.get("/docs/scripting").await;
    assert!(status == StatusCode::OK && page.as_str().unwrap().contains("quote.add(amount, label)"));
    server.stop().await;
}

async fn libraries_travel_in_files(database: Database) {
    let server = TestApp::start(database).await;
    assert_eq!(put(&server, "money", "library", MONEY).await.0, StatusCode::CREATED);
    let user = "import \"money\" as m;\nresult.set(m::half(m::fee()));";
    assert_eq!(put(&server, "user", "tool", user).await.0, StatusCode::CREATED);
    let loaded = server.app.current.head("default").await.unwrap().unwrap();
    let files = rules::files::write(loaded.rulebook.rows());
    assert_eq!(files["scripts/money.rhai"], MONEY);
    let rows = rules::files::parse(&files).unwrap();
    let again = rules::compile(1, &rows, None).unwrap();
    assert!(again.script("user").is_some());
    assert_eq!(rules::files::write(again.rows()), files);
    server.stop().await;
}

/// Sends reports, each of its own call, one after the other. Returns the 99th percentile of the response time.
async fn p99(server: &TestApp, secret: &str, round: &str) -> std::time::Duration {
    let mut took = Vec::new();
    for call in 0..100 {
        let message = report(&format!("{round}-{call}"), CLOGGED).to_string();
        let began = std::time::Instant::now();
        let (status, _) = server
            .post_signed_to("/webhooks/vapi/quiet", secret, message.as_bytes())
            .await;
        took.push(began.elapsed());
        assert_eq!(status, StatusCode::OK);
    }
    took.sort_unstable();
    took[98]
}

async fn neighbours_go_on_while_a_hostile_rulebook_is_hammered(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    assert_eq!(
        put(&server, "endless", "price", "loop { }").await.0,
        StatusCode::CREATED
    );
    let new = json!({"code": "quiet", "rows": "sample"});
    let (status, answer) = server.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let secret = "the secret of the quiet one";
    let stored = json!({"purpose": "webhook", "value": secret});
    let secrets = "/admin/v1/rulebooks/quiet/secrets";
    assert_eq!(
        server.admin(Method::POST, secrets, Some(&stored)).await.0,
        StatusCode::CREATED
    );

    p99(&server, secret, "warm").await;
    let alone = p99(&server, secret, "alone").await;
    let quarantines = server.app.current.quarantines().clone();
    let default = rulebooks::Entity::find().all(&server.app.db).await.unwrap();
    let default = default.iter().find(|row| row.code == "default").unwrap().id;
    let hammer = async {
        for call in 0.. {
            let (a, b) = (
                report(&format!("a-{call}"), CLOGGED),
                report(&format!("b-{call}"), CLOGGED),
            );
            let (a, b) = tokio::join!(server.post_signed(&a), server.post_signed(&b));
            assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK));
            // Ends the quarantine of the script, so that it continues to load the server.
            quarantines.remove(default, "endless");
        }
    };
    let beside = tokio::select! {
        beside = p99(&server, secret, "beside") => beside,
        () = hammer => unreachable!(),
    };
    eprintln!("a neighbour's p99: {alone:?} alone, {beside:?} beside a hostile rulebook, {database:?}");
    let decisions = server.rows("decisions").await;
    let (hostile, quiet): (Vec<_>, Vec<_>) = decisions.iter().partition(|row| {
        let call = row["call_id"].as_str().unwrap();
        call.starts_with("a-") || call.starts_with("b-")
    });
    assert_eq!(quiet.len(), 300);
    assert!(
        quiet.iter().all(|row| !yes(&row["degraded"])),
        "a message of another rulebook was degraded"
    );
    assert!(!hostile.is_empty() && hostile.iter().all(|row| yes(&row["degraded"])));
}
