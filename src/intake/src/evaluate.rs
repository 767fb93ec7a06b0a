//! Decides about a message. A [`DecisionRecord`] contains the decision with its input and its duration.
//!
//! If a rulebook has scripts, the script threads decide about a message *before* its transaction begins, by the last
//! known head revision. So a slow script blocks neither an asynchronous thread nor SQLite's single writer. The
//! transaction uses the decision only if the head is still the same.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use super::commit_race::CommitRace;
use super::message::{Intake, Message};
use super::parse::event::{Event, Payload};
use super::parse::facts;
use super::{requests, tools};
use base::clock::Clock;
use base::telemetry;
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::facts::ExtractedFacts;
use rules::script::{ScriptVersion, Skips};

/// A decision to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    pub id: Uuid,
    /// The facts of the message.
    pub extracted: ExtractedFacts,
    /// The time for which the decision is made.
    pub at: DateTime<Utc>,
    pub decision: Decision,
    /// Duration of the decision, in microseconds.
    pub duration_us: i64,
    /// The scripts that ran for the decision, including those that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ran: Vec<ScriptVersion>,
    /// The scripts that failed during the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faulted: Vec<ScriptVersion>,
    #[serde(skip)]
    row_json: RowJson,
}

/// The facts and the decision as JSON, for the decision's row. Two records with the same values are equal, whether or not
/// their JSON exists yet.
#[derive(Debug, Clone, Default)]
struct RowJson(OnceLock<(String, String)>);

impl PartialEq for RowJson {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl DecisionRecord {
    /// Returns the facts and the decision as JSON. This JSON is built once, preferably before a transaction begins.
    ///
    /// # Errors
    /// If the facts or the decision cannot be serialized as JSON.
    pub(super) fn row_json(&self) -> serde_json::Result<(&str, &str)> {
        let known = &self.row_json.0;
        if known.get().is_none() {
            let json = (
                serde_json::to_string(&self.extracted)?,
                serde_json::to_string(&self.decision)?,
            );
            // Ignore an error here: another thread has already stored the same JSON.
            let _ = known.set(json);
        }
        let (extracted, result) = known.get_or_init(Default::default);
        Ok((extracted, result))
    }
}

/// The input of a decision: the decision depends on these four values only.
pub(super) struct EvaluationInput<'a> {
    pub rulebook: &'a Rulebook,
    pub message: &'a Message,
    pub clock: &'a Clock,
    pub skips: Skips,
}

/// The decisions for a message, made with one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Precomputed {
    pub revision: i64,
    pub decisions: MessageDecisions,
}

/// The decisions for a message. The variant depends on the message type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageDecisions {
    /// The decision about a report.
    Report(Box<DecisionRecord>),
    /// The result of every tool call.
    Tools(Vec<tools::ToolRun>),
    /// The response to any other message.
    Answer(Value),
}

impl EvaluationInput<'_> {
    /// Decides about the message. For a tool call, `arguments` are the arguments of the tool.
    pub(super) fn decide(&self, arguments: Option<&Value>) -> DecisionRecord {
        let started = Instant::now();
        let event = &self.message.event;
        let extracted = facts::extract(self.rulebook, event, arguments);
        let at = facts::instant(event, self.message.received_at);
        let decided = self.rulebook.decide_without(&extracted, at, self.skips.clone());
        let (decision, elapsed) = (decided.decision, started.elapsed());
        telemetry::metrics::decision(decision.priority.name(), decision.is_degraded(), elapsed);
        DecisionRecord {
            id: self.clock.new_id(),
            extracted,
            at,
            decision,
            duration_us: i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX),
            ran: decided.ran,
            faulted: decided.faulted,
            row_json: RowJson::default(),
        }
    }

    /// Makes all decisions that the message needs.
    pub(super) fn decide_all(&self) -> Precomputed {
        let decisions = match &self.message.event.payload {
            Payload::Report(_) => {
                let decided = self.decide(None);
                // Ignore an error here: the same error occurs again when the decision is stored.
                let _ = decided.row_json();
                MessageDecisions::Report(Box::new(decided))
            }
            Payload::ToolCalls(requests) => {
                MessageDecisions::Tools(requests.iter().map(|request| tools::run(self, request)).collect())
            }
            _ => {
                let answer = requests::answer(self).unwrap_or_else(|| answer::neutral(self.message.event.kind));
                MessageDecisions::Answer(answer.to_json())
            }
        };
        Precomputed {
            revision: self.rulebook.revision(),
            decisions,
        }
    }
}

impl MessageDecisions {
    /// Returns the response to the message, without regard to earlier results of repeated tool calls.
    #[must_use]
    pub fn answer(&self, event: &Event) -> Value {
        match (self, &event.payload) {
            (Self::Answer(answer), _) => answer.clone(),
            (Self::Tools(ran), Payload::ToolCalls(requests)) => tools::answer(event, requests, ran).to_json(),
            _ => json!({}),
        }
    }

    /// Returns the response for a message that could not be stored, or `None` if the usual response applies.
    pub(super) fn response_without_storage(&self, event: &Event) -> Option<Value> {
        match (self, &event.payload) {
            (Self::Tools(ran), Payload::ToolCalls(requests)) => {
                Some(tools::response_without_storage(event, requests, ran).to_json())
            }
            _ => None,
        }
    }

    /// Whether a script failed in the decision about a report.
    pub(super) fn has_failed_scripts(&self) -> bool {
        matches!(self, Self::Report(decided) if !decided.faulted.is_empty())
    }

    /// The most urgent priority among the decisions.
    #[must_use]
    pub fn priority(&self) -> Option<&'static str> {
        match self {
            Self::Report(decided) => Some(decided.decision.priority.name()),
            Self::Tools(ran) => ran.iter().filter_map(tools::ToolRun::priority).min(),
            Self::Answer(_) => None,
        }
    }
}

/// Whether a decision about the message may run scripts.
pub(super) fn runs_scripts(rulebook: &Rulebook, message: &Message) -> bool {
    let decides = matches!(
        &message.event.payload,
        Payload::Report(_) | Payload::ToolCalls(_) | Payload::TransferDestination | Payload::Handoff { .. }
    );
    decides && rulebook.has_scripts()
}

/// Decides about a message on the script threads. If the threads are busy, decides without scripts.
pub(super) async fn precomputed(intake: &Intake, message: &Arc<Message>, rulebook: &Arc<Rulebook>) -> Precomputed {
    let rulebook_id = message.access.rulebook_id;
    let skips = intake
        .current
        .quarantines()
        .skips(rulebook_id, rulebook, message.received_at);
    let (book, asked, clock) = (Arc::clone(rulebook), Arc::clone(message), intake.clock.clone());
    let work = move || {
        let question = EvaluationInput {
            rulebook: &book,
            message: &asked,
            clock: &clock,
            skips,
        };
        question.decide_all()
    };
    match intake.current.pools().run_scripts(rulebook_id, work).await {
        Ok(precomputed) => precomputed,
        Err(busy) => {
            // Busy threads are not a failure of a script: decide without scripts, and record no script failure.
            telemetry::metrics::scripts_busy();
            let question = EvaluationInput {
                rulebook,
                message,
                clock: &intake.clock,
                skips: Skips::all(format!("left out: {busy}")),
            };
            question.decide_all()
        }
    }
}

/// Runs the scripts that decide about a message, before its transaction begins. Returns `None` if no script runs.
pub(super) async fn before_transaction(
    intake: &Intake,
    message: &Arc<Message>,
    race: &CommitRace,
) -> Option<Arc<Precomputed>> {
    let known = race.precomputed();
    if known.is_some() {
        return known;
    }
    let rulebook = intake.current.last_seen(message.access.rulebook_id)?;
    if !runs_scripts(&rulebook, message) {
        return None;
    }
    let precomputed = precomputed(intake, message, &rulebook).await;
    Some(race.set_precomputed(precomputed))
}

/// Decides about a message before its transaction begins, with or without scripts.
pub(super) async fn precompute_now(intake: &Intake, message: &Arc<Message>, race: &CommitRace) {
    if before_transaction(intake, message, race).await.is_some() {
        return;
    }
    if let Some(rulebook) = intake.current.last_seen(message.access.rulebook_id) {
        race.set_precomputed(in_place(intake, message, &rulebook).decide_all());
    }
}

/// Builds the input of a decision that needs no scripts and therefore runs on the current thread.
pub(super) fn in_place<'a>(intake: &'a Intake, message: &'a Message, rulebook: &'a Rulebook) -> EvaluationInput<'a> {
    EvaluationInput {
        rulebook,
        message,
        clock: &intake.clock,
        skips: Skips::none(),
    }
}
