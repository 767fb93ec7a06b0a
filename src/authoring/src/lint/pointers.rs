//! Finds pointers of fact mappings that can never match, because no message has the named field. A pointer to a field
//! that Vapi does not document is only a warning.

use super::{Findings, Severity};
use rules::compile::Rulebook;
use rules::extract::SAID;
use rules::rows::{FactMapping, RowSet, changed};
use rules::suggestion::did_you_mean;

/// The first tokens that a pointer may have: the fields of Vapi's messages, and Ringbook's own fields.
const FIELDS: &[&str] = &[
    "analysis",
    "arguments",
    "artifact",
    "artifacts",
    "assistant",
    "assistantVersion",
    "call",
    "campaignId",
    "chat",
    "contact",
    "conversation",
    "cost",
    "costBreakdown",
    "costs",
    "customer",
    "destination",
    "detectedThreats",
    "durationMinutes",
    "durationMs",
    "durationSeconds",
    "endedAt",
    "endedReason",
    "functionCall",
    "input",
    "isFiltered",
    "language",
    "messages",
    "messagesOpenAIFormatted",
    "originalTranscript",
    "output",
    "parameters",
    "phoneNumber",
    "recordingUrl",
    "request",
    "role",
    "said",
    "sampleRate",
    "session",
    "source",
    "startedAt",
    "status",
    "stereoRecordingUrl",
    "structuredOutputs",
    "summary",
    "text",
    "timestamp",
    "toolCallList",
    "toolCalls",
    "toolWithToolCallList",
    "transcript",
    "transcriptType",
    "turn",
    "turnId",
    "type",
];

pub(super) fn lint(rulebook: &Rulebook, found: &mut Findings) {
    for stored in rulebook.rows().fact_mappings.values() {
        mapping(&stored.row, found);
    }
}

/// Checks only the mappings that a change touches.
pub(super) fn changed_ones(rulebook: &Rulebook, before: &RowSet, found: &mut Findings) {
    for (_, _, after) in changed::<FactMapping>(before, rulebook.rows()) {
        if let Some(stored) = after {
            mapping(&stored.row, found);
        }
    }
}

fn mapping(row: &FactMapping, found: &mut Findings) {
    for pointer in &row.pointers {
        if let Some(why) = never(pointer) {
            let text = format!("`{pointer}` never matches: {why}");
            found.add(Severity::Error, row, "pointers", "never_matches", text, Vec::new());
            continue;
        }
        let first = pointer.split('/').nth(1).unwrap_or_default();
        if FIELDS.contains(&first) {
            continue;
        }
        let hint = did_you_mean(first, FIELDS.iter().copied());
        if hint.is_empty() {
            let text = format!(
                "`{pointer}` finds nothing in the messages that Vapi documents: no message has a field `{first}`"
            );
            found.warn(row, "pointers", "unknown_field", text);
        } else {
            let text = format!("`{pointer}` never matches: no message has a field `{first}`{hint}");
            found.add(Severity::Error, row, "pointers", "never_matches", text, Vec::new());
        }
    }
}

/// The reason why a pointer can never match, if that is proven.
fn never(pointer: &str) -> Option<String> {
    let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    let by_name = |name: &str| {
        format!("Vapi identifies structured outputs by ids: write `/structuredOutputs/{name}/…` with the output's name")
    };
    match tokens.as_slice() {
        ["message", ..] => Some("pointers begin inside the message: leave `/message` out".to_owned()),
        ["said"] => None,
        ["said", ..] => Some(format!("the caller's words are one string: write `{SAID}`")),
        ["arguments"] => Some("the pointer names a whole object: add the name of one of its fields".to_owned()),
        ["structuredOutputs"] | ["structuredOutputs", "" | "*"] => Some(
            "the pointer names a whole object: write `/structuredOutputs/NAME/FIELD`, or `*` for any name".to_owned(),
        ),
        ["structuredOutputs", _, rest @ ..] => stars(rest),
        ["artifact", "structuredOutputs", rest @ ..] | ["call", "artifact", "structuredOutputs", rest @ ..] => {
            match rest {
                [id, "name" | "result", ..] if is_id(id) => None,
                [name, ..] => Some(by_name(if is_id(name) { "NAME" } else { name })),
                [] => Some(by_name("NAME")),
            }
        }
        ["analysis", "structuredOutputs", rest @ ..] => Some(by_name(rest.first().copied().unwrap_or("NAME"))),
        ["analysis" | "artifact" | "call" | "customer"] | ["analysis", "structuredData"] => {
            Some("the pointer names a whole object: add the name of one of its fields".to_owned())
        }
        other => stars(other),
    }
}

fn stars(tokens: &[&str]) -> Option<String> {
    let text = "`*` matches only the name of a structured output, as in `/structuredOutputs/*/city`";
    tokens.contains(&"*").then(|| text.to_owned())
}

/// Returns whether the token looks like an id from Vapi.
fn is_id(token: &str) -> bool {
    token.len() == 36
        && token.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_that_can_never_match_is_told_why() {
        for pointer in [
            "/message/analysis/structuredData/city",
            "/artifact/structuredOutputs/service_request/city",
            "/artifact/structuredOutputs/service_request/result/city",
            "/artifact/structuredOutputs/0f8fad5b-d9cb-469f-a165-70867728950e/city",
            "/call/artifact/structuredOutputs/x/result",
            "/analysis/structuredOutputs/x",
            "/structuredOutputs",
            "/structuredOutputs/*",
            "/structuredOutputs/x/*/city",
            "/analysis/*/city",
            "/arguments",
            "/said/city",
        ] {
            assert!(never(pointer).is_some(), "{pointer}");
        }
        for pointer in [
            "/structuredOutputs/service_request/city",
            "/structuredOutputs/urgency",
            "/structuredOutputs/*/city",
            "/artifact/structuredOutputs/0f8fad5b-d9cb-469f-a165-70867728950e/result/city",
            "/analysis/structuredData/city",
            "/arguments/city",
            "/said",
            "/customer/number",
        ] {
            assert_eq!(never(pointer), None, "{pointer}");
        }
    }
}
