//! A strict JSON parser. The parser rejects duplicate names in an object, NUL characters and nesting deeper than 127
//! levels.
//!
//! The parser reports each error with its JSON pointer. It parses every whole number as an integer, so `1.0` becomes 1.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::state::shortened;
use rules::fault::escaped;
use web::problem::FieldFault;

/// The largest number up to which a float represents every integer.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Parses a body. Returns the value, and an error for each duplicate name and each NUL character.
///
/// # Errors
/// If the body is not JSON or is nested too deeply. The error names the line.
pub fn read(bytes: &[u8]) -> Result<(Value, Vec<FieldFault>), FieldFault> {
    let faults = RefCell::default();
    let reader = StrictReader {
        faults: &faults,
        at: &PathSegment::Body,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = reader
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    match value {
        Ok(value) => Ok((value, faults.into_inner())),
        Err(error) => Err(not_json(&error)),
    }
}

/// Converts a syntax error. serde's messages about JSON syntax never repeat what the client sent.
fn not_json(error: &serde_json::Error) -> FieldFault {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        let detail = format!("The body is nested deeper than 127 levels: line {}.", error.line());
        return FieldFault::new("", "too_deep", detail);
    }
    let what = text.split(" at line ").next().unwrap_or_default();
    let detail = format!(
        "The body is not JSON: {what} at line {}, column {}.",
        error.line(),
        error.column()
    );
    FieldFault::new("", "not_json", detail)
}

/// The path from the body to a value.
enum PathSegment<'a> {
    Body,
    Field(&'a PathSegment<'a>, &'a str),
    Item(&'a PathSegment<'a>, usize),
}

impl fmt::Display for PathSegment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => Ok(()),
            Self::Field(parent, name) => write!(f, "{parent}/{}", escaped(name).replace('\0', "\u{fffd}")),
            Self::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

struct StrictReader<'a> {
    faults: &'a RefCell<Vec<FieldFault>>,
    at: &'a PathSegment<'a>,
}

impl StrictReader<'_> {
    fn fault(&self, code: &str, detail: String) {
        self.faults
            .borrow_mut()
            .push(FieldFault::new(self.at.to_string(), code, detail));
    }
}

impl<'de> DeserializeSeed<'de> for StrictReader<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictReader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() <= WHOLE {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in the range of i64")]
            return Ok((value as i64).into());
        }
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        if value.contains('\0') {
            self.fault("nul_character", "Strings cannot contain NUL characters.".to_owned());
        }
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let at = PathSegment::Item(self.at, list.len());
            let reader = StrictReader {
                faults: self.faults,
                at: &at,
            };
            match items.next_element_seed(reader)? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let at = PathSegment::Field(self.at, &name);
            let reader = StrictReader {
                faults: self.faults,
                at: &at,
            };
            if name.contains('\0') {
                reader.fault("nul_character", "Names cannot contain NUL characters.".to_owned());
            }
            if object.contains_key(&name) {
                let detail = format!("`{}` is given twice; give it once.", shortened(&name));
                reader.fault("duplicate_field", detail);
            }
            let value = fields.next_value_seed(reader)?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(text: &str) -> Vec<(String, String)> {
        let faults = match read(text.as_bytes()) {
            Ok((_, faults)) => faults,
            Err(fault) => vec![fault],
        };
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    fn one(pointer: &str, code: &str) -> Vec<(String, String)> {
        vec![(pointer.to_owned(), code.to_owned())]
    }

    #[test]
    fn what_is_json_comes_out_as_it_is_and_whole_numbers_whole() {
        let (value, faults) = read(br#"{"a": [1, -2, 1.0, 1.5, "x", null, true], "b": {"c": {}}}"#).unwrap();
        assert_eq!(value, json!({"a": [1, -2, 1, 1.5, "x", null, true], "b": {"c": {}}}));
        assert!(faults.is_empty());
    }

    #[test]
    fn names_given_twice_and_nul_characters_are_told_with_their_place() {
        assert_eq!(
            faults(r#"{"a": 1, "b": {"c/d": 1, "c/d": 2}}"#),
            one("/b/c~1d", "duplicate_field")
        );
        assert_eq!(faults(r#"{"a": ["x", "\u0000"]}"#), one("/a/1", "nul_character"));
        assert_eq!(faults(r#"{"a\u0000": 1}"#), one("/a\u{fffd}", "nul_character"));
        assert_eq!(faults(r#"{"a": "\u0000", "a": "\u0000"}"#).len(), 3);
    }

    #[test]
    fn what_is_not_json_is_told_with_line_and_column() {
        let fault = read(b"{\n  \"a\": 1,\n  b: 2}").unwrap_err();
        assert_eq!(fault.code, "not_json");
        assert!(fault.detail.contains("line 3, column 3"), "{}", fault.detail);
        for text in [
            "{",
            "[1,]",
            "{} {}",
            "1e999",
            "\u{feff}{}",
            "nul",
            "{\"a\":\"\\ud800\"}",
        ] {
            assert_eq!(faults(text), one("", "not_json"), "{text}");
        }
        assert_eq!(faults(&"[".repeat(100_000)), one("", "too_deep"));
    }
}
