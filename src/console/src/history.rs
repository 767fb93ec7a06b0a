//! History: the revisions on a timeline, the comparison of any two revisions, rollback, and the audit log.

mod audit;
mod back;
mod compare;
mod lines;
mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use self::lines::{headline, name, number};
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::page::Frame;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[
    Address::get("/history", show),
    Address::get("/history/audit", audit::show),
    Address::post("/history/:number/roll-back", back::roll_back),
];

/// Number of revisions per page.
const PAGE_SIZE: &str = "20";
/// Maximum number of audit entries that are read to summarize the revisions of a page.
const MAX_ENTRIES: &str = "200";
/// If a revision changed at most this many rows of a resource, the summary names each of these rows.
const MAX_NAMED: usize = 2;

/// The codes of the changed rows, by revision number and resource.
type ChangesByRevision = BTreeMap<i64, BTreeMap<String, Vec<String>>>;

/// The timeline, or a comparison of the two revisions that the URL names.
pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let main = if visit.asked("from").is_empty() && visit.asked("to").is_empty() {
            time_line(visit, business).await?
        } else {
            compare::main(visit, business, &back::Stale::default()).await?
        };
        let frame = Frame::new(visit, Some(business), visit.words.say("history"), "/history");
        Ok(frame.page(&main))
    })
}

async fn time_line(visit: &Visit, business: &Business) -> Result<Markup, Refusal> {
    let words = visit.words;
    let pairs = [("limit", PAGE_SIZE), ("cursor", visit.asked("cursor"))];
    let mut page = visit.read(&business.path("/revisions"), &pairs).await?;
    let next = page["next_cursor"].take();
    let revisions = items(page);
    let head = visit.read(&business.path("/revisions/head"), &[]).await?["number"]
        .as_i64()
        .unwrap_or_default();
    let changed = changed(visit, business, &revisions).await?;
    Ok(html! {
        div.day-head {
            h1 { (words.say("history")) }
            nav.neighbours aria-label=(words.say("history-more")) {
                a href=(visit.link("/history/audit", &[])) { (words.say("history-audit")) }
            }
        }
        @if let Ok(number) = visit.asked("done").parse::<i64>() {
            p.notice-done role="status" { (words.say_of("history-done", &[("number", &number.to_string())])) }
        }
        @if revisions.len() > 1 { (compare_form(visit, &revisions)) }
        ol.timeline { @for revision in &revisions { (entry(visit, business, revision, head, &changed)) } }
        nav.pages aria-label=(words.say("pages")) {
            @if !visit.asked("cursor").is_empty() { a href=(visit.link("/history", &[])) { (words.say("pages-newest")) } }
            @if let Some(next) = next.as_str() {
                a rel="next" href=(visit.link("/history", &[("cursor", next)])) { (words.say("pages-older")) }
            }
        }
    })
}

/// Returns the changes of the given revisions, from the audit log.
async fn changed(visit: &Visit, business: &Business, revisions: &[Value]) -> Result<ChangesByRevision, Refusal> {
    let mut changed = ChangesByRevision::new();
    let (Some(first), Some(oldest)) = (revisions.first(), revisions.last()) else {
        return Ok(changed);
    };
    let (since, until) = (near(oldest, -1), near(first, 1));
    let pairs = [
        ("rulebook", business.code.as_str()),
        ("since", since.as_str()),
        ("until", until.as_str()),
        ("limit", MAX_ENTRIES),
    ];
    let page = visit.read("/admin/v1/audit-log", &pairs).await?;
    let is_cut = page["next_cursor"].is_string();
    for entry in items(page) {
        let resource = text(&entry, "resource").filter(|resource| *resource != "revisions");
        let (Some(number), Some(resource)) = (entry["revision"].as_i64(), resource) else {
            continue;
        };
        let codes = changed
            .entry(number)
            .or_default()
            .entry(resource.to_owned())
            .or_default();
        codes.push(text(&entry, "code").unwrap_or_default().to_owned());
    }
    // If the page of the log was full, the entries of the oldest revision may be incomplete.
    if is_cut {
        changed.pop_first();
    }
    Ok(changed)
}

/// The time `seconds` seconds after a revision was published.
fn near(revision: &Value, seconds: i64) -> String {
    let at = text(revision, "created_at").and_then(|at| at.parse::<DateTime<Utc>>().ok());
    at.map(|at| (at + TimeDelta::seconds(seconds)).to_rfc3339())
        .unwrap_or_default()
}

fn compare_form(visit: &Visit, revisions: &[Value]) -> Markup {
    let words = visit.words;
    let choice = |name: &'static str, key: &str, chosen: usize| {
        html! { div.field {
            label for=(name) { (words.say(key)) }
            select id=(name) name=(name) { @for (place, revision) in revisions.iter().enumerate() {
                option value=(number(revision)) selected[place == chosen] {
                    (number(revision)) @if let Some(comment) = text(revision, "comment") { " · " (start(comment)) }
                }
            } }
        } }
    };
    html! { form.filters method="get" action="/console/history" {
        @if !visit.asked("rulebook").is_empty() {
            input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
        }
        (choice("from", "history-from", 1))
        (choice("to", "history-to", 0))
        button type="submit" { (words.say("history-compare")) }
    } }
}

/// The beginning of a string, for an option of a select field.
fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

fn entry(visit: &Visit, business: &Business, revision: &Value, head: i64, changed: &ChangesByRevision) -> Markup {
    let words = visit.words;
    let number = number(revision);
    let text_of = number.to_string();
    html! { li.(if number == head { "head" } else { "past" }) {
        (headline(visit, business, revision, head))
        @if let Some(comment) = text(revision, "comment") { p { q { (business.shown(comment)) } } }
        @match changed.get(&number) {
            Some(resources) => p { (summary(visit, business, resources)) },
            None => {},
        }
        p.deeds {
            a href=(visit.link("/history", &[("to", &text_of)])) { (words.say("history-what")) }
            @if number != head {
                a href=(visit.link("/history", &[("from", &text_of), ("to", "head")])) { (words.say("history-with-head")) }
            }
        }
    } }
}

/// The changes of a revision in words: "One service: Camera inspection · 2 taxes".
fn summary(visit: &Visit, business: &Business, resources: &BTreeMap<String, Vec<String>>) -> Markup {
    let words = visit.words;
    html! { @for (place, (resource, codes)) in resources.iter().enumerate() {
        @if place > 0 { " · " }
        (words.count(&format!("revised-{resource}"), codes.len()))
        @if codes.len() <= MAX_NAMED && resource != "settings" {
            ": " (codes.iter().map(|code| name(visit, business, resource, code)).collect::<Vec<_>>().join(", "))
        }
    } }
}
