//! Checks a set-up, and reports findings with advice. The doctor changes nothing: it creates no database and no key,
//! migrates nothing and sends no SMS message.
//!
//! [`server`] queries a running server. [`files`] checks files on this machine, [`database`] checks the database and
//! its contents, and [`web`] checks the public URL. [`vapi`] and [`twilio`] check our configuration at these services.
//! [`assistant`] recommends what to configure for the voice agent.

pub mod assistant;
pub mod database;
pub mod files;
pub mod server;
pub mod twilio;
pub mod vapi;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, RequestBuilder, header};
use sea_orm::DatabaseConnection;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::assistant::RecommendedAssistant;
use crate::accounts::{accounts, vapi_keys};
use crate::first_start;
use crate::settings::Settings;
use crate::start_messages;
use base::clock::Clock;
use base::http_client;
use base::keys::SecretKey;
use intake::auth::access::DEFAULT_RULEBOOK;
use revisions::cache::RulebookCache;
use rules::sample;

/// Timeout of requests to other servers.
const WORK_TIMEOUT: Duration = Duration::from_secs(10);
/// A larger clock difference makes recorded times wrong.
const NOTICED_SKEW: TimeDelta = TimeDelta::seconds(10);
/// A larger clock difference makes signed messages too old, or in the future.
const TOO_MUCH_SKEW: TimeDelta = TimeDelta::seconds(120);

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No problem.
    Ok,
    /// The set-up works, but something is missing or at risk.
    Warning,
    /// The set-up does not work.
    Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The severity.
    pub level: Level,
    /// What was found.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
}

/// The findings and recommendations.
#[derive(Debug)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// The recommendations for each rulebook, or only for the sample if no rulebook can be read.
    pub assistants: Vec<RecommendedAssistant>,
}

/// The findings so far.
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// The disks that were already reported.
    disks: Vec<u64>,
    assistants: Vec<RecommendedAssistant>,
}

impl Findings {
    /// Adds a finding that reports no problem.
    pub fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.push(check, Level::Ok, text.into(), None);
    }

    /// Adds a warning.
    pub fn warning(&mut self, check: &'static str, text: impl Into<String>, what_to_do: impl Into<String>) {
        self.push(check, Level::Warning, text.into(), Some(what_to_do.into()));
    }

    /// Adds an error.
    pub fn wrong(&mut self, check: &'static str, text: impl Into<String>, what_to_do: impl Into<String>) {
        self.push(check, Level::Wrong, text.into(), Some(what_to_do.into()));
    }

    fn report(mut self) -> Report {
        if self.assistants.is_empty() {
            let sample = RecommendedAssistant::from_rows(DEFAULT_RULEBOOK, &sample::rows());
            self.assistants.push(sample);
        }
        Report {
            findings: self.all,
            assistants: self.assistants,
        }
    }

    /// Returns true if this is the first call for the disk.
    fn first_of_disk(&mut self, device: u64) -> bool {
        let is_first = !self.disks.contains(&device);
        self.disks.push(device);
        is_first
    }

    fn push(&mut self, check: &'static str, level: Level, text: String, what_to_do: Option<String>) {
        self.all.push(Finding {
            check,
            level,
            text,
            what_to_do,
        });
    }

    /// Reports whether a server's clock and our clock agree.
    fn clock(&mut self, whose: &str, theirs: Option<DateTime<Utc>>, clock: &Clock) {
        let Some(theirs) = theirs else { return };
        // Small differences are normal: the header has a resolution of one second, and the response took time.
        let off = (clock.now() - theirs).abs();
        let text = format!(
            "the clocks of this machine and of {whose} differ by {} s",
            off.num_seconds()
        );
        if off > TOO_MUCH_SKEW {
            self.wrong(
                "clock",
                text,
                "Set the clock with NTP: signed messages are refused when they seem too old.",
            );
        } else if off > NOTICED_SKEW {
            self.warning("clock", text, "Set the clock with NTP.");
        } else {
            self.ok("clock", text);
        }
    }
}

/// Runs all checks. If `url` is given, the health checks of the server at `url` are included.
pub async fn examine(settings: &Settings, url: Option<&str>, clock: &Clock) -> Report {
    let mut found = Findings::default();
    found.ok("settings", whose(settings));
    for warning in start_messages::warnings(settings) {
        found.warning("settings", warning, "See `ringbook --help`.");
    }
    let key = files::examine(settings, &mut found);
    let db = database::examine(settings, key.as_ref(), &mut found).await;
    outside(settings, url, (db.as_ref(), key), clock, &mut found).await;
    if let Some(db) = db
        && let Err(error) = db.close().await
    {
        tracing::debug!(%error, "the database did not close");
    }
    found.report()
}

/// The data of a running server that the check of its set-up needs.
#[derive(Clone)]
pub struct Running {
    pub settings: Arc<Settings>,
    pub db: DatabaseConnection,
    /// Maximum number of the server's database connections.
    pub connections: u32,
    pub current: RulebookCache,
    pub key: SecretKey,
    pub clock: Clock,
}

/// Checks a running server with the settings, key, connections and compiled rulebooks that it uses.
pub async fn examine_running(own: &Running) -> Report {
    let (settings, mut found) = (&*own.settings, Findings::default());
    for warning in start_messages::warnings(settings) {
        found.warning("settings", warning, "See `ringbook --help`.");
    }
    files::examine(settings, &mut found);
    database::examine_running(own, &mut found).await;
    let known = (Some(&own.db), Some(own.key.clone()));
    outside(settings, None, known, &own.clock, &mut found).await;
    found.report()
}

/// Checks the public URL, Vapi and Twilio.
async fn outside(
    settings: &Settings,
    url: Option<&str>,
    (db, key): (Option<&DatabaseConnection>, Option<SecretKey>),
    clock: &Clock,
    found: &mut Findings,
) {
    let http = match http_client::builder(WORK_TIMEOUT).build() {
        Ok(http) => http,
        Err(error) => {
            found.wrong(
                "network",
                format!("no HTTP client can be created: {error}"),
                "This is a bug in Ringbook: please report it.",
            );
            return;
        }
    };
    if let Some(url) = url {
        server::examine(url, &http, clock, found).await;
    }
    web::examine(settings, &http, clock, found).await;
    if let (Some(db), Some(key)) = (db, key) {
        let keys = vapi_keys(settings, db.clone(), key.clone());
        let stop = CancellationToken::new();
        vapi::examine(settings, &keys, clock, &stop, found).await;
        let accounts = accounts(settings, db.clone(), key);
        twilio::examine(settings, db, &accounts, &http, clock, found).await;
    }
}

/// Describes where the checked settings come from. A server that was started elsewhere may have other settings.
fn whose(settings: &Settings) -> String {
    let folder =
        std::env::current_dir().map_or_else(|_| "this folder".to_owned(), |folder| folder.display().to_string());
    let database = match settings.database.file() {
        Some(file) => std::path::absolute(file)
            .unwrap_or_else(|_| file.to_owned())
            .display()
            .to_string(),
        None => "PostgreSQL".to_owned(),
    };
    format!(
        "those of this shell and of ringbook.toml in {folder}: database {database}, address {}. Run this with the \
         server's user, folder and environment to check the server's settings",
        settings.listen
    )
}

struct JsonResponse {
    status: u16,
    date: Option<DateTime<Utc>>,
    json: Value,
}

/// Sends a request once. The error says why there is no response, and never contains the URL.
async fn ask(request: RequestBuilder) -> Result<JsonResponse, &'static str> {
    let response = request.send().await.map_err(|error| {
        if error.is_timeout() {
            "it took too long"
        } else if error.is_connect() {
            "no connection, or the server's certificate is not accepted"
        } else {
            "the connection broke"
        }
    })?;
    let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let status = response.status().as_u16();
    let text = response.text().await.unwrap_or_default();
    Ok(JsonResponse {
        status,
        date: date.map(|date| date.to_utc()),
        json: serde_json::from_str(&text).unwrap_or(Value::Null),
    })
}

/// A GET request that follows no redirects.
fn get(http: &Client, url: &str) -> RequestBuilder {
    http.get(url)
}

/// Returns the path of the key file; `None` if the settings contain the key.
fn key_file(settings: &Settings) -> Option<std::path::PathBuf> {
    settings.secret_key.is_none().then(|| first_start::key_file(settings))
}
