//! Simulated calls are marked, notify nobody, do not count in any figure, and can be deleted.

use reqwest::Method;
use serde_json::{Value, json};
use simulate::SimulateOptions;

use crate::support::{Database, TestApp, app::VAPI_SECRET, messages::report};
use crate::{both, twilio_callbacks};

both!(
    simulated_calls_are_marked_text_nobody_and_stay_out_of_figures,
    lists_are_asked_by_day_by_number_by_name_and_by_address,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

async fn get(server: &TestApp, path: &str) -> Value {
    let (status, answer) = server.admin(Method::GET, path, None).await;
    assert!(status.is_success(), "{path}: {answer}");
    answer
}

fn count(list: &Value) -> usize {
    list["items"].as_array().unwrap_or_else(|| panic!("{list}")).len()
}

async fn simulated_calls_are_marked_text_nobody_and_stay_out_of_figures(database: Database) {
    let twilio = crate::support::StandIn::start(vec![twilio_callbacks::taken("SM1")]).await;
    let server = TestApp::builder(database)
        .set("TWILIO_ACCOUNT_SID", twilio_callbacks::ACCOUNT)
        .set("TWILIO_AUTH_TOKEN", twilio_callbacks::TOKEN)
        .set("TWILIO_FROM", "+15145550100")
        .set("TWILIO_BASE_URL", twilio.url())
        .set("RINGBOOK_OPERATOR_NUMBER", "+15145550190")
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let options = SimulateOptions {
        url: server.url(""),
        secret: VAPI_SECRET.to_owned(),
        rulebook: None,
        rate: 0.0,
        count: 30,
        seed: Some(7),
        concurrency: 4,
        at: None,
        quiet: true,
        json: false,
    };
    let summary = simulate::run(options).await.unwrap();
    assert_eq!(summary.failures.len(), 0, "{summary}");
    server.take(&report("a-real-call", "Mon sous-sol est inondé.")).await;
    // The SMS messages of simulated calls can be read, but none was sent.
    let texts = server.rows("sms_messages").await;
    let played = |row: &&Value| row["call_id"].as_str().unwrap().starts_with("simulated-");
    assert!(texts.iter().filter(played).count() > 2);
    assert!(texts.iter().filter(played).all(|text| text["state"] == "simulated"));
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(
        server.rows("escalations").await.len(),
        1,
        "only the real call may have an escalation"
    );
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(twilio.seen().len(), 1);
    // One of the simulated calls is about the service whose price the README changes.
    let calls = get(&server, &format!("{BOOK}/calls?limit=200")).await;
    assert_eq!(count(&calls), 31);
    for call in calls["items"].as_array().unwrap() {
        assert_eq!(call["simulated"], json!(call["id"] != "a-real-call"), "{call}");
    }
    let decisions = server.rows("decisions").await;
    assert!(decisions.iter().any(|one| one["service"] == "camera_inspection"));
    // Statistics exclude simulated calls unless the request includes them.
    for (path, real, all) in [("", 1, 31), ("&since=yesterday", 1, 31)] {
        let stats = get(&server, &format!("/admin/v1/stats?rulebook=default{path}")).await;
        assert_eq!(
            (&stats["calls"], &stats["leads"]),
            (&json!(real), &json!(real)),
            "{stats}"
        );
        assert_eq!(stats["leads_by_priority"], json!({"P1": 1}), "{stats}");
        let stats = get(&server, &format!("/admin/v1/stats?simulated=true{path}")).await;
        assert_eq!(stats["calls"], json!(all), "{stats}");
    }
    for (filter, expected) in [("true", 30), ("false", 1)] {
        for list in ["calls", "leads"] {
            let path = format!("{BOOK}/{list}?limit=200&simulated={filter}");
            assert_eq!(count(&get(&server, &path).await), expected, "{path}");
        }
    }
    server
        .app
        .hits
        .flush(&server.app.db, server.app.clock.now())
        .await
        .unwrap();
    let hits = get(&server, &format!("{BOOK}/rule-hits?limit=200")).await;
    let rules = hits["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|hit| hit["resource"] == "priority-rules");
    let total: i64 = rules.map(|hit| hit["hits"].as_i64().unwrap()).sum();
    assert_eq!(total, 1, "{hits}");
    // `simulate --clean` deletes all data of simulated calls.
    if database == Database::Sqlite {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ringbook"))
            .args(["simulate", "--clean", "--json"])
            .env_clear()
            .env("DATABASE_URL", server.database_url())
            .env("RINGBOOK_SECRET_KEY", "01".repeat(32))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(
            serde_json::from_str::<Value>(&told).unwrap()["removed_calls"],
            30,
            "{told}"
        );
        for table in [
            "calls",
            "leads",
            "decisions",
            "webhook_events",
            "sms_messages",
            "escalations",
        ] {
            let rows = server.rows(table).await;
            assert_eq!(rows.len(), 1, "{table}: {rows:?}");
        }
        assert_eq!(server.rows("tool_calls").await.len(), 0);
    }
    server.stop().await;
}

async fn lists_are_asked_by_day_by_number_by_name_and_by_address(database: Database) {
    // The server's clock shows 28 November, 23:30 in Montréal.
    let server = TestApp::at_rest(database, "2026-11-29T04:30:00Z".parse().unwrap()).await;
    let mut yesterday = report("call-1", "Des racines.");
    yesterday["message"]["analysis"]["structuredData"]["customerName"] = json!("Hélène Côté");
    server.take(&yesterday).await;
    server.app.clock.step(chrono::TimeDelta::hours(1));
    let mut today = report("call-2", "Des racines.");
    let data = &mut today["message"]["analysis"]["structuredData"];
    (data["customerPhone"], data["address"]) = (json!("(514) 555-0142"), json!("12, Rue Saint-Denis"));
    server.take(&today).await;
    let found = async |filter: &str| {
        let list = get(&server, &format!("{BOOK}/leads?{filter}")).await;
        let ids = list["items"].as_array().unwrap().iter();
        let mut ids: Vec<String> = ids.map(|lead| lead["call_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids.join(" ")
    };
    for (filter, expected) in [
        ("since=today", "call-2"),
        ("since=yesterday&until=yesterday", "call-1"),
        ("since=2026-11-28&until=2026-11-28", "call-1"),
        ("since=2026-11-28", "call-1 call-2"),
        ("since=2026-11-29T05:00:00Z", "call-2"),
        ("customer_number=514%20555%200142", "call-2"),
        ("customer_number=%2B1-438-555-0177", "call-1"),
        ("customer_name=helene", "call-1"),
        ("customer_name=C%C3%94T%C3%89", "call-1"),
        ("customer_name=%25", ""),
        ("address=saint-denis", "call-2"),
        ("address=montreal", "call-1 call-2"),
    ] {
        assert_eq!(found(filter).await, expected, "{filter}");
    }
    for (filter, status) in [
        ("customer_number=123", 400),
        ("since=tomorrow", 400),
        ("since=2026-02-30", 400),
    ] {
        let (got, answer) = server.admin(Method::GET, &format!("{BOOK}/leads?{filter}"), None).await;
        assert_eq!(got.as_u16(), status, "{filter}: {answer}");
    }
    let calls = get(&server, &format!("{BOOK}/calls?since=today&customer_name=helene")).await;
    assert_eq!(count(&calls), 0);
    // A viewer cannot read phone numbers, so it cannot search by them either.
    let new = json!({"name": "desk", "role": "viewer", "rulebook": "default"});
    let (_, made) = server.admin(Method::POST, "/admin/v1/api-keys", Some(&new)).await;
    let request = server
        .client
        .get(server.url(&format!("{BOOK}/leads?customer_number=5145550142")));
    let answer = request.bearer_auth(made["key"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    server.stop().await;
}
