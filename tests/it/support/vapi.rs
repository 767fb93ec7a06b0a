//! A stand-in for Vapi's API. It serves `GET /call` as documented: it filters by time, lists the newest calls first,
//! applies the limit, and requires the key.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use poem::{Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::messages::report;

pub const VAPI_KEY: &str = "a-private-key-of-vapi";

/// The server.
pub struct Vapi {
    pub address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<Value>>,
    /// Statuses of the next responses.
    failures: Mutex<Vec<u16>>,
    /// Responses to other paths.
    others: Mutex<Vec<(String, Value)>>,
    asked: Mutex<Vec<String>>,
}

impl Vapi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let endpoint = Api(state.clone());
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        let server = tokio::spawn(async move {
            let _ = Server::new_with_acceptor(acceptor).run(endpoint).await;
        });
        Self { address, state, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a call, or replaces the call with the same id.
    pub fn knows(&self, call: Value) {
        let mut calls = self.state.calls.lock().unwrap();
        calls.retain(|known| known["id"] != call["id"]);
        calls.push(call);
    }

    /// Makes the next requests fail with these statuses.
    pub fn fails(&self, statuses: &[u16]) {
        self.state.failures.lock().unwrap().extend_from_slice(statuses);
    }

    /// Sets the response of another path.
    pub fn answers(&self, path: &str, answer: Value) {
        self.state.others.lock().unwrap().push((path.to_owned(), answer));
    }

    /// The queries received.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl Drop for Vapi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Builds an entry of Vapi's list of calls: the call of the report that [`report`] builds, but with the end `ended`.
pub fn ended_call(id: &str, said: &str, ended: DateTime<Utc>) -> Value {
    let message = report(id, said)["message"].clone();
    let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "id": id,
        "orgId": "org-1",
        "type": "inboundPhoneCall",
        "status": "ended",
        "endedReason": message["endedReason"],
        "createdAt": written(ended - TimeDelta::seconds(66)),
        "startedAt": written(ended - TimeDelta::seconds(65)),
        "endedAt": written(ended),
        "updatedAt": written(ended + TimeDelta::seconds(5)),
        "cost": message["cost"],
        "customer": message["customer"],
        "phoneNumber": message["phoneNumber"],
        "analysis": message["analysis"],
        "artifact": message["artifact"],
        "messages": message["artifact"]["messages"],
    })
}

struct Api(Arc<State>);

impl Endpoint for Api {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let uri = request.original_uri();
        let query: Vec<(String, String)> = serde_urlencoded(uri.query().unwrap_or_default());
        self.0.asked.lock().unwrap().push(uri.to_string());
        let failure = {
            let mut failures = self.0.failures.lock().unwrap();
            (!failures.is_empty()).then(|| failures.remove(0))
        };
        if let Some(status) = failure {
            return Ok(answer(status, &json!({"message": "no"})));
        }
        if request.header("authorization") != Some(&format!("Bearer {VAPI_KEY}")) {
            return Ok(answer(401, &json!({"message": "Invalid Key"})));
        }
        if uri.path() != "/call" {
            let others = self.0.others.lock().unwrap();
            let found = others.iter().rev().find(|(path, _)| path == uri.path());
            return Ok(found.map_or_else(|| answer(404, &json!({})), |(_, body)| answer(200, body)));
        }
        let value = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let at = |name: &str| value(name).map(|text| text.parse::<DateTime<Utc>>().unwrap());
        let (from, until) = (at("updatedAtGe"), at("updatedAtLe"));
        let limit: usize = value("limit").map_or(100, |text| text.parse().unwrap()).min(1000);
        let mut found: Vec<Value> = self.0.calls.lock().unwrap().clone();
        found.retain(|call| {
            let updated: DateTime<Utc> = call["updatedAt"].as_str().unwrap().parse().unwrap();
            from.is_none_or(|from| updated >= from) && until.is_none_or(|until| updated <= until)
        });
        found.sort_by_key(|call| std::cmp::Reverse(call["createdAt"].as_str().unwrap().to_owned()));
        found.truncate(limit);
        Ok(answer(200, &Value::Array(found)))
    }
}

fn answer(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .content_type("application/json")
        .body(body.to_string())
}

/// Parses the names and values of a query.
fn serde_urlencoded(query: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}
