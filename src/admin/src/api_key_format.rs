//! The format of admin keys: `rb_<prefix>_<secret>`. A key is looked up by its prefix and verified by its SHA-256 hash.
//! The secret has 256 random bits, so a plain hash is enough.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The first word of every generated key. Leak scanners find keys by this word.
const MARK: &str = "rb";
/// Bytes of the prefix.
const PREFIX_BYTES: usize = 6;
/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// A new key. Only the response that creates the key shows it.
#[derive(Clone)]
pub struct NewKey {
    /// The whole key, as the client sends it.
    pub text: String,
    /// The key's prefix, which is not secret. The server looks up the stored key by this prefix.
    pub prefix: String,
    /// The stored hash.
    pub hash: Vec<u8>,
}

/// The operating system provided no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl NewKey {
    /// Generates a new key with the operating system's random generator.
    ///
    /// # Errors
    /// If the operating system provides no random bytes.
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

    /// Accepts a key that a person chose, such as the first key of an installation. The key must have 16 to 256
    /// printable ASCII characters without spaces. If not, returns `None`.
    #[must_use]
    pub fn given(text: &str) -> Option<Self> {
        let prefix = prefix_of(text)?;
        Some(Self::from_text(text.to_owned(), prefix))
    }

    fn from_text(text: String, prefix: String) -> Self {
        let hash = hash(&text);
        Self { text, prefix, hash }
    }
}

/// Returns the prefix by which a key is looked up, or `None` if the string cannot be a key. A key that a person chose
/// may have another format. The prefix of such a key is the beginning of its hash.
#[must_use]
pub fn prefix_of(text: &str) -> Option<String> {
    if !(16..=256).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let ours = || {
        let (prefix, secret) = text.strip_prefix(MARK)?.strip_prefix('_')?.split_once('_')?;
        let hexadecimal = |part: &str, bytes: usize| part.len() == 2 * bytes && hex::decode(part).is_ok();
        (hexadecimal(prefix, PREFIX_BYTES) && hexadecimal(secret, SECRET_BYTES)).then(|| prefix.to_owned())
    };
    Some(ours().unwrap_or_else(|| hex::encode(hash(text).get(..PREFIX_BYTES).unwrap_or_default())))
}

/// Returns the hash under which a key is stored.
#[must_use]
pub fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// Returns whether `stored` is the hash of `text`. The comparison takes constant time.
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
        assert_eq!(prefix_of(&key.text), Some(key.prefix.clone()));
        assert!(matches(&key.hash, &key.text));
        assert!(!matches(&key.hash, &NewKey::random().unwrap().text));
        assert_eq!(key.text.len(), "rb_".len() + 12 + 1 + 64);
    }

    #[test]
    fn a_chosen_key_is_found_as_well() {
        let key = NewKey::given("test-admin-key-0123456789").unwrap();
        assert_eq!(prefix_of(&key.text), Some(key.prefix.clone()));
        assert!(matches(&key.hash, &key.text));
    }

    #[test]
    fn what_cannot_be_a_key_is_not_looked_for() {
        for text in [
            "",
            "rb__",
            "too short",
            "with a space in the middle",
            &"x".repeat(257),
            "clé-clé-clé-clé-clé",
        ] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
    }
}
