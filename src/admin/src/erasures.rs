//! Erases a caller's data by phone number or call. The calls, their times and their decisions stay.
//!
//! The audit log records who erased how many calls, never the caller.

use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::audited_write;
use super::auth::{Admin, Key};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::state::{AdminState, RulebookInPath};
use store::dry_run;
use store::erasures;
use web::problem::Problem;

/// Maximum length of a call id.
const LONGEST_ID: usize = 255;

pub struct ErasuresApi(pub AdminState);

/// The caller to erase; send exactly one of the fields.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// A phone number with country code, such as `+15145550100`: erases calls from this number, and calls with this
    /// number in their lead.
    customer_number: Option<String>,
    /// Vapi's id of one call. The call may still be unknown: later messages about the call are not stored.
    call_id: Option<String>,
}

/// What was erased.
#[derive(Debug, Object)]
pub struct Erasure {
    /// The erasure's id in the audit log.
    id: Uuid,
    /// How many calls were erased.
    calls: u64,
    /// How many messages without a call, and SMS replies from the number, were erased.
    messages: u64,
}

enum Whom {
    Number(String),
    Call(String),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/erasures")]
impl ErasuresApi {
    /// Erase a caller
    ///
    /// Erases the caller's data: transcripts, raw messages, facts, leads, SMS messages. This cannot be undone. Prices
    /// and priorities stay; a replay of such a decision reports that its facts were erased. An unknown caller is not an
    /// error: nothing is erased. Later calls of the caller are stored again. You must erase the caller from your
    /// backups and logs, and at Vapi, yourself.
    #[oai(path = "/", method = "post")]
    async fn create_erasure(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        body: Body<NewErasure>,
    ) -> Result<ReadResponse<Erasure>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let whom = checked(body.0)?;
        let id = self.0.clock.new_id();
        let mut entry = audited_write::entry(
            &self.0,
            &key,
            Some(rulebook_id),
            ("erase", "callers", &id.to_string()),
            None,
            None,
        );
        let state = self.0.clone();
        // The work has its own task, so that a client that disconnects cannot leave a caller half erased.
        let task = dry_run::spawn(async move {
            let (calls, messages) = erased(&state, rulebook_id, whom).await?;
            entry.after = Some(json!({"calls": calls, "messages": messages}));
            audited_write::write(&state, entry, |_| Box::pin(async { Ok(true) })).await?;
            Ok::<_, Problem>(Erasure { id, calls, messages })
        });
        Ok(ReadResponse::new(
            task.await.map_err(|error| Problem::internal(&error))??,
        ))
    }
}

/// Erases each call in its own transaction, because a caller may have many calls.
async fn erased(state: &AdminState, rulebook_id: Uuid, whom: Whom) -> Result<(u64, u64), Problem> {
    let (calls, events, replies) = match whom {
        Whom::Call(id) => (vec![id], Vec::new(), 0),
        Whom::Number(digits) => {
            let calls = erasures::calls_of(state.latest(), rulebook_id, &digits).await?;
            let events = erasures::loose_events_of(state.latest(), rulebook_id, &digits).await?;
            let tx = store::begin(&state.db).await?;
            let replies = erasures::erase_replies(&tx, rulebook_id, &digits).await?;
            tx.commit().await?;
            (calls, events, replies)
        }
    };
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let counts = (count(calls.len()), count(events.len()).saturating_add(replies));
    for call in calls {
        let tx = store::begin(&state.db).await?;
        erasures::erase_call(&tx, rulebook_id, &call, state.clock.now()).await?;
        tx.commit().await?;
    }
    for event in events {
        let tx = store::begin(&state.db).await?;
        erasures::erase_event(&tx, rulebook_id, event).await?;
        tx.commit().await?;
    }
    Ok(counts)
}

fn checked(body: NewErasure) -> Result<Whom, Problem> {
    let fault = |place: &str, detail: String| Problem::fault(place, "invalid_value", detail);
    match (body.customer_number, body.call_id) {
        (Some(number), None) => erasures::significant_digits(&number).map(Whom::Number).ok_or_else(|| {
            let fewest = erasures::FEWEST_DIGITS;
            fault("/customer_number", format!("A phone number has {fewest} to 15 digits."))
        }),
        (None, Some(id)) if (1..=LONGEST_ID).contains(&id.chars().count()) => Ok(Whom::Call(id)),
        (None, Some(_)) => Err(fault(
            "/call_id",
            format!("A call's id has 1 to {LONGEST_ID} characters."),
        )),
        _ => Err(fault("", "Give either `customer_number` or `call_id`.".to_owned())),
    }
}
