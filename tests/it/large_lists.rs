//! Lists stay fast on a large database, because their conditions equal the conditions of partial indexes. The filters
//! still find all rows.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseBackend, EntityTrait as _, QueryFilter as _, QueryTrait as _,
    Select, Statement,
};
use serde_json::{Value, json};
use store::{calls, decisions, leads, search, sms_messages, webhook_events};

use crate::{
    both,
    erase::{conversation, found},
    support::{
        Database, TestApp,
        messages::{message, report, status},
    },
};

both!(
    conditions_are_those_of_the_indexes,
    filters_find_rare_and_usual_values,
    a_caller_is_erased_however_the_number_is_written,
    messages_without_a_call_are_marked,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

fn start() -> DateTime<Utc> {
    "2026-11-24T15:02:00Z".parse().unwrap()
}

/// Returns the plan of the query `select`. The query must use this index. PostgreSQL uses an index wherever it can.
/// SQLite gives an error if it cannot use the index.
async fn plan<E: sea_orm::EntityTrait>(server: &TestApp, index: &str, select: Select<E>) -> String {
    let db = &server.app.db;
    let backend = db.get_database_backend();
    let Statement { sql, values, .. } = select.build(backend);
    let is_postgres = backend == DatabaseBackend::Postgres;
    let explain = if is_postgres { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
    let explain = if is_postgres {
        format!("{explain} {sql}")
    } else {
        format!(
            "{explain} {}",
            sql.replacen(" WHERE ", &format!(" INDEXED BY {index} WHERE "), 1)
        )
    };
    let explain = match values {
        Some(values) => Statement::from_sql_and_values(backend, explain, values),
        None => Statement::from_string(backend, explain),
    };
    let tx = store::begin(db).await.unwrap();
    if is_postgres {
        tx.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
    }
    let rows = tx.query_all_raw(explain).await.unwrap();
    tx.rollback().await.unwrap();
    let line = |row: &sea_orm::QueryResult| {
        let column = if is_postgres { "QUERY PLAN" } else { "detail" };
        row.try_get::<String>("", column).unwrap()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// If a condition differs from the condition of its partial index by even a single character, the query of the list
/// reads the whole table.
async fn conditions_are_those_of_the_indexes(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let backend = server.app.db.get_database_backend();
    let number = || search::is_number(backend, "customer_number", "4385550177");
    let state = admin::list::is_value(webhook_events::Column::State, "recorded", "poisoned");
    let origin = admin::list::is_value(webhook_events::Column::Origin, "live", "drained");
    let simulated_calls = calls::simulated(&calls::Column::Id, true);
    let simulated_leads = calls::simulated(&leads::Column::CallId, true);
    let simulated_decisions = calls::simulated(&decisions::Column::CallId, true);
    let simulated_texts = calls::simulated(&sms_messages::Column::CallId, true);
    let rare = |column| admin::list::flag(column, true);
    let all_calls = || calls::Entity::find();
    let all_leads = || leads::Entity::find();
    let all_decisions = || decisions::Entity::find();
    let all_texts = || sms_messages::Entity::find();
    let all_events = || webhook_events::Entity::find();
    macro_rules! uses {
        ($($index:literal: $select:expr),* $(,)?) => {
            $(
                let found = plan(&server, $index, $select).await;
                assert!(found.contains($index), "{}: {found}", $index);
            )*
        };
    }
    uses! {
        "calls_number": all_calls().filter(number()),
        "leads_number": all_leads().filter(number()),
        "calls_simulated": all_calls().filter(simulated_calls),
        "leads_simulated": all_leads().filter(simulated_leads),
        "decisions_simulated": all_decisions().filter(simulated_decisions),
        "sms_messages_simulated": all_texts().filter(simulated_texts),
        "calls_unreported": all_calls().filter(calls::Column::ReportAt.is_null()),
        "leads_late": all_leads().filter(rare("late")),
        "leads_capped": all_leads().filter(rare("capped")),
        "decisions_degraded": all_decisions().filter(rare("degraded")),
        "decisions_unmatched": all_decisions().filter(decisions::Column::Service.is_null()),
        "webhook_events_state": all_events().filter(state),
        "webhook_events_origin": all_events().filter(origin),
    }
    server.stop().await;
}

/// Returns the values of a field on the first page of a list.
async fn listed(server: &TestApp, list: &str, field: &str) -> Vec<Value> {
    let (status, answer) = server.admin(Method::GET, list, None).await;
    assert_eq!(status, StatusCode::OK, "{list}: {answer}");
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[field].clone())
        .collect()
}

async fn filters_find_rare_and_usual_values(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    server.take(&status("goes-on", "in-progress", 500)).await;
    server.take(&report("over", "Bonjour, mon drain est bouché.")).await;
    server
        .take(&report("simulated-1", "Bonjour, mon drain est bouché."))
        .await;
    for (list, wanted) in [
        ("calls?status=in-progress", json!(["goes-on"])),
        ("calls?status=ended&simulated=false", json!(["over"])),
        ("calls?status=nothing", json!([])),
        ("calls?simulated=true", json!(["simulated-1"])),
    ] {
        let found = listed(&server, &format!("{BOOK}/{list}"), "id").await;
        assert_eq!(json!(found), wanted, "{list}");
    }
    for (list, wanted) in [
        ("leads?late=false&simulated=false", json!(["over"])),
        ("leads?late=true", json!([])),
        ("leads?capped=false&sort=id", json!(["over", "simulated-1"])),
        ("decisions?degraded=false&sort=id", json!(["over", "simulated-1"])),
        ("decisions?degraded=true", json!([])),
    ] {
        let found = listed(&server, &format!("{BOOK}/{list}"), "call_id").await;
        assert_eq!(json!(found), wanted, "{list}");
    }
    for (list, wanted) in [
        ("webhook-events?state=recorded&origin=live", 3),
        ("webhook-events?state=amendment", 0),
        ("webhook-events?origin=drained", 0),
        ("sms-messages?simulated=true&state=dead", 0),
    ] {
        let found = listed(&server, &format!("/admin/v1/{list}"), "id").await;
        assert_eq!(found.len(), wanted, "{list}");
    }
    let stats = async |more: &str| {
        server
            .admin(Method::GET, &format!("/admin/v1/stats?since=today{more}"), None)
            .await
            .1
    };
    let (real, all) = (stats("").await, stats("&simulated=true").await);
    let count = |stats: &Value| {
        json!([
            stats["calls"],
            stats["leads"],
            stats["leads_by_priority"].as_object().unwrap().len()
        ])
    };
    assert_eq!(
        (count(&real), count(&all)),
        (json!([2, 1, 1]), json!([3, 2, 1])),
        "{real} {all}"
    );
    server.stop().await;
}

async fn a_caller_is_erased_however_the_number_is_written(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    for call in ["call-1", "call-2", "call-3"] {
        for message in conversation(call) {
            server.take(&message).await;
        }
    }
    // An assistant wrote these numbers with characters that SQLite's index does not ignore.
    server
        .sql("UPDATE calls SET customer_number = NULL WHERE id IN ('call-1', 'call-2')")
        .await;
    server
        .sql("UPDATE leads SET customer_number = 'tél. (438) 555–0177' WHERE call_id = 'call-1'")
        .await;
    server
        .sql("UPDATE leads SET customer_number = '1.438.555-0177' WHERE call_id = 'call-2'")
        .await;
    let wanted = json!({"customer_number": "+14385550177"});
    let (status, answer) = server
        .admin(Method::POST, &format!("{BOOK}/erasures"), Some(&wanted))
        .await;
    assert_eq!((status, &answer["calls"]), (StatusCode::OK, &json!(3)), "{answer}");
    assert_eq!(found(&server).await, Vec::<String>::new());
    server.stop().await;
}

/// Erasing a caller reads the bodies of messages without a call, and no other bodies.
async fn messages_without_a_call_are_marked(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    // The first message arrives before its call is known, the others afterwards.
    server
        .take(&message("speech-update", "call-1", 0, &json!({"status": "started"})))
        .await;
    server.take(&status("call-1", "in-progress", 500)).await;
    server
        .take(&message("speech-update", "call-1", 900, &json!({"status": "stopped"})))
        .await;
    server.take(&report("call-1", "Bonjour.")).await;
    server
        .take(&message("assistant-request", "call-2", 0, &json!({})))
        .await;
    let mut loose = message("chat.created", "nowhere", 0, &json!({}));
    loose["message"].as_object_mut().unwrap().remove("call");
    server.take(&loose).await;
    let marked = server.rows("webhook_events t WHERE t.without_call ORDER BY id").await;
    let marked: Vec<_> = marked.iter().map(|row| (&row["type"], &row["call_id"])).collect();
    assert_eq!(
        marked,
        [
            (&json!("speech-update"), &json!("call-1")),
            (&json!("chat.created"), &Value::Null),
        ]
    );
    server.stop().await;
}
