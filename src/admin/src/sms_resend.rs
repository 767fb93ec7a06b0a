//! Resends dead SMS messages: one, or all that match a filter.
//!
//! A resent message is queued with a new series of attempts and gets an audit entry.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use sea_orm::DatabaseTransaction;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::audited_write;
use super::auth::{Caller, Dispatcher, Key};
use super::body::Body;
use super::errors::{Fails, ResendsMany, ResendsOne};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::responses::{Json, ReadResponse};
use super::scope::rulebooks;
use super::sms_messages::{SmsMessage, view};
use super::state::AdminState;
use base::clock::to_micros;
use store::dry_run;
use store::sms_messages::{Dead, Model, locked, locked_dead, rulebook_of, send_again};
use store::{Transaction, audit_log};
use web::problem::{Code, Problem};

/// The default number of messages per request.
const USUAL: u64 = 50;

pub struct SmsResendApi(pub AdminState);

/// Which dead letters to resend.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ResendMany {
    /// The rulebook's code.
    rulebook: String,
    /// Only messages with this error code of Twilio.
    #[serde(default)]
    error_code: Option<i64>,
    /// Only messages to this contact.
    #[serde(default)]
    contact: Option<String>,
    /// Only messages created at this instant or later.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
    /// Only messages after this id: send the `next_after` of the previous response.
    #[serde(default)]
    after: Option<Uuid>,
    /// The maximum number of messages; by default 50. The oldest come first.
    #[serde(default)]
    limit: Option<u64>,
    /// Whether to include messages that may have been sent.
    #[serde(default)]
    #[oai(default)]
    force: bool,
}

/// The result of resending dead letters.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ResentMany {
    /// How many messages were resent.
    count: u64,
    /// The ids of the resent messages.
    resent: Vec<Uuid>,
    /// The messages that were not resent, each with the reason.
    not_resent: Vec<SkippedMessage>,
    /// Present if there are more messages: send it as `after` in the next request.
    next_after: Option<Uuid>,
}

/// A dead letter that was not resent.
#[derive(Debug, Object)]
pub struct SkippedMessage {
    /// The message's id.
    id: Uuid,
    /// The reason as a word: `may_have_been_sent`, `opted_out`, `no_contact` or `erased`.
    reason: String,
    /// The reason as a sentence.
    detail: String,
}

/// Whether this request executed a transaction.
enum Completion<T> {
    Yes(T),
    /// A concurrent duplicate of the request executes the transaction.
    Elsewhere,
}

#[OpenApi(prefix_path = "/admin/v1/sms-messages")]
impl SmsResendApi {
    /// Resend an SMS message
    ///
    /// A dead letter is queued again, to the contact's current number, with new attempts and a new age. A message that
    /// may have been sent needs `force`, because it may be delivered twice.
    #[oai(path = "/:id/resend", method = "post")]
    async fn resend_sms_message(
        &self,
        key: Key<Dispatcher>,
        /// The message's id.
        id: Path<Uuid>,
        /// Whether to resend the message even if it may have been sent.
        force: Query<Option<bool>>,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
    ) -> Result<IdempotentResponse<ReadResponse<SmsMessage>>, Fails<ResendsOne>> {
        let missing = || Problem::not_found(format!("SMS message `{}`", id.0));
        let rulebook_id = rulebook_of(self.0.latest(), id.0).await?;
        let rulebook_id = rulebook_id.filter(|id| key.sees(*id)).ok_or_else(missing)?;
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let seen = rulebooks(&self.0, &key, None).await?;
        let (state, caller, force, now) = (
            self.0.clone(),
            key.clone(),
            force.0.unwrap_or_default(),
            self.0.clock.now(),
        );
        let (id, entry) = (id.0, entry(&self.0, &key, rulebook_id, id.0, force));
        let done = dry_run::spawn(async move {
            let tx = store::begin(&state.db).await?;
            if !claim.take(&tx).await? {
                return Ok::<_, Problem>(Completion::Elsewhere);
            }
            let row = locked(&tx, rulebook_id, id).await?;
            let row = row.ok_or_else(|| Problem::not_found(format!("SMS message `{id}`")))?;
            let row = send_again(&tx, row, force, now).await?;
            let row = row.map_err(|not| Problem::new(Code::Conflict, not.sentence()))?;
            let answer = IdempotentResponse::new(ReadResponse::Found(Json(view(&caller, &seen, row)))).await?;
            claim.seal(&answer)?.write(&tx).await?;
            finish(&state, tx, vec![entry]).await?;
            Ok(Completion::Yes(answer))
        });
        match done.await.map_err(|error| Problem::internal(&error))?? {
            Completion::Yes(answer) => Ok(answer),
            Completion::Elsewhere => Ok(once.again(&self.0, &key).await?),
        }
    }

    /// Resend dead letters
    ///
    /// Resends the dead letters of one rulebook that match the filter, the oldest first, to their contacts' current
    /// numbers. Each resent message gets an audit entry. Messages that cannot be resent are listed with the reason.
    #[oai(path = "/resend", method = "post")]
    async fn resend_sms_messages(
        &self,
        key: Key<Dispatcher>,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<ResendMany>,
    ) -> Result<IdempotentResponse<ReadResponse<ResentMany>>, Fails<ResendsMany>> {
        let asked = body.0;
        let rulebook_id = self.0.find(&key, &asked.rulebook).await?;
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let which = which(rulebook_id, &asked);
        let (state, caller, now) = (self.0.clone(), key.clone(), self.0.clock.now());
        let done = dry_run::spawn(async move {
            let tx = store::begin(&state.db).await?;
            if !claim.take(&tx).await? {
                return Ok::<_, Problem>(Completion::Elsewhere);
            }
            let (found, entries) = resend(&tx, &state, &caller, &which, asked.force, now).await?;
            let answer = IdempotentResponse::new(ReadResponse::new(found)).await?;
            claim.seal(&answer)?.write(&tx).await?;
            finish(&state, tx, entries).await?;
            Ok(Completion::Yes(answer))
        });
        match done.await.map_err(|error| Problem::internal(&error))?? {
            Completion::Yes(answer) => Ok(answer),
            Completion::Elsewhere => Ok(once.again(&self.0, &key).await?),
        }
    }
}

fn which(rulebook_id: Uuid, asked: &ResendMany) -> Dead {
    Dead {
        rulebook_id,
        error_code: asked.error_code,
        contact: asked.contact.clone(),
        since: asked.since.map(to_micros),
        after: asked.after,
        // One row more than the limit shows whether there are more rows.
        limit: asked.limit.unwrap_or(USUAL) + 1,
    }
}

async fn resend(
    tx: &DatabaseTransaction,
    state: &AdminState,
    caller: &Caller,
    which: &Dead,
    force: bool,
    now: DateTime<Utc>,
) -> Result<(ResentMany, Vec<audit_log::NewEntry>), Problem> {
    let mut rows: Vec<Model> = locked_dead(tx, which).await?;
    let wanted = usize::try_from(which.limit - 1).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next_after = rows.last().map(|row| row.id).filter(|_| more);
    let (mut resent, mut not_resent, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let id = row.id;
        match send_again(tx, row, force, now).await? {
            Ok(_) => {
                entries.push(entry(state, caller, which.rulebook_id, id, force));
                resent.push(id);
            }
            Err(not) => not_resent.push(SkippedMessage {
                id,
                reason: not.word().to_owned(),
                detail: not.sentence().to_owned(),
            }),
        }
    }
    let found = ResentMany {
        count: resent.len() as u64,
        resent,
        not_resent,
        next_after,
    };
    Ok((found, entries))
}

fn entry(state: &AdminState, caller: &Caller, rulebook_id: Uuid, id: Uuid, force: bool) -> audit_log::NewEntry {
    let what = ("resend", "sms-messages", &*id.to_string());
    audited_write::entry(
        state,
        caller,
        Some(rulebook_id),
        what,
        None,
        Some(json!({"force": force})),
    )
}

async fn finish(state: &AdminState, tx: Transaction, entries: Vec<audit_log::NewEntry>) -> Result<(), Problem> {
    audit_log::append_all(&tx, &state.audit, entries).await?;
    Ok(tx.commit().await?)
}
