//! What we charge and who goes first: rows and scripts compiled into a [`compile::Rulebook`] that decides. Pure: no database,
//! no HTTP, no clock.
//!
//! In the order in which a decision meets them: [`rows`] and [`files`] are what people write; [`check`], [`parse`],
//! [`condition`], [`hearing`], [`index`], [`script`] and [`calendar`] are what [`compile`] compiles; [`extract`] with
//! [`kinds`] and [`derive`] make facts; [`decide`] decides with [`price`], [`say`] and [`on_call`], [`explain`] says why not;
//! [`shifts`] says who is on call when; [`wording`] writes the text about it, [`segments`] counts what it costs and [`quiet`]
//! says when it waits; [`cases`] hold it all to what people expect; [`pools`] has the threads for all of that. [`keep_rows`]
//! keeps a revision outside the database, [`replay`] decides again what was decided before, and [`kept_case`] holds it.

pub mod calendar;
mod caller_words;
pub mod cases;
pub mod check;
mod check_overrides;
mod check_people;
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
pub mod fault;
pub mod files;
pub mod guard_rails;
pub mod hearing;
pub mod index;
pub mod keep_rows;
pub mod kept_case;
pub mod kinds;
mod language;
mod listening;
#[cfg(test)]
mod long_tests;
pub mod lookups;
pub mod money;
pub mod on_call;
pub mod own_turn;
pub mod parse;
#[cfg(test)]
mod parse_tests;
pub mod phrase_probe;
pub mod pools;
mod prefixes;
pub mod price;
pub mod quiet;
pub mod replay;
pub mod rows;
pub mod sample;
pub mod say;
pub mod script;
pub mod segments;
pub mod sentences;
pub mod services;
mod shift_overrides;
pub mod shifts;
pub mod vocabulary;
pub mod wall_clock;
pub mod weight;
pub mod wording;
pub mod words;

pub use compile::{Rulebook, compile};
pub use fault::Fault;
pub use script::ScriptFault;
