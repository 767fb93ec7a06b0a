//! The page of a call: the transcript beside the decision and its reasons.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::decision;
use crate::feedback::{self, Attempt};
use crate::heard_list::heard_list;
use crate::highlight::{self, HeardWords};
use crate::leads::{self, phone, priority, tags, text, who};
use crate::locale::length;
use crate::page::Frame;
use crate::receipt::receipt;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/calls/:id", show)];

/// Everything that the page of a call shows.
struct Story {
    call: Value,
    transcript: Vec<Value>,
    tools: Vec<Value>,
    lead: Option<Value>,
    /// The decision about the report or, without a report, the newest decision. The decision contains the effect of
    /// every row.
    decision: Option<Value>,
    /// The decision whose price the caller heard, if this price differs from the price of `decision`.
    quote: Option<Value>,
    messages: Vec<Value>,
    /// The feedback about the decision.
    feedback: Vec<Value>,
    heard: Vec<HeardWords>,
}

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(page(visit, Attempt::default()))
}

/// Renders the page of a call. If a form was refused, `attempt` contains the reason.
pub async fn page(visit: &Visit, attempt: Attempt) -> Answer {
    let business = visit.business().await?;
    let story = read(visit, business).await?;
    let words = visit.words;
    let main = html! {
        (head(visit, business, &story))
        div.columns {
            section aria-labelledby="said" {
                h2 #said { (words.say("transcript")) }
                (transcript(visit, &story))
                (tools(visit, business, &story))
            }
            section aria-labelledby="decided" {
                h2 #decided { (words.say("decision")) }
                (decision(visit, business, &story))
                @if story.decision.is_some() {
                    (feedback::section(visit, business, &story.feedback, &attempt))
                }
                (messages(visit, business, &story))
            }
        }
    };
    let frame = Frame::new(visit, Some(business), words.say("call"), "/calls");
    let mut response = frame.page(&main);
    if let Some(status) = attempt.status() {
        response.set_status(status);
    }
    Ok(response)
}

async fn read(visit: &Visit, business: &Business) -> Result<Story, Refusal> {
    let id = visit.path("id");
    let mut detail = visit
        .read(&business.path(&format!("/calls/{}", segment(&id))), &[])
        .await?;
    let of_call = [("call_id", id.as_str()), ("limit", "50")];
    let decisions = items(visit.read(&business.path("/decisions"), &of_call).await?);
    let lead = items(visit.read(&business.path("/leads"), &of_call).await?)
        .into_iter()
        .next();
    let with_rulebook = [of_call[0], of_call[1], ("rulebook", business.code.as_str())];
    let messages = items(visit.read("/admin/v1/sms-messages", &with_rulebook).await?);
    let feedback = items(visit.read(&business.path("/feedback"), &of_call).await?);
    let call = detail["call"].take();
    let chosen = decisions
        .iter()
        .find(|one| one["purpose"] == "report")
        .or_else(|| decisions.first());
    let decision = match chosen.and_then(|one| text(one, "id")) {
        Some(id) => {
            let path = business.path(&format!("/decisions/{}", segment(id)));
            Some(visit.read(&path, &[("explain", "true")]).await?)
        }
        None => None,
    };
    let quoted = lead.as_ref().and_then(|lead| text(lead, "quote_decision_id"));
    let quoted = quoted.or_else(|| text(&call, "quote_decision_id"));
    let own = decision.as_ref().and_then(|decision| text(decision, "id"));
    let price = decision.as_ref().map(|decision| &decision["decision"]["price"]);
    let is_another = |one: &&Value| text(one, "id") != own && Some(&one["decision"]["price"]) != price;
    let quote = decisions
        .iter()
        .find(|one| text(one, "id") == quoted)
        .filter(is_another);
    Ok(Story {
        quote: quote.cloned(),
        heard: decision
            .as_ref()
            .map(|one| highlight::heard(&one["decision"]["trace"]))
            .unwrap_or_default(),
        transcript: list(detail["transcript"].take()),
        tools: list(detail["tool_calls"].take()),
        call,
        lead,
        decision,
        messages,
        feedback,
    })
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn head(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let (words, times, call) = (visit.words, visit.times(business), &story.call);
    let lead = story.lead.as_ref();
    html! {
        div.call-head {
            @if let Some(lead) = lead { (priority(lead)) }
            h1 { (who(visit, lead.unwrap_or(call))) }
            (tags(visit, lead.unwrap_or(call)))
        }
        p {
            (phone(visit, call, "customer_number")) " · "
            (times.at(text(call, "started_at").or_else(|| text(call, "first_seen_at"))))
            @if let Some(milliseconds) = call["duration_ms"].as_i64() { " · " (length(milliseconds)) }
            " · " (words.name("status", text(call, "status").unwrap_or_default()))
        }
        @if let Some(summary) = text(call, "summary") { p.problem { (summary) } }
        @match lead {
            Some(lead) if lead["acknowledgement"].is_object() => p.done { (leads::taken_by(visit, business, lead)) },
            Some(_) => p.open { (words.say("lead-open")) },
            None => {},
        }
    }
}

fn transcript(visit: &Visit, story: &Story) -> Markup {
    let words = visit.words;
    html! {
        @if story.transcript.is_empty() { p.card.empty { (words.say("transcript-empty")) } }
        ol.transcript { @for turn in &story.transcript {
            @let said = text(turn, "text").unwrap_or_default();
            @match text(turn, "role") {
                Some("user") => li.caller {
                    (speaker(turn, &words.say("caller"))) p { (highlight::marked(said, &story.heard)) }
                },
                Some("assistant" | "bot") => li.agent { (speaker(turn, &words.say("agent"))) p { (said) } },
                role => li.machine { details {
                    summary { (speaker(turn, &words.name("role", role.unwrap_or_default()))) }
                    code { (said) }
                } },
            }
        } }
        (heard_list(words, &story.heard))
    }
}

fn speaker(turn: &Value, name: &str) -> Markup {
    html! { span.speaker {
        (name)
        @if let Some(offset) = turn["offset_ms"].as_i64() { " " span.quiet { (length(offset)) } }
    } }
}

fn tools(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    // The transcript of a report already contains the tool calls.
    let is_told = story.transcript.iter().any(|turn| turn["role"] == "tool_calls");
    html! { @if !story.tools.is_empty() && !is_told { details {
        summary { (words.count("tools", story.tools.len())) }
        ul { @for tool in &story.tools { li {
            strong { (text(tool, "name").unwrap_or_default()) } " " (times.at(text(tool, "created_at")))
            p.quiet { (text(tool, "result").or_else(|| text(tool, "error")).unwrap_or_default()) }
        } } }
    } } }
}

fn decision(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let words = visit.words;
    let Some(stored) = &story.decision else {
        return html! { p.card.empty { (words.say("decision-none")) } };
    };
    let quote = html! { @if let Some(quote) = &story.quote {
        p.quiet { (words.say("quoted-otherwise")) }
        (receipt(words, business, &quote["decision"]))
    } };
    decision::card(visit, business, &stored["decision"], &stored["explanation"], &quote)
}

fn messages(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    html! {
        h2 { (words.say("messages")) }
        @if story.messages.is_empty() { p.card.empty { (words.say("messages-empty")) } }
        @for message in story.messages.iter().rev() {
            @let state = text(message, "state").unwrap_or_default();
            div.card.sms {
                p.row-head {
                    a href=(visit.link(&format!("/messages/{}", text(message, "id").unwrap_or_default()), &[])) {
                        (business.contact(text(message, "contact").unwrap_or_default()))
                    }
                    span.state.(state) { (words.name("state", state)) }
                    span.when { (times.at(text(message, "created_at"))) }
                }
                p.body { (text(message, "body").unwrap_or_default()) }
            }
        }
    }
}
