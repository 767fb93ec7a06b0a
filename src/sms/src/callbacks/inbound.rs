//! Routes for SMS replies: `POST /webhooks/twilio/inbound` and `POST /webhooks/twilio/inbound/{rulebook}`.
//!
//! The URL without a rulebook is for all rulebooks. The account, and the number to which the reply was sent, determine
//! the rulebook.

use std::collections::HashMap;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use uuid::Uuid;

use super::directory::Owner;
use super::form::Form;
use super::{Callbacks, RETRY_AFTER_S, bad_field, sid};
use crate::inbound::InboundText;
use crate::{OutboxError, Sender};
use web::problem::Problem;

/// Empty TwiML, so that Twilio sends no response to the sender.
const NOTHING: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;
/// Maximum length of a phone number or sender name, in bytes.
const LONGEST_NUMBER: usize = 64;

/// Handles a reply to any rulebook's number.
#[handler]
pub async fn receive_inbound(
    request: &Request,
    body: poem::Body,
    callbacks: Data<&Callbacks>,
) -> poem::Result<Response> {
    Ok(receive(request, body, callbacks.0, None).await?)
}

/// Handles a reply to a rulebook's number.
#[handler]
pub async fn receive_inbound_for(
    request: &Request,
    body: poem::Body,
    Path(rulebook): Path<String>,
    callbacks: Data<&Callbacks>,
) -> poem::Result<Response> {
    Ok(receive(request, body, callbacks.0, Some(&rulebook)).await?)
}

async fn receive(
    request: &Request,
    body: poem::Body,
    callbacks: &Callbacks,
    code: Option<&str>,
) -> Result<Response, Problem> {
    let form = callbacks.form(request, body).await?;
    let rulebook_id = match code {
        Some(code) => named(request, callbacks, &form, code).await?,
        None => addressed(request, callbacks, &form).await?,
    };
    let rulebook_id = rulebook_id.ok_or_else(|| callbacks.refuse(request, "an SMS reply"))?;
    callbacks.admit(request, rulebook_id)?;
    let text = text(&form)?;
    let outbox = callbacks.outbox.clone();
    let heard = callbacks
        .run(async move { outbox.record_inbound(rulebook_id, &text).await })
        .await?;
    Ok(Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
        .body(
            heard
                .answer
                .map_or_else(|| NOTHING.to_owned(), |answer| saying(&answer)),
        ))
}

/// Builds TwiML with a response to the sender.
fn saying(answer: &str) -> String {
    let escaped: String = answer
        .chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>{escaped}</Message></Response>"#)
}

fn unavailable(error: &OutboxError) -> Problem {
    Problem::unavailable(error, RETRY_AFTER_S)
}

/// Returns the rulebook with this code, if its account signed the request.
async fn named(request: &Request, callbacks: &Callbacks, form: &Form, code: &str) -> Result<Option<Uuid>, Problem> {
    let all = callbacks
        .outbox
        .rulebooks()
        .await
        .map_err(|error| unavailable(&error))?;
    let found = all.into_iter().find(|(_, own)| own == code);
    let Some((id, _)) = found else {
        return Err(callbacks.refuse_unknown(request, form, "rulebook of this name").await?);
    };
    let account = callbacks.outbox.accounts().of(id).await;
    let account = account.map_err(|error| unavailable(&error))?;
    let signed = account.is_some_and(|account| callbacks.is_signed(request, form, &account));
    Ok(signed.then_some(id))
}

/// Returns the rulebook that got the reply. Its account must have signed the request. A rulebook that sends from this
/// number takes precedence, then the default rulebook, then the oldest rulebook.
async fn addressed(request: &Request, callbacks: &Callbacks, form: &Form) -> Result<Option<Uuid>, Problem> {
    let sid = form.get("AccountSid").unwrap_or_default();
    if sid.is_empty() || request.header(super::SIGNATURE).is_none() {
        return Ok(None);
    }
    let outbox = &callbacks.outbox;
    let recent = callbacks
        .directory
        .recent(outbox)
        .await
        .map_err(|error| unavailable(&error))?;
    let mut found = signer(request, callbacks, form, recent.of(sid));
    if found.is_none() {
        // The account or the token may be newer than the cached directory.
        let newer = callbacks
            .directory
            .newer(outbox)
            .await
            .map_err(|error| unavailable(&error))?;
        found = signer(request, callbacks, form, newer.of(sid));
    }
    let Some(id) = found else { return Ok(None) };
    // Read the account again, because its token may have been retired since the directory was read.
    let account = outbox.accounts().of(id).await.map_err(|error| unavailable(&error))?;
    let still = account.is_some_and(|account| account.sid == sid && callbacks.is_signed(request, form, &account));
    Ok(still.then_some(id))
}

/// Of the rulebooks of an account, returns the best match among those whose token signed the request. A token that
/// several rulebooks share is tried once.
fn signer(request: &Request, callbacks: &Callbacks, form: &Form, owners: &[Owner]) -> Option<Uuid> {
    let to = form.get("To").unwrap_or_default();
    let mut tried: HashMap<&str, bool> = HashMap::new();
    let mut best: Option<(u8, Uuid)> = None;
    for owner in owners {
        let signed = tried
            .entry(&owner.account.token)
            .or_insert_with(|| callbacks.is_signed(request, form, &owner.account));
        if !*signed {
            continue;
        }
        let rank = match &owner.account.sender {
            Sender::From(number) if number == to => 0,
            _ if owner.code == callbacks.default_rulebook => 1,
            _ => 2,
        };
        if best.is_none_or(|(known, _)| rank < known) {
            best = Some((rank, owner.rulebook_id));
        }
    }
    best.map(|(_, id)| id)
}

/// Whether the text is a number as Twilio writes it, perhaps after a channel (`whatsapp:+1514…`), or a sender name. A
/// number must end with a digit, because the signature does not mark the end of a value. Otherwise, the next field
/// could be part of the number.
fn is_number(text: &str) -> bool {
    let number = text.split_once(':').map_or(text, |(_, number)| number);
    match number.strip_prefix('+') {
        Some(digits) => (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => (1..=LONGEST_NUMBER).contains(&text.len()) && !text.chars().any(char::is_control),
    }
}

fn text(form: &Form) -> Result<InboundText, Problem> {
    let number = |name: &str| {
        let given = form.get(name).unwrap_or_default();
        is_number(given)
            .then(|| given.to_owned())
            .ok_or_else(|| bad_field(name, "a phone number"))
    };
    Ok(InboundText {
        sid: sid(form, "MessageSid")?.to_owned(),
        from_number: number("From")?,
        to_number: number("To")?,
        body: form.get("Body").unwrap_or_default().to_owned(),
        opt_out_type: form
            .get("OptOutType")
            .filter(|kind| !kind.is_empty())
            .map(ToOwned::to_owned),
    })
}
