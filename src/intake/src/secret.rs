//! A webhook secret. In: an id and the bytes an operator shares with Vapi. Out: the same, never printed.

use std::fmt;

/// A shared secret under which messages are signed. Its bytes never reach a log: `Debug` prints the id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: String,
    bytes: Vec<u8>,
}

impl Secret {
    /// Names the secret `id`; the id may be logged, the bytes may not.
    pub fn new(id: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            id: id.into(),
            bytes: bytes.into(),
        }
    }

    /// Which secret this is, fit for the log and the audit.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret itself, for the signature code and nothing else.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}
