//! Ringbook: the rulebook behind a business's phone. Modules in the order a message meets them.

pub mod clock;
pub mod outbox;
pub mod rulebook;
pub mod store;
