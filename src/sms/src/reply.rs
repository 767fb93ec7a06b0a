//! Parses a contact's reply: whether it acknowledges the call, and which reference it contains (pure). [`inviting`]
//! appends the reply instructions to an SMS message.
//!
//! Only a plain yes acknowledges a call: "ok, but I cannot" must not stop the escalation of an emergency.

use rules::segments::segments;
use rules::sms_body::how_to_reply;
use rules::words::fold;

/// Words for yes, folded: without accents, with apostrophes and hyphens as spaces.
const YES: &[&str] = &[
    "1",
    "ok",
    "okay",
    "oui",
    "ouais",
    "o",
    "yes",
    "yep",
    "yeah",
    "y",
    "sure",
    "d accord",
    "daccord",
    "j arrive",
    "jarrive",
    "j y vais",
    "jy vais",
    "je prends",
    "je le prends",
    "je la prends",
    "je m en occupe",
    "j y suis",
    "en route",
    "en chemin",
    "i m on it",
    "im on it",
    "on it",
    "on my way",
    "omw",
    "i go",
    "i ll take it",
    "taking it",
    "taken",
    "pris",
    "got it",
    "i got it",
    "coming",
];
/// The reply that objects to another contact's reply.
const OBJECTION: &str = "0";
/// Words allowed next to a yes.
const POLITE: &[&str] = &[
    "merci",
    "thanks",
    "thank you",
    "svp",
    "please",
    "now",
    "maintenant",
    "tout de suite",
];
/// Emoji for yes.
const SIGNS: [char; 4] = ['👍', '✅', '👌', '✔'];
/// Number of letters of a reference.
const REFERENCE_LENGTH: usize = 6;

/// A parsed reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The reference in the reply, as it is stored with the SMS message.
    pub(super) reference: Option<String>,
    /// Whether the reply is a plain yes.
    pub(super) takes: bool,
    /// Whether the reply objects to an acknowledgement.
    pub(super) objects: bool,
}

/// Parses a reply.
pub(super) fn read(body: &str) -> Reply {
    let folded = fold(body);
    let mut words: Vec<&str> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let reference = take_reference(&mut words);
    let signed = words.is_empty() && body.contains(SIGNS);
    Reply {
        reference,
        // "Taken?" is a question and not a yes.
        takes: !body.contains('?') && (signed || only_yes(&words)),
        objects: words == [OBJECTION],
    }
}

/// Removes the first reference from the words and returns it: `rb 7k2m4q` or `rb7k2m4q`.
fn take_reference(words: &mut Vec<&str>) -> Option<String> {
    let is_tail = |word: &str| word.len() == REFERENCE_LENGTH && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    for place in 0..words.len() {
        let (tail, taken) = match (words[place], words.get(place + 1)) {
            ("rb", Some(tail)) if is_tail(tail) => (*tail, 2),
            (word, _) => match word.strip_prefix("rb") {
                Some(tail) if is_tail(tail) => (tail, 1),
                _ => continue,
            },
        };
        let reference = format!("RB-{}", tail.to_ascii_uppercase());
        words.drain(place..place + taken);
        return Some(reference);
    }
    None
}

/// Whether the words are one or more phrases of [`YES`], with only polite words next to them.
fn only_yes(words: &[&str]) -> bool {
    let mut rest = words;
    let mut yes = false;
    while !rest.is_empty() {
        let begins = |phrase: &&&str| {
            let mut length = 0;
            let fits = phrase.split(' ').all(|word| {
                length += 1;
                rest.get(length - 1) == Some(&word)
            });
            fits.then_some(length)
        };
        let longest = |phrases: &[&str]| phrases.iter().filter_map(|phrase| begins(&phrase)).max();
        if let Some(length) = longest(YES) {
            yes = true;
            rest = &rest[length..];
        } else if let Some(length) = longest(POLITE) {
            rest = &rest[length..];
        } else {
            return false;
        }
    }
    yes
}

/// Appends the reply instructions to a body. Uses the short form if the long form would need another segment.
pub fn inviting(body: &str, language: &str) -> String {
    let with = |hint: &str| format!("{} {hint}", body.trim_end());
    let long = with(how_to_reply(language, false));
    if segments(&long).count > segments(body).count {
        with(how_to_reply(language, true))
    } else {
        long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_a_yes_in_both_languages_and_with_a_reference() {
        for body in [
            "1",
            " 1 ",
            "1.",
            "OK",
            "ok!",
            "Oui",
            "oui, j'arrive",
            "J’arrive!",
            "yes",
            "Yes please",
            "d'accord",
            "👍",
            "Je m’en occupe, merci",
            "on my way",
            "ok 1",
            "I'm on it",
            "J'y vais tout de suite",
            "RB-7K2M4Q 1",
        ] {
            assert!(read(body).takes, "{body}");
        }
        for body in [
            "1 RB-7K2M4Q",
            "rb-7k2m4q ok",
            "ok RB7K2M4Q",
            "oui (Réf RB-7K2M4Q)".replace("Réf ", "").as_str(),
        ] {
            let reply = read(body);
            assert_eq!(
                (reply.reference.as_deref(), reply.takes),
                (Some("RB-7K2M4Q"), true),
                "{body}"
            );
        }
    }

    #[test]
    fn anything_more_is_no_yes() {
        for body in [
            "",
            "no",
            "non",
            "2",
            "11",
            "ok but I cannot",
            "oui mais pas avant demain",
            "pas moi",
            "who is this?",
            "pris?",
            "taken ?",
            "ok?",
            "got it?",
            "ok?no",
            "STOP",
            "1 2 3",
            "merci",
            "je ne peux pas",
            "RB-7K2M4Q",
            "yesterday",
        ] {
            assert!(!read(body).takes, "{body}");
        }
    }

    #[test]
    fn a_zero_objects() {
        for body in ["0", " 0. ", "0 RB-7K2M4Q", "RB-7K2M4Q 0"] {
            assert!(read(body).objects && !read(body).takes, "{body}");
        }
        for body in ["", "1", "10", "0 1", "no", "00"] {
            assert!(!read(body).objects, "{body}");
        }
    }

    #[test]
    fn how_to_answer_costs_no_part_more_where_it_can() {
        assert_eq!(inviting("Flood", "fr"), "Flood Répondez 1 si vous y allez.");
        assert_eq!(inviting("Flood", "en"), "Flood Reply 1 to take it.");
        let full = "a".repeat(150);
        assert_eq!(inviting(&full, "fr"), format!("{full} 1=OK"));
        // A single letter outside the GSM alphabet changes the encoding to UCS-2, which leaves less room.
        let wide = format!("ê{}", "a".repeat(60));
        assert_eq!(segments(&inviting(&wide, "fr")).count, 1);
    }
}
