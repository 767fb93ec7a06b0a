//! Reads numbers and amounts from the result of a backtest, and builds links to its calls.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::Value;

use crate::address::segment;
use crate::leads::text;
use crate::locale::sum;
use crate::visit::Visit;

pub fn count(value: &Value, name: &str) -> usize {
    usize::try_from(value[name].as_u64().unwrap_or_default()).unwrap_or_default()
}

pub fn decimal(value: &Value, name: &str) -> Decimal {
    text(value, name).and_then(|text| text.parse().ok()).unwrap_or_default()
}

pub fn call_link(visit: &Visit, id: &str) -> String {
    visit.link(&format!("/calls/{}", segment(id)), &[])
}

/// An amount of money in the result, formatted for people.
pub fn money(visit: &Visit, value: &Value, name: &str, currency: &str) -> String {
    sum(visit.words, decimal(value, name), currency)
}

/// A JSON number as a coordinate of the chart.
pub fn number(value: &Value, name: &str) -> f64 {
    let number = text(value, name).and_then(|text| text.parse::<Decimal>().ok());
    number.and_then(|number| number.to_f64()).unwrap_or_default()
}
