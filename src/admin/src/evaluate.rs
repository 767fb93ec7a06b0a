//! Evaluates facts or a whole Vapi message, and returns the decision and the trace that a call would get. An evaluation
//! stores nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::body::Body;
use super::change_sets;
use super::errors::{EvaluatesCall, Fails};
use super::explanation::Explanation;
use super::masking;
use super::responses::ReadResponse;
use super::sms_messages::{SmsCost, cost};
use super::state::{AdminState, RulebookInPath, WriteSmsBody, unloadable};
use super::view_at::both_states;
use revisions::cache::LoadError;
use rules::Rulebook;
use rules::decision::Decision;
use rules::facts::ExtractedFacts;
use rules::fault::escaped;
use rules::rows::Priority;
use web::problem::{FieldFault, Problem};

pub struct EvaluateApi(pub AdminState);

/// What to evaluate: `facts` or `message`.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct EvaluateRequest {
    /// Facts by name, as a message would provide them.
    facts: Option<BTreeMap<String, Value>>,
    /// What was said, for conditions on words: one line per turn. The agent's lines begin with `> `, all others are the
    /// caller's.
    #[serde(default)]
    #[oai(default)]
    said: String,
    /// A whole Vapi message, such as `{"message": {"type": "end-of-call-report", …}}`.
    message: Option<Value>,
    /// The instant for which to decide; by default the message's instant, or now if the message has none.
    at: Option<DateTime<Utc>>,
}

/// A decision that was not stored.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Evaluation {
    /// The revision that decided; for a change set, the revision that it would become.
    revision: i64,
    /// The instant for which the call was decided.
    at: DateTime<Utc>,
    /// The facts that were read.
    extracted: Value,
    /// The decision: service, price with taxes, priority, contacts to notify, what to say, and the trace.
    decision: Value,
    /// The SMS messages that would be sent, one per contact. A contact gets at most one message per call and template.
    /// A cool-down or the daily cap may prevent a message.
    messages: Vec<EvaluatedMessage>,
    /// Every row and its effect; only with `explain`.
    explanation: Option<Explanation>,
}

/// An SMS message that was not sent.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct EvaluatedMessage {
    /// The code of the contact.
    contact: String,
    /// The code of the template.
    template: String,
    /// The text, with a placeholder for the reference.
    body: String,
    /// The text's length in characters.
    characters: u64,
    /// How Twilio would bill the message.
    billed_as: SmsCost,
    /// The end of the quiet hours that delay the message.
    held_until: Option<DateTime<Utc>>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook")]
impl EvaluateApi {
    /// Evaluate a call: price, priority and why
    #[oai(path = "/evaluate", method = "post")]
    async fn evaluate(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// An older revision to decide with; by default the head.
        revision: Query<Option<i64>>,
        /// A change set to decide with, as if it were published.
        change_set: Query<Option<Uuid>>,
        /// `true` adds an explanation: each row's effect on the price, or the first term that failed.
        explain: Query<Option<bool>>,
        body: Body<EvaluateRequest>,
    ) -> Result<ReadResponse<Evaluation>, Fails<EvaluatesCall>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let (rulebook_id, head) = (head_rows.rulebook_id, head_rows.revision);
        let book = match (revision.0, change_set.0) {
            (None, None) => self.0.open(&key, &rulebook.0).await?.rulebook,
            (None, Some(id)) => change_sets::candidate(&self.0, rulebook_id, id).await?,
            (Some(number), None) => {
                let found = self.0.current.at_for_people(rulebook_id, number).await;
                found.map_err(|error| match error {
                    LoadError::Unknown(number) => Problem::not_found(format!("revision {number}")),
                    error => unloadable(error),
                })?
            }
            (Some(_), Some(_)) => return Err(both_states().into()),
        };
        let question = body.0;
        let (extracted, message_at) = match (question.facts, question.message) {
            (Some(facts), None) => (named_facts(&book, &facts, question.said)?, None),
            (None, Some(message)) => (self.0.from_webhook.read_message)(&book, &message).ok_or_else(|| {
                let detail =
                    "`message` is not a Vapi message: expected an object such as `{\"message\": {\"type\": …}}`.";
                Problem::fault("/message", "invalid_value", detail)
            })?,
            _ => {
                let detail = "Give either `facts` or `message`.";
                return Err(Problem::fault("/facts", "contradiction", detail).into());
            }
        };
        let at = question.at.or(message_at).unwrap_or_else(|| self.0.clock.now());
        // The decision is made on another thread, because a script may be slow.
        let explain = explain.0 == Some(true);
        let word = Arc::clone(&self.0.from_webhook.word_sms);
        let decide = move || {
            let decision = book.decide(&extracted, at);
            let messages = messages(&book, &word, &decision, &extracted, at);
            let left_out = explain.then(|| book.explain_decision(&extracted, at, &decision));
            Ok::<_, serde_json::Error>((
                serde_json::to_value(&extracted)?,
                serde_json::to_value(&decision)?,
                decision,
                left_out,
                messages,
            ))
        };
        let decided = self.0.study(rulebook_id, decide).await?;
        let (extracted, whole, decision, left_out, messages) = decided.map_err(|error| Problem::internal(&error))?;
        let revision = decision.revision;
        let explanation = left_out.map(|left_out| Explanation::new(&key, &rulebook.0, decision, left_out, head));
        Ok(ReadResponse::new(Evaluation {
            revision,
            at,
            extracted,
            decision: whole,
            messages: messages.into_iter().map(|one| shown(&key, one)).collect(),
            explanation: explanation.transpose()?,
        }))
    }
}

/// Returns the SMS messages about a decision. The values are not masked yet.
fn messages(
    book: &Rulebook,
    word: &WriteSmsBody,
    decision: &Decision,
    extracted: &ExtractedFacts,
    at: DateTime<Utc>,
) -> Vec<EvaluatedMessage> {
    let Some(template) = &decision.template else {
        return Vec::new();
    };
    let held_until = match decision.priority {
        Priority::P1 | Priority::P2 => None,
        Priority::P3 | Priority::P4 => book.quiet_until(at),
    };
    let contacts = decision.notify.iter().filter_map(|code| book.contact(code));
    let texts = contacts.filter_map(|contact| {
        let body = word(book, template, contact, decision, extracted)?;
        Some(EvaluatedMessage {
            contact: contact.code.clone(),
            template: template.clone(),
            characters: body.chars().count().try_into().unwrap_or(u64::MAX),
            billed_as: cost(&body),
            held_until,
            body,
        })
    });
    texts.collect()
}

fn shown(caller: &Caller, message: EvaluatedMessage) -> EvaluatedMessage {
    EvaluatedMessage {
        body: masking::text(caller, Some(message.body)).unwrap_or_default(),
        ..message
    }
}

/// Converts a map from fact names to values into facts.
///
/// # Errors
/// 422 with each fact that is unknown or has the wrong type.
pub(super) fn named_facts(
    book: &Rulebook,
    facts: &BTreeMap<String, Value>,
    said: String,
) -> Result<ExtractedFacts, Problem> {
    book.extract_named(facts, said).map_err(|faults| {
        let fault = |(name, text): (String, String)| {
            FieldFault::new(format!("/facts/{}", escaped(&name)), "invalid_fact", text)
        };
        Problem::unprocessable(faults.into_iter().map(fault).collect())
    })
}
