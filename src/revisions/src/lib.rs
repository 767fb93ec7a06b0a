//! Revisions, between the database and decisions: [`publish`] creates a revision from a change, [`current`] caches
//! compiled revisions and the head of each rulebook, and [`quarantine`] disables scripts that fail.

pub mod current;
pub mod publish;
pub mod quarantine;
