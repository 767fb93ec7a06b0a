//! A decision for people: urgency, service, the sentence for the caller, the price as a receipt, and the reasons.

use maud::{Markup, html};
use serde_json::Value;

use crate::business::Business;
use crate::leads::{priority, text};
use crate::receipt::receipt;
use crate::visit::Visit;

/// The card of a decision with its explanation. `besides` is shown between the receipt and the reasons.
pub fn card(visit: &Visit, business: &Business, decided: &Value, explanation: &Value, besides: &Markup) -> Markup {
    let words = visit.words;
    let rule = text(decided, "priority_rule").map_or_else(
        || words.say("default-priority"),
        |code| business.row_name("priority-rules", code, words.0.code()),
    );
    let service = text(decided, "service").map(|code| business.row_name("services", code, words.0.code()));
    let revision = decided["revision"].to_string();
    html! { div.card {
        dl.facts {
            dt { (words.say("urgency")) } dd { (priority(decided)) " " (rule) }
            dt { (words.say("service")) } dd { (service.unwrap_or_else(|| words.say("unknown-service"))) }
            @if let Some(say) = text(decided, "say") { dt { (words.say("said-to-caller")) } dd { q { (say) } } }
        }
        (receipt(words, business, decided))
        (besides)
        p.quiet { (words.say_of("revision", &[("revision", &revision)])) }
        (parts(visit, "took-part", &explanation["took_part"]))
        (parts(visit, "left-out", &explanation["left_out"]))
    } }
}

/// The rows of an explanation, with the steps of the trace.
fn parts(visit: &Visit, key: &str, rows: &Value) -> Markup {
    let words = visit.words;
    let rows: Vec<&Value> = rows.as_array().into_iter().flatten().collect();
    html! { @if !rows.is_empty() { details {
        summary { (words.count(key, rows.len())) }
        ul.parts { @for row in rows { li {
            span.tag { (words.name("resource", text(row, "resource").unwrap_or_default())) } " "
            code { (text(row, "code").unwrap_or_default()) } " "
            span.quiet lang="en" { (text(row, "did").unwrap_or_default()) }
        } } }
    } } }
}
