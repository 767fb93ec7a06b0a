//! The list of calls.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::business::Business;
use crate::leads::{phone, tags, text, who};
use crate::lists::{self, List};
use crate::locale::length;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/calls", show)];

/// The list at `/console/calls`.
pub const LIST: List = List {
    path: "/calls",
    title: "calls",
    empty: "calls-empty",
    priorities: false,
};

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        lists::show(visit, business, &LIST, row).await
    })
}

fn row(visit: &Visit, business: &Business, call: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let id = text(call, "id").unwrap_or_default();
    let service = text(call, "service").map(|code| business.row_name("services", code, words.0.code()));
    html! { li.row {
        div.row-head {
            a.who href=(visit.link(&format!("/calls/{}", segment(id)), &[])) { (who(visit, call)) }
            (tags(visit, call))
            span.when { (times.at(text(call, "started_at").or_else(|| text(call, "first_seen_at")))) }
        }
        p.line {
            (words.name("status", text(call, "status").unwrap_or_default()))
            @if let Some(milliseconds) = call["duration_ms"].as_i64() { " · " (length(milliseconds)) }
            @if let Some(service) = service { " · " (service) }
        }
        @if let Some(summary) = text(call, "summary") { p.problem { (summary) } }
        p.quiet { (phone(visit, call, "customer_number")) }
    } }
}
