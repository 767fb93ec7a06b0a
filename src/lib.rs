//! Ringbook: the rulebook behind a business's phone.
//!
//! A message meets `edge`, then `webhook`, which asks `rulebook` and leaves a text in `outbox`, of which Twilio tells
//! `callbacks` more; people meet `admin`.
//! `app` puts it all together.

pub mod accounts;
pub mod admin;
pub mod app;
pub mod audit;
pub mod backup;
pub mod bootstrap;
pub mod callbacks;
pub mod cli;
pub mod clock;
pub mod core_dumps;
pub mod doctor;
pub mod edge;
pub mod fault_points;
pub mod first_start;
pub mod health;
pub mod history;
pub mod http_client;
pub mod jobs;
pub mod keys;
pub mod labelled;
pub mod looks;
pub mod outbox;
pub mod problem;
pub mod rulebook;
pub mod secret;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod vapi;
pub mod webhook;
