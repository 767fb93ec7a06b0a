//! An overloaded machine does not count as a failure of a script. A tenant with too many requests does not affect other
//! tenants. Large revisions do not fill the memory.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use authoring::change_set::{ChangeSet, Edit, ExpectedVersion};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use revisions::publish::{Author, PublishError, PublishedRevision};
use rules::fair_pool::{Busy, processors};
use rules::rows::Resource;
use rules::size::MAX_ROW_BYTES;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use store::rulebooks;
use uuid::Uuid;

use crate::both;
use crate::support::{Database, TestApp, messages::report, tables::yes};

const CLOGGED: &str = "My drain is clogged, can you unblock it?";

both!(
    a_busy_machine_is_no_fault_of_a_script,
    many_requests_of_one_key_wait_in_a_queue_of_their_own,
    many_large_revisions_do_not_fill_the_memory,
);

/// Creates a key with this role for one rulebook.
async fn key(server: &TestApp, role: &str, rulebook: &str) -> String {
    let new = json!({"name": format!("{role} of {rulebook}"), "role": role, "rulebook": rulebook});
    let (status, made) = server.admin(Method::POST, "/admin/v1/api-keys", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

/// Occupies all script threads, each for a different rulebook, until the returned sender is dropped.
async fn all_script_threads(server: &TestApp) -> mpsc::Sender<()> {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let threads = processors() + 1;
    for number in 0..threads {
        let (pools, ended, begin) = (server.app.current.pools().clone(), Arc::clone(&ended), begin.clone());
        tokio::spawn(async move {
            let hold = move || {
                begin.send(()).unwrap();
                let _ = ended.lock().unwrap().recv();
            };
            pools.run_scripts(Uuid::from_u128(number as u128), hold).await
        });
    }
    for _ in 0..threads {
        begun.recv().await.unwrap();
    }
    end
}

async fn a_busy_machine_is_no_fault_of_a_script(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    // The first message opens the database connections. Otherwise, opening them would use up the time that a message
    // may wait for scripts.
    assert_eq!(server.post_signed(&report("first", CLOGGED)).await.0, StatusCode::OK);
    let end = all_script_threads(&server).await;
    // Send more messages than the number of failures after which a script is quarantined.
    let calls: Vec<Value> = (0..8).map(|call| report(&format!("busy-{call}"), CLOGGED)).collect();
    for (status, answer) in join_all(calls.iter().map(|call| server.post_signed(call))).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let mut busy = server.rows("decisions").await;
    busy.retain(|decision| decision["call_id"] != "first");
    assert_eq!(busy.len(), 8);
    for decision in &busy {
        assert!(yes(&decision["degraded"]), "{decision}");
        assert!(!decision["result"]["dropped_scripts"].as_array().unwrap().is_empty());
        let trace = decision["result"]["trace"].to_string();
        assert!(trace.contains("left out: the threads for scripts are busy"), "{trace}");
    }
    assert!(
        server.rows("script_quarantines").await.is_empty(),
        "a script was counted as failing"
    );
    let notices = server.rows("notices").await;
    let blamed = |notice: &&Value| notice["code"].as_str().unwrap().starts_with("script_");
    assert_eq!(notices.iter().filter(blamed).count(), 0, "{notices:?}");

    drop(end);
    assert_eq!(server.post_signed(&report("calm", CLOGGED)).await.0, StatusCode::OK);
    let decisions = server.rows("decisions").await;
    let calm = decisions.iter().find(|row| row["call_id"] == "calm").unwrap();
    assert!(!yes(&calm["degraded"]), "{calm}");
    // A decision that was made without its scripts is replayed without them, and the result is the same.
    for decision in decisions {
        let id = decision["id"].as_str().unwrap();
        let path = format!("/admin/v1/rulebooks/default/decisions/{id}/replay");
        let (status, replayed) = server.admin(Method::POST, &path, None).await;
        assert_eq!(
            (status, &replayed["same"]),
            (StatusCode::OK, &json!(true)),
            "{replayed}"
        );
    }
    server.stop().await;
}

/// The test clients use as much CPU as the server, so the databases are tested one after the other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn many_requests_of_one_key_wait_in_a_queue_of_their_own(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let new = json!({"code": "greedy", "rows": "sample"});
    let (status, made) = server.admin(Method::POST, "/admin/v1/rulebooks", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (viewer, editor) = (
        key(&server, "viewer", "greedy").await,
        key(&server, "editor", "greedy").await,
    );

    // Send more slow work than a rulebook may queue, and more requests than a key may have in progress.
    let source = format!("{}quote.add(1, \"one\");", "let x = 1; ".repeat(15));
    let tried = json!({"source": source, "hook": "price"});
    let service = json!({
        "names": {"en": "Greedy"}, "keywords": [], "offer": "offered", "lead_working_days": false, "rank": 5_000,
        "price_from": "1.00", "price_to": "2.00",
    });
    let base = "/admin/v1/rulebooks/greedy";
    let began = Instant::now();
    let lint = format!("{base}/lint");
    let lints = join_all((0..80).map(|_| server.admin_with(&viewer, Method::GET, &lint, None)));
    let tries = join_all((0..50).map(|_| {
        let path = format!("{base}/scripts/brand_new/test");
        let (server, editor, tried) = (&server, &editor, &tried);
        async move { server.admin_with(editor, Method::POST, &path, Some(tried)).await }
    }));
    let edits = join_all((0..50).map(|number| {
        let path = format!("{base}/services/greedy_{number}?dry_run=true");
        let (server, editor, service) = (&server, &editor, &service);
        async move { server.admin_with(editor, Method::PUT, &path, Some(service)).await }
    }));
    let neighbour = async {
        let mut longest = Duration::ZERO;
        for call in 0..5 {
            let began = Instant::now();
            let call = report(&format!("neighbour-{call}"), CLOGGED);
            assert_eq!(server.post_signed(&call).await.0, StatusCode::OK);
            let path = "/admin/v1/rulebooks/default/lint";
            assert_eq!(server.admin(Method::GET, path, None).await.0, StatusCode::OK);
            longest = longest.max(began.elapsed());
        }
        longest
    };
    let (lints, tries, edits, longest) = tokio::join!(lints, tries, edits, neighbour);
    eprintln!(
        "all requests took {:?}; a message of another rulebook took {longest:?} at most",
        began.elapsed()
    );
    let (mut done, mut refused) = (0, 0);
    for (status, answer) in lints.into_iter().chain(tries).chain(edits) {
        match status {
            StatusCode::OK | StatusCode::CREATED => done += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                refused += 1;
                assert_eq!(
                    (&answer["code"], &answer["retryable"]),
                    (&json!("rate_limited"), &json!(true)),
                    "{answer}"
                );
            }
            status => panic!("{status}: {answer}"),
        }
    }
    assert!(done > 20 && refused > 30, "{done} done, {refused} refused");
    let decisions = server.rows("decisions").await;
    assert_eq!(decisions.len(), 5);
    assert!(
        decisions.iter().all(|row| !yes(&row["degraded"])),
        "a message of another rulebook was degraded"
    );

    // After the burst, the key can send requests again.
    assert_eq!(
        server.admin_with(&viewer, Method::GET, &lint, None).await.0,
        StatusCode::OK
    );

    // If the queue is full, new work is rejected. Work whose client disconnected leaves the queue.
    let pools = server.app.current.pools().clone();
    let whose = Uuid::from_u128(7);
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let mut waiting: Vec<_> = (0..64)
        .map(|_| {
            let ended = Arc::clone(&ended);
            Box::pin(pools.study(whose, move || {
                let _ = ended.lock().unwrap().recv();
            }))
        })
        .collect();
    let mut turned_away = 0;
    for one in &mut waiting {
        if let std::task::Poll::Ready(done) = futures_util::poll!(one.as_mut()) {
            assert_eq!(done, Err(Busy::Queue("studying")));
            turned_away += 1;
        }
    }
    assert!(turned_away >= 40, "{turned_away}");
    drop(waiting);
    drop(end);
    // Abandoned work stays in the queue until a thread removes it.
    let mut done = pools.study(whose, || 1).await;
    let began = Instant::now();
    while done.is_err() && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        done = pools.study(whose, || 1).await;
    }
    assert_eq!(done, Ok(1));
    server.stop().await;
}

/// Publishes a case whose comment has `bytes` bytes.
async fn publish_large(server: &TestApp, bytes: usize) -> Result<PublishedRevision, PublishError> {
    let rulebook = rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    let row = json!({
        "code": "large", "comment": "x".repeat(bytes), "at": "2026-11-24T15:00:00Z", "facts": {},
        "expect": {"/dropped_scripts": null},
    });
    let edit = Edit::Put {
        resource: Resource::Cases,
        code: "large".to_owned(),
        row,
        expected: ExpectedVersion::Any,
    };
    let change = ChangeSet {
        edits: vec![edit],
        comment: String::new(),
    };
    server
        .app
        .publisher
        .publish(rulebook.id, change, Author::default())
        .await
        .unwrap()
}

async fn many_large_revisions_do_not_fill_the_memory(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let (current, mut head) = (&server.app.current, 0);
    for number in 0..8 {
        let published = publish_large(&server, 1_000_000 + number).await.unwrap();
        head = published.revision;
        assert!(published.rulebook.weight() > 1_000_000);
    }
    let rulebook = rulebooks::Entity::find().one(&server.app.db).await.unwrap().unwrap();
    let (weight, most) = current.weight().await;
    assert!(weight > 0 && weight <= most, "{weight} of {most}");
    // The head stays in memory, however large it is. Older revisions are loaded again when somebody reads them.
    assert_eq!(current.last_seen(rulebook.id).unwrap().revision(), head);
    assert_eq!(current.at_for_people(rulebook.id, 2).await.unwrap().revision(), 2);
    let (weight, most) = current.weight().await;
    assert!(weight <= most, "{weight} of {most}");
    assert_eq!(server.post_signed(&report("call-1", CLOGGED)).await.0, StatusCode::OK);

    // A rulebook has a maximum size, which the error names. After the rejection, smaller rows can still be published.
    match publish_large(&server, MAX_ROW_BYTES).await {
        Err(PublishError::Faults(faults)) => {
            assert_eq!((faults.len(), faults[0].problem), (1, "too_large"), "{faults:?}");
            assert!(faults[0].text.contains(&MAX_ROW_BYTES.to_string()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(publish_large(&server, 10).await.unwrap().revision, head + 1);
    server.stop().await;
}
