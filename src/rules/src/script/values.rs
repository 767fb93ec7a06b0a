//! Converts values to script values and back, within the limits of scripts. In results, exact numbers become strings,
//! so that no amount becomes a float. Characters that PostgreSQL refuses are removed.

use rhai::{Array, Dynamic, EvalAltResult};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::facts::Fact;

/// The result of a host function.
pub(super) type HostResult<T> = Result<T, Box<EvalAltResult>>;

/// Maximum length of a string in a script, in bytes.
pub(super) const MAX_TEXT: usize = 8 * 1024;
/// Maximum number of values in a list, including nested lists.
pub(super) const MAX_LIST: usize = 256;
/// A string from outside the script is cut to this many characters, so that it always fits.
const TEXT_CHARS: usize = 2_000;
/// Maximum nesting of lists.
const MAX_DEPTH: usize = 8;

/// A fact as a value for scripts.
pub(super) fn from_fact(fact: &Fact) -> Dynamic {
    match fact {
        Fact::Boolean(value) => (*value).into(),
        Fact::Number(value) => Dynamic::from(*value),
        Fact::Text(text) => cut(text).into(),
        Fact::Time(time) => time.to_rfc3339().into(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

/// A JSON value as a value for scripts.
pub(super) fn from_json(value: &Value) -> Result<Dynamic, String> {
    let mut room = Room {
        values: MAX_LIST,
        bytes: MAX_TEXT,
    };
    room.take(value, 0)
}

/// The remaining space.
struct Room {
    values: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, value: &Value, depth: usize) -> Result<Dynamic, String> {
        const TOO_LARGE: &str = "the argument is too large for a script";
        self.values = self.values.checked_sub(1).ok_or(TOO_LARGE)?;
        Ok(match value {
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => whole.into(),
                None => number
                    .to_string()
                    .parse::<Decimal>()
                    .map_or(Dynamic::UNIT, Dynamic::from),
            },
            Value::String(text) => {
                let text = cut(text);
                self.bytes = self.bytes.checked_sub(text.len()).ok_or(TOO_LARGE)?;
                text.into()
            }
            Value::Array(items) if depth < MAX_DEPTH => {
                let items: Result<Array, String> = items.iter().map(|item| self.take(item, depth + 1)).collect();
                items?.into()
            }
            Value::Array(_) => return Err(TOO_LARGE.to_owned()),
            Value::Null | Value::Object(_) => Dynamic::UNIT,
        })
    }
}

/// A script value as JSON.
pub(super) fn to_json(value: &Dynamic) -> HostResult<Value> {
    json_at(value, 0)
}

fn json_at(value: &Dynamic, depth: usize) -> HostResult<Value> {
    if depth > MAX_DEPTH {
        return Err(format!("lists nest at most {MAX_DEPTH} deep").into());
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_int() {
        return Ok(value.into());
    }
    if let Ok(letter) = value.as_char() {
        return Ok(clean(&letter.to_string()).into());
    }
    if let Some(value) = number(value) {
        return Ok(value.to_string().into());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(clean(&text).into());
    }
    if let Ok(items) = value.as_array_ref() {
        let items: HostResult<Vec<Value>> = items.iter().map(|item| json_at(item, depth + 1)).collect();
        return Ok(Value::Array(items?));
    }
    Err("only strings, numbers, true, false and lists can leave a script".into())
}

/// A script value as a string: a string unchanged, anything else as JSON.
pub(super) fn to_text(value: &Dynamic) -> HostResult<String> {
    Ok(match to_json(value)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Returns a whole or decimal number, without rounding.
pub(super) fn number(value: &Dynamic) -> Option<Decimal> {
    match value.as_int() {
        Ok(whole) => Some(whole.into()),
        Err(_) => value.as_decimal().ok(),
    }
}

/// Whether two values are equal; `1` and `1.0` are equal.
pub(super) fn same(a: &Dynamic, b: &Dynamic) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return *a == *b;
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return a == b;
    }
    a.is_unit() && b.is_unit()
}

/// Removes NUL characters, which PostgreSQL refuses.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_in_is_cut_or_refused() {
        let long = from_json(&json!("é".repeat(10_000))).unwrap();
        assert_eq!(long.as_immutable_string_ref().unwrap().chars().count(), TEXT_CHARS);
        assert!(from_json(&json!(vec![0; 1000])).is_err());
        assert!(from_json(&json!(vec!["x".repeat(2_000); 10])).is_err());
        let mut deep = json!(1);
        for _ in 0..20 {
            deep = json!([deep]);
        }
        assert!(from_json(&deep).is_err());
    }

    #[test]
    fn what_comes_out_fits_the_database() {
        let value: Dynamic = vec![Dynamic::from("a\0b"), Dynamic::from(Decimal::new(105, 2)), 'c'.into()].into();
        assert_eq!(to_json(&value).unwrap(), json!(["ab", "1.05", "c"]));
        let mut deep: Dynamic = 1_i64.into();
        for _ in 0..20 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(to_json(&deep).is_err());
    }
}
