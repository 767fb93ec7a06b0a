//! The page Try shows the decision about a call that a person types or pastes. The decision uses the current rules, any
//! revision or an open change set. Nothing is stored and nobody is notified.
//!
//! The form is sent with POST. If the input is short enough, the page also offers a URL with the input, for sharing.

use chrono::{DateTime, NaiveDateTime, TimeZone as _, Utc};
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::query;
use crate::business::Business;
use crate::conversation::{self, ConversationInput};
use crate::open_sets::open_sets;
use crate::page::Frame;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::tryout_fields::{Try, Wrong};
use crate::tryout_form::form;
use crate::tryout_result::result;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::both("/try", asked, sent)];

fn asked(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(show(visit, false))
}

fn sent(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(show(visit, true))
}

async fn show(visit: &Visit, is_form: bool) -> Answer {
    let (business, words) = (visit.business().await?, visit.words);
    let what = Try { visit, is_form };
    let sets = open_sets(visit, business).await?;
    let outcome = evaluated(visit, business, &what).await?;
    let (wrong, status) = match &outcome {
        TryoutOutcome::Wrong(wrong, status) => (Some(wrong), Some(*status)),
        _ => (None, None),
    };
    let main = html! {
        h1 { (words.say("try")) }
        p.quiet { (words.say("try-about")) }
        (form(visit, business, &what, &sets, wrong))
        @match &outcome {
            TryoutOutcome::Decided(evaluation) => (result(visit, business, &what, evaluation)),
            TryoutOutcome::Nothing => (examples(visit)),
            TryoutOutcome::Wrong(..) => {},
        }
    };
    let mut response = Frame::new(visit, Some(business), words.say("try"), "/try").page(&main);
    if let Some(status) = status {
        response.set_status(status);
    }
    Ok(response)
}

enum TryoutOutcome {
    Nothing,
    Decided(Value),
    Wrong(Wrong, StatusCode),
}

async fn evaluated(visit: &Visit, business: &Business, what: &Try<'_>) -> Result<TryoutOutcome, Refusal> {
    let words = visit.words;
    let own = |field, key: &str| {
        let text = words.say(key);
        let is_english = false;
        TryoutOutcome::Wrong(
            Wrong {
                field,
                text,
                is_english,
            },
            StatusCode::UNPROCESSABLE_ENTITY,
        )
    };
    let mut question = match conversation::read(what.field("said")) {
        ConversationInput::Nothing if what.is_form => return Ok(own("said", "try-fault-empty")),
        ConversationInput::Nothing => return Ok(TryoutOutcome::Nothing),
        ConversationInput::BadJson(line, column) => {
            let (line, column) = (line.to_string(), column.to_string());
            let text = words.say_of("try-fault-json", &[("line", &line), ("column", &column)]);
            let wrong = Wrong {
                field: "said",
                text,
                is_english: false,
            };
            return Ok(TryoutOutcome::Wrong(wrong, StatusCode::UNPROCESSABLE_ENTITY));
        }
        ConversationInput::Message(message) => json!({"message": message}),
        ConversationInput::Said(said) => json!({"said": said, "facts": facts(business, what)}),
    };
    if !what.field("at").is_empty() {
        match instant(visit, business, what.field("at")) {
            Some(at) => question["at"] = at.to_rfc3339().into(),
            None => return Ok(own("at", "try-fault-time")),
        }
    }
    let (set, revision) = (what.field("set"), what.field("revision"));
    if !set.is_empty() && !revision.is_empty() {
        return Ok(own("revision", "try-fault-both"));
    }
    if !revision.is_empty() && revision.parse::<u32>().is_err() {
        return Ok(own("revision", "try-fault-revision"));
    }
    let pairs = [("explain", "true"), ("change_set", set), ("revision", revision)];
    let address = format!("{}{}", business.path("/evaluate"), query(&pairs));
    match visit.edit(Method::POST, &address, &question).await {
        Ok(done) => Ok(TryoutOutcome::Decided(done.body)),
        Err(refused) if refused.is_about_the_form() => Ok(wrong(visit, &refused, !revision.is_empty())),
        Err(refused) => Err(refused),
    }
}

/// Parses a local time from the form, in the time zone of the business. If the local time occurs twice, the earlier
/// time is used.
fn instant(visit: &Visit, business: &Business, text: &str) -> Option<DateTime<Utc>> {
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    let at = visit.times(business).zone.from_local_datetime(&local).earliest()?;
    Some(at.to_utc())
}

/// The facts from the form, without the conversation. Facts that the rulebook does not have are omitted.
fn facts(business: &Business, what: &Try<'_>) -> Value {
    let mut facts = json!({});
    for name in ["language", "postal_code", "city"] {
        if !what.field(name).is_empty() && business.rows.fact_mappings.contains_key(name) {
            facts[name] = what.field(name).into();
        }
    }
    facts
}

fn wrong(visit: &Visit, refused: &Refusal, has_revision: bool) -> TryoutOutcome {
    let status = refused.status;
    let is_missing = status == StatusCode::NOT_FOUND;
    let about_rules = is_missing || status == StatusCode::CONFLICT || refused.is_stale();
    let place = refused.fields.first().map_or("", |(place, _)| place.as_str());
    let (field, own) = match place {
        _ if about_rules && has_revision => ("revision", Some("try-fault-no-revision")),
        _ if is_missing => ("set", Some("try-fault-no-set")),
        _ if about_rules => ("set", None),
        "change_set" => ("set", Some("try-fault-no-set")),
        "facts/postal_code" => ("postal_code", None),
        "facts/city" => ("city", None),
        place if place.starts_with("message") => ("said", Some("try-fault-message")),
        place if place.starts_with("facts") || place.starts_with("said") => ("said", None),
        _ => ("set", None),
    };
    let text = own.map_or_else(|| refused.detail.clone(), |key| visit.words.say(key));
    let is_english = own.is_none();
    TryoutOutcome::Wrong(
        Wrong {
            field,
            text,
            is_english,
        },
        status,
    )
}

/// Example sentences, which are shown if nothing was typed yet.
fn examples(visit: &Visit) -> Markup {
    let words = visit.words;
    html! { section.card aria-labelledby="examples" {
        h2 #examples { (words.say("try-examples")) }
        ul.examples { @for key in ["try-example-flood", "try-example-denied", "try-example-price"] {
            @let said = words.say(key);
            li { a href=(visit.link("/try", &[("said", &said)])) { q { (said) } } }
        } }
    } }
}
