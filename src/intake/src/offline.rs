//! What happens while the database is away or slow. The [`gate`] limits how many messages use it. [`fallback`] answers
//! from a [`snapshot`] of the rulebook and stores the message in the [`spool`], which records it later.
//!
//! No message is answered before it is stored, in the database or on the disk of this machine.

pub mod fallback;
pub mod gate;
pub mod snapshot;
pub mod spool;
