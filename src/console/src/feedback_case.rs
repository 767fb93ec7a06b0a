//! The page on which an editor makes a case from feedback, and chooses the case's name, conversation and change set.

use admin::auth::Role;
use base::telemetry::scrub;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::feedback::{back, should_have_been};
use crate::field::fault;
use crate::leads::text;
use crate::open_sets::{OpenSet, choice, open_sets};
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::both("/calls/:id/feedback/:feedback/case", show, make)];

fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(form(visit, None))
}

fn make(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let mut body =
            json!({"code": visit.sent("code"), "comment": visit.sent("comment"), "said": lines(visit.sent("said"))});
        if let Some(set) = OpenSet::chosen(visit) {
            body["change_set"] = set.id.into();
            body["change_set_version"] = set.version.into();
        }
        let id = segment(&visit.path("feedback"));
        let address = business.path(&format!("/feedback/{id}/case"));
        match visit.edit(Method::POST, &address, &body).await {
            Ok(_) => Ok(page::see(&back(visit, "case"))),
            Err(refused) if refused.is_about_the_form() && refused.status != StatusCode::NOT_FOUND => {
                form(visit, Some(refused)).await
            }
            Err(refused) => Err(refused),
        }
    })
}

/// A string from a form, with CRLF replaced by LF.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

async fn form(visit: &Visit, refused: Option<Refusal>) -> Answer {
    let (business, words) = (visit.business().await?, visit.words);
    if !visit.may(Role::Editor) {
        return Err(Refusal {
            detail: words.say("feedback-case-role"),
            ..Refusal::plain(StatusCode::FORBIDDEN)
        });
    }
    let one = found(visit, business).await?;
    let sets = open_sets(visit, business).await?;
    let said = match visit.sent("said") {
        "" => said(visit, business, &one).await?,
        sent => sent.to_owned(),
    };
    let main = main(visit, business, &one, &said, &sets, refused.as_ref());
    let frame = Frame::new(visit, Some(business), words.say("feedback-make-case"), "/calls");
    let mut response = frame.page(&main);
    if let Some(refused) = refused {
        response.set_status(refused.status);
    }
    Ok(response)
}

/// The feedback that the URL names.
async fn found(visit: &Visit, business: &Business) -> Result<Value, Refusal> {
    let (call, id) = (visit.path("id"), visit.path("feedback"));
    let of_call = [("call_id", call.as_str()), ("limit", "200")];
    let all = items(visit.read(&business.path("/feedback"), &of_call).await?);
    let one = all.into_iter().find(|one| text(one, "id") == Some(id.as_str()));
    one.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND))
}

/// The conversation of the decision, without phone numbers.
async fn said(visit: &Visit, business: &Business, one: &Value) -> Result<String, Refusal> {
    let id = text(one, "decision_id").unwrap_or_default();
    let path = business.path(&format!("/decisions/{}", segment(id)));
    let decision = visit.read(&path, &[]).await?;
    Ok(scrub(text(&decision["extracted"], "said").unwrap_or_default()))
}

fn main(
    visit: &Visit,
    business: &Business,
    one: &Value,
    said: &str,
    sets: &[OpenSet],
    refused: Option<&Refusal>,
) -> Markup {
    let words = visit.words;
    let id = visit.path("feedback");
    let suggested = format!("call_{}", id.rsplit('-').next().unwrap_or_default());
    let code = if visit.sent("code").is_empty() {
        &suggested
    } else {
        visit.sent("code")
    };
    let call = format!("/calls/{}", segment(&visit.path("id")));
    let action = format!("{call}/feedback/{}/case", segment(&id));
    html! {
        h1 { (words.say("feedback-make-case")) }
        p { (words.say("feedback-should")) " " (should_have_been(visit, business, one)) }
        @if let Some(comment) = text(one, "comment") { p.problem { (comment) } }
        form.stack.card.case method="post" action=(visit.link(&action, &[])) {
            (page::token(visit))
            @if let Some(refused) = refused {
                @if refused.is_stale() { (fault("stale", &words.say("feedback-fault-stale"))) }
                (fault("case", &refused.detail))
            }
            div.field {
                label for="code" { (words.say("feedback-case-name")) }
                input #code name="code" required maxlength="64" pattern="[a-z][a-z0-9_]*" value=(code)
                    aria-describedby="code-about";
                span.quiet #code-about { (words.say("feedback-case-name-about")) }
            }
            div.field {
                label for="said" { (words.say("feedback-case-said")) }
                textarea #said name="said" rows="8" maxlength="12000" aria-describedby="said-about" { (said) }
                span.quiet #said-about { (words.say("feedback-case-said-about")) }
            }
            div.field {
                label for="set" { (words.say("feedback-case-where")) }
                (choice(visit, sets, &words.say("feedback-case-new-set")))
                span.quiet #set-about { (words.say("feedback-case-where-about")) }
            }
            button.main type="submit" { (words.say("feedback-make-case")) }
            a href=(visit.link(&call, &[])) { (words.say("to-the-call")) }
        }
    }
}
