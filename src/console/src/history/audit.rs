//! The audit log: who changed what and when, and the tamper check.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use super::rows::value;
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::lists::day_fields;
use crate::page::Frame;
use crate::visit::{Answer, Visit};

const PAGE_SIZE: &str = "40";
/// The resources that the filter offers.
const RESOURCES: [&str; 26] = [
    "services",
    "adjustments",
    "areas",
    "calendars",
    "taxes",
    "priority-rules",
    "contacts",
    "templates",
    "concepts",
    "cues",
    "classifiers",
    "fact-mappings",
    "tools",
    "assistant-rules",
    "scripts",
    "cases",
    "settings",
    "change-sets",
    "guard-rails",
    "leads",
    "notices",
    "sms-messages",
    "sms-suppressions",
    "webhook-events",
    "secrets",
    "api-keys",
];

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let (since, until) = span(visit, business);
        let pairs = [
            ("rulebook", business.code.as_str()),
            ("actor", visit.asked("actor")),
            ("resource", visit.asked("resource")),
            ("code", visit.asked("code")),
            ("since", since.as_str()),
            ("until", until.as_str()),
            ("cursor", visit.asked("cursor")),
            ("limit", PAGE_SIZE),
        ];
        let mut page = visit.read("/admin/v1/audit-log", &pairs).await?;
        let next = page["next_cursor"].take();
        let entries = items(page);
        let checked = match visit.asked("check") {
            "yes" if may_check(visit) => Some(visit.read("/admin/v1/audit-log/verification", &[]).await?),
            _ => None,
        };
        let kept = ["actor", "resource", "code", "days", "day"].map(|name| (name, visit.asked(name)));
        let main = html! {
            p { a href=(visit.link("/history", &[])) { "← " (words.say("history")) } }
            h1 { (words.say("history-audit")) }
            @if may_check(visit) { (tamper_check(visit, checked.as_ref())) }
            (filter_form(visit))
            @if entries.is_empty() { p.card.empty { (words.say("history-audit-empty")) } }
            @else { ul.rows.audit { @for entry in &entries { (row(visit, business, entry)) } } }
            nav.pages aria-label=(words.say("pages")) {
                @if !visit.asked("cursor").is_empty() {
                    a href=(visit.link("/history/audit", &kept)) { (words.say("pages-newest")) }
                }
                @if let Some(next) = next.as_str() {
                    a rel="next" href=(visit.link("/history/audit", &[&kept[..], &[("cursor", next)]].concat())) {
                        (words.say("pages-older"))
                    }
                }
            }
        };
        Ok(Frame::new(visit, Some(business), words.say("history-audit"), "/history").page(&main))
    })
}

/// Whether the person may run the tamper check. All businesses share one chain, so a key of a single business may not run
/// the check.
fn may_check(visit: &Visit) -> bool {
    visit.key.rulebook_id.is_none() && (visit.may(Role::Admin) || visit.may(Role::Owner))
}

/// The first and the last day of the filter, in the format of the API.
fn span(visit: &Visit, business: &Business) -> (String, String) {
    let day = visit.asked("day").to_owned();
    match visit.asked("days") {
        _ if !day.is_empty() => (day.clone(), day),
        "week" => {
            let first = visit.times(business).today() - chrono::TimeDelta::days(6);
            (first.to_string(), String::new())
        }
        span => (span.to_owned(), span.to_owned()),
    }
}

fn tamper_check(visit: &Visit, checked: Option<&Value>) -> Markup {
    let words = visit.words;
    html! { div.card.tamper {
        @match checked {
            Some(found) if found["intact"] == true => {
                p.done role="status" { "✓ " (words.say_of("history-intact", &[("count", &found["entries"].to_string())])) }
                p.quiet { (words.say("history-chain-end")) " " code { (text(found, "head").unwrap_or_default()) } }
            },
            Some(found) => p.late role="alert" {
                "✗ " (words.say("history-broken")) " " span lang="en" { (text(&found["first_bad"], "text").unwrap_or_default()) }
            },
            None => form method="get" action="/console/history/audit" {
                @if !visit.asked("rulebook").is_empty() {
                    input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
                }
                input type="hidden" name="check" value="yes";
                button type="submit" { (words.say("history-check")) } " "
                span.quiet { (words.say("history-check-about")) }
            },
        }
    } }
}

fn filter_form(visit: &Visit) -> Markup {
    let words = visit.words;
    html! { form.filters method="get" action="/console/history/audit" role="search" {
        @if !visit.asked("rulebook").is_empty() {
            input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
        }
        div.field {
            label for="actor" { (words.say("history-who")) }
            input #actor name="actor" value=(visit.asked("actor")) maxlength="100" autocomplete="off";
        }
        div.field {
            label for="resource" { (words.say("history-kind")) }
            select #resource name="resource" {
                option value="" { (words.say("all")) }
                @for one in RESOURCES { option value=(one) selected[visit.asked("resource") == one] { (one.replace('-', " ")) } }
            }
        }
        div.field {
            label for="code" { (words.say("history-row")) }
            input #code name="code" value=(visit.asked("code")) maxlength="255" autocomplete="off";
        }
        (day_fields(visit))
        button type="submit" { (words.say("filter")) }
    } }
}

fn row(visit: &Visit, business: &Business, entry: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let (resource, code) = (
        text(entry, "resource").unwrap_or_default(),
        text(entry, "code").unwrap_or_default(),
    );
    let changed = fields(&entry["before"], &entry["after"]);
    html! { li.row {
        div.row-head {
            strong { (business.shown(text(entry, "actor").unwrap_or_default())) }
            span { (words.name("action", text(entry, "action").unwrap_or_default())) }
            span.tag { (resource.replace('-', " ")) }
            code { (code) }
            @if let Some(number) = entry["revision"].as_i64() {
                a.quiet href=(visit.link("/history", &[("to", &number.to_string())])) {
                    (words.say_of("history-revision", &[("number", &number.to_string())]))
                }
            }
            span.when { (times.at(text(entry, "at"))) }
        }
        @if !changed.is_empty() { details {
            summary { (words.count("history-fields", changed.len())) }
            div.scroll tabindex="0" role="region" aria-label=(code) { table.grid.fields {
                thead { tr {
                    th scope="col" { (words.say("history-field")) }
                    th scope="col" { (words.say("history-before")) }
                    th scope="col" { (words.say("history-after")) }
                } }
                tbody { @for (name, before, after) in changed { tr {
                    th scope="row" { (business.shown(&name.replace('_', " "))) }
                    td.gone { (value(business, before)) }
                    td.new { (value(business, after)) }
                } } }
            } }
        } }
    } }
}

/// The fields that differ, sorted by name.
fn fields<'a>(before: &'a Value, after: &'a Value) -> Vec<(&'a str, &'a Value, &'a Value)> {
    let names = |value: &'a Value| value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let all: std::collections::BTreeSet<&str> = names(before).chain(names(after)).collect();
    let all = all.into_iter().map(|name| (name, &before[name], &after[name]));
    all.filter(|(name, before, after)| before != after && *name != "code")
        .collect()
}
