//! Prepares the acknowledgement of a lead through the API: the person who acknowledges the lead, and the escalation
//! after the acknowledgement.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::Deserialize;
use uuid::Uuid;

use crate::auth::Caller;
use crate::state::shortened;
use store::escalations::{self, Taker};
use web::problem::{Code, Problem};

/// The acknowledgement of a lead.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct Taking {
    /// The code of the contact who acknowledges the lead.
    pub contact: Option<String>,
    /// The person's name, instead of `contact`; by default the name of the API key.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub by: Option<String>,
    /// A comment.
    #[oai(validator(max_length = 500))]
    pub comment: Option<String>,
}

/// Returns the person who acknowledges the lead, from the body or the API key.
pub(super) fn taker(body: Taking, is_contact: impl Fn(&str) -> bool, caller: &Caller) -> Result<Taker, Problem> {
    let by = match (body.contact, body.by.map(|by| by.trim().to_owned())) {
        (Some(_), Some(_)) => {
            let text = "Give `contact` or `by`, not both.";
            return Err(Problem::fault("/by", "invalid_value", text));
        }
        (Some(code), None) if !is_contact(&code) => {
            let text = format!("There is no contact `{}` in this rulebook.", shortened(&code));
            return Err(Problem::fault("/contact", "unknown_reference", text));
        }
        (Some(code), None) => code,
        (None, Some(by)) => by,
        (None, None) => caller.author().name,
    };
    Ok(Taker {
        by,
        how: "api",
        comment: body.comment,
    })
}

/// Returns the escalation as it is after the lead is acknowledged.
pub(super) fn taken(
    before: Option<escalations::Model>,
    (rulebook_id, id): (Uuid, Uuid),
    call_id: &str,
    taker: &Taker,
    now: DateTime<Utc>,
) -> escalations::Model {
    let new = || escalations::Model::untold(rulebook_id, id, call_id, now);
    escalations::Model {
        next_at: None,
        acknowledged_at: Some(now),
        acknowledged_by: Some(taker.by.clone()),
        acknowledged_how: Some(taker.how.to_owned()),
        comment: taker.comment.clone(),
        ..before.unwrap_or_else(new)
    }
}

pub(super) fn taken_already(row: Option<&escalations::Model>) -> Problem {
    let by = row.and_then(|row| row.acknowledged_by.as_deref()).unwrap_or("somebody");
    let at = row.and_then(|row| row.acknowledged_at).map(|at| at.to_rfc3339());
    let how = row.and_then(|row| row.acknowledged_how.as_deref()).unwrap_or("api");
    let by = shortened(by);
    let at = at.unwrap_or_default();
    Problem::new(
        Code::Conflict,
        format!("`{by}` has already acknowledged this lead, at {at} by {how}."),
    )
}
