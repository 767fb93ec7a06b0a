//! Headlines of revisions and names of rows.

use maud::{Markup, html};
use serde_json::Value;

use crate::business::Business;
use crate::leads::text;
use crate::visit::Visit;

pub fn number(revision: &Value) -> i64 {
    revision["number"].as_i64().unwrap_or_default()
}

/// The number of a revision, its kind, its author and its time.
pub fn headline(visit: &Visit, business: &Business, revision: &Value, head: i64) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let kind = text(revision, "kind").unwrap_or_default();
    html! { div.row-head {
        strong { (words.say_of("history-revision", &[("number", &number(revision).to_string())])) }
        @if number(revision) == head { span.change.added { (words.say("history-head")) } }
        @match revision["equals"].as_i64() {
            Some(equals) => span.tag.back { "↶ " (words.say_of("history-equals", &[("number", &equals.to_string())])) },
            None => @if kind == "import" { span.tag { (words.say("history-import")) } },
        }
        span.quiet { (text(revision, "author").unwrap_or_default()) }
        span.when { (times.at(text(revision, "created_at"))) }
    } }
}

/// The name of a row.
pub fn name(visit: &Visit, business: &Business, resource: &str, code: &str) -> String {
    if resource == "contacts" {
        business.contact(code)
    } else {
        business.row_name(resource, code, visit.words.0.code())
    }
}
