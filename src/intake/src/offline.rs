//! Answers messages while the database is unavailable or slow. The [`gate`] limits how many messages use the database.
//! [`fallback`] answers from a [`snapshot`] of the rulebook and stores the message in the [`spool`], which records it
//! later.
//!
//! Ringbook stores a message in the database or on the disk of this machine before it answers. If neither stores the
//! message, Ringbook answers it only if a caller waits, and raises a notice.

pub mod fallback;
pub mod gate;
pub mod snapshot;
pub mod spool;
