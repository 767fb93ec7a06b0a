//! The list of a business's concepts, and the page of a concept with all its phrases. The list shows how often each
//! concept counted, and which rules name the concept.

use std::collections::BTreeMap;

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::segment;
use crate::business::Business;
use crate::leads::text;
use crate::page::Frame;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::words::Words;

pub const ADDRESSES: &[Address] = &[Address::get("/words/concepts/:code", show)];

/// Number of phrases of a concept that the list shows.
const MAX_SHOWN: usize = 3;
/// Maximum number of phrases per request to the API.
const MAX_TRIED: usize = 100;

pub fn concept_name(code: &str) -> String {
    code.replace('_', " ")
}

/// The name of a language of phrases.
pub fn language_name(words: Words, code: &str) -> String {
    match code {
        "en" => words.say("vocabulary-english"),
        "fr" => words.say("vocabulary-french"),
        other => other.to_owned(),
    }
}

/// The table of the concepts.
pub fn concepts(visit: &Visit, business: &Business, hits: &[Value], days: &str) -> Markup {
    let words = visit.words;
    if business.rows.concepts.is_empty() {
        return html! { p.card.empty { (words.say("vocabulary-no-concepts")) } };
    }
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("vocabulary-concepts")) { table.grid {
        thead { tr {
            th scope="col" { (words.say("vocabulary-concept")) }
            th.number scope="col" { (words.say_of("vocabulary-counted", &[("days", days)])) }
            th scope="col" { (words.say("vocabulary-phrases")) }
            th scope="col" { (words.say("vocabulary-used-by")) }
        } }
        tbody { @for (code, stored) in &business.rows.concepts {
            @let hit = hits.iter().find(|hit| text(hit, "code") == Some(code.as_str()));
            @let all: Vec<&String> = stored.row.phrases.values().flatten().collect();
            tr {
                th scope="row" { a href=(link(visit, code)) { (concept_name(code)) } }
                td.number { (hit.map_or_else(|| "0".to_owned(), |hit| hit["hits"].to_string())) }
                td {
                    (words.count("vocabulary-phrase-count", all.len()))
                    span.quiet.examples-of {
                        @for phrase in all.iter().take(MAX_SHOWN) { " " q { (business.shown(phrase)) } }
                    }
                }
                td { (used_by(visit, business, code)) }
            }
        } }
    } } }
}

fn link(visit: &Visit, code: &str) -> String {
    visit.link(&format!("/words/concepts/{}", segment(code)), &[])
}

/// The rules that name a concept.
fn used_by(visit: &Visit, business: &Business, code: &str) -> Markup {
    let language = visit.words.0.code();
    let (named, quoted) = (format!("#{code}"), format!("\"#{code}\""));
    let rows = &business.rows;
    let mut names: Vec<String> = Vec::new();
    for (service, stored) in &rows.services {
        let mut keywords = stored.row.keywords.iter().chain(&stored.row.weak_keywords);
        if keywords.any(|keyword| *keyword == named) {
            names.push(business.row_name("services", service, language));
        }
    }
    for (rule, stored) in &rows.priority_rules {
        if stored.row.condition.contains(&quoted) {
            names.push(business.row_name("priority-rules", rule, language));
        }
    }
    for (rule, stored) in &rows.adjustments {
        if stored.row.condition.contains(&quoted) {
            names.push(business.row_name("adjustments", rule, language));
        }
    }
    for (script, stored) in &rows.scripts {
        if stored.row.source.contains(&named) {
            names.push(concept_name(script));
        }
    }
    html! {
        @if names.is_empty() { span.quiet { (visit.words.say("vocabulary-used-by-none")) } }
        @else { (names.join(", ")) }
    }
}

/// The rows that had no effect on any decision, by resource.
pub fn unused(visit: &Visit, business: &Business, dead: &[Value]) -> Markup {
    let words = visit.words;
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in dead {
        if let Some((resource, code)) = text(row, "resource").zip(text(row, "code")) {
            let name = business.row_name(resource, code, words.0.code());
            kinds.entry(resource).or_default().push(name);
        }
    }
    html! {
        @if kinds.is_empty() { p.card.empty { (words.say("vocabulary-unused-none")) } }
        @else {
            p.quiet { (words.say("vocabulary-unused-about")) }
            dl.facts.card.unused { @for (resource, names) in &kinds {
                dt { (words.name("resource", resource)) } dd { (names.join(", ")) }
            } }
        }
    }
}

/// The page of a concept, with all its phrases and the number of calls in which each phrase was said.
fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let code = visit.path("code");
        let stored = business.rows.concepts.get(&code);
        let concept = &stored.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND))?.row;
        let mut tried = Vec::new();
        let mut looked_at = 0;
        for (language, phrases) in &concept.phrases {
            let (counted, calls) = counted(visit, business, language, phrases).await?;
            looked_at = looked_at.max(calls);
            tried.push((language, counted));
        }
        let main = html! {
            p { a href=(visit.link("/words", &[])) { "← " (words.say("vocabulary")) } }
            div.with-action {
                h1 { (concept_name(&code)) }
                @if visit.may(Role::Editor) {
                    @let target = format!("concept:{code}");
                    a.button.main href=(visit.link("/words/add", &[("target", &target)])) { (words.say("vocabulary-add")) }
                }
            }
            p { (words.say("vocabulary-used-by")) ": " (used_by(visit, business, &code)) }
            p.quiet { (words.count("vocabulary-looked-at", looked_at)) }
            @for (language, phrases) in &tried { (phrase_table(visit, business, language, phrases)) }
            @if !concept.except.is_empty() {
                h2 { (words.say("vocabulary-except")) }
                ul.phrases { @for phrase in &concept.except { li { code { (business.shown(phrase)) } } } }
            }
        };
        Ok(Frame::new(visit, Some(business), concept_name(&code), "/words").page(&main))
    })
}

/// A phrase, with the number of calls that contain it and the number of calls in which it counts.
struct PhraseCount {
    phrase: String,
    calls: usize,
    counting: usize,
}

/// The phrases with their counts in past calls, the most frequent first. The second value is the number of searched
/// calls.
async fn counted(
    visit: &Visit,
    business: &Business,
    language: &str,
    phrases: &[String],
) -> Result<(Vec<PhraseCount>, usize), Refusal> {
    let address = business.path("/phrase-matches");
    let number = |value: &Value| {
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    };
    let (mut counted, mut looked_at) = (Vec::with_capacity(phrases.len()), 0);
    for some in phrases.chunks(MAX_TRIED) {
        let body = json!({"phrases": some, "language": language, "days": 90});
        let found = match visit.edit(Method::POST, &address, &body).await {
            Ok(done) => done.body,
            // Phrases that no longer compile are shown with zero counts.
            Err(refused) if refused.is_about_the_form() => Value::Null,
            Err(refused) => return Err(refused),
        };
        looked_at = looked_at.max(number(&found["looked_at"]));
        counted.extend(some.iter().enumerate().map(|(place, phrase)| {
            let one = &found["phrases"][place];
            PhraseCount {
                phrase: phrase.clone(),
                calls: number(&one["calls"]),
                counting: number(&one["counting"]),
            }
        }));
    }
    counted.sort_by_key(|one| std::cmp::Reverse(one.calls));
    Ok((counted, looked_at))
}

fn phrase_table(visit: &Visit, business: &Business, language: &str, phrases: &[PhraseCount]) -> Markup {
    let words = visit.words;
    let heading = language_name(words, language);
    html! {
        h2 { (heading) }
        div.scroll tabindex="0" role="region" aria-label=(heading) { table.grid.phrases {
            thead { tr {
                th scope="col" { (words.say("vocabulary-phrase")) }
                th.number scope="col" { (words.say("vocabulary-said-in")) }
                th.number scope="col" { (words.say("vocabulary-counts-in")) }
            } }
            tbody { @for one in phrases { tr {
                th scope="row" { code { (business.shown(&one.phrase)) } }
                td.number { (one.calls) }
                td.number { (one.counting) }
            } } }
        } }
    }
}
