//! Compiles rows and scripts into a [`compile::Rulebook`], which decides prices and priorities. The crate is pure: it
//! uses no database, no HTTP and no clock.
//!
//! The modules follow in the order of a decision. [`rows`] and [`files`], both of the crate `rulebook`, contain the
//! rules that people write. [`compile`] compiles these rules with [`check`], [`parse`], [`condition`], [`hearing`],
//! [`index`], [`script`] and [`calendar`]. [`extract`] with [`kinds`] and [`derive`] produces facts. [`decide`] decides
//! with [`price`], [`spoken_summary`] and [`on_call`], and [`explain`] says why rows did not apply. [`shifts`] lists
//! who is on call at which time. [`sms_body`] writes SMS messages, [`segments`] counts their segments, and
//! [`quiet_hours`] delays them. [`cases`] checks the rules against expectations. [`pools`] provides the threads for
//! this work. [`rows_json`] converts a revision to JSON, [`replay`] repeats stored decisions, and [`case_from_call`]
//! turns a stored call into a case.

pub mod calendar;
mod caller_words;
pub mod case_from_call;
pub mod cases;
pub mod check;
mod check_overrides;
mod check_row_fields;
pub mod compile;
pub mod condition;
pub mod decide;
#[cfg(test)]
mod decide_tests;
pub mod decision;
pub mod derive;
pub mod explain;
pub mod extract;
pub mod facts;
pub mod fair_pool;
pub mod guard_rails;
pub mod hearing;
pub mod index;
pub mod kinds;
mod language;
mod listening;
#[cfg(test)]
mod long_tests;
pub mod on_call;
pub mod one_at_a_time;
pub mod parse;
#[cfg(test)]
mod parse_tests;
pub mod phrase_probe;
pub mod pools;
mod prefixes;
pub mod price;
pub mod quiet_hours;
pub mod replay;
pub mod rulebook_queries;
#[cfg(test)]
mod sample_tests;
pub mod script;
pub mod segments;
pub mod sentences;
pub mod services;
mod shift_overrides;
pub mod shifts;
pub mod sms_body;
pub mod spoken_summary;
pub mod vocabulary;
pub mod wall_clock;
pub mod words;

pub use compile::{Rulebook, compile};
pub use rulebook::{Fault, fault, files, money, rows, rows_json, sample, size, suggestion};
pub use script::ScriptFault;
