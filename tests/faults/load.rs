//! Plays callers and an editor. They send requests to a server that may fail at any time, and remember every response.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::{
    support::{
        app::{ADMIN_KEY, VAPI_SECRET},
        messages::{STARTED_AT, STARTED_MS, report, tool_calls},
        requests::sign,
    },
    world::World,
};

/// The path of the row that the editor changes.
pub const PRICE: &str = "/admin/v1/rulebooks/default/services/camera_inspection";

/// A message and its response.
#[derive(Clone, Debug)]
pub struct Sent {
    pub call: String,
    pub kind: &'static str,
    pub hash: String,
    /// The body of a 2xx response.
    pub answer: Option<Value>,
    /// Whether there was no response at all.
    pub silent: bool,
}

/// An edit: the price that was sent, and the version in the response if the edit was accepted.
#[derive(Clone, Debug)]
pub struct Edited {
    pub cents: i64,
    pub version: Option<i64>,
}

/// The requests and responses that the clients remember.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub sent: Vec<Sent>,
    pub edits: Vec<Edited>,
    /// Unexpected responses, each as text with status and body.
    pub wrong: Vec<String>,
    /// The longest response time.
    pub longest: Duration,
    /// Bodies of error responses, in which the oracle searches for secrets.
    pub errors: Vec<String>,
    /// Number of messages whose response says that they are in the spool.
    pub spooled: u64,
    /// Number of messages whose response says that they were stored nowhere. Ringbook answers a waiting caller even if
    /// it cannot store the message.
    pub unrecorded: u64,
}

impl Memory {
    pub fn answered(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.answer.is_some())
    }
}

/// Builds the bytes of a message with the current time, as if its call had just ended.
pub fn as_of_now(world: &World, message: &Value) -> Vec<u8> {
    let now = world.clock.now();
    let at = |seconds: i64| {
        (now - chrono::TimeDelta::seconds(seconds))
            .format("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    };
    let mut message = message.clone();
    let since = message["message"]["timestamp"].as_i64().unwrap() - STARTED_MS;
    message["message"]["timestamp"] = json!((now - chrono::TimeDelta::seconds(70)).timestamp_millis() + since);
    let text = message
        .to_string()
        .replace(STARTED_AT, &at(70))
        .replace("2026-11-24T15:01:05Z", &at(5));
    text.into_bytes()
}

/// Posts a message. Returns status and body; `None` without a response.
pub async fn post(world: &World, address: SocketAddr, body: &[u8]) -> Option<(StatusCode, String)> {
    let answer = posted(world, address, body).await?;
    Some((answer.status, answer.text))
}

/// The response to a message.
struct Answer {
    status: StatusCode,
    text: String,
    /// Whether the response has a `Retry-After` header.
    retries: bool,
    /// The header `x-ringbook-degraded`: what happened to the message if the database was not available.
    degraded: Option<String>,
}

/// Does the same as [`post`], and returns the whole response.
async fn posted(world: &World, address: SocketAddr, body: &[u8]) -> Option<Answer> {
    let timestamp = world.clock.now().timestamp().to_string();
    let signature = sign(VAPI_SECRET, &timestamp, body);
    exchange(world, address, body, &timestamp, &signature).await
}

/// Does the same as [`post`], with the given timestamp and signature.
pub async fn post_with(
    world: &World,
    address: SocketAddr,
    body: &[u8],
    timestamp: &str,
    signature: &str,
) -> Option<(StatusCode, String)> {
    let answer = exchange(world, address, body, timestamp, signature).await?;
    Some((answer.status, answer.text))
}

async fn exchange(world: &World, address: SocketAddr, body: &[u8], timestamp: &str, signature: &str) -> Option<Answer> {
    let request = world
        .client
        .post(format!("http://{address}/webhooks/vapi"))
        .header("content-type", "application/json")
        .header("x-signature", signature)
        .header("x-timestamp", timestamp)
        .body(body.to_vec());
    let response = request.send().await.ok()?;
    let degraded = response.headers().get("x-ringbook-degraded");
    Some(Answer {
        status: response.status(),
        retries: response.headers().contains_key("retry-after"),
        degraded: degraded.map(|how| how.to_str().unwrap().to_owned()),
        text: response.text().await.ok()?,
    })
}

pub fn hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Traffic that continues until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    memory: Arc<Mutex<Memory>>,
    tasks: JoinSet<()>,
}

/// The settings of a [`Load`]: its senders, servers and messages.
#[derive(Clone)]
pub struct Traffic {
    /// The beginning of every call id.
    pub name: String,
    /// The addresses of the servers, which get the messages in turn.
    pub addresses: Vec<SocketAddr>,
    pub senders: usize,
    pub edits: bool,
    /// Every n-th report is an emergency, which causes an SMS message.
    pub emergency_every: u64,
    /// The pause between two messages of a sender.
    pub pause: Duration,
}

impl Traffic {
    pub fn new(name: impl Into<String>, addresses: Vec<SocketAddr>) -> Self {
        Self {
            name: name.into(),
            addresses,
            senders: 6,
            edits: true,
            emergency_every: 5,
            pause: Duration::ZERO,
        }
    }
}

impl Load {
    pub fn start(world: &Arc<World>, traffic: &Traffic) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            answered: Arc::default(),
            memory: Arc::default(),
            tasks: JoinSet::new(),
        };
        for sender in 0..traffic.senders {
            let (world, traffic) = (Arc::clone(world), traffic.clone());
            let (stop, answered, memory) = (load.stop.clone(), load.answered.clone(), load.memory.clone());
            load.tasks.spawn(async move {
                let mut number = 0_u64;
                while !stop.load(Ordering::Acquire) {
                    let call = format!("{}-{sender}-{number}", traffic.name);
                    let address = traffic.addresses[usize::try_from(number).unwrap() % traffic.addresses.len()];
                    let (kind, message) = message(&call, number, traffic.emergency_every);
                    number += 1;
                    if send(&world, address, &call, kind, &message, &memory).await {
                        answered.fetch_add(1, Ordering::AcqRel);
                    } else {
                        // Do not hammer a server that is unavailable.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    tokio::time::sleep(traffic.pause).await;
                }
            });
        }
        if traffic.edits {
            let (world, addresses) = (Arc::clone(world), traffic.addresses.clone());
            let (stop, memory) = (load.stop.clone(), load.memory.clone());
            load.tasks.spawn(async move {
                let mut turn = 0;
                while !stop.load(Ordering::Acquire) {
                    edit(&world, addresses[turn % addresses.len()], &memory).await;
                    turn += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        load
    }

    /// Number of answered messages.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// Waits until `count` more messages are answered.
    pub async fn until(&self, count: u64) {
        let (began, from) = (Instant::now(), self.answered());
        while self.answered() < from + count {
            assert!(began.elapsed() < crate::world::MAX_WAIT, "no message is answered");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns a copy of the memory while the load continues.
    pub fn so_far(&self) -> Memory {
        self.memory.lock().unwrap().clone()
    }

    /// Stops the senders and returns the memory.
    pub async fn end(mut self) -> Memory {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.memory.lock().unwrap().clone()
    }
}

impl Memory {
    /// Merges two memories.
    pub fn add(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.edits.extend(other.edits);
        self.wrong.extend(other.wrong);
        self.errors.extend(other.errors);
        self.spooled += other.spooled;
        self.unrecorded += other.unrecorded;
        self.longest = self.longest.max(other.longest);
    }
}

/// Builds the message with this number. Every second message is a report, and every n-th report is an emergency. The
/// messages between the reports request a quote.
fn message(call: &str, number: u64, emergency_every: u64) -> (&'static str, Value) {
    if number.is_multiple_of(2) {
        let said = if (number / 2).is_multiple_of(emergency_every) {
            "Mon sous-sol est inondé."
        } else {
            "Je voudrais une inspection par caméra."
        };
        ("end-of-call-report", report(call, said))
    } else {
        let about = json!({"serviceType": "racines"});
        ("tool-calls", tool_calls(call, 1_000, &[("a", "calculateQuote", about)]))
    }
}

/// Sends a message and adds it to `memory`. Returns whether the response was 2xx and the message was recorded or
/// spooled.
pub async fn send(
    world: &World,
    address: SocketAddr,
    call: &str,
    kind: &'static str,
    message: &Value,
    memory: &Mutex<Memory>,
) -> bool {
    let body = as_of_now(world, message);
    let began = Instant::now();
    let answer = posted(world, address, &body).await;
    let took = began.elapsed();
    let mut sent = Sent {
        call: call.to_owned(),
        kind,
        hash: hash(&body),
        answer: None,
        silent: answer.is_none(),
    };
    let mut memory = memory.lock().unwrap();
    if let Some(Answer {
        status,
        text,
        retries,
        degraded,
    }) = answer
    {
        memory.longest = memory.longest.max(took);
        let (spooled, unrecorded) = (Some("spooled"), Some("unrecorded"));
        memory.spooled += u64::from(degraded.as_deref() == spooled);
        if status.is_success() && kind == "tool-calls" && degraded.as_deref() == unrecorded {
            memory.unrecorded += 1;
        } else if status.is_success() {
            sent.answer = Some(serde_json::from_str(&text).unwrap());
        } else {
            if status != StatusCode::SERVICE_UNAVAILABLE || !retries {
                memory.wrong.push(format!("{status}, Retry-After {retries}: {text}"));
            }
            memory.errors.push(text);
        }
    }
    let answered = sent.answer.is_some();
    memory.sent.push(sent);
    answered
}

/// Reads a price, changes it once, and adds the edit to `memory`.
pub async fn edit(world: &World, address: SocketAddr, memory: &Mutex<Memory>) {
    // Each price is used once, so that a price in the database identifies its edit.
    static NEXT: AtomicI64 = AtomicI64::new(40_000);
    let read = world
        .client
        .get(format!("http://{address}{PRICE}"))
        .bearer_auth(ADMIN_KEY);
    let Some(row) = json_of(read)
        .await
        .filter(|(status, _)| status.is_success())
        .map(|(_, row)| row)
    else {
        return;
    };
    let cents = NEXT.fetch_add(1, Ordering::Relaxed);
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let patch = json!({"price_to": price, "version": row["version"]});
    let written = world
        .client
        .patch(format!("http://{address}{PRICE}"))
        .bearer_auth(ADMIN_KEY)
        .json(&patch);
    let mut version = None;
    let mut wrong = None;
    if let Some((status, answer)) = json_of(written).await {
        match status {
            StatusCode::OK => version = answer["version"].as_i64(),
            StatusCode::PRECONDITION_FAILED | StatusCode::SERVICE_UNAVAILABLE => {}
            _ => wrong = Some(format!("edit: {status}: {answer}")),
        }
    }
    let mut memory = memory.lock().unwrap();
    memory.edits.push(Edited { cents, version });
    memory.wrong.extend(wrong);
}

async fn json_of(request: reqwest::RequestBuilder) -> Option<(StatusCode, Value)> {
    let response = request.send().await.ok()?;
    let status = response.status();
    Some((status, response.json().await.ok()?))
}
