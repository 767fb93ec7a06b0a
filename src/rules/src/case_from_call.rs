//! Turns a stored call into a case that checks its decision. A case never stores more of the caller's data than its
//! decision needs.
//!
//! Only facts that a rule reads are stored, so the caller's name, number, street and address are not. A postal code is
//! shortened to the part that distinguishes areas. A transcript is reduced to the words that rules listen for. Each
//! reduction is tested. If a reduction would change the decision, less data is removed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::compile::{Rulebook, Rules};
use super::condition::Test;
use super::decision::Decision;
use super::derive;
use super::facts::{ExtractedFacts, Fact, Facts};
use super::hearing::AGENT_LINE;
use super::money::Money;
use super::rows::{Case, Hook, Priority, Row};

const SERVICE: &str = "/service";
const OFFER: &str = "/offer";
const PRIORITY: &str = "/priority";
const SLA: &str = "/sla_seconds";
const PRICE: &str = "/price";
const CURRENCY: &str = "/price/currency";
/// JSON pointers to the lowest and the highest total with taxes in a decision.
const TOTALS: [&str; 2] = ["/price/total_from", "/price/total_to"];
/// JSON pointers to the values in a decision that a case checks.
const HELD: [&str; 6] = [SERVICE, OFFER, "/area", PRIORITY, SLA, "/language"];
/// JSON pointers to the values of the price in a decision that a case checks, if the decision has a price.
const HELD_OF_PRICE: [&str; 3] = [CURRENCY, "/price/from", "/price/to"];

/// The data from which a case is created.
pub struct ToKeep<'a> {
    /// The code of the case.
    pub code: &'a str,
    /// A description of what the case shows.
    pub comment: &'a str,
    /// The facts of the message.
    pub extracted: &'a ExtractedFacts,
    /// The instant of the decision.
    pub at: DateTime<Utc>,
    /// The decision that the case checks, as JSON.
    pub decision: &'a Value,
}

/// The correct outcome, if a decision was wrong.
#[derive(Debug, Clone, Default)]
pub struct Correction {
    /// The code of the correct service.
    pub service: Option<String>,
    /// The correct priority.
    pub priority: Option<Priority>,
    /// The correct total, with taxes.
    pub total: Option<Money>,
}

impl Correction {
    /// Corrects the expectations of a case. If the service was wrong, the expected offer and price are removed. If the
    /// priority was wrong, the expected callback time is removed.
    fn correct(&self, expect: &mut BTreeMap<String, Value>) {
        if let Some(service) = &self.service
            && expect.get(SERVICE) != Some(&Value::from(service.as_str()))
        {
            expect.retain(|place, _| place != OFFER && !place.starts_with(PRICE));
            expect.insert(SERVICE.to_owned(), service.as_str().into());
        }
        if let Some(priority) = self.priority
            && expect.get(PRIORITY) != Some(&Value::from(priority.name()))
        {
            expect.remove(SLA);
            expect.insert(PRIORITY.to_owned(), priority.name().into());
        }
        if let Some(total) = self.total {
            expect.retain(|place, _| !place.starts_with(PRICE) || place == CURRENCY);
            for place in TOTALS {
                expect.insert(place.to_owned(), total.to_string().into());
            }
        }
    }
}

impl Rulebook {
    /// Returns the case with the corrected outcome, and whether this rulebook already decides that way. If the rulebook
    /// decides that way, the case contains as little of the caller's data as any other case. Otherwise nobody knows yet
    /// which words will matter, so the case contains all of `said`.
    #[must_use]
    pub fn corrected_case_of(&self, keep: &ToKeep<'_>, right: &Correction, said: &str) -> (Case, bool) {
        let mut short = self.case_of(keep);
        right.correct(&mut short.expect);
        if self.run_case(&short).passed {
            return (short, true);
        }
        let needed = self.needed(&keep.extracted.facts, &self.facts_read());
        let mut case = case(keep, &needed, said.to_owned());
        right.correct(&mut case.expect);
        let passed = self.run_case(&case).passed;
        (case, passed)
    }

    /// Creates the case that checks a stored decision.
    #[must_use]
    pub fn case_of(&self, keep: &ToKeep<'_>) -> Case {
        let whole = self.decide(keep.extracted, keep.at);
        let read = self.facts_read();
        let (needed, all) = (
            self.needed(&keep.extracted.facts, &read),
            self.mapped(&keep.extracted.facts),
        );
        let mut short = needed.clone();
        short.remove(derive::PROBLEM);
        if !read.contains(derive::POSTAL_CODE)
            && let Some(Fact::Text(code)) = short.get_mut(derive::POSTAL_CODE)
        {
            *code = derive::postal(code).chars().take(self.areas.longest_prefix()).collect();
        }
        // The language may have been guessed from words that the case does not contain.
        if self.rows().fact_mappings.contains_key(derive::LANGUAGE) {
            short.insert(derive::LANGUAGE.to_owned(), Fact::Text(whole.language.clone()));
        }
        let said = &keep.extracted.said;
        let cuts = [
            (&short, self.words_of(keep.extracted)),
            (&short, self.turns_with_words(said)),
            (&needed, self.turns_with_words(said)),
            (&needed, said.clone()),
        ];
        for (facts, said) in cuts {
            let case = case(keep, facts, said);
            let decided = self.extract_named(&case.facts, case.said.clone());
            if decided.is_ok_and(|extracted| same(&self.decide(&extracted, keep.at), &whole)) {
                return case;
            }
        }
        case(keep, &all, said.clone())
    }

    /// Returns the names of the facts that a decision reads in conditions, as quantities or in scripts.
    fn facts_read(&self) -> BTreeSet<String> {
        let mut read = BTreeSet::new();
        self.read_by(&self.adjustments, &mut read);
        self.read_by(&self.priorities, &mut read);
        read.extend(self.services().filter_map(|service| service.quantity_fact.clone()));
        let hooks = [Hook::Price, Hook::Priority, Hook::Library];
        let scripts = || hooks.into_iter().flat_map(|hook| self.scripts(hook));
        for name in self.vocabulary.names() {
            let quoted = format!("\"{name}\"");
            if scripts().any(|script| script.row().source.contains(&quoted)) {
                read.insert(name.to_owned());
            }
        }
        read
    }

    fn read_by<R: Row>(&self, rules: &Rules<R>, read: &mut BTreeSet<String>) {
        let mut tests: Vec<&Test> = rules.with_tests().map(|(_, test)| test).collect();
        while let Some(test) = tests.pop() {
            match test {
                Test::Truth(slot) | Test::Compare(slot, ..) | Test::In(slot, _) | Test::NotIn(slot, _) => {
                    read.insert(self.vocabulary.name(*slot).to_owned());
                }
                Test::CompareFacts(left, _, right) => {
                    read.extend([left, right].map(|slot| self.vocabulary.name(*slot).to_owned()));
                }
                Test::Not(inner) => tests.push(inner),
                Test::All(inner) | Test::Any(inner) => tests.extend(inner),
                Test::Always(_) | Test::Says(_) | Test::Mentions(_) | Test::Denies(_) => {}
            }
        }
    }

    /// Returns the facts that rules read, and the facts from which service, area and language are derived.
    fn needed(&self, facts: &Facts, read: &BTreeSet<String>) -> Facts {
        const DERIVED_FROM: [&str; 5] = [
            derive::SERVICE_TEXT,
            derive::PROBLEM,
            derive::POSTAL_CODE,
            derive::CITY,
            derive::LANGUAGE,
        ];
        let mut needed = self.mapped(facts);
        needed.retain(|name, _| read.contains(name) || DERIVED_FROM.contains(&name.as_str()));
        needed
    }

    /// Returns the facts that are in this rulebook's vocabulary. An older revision with other facts may have decided
    /// the call.
    fn mapped(&self, facts: &Facts) -> Facts {
        let known = |name: &String| self.vocabulary.get(name).is_some();
        let kept = facts.iter().filter(|(name, _)| known(name));
        kept.map(|(name, fact)| (name.clone(), fact.clone())).collect()
    }

    /// Returns the words that rules listen for. Separators ensure that the words form no new phrase.
    fn words_of(&self, extracted: &ExtractedFacts) -> String {
        let heard = self.listen(extracted);
        let mut words: Vec<&str> = Vec::new();
        for mention in &heard.mentions {
            if !words.contains(&mention.words.as_str()) {
                words.push(&mention.words);
            }
        }
        words.join(" | ")
    }

    /// Returns the turns that contain a word that rules listen for.
    fn turns_with_words(&self, said: &str) -> String {
        let lexicon = self.ears.lexicon();
        let turns: Vec<&str> = said.lines().collect();
        let is_heard = |turn: &str| !lexicon.occurring(turn).is_empty();
        // A short answer is understood only with the question before it.
        let answers =
            |place: usize| place > 0 && turns[place - 1].starts_with(AGENT_LINE) && is_heard(turns[place - 1]);
        let kept = turns
            .iter()
            .enumerate()
            .filter(|(place, turn)| is_heard(turn) || answers(*place));
        kept.map(|(_, turn)| *turn).collect::<Vec<_>>().join("\n")
    }
}

fn case(keep: &ToKeep<'_>, facts: &Facts, said: String) -> Case {
    let priced = keep.decision.pointer(PRICE).is_some_and(Value::is_object);
    let of_price: &[&str] = if priced { &HELD_OF_PRICE } else { &[PRICE] };
    let held = HELD.iter().chain(of_price).map(|place| {
        let value = keep.decision.pointer(place).cloned().unwrap_or_default();
        ((*place).to_owned(), value)
    });
    Case {
        code: keep.code.to_owned(),
        comment: keep.comment.to_owned(),
        at: keep.at,
        said,
        facts: plain(facts),
        expect: held.collect(),
    }
}

/// Converts facts to the form that a case contains.
fn plain(facts: &Facts) -> BTreeMap<String, Value> {
    let value = |fact: &Fact| match fact {
        Fact::Boolean(value) => (*value).into(),
        Fact::Number(number) => number.to_string().into(),
        Fact::Text(text) => text.clone().into(),
        Fact::Time(time) => time.to_rfc3339().into(),
    };
    facts.iter().map(|(name, fact)| (name.clone(), value(fact))).collect()
}

/// Whether two decisions have the same outcome; their traces may differ.
fn same(one: &Decision, other: &Decision) -> bool {
    one.service == other.service
        && one.area == other.area
        && one.price == other.price
        && one.priority == other.priority
        && one.sla_seconds == other.sla_seconds
        && one.priority_rule == other.priority_rule
        && one.notify == other.notify
        && one.template == other.template
        && one.language == other.language
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compile, sample};

    const SAID: &str = "Bonjour, ici Zenobie Quatremains.\nJ'ai des racines dans le drain, au 77 rue du Hibou.";

    fn extracted() -> ExtractedFacts {
        let texts = [
            ("customer_name", "Zenobie Quatremains"),
            ("customer_phone", "+14385550177"),
            ("customer_email", "zenobie@exemple.invalid"),
            ("address", "77 rue du Hibou"),
            ("postal_code", "J4K 2M6"),
            ("urgency", "urgent"),
            ("caller", "+14385550177"),
        ];
        ExtractedFacts {
            facts: texts
                .map(|(name, text)| (name.to_owned(), Fact::Text(text.to_owned())))
                .into(),
            said: SAID.to_owned(),
            ..ExtractedFacts::default()
        }
    }

    #[test]
    fn no_more_of_the_caller_is_kept_than_the_decision_takes() {
        let book = compile(1, &sample::rows(), None).unwrap();
        let (extracted, at) = (extracted(), "2026-11-24T15:00:00Z".parse().unwrap());
        let decision = serde_json::to_value(book.decide(&extracted, at)).unwrap();
        let case = book.case_of(&ToKeep {
            code: "kept",
            comment: "",
            extracted: &extracted,
            at,
            decision: &decision,
        });
        let text = serde_json::to_string(&case).unwrap();
        for personal in ["Zenobie", "Quatremains", "0177", "Hibou", "exemple", "2M6"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
        assert_eq!(case.facts["urgency"], "urgent");
        assert_eq!(case.expect["/service"], "root_removal");
        assert_eq!(case.expect["/area"], "south_shore");
        assert!(book.run_case(&case).passed, "{:?}", book.run_case(&case).mismatches);
    }

    #[test]
    fn a_corrected_case_expects_what_is_right_and_nothing_that_follows_from_what_was_wrong() {
        let book = compile(1, &sample::rows(), None).unwrap();
        let (extracted, at) = (extracted(), "2026-11-24T15:00:00Z".parse().unwrap());
        let decision = serde_json::to_value(book.decide(&extracted, at)).unwrap();
        let keep = ToKeep {
            code: "kept",
            comment: "",
            extracted: &extracted,
            at,
            decision: &decision,
        };
        // If the rules already make this decision, the case contains as little of the caller's data as any other case.
        let agreed = Correction {
            service: Some("root_removal".to_owned()),
            ..Correction::default()
        };
        let (case, passed) = book.corrected_case_of(&keep, &agreed, SAID);
        assert!(passed && !case.said.contains("Hibou") && case.expect.contains_key("/price/from"));
        let right = Correction {
            service: Some("camera_inspection".to_owned()),
            priority: Some(Priority::P1),
            total: Some(Money::from_minor(40_000)),
        };
        let (case, passed) = book.corrected_case_of(&keep, &right, "des racines, c'est urgent");
        assert!(!passed);
        assert_eq!(case.said, "des racines, c'est urgent");
        for (place, value) in [
            ("/service", "camera_inspection"),
            ("/priority", "P1"),
            ("/price/total_from", "400.00"),
            ("/price/total_to", "400.00"),
            ("/area", "south_shore"),
        ] {
            assert_eq!(case.expect[place], value, "{place}");
        }
        for place in ["/offer", "/sla_seconds", "/price", "/price/from", "/price/to"] {
            assert!(!case.expect.contains_key(place), "{place}");
        }
    }
}
