//! A row's condition: a documented subset of Rhai expressions, parsed by Rhai and compiled to native tests.
//!
//! ```text
//! area == "south_shore" && (evening || weekend) && !says("devis", "quote*")
//! complexity in ["complex", "very_complex"] || price_to >= 3000
//! ```
//! A condition consists of facts, literals (text, whole numbers, exact decimals, `true`, `false`), `== != < <= > >=`,
//! `in [..]`, `!in [..]`, `&&`, `||`, `!`, parentheses, `says("word", …)`, `mentions(…)` and `denies(…)`. Anything else
//! needs a script.
//!
//! `says` checks whether a phrase is true now and at the caller's place. `mentions` checks only whether the words of a
//! phrase occur. `denies` checks whether the caller says that a phrase is not true or is over. All three accept phrases
//! and concepts (`"#flood"`).
//!
//! Strings are compared without regard to accents, case and hyphens, as in `says`. A value of a closed set must be
//! written exactly as in the set. A number is compared with a number, a string with a string; anything else is refused.
//!
//! Every comparison with a missing fact is false, also with `!=` and `in`. A missing boolean fact is false, so `!x` is
//! true when `x` is missing. An empty condition is always true.

use std::collections::BTreeSet;

use super::facts::Fact;
use super::hearing::WordId;
use super::vocabulary::{Env, Slot};
use super::words::fold;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// Returns the operator that Rhai calls by this name.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        Some(match name {
            "==" => Self::Eq,
            "!=" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            _ => return None,
        })
    }

    /// Returns the operator that gives the same result after the left and the right operand are exchanged.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    fn holds(self, left: &Fact, right: &Fact) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ne => left != right,
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Gt => left > right,
            Self::Ge => left >= right,
        }
    }
}

/// A compiled condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The result is the same for all facts.
    Always(bool),
    /// A boolean fact that is true.
    Truth(Slot),
    /// A fact compared with a literal.
    Compare(Slot, Op, Fact),
    /// A fact compared with another fact.
    CompareFacts(Slot, Op, Slot),
    /// A fact that equals one of the literals.
    In(Slot, Vec<Fact>),
    /// A fact that is not missing and equals none of the literals.
    NotIn(Slot, Vec<Fact>),
    /// One of these phrases or concepts has a mention that counts: not denied, past, hypothetical or about somebody else.
    Says(Vec<WordId>),
    /// The words of one of these phrases or concepts occur.
    Mentions(Vec<WordId>),
    /// The caller says that one of these phrases or concepts is not true, or is over.
    Denies(Vec<WordId>),
    /// The inner test is false.
    Not(Box<Test>),
    /// All tests are true.
    All(Vec<Test>),
    /// At least one test is true.
    Any(Vec<Test>),
}

impl Test {
    /// Adds the slots of the facts in this test.
    pub fn slots(&self, found: &mut BTreeSet<Slot>) {
        match self {
            Self::Truth(slot) | Self::Compare(slot, ..) | Self::In(slot, _) | Self::NotIn(slot, _) => {
                found.insert(*slot);
            }
            Self::CompareFacts(left, _, right) => found.extend([*left, *right]),
            Self::Not(test) => test.slots(found),
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.slots(found)),
            Self::Always(_) | Self::Says(_) | Self::Mentions(_) | Self::Denies(_) => {}
        }
    }

    /// Whether the test is true.
    #[must_use]
    pub fn holds(&self, env: &Env<'_>) -> bool {
        match self {
            Self::Always(value) => *value,
            Self::Truth(slot) => env.get(*slot) == Some(&Fact::Boolean(true)),
            Self::Compare(slot, op, literal) => env.get(*slot).is_some_and(|fact| op.holds(fact, literal)),
            Self::CompareFacts(left, op, right) => match (env.get(*left), env.get(*right)) {
                (Some(Fact::Text(left)), Some(Fact::Text(right))) => {
                    op.holds(&Fact::Text(fold(left)), &Fact::Text(fold(right)))
                }
                (Some(left), Some(right)) => op.holds(left, right),
                _ => false,
            },
            Self::In(slot, literals) => env.get(*slot).is_some_and(|fact| literals.contains(fact)),
            Self::NotIn(slot, literals) => env.get(*slot).is_some_and(|fact| !literals.contains(fact)),
            Self::Says(words) => words.iter().any(|word| env.heard(*word)),
            Self::Mentions(words) => words.iter().any(|word| env.mentioned.binary_search(word).is_ok()),
            Self::Denies(words) => words.iter().any(|word| env.denied.binary_search(word).is_ok()),
            Self::Not(test) => !test.holds(env),
            Self::All(tests) => tests.iter().all(|test| test.holds(env)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(env)),
        }
    }
}
