//! Recommends what to configure at Vapi for a rulebook's voice agent: a structured output, and lines for the
//! assistant's prompt. Both are generated from the rulebook's rows, so that the model's values match the values in the
//! rules.

use serde_json::{Map, Value, json};

use rules::rows::{FactKind, FactMapping, RowSet};
use rules::services::SERVICE_TEXT;

/// The Vapi path for creating structured outputs with POST.
pub const VAPI_PATH: &str = "/structured-output";

/// The recommended configuration of a rulebook's assistants.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RecommendedAssistant {
    /// The rulebook's code.
    pub rulebook: String,
    /// The body of `POST /structured-output` at Vapi; null if no fact mapping reads a structured output by its name.
    pub structured_output: Value,
    /// Lines to add to the assistant's prompt.
    pub prompt: Vec<String>,
}

impl RecommendedAssistant {
    /// Generates the recommendation from a rulebook's rows.
    #[must_use]
    pub fn from_rows(rulebook: &str, rows: &RowSet) -> Self {
        let mappings = || rows.fact_mappings.values().map(|stored| &stored.row);
        let name = mappings().find_map(|row| Some(field(row)?.0));
        let structured_output = name.map_or(Value::Null, |name| {
            let fields = mappings().filter_map(|row| {
                let (_, property) = field(row).filter(|(of, _)| *of == name)?;
                Some((property.to_owned(), schema(row, rows)))
            });
            json!({
                "name": name,
                "type": "ai",
                "description": "What the caller wants, in the words and codes of the rulebook. Leave out what was not said.",
                "schema": {"type": "object", "properties": fields.collect::<Map<_, _>>()},
            })
        });
        Self {
            rulebook: rulebook.to_owned(),
            prompt: prompt(rows),
            structured_output,
        }
    }

    /// Formats the recommendation as text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut parts = vec![format!("For the assistants of the rulebook `{}`:", self.rulebook)];
        if !self.structured_output.is_null() {
            parts.push(format!(
                "The structured output (POST {VAPI_PATH} at Vapi, with `assistantIds`):\n{:#}",
                self.structured_output
            ));
        }
        parts.push(format!("Lines for the prompt:\n- {}", self.prompt.join("\n- ")));
        parts.join("\n\n")
    }
}

/// Returns the name of a structured output and the name of its field, from the first pointer that contains both names.
fn field(row: &FactMapping) -> Option<(&str, &str)> {
    row.pointers.iter().find_map(|pointer| {
        let (name, field) = pointer.strip_prefix("/structuredOutputs/")?.split_once('/')?;
        (name != "*" && !field.contains('/')).then_some((name, field))
    })
}

fn schema(row: &FactMapping, rows: &RowSet) -> Value {
    if row.code == SERVICE_TEXT {
        let codes: Vec<&String> = rows.services.keys().collect();
        let described = rows.services.values().map(|stored| {
            let names = stored.row.names.values().map(String::as_str).collect::<Vec<_>>();
            format!("{}: {}", stored.row.code, names.join(", "))
        });
        let described = described.collect::<Vec<_>>().join("; ");
        let description =
            format!("The work that the caller wants; the last one if they change their mind. {described}");
        return json!({"type": "string", "enum": codes, "description": description});
    }
    if !row.values.is_empty() {
        let values: Vec<&String> = row.values.keys().collect();
        let description = "Only what the caller says of their own place, now. Leave it out when they do not say.";
        return json!({"type": "string", "enum": values, "description": description});
    }
    let (kind, description) = match row.kind {
        FactKind::Number => ("number", "A number, without its unit."),
        FactKind::Length => (
            "number",
            "In metres; a foot is 0.3048 m. Leave it out when the caller does not know.",
        ),
        FactKind::Boolean => ("boolean", "Leave it out when the caller does not say."),
        FactKind::City => ("string", "The city in which the work is to be done."),
        FactKind::PostalCode => ("string", "The postal code of the place of the work."),
        FactKind::Phone => (
            "string",
            "A number to call back, only when it is not the one that the caller calls from.",
        ),
        FactKind::Email => ("string", "As spelled by the caller."),
        FactKind::Time => ("string", "RFC 3339, or a local time such as 2026-12-24T17:00."),
        FactKind::Text => ("string", "In the caller's own words."),
    };
    json!({"type": kind, "description": description})
}

fn prompt(rows: &RowSet) -> Vec<String> {
    let mut lines = vec![
        "Ask early what is happening right now, and whether water or sewage is coming up, spreading or cannot be stopped. Ask one thing \
         at a time, and wait for the answer."
            .to_owned(),
    ];
    if rows.priority_rules.values().any(|stored| stored.row.safety) {
        lines.push(
            "When a tool's answer begins with what the caller must do to be safe, say it at once, word for word, before anything else."
                .to_owned(),
        );
    }
    lines.push("Repeat the city, the address and what is to be done, and let the caller correct you.".to_owned());
    lines.push(
        "Fill in only what the caller said. Leave a field out instead of \"unknown\", \"N/A\" or a guess.".to_owned(),
    );
    lines.push("Never say a price of your own: say the sentence that the tool answers.".to_owned());
    lines
}
