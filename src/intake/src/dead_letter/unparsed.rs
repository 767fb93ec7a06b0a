//! Stores the raw body of authentic messages that cannot be parsed, under the hash of the body.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::time::timeout_at;
use tokio_util::bytes::Bytes;
use tracing::Instrument as _;

use crate::answer::Answer;
use crate::auth::access::Access;
use crate::message::{IngestError, Intake};
use crate::offline::spool::{Entry, EntryHeader, Keys};
use crate::record::{NotRecorded, RESPONSE_TIMEOUT, Recorder};
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

impl Recorder {
    /// Stores the raw body of an authentic message that cannot be parsed. If the database does not store the body in
    /// time, the spool stores the body.
    pub async fn unreadable(
        &self,
        access: &Arc<Access>,
        body: &Bytes,
        received_at: DateTime<Utc>,
        began: Instant,
    ) -> Result<(), NotRecorded> {
        if let Some((db, permit)) = self.gate.enter().await {
            let (intake, access, body) = (self.over(db), Arc::clone(access), body.clone());
            let work = async move {
                let _permit = permit;
                keep(intake, access, body, received_at, Origin::Live).await
            };
            let task = self.tasks.spawn(work.in_current_span());
            match timeout_at((began + RESPONSE_TIMEOUT).into(), task).await {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(IngestError::AccessChanged))) => return Err(NotRecorded::AccessChanged),
                Ok(Ok(Err(error))) => self.log_failure(&error),
                Ok(Err(stopped)) => self.log_failure(&IngestError::Stopped(stopped.to_string())),
                Err(_) => self.log_failure(&IngestError::TooSlow),
            }
        }
        let entry = Entry {
            id: self.intake.clock.new_id(),
            rulebook_id: access.rulebook_id,
            about: EntryHeader {
                code: access.code.clone(),
                delivery_key: String::new(),
                received_at,
                recorded_response: None,
            },
            body: body.clone(),
        };
        let keys = Keys::of_unreadable(entry.rulebook_id, body);
        Ok(self.fallback.spool.keep(&entry, keys).await?)
    }
}
