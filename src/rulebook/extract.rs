//! Facts out of a message: fact mappings tried in order, each value brought to its mapping's type.
//!
//! Comes in: something to look into and what the caller said. Goes out: [`Extracted`]. A value that is not of the
//! mapping's type is no value: the default or nothing takes its place, so that odd data never stops a call.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::facts::{Extracted, Fact, Facts, Lookup};
use super::rows::{FactKind, FactMapping, RowSet};
use super::words::{fold, heard};

/// The longest text that a fact holds, in characters.
const MAX_TEXT: usize = 10_000;

/// A rulebook's fact mappings.
#[derive(Debug, Clone)]
pub struct Mappings(Vec<FactMapping>);

impl Mappings {
    /// From the rows.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        Self(rows.fact_mappings.values().map(|stored| stored.row.clone()).collect())
    }

    /// Reads the facts of a message.
    pub fn extract(&self, lookup: &dyn Lookup, said: String) -> Extracted {
        let mut facts = Facts::new();
        for mapping in &self.0 {
            let mut found = mapping.pointers.iter().filter_map(|pointer| lookup.lookup(pointer));
            let fact = found
                .find_map(|value| coerce(mapping, &value))
                .or_else(|| default(mapping));
            if let Some(fact) = fact {
                facts.insert(mapping.code.clone(), fact);
            }
        }
        Extracted { facts, said }
    }

    /// Brings facts given by name, as in a case, to their types; `given` are those that need no mapping.
    ///
    /// # Errors
    /// For each fact that is unknown or of the wrong type, its name and a sentence.
    pub fn named(
        &self,
        named: &BTreeMap<String, Value>,
        given: &[(&str, FactKind)],
        said: String,
    ) -> Result<Extracted, Vec<(String, String)>> {
        let (mut facts, mut faults) = (Facts::new(), Vec::new());
        for (name, value) in named.iter().filter(|(_, value)| !value.is_null()) {
            let fact = match (
                self.0.iter().find(|m| m.code == *name),
                given.iter().find(|g| g.0 == name),
            ) {
                (Some(mapping), _) => coerce(mapping, value),
                (None, Some((_, kind))) => typed(*kind, value),
                (None, None) => {
                    let known = self.0.iter().map(|m| m.code.as_str()).chain(given.iter().map(|g| g.0));
                    let hint = if faults.len() < super::vocabulary::MOST_HINTS {
                        super::vocabulary::did_you_mean(name, known)
                    } else {
                        String::new()
                    };
                    faults.push((name.clone(), format!("no fact `{name}` is read from messages{hint}")));
                    continue;
                }
            };
            match fact {
                Some(fact) => {
                    facts.insert(name.clone(), fact);
                }
                None => faults.push((name.clone(), format!("this is no value of the fact `{name}`"))),
            }
        }
        for mapping in &self.0 {
            if !facts.contains_key(&mapping.code)
                && let Some(fact) = default(mapping)
            {
                facts.insert(mapping.code.clone(), fact);
            }
        }
        if faults.is_empty() {
            Ok(Extracted { facts, said })
        } else {
            Err(faults)
        }
    }
}

/// A mapping's default, in its type.
#[must_use]
pub fn default(mapping: &FactMapping) -> Option<Fact> {
    let text = mapping.default_value.as_ref()?;
    coerce(mapping, &Value::String(text.clone()))
}

/// A value as a mapping has it.
fn coerce(mapping: &FactMapping, value: &Value) -> Option<Fact> {
    let fact = typed(mapping.kind, value)?;
    match fact {
        Fact::Text(text) if !mapping.values.is_empty() => normal(mapping, &text).map(Fact::Text),
        fact => Some(fact),
    }
}

/// The value that a text names; where several would do, the one whose word is the longest.
fn normal(mapping: &FactMapping, text: &str) -> Option<String> {
    let folded = fold(text);
    let mut best: Option<(usize, &String)> = None;
    for (value, words) in &mapping.values {
        for word in words.iter().chain(std::iter::once(value)) {
            let length = fold(word).len();
            let longer = best.is_none_or(|(known, _)| length > known);
            if longer && (fold(word) == folded || heard(&folded, word)) {
                best = Some((length, value));
            }
        }
    }
    best.map(|(_, value)| value.clone())
}

fn typed(kind: FactKind, value: &Value) -> Option<Fact> {
    match kind {
        FactKind::Text => text(value).map(Fact::Text),
        FactKind::Number => number(value).map(Fact::Number),
        FactKind::Boolean => boolean(value).map(Fact::Boolean),
        FactKind::Time => time(value).map(Fact::Time),
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().replace('\0', ""),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return None,
    };
    let text = match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    };
    (!text.is_empty()).then_some(text)
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
        }
        Value::String(text) => first_number(text),
        _ => None,
    }
}

/// The first number in a text: `12`, `12.5`, `12,5`, `1 200`, `about 1,200 m`.
fn first_number(text: &str) -> Option<Decimal> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let negative = text[..start].ends_with(['-', '\u{2212}']);
    let mut digits = String::new();
    let mut rest = text[start..].chars().peekable();
    while let Some(c) = rest.next() {
        let ahead: String = rest.clone().take_while(char::is_ascii_digit).take(4).collect();
        let thousands = ahead.len() == 3 && !digits.contains('.') && digits != "0";
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '\u{a0}' | '\u{202f}' | ',' if thousands => {}
            ',' | '.' if !ahead.is_empty() && !digits.contains('.') => digits.push('.'),
            _ => break,
        }
        if digits.len() > 24 {
            return None;
        }
    }
    let value: Decimal = digits.parse().ok()?;
    Some(if negative { -value } else { value })
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match fold(text.trim_end_matches(['.', '!'])).as_str() {
            "true" | "yes" | "y" | "oui" | "vrai" | "1" => Some(true),
            "false" | "no" | "n" | "non" | "faux" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// RFC 3339, or milliseconds since 1970.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.to_utc()),
        Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_found_in_what_people_write() {
        for (text, wanted) in [
            ("12", "12"),
            ("12,5", "12.5"),
            ("12.50 m", "12.50"),
            ("environ 1 200 pieds", "1200"),
            ("1,200", "1200"),
            ("0,125", "0.125"),
            ("-3", "-3"),
            ("12.", "12"),
        ] {
            assert_eq!(first_number(text), wanted.parse().ok(), "{text}");
        }
        assert_eq!(first_number("a dozen"), None);
        assert_eq!(number(&json!(1.1)), "1.1".parse().ok());
    }

    #[test]
    fn booleans_are_understood_in_both_languages() {
        assert_eq!(boolean(&json!("Oui.")), Some(true));
        assert_eq!(boolean(&json!("no")), Some(false));
        assert_eq!(boolean(&json!("peut-être")), None);
    }

    #[test]
    fn the_longest_word_decides_between_values() {
        let mapping: FactMapping = toml::from_str(
            r#"
            code = "complexity"
            pointers = []
            kind = "text"
            values = { complex = ["complexe"], very_complex = ["très complexe", "very complex"] }
            "#,
        )
        .unwrap();
        assert_eq!(normal(&mapping, "Très  complexe"), Some("very_complex".to_owned()));
        assert_eq!(normal(&mapping, "assez complexe"), Some("complex".to_owned()));
        assert_eq!(normal(&mapping, "very_complex"), Some("very_complex".to_owned()));
        assert_eq!(normal(&mapping, "facile"), None);
    }
}
