//! Tests each limit with changed prices, adjustments, taxes and rounding, and with random numbers.

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

/// Returns one service that costs 100 to 200, adjustments of three kinds, and one tax.
fn rows() -> RowSet {
    let mut rows = RowSet::default();
    put::<Service>(&mut rows, service("leak", Some("100.00"), Some("200.00")));
    put::<Adjustment>(&mut rows, adjustment("travel", "add", Some("80.00"), None));
    put::<Adjustment>(&mut rows, adjustment("evening", "percent", None, Some("20")));
    put::<Adjustment>(&mut rows, adjustment("holiday", "multiply", None, Some("1.5")));
    put::<Tax>(&mut rows, tax("5"));
    rows
}

/// Returns the column and the limit of each breach that one change causes.
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
    let new =
        |price: &'static str| move |rows: &mut RowSet| put::<Service>(rows, service("new", Some(price), Some(price)));
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
    // A rise from 1.2 to 1.5 times the price is a change of 25 %.
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
    // Removing an amount of 80 from a price of 180 is a change of 44 %.
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
    // An adjustment is judged only by the prices of the services that it applies to.
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
    // If the validity period ends earlier, the adjustment counts as deleted from then on.
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
