//! Route for status callbacks: `POST /webhooks/twilio/status/{sms_message_id}`. Ringbook passes this URL to Twilio with
//! each message.

use poem::http::StatusCode;
use poem::web::{Data, Path};
use poem::{Request, handler};
use uuid::Uuid;

use super::form::Form;
use super::{Callbacks, RETRY_AFTER_S, bad_field, sid};
use crate::record_callback::CallbackEffect;
use crate::status::Report;
use web::problem::Problem;

/// The object that the 404 response names if the id is unknown.
const UNKNOWN: &str = "SMS message of this id";

/// Handles a status. The response is 204 even if the status changes nothing, because a retry would not change anything
/// either.
#[handler]
pub async fn receive_status(
    request: &Request,
    body: poem::Body,
    Path(id): Path<String>,
    callbacks: Data<&Callbacks>,
) -> poem::Result<StatusCode> {
    Ok(receive(request, body, callbacks.0, &id).await?)
}

async fn receive(request: &Request, body: poem::Body, callbacks: &Callbacks, id: &str) -> Result<StatusCode, Problem> {
    let form = callbacks.form(request, body).await?;
    let unavailable = |error| Problem::unavailable(&error, RETRY_AFTER_S);
    let id: Option<Uuid> = id.parse().ok();
    let owner = match id {
        Some(id) => callbacks.outbox.owner(id).await.map_err(unavailable)?,
        None => None,
    };
    let (Some(id), Some(rulebook_id)) = (id, owner) else {
        return Err(callbacks.refuse_unknown(request, &form, UNKNOWN).await?);
    };
    let account = callbacks.outbox.accounts().of(rulebook_id).await.map_err(unavailable)?;
    if !account.is_some_and(|account| callbacks.is_signed(request, &form, &account)) {
        return Err(callbacks.refuse(request, "a status callback"));
    }
    callbacks.admit(request, rulebook_id)?;
    let report = report(&form)?;
    let outbox = callbacks.outbox.clone();
    let noted = callbacks.run(async move { outbox.note_status(rulebook_id, id, &report).await });
    match noted.await? {
        CallbackEffect::Unknown => Err(Problem::not_found(UNKNOWN)),
        CallbackEffect::Step | CallbackEffect::Kept => Ok(StatusCode::NO_CONTENT),
    }
}

fn report(form: &Form) -> Result<Report, Problem> {
    let status = form.get("MessageStatus").unwrap_or_default();
    let is_word =
        (1..=32).contains(&status.len()) && status.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !is_word {
        return Err(bad_field(
            "MessageStatus",
            "one of Twilio's statuses, such as `delivered`",
        ));
    }
    let error_code = match form.get("ErrorCode").filter(|code| !code.is_empty()) {
        Some(code) => Some(code.parse::<u32>().map_err(|_| bad_field("ErrorCode", "a number"))?),
        None => None,
    };
    Ok(Report {
        sid: sid(form, "MessageSid")?.to_owned(),
        status: status.to_owned(),
        error_code: error_code.map(i64::from).filter(|code| *code != 0),
    })
}
