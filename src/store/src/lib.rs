//! Storage. Each table has a module with its entity and queries. Functions that write take a `&DatabaseTransaction`.
//!
//! The transaction of a message uses the tables in this order: [`message_head`], [`webhook_events`], [`calls`],
//! [`call_transcripts`], [`decisions`], [`leads`], [`tool_calls`]. The SQL of these statements is constant, so that a
//! connection prepares each statement once. `ON CONFLICT` handles rows that exist already. No module detects an
//! existing row by catching an error.

pub mod api_keys;
pub mod audit_chain;
pub mod audit_head;
mod audit_json;
pub mod audit_log;
pub mod audit_verify;
pub mod backtests;
pub mod begin;
pub mod calendar_feeds;
pub mod call_transcripts;
pub mod calls;
pub mod change_marks;
pub mod change_set_changes;
pub mod change_sets;
pub mod compressed_body;
pub mod connect;
pub mod console_login_links;
pub mod console_sessions;
pub mod contacts;
mod database;
pub mod decision_feedback;
pub mod decisions;
pub mod dry_run;
pub mod erasure_jobs;
pub mod erasures;
pub mod escalations;
pub mod fault_points;
pub mod guard_rails;
pub mod idempotency_keys;
pub mod inbound_sms_messages;
mod insertion;
pub mod json_contains;
pub mod last_runs;
pub mod leads;
pub mod leases;
pub mod message_head;
pub mod migrate;
pub mod notices;
pub mod page;
pub mod postgres_limits;
pub mod purges;
pub mod quotas;
pub mod reconcile_cursors;
pub mod replica;
pub mod reports;
pub mod restore_guard;
pub mod retentions;
pub mod revisions;
pub mod rule_hits;
pub mod rule_rows;
pub mod rulebooks;
pub mod script_quarantines;
pub mod scripts;
pub mod search;
pub mod secrets;
pub mod simulated_calls;
pub mod sms_attempts;
pub mod sms_days;
pub mod sms_messages;
pub mod sms_status_callbacks;
pub mod sms_suppressions;
pub mod spool;
mod sql;
pub mod tool_calls;
pub mod webhook_events;

pub use begin::{Transaction, begin};
pub use database::Database;
