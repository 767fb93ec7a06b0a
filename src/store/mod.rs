//! What is kept: one file per table with its entity and its queries. What writes takes a `&DatabaseTransaction`.

pub mod api_keys;
pub mod audit_chain;
pub mod audit_head;
mod audit_json;
pub mod audit_log;
pub mod audit_verify;
pub mod backtests;
pub mod begin;
pub mod call_transcripts;
pub mod calls;
pub mod change_set_changes;
pub mod change_sets;
pub mod connect;
pub mod containment;
pub mod decisions;
pub mod guard_rails;
pub mod idempotency_keys;
pub mod intake;
pub mod leads;
pub mod migrate;
pub mod notices;
pub mod page;
pub mod past_decisions;
pub mod revisions;
pub mod rule_hits;
pub mod rulebooks;
pub mod rules;
pub mod script_quarantines;
pub mod scripts;
pub mod secrets;
pub mod sms_attempts;
pub mod sms_messages;
pub mod spool;
pub mod tool_calls;
pub mod webhook_events;

pub use begin::begin;
