//! Stores authentic messages that cannot be parsed: raw, under the hash of the body.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;

use crate::answer::Answer;
use crate::auth::access::Access;
use crate::message::{IngestError, Intake};
use crate::sms_age::Origin;

use store::compressed_body;
use store::message_head;
use store::webhook_events::{self, NewEvent};

/// Stores the bytes once. Bytes from the spool are stored even if the secrets changed, because the sender was verified
/// when the bytes arrived.
pub async fn keep(
    intake: Intake,
    access: Arc<Access>,
    body: Bytes,
    received_at: DateTime<Utc>,
    origin: Origin,
) -> Result<(), IngestError> {
    let body_hash: [u8; 32] = Sha256::digest(&body).into();
    let key = hex::encode(body_hash);
    let tx = store::begin(&intake.db).await?;
    let head = message_head::read(&tx, access.rulebook_id, None).await?;
    if origin != Origin::Drained && head.auth_version != access.auth_version {
        return Err(IngestError::AccessChanged);
    }
    let event = NewEvent {
        rulebook_id: access.rulebook_id,
        id: intake.clock.new_id(),
        business_key: &format!("-/unreadable/{key}"),
        delivery_key: &key,
        kind: "unreadable",
        call_id: None,
        message_at: None,
        received_at,
        body: Some(&compressed_body::pack(&body)),
        body_hash,
        answer: &Answer::Neutral.to_json(),
        state: "unreadable",
        amends: None,
        origin: origin.word(),
        set_aside: None,
        without_call: true,
    };
    webhook_events::insert(&tx, &event).await?;
    tx.commit().await?;
    Ok(())
}
