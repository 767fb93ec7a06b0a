//! Tests findings about words, places and phrases without effect, unused rows, incomplete texts, and SMS messages that
//! cost more.

use serde_json::json;

use super::{edit, found, now, put};
use crate::lint::lint;
use rules::rows::{Area, Calendar, Concept, Contact, Cue, Script, Service, Template};
use rules::{compile, sample};

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
    // The letter `ê` costs nothing extra if the message fits in one part.
    assert_eq!(said("{priority} fenêtre {ref}"), []);
    let found = said(&format!("{base} 😀 {{ref}}"));
    assert!(found[0].1.contains("leave `😀` out"), "{found:?}");
}
