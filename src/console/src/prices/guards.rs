//! Warnings about guard rails while prices are typed. A change that exceeds a guard rail will wait for a second
//! person's approval.
//!
//! The warnings are only a preview. Publishing checks the limits again, also with the prices of example calls.

use rust_decimal::Decimal;

use crate::business::Business;
use crate::locale::{percent, sum};
use crate::prices::amount::Span;
use crate::prices::sheet::Field;
use crate::refusal::Refusal;
use crate::visit::Visit;
use crate::words::Words;

/// The limits of a rulebook.
#[derive(Default)]
pub struct Guards {
    pub lowest: Option<Decimal>,
    pub highest: Option<Decimal>,
    pub largest: Option<Decimal>,
}

impl Guards {
    pub async fn of(visit: &Visit, business: &Business) -> Result<Self, Refusal> {
        let rails = visit.read(&business.path("/guard-rails"), &[]).await?;
        let limit = |name: &str| rails[name].as_str()?.parse().ok();
        Ok(Self {
            lowest: limit("lowest_price"),
            highest: limit("highest_price"),
            largest: limit("largest_change_percent"),
        })
    }

    /// Sentences about the limits that a field's new value exceeds.
    pub fn warnings(&self, words: Words, currency: &str, field: &Field) -> Vec<String> {
        let Some(after) = field.value().ok().flatten() else {
            return Vec::new();
        };
        if Some(after) == field.now {
            return Vec::new();
        }
        let is_price = field.column.starts_with("price");
        let mut warnings = Vec::new();
        if is_price && self.lowest.is_some_and(|lowest| after.from < lowest) {
            warnings.push(self.low(words, currency));
        }
        if is_price && self.highest.is_some_and(|highest| after.to > highest) {
            warnings.push(self.high(words, currency));
        }
        if field.now.is_some_and(|before| self.is_large(before, after)) {
            warnings.push(self.large(words));
        }
        warnings
    }

    fn is_large(&self, before: Span, after: Span) -> bool {
        let Some(largest) = self.largest else { return false };
        [(before.from, after.from), (before.to, after.to)]
            .into_iter()
            .filter(|(before, after)| before != after)
            .any(|(before, after)| {
                let part = (after - before).checked_div(before);
                part.is_none_or(|part| part.abs() * Decimal::ONE_HUNDRED > largest)
            })
    }

    pub fn low(&self, words: Words, currency: &str) -> String {
        let limit = sum(words, self.lowest.unwrap_or_default(), currency);
        words.say_of("prices-guard-low", &[("limit", &limit)])
    }

    pub fn high(&self, words: Words, currency: &str) -> String {
        let limit = sum(words, self.highest.unwrap_or_default(), currency);
        words.say_of("prices-guard-high", &[("limit", &limit)])
    }

    pub fn large(&self, words: Words) -> String {
        let limit = percent(words, &self.largest.unwrap_or_default().normalize().to_string());
        words.say_of("prices-guard-large", &[("limit", &limit)])
    }
}
