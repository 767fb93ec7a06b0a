//! Decides whether conditions can be true together. The search finds a call in a [`World`] that fulfills all
//! conditions, proves that no call fulfills them, or gives up.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::values::{Values, beside};
use super::world::World;
use rules::condition::{Op, Test};
use rules::facts::Fact;
use rules::hearing::WordId;
use rules::vocabulary::{Env, Slot};

/// Maximum number of terms that one search examines before it gives up.
const MAX_TERMS: u32 = 4_000;
/// Maximum number of pending alternatives. Each alternative is one level of recursion.
const DEEPEST: u32 = 200;

/// A test, and whether it must be true or false.
pub(super) type RequiredTest<'t> = (&'t Test, bool);

/// The result of a search.
pub(super) enum Solution {
    /// A call that fulfills all tests.
    Call(Env<'static>),
    /// No call fulfills all tests.
    Impossible,
    /// The search took too long, or no suitable value was found.
    GivenUp,
}

/// Searches for a call in which every test has the wanted result.
pub(super) fn search(world: &World<'_>, wanted: &[RequiredTest<'_>]) -> Solution {
    let state = SolverState {
        todo: wanted.to_vec(),
        ..SolverState::default()
    };
    let mut search = Search {
        world,
        wanted,
        terms_left: MAX_TERMS,
    };
    search.from(state, 0)
}

/// The possible results of comparing two facts, as bits.
const LESS: u8 = 1;
const EQUAL: u8 = 2;
const MORE: u8 = 4;
const INCOMPARABLE: u8 = 8;

#[derive(Clone, Default)]
struct SolverState<'t> {
    todo: Vec<RequiredTest<'t>>,
    /// In each list, at least one test must have the given result.
    choices: Vec<(&'t [Test], bool)>,
    facts: BTreeMap<Slot, Values>,
    pairs: BTreeMap<(Slot, Slot), u8>,
    /// In each list, at least one phrase or concept must be heard.
    heard: Vec<&'t [WordId]>,
    silent: BTreeSet<WordId>,
    /// Phrases and concepts whose words must occur in the call.
    mentioned: BTreeSet<WordId>,
    /// Phrases and concepts that the caller must deny.
    denied: BTreeSet<WordId>,
}

struct Search<'w, 'a, 't> {
    world: &'w World<'a>,
    wanted: &'w [RequiredTest<'t>],
    terms_left: u32,
}

impl<'t> Search<'_, '_, 't> {
    fn from(&mut self, mut state: SolverState<'t>, depth: u32) -> Solution {
        while let Some((test, holds)) = state.todo.pop() {
            if self.terms_left == 0 || !self.world.spend(1) {
                return Solution::GivenUp;
            }
            self.terms_left -= 1;
            if !self.take(&mut state, test, holds) {
                return Solution::Impossible;
            }
        }
        let Some(heard) = self.words(&state) else {
            return Solution::Impossible;
        };
        let Some((tests, holds)) = state.choices.pop() else {
            return self.call(&state, heard);
        };
        if depth == DEEPEST {
            return Solution::GivenUp;
        }
        let mut given_up = false;
        for test in tests {
            let mut next = state.clone();
            next.todo.push((test, holds));
            match self.from(next, depth + 1) {
                Solution::Impossible => {}
                Solution::GivenUp => given_up = true,
                call @ Solution::Call(_) => return call,
            }
        }
        if given_up {
            Solution::GivenUp
        } else {
            Solution::Impossible
        }
    }

    /// Adds one test to the state. Returns false if the test contradicts the state.
    fn take(&self, state: &mut SolverState<'t>, test: &'t Test, holds: bool) -> bool {
        match test {
            Test::Always(value) => return *value == holds,
            Test::Not(inner) => state.todo.push((inner, !holds)),
            Test::All(tests) if holds => state.todo.extend(tests.iter().map(|test| (test, true))),
            Test::Any(tests) if !holds => state.todo.extend(tests.iter().map(|test| (test, false))),
            Test::All(tests) | Test::Any(tests) => match tests.as_slice() {
                [] => return false,
                [one] => state.todo.push((one, holds)),
                _ => state.choices.push((tests, holds)),
            },
            Test::Truth(slot) => return self.fact(state, *slot, Values::one_of([Fact::Boolean(true)]), holds),
            Test::Compare(slot, op, literal) => {
                return self.fact(state, *slot, Values::compared(*op, literal), holds);
            }
            Test::In(slot, literals) => {
                return self.fact(state, *slot, Values::one_of(literals.iter().cloned()), holds);
            }
            Test::NotIn(slot, literals) => {
                let values = Values::one_of(literals.iter().cloned()).others().or_missing(false);
                return self.fact(state, *slot, values, holds);
            }
            Test::CompareFacts(left, op, right) => return self.pair(state, *left, *op, *right, holds),
            Test::Says(words) if holds => state.heard.push(words),
            Test::Says(words) => state.silent.extend(words),
            // The tests `Mentions` and `Denies` are compatible with any heard words.
            Test::Mentions(words) if holds => state.mentioned.extend(words.first()),
            Test::Denies(words) if holds => state.denied.extend(words.first()),
            Test::Mentions(_) | Test::Denies(_) => {}
        }
        true
    }

    fn fact(&self, state: &mut SolverState<'t>, slot: Slot, values: Values, holds: bool) -> bool {
        let values = if holds { values } else { values.others() };
        let (slot, values) = self.world.rooted(slot, values);
        let known = state.facts.get(&slot).unwrap_or_else(|| self.world.values(slot));
        let both = known.both(&values);
        let possible = !both.is_empty();
        state.facts.insert(slot, both);
        possible
    }

    fn pair(&self, state: &mut SolverState<'t>, left: Slot, op: Op, right: Slot, holds: bool) -> bool {
        let (left, op, right) = if left <= right {
            (left, op, right)
        } else {
            (right, op.flipped(), left)
        };
        let mut allowed = match op {
            Op::Eq => EQUAL,
            Op::Ne => LESS | MORE,
            Op::Lt => LESS,
            Op::Le => LESS | EQUAL,
            Op::Gt => MORE,
            Op::Ge => MORE | EQUAL,
        };
        if !holds {
            allowed = !allowed & (LESS | EQUAL | MORE | INCOMPARABLE);
        }
        if left == right {
            allowed &= EQUAL | INCOMPARABLE;
        }
        let known = state.pairs.entry((left, right)).or_insert(u8::MAX);
        *known &= allowed;
        if *known == 0 {
            return false;
        }
        let both_there = *known & INCOMPARABLE == 0;
        let there =
            |state: &mut SolverState<'t>, slot| self.fact(state, slot, Values::anything().or_missing(false), true);
        !both_there || (there(state, left) && there(state, right))
    }

    /// From each list in `state.heard`, chooses one word and adds all words that this word implies. Returns `None` if
    /// every word of a list implies a word that must not be heard.
    fn words(&self, state: &SolverState<'t>) -> Option<Vec<WordId>> {
        let mut heard = BTreeSet::new();
        for words in &state.heard {
            let mut ways = words.iter().map(|word| self.world.implied(*word));
            heard.extend(ways.find(|implied| !implied.iter().any(|word| state.silent.contains(word)))?);
        }
        Some(heard.into_iter().collect())
    }

    /// Returns the call that was found, if the call is valid. The search does not try every combination of comparisons
    /// between facts.
    fn call(&self, state: &SolverState<'t>, heard: Vec<WordId>) -> Solution {
        let mut call = self.world.call(&state.facts, heard);
        if let Some(call) = &mut call {
            call.mentioned = state.mentioned.iter().copied().collect();
            call.denied = state.denied.iter().copied().collect();
            for (pair, allowed) in &state.pairs {
                self.arrange(state, call, *pair, *allowed);
            }
        }
        let fits = |call: &Env<'static>| self.wanted.iter().all(|(test, holds)| test.holds(call) == *holds);
        call.filter(fits).map_or(Solution::GivenUp, Solution::Call)
    }

    /// Makes two facts compare as required: changes the second fact to a value next to the first fact's value. If this
    /// is impossible, changes the first fact instead.
    fn arrange(&self, state: &SolverState<'t>, call: &mut Env<'static>, (left, right): (Slot, Slot), allowed: u8) {
        let fits = |a: &Fact, b: &Fact| {
            let bit = match a.cmp(b) {
                Ordering::Less => LESS,
                Ordering::Equal => EQUAL,
                Ordering::Greater => MORE,
            };
            allowed & bit != 0
        };
        let (Some(a), Some(b)) = (call.get(left).cloned(), call.get(right).cloned()) else {
            return;
        };
        if fits(&a, &b) {
            return;
        }
        let values = |slot: Slot| state.facts.get(&slot).unwrap_or_else(|| self.world.values(slot));
        let near = |fact: &Fact| std::iter::once(fact.clone()).chain(beside(fact));
        if let Some(b) = near(&a).find(|b| values(right).holds(b) && fits(&a, b)) {
            call.set(right, b);
        } else if let Some(a) = near(&b).find(|a| values(left).holds(a) && fits(a, &b)) {
            call.set(left, a);
        }
    }
}
