//! The result of Try: the decision, the words that Ringbook heard, and the SMS messages as contacts would get them.

use maud::{Markup, html};
use serde_json::Value;

use crate::business::Business;
use crate::conversation::turns;
use crate::decision;
use crate::heard_list::heard_list;
use crate::highlight::{self, HeardWords};
use crate::leads::text;
use crate::tryout_fields::Try;
use crate::visit::Visit;

pub fn result(visit: &Visit, business: &Business, what: &Try<'_>, evaluation: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let decision = &evaluation["decision"];
    let heard = highlight::heard(&decision["trace"]);
    let said = text(&evaluation["extracted"], "said").unwrap_or_default();
    html! {
        div.columns #result {
            section aria-labelledby="decided" {
                h2 #decided { (words.say("try-decided")) }
                (decision::card(visit, business, decision, &evaluation["explanation"], &html! {
                    p.quiet { (words.say("try-for")) " " (times.at(text(evaluation, "at"))) }
                }))
                (conversation(visit, said, &heard))
            }
            section aria-labelledby="texts" {
                h2 #texts { (words.say("try-messages")) }
                (messages(visit, business, evaluation))
                @match what.address() {
                    Some(address) => p.quiet { a href=(address) { (words.say("try-link")) } },
                    None => p.quiet { (words.say("try-no-link")) },
                }
            }
        }
    }
}

fn conversation(visit: &Visit, said: &str, heard: &[HeardWords]) -> Markup {
    let words = visit.words;
    html! { @if !said.is_empty() {
        h2 { (words.say("transcript")) }
        ol.transcript { @for (is_agent, text) in turns(said) {
            @if is_agent {
                li.agent { span.speaker { (words.say("agent")) } p { (text) } }
            } @else {
                li.caller { span.speaker { (words.say("caller")) } p { (highlight::marked(text, heard)) } }
            }
        } }
        (heard_list(words, heard))
        @if heard.is_empty() { p.quiet { (words.say("try-heard-nothing")) } }
    } }
}

fn messages(visit: &Visit, business: &Business, evaluation: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let messages: Vec<&Value> = evaluation["messages"].as_array().into_iter().flatten().collect();
    html! {
        @if messages.is_empty() { p.card.empty { (words.say("try-nobody")) } }
        @for message in messages {
            @let cost = &message["billed_as"];
            @let characters = count(&message["characters"]);
            div.phone {
                p.speaker { (business.contact(text(message, "contact").unwrap_or_default())) }
                p.bubble { (text(message, "body").unwrap_or_default()) }
                p.quiet {
                    (words.count("try-characters", characters)) " · " (words.count("segments", count(&cost["segments"])))
                    @if text(cost, "encoding") == Some("ucs2") { " · " (words.say_of("try-ucs2", &[("letters", &letters(cost))])) }
                }
                @if let Some(until) = text(message, "held_until") {
                    p.quiet { (words.say("try-held")) " " (times.at(Some(until))) }
                }
            }
        }
    }
}

fn count(value: &Value) -> usize {
    let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
    count.unwrap_or_default()
}

/// The characters that force a message into UCS-2, which needs more segments.
fn letters(cost: &Value) -> String {
    let letters = cost["forcing_ucs2"].as_array().into_iter().flatten();
    letters.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}
