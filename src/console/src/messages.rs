//! The list of the SMS messages of a business.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::lists::{self, List};
use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/messages", show)];

/// The list at `/console/messages`.
const LIST: List = List {
    path: "/messages",
    title: "messages",
    empty: "messages-empty",
    priorities: true,
};
const STATES: [&str; 7] = [
    "queued",
    "sending",
    "accepted",
    "delivered",
    "ambiguous",
    "dead",
    "simulated",
];

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let filters = lists::filters(visit, business, &LIST);
        let mut pairs: Vec<(&str, &str)> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pairs.extend([
            ("rulebook", business.code.as_str()),
            ("state", visit.asked("state")),
            ("cursor", visit.asked("cursor")),
            ("limit", "30"),
        ]);
        let mut page = visit.read("/admin/v1/sms-messages", &pairs).await?;
        let next = page["next_cursor"].take();
        let rows = items(page);
        let main = html! {
            h1 { (words.say("messages")) }
            (filter_form(visit))
            @if rows.is_empty() { p.card.empty { (words.say("messages-empty")) } }
            @else { ul.rows { @for one in &rows { (row(visit, business, one)) } } }
            (lists::pages(visit, &LIST, next.as_str()))
        };
        let frame = Frame::new(visit, Some(business), words.say("messages"), "/messages");
        Ok(frame.page(&main))
    })
}

fn row(visit: &Visit, business: &Business, message: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let state = text(message, "state").unwrap_or_default();
    html! { li.row {
        div.row-head {
            a.who href=(visit.link(&format!("/messages/{}", text(message, "id").unwrap_or_default()), &[])) {
                (business.contact(text(message, "contact").unwrap_or_default()))
            }
            span.state.(state) { (words.name("state", state)) }
            span.when { (times.at(text(message, "created_at"))) }
        }
        p.body { (text(message, "body").unwrap_or_default()) }
        @if let Some(error) = text(message, "error") { p.fault lang="en" { (error) } }
    } }
}

fn filter_form(visit: &Visit) -> Markup {
    let words = visit.words;
    html! { form.filters method="get" action="/console/messages" {
        @if !visit.asked("rulebook").is_empty() {
            input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
        }
        div.field {
            label for="state" { (words.say("state")) }
            select #state name="state" {
                option value="" { (words.say("all")) }
                @for state in STATES {
                    option value=(state) selected[visit.asked("state") == state] { (words.name("state", state)) }
                }
            }
        }
        (lists::day_fields(visit))
        button type="submit" { (words.say("filter")) }
    } }
}
