//! Requests to Vapi's own API. The reconciler loads the calls updated in a span of time, and `ringbook doctor` checks
//! the configuration.
//!
//! [`calls`] loads calls page by page. [`report`] builds the message that Vapi would have posted about an ended call.
//! No call data, key or text from Vapi is logged.

pub mod calls;
pub mod client;
pub mod report;

pub use calls::{Call, Span};
pub use client::{VapiClient, VapiError};
