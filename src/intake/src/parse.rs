//! Parses a verified body: [`decode`] turns the body into an [`event`] with [`turns`], [`tool_requests`] and
//! [`structured`] data. [`keys`] derives the idempotency keys of an event, and [`facts`] extracts the facts that rules
//! read.
//!
//! Pure and tolerant: a body that Vapi's schema does not allow is still read as far as possible.

pub mod decode;
#[cfg(test)]
mod decode_tests;
pub mod event;
pub mod facts;
#[cfg(test)]
mod hostile_tests;
pub mod keys;
#[cfg(test)]
mod keys_tests;
pub mod lazy_json;
pub mod structured;
pub mod tool_requests;
pub mod turns;
