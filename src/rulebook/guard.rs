//! Guard rails (pure): which changes of prices go so far that a second person must look at them.
//!
//! In: a rulebook's limits, its rows as they stand and as they shall be. Out: every change beyond a limit, with its place
//! and a sentence. Each row is judged alone, by its numbers: what a condition, a list of services or a script does to a
//! price cannot be told from a number and is no breach. A column that stays as it is never is one, so that limits may be
//! set which some rows already exceed.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::Serialize;

use super::money::{Money, Rate};
use super::rows::{Adjustment, AdjustmentKind, Resource, RowSet, Service, Stored, Tax, changed};

/// A rulebook's limits; what is none has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuardRails {
    /// No price below this.
    pub lowest_price: Option<Money>,
    /// No price above this.
    pub highest_price: Option<Money>,
    /// No price changes by more than this, in percent, in one publish.
    pub largest_change_percent: Option<Rate>,
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The lowest price.
    LowestPrice,
    /// The highest price.
    HighestPrice,
    /// The largest change in percent.
    #[serde(rename = "largest_change_percent")]
    LargestChange,
}

/// A change beyond a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The kind of row.
    pub resource: Resource,
    /// Its code.
    pub code: String,
    /// The column.
    pub column: &'static str,
    /// What it was; none for a new row.
    pub before: Option<String>,
    /// What it becomes; none for a row that goes.
    pub after: Option<String>,
    /// The limit that it goes beyond.
    pub limit: Limit,
    /// The same in a sentence.
    pub text: String,
}

/// Every change beyond a limit, in the order of resources and codes.
#[must_use]
pub fn breaches(guards: &GuardRails, before: &RowSet, after: &RowSet) -> Vec<Breach> {
    if *guards == GuardRails::default() {
        return Vec::new();
    }
    let mut found = Vec::new();
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

fn row<R>(stored: Option<&Arc<Stored<R>>>) -> Option<&R> {
    stored.map(|stored| &stored.row)
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
        judge.price(after.map(Money::decimal), before.map(Money::decimal), "the price");
        // A price that is taken away may come back as any other.
        let zero = after.or(before.map(|_| Money::default()));
        judge.change(before.map(Money::decimal), zero.map(Money::decimal), "");
        found.extend(judge.found);
    }
}

fn adjustments(
    guards: &GuardRails,
    old: Option<&Adjustment>,
    new: Option<&Adjustment>,
    rows: &RowSet,
    found: &mut Vec<Breach>,
) {
    let Some(row) = new.or(old) else { return };
    let number = |row: &Adjustment| (row.kind, row.amount, row.rate);
    if old.map(number) == new.map(number) {
        return;
    }
    let column = if row.rate.is_some() { "rate" } else { "amount" };
    let told = |row: Option<&Adjustment>| {
        row.and_then(|row| {
            let amount = row.amount.map(|amount| amount.to_string());
            amount.or(row.rate.map(|rate| rate.to_string()))
        })
    };
    let mut judge = Judge::new(guards, Resource::Adjustments, &row.code, column, told(old), told(new));
    // An amount of the same kind is compared with itself: from 80.00 to 120.00 is half as much again.
    let amounts = match (old, new) {
        (Some(old), Some(new)) if old.kind == new.kind => old.amount.zip(new.amount),
        _ => None,
    };
    if let Some((before, after)) = amounts {
        judge.change(Some(before.decimal()), Some(after.decimal()), "");
    }
    // All else is judged by what it does to the prices of the services that it applies to.
    for service in rows.services.values().map(|stored| &stored.row) {
        if !row.services.is_empty() && !row.services.contains(&service.code) {
            continue;
        }
        for price in [service.price_from, service.price_to].into_iter().flatten() {
            let with = |row: Option<&Adjustment>| match row {
                Some(row) => effect(row, price.decimal()),
                None => Some(price.decimal()),
            };
            let (before, after) = (with(old), with(new));
            let what = format!("for `{}` at {price}, ", service.code);
            if amounts.is_none() {
                judge.change(before, after.or(Some(Decimal::MAX)), &what);
            }
            if new.is_some() {
                judge.price(
                    after.or(Some(Decimal::MAX)),
                    before,
                    &format!("the price of `{}`", service.code),
                );
            }
        }
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
    judge.change(Some(total(before)), Some(total(after)), "of the price with this tax, ");
    found.extend(judge.found);
}

/// What an adjustment alone makes of a price; none when that is beyond all numbers.
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
        // A row without its number does not compile: it changes nothing.
        _ => Some(price),
    }
}

/// One column of one row, held against the limits; each limit is told once, at its worst.
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

    /// A price that was not beyond a limit before.
    fn price(&mut self, after: Option<Decimal>, before: Option<Decimal>, what: &str) {
        let Some(price) = after else { return };
        let place = format!("`{}/{}`: ", self.place.resource.path(), self.place.code);
        if let Some(lowest) = self.guards.lowest_price {
            let low = |price: Decimal| price < lowest.decimal();
            if low(price) && !before.is_some_and(low) && !self.has(Limit::LowestPrice) {
                let text = format!(
                    "{place}{what} becomes {}, below the lowest price {lowest}.",
                    rounded(price)
                );
                self.tell(Limit::LowestPrice, text);
            }
        }
        if let Some(highest) = self.guards.highest_price {
            let high = |price: Decimal| price > highest.decimal();
            if high(price) && !before.is_some_and(high) && !self.has(Limit::HighestPrice) {
                let text = format!(
                    "{place}{what} becomes {}, above the highest price {highest}.",
                    rounded(price)
                );
                self.tell(Limit::HighestPrice, text);
            }
        }
    }

    /// A change from one number to another.
    fn change(&mut self, before: Option<Decimal>, after: Option<Decimal>, what: &str) {
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
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let by = match percent {
            Some(percent) => format!("{what}a change of {} %", percent.round_dp(1).normalize()),
            None => format!("{what}a change from nothing, which no percentage can tell"),
        };
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

/// As money, however it came about.
fn rounded(price: Decimal) -> String {
    format!("{:.2}", price.round_dp(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::rulebook::rows::Row;
    use crate::rulebook::sample;

    fn rails(lowest: Option<&str>, highest: Option<&str>, percent: Option<&str>) -> GuardRails {
        GuardRails {
            lowest_price: lowest.map(|text| text.parse().unwrap()),
            highest_price: highest.map(|text| text.parse().unwrap()),
            largest_change_percent: percent.map(|text| text.parse().unwrap()),
        }
    }

    fn stored<R: Row>(row: Value) -> Arc<Stored<R>> {
        Arc::new(Stored {
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

    /// What is found when one thing changes: column and limit.
    fn found(guards: &GuardRails, change: impl Fn(&mut RowSet)) -> Vec<(String, Limit)> {
        let (before, mut after) = (rows(), rows());
        change(&mut after);
        let found = breaches(guards, &before, &after);
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
        // From 1.2 to 1.5 times the price is a quarter more.
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
        // 80 on a price of 100 is 80 %.
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
        // Only on services that it applies to.
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
        /// No numbers that the rows can hold make it panic, and what is not changed is not told.
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
