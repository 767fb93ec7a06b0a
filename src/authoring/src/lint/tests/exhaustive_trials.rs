//! Compares the search for a call with exhaustive trials. The conditions are random, and concern a few facts with few
//! possible values.

use proptest::prelude::*;
use serde_json::json;

use super::{put, rule};
use crate::lint::solve::{Solution, search};
use crate::lint::world::World;
use rules::condition::{Op, Test};
use rules::facts::{Fact, Facts};
use rules::rows::{FactMapping, RowSet};
use rules::{Rulebook, compile, sample};

/// Returns the sample rulebook with four more facts, and a rule that listens for four phrases.
fn small_world() -> RowSet {
    let mut rows = sample::rows();
    for (code, kind) in [
        ("a_text", "text"),
        ("a_number", "number"),
        ("b_number", "number"),
        ("a_boolean", "boolean"),
    ] {
        put::<FactMapping>(&mut rows, json!({"code": code, "pointers": ["/x"], "kind": kind}));
    }
    rule(
        &mut rows,
        "words",
        900,
        "P4",
        "says(\"red\", \"red*\", \"red hat\", \"blue\")",
    );
    rows
}

/// The facts of [`small_world`]; a [`Test`] refers to a fact by its index in this list.
const FACTS: [&str; 4] = ["a_text", "a_number", "b_number", "a_boolean"];

fn some_test() -> impl Strategy<Value = Test> {
    let number = || (0i64..3).prop_map(|n| Fact::Number(n.into()));
    let op = prop_oneof![
        Just(Op::Eq),
        Just(Op::Ne),
        Just(Op::Lt),
        Just(Op::Le),
        Just(Op::Gt),
        Just(Op::Ge),
    ];
    let text = || (0usize..3).prop_map(|n| Fact::Text(["x", "y", "z"][n].to_owned()));
    let leaf = prop_oneof![
        Just(Test::Always(true)),
        Just(Test::Truth(3)),
        (any::<bool>(), text()).prop_map(|(same, text)| Test::Compare(0, if same { Op::Eq } else { Op::Ne }, text)),
        prop::collection::vec(text(), 1..3).prop_map(|texts| Test::In(0, texts)),
        prop::collection::vec(text(), 1..3).prop_map(|texts| Test::NotIn(0, texts)),
        (1usize..3, op.clone(), number()).prop_map(|(slot, op, number)| Test::Compare(slot, op, number)),
        op.prop_map(|op| Test::CompareFacts(1, op, 2)),
        prop::collection::vec(0u32..4, 1..3).prop_map(Test::Says),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Test::Not(Box::new(test))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Test::All),
            prop::collection::vec(inner, 1..4).prop_map(Test::Any),
        ]
    })
}

/// Replaces the list indexes in a test with the slots and words of a vocabulary.
fn placed(test: Test, slots: &[usize], words: &[u32]) -> Test {
    let slot = |place: usize| slots[place];
    let each = |tests: Vec<Test>| tests.into_iter().map(|test| placed(test, slots, words)).collect();
    match test {
        Test::Truth(place) => Test::Truth(slot(place)),
        Test::Compare(place, op, fact) => Test::Compare(slot(place), op, fact),
        Test::CompareFacts(left, op, right) => Test::CompareFacts(slot(left), op, slot(right)),
        Test::In(place, facts) => Test::In(slot(place), facts),
        Test::NotIn(place, facts) => Test::NotIn(slot(place), facts),
        Test::Says(places) => Test::Says(places.into_iter().map(|place| words[place as usize]).collect()),
        Test::Mentions(places) => Test::Mentions(places.into_iter().map(|place| words[place as usize]).collect()),
        Test::Denies(places) => Test::Denies(places.into_iter().map(|place| words[place as usize]).collect()),
        Test::Not(test) => Test::Not(Box::new(placed(*test, slots, words))),
        Test::All(tests) => Test::All(each(tests)),
        Test::Any(tests) => Test::Any(each(tests)),
        always @ Test::Always(_) => always,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// If the search returns `Impossible`, no call in the small world fulfills the conditions. The trials use every
    /// literal, and values between and around the literals. If the search returns a call, this call fulfills the
    /// conditions.
    #[test]
    fn the_search_agrees_with_trying_everything(test in some_test(), other in some_test()) {
        use std::sync::LazyLock;
        static BOOK: LazyLock<Rulebook> = LazyLock::new(|| compile(1, &small_world(), None).unwrap());
        let book = &*BOOK;
        let slots = FACTS.map(|name| book.vocabulary.get(name).unwrap().0);
        let words = ["red", "red*", "red hat", "blue"].map(|word| book.ears.lexicon().id(word).unwrap());
        let (test, other) = (placed(test, &slots, &words), placed(other, &slots, &words));
        let world = World::new(book, true);
        let wanted = [(&test, true), (&other, false)];
        let outcome = search(&world, &wanted);
        if let Solution::Call(call) = &outcome {
            prop_assert!(test.holds(call) && !other.holds(call));
        }
        let numbers = [None, Some("-1"), Some("0"), Some("0.5"), Some("1"), Some("1.5"), Some("2"), Some("3")];
        let numbers = numbers.map(|number| number.map(|text| Fact::Number(text.parse().unwrap())));
        let texts = [None, Some("x"), Some("y"), Some("z"), Some("w")].map(|text| text.map(|t| Fact::Text(t.to_owned())));
        let truths = [None, Some(Fact::Boolean(false)), Some(Fact::Boolean(true))];
        let said = ["", "blue", "redder", "redder blue", "red", "red blue", "red hat", "red hat blue"];
        let none = Facts::new();
        let mut possible = false;
        for heard in said {
            for text in &texts {
                for (a, b) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (a, b))) {
                    for truth in &truths {
                        let mut env = book.vocabulary.env(&none, book.ears.lexicon().occurring(heard));
                        for (slot, fact) in slots.into_iter().zip([text, a, b, truth]) {
                            if let Some(fact) = fact {
                                env.set(slot, fact.clone());
                            }
                        }
                        possible |= test.holds(&env) && !other.holds(&env);
                    }
                }
            }
        }
        if matches!(outcome, Solution::Impossible) {
            prop_assert!(!possible);
        }
    }
}
