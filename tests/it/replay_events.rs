//! Replays stored messages. Messages that fail repeatedly are dead-lettered with a notice, and are replayed once the
//! cause is fixed.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{report, status, tool_calls},
        tables::{having, yes},
    },
};

both!(
    what_had_its_effect_has_no_second_one,
    a_message_that_fails_again_and_again_is_set_aside_and_put_back,
    what_was_set_aside_long_ago_texts_nobody,
    a_set_is_taken_in_again_piece_by_piece,
    what_cannot_be_read_stays_as_it_is,
    only_an_admin_of_the_rulebook_may_and_bad_requests_change_nothing,
);

const EVENTS: &str = "/admin/v1/webhook-events";
const FLOOD: &str = "Mon sous-sol est inondé, des racines.";

fn start() -> DateTime<Utc> {
    "2026-11-24T15:02:00Z".parse().unwrap()
}

/// Makes the database reject all further writes about the call `poison`.
pub async fn poison(server: &TestApp, database: Database) {
    server
        .sql(match database {
            Database::Postgres => {
                "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
                 CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON calls FOR EACH ROW WHEN (NEW.id LIKE 'poison%') \
                 EXECUTE FUNCTION no()"
            }
            Database::Sqlite => {
                "CREATE TRIGGER poison BEFORE INSERT ON calls WHEN NEW.id LIKE 'poison%' \
                 BEGIN SELECT RAISE(ABORT, 'no'); END"
            }
        })
        .await;
}

async fn mend(server: &TestApp, database: Database) {
    server
        .sql(match database {
            Database::Postgres => "DROP TRIGGER poison ON calls",
            Database::Sqlite => "DROP TRIGGER poison",
        })
        .await;
}

async fn replay(server: &TestApp, id: &Value) -> Value {
    let path = format!("{EVENTS}/{}/replay", id.as_str().unwrap());
    let (status, answer) = server.admin(Method::POST, &path, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["became"].clone()
}

async fn listed(server: &TestApp, query: &str) -> Vec<Value> {
    let (status, answer) = server.admin(Method::GET, &format!("{EVENTS}?{query}"), None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["items"].as_array().unwrap().clone()
}

async fn what_had_its_effect_has_no_second_one(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let about = json!({"serviceType": "racines"});
    server.take(&status("call-1", "in-progress", 0)).await;
    server
        .take(&tool_calls("call-1", 9_000, &[("a", "calculateQuote", about)]))
        .await;
    server.take(&report("call-1", FLOOD)).await;
    server.take(&report("call-1", "Autre chose.")).await;
    let before = server.everything().await;
    for event in listed(&server, "limit=200").await {
        assert_eq!(replay(&server, &event["id"]).await, "duplicate", "{event}");
    }
    let mut after = server.everything().await;
    // A replay updates the timestamps of the call and changes nothing else.
    for (name, rows) in &mut after {
        let before = &before.iter().find(|(table, _)| table == name).unwrap().1;
        for (row, before) in rows.iter_mut().zip(before) {
            if *name == "calls" {
                row["updated_at"] = before["updated_at"].clone();
            }
        }
    }
    assert_eq!(after, before);
    let log = having(&server.rows("audit_log t ORDER BY seq").await, "action", "replay");
    assert_eq!((log.len(), &log[0]["after"]), (4, &json!({"duplicate": 1})));
    server.stop().await;
}

async fn a_message_that_fails_again_and_again_is_set_aside_and_put_back(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    poison(&server, database).await;
    // Vapi gets a 200, so it does not retry. The response to a tool call says what the assistant can do.
    assert_eq!(server.take(&report("poison-1", FLOOD)).await, json!({}));
    let about = json!({"serviceType": "racines"});
    let answer = server
        .take(&tool_calls("poison-2", 9_000, &[("a", "calculateQuote", about)]))
        .await;
    assert_eq!(answer["results"][0]["toolCallId"], "a", "{answer}");
    assert!(
        answer["results"][0]["error"].as_str().unwrap().contains("call back"),
        "{answer}"
    );
    // Other messages are not delayed. If Vapi sends the failing message again, no second event is created.
    server.take(&report("call-1", FLOOD)).await;
    server.take(&report("poison-1", FLOOD)).await;
    assert_eq!(server.counts(["calls", "leads", "decisions"]).await, [1, 1, 1]);
    let poisoned = listed(&server, "state=poisoned&sort=id").await;
    assert_eq!(poisoned.len(), 2, "{poisoned:#?}");
    assert_eq!(
        (&poisoned[0]["type"], &poisoned[0]["call_id"], &poisoned[0]["set_aside"]),
        (
            &json!("end-of-call-report"),
            &json!("poison-1"),
            &json!("the database rejected its data")
        )
    );
    let notices = having(&server.rows("notices").await, "code", "message_set_aside");
    assert_eq!(notices.len(), 2, "{notices:#?}");
    assert!(!format!("{notices:?}").contains("Zenobie"));
    // The cause is not fixed yet, so the event stays dead-lettered after a replay.
    assert_eq!(replay(&server, &poisoned[0]["id"]).await, "poisoned");
    mend(&server, database).await;
    server.app.clock.step(TimeDelta::minutes(5));
    assert_eq!(replay(&server, &poisoned[0]["id"]).await, "recorded");
    assert_eq!(replay(&server, &poisoned[0]["id"]).await, "duplicate");
    assert_eq!(listed(&server, "state=poisoned").await.len(), 1);
    let event = &listed(&server, "call_id=poison-1").await[0];
    assert_eq!(
        (&event["id"], &event["state"], &event["origin"]),
        (&poisoned[0]["id"], &json!("recorded"), &json!("replayed"))
    );
    assert_eq!(event["received_at"], poisoned[0]["received_at"]);
    // The event is five minutes old, so the contacts on call are notified.
    let leads = server.rows("leads").await;
    assert!(!yes(&having(&leads, "call_id", "poison-1")[0]["late"]));
    assert!(!having(&server.rows("sms_messages").await, "call_id", "poison-1").is_empty());
    // Vapi sends the message once more, late. It is a duplicate.
    server.take(&report("poison-1", FLOOD)).await;
    assert_eq!(server.counts(["leads", "decisions"]).await, [2, 2]);
    server.stop().await;
}

async fn what_was_set_aside_long_ago_texts_nobody(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    poison(&server, database).await;
    for call in ["poison-1", "poison-2"] {
        server.take(&report(call, FLOOD)).await;
    }
    mend(&server, database).await;
    // Vapi sends this message again after the cause is fixed.
    server.take(&report("poison-2", FLOOD)).await;
    server.app.clock.step(TimeDelta::minutes(31));
    let poisoned = listed(&server, "state=poisoned&sort=id").await;
    assert_eq!(replay(&server, &poisoned[0]["id"]).await, "recorded");
    assert_eq!(replay(&server, &poisoned[1]["id"]).await, "duplicate");
    assert_eq!(listed(&server, "state=poisoned").await.len(), 0);
    let leads = server.rows("leads").await;
    assert!(yes(&having(&leads, "call_id", "poison-1")[0]["late"]));
    assert!(!yes(&having(&leads, "call_id", "poison-2")[0]["late"]));
    let texts = server.rows("sms_messages").await;
    assert!(!texts.is_empty() && texts.iter().all(|text| text["call_id"] == "poison-2"));
    assert_eq!(server.counts(["leads", "decisions"]).await, [2, 2]);
    server.stop().await;
}

async fn a_set_is_taken_in_again_piece_by_piece(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    poison(&server, database).await;
    for number in 0..5 {
        server.take(&report(&format!("poison-{number}"), FLOOD)).await;
        server.app.clock.step(TimeDelta::minutes(1));
    }
    mend(&server, database).await;
    let post = async |body: Value| {
        let (status, answer) = server
            .admin(Method::POST, &format!("{EVENTS}/replay"), Some(&body))
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    };
    // The filter matches all events except the first and the last.
    let mut set = json!({"rulebook": "default", "state": "poisoned", "type": "end-of-call-report", "limit": 2,
        "since": start() + TimeDelta::minutes(1), "until": start() + TimeDelta::minutes(4)});
    let first = post(set.clone()).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2, "{first}");
    assert!(
        first["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["became"] == "recorded"),
        "{first}"
    );
    set["after"] = first["next"].clone();
    let second = post(set.clone()).await;
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["next"]),
        (1, &Value::Null),
        "{second}"
    );
    let left = listed(&server, "state=poisoned&sort=id").await;
    let left: Vec<_> = left.iter().map(|event| event["call_id"].as_str().unwrap()).collect();
    assert_eq!(left, ["poison-0", "poison-4"]);
    // A replay of all messages does not record any message twice.
    let all = post(json!({})).await;
    let became: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["became"].as_str().unwrap())
        .collect();
    assert_eq!(became, ["recorded", "duplicate", "duplicate", "duplicate", "recorded"]);
    assert_eq!(server.counts(["leads", "decisions", "calls"]).await, [5, 5, 5]);
    let log = having(&server.rows("audit_log t ORDER BY seq").await, "action", "replay");
    assert_eq!(
        (log.len(), &log[2]["code"], &log[2]["after"]),
        (3, &json!("set"), &json!({"duplicate": 3, "recorded": 2}))
    );
    server.stop().await;
}

async fn what_cannot_be_read_stays_as_it_is(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let body = b"{\"message\": \"no object\"}";
    assert_eq!(
        server.post_signed_to("/webhooks/vapi", VAPI_SECRET, body).await.0,
        StatusCode::OK
    );
    let event = &listed(&server, "state=unreadable").await[0];
    assert_eq!(replay(&server, &event["id"]).await, "unreadable");
    assert_eq!(server.rows("webhook_events").await.len(), 1);
    // The stored body was unreadable for an older program, but this program can read it.
    let whole = serde_json::to_vec(&report("call-1", FLOOD)).unwrap();
    let bytes = match database {
        Database::Postgres => format!("'\\x{}'", hex::encode(&whole)),
        Database::Sqlite => format!("x'{}'", hex::encode(&whole)),
    };
    server.sql(&format!("UPDATE webhook_events SET body = {bytes}")).await;
    assert_eq!(replay(&server, &event["id"]).await, "recorded");
    let event = server.only_row("webhook_events").await;
    assert_eq!(
        (&event["type"], &event["state"], &event["call_id"]),
        (&json!("end-of-call-report"), &json!("recorded"), &json!("call-1"))
    );
    assert_eq!(server.counts(["calls", "leads", "decisions"]).await, [1, 1, 1]);
    // The call is erased, so there is nothing to ingest.
    server
        .take(&crate::support::messages::message(
            "call.deleted",
            "call-1",
            99_000,
            &json!({}),
        ))
        .await;
    let id = &listed(&server, "type=end-of-call-report").await[0]["id"];
    assert_eq!(replay(&server, id).await, "erased");
    server.stop().await;
}

async fn only_an_admin_of_the_rulebook_may_and_bad_requests_change_nothing(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    server.take(&report("call-1", FLOOD)).await;
    let id = listed(&server, "limit=1").await[0]["id"].as_str().unwrap().to_owned();
    let book = json!({"code": "second", "rows": "sample"});
    assert_eq!(
        server.admin(Method::POST, "/admin/v1/rulebooks", Some(&book)).await.0,
        StatusCode::CREATED
    );
    let key = async |role: &str, rulebook: &str| {
        let body = json!({"name": "x", "role": role, "rulebook": rulebook});
        let (status, answer) = server.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["key"].as_str().unwrap().to_owned()
    };
    let (editor, foreign) = (key("editor", "default").await, key("admin", "second").await);
    let one = format!("{EVENTS}/{id}/replay");
    let set = format!("{EVENTS}/replay");
    assert_eq!(
        server.admin_with(&editor, Method::POST, &one, None).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        server.admin_with(&foreign, Method::POST, &one, None).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, answer) = server.admin_with(&foreign, Method::POST, &set, Some(&json!({}))).await;
    assert_eq!((status, &answer["items"]), (StatusCode::OK, &json!([])));
    for (body, place) in [
        (json!({"state": "lost"}), "/state"),
        (json!({"limit": 0}), "/limit"),
        (json!({"limit": 201}), "/limit"),
        (json!({"type": "a\u{0}"}), "/type"),
        (json!({"sinec": "2026-01-01T00:00:00Z"}), "/sinec"),
    ] {
        let (status, answer) = server.admin(Method::POST, &set, Some(&body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(answer["errors"][0]["pointer"], place, "{answer}");
    }
    let (status, _) = server
        .admin(Method::POST, &set, Some(&json!({"rulebook": "third"})))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        having(&server.rows("audit_log t ORDER BY seq").await, "action", "replay"),
        Vec::<Value>::new()
    );
    server.stop().await;
}
