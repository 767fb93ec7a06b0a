//! Explains why rows had no effect on a decision, for example with the first term of a condition that failed.

use chrono::{DateTime, Utc};

use super::compile::{Rulebook, Rules};
use super::condition::{Op, Test};
use super::decide::Deciding;
use super::decision::{Decision, Step};
use super::facts::{ExtractedFacts, Fact};
use super::hearing::WordId;
use super::rows::{Adjustment, Hook, Resource, Row, Service};
use super::vocabulary::{Env, Slot};

impl Rulebook {
    /// Decides about these facts. Returns a step with the reason for each row that had no effect on the decision.
    #[must_use]
    pub fn explain(&self, extracted: &ExtractedFacts, at: DateTime<Utc>) -> Vec<Step> {
        self.explain_decision(extracted, at, &self.decide(extracted, at))
    }

    /// Returns the reason for each row that has no step in the decision's trace. The rows are services, areas,
    /// adjustments, taxes, priority rules and scripts, in the order of the decision. These reasons are computed only on
    /// request; a decision does not contain them.
    #[must_use]
    pub fn explain_decision(&self, extracted: &ExtractedFacts, at: DateTime<Utc>, decision: &Decision) -> Vec<Step> {
        let mut deciding = Deciding::new(self, extracted, at);
        let mut steps = self.other_services(extracted, decision);
        steps.extend(self.other_areas(extracted, decision));
        steps.extend(self.adjustments.with_tests().filter_map(|(row, test)| {
            let why = self.adjustment_left_out(row, test, &deciding.env, at, decision)?;
            Some(Step::plain(Resource::Adjustments, &row.code, why))
        }));
        deciding.tell_price(decision.price.as_ref());
        if decision.price.is_none() {
            steps.extend(
                self.taxes
                    .iter()
                    .map(|tax| Step::plain(Resource::Taxes, &tax.code, "there is no price")),
            );
        }
        steps.extend(self.other_priorities(&self.priorities, &deciding.env, decision));
        for hook in [Hook::Price, Hook::Priority] {
            let silent = self
                .scripts(hook)
                .filter(|script| !took_part(decision, Resource::Scripts, &script.row().code));
            steps.extend(silent.map(|script| {
                let why = match hook {
                    Hook::Price if decision.price.is_none() => "not run: there is no price",
                    _ => "ran and changed nothing",
                };
                Step::plain(Resource::Scripts, &script.row().code, why)
            }));
        }
        steps
    }

    fn other_services(&self, extracted: &ExtractedFacts, decision: &Decision) -> Vec<Step> {
        let heard = self.listen(extracted);
        let why = |service: &Service| match (self.services.why_not(service, &heard), &decision.service) {
            (Some(why), Some(first)) if !why.contains(", but ") => format!("{why}, but {first} came first"),
            (Some(why), _) => why,
            (None, _) => "not named, and none of its words heard".to_owned(),
        };
        self.services()
            .filter(|service| decision.service.as_ref() != Some(&service.code))
            .map(|service| Step::plain(Resource::Services, &service.code, why(service)))
            .collect()
    }

    fn other_areas(&self, extracted: &ExtractedFacts, decision: &Decision) -> Vec<Step> {
        let known = ["postal_code", "city"]
            .iter()
            .any(|name| extracted.facts.contains_key(*name));
        let why = if known {
            "neither the postal code nor the city lies in it"
        } else {
            "neither a postal code nor a city is known"
        };
        self.areas
            .ranked()
            .filter(|area| decision.area.as_ref() != Some(&area.code))
            .map(|area| Step::plain(Resource::Areas, &area.code, why))
            .collect()
    }

    fn adjustment_left_out(
        &self,
        row: &Adjustment,
        test: &Test,
        env: &Env<'_>,
        at: DateTime<Utc>,
        decision: &Decision,
    ) -> Option<String> {
        if !test.holds(env) {
            return Some(self.why_not(test, env));
        }
        if let Some(from) = row.valid_from.filter(|from| at < *from) {
            return Some(format!("holds, but is only valid from {}", from.to_rfc3339()));
        }
        if let Some(until) = row.valid_until.filter(|until| at >= *until) {
            return Some(format!("holds, but was only valid until {}", until.to_rfc3339()));
        }
        let silent = !took_part(decision, Resource::Adjustments, &row.code);
        silent.then(|| "holds, but there is no price to change".to_owned())
    }

    fn other_priorities<R: Row>(&self, rules: &Rules<R>, env: &Env<'_>, decision: &Decision) -> Vec<Step> {
        let first = decision.priority_rule.as_deref();
        let others = rules.with_tests().filter(|(row, _)| first != Some(row.code()));
        let why = |test: &Test| match first {
            Some(first) if test.holds(env) => format!("holds, but {first} came first"),
            _ => self.why_not(test, env),
        };
        others
            .map(|(row, test)| Step::plain(R::RESOURCE, row.code(), why(test)))
            .collect()
    }

    /// Describes the first term that makes a test fail.
    fn why_not(&self, test: &Test, env: &Env<'_>) -> String {
        match test {
            Test::All(tests) => match tests.iter().find(|test| !test.holds(env)) {
                Some(test) => self.why_not(test, env),
                None => String::new(),
            },
            Test::Any(tests) => match tests.first() {
                Some(test) => format!(
                    "none of {} alternatives holds; the first: {}",
                    tests.len(),
                    self.why_not(test, env)
                ),
                None => String::new(),
            },
            Test::Not(inner) => format!("must be false, but is true: {}", self.term(inner)),
            Test::Says(words) => self.not_heard(words, test, env),
            Test::Mentions(_) => format!("not heard: {}", self.term(test)),
            Test::Denies(_) => format!("not denied: {}", self.term(test)),
            Test::Truth(slot) | Test::Compare(slot, ..) | Test::In(slot, _) | Test::NotIn(slot, _) => {
                format!("{} fails: {}", self.term(test), self.value(*slot, env))
            }
            Test::CompareFacts(left, _, right) => {
                format!(
                    "{} fails: {}, {}",
                    self.term(test),
                    self.value(*left, env),
                    self.value(*right, env)
                )
            }
            Test::Always(_) => "never holds".to_owned(),
        }
    }

    /// Distinguishes a word that was not heard from a word that was heard and does not count. The trace shows why the
    /// word does not count.
    fn not_heard(&self, words: &[WordId], test: &Test, env: &Env<'_>) -> String {
        let heard = words.iter().find(|word| env.mentioned.binary_search(word).is_ok());
        match heard {
            Some(word) => format!(
                "\"{}\" is mentioned, but does not count: {}",
                self.ears.lexicon().name(*word),
                self.term(test)
            ),
            None => format!("not heard: {}", self.term(test)),
        }
    }

    fn call(&self, function: &str, words: &[WordId]) -> String {
        let names = words
            .iter()
            .map(|word| format!("\"{}\"", self.ears.lexicon().name(*word)));
        format!("{function}({})", names.collect::<Vec<_>>().join(", "))
    }

    fn value(&self, slot: Slot, env: &Env<'_>) -> String {
        let name = self.vocabulary.name(slot);
        env.get(slot).map_or_else(
            || format!("{name} is missing"),
            |fact| format!("{name} is {}", shown(fact)),
        )
    }

    /// Formats a test as text, similar to the condition in the row.
    fn term(&self, test: &Test) -> String {
        let name = |slot: &Slot| self.vocabulary.name(*slot);
        let list = |facts: &[Fact]| facts.iter().map(shown).collect::<Vec<_>>().join(", ");
        let parts = |tests: &[Test], with: &str| {
            let terms: Vec<String> = tests.iter().map(|test| self.term(test)).collect();
            format!("({})", terms.join(with))
        };
        match test {
            Test::Always(value) => value.to_string(),
            Test::Truth(slot) => name(slot).to_owned(),
            Test::Compare(slot, op, fact) => format!("{} {} {}", name(slot), sign(*op), shown(fact)),
            Test::CompareFacts(left, op, right) => format!("{} {} {}", name(left), sign(*op), name(right)),
            Test::In(slot, facts) => format!("{} in [{}]", name(slot), list(facts)),
            Test::NotIn(slot, facts) => format!("{} !in [{}]", name(slot), list(facts)),
            Test::Says(words) => self.call("says", words),
            Test::Mentions(words) => self.call("mentions", words),
            Test::Denies(words) => self.call("denies", words),
            Test::Not(inner) => format!("!{}", self.term(inner)),
            Test::All(tests) => parts(tests, " && "),
            Test::Any(tests) => parts(tests, " || "),
        }
    }
}

const fn sign(op: Op) -> &'static str {
    match op {
        Op::Eq => "==",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

fn took_part(decision: &Decision, resource: Resource, code: &str) -> bool {
    let is = |step: &Step| step.resource == resource.path() && step.code == code;
    decision.trace.iter().any(is)
}

fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Boolean(value) => value.to_string(),
        Fact::Number(value) => value.normalize().to_string(),
        Fact::Text(text) => format!("\"{text}\""),
        Fact::Time(time) => time.to_rfc3339(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compile, sample};

    #[test]
    fn every_rule_that_does_not_hold_names_its_first_failing_term() {
        let book = compile(1, &sample::rows(), None).unwrap();
        let extracted = ExtractedFacts {
            facts: [("urgency", "urgent"), ("service_text", "racines")]
                .map(|(name, text)| (name.to_owned(), Fact::Text(text.to_owned())))
                .into(),
            said: "merci".to_owned(),
            ..ExtractedFacts::default()
        };
        let steps = book.explain(&extracted, "2026-11-24T15:00:00Z".parse().unwrap());
        let why = |code: &str| {
            steps
                .iter()
                .find(|step| format!("{}/{}", step.resource, step.code) == code)
                .map(|step| step.did.as_str())
        };
        assert_eq!(
            why("adjustments/south_shore"),
            Some("area == \"south_shore\" fails: area is missing")
        );
        assert_eq!(
            why("adjustments/urgent_off_hours"),
            Some("none of 2 alternatives holds; the first: evening fails: evening is false")
        );
        assert_eq!(
            why("priority-rules/municipal"),
            Some("none of 2 alternatives holds; the first: sounds_municipal >= 60 fails: sounds_municipal is missing")
        );
        assert_eq!(why("adjustments/minimum"), None);
        assert_eq!(why("services/root_removal"), None, "the service that was found");
        assert_eq!(
            why("services/camera_inspection"),
            Some("not named, and none of its words heard")
        );
        assert!(steps.iter().any(|step| step.resource == "areas"));
    }
}
