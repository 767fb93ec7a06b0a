//! Reads values as facts by kind: text, number, length, telephone number, city and others. Each kind refuses values
//! that it cannot read, because a wrong value costs more than a missing value.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use phonenumber::country::Id;
use rust_decimal::Decimal;
use serde_json::Value;

use self::choice::Choices;
use self::place::Cities;
use self::postal_code::Postal;
use self::speech::Speech;
use self::tokens::{Plain, Token};
use super::facts::Fact;
use super::rows::{FactKind, RowSet};
use super::words::fold;

pub mod choice;
pub mod length;
pub mod number;
mod number_digits;
mod number_words;
pub mod phone;
pub mod place;
pub mod postal_code;
pub mod speech;
pub mod tokens;

/// Maximum length of a text fact, in characters.
const MAX_TEXT: usize = 10_000;

/// The reason why a value was refused, in a few words that contain no part of the value.
pub type Refusal = &'static str;

/// Reads values as facts, with the settings and areas of the rulebook.
#[derive(Debug, Clone, Default)]
pub struct ValueReader {
    region: Option<Id>,
    postal: Postal,
    zone: Tz,
    cities: Cities,
}

impl ValueReader {
    /// Builds the reader from a rulebook's settings and areas.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        let settings = rows.settings.values().next().map(|stored| &stored.row);
        let region = settings.and_then(|settings| phone::region(settings.region.as_deref(), &settings.currency));
        Self {
            region,
            postal: match region {
                Some(Id::CA) => Postal::Canada,
                Some(Id::US) => Postal::UnitedStates,
                _ => Postal::Any,
            },
            zone: settings
                .and_then(|settings| settings.time_zone.parse().ok())
                .unwrap_or_default(),
            cities: Cities::new(rows.areas.values().flat_map(|stored| &stored.row.cities)),
        }
    }

    /// Reads a value as one of `choices`; without `choices`, reads it as a fact of this kind.
    ///
    /// # Errors
    /// The reason why the value is refused.
    pub fn read(&self, kind: FactKind, choices: Option<&Choices>, value: &Value) -> Result<Fact, Refusal> {
        let Some(choices) = choices else {
            return self.typed(kind, value);
        };
        let text = text(value).ok_or(NO_TEXT)?;
        // Do not refuse words such as "none" here, because they may be choices.
        let chosen = choices.choose(&text).map(str::to_owned);
        chosen.map(Fact::Text).ok_or("it names none of the values")
    }

    /// Reads a value as a fact of this kind.
    ///
    /// # Errors
    /// The reason why the value is refused.
    pub fn typed(&self, kind: FactKind, value: &Value) -> Result<Fact, Refusal> {
        if let Value::String(text) = value
            && is_no_value(text)
        {
            return Err(NOT_KNOWN);
        }
        let in_text = || text(value).ok_or(NO_TEXT);
        match kind {
            FactKind::Text => in_text().map(Fact::Text),
            FactKind::Number => number(value).map(Fact::Number),
            FactKind::Boolean => boolean(value).map(Fact::Boolean).ok_or("it is neither yes nor no"),
            FactKind::Time => self.time(value).map(Fact::Time).ok_or("it is not an instant"),
            FactKind::Phone => in_text()
                .and_then(|text| phone::phone(&text, self.region))
                .map(Fact::Text),
            FactKind::Length => in_text()
                .and_then(|text| length::in_field(&text))
                .map(|length| Fact::Number(length.metres)),
            FactKind::City => in_text().and_then(|text| self.cities.in_field(&text)).map(Fact::Text),
            FactKind::PostalCode => in_text()
                .and_then(|text| postal_code::postal_code(&text, self.postal))
                .map(Fact::Text),
            FactKind::Email => in_text().and_then(|text| email(&text)).map(Fact::Text),
        }
    }

    /// Finds the last value of this kind in the caller's words. Only some kinds can be found in speech.
    #[must_use]
    pub fn said(&self, kind: FactKind, said: &Speech<'_>) -> Option<Fact> {
        match kind {
            FactKind::Length => length::in_speech(said).map(|length| Fact::Number(length.metres)),
            FactKind::City => self.cities.in_speech(said).map(Fact::Text),
            FactKind::PostalCode if self.postal == Postal::Canada => postal_code::last_canadian(said.text())
                .or_else(|| postal_code::last_canadian_beginning(said.text()))
                .map(Fact::Text),
            _ => None,
        }
    }

    /// Finds a city that the agent named and to which the caller agreed; `None` for other kinds.
    #[must_use]
    pub fn agreed(&self, kind: FactKind, said: &str) -> Option<Fact> {
        let city = (kind == FactKind::City).then(|| self.cities.agreed(said));
        city.flatten().map(Fact::Text)
    }

    /// Returns the value in the caller's words if it contradicts the value in a field. Another city is a contradiction,
    /// and so is the same number with a unit other than metres.
    #[must_use]
    pub fn said_otherwise(&self, kind: FactKind, value: &Value, said: &Speech<'_>) -> Option<Fact> {
        let text = text(value)?;
        if kind == FactKind::City {
            return self.cities.said_otherwise(&text, said).map(Fact::Text);
        }
        if kind != FactKind::Length {
            return None;
        }
        let [Token::Number(bare)] = Plain::new(&text).tokens()[..] else {
            return None;
        };
        let heard = length::in_speech(said)?;
        let same = heard.number == bare && !heard.in_metres;
        same.then_some(Fact::Number(heard.metres))
    }

    /// Parses RFC 3339, a local time in the rulebook's zone, or milliseconds since 1970.
    fn time(&self, value: &Value) -> Option<DateTime<Utc>> {
        match value {
            Value::String(text) => {
                let text = text.trim();
                if let Ok(time) = DateTime::parse_from_rfc3339(text) {
                    return Some(time.to_utc());
                }
                let local = [
                    "%Y-%m-%dT%H:%M:%S",
                    "%Y-%m-%dT%H:%M",
                    "%Y-%m-%d %H:%M:%S",
                    "%Y-%m-%d %H:%M",
                ]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
                self.zone
                    .from_local_datetime(&local)
                    .earliest()
                    .map(|time| time.to_utc())
            }
            Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?),
            _ => None,
        }
    }
}

const NO_TEXT: Refusal = "it is not a string";
const NOT_KNOWN: Refusal = "it says that nothing is known";

/// Whether values of this kind can be found in speech.
#[must_use]
pub const fn can_be_said(kind: FactKind) -> bool {
    matches!(kind, FactKind::Length | FactKind::City | FactKind::PostalCode)
}

/// Words that language models write for an unknown value, folded and without punctuation.
static NO_VALUES: LazyLock<std::collections::HashSet<&str>> = LazyLock::new(|| {
    [
        "",
        "null",
        "nil",
        "none",
        "undefined",
        "nan",
        "na",
        "n a",
        "nd",
        "n d",
        "s o",
        "unknown",
        "not known",
        "unknown yet",
        "not specified",
        "unspecified",
        "not provided",
        "not given",
        "not available",
        "unavailable",
        "not mentioned",
        "not stated",
        "not applicable",
        "not sure",
        "unsure",
        "dont know",
        "don t know",
        "i dont know",
        "i don t know",
        "tbd",
        "to be determined",
        "to be confirmed",
        "tbc",
        "no value",
        "no data",
        "no answer",
        "no info",
        "no information",
        "same number",
        "the same number",
        "same phone number",
        "same phone",
        "same as caller",
        "same as above",
        "this number",
        "same as calling",
        "same as caller id",
        "the one im calling from",
        "the one i m calling from",
        "inconnu",
        "inconnue",
        "pas connu",
        "non connu",
        "aucun",
        "aucune",
        "aucun numero",
        "neant",
        "non precise",
        "non precisee",
        "non specifie",
        "non specifiee",
        "non fourni",
        "non fournie",
        "non mentionne",
        "non mentionnee",
        "non donne",
        "non donnee",
        "non disponible",
        "non applicable",
        "sans objet",
        "pas mentionne",
        "pas precise",
        "pas specifie",
        "pas fourni",
        "pas fournie",
        "pas donne",
        "ne sait pas",
        "je ne sais pas",
        "sais pas",
        "a determiner",
        "a confirmer",
        "a preciser",
        "indetermine",
        "indeterminee",
        "meme numero",
        "le meme numero",
        "ce numero",
        "ce meme numero",
    ]
    .into_iter()
    .collect()
});

/// Whether a text means that there is no value; case and punctuation do not matter.
#[must_use]
pub fn is_no_value(text: &str) -> bool {
    // Longer texts are not just a phrase for "no value".
    if text.len() > 80 {
        return false;
    }
    let folded = fold(&text.replace(['_', '\'', '\u{2019}', '/', '.'], " "));
    let bare = folded.trim_matches(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = bare
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    NO_VALUES.contains(words.join(" ").as_str())
}

/// Converts a string, number or boolean to text; `None` if the text is empty or the value has another type.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
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

fn number(value: &Value) -> Result<Decimal, Refusal> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let exact = text.parse().or_else(|_| Decimal::from_scientific(&text));
            exact.map_err(|_| "it is too large")
        }
        Value::String(text) => number::number(text),
        _ => Err("it is not a number"),
    }
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
            "true" | "yes" | "y" | "oui" | "vrai" | "1" | "yeah" | "yep" | "yup" | "ouais" | "ouaip" | "correct"
            | "exact" => Some(true),
            "false" | "no" | "n" | "non" | "faux" | "0" | "nope" | "nah" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Reads an email address, also in spoken form: "jean at exemple dot com".
fn email(text: &str) -> Result<String, Refusal> {
    const NONE: Refusal = "it is not an email address";
    if text.chars().count() > 320 {
        return Err(NONE);
    }
    let mut address = text.trim().trim_end_matches(['.', ',', ';']).to_owned();
    if address
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
    {
        address.drain(..7);
    }
    if let Some((_, inside)) = address.split_once('<') {
        address = inside.trim_end_matches('>').to_owned();
    }
    if address.contains(char::is_whitespace) {
        let said = address.split_whitespace().map(|word| match fold(word).as_str() {
            "at" | "arobase" | "arobas" | "a commercial" => "@",
            "dot" | "point" => ".",
            "dash" | "tiret" | "hyphen" => "-",
            "underscore" => "_",
            _ => word,
        });
        address = said.collect();
    }
    let (name, domain) = address.rsplit_once('@').ok_or(NONE)?;
    let domain = domain.to_lowercase();
    let in_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let in_name = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let labels: Vec<&str> = domain.split('.').collect();
    let sound = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(in_name)
        && domain.chars().all(in_domain)
        && labels.len() > 1
        && labels
            .iter()
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && labels
            .last()
            .is_some_and(|last| last.chars().count() > 1 && !last.chars().all(|c| c.is_ascii_digit()));
    if sound {
        Ok(format!("{name}@{domain}"))
    } else {
        Err(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::FactMapping;
    use serde_json::json;

    #[test]
    fn what_says_that_nothing_is_known_is_no_value() {
        for text in [
            "null",
            "NULL",
            "N/A",
            "n.a.",
            "N.A",
            "None",
            "unknown",
            "Unknown.",
            "INCONNU",
            "inconnue",
            "same number",
            "Same_Number",
            "the same number",
            "le même numéro",
            "Non précisé",
            "not provided",
            "Not specified.",
            "undefined",
            "-",
            "?",
            "...",
            "",
            "(unknown)",
            "\"null\"",
            "aucun",
            "je ne sais pas",
            "I don't know",
            "TBD",
            "  ",
        ] {
            assert!(is_no_value(text), "{text:?}");
            for kind in [
                FactKind::Text,
                FactKind::Phone,
                FactKind::Length,
                FactKind::City,
                FactKind::Email,
            ] {
                assert!(
                    ValueReader::default().typed(kind, &json!(text)).is_err(),
                    "{text:?} as {kind:?}"
                );
            }
        }
        for text in [
            "Nathan",
            "Nullam",
            "unknown man in the yard",
            "Sam",
            "0",
            "no",
            "Novak",
            "Samen",
        ] {
            assert!(!is_no_value(text), "{text:?}");
        }
    }

    #[test]
    fn a_value_may_be_called_none() {
        let mapping: FactMapping = toml::from_str(
            r#"
            code = "emergency"
            pointers = []
            kind = "text"
            values = { none = ["aucune"], flooding = ["flood*"] }
            "#,
        )
        .unwrap();
        let choices = Choices::of(&mapping);
        let read = |text: &str| ValueReader::default().read(mapping.kind, choices.as_ref(), &json!(text));
        assert_eq!(read("None"), Ok(Fact::Text("none".to_owned())));
        assert_eq!(read("no flooding"), Err("it names none of the values"));
        assert_eq!(read("flooding"), Ok(Fact::Text("flooding".to_owned())));
        assert!(read("unknown").is_err());
    }

    #[test]
    fn booleans_are_understood_in_both_languages() {
        assert_eq!(boolean(&json!("Oui.")), Some(true));
        assert_eq!(boolean(&json!("no")), Some(false));
        assert_eq!(boolean(&json!("peut-être")), None);
        assert_eq!(number(&json!(1.1)), Ok("1.1".parse().unwrap()));
    }

    #[test]
    fn addresses_of_mail_are_read_as_written_and_as_said() {
        for (text, wanted) in [
            ("Jean@Exemple.CA", "Jean@exemple.ca"),
            (" jean@exemple.ca. ", "jean@exemple.ca"),
            ("mailto:jean@exemple.ca", "jean@exemple.ca"),
            ("Jean <jean@exemple.ca>", "jean@exemple.ca"),
            ("jean at exemple dot ca", "jean@exemple.ca"),
            ("jean point roy arobase exemple point ca", "jean.roy@exemple.ca"),
        ] {
            assert_eq!(email(text).as_deref(), Ok(wanted), "{text}");
        }
        for text in [
            "jean",
            "jean@",
            "@exemple.ca",
            "jean@exemple",
            "jean roy@exemple.ca, paul@exemple.ca",
            "jean@1.2.3.4",
            "a@b..c",
        ] {
            assert!(email(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_without_a_zone_is_local() {
        let reader = ValueReader {
            zone: Tz::America__Toronto,
            ..ValueReader::default()
        };
        let read = |value: Value| reader.time(&value).map(|time| time.to_rfc3339());
        assert_eq!(
            read(json!("2026-11-24T10:00:00-05:00")).as_deref(),
            Some("2026-11-24T15:00:00+00:00")
        );
        assert_eq!(
            read(json!("2026-11-24 10:00")).as_deref(),
            Some("2026-11-24T15:00:00+00:00")
        );
        assert_eq!(read(json!(0)).as_deref(), Some("1970-01-01T00:00:00+00:00"));
        assert_eq!(read(json!("tomorrow at ten")), None);
    }

    #[test]
    fn what_the_caller_said_tells_a_bare_number_its_unit() {
        let reader = ValueReader::default();
        let read = |value: Value, said: &str| {
            let plain = Plain::new(said);
            reader.said_otherwise(FactKind::Length, &value, &Speech::of(said, &plain))
        };
        let metres = |text: &str| Some(Fact::Number(text.parse().unwrap()));
        assert_eq!(read(json!(40), "it is about forty feet"), metres("12.192"));
        assert_eq!(read(json!("40"), "quarante pieds"), metres("12.192"));
        assert_eq!(read(json!(40), "forty metres"), None);
        assert_eq!(read(json!(12), "forty feet"), None);
        assert_eq!(read(json!("40 m"), "forty feet"), None);
    }
}
