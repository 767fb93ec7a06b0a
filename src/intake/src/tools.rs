//! Runs the assistant's tool calls. Each tool call gets one result. A repeated tool call gets the recorded result
//! again.
//!
//! A failed tool is a normal result: the caller never hears an error, and the result says what the assistant should do
//! instead.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, ToolResult};
use super::evaluate::{DecisionRecord, EvaluationInput};
use super::parse::event::{Event, ToolRequest};
use super::parse::facts;
use rules::decision::Decision;
use rules::rows::{Offer, Tool, ToolKind};
use rules::script::ScriptVersion;
use rules::sentences::{SentenceValue, sentence};

/// The result of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolRun {
    pub(super) result: Result<Value, String>,
    pub(super) decided: Option<DecisionRecord>,
    pub(super) tool: Option<Tool>,
    /// The tool's own script, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ran: Option<ScriptVersion>,
    /// The tool's own script, if it failed.
    pub(super) faulted: Option<ScriptVersion>,
    pub(super) duration_us: i64,
}

impl ToolRun {
    /// The priority of the decision for the tool call.
    pub(super) fn priority(&self) -> Option<&'static str> {
        self.decided.as_ref().map(|decided| decided.decision.priority.name())
    }

    pub(super) fn told(&self, request: &ToolRequest) -> ToolResult {
        match &self.result {
            Ok(value) => ToolResult::ok(&request.id, &request.name, value),
            Err(error) => ToolResult::failed(&request.id, &request.name, error),
        }
    }

    /// The result if the tool call could not be stored.
    fn result_without_storage(&self, request: &ToolRequest) -> ToolResult {
        match self.undone() {
            Some(value) => ToolResult::ok(&request.id, &request.name, &value),
            None => self.told(request),
        }
    }

    /// Returns the result of a tool whose effect cannot be stored, or `None` for a tool without an effect.
    fn undone(&self) -> Option<Value> {
        let (tool, decided) = (self.tool.as_ref()?, self.decided.as_ref()?);
        match tool.runs {
            ToolKind::SmsAlert => Some(not_alerted(&decided.decision)),
            ToolKind::Booking => Some(not_noted(decided)),
            ToolKind::Quote | ToolKind::Priority | ToolKind::ServiceCheck | ToolKind::Scheduling | ToolKind::Script => {
                None
            }
        }
    }

    /// Builds the result of a tool that cannot run now, because no rulebook is known.
    pub(super) fn out_of_order() -> Self {
        Self {
            result: Err("This tool is out of order. Tell the caller that somebody will call back.".to_owned()),
            decided: None,
            tool: None,
            ran: None,
            faulted: None,
            duration_us: 0,
        }
    }
}

/// The response with the results of the tools.
pub(super) fn answer(event: &Event, requests: &[ToolRequest], ran: &[ToolRun]) -> Answer {
    let results = requests.iter().zip(ran).map(|(request, ran)| ran.told(request));
    Answer::of_tools(event, results.collect())
}

/// Returns the response if nothing could be stored. The response promises no SMS message and no booking.
pub(super) fn response_without_storage(event: &Event, requests: &[ToolRequest], ran: &[ToolRun]) -> Answer {
    let results = requests
        .iter()
        .zip(ran)
        .map(|(request, ran)| ran.result_without_storage(request));
    Answer::of_tools(event, results.collect())
}

/// Runs one tool.
pub(super) fn run(question: &EvaluationInput<'_>, request: &ToolRequest) -> ToolRun {
    let started = Instant::now();
    let Some(tool) = question.rulebook.tool(&request.name).cloned() else {
        return ToolRun {
            result: Err(format!(
                "There is no tool named {}. Tell the caller that somebody will call back.",
                short(&request.name)
            )),
            decided: None,
            tool: None,
            ran: None,
            faulted: None,
            duration_us: 0,
        };
    };
    let decided = question.decide(Some(&request.arguments));
    let (mut script_ran, mut faulted) = (None, None);
    let result = match tool.runs {
        ToolKind::Quote => Ok(quote(&decided.decision)),
        ToolKind::Priority => Ok(priority(&decided.decision)),
        ToolKind::ServiceCheck => Ok(service_check(&decided.decision)),
        ToolKind::Scheduling => Ok(scheduling(question, &decided)),
        ToolKind::SmsAlert => alert(question, &tool, &decided),
        ToolKind::Booking => Ok(booking(&decided)),
        ToolKind::Script => script(question, &tool, request, &decided, (&mut script_ran, &mut faulted)),
    };
    let duration_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
    ToolRun {
        result,
        decided: Some(decided),
        tool: Some(tool),
        ran: script_ran,
        faulted,
        duration_us,
    }
}

fn quote(decision: &Decision) -> Value {
    let mut quote = json!({"say": decision.say, "service": decision.service, "priority": decision.priority.name()});
    if let Some(price) = &decision.price {
        quote["price"] = json!(price);
    }
    quote
}

fn priority(decision: &Decision) -> Value {
    json!({"priority": decision.priority.name(), "slaSeconds": decision.sla_seconds, "rule": decision.priority_rule})
}

fn service_check(decision: &Decision) -> Value {
    json!({
        "service": decision.service,
        "offered": decision.offer.map(|offer| offer != Offer::Refused),
        "needsAssessment": decision.offer == Some(Offer::Assessment),
        "area": decision.area,
        "say": decision.say,
    })
}

fn scheduling(question: &EvaluationInput<'_>, decided: &DecisionRecord) -> Value {
    let decision = &decided.decision;
    let service = decision
        .service
        .as_deref()
        .and_then(|code| question.rulebook.service(code));
    let window = service.and_then(|service| question.rulebook.lead_window(service, decided.at));
    let (earliest, latest) = window.map_or((None, None), |(from, to)| (Some(from), Some(to)));
    let say = match earliest.zip(latest) {
        Some((from, to)) => {
            let (key, from, to) = (
                if from == to { "visit-on" } else { "visit-between" },
                from.to_string(),
                to.to_string(),
            );
            sentence(
                &decision.language,
                key,
                &[("from", SentenceValue::Text(&from)), ("to", SentenceValue::Text(&to))],
            )
        }
        None => sentence(&decision.language, "visit-unknown", &[]),
    };
    json!({
        "service": decision.service,
        "priority": decision.priority.name(),
        "earliest": earliest,
        "latest": latest,
        "say": say,
    })
}

fn alert(question: &EvaluationInput<'_>, tool: &Tool, decided: &DecisionRecord) -> Result<Value, String> {
    if alert_template(tool, decided).is_none() {
        return Err(
            "No SMS template is set up for this alert. Tell the caller that somebody will call back.".to_owned(),
        );
    }
    let names: Vec<&str> = decided
        .decision
        .notify
        .iter()
        .filter_map(|code| question.rulebook.contact(code))
        .map(|contact| contact.name.as_str())
        .collect();
    if names.is_empty() {
        return Err("Nobody is on call. Tell the caller that somebody will call back.".to_owned());
    }
    Ok(json!({"alerted": names, "priority": decided.decision.priority.name()}))
}

fn booking(decided: &DecisionRecord) -> Value {
    let slot = facts::text(&decided.extracted, "wanted_slot");
    let say = sentence(&decided.decision.language, "booking-noted", &[]);
    json!({"requested": true, "confirmed": false, "wantedSlot": slot, "service": decided.decision.service, "say": say})
}

fn not_alerted(decision: &Decision) -> Value {
    let say = sentence(&decision.language, "not-alerted", &[]);
    json!({"alerted": [], "priority": decision.priority.name(), "say": say})
}

fn not_noted(decided: &DecisionRecord) -> Value {
    let slot = facts::text(&decided.extracted, "wanted_slot");
    let say = sentence(&decided.decision.language, "booking-not-noted", &[]);
    json!({"requested": false, "confirmed": false, "wantedSlot": slot, "service": decided.decision.service, "say": say})
}

fn script(
    question: &EvaluationInput<'_>,
    tool: &Tool,
    request: &ToolRequest,
    decided: &DecisionRecord,
    (ran, faulted): (&mut Option<ScriptVersion>, &mut Option<ScriptVersion>),
) -> Result<Value, String> {
    let code = tool.script.as_deref().unwrap_or_default();
    let rulebook = question.rulebook;
    let answer = rulebook.run_tool_script(
        code,
        &request.arguments,
        &decided.extracted,
        decided.at,
        &question.skips,
    );
    let answer = answer.map_err(|failed| {
        let fault = failed.fault;
        // Do not log the error text: a script may throw the caller's words.
        let (line, position) = (fault.line, fault.position);
        tracing::warn!(script = code, line, position, ran = failed.ran, "tool script failed");
        let script = ScriptVersion {
            code: fault.code,
            version: fault.version,
        };
        *ran = failed.ran.then(|| script.clone());
        if failed.ran && fault.by_arguments {
            // The arguments caused the failure. The script still works with other arguments.
            return sentence(&decided.decision.language, "say-again", &[]);
        }
        *faulted = (failed.ran && fault.is_own).then_some(script);
        "This tool is out of order. Tell the caller that somebody will call back.".to_owned()
    })?;
    *ran = Some(answer.script);
    Ok(answer.value)
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

pub(super) fn alert_template<'a>(tool: &'a Tool, decided: &'a DecisionRecord) -> Option<&'a str> {
    tool.template.as_deref().or(decided.decision.template.as_deref())
}
