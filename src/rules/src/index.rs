//! Selects the rules that could match, so that a decision evaluates only these rules. The selection contains every rule
//! that matches, and possibly rules that do not match.
//!
//! A rule that requires `fact == literal`, `fact in [..]` or `says(..)` is indexed under the rarest of these terms.
//! Every other rule is always a candidate.

use std::collections::HashMap;

use super::condition::{Op, Test};
use super::facts::Fact;
use super::hearing::WordId;
use super::vocabulary::{Env, Slot};

/// A term that a condition requires: a fact has one of these values, or one of these words was said.
enum Term<'a> {
    Values(Slot, &'a [Fact]),
    Words(&'a [WordId]),
}

/// The index over one list of rules.
#[derive(Debug, Clone, Default)]
pub struct Index {
    always: Vec<u32>,
    values: Vec<(Slot, HashMap<Fact, Vec<u32>>)>,
    words: HashMap<WordId, Vec<u32>>,
}

impl Index {
    /// Indexes every condition under its most selective required term.
    #[must_use]
    pub fn new(tests: &[&Test]) -> Self {
        let terms: Vec<Vec<Term<'_>>> = tests.iter().map(|test| necessary(test)).collect();
        let mut value_counts: HashMap<(Slot, &Fact), usize> = HashMap::new();
        let mut word_counts: HashMap<WordId, usize> = HashMap::new();
        for term in terms.iter().flatten() {
            match term {
                Term::Values(slot, facts) => {
                    for fact in *facts {
                        *value_counts.entry((*slot, fact)).or_default() += 1;
                    }
                }
                Term::Words(words) => {
                    for word in *words {
                        *word_counts.entry(*word).or_default() += 1;
                    }
                }
            }
        }
        let crowd = |term: &Term<'_>| -> usize {
            match term {
                Term::Values(slot, facts) => {
                    let counts = facts.iter().map(|fact| value_counts.get(&(*slot, fact)).copied());
                    counts.map(Option::unwrap_or_default).max().unwrap_or_default()
                }
                Term::Words(words) => {
                    let counts = words.iter().map(|word| word_counts.get(word).copied());
                    counts.map(Option::unwrap_or_default).max().unwrap_or_default()
                }
            }
        };

        let mut index = Self::default();
        for (place, terms) in (0u32..).zip(&terms) {
            match terms.iter().min_by_key(|term| crowd(term)) {
                None => index.always.push(place),
                Some(Term::Words(words)) => {
                    for word in *words {
                        index.words.entry(*word).or_default().push(place);
                    }
                }
                Some(Term::Values(slot, facts)) => {
                    let table = index.table(*slot);
                    for fact in *facts {
                        table.entry(fact.clone()).or_default().push(place);
                    }
                }
            }
        }
        index
    }

    fn table(&mut self, slot: Slot) -> &mut HashMap<Fact, Vec<u32>> {
        let place = self
            .values
            .iter()
            .position(|(known, _)| *known == slot)
            .unwrap_or_else(|| {
                self.values.push((slot, HashMap::new()));
                self.values.len() - 1
            });
        &mut self.values[place].1
    }

    /// Returns the positions of the rules that may match, ascending, without duplicates.
    #[must_use]
    pub fn candidates(&self, env: &Env<'_>) -> Vec<u32> {
        let mut found = self.always.clone();
        for (slot, table) in &self.values {
            if let Some(places) = env.get(*slot).and_then(|fact| table.get(fact)) {
                found.extend_from_slice(places);
            }
        }
        if !self.words.is_empty() {
            for word in &env.heard {
                if let Some(places) = self.words.get(word) {
                    found.extend_from_slice(places);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Returns the terms that a condition requires.
fn necessary(test: &Test) -> Vec<Term<'_>> {
    match test {
        Test::Compare(slot, Op::Eq, fact) => vec![Term::Values(*slot, std::slice::from_ref(fact))],
        Test::In(slot, facts) => vec![Term::Values(*slot, facts)],
        Test::Says(words) => vec![Term::Words(words)],
        Test::All(tests) => tests.iter().flat_map(necessary).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::rows::RowSet;
    use crate::vocabulary::Vocabulary;
    use proptest::prelude::*;

    fn some_test() -> impl Strategy<Value = Test> {
        let fact = (0i64..4).prop_map(|n| Fact::Number(n.into()));
        let leaf = prop_oneof![
            any::<bool>().prop_map(Test::Always),
            (0usize..3, fact.clone()).prop_map(|(slot, fact)| Test::Compare(slot, Op::Eq, fact)),
            (0usize..3, fact.clone()).prop_map(|(slot, fact)| Test::Compare(slot, Op::Ne, fact)),
            (0usize..3, prop::collection::vec(fact, 1..3)).prop_map(|(slot, facts)| Test::In(slot, facts)),
            prop::collection::vec(0u32..6, 1..3).prop_map(Test::Says),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|test| Test::Not(Box::new(test))),
                prop::collection::vec(inner.clone(), 1..3).prop_map(Test::All),
                prop::collection::vec(inner, 1..3).prop_map(Test::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_index_never_leaves_out_a_rule_that_holds(
            tests in prop::collection::vec(some_test(), 0..20),
            facts in prop::collection::vec(prop::option::of(0i64..4), 3),
            heard in prop::collection::btree_set(0u32..6, 0..4),
        ) {
            let (none, vocabulary) = (Facts::new(), Vocabulary::new(&RowSet::default()));
            let mut env = vocabulary.env(&none, heard.into_iter().collect());
            for (slot, fact) in facts.into_iter().enumerate() {
                if let Some(number) = fact {
                    env.set(slot, Fact::Number(number.into()));
                }
            }
            let candidates = Index::new(&tests.iter().collect::<Vec<_>>()).candidates(&env);
            prop_assert!(candidates.is_sorted());
            let holding: Vec<u32> = (0u32..).zip(&tests).filter(|(_, test)| test.holds(&env)).map(|(place, _)| place).collect();
            let by_index: Vec<u32> = candidates.into_iter().filter(|place| tests[*place as usize].holds(&env)).collect();
            prop_assert_eq!(by_index, holding);
        }
    }
}
