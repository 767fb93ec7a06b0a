//! The test binary for all tests over HTTP: each test starts the real server on its own database, on SQLite and on
//! PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::too_many_lines,
    reason = "a test is one sequence of steps, easiest to read in one function"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "not every function of the support module is used here"
)]
mod support;

mod admin;
mod agency;
mod architecture;
mod atomic;
mod audit;
mod audit_tampering;
mod backtest;
mod backup;
mod bodies;
mod busy;
mod calendar_feeds;
mod calendars;
mod change_sets;
mod connections;
mod console;
mod console_change_sets;
mod console_history;
mod console_keys;
mod console_notices;
mod console_on_call;
mod console_prices;
mod console_setup;
mod console_today;
mod console_try;
mod console_words;
mod doctor;
mod document_links;
mod dry_run;
mod edits;
mod erase;
mod escalation;
mod events;
mod examples;
mod feedback;
mod guard_rails;
mod guessing;
mod hearing;
mod hearing_situations;
mod hostile;
mod hostile_connections;
mod hostile_requests;
mod http_behaviour;
mod idempotency;
mod intake;
mod kill;
mod large_lists;
mod leases;
mod limits;
mod lint;
mod list_csv;
mod live_price;
mod masking;
mod one_price;
mod outage;
mod outbox;
mod paging;
mod privileges;
mod problems;
mod proxy;
mod quotas;
mod races;
mod reconcile;
mod record;
mod refusals;
mod replay;
mod replay_events;
mod replica;
mod retention;
mod revisions;
mod rule_hits;
mod rules_command;
mod schedule;
mod script_faults;
mod scripts;
mod secret_rotation;
mod sharing;
mod sheets;
mod shift_overrides;
mod simulated;
mod sms_timing;
mod spool;
mod start;
mod statements;
mod supply_chain;
mod tool_identity;
mod tools;
mod twilio_callbacks;
mod webhook_settings;
mod wrong_folder;
