//! The webhook. In: Vapi's signed POST. Out: the response that Vapi expects, once everything is recorded.
//!
//! The modules in the order in which a message passes them: [`verify`] (with [`scheme`], [`auth_settings`], [`secret`] and
//! [`sign`]) authenticates it, [`decode`] (with [`document`], [`event`], [`keys`], [`turns`] and [`tool_requests`]) parses it,
//! and [`answer`] writes the response. All of these are pure.
//!
//! [`lane`] is the gate to the database. [`take_in`] gives a message two seconds. If that is not enough, [`degraded`] answers
//! from [`last_good`] and stores the message in the [`spool`], whose drain records it later. [`attempt`] ensures that a message
//! gets exactly one of the two responses.

pub mod access;
pub mod answer;
#[cfg(test)]
mod answer_tests;
pub mod attempt;
pub mod auth_settings;
mod batch;
pub mod decided;
pub mod decode;
#[cfg(test)]
mod decode_tests;
pub mod degraded;
pub mod document;
pub mod event;
pub mod facts;
pub mod feed;
pub mod hits;
#[cfg(test)]
mod hostile_tests;
mod job;
pub mod keys;
#[cfg(test)]
mod keys_tests;
pub mod lane;
pub mod last_good;
pub mod late;
pub mod message;
pub mod receive;
pub mod reconcile;
mod record;
#[cfg(test)]
mod refusal_tests;
pub mod requests;
mod save_decision;
mod save_tools;
pub mod scheme;
pub mod secret;
pub mod set_aside;
pub mod share;
pub mod sign;
pub mod spool;
mod step;
pub mod structured;
pub mod take_in;
mod texts;
mod together;
pub mod tool_requests;
pub mod tools;
pub mod transact;
pub mod turns;
mod unreadable;
pub mod vapi;
pub mod verify;
#[cfg(test)]
mod verify_tests;

/// Prefix of the ids of simulated calls.
pub use store::calls::SIMULATED_PREFIX;
