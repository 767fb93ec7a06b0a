//! Encodes raw bodies for the inbox. A body is compressed with zstd if that makes it smaller.
//!
//! A stored body is compressed if and only if it begins with zstd's magic number. So a raw body that happens to begin
//! with the magic number is always compressed.

use std::cell::RefCell;
use std::io;

use sea_orm::DbErr;
use zstd::bulk::Compressor;

/// The first bytes of a zstd frame (RFC 8878).
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// The lowest compression level. The next level takes twice the time and saves only a few percent. `.cargo/config.toml`
/// excludes the strategies of higher levels from the build. For a higher level, zstd would silently use the strategy of
/// this level.
const LEVEL: i32 = 1;
/// Bodies of fewer bytes are not compressed, because the overhead of the frame would exceed the gain.
const SMALLEST: usize = 128;
/// A thread reuses one compressor for bodies of at most this number of bytes. Larger bodies get a new compressor,
/// because the memory of a compressor grows with the largest body that it has compressed.
const LARGEST_SHARED: usize = 64 * 1024;
/// Maximum size of a decompressed body in bytes. This limit is larger than any body that Ringbook accepts, and prevents
/// a tampered row from filling the memory.
const LARGEST: usize = 16 * 1024 * 1024;

/// Encodes a body for storage.
#[must_use]
pub fn pack(body: &[u8]) -> Vec<u8> {
    let must = body.starts_with(&MAGIC);
    if body.len() < SMALLEST && !must {
        return body.to_vec();
    }
    match compress(body) {
        Ok(packed) if must || packed.len() < body.len() => packed,
        // Store the body itself if compression does not make it smaller, or if there is no memory for the compressor.
        _ => body.to_vec(),
    }
}

thread_local! {
    /// The compressor that this thread reuses. Creating a compressor for each body took 1.6 % of the server's time for
    /// reports, measured with perf.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

fn compress(body: &[u8]) -> io::Result<Vec<u8>> {
    if body.len() > LARGEST_SHARED {
        return zstd::bulk::compress(body, LEVEL);
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some(compressor) => compressor,
            None => Compressor::new(LEVEL)?,
        };
        let packed = compressor.compress(body)?;
        *kept = Some(compressor);
        Ok(packed)
    })
}

/// Decodes a stored body.
///
/// # Errors
/// When a compressed body is damaged.
pub fn unpack(stored: Vec<u8>) -> Result<Vec<u8>, DbErr> {
    if !stored.starts_with(&MAGIC) {
        return Ok(stored);
    }
    zstd::bulk::decompress(&stored, LARGEST)
        .map_err(|error| DbErr::Type(format!("a stored body cannot be decompressed: {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_body_comes_back(mut body in prop::collection::vec(any::<u8>(), 0..2_000), magic in any::<bool>()) {
            if magic {
                body.splice(0..0, MAGIC);
            }
            prop_assert_eq!(unpack(pack(&body)).unwrap(), body);
        }
    }

    #[test]
    fn a_message_becomes_a_fraction() {
        let turn = r#"{"role": "user", "message": "Mon sous-sol est inondé, il y a de l'eau partout.", "time": 1764000000000}"#;
        let body = format!("[{}]", vec![turn; 100].join(","));
        assert!(pack(body.as_bytes()).len() * 10 < body.len());
    }

    #[test]
    fn a_body_too_large_for_the_shared_compressor_comes_back() {
        let body = b"words ".repeat(LARGEST_SHARED / 4);
        assert!(body.len() > LARGEST_SHARED);
        assert_eq!(unpack(pack(&body)).unwrap(), body);
    }

    #[test]
    fn a_damaged_body_is_an_error() {
        let mut packed = pack(&[b'x'; 1_000]);
        packed.truncate(packed.len() - 2);
        assert!(unpack(packed).is_err());
    }
}
