//! Extracts the turns of a call in order, without the assistant's prompt.

use super::lazy_json::JsonPart;

/// One turn of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `user`, `assistant` (Vapi's `bot` too), `tool_calls`, `tool_call_result`, …
    pub role: String,
    /// The words, the tool's result, or the tool calls as JSON.
    pub text: String,
    /// Milliseconds from the start of the call.
    pub offset_ms: Option<i64>,
}

/// Renames Vapi's `bot` to `assistant`.
#[must_use]
pub fn role(role: String) -> String {
    if role == "bot" { "assistant".to_owned() } else { role }
}

/// The turns from the first source that contains turns: messages, messages in the `OpenAI` format, the conversation,
/// and last the lines of the transcript.
pub(crate) fn read(message: JsonPart<'_>) -> Vec<Turn> {
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
        .and_then(JsonPart::text);
    transcript.map_or_else(Vec::new, |text| transcript_turns(&text))
}

/// The caller's last turn.
pub(crate) fn last_caller_turn(turns: &[Turn]) -> Option<&str> {
    turns
        .iter()
        .rfind(|turn| turn.role == "user")
        .map(|turn| turn.text.as_str())
}

fn turn(part: JsonPart<'_>) -> Option<Turn> {
    let role = role(part.get("role").and_then(JsonPart::text)?);
    // The prompt does not belong to the call, and it is the largest part of a message.
    if role == "system" || role == "developer" {
        return None;
    }
    let words = ["message", "content", "result"]
        .iter()
        .filter_map(|name| part.get(name).and_then(words))
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

/// Returns the text of a string, or the joined texts of content parts (`[{"type": "text", "text": "…"}]`).
fn words(part: JsonPart<'_>) -> Option<String> {
    if !part.is_array() {
        return part.text();
    }
    let texts = part
        .children()
        .filter_map(|part| part.text().or_else(|| part.get("text")?.text()));
    Some(texts.collect::<Vec<_>>().join(" "))
}

/// Splits a transcript into turns. A line without a speaker continues the previous turn.
fn transcript_turns(text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in text.lines() {
        if let Some((role, text)) = speaker(line) {
            turns.push(Turn {
                role: role.to_owned(),
                text: text.trim().to_owned(),
                offset_ms: None,
            });
        } else if let Some(turn) = turns.last_mut() {
            turn.text.push(' ');
            turn.text.push_str(line.trim());
        }
    }
    turns.retain(|turn| !turn.text.is_empty());
    turns
}

/// Splits a line such as `AI: …` or `User: …` into role and text.
fn speaker(line: &str) -> Option<(&'static str, &str)> {
    let (who, text) = line.split_once(':')?;
    match who.trim() {
        "AI" | "Assistant" | "Bot" => Some(("assistant", text)),
        "User" | "Customer" => Some(("user", text)),
        _ => None,
    }
}
