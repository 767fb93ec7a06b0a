//! The page of notices. Each notice says what a person should do, and has a button for that action. Open notices come
//! first.

mod act;
mod deeds;

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use self::deeds::NoticeActions;
use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[
    Address::get("/notices", show),
    Address::post("/notices/:id/resolve", act::resolve),
    Address::post("/notices/:id/resend", act::resend),
    Address::post("/notices/:id/release", act::release),
    Address::post("/notices/:id/replay", act::replay),
];

/// Maximum number of open notices per page.
const MAX_OPEN: &str = "50";
/// Maximum number of resolved notices below the open notices.
const MAX_RESOLVED: &str = "15";

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let main = main(visit, business).await?;
        let frame = Frame::new(visit, Some(business), visit.words.say("notices"), "/notices");
        Ok(frame.page(&main))
    })
}

async fn main(visit: &Visit, business: &Business) -> Result<Markup, Refusal> {
    let words = visit.words;
    let of = |resolved: &'static str, limit: &'static str| {
        vec![
            ("rulebook", business.code.as_str()),
            ("resolved", resolved),
            ("limit", limit),
        ]
    };
    let mut asked = of("false", MAX_OPEN);
    asked.push(("cursor", visit.asked("cursor")));
    let mut page = visit.read("/admin/v1/notices", &asked).await?;
    let next = page["next_cursor"].take();
    let mut open = items(page);
    // The sort is stable, so notices of the same severity stay sorted newest first.
    open.sort_by_key(urgency);
    let resolved = items(visit.read("/admin/v1/notices", &of("true", MAX_RESOLVED)).await?);
    let deeds = NoticeActions::read(visit, business, &open).await?;
    Ok(html! {
        h1 { (words.say("notices")) }
        (done(visit))
        @if open.is_empty() { p.card.empty { (words.say("notices-none")) } }
        div.notices { @for notice in &open { (card(visit, business, &deeds, notice)) } }
        @if let Some(next) = next.as_str() {
            nav.pages aria-label=(words.say("pages")) {
                a rel="next" href=(visit.link("/notices", &[("cursor", next)])) { (words.say("pages-older")) }
            }
        }
        @if !resolved.is_empty() {
            h2 { (words.say("notices-resolved")) }
            ul.rows { @for notice in &resolved { (resolved_row(visit, business, notice)) } }
        }
    })
}

fn urgency(notice: &Value) -> u8 {
    match text(notice, "severity") {
        Some("urgent") => 0,
        Some("warning") => 1,
        _ => 2,
    }
}

/// A success message about the last action.
fn done(visit: &Visit) -> Markup {
    let words = visit.words;
    let message = match visit.asked("done") {
        "resolved" => words.say("notices-done-resolved"),
        "resent" => words.say("notices-done-resent"),
        "released" => words.say("notices-done-released"),
        "replayed" => {
            let count = visit.asked("count").parse().unwrap_or_default();
            words.count("notices-done-replayed", count)
        }
        _ => return html! {},
    };
    html! { p.notice-done role="status" { (message) } }
}

fn card(visit: &Visit, business: &Business, deeds: &NoticeActions, notice: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let severity = text(notice, "severity").unwrap_or("info");
    let count = notice["count"].as_i64().unwrap_or(1);
    html! { article.card.notice.(severity) {
        div.row-head {
            span.severity.(severity) { (words.name("severity", severity)) }
            h2 { (title(visit, business, notice)) }
            span.when { (times.at(text(notice, "last_at"))) }
        }
        p { (advice(visit, notice)) }
        @if count > 1 { p.quiet {
            (words.count("notices-times", usize::try_from(count).unwrap_or(usize::MAX))) " "
            (times.at(text(notice, "first_at")))
        } }
        (deeds.of(visit, business, notice))
        div.notice-end {
            details {
                summary { (words.say("notices-details")) }
                p lang="en" { (text(notice, "text").unwrap_or_default()) }
                p.quiet lang="en" { (text(notice, "what_to_do").unwrap_or_default()) }
            }
            @if visit.may(Role::Dispatcher) { (resolve_form(visit, notice)) }
        }
    } }
}

/// The title of the notice in the person's language. If the console does not know the notice's code, the title is in
/// English.
fn title(visit: &Visit, business: &Business, notice: &Value) -> Markup {
    let code = text(notice, "code").unwrap_or_default();
    let about = about(business, notice);
    match visit.words.name_of("notice", code, &[("about", &about)]) {
        Some(title) => html! { (title) },
        None => html! { span lang="en" { (text(notice, "text").unwrap_or_default()) } },
    }
}

fn advice(visit: &Visit, notice: &Value) -> Markup {
    let code = text(notice, "code").unwrap_or_default();
    match visit.words.name_of("advice", code, &[]) {
        Some(advice) => html! { (advice) },
        None => html! { span lang="en" { (text(notice, "what_to_do").unwrap_or_default()) } },
    }
}

/// The subject of a notice for people. For example, the subject `contact mario` is shown as the contact's name.
fn about(business: &Business, notice: &Value) -> String {
    let subject = text(notice, "subject").unwrap_or_default();
    match deeds::subject(notice, "contact ") {
        Some(contact) => business.contact(contact),
        None => subject.rsplit(' ').next().unwrap_or_default().to_owned(),
    }
}

fn resolve_form(visit: &Visit, notice: &Value) -> Markup {
    let words = visit.words;
    let id = text(notice, "id").unwrap_or_default();
    html! { form.resolve method="post" action=(visit.link(&format!("/notices/{}/resolve", segment(id)), &[])) {
        (page::token(visit))
        label for={ "comment-" (id) } { (words.say("notices-comment")) }
        input id={ "comment-" (id) } name="comment" maxlength="1000";
        button type="submit" { (words.say("notices-resolve")) }
    } }
}

fn resolved_row(visit: &Visit, business: &Business, notice: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    html! { li.row {
        div.row-head {
            span { (title(visit, business, notice)) }
            span.when { (times.at(text(notice, "resolved_at"))) }
        }
        p.quiet {
            @match text(notice, "resolved_by") {
                Some(by) => (words.say_of("notices-resolved-by", &[("who", by)])),
                None => (words.say("notices-resolved-itself")),
            }
            @if let Some(comment) = text(notice, "comment") { " · " q { (comment) } }
        }
    } }
}
