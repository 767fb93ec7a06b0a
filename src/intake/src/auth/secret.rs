//! A webhook secret shared with Vapi. Its bytes are never printed.

use std::fmt;

/// A shared secret that authenticates messages. Its bytes are never logged: `Debug` prints only the id.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: String,
    bytes: Vec<u8>,
}

impl Secret {
    /// The id may appear in the log. The bytes must never appear there.
    pub fn new(id: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            id: id.into(),
            bytes: bytes.into(),
        }
    }

    /// The id, which may appear in the log and in the audit log.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the bytes of the secret. Only the code for signatures and for encrypted snapshots may use the bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}
