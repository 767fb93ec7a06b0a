//! Encodes a JSON value as canonical bytes, which are the same on both databases. SQLite returns JSON text as written.
//! PostgreSQL's `jsonb` changes the spaces and the order of keys, and returns `1e3` as `1000`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the canonical bytes of a JSON text. Returns `None` if the text is not valid JSON.
#[must_use]
pub fn canonical(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    encode(serde_json::from_str(text).ok()?, &mut bytes)?;
    Some(bytes)
}

/// Appends the canonical bytes of a value. The first byte is the type of the value. Strings, arrays and objects are
/// prefixed with their length, so that different values have different bytes.
fn encode(raw: &RawValue, bytes: &mut Vec<u8>) -> Option<()> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'{' => {
            let Members(mut members) = serde_json::from_str(text).ok()?;
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            bytes.push(b'{');
            length(members.len(), bytes);
            for (name, value) in members {
                string(&name, bytes);
                encode(value, bytes)?;
            }
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            bytes.push(b'[');
            length(items.len(), bytes);
            for item in items {
                encode(item, bytes)?;
            }
        }
        b'"' => string(&serde_json::from_str::<String>(text).ok()?, bytes),
        b't' | b'f' | b'n' => bytes.extend(text.bytes().take(1)),
        _ => {
            bytes.push(b'#');
            let number = number(text)?;
            length(number.len(), bytes);
            bytes.extend(number.into_bytes());
        }
    }
    Some(())
}

fn length(length: usize, bytes: &mut Vec<u8>) {
    bytes.extend((length as u64).to_be_bytes());
}

fn string(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    length(text.len(), bytes);
    bytes.extend(text.as_bytes());
}

/// Encodes a number as its digits and the power of ten of its last digit. The digits have no zeros at either end. The
/// number is never converted to a float, because the result would depend on the parser.
fn number(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let mut power = exponent.parse::<i64>().ok()?;
    power = power.checked_sub(i64::try_from(part.len()).ok()?)?;
    let all = format!("{whole}{part}");
    let significant = all.trim_end_matches('0');
    power = power.checked_add(i64::try_from(all.len() - significant.len()).ok()?)?;
    let significant = significant.trim_start_matches('0');
    Some(match significant {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}e{power}"),
    })
}

/// The members of an object, including duplicate names.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CanonicalReader;
        impl<'de> Visitor<'de> for CanonicalReader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(CanonicalReader)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_same_value_written_otherwise_has_the_same_bytes() {
        for (one, other) in [
            (r#"{"b":1,"a":[true,null]}"#, r#" { "a" : [ true , null ], "b" : 1 } "#),
            ("1e3", "1000"),
            ("1.50", "15e-1"),
            ("1e20", "100000000000000000000"),
            ("-0.0", "0"),
            ("0.00012e4", "1.2"),
            ("1.2345678901234567e-300", "0.12345678901234567e-299"),
            (r#""\u00e9\/""#, "\"é/\""),
        ] {
            assert_eq!(canonical(one).unwrap(), canonical(other).unwrap(), "{one} {other}");
        }
    }

    #[test]
    fn another_value_has_other_bytes() {
        let texts = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            r#""""#,
            r#""1""#,
            r#""null""#,
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "[2,1]",
            "[12]",
            r#"["12"]"#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1}}"#,
            r#"["ab","c"]"#,
            r#"["a","bc"]"#,
        ];
        let mut seen: Vec<_> = texts.iter().map(|text| canonical(text).unwrap()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), texts.len());
        assert_eq!(canonical("{"), None);
        assert_eq!(canonical("nonsense"), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn how_it_is_laid_out_does_not_matter(value in json()) {
            prop_assert_eq!(canonical(&value.to_string()), canonical(&format!("{value:#}")));
            prop_assert!(canonical(&value.to_string()).is_some());
        }
    }
}
