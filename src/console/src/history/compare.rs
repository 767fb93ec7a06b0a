//! The comparison of two revisions, and the form that rolls back to the older revision.

use admin::auth::Role;
use maud::{Markup, html};
use serde_json::Value;

use super::back::Stale;
use super::lines::{headline, number};
use super::rows;
use crate::address::segment;
use crate::business::Business;
use crate::page;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// Renders the comparison that the URL asks for: `from` with `to`, or `to` with the revision before `to`.
pub async fn main(visit: &Visit, business: &Business, stale: &Stale) -> Result<Markup, Refusal> {
    let words = visit.words;
    let head = revision(visit, business, "head").await?;
    let from = stale.from.as_deref().unwrap_or_else(|| visit.asked("from"));
    let to = Some(visit.asked("to")).filter(|to| !to.is_empty()).unwrap_or("head");
    // Without `from`, the API compares `to` with the revision before `to`.
    let one = if from.is_empty() { to } else { from };
    let other = if from.is_empty() { "" } else { to };
    let path = business.path(&format!("/revisions/{}/diff", segment(one)));
    let diff = visit.read(&path, &[("to", other)]).await?;
    let (first, last) = (
        diff["from"].as_i64().unwrap_or_default(),
        diff["to"].as_i64().unwrap_or_default(),
    );
    let older = if first == 0 {
        None
    } else {
        Some(revision(visit, business, &first.to_string()).await?)
    };
    let newer = revision(visit, business, &last.to_string()).await?;
    let rows: Vec<Value> = diff["rows"].as_array().cloned().unwrap_or_default();
    let title = [("from", first.to_string()), ("to", last.to_string())];
    let title = title.each_ref().map(|(name, value)| (*name, value.as_str()));
    Ok(html! {
        p { a href=(visit.link("/history", &[])) { "← " (words.say("history")) } }
        h1 { (words.say_of(if first == 0 { "history-first" } else { "history-compared" }, &title)) }
        (stale.banner(visit, business, &head))
        div.card.pair {
            @if let Some(older) = &older { (headline(visit, business, older, number(&head))) }
            (headline(visit, business, &newer, number(&head)))
            @if last != number(&head) && first != 0 {
                p { a href=(visit.link("/history", &[("from", &first.to_string()), ("to", "head")])) {
                    (words.say_of("history-compare-head", &title))
                } }
            }
        }
        @if last == number(&head) && first != 0 && first != last && visit.may(Role::Editor) {
            (roll_back_form(visit, stale, first, &head))
        }
        (rows::differences(visit, business, &rows))
    })
}

async fn revision(visit: &Visit, business: &Business, number: &str) -> Result<Value, Refusal> {
    let path = business.path(&format!("/revisions/{}", segment(number)));
    visit.read(&path, &[]).await
}

/// The form that rolls back to a revision. The form contains the number of the head that the person saw.
fn roll_back_form(visit: &Visit, stale: &Stale, to: i64, head: &Value) -> Markup {
    let words = visit.words;
    let text_of = to.to_string();
    html! { form.card.way-back method="post" action=(visit.link(&format!("/history/{to}/roll-back"), &[])) {
        (page::token(visit))
        input type="hidden" name="version" value=(number(head));
        p { (words.say_of("history-back-about", &[("number", &text_of)])) }
        label for="comment" { (words.say("history-comment")) }
        input #comment name="comment" maxlength="500" value=(stale.comment) aria-describedby=[stale.fault.as_ref().map(|_| "fault")];
        button.main type="submit" { (words.say_of("history-back", &[("number", &text_of)])) }
        @if let Some(fault) = &stale.fault { p #fault.fault lang="en" { (fault) } }
    } }
}
