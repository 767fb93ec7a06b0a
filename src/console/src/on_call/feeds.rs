//! The URLs that calendar programs subscribe to. The module creates the URLs, shows each URL once, and revokes the
//! URLs.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::change::done;
use super::fields::{Field, general};
use super::messages::{Fault, Form, FormMessage, FormOutcome, View};
use super::page;
use crate::address::segment;
use crate::leads::text;
use crate::page::token;
use crate::visit::{Answer, Visit};

pub fn section(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    if !view.may_change && view.feeds.is_empty() {
        return html! {};
    }
    html! { section #feeds aria-labelledby="feeds-title" {
        h2 #feeds-title { (words.say("on-call-feeds")) }
        p.quiet { (words.say("on-call-feeds-about")) }
        @if let Some(address) = &view.outcome.feed { (made(view, address)) }
        @if !view.feeds.is_empty() { ul.rows { @for feed in &view.feeds { (line(view, feed)) } } }
        @if view.may_change { (form(view)) }
    } }
}

/// Shows the URL of a new feed.
fn made(view: &View<'_>, address: &str) -> Markup {
    let words = view.visit.words;
    html! { div.outcome.made role="status" {
        p { (words.say("on-call-feed-made")) }
        label for="feed-address" { (words.say("on-call-feed-address")) }
        div.copy {
            input #feed-address readonly value=(address);
            button #copy type="button" hidden data-done=(words.say("on-call-feed-copied")) { (words.say("on-call-feed-copy")) }
        }
    } }
}

fn line(view: &View<'_>, feed: &Value) -> Markup {
    let words = view.visit.words;
    let whose = match text(feed, "contact") {
        Some(code) => view.business.contact(code),
        None => words.say("on-call-feed-everybody"),
    };
    let id = text(feed, "id").unwrap_or_default();
    let name = text(feed, "name").unwrap_or_default();
    html! { li.row.override-row {
        div {
            p { strong { (name) } " · " (whose) }
            p.quiet { (words.say("on-call-feed-since")) " " (view.times.at(text(feed, "created_at"))) }
        }
        @if view.may_change {
            form method="post" action=(view.action(&format!("/feeds/{}/revoke", segment(id)))) {
                (token(view.visit))
                button.small type="submit" { (words.say("on-call-feed-revoke")) span.away { " " (name) } }
            }
        }
    } }
}

fn form(view: &View<'_>) -> Markup {
    let form = Form::Feed;
    let is_sent = view.outcome.form == Some(form) && view.outcome.feed.is_none();
    let sent = |name: &str| if is_sent { view.visit.sent(name) } else { "" };
    let field = |name, label, value| Field {
        form,
        name,
        label,
        value,
    };
    html! { form.filters.feed-form method="post" action={ (view.action("/feeds")) "#feeds" } {
        (token(view.visit))
        (general(view, form))
        (field("name", "on-call-feed-name", sent("name")).input(view, "text", true))
        (field("contact", "on-call-feed-whose", sent("contact")).contact(view, Some("on-call-feed-everybody"), false))
        button type="submit" { (view.visit.words.say("on-call-feed-make")) }
    } }
}

pub fn make(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let name = visit.sent("name");
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            let faults = vec![Fault::new("name", "on-call-fault-feed-name")];
            return page(visit, FormOutcome::refused(Form::Feed, faults)).await;
        }
        let mut body = json!({"name": name});
        if !visit.sent("contact").is_empty() {
            body["contact"] = visit.sent("contact").into();
        }
        let path = business.path("/calendar-feeds");
        let (status, answer) = visit.attempt(Method::POST, &path, Some(&body), None).await?;
        if !status.is_success() {
            let detail = answer["detail"].as_str().unwrap_or_default().to_owned();
            let text = match status {
                StatusCode::CONFLICT => FormMessage::Key("on-call-fault-feeds"),
                _ => FormMessage::Detail(detail),
            };
            return page(visit, FormOutcome::refused(Form::Feed, vec![Fault { field: "", text }])).await;
        }
        let outcome = FormOutcome {
            form: Some(Form::Feed),
            feed: text(&answer, "address").map(|path| address(visit, path)),
            ..FormOutcome::default()
        };
        page(visit, outcome).await
    })
}

pub fn revoke(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let path = business.path(&format!("/calendar-feeds/{}", segment(&visit.path("id"))));
        match visit.attempt(Method::DELETE, &path, None, None).await {
            // Somebody else revoked the feed first.
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {}
            sent => {
                sent?;
            }
        }
        done(visit, None, "revoked")
    })
}

/// The absolute URL of a path on this server.
fn address(visit: &Visit, path: &str) -> String {
    let scheme = if visit.console.https { "https" } else { "http" };
    let host = visit.request.header(header::HOST).unwrap_or_default();
    format!("{scheme}://{host}{path}")
}
