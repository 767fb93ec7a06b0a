//! Answers messages while the database is unavailable or slow. The [`gate`] limits how many messages use it.
//! [`fallback`] answers from a [`snapshot`] of the rulebook and stores the message in the [`spool`], which records it
//! later.
//!
//! It never answers a message before storing it, in the database or on the disk of this machine. If both fail, it
//! answers only a message whose caller waits, and raises a notice.

pub mod fallback;
pub mod gate;
pub mod snapshot;
pub mod spool;
