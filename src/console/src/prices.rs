//! The prices of the current revision: services and adjustments, to be read.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::business::Business;
use crate::leads::text;
use crate::locale::{decimal, money, percent, range};
use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/prices", show)];

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let settings = business.rows.settings.values().next();
        let currency = settings.map(|stored| stored.row.currency.clone()).unwrap_or_default();
        let main = html! {
            h1 { (words.say("prices")) }
            p.quiet { (words.say("prices-about")) " " a href="/docs#/services" { "Swagger UI" } }
            h2 { (words.say("services")) }
            (services(visit, business, &currency))
            h2 { (words.say("adjustments")) }
            (adjustments(visit, business, &currency))
            h2 { (words.say("taxes")) }
            ul { @for (code, tax) in &business.rows.taxes {
                @let rate = json!(tax.row.rate);
                li { (business.row_name("taxes", code, words.0.code())) " " (percent(words, &plain(&rate))) }
            } }
        };
        let frame = Frame::new(visit, Some(business), words.say("prices"), "/prices");
        Ok(frame.page(&main))
    })
}

/// An amount or a rate as it is in JSON.
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
                td { @if row.condition.is_empty() { (words.say("always")) } @else { code { (business.shown(&row.condition)) } } }
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
