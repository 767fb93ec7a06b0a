//! Judges a changed adjustment by its amounts, and by its effect on the prices of the services that it applies to.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::Breach;
use super::judge::Judge;
use rules::guard_rails::GuardRails;
use rules::money::{Money, Rate};
use rules::rows::{Adjustment, AdjustmentKind, Resource, RowSet, Service};

/// Maximum number of services that a list names.
const MOST_NAMED: usize = 10;

pub(super) fn adjustments(
    guards: &GuardRails,
    old: Option<&Adjustment>,
    new: Option<&Adjustment>,
    rows: &RowSet,
    found: &mut Vec<Breach>,
) {
    let (Some(row), Some(column)) = (new.or(old), main_column(old, new)) else {
        return;
    };
    let told = |row: Option<&Adjustment>| row.and_then(|row| worded(row, column));
    let mut judge = Judge::new(guards, Resource::Adjustments, &row.code, column, told(old), told(new));
    // Amounts of the same kind are compared directly: from 80.00 to 120.00 is a change of 50 %.
    let amounts = match (old, new) {
        (Some(old), Some(new)) if old.kind == new.kind => old.amount.zip(new.amount),
        _ => None,
    };
    if let Some((before, after)) = amounts {
        judge.change(Some(before.decimal()), Some(after.decimal()), String::new);
    }
    // A change of `per` is always too large, because the number of units is unknown.
    if column == "per"
        && let Some(largest) = guards.largest_change_percent
    {
        judge.too_large(
            largest,
            "the quantity multiplies the amount, so no percentage can express the change",
        );
    }
    let (wider, narrower) = match (old, new) {
        (Some(old), Some(new)) => (outlasts(new, old), outlasts(old, new)),
        _ => (false, false),
    };
    let (old, new) = (old.map(Reach::of), new.map(Reach::of));
    // Any other change is judged by its effect on the prices of the services that the adjustment applies to.
    for service in rows.services.values().map(|stored| &stored.row) {
        let was = old.as_ref().and_then(|reach| reach.at(service));
        let is = new.as_ref().and_then(|reach| reach.at(service));
        let both = was.is_some() && is.is_some();
        // In an added period, the adjustment counts as new; in a removed period, it counts as deleted.
        let moves = [
            Some((was, is)),
            (both && wider).then_some((None, is)),
            (both && narrower).then_some((was, None)),
        ];
        for (was, is) in moves.into_iter().flatten() {
            let by_itself = amounts.is_some() && was.is_some() && is.is_some();
            effects(&mut judge, service, (was, is), by_itself);
        }
    }
    found.extend(judge.found);
}

/// Judges how a changed adjustment affects a service's prices. `by_itself` means that the old and the new amount were
/// already compared.
fn effects(
    judge: &mut Judge<'_>,
    service: &Service,
    (was, is): (Option<&Adjustment>, Option<&Adjustment>),
    by_itself: bool,
) {
    for amount in [service.price_from, service.price_to].into_iter().flatten() {
        let with = |row: Option<&Adjustment>| match row {
            Some(row) => effect(row, amount.decimal()),
            None => Some(amount.decimal()),
        };
        let (before, after) = (with(was), with(is));
        let after = after.or(Some(Decimal::MAX));
        if !by_itself {
            judge.change(before, after, || format!("for `{}` at {amount}, ", service.code));
        }
        if is.is_some() {
            judge.price(after, before, || format!("the price of `{}`", service.code));
        }
    }
}

/// An adjustment with the services to which it applies.
struct Reach<'a> {
    row: &'a Adjustment,
    services: HashSet<&'a str>,
}

impl<'a> Reach<'a> {
    fn of(row: &'a Adjustment) -> Self {
        Self {
            row,
            services: row.services.iter().map(String::as_str).collect(),
        }
    }

    /// Returns the adjustment if it applies to this service.
    fn at(&self, service: &Service) -> Option<&'a Adjustment> {
        let applies = self.services.is_empty() || self.services.contains(service.code.as_str());
        applies.then_some(self.row)
    }
}

/// Returns the column that best describes the change, or `None` if no judged column changes.
fn main_column(old: Option<&Adjustment>, new: Option<&Adjustment>) -> Option<&'static str> {
    let row = new.or(old)?;
    let number = if row.rate.is_some() { "rate" } else { "amount" };
    let (Some(old), Some(new)) = (old, new) else {
        return Some(number);
    };
    if (old.kind, old.amount, old.rate) != (new.kind, new.amount, new.rate) {
        Some(number)
    } else if old.per != new.per {
        Some("per")
    } else if Reach::of(old).services != Reach::of(new).services {
        Some("services")
    } else if old.valid_until != new.valid_until {
        Some("valid_until")
    } else {
        (old.valid_from != new.valid_from).then_some("valid_from")
    }
}

/// Returns the value of an adjustment's column, in words.
fn worded(row: &Adjustment, column: &str) -> Option<String> {
    match column {
        "services" if row.services.is_empty() => Some("all services".to_owned()),
        "services" => {
            let named = row.services.iter().take(MOST_NAMED).map(String::as_str);
            let more = if row.services.len() > MOST_NAMED { ", …" } else { "" };
            Some(named.collect::<Vec<_>>().join(", ") + more)
        }
        "per" => Some(if row.per.is_job() { "job" } else { "unit" }.to_owned()),
        "valid_from" => row.valid_from.map(|at| at.to_rfc3339()),
        "valid_until" => row.valid_until.map(|at| at.to_rfc3339()),
        _ => {
            let amount = row.amount.map(|amount| amount.to_string());
            amount.or(row.rate.map(|rate| rate.to_string()))
        }
    }
}

/// Whether `one` applies at instants at which `other` does not.
fn outlasts(one: &Adjustment, other: &Adjustment) -> bool {
    let earlier = |from: DateTime<Utc>| one.valid_from.is_none_or(|own| own < from);
    let later = |until: DateTime<Utc>| one.valid_until.is_none_or(|own| own > until);
    other.valid_from.is_some_and(earlier) || other.valid_until.is_some_and(later)
}

/// Returns the price after this adjustment alone, or `None` on overflow.
fn effect(row: &Adjustment, price: Decimal) -> Option<Decimal> {
    let (amount, rate) = (row.amount.map(Money::decimal), row.rate.map(Rate::decimal));
    match (row.kind, amount, rate) {
        (AdjustmentKind::Add, Some(amount), _) => price.checked_add(amount),
        (AdjustmentKind::Floor, Some(amount), _) => Some(price.max(amount)),
        (AdjustmentKind::Cap, Some(amount), _) => Some(price.min(amount)),
        (AdjustmentKind::Set, Some(amount), _) => Some(amount),
        (AdjustmentKind::Multiply, _, Some(rate)) => price.checked_mul(rate),
        (AdjustmentKind::Percent, _, Some(rate)) => {
            let part = price.checked_mul(rate)?.checked_div(Decimal::ONE_HUNDRED)?;
            price.checked_add(part)
        }
        // A row without its amount or rate does not compile, so it changes nothing.
        _ => Some(price),
    }
}
