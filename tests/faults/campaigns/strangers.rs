//! Sends messages with wrong signatures and edits with stale versions. Also causes errors, which must not reveal
//! anything about a caller.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{self, Memory, PRICE, as_of_now, post, post_with},
    oracle::{planted, select},
    support::{
        Database,
        app::{ADMIN_KEY, VAPI_SECRET},
        messages::report,
        requests::sign,
    },
    world::World,
};

pub const ABOUT: &str = "messages have no signature, a signature with another secret, an old or truncated signature, \
    a signature whose last digits are wrong, or the signature of another body. Each message is rejected with 401 and \
    nothing of it is stored";
pub const EDITS: &str = "twelve editors read one price and change it at the same time. Most of them send a stale \
    version, which is rejected. Each accepted edit is one revision, and there are no other revisions";
pub const SECRETS: &str = "unauthorized clients, callers and editors cause errors with requests that contain a \
    caller's data and secrets. No log, metric or error contains any of this data";

pub async fn strangers(plan: &Plan, kind: Database) -> Result {
    let rounds = plan.count(500, 10);
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut violations, mut n) = (Vec::new(), 0);
    for round in 0..rounds {
        let now = world.clock.now().timestamp();
        let body = as_of_now(
            &world,
            &report(&format!("stranger-{round}"), "Mon sous-sol est inondé."),
        );
        let good = |at: i64| sign(VAPI_SECRET, &at.to_string(), &body);
        let flipped = |from: usize| {
            let mut text = good(now);
            let last = if text.ends_with('0') { "1" } else { "0" };
            text.replace_range(from.., &last.repeat(64 - from));
            text
        };
        let wrong = [
            ("no signature", now, String::new()),
            ("another secret", now, sign("another-secret", &now.to_string(), &body)),
            ("an hour old", now - 3_600, good(now - 3_600)),
            ("an hour in the future", now + 3_600, good(now + 3_600)),
            ("cut", now, good(now)[..32].to_owned()),
            ("its last digit", now, flipped(63)),
            ("its second half", now, flipped(32)),
            ("another body", now, sign(VAPI_SECRET, &now.to_string(), b"{}")),
        ];
        for (what, at, signature) in wrong {
            let answer = post_with(&world, address, &body, &at.to_string(), &signature).await;
            n += 1;
            if answer.as_ref().map(|(status, _)| *status) != Some(StatusCode::UNAUTHORIZED) {
                violations.push(format!("I1 an unauthorized message was accepted: {what}: {answer:?}"));
            }
        }
    }
    program.stop().await;
    let db = world.look().await;
    let stored = select(&db, "SELECT count(*) || '' FROM webhook_events").await;
    if stored[0][0] != "0" {
        violations.push(format!("I1 {} unauthorized messages are recorded", stored[0][0]));
    }
    db.close().await.unwrap();
    violations.extend(judged(&world, plan, &Memory::default()).await);
    violations.truncate(10);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n,
        seen: vec!["8 kinds of wrong signatures".to_owned()],
        violations,
    })
}

pub async fn edits(plan: &Plan, kind: Database) -> Result {
    let rounds = plan.count(3_000, 60);
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let memory = Arc::new(Mutex::new(Memory::default()));
    let mut editors = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (world, memory) = (Arc::clone(&world), memory.clone());
        editors.spawn(async move {
            for _ in 0..rounds / 12 {
                load::edit(&world, address, &memory).await;
            }
        });
    }
    while let Some(done) = editors.join_next().await {
        done.unwrap();
    }
    let mut violations = Vec::new();
    // Version 1 is stale, so an edit with it gets a 412. An edit without a version gets a 428.
    for (patch, wanted) in [
        (
            json!({"price_to": "977.00", "version": 1}),
            StatusCode::PRECONDITION_FAILED,
        ),
        (json!({"price_to": "977.00"}), StatusCode::PRECONDITION_REQUIRED),
    ] {
        let request = world
            .client
            .patch(format!("http://{address}{PRICE}"))
            .bearer_auth(ADMIN_KEY)
            .json(&patch);
        let status = request.send().await.unwrap().status();
        if status != wanted {
            violations.push(format!("I7 {patch} was answered {status} and not {wanted}"));
        }
    }
    program.stop().await;
    let memory = memory.lock().unwrap().clone();
    violations.extend(judged(&world, plan, &memory).await);
    let seen = vec![told(&memory, &world)];
    let n = memory.edits.len() as u64;
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}

pub async fn secrets(plan: &Plan, kind: Database) -> Result {
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let more = [("LOG_LEVEL", "debug"), ("INCLUDE_STACK_TRACE", "true")];
    let (program, _) = world.started(&plan.binary, address, &more).await;
    let mut memory = Memory::default();
    let mut bodies = Vec::new();
    for number in 0..plan.count(40, 4) {
        let whole = as_of_now(&world, &report(&format!("secret-{number}"), "Mon sous-sol est inondé."));
        bodies.push(whole.clone());
        // Build unreadable bodies: some are truncated, others have a value of the wrong type.
        let step = 1 + whole.len() / 7;
        bodies.extend((1..whole.len()).step_by(step).map(|end| whole[..end].to_vec()));
        let text = String::from_utf8(whole).unwrap();
        bodies.push(
            text.replace("\"timestamp\":", "\"timestamp\":\"4385550177\",\"t\":")
                .into_bytes(),
        );
        bodies.push(text.replace("\"end-of-call-report\"", "\"4385550177\"").into_bytes());
        bodies.push(text.replace("\"messages\":[", "\"messages\":[7,").into_bytes());
    }
    let n = bodies.len() as u64;
    for body in &bodies {
        let (_, text) = post(&world, address, body).await.unwrap();
        memory.errors.push(text);
        // Send the same body with an invalid signature.
        let (_, text) = post_with(&world, address, body, "0", "4385550177").await.unwrap();
        memory.errors.push(text);
    }
    for (method, path, body) in ways_to_errors() {
        for key in [ADMIN_KEY, "wrong-key-0123456789", ""] {
            let request = world.client.request(method.clone(), format!("http://{address}{path}"));
            let request = request
                .bearer_auth(key)
                .header("content-type", "application/json")
                .body(body.clone());
            let answer = request.send().await.unwrap();
            if !answer.status().is_success() {
                memory.errors.push(answer.text().await.unwrap_or_default());
            }
        }
    }
    let metrics = world
        .client
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .unwrap();
    memory.errors.push(metrics.text().await.unwrap());
    program.stop().await;
    // If an editor writes a caller's number into a request, the response may contain the number. The logs must not.
    let mut violations = judged(&world, plan, &memory).await;
    violations.retain(|violation| violation.starts_with("I8"));
    let seen = vec![format!(
        "{} errors and {} KB of logs at level debug, searched for {} planted words",
        memory.errors.len(),
        world.logs().len() / 1024,
        planted().len()
    )];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n: n * 2,
        seen,
        violations,
    })
}

/// Builds admin requests that cannot succeed.
fn ways_to_errors() -> Vec<(Method, String, String)> {
    let base = "/admin/v1/rulebooks/default";
    let mut ways = vec![
        (
            Method::POST,
            format!("{base}/secrets"),
            r#"{"purpose": "nonsense", "value": 7}"#.to_owned(),
        ),
        (
            Method::PUT,
            format!("{base}/contacts/on_call"),
            r#"{"name": 1}"#.to_owned(),
        ),
        (
            Method::PUT,
            format!("{base}/webhook-auth"),
            r#"{"schemes": [{"type": "none"}]}"#.to_owned(),
        ),
        (Method::POST, format!("{base}/evaluate"), r#"{"facts": 1}"#.to_owned()),
        (
            Method::POST,
            "/admin/v1/api-keys".to_owned(),
            r#"{"name": ""}"#.to_owned(),
        ),
        (Method::DELETE, format!("{base}/calls/nothing"), String::new()),
    ];
    for resource in [
        "calls",
        "leads",
        "decisions",
        "sms-messages",
        "webhook-events",
        "audit-log",
        "notices",
    ] {
        ways.push((
            Method::GET,
            format!("{base}/{resource}/00000000-0000-0000-0000-000000000000"),
            String::new(),
        ));
        ways.push((Method::GET, format!("/admin/v1/{resource}?limit=x"), String::new()));
    }
    ways
}
