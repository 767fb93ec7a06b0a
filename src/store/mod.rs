//! What is kept: one file per table with its entity and its queries. What writes takes a `&DatabaseTransaction`.

pub mod api_keys;
pub mod audit_log;
pub mod begin;
pub mod call_transcripts;
pub mod calls;
pub mod connect;
pub mod containment;
pub mod decisions;
pub mod intake;
pub mod leads;
pub mod migrate;
pub mod notices;
pub mod page;
pub mod revisions;
pub mod rulebooks;
pub mod rules;
pub mod script_quarantines;
pub mod scripts;
pub mod secrets;
pub mod sms_attempts;
pub mod sms_messages;
pub mod tool_calls;
pub mod webhook_events;

pub use begin::begin;
