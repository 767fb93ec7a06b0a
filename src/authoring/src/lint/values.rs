//! The possible values of a fact: a set of points and intervals, and whether the fact may be missing. A set contains at
//! least all values that are really possible, so an empty set proves that no value is possible.

use std::cmp::Ordering;
use std::ops::Bound;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use rules::condition::Op;
use rules::facts::Fact;
use rules::rows::FactKind;

/// All values between two ends, in the order of facts.
#[derive(Debug, Clone, PartialEq)]
struct Span {
    from: Bound<Fact>,
    until: Bound<Fact>,
}

/// The possible values of a fact.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Values {
    /// Whether the fact may be missing.
    missing: bool,
    /// The spans are ascending and disjoint.
    spans: Vec<Span>,
}

impl Values {
    /// The fact may have any value or be missing.
    pub fn anything() -> Self {
        let whole = Span {
            from: Bound::Unbounded,
            until: Bound::Unbounded,
        };
        Self {
            missing: true,
            spans: vec![whole],
        }
    }

    /// The fact is always missing.
    pub const fn never() -> Self {
        Self {
            missing: true,
            spans: Vec::new(),
        }
    }

    /// The fact has one of the given values and is never missing.
    pub fn one_of(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut facts: Vec<Fact> = facts.into_iter().collect();
        facts.sort_unstable();
        facts.dedup();
        let point = |fact: Fact| Span {
            from: Bound::Included(fact.clone()),
            until: Bound::Included(fact),
        };
        Self {
            missing: false,
            spans: facts.into_iter().map(point).collect(),
        }
    }

    /// The values for which a comparison is true. No comparison is true for a missing fact.
    pub fn compared(op: Op, literal: &Fact) -> Self {
        let span = |from, until| Span { from, until };
        let (less, more) = (Bound::Excluded(literal.clone()), Bound::Excluded(literal.clone()));
        let same = Bound::Included(literal.clone());
        let spans = match op {
            Op::Eq => vec![span(same.clone(), same)],
            Op::Ne => vec![span(Bound::Unbounded, less), span(more, Bound::Unbounded)],
            Op::Lt => vec![span(Bound::Unbounded, less)],
            Op::Le => vec![span(Bound::Unbounded, same)],
            Op::Gt => vec![span(more, Bound::Unbounded)],
            Op::Ge => vec![span(same, Bound::Unbounded)],
        };
        Self { missing: false, spans }
    }

    /// The complement.
    pub fn others(&self) -> Self {
        let mut spans = Vec::with_capacity(self.spans.len() + 1);
        // The beginning of the next gap; `None` after the last gap.
        let mut from = Some(Bound::Unbounded);
        for span in &self.spans {
            let gap = from.zip(turned(&span.from)).map(|(from, until)| Span { from, until });
            spans.extend(gap.filter(Span::holds_any));
            from = turned(&span.until);
        }
        spans.extend(from.map(|from| Span {
            from,
            until: Bound::Unbounded,
        }));
        Self {
            missing: !self.missing,
            spans,
        }
    }

    /// The intersection.
    pub fn both(&self, other: &Self) -> Self {
        let (few, many) = if self.spans.len() <= other.spans.len() {
            (&self.spans, &other.spans)
        } else {
            (&other.spans, &self.spans)
        };
        let mut spans = Vec::new();
        for span in few {
            let first = many.partition_point(|other| !meets(&span.from, &other.until));
            for other in &many[first..] {
                if !meets(&other.from, &span.until) {
                    break;
                }
                let from = later(&span.from, &other.from);
                let until = earlier(&span.until, &other.until);
                spans.push(Span { from, until });
            }
        }
        Self {
            missing: self.missing && other.missing,
            spans,
        }
    }

    /// Whether the set is empty: the fact can have no value, and cannot be missing either.
    pub fn is_empty(&self) -> bool {
        !self.missing && self.spans.is_empty()
    }

    /// Whether the fact may be missing.
    pub fn may_be_missing(&self) -> bool {
        self.missing
    }

    /// Returns whether the set contains at least one value.
    pub fn has_value(&self) -> bool {
        !self.spans.is_empty()
    }

    /// Returns the values of this set. The fact may be missing if `missing` is true.
    pub fn or_missing(mut self, missing: bool) -> Self {
        self.missing = missing;
        self
    }

    /// Whether the fact may have this value.
    pub fn holds(&self, fact: &Fact) -> bool {
        self.spans.iter().any(|span| span.holds(fact))
    }

    /// Returns a value of the given type from the set. `None` if no value was found; this does not prove that the set
    /// is empty.
    pub fn example(&self, kind: FactKind) -> Option<Fact> {
        self.spans.iter().find_map(|span| span.example(kind))
    }
}

impl Span {
    fn holds_any(&self) -> bool {
        meets(&self.from, &self.until)
    }

    fn holds(&self, fact: &Fact) -> bool {
        let after = match &self.from {
            Bound::Unbounded => true,
            Bound::Included(from) => from <= fact,
            Bound::Excluded(from) => from < fact,
        };
        let before = match &self.until {
            Bound::Unbounded => true,
            Bound::Included(until) => fact <= until,
            Bound::Excluded(until) => fact < until,
        };
        after && before
    }

    fn example(&self, kind: FactKind) -> Option<Fact> {
        let mut tries: Vec<Fact> = Vec::new();
        for end in [&self.from, &self.until] {
            if let Bound::Included(fact) | Bound::Excluded(fact) = end {
                tries.push(fact.clone());
                tries.extend(beside(fact));
            }
        }
        if let (Bound::Excluded(from), Bound::Excluded(until)) = (&self.from, &self.until) {
            tries.extend(between(from, until));
        }
        tries.push(match kind.base() {
            FactKind::Number => Fact::Number(Decimal::ONE),
            FactKind::Boolean => Fact::Boolean(false),
            FactKind::Time => Fact::Time(chrono::DateTime::UNIX_EPOCH),
            _ => Fact::Text("other".to_owned()),
        });
        tries.into_iter().find(|fact| self.holds(fact))
    }
}

/// The values next to a value, on both sides.
pub(super) fn beside(fact: &Fact) -> Vec<Fact> {
    match fact {
        Fact::Boolean(value) => vec![Fact::Boolean(!value)],
        Fact::Number(number) => {
            let one = Decimal::ONE;
            let both = [number.checked_add(one), number.checked_sub(one)];
            both.into_iter().flatten().map(Fact::Number).collect()
        }
        // The first string sorts just after the text. The second string sorts before almost every text that a person
        // writes.
        Fact::Text(text) => vec![Fact::Text(format!("{text} ")), Fact::Text("!".to_owned())],
        Fact::Time(time) => {
            let both = [TimeDelta::seconds(1), TimeDelta::seconds(-1)];
            let both = both.into_iter().filter_map(|step| time.checked_add_signed(step));
            both.map(Fact::Time).collect()
        }
    }
}

fn between(from: &Fact, until: &Fact) -> Option<Fact> {
    match (from, until) {
        (Fact::Number(from), Fact::Number(until)) => {
            let middle = until.checked_sub(*from)?.checked_div(Decimal::TWO)?;
            Some(Fact::Number(from.checked_add(middle)?))
        }
        (Fact::Time(from), Fact::Time(until)) => Some(Fact::Time(*from + (*until - *from) / 2)),
        _ => None,
    }
}

/// The bound where the neighboring interval ends or begins; `None` if unbounded.
fn turned(end: &Bound<Fact>) -> Option<Bound<Fact>> {
    match end {
        Bound::Included(fact) => Some(Bound::Excluded(fact.clone())),
        Bound::Excluded(fact) => Some(Bound::Included(fact.clone())),
        Bound::Unbounded => None,
    }
}

/// Whether any value lies between a lower and an upper bound.
fn meets(from: &Bound<Fact>, until: &Bound<Fact>) -> bool {
    match (from, until) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(from), Bound::Included(until)) => from <= until,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(until) | Bound::Excluded(until)) => {
            from < until
        }
    }
}

fn later(a: &Bound<Fact>, b: &Bound<Fact>) -> Bound<Fact> {
    match (a, b) {
        (Bound::Unbounded, other) | (other, Bound::Unbounded) => other.clone(),
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => match x.cmp(y) {
            Ordering::Greater => a.clone(),
            Ordering::Equal if matches!(a, Bound::Excluded(_)) => a.clone(),
            _ => b.clone(),
        },
    }
}

fn earlier(a: &Bound<Fact>, b: &Bound<Fact>) -> Bound<Fact> {
    match (a, b) {
        (Bound::Unbounded, other) | (other, Bound::Unbounded) => other.clone(),
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => match x.cmp(y) {
            Ordering::Less => a.clone(),
            Ordering::Equal if matches!(a, Bound::Excluded(_)) => a.clone(),
            _ => b.clone(),
        },
    }
}
