//! Why a rule did not take part: every rule whose condition does not hold, and the first term that failed.

use chrono::{DateTime, Utc};

use super::compile::{Rulebook, Rules};
use super::condition::{Op, Test};
use super::decide::Deciding;
use super::decision::Step;
use super::facts::{Extracted, Fact};
use super::rows::Row;
use super::vocabulary::{Env, Slot};

impl Rulebook {
    /// For each adjustment and priority rule that does not hold, in rank order, the first term that failed. Asked for
    /// by people who wonder; a decision itself does not carry it.
    #[must_use]
    pub fn explain(&self, extracted: &Extracted, at: DateTime<Utc>) -> Vec<Step> {
        let mut deciding = Deciding::new(self, extracted, at);
        let price = deciding.price();
        let mut steps = self.left_out(&self.adjustments, &deciding.env);
        deciding.tell_price(price.as_ref());
        steps.extend(self.left_out(&self.priorities, &deciding.env));
        steps
    }

    fn left_out<R: Row>(&self, rules: &Rules<R>, env: &Env<'_>) -> Vec<Step> {
        let failing = rules.with_tests().filter(|(_, test)| !test.holds(env));
        failing
            .map(|(row, test)| Step::plain(R::RESOURCE, row.code(), self.why_not(test, env)))
            .collect()
    }

    /// The first term because of which a test does not hold.
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
            Test::Not(inner) => format!("what must not hold does: {}", self.term(inner)),
            Test::Says(_) => format!("not heard: {}", self.term(test)),
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

    fn value(&self, slot: Slot, env: &Env<'_>) -> String {
        let name = self.vocabulary.name(slot);
        env.get(slot).map_or_else(
            || format!("{name} is missing"),
            |fact| format!("{name} is {}", shown(fact)),
        )
    }

    /// A test as its author wrote it, more or less.
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
            Test::Says(words) => {
                let words: Vec<String> = words
                    .iter()
                    .map(|word| format!("\"{}\"", self.words.name(*word)))
                    .collect();
                format!("says({})", words.join(", "))
            }
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
    use crate::rulebook::{compile, sample};

    #[test]
    fn every_rule_that_does_not_hold_names_its_first_failing_term() {
        let book = compile(1, &sample::rows(), None).unwrap();
        let extracted = Extracted {
            facts: [("urgency", "urgent"), ("service_text", "racines")]
                .map(|(name, text)| (name.to_owned(), Fact::Text(text.to_owned())))
                .into(),
            said: "merci".to_owned(),
        };
        let steps = book.explain(&extracted, "2026-11-24T15:00:00Z".parse().unwrap());
        let why = |code: &str| {
            steps
                .iter()
                .find(|step| step.code == code)
                .map(|step| step.did.as_str())
        };
        assert_eq!(
            why("south_shore"),
            Some("area == \"south_shore\" fails: area is missing")
        );
        assert_eq!(
            why("urgent_off_hours"),
            Some("none of 2 alternatives holds; the first: evening fails: evening is false")
        );
        assert_eq!(
            why("municipal"),
            Some("not heard: says(\"municipal*\", \"ville de\", \"city of\")")
        );
        assert_eq!(why("minimum"), None);
    }
}
