//! The button or link of each kind of notice, for the action that the notice asks for.

use std::collections::BTreeMap;

use admin::auth::Role;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::page;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// Codes of notices about undelivered messages to a contact.
pub const UNDELIVERED: [&str; 5] = [
    "sms_refused",
    "sms_given_up",
    "sms_unknown",
    "sms_undelivered",
    "sms_suppressed",
];
/// Codes of notices about a P1 that nobody has acknowledged, or about which two people disagree.
const CALLS: [&str; 2] = ["p1_not_taken", "p1_contested"];
/// Maximum number of leads that are read for one page.
const MAX_CALLS: usize = 20;

/// The data that the buttons need.
pub struct NoticeActions {
    /// The newest dead letters, by contact.
    dead: BTreeMap<String, Vec<Value>>,
    /// The leads of calls that notices are about.
    leads: BTreeMap<String, Value>,
}

/// The rest of a notice's subject after the prefix `word`.
pub fn subject<'a>(notice: &'a Value, word: &str) -> Option<&'a str> {
    text(notice, "subject")?.strip_prefix(word)
}

fn code(notice: &Value) -> &str {
    text(notice, "code").unwrap_or_default()
}

impl NoticeActions {
    /// Reads the data that the buttons of these notices need.
    pub async fn read(visit: &Visit, business: &Business, notices: &[Value]) -> Result<Self, Refusal> {
        let mut dead: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        if notices.iter().any(|notice| UNDELIVERED.contains(&code(notice))) {
            let pairs = [
                ("rulebook", business.code.as_str()),
                ("state", "dead"),
                ("limit", "200"),
            ];
            for message in items(visit.read("/admin/v1/sms-messages", &pairs).await?) {
                let contact = text(&message, "contact").unwrap_or_default().to_owned();
                dead.entry(contact).or_default().push(message);
            }
        }
        let mut leads = BTreeMap::new();
        let of_calls = notices.iter().filter(|notice| CALLS.contains(&code(notice)));
        let calls: Vec<&str> = of_calls
            .filter_map(|notice| subject(notice, "call "))
            .take(MAX_CALLS)
            .collect();
        for call in calls {
            let found = visit
                .read(&business.path("/leads"), &[("call_id", call), ("limit", "1")])
                .await?;
            leads.extend(items(found).into_iter().next().map(|lead| (call.to_owned(), lead)));
        }
        Ok(Self { dead, leads })
    }

    /// The button or link of a notice.
    pub fn of(&self, visit: &Visit, business: &Business, notice: &Value) -> Markup {
        let words = visit.words;
        let go = |path: &str, pairs: &[(&str, &str)], key: &str| html! { a.deed href=(visit.link(path, pairs)) { (words.say(key)) } };
        match code(notice) {
            one if UNDELIVERED.contains(&one) || one == "contact_opted_out" => self.of_contact(visit, business, notice),
            one if CALLS.contains(&one) => self.of_call(visit, notice),
            "change_set_waits" | "scheduled_publish_refused" => match subject(notice, "change set ") {
                Some(id) => {
                    html! { p.deeds { (go(&format!("/change-sets/{}", segment(id)), &[], "notices-change-set")) } }
                }
                None => html! {},
            },
            "script_quarantined" => release(visit, notice),
            "message_set_aside" => replay(visit, notice),
            "late_call" => {
                let priority = subject(notice, "late calls of priority ").unwrap_or_default();
                html! { p.deeds { (go("/leads", &[("priority", priority)], "notices-leads")) } }
            }
            "sms_cap_near" | "sms_cap_reached" | "restored" => html! { p.deeds {
                (go("/leads", &[("days", "today")], "notices-leads"))
                (go("/messages", &[("state", "dead"), ("days", "today")], "notices-dead"))
            } },
            "sms_provider_down"
            | "sms_credentials_refused"
            | "sms_account_capped"
            | "sms_account_incomplete"
            | "sms_no_account"
            | "vapi_unreachable"
            | "vapi_key_refused"
            | "vapi_key_shared"
            | "spool_in_use"
            | "spool_refused"
            | "spool_message_set_aside" => html! { p.deeds { (go("/setup", &[], "notices-setup")) } },
            _ => html! {},
        }
    }

    /// The button that resends an undelivered message, and the link that calls the contact.
    fn of_contact(&self, visit: &Visit, business: &Business, notice: &Value) -> Markup {
        let words = visit.words;
        let Some(contact) = subject(notice, "contact ") else {
            return html! {};
        };
        let messages = self.dead.get(contact).map(Vec::as_slice).unwrap_or_default();
        let phone = business
            .rows
            .contacts
            .get(contact)
            .map(|stored| stored.row.phone.as_str());
        let id = text(notice, "id").unwrap_or_default();
        let times = visit.times(business);
        html! {
            @if let Some(message) = messages.first() {
                p.quiet.short {
                    a href=(visit.link(&format!("/messages/{}", text(message, "id").unwrap_or_default()), &[])) {
                        (words.say("notices-last-message"))
                    }
                    " " (times.at(text(message, "created_at"))) ": " q { (text(message, "body").unwrap_or_default()) }
                }
            }
            div.deeds {
                @if let Some(message) = messages.first() && visit.may(Role::Dispatcher) {
                    form method="post" action=(visit.link(&format!("/notices/{}/resend", segment(id)), &[])) {
                        (page::token(visit))
                        input type="hidden" name="message" value=(text(message, "id").unwrap_or_default());
                        @if code(notice) == "sms_unknown" { input type="hidden" name="force" value="yes"; }
                        button.main type="submit" {
                            (words.say(if code(notice) == "sms_unknown" { "notices-resend-anyway" } else { "resend" }))
                        }
                    }
                }
                @if let Some(phone) = phone { (number(business, phone)) }
                @if messages.len() > 1 {
                    a.deed href=(visit.link("/messages", &[("state", "dead")])) { (words.count("notices-more-dead", messages.len() - 1)) }
                }
            }
        }
    }

    /// The button that acknowledges the P1 of a call.
    fn of_call(&self, visit: &Visit, notice: &Value) -> Markup {
        let words = visit.words;
        let Some(call) = subject(notice, "call ") else {
            return html! {};
        };
        let lead = self.leads.get(call);
        let is_open = lead.is_some_and(|lead| lead["acknowledgement"].is_null());
        html! { div.deeds {
            @if let Some(id) = lead.and_then(|lead| text(lead, "id")).filter(|_| is_open && visit.may(Role::Dispatcher)) {
                form method="post" action=(visit.link(&format!("/leads/{}/take", segment(id)), &[])) {
                    (page::token(visit))
                    input type="hidden" name="next" value=(visit.link("/notices", &[]));
                    button.main type="submit" { (words.say("take")) }
                }
            }
            @if let Some(lead) = lead { (crate::leads::phone(visit, lead, "customer_number")) }
            a.deed href=(visit.link(&format!("/calls/{}", segment(call)), &[])) { (words.say("to-the-call")) }
        } }
    }
}

/// A contact's phone number, masked if the person may not see it.
fn number(business: &Business, phone: &str) -> Markup {
    let shown = business.shown(phone);
    html! { @if shown == phone { a.phone href={ "tel:" (phone) } { (phone) } } @else { span.phone { (shown) } } }
}

fn release(visit: &Visit, notice: &Value) -> Markup {
    let words = visit.words;
    let (id, script) = (
        text(notice, "id").unwrap_or_default(),
        subject(notice, "script ").unwrap_or_default(),
    );
    html! { @if visit.may(Role::Editor) { div.deeds {
        form method="post" action=(visit.link(&format!("/notices/{}/release", segment(id)), &[])) {
            (page::token(visit))
            input type="hidden" name="script" value=(script);
            button.main type="submit" { (words.say("notices-release")) }
        }
    } } }
}

fn replay(visit: &Visit, notice: &Value) -> Markup {
    let words = visit.words;
    let id = text(notice, "id").unwrap_or_default();
    let kind = subject(notice, "messages of type ").unwrap_or_default();
    html! { @if visit.may(Role::Admin) { div.deeds {
        form method="post" action=(visit.link(&format!("/notices/{}/replay", segment(id)), &[])) {
            (page::token(visit))
            input type="hidden" name="type" value=(kind);
            button.main type="submit" { (words.say("notices-replay")) }
        }
    } } }
}
