//! Ringbook: the rulebook behind a business's phone.
//!
//! A message passes through `web` to `intake`. `intake` uses `rules` to decide and `sms` to send. People use `admin`.
//! [`app`] connects all parts, and [`cli`] is the entry point.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod core_dumps;
pub mod doctor;
pub mod first_start;
pub mod health;
pub mod labelled;
pub mod settings;
pub mod start_messages;
