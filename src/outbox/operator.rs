//! Urgent notices texted to the operator. In: notices that nobody was texted about. Out: a queued text for each, through
//! the default rulebook's account, at most a few an hour about each rulebook and in all: what one of them has to say keeps
//! nothing of another from being said.
//!
//! What is said of the operator's own texts is never texted, nor that the account that would send it is stopped.

use chrono::TimeDelta;
use uuid::Uuid;

use super::enqueue::{NewSms, enqueue};
use super::notice::{CREDENTIALS, INCOMPLETE, PROVIDER_DOWN};
use super::{OutboxError, Shared};
use crate::store::notices::{self, Unsaid};
use crate::store::{begin, rulebooks};

/// The contact in the rows of texts to the operator; no code of a contact can be like it.
pub const OPERATOR: &str = "@operator";
/// What is sent to the operator about one rulebook within an hour at most: the first ones are worth reading.
const MOST_OF_A_RULEBOOK: u64 = 6;
/// What is sent within an hour about all of them at most.
const MOST_IN_ALL: u64 = 60;
/// The longest text to the operator, in characters.
const LONGEST: usize = 300;

/// Who is texted about urgent notices.
#[derive(Clone)]
pub struct Operator {
    /// The rulebook whose account sends.
    pub rulebook: &'static str,
    /// Where to.
    pub number: String,
}

impl std::fmt::Debug for Operator {
    /// The number never shows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").finish_non_exhaustive()
    }
}

/// Queues a text about each urgent notice that the operator has not heard of.
pub(super) async fn tell_operator(shared: &Shared) -> Result<(), OutboxError> {
    let Some(operator) = &shared.settings.operator else {
        return Ok(());
    };
    let Some(rulebook_id) = rulebooks::id_of(&shared.db, operator.rulebook).await? else {
        return Ok(());
    };
    let now = shared.now();
    let unsaid = Unsaid {
        rulebook_id,
        subject: notices::of_contact(OPERATOR),
        codes: &[PROVIDER_DOWN, CREDENTIALS, INCOMPLETE],
    };
    let mut waiting = notices::untold_rulebooks(&shared.db, &unsaid).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut told = notices::told_since(&shared.db, now - TimeDelta::hours(1)).await?;
    loop {
        // Those of whom the operator has heard least come first.
        let of = |about: &Uuid| told.get(about).copied().unwrap_or_default();
        waiting.sort_by_key(|about| (of(about), *about));
        let (Some(about), all) = (waiting.first().copied(), told.values().sum()) else {
            break;
        };
        if of(&about) >= allowance(all) {
            break;
        }
        let Some(notice) = notices::untold(&shared.db, &unsaid, about).await? else {
            waiting.remove(0);
            continue;
        };
        *told.entry(about).or_default() += 1;
        let body = format!("Ringbook: {} {}", notice.text, notice.what_to_do);
        let tx = begin(&shared.db).await?;
        if notices::tell_once(&tx, &notice, now).await? {
            let text = NewSms {
                rulebook_id,
                id: shared.clock.new_id(),
                call_id: None,
                decision_id: None,
                contact: OPERATOR.to_owned(),
                template: "notice".to_owned(),
                priority: "P2".to_owned(),
                to_number: operator.number.clone(),
                body: body.chars().take(LONGEST).collect(),
                rule: None,
                held_until: None,
                now,
            };
            enqueue(&tx, text).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// How much may be said about one rulebook within an hour when so much was said about all of them: the more there was, the
/// less, so that the last places are for those of whom nothing was said.
fn allowance(all: u64) -> u64 {
    match all {
        0..18 => MOST_OF_A_RULEBOOK,
        18..36 => 2,
        36..MOST_IN_ALL => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_of_one_rulebook_leave_room_for_forty_others() {
        let (mut noisy, mut all) = (0, 0);
        while noisy < allowance(all) {
            noisy += 1;
            all += 1;
        }
        assert_eq!(noisy, MOST_OF_A_RULEBOOK);
        let mut quiet = 0;
        while quiet < 40 && allowance(all) > 0 {
            quiet += 1;
            all += 1;
        }
        assert_eq!(quiet, 40);
        assert_eq!(allowance(MOST_IN_ALL), 0);
    }
}
