//! Tests of whole runs against a stand-in server that checks every signature.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{Body, EndpointExt, Request, Route, Server, handler, post};
use serde_json::{Value, json};

use super::callers::{JOBS, SimulatedCaller};
use super::conversation::Conversation;
use super::dice::Dice;
use super::*;
use intake::answer::{Answer, ToolResult};
use intake::auth::verify::{Incoming, Secret, WebhookAuth, verify};
use intake::parse::decode::{Payload, decode};

const SECRET: &str = "a secret for tests";

#[derive(Clone, Default)]
struct SeenRequests(Arc<Mutex<Vec<(String, String)>>>);

/// Responds like Ringbook. A bad signature gets 401, and `classifyPriority` gets 503 to test a failure.
#[handler]
async fn stand_in(request: &Request, body: Body, seen: Data<&SeenRequests>) -> poem::Response {
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    let bytes = body.into_vec().await.expect("a body");
    let incoming = Incoming {
        method: request.method().as_str(),
        url: "unused",
        headers: request.headers(),
        body: &bytes,
    };
    let secrets = [Secret::new("test", SECRET)];
    if verify(&incoming, &WebhookAuth::default(), &secrets, Clock::system().now()).is_err() {
        return status(401).into();
    }
    let event = decode(&bytes).expect("a message");
    let key = event.event_key();
    seen.0
        .0
        .lock()
        .expect("not poisoned")
        .push((event.type_name.clone(), key));
    let answer = match &event.payload {
        Payload::ToolCalls(requests) => {
            if requests[0].name == "classifyPriority" {
                return status(503).into();
            }
            assert!(requests[0].arguments["serviceType"].is_string());
            let result = json!({"priority": "P2", "price": {"from": "350.00", "to": "650.00", "taxes": [{"from": "1", "to": "2"}]}});
            Answer::ToolResults(vec![ToolResult::ok(&requests[0].id, &requests[0].name, &result)])
        }
        _ => Answer::Neutral,
    };
    poem::Response::builder()
        .content_type("application/json")
        .body(answer.to_bytes())
}

async fn serve(seen: SeenRequests) -> String {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
    let address = acceptor.local_addr()[0]
        .as_socket_addr()
        .expect("an IP address")
        .to_string();
    let app = Route::new()
        .at("/webhooks/vapi", post(stand_in))
        .at("/webhooks/vapi/:rulebook", post(stand_in))
        .data(seen);
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    address
}

fn options(url: String) -> SimulateOptions {
    SimulateOptions {
        url,
        secret: SECRET.to_owned(),
        rulebook: None,
        rate: 0.0,
        count: 12,
        seed: Some(7),
        concurrency: 4,
        at: None,
        quiet: true,
        json: false,
    }
}

#[tokio::test]
async fn every_message_of_every_call_arrives_signed_and_is_counted() {
    let seen = SeenRequests::default();
    let address = serve(seen.clone()).await;
    let mut options = options(format!("http://{address}"));
    options.rulebook = Some("other".to_owned());
    let summary = run_until(options, Clock::system(), std::future::pending())
        .await
        .expect("a run");
    let seen = seen.0.lock().expect("not poisoned").clone();
    assert_eq!((summary.calls, summary.interrupted, summary.seed), (12, false, 7));
    assert_eq!(summary.messages, seen.len() as u64);
    let mut types: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, _) in &seen {
        *types.entry(name).or_default() += 1;
    }
    assert_eq!(types["assistant-request"], 12);
    assert_eq!(types["end-of-call-report"], 12);
    assert_eq!(types["status-update"], 48);
    // The stand-in refuses one tool call of each call.
    assert_eq!(summary.failures, BTreeMap::from([("503".to_owned(), 12)]));
    assert_eq!(summary.latency["tool-calls"].count, types["tool-calls"] - 12);
    assert_eq!(
        summary.priorities,
        BTreeMap::from([("P2".to_owned(), types["tool-calls"] - 12)])
    );
    assert_eq!(summary.prices.keys().collect::<Vec<_>>(), ["350.00 to 650.00"]);
    // Every message has a different key.
    let keys: std::collections::HashSet<&String> = seen.iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), seen.len());
    let text = summary.to_string();
    assert!(
        text.contains("12 calls") && text.contains("503 (12)") && text.contains("seed 7"),
        "{text}"
    );
}

#[tokio::test]
async fn a_wrong_secret_and_a_closed_port_are_counted_not_hidden() {
    let address = serve(SeenRequests::default()).await;
    let mut wrong = options(format!("http://{address}/webhooks/vapi"));
    (wrong.secret, wrong.count) = ("wrong".to_owned(), 1);
    let summary = run_until(wrong, Clock::system(), std::future::pending())
        .await
        .expect("a run");
    assert_eq!(summary.failures.keys().collect::<Vec<_>>(), ["401"]);
    assert_eq!(summary.failures["401"], summary.messages);
    let mut closed = options("http://127.0.0.1:1".to_owned());
    closed.count = 1;
    let summary = run_until(closed, Clock::system(), std::future::pending())
        .await
        .expect("a run");
    assert_eq!(summary.failures.keys().collect::<Vec<_>>(), ["cannot connect"]);
}

#[tokio::test]
async fn a_stop_gives_the_summary_so_far() {
    let address = serve(SeenRequests::default()).await;
    let mut slow = options(format!("http://{address}"));
    (slow.rate, slow.count) = (0.001, 1000);
    let summary = run_until(slow, Clock::system(), std::future::ready(()))
        .await
        .expect("a run");
    assert!(summary.interrupted && summary.calls < 1000);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_before_anything_is_sent() {
    for url in ["nonsense", "ftp://example.invalid", ""] {
        assert!(
            run_until(options(url.to_owned()), Clock::system(), std::future::pending())
                .await
                .is_err()
        );
    }
    let mut empty = options("http://127.0.0.1:1".to_owned());
    empty.secret = String::new();
    assert!(run_until(empty, Clock::system(), std::future::pending()).await.is_err());
}

#[test]
fn an_address_gets_the_webhooks_path_unless_it_has_one() {
    let url = |address: &str, rulebook: Option<&str>| webhook_url(address, rulebook).expect("an address").to_string();
    assert_eq!(url("http://h:1", None), "http://h:1/webhooks/vapi");
    assert_eq!(url("127.0.0.1:8080", None), "http://127.0.0.1:8080/webhooks/vapi");
    assert_eq!(url("localhost:80/x", None), "http://localhost/x");
    assert_eq!(url("http://h:1/", Some("a b")), "http://h:1/webhooks/vapi/a%20b");
    assert_eq!(url("http://h/x/webhooks/vapi", Some("r")), "http://h/x/webhooks/vapi/r");
    assert_eq!(url("http://h/webhooks/vapi/r", None), "http://h/webhooks/vapi/r");
}

fn bodies(seed: u64, index: u64) -> Vec<Value> {
    let at = DateTime::from_timestamp(1_790_000_000, 0).expect("a fixed instant");
    let mut call = Conversation::new(Dice::new(seed, index), at);
    call.steps().iter().map(|step| call.body(step).0).collect()
}

#[test]
fn the_same_seed_plays_the_same_calls_and_another_plays_others() {
    assert_eq!(bodies(1, 5), bodies(1, 5));
    assert_ne!(bodies(1, 5), bodies(1, 6));
    assert_ne!(bodies(1, 5), bodies(2, 5));
}

#[test]
fn a_few_hundred_callers_want_everything_the_business_does_and_refuses() {
    let wishes: Vec<SimulatedCaller> = (0..400)
        .map(|index| SimulatedCaller::draw(&mut Dice::new(3, index)))
        .collect();
    for job in JOBS {
        assert!(
            wishes
                .iter()
                .any(|wish| wish.job.code == job.code && wish.job.flood == job.flood),
            "{job:?}"
        );
    }
    assert!(wishes.iter().any(|wish| wish.french) && wishes.iter().any(|wish| !wish.french));
    assert!(
        wishes
            .iter()
            .any(|wish| wish.municipal && wish.problem.contains(wish.name))
    );
    assert!(wishes.iter().any(|wish| wish.postal_code.starts_with("J4")));
    assert!(
        wishes
            .iter()
            .all(|wish| !wish.problem.contains("{m}") && wish.number.len() == 12)
    );
    assert!(
        wishes
            .iter()
            .all(|wish| (wish.job.code == "french_drain") == wish.metres.is_some())
    );
}

#[test]
fn a_report_reads_back_as_it_was_meant() {
    let report = bodies(1, 1)
        .into_iter()
        .find(|body| body["message"]["type"] == "end-of-call-report")
        .expect("a report");
    let event = decode(report.to_string().as_bytes()).expect("a message");
    let Payload::Report(report) = &event.payload else {
        panic!("no report");
    };
    assert!(report.duration_ms.is_some_and(|ms| ms > 0) && report.cost_micros.is_some_and(|cost| cost > 0));
    assert!(report.turns.len() > 8 && event.said().len() >= 3);
    assert!(event.lookup("/analysis/structuredData/serviceType", None).is_some());
}
