//! Shows whether a change set may be published: errors, cases, lint findings and guard rails.

use maud::{Markup, html};
use serde_json::Value;

use crate::business::Business;
use crate::change_sets::diff::{column_name, row_title, shown};
use crate::change_sets::parts::Story;
use crate::leads::text;
use crate::visit::Visit;

/// The results of the checks; empty if the change set is published or discarded.
pub fn section(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let Some(check) = &story.check else {
        return html! {};
    };
    let words = visit.words;
    let list = |name: &str| check[name].as_array().cloned().unwrap_or_default();
    let (faults, failed, findings) = (list("faults"), list("cases_failed"), list("findings"));
    let conflicts = list("conflicts");
    let run = usize::try_from(check["cases_run"].as_u64().unwrap_or_default()).unwrap_or_default();
    html! { section aria-labelledby="checks" {
        h2 #checks { (words.say("change-set-checks")) }
        ul.card.checks {
            @if !conflicts.is_empty() { li.bad { (words.count("change-set-conflicts", conflicts.len())) } }
            @if faults.is_empty() { (good(&words.say("change-set-compiles"))) }
            @for fault in &faults { (bad(visit, business, fault, "detail")) }
            @if faults.is_empty() && failed.is_empty() { (good(&words.count("change-set-cases", run))) }
            @for case in &failed { (failed_case(visit, business, case)) }
            @if faults.is_empty() && findings.is_empty() { (good(&words.say("change-set-lint"))) }
            @for finding in &findings {
                @let is_error = finding["severity"] == "error";
                li.(if is_error { "bad" } else { "warn" }) {
                    strong { (place(visit, business, finding)) } " "
                    span lang="en" { (business.shown(text(finding, "text").unwrap_or_default())) }
                }
            }
            @if story.breaches.is_empty() {
                @if check["publishable"] == true { (good(&words.say("change-set-within"))) }
            } @else {
                li.warn { (words.say("change-set-beyond"))
                    ul { @for breach in &story.breaches { li { (breach_line(visit, business, breach)) } } }
                }
            }
        }
    } }
}

fn good(text: &str) -> Markup {
    html! { li.good { (text) } }
}

fn bad(visit: &Visit, business: &Business, fault: &Value, name: &str) -> Markup {
    html! { li.bad {
        strong { (visit.words.say("change-set-fault")) } " "
        span lang="en" { (business.shown(text(fault, name).unwrap_or_default())) }
    } }
}

fn place(visit: &Visit, business: &Business, finding: &Value) -> String {
    let resource = text(finding, "resource").unwrap_or_default();
    let row = row_title(visit, business, resource, text(finding, "code").unwrap_or_default());
    match text(finding, "column") {
        Some(column) => format!("{row}, {}:", column_name(visit.words, column)),
        None => format!("{row}:"),
    }
}

fn failed_case(visit: &Visit, business: &Business, case: &Value) -> Markup {
    let words = visit.words;
    let code = text(case, "code").unwrap_or_default().replace('_', " ");
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), |text| business.shown(text))
    };
    html! { li.bad {
        strong { (words.say_of("change-set-case-failed", &[("case", &code)])) }
        ul { @for mismatch in case["mismatches"].as_array().into_iter().flatten() { li {
            code { (text(mismatch, "place").unwrap_or_default()) } ": "
            (words.say_of("change-set-mismatch", &[
                ("expected", &plain(&mismatch["expected"])), ("got", &plain(&mismatch["got"])),
            ]))
        } } }
    } }
}

/// A sentence about a guard rail that publishing would exceed.
fn breach_line(visit: &Visit, business: &Business, breach: &Value) -> Markup {
    let words = visit.words;
    let field = |name: &str| text(breach, name).unwrap_or_default();
    let (resource, column) = (field("resource"), field("column"));
    let value = |side: &str| shown(visit, business, resource, column, &breach[side]);
    html! {
        strong { (row_title(visit, business, resource, field("code"))) } ", " (column_name(words, column)) ": "
        @if breach["before"].is_null() && breach["after"].is_null() { (words.say("change-set-not-judged")) }
        @else { (value("before")) " → " (value("after")) ". " (words.name("change-set-limit", field("limit"))) }
        " "
        details { summary { (words.say("change-set-why")) } p.quiet lang="en" { (business.shown(field("text"))) } }
    }
}
