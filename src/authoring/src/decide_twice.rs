//! Decides the same call with two states of a rulebook. The analysis of the caller's words is most of the work of a
//! decision. If both states recognize the same phrases in every text, the module analyzes the words only once.

use chrono::{DateTime, Utc};

use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::facts::ExtractedFacts;
use rules::rulebook_queries::HeardCall;

/// Number of retries of a decision in which a script failed. The script may have timed out only because the machine was
/// busy.
const RETRIES: usize = 2;

/// Decides a call with each of two rulebooks. Each rulebook has its own facts.
pub fn decide(books: [&Rulebook; 2], facts: [&ExtractedFacts; 2], at: DateTime<Utc>) -> [Decision; 2] {
    let [first, second] = books;
    let heard = first.listened(facts[0]);
    let again = if first.hears_like(second) && (std::ptr::eq(facts[0], facts[1]) || facts[0] == facts[1]) {
        heard.clone()
    } else {
        second.listened(facts[1])
    };
    [
        settled(first, facts[0], at, &heard),
        settled(second, facts[1], at, &again),
    ]
}

fn settled(book: &Rulebook, extracted: &ExtractedFacts, at: DateTime<Utc>, heard: &HeardCall) -> Decision {
    let mut decision = book.decide_listened(extracted, at, heard);
    for _ in 0..RETRIES {
        if !decision.is_degraded() {
            break;
        }
        decision = book.decide_listened(extracted, at, heard);
    }
    decision
}
