//! The price of a decision as a receipt: base price, each adjustment, rounding, taxes, total.

use maud::{Markup, html};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::business::Business;
use crate::leads::text;
use crate::locale::{money, percent, range, sum};
use crate::words::Words;

/// A line of the receipt: its label, and by how much it changes each end of the price range.
struct ReceiptLine {
    label: String,
    note: String,
    /// Whether the line is the base price.
    is_base: bool,
    from: Decimal,
    to: Decimal,
}

/// The receipt of a decision, or a message if the decision has no price.
pub fn receipt(words: Words, business: &Business, decision: &Value) -> Markup {
    let price = &decision["price"];
    let Some(currency) = text(price, "currency") else {
        return html! { p { (words.say("no-price")) } };
    };
    let ends = |value: &Value, from: &str, to: &str| {
        range(
            words,
            text(value, from).unwrap_or_default(),
            text(value, to).unwrap_or_default(),
            currency,
        )
    };
    let taxes = price["taxes"].as_array().into_iter().flatten();
    html! { table.receipt {
        caption { (words.say("receipt")) }
        tbody {
            @for line in lines(words, business, &decision["trace"]) { tr {
                th scope="row" { (line.label) @if !line.is_base { span.quiet lang="en" { (line.note) } } }
                td { (change(words, &line, currency)) }
            } }
            tr.subtotal {
                th scope="row" { (words.say("before-tax")) @if let Some(per) = text(price, "per") { " " (per) } }
                td { (ends(price, "from", "to")) }
            }
            @if let Some(besides) = text(price, "besides") { tr {
                th scope="row" { (words.say("besides")) }
                td { (money(words, besides, currency)) }
            } }
            @for tax in taxes { tr {
                th scope="row" {
                    (business.row_name("taxes", text(tax, "code").unwrap_or_default(), words.0.code())) " "
                    span.quiet { (percent(words, text(tax, "rate").unwrap_or_default())) }
                }
                td { (ends(tax, "from", "to")) }
            } }
        }
        tfoot { tr { th scope="row" { (words.say("total")) } td { (ends(price, "total_from", "total_to")) } } }
    } }
}

fn lines(words: Words, business: &Business, trace: &Value) -> Vec<ReceiptLine> {
    let steps = trace.as_array().into_iter().flatten();
    steps.filter_map(|step| line(words, business, step)).collect()
}

fn line(words: Words, business: &Business, step: &Value) -> Option<ReceiptLine> {
    let amount = |name: &str| text(&step["money"], name)?.parse::<Decimal>().ok();
    let (from, to) = (
        amount("from_after")? - amount("from_before")?,
        amount("to_after")? - amount("to_before")?,
    );
    let (resource, code) = (text(step, "resource")?, text(step, "code")?);
    // Omit rows without effect, for example a floor below the price, or a rounding that changes nothing.
    if from.is_zero() && to.is_zero() {
        return None;
    }
    let label = match resource {
        "settings" => words.say("rounding"),
        _ => business.row_name(resource, code, words.0.code()),
    };
    Some(ReceiptLine {
        label,
        is_base: resource == "services",
        note: text(step, "did").unwrap_or_default().to_owned(),
        from,
        to,
    })
}

fn change(words: Words, line: &ReceiptLine, currency: &str) -> String {
    if line.is_base {
        return range(words, &line.from.to_string(), &line.to.to_string(), currency);
    }
    let signed = |amount: Decimal| {
        let plus = if amount.is_sign_positive() && !amount.is_zero() {
            "+"
        } else {
            ""
        };
        format!("{plus}{}", sum(words, amount, currency))
    };
    if line.from == line.to {
        signed(line.from)
    } else {
        format!("{} / {}", signed(line.from), signed(line.to))
    }
}
