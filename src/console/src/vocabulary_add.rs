//! The page on which an editor adds a phrase to the rules ("Make a rule of this"). The page also shows the past calls
//! that contain the phrase.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::html;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::business::Business;
use crate::open_sets::open_sets;
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::vocabulary_form::{Entry, form, preview};
use crate::vocabulary_save::{SaveError, save};

pub const ADDRESSES: &[Address] = &[Address::both("/words/add", show, add)];

/// The calls of this many past days are searched for the phrase.
const PREVIEW_DAYS: u32 = 90;

fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move { shown(visit, false, None).await })
}

fn add(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        if visit.sent("do") == "look" {
            return shown(visit, true, None).await;
        }
        match save(visit, business).await {
            Ok(done) => Ok(page::see(&visit.link("/words", &[("done", done)]))),
            Err(SaveError::Refused(refused)) if !refused.is_about_the_form() => Err(refused),
            Err(unsaved) => shown(visit, true, Some(unsaved)).await,
        }
    })
}

async fn shown(visit: &Visit, is_form: bool, unsaved: Option<SaveError>) -> Answer {
    let (business, words) = (visit.business().await?, visit.words);
    let entry = Entry { visit, is_form };
    let sets = open_sets(visit, business).await?;
    let revision = visit.read(&business.path(""), &[]).await?["revision"].to_string();
    let (found, bad) = matches(visit, business, &entry).await?;
    let main = html! {
        p { a href=(visit.link("/words", &[])) { "← " (words.say("vocabulary")) } }
        h1 { (words.say("vocabulary-add")) }
        div.columns {
            @if visit.may(Role::Editor) {
                (form(visit, business, &entry, &sets, &revision, unsaved.as_ref(), bad.as_deref()))
            } @else {
                p.card.empty { (words.say("feedback-case-role")) }
            }
            (preview(visit, business, found.as_ref()))
        }
    };
    let mut response = Frame::new(visit, Some(business), words.say("vocabulary-add"), "/words").page(&main);
    match &unsaved {
        Some(SaveError::Refused(refused)) => response.set_status(refused.status),
        Some(SaveError::Changed(..)) => response.set_status(StatusCode::PRECONDITION_FAILED),
        Some(SaveError::Field(..)) => response.set_status(StatusCode::UNPROCESSABLE_ENTITY),
        None => {}
    }
    Ok(response)
}

/// The past calls that contain the phrase, or a message that says why the phrase is invalid.
async fn matches(
    visit: &Visit,
    business: &Business,
    entry: &Entry<'_>,
) -> Result<(Option<Value>, Option<String>), Refusal> {
    let (phrase, language) = (entry.field("phrase"), entry.field("language"));
    if phrase.is_empty() {
        return Ok((None, None));
    }
    let mut body = json!({"phrases": [phrase], "days": PREVIEW_DAYS});
    if !language.is_empty() {
        body["language"] = language.into();
    }
    match visit.edit(Method::POST, &business.path("/phrase-matches"), &body).await {
        Ok(done) => Ok((Some(done.body), None)),
        Err(refused) if refused.is_about_the_form() => {
            let why = refused.at("phrases/0").unwrap_or(&refused.detail).to_owned();
            Ok((None, Some(why)))
        }
        Err(refused) => Err(refused),
    }
}
