//! Ringbook: the rulebook behind a business's phone. Modules in the order a message meets them.

pub mod settings;
pub mod telemetry;
pub mod clock;
pub mod problem;
pub mod edge;
pub mod rulebook;
pub mod admin;
pub mod store;
