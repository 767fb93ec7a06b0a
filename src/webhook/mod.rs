//! A message comes in. In: Vapi's signed POST. Out: what Vapi expects, once everything is recorded.
//!
//! In the order a message meets them: [`verify`] (with [`scheme`], [`secret`] and [`sign`]) says who it is from,
//! [`decode`] (with [`document`], [`event`], [`keys`], [`turns`] and [`tool_requests`]) says what it is, and
//! [`answer`] says it back. All of these are pure.

pub mod answer;
pub mod decode;
pub mod document;
pub mod event;
pub mod keys;
pub mod scheme;
pub mod secret;
pub mod sign;
pub mod tool_requests;
pub mod turns;
pub mod verify;
#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod decode_tests;
#[cfg(test)]
mod verify_tests;
