//! Authenticates Vapi's requests. [`access`] caches the [`scheme`]s and [`secret`]s of each rulebook, and [`verify`]
//! checks a request against them. [`sign`] computes signatures, and [`settings`] validates the settings that an
//! administrator stores.
//!
//! This module never reveals to the client why a request was rejected, and never prints a secret.

pub mod access;
#[cfg(test)]
mod refusal_tests;
pub mod scheme;
pub mod secret;
pub mod settings;
pub mod sign;
pub mod verify;
#[cfg(test)]
mod verify_tests;
