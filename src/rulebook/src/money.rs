//! Money and rates: integer minor units in storage, `Decimal` in decisions, strings in all external formats.
//!
//! A rulebook's currency has two decimals (other currencies are refused), so one minor unit is one hundredth.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount in minor units (cents) of the rulebook's currency; `"350.00"` in JSON and TOML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Maximum amount accepted, with either sign: ten billion units, far from overflow in any sum.
pub const MAX_MINOR: i64 = 1_000_000_000_000;

impl Money {
    /// Creates an amount from minor units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The amount in minor units, as stored in the database.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The amount as a decimal with two places, for calculations.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.0, 2)
    }

    /// Converts a calculated decimal; `None` if it is not a whole number of cents, or is out of range.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        let cents = value.checked_mul(Decimal::ONE_HUNDRED)?;
        if !cents.fract().is_zero() {
            return None;
        }
        let minor = i64::try_from(cents.trunc().mantissa() / 10i128.pow(cents.trunc().scale())).ok()?;
        (minor.abs() <= MAX_MINOR).then_some(Self(minor))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

/// The error for a string that is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount with at most two decimals, such as \"350.00\"")]
pub struct NotMoney;

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        plain_decimal(text).and_then(Money::from_decimal).ok_or(NotMoney)
    }
}

/// A factor or a percentage, exact, with at most six decimals; `"1.3"` or `"9.975"` in JSON and TOML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(Decimal);

impl Rate {
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error for a string that is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number with at most six decimals, such as \"1.3\"")]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let value = plain_decimal(text).ok_or(NotARate)?;
        (value.scale() <= 6 && value.abs() <= Decimal::new(1_000_000, 0))
            .then_some(Self(value))
            .ok_or(NotARate)
    }
}

/// Parses digits with an optional sign and decimal point. Exponents, white space and underscores are rejected.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.len() <= 24
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain {
        Decimal::from_str_exact(text).ok()
    } else {
        None
    }
}

macro_rules! text_number {
    ($type:ident, $name:literal, $pattern:literal, $example:literal, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                concat!("string_", $name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new(MetaSchema {
                    description: Some($what),
                    example: Some(serde_json::Value::from($example)),
                    pattern: Some($pattern.to_owned()),
                    ..MetaSchema::new_with_format("string", $name)
                }))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }

        impl ParseFromJSON for $type {
            fn parse_from_json(value: Option<serde_json::Value>) -> ParseResult<Self> {
                match value {
                    Some(serde_json::Value::String(text)) => text.parse().map_err(ParseError::custom),
                    other => Err(ParseError::expected_type(other.unwrap_or_default())),
                }
            }
        }

        impl ToJSON for $type {
            fn to_json(&self) -> Option<serde_json::Value> {
                Some(serde_json::Value::String(self.to_string()))
            }
        }
    };
}

text_number!(
    Money,
    "money",
    r"^-?[0-9]{1,10}(?:\.[0-9]{1,2})?$",
    "350.00",
    "An amount in the rulebook's currency, as text, never a float."
);
text_number!(
    Rate,
    "rate",
    r"^-?(?:[0-9]{1,6}(?:\.[0-9]{1,6})?|1000000(?:\.0{1,6})?)$",
    "1.3",
    "An exact factor or percentage, as text, never a float."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_written_to_the_cent() {
        for (text, minor) in [("350", 35_000), ("350.5", 35_050), ("0.01", 1), ("-100.00", -10_000)] {
            assert_eq!(text.parse::<Money>(), Ok(Money::from_minor(minor)));
        }
        assert_eq!(Money::from_minor(-5).to_string(), "-0.05");
        assert_eq!(serde_json::to_string(&Money::from_minor(35_000)).unwrap(), "\"350.00\"");
    }

    #[test]
    fn what_is_not_exactly_money_is_refused() {
        for text in [
            "",
            "1.005",
            "1e3",
            "1_000",
            " 1",
            "NaN",
            "99999999999.00",
            ".5",
            "5.",
            "--1",
            "1.2.3",
        ] {
            assert_eq!(text.parse::<Money>(), Err(NotMoney), "{text}");
        }
        assert!(
            serde_json::from_str::<Money>("350.0").is_err(),
            "a JSON number went through a float"
        );
    }
}
