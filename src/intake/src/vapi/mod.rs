//! Requests to Vapi's own API. In: a key and a span of time. Out: the calls updated in it, and Vapi's view of the configuration.
//!
//! [`calls`] loads calls page by page. [`report`] builds from an ended call the message that Vapi would have posted. No call
//! data, key or text from Vapi is logged.

pub mod calls;
pub mod client;
pub mod report;

pub use calls::{Call, Span};
pub use client::{VapiClient, VapiError};
