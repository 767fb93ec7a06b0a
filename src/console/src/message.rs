//! The page of an SMS message: its attempts, and the button that resends a dead letter.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::business::Business;
use crate::leads::{phone, text};
use crate::page::{self, Frame};
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[
    Address::get("/messages/:id", show),
    Address::post("/messages/:id/resend", resend),
];

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let path = format!("/admin/v1/sms-messages/{}", segment(&visit.path("id")));
        let detail = visit.read(&path, &[]).await?;
        let frame = Frame::new(visit, Some(business), words.say("message"), "/messages");
        Ok(frame.page(&main(visit, business, &detail)))
    })
}

/// Queues a dead letter again, for the contact's current number.
pub fn resend(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let id = segment(&visit.path("id"));
        let force = if visit.sent("force").is_empty() {
            ""
        } else {
            "?force=true"
        };
        let path = format!("/admin/v1/sms-messages/{id}/resend{force}");
        visit.post(&path, None).await?;
        Ok(page::see(&visit.link(&format!("/messages/{id}"), &[])))
    })
}

fn main(visit: &Visit, business: &Business, detail: &Value) -> Markup {
    let (words, times, message) = (visit.words, visit.times(business), &detail["message"]);
    let state = text(message, "state").unwrap_or_default();
    html! {
        h1 { (business.contact(text(message, "contact").unwrap_or_default())) }
        p {
            span.state.(state) { (words.name("state", state)) } " · "
            (phone(visit, message, "to_number")) " · " (times.at(text(message, "created_at")))
        }
        p.card.body { (text(message, "body").unwrap_or_default()) }
        p.quiet { (words.count("segments", segments(message))) " · " (text(message, "reference").unwrap_or_default()) }
        @if let Some(error) = text(message, "error") { p.fault lang="en" { (error) } }
        @if let Some(call) = text(message, "call_id") {
            p { a href=(visit.link(&format!("/calls/{}", segment(call)), &[])) { (words.say("to-the-call")) } }
        }
        @if state == "dead" && visit.may(Role::Dispatcher) { (resend_form(visit, message)) }
        h2 { (words.say("attempts")) }
        @let attempts: Vec<&Value> = detail["attempts"].as_array().into_iter().flatten().collect();
        @if attempts.is_empty() { p.quiet { (words.say("attempts-none")) } }
        ol.attempts { @for attempt in attempts { li {
            (times.at(text(attempt, "started_at"))) " "
            strong { (words.name("outcome", text(attempt, "outcome").unwrap_or("running"))) }
            @if let Some(said) = text(attempt, "detail") { " " span.quiet lang="en" { (said) } }
        } } }
    }
}

fn segments(message: &Value) -> usize {
    let count = message["billed_as"]["segments"].as_u64();
    count.and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}

fn resend_form(visit: &Visit, message: &Value) -> Markup {
    let words = visit.words;
    let id = text(message, "id").unwrap_or_default();
    html! { form.stack.card method="post" action=(visit.link(&format!("/messages/{id}/resend"), &[])) {
        (page::token(visit))
        p { (words.say("resend-about")) }
        label.check { input type="checkbox" name="force" value="yes"; " " (words.say("resend-force")) }
        button.main type="submit" { (words.say("resend")) }
    } }
}
