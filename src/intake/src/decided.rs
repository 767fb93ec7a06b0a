//! A decision about a message, with what it was made from and how long it took.
//!
//! Where a rulebook has scripts, what a message needs decided is worked out on the threads for scripts *before* its
//! transaction begins, at the head that was last seen: a slow script holds neither an asynchronous thread nor SQLite's
//! one writer. The transaction uses it only when it sees the same head.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use super::event::{Event, Payload};
use super::message::{Intake, Message};
use super::{facts, requests, tools};
use base::clock::Clock;
use base::telemetry;
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::facts::Extracted;
use rules::script::{ScriptVersion, Skips};

/// A decision to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Its id.
    pub id: Uuid,
    /// What the message said.
    pub extracted: Extracted,
    /// The instant that it is about.
    pub at: DateTime<Utc>,
    /// What came out.
    pub decision: Decision,
    /// How long it took.
    pub duration_us: i64,
    /// The scripts that ran in it, also those that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ran: Vec<ScriptVersion>,
    /// The scripts that failed in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faulted: Vec<ScriptVersion>,
}

/// Everything that is decided about a message, as a function of these four.
pub(super) struct Question<'a> {
    pub rulebook: &'a Rulebook,
    pub message: &'a Message,
    pub clock: &'a Clock,
    pub skips: Skips,
}

/// What a message needs, worked out by one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ahead {
    /// The revision.
    pub revision: i64,
    /// What came out.
    pub found: Found,
}

/// What was worked out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The decision about a report.
    Report(Box<Decided>),
    /// Every tool that was called.
    Tools(Vec<tools::Ran>),
    /// The answer to any other message.
    Answer(Value),
}

impl Question<'_> {
    /// Decides about the message, with a tool's arguments where there are any.
    pub(super) fn decide(&self, arguments: Option<&Value>) -> Decided {
        let started = Instant::now();
        let event = &self.message.event;
        let extracted = facts::extract(self.rulebook, event, arguments);
        let at = facts::instant(event, self.message.received_at);
        let decided = self.rulebook.decide_without(&extracted, at, self.skips.clone());
        let (decision, took) = (decided.decision, started.elapsed());
        telemetry::metrics::decision(decision.priority.name(), decision.is_degraded(), took);
        Decided {
            id: self.clock.new_id(),
            extracted,
            at,
            decision,
            duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            ran: decided.ran,
            faulted: decided.faulted,
        }
    }

    /// Works out what the message needs.
    pub(super) fn work_out(&self) -> Ahead {
        let found = match &self.message.event.payload {
            Payload::Report(_) => Found::Report(Box::new(self.decide(None))),
            Payload::ToolCalls(requests) => {
                Found::Tools(requests.iter().map(|request| tools::run(self, request)).collect())
            }
            _ => {
                let answer = requests::answer(self).unwrap_or_else(|| answer::neutral(self.message.event.kind));
                Found::Answer(answer.to_json())
            }
        };
        Ahead {
            revision: self.rulebook.revision(),
            found,
        }
    }
}

impl Found {
    /// What a message is answered, as far as nothing of it was answered before.
    #[must_use]
    pub fn answer(&self, event: &Event) -> Value {
        match (self, &event.payload) {
            (Self::Answer(answer), _) => answer.clone(),
            (Self::Tools(ran), Payload::ToolCalls(requests)) => tools::answer(event, requests, ran).to_json(),
            _ => json!({}),
        }
    }

    /// What a message is answered of which nothing is kept, where that is something else.
    pub(super) fn answer_unkept(&self, event: &Event) -> Option<Value> {
        match (self, &event.payload) {
            (Self::Tools(ran), Payload::ToolCalls(requests)) => {
                Some(tools::answer_unkept(event, requests, ran).to_json())
            }
            _ => None,
        }
    }

    /// Whether a script failed in it.
    pub(super) fn has_failed_scripts(&self) -> bool {
        matches!(self, Self::Report(decided) if !decided.faulted.is_empty())
    }

    /// The most urgent priority that was found.
    #[must_use]
    pub fn priority(&self) -> Option<&'static str> {
        match self {
            Self::Report(decided) => Some(decided.decision.priority.name()),
            Self::Tools(ran) => ran.iter().filter_map(tools::Ran::priority).min(),
            Self::Answer(_) => None,
        }
    }
}

/// Whether deciding about a message may run scripts.
pub(super) fn runs_scripts(rulebook: &Rulebook, message: &Message) -> bool {
    let decides = matches!(
        &message.event.payload,
        Payload::Report(_) | Payload::ToolCalls(_) | Payload::TransferDestination | Payload::Handoff { .. }
    );
    decides && rulebook.has_scripts()
}

/// Works out what a message needs on the threads for scripts; without any script when they are busy.
pub(super) async fn ahead(intake: &Intake, message: &Arc<Message>, rulebook: &Arc<Rulebook>) -> Ahead {
    let rulebook_id = message.access.rulebook_id;
    let skips = intake
        .current
        .quarantines()
        .skips(rulebook_id, rulebook, message.received_at);
    let (book, asked, clock) = (Arc::clone(rulebook), Arc::clone(message), intake.clock.clone());
    let work = move || {
        let question = Question {
            rulebook: &book,
            message: &asked,
            clock: &clock,
            skips,
        };
        question.work_out()
    };
    match intake.current.pools().run_scripts(rulebook_id, work).await {
        Ok(ahead) => ahead,
        Err(busy) => {
            // No fault of any script: this message is decided without them, and nothing is counted against them.
            telemetry::metrics::scripts_busy();
            let question = Question {
                rulebook,
                message,
                clock: &intake.clock,
                skips: Skips::all(format!("left out: {busy}")),
            };
            question.work_out()
        }
    }
}
