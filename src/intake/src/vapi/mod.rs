//! Vapi's own API, asked by us. In: a key and a span of time. Out: the calls that were changed in it, and what a set-up
//! looks like from Vapi's side.
//!
//! [`calls`] gets calls page by page, [`report`] makes of an ended call the message that Vapi would have posted. Nothing of
//! a call, a key or Vapi's words goes to the log.

pub mod calls;
pub mod client;
pub mod report;

pub use calls::{Call, Span};
pub use client::{VapiClient, VapiError};
