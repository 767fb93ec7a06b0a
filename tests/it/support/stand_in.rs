//! A stand-in for an external server. It sends the given responses in order, repeats the last response, and records
//! every request.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use poem::{Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A response to send.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_string(),
        }
    }

    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// The server.
pub struct StandIn {
    pub address: SocketAddr,
    state: Arc<State>,
    count: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

struct State {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
    count: watch::Sender<usize>,
}

impl StandIn {
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, count) = watch::channel(0);
        let state = Arc::new(State {
            answers: Mutex::new(answers.into()),
            seen: Mutex::default(),
            count: sender,
        });
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        let endpoint = Recorder(state.clone());
        let server = tokio::spawn(async move {
            let _ = Server::new_with_acceptor(acceptor).run(endpoint).await;
        });
        Self {
            address,
            state,
            count,
            server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Waits until `count` requests were received. Fails after ten seconds.
    pub async fn wait_for(&self, count: usize) -> Vec<Seen> {
        let mut counter = self.count.clone();
        let waited = tokio::time::timeout(Duration::from_secs(10), counter.wait_for(|seen| *seen >= count)).await;
        assert!(waited.is_ok(), "waited for {count} requests, saw {:?}", self.seen());
        self.seen()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Recorder(Arc<State>);

impl Endpoint for Recorder {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let seen = Seen {
            method: request.method().to_string(),
            path: request.original_uri().to_string(),
            authorization: request.header("authorization").map(ToOwned::to_owned),
            body: request.take_body().into_string().await?,
        };
        self.0.seen.lock().unwrap().push(seen);
        self.0.count.send_modify(|count| *count += 1);
        let answer = {
            let mut answers = self.0.answers.lock().unwrap();
            if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            }
        };
        let answer = answer.unwrap_or_else(|| Answer::json(200, &Value::Null));
        let response = Response::builder().status(answer.status);
        let response = answer
            .headers
            .iter()
            .fold(response, |response, (name, value)| response.header(*name, value));
        Ok(response.body(answer.body))
    }
}
