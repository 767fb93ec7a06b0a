//! The webhook: authenticates Vapi's messages, records each message once and answers it. The webhook stores a message
//! in the database or in the offline spool before it acknowledges the message. If neither stores the message, the
//! webhook answers it only if a caller waits.
//!
//! A message passes these modules in order: [`receive`] is the route, [`auth`] authenticates, [`parse`] parses, and
//! [`record`] runs the message's transaction within two seconds. [`group_commit`] lets messages share a transaction, and
//! [`evaluate`] decides by the rulebook. [`answer`]
//! builds the response. [`dead_letter`] stores messages that can never be recorded. [`offline`] answers while the
//! database is unavailable. [`commit_race`] ensures that a message gets exactly one response: the response of its
//! transaction, or the response of [`offline`].

pub mod answer;
#[cfg(test)]
mod answer_tests;
pub mod auth;
mod call_job;
pub mod commit_race;
pub mod dead_letter;
pub mod evaluate;
pub mod group_commit;
pub mod message;
mod message_write;
pub mod offline;
pub mod parse;
mod queue_sms;
pub mod receive;
pub mod reconcile;
pub mod record;
mod record_call;
pub mod reinject;
pub mod requests;
pub mod rule_usage;
mod save_decision;
mod save_tools;
pub mod sms_age;
pub mod tools;
pub mod vapi;
mod write_by_type;

/// Prefix of the ids of simulated calls.
pub use store::calls::SIMULATED_PREFIX;
