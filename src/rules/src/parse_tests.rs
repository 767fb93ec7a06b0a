//! Tests the meaning of conditions, and the errors of invalid conditions.

use rust_decimal::Decimal;

use super::condition::Test;
use super::facts::{Fact, Facts};
use super::fault::TextFault;
use super::hearing::LexiconBuilder;
use super::parse::{Conditions, MAX_SOURCE};
use super::rows::RowSet;
use super::sample;
use super::vocabulary::{Slot, Vocabulary};

fn compiled(rows: &RowSet, source: &str) -> Result<(Test, Vocabulary, LexiconBuilder), TextFault> {
    let vocabulary = Vocabulary::new(rows);
    let mut words = LexiconBuilder::default();
    let closed = |slot: Slot| (vocabulary.name(slot) == "area").then(|| vec!["south_shore".to_owned()]);
    let test = Conditions::new(&vocabulary, &closed).compile(source, &[], &mut words)?;
    Ok((test, vocabulary.clone(), words))
}

/// Evaluates a condition for fixed facts. `area` is south_shore, `metres` is 12.5, `urgency` is urgent, `evening` is
/// true, and the caller said "it floods". `city`, `weekend` and `call_seconds` are missing.
fn holds(source: &str) -> bool {
    let (test, vocabulary, words) =
        compiled(&sample::rows(), source).unwrap_or_else(|fault| panic!("{source}: {fault}"));
    let facts = Facts::from([
        ("metres".to_owned(), Fact::Number(Decimal::new(125, 1))),
        ("urgency".to_owned(), Fact::Text("urgent".to_owned())),
    ]);
    let mut env = vocabulary.env(&facts, words.build(None).unwrap().occurring("It FLOODS!"));
    for (name, fact) in [
        ("area", Fact::Text("south_shore".to_owned())),
        ("evening", Fact::Boolean(true)),
    ] {
        env.set(vocabulary.get(name).unwrap().0, fact);
    }
    test.holds(&env)
}

#[test]
fn the_subset_means_what_it_says() {
    for source in [
        "",
        "true",
        "evening",
        "!weekend",
        "evening == true",
        "metres == 12.5",
        "metres == 12.50",
        "12.4 < metres",
        "metres > -0.5",
        "metres >= 12 && metres <= 13",
        r#"area == "south_shore" && (weekend || says("flood*"))"#,
        r#"urgency in ["soon", "urgent"]"#,
        r#"urgency !in ["soon"]"#,
        r#"!(urgency in ["soon"])"#,
        r#"urgency != "soon""#,
        r#"!says("fire")"#,
        r#"says("fire", "it floods")"#,
    ] {
        assert!(holds(source), "{source}");
    }
}

#[test]
fn a_comparison_with_a_missing_fact_is_false() {
    for source in [
        "weekend",
        "weekend == false",
        "weekend != true",
        r#"city == "Laval""#,
        r#"city != "Laval""#,
        r#"city in ["Laval"]"#,
        r#"city !in ["Laval"]"#,
        "call_seconds < 10",
        "call_seconds < metres",
    ] {
        assert!(!holds(source), "{source}");
    }
}

#[test]
fn a_fault_names_its_place_and_what_was_meant() {
    for (source, problem, line, position, part) in [
        ("metrs > 3", "unknown_fact", 1, 1, "`metres`"),
        ("evening &&\n  arae == \"x\"", "unknown_fact", 2, 3, "`area`"),
        ("say(\"x\")", "unknown_function", 1, 1, "`says`"),
        ("metres == \"x\"", "wrong_type", 1, 11, "a number"),
        ("urgency == 3", "wrong_type", 1, 12, "text"),
        ("urgency < \"x\"", "wrong_type", 1, 9, "no order"),
        ("urgency", "wrong_type", 1, 1, "compare"),
        ("area == \"south_shor\"", "unknown_value", 1, 9, "`south_shore`"),
        ("metres + 1 > 3", "too_rich", 1, 8, "script"),
        ("let x = 1", "syntax", 1, 1, ""),
        ("metres > ", "syntax", 1, 10, ""),
        ("1 == 1", "no_fact", 1, 3, "fact"),
        ("says(\"*\")", "bad_word", 1, 6, "word"),
        ("says()", "no_words", 1, 1, "phrase"),
        ("metres in [\"x\"]", "wrong_type", 1, 12, "number"),
        ("urgency.len > 3", "too_rich", 1, 8, "script"),
        ("if evening { true } else { false }", "too_rich", 1, 1, "script"),
        ("#{a: 1}", "too_rich", 1, 1, "script"),
        ("urgency == `${city}`", "too_rich", 1, 12, "script"),
    ] {
        let fault = compiled(&sample::rows(), source)
            .err()
            .unwrap_or_else(|| panic!("{source} compiled"));
        assert_eq!(fault.problem, problem, "{source}: {fault}");
        assert!(fault.text.contains(part), "{source}: {fault}");
        assert_eq!(
            (fault.line, fault.position),
            (Some(line), Some(position)),
            "{source}: {fault}"
        );
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_a_fault() {
    let deep = format!("{}evening{}", "(".repeat(2000), ")".repeat(2000));
    let long = format!("evening{}", " ".repeat(MAX_SOURCE));
    for source in [deep, long, "!".repeat(2000)] {
        assert!(compiled(&sample::rows(), &source).is_err());
    }
}

#[test]
fn words_that_others_write_for_signs_are_told_with_the_sign() {
    for (source, sign) in [
        ("weekend and evening", "`&&`"),
        ("weekend or evening", "`||`"),
        (r#"city = "Laval""#, "`==`"),
    ] {
        let fault = compiled(&sample::rows(), source).map(|_| ()).unwrap_err();
        assert!(fault.to_string().contains(sign), "{source}: {fault}");
    }
}
