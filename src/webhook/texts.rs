//! Whom to text about a decision, and what the text says. In: a decision and its facts. Out: messages for the outbox,
//! one per contact and template.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::decided::Decided;
use super::facts;
use crate::clock::Clock;
use crate::outbox::{self, NewSms};
use crate::rulebook::compile::Rulebook;
use crate::rulebook::rows::{Contact, Row};

/// The longest that what a caller said may stand in a text.
const MOST_OF_A_FACT: usize = 120;

/// Texts to those whom the decision names, when it names a template.
#[must_use]
pub fn about(
    rulebook: &Rulebook,
    decided: &Decided,
    template: Option<&str>,
    rulebook_id: Uuid,
    call_id: Option<&str>,
    clock: &Clock,
    now: DateTime<Utc>,
) -> Vec<NewSms> {
    let Some(template) = template else { return Vec::new() };
    let contacts = decided.decision.notify.iter().filter_map(|code| rulebook.contact(code));
    contacts
        .filter_map(|contact| {
            let id = clock.new_id();
            let text = rulebook.template_text(template, &contact.language)?;
            Some(NewSms {
                rulebook_id,
                id,
                call_id: call_id.map(ToOwned::to_owned),
                decision_id: Some(decided.id),
                contact: contact.code().to_owned(),
                template: template.to_owned(),
                priority: decided.decision.priority.name().to_owned(),
                to_number: contact.phone.clone(),
                body: filled(text, rulebook, decided, contact, &outbox::reference_of(id)),
                now,
            })
        })
        .collect()
}

/// The template with its placeholders filled; what is not known is a dash.
fn filled(template: &str, rulebook: &Rulebook, decided: &Decided, contact: &Contact, reference: &str) -> String {
    let mut text = String::with_capacity(template.len() + 80);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + close];
        match placeholder(name, rulebook, decided, contact, reference) {
            Some(value) => text.extend(
                value
                    .chars()
                    .take(MOST_OF_A_FACT)
                    .map(|c| if c.is_control() { ' ' } else { c }),
            ),
            None => text.push('-'),
        }
        rest = &rest[open + close + 1..];
    }
    text.push_str(rest);
    text
}

fn placeholder(
    name: &str,
    rulebook: &Rulebook,
    decided: &Decided,
    contact: &Contact,
    reference: &str,
) -> Option<String> {
    let decision = &decided.decision;
    let fact = |name| facts::text(&decided.extracted, name).map(ToOwned::to_owned);
    let label =
        |names: &crate::rulebook::rows::Labels| names.get(&contact.language).or_else(|| names.values().next()).cloned();
    match name {
        "priority" => Some(decision.priority.name().to_owned()),
        "service" => {
            let code = decision.service.as_ref()?;
            rulebook
                .rows()
                .services
                .get(code)
                .and_then(|service| label(&service.row.names))
        }
        "area" => {
            let code = decision.area.as_ref()?;
            rulebook.rows().areas.get(code).and_then(|area| label(&area.row.names))
        }
        "price" => decision.price.as_ref().map(|price| {
            if price.from == price.to {
                price.from.to_string()
            } else {
                format!("{}-{}", price.from, price.to)
            }
        }),
        "customer" => fact("customer_name"),
        "phone" => fact("customer_phone").or_else(|| fact("caller")),
        "ref" => Some(reference.to_owned()),
        "slot" => fact("wanted_slot"),
        "sla" => Some(minutes(decision.sla_seconds)),
        other => fact(other),
    }
}

/// Seconds as a technician reads them.
fn minutes(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
