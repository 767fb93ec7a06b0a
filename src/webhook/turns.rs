//! Who said what. In: a message. Out: its turns, in order, without the assistant's prompt.

use super::document::Part;

/// One thing said or done in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `user`, `assistant` (Vapi's `bot` too), `tool_calls`, `tool_call_result`, …
    pub role: String,
    /// The words, the tool's result, or the tool calls as JSON.
    pub text: String,
    /// Milliseconds from the start of the call.
    pub offset_ms: Option<i64>,
}

/// Vapi's `bot` is everyone else's `assistant`.
#[must_use]
pub fn role(role: String) -> String {
    if role == "bot" { "assistant".to_owned() } else { role }
}

/// The turns from the best place that has any: the artifact's messages, the message's own, those in the form of
/// `OpenAI`, and last the transcript's lines.
pub(super) fn read(message: Part<'_>) -> Vec<Turn> {
    const PLACES: [&[&str]; 5] = [
        &["artifact", "messages"],
        &["messages"],
        &["artifact", "messagesOpenAIFormatted"],
        &["messagesOpenAIFormatted"],
        &["conversation"],
    ];
    for place in PLACES {
        if let Some(list) = message.at(place).filter(|part| part.is_array()) {
            let turns: Vec<Turn> = list.children().filter_map(turn).collect();
            if !turns.is_empty() {
                return turns;
            }
        }
    }
    let transcript = message
        .at(&["artifact", "transcript"])
        .or_else(|| message.get("transcript").filter(|_| message.get("role").is_none()))
        .and_then(Part::text);
    transcript.map_or_else(Vec::new, |text| text.lines().filter_map(transcript_line).collect())
}

/// The last words of the caller.
pub(super) fn last_said(turns: &[Turn]) -> Option<&str> {
    turns
        .iter()
        .rfind(|turn| turn.role == "user")
        .map(|turn| turn.text.as_str())
}

fn turn(part: Part<'_>) -> Option<Turn> {
    let role = role(part.get("role").and_then(Part::text)?);
    // The prompt is no part of the call, and it is most of the bytes.
    if role == "system" || role == "developer" {
        return None;
    }
    let words = ["message", "content", "result"]
        .iter()
        .filter_map(|name| part.get(name).and_then(Part::text))
        .find(|text| !text.is_empty());
    let calls = || {
        ["toolCalls", "tool_calls"]
            .iter()
            .find_map(|name| part.get(name))
            .map(|calls| calls.raw().to_owned())
    };
    Some(Turn {
        role,
        text: words.or_else(calls)?,
        offset_ms: part.get("secondsFromStart").and_then(|seconds| seconds.scaled(1000)),
    })
}

/// `AI: …` or `User: …`.
fn transcript_line(line: &str) -> Option<Turn> {
    let (who, text) = line.split_once(": ")?;
    let role = match who {
        "AI" | "Assistant" | "Bot" => "assistant",
        "User" | "Customer" => "user",
        _ => return None,
    };
    Some(Turn {
        role: role.to_owned(),
        text: text.to_owned(),
        offset_ms: None,
    })
}
