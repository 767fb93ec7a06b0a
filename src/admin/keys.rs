//! What an admin key looks like and how it is recognised, without touching the database.
//!
//! In: random bytes, or the text that a client sent. Out: `rb_<prefix>_<secret>`, the prefix by which a key is
//! found, and the SHA-256 by which it is recognised. The secret has 256 random bits, so a plain hash is enough:
//! nobody can try them all.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The beginning of every key, by which leak scanners find it.
const MARK: &str = "rb";
/// Bytes of the prefix.
const PREFIX_BYTES: usize = 6;
/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// A key, seen once by whoever made it.
#[derive(Clone)]
pub struct NewKey {
    /// What the client sends.
    pub text: String,
    /// The part by which the key is found; no secret.
    pub prefix: String,
    /// What is stored of the whole.
    pub hash: Vec<u8>,
}

/// Why no key could be made.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl NewKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system gives none.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0u8; PREFIX_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(NoRandomness)?;
        let (prefix, secret) = bytes.split_at(PREFIX_BYTES);
        let prefix = hex::encode(prefix);
        Ok(Self::from_text(
            format!("{MARK}_{prefix}_{}", hex::encode(secret)),
            prefix,
        ))
    }

    /// A key that somebody chose, as the first one of an installation; `None` when it has not the form of a key.
    #[must_use]
    pub fn given(text: &str) -> Option<Self> {
        let prefix = prefix_of(text)?.to_owned();
        Some(Self::from_text(text.to_owned(), prefix))
    }

    fn from_text(text: String, prefix: String) -> Self {
        let hash = hash(&text);
        Self { text, prefix, hash }
    }
}

/// The part by which a key is found, when the text has the form of a key.
#[must_use]
pub fn prefix_of(text: &str) -> Option<&str> {
    let mut parts = text.split('_');
    let (mark, prefix, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |part: &str, bytes: std::ops::RangeInclusive<usize>| {
        bytes.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (mark == MARK && plain(prefix, 1..=32) && plain(secret, 32..=128) && parts.next().is_none()).then_some(prefix)
}

/// What is stored of a key.
#[must_use]
pub fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// Whether a stored hash is that of the text, in a time that does not tell how much of it is.
#[must_use]
pub fn matches(stored: &[u8], text: &str) -> bool {
    hash(text).as_slice().ct_eq(stored).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_found_by_its_prefix_and_known_by_its_hash() {
        let key = NewKey::random().unwrap();
        assert_eq!(prefix_of(&key.text), Some(key.prefix.as_str()));
        assert!(matches(&key.hash, &key.text));
        assert!(!matches(&key.hash, &NewKey::random().unwrap().text));
        assert_eq!(key.text.len(), "rb_".len() + 12 + 1 + 64);
    }

    #[test]
    fn what_has_not_the_form_of_a_key_is_not_looked_for() {
        for text in [
            "",
            "rb",
            "rb__",
            "rb_a_b",
            "xx_abcdef_0123456789abcdef0123456789abcdef",
            "rb_a b_0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
    }
}
