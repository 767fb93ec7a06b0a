//! Decides stored calls again under another state of the rulebook, to show what would change in prices and priorities.
//! The module is pure and sends nothing. The code that calls it reads the stored calls and chooses the batch size.
//!
//! Extracted facts are stored separately from derived facts, so service, area and calendar are derived again under both
//! rulebooks. The base also decides again, so that only the change between the two rulebooks counts. If the base now
//! decides differently than the stored decision, an older change caused this. Such calls are counted separately.

mod outcome;
mod sample;
mod tally;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

pub use self::outcome::*;
pub use self::tally::BacktestTally;
use super::decide_twice;
use rules::compile::Rulebook;
use rules::decision::{Decision, Step};
use rules::facts::{ExtractedFacts, Facts, Note};
use rules::rows::{self, FactMapping, Resource, Row, with_row};

/// The parts of a stored decision that a backtest needs.
#[derive(Debug, Clone)]
pub struct StoredCall {
    pub decision_id: Uuid,
    /// The call in which the decision was made.
    pub call_id: Option<String>,
    /// The instant for which the decision was made.
    pub at: DateTime<Utc>,
    pub stored: StoredOutcome,
    /// The facts of the message.
    pub said: StoredCallFacts,
}

/// The outcome of a stored decision, from its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredOutcome {
    pub service: Option<String>,
    /// `P1` to `P4`.
    pub priority: String,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
}

#[derive(Debug, Clone)]
pub enum StoredCallFacts {
    /// The facts stored with the decision, the same for base and candidate.
    Stored(ExtractedFacts),
    /// The facts were extracted again from the original message, because the two rulebooks map facts differently.
    Anew {
        /// Extracted with the base's fact mappings.
        base: ExtractedFacts,
        /// Extracted with the candidate's fact mappings.
        candidate: ExtractedFacts,
    },
}

impl StoredCallFacts {
    fn both(&self) -> [&ExtractedFacts; 2] {
        match self {
            Self::Stored(extracted) => [extracted, extracted],
            Self::Anew { base, candidate } => [base, candidate],
        }
    }
}

/// The stored facts of a decision, or a mark that they were erased.
#[derive(Debug, Deserialize)]
struct StoredFactsJson {
    facts: Facts,
    #[serde(default)]
    said: String,
    #[serde(default)]
    notes: Vec<Note>,
    #[serde(default)]
    erased: bool,
}

/// Returns the facts stored with a decision, or `None` if they were erased.
///
/// # Errors
/// Returns an error if `json` is not in the format of stored decisions.
pub fn stored_facts(json: &str) -> Result<Option<ExtractedFacts>, serde_json::Error> {
    let StoredFactsJson {
        facts,
        said,
        notes,
        erased,
    } = serde_json::from_str(json)?;
    Ok((!erased).then_some(ExtractedFacts { facts, said, notes }))
}

/// Two states of a rulebook that are compared.
#[derive(Debug, Clone)]
pub struct Backtest {
    base: Arc<Rulebook>,
    candidate: Arc<Rulebook>,
    reads_anew: bool,
}

impl Backtest {
    /// Prepares the comparison of `candidate` with `base`.
    #[must_use]
    pub fn new(base: Arc<Rulebook>, candidate: Arc<Rulebook>) -> Self {
        let reads_anew = !rows::changed::<FactMapping>(base.rows(), candidate.rows()).is_empty();
        Self {
            base,
            candidate,
            reads_anew,
        }
    }

    /// Returns the base and the candidate.
    #[must_use]
    pub fn both(&self) -> (&Rulebook, &Rulebook) {
        (&self.base, &self.candidate)
    }

    /// Whether the two rulebooks read messages differently, so that the stored facts cannot be used.
    #[must_use]
    pub const fn reads_anew(&self) -> bool {
        self.reads_anew
    }

    /// Decides a stored call with both rulebooks and counts the differences.
    pub fn look(&self, call: StoredCall, tally: &mut BacktestTally) {
        let [before, after] = self.decided(&call);
        tally.add(self, call, before, after);
    }

    /// Uses both rulebooks to decide again a price that a tool quoted during a call, and counts the differences.
    pub fn count_quote(&self, call: &StoredCall, tally: &mut BacktestTally) {
        let [before, after] = self.decided(call);
        tally.add_quote(call, &before, &after);
    }

    fn decided(&self, call: &StoredCall) -> [Decision; 2] {
        decide_twice::decide([&self.base, &self.candidate], call.said.both(), call.at)
    }

    /// Returns the rows that explain the difference between two decisions. These are rows that took part in only one
    /// decision, and rows whose content differs between base and candidate. If there are none, the result contains the
    /// rows whose steps differ.
    fn rows_between(&self, before: &Decision, after: &Decision) -> Vec<RowPart> {
        let mut parts: Vec<RowPart> = Vec::new();
        let mut others: Vec<RowPart> = Vec::new();
        let steps = before.trace.iter().chain(&after.trace);
        for step in steps {
            let known = |part: &RowPart| part.resource == step.resource && part.code == step.code;
            if parts.iter().any(known) || others.iter().any(known) {
                continue;
            }
            let (was, is) = (told(before, step), told(after, step));
            let rewritten = self.rewritten(&step.resource, &step.code);
            let differs = was != is;
            let one_sided = was.is_none() || is.is_none();
            let part = RowPart {
                resource: step.resource.clone(),
                code: step.code.clone(),
                before: was,
                after: is,
            };
            if one_sided || rewritten {
                parts.push(part);
            } else if differs {
                others.push(part);
            }
        }
        if parts.is_empty() { others } else { parts }
    }

    /// Whether the content of a row differs between the two rulebooks.
    fn rewritten(&self, resource: &str, code: &str) -> bool {
        let Some(resource) = Resource::ALL.iter().find(|known| known.path() == resource) else {
            return false;
        };
        with_row!(*resource, R => {
            let row = |book: &Rulebook| R::table(book.rows()).get(code).map(|stored| stored.row.clone());
            row(&self.base) != row(&self.candidate)
        })
    }
}

/// Joins the texts of all steps that one row has in a decision.
fn told(decision: &Decision, step: &Step) -> Option<String> {
    let same = |other: &&Step| other.resource == step.resource && other.code == step.code;
    let told: Vec<String> = decision.trace.iter().filter(same).map(ToString::to_string).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Returns the number of people who get an SMS message for a decision.
fn texts(book: &Rulebook, decision: &Decision) -> u64 {
    let Some(template) = &decision.template else { return 0 };
    let contacts = decision.notify.iter().filter_map(|code| book.contact(code));
    let reached = contacts.filter(|contact| book.template_text(template, &contact.language).is_some());
    u64::try_from(reached.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change_set::{Edit, ExpectedVersion, applied};
    use rules::facts::Fact;
    use rules::rows::Priority;
    use rules::{compile, sample};
    use serde_json::{Value, json};

    /// Compares the sample with a changed copy: `south_shore` costs 20 more, the lining service is gone, and floods are
    /// no emergency.
    fn comparison() -> Backtest {
        let base = compile(1, &sample::rows(), None).unwrap();
        let row = |resource, code: &str, change: Value| {
            let mut row = with_row!(resource, R => serde_json::to_value(&R::table(base.rows())[code].row).unwrap());
            row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            Edit::Put {
                resource,
                code: code.to_owned(),
                row,
                expected: ExpectedVersion::Any,
            }
        };
        let edits = [
            row(Resource::Adjustments, "south_shore", json!({"amount": "120.00"})),
            row(
                Resource::Services,
                "pipe_lining",
                json!({"keywords": ["nothing heard"]}),
            ),
            row(
                Resource::PriorityRules,
                "emergency",
                json!({"condition": "says(\"refoul*\")", "priority": "P1"}),
            ),
        ];
        let rows = applied(base.rows(), 2, &edits).rows;
        let candidate = compile(2, &rows, Some(&base)).unwrap();
        Backtest::new(Arc::new(base), Arc::new(candidate))
    }

    fn call(number: u128, said: &str, postal_code: &str) -> StoredCall {
        StoredCall {
            decision_id: Uuid::from_u128(number),
            call_id: Some(format!("call-{number}")),
            at: "2026-11-24T15:00:00Z".parse().unwrap(),
            stored: StoredOutcome::default(),
            said: StoredCallFacts::Stored(ExtractedFacts {
                facts: Facts::from([("postal_code".to_owned(), Fact::Text(postal_code.to_owned()))]),
                said: said.to_owned(),
                ..ExtractedFacts::default()
            }),
        }
    }

    fn calls() -> Vec<StoredCall> {
        let said = [
            "J'ai des racines.",
            "Je veux un gainage.",
            "C'est inondé, il y a des racines!",
            "Bonjour.",
        ];
        (0..40)
            .map(|number: usize| {
                let place = if number.is_multiple_of(2) { "J4K 2M6" } else { "H2X 1Y4" };
                call(number as u128, said[number / 2 % 4], place)
            })
            .collect()
    }

    #[test]
    fn what_a_change_does_is_counted_and_explained() {
        let test = comparison();
        let mut tally = BacktestTally::new(false);
        for call in calls() {
            test.look(call, &mut tally);
        }
        let found = tally.result(&test);
        assert_eq!((found.calls, found.differ_already), (40, 40));
        let money = &found.money[0];
        assert_eq!(
            (money.currency.as_str(), money.quotes, money.changed, money.dearer),
            ("CAD", 20, 10, 10)
        );
        assert_eq!(
            (money.change_from.to_string(), money.most.to_string()),
            ("200.00".to_owned(), "20.00".to_owned())
        );
        assert_eq!((found.lost_service.count, found.lost_price.count), (10, 10));
        // Floods fall from P1 to P4, linings fall from P3 to P4, and floods no longer send SMS messages to the contacts
        // on call.
        let moves: Vec<_> = found
            .moves
            .iter()
            .map(|moved| (moved.from, moved.to, moved.count))
            .collect();
        assert_eq!(
            moves,
            [(Priority::P1, Priority::P4, 10), (Priority::P3, Priority::P4, 10)]
        );
        assert_eq!(
            found.priorities,
            [[0, 0, 0, 10], [0, 0, 0, 0], [0, 0, 0, 10], [0, 0, 0, 20]]
        );
        assert!(found.texts.before > found.texts.after && found.texts.calls_with_fewer == 10);
        assert_eq!((found.changed, found.most_changed.len()), (25, 20));
        let drawn = |is: fn(&QuotedCall) -> bool| found.quotes.iter().filter(|call| is(call)).count();
        assert_eq!((drawn(|call| call.after > call.before), drawn(|_| true)), (10, 20));
        let dearer: u64 = found.services.iter().map(|service| service.dearer).sum();
        let by: i64 = found.services.iter().map(|service| service.dearer_by.minor()).sum();
        assert_eq!((dearer, by), (10, 20_000));
        let lining = &found.most_changed[0];
        assert_eq!(
            (lining.before.service.as_deref(), lining.after.service.as_deref()),
            (Some("pipe_lining"), None)
        );
        let flood = found
            .most_changed
            .iter()
            .find(|call| call.before.priority == Priority::P1)
            .unwrap();
        assert!(
            flood
                .rows
                .iter()
                .any(|part| part.code == "emergency" && part.after.is_none()),
            "{flood:?}"
        );
        assert!(flood.rows.iter().any(|part| part.code == "south_shore"), "{flood:?}");
        assert!(
            !flood.rows.iter().any(|part| part.code == "minimum"),
            "its row is the same: {flood:?}"
        );
    }

    #[test]
    fn another_tax_is_a_change_although_prices_before_tax_stay() {
        let base = compile(1, &sample::rows(), None).unwrap();
        let code = base.rows().taxes.keys().next().unwrap().clone();
        let mut row = serde_json::to_value(&base.rows().taxes[&code].row).unwrap();
        row["rate"] = json!("1");
        let edit = Edit::Put {
            resource: Resource::Taxes,
            code: code.clone(),
            row,
            expected: ExpectedVersion::Any,
        };
        let rows = applied(base.rows(), 2, &[edit]).rows;
        let candidate = compile(2, &rows, Some(&base)).unwrap();
        let test = Backtest::new(Arc::new(base), Arc::new(candidate));
        let mut tally = BacktestTally::new(false);
        for call in calls() {
            test.look(call, &mut tally);
        }
        let found = tally.result(&test);
        let money = &found.money[0];
        assert_eq!((money.changed, money.dearer, money.cheaper), (0, 0, 0));
        assert_eq!((money.change_to.minor(), money.most.minor()), (0, 0));
        assert!(money.quotes > 0 && money.taxes_only == money.quotes, "{money:?}");
        assert_eq!(found.changed, money.quotes);
        let shown = &found.most_changed[0];
        assert_eq!((shown.before.from, shown.before.to), (shown.after.from, shown.after.to));
        assert_ne!(shown.before.total_to, shown.after.total_to);
        let codes: Vec<_> = shown.rows.iter().map(|part| part.code.as_str()).collect();
        assert_eq!(codes, [code.as_str()]);
    }

    #[test]
    fn what_was_heard_once_for_both_is_decided_as_if_each_had_listened() {
        let base = compile(1, &sample::rows(), None).unwrap();
        let mut rows = base.rows().clone();
        let shore = Arc::make_mut(rows.adjustments.get_mut("south_shore").unwrap());
        shore.row.amount = Some("120.00".parse().unwrap());
        let found = |candidate| {
            let test = Backtest::new(Arc::new(base.clone()), Arc::new(candidate));
            let mut tally = BacktestTally::new(false);
            for call in calls() {
                test.look(call, &mut tally);
            }
            (test.base.hears_like(&test.candidate), tally.result(&test))
        };
        let together = found(compile(2, &rows, Some(&base)).unwrap());
        let apart = found(compile(2, &rows, None).unwrap());
        assert!(together.0 && !apart.0);
        assert!(together.1.changed > 0);
        assert_eq!(together.1, apart.1);
    }

    #[test]
    fn counted_in_parts_it_is_the_same() {
        let test = comparison();
        let count = |calls: &[StoredCall]| {
            let mut tally = BacktestTally::new(false);
            for call in calls {
                test.look(call.clone(), &mut tally);
            }
            tally
        };
        let (calls, mut parts) = (calls(), BacktestTally::new(false));
        for part in calls.chunks(7) {
            parts.merge(count(part));
        }
        assert_eq!(parts.result(&test), count(&calls).result(&test));
        assert_eq!(parts.seen(), 40);
    }

    #[test]
    fn erased_facts_are_no_facts() {
        assert_eq!(stored_facts(r#"{"facts":{},"erased":true}"#).unwrap(), None);
        assert_eq!(stored_facts(r#"{"said":"x","facts":{}}"#).unwrap().unwrap().said, "x");
        assert!(stored_facts("[]").is_err());
    }
}
