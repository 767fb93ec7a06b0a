//! Ringbook: the rulebook behind a business's phone. Modules in the order a message meets them.

pub mod rulebook;
pub mod store;
pub mod webhook;
