//! Revisions of rulebooks. [`publish`] creates a revision from a change, [`cache`] caches compiled revisions and the head
//! of each rulebook, and [`quarantine`] disables scripts that fail.

pub mod cache;
pub mod publish;
pub mod quarantine;
