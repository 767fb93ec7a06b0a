//! Urgent notices texted to the operator. In: notices that nobody was texted about. Out: a queued text for each, through
//! the default rulebook's account, at most a few an hour.
//!
//! What is said of the operator's own texts is never texted, nor that the account that would send it is stopped.

use chrono::TimeDelta;

use super::enqueue::{NewSms, enqueue};
use super::notice::{CREDENTIALS, INCOMPLETE, PROVIDER_DOWN};
use super::{OutboxError, Shared};
use crate::store::notices::{self, Unsaid};
use crate::store::{begin, rulebooks, sms_messages};

/// The contact in the rows of texts to the operator; no code of a contact can be like it.
pub const OPERATOR: &str = "@operator";
/// What is sent to the operator within an hour at most: the first ones are worth reading.
const MOST_AN_HOUR: u64 = 6;
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
    let sent = sms_messages::count_since(&shared.db, rulebook_id, OPERATOR, now - TimeDelta::hours(1)).await?;
    let unsaid = Unsaid {
        rulebook_id,
        subject: notices::of_contact(OPERATOR),
        codes: &[PROVIDER_DOWN, CREDENTIALS, INCOMPLETE],
    };
    for notice in notices::untold(&shared.db, &unsaid, MOST_AN_HOUR.saturating_sub(sent)).await? {
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
