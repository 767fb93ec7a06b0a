//! Finds price changes that are so large that a second person must approve them. The module is pure.
//!
//! This module judges each row alone: its numbers, and the services and the period that it applies to.
//! [`super::probes`] judges the effects of conditions, ranks, stacking groups and scripts with examples. An unchanged
//! column is never a breach, so an administrator can set limits that some rows already exceed.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use rules::guard_rails::GuardRails;
use rules::money::{Money, Rate};
use rules::price;
use rules::rows::{Adjustment, AdjustmentKind, Resource, Rounding, RowSet, Service, Settings, StoredRow, Tax, changed};

/// Maximum number of services named in a list.
const MOST_NAMED: usize = 10;

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
    /// The value before; `None` for a new row.
    pub before: Option<String>,
    /// The value after; `None` for a deleted row.
    pub after: Option<String>,
    /// The limit that is exceeded.
    pub limit: Limit,
    /// A sentence that describes the breach.
    pub text: String,
}

/// Every change beyond a limit, in the order of resources and codes.
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

/// Judges a change of rounding by its effect on the services' own prices.
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

/// The name of a rounding in rows.
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

/// Judges a price that becomes a price per unit, or stops being a price per unit. The change is always too large, because
/// the number of units is unknown.
fn quantities(guards: &GuardRails, old: &Service, new: &Service, found: &mut Vec<Breach>) {
    let has_price = |row: &Service| row.price_from.is_some() || row.price_to.is_some();
    let (before, after) = (old.quantity_fact.as_ref(), new.quantity_fact.as_ref());
    if before == after || !has_price(old) || !has_price(new) {
        return;
    }
    let mut judge = Judge::new(guards, Resource::Services, &new.code, "quantity_fact", before, after);
    if let Some(largest) = guards.largest_change_percent {
        judge.too_large(largest, "it multiplies prices, and no percentage can express that");
    }
    found.extend(judge.found);
}

fn adjustments(
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
            "the quantity multiplies the amount, and no percentage can express that",
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

/// Judges the effect of an adjustment on a service's prices, before and after. `by_itself` means that the amounts were
/// already compared with each other.
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

    /// The adjustment, if it applies to this service.
    fn at(&self, service: &Service) -> Option<&'a Adjustment> {
        let applies = self.services.is_empty() || self.services.contains(service.code.as_str());
        applies.then_some(self.row)
    }
}

/// The column that best describes the change; `None` if no judged column changes.
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

/// A column of an adjustment, in words.
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

fn taxes(guards: &GuardRails, old: Option<&Tax>, new: Option<&Tax>, found: &mut Vec<Breach>) {
    let Some(row) = new.or(old) else { return };
    let (before, after) = (old.map(|row| row.rate), new.map(|row| row.rate));
    if before == after {
        return;
    }
    let mut judge = Judge::new(guards, Resource::Taxes, &row.code, "rate", before, after);
    let total = |rate: Option<Rate>| Decimal::ONE_HUNDRED + rate.map_or(Decimal::ZERO, Rate::decimal);
    judge.change(Some(total(before)), Some(total(after)), || {
        "of the price with this tax, ".to_owned()
    });
    found.extend(judge.found);
}

/// The price after this adjustment alone; `None` on overflow.
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

/// One column of one row, checked against the limits. Each limit is reported once, with the largest excess.
struct Judge<'a> {
    guards: &'a GuardRails,
    place: Breach,
    worst: Decimal,
    found: Vec<Breach>,
}

impl<'a> Judge<'a> {
    fn new(
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
    fn price(&mut self, after: Option<Decimal>, before: Option<Decimal>, what: impl Fn() -> String) {
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
    fn change(&mut self, before: Option<Decimal>, after: Option<Decimal>, what: impl Fn() -> String) {
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
    fn too_large(&mut self, largest: Rate, by: &str) {
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

/// Rounds a price like an amount of money.
fn rounded(price: Decimal) -> String {
    format!("{:.2}", price.round_dp(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use rules::rows::Row;
    use rules::sample;

    fn rails(lowest: Option<&str>, highest: Option<&str>, percent: Option<&str>) -> GuardRails {
        GuardRails {
            lowest_price: lowest.map(|text| text.parse().unwrap()),
            highest_price: highest.map(|text| text.parse().unwrap()),
            largest_change_percent: percent.map(|text| text.parse().unwrap()),
        }
    }

    fn stored<R: Row>(row: Value) -> Arc<StoredRow<R>> {
        Arc::new(StoredRow {
            version: 2,
            row: serde_json::from_value(row).unwrap(),
        })
    }

    fn put<R: Row>(rows: &mut RowSet, row: Value) {
        let row = stored::<R>(row);
        R::table_mut(rows).insert(row.row.code().to_owned(), row);
    }

    fn service(code: &str, from: Option<&str>, to: Option<&str>) -> Value {
        json!({"code": code, "names": {}, "keywords": [], "rank": 1, "offer": "offered", "price_from": from, "price_to": to})
    }

    fn adjustment(code: &str, kind: &str, amount: Option<&str>, rate: Option<&str>) -> Value {
        json!({"code": code, "names": {}, "rank": 1, "kind": kind, "amount": amount, "rate": rate})
    }

    fn tax(rate: &str) -> Value {
        json!({"code": "gst", "names": {}, "rank": 1, "rate": rate})
    }

    /// One service at 100 to 200, one adjustment of each kind, a tax.
    fn rows() -> RowSet {
        let mut rows = RowSet::default();
        put::<Service>(&mut rows, service("leak", Some("100.00"), Some("200.00")));
        put::<Adjustment>(&mut rows, adjustment("travel", "add", Some("80.00"), None));
        put::<Adjustment>(&mut rows, adjustment("evening", "percent", None, Some("20")));
        put::<Adjustment>(&mut rows, adjustment("holiday", "multiply", None, Some("1.5")));
        put::<Tax>(&mut rows, tax("5"));
        rows
    }

    /// The column and limit of each breach after one change.
    fn found(guards: &GuardRails, change: impl Fn(&mut RowSet)) -> Vec<(String, Limit)> {
        from(guards, &rows(), change)
    }

    fn from(guards: &GuardRails, before: &RowSet, change: impl Fn(&mut RowSet)) -> Vec<(String, Limit)> {
        let mut after = before.clone();
        change(&mut after);
        let found = breaches(guards, before, &after);
        found
            .into_iter()
            .map(|breach| {
                let place = format!("{}/{}/{}", breach.resource.path(), breach.code, breach.column);
                assert!(
                    breach.text.ends_with('.') && breach.text.contains(&breach.code),
                    "{}",
                    breach.text
                );
                (place, breach.limit)
            })
            .collect()
    }

    fn one(place: &str, limit: Limit) -> Vec<(String, Limit)> {
        vec![(place.to_owned(), limit)]
    }

    #[test]
    fn a_price_is_held_by_each_limit_and_to_the_cent() {
        let guards = rails(Some("50.00"), Some("250.00"), Some("25"));
        let price = |from: &'static str, to: &'static str| {
            move |rows: &mut RowSet| put::<Service>(rows, service("leak", Some(from), Some(to)))
        };
        assert_eq!(found(&guards, price("75.00", "250.00")), vec![]);
        assert_eq!(
            found(&guards, price("74.99", "200.00")),
            one("services/leak/price_from", Limit::LargestChange)
        );
        assert_eq!(
            found(&guards, price("100.00", "250.01")),
            vec![
                ("services/leak/price_to".to_owned(), Limit::HighestPrice),
                ("services/leak/price_to".to_owned(), Limit::LargestChange)
            ]
        );
        let wide = rails(Some("50.00"), None, None);
        assert_eq!(
            found(&wide, price("49.99", "200.00")),
            one("services/leak/price_from", Limit::LowestPrice)
        );
        assert_eq!(found(&rails(None, None, None), price("0.01", "9999.00")), vec![]);
    }

    #[test]
    fn a_new_price_is_held_by_the_lowest_and_the_highest_and_one_that_goes_is_a_change_of_all_of_it() {
        let guards = rails(Some("50.00"), Some("250.00"), Some("25"));
        let new = |price: &'static str| {
            move |rows: &mut RowSet| put::<Service>(rows, service("new", Some(price), Some(price)))
        };
        assert_eq!(found(&guards, new("250.00")), vec![]);
        assert_eq!(found(&guards, new("251.00")).len(), 2);
        let gone = |rows: &mut RowSet| drop(rows.services.remove("leak"));
        assert_eq!(found(&guards, gone).len(), 2);
        let bare = |rows: &mut RowSet| put::<Service>(rows, service("leak", None, None));
        assert_eq!(found(&guards, bare).len(), 2);
        assert_eq!(found(&rails(None, None, Some("100")), gone), vec![]);
    }

    #[test]
    fn what_stays_is_never_held_even_beyond_the_limits() {
        let guards = rails(Some("150.00"), Some("160.00"), Some("1"));
        assert_eq!(found(&guards, |_| ()), vec![]);
        let words = |rows: &mut RowSet| {
            let mut row = service("leak", Some("100.00"), Some("200.00"));
            row["keywords"] = json!(["drip"]);
            put::<Service>(rows, row);
            let mut row = adjustment("travel", "add", Some("80.00"), None);
            row["condition"] = json!("weekend");
            put::<Adjustment>(rows, row);
        };
        assert_eq!(found(&guards, words), vec![]);
    }

    #[test]
    fn an_amount_is_compared_with_itself() {
        let guards = rails(None, None, Some("50"));
        let travel = |amount: &'static str| {
            move |rows: &mut RowSet| put::<Adjustment>(rows, adjustment("travel", "add", Some(amount), None))
        };
        assert_eq!(found(&guards, travel("120.00")), vec![]);
        assert_eq!(
            found(&guards, travel("120.01")),
            one("adjustments/travel/amount", Limit::LargestChange)
        );
        assert_eq!(found(&guards, travel("-80.00")).len(), 1);
    }

    #[test]
    fn rates_new_and_deleted_adjustments_are_judged_by_what_they_do_to_prices() {
        let guards = rails(None, None, Some("25"));
        let evening = |rate: &'static str| {
            move |rows: &mut RowSet| put::<Adjustment>(rows, adjustment("evening", "percent", None, Some(rate)))
        };
        // From 1.2 to 1.5 times the price is 25 % more.
        assert_eq!(found(&guards, evening("50")), vec![]);
        assert_eq!(
            found(&guards, evening("50.1")),
            one("adjustments/evening/rate", Limit::LargestChange)
        );
        assert_eq!(found(&guards, |rows| drop(rows.adjustments.remove("evening"))), vec![]);
        assert_eq!(
            found(&guards, |rows| drop(rows.adjustments.remove("holiday"))),
            one("adjustments/holiday/rate", Limit::LargestChange)
        );
        // An amount of 80 on a price of 100 is 80 %.
        assert_eq!(
            found(&guards, |rows| drop(rows.adjustments.remove("travel"))),
            one("adjustments/travel/amount", Limit::LargestChange)
        );
        let new = |kind: &'static str, amount: &'static str| {
            move |rows: &mut RowSet| put::<Adjustment>(rows, adjustment("new", kind, Some(amount), None))
        };
        assert_eq!(found(&guards, new("add", "25.00")), vec![]);
        assert_eq!(found(&guards, new("add", "-25.01")).len(), 1);
        assert_eq!(found(&guards, new("floor", "125.00")), vec![]);
        assert_eq!(found(&guards, new("floor", "126.00")).len(), 1);
        assert_eq!(found(&guards, new("cap", "150.00")), vec![]);
        assert_eq!(found(&guards, new("cap", "149.00")).len(), 1);
        assert_eq!(found(&guards, new("set", "0.00")).len(), 1);
        // An adjustment is judged only by the services that it applies to.
        let elsewhere = |rows: &mut RowSet| {
            let mut row = adjustment("new", "set", Some("0.00"), None);
            row["services"] = json!(["another"]);
            put::<Adjustment>(rows, row);
        };
        assert_eq!(found(&guards, elsewhere), vec![]);
        let turned = |rows: &mut RowSet| put::<Adjustment>(rows, adjustment("evening", "multiply", None, Some("20")));
        assert_eq!(found(&guards, turned).len(), 1);
    }

    #[test]
    fn an_adjustment_that_takes_a_price_beyond_a_limit_is_held() {
        let guards = rails(Some("50.00"), Some("1000.00"), None);
        let new = |kind: &'static str, amount: Option<&'static str>, rate: Option<&'static str>| {
            move |rows: &mut RowSet| put::<Adjustment>(rows, adjustment("new", kind, amount, rate))
        };
        assert_eq!(found(&guards, new("add", Some("800.00"), None)), vec![]);
        assert_eq!(
            found(&guards, new("add", Some("801.00"), None)),
            one("adjustments/new/amount", Limit::HighestPrice)
        );
        assert_eq!(
            found(&guards, new("multiply", None, Some("0.4")))[0].1,
            Limit::LowestPrice
        );
        assert_eq!(found(&guards, new("set", Some("0.00"), None))[0].1, Limit::LowestPrice);
    }

    #[test]
    fn a_tax_is_judged_by_the_price_with_it() {
        let guards = rails(None, None, Some("4"));
        let gst = |rate: &'static str| move |rows: &mut RowSet| put::<Tax>(rows, tax(rate));
        assert_eq!(found(&guards, gst("9")), vec![]);
        assert_eq!(found(&guards, gst("10")), one("taxes/gst/rate", Limit::LargestChange));
        assert_eq!(found(&guards, |rows| drop(rows.taxes.remove("gst"))).len(), 1);
    }

    fn settings(rounding: &str, step: &str) -> Value {
        json!({"currency": "CAD", "time_zone": "America/Toronto", "languages": ["en"], "rounding": rounding,
            "rounding_step": step, "default_priority": "P4", "default_sla_seconds": 60})
    }

    #[test]
    fn another_rounding_is_judged_by_what_it_makes_of_the_prices() {
        let mut before = rows();
        put::<Settings>(&mut before, settings("half_up", "1.00"));
        let to = |rounding: &'static str, step: &'static str| {
            move |rows: &mut RowSet| put::<Settings>(rows, settings(rounding, step))
        };
        let guards = rails(Some("50.00"), Some("250.00"), Some("25"));
        assert_eq!(from(&guards, &before, to("down", "50.00")), vec![]);
        // Both 100 and 200 become 300.
        let found = from(&guards, &before, to("up", "300.00"));
        let place = "settings/settings/rounding_step".to_owned();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.contains(&(place.clone(), Limit::HighestPrice)), "{found:?}");
        assert!(found.contains(&(place.clone(), Limit::LargestChange)), "{found:?}");
        let found = from(&rails(Some("50.00"), None, None), &before, to("down", "300.00"));
        assert_eq!(found, [(place, Limit::LowestPrice)]);
        put::<Settings>(&mut before, settings("half_up", "80.00"));
        let guards = rails(None, None, Some("25"));
        assert_eq!(
            from(&guards, &before, to("up", "80.00")),
            one("settings/settings/rounding", Limit::LargestChange)
        );
    }

    #[test]
    fn an_adjustment_is_new_for_the_services_and_the_instants_that_it_reaches_now() {
        let guards = rails(None, None, Some("25"));
        let promotion = |services: &[&str], until: Option<&str>| {
            let mut row = adjustment("promotion", "set", Some("0.00"), None);
            row["services"] = json!(services);
            row["valid_until"] = json!(until);
            row
        };
        let (past, later) = ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
        let mut before = rows();
        put::<Adjustment>(&mut before, promotion(&["another"], None));
        for (services, found) in [(vec![], 1), (vec!["another", "leak"], 1), (vec!["another", "third"], 0)] {
            let change = |rows: &mut RowSet| put::<Adjustment>(rows, promotion(&services, None));
            let told = from(&guards, &before, change);
            assert_eq!(
                told,
                vec![one("adjustments/promotion/services", Limit::LargestChange); found].concat()
            );
        }
        put::<Adjustment>(&mut before, promotion(&[], Some(past)));
        for until in [None, Some(later)] {
            let change = |rows: &mut RowSet| put::<Adjustment>(rows, promotion(&[], until));
            assert_eq!(
                from(&guards, &before, change),
                one("adjustments/promotion/valid_until", Limit::LargestChange)
            );
        }
        // An earlier end counts as a removal.
        let ends = |rows: &mut RowSet| {
            let mut row = adjustment("travel", "add", Some("80.00"), None);
            row["valid_until"] = json!(past);
            put::<Adjustment>(rows, row);
        };
        assert_eq!(
            found(&guards, ends),
            one("adjustments/travel/valid_until", Limit::LargestChange)
        );
        assert_eq!(found(&rails(Some("50.00"), None, None), ends), vec![]);
    }

    #[test]
    fn a_price_that_is_multiplied_from_now_on_is_held() {
        let change = |rows: &mut RowSet| {
            let mut row = service("leak", Some("100.00"), Some("200.00"));
            row["quantity_fact"] = json!("metres");
            put::<Service>(rows, row);
        };
        assert_eq!(
            found(&rails(None, None, Some("1000")), change),
            one("services/leak/quantity_fact", Limit::LargestChange)
        );
        assert_eq!(found(&rails(Some("1.00"), None, None), change), vec![]);
    }

    #[test]
    fn from_nothing_every_change_is_too_large() {
        let guards = rails(None, None, Some("1000000"));
        let (mut before, mut after) = (RowSet::default(), RowSet::default());
        put::<Service>(&mut before, service("leak", Some("0.00"), Some("0.00")));
        put::<Service>(&mut after, service("leak", Some("0.01"), Some("0.00")));
        let found = breaches(&guards, &before, &after);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("no percentage"), "{}", found[0].text);
    }

    proptest! {
        /// No number that a row can contain causes a panic, and unchanged values are not reported.
        #[test]
        fn any_numbers_are_judged(minor in -1_000_000_000_000i64..=1_000_000_000_000, rate in -1_000_000_000_000i64..=1_000_000_000_000, percent in 0i64..1000) {
            let guards = GuardRails {
                lowest_price: Some(Money::from_minor(1)),
                highest_price: Some(Money::from_minor(100)),
                largest_change_percent: percent.to_string().parse().ok(),
            };
            let (amount, rate) = (Money::from_minor(minor).to_string(), Decimal::new(rate, 6).to_string());
            let before = sample::rows();
            let mut after = before.clone();
            put::<Service>(&mut after, service("leak", Some(&amount), None));
            put::<Adjustment>(&mut after, adjustment("x", "multiply", None, Some(&rate)));
            put::<Adjustment>(&mut after, adjustment("y", "percent", None, Some(&rate)));
            put::<Adjustment>(&mut after, adjustment("z", "add", Some(&amount), None));
            let there = breaches(&guards, &before, &after);
            let back = breaches(&guards, &after, &before);
            prop_assert!(there.iter().chain(&back).all(|breach| !breach.text.is_empty()));
            prop_assert!(breaches(&guards, &after, &after).is_empty());
        }
    }
}
