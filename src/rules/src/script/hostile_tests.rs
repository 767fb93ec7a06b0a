//! Tests hostile scripts, some written by hand and some generated. Each script is refused or ends in time, and has no
//! side effects.

use std::time::Duration;

use serde_json::json;

use super::tests::{book, tried};
use super::thread_time::thread_time;
use crate::rows::Hook;

#[path = "../../../../tests/it/support/hostile.rs"]
mod hostile;

/// CPU time limit for compiling and running one hostile script. An unoptimized build compiles ten times more slowly,
/// and the tests share their machine.
const AT_MOST: Duration = Duration::from_millis(100);

#[test]
fn hostile_scripts_are_refused_or_end_in_time() {
    // A test thread has a quarter of the stack of a pool thread. So a script that fits in a test thread also fits in a
    // pool thread.
    let book = book();
    let (mut refused, mut stopped, mut ended) = (0, 0, 0);
    for (number, source) in hostile::by_hand()
        .into_iter()
        .chain(hostile::made_up(7, 200))
        .enumerate()
    {
        let before = thread_time();
        let wall = std::time::Instant::now();
        let told = match tried(&book, Hook::Price, &source, json!({"rooms": [1, 2]})) {
            Err(faults) => {
                assert!(!faults[0].text.is_empty());
                refused += 1;
                "refused"
            }
            Ok(trial) if trial.fault.is_some() => {
                stopped += 1;
                "stopped"
            }
            Ok(_) => {
                ended += 1;
                "ended"
            }
        };
        let took = thread_time().saturating_sub(before);
        let shown: String = source.chars().take(200).collect();
        assert!(
            took < AT_MOST,
            "number {number} was {told} after {took:?}, {:?}: {shown}",
            wall.elapsed()
        );
    }
    assert!(
        refused > 50 && stopped > 50,
        "{refused} refused, {stopped} stopped, {ended} ended"
    );
}
