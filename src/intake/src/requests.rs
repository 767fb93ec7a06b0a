//! Answers Vapi's requests that are not tool calls: which assistant takes a call, where a call is transferred, and what
//! the knowledge base contains. [`answer`] returns `None` if no rule applies.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::answer::{Answer, AssistantAnswer, Destination, Document, HandoffDestination};
use super::evaluate::EvaluationInput;
use super::parse::event::{Event, Payload};
use super::parse::facts;
use rules::compile::Rulebook;
use rules::rows::{self, Contact, Labels, Offer, Service};
use rules::sentences::{SentenceValue, sentence};

/// Maximum number of documents in an answer.
const MOST_DOCUMENTS: usize = 20;

/// Returns the answer to a request, or `None` if no rule applies.
#[must_use]
pub(super) fn answer(question: &EvaluationInput<'_>) -> Option<Answer> {
    let (rulebook, event, received_at) = (question.rulebook, &question.message.event, question.message.received_at);
    match &event.payload {
        Payload::AssistantRequest => assistant(rulebook, event, received_at),
        Payload::TransferDestination => Some(Answer::Destination(destination(question, None)?)),
        Payload::Handoff {
            destination: wanted, ..
        } => {
            let destination = destination(question, wanted.as_deref())?;
            Some(Answer::Handoff(HandoffDestination::Number(destination)))
        }
        Payload::KnowledgeBase { query } => Some(Answer::Documents(documents(rulebook, query))),
        _ => None,
    }
}

fn assistant(rulebook: &Rulebook, event: &Event, received_at: DateTime<Utc>) -> Option<Answer> {
    let extracted = facts::extract(rulebook, event, None);
    let at = facts::instant(event, received_at);
    let rule = rulebook.assistant_rule(&extracted, at)?;
    let language = rulebook.language(&extracted);
    let message = label(&rule.message, &language);
    Some(match rule.answer {
        rows::AssistantAnswer::Assistant => Answer::Assistant(AssistantAnswer {
            assistant_id: rule.assistant_id.clone(),
            variable_values: variables(rulebook, at),
            first_message: message,
            ..AssistantAnswer::default()
        }),
        rows::AssistantAnswer::Transfer => {
            let contact = rulebook.contact(rule.contact.as_deref()?)?;
            Answer::Destination(Destination {
                number: contact.phone.clone(),
                message,
                ..Destination::default()
            })
        }
        rows::AssistantAnswer::Refuse => Answer::Spoken(message?),
    })
}

/// Current values for the saved assistant's `{{variables}}`.
fn variables(rulebook: &Rulebook, at: DateTime<Utc>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let currency = &rulebook.settings().currency;
    let mut list = Vec::new();
    for service in offered(rulebook) {
        if let Some(price) = range(service) {
            let name = label(&service.names, first_language(rulebook)).unwrap_or_else(|| service.code.clone());
            list.push(format!("{name}: {price} {currency}"));
            values.insert(format!("price_{}", service.code), format!("{price} {currency}"));
        }
    }
    values.insert("prices".to_owned(), list.join("; "));
    values.insert("currency".to_owned(), currency.clone());
    values.insert("revision".to_owned(), rulebook.revision().to_string());
    if let Some((hours, open)) = rulebook.hours(at) {
        values.insert(
            "hours_today".to_owned(),
            if hours.is_empty() {
                "closed".to_owned()
            } else {
                hours.join(", ")
            },
        );
        values.insert("open_now".to_owned(), open.to_string());
    }
    values
}

/// Returns the contact that was requested by code or name. If there is none, returns the first contact that the
/// decision about this call would notify.
fn destination(question: &EvaluationInput<'_>, wanted: Option<&str>) -> Option<Destination> {
    let rulebook = question.rulebook;
    let extracted = facts::extract(rulebook, &question.message.event, None);
    let at = facts::instant(&question.message.event, question.message.received_at);
    let decision = rulebook.decide_without(&extracted, at, question.skips.clone()).decision;
    let named = wanted.and_then(|wanted| {
        let mut contacts = rulebook.rows().contacts.values().map(|stored| &stored.row);
        contacts.find(|contact| contact.code == wanted || contact.name.eq_ignore_ascii_case(wanted))
    });
    let contact: &Contact = match named {
        Some(contact) => contact,
        None => decision.notify.iter().find_map(|code| rulebook.contact(code))?,
    };
    let message = sentence(
        &decision.language,
        "transfer",
        &[("name", SentenceValue::Text(&contact.name))],
    );
    Some(Destination {
        number: contact.phone.clone(),
        message: Some(message),
        ..Destination::default()
    })
}

/// Documents about services and prices. Services that the query mentions come first.
fn documents(rulebook: &Rulebook, query: &str) -> Vec<Document> {
    let settings = rulebook.settings();
    let mut documents: Vec<Document> = rulebook
        .rows()
        .services
        .values()
        .map(|stored| &stored.row)
        .map(|service| Document {
            content: settings
                .languages
                .iter()
                .filter_map(|language| about(service, language, &settings.currency))
                .collect::<Vec<_>>()
                .join(" "),
            similarity_thousandths: if rulebook.mentions(service, query) { 1000 } else { 500 },
            uuid: None,
        })
        .filter(|document| !document.content.is_empty())
        .collect();
    documents.sort_by_key(|document| std::cmp::Reverse(document.similarity_thousandths));
    documents.truncate(MOST_DOCUMENTS);
    documents
}

fn about(service: &Service, language: &str, currency: &str) -> Option<String> {
    let name = service.names.get(language)?;
    let reason = service
        .reason
        .get(language)
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default();
    Some(match (service.offer, range(service)) {
        (Offer::Refused, _) | (_, None) => format!("{name}.{reason}"),
        (_, Some(price)) => format!("{name}: {price} {currency}.{reason}"),
    })
}

fn offered(rulebook: &Rulebook) -> impl Iterator<Item = &Service> {
    let services = rulebook.rows().services.values().map(|stored| &stored.row);
    services.filter(|service| service.offer != Offer::Refused)
}

fn range(service: &Service) -> Option<String> {
    let (from, to) = (service.price_from?, service.price_to?);
    Some(if from == to {
        from.to_string()
    } else {
        format!("{from} - {to}")
    })
}

fn first_language(rulebook: &Rulebook) -> &str {
    rulebook.settings().languages.first().map_or("en", String::as_str)
}

fn label(labels: &Labels, language: &str) -> Option<String> {
    labels.get(language).or_else(|| labels.values().next()).cloned()
}
