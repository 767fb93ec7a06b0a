//! Finds SMS templates that cost more than necessary. One letter outside the SMS alphabet switches the whole message to
//! UCS-2, which has less than half as many characters per part. The module also finds templates for a P1 or P2 without
//! the information that a technician needs.

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::Priority;
use rules::segments::{cheaper, outside_gsm7, respelt, segments};
use rules::sms_body::{TemplatePart, next_placeholder, parts};

/// Typical length in letters of each placeholder's value.
const USUAL: &[(&str, usize)] = &[
    ("priority", 2),
    ("service", 24),
    ("area", 12),
    ("price", 13),
    ("currency", 3),
    ("city", 14),
    ("customer", 18),
    ("phone", 12),
    ("ref", 9),
    ("problem", 60),
    ("address", 30),
    ("sla", 6),
    ("slot", 20),
];

/// The information that a technician needs: whom to call, where to go, and why.
const NEEDED: &[(&[&str], &str)] = &[
    (&["phone"], "the number to call ({phone})"),
    (&["address"], "where to go ({address})"),
    (&["problem", "service"], "why ({problem} or {service})"),
];

pub(super) fn lint(rulebook: &Rulebook, found: &mut Findings) {
    actionable(rulebook, found);
    for row in rulebook.rows().templates.values().map(|stored| &stored.row) {
        for (language, text) in &row.texts {
            let filled = filled(text);
            let letters = outside_gsm7(&filled);
            let plain: String = respelt(&filled).chars().filter(|letter| gsm(*letter)).collect();
            let (now, then) = (segments(&filled).count, segments(&plain).count);
            if letters.is_empty() || now <= then {
                continue;
            }
            let text = format!(
                "{} not in the SMS alphabet, and one such letter makes the whole message cost more: usually {now} parts \
                 instead of {then}; {}",
                match letters.as_slice() {
                    [one] => format!("`{one}` is"),
                    many => format!("{} are", listed(many.iter().map(|letter| format!("`{letter}`")))),
                },
                listed(letters.iter().map(|letter| match cheaper(*letter) {
                    Some(spelling) => format!("write `{spelling}` for `{letter}`"),
                    None => format!("leave `{letter}` out"),
                })),
            );
            found.warn(row, &format!("texts/{language}"), "costly_letters", text);
        }
    }
}

/// Reports a template for a P1 or P2 without the information that a technician needs.
fn actionable(rulebook: &Rulebook, found: &mut Findings) {
    let urgent = |code: &str| {
        let rules = rulebook.rows().priority_rules.values().map(|stored| &stored.row);
        rules
            .filter(|rule| matches!(rule.priority, Priority::P1 | Priority::P2))
            .any(|rule| rule.template.as_deref() == Some(code))
    };
    let templates = rulebook.rows().templates.values().map(|stored| &stored.row);
    for row in templates.filter(|row| urgent(&row.code)) {
        for (language, text) in &row.texts {
            let missing = NEEDED
                .iter()
                .filter(|(names, _)| !names.iter().any(|name| text.contains(&format!("{{{name}}}"))));
            let missing: Vec<String> = missing.map(|(_, what)| (*what).to_owned()).collect();
            if !missing.is_empty() {
                let text = format!(
                    "this message is about a P1 or P2 and does not contain {}",
                    listed(missing.into_iter())
                );
                found.warn(row, &format!("texts/{language}"), "not_actionable", text);
            }
        }
    }
}

fn gsm(letter: char) -> bool {
    outside_gsm7(letter.encode_utf8(&mut [0; 4])).is_empty()
}

/// Returns the template as a message: a value of typical length for each placeholder, and the message's reference.
fn filled(template: &str) -> String {
    let mut text = String::new();
    for part in parts(template) {
        let (TemplatePart::Always(mut rest) | TemplatePart::WhenKnown(mut rest)) = part;
        while let Some((before, name, after)) = next_placeholder(rest) {
            text.push_str(before);
            let usual = USUAL
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(1, |(_, usual)| *usual);
            text.extend(std::iter::repeat_n('x', usual));
            rest = after;
        }
        text.push_str(rest);
    }
    if !template.contains("{ref}") {
        text.push_str(" RB-xxxxxx");
    }
    text
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
