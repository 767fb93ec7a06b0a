//! Properties of decisions, tested on the sample rulebook.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::compile::{Rulebook, compile};
use super::decision::Decision;
use super::facts::{ExtractedFacts, Fact, Facts};
use super::rows::{Hook, Priority, Row, RowSet, Script, StoredRow};
use super::sms_body::SmsSubject;
use super::{sample, script};

fn at() -> DateTime<Utc> {
    "2026-11-24T15:00:00Z".parse().unwrap()
}

fn asked(service: &str) -> ExtractedFacts {
    ExtractedFacts {
        facts: Facts::from([("service_text".to_owned(), Fact::Text(service.to_owned()))]),
        ..ExtractedFacts::default()
    }
}

fn put<R: Row>(rows: &mut RowSet, row: R) {
    let code = row.code().to_owned();
    R::table_mut(rows).insert(code, Arc::new(StoredRow { version: 2, row }));
}

fn scripted(code: &str, hook: Hook, source: &str) -> Script {
    Script {
        code: code.to_owned(),
        hook,
        rank: 1,
        source: source.to_owned(),
    }
}

#[test]
fn the_agents_question_makes_no_emergency() {
    let book = compile(1, &sample::rows(), None).unwrap();
    // The agent asked "is it flooding?"; only the caller's reply counts.
    let extracted = ExtractedFacts {
        said: "no, just a slow sink".to_owned(),
        ..ExtractedFacts::default()
    };
    let decision = book.decide(&extracted, at());
    assert_eq!((decision.priority, decision.sla_seconds), (Priority::P4, 1800));
    assert_eq!(decision.template, None);
}

#[test]
fn what_the_caller_takes_back_is_out_whatever_was_filled_in() {
    let book = compile(1, &sample::rows(), None).unwrap();
    let said =
        "I need a camera inspection. No wait, actually the toilet is blocked, I need it unblocked, not the camera";
    for filled_in in ["camera_inspection", "camera"] {
        let extracted = ExtractedFacts {
            said: said.to_owned(),
            ..asked(filled_in)
        };
        let service = book.decide(&extracted, at()).service;
        assert_eq!(service.as_deref(), Some("drain_unblocking_camera"), "{filled_in}");
    }
    // The caller names no other service, so the model's service stays.
    let extracted = ExtractedFacts {
        said: "Not right now, no wait, yes".to_owned(),
        ..asked("camera_inspection")
    };
    assert_eq!(
        book.decide(&extracted, at()).service.as_deref(),
        Some("camera_inspection")
    );
}

#[test]
fn a_text_leaves_out_what_is_not_known() {
    let book = compile(1, &sample::rows(), None).unwrap();
    let extracted = ExtractedFacts {
        said: "There is a strong smell of gas in my basement, please help, it is really strong".to_owned(),
        ..ExtractedFacts::default()
    };
    let decision = book.decide(&extracted, at());
    let (contact, nothing) = (book.contact("second").unwrap(), Facts::new());
    let about = SmsSubject {
        decision: &decision,
        extracted: &extracted,
        known: &nothing,
        reference: "RB-AAAAAA",
        reply: "",
    };
    let text = book.worded("alert", contact, &about).unwrap();
    assert!(text.starts_with("P1") && text.ends_with(" Ref RB-AAAAAA"), "{text}");
    assert!(text.contains(". There is a strong smell of gas"), "{text}");
    assert!(!text.contains(" -") && !text.contains("CAD"), "{text}");
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let book = compile(1, &sample::rows(), None).unwrap();
    let again = compile(1, &sample::rows(), Some(&book)).unwrap();
    let extracted = asked("racines");
    let bytes = |book: &Rulebook| serde_json::to_vec(&book.decide(&extracted, at())).unwrap();
    assert_eq!(bytes(&book), bytes(&again));
    let stored: Decision = serde_json::from_slice(&bytes(&book)).unwrap();
    assert_eq!(stored, book.decide(&extracted, at()));
}

#[test]
fn a_script_that_fails_is_dropped_as_a_whole() {
    let mut rows = sample::rows();
    put(
        &mut rows,
        scripted(
            "bad",
            Hook::Price,
            r#"quote.add(1000, "much"); result.say("Ha."); 1 / 0"#,
        ),
    );
    put(
        &mut rows,
        scripted("endless", Hook::Priority, r#"priority.set("P1", 0); loop { }"#),
    );
    let decision = compile(2, &rows, None).unwrap().decide(&asked("racines"), at());
    assert_eq!(decision.dropped_scripts, ["bad", "endless"]);
    assert!(decision.is_degraded());
    assert_eq!(decision.price.unwrap().from.minor(), 45_000);
    assert_eq!(decision.priority, Priority::P4);
    assert!(!decision.say.contains("Ha."));
}

#[test]
fn many_endless_scripts_together_end_in_time() {
    let mut rows = sample::rows();
    for i in 0..12 {
        put(
            &mut rows,
            scripted(
                &format!("endless_{i}"),
                Hook::Price,
                "let s = \"x\"; loop { s = \"y\" + \"z\"; }",
            ),
        );
    }
    let book = compile(2, &rows, None).unwrap();
    let start = Instant::now();
    let decision = book.decide(&asked("racines"), at());
    assert_eq!(decision.dropped_scripts.len(), 12);
    assert!(start.elapsed() < 10 * script::DECISION_BUDGET, "{:?}", start.elapsed());
    assert_eq!(decision.price.unwrap().from.minor(), 45_000);
}

#[test]
fn a_script_can_raise_the_priority_and_the_text_follows() {
    let mut rows = sample::rows();
    put(
        &mut rows,
        scripted(
            "raise",
            Hook::Priority,
            r#"if priority.level == "P4" { priority.set("P1", 60); }"#,
        ),
    );
    let decision = compile(2, &rows, None).unwrap().decide(&asked("racines"), at());
    assert_eq!((decision.priority, decision.sla_seconds), (Priority::P1, 60));
    assert_eq!(decision.template.as_deref(), Some("alert"));
}

#[test]
fn a_price_that_is_too_large_is_no_price_and_no_panic() {
    let book = compile(1, &sample::rows(), None).unwrap();
    for metres in [Decimal::MAX, Decimal::new(1, 28), Decimal::from(10_000_000_000_i64)] {
        let mut extracted = asked("french_drain");
        extracted.facts.insert("metres".to_owned(), Fact::Number(metres));
        let decision = book.decide(&extracted, at());
        let told = decision.trace.iter().any(|step| step.did.starts_with("too large"));
        assert_eq!(decision.price.is_none(), told, "{metres}");
    }
}

#[test]
fn a_tool_script_answers_from_its_arguments() {
    let book = compile(1, &sample::rows(), None).unwrap();
    let args = serde_json::json!({"houseLength": 12, "houseWidth": 8.5});
    let answer = book
        .run_tool_script(
            "estimate_metres",
            &args,
            &ExtractedFacts::default(),
            at(),
            &script::Skips::none(),
        )
        .unwrap();
    assert_eq!(answer.value, "About 41.0 metres of French drain.");
    assert!(
        book.run_tool_script(
            "spring_promotion",
            &args,
            &ExtractedFacts::default(),
            at(),
            &script::Skips::none()
        )
        .is_err()
    );
}

#[test]
fn every_fault_of_every_row_is_reported_at_once() {
    let mut rows = sample::rows();
    let mut adjustment = rows.adjustments["evening"].row.clone();
    adjustment.condition = "evenin".to_owned();
    adjustment.services = vec!["root_remval".to_owned()];
    adjustment.amount = None;
    put(&mut rows, adjustment);
    let mut settings = rows.settings["settings"].row.clone();
    settings.currency = "JPY".to_owned();
    settings.time_zone = "America/Toront".to_owned();
    put(&mut rows, settings);
    put(&mut rows, scripted("bad", Hook::Tool, "let x = ;"));
    let faults = compile(2, &rows, None).unwrap_err();
    let places: Vec<_> = faults
        .iter()
        .map(|f| (f.resource.path(), f.code.as_str(), f.column.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("settings", "settings", "currency"),
            ("settings", "settings", "time_zone"),
            ("adjustments", "evening", "amount"),
            ("adjustments", "evening", "condition"),
            ("adjustments", "evening", "services"),
            ("scripts", "bad", "source"),
        ]
    );
    assert!(faults[1].text.contains("America/Toronto"));
}
