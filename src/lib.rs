//! Ringbook: the rulebook behind a business's phone. Modules in the order a message meets them.

pub mod clock;
pub mod edge;
pub mod http_client;
pub mod problem;
pub mod rulebook;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod webhook;
