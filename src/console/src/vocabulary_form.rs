//! The form that adds a phrase to the rules, and the past calls that contain the phrase.

use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::business::Business;
use crate::field::fault;
use crate::leads::text;
use crate::open_sets::{OpenSet, name};
use crate::page;
use crate::visit::Visit;
use crate::vocabulary_concepts::{concept_name, language_name};
use crate::vocabulary_save::SaveError;

/// The fields of the form: from the sent form, or from the URL that opened the form.
pub struct Entry<'a> {
    pub visit: &'a Visit,
    pub is_form: bool,
}

impl Entry<'_> {
    pub fn field(&self, name: &str) -> &str {
        if self.is_form {
            self.visit.sent(name)
        } else {
            self.visit.asked(name)
        }
    }
}

/// The form. `revision` is the head that the person sees. `bad` is the message if the phrase is invalid.
pub fn form(
    visit: &Visit,
    business: &Business,
    entry: &Entry<'_>,
    sets: &[OpenSet],
    revision: &str,
    unsaved: Option<&SaveError>,
    bad: Option<&str>,
) -> Markup {
    let words = visit.words;
    let own = |field: &str| match unsaved {
        Some(SaveError::Field(wrong, key)) if *wrong == field => Some(words.say(key)),
        _ => None,
    };
    let beside = |field: &str| html! { @if let Some(text) = own(field) { (fault(field, &text)) } };
    let is_wrong = |field: &str| own(field).map(|_| "true");
    let described = |field: &str| own(field).map(|_| format!("fault-{field}"));
    let languages = languages(business);
    let language = match entry.field("language") {
        "" => words.0.code(),
        chosen => chosen,
    };
    html! { form.stack.card.add method="post" action=(visit.link("/words/add", &[])) {
        (page::token(visit))
        input type="hidden" name="seen" value=(revision);
        (explained(visit, unsaved))
        div.field {
            label for="phrase" { (words.say("vocabulary-phrase")) }
            input #phrase name="phrase" required maxlength="200" autocomplete="off" value=(entry.field("phrase"))
                aria-invalid=[bad.map(|_| "true").or_else(|| is_wrong("phrase"))]
                aria-describedby={ "phrase-about " (bad.map_or_else(|| described("phrase").unwrap_or_default(), |_| "fault-bad".to_owned())) };
            span.quiet #phrase-about { (words.say("vocabulary-phrase-about")) }
            (beside("phrase"))
            @if let Some(bad) = bad { div lang="en" { (fault("bad", bad)) } }
        }
        div.field {
            label for="language" { (words.say("try-language")) }
            select #language name="language" aria-invalid=[is_wrong("language")] aria-describedby=[described("language")] {
                @for code in &languages {
                    option value=(code) selected[code == language] { (language_name(words, code)) }
                }
            }
            (beside("language"))
        }
        div.field {
            label for="target" { (words.say("vocabulary-target")) }
            (targets(visit, business, entry.field("target"), is_wrong("target"), described("target")))
            (beside("target"))
        }
        details.new-concept open[entry.field("target") == "new" || own("name").is_some()] {
            summary { (words.say("vocabulary-new-concept")) }
            p.quiet { (words.say("vocabulary-new-about")) }
            div.field {
                label for="name" { (words.say("vocabulary-name")) }
                input #name name="name" maxlength="60" autocomplete="off" value=(entry.field("name"))
                    aria-invalid=[is_wrong("name")] aria-describedby=[described("name")];
                (beside("name"))
            }
            div.field {
                label for="service" { (words.say("vocabulary-service")) }
                select #service name="service" {
                    option value="" { (words.say("vocabulary-no-service")) }
                    @for (code, name) in services(visit, business) {
                        option value=(code) selected[entry.field("service") == code] { (name) }
                    }
                }
            }
        }
        div.field {
            label for="set" { (words.say("vocabulary-when")) }
            select #set name="set" {
                option value="" { (words.say("vocabulary-at-once")) }
                option value="new" selected[entry.field("set") == "new"] { (words.say("vocabulary-new-set")) }
                @for set in sets {
                    @let value = format!("{} {}", set.id, set.version);
                    @let is_chosen = entry.field("set").split(' ').next() == Some(set.id.as_str());
                    option value=(value) selected[is_chosen] { (name(&words.say("unnamed-set"), set)) }
                }
            }
        }
        div.actions {
            button.main type="submit" name="do" value="save" { (words.say("vocabulary-save")) }
            button type="submit" name="do" value="look" { (words.say("vocabulary-look")) }
        }
    } }
}

/// Explains why the phrase was not saved. The explanation is empty if the error concerns a single field, because the
/// form shows such an error beside the field.
fn explained(visit: &Visit, unsaved: Option<&SaveError>) -> Markup {
    let words = visit.words;
    let list = |phrases: &[String]| phrases.join(", ");
    html! { @match unsaved {
        Some(SaveError::Changed(added, removed)) => div.fault role="alert" {
            p { (words.say("vocabulary-changed")) }
            @if !added.is_empty() { p { (words.say_of("vocabulary-changed-added", &[("phrases", &list(added))])) } }
            @if !removed.is_empty() { p { (words.say_of("vocabulary-changed-removed", &[("phrases", &list(removed))])) } }
            p { (words.say("vocabulary-changed-do")) }
        },
        Some(SaveError::Refused(refused)) => div.fault role="alert" {
            @if refused.is_stale() { p { (words.say("vocabulary-changed")) " " (words.say("vocabulary-changed-do")) } }
            @else { p { (words.say("vocabulary-refused")) } }
            p lang="en" { (refused.detail) }
            @if !refused.fields.is_empty() {
                ul lang="en" { @for fault in refused.fields.iter().take(5) { li { (fault.1) } } }
            }
        },
        _ => {},
    } }
}

/// Returns the languages to choose from: the languages of the rulebook.
fn languages(business: &Business) -> Vec<String> {
    let settings = business.rows.settings.values().next();
    settings.map(|stored| stored.row.languages.clone()).unwrap_or_default()
}

/// The services sorted by name.
fn services(visit: &Visit, business: &Business) -> Vec<(String, String)> {
    let rows = business.rows.services.iter();
    let name = |code: &str| business.row_name("services", code, visit.words.0.code());
    let mut services: Vec<(String, String)> = rows.map(|(code, _)| (code.clone(), name(code))).collect();
    services.sort_by(|(_, one), (_, other)| one.cmp(other));
    services
}

fn targets(
    visit: &Visit,
    business: &Business,
    chosen: &str,
    is_wrong: Option<&str>,
    described: Option<String>,
) -> Markup {
    let words = visit.words;
    let option = |value: String, name: String| html! { option value=(value) selected[chosen == value] { (name) } };
    html! { select #target name="target" required aria-invalid=[is_wrong] aria-describedby=[described] {
        option value="" { (words.say("vocabulary-choose")) }
        optgroup label=(words.say("services")) { @for (code, name) in services(visit, business) {
            (option(format!("service:{code}"), name))
        } }
        optgroup label=(words.say("vocabulary-concepts")) { @for code in business.rows.concepts.keys() {
            (option(format!("concept:{code}"), concept_name(code)))
        } }
        (option("new".to_owned(), words.say("vocabulary-new-concept")))
    } }
}

/// The past calls that contain the phrase.
pub fn preview(visit: &Visit, business: &Business, found: Option<&Value>) -> Markup {
    let words = visit.words;
    let Some(found) = found else {
        return html! { section.card { p.empty { (words.say("vocabulary-preview-none")) } } };
    };
    let one = &found["phrases"][0];
    let examples: Vec<&Value> = one["examples"].as_array().into_iter().flatten().collect();
    let number = |value: &Value| value.as_u64().unwrap_or_default().to_string();
    let sums = [
        ("calls", number(&one["calls"])),
        ("counting", number(&one["counting"])),
        ("all", number(&found["looked_at"])),
    ];
    let sums: Vec<(&str, &str)> = sums.iter().map(|(name, value)| (*name, value.as_str())).collect();
    html! { section aria-labelledby="preview" {
        h2 #preview { (words.say("vocabulary-preview")) }
        p { (words.say_of("vocabulary-preview-sum", &sums)) }
        @if !examples.is_empty() { ul.rows { @for example in examples { li.row {
            @let counts = example["counts"] == true;
            p { (marked(text(example, "sentence").unwrap_or_default(), text(example, "words").unwrap_or_default(), counts)) }
            p.quiet {
                @match text(example, "service") {
                    Some(code) => (business.row_name("services", code, words.0.code())),
                    None => (words.say("unknown-service")),
                }
                @if !counts { " · " (words.say("vocabulary-does-not-count")) }
                @if let Some(call) = text(example, "call_id") {
                    " · " a href=(visit.link(&format!("/calls/{}", segment(call)), &[])) { (words.say("to-the-call")) }
                }
            }
        } } } }
    } }
}

/// A sentence with the words of the phrase marked.
fn marked(sentence: &str, words: &str, counts: bool) -> Markup {
    let class = crate::highlight::class(counts);
    html! { @match sentence.split_once(words).filter(|_| !words.is_empty()) {
        Some((before, after)) => { (before) mark.(class) { (words) } (after) },
        None => (sentence),
    } }
}
