//! The set-up page: the steps of the installation with their problems, the values to copy to Vapi, and the health of each
//! business.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::StatusCode;
use serde_json::Value;

use crate::address::query;
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/setup", show)];

/// A step: the message key of its name, its checks, and the tags in Swagger UI. The operations with these tags change
/// the settings of the step.
struct SetupStep {
    key: &'static str,
    checks: &'static [&'static str],
    groups: &'static [&'static str],
}

const STEPS: [SetupStep; 5] = [
    SetupStep {
        key: "setup-server",
        checks: &[
            "settings",
            "secret key",
            "database file",
            "database",
            "migrations",
            "spool",
            "disk",
            "network",
            "server",
            "clock",
        ],
        groups: &[],
    },
    SetupStep {
        key: "setup-address",
        checks: &["public URL"],
        groups: &[],
    },
    SetupStep {
        key: "setup-keys",
        checks: &["rulebook", "webhook secret"],
        groups: &["secrets", "webhook-auth"],
    },
    SetupStep {
        key: "setup-vapi",
        checks: &["vapi"],
        groups: &["secrets"],
    },
    SetupStep {
        key: "setup-twilio",
        checks: &["twilio"],
        groups: &["secrets", "sms-delivery"],
    },
];

/// The findings of the checks, if the person may see them.
enum SetupFindings {
    Found(Value),
    /// The checks took too long.
    Late,
    /// The person may not see the findings: the role is not enough, or the key is limited to one business.
    Hidden,
}

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let health = items(visit.read("/admin/v1/rulebook-health", &[]).await?);
        let checked = if may_check(visit) {
            match visit.read("/admin/v1/setup", &[]).await {
                Ok(found) => SetupFindings::Found(found),
                Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => SetupFindings::Late,
                Err(refusal) => return Err(refusal),
            }
        } else {
            SetupFindings::Hidden
        };
        let main = html! {
            h1 { (words.say("setup")) }
            (businesses(visit, business, &health))
            @match &checked {
                SetupFindings::Found(found) => (steps(visit, business, found)),
                SetupFindings::Late => p.card.fault role="alert" {
                    (words.say("setup-late")) " " a href=(visit.link("/setup", &[])) { (words.say("setup-again")) }
                },
                SetupFindings::Hidden => p.card.empty { (words.say("setup-hidden")) },
            }
        };
        Ok(Frame::new(visit, Some(business), words.say("setup"), "/setup").page(&main))
    })
}

/// Whether the person may see the checks. The checks are about the whole installation, so a key of a single business may
/// not see them.
fn may_check(visit: &Visit) -> bool {
    visit.key.rulebook_id.is_none() && (visit.may(Role::Admin) || visit.may(Role::Owner))
}

fn businesses(visit: &Visit, business: &Business, health: &[Value]) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let number = |row: &Value, name: &str, is_bad: bool| {
        let count = row[name].as_u64().unwrap_or_default();
        html! { td.number { @if count > 0 && is_bad { strong.late { (count) } } @else { (count) } } }
    };
    html! {
        h2 { (words.say("setup-businesses")) }
        div.scroll tabindex="0" role="region" aria-label=(words.say("setup-businesses")) { table.grid.health {
            thead { tr {
                th scope="col" { (words.say("business")) }
                th.number scope="col" { (words.say("setup-open-p1")) }
                th.number scope="col" { (words.say("setup-not-sent")) }
                th.number scope="col" { (words.say("notices")) }
                th scope="col" { (words.say("setup-last-call")) }
            } }
            tbody { @for row in health { tr {
                @let code = text(row, "rulebook").unwrap_or_default();
                th scope="row" { a href={ "/console" (query(&[("rulebook", code)])) } { (text(row, "name").unwrap_or(code)) } }
                (number(row, "open_p1", true))
                (number(row, "sms_not_sent", true))
                (number(row, "open_notices", false))
                td {
                    @match text(row, "last_call_at") {
                        Some(at) => (times.at(Some(at))),
                        None => span.quiet { (words.say("setup-no-call")) },
                    }
                }
            } } }
        } }
        p.quiet { (words.say("setup-health-about")) }
    }
}

fn steps(visit: &Visit, business: &Business, found: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let findings: Vec<&Value> = found["findings"].as_array().into_iter().flatten().collect();
    html! {
        div.day-head {
            h2 { (words.say("setup-steps")) }
            p.quiet { (words.say("setup-checked")) " " (times.at(text(found, "checked_at"))) " · "
                a href=(visit.link("/setup", &[])) { (words.say("setup-again")) } }
        }
        ol.steps { @for step in &STEPS {
            @let own: Vec<&Value> = findings.iter().copied().filter(|one| step.checks.contains(&text(one, "check").unwrap_or_default())).collect();
            (card(visit, business, step, &own, found))
        } }
    }
}

/// The worst level of the findings.
fn worst<'a>(findings: &[&'a Value]) -> &'a str {
    let rank = |level: &str| ["ok", "warning", "wrong"].iter().position(|known| *known == level);
    let levels = findings.iter().filter_map(|finding| text(finding, "level"));
    levels.max_by_key(|level| rank(level)).unwrap_or("ok")
}

fn card(visit: &Visit, business: &Business, step: &SetupStep, findings: &[&Value], found: &Value) -> Markup {
    let words = visit.words;
    let level = worst(findings);
    let (good, bad): (Vec<&Value>, Vec<&Value>) = findings
        .iter()
        .copied()
        .partition(|one| text(one, "level") == Some("ok"));
    html! { li.card.step.(level) {
        div.row-head {
            h3 { (words.say(step.key)) }
            span.level.(level) { (words.name("level", level)) }
        }
        @for finding in &bad { div.finding.(text(finding, "level").unwrap_or_default()) {
            p lang="en" { (text(finding, "text").unwrap_or_default()) }
            @if let Some(what) = text(finding, "what_to_do") { p.todo lang="en" { "→ " (what) } }
        } }
        @if !good.is_empty() { details {
            summary { (words.count("setup-good", good.len())) }
            ul.parts lang="en" { @for finding in &good { li { (text(finding, "text").unwrap_or_default()) } } }
        } }
        @if step.key == "setup-vapi" { (for_vapi(visit, business, found)) }
        @if !step.groups.is_empty() { p.quiet {
            (words.say("setup-change")) " "
            @for (place, group) in step.groups.iter().enumerate() {
                @if place > 0 { ", " }
                a href={ "/docs#/" (group) } { (group) }
            }
        } }
        @if step.key == "setup-keys" { p { a href=(visit.link("/keys", &[])) { (words.say("keys")) } } }
    } }
}

/// The settings to copy to Vapi for this business.
fn for_vapi(visit: &Visit, business: &Business, found: &Value) -> Markup {
    let words = visit.words;
    let mut all = found["vapi"].as_array().into_iter().flatten();
    let Some(own) = all.find(|one| text(one, "rulebook") == Some(business.code.as_str())) else {
        return html! {};
    };
    let prompt: Vec<&str> = own["prompt"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    html! { div.copies {
        @match text(own, "webhook_url") {
            Some(url) => div {
                label for="webhook-url" { (words.say("setup-webhook-url")) }
                input #webhook-url readonly value=(url);
            },
            None => p.quiet { (words.say("setup-no-url")) },
        }
        details {
            summary { (words.say("setup-values")) }
            (copy("vapi-server", &words.say("setup-server-object"), &format!("{:#}", own["server"])))
            @if !own["structured_output"].is_null() {
                (copy("structured-output", &words.say("setup-structured-output"), &format!("{:#}", own["structured_output"])))
            }
            (copy("prompt", &words.say("setup-prompt"), &prompt.join("\n")))
        }
    } }
}

fn copy(id: &str, label: &str, value: &str) -> Markup {
    html! { div {
        label for=(id) { (label) }
        textarea id=(id) readonly rows="6" spellcheck="false" { (value) }
    } }
}
