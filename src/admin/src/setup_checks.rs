//! Runs the checks of a set-up, one run at a time. The program passes the checks in, because this crate must not depend
//! on the settings, Vapi or Twilio.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use poem_openapi::{Enum, Object};
use serde_json::Value;
use tokio::sync::Mutex;

use base::clock::Clock;

/// How long a result is cached, because each run calls Vapi and Twilio.
const KEPT_FOR: TimeDelta = TimeDelta::seconds(10);

/// The function that runs the checks. The program passes this function in.
pub type CheckSetup = Arc<dyn Fn() -> BoxFuture<'static, (Vec<SetupFinding>, Vec<SetupOfVapi>)> + Send + Sync>;

/// The checks, one run at a time.
#[derive(Clone)]
pub struct SetupChecks {
    check: CheckSetup,
    last: Arc<Mutex<Option<Setup>>>,
}

impl SetupChecks {
    #[must_use]
    pub fn new(check: CheckSetup) -> Self {
        let last = Arc::default();
        Self { check, last }
    }

    /// Runs the checks, or returns the cached result. A caller that comes during a run waits for the result of that run.
    pub async fn run(&self, clock: &Clock) -> Setup {
        let mut last = self.last.lock().await;
        let now = clock.now();
        if let Some(known) = last.as_ref().filter(|known| now - known.checked_at < KEPT_FOR) {
            return known.clone();
        }
        let (findings, vapi) = (self.check)().await;
        let result = findings.iter().map(|finding| finding.level).max();
        let setup = Setup {
            checked_at: now,
            result: result.unwrap_or(SetupLevel::Ok),
            findings,
            vapi,
        };
        *last = Some(setup.clone());
        setup
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum)]
#[oai(rename_all = "lowercase")]
pub enum SetupLevel {
    /// No problem.
    Ok,
    /// The set-up works, but something is missing or at risk.
    Warning,
    /// The set-up does not work.
    Wrong,
}

/// A finding of a check.
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SetupFinding {
    /// The check, such as `twilio`.
    pub check: String,
    /// The check's result.
    pub level: SetupLevel,
    /// The finding.
    pub text: String,
    /// What to do.
    pub what_to_do: Option<String>,
}

/// What to configure at Vapi for a rulebook.
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SetupOfVapi {
    /// The rulebook's code.
    pub rulebook: String,
    /// The URL for Vapi's messages; absent without `RINGBOOK_PUBLIC_URL`.
    pub webhook_url: Option<String>,
    /// The `server` object for assistants and phone numbers.
    pub server: Value,
    /// The body of `POST /structured-output` at Vapi; absent if no fact mapping reads a structured output.
    pub structured_output: Option<Value>,
    /// Lines to add to the assistant's prompt.
    pub prompt: Vec<String>,
}

/// The set-up of an installation.
#[derive(Debug, Clone, Object)]
pub struct Setup {
    /// When the checks ran.
    checked_at: DateTime<Utc>,
    /// The worst level found.
    result: SetupLevel,
    /// What each check found, in order.
    findings: Vec<SetupFinding>,
    /// What to configure at Vapi, for each rulebook.
    vapi: Vec<SetupOfVapi>,
}
