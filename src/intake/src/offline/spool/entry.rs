//! A spool entry: a message and its response. Entries are encrypted in the file.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::SpoolError;
use crate::commit_race::RecordedResponse;
use crate::parse::event::Event;
use base::keys::SecretKey;
use store::spool::{SealedEntry, WaitingMessage};

/// The rank of a message without a priority. Such messages come after all messages with a priority.
const NO_PRIORITY: i64 = 5;

/// A message that waits for the database.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: Uuid,
    pub rulebook_id: Uuid,
    /// The data of the entry without the body.
    pub about: EntryHeader,
    /// The body as received.
    pub body: Bytes,
}

/// The data of an entry without the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryHeader {
    /// The rulebook's code.
    pub code: String,
    /// The id from the configured header or, without this header, the hash of the body.
    pub delivery_key: String,
    /// When the message was received.
    pub received_at: DateTime<Utc>,
    /// The response and the decision. `None` for a report if no rulebook was known, and for a body that cannot be
    /// parsed.
    pub recorded_response: Option<RecordedResponse>,
}

/// Hashes that identify duplicates and messages of the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Hash of the business key.
    pub key: [u8; 32],
    /// Hash of the call id, or of the business key if there is no call.
    pub family: [u8; 32],
}

impl Keys {
    /// The keys of an event.
    #[must_use]
    pub fn of(rulebook_id: Uuid, event: &Event) -> Self {
        let key = event.event_key();
        let family = event
            .call_id()
            .map_or_else(|| format!("-{key}"), |call| format!("+{call}"));
        Self::from_texts(rulebook_id, &key, &family)
    }

    /// The keys of a message that cannot be parsed.
    #[must_use]
    pub fn of_unreadable(rulebook_id: Uuid, body: &[u8]) -> Self {
        let hash = hex::encode(Sha256::digest(body));
        Self::from_texts(rulebook_id, &hash, &hash)
    }

    fn from_texts(rulebook_id: Uuid, key: &str, family: &str) -> Self {
        let hash = |text: &str| {
            Sha256::new()
                .chain_update(rulebook_id.as_bytes())
                .chain_update(text)
                .finalize()
                .into()
        };
        Self {
            key: hash(key),
            family: hash(family),
        }
    }
}

impl Entry {
    /// Encrypts the entry for the file.
    pub fn seal(&self, key: &SecretKey, keys: Keys) -> Result<WaitingMessage, SpoolError> {
        let about = serde_json::to_vec(&self.about)?;
        let length = u32::try_from(about.len()).map_err(|_| SpoolError::Full)?;
        let clear = [length.to_be_bytes().as_slice(), &about, &self.body].concat();
        let priority = self
            .about
            .recorded_response
            .as_ref()
            .and_then(|recorded_response| recorded_response.decisions.decisions.priority());
        Ok(WaitingMessage {
            id: self.id,
            rulebook_id: self.rulebook_id,
            key: keys.key,
            body_hash: Sha256::digest(&self.body).into(),
            family: keys.family,
            rank: rank(priority),
            received_at: self.about.received_at,
            sealed: key.seal(self.rulebook_id, self.id, &clear)?,
        })
    }

    /// Decrypts an entry.
    pub fn open(key: &SecretKey, sealed: &SealedEntry) -> Result<Self, SpoolError> {
        let clear = Bytes::from(key.open(sealed.rulebook_id, sealed.id, &sealed.sealed)?);
        let length = clear.first_chunk::<4>().ok_or(SpoolError::Torn)?;
        let end = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SpoolError::Torn)? + 4;
        if end > clear.len() {
            return Err(SpoolError::Torn);
        }
        Ok(Self {
            id: sealed.id,
            rulebook_id: sealed.rulebook_id,
            about: serde_json::from_slice(&clear[4..end])?,
            body: clear.slice(end..),
        })
    }
}

fn rank(priority: Option<&str>) -> i64 {
    match priority {
        Some("P1") => 1,
        Some("P2") => 2,
        Some("P3") => 3,
        Some("P4") => 4,
        _ => NO_PRIORITY,
    }
}
