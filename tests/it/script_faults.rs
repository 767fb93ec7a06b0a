//! A script fails while calls arrive.

use authoring::change_set::{ChangeSet, Edit, ExpectedVersion};
use reqwest::StatusCode;
use revisions::publish::Author;
use rules::rows::Resource;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use store::rulebooks;

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{report, tool_calls},
        tables::yes,
    },
};

both!(a_script_that_fails_loses_no_message_and_is_told_once);

fn put(resource: Resource, row: Value) -> Edit {
    Edit::Put {
        resource,
        code: row["code"].as_str().unwrap().to_owned(),
        row,
        expected: ExpectedVersion::Absent,
    }
}

async fn a_script_that_fails_loses_no_message_and_is_told_once(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let rulebook = rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    let script = |code: &str, hook: &str| json!({"code": code, "hook": hook, "rank": 900, "source": "throw \"boom\";"});
    let change = ChangeSet {
        edits: vec![
            put(Resource::Scripts, script("broken_price", "price")),
            put(Resource::Scripts, script("broken_tool", "tool")),
            put(
                Resource::Tools,
                json!({"code": "breakIt", "runs": "script", "script": "broken_tool"}),
            ),
        ],
        comment: String::new(),
    };
    let publisher = &server.app.publisher;
    publisher
        .publish(rulebook.id, change, Author::default())
        .await
        .unwrap()
        .unwrap();
    for call in ["call-1", "call-2"] {
        let clogged = "My drain is clogged, can you unblock it?";
        assert_eq!(server.post_signed(&report(call, clogged)).await.0, StatusCode::OK);
    }
    let asked = tool_calls("call-3", 0, &[("t1", "breakIt", json!({}))]);
    let (status, answer) = server.post_signed(&asked).await;
    assert_eq!(status, StatusCode::OK);
    assert!(answer["results"][0]["error"].is_string(), "{answer}");

    let decisions = server.rows("decisions").await;
    assert!(decisions.len() == 3 && decisions.iter().filter(|row| yes(&row["degraded"])).count() >= 2);
    let mut notices = server.rows("notices").await;
    notices.sort_by_key(|notice| notice["subject"].to_string());
    let told: Vec<_> = notices
        .iter()
        .map(|notice| (&notice["code"], &notice["subject"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("script_failed"), &json!("script broken_price")),
            (&json!("script_failed"), &json!("script broken_tool")),
        ]
    );
    assert!(notices[0]["count"].as_i64().unwrap() >= 2);
    server.stop().await;
}
