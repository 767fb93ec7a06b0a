//! The read-only prices, for people who may not change them.

use maud::{Markup, html};
use rules::rows::{Adjustment, Offer, Service};
use serde_json::{Value, json};

use crate::business::Business;
use crate::leads::text;
use crate::locale::{decimal, money, percent, range};
use crate::visit::Visit;

/// Services and adjustments as two tables.
pub fn tables(visit: &Visit, business: &Business, currency: &str) -> Markup {
    let words = visit.words;
    html! {
        h2 { (words.say("services")) }
        (services(visit, business, currency))
        h2 { (words.say("adjustments")) }
        (adjustments(visit, business, currency))
    }
}

/// The current taxes.
pub fn taxes(visit: &Visit, business: &Business) -> Markup {
    let words = visit.words;
    html! {
        h2 { (words.say("taxes")) }
        ul { @for (code, tax) in &business.rows.taxes {
            @let rate = json!(tax.row.rate);
            li { (business.row_name("taxes", code, words.0.code())) " " (percent(words, &plain(&rate))) }
        } }
    }
}

/// The unit of a service's price, and whether the service is offered.
pub fn about_service(visit: &Visit, business: &Business, row: &Service) -> Markup {
    let words = visit.words;
    html! {
        @if !row.unit.is_empty() { " " span.quiet { (business.label(&row.unit, words.0.code(), "")) } }
        @if row.offer != Offer::Offered {
            " " span.tag { (words.name("offer", &plain(&json!(row.offer)))) }
        }
    }
}

/// The condition under which an adjustment applies.
pub fn condition(visit: &Visit, business: &Business, row: &Adjustment) -> Markup {
    html! { div.quiet.when-applies {
        @if row.condition.is_empty() { (visit.words.say("always")) } @else { code { (business.shown(&row.condition)) } }
    } }
}

/// A JSON value as text, without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn services(visit: &Visit, business: &Business, currency: &str) -> Markup {
    let words = visit.words;
    let mut rows: Vec<_> = business.rows.services.values().map(|stored| &stored.row).collect();
    rows.sort_by_key(|row| (row.rank, row.code.as_str()));
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("services")) { table.grid {
        thead { tr {
            th scope="col" { (words.say("service")) }
            th.number scope="col" { (words.say("base-price")) }
            th scope="col" { (words.say("offer")) }
        } }
        tbody { @for row in rows {
            @let value = json!(row);
            tr {
                th scope="row" { (business.label(&row.names, words.0.code(), &row.code)) }
                td.number {
                    @if let Some((from, to)) = text(&value, "price_from").zip(text(&value, "price_to")) {
                        (range(words, from, to, currency))
                    }
                    @if !row.unit.is_empty() { " " span.quiet { (business.label(&row.unit, words.0.code(), "")) } }
                }
                td { (words.name("offer", &plain(&value["offer"]))) }
            }
        } }
    } } }
}

fn adjustments(visit: &Visit, business: &Business, currency: &str) -> Markup {
    let words = visit.words;
    let mut rows: Vec<_> = business.rows.adjustments.values().map(|stored| &stored.row).collect();
    rows.sort_by_key(|row| (row.rank, row.code.as_str()));
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("adjustments")) { table.grid {
        thead { tr {
            th scope="col" { (words.say("adjustment")) }
            th.number scope="col" { (words.say("effect")) }
            th scope="col" { (words.say("condition")) }
        } }
        tbody { @for row in rows {
            @let value = json!(row);
            @let kind = plain(&value["kind"]);
            tr {
                th scope="row" { (business.label(&row.names, words.0.code(), &row.code)) }
                td.number { (words.name("kind", &kind)) " " (effect(visit, &value, &kind, currency)) }
                td { (condition(visit, business, row)) }
            }
        } }
    } } }
}

fn effect(visit: &Visit, row: &Value, kind: &str, currency: &str) -> String {
    let words = visit.words;
    match (text(row, "amount"), text(row, "rate")) {
        (Some(amount), _) => money(words, amount, currency),
        (None, Some(rate)) if kind == "percent" => percent(words, rate),
        (None, rate) => decimal(words, rate.unwrap_or_default()),
    }
}
