//! The feedback about a decision, on the page of its call ("This decision was wrong"). The forms give feedback, dismiss
//! feedback, or store a call as a case.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::segment;
use crate::business::Business;
use crate::call;
use crate::field::{fault, typed_money};
use crate::leads::{priority, text};
use crate::locale::money;
use crate::page;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[
    Address::post("/calls/:id/feedback", note),
    Address::post("/calls/:id/feedback/:feedback/dismiss", dismiss),
    Address::post("/calls/:id/case", keep),
];

const PRIORITIES: [&str; 4] = ["P1", "P2", "P3", "P4"];

/// Why a form on the call's page was refused. At most one field is set: the field for the form that was sent.
#[derive(Default)]
pub struct Attempt {
    wrong: Option<Refusal>,
    case: Option<Refusal>,
    other: Option<Refusal>,
}

impl Attempt {
    /// The HTTP status of the page that shows the refusal.
    pub fn status(&self) -> Option<StatusCode> {
        let refused = self.wrong.as_ref().or(self.case.as_ref()).or(self.other.as_ref());
        refused.map(|refused| refused.status)
    }
}

/// Stores feedback about the decision.
fn note(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let mut body = json!({});
        for name in ["service", "priority", "comment"] {
            if !visit.sent(name).is_empty() {
                body[name] = visit.sent(name).into();
            }
        }
        if !visit.sent("total").is_empty() {
            body["total"] = typed_money(visit.words, visit.sent("total")).into();
        }
        let wrong = |wrong| Attempt {
            wrong: Some(wrong),
            ..Attempt::default()
        };
        send(visit, "feedback", &body, "noted", wrong).await
    })
}

/// Stores the call as a case that expects the current decision.
fn keep(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let body = json!({"code": visit.sent("code"), "comment": visit.sent("comment")});
        let case = |case| Attempt {
            case: Some(case),
            ..Attempt::default()
        };
        send(visit, "case", &body, "kept", case).await
    })
}

async fn send(visit: &Visit, what: &str, body: &Value, done: &str, attempt: fn(Refusal) -> Attempt) -> Answer {
    let business = visit.business().await?;
    let address = business.path(&format!("/calls/{}/{what}", segment(&visit.path("id"))));
    match visit.edit(Method::POST, &address, body).await {
        Ok(_) => Ok(page::see(&back(visit, done))),
        Err(refused) if refused.is_about_the_form() && refused.status != StatusCode::NOT_FOUND => {
            call::page(visit, attempt(refused)).await
        }
        Err(refused) => Err(refused),
    }
}

fn dismiss(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let address = business.path(&format!("/feedback/{}/dismiss", segment(&visit.path("feedback"))));
        let body = json!({"comment": visit.sent("comment")});
        match visit.edit(Method::POST, &address, &body).await {
            Ok(_) => Ok(page::see(&back(visit, "dismissed"))),
            Err(refused) if refused.is_about_the_form() && refused.status != StatusCode::NOT_FOUND => {
                let other = Some(refused);
                let attempt = Attempt {
                    other,
                    ..Attempt::default()
                };
                call::page(visit, attempt).await
            }
            Err(refused) => Err(refused),
        }
    })
}

/// The URL of the feedback on the call's page. `done` names the action for its success message.
pub fn back(visit: &Visit, done: &str) -> String {
    let call = visit.link(&format!("/calls/{}", segment(&visit.path("id"))), &[("done", done)]);
    format!("{call}#feedback")
}

/// The feedback about the decision, and the forms.
pub fn section(visit: &Visit, business: &Business, feedback: &[Value], attempt: &Attempt) -> Markup {
    let words = visit.words;
    let done = match visit.asked("done") {
        "noted" => Some("feedback-noted"),
        "dismissed" => Some("feedback-dismissed"),
        "kept" => Some("feedback-kept"),
        "case" => Some("feedback-became-case"),
        _ => None,
    };
    html! {
        h2 #feedback { (words.say("feedback")) }
        @if let Some(key) = done { p.done role="status" { (words.say(key)) } }
        @if let Some(refused) = &attempt.other { (fault("other", &refused.detail)) }
        @if !feedback.is_empty() { ul.rows.feedback { @for one in feedback { (row(visit, business, one)) } } }
        @if visit.may(Role::Dispatcher) { (wrong_form(visit, business, attempt.wrong.as_ref())) }
        @if visit.may(Role::Editor) { (keep_form(visit, attempt.case.as_ref())) }
        @else if feedback.is_empty() && !visit.may(Role::Dispatcher) { p.quiet { (words.say("feedback-none")) } }
    }
}

/// The correct decision according to the feedback, in one line.
pub fn should_have_been(visit: &Visit, business: &Business, one: &Value) -> Markup {
    let words = visit.words;
    let currency = business.rows.settings.values().next();
    let currency = currency.map(|stored| stored.row.currency.clone()).unwrap_or_default();
    html! {
        @if text(one, "priority").is_some() { (priority(one)) " " }
        @if let Some(code) = text(one, "service") { span.tag.value { (business.row_name("services", code, words.0.code())) } " " }
        @if let Some(total) = text(one, "total") { strong { (money(words, total, &currency)) } " " }
    }
}

fn row(visit: &Visit, business: &Business, one: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let resolution = &one["resolution"];
    html! { li.row {
        p.row-head {
            span { (words.say("feedback-should")) " " (should_have_been(visit, business, one)) }
            span.when { (times.at(text(one, "created_at"))) }
        }
        @if let Some(comment) = text(one, "comment") { p.problem { (comment) } }
        p.quiet { (text(one, "author").unwrap_or_default()) }
        @match text(resolution, "kind") {
            Some("case") => p.done {
                (words.say_of("feedback-case", &[("case", text(resolution, "case_code").unwrap_or_default())]))
                @if text(resolution, "change_set_id").is_some() { " " (words.say("feedback-in-set")) }
            },
            Some(_) => p.quiet {
                (words.say_of("feedback-was-right", &[("who", text(resolution, "by").unwrap_or_default())]))
                @if let Some(comment) = text(resolution, "comment") { " · " q { (comment) } }
            },
            None => @if visit.may(Role::Editor) { (resolve(visit, one)) },
        }
    } }
}

/// The buttons with which an editor resolves open feedback.
fn resolve(visit: &Visit, one: &Value) -> Markup {
    let words = visit.words;
    let id = text(one, "id").unwrap_or_default();
    let at = |what: &str| {
        let path = format!("/calls/{}/feedback/{}/{what}", segment(&visit.path("id")), segment(id));
        visit.link(&path, &[])
    };
    html! { div.feedback-resolve {
        a.button.main href=(at("case")) { (words.say("feedback-make-case")) }
        details {
            summary { (words.say("feedback-dismiss")) }
            form.stack method="post" action=(at("dismiss")) {
                (page::token(visit))
                label for={ "why-" (id) } { (words.say("feedback-why")) }
                input id={ "why-" (id) } name="comment" maxlength="1000";
                button type="submit" { (words.say("feedback-dismiss")) }
            }
        }
    } }
}

fn wrong_form(visit: &Visit, business: &Business, refused: Option<&Refusal>) -> Markup {
    let words = visit.words;
    let at = |pointer: &str| refused.and_then(|refused| refused.at(pointer));
    let general = refused.filter(|refused| refused.fields.is_empty());
    let mut services: Vec<_> = business.rows.services.values().map(|stored| &stored.row).collect();
    services.sort_by_key(|row| business.label(&row.names, words.0.code(), &row.code));
    let action = visit.link(&format!("/calls/{}/feedback", segment(&visit.path("id"))), &[]);
    html! { details.card.wrong open[refused.is_some()] {
        summary { (words.say("feedback-wrong")) }
        form.stack method="post" action=(action) {
            (page::token(visit))
            p.quiet { (words.say("feedback-about")) }
            @if at("").is_some() { (fault("empty", &words.say("feedback-fault-empty"))) }
            @if let Some(refused) = general { (fault("general", &refused.detail)) }
            div.field {
                label for="right-service" { (words.say("service")) }
                select #right-service name="service" {
                    option value="" { (words.say("feedback-was-fine")) }
                    @for row in services {
                        option value=(row.code) selected[visit.sent("service") == row.code] {
                            (business.label(&row.names, words.0.code(), &row.code))
                        }
                    }
                }
                @if at("service").is_some() { (fault("service", &words.say("feedback-fault-service"))) }
            }
            div.field {
                label for="right-priority" { (words.say("urgency")) }
                select #right-priority name="priority" {
                    option value="" { (words.say("feedback-was-fine")) }
                    @for one in PRIORITIES { option selected[visit.sent("priority") == one] { (one) } }
                }
            }
            div.field {
                label for="right-total" { (words.say("feedback-total")) }
                input #right-total name="total" inputmode="decimal" autocomplete="off" maxlength="20" value=(visit.sent("total"))
                    aria-invalid=[at("total").map(|_| "true")] aria-describedby=[at("total").map(|_| "fault-total")];
                @if at("total").is_some() { (fault("total", &words.say("feedback-fault-total"))) }
            }
            div.field {
                label for="wrong-comment" { (words.say("feedback-comment")) }
                textarea #wrong-comment name="comment" rows="3" maxlength="1000" { (visit.sent("comment")) }
                @if at("comment").is_some() { (fault("comment", &words.say("feedback-fault-comment"))) }
            }
            button.main type="submit" { (words.say("feedback-send")) }
        }
    } }
}

fn keep_form(visit: &Visit, refused: Option<&Refusal>) -> Markup {
    let words = visit.words;
    let action = visit.link(&format!("/calls/{}/case", segment(&visit.path("id"))), &[]);
    html! { details.card.wrong open[refused.is_some()] {
        summary { (words.say("feedback-keep")) }
        form.stack method="post" action=(action) {
            (page::token(visit))
            p.quiet { (words.say("feedback-keep-about")) }
            @if let Some(refused) = refused { (fault("case", &refused.detail)) }
            div.field {
                label for="case-code" { (words.say("feedback-case-name")) }
                input #case-code name="code" required maxlength="64" pattern="[a-z][a-z0-9_]*" value=(visit.sent("code"))
                    aria-describedby="case-code-about";
                span.quiet #case-code-about { (words.say("feedback-case-name-about")) }
            }
            button type="submit" { (words.say("feedback-keep-do")) }
        }
    } }
}
