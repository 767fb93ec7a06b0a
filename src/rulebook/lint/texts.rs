//! Texts that cost more than they must: letters outside the SMS alphabet turn a whole text to UCS-2, which holds less
//! than half as much in a part.

use super::Findings;
use crate::rulebook::compile::Rulebook;
use crate::rulebook::segments::{cheaper, outside_gsm7, segments};

/// How many letters a placeholder usually becomes.
const USUAL: &[(&str, usize)] = &[
    ("priority", 2),
    ("service", 24),
    ("area", 12),
    ("price", 13),
    ("customer", 18),
    ("phone", 12),
    ("ref", 9),
    ("problem", 60),
    ("address", 30),
    ("sla", 6),
    ("slot", 20),
];

pub(super) fn lint(rulebook: &Rulebook, found: &mut Findings) {
    for row in rulebook.rows().templates.values().map(|stored| &stored.row) {
        for (language, text) in &row.texts {
            let filled = filled(text);
            let letters = outside_gsm7(&filled);
            let (now, then) = (segments(&filled).count, segments(&respelt(&filled)).count);
            if letters.is_empty() || now <= then {
                continue;
            }
            let text = format!(
                "{} not in the SMS alphabet, and one such letter makes the whole text cost more: usually {now} parts instead of \
                 {then}; {}",
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

/// The template with each placeholder as long as it usually becomes, and with its reference.
fn filled(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let usual = USUAL
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(1, |(_, usual)| *usual);
        text.extend(std::iter::repeat_n('x', usual));
        rest = after;
    }
    text.push_str(rest);
    if !template.contains("{ref}") {
        text.push_str(" RB-xxxxxx");
    }
    text
}

/// The text as it could be written in the SMS alphabet.
fn respelt(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if outside_gsm7(letter.encode_utf8(&mut [0; 4])).is_empty() {
            plain.push(letter);
        } else {
            plain.push_str(&cheaper(letter).unwrap_or_default());
        }
    }
    plain
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
