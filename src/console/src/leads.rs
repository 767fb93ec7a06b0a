//! The list of leads, leads as cards and rows, and the button "I take it", which acknowledges a lead.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::lists::{self, List};
use crate::locale::range;
use crate::page;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/leads", show), Address::post("/leads/:id/take", take)];

/// The contact and the state of each SMS message of recent calls, by call id.
pub struct RecentSms(BTreeMap<String, Vec<(String, String)>>);

impl RecentSms {
    /// Reads the messages since `since`.
    pub async fn of_week(visit: &Visit, business: &Business, since: &str) -> Result<Self, Refusal> {
        let pairs = [("rulebook", business.code.as_str()), ("since", since), ("limit", "200")];
        let list = visit.read("/admin/v1/sms-messages", &pairs).await?;
        let mut by_call: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for message in items(list).iter().rev() {
            let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            let sent = by_call.entry(field("call_id")).or_default();
            sent.push((field("contact"), field("state")));
        }
        Ok(Self(by_call))
    }

    fn of(&self, call: &str) -> &[(String, String)] {
        self.0.get(call).map_or(&[], Vec::as_slice)
    }
}

/// A string field of a JSON object; `None` if the field is missing or empty.
pub fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value[name].as_str().filter(|text| !text.is_empty())
}

/// The list at `/console/leads`.
pub const LIST: List = List {
    path: "/leads",
    title: "leads",
    empty: "leads-empty",
    priorities: true,
};

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        lists::show(visit, business, &LIST, row).await
    })
}

/// Acknowledges a lead, for the owner of the key or for a contact.
pub fn take(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let mut body = json!({});
        for name in ["contact", "comment"] {
            if !visit.sent(name).is_empty() {
                body[name] = visit.sent(name).into();
            }
        }
        let path = business.path(&format!("/leads/{}/acknowledge", segment(&visit.path("id"))));
        visit.post(&path, Some(&body)).await?;
        Ok(page::see(page::own_address(visit.sent("next"))))
    })
}

/// A lead as a row of the list.
fn row(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    html! { li.row {
        div.row-head {
            (priority(lead))
            a.who href=(call_link(visit, lead)) { (who(visit, lead)) }
            (tags(visit, lead))
            span.when { (times.at(text(lead, "created_at"))) }
        }
        p.line { (what(visit, business, lead)) }
        @if let Some(problem) = text(lead, "problem") { p.problem { (problem) } }
        p.quiet {
            (phone(visit, lead, "customer_number")) " " (place(lead))
        }
        @match lead["acknowledgement"].as_object() {
            Some(_) => p.done { (taken_by(visit, business, lead)) },
            None => p.(if lead["priority"] == "P1" { "open" } else { "quiet" }) { (words.say("lead-open")) },
        }
    } }
}

/// A lead as a card on the board.
pub fn card(visit: &Visit, business: &Business, sent: &RecentSms, lead: &Value, may_take: bool) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let class = text(lead, "priority").unwrap_or("P4").to_ascii_lowercase();
    html! { article.card.lead.(class) {
        div.row-head {
            (priority(lead))
            h3 { a href=(call_link(visit, lead)) { (who(visit, lead)) } (tags(visit, lead)) }
            span.wait title=(words.say("waiting")) {
                (times.since(text(lead, "created_at")).unwrap_or_else(|| words.say("waiting-now")))
            }
        }
        @if let Some(problem) = text(lead, "problem") { p.problem { (problem) } }
        p.line { (what(visit, business, lead)) }
        p { (phone(visit, lead, "customer_number")) " " span.quiet { (place(lead)) } }
        dl.facts {
            (due(visit, business, lead))
            dt { (words.say("notified")) } dd { (notified(visit, business, sent, lead)) }
            (next_step(visit, business, lead))
        }
        @if may_take { (take_forms(visit, business, lead)) }
    } }
}

/// An acknowledged lead, in one line.
pub fn taken_line(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    html! {
        (priority(lead)) " "
        a href=(call_link(visit, lead)) { (who(visit, lead)) } " "
        span.quiet { (taken_by(visit, business, lead)) }
    }
}

/// Who acknowledged a lead, when, how, and with which comment.
pub fn taken_by(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let taken = &lead["acknowledgement"];
    let by = business.contact(text(taken, "by").unwrap_or_default());
    html! {
        (words.say_of("taken-by", &[("who", &by)])) ", " (times.at(text(taken, "at")))
        " (" (words.name("how", text(taken, "how").unwrap_or_default())) ")"
        @if let Some(comment) = text(taken, "comment") { " · " q { (comment) } }
    }
}

fn take_forms(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let words = visit.words;
    let id = text(lead, "id").unwrap_or_default();
    let action = visit.link(&format!("/leads/{}/take", segment(id)), &[]);
    let fields = html! {
        (page::token(visit))
        input type="hidden" name="next" value=(visit.link("", &[]));
    };
    html! { div.take {
        form method="post" action=(action) {
            (fields)
            button.main type="submit" id={ "take-" (id) } { (words.say("take")) }
        }
        details {
            summary { (words.say("take-other")) }
            form.stack method="post" action=(action) {
                (fields)
                label for={ "contact-" (id) } { (words.say("take-who")) }
                select id={ "contact-" (id) } name="contact" {
                    @for code in business.rows.contacts.keys() { option value=(code) { (business.contact(code)) } }
                }
                label for={ "comment-" (id) } { (words.say("take-comment")) }
                input id={ "comment-" (id) } name="comment" maxlength="500";
                button type="submit" { (words.say("take-done")) }
            }
        }
    } }
}

fn due(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let Some(due_at) = text(&lead["sla"], "due_at") else {
        return html! {};
    };
    html! {
        dt { (words.say("due")) }
        dd {
            (times.at(Some(due_at))) " "
            @match times.until(Some(due_at)) {
                Some(left) => span.left { (words.say_of("due-left", &[("time", &left)])) },
                None => @if let Some(late) = times.since(Some(due_at)) {
                    strong.late { (words.say_of("due-late", &[("time", &late)])) }
                } @else { strong.late { (words.say("due-now")) } },
            }
        }
    }
}

fn notified(visit: &Visit, business: &Business, sent: &RecentSms, lead: &Value) -> Markup {
    let words = visit.words;
    let messages = sent.of(text(lead, "call_id").unwrap_or_default());
    html! {
        @if messages.is_empty() { (words.say(if lead["late"] == true { "notified-late" } else { "notified-nobody" })) }
        @for (place, (contact, state)) in messages.iter().enumerate() {
            @if place > 0 { ", " }
            (business.contact(contact)) " " span.state.(state) { (words.name("state", state)) }
        }
    }
}

fn next_step(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let escalation = &lead["escalation"];
    let Some(steps) = escalation["steps"].as_array() else {
        return html! {};
    };
    let last = steps.last().and_then(|step| text(step, "step")).unwrap_or_default();
    html! {
        dt { (words.say("escalation")) }
        dd {
            (words.name("step", last))
            @if let Some(next_at) = text(escalation, "next_at") {
                ". " (words.say("escalation-next")) " " (times.at(Some(next_at)))
                @if let Some(left) = times.until(Some(next_at)) {
                    " " span.left { (words.say_of("due-left", &[("time", &left)])) }
                }
            }
        }
    }
}

/// The priority as a badge.
pub fn priority(lead: &Value) -> Markup {
    let Some(priority) = text(lead, "priority") else {
        return html! {};
    };
    html! { span.priority.(priority.to_ascii_lowercase()) { (priority) } }
}

/// The caller's name, or the number if the name is unknown, or a label for an unknown caller.
pub fn who(visit: &Visit, row: &Value) -> String {
    let name = text(row, "customer_name").or_else(|| text(row, "customer_number"));
    name.map_or_else(|| visit.words.say("unknown-caller"), ToOwned::to_owned)
}

/// Tags that a person must see before they call back: the call is simulated, or its data was erased.
pub fn tags(visit: &Visit, row: &Value) -> Markup {
    let words = visit.words;
    html! {
        @if row["simulated"] == true { " " span.tag { (words.say("simulated")) } }
        @if row["erased_at"].is_string() { " " span.tag { (words.say("erased")) } }
    }
}

/// The service, the price and the wanted time.
pub fn what(visit: &Visit, business: &Business, lead: &Value) -> Markup {
    let words = visit.words;
    let service = text(lead, "service").map(|code| business.row_name("services", code, words.0.code()));
    let currency = text(lead, "currency").unwrap_or_default();
    let price = text(lead, "price_from").zip(text(lead, "price_to"));
    html! {
        strong { (service.unwrap_or_else(|| words.say("unknown-service"))) }
        @if let Some((from, to)) = price { " · " span.left { (range(words, from, to, currency)) } }
        @if let Some(slot) = text(lead, "wanted_slot") { " · " (slot) }
    }
}

/// A phone number, as a link that calls the number. A masked number is not a link.
pub fn phone(visit: &Visit, row: &Value, name: &str) -> Markup {
    let Some(number) = text(row, name) else {
        return html! { span.quiet { (visit.words.say("unknown-number")) } };
    };
    let is_whole = number
        .strip_prefix('+')
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    html! { @if is_whole { a.phone href={ "tel:" (number) } { (number) } } @else { span.phone { (number) } } }
}

fn place(lead: &Value) -> String {
    let parts = ["address", "city", "postal_code"]
        .into_iter()
        .filter_map(|name| text(lead, name));
    parts.collect::<Vec<_>>().join(", ")
}

/// The URL of the page of a lead's call.
pub fn call_link(visit: &Visit, lead: &Value) -> String {
    visit.link(
        &format!("/calls/{}", segment(text(lead, "call_id").unwrap_or_default())),
        &[],
    )
}
