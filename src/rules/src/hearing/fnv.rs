//! Calculates FNV-1a hashes over parts of text. A hash is the same on every machine and in every version, as trained
//! classifiers require.

/// The hash of an empty input.
pub const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Extends a hash by one more part of text.
pub fn extended(hash: u64, part: &str) -> u64 {
    let with = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    // Each part ends with the byte 0xff, which UTF-8 text never contains.
    with(part.bytes().fold(hash, with), 0xff)
}
