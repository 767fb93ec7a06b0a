//! Tests every kind of finding: the smallest change of the sample that causes the finding is linted. Also compares the
//! search with exhaustive trials.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::solve::{Solution, search};
use super::world::World;
use super::*;
use rules::condition::{Op, Test};
use rules::facts::{Fact, Facts};
use rules::rows::{Adjustment, Calendar, FactMapping, PriorityRule, RowSet, Script, Service, StoredRow};
use rules::rows::{Area, Concept, Contact, Cue, Template};
use rules::{compile, sample};

fn now() -> DateTime<Utc> {
    "2026-11-24T15:00:00Z".parse().unwrap()
}

fn put<R: Row>(rows: &mut RowSet, row: Value) {
    let row: R = serde_json::from_value(row).unwrap();
    let stored = StoredRow { version: 1, row };
    R::table_mut(rows).insert(stored.row.code().to_owned(), Arc::new(stored));
}

fn edit<R: Row>(rows: &mut RowSet, code: &str, change: impl Fn(&mut Value)) {
    let mut row = serde_json::to_value(&R::table(rows)[code].row).unwrap();
    change(&mut row);
    put::<R>(rows, row);
}

fn rule(rows: &mut RowSet, code: &str, rank: i64, priority: &str, condition: &str) {
    put::<PriorityRule>(
        rows,
        json!({
            "code": code, "names": {"fr": code, "en": code}, "rank": rank, "condition": condition,
            "priority": priority, "sla_seconds": 60,
        }),
    );
}

/// The findings about rows as `resource/code column problem`.
fn findings(rows: &RowSet) -> Vec<String> {
    let book = compile(1, rows, None).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let found = lint(&book, now());
    found
        .iter()
        .map(|f| {
            let related: Vec<&str> = f.related.iter().map(|(_, code)| code.as_str()).collect();
            let row = format!("{}/{} {} {}", f.resource.path(), f.code, f.column, f.problem);
            if related.is_empty() {
                row
            } else {
                format!("{row} ({})", related.join(", "))
            }
        })
        .collect()
}

/// The findings after a change of the sample.
fn found(change: impl Fn(&mut RowSet)) -> Vec<String> {
    let mut rows = sample::rows();
    change(&mut rows);
    findings(&rows)
}

#[test]
fn the_sample_has_no_findings() {
    assert_eq!(findings(&sample::rows()), Vec::<String>::new());
}

/// The findings after these priority rules, in this order, replace the sample's rules.
fn in_rules(rules: &[(&str, &str)]) -> Vec<String> {
    found(|rows| {
        rows.priority_rules.clear();
        for (place, (code, condition)) in (1i64..).zip(rules) {
            let priority = ["P1", "P2", "P3", "P4"][usize::try_from(place).unwrap() % 4];
            rule(rows, code, place, priority, condition);
        }
    })
}

#[test]
fn a_rule_that_never_comes_first_is_found() {
    let unreachable: &[(&[(&str, &str)], &str)] = &[
        (&[("all", ""), ("late", "evening")], "late condition unreachable (all)"),
        (
            &[("a", "evening"), ("b", "evening && weekend")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening || weekend"), ("b", "weekend")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "service in [\"pool\", \"sump\"]"), ("b", "service == \"pool\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "price_to >= 1000"), ("b", "price_to > 1000")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "price_to > 0"), ("b", "price_to == 5")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "says(\"flood*\")"), ("b", "says(\"flooding\")")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "says(\"slab\")"), ("b", "says(\"under the slab\")")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening"), ("b", "!evening"), ("c", "urgency == \"urgent\"")],
            "c condition unreachable (a, b)",
        ),
        (
            &[
                ("a", "hour < 8"),
                ("b", "hour >= 8 && hour < 17"),
                ("c", "hour > 16"),
                ("d", "weekend"),
            ],
            "d condition unreachable (a, b, c)",
        ),
        (
            &[("a", "offer == \"refused\""), ("b", "service == \"pool\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "weekend"), ("b", "weekday == \"sunday\"")],
            "b condition unreachable (a)",
        ),
        (
            &[("a", "evening && weekend"), ("b", "weekend && evening")],
            "b condition same_condition (a)",
        ),
        (
            &[
                ("a", "service in [\"pool\", \"sump\"]"),
                ("b", "service == \"sump\" || service == \"pool\""),
            ],
            "b condition same_condition (a)",
        ),
    ];
    for (rules, expected) in unreachable {
        assert_eq!(in_rules(rules), [format!("priority-rules/{expected}")], "{rules:?}");
    }
}

#[test]
fn a_rule_that_may_come_first_is_not_found() {
    let fine: &[&[(&str, &str)]] = &[
        &[("a", "evening && weekend"), ("b", "evening")],
        &[("a", "evening"), ("b", "weekend")],
        // With a missing fact both conditions are false.
        &[("a", "price_to >= 1000"), ("b", "price_to < 1000"), ("c", "")],
        &[
            ("a", "urgency == \"urgent\""),
            ("b", "urgency != \"urgent\""),
            ("c", ""),
        ],
        &[("a", "price_to > 1000"), ("b", "price_to >= 1000")],
        &[("a", "says(\"flooding\")"), ("b", "says(\"flood*\")")],
        &[("a", "says(\"flood\")"), ("b", "says(\"flood*\")")],
        &[("a", "says(\"floods\")"), ("b", "says(\"flood\")")],
        &[
            ("a", "price_to > metres"),
            ("b", "metres < price_to && evening"),
            ("c", "evening"),
        ],
        &[("a", "caller == \"1\""), ("b", "caller != \"1\""), ("c", "evening")],
    ];
    for (place, rules) in fine.iter().enumerate() {
        let only = in_rules(rules);
        if place == 8 {
            assert_eq!(only, ["priority-rules/b condition unreachable (a)"]);
        } else {
            assert_eq!(only, Vec::<String>::new(), "{rules:?}");
        }
    }
}

#[test]
fn the_same_rule_twice_is_a_warning_and_another_result_an_error() {
    let mut rows = sample::rows();
    rule(&mut rows, "first", 1, "P1", "urgency == \"urgent\"");
    rule(&mut rows, "second", 2, "P1", "\"urgent\" == urgency");
    rule(&mut rows, "third", 3, "P2", "urgency in [\"urgent\"]");
    let book = compile(1, &rows, None).unwrap();
    let found = lint(&book, now());
    let told: Vec<_> = found.iter().map(|f| (f.code.as_str(), f.problem, f.severity)).collect();
    assert_eq!(
        told,
        [
            ("second", "duplicate", Severity::Warning),
            ("third", "same_condition", Severity::Error)
        ]
    );
    assert_eq!(
        found[1].to_string(),
        "error: priority-rules/third condition: it never applies: `first` comes first and has the same condition, but another result"
    );
    assert_eq!(introduced(&found, found.clone()), []);
    assert_eq!(introduced(&found[..1], found.clone()), found[1..]);
}

/// The errors that a change to the rows introduces, as `code problem`.
fn brought(before: &RowSet, change: impl Fn(&mut RowSet)) -> Vec<String> {
    let mut after = before.clone();
    change(&mut after);
    let (before, after) = (compile(1, before, None).unwrap(), compile(2, &after, None).unwrap());
    let brought = brought_in(Some(&before), &after);
    brought
        .iter()
        .map(|found| format!("{} {}", found.code, found.problem))
        .collect()
}

#[test]
fn a_change_is_answerable_for_the_errors_it_brings_in_and_no_others() {
    let odd = |rows: &mut RowSet| rule(rows, "odd", 1, "P1", "urgency == \"urgent\" && urgency == \"soon\"");
    let pool = |rows: &mut RowSet| {
        put::<Adjustment>(
            rows,
            json!({"code": "pool", "names": {"fr": "x", "en": "x"}, "rank": 1, "kind": "add", "amount": "1.00",
                "condition": "service == \"pool\" && offer == \"refused\""}),
        );
    };
    let sample = sample::rows();
    assert_eq!(brought(&sample, odd), ["odd never_true"]);
    assert_eq!(brought_in(None, &compile(1, &sample, None).unwrap()), []);
    let mut wrong = sample.clone();
    odd(&mut wrong);
    let none: [&str; 0] = [];
    // If a change edits a price, adds a rule or adds a service, existing errors are not reported again.
    assert_eq!(
        brought(&wrong, |rows| edit::<Service>(
            rows,
            "under_slab",
            |row| row["price_to"] = json!("9000.00")
        )),
        none
    );
    assert_eq!(
        brought(&wrong, |rows| rule(rows, "other", 2, "P1", "weekend && evening")),
        none
    );
    let roof = |rows: &mut RowSet| {
        put::<Service>(
            rows,
            json!({"code": "roof", "names": {"fr": "Toit", "en": "Roof"}, "keywords": [], "rank": 99,
            "offer": "refused", "reason": {"fr": "Non.", "en": "No."}}),
        );
    };
    assert_eq!(brought(&wrong, roof), none);
    assert_eq!(brought(&wrong, |rows| rule(rows, "odd", 5, "P2", "false")), none);
    // An error that a change causes in another row belongs to that change.
    let mut with_pool = sample;
    pool(&mut with_pool);
    let offered = |row: &mut Value| {
        for (name, value) in [
            ("offer", json!("offered")),
            ("price_from", json!("1.00")),
            ("price_to", json!("2.00")),
        ] {
            row[name] = value;
        }
    };
    assert_eq!(
        brought(&with_pool, |rows| edit::<Service>(rows, "pool", offered)),
        ["pool never_true"]
    );
}

#[test]
fn a_rule_before_all_others_for_a_day_is_no_error() {
    let mut rows = sample::rows();
    rule(&mut rows, "storm", 1, "P1", "");
    rule(&mut rows, "in_turn", 900, "P4", "true");
    let found = lint(&compile(1, &rows, None).unwrap(), now());
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(
        found.iter().all(|found| found.severity == Severity::Warning),
        "{found:#?}"
    );
}

#[test]
fn a_condition_that_can_never_hold_is_found() {
    for condition in [
        "false",
        "urgency == \"urgent\" && urgency == \"soon\"",
        "price_to > 10 && price_to < 5",
        "price_to > 5 && price_to < 5",
        "hour > 8 && hour < 9",
        "hour == 24",
        "evening && !evening",
        "service == \"pool\" && offer == \"offered\"",
        "weekend && weekday == \"monday\"",
        "open && after_hours",
        "!open && !after_hours",
        "price_to < price_to",
        "price_to < price_from && price_from < price_to",
        "says(\"flooding\") && !says(\"flood*\")",
        "urgency != \"urgent\" && urgency !in [\"soon\", \"flexible\", \"emergency\"]",
        "(evening || weekend) && !evening && !weekend",
        "metres >= 1 && !(metres > 0)",
    ] {
        let found = found(|rows| rule(rows, "odd", 1, "P1", condition));
        assert_eq!(found, ["priority-rules/odd condition never_true"], "{condition}");
    }
    let found = found(|rows| {
        edit::<rules::rows::Settings>(rows, "settings", |row| {
            row.as_object_mut().unwrap().remove("calendar");
        });
    });
    assert_eq!(
        found,
        [
            "calendars/main  unused",
            "adjustments/evening condition never_true (settings)",
            "adjustments/urgent_off_hours condition never_true (settings)",
        ]
    );
}

#[test]
fn adjustments_that_never_apply_are_found() {
    let add = |fields: Value| {
        found(|rows| {
            let mut row = json!({
                "code": "odd", "names": {"fr": "odd", "en": "odd"}, "rank": 35, "kind": "add", "amount": "5.00",
            });
            row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            put::<Adjustment>(rows, row);
        })
    };
    let none: [&str; 0] = [];
    assert_eq!(
        add(json!({"valid_until": "2026-11-24T15:00:00Z"})),
        ["adjustments/odd valid_until expired"]
    );
    assert_eq!(add(json!({"valid_until": "2026-11-24T15:00:01Z"})), none);
    assert_eq!(
        add(json!({"services": ["pool", "sump"]})),
        ["adjustments/odd services never_applies (pool, sump)"]
    );
    assert_eq!(add(json!({"services": ["pool", "pipe_lining"]})), none);
    assert_eq!(
        add(json!({"condition": "offer == \"refused\""})),
        ["adjustments/odd condition never_applies"]
    );
    assert_eq!(
        add(json!({"services": ["pipe_lining"], "condition": "service == \"french_drain\""})),
        ["adjustments/odd condition never_true"]
    );
    assert_eq!(
        add(json!({"stacking_group": "hours", "condition": "evening && weekend"})),
        ["adjustments/odd stacking_group unreachable (evening)"]
    );
    assert_eq!(add(json!({"stacking_group": "alone"})), none);
}

#[test]
fn words_and_places_that_another_row_takes_are_found() {
    let found = found(|rows| {
        edit::<Service>(rows, "camera_inspection", |row| {
            row["keywords"] = json!(["inspect*", "pool table"]);
        });
        edit::<Area>(rows, "montreal", |row| {
            row["postal_prefixes"] = json!(["H", "H7", "j4b"]);
        });
        put::<Area>(
            rows,
            json!({"code": "far", "names": {"fr": "x", "en": "x"}, "rank": 90, "cities": ["LAVAL"]}),
        );
        put::<Area>(
            rows,
            json!({"code": "none", "names": {"fr": "x", "en": "x"}, "rank": 91}),
        );
    });
    assert_eq!(
        found,
        [
            "services/camera_inspection keywords keyword_taken (pool)",
            "areas/far  matches_nothing",
            "areas/far cities city_taken (laval)",
            "areas/montreal postal_prefixes prefix_taken (laval)",
            "areas/montreal postal_prefixes prefix_taken (south_shore)",
            "areas/none  matches_nothing",
        ]
    );
}

#[test]
fn phrases_that_cancel_themselves_or_are_shared_are_found() {
    let found = found(|rows| {
        edit::<Concept>(rows, "gas", |row| {
            row["phrases"]["en"] = json!(["strong gas smell", "sewer gas odour", "smell of gas"]);
            row["except"] = json!(["sewer gas"]);
        });
        edit::<Concept>(rows, "fumes", |row| {
            row["phrases"]["en"] = json!(["smell of gas"]);
        });
        put::<Cue>(
            rows,
            json!({"code": "zz_more", "effect": "past", "phrases": ["years ago"]}),
        );
    });
    for wanted in [
        "concepts/gas phrases/en/1 cancels_itself",
        "concepts/gas phrases/en/2 shared_phrase (fumes)",
        "cues/zz_more phrases/0 shared_phrase (past_en)",
    ] {
        assert!(found.iter().any(|line| line.contains(wanted)), "{wanted}: {found:#?}");
    }
}

#[test]
fn rows_without_use_and_texts_without_words_are_found() {
    let found = found(|rows| {
        put::<Contact>(
            rows,
            json!({"code": "idle", "name": "I", "phone": "+15145550104", "language": "fr", "rank": 9, "on_call": false}),
        );
        put::<Script>(
            rows,
            json!({"code": "idle", "hook": "tool", "rank": 1, "source": "result.set(1);"}),
        );
        put::<Template>(rows, json!({"code": "idle", "texts": {"fr": "{slot} {sla}"}}));
        let mut calendar = serde_json::to_value(&rows.calendars["main"].row).unwrap();
        calendar["code"] = json!("idle");
        put::<Calendar>(rows, calendar);
        rows.fact_mappings.remove("wanted_slot");
        edit::<Service>(rows, "pool", |row| row["reason"] = json!({"en": "No."}));
    });
    assert_eq!(
        found,
        [
            "services/pool reason missing_translation",
            "calendars/idle  unused",
            "scripts/idle  unused",
            "contacts/idle  unused",
            "templates/idle  unused",
            "templates/idle texts missing_translation",
            "templates/idle texts/fr empty_placeholder",
        ]
    );
}

#[test]
fn a_rule_that_tells_nobody_is_found() {
    let found = found(|rows| edit::<Contact>(rows, "on_call", |row| row["on_call"] = json!(false)));
    assert_eq!(
        found,
        [
            "priority-rules/carbon_monoxide notify tells_nobody",
            "priority-rules/collapse notify tells_nobody",
            "priority-rules/electricity notify tells_nobody",
            "priority-rules/emergency notify tells_nobody",
            "priority-rules/fumes notify tells_nobody",
            "priority-rules/gas notify tells_nobody",
            "priority-rules/municipal notify tells_nobody",
            "priority-rules/reported_emergency notify tells_nobody",
        ]
    );
}

/// Ten thousand rows: services, adjustments for each, and rules with ranges that no index can serve.
fn many(rules: i64) -> RowSet {
    let mut rows = sample::rows();
    rows.priority_rules.clear();
    for number in 0..3000 {
        let code = format!("service_{number}");
        put::<Service>(
            &mut rows,
            json!({"code": code, "names": {"fr": code, "en": code}, "keywords": [format!("word{number}")], "rank": 100 + number,
                "offer": "offered", "price_from": "10.00", "price_to": "20.00"}),
        );
        put::<Adjustment>(
            &mut rows,
            json!({"code": format!("add_{number}"), "names": {"fr": "x", "en": "x"}, "rank": number, "kind": "add", "amount": "1.00",
                "condition": format!("service == \"{code}\" && (evening || weekend)")}),
        );
    }
    for number in 0..rules {
        let priority = ["P1", "P2"][usize::try_from(number).unwrap() % 2];
        let condition = match number % 2 {
            0 => format!("price_to > {} && price_to < {}", 100 * number, 100 * number + 50),
            _ => format!("service == \"service_{}\" && !evening", number % 3000),
        };
        rule(&mut rows, &format!("rule_{number}"), 100 + number, priority, &condition);
    }
    rows
}

#[test]
fn ten_thousand_rows_are_looked_through_in_time() {
    let book = compile(1, &many(4000), None).unwrap();
    let started = Instant::now();
    let found = lint(&book, now());
    let took = started.elapsed();
    println!("lint of {} rows: {took:?}, {} findings", book.row_count(), found.len());
    // Every second service is repeated 3000 rules later.
    assert_eq!(
        found
            .iter()
            .filter(|found| found.problem == "same_condition" || found.problem == "duplicate")
            .count(),
        500
    );
    // Limit for an unoptimized build on a busy machine; an optimized build needs a fraction of a second.
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// Five facts with few possible values, as used in the random conditions.
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

/// The facts of [`small_world`]; tests refer to them by index in this list.
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

/// The test with the slots and words of a vocabulary in place of list indexes.
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

    /// If the search returns `Impossible`, no call in a small world fulfills the tests. The test tries every value
    /// between and next to the literals. If the search returns a call, this call fulfills the tests.
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

#[test]
fn a_letter_that_makes_a_text_cost_more_is_named_with_what_to_write() {
    let said = |text: &str| {
        let mut rows = sample::rows();
        let code = rows.templates.keys().next().unwrap().clone();
        edit::<Template>(&mut rows, &code, |row| row["texts"]["fr"] = text.into());
        let book = compile(1, &rows, None).unwrap();
        let found = lint(&book, now());
        let costly = found.into_iter().filter(|found| found.problem == "costly_letters");
        costly.map(|found| (found.column, found.text)).collect::<Vec<_>>()
    };
    let base = "{priority} {service}, {area}, {price}. {customer} {phone}. {problem}";
    assert_eq!(said(&format!("{base} Réf {{ref}}")), []);
    let found = said(&format!(
        "{base} Rappelez dès que possible, c’est pressant: fenêtre ouverte. Réf {{ref}}"
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    let (column, text) = &found[0];
    assert_eq!(column, "texts/fr");
    for part in ["`’`", "`ê`", "`'`", "`e`", "parts instead of"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The letter costs nothing extra if the message fits in one part.
    assert_eq!(said("{priority} fenêtre {ref}"), []);
    let found = said(&format!("{base} 😀 {{ref}}"));
    assert!(found[0].1.contains("leave `😀` out"), "{found:?}");
}

/// The sample's contacts with these schedules, and a weekly rotation that began on a Monday.
fn planned(first: &Value, second: &Value) -> RowSet {
    let mut rows = sample::rows();
    edit::<rules::rows::Settings>(&mut rows, "settings", |row| {
        row["rotation_from"] = json!("2026-11-23T08:00");
    });
    for (code, plan) in [("on_call", first), ("second", second)] {
        edit::<Contact>(&mut rows, code, |row| {
            row["on_call"] = json!(true);
            for (name, value) in plan.as_object().unwrap() {
                row[name] = value.clone();
            }
        });
    }
    rows
}

#[test]
fn an_hour_in_which_nobody_is_on_call_is_named() {
    let rows = planned(
        &json!({"on_call_calendar": "main"}),
        &json!({"on_call_calendar": "main"}),
    );
    let book = compile(1, &rows, None).unwrap();
    let found = lint(&book, now());
    assert_eq!(findings(&rows), ["settings/settings  nobody_on_call"]);
    // The time is Tuesday, ten in the morning, in Montréal.
    assert!(
        found[0]
            .text
            .contains("from Tuesday 2026-11-24 17:00 until Wednesday 2026-11-25 08:00"),
        "{}",
        found[0].text
    );
    assert!(found[0].text.contains("123 hours"), "{}", found[0].text);
    let rows = planned(&json!({"on_call_calendar": "main"}), &json!({}));
    assert_eq!(findings(&rows), Vec::<String>::new());
}

#[test]
fn a_week_of_the_rotation_that_is_nobodys_is_named() {
    let turn = |week: i64, of: i64| json!({"rotation_week": week, "rotation_of": of});
    assert_eq!(findings(&planned(&turn(1, 2), &turn(2, 2))), Vec::<String>::new());
    assert_eq!(
        findings(&planned(&turn(1, 3), &turn(2, 3))),
        ["settings/settings rotation_from rotation_gap"]
    );
    // No contact has the week that begins after next Monday morning.
    assert_eq!(
        findings(&planned(&turn(1, 2), &turn(1, 2))),
        [
            "settings/settings  nobody_on_call",
            "settings/settings rotation_from rotation_gap"
        ]
    );
}
