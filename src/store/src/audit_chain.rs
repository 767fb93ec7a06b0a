//! Computes the MACs that chain the audit log. The MAC of an entry covers every column of the entry and the MAC of the
//! previous entry. The MAC of the head covers all fields of [`Head`]. The key of the MACs is not in the database.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::audit_json::canonical;

/// The value that the MAC of the first entry covers instead of a previous MAC.
pub const GENESIS: [u8; 32] = [0; 32];

/// The secret key with which the MACs are computed. Cloning is cheap.
#[derive(Clone)]
pub struct AuditKey(Hmac<Sha256>);

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(hidden)")
    }
}

/// The columns of an entry that was read from the log or will be appended to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    pub seq: i64,
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub actor_key_id: Option<Uuid>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub rulebook_id: Option<Uuid>,
    pub action: String,
    pub resource: String,
    pub code: String,
    /// The revision that the change created.
    pub revision: Option<i64>,
    /// The row before the change, as JSON text.
    pub before: Option<String>,
    /// The row after the change, as JSON text.
    pub after: Option<String>,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry. It is 0 before the first entry.
    pub seq: i64,
    /// The MAC of the last entry.
    pub mac: Vec<u8>,
    /// The number of the first entry that was written while the MAC of the head did not verify.
    pub broken_since: Option<i64>,
}

impl AuditKey {
    /// Creates the key from 32 bytes that have no other use.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros up to its block size (RFC 2104).
        let mut block = [0; 64];
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// Computes the MAC of `entry`. `previous` is the MAC of the entry before it. Returns `None` if the JSON of the
    /// entry is invalid.
    #[must_use]
    pub fn of_entry(&self, previous: &[u8], entry: &Columns) -> Option<[u8; 32]> {
        let json = |text: &Option<String>| match text {
            Some(text) => canonical(text).map(Some),
            None => Some(None),
        };
        let (before, after) = (json(&entry.before)?, json(&entry.after)?);
        let at = entry.at.timestamp_micros().to_be_bytes();
        let seq = entry.seq.to_be_bytes();
        let revision = entry.revision.map(i64::to_be_bytes);
        let text = |text: &'_ Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let (address, request_id) = (text(&entry.address), text(&entry.request_id));
        Some(self.mac(
            b"ringbook audit entry 1",
            &[
                Some(&seq),
                Some(previous),
                Some(entry.id.as_bytes()),
                Some(&at),
                Some(entry.actor.as_bytes()),
                entry.actor_key_id.as_ref().map(|id| id.as_bytes().as_slice()),
                address.as_deref(),
                request_id.as_deref(),
                entry.rulebook_id.as_ref().map(|id| id.as_bytes().as_slice()),
                Some(entry.action.as_bytes()),
                Some(entry.resource.as_bytes()),
                Some(entry.code.as_bytes()),
                revision.as_ref().map(<[u8; 8]>::as_slice),
                before.as_deref(),
                after.as_deref(),
            ],
        ))
    }

    /// Computes the MAC of the head.
    #[must_use]
    pub fn of_head(&self, head: &Head) -> [u8; 32] {
        let (seq, broken) = (head.seq.to_be_bytes(), head.broken_since.map(i64::to_be_bytes));
        self.mac(
            b"ringbook audit head 1",
            &[Some(&seq), Some(&head.mac), broken.as_ref().map(<[u8; 8]>::as_slice)],
        )
    }

    /// Computes the MAC of `parts`. The MAC also covers the presence and the length of each part, so that different
    /// lists of parts never produce the same bytes.
    fn mac(&self, label: &[u8], parts: &[Option<&[u8]>]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in std::iter::once(&Some(label)).chain(parts) {
            match part {
                None => mac.update(&[0]),
                Some(bytes) => {
                    mac.update(&[1]);
                    mac.update(&(bytes.len() as u64).to_be_bytes());
                    mac.update(bytes);
                }
            }
        }
        mac.finalize().into_bytes().into()
    }
}

/// Compares two MACs in constant time, and returns whether they are equal.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Returns the SHA-256 of a JSON value in hexadecimal.
#[must_use]
pub fn digest(json: &str) -> String {
    hex::encode(Sha256::digest(canonical(json).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Columns {
        Columns {
            seq: 7,
            id: Uuid::from_u128(1),
            at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            actor: "office".into(),
            actor_key_id: Some(Uuid::from_u128(2)),
            address: Some("10.0.0.1".into()),
            request_id: Some("r".into()),
            rulebook_id: Some(Uuid::from_u128(3)),
            action: "update".into(),
            resource: "services".into(),
            code: "leak".into(),
            revision: Some(4),
            before: Some(r#"{"a":1}"#.into()),
            after: Some(r#"{"a":2}"#.into()),
        }
    }

    #[test]
    fn every_column_counts() {
        let key = AuditKey::new(&[7; 32]);
        let change = |change: fn(&mut Columns)| {
            let mut entry = entry();
            change(&mut entry);
            key.of_entry(&GENESIS, &entry).unwrap()
        };
        let mut macs = vec![
            key.of_entry(&GENESIS, &entry()).unwrap(),
            key.of_entry(&[1; 32], &entry()).unwrap(),
            AuditKey::new(&[8; 32]).of_entry(&GENESIS, &entry()).unwrap(),
            change(|entry| entry.seq = 8),
            change(|entry| entry.id = Uuid::from_u128(9)),
            change(|entry| entry.at += chrono::TimeDelta::microseconds(1)),
            change(|entry| entry.actor = "offic".into()),
            change(|entry| entry.actor_key_id = None),
            change(|entry| entry.address = None),
            change(|entry| entry.address = Some(String::new())),
            change(|entry| entry.request_id = None),
            change(|entry| entry.rulebook_id = None),
            change(|entry| entry.action = "delete".into()),
            change(|entry| entry.resource = "taxes".into()),
            change(|entry| entry.code = "leaks".into()),
            change(|entry| entry.revision = None),
            change(|entry| entry.before = None),
            change(|entry| entry.before = Some("null".into())),
            change(|entry| entry.after = Some(r#"{"a":3}"#.into())),
            // Moving a character to the next column changes the MAC.
            change(|entry| (entry.action, entry.resource) = ("updates".into(), "ervices".into())),
        ];
        let count = macs.len();
        macs.sort_unstable();
        macs.dedup();
        assert_eq!(macs.len(), count);
        let mut same = entry();
        same.after = Some("{ \"a\" : 2.0 }".into());
        assert_eq!(key.of_entry(&GENESIS, &same), key.of_entry(&GENESIS, &entry()));
    }

    #[test]
    fn every_part_of_the_head_counts() {
        let key = AuditKey::new(&[7; 32]);
        let head = Head {
            seq: 7,
            mac: vec![1; 32],
            broken_since: None,
        };
        let other = |change: fn(&mut Head)| {
            let mut changed = head.clone();
            change(&mut changed);
            key.of_head(&changed) != key.of_head(&head)
        };
        assert!(!other(|_| ()));
        assert!(other(|head| head.seq = 8));
        assert!(other(|head| head.mac = vec![2; 32]));
        assert!(other(|head| head.broken_since = Some(3)));
    }
}
