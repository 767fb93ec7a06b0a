//! A fake Twilio server on the loopback interface. It responds to each POST as the test specifies, and records each
//! POST. It serves the list of the messages that it accepted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{Body, Endpoint, Request, Response, Server, endpoint::make};
use serde_json::json;
use tokio::sync::Semaphore;

/// How the fake server responds to a POST.
#[derive(Clone, Debug)]
pub(super) enum PostBehaviour {
    /// Accepts the message and responds with success.
    Accept,
    /// Responds with a status and an error code.
    Error(u16, i64),
    /// Responds with 429, and with this number of seconds as `Retry-After`.
    Busy(u32),
    /// Accepts the message, then responds with 500.
    AcceptThenFail,
    /// Never responds.
    Hang,
    /// Responds with this status, header and body.
    Raw(u16, Option<(&'static str, &'static str)>, String),
    /// Accepts the message when the test calls [`StandIn::let_go`].
    AcceptWhenLetGo,
}

/// A POST as received.
#[derive(Clone, Debug)]
pub(super) struct PostedSms {
    pub(super) path: String,
    pub(super) authorization: String,
    pub(super) form: Vec<(String, String)>,
}

impl PostedSms {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.form
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct StandInState {
    steps: VecDeque<PostBehaviour>,
    afterwards: Option<PostBehaviour>,
    posted: Vec<PostedSms>,
    taken: Vec<serde_json::Value>,
    lists: usize,
    list_fails: bool,
}

/// The fake Twilio server. It stops when the tokio runtime of the test ends.
#[derive(Clone)]
pub(super) struct StandIn {
    pub(super) url: String,
    state: Arc<Mutex<StandInState>>,
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

impl StandIn {
    /// Starts a fake server. Each of the first POSTs uses the next entry of `steps`, and all later POSTs use
    /// `afterwards`.
    pub(super) async fn start(steps: impl IntoIterator<Item = PostBehaviour>, afterwards: PostBehaviour) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
        let state = StandInState {
            steps: steps.into_iter().collect(),
            afterwards: Some(afterwards),
            ..StandInState::default()
        };
        let stand_in = Self {
            url: format!("http://{address}"),
            state: Arc::new(Mutex::new(state)),
            arrived: Arc::new(Semaphore::new(0)),
            let_go: Arc::new(Semaphore::new(0)),
        };
        let endpoint = stand_in.clone().endpoint();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        stand_in
    }

    fn endpoint(self) -> impl Endpoint + 'static {
        make(move |request| {
            let stand_in = self.clone();
            async move { Ok::<_, poem::Error>(stand_in.answer(request).await) }
        })
    }

    async fn answer(&self, mut request: Request) -> Response {
        let authorization = text_of(request.headers(), header::AUTHORIZATION.as_str());
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET {
            return self.list(request.uri().query().unwrap_or_default());
        }
        let body = request.take_body().into_string().await.unwrap();
        let form = pairs(&body);
        let step = {
            let mut state = self.state.lock().unwrap();
            state.posted.push(PostedSms {
                path,
                authorization,
                form: form.clone(),
            });
            state.steps.pop_front().or_else(|| state.afterwards.clone()).unwrap()
        };
        self.arrived.add_permits(1);
        match step {
            PostBehaviour::Accept => self.take(&form),
            PostBehaviour::AcceptWhenLetGo => {
                self.let_go.acquire().await.unwrap().forget();
                self.take(&form)
            }
            PostBehaviour::AcceptThenFail => {
                self.take(&form);
                error(500, 20500)
            }
            PostBehaviour::Error(status, code) => error(status, code),
            PostBehaviour::Busy(seconds) => {
                let mut response = error(429, 20429);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                response
            }
            PostBehaviour::Hang => {
                tokio::time::sleep(Duration::from_mins(10)).await;
                error(500, 20500)
            }
            PostBehaviour::Raw(status, header, body) => {
                let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
                if let Some((name, value)) = header {
                    response = response.header(name, value);
                }
                response.body(body)
            }
        }
    }

    fn take(&self, form: &[(String, String)]) -> Response {
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let mut state = self.state.lock().unwrap();
        let message = json!({
            "sid": format!("SM{:032x}", state.taken.len() + 1), "status": "queued", "to": field("To"), "body": field("Body"),
            "num_segments": "1", "error_code": null,
        });
        state.taken.push(message.clone());
        Response::builder()
            .status(StatusCode::CREATED)
            .body(Body::from_json(message).unwrap())
    }

    fn list(&self, query: &str) -> Response {
        let mut state = self.state.lock().unwrap();
        state.lists += 1;
        if state.list_fails {
            return error(503, 20500);
        }
        let query = pairs(query);
        let to = query
            .iter()
            .find(|(key, _)| key == "To")
            .map(|(_, value)| value.as_str());
        assert!(query.iter().any(|(key, _)| key == "DateSent>"), "{query:?}");
        let messages: Vec<_> = state
            .taken
            .iter()
            .filter(|message| message["to"].as_str() == to)
            .collect();
        Response::builder().body(Body::from_json(json!({"messages": messages, "page": 0})).unwrap())
    }

    /// Returns all POSTs that the fake server has received.
    pub(super) fn posted(&self) -> Vec<PostedSms> {
        self.state.lock().unwrap().posted.clone()
    }

    /// Returns how often the list of messages was requested.
    pub(super) fn lists(&self) -> usize {
        self.state.lock().unwrap().lists
    }

    /// Sets the response to all further POSTs.
    pub(super) fn always(&self, step: PostBehaviour) {
        let mut state = self.state.lock().unwrap();
        state.steps.clear();
        state.afterwards = Some(step);
    }

    /// Makes every request for the list of messages fail.
    pub(super) fn fail_lists(&self) {
        self.state.lock().unwrap().list_fails = true;
    }

    /// Sets the status of an accepted message.
    pub(super) fn set_status(&self, index: usize, status: &str, error_code: i64) {
        let mut state = self.state.lock().unwrap();
        state.taken[index]["status"] = status.into();
        state.taken[index]["error_code"] = error_code.into();
    }

    /// Waits until `count` more messages have arrived.
    pub(super) async fn wait_for_arrivals(&self, count: u32) {
        self.arrived.acquire_many(count).await.unwrap().forget();
    }

    /// Accepts `count` messages that wait as [`PostBehaviour::AcceptWhenLetGo`].
    pub(super) fn let_go(&self, count: usize) {
        self.let_go.add_permits(count);
    }
}

fn error(status: u16, code: i64) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    // Twilio's error messages contain the phone number, so this message contains one too. Ringbook must never store or
    // log it.
    let body = json!({"code": code, "message": "The number +15145550111 …", "status": status.as_u16(), "more_info": "https://…"});
    Response::builder().status(status).body(Body::from_json(body).unwrap())
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn pairs(encoded: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://x/?{encoded}")).unwrap();
    url.query_pairs()
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}
