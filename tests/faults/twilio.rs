//! A stand-in for Twilio that logs the accepted SMS messages. A campaign can change its response mode at any time.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use poem::{Endpoint, Request, Response, Server, http::StatusCode, listener::TcpAcceptor};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

/// The response to a request that sends an SMS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Accept the message.
    Take,
    /// Accept the message, but respond only after this many milliseconds.
    TakeSlowly(u64),
    /// Accept the message, but respond with a server error.
    TakeAndFail,
    /// Reject the message (429, too many requests) after this many milliseconds.
    Busy(u64),
}

/// An accepted SMS message.
#[derive(Clone, Debug)]
pub struct Taken {
    pub sid: String,
    pub to: String,
    pub body: String,
}

/// The server.
pub struct Twilio {
    pub address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    mode: Mutex<Mode>,
    taken: Mutex<Vec<Taken>>,
    requests: Mutex<u64>,
}

impl Twilio {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Take),
            taken: Mutex::default(),
            requests: Mutex::default(),
        });
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        let endpoint = Answers(state.clone());
        let server = tokio::spawn(async move {
            let _ = Server::new_with_acceptor(acceptor).run(endpoint).await;
        });
        Self { address, state, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the mode for all further requests.
    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// Returns how many requests to send an SMS message have arrived.
    pub fn requests(&self) -> u64 {
        *self.state.requests.lock().unwrap()
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.state.taken.lock().unwrap().clone()
    }

    /// Groups the ids of the accepted SMS messages by the reference in their bodies.
    pub fn by_reference(&self) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for text in self.taken() {
            let at = text.body.rfind("RB-").unwrap_or(0);
            let reference: String = text.body[at..].chars().take(9).collect();
            found.entry(reference).or_default().push(text.sid);
        }
        found
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Answers(Arc<State>);

impl Answers {
    fn take(&self, form: &BTreeMap<String, String>) -> Response {
        let mut taken = self.0.taken.lock().unwrap();
        let text = Taken {
            sid: format!("SM{:032x}", taken.len() + 1),
            to: form["To"].clone(),
            body: form["Body"].clone(),
        };
        let answer = json!({"sid": text.sid, "status": "queued", "num_segments": "1", "error_code": null});
        taken.push(text);
        answered(201, &answer)
    }

    /// Returns a page of the accepted SMS messages to one number, newest first, in Twilio's format.
    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let page: usize = query.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(50);
        let number: usize = query.get("Page").and_then(|size| size.parse().ok()).unwrap_or(0);
        let taken = self.0.taken.lock().unwrap();
        let matching: Vec<_> = taken
            .iter()
            .rev()
            .filter(|text| query.get("To") == Some(&text.to))
            .collect();
        let shown = matching.iter().skip(page * number).take(page);
        let messages: Vec<_> = shown
            .map(|text| json!({"sid": text.sid, "to": text.to, "body": text.body, "status": "sent"}))
            .collect();
        answered(200, &json!({"messages": messages, "next_page_uri": null}))
    }
}

impl Endpoint for Answers {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if request.method() == http::Method::GET {
            return Ok(self.list(&pairs(request.uri().query().unwrap_or_default())));
        }
        let form = pairs(&request.take_body().into_string().await?);
        *self.0.requests.lock().unwrap() += 1;
        let mode = *self.0.mode.lock().unwrap();
        Ok(match mode {
            Mode::Take => self.take(&form),
            Mode::TakeSlowly(ms) => {
                let answer = self.take(&form);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                answer
            }
            Mode::TakeAndFail => {
                self.take(&form);
                answered(500, &json!({"code": 20500, "message": "no", "status": 500}))
            }
            Mode::Busy(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                answered(429, &json!({"code": 20429, "message": "no", "status": 429}))
            }
        })
    }
}

fn answered(status: u16, body: &serde_json::Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// Parses the fields of a form or a query.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://form/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}
