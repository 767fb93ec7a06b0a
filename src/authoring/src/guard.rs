//! Finds price changes that are so large that a second person must approve them. The module is pure.
//!
//! This module judges each row alone, by its numbers, its services and its validity period. [`super::probes`] judges
//! the effects of conditions, ranks, stacking groups and scripts with examples. An unchanged column is never a breach,
//! so an administrator can set limits that some rows already exceed.

mod adjustment_effects;
mod judge;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::Serialize;

use self::adjustment_effects::adjustments;
use self::judge::Judge;
use rules::guard_rails::GuardRails;
use rules::money::{Money, Rate};
use rules::price;
use rules::rows::{Adjustment, Resource, Rounding, RowSet, Service, Settings, StoredRow, Tax, changed};

/// The limit that a change exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The minimum price.
    LowestPrice,
    /// The maximum price.
    HighestPrice,
    /// The maximum change in percent.
    #[serde(rename = "largest_change_percent")]
    LargestChange,
}

/// A change beyond a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The resource of the row.
    pub resource: Resource,
    /// The code of the row.
    pub code: String,
    pub column: &'static str,
    /// The value before the change; `None` for a new row.
    pub before: Option<String>,
    /// The value after the change; `None` for a deleted row.
    pub after: Option<String>,
    /// The limit that is exceeded.
    pub limit: Limit,
    /// A sentence that describes the breach.
    pub text: String,
}

/// Returns every change beyond a limit, in the order of resources and codes.
#[must_use]
pub fn breaches(guards: &GuardRails, before: &RowSet, after: &RowSet) -> Vec<Breach> {
    if *guards == GuardRails::default() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (_, old, new) in changed::<Settings>(before, after) {
        // The first settings row changes no existing price, so its rounding is not judged.
        if let (Some(old), Some(new)) = (row(old), row(new)) {
            rounding(guards, old, new, after, &mut found);
        }
    }
    for (_, old, new) in changed::<Service>(before, after) {
        services(guards, row(old), row(new), &mut found);
    }
    for (_, old, new) in changed::<Adjustment>(before, after) {
        adjustments(guards, row(old), row(new), after, &mut found);
    }
    for (_, old, new) in changed::<Tax>(before, after) {
        taxes(guards, row(old), row(new), &mut found);
    }
    found
}

fn row<R>(stored: Option<&Arc<StoredRow<R>>>) -> Option<&R> {
    stored.map(|stored| &stored.row)
}

/// Judges a change of rounding by its effect on the prices of the services.
fn rounding(guards: &GuardRails, old: &Settings, new: &Settings, rows: &RowSet, found: &mut Vec<Breach>) {
    if (old.rounding, old.rounding_step) == (new.rounding, new.rounding_step) {
        return;
    }
    let (code, steps) = (&new.code, (old.rounding_step, new.rounding_step));
    let mut judge = if steps.0 == steps.1 {
        let (before, after) = (rounding_name(old.rounding), rounding_name(new.rounding));
        Judge::new(guards, Resource::Settings, code, "rounding", Some(before), Some(after))
    } else {
        let (before, after) = (Some(steps.0), Some(steps.1));
        Judge::new(guards, Resource::Settings, code, "rounding_step", before, after)
    };
    for service in rows.services.values().map(|stored| &stored.row) {
        for amount in [service.price_from, service.price_to].into_iter().flatten() {
            let before = price::rounded(old, amount.decimal());
            let after = price::rounded(new, amount.decimal()).or(Some(Decimal::MAX));
            judge.change(before, after, || format!("for `{}` at {amount}, ", service.code));
            judge.price(after, before, || format!("the price of `{}`", service.code));
        }
    }
    found.extend(judge.found);
}

/// Returns the rounding's name as rows spell it.
const fn rounding_name(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::HalfUp => "half_up",
        Rounding::HalfEven => "half_even",
        Rounding::Up => "up",
        Rounding::Down => "down",
    }
}

fn services(guards: &GuardRails, old: Option<&Service>, new: Option<&Service>, found: &mut Vec<Breach>) {
    let Some(row) = new.or(old) else { return };
    for column in ["price_from", "price_to"] {
        let price = |row: &Service| {
            if column == "price_from" {
                row.price_from
            } else {
                row.price_to
            }
        };
        let (before, after) = (old.and_then(price), new.and_then(price));
        if before == after {
            continue;
        }
        let mut judge = Judge::new(guards, Resource::Services, &row.code, column, before, after);
        judge.price(after.map(Money::decimal), before.map(Money::decimal), || {
            "the price".to_owned()
        });
        // A removed price counts as zero, because somebody could add any other price later.
        let zero = after.or(before.map(|_| Money::default()));
        judge.change(before.map(Money::decimal), zero.map(Money::decimal), String::new);
        found.extend(judge.found);
    }
    if let (Some(old), Some(new)) = (old, new) {
        quantities(guards, old, new, found);
    }
}

/// Judges a price that becomes a price per unit, or stops being a price per unit. Such a change always counts as too
/// large, because the number of units is unknown.
fn quantities(guards: &GuardRails, old: &Service, new: &Service, found: &mut Vec<Breach>) {
    let has_price = |row: &Service| row.price_from.is_some() || row.price_to.is_some();
    let (before, after) = (old.quantity_fact.as_ref(), new.quantity_fact.as_ref());
    if before == after || !has_price(old) || !has_price(new) {
        return;
    }
    let mut judge = Judge::new(guards, Resource::Services, &new.code, "quantity_fact", before, after);
    if let Some(largest) = guards.largest_change_percent {
        judge.too_large(
            largest,
            "it multiplies the price, so no percentage can express the change",
        );
    }
    found.extend(judge.found);
}

fn taxes(guards: &GuardRails, old: Option<&Tax>, new: Option<&Tax>, found: &mut Vec<Breach>) {
    let Some(row) = new.or(old) else { return };
    let (before, after) = (old.map(|row| row.rate), new.map(|row| row.rate));
    if before == after {
        return;
    }
    let mut judge = Judge::new(guards, Resource::Taxes, &row.code, "rate", before, after);
    let total = |rate: Option<Rate>| Decimal::ONE_HUNDRED + rate.map_or(Decimal::ZERO, Rate::decimal);
    judge.change(Some(total(before)), Some(total(after)), || {
        "for the price with this tax, ".to_owned()
    });
    found.extend(judge.found);
}
