//! The page Words: calls that matched no service, how often each concept counted, and rules that no decision used.

use std::collections::BTreeSet;

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::feedback::should_have_been;
use crate::leads::text;
use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::vocabulary_concepts::{concepts, unused};

pub const ADDRESSES: &[Address] = &[Address::get("/words", show)];

/// The spans of days to choose from.
const SPANS: [&str; 3] = ["7", "30", "90"];
const DEFAULT_SPAN: &str = "30";
/// Maximum number of groups and of single calls that are shown.
const MAX_GROUPS: usize = 8;
const MAX_SINGLES: usize = 8;
/// Maximum number of open feedback entries that are shown.
const MAX_FEEDBACK: &str = "10";
/// Number of calls of a group that are quoted.
const MAX_QUOTED: usize = 3;
/// Maximum length of a quotation in characters.
const MAX_QUOTE: usize = 160;

fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let asked = visit.asked("days");
        let days = SPANS.into_iter().find(|span| *span == asked).unwrap_or(DEFAULT_SPAN);
        let pairs = [("days", days), ("said", "true")];
        let unmatched = visit.read(&business.path("/unmatched-calls"), &pairs).await?;
        let of_concepts = [("resource", "concepts"), ("days", days), ("limit", "200")];
        let hits = items(visit.read(&business.path("/rule-hits"), &of_concepts).await?);
        let dead = [("unused", "true"), ("limit", "200")];
        let dead = items(visit.read(&business.path("/rule-hits"), &dead).await?);
        let open = [("resolved", "false"), ("limit", MAX_FEEDBACK)];
        let feedback = items(visit.read(&business.path("/feedback"), &open).await?);
        let done = match visit.asked("done") {
            "live" => Some("vocabulary-live"),
            "waits" => Some("vocabulary-waits"),
            "set" => Some("vocabulary-in-set"),
            _ => None,
        };
        let main = html! {
            h1 { (words.say("vocabulary")) }
            @if let Some(key) = done { p.card.done role="status" { (words.say(key)) } }
            (wrong(visit, business, &feedback))
            div.with-action {
                h2 { (words.say("vocabulary-unmatched")) }
                @if visit.may(Role::Editor) {
                    a.button href=(visit.link("/words/add", &[])) { (words.say("vocabulary-add")) }
                }
            }
            (span_links(visit, days))
            (unmatched_calls(visit, &unmatched, days))
            h2 #concepts { (words.say("vocabulary-concepts")) }
            (concepts(visit, business, &hits, days))
            h2 { (words.say("vocabulary-unused")) }
            (unused(visit, business, &dead))
        };
        Ok(Frame::new(visit, Some(business), words.say("vocabulary"), "/words").page(&main))
    })
}

/// Decisions that are wrong according to open feedback.
fn wrong(visit: &Visit, business: &Business, feedback: &[Value]) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    html! { @if !feedback.is_empty() {
        h2 { (words.say("vocabulary-wrong")) }
        ul.rows { @for one in feedback { li.row {
            @let call = format!("/calls/{}", segment(text(one, "call_id").unwrap_or_default()));
            div.row-head {
                a.who href={ (visit.link(&call, &[])) "#feedback" } { (words.say("call")) }
                span { (words.say("feedback-should")) " " (should_have_been(visit, business, one)) }
                span.when { (times.at(text(one, "created_at"))) }
            }
            @if let Some(comment) = text(one, "comment") { p.problem { (comment) } }
        } } }
    } }
}

fn span_links(visit: &Visit, days: &str) -> Markup {
    html! { nav.pages.spans aria-label=(visit.words.say("days")) { @for span in SPANS {
        a href=(visit.link("/words", &[("days", span)])) aria-current=[(span == days).then_some("true")] {
            (visit.words.say_of("vocabulary-days", &[("days", span)]))
        }
    } } }
}

fn unmatched_calls(visit: &Visit, unmatched: &Value, days: &str) -> Markup {
    let words = visit.words;
    let list = |name: &str| -> Vec<&Value> { unmatched[name].as_array().into_iter().flatten().collect() };
    let (calls, groups) = (list("calls"), list("groups"));
    let grouped: BTreeSet<&str> = groups.iter().take(MAX_GROUPS).flat_map(|group| ids(group)).collect();
    let is_single = |call: &&&Value| text(call, "call_id").is_none_or(|id| !grouped.contains(id));
    let singles: Vec<&Value> = calls.iter().filter(is_single).copied().collect();
    let (decisions, without) = (
        unmatched["decisions"].to_string(),
        unmatched["without_service"].to_string(),
    );
    html! {
        @if calls.is_empty() {
            p.card.empty { (words.say("vocabulary-all-matched")) }
        } @else {
            p.quiet { (words.say_of("vocabulary-summary", &[("decisions", &decisions), ("without", &without), ("days", days)])) }
        }
        div.cards {
            @for group in groups.iter().take(MAX_GROUPS) { (group_card(visit, group, &calls)) }
        }
        @if !singles.is_empty() {
            @if !groups.is_empty() { h3.singles { (words.say("vocabulary-singles")) } }
            ul.rows { @for call in singles.iter().take(MAX_SINGLES) { (single(visit, call)) } }
            @if singles.len() > MAX_SINGLES {
                p.quiet { (words.count("vocabulary-more", singles.len() - MAX_SINGLES)) }
            }
        }
    }
}

fn ids(group: &Value) -> impl Iterator<Item = &str> {
    group["call_ids"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A card with calls in which callers said the same phrase.
fn group_card(visit: &Visit, group: &Value, calls: &[&Value]) -> Markup {
    let words = visit.words;
    let phrase = text(group, "phrase").unwrap_or_default();
    let of_group: Vec<&Value> = ids(group)
        .filter_map(|id| calls.iter().copied().find(|call| text(call, "call_id") == Some(id)))
        .collect();
    let language = of_group
        .first()
        .and_then(|call| text(call, "language"))
        .unwrap_or_default();
    html! { article.card.group {
        div.row-head {
            h3 { q { (phrase) } }
            span.tag { (words.count("vocabulary-calls", of_group.len())) }
        }
        ul.quotes { @for call in of_group.iter().take(MAX_QUOTED) { li { (quote(visit, call, Some(phrase))) } } }
        (actions(visit, phrase, language, "button main"))
    } }
}

fn single(visit: &Visit, call: &Value) -> Markup {
    let language = text(call, "language").unwrap_or_default();
    html! { li.row.group { (quote(visit, call, None)) (actions(visit, "", language, "button small")) } }
}

/// The words of a caller, as a link to the call. If there is a phrase, only the sentence that contains it is shown.
/// Long quotations are cut.
fn quote(visit: &Visit, call: &Value, phrase: Option<&str>) -> Markup {
    let said = text(call, "said").unwrap_or_default();
    let shown = piece(said, phrase);
    let shown = if shown.is_empty() {
        visit.words.say("vocabulary-silent")
    } else {
        shown
    };
    html! { @match text(call, "call_id") {
        Some(id) => a.said href=(visit.link(&format!("/calls/{}", segment(id)), &[])) { (shown) },
        None => span.said { (shown) },
    } }
}

fn piece(said: &str, phrase: Option<&str>) -> String {
    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = phrase.and_then(|phrase| {
        let sentences = plain.split_inclusive(['.', '!', '?']);
        sentences
            .map(str::trim)
            .find(|sentence| sentence.to_lowercase().contains(phrase))
    });
    let text = line.unwrap_or(&plain);
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn actions(visit: &Visit, phrase: &str, language: &str, class: &str) -> Markup {
    let words = visit.words;
    html! { p.actions {
        @if visit.may(Role::Editor) {
            a class=(class) href=(visit.link("/words/add", &[("phrase", phrase), ("language", language)])) {
                (words.say("vocabulary-make-rule"))
            }
        }
        @if !phrase.is_empty() {
            a href=(visit.link("/try", &[("said", phrase)])) { (words.say("try")) }
        }
    } }
}
