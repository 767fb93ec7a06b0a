//! What people do with rules before they publish them. Pure: rows in, rows and findings out.
//!
//! [`change_set`] applies edits to rows, [`edits`] and [`diff`] tell two states apart, [`sheet`] reads and writes rows as a
//! spreadsheet, [`lint`] finds what contradicts or never happens, [`guard`] with [`probes`] says which changes go too far for
//! one person, [`backtest`] compares what two states decide of the same
//! calls, and [`unmatched`] finds the words that calls without a service share.

pub mod backtest;
mod both;
pub mod change_set;
pub mod diff;
pub mod edits;
pub mod guard;
pub mod lint;
pub mod probes;
pub mod sheet;
pub mod unmatched;
