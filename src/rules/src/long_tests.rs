//! Tests that the work for very long texts is bounded, and grows linearly with their length.
//!
//! The tests compare the CPU time of their own thread, not wall-clock time, so a busy machine does not affect the
//! result.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use super::compile::{Rulebook, compile};
use super::facts::Lookup;
use super::rows::{Concept, Row as _, RowSet, StoredRow};
use super::sample;

/// Initial length of a text in bytes, and the factor by which it grows.
const SHORT: usize = 40_000;
const LONGER: u32 = 4;

struct Nothing;

impl Lookup for Nothing {
    fn lookup(&self, _: &str) -> Option<Value> {
        None
    }
}

/// The phrases of the sample, and one-letter phrases that overlap in every way.
fn rows() -> RowSet {
    let mut rows = sample::rows();
    let mut phrases: Vec<String> = (1..=150).map(|long| format!("={}*", "a".repeat(long))).collect();
    phrases.extend((0..150).map(|number| format!("a|zq{number}")));
    let concept = Concept {
        code: "letters".to_owned(),
        phrases: [("en".to_owned(), phrases)].into(),
        except: vec!["a a".to_owned(), "water leak".to_owned()],
    };
    let stored = Arc::new(StoredRow {
        version: 1,
        row: concept,
    });
    Concept::table_mut(&mut rows).insert("letters".to_owned(), stored);
    rows
}

/// Measures the CPU time to read and decide a conversation.
fn worked(book: &Rulebook, said: String) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let began = now();
    let extracted = book.extract(&Nothing, said);
    let decision = book.decide(&extracted, "2026-11-24T15:00:00Z".parse().unwrap());
    assert!(serde_json::to_string(&decision).unwrap().len() < 100_000);
    now().saturating_sub(began)
}

#[test]
fn a_text_of_four_times_the_length_takes_about_four_times_the_work() {
    let book = compile(1, &rows(), None).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let parts = [
        "a ",
        "a",
        "a, ",
        "inondé ",
        "no flood, ",
        "pas d'inondation mais inondé ",
        "flooding. It stopped. ",
        "it stopped no yes not anymore ",
        "water leak in the basement ",
        "> Is there water in the basement?\nno\n",
        "yes\n",
        "🚰 👍🏽 ",
        "Brossard, 12 feet, J4W 1A1, ",
        "- ' - ",
        "e\u{301}",
        "\u{1F1E8}",
    ];
    for part in parts {
        let text = |bytes: usize| part.repeat(bytes / part.len());
        let (short, long) = (worked(&book, text(SHORT)), worked(&book, text(SHORT * LONGER as usize)));
        assert!(
            long < short * LONGER * 2 + Duration::from_millis(50),
            "{part:?}: {short:?}, and {long:?} for {LONGER} times as much"
        );
    }
}
