//! Parses a JSON text lazily: a part is parsed only when it is first looked up.
//!
//! A message can be 100 kB long, but a decision reads only a few hundred bytes of it. So unread values are never built: a
//! [`LazyJson`] holds the text and, for each object or array that was read, the positions of its children. Readers are
//! tolerant: absent, mistyped or out-of-range values read as `None`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use rules::fault::unescaped;

/// Upper bound of instants, in microseconds since 1970: databases disagree about later instants.
const YEAR_10000: i64 = 253_402_300_800_000_000;

/// A validated JSON text, with the positions of the parts that were read.
#[derive(Debug)]
pub struct LazyJson {
    text: Box<str>,
    root: Node,
}

#[derive(Debug)]
struct Node {
    name: Box<str>,
    span: Range<usize>,
    children: OnceLock<Vec<Node>>,
}

/// One value within a [`LazyJson`].
#[derive(Clone, Copy)]
pub struct JsonPart<'a> {
    text: &'a str,
    node: &'a Node,
}

impl LazyJson {
    /// Builds a [`LazyJson`] whose root is the member `name` of the JSON object in `text`. If several members have this
    /// name, the last one is the root.
    ///
    /// # Errors
    /// If the text is not JSON, or is not an object (then the error's `is_data` is true). `Ok(None)` if the member is
    /// missing.
    pub fn member(text: String, name: &str) -> Result<Option<Self>, serde_json::Error> {
        let members: Members<'_> = serde_json::from_str(&text)?;
        let root = members
            .0
            .iter()
            .rfind(|(known, _)| known == name)
            .map(|(known, raw)| Node::at(&text, known, raw));
        Ok(root.map(|root| Self {
            text: text.into_boxed_str(),
            root,
        }))
    }

    #[must_use]
    pub fn root(&self) -> JsonPart<'_> {
        JsonPart {
            text: &self.text,
            node: &self.root,
        }
    }
}

impl Node {
    /// `raw` borrows from `text`, so the position of `raw` is its distance from the start of `text`.
    fn at(text: &str, name: &str, raw: &RawValue) -> Self {
        let raw = raw.get();
        let start = raw.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        Self {
            name: name.into(),
            span: start..start.saturating_add(raw.len()),
            children: OnceLock::new(),
        }
    }
}

impl<'a> JsonPart<'a> {
    /// The JSON text of the value.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.text.get(self.node.span.clone()).unwrap_or("null")
    }

    /// The name of the value in its object; empty in an array.
    #[must_use]
    pub fn name(self) -> &'a str {
        &self.node.name
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.raw().starts_with('{')
    }

    /// Whether this is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.raw().starts_with('[')
    }

    /// The members of an object or the elements of an array, in their order; empty for other values.
    #[must_use]
    pub fn children(self) -> impl DoubleEndedIterator<Item = JsonPart<'a>> {
        let text = self.text;
        self.nodes().iter().map(move |node| JsonPart { text, node })
    }

    /// The member `name` of an object; the last such member if the name is duplicated.
    #[must_use]
    pub fn get(self, name: &str) -> Option<JsonPart<'a>> {
        if !self.is_object() {
            return None;
        }
        self.children().rfind(|child| child.name() == name)
    }

    /// Follows a path of names.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Option<JsonPart<'a>> {
        path.iter().try_fold(self, |part, name| part.get(name))
    }

    /// Follows an RFC 6901 pointer.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<JsonPart<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |part, token| {
            let token = unescaped(token);
            if part.is_array() {
                let plain = token == "0" || !token.starts_with(['0', '+']);
                let index: usize = token.parse().ok().filter(|_| plain)?;
                part.children().nth(index)
            } else {
                part.get(&token)
            }
        })
    }

    /// The value, if it is a string.
    #[must_use]
    pub fn text(self) -> Option<String> {
        if self.raw().starts_with('"') {
            serde_json::from_str(self.raw()).ok()
        } else {
            None
        }
    }

    /// The value, if it is a number or a string that contains a number. The digits stay exactly as written.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        let quoted = self.text();
        let text = quoted.as_deref().unwrap_or(self.raw()).trim();
        // No number that Ringbook stores has more characters. Do not parse a megabyte of digits.
        if text.len() > 64 {
            return None;
        }
        text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
    }

    /// The number times `factor`, rounded to an integer.
    #[must_use]
    pub fn scaled(self, factor: i64) -> Option<i64> {
        self.decimal()?.checked_mul(Decimal::from(factor))?.round().to_i64()
    }

    /// Returns the value as an instant. The value may be milliseconds or seconds since 1970, or RFC 3339 text. The
    /// result has whole microseconds and a year from 1970 to 9999.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        let micros = match self.text() {
            Some(text) => match DateTime::parse_from_rfc3339(text.trim()) {
                Ok(at) => at.timestamp_micros(),
                Err(_) => self.epoch_micros()?,
            },
            None => self.epoch_micros()?,
        };
        if (0..YEAR_10000).contains(&micros) {
            DateTime::from_timestamp_micros(micros)
        } else {
            None
        }
    }

    fn epoch_micros(self) -> Option<i64> {
        let number = self.decimal()?;
        let unit = if number < Decimal::from(100_000_000_000_i64) {
            1_000_000
        } else {
            1000
        };
        number.checked_mul(Decimal::from(unit))?.trunc().to_i64()
    }

    /// The value as a `serde_json` tree. A number that is out of range becomes null.
    #[must_use]
    pub fn value(self) -> Value {
        if let Ok(mut value) = serde_json::from_str(self.raw()) {
            without_vast_numbers(&mut value);
            return value;
        }
        if self.is_object() {
            self.children()
                .map(|child| (child.name().to_owned(), child.value()))
                .collect()
        } else if self.is_array() {
            self.children().map(JsonPart::value).collect()
        } else {
            Value::Null
        }
    }

    /// The value as a tree if it is an object.
    #[must_use]
    pub fn object(self) -> Option<Value> {
        self.is_object().then(|| self.value())
    }

    fn nodes(self) -> &'a [Node] {
        self.node
            .children
            .get_or_init(|| match split(self.raw()) {
                Some(parts) => parts.iter().map(|(name, raw)| Node::at(self.text, name, raw)).collect(),
                None => Vec::new(),
            })
            .as_slice()
    }
}

impl fmt::Debug for JsonPart<'_> {
    /// Prints only the position, because the JSON contains the caller's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?})", self.node.span)
    }
}

/// Replaces numbers near the limit of a float by null. `PostgreSQL` writes out all digits of such a number, and parsing
/// these digits may overflow.
pub(crate) fn without_vast_numbers(value: &mut Value) {
    const VAST: f64 = 1e300;
    match value {
        Value::Number(number) if number.as_f64().is_none_or(|number| number.abs() >= VAST) => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(without_vast_numbers),
        Value::Object(members) => members.values_mut().for_each(without_vast_numbers),
        _ => {}
    }
}

type NamedParts<'a> = (Cow<'a, str>, &'a RawValue);

fn split(raw: &str) -> Option<Vec<NamedParts<'_>>> {
    match raw.as_bytes().first()? {
        b'{' => serde_json::from_str::<Members<'_>>(raw).ok().map(|members| members.0),
        b'[' => serde_json::from_str::<Elements<'_>>(raw)
            .ok()
            .map(|elements| elements.0),
        _ => None,
    }
}

struct Members<'a>(Vec<NamedParts<'a>>);
struct Elements<'a>(Vec<NamedParts<'a>>);

/// The name of a member. The name is borrowed from the text if it contains no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;
        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::with_capacity(16);
                while let Some(raw) = seq.next_element()? {
                    elements.push((Cow::Borrowed(""), raw));
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(ElementsVisitor)
    }
}
