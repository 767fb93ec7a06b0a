//! Tools for editing rules before they are published. The crate is pure: its functions get rows, and return rows or
//! findings.
//!
//! - [`change_set`] applies edits to rows; [`edits`] and [`diff`] compare two states.
//! - [`sheet`] reads and writes rows as a spreadsheet.
//! - [`lint`] finds contradictions and rules that never apply.
//! - [`guard`] and [`probes`] find changes that need a second person's approval.
//! - [`backtest`] compares the decisions of two states on the same calls.
//! - [`unmatched`] finds the words that calls without a service share.

pub mod backtest;
pub mod change_set;
mod decide_twice;
pub mod diff;
pub mod edits;
pub mod guard;
pub mod lint;
pub mod probes;
pub mod sheet;
pub mod unmatched;
