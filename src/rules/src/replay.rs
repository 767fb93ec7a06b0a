//! Repeats a stored decision: the same revision, facts and instant give the same bytes.
//!
//! The compared bytes are those of [`canonical`]: the decision as JSON with sorted keys and no white space. PostgreSQL
//! stores the JSON as `jsonb`, which has its own order of keys. So both decisions are converted to the canonical form
//! before the comparison.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::compile::Rulebook;
use super::decide::SkippedScripts;
use super::decision::Decision;
use super::facts::ExtractedFacts;
use super::fault::escaped;
use super::rows::Resource;
use super::script::Skips;

/// Number of retries if the replay drops a script that the stored decision did not drop. A busy machine may be the
/// reason, and this does not count as a difference between the decisions.
const RETRIES: usize = 2;

/// A difference between the repeated decision and the stored decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The path of the value, as a JSON pointer.
    pub place: String,
    /// The value in the stored decision; null if there is none.
    pub stored: Value,
    /// The value in the repeated decision; null if there is none.
    pub now: Value,
}

/// The result of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayResult {
    /// The differences; empty if the bytes are the same.
    pub differences: Vec<Difference>,
    /// The new decision.
    pub decision: Value,
}

impl ReplayResult {
    /// Whether the bytes are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Returns the canonical JSON of a decision or of its stored JSON; equal decisions have equal text.
///
/// # Errors
/// When the decision cannot be converted to JSON.
pub fn canonical(decision: &impl Serialize) -> Result<String, serde_json::Error> {
    // Objects of serde_json have sorted keys.
    serde_json::to_string(&serde_json::to_value(decision)?)
}

impl Rulebook {
    /// Repeats the decision `stored`, and skips the scripts that it dropped.
    ///
    /// # Errors
    /// When the decision cannot be converted to JSON.
    pub fn replay(
        &self,
        extracted: &ExtractedFacts,
        at: DateTime<Utc>,
        stored: &Value,
    ) -> Result<ReplayResult, serde_json::Error> {
        let left_out = left_out(stored);
        let mut decision = self.again(extracted, at, &left_out);
        for _ in 0..RETRIES {
            if decision.dropped_scripts.len() <= left_out.len() {
                break;
            }
            decision = self.again(extracted, at, &left_out);
        }
        let now = serde_json::to_value(&decision)?;
        let mut differences = Vec::new();
        if canonical(stored)? != canonical(&now)? {
            compare(String::new(), stored, &now, &mut differences);
        }
        Ok(ReplayResult {
            differences,
            decision: now,
        })
    }

    fn again(&self, extracted: &ExtractedFacts, at: DateTime<Utc>, left_out: &SkippedScripts) -> Decision {
        self.decide_without(extracted, at, Skips::from(left_out.clone()))
            .decision
    }
}

/// Returns the `dropped_scripts` of a stored decision, each with the reason in the decision's trace.
fn left_out(stored: &Value) -> SkippedScripts {
    let dropped = stored["dropped_scripts"].as_array().into_iter().flatten();
    let steps = || stored["trace"].as_array().into_iter().flatten();
    let said = |code: &str| {
        let mut of_script = steps().filter(|step| step["resource"] == Resource::Scripts.path() && step["code"] == code);
        of_script
            .find_map(|step| step["did"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    dropped
        .filter_map(Value::as_str)
        .map(|code| (code.to_owned(), said(code)))
        .collect()
}

fn compare(place: String, stored: &Value, now: &Value, differences: &mut Vec<Difference>) {
    match (stored, now) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let inner = format!("{place}/{}", escaped(key));
                compare(inner, &stored[key], &now[key], differences);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                let (left, right) = (a.get(index), b.get(index));
                let none = Value::Null;
                compare(
                    format!("{place}/{index}"),
                    left.unwrap_or(&none),
                    right.unwrap_or(&none),
                    differences,
                );
            }
        }
        _ if stored == now => {}
        _ => differences.push(Difference {
            place,
            stored: stored.clone(),
            now: now.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{ExtractedFacts, Fact};
    use crate::rows::{Hook, Script, StoredRow};
    use crate::{compile, sample};
    use serde_json::json;

    fn facts() -> ExtractedFacts {
        ExtractedFacts {
            facts: [("postal_code", "J4K 2M6"), ("urgency", "urgent")]
                .map(|(name, text)| (name.to_owned(), Fact::Text(text.to_owned())))
                .into(),
            said: "Bonjour, j'ai des racines dans le drain.".to_owned(),
            ..ExtractedFacts::default()
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"b": 1, "a": {"d": [1, {"y": 2, "x": 1}], "c": null}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a": {"c": null, "d": [1, {"x": 1, "y": 2}]}, "b": 1}"#).unwrap();
        assert_eq!(canonical(&one).unwrap(), canonical(&other).unwrap());
        assert_eq!(
            canonical(&one).unwrap(),
            r#"{"a":{"c":null,"d":[1,{"x":1,"y":2}]},"b":1}"#
        );
    }

    #[test]
    fn a_decision_is_the_same_again_and_a_changed_one_shows_where() {
        let book = compile(1, &sample::rows(), None).unwrap();
        let at = "2026-11-24T15:00:00Z".parse().unwrap();
        let mut stored = serde_json::to_value(book.decide(&facts(), at)).unwrap();
        assert!(book.replay(&facts(), at, &stored).unwrap().is_same());
        stored["price"]["to"] = json!("1.00");
        stored["notify"] = json!([]);
        let places: Vec<String> = book
            .replay(&facts(), at, &stored)
            .unwrap()
            .differences
            .into_iter()
            .map(|difference| difference.place)
            .collect();
        assert_eq!(places, ["/notify/0", "/price/to"]);
    }

    #[test]
    fn a_script_that_had_to_be_left_out_is_left_out_again() {
        let mut rows = sample::rows();
        let script = |source: &str| Script {
            code: "late".to_owned(),
            hook: Hook::Price,
            rank: 1,
            source: source.to_owned(),
        };
        let mut book = |source: &str| {
            let row = script(source);
            rows.scripts
                .insert("late".to_owned(), std::sync::Arc::new(StoredRow { version: 1, row }));
            compile(1, &rows, None).unwrap()
        };
        let at = "2026-11-24T15:00:00Z".parse().unwrap();
        let failing = book("throw \"no\"");
        let stored = serde_json::to_value(failing.decide(&facts(), at)).unwrap();
        assert_eq!(stored["dropped_scripts"], json!(["late"]));
        // On a less busy machine, the script works and would change the price, but the replay still skips it.
        let working = book("quote.add(100, \"more\")");
        assert!(working.replay(&facts(), at, &stored).unwrap().is_same());
        let whole = serde_json::to_value(working.decide(&facts(), at)).unwrap();
        assert!(!failing.replay(&facts(), at, &whole).unwrap().is_same());
    }
}
