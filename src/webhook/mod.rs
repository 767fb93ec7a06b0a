//! A message comes in. In: Vapi's signed POST. Out: what Vapi expects, once everything is recorded.
//!
//! In the order a message meets them: [`verify`] (with [`scheme`], [`secret`] and [`sign`]) says who it is from,
//! [`decode`] (with [`document`], [`event`], [`keys`], [`turns`] and [`tool_requests`]) says what it is, and
//! [`answer`] says it back. All of these are pure.

pub mod answer;
#[cfg(test)]
mod answer_tests;
pub mod decode;
#[cfg(test)]
mod decode_tests;
pub mod document;
pub mod event;
#[cfg(test)]
mod hostile_tests;
pub mod keys;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod refusal_tests;
pub mod scheme;
pub mod secret;
pub mod sign;
pub mod tool_requests;
pub mod turns;
pub mod verify;
#[cfg(test)]
mod verify_tests;
