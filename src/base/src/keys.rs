//! Encrypts stored secrets, and generates random keys.
//!
//! The key comes from `RINGBOOK_SECRET_KEY`, or from a file with mode 0600 that is created at the first start. Secrets
//! are encrypted with ChaCha20-Poly1305 and bound to their row. So a value that somebody moved to another row cannot be
//! decrypted. Keys for other purposes are derived with a label, so that no key has two purposes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

const NONCE: usize = 12;

/// Why a secret cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read or created.
    #[error("the key file {} cannot be used", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The key file does not contain 64 hexadecimal digits.
    #[error("the key file {} does not contain 64 hexadecimal digits", .0.display())]
    Malformed(PathBuf),
    /// The operating system provided no random bytes.
    #[error("the operating system provides no random bytes")]
    NoRandomness,
    /// The value was encrypted with another key, or was altered.
    #[error("a stored secret cannot be decrypted: RINGBOOK_SECRET_KEY is not the key that encrypted it")]
    DoesNotOpen,
}

/// Encrypts and decrypts stored secrets.
#[derive(Clone)]
pub struct SecretKey {
    cipher: ChaCha20Poly1305,
    deriving: Hmac<Sha256>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl SecretKey {
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        // HMAC pads a key shorter than its block with zeros (RFC 2104).
        let mut block = [0; 64];
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self {
            cipher: ChaCha20Poly1305::new(Key::from_slice(bytes)),
            deriving: Hmac::new(&block.into()),
        }
    }

    #[must_use]
    pub fn of_audit_chain(&self) -> [u8; 32] {
        self.derived("ringbook audit chain")
    }

    /// The key for the spool.
    #[must_use]
    pub fn of_spool(&self) -> Self {
        Self::new(&self.derived("ringbook spool"))
    }

    /// Derives a key for one purpose. From the derived key, nobody can compute this key or another derived key.
    fn derived(&self, label: &str) -> [u8; 32] {
        let mut mac = self.deriving.clone();
        mac.update(label.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Reads the key file, or creates it with a random key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        let text = match std::fs::File::open(path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                text
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                make(path, &hex::encode(random::<32>()?)).map_err(failed)?;
                // Read the file back: another instance may have created it first, with another key.
                std::fs::read_to_string(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let bytes = hex::decode(text.trim())
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes
            .map(|bytes| Self::new(&bytes))
            .ok_or_else(|| KeyError::Malformed(path.to_owned()))
    }

    /// Encrypts a secret for the row `id` of a rulebook.
    pub fn seal(&self, rulebook_id: Uuid, id: Uuid, secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce = random::<NONCE>()?;
        let place = place(rulebook_id, id);
        let sealed = self
            .cipher
            .encrypt(
                Nonce::from_slice(&nonce),
                Payload {
                    msg: secret,
                    aad: &place,
                },
            )
            .map_err(|_| KeyError::DoesNotOpen)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts a secret of the row `id` of a rulebook.
    pub fn open(&self, rulebook_id: Uuid, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(KeyError::DoesNotOpen)?;
        let place = place(rulebook_id, id);
        self.cipher
            .decrypt(
                Nonce::from_slice(nonce),
                Payload {
                    msg: sealed,
                    aad: &place,
                },
            )
            .map_err(|_| KeyError::DoesNotOpen)
    }
}

/// Creates the key file atomically: writes a file with another name, and then links it to `path`. If another instance
/// has created the key file first, the existing file stays.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(
        ".{}.new",
        hex::encode(random::<8>().map_err(std::io::Error::other)?)
    ));
    let draft = PathBuf::from(draft);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn place(rulebook_id: Uuid, id: Uuid) -> Vec<u8> {
    [rulebook_id.as_bytes().as_slice(), id.as_bytes()].concat()
}

pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_sealed_and_unaltered() {
        let key = SecretKey::new(&[7; 32]);
        let (rulebook, id, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let mut sealed = key.seal(rulebook, id, b"token").unwrap();
        assert_eq!(key.open(rulebook, id, &sealed).unwrap(), b"token");
        assert!(key.open(rulebook, other, &sealed).is_err());
        assert!(SecretKey::new(&[8; 32]).open(rulebook, id, &sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(key.open(rulebook, id, &sealed).is_err());
        assert!(key.open(rulebook, id, b"short").is_err());
    }

    #[test]
    fn a_derived_key_depends_on_key_and_label() {
        let key = SecretKey::new(&[7; 32]);
        assert_eq!(key.of_audit_chain(), SecretKey::new(&[7; 32]).of_audit_chain());
        assert_ne!(key.of_audit_chain(), SecretKey::new(&[8; 32]).of_audit_chain());
        assert_ne!(key.of_audit_chain(), key.derived("something else"));
        assert_ne!(key.of_audit_chain(), [7; 32]);
    }

    #[test]
    fn the_key_file_is_made_once_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringbook.key");
        let sealed = SecretKey::from_file(&path)
            .unwrap()
            .seal(Uuid::nil(), Uuid::nil(), b"x")
            .unwrap();
        assert_eq!(
            SecretKey::from_file(&path)
                .unwrap()
                .open(Uuid::nil(), Uuid::nil(), &sealed)
                .unwrap(),
            b"x"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "a draft is left over"
        );
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(SecretKey::from_file(&path), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn instances_that_start_together_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringbook.key");
        let keys: Vec<SecretKey> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| SecretKey::from_file(&path).unwrap()))
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let sealed = keys[0].seal(Uuid::nil(), Uuid::nil(), b"x").unwrap();
        for key in keys {
            assert_eq!(key.open(Uuid::nil(), Uuid::nil(), &sealed).unwrap(), b"x");
        }
    }
}
