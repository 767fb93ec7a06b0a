//! A stand-in for Twilio with all kinds of failures, over real HTTP: responses are late, truncated, wrong or missing.
//! The same seed gives the same failures. The server logs each accepted message, and sends an event for it before the
//! response.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// An accepted message.
#[derive(Clone, Debug)]
pub(super) struct AcceptedSms {
    pub(super) sid: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) status: &'static str,
    pub(super) code: Option<i64>,
    pub(super) id: uuid::Uuid,
}

/// Pseudorandom numbers, reproducible from the seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % sides
    }
}

struct ServerState {
    dice: Dice,
    log: Vec<AcceptedSms>,
    posts: HashMap<uuid::Uuid, i64>,
    outcomes: HashMap<&'static str, usize>,
}

/// The server. It stops with the test's runtime.
#[derive(Clone)]
pub(super) struct Rough {
    pub(super) url: String,
    state: Arc<Mutex<ServerState>>,
    told: mpsc::UnboundedSender<AcceptedSms>,
}

/// How long the server stays silent when it hangs, which is longer than any timeout.
const SILENCE: Duration = Duration::from_secs(30);

impl Rough {
    pub(super) async fn start(seed: u64) -> (Self, mpsc::UnboundedReceiver<AcceptedSms>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (told, taken) = mpsc::unbounded_channel();
        let state = ServerState {
            dice: Dice::new(seed),
            log: Vec::new(),
            posts: HashMap::new(),
            outcomes: HashMap::new(),
        };
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::new(Mutex::new(state)),
            told,
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        (server, taken)
    }

    /// Handles one request per connection.
    async fn serve(&self, mut stream: TcpStream) {
        let Some((head, body)) = request(&mut stream).await else {
            return;
        };
        if head.starts_with("GET") {
            let answer = self.list(&head);
            let _ = stream.write_all(answer.as_bytes()).await;
            return;
        }
        let outcome = self.state.lock().unwrap().dice.roll(100);
        let form = form(&body);
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let id = field("StatusCallback").rsplit('/').next().unwrap().parse().unwrap();
        {
            let mut state = self.state.lock().unwrap();
            *state.posts.entry(id).or_default() += 1;
            *state.outcomes.entry(NAMES[name_of(outcome)]).or_default() += 1;
        }
        let take = || self.take(id, field("To"), field("Body"));
        let error = |status: &str, code: i64, more: &str| {
            let text = format!(r#"{{"code":{code},"message":"The number +15145550111 …","status":400}}"#);
            answer(status, more, &text)
        };
        let whole = match NAMES[name_of(outcome)] {
            "201" => answer("201 Created", "", &take()),
            "permanent" => error("400 Bad Request", 21211, ""),
            "401" => error("401 Unauthorized", 20003, ""),
            "429 with Retry-After" => error("429 Too Many Requests", 20429, "Retry-After: 7\r\n"),
            "429" => error("429 Too Many Requests", 20429, ""),
            "capacity" => error("400 Bad Request", 21611, ""),
            "500" => error("500 Internal Server Error", 20500, ""),
            "503" => error("503 Service Unavailable", 20500, ""),
            "taken, then 500" => {
                take();
                error("500 Internal Server Error", 20500, "")
            }
            "hang" => return tokio::time::sleep(SILENCE).await,
            "taken, then hang" => {
                take();
                return tokio::time::sleep(SILENCE).await;
            }
            "reset before it is taken" => return reset(&stream),
            "reset after it is taken" => {
                take();
                return reset(&stream);
            }
            "broken JSON" => answer("201 Created", "", &take()[..20]),
            "half an answer" => {
                let whole = answer("201 Created", "", &take());
                whole[..whole.len() - 10].to_owned()
            }
            "slow bytes" => {
                let whole = answer("201 Created", "", &take());
                for chunk in whole.as_bytes().chunks(16) {
                    if stream.write_all(chunk).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                return;
            }
            _ => answer(
                "307 Temporary Redirect",
                "Location: http://127.0.0.1:9/elsewhere\r\n",
                "",
            ),
        };
        let _ = stream.write_all(whole.as_bytes()).await;
    }

    /// Accepts a message, sends the event, and returns the success response.
    fn take(&self, id: uuid::Uuid, to: String, body: String) -> String {
        let mut state = self.state.lock().unwrap();
        let taken = AcceptedSms {
            sid: format!("SM{:032x}", state.log.len() + 1),
            to,
            body,
            status: "queued",
            code: None,
            id,
        };
        state.log.push(taken.clone());
        drop(state);
        let answer = shown(&taken).to_string();
        let _ = self.told.send(taken);
        answer
    }

    /// Returns the list of messages: mostly correct, sometimes outdated or an error.
    fn list(&self, head: &str) -> String {
        let mut state = self.state.lock().unwrap();
        let mood = state.dice.roll(20);
        let query = head
            .split_once('?')
            .map_or("", |(_, rest)| rest.split(' ').next().unwrap());
        let to = form(query).remove("To").unwrap();
        let messages: Vec<_> = match mood {
            0 | 1 => return answer("500 Internal Server Error", "", "{}"),
            2 => Vec::new(),
            _ => state.log.iter().filter(|taken| taken.to == to).map(shown).collect(),
        };
        answer("200 OK", "", &serde_json::json!({"messages": messages}).to_string())
    }

    /// Sets the status of a message.
    pub(super) fn becomes(&self, sid: &str, status: &'static str, code: Option<i64>) {
        let mut state = self.state.lock().unwrap();
        let taken = state.log.iter_mut().find(|taken| taken.sid == sid).unwrap();
        (taken.status, taken.code) = (status, code);
    }

    /// All accepted messages.
    pub(super) fn log(&self) -> Vec<AcceptedSms> {
        self.state.lock().unwrap().log.clone()
    }

    /// How often each SMS message was posted.
    pub(super) fn posts(&self) -> HashMap<uuid::Uuid, i64> {
        self.state.lock().unwrap().posts.clone()
    }

    /// How often each behavior occurred.
    pub(super) fn outcomes(&self) -> HashMap<&'static str, usize> {
        self.state.lock().unwrap().outcomes.clone()
    }
}

/// The names of the server's behaviors. `SHARES` contains the percentage of POSTs for each behavior.
pub(super) const NAMES: [&str; 17] = [
    "201",
    "permanent",
    "401",
    "429 with Retry-After",
    "429",
    "capacity",
    "500",
    "503",
    "taken, then 500",
    "hang",
    "taken, then hang",
    "reset before it is taken",
    "reset after it is taken",
    "broken JSON",
    "half an answer",
    "slow bytes",
    "redirect",
];
const SHARES: [u64; 17] = [28, 8, 3, 5, 5, 3, 6, 5, 6, 3, 3, 5, 5, 4, 4, 4, 3];

fn name_of(outcome: u64) -> usize {
    let mut left = outcome;
    for (index, share) in SHARES.iter().enumerate() {
        if left < *share {
            return index;
        }
        left -= share;
    }
    unreachable!("the shares add up to 100")
}

/// Makes the connection end with a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

fn shown(taken: &AcceptedSms) -> serde_json::Value {
    serde_json::json!({
        "sid": taken.sid, "status": taken.status, "to": taken.to, "body": taken.body, "error_code": taken.code,
    })
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The head and the body of a request; `None` if the client disconnected.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

fn form(encoded: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{encoded}")).unwrap();
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
