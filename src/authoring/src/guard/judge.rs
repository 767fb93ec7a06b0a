//! Compares the values of one column with the guard rails, and collects the breaches.

use rust_decimal::Decimal;

use super::{Breach, Limit};
use rules::guard_rails::GuardRails;
use rules::money::Rate;
use rules::rows::Resource;

/// One column of one row, checked against the limits. Each limit is reported at most once. For the limit in percent,
/// the largest change is reported.
pub(super) struct Judge<'a> {
    guards: &'a GuardRails,
    place: Breach,
    worst: Decimal,
    pub(super) found: Vec<Breach>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        guards: &'a GuardRails,
        resource: Resource,
        code: &str,
        column: &'static str,
        before: Option<impl ToString>,
        after: Option<impl ToString>,
    ) -> Self {
        let place = Breach {
            resource,
            code: code.to_owned(),
            column,
            before: before.map(|value| value.to_string()),
            after: after.map(|value| value.to_string()),
            limit: Limit::LargestChange,
            text: String::new(),
        };
        Self {
            guards,
            place,
            worst: Decimal::ZERO,
            found: Vec::new(),
        }
    }

    fn tell(&mut self, limit: Limit, text: String) {
        self.found.retain(|breach| breach.limit != limit);
        self.found.push(Breach {
            limit,
            text,
            ..self.place.clone()
        });
    }

    fn has(&self, limit: Limit) -> bool {
        self.found.iter().any(|breach| breach.limit == limit)
    }

    /// Reports a price that exceeds a limit, if the previous price did not exceed the same limit.
    pub(super) fn price(&mut self, after: Option<Decimal>, before: Option<Decimal>, what: impl Fn() -> String) {
        let Some(price) = after else { return };
        if let Some(lowest) = self.guards.lowest_price {
            let low = |price: Decimal| price < lowest.decimal();
            if low(price) && !before.is_some_and(low) && !self.has(Limit::LowestPrice) {
                let text = format!(
                    "`{}/{}`: {} becomes {}, below the lowest price {lowest}.",
                    self.place.resource.path(),
                    self.place.code,
                    what(),
                    rounded(price)
                );
                self.tell(Limit::LowestPrice, text);
            }
        }
        if let Some(highest) = self.guards.highest_price {
            let high = |price: Decimal| price > highest.decimal();
            if high(price) && !before.is_some_and(high) && !self.has(Limit::HighestPrice) {
                let text = format!(
                    "`{}/{}`: {} becomes {}, above the highest price {highest}.",
                    self.place.resource.path(),
                    self.place.code,
                    what(),
                    rounded(price)
                );
                self.tell(Limit::HighestPrice, text);
            }
        }
    }

    /// Reports a change between two numbers if it is too large.
    pub(super) fn change(&mut self, before: Option<Decimal>, after: Option<Decimal>, what: impl Fn() -> String) {
        let (Some(largest), Some(before), Some(after)) = (self.guards.largest_change_percent, before, after) else {
            return;
        };
        if before == after {
            return;
        }
        let percent = after
            .checked_sub(before)
            .and_then(|change| change.checked_div(before))
            .and_then(|change| change.checked_mul(Decimal::ONE_HUNDRED))
            .map(|percent| percent.abs());
        let size = percent.unwrap_or(Decimal::MAX);
        if size <= largest.decimal() || size <= self.worst {
            return;
        }
        self.worst = size;
        let what = what();
        let by = match percent {
            Some(percent) => format!("{what}a change of {} %", percent.round_dp(1).normalize()),
            None => format!("{what}a change from zero, which no percentage can express"),
        };
        self.too_large(largest, &by);
    }

    /// Reports a change that is larger than allowed.
    pub(super) fn too_large(&mut self, largest: Rate, by: &str) {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let text = format!(
            "`{}/{}`: `{}` goes from {} to {}: {by}; the largest change in one publish is {largest} %.",
            self.place.resource.path(),
            self.place.code,
            self.place.column,
            told(&self.place.before),
            told(&self.place.after),
        );
        self.tell(Limit::LargestChange, text);
    }
}

/// Formats a price with two decimals.
fn rounded(price: Decimal) -> String {
    format!("{:.2}", price.round_dp(2))
}
