//! The one test binary over HTTP: each test starts the real server on a database of its own, SQLite and PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::too_many_lines,
    reason = "a test tells its story from the first step to the last"
)]

#[allow(dead_code, unused_imports, reason = "the support offers what the next test needs")]
mod support;

mod admin;
mod architecture;
mod atomic;
mod audit;
mod audit_tampering;
mod backtest;
mod calendars;
mod change_sets;
mod edge;
mod edits;
mod erase;
mod guard_rails;
mod hostile;
mod idempotency;
mod intake;
mod kill;
mod lint;
mod live_price;
mod outage;
mod record;
mod replay;
mod review_races;
mod review_scripts;
mod review_secrets;
mod revisions;
mod rule_hits;
mod rules_command;
mod schedule;
mod scripts;
mod sheets;
mod spool;
mod start;
mod text;
mod tools;
mod webhook_settings;
