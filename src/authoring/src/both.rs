//! Two states of a rulebook decide the same call. Where they hear alike, the caller is listened to once: that is most of the
//! work of a decision, and a change of prices does not touch it.

use chrono::{DateTime, Utc};

use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::facts::Extracted;
use rules::lookups::Listened;

/// How often a decision is made again whose script was left out: a busy machine says nothing about the rules.
const RETRIES: usize = 2;

/// What the first and the second decide about a call, each by its facts as it reads them.
pub fn decide(books: [&Rulebook; 2], facts: [&Extracted; 2], at: DateTime<Utc>) -> [Decision; 2] {
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

fn settled(book: &Rulebook, extracted: &Extracted, at: DateTime<Utc>, heard: &Listened) -> Decision {
    let mut decision = book.decide_listened(extracted, at, heard);
    for _ in 0..RETRIES {
        if !decision.is_degraded() {
            break;
        }
        decision = book.decide_listened(extracted, at, heard);
    }
    decision
}
