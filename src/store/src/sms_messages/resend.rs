//! Resends a message on a person's request. The message is queued with a new series of attempts. If the message must
//! not be resent, the reason is returned.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{Condition, DatabaseTransaction, QueryOrder, QuerySelect};

use super::{AMBIGUOUS, Column, DEAD, Entity, Model, QUEUED, SENDING, SIMULATED, record};
use crate::{contacts, sms_attempts, sms_suppressions};

/// Why a message is not resent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Not {
    OnItsWay,
    /// Twilio accepted the message.
    Taken,
    Simulated,
    /// The message may have been sent, and the request did not set `force`.
    Unclear,
    /// The caller was erased, together with the body of the message.
    Erased,
    /// The recipient of the message replied STOP.
    OptedOut,
    /// The contact of the message is no longer in the rulebook.
    NoContact,
}

impl Not {
    /// The machine-readable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnItsWay => "on_its_way",
            Self::Taken => "taken",
            Self::Simulated => "simulated",
            Self::Unclear => "may_have_been_sent",
            Self::Erased => "erased",
            Self::OptedOut => "opted_out",
            Self::NoContact => "no_contact",
        }
    }

    /// The sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OnItsWay => "The SMS message waits to be sent or is being sent.",
            Self::Taken => "Twilio accepted the SMS message; resending it would deliver it twice.",
            Self::Simulated => "The SMS message was simulated: Ringbook recorded it and sent nothing.",
            Self::Unclear => {
                "The SMS message may have been sent: search Twilio's log for its reference. If it is not there, or if twice is better \
                 than never, resend it with `force`."
            }
            Self::Erased => "The caller was erased, and with them the body of the SMS message.",
            Self::OptedOut => {
                "The recipient has opted out by replying STOP: ask them to reply START, or lift the suppression under \
                 /admin/v1/sms-suppressions."
            }
            Self::NoContact => {
                "The contact of the message is no longer in the rulebook, so there is no number to send it to."
            }
        }
    }
}

/// Queues a message that this transaction has locked, or returns why it must not be resent. The message is sent to the
/// contact's current number, because a wrong number is the most frequent reason to resend. `force` also resends a
/// message with an unknown outcome.
pub async fn send_again(
    tx: &DatabaseTransaction,
    mut row: Model,
    force: bool,
    now: DateTimeUtc,
) -> Result<Result<Model, Not>, DbErr> {
    match row.state.as_str() {
        DEAD => {}
        AMBIGUOUS if force => {}
        AMBIGUOUS => return Ok(Err(Not::Unclear)),
        QUEUED | SENDING => return Ok(Err(Not::OnItsWay)),
        SIMULATED => return Ok(Err(Not::Simulated)),
        _ => return Ok(Err(Not::Taken)),
    }
    if row.body.is_empty() {
        return Ok(Err(Not::Erased));
    }
    // The operator is not a contact. Their number is a setting, which the worker reads.
    if !row.contact.starts_with('@') {
        match contacts::phone_of(tx, row.rulebook_id, &row.contact).await? {
            Some(phone) => row.to_number = phone,
            None => return Ok(Err(Not::NoContact)),
        }
    }
    let recipient = [(row.rulebook_id, row.to_number.clone())];
    if !sms_suppressions::among(tx, &recipient).await?.is_empty() {
        return Ok(Err(Not::OptedOut));
    }
    // If the message has a provider id, its outcome is known: a status callback has reported that the message did not
    // arrive.
    let unclear = row.provider_id.is_none() && sms_attempts::ended_unclear(tx, row.rulebook_id, row.id).await?;
    if unclear && !force {
        return Ok(Err(Not::Unclear));
    }
    row.state = QUEUED.into();
    // A worker that is looking the message up at the provider must not overwrite this row.
    row.fence += 1;
    row.lease_until = None;
    row.next_attempt_at = now;
    row.series_from = row.attempts;
    row.resent_at = Some(now);
    row.updated_at = now;
    (row.provider_id, row.provider_status, row.error_code, row.error) = (None, None, None, None);
    record(tx, &row).await?;
    Ok(Ok(row))
}

/// A selection of dead messages.
#[derive(Clone, Debug)]
pub struct Dead {
    pub rulebook_id: Uuid,
    /// Twilio's error code.
    pub error_code: Option<i64>,
    /// The contact.
    pub contact: Option<String>,
    pub since: Option<DateTimeUtc>,
    /// Selects only messages after this id.
    pub after: Option<Uuid>,
    pub limit: u64,
}

/// Locks and reads dead messages, oldest first.
pub async fn locked_dead(tx: &DatabaseTransaction, which: &Dead) -> Result<Vec<Model>, DbErr> {
    let wanted: [Option<Expr>; 4] = [
        which.error_code.map(|code| Column::ErrorCode.eq(code)),
        which.contact.as_ref().map(|contact| Column::Contact.eq(contact)),
        which.since.map(|since| Column::CreatedAt.gte(since)),
        which.after.map(|after| Column::Id.gt(after)),
    ];
    Entity::find()
        .filter(Column::RulebookId.eq(which.rulebook_id))
        .filter(Column::State.eq(DEAD))
        .filter(wanted.into_iter().flatten().fold(Condition::all(), Condition::add))
        .order_by_asc(Column::Id)
        .limit(which.limit)
        .lock(LockType::Update)
        .all(tx)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_a_sentence() {
        let all = [
            Not::OnItsWay,
            Not::Taken,
            Not::Simulated,
            Not::Unclear,
            Not::Erased,
            Not::OptedOut,
            Not::NoContact,
        ];
        let words: std::collections::HashSet<_> = all.iter().map(|not| not.word()).collect();
        assert_eq!(words.len(), all.len());
        assert!(all.iter().all(|not| not.sentence().ends_with('.')));
    }
}
