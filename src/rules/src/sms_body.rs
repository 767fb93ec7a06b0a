//! Writes the body of an SMS message to a contact: fills the placeholders of a template, in the contact's language.

use super::caller_words;
use super::compile::Rulebook;
use super::decision::Decision;
use super::facts::{ExtractedFacts, Fact, Facts};
use super::rows::{Contact, Labels};

/// Maximum length of a fact in a message, in characters.
const MOST_OF_A_FACT: usize = 120;

/// The data that fills a template's placeholders.
pub struct SmsSubject<'a> {
    pub decision: &'a Decision,
    /// The facts of the message from Vapi.
    pub extracted: &'a ExtractedFacts,
    /// Other facts known about the caller.
    pub known: &'a Facts,
    /// The short reference of the SMS message.
    pub reference: &'a str,
    /// How to reply to the SMS message; empty if replies are not possible.
    pub reply: &'a str,
}

impl Rulebook {
    /// Returns the template with its placeholders filled. An unknown value becomes a dash. If a value in a part in
    /// brackets is unknown, the whole part is omitted. `None` if the template does not exist.
    #[must_use]
    pub fn worded(&self, template: &str, contact: &Contact, about: &SmsSubject<'_>) -> Option<String> {
        let template = self.template_text(template, &contact.language)?;
        let mut text = String::with_capacity(template.len() + 80);
        for part in parts(template) {
            match part {
                TemplatePart::Always(part) => {
                    self.fill(&mut text, part, contact, about);
                }
                TemplatePart::WhenKnown(part) => {
                    let before = text.len();
                    if !self.fill(&mut text, part, contact, about) {
                        text.truncate(before);
                    }
                }
            }
        }
        Some(text.trim_end().to_owned())
    }

    /// Appends a part of a template with its placeholders filled. Returns whether the values of all these placeholders
    /// are known.
    fn fill(&self, text: &mut String, part: &str, contact: &Contact, about: &SmsSubject<'_>) -> bool {
        let mut all_known = true;
        let mut rest = part;
        while let Some((before, name, after)) = next_placeholder(rest) {
            text.push_str(before);
            match self.placeholder(name, contact, about) {
                Some(value) => text.extend(
                    value
                        .chars()
                        .take(MOST_OF_A_FACT)
                        .map(|c| if c.is_control() { ' ' } else { c }),
                ),
                None => {
                    text.push('-');
                    all_known = false;
                }
            }
            rest = after;
        }
        text.push_str(rest);
        all_known
    }

    fn placeholder(&self, name: &str, contact: &Contact, about: &SmsSubject<'_>) -> Option<String> {
        let decision = about.decision;
        let text_of = |facts: &Facts, name: &str| match facts.get(name) {
            Some(Fact::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let fact = |name: &str| text_of(&about.extracted.facts, name).or_else(|| text_of(about.known, name));
        let label = |names: &Labels| names.get(&contact.language).or_else(|| names.values().next()).cloned();
        match name {
            "priority" => Some(decision.priority.name().to_owned()),
            "service" => label(&self.rows().services.get(decision.service.as_ref()?)?.row.names),
            "area" => label(&self.rows().areas.get(decision.area.as_ref()?)?.row.names),
            "price" => decision.price.as_ref().map(|price| {
                if price.from == price.to {
                    price.from.to_string()
                } else {
                    format!("{}-{}", price.from, price.to)
                }
            }),
            "currency" => decision.price.as_ref().map(|price| price.currency.clone()),
            "customer" => fact("customer_name"),
            "phone" => fact("customer_phone").or_else(|| fact("caller")),
            "ref" => Some(about.reference.to_owned()),
            "reply" => Some(about.reply.to_owned()),
            "slot" => fact("wanted_slot"),
            "sla" => Some(minutes(decision.sla_seconds)),
            "address" => fact(name).or_else(|| caller_words::address(&about.extracted.said)),
            "problem" => fact(name).or_else(|| caller_words::problem(&about.extracted.said)),
            other => fact(other),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum TemplatePart<'a> {
    /// Always included.
    Always(&'a str),
    /// A part in brackets, which is included only if all values of its placeholders are known.
    WhenKnown(&'a str),
}

/// The parts of a template, in order. Brackets without a placeholder between them are ordinary characters.
pub fn parts(template: &str) -> Vec<TemplatePart<'_>> {
    let mut parts = Vec::new();
    let (mut from, mut searched) = (0, 0);
    while let Some(open) = template[searched..].find('[').map(|at| searched + at) {
        let Some(close) = template[open..].find(']').map(|at| open + at) else {
            break;
        };
        let within = &template[open + 1..close];
        searched = close + 1;
        if next_placeholder(within).is_some() {
            parts.push(TemplatePart::Always(&template[from..open]));
            parts.push(TemplatePart::WhenKnown(within));
            from = searched;
        }
    }
    parts.push(TemplatePart::Always(&template[from..]));
    parts
}

/// Splits a text at its first placeholder. Returns the text before it, its name, and the text after it.
pub fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Formats a duration in seconds for a technician, for example `15 min`.
fn minutes(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Returns how a contact replies to a message, in the contact's language; all characters are in the GSM alphabet.
#[must_use]
pub fn how_to_reply(language: &str, short: bool) -> &'static str {
    match (language, short) {
        (_, true) => "1=OK",
        ("fr", false) => "Répondez 1 si vous y allez.",
        (_, false) => "Reply 1 to take it.",
    }
}

#[cfg(test)]
mod tests {
    use super::TemplatePart::{Always, WhenKnown};
    use super::parts;

    #[test]
    fn a_part_in_brackets_is_one_that_has_a_placeholder() {
        for (template, expected) in [
            ("{priority}", vec![Always("{priority}")]),
            (
                "{priority}[, {price} {currency}].",
                vec![Always("{priority}"), WhenKnown(", {price} {currency}"), Always(".")],
            ),
            ("[Drains Demo] {ref}", vec![Always("[Drains Demo] {ref}")]),
            ("{ref} [", vec![Always("{ref} [")]),
            ("]{ref}[{city}", vec![Always("]{ref}[{city}")]),
            ("[a][{city}]", vec![Always("[a]"), WhenKnown("{city}"), Always("")]),
        ] {
            assert_eq!(parts(template), expected, "{template}");
        }
    }
}
